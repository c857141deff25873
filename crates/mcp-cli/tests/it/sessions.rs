//! Live sessions, seen and reached from anywhere: whatever the configuration, the folder and the environment of the one
//! who looks.

use std::time::{Duration, Instant};

use mcp_harness::{Running, process_is_alive};
use mcp_testkit::{Accept, FakeEra, FakeMcpServer};
use serde_json::{Value, json};

use crate::bridge::{INITIALIZE, echo, open, response, say};
use crate::setting::{Setting, http, row};

/// The sessions that `ps` lists, by name.
fn listed(setting: &Setting, name: &str) -> Vec<Value> {
    let document = setting.run(&["ps", "--json"], 0).json();
    let sessions = document["sessions"].as_array().unwrap();
    sessions.iter().filter(|session| session["name"] == name).cloned().collect()
}

/// A bridge whose entry only it knows.
fn private<'a>(setting: &'a Setting, server: &FakeMcpServer) -> Running<'a> {
    let file = json!({ "mcpServers": { "mine": http(server) } }).to_string();
    let mut bridge = setting.mcplink(&["--mcp-config", &file, "bridge", "mine"]).start();
    say(&mut bridge, INITIALIZE);
    response(&bridge, 0);
    bridge
}

fn ends(bridge: &Running<'_>) {
    let began = Instant::now();
    while process_is_alive(bridge.pid()) {
        assert!(began.elapsed() < Duration::from_secs(10), "it goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn fa_a111_fa_a55_a_bridge_that_only_it_knows_the_entry_of_is_seen_and_reached() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::new();
    let mut mine = private(&setting, &server);
    let mut by_url = open(&setting, server.url().as_str());
    assert_eq!(echo(&mut mine, 1)["result"]["content"][0]["text"], "hello");
    assert_eq!(echo(&mut by_url, 1)["result"]["content"][0]["text"], "hello");
    let made = server.sessions_made();
    for (arguments, more) in
        [(&["reconnect", "mine"][..], 1), (&["reconnect", "127.0.0.1"], 1), (&["reconnect", "--all"], 2)]
    {
        let before = server.sessions_made();
        let output = setting.run(arguments, 0);
        assert_eq!(output.stdout.matches("reconnected, now connected").count(), more, "{output}");
        assert_eq!(server.sessions_made(), before + more as u64, "{arguments:?}");
    }
    assert_eq!(server.sessions_made(), made + 4);
    let document = setting.run(&["reconnect", "mine", "--json"], 0).json();
    assert_eq!(
        (&document["others"][0]["name"], &document["others"][0]["status"]),
        (&json!("mine"), &json!("connected"))
    );
    // A name that neither a file nor a session has is still none, and one of a file without a session says so.
    assert!(setting.run(&["reconnect", "nope"], 2).stderr.contains("no server is named"));
    let other = Setting::of("web", http(&server));
    let output = other.run(&["reconnect", "web"], 0);
    assert!(output.stderr.contains("no bridge is running that had to reconnect as well"), "{output}");
    drop(mine.wait().expect_code(0));
    drop(by_url.wait().expect_code(0));
}

#[test]
fn fh_h11_a_session_that_is_told_to_have_stopped_has_ended() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("web", http(&server));
    let mut bridge = open(&setting, "web");
    assert_eq!(echo(&mut bridge, 1)["result"]["content"][0]["text"], "hello");
    assert_eq!(server.sessions(), 1);
    let output = setting.run(&["stop", "web"], 0);
    assert_eq!(server.sessions(), 0, "its session at the server goes before that is said: {output}");
    ends(&bridge);
    bridge.wait().expect_code(0);
}

#[test]
fn fh_h11_sessions_are_listed_with_host_folder_age_and_version_and_can_be_ended() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("web", http(&server));
    assert!(setting.run(&["ps"], 0).stderr.contains("no session is live"));
    let mut bridges: Vec<Running<'_>> = (0..3).map(|_| open(&setting, "web")).collect();
    let mine = private(&setting, &server);
    echo(&mut bridges[1], 1);
    // A list is not a call.
    say(&mut bridges[1], r#"{"jsonrpc":"2.0","id":9,"method":"tools/list"}"#);
    response(&bridges[1], 9);
    echo(&mut bridges[1], 2);
    let sessions = listed(&setting, "web");
    assert_eq!(sessions.len(), 3);
    let calls = |pid: u32| {
        let own = sessions.iter().find(|session| session["session"] == pid);
        own.and_then(|session| session["calls"].as_u64())
    };
    assert_eq!([0, 1, 2].map(|at: usize| calls(bridges[at].pid())), [Some(0), Some(2), Some(0)]);
    for session in &sessions {
        assert_eq!((&session["host"], &session["kind"]), (&json!("host 1"), &json!("bridge")), "{session:#}");
        assert_eq!(session["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(session["url"], server.url().as_str());
        assert_eq!(session["folder"], setting.home.project().to_string_lossy().as_ref());
        assert!(session["since"].as_str().unwrap().starts_with("20"), "{session:#}");
    }
    let shown = setting.run(&["ps"], 0);
    assert_eq!(shown.stdout.lines().count(), 5, "{shown}");
    for word in ["PID", "HOST", "CALLS", "host 1", "web", "mine", "connected"] {
        assert!(shown.stdout.contains(word), "{word}: {shown}");
    }
    assert!(setting.run(&["status", "web"], 0).stdout.contains("(bridge of host 1) connected"));

    let first = bridges[0].pid();
    let output = setting.run(&["stop", &first.to_string()], 0);
    assert!(output.stdout.contains(&format!("stopped session {first} of web (bridge, host 1)")), "{output}");
    ends(&bridges[0]);
    assert_eq!(listed(&setting, "web").len(), 2);
    let output = setting.run(&["stop", "mine", "nope"], 2);
    assert!(
        output.stdout.contains("of mine") && output.stderr.contains("no live session is \"nope\""),
        "{output}"
    );
    ends(&mine);
    let document = setting.run(&["stop", "--all", "--json"], 0).json();
    assert_eq!(document["stopped"].as_array().unwrap().len(), 2, "{document:#}");
    bridges.iter().for_each(ends);
    assert_eq!(server.sessions(), 0, "each has ended its session");
    setting.run(&["stop", "web"], 2);
    setting.run(&["stop", "--all"], 0);
    setting.run(&["stop"], 2);
    for bridge in bridges.into_iter().chain([mine]) {
        drop(bridge.wait().expect_code(0));
    }
}

/// What is live of a server stands below it wherever that is told, and on a line of its own among what `doctor` looks at.
#[test]
fn fh_h11_the_sessions_of_a_server_are_told_by_status_of_each_kind_and_by_doctor() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("web", http(&server)).with("idle", http(&server));
    let bridge = json!({ "mcpServers": {
        "web": { "command": env!("CARGO_BIN_EXE_mcplink"), "args": ["bridge", "web"] },
    } });
    setting.home.write(".cursor/mcp.json", bridge.to_string()).unwrap();
    let [first, second] = [(); 2].map(|()| open(&setting, "web"));
    let mut pids = [first.pid(), second.pid()];
    pids.sort_unstable();
    let kinds: [&[&str]; 4] =
        [&["status"], &["status", "--offline"], &["status", "--hosts"], &["status", "--hosts", "--offline"]];
    for kind in kinds {
        let output = setting.run(kind, 0);
        let lines: Vec<&str> = output.stdout.lines().collect();
        let sessions: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].contains("  session ")).collect();
        let own = lines.iter().position(|line| line.starts_with("web ")).unwrap();
        let next = lines.iter().position(|line| line.starts_with("idle ")).filter(|at| *at > own);
        assert!(
            sessions.len() == 2 && sessions.iter().all(|at| *at > own && next.is_none_or(|next| *at < next)),
            "{output}"
        );
        for pid in pids {
            let line = format!("  session {pid} (bridge of host 1) connected\n");
            assert!(output.stdout.contains(&line), "{kind:?}: {line}{output}");
        }
        let document = setting.run(&[kind, &["--json"]].concat(), 0).json();
        let told = row(&document, "web")["sessions"].clone();
        let mut told: Vec<_> = told.as_array().unwrap().iter().collect();
        told.sort_by_key(|session| session["session"].as_u64());
        assert_eq!(told.len(), 2, "{kind:?}: {document:#}");
        for (session, pid) in told.iter().zip(pids) {
            assert_eq!((&session["session"], &session["status"]), (&json!(pid), &json!("connected")));
            assert_eq!(
                (&session["kind"], &session["shared"]),
                (&json!("bridge"), &Value::Null),
                "{session:#}"
            );
        }
        let idle = document["servers"].as_array().unwrap().iter().find(|server| server["name"] == "idle");
        assert!(idle.is_none_or(|idle| idle["sessions"] == json!([])), "{document:#}");
    }

    let check = |name: &str| {
        let document = setting.run(&["doctor", name, "--json"], 0).json();
        let checks = row(&document, name)["checks"].clone();
        let found = checks.as_array().unwrap().iter().find(|check| check["topic"] == "sessions");
        found.unwrap().clone()
    };
    let live = check("web");
    assert_eq!(
        (&live["state"], &live["message"]),
        (&json!("ok"), &json!("2 are live, on 2 connections")),
        "{live:#}"
    );
    let lines = live["more"].as_array().unwrap();
    assert!(
        pids.iter().all(|pid| lines.contains(&json!(format!("{pid} (bridge of host 1) connected")))),
        "{live:#}"
    );
    assert_eq!(check("idle")["message"], "none is live");
    let shown = setting.run(&["doctor", "web"], 0);
    assert!(shown.stdout.contains("2 are live, on 2 connections"), "{shown}");

    // A session that was refused does not know of what an examination finds.
    server.accept(Accept::Nothing);
    let shown = setting.run(&["reconnect", "web"], 3);
    assert!(!shown.stdout.contains("now connected"), "{shown}");
    server.accept(Accept::Any);
    let live = check("web");
    let lines = live["more"].as_array().unwrap();
    assert_eq!((&live["state"], lines.len()), (&json!("note"), 3), "{live:#}");
    assert_eq!(lines[2], "`mcplink reconnect web` has them try again");
    for bridge in [first, second] {
        drop(bridge.wait().expect_code(0));
    }
}

/// A bridge whose process was stopped (Ctrl-Z of a job, a debugger) or hangs: it is there, is told, and can be ended.
#[test]
fn fh_h11_a_session_that_does_not_answer_is_told_and_ended_by_its_process() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("web", http(&server)).with("other", http(&server));
    let frozen = open(&setting, "web");
    let live = open(&setting, "other");
    let pid = frozen.pid();
    frozen.signal("STOP");

    let shown = setting.run(&["ps"], 0);
    let line = shown.stdout.lines().find(|line| line.starts_with(&pid.to_string()));
    assert!(
        line.is_some_and(|line| line.contains("does not answer: its process is stopped, or hangs")),
        "{shown}"
    );
    let document = setting.run(&["ps", "--json"], 0).json();
    assert_eq!(document["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(document["silent"][0]["session"], pid);
    let stop = format!("mcplink stop {pid}");
    assert_eq!(document["silent"][0]["next"], stop);

    assert_eq!(document["silent"][0]["name"], "web");
    let said =
        format!("session {pid} of web does not answer: its process is stopped, or hangs; `{stop}` ends it");
    let output = setting.run(&["reconnect", "web"], 0);
    assert!(output.stderr.contains(&said) && !output.stderr.contains("no bridge is running"), "{output}");
    let document = setting.run(&["reconnect", "web", "--json"], 0).json();
    assert_eq!(document["silent"][0]["session"], pid, "{document:#}");
    for arguments in [&["status", "web"][..], &["status", "--offline"]] {
        let output = setting.run(arguments, 0);
        assert!(output.stderr.contains(&said), "{output}");
    }
    let output = setting.run(&["doctor", "web"], 0);
    assert!(output.stdout.contains(&format!("session {pid} of web does not answer")), "{output}");
    // It is of another server, and its socket says so: there is nothing to wait for, and nothing to tell.
    for arguments in [&["status", "other"][..], &["reconnect", "other"], &["doctor", "other"]] {
        let output = setting.run(arguments, 0);
        assert!(!format!("{}{}", output.stdout, output.stderr).contains("does not answer"), "{output}");
    }
    let output = setting.run(&["stop", "web"], 2);
    assert!(output.stderr.contains(&format!("session {pid} of web does not answer")), "{output}");
    assert!(output.stderr.ends_with(&format!("  next: {stop}\n")), "{output}");
    assert!(process_is_alive(pid), "a name does not mean it");

    let output = setting.run(&["stop", &pid.to_string()], 0);
    assert_eq!(output.stdout, format!("ended process {pid}, a session that did not answer\n"));
    ends(&frozen);
    let document = setting.run(&["ps", "--json"], 0).json();
    assert_eq!((document["sessions"].as_array().unwrap().len(), &document["silent"]), (1, &json!([])));

    live.signal("STOP");
    let document = setting.run(&["stop", "--all", "--json"], 0).json();
    assert_eq!(document["stopped"], json!([{ "session": live.pid(), "answered": false }]));
    ends(&live);
}

#[test]
fn fh_h11_logs_are_read_by_server_by_process_and_all_together() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("web", http(&server)).with("7", http(&server));
    let empty = setting.run(&["logs", "--json"], 0).json();
    assert_eq!(empty, json!({ "schemaVersion": 1, "files": [], "records": [] }));
    assert!(setting.run(&["logs"], 0).stderr.contains("no session has written anything yet"));
    let bridges = [open(&setting, "web"), open(&setting, "7"), open(&setting, "web")];
    let pids = bridges.each_ref().map(Running::pid);
    for bridge in bridges {
        drop(bridge.wait().expect_code(0));
    }
    let records = |arguments: &[&str]| {
        let document = setting.run(&[&["logs", "--json"], arguments].concat(), 0).json();
        document["records"].as_array().unwrap().clone()
    };
    let all = records(&[]);
    let times: Vec<_> = all.iter().map(|record| record["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    for (pid, name) in pids.iter().zip(["web", "7", "web"]) {
        let of_one = records(&[&pid.to_string()]);
        assert!(of_one.iter().all(|record| record["pid"] == *pid && record["server"] == name), "{of_one:?}");
        assert_eq!(of_one.last().unwrap()["event"], "ended");
        let connected = of_one.iter().filter(|record| record["status"] == "connected").count();
        assert_eq!(connected, 1, "its end is not told as a connection: {of_one:?}");
    }
    assert_eq!(
        records(&["web"]).len() + records(&["7"]).len(),
        all.len(),
        "a name that is a number is a name"
    );
    assert_eq!(records(&["-n", "2"]), all[all.len() - 2..]);
    let shown = setting.run(&["logs"], 0).stdout;
    assert_eq!(shown.lines().count(), all.len());
    assert!(shown.contains("  web  session started") && shown.contains("  7  session ended"), "{shown}");
    assert!(setting.run(&["logs", "4294967295"], 0).stderr.contains("no session of 4294967295"));
    assert!(setting.run(&["logs", "wbe"], 2).stderr.contains("did you mean \"web\"?"));
}

#[test]
fn s_p01_fh_h11_what_a_host_calls_itself_does_not_drive_the_terminal() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("web", http(&server));
    let mut bridge = setting.mcplink(&["bridge", "web"]).start();
    let evil = "Ev\u{1b}[2J\u{202e}il";
    say(&mut bridge, &INITIALIZE.replace("\"name\":\"host\"", &format!("\"name\":{}", json!(evil))));
    response(&bridge, 0);
    echo(&mut bridge, 1);
    for arguments in [&["ps"][..], &["status", "web"], &["stop", "web"]] {
        let output = setting.run(arguments, 0);
        assert!(!output.stdout.contains('\u{1b}') && !output.stdout.contains('\u{202e}'), "{output}");
        assert!(output.stdout.contains("Ev"), "{output}");
    }
    drop(bridge.wait().expect_code(0));
}
