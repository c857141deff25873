//! Running one command: its own process group, both pipes drained, a limit, and nothing left behind.
//!
//! Three facts shape this file. Killing the shell leaves its children alive, so the whole group is killed. Waiting for
//! end-of-file waits for every process that inherited the pipe, so *exit* is awaited, and then only what is
//! already in the pipes is taken. A pipe without a reader stops the command once it is full, so both are always
//! drained, and bounded.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;
use url::Url;

/// How much may be printed to stdout. Header sections that servers accept are a hundred times smaller.
pub(super) const MAX_STDOUT: usize = 1024 * 1024;
/// How much of the end of stderr is kept.
const MAX_STDERR_TAIL: usize = 8 * 1024;
/// How much of its beginning is kept besides, so that the first line is known however much follows.
const MAX_STDERR_HEAD: usize = 2 * 1024;
/// How long pipes are drained after the exit. What the command wrote itself is in them already; only a process
/// that it left in the background keeps them open longer.
const GRACE: Duration = Duration::from_millis(250);
/// How long a killed group may take to be reaped.
const REAP: Duration = Duration::from_secs(2);

/// Everything that decides what a run does. Two equal ones are the same run.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Invocation {
    pub(super) command: String,
    pub(super) cwd: PathBuf,
    pub(super) env: BTreeMap<OsString, OsString>,
    /// The names of the variables that are there and not for it.
    pub(super) withheld: Vec<String>,
    pub(super) server: String,
    pub(super) url: Url,
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) ended: RunEnd,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Stderr,
}

#[derive(Debug)]
pub(super) enum RunEnd {
    Exited(ExitStatus),
    /// Killed at the limit.
    TimedOut,
    /// Killed for printing more than [`MAX_STDOUT`].
    TooMuchOutput,
    /// The operating system did not say.
    Lost(io::Error),
}

/// The beginning and the end of what was printed to stderr.
#[derive(Debug, Default)]
pub(super) struct Stderr {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    cut: bool,
}

impl Stderr {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = MAX_STDERR_HEAD - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.tail.extend(bytes);
        let excess = self.tail.len().saturating_sub(MAX_STDERR_TAIL);
        self.cut |= excess > 0;
        self.tail.drain(..excess);
    }

    /// Whether nothing was printed but blanks.
    pub(super) fn is_empty(&self) -> bool {
        self.head.iter().chain(&self.tail).all(u8::is_ascii_whitespace)
    }

    pub(super) fn head(&self) -> String {
        String::from_utf8_lossy(&self.head).into_owned()
    }

    /// Whole lines only. Security: half of a secret would not be recognised as one.
    pub(super) fn tail(&self) -> String {
        let skipped = if self.cut {
            self.tail.iter().position(|byte| *byte == b'\n').map_or(self.tail.len(), |end| end + 1)
        } else {
            0
        };
        let bytes: Vec<u8> = self.tail.iter().skip(skipped).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A process group that does not outlive this value, unless its leader has exited by itself.
pub(super) struct Group {
    child: Box<dyn ChildWrapper>,
    exited: bool,
}

impl Group {
    pub(super) fn new(child: Box<dyn ChildWrapper>) -> Self {
        Self { child, exited: false }
    }

    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        // The innermost child: a job object's own `wait` would also wait for what runs in the background.
        let status = self.child.inner_mut().wait().await?;
        self.exited = true;
        Ok(status)
    }

    /// Kills the group and reaps its leader.
    pub(super) async fn stop(&mut self) {
        let _ = self.child.start_kill();
        // An error or a delay here changes nothing for the caller: dropping kills and reaps as well.
        let _ = timeout(REAP, self.wait()).await;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.exited {
            let _ = self.child.start_kill();
        }
    }
}

/// Runs the command to its end, or to `limit`.
///
/// # Errors
///
/// Where it could not be started. Everything later is an [`Output`].
pub(super) async fn run(invocation: &Invocation, limit: Duration) -> io::Result<Output> {
    let mut child = command(invocation).spawn()?;
    let pipes = (child.stdout().take(), child.stderr().take());
    let mut group = Group::new(child);
    let output = supervise(&mut group, pipes, limit).await;
    if !matches!(output.ended, RunEnd::Exited(_)) {
        group.stop().await;
    }
    Ok(output)
}

async fn supervise(
    group: &mut Group,
    pipes: (Option<impl AsyncRead + Unpin>, Option<impl AsyncRead + Unpin>),
    limit: Duration,
) -> Output {
    let (mut stdout, mut stderr) = (Vec::new(), Stderr::default());
    let ended = {
        let mut drain = pin!(async {
            tokio::try_join!(drain_stdout(pipes.0, &mut stdout), drain_stderr(pipes.1, &mut stderr)).map(drop)
        });
        let mut drained = false;
        let exit = timeout(limit, async {
            loop {
                tokio::select! {
                    result = &mut drain, if !drained => match result {
                        Ok(()) => drained = true,
                        Err(OutputTooLarge) => return RunEnd::TooMuchOutput,
                    },
                    status = group.wait() => return status.map_or_else(RunEnd::Lost, RunEnd::Exited),
                }
            }
        });
        match exit.await {
            Ok(RunEnd::Exited(status)) if !drained => match timeout(GRACE, drain).await {
                Ok(Err(OutputTooLarge)) => RunEnd::TooMuchOutput,
                _ => RunEnd::Exited(status),
            },
            Ok(ended) => ended,
            Err(_) => RunEnd::TimedOut,
        }
    };
    Output { ended, stdout, stderr }
}

struct OutputTooLarge;

/// A pipe that breaks is a pipe that ended: what was read is what there is.
async fn drain_stdout(
    pipe: Option<impl AsyncRead + Unpin>,
    into: &mut Vec<u8>,
) -> Result<(), OutputTooLarge> {
    let Some(pipe) = pipe else { return Ok(()) };
    let _ = pipe.take(MAX_STDOUT as u64 + 1).read_to_end(into).await;
    if into.len() > MAX_STDOUT { Err(OutputTooLarge) } else { Ok(()) }
}

async fn drain_stderr(pipe: Option<impl AsyncRead + Unpin>, into: &mut Stderr) -> Result<(), OutputTooLarge> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = pipe.read(&mut chunk).await {
        into.push(&chunk[..read]);
    }
    Ok(())
}

/// `command` at the head of a group of its own, so that what it starts ends with it: a helper's, or a plug-in's. Those of
/// servers are `mcp-transport`'s, which this crate does not know.
pub(super) fn grouped(mut command: CommandWrap) -> CommandWrap {
    command.wrap(KillOnDrop);
    #[cfg(unix)]
    command.wrap(process_wrap::tokio::ProcessGroup::leader());
    #[cfg(windows)]
    command.wrap(process_wrap::tokio::JobObject);
    command
}

#[cfg(unix)]
fn command(invocation: &Invocation) -> CommandWrap {
    grouped(CommandWrap::with_new("sh", |command| {
        command.arg("-c").arg(&invocation.command);
        configure(command, invocation);
    }))
}

#[cfg(windows)]
fn command(invocation: &Invocation) -> CommandWrap {
    grouped(CommandWrap::with_new("cmd", |command| {
        // The line reaches the shell as written: with /S, exactly the outer quotes are stripped from it.
        command.raw_arg("/D /S /C").raw_arg(format!("\"{}\"", invocation.command));
        configure(command, invocation);
    }))
}

fn configure(command: &mut tokio::process::Command, invocation: &Invocation) {
    command
        .env_clear()
        .envs(&invocation.env)
        .current_dir(&invocation.cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_last_whole_lines_of_stderr_are_kept() {
        let mut stderr = Stderr::default();
        stderr.push(b"first\n");
        assert_eq!((stderr.head().as_str(), stderr.tail().as_str()), ("first\n", "first\n"));
        for number in 0..5000 {
            stderr.push(format!("line {number}\n").as_bytes());
        }
        assert_eq!(stderr.head().len(), MAX_STDERR_HEAD);
        assert!(stderr.head().starts_with("first\nline 0\n"));
        let tail = stderr.tail();
        assert!(tail.len() <= MAX_STDERR_TAIL && tail.ends_with("line 4999\n"));
        assert!(tail.lines().all(|line| line.len() == "line 4999".len()), "{tail}");
        stderr.push(&[b'x'; MAX_STDERR_TAIL]);
        assert_eq!(stderr.tail(), "", "one endless line");
    }
}
