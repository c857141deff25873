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
