//! The main story inside one session, wired from the public API as an embedding program would wire it: files →
//! entry → plan → provider → connection.

use std::ffi::OsString;
use std::time::Duration;

use mcp_auth::{AuthPlan, Parts};
use mcp_config::{Config, Env, Request};
use mcp_status::{Evidence, ReasonCode, ServerStatus, classify};
use mcp_testkit::{Accept, FakeEra, FakeHelper, FakeMcpServer, Refusal, ScriptedAnswer};
use mcp_transport::{
    ClientInfo, ClientOptions, Connection, Connector, Endpoint, HttpEndpoint, RequestOptions, Server,
    TransportError, TransportErrorKind,
};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::setting::{Setting, assert_always_sent, authorizations, with_helper};

/// Connects to a server of the home's configuration.
async fn connect(setting: &Setting, name: &str) -> Connection {
    let environment = setting.home.environment("/usr/bin:/bin");
    let env: Env = environment.into_iter().map(|(k, v)| (OsString::from(k), OsString::from(v))).collect();
    let config = Config::load(&Request::new(setting.home.project(), env.clone()));
    let (target, settings) = config.entry(name).unwrap().lower(&env).unwrap();
    let provider = AuthPlan::resolve(&settings).build(&target, Parts::new()).unwrap();
    let server = Server::new(Endpoint::Http(HttpEndpoint::new(target.url.clone()))).with_auth(provider);
    let connector = Connector::new(ClientOptions::new(ClientInfo::new("embedder", "1.0")));
    connector.attempt(&server).await.unwrap()
}

async fn echo(connection: &Connection, text: &str) -> Result<String, TransportError> {
    let arguments = to_raw_value(&json!({ "text": text })).unwrap();
    let result = connection.call_tool("echo", Some(&arguments), &RequestOptions::new()).await?;
    let result: Value = serde_json::from_str(result.get()).unwrap();
    Ok(result["content"][0]["text"].as_str().unwrap().to_owned())
}

/// A server that accepts what its helper prints, which is `token`.
fn cast(token: &str) -> (FakeHelper, FakeMcpServer, Setting) {
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearer(token);
    // Advertised, and none of the client's business as long as the helper is there.
    let refusal = Refusal::status(401)
        .challenge("Bearer resource_metadata=\"http://127.0.0.1:9/.well-known/oauth-protected-resource\"");
    let server = FakeMcpServer::builder().accept(token).refuse_with(refusal).start().unwrap();
    let setting = Setting::of("internal", with_helper(&server, &helper));
    (helper, server, setting)
}

#[tokio::test]
async fn f001_a_token_that_expires_in_a_session_costs_one_run_and_no_oauth() {
    let (helper, server, setting) = cast("A");
    let connection = connect(&setting, "internal").await;
    assert_eq!(echo(&connection, "first").await.unwrap(), "first");
    assert_eq!(helper.runs(), 1);

    server.accept("B");
    helper.prints_bearer("B");
    assert_eq!(echo(&connection, "second").await.unwrap(), "second");

    assert_eq!(helper.runs(), 2);
    assert_always_sent(&server, "authorization");
    assert_eq!(authorizations(&server, "tools/call"), ["Bearer A", "Bearer A", "Bearer B"]);
    connection.close().await;
}

#[tokio::test]
async fn f001_twenty_calls_refused_at_once_cost_one_run_between_them() {
    let (helper, server, setting) = cast("A");
    let connection = connect(&setting, "internal").await;

    server.accept("B");
    helper.prints_bearer("B");
    let calls = (0..20).map(|number| {
        let connection = connection.clone();
        tokio::spawn(async move {
            let text = number.to_string();
            assert_eq!(echo(&connection, &text).await.unwrap(), text);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }

    assert_eq!(helper.runs(), 2);
    assert_always_sent(&server, "authorization");
    connection.close().await;
}

#[tokio::test]
async fn f003_the_same_credentials_again_are_not_sent_again() {
    let (helper, server, setting) = cast("A");
    let connection = connect(&setting, "internal").await;

    server.accept(Accept::Nothing);
    let error = echo(&connection, "x").await.unwrap_err();

    assert!(matches!(error.kind(), TransportErrorKind::Challenged { .. }), "{error:?}");
    let evidence: Evidence = error.evidence();
    assert_eq!(classify(&evidence).status(), ServerStatus::NeedsAuth);
    assert_eq!(classify(&evidence).code(), Some(ReasonCode::CredentialsRejected));
    assert_eq!(server.count("tools/call"), 1, "the answer to the same bytes is known");
    assert_eq!(helper.runs(), 2, "it was asked, and had nothing new");

    server.accept("C");
    helper.prints_bearer("C");
    assert_eq!(echo(&connection, "healed").await.unwrap(), "healed");
    assert_always_sent(&server, "authorization");
    connection.close().await;
}

#[tokio::test]
async fn f003_fresh_credentials_that_are_refused_too_end_it() {
    let (helper, server, setting) = cast("A");
    let connection = connect(&setting, "internal").await;

    server.accept(Accept::Nothing);
    helper.prints_bearer("B");
    let error = echo(&connection, "x").await.unwrap_err();

    assert_eq!(classify(&error.evidence()).code(), Some(ReasonCode::CredentialsRejected));
    assert_eq!(authorizations(&server, "tools/call"), ["Bearer A", "Bearer B"]);
    assert_eq!(helper.runs(), 2);
    connection.close().await;
}

#[tokio::test]
async fn f002_a_403_in_a_session_runs_the_helper_as_a_401_does() {
    let (helper, server, setting) = cast("A");
    let connection = connect(&setting, "internal").await;

    server.refuse_with(Refusal::forbidden());
    server.accept("B");
    helper.prints_bearer("B");
    assert_eq!(echo(&connection, "x").await.unwrap(), "x");

    assert_eq!(helper.runs(), 2);
    assert_always_sent(&server, "authorization");
    connection.close().await;
}

#[tokio::test]
async fn f009_every_kind_of_request_carries_the_headers() {
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearer("A");
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).accept("A").start().unwrap();
    let setting = Setting::of("internal", with_helper(&server, &helper));
    let connection = connect(&setting, "internal").await;
    connection.listen().await;
    server.wait_for_streams(1).await;

    server.expire_sessions();
    assert_eq!(echo(&connection, "on a new session").await.unwrap(), "on a new session");
    connection.close().await;

    assert_eq!(server.sessions_made(), 2, "the handshake was repeated");
    assert_eq!(server.deletes(), 1);
    for method in [http::Method::GET, http::Method::POST, http::Method::DELETE] {
        assert!(server.requests().iter().any(|request| request.method == method), "no {method} was sent");
    }
    assert_always_sent(&server, "authorization");
}

#[tokio::test]
async fn f100_a_session_that_is_gone_is_renewed_and_the_call_replayed_once() {
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearer("A");
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).accept("A").start().unwrap();
    let setting = Setting::of("internal", with_helper(&server, &helper));
    let connection = connect(&setting, "internal").await;

    server.next_answers_to("tools/call", [ScriptedAnswer::status(404)]);
    assert_eq!(echo(&connection, "x").await.unwrap(), "x");

    assert_eq!(server.sessions_made(), 2);
    assert_eq!(server.count("tools/call"), 2);
    assert_eq!(helper.runs(), 1, "a session is not a credential");
    connection.close().await;
}

#[tokio::test]
async fn f061_a_refused_session_id_leads_to_a_new_session_and_to_no_sign_in() {
    let (helper, server, setting) = cast("A");
    server.set_era(FakeEra::Legacy);
    let connection = connect(&setting, "internal").await;

    server.expire_sessions();
    assert_eq!(echo(&connection, "x").await.unwrap(), "x");

    assert_eq!(server.sessions_made(), 2);
    assert_eq!(helper.runs(), 1, "the credentials were not doubted");
    assert_always_sent(&server, "authorization");
    connection.close().await;
}

#[tokio::test]
async fn f118_a_hundred_reconnects_leave_no_connection_and_no_session() {
    let (helper, server, setting) = cast("A");
    server.set_era(FakeEra::Legacy);
    for _ in 0..100 {
        let connection = connect(&setting, "internal").await;
        connection.close().await;
    }
    assert_eq!(helper.runs(), 100, "each of them asked afresh");
    assert_eq!(server.sessions_made(), 100);
    assert_eq!(server.sessions(), 0);
    let ended = async {
        while server.open_connections() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap();
}
