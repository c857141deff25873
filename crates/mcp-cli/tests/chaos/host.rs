//! A host with a bridge of its own, as a process, and what others see of the bridge's session.

use std::path::PathBuf;
use std::time::Duration;

use mcp_bridge::control::{ControlAnswer, ControlRequest, Places, ask_all, sessions};
use mcp_harness::{FakeHost, HostProfile};
use mcp_testkit::TempHome;
use serde_json::{Value, json};
use tokio::process::Command;

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
        let found = sessions(&Places::only(self.sockets()), Duration::from_secs(10)).await.live;
        let report: Value = serde_json::from_str(found.first()?.report.get()).unwrap();
        Some(report["status"].as_str().unwrap().to_owned())
    }

    /// Has the bridge reconnect, as `mcplink reconnect` does, without its probe.
    pub(crate) async fn reconnect(&self) {
        let places = Places::only(self.sockets());
        let asked =
            ask_all(&places, ControlRequest::Reconnect, crate::HANG, |_| true, |_| true, |_| false).await;
        assert!(matches!(&asked.answers[..], [ControlAnswer::Info(_)]), "{asked:?}");
    }
}

/// The bridge that a host of this home starts.
impl From<&Stage> for Command {
    fn from(stage: &Stage) -> Self {
        stage.mcplink(&["bridge", "remote"])
    }
}

/// A host with a bridge of its own that has introduced itself.
pub(crate) async fn introduced(stage: &Stage) -> FakeHost {
    FakeHost::introduced(stage, HostProfile::legacy(), "").await
}

/// The same, before it says anything.
pub(crate) fn silent(stage: &Stage) -> FakeHost {
    FakeHost::start(stage, HostProfile::legacy(), "")
}
