//! A legacy server asks its client in the middle of a call; a modern host is asked by a result, and answers in a
//! repeated request (2026-07-28, multi round-trip requests). In between the call is parked here.
//!
//! ```text
//! host ── tools/call 1 ─────────► bridge ── tools/call ──► server
//!                                        ◄── elicitation/create
//!      ◄─ result: input_required ─       (the call goes on, parked under `requestState`)
//! host ── tools/call 2, answers ► bridge ── answer ───────►
//!      ◄─ result ──────────────── ◄────────── result
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use mcp_transport::Payload;
use mcp_transport::handler::ClientCapabilities;
use mcp_transport::message::{INVALID_PARAMS, METHOD_NOT_FOUND, Members, Object, RpcError};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use crate::host::HostAnswer;
use crate::splice::{raw, string, text, with_members};

/// How long a person may take to answer before the call is given up.
const PARKED_FOR: Duration = Duration::from_secs(600);
/// Calls that wait for answers at a time; the oldest is given up for another one.
const MAX_PARKED: usize = 64;

/// What the states of parked calls begin with.
const STATE_PREFIX: &str = "bridge-";

/// What became of a call to the server.
pub(crate) type CallOutcome = Result<Payload, RpcError>;

/// The calls that a question of the server can travel with, and those that wait for an answer.
#[derive(Debug)]
pub(crate) struct Exchanges {
    /// Tells the states of this process from those of another one.
    nonce: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    carriers: Vec<Carrier>,
    parked: BTreeMap<u64, Exchange>,
    /// For each token of progress that the server was given, the one that the host listens for by now: each request
    /// that continues a call has its own. `None` while the host is asked, or where it does not want to know.
    tokens: BTreeMap<String, Option<String>>,
}

/// A call under way that the host will get a result of.
#[derive(Debug)]
struct Carrier {
    id: u64,
    capabilities: ClientCapabilities,
    questions: mpsc::UnboundedSender<Question>,
}

/// What the server asks.
#[derive(Debug)]
struct Question {
    method: String,
    params: Option<Box<RawValue>>,
    answer: oneshot::Sender<HostAnswer>,
}

/// A call to the server, on a task of its own: it goes on while the host is asked.
#[derive(Debug)]
pub(crate) struct Exchange {
    id: u64,
    exchanges: Weak<Exchanges>,
    /// The token of progress that the server was given.
    token: Option<String>,
    call: AbortOnDropHandle<CallOutcome>,
    questions: mpsc::UnboundedReceiver<Question>,
    /// Asked and not answered, by the name that the host knows it by.
    asked: BTreeMap<String, Question>,
    last: u64,
}

/// What comes next of a call.
#[derive(Debug)]
pub(crate) enum Step {
    /// It is done.
    Done(CallOutcome),
    /// The host is asked something; this is the result that asks it.
    Asked(Box<RawValue>),
}

impl Exchanges {
    pub(crate) fn new() -> Arc<Self> {
        // A hasher with random keys is what the standard library has for a random number.
        Arc::new(Self { nonce: RandomState::new().hash_one(0), state: Mutex::default() })
    }

    /// Starts a call whose host has these capabilities, and listens for progress with this token.
    pub(crate) fn start(
        self: &Arc<Self>,
        capabilities: ClientCapabilities,
        token: Option<&RawValue>,
        call: impl Future<Output = CallOutcome> + Send + 'static,
    ) -> Exchange {
        let (sender, questions) = mpsc::unbounded_channel();
        let token = token.map(|token| token.get().to_owned());
        let id = {
            let mut state = self.state();
            state.last += 1;
            let id = state.last;
            state.carriers.push(Carrier { id, capabilities, questions: sender });
            state.tokens.extend(token.clone().map(|token| (token.clone(), Some(token))));
            id
        };
        let call = AbortOnDropHandle::new(tokio::spawn(call));
        let exchanges = Arc::downgrade(self);
        Exchange { id, exchanges, token, call, questions, asked: BTreeMap::new(), last: 0 }
    }

    /// Asks the host with one of the calls under way.
    ///
    /// Which call a question belongs to does not matter to its answer: whichever call carries it, the server
    /// gets it under its own id. The newest call is the likeliest.
    pub(crate) async fn ask(&self, method: &str, params: Option<Box<RawValue>>) -> HostAnswer {
        let (answer, answered) = oneshot::channel();
        let question = Question { method: method.to_owned(), params, answer };
        let carried = {
            let state = self.state();
            let able = state.carriers.iter().rev().find(|carrier| carrier.capabilities.allow(method));
            able.is_some_and(|carrier| carrier.questions.send(question).is_ok())
        };
        if !carried {
            let text = format!("no request of the client is under way that {method} could travel with");
            return Err(RpcError::new(METHOD_NOT_FOUND, text));
        }
        let gone = || Err(RpcError::new(METHOD_NOT_FOUND, "the client gave the request up"));
        answered.await.unwrap_or_else(|_| gone())
    }

    /// The call that a repeated request answers, with the answers in it; `None` where the request is no such.
    ///
    /// # Errors
    ///
    /// The call is no longer there.
    pub(crate) fn resume(&self, params: Option<&RawValue>) -> Option<Result<Exchange, RpcError>> {
        let params = params.filter(|params| params.get().contains("requestState"))?;
        let members = Members::read(params.get())?;
        // Whatever else is in there is a server's, which may be one that this process has not met yet.
        let state = text(members.get("requestState")?).filter(|state| state.starts_with(STATE_PREFIX))?;
        let id = state.strip_prefix(&self.prefix()).and_then(|id| id.parse().ok());
        let Some(mut exchange) = id.and_then(|id: u64| self.state().parked.remove(&id)) else {
            let error =
                RpcError::new(INVALID_PARAMS, "the request that this one continues is over; start it again");
            return Some(Err(error));
        };
        exchange.take_answers(members.get("inputResponses"));
        let meta = members.get("_meta").and_then(|meta| Members::read(meta.get())).unwrap_or_default();
        self.listen(&exchange, meta.get("progressToken"));
        Some(Ok(exchange))
    }

    /// The parameters of a report of progress in the terms of the host; `None` where it must not hear of it: progress
    /// is told of requests under way only (2026-07-28, progress).
    pub(crate) fn progress<'a>(&self, params: Option<&'a RawValue>) -> Option<Option<Cow<'a, RawValue>>> {
        let token = params.and_then(|params| Members::read(params.get())?.get("progressToken"));
        let state = self.state();
        match token.and_then(|token| Some((token, state.tokens.get(token.get())?))) {
            Some((_, None)) => None,
            Some((token, Some(wanted))) if token.get() != wanted => {
                let name = "progressToken";
                Some(Some(Cow::Owned(with_members(params, &[name], &[(name, wanted)]))))
            }
            _ => Some(params.map(Cow::Borrowed)),
        }
    }

    /// The host hears of the progress of this call under another token, or not at all.
    fn listen(&self, exchange: &Exchange, token: Option<&RawValue>) {
        if let Some(given) = &exchange.token {
            self.state().tokens.insert(given.clone(), token.map(|token| token.get().to_owned()));
        }
    }

    /// Keeps a call whose host is being asked.
    fn park(self: &Arc<Self>, exchange: Exchange) {
        let id = exchange.id;
        self.listen(&exchange, None);
        let given_up = {
            let mut state = self.state();
            state.parked.insert(id, exchange);
            if state.parked.len() > MAX_PARKED { state.parked.pop_first() } else { None }
        };
        drop(given_up);
        let exchanges = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(PARKED_FOR).await;
            let forgotten = exchanges.upgrade().and_then(|exchanges| exchanges.state().parked.remove(&id));
            drop(forgotten);
        });
    }

    /// Gives up every call that waits for an answer.
    pub(crate) fn clear(&self) {
        let parked = std::mem::take(&mut self.state().parked);
        drop(parked);
    }

    fn prefix(&self) -> String {
        format!("{STATE_PREFIX}{:016x}-", self.nonce)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange {
    /// Waits for what comes next. Dropping the future gives the call up.
    pub(crate) async fn step(mut self) -> Step {
        if self.asked.is_empty() {
            tokio::select! {
                // A question that has arrived is asked before the call ends without its answer.
                biased;
                Some(question) = self.questions.recv() => self.note(question),
                outcome = &mut self.call => {
                    let gone = |_| Err(RpcError::new(METHOD_NOT_FOUND, "the call ended without a result"));
                    return Step::Done(outcome.unwrap_or_else(gone));
                }
            }
        }
        while let Ok(question) = self.questions.try_recv() {
            self.note(question);
        }
        let Some(exchanges) = self.exchanges.upgrade() else {
            return Step::Done(Err(RpcError::new(METHOD_NOT_FOUND, "the bridge is closing")));
        };
        let result = self.input_required(&exchanges.prefix());
        exchanges.park(self);
        Step::Asked(result)
    }

    fn note(&mut self, question: Question) {
        self.last += 1;
        self.asked.insert(format!("question-{}", self.last), question);
    }

    fn take_answers(&mut self, answers: Option<&RawValue>) {
        let answers = answers.and_then(|answers| Members::read(answers.get())).unwrap_or_default();
        for (key, answer) in answers.iter() {
            if let Some(question) = self.asked.remove(key) {
                // The server may have given the question up by now.
                drop(question.answer.send(Ok(answer.to_owned())));
            }
        }
        self.asked.retain(|_, question| !question.answer.is_closed());
    }

    fn input_required(&self, prefix: &str) -> Box<RawValue> {
        let mut requests = Object::new();
        for (key, question) in &self.asked {
            let mut request = Object::new();
            request.member("method", &string(&question.method));
            if let Some(params) = &question.params {
                request.member("params", params.get());
            }
            requests.member(key, request.finish().get());
        }
        let mut result = Object::new();
        result.member("resultType", "\"input_required\"");
        result.member("inputRequests", requests.finish().get());
        result.member("requestState", raw(string(&format!("{prefix}{}", self.id))).get());
        result.finish()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(exchanges) = self.exchanges.upgrade() {
            let mut state = exchanges.state();
            state.carriers.retain(|carrier| carrier.id != self.id);
            if let Some(token) = &self.token {
                state.tokens.remove(token);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn able() -> ClientCapabilities {
        ClientCapabilities::default().with("elicitation", raw("{}"))
    }

    fn asked(step: Step) -> (String, serde_json::Value) {
        let Step::Asked(result) = step else { panic!("{step:?}") };
        let result: serde_json::Value = serde_json::from_str(result.get()).unwrap();
        (result["requestState"].as_str().unwrap().to_owned(), result)
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_travels_with_the_call_and_its_answer_with_the_next() {
        let exchanges = Exchanges::new();
        let call = {
            let exchanges = exchanges.clone();
            async move {
                exchanges.ask("elicitation/create", Some(raw("{\"message\":1.0}"))).await.map(Payload::from)
            }
        };
        let (state, result) = asked(exchanges.start(able(), None, call).step().await);
        assert_eq!(result["resultType"], "input_required");
        assert_eq!(result["inputRequests"]["question-1"]["method"], "elicitation/create");
        let other = raw(r#"{"requestState":"bridge-0000000000000000-1"}"#);
        assert!(exchanges.resume(Some(&other)).unwrap().is_err(), "a state of another process");
        let unanswered = raw(format!(r#"{{"requestState":"{state}"}}"#));
        let (state, _) = asked(exchanges.resume(Some(&unanswered)).unwrap().unwrap().step().await);
        let retry = raw(format!(
            r#"{{"requestState":"{state}","inputResponses":{{"question-1":{{"action":"accept"}},"other":1}}}}"#
        ));
        let step = exchanges.resume(Some(&retry)).unwrap().unwrap().step().await;
        assert!(
            matches!(&step, Step::Done(Ok(result)) if result.get() == r#"{"action":"accept"}"#),
            "{step:?}"
        );
        assert!(exchanges.resume(Some(&retry)).unwrap().is_err(), "answered once");
        assert!(exchanges.resume(Some(&raw("{}"))).is_none());
        let of_a_server = raw(r#"{"requestState":"opaque"}"#);
        assert!(exchanges.resume(Some(&of_a_server)).is_none(), "not ours to refuse");
        assert!(exchanges.state().carriers.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_questions_in_one_call_each_gets_its_own_answer() {
        let exchanges = Exchanges::new();
        let call = {
            let exchanges = exchanges.clone();
            async move {
                let ask = |text| exchanges.ask("elicitation/create", Some(raw(text)));
                let (one, other) = tokio::join!(ask("\"one\""), ask("\"other\""));
                Ok(Payload::from(raw(format!("[{},{}]", one?, other?))))
            }
        };
        let (state, result) = asked(exchanges.start(able(), None, call).step().await);
        let asked_one = &result["inputRequests"]["question-1"]["params"];
        assert_eq!((asked_one, result["inputRequests"].as_object().unwrap().len()), (&"one".into(), 2));
        // One answer is missing yet, so the host is asked for that alone.
        let first = raw(format!(r#"{{"requestState":"{state}","inputResponses":{{"question-1":1}}}}"#));
        let (state, result) = asked(exchanges.resume(Some(&first)).unwrap().unwrap().step().await);
        assert_eq!(result["inputRequests"]["question-2"]["params"], "other");
        assert_eq!(result["inputRequests"].as_object().unwrap().len(), 1);
        let second = raw(format!(r#"{{"requestState":"{state}","inputResponses":{{"question-2":2}}}}"#));
        let step = exchanges.resume(Some(&second)).unwrap().unwrap().step().await;
        assert!(matches!(&step, Step::Done(Ok(result)) if result.get() == "[1,2]"), "{step:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn progress_is_told_of_the_request_that_is_under_way() {
        let exchanges = Exchanges::new();
        let call = {
            let exchanges = exchanges.clone();
            async move {
                exchanges.ask("elicitation/create", None).await?;
                std::future::pending().await
            }
        };
        let report = raw(r#"{"progress":1.0,"progressToken":"a"}"#);
        let shown = || exchanges.progress(Some(&report)).map(|params| params.unwrap().get().to_owned());
        let (state, _) = asked(exchanges.start(able(), Some(&raw("\"a\"")), call).step().await);
        assert_eq!(shown(), None, "the host waits for nothing while it is asked");
        let retry = raw(format!(
            r#"{{"requestState":"{state}","inputResponses":{{"question-1":{{}}}},"_meta":{{"progressToken":2}}}}"#
        ));
        let exchange = exchanges.resume(Some(&retry)).unwrap().unwrap();
        assert_eq!(shown().unwrap(), r#"{"progress":1.0,"progressToken":2}"#);
        drop(exchange);
        assert_eq!(shown().unwrap(), report.get(), "of a call that nothing is known of");
        assert!(exchanges.state().tokens.is_empty());
    }

    #[tokio::test]
    async fn a_question_without_a_call_or_without_the_capability_is_refused() {
        let exchanges = Exchanges::new();
        assert_eq!(exchanges.ask("elicitation/create", None).await.unwrap_err().code, METHOD_NOT_FOUND);
        let exchange = exchanges.start(able(), None, std::future::pending());
        assert_eq!(exchanges.ask("sampling/createMessage", None).await.unwrap_err().code, METHOD_NOT_FOUND);
        drop(exchange);
        assert_eq!(exchanges.ask("elicitation/create", None).await.unwrap_err().code, METHOD_NOT_FOUND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_whose_answer_never_comes_is_given_up() {
        let exchanges = Exchanges::new();
        let (alive, gone) = oneshot::channel::<()>();
        let call = {
            let exchanges = exchanges.clone();
            async move {
                let _alive = alive;
                exchanges.ask("elicitation/create", None).await.map(Payload::from)
            }
        };
        asked(exchanges.start(able(), None, call).step().await);
        assert!(gone.await.is_err());
        assert!(exchanges.state().parked.is_empty());
    }

    #[tokio::test]
    async fn no_more_calls_are_parked_than_there_is_room_for() {
        let exchanges = Exchanges::new();
        for _ in 0..=MAX_PARKED {
            let call = {
                let exchanges = exchanges.clone();
                async move { exchanges.ask("elicitation/create", None).await.map(Payload::from) }
            };
            asked(exchanges.start(able(), None, call).step().await);
        }
        assert_eq!(exchanges.state().parked.len(), MAX_PARKED);
        assert!(!exchanges.state().parked.contains_key(&1));
    }
}
