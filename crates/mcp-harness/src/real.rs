//! Real MCP servers, written by others with the official SDKs: the fakes agree with us by construction, these do not.
//!
//! `cargo xtask setup` installs them into `target/fixtures/NAME/` at the versions that `fixtures/NAME/` of this crate
//! pins. They run on loopback, on ports that the system chose, in process groups that end with their handles.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use url::Url;

use crate::run::Pipe;
use crate::surface::{EVERYTHING, FIXTURE, Surface};
use mcp_testkit::process;

/// How long a server may take to start: interpreters are slow on a loaded machine.
const START: Duration = Duration::from_secs(60);

/// A server that is installed: how to start it, over either transport.
///
/// All but [`everything`](Self::everything) are the same fixture, written once more with each SDK.
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
    /// What the arguments of every way to start it begin with.
    script: Vec<String>,
    /// How it is told to do what only some servers do.
    words: Words,
    surface: &'static Surface,
}

/// The arguments that choose how a server serves; `None` where it cannot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Words {
    sse: Option<&'static [&'static str]>,
    legacy_http: Option<&'static [&'static str]>,
    modern_stdio: Option<&'static [&'static str]>,
}

/// Why a real server cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Missing {
    /// The tool that would install or run it is not on this machine: the test may be skipped, outside CI.
    Tool(&'static str),
    /// The tool is there and the server is not: a person has to run `cargo xtask setup`, and the test must fail.
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
        let script = vec![preload, main.to_string_lossy().into_owned()];
        let words = Words { sse: Some(&["sse"]), ..Words::default() };
        let mut server = Self::new("node".into(), script, &["stdio"], &["streamableHttp"], words);
        server.http_environment = vec![("PORT", "0")];
        server.surface = &EVERYTHING;
        Ok(server)
    }

    /// `fixtures/npm/server.mjs`, with the TypeScript SDK 1.x.
    ///
    /// # Errors
    ///
    /// When it or `npm` is missing.
    pub fn typescript_1() -> Result<Self, Missing> {
        let words = Words { sse: Some(&["sse"]), ..Words::default() };
        Self::node("npm", "node_modules/@modelcontextprotocol/sdk/package.json", words)
    }

    /// `fixtures/typescript/server.mjs`, with the TypeScript SDK 2.x.
    ///
    /// # Errors
    ///
    /// When it or `npm` is missing.
    pub fn typescript_2() -> Result<Self, Missing> {
        let words = Words {
            legacy_http: Some(&["http-legacy"]),
            modern_stdio: Some(&["stdio-modern"]),
            ..Words::default()
        };
        Self::node("typescript", "node_modules/@modelcontextprotocol/server/package.json", words)
    }

    /// `fixtures/python/server.py`, with the Python SDK 1.x.
    ///
    /// # Errors
    ///
    /// When it or `pip` is missing.
    pub fn python_1() -> Result<Self, Missing> {
        Self::python_sdk("python-1")
    }

    /// `fixtures/python/server.py`, with the Python SDK 2.x.
    ///
    /// # Errors
    ///
    /// When it or `pip` is missing.
    pub fn python() -> Result<Self, Missing> {
        Self::python_sdk("python")
    }

    /// `fixtures/fastmcp/server.py`, with `FastMCP`.
    ///
    /// # Errors
    ///
    /// When it or `pip` is missing.
    pub fn fastmcp() -> Result<Self, Missing> {
        let words = Words { sse: Some(&["sse"]), legacy_http: Some(&["http-legacy"]), ..Words::default() };
        let script = vec![text(source().join("fastmcp/server.py"))];
        Ok(Self::new(interpreter("fastmcp")?, script, &["stdio"], &["http"], words))
    }

    /// `fixtures/rmcp`, with the Rust SDK.
    ///
    /// # Errors
    ///
    /// When it has not been built.
    pub fn rmcp() -> Result<Self, Missing> {
        let program =
            fixtures().join("rmcp/bin").join(if cfg!(windows) { "fixture-rmcp.exe" } else { "fixture-rmcp" });
        check(&["cargo"], &program)?;
        let words = Words {
            legacy_http: Some(&["http-legacy"]),
            modern_stdio: Some(&["stdio-modern"]),
            ..Words::default()
        };
        Ok(Self::new(program, Vec::new(), &["stdio"], &["http"], words))
    }

    /// `supergateway`, which makes the local [`typescript_1`](Self::typescript_1) a remote server: without sessions, or with
    /// them where [`http_args`](Self::http_args) adds `--stateful`.
    ///
    /// # Errors
    ///
    /// When it or `npm` is missing.
    pub fn supergateway() -> Result<Self, Missing> {
        let local = Self::typescript_1()?;
        let main = fixtures().join("supergateway/node_modules/supergateway/dist/index.js");
        check(&["node", "npm"], &main)?;
        // A shell takes it apart.
        let quoted = local.stdio_arguments.iter().map(|word| format!("'{word}'"));
        let command = std::iter::once("node".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ");
        let preload = format!("--import={}", source().join("npm/loopback.mjs").display());
        let script = vec![preload, text(main), "--port".into(), "0".into(), "--stdio".into(), command];
        let words = Words { sse: Some(&["--outputTransport", "sse"]), ..Words::default() };
        Ok(Self::new("node".into(), script, &[], &["--outputTransport", "streamableHttp"], words))
    }

    /// A script for Node that is told where its packages are. `needed` is one of them.
    fn node(fixture: &str, needed: &str, words: Words) -> Result<Self, Missing> {
        let modules = fixtures().join(fixture);
        check(&["node", "npm"], &modules.join(needed))?;
        // An absolute path: packages are resolved as if from a file in this folder.
        let modules = modules.canonicalize().unwrap_or(modules);
        let script = vec![text(source().join(fixture).join("server.mjs")), text(modules)];
        Ok(Self::new("node".into(), script, &["stdio"], &["http"], words))
    }

    /// The one script that runs with both versions of the Python SDK. The script is ours and always there; what may be
    /// missing is the environment to run it in.
    fn python_sdk(environment: &str) -> Result<Self, Missing> {
        let words = Words {
            sse: Some(&["--port", "0", "--sse"]),
            legacy_http: Some(&["--port", "0", "--legacy"]),
            ..Words::default()
        };
        let script = vec![text(source().join("python/server.py"))];
        Ok(Self::new(interpreter(environment)?, script, &[], &["--port", "0"], words))
    }

    pub(crate) fn new(
        program: PathBuf,
        script: Vec<String>,
        stdio: &[&str],
        http: &[&str],
        words: Words,
    ) -> Self {
        Self {
            program,
            stdio_arguments: arguments(&script, stdio),
            http_arguments: arguments(&script, http),
            http_environment: Vec::new(),
            script,
            words,
            surface: &FIXTURE,
        }
    }

    /// What it offers.
    #[must_use]
    pub fn surface(&self) -> &'static Surface {
        self.surface
    }

    /// The same, with the HTTP+SSE transport of 2024-11-05 in place of Streamable HTTP.
    ///
    /// # Panics
    ///
    /// When the server does not offer it.
    #[must_use]
    pub fn over_sse(mut self) -> Self {
        self.http_arguments = arguments(&self.script, self.words.sse.expect("it offers HTTP+SSE"));
        self
    }

    /// The same, with Streamable HTTP of the legacy era alone.
    ///
    /// # Panics
    ///
    /// When the server speaks nothing else anyway.
    #[must_use]
    pub fn legacy_over_http(mut self) -> Self {
        let words = self.words.legacy_http.expect("it speaks either era over HTTP");
        self.http_arguments = arguments(&self.script, words);
        self
    }

    /// The same, with stdio in the modern era alone.
    ///
    /// # Panics
    ///
    /// When the server cannot refuse the legacy era.
    #[must_use]
    pub fn modern_over_stdio(mut self) -> Self {
        let words = self.words.modern_stdio.expect("it can refuse the legacy era");
        self.stdio_arguments = arguments(&self.script, words);
        self
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
    pub(crate) stdout: Pipe,
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

/// A program of the system that `cargo xtask setup` installs where it may, such as a shell or a terminal.
///
/// # Errors
///
/// It is not on this machine.
pub fn system_program(name: &'static str) -> Result<PathBuf, Missing> {
    let folders = ["/usr/bin", "/bin", "/usr/local/bin", "/opt/homebrew/bin"];
    let mut places = folders.iter().map(|folder| Path::new(folder).join(name));
    places.find(|path| path.exists()).ok_or(Missing::Tool(name))
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
    // Of the compilation, which is the environment of the test run as well: cargo rebuilds when it changes.
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

/// The interpreter of an environment for Python.
pub(crate) fn interpreter(environment: &str) -> Result<PathBuf, Missing> {
    let program = if cfg!(windows) { "venv/Scripts/python.exe" } else { "venv/bin/python" };
    let program = fixtures().join(environment).join(program);
    check(&["python3"], &program)?;
    Ok(program)
}

fn arguments(script: &[String], words: &[&str]) -> Vec<String> {
    script.iter().cloned().chain(words.iter().copied().map(str::to_owned)).collect()
}

pub(crate) fn text(path: PathBuf) -> String {
    path.to_string_lossy().into_owned()
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
