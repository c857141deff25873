//! `mcplink bridge`: the binary as a host starts it. What a bridge does is tested in `mcp-bridge`; here are the process,
//! its streams and its end.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mcp_harness::{Running, process_is_alive};
use mcp_testkit::{Accept, FakeEra, FakeHelper, FakeMcpServer, HttpAnswer, ScriptedAnswer};
use serde_json::{Value, json};

use crate::setting::{Setting, http, with_helper};

/// What a host waits before it kills.
const LIMIT: Duration = Duration::from_secs(2);

pub(crate) const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"host","version":"1"}}}"#;
pub(crate) const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

pub(crate) fn say(bridge: &mut Running<'_>, line: &str) {
    bridge.write(format!("{line}\n")).unwrap();
}

pub(crate) fn ask(bridge: &mut Running<'_>, id: u64, method: &str, params: Value) -> Value {
    say(bridge, &json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
    response(bridge, id)
}

pub(crate) fn response(bridge: &Running<'_>, id: u64) -> Value {
    let is_it = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        (message["id"] == id && message.get("method").is_none()).then_some(message)
    };
    let seen = bridge
        .wait_for_stdout(&format!("the response to {id}"), |text| text.lines().any(|l| is_it(l).is_some()));
    seen.lines().find_map(is_it).unwrap()
}

pub(crate) fn echo(bridge: &mut Running<'_>, id: u64) -> Value {
    ask(bridge, id, "tools/call", json!({"name": "echo", "arguments": {"text": "hello"}}))
}

pub(crate) fn open<'a>(setting: &'a Setting, server: &str) -> Running<'a> {
    let mut bridge = setting.mcplink(&["bridge", server]).start();
    say(&mut bridge, INITIALIZE);
    response(&bridge, 0);
    say(&mut bridge, INITIALIZED);
    bridge
}

#[test]
fn a_host_that_closes_stdin_gets_the_protocol_and_nothing_else_and_the_session_is_deleted() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("remote", http(&server));
    let mut bridge = open(&setting, "remote");
    assert_eq!(echo(&mut bridge, 1)["result"]["content"][0]["text"], "hello");
    let began = Instant::now();
    let output = bridge.wait().expect_code(0);
    assert!(began.elapsed() < LIMIT + Duration::from_secs(1), "{:?}", began.elapsed());
    for line in output.stdout.lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
    }
    assert_eq!((server.sessions(), server.deletes()), (0, 1));
    assert_eq!(server.violations(), Vec::<String>::new());
}

/// Whether a pipe waits is a property that all its holders share: a log behind `2>&1`, a script that reads on.
#[cfg(target_os = "linux")]
#[test]
fn a_pipe_that_others_hold_as_well_still_waits() {
    use std::io::{BufRead, BufReader, Write, pipe};
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("remote", http(&server));
    let (input, mut host) = pipe().unwrap();
    let (answers, output) = pipe().unwrap();
    let held = [
        std::os::fd::OwnedFd::from(input.try_clone().unwrap()),
        std::os::fd::OwnedFd::from(output.try_clone().unwrap()),
    ];
    let mut bridge = Command::new(env!("CARGO_BIN_EXE_mcplink"))
        .args(["bridge", "remote"])
        .env_clear()
        .envs(setting.home.environment("/usr/bin:/bin"))
        .current_dir(setting.home.project())
        .stdin(input)
        .stdout(output)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    writeln!(host, "{INITIALIZE}").unwrap();
    let mut answer = String::new();
    BufReader::new(answers).read_line(&mut answer).unwrap();
    assert!(answer.contains("protocolVersion"), "{answer}");
    for (name, held) in ["input", "output"].into_iter().zip(held) {
        let flags = rustix::fs::fcntl_getfl(&held).unwrap();
        assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK), "{name}: {flags:?}");
    }
    drop(host);
    assert!(bridge.wait().unwrap().success());
}

#[test]
fn fb_b16b_a_signal_ends_it_in_good_order_although_the_host_keeps_stdin_open() {
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 143), ("QUIT", 143)] {
        let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
        let setting = Setting::of("remote", http(&server));
        let mut bridge = open(&setting, "remote");
        echo(&mut bridge, 1);
        let began = Instant::now();
        bridge.signal(signal);
        while process_is_alive(bridge.pid()) {
            assert!(began.elapsed() < LIMIT, "{signal}: it goes on");
            std::thread::sleep(Duration::from_millis(2));
        }
        drop(bridge.wait().expect_code(code));
        assert_eq!((server.sessions(), server.deletes()), (0, 1), "{signal}");
    }
}

/// A server that shakes hands and refuses all else: its host is told so, in the server's words, and no call makes more sessions than
/// the one that could have helped.
#[test]
fn fa_a105_fb_t50_a_session_whose_every_request_is_refused_is_told_to_the_host() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let refusal = HttpAnswer::new(400).body("text/plain", "no such session");
    for method in ["ping", "tools/list", "tools/call"] {
        server.always_to(method, refusal.clone().into());
    }
    let setting = Setting::of("remote", http(&server));
    let mut bridge = open(&setting, "remote");
    for id in 1..4 {
        let before = server.count("initialize");
        let error = echo(&mut bridge, id)["error"].clone();
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("refuses every request after it (400): no such session"), "{message}");
        assert_eq!(error["data"]["status"], "failed", "{error}");
        // One connection, made for the call, and one session in place of its first.
        assert!(server.count("initialize") <= before + 2, "{before} {}", server.count("initialize"));
    }
    drop(bridge.wait().expect_code(0));
    assert!(server.count("tools/call") <= 6, "{}", server.count("tools/call"));
}

#[test]
fn a_url_needs_no_entry_and_a_name_that_is_none_is_told_at_once() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("remote", http(&server));
    let mut bridge = open(&setting, server.url().as_str());
    assert_eq!(echo(&mut bridge, 1)["result"]["content"][0]["text"], "hello");
    drop(bridge.wait().expect_code(0));
    let output = setting.run(&["bridge", "remoet"], 2);
    assert!(output.stdout.is_empty() && output.stderr.contains("\"remote\""), "{output}");
}

#[test]
fn a_server_that_never_answers_keeps_no_host_waiting_for_its_end() {
    let server = FakeMcpServer::builder().always(ScriptedAnswer::Hang).start().unwrap();
    let setting = Setting::of("remote", http(&server));
    let mut bridge = open(&setting, "remote");
    say(&mut bridge, r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#);
    let began = Instant::now();
    drop(bridge.wait().expect_code(0));
    assert!(began.elapsed() < LIMIT + Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_token_that_expires_every_second_fails_no_call_and_costs_a_run_each() {
    let helper = FakeHelper::new().unwrap();
    helper.prints_stamped("stamp-");
    let accept = Accept::Stamped { prefix: "stamp-".into(), valid_for: Duration::from_secs(1) };
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).accept(accept).start().unwrap();
    let setting = Setting::of("remote", with_helper(&server, &helper));
    let mut bridge = open(&setting, "remote");
    let began = Instant::now();
    let mut id = 0;
    while began.elapsed() < Duration::from_secs(8) {
        id += 1;
        let answer = echo(&mut bridge, id);
        assert_eq!(answer["result"]["content"][0]["text"], "hello", "{answer}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    // A stamp is of a whole second, so a token lives for one second or a little less. Only refusals cause a run.
    let runs = helper.runs();
    assert!((3..=seconds + 3).contains(&runs), "{runs} runs in {seconds} s, {id} calls");
    drop(bridge.wait().expect_code(0));
}

/// What a server says of itself reaches every host, and the next one also while the server is away. It is kept as what it is:
/// not as a status.
#[test]
fn fb_b32_the_next_host_hears_what_the_server_said_of_itself_also_while_it_is_away() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).instructions("Use wisely.").start().unwrap();
    let setting = Setting::of("remote", http(&server));
    let greet = || {
        let mut bridge = setting.mcplink(&["bridge", "remote"]).start();
        say(&mut bridge, INITIALIZE);
        let hello = response(&bridge, 0)["result"].clone();
        // The server has been met by now, or is known not to answer.
        say(&mut bridge, INITIALIZED);
        ask(&mut bridge, 1, "tools/list", json!({}));
        bridge.wait().expect_code(0);
        hello
    };
    let first = greet();
    assert_eq!(first["instructions"], "Use wisely.", "{first:#}");
    assert!(
        first["capabilities"].get("completions").is_none(),
        "nothing that the server does not have: {first:#}"
    );
    server.always(ScriptedAnswer::status(503));
    assert_eq!(greet(), first);
    // Another command decides by what it sees.
    assert_eq!(setting.status("remote")["status"], "failed");
    // Another address is another server, and what is not approved or switched off says nothing.
    setting.run(&["reset", "remote"], 0);
    let forgotten = greet();
    assert!(forgotten.get("instructions").is_none(), "{forgotten:#}");
}
