//! What the files say, and what a person has not allowed.

use mcp_status::ReasonCode::{
    AwaitingApproval, ChangedSinceApproval, Config, Declined, HelperUntrusted, NotConfigured, Policy,
    SelfReference, ToolsUnapproved, WithoutHelper,
};
use mcp_testkit::{Accept, FakeHelper, FakeMcpServer};
use serde_json::{Value, json};

use super::mend::Field;
use super::{Broken, Expected, hold};
use crate::local::{SERVER, shell};
use crate::setting::{Setting, http, with_helper};

const EDIT: &str = "correct the entry of s in *";

pub(super) const EXPECTED: &[Expected] = &[
    ("no-endpoint", Some(Config), "configuration", "mcpServers.s.url: is missing (add the address", EDIT),
    ("foreign-word", Some(Config), "configuration", "`serverUrl` is Windsurf's word", EDIT),
    ("foreign-word-beside-type", Some(Config), "configuration", "s.url: is missing (`httpUrl` is", EDIT),
    ("type-against-url", Some(Config), "configuration", "local server, and it has a `url`", EDIT),
    ("quoted-url", Some(Config), "configuration", "has quotation marks around it", EDIT),
    ("foreign-type", Some(Config), "configuration", "another host's word for it", EDIT),
    ("unknown-type", Some(Config), "configuration", "unknown type \"grpc\"", EDIT),
    ("websocket", Some(Config), "configuration", "WebSocket is not supported", EDIT),
    ("command-list", Some(Config), "configuration", "its first word as `command`", EDIT),
    ("number", Some(Config), "configuration", "env.PORT", EDIT),
    ("header-number", Some(Config), "configuration", "headers.X: expected a string", EDIT),
    ("bad-port", Some(Config), "configuration", "a port that is not a number", EDIT),
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
        "is a bridge to",
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
    let url = || server.url().to_string();
    let broken = match name {
        "no-endpoint" => Broken::of(json!({ "type": "http" })).fields([Field::set("url", url())]),
        "foreign-word" => Broken::of(json!({ "serverUrl": url() })).fields([
            Field::gone("serverUrl"),
            Field::told("type", "http"),
            Field::set("url", url()),
        ]),
        "foreign-word-beside-type" => Broken::of(json!({ "type": "http", "httpUrl": url() }))
            .fields([Field::gone("httpUrl"), Field::set("url", url())]),
        "type-against-url" => {
            Broken::of(json!({ "type": "stdio", "url": url() })).fields([Field::told("type", "http")])
        }
        "quoted-url" => Broken::of(json!({ "type": "http", "url": format!("\u{201c}{}\u{201d}", url()) }))
            .fields([Field::set("url", url())]),
        "foreign-type" => {
            Broken::of(json!({ "type": "remote", "url": url() })).fields([Field::told("type", "http")])
        }
        "unknown-type" => {
            Broken::of(json!({ "type": "grpc", "url": url() })).fields([Field::told("type", "http")])
        }
        "websocket" => Broken::of(json!({ "type": "ws", "url": "ws://127.0.0.1:1/mcp" })).fields([
            Field::told("type", "http"),
            Field::set("url", url()).named("address of the same server"),
        ]),
        "command-list" => Broken::of(json!({ "command": ["sh", "-c", SERVER] }))
            .fields([Field::set("command", "sh"), Field::set("args", json!(["-c", SERVER]))]),
        "number" => {
            let mut entry = shell(SERVER);
            entry["env"] = json!({ "PORT": 1 });
            Broken::of(entry).fields([Field::set("env.PORT", "1")])
        }
        "header-number" => Broken::of(json!({ "type": "http", "url": url(), "headers": { "X": 5 } }))
            .fields([Field::set("headers.X", "5")]),
        "bad-port" => Broken::of(json!({ "type": "http", "url": "http://127.0.0.1:99999/mcp" }))
            .fields([Field::set("url", url())]),
        "no-scheme" => {
            let bare = url().replacen("http://", "", 1);
            Broken::of(json!({ "type": "http", "url": bare })).fields([Field::set("url", url())])
        }
        "empty-url" => Broken::of(json!({ "type": "http", "url": "" })).fields([Field::set("url", url())]),
        // The entry as a whole is the wrong one, and no entry says where the server is.
        "bridge-to-itself" => Broken::of(json!({ "command": "mcplink", "args": ["bridge", "s"] }))
            .fields([Field::set("/mcpServers.s", good.clone()).named("the entry of s")]),
        "denied" => {
            let broken = Broken::of(good.clone())
                .fields([Field::gone("/deniedMcpServers").named("deniedMcpServers[0]")]);
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
