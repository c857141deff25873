//! What a connection keeps of results, and what it tells about keeping them (2026-07-28, caching).

use std::time::Duration;

use mcp_testkit::{FakeEra, FakeMcpServer, FakeTool, ScriptedAnswer};
use mcp_transport::cache::CacheScope;
use mcp_transport::{Connection, RequestOptions};
use serde_json::json;

use crate::support::{connect, methods, no_violations, raw};

/// A tool whose argument `region` is mirrored into a header.
fn regional() -> FakeTool {
    let schema = json!({
        "type": "object",
        "properties": { "region": { "type": "string", "x-mcp-header": "Region" } },
    });
    let result = json!({ "content": [{ "type": "text", "text": "north" }] });
    FakeTool::custom(json!({ "name": "where", "inputSchema": schema }), result)
}

/// The list of it, good for this many milliseconds.
fn list(ttl: i64) -> ScriptedAnswer {
    let tools = [regional().definition().clone()];
    let list = json!({ "resultType": "complete", "tools": tools, "ttlMs": ttl, "cacheScope": "public" });
    ScriptedAnswer::RpcResult(list)
}

async fn call(connection: &Connection) {
    let arguments = raw(&json!({ "region": "north" }));
    connection.call_tool("where", Some(&arguments), &RequestOptions::new()).await.unwrap();
}

async fn started(ttl: i64) -> (FakeMcpServer, Connection) {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).tools(vec![regional()]).start().unwrap();
    server.always_to("tools/list", list(ttl));
    let connection = connect(&server).await;
    connection.list_tools(&RequestOptions::new()).await.unwrap();
    server.recorder().clear();
    (server, connection)
}

#[tokio::test]
async fn a_list_that_is_fresh_is_not_asked_for_again_and_one_that_is_not_is() {
    let (server, connection) = started(3_600_000).await;
    for _ in 0..3 {
        call(&connection).await;
    }
    assert_eq!(methods(&server), ["tools/call"; 3]);

    let (server, connection) = started(1).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    server.always_to("tools/list", list(3_600_000));
    call(&connection).await;
    call(&connection).await;
    assert_eq!(methods(&server), ["tools/list", "tools/call", "tools/call"]);

    // A server that gives its list no time is believed until it refuses what does not fit.
    let (server, connection) = started(0).await;
    call(&connection).await;
    assert_eq!(methods(&server), ["tools/call"]);
    no_violations(&server);
}

#[tokio::test]
async fn a_change_that_is_told_ends_the_freshness_at_once() {
    let (server, connection) = started(3_600_000).await;
    let mut notifications = connection.notifications();
    connection.listen().await;
    server.wait_for_streams(1).await;
    server.recorder().clear();
    server.push_tools_changed();
    notifications.next().await.unwrap();
    tokio::join!(call(&connection), call(&connection), call(&connection));
    assert_eq!(server.count("tools/list"), 1, "{:?}", methods(&server));
    assert_eq!(server.count("tools/call"), 3);
    no_violations(&server);
}

#[tokio::test]
async fn what_is_known_serves_on_where_it_cannot_be_had_again() {
    let (server, connection) = started(1).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    server.always_to("tools/list", ScriptedAnswer::status(503));
    call(&connection).await;
    assert_eq!(methods(&server), ["tools/list", "tools/call"]);
    no_violations(&server);
}

#[tokio::test]
async fn hints_come_with_lists_and_with_what_is_read() {
    let (server, connection) = started(60_000).await;
    let options = RequestOptions::new();
    let tools = connection.list_tools(&options).await.unwrap();
    assert!(tools.cache.ttl > Duration::from_secs(30) && tools.cache.ttl <= Duration::from_secs(60));
    assert_eq!(tools.cache.scope, CacheScope::Public);

    let params = raw(&json!({ "uri": "fake://greeting" }));
    let read = |answer| {
        server.next_answers_to("resources/read", answer);
        connection.request_with_hint("resources/read", Some(&params), &options)
    };
    let contents = json!([{ "uri": "fake://greeting", "text": "hello" }]);
    let result =
        json!({ "resultType": "complete", "contents": contents, "ttlMs": 5_000, "cacheScope": "public" });
    let (_, hint) = read(vec![ScriptedAnswer::RpcResult(result.clone())]).await.unwrap();
    assert_eq!((hint.ttl, hint.scope), (Duration::from_secs(5), CacheScope::Public));
    // What was asked for on the way is no part of what a cache would find it by.
    let asks = ScriptedAnswer::RpcResult(json!({ "resultType": "input_required", "requestState": "s" }));
    let (_, hint) = read(vec![asks, ScriptedAnswer::RpcResult(result.clone())]).await.unwrap();
    assert_eq!((hint.ttl, hint.scope), (Duration::ZERO, CacheScope::Private));

    // Before 2026-07-28, members of these names are the server's own.
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&server).await;
    server.always_to("resources/read", ScriptedAnswer::RpcResult(result));
    let (_, hint) = connection.request_with_hint("resources/read", Some(&params), &options).await.unwrap();
    assert_eq!(hint.ttl, Duration::ZERO);
}
