//! Decisions about several names at once, and waiting for what only a person can bring about.

use std::time::{Duration, Instant};

use mcp_testkit::{Accept, FakeAuthServer, FakeHelper, FakeMcpServer, ScriptedAnswer};
use serde_json::{Value, json};

use crate::setting::{Setting, http, with_headers, with_helper};

/// A limit that no command here may come near.
const DEADLINE: &str = "50s";
const AT_ONCE: Duration = Duration::from_secs(20);

fn error_of(stderr: &str) -> Value {
    assert_eq!(stderr.lines().count(), 1, "more than the error is on stderr: {stderr}");
    serde_json::from_str::<Value>(stderr).unwrap()["error"].clone()
}

#[test]
fn fh_h15_several_names_are_decided_about_and_one_that_cannot_be_keeps_none_from_it() {
    let setting = Setting::of("mine", json!({ "command": "x" })).project_file(json!({
        "a": { "command": "x" }, "b": { "command": "x" }, "c": { "command": "x" }, "bad": { "command": 1 },
    }));
    let output = setting.run(&["approve", "a", "b", "a", "--yes"], 0);
    for name in ["a", "b"] {
        let said = output.stdout.matches(&format!("{name} is approved in")).count();
        assert_eq!(said, 1, "{name}: {output}");
    }
    // The good ones first and last, so that neither order saves them.
    let output = setting.run(&["approve", "c", "nope", "mine", "bad", "b", "--yes"], 2);
    assert!(output.stdout.contains("c is approved in") && output.stdout.contains("as before"), "{output}");
    assert_eq!(output.stderr.lines().count(), 3, "{output}");
    for said in [
        "nope, mine, bad: not approved",
        "no server is named \"nope\"",
        "mine needs no approval: its scope is user",
        "bad cannot be",
    ] {
        assert!(output.stderr.contains(said), "{said}: {output}");
    }
    assert_eq!(setting.status("c")["reason"]["code"], "spawn", "it was not lost");

    let output = setting.mcplink(&["reject", "a", "nope", "b", "--json"]).run().expect_code(2);
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    let decisions = document["decisions"].as_array().unwrap();
    assert_eq!(decisions.iter().map(|one| &one["name"]).collect::<Vec<_>>(), ["a", "nope", "b"]);
    assert_eq!((&decisions[0]["approved"], &decisions[0]["changed"]), (&json!(false), &json!(true)));
    assert_eq!(decisions[1]["error"]["code"], "unknown-server");
    assert!(error_of(&output.stderr)["message"].as_str().unwrap().contains("nope"), "{output}");
    for name in ["a", "b"] {
        assert_eq!(setting.status(name)["status"], "disabled", "{name}");
    }
    // One name is told as ever, and no name is none.
    let document = setting.run(&["approve", "a", "--json", "--yes"], 0).json();
    assert_eq!((&document["name"], &document["approved"]), (&json!("a"), &json!(true)));
    for command in ["approve", "reject", "wait"] {
        assert!(setting.run(&[command], 2).stderr.contains("needs a NAME"), "{command}");
    }
}

#[test]
fn fh_h8_a_wait_ends_at_once_where_only_a_person_can_change_it() {
    let refusing = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let helper = FakeHelper::new().unwrap();
    helper.fails(7, "session expired");
    let setting = Setting::of("refusing", http(&refusing))
        .with("rejected", with_headers(&refusing, json!({ "Authorization": "Bearer x" })))
        .with("helper", with_helper(&refusing, &helper))
        .with("off", http(&refusing))
        .with("by-itself", json!({ "command": "x", "disabled": true }))
        .with("empty", json!({ "type": "http", "url": "" }))
        .with("broken", json!({ "command": 1 }))
        .with("pointer", json!({ "command": "mcplink", "args": ["bridge", "pointer"] }))
        .disabled(&["off"])
        .project_file(json!({ "db": { "command": "x" }, "cache": { "command": "x" } }));
    setting.run(&["approve", "cache", "--yes"], 0);
    setting
        .home
        .write_project(
            ".mcp.json",
            json!({ "mcpServers": { "db": { "command": "x" }, "cache": { "command": "y" } } }).to_string(),
        )
        .unwrap();
    for (name, code, why, next) in [
        ("refusing", 3, "unauthorized", "add `headers` or a `headersHelper` to refusing in /"),
        ("rejected", 3, "credentials-rejected", "correct `headers`"),
        ("helper", 3, "helper-failed", "mcplink"),
        ("off", 3, "disabled", "mcplink enable off"),
        ("by-itself", 3, "disabled", "mcplink enable by-itself"),
        ("empty", 2, "not-configured", "correct `url` of empty in /"),
        ("broken", 2, "config", "correct the entry of broken in /"),
        ("pointer", 2, "self-reference", "correct the entry of"),
        ("db", 3, "awaiting-approval", "mcplink approve db"),
        ("cache", 3, "changed-since-approval", "mcplink approve cache"),
    ] {
        let began = Instant::now();
        let output = setting.run(&["wait", name, "--timeout", DEADLINE, "--json"], code);
        assert!(began.elapsed() < AT_ONCE, "{name}: {:?}", began.elapsed());
        let error = error_of(&output.stderr);
        assert_eq!(error["code"], why, "{name}: {output}");
        assert!(error["next"].as_str().unwrap().starts_with(next), "{name}: {output}");
        assert!(error["message"].as_str().unwrap().contains(name), "{name}: {output}");
        assert_eq!(output.json()["servers"][0]["name"], name);
    }
}

#[test]
fn fh_h8_a_wait_for_several_ends_when_all_are_there_and_names_those_that_cannot_be() {
    let (a, b) = (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    let setting =
        Setting::of("a", http(&a)).with("b", http(&b)).project_file(json!({ "db": { "command": "x" } }));
    let output = setting.run(&["wait", "b", "a", "--json"], 0).json();
    let names: Vec<&Value> = output["servers"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["b", "a"]);
    let output = setting.run(&["wait", "a", "db", "--timeout", DEADLINE], 3);
    assert!(output.stderr.contains("db is pending (awaiting-approval)"), "{output}");
    // What has arrived is not asked again while the other one is waited for.
    let asked = a.count("initialize") + a.count("server/discover");
    b.always(ScriptedAnswer::status(503));
    let output = setting.run(&["wait", "a", "b", "--timeout", "4s"], 7);
    assert!(output.stderr.contains("b is not connected yet"), "{output}");
    assert_eq!(a.count("initialize") + a.count("server/discover"), asked + 1);
    let output = setting.run(&["wait", "a", "nope"], 2);
    assert!(output.stderr.contains("no server is named"), "{output}");
}

#[test]
fn fh_h8_fa_a109_a_wait_goes_on_for_what_passes_and_for_what_a_person_will_bring_about() {
    let server = FakeMcpServer::builder().accept("good").start().unwrap();
    for (passing, what) in [(404, "a deployment"), (503, "an outage"), (429, "a limit")] {
        server.next_answers(vec![ScriptedAnswer::status(passing); 2]);
        let setting = Setting::of("web", with_headers(&server, json!({ "Authorization": "Bearer good" })));
        let bounded: &[&str] = if passing == 404 { &[] } else { &["--timeout", DEADLINE] };
        let output = setting.run(&[&["wait", "web"], bounded].concat(), 0);
        assert!(output.stdout.contains("connected"), "{what}: {output}");
        let unbounded =
            output.stderr.contains("waiting until connected, without a limit (--timeout sets one)");
        assert_eq!(unbounded, bounded.is_empty(), "{what}: {output}");
    }
    // A person approves while it is waited for the sign-in that is missing then.
    let refusing = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let setting = Setting::new().project_file(json!({ "db": http(&refusing) }));
    let waiting = setting.mcplink(&["wait", "db", "--until", "needs-auth", "--timeout", DEADLINE]).start();
    waiting.wait_for_stderr("that it waits", |text| text.contains("it is not approved"));
    setting.run(&["approve", "db", "--yes"], 0);
    let output = waiting.wait().expect_code(0);
    assert!(output.stdout.contains("needs-auth"), "{output}");
    // And the other way round: it is switched off in the end.
    let waiting = setting.mcplink(&["wait", "db", "--until", "disabled", "--timeout", DEADLINE]).start();
    waiting.wait_for_stderr("that it waits", |text| text.contains("needs-auth"));
    setting.run(&["reject", "db"], 0);
    waiting.wait().expect_code(0);
}

#[test]
fn fh_h8_a_sign_in_waits_for_no_person_where_there_is_none_and_shows_a_program_lines_of_json() {
    let (server, auth) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
    auth.protect(&server);
    let setting = Setting::of("s", http(&server));
    for way in [&["login", "s"][..], &["login", "s", "--device"], &["login", "s", "--no-browser", "--json"]] {
        let began = Instant::now();
        let login = setting.mcplink(way).args(["--non-interactive"]).may_hold_secrets("state");
        let output = login.run().expect_code(3);
        assert!(began.elapsed() < AT_ONCE, "{way:?}: {:?}", began.elapsed());
        assert!(output.stderr.contains("--non-interactive says that there is none"), "{output}");
        assert_eq!(output.stdout, "", "{output}");
        assert!(auth.requests_to(mcp_testkit::AuthEndpoint::Authorize).is_empty(), "{way:?}");
    }
    let browser = mcp_testkit::FakeBrowser::new().unwrap();
    let login = setting.mcplink(&["login", "s", "--json"]).env("BROWSER", browser.command());
    let output = login.may_hold_secrets("state").run().expect_code(0);
    assert_eq!(output.json()["signedIn"], true, "stdout has the result alone: {output}");
    let lines: Vec<Value> = output.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [prompt] = &lines[..] else { panic!("{output}") };
    assert_eq!(
        (&prompt["prompt"]["kind"], &prompt["prompt"]["browserOpened"]),
        (&json!("authorization"), &json!(true)),
        "{output}"
    );
    assert!(prompt["prompt"]["url"].as_str().unwrap().starts_with(&auth.origin()), "{output}");
}
