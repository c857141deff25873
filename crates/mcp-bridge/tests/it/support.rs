//! The host that a test plays, and the bridge that it speaks to.

use std::sync::Arc;
use std::time::Duration;

use mcp_auth::AuthProvider;
use mcp_bridge::{Bridge, BridgeConfig, EndReason, Memory, Opening, SignIn};
use mcp_harness::{FakeHost, HostProfile};
use mcp_status::{ActionFacts, SignInState, TransportKind};
use mcp_transport::supervisor::NoContact;
use mcp_transport::{ClientInfo, ClientOptions, Connector, Endpoint, HttpEndpoint, Server, SupervisorHandle};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use url::Url;

/// Generous: a loaded machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const META_SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// Which era the host speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HostEra {
    Legacy,
    Modern,
}

/// A host with a bridge to one server.
pub(crate) struct Host {
    fake: FakeHost,
    stop: Option<oneshot::Sender<()>>,
    bridge: JoinHandle<EndReason>,
    /// The questions that were answered.
    answered: Vec<i64>,
}

/// A bridge that is not yet started.
pub(crate) struct Setup {
    url: Url,
    auth: Option<Arc<dyn AuthProvider>>,
    capabilities: Value,
    patience: Duration,
    opening: Option<Opening>,
    memory: Option<Arc<dyn Memory>>,
    started: Option<Arc<dyn Fn(SupervisorHandle) + Send + Sync>>,
    sign_in: Option<SignIn>,
    most_bytes: Option<usize>,
}

impl Setup {
    pub(crate) fn new(url: Url) -> Self {
        let capabilities = json!({});
        let (opening, memory, started, sign_in, most_bytes) = (None, None, None, None, None);
        Self {
            url,
            auth: None,
            capabilities,
            patience: PATIENCE,
            opening,
            memory,
            started,
            sign_in,
            most_bytes,
        }
    }

    pub(crate) fn auth(mut self, provider: Arc<dyn AuthProvider>) -> Self {
        self.auth = Some(provider);
        self
    }

    pub(crate) fn capabilities(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Told of the supervisor.
    pub(crate) fn started(mut self, started: impl Fn(SupervisorHandle) + Send + Sync + 'static) -> Self {
        self.started = Some(Arc::new(started));
        self
    }

    /// A person can sign in to the server, and is asked so.
    pub(crate) fn sign_in(mut self, sign_in: SignIn) -> Self {
        self.sign_in = Some(sign_in);
        self
    }

    /// The longest message of the host.
    pub(crate) fn most_bytes(mut self, most: usize) -> Self {
        self.most_bytes = Some(most);
        self
    }

    /// Asked when the host opens the conversation.
    pub(crate) fn opening(mut self, opening: Opening) -> Self {
        self.opening = Some(opening);
        self
    }

    /// Where the description of the server is kept.
    pub(crate) fn memory(mut self, memory: Arc<dyn Memory>) -> Self {
        self.memory = Some(memory);
        self
    }

    /// How long a call waits for a connection.
    pub(crate) fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts the bridge and introduces a host of this era to it.
    pub(crate) async fn start(self, era: HostEra) -> Host {
        let host = self.start_silent(era);
        host.introduce().await;
        host
    }

    /// Starts the bridge; the host says nothing yet.
    pub(crate) fn start_silent(self, era: HostEra) -> Host {
        let Self { url, auth, capabilities, patience, opening, memory, started, sign_in, most_bytes } = self;
        let mut options = ClientOptions::new(ClientInfo::new("bridge-test", "1.0"));
        options.connect_timeout = PATIENCE;
        let source = move || {
            let (url, auth) = (url.clone(), auth.clone());
            async move {
                let server = Server::new(Endpoint::Http(HttpEndpoint::new(url)));
                Ok::<_, NoContact>(match auth {
                    Some(provider) => server.with_auth(provider),
                    None => server,
                })
            }
        };
        let facts = ActionFacts::new(TransportKind::Remote);
        let facts = match sign_in {
            Some(_) => facts.with_sign_in(SignInState::Offered),
            None => facts.with_configured(true, true),
        };
        let mut config = BridgeConfig::new("internal", "9.9", source)
            .with_program("acme")
            .with_next(|step| Some(format!("acme fix internal ({step})")))
            .with_facts(move || facts);
        config.sign_in = sign_in;
        config.max_line_bytes = most_bytes.unwrap_or(config.max_line_bytes);
        config.policy.patience = patience;
        config.started = started;
        config.opening = opening;
        config.memory = memory;
        let bridge = Bridge::new(Connector::new(options), config);
        Host::able(bridge, era, capabilities)
    }
}

impl Host {
    /// The host of `bridge`, which says nothing yet.
    pub(crate) fn of(bridge: Bridge, era: HostEra) -> Self {
        Self::able(bridge, era, json!({}))
    }

    /// The same with these capabilities.
    fn able(bridge: Bridge, era: HostEra, capabilities: Value) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (theirs_in, theirs_out) = tokio::io::split(theirs);
        let (output, input) = tokio::io::split(ours);
        let (stop, stopped) = oneshot::channel::<()>();
        let bridge = tokio::spawn(async move {
            let asked = async {
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            bridge.run(theirs_in, theirs_out, asked).await
        });
        let manner = HostProfile {
            modern: era == HostEra::Modern,
            name: "the-host",
            version: "2.0",
            ..HostProfile::legacy().able(capabilities)
        };
        let fake = FakeHost::over(input, output, manner, None);
        Host { fake, stop: Some(stop), bridge, answered: Vec::new() }
    }

    pub(crate) fn set_log_level(&mut self, level: &'static str) {
        self.fake.set_log_level(level);
    }

    /// Opens the conversation as hosts of this era do.
    pub(crate) async fn introduce(&self) -> Value {
        self.fake.introduce().await
    }

    /// Writes one line.
    pub(crate) fn write(&self, line: &str) {
        self.fake.write(line);
    }

    pub(crate) fn tell(&self, method: &str, params: Option<Value>) {
        self.fake.tell(method, params);
    }

    /// Sends a request, with what the era wants in it, and returns its id.
    pub(crate) fn send(&self, method: &str, params: Value) -> i64 {
        i64::try_from(self.fake.request(method, params).0).unwrap()
    }

    /// A request to its result.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        let response = self.exchange(method, params).await;
        response.get("result").unwrap_or_else(|| panic!("{method}: {response}")).clone()
    }

    /// A request to its error.
    pub(crate) async fn refused(&self, method: &str, params: Value) -> Value {
        let response = self.exchange(method, params).await;
        response.get("error").unwrap_or_else(|| panic!("{method}: {response}")).clone()
    }

    pub(crate) async fn exchange(&self, method: &str, params: Value) -> Value {
        self.fake.ask(method, params).await
    }

    /// Calls a tool.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// Answers a question of the server.
    pub(crate) fn answer(&mut self, question: &Value, result: Value) {
        self.answered.extend(question["id"].as_i64());
        self.write(&json!({"jsonrpc": "2.0", "id": question["id"], "result": result}).to_string());
    }

    pub(crate) async fn response(&self, id: i64) -> Value {
        self.wait_for(&format!("the response to {id}"), |message| {
            message["id"] == id && message.get("method").is_none()
        })
        .await
    }

    /// What the server asks next.
    pub(crate) async fn asked(&self, method: &str) -> Value {
        let known = self.answered.clone();
        self.wait_for(method, |message| {
            message["method"] == method && message["id"].as_i64().is_some_and(|id| !known.contains(&id))
        })
        .await
    }

    /// The first message with this method.
    pub(crate) async fn heard(&self, method: &str) -> Value {
        self.wait_for(method, |message| message["method"] == method).await
    }

    pub(crate) async fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.fake.wait_for(what, wanted).await
    }

    /// How often a method was told so far.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.messages().iter().filter(|message| message["method"] == method).count()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.fake.lines()
    }

    pub(crate) fn messages(&self) -> Vec<Value> {
        self.fake.messages()
    }

    pub(crate) fn forget(&self) {
        self.fake.forget();
    }

    /// Closes the host's side.
    pub(crate) fn close_stdin(&mut self) {
        self.fake.close_input();
    }

    /// Asks the bridge to end, as a signal does.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Drops the bridge as it is.
    pub(crate) fn give_up(&self) {
        self.bridge.abort();
    }

    /// How the bridge ended, and how long that took.
    pub(crate) async fn ended(&mut self) -> (EndReason, Duration) {
        let began = tokio::time::Instant::now();
        let ended = tokio::time::timeout(PATIENCE, &mut self.bridge).await.unwrap().unwrap();
        (ended, began.elapsed())
    }
}

/// Waits until `wanted` is true.
pub(crate) async fn eventually(what: &str, wanted: impl Fn() -> bool) {
    mcp_testkit::eventually(what, PATIENCE, async || wanted()).await;
}

/// The text of the first content block.
pub(crate) fn text_of(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {result}"))
}
