//! Reports of the field that were right when they were tried, and stay so.
//!
//! A test is named by its reports (`fa_…`: docs/field-failures.md).

use std::net::TcpListener;
use std::time::{Duration, Instant};

use mcp_harness::Running;
use mcp_testkit::{Accept, FakeEra, FakeMcpServer};
use serde_json::json;

use crate::bridge::{INITIALIZE, INITIALIZED, echo, open, response, say};
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
        setting.mcplink(&["approve", name, "--yes"]).current_dir(&below).run().expect_code(0);
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
    let server = FakeMcpServer::builder()
        .era(FakeEra::Legacy)
        .accept(Accept::header("x-api-key", "K"))
        .start()
        .unwrap();
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
    assert_eq!(server.requests().len(), before, "it was not used");
    let refused = echo(&mut bridge, 3);
    assert!(refused["error"].is_object() || refused["result"]["isError"] == true, "{refused}");
    assert!(server.requests().len() <= before + 4, "{}", server.requests().len() - before);
    drop(bridge.wait().expect_code(0));
}

/// A bridge with stdin of a host in a folder that says nothing of the project.
fn elsewhere<'a>(setting: &'a Setting, arguments: &[&str]) -> Running<'a> {
    let mut bridge = setting.mcplink(arguments).current_dir(setting.home.root()).start();
    say(&mut bridge, INITIALIZE);
    response(&bridge, 0);
    say(&mut bridge, INITIALIZED);
    bridge
}

/// Desktop hosts start their servers in `/` or in the home folder: the one project that has the name is taken, `--project` says
/// which, and where neither is so each call says where the name was looked for.
#[test]
fn fh_h10_a_bridge_that_a_host_starts_anywhere_finds_the_folder_of_its_entry() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let root = setting.home.root().canonicalize().unwrap();
    let folders: Vec<_> = ["shop", "blog"].iter().map(|name| root.join(name)).collect();
    let mut projects = serde_json::Map::new();
    for (folder, name) in folders.iter().zip(["tickets", "posts"]) {
        std::fs::create_dir_all(folder).unwrap();
        let entry = json!({ "mcpServers": { name: http(&server), "both": http(&server) } });
        projects.insert(folder.to_string_lossy().into_owned(), entry);
    }
    let file = json!({ "projects": projects }).to_string();
    setting.home.write(".claude.json", &file).unwrap();
    let (shop, blog) = (folders[0].to_string_lossy(), folders[1].to_string_lossy());

    let mut bridge = elsewhere(&setting, &["bridge", "tickets"]);
    assert_eq!(echo(&mut bridge, 1)["result"]["content"][0]["text"], "hello");
    let output = bridge.wait().expect_code(0);
    assert!(output.stderr.contains(&format!("tickets is taken from {shop}")), "{output}");
    // What a person is told to run there runs from wherever the person is.
    let refusing = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let closed = file.replace(server.url().as_str(), refusing.url().as_str());
    setting.home.write(".claude.json", &closed).unwrap();
    let mut bridge = elsewhere(&setting, &["bridge", "tickets"]);
    let next = echo(&mut bridge, 1)["error"]["data"]["next"].to_string();
    assert!(next.contains("tickets in ") && next.contains(".claude.json:"), "{next}");
    drop(bridge.wait().expect_code(0));
    setting.home.write(".claude.json", &file).unwrap();

    let mut bridge = elsewhere(&setting, &["bridge", "both"]);
    let refused = echo(&mut bridge, 1)["error"]["message"].to_string();
    assert!(refused.contains("--project DIR says which one is meant"), "{refused}");
    assert!(refused.contains(&*shop) && refused.contains(&*blog), "{refused}");
    drop(bridge.wait().expect_code(2));
    let mut bridge = elsewhere(&setting, &["bridge", "both", "--project", &blog]);
    assert_eq!(echo(&mut bridge, 1)["result"]["content"][0]["text"], "hello");
    drop(bridge.wait().expect_code(0));

    // A name that is nowhere: each call says so, and it heals when a file has it.
    let before = setting.home.snapshot();
    let mut bridge = elsewhere(&setting, &["bridge", "later"]);
    let refused = echo(&mut bridge, 1)["error"]["message"].to_string();
    assert!(refused.contains("no server is named") && refused.contains("later"), "{refused}");
    assert!(refused.contains("--project DIR says which"), "{refused}");
    let written = before.changes_until(&setting.home.snapshot());
    assert!(!format!("{written:?}").contains("trust.json"), "looking keeps nothing: {written:?}");
    let mut file: serde_json::Value = serde_json::from_str(&file).unwrap();
    file["mcpServers"] = json!({ "later": http(&server) });
    setting.home.write(".claude.json", file.to_string()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut id = 2;
    while echo(&mut bridge, id)["result"]["content"][0]["text"] != "hello" {
        assert!(Instant::now() < deadline, "it never heard of it");
        std::thread::sleep(Duration::from_millis(200));
        id += 1;
    }
    drop(bridge.wait().expect_code(0));

    // Commands take a folder as well, and what they print carries it.
    let elsewhere = |arguments: &[&str], code: i32| {
        setting.mcplink(arguments).current_dir(setting.home.root()).run().expect_code(code)
    };
    let listed = elsewhere(&["--project", "shop", "list"], 0).stdout;
    assert!(listed.contains("tickets") && !listed.contains("posts"), "{listed}");
    assert!(elsewhere(&["--project", "shop", "status", "nope"], 2).stderr.contains("--project shop"));
    assert!(elsewhere(&["--project", "gone", "list"], 2).stderr.contains("is not a folder"));
    let config = json!({ "mcpServers": { "named": http(&server) } }).to_string();
    std::fs::write(setting.home.root().join("mine.json"), config).unwrap();
    elsewhere(&["--project", "shop", "--mcp-config", "mine.json", "status", "named"], 0);
}
