//! A headers helper whose behaviour a test can change between two runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{self, process_is_alive};
use crate::sync::lock;

/// A shell script (`sh`) that prints headers and keeps a record of its runs, in a temporary directory of its own.
///
/// What it does is one file that is replaced atomically, so a change holds from the next run on and a run that has
/// begun is not disturbed.
///
/// ```
/// let helper = mcp_testkit::FakeHelper::new()?;
/// helper.prints_bearer("A");
/// assert_eq!(helper.runs(), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FakeHelper {
    directory: TempDir,
    act: Mutex<Act>,
}

/// The parts of a run, in the order in which they happen.
#[derive(Clone, Debug)]
struct Act {
    sleep: Duration,
    /// Bytes of noise on stderr before anything else: more than a pipe holds, and an undrained one blocks.
    noise: usize,
    /// A background process that outlives the script, holding its stdout open.
    grandchild: Option<Duration>,
    /// Shell code that prints.
    print: String,
    failure: Option<(u8, String)>,
}

/// What one run found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HelperCall {
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// The working directory.
    pub directory: PathBuf,
}

impl FakeHelper {
    /// A helper that prints `{}`.
    ///
    /// # Errors
    ///
    /// When its files cannot be written.
    pub fn new() -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("fake-helper-").tempdir()?;
        let quoted = quote(&directory.path().to_string_lossy());
        let script = format!(
            "# Remembers the run first: a run that is killed has run all the same.\n\
             directory={quoted}\n\
             env -0 >\"$directory/env.$$\"\n\
             pwd >\"$directory/pwd.$$\"\n\
             # Short writes in append mode are atomic, so concurrent runs are all counted.\n\
             echo $$ >>\"$directory/runs\"\n\
             . \"$directory/act.sh\"\n"
        );
        fs::write(directory.path().join("helper.sh"), script)?;
        let act = Act {
            sleep: Duration::ZERO,
            noise: 0,
            grandchild: None,
            print: "echo '{}'".to_owned(),
            failure: None,
        };
        let helper = Self { directory, act: Mutex::new(act) };
        helper.change(|_| ());
        Ok(helper)
    }

    /// The command line to put into a `headersHelper` field.
    #[must_use]
    pub fn command(&self) -> String {
        format!("sh {}", quote(&self.path("helper.sh").to_string_lossy()))
    }

    /// The directory of the script and its records.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Prints these headers.
    pub fn prints_headers(&self, headers: &[(&str, &str)]) {
        let object: serde_json::Map<_, _> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        self.prints(Value::Object(object).to_string());
    }

    /// Prints `Authorization: Bearer TOKEN`.
    pub fn prints_bearer(&self, token: &str) {
        self.prints_headers(&[("Authorization", &format!("Bearer {token}"))]);
    }

    /// Prints these bearer tokens one after another, a new one in each run from now on, and the last one ever after:
    /// for a program under test that mints twice before the test can interfere.
    ///
    /// # Panics
    ///
    /// When there is no token.
    pub fn prints_bearers_in_turn(&self, tokens: &[&str]) {
        let (last, others) = tokens.split_last().expect("there is a token to print");
        let mut code = format!("case $(($(wc -l <\"$directory/runs\") - {})) in\n", self.runs());
        for (index, token) in others.iter().enumerate() {
            let _ = writeln!(code, "{}) token={} ;;", index + 1, quote(token));
        }
        let _ = write!(code, "*) token={} ;;\nesac\n", quote(last));
        code.push_str("printf '{\"Authorization\":\"Bearer %s\"}\\n' \"$token\"");
        self.prints_by(code);
    }

    /// Prints a bearer token made of `prefix` and the time of the run, for [`Accept::Stamped`](crate::Accept::Stamped).
    pub fn prints_stamped(&self, prefix: &str) {
        let prefix = quote(prefix);
        self.prints_by(format!("printf '{{\"Authorization\":\"Bearer %s%s\"}}\\n' {prefix} \"$(date +%s)\""));
    }

    /// Prints a JWT that expires `valid_for` (whole seconds) after the run, for [`Accept::Jwt`](crate::Accept::Jwt).
    pub fn prints_jwt(&self, valid_for: Duration, signature: &str) {
        let (seconds, signature) = (valid_for.as_secs(), quote(signature));
        self.prints_by(format!(
            "payload=$(printf '{{\"exp\":%s}}' $(($(date +%s) + {seconds})) | base64 | tr '+/' '-_' | tr -d '=\\n')\n\
             printf '{{\"Authorization\":\"Bearer %s.%s.%s\"}}\\n' {JWT_HEADER} \"$payload\" {signature}"
        ));
    }

    /// Prints this text, JSON or not.
    pub fn prints(&self, text: impl AsRef<str>) {
        self.prints_by(format!("printf '%s\\n' {}", quote(text.as_ref())));
    }

    fn prints_by(&self, code: String) {
        self.change(|act| {
            act.print = code;
            act.failure = None;
        });
    }

    /// Says this on stderr and exits with this code, after printing what it prints.
    pub fn fails(&self, code: u8, stderr: &str) {
        self.change(|act| act.failure = Some((code, stderr.to_owned())));
    }

    /// Takes this long before it prints.
    pub fn sleeps(&self, time: Duration) {
        self.change(|act| act.sleep = time);
    }

    /// Writes this many bytes to stderr before it prints.
    pub fn floods_stderr(&self, bytes: usize) {
        self.change(|act| act.noise = bytes);
    }

    /// Leaves a background process behind that keeps stdout open for this long, unless it is killed.
    pub fn leaves_grandchild(&self, time: Duration) {
        self.change(|act| act.grandchild = Some(time));
    }

    /// How often it was started.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.pids("runs").len()
    }

    /// What each run found, oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<HelperCall> {
        self.pids("runs").into_iter().filter_map(|pid| self.run_of(pid)).collect()
    }

    /// The process ids of the runs.
    #[must_use]
    pub fn run_pids(&self) -> Vec<u32> {
        self.pids("runs")
    }

    /// The process ids of the background processes that it left.
    #[must_use]
    pub fn grandchild_pids(&self) -> Vec<u32> {
        self.pids("grandchildren")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn pids(&self, file: &str) -> Vec<u32> {
        let text = fs::read_to_string(self.path(file)).unwrap_or_default();
        text.lines().filter_map(|line| line.trim().parse().ok()).collect()
    }

    fn run_of(&self, pid: u32) -> Option<HelperCall> {
        let environment = fs::read(self.path(&format!("env.{pid}"))).ok()?;
        let environment = String::from_utf8_lossy(&environment)
            .split('\0')
            .filter_map(|entry| entry.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let directory = fs::read_to_string(self.path(&format!("pwd.{pid}"))).ok()?;
        Some(HelperCall { environment, directory: PathBuf::from(directory.trim_end_matches('\n')) })
    }

    fn change(&self, change: impl FnOnce(&mut Act)) {
        let mut act = lock(&self.act);
        change(&mut act);
        let draft = self.path("act.sh.new");
        fs::write(&draft, act.script())
            .and_then(|()| fs::rename(&draft, self.path("act.sh")))
            .expect("the helper's own temporary directory is writable");
    }
}

impl Drop for FakeHelper {
    /// A background process that a client should have killed and did not must not outlive the test either.
    fn drop(&mut self) {
        for pid in self.grandchild_pids() {
            if process_is_alive(pid) {
                process::signal("KILL", &pid.to_string());
            }
        }
    }
}

impl Act {
    fn script(&self) -> String {
        let mut script = String::new();
        if self.noise > 0 {
            // `head -c` is everywhere; `yes` ends by the closed pipe.
            let _ = writeln!(script, "yes noise | head -c {} >&2", self.noise);
        }
        if !self.sleep.is_zero() {
            let _ = writeln!(script, "sleep {}", self.sleep.as_secs_f64());
        }
        if let Some(time) = self.grandchild {
            let _ =
                writeln!(script, "sleep {} &\necho $! >>\"$directory/grandchildren\"", time.as_secs_f64());
        }
        let _ = writeln!(script, "{}", self.print);
        if let Some((code, stderr)) = &self.failure {
            let _ = writeln!(script, "printf '%s\\n' {} >&2\nexit {code}", quote(stderr));
        }
        script
    }
}

/// `{"alg":"none"}`: it is not verified, and no test should look as if it were.
const JWT_HEADER: &str = "eyJhbGciOiJub25lIn0";

/// A token in the form of a JWT with an `exp` claim (seconds since 1970) and any text as its signature.
#[must_use]
pub fn fake_jwt(expires: u64, signature: &str) -> String {
    let payload = URL_SAFE_NO_PAD.encode(json!({ "exp": expires }).to_string());
    format!("{JWT_HEADER}.{payload}.{signature}")
}

/// One word of a POSIX shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_quotes_stay_one_word() {
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
    }
}
