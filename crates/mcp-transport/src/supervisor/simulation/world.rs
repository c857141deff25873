//! A server, its network and its source of credentials, in memory: what they do is decided by a seed and a fault.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mcp_auth::AuthErrorKind;
use mcp_harness::Trace;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::message::{Era, METHOD_NOT_FOUND, ProtocolRevision, UNSUPPORTED_VERSION};
use crate::seeded::Random;

/// How a server is reached, and how it answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// Streamable HTTP of the legacy era, with JSON.
    Json,
    /// The same with event streams, and one that the server keeps.
    Events,
    /// Streamable HTTP of the modern era.
    Modern,
    /// HTTP+SSE of 2024-11-05.
    HttpSse,
    /// A stream with the framing of stdio.
    Stream,
}

impl Way {
    pub(super) const ALL: [Self; 5] = [Self::Json, Self::Events, Self::Modern, Self::HttpSse, Self::Stream];

    pub(super) fn is_http(self) -> bool {
        self != Self::Stream
    }

    pub(super) fn era(self) -> Era {
        if self == Self::Modern { Era::Modern } else { Era::Legacy }
    }
}

/// What is wrong, for as long as it is.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// Nothing listens.
    Refused,
    /// The name leads nowhere.
    Unresolved,
    /// Its certificate has expired.
    Tls,
    /// The connection is reset before an answer.
    Reset,
    /// What is sent is taken, and nothing comes back.
    Silent,
    /// Answers break off after so many bytes.
    Cut(usize),
    /// Answers stop after so many bytes, and stay like that.
    Stalled(usize),
    /// Everything is answered like this.
    Http(u16, &'static [(&'static str, &'static str)], &'static str),
    /// Everything is answered with this error of JSON-RPC.
    Rpc(i64),
    /// No revision in common.
    Version,
    /// Its tools cannot be listed.
    NoTools,
    /// The source of credentials fails.
    Source(AuthErrorKind),
}

impl Fault {
    /// Whether what was open is gone.
    fn breaks_streams(&self) -> bool {
        match self {
            Self::Refused | Self::Unresolved | Self::Tls | Self::Reset | Self::Cut(_) => true,
            Self::Http(status, ..) => *status != 429,
            Self::Silent | Self::Stalled(_) | Self::Rpc(_) => false,
            Self::Version | Self::NoTools | Self::Source(_) => false,
        }
    }
}

pub(super) type Piece = io::Result<Bytes>;

pub(super) struct World {
    pub(super) way: Way,
    seed: u64,
    trace: Trace,
    state: Mutex<State>,
}

pub(super) struct State {
    /// How many numbers were drawn for each.
    pub(super) drawn: BTreeMap<String, u64>,
    pub(super) fault: Option<Fault>,
    /// The number of the token that is taken; any is, where `None`.
    pub(super) accepted: Option<u64>,
    pub(super) next: u64,
    pub(super) sessions: BTreeSet<String>,
    /// Streams that stand open, by what they are called.
    pub(super) open: BTreeMap<String, mpsc::UnboundedSender<Piece>>,
    pub(super) executed: BTreeMap<String, u32>,
    pub(super) fetches: u32,
    /// What must not happen, and did.
    pub(super) wrong: Vec<String>,
}

impl World {
    pub(super) fn new(way: Way, seed: u64, trace: Trace) -> Arc<Self> {
        let state = State {
            drawn: BTreeMap::new(),
            fault: None,
            accepted: None,
            next: 0,
            sessions: BTreeSet::new(),
            open: BTreeMap::new(),
            executed: BTreeMap::new(),
            fetches: 0,
            wrong: Vec::new(),
        };
        Arc::new(Self { way, seed, trace, state: Mutex::new(state) })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that happened, for the trace of a seed.
    pub(super) fn note(&self, what: impl Display) {
        self.trace.note(what);
    }

    /// The next number in `0..bound` of those that are drawn for `who`. Each has a row of its own, so that which comes first of
    /// several that are ready at one moment, which is tokio's to choose, changes nothing for the others.
    pub(super) fn below(&self, who: &str, bound: usize) -> usize {
        let mut state = self.state();
        let drawn = state.drawn.entry(who.to_owned()).or_default();
        *drawn += 1;
        let named =
            who.bytes().fold(self.seed, |sum, byte| sum.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte));
        Random::new(named.wrapping_add(*drawn << 40)).below(bound)
    }

    pub(super) fn set(&self, fault: Option<Fault>) {
        self.note(format!("fault {fault:?}"));
        let mut state = self.state();
        if fault.as_ref().is_some_and(Fault::breaks_streams) {
            state.break_streams();
        }
        state.fault = fault;
    }

    pub(super) fn forget_sessions(&self) {
        self.note("sessions forgotten");
        let mut state = self.state();
        state.sessions.clear();
        state.break_streams();
    }

    pub(super) fn drop_streams(&self) {
        self.note("streams dropped");
        self.state().break_streams();
    }

    /// Another token is taken from now on.
    pub(super) fn rotate(&self) {
        self.note("token rotated");
        let mut state = self.state();
        state.accepted = Some(state.accepted.map_or(1, |number| number + 1));
    }

    /// How often each call ran.
    pub(super) fn executed(&self) -> BTreeMap<String, u32> {
        self.state().executed.clone()
    }

    /// What must not happen, and did.
    pub(super) fn wrong(&self) -> Vec<String> {
        self.state().wrong.clone()
    }

    pub(super) fn rotations(&self) -> u32 {
        self.state().accepted.and_then(|number| number.try_into().ok()).unwrap_or_default()
    }

    pub(super) fn fetches(&self) -> u32 {
        self.state().fetches
    }

    /// What is still open at the server: streams that were not given up.
    pub(super) fn open_streams(&self) -> usize {
        self.state().open.values().filter(|stream| !stream.is_closed()).count()
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.state().fault.clone()
    }

    /// The answer to a message; `None` where none is due. This is where a call runs.
    pub(super) fn answer(&self, message: &Value) -> Option<Value> {
        let id = message.get("id")?;
        let method = message["method"].as_str()?;
        self.note(format!(
            "served {method} {}",
            message["params"]["arguments"]["text"].as_str().unwrap_or("")
        ));
        let failed = |code: i64, data: Value| {
            json!({ "jsonrpc": "2.0", "id": id,
                "error": { "code": code, "message": "no", "data": data } })
        };
        let era = self.way.era();
        match (self.fault(), method) {
            (Some(Fault::Rpc(code)), _) => return Some(failed(code, Value::Null)),
            (Some(Fault::NoTools), "tools/list") => return Some(failed(-32603, Value::Null)),
            (Some(Fault::Version), "initialize" | "server/discover") => {
                return Some(failed(
                    UNSUPPORTED_VERSION,
                    json!({ "supported": ["1999-01-01"], "requested": "" }),
                ));
            }
            _ => {}
        }
        let result = match method {
            "initialize" if era == Era::Legacy => json!({
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "simulated", "version": "1" },
            }),
            "initialize" => {
                let supported = [ProtocolRevision::NEWEST_MODERN.as_str()];
                return Some(failed(UNSUPPORTED_VERSION, json!({ "supported": supported, "requested": "" })));
            }
            "server/discover" if era == Era::Modern => json!({
                "supportedVersions": [ProtocolRevision::NEWEST_MODERN.as_str()],
                "capabilities": { "tools": {} },
                "resultType": "complete", "ttlMs": 0, "cacheScope": "private",
            }),
            "ping" if era == Era::Legacy => json!({}),
            "tools/list" => json!({
                "tools": [{ "name": "echo", "inputSchema": { "type": "object" } }],
                "resultType": "complete", "ttlMs": 0, "cacheScope": "private",
            }),
            "tools/call" => {
                let text = message["params"]["arguments"]["text"].as_str().unwrap_or_default().to_owned();
                *self.state().executed.entry(text.clone()).or_default() += 1;
                json!({ "content": [{ "type": "text", "text": text }], "resultType": "complete" })
            }
            _ => return Some(failed(METHOD_NOT_FOUND, Value::Null)),
        };
        Some(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
    }
}

impl State {
    fn break_streams(&mut self) {
        for stream in std::mem::take(&mut self.open).into_values() {
            let _ = stream.send(Err(reset()));
        }
    }
}

pub(super) fn reset() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}
