//! How a bridge ends.

use std::time::Duration;

use mcp_bridge::EndReason;
use mcp_testkit::{FakeEra, FakeMcpServer, FakeTool};
use serde_json::json;

use crate::support::{HostEra, META_SUBSCRIPTION, Setup, eventually};

/// What a host waits before it kills.
const LIMIT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn fb_b14_when_the_host_closes_its_side_the_session_is_deleted() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let mut host = Setup::new(server.url()).start(HostEra::Legacy).await;
    host.call("echo", json!({"text": "x"})).await;
    assert_eq!(server.sessions(), 1);
    // Slow enough that a bridge which does not wait for it has ended before.
    server.next_answers_to("DELETE", [mcp_testkit::ScriptedAnswer::Late(Duration::from_millis(200))]);
    host.close_stdin();
    let (ended, took) = host.ended().await;
    assert_eq!((ended, server.sessions(), server.deletes()), (EndReason::HostGone, 0, 1));
    assert!(took < LIMIT, "{took:?}");
}

#[tokio::test]
async fn fb_b17_a_script_that_closes_its_side_gets_its_last_answers() {
    let server = FakeMcpServer::builder().era(FakeEra::Dual).start().unwrap();
    let mut host = Setup::new(server.url()).start(HostEra::Legacy).await;
    let id = host.send("tools/call", json!({"name": "echo", "arguments": {"text": "last"}}));
    host.close_stdin();
    host.ended().await;
    assert_eq!(host.response(id).await["result"]["content"][0]["text"], "last");
}

#[tokio::test]
async fn fb_b18_a_call_that_never_ends_and_a_server_that_does_not_let_go_delay_no_caller() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let mut host = Setup::new(server.url()).start(HostEra::Legacy).await;
    host.call("echo", json!({"text": "x"})).await;
    server.always_to("DELETE", mcp_testkit::ScriptedAnswer::Hang);
    server.always_to("tools/call", mcp_testkit::ScriptedAnswer::Hang);
    host.send("tools/call", json!({"name": "echo", "arguments": {}}));
    host.close_stdin();
    let (_, took) = host.ended().await;
    assert!(took < LIMIT, "{took:?}");
}

/// A program that embeds a bridge and gives up its future has nothing of it left at the server.
#[tokio::test]
async fn a_bridge_that_is_given_up_gives_up_the_calls_of_its_host() {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).tool(FakeTool::slow()).start().unwrap();
    let host = Setup::new(server.url()).start(HostEra::Modern).await;
    let params = json!({"name": "slow", "arguments": {"steps": 10_000, "delay_ms": 20}, "_meta": {"progressToken": 1}});
    host.send("tools/call", params);
    host.heard("notifications/progress").await;
    host.give_up();
    eventually("the end of the call", || server.abandoned_streams() == 1).await;
}

#[tokio::test]
async fn a_bridge_that_is_asked_to_end_closes_both_sides() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let mut host = Setup::new(server.url()).start(HostEra::Modern).await;
    host.call("echo", json!({"text": "x"})).await;
    let id = host.send("subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}));
    host.heard("notifications/subscriptions/acknowledged").await;
    host.stop();
    let (ended, took) = host.ended().await;
    assert_eq!((ended, server.deletes()), (EndReason::Asked, 1));
    assert!(took < LIMIT, "{took:?}");
    assert_eq!(host.response(id).await["result"]["_meta"][META_SUBSCRIPTION], id);
}
