//! The fake MCP server.

mod answer;
mod builder;
mod handle;
mod http_sse;
mod modern;
mod reply;
mod rpc;
mod state;
mod stream;
mod tool;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

pub use answer::{Delivery, HttpAnswer, ScriptedAnswer, Sse, SseEnd};
pub use builder::FakeMcpServerBuilder;
pub(crate) use reply::{Reply, http_answer};
pub use state::{FakeEra, GetStream, Pages};
pub use tool::FakeTool;

use crate::accept::{Accept, Refusal};
use crate::sync::lock;
use crate::wire::{ListeningServer, RecordedRequest, Recorder};
use handle::McpServerState;
use state::State;
use stream::{OpenStream, StreamKind};

/// How long [`FakeMcpServer::ask`] waits for the client's answer.
const ASK_PATIENCE: Duration = Duration::from_secs(20);

/// An MCP server on loopback that does what a test tells it, and remembers what it was asked.
///
/// Everything can be changed while it runs; a change holds from the next request on. Dropping it closes all
/// connections and joins its thread.
///
/// ```
/// use mcp_testkit::{Accept, FakeMcpServer, Refusal};
///
/// let server = FakeMcpServer::builder().accept("A").start()?;
/// server.accept("B"); // from now on the token A is refused
/// server.refuse_with(Refusal::unauthorized().challenge("Basic realm=\"x\""));
/// assert_eq!(server.count("tools/call"), 0);
/// assert!(server.oauth_requests().is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FakeMcpServer {
    shared: Arc<McpServerState>,
    serving: ListeningServer,
}

impl FakeMcpServer {
    /// A builder for a dual-era server with the standard tools, which accepts every request.
    #[must_use]
    pub fn builder() -> FakeMcpServerBuilder {
        FakeMcpServerBuilder::new()
    }

    /// Starts a server with all defaults.
    ///
    /// # Errors
    ///
    /// When no loopback port can be bound or no thread be started.
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    /// The URL of the MCP endpoint.
    #[must_use]
    pub fn url(&self) -> Url {
        self.url_of(&self.shared.path)
    }

    /// The URL of another path of this server.
    ///
    /// # Panics
    ///
    /// When `path` does not start with a slash.
    #[must_use]
    pub fn url_of(&self, path: &str) -> Url {
        assert!(path.starts_with('/'), "a path starts with a slash: {path}");
        Url::parse(&format!("{}{path}", self.origin())).expect("an origin and a path make a URL")
    }

    /// The origin, without a slash at its end.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.serving.address())
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// Stops and joins the server. Dropping does the same, but blocks the calling thread for that moment.
    pub async fn stop(self) {
        self.serving.stop().await;
    }

    // ---- Credentials -----------------------------------------------------------------------------------------

    /// Sets whom the server accepts from now on; `"B"` means `Authorization: Bearer B`.
    pub fn accept(&self, rule: impl Into<Accept>) {
        lock(&self.shared.state).accept = rule.into();
    }

    /// Sets how the server refuses from now on.
    pub fn refuse_with(&self, refusal: Refusal) {
        lock(&self.shared.state).refusal = refusal;
    }

    /// Demands a scope for one JSON-RPC method from now on; a token of a ledger without it gets 403 `insufficient_scope`.
    pub fn require_scope(&self, rpc_method: impl Into<String>, scope: impl Into<String>) {
        lock(&self.shared.state).scopes.insert(rpc_method.into(), scope.into());
    }

    // ---- Scripts ---------------------------------------------------------------------------------------------

    /// Queues answers for the next POSTs, one each, whatever they ask.
    pub fn next_answers(&self, answers: impl IntoIterator<Item = ScriptedAnswer>) {
        lock(&self.shared.state).next.extend(answers);
    }

    /// Queues answers for the next requests with this JSON-RPC method, or with this HTTP method (`"GET"`, `"DELETE"`).
    pub fn next_answers_to(
        &self,
        method: impl Into<String>,
        answers: impl IntoIterator<Item = ScriptedAnswer>,
    ) {
        lock(&self.shared.state).next_to.entry(method.into()).or_default().extend(answers);
    }

    /// Answers every request to the MCP endpoint like this from now on; [`ScriptedAnswer::Honest`] ends it.
    pub fn always(&self, answer: ScriptedAnswer) {
        lock(&self.shared.state).always = Some(answer);
    }

    /// Answers every request with this JSON-RPC or HTTP method like this from now on; [`ScriptedAnswer::Honest`] ends it.
    pub fn always_to(&self, method: impl Into<String>, answer: ScriptedAnswer) {
        lock(&self.shared.state).always_to.insert(method.into(), answer);
    }

    /// Forgets every queued answer; whether there were any, so that a test can tell that its script was played.
    pub fn clear_script(&self) -> bool {
        let mut state = lock(&self.shared.state);
        let left = !state.next.is_empty() || state.next_to.values().any(|queue| !queue.is_empty());
        state.next.clear();
        state.next_to.clear();
        left
    }

    /// Answers a path beside the MCP endpoint, for any HTTP method. Without a route such paths are 404.
    pub fn route(&self, path: impl Into<String>, answer: impl Into<ScriptedAnswer>) {
        lock(&self.shared.state).routes.insert(path.into(), answer.into());
    }

    /// Sets the usual form of answers from now on.
    pub fn deliver(&self, delivery: impl Into<Delivery>) {
        lock(&self.shared.state).delivery = delivery.into();
    }

    // ---- What it offers --------------------------------------------------------------------------------------

    /// Replaces the tools; sends no notification ([`FakeMcpServer::push_tools_changed`] does).
    pub fn set_tools(&self, tools: Vec<FakeTool>) {
        lock(&self.shared.state).catalogue.tools = tools;
    }

    /// Sets how lists are cut.
    pub fn set_pages(&self, pages: Pages) {
        lock(&self.shared.state).catalogue.pages = pages;
    }

    /// Changes era and supported revisions, as an upgrade of the server would. Sessions go on.
    pub fn set_era(&self, era: FakeEra) {
        let mut state = lock(&self.shared.state);
        state.era = era;
        state.catalogue.versions = era.versions();
    }

    /// Sets what GET does.
    pub fn set_get_stream(&self, mode: GetStream) {
        lock(&self.shared.state).get_stream = mode;
    }

    // ---- Sessions and streams --------------------------------------------------------------------------------

    /// Forgets all sessions and ends their streams: requests that carry one get 404 from now on.
    pub fn expire_sessions(&self) {
        let mut state = lock(&self.shared.state);
        state.sessions.clear();
        state.streams.retain(|stream| matches!(stream.kind, StreamKind::Listen { .. }));
    }

    /// Answers each POST in a session that the server does not know with this, in place of the specification's 404.
    pub fn say_of_unknown_sessions(&self, answer: HttpAnswer) {
        lock(&self.shared.state).forgotten = Some(answer);
    }

    /// How many sessions are alive.
    #[must_use]
    pub fn sessions(&self) -> usize {
        lock(&self.shared.state).sessions.len()
    }

    /// How many sessions were ever made: one per `initialize`.
    #[must_use]
    pub fn sessions_made(&self) -> u64 {
        lock(&self.shared.state).sessions_made
    }

    /// How many DELETEs of sessions arrived.
    #[must_use]
    pub fn deletes(&self) -> usize {
        self.shared.recorder.matching(|request| request.method == http::Method::DELETE).len()
    }

    /// How many streams are open that the server may push to.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        lock(&self.shared.state).streams.iter().filter(|stream| !stream.sender.is_closed()).count()
    }

    /// Waits until that many such streams are open.
    ///
    /// # Panics
    ///
    /// When that does not happen within 20 seconds.
    pub async fn wait_for_streams(&self, count: usize) {
        self.shared
            .recorder
            .wait_until(&format!("{count} open streams"), |_| self.open_streams() >= count)
            .await;
    }

    /// Sends a message on the open streams: to each subscription that wants it, and to the newest stream of each legacy
    /// session ("the server MUST send each of its JSON-RPC messages on only one of the connected streams"). Returns on
    /// how many streams it went.
    pub fn push(&self, message: &Value) -> usize {
        let mut state = lock(&self.shared.state);
        state.streams.retain(|stream| !stream.sender.is_closed());
        let mut served: Vec<Option<&str>> = Vec::new();
        let mut sent = 0;
        for stream in state.streams.iter().rev() {
            let session = session_of(stream);
            if let Some(session) = session {
                if served.contains(&session) {
                    continue;
                }
                served.push(session);
            }
            if let Some(message) = stream.message_for(message)
                && stream.sender.try_send(stream::message_event(&Sse::new(), None, &message))
            {
                sent += 1;
            }
        }
        sent
    }

    /// Tells the open streams that the tools have changed.
    pub fn push_tools_changed(&self) -> usize {
        self.push(&json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" }))
    }

    /// Sends the client a request on its GET stream (`ping`, `elicitation/create`, `sampling/createMessage`, …) and
    /// waits for the whole JSON-RPC response that it POSTs. `None` without a stream or without an answer in 20 seconds.
    pub async fn ask(&self, method: &str, params: Value) -> Option<Value> {
        let (id, answer) = lock(&self.shared.state).new_question();
        let mut question = json!({ "jsonrpc": "2.0", "id": id, "method": method });
        if !params.is_null() {
            question["params"] = params;
        }
        if self.push(&question) == 0 {
            return None;
        }
        tokio::time::timeout(ASK_PATIENCE, answer).await.ok()?.ok()
    }

    /// Ends the open streams cleanly.
    pub fn close_streams(&self) {
        lock(&self.shared.state).streams.clear();
    }

    /// How many response streams were left by the client before their end.
    #[must_use]
    pub fn abandoned_streams(&self) -> u64 {
        lock(&self.shared.state).abandoned
    }

    // ---- The network -----------------------------------------------------------------------------------------

    /// Closes every connection, answered or not, and goes on listening: a network that blinked.
    pub fn drop_connections(&self) {
        self.serving.drop_connections();
    }

    /// Stops listening and closes every connection: connections are refused, the state is kept.
    pub fn go_down(&self) {
        self.serving.go_down();
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    ///
    /// When another process has taken the port in the meantime.
    pub fn come_up(&self) -> io::Result<()> {
        self.serving.come_up()
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.serving.connections()
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open_connections(&self) -> u64 {
        self.serving.open_connections()
    }

    // ---- What happened ---------------------------------------------------------------------------------------

    /// The recorded requests and the queries on them.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.shared.recorder
    }

    /// Every request so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.recorder.requests()
    }

    /// How many requests had this JSON-RPC method.
    #[must_use]
    pub fn count(&self, rpc_method: &str) -> usize {
        self.shared.recorder.count(rpc_method)
    }

    /// The requests that did not carry this header.
    #[must_use]
    pub fn requests_without_header(&self, name: &str) -> Vec<RecordedRequest> {
        self.shared.recorder.requests_without_header(name)
    }

    /// The requests that only an OAuth client makes.
    #[must_use]
    pub fn oauth_requests(&self) -> Vec<RecordedRequest> {
        self.shared.recorder.oauth_requests()
    }

    /// The rules of the protocol that clients broke, in words, oldest first. The answers were what the specification
    /// demands of a server, which is often to accept; this is where a test sees what it demanded of the client.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        lock(&self.shared.state).violations.clone()
    }
}

/// The legacy session that a stream belongs to; `None` for a subscription, which is not of a session.
fn session_of(stream: &OpenStream) -> Option<Option<&str>> {
    match &stream.kind {
        StreamKind::Get { session } => Some(session.as_deref()),
        StreamKind::HttpSse { session } => Some(Some(session)),
        StreamKind::Listen { .. } => None,
    }
}
