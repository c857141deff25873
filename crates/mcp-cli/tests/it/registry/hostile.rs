//! Registries, and those who publish in them, that mean harm.

use std::time::{Duration, Instant};

use mcp_testkit::{FakeRegistry, HttpAnswer, ScriptedAnswer};
use serde_json::{Value, json};

use super::{OWN, add, version};
use crate::setting::Setting;

#[test]
fn s_r5_a_hostile_registry_costs_little_and_is_told() {
    let (setting, registry) = (Setting::new(), FakeRegistry::start().unwrap());
    let http = |status: u16, kind: &str, body: String| {
        ScriptedAnswer::from(HttpAnswer::new(status).body(kind, body))
    };
    let huge = format!("{{\"server\": \"{}\"}}", "x".repeat(3 << 20));
    for (answer, code, said) in [
        (http(200, "application/json", huge), 6, "longer than 1048576 bytes"),
        (http(200, "text/html", "<html>Sign in</html>".to_owned()), 6, "it is not JSON (line 1, column 1)"),
        (http(200, "application/json", "[".repeat(500_000)), 6, "it is not JSON"),
        (http(200, "application/json", "[]".to_owned()), 6, "expected an object, found an array"),
        (
            ScriptedAnswer::json(version(json!({ "name": "com.example/other" }))),
            6,
            "it answers with another server: com.example/other",
        ),
        (
            ScriptedAnswer::json(version(json!({ "name": "com.example/\u{1b}[2Jx\u{202e}" }))),
            6,
            "another server",
        ),
        (ScriptedAnswer::status(500), 4, "it answers 500"),
        (ScriptedAnswer::Refuse, 4, "it answers 401"),
        (ScriptedAnswer::Drop, 4, "could not be asked"),
        (
            ScriptedAnswer::redirect(302, "http://registry.example/"),
            4,
            "it sends to http://registry.example, which is plain http",
        ),
        (ScriptedAnswer::redirect(302, "javascript:alert(1)"), 4, "which is neither https"),
        (ScriptedAnswer::redirect(302, "file:///etc/passwd"), 4, "which is neither https"),
        (ScriptedAnswer::redirect(302, "https://169.254.169.254/"), 4, "link-local or metadata address"),
        (ScriptedAnswer::redirect(307, "/again"), 4, "more than 3 times"),
        (ScriptedAnswer::from(HttpAnswer::new(302)), 4, "does not say where to"),
    ] {
        registry.always(answer);
        let refused = add(&setting, &registry, &["com.example/x"]).expect_code(code);
        assert!(refused.stderr.contains(said), "{said}: {refused}");
        assert!(!refused.stderr.contains(['\u{1b}', '\u{202e}']), "{refused}");
        assert_eq!(refused.stderr.lines().filter(|line| line.contains("next:")).count(), 1, "{refused}");
    }
    // One that never answers, or is not there.
    registry.always(ScriptedAnswer::Hang);
    let base = registry.url();
    let began = Instant::now();
    let line = ["add", "com.example/x", "--registry", base.as_str()];
    let slow = setting.mcplink(&line).env("MCP_TIMEOUT", "1000").run().expect_code(4);
    assert!(slow.stderr.contains("no answer within 1 s (MCP_TIMEOUT allows more)"), "{slow}");
    let _ = setting.mcplink(&[&line[..], &["--timeout", "500ms"]].concat()).run().expect_code(7);
    assert!(began.elapsed() < Duration::from_secs(15));
    registry.go_down();
    let gone = setting.mcplink(&line).run().expect_code(4);
    assert!(gone.stderr.contains("could not be asked for com.example/x"), "{gone}");
    assert!(!setting.home.home().join(OWN).exists());
}

#[test]
fn s_r5_cursors_that_lead_in_circles_end() {
    let (setting, registry) = (Setting::new(), FakeRegistry::start().unwrap());
    let page = |cursor: &str, count: usize| {
        let servers: Vec<Value> = (0..count)
            .map(|number| json!({ "server": { "name": format!("com.example/{cursor}{number}"), "description": "\u{1b}[31mx\u{202e}", "version": "1" } }))
            .collect();
        ScriptedAnswer::json(json!({ "servers": servers, "metadata": { "nextCursor": cursor } }))
    };
    let base = registry.url();
    let line = ["add", "--search", "x", "--registry", base.as_str()];
    // The same one, two in turn, ever new ones, and more on a page than was asked for.
    registry.always(page("a", 1));
    let shown = setting.run(&line, 0);
    assert!(
        !shown.stdout.contains(['\u{1b}', '\u{202e}']) && shown.stderr.contains("there are more"),
        "{shown}"
    );
    assert_eq!(registry.requests().len(), 2);
    registry.next_answers([page("b", 1), page("c", 1), page("b", 1)]);
    setting.run(&line, 0);
    assert_eq!(registry.requests().len(), 5);
    registry.next_answers(["e", "f", "g", "h", "i", "j"].map(|cursor| page(cursor, 2)));
    setting.run(&line, 0);
    assert_eq!(registry.requests().len(), 10);
    registry.next_answers([ScriptedAnswer::Honest]);
    registry.always(page("z", 150));
    let many = setting.run(&[&line[..], &["--json"]].concat(), 0).json();
    assert!(many["servers"].as_array().unwrap().len() <= 60, "{many}");
}

#[test]
fn s_r6_what_a_registry_names_is_held_to_where_it_stands() {
    let (setting, registry) = (Setting::new(), FakeRegistry::start().unwrap());
    let remote = |url: &str| version(json!({ "remotes": [{ "type": "streamable-http", "url": url }] }));
    for url in [
        "http://h.example/mcp",
        "https://169.254.169.254/mcp",
        "javascript:alert(1)",
        "https://u:p@h.example/",
        "file:///x",
    ] {
        registry.publish(remote(url));
        let refused = add(&setting, &registry, &["com.example/x"]).expect_code(2);
        assert!(
            refused.stderr.contains("nothing that the registry offers of com.example/x can be added"),
            "{refused}"
        );
    }
    for url in ["https://h.example/mcp?k=${AWS_SECRET_ACCESS_KEY}", "https://h.example/mcp?k=${HOME:-x}"] {
        registry.publish(remote(url));
        let refused = setting
            .mcplink(&["add", "com.example/x", "--registry", registry.url().as_str(), "--input", "HOME=x"])
            .env("AWS_SECRET_ACCESS_KEY", "canary")
            .run()
            .expect_code(2);
        assert!(!refused.stderr.contains("canary"), "{refused}");
    }
    // A name that would be taken for that of another server.
    let mut setting = Setting::new();
    setting.write("my-server", json!({ "type": "http", "url": "https://h.example/mcp" }));
    registry.publish(json!({ "server": { "name": "com.evil/My_Server", "version": "1", "description": "x",
        "remotes": [{ "type": "sse", "url": "https://evil.example/sse" }] } }));
    let asked = registry.requests().len();
    let refused = add(&setting, &registry, &["com.evil/My_Server"]).expect_code(2);
    assert!(refused.stderr.contains("My_Server would look like my-server"), "{refused}");
    assert_eq!(registry.requests().len(), asked);
    let _ = add(&setting, &registry, &["other", "com.evil/My_Server"]).expect_code(0);
    // And none that is not an address of a registry is asked.
    for base in ["http://registry.example", "https://user:canary@registry.example", "x"] {
        let refused = setting.mcplink(&["add", "a/b", "--registry", base]).run().expect_code(2);
        assert!(
            refused.stderr.contains("--registry cannot be asked") && !refused.stderr.contains("canary"),
            "{refused}"
        );
    }
}
