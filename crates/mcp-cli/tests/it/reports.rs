//! Reports of the field that were right when they were tried, and stay so.
//!
//! A test is named by its reports (`fa_…`: docs/field-failures.md).

use std::net::TcpListener;
use std::time::Duration;

use mcp_testkit::{Accept, Era, FakeMcpServer};
use serde_json::json;

use crate::bridge::{echo, open};
use crate::setting::{Setting, http, with_headers};

/// A host that starts a program asks no shell, so what a shell would have replaced is still there.
#[test]
fn fa_a54_a_path_that_a_shell_would_have_replaced_is_told_as_that() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let file = json!({ "mcpServers": { "s": http(&server) } }).to_string();
    setting.home.write("mine.json", file).unwrap();
    for (path, said) in [
        ("~/mine.json", "a shell would have replaced `~`, and none did: write the path in full"),
        ("$HOME/mine.json", "a shell would have replaced the variable, and none did: write the path in full"),
    ] {
        let output = setting.run(&["--mcp-config", path, "status"], 2);
        assert!(output.stderr.contains(said) && output.stderr.lines().count() <= 3, "{output}");
    }
    let output = setting.run(&["--mcp-config", "mine.json", "status"], 2);
    assert!(!output.stderr.contains("a shell"), "{output}");
    let whole = setting.home.home().join("mine.json").to_string_lossy().into_owned();
    setting.run(&["--mcp-config", &whole, "status"], 0);
}

#[test]
fn fa_a61_sixty_servers_are_looked_at_together() {
    let server = FakeMcpServer::start().unwrap();
    let mut setting = Setting::new();
    for number in 0..60 {
        setting.write(&format!("server-{number:02}"), http(&server));
    }
    let document = setting.run(&["status", "--json"], 0).json();
    let rows = document["servers"].as_array().unwrap();
    assert_eq!(rows.len(), 60);
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(
            (&row["name"], &row["status"]),
            (&json!(format!("server-{number:02}")), &json!("connected"))
        );
    }
    assert_eq!(
        setting.run(&["status"], 0).stdout.lines().filter(|line| line.contains("connected")).count(),
        60
    );
}

/// From a folder below, the files of the folders above count, and of two that name one server the inner one does.
#[test]
fn fa_a62_a_file_of_the_project_is_found_from_below_and_the_inner_one_wins() {
    let (outer, inner) = (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    let setting = Setting::new().project_file(json!({ "both": http(&outer), "outer": http(&outer) }));
    let file = json!({ "mcpServers": { "both": http(&inner) } }).to_string();
    setting.home.write_project("packages/app/.mcp.json", file).unwrap();
    let below = setting.home.project().join("packages/app/src");
    std::fs::create_dir_all(&below).unwrap();
    for name in ["both", "outer"] {
        setting.mcplink(&["approve", name]).current_dir(&below).run().expect_code(0);
    }
    let called =
        setting.mcplink(&["call", "both", "echo", "text=x"]).current_dir(&below).run().expect_code(0);
    assert_eq!(called.stdout, "x\n");
    assert_eq!((inner.count("tools/call"), outer.count("tools/call")), (1, 0));
    setting.mcplink(&["status", "outer"]).current_dir(&below).run().expect_code(0);
}

/// `localhost` is `::1` first on many systems, and a server listens on one of the two.
#[test]
fn fa_a97_localhost_is_reached_at_whichever_address_it_listens_on() {
    let server = FakeMcpServer::start().unwrap();
    let mut url = server.url();
    url.set_host(Some("localhost")).unwrap();
    let setting = Setting::of("s", json!({ "type": "http", "url": url.as_str() }));
    assert_eq!(setting.status("s")["status"], "connected");
    // Something else may hold the port at the other address: what speaks MCP there is another server.
    let port = server.address().port();
    let other = TcpListener::bind(("::1", port));
    assert_eq!(setting.mcplink(&["list"]).run().expect_code(0).stdout.lines().count(), 1);
    drop(other);
}

/// A bridge whose token died waits for a call, and does not ask again and again.
#[test]
fn fa_a107_a_bridge_whose_token_died_leaves_its_server_alone_until_it_is_used() {
    let server =
        FakeMcpServer::builder().era(Era::Legacy).accept(Accept::header("x-api-key", "K")).start().unwrap();
    let setting = Setting::of("s", with_headers(&server, json!({ "X-Api-Key": "K" })));
    let mut bridge = open(&setting, "s");
    assert_eq!(echo(&mut bridge, 1)["result"]["content"][0]["text"], "hello");
    server.accept(Accept::Nothing);
    let refused = echo(&mut bridge, 2);
    assert!(refused["error"].is_object() || refused["result"]["isError"] == true, "{refused}");
    // What the refusal itself brings about has an end.
    std::thread::sleep(Duration::from_secs(2));
    let before = server.requests().len();
    std::thread::sleep(Duration::from_secs(8));
    assert_eq!(server.requests().len(), before, "nobody used it");
    let refused = echo(&mut bridge, 3);
    assert!(refused["error"].is_object() || refused["result"]["isError"] == true, "{refused}");
    assert!(server.requests().len() <= before + 4, "{}", server.requests().len() - before);
    drop(bridge.wait().expect_code(0));
}
