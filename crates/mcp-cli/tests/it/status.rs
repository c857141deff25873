//! What a status says: field failures of status truth.

use std::time::Duration;

use mcp_testkit::{Accept, FakeEra, FakeMcpServer, Fault, FlakyProxy, HttpAnswer, Refusal, ScriptedAnswer};
use serde_json::json;

use crate::setting::{Setting, http, row, with_headers};

#[test]
fn f040_a_403_while_connecting_means_that_credentials_are_needed() {
    let refusing = || {
        FakeMcpServer::builder().accept(Accept::Nothing).refuse_with(Refusal::forbidden()).start().unwrap()
    };
    let (anonymous, keyed) = (refusing(), refusing());
    let setting = Setting::of("anonymous", http(&anonymous))
        .with("keyed", with_headers(&keyed, json!({ "X-Api-Key": "K" })));
    let document = setting.run(&["status", "--json"], 3).json();
    for (name, code) in [("anonymous", "forbidden"), ("keyed", "credentials-rejected")] {
        let row = row(&document, name);
        assert_eq!(row["status"], "needs-auth");
        assert_eq!(row["reason"]["code"], code);
        assert_eq!(row["reason"]["httpStatus"], 403);
    }
    // Without a challenge the answer may be to the probe alone, so that `initialize` is asked, too.
    for server in [&anonymous, &keyed] {
        assert_eq!((server.count("server/discover"), server.count("initialize")), (1, 1));
    }
}

#[test]
fn f041_a_firewall_is_told_apart_and_no_sign_in_is_suggested() {
    let page = "<html><title>Access denied</title>Cloudflare Ray ID: 1</html>";
    let server = FakeMcpServer::builder()
        .accept(Accept::Nothing)
        .refuse_with(Refusal::forbidden().body("text/html", page))
        .start()
        .unwrap();
    let setting = Setting::of("s", http(&server));
    let status = setting.status("s");
    assert_eq!((&status["status"], &status["reason"]["code"]), (&json!("needs-auth"), &json!("blocked")));
    assert!(!setting.run(&["status"], 3).stdout.contains("login"));
}

#[test]
fn f042_a_404_names_the_origin_and_is_asked_for_once() {
    let server = FakeMcpServer::builder().always(ScriptedAnswer::status(404)).start().unwrap();
    let setting = Setting::of("s", http(&server));
    let status = setting.status("s");
    assert_eq!(status["reason"]["code"], "not-found");
    assert!(status["reason"]["message"].as_str().unwrap().contains(&server.origin()), "{status:#}");
    assert!(!status["reason"]["retryable"].as_bool().unwrap());
}

#[test]
fn f045_a_status_does_not_outlive_its_process() {
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let setting = Setting::of("s", http(&server));
    assert_eq!(setting.status("s")["status"], "needs-auth");
    server.accept(Accept::Any);
    assert_eq!(setting.status("s")["status"], "connected");
    server.accept(Accept::Nothing);
    assert_eq!(setting.status("s")["status"], "needs-auth");
}

#[test]
fn f046_nothing_is_remembered_by_a_name_alone() {
    let refusing = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let open = FakeMcpServer::start().unwrap();
    let mut setting = Setting::of("s", http(&refusing));
    assert_eq!(setting.status("s")["status"], "needs-auth");
    setting.write("s", http(&open));
    assert_eq!(setting.status("s")["status"], "connected");
}

#[test]
fn f047_looking_changes_nothing_on_disk() {
    let servers: Vec<FakeMcpServer> = [Accept::Any, Accept::Nothing]
        .into_iter()
        .map(|accept| FakeMcpServer::builder().accept(accept).start().unwrap())
        .collect();
    let setting = Setting::of("open", http(&servers[0])).with("closed", http(&servers[1]));
    let before = setting.home.snapshot();
    for command in [
        &["status"][..],
        &["list"],
        &["get", "open"],
        &["tools", "open"],
        &["ping", "open"],
        &["reconnect", "--all"],
    ] {
        let _ = setting.mcplink(command).run();
    }
    assert_eq!(before.changes_until(&setting.home.snapshot()), mcp_testkit::FileChanges::default());
}

#[test]
fn f049_a_tool_list_that_cannot_be_obtained_is_flagged_beside_connected() {
    let server = FakeMcpServer::start().unwrap();
    server.always_to(
        "tools/list",
        ScriptedAnswer::RpcError { code: -32603, message: "index is rebuilding".into() },
    );
    let setting = Setting::of("s", http(&server));
    let status = setting.status("s");
    assert_eq!(status["status"], "connected");
    assert_eq!(status["reason"]["code"], "tools-unavailable");
    let output = setting.run(&["status"], 0);
    assert!(output.stdout.contains("index is rebuilding"), "{output}");
    // A refusal in JSON-RPC is an answer.
    setting.run(&["tools", "s"], 5);
}

#[test]
fn f050_a_server_without_a_tool_is_flagged() {
    let server = FakeMcpServer::builder().tools(Vec::new()).start().unwrap();
    let output = Setting::of("s", http(&server)).run(&["status"], 0);
    assert!(output.stdout.contains("no tools"), "{output}");
}

#[test]
fn f051_a_disabled_server_is_never_contacted() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server)).disabled(&["s"]);
    let status = setting.status("s");
    assert_eq!(status["status"], "disabled");
    assert_eq!(status["actions"], json!(["enable"]));
    for (command, code) in [
        (&["status"][..], 0),
        (&["reconnect", "--all"], 0),
        (&["reconnect", "s"], 2),
        (&["tools", "s"], 2),
        (&["ping", "s"], 2),
        (&["call", "s", "echo"], 2),
        (&["get", "s"], 0),
    ] {
        setting.run(command, code);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn f052_an_empty_url_is_not_configured() {
    let setting = Setting::of("s", json!({ "type": "http", "url": "" }));
    let status = setting.status("s");
    assert_eq!(
        (&status["status"], &status["reason"]["code"]),
        (&json!("disabled"), &json!("not-configured"))
    );
    setting.run(&["status"], 0);
}

#[test]
fn f056_every_failure_shows_its_status_and_what_the_server_said() {
    let rejecting = FakeMcpServer::builder()
        .always(HttpAnswer::new(422).body("application/json", r#"{"error":"tenant is suspended"}"#).into())
        .start()
        .unwrap();
    let output = Setting::of("s", http(&rejecting)).run(&["status"], 4);
    assert!(output.stdout.contains("422"), "{output}");
    assert!(output.stdout.contains("tenant is suspended"), "{output}");
}

#[test]
fn f059_and_f113_one_hanging_server_holds_no_line_up() {
    let hanging = FakeMcpServer::builder().always(ScriptedAnswer::Hang).start().unwrap();
    let quick: Vec<FakeMcpServer> = (0..3).map(|_| FakeMcpServer::start().unwrap()).collect();
    let mut setting = Setting::of("a-hanging", http(&hanging));
    for (number, server) in quick.iter().enumerate() {
        setting.write(&format!("quick-{number}"), http(server));
    }
    let running = setting.mcplink(&["status"]).start();
    let seen = running.wait_for_stdout("three lines", |text| text.lines().count() == 3);
    assert!(seen.lines().all(|line| line.starts_with("quick-") && line.contains("connected")), "{seen}");
    running.signal("INT");
    let output = running.wait().expect_code(130);
    assert!(!output.stdout.contains("a-hanging"), "{output}");
}

#[test]
fn fh_h12_lines_of_a_pipe_have_the_order_of_the_configuration_where_none_is_slow() {
    let late =
        FakeMcpServer::builder().always(ScriptedAnswer::Late(Duration::from_millis(100))).start().unwrap();
    let quick = FakeMcpServer::start().unwrap();
    let setting =
        Setting::of("a", http(&late)).with("b", http(&quick)).with("c", http(&late)).with("d", http(&quick));
    let output = setting.run(&["status"], 0);
    let names: Vec<&str> = output.stdout.lines().map(|line| &line[..1]).collect();
    assert_eq!(names, ["a", "b", "c", "d"], "{output}");
    // And no summary, nor anything else that is for a person alone.
    assert!(!output.stdout.contains("servers") && !output.stdout.contains("try"), "{output}");
}

#[test]
fn f060_a_missing_scope_is_called_that_and_named() {
    let server = FakeMcpServer::builder()
        .accept(Accept::Nothing)
        .refuse_with(
            Refusal::forbidden().challenge("Bearer error=\"insufficient_scope\", scope=\"files:write\""),
        )
        .start()
        .unwrap();
    let setting = Setting::of("s", with_headers(&server, json!({ "Authorization": "Bearer small" })));
    let status = setting.status("s");
    assert_eq!(
        (&status["status"], &status["reason"]["code"]),
        (&json!("needs-auth"), &json!("insufficient-scope"))
    );
    assert!(status["reason"]["message"].as_str().unwrap().contains("files:write"), "{status:#}");
}

#[test]
fn f063_a_json_rpc_error_keeps_its_code_and_text() {
    let server = FakeMcpServer::start().unwrap();
    server.always_to(
        "tools/call",
        ScriptedAnswer::RpcError { code: -32602, message: "text must be short".into() },
    );
    let output = Setting::of("s", http(&server)).run(&["call", "s", "echo", "text=x"], 5);
    assert!(output.stderr.contains("-32602") && output.stderr.contains("text must be short"), "{output}");
}

#[test]
fn a_login_page_where_json_was_due_is_a_refusal() {
    let server = FakeMcpServer::builder().always(ScriptedAnswer::login_page()).start().unwrap();
    let status = Setting::of("s", http(&server)).status("s");
    assert_eq!(
        (&status["status"], &status["reason"]["code"]),
        (&json!("needs-auth"), &json!("login-redirect"))
    );
    assert_eq!((server.count("server/discover"), server.count("initialize")), (1, 1));
}

#[test]
fn what_does_not_speak_mcp_breaks_the_protocol() {
    let server =
        FakeMcpServer::builder().always(ScriptedAnswer::json(json!({ "hello": "world" }))).start().unwrap();
    let setting = Setting::of("s", http(&server));
    let status = setting.status("s");
    assert_eq!((&status["status"], &status["reason"]["code"]), (&json!("failed"), &json!("protocol")));
    setting.run(&["status"], 6);
}

#[test]
fn a_proxy_that_wants_credentials_is_not_the_servers_refusal() {
    let server = FakeMcpServer::builder().always(ScriptedAnswer::proxy_auth()).start().unwrap();
    let status = Setting::of("s", http(&server)).status("s");
    assert_eq!((&status["status"], &status["reason"]["code"]), (&json!("failed"), &json!("proxy-auth")));
    // It may be said of the probe alone.
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn f062_a_tls_problem_is_neither_auth_nor_network() {
    // What speaks no TLS at all answers a TLS handshake with an HTTP error.
    let server = FakeMcpServer::start().unwrap();
    let url = server.url().as_str().replacen("http:", "https:", 1);
    let setting = Setting::of("s", json!({ "type": "http", "url": url }));
    let status = setting.status("s");
    assert_eq!((&status["status"], &status["reason"]["code"]), (&json!("failed"), &json!("tls")));
    assert_eq!(server.connections(), 1, "it is not tried again");
}

#[test]
fn a_blinking_network_is_survived() {
    let server = FakeMcpServer::start().unwrap();
    let proxy = FlakyProxy::start(server.address()).unwrap();
    proxy.fault(Fault::BadGateway);
    let url = proxy.url_for(&server.url());
    let setting = Setting::of("s", json!({ "type": "http", "url": url.as_str() }));
    let running = setting.mcplink(&["ping", "s"]).start();
    running.wait_for_stderr("a word on the first failure", |text| text.contains("502"));
    proxy.fault(Fault::None);
    let output = running.wait().expect_code(0);
    assert!(output.stdout.starts_with("s answered in "), "{output}");
}

#[test]
fn f054_whether_there_is_a_sign_in_stands_beside_the_status() {
    let server = FakeMcpServer::start().unwrap();
    let mut entry = http(&server);
    entry["oauth"] = json!({ "clientId": "mine" });
    let status = Setting::of("s", entry).status("s");
    assert_eq!(status["status"], "connected");
    assert_eq!((&status["auth"]["oauthCapable"], &status["auth"]["signedIn"]), (&json!(true), &json!(false)));
    assert!(status["actions"].as_array().unwrap().contains(&json!("authenticate")), "{status:#}");
}

/// First-hour finding 6: a server may list other tools to a client that can be asked something, so all ask as `call` does.
#[test]
fn fh_h6_a_look_announces_what_a_call_announces() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("web", http(&server));
    let looks = [
        &["status"][..],
        &["doctor", "web"],
        &["tools", "web"],
        &["wait", "web"],
        &["reconnect", "web"],
        &["call", "web", "echo", "text=hi"],
    ];
    for look in looks {
        setting.run(look, 0);
    }
    let requests = server.requests();
    let begins = requests.iter().filter(|request| request.rpc_method().as_deref() == Some("initialize"));
    let announced: Vec<_> =
        begins.map(|request| request.json().unwrap()["params"]["capabilities"].clone()).collect();
    assert_eq!(announced.len(), looks.len(), "{announced:?}");
    assert!(
        announced.iter().all(|own| *own == announced[0] && own["elicitation"].is_object()),
        "{announced:?}"
    );
}

/// Each frame is a status, the first one as well: what is never contacted is not connecting.
#[test]
fn fh_h13_no_frame_says_that_a_server_is_connecting_which_is_never_contacted() {
    // Slow enough for a frame to be drawn.
    let server =
        FakeMcpServer::builder().always(ScriptedAnswer::Late(Duration::from_millis(700))).start().unwrap();
    let mut servers: serde_json::Map<String, serde_json::Value> =
        (1..=6).map(|number| (format!("a{number}"), http(&server))).collect();
    let mut off = http(&server);
    off["disabled"] = json!(true);
    servers.insert("off".to_owned(), off);
    let setting = Setting::new();
    setting.home.write(".config/mcplink/mcp.json", json!({ "mcpServers": servers }).to_string()).unwrap();
    let setting = setting.project_file(json!({ "waits": http(&server) }));
    let Some(terminal) = setting.on_a_terminal(&["status"]) else { return };
    let drawn = terminal.env("COLUMNS", "100").run().stdout;
    assert!(drawn.contains("connecting") && drawn.contains("waits"), "{drawn:?}");
    for line in drawn.lines().filter(|line| line.contains("connecting")) {
        assert!(!line.contains("off") && !line.contains("waits"), "{line:?}");
    }
}
