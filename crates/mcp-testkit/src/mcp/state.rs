//! Everything that a test may set, and everything that a server remembers, behind one lock.

use std::collections::{HashMap, VecDeque};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::answer::{Delivery, HttpAnswer, ScriptedAnswer};
use super::modern;
use super::stream::OpenStream;
use super::tool::FakeTool;
use crate::accept::{Accept, Refusal};

/// Which protocol the server speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FakeEra {
    /// Streamable HTTP with `initialize`: 2025-03-26 to 2025-11-25.
    Legacy,
    /// Stateless Streamable HTTP: 2026-07-28.
    Modern,
    /// Both, by how the client opens.
    Dual,
    /// The transport of 2024-11-05: GET gives an event stream that names the endpoint for POSTs.
    HttpSse,
}

impl FakeEra {
    /// The revisions that such a server supports, newest first.
    pub(crate) fn versions(self) -> Vec<String> {
        let legacy = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
        let versions = match self {
            Self::Legacy => legacy.to_vec(),
            Self::Modern => vec![modern::REVISION],
            Self::Dual => [&[modern::REVISION], legacy.as_slice()].concat(),
            Self::HttpSse => vec!["2024-11-05"],
        };
        versions.into_iter().map(str::to_owned).collect()
    }
}

/// How lists are cut into pages.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Pages {
    /// One page.
    #[default]
    One,
    /// Pages of this many items.
    Of(usize),
    /// Every page is the whole list and has the same next cursor: a client without a guard loops without end.
    SameCursor,
    /// Every page is the whole list and has a fresh next cursor: a guard against repeated cursors is not enough.
    Endless,
}

/// What GET on the MCP endpoint does in the legacy era.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum GetStream {
    /// 405: there is no such stream.
    Unsupported,
    /// An event stream that stays open.
    #[default]
    Open,
    /// An event stream that ends at once, cleanly.
    EndsAtOnce,
}

/// What the server offers.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue {
    pub(crate) name: String,
    pub(crate) instructions: Option<String>,
    pub(crate) versions: Vec<String>,
    pub(crate) tools: Vec<FakeTool>,
    /// Definition and text.
    pub(crate) resources: Vec<(Value, String)>,
    /// Definition and result.
    pub(crate) prompts: Vec<(Value, Value)>,
    pub(crate) pages: Pages,
}

impl Catalogue {
    pub(crate) fn new(era: FakeEra) -> Self {
        let resource = json!({ "uri": "fake://greeting", "name": "greeting", "mimeType": "text/plain" });
        let prompt = json!({ "name": "greet", "description": "Greets." });
        let greeting =
            json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": "Say hello." } }] });
        Self {
            name: "fake-mcp-server".to_owned(),
            instructions: None,
            versions: era.versions(),
            tools: FakeTool::standard(),
            resources: vec![(resource, "hello".to_owned())],
            prompts: vec![(prompt, greeting)],
            pages: Pages::One,
        }
    }

    pub(crate) fn server_info(&self) -> Value {
        json!({ "name": self.name, "version": env!("CARGO_PKG_VERSION") })
    }

    pub(crate) fn discover_result(&self) -> Value {
        let mut result = json!({ "supportedVersions": self.versions, "capabilities": self.capabilities() });
        self.add_instructions(&mut result);
        result
    }

    /// The answer to `initialize`: the requested revision if it is known, else the newest one
    /// (2025-11-25, lifecycle, "Version Negotiation").
    pub(crate) fn initialize_result(&self, requested: &str, forced: Option<&str>) -> Value {
        let legacy: Vec<&str> =
            self.versions.iter().map(String::as_str).filter(|v| *v < modern::REVISION).collect();
        let newest = legacy.first().copied().unwrap_or("2025-11-25");
        let agreed = if legacy.contains(&requested) { requested } else { newest };
        let mut result = json!({
            "protocolVersion": forced.unwrap_or(agreed),
            "capabilities": self.capabilities(),
            "serverInfo": self.server_info(),
        });
        self.add_instructions(&mut result);
        result
    }

    fn capabilities(&self) -> Value {
        json!({ "tools": { "listChanged": true }, "resources": {}, "prompts": {}, "logging": {} })
    }

    fn add_instructions(&self, result: &mut Value) {
        if let Some(instructions) = &self.instructions {
            result["instructions"] = json!(instructions);
        }
    }
}

/// A legacy session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) version: String,
    pub(crate) initialized: bool,
}

/// The whole state of a fake server.
#[derive(Debug)]
pub(crate) struct State {
    // What the test sets.
    pub(crate) era: FakeEra,
    pub(crate) catalogue: Catalogue,
    pub(crate) accept: Accept,
    pub(crate) refusal: Refusal,
    pub(crate) scopes: HashMap<String, String>,
    pub(crate) delivery: Delivery,
    pub(crate) sessions_on: bool,
    /// What is said of a session that the server does not know; the specification's 404 unless set.
    pub(crate) forgotten: Option<HttpAnswer>,
    pub(crate) delete_allowed: bool,
    pub(crate) get_stream: GetStream,
    pub(crate) initialize_version: Option<String>,
    pub(crate) always: Option<ScriptedAnswer>,
    pub(crate) always_to: HashMap<String, ScriptedAnswer>,
    pub(crate) next: VecDeque<ScriptedAnswer>,
    pub(crate) next_to: HashMap<String, VecDeque<ScriptedAnswer>>,
    pub(crate) routes: HashMap<String, ScriptedAnswer>,
    // What the server remembers.
    pub(crate) sessions: HashMap<String, Session>,
    pub(crate) sessions_made: u64,
    pub(crate) streams: Vec<OpenStream>,
    pub(crate) questions: HashMap<String, oneshot::Sender<Value>>,
    pub(crate) questions_asked: u64,
    pub(crate) resumable: HashMap<String, Value>,
    pub(crate) events_sent: u64,
    pub(crate) abandoned: u64,
    pub(crate) violations: Vec<String>,
}

impl State {
    pub(crate) fn new(era: FakeEra) -> Self {
        Self {
            era,
            catalogue: Catalogue::new(era),
            accept: Accept::Any,
            refusal: Refusal::default(),
            scopes: HashMap::new(),
            delivery: Delivery::Json,
            sessions_on: true,
            forgotten: None,
            delete_allowed: true,
            get_stream: GetStream::Open,
            initialize_version: None,
            always: None,
            always_to: HashMap::new(),
            next: VecDeque::new(),
            next_to: HashMap::new(),
            routes: HashMap::new(),
            sessions: HashMap::new(),
            sessions_made: 0,
            streams: Vec::new(),
            questions: HashMap::new(),
            questions_asked: 0,
            resumable: HashMap::new(),
            events_sent: 0,
            abandoned: 0,
            violations: Vec::new(),
        }
    }

    /// The scripted answer for a message, if any. `key` is the JSON-RPC method, or the HTTP method of a request without
    /// one. Answers for exactly this key come first; the general queue serves POSTs only, so that a GET stream opened
    /// in the background does not use up what a test meant for its call.
    pub(crate) fn scripted(&mut self, key: &str, is_post: bool) -> ScriptedAnswer {
        if let Some(answer) = self.next_to.get_mut(key).and_then(VecDeque::pop_front) {
            return answer;
        }
        if is_post && let Some(answer) = self.next.pop_front() {
            return answer;
        }
        self.always_to.get(key).or(self.always.as_ref()).cloned().unwrap_or(ScriptedAnswer::Honest)
    }

    /// Notes that the client broke a rule of the protocol.
    pub(crate) fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    pub(crate) fn new_session(&mut self, version: &str) -> String {
        self.sessions_made += 1;
        let id = format!("session-{}", self.sessions_made);
        self.sessions.insert(id.clone(), Session { version: version.to_owned(), initialized: false });
        id
    }

    /// A fresh id for a request to the client, and where its answer will arrive.
    pub(crate) fn new_question(&mut self) -> (String, oneshot::Receiver<Value>) {
        self.questions_asked += 1;
        let id = format!("question-{}", self.questions_asked);
        let (answer, wait) = oneshot::channel();
        self.questions.insert(id.clone(), answer);
        (id, wait)
    }

    pub(crate) fn new_event_id(&mut self) -> String {
        self.events_sent += 1;
        format!("event-{}", self.events_sent)
    }
}
