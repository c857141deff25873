//! What strangers write, as a person sees it: on a terminal, in a table, in JSON.

use mcp_testkit::{FakeMcpServer, FakeTool};
use serde_json::{Value, json};

use crate::setting::{Setting, http, row};

/// What moves, clears, titles, copies, re-orders or hides: each with a word around it.
const HOSTILE: [&str; 16] = [
    "\u{1b}]52;c;ZXZpbA==\u{7}",
    "\u{1b}[2J\u{1b}[H",
    "\u{1b}P+q544e\u{1b}\\",
    "\u{1b}_app\u{1b}\\",
    "\u{1b}^private\u{1b}\\",
    "\u{9b}31m",
    "\u{9d}0;title\u{9c}",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}\u{200d}",
    "\u{61c}",
    "\u{e0041}\u{e0042}",
    "\u{feff}",
    "\u{3164}",
    "\u{2028}",
    "\r",
];

fn hostile(word: &str) -> String {
    HOSTILE.map(|piece| format!("{word}{piece}")).concat()
}

/// Nothing in `screen` acts on a terminal or on the reading of it, but what this program draws itself.
#[track_caller]
fn harmless(screen: &str) {
    // The live table goes back over what it drew.
    for line in screen.replace("\r\u{1b}[A", "\u{1b}[A").replace("\r\u{1b}[K", "\u{1b}[K").lines() {
        for c in line.trim_end_matches('\r').chars() {
            let acts = c.is_control() && c != '\t' && c != '\u{1b}';
            let hides = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}' | '\u{3164}' | '\u{e0000}'..='\u{e007f}');
            assert!(!acts && !hides, "{c:?} in {line:?}");
        }
        // Our own sequences are colours, and the movements of the live table.
        for sequence in line.split('\u{1b}').skip(1) {
            let rest = sequence.strip_prefix('[').unwrap_or_else(|| panic!("{line:?}"));
            let end = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').chars().next();
            assert!(matches!(end, Some('m' | 'A' | 'K')), "{line:?}");
        }
    }
}

fn server() -> FakeMcpServer {
    let tool = json!({
        "name": format!("t{}", hostile("t")), "description": hostile("d"), "inputSchema": {"type": "object"},
    });
    FakeMcpServer::builder()
        .name(hostile("n"))
        .tool(FakeTool::custom(tool, json!({ "content": [] })))
        .resource(json!({ "uri": format!("a://{}", hostile("u")), "name": hostile("r") }), "text")
        .prompt(json!({ "name": hostile("p"), "description": hostile("d") }), json!({ "messages": [] }))
        .start()
        .unwrap()
}

#[test]
fn s_k4_two_tools_never_look_the_same() {
    let tool = |name: &str| {
        let definition = json!({ "name": name, "inputSchema": { "type": "object" } });
        FakeTool::custom(definition, json!({ "content": [] }))
    };
    let tools = vec![tool("pay"), tool("pay\u{200b}"), tool("pay\n")];
    let server = FakeMcpServer::builder().tools(tools).start().unwrap();
    let setting = Setting::of("s", http(&server));
    let listed = setting.run(&["tools", "s"], 0).stdout;
    let lines: Vec<&str> = listed.lines().map(str::trim_end).collect();
    assert_eq!(lines, ["pay", "\"pay\\u200b\"", "\"pay\\u000a\""], "{listed}");
    let one = setting.run(&["tools", "s", "pay\u{200b}"], 0).stdout;
    assert!(one.starts_with("\"pay\\u200b\"\n"), "{one}");
}

#[test]
fn s_n07_k4_no_view_shows_what_acts_on_a_terminal() {
    let server = server();
    let setting = Setting::of("s", http(&server));
    for command in
        [&["status"][..], &["tools", "s"], &["resources", "s"], &["prompts", "s"], &["list"], &["ping", "s"]]
    {
        let output = setting.run(command, 0);
        harmless(&output.stdout);
        harmless(&output.stderr);
        assert!(!output.stdout.contains('\u{1b}'), "a pipe is not coloured: {output}");
        if let Some(terminal) = setting.on_a_terminal(command) {
            harmless(&terminal.run().expect_code(0).stdout);
        }
    }
}

/// A name may come from the file of a project that no one has approved.
#[test]
fn s_k4_no_command_shows_the_name_of_an_entry_that_acts_on_a_terminal() {
    let name = hostile("e");
    let bare = FakeMcpServer::builder().tools(Vec::new()).start().unwrap();
    let setting = Setting::of(&name, http(&bare));
    let setting = setting.project_file(json!({ (format!("p{name}")): http(&bare) }));
    for command in [
        &["reset", "--all"][..],
        &["status"],
        &["list"],
        &["doctor"],
        &["validate"],
        &["login", "--all"],
        &["reconnect", "--all"],
        &["logout", &name],
        &["ping", &name],
        &["tools", &name],
        &["resources", &name],
        &["prompts", &name],
        &["headers", &name],
        &["get", &name],
        &["call", &name, "x"],
        &["disable", &name],
        &["enable", &name],
        &["approve", &format!("p{name}")],
        &["reject", &format!("p{name}")],
        &["remove", &name, "--dry-run"],
    ] {
        let output = setting.mcplink(command).run();
        harmless(&output.stdout);
        harmless(&output.stderr);
    }
}

#[test]
fn s_m09_results_are_harmless_on_a_terminal_and_whole_in_a_pipe() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    let text = format!("first{}\n\tsecond\u{202e} 日本", hostile("x"));
    let arguments = json!({ "text": text }).to_string();
    let call = ["call", "s", "echo", arguments.as_str()];
    let piped = setting.run(&call, 0);
    assert_eq!(piped.stdout, format!("{text}\n"));
    let document = setting.run(&[&call[..], &["--json"]].concat(), 0).json();
    assert_eq!(document["content"][0]["text"], text);

    if let Some(terminal) = setting.on_a_terminal(&call) {
        let shown = terminal.run().expect_code(0).stdout;
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
        harmless(&shown);
        assert!(shown.contains("\tsecond 日本"), "{shown:?}");
    }
}

#[test]
fn s_m09_resources_and_prompts_are_results_too() {
    let server = FakeMcpServer::builder()
        .resource(json!({ "uri": "a://b", "name": "b" }), hostile("r"))
        .prompt(
            json!({ "name": "p" }),
            json!({ "messages": [{ "role": hostile("user"), "content": { "type": "text", "text": hostile("p") } }] }),
        )
        .start()
        .unwrap();
    let setting = Setting::of("s", http(&server));
    assert_eq!(setting.run(&["read", "s", "a://b"], 0).stdout, format!("{}\n", hostile("r")));
    for command in [&["read", "s", "a://b"][..], &["prompt", "s", "p"]] {
        if let Some(terminal) = setting.on_a_terminal(command) {
            harmless(&terminal.run().expect_code(0).stdout);
        }
    }
}

#[test]
fn s_m08_one_long_name_is_not_paid_for_by_every_line() {
    let mut tools = FakeTool::many(2_000);
    let long = "x".repeat(1 << 20);
    for name in [long.clone(), "日".repeat(1 << 18), "e\u{301}".repeat(1 << 18)] {
        let definition = json!({ "name": name, "inputSchema": { "type": "object" } });
        tools.push(FakeTool::custom(definition, json!({ "content": [] })));
    }
    let server = FakeMcpServer::builder().tools(tools).name(long.clone()).start().unwrap();
    let setting = Setting::of("s", http(&server)).with(&long, json!({ "type": "http", "url": "" }));
    for command in [&["tools", "s"][..], &["list"], &["status"]] {
        let output = setting.run(command, 0);
        assert!(output.stdout.len() < 512 << 10, "{command:?}: {} bytes", output.stdout.len());
    }
}

#[test]
fn s_k3_resources_prompts_and_fields_are_cut_as_well() {
    let long = "y".repeat(1 << 20);
    let mut builder = FakeMcpServer::builder();
    for index in 0..500 {
        builder = builder
            .resource(json!({ "uri": format!("a://{index}"), "name": "n" }), "")
            .prompt(json!({ "name": format!("p{index}") }), json!({ "messages": [] }));
    }
    let server = builder
        .resource(json!({ "uri": format!("a://{long}"), "name": long, "mimeType": long }), "")
        .prompt(json!({ "name": long, "arguments": [{ "name": long }] }), json!({ "messages": [] }))
        .start()
        .unwrap();
    let entry = json!({ "type": "http", "url": server.url().as_str(), (long.clone()): long });
    let setting = Setting::of("s", entry);
    for command in [&["resources", "s"][..], &["prompts", "s"], &["get", "s"]] {
        let output = setting.run(command, 0);
        assert!(output.stdout.len() < 256 << 10, "{command:?}: {} bytes", output.stdout.len());
    }
}

#[test]
fn s_n08_a_name_of_a_megabyte_is_a_line_that_a_person_can_read() {
    let server = FakeMcpServer::builder().name("z".repeat(8 << 20)).start().unwrap();
    let setting = Setting::of("s", http(&server));
    let output = setting.run(&["status"], 0);
    assert!(output.stdout.len() < 8 << 10, "{} bytes", output.stdout.len());
}

#[test]
fn s_p02_json_escapes_what_acts_on_a_terminal_and_keeps_the_value() {
    let server = server();
    let name = format!("s{}", "\u{9b}31m\u{202e}\u{200b}\u{2028}\u{e0041}");
    let setting = Setting::of(&name, http(&server));
    for command in [&["status", "--json"][..], &["list", "--json"], &["get", name.as_str(), "--json"]] {
        let output = setting.run(command, 0);
        let active =
            |c: char| !matches!(c, '\n' | ' '..='~') && (c.is_control() || HOSTILE.concat().contains(c));
        assert!(!output.stdout.contains(active), "{command:?}: {}", output.stdout);
        let document: Value = output.json();
        assert!(document.to_string().contains('\u{202e}'), "the value is the same");
    }
    let document = setting.run(&["status", "--json"], 0).json();
    assert_eq!(row(&document, &name)["name"], name.as_str());
}
