//! A home in which several hosts have a bridge each, and the hosts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use mcp_bridge::SharingRole;
use mcp_bridge::control::{Places, SessionInfo, sessions};
use mcp_testkit::{FakeEra, FakeMcpServer, TempHome};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;

pub(crate) use mcp_harness::{FakeHost as Host, HostProfile};

/// A server of the legacy era, without anything special.
pub(crate) fn legacy_server() -> FakeMcpServer {
    FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap()
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

    /// A file in the home.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        self.home.write(name, text).unwrap();
        self.home.home().join(name)
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
        sessions(&Places::only(self.sockets()), Duration::from_secs(10)).await.live
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

    /// Where one bridge listens to commands.
    pub(crate) fn control_socket(&self, pid: u32) -> PathBuf {
        let files = std::fs::read_dir(self.sockets()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let is_its = |name: &String| name.starts_with(&format!("{pid}-0")) && name.ends_with("-own.sock");
        self.sockets().join(names.into_iter().find(is_its).unwrap())
    }

    /// Has one bridge reconnect, as `mcplink reconnect` asks each of them.
    pub(crate) async fn reconnect(&self, pid: u32) {
        let socket = self.control_socket(pid);
        let (input, mut output) = UnixStream::connect(socket).await.unwrap().into_split();
        output.write_all(b"{\"op\":\"reconnect\"}\n").await.unwrap();
        let answer = tokio::time::timeout(crate::HANG, BufReader::new(input).lines().next_line()).await;
        let info: SessionInfo = serde_json::from_str(&answer.unwrap().unwrap().unwrap()).unwrap();
        assert!(info.report.get().contains("\"connected\""), "{info:?}");
    }

    /// What each bridge is, by its process.
    pub(crate) async fn roles(&self) -> HashMap<u32, SharingRole> {
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
                .filter(
                    |(_, role)| matches!(role, SharingRole::Owner { guests } if *guests + 1 == bridges.len()),
                )
                .map(|(pid, _)| *pid)
                .collect();
            let [pid] = owners[..] else { return false };
            owner = pid;
            bridges.iter().all(|bridge| {
                let role = roles.get(bridge);
                *bridge == pid || role == Some(&SharingRole::Guest { via: pid })
            })
        })
        .await;
        owner
    }
}

/// The bridge that a host of this home starts.
impl From<&Stage> for Command {
    fn from(stage: &Stage) -> Self {
        stage.mcplink(&["bridge", "remote", "--shared"])
    }
}
