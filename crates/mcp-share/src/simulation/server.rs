//! A server in memory that takes its time, and counts what it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use mcp_harness::{Random, Trace};
use mcp_status::{Evidence, FailureRun, Outcome, Phase};
use mcp_transport::stream::{OpenFuture, Stream, StreamOpener};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(super) struct Server {
    trace: Trace,
    state: Mutex<State>,
}

struct State {
    random: Random,
    is_away: bool,
    connections: BTreeMap<u64, CancellationToken>,
    opened: u64,
    executed: BTreeMap<String, u32>,
}

impl Server {
    pub(super) fn new(seed: u64, trace: Trace) -> Arc<Self> {
        let state = State {
            random: Random::new(seed.wrapping_add(1 << 32)),
            is_away: false,
            connections: BTreeMap::new(),
            opened: 0,
            executed: BTreeMap::new(),
        };
        Arc::new(Self { trace, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How many connections it has now.
    pub(super) fn connections(&self) -> usize {
        self.state().connections.len()
    }

    /// How often each call ran.
    pub(super) fn executed(&self) -> BTreeMap<String, u32> {
        self.state().executed.clone()
    }

    pub(super) fn drop_connections(&self) {
        self.trace.note("the server drops its connections");
        self.state().connections.values().for_each(CancellationToken::cancel);
    }

    /// Whether it can be reached from now on.
    pub(super) fn is_away(&self, away: bool) {
        self.trace.note(format_args!("the server is away: {away}"));
        self.state().is_away = away;
        if away {
            self.drop_connections();
        }
    }

    async fn take_time(&self) {
        let moment = self.state().random.between(Duration::ZERO, Duration::from_millis(40));
        tokio::time::sleep(moment).await;
    }

    async fn serve(self: Arc<Self>, stream: DuplexStream) {
        let (number, dropped) = {
            let mut state = self.state();
            state.opened += 1;
            let (number, dropped) = (state.opened, CancellationToken::new());
            state.connections.insert(number, dropped.clone());
            (number, dropped)
        };
        self.trace.note(format_args!("connection {number} begins"));
        dropped.run_until_cancelled(self.converse(stream)).await;
        self.state().connections.remove(&number);
        self.trace.note(format_args!("connection {number} has ended"));
    }

    async fn converse(&self, stream: DuplexStream) {
        let (input, mut output) = tokio::io::split(stream);
        let mut lines = BufReader::new(input).lines();
        let mut answering = JoinSet::new();
        loop {
            tokio::select! {
                line = lines.next_line() => {
                    let Ok(Some(line)) = line else { return };
                    let message: Value = serde_json::from_str(&line).unwrap();
                    let Some(answer) = self.answer(&message) else { continue };
                    let moment = self.state().random.between(Duration::ZERO, Duration::from_millis(80));
                    answering.spawn(async move {
                        tokio::time::sleep(moment).await;
                        answer
                    });
                }
                Some(answer) = answering.join_next() => {
                    if output.write_all(format!("{}\n", answer.unwrap()).as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// The answer to a message; `None` where none is due. This is where a call runs.
    fn answer(&self, message: &Value) -> Option<Value> {
        let (id, method) = (message.get("id")?, message["method"].as_str()?);
        let result = match method {
            "initialize" => json!({
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "simulated", "version": "1" },
            }),
            "ping" => json!({}),
            "tools/list" => {
                json!({ "tools": [{ "name": "echo", "inputSchema": { "type": "object" } }] })
            }
            "tools/call" => {
                let text = message["params"]["arguments"]["text"].as_str().unwrap().to_owned();
                self.trace.note(format_args!("the server runs {text}"));
                *self.state().executed.entry(text.clone()).or_default() += 1;
                json!({ "content": [{ "type": "text", "text": text }] })
            }
            _ => {
                let error = json!({ "code": -32601, "message": "no" });
                return Some(json!({ "jsonrpc": "2.0", "id": id, "error": error }));
            }
        };
        Some(json!({ "jsonrpc": "2.0", "id": id, "result": result }))
    }
}

/// Opens streams to a server.
pub(super) struct ServerOpener(pub(super) Arc<Server>);

impl StreamOpener for ServerOpener {
    fn open(&self) -> OpenFuture<'_> {
        Box::pin(async {
            self.0.take_time().await;
            if self.0.state().is_away {
                return Err(FailureRun::of_one(Evidence::new(Phase::Connect, Outcome::Unreachable)));
            }
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            tokio::spawn(self.0.clone().serve(theirs));
            let (input, output) = tokio::io::split(ours);
            Ok(Stream::new(input, output))
        })
    }
}
