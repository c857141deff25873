//! What modern servers tell by themselves (2026-07-28, subscriptions).

use std::time::Duration;

use mcp_testkit::{FakeEra, FakeMcpServer, ScriptedAnswer};
use mcp_transport::subscription::SubscriptionFilter;
use mcp_transport::{Connection, Connector, Endpoint, Server, StdioEndpoint, TransportErrorKind};
use serde_json::{Value, json};

use crate::support::{connect, echo, methods, no_violations, options, target};

const LISTEN: &str = "subscriptions/listen";

async fn modern() -> (FakeMcpServer, Connection) {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
    let connection = connect(&server).await;
    server.recorder().clear();
    (server, connection)
}

/// Waits until no more than `count` streams are open.
async fn streams_are_left(server: &FakeMcpServer, count: usize) {
    let closed = async {
        while server.open_streams() > count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed).await.expect("the others are closed");
    assert_eq!(server.open_streams(), count);
}

fn updated(uri: &str) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": { "uri": uri } })
}

#[tokio::test]
async fn listening_subscribes_to_the_lists_that_the_server_tells_of_once() {
    let (server, connection) = modern().await;
    let mut notifications = connection.notifications();
    connection.listen().await;
    connection.listen().await;
    server.wait_for_streams(1).await;
    assert_eq!(methods(&server), [LISTEN]);
    let asked = server.requests()[0].json().unwrap();
    assert_eq!(asked["params"]["notifications"], json!({ "toolsListChanged": true }));
    assert_eq!(server.push_tools_changed(), 1);
    let notification = notifications.next().await.unwrap();
    // The acknowledgement is between the server and the connection.
    assert_eq!(notification.method, "notifications/tools/list_changed");
    assert_eq!(echo(&connection, "works beside it").await.unwrap(), "works beside it");
    no_violations(&server);
}

#[tokio::test]
async fn silence_on_a_subscription_means_nothing() {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
    let mut options = options();
    options.idle_timeout = Some(Duration::from_millis(200));
    let connection = Connector::new(options).attempt(&target(&server)).await.unwrap();
    connection.listen().await;
    server.wait_for_streams(1).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(server.open_streams(), 1);
}

#[tokio::test]
async fn nothing_is_subscribed_to_without_a_listener() {
    let (server, connection) = modern().await;
    echo(&connection, "x").await.unwrap();
    assert_eq!(server.count(LISTEN), 0);
}

#[tokio::test]
async fn a_subscription_tells_of_what_it_names_until_it_is_dropped() {
    let (server, connection) = modern().await;
    let mut notifications = connection.notifications();
    let filter = SubscriptionFilter::new().with_resources(["fake://a", "fake://b"]);
    let subscription = connection.subscribe(filter.clone()).await.unwrap();
    assert_eq!(*subscription.acknowledged(), filter);
    assert_eq!(server.push(&updated("fake://other")), 0);
    assert_eq!(server.push(&updated("fake://b")), 1);
    let notification = notifications.next().await.unwrap();
    assert_eq!(notification.method, "notifications/resources/updated");
    assert!(notification.params.unwrap().get().contains("fake://b"));
    let second = connection.subscribe(SubscriptionFilter::new().with_resources(["fake://c"])).await.unwrap();
    assert_eq!(server.open_streams(), 2);
    drop(subscription);
    streams_are_left(&server, 1).await;
    assert_eq!(server.push(&updated("fake://c")), 1);
    // Closing the stream is all that a server over HTTP is told.
    assert_eq!(server.count("notifications/cancelled"), 0);
    drop(second);
    streams_are_left(&server, 0).await;
    no_violations(&server);
}

#[tokio::test]
async fn a_stream_that_ends_is_opened_again_and_ends_with_the_connection() {
    let (server, connection) = modern().await;
    let mut notifications = connection.notifications();
    connection.listen().await;
    server.close_streams();
    server.recorder().wait_for(LISTEN, 2).await;
    server.wait_for_streams(1).await;
    server.push_tools_changed();
    assert_eq!(notifications.next().await.unwrap().method, "notifications/tools/list_changed");
    let ids: Vec<_> = server.requests().iter().map(|request| request.json().unwrap()["id"].clone()).collect();
    assert_ne!(ids[0], ids[1]);
    connection.close().await;
    streams_are_left(&server, 0).await;
    drop(connection);

    let forgotten = connect(&server).await;
    forgotten.listen().await;
    server.wait_for_streams(1).await;
    drop(forgotten);
    streams_are_left(&server, 0).await;
}

#[tokio::test]
async fn a_server_that_offers_none_is_asked_once_and_is_fine() {
    let mut servers = Vec::new();
    for answer in [
        ScriptedAnswer::RpcError { code: -32601, message: "no".to_owned() },
        ScriptedAnswer::status(404),
        ScriptedAnswer::status(405),
    ] {
        let (server, connection) = modern().await;
        server.always_to(LISTEN, answer);
        connection.listen().await;
        assert_eq!(echo(&connection, "works").await.unwrap(), "works");
        servers.push((server, connection));
    }
    // A stream that is opened again is opened after a second.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for (server, connection) in servers {
        assert_eq!(server.count(LISTEN), 1);
        connection.subscribe(SubscriptionFilter::new().with_resources(["fake://a"])).await.unwrap_err();
        assert_eq!(server.count(LISTEN), 2);
    }
}

#[tokio::test]
async fn a_subscription_that_is_answered_instead_of_acknowledged_is_an_error() {
    let (server, connection) = modern().await;
    server.always_to(LISTEN, ScriptedAnswer::RpcResult(json!({ "resultType": "complete" })));
    let filter = SubscriptionFilter::new().with_resources(["fake://a"]);
    let error = connection.subscribe(filter).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Protocol);
}

/// The resources that the requests of this method named.
fn named(server: &FakeMcpServer, method: &str) -> Vec<String> {
    let requests = server.requests().into_iter().filter(|r| r.rpc_method().as_deref() == Some(method));
    requests.map(|r| r.json().unwrap()["params"]["uri"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_legacy_server_is_asked_for_each_resource_and_told_when_it_is_not_wanted() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    for method in ["resources/subscribe", "resources/unsubscribe"] {
        server.always_to(method, ScriptedAnswer::RpcResult(json!({})));
    }
    let connection = connect(&server).await;
    let asked: SubscriptionFilter =
        serde_json::from_value(json!({ "toolsListChanged": true, "promptsListChanged": true })).unwrap();
    let both = connection.subscribe(asked.with_resources(["fake://a", "fake://b"])).await.unwrap();
    let agreed = serde_json::to_value(both.acknowledged()).unwrap();
    // The server says that it tells of its tools, and of no other list.
    let expected = json!({ "toolsListChanged": true, "resourceSubscriptions": ["fake://a", "fake://b"] });
    assert_eq!(agreed, expected);
    let second = connection.subscribe(SubscriptionFilter::new().with_resources(["fake://a"])).await.unwrap();
    assert_eq!(named(&server, "resources/subscribe"), ["fake://a", "fake://b"], "once is enough");

    drop(both);
    server.recorder().wait_for("resources/unsubscribe", 1).await;
    assert_eq!(named(&server, "resources/unsubscribe"), ["fake://b"], "the other one is still wanted");

    // A session that was forgotten took the subscriptions with it.
    server.expire_sessions();
    server.recorder().clear();
    echo(&connection, "x").await.unwrap();
    server.recorder().wait_for("resources/subscribe", 1).await;
    drop(second);
    server.recorder().wait_for("resources/unsubscribe", 1).await;
    assert_eq!(named(&server, "resources/subscribe"), ["fake://a"]);
    assert_eq!(named(&server, "resources/unsubscribe"), ["fake://a"]);
    assert_eq!(server.count(LISTEN), 0);

    // The end of the session says it all.
    let last = connection.subscribe(SubscriptionFilter::new().with_resources(["fake://c"])).await.unwrap();
    server.recorder().clear();
    connection.close().await;
    drop(last);
    assert_eq!((server.count("resources/unsubscribe"), server.deletes()), (0, 1));
    no_violations(&server);
}

#[tokio::test]
async fn a_legacy_server_that_refuses_one_resource_is_asked_for_none() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&server).await;
    let refusal = ScriptedAnswer::RpcError { code: -32002, message: "no such resource".to_owned() };
    server.always_to("resources/unsubscribe", ScriptedAnswer::RpcResult(json!({})));
    server.next_answers_to("resources/subscribe", [ScriptedAnswer::RpcResult(json!({})), refusal]);
    let filter = SubscriptionFilter::new().with_resources(["fake://a", "fake://b"]);
    let error = connection.subscribe(filter).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Rpc { code: -32002 });
    assert_eq!(named(&server, "resources/unsubscribe"), ["fake://a"]);
    connection.subscribe(SubscriptionFilter::new()).await.unwrap();
    assert_eq!(server.count(LISTEN), 0);
}

/// A modern server over stdio: agrees to every subscription and tells once on it. It says `x/cancelled` with what it was
/// told when a client cancels, and itself cancels the subscription to `fake://closing`.
const MODERN_OVER_STDIO: &str = r#"
meta() { printf '"_meta":{"io.modelcontextprotocol/subscriptionId":%s}' "$id"; }
tell() { printf '{"jsonrpc":"2.0","method":"%s","params":{%s}}\n' "$1" "$2"; }
while IFS= read -r line; do
    id=${line#*\"id\":}; id=${id%%,*}
    case $line in
    *'"method":"initialize"'*)
        printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
    *'"method":"server/discover"'*)
        printf '{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{}}}\n' "$id" ;;
    *'"method":"subscriptions/listen"'*)
        filter=${line#*\"notifications\":}; filter=${filter%\}\}}
        tell notifications/subscriptions/acknowledged "$(meta),\"notifications\":$filter"
        tell notifications/resources/updated "$(meta),\"uri\":\"fake://a\""
        case $line in *fake://closing*) tell notifications/cancelled "\"requestId\":$id" ;; esac ;;
    *'"method":"notifications/cancelled"'*)
        report=${line#*\"params\":\{}; tell x/cancelled "${report%\}\}}" ;;
    esac
done
"#;

#[cfg(unix)]
#[tokio::test]
async fn over_stdio_a_subscription_shares_the_one_channel_and_is_cancelled_in_words() {
    let mut endpoint = StdioEndpoint::new("/bin/sh");
    endpoint.args = vec!["-c".into(), MODERN_OVER_STDIO.into()];
    let mut options = options();
    options.stdio_idle_timeout = Some(Duration::from_millis(300));
    let connector = Connector::new(options);
    let connection = connector.attempt(&Server::new(Endpoint::Stdio(endpoint))).await.unwrap();
    let mut notifications = connection.notifications();
    let filter = SubscriptionFilter::new().with_resources(["fake://a"]);
    let subscription = connection.subscribe(filter.clone()).await.unwrap();
    assert_eq!(*subscription.acknowledged(), filter);
    let notification = notifications.next().await.unwrap();
    assert_eq!(notification.method, "notifications/resources/updated");
    let params: Value = serde_json::from_str(notification.params.unwrap().get()).unwrap();
    let id = &params["_meta"]["io.modelcontextprotocol/subscriptionId"];
    drop(subscription);
    let notification = notifications.next().await.unwrap();
    assert_eq!(notification.method, "x/cancelled");
    assert_eq!(serde_json::from_str::<Value>(notification.params.unwrap().get()).unwrap()["requestId"], *id);

    // A server that cancels it has had the last word, and is asked again.
    let closing = SubscriptionFilter::new().with_resources(["fake://closing"]);
    let ended = connection.subscribe(closing).await.unwrap();
    for _ in 0..2 {
        assert_eq!(notifications.next().await.unwrap().method, "notifications/resources/updated");
    }
    drop(ended);
    while tokio::time::timeout(Duration::from_millis(1500), notifications.next()).await.is_ok() {}
    // Silence is no reason to ask again, and a subscription does not keep its connection, and the process behind it,
    // alive.
    let _lasting = connection.subscribe(filter).await.unwrap();
    assert_eq!(notifications.next().await.unwrap().method, "notifications/resources/updated");
    tokio::time::timeout(Duration::from_millis(2500), notifications.next()).await.unwrap_err();
    drop(connection);
    let ended = async { while notifications.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it ends with its connection");
}
