//! Which tools of a server may be used: the same for `tools`, `call` and `bridge`, whichever host's words say it.

use std::time::Duration;

use mcp_harness::FakeHost;
use mcp_harness::HostProfile;
use mcp_testkit::{FakeEra, FakeMcpServer, FakeTool, Pages, ScriptedAnswer};
use serde_json::{Value, json};

use crate::bridge::{open, response, say};
use crate::setting::{Setting, http, row};

fn names(tools: &Value) -> Vec<&str> {
    tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

fn entry(server: &FakeMcpServer, policy: Value) -> Value {
    let mut entry = http(server);
    entry.as_object_mut().unwrap().extend(policy.as_object().unwrap().clone());
    entry
}

/// A host with a bridge to the server `x` of this home.
async fn host(setting: &Setting, manner: HostProfile) -> FakeHost {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_mcplink"));
    command
        .args(["bridge", "x"])
        .env_clear()
        .envs(setting.home.environment("/usr/bin:/bin"))
        .current_dir(setting.home.project());
    FakeHost::introduced(command, manner, "").await
}

#[test]
fn every_hosts_words_hide_a_tool_from_tools_and_call_and_say_where() {
    let server = FakeMcpServer::start().unwrap();
    let mut setting = Setting::of("x", http(&server));
    for (policy, field) in [
        (json!({ "excludeTools": ["add"] }), "is hidden by mcpServers.x.excludeTools"),
        (json!({ "includeTools": ["echo", "f*"] }), "is not among mcpServers.x.includeTools"),
        (json!({ "toolPermissions": { "add": "blocked" } }), "is hidden by mcpServers.x.toolPermissions.add"),
        (json!({ "tools": ["echo"] }), "is not among mcpServers.x.tools"),
    ] {
        setting.write("x", entry(&server, policy.clone()));
        let listed = setting.run(&["tools", "x", "--json"], 0).json();
        let output = setting.run(&["tools", "x"], 0);
        assert!(names(&listed["tools"]).contains(&"echo") && !names(&listed["tools"]).contains(&"add"));
        assert!(output.stderr.contains(field) && !output.stdout.contains("add"), "{output}");
        let refused = setting.run(&["call", "x", "add", "a:=1", "b:=2"], 5);
        assert!(refused.stderr.contains(field) && refused.stderr.contains(".claude.json:"), "{refused}");
        assert!(refused.stderr.contains("mcplink get x"), "{refused}");
        assert!(setting.run(&["tools", "x", "add"], 5).stderr.contains(field));
        setting.run(&["call", "x", "echo", "text=hi"], 0);
        let shown = setting.run(&["get", "x"], 0);
        let key = policy.as_object().unwrap().keys().next().unwrap();
        assert!(shown.stdout.contains(key), "{shown}");
        let list = row(&setting.run(&["list", "--json"], 0).json(), "x");
        assert!(list["toolPolicy"][0].as_str().unwrap().contains(key), "{list:#}");
        assert!(setting.run(&["list"], 0).stdout.contains("not all of its tools"));
    }
    let sent = server.recorder().matching(|request| request.rpc_method().as_deref() == Some("tools/call"));
    assert!(sent.iter().all(|call| !String::from_utf8_lossy(&call.body).contains("add")), "nothing was sent");
}

/// What a host leaves out is left out here as well, taken over and wrapped, and its own file says so then.
#[test]
fn fh_h5_lists_of_tools_of_a_host_hold_where_its_server_is_put() {
    let server = FakeMcpServer::start().unwrap();
    let url = server.url().to_string();
    let json_of = |address: &str, list: Value| {
        let mut entry = json!({ address: url.as_str() });
        entry.as_object_mut().unwrap().extend(list.as_object().unwrap().clone());
        json!({ "mcpServers": { "s": entry } }).to_string()
    };
    for (host, file, text) in [
        (
            "codex",
            ".codex/config.toml",
            format!("[mcp_servers.s]\nurl = \"{url}\"\nenabled_tools = [\"echo\"]\n"),
        ),
        (
            "codex",
            ".codex/config.toml",
            format!("[mcp_servers.s]\nurl = \"{url}\"\ndisabled_tools = [\"add\"]\n"),
        ),
        ("gemini", ".gemini/settings.json", json_of("httpUrl", json!({ "includeTools": ["echo"] }))),
        ("kiro", ".kiro/settings/mcp.json", json_of("url", json!({ "disabledTools": ["add"] }))),
        ("copilot", ".copilot/mcp-config.json", json_of("url", json!({ "type": "http", "tools": ["echo"] }))),
        ("mcporter", ".mcporter/mcporter.json", json_of("baseUrl", json!({ "blockedTools": ["add"] }))),
    ] {
        for line in [&["import", host, "--yes"][..], &["wrap", host, "s", "--yes", "--no-check"]] {
            let setting = Setting::new();
            setting.home.write(file, &text).unwrap();
            setting.run(line, 0);
            let listed = setting.run(&["tools", "s"], 0);
            assert!(listed.stdout.contains("echo") && !listed.stdout.contains("add"), "{line:?}: {listed}");
            let refused = setting.run(&["call", "s", "add", "a:=1", "b:=2"], 5);
            assert!(refused.stderr.contains("mcplink/mcp.json:"), "{line:?}: {refused}");
        }
    }
}

/// What was to forbid a tool forbids it however it is spelled, and each use of the server tells it.
#[test]
fn fh_h5_a_misspelt_word_about_tools_takes_away_what_it_may_and_is_told_by_tools_and_call() {
    let server = FakeMcpServer::start().unwrap();
    let mut setting = Setting::of("x", http(&server));
    for (policy, said) in [
        (json!({ "blockedTool": ["add"] }), "unknown field \"blockedTool\"; it is taken for `blockedTools`"),
        (json!({ "deny_tools": ["add"] }), "\"deny_tools\"; it is taken for `blockedTools`"),
        (json!({ "allowTools": ["echo"] }), "\"allowTools\"; it is taken for `allowedTools`"),
        (json!({ "toolPermission": { "add": "blocked" } }), "it is taken for `toolPermissions`"),
        (
            json!({ "toolPermissions": { "add": "blokced" } }),
            "is not one of allow, ask and blocked; the tool stays hidden",
        ),
        (json!({ "tools": { "add": "of" } }), "mcpServers.x.tools.add: is not one of allow, ask and blocked"),
        (
            json!({ "tools": [{ "name": "add", "permissionPolicy": "always_denied" }] }),
            "mcpServers.x.tools[0]: is not one of allow, ask and blocked",
        ),
        (json!({ "tools": [{ "name": "add", "permission_policy": "blocked" }] }), ""),
    ] {
        setting.write("x", entry(&server, policy.clone()));
        let listed = setting.run(&["tools", "x"], 0);
        assert!(!listed.stdout.contains("add") && listed.stdout.contains("echo"), "{policy}: {listed}");
        let refused = setting.run(&["call", "x", "add", "a:=1", "b:=2"], 5);
        let called = setting.run(&["call", "x", "echo", "text=hi"], 0);
        for output in [&listed, &refused, &called] {
            let told = output.stderr.replace('\n', " ");
            assert!(told.contains(said), "{policy}: {output}");
            assert!(said.is_empty() || told.contains(".claude.json:"), "{policy}: {output}");
        }
    }
    // What is not understood hides nothing, and is told; what is about questions is about nothing here.
    setting.write("x", entry(&server, json!({ "denyTools": "add" })));
    let said = "\"denyTools\"; it is ignored, and hides no tool";
    assert!(setting.run(&["call", "x", "add", "a:=1", "b:=2"], 0).stderr.contains(said));
    setting.write("x", entry(&server, json!({ "autoApproveTools": ["add"] })));
    assert!(!setting.run(&["tools", "x"], 0).stderr.contains("autoApproveTools"));

    // So it is in what this person says of an entry of others.
    setting.write("x", http(&server));
    for (said, is_left) in [
        (json!({ "disabledTools": ["add"] }), true),
        (json!({ "blockedTool": ["add"] }), true),
        (json!({ "denyTools": "add" }), false),
    ] {
        let overrides = json!({ "overrides": { "x": said } }).to_string();
        setting.home.write(".config/mcplink/mcp.json", overrides).unwrap();
        let listed = setting.run(&["tools", "x"], 0);
        assert!(!listed.stdout.contains("add") && listed.stdout.contains("echo") == is_left, "{listed}");
        assert!(listed.stderr.contains("cannot be overridden; what it may forbid is not used"), "{listed}");
    }
}

/// Also where it lets every tool be hidden, which the server is not to blame for.
#[test]
fn fh_h15_a_name_that_no_tool_has_is_told_by_tools_status_and_doctor_with_the_nearest() {
    let server = FakeMcpServer::start().unwrap();
    let mut setting = Setting::of("x", http(&server));
    for (policy, field, is_cause) in [
        (json!({ "allowedTools": ["ecko"] }), "allowedTools", true),
        (json!({ "allowedTools": ["add", "ecko"] }), "allowedTools", false),
        (json!({ "blockedTools": ["ecko"] }), "blockedTools", false),
    ] {
        setting.write("x", entry(&server, policy));
        let told = format!("no tool is called ecko (did you mean echo?), as mcpServers.x.{field} in ");
        let output = setting.run(&["tools", "x"], 0);
        assert!(output.stderr.contains(&told), "{output}");
        let output = setting.run(&["status", "x"], 0);
        assert!(output.stdout.contains(&told), "{output}");
        assert_eq!(output.stdout.contains("are left out: echo is not among"), is_cause, "{output}");
        let document = setting.run(&["status", "x", "--json"], 0).json();
        let sentence = row(&document, "x")["unmatchedTools"][0].as_str().unwrap().to_owned();
        assert!(sentence.starts_with(&told), "{sentence}");
        assert!(setting.run(&["doctor", "x"], 0).stdout.contains(&told), "{output}");
    }
    setting.write("x", entry(&server, json!({ "allowedTools": ["add", "ech*"] })));
    assert!(!setting.run(&["status", "x"], 0).stdout.contains("no tool is called"));
}

#[test]
fn what_a_host_calls_without_a_question_hides_nothing() {
    let server = FakeMcpServer::start().unwrap();
    let policy =
        json!({ "autoApprove": ["echo"], "alwaysAllow": ["echo"], "toolPermissions": { "add": "ask" } });
    let setting = Setting::of("x", entry(&server, policy));
    let listed = setting.run(&["tools", "x", "--json"], 0).json();
    assert_eq!(names(&listed["tools"]), ["echo", "add", "slow", "big", "fail"]);
    setting.run(&["call", "x", "add", "a:=1", "b:=2"], 0);
}

/// Both eras of host and server, and pages of one tool each.
#[tokio::test]
async fn a_bridge_neither_lists_nor_calls_a_hidden_tool_in_any_era_and_on_any_page() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).pages(Pages::Of(1)).start().unwrap();
        let setting = Setting::of("x", entry(&server, json!({ "disabledTools": ["add", "fail"] })));
        for manner in [HostProfile::legacy(), HostProfile::modern()] {
            let modern = manner.modern;
            let host = host(&setting, manner).await;
            let (mut seen, mut params) = (Vec::new(), json!({}));
            loop {
                let page = host.ask("tools/list", params).await["result"].clone();
                seen.extend(names(&page["tools"]).into_iter().map(str::to_owned));
                let Some(cursor) = page["nextCursor"].as_str() else { break };
                params = json!({ "cursor": cursor });
            }
            assert_eq!(seen, ["echo", "slow", "big"], "{era:?} {modern}");
            let refused = host.call("add", json!({ "a": 1, "b": 2 })).await;
            assert_eq!(refused["error"]["code"], -32602, "{refused}");
            let message = refused["error"]["message"].as_str().unwrap();
            assert!(message.contains("add is hidden by mcpServers.x.disabledTools in "), "{refused}");
            host.echoes("hello").await;
            host.close().await;
        }
        let calls =
            server.recorder().matching(|request| request.rpc_method().as_deref() == Some("tools/call"));
        assert!(calls.iter().all(|call| !String::from_utf8_lossy(&call.body).contains("add")), "{era:?}");
    }
}

/// Which of two names a server would act on is for the server to say.
#[test]
fn a_call_that_names_two_tools_is_a_call_of_neither() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("x", entry(&server, json!({ "excludeTools": ["add"] })));
    let mut bridge = open(&setting, "x");
    for (id, params) in
        [(1, r#"{"name":"echo","name":"add"}"#), (2, r#"{"arguments":{}}"#), (3, r#"{"name":["add"]}"#)]
    {
        say(
            &mut bridge,
            &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#),
        );
        let refused = response(&bridge, id);
        assert!(refused["error"]["message"].as_str().unwrap().contains("more than one"), "{refused}");
    }
    drop(bridge.wait());
    assert_eq!(server.count("tools/call"), 0);
}

/// A server can write a list that two readers read differently.
#[tokio::test]
async fn a_list_that_is_not_one_list_shows_no_hidden_tool_to_a_host() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("x", entry(&server, json!({ "excludeTools": ["add"] })));
    let host = host(&setting, HostProfile::legacy()).await;
    for (result, shown) in [
        (
            json!({ "tools": [FakeTool::echo().definition(), { "name": "add\u{200b}", "inputSchema": {} }] }),
            1,
        ),
        (json!({ "tools": { "0": { "name": "add" } } }), 0),
    ] {
        server.next_answers_to("tools/list", [ScriptedAnswer::RpcResult(result)]);
        let listed = host.ask("tools/list", json!({})).await;
        assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), shown, "{listed}");
    }
    host.close().await;
}

#[tokio::test]
async fn a_live_bridge_hears_that_a_tool_is_hidden_now_also_while_its_server_is_away() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let mut setting = Setting::of("x", http(&server));
    let host = host(&setting, HostProfile::legacy()).await;
    let listed = host.ask("tools/list", json!({})).await;
    assert!(names(&listed["result"]["tools"]).contains(&"add"));
    host.forget();
    setting.write("x", entry(&server, json!({ "blockedTools": ["add"] })));
    host.wait_for("the change", |message| message["method"] == "notifications/tools/list_changed").await;
    let listed = host.ask("tools/list", json!({})).await;
    assert!(!names(&listed["result"]["tools"]).contains(&"add"));
    // The list from before is told without what is hidden by then.
    server.go_down();
    setting.write("x", entry(&server, json!({ "blockedTools": ["add", "big"] })));
    let began = std::time::Instant::now();
    loop {
        let listed = host.ask("tools/list", json!({})).await;
        if names(&listed["result"]["tools"]) == ["echo", "slow", "fail"] {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{listed}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    host.close().await;
}

#[test]
fn what_an_override_of_this_person_hides_of_a_shared_entry_is_hidden() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new().project_file(json!({ "x": http(&server) }));
    setting.run(&["approve", "x", "--yes"], 0);
    let own = json!({ "mcpServers": {}, "overrides": { "x": { "blockedTools": ["add"] } } });
    setting.home.write(".config/mcplink/mcp.json", own.to_string()).unwrap();
    let refused = setting.run(&["call", "x", "add", "a:=1", "b:=2"], 5);
    assert!(refused.stderr.contains("is hidden by overrides.x.blockedTools in "), "{refused}");
    assert!(refused.stderr.contains("mcp.json:1"), "{refused}");
}

#[test]
fn a_policy_comes_along_when_a_server_is_taken_over_from_another_host() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let url = server.url();
    let file = format!("[mcp_servers.x]\nurl = \"{url}\"\ndisabled_tools = [\"add\"]\n");
    setting.home.write(".codex/config.toml", file).unwrap();
    let refused = setting.run(&["--from", "codex", "call", "x", "add", "a:=1", "b:=2"], 5);
    assert!(refused.stderr.contains("mcp_servers.x.disabled_tools in "), "{refused}");
    setting.run(&["import", "codex", "--yes"], 0);
    let refused = setting.run(&["call", "x", "add", "a:=1", "b:=2"], 5);
    assert!(refused.stderr.contains("mcpServers.x.disabled_tools in "), "{refused}");
}

#[test]
fn a_policy_comes_along_when_an_entry_of_another_host_is_wrapped() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let file = json!({ "mcpServers": { "x": { "url": server.url().as_str(), "disabledTools": ["add"] } } });
    setting.home.write(".kiro/settings/mcp.json", file.to_string()).unwrap();
    setting.run(&["wrap", "kiro", "x", "--yes"], 0);
    let refused = setting.run(&["call", "x", "add", "a:=1", "b:=2"], 5);
    assert!(refused.stderr.contains("disabledTools in "), "{refused}");
    setting.run(&["call", "x", "echo", "text=hi"], 0);
}
