//! What the files say, and what a person has not allowed.

use mcp_status::ReasonCode::{
    AwaitingApproval, ChangedSinceApproval, Config, Declined, HelperUntrusted, NotConfigured, Policy,
    SelfReference, ToolsUnapproved, WithoutHelper,
};
use mcp_testkit::{Accept, FakeHelper, FakeMcpServer};
use serde_json::{Value, json};

use super::{Broken, Expected, hold};
use crate::setting::{Setting, http, with_helper};

const EDIT: &str = "correct the entry of s in *";

pub(super) const EXPECTED: &[Expected] = &[
    ("no-endpoint", Some(Config), "configuration", "mcpServers.s.url: is missing", EDIT),
    ("foreign-word", Some(Config), "configuration", "`serverUrl` is Windsurf's word", EDIT),
    ("foreign-type", Some(Config), "configuration", "another host's word for it", EDIT),
    ("unknown-type", Some(Config), "configuration", "unknown type \"grpc\"", EDIT),
    ("websocket", Some(Config), "configuration", "WebSocket is not supported", EDIT),
    ("command-list", Some(Config), "configuration", "its first word as `command`", EDIT),
    ("number", Some(Config), "configuration", "env.PORT", EDIT),
    ("header-number", Some(Config), "configuration", "headers.X: expected a string", EDIT),
    ("bad-port", Some(Config), "configuration", "a port that is no number", EDIT),
    ("no-scheme", Some(Config), "configuration", "s.url: has no scheme", EDIT),
    (
        "empty-url",
        Some(NotConfigured),
        "configuration",
        "the entry has an empty url",
        "correct `url` of s in *",
    ),
    (
        "bridge-to-itself",
        Some(SelfReference),
        "configuration",
        "is how a host reaches",
        "correct the entry of s in *",
    ),
    ("denied", Some(Policy), "configuration", "deniedMcpServers[0]", "change deniedMcpServers[0] in *"),
    ("unapproved", Some(AwaitingApproval), "trust", "not approved yet", "mcplink approve s"),
    ("changed", Some(ChangedSinceApproval), "trust", "changed since", "mcplink approve s"),
    (
        "unapproved-tools",
        Some(ToolsUnapproved),
        "tools",
        "not approved as the server defines",
        "mcplink approve-tools s",
    ),
    ("declined", Some(Declined), "trust", "rejected", "mcplink approve s"),
    (
        "untrusted-helper",
        Some(HelperUntrusted),
        "trust",
        "headersHelper was not run because its folder is not trusted",
        "mcplink trust",
    ),
    ("unneeded-helper", Some(WithoutHelper), "trust", "connected without its headersHelper", "mcplink trust"),
    ("switched-off", None, "trust", "switched off by projects[", "mcplink enable s"),
    ("switched-off-here", None, "trust", "switched off by mcpServers.s.disabled", "mcplink enable s"),
];

fn bring_about(name: &str) -> Broken {
    let server = FakeMcpServer::start().unwrap();
    let good = http(&server);
    let project = |entry: Value| Broken::new(Setting::new().project_file(json!({ "s": entry })));
    let mended = |entry: Value, named| Broken::of(entry).rewrite(named, good.clone());
    let broken = match name {
        "no-endpoint" => mended(json!({ "type": "http" }), "url"),
        "foreign-word" => mended(json!({ "serverUrl": server.url() }), "\"type\": \"http\""),
        "foreign-type" => mended(json!({ "type": "remote", "url": server.url() }), "\"type\": \"http\""),
        "unknown-type" => mended(json!({ "type": "grpc", "url": server.url() }), "the types are stdio, http"),
        "websocket" => {
            mended(json!({ "type": "ws", "url": "ws://127.0.0.1:1/mcp" }), "address of the same server")
        }
        "command-list" => mended(json!({ "command": ["npx", "x"] }), "as `args`"),
        "number" => mended(json!({ "command": "x", "env": { "PORT": 1 } }), "double quotes"),
        "header-number" => {
            mended(json!({ "type": "http", "url": server.url(), "headers": { "X": 5 } }), "double quotes")
        }
        "bad-port" => mended(json!({ "type": "http", "url": "http://127.0.0.1:99999/mcp" }), "up to 65535"),
        "no-scheme" => {
            mended(json!({ "type": "http", "url": "mcp.example.com/mcp" }), "write http:// or https://")
        }
        "empty-url" => mended(json!({ "type": "http", "url": "" }), "url"),
        "bridge-to-itself" => {
            mended(json!({ "command": "mcplink", "args": ["bridge", "s"] }), "how a host reaches")
        }
        "denied" => {
            let broken = Broken::of(good.clone()).edit("deniedMcpServers[0]", |broken| {
                broken.setting.home.write(".claude/settings.json", "{}").unwrap();
            });
            let list = json!({ "deniedMcpServers": [{ "serverName": "s" }] }).to_string();
            broken.setting.home.write(".claude/settings.json", list).unwrap();
            broken
        }
        "unapproved" => project(good.clone()),
        "unapproved-tools" => {
            let mut entry = good.clone();
            entry["pinTools"] = json!(true);
            Broken::of(entry)
        }
        "changed" => {
            let broken = project(json!({ "command": "x" }));
            broken.run(&["approve", "s", "--yes"]).expect_code(0);
            let text = json!({ "mcpServers": { "s": good } }).to_string();
            broken.setting.home.write_project(".mcp.json", text).unwrap();
            broken
        }
        "declined" => {
            let broken = project(good.clone());
            broken.run(&["reject", "s"]).expect_code(0);
            broken
        }
        "untrusted-helper" => {
            let server = FakeMcpServer::builder().accept(Accept::bearer("right")).start().unwrap();
            let helper = FakeHelper::new().unwrap();
            helper.prints_bearer("right");
            let broken = project(with_helper(&server, &helper));
            broken.run(&["approve", "s", "--yes"]).expect_code(0);
            broken.holding(server).holding(helper)
        }
        "unneeded-helper" => {
            let helper = FakeHelper::new().unwrap();
            helper.prints_bearer("right");
            let broken = project(with_helper(&server, &helper));
            broken.run(&["approve", "s", "--yes"]).expect_code(0);
            broken.holding(helper)
        }
        "switched-off" => Broken::new(Setting::of("s", good.clone()).disabled(&["s"])),
        "switched-off-here" => {
            let mut entry = good.clone();
            entry["disabled"] = json!(true);
            Broken::of(entry)
        }
        other => panic!("{other}"),
    };
    broken.holding(server)
}

#[test]
fn fa_a11_a31_a32_a36_fh_h1_gallery_of_entries() {
    hold(EXPECTED, bring_about);
}
