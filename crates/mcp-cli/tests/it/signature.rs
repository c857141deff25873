//! What a tool takes, and what is missing from a call.

use mcp_harness::Mcplink;
use mcp_testkit::{FakeMcpServer, FakeTool, ScriptedAnswer};
use serde_json::{Value, json};

use crate::setting::{Setting, http};

fn server() -> FakeMcpServer {
    let tool = json!({ "name": "sum", "description": "Adds two numbers.\n\nSlowly.", "inputSchema": {
        "type": "object",
        "required": ["a", "b"],
        "properties": {
            "a": { "type": "number", "description": "The first one." },
            "b": { "type": "number" },
            "note": { "type": "string", "default": "none" },
        },
    } });
    let refusal = json!({ "isError": true, "content": [{ "type": "text", "text": "expected number at b" }] });
    FakeMcpServer::builder().tool(FakeTool::custom(tool, refusal)).start().unwrap()
}

#[test]
fn fh_h6_a_tool_shows_its_arguments_and_a_call_to_copy() {
    let server = server();
    let setting = Setting::of("math", http(&server));
    let shown = setting.run(&["tools", "math", "sum"], 0).stdout;
    for line in [
        "sum\n",
        "  Adds two numbers.\n",
        "  a     number, required\n        The first one.\n",
        "  b     number, required\n",
        "  note  string, optional, default none\n",
        "  mcplink call math sum a=1 b=1\n",
    ] {
        assert!(shown.contains(line), "{line:?}: {shown}");
    }
    let document = setting.run(&["tools", "math", "sum", "--json"], 0).json();
    assert_eq!(document["tools"].as_array().unwrap().len(), 1);
    assert_eq!(document["tools"][0]["inputSchema"]["required"], json!(["a", "b"]));
    let unknown = setting.run(&["tools", "math", "sun"], 5).stderr;
    assert!(
        unknown.contains("did you mean \"sum\"?") && unknown.contains("next: mcplink tools math"),
        "{unknown}"
    );
}

#[test]
fn fh_h6_tools_are_found_by_what_they_say() {
    let server = server();
    let setting = Setting::of("math", http(&server));
    for (wanted, found) in [("SUM", true), ("two num", true), ("slowly", true), ("weather", false)] {
        let output = setting.run(&["tools", "math", "--grep", wanted], 0);
        assert_eq!(output.stdout.contains("sum"), found, "{output}");
        assert_eq!(output.stderr.contains("no tool of "), !found, "{output}");
        let document = setting.run(&["tools", "math", "--grep", wanted, "--json"], 0).json();
        assert_eq!(document["tools"].to_string().contains("sum"), found, "{document}");
    }
}

#[test]
fn fh_h6_a_wrong_call_names_the_argument_that_is_missing() {
    let server = server();
    let setting = Setting::of("math", http(&server));
    // Its types had to be asked for, so what it lacks is known before it is sent.
    let output = setting.run(&["call", "math", "sum", "a=1"], 2);
    assert_eq!(
        output.stderr,
        "error: sum needs `b` (number)\n  why: its schema says so, and nothing was sent\n  next: mcplink tools math sum\n"
    );
    assert_eq!(server.count("tools/call"), 0);
    let output = setting.run(&["call", "math", "sum", "a=1", "bee=2"], 2);
    assert!(
        output.stderr.contains("  why: its schema says so, and has no `bee`; nothing was sent\n"),
        "{output}"
    );
    assert_eq!(server.count("tools/call"), 0);
    for line in ["sum", "sum a:=1"] {
        let line: Vec<&str> = ["call", "math"].into_iter().chain(line.split(' ')).collect();
        assert!(
            setting.run(&line, 2).stderr.contains("`b` (number)"),
            "{line:?}: typed as nothing, or as JSON"
        );
    }
    assert_eq!(server.count("tools/call"), 0);
    // An object is taken at its word, and what the server said of it is explained.
    let output = setting.run(&["call", "math", "sum", "{\"a\": 1}"], 5);
    assert!(output.stdout.contains("expected number at b"), "{output}");
    assert!(output.stderr.contains("missing: `b` (number)"), "{output}");
    assert!(output.stderr.contains("next: mcplink tools math sum"), "{output}");
    let output = setting.run(&["call", "math", "sum", "a=1", "b=2"], 5);
    assert!(!output.stderr.contains("missing"), "{output}");
}

/// The TypeScript SDK answers a call of a tool that it does not have with a result.
#[test]
fn fh_h6_a_tool_that_is_not_there_is_told_however_the_server_says_it() {
    let server = server();
    let setting = Setting::of("math", http(&server));
    let said = json!({ "type": "text", "text": "MCP error -32602: FakeTool sun not found" });
    for answer in [
        ScriptedAnswer::RpcResult(json!({ "isError": true, "content": [said] })),
        ScriptedAnswer::RpcError { code: -32602, message: "MCP error -32602: FakeTool sun not found".into() },
        ScriptedAnswer::RpcError { code: -32603, message: "internal error".into() },
    ] {
        server.always_to("tools/call", answer);
        for arguments in [&["a=1"][..], &["{}"], &[]] {
            let sent = server.count("tools/call");
            let output = setting.run(&[&["call", "math", "sun"], arguments].concat(), 5);
            // An object is sent all the same.
            assert_eq!(server.count("tools/call") - sent, usize::from(arguments == ["{}"]), "{output}");
            assert!(output.stderr.contains("math has no tool \"sun\""), "{output}");
            assert!(output.stderr.contains("did you mean \"sum\"?"), "{output}");
            assert!(output.stderr.ends_with("  next: mcplink tools math\n"), "{output}");
        }
    }
    // One that is there, and fails for another reason, is shown with what it takes.
    let error = setting.run(&["call", "math", "sum", "{\"a\": 1, \"b\": 2}"], 5).stderr;
    assert!(error.ends_with("  next: mcplink tools math sum\n"), "{error}");
}

/// Whatever a server has against one of them, the others are in its list.
#[test]
fn fh_h3_fh_h14_what_a_server_refuses_to_give_leads_to_what_it_has() {
    let server = FakeMcpServer::builder()
        .resource(json!({ "uri": "a://b", "name": "b" }), "text")
        .prompt(json!({ "name": "p" }), json!({ "messages": [] }))
        .start()
        .unwrap();
    let setting = Setting::of("s", http(&server));
    for (method, command, list) in [
        ("resources/read", &["read", "s", "nosuch"][..], "resources"),
        ("prompts/get", &["prompt", "s", "nosuch"], "prompts"),
        ("completion/complete", &["complete", "s", "--prompt", "p", "a"], "prompts"),
        ("completion/complete", &["complete", "s", "--resource", "a://{x}", "x"], "resources"),
    ] {
        for code in [-32602, -32603, -32000] {
            let message = format!("MCP error {code}: Invalid URL");
            server.always_to(method, ScriptedAnswer::RpcError { code, message });
            let output = setting.mcplink(command).run();
            assert!(output.stderr.ends_with(&format!("  next: mcplink {list} s\n")), "{code} {output}");
            assert_eq!(output.stderr.matches(&code.to_string()).count(), 1, "{output}");
        }
    }
}

#[test]
fn fh_h15_a_server_and_a_tool_in_one_word_are_understood() {
    let server = FakeMcpServer::start().unwrap();
    let setting =
        Setting::of("every.thing", http(&server)).with("every", http(&server)).with("a/b", http(&server));
    for line in [
        &["call", "every.thing", "echo", "text=hello"][..],
        &["call", "every.thing/echo", "text=hello"],
        &["call", "every.thing.echo", "text=hello"],
        &["call", "every/echo", "text=hello"],
        &["call", "a/b.echo", r#"{"text": "hello"}"#],
        &["call", "a/b/echo", "text:=\"hello\""],
    ] {
        assert_eq!(setting.run(line, 0).stdout, "hello\n", "{line:?}");
    }
    for word in ["every.thing/echo", "a/b/echo"] {
        let shown = setting.run(&["tools", word], 0).stdout;
        assert!(shown.starts_with("echo\n") && shown.contains("text  string, required"), "{shown}");
    }
    // A name that is there is never taken apart, and what no name begins with is told as it is.
    assert!(setting.run(&["tools", "every.thing"], 0).stdout.starts_with("echo  "));
    for (line, code, said) in [
        (&["call", "every.thing"][..], 2, "which tool of every.thing is to be called?"),
        (&["call", "every/eco", "text=x"], 5, "did you mean \"echo\"?"),
        (&["call", "every/echo", "nonsense"], 2, "neither key=string"),
        (&["call", "evry/echo", "text=x"], 2, "did you mean \"every/echo\"?"),
        (&["call", "nothing-like-it/echo"], 2, "no server is named \"nothing-like-it/echo\""),
        (&["tools", "every/eco"], 5, "next: mcplink tools every\n"),
    ] {
        let output = setting.run(line, code);
        assert!(output.stderr.contains(said), "{line:?}: {output}");
        assert!(output.stderr.trim_end().lines().count() <= 3, "{output}");
    }
    assert!(setting.run(&["call", "every.thing"], 2).stderr.contains("next: mcplink tools every.thing"));
}

#[test]
fn fh_h6_an_argument_of_another_type_is_told_before_anything_is_sent() {
    let server = server();
    let setting = Setting::of("math", http(&server));
    for (typed, said) in [
        ("b=three", "`b` must be number, and is of type string"),
        ("b:=[1]", "`b` must be number, and is of type array"),
        ("note:=5", "`note` must be string, and is of type number"),
    ] {
        let mut line = vec!["call", "math", "sum", "a=1", typed];
        if typed.starts_with("note") {
            line.push("b=2");
        }
        let output = setting.run(&line, 2);
        let how = if typed.starts_with('b') { "b:=1.5" } else { "note=TEXT" };
        assert_eq!(
            output.stderr,
            format!(
                "error: {said}\n  why: its schema says so, and nothing was sent; write {how}\n  next: mcplink tools math sum\n"
            ),
            "{typed}"
        );
        let document = setting.run(&[&line[..], &["--json"]].concat(), 2);
        assert!(document.stderr.contains("\"code\":\"invalid-argument\""), "{document}");
    }
    assert_eq!(server.count("tools/call"), 0);
    // JSON alone is taken at its word; what the server said of it is explained.
    let output = setting.run(&["call", "math", "sum", r#"{"a": 1, "b": "three"}"#], 5);
    assert!(output.stdout.contains("expected number at b"), "{output}");
    assert!(output.stderr.contains("`b` must be number, and is of type string"), "{output}");
    let output = setting.run(&["call", "math", "sum", r#"{"a": 1, "b": "3"}"#], 5);
    assert!(!output.stderr.contains("must be"), "a server may read a number out of it: {output}");
}

/// What a schema closes is told before anything is sent; what it leaves open goes to the server.
#[test]
fn fh_h6_an_argument_that_a_schema_forbids_is_told_before_anything_is_sent() {
    let closed = json!({ "type": "object", "properties": { "query": {} }, "additionalProperties": false });
    let mut open = closed.clone();
    open["patternProperties"] = json!({ "^x-": {} });
    let done = json!({ "content": [{ "type": "text", "text": "done" }] });
    let tool = |name: &str, schema: &Value| {
        FakeTool::custom(json!({ "name": name, "inputSchema": schema }), done.clone())
    };
    let tools = vec![tool("closed", &closed), tool("open", &open)];
    let server = FakeMcpServer::builder().tools(tools).start().unwrap();
    let setting = Setting::of("s", http(&server));
    let output = setting.run(&["call", "s", "closed", "querry=x"], 2);
    assert!(output.stderr.contains("closed takes no argument \"querry\""), "{output}");
    assert!(
        output.stderr.contains("did you mean \"query\"?")
            && output.stderr.ends_with("next: mcplink tools s closed\n"),
        "{output}"
    );
    assert_eq!(server.count("tools/call"), 0);
    for line in [
        &["closed", "query=x"][..],
        &["closed", r#"{"querry": "x"}"#],
        &["open", "x-y=1"],
        &["open", "querry=x"],
    ] {
        assert_eq!(setting.run(&[&["call", "s"], line].concat(), 0).stdout, "done\n", "{line:?}");
    }
}

/// Every kind of argument, names and values that a shell would take apart, and a server's own ideas of a default: the call that is
/// printed runs as it stands, and the server gets each required argument in the type that its schema asks for.
#[test]
fn fh_h6_the_call_that_is_shown_runs_as_printed() {
    let tool = json!({ "name": "do it", "inputSchema": { "type": "object",
        "required": ["n", "whole", "yes", "list", "deep", "word", "mode", "two words", "$x", "nothing", "either"],
        "properties": {
            "n": { "type": "number" }, "whole": { "type": "integer" }, "yes": { "type": "boolean" },
            "list": { "type": "array", "items": { "type": "string" } }, "deep": { "type": "object" },
            "word": { "type": "string", "default": "it's $HOME; `x` \"y\"" },
            "mode": { "enum": ["slow mode", "fast"] }, "two words": { "type": "string" },
            "$x": { "type": "string" }, "nothing": { "type": "null", "default": null },
            "either": { "type": ["integer", "null"] },
        },
    } });
    let done = json!({ "content": [{ "type": "text", "text": "done" }] });
    let server = FakeMcpServer::builder().tool(FakeTool::custom(tool, done)).start().unwrap();
    let setting = Setting::of("my server", http(&server));
    let shown = setting.run(&["tools", "my server", "do it"], 0).stdout;
    let call = shown.lines().rev().find(|line| line.trim_start().starts_with("mcplink call")).unwrap().trim();
    let line = call.replacen("mcplink", &mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink")), 1);
    let output = Mcplink::new("/bin/sh", &setting.home).args(["-c", &line]).run().expect_code(0);
    assert_eq!(output.stdout, "done\n", "{line}");
    let calls = server.recorder().matching(|request| request.rpc_method().as_deref() == Some("tools/call"));
    let arguments = calls[0].json().unwrap()["params"]["arguments"].clone();
    assert_eq!(
        arguments,
        json!({ "n": 1, "whole": 1, "yes": true, "list": [], "deep": {}, "word": "it's $HOME; `x` \"y\"", "mode": "slow mode",
            "two words": "TEXT", "$x": "TEXT", "nothing": null, "either": 1 }),
        "{line}"
    );
}
