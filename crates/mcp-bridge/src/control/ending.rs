//! How a session that does not answer is ended: by way of its process.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use crate::peer_account::check_peer;

/// What the name of a socket ends with whose process is there for its session alone. A session that does not answer cannot be asked,
/// and the process of one that has not said so may be a program that a person works with.
pub(super) const OWN_PROCESS: &str = "-own";

/// How long a process may take that was told to end: as long as a session that was.
const TOLD: Duration = Duration::from_secs(5);
/// How long the system may take to end one.
const ENDED: Duration = Duration::from_secs(2);

/// Ends the process that listens at `path`, and says whether it is over. One that only was stopped goes on, and may still end
/// as it would; one that does not is ended by the system.
pub(super) async fn end_process(path: &Path, pid: u32) -> bool {
    let connection = match UnixStream::connect(path).await {
        Ok(connection) => connection,
        Err(error) => return is_gone(&error),
    };
    // Security: a number that a name tells may be that of another process by now; the one who listens cannot be.
    let named = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(process) = listener(&connection).filter(|process| Some(*process) == named) else {
        return false;
    };
    end(connection, process, TOLD).await && {
        drop(std::fs::remove_file(path));
        true
    }
}

/// Whether this tells that no process listens any more.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

/// The process at the other end of `connection`, of this account, as far as the system tells it.
fn listener(connection: &UnixStream) -> Option<Pid> {
    check_peer(connection).ok()?;
    Pid::from_raw(connection.peer_cred().ok()?.pid()?)
}

async fn end(mut connection: UnixStream, process: Pid, told: Duration) -> bool {
    for (signal, limit) in [(Signal::TERM, told), (Signal::KILL, ENDED)] {
        // Where it is over already there is nothing to signal, and the connection says so. A process that is stopped hears of
        // this when it goes on.
        let _ = kill_process(process, signal);
        let _ = kill_process(process, Signal::CONT);
        if tokio::time::timeout(limit, is_closed(&mut connection)).await.is_ok() {
            return true;
        }
    }
    false
}

/// Waits until the other end is gone.
async fn is_closed(connection: &mut UnixStream) {
    // An error is an end as well.
    while matches!(connection.read(&mut [0; 256]).await, Ok(1..)) {}
}

#[cfg(test)]
mod tests;
