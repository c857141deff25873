//! A registry of MCP servers: the reading half of its API v0.1.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};
use url::Url;

use crate::mcp::{HttpAnswer, Reply, ScriptedAnswer, http_answer};
use crate::sync::lock;
use crate::wire::{Handler, HangUp, ListeningServer, RecordedRequest, Recorder};

/// A registry on loopback, which answers searches by name and asks for one version of a server.
///
/// ```
/// use mcp_testkit::FakeRegistry;
/// use serde_json::json;
///
/// let registry = FakeRegistry::start()?;
/// registry.publish(json!({
///     "server": {"name": "com.example/docs", "description": "Documents", "version": "1.0.0",
///                "remotes": [{"type": "streamable-http", "url": "https://docs.example/mcp"}]},
/// }));
/// # assert!(registry.url().as_str().starts_with("http://127.0.0.1:"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FakeRegistry {
    shared: Arc<RegistryState>,
    serving: ListeningServer,
}

#[derive(Debug)]
struct RegistryState {
    state: Mutex<State>,
    recorder: Recorder,
}

#[derive(Debug, Default)]
struct State {
    /// What is published, in the form in which one version is answered.
    published: Vec<Value>,
    next: VecDeque<ScriptedAnswer>,
    always: Option<ScriptedAnswer>,
    /// How many servers a page of a search has.
    page: usize,
}

impl FakeRegistry {
    /// Starts a registry without servers.
    ///
    /// # Errors
    ///
    /// When no loopback port can be bound or no thread be started.
    pub fn start() -> io::Result<Self> {
        let state = Mutex::new(State { page: 30, ..State::default() });
        let shared = Arc::new(RegistryState { state, recorder: Recorder::new(true) });
        let serving = ListeningServer::http(0, Arc::clone(&shared))?;
        Ok(Self { shared, serving })
    }

    /// The base URL.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "an address makes a URL")]
    pub fn url(&self) -> Url {
        Url::parse(&format!("http://{}/", self.serving.address())).expect("an address makes a URL")
    }

    /// Publishes one version: `{"server": …, "_meta": …}`. The last one of a name is its latest.
    pub fn publish(&self, version: Value) {
        lock(&self.shared.state).published.push(version);
    }

    /// How many servers a page of a search has; 30 unless set.
    pub fn set_page(&self, servers: usize) {
        lock(&self.shared.state).page = servers.max(1);
    }

    /// Answers the next requests like this, one each.
    pub fn next_answers(&self, answers: impl IntoIterator<Item = ScriptedAnswer>) {
        lock(&self.shared.state).next.extend(answers);
    }

    /// Answers every request like this from now on; [`ScriptedAnswer::Honest`] ends it.
    pub fn always(&self, answer: ScriptedAnswer) {
        lock(&self.shared.state).always = Some(answer);
    }

    /// The requests so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.recorder.requests()
    }

    /// Stops listening: connections are refused, what is published is kept.
    pub fn go_down(&self) {
        self.serving.go_down();
    }
}

impl Handler for RegistryState {
    async fn handle(self: Arc<Self>, request: Request<Incoming>, connection: u64) -> Reply {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let receipt = self.recorder.note(connection, &parts, &body);
        let scripted = {
            let mut state = lock(&self.state);
            state.next.pop_front().or_else(|| state.always.clone()).unwrap_or(ScriptedAnswer::Honest)
        };
        let reply = match scripted {
            ScriptedAnswer::Late(delay) => {
                tokio::time::sleep(delay).await;
                self.honest(&parts.uri)
            }
            ScriptedAnswer::Http(answer) => http_answer(answer),
            ScriptedAnswer::Refuse => http_answer(HttpAnswer::new(401)),
            ScriptedAnswer::Drop => Err(HangUp),
            ScriptedAnswer::Hang => std::future::pending().await,
            _ => self.honest(&parts.uri),
        };
        if let Ok(response) = &reply {
            self.recorder.answered(receipt, response.status());
        }
        reply
    }
}

impl RegistryState {
    fn honest(&self, uri: &http::Uri) -> Reply {
        let state = lock(&self.state);
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let asked = |key: &str| query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let Some(path) = uri.path().strip_prefix("/v0.1/servers") else { return not_found() };
        if path.is_empty() {
            return json_answer(&state.search(asked("search"), asked("cursor")));
        }
        let parts: Vec<&str> = path.split('/').collect();
        let ["", name, "versions", version] = parts[..] else { return not_found() };
        state.version(&decoded(name), &decoded(version)).map_or_else(not_found, json_answer)
    }
}

impl State {
    fn named(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.published.iter().filter(move |version| version["server"]["name"] == name)
    }

    fn version(&self, name: &str, version: &str) -> Option<&Value> {
        match version {
            "latest" => self.named(name).last(),
            _ => self.named(name).find(|found| found["server"]["version"] == version),
        }
    }

    fn search(&self, word: Option<&str>, cursor: Option<&str>) -> Value {
        let word = word.unwrap_or_default().to_lowercase();
        let begin: usize = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or_default();
        let is_meant = |version: &&Value| {
            let name = version["server"]["name"].as_str().unwrap_or_default();
            let is_latest = self.named(name).last().is_some_and(|last| std::ptr::eq(last, *version));
            is_latest && name.to_lowercase().contains(&word)
        };
        let found: Vec<&Value> = self.published.iter().filter(is_meant).collect();
        let end = (begin + self.page).min(found.len());
        let page = found.get(begin..end).unwrap_or_default();
        let mut metadata = json!({ "count": page.len() });
        if end < found.len() {
            metadata["nextCursor"] = json!(end.to_string());
        }
        json!({ "servers": page, "metadata": metadata })
    }
}

/// A part of a path without its percent encoding.
fn decoded(part: &str) -> String {
    // A form has the same encoding, but for the plus sign.
    let form = format!("x={}", part.replace('+', "%2B"));
    url::form_urlencoded::parse(form.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn json_answer(document: &Value) -> Reply {
    http_answer(HttpAnswer::new(200).body("application/json", document.to_string()))
}

fn not_found() -> Reply {
    http_answer(
        HttpAnswer::new(404).body("application/json", json!({ "error": "Server not found" }).to_string()),
    )
}
