//! Ctrl-C and SIGTERM: the command ends within a second, leaving no child and no lock.

use std::time::{Duration, Instant};

use mcp_harness::{Output, Running, process_is_alive};
use mcp_testkit::{FakeHelper, FakeMcpServer, ScriptedAnswer};
use serde_json::json;

use crate::local::{assert_gone, pids, stubborn};
use crate::setting::{Setting, http, with_helper};

/// What the rule allows, and as much again for the test itself on a machine under load. All that these commands wait
/// for takes minutes.
const LIMIT: Duration = Duration::from_secs(2);

fn interrupt(running: Running<'_>, signal: &str, code: i32) -> Output {
    let began = Instant::now();
    running.signal(signal);
    // Without closing its stdin, which would be a reason to end as well.
    while process_is_alive(running.pid()) {
        assert!(began.elapsed() < LIMIT, "it goes on: {}{}", running.stdout(), running.stderr());
        std::thread::sleep(Duration::from_millis(2));
    }
    running.wait().expect_code(code)
}

/// A server that never answers, a helper that never ends, a local server that ignores signals, and one that is up.
fn hanging() -> (FakeMcpServer, FakeMcpServer, FakeHelper, Setting) {
    let silent = FakeMcpServer::builder().always(ScriptedAnswer::Hang).start().unwrap();
    let open = FakeMcpServer::start().unwrap();
    let helper = FakeHelper::new().unwrap();
    helper.leaves_grandchild(Duration::from_secs(600));
    helper.sleeps(Duration::from_secs(600));
    let mut entry = with_helper(&open, &helper);
    entry["headersHelperTimeoutMs"] = json!(600_000);
    let setting = Setting::of("silent", http(&silent))
        .with("open", http(&open))
        .with("helper", entry)
        .with("local", stubborn("while :; do sleep 1; done"));
    (silent, open, helper, setting)
}

#[test]
fn both_signals_end_a_status_at_once_and_leave_nothing() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (_silent, _open, helper, setting) = hanging();
        let before = setting.home.snapshot();
        let running = setting.mcplink(&["status"]).env("MCP_TIMEOUT", "600000").start();
        running.wait_for_stdout("the server that is up", |text| text.contains("open"));
        let mut started = pids(&setting);
        while helper.runs() == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        started.extend(helper.run_pids());

        let output = interrupt(running, signal, code);

        assert_gone(&started);
        assert_eq!(output.stdout.lines().count(), 1, "{output}");
        let changes = before.changes_until(&setting.home.snapshot());
        let created: Vec<_> = changes.created.iter().filter(|path| !path.ends_with("pids")).collect();
        assert!(created.is_empty() && changes.changed.is_empty(), "{changes:?}");
    }
}

#[test]
fn a_status_that_only_closes_is_interrupted_too() {
    let server = FakeMcpServer::builder().era(mcp_testkit::FakeEra::Legacy).start().unwrap();
    server.always_to("DELETE", ScriptedAnswer::Hang);
    let setting = Setting::of("s", http(&server));
    let running = setting.mcplink(&["status"]).start();
    running.wait_for_stdout("the line", |text| text.contains("connected"));
    let _ = interrupt(running, "INT", 130);
}

/// The methods that a server was asked from the first call on.
fn asked_since_the_call(server: &FakeMcpServer) -> Vec<String> {
    let methods = server.requests().into_iter().map(|one| one.rpc_method().unwrap_or(one.method.to_string()));
    methods.skip_while(|method| method != "tools/call").collect()
}

/// Who gives a call up tells the server so: the call is cancelled by its id, and the session is over.
#[test]
fn a_call_that_is_interrupted_is_cancelled_and_its_session_ends() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let server = FakeMcpServer::builder().era(mcp_testkit::FakeEra::Legacy).start().unwrap();
        server.next_answers_to("tools/call", [ScriptedAnswer::Hang]);
        let setting = Setting::of("s", http(&server));
        let running = setting.mcplink(&["call", "s", "echo", "text=x"]).start();
        wait_for_a_call(&server);
        let _ = interrupt(running, signal, code);
        assert_eq!(
            asked_since_the_call(&server),
            ["tools/call", "notifications/cancelled", "DELETE"],
            "{signal}"
        );
        let ids: Vec<_> = server.requests().iter().filter_map(mcp_testkit::RecordedRequest::json).collect();
        let of = |method: &str| ids.iter().find(|one| one["method"] == method).unwrap().clone();
        assert_eq!(of("notifications/cancelled")["params"]["requestId"], of("tools/call")["id"], "{signal}");
        assert_eq!(server.sessions(), 0, "{signal}");
    }
}

/// The same of what a command holds that goes on until a signal ends it.
#[test]
fn the_sessions_that_a_watch_holds_end_with_it() {
    let server = FakeMcpServer::builder().era(mcp_testkit::FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("s", http(&server));
    let running = setting.mcplink(&["status", "--watch"]).start();
    running.wait_for_stdout("the line", |text| text.contains("connected"));
    assert_eq!(server.sessions(), 1);
    let _ = interrupt(running, "INT", 130);
    assert_eq!((server.sessions(), server.deletes()), (0, 1));
}

/// A server that hears nothing holds no one up for long, and a second signal ends the command at once.
#[test]
fn a_server_that_is_silent_does_not_hold_up_who_interrupts() {
    for twice in [false, true] {
        let server = FakeMcpServer::builder().era(mcp_testkit::FakeEra::Legacy).start().unwrap();
        let setting = Setting::of("s", http(&server));
        for silent in ["tools/call", "notifications/cancelled", "DELETE"] {
            server.always_to(silent, ScriptedAnswer::Hang);
        }
        let running = setting.mcplink(&["call", "s", "echo", "text=x"]).start();
        wait_for_a_call(&server);
        if twice {
            running.signal("INT");
            let began = Instant::now();
            while server.count("notifications/cancelled") == 0 && began.elapsed() < LIMIT {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        let _ = interrupt(running, "INT", 130);
        // Once, its end is told as well, for as long as there is time.
        assert!(twice || server.requests().iter().any(|one| one.method == "DELETE"));
    }
}

fn wait_for_a_call(server: &FakeMcpServer) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.count("tools/call") == 0 {
        assert!(Instant::now() < deadline, "it is never called");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until the process handles SIGINT itself, so that the test does not interrupt what comes before.
#[cfg(target_os = "linux")]
fn wait_for_handlers(running: &Running<'_>) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
        // The second bit is SIGINT (signal(7)).
        if u64::from_str_radix(&caught, 16).unwrap() & 0b10 != 0 {
            return;
        }
        assert!(Instant::now() < deadline, "it never handles SIGINT");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_call_that_waits_for_its_arguments_is_interrupted_too() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    let mut running = setting.mcplink(&["call", "s", "echo", "-"]).start();
    wait_for_handlers(&running);
    running.write("{\"text\":").unwrap();
    let _ = interrupt(running, "INT", 130);
    assert_eq!(server.connections(), 0);
}

/// The terminal is closed, or the host's machine ends its session: SIGHUP ends whatever runs for long, as SIGTERM does, and what it
/// started is gone. So does Ctrl-\ (SIGQUIT), whose core file would hold tokens.
#[cfg(target_os = "linux")]
#[test]
fn fh_h15_a_hang_up_ends_everything_that_runs_for_long_as_sigterm_does() {
    let (_silent, _open, _helper, setting) = hanging();
    for (signal, command) in [
        ("HUP", &["bridge", "local"][..]),
        ("QUIT", &["bridge", "silent"]),
        ("QUIT", &["status", "--watch"]),
        ("HUP", &["wait", "local", "silent", "--timeout", "600s"]),
        ("QUIT", &["login", "silent", "--no-browser"]),
    ] {
        let file = setting.home.home().join("pids");
        drop(std::fs::remove_file(&file));
        let mut running = setting.mcplink(command).env("MCP_TIMEOUT", "600000").start();
        wait_for_handlers(&running);
        if command[0] == "bridge" {
            running.write(format!("{}\n", crate::bridge::INITIALIZE)).unwrap();
        }
        let starts_one = command.contains(&"local") || command.contains(&"--watch");
        let started = if starts_one { pids(&setting) } else { Vec::new() };
        let _ = interrupt(running, signal, 143);
        if starts_one {
            assert_gone(&started);
        }
    }
}
