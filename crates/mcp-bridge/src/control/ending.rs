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
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::time::Instant;

    use super::*;

    const TEST: &str =
        "control::ending::tests::a_process_that_does_not_answer_is_ended_also_where_it_is_stopped_or_deaf";
    const SWITCH: &str = "MCP_BRIDGE_TEST_LISTENS_AT";

    /// A process that listens at `path` and never answers: this test once more. `deaf` to what would have it end.
    fn silent(path: &Path, deaf: bool) -> Child {
        let ignoring = if deaf { "trap '' TERM; " } else { "" };
        let child = Command::new("sh")
            .args(["-c", &format!("{ignoring}exec \"$@\"")])
            .arg("sh")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", TEST])
            .env(SWITCH, path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while std::os::unix::net::UnixStream::connect(path).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "it never listens");
            std::thread::sleep(Duration::from_millis(10));
        }
        child
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a switch between the two processes of this test")]
    async fn a_process_that_does_not_answer_is_ended_also_where_it_is_stopped_or_deaf() {
        if let Some(path) = std::env::var_os(SWITCH) {
            let _listens = std::os::unix::net::UnixListener::bind(path).unwrap();
            std::thread::sleep(Duration::from_secs(60));
            return;
        }
        let home = tempfile::tempdir().unwrap();
        for (name, is_deaf, is_stopped) in [("a", false, false), ("b", false, true), ("c", true, true)] {
            let path = home.path().join(name);
            let mut child = silent(&path, is_deaf);
            let process = Pid::from_child(&child);
            if is_stopped {
                kill_process(process, Signal::STOP).unwrap();
            }
            let connection = UnixStream::connect(&path).await.unwrap();
            assert_eq!(listener(&connection), Some(process));
            assert!(end(connection, process, Duration::from_millis(500)).await, "{name}");
            let status = child.wait().unwrap();
            let signal = std::os::unix::process::ExitStatusExt::signal(&status);
            assert_eq!(signal, Some(if is_deaf { 9 } else { 15 }), "{name}");
            assert!(end_process(&path, 1).await, "it is over");
        }
    }

    #[tokio::test]
    async fn s_n03_a_process_of_another_number_than_the_name_tells_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("s");
        let mut child = silent(&path, false);
        assert!(!end_process(&path, child.id() + 1).await);
        assert!(child.try_wait().unwrap().is_none() && path.exists(), "it goes on");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
