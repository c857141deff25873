//! A command and everything it starts: one process group (Unix) or one job object (Windows).
//!
//! A command is often a launcher (`npx`, `uvx`, a shell) whose child is the server, so only the whole group
//! may be signalled, and nothing of it may outlive the connection.
//!
//! What remains: a program that is itself killed with SIGKILL cannot clean up. Its children see the end of their standard
//! input, which every MCP server ends on; one that ignores that stays. Linux could be asked to signal it
//! (`PR_SET_PDEATHSIG`), but only from the child between fork and exec, which is unsafe code; `setpriv --pdeathsig` and a
//! program of our own in between would do it safely, at the price of worse reasons for a command that does not start, and
//! neither reaches the children of a launcher. On Windows the job object ends with us.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

#[cfg(windows)]
use process_wrap::tokio::JobObject;
#[cfg(unix)]
use process_wrap::tokio::ProcessGroup;
use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use super::diagnosis::{Disk, System, diagnose};
use crate::endpoint::StdioEndpoint;
use crate::error::{TransportError, TransportErrorKind};

/// POSIX gives it this number everywhere.
#[cfg(unix)]
const SIGTERM: i32 = 15;

/// A running command. Dropping it kills the whole group.
#[derive(Debug)]
pub(super) struct Group {
    child: Box<dyn ChildWrapper>,
    /// Nothing is left to kill. After that the number of the group may belong to another process.
    over: bool,
}

/// Our ends of its standard streams.
#[derive(Debug)]
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

impl Group {
    /// Starts the command with exactly the environment of the endpoint.
    ///
    /// # Errors
    /// [`Spawn`](TransportErrorKind::Spawn), with what is wrong with the command.
    pub(super) fn spawn(endpoint: &StdioEndpoint) -> Result<(Self, Pipes), TransportError> {
        let mut command = CommandWrap::with_new(&endpoint.command, |command| {
            command.args(&endpoint.args).env_clear().envs(&endpoint.env);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            if let Some(cwd) = &endpoint.cwd {
                command.current_dir(cwd);
            }
        });
        #[cfg(unix)]
        command.wrap(ProcessGroup::leader());
        #[cfg(windows)]
        command.wrap(JobObject);
        command.wrap(KillOnDrop);
        let child = command.spawn().map_err(|error| not_started(endpoint, &error))?;
        let mut group = Self { child, over: false };
        let (stdin, stdout, stderr) =
            (group.child.stdin().take(), group.child.stdout().take(), group.child.stderr().take());
        match (stdin, stdout, stderr) {
            (Some(stdin), Some(stdout), Some(stderr)) => Ok((group, Pipes { stdin, stdout, stderr })),
            _ => Err(not_started(endpoint, &io::Error::other("a standard stream is missing"))),
        }
    }

    /// The process of the command itself, as long as it has not been waited for.
    pub(super) fn leader(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the command itself has exited; what it started may still run. Can be cancelled and repeated.
    pub(super) async fn leader_exit(&mut self) -> io::Result<ExitStatus> {
        // Not the wait of the group: where we are the reaper of orphans (process 1 of a container), that one
        // waits for every grandchild too, on a thread that cannot be cancelled.
        self.child.inner_mut().wait().await
    }

    /// Asks the whole group to end. Windows has no such request, so nothing happens there.
    pub(super) fn terminate(&self) {
        #[cfg(unix)]
        let _ = self.child.signal(SIGTERM);
    }

    /// Kills what is left of the group and reaps the command.
    pub(super) async fn kill(mut self) {
        let _ = self.child.start_kill();
        self.over = true;
        let _ = self.leader_exit().await;
        // Reaps orphans that became ours, without waiting for any.
        let _ = self.child.try_wait();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.over {
            let _ = self.child.start_kill();
        }
    }
}

fn not_started(endpoint: &StdioEndpoint, error: &io::Error) -> TransportError {
    let cwd = endpoint.cwd.as_deref().unwrap_or(Path::new("."));
    let diagnosis = diagnose(endpoint, &cwd.to_string_lossy(), error, System::HERE, &Disk);
    let kind = TransportErrorKind::Spawn { cause: diagnosis.cause };
    TransportError::new(kind, "the command could not be started").with_source(diagnosis)
}
