//! What modern servers tell by themselves (2026-07-28, subscriptions).

use std::time::Duration;

use mcp_testkit::{Answer, Era, FakeMcpServer};
use mcp_transport::{Connection, SubscriptionFilter, TransportErrorKind};
use serde_json::{Value, json};

use crate::support::{connect, echo, methods, no_violations};

const LISTEN: &str = "subscriptions/listen";

async fn modern() -> (FakeMcpServer, Connection) {
    let server = FakeMcpServer::builder().era(Era::Modern).start().unwrap();
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
    let told = notifications.next().await.unwrap();
    // The acknowledgement is between the server and the connection.
    assert_eq!(told.method, "notifications/tools/list_changed");
    assert_eq!(echo(&connection, "works beside it").await.unwrap(), "works beside it");
    no_violations(&server);
}

#[tokio::test]
async fn nothing_is_subscribed_to_until_somebody_listens() {
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
    let told = notifications.next().await.unwrap();
    assert_eq!(told.method, "notifications/resources/updated");
    assert!(told.params.unwrap().get().contains("fake://b"));
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
    for answer in [
        Answer::RpcError { code: -32601, message: "no".to_owned() },
        Answer::status(404),
        Answer::status(405),
    ] {
        let (server, connection) = modern().await;
        server.always_to(LISTEN, answer.clone());
        connection.listen().await;
        assert_eq!(server.count(LISTEN), 1, "{answer:?}");
        assert_eq!(echo(&connection, "works").await.unwrap(), "works");
        let filter = SubscriptionFilter::new().with_resources(["fake://a"]);
        connection.subscribe(filter).await.unwrap_err();
        assert_eq!(server.count(LISTEN), 2, "{answer:?}");
    }
}

#[tokio::test]
async fn a_subscription_that_is_answered_instead_of_acknowledged_is_an_error() {
    let (server, connection) = modern().await;
    server.always_to(LISTEN, Answer::RpcResult(json!({ "resultType": "complete" })));
    let filter = SubscriptionFilter::new().with_resources(["fake://a"]);
    let error = connection.subscribe(filter).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Protocol);
}

#[tokio::test]
async fn a_legacy_server_has_no_subscriptions() {
    let server = FakeMcpServer::builder().era(Era::Legacy).start().unwrap();
    let connection = connect(&server).await;
    let error = connection.subscribe(SubscriptionFilter::new()).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Misconfigured);
    assert_eq!(server.count(LISTEN), 0);
}
