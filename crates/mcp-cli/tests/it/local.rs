//! Servers that are child processes: what they may print, how they fail, and that none is left behind.

use std::time::{Duration, Instant};

use mcp_harness::process_is_alive;
pub(crate) use mcp_testkit::SHELL_SERVER as SERVER;
use serde_json::{Value, json};

use crate::setting::{Setting, row};

/// An entry that runs this shell code.
pub(crate) fn shell(code: &str) -> Value {
    json!({ "command": "sh", "args": ["-c", code] })
}

/// An entry of a server that leaves its process id and that of a stubborn child of its own in `$HOME/pids`.
pub(crate) fn stubborn(then: &str) -> Value {
    shell(&format!("trap '' TERM INT HUP\nsleep 600 &\necho $$ $! >>\"$HOME/pids\"\n{then}"))
}

/// Waits until a stubborn server has started, and returns what it left.
pub(crate) fn pids(setting: &Setting) -> Vec<u32> {
    let file = setting.home.home().join("pids");
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if text.ends_with('\n') {
            return text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        }
        assert!(Instant::now() < deadline, "the server was never started");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[track_caller]
pub(crate) fn assert_gone(pids: &[u32]) {
    assert!(!pids.is_empty());
    let left: Vec<&u32> = pids.iter().filter(|pid| process_is_alive(**pid)).collect();
    assert!(left.is_empty(), "{left:?} outlived the command");
}

#[test]
fn a_local_server_is_connected_called_and_ended() {
    let setting = Setting::of("s", shell(SERVER));
    let status = setting.status("s");
    assert_eq!((&status["status"], &status["tools"]), (&json!("connected"), &json!(1)), "{status:#}");
    assert_eq!(setting.run(&["call", "s", "hello"], 0).stdout, "hello\n");
    setting.run(&["ping", "s"], 0);
}

/// The process of a server that is stopped lives and answers nothing; no time limit was given.
#[cfg(target_os = "linux")]
#[test]
fn a_call_of_a_local_server_that_is_stopped_ends_and_says_so() {
    let stops = mcp_testkit::shell_server_with(r#"    *'"tools/call"'*) kill -STOP $$ ;;"#);
    let setting = Setting::of("s", shell(&stops));
    let output = setting.mcplink(&["call", "s", "hello"]).run().expect_code(4);
    assert!(
        output.stderr.contains("process ") && output.stderr.contains("of the command is stopped"),
        "{output}"
    );
    assert!(output.stderr.contains("  next: mcplink "), "{output}");
    assert!(!output.stderr.contains("next: mcplink wait"), "{output}");
    // So does one that is stopped before it has said anything.
    let setting = Setting::of("s", shell("kill -STOP $$"));
    let reason =
        setting.mcplink(&["status", "--json"]).run().expect_code(4).json()["servers"][0]["reason"].clone();
    assert!(reason["message"].as_str().unwrap().contains("of the command is stopped"), "{reason:#}");
}

#[test]
fn f114_stray_lines_are_skipped_and_nothing_but_garbage_fails_soon() {
    let chatty = format!("echo 'starting up ...'; echo '{{\"log\": true}}'; echo 'warming' >&2\n{SERVER}");
    let garbage = "while :; do echo nothing but noise || exit; done";
    let setting = Setting::of("chatty", shell(&chatty)).with("garbage", shell(garbage));
    let document = setting.run(&["status", "--json"], 6).json();
    assert_eq!(row(&document, "chatty")["status"], "connected");
    assert_eq!(row(&document, "garbage")["reason"]["code"], "protocol");
}

#[test]
fn a_command_that_is_missing_or_ends_is_told_with_its_last_words() {
    let setting = Setting::of("missing", json!({ "command": "no-such-command-anywhere" }))
        .with("ends", shell("echo 'license expired' >&2; exit 3"));
    let document = setting.run(&["status", "--json"], 4).json();
    assert_eq!(row(&document, "missing")["reason"]["code"], "spawn");
    let ends = row(&document, "ends");
    assert_eq!(ends["reason"]["code"], "exited");
    let message = ends["reason"]["message"].as_str().unwrap();
    assert!(message.contains("code 3") && message.contains("license expired"), "{message}");
}

#[test]
fn f115_no_process_outlives_status_or_a_time_limit() {
    let setting = Setting::of("s", stubborn(SERVER));
    setting.run(&["status"], 0);
    assert_gone(&pids(&setting));

    let setting = Setting::of("s", stubborn("while :; do sleep 1; done"));
    setting.run(&["status", "--timeout", "500ms"], 7);
    assert_gone(&pids(&setting));
}

#[test]
fn an_entrys_environment_reaches_the_command() {
    let mut entry = shell(&format!("[ \"$GREETING\" = hi ] || exit 9\n{SERVER}"));
    entry["env"] = json!({ "GREETING": "${WORD}" });
    let setting = Setting::of("s", entry);
    setting.mcplink(&["status"]).env("WORD", "hi").run().expect_code(0);
}

#[test]
fn s_k10_a_local_server_that_closes_its_streams_is_started_once_and_told_so() {
    for (closes, which) in
        [("exec >&-", "output"), ("echo '{}'; exec >&-", "output"), ("read -r line; exec >&- <&-", "")]
    {
        let setting = Setting::of("local", shell(&format!("echo x >>\"$HOME/starts\"; {closes}; sleep 60")));
        let row = row(&setting.mcplink(&["status", "--json"]).run().expect_code(6).json(), "local");
        assert_eq!(row["reason"]["code"], "protocol", "{row:#}");
        let message = row["reason"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("the command closed its standard {which}")), "{message}");
        let starts = std::fs::read_to_string(setting.home.home().join("starts")).unwrap();
        assert_eq!(starts.lines().count(), 1, "{closes}");
    }
}
