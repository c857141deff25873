//! Each setting of the fake MCP server, once.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use mcp_testkit::{
    Accept, Delivery, FakeEra, FakeMcpServer, FakeTool, HttpAnswer, Pages, Refusal, ScriptedAnswer,
    TokenLedger,
};
use serde_json::{Value, json};

use crate::raw::{self, Connection};

fn call(name: &str, arguments: Value) -> Value {
    json!({ "name": name, "arguments": arguments })
}

#[test]
fn a_modern_server_discovers_lists_and_calls() {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
    let discovered = raw::modern(server.address(), "server/discover", json!({}), &[]);
    assert_eq!(discovered.json()["result"]["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(discovered.json()["result"]["resultType"], "complete");
    let listed = raw::modern(server.address(), "tools/list", json!({}), &[]).json();
    let names: Vec<_> =
        listed["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["echo", "add", "slow", "big", "fail"]);
    let sum =
        raw::modern(server.address(), "tools/call", call("add", json!({ "a": 2, "b": 3.5 })), &[]).json();
    assert_eq!(sum["result"]["structuredContent"], json!({ "sum": 5.5 }));
    let big =
        raw::modern(server.address(), "tools/call", call("big", json!({ "bytes": 100_000 })), &[]).json();
    assert_eq!(big["result"]["content"][0]["text"].as_str().unwrap().len(), 100_000);
    let failed = raw::modern(server.address(), "tools/call", call("fail", json!({})), &[]).json();
    assert_eq!(failed["result"]["isError"], true);
    let resource =
        raw::modern(server.address(), "resources/read", json!({ "uri": "fake://greeting" }), &[]).json();
    assert_eq!(resource["result"]["contents"][0]["text"], "hello");
    let prompt = raw::modern(server.address(), "prompts/get", json!({ "name": "greet" }), &[]).json();
    assert_eq!(prompt["result"]["messages"][0]["role"], "user");
    assert_eq!(server.violations(), Vec::<String>::new());
    assert_eq!(server.count("tools/call"), 3);
}

#[test]
fn a_modern_server_refuses_what_its_revision_says_it_must() {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
    let old = raw::post(server.address(), &[], &raw::rpc("initialize", json!({}))).unwrap();
    assert_eq!((old.status, old.json()["error"]["code"].as_i64()), (400, Some(-32020)));
    let unknown = raw::modern(server.address(), "no/such", json!({}), &[]);
    assert_eq!((unknown.status, unknown.json()["error"]["code"].as_i64()), (404, Some(-32601)));
    for method in ["GET", "DELETE"] {
        assert_eq!(raw::request(server.address(), method, "/mcp", &[], b"").unwrap().status, 405, "{method}");
    }
    let (mut headers, body) = raw::modern_parts("tools/list", json!({}));
    headers[0].1 = "2025-11-25".to_owned();
    let headers: Vec<_> = headers.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let mixed = raw::post(server.address(), &headers, &body).unwrap();
    assert_eq!((mixed.status, mixed.json()["error"]["code"].as_i64()), (400, Some(-32020)));
    assert_eq!(server.violations().len(), 2, "{:?}", server.violations());
}

#[test]
fn a_legacy_server_has_sessions_and_does_not_know_modern_requests() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let probe = raw::modern(server.address(), "server/discover", json!({}), &[]);
    assert_eq!((probe.status, probe.json()["error"]["code"].as_i64()), (400, Some(-32000)));
    let session = raw::initialize(server.address());
    let listed =
        raw::post(server.address(), &raw::legacy(&session), &raw::rpc("tools/list", json!({}))).unwrap();
    assert_eq!(listed.json()["result"]["tools"].as_array().unwrap().len(), 5);
    assert!(listed.json()["result"].get("resultType").is_none());
    let unknown =
        raw::post(server.address(), &raw::legacy(&session), &raw::rpc("no/such", json!({}))).unwrap();
    assert_eq!((unknown.status, unknown.json()["error"]["code"].as_i64()), (200, Some(-32601)));
    assert_eq!(server.violations(), Vec::<String>::new());

    server.expire_sessions();
    let gone =
        raw::post(server.address(), &raw::legacy(&session), &raw::rpc("tools/list", json!({}))).unwrap();
    assert_eq!(gone.status, 404);
    let session = raw::initialize(server.address());
    assert_eq!((server.sessions(), server.sessions_made()), (1, 2));
    let deleted = raw::request(server.address(), "DELETE", "/mcp", &raw::legacy(&session), b"").unwrap();
    assert_eq!((deleted.status, server.sessions(), server.deletes()), (204, 0, 1));
}

#[test]
fn a_client_that_forgets_what_was_agreed_is_noted() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let session = raw::initialize(server.address());
    let listed =
        raw::post(server.address(), &[("Mcp-Session-Id", &session)], &raw::rpc("tools/list", json!({})))
            .unwrap();
    assert_eq!(listed.status, 200, "servers tolerate it");
    assert!(server.violations()[0].contains("2025-11-25"), "{:?}", server.violations());
}

#[test]
fn a_dual_server_serves_both_eras_at_once() {
    let server = FakeMcpServer::start().unwrap();
    let discovered = raw::modern(server.address(), "server/discover", json!({}), &[]).json();
    assert_eq!(discovered["result"]["supportedVersions"][0], "2026-07-28");
    assert_eq!(discovered["result"]["supportedVersions"].as_array().unwrap().len(), 5);
    let session = raw::initialize(server.address());
    let pong = raw::post(server.address(), &raw::legacy(&session), &raw::rpc("ping", json!({}))).unwrap();
    assert_eq!(pong.json()["result"], json!({}));
}

#[test]
fn revisions_are_negotiated_unless_one_is_forced() {
    let agreed = |server: &FakeMcpServer, asked: &str| {
        let params = json!({ "protocolVersion": asked, "capabilities": {}, "clientInfo": { "name": "r", "version": "0" } });
        let answer = raw::post(server.address(), &[], &raw::rpc("initialize", params)).unwrap().json();
        answer["result"]["protocolVersion"].as_str().unwrap().to_owned()
    };
    let server =
        FakeMcpServer::builder().era(FakeEra::Legacy).versions(["2025-06-18", "2025-03-26"]).start().unwrap();
    assert_eq!(agreed(&server, "2025-03-26"), "2025-03-26");
    assert_eq!(agreed(&server, "2025-11-25"), "2025-06-18");
    let stubborn =
        FakeMcpServer::builder().era(FakeEra::Legacy).initialize_version("1999-01-01").start().unwrap();
    assert_eq!(agreed(&stubborn, "2025-11-25"), "1999-01-01");
}

#[test]
fn without_sessions_there_is_no_session_header() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).sessions(false).start().unwrap();
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "r", "version": "0" } });
    let answer = raw::post(server.address(), &[], &raw::rpc("initialize", params)).unwrap();
    assert_eq!(answer.header("mcp-session-id"), None);
    let listed = raw::post(server.address(), &[], &raw::rpc("tools/list", json!({}))).unwrap();
    assert_eq!(listed.status, 200);
}

#[test]
fn credentials_are_judged_live_and_refused_as_told() {
    let server = FakeMcpServer::builder().accept("A").start().unwrap();
    let status = |token: &str| {
        raw::modern(
            server.address(),
            "tools/list",
            json!({}),
            &[("Authorization", &format!("Bearer {token}"))],
        )
        .status
    };
    assert_eq!((status("A"), status("B")), (200, 401));
    server.accept("B");
    assert_eq!((status("A"), status("B")), (401, 200));
    server.accept(Accept::header("x-key", "k"));
    assert_eq!(raw::modern(server.address(), "tools/list", json!({}), &[("X-Key", "k")]).status, 200);
    server.refuse_with(
        Refusal::forbidden().challenge("Bearer").challenge("Basic realm=\"x\"").body("text/html", "<p>no"),
    );
    let refused = raw::modern(server.address(), "tools/list", json!({}), &[]);
    let challenges: Vec<_> = refused
        .headers
        .iter()
        .filter(|(key, _)| key == "www-authenticate")
        .map(|(_, v)| v.as_str())
        .collect();
    assert_eq!(
        (refused.status, challenges, refused.text()),
        (403, vec!["Bearer", "Basic realm=\"x\""], "<p>no".into())
    );
    assert_eq!(server.requests_without_header("authorization").len(), 2);
    assert!(server.oauth_requests().is_empty());
}

#[test]
fn a_scope_that_is_missing_is_named() {
    let server = FakeMcpServer::start().unwrap();
    let ledger = TokenLedger::new();
    ledger.issue("t", None);
    server.accept(ledger);
    server.refuse_with(Refusal::status(401).challenge("Bearer resource_metadata=\"http://x/prm\""));
    server.require_scope("tools/call", "mcp:write");
    let token = [("Authorization", "Bearer t")];
    assert_eq!(raw::modern(server.address(), "tools/list", json!({}), &token).status, 200);
    let refused = raw::modern(server.address(), "tools/call", call("echo", json!({ "text": "" })), &token);
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Bearer error=\"insufficient_scope\", scope=\"mcp:write\", resource_metadata=\"http://x/prm\"")
    );
}

#[test]
fn scripts_play_once_and_permanent_answers_stay() {
    let server = FakeMcpServer::start().unwrap();
    let list = || raw::modern(server.address(), "tools/list", json!({}), &[]);
    server.next_answers([
        ScriptedAnswer::status(503),
        ScriptedAnswer::retry_after(429, 7),
        ScriptedAnswer::Refuse,
    ]);
    server.next_answers_to("tools/call", [ScriptedAnswer::status(500)]);
    assert_eq!(list().status, 503);
    let limited = list();
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
    assert_eq!((list().status, list().status), (401, 200));
    assert!(server.clear_script(), "the answer to tools/call is still waiting");
    assert!(!server.clear_script());
    server.always(ScriptedAnswer::status(404));
    assert_eq!((list().status, list().status), (404, 404));
    server.always(ScriptedAnswer::Honest);
    server.always_to("tools/list", ScriptedAnswer::RpcError { code: -32603, message: "boom".into() });
    assert_eq!(list().json()["error"]["code"], -32603);
    assert_eq!(raw::modern(server.address(), "server/discover", json!({}), &[]).status, 200);
    server.always_to("tools/list", ScriptedAnswer::RpcResult(json!({})));
    assert_eq!(list().json(), json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
}

#[test]
fn a_get_does_not_use_up_what_was_meant_for_a_post() {
    let server = FakeMcpServer::start().unwrap();
    server.next_answers([ScriptedAnswer::status(503)]);
    assert_eq!(raw::request(server.address(), "GET", "/mcp", &[], b"").unwrap().status, 406);
    assert_eq!(raw::modern(server.address(), "tools/list", json!({}), &[]).status, 503);
    server.next_answers_to("GET", [ScriptedAnswer::status(502)]);
    assert_eq!(raw::request(server.address(), "GET", "/mcp", &[], b"").unwrap().status, 502);
}

#[test]
fn redirects_login_pages_and_proxies() {
    let server = FakeMcpServer::start().unwrap();
    let list = || raw::modern(server.address(), "tools/list", json!({}), &[]);
    server.next_answers([
        ScriptedAnswer::redirect(307, "/elsewhere"),
        ScriptedAnswer::login_page(),
        ScriptedAnswer::proxy_auth(),
    ]);
    let redirect = list();
    assert_eq!((redirect.status, redirect.header("location")), (307, Some("/elsewhere")));
    let page = list();
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(list().status, 407);
    assert_eq!(raw::request(server.address(), "GET", "/elsewhere", &[], b"").unwrap().status, 404);
    server.route("/elsewhere", HttpAnswer::new(200).body("text/plain", "here"));
    assert_eq!(raw::request(server.address(), "GET", "/elsewhere", &[], b"").unwrap().text(), "here");
}

#[test]
fn well_known_paths_are_recorded_and_not_found() {
    let server = FakeMcpServer::start().unwrap();
    for path in ["/.well-known/oauth-protected-resource/mcp", "/register", "/token", "/authorize?state=x"] {
        assert_eq!(raw::request(server.address(), "GET", path, &[], b"").unwrap().status, 404);
    }
    assert_eq!(server.oauth_requests().len(), 4);
    assert_eq!(server.requests()[3].field("state").as_deref(), Some("x"));
    assert_eq!(server.requests()[0].answered.map(|status| status.as_u16()), Some(404));
    server.recorder().clear();
    assert_eq!((server.requests().len(), server.recorder().total()), (0, 4));
}

#[test]
fn dropped_hanging_and_late_answers() {
    let server = FakeMcpServer::start().unwrap();
    let (headers, body) = raw::modern_parts("tools/list", json!({}));
    let headers: Vec<_> = headers.iter().map(|(key, value)| (*key, value.as_str())).collect();
    server.next_answers([
        ScriptedAnswer::Drop,
        ScriptedAnswer::Late(Duration::from_millis(60)),
        ScriptedAnswer::Hang,
    ]);
    assert!(raw::post(server.address(), &headers, &body).is_err(), "no answer at all");
    let before = std::time::Instant::now();
    assert_eq!(raw::post(server.address(), &headers, &body).unwrap().status, 200);
    assert!(before.elapsed() >= Duration::from_millis(60));
    // The one that hangs ends with the server, which also shows that dropping the handle ends everything.
    let mut hanging = Connection::open(server.address()).unwrap();
    hanging.send("POST", "/mcp", &[&raw::MEDIA, headers.as_slice()].concat(), &body);
    while server.requests().len() < 3 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let address = server.address();
    drop(server);
    assert!(hanging.head().is_err());
    assert!(TcpStream::connect(address).is_err(), "no listener is left");
}

#[test]
fn a_json_answer_can_break_off() {
    let server = FakeMcpServer::start().unwrap();
    server.deliver(Delivery::CutJson(10));
    let cut = raw::modern(server.address(), "tools/list", json!({}), &[]);
    assert_eq!((cut.status, cut.body.len(), cut.complete), (200, 10, false));
}

#[test]
fn lists_come_in_pages() {
    let server = FakeMcpServer::builder().tools(FakeTool::many(5)).pages(Pages::Of(2)).start().unwrap();
    let first = raw::modern(server.address(), "tools/list", json!({}), &[]).json();
    assert_eq!(
        (first["result"]["tools"].as_array().unwrap().len(), &first["result"]["nextCursor"]),
        (2, &json!("from-2"))
    );
    let last = raw::modern(server.address(), "tools/list", json!({ "cursor": "from-4" }), &[]).json();
    assert_eq!(
        (last["result"]["tools"].as_array().unwrap().len(), last["result"].get("nextCursor")),
        (1, None)
    );
    server.set_pages(Pages::SameCursor);
    let again = raw::modern(server.address(), "tools/list", json!({ "cursor": "again" }), &[]).json();
    assert_eq!(again["result"]["nextCursor"], "again");
}

#[test]
fn a_server_goes_down_and_comes_up_on_its_port() {
    let server = FakeMcpServer::start().unwrap();
    let mut idle = TcpStream::connect(server.address()).unwrap();
    raw::modern(server.address(), "tools/list", json!({}), &[]);
    server.go_down();
    assert!(TcpStream::connect(server.address()).is_err());
    assert!(TcpListener::bind(server.address()).is_err(), "no other gets its port");
    assert_eq!(idle.read(&mut [0; 1]).unwrap_or(0), 0, "open connections were closed");
    server.come_up().unwrap();
    assert_eq!(raw::modern(server.address(), "tools/list", json!({}), &[]).status, 200);
    assert_eq!(server.count("tools/list"), 2, "the state was kept");
}

#[test]
fn connections_are_counted_and_dropped() {
    let server = FakeMcpServer::start().unwrap();
    let (headers, body) = raw::modern_parts("tools/list", json!({}));
    let headers: Vec<_> = headers.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let headers = [&raw::MEDIA, headers.as_slice()].concat();
    let mut kept = Connection::open(server.address()).unwrap();
    for _ in 0..2 {
        kept.send("POST", "/mcp", &headers, &body);
        assert_eq!(kept.response().unwrap().status, 200);
    }
    assert_eq!((server.connections(), server.open_connections()), (1, 1));
    assert_eq!(server.requests().iter().map(|request| request.connection).collect::<Vec<_>>(), [1, 1]);
    server.drop_connections();
    assert_eq!(server.open_connections(), 0);
    assert!(kept.head().is_err());
    assert_eq!(raw::modern(server.address(), "tools/list", json!({}), &[]).status, 200);
}

#[test]
fn a_server_without_recording_still_counts() {
    let server = FakeMcpServer::builder().without_recording().start().unwrap();
    raw::modern(server.address(), "tools/list", json!({}), &[]);
    assert_eq!((server.requests().len(), server.recorder().total()), (0, 1));
}

#[tokio::test]
async fn stop_ends_the_server_and_waits_for_it() {
    let server = FakeMcpServer::start().unwrap();
    let address = server.address();
    server.stop().await;
    assert!(TcpStream::connect(address).is_err());
}
