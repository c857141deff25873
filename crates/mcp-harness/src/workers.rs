//! Processes of a test that are killed at moments of a generator: the test's own executable, started again.

use std::io::{self, BufRead, BufReader, IsTerminal, Lines, StdinLock, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A process that runs the ignored test `worker` of this executable, which takes its [`WorkerOrders`] on stdin. Dropping it kills it.
#[derive(Debug)]
pub struct Worker {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts a process with these orders, and these variables beside the test's own.
    ///
    /// # Errors
    ///
    /// When the process cannot be started.
    pub fn start(orders: &str, environment: &[(&str, &str)]) -> io::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .envs(environment.iter().copied())
            .args(["--ignored", "--exact", "worker", "--nocapture", "--test-threads=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let output = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut worker = Self { process, output: BufReader::new(output) };
        worker.tell(orders)?;
        Ok(worker)
    }

    /// Writes a line to it.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn tell(&mut self, line: &str) -> io::Result<()> {
        let input = self.process.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(input, "{line}")
    }

    /// The next line that it wrote with [`WorkerOrders::say`]; the test harness writes some too.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when it has ended.
    pub fn says(&mut self) -> io::Result<String> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((_, said)) = line.split_once("worker: ") {
                return Ok(said.trim().to_owned());
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // SIGKILL on Unix: the process gets no chance to tidy up.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a worker was told: the first line, and those that follow while it works.
#[derive(Debug)]
#[non_exhaustive]
pub struct WorkerOrders {
    /// The orders it was started with.
    pub first: String,
    /// What it is told afterwards.
    pub lines: Lines<StdinLock<'static>>,
}

impl WorkerOrders {
    /// The orders of this process, or `None` where a person runs the ignored tests.
    #[must_use]
    pub fn read() -> Option<Self> {
        if io::stdin().is_terminal() {
            return None;
        }
        let mut lines = io::stdin().lines();
        let first = lines.next()?.ok()?;
        Some(Self { first, lines })
    }

    /// Says a line to the test that started this process.
    ///
    /// # Panics
    ///
    /// When that test has ended.
    pub fn say(what: &str) {
        let mut out = io::stdout().lock();
        let said = writeln!(out, "worker: {what}").and_then(|()| out.flush());
        assert!(said.is_ok(), "the test has ended: {said:?}");
    }
}
