//! Endpoints that say how they are spoken to: one era, one transport, pings.

use std::time::Duration;

use mcp_status::ServerStatus;
use mcp_testkit::{FakeEra, FakeMcpServer, HttpAnswer, ScriptedAnswer};
use mcp_transport::message::{Era, ProtocolRevision};
use mcp_transport::supervisor::SupervisorConfig;
use mcp_transport::{Connection, Endpoint, HttpEndpoint, Server, Supervisor, TransportError};
use serde_json::json;

use crate::support::{connector, echo, methods};

async fn reach(
    server: &FakeMcpServer,
    adjust: impl FnOnce(&mut HttpEndpoint),
) -> Result<Connection, TransportError> {
    server.recorder().clear();
    let mut endpoint = HttpEndpoint::new(server.url());
    adjust(&mut endpoint);
    connector().attempt(&Server::new(Endpoint::Http(endpoint))).await
}

fn start(era: FakeEra) -> FakeMcpServer {
    FakeMcpServer::builder().era(era).start().unwrap()
}

#[tokio::test]
async fn fa_a76_one_era_is_spoken_and_the_other_is_never_asked_for() {
    let both = start(FakeEra::Dual);
    let legacy = reach(&both, |endpoint| endpoint.era = Some(Era::Legacy)).await.unwrap();
    assert_eq!(legacy.revision(), ProtocolRevision::V2025_11_25);
    assert_eq!(echo(&legacy, "hello").await.unwrap(), "hello");
    assert!(!methods(&both).contains(&"server/discover".to_owned()), "{:?}", methods(&both));
    let modern = reach(&both, |endpoint| endpoint.era = Some(Era::Modern)).await.unwrap();
    assert_eq!(modern.revision(), ProtocolRevision::V2026_07_28);
    assert_eq!(echo(&modern, "hello").await.unwrap(), "hello");

    for (speaks, era, never) in
        [(FakeEra::Modern, Era::Legacy, "server/discover"), (FakeEra::Legacy, Era::Modern, "initialize")]
    {
        let server = start(speaks);
        reach(&server, |_| {}).await.unwrap().close().await;
        reach(&server, |endpoint| endpoint.era = Some(era)).await.unwrap_err();
        assert!(!methods(&server).contains(&never.to_owned()), "{speaks:?}: {:?}", methods(&server));
    }
}

/// Not in the middle of a session either.
#[tokio::test]
async fn fa_a76_a_server_that_moves_on_is_not_followed_out_of_its_era() {
    let server = start(FakeEra::Modern);
    let connection = reach(&server, |endpoint| endpoint.era = Some(Era::Modern)).await.unwrap();
    server.set_era(FakeEra::Legacy);
    let data = json!({ "supported": ["2025-11-25"], "requested": "2026-07-28" });
    let error = json!({ "code": -32022, "message": "Unsupported protocol version", "data": data });
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": error }).to_string();
    server.next_answers_to(
        "tools/call",
        [ScriptedAnswer::from(HttpAnswer::new(400).body("application/json", body))],
    );
    echo(&connection, "hello").await.unwrap_err();
    assert_eq!(server.count("initialize"), 0);
}

#[tokio::test]
async fn fa_a76_one_transport_is_tried_and_no_other() {
    let sse = start(FakeEra::HttpSse);
    reach(&sse, |_| {}).await.unwrap().close().await;
    reach(&sse, |endpoint| endpoint.falls_back = false).await.unwrap_err();
    reach(&sse, |endpoint| {
        endpoint.falls_back = false;
        endpoint.era = Some(Era::Legacy);
    })
    .await
    .unwrap_err();
    assert!(!methods(&sse).contains(&"GET".to_owned()), "{:?}", methods(&sse));
    let http = start(FakeEra::Legacy);
    let legacy = |falls_back| {
        let mut endpoint = HttpEndpoint::legacy_sse(http.url());
        endpoint.falls_back = falls_back;
        Server::new(Endpoint::Http(endpoint))
    };
    http.recorder().clear();
    connector().attempt(&legacy(false)).await.unwrap_err();
    assert_eq!(methods(&http), ["GET"]);
    connector().attempt(&legacy(true)).await.unwrap().close().await;
}

#[tokio::test]
async fn fa_a76_a_quiet_server_is_pinged_where_that_is_asked_for_and_nowhere_else() {
    let (pinged, refusing, left) = (start(FakeEra::Legacy), start(FakeEra::Legacy), start(FakeEra::Legacy));
    let refusal = json!({ "code": -32601, "message": "no such method" });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "error": refusal }).to_string();
    refusing.always_to("ping", ScriptedAnswer::from(HttpAnswer::new(400).body("application/json", body)));
    let keep = Duration::from_millis(60);
    let mut handles = Vec::new();
    for (server, keep_alive) in [(&pinged, Some(keep)), (&refusing, Some(keep)), (&left, None)] {
        let mut endpoint = HttpEndpoint::new(server.url());
        endpoint.keep_alive = keep_alive;
        let target = Server::new(Endpoint::Http(endpoint));
        let config = SupervisorConfig::new("web", move || std::future::ready(Ok(target.clone())));
        handles.push(Supervisor::start(connector(), config));
    }
    for handle in &handles {
        assert_eq!(handle.decided().await.status, ServerStatus::Connected);
    }
    let asks = |server: &FakeMcpServer| server.count("ping");
    tokio::time::timeout(Duration::from_secs(20), async {
        while asks(&pinged) < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    // One that does not know the question is there all the same, and not asked without a pause.
    assert!(asks(&refusing) < 12, "{}", asks(&refusing));
    assert_eq!(asks(&left), 0);
    for (handle, server) in handles.iter().zip([&pinged, &refusing, &left]) {
        assert_eq!(handle.snapshot().status, ServerStatus::Connected);
        assert_eq!(server.sessions_made(), 1);
    }
}
