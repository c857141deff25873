//! `enable` and `disable`: what they write, and who hears of it.

use std::fs;

use mcp_testkit::FakeMcpServer;
use serde_json::{Value, json};

use crate::bridge::{ask, echo, open};
use crate::setting::{Setting, http};

const OWN: &str = ".config/mcplink/mcp.json";

#[test]
fn fa_a60_fh_h15_a_server_is_switched_off_and_on_again_wherever_it_stands() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("user", http(&server)).project_file(json!({ "db": http(&server) }));
    setting.run(&["approve", "db", "--yes"], 0);
    setting.run(&["add", "own", server.url().as_str()], 0);
    let files = || {
        [setting.home.home().join(".claude.json"), setting.home.project().join(".mcp.json")]
            .map(|file| fs::read_to_string(file).unwrap())
    };
    let (others, before) = (files(), fs::read_to_string(setting.home.home().join(OWN)).unwrap());
    for name in ["user", "db", "own"] {
        // What is offered is what can be done.
        assert!(setting.status(name)["actions"].as_array().unwrap().contains(&json!("disable")), "{name}");
        let output = setting.run(&["disable", name], 0);
        assert!(
            output.stdout.starts_with(&format!("{name} is off  ")) && output.stdout.contains("mcp.json:"),
            "{output}"
        );
        let status = setting.status(name);
        assert_eq!(
            (&status["status"], &status["actions"]),
            (&json!("disabled"), &json!(["enable"])),
            "{name}"
        );
        let again = setting.run(&["disable", name], 0);
        assert!(again.stdout.contains("is off, as before"), "{again}");
        let refused = setting.run(&["ping", name], 2);
        assert!(refused.stderr.contains(&format!("next: mcplink enable {name}")), "{refused}");
        let sign_in = setting.run(&["login", name], 2);
        let is_local = sign_in.stderr.contains("is a command");
        assert!(is_local || sign_in.stderr.contains(&format!("next: mcplink enable {name}")), "{sign_in}");
    }
    let document = setting.run(&["enable", "user", "db", "own", "nope", "--json"], 2);
    let servers: Value = serde_json::from_str(&document.stdout).unwrap();
    for switched in servers["servers"].as_array().unwrap() {
        assert_eq!((&switched["enabled"], &switched["changed"]), (&json!(true), &json!(true)), "{switched}");
    }
    assert_eq!(servers["servers"].as_array().unwrap().len(), 3);
    for name in ["user", "db", "own"] {
        assert_eq!(setting.status(name)["status"], "connected", "{name}");
    }
    assert_eq!(files(), others);
    assert_eq!(fs::read_to_string(setting.home.home().join(OWN)).unwrap(), before);
}

#[test]
fn fa_a60_what_keeps_a_server_off_all_the_same_is_told() {
    let setting = Setting::new().project_file(json!({ "db": { "command": "x" } }));
    setting.run(&["disable", "db"], 0);
    let output = setting.run(&["enable", "db"], 0);
    assert!(
        output.stdout.starts_with("db is on") && output.stderr.contains("is not approved yet"),
        "{output}"
    );
}

#[test]
fn fa_a60_a_bridge_hears_of_it_and_get_says_where_it_was_said() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("user", http(&server));
    let mut bridge = open(&setting, "user");
    assert_eq!(echo(&mut bridge, 1)["result"]["content"][0]["text"], "hello");
    setting.run(&["disable", "user"], 0);
    let began = std::time::Instant::now();
    for id in 2.. {
        let answer =
            ask(&mut bridge, id, "tools/call", json!({ "name": "echo", "arguments": { "text": "hello" } }));
        if answer["error"]["data"]["status"] == "disabled" {
            break;
        }
        assert!(began.elapsed().as_secs() < 20, "it is not heard: {answer:#}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let shown = setting.run(&["get", "user", "--json"], 0).stdout;
    assert!(shown.contains("overrides.user.disabled"), "{shown}");
    setting.run(&["enable", "user"], 0);
    bridge.close_stdin();
    bridge.wait().expect_code(0);
}

#[test]
fn an_override_of_the_timeout_is_told_with_its_place() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("user", http(&server));
    let own = json!({ "overrides": { "user": { "timeout": 5000, "nope": 1 } } });
    setting.home.write(OWN, own.to_string()).unwrap();
    let shown = setting.run(&["get", "user"], 0).stdout;
    assert!(shown.contains("timeout") && shown.contains("5000") && shown.contains("mcp.json"), "{shown}");
    let said = setting.run(&["validate"], 0).stdout;
    assert!(said.contains("\"nope\" cannot be overridden"), "{said}");
}
