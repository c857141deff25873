//! The tools that a supervisor shows, which follow what the server says.

use std::time::{Duration, Instant};

use mcp_testkit::{FakeEra, FakeMcpServer, FakeTool, ScriptedAnswer};
use mcp_transport::supervisor::{StatusSnapshot, SupervisorConfig};
use mcp_transport::{RequestOptions, Supervisor, SupervisorHandle};

use crate::support::{connector, target};

const PATIENCE: Duration = Duration::from_secs(20);

fn supervise(server: &FakeMcpServer) -> SupervisorHandle {
    let target = target(server);
    let source = move || {
        let target = target.clone();
        async move { Ok(target) }
    };
    Supervisor::start(connector(), SupervisorConfig::new("web", source))
}

/// Connected, with the stream open on which the server tells what has changed.
async fn connected(server: &FakeMcpServer) -> SupervisorHandle {
    let handle = supervise(server);
    handle.decided().await;
    let open = async {
        while server.open_streams() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, open).await.unwrap();
    handle
}

fn names(snapshot: &StatusSnapshot) -> Vec<String> {
    snapshot.tools.iter().flat_map(|list| &list.tools).map(|tool| tool.name.clone()).collect()
}

async fn shows(handle: &SupervisorHandle, wanted: &[&str]) -> StatusSnapshot {
    let mut status = handle.status();
    let seen = tokio::time::timeout(PATIENCE, status.wait_for(|snapshot| names(snapshot) == wanted)).await;
    seen.unwrap_or_else(|_| panic!("{:?}", names(&handle.snapshot()))).unwrap().clone()
}

fn shown(snapshot: &StatusSnapshot) -> Option<usize> {
    snapshot.report().tools
}

#[tokio::test]
async fn the_tools_that_are_shown_follow_what_the_server_says_and_a_watch_hears_of_it() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).tools(vec![FakeTool::echo()]).start().unwrap();
        let handle = connected(&server).await;
        assert_eq!((names(&handle.snapshot()), shown(&handle.snapshot())), (vec!["echo".into()], Some(1)));
        let mut text = handle.notifications();
        server.set_tools(vec![FakeTool::echo(), FakeTool::add()]);
        assert_eq!(server.push_tools_changed(), 1, "{era:?}");
        let snapshot = shows(&handle, &["echo", "add"]).await;
        assert_eq!((shown(&snapshot), snapshot.connection), (Some(2), Some(1)), "{era:?}");
        assert_eq!(
            text.next().await.unwrap().method,
            "notifications/tools/list_changed",
            "{era:?}: passed on"
        );
        handle.close().await;
    }
}

#[tokio::test]
async fn changes_that_come_together_cost_one_list_and_a_server_that_never_stops_few() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).tools(vec![FakeTool::echo()]).start().unwrap();
    let handle = connected(&server).await;
    let before = server.count("tools/list");
    server.set_tools(vec![FakeTool::echo(), FakeTool::add()]);
    for _ in 0..20 {
        server.push_tools_changed();
    }
    shows(&handle, &["echo", "add"]).await;
    assert_eq!(server.count("tools/list"), before + 1);
    // It goes on and on.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1200) {
        server.push_tools_changed();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = server.count("tools/list") - before;
    assert!(asked <= 2 + began.elapsed().as_secs() as usize / 2, "{asked}");
    handle.close().await;
}

#[tokio::test]
async fn a_list_that_cannot_be_had_again_leaves_what_was_known() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).tools(vec![FakeTool::echo()]).start().unwrap();
    let handle = connected(&server).await;
    let before = handle.snapshot();
    server.next_answers_to(
        "tools/list",
        [ScriptedAnswer::RpcError { code: -32603, message: "not now".into() }],
    );
    let asked = server.count("tools/list");
    server.push_tools_changed();
    let again = async {
        while server.count("tools/list") == asked {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(handle.snapshot(), before);
    handle.close().await;
}

#[tokio::test]
async fn what_a_caller_lists_is_shown_from_then_on() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).tools(vec![FakeTool::echo()]).start().unwrap();
    let handle = connected(&server).await;
    // It does not say so.
    server.set_tools(vec![FakeTool::add()]);
    let listed = handle.list_tools(&RequestOptions::new()).await.unwrap();
    assert_eq!(listed.tools.len(), 1);
    assert_eq!(shown(&shows(&handle, &["add"]).await), Some(1));
    let before = handle.snapshot();
    handle.list_tools(&RequestOptions::new()).await.unwrap();
    assert_eq!(handle.snapshot(), before, "the same list is no news");
    handle.close().await;
}

#[tokio::test]
async fn the_server_of_a_session_that_was_made_again_may_have_other_tools() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).tools(vec![FakeTool::echo()]).start().unwrap();
    let handle = connected(&server).await;
    server.set_tools(vec![FakeTool::add()]);
    server.expire_sessions();
    handle.call_tool("add", None, &RequestOptions::new()).await.unwrap();
    assert_eq!(shows(&handle, &["add"]).await.connection, Some(1));
    handle.close().await;
}
