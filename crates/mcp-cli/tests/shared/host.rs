//! A home in which several hosts have a bridge each, and the hosts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_bridge::Role;
use mcp_bridge::control::{Places, SessionInfo, sessions};
use mcp_testkit::{Era, FakeMcpServer, TempHome};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

/// A server of the legacy era, without anything special.
pub(crate) fn legacy_server() -> FakeMcpServer {
    FakeMcpServer::builder().era(Era::Legacy).start().unwrap()
}

/// A home with one server entry, `remote`.
#[derive(Debug)]
pub(crate) struct Stage {
    home: TempHome,
}

impl Stage {
    pub(crate) fn new(entry: Value) -> Self {
        let stage = Self { home: TempHome::new().unwrap() };
        stage.rewrite(entry);
        stage
    }

    /// A home whose entry is this server.
    pub(crate) fn at(server: &FakeMcpServer) -> Self {
        Self::new(json!({ "type": "http", "url": server.url().as_str() }))
    }

    /// The socket of the shared connection.
    pub(crate) fn shared_socket(&self) -> PathBuf {
        let mut entries = std::fs::read_dir(self.sockets()).unwrap().map(|entry| entry.unwrap().path());
        entries.find(|path| path.extension().is_some_and(|extension| extension == "shared")).unwrap()
    }

    /// Another entry in the place of the one that is there.
    pub(crate) fn rewrite(&self, entry: Value) {
        self.home.write(".claude.json", json!({ "mcpServers": { "remote": entry } }).to_string()).unwrap();
    }

    /// The program with these arguments, in this home.
    pub(crate) fn mcplink(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcplink"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.home.environment("/usr/local/bin:/usr/bin:/bin"))
            .current_dir(self.home.project())
            .kill_on_drop(true);
        command
    }

    /// The document that a command prints, whatever its exit code.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.mcplink(arguments).stdin(Stdio::null()).output().await.unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Where the sockets are.
    pub(crate) fn sockets(&self) -> PathBuf {
        PathBuf::from(&self.home.environment("")["MCPLINK_RUNTIME_DIR"])
    }

    async fn sessions(&self) -> Vec<SessionInfo> {
        sessions(&Places::only(self.sockets()), Duration::from_secs(10), |_| true).await
    }

    /// The status of a bridge as others see it, with the code of its reason.
    pub(crate) async fn status(&self, pid: u32) -> (String, Option<String>) {
        let found = self.sessions().await;
        let Some(info) = found.iter().find(|info| info.pid == pid) else { return ("none".to_owned(), None) };
        let report: Value = serde_json::from_str(info.report.get()).unwrap();
        let code = report["reason"]["code"].as_str().map(str::to_owned);
        (report["status"].as_str().unwrap().to_owned(), code)
    }

    /// What two bridges show, each as its status with the code, the words and the next command of its reason.
    pub(crate) async fn shown(&self, bridges: [u32; 2]) -> [Value; 2] {
        let found = self.sessions().await;
        bridges.map(|pid| {
            let Some(info) = found.iter().find(|info| info.pid == pid) else { return Value::Null };
            let report: Value = serde_json::from_str(info.report.get()).unwrap();
            let reason = &report["reason"];
            let actions = &report["actions"];
            json!([report["status"], reason["code"], reason["message"], reason["next"], actions])
        })
    }

    /// Has one bridge reconnect, as `mcplink reconnect` asks each of them.
    pub(crate) async fn reconnect(&self, pid: u32) {
        let socket = self.sockets().join(format!("{pid}-0.sock"));
        let (input, mut output) = UnixStream::connect(socket).await.unwrap().into_split();
        output.write_all(b"{\"op\":\"reconnect\"}\n").await.unwrap();
        let answer = tokio::time::timeout(crate::HANG, BufReader::new(input).lines().next_line()).await;
        let info: SessionInfo = serde_json::from_str(&answer.unwrap().unwrap().unwrap()).unwrap();
        assert!(info.report.get().contains("\"connected\""), "{info:?}");
    }

    /// What each bridge is, by its process.
    pub(crate) async fn roles(&self) -> HashMap<u32, Role> {
        let found = self.sessions().await;
        found.iter().filter_map(|info| Some((info.pid, info.shared?))).collect()
    }

    /// The process that keeps the connection, once each of `bridges` is on the one connection there is.
    pub(crate) async fn owner(&self, bridges: &[u32]) -> u32 {
        let mut owner = 0;
        crate::eventually("one bridge keeps the connection of all", async || {
            let roles = self.roles().await;
            let owners: Vec<u32> = roles
                .iter()
                .filter(|(_, role)| matches!(role, Role::Owner { guests } if *guests + 1 == bridges.len()))
                .map(|(pid, _)| *pid)
                .collect();
            let [pid] = owners[..] else { return false };
            owner = pid;
            bridges.iter().all(|bridge| {
                let role = roles.get(bridge);
                *bridge == pid || role == Some(&Role::Guest { via: pid })
            })
        })
        .await;
        owner
    }
}

/// How a host speaks, and what it says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    pub(crate) modern: bool,
    pub(crate) capabilities: Value,
    pub(crate) name: &'static str,
    pub(crate) environment: Vec<(&'static str, &'static str)>,
}

impl Manner {
    pub(crate) fn legacy() -> Self {
        Self { modern: false, capabilities: json!({}), name: "host", environment: Vec::new() }
    }

    pub(crate) fn modern() -> Self {
        Self { modern: true, ..Self::legacy() }
    }

    pub(crate) fn able(self, capabilities: Value) -> Self {
        Self { capabilities, ..self }
    }

    pub(crate) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }
}

/// A host with a bridge of its own, as a process. It answers what it is asked with its `word`.
#[derive(Debug)]
pub(crate) struct Host {
    child: Child,
    manner: Manner,
    lines: mpsc::UnboundedSender<String>,
    heard: Arc<Heard>,
    next: AtomicU64,
}

#[derive(Debug, Default)]
struct Heard {
    word: String,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    told: Mutex<Vec<Value>>,
    asked: Mutex<Vec<String>>,
}

impl Host {
    /// Starts a bridge; nothing is said yet.
    pub(crate) fn start(stage: &Stage, manner: Manner, word: &str) -> Self {
        let mut child = stage
            .mcplink(&["bridge", "remote", "--shared"])
            .envs(manner.environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, mut queue) = mpsc::unbounded_channel::<String>();
        let mut stdin = child.stdin.take().unwrap();
        tokio::spawn(async move {
            while let Some(mut line) = queue.recv().await {
                line.push('\n');
                if stdin.write_all(line.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        let heard = Arc::new(Heard { word: word.to_owned(), ..Heard::default() });
        let (ears, stdout, weak) = (heard.clone(), child.stdout.take().unwrap(), lines.downgrade());
        tokio::spawn(async move {
            let mut stdout = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = stdout.next_line().await {
                ears.take(serde_json::from_str(&line).unwrap(), &weak);
            }
        });
        Self { child, manner, lines, heard, next: AtomicU64::new(1) }
    }

    /// Starts a bridge and introduces itself.
    pub(crate) async fn introduced(stage: &Stage, manner: Manner, word: &str) -> Self {
        let host = Self::start(stage, manner, word);
        host.introduce().await;
        host
    }

    pub(crate) async fn introduce(&self) {
        if self.manner.modern {
            self.ask("server/discover", json!({})).await;
            return;
        }
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": self.manner.capabilities,
            "clientInfo": { "name": self.manner.name, "version": "1" },
        });
        self.ask("initialize", params).await;
        self.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    }

    fn say(&self, message: &Value) {
        // Fails when the bridge has gone, and then the wait for the response says so.
        let _ = self.lines.send(message.to_string());
    }

    /// Sends a request; what is returned is its whole response.
    pub(crate) fn send(&self, method: &str, mut params: Value) -> impl Future<Output = Value> + use<> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        if self.manner.modern {
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            meta["io.modelcontextprotocol/clientInfo"] = json!({ "name": self.manner.name, "version": "1" });
            meta["io.modelcontextprotocol/clientCapabilities"] = self.manner.capabilities.clone();
        }
        let (tell, told) = oneshot::channel();
        self.heard.waiting.lock().unwrap().insert(id, tell);
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let what = format!("{method} {id}");
        async move {
            let answer = tokio::time::timeout(crate::HANG, told).await;
            answer.unwrap_or_else(|_| panic!("{what} hangs")).unwrap()
        }
    }

    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        self.send(method, params).await
    }

    /// Calls a tool to its last word, answering what a modern server asks in between.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let mut params = json!({ "name": tool, "arguments": arguments });
        loop {
            let answer = self.ask("tools/call", params.clone()).await;
            if answer["result"]["resultType"] != "input_required" {
                return answer;
            }
            let asked = answer["result"]["inputRequests"].as_object().unwrap();
            let responses: serde_json::Map<String, Value> = asked
                .iter()
                .map(|(key, question)| (key.clone(), self.heard.answer(question["method"].as_str().unwrap())))
                .collect();
            params["inputResponses"] = responses.into();
            params["requestState"] = answer["result"]["requestState"].clone();
        }
    }

    /// Calls `echo`, which must succeed.
    pub(crate) async fn echoes(&self, text: &str) {
        let answer = self.call("echo", json!({ "text": text })).await;
        assert_eq!(answer["result"]["content"][0]["text"], text, "{answer}");
    }

    /// The parameters of what it was told by this notification.
    pub(crate) fn told(&self, method: &str) -> Vec<Value> {
        let told = self.heard.told.lock().unwrap();
        told.iter().filter(|told| told["method"] == method).map(|told| told["params"].clone()).collect()
    }

    /// What it was asked.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.heard.asked.lock().unwrap().clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Kills the bridge: it cannot do anything more.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Closes its side, and waits until the bridge has ended by itself.
    pub(crate) async fn close(mut self) {
        drop(self.lines);
        let status = tokio::time::timeout(crate::HANG, self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Heard {
    fn take(&self, message: Value, lines: &mpsc::WeakUnboundedSender<String>) {
        match (message["method"].as_str(), &message["id"]) {
            (Some(_), Value::Null) => self.told.lock().unwrap().push(message),
            (Some(method), id) => {
                let answer = json!({ "jsonrpc": "2.0", "id": id, "result": self.answer(method) });
                if let Some(lines) = lines.upgrade() {
                    // The bridge may have gone meanwhile.
                    let _ = lines.send(answer.to_string());
                }
            }
            (None, id) => {
                let waiting = id.as_u64().and_then(|id| self.waiting.lock().unwrap().remove(&id));
                // Each response answers a request, once.
                drop(waiting.unwrap_or_else(|| panic!("a stray response: {message}")).send(message));
            }
        }
    }

    fn answer(&self, method: &str) -> Value {
        self.asked.lock().unwrap().push(method.to_owned());
        match method {
            "roots/list" => json!({ "roots": [{ "uri": format!("file:///{}", self.word) }] }),
            _ => json!({ "action": "accept", "content": { "word": self.word } }),
        }
    }
}
