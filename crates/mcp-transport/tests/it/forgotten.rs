//! Sessions that a server has forgotten, in every word that servers have for it.
//!
//! Longer than 500 lines because the words that servers have for it are one table, and what follows from them is tested beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use mcp_auth::provider::ProviderSnapshot;
use mcp_auth::{AuthFuture, AuthProvider, Capabilities, Credentials, Recovery, Rejection, StaticHeaders};
use mcp_status::{ReasonCode, ServerStatus};
use mcp_testkit::{FakeEra, FakeMcpServer, HttpAnswer, Refusal, ScriptedAnswer};
use mcp_transport::supervisor::SupervisorConfig;
use mcp_transport::{Connection, RequestOptions, Supervisor, TransportErrorKind};
use serde_json::json;

use crate::auth::quick;
use crate::support::{connect, connector, echo, echo_at_once, no_violations, target};

fn rpc(status: u16, code: i64, message: &str) -> HttpAnswer {
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": code, "message": message } });
    HttpAnswer::new(status).body("application/json", body.to_string())
}

/// An error that names another request than the one it answers.
fn rpc_of(id: &str, message: &str) -> String {
    let id = id.parse::<i64>().map_or_else(|_| json!(id), |number| json!(number));
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32600, "message": message } }).to_string()
}

fn stream(data: &str) -> HttpAnswer {
    HttpAnswer::new(200).body("text/event-stream", format!("event: message\ndata: {data}\n\n"))
}

fn text(status: u16, text: &str) -> HttpAnswer {
    HttpAnswer::new(status).body("text/plain", text)
}

fn server() -> FakeMcpServer {
    FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap()
}

/// A connection whose session its server has forgotten, which says so like this.
async fn forgotten(answer: HttpAnswer) -> (FakeMcpServer, Connection) {
    let server = server();
    server.say_of_unknown_sessions(answer);
    let connection = connect(&server).await;
    server.expire_sessions();
    server.recorder().clear();
    (server, connection)
}

#[tokio::test]
async fn fa_a105_a106_fb_t50_t52_t53_t55_t57_t5a_x10_a_forgotten_session_is_renewed_and_the_call_replayed() {
    let words: [(&str, HttpAnswer); 17] = [
        ("T50", rpc(400, -32000, "Bad Request: No valid session ID provided")),
        ("X10", rpc(400, -32000, "Bad Request: Server not initialized")),
        ("T52", text(400, "Invalid session ID")),
        ("T53", rpc(200, -32600, "Invalid Request: session")),
        ("T55", rpc(200, -32001, "Session not found")),
        ("T57", HttpAnswer::new(401).body("application/json", r#"{"error":"Session expired"}"#)),
        ("T5a", text(410, "gone")),
        ("A106", rpc(409, -32000, "conflict")),
        ("a page", HttpAnswer::new(400).body("text/html", "<h1>Bad Request</h1>")),
        ("422", HttpAnswer::new(422).body("application/json", r#"{"detail":"unknown session"}"#)),
        ("403", HttpAnswer::new(403).body("application/json", r#"{"message":"session mismatch"}"#)),
        ("no body", HttpAnswer::new(400)),
        ("own code", rpc(200, -32050, "unknown session")),
        ("invalid", rpc(200, -32602, "Invalid request parameters")),
        (
            "own id",
            HttpAnswer::new(200).body("application/json", rpc_of("server-error", "Session terminated")),
        ),
        ("stream, own id", stream(&rpc_of("server-error", "Session terminated"))),
        ("stream, id of another request", stream(&rpc_of("4711", "Session terminated"))),
    ];
    for (name, answer) in words {
        let server = server();
        server.say_of_unknown_sessions(answer);
        let connection = connect(&server).await;
        echo(&connection, "one").await.unwrap();
        server.expire_sessions();
        server.recorder().clear();
        assert_eq!(echo(&connection, "two").await.unwrap(), "two", "{name}");
        assert_eq!(server.count("initialize"), 1, "{name}");
        assert_eq!(server.count("tools/call"), 2, "{name}");
        assert_eq!(server.count("ping"), 1, "{name}");
        no_violations(&server);
    }
}

/// What may come after the fact is not sent again, and the next call finds a new session. A request without effects is sent
/// again whatever came.
#[tokio::test]
async fn fb_t55_an_error_that_may_come_after_the_fact_renews_the_session_and_is_passed_on() {
    use TransportErrorKind::{Http, Protocol, Rpc};
    let http = |status| Http { status, retry_after: None };
    for (answer, kind) in [
        (rpc(200, -32603, "no session"), Rpc { code: -32603 }),
        (rpc(200, 7, "no session"), Rpc { code: 7 }),
        (HttpAnswer::new(500).body("text/html", "<h1>Server Error</h1>"), http(500)),
        (text(501, "what?"), http(501)),
        (HttpAnswer::new(202), Protocol),
        (HttpAnswer::new(200), Protocol),
        (HttpAnswer::new(200).body("application/json", "{}"), Protocol),
    ] {
        let shown = format!("{answer:?}");
        let (server, connection) = forgotten(answer).await;
        let error = echo(&connection, "one").await.unwrap_err();
        assert_eq!((error.kind(), error.may_have_been_sent()), (&kind, true), "{shown}");
        assert_eq!(server.count("tools/call"), 1, "sent once: {shown}");
        assert_eq!(echo(&connection, "two").await.unwrap(), "two", "{shown}");
        assert_eq!(server.count("initialize"), 1, "{shown}");

        server.expire_sessions();
        server.recorder().clear();
        connection.list_tools(&RequestOptions::new()).await.expect(&shown);
        assert_eq!((server.count("tools/list"), server.count("initialize")), (2, 1), "{shown}");
    }
}

/// A server with words of its own for every ping is not one that forgets sessions.
#[tokio::test]
async fn fb_t5d_a_ping_that_is_refused_in_other_words_than_the_call_is_an_answer() {
    for (ping, call) in [
        (rpc(200, -32602, "ping takes no parameters"), rpc(200, -32602, "city is missing")),
        (rpc(200, -32602, "ping takes no parameters"), text(500, "the tool failed")),
        (HttpAnswer::new(202), rpc(200, -32603, "quota")),
        (HttpAnswer::new(202), text(500, "the tool failed")),
    ] {
        let shown = format!("{ping:?} {call:?}");
        let server = server();
        server.always_to("ping", ping.into());
        let connection = connect(&server).await;
        server.recorder().clear();
        for _ in 0..3 {
            server.next_answers_to("tools/call", [call.clone().into()]);
            echo(&connection, "x").await.unwrap_err();
        }
        assert_eq!((server.count("tools/call"), server.count("initialize")), (3, 0), "{shown}");
    }
}

#[tokio::test]
async fn fb_t5d_an_ordinary_error_of_one_call_starts_nothing() {
    for answer in [
        rpc(400, -32602, "invalid arguments"),
        rpc(200, -32603, "internal error"),
        rpc(200, -32000, "quota"),
        text(500, "the tool failed"),
        HttpAnswer::new(202),
        text(400, "bad"),
        text(403, "not this tool"),
        text(409, "busy"),
    ] {
        let shown = format!("{answer:?}");
        let server = server();
        let connection = connect(&server).await;
        server.recorder().clear();
        server.next_answers_to("tools/call", [answer.into()]);
        echo(&connection, "x").await.unwrap_err();
        assert_eq!((server.count("tools/call"), server.count("initialize")), (1, 0), "{shown}");
        assert_eq!(echo(&connection, "y").await.unwrap(), "y", "{shown}");
        assert_eq!(server.count("initialize"), 0, "{shown}");
    }
}

#[tokio::test]
async fn fb_x2_x3_trouble_on_the_way_is_not_a_forgotten_session() {
    for (answer, pings) in [
        (ScriptedAnswer::status(503), 1),
        (ScriptedAnswer::status(429), 1),
        (ScriptedAnswer::retry_after(503, 30), 0),
        (ScriptedAnswer::retry_after(429, 30), 0),
        (ScriptedAnswer::status(504), 0),
        (ScriptedAnswer::Drop, 0),
    ] {
        let shown = format!("{answer:?}");
        let server = server();
        let connection = connect(&server).await;
        server.recorder().clear();
        server.next_answers_to("tools/call", [answer]);
        echo(&connection, "x").await.unwrap_err();
        assert_eq!((server.count("tools/call"), server.count("ping")), (1, pings), "{shown}");
        assert_eq!(server.count("initialize"), 0, "{shown}");
    }
}

/// What stands in front of a server that is gone says so of its sessions, and lets a new one be made (behaviour of gateways
/// that keep a session on one machine). Whether a call ran that is answered 5xx is not known.
#[tokio::test]
async fn fb_x2_a_session_that_is_answered_as_by_a_busy_server_is_renewed_where_a_handshake_is_answered() {
    for (answer, replayed) in [
        (text(503, "no such session"), false),
        (HttpAnswer::new(502).body("text/html", "<h1>Bad Gateway</h1>"), false),
        (rpc(503, -32000, "session not found"), false),
        (text(503, "session lost").header("retry-after", "30"), false),
        (text(429, "unknown session"), true),
        (HttpAnswer::new(429), true),
    ] {
        let shown = format!("{answer:?}");
        let (server, connection) = forgotten(answer).await;
        assert_eq!(echo(&connection, "one").await.is_ok(), replayed, "{shown}");
        assert_eq!(server.count("tools/call"), 1 + usize::from(replayed), "{shown}");
        assert_eq!(echo(&connection, "two").await.unwrap(), "two", "{shown}");
        assert_eq!((server.count("initialize"), server.count("ping")), (1, 1), "{shown}");
        no_violations(&server);
    }
}

/// A server that is busy with everything keeps its session, and is asked about it by one of many.
#[tokio::test]
async fn fb_x2_a_busy_server_is_asked_once_about_its_session_however_many_calls_it_refuses() {
    let server = server();
    let connection = connect(&server).await;
    server.recorder().clear();
    for method in ["ping", "tools/call", "initialize"] {
        server.always_to(method, ScriptedAnswer::status(503));
    }
    let calls = (0..10).map(|_| {
        let connection = connection.clone();
        tokio::spawn(async move { echo(&connection, "x").await })
    });
    for call in calls.collect::<Vec<_>>() {
        let error = call.await.unwrap().unwrap_err();
        let kind = TransportErrorKind::Http { status: 503, retry_after: None };
        assert_eq!(*error.kind(), kind, "the word of the server stands");
    }
    assert_eq!(["tools/call", "ping", "initialize"].map(|method| server.count(method)), [10, 1, 1]);
    for method in ["ping", "tools/call", "initialize"] {
        server.always_to(method, ScriptedAnswer::Honest);
    }
    assert_eq!(echo(&connection, "y").await.unwrap(), "y", "in the session that it knew all along");
    assert_eq!(server.count("initialize"), 1);
}

/// A session is gone and no new one can be made: what keeps it from being made is what is told.
#[tokio::test]
async fn fb_t50_a_new_session_that_cannot_be_made_is_told_as_what_keeps_it_from_being_made() {
    let server = server();
    server.say_of_unknown_sessions(text(400, "Invalid session ID"));
    let connection = connect(&server).await;
    echo(&connection, "one").await.unwrap();
    server.expire_sessions();
    server.always_to("initialize", text(410, "no room").into());
    let error = echo(&connection, "x").await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::SessionGone, "it was not run");
    let evidence = error.evidence();
    let outcome = mcp_status::Outcome::Http { status: 410, retry_after: None };
    assert_eq!((evidence.outcome, evidence.detail.as_deref()), (outcome, Some("no room")));
}

/// A server that does not know `ping` has answered it; one that refuses it in every session is not asked twice.
#[tokio::test]
async fn fb_t5d_a_server_without_a_working_ping_is_not_greeted_again_and_again() {
    let server = server();
    let connection = connect(&server).await;
    server.recorder().clear();
    server.always_to("ping", rpc(200, -32601, "Method not found").into());
    server.always_to("tools/call", rpc(400, -32000, "no").into());
    echo(&connection, "x").await.unwrap_err();
    assert_eq!(server.count("initialize"), 0);

    server.always_to("ping", rpc(400, -32000, "no").into());
    for _ in 0..5 {
        echo(&connection, "x").await.unwrap_err();
    }
    assert_eq!(server.count("initialize"), 1, "the new session was refused in the same way");
}

#[tokio::test]
async fn fb_t50_many_calls_that_find_the_session_forgotten_renew_it_once() {
    let server = server();
    server.say_of_unknown_sessions(rpc(400, -32000, "Bad Request: No valid session ID provided"));
    let connection = connect(&server).await;
    server.expire_sessions();
    server.recorder().clear();
    echo_at_once(&connection, 20).await;
    assert_eq!(server.count("initialize"), 1);
}

#[tokio::test]
async fn fb_t57_a_server_that_wants_credentials_from_now_on_says_so() {
    let server = server();
    let connection = connect(&server).await;
    server.accept(mcp_testkit::Accept::Nothing);
    server.refuse_with(Refusal::status(401));
    let error = echo(&connection, "x").await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Challenged { status: 401, .. }), "{error:?}");
}

/// Has these credentials and no others, and a person who can sign in, or none.
#[derive(Debug)]
struct Fixed {
    login_offered: bool,
    /// How often others were asked for.
    asked: AtomicUsize,
}

impl Fixed {
    fn new(login_offered: bool) -> Arc<Self> {
        Arc::new(Self { login_offered, asked: AtomicUsize::new(0) })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl AuthProvider for Fixed {
    fn name(&self) -> &str {
        "fixed"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, true)
    }

    fn credentials(&self) -> AuthFuture<'_, Credentials> {
        Box::pin(std::future::ready(Ok(Credentials::none())))
    }

    fn on_rejected<'a>(&'a self, _: Rejection<'a>) -> AuthFuture<'a, Recovery> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(Ok(Recovery::LoginRequired)))
    }

    fn snapshot(&self) -> ProviderSnapshot {
        let mut snapshot = ProviderSnapshot::default();
        snapshot.login_offered = self.login_offered;
        snapshot
    }
}

fn challenge(status: u16, challenge: &str) -> HttpAnswer {
    HttpAnswer::new(status)
        .header("www-authenticate", challenge)
        .body("application/json", r#"{"error":"session expired"}"#)
}

/// What would answer the challenge was asked for in vain, or there is none: it may be the session that is refused.
#[tokio::test]
async fn fb_t57_a_session_that_is_refused_with_a_challenge_that_nothing_answers_is_renewed() {
    let fixed = StaticHeaders::new([(AUTHORIZATION, HeaderValue::from_static("Bearer A"))]);
    let fixed: Arc<dyn AuthProvider> = Arc::new(fixed);
    for provider in [None, Some(fixed), Some(Fixed::new(false) as Arc<dyn AuthProvider>)] {
        for answer in [
            challenge(401, r#"Bearer error="invalid_token""#),
            challenge(401, "Basic realm=x"),
            challenge(403, "Bearer"),
        ] {
            let shown = format!("{provider:?} {answer:?}");
            let server = server();
            server.say_of_unknown_sessions(answer);
            let mut target = target(&server);
            target.auth = provider.clone();
            let connection = connector().attempt(&target).await.unwrap();
            echo(&connection, "one").await.unwrap();
            server.expire_sessions();
            server.recorder().clear();
            assert_eq!(echo(&connection, "two").await.unwrap(), "two", "{shown}");
            let counts = ["tools/call", "ping", "initialize"].map(|method| server.count(method));
            assert_eq!(counts, [2, 1, 1], "{shown}");
            no_violations(&server);
        }
    }
}

/// Where a person can sign in, that is what the challenge says. One that is meant refuses a new session as well, is looked at
/// once by many calls, and no source of credentials is asked because of that.
#[tokio::test]
async fn fb_t57_a_challenge_that_is_meant_stands_and_costs_one_look() {
    for (provider, looks) in [(Fixed::new(true), 0), (Fixed::new(false), 1)] {
        let server = server();
        let connection = connector().attempt(&target(&server).with_auth(provider.clone())).await.unwrap();
        echo(&connection, "one").await.unwrap();
        server.accept(mcp_testkit::Accept::Nothing);
        server.refuse_with(Refusal::unauthorized());
        server.recorder().clear();
        for _ in 0..5 {
            let error = echo(&connection, "x").await.unwrap_err();
            assert!(matches!(error.kind(), TransportErrorKind::Challenged { status: 401, .. }), "{error:?}");
        }
        let counts = ["tools/call", "ping", "initialize"].map(|method| server.count(method));
        assert_eq!(counts, [5, looks, looks]);
        assert_eq!(provider.asked(), 5, "once for each call");
    }
    // A session in which nothing was answered may never have been taken.
    let server = server();
    server.always_to("tools/call", challenge(401, "Bearer").into());
    let connection = connect(&server).await;
    echo(&connection, "x").await.unwrap_err();
    assert_eq!(["ping", "initialize"].map(|method| server.count(method)), [0, 1]);
}

/// 404 is the specified word for it, whatever stands below it: no `ping` is needed to believe it.
#[tokio::test]
async fn fb_t49_t59_a_404_is_believed_whatever_its_body() {
    for (name, answer) in [
        ("T49", HttpAnswer::new(404)),
        ("T59: text", text(404, "Session not found")),
        ("T59: a page", HttpAnswer::new(404).body("text/html", "<h1>Not Found</h1>")),
        ("T59: no id", rpc(404, -32001, "Session not found")),
        ("T59: JSON that is not JSON-RPC", HttpAnswer::new(404).body("application/json", "{\"detail\":[]}")),
        ("T59: JSON that is none", HttpAnswer::new(404).body("application/json", "{")),
    ] {
        let (server, connection) = forgotten(answer).await;
        assert_eq!(echo(&connection, "two").await.unwrap(), "two", "{name}");
        let counts = ["initialize", "tools/call", "ping"].map(|method| server.count(method));
        assert_eq!(counts, [1, 2, 0], "{name}");
        no_violations(&server);
    }
}

/// An answer that breaks off behind its head came too late to be sure that nothing ran.
#[tokio::test]
async fn fb_x2b_a_call_whose_answer_breaks_off_is_sent_once() {
    let half = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
    for answer in [
        HttpAnswer::new(200).body("application/json", half).drop_after(20),
        HttpAnswer::new(200).body("text/event-stream", format!("data: {half}\n\n")).drop_after(20),
        HttpAnswer::new(502).body("text/html", "<h1>Bad Gateway</h1>").drop_after(5),
    ] {
        let shown = format!("{answer:?}");
        let server = server();
        let connection = connect(&server).await;
        server.recorder().clear();
        server.next_answers_to("tools/call", [answer.into()]);
        echo(&connection, "x").await.unwrap_err();
        assert_eq!((server.count("tools/call"), server.count("initialize")), (1, 0), "{shown}");
    }
}

#[tokio::test]
async fn fa_a105_fb_t50_a_server_that_refuses_all_after_its_handshake_is_not_connected() {
    use ReasonCode::{Protocol, Rejected, ToolsUnavailable, Unavailable};
    use ServerStatus::{Connected, Failed};
    let refused = [
        (text(404, "session not found"), Rejected),
        (text(400, "Invalid session ID"), Rejected),
        (rpc(400, -32000, "No valid session ID provided"), Rejected),
        (text(410, "gone"), Rejected),
        (rpc(200, -32001, "Session not found"), Protocol),
        (rpc(200, -32602, "Invalid request parameters"), Protocol),
        (HttpAnswer::new(202), Protocol),
        (stream(&rpc_of("server-error", "Session terminated")), Protocol),
        (HttpAnswer::new(500).body("text/html", "<h1>Server Error</h1>"), Unavailable),
    ];
    for (answer, code) in refused {
        let shown = format!("{answer:?}");
        // A ping that is answered, or refused as a method, is an answer: that server refuses its list alone.
        for (ping, expected) in [
            (ScriptedAnswer::from(answer.clone()), (Failed, Some(code))),
            (ScriptedAnswer::Honest, (Connected, Some(ToolsUnavailable))),
            (rpc(200, -32601, "no such method").into(), (Connected, Some(ToolsUnavailable))),
        ] {
            let server = server();
            server.always_to("ping", ping);
            server.always_to("tools/list", answer.clone().into());
            let ended = connector().connect_observed(&target(&server), &quick(), |_, _| {}).await;
            assert_eq!((ended.machine.status(), ended.machine.code()), expected, "{shown}");
        }
    }
}

/// A server that has answered anything knows its sessions, whatever it says of one call and of a ping.
#[tokio::test]
async fn fb_t5d_a_refused_call_on_a_server_that_refuses_pings_is_an_error_of_the_call() {
    let server = server();
    server.always_to("ping", text(400, "no pings").into());
    let connection = connect(&server).await;
    echo(&connection, "x").await.unwrap();
    for _ in 0..2 {
        server.next_answers_to("tools/call", [text(400, "bad").into(), text(400, "bad").into()]);
        let error = echo(&connection, "y").await.unwrap_err();
        assert!(matches!(error.kind(), TransportErrorKind::Http { status: 400, .. }), "{error:?}");
        server.clear_script();
    }
    assert_eq!(echo(&connection, "z").await.unwrap(), "z");
}

/// The new handshake is refused as well: nothing of it ever worked.
#[tokio::test]
async fn fa_a105_fb_t50_nor_is_one_that_refuses_the_second_handshake_too() {
    for (answer, code) in [
        (text(404, "session not found"), ReasonCode::Rejected),
        (text(400, "Invalid session ID"), ReasonCode::Rejected),
        (rpc(400, -32000, "Server not initialized"), ReasonCode::Rejected),
    ] {
        let shown = format!("{answer:?}");
        let server = server();
        for method in ["ping", "tools/list"] {
            server.always_to(method, answer.clone().into());
        }
        server.next_answers_to("initialize", [ScriptedAnswer::Honest]);
        server.always_to("initialize", answer.into());
        let ended = connector().connect_observed(&target(&server), &quick(), |_, _| {}).await;
        let found = (ended.machine.status(), ended.machine.code());
        assert_eq!(found, (ServerStatus::Failed, Some(code)), "{shown}");
        assert!(server.count("initialize") <= 8, "{shown}: {}", server.count("initialize"));
    }
}

/// A server that is there answers something: the list that it gave before.
#[tokio::test]
async fn fb_t5d_a_first_call_that_is_refused_beside_every_ping_is_an_error_of_the_call() {
    let server = server();
    server.always_to("ping", text(400, "no pings").into());
    server.always_to("tools/call", text(400, "bad").into());
    let connection = connect(&server).await;
    for _ in 0..3 {
        let error = echo(&connection, "y").await.unwrap_err();
        assert!(matches!(error.kind(), TransportErrorKind::Http { status: 400, .. }), "{error:?}");
    }
    assert!(server.count("initialize") <= 2, "{}", server.count("initialize"));
    server.always_to("tools/list", text(400, "bad").into());
    let connection = connect(&server).await;
    let error = echo(&connection, "y").await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::SessionRefused { status: 400 });
}

/// A connection that worked, to a server that refuses everything from some time on, in words of its own.
#[tokio::test]
async fn fa_a105_fb_t50_a_connection_that_stands_is_not_shown_as_connected_when_all_is_refused() {
    for answer in [text(400, "Invalid session ID"), text(404, "gone"), rpc(200, -32001, "Session not found")]
    {
        let shown = format!("{answer:?}");
        let server = server();
        let source = target(&server);
        let source = move || std::future::ready(Ok(source.clone()));
        let config = SupervisorConfig::new("web", source).with_policy(crate::supervisor::quick());
        let handle = Supervisor::start(connector(), config);
        assert_eq!(handle.decided().await.status, ServerStatus::Connected);
        for method in ["ping", "tools/list", "tools/call"] {
            server.always_to(method, answer.clone().into());
        }
        server.recorder().clear();
        handle.request("tools/call", None, &RequestOptions::new()).await.unwrap_err();
        let mut status = handle.status();
        let failed = status.wait_for(|snapshot| snapshot.status == ServerStatus::Failed);
        tokio::time::timeout(Duration::from_secs(20), failed).await.expect(&shown).unwrap();
        let greeted = server.count("initialize");
        assert!(greeted <= 6, "{shown}: {greeted}");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(server.count("initialize"), greeted, "no handshake by itself: {shown}");

        // What knows its sessions again is connected when it is asked for.
        for method in ["ping", "tools/list", "tools/call"] {
            server.always_to(method, ScriptedAnswer::Honest);
        }
        assert_eq!(handle.reconnect().await.status, ServerStatus::Connected, "{shown}");
        handle.close().await;
    }
}

/// The same over a wire of one stream, where no new session can be made.
#[cfg(unix)]
#[tokio::test]
async fn fa_a105_a_local_server_that_refuses_all_after_its_handshake_is_not_connected() {
    use mcp_transport::{Endpoint, Server, StdioEndpoint};
    const SCRIPT: &str = r#"while read -r line; do
  id=${line##*'"id":'}; id=${id%%[!0-9]*}
  case $line in
    *'"notifications/'*) ;;
    *'"server/discover"'*) echo '{"jsonrpc":"2.0","id":'$id',"error":{"code":-32601,"message":"?"}}' ;;
    *'"initialize"'*) echo '{"jsonrpc":"2.0","id":'$id',"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}}' ;;
    *'"ping"'*) echo '{"jsonrpc":"2.0","id":'$id',"error":{"code":'$PING',"message":"not initialized"}}' ;;
    *) echo '{"jsonrpc":"2.0","id":'$id',"error":{"code":-32002,"message":"not initialized"}}' ;;
  esac
done"#;
    for (ping, expected) in [
        ("-32002", (ServerStatus::Failed, ReasonCode::Protocol)),
        ("-32601", (ServerStatus::Connected, ReasonCode::ToolsUnavailable)),
    ] {
        let mut endpoint = StdioEndpoint::new("/bin/sh");
        endpoint.args = vec!["-c".into(), SCRIPT.into()];
        endpoint.env.insert("PING".into(), ping.into());
        let server = Server::new(Endpoint::Stdio(endpoint));
        let ended = connector().connect_observed(&server, &quick(), |_, _| {}).await;
        assert_eq!((ended.machine.status(), ended.machine.code().unwrap()), expected, "{ping}");
    }
}
