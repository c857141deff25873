//! A host that a test plays, in either era: over the standard streams of a bridge's process, or over streams in memory.

use std::collections::HashMap;
use std::fmt;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, oneshot};

/// What no answer may take: a call waits 30 s for a connection and may be tried twice; the rest is for a loaded machine.
const HANG: Duration = Duration::from_secs(75);

/// How a host speaks, and what it says of itself.
#[derive(Clone, Debug)]
pub struct HostProfile {
    /// Whether it is of the modern era (2026-07-28); of the legacy one otherwise.
    pub modern: bool,
    /// The capabilities that it declares.
    pub capabilities: Value,
    /// What it calls itself.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// From which level on it wants log messages, where a modern host says so.
    pub log_level: Option<&'static str>,
    /// What it sets in the environment of its bridge.
    pub environment: Vec<(&'static str, &'static str)>,
}

impl HostProfile {
    /// A host of the legacy era that can do nothing.
    #[must_use]
    pub fn legacy() -> Self {
        let (name, version) = ("host", "1");
        let capabilities = json!({});
        Self { modern: false, capabilities, name, version, log_level: None, environment: Vec::new() }
    }

    /// A host of the modern era that can do nothing.
    #[must_use]
    pub fn modern() -> Self {
        Self { modern: true, ..Self::legacy() }
    }

    /// With these capabilities.
    #[must_use]
    pub fn able(self, capabilities: Value) -> Self {
        Self { capabilities, ..self }
    }

    /// With a variable in the environment of its bridge.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }
}

/// A host with a bridge of its own.
pub struct FakeHost {
    child: Option<Child>,
    manner: HostProfile,
    lines: Option<mpsc::UnboundedSender<String>>,
    heard: Arc<HostLog>,
    next: AtomicU64,
}

#[derive(Default)]
struct HostLog {
    /// What it answers questions with; none are answered where there is none.
    word: Option<String>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    lines: Mutex<Vec<String>>,
    /// There is one line more.
    more: Notify,
    asked: Mutex<Vec<String>>,
    /// Responses that are not waited for: a request that was answered twice, or never made.
    stray: Mutex<Vec<Value>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeHost {
    /// A host that starts `bridge`, and answers what it is asked with its `word`. Nothing is said yet.
    ///
    /// # Panics
    ///
    /// The bridge cannot be started.
    pub fn start(bridge: impl Into<Command>, manner: HostProfile, word: &str) -> Self {
        let mut command = bridge.into();
        command.envs(manner.environment.iter().copied());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        let streams = (child.stdin.take(), child.stdout.take());
        let (Some(stdin), Some(stdout)) = streams else { panic!("both streams are piped") };
        Self { child: Some(child), ..Self::over(stdin, stdout, manner, Some(word)) }
    }

    /// The same, introduced.
    ///
    /// # Panics
    ///
    /// The bridge cannot be started, or does not answer.
    pub async fn introduced(bridge: impl Into<Command>, manner: HostProfile, word: &str) -> Self {
        let host = Self::start(bridge, manner, word);
        host.introduce().await;
        host
    }

    /// A host that writes to `input` and reads `output`, and answers what it is asked with its `word`, or not at all. Must be
    /// called inside a tokio runtime.
    pub fn over(
        mut input: impl AsyncWrite + Send + Unpin + 'static,
        output: impl AsyncRead + Send + Unpin + 'static,
        manner: HostProfile,
        word: Option<&str>,
    ) -> Self {
        let (lines, mut queue) = mpsc::unbounded_channel::<String>();
        tokio::spawn(async move {
            while let Some(mut line) = queue.recv().await {
                line.push('\n');
                if input.write_all(line.as_bytes()).await.is_err() {
                    return;
                }
            }
            // Fails where the bridge has gone already.
            drop(input.shutdown().await);
        });
        let heard = Arc::new(HostLog { word: word.map(str::to_owned), ..HostLog::default() });
        let (ears, weak) = (heard.clone(), lines.downgrade());
        tokio::spawn(async move {
            let mut output = BufReader::new(output).lines();
            while let Ok(Some(line)) = output.next_line().await {
                ears.take(line, &weak);
            }
        });
        Self { child: None, manner, lines: Some(lines), heard, next: AtomicU64::new(1) }
    }

    /// Opens the conversation as hosts of its era do; returns what it was told of the server.
    pub async fn introduce(&self) -> Value {
        if self.manner.modern {
            return self.ask("server/discover", json!({})).await["result"].clone();
        }
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": self.manner.capabilities,
            "clientInfo": { "name": self.manner.name, "version": self.manner.version },
        });
        let answer = self.ask("initialize", params).await;
        self.tell("notifications/initialized", None);
        answer["result"].clone()
    }

    /// Writes one line.
    pub fn write(&self, line: &str) {
        if let Some(lines) = &self.lines {
            // Fails when the bridge has gone, and then the wait for the response says so.
            let _ = lines.send(line.to_owned());
        }
    }

    /// Sends a notification.
    pub fn tell(&self, method: &str, params: Option<Value>) {
        let mut message = json!({ "jsonrpc": "2.0", "method": method });
        if let Some(params) = params {
            message["params"] = params;
        }
        self.write(&message.to_string());
    }

    /// Wants log messages of modern servers from this level on.
    pub fn set_log_level(&mut self, level: &'static str) {
        self.manner.log_level = Some(level);
    }

    /// Sends a request, with what its era wants in it; returns its id, and its whole response to come.
    pub fn request(&self, method: &str, mut params: Value) -> (u64, oneshot::Receiver<Value>) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        if self.manner.modern {
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            meta["io.modelcontextprotocol/clientInfo"] =
                json!({ "name": self.manner.name, "version": self.manner.version });
            meta["io.modelcontextprotocol/clientCapabilities"] = self.manner.capabilities.clone();
            if let Some(level) = self.manner.log_level {
                meta["io.modelcontextprotocol/logLevel"] = json!(level);
            }
        }
        let (tell, answer) = oneshot::channel();
        lock(&self.heard.waiting).insert(id, tell);
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
        (id, answer)
    }

    /// Sends a request; what is returned is its whole response.
    ///
    /// # Panics
    ///
    /// There is no response within 75 s.
    pub fn send(&self, method: &str, params: Value) -> impl Future<Output = Value> + use<> {
        let (id, response) = self.request(method, params);
        let (what, heard) = (format!("{method} {id}"), self.heard.clone());
        async move {
            match tokio::time::timeout(HANG, response).await {
                Ok(Ok(response)) => response,
                _ => panic!("{what} hangs; the host saw {:#?}", lock(&heard.lines)),
            }
        }
    }

    /// A request to its whole response.
    ///
    /// # Panics
    ///
    /// There is no response within 75 s.
    pub async fn ask(&self, method: &str, params: Value) -> Value {
        self.send(method, params).await
    }

    /// Calls a tool to its last word, answering what a modern server asks in between.
    ///
    /// # Panics
    ///
    /// There is no response within 75 s.
    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        let mut params = json!({ "name": tool, "arguments": arguments });
        loop {
            let answer = self.ask("tools/call", params.clone()).await;
            if answer["result"]["resultType"] != "input_required" || self.heard.word.is_none() {
                return answer;
            }
            let asked = answer["result"]["inputRequests"].as_object().cloned().unwrap_or_default();
            let responses: serde_json::Map<String, Value> = asked
                .iter()
                .map(|(key, question)| {
                    (key.clone(), self.heard.answer(question["method"].as_str().unwrap_or_default()))
                })
                .collect();
            params["inputResponses"] = responses.into();
            params["requestState"] = answer["result"]["requestState"].clone();
        }
    }

    /// Calls `echo`; returns its whole response.
    ///
    /// # Panics
    ///
    /// There is no response within 75 s.
    pub async fn echo(&self, text: &str) -> Value {
        self.call("echo", json!({ "text": text })).await
    }

    /// Calls `echo`, which must succeed.
    ///
    /// # Panics
    ///
    /// It does not.
    pub async fn echoes(&self, text: &str) {
        let answer = self.echo(text).await;
        assert_eq!(answer["result"]["content"][0]["text"], text, "{answer}");
    }

    /// Waits for a message that is `wanted`, from the first one on.
    ///
    /// # Panics
    ///
    /// There is none within 75 s.
    pub async fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let more = self.heard.more.notified();
                if let Some(found) = self.messages().into_iter().find(|message| wanted(message)) {
                    return found;
                }
                more.await;
            }
        };
        match tokio::time::timeout(HANG, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("the host never saw {what}; it saw {:#?}", self.lines()),
        }
    }

    /// Every line that it was told, as it was written.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        lock(&self.heard.lines).clone()
    }

    /// Every message that it was told.
    ///
    /// # Panics
    ///
    /// A line is not JSON.
    #[must_use]
    pub fn messages(&self) -> Vec<Value> {
        self.lines().iter().map(|line| read(line)).collect()
    }

    /// Forgets what it was told.
    pub fn forget(&self) {
        lock(&self.heard.lines).clear();
    }

    /// The parameters of what it was told by this notification.
    #[must_use]
    pub fn notifications(&self, method: &str) -> Vec<Value> {
        let notices =
            self.messages().into_iter().filter(|notice| notice["method"] == method && notice["id"].is_null());
        notices.map(|mut notice| notice["params"].take()).collect()
    }

    /// The methods of what it was asked.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        lock(&self.heard.asked).clone()
    }

    /// Responses that belong to no request.
    #[must_use]
    pub fn stray(&self) -> Vec<Value> {
        lock(&self.heard.stray).clone()
    }

    /// The process of its bridge.
    ///
    /// # Panics
    ///
    /// Its bridge is not a process, or has been waited for.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("the bridge is a process")
    }

    /// Kills the bridge: it cannot do anything more.
    ///
    /// # Panics
    ///
    /// It cannot be killed.
    pub async fn kill(mut self) {
        let child = self.child.as_mut().expect("the bridge is a process");
        child.kill().await.expect("a child can be killed");
    }

    /// Closes its side; the bridge hears it when it has read what was written.
    pub fn close_input(&mut self) {
        self.lines = None;
    }

    /// Closes its side, and waits until the bridge has ended by itself.
    ///
    /// # Panics
    ///
    /// It does not end within 75 s, fails, or has answered what was not asked.
    pub async fn close(mut self) {
        self.close_input();
        assert!(self.stray().is_empty(), "stray responses: {:?}", self.stray());
        let child = self.child.as_mut().expect("the bridge is a process");
        let status = tokio::time::timeout(HANG, child.wait()).await.expect("the bridge does not end");
        let status = status.expect("a child can be waited for");
        assert!(status.success(), "{status}");
    }
}

impl fmt::Debug for FakeHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeHost")
            .field("child", &self.child)
            .field("manner", &self.manner)
            .finish_non_exhaustive()
    }
}

impl HostLog {
    fn take(&self, line: String, lines: &mpsc::WeakUnboundedSender<String>) {
        let message = read(&line);
        lock(&self.lines).push(line);
        match (message["method"].as_str(), &message["id"]) {
            (Some(_), Value::Null) => {}
            (Some(method), id) if self.word.is_some() => {
                let answer = json!({ "jsonrpc": "2.0", "id": id, "result": self.answer(method) });
                if let Some(lines) = lines.upgrade() {
                    // The bridge may have gone meanwhile.
                    let _ = lines.send(answer.to_string());
                }
            }
            (Some(method), _) => lock(&self.asked).push(method.to_owned()),
            (None, id) => {
                let waiting = id.as_u64().and_then(|id| lock(&self.waiting).remove(&id));
                match waiting {
                    // The test may have given up on it.
                    Some(waiting) => drop(waiting.send(message)),
                    None => lock(&self.stray).push(message),
                }
            }
        }
        self.more.notify_waiters();
    }

    fn answer(&self, method: &str) -> Value {
        lock(&self.asked).push(method.to_owned());
        let word = self.word.as_deref().unwrap_or_default();
        match method {
            "roots/list" => json!({ "roots": [{ "uri": format!("file:///{word}") }] }),
            _ => json!({ "action": "accept", "content": { "word": word } }),
        }
    }
}

fn read(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}
