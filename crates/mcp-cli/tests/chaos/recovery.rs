//! Single causes, and what the bridge makes of each without a restart.

use mcp_testkit::{Era, FakeMcpServer};
use serde_json::json;

use crate::host::{Host, Stage};
use crate::{HANG, eventually};

/// How many connections may be open that nobody uses any more.
const SLACK: usize = 4;

fn entry(server: &FakeMcpServer) -> serde_json::Value {
    json!({ "type": "http", "url": server.url().as_str() })
}

#[tokio::test]
async fn a_host_is_answered_before_the_server_is_there_and_served_by_the_same_process_when_it_is() {
    for era in [Era::Legacy, Era::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        server.go_down();
        let stage = Stage::new(&entry(&server));
        let host = Host::start(&stage);
        // An order, not a time: the server is down until after this.
        let described = host.introduce().await;
        assert_eq!(described["protocolVersion"], "2025-11-25", "{described}");
        assert_ne!(stage.status().await.as_deref(), Some("connected"));
        let listed = host.ask("tools/list", json!({})).await;
        assert_eq!(listed["result"]["tools"], json!([]), "{listed}");

        let pid = host.pid();
        server.come_up().unwrap();
        host.echoes("first").await;
        assert_eq!(stage.status().await.as_deref(), Some("connected"), "{era:?}");
        assert_eq!(host.pid(), pid);
        let is_told = async || host.told("notifications/tools/list_changed") > 0;
        eventually("the host hears that there are tools now", HANG, is_told).await;
        host.close().await;
    }
}

#[tokio::test]
async fn a_reconnect_from_another_process_revives_a_bridge_after_a_window_of_refusals() {
    let server = FakeMcpServer::builder().era(Era::Legacy).accept("A").start().unwrap();
    let mut entry = entry(&server);
    entry["headers"] = json!({ "Authorization": "Bearer A" });
    let stage = Stage::new(&entry);
    let host = Host::introduced(&stage).await;
    host.echoes("before").await;

    server.accept("B");
    let refused = host.echo("within").await;
    assert_eq!(refused["error"]["data"]["next"], "mcplink reconnect remote", "{refused}");
    let is_refused = async || stage.status().await.as_deref() == Some("needs-auth");
    eventually("others see it too", HANG, is_refused).await;
    server.accept("A");
    let still = host.echo("after").await;
    assert_eq!(
        still["error"]["data"]["status"], "needs-auth",
        "what was refused is not tried again by itself"
    );

    let output = stage.mcplink(&["reconnect", "remote", "--json"]).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    host.echoes("revived").await;
    assert_eq!(stage.status().await.as_deref(), Some("connected"));
    host.close().await;
}

#[tokio::test]
async fn a_restarted_server_costs_no_answer() {
    let server = FakeMcpServer::builder().era(Era::Legacy).start().unwrap();
    let stage = Stage::new(&entry(&server));
    let host = Host::introduced(&stage).await;
    for round in 0..5 {
        host.echoes(&format!("before {round}")).await;
        server.go_down();
        server.expire_sessions();
        server.come_up().unwrap();
        host.echoes(&format!("after {round}")).await;
    }
    host.close().await;
    assert_eq!(server.sessions(), 0, "the last session was ended with the bridge");
}

#[tokio::test]
async fn a_hundred_reconnects_leave_nothing_open() {
    let server = FakeMcpServer::builder().era(Era::Legacy).start().unwrap();
    let stage = Stage::new(&entry(&server));
    let host = Host::introduced(&stage).await;
    host.echoes("first").await;
    eventually("the server's own stream", HANG, async || server.open_streams() > 0).await;
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", host.pid())).map(Iterator::count).ok();
    // Where there is no `/proc`, the server's side alone has to show it.
    let before = descriptors();
    for _ in 0..100 {
        stage.reconnect().await;
    }
    host.echoes("last").await;
    assert_eq!(server.sessions(), 1);
    assert_eq!(server.sessions_made(), 101);
    // A few more or less, because connections that nobody uses are kept for a while; a hundred cannot hide there.
    let settled = async || {
        descriptors() <= before.map(|count| count + SLACK) && server.open_connections() <= 2 + SLACK as u64
    };
    eventually("about as many descriptors as before", HANG, settled).await;
    host.close().await;
}
