//! The event streams of the fake MCP server, in each form and era.

use mcp_testkit::{FakeEra, FakeMcpServer, FakeTool, GetStream, Sse, SseEnd};
use serde_json::{Value, json};

use crate::raw::{self, Connection};

fn call(name: &str, arguments: Value) -> Value {
    json!({ "name": name, "arguments": arguments })
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
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
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
    let events = raw::modern(server.address(), "tools/call", params, &[]).events();
    assert_eq!(events.len(), 3);
    assert_eq!(events[1]["params"], json!({ "progressToken": "p", "progress": 2, "total": 2 }));
}

#[test]
fn get_streams_are_pushed_to_and_closed() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let session = raw::initialize(server.address());
    let mut headers = raw::legacy(&session).to_vec();
    headers.push(("Accept", "text/event-stream"));
    let mut stream = Connection::open(server.address()).unwrap();
    stream.send("GET", "/mcp", &headers, b"");
    assert_eq!(stream.head().unwrap().status, 200);
    assert_eq!(stream.chunk().unwrap(), b": open\n\n");
    assert_eq!((server.open_streams(), server.push_tools_changed()), (1, 1));
    let chunk = String::from_utf8(stream.chunk().unwrap()).unwrap();
    assert_eq!(raw::events(&chunk)[0]["method"], "notifications/tools/list_changed");
    server.close_streams();
    assert_eq!(stream.chunk().unwrap(), b"", "a clean end");
    server.set_get_stream(GetStream::Unsupported);
    assert_eq!(raw::request(server.address(), "GET", "/mcp", &headers, b"").unwrap().status, 405);
    server.set_get_stream(GetStream::EndsAtOnce);
    let ended = raw::request(server.address(), "GET", "/mcp", &headers, b"").unwrap();
    assert_eq!((ended.text().as_str(), ended.complete), (": open\n\n", true));
}

#[test]
fn a_message_goes_on_one_stream_of_each_session() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let open = |session: &str| {
        let mut headers = raw::legacy(session).to_vec();
        headers.push(("Accept", "text/event-stream"));
        let mut stream = Connection::open(server.address()).unwrap();
        stream.send("GET", "/mcp", &headers, b"");
        stream.head().unwrap();
        stream.chunk().unwrap();
        stream
    };
    let (one, other) = (raw::initialize(server.address()), raw::initialize(server.address()));
    let mut streams = [open(&one), open(&one), open(&other)];
    assert_eq!((server.open_streams(), server.push_tools_changed()), (3, 2));
    server.close_streams();
    let mut heard_by = streams.iter_mut().map(|stream| !stream.chunk().unwrap().is_empty());
    assert_eq!(
        [heard_by.next(), heard_by.next(), heard_by.next()],
        [Some(false), Some(true), Some(true)],
        "the newest of each"
    );
}

#[tokio::test]
async fn the_server_asks_on_the_get_stream_and_hears_the_answer() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
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
    let asking = FakeTool::asking("ask", "elicitation/create", json!({ "message": "name?" }));
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
    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
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
    let server = FakeMcpServer::builder().era(FakeEra::HttpSse).path("/sse").start().unwrap();
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
