//! The parts of a bundle: what each command would show.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use super::Redaction;
use crate::app::App;
use crate::commands::{accounts, doctor, logs};
use crate::error::CliError;
use crate::live::{self, SeenSessions};
use crate::loaded::LoadedConfig;
use crate::view::row::Row;

/// How many lines of each log are in it.
const LOG_LINES: usize = 200;

/// One part.
pub(super) struct Section {
    pub(super) name: &'static str,
    /// What is in it, for a person who decides whether to give it away.
    pub(super) about: String,
    pub(super) content: Value,
}

impl Section {
    fn new(name: &'static str, about: impl Into<String>, content: impl Serialize) -> Self {
        // Ours have string keys and finite numbers.
        Self { name, about: about.into(), content: serde_json::to_value(content).unwrap_or_default() }
    }

    pub(super) fn without(self, redaction: &Redaction) -> Self {
        Self { content: redaction.apply(self.content), ..self }
    }
}

/// Everything, in the order in which a person who looks for a cause reads it.
pub(super) async fn sections(
    app: &App,
    loaded: &LoadedConfig,
    offline: bool,
) -> Result<Vec<Section>, CliError> {
    let servers = servers(app, loaded, offline).await?;
    let kept = accounts::rows(app, loaded).await;
    let SeenSessions { live: sessions, silent } = live::all(&app.environment).await;
    let tails = logs::tails(app, LOG_LINES);
    let lines: usize = tails.iter().map(|(_, lines)| lines.len()).sum();
    let with = if offline { "as the files tell" } else { "with what doctor found" };
    let version = env!("CARGO_PKG_VERSION");
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    Ok(vec![
        Section::new(
            "program",
            format!("mcplink {version} on {os}, {arch}"),
            json!({ "name": "mcplink", "version": version, "os": os, "arch": arch, "features": features() }),
        ),
        Section::new("environment", "which variables are set that mcplink reads", environment(app)),
        Section::new(
            "paths",
            counted(loaded.config.paths().len(), "place of files", "places of files"),
            loaded.config.paths(),
        ),
        Section::new(
            "problems",
            counted(loaded.config.problems.len(), "problem of files", "problems of files"),
            loaded.problem_rows(),
        ),
        Section::new("servers", format!("{}, {with}", counted(servers.len(), "server", "servers")), servers),
        Section::new("pointers", "entries that start a bridge to a server", loaded.pointer_rows(&[])),
        Section::new(
            "accounts",
            format!("{}, without tokens", counted(kept.len(), "sign-in", "sign-ins")),
            kept,
        ),
        Section::new("sessions", counted(sessions.len(), "live session", "live sessions"), sessions),
        Section::new(
            "silent",
            counted(silent.len(), "session that does not answer", "sessions that do not answer"),
            silent,
        ),
        Section::new(
            "logs",
            format!(
                "the last {} of {}",
                counted(lines, "line", "lines"),
                counted(tails.len(), "log", "logs")
            ),
            logs_of(tails),
        ),
    ])
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Each entry as `get` explains it, and how its server is.
async fn servers(app: &App, loaded: &LoadedConfig, offline: bool) -> Result<Vec<Value>, CliError> {
    let states = match offline {
        true => loaded
            .wired_all(app)
            .await
            .iter()
            .map(|configured| serde_json::to_value(Row::offline(configured, &app.steps)).unwrap_or_default())
            .collect(),
        false => doctor::of_all(app, loaded).await?,
    };
    let names = loaded.names();
    let rows = names
        .iter()
        .zip(states)
        .map(|(name, state)| json!({ "name": name, "entry": loaded.config.explain(name), "state": state }));
    Ok(rows.collect())
}

fn logs_of(tails: Vec<(PathBuf, Vec<Value>)>) -> Vec<Value> {
    let of = |(file, records): (PathBuf, Vec<Value>)| json!({ "file": file, "records": records });
    tails.into_iter().map(of).collect()
}

fn features() -> Vec<&'static str> {
    let all = [
        ("demo", cfg!(feature = "demo")),
        ("menu", cfg!(feature = "menu")),
        ("share", cfg!(feature = "share")),
        ("keyring", cfg!(feature = "keyring")),
        ("otel", cfg!(feature = "otel")),
        ("stores", cfg!(feature = "stores")),
    ];
    all.into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name).collect()
}

/// How the names of variables begin or end that this program, or a client of it, reads.
const PREFIXES: [&str; 6] = ["MCP_", "MCPLINK_", "CLAUDE_", "XDG_", "LC_", "SSL_CERT_"];
const NAMES: [&str; 8] = ["TERM", "LANG", "SHELL", "BROWSER", "NO_COLOR", "COLUMNS", "RUST_LOG", "DISPLAY"];

/// What is set of them. The value of one that is not a number, path or plain word is not told.
fn environment(app: &App) -> Value {
    let is_read = |name: &str| {
        PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name) || is_proxy(name)
    };
    let variables = app.environment.variables().iter();
    let variables = variables.filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    let mut read: Vec<(String, Value)> = variables
        .filter(|(name, _)| is_read(name))
        .map(|(name, value)| (name.to_owned(), Value::from(shown_value(name, value))))
        .collect();
    read.sort_by(|(a, _), (b, _)| a.cmp(b));
    Value::Object(read.into_iter().collect())
}

fn is_proxy(name: &str) -> bool {
    name.to_ascii_uppercase().ends_with("_PROXY")
}

fn shown_value(name: &str, value: &str) -> String {
    let is_number = value.parse::<f64>().is_ok();
    let is_plain = NAMES.contains(&name) || is_number || value.starts_with('/');
    match () {
        () if mcp_text::is_credential_name(name) => mcp_text::REDACTED.to_owned(),
        // A list of hosts, and no address.
        () if name.eq_ignore_ascii_case("no_proxy") => value.to_owned(),
        () if is_proxy(name) => mcp_config::display_url(value),
        () if is_plain || matches!(value, "true" | "false" | "") => value.to_owned(),
        () => "set".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A feature that is added is listed as well.
    #[test]
    fn every_feature_of_the_program_is_told() {
        let manifest = include_str!("../../../Cargo.toml");
        let (_, listed) = manifest.split_once("[features]").unwrap();
        let (listed, _) = listed.split_once("\n[").unwrap();
        let names = listed.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
        let names: Vec<&str> = names.filter(|name| *name != "default").collect();
        let source = include_str!("content.rs");
        assert!(names.len() >= 5, "{names:?}");
        for name in names {
            assert!(source.contains(&format!("(\"{name}\", cfg!(feature = \"{name}\"))")), "{name}");
        }
    }

    #[test]
    fn s_k5_of_a_variable_no_value_is_told_that_could_be_a_secret() {
        for (name, value, expected) in [
            ("MCP_TIMEOUT", "5000", "5000"),
            ("MCP_WHATEVER", "hunter2", "set"),
            ("MCP_CLIENT_SECRET", "12345", "[redacted]"),
            ("XDG_CONFIG_HOME", "/home/me/.config", "/home/me/.config"),
            ("TERM", "xterm", "xterm"),
            ("no_proxy", "a.example,.b.example", "a.example,.b.example"),
        ] {
            assert_eq!(shown_value(name, value), expected, "{name}");
        }
        let proxy = shown_value("HTTPS_PROXY", "http://ada:canary@proxy.example:3128");
        assert!(proxy.contains("proxy.example") && !proxy.contains("canary"), "{proxy}");
    }
}
