//! Single causes, and what the bridge makes of each without a restart.

use mcp_testkit::{FakeEra, FakeMcpServer};
use serde_json::json;

use mcp_harness::FakeHost;

use crate::host::{self, Stage};
use crate::{HANG, eventually};

/// How many connections may be open that are not used any more.
const SLACK: usize = 4;

fn entry(server: &FakeMcpServer) -> serde_json::Value {
    json!({ "type": "http", "url": server.url().as_str() })
}

#[tokio::test]
async fn a_host_is_answered_before_the_server_is_there_and_served_by_the_same_process_when_it_is() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        server.go_down();
        let stage = Stage::new(&entry(&server));
        let host = host::silent(&stage);
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
        let is_told = async || !host.notifications("notifications/tools/list_changed").is_empty();
        eventually("the host hears that there are tools now", HANG, is_told).await;
        host.close().await;
    }
}

#[tokio::test]
async fn fb_q2_a_reconnect_from_another_process_revives_a_bridge_after_a_window_of_refusals() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).accept("A").start().unwrap();
    let mut entry = entry(&server);
    entry["headers"] = json!({ "Authorization": "Bearer A" });
    let stage = Stage::new(&entry);
    let host = host::introduced(&stage).await;
    host.echoes("before").await;

    server.accept("B");
    let refused = host.echo("within").await;
    let next = refused["error"]["data"]["next"].as_str().unwrap();
    assert!(next.starts_with("correct `headers` of remote in "), "as a status says it: {refused}");
    let is_refused = async || stage.status().await.as_deref() == Some("needs-auth");
    eventually("others see it too", HANG, is_refused).await;
    server.accept("A");
    let still = host.echo("after").await;
    assert_eq!(
        still["error"]["data"]["status"], "needs-auth",
        "what was refused is not tried again automatically"
    );

    let output = stage.mcplink(&["reconnect", "remote", "--json"]).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    host.echoes("revived").await;
    assert_eq!(stage.status().await.as_deref(), Some("connected"));
    host.close().await;
}

#[tokio::test]
async fn a_restarted_server_costs_no_answer() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let stage = Stage::new(&entry(&server));
    let host = host::introduced(&stage).await;
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

/// A local server that answers its handshake and one tool, `echo`, which says nothing.
const LOCAL: &str = r#"while read -r line; do
  id=$(printf '%s' "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
  case "$line" in
    *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}}\n' "$id" ;;
    *'"tools/call"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}\n' "$id" ;;
  esac
done"#;

/// What the bridge's process holds; where there is no `/proc`, the server's side alone has to show it.
#[derive(Debug)]
pub(crate) struct Held {
    descriptors: Option<usize>,
    children: Option<usize>,
    pub(crate) resident_kib: Option<u64>,
}

impl Held {
    pub(crate) fn by(pid: u32) -> Self {
        let count = |path: String| std::fs::read_dir(path).map(Iterator::count).ok();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok();
        let resident = |text: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Self {
            descriptors: count(format!("/proc/{pid}/fd")),
            children: children.map(|children| children.split_whitespace().count()),
            resident_kib: status.as_deref().and_then(resident),
        }
    }

    /// A few more or less, because unused connections are kept for a while; a hundred cannot hide there.
    fn is_no_more_than(&self, before: &Self) -> bool {
        const SLACK_KIB: u64 = 4 << 10;
        self.descriptors <= before.descriptors.map(|count| count + SLACK)
            && self.children <= before.children
            && self.resident_kib <= before.resident_kib.map(|resident| resident + SLACK_KIB)
    }
}

/// Reconnects a hundred times; nothing that one of them made may be left.
async fn a_hundred_reconnects(stage: &Stage, host: &FakeHost) {
    // What is made once for all of them is there after some.
    for _ in 0..20 {
        stage.reconnect().await;
    }
    let before = Held::by(host.pid());
    for _ in 0..100 {
        stage.reconnect().await;
    }
    let settled = async || Held::by(host.pid()).is_no_more_than(&before);
    eventually(&format!("about as much as before: {before:?}"), HANG, settled).await;
}

#[tokio::test]
async fn f118_a_hundred_reconnects_leave_nothing_open() {
    for era in [FakeEra::Legacy, FakeEra::Modern, FakeEra::HttpSse] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let stage = Stage::new(&entry(&server));
        let host = host::introduced(&stage).await;
        host.echoes("first").await;
        eventually("the server's own stream", HANG, async || server.open_streams() > 0).await;
        a_hundred_reconnects(&stage, &host).await;
        host.echoes("last").await;
        if era == FakeEra::Legacy {
            assert_eq!((server.sessions(), server.sessions_made()), (1, 121));
        }
        let settled = async || server.open_connections() <= 2 + SLACK as u64;
        eventually("about as many connections as before", HANG, settled).await;
        host.close().await;
    }
}

#[tokio::test]
async fn f118_a_hundred_reconnects_leave_no_process_behind() {
    let stage = Stage::new(&json!({ "command": "sh", "args": ["-c", LOCAL] }));
    let host = host::introduced(&stage).await;
    assert!(host.echo("first").await.get("result").is_some());
    a_hundred_reconnects(&stage, &host).await;
    assert!(host.echo("last").await.get("result").is_some());
    host.close().await;
}

/// Stops the bridge for a while in which its server loses every connection and session, as a machine that sleeps does.
async fn f102_sleep(length: std::time::Duration) {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let stage = Stage::new(&entry(&server));
    let host = host::introduced(&stage).await;
    host.echoes("before").await;
    let signal = async |name: &str| {
        let mut kill = tokio::process::Command::new("kill");
        let status = kill.args([name, &host.pid().to_string()]).status().await.unwrap();
        assert!(status.success());
    };
    signal("-STOP").await;
    server.drop_connections();
    server.expire_sessions();
    tokio::time::sleep(length).await;
    signal("-CONT").await;
    // By itself, without a call. Without the wake, nothing would ask for a session before a caller does.
    eventually("a new session", HANG, async || server.sessions_made() == 2).await;
    host.echoes("after").await;
    assert_eq!(stage.status().await.as_deref(), Some("connected"));
    host.close().await;
}

#[tokio::test]
async fn f102_a_bridge_that_slept_is_connected_when_it_wakes() {
    // As long as it takes to count as a sleep.
    f102_sleep(std::time::Duration::from_secs(16)).await;
}

#[tokio::test]
#[ignore = "takes a minute"]
async fn a_bridge_that_slept_for_a_minute_is_connected_when_it_wakes() {
    f102_sleep(std::time::Duration::from_secs(60)).await;
}
