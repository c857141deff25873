//! What a refusal says of the credentials that were refused, and the step that follows it.
//!
//! Longer than 500 lines because the reports of the field are told one by one, each by its id.

use mcp_testkit::{Accept, FakeAuthServer, FakeMcpServer, HttpAnswer, Refusal, ScriptedAnswer};
use serde_json::{Value, json};

use crate::setting::{Setting, http, row, with_headers};

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
    const HELPER: &str = "correct `headersHelper` of s in /";
    let (server, helper) = (refusing(), mcp_testkit::FakeHelper::new().unwrap());
    helper.prints_bearer("canary-stale");
    let setting = Setting::of("s", crate::setting::with_helper(&server, &helper));
    let reason = setting.status("s")["reason"].clone();
    assert_eq!((&reason["code"], &reason["attempts"]), (&json!("credentials-rejected"), &json!(1)));
    assert!(reason["message"].as_str().unwrap().contains(SAME), "{reason:#}");
    let next = reason["next"].as_str().unwrap();
    assert!(next.starts_with(HELPER), "it has been run again, and that changed nothing: {next}");
    assert_eq!(helper.runs(), 2);
    for command in [&["call", "s", "x"][..], &["reconnect", "s"]] {
        let output = setting.run(command, 3);
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains(SAME) && all.contains(HELPER), "{output}");
    }
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "x" } });
    let bridge = setting.mcplink(&["bridge", "s"]).stdin(format!("{call}\n")).run();
    assert!(bridge.stdout.contains(SAME) && bridge.stdout.contains(HELPER), "{bridge}");
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
    let assert_names_the_variable = |answer: &Value| {
        let (message, next) =
            (answer["error"]["message"].as_str().unwrap(), &answer["error"]["data"]["next"]);
        assert!(
            message.contains("`Authorization` takes the variable T as it was when this process started, and only a new start"),
            "{message}"
        );
        let next = next.as_str().unwrap();
        assert!(next.starts_with("correct `headers` of s in /"), "reconnect would change nothing: {next}");
    };
    assert_names_the_variable(&crate::bridge::echo(&mut bridge, 1));
    // The variable is another one by now, and a status query has it.
    let reconnected = setting.mcplink(&["reconnect", "s", "--json"]).env("T", "the-right-one").run();
    let row = crate::setting::row(&reconnected.json(), "s");
    assert_eq!(row["status"], "connected", "{row:#}");
    assert_eq!(row["reconnected"][0]["status"], "needs-auth", "{row:#}");
    assert!(row["reconnected"].to_string().contains("only a new start"), "{row:#}");
    assert_names_the_variable(&crate::bridge::echo(&mut bridge, 2));
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
fn fb_a18_what_a_server_says_of_its_refusal_reaches_the_caller_and_no_secret_does() {
    let refusal = Refusal::status(401)
        .body("application/json", r#"{"detail":"the key canary-key-1 was revoked on 1 November"}"#);
    let server = FakeMcpServer::builder().accept(Accept::Nothing).refuse_with(refusal).start().unwrap();
    let entry = with_headers(&server, json!({ "Authorization": "Bearer canary-key-1" }));
    let setting = Setting::of("s", entry);
    const SAID: &str = "(401): the key [redacted] was revoked on 1 November";
    for command in [&["status"][..], &["reconnect", "s"], &["call", "s", "x"], &["ping", "s"]] {
        let output = setting.run(command, 3);
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains(SAID) && !all.contains("canary"), "{output}");
    }
    let mut bridge = crate::bridge::open(&setting, "s");
    let answer = crate::bridge::echo(&mut bridge, 1);
    assert!(answer["error"]["message"].as_str().unwrap().contains(SAID), "{answer:#}");
    bridge.wait().expect_code(0);
}

#[test]
fn fh_h3_a_command_that_ends_leads_to_what_it_is() {
    let entry = json!({ "command": "sh", "args": ["-c", "echo 'cannot open /data/x.db' >&2; exit 3"] });
    let setting = Setting::of("s", entry);
    for command in [&["status", "s"][..], &["reconnect", "s"], &["call", "s", "x"]] {
        let output = setting.run(command, 4);
        let all = format!("{}{}", output.stdout, output.stderr);
        let leads = all.contains("next: correct `command`, `args` or `env` of s in /");
        assert!(all.contains("cannot open /data/x.db") && leads, "{output}");
    }
    assert!(setting.run(&["get", "s"], 0).stdout.contains("args[1]"));
}

#[test]
fn fa_a13_a_command_that_sends_back_what_it_is_sent_is_told_as_that() {
    for entry in [
        json!({ "command": "cat" }),
        json!({ "command": "sh", "args": ["-c", "while read -r line; do printf '%s\\n' \"$line\"; done"] }),
        json!({ "command": "tee", "args": ["/dev/null"] }),
    ] {
        let setting = Setting::of("s", entry);
        let reason = setting.status("s")["reason"].clone();
        assert_eq!(reason["code"], "protocol", "{reason:#}");
        assert_eq!(
            reason["message"],
            "what was started does not speak MCP: it sends back what it is sent, as `cat` does, or a terminal (`docker run -t`)"
        );
    }
}

/// The limit of an attempt is shorter than the helper's: the server was not asked, and is not what is wrong.
#[test]
fn fh_h14_what_ended_while_a_helper_ran_is_put_down_to_the_helper() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", with_helper_line(&server, "sleep 20"));
    let limited = |arguments: &[&str]| setting.mcplink(arguments).env("MCP_TIMEOUT", "700").run();
    for command in [&["status", "s"][..], &["tools", "s"], &["call", "s", "echo", "{}"]] {
        let output = limited(command).expect_code(3);
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains("helper") && all.contains("700 ms"), "{output}");
    }
    let seen = row(&limited(&["status", "s", "--json"]).json(), "s");
    assert_eq!(
        (&seen["status"], &seen["reason"]["code"], &seen["reason"]["provider"]),
        (&json!("needs-auth"), &json!("helper-failed"), &json!("headers-helper")),
        "{seen:#}"
    );
    assert_eq!(server.connections(), 0);
    // And what ended before anything was to be proven is put down to no credentials.
    let gone = FakeMcpServer::builder().always(ScriptedAnswer::Drop).start().unwrap();
    for entry in [json!({ "type": "http", "url": "http://127.0.0.1:1/mcp" }), http(&gone)] {
        let seen = Setting::of("s", entry).status("s");
        assert_eq!(
            (&seen["status"], &seen["reason"]["provider"]),
            (&json!("failed"), &json!(null)),
            "{seen:#}"
        );
    }
}

/// A helper that exits with 0 and prints what is not headers: nothing of it is sent, and what it said is told.
#[test]
fn fh_h2_what_a_helper_prints_in_place_of_headers_is_told_and_not_sent() {
    for (printed, report) in [
        (
            "{\"error\": \"no session, run corp login\"}",
            "it printed an error, not headers: no session, run corp login",
        ),
        (
            "{\"message\": \"the session has ended\"}",
            "it printed an error, not headers: the session has ended",
        ),
        ("{\"error\": \"refused for hunter2-hunter2\"}", "it printed an error, not headers: refused for"),
        ("{\"errors\": [{\"message\": \"nope\"}]}", "it printed an error, not headers: nope"),
        ("<html><title>Sign in</title></html>", "begins like a page of HTML"),
        ("[\"a\"]", "it printed an array"),
        ("canary-token-1", "a bare token is not a header"),
        ("Authorization: Bearer canary-token-1", "a line of a header is not an object"),
        ("export TOKEN=canary-token-1", "a line for a shell is not a header"),
    ] {
        let server = refusing();
        let mut entry = with_helper_line(&server, &format!("printf '%s' '{printed}'"));
        entry["headers"] = json!({ "X-Tenant": "t" });
        let setting = Setting::of("s", entry);
        let output = setting.mcplink(&["status", "s"]).env("CORP_PASSWORD", "hunter2-hunter2").run();
        let output = output.expect_code(3);
        assert!(output.stdout.contains(report), "{printed}: {output}");
        for secret in ["canary-token", "hunter2"] {
            assert!(
                !output.stdout.contains(secret) && !output.stderr.contains(secret),
                "{printed}: {output}"
            );
        }
        let seen = setting.status("s");
        assert_eq!(seen["reason"]["code"], "helper-failed", "{printed}: {seen:#}");
        if report.contains("bare token") {
            let run = setting.run(&["headers", "s", "--run"], 3);
            assert!(
                run.stdout.replace("\n            ", " ").contains("{\"Authorization\": \"Bearer TOKEN\"}"),
                "{run}"
            );
        }
        assert_eq!(server.connections(), 0, "{printed}");
    }
    // Headers in an object of their own are headers, and an empty error is none.
    for printed in [
        "{\"headers\": {\"Authorization\": \"Bearer the-right-one\"}, \"expiresAt\": \"2099-01-01T00:00:00Z\"}",
        "{\"Authorization\": \"Bearer the-right-one\", \"error\": \"\"}",
    ] {
        let server = refusing();
        let setting = Setting::of("s", with_helper_line(&server, &format!("printf '%s' '{printed}'")));
        assert_eq!(setting.status("s")["status"], "connected", "{printed}");
        let sent = server.recorder().matching(|request| request.header("error").is_some());
        assert!(sent.is_empty(), "{printed}");
    }
}

/// Without a terminal there is no person to wait for, unless it is said how one gets to the page.
#[test]
fn fh_h8_a_sign_in_without_a_terminal_waits_for_no_one_unless_it_is_said_how() {
    let (server, issuer) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
    issuer.protect(&server);
    let setting = Setting::of("s", http(&server));
    let login = |arguments: &[&str]| setting.mcplink(&[&["login", "s"], arguments].concat());
    let error = login(&[]).run().expect_code(3).stderr;
    assert!(
        error.contains("only a person can sign in to s")
            && error.contains("standard input is not a terminal")
            && error.contains("next: mcplink login s --no-browser"),
        "{error}"
    );
    let error = login(&["--json"]).run().expect_code(3).stderr;
    assert!(error.contains("\"needs-a-person\"") && !error.contains("\"prompt\""), "{error}");
    // A program asks for the page on purpose, and shows it to its person.
    let asked = login(&["--no-browser", "--json"]).start();
    let shown = asked.wait_for_stderr("the page to open", |text| text.contains("\"prompt\""));
    assert!(shown.contains("\"browserOpened\":false"), "{shown}");
    asked.signal("INT");
    asked.wait().expect_code(130);
}

#[test]
fn fh_h3_a_server_that_wants_no_sign_in_is_told_as_that() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    for more in [&[][..], &["--no-browser"], &["--device"]] {
        let output = setting.run(&[&["login", "s"], more].concat(), 2);
        assert_eq!(
            output.stderr,
            "error: s wants no sign-in\n  why: it is connected without one, and names no authorization server\n  next: mcplink tools s\n"
        );
    }
    // What is not a server of MCP, or lets no one in, has no sign-in either: nothing is opened, and no one is waited for.
    let page = mcp_testkit::HttpAnswer::new(200).body("text/html", "<html><title>Hello</title>");
    let cases = [
        (ScriptedAnswer::json(json!({})), 6, "does not speak MCP"),
        (ScriptedAnswer::Http(page), 6, "a web page"),
        (ScriptedAnswer::status(404), 4, "(404)"),
        (ScriptedAnswer::status(403), 3, "(403)"),
        (ScriptedAnswer::status(422), 4, "(422)"),
    ];
    for (answer, code, words) in cases {
        let other = FakeMcpServer::builder().always(answer).start().unwrap();
        let setting = Setting::of("s", http(&other));
        for more in [&[][..], &["--no-browser"], &["--device"], &["--non-interactive"]] {
            let error = setting.run(&[&["login", "s"], more].concat(), code).stderr;
            assert!(error.starts_with("error: s offers no sign-in\n  why: it names no"), "{words}: {error}");
            assert!(error.contains(words) && error.contains(".json:"), "{words}: {error}");
        }
    }
    // One whose entry says that it has one is another matter.
    let mut entry = http(&server);
    entry["oauth"] = json!({ "clientId": "c" });
    let error = Setting::of("s", entry).run(&["login", "s", "--non-interactive"], 3).stderr;
    assert!(error.contains("only a person can sign in to s"), "{error}");
}

#[test]
fn fh_h3_an_entry_that_was_rejected_says_where_and_leads_to_its_approval() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new().project_file(json!({ "db": http(&server) }));
    setting.run(&["reject", "db"], 0);
    let row = setting.status("db");
    assert_eq!(
        (&row["status"], &row["reason"]["code"], &row["reason"]["next"], &row["actions"]),
        (&json!("disabled"), &json!("declined"), &json!("mcplink approve db"), &json!(["approve"]))
    );
    for (command, code) in [
        (&["status", "db"][..], 0),
        (&["call", "db", "x"], 3),
        (&["reconnect", "db"], 2),
        (&["wait", "db"], 3),
        (&["login", "db"], 3),
    ] {
        let output = setting.run(command, code);
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains("rejected by ") && all.contains("trust.json:"), "{output}");
        assert!(all.contains("next: mcplink approve db") && !all.contains("switched off"), "{output}");
    }
    assert!(setting.run(&["list"], 0).stdout.contains("(rejected)"));
    let mut bridge = crate::bridge::open(&setting, "db");
    let answer = crate::bridge::echo(&mut bridge, 1);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("db may not be started: rejected by "), "{message}");
    assert!(message.ends_with("next: mcplink approve db"), "{message}");
    bridge.wait().expect_code(0);
    assert_eq!(server.connections(), 0);
    // What another program's file rejects cannot be approved here, and saying so is not saying that it is.
    setting.home.write(".claude/settings.json", "{\n \"disabledMcpjsonServers\": [\"db\"]\n}").unwrap();
    let error = setting.run(&["approve", "db"], 3).stderr;
    assert!(error.contains("db cannot be approved here") && error.contains("settings.json:2"), "{error}");
    let next = error.split_once("next: ").map_or("", |(_, next)| next);
    assert!(next.starts_with("take it out there: ") && next.contains("settings.json:2"), "{error}");
    assert_eq!(setting.status("db")["reason"]["code"], "declined");
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
        ("Bearer ${NOPE_AT_ALL}", "NOPE_AT_ALL has no value here"),
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
    assert!(message.contains("refused the headers that are set for it and asks for a sign-in"), "{message}");
}

/// An entry that stands on the command line alone is there for the step as well, unless that would show a secret.
#[test]
fn fh_h4_a_step_for_an_inline_entry_runs_as_it_is_pasted() {
    let (refused, gone) = (refusing(), FakeMcpServer::start().unwrap());
    let dead = http(&gone);
    drop(gone);
    let setting = Setting::new();
    let look = |entry: &Value| {
        let inline = json!({ "mcpServers": { "it's a": entry } }).to_string();
        let output = setting.mcplink(&["status", "--mcp-config", &inline]).run();
        let (_, next) = output.stdout.split_once("next: ").unwrap_or_else(|| panic!("{output}"));
        next.trim().to_owned()
    };
    for entry in [http(&refused), json!({ "command": "/no/such/program", "args": ["it's"] })] {
        let next = look(&entry);
        let changes = next.starts_with("correct `") || next.starts_with("add `");
        assert!(changes && next.contains("it's a in --mcp-config"), "{next}");
    }
    let next = look(&dead);
    let limit = if next.starts_with("mcplink wait ") { " --timeout 1s" } else { "" };
    let pasted = setting.shell(&format!("{next}{limit}")).run();
    assert!(pasted.stdout.contains("it's a") || pasted.stderr.contains("it's a"), "{next}: {pasted}");
    assert!(pasted.code != Some(2), "{next}: {pasted}");
    let mut secret = with_headers(&refused, json!({ "Authorization": "Bearer canary-token-1" }));
    assert!(!look(&secret).contains("canary"), "{next}", next = look(&secret));
    secret["url"] = json!("http://127.0.0.1:1/mcp");
    let next = look(&secret);
    assert!(next.starts_with("write the text of --mcp-config to FILE, then mcplink "), "{next}");
    assert!(!next.contains("canary"), "{next}");
}

/// Runs the step that `output` names, and returns it with what it printed.
fn follow(setting: &Setting, next: &str) -> (String, i32) {
    let line = next.strip_prefix("mcplink ").unwrap_or_else(|| panic!("{next}"));
    let words: Vec<&str> = line.split(' ').collect();
    let output = setting.mcplink(&words).run();
    (format!("{}{}", output.stdout, output.stderr), output.code.unwrap_or_default())
}

/// Without a sign-in and without headers, no source of credentials acted, and the entry gets what it lacks.
#[test]
fn a_refusal_of_an_entry_without_a_sign_in_leads_to_headers() {
    let refused = refusing();
    let mut entry = http(&refused);
    entry["oauth"] = json!(false);
    let reason = &Setting::of("off", entry).status("off")["reason"];
    assert_eq!((&reason["code"], &reason["provider"]), (&json!("unauthorized"), &json!(null)), "{reason:#}");
    let next = reason["next"].as_str().unwrap();
    assert!(next.starts_with("add `headers` or a `headersHelper` to off in "), "{next}");
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
        if !next.starts_with("mcplink ") {
            // The line is that of the file that was given.
            let changes = next.starts_with("correct ") || next.starts_with("add ");
            assert!(changes && next.contains("/servers.json:"), "{name}: {next}");
            continue;
        }
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

/// Words that are no challenge change no status, and lead to the sign-in where the server publishes one.
#[test]
fn fh_h3_a_server_that_asks_for_credentials_in_words_of_its_own_leads_to_the_sign_in_that_it_publishes() {
    let rpc = |status: u16, message: &str| {
        let error = json!({ "code": -32001, "message": message });
        let body = json!({ "jsonrpc": "2.0", "id": 0, "error": error });
        ScriptedAnswer::Http(HttpAnswer::new(status).body("application/json", body.to_string()))
    };
    let http_of = |status: u16, body: &str| {
        ScriptedAnswer::Http(HttpAnswer::new(status).body("application/json", body))
    };
    for (answer, code, asks) in [
        (rpc(200, "Unauthorized: missing token"), "protocol", true),
        (rpc(400, "Unauthorized"), "rejected", true),
        (http_of(400, r#"{"error":"Missing Authorization header"}"#), "rejected", true),
        (http_of(422, r#"{"detail":"authentication required"}"#), "rejected", true),
        (http_of(403, r#"{"error":"no"}"#), "forbidden", true),
        (rpc(200, "Session not found"), "protocol", false),
        (http_of(400, r#"{"error":"unknown tenant"}"#), "rejected", false),
    ] {
        for publishes in [true, false] {
            let issuer = FakeAuthServer::start().unwrap();
            let server = FakeMcpServer::builder().always_to("server/discover", answer.clone());
            let server = server.always_to("initialize", answer.clone()).start().unwrap();
            if publishes {
                let issuers =
                    json!({ "resource": server.url().as_str(), "authorization_servers": [issuer.issuer()] });
                server.route("/.well-known/oauth-protected-resource/mcp", ScriptedAnswer::json(issuers));
            }
            let setting = Setting::of("s", http(&server));
            let status = setting.status("s");
            let next = status["reason"]["next"].as_str().unwrap();
            assert_eq!(status["reason"]["code"], code, "{status:#}");
            assert_eq!(next == "mcplink login s", asks && publishes, "{status:#}");
            assert_eq!(status["auth"]["oauthCapable"], asks && publishes, "{status:#}");
            if asks && !publishes {
                assert!(next.starts_with("add `headers`"), "{status:#}");
            }
            // Who sends something is refused for it, and not for what is missing.
            let setting = Setting::of("s", with_headers(&server, json!({ "X-Api-Key": "K" })));
            let next = setting.status("s")["reason"]["next"].clone();
            assert_ne!(next, "mcplink login s");
        }
    }
}

/// User and password of the URL are a header on the wire, and not where a person has written them.
#[test]
fn refused_user_and_password_of_the_url_are_told_as_those() {
    let server = FakeMcpServer::builder()
        .accept(Accept::header("authorization", "Basic YW5uOnJpZ2h0"))
        .start()
        .unwrap();
    let mut url = server.url();
    url.set_username("ann").unwrap();
    url.set_password(Some("canary-wrong")).unwrap();
    let setting = Setting::of("s", json!({ "type": "http", "url": url.as_str() }));
    let status = setting.status("s");
    let reason = &status["reason"];
    let message = reason["message"].as_str().unwrap();
    assert!(message.starts_with("the server refused user and password of the URL (401)"), "{message}");
    assert!(reason["next"].as_str().unwrap().starts_with("correct `url` of s"), "{reason:#}");
    assert_eq!((&reason["code"], &reason["provider"]), (&json!("credentials-rejected"), &json!("url")));
    let shown = setting.run(&["headers", "s"], 0).stdout;
    assert!(shown.contains("from url") && !shown.contains("canary"), "{shown}");
    let examined = setting.run(&["doctor", "s"], 3).stdout;
    assert!(examined.contains("user and password of its URL are its credentials"), "{examined}");
    url.set_password(Some("right")).unwrap();
    let setting = Setting::of("s", json!({ "type": "http", "url": url.as_str() }));
    assert_eq!(setting.status("s")["status"], "connected");
}
