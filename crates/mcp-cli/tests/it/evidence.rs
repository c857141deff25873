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
fn fh_h2_a_helper_that_returns_the_same_again_is_told_and_is_what_has_to_be_looked_at() {
    const SAME: &str = "it was run again and returned the very same";
    let (server, helper) = (refusing(), mcp_testkit::FakeHelper::new().unwrap());
    helper.prints_bearer("canary-stale");
    let setting = Setting::of("s", crate::setting::with_helper(&server, &helper));
    let reason = setting.status("s")["reason"].clone();
    assert_eq!((&reason["code"], &reason["attempts"]), (&json!("credentials-rejected"), &json!(1)));
    assert!(reason["message"].as_str().unwrap().contains(SAME), "{reason:#}");
    assert_eq!(reason["next"], "mcplink get s", "it has been run again, and that changed nothing");
    assert_eq!(helper.runs(), 2);
    for command in [&["call", "s", "x"][..], &["reconnect", "s"]] {
        let output = setting.run(command, 3);
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains(SAME) && all.contains("next: mcplink get s"), "{output}");
    }
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "x" } });
    let bridge = setting.mcplink(&["bridge", "s"]).stdin(format!("{call}\n")).run();
    assert!(bridge.stdout.contains(SAME) && bridge.stdout.contains("next: mcplink get s"), "{bridge}");
    // One that has another each time is worth one more run.
    helper.prints_bearers_in_turn(&["canary-1", "canary-2", "canary-3", "canary-4"]);
    let reason = setting.status("s")["reason"].clone();
    assert_eq!((&reason["attempts"], &reason["next"]), (&json!(2), &json!("mcplink reconnect s")));
    assert!(!reason["message"].as_str().unwrap().contains("same"), "{reason:#}");
}

#[test]
fn fa_a72_a_session_that_was_started_with_an_old_variable_says_that_only_a_start_changes_it() {
    let server = refusing();
    let setting = Setting::of("s", with_headers(&server, json!({ "Authorization": "Bearer ${T}" })));
    let mut bridge = setting.mcplink(&["bridge", "s"]).env("T", "canary-old").start();
    crate::bridge::say(&mut bridge, crate::bridge::INITIALIZE);
    crate::bridge::response(&bridge, 0);
    let told = |answer: &Value| {
        let (message, next) =
            (answer["error"]["message"].as_str().unwrap(), &answer["error"]["data"]["next"]);
        assert!(
            message.contains("`Authorization` takes the variable T as it was when this process started, and only a new start"),
            "{message}"
        );
        assert_eq!(next, "mcplink get s", "reconnect would change nothing");
    };
    told(&crate::bridge::echo(&mut bridge, 1));
    // The variable is another one by now, and whoever looks has it.
    let reconnected = setting.mcplink(&["reconnect", "s", "--json"]).env("T", "the-right-one").run();
    let row = crate::setting::row(&reconnected.json(), "s");
    assert_eq!(row["status"], "connected", "{row:#}");
    assert_eq!(row["reconnected"][0]["status"], "needs-auth", "{row:#}");
    assert!(row["reconnected"].to_string().contains("only a new start"), "{row:#}");
    told(&crate::bridge::echo(&mut bridge, 2));
    bridge.wait().expect_code(0);
    // One that only looks has no age, and one without a variable has nothing to start again for.
    let message = setting.mcplink(&["status", "s"]).env("T", "canary-old").run().expect_code(3).stdout;
    assert!(
        message.contains("`Authorization` takes the variable T") && !message.contains("start"),
        "{message}"
    );
    let setting = Setting::of("s", with_headers(&server, json!({ "Authorization": "Bearer ${T:-canary}" })));
    assert!(!setting.run(&["status", "s"], 3).stdout.contains("variable"));
}

#[test]
fn fh_h2_what_decided_is_told_to_who_asks_for_it() {
    let auth = FakeAuthServer::start().unwrap();
    let server = FakeMcpServer::start().unwrap();
    auth.protect(&server);
    let mut entry = with_helper_line(&server, "echo '{\"Authorization\": \"Bearer canary-old\"}'");
    entry["url"] = json!(format!("{}?key=canary-query", server.url()));
    let setting = Setting::of("s", entry);
    let output = setting.run(&["status", "s", "-v"], 3);
    for fact in [
        "the headers helper ran",
        "exit_code=0",
        "took_ms=",
        "status=401 Unauthorized",
        "www-authenticate: Bearer",
        &format!("url={}", server.url()),
        "asked=\"server/discover\"",
    ] {
        assert!(output.stderr.contains(fact), "{fact}: {output}");
    }
    assert!(!output.stderr.contains("canary"), "{output}");
    assert_eq!(setting.run(&["status", "s"], 3).stderr, "", "only to who asks");
    let gone = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&gone));
    gone.go_down();
    let output = setting.run(&["status", "s", "-v"], 4);
    assert!(output.stderr.contains("no answer") && output.stderr.contains("connection refused"), "{output}");
    let output = setting.mcplink(&["get", "s", "-v"]).env("MCP_TIMEOUT", "1500").run().expect_code(0);
    assert!(output.stdout.contains("1500 ms (MCP_TIMEOUT)"), "{output}");
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
