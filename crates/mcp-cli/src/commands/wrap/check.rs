//! Whether a wrapped server works the way its host will start it: with the host's variables and `PATH`, in its folder.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Serialize;
use serde_json::Value;

use super::{WrapContext, WrapPlan};
use crate::surroundings::{OF_A_DESKTOP, path_of, root_of};
use crate::view::shown;

/// How long a process may take to start and to say something, and how long a remote server that is well takes at most.
const OF_PROCESS: &str = "20s";
const OF_REMOTE: &str = "5s";

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckReport {
    /// The status, as `status` has it; `null` where it could not be asked.
    pub(super) status: Option<String>,
    pub(super) tools: Option<u64>,
    /// Why it is so, where it does not work.
    pub(super) message: Option<String>,
    /// What runs for it and would not be found on the host's `PATH`.
    pub(super) not_found: Option<String>,
    /// That `PATH`.
    pub(super) path: Option<String>,
}

impl CheckReport {
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let tools = match self.tools {
            Some(1) => ", 1 tool".to_owned(),
            Some(count) => format!(", {count} tools"),
            None => String::new(),
        };
        let status = self.status.as_deref().unwrap_or("no answer");
        lines.push(format!("asked the way the host will (its PATH, its folder): {status}{tools}"));
        if let Some(message) = &self.message {
            lines.push(shown::line(message));
        }
        if let Some(program) = &self.not_found {
            let path = self.path.as_deref().unwrap_or_default();
            lines.push(shown::line(&format!(
                "{program} would not be found: PATH is {path} there; write its whole path into the entry"
            )));
        }
        lines
    }
}

/// Asks the server, where it `is_asked` at all.
pub(super) async fn run(around: &WrapContext<'_>, one: &WrapPlan, is_asked: bool) -> Option<CheckReport> {
    match is_asked {
        true => Some(asked(around, one).await),
        false => None,
    }
}

async fn asked(around: &WrapContext<'_>, one: &WrapPlan) -> CheckReport {
    let config = around.app.own_config().ok();
    let is_stdio = config.and_then(|config| Some(config.entry(&one.name)?.stdio().is_some()));
    let patience = if is_stdio == Some(true) { OF_PROCESS } else { OF_REMOTE };
    let environment = &around.app.environment;
    let own_path = environment.text("PATH").unwrap_or_default().to_owned();
    let is_desktop = around.host.is_started_by_desktop();
    let path = path_of(around.host, environment);
    let mut arguments = vec!["status", "--json", "--non-interactive", "--timeout", patience];
    if let Some(project) = one.through.project() {
        arguments.extend(["--project", project]);
    }
    arguments.extend(["--", &one.name]);
    let mut command = tokio::process::Command::new(&one.through.program);
    command
        .args(&arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let home = around.config.locations.home.clone();
    let named = one.through.env_vars.iter().map(String::as_str);
    let given: Option<Vec<&str>> = match around.host.hands_on() {
        Some(usual) => Some(usual.iter().copied().chain(named).collect()),
        None => is_desktop.then(|| OF_A_DESKTOP.to_vec()),
    };
    if let Some(given) = given {
        command.env_clear();
        command.envs(given.into_iter().filter_map(|name| Some((name, environment.text(name)?))));
    }
    if let (true, Some(home)) = (is_desktop, &home) {
        command.current_dir(root_of(around.host).unwrap_or(home));
    }
    command.env("PATH", &path).envs(one.through.env.iter().map(|(name, value)| (name, value)));
    let said = command.output().await.ok();
    let document: Value =
        said.and_then(|said| serde_json::from_slice(&said.stdout).ok()).unwrap_or(Value::Null);
    let row = &document["servers"][0];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    CheckReport {
        status: text(&row["status"]),
        tools: row["tools"].as_u64(),
        message: text(&row["reason"]["message"]),
        not_found: missing(around, one, &own_path, &path).await,
        path: is_desktop.then_some(path),
    }
}

/// The program of the server or of its helper that is on the person's `PATH` and not on the host's.
async fn missing(around: &WrapContext<'_>, one: &WrapPlan, own: &str, theirs: &str) -> Option<String> {
    let config = around.app.own_config().ok()?;
    let entry = config.entry(&one.name)?;
    let program = match entry.stdio() {
        Some(stdio) => stdio.command.expose().to_owned(),
        None => {
            let configured = around.app.host.configured(entry, &config).await;
            configured.auth.as_ref()?.plan.settings().helper.as_ref()?.program()?.to_owned()
        }
    };
    let is_plain = !program.contains(std::path::is_separator);
    (is_plain && found(&program, own).is_some() && found(&program, theirs).is_none()).then_some(program)
}

fn found(program: &str, path: &str) -> Option<PathBuf> {
    let separator = if cfg!(windows) { ';' } else { ':' };
    path.split(separator).map(|folder| Path::new(folder).join(program)).find(|file| file.is_file())
}
