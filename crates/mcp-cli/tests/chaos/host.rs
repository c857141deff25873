//! A host with a bridge of its own, as a process, and what others see of the bridge's session.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_bridge::control::{Answer, Places, Request, ask_all, sessions};
use mcp_testkit::TempHome;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot};

/// A home whose bridge leads to one URL.
#[derive(Debug)]
pub(crate) struct Stage {
    home: TempHome,
    environment: Vec<(String, String)>,
}

impl Stage {
    /// `entry` is the server entry of `remote`.
    pub(crate) fn new(entry: &Value) -> Self {
        let home = TempHome::new().unwrap();
        home.write(".claude.json", json!({ "mcpServers": { "remote": entry } }).to_string()).unwrap();
        Self { home, environment: Vec::new() }
    }

    /// Sets a variable for everything that is started from now on.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The program with these arguments, in this home.
    pub(crate) fn mcplink(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcplink"));
        command
            .args(arguments)
            .env_clear()
            .envs(self.home.environment("/usr/local/bin:/usr/bin:/bin"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home.project())
            .kill_on_drop(true);
        command
    }

    /// Where the socket of its session is.
    fn sockets(&self) -> PathBuf {
        PathBuf::from(&self.home.environment("")["MCPLINK_RUNTIME_DIR"])
    }

    /// The status of the bridge as others see it, or `None` where there is no session.
    pub(crate) async fn status(&self) -> Option<String> {
        let found = sessions(&Places::only(self.sockets()), Duration::from_secs(10), |_| true).await;
        let report: Value = serde_json::from_str(found.first()?.report.get()).unwrap();
        Some(report["status"].as_str().unwrap().to_owned())
    }

    /// Has the bridge reconnect, as `mcplink reconnect` does, without its probe.
    pub(crate) async fn reconnect(&self) {
        let answers = ask_all(&Places::only(self.sockets()), Request::Reconnect, crate::HANG, |_| true).await;
        assert!(matches!(&answers[..], [Answer::Info(_)]), "{answers:?}");
    }
}

/// A host of the legacy era.
#[derive(Debug)]
pub(crate) struct Host {
    child: Child,
    lines: mpsc::UnboundedSender<String>,
    waiting: Arc<Waiting>,
    next: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    asked: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    /// Responses that are not waited for: a request that was answered twice, or never made.
    stray: Mutex<Vec<Value>>,
    told: Mutex<Vec<String>>,
}

impl Host {
    /// Starts a bridge; nothing is said yet.
    pub(crate) fn start(stage: &Stage) -> Self {
        let mut command = stage.mcplink(&["bridge", "remote"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (lines, queue) = mpsc::unbounded_channel();
        tokio::spawn(write(child.stdin.take().unwrap(), queue));
        let waiting = Arc::new(Waiting::default());
        let (heard, stdout) = (waiting.clone(), child.stdout.take().unwrap());
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                heard.take(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, lines, waiting, next: AtomicU64::new(1) }
    }

    /// Starts a bridge and introduces itself.
    pub(crate) async fn introduced(stage: &Stage) -> Self {
        let host = Self::start(stage);
        host.introduce().await;
        host
    }

    pub(crate) async fn introduce(&self) -> Value {
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "host", "version": "1" },
        });
        let answer = self.ask("initialize", params).await;
        self.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        answer["result"].clone()
    }

    fn say(&self, message: &Value) {
        // Fails when the bridge has gone, and then the wait for the response says so.
        let _ = self.lines.send(message.to_string());
    }

    /// A request to its whole response.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (tell, told) = oneshot::channel();
        self.waiting.asked.lock().unwrap().insert(id, tell);
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let answer = tokio::time::timeout(crate::HANG, told).await;
        answer.unwrap_or_else(|_| panic!("{method} {id} hangs")).unwrap()
    }

    pub(crate) async fn echo(&self, text: &str) -> Value {
        self.ask("tools/call", json!({ "name": "echo", "arguments": { "text": text } })).await
    }

    /// Calls `echo`, which must succeed.
    pub(crate) async fn echoes(&self, text: &str) {
        let answer = self.echo(text).await;
        assert_eq!(answer["result"]["content"][0]["text"], text, "{answer}");
    }

    /// Responses that belong to no request.
    pub(crate) fn stray(&self) -> Vec<Value> {
        self.waiting.stray.lock().unwrap().clone()
    }

    /// How often it was told this.
    pub(crate) fn told(&self, method: &str) -> usize {
        self.waiting.told.lock().unwrap().iter().filter(|told| *told == method).count()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Closes its side, and waits until the bridge has ended by itself.
    pub(crate) async fn close(mut self) {
        drop(self.lines);
        let status = tokio::time::timeout(crate::HANG, self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Waiting {
    fn take(&self, message: Value) {
        if let Some(method) = message["method"].as_str() {
            self.told.lock().unwrap().push(method.to_owned());
            return;
        }
        let asked = message["id"].as_u64().and_then(|id| self.asked.lock().unwrap().remove(&id));
        match asked {
            // There is no one to tell: the test has given up on it and failed.
            Some(asked) => drop(asked.send(message)),
            None => self.stray.lock().unwrap().push(message),
        }
    }
}

async fn write(mut stdin: ChildStdin, mut lines: mpsc::UnboundedReceiver<String>) {
    while let Some(mut line) = lines.recv().await {
        line.push('\n');
        if stdin.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}
