//! Programs of others that are no servers: hosts, the model that they talk to, and what checks a file that is made for one.
//!
//! As [real servers](crate::RealServer), they are pinned in `fixtures/NAME/` and installed by `cargo xtask setup`. The two
//! hosts are large: 186 MB (Claude Code) and 172 MB (Codex) to download.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mcp_testkit::process;
use serde_json::Value;

use crate::real::{Missing, check, fixtures, source};
use crate::run::Pipe;

/// How long the model may take to start.
const START: Duration = Duration::from_secs(60);

/// The folder of `@anthropic-ai/mcpb`, which validates and unpacks bundles; it runs with `node`.
///
/// # Errors
///
/// When it or `npm` is missing.
pub fn mcpb() -> Result<PathBuf, Missing> {
    let package = fixtures().join("mcpb/node_modules/@anthropic-ai/mcpb");
    check(&["node", "npm"], &package.join("dist/cli/cli.js"))?;
    Ok(package)
}

/// The command line of Claude Code.
///
/// # Errors
///
/// When it or `npm` is missing.
pub fn claude_code() -> Result<PathBuf, Missing> {
    let folder = fixtures().join("claude-code/node_modules/@anthropic-ai");
    let program = folder.join(format!("claude-code-{}", platform())).join("claude");
    check(&["node", "npm"], &program)?;
    Ok(program)
}

/// The command line of Codex.
///
/// # Errors
///
/// When it or `npm` is missing.
pub fn codex() -> Result<PathBuf, Missing> {
    let vendor = fixtures().join(format!("codex/node_modules/@openai/codex-{}/vendor", platform()));
    // One folder, with the name of a target of Rust.
    let target = std::fs::read_dir(&vendor).into_iter().flatten().flatten().next();
    let program = target.map_or(vendor, |target| target.path().join("bin/codex"));
    check(&["node", "npm"], &program)?;
    Ok(program)
}

/// The platform in the words of npm.
fn platform() -> String {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{system}-{machine}")
}

/// A model on loopback (`fixtures/hosts/model.mjs`) for the APIs of both hosts. It calls one tool, and then says what came back.
/// Dropping it ends it.
#[derive(Debug)]
pub struct Model {
    child: Child,
    stdout: Pipe,
    url: String,
}

impl Model {
    /// Starts one that calls the tool whose name ends with `tool`.
    ///
    /// # Panics
    ///
    /// When it cannot be started or does not listen within a minute.
    #[must_use]
    pub fn that_calls(tool: &str, arguments: &Value) -> Self {
        let script = source().join("hosts/model.mjs");
        let mut command = Command::new("node");
        command.arg(script).arg(tool).arg(arguments.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        process::in_own_group(&mut command);
        let mut child = command.spawn().expect("node starts");
        let stdout = Pipe::read(child.stdout.take());
        let mut model = Self { child, stdout, url: String::new() };
        let deadline = Instant::now() + START;
        while model.url.is_empty() {
            assert!(Instant::now() < deadline, "the model does not listen: {}", model.stdout.text());
            std::thread::sleep(Duration::from_millis(10));
            if let Some(url) =
                lines(&model.stdout.text()).first().and_then(|line| line.strip_prefix("listening on "))
            {
                url.clone_into(&mut model.url);
            }
        }
        model
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it was asked: the tools that it was offered and the results that it was told, for each request.
    ///
    /// # Panics
    ///
    /// Never: it writes JSON.
    #[must_use]
    pub fn requests(&self) -> Vec<Value> {
        let text = self.stdout.text();
        lines(&text).into_iter().skip(1).map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// The whole lines of a text.
fn lines(text: &str) -> Vec<&str> {
    text.rsplit_once('\n').map_or_else(Vec::new, |(whole, _)| whole.lines().collect())
}

impl Drop for Model {
    fn drop(&mut self) {
        process::kill_group(self.child.id());
        let _ = self.child.wait();
    }
}
