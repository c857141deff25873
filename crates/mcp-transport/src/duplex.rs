//! Many requests over one inbound stream: answers find their request, whatever their order, and everything
//! else goes to the connection's [`Inbound`].
//!
//! Stdio and legacy HTTP+SSE share it; they differ in how bytes arrive and leave. The promise to a caller that waits
//! is that the wait ends: with the answer, or, as soon as the stream does, with the reason why it ended.
//!
//! Longer than 500 lines because its tests, half of the file, know what waits inside.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_status::{Limit, LimitSubject};
use serde_json::value::RawValue;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tracing::debug;

use crate::debts::{Admission, Debt, FloodError};
use crate::error::{TimeoutStage, TransportError, TransportErrorKind};
use crate::inbound::Inbound;
use crate::lease::Lease;
use crate::limits::{Allowance, Budget, Meter, Purpose};
use crate::message::Payload;
use crate::message::envelope::{
    self, EnvelopeError, INTERNAL_ERROR, Incoming, Messages, RequestId, RpcError,
};
use crate::protocol::handshake;

/// What became of a request.
pub(crate) type Outcome = Result<Payload, TransportError>;

/// Sends a response. Called from any task; must not block. The debt ends when it is written.
pub(crate) type Reply = Arc<dyn Fn(Vec<u8>, Debt) + Send + Sync>;

/// Why a stream ended. Each waiter gets an error of its own from it.
#[derive(Clone, Debug)]
pub(crate) struct CloseReason {
    kind: TransportErrorKind,
    message: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
    /// What decided it, where nothing below did.
    said: Option<String>,
}

impl CloseReason {
    pub(crate) fn new(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None, said: None }
    }

    /// The server cost more than it may.
    pub(crate) fn too_large(error: &TransportError) -> Self {
        let said = error.said().map(str::to_owned);
        Self { said, ..Self::new(TransportErrorKind::TooLarge, error.to_string()) }
    }

    /// The server asks, and does not take the answers.
    pub(crate) fn flooded(flooded: FloodError) -> Self {
        let said = Some(flooded.to_string());
        Self { said, ..Self::new(TransportErrorKind::Protocol, flooded.to_string()) }
    }

    /// The process lives and does nothing.
    #[cfg(feature = "stdio")]
    pub(crate) fn stopped(pid: u32) -> Self {
        let said =
            Some(format!("process {pid} of the command is stopped, and answers nothing until it goes on"));
        let kind = TransportErrorKind::Timeout { stage: TimeoutStage::Idle };
        Self { said, ..Self::new(kind, "the command does not answer") }
    }

    /// The connection's owner closed it.
    pub(crate) fn by_owner() -> Self {
        Self::new(TransportErrorKind::Closed, "the connection is closed")
    }

    /// The connection's owner closed it while a request was under way.
    fn under_way() -> Self {
        Self::new(TransportErrorKind::Cancelled, "the connection was closed")
    }

    #[must_use]
    pub(crate) fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    pub(crate) fn to_error(&self) -> TransportError {
        let error = TransportError::new(self.kind.clone(), self.message.clone());
        match &self.source {
            Some(source) => error.with_source(source.clone()),
            None => error.with_said(self.said.clone()),
        }
    }
}

/// One stream's requests in flight. Clones share them.
#[derive(Clone)]
pub(crate) struct Duplex(Arc<DuplexState>);

struct DuplexState {
    inbound: Arc<dyn Inbound>,
    reply: Reply,
    budget: Budget,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pending: HashMap<i64, PendingRequest>,
    /// Answers to the server that are being worked on; dropped with the stream.
    answering: JoinSet<()>,
    ended: Option<CloseReason>,
}

/// A request that waits for its answer.
struct PendingRequest {
    sender: oneshot::Sender<Outcome>,
    allowance: Allowance,
}

impl PendingRequest {
    /// The waiter may be gone by now; then the answer is dropped.
    fn resolve(self, outcome: Outcome) {
        let outcome = match outcome {
            // Another request that was under way allowed for a longer one.
            Ok(result) if result.get().len() > self.allowance.left => Err(self.allowance.exceeded()),
            outcome => outcome,
        };
        drop(self.sender.send(outcome));
    }
}

impl Duplex {
    /// A stream without requests; `reply` sends the answers to the server's own.
    pub(crate) fn new(inbound: Arc<dyn Inbound>, budget: &Budget, reply: Reply) -> Self {
        Self(Arc::new(DuplexState { inbound, reply, budget: budget.clone(), state: Mutex::default() }))
    }

    /// Announces a request. Must precede sending it, or its answer could come too early.
    ///
    /// # Errors
    /// The stream has ended.
    pub(crate) fn register(&self, id: i64, allowance: Allowance) -> Result<Waiter, TransportError> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.0.state();
        if let Some(reason) = &state.ended {
            return Err(reason.to_error());
        }
        let previous = state.pending.insert(id, PendingRequest { sender, allowance });
        debug_assert!(previous.is_none(), "request ids are used once");
        Ok(Waiter { shared: self.0.clone(), id, receiver })
    }

    /// Takes in one frame: one message, or a batch. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// The frame is not a message. If it claims to answer a request, that request has failed already.
    #[cfg(any(feature = "stdio", test))]
    pub(crate) fn deliver(&self, frame: Vec<u8>, lease: Option<Arc<Lease>>) -> Result<(), EnvelopeError> {
        self.take_in(envelope::parse(frame), lease)
    }

    /// The same for a frame that is known to be text.
    ///
    /// # Errors
    /// As [`deliver`](Self::deliver).
    #[cfg(any(feature = "http", feature = "stdio", test))]
    pub(crate) fn deliver_text(&self, frame: String, lease: Option<Arc<Lease>>) -> Result<(), EnvelopeError> {
        self.take_in(envelope::parse_text(frame), lease)
    }

    /// Takes in what may be the answer to a request in flight, and says whether it was one. Anything else is not acted on.
    #[cfg(feature = "stdio")]
    pub(crate) fn deliver_answer(&self, text: &str) -> bool {
        let messages = envelope::parse_text(text.to_owned());
        let Ok(Messages::One(Some(message @ Incoming::Response { .. }))) = messages else { return false };
        let Incoming::Response { id: Some(id), .. } = &message else { return false };
        let is_waited_for = id.as_assigned().is_some_and(|id| self.0.state().pending.contains_key(&id));
        if is_waited_for {
            self.dispatch(message, &None);
        }
        is_waited_for
    }

    /// Whether a request is in flight.
    #[cfg(feature = "stdio")]
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.0.state().pending.is_empty()
    }

    /// The answer to the request `id`, or to the only one in flight, came and is none.
    #[cfg(feature = "stdio")]
    pub(crate) fn fail_answer(&self, id: Option<i64>, said: &str) {
        let waiter = match id {
            Some(id) => self.0.state().pending.remove(&id),
            None => self.0.only_waiter(),
        };
        let Some(waiter) = waiter else { return };
        let message = "the answer is not a JSON-RPC response";
        waiter.resolve(Err(
            TransportError::new(TransportErrorKind::Protocol, message).with_said(Some(said.to_owned()))
        ));
    }

    /// What the message that is arriving may cost: as much as the answer that may be the longest.
    fn allowance(&self) -> Allowance {
        let own = self.0.budget.limits.allowance_for(Purpose::Message);
        let state = self.0.state();
        let answers = state.pending.values().map(|pending| pending.allowance);
        answers.max_by_key(|answer| answer.left).filter(|answer| answer.left > own.left).unwrap_or(own)
    }

    /// Returns when more may be read from the server.
    ///
    /// # Errors
    /// It floods.
    pub(crate) async fn room(&self) -> Result<(), CloseReason> {
        self.0.budget.debts.room().await.map_err(CloseReason::flooded)
    }

    fn take_in(
        &self,
        messages: Result<Messages, EnvelopeError>,
        lease: Option<Arc<Lease>>,
    ) -> Result<(), EnvelopeError> {
        for message in messages.inspect_err(|error| self.fail_claimed(error))? {
            match message {
                Ok(message) => self.dispatch(message, &lease),
                Err(error) => self.fail_claimed(&error),
            }
        }
        Ok(())
    }

    /// Ends the stream; the first reason stays. Every waiter fails with it now, later ones at once.
    pub(crate) fn end(&self, reason: CloseReason) {
        let by_itself = reason.kind != TransportErrorKind::Closed;
        let (pending, mut answering) = {
            let mut state = self.0.state();
            if state.ended.is_some() {
                return;
            }
            state.ended = Some(reason.clone());
            (std::mem::take(&mut state.pending), std::mem::take(&mut state.answering))
        };
        answering.abort_all();
        // What was under way may have been acted on, which `Closed` would deny.
        let under_way = if by_itself { reason } else { CloseReason::under_way() };
        for waiter in pending.into_values() {
            waiter.resolve(Err(under_way.to_error()));
        }
        if by_itself {
            self.0.inbound.closed();
        }
    }

    /// Why the stream ended, if it has.
    pub(crate) fn ended(&self) -> Option<CloseReason> {
        self.0.state().ended.clone()
    }

    fn dispatch(&self, message: Incoming, lease: &Option<Arc<Lease>>) {
        match message {
            Incoming::Notification { method, params } => self.0.inbound.notification(&method, params),
            Incoming::Request { id, method, params } => match self.echo_of(&id, &method) {
                // Answered, it would send that back as well, as the answer to our request.
                Some(request) => request.resolve(Err(handshake::echoed())),
                None => self.answer(id, method, params),
            },
            Incoming::Response { id, outcome } => {
                let outcome =
                    outcome.map(|result| result.with_lease(lease.clone())).map_err(TransportError::rpc);
                let waiter = match &id {
                    Some(id) => id.as_assigned().and_then(|id| self.0.state().pending.remove(&id)),
                    None => self.0.only_waiter(),
                };
                match waiter {
                    Some(waiter) => waiter.resolve(outcome),
                    None => debug!(?id, "an answer to no request in flight"),
                }
            }
        }
    }

    /// The request of ours that this is, sent back.
    fn echo_of(&self, id: &RequestId, method: &str) -> Option<PendingRequest> {
        let id = id.as_assigned().filter(|_| handshake::is_echo(method))?;
        self.0.state().pending.remove(&id)
    }

    /// Lets the connection answer a request of the server, on a task of its own.
    fn answer(&self, id: RequestId, method: String, params: Option<Box<RawValue>>) {
        let (inbound, reply) = (self.0.inbound.clone(), self.0.reply.clone());
        let mut state = self.0.state();
        while state.answering.try_join_next().is_some() {}
        if state.ended.is_some() {
            return;
        }
        let mut debt = match self.0.budget.debts.ask(&id, &method, params.as_deref()) {
            Admission::Admitted(debt) => debt,
            Admission::Refused(debt) => {
                drop(state);
                return reply(envelope::encode_response(&id, Err(&too_many_requests())), debt);
            }
            Admission::Dropped => return,
        };
        state.answering.spawn(async move {
            let outcome = inbound.request(&method, params).await;
            debt.answered();
            reply(envelope::encode_response(&id, outcome.as_deref()), debt);
        });
    }

    /// A broken message that claims to answer a request: its waiter would wait in vain.
    fn fail_claimed(&self, error: &EnvelopeError) {
        let Some(id) = error.id().and_then(RequestId::as_assigned) else { return };
        if let Some(waiter) = self.0.state().pending.remove(&id) {
            let protocol =
                TransportError::new(TransportErrorKind::Protocol, "the answer is not a JSON-RPC response");
            waiter.resolve(Err(protocol.with_source(error.clone())));
        }
    }
}

impl fmt::Debug for Duplex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state();
        f.debug_struct("Duplex")
            .field("pending", &state.pending.len())
            .field("ended", &state.ended)
            .finish_non_exhaustive()
    }
}

impl DuplexState {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error without an id says that something we sent could not be read (JSON-RPC 2.0 section 5). With one
    /// request in flight there is no doubt which; with more, to guess would fail the wrong one.
    fn only_waiter(&self) -> Option<PendingRequest> {
        let mut state = self.state();
        if state.pending.len() != 1 {
            return None;
        }
        let id = *state.pending.keys().next()?;
        state.pending.remove(&id)
    }
}

/// What a request of the server beyond those that are open is answered with.
pub(crate) fn too_many_requests() -> RpcError {
    RpcError::new(INTERNAL_ERROR, "too many requests at a time")
}

/// Measures the messages of one stream while they arrive.
pub(crate) struct Gauge {
    duplex: Duplex,
    meter: Meter,
    /// Up to here, nothing has to be asked.
    small: usize,
}

impl Gauge {
    pub(crate) fn new(duplex: &Duplex) -> Self {
        let budget = &duplex.0.budget;
        let meter = budget.meter(budget.limits.allowance_for(Purpose::Message));
        Self { duplex: duplex.clone(), meter, small: budget.limits.small() }
    }

    /// Admits that `bytes` of one message have arrived.
    ///
    /// # Errors
    /// More than any message under way may have.
    pub(crate) fn admit(&mut self, bytes: usize) -> Result<(), CloseReason> {
        if bytes <= self.small {
            return Ok(());
        }
        let allowance = self.duplex.allowance();
        self.meter.measure(allowance, bytes).map_err(|error| CloseReason::too_large(&error))
    }

    /// The message is complete: what it takes of what is shared goes with it.
    pub(crate) fn take(&mut self) -> Option<Arc<Lease>> {
        self.meter.take_lease()
    }
}

/// One request in flight. Dropping it forgets the request: a late answer is ignored.
pub(crate) struct Waiter {
    shared: Arc<DuplexState>,
    id: i64,
    receiver: oneshot::Receiver<Outcome>,
}

/// How long an answer may let its request wait.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patience<'a> {
    /// The limit between two signs of life; `None` waits without a limit.
    pub(crate) idle: Option<Duration>,
    /// Notified by each sign of life, such as a report of progress.
    pub(crate) life: Option<&'a Notify>,
}

impl Waiter {
    /// The answer, or why there is none.
    ///
    /// # Errors
    /// [`Rpc`](TransportErrorKind::Rpc) for a JSON-RPC error, [`Timeout`](TransportErrorKind::Timeout) where
    /// the patience ran out, otherwise the reason why the stream ended.
    pub(crate) async fn outcome(mut self, patience: Patience<'_>) -> Outcome {
        loop {
            let silence = async {
                match patience.idle {
                    Some(idle) => tokio::time::sleep(idle).await,
                    None => std::future::pending().await,
                }
            };
            let life = async {
                match patience.life {
                    Some(life) => life.notified().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                outcome = &mut self.receiver => {
                    // Without a value only if the sender was dropped unused, which nothing above does.
                    return outcome.unwrap_or_else(|_| Err(CloseReason::by_owner().to_error()));
                }
                () = life => {}
                () = silence => {
                    let kind = TransportErrorKind::Timeout { stage: TimeoutStage::Idle };
                    let mut error = TransportError::new(kind, "the server stopped answering");
                    if let Some(idle) = patience.idle {
                        error = error.at_limit(Limit::new(idle, LimitSubject::Silence));
                    }
                    return Err(error);
                }
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.shared.state().pending.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbound::tests::RecordingInbound;

    const ANY: Allowance = Allowance { purpose: Purpose::Result, limit: 1 << 20, left: 1 << 20 };
    const MAX_SERVER_REQUESTS: usize = 64;

    struct Bench {
        duplex: Duplex,
        recorder: Arc<RecordingInbound>,
        sent: Arc<Mutex<Vec<String>>>,
    }

    fn bench() -> Bench {
        let recorder = Arc::new(RecordingInbound::default());
        let sent = Arc::new(Mutex::new(Vec::new()));
        let reply: Reply = Arc::new({
            let sent = sent.clone();
            move |bytes, _debt| sent.lock().unwrap().push(String::from_utf8(bytes).unwrap())
        });
        Bench { duplex: Duplex::new(recorder.clone(), &Budget::default(), reply), recorder, sent }
    }

    impl Bench {
        fn deliver(&self, frame: &str) {
            self.duplex.deliver(frame.into(), None).unwrap();
        }

        fn pending(&self) -> usize {
            self.duplex.0.state().pending.len()
        }

        async fn sent(&self, count: usize) -> Vec<String> {
            for _ in 0..10_000 {
                let sent = self.sent.lock().unwrap().clone();
                if sent.len() >= count {
                    return sent;
                }
                tokio::task::yield_now().await;
            }
            panic!("the answers never came");
        }
    }

    fn text(outcome: Outcome) -> String {
        match outcome {
            Ok(result) => result.get().to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        }
    }

    /// How a wait ended. Time is paused, so one that would not end fails at once.
    async fn ended(waiter: Waiter) -> String {
        let outcome = waiter.outcome(Patience::default());
        text(tokio::time::timeout(Duration::from_secs(1), outcome).await.expect("the wait ends"))
    }

    #[tokio::test(start_paused = true)]
    async fn answers_find_their_request_in_any_order() {
        let bench = bench();
        let waiters: Vec<_> = (1..=4).map(|id| bench.duplex.register(id, ANY).unwrap()).collect();
        bench.deliver(r#"{"jsonrpc":"2.0","id":3,"result":"c"}"#);
        bench.deliver(r#"{"jsonrpc":"2.0","id":"1","result":"a"}"#);
        bench.deliver(r#"[{"jsonrpc":"2.0","id":4,"error":{"code":-5,"message":"m"}},{"jsonrpc":"2.0","id":2,"result":"b"}]"#);
        let mut outcomes = Vec::new();
        for waiter in waiters {
            outcomes.push(ended(waiter).await);
        }
        assert_eq!(outcomes, ["\"a\"", "\"b\"", "\"c\"", "Rpc { code: -5 }"]);
        assert_eq!(bench.pending(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_nothing_is_ignored() {
        let bench = bench();
        let waiter = bench.duplex.register(1, ANY).unwrap();
        for frame in [
            r#"{"jsonrpc":"2.0","id":2,"result":0}"#,
            r#"{"jsonrpc":"2.0","id":"x","result":0}"#,
            r#"{"jsonrpc":"2.0","id":"01","result":0}"#,
        ] {
            bench.deliver(frame);
        }
        assert_eq!(bench.pending(), 1);
        drop(waiter);
        assert_eq!(bench.pending(), 0, "giving up forgets the request");
        bench.deliver(r#"{"jsonrpc":"2.0","id":1,"result":0}"#);
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_answer_fails_its_request_and_no_other() {
        let bench = bench();
        let (one, two) = (bench.duplex.register(1, ANY).unwrap(), bench.duplex.register(2, ANY).unwrap());
        assert!(bench.duplex.deliver(br#"{"level":"info","id":2}"#.to_vec(), None).is_err());
        assert!(bench.duplex.deliver(br#"{"jsonrpc":"2.0","id":1,"error":"bad"}"#.to_vec(), None).is_err());
        assert_eq!(ended(one).await, "Protocol");
        bench.deliver(r#"[{"jsonrpc":"2.0","id":2,"result":1,"error":{}},{"jsonrpc":"2.0","method":"n"}]"#);
        assert_eq!(ended(two).await, "Protocol");
    }

    /// A local server may print anything, and its log has numbers as well.
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_forgets_its_version_is_taken_and_a_line_of_a_log_is_not() {
        let bench = bench();
        let (one, two) = (bench.duplex.register(1, ANY).unwrap(), bench.duplex.register(2, ANY).unwrap());
        for line in [
            r#"{"level":"info","id":1,"result":{"rows":3}}"#,
            r#"{"id":1,"result":"ok"}"#,
            r#"{"id":1,"error":"not yet"}"#,
            r#"{"id":1,"method":"GET","result":{}}"#,
            r#"{"result":{},"time":1}"#,
        ] {
            assert!(bench.duplex.deliver(line.into(), None).is_err(), "{line}");
        }
        bench.deliver(r#"{"id":7,"result":{}}"#);
        assert_eq!(bench.pending(), 2, "nothing of that answers a request");
        bench.deliver(r#"{"id":1,"result":{"a":1}}"#);
        bench.deliver(r#"[{"id":2,"error":{"code":-5,"message":"m"}}]"#);
        assert_eq!((ended(one).await, ended(two).await), ("{\"a\":1}".into(), "Rpc { code: -5 }".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_without_an_id_is_for_the_only_request() {
        let frame = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}}"#;
        let bench = bench();
        let (one, two) = (bench.duplex.register(1, ANY).unwrap(), bench.duplex.register(2, ANY).unwrap());
        bench.deliver(frame);
        assert_eq!(bench.pending(), 2, "whose it is cannot be known");
        drop(two);
        bench.deliver(frame);
        assert_eq!(ended(one).await, "Rpc { code: -32700 }");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_server_starts_goes_to_the_connection() {
        let bench = bench();
        bench.deliver(r#"{"jsonrpc":"2.0","method":"notifications/message"}"#);
        assert_eq!(*bench.recorder.seen(), ["notifications/message"]);
        bench.deliver(r#"{"jsonrpc":"2.0","id":"s1","method":"echo","params":{"n":1.0}}"#);
        bench.deliver(r#"{"jsonrpc":"2.0","id":7,"method":"other"}"#);
        let mut sent = bench.sent(2).await;
        sent.sort();
        assert_eq!(
            sent,
            [
                r#"{"jsonrpc":"2.0","id":"s1","result":{"n":1.0}}"#,
                r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no"}}"#,
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_delays_nothing_and_a_flood_is_refused() {
        let bench = bench();
        for id in 0..MAX_SERVER_REQUESTS {
            bench.deliver(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"hang"}}"#));
        }
        bench.deliver(r#"{"jsonrpc":"2.0","id":"over","method":"hang"}"#);
        let sent = bench.sent(1).await;
        assert!(sent[0].contains(r#""id":"over","error":{"code":-32603"#), "{sent:?}");
        let waiter = bench.duplex.register(1, ANY).unwrap();
        bench.deliver(r#"{"jsonrpc":"2.0","id":1,"result":"still here"}"#);
        assert_eq!(ended(waiter).await, "\"still here\"");
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_are_answered_make_room() {
        let bench = bench();
        for id in 0..3 * MAX_SERVER_REQUESTS {
            bench.deliver(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"echo","params":{{}}}}"#));
            bench.sent(id + 1).await;
            tokio::task::yield_now().await;
        }
        assert!(bench.sent.lock().unwrap().iter().all(|frame| frame.contains("result")));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_fails_everyone_with_its_reason() {
        let bench = bench();
        let waiters: Vec<_> = (1..=3).map(|id| bench.duplex.register(id, ANY).unwrap()).collect();
        bench
            .duplex
            .end(CloseReason::new(TransportErrorKind::Exited { code: Some(3), signal: None }, "gone"));
        bench.duplex.end(CloseReason::by_owner());
        for waiter in waiters {
            assert_eq!(ended(waiter).await, "Exited { code: Some(3), signal: None }");
        }
        let late = bench.duplex.register(9, ANY).err().expect("it has ended");
        assert_eq!(*late.kind(), TransportErrorKind::Exited { code: Some(3), signal: None });
        assert_eq!(*bench.recorder.seen(), ["closed"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_by_the_owner_is_not_reported_as_a_loss() {
        let bench = bench();
        bench.deliver(r#"{"jsonrpc":"2.0","id":1,"method":"hang"}"#);
        let waiter = bench.duplex.register(1, ANY).unwrap();
        bench.duplex.end(CloseReason::by_owner());
        assert_eq!(ended(waiter).await, "Cancelled", "it may have been acted on");
        assert_eq!(*bench.duplex.register(2, ANY).err().unwrap().kind(), TransportErrorKind::Closed);
        assert!(bench.recorder.seen().is_empty());
        bench.deliver(r#"{"jsonrpc":"2.0","id":2,"method":"echo","params":{}}"#);
        tokio::task::yield_now().await;
        assert!(bench.sent.lock().unwrap().is_empty(), "no listener is left");
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_with_silence_and_not_before() {
        let bench = bench();
        let idle = Some(Duration::from_secs(300));
        let silent = bench.duplex.register(1, ANY).unwrap();
        assert_eq!(text(silent.outcome(Patience { idle, life: None }).await), "Timeout { stage: Idle }");
        assert_eq!(bench.pending(), 0);

        // Four reports of progress, each in time, then the answer: 1,000 s in all.
        let (life, waiter) = (Notify::new(), bench.duplex.register(2, ANY).unwrap());
        let server = async {
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_secs(250)).await;
                life.notify_one();
            }
            bench.deliver(r#"{"jsonrpc":"2.0","id":2,"result":"done"}"#);
        };
        let (outcome, ()) = tokio::join!(waiter.outcome(Patience { idle, life: Some(&life) }), server);
        assert_eq!(text(outcome), "\"done\"");
    }
}
