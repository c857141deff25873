//! Runs a binary in a [`TempHome`], and never without looking for leaked secrets and leaked processes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mcp_testkit::{Snapshot, TempHome};

use mcp_testkit::process;

/// How long what a program leaves behind may take to vanish after its own end.
const LINGER: Duration = Duration::from_secs(3);

/// Names the environment variable by which leaked processes are found.
const MARKER: &str = "MCP_TESTKIT_RUN";

/// One invocation of a binary, to be set up and run.
///
/// Each run fails the test by a panic when it takes too long, when a canary of the home occurs in its output or in a
/// file that it wrote, or when a process that it started outlives it.
#[derive(Debug)]
pub struct Mcplink<'a> {
    home: &'a TempHome,
    program: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    directory: PathBuf,
    stdin: Vec<u8>,
    timeout: Duration,
    may_hold_secrets: Vec<PathBuf>,
}

/// What a finished program left.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// How long it took.
    pub elapsed: Duration,
}

/// A program that is still running. Dropping it kills its process group.
#[derive(Debug)]
pub struct Running<'a> {
    home: &'a TempHome,
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Pipe,
    stderr: Pipe,
    marker: String,
    started: Instant,
    before: Snapshot,
    may_hold_secrets: Vec<PathBuf>,
    timeout: Duration,
    ended: bool,
}

impl<'a> Mcplink<'a> {
    /// The binary at `program`, in this home. `PATH` is the usual one of Unix; [`Mcplink::env`] sets another.
    pub fn new(program: impl AsRef<Path>, home: &'a TempHome) -> Self {
        Self {
            home,
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: home.environment("/usr/local/bin:/usr/bin:/bin"),
            directory: home.project(),
            stdin: Vec::new(),
            timeout: Duration::from_secs(60),
            may_hold_secrets: Vec::new(),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable on top of the home's.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Runs in another directory than the project.
    #[must_use]
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = directory.as_ref().to_owned();
        self.environment.insert("PWD".to_owned(), self.directory.to_string_lossy().into_owned());
        self
    }

    /// Gives it this on stdin. Without it, stdin is empty and at its end.
    #[must_use]
    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.stdin = input.into();
        self
    }

    /// Sets the time limit, 60 seconds unless set.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Allows secrets in a file (relative to the root of the home) or in everything below a directory: a token store,
    /// say, or a configuration file that the command is meant to edit.
    #[must_use]
    pub fn may_hold_secrets(mut self, path: impl AsRef<Path>) -> Self {
        self.may_hold_secrets.push(path.as_ref().to_owned());
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    ///
    /// When it cannot be started, takes too long, leaks a secret or leaves a process behind.
    #[must_use]
    pub fn run(self) -> Output {
        self.spawn().wait()
    }

    /// Starts it and returns at once; its stdin stays open for [`Running::write`].
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start(self) -> Running<'a> {
        self.launch(true)
    }

    fn spawn(self) -> Running<'a> {
        self.launch(false)
    }

    fn launch(self, keep_stdin: bool) -> Running<'a> {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let run = format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
        let before = self.home.snapshot();
        let mut command = Command::new(&self.program);
        command
            .args(self.arguments.iter().map(OsStr::new))
            .env_clear()
            .envs(&self.environment)
            .env(MARKER, &run)
            .current_dir(&self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        process::in_own_group(&mut command);
        let name = format!("{} {}", self.program.display(), self.arguments.join(" "));
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let mut stdin = child.stdin.take();
        let (stdout, stderr) = (Pipe::read(child.stdout.take()), Pipe::read(child.stderr.take()));
        if !keep_stdin && let Some(mut stdin) = stdin.take() {
            let input = self.stdin;
            // On a thread of its own: a program that does not read must not stop the test from reading its output.
            thread::spawn(move || stdin.write_all(&input));
        }
        Running {
            home: self.home,
            name,
            child,
            stdin,
            stdout,
            stderr,
            marker: format!("{MARKER}={run}"),
            started: Instant::now(),
            before,
            may_hold_secrets: self.may_hold_secrets,
            timeout: self.timeout,
            ended: false,
        }
    }
}

impl Running<'_> {
    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its stdin.
    ///
    /// # Errors
    ///
    /// When it has closed it, or [`Running::close_stdin`] has.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(bytes.as_ref())?;
        stdin.flush()
    }

    /// Closes its stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Sends it a signal by name: `INT`, `TERM`, `KILL`, `STOP`, `CONT`. Only the process itself gets it.
    pub fn signal(&self, name: &str) {
        process::signal(name, &self.pid().to_string());
    }

    /// Its standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Its standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Waits until its standard output satisfies `seen`, and returns it.
    ///
    /// # Panics
    ///
    /// When it ends or the time limit passes before that.
    pub fn wait_for_stdout(&self, what: &str, seen: impl Fn(&str) -> bool) -> String {
        self.await_pipe(&self.stdout, what, seen)
    }

    /// Waits until its standard error satisfies `seen`, and returns it.
    ///
    /// # Panics
    ///
    /// When it ends or the time limit passes before that.
    pub fn wait_for_stderr(&self, what: &str, seen: impl Fn(&str) -> bool) -> String {
        self.await_pipe(&self.stderr, what, seen)
    }

    fn await_pipe(&self, pipe: &Pipe, what: &str, seen: impl Fn(&str) -> bool) -> String {
        pipe.wait_until(self.started + self.timeout, seen).unwrap_or_else(|| {
            panic!("{} never printed {what}\n{}", self.name, self.so_far());
        })
    }

    fn so_far(&self) -> String {
        format!("stdout: {}\nstderr: {}", self.stdout(), self.stderr())
    }

    /// Waits for its end, closing its stdin.
    ///
    /// # Panics
    ///
    /// When it takes too long, has leaked a secret or leaves a process behind.
    #[must_use]
    pub fn wait(mut self) -> Output {
        self.close_stdin();
        let status = self.await_end();
        self.ended = true;
        self.assert_nothing_is_left_running();
        for (pipe, name) in [(&self.stdout, "stdout"), (&self.stderr, "stderr")] {
            // Only a process that hid from the search by an environment of its own can still hold a pipe open.
            assert!(
                pipe.has_ended_by(Instant::now() + LINGER),
                "{}: something still holds its {name} open",
                self.name
            );
        }
        let output = Output {
            stdout: self.stdout(),
            stderr: self.stderr(),
            code: status.code(),
            elapsed: self.started.elapsed(),
        };
        self.assert_no_secret_leaked(&output);
        output
    }

    fn await_end(&mut self) -> ExitStatus {
        while self.started.elapsed() < self.timeout {
            match self.child.try_wait() {
                Ok(Some(status)) => return status,
                Ok(None) => thread::sleep(Duration::from_millis(2)),
                Err(error) => panic!("cannot wait for {}: {error}", self.name),
            }
        }
        process::kill_group(self.pid());
        panic!("{} took more than {:?}\n{}", self.name, self.timeout, self.so_far());
    }

    fn assert_nothing_is_left_running(&self) {
        let deadline = Instant::now() + LINGER;
        loop {
            let left = process::marked_processes(&self.marker);
            if left.is_empty() {
                return;
            }
            if Instant::now() > deadline {
                for (pid, _) in &left {
                    process::signal("KILL", &pid.to_string());
                }
                panic!("{} left processes behind: {left:?}\n{}", self.name, self.so_far());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn assert_no_secret_leaked(&self, output: &Output) {
        let canaries = self.home.canaries();
        canaries.assert_absent(&format!("the stdout of {}", self.name), output.stdout.as_bytes());
        canaries.assert_absent(&format!("the stderr of {}", self.name), output.stderr.as_bytes());
        let after = self.home.snapshot();
        let changes = self.before.changes_until(&after);
        for path in changes.created.iter().chain(&changes.changed) {
            if self.may_hold_secrets.iter().any(|allowed| path.starts_with(allowed)) {
                continue;
            }
            canaries
                .assert_absent(&format!("the name of {}", path.display()), path.to_string_lossy().as_bytes());
            let contents = after.contents(path).unwrap_or_default();
            canaries.assert_absent(&path.display().to_string(), contents);
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.ended {
            process::kill_group(self.pid());
            for (pid, _) in process::marked_processes(&self.marker) {
                process::signal("KILL", &pid.to_string());
            }
            // Collects the zombie; that it was killed is what was wanted.
            let _ = self.child.wait();
        }
    }
}

impl Output {
    /// Standard output as one JSON value.
    ///
    /// # Panics
    ///
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {self}"))
    }

    /// Fails the test unless the exit code is this one.
    ///
    /// # Panics
    ///
    /// With the whole output.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }
}

impl fmt::Display for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "code {:?}\nstdout: {}\nstderr: {}", self.code, self.stdout, self.stderr)
    }
}

/// A pipe that is always drained, so that the writer never blocks.
#[derive(Debug)]
pub(crate) struct Pipe {
    state: Arc<(Mutex<PipeState>, Condvar)>,
}

#[derive(Debug, Default)]
struct PipeState {
    bytes: Vec<u8>,
    ended: bool,
}

impl Pipe {
    pub(crate) fn read(source: Option<impl Read + Send + 'static>) -> Self {
        let state: Arc<(Mutex<PipeState>, Condvar)> = Arc::default();
        let shared = Arc::clone(&state);
        // It ends with the pipe; joining it would wait for the other holders of its end.
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            if let Some(mut source) = source {
                while let Ok(count @ 1..) = source.read(&mut buffer) {
                    lock(&shared.0).bytes.extend_from_slice(&buffer[..count]);
                    shared.1.notify_all();
                }
            }
            lock(&shared.0).ended = true;
            shared.1.notify_all();
        });
        Self { state }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.state.0).bytes).into_owned()
    }

    /// The text once it satisfies `seen`; `None` when the pipe ends or the deadline passes before that.
    pub(crate) fn wait_until(&self, deadline: Instant, seen: impl Fn(&str) -> bool) -> Option<String> {
        let mut state = lock(&self.state.0);
        loop {
            let text = String::from_utf8_lossy(&state.bytes);
            if seen(&text) {
                return Some(text.into_owned());
            }
            drop(text);
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state = self.state.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the end of the pipe; whether it came in time.
    fn has_ended_by(&self, deadline: Instant) -> bool {
        self.wait_until(deadline, |_| false);
        lock(&self.state.0).ended
    }
}

/// Locks, also when an earlier holder panicked: output must stay readable after a failed assertion in another thread.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
