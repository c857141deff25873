//! Servers that others wrote with the official SDKs: the fakes agree with us by construction, these do not.

use mcp_harness::{RealServer, real_or_skip};
use serde_json::{Value, json};

use crate::setting::Setting;

/// What every server must let us do, over whichever transport. `add` and `progress` name its tools.
fn exercise(entry: Value, add: (&str, &str), progress: &[&str]) {
    let setting = Setting::of("real", entry);
    let status = setting.status("real");
    assert_eq!(status["status"], "connected", "{status:#}");
    assert_eq!(status["reason"], json!(null));
    assert!(status["server"]["name"].is_string() && status["tools"].as_u64() > Some(3), "{status:#}");

    let tools = setting.run(&["tools", "real", "--json"], 0).json();
    // A server may offer more to a client that can be asked, as this one can and a glance cannot.
    let listed = tools["tools"].as_array().unwrap().len() as u64;
    assert!((0..=1).contains(&(listed - status["tools"].as_u64().unwrap())), "{listed} {status:#}");

    let called = setting.run(&["call", "real", "echo", add.1], 0).stdout;
    assert!(called.contains("hello"), "{called}");
    let called = setting.run(&["call", "real", add.0, "a:=19", "b:=23"], 0).stdout;
    assert!(called.contains("42"), "{called}");
    setting.run(&[&["call", "real"], progress].concat(), 0);
    setting.run(&["ping", "real"], 0);
    setting.run(&["call", "real", "no-such-tool"], 5);
    setting.run(&["reconnect", "real"], 0);
}

fn stdio(server: &RealServer) -> Value {
    json!({ "command": server.program, "args": server.stdio_arguments })
}

#[test]
fn everything_over_http() {
    let Some(everything) = real_or_skip(RealServer::everything()) else { return };
    let server = everything.start_http();
    let entry = json!({ "type": "http", "url": server.url().as_str() });
    exercise(
        entry,
        ("get-sum", "message=hello"),
        &["trigger-long-running-operation", "duration:=0.2", "steps:=2"],
    );
}

#[test]
fn everything_over_stdio() {
    let Some(everything) = real_or_skip(RealServer::everything()) else { return };
    exercise(
        stdio(&everything),
        ("get-sum", "message=hello"),
        &["trigger-long-running-operation", "duration:=0.2", "steps:=2"],
    );
}

#[test]
fn python_over_http_with_event_streams_and_with_json() {
    let Some(python) = real_or_skip(RealServer::python()) else { return };
    for arguments in [&[][..], &["--json"], &["--stateless"]] {
        let server = python.clone().http_args(arguments.iter().copied()).start_http();
        let entry = json!({ "type": "http", "url": server.url().as_str() });
        exercise(entry, ("add", "text=hello"), &["slow-progress", "steps:=2"]);
    }
}

#[test]
fn python_over_stdio() {
    let Some(python) = real_or_skip(RealServer::python()) else { return };
    exercise(stdio(&python), ("add", "text=hello"), &["slow-progress", "steps:=2"]);
}

#[test]
fn a_real_server_that_refuses_and_accepts() {
    let Some(python) = real_or_skip(RealServer::python()) else { return };
    let server = python.http_args(["--token", "T"]).start_http();
    let entry = |headers: Value| json!({ "type": "http", "url": server.url().as_str(), "headers": headers });
    let setting = Setting::of("none", entry(json!({})))
        .with("wrong", entry(json!({ "Authorization": "Bearer U" })))
        .with("right", entry(json!({ "Authorization": "Bearer T" })));
    assert_eq!(setting.status("none")["reason"]["code"], "unauthorized");
    assert_eq!(setting.status("wrong")["reason"]["code"], "credentials-rejected");
    assert_eq!(setting.status("right")["status"], "connected");
}
