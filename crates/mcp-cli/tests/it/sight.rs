//! `headers`: what a server would get, named and never shown, and a helper that runs in sight or not at all.

use mcp_testkit::{FakeHelper, FakeMcpServer, FakeTool, SHELL_SERVER};
use serde_json::{Value, json};

use crate::accounts::sign_in;
use crate::setting::{Setting, http, with_headers, with_helper};

fn header(document: &Value, name: &str) -> Value {
    let headers = document["headers"].as_array().unwrap();
    let found = headers.iter().find(|header| header["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {document:#}")).clone()
}

#[test]
fn fh_h2_headers_are_named_with_their_suppliers_and_nothing_is_started() {
    let (server, helper) = (FakeMcpServer::start().unwrap(), FakeHelper::new().unwrap());
    let mut entry = with_helper(&server, &helper);
    let mut setting = Setting::new();
    let (key, token) = (setting.home.secret("key"), setting.home.secret("token"));
    entry["headers"] = json!({ "X-Api-Key": key, "X-Team": "blue" });
    helper.prints_headers(&[("Authorization", &format!("Bearer {token}")), ("X-Team", "red")]);
    setting.write("helped", entry);
    let quiet = setting.run(&["headers", "helped", "--json"], 0).json();
    assert_eq!(quiet["helper"]["run"], Value::Null);
    assert_eq!(header(&quiet, "x-api-key")["supplier"], "static-headers");
    assert_eq!(quiet["headers"].as_array().unwrap().len(), 2);
    assert!(setting.run(&["headers", "helped"], 0).stdout.contains("not started; --run runs it in sight"));
    assert_eq!(helper.runs(), 0);

    let document = setting.run(&["headers", "helped", "--run", "--json"], 0).json();
    assert_eq!(helper.runs(), 1);
    let run = &document["helper"]["run"];
    assert_eq!((&run["exitCode"], &run["error"]), (&json!(0), &Value::Null), "{run:#}");
    let authorization = header(&document, "authorization");
    assert_eq!(authorization["outline"], format!("Bearer [redacted] ({} characters)", token.len()));
    assert_eq!(
        (&authorization["supplier"], &authorization["credential"]),
        (&json!("headers-helper"), &json!(true))
    );
    assert_eq!(header(&document, "x-team")["replaces"], "static-headers");
    assert_eq!(document["authPlan"].as_array().unwrap().len(), 3);
    assert_eq!(server.connections(), 0, "the server is not asked");
}

#[test]
fn fh_h2_what_a_run_printed_and_what_is_odd_about_it_is_seen_and_no_value_is() {
    let (server, helper) = (FakeMcpServer::start().unwrap(), FakeHelper::new().unwrap());
    let setting = Setting::of("s", with_helper(&server, &helper));
    let token = setting.home.secret("token");
    helper.fails(7, &format!("my-sso: session expired, run: my-sso login\n+ curl -H 'X-Key: {token}'"));
    let failed = setting.run(&["headers", "s", "--run"], 3).stdout;
    for part in
        ["exit 7", "my-sso: session expired, run: my-sso login", "[redacted]", "next  run `my-sso login`"]
    {
        assert!(failed.contains(part), "{part}: {failed}");
    }
    let ended = mcp_testkit::fake_jwt(1_000_000_000, "signature");
    for (value, odd) in [
        (format!("Bearer Bearer {token}"), "`Authorization` has its scheme twice"),
        (format!("Bearer \"{token}\""), "`Authorization` has its token in quotation marks"),
        (format!("Bearer {ended}"), "a token (a JWT) that ended"),
        (token.clone(), "has no scheme"),
    ] {
        helper.prints_headers(&[("Authorization", &value)]);
        let document = setting.run(&["headers", "s", "--run", "--json"], 0).json();
        let doubts = document["doubts"].to_string();
        assert!(doubts.contains(&odd.replace('"', "\\\"")), "{odd}: {document:#}");
    }
    // When the headers end is seen as well, and what is odd about that time.
    for (printed, until, odd) in [
        (
            r#"{"headers": {"X-Key": "abcdef"}, "expiresAt": 4102444800}"#,
            json!("2100-01-01T00:00:00.000Z"),
            "",
        ),
        (
            r#"{"headers": {"X-Key": "abcdef"}, "expiresAt": 1}"#,
            json!("1970-01-01T00:00:01.000Z"),
            "they ended",
        ),
        (r#"{"X-Key": "abcdef", "expiresAt": "2099-01-01T00:00:00Z"}"#, Value::Null, "sent as a header"),
    ] {
        helper.prints(printed);
        let document = setting.run(&["headers", "s", "--run", "--json"], 0).json();
        assert_eq!(document["helper"]["run"]["expiresAt"], until, "{printed}");
        let doubts = document["doubts"].as_array().unwrap();
        assert_eq!(doubts.is_empty(), odd.is_empty(), "{printed}: {doubts:?}");
        assert!(document["doubts"].to_string().contains(odd), "{printed}: {doubts:?}");
    }
    // The harness looks for the token in everything that was printed.
    helper.prints_headers(&[("Authorization", "Bearer ")]);
    let empty = setting.run(&["headers", "s", "--run", "--json"], 3).json();
    assert!(empty["helper"]["run"]["error"].as_str().unwrap().contains("no token behind it"), "{empty:#}");
}

#[test]
fn a_variable_that_is_not_set_is_the_next_step_of_the_server_that_refuses_its_name() {
    let server = FakeMcpServer::builder().accept("good").start().unwrap();
    let entry = with_headers(&server, json!({ "Authorization": "Bearer ${WIKI_TOKEN}" }));
    let setting = Setting::of("wiki", entry).with("bare", http(&server));
    let row = setting.status("wiki");
    assert_eq!(row["reason"]["next"], "set WIKI_TOKEN", "{row:#}");
    assert!(
        row["reason"]["message"].as_str().unwrap().starts_with("WIKI_TOKEN has no value here, and "),
        "{row:#}"
    );
    // One that is set to nothing has no value either.
    let of = |setting: &Setting, name: &str| {
        let status = setting.mcplink(&["status", name, "--json"]).env("WIKI_TOKEN", "").run().json();
        crate::setting::row(&status, name)
    };
    let row = of(&setting, "wiki");
    assert_eq!(row["reason"]["next"], "set WIKI_TOKEN", "{row:#}");
    let message = row["reason"]["message"].as_str().unwrap();
    assert!(message.starts_with("WIKI_TOKEN has no value here, and "), "{message}");
    let later = Setting::of("later", json!({ "type": "http", "url": "${WIKI_TOKEN}" }));
    let row = of(&later, "later");
    assert_eq!(
        (&row["status"], &row["reason"]["next"]),
        (&json!("disabled"), &json!("set WIKI_TOKEN")),
        "{row:#}"
    );
    // Where nothing says that there is a sign-in, none is promised to a person who is somewhere else.
    for line in [&["login", "bare"][..], &["login", "bare", "--non-interactive"]] {
        let output = setting.run(line, 3);
        assert!(output.stderr.contains("bare publishes no sign-in"), "{output}");
        assert!(output.stderr.contains("next: add `headers` or a `headersHelper` to bare in "), "{output}");
    }
}

#[test]
fn what_is_next_can_be_done() {
    let setting = Setting::new();
    for (line, next) in [
        (&["trust", "/nope"][..], "  next: name a folder that is there\n"),
        (&["validate", "--mcp-config", "{bad"], "correct what was given"),
        (&["status", "--mcp-config", "{bad"], "error: --mcp-config, line 1, column 2: expected a key"),
        (&["status", "--mcp-config", "{bad"], "  next: correct line 1 of --mcp-config\n"),
        (&["status", "--mcp-config", "ci.json"], "  next: name a file that is there with --mcp-config\n"),
    ] {
        let output = setting.run(line, 2);
        assert!(output.to_string().contains(next), "{line:?}: {output}");
    }
}

#[test]
fn fh_h3_an_entry_that_cannot_be_used_leads_to_its_line_and_not_to_a_repetition() {
    let setting = Setting::of("typo", json!({ "tpye": "http", "ulr": "https://x.example/mcp" }));
    let row = setting.status("typo");
    let next = row["reason"]["next"].as_str().unwrap().to_owned();
    assert!(next.starts_with("correct the entry of typo in ") && next.ends_with(".claude.json:3"), "{row:#}");
    assert!(row["reason"]["message"].as_str().unwrap().contains("`ulr` is written `url`"), "{row:#}");
    // A name that is nowhere is told once, with the file that it may stand in.
    setting.home.write(".claude.json", "{").unwrap();
    let output = setting.run(&["doctor", "typo"], 2);
    assert_eq!(output.stderr.matches("the file ends").count(), 1, "{output}");
}

#[test]
fn fh_h5_a_file_of_a_variable_that_is_not_there_is_told_beside_other_servers() {
    let setting = Setting::of("a", json!({ "command": "true" }));
    let run = |line: &[&str]| setting.mcplink(line).env("MCPLINK_CONFIG", "/nowhere/typo.json").run();
    let listed = run(&["list"]);
    assert!(
        listed.stderr.contains("MCPLINK_CONFIG: names /nowhere/typo.json, which is not there"),
        "{listed}"
    );
    // What writes the file makes it.
    let added = run(&["add", "b", "--no-check", "--dry-run", "https://b.example/mcp"]);
    assert!(!added.stderr.contains("not there"), "{added}");
}

#[test]
fn what_a_server_has_none_of_leads_to_what_it_has() {
    let setting = Setting::of("s", json!({ "command": "sh", "args": ["-c", SHELL_SERVER] }));
    for (line, message) in [
        (["read", "s", "wiki://page"], "error: s has no resources\n"),
        (["prompt", "s", "review"], "error: s has no prompts\n"),
    ] {
        let output = setting.run(&line, 5);
        assert!(output.stderr.contains(message), "{output}");
        assert!(output.stderr.ends_with("  next: mcplink tools s\n"), "{output}");
    }
}

#[test]
fn fh_h13_a_call_that_lasts_says_on_a_terminal_what_it_waits_for() {
    let server = FakeMcpServer::builder().tools(vec![FakeTool::slow()]).start().unwrap();
    let setting = Setting::of("s", http(&server));
    let call = ["call", "s", "slow", r#"{"steps": 1, "delay_ms": 2000}"#];
    let Some(terminal) = setting.on_a_terminal(&call) else { return };
    let shown = terminal.run().stdout;
    let waiting = "\r\u{1b}[Kwaiting for an answer of s … 1 s";
    let (_, after) = shown.split_once(waiting).unwrap_or_else(|| panic!("{shown:?}"));
    assert!(after.starts_with("\r\u{1b}[K"), "it is gone: {shown:?}");
}

#[test]
fn a_secret_of_what_was_typed_is_named_without_a_file() {
    let setting = Setting::new();
    let entry =
        json!({ "type": "http", "url": "http://127.0.0.1:1/mcp", "headers": { "X-Key": "${file:/nope}" } });
    let output = setting.run(&["add-json", "typed", &entry.to_string()], 0);
    assert!(!output.to_string().contains("--mcp-config"), "{output}");
    assert!(output.stdout.contains("${file:/nope} of headers.X-Key: "), "{output}");
}

#[test]
fn fh_h2_a_variable_that_is_not_set_and_a_sign_in_are_told_without_a_run() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("unset", with_headers(&server, json!({ "X-Api-Key": "${NOT_SET_HERE}" })))
        .with("signed", http(&server))
        .with("local", json!({ "command": "true" }));
    let document = setting.run(&["headers", "unset", "--json"], 0).json();
    assert!(document["doubts"][0].as_str().unwrap().contains("NOT_SET_HERE"), "{document:#}");
    assert_eq!(setting.run(&["headers", "signed", "--json"], 0).json()["headers"], json!([]));
    sign_in(&setting, "signed", server.url().as_str(), |_| {});
    let document = setting.run(&["headers", "signed", "--json"], 0).json();
    assert_eq!(header(&document, "authorization")["supplier"], "oauth");
    assert!(setting.run(&["headers", "signed", "--run"], 2).stderr.contains("has no headersHelper"));
    assert!(setting.run(&["headers", "local"], 2).stderr.contains("is a command, and gets no headers"));
    assert_eq!(server.connections(), 0);
}

#[test]
fn s_b1_fh_h2_a_helper_that_waits_for_consent_is_not_run_in_sight_either() {
    let (server, helper) = (FakeMcpServer::start().unwrap(), FakeHelper::new().unwrap());
    helper.prints_bearer("A");
    let setting = Setting::new().project_file(json!({ "shared": with_helper(&server, &helper) }));
    let waiting = setting.run(&["headers", "shared", "--run"], 3);
    assert!(waiting.stderr.contains("next: mcplink approve shared"), "{waiting}");
    setting.run(&["approve", "shared", "--yes"], 0);
    let untrusted = setting.run(&["headers", "shared", "--run"], 3);
    assert!(untrusted.stderr.contains("next: mcplink trust"), "{untrusted}");
    let error: Value =
        serde_json::from_str(&setting.run(&["headers", "shared", "--run", "--json"], 3).stderr).unwrap();
    assert_eq!(error["error"]["code"], "helper-untrusted");
    setting.run(&["trust", "--yes"], 0);
    setting.run(&["disable", "shared"], 0);
    assert!(setting.run(&["headers", "shared", "--run"], 2).stderr.contains("is switched off"));
    assert_eq!(helper.runs(), 0);
    setting.run(&["enable", "shared"], 0);
    setting.run(&["headers", "shared", "--run"], 0);
    assert_eq!(helper.runs(), 1);
}
