//! Each setting of the fake MCP server, once.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::Duration;

use mcp_testkit::{
    Accept, Answer, Delivery, Era, FakeMcpServer, GetStream, HttpAnswer, Pages, Refusal, Sse, SseEnd,
    TokenLedger, Tool,
};
use serde_json::{Value, json};

use crate::raw::{self, Connection};

fn call(name: &str, arguments: Value) -> Value {
    json!({ "name": name, "arguments": arguments })
}

#[test]
fn a_modern_server_discovers_lists_and_calls() {
    let server = FakeMcpServer::builder().era(Era::Modern).start().unwrap();
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
    let server = FakeMcpServer::builder().era(Era::Modern).start().unwrap();
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
    let server = FakeMcpServer::builder().era(Era::Legacy).start().unwrap();
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
    let server = FakeMcpServer::builder().era(Era::Legacy).start().unwrap();
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
        FakeMcpServer::builder().era(Era::Legacy).versions(["2025-06-18", "2025-03-26"]).start().unwrap();
    assert_eq!(agreed(&server, "2025-03-26"), "2025-03-26");
    assert_eq!(agreed(&server, "2025-11-25"), "2025-06-18");
    let stubborn =
        FakeMcpServer::builder().era(Era::Legacy).initialize_version("1999-01-01").start().unwrap();
    assert_eq!(agreed(&stubborn, "2025-11-25"), "1999-01-01");
}

#[test]
fn without_sessions_there_is_no_session_header() {
    let server = FakeMcpServer::builder().era(Era::Legacy).sessions(false).start().unwrap();
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
    server.next_answers([Answer::status(503), Answer::retry_after(429, 7), Answer::Refuse]);
    server.next_answers_to("tools/call", [Answer::status(500)]);
    assert_eq!(list().status, 503);
    let limited = list();
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
    assert_eq!((list().status, list().status), (401, 200));
    assert!(server.clear_script(), "the answer to tools/call is still waiting");
    assert!(!server.clear_script());
    server.always(Answer::status(404));
    assert_eq!((list().status, list().status), (404, 404));
    server.always(Answer::Honest);
    server.always_to("tools/list", Answer::RpcError { code: -32603, message: "boom".into() });
    assert_eq!(list().json()["error"]["code"], -32603);
    assert_eq!(raw::modern(server.address(), "server/discover", json!({}), &[]).status, 200);
    server.always_to("tools/list", Answer::RpcResult(json!({})));
    assert_eq!(list().json(), json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
}

#[test]
fn redirects_login_pages_and_proxies() {
    let server = FakeMcpServer::start().unwrap();
    let list = || raw::modern(server.address(), "tools/list", json!({}), &[]);
    server.next_answers([Answer::redirect(307, "/elsewhere"), Answer::login_page(), Answer::proxy_auth()]);
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
    server.next_answers([Answer::Drop, Answer::Late(Duration::from_millis(60)), Answer::Hang]);
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
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn a_json_answer_can_break_off() {
    let server = FakeMcpServer::start().unwrap();
    server.deliver(Delivery::CutJson(10));
    let cut = raw::modern(server.address(), "tools/list", json!({}), &[]);
    assert_eq!((cut.status, cut.body.len(), cut.complete), (200, 10, false));
}

#[test]
fn event_streams_in_all_their_forms() {
    let server = FakeMcpServer::start().unwrap();
    let list = || raw::modern(server.address(), "tools/list", json!({}), &[]);
    let log = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": "ünïcode" } });
    for style in
        [Sse::new(), Sse::new().crlf(), Sse::new().multiline(), Sse::new().chunk(3).comments().priming(10)]
    {
        server.deliver(style.leading(log.clone()));
        let answer = list();
        assert_eq!((answer.header("content-type"), answer.complete), (Some("text/event-stream"), true));
        let events = answer.events();
        assert_eq!((events.len(), &events[0]), (2, &log), "{}", answer.text());
        assert_eq!(events[1]["result"]["tools"].as_array().unwrap().len(), 5);
    }
    server.deliver(Sse::new().end(SseEnd::DropBeforeResponse).leading(log.clone()));
    let dropped = list();
    assert_eq!((dropped.events(), dropped.complete), (vec![log.clone()], false));
    server.deliver(Sse::new().end(SseEnd::DropInsideResponse));
    let dropped = list();
    assert!(
        dropped.text().starts_with("event: message\ndata: {")
            && !dropped.complete
            && dropped.events().is_empty()
    );
    server.deliver(Sse::new().end(SseEnd::CleanWithoutResponse));
    let ended = list();
    assert_eq!((ended.body.len(), ended.complete), (0, true));
    // An error with a status of its own stays a plain response.
    server.deliver(Sse::new());
    assert_eq!(raw::modern(server.address(), "no/such", json!({}), &[]).status, 404);
}

#[tokio::test]
async fn endless_streams_stop_only_with_their_reader() {
    let server = FakeMcpServer::start().unwrap();
    for end in [SseEnd::Endless, SseEnd::EndlessComments] {
        server.deliver(Sse::new().end(end));
        let (headers, body) = raw::modern_parts("tools/list", json!({}));
        let headers: Vec<_> = headers.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let mut connection = Connection::open(server.address()).unwrap();
        connection.send("POST", "/mcp", &[&raw::MEDIA, headers.as_slice()].concat(), &body);
        connection.head().unwrap();
        let mut read = 0;
        while read < 1_000 {
            read += connection.chunk().unwrap().len();
        }
    }
    server.recorder().wait_until("two abandoned streams", |_| server.abandoned_streams() == 2).await;
}

#[test]
fn a_resumable_stream_is_resumed_by_its_event_id() {
    let server = FakeMcpServer::builder().era(Era::Legacy).start().unwrap();
    let session = raw::initialize(server.address());
    server.deliver(Sse::new().end(SseEnd::Resumable).priming(5));
    let first =
        raw::post(server.address(), &raw::legacy(&session), &raw::rpc("tools/list", json!({}))).unwrap();
    assert_eq!(first.text(), "id: event-1\nretry: 5\ndata:\n\n");
    let mut headers = raw::legacy(&session).to_vec();
    headers.extend([("Accept", "text/event-stream"), ("Last-Event-ID", "event-1")]);
    let second = raw::request(server.address(), "GET", "/mcp", &headers, b"").unwrap();
    assert_eq!(second.events()[0]["result"]["tools"].as_array().unwrap().len(), 5);
}

#[test]
fn progress_is_told_to_who_asks_for_it() {
    let server = FakeMcpServer::start().unwrap();
    let mut params = call("slow", json!({ "steps": 2, "delay_ms": 1 }));
    let plain = raw::modern(server.address(), "tools/call", params.clone(), &[]);
    assert_eq!(plain.json()["result"]["content"][0]["text"], "2 steps done");
    params["_meta"]["progressToken"] = json!("p");
    let told = raw::modern(server.address(), "tools/call", params, &[]).events();
    assert_eq!(told.len(), 3);
    assert_eq!(told[1]["params"], json!({ "progressToken": "p", "progress": 2, "total": 2 }));
}

#[test]
fn lists_come_in_pages() {
    let server = FakeMcpServer::builder().tools(Tool::many(5)).pages(Pages::Of(2)).start().unwrap();
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
fn get_streams_are_pushed_to_and_closed() {
    let server = FakeMcpServer::builder().era(Era::Legacy).start().unwrap();
    let session = raw::initialize(server.address());
    let mut headers = raw::legacy(&session).to_vec();
    headers.push(("Accept", "text/event-stream"));
    let mut stream = Connection::open(server.address()).unwrap();
    stream.send("GET", "/mcp", &headers, b"");
    assert_eq!(stream.head().unwrap().status, 200);
    assert_eq!(stream.chunk().unwrap(), b": open\n\n");
    assert_eq!((server.open_streams(), server.push_tools_changed()), (1, 1));
    let told = String::from_utf8(stream.chunk().unwrap()).unwrap();
    assert_eq!(raw::events(&told)[0]["method"], "notifications/tools/list_changed");
    server.close_streams();
    assert_eq!(stream.chunk().unwrap(), b"", "a clean end");
    server.set_get_stream(GetStream::Unsupported);
    assert_eq!(raw::request(server.address(), "GET", "/mcp", &headers, b"").unwrap().status, 405);
    server.set_get_stream(GetStream::EndsAtOnce);
    let ended = raw::request(server.address(), "GET", "/mcp", &headers, b"").unwrap();
    assert_eq!((ended.text().as_str(), ended.complete), (": open\n\n", true));
}

#[tokio::test]
async fn the_server_asks_on_the_get_stream_and_hears_the_answer() {
    let server = FakeMcpServer::builder().era(Era::Legacy).start().unwrap();
    let address = server.address();
    let client = std::thread::spawn(move || {
        let session = raw::initialize(address);
        let mut headers = raw::legacy(&session).to_vec();
        headers.push(("Accept", "text/event-stream"));
        let mut stream = Connection::open(address).unwrap();
        stream.send("GET", "/mcp", &headers, b"");
        stream.head().unwrap();
        stream.chunk().unwrap();
        let asked = raw::events(&String::from_utf8(stream.chunk().unwrap()).unwrap()).remove(0);
        let answer =
            json!({ "jsonrpc": "2.0", "id": asked["id"], "result": { "action": "accept" } }).to_string();
        assert_eq!(raw::post(address, &raw::legacy(&session), answer.as_bytes()).unwrap().status, 202);
        asked["method"].clone()
    });
    server.wait_for_streams(1).await;
    let answer = server.ask("elicitation/create", json!({ "message": "?" })).await.unwrap();
    assert_eq!(answer["result"]["action"], "accept");
    assert_eq!(client.join().unwrap(), "elicitation/create");
    assert_eq!(server.violations(), Vec::<String>::new());
}

#[test]
fn an_asking_tool_asks_in_the_way_of_its_era() {
    let asking = Tool::asking("ask", "elicitation/create", json!({ "message": "name?" }));
    let server = FakeMcpServer::builder().tools(vec![asking]).start().unwrap();
    // Modern: an input-required result, then the same call with the answer and the state.
    let refused = raw::modern(server.address(), "tools/call", call("ask", json!({})), &[]);
    assert_eq!((refused.status, refused.json()["error"]["code"].as_i64()), (400, Some(-32021)));
    let mut params = call("ask", json!({}));
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({ "elicitation": {} });
    let asked = raw::modern(server.address(), "tools/call", params.clone(), &[]).json();
    assert_eq!(asked["result"]["resultType"], "input_required");
    assert_eq!(asked["result"]["inputRequests"]["question"]["method"], "elicitation/create");
    params["inputResponses"] = json!({ "question": { "action": "accept" } });
    let stateless = raw::modern(server.address(), "tools/call", params.clone(), &[]);
    assert_eq!(stateless.json()["error"]["code"], -32602);
    params["requestState"] = asked["result"]["requestState"].clone();
    let done = raw::modern(server.address(), "tools/call", params, &[]).json();
    assert_eq!(done["result"]["content"][0]["text"], "the client said {\"action\":\"accept\"}");

    // Legacy: a request on the response stream, answered by another POST.
    let session = raw::initialize(server.address());
    let mut stream = Connection::open(server.address()).unwrap();
    let headers = [&raw::MEDIA, raw::legacy(&session).as_slice()].concat();
    stream.send("POST", "/mcp", &headers, &raw::rpc("tools/call", call("ask", json!({}))));
    stream.head().unwrap();
    let asked = raw::events(&String::from_utf8(stream.chunk().unwrap()).unwrap()).remove(0);
    let answer =
        json!({ "jsonrpc": "2.0", "id": asked["id"], "result": { "action": "decline" } }).to_string();
    assert_eq!(raw::post(server.address(), &raw::legacy(&session), answer.as_bytes()).unwrap().status, 202);
    let done = raw::events(&String::from_utf8(stream.chunk().unwrap()).unwrap()).remove(0);
    assert_eq!(done["result"]["content"][0]["text"], "the client said {\"action\":\"decline\"}");
}

#[test]
fn a_subscription_is_acknowledged_and_filtered() {
    let server = FakeMcpServer::builder().era(Era::Modern).start().unwrap();
    let (headers, body) =
        raw::modern_parts("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }));
    let headers: Vec<_> = headers.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let mut stream = Connection::open(server.address()).unwrap();
    stream.send("POST", "/mcp", &[&raw::MEDIA, headers.as_slice()].concat(), &body);
    stream.head().unwrap();
    let mut next = || raw::events(&String::from_utf8(stream.chunk().unwrap()).unwrap()).remove(0);
    assert_eq!(next()["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(server.push(&json!({ "jsonrpc": "2.0", "method": "notifications/prompts/list_changed" })), 0);
    assert_eq!(server.push_tools_changed(), 1);
    assert_eq!(next()["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 1);
}

#[test]
fn the_transport_of_2024_names_its_endpoint_and_answers_on_the_stream() {
    let server = FakeMcpServer::builder().era(Era::HttpSse).path("/sse").start().unwrap();
    let refused =
        raw::request(server.address(), "POST", "/sse", &raw::MEDIA, &raw::rpc("initialize", json!({})))
            .unwrap();
    assert_eq!(refused.status, 405);
    let mut stream = Connection::open(server.address()).unwrap();
    stream.send("GET", "/sse", &[("Accept", "text/event-stream")], b"");
    stream.head().unwrap();
    let endpoint = String::from_utf8(stream.chunk().unwrap()).unwrap();
    assert_eq!(endpoint, "event: endpoint\ndata: /messages?sessionId=session-1\n\n");
    let body = raw::rpc("tools/call", call("echo", json!({ "text": "hi" })));
    let posted =
        raw::request(server.address(), "POST", "/messages?sessionId=session-1", &raw::MEDIA, &body).unwrap();
    assert_eq!(posted.status, 202);
    let answer = raw::events(&String::from_utf8(stream.chunk().unwrap()).unwrap()).remove(0);
    assert_eq!(answer["result"]["content"][0]["text"], "hi");
    let lost =
        raw::request(server.address(), "POST", "/messages?sessionId=other", &raw::MEDIA, &body).unwrap();
    assert_eq!(lost.status, 404);
}

#[test]
fn a_server_goes_down_and_comes_up_on_its_port() {
    let server = FakeMcpServer::start().unwrap();
    let mut idle = TcpStream::connect(server.address()).unwrap();
    raw::modern(server.address(), "tools/list", json!({}), &[]);
    server.go_down();
    assert!(TcpStream::connect(server.address()).is_err());
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
