//! What of this program others on the machine can see and what it leaves behind: command lines, environments, children of a
//! program that was killed.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::time::{Duration, Instant};

use mcp_harness::{Running, marked_processes, process_is_alive};
use mcp_testkit::{FakeAuthServer, FakeBrowser, FakeHelper, FakeMcpServer};
use serde_json::json;

use crate::local::SERVER;
use crate::setting::{Setting, http};

/// The first words of a host.
fn hello() -> String {
    let client = json!({ "name": "h", "version": "1" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    format!("{}\n", json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }))
}

/// A host that has begun.
fn begin(bridge: &mut Running<'_>) {
    let params = json!({ "name": "hello", "arguments": {} });
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params });
    for (id, line) in [(1, hello()), (2, format!("{call}\n"))] {
        bridge.write(line).unwrap();
        bridge.wait_for_stdout("an answer", |seen| seen.contains(&format!("\"id\":{id}")));
    }
}

fn noted(setting: &Setting, file: &str) -> String {
    let path = setting.home.home().join(file);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match std::fs::read_to_string(&path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ if Instant::now() > deadline => panic!("{} was never written", path.display()),
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// A server that does not ignore the end of its input needs no one to end it. One that does is left behind, which the
/// documentation says.
#[test]
fn s_p6_a_local_server_that_reads_its_input_ends_with_a_bridge_that_was_killed() {
    let script = format!("echo $$ >\"$HOME/started\"\n{SERVER}");
    for runs in [&["sh"][..], &["sh", "-c", "sh -c \"$0\"; :"]] {
        let args = [&runs[1..], &["-c"][..usize::from(runs.len() == 1)], &[script.as_str()]].concat();
        let setting = Setting::of("s", json!({ "command": runs[0], "args": args }));
        let mut bridge = setting.mcplink(&["bridge", "s"]).start();
        begin(&mut bridge);
        let server: u32 = noted(&setting, "started").trim().parse().unwrap();
        assert!(process_is_alive(server));
        bridge.signal("KILL");
        // The harness waits for all processes of this run to end.
        let _ = bridge.wait();
        assert!(!process_is_alive(server));
    }
}

/// What the processes of a run have in common: a variable, once it has begun.
fn marker(pid: u32) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        match environment.split('\0').find(|word| word.starts_with("MCP_TESTKIT")) {
            Some(marker) => return marker.to_owned(),
            None => assert!(Instant::now() < deadline, "{environment}"),
        }
    }
}

fn command_lines(marker: &str) -> Vec<(u32, Vec<u8>)> {
    let of = |(pid, _)| Some((pid, std::fs::read(format!("/proc/{pid}/cmdline")).ok()?));
    marked_processes(marker).into_iter().filter_map(of).collect()
}

/// What a person wrote on a command line is there, and nothing that they wrote elsewhere.
#[test]
fn s_p7_no_secret_of_a_file_or_a_variable_reaches_a_command_line() {
    let server = FakeMcpServer::start().unwrap();
    let helper = FakeHelper::new().unwrap();
    let setting = Setting::new();
    let secret = setting.home.secret("header");
    helper.prints_bearer(&setting.home.secret("minted"));
    let mut entry = http(&server);
    entry["headers"] = json!({ "X-Api-Key": secret, "X-Other": "${CANARY}" });
    entry["headersHelper"] = json!(format!("sleep 1; {}", helper.command()));
    let script = format!("echo ready >\"$HOME/started\"\n{SERVER}");
    let local =
        json!({ "command": "sh", "args": ["-c", script], "env": { "A_KEY": secret, "B": "${CANARY}" } });
    let setting = setting.with("remote", entry).with("local", local);
    let run = |name: &str| {
        let program = setting.mcplink(&["bridge", name]).env("CANARY", setting.home.secret("variable"));
        program.env("MCP_CLIENT_SECRET", setting.home.secret("client")).start()
    };
    for name in ["local", "remote"] {
        let mut bridge = run(name);
        bridge.write(hello()).unwrap();
        let marker = marker(bridge.pid());
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut children = 0;
        while children == 0 && Instant::now() < deadline {
            for (pid, line) in command_lines(&marker) {
                children += usize::from(pid != bridge.pid());
                setting.home.canaries().assert_absent("a command line", &line);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(children > 0, "{name}: there was a child to look at");
        let _ = bridge.wait();
    }
}

/// `/proc/PID/environ`, for each child: neither the secret of this program nor what it keeps, and of a helper that a
/// repository brought nothing that a person did not let it have.
#[test]
fn s_k12_what_the_system_shows_of_children_holds_no_secret_of_this_program() {
    let server = FakeMcpServer::start().unwrap();
    let auth = FakeAuthServer::start().unwrap();
    auth.protect(&server);
    let setting = Setting::new();
    auth.note_secrets_in(setting.home.canaries());
    let note =
        |file: &str| format!("tr '\\0' '\\n' </proc/self/environ >\"$HOME/{file}\"; echo >>\"$HOME/{file}\"");
    let stored = |name: &str| {
        let mut entry = http(&server);
        entry["headers"] = json!({ "X-Team-Key": setting.home.secret("header") });
        entry["headersHelper"] = json!(format!("{}; echo '{{\"X-A\":\"b\"}}'", note(name)));
        entry
    };
    let (remote, own, theirs) = (http(&server), stored("own"), stored("theirs"));
    let local = json!({ "command": "sh", "args": ["-c", format!("{}; {SERVER}", note("local"))] });
    let setting = setting
        .with("remote", remote)
        .with("own", own)
        .with("local", local)
        .project_file(json!({ "theirs": theirs }));
    let proxy = format!(
        "http://me:{}@127.0.0.1:1",
        setting.home.secret("proxy").replace('/', "%2F").replace('+', "%2B")
    );
    let run = |args: &[&str]| {
        let program = setting.mcplink(args).env("MCP_CLIENT_SECRET", setting.home.secret("client"));
        program
            .env("HTTPS_PROXY", &proxy)
            .env("A_TOKEN", setting.home.secret("variable"))
            .may_hold_secrets("state")
    };
    let browser = FakeBrowser::new().unwrap();
    let mark = setting.home.home().join("browser");
    let opens = setting
        .home
        .write("open", format!("#!/bin/sh\n{}\nexec {} \"$@\"\n", note("browser"), browser.command()))
        .unwrap();
    std::fs::set_permissions(&opens, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    run(&["login", "remote"])
        .env("BROWSER", opens.to_string_lossy())
        .may_hold_secrets("home/browser")
        .run()
        .expect_code(0);
    assert!(mark.exists());
    run(&["approve", "theirs", "--yes"]).run().expect_code(0);
    run(&["trust", "--yes"]).run().expect_code(0);
    let _ = run(&["status"]).may_hold_secrets("home").run();
    for file in ["own", "local", "browser", "theirs"] {
        let seen = noted(&setting, file);
        assert!(seen.contains("PATH="), "{file}: {seen}");
        let found = setting.home.canaries().found_in(seen.as_bytes());
        // A person's own programs have a person's own environment, and lose the secret of this one.
        let expected: &[&str] = if file == "theirs" { &[] } else { &["proxy", "variable"] };
        assert!(found.iter().all(|name| expected.contains(&name.as_str())), "{file}: {found:?}");
        assert_eq!(found.len(), expected.len(), "{file}: {found:?}");
    }
    assert!(Path::new("/proc/self/environ").exists());
}

/// Each file that stays behind is in the table of the documentation, and for its owner alone.
#[test]
fn s_n13_k5_what_stays_on_disk_is_what_the_documentation_says() {
    use std::os::unix::fs::PermissionsExt;
    let documentation = include_str!("../../../../docs/security.md");
    let (server, auth) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
    auth.protect(&server);
    let setting = Setting::of("s", http(&server)).project_file(json!({ "p": { "command": "true" } }));
    let before = setting.home.snapshot();
    let browser = FakeBrowser::new().unwrap();
    let run =
        |args: &[&str]| setting.mcplink(args).env("BROWSER", browser.command()).may_hold_secrets("state");
    run(&["login", "s"]).run().expect_code(0);
    run(&["approve", "p", "--yes"]).run().expect_code(0);
    let mut bridge = run(&["bridge", "s"]).start();
    begin(&mut bridge);
    let _ = bridge.wait();
    let after = setting.home.snapshot();
    let mut places = std::collections::BTreeSet::new();
    for path in before.changes_until(&after).created {
        let text = path.to_string_lossy().into_owned();
        let kept =
            ["tokens/tokens/", "tokens/clients/", "tokens/locks/", "trust.json", "logs/", "descriptions/"];
        let place = kept.into_iter().find(|place| text.contains(place));
        places.insert(place.unwrap_or_else(|| panic!("{text} is in no table")));
        let mode = std::fs::metadata(setting.home.root().join(&path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o77, 0, "{text} is for others, too");
    }
    assert_eq!(places.len(), 6, "{places:?}");
    for place in places {
        assert!(documentation.contains(&format!("`{place}`")), "{place}");
    }
}
