//! A certified OpenID provider in front of a real MCP server, and a real browser in front of the person: what the fake
//! authorization server and the fake browser agree on with us by construction, these were never asked about.
//!
//! Both are installed by `cargo xtask setup`, and stay on loopback.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::real::{Missing, check, fixtures, source};
use crate::run::Pipe;
use mcp_testkit::process;

/// How long starting, or a person with a browser, may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// `oidc-provider` with dynamic registration, PKCE and rotating refresh tokens, and behind it a server of the official
/// SDK whose tool `whoami` tells the account of the caller and the scopes. Dropping it ends both.
#[derive(Debug)]
pub struct CertifiedProvider {
    child: Child,
    stdin: Mutex<ChildStdin>,
    stdout: Pipe,
    stderr: Pipe,
    mcp: Url,
    issuer: String,
    issuers: Value,
}

impl CertifiedProvider {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When it or `npm` is missing.
    ///
    /// # Panics
    ///
    /// When it does not start: it is installed, so that is a failure.
    pub fn start() -> Result<Self, Missing> {
        Self::start_with(&[])
    }

    /// Starts it so that it issues signed tokens for every resource on loopback: for MCP servers of other packages.
    ///
    /// # Errors
    ///
    /// When it or `npm` is missing.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_for_others() -> Result<Self, Missing> {
        Self::start_with(&["others"])
    }

    /// The same, and beside it one more for each member of `shapes`, laid out as the service of that name is; what a shape has
    /// is said in `fixtures/oidc/oidc.mjs`.
    ///
    /// # Errors
    ///
    /// When it or `npm` is missing.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_as_services(shapes: &Value) -> Result<Self, Missing> {
        Self::start_with(&["others", &shapes.to_string()])
    }

    /// Starts it so that it takes client metadata documents: at `url` it finds this one, and elsewhere none.
    ///
    /// # Errors
    ///
    /// When it or `npm` is missing.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_with_document(url: &str, document: &Value) -> Result<Self, Missing> {
        Self::start_with(&["document", url, &document.to_string()])
    }

    fn start_with(arguments: &[&str]) -> Result<Self, Missing> {
        let modules = modules()?;
        let mut command = Command::new("node");
        command
            .arg(source().join("oidc/oidc.mjs"))
            .arg(modules)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        process::in_own_group(&mut command);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start node: {error}"));
        let stdin = child.stdin.take().expect("it was piped");
        let (stdout, stderr) = (Pipe::read(child.stdout.take()), Pipe::read(child.stderr.take()));
        let started = stdout.wait_until(Instant::now() + PATIENCE, |text| text.contains('\n'));
        let Some(listening) = started.as_deref().and_then(|text| events(text).into_iter().next()) else {
            process::kill_group(child.id());
            panic!("the provider does not listen\nstdout: {}\nstderr: {}", stdout.text(), stderr.text());
        };
        let text = |name: &str| listening[name].as_str().unwrap_or_else(|| panic!("no {name}: {listening}"));
        let mcp = Url::parse(text("mcp")).unwrap_or_else(|error| panic!("{error}: {listening}"));
        let issuer = text("issuer").to_owned();
        let issuers = listening["issuers"].clone();
        Ok(Self { child, stdin: Mutex::new(stdin), stdout, stderr, mcp, issuer, issuers })
    }

    /// The URL of the MCP endpoint.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.mcp
    }

    /// The issuer of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The issuers of the providers that are laid out as services, by the names of these.
    #[must_use]
    pub fn issuers(&self) -> &Value {
        &self.issuers
    }

    /// Everything that happened, in order: objects with an `event`, which `oidc.mjs` describes.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        events(&self.stdout.text())
    }

    /// How many events are like this: have all its fields, with the same values.
    #[must_use]
    pub fn count(&self, like: &Value) -> usize {
        self.events().iter().filter(|event| is_like(event, like)).count()
    }

    /// How many refresh tokens were spent, rightly or not.
    #[must_use]
    pub fn refreshes(&self) -> usize {
        let refresh = |event: &str| json!({ "event": event, "grant": "refresh_token" });
        self.count(&refresh("token")) + self.count(&refresh("no-token"))
    }

    /// Sets how long the access tokens live that it issues from now on.
    ///
    /// # Panics
    ///
    /// When it has ended.
    pub fn issue_for(&self, life: Duration) {
        self.ask(&json!({ "accessTokenTtl": life.as_secs() }), "set");
    }

    /// Holds back every answer of the token endpoint for this long; what it tells has happened by then.
    ///
    /// # Panics
    ///
    /// When it has ended.
    pub fn delay_tokens(&self, delay: Duration) {
        self.ask(&json!({ "tokenDelay": delay.as_millis() }), "set");
    }

    /// Whether the provider vouches for a token, access or refresh.
    ///
    /// # Panics
    ///
    /// When it has ended.
    #[must_use]
    pub fn is_active(&self, token: &str) -> bool {
        self.ask(&json!({ "introspect": token }), "introspected")["active"] == true
    }

    /// An assertion about an account, of an issuer that the provider takes assertions of.
    ///
    /// # Panics
    ///
    /// When it has ended.
    #[must_use]
    pub fn assertion(&self, claims: &Value) -> String {
        let asserted = self.ask(&json!({ "assert": claims }), "asserted");
        asserted["assertion"].as_str().expect("a JWT").to_owned()
    }

    fn ask(&self, command: &Value, answer: &str) -> Value {
        // Held until the answer is there, so that no other question gets it.
        let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = |text: &str| {
            events(text).into_iter().filter(|event| event["event"] == answer).collect::<Vec<_>>()
        };
        let before = answers(&self.stdout.text()).len();
        let asked = writeln!(stdin, "{command}").and_then(|()| stdin.flush());
        asked.unwrap_or_else(|error| panic!("the provider has ended ({error}): {}", self.log()));
        let seen = |text: &str| answers(text).len() > before;
        let text = self.stdout.wait_until(Instant::now() + PATIENCE, seen);
        let text = text.unwrap_or_else(|| panic!("the provider does not answer: {}", self.log()));
        answers(&text).remove(before)
    }

    /// What it printed, for the message of a failed test.
    #[must_use]
    pub fn log(&self) -> String {
        format!("{}{}", self.stdout.text(), self.stderr.text())
    }
}

impl Drop for CertifiedProvider {
    fn drop(&mut self) {
        process::kill_group(self.child.id());
        // Collects the zombie; that it was killed is what was wanted.
        let _ = self.child.wait();
    }
}

/// Whole lines only: the last one may still be arriving.
fn events(text: &str) -> Vec<Value> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn is_like(event: &Value, like: &Value) -> bool {
    like.as_object().is_some_and(|fields| fields.iter().all(|(name, value)| event[name] == *value))
}

/// What the person does on the page that asks for consent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Consent {
    /// Agrees.
    Grant,
    /// Cancels.
    Cancel,
    /// Looks at it forever.
    Wait,
}

/// Headless Chromium with a person in front of it, for one sign-in: an account of the provider, and an answer to its
/// question. Dropping it closes the browser.
#[derive(Debug)]
pub struct Chromium {
    directory: TempDir,
}

/// The page that a browser ended on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EndPage {
    /// Its title.
    pub title: String,
    /// What can be read on it.
    pub text: String,
    /// Its URL; where nothing could be reached, the one that was tried.
    pub url: String,
}

impl Chromium {
    /// A browser whose person signs in to `account` and gives this answer.
    ///
    /// # Errors
    ///
    /// When it, its driver or `npm` is missing.
    ///
    /// # Panics
    ///
    /// When its files cannot be written.
    pub fn of(account: &str, consent: Consent) -> Result<Self, Missing> {
        let modules = modules()?;
        let program = browser_program()?;
        let write = || -> io::Result<TempDir> {
            let directory = tempfile::Builder::new().prefix("chromium-").tempdir()?;
            let answer = match consent {
                Consent::Grant => "grant",
                Consent::Cancel => "cancel",
                Consent::Wait => "wait",
            };
            let plan = json!({
                "browser": program, "account": account, "answer": answer, "scheme": "light", "directory": directory.path(),
            });
            fs::write(directory.path().join("plan.json"), plan.to_string())?;
            let script = script(directory.path(), &modules);
            let path = directory.path().join("browser");
            fs::write(&path, script)?;
            #[cfg(unix)]
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
            Ok(directory)
        };
        let directory = write().unwrap_or_else(|error| panic!("cannot prepare the browser: {error}"));
        Ok(Self { directory })
    }

    /// The path of the script that opens a URL in it, for the `BROWSER` variable.
    #[must_use]
    pub fn command(&self) -> String {
        self.directory.path().join("browser").to_string_lossy().into_owned()
    }

    /// Opens a URL in it: a person who was told the URL.
    ///
    /// # Panics
    ///
    /// When the browser cannot be started.
    pub fn open(&self, url: &str) {
        let mut command = Command::new(self.command());
        command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start the browser: {error}"));
        // Collects it whenever it ends.
        std::thread::spawn(move || child.wait());
    }

    /// Waits for the page that follows the provider's pages.
    ///
    /// # Panics
    ///
    /// When the browser does not get there.
    #[must_use]
    pub fn end(&self) -> EndPage {
        let text = self.wait_for("end.json");
        let end: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(end["problem"], Value::Null, "{end}");
        let field = |name: &str| end[name].as_str().unwrap_or_default().to_owned();
        EndPage { title: field("title"), text: field("text"), url: field("url") }
    }

    /// Waits until the person looks at the page that asks for consent, and does nothing.
    ///
    /// # Panics
    ///
    /// When the browser does not get there.
    pub fn wait_for_consent_page(&self) {
        self.wait_for("waiting");
    }

    /// Whether a person sits in front of it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.pids().into_iter().any(process::process_is_alive)
    }

    fn pids(&self) -> Vec<u32> {
        let pids = fs::read_to_string(self.directory.path().join("pids")).unwrap_or_default();
        pids.lines().filter_map(|line| line.parse().ok()).collect()
    }

    fn wait_for(&self, name: &str) -> String {
        let path = self.directory.path().join(name);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match fs::read_to_string(&path) {
                Ok(text) => return text,
                Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
                Err(error) => panic!("the browser never got there: {name}: {error}\n{}", self.log()),
            }
        }
    }

    fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.directory.path().join(name)).unwrap_or_default();
        format!("{}{}", read("log"), read("end.json"))
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        for pid in self.pids() {
            // The driver closes the browser when it ends; without its driver the browser ends by itself.
            for signal in ["TERM", "KILL"] {
                process::signal(signal, &pid.to_string());
                let deadline = Instant::now() + Duration::from_secs(10);
                while process::process_is_alive(pid) && Instant::now() < deadline {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }
}

/// Starts the driver with an environment of its own, as a desktop starts a browser: it is no part of the program under
/// test, and its profile is no part of that program's home.
fn script(directory: &Path, modules: &Path) -> String {
    let quoted = |path: &Path| format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"));
    let (directory, modules) = (quoted(directory), quoted(modules));
    let click = quoted(&source().join("oidc/click.mjs"));
    format!(
        "#!/bin/sh\ndirectory={directory}\necho $$ >>\"$directory/pids\"\n\
         exec env -i PATH=\"$PATH\" HOME=\"$directory\" TMPDIR=\"$directory\" LANG=C.UTF-8 \
         node {click} {modules} \"$directory/plan.json\" \"$1\" >>\"$directory/log\" 2>&1\n"
    )
}

/// Where the packages are.
pub(crate) fn modules() -> Result<PathBuf, Missing> {
    let folder = fixtures().join("oidc");
    check(&["node", "npm"], &folder.join("node_modules/oidc-provider/package.json"))?;
    // Node wants it absolute, as it is in another directory.
    Ok(folder.canonicalize().unwrap_or(folder))
}

/// The browser: `MCPLINK_TEST_CHROMIUM`, of the compilation, else where Debian puts it. `cargo xtask setup` reads the same.
pub(crate) fn browser_program() -> Result<PathBuf, Missing> {
    let program = PathBuf::from(option_env!("MCPLINK_TEST_CHROMIUM").unwrap_or("/usr/bin/chromium"));
    program.exists().then_some(program).ok_or(Missing::Tool("chromium"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_lines_of_json() {
        let text = "{\"event\":\"a\"}\nnoise\n{\"event\":\"b\",\"x\":1}\n{\"event\":\"c\"}";
        let found = events(text);
        assert_eq!(found, [json!({ "event": "a" }), json!({ "event": "b", "x": 1 })]);
        assert!(is_like(&found[1], &json!({ "event": "b" })));
        assert!(!is_like(&found[1], &json!({ "event": "b", "x": 2 })));
        assert!(!is_like(&found[1], &json!({ "event": "b", "y": 1 })));
    }
}
