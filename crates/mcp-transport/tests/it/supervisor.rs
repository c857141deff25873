//! Servers that come and go under a supervisor, over real sockets.
//!
//! Longer than 500 lines because each case is a story of one supervisor, told from start to end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use mcp_auth::{
    AuthFuture, AuthProvider, CredentialSource, Credentials, FetchReason, SingleFlight, StaticHeaders,
};
use mcp_status::{Action, ReasonCode, ServerStatus};
use mcp_testkit::{Accept, FakeEra, FakeMcpServer, HttpAnswer, Refusal, ScriptedAnswer, Sse, SseEnd};
use mcp_transport::retry::RetryPolicy;
use mcp_transport::supervisor::{RequestError, RequestErrorKind, SupervisorConfig, SupervisorPolicy};
use mcp_transport::{
    Connector, Endpoint, HttpEndpoint, RequestOptions, Server, Supervisor, SupervisorHandle,
    TransportErrorKind,
};
use serde_json::json;
use url::Url;

use crate::support::{PATIENCE, connector, no_violations, raw, target, text_of, until};

/// The same decisions in a fraction of the time.
pub(crate) fn quick() -> SupervisorPolicy {
    let mut policy = SupervisorPolicy::long_lived();
    let millis = Duration::from_millis;
    let short = |row: RetryPolicy| row.with_delays(millis(50), row.multiplier, millis(400));
    policy.connect = short(policy.connect);
    policy.session = short(policy.session);
    policy.list = Some(short(RetryPolicy::connect()));
    policy.machine.latch = Duration::from_millis(300);
    policy.machine.settled_after = Duration::from_millis(30);
    policy
}

fn supervise(server: &FakeMcpServer) -> SupervisorHandle {
    start(connector(), target(server))
}

fn start(connector: Connector, server: Server) -> SupervisorHandle {
    let source = move || std::future::ready(Ok(server.clone()));
    Supervisor::start(connector, SupervisorConfig::new("web", source).with_policy(quick()))
}

async fn connected(handle: &SupervisorHandle) {
    let snapshot = handle.decided().await;
    assert_eq!(snapshot.status, ServerStatus::Connected, "{:?}", snapshot.reason());
}

async fn echo(handle: &SupervisorHandle, text: &str) -> Result<String, RequestError> {
    let arguments = raw(&json!({ "text": text }));
    let result = handle.call_tool("echo", Some(&arguments), &RequestOptions::new()).await?;
    Ok(text_of(&result))
}

fn transport_kind(error: &RequestError) -> &TransportErrorKind {
    match error.kind() {
        RequestErrorKind::Transport(error) => error.kind(),
        other => panic!("{other:?}"),
    }
}

fn bearer(token: &str) -> (HeaderName, HeaderValue) {
    (AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap())
}

#[tokio::test]
async fn f102_a_server_that_restarts_costs_the_callers_no_error() {
    for era in [FakeEra::Legacy, FakeEra::Modern, FakeEra::HttpSse] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let handle = supervise(&server);
        connected(&handle).await;
        assert_eq!(handle.snapshot().tools.unwrap().tools.len(), 5);
        for round in 0..3 {
            // Long enough for the connection to count as a success, so that each restart is a streak of its own.
            tokio::time::sleep(Duration::from_millis(100)).await;
            server.go_down();
            server.drop_connections();
            server.expire_sessions();
            // A call at the very moment of the loss may stay unanswered.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let call = tokio::spawn({
                let handle = handle.clone();
                async move { echo(&handle, "after the restart").await }
            });
            tokio::time::sleep(Duration::from_millis(60)).await;
            server.come_up().unwrap();
            let answer = call.await.unwrap();
            assert_eq!(answer.unwrap(), "after the restart", "{era:?}, round {round}");
            until(&handle, |snapshot| snapshot.status == ServerStatus::Connected).await;
        }
        handle.close().await;
        no_violations(&server);
    }
}

#[tokio::test]
async fn f102_a_connection_that_died_while_idle_costs_no_error() {
    for era in [FakeEra::Legacy, FakeEra::Modern, FakeEra::HttpSse] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let handle = supervise(&server);
        connected(&handle).await;
        for _ in 0..5 {
            echo(&handle, "one").await.unwrap();
            server.drop_connections();
            // A call at the very moment of the loss may stay unanswered.
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_eq!(echo(&handle, "two").await.unwrap(), "two", "{era:?}");
        }
        handle.close().await;
    }
}

#[tokio::test]
async fn f027_a_401_window_heals_after_reconnect() {
    let server = FakeMcpServer::builder().accept(Accept::bearer("A")).start().unwrap();
    let provider = Arc::new(StaticHeaders::new([bearer("A")]));
    let handle = start(connector(), target(&server).with_auth(provider));
    connected(&handle).await;
    server.accept(Accept::bearer("B"));
    let error = echo(&handle, "x").await.unwrap_err();
    assert!(matches!(transport_kind(&error), TransportErrorKind::Challenged { status: 401, .. }));
    let snapshot = until(&handle, |snapshot| snapshot.status == ServerStatus::NeedsAuth).await;
    assert_eq!((snapshot.code, snapshot.connection), (Some(ReasonCode::CredentialsRejected), None));
    server.accept(Accept::bearer("A"));
    assert_eq!(handle.reconnect().await.status, ServerStatus::Connected);
    assert_eq!(echo(&handle, "again").await.unwrap(), "again");
    handle.close().await;
}

/// A command that mints, as far as a connection can tell.
#[derive(Debug)]
struct Mint {
    token: Mutex<&'static str>,
    runs: AtomicUsize,
}

impl CredentialSource for Mint {
    fn name(&self) -> &str {
        "mint"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let token = *self.token.lock().unwrap();
        Box::pin(async move { Ok(Credentials::new("mint", [bearer(token)])) })
    }
}

/// Lets each connection have a provider of its own over the same source.
#[derive(Debug)]
struct Shared(Arc<Mint>);

impl CredentialSource for Shared {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn fetch<'a>(&'a self, why: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        self.0.fetch(why)
    }
}

#[tokio::test]
async fn f027_a_401_window_heals_by_use_after_the_latch_and_mints_nothing_meanwhile() {
    let server = FakeMcpServer::builder().accept(Accept::bearer("good")).start().unwrap();
    let mint = Arc::new(Mint { token: Mutex::new("bad"), runs: AtomicUsize::new(0) });
    let source = {
        let (mint, server) = (mint.clone(), target(&server));
        move || {
            let provider = Arc::new(SingleFlight::new(Shared(mint.clone())));
            std::future::ready(Ok(server.clone().with_auth(provider)))
        }
    };
    let mut policy = quick();
    policy.machine.latch = Duration::from_millis(800);
    let handle = Supervisor::start(connector(), SupervisorConfig::new("web", source).with_policy(policy));
    assert_eq!(handle.decided().await.status, ServerStatus::NeedsAuth);
    let runs = mint.runs.load(Ordering::SeqCst);
    *mint.token.lock().unwrap() = "good";
    // Within the latch a call is refused from memory, at once.
    let error = echo(&handle, "x").await.unwrap_err();
    assert!(matches!(error.kind(), RequestErrorKind::NotConnected(_)), "{error}");
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(
        mint.runs.load(Ordering::SeqCst),
        runs,
        "no credentials are minted to see whether it works again"
    );
    assert_eq!(echo(&handle, "healed").await.unwrap(), "healed");
    assert_eq!(mint.runs.load(Ordering::SeqCst), runs + 1, "a new connection, a new token");
    handle.close().await;
}

#[tokio::test]
async fn a_403_about_one_tool_leaves_the_others_alone() {
    let server = FakeMcpServer::builder().accept(Accept::bearer("A")).start().unwrap();
    let provider = Arc::new(StaticHeaders::new([bearer("A")]));
    let handle = start(connector(), target(&server).with_auth(provider));
    connected(&handle).await;
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"files:write\"";
    server.refuse_with(Refusal::forbidden().challenge(challenge));
    server.next_answers_to("tools/call", [ScriptedAnswer::Refuse]);
    let error = echo(&handle, "x").await.unwrap_err();
    assert!(
        matches!(transport_kind(&error), TransportErrorKind::Challenged { status: 403, .. }),
        "{error:?}"
    );
    assert_eq!(echo(&handle, "next").await.unwrap(), "next");
    let snapshot = handle.snapshot();
    assert_eq!((snapshot.status, snapshot.connection), (ServerStatus::Connected, Some(1)));
    // But where every request is refused, the status says so.
    server.accept(Accept::bearer("B"));
    echo(&handle, "x").await.unwrap_err();
    let snapshot = until(&handle, |snapshot| snapshot.status == ServerStatus::NeedsAuth).await;
    assert_eq!(snapshot.code, Some(ReasonCode::InsufficientScope));
    handle.close().await;
}

#[tokio::test]
async fn f105_a_call_that_may_have_run_is_never_sent_twice_and_what_has_no_effects_is() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let handle = supervise(&server);
        connected(&handle).await;
        let drop = || ScriptedAnswer::As(Sse::new().end(SseEnd::DropBeforeResponse).into());
        server.recorder().clear();
        server.next_answers_to("tools/call", [drop()]);
        let error = echo(&handle, "x").await.unwrap_err();
        assert_eq!(*transport_kind(&error), TransportErrorKind::Dropped);
        assert!(error.may_have_been_sent());
        assert_eq!(server.count("tools/call"), 1, "{era:?}");
        // The wire itself tries once more; a third time takes this layer.
        server.next_answers_to("tools/list", [drop(), drop()]);
        assert_eq!(handle.list_tools(&RequestOptions::new()).await.unwrap().tools.len(), 5);
        assert_eq!(server.count("tools/list"), 3, "{era:?}");
        assert_eq!(handle.snapshot().connection, Some(1), "the server was there all the time");
        handle.close().await;
    }
}

#[tokio::test]
async fn a_call_under_way_outlives_the_loss_of_its_connection() {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
    let handle = supervise(&server);
    connected(&handle).await;
    server.next_answers_to("tools/call", [ScriptedAnswer::Late(Duration::from_millis(800))]);
    let call = tokio::spawn({
        let handle = handle.clone();
        async move { echo(&handle, "slow").await }
    });
    server.recorder().wait_for("tools/call", 1).await;
    // A gateway that drains: what is new is refused, what is under way ends well.
    server.always_to("server/discover", ScriptedAnswer::status(503));
    server.next_answers_to("resources/list", [ScriptedAnswer::status(503)]);
    let refused = handle.lease().await.unwrap();
    let error = refused.request("resources/list", None, &RequestOptions::new()).await.unwrap_err();
    handle.report(&refused, &error);
    drop(refused);
    until(&handle, |snapshot| snapshot.connection.is_none()).await;
    assert_eq!(call.await.unwrap().unwrap(), "slow");
    server.always_to("server/discover", ScriptedAnswer::Honest);
    assert_eq!(handle.reconnect().await.status, ServerStatus::Connected);
    handle.close().await;
}

#[tokio::test]
async fn a_server_that_is_gone_is_failed_soon_after_a_call_noticed() {
    let server = FakeMcpServer::builder().start().unwrap();
    let handle = supervise(&server);
    connected(&handle).await;
    // Not by going down: the port would be free for another server that answers.
    server.always(ScriptedAnswer::status(503));
    echo(&handle, "x").await.unwrap_err();
    let snapshot = until(&handle, |snapshot| snapshot.status == ServerStatus::Failed).await;
    assert_eq!(snapshot.code, Some(ReasonCode::Unavailable));
    server.always(ScriptedAnswer::Honest);
    // Mere use finds it again, a second after the last failure at the earliest.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(echo(&handle, "back").await.unwrap(), "back");
    handle.close().await;
}

#[tokio::test]
async fn f116_reconnect_ends_an_attempt_that_hangs() {
    let server = FakeMcpServer::builder().always(ScriptedAnswer::Hang).start().unwrap();
    let handle = supervise(&server);
    server.recorder().wait_until("a request", |requests| !requests.is_empty()).await;
    server.always(ScriptedAnswer::Honest);
    let snapshot = tokio::time::timeout(PATIENCE, handle.reconnect()).await.unwrap();
    assert_eq!(snapshot.status, ServerStatus::Connected);
    handle.close().await;
}

#[tokio::test]
async fn a_server_that_answers_is_there_whatever_it_answers() {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
    let handle = supervise(&server);
    connected(&handle).await;
    let unknown = ScriptedAnswer::RpcError { code: -32601, message: "no such method".to_owned() };
    for (asked, answer) in [unknown, ScriptedAnswer::status(429)].into_iter().enumerate() {
        server.recorder().clear();
        server.next_answers_to("tools/call", [ScriptedAnswer::status(500)]);
        server.next_answers_to("server/discover", [answer]);
        echo(&handle, "x").await.unwrap_err();
        server.recorder().wait_for("server/discover", 1).await;
        assert_eq!(echo(&handle, "y").await.unwrap(), "y");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let snapshot = handle.snapshot();
        assert_eq!((snapshot.status, snapshot.connection), (ServerStatus::Connected, Some(1)), "{asked}");
    }
    handle.close().await;
}

#[tokio::test]
async fn f116_an_attempt_that_is_given_up_after_the_handshake_ends_its_session() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    server.next_answers_to("tools/list", [ScriptedAnswer::Hang]);
    let handle = supervise(&server);
    server.recorder().wait_for("tools/list", 1).await;
    assert_eq!(handle.reconnect().await.status, ServerStatus::Connected);
    server
        .recorder()
        .wait_until("the end of the session", |seen| seen.iter().any(|one| one.method == "DELETE"))
        .await;
    assert_eq!(server.sessions(), 1);
    handle.close().await;
    assert_eq!(server.sessions(), 0);
}

#[tokio::test]
async fn a_list_that_finds_its_connection_lost_waits_for_the_next_one() {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
    let handle = supervise(&server);
    connected(&handle).await;
    // The list fails, and so does the question whether the server is there; then it is back, but its list is not.
    server.next_answers_to("tools/list", [ScriptedAnswer::status(503), ScriptedAnswer::status(503)]);
    server.next_answers_to("server/discover", [ScriptedAnswer::status(503)]);
    let list = handle.list_tools(&RequestOptions::new()).await.unwrap();
    assert_eq!((list.tools.len(), handle.snapshot().connection), (5, Some(2)));
    handle.close().await;
}

/// A supervisor whose server is wherever `url` says when it connects.
fn supervise_at(url: &Arc<Mutex<Url>>) -> SupervisorHandle {
    let url = url.clone();
    let source = move || {
        let url = url.lock().unwrap().clone();
        std::future::ready(Ok(Server::new(Endpoint::Http(HttpEndpoint::new(url)))))
    };
    Supervisor::start(connector(), SupervisorConfig::new("web", source).with_policy(quick()))
}

#[tokio::test]
async fn f133_reconnect_goes_where_the_configuration_points_now() {
    let (first, second) = (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    let url = Arc::new(Mutex::new(first.url()));
    let handle = supervise_at(&url);
    connected(&handle).await;
    *url.lock().unwrap() = second.url();
    echo(&handle, "x").await.unwrap();
    assert_eq!((first.count("tools/call"), second.count("tools/call")), (1, 0));
    let snapshot = handle.reconnect().await;
    assert_eq!(snapshot.origin.as_deref(), Some(&*second.origin()));
    echo(&handle, "x").await.unwrap();
    assert_eq!((first.count("tools/call"), second.count("tools/call")), (1, 1));
    handle.close().await;
}

#[tokio::test]
async fn f112_tools_that_cannot_be_listed_again_stay_what_they_were() {
    let (first, second) = (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    let url = Arc::new(Mutex::new(first.url()));
    let handle = supervise_at(&url);
    connected(&handle).await;
    for server in [&first, &second] {
        server.always_to("tools/list", ScriptedAnswer::status(500));
    }
    let snapshot = handle.reconnect().await;
    assert_eq!(snapshot.status, ServerStatus::Connected);
    assert_eq!(snapshot.reason().unwrap().code, ReasonCode::ToolsUnavailable, "and that is said");
    assert_eq!(snapshot.tools.unwrap().tools.len(), 5);

    *url.lock().unwrap() = second.url();
    assert!(handle.reconnect().await.tools.is_none(), "another server has other tools");

    second.always_to("tools/list", ScriptedAnswer::Honest);
    second.set_tools(mcp_testkit::FakeTool::many(7));
    assert_eq!(handle.reconnect().await.tools.unwrap().tools.len(), 7);
    handle.close().await;
}

#[cfg(all(unix, feature = "stdio"))]
#[tokio::test]
async fn f112_a_changed_command_has_tools_of_its_own() {
    /// Lists one tool of the name `$TOOL`; where that is empty, it refuses to.
    const SERVER: &str = r#"while read -r line; do
        id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
        case "$line" in
          *'"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}';;
          *'"tools/list"'*) result='{"tools":[{"name":"'"$TOOL"'","inputSchema":{}}]}';;
          *) continue;;
        esac
        if [ -z "$TOOL" ] && [ "$id" != 0 ]; then
          echo '{"jsonrpc":"2.0","id":'"$id"',"error":{"code":-32603,"message":"no"}}'
        else
          echo '{"jsonrpc":"2.0","id":'"$id"',"result":'"$result"'}'
        fi
      done"#;
    let command = Arc::new(Mutex::new(("one", "")));
    let source = {
        let command = command.clone();
        move || {
            let (tool, argument) = *command.lock().unwrap();
            let mut endpoint = mcp_transport::StdioEndpoint::new("/bin/sh");
            endpoint.args = vec!["-c".into(), SERVER.into(), "server".into(), argument.into()];
            endpoint.env = [("TOOL".into(), tool.into()), ("PATH".into(), "/usr/bin:/bin".into())].into();
            std::future::ready(Ok(Server::new(Endpoint::Stdio(endpoint))))
        }
    };
    let handle = Supervisor::start(connector(), SupervisorConfig::new("local", source).with_policy(quick()));
    connected(&handle).await;
    let names = |snapshot: &mcp_transport::supervisor::StatusSnapshot| -> Option<Vec<String>> {
        Some(snapshot.tools.as_ref()?.tools.iter().map(|tool| tool.name.clone()).collect())
    };
    assert_eq!(names(&handle.snapshot()), Some(vec!["one".to_owned()]));

    // Another command that lists nothing now: what the first one had is not its own.
    *command.lock().unwrap() = ("", "--other");
    let snapshot = handle.reconnect().await;
    assert_eq!(snapshot.reason().unwrap().code, ReasonCode::ToolsUnavailable);
    assert_eq!(names(&snapshot), None, "another command has other tools");
    *command.lock().unwrap() = ("two", "--other");
    assert_eq!(names(&handle.reconnect().await), Some(vec!["two".to_owned()]));
    handle.close().await;
}

#[tokio::test]
async fn notifications_survive_a_reconnect() {
    for era in [FakeEra::Legacy, FakeEra::Modern, FakeEra::HttpSse] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let handle = supervise(&server);
        connected(&handle).await;
        let mut notifications = handle.notifications();
        for round in 0..3 {
            // The stream of the connection before may still count, so once may not be enough.
            let notification = async {
                loop {
                    server.push_tools_changed();
                    let soon = Duration::from_millis(100);
                    if let Ok(notification) = tokio::time::timeout(soon, notifications.next()).await {
                        return notification.unwrap();
                    }
                }
            };
            let notification = tokio::time::timeout(PATIENCE, notification).await;
            let method = notification.unwrap_or_else(|_| panic!("{era:?}, round {round}")).method;
            assert_eq!(method, "notifications/tools/list_changed", "{era:?}");
            handle.reconnect().await;
        }
        handle.close().await;
        let gone = async {
            while server.open_streams() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.unwrap();
    }
}

#[cfg(target_os = "linux")]
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Other tests of this binary open files as well when it runs as one process, so this one has a process of its
/// own under nextest, and a generous margin otherwise: 100 leaks are more.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn f118_a_hundred_reconnects_leave_nothing_behind() {
    for era in [FakeEra::Legacy, FakeEra::Modern, FakeEra::HttpSse] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let handle = supervise(&server);
        let metrics = tokio::runtime::Handle::current().metrics();
        for _ in 0..5 {
            handle.reconnect().await;
        }
        let (files, tasks) = (open_files(), metrics.num_alive_tasks());
        for _ in 0..100 {
            assert_eq!(handle.reconnect().await.status, ServerStatus::Connected);
        }
        assert_eq!(echo(&handle, "still there").await.unwrap(), "still there");
        // Farewells are still under way for a moment, and how many sockets are pooled varies by a few.
        for _ in 0..100 {
            if metrics.num_alive_tasks() <= tasks + 5 && server.open_connections() <= 6 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(metrics.num_alive_tasks() <= tasks + 5, "{era:?}: {tasks} to {}", metrics.num_alive_tasks());
        assert!(server.open_connections() <= 6, "{era:?}: {}", server.open_connections());
        assert!(open_files() <= files + 40, "{era:?}: {files} to {}", open_files());
        if era == FakeEra::Legacy {
            assert!(server.sessions() <= 2, "each session was ended: {}", server.sessions());
        }
        handle.close().await;
        assert!(handle.snapshot().closed);
        no_violations(&server);
    }
}

#[cfg(all(feature = "stdio", unix))]
mod local {
    use std::ffi::OsString;

    use mcp_transport::StdioEndpoint;

    use super::*;

    /// Answers `initialize`, and `ping` with the id of its process; ends itself when asked to.
    const SERVER: &str = r#"while read -r line; do
  id=$(printf '%s' "$line" | sed 's/.*"id":\([0-9]*\).*/\1/')
  case "$line" in
    *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"sh","version":"1"}}}\n' "$id" ;;
    *'"who"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"pid":%s}}\n' "$id" "$$" ;;
    *'"die"'*) exit 3 ;;
  esac
done"#;

    async fn who(handle: &SupervisorHandle) -> u64 {
        let result = handle.request("who", None, &RequestOptions::new()).await.unwrap();
        let result: serde_json::Value = serde_json::from_str(result.get()).unwrap();
        result["pid"].as_u64().unwrap()
    }

    #[tokio::test]
    async fn a_local_server_that_dies_is_started_again() {
        let mut endpoint = StdioEndpoint::new("sh");
        endpoint.args = ["-c", SERVER].map(OsString::from).to_vec();
        endpoint.env = [("PATH".into(), "/usr/bin:/bin".into())].into();
        let handle = start(connector(), Server::new(Endpoint::Stdio(endpoint)));
        connected(&handle).await;
        let first = who(&handle).await;
        let error = handle.request("die", None, &RequestOptions::new()).await.unwrap_err();
        assert!(error.may_have_been_sent(), "{error:?}");
        let second = who(&handle).await;
        assert_ne!(first, second);
        handle.reconnect().await;
        let third = who(&handle).await;
        assert_ne!(second, third);
        handle.close().await;
        for pid in [first, second, third] {
            assert!(!mcp_harness::process_is_alive(pid.try_into().unwrap()), "{pid} is left behind");
        }
    }
}

/// A session whose every request is refused, and that cannot be replaced, is not connected.
#[tokio::test]
async fn fb_t5e_a_session_whose_every_request_is_refused_is_not_connected() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let handle = supervise(&server);
    connected(&handle).await;
    let refusal =
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: no valid session"}}"#;
    server.say_of_unknown_sessions(HttpAnswer::new(400).body("application/json", refusal));
    server.always_to("initialize", HttpAnswer::new(400).body("text/plain", "not now").into());
    server.expire_sessions();
    // Refusals are no sign of life, however fresh.
    tokio::time::sleep(Duration::from_millis(600)).await;
    echo(&handle, "refused").await.unwrap_err();
    assert_ne!(handle.verify().await.status, ServerStatus::Connected);

    // And it heals when the server does.
    server.always_to("initialize", ScriptedAnswer::Honest);
    handle.reconnect().await;
    until(&handle, |snapshot| snapshot.status == ServerStatus::Connected).await;
    assert_eq!(echo(&handle, "again").await.unwrap(), "again");
    handle.close().await;
}

/// Supplies one token after another, and the last one again.
#[derive(Debug)]
struct InTurn(Mutex<Vec<&'static str>>);

impl CredentialSource for InTurn {
    fn name(&self) -> &str {
        "mint"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        let mut tokens = self.0.lock().unwrap();
        let token = if tokens.len() > 1 { tokens.remove(0) } else { tokens[0] };
        Box::pin(async move { Ok(Credentials::new("mint", [bearer(token)])) })
    }
}

/// What a person can do follows from who supplies the credentials, which no one has to say again.
#[tokio::test]
async fn a_report_knows_what_the_provider_of_its_connection_can_do() {
    let fixed: Arc<dyn AuthProvider> = Arc::new(StaticHeaders::new([bearer("wrong")]));
    let minting: Arc<dyn AuthProvider> = Arc::new(SingleFlight::new(InTurn(Mutex::new(vec!["wrong"]))));
    for (auth, wants_an_edit) in [(fixed, true), (minting, false)] {
        let server = FakeMcpServer::builder().accept(Accept::bearer("right")).start().unwrap();
        let handle = start(connector(), target(&server).with_auth(auth));
        let report = handle.decided().await.report();
        assert_eq!(report.status, ServerStatus::NeedsAuth);
        assert_eq!(report.actions.contains(&Action::EditConfig), wants_an_edit, "{report:?}");
        assert_eq!(report.actions.first(), Some(&Action::Reconnect));
        handle.close().await;
    }
}

/// What a command or a sign-in supplied is known to the connection alone, and so is what it supplied before.
#[tokio::test]
async fn s_m11_k5_a_server_that_calls_itself_by_its_token_is_not_told_by_it() {
    for tokens in [&["canary-one-token"][..], &["canary-old-token", "canary-one-token"]] {
        let server = FakeMcpServer::builder()
            .accept(Accept::bearer("canary-one-token"))
            .name(format!("I am {} and \u{63}anary%2Done%2Dtoken", tokens[0]))
            .start()
            .unwrap();
        let provider = Arc::new(SingleFlight::new(InTurn(Mutex::new(tokens.to_vec()))));
        let handle = start(connector(), target(&server).with_auth(provider));
        connected(&handle).await;
        let snapshot = handle.snapshot();
        let shown = snapshot.report().server.unwrap();
        assert_eq!(shown.name, "I am [redacted] and [redacted]");
        // For a program, in its own words.
        let server = handle.server().unwrap();
        assert!(server.info.as_ref().unwrap().name.contains(tokens[0]));
    }
}
