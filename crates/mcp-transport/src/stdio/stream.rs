//! The framing of stdio over a stream that the program opened: what is at its other end is not ours to start or to end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::outbox::{Inbox, Outbox};
use crate::duplex::{CloseReason, Duplex, Gauge, Outcome, Patience, Reply};
use crate::endpoint::StreamEndpoint;
use crate::error::{TransportError, TransportErrorKind};
use crate::inbound::{HandlerFuture, Inbound};
use crate::limits::{Allowance, Budget};
use crate::message::lines::{Lines, put_on_one_line};
use crate::stream::Stream;

/// How long the last lines may take to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// A connection over a stream that is open already. Dropping it closes the stream.
pub(crate) struct StreamWire {
    duplex: Duplex,
    /// Lines to write.
    outbox: Outbox,
    leaving: Arc<GoingAwayFilter>,
    /// Ends the writer when what was sent before is written.
    stop: CancellationToken,
    written: CancellationToken,
    reader: JoinHandle<()>,
}

impl StreamWire {
    /// Speaks over `stream`. Must run inside a tokio runtime.
    pub(crate) fn start(stream: Stream, budget: &Budget, inbound: Arc<dyn Inbound>) -> Self {
        let (outbox, lines) = Outbox::new();
        let reply: Reply = Arc::new({
            let outbox = outbox.clone();
            move |frame, debt| outbox.answer(frame, debt)
        });
        let leaving = Arc::new(GoingAwayFilter { inbound, said: AtomicBool::new(false) });
        let duplex = Duplex::new(leaving.clone(), budget, reply);
        let (stop, written) = (CancellationToken::new(), CancellationToken::new());
        let reader = tokio::spawn(read(stream.input, Lines::new(budget.limits.longest()), duplex.clone()));
        let done = written.clone().drop_guard();
        let (writing, broken) = (write(stream.output, lines, stop.clone()), duplex.clone());
        tokio::spawn(async move {
            let _done = done;
            if writing.await.is_err() {
                broken.end(gone());
            }
        });
        Self { duplex, outbox, leaving, stop, written, reader }
    }

    /// Sends the request `id`, encoded as `frame`, and waits for its answer.
    ///
    /// # Errors
    /// [`Closed`](TransportErrorKind::Closed) where the other process takes no more requests; otherwise see
    /// [`Waiter::outcome`](crate::duplex::Waiter::outcome).
    pub(crate) async fn request(
        &self,
        id: i64,
        frame: Vec<u8>,
        allowance: Allowance,
        patience: Patience<'_>,
    ) -> Outcome {
        if self.leaving.said.load(Ordering::Acquire) {
            return Err(CloseReason::by_owner().to_error());
        }
        let waiter = self.duplex.register(id, allowance)?;
        self.send(frame)?;
        waiter.outcome(patience).await
    }

    /// Sends a notification or a response, without waiting until it is written.
    ///
    /// # Errors
    /// The reason why the connection ended, or the other process does not read.
    pub(crate) fn send(&self, frame: Vec<u8>) -> Result<(), TransportError> {
        match self.duplex.ended() {
            Some(reason) => Err(reason.to_error()),
            None => self.outbox.send(frame),
        }
    }

    /// Closes the stream when what was sent before is written. Requests in flight fail at once.
    pub(crate) async fn close(&self) {
        self.duplex.end(CloseReason::by_owner());
        self.stop.cancel();
        // A process that does not read is not waited for.
        let _ = tokio::time::timeout(LAST_LINES, self.written.cancelled()).await;
        self.reader.abort();
    }
}

impl fmt::Debug for StreamWire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWire").field("duplex", &self.duplex).finish_non_exhaustive()
    }
}

impl Drop for StreamWire {
    fn drop(&mut self) {
        self.duplex.end(CloseReason::by_owner());
        self.stop.cancel();
        self.reader.abort();
    }
}

/// Hears that the other process goes away, and hands everything else on.
#[derive(Debug)]
struct GoingAwayFilter {
    inbound: Arc<dyn Inbound>,
    said: AtomicBool,
}

impl Inbound for GoingAwayFilter {
    fn notification(&self, method: &str, params: Option<Box<RawValue>>) {
        if method != StreamEndpoint::GOING_AWAY {
            return self.inbound.notification(method, params);
        }
        if !self.said.swap(true, Ordering::AcqRel) {
            // To the supervisor it has ended: another one is made for new requests. Those under way
            // keep this one until they are answered.
            self.inbound.closed();
        }
    }

    fn request<'a>(&'a self, method: &'a str, params: Option<Box<RawValue>>) -> HandlerFuture<'a> {
        self.inbound.request(method, params)
    }

    fn closed(&self) {
        self.inbound.closed();
    }
}

fn gone() -> CloseReason {
    CloseReason::new(TransportErrorKind::Dropped, "the process that keeps the connection has ended")
}

async fn read(mut stream: impl AsyncRead + Unpin, mut lines: Lines, duplex: Duplex) {
    let mut gauge = Gauge::new(&duplex);
    let reason = loop {
        if !matches!(stream.read_buf(lines.room()).await, Ok(1..)) {
            break gone();
        }
        match deliver(&mut lines, &duplex, &mut gauge).await {
            Ok(()) => {}
            Err(reason) => break reason,
        }
    };
    duplex.end(reason);
}

/// Hands over the lines that are complete.
async fn deliver(lines: &mut Lines, duplex: &Duplex, gauge: &mut Gauge) -> Result<(), CloseReason> {
    loop {
        duplex.room().await?;
        let line = match lines.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return gauge.admit(lines.unfinished().len()),
            Err(_) => {
                return Err(CloseReason::new(TransportErrorKind::TooLarge, "a relayed message is too long"));
            }
        };
        gauge.admit(line.len())?;
        // The other end is the same program: it prints nothing beside the protocol.
        if duplex.deliver(line.into_owned(), gauge.take()).is_err() {
            let message = "the process that keeps the connection says something else than MCP";
            return Err(CloseReason::new(TransportErrorKind::Protocol, message));
        }
    }
}

async fn write(
    mut stream: impl AsyncWrite + Unpin,
    mut lines: Inbox,
    stop: CancellationToken,
) -> std::io::Result<()> {
    loop {
        let line = tokio::select! {
            // In this order, so that what was sent before the stop is written before the end.
            biased;
            line = lines.recv() => line,
            () = stop.cancelled() => None,
        };
        let Some(mut line) = line else { return stream.shutdown().await };
        put_on_one_line(&mut line.bytes);
        line.bytes.push(b'\n');
        stream.write_all(&line.bytes).await?;
        stream.flush().await?;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream};

    use super::*;
    use crate::hub::Inbox;
    use crate::limits::Limits;

    struct Other {
        lines: tokio::io::Lines<BufReader<tokio::io::ReadHalf<DuplexStream>>>,
        output: tokio::io::WriteHalf<DuplexStream>,
    }

    impl Other {
        async fn heard(&mut self) -> Option<String> {
            self.lines.next_line().await.unwrap()
        }

        async fn says(&mut self, line: &str) {
            self.output.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }
    }

    fn wire() -> (Arc<StreamWire>, Arc<Inbox>, Other) {
        let (ours, theirs) = tokio::io::duplex(1 << 12);
        let (input, output) = tokio::io::split(ours);
        let limits = Limits { result_bytes: 1 << 10, message_bytes: 1 << 10, ..Limits::default() };
        let small = Budget::new(Arc::new(limits), Default::default());
        let hub = Arc::new(Inbox::new(None, small));
        let wire = StreamWire::start(Stream::new(input, output), &hub.budget, hub.clone());
        let (input, output) = tokio::io::split(theirs);
        (Arc::new(wire), hub, Other { lines: BufReader::new(input).lines(), output })
    }

    fn ask(wire: &Arc<StreamWire>, id: i64) -> JoinHandle<Outcome> {
        let allowance = Limits { result_bytes: 1 << 10, ..Limits::default() }.allowance("x");
        let (wire, frame) = (wire.clone(), format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"x"}}"#));
        tokio::spawn(
            async move { wire.request(id, frame.into_bytes(), allowance, Patience::default()).await },
        )
    }

    #[tokio::test]
    async fn a_process_that_goes_away_answers_what_is_under_way_and_nothing_else() {
        let (wire, hub, mut other) = wire();
        let under_way = ask(&wire, 1);
        other.heard().await.unwrap();
        other.says(&format!(r#"{{"jsonrpc":"2.0","method":"{}"}}"#, StreamEndpoint::GOING_AWAY)).await;
        while !hub.has_ended() {
            tokio::task::yield_now().await;
        }
        let refused = ask(&wire, 2).await.unwrap().unwrap_err();
        assert_eq!(*refused.kind(), TransportErrorKind::Closed);
        assert!(!refused.may_have_been_sent());
        other.says(r#"{"jsonrpc":"2.0","id":1,"result":{"late":true}}"#).await;
        assert_eq!(under_way.await.unwrap().unwrap().get(), r#"{"late":true}"#);
        wire.close().await;
        assert_eq!(other.heard().await, None);
    }

    #[tokio::test]
    async fn a_process_that_ends_leaves_doubt_about_what_was_under_way() {
        let (wire, hub, mut other) = wire();
        let under_way = ask(&wire, 1);
        other.heard().await.unwrap();
        drop(other);
        let error = under_way.await.unwrap().unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::Dropped);
        assert!(error.may_have_been_sent() && hub.has_ended());
    }

    #[tokio::test]
    async fn what_is_no_message_ends_the_stream() {
        for (nonsense, kind) in [
            ("{}".to_owned(), TransportErrorKind::Protocol),
            ("x".repeat(2000), TransportErrorKind::TooLarge),
        ] {
            let (wire, _hub, mut other) = wire();
            let under_way = ask(&wire, 1);
            other.heard().await.unwrap();
            other.says(&nonsense).await;
            assert_eq!(*under_way.await.unwrap().unwrap_err().kind(), kind);
        }
    }
}
