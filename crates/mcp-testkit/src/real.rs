//! Real MCP servers, written by others with the official SDKs: the fakes agree with us by construction, these do not.
//!
//! `cargo xtask setup` installs them into `target/fixtures/NAME/` at the versions that `fixtures/NAME/` of this crate
//! pins. They run on loopback, on ports that the system chose, in process groups that end with their handles.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use url::Url;

use crate::process;
use crate::run::Pipe;

/// How long a server may take to start: interpreters are slow on a loaded machine.
const START: Duration = Duration::from_secs(60);

/// A server that is installed: how to start it, over either transport.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RealServer {
    /// The program to start.
    pub program: PathBuf,
    /// Its arguments for stdio, for a test that configures it as a local server.
    pub stdio_arguments: Vec<String>,
    /// Its arguments for Streamable HTTP.
    http_arguments: Vec<String>,
    /// Environment on top of the inherited one, for Streamable HTTP.
    http_environment: Vec<(&'static str, &'static str)>,
}

/// Why a real server cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Missing {
    /// The tool that would install or run it is not on this machine: the test may be skipped, outside CI.
    Tool(&'static str),
    /// The tool is there and the server is not: somebody has to run `cargo xtask setup`, and the test must fail.
    NotInstalled(PathBuf),
}

impl RealServer {
    /// `@modelcontextprotocol/server-everything`, in TypeScript.
    ///
    /// # Errors
    ///
    /// When it or `npm` is missing.
    pub fn everything() -> Result<Self, Missing> {
        let fixture = fixtures().join("npm");
        let main = fixture.join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
        check(&["node", "npm"], &main)?;
        // The server binds every interface and prints the port it was told, not the one it got.
        let preload = format!("--import={}", source().join("npm/loopback.mjs").display());
        let main = main.to_string_lossy().into_owned();
        Ok(Self {
            program: PathBuf::from("node"),
            stdio_arguments: vec![main.clone(), "stdio".to_owned()],
            http_arguments: vec![preload, main, "streamableHttp".to_owned()],
            http_environment: vec![("PORT", "0")],
        })
    }

    /// `fixtures/python/server.py`, with the Python SDK.
    ///
    /// # Errors
    ///
    /// When it or `pip` is missing.
    pub fn python() -> Result<Self, Missing> {
        let interpreter = if cfg!(windows) { "venv/Scripts/python.exe" } else { "venv/bin/python" };
        let program = fixtures().join("python").join(interpreter);
        // The script is ours and always there; what may be missing is the environment to run it in.
        check(&["python3"], &program)?;
        let script = source().join("python/server.py").to_string_lossy().into_owned();
        Ok(Self {
            program,
            stdio_arguments: vec![script.clone()],
            http_arguments: vec![script, "--port".to_owned(), "0".to_owned()],
            http_environment: Vec::new(),
        })
    }

    /// Adds arguments for Streamable HTTP: `--json`, `--stateless`, `--token T` of the Python server.
    #[must_use]
    pub fn http_args<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.http_arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Starts it over Streamable HTTP and waits until it listens.
    ///
    /// # Panics
    ///
    /// When it cannot be started or does not listen within a minute: it is installed, so that is a failure.
    #[must_use]
    pub fn start_http(&self) -> RunningServer {
        let mut command = Command::new(&self.program);
        command
            .args(&self.http_arguments)
            .envs(self.http_environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        process::in_own_group(&mut command);
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.program.display()));
        let (stdout, stderr) = (Pipe::read(child.stdout.take()), Pipe::read(child.stderr.take()));
        let mut running = RunningServer { child, url: None, stdout, stderr };
        let deadline = Instant::now() + START;
        loop {
            if let Some(url) = listening(&running.stdout.text()).or_else(|| listening(&running.stderr.text()))
            {
                running.url = Some(url);
                return running;
            }
            let has_ended = running.child.try_wait().is_ok_and(|status| status.is_some());
            assert!(
                !has_ended && Instant::now() < deadline,
                "{} does not listen\nstdout: {}\nstderr: {}",
                self.program.display(),
                running.stdout.text(),
                running.stderr.text(),
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A real server that listens. Dropping it kills its process group.
#[derive(Debug)]
pub struct RunningServer {
    child: Child,
    url: Option<Url>,
    stdout: Pipe,
    stderr: Pipe,
}

impl RunningServer {
    /// The URL of its MCP endpoint.
    ///
    /// # Panics
    ///
    /// Never: a server is handed out only once it listens.
    #[must_use]
    pub fn url(&self) -> Url {
        self.url.clone().expect("a server is handed out only once it listens")
    }

    /// What it has printed on stdout and stderr, for the message of a failed test.
    #[must_use]
    pub fn log(&self) -> String {
        format!("{}{}", self.stdout.text(), self.stderr.text())
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        process::kill_group(self.child.id());
        // Collects the zombie; that it was killed is what was wanted.
        let _ = self.child.wait();
    }
}

impl Missing {
    /// Whether the test may be skipped: the machine cannot run the server at all, and is not the one whose word counts.
    /// `in_ci` is whether the environment says `CI=true`.
    #[must_use]
    pub fn may_skip(&self, in_ci: bool) -> bool {
        matches!(self, Self::Tool(_)) && !in_ci
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tool(tool) => write!(formatter, "`{tool}` is not on this machine"),
            Self::NotInstalled(path) => {
                write!(formatter, "{} is not there: run `cargo xtask setup`", path.display())
            }
        }
    }
}

impl std::error::Error for Missing {}

/// A real peer for a test, or `None` when the test is to be skipped, which is said loudly.
///
/// # Panics
///
/// When it is missing and that is no excuse: in CI, or where `cargo xtask setup` could have installed it.
pub fn real_or_skip<T>(found: Result<T, Missing>) -> Option<T> {
    // Of the compilation, which is the environment of the test run as well: cargo builds anew when it changes.
    let in_ci = option_env!("CI") == Some("true");
    match found {
        Ok(peer) => Some(peer),
        Err(missing) if missing.may_skip(in_ci) => {
            #[expect(
                clippy::print_stderr,
                reason = "a skipped test that says nothing looks like a passed one"
            )]
            {
                eprintln!("\n!!!!!!!! SKIPPED, NOT PASSED: {missing} !!!!!!!!\n");
            }
            None
        }
        Err(missing) => panic!("{missing}"),
    }
}

/// Where `cargo xtask setup` installs: the usual target directory, or the one of `CARGO_TARGET_DIR`.
pub(crate) fn fixtures() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    workspace.join(option_env!("CARGO_TARGET_DIR").unwrap_or("target")).join("fixtures")
}

/// The sources of the fixtures.
pub(crate) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

pub(crate) fn check(tools: &[&'static str], needed: &Path) -> Result<(), Missing> {
    if needed.exists() {
        return Ok(());
    }
    match tools.iter().find(|tool| !is_installed(tool)) {
        Some(tool) => Err(Missing::Tool(tool)),
        None => Err(Missing::NotInstalled(needed.to_owned())),
    }
}

fn is_installed(tool: &str) -> bool {
    let status = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The URL in the line that both fixtures print.
fn listening(text: &str) -> Option<Url> {
    // Only whole lines: the port may still be arriving.
    let whole = text.rsplit_once('\n')?.0;
    let line = whole.lines().find_map(|line| line.strip_prefix("listening on "))?;
    Url::parse(line.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_missing_tool_outside_ci_is_an_excuse() {
        assert!(Missing::Tool("npm").may_skip(false));
        assert!(!Missing::Tool("npm").may_skip(true));
        assert!(!Missing::NotInstalled(PathBuf::new()).may_skip(false));
    }

    #[test]
    fn what_is_missing_is_told_apart() {
        assert_eq!(check(&["no-such-tool"], Path::new("/no/such/file")), Err(Missing::Tool("no-such-tool")));
        let path = PathBuf::from("/no/such/file");
        assert_eq!(check(&["sh-that-is-there"; 0], &path), Err(Missing::NotInstalled(path)));
        assert_eq!(check(&["no-such-tool"], Path::new("/")), Ok(()));
    }

    #[test]
    fn a_port_that_is_still_arriving_is_not_read() {
        assert_eq!(listening("x\nlistening on http://127.0.0.1:12"), None);
        let url = listening("x\nlistening on http://127.0.0.1:1234/mcp\n").unwrap();
        assert_eq!(url.port(), Some(1234));
    }
}
