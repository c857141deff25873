//! Field failures of static headers.

use mcp_testkit::{
    Accept, FakeEra, FakeHelper, FakeMcpServer, FileChanges, HttpAnswer, Refusal, ScriptedAnswer, Sse, SseEnd,
};
use serde_json::json;

use crate::setting::{Setting, assert_always_sent, http, with_headers, with_helper};

fn keyed(key: &str) -> FakeMcpServer {
    FakeMcpServer::builder().accept(Accept::header("x-api-key", key)).start().unwrap()
}

#[test]
fn f025_a_server_that_accepts_the_headers_is_connected_whatever_it_advertises() {
    let server = FakeMcpServer::builder()
        .accept("A")
        .route("/.well-known/oauth-protected-resource/mcp", ScriptedAnswer::json(json!({ "resource": "x" })))
        .start()
        .unwrap();
    let setting = Setting::of("s", with_headers(&server, json!({ "Authorization": "Bearer A" })));
    let status = setting.status("s");
    assert_eq!((&status["status"], &status["reason"]), (&json!("connected"), &json!(null)));
    assert_always_sent(&server, "authorization");
}

#[test]
fn f026_a_refused_authorization_shows_its_http_status_and_starts_no_oauth() {
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    server.refuse_with(Refusal::status(401).challenge(format!(
        "Bearer resource_metadata=\"{}\"",
        server.url_of("/.well-known/oauth-protected-resource")
    )));
    let setting = Setting::of("s", with_headers(&server, json!({ "Authorization": "Bearer A" })));
    let status = setting.status("s");
    // The server says what would be enough, and the refused header is named beside it.
    assert_eq!(
        (&status["status"], &status["reason"]["code"]),
        (&json!("needs-auth"), &json!("unauthorized"))
    );
    assert_eq!(status["reason"]["httpStatus"], 401);
    let table = setting.run(&["status"], 3).stdout;
    assert!(table.contains("refused the headers that are set for it") && table.contains("(401)"), "{table}");
    assert_always_sent(&server, "authorization");
}

#[test]
fn f027_a_transient_refusal_sticks_nowhere() {
    let server = keyed("K");
    let setting = Setting::of("s", with_headers(&server, json!({ "X-Api-Key": "K" })));
    let before = setting.home.snapshot();

    for heals in ["status", "reconnect"] {
        server.next_answers([ScriptedAnswer::Refuse]);
        assert_eq!(setting.status("s")["status"], "needs-auth");
        setting.run(&[heals, "s"], 0);
    }

    assert_eq!(before.changes_until(&setting.home.snapshot()), FileChanges::default(), "something remembers");
    assert_always_sent(&server, "x-api-key");
}

#[test]
fn f028_the_older_transport_sends_the_headers_on_its_stream_and_its_posts() {
    let server = FakeMcpServer::builder()
        .era(FakeEra::HttpSse)
        .accept(Accept::header("x-api-key", "K"))
        .start()
        .unwrap();
    let mut entry = with_headers(&server, json!({ "X-Api-Key": "K" }));
    entry["type"] = json!("sse");
    let setting = Setting::of("s", entry);
    assert_eq!(setting.status("s")["protocolVersion"], "2024-11-05");
    setting.run(&["call", "s", "echo", "text=x"], 0);
    for method in [http::Method::GET, http::Method::POST] {
        assert!(server.requests().iter().any(|request| request.method == method), "no {method} was sent");
    }
    assert_always_sent(&server, "x-api-key");
}

#[test]
fn f029_no_request_precedes_the_handshake_or_goes_without_headers() {
    let server = keyed("K");
    Setting::of("s", with_headers(&server, json!({ "X-Api-Key": "K" }))).run(&["status"], 0);
    let requests = server.requests();
    assert_eq!(requests[0].rpc_method().as_deref(), Some("server/discover"));
    assert!(requests.iter().all(|request| request.path == "/mcp"), "{requests:?}");
    assert_always_sent(&server, "x-api-key");
}

#[test]
fn f032_an_expanded_authorization_goes_out_with_every_request() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).accept("from-the-shell").start().unwrap();
    let setting = Setting::of("s", with_headers(&server, json!({ "Authorization": "Bearer ${TOKEN}" })));
    let command = setting.mcplink(&["call", "s", "echo", "text=x"]).env("TOKEN", "from-the-shell");
    assert_eq!(command.run().expect_code(0).stdout, "x\n");
    assert_eq!(server.deletes(), 1);
    assert_always_sent(&server, "authorization");
    assert!(server.requests().iter().all(|r| r.header("authorization") == Some("Bearer from-the-shell")));
}

#[test]
fn f034_equal_entries_send_equal_headers_in_user_and_project_scope() {
    let server = keyed("K");
    let entry = with_headers(&server, json!({ "X-Api-Key": "K" }));
    let setting = Setting::of("user", entry.clone()).project_file(json!({ "project": entry }));
    setting.run(&["approve", "project", "--yes"], 0);
    setting.run(&["status"], 0);
    assert_always_sent(&server, "x-api-key");
}

#[test]
fn f036_a_server_that_works_without_credentials_is_connected() {
    let server = FakeMcpServer::builder()
        .route("/.well-known/oauth-protected-resource", ScriptedAnswer::json(json!({ "resource": "x" })))
        .start()
        .unwrap();
    let setting = Setting::of("s", http(&server));
    assert_eq!(setting.status("s")["status"], "connected");
    assert!(server.oauth_requests().is_empty());
}

#[test]
fn f037_a_challenge_of_another_scheme_is_named_and_starts_nothing() {
    let server = FakeMcpServer::builder()
        .accept(Accept::Nothing)
        .refuse_with(Refusal::status(401).challenge("Basic realm=\"intranet\""))
        .start()
        .unwrap();
    let setting = Setting::of("s", http(&server));
    let output = setting.run(&["status"], 3);
    assert!(output.stdout.contains("Basic"), "{output}");
    assert!(!output.stdout.contains("login"), "{output}");
    assert!(server.oauth_requests().is_empty());
}

#[test]
fn f039_each_command_takes_variables_from_its_own_environment() {
    let server = keyed("first");
    let setting = Setting::of("s", with_headers(&server, json!({ "X-Api-Key": "${KEY}" })));
    setting.mcplink(&["status"]).env("KEY", "first").run().expect_code(0);
    server.accept(Accept::header("x-api-key", "second"));
    setting.mcplink(&["status"]).env("KEY", "second").run().expect_code(0);
}

#[test]
fn credentials_never_follow_a_redirect_to_another_origin() {
    let elsewhere = FakeMcpServer::start().unwrap();
    let server = FakeMcpServer::builder()
        .always(ScriptedAnswer::redirect(307, elsewhere.url().as_str()))
        .start()
        .unwrap();
    let setting = Setting::of("s", with_headers(&server, json!({ "X-Api-Key": "K" })));
    let status = setting.status("s");
    assert_eq!(status["status"], "failed", "{status:#}");
    assert_eq!(status["reason"]["code"], "moved", "{status:#}");
    let message = status["reason"]["message"].as_str().unwrap();
    assert!(message.contains("has moved to http://127.0.0.1:"), "{message}");
    server.always(ScriptedAnswer::redirect(302, elsewhere.url().as_str()));
    assert_eq!(setting.status("s")["status"], "needs-auth");
    assert_eq!(elsewhere.connections(), 0);

    let page = HttpAnswer::new(200).body("text/html", "<title>Sign in</title>");
    server.always(page.into());
    assert_eq!(setting.status("s")["status"], "needs-auth");
}

#[test]
fn f030_a_connect_that_is_accepted_completes_at_once() {
    // Each answer comes on a stream that the server leaves open behind it.
    let server = FakeMcpServer::builder()
        .accept(Accept::header("x-api-key", "K"))
        .deliver(Sse::new().end(SseEnd::HeldOpen))
        .start()
        .unwrap();
    let setting = Setting::of("s", with_headers(&server, json!({ "X-Api-Key": "K" })));
    let status = setting.status("s");
    assert_eq!(status["status"], "connected");
    assert!(status["elapsedMs"].as_u64().unwrap() < 10_000, "{status:#}");
}

#[test]
fn f038_an_empty_metadata_document_counts_as_none_and_nothing_is_kept() {
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let documents = ["oauth-protected-resource", "oauth-authorization-server", "openid-configuration"];
    for document in documents {
        for path in ["", "/mcp"] {
            server.route(format!("/.well-known/{document}{path}"), ScriptedAnswer::json(json!({})));
        }
    }
    let setting = Setting::of("s", http(&server));
    let before = setting.home.snapshot();
    let output = setting.mcplink(&["login", "s", "--no-browser", "--non-interactive"]).run();
    assert!(output.code.is_some_and(|code| code > 1), "{output}");
    assert!(!server.oauth_requests().is_empty(), "the documents were looked at");
    assert_eq!(setting.status("s")["reason"]["code"], "unauthorized");
    let after = setting.home.snapshot();
    for path in before.changes_until(&after).created {
        assert_eq!(after.contents(&path), Some(&b""[..]), "{} is more than a lock", path.display());
    }
}

#[test]
fn fa_a70_a_header_that_frames_the_message_is_named_with_its_entry_and_its_helper() {
    let server = FakeMcpServer::builder().accept("A").start().unwrap();
    let headers = json!({ "Authorization": "Bearer A", "Content-Length": "7" });
    let setting = Setting::of("s", with_headers(&server, headers));
    let status = setting.status("s");
    assert_eq!((&status["status"], &status["reason"]["code"]), (&json!("failed"), &json!("config")));
    let message = status["reason"]["message"].as_str().unwrap();
    let named = message.contains("s: the header `Content-Length` cannot be sent: it frames the message");
    assert!(named && message.contains(status["source"].as_str().unwrap()), "{message}");
    assert_eq!(server.requests().len(), 0);

    let helper = FakeHelper::new().unwrap();
    helper.prints(r#"{"Authorization":"Bearer A","Transfer-Encoding":"chunked"}"#);
    let setting = Setting::of("s", with_helper(&server, &helper));
    let status = setting.status("s");
    assert_eq!(
        (&status["status"], &status["reason"]["code"]),
        (&json!("needs-auth"), &json!("helper-failed"))
    );
    let message = status["reason"]["message"].as_str().unwrap();
    assert!(message.contains("it may not set `Transfer-Encoding`"), "{message}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn fa_a70_an_entry_that_was_written_for_another_client_works() {
    let server = FakeMcpServer::builder().accept("A").start().unwrap();
    let headers = json!({
        "Authorization": "Bearer A", "Accept": "application/json", "Content-Type": "text/plain",
        "MCP-Protocol-Version": "2025-03-26", "Host": "mcp.example", "User-Agent": "mine/1", "Cookie": "a=b",
    });
    let setting = Setting::of("s", with_headers(&server, headers));
    setting.run(&["call", "s", "echo", "text=x"], 0);
    let hosts: Vec<_> = server.requests().iter().map(|r| r.header("host").map(str::to_owned)).collect();
    assert!(hosts.iter().all(|host| host.as_deref() == Some("mcp.example")), "{hosts:?}");
    for (name, value) in [("user-agent", "mine/1"), ("cookie", "a=b")] {
        assert!(server.requests().iter().all(|request| request.header(name) == Some(value)), "{name}");
    }
    assert_eq!(server.violations(), Vec::<String>::new());
}
