//! Against real processes: small shell scripts that behave like the servers of the field, and worse.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mcp_status::SpawnCause;

use super::*;
use crate::error::TransportErrorKind;
use crate::inbound::tests::RecordingInbound;
use crate::limits::Limits;

/// Far longer than anything here takes; a loaded machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers each request by its id with what it was sent, as a server would.
const ECHO: &str = r#"
while IFS= read -r line; do
    id=${line#*\"id\":}; id=${id%%,*}
    printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$line"
done
"#;

fn script(text: &str) -> StdioEndpoint {
    let mut endpoint = StdioEndpoint::new("/bin/sh");
    endpoint.args = vec!["-c".into(), text.into()];
    endpoint.env.insert("PATH".into(), "/usr/bin:/bin".into());
    endpoint
}

fn budget() -> Budget {
    let limits = Limits { result_bytes: 1 << 20, message_bytes: 1 << 20, ..Limits::default() };
    Budget::new(Arc::new(limits), Default::default())
}

fn allowance() -> Allowance {
    budget().limits.allowance("m")
}

fn start(text: &str) -> (StdioWire, Arc<RecordingInbound>) {
    let recorder = Arc::new(RecordingInbound::default());
    (StdioWire::spawn(&script(text), &budget(), recorder.clone()).unwrap(), recorder)
}

async fn ask(wire: &StdioWire, id: i64) -> Outcome {
    let frame = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#).into_bytes();
    tokio::time::timeout(PATIENCE, wire.request(id, frame, allowance(), Patience::default()))
        .await
        .expect("no wait is endless")
}

async fn close(wire: &StdioWire) {
    tokio::time::timeout(PATIENCE, wire.close()).await.expect("no shutdown is endless");
}

async fn eventually(mut holds: impl FnMut() -> bool, what: &str) {
    mcp_testkit::eventually(what, PATIENCE, async || holds()).await;
}

/// The process ids that a script wrote to a file, one per line, once there are `count` of them.
async fn pids(file: &Path, count: usize) -> Vec<u32> {
    let read = || std::fs::read_to_string(file).unwrap_or_default();
    eventually(|| read().matches('\n').count() >= count, "the script never wrote its process ids").await;
    read().lines().map(|line| line.trim().parse().unwrap()).collect()
}

/// Whether a process runs; one that only waits to be reaped does not.
#[cfg(target_os = "linux")]
fn runs(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

#[tokio::test]
async fn requests_are_answered_and_the_end_is_orderly() {
    let (wire, recorder) = start(&format!("{ECHO} echo bye >&2; exit 0"));
    let answers = tokio::join!(ask(&wire, 1), ask(&wire, 2), ask(&wire, 3));
    for (id, answer) in [(1, answers.0), (2, answers.1), (3, answers.2)] {
        let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#);
        assert_eq!(answer.unwrap().get(), expected);
    }
    close(&wire).await;
    // It left its loop because standard input ended, and was not cut off.
    assert_eq!(wire.side_output().stderr_tail, "bye\n");
    assert_eq!(*ask(&wire, 4).await.unwrap_err().kind(), TransportErrorKind::Closed);
    assert!(wire.send(Vec::new()).is_err());
    assert!(recorder.seen().is_empty(), "an end by the owner is no loss");
}

#[tokio::test]
async fn what_was_sent_before_the_end_arrives() {
    let (wire, _) = start("while read -r line; do echo \"$line\" >&2; done");
    for number in 0..50 {
        wire.send(format!("{number}").into_bytes()).unwrap();
    }
    close(&wire).await;
    assert_eq!(wire.side_output().stderr_tail.lines().count(), 50);
}

#[tokio::test]
async fn a_message_is_one_line_and_large_ones_pass() {
    let (wire, _) = start(ECHO);
    let frame = b"{\"jsonrpc\":\"2.0\",\n\"id\":1,\r\n\"method\":\"m\"}".to_vec();
    let answer = tokio::time::timeout(PATIENCE, wire.request(1, frame, allowance(), Patience::default()))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.get().contains("\"method\":\"m\"") && !answer.get().contains('\n'));

    let (wire, _) = start(
        r#"read -r line; printf '{"jsonrpc":"2.0","id":1,"result":"'
           head -c 900000 /dev/zero | tr '\0' x; printf '"}\n'; read -r line"#,
    );
    assert_eq!(ask(&wire, 1).await.unwrap().get().len(), 900_002);
    close(&wire).await;
}

#[tokio::test]
async fn the_environment_and_the_directory_are_those_of_the_endpoint() {
    let dir = tempfile::tempdir().unwrap();
    let mut endpoint = script(r#"read -r line; echo "$PWD $GIVEN $(env | wc -l)" >&2; exit 4"#);
    endpoint.env.insert("GIVEN".into(), "yes".into());
    endpoint.cwd = Some(dir.path().canonicalize().unwrap());
    let wire = StdioWire::spawn(&endpoint, &budget(), Arc::new(RecordingInbound::default())).unwrap();
    let error = ask(&wire, 1).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Exited { code: Some(4), signal: None });
    let said = wire.side_output().stderr_tail;
    let mut words = said.split_whitespace();
    assert_eq!(words.next(), dir.path().canonicalize().unwrap().to_str());
    assert_eq!(words.next(), Some("yes"));
    // PATH, GIVEN, and what the shell itself adds (PWD, and for some SHLVL, OLDPWD and `_`).
    assert!(words.next().unwrap().parse::<u32>().unwrap() <= 6, "{said}");
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let recorder = || Arc::new(RecordingInbound::default());
    let said = |error: &TransportError| std::error::Error::source(error).unwrap().to_string();
    let failed = |endpoint: &StdioEndpoint| StdioWire::spawn(endpoint, &budget(), recorder()).unwrap_err();

    let missing = failed(&StdioEndpoint::new("/nonexistent/command"));
    assert_eq!(*missing.kind(), TransportErrorKind::Spawn { cause: SpawnCause::NotFound });
    assert_eq!(said(&missing), "there is no `/nonexistent/command`");

    let dir = tempfile::tempdir().unwrap();
    let mut nowhere = script("exit 0");
    nowhere.cwd = Some(dir.path().join("gone"));
    let report = failed(&nowhere);
    assert_eq!(*report.kind(), TransportErrorKind::Spawn { cause: SpawnCause::WorkingDirectory });
    assert!(said(&report).ends_with("gone` does not exist"), "{report:?}");

    let plain = dir.path().join("plain");
    std::fs::write(&plain, "#!/bin/sh\n").unwrap();
    let report = failed(&StdioEndpoint::new(plain));
    assert_eq!(*report.kind(), TransportErrorKind::Spawn { cause: SpawnCause::NotExecutable });
    assert!(said(&report).contains("chmod +x"), "{report:?}");
}

#[tokio::test]
async fn an_early_exit_fails_the_request_with_code_and_stderr() {
    let (wire, recorder) = start("echo 'first line' >&2; echo 'missing API key' >&2; exit 3");
    let error = ask(&wire, 1).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Exited { code: Some(3), signal: None });
    assert_eq!(error.to_string(), "the command exited with code 3");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "missing API key");
    assert_eq!(error.side_output().unwrap().stderr_tail, "first line\nmissing API key\n");
    assert!(!format!("{error:?}").contains("API key"), "a log must not repeat what a server printed");
    assert_eq!(*recorder.seen(), ["closed"]);

    let (wire, _) = start("kill -9 $$");
    let error = ask(&wire, 1).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Exited { code: None, signal: Some(9) });
    assert_eq!(error.to_string(), "the command was ended by signal 9");
}

#[tokio::test]
async fn the_last_words_before_an_exit_count() {
    let (wire, recorder) = start(
        r#"read -r line; echo '{"jsonrpc":"2.0","method":"notifications/message"}'
           echo '{"jsonrpc":"2.0","id":1,"result":1}'; exit 0"#,
    );
    assert_eq!(ask(&wire, 1).await.unwrap().get(), "1");
    eventually(|| recorder.seen().len() == 2, "the exit was never noticed").await;
    assert_eq!(*recorder.seen(), ["notifications/message", "closed"]);
}

/// Field failure 105: a drop in the middle of an answer.
#[tokio::test]
async fn half_an_answer_fails_the_request() {
    let (wire, _) = start(r#"read -r line; printf '{"jsonrpc":"2.0","id":1,"resu'; exit 0"#);
    assert_eq!(
        *ask(&wire, 1).await.unwrap_err().kind(),
        TransportErrorKind::Exited { code: Some(0), signal: None }
    );

    let (wire, _) = start("read -r line; exec >&-; sleep 600");
    let error = ask(&wire, 1).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Dropped);
    assert_eq!(error.to_string(), "the command closed its standard output");
    wire.signals.kill.cancel();
    wire.signals.done.cancelled().await;
}

#[tokio::test]
async fn a_command_that_stops_reading_is_noticed() {
    let (wire, recorder) = start("exec <&-; echo '{\"jsonrpc\":\"2.0\",\"method\":\"closed\"}'; sleep 600");
    eventually(|| !recorder.seen().is_empty(), "the script never came that far").await;
    let error = ask(&wire, 1).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Dropped);
    assert_eq!(error.to_string(), "the command closed its standard input");
    wire.signals.kill.cancel();
    wire.signals.done.cancelled().await;
}

/// Field failure 114, first half: stray lines are tolerated.
#[tokio::test]
async fn stray_lines_are_skipped_and_counted() {
    let banner =
        "for i in 1 2 3 4 5; do echo \"npm notice $i\"; done; echo; echo '{\"level\":\"info\",\"id\":1}'";
    let (wire, _) = start(&format!("{banner}\n{ECHO}"));
    ask(&wire, 1).await.unwrap();
    let side = wire.side_output();
    assert_eq!(side.stray_lines, 6, "the empty line is none");
    assert_eq!(side.first_stray[0], "npm notice 1");

    close(&wire).await;

    // After the first message there is no limit: a server that logs to standard output works.
    let log = "i=0; while [ $i -lt 150 ]; do echo log; i=$((i+1)); done\ndone";
    let (wire, _) = start(&ECHO.replace("done", log));
    for id in 1..=3 {
        ask(&wire, id).await.unwrap();
    }
    assert!(wire.side_output().stray_lines >= 300);
    close(&wire).await;
}

/// Field failure 114, second half: a program that speaks something else fails fast.
#[tokio::test]
async fn garbage_fails_fast() {
    let (wire, _) = start("while :; do echo garbage; done");
    let error = ask(&wire, 1).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Protocol);
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "its standard output begins with `garbage`"
    );
    wire.signals.kill.cancel();
    wire.signals.done.cancelled().await;
}

#[tokio::test]
async fn an_endless_line_ends_in_an_error() {
    let (wire, _) = start("read -r line; tr '\\0' x < /dev/zero");
    let error = ask(&wire, 1).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::TooLarge);
    wire.signals.kill.cancel();
    wire.signals.done.cancelled().await;
}

#[tokio::test]
async fn a_flood_of_stderr_blocks_nothing() {
    let (wire, _) = start(&format!("head -c 3000000 /dev/zero | tr '\\0' e >&2\n{ECHO}"));
    ask(&wire, 1).await.unwrap();
    eventually(|| wire.side_output().stderr_tail.len() == 8 << 10, "the tail is full").await;
    close(&wire).await;
}

#[tokio::test]
async fn a_request_that_is_given_up_leaves_the_stream_whole() {
    let (wire, _) = start(&format!("sleep 0.2\n{ECHO}"));
    // Larger than a pipe, so it is given up in the middle of being written.
    let large = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "m".repeat(300_000)).into_bytes();
    let given_up = tokio::time::timeout(
        Duration::from_millis(20),
        wire.request(1, large, allowance(), Patience::default()),
    )
    .await;
    assert!(given_up.is_err());
    assert!(ask(&wire, 2).await.unwrap().get().contains("\"id\":2"));
    close(&wire).await;
}

/// Field failure 115: a launcher that ignores SIGTERM and whose child ignores everything.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_is_orphaned_by_close() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    let stubborn = format!(
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >> {0}; while :; do sleep 1; done' & echo $$ >> {0}; while :; do sleep 1; done",
        file.display()
    );
    let (wire, _) = start(&stubborn);
    let pids = pids(&file, 2).await;
    assert!(pids.iter().all(|pid| runs(*pid)));
    close(&wire).await;
    for pid in pids {
        eventually(|| !runs(pid), "a process was left behind").await;
    }
}

/// The command ends by itself and in good order; what it started does not.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_is_orphaned_by_an_exit() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    let (wire, _) = start(&format!(
        "sh -c 'trap \"\" TERM; echo $$ > {}; while :; do sleep 1; done' & read -r line; exit 0",
        file.display()
    ));
    let pids = pids(&file, 1).await;
    // The grandchild holds standard output, so there is no end of file: the exit alone must be enough.
    assert_eq!(
        *ask(&wire, 1).await.unwrap_err().kind(),
        TransportErrorKind::Exited { code: Some(0), signal: None }
    );
    eventually(|| !runs(pids[0]), "the grandchild was left behind").await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_is_orphaned_by_dropping_the_wire() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    let (wire, _) = start(&format!(
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >> {0}; while :; do sleep 1; done' & echo $$ >> {0}; while :; do sleep 1; done",
        file.display()
    ));
    let pids = pids(&file, 2).await;
    drop(wire);
    for pid in pids {
        eventually(|| !runs(pid), "a process was left behind").await;
    }
}

/// A program that ends its runtime without closing its connections.
#[cfg(target_os = "linux")]
#[test]
fn nothing_is_orphaned_by_the_end_of_the_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (wire, pids) = runtime.block_on(async {
        let (wire, _) = start(&format!(
            "sh -c 'echo $$ >> {0}; while :; do sleep 1; done' & echo $$ >> {0}; while :; do sleep 1; done",
            file.display()
        ));
        (wire, pids(&file, 2).await)
    });
    drop(runtime);
    let gone = (0..6_000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        !pids.iter().any(|pid| runs(*pid))
    });
    assert!(gone, "a process was left behind");
    drop(wire);
}

/// Field failure 118, for processes.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn repeated_connections_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pids");
    for _ in 0..30 {
        let (wire, _) = start(&format!("echo $$ >> {}\n{ECHO}", file.display()));
        ask(&wire, 1).await.unwrap();
        close(&wire).await;
    }
    for pid in pids(&file, 30).await {
        assert!(!runs(pid), "close returned before the process was gone");
    }
}
