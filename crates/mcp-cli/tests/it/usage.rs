//! Commands that use a server: `tools`, `call`, `ping`, `reconnect`.

use mcp_testkit::{Accept, FakeEra, FakeMcpServer, FakeTool, Pages};
use serde_json::{Value, json};

use crate::setting::{Setting, http};

/// The arguments of the last tool call.
fn arguments(server: &FakeMcpServer) -> Value {
    let calls = server.recorder().matching(|request| request.rpc_method().as_deref() == Some("tools/call"));
    calls.last().unwrap().json().unwrap()["params"]["arguments"].clone()
}

#[test]
fn arguments_are_spelled_as_people_spell_them() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    setting.home.write_project("notes.txt", "from a file\n").unwrap();
    for (typed, sent) in [
        (&["text=plain"][..], json!({ "text": "plain" })),
        (&["text=a=b c"], json!({ "text": "a=b c" })),
        (
            &["text=x", "n:=3", "on:=true", "list:=[1,2]"],
            json!({ "text": "x", "n": 3, "on": true, "list": [1, 2] }),
        ),
        (&["text=@notes.txt"], json!({ "text": "from a file\n" })),
        (
            &[r#"{"text": "whole", "n": 12345678901234567890}"#],
            json!({ "text": "whole", "n": 12_345_678_901_234_567_890_u64 }),
        ),
        (&["text=-5", "n:=-5"], json!({ "text": "-5", "n": -5 })),
    ] {
        setting.run(&[&["call", "s", "echo"], typed].concat(), 0);
        assert_eq!(arguments(&server), sent, "{typed:?}");
    }
    let piped =
        setting.mcplink(&["call", "s", "echo", "-"]).stdin(r#"{"text": "piped"}"#).run().expect_code(0);
    assert_eq!(piped.stdout, "piped\n");
    let refused = setting.run(&["call", "s", "echo", "text=@missing.txt"], 2);
    assert!(refused.stderr.contains("cannot be read"), "{refused}");
}

#[test]
fn other_content_than_text_is_named() {
    let content = json!([
        { "type": "text", "text": "a picture:" },
        { "type": "image", "data": "AAAA", "mimeType": "image/png" },
    ]);
    let tool = FakeTool::custom(
        json!({ "name": "draw", "inputSchema": { "type": "object" } }),
        json!({ "content": content }),
    );
    let server = FakeMcpServer::builder().tools(vec![tool]).start().unwrap();
    let output = Setting::of("s", http(&server)).run(&["call", "s", "draw"], 0);
    assert_eq!(output.stdout, "a picture:\n[image, image/png, 3 bytes]\n");
}

#[test]
fn tools_are_listed_one_per_line_aligned() {
    let server = FakeMcpServer::start().unwrap();
    let output = Setting::of("s", http(&server)).run(&["tools", "s"], 0);
    assert_eq!(
        output.stdout,
        "echo  Says what it is told.\nadd   Adds two numbers.\nslow  Takes its time and tells of its progress.\n\
         big   Answers at length.\nfail  Always fails.\n"
    );
}

#[test]
fn f111_every_page_of_a_list_is_read_and_no_circle_followed() {
    let server = FakeMcpServer::builder().tools(FakeTool::many(250)).pages(Pages::Of(40)).start().unwrap();
    let setting = Setting::of("s", http(&server));
    assert_eq!(setting.run(&["tools", "s"], 0).stdout.lines().count(), 250);
    assert_eq!(setting.status("s")["tools"], 250);
    server.set_tools(FakeTool::many(3));
    server.set_pages(Pages::SameCursor);
    let status = setting.status("s");
    assert_eq!((&status["status"], &status["tools"]), (&json!("connected"), &json!(3)), "{status:#}");
}

#[test]
fn both_eras_are_spoken_without_a_word_about_it() {
    for (era, revision) in
        [(FakeEra::Modern, "2026-07-28"), (FakeEra::Legacy, "2025-11-25"), (FakeEra::Dual, "2026-07-28")]
    {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let setting = Setting::of("s", http(&server));
        assert_eq!(setting.status("s")["protocolVersion"], revision);
        assert_eq!(setting.run(&["call", "s", "add", "a:=1", "b:=2"], 0).stdout, "3\n");
        assert_eq!(server.violations(), Vec::<String>::new());
        assert_eq!(server.sessions(), 0, "no session is left behind");
    }
}

#[test]
fn aliases_do_what_their_verbs_do() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    assert_eq!(setting.run(&["ls"], 0).stdout, setting.run(&["list"], 0).stdout);
    for alias in ["info", "show"] {
        assert_eq!(setting.run(&[alias, "s"], 0).stdout, setting.run(&["get", "s"], 0).stdout);
    }
    setting.run(&["restart", "s"], 0);
    assert!(!setting.run(&["--help"], 0).stdout.contains("restart"), "aliases are hidden");
}

#[test]
fn reconnect_takes_names_or_all_or_those_that_fail() {
    let (good, bad) =
        (FakeMcpServer::start().unwrap(), FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap());
    let setting = Setting::of("good", http(&good)).with("bad", http(&bad));
    let all = setting.run(&["reconnect", "--all"], 3).stdout;
    assert!(all.contains("good") && all.contains("bad"), "{all}");
    let one = setting.run(&["reconnect", "good"], 0).stdout;
    assert!(!one.contains("bad"), "{one}");
    let failed = setting.run(&["reconnect", "--failed"], 3).stdout;
    assert!(!failed.contains("good") && failed.contains("bad"), "{failed}");
    bad.accept(Accept::Any);
    let none = setting.run(&["reconnect", "--failed"], 0);
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("", "every server is connected\n"));
}

#[test]
fn f133_reconnect_reads_the_files_again() {
    let (first, second) = (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    let mut setting = Setting::of("s", http(&first));
    setting.run(&["reconnect", "s"], 0);
    setting.write("s", http(&second));
    first.go_down();
    setting.run(&["reconnect", "s"], 0);
    assert!(second.connections() > 0);
}

#[test]
fn ping_says_how_long_it_took() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let output = Setting::of("s", http(&server)).run(&["ping", "s"], 0);
    assert!(output.stdout.starts_with("s answered in ") && output.stdout.ends_with(" ms\n"), "{output}");
    assert_eq!(server.count("ping"), 1);
}

#[test]
fn f135_a_denied_server_is_denied_on_every_path() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    setting
        .home
        .write(".claude/settings.json", json!({ "deniedMcpServers": [{ "serverName": "s" }] }).to_string())
        .unwrap();
    for command in [
        &["status"][..],
        &["reconnect", "s"],
        &["tools", "s"],
        &["call", "s", "echo", "text=x"],
        &["ping", "s"],
    ] {
        let _ = setting.mcplink(command).run();
    }
    let inline = json!({ "mcpServers": { "s": http(&server) } }).to_string();
    let _ = setting.mcplink(&["status", "--mcp-config", &inline]).run();
    assert_eq!(server.connections(), 0);
}

/// Points of a stranger: each says the fact that decides.
#[test]
fn what_a_stranger_gets_wrong_is_told_by_what_it_is() {
    let setting = Setting::new();
    let said = setting.run(&["wrap", "codex", "--all"], 2);
    assert!(said.stderr.contains("why: it has no file with servers here"), "{said}");
    let said = setting.run(&["add", "x", "https://x.example/mcp", "--proxy", "none"], 2);
    assert!(said.stderr.contains("write `proxy` there"), "{said}");
    setting.run(&["add", "x", "--yes", "--no-check", "--", "y"], 0);
    let missing = setting.mcplink(&["list"]).env("MCPLINK_CONFIG", "/typo.json").run().expect_code(0);
    assert!(missing.stderr.contains("MCPLINK_CONFIG names /typo.json, which is not there"), "{missing}");
    // A name in quotes is one, and a tab that was typed takes no file down.
    setting
        .home
        .write(
            ".config/mcplink/mcp.json",
            "{\"mcpServers\": {\"\\\"q\\\"\": {\"command\": \"x\", \"args\": [\"a\tb\"]}}}",
        )
        .unwrap();
    let list = setting.run(&["list", "--json"], 0).json();
    assert_eq!((&list["servers"][0]["name"], &list["problems"]), (&json!("\"q\""), &json!([])), "{list:#}");
    setting.home.write(".config/mcplink/mcp.json", "{").unwrap();
    let said = setting.run(&["validate"], 2);
    assert!(said.stdout.contains("is not known") && !said.stdout.contains("no server is defined"), "{said}");
    let setting = Setting::new().project_file(json!({ "p": { "command": "x" } }));
    let said = setting.run(&["import", "copilot"], 2);
    assert!(said.stderr.contains("its files are read by every command"), "{said}");
}
