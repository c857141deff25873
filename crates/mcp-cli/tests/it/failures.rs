//! Exit codes and the wording of errors.

use mcp_harness::Output;
use mcp_testkit::{Accept, FakeHelper, FakeMcpServer, FakeTool, ScriptedAnswer};
use serde_json::{Value, json};

use crate::setting::{Setting, http, with_helper};

/// The JSON line that a failed command ends its stderr with.
#[track_caller]
fn error_line(output: &Output) -> Value {
    let line = output.stderr.lines().last().unwrap_or_else(|| panic!("nothing on stderr: {output}"));
    let document: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {output}"));
    let keys: Vec<&String> = document["error"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["code", "message", "next"], "{line}");
    document["error"].clone()
}

#[track_caller]
fn assert_three_lines_at_most(output: &Output) {
    assert!(output.stderr.starts_with("error: "), "{output}");
    assert!(output.stderr.lines().count() <= 3, "{output}");
    for word in ["Error {", "panicked", "Some(", "None", "::", "backtrace"] {
        assert!(!output.stderr.contains(word), "{word}: {output}");
    }
}

#[test]
fn f117_an_unknown_name_suggests_the_nearest_and_ends_at_once() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("internal", http(&server));
    for command in [
        &["status", "intrenal"][..],
        &["reconnect", "intrenal"],
        &["get", "intrenal"],
        &["tools", "intrenal"],
        &["call", "intrenal", "echo"],
        &["ping", "intrenal"],
        &["approve", "intrenal"],
        &["reject", "intrenal"],
        &["login", "intrenal"],
        &["logout", "intrenal"],
        &["reset", "intrenal"],
    ] {
        let output = setting.run(command, 2);
        assert_three_lines_at_most(&output);
        assert!(output.stderr.contains("did you mean \"internal\"?"), "{output}");
        assert!(output.stderr.contains("next: mcplink list"), "{output}");
        let error = error_line(&setting.run(&[command, &["--json"]].concat(), 2));
        assert_eq!((&error["code"], &error["next"]), (&json!("unknown-server"), &json!("mcplink list")));
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_command_that_needs_a_server_says_in_three_lines_why_it_has_none() {
    let refusing = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let missing = FakeMcpServer::builder().always(ScriptedAnswer::status(404)).start().unwrap();
    let foreign = FakeMcpServer::builder().always(ScriptedAnswer::json(json!({}))).start().unwrap();
    let helper = FakeHelper::new().unwrap();
    helper.fails(9, "no ticket");
    let setting = Setting::of("refusing", http(&refusing))
        .with("missing", http(&missing))
        .with("foreign", http(&foreign))
        .with("helpless", with_helper(&refusing, &helper));
    for (name, code, reason) in [
        ("refusing", 3, "unauthorized"),
        ("missing", 4, "not-found"),
        ("foreign", 6, "protocol"),
        ("helpless", 3, "helper-failed"),
    ] {
        for command in [&["tools", name][..], &["call", name, "echo", "text=x"], &["ping", name]] {
            let output = setting.run(command, code);
            assert_three_lines_at_most(&output);
            assert!(output.stderr.contains("\n  why: "), "{output}");
            assert_eq!(output.stdout, "");
            let output = setting.run(&[command, &["--json"]].concat(), code);
            assert_eq!(error_line(&output)["code"], reason);
            assert_eq!(output.stdout, "");
        }
    }
}

#[test]
fn a_tool_that_fails_or_does_not_exist_is_5() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    let failed = setting.run(&["call", "s", "fail"], 5);
    assert_eq!(failed.stdout, "it failed, as asked\n");
    let failed = setting.run(&["call", "s", "fail", "--json"], 5);
    assert_eq!(failed.json()["isError"], true);
    let unknown = setting.run(&["call", "s", "ecko", "text=x"], 5);
    assert_three_lines_at_most(&unknown);
    assert!(unknown.stderr.contains("did you mean \"echo\"?"), "{unknown}");
    assert_eq!(error_line(&setting.run(&["call", "s", "ecko", "--json"], 5))["code"], "unknown-tool");
}

#[test]
fn a_call_that_gives_up_says_so() {
    let server = FakeMcpServer::builder().tools(vec![FakeTool::slow()]).start().unwrap();
    let setting = Setting::of("s", http(&server));
    let output =
        setting.run(&["call", "s", "slow", "steps:=1000", "delay_ms:=1000", "--timeout", "300ms"], 7);
    assert_three_lines_at_most(&output);
    assert_eq!(server.count("tools/call"), 1, "a call is never repeated");
}

#[test]
fn usage_errors_are_2_and_one_line_of_json_where_asked_for() {
    let setting = Setting::new();
    for command in [
        &["no-such-verb"][..],
        &["status", "--no-such-option"],
        &["call", "s"],
        &["reconnect"],
        &["status", "--timeout", "soon"],
        &["status", "--scope", "galaxy"],
        &["list", "--color", "sometimes"],
    ] {
        let output = setting.run(command, 2);
        assert_eq!(output.stdout, "");
        assert!(output.stderr.lines().count() <= 3 && output.stderr.contains("  next: mcplink "), "{output}");
        let output = setting.run(&[command, &["--json"]].concat(), 2);
        assert_eq!(error_line(&output)["code"], "usage", "{output}");
        assert_eq!(output.stderr.lines().count(), 1);
    }
    assert_eq!(setting.run(&["call", "s", "t", "no-equals-sign"], 2).stdout, "");
}

#[test]
fn nothing_that_a_later_version_brings_exists_as_a_stub() {
    let setting = Setting::new();
    let help = setting.run(&["--help"], 0).stdout;
    for line in help.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '))
    {
        let verb = line.split_whitespace().next().unwrap();
        if verb.starts_with('-') || verb == "mcplink" {
            continue;
        }
        let own = setting.run(&[verb, "--help"], 0).stdout;
        assert!(own.contains("Usage: mcplink"), "{verb}: {own}");
    }
}
