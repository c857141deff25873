//! The host's side: what is written to it, and the questions that it was asked.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_transport::message::{
    INTERNAL_ERROR, Payload, RequestId, RpcError, begin_result, encode_notification, encode_request,
    encode_response, methods, put_on_one_line,
};
use serde_json::value::RawValue;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

/// What may wait for a host that does not read. Beyond it notifications are left out: they may be, and answers
/// may not.
const MAX_QUEUED_BYTES: usize = 16 << 20;
/// Short messages that wait are written together, up to this many bytes at once.
const MAX_BATCH_BYTES: usize = 64 << 10;

/// What the host answered to a question.
pub type HostAnswer = Result<Box<RawValue>, RpcError>;

/// A message for the host: a head, and where it carries a result of the server, that result in the buffer that it
/// arrived in, and the brace behind it.
#[derive(Debug)]
struct Frame {
    head: Vec<u8>,
    result: Option<(Vec<u8>, Range<usize>)>,
}

impl Frame {
    fn len(&self) -> usize {
        self.head.len() + self.result.as_ref().map_or(0, |(_, span)| span.len() + END.len())
    }
}

/// What follows a result.
const END: &[u8] = b"}";

enum HostWrite {
    Frame(Frame),
    /// Everything before it has been written when it is answered.
    Mark(oneshot::Sender<()>),
}

/// The host, as the bridge speaks to it.
#[derive(Debug)]
pub struct HostChannel {
    outbox: mpsc::UnboundedSender<HostWrite>,
    queued: Arc<AtomicUsize>,
    questions: Mutex<Questions>,
}

#[derive(Debug, Default)]
struct Questions {
    last: i64,
    waiting: HashMap<i64, oneshot::Sender<HostAnswer>>,
}

/// What a host's stream is written with.
#[derive(Debug)]
pub struct Writer {
    inbox: mpsc::UnboundedReceiver<HostWrite>,
    queued: Arc<AtomicUsize>,
}

impl HostChannel {
    /// A host, and the writer that must run for it.
    pub fn new() -> (Self, Writer) {
        let (outbox, inbox) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let host = Self { outbox, queued: queued.clone(), questions: Mutex::default() };
        (host, Writer { inbox, queued })
    }

    /// Sends an answer.
    pub fn respond(&self, id: &RequestId, outcome: Result<&RawValue, &RpcError>) {
        self.send(encode_response(id, outcome));
    }

    /// Passes a result of the server on, which is not looked into. `added` (members without the braces) goes in front
    /// of its own; it is left out where the result is not an object.
    pub fn pass(&self, id: &RequestId, result: Payload, added: &str) {
        let mut head = begin_result(id);
        let is_object = !added.is_empty() && result.get().starts_with('{');
        if is_object {
            let is_empty = result.get()[1..].trim_start().starts_with('}');
            head.push(b'{');
            head.extend_from_slice(added.as_bytes());
            head.extend_from_slice(if is_empty { b"" } else { b"," });
        }
        let (buffer, mut span) = result.into_buffer();
        span.start += usize::from(is_object);
        self.enqueue(Frame { head, result: Some((buffer, span)) });
    }

    /// Sends a frame that is encoded already.
    pub(crate) fn send(&self, frame: Vec<u8>) {
        self.enqueue(Frame { head: frame, result: None });
    }

    fn enqueue(&self, frame: Frame) {
        self.queued.fetch_add(frame.len(), Ordering::Relaxed);
        // Fails only where the host is gone, and then it is not wanted.
        drop(self.outbox.send(HostWrite::Frame(frame)));
    }

    /// Whether the host lags far behind in reading.
    pub fn is_behind(&self) -> bool {
        self.queued.load(Ordering::Relaxed) > MAX_QUEUED_BYTES
    }

    /// Sends a notification, unless the host lags far behind.
    pub fn notify(&self, method: &str, params: Option<&RawValue>) {
        if self.is_behind() {
            let method = mcp_transport::message::methods::sent_by_servers(method);
            tracing::warn!(method, "the host does not read; a notification is left out");
            return;
        }
        self.send(encode_notification(method, params));
    }

    /// Returns when everything so far has been written, or the host is gone.
    pub async fn flush(&self) {
        let (mark, written) = oneshot::channel();
        if self.outbox.send(HostWrite::Mark(mark)).is_ok() {
            let _ = written.await;
        }
    }

    /// Asks the host. Dropping the future tells it that the answer is not waited for any more.
    pub async fn ask(&self, method: &str, params: Option<&RawValue>) -> HostAnswer {
        let (sender, answer) = oneshot::channel();
        let id = {
            let mut questions = self.questions();
            questions.last += 1;
            let id = questions.last;
            questions.waiting.insert(id, sender);
            id
        };
        let asked = PendingQuestion { host: self, id };
        self.send(encode_request(&RequestId::Number(id), method, params));
        let answer = answer.await.unwrap_or_else(|_| Err(RpcError::new(INTERNAL_ERROR, "the host is gone")));
        drop(asked);
        answer
    }

    /// Takes in the host's answer to a question.
    pub fn answered(&self, id: Option<&RequestId>, answer: HostAnswer) {
        let waiting = id.and_then(RequestId::as_assigned).and_then(|id| self.questions().waiting.remove(&id));
        match waiting {
            // The caller may be gone by now.
            Some(waiting) => drop(waiting.send(answer)),
            None => tracing::debug!(?id, "the host answered no request"),
        }
    }

    fn questions(&self) -> MutexGuard<'_, Questions> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question under way.
struct PendingQuestion<'a> {
    host: &'a HostChannel,
    id: i64,
}

impl Drop for PendingQuestion<'_> {
    fn drop(&mut self) {
        if self.host.questions().waiting.remove(&self.id).is_some() {
            let params = format!(r#"{{"requestId":{},"reason":"the server gave the request up"}}"#, self.id);
            let params = RawValue::from_string(params).unwrap_or_default();
            self.host.send(encode_notification(methods::CANCELLED, Some(&params)));
        }
    }
}

impl Writer {
    /// Writes until the host is gone; returns then.
    pub async fn run(mut self, mut stream: impl AsyncWrite + Unpin) {
        let mut batch = Batch::default();
        while let Some(mut next) = self.inbox.recv().await {
            let mut marks = Vec::new();
            // What is waiting goes out in one write: a burst of notifications costs one system call.
            loop {
                match next {
                    HostWrite::Mark(mark) => marks.push(mark),
                    HostWrite::Frame(frame) => {
                        self.queued.fetch_sub(frame.len(), Ordering::Relaxed);
                        batch.add(frame);
                    }
                }
                if batch.is_full() {
                    break;
                }
                match self.inbox.try_recv() {
                    Ok(more) => next = more,
                    Err(_) => break,
                }
            }
            if let Err(error) = batch.write(&mut stream).await {
                tracing::debug!(%error, "the host is gone");
                return;
            }
            for mark in marks {
                // The caller that waited may be gone by now.
                let _ = mark.send(());
            }
        }
    }
}

/// What goes out next: short messages in one piece, and then at most one long result as it arrived.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    long: Option<(Vec<u8>, Range<usize>)>,
}

impl Batch {
    fn add(&mut self, Frame { head, result }: Frame) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(&head);
        match result {
            Some((mut buffer, span)) if span.len() > MAX_BATCH_BYTES => {
                put_on_one_line(&mut buffer[span.clone()]);
                self.long = Some((buffer, span));
            }
            Some((buffer, span)) => {
                self.bytes.extend_from_slice(&buffer[span]);
                self.bytes.extend_from_slice(END);
            }
            None => {}
        }
        put_on_one_line(&mut self.bytes[begin..]);
        if self.long.is_none() {
            self.bytes.push(b'\n');
        }
    }

    fn is_full(&self) -> bool {
        self.long.is_some() || self.bytes.len() >= MAX_BATCH_BYTES
    }

    /// Writes what there is, and is empty then.
    async fn write(&mut self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        match self.long.take() {
            None => stream.write_all(&self.bytes).await?,
            Some((buffer, span)) => {
                write_together(stream, [&self.bytes, &buffer[span], &[END, b"\n"].concat()]).await?;
            }
        }
        self.bytes.clear();
        stream.flush().await?;
        // A burst does not keep its memory.
        self.bytes.shrink_to(2 * MAX_BATCH_BYTES);
        Ok(())
    }
}

/// Writes all of it, and as much at once as the stream takes: who reads is not woken for a head or an end alone.
async fn write_together(stream: &mut (impl AsyncWrite + Unpin), parts: [&[u8]; 3]) -> io::Result<()> {
    let mut slices = parts.map(IoSlice::new);
    let mut left = &mut slices[..];
    // What is empty is not written.
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match stream.write_vectored(left).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut left, written),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncBufReadExt, BufReader};

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    async fn lines(stream: impl tokio::io::AsyncRead + Unpin, count: usize) -> Vec<String> {
        let mut lines = BufReader::new(stream).lines();
        let mut seen = Vec::new();
        while seen.len() < count {
            seen.push(lines.next_line().await.unwrap().unwrap());
        }
        seen
    }

    #[tokio::test]
    async fn each_message_is_one_line_and_payloads_stay_as_they_are() {
        let (host, writer) = HostChannel::new();
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(writer.run(ours));
        host.respond(&RequestId::String("a".into()), Ok(&raw("{\n \"n\": 1.0 }")));
        host.notify("x", None);
        host.flush().await;
        assert_eq!(
            lines(theirs, 2).await,
            [r#"{"jsonrpc":"2.0","id":"a","result":{  "n": 1.0 }}"#, r#"{"jsonrpc":"2.0","method":"x"}"#,]
        );
    }

    /// What the host reads of these results, passed on in one burst.
    async fn passed(results: &[(&str, &str)]) -> Vec<String> {
        let (host, writer) = HostChannel::new();
        for (result, added) in results {
            host.pass(&RequestId::Number(1), raw(result).into(), added);
        }
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(writer.run(ours));
        let lines = lines(theirs, results.len()).await;
        let result = |line: String| {
            let line = line.strip_prefix(r#"{"jsonrpc":"2.0","id":1,"result":"#)?.strip_suffix('}')?;
            Some(line.to_owned())
        };
        lines.into_iter().map(|line| result(line).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_result_is_prefixed_and_otherwise_untouched() {
        let added = r#""t":1"#;
        assert_eq!(
            passed(&[(r#"{ "n":1.0 }"#, added), ("{ }", added), ("[1]", added), ("{}", "")]).await,
            [r#"{"t":1, "n":1.0 }"#, r#"{"t":1 }"#, "[1]", "{}"]
        );
    }

    #[tokio::test]
    async fn a_long_result_arrives_whole_between_its_neighbours() {
        let long = format!("{{\n\"text\":\"{}\"\r\n}}", "x".repeat(3 * MAX_BATCH_BYTES));
        let expected = long.replace(['\n', '\r'], " ");
        let seen = passed(&[("1", ""), (&long, ""), (&long, r#""t":1"#), ("2", "")]).await;
        assert_eq!(
            seen,
            ["1".to_owned(), expected.clone(), expected.replacen('{', "{\"t\":1,", 1), "2".to_owned()]
        );
    }

    #[tokio::test]
    async fn an_answer_finds_its_question_and_a_question_given_up_is_cancelled() {
        let (host, writer) = HostChannel::new();
        let host = Arc::new(host);
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(writer.run(ours));
        let asking = tokio::spawn({
            let host = host.clone();
            async move { host.ask("roots/list", None).await }
        });
        let mut theirs = BufReader::new(theirs).lines();
        let asked = theirs.next_line().await.unwrap().unwrap();
        assert_eq!(asked, r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#);
        host.answered(Some(&RequestId::Number(1)), Ok(raw("[]")));
        assert_eq!(asking.await.unwrap().unwrap().get(), "[]");

        let asking = tokio::spawn({
            let host = host.clone();
            async move { host.ask("ping", None).await }
        });
        theirs.next_line().await.unwrap().unwrap();
        asking.abort();
        let cancelled = theirs.next_line().await.unwrap().unwrap();
        assert!(cancelled.contains("notifications/cancelled") && cancelled.contains("\"requestId\":2"));
    }

    #[tokio::test]
    async fn a_host_that_does_not_read_misses_notifications_and_no_answer() {
        let (host, mut writer) = HostChannel::new();
        host.send(vec![b'x'; MAX_QUEUED_BYTES + 1]);
        host.notify("left/out", None);
        host.respond(&RequestId::Number(1), Ok(&raw("1")));
        let mut seen = Vec::new();
        while let Ok(HostWrite::Frame(frame)) = writer.inbox.try_recv() {
            seen.push(frame.len());
        }
        assert_eq!(seen.len(), 2);
    }
}
