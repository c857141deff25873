//! What a refusal says of the credentials that were refused, and the step that follows it.

use mcp_testkit::{Accept, FakeAuthServer, FakeMcpServer};
use serde_json::{Value, json};

use crate::setting::{Setting, http, with_headers};

/// A server that accepts nothing of what is tried here.
fn refusing() -> FakeMcpServer {
    FakeMcpServer::builder().accept(Accept::bearer("the-right-one")).start().unwrap()
}

fn with_helper_line(server: &FakeMcpServer, line: &str) -> Value {
    let mut entry = http(server);
    entry["headersHelper"] = json!(line);
    entry
}

#[test]
fn fh_h2_a_helper_whose_command_failed_in_sight_of_no_one_is_a_failed_helper() {
    let server = refusing();
    // As a first README would have it: the substitution fails, and printf does not.
    let line = r#"printf '{"Authorization": "Bearer %s"}' "$(my-sso token)""#;
    let setting = Setting::of("tickets", with_helper_line(&server, line));
    let status = setting.status("tickets");
    assert_eq!(
        (&status["status"], &status["reason"]["code"]),
        (&json!("needs-auth"), &json!("helper-failed"))
    );
    let message = status["reason"]["message"].as_str().unwrap();
    assert!(message.contains("no token behind it") && message.contains("my-sso"), "{message}");
    assert_eq!(server.connections(), 0, "there was nothing to send");
    let error = setting.run(&["call", "tickets", "x"], 3).stderr;
    assert!(error.contains("my-sso") && error.lines().count() == 3, "{error}");
}

#[test]
fn fh_h2_what_a_helper_printed_beside_refused_headers_is_told() {
    let server = refusing();
    let line =
        r#"echo "my-sso: using the token of yesterday" >&2; echo '{"Authorization": "Bearer canary-old"}'"#;
    let setting = Setting::of("tickets", with_helper_line(&server, line));
    for command in [&["status"][..], &["reconnect", "tickets"], &["call", "tickets", "x"]] {
        let output = setting.run(command, 3);
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains("my-sso: using the token of yesterday") && !all.contains("canary"), "{output}");
    }
}

#[test]
fn fa_a63_a64_a66_a67_a68_a69_a_refusal_says_what_is_odd_about_what_was_sent() {
    for (value, expected) in [
        ("Bearer ${NOPE_AT_ALL}", "not set here: NOPE_AT_ALL"),
        ("Bearer $T", "the variable T in a spelling"),
        ("Bearer {env:T}", "the variable T in a spelling"),
        ("Bearer <YOUR_TOKEN>", "a placeholder"),
        ("Bearer Bearer abc", "its scheme twice"),
        ("abc", "no scheme"),
        ("Bearer ", "no token behind it"),
    ] {
        let server = refusing();
        let setting = Setting::of("s", with_headers(&server, json!({ "Authorization": value })));
        let message = setting.status("s")["reason"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("(401)") && message.contains(expected), "{value}: {message}");
        for command in [&["call", "s", "x"][..], &["reconnect", "s"]] {
            let output = setting.run(command, 3);
            assert!(format!("{}{}", output.stdout, output.stderr).contains(expected), "{value}: {output}");
        }
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "x" } });
        let bridge = setting.mcplink(&["bridge", "s"]).stdin(format!("{call}\n")).run();
        assert!(bridge.stdout.contains(expected), "{value}: {bridge}");
    }
}

#[test]
fn fa_a73_a_header_that_only_routes_is_no_credential() {
    let (server, auth) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
    auth.protect(&server);
    let setting = Setting::of("s", with_headers(&server, json!({ "X-Tenant": "acme" })));
    let status = setting.status("s");
    assert_eq!(
        (&status["reason"]["code"], &status["reason"]["next"]),
        (&json!("unauthorized"), &json!("mcplink login s"))
    );
    // A refused key beside an offered sign-in: the sign-in is the way, and the key is named.
    let setting = Setting::of("s", with_headers(&server, json!({ "X-Api-Key": "abc" })));
    let status = setting.status("s");
    assert_eq!(
        (&status["reason"]["code"], &status["reason"]["next"]),
        (&json!("unauthorized"), &json!("mcplink login s"))
    );
    let message = status["reason"]["message"].as_str().unwrap();
    assert!(message.contains("refused the headers of the configuration and asks for a sign-in"), "{message}");
}

/// Runs the step that `output` names, and returns it with what it printed.
fn follow(setting: &Setting, next: &str) -> (String, i32) {
    let line = next.strip_prefix("mcplink ").unwrap_or_else(|| panic!("{next}"));
    let words: Vec<&str> = line.split(' ').collect();
    let output = setting.mcplink(&words).run();
    (format!("{}{}", output.stdout, output.stderr), output.code.unwrap_or_default())
}

#[test]
fn fh_h3_fh_h4_every_step_runs_as_printed_and_brings_something_new() {
    let (refused, gone) = (refusing(), FakeMcpServer::start().unwrap());
    let dead = http(&gone);
    drop(gone);
    let missing = FakeMcpServer::start().unwrap();
    let mut elsewhere = http(&missing);
    elsewhere["url"] = json!(format!("{}/nowhere", missing.url().origin().ascii_serialization()));
    let mut helper = http(&refused);
    helper["headersHelper"] = json!("echo no >&2; exit 3");
    let servers = json!({ "mcpServers": {
        "static": with_headers(&refused, json!({ "Authorization": "Bearer x" })),
        "anonymous": http(&refused),
        "helper": helper,
        "dead": dead,
        "missing": elsewhere,
        "spawn": { "command": "/no/such/program" },
        "exits": { "command": "false" },
        "broken": { "type": "http" },
    }});
    let setting = Setting::new();
    setting.home.write_project("servers.json", servers.to_string()).unwrap();
    let status = setting.mcplink(&["--mcp-config", "servers.json", "status", "--json"]).run().json();
    for row in status["servers"].as_array().unwrap() {
        let (name, reason) = (&row["name"], &row["reason"]);
        let next = reason["next"].as_str().unwrap();
        assert!(next.ends_with(" --mcp-config servers.json"), "{name}: {next}");
        assert!(!next.starts_with("mcplink status"), "{name}: {next}");
        let next = if next.contains(" wait ") { format!("{next} --timeout 1s") } else { next.to_owned() };
        let (shown, code) = follow(&setting, &next);
        assert!(
            !shown.contains("no server is named") && !shown.contains("unexpected argument"),
            "{next}: {shown}"
        );
        assert!(code != 2 || name == "broken", "{next}: {code} {shown}");
        // And the step after it is another one.
        let after = shown.lines().find_map(|line| line.split_once("next: ")).map(|(_, step)| step.to_owned());
        assert_ne!(after.as_deref(), reason["next"].as_str(), "{name}");
    }
}
