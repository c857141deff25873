//! Field failures of headers helpers, as a person sees them who runs the program.

use std::time::Duration;

use mcp_harness::process_is_alive;
use mcp_testkit::{Accept, FakeHelper, FakeMcpServer, Refusal, ScriptedAnswer, fake_jwt};
use serde_json::{Value, json};

use crate::setting::{Setting, assert_always_sent, authorizations, http, row, with_helper};

fn helper(token: &str) -> FakeHelper {
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearer(token);
    helper
}

fn server(token: &str) -> FakeMcpServer {
    FakeMcpServer::builder().accept(token).start().unwrap()
}

#[test]
fn f001_a_call_that_is_refused_runs_the_helper_again_and_has_a_result() {
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearers_in_turn(&["A", "B"]);
    let server = FakeMcpServer::builder().accept(Accept::any_bearer(["A", "B"])).start().unwrap();
    server.next_answers_to("tools/call", [ScriptedAnswer::Refuse]);
    let setting = Setting::of("internal", with_helper(&server, &helper));

    let output = setting.run(&["call", "internal", "echo", "text=hello"], 0);

    assert_eq!(output.stdout, "hello\n");
    assert_eq!(output.stderr, "");
    assert_eq!(helper.runs(), 2);
    assert_eq!(authorizations(&server, "tools/call"), ["Bearer A", "Bearer B"]);
    assert_always_sent(&server, "authorization");
}

/// A plugin's file, asked for by its name: its entries and what they start know where the plugin is.
#[cfg(unix)]
#[test]
fn f019_the_root_of_a_plugin_is_expanded_and_set_for_its_helper_and_its_command() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let entries = json!({ "mcpServers": {
        "remote": {
            "type": "http", "url": server.url().as_str(),
            "headers": { "X-Expanded": "${CLAUDE_PLUGIN_ROOT}/a" },
            "headersHelper": "sh ${CLAUDE_PLUGIN_ROOT}/mint.sh",
        },
        "local": { "command": "sh", "args": ["${CLAUDE_PLUGIN_ROOT}/serve.sh"] },
    } });
    let mint = r#"printf '{"X-Set": "%s", "X-Folder": "%s"}' "$CLAUDE_PLUGIN_ROOT" "$PWD""#;
    let serve = "printf '%s' \"$CLAUDE_PLUGIN_ROOT\" > \"$CLAUDE_PLUGIN_ROOT/seen\"; exit 3";
    for (file, text) in [
        ("plugin/.mcp.json", entries.to_string()),
        ("plugin/.claude-plugin/plugin.json", r#"{"name": "plugin"}"#.to_owned()),
        ("plugin/mint.sh", mint.to_owned()),
        ("plugin/serve.sh", serve.to_owned()),
        ("bare/.mcp.json", entries.to_string()),
    ] {
        let path = setting.home.home().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let root = setting.home.home().join("plugin").canonicalize().unwrap();
    let (file, shown) = (root.join(".mcp.json"), root.to_str().unwrap());
    let (file, bare) = (file.to_str().unwrap(), setting.home.home().join("bare/.mcp.json"));

    setting.run(&["--mcp-config", file, "status", "remote"], 0);
    for request in server.requests() {
        for (header, value) in [
            ("x-expanded", format!("{shown}/a")),
            ("x-set", shown.to_owned()),
            ("x-folder", shown.to_owned()),
        ] {
            assert_eq!(request.header(header), Some(&*value), "{header}");
        }
    }
    assert!(!server.requests().is_empty());
    setting.run(&["--mcp-config", file, "status", "local"], 4);
    assert_eq!(std::fs::read_to_string(root.join("seen")).unwrap(), shown);

    // A file that is of no plugin has none, and that is said.
    let output = setting.run(&["--mcp-config", bare.to_str().unwrap(), "get", "remote"], 0);
    assert!(output.stdout.contains("not set: CLAUDE_PLUGIN_ROOT"), "{output}");
}

#[test]
fn f003_credentials_refused_twice_are_needs_auth_with_the_http_status() {
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearers_in_turn(&["A", "B", "C"]);
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let setting = Setting::of("internal", with_helper(&server, &helper));

    let status = setting.status("internal");

    assert_eq!(status["status"], "needs-auth");
    assert_eq!(status["reason"]["code"], "credentials-rejected");
    assert_eq!(status["reason"]["httpStatus"], 401);
    assert_eq!(status["reason"]["attempts"], 2);
    assert_eq!(status["reason"]["provider"], "headers-helper");
    assert_eq!(server.requests().len(), 2, "one request, one replay");
    assert_eq!(helper.runs(), 2);
    assert_always_sent(&server, "authorization");
}

#[test]
fn f003_the_same_credentials_are_not_sent_twice() {
    let (helper, server) = (helper("A"), FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap());
    let setting = Setting::of("internal", with_helper(&server, &helper));

    let status = setting.status("internal");

    assert_eq!(status["reason"]["code"], "credentials-rejected");
    assert_eq!(server.requests().len(), 1);
    assert_eq!(helper.runs(), 2, "whether it has something new is its own to say");
}

#[test]
fn f004_a_failing_helper_is_named_and_the_server_is_not_contacted() {
    let (helper, server) = (helper("A"), server("A"));
    helper.fails(7, "vault is sealed\nsecond line");
    let setting = Setting::of("internal", with_helper(&server, &helper));

    let output = setting.run(&["status"], 3);
    let status = setting.status("internal");
    let failed_call = setting.run(&["call", "internal", "echo", "text=x"], 3);

    for text in [&output.stdout, &failed_call.stderr] {
        assert!(text.contains("headers helper") && text.contains("code 7"), "{text}");
        assert!(text.contains("vault is sealed") && !text.contains("second line"), "{text}");
    }
    assert_eq!(status["status"], "needs-auth");
    assert_eq!(status["reason"]["code"], "helper-failed");
    assert_eq!(status["auth"]["lastHelperRun"]["exitCode"], 7);
    assert_eq!(server.connections(), 0, "not even a connection");
}

#[test]
fn f005_output_that_is_no_object_of_strings_is_the_helpers_failure() {
    let server = FakeMcpServer::start().unwrap();
    let prints =
        ["not json", "[]", r#"{"X-A": 1}"#, r#"{"X-A": null}"#, r#""text""#, "", r#"{"X-A": "a\nb"}"#];
    let helpers: Vec<FakeHelper> = prints
        .iter()
        .map(|text| {
            let helper = FakeHelper::new().unwrap();
            helper.prints(text);
            helper
        })
        .collect();
    let mut setting = Setting::new();
    for (number, helper) in helpers.iter().enumerate() {
        setting.write(&format!("s{number}"), with_helper(&server, helper));
    }

    let document = setting.run(&["status", "--json"], 3).json();

    for (number, text) in prints.iter().enumerate() {
        let row = row(&document, &format!("s{number}"));
        assert_eq!(row["reason"]["code"], "helper-failed", "{text:?}: {row:#}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn f006_a_helper_at_its_limit_dies_with_its_children_and_delays_no_request() {
    let (slow, quick) = (helper("A"), helper("B"));
    slow.leaves_grandchild(Duration::from_secs(600));
    slow.sleeps(Duration::from_secs(600));
    let (first, second) = (server("A"), server("B"));
    let mut entry = with_helper(&first, &slow);
    entry["headersHelperTimeoutMs"] = json!(1500);
    let setting = Setting::of("slow", entry).with("quick", with_helper(&second, &quick));

    let running = setting.mcplink(&["status"]).start();
    let seen = running.wait_for_stdout("the quick server", |text| text.contains("quick"));
    assert!(!seen.contains("slow"), "it was waited for: {seen}");
    let output = running.wait().expect_code(3);

    assert!(output.stdout.contains("slow   needs-auth"), "{output}");
    assert!(output.stdout.contains("1.5 s") || output.stdout.contains("1500 ms"), "{output}");
    let left: Vec<u32> = slow.run_pids().into_iter().chain(slow.grandchild_pids()).collect();
    assert!(left.iter().all(|pid| !process_is_alive(*pid)), "{left:?}");
    assert_eq!(first.connections(), 0);
}

#[test]
fn f007_a_helper_that_failed_once_is_run_again_and_nothing_is_kept() {
    let (helper, server) = (helper("A"), server("A"));
    let setting = Setting::of("internal", with_helper(&server, &helper));
    let before = setting.home.snapshot();
    helper.fails(1, "network down");
    assert_eq!(setting.status("internal")["reason"]["code"], "helper-failed");
    helper.prints_bearer("A");
    assert_eq!(setting.status("internal")["status"], "connected");
    assert_eq!(before.changes_until(&setting.home.snapshot()), mcp_testkit::FileChanges::default());
}

#[test]
fn f008_the_first_request_of_each_server_waits_for_its_helper() {
    let cast: Vec<(FakeHelper, FakeMcpServer)> = (0..8)
        .map(|number| {
            let token = format!("T{number}");
            let helper = helper(&token);
            helper.sleeps(Duration::from_millis(50 * number));
            (helper, server(&token))
        })
        .collect();
    let mut setting = Setting::new();
    for (number, (helper, server)) in cast.iter().enumerate() {
        setting.write(&format!("s{number}"), with_helper(server, helper));
    }
    setting.run(&["status"], 0);
    for (helper, server) in &cast {
        assert_always_sent(server, "authorization");
        assert!(server.requests().iter().all(|request| request.answered.unwrap().is_success()));
        assert_eq!(helper.runs(), 1);
    }
}

#[test]
fn f010_a_helper_header_replaces_a_static_one_of_any_spelling() {
    let helper = FakeHelper::new().unwrap();
    helper.prints_headers(&[("AUTHORIZATION", "Bearer fresh")]);
    let server = server("fresh");
    let mut entry = with_helper(&server, &helper);
    entry["headers"] = json!({ "authorization": "Bearer stale", "X-Team": "blue" });
    Setting::of("internal", entry).run(&["status"], 0);
    for request in server.requests() {
        let values: Vec<_> = request.headers.get_all("authorization").iter().collect();
        assert_eq!(values, ["Bearer fresh"]);
        assert_eq!(request.header("x-team"), Some("blue"));
    }
}

#[test]
fn f011_every_reconnect_runs_the_helper() {
    let (helper, server) = (helper("A"), server("A"));
    let setting = Setting::of("internal", with_helper(&server, &helper));
    for runs in 1..=3 {
        setting.run(&["reconnect", "internal"], 0);
        assert_eq!(helper.runs(), runs);
    }
}

#[test]
fn f012_a_helper_server_that_advertises_oauth_offers_reconnect_first_and_signing_in() {
    let (helper, server) = (helper("A"), server("B"));
    server.refuse_with(Refusal::status(401).challenge(format!(
        "Bearer resource_metadata=\"{}\"",
        server.url_of("/.well-known/oauth-protected-resource")
    )));
    let setting = Setting::of("internal", with_helper(&server, &helper));
    let status = setting.status("internal");
    assert_eq!(status["auth"]["oauthCapable"], true);
    assert_eq!(status["actions"][0], "reconnect");
    assert!(status["actions"].as_array().unwrap().contains(&json!("authenticate")), "{status:#}");
    assert_eq!(status["reason"]["next"], "mcplink reconnect internal");
    assert_always_sent(&server, "authorization");
}

#[test]
fn f013_a_helper_server_that_advertises_nothing_is_never_sent_to_sign_in() {
    let (helper, server) = (helper("A"), server("B"));
    let setting = Setting::of("internal", with_helper(&server, &helper));
    let output = setting.run(&["status"], 3);
    assert!(!output.stdout.contains("login"), "{output}");
    let status = setting.status("internal");
    let actions = status["actions"].as_array().unwrap();
    assert!(!actions.contains(&json!("authenticate")), "{status:#}");
    assert!(actions.contains(&json!("reconnect")), "{status:#}");
}

#[test]
fn f021_a_helper_is_told_which_server_it_mints_for() {
    let (helper, server) = (helper("A"), server("A"));
    let setting = Setting::of("internal", with_helper(&server, &helper));
    setting.run(&["status"], 0);
    let environment = &helper.history()[0].environment;
    for prefix in ["CLAUDE_CODE_MCP_SERVER", "MCP_SERVER"] {
        assert_eq!(environment[&format!("{prefix}_NAME")], "internal");
        assert_eq!(environment[&format!("{prefix}_URL")], server.url().as_str());
    }
}

#[test]
fn f022_what_expires_soon_is_minted_before_it_is_refused() {
    let helper = FakeHelper::new().unwrap();
    helper.prints_jwt(Duration::from_secs(3600), "signed");
    let server = FakeMcpServer::builder().accept(Accept::Jwt { signature: "signed".into() }).start().unwrap();
    let setting = Setting::of("internal", with_helper(&server, &helper));
    let status = setting.status("internal");
    assert_eq!(status["status"], "connected");
    assert!(status["auth"]["expiresAt"].as_str().is_some_and(|time| time.ends_with('Z')), "{status:#}");
}

#[test]
fn a_helper_that_floods_stderr_is_no_trouble() {
    let (helper, server) = (helper("A"), server("A"));
    helper.floods_stderr(300_000);
    let setting = Setting::of("internal", with_helper(&server, &helper))
        .with("open", http(&FakeMcpServer::start().unwrap()));
    setting.run(&["status", "internal"], 0);
}

#[test]
fn f024_a_helper_runs_from_every_file_that_is_accepted() {
    let (user, local, dynamic) = (helper("A"), helper("A"), helper("A"));
    let server = server("A");
    let setting = Setting::of("user", with_helper(&server, &user));
    let project = setting.home.project().to_string_lossy().into_owned();
    let mut file: Value =
        serde_json::from_str(&std::fs::read_to_string(setting.home.home().join(".claude.json")).unwrap())
            .unwrap();
    file["projects"] = json!({ project: { "mcpServers": { "local": with_helper(&server, &local) } } });
    setting.home.write(".claude.json", file.to_string()).unwrap();
    setting.run(&["trust", "--yes"], 0);
    let inline = json!({ "mcpServers": { "dynamic": with_helper(&server, &dynamic) } }).to_string();
    setting.run(&["status", "--mcp-config", &inline], 0);
    assert_eq!([user.runs(), local.runs(), dynamic.runs()], [1, 1, 1]);
}

#[test]
fn f055_what_the_server_says_counts_and_not_what_the_token_says_of_itself() {
    let (expired, valid) = (FakeHelper::new().unwrap(), FakeHelper::new().unwrap());
    expired.prints_bearer(&fake_jwt(1, "signed"));
    valid.prints_jwt(Duration::from_secs(3600), "signed");
    let (open, closed) =
        (FakeMcpServer::start().unwrap(), FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap());
    let setting =
        Setting::of("open", with_helper(&open, &expired)).with("closed", with_helper(&closed, &valid));
    assert_eq!(setting.status("open")["status"], "connected");
    assert_eq!(setting.status("closed")["reason"]["code"], "credentials-rejected");
}
