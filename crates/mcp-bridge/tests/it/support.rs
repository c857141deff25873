//! The host that a test plays, and the bridge that it speaks to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_auth::AuthProvider;
use mcp_bridge::{Bridge, BridgeConfig, Ended, Memory, Opening};
use mcp_status::{ActionFacts, TransportKind};
use mcp_transport::supervisor::Withheld;
use mcp_transport::{ClientInfo, ClientOptions, Connector, Endpoint, HttpEndpoint, Server, SupervisorHandle};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, WriteHalf};
use tokio::sync::{Notify, oneshot};
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
    era: HostEra,
    capabilities: Value,
    log_level: Option<&'static str>,
    input: Option<WriteHalf<DuplexStream>>,
    seen: Arc<Seen>,
    stop: Option<oneshot::Sender<()>>,
    bridge: JoinHandle<Ended>,
    last_id: i64,
    /// The questions that were answered.
    answered: Vec<i64>,
}

#[derive(Default)]
struct Seen {
    lines: Mutex<Vec<String>>,
    news: Notify,
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
}

impl Setup {
    pub(crate) fn new(url: Url) -> Self {
        let capabilities = json!({});
        Self { url, auth: None, capabilities, patience: PATIENCE, opening: None, memory: None, started: None }
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
        let mut host = self.start_silent(era);
        host.introduce().await;
        host
    }

    /// Starts the bridge; the host says nothing yet.
    pub(crate) fn start_silent(self, era: HostEra) -> Host {
        let Self { url, auth, capabilities, patience, opening, memory, started } = self;
        let mut options = ClientOptions::new(ClientInfo::new("bridge-test", "1.0"));
        options.connect_timeout = PATIENCE;
        let source = move || {
            let (url, auth) = (url.clone(), auth.clone());
            async move {
                let server = Server::new(Endpoint::Http(HttpEndpoint::new(url)));
                Ok::<_, Withheld>(match auth {
                    Some(provider) => server.with_auth(provider),
                    None => server,
                })
            }
        };
        let mut config = BridgeConfig::new("internal", "9.9", source)
            .with_program("acme")
            .with_next(|step| Some(format!("acme fix internal ({step})")))
            .with_facts(|| ActionFacts::new(TransportKind::Remote).with_configured(true, true));
        config.policy.patience = patience;
        config.started = started;
        config.opening = opening;
        config.memory = memory;
        let bridge = Bridge::new(Connector::new(options), config);
        Host { capabilities, ..Host::of(bridge, era) }
    }
}

impl Host {
    /// The host of `bridge`, which says nothing yet.
    pub(crate) fn of(bridge: Bridge, era: HostEra) -> Self {
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
        let seen = Arc::new(Seen::default());
        tokio::spawn({
            let seen = seen.clone();
            async move {
                let mut lines = BufReader::new(output).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    seen.lines.lock().unwrap().push(line);
                    seen.news.notify_waiters();
                }
            }
        });
        let (input, stop) = (Some(input), Some(stop));
        Host {
            era,
            capabilities: json!({}),
            log_level: None,
            input,
            seen,
            stop,
            bridge,
            last_id: 0,
            answered: Vec::new(),
        }
    }

    pub(crate) fn set_log_level(&mut self, level: &'static str) {
        self.log_level = Some(level);
    }

    /// Opens the conversation as hosts of this era do.
    pub(crate) async fn introduce(&mut self) -> Value {
        match self.era {
            HostEra::Legacy => {
                let params = json!({
                    "protocolVersion": "2025-11-25", "capabilities": self.capabilities,
                    "clientInfo": {"name": "the-host", "version": "2.0"},
                });
                let result = self.ask("initialize", params).await;
                self.tell("notifications/initialized", None).await;
                result
            }
            HostEra::Modern => self.ask("server/discover", json!({})).await,
        }
    }

    /// Writes one line.
    pub(crate) async fn write(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line.as_bytes()).await.unwrap();
        input.write_all(b"\n").await.unwrap();
    }

    pub(crate) async fn tell(&mut self, method: &str, params: Option<Value>) {
        let mut message = json!({"jsonrpc": "2.0", "method": method});
        if let Some(params) = params {
            message["params"] = params;
        }
        self.write(&message.to_string()).await;
    }

    /// Sends a request, with what the era wants in it, and returns its id.
    pub(crate) async fn send(&mut self, method: &str, mut params: Value) -> i64 {
        self.last_id += 1;
        if self.era == HostEra::Modern {
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "the-host", "version": "2.0"});
            meta["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
            if let Some(level) = self.log_level {
                meta["io.modelcontextprotocol/logLevel"] = json!(level);
            }
        }
        let message = json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        self.write(&message.to_string()).await;
        self.last_id
    }

    /// A request to its result.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        let response = self.exchange(method, params).await;
        response.get("result").unwrap_or_else(|| panic!("{method}: {response}")).clone()
    }

    /// A request to its error.
    pub(crate) async fn refused(&mut self, method: &str, params: Value) -> Value {
        let response = self.exchange(method, params).await;
        response.get("error").unwrap_or_else(|| panic!("{method}: {response}")).clone()
    }

    pub(crate) async fn exchange(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params).await;
        self.response(id).await
    }

    /// Calls a tool.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// Answers a question of the server.
    pub(crate) async fn answer(&mut self, question: &Value, result: Value) {
        self.answered.extend(question["id"].as_i64());
        let message = json!({"jsonrpc": "2.0", "id": question["id"], "result": result});
        self.write(&message.to_string()).await;
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
    pub(crate) async fn told(&self, method: &str) -> Value {
        self.wait_for(method, |message| message["method"] == method).await
    }

    pub(crate) async fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let news = self.seen.news.notified();
                if let Some(found) = self.messages().into_iter().find(|message| wanted(message)) {
                    return found;
                }
                news.await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("the host never saw {what}; it saw {:#?}", self.lines()),
        }
    }

    /// How often a method was told so far.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.messages().iter().filter(|message| message["method"] == method).count()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen.lines.lock().unwrap().clone()
    }

    pub(crate) fn messages(&self) -> Vec<Value> {
        self.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn forget(&self) {
        self.seen.lines.lock().unwrap().clear();
    }

    /// Closes the host's side.
    pub(crate) async fn close_stdin(&mut self) {
        if let Some(mut input) = self.input.take() {
            input.shutdown().await.unwrap();
        }
    }

    /// Asks the bridge to end, as a signal does.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// How the bridge ended, and how long that took.
    pub(crate) async fn ended(&mut self) -> (Ended, Duration) {
        let began = tokio::time::Instant::now();
        let ended = tokio::time::timeout(PATIENCE, &mut self.bridge).await.unwrap().unwrap();
        (ended, began.elapsed())
    }
}

/// Waits until `wanted` is true.
pub(crate) async fn eventually(what: &str, wanted: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !wanted() {
        assert!(tokio::time::Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The text of the first content block.
pub(crate) fn text_of(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {result}"))
}
