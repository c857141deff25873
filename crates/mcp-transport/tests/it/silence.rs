//! Networks that swallow what is sent, and what a supervisor makes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mcp_auth::{AuthFuture, CredentialSource, Credentials, FetchReason, SingleFlight};
use mcp_status::{ReasonCode, ServerStatus};
use mcp_testkit::{FakeEra, FakeMcpServer, Fault, FlakyProxy, ScriptedAnswer};
use mcp_transport::supervisor::{RequestError, ServerSource, SupervisorConfig};
use mcp_transport::{Endpoint, HttpEndpoint, RequestOptions, Server, Supervisor, SupervisorHandle};
use serde_json::json;

use crate::field_server::{Bytes, FieldServer, http};
use crate::support::{PATIENCE, connector, raw, text_of, until};

fn start(server: Server) -> SupervisorHandle {
    supervised(move || std::future::ready(Ok(server.clone())))
}

fn supervised(source: impl ServerSource) -> SupervisorHandle {
    let mut config = SupervisorConfig::new("web", source);
    // Its server is looked at by requests alone.
    config.policy.list = None;
    Supervisor::start(connector(), config)
}

async fn connected(server: Server) -> SupervisorHandle {
    let handle = start(server);
    assert_eq!(handle.decided().await.status, ServerStatus::Connected);
    handle
}

fn through(proxy: &FlakyProxy, server: &FakeMcpServer) -> Server {
    Server::new(Endpoint::Http(HttpEndpoint::new(proxy.url_for(&server.url()))))
}

async fn echo(handle: &SupervisorHandle, text: &str) -> Result<String, RequestError> {
    let arguments = raw(&json!({ "text": text }));
    let options = RequestOptions::new().with_timeout(Duration::from_secs(20));
    let result = handle.call_tool("echo", Some(&arguments), &options).await?;
    Ok(text_of(&result))
}

fn calling(
    handle: &SupervisorHandle,
    text: &'static str,
) -> tokio::task::JoinHandle<Result<String, RequestError>> {
    let handle = handle.clone();
    tokio::spawn(async move { echo(&handle, text).await })
}

#[tokio::test]
async fn fb_x8_a_network_that_stalls_is_noticed_by_a_call_and_keeps_the_session_when_it_is_back() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let proxy = FlakyProxy::start(server.address()).unwrap();
        let handle = connected(through(&proxy, &server)).await;
        assert_eq!(echo(&handle, "before").await.unwrap(), "before");
        let (made, calls) = (server.sessions_made(), server.count("tools/call"));

        proxy.fault(Fault::StallAfter(0));
        proxy.drop_connections();
        // A call at the very moment of the loss may stay unanswered.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let lost = calling(&handle, "lost");
        let pending = until(&handle, |snapshot| snapshot.status == ServerStatus::Pending).await;
        assert_eq!(pending.connection, None, "{era:?}");
        let seen = pending.evidence().and_then(|evidence| evidence.detail.clone());
        assert_eq!(
            seen.as_deref(),
            Some("the server does not answer"),
            "{era:?}: not a time limit of a request"
        );
        assert!(!lost.is_finished(), "what may still be answered is waited for");
        let waiting = calling(&handle, "waiting");
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.fault(Fault::None);
        // The sockets of the stall stay as dead as they are.
        assert_eq!(waiting.await.unwrap().unwrap(), "waiting", "{era:?}");
        let back = handle.snapshot();
        assert_eq!((back.status, back.connection), (ServerStatus::Connected, Some(2)), "{era:?}");
        if era == FakeEra::Legacy {
            assert_eq!(server.sessions_made(), made, "the session was there all the time");
        }
        // What the server tells arrives again: the stream of before swallows it.
        let mut notifications = handle.notifications();
        let heard = async {
            loop {
                server.push_tools_changed();
                let soon = Duration::from_millis(100);
                if let Ok(heard) = tokio::time::timeout(soon, notifications.next()).await {
                    return heard.unwrap().method;
                }
            }
        };
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        assert_eq!(heard.unwrap_or_else(|_| panic!("{era:?}")), "notifications/tools/list_changed");
        lost.abort();
        // Nothing was sent again: the stall let the first one through, and the answer got lost.
        assert!(server.count("tools/call") <= calls + 2, "{era:?}");
        handle.close().await;
    }
}

#[tokio::test]
async fn a_session_that_is_gone_when_the_network_is_back_is_made_again() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let proxy = FlakyProxy::start(server.address()).unwrap();
    let handle = connected(through(&proxy, &server)).await;
    proxy.fault(Fault::StallAfter(0));
    proxy.drop_connections();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let lost = calling(&handle, "lost");
    until(&handle, |snapshot| snapshot.status == ServerStatus::Pending).await;
    server.expire_sessions();
    proxy.fault(Fault::None);
    assert_eq!(echo(&handle, "back").await.unwrap(), "back");
    assert_eq!(server.sessions(), 1);
    lost.abort();
    handle.close().await;
}

#[tokio::test]
async fn a_server_that_refuses_after_a_silence_is_connected_to_from_scratch() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let proxy = FlakyProxy::start(server.address()).unwrap();
    let (target, read) = (through(&proxy, &server), Arc::new(AtomicUsize::new(0)));
    let counted = read.clone();
    let handle = supervised(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(target.clone()))
    });
    assert_eq!(handle.decided().await.status, ServerStatus::Connected);
    proxy.fault(Fault::StallAfter(0));
    proxy.drop_connections();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let lost = calling(&handle, "lost");
    until(&handle, |snapshot| snapshot.status == ServerStatus::Pending).await;
    let before = read.load(Ordering::SeqCst);
    proxy.fault(Fault::Reset);
    let waiting = calling(&handle, "waiting");
    // Whatever is in force by now is what the next connection is made with.
    let asked = async {
        while read.load(Ordering::SeqCst) == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("the source was never asked again");
    proxy.fault(Fault::None);
    assert_eq!(waiting.await.unwrap().unwrap(), "waiting");
    lost.abort();
    handle.close().await;
}

/// A supervised session that is asked after half a second of silence.
async fn watched(target: Server) -> SupervisorHandle {
    let mut config = SupervisorConfig::new("web", move || std::future::ready(Ok(target.clone())));
    config.policy.list = None;
    let mut options = crate::support::options();
    options.first_byte_timeout = Duration::from_millis(500);
    let handle = Supervisor::start(mcp_transport::Connector::new(options), config);
    assert_eq!(handle.decided().await.status, ServerStatus::Connected);
    handle
}

/// A supervisor whose server was connected, and is behind a network now that swallows everything.
async fn stalled(era: FakeEra) -> (FakeMcpServer, FlakyProxy, SupervisorHandle) {
    let server = FakeMcpServer::builder().era(era).start().unwrap();
    let proxy = FlakyProxy::start(server.address()).unwrap();
    let target = through(&proxy, &server);
    let handle = watched(target).await;
    proxy.fault(Fault::StallAfter(0));
    proxy.drop_connections();
    tokio::time::sleep(Duration::from_millis(50)).await;
    (server, proxy, handle)
}

/// A call has no limit of its own, so what was lost with the sockets of a stall must end otherwise: some time after the
/// connection was found again.
#[tokio::test]
async fn fb_b34_what_was_unanswered_in_a_stall_ends_when_the_connection_is_back() {
    let (_server, proxy, handle) = stalled(FakeEra::Legacy).await;
    let lost = tokio::spawn({
        let handle = handle.clone();
        async move { handle.call_tool("echo", None, &RequestOptions::new()).await }
    });
    until(&handle, |snapshot| snapshot.status == ServerStatus::Pending).await;
    assert!(!lost.is_finished(), "its limit is that of the connection");
    proxy.fault(Fault::None);
    let waiting = calling(&handle, "waiting");
    assert_eq!(waiting.await.unwrap().unwrap(), "waiting");
    let error = tokio::time::timeout(PATIENCE, lost).await.expect("it ends").unwrap().unwrap_err();
    assert!(error.to_string().contains("stopped answering"), "{error}");
    handle.close().await;
}

/// The same where it is never found again: nothing else would end the call that its host waits for.
#[tokio::test]
async fn fb_b34_a_call_to_a_server_that_has_died_without_a_word_ends_some_time_later() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let (_server, _proxy, handle) = stalled(era).await;
        let began = tokio::time::Instant::now();
        let unlimited = RequestOptions::new();
        let call = handle.call_tool("echo", None, &unlimited);
        let error = tokio::time::timeout(PATIENCE, call).await.expect("it ends").unwrap_err();
        assert!(error.to_string().contains("stopped answering"), "{era:?}: {error}");
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(5 * 500), "{era:?}: not before: {took:?}");
        handle.close().await;
    }
}

#[tokio::test]
async fn a_call_that_takes_long_says_nothing_about_its_server() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let handle = connected(Server::new(Endpoint::Http(HttpEndpoint::new(server.url())))).await;
        server.next_answers_to("tools/call", [ScriptedAnswer::Late(Duration::from_secs(3))]);
        assert_eq!(echo(&handle, "slow").await.unwrap(), "slow");
        let asked = if era == FakeEra::Modern { "server/discover" } else { "ping" };
        let first = usize::from(era == FakeEra::Modern);
        assert_eq!(server.count(asked), first + 1, "{era:?}: one question, however long it takes");
        assert_eq!(handle.snapshot().connection, Some(1), "{era:?}");
        handle.close().await;
    }
}

/// Takes its time.
#[derive(Debug)]
struct Slow;

impl CredentialSource for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn fetch<'a>(&'a self, why: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        let again = !matches!(why, FetchReason::First);
        Box::pin(async move {
            if again {
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
            let token = if again { "Bearer B" } else { "Bearer A" };
            let header = (http::header::AUTHORIZATION, http::HeaderValue::from_static(token));
            Ok(Credentials::new("slow", [header]))
        })
    }
}

#[tokio::test]
async fn a_source_of_credentials_that_takes_its_time_is_no_silence_of_the_server() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).accept("A").start().unwrap();
        let auth = Arc::new(SingleFlight::new(Slow));
        let target = Server::new(Endpoint::Http(HttpEndpoint::new(server.url()))).with_auth(auth);
        let handle = connected(target).await;
        server.accept("B");
        let calls = [calling(&handle, "one"), calling(&handle, "two")];
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert_eq!(handle.snapshot().connection, Some(1), "{era:?}: it was not taken for lost");
        handle.close().await;
    }
}

#[tokio::test]
async fn who_looks_at_an_idle_connection_is_told_the_truth() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let handle = connected(Server::new(Endpoint::Http(HttpEndpoint::new(server.url())))).await;
        echo(&handle, "before").await.unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
        server.recorder().clear();
        let asked = if era == FakeEra::Modern { "server/discover" } else { "ping" };
        for _ in 0..3 {
            assert_eq!(handle.verify().await.status, ServerStatus::Connected, "{era:?}");
        }
        assert_eq!(server.count(asked), 1, "{era:?}: what was heard just now is believed");
        assert_eq!(handle.snapshot().connection, Some(1));

        tokio::time::sleep(Duration::from_millis(600)).await;
        server.always(ScriptedAnswer::status(503));
        let gone = handle.verify().await;
        assert_eq!(gone.code, Some(ReasonCode::Retrying), "{era:?}");
        server.always(ScriptedAnswer::Honest);
        // A status query finds it back, and not only when the row of waits has come to its end.
        let back = async {
            while handle.verify().await.status != ServerStatus::Connected {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, back).await.unwrap();
        handle.close().await;
    }
}

/// A gateway whose machine for one session is gone keeps its requests, and has another machine for a new one.
#[tokio::test]
async fn fb_x8_a_session_that_is_silent_for_good_is_replaced_where_a_handshake_is_answered() {
    static GONE: AtomicUsize = AtomicUsize::new(0);
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let server = FieldServer::start(|asked| {
        let session = asked.header("mcp-session-id").and_then(|id| id.parse::<usize>().ok());
        if session.is_some_and(|session| session <= GONE.load(Ordering::Relaxed)) {
            return Some(Bytes::Hold(Vec::new()));
        }
        if asked.rpc() != "initialize" {
            return None;
        }
        let made = MADE.fetch_add(1, Ordering::Relaxed) + 1;
        let headers = format!("Content-Type: application/json\r\nMcp-Session-Id: {made}\r\n");
        Some(Bytes::End(http("200 OK", &headers, asked.response()?.to_string().as_bytes())))
    });
    let target = server.target();
    let handle = watched(target).await;
    assert_eq!(echo(&handle, "one").await.unwrap(), "one");
    let before = MADE.load(Ordering::Relaxed);
    GONE.store(before, Ordering::Relaxed);
    let lost = tokio::spawn({
        let handle = handle.clone();
        async move { handle.call_tool("echo", None, &RequestOptions::new()).await }
    });
    until(&handle, |snapshot| snapshot.status == ServerStatus::Pending).await;
    assert_eq!(echo(&handle, "two").await.unwrap(), "two");
    assert_eq!(MADE.load(Ordering::Relaxed), before + 1, "one new session");
    let pings = server.asked().iter().filter(|asked| asked.rpc() == "ping").count();
    // Once in each of its time limits, for as long as the other handshake takes on a busy machine.
    assert!(pings <= 30, "what says nothing is not asked without end: {pings}");
    let error = tokio::time::timeout(PATIENCE, lost).await.expect("it ends").unwrap().unwrap_err();
    assert!(error.to_string().contains("stopped answering"), "{error}");
    handle.close().await;
}
