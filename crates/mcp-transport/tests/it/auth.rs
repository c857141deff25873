//! Challenges and the one replay, redirects, and what classification makes of refusals.
//!
//! Longer than 500 lines because the cases of one table of challenges stand side by side.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use mcp_auth::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, Capabilities, CredentialSource, Credentials,
    FetchReason, Recovery, Rejection, SingleFlight, StaticHeaders,
};
use mcp_status::{AddressHeader, ChallengeKind, MessageContext, ReasonCode, ServerStatus, classify, message};
use mcp_testkit::{Accept, FakeEra, FakeMcpServer, HttpAnswer, Refusal, ScriptedAnswer, Sse, SseEnd};
use mcp_transport::connect::ConnectPolicy;
use mcp_transport::{Endpoint, HttpEndpoint, Server, TransportError, TransportErrorKind};

use crate::support::{connector, echo, echo_at_once, methods, options, target};

/// Hands out the token that is set, and counts how often it is asked for.
#[derive(Debug)]
struct Mint {
    token: Mutex<Option<&'static str>>,
    runs: AtomicUsize,
}

impl Mint {
    fn of(token: &'static str) -> Arc<SingleFlight<Self>> {
        let token = Mutex::new(Some(token));
        Arc::new(SingleFlight::new(Self { token, runs: AtomicUsize::new(0) }))
    }

    fn set(&self, token: Option<&'static str>) {
        *self.token.lock().unwrap() = token;
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

impl CredentialSource for Mint {
    fn name(&self) -> &str {
        "mint"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let token = *self.token.lock().unwrap();
        Box::pin(async move {
            let token = token.ok_or_else(|| {
                AuthError::new(AuthErrorKind::SourceFailed, "the command failed").with_exit_code(Some(3))
            })?;
            Ok(Credentials::new("mint", [bearer(token)]))
        })
    }
}

fn bearer(token: &str) -> (HeaderName, HeaderValue) {
    (AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap())
}

fn static_token(token: &str) -> Arc<StaticHeaders> {
    Arc::new(StaticHeaders::new([bearer(token)]))
}

fn with(server: &FakeMcpServer, provider: Arc<dyn AuthProvider>) -> Server {
    target(server).with_auth(provider)
}

async fn refused(server: &FakeMcpServer, provider: Option<Arc<dyn AuthProvider>>) -> TransportError {
    let mut target = target(server);
    target.auth = provider;
    connector().attempt(&target).await.unwrap_err()
}

fn meaning(error: &TransportError) -> (ServerStatus, ReasonCode) {
    let verdict = classify(&error.evidence());
    (verdict.status(), verdict.code().unwrap())
}

#[tokio::test]
async fn rotated_credentials_cost_one_more_run_and_no_error() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).accept(Accept::bearer("A")).start().unwrap();
        let mint = Mint::of("A");
        let connection = connector().attempt(&with(&server, mint.clone())).await.unwrap();
        assert_eq!(mint.source().runs(), 1);
        server.accept(Accept::bearer("B"));
        mint.source().set(Some("B"));
        assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
        assert_eq!(mint.source().runs(), 2, "{era:?}");
        assert!(server.oauth_requests().is_empty());
        assert!(server.requests_without_header("authorization").is_empty());
    }
}

#[tokio::test]
async fn rotated_credentials_cost_one_run_for_twenty_calls_at_once() {
    let server = FakeMcpServer::builder().accept(Accept::bearer("A")).start().unwrap();
    let mint = Mint::of("A");
    let connection = connector().attempt(&with(&server, mint.clone())).await.unwrap();
    server.accept(Accept::bearer("B"));
    mint.source().set(Some("B"));
    echo_at_once(&connection, 20).await;
    assert_eq!(mint.source().runs(), 2);
}

#[tokio::test]
async fn f003_the_same_bytes_are_not_sent_again() {
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let mint = Mint::of("A");
    let error = refused(&server, Some(mint.clone())).await;
    assert_eq!(meaning(&error), (ServerStatus::NeedsAuth, ReasonCode::CredentialsRejected));
    assert_eq!(server.requests().len(), 1);
    assert_eq!(mint.source().runs(), 2, "asked once more, in vain");
}

#[tokio::test]
async fn a_source_that_fails_is_named_and_the_server_is_not_contacted() {
    let server = FakeMcpServer::builder().start().unwrap();
    let mint = Mint::of("A");
    mint.source().set(None);
    let error = refused(&server, Some(mint)).await;
    assert_eq!(meaning(&error), (ServerStatus::NeedsAuth, ReasonCode::CredentialsFailed));
    assert_eq!(error.evidence().auth.exit_code, Some(3));
    assert!(!error.may_have_been_sent());
    assert!(server.requests().is_empty());
}

/// Says "retry" whatever happens: with something new each time, or with the same again.
#[derive(Debug)]
struct Relentless {
    turns: AtomicUsize,
    inventive: bool,
}

impl Relentless {
    fn new(inventive: bool) -> Arc<Self> {
        Arc::new(Self { turns: AtomicUsize::new(0), inventive })
    }
}

impl AuthProvider for Relentless {
    fn name(&self) -> &str {
        "relentless"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, false)
    }

    fn credentials(&self) -> AuthFuture<'_, Credentials> {
        Box::pin(async { Ok(Credentials::new("relentless", [bearer("0")])) })
    }

    fn on_rejected<'a>(&'a self, _: Rejection<'a>) -> AuthFuture<'a, Recovery> {
        let turn = self.turns.fetch_add(1, Ordering::SeqCst) + 1;
        let turn = if self.inventive { turn } else { 0 };
        Box::pin(
            async move { Ok(Recovery::Retry(Credentials::new("relentless", [bearer(&turn.to_string())]))) },
        )
    }
}

#[tokio::test]
async fn f096_a_provider_that_always_says_retry_is_believed_twice() {
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let error = refused(&server, Some(Relentless::new(true))).await;
    assert!(matches!(error.kind(), TransportErrorKind::Challenged { .. }));
    assert_eq!(server.requests().len(), 3);
    assert_eq!(error.attempts(), 3);
}

#[tokio::test]
async fn f003_a_provider_that_offers_the_same_bytes_again_is_not_believed() {
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let error = refused(&server, Some(Relentless::new(false))).await;
    assert_eq!(meaning(&error), (ServerStatus::NeedsAuth, ReasonCode::CredentialsRejected));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn each_refusal_has_its_word() {
    let table = [
        (Refusal::unauthorized(), None, ReasonCode::Unauthorized, 1),
        // Without a challenge the answer may be to the probe alone, so that `initialize` is asked, too.
        (Refusal::status(401), None, ReasonCode::Unauthorized, 2),
        (Refusal::forbidden(), None, ReasonCode::Forbidden, 2),
        (Refusal::unauthorized(), Some("t"), ReasonCode::CredentialsRejected, 1),
        (Refusal::forbidden().body("text/html", "<html>no</html>"), None, ReasonCode::Blocked, 2),
        (Refusal::forbidden().body("text/plain", "blocked by Cloudflare"), None, ReasonCode::Blocked, 2),
        (
            Refusal::forbidden().challenge(r#"Bearer error="insufficient_scope", scope="a b""#),
            Some("t"),
            ReasonCode::InsufficientScope,
            1,
        ),
    ];
    for (refusal, token, code, requests) in table {
        let shown = format!("{refusal:?}");
        let server = FakeMcpServer::builder().accept(Accept::Nothing).refuse_with(refusal).start().unwrap();
        let provider = token.map(|token| static_token(token) as Arc<dyn AuthProvider>);
        let error = refused(&server, provider).await;
        assert_eq!(meaning(&error), (ServerStatus::NeedsAuth, code), "{shown}");
        assert_eq!(server.requests().len(), requests, "{shown}");
    }
}

#[tokio::test]
async fn f041_a_firewall_page_is_not_mistaken_for_a_missing_permission() {
    let page = Refusal::forbidden().body("text/html", "<!doctype html><title>Attention Required</title>");
    let server = FakeMcpServer::builder().accept(Accept::Nothing).refuse_with(page).start().unwrap();
    let error = refused(&server, None).await;
    let kind = ChallengeKind::Blocked;
    assert_eq!(*error.kind(), TransportErrorKind::Challenged { kind, status: 403 });
}

/// Credentials that end while a stream is read are recovered for the rest of it; where there are none, the call has been made.
#[tokio::test]
async fn the_rest_of_an_answer_is_asked_for_with_other_credentials() {
    let builder = FakeMcpServer::builder().era(FakeEra::Legacy);
    let server = builder.accept(Accept::any_bearer(["A", "B"])).start().unwrap();
    let mint = Mint::of("A");
    let connection = connector().attempt(&with(&server, mint.clone())).await.unwrap();
    let resumable = || ScriptedAnswer::As(Sse::new().priming(10).end(SseEnd::Resumable).into());
    server.next_answers_to("tools/call", [resumable()]);
    server.next_answers_to("GET", [ScriptedAnswer::Refuse]);
    mint.source().set(Some("B"));
    assert_eq!(echo(&connection, "resumed").await.unwrap(), "resumed");
    assert_eq!((mint.source().runs(), server.count("tools/call")), (2, 1));
    assert_eq!(methods(&server).iter().filter(|method| *method == "GET").count(), 2);

    // Without a challenge the refusal may be about the session: that is looked at, and the call is still not made again.
    let builder = FakeMcpServer::builder().era(FakeEra::Legacy).accept(Accept::bearer("A"));
    let server = builder.refuse_with(Refusal::status(401)).start().unwrap();
    let connection = connector().attempt(&with(&server, static_token("A"))).await.unwrap();
    server.next_answers_to("tools/call", [resumable()]);
    server.always_to("GET", ScriptedAnswer::Refuse);
    server.always_to("ping", ScriptedAnswer::Refuse);
    let error = echo(&connection, "x").await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Challenged { .. }), "{error:?}");
    assert!(error.may_have_been_sent(), "its answer had begun");
    assert_eq!(server.count("tools/call"), 1);
}

/// A guard against DNS rebinding refuses the name, and has looked at no credentials: neither a sign-in nor others would do.
#[tokio::test]
async fn a_host_name_that_is_not_taken_is_no_matter_of_credentials() {
    let (json, text) = ("application/json", "text/plain");
    let rpc = |message: &str| {
        format!(r#"{{"jsonrpc":"2.0","error":{{"code":-32000,"message":"{message}"}},"id":null}}"#)
    };
    for (refusal, header, said) in [
        (Refusal::status(421).body(text, "Invalid Host header"), AddressHeader::Host, "Invalid Host header"),
        (
            Refusal::forbidden().body(json, rpc("Invalid Host: mcp.corp")),
            AddressHeader::Host,
            "Invalid Host: mcp.corp",
        ),
        (Refusal::status(400).body(text, "Invalid host header"), AddressHeader::Host, "Invalid host header"),
        (
            Refusal::forbidden().body(json, rpc("Invalid Origin: null")),
            AddressHeader::Origin,
            "Invalid Origin: null",
        ),
    ] {
        for (era, token) in [(FakeEra::Modern, None), (FakeEra::Legacy, Some("A")), (FakeEra::HttpSse, None)]
        {
            let shown = format!("{refusal:?} {era:?}");
            let builder = FakeMcpServer::builder().era(era).accept(Accept::Nothing);
            let server = builder.refuse_with(refusal.clone()).start().unwrap();
            let provider = token.map(|token| static_token(token) as Arc<dyn AuthProvider>);
            let error = refused(&server, provider).await;
            assert!(
                matches!(error.kind(), TransportErrorKind::Misaddressed { header: which, .. } if *which == header),
                "{shown}: {error:?}"
            );
            assert_eq!(meaning(&error), (ServerStatus::Failed, ReasonCode::Rejected), "{shown}");
            assert!(
                !error.may_have_been_sent() && described(&error).ends_with(said),
                "{}",
                described(&error)
            );
            assert_eq!(server.requests().len(), 1, "{shown}: no other request is taken either");
        }
    }
    // In a session the same words may be those of a tool, and a guard would have refused the handshake.
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connector().attempt(&target(&server)).await.unwrap();
    server.next_answers([HttpAnswer::new(403).body(text, "Invalid host: db-7").into()]);
    let error = echo(&connection, "x").await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Http { status: 403, .. }), "{error:?}");
}

#[tokio::test]
async fn sign_in_pages_are_challenges_and_keep_the_credentials_here() {
    let elsewhere = FakeMcpServer::builder().start().unwrap();
    for answer in [
        ScriptedAnswer::login_page(),
        ScriptedAnswer::redirect(302, elsewhere.url()),
        ScriptedAnswer::redirect(303, elsewhere.url()),
    ] {
        let shown = format!("{answer:?}");
        let server = FakeMcpServer::builder().always(answer).start().unwrap();
        let error = refused(&server, None).await;
        assert_eq!(meaning(&error), (ServerStatus::NeedsAuth, ReasonCode::LoginRedirect), "{shown}");
        assert_eq!(methods(&server), ["server/discover", "initialize"], "{shown}");
    }
    assert!(elsewhere.requests().is_empty(), "nothing is sent to another origin");
    // What answers behind a redirect within the origin is not told as an answer of the endpoint.
    let server = FakeMcpServer::start().unwrap();
    server.next_answers(
        std::iter::repeat_with(|| ScriptedAnswer::redirect(302, "/login?state=canary")).take(8),
    );
    let words = described(&refused(&server, None).await);
    assert!(words.contains("it redirects to /login, and what answers there says: no such path"), "{words}");
    assert!(!words.contains("canary"), "{words}");
}

fn described(error: &TransportError) -> String {
    message(&error.evidence(), &MessageContext::new("s"))
}

#[tokio::test]
async fn fa_a96_fb_t46_where_a_server_has_moved_to_is_told_and_not_followed() {
    let elsewhere = FakeMcpServer::builder().start().unwrap();
    let tls = FakeMcpServer::builder().start().unwrap();
    let with_tls = format!("https://{}/mcp", tls.url().host_str().unwrap());
    for (status, to) in [
        (307, elsewhere.url().to_string()),
        (308, "https://elsewhere.example/v2/mcp/".to_owned()),
        (301, with_tls.clone()),
        (302, with_tls),
    ] {
        let with_query = format!("{to}?key=canary");
        let server =
            FakeMcpServer::builder().always(ScriptedAnswer::redirect(status, &*with_query)).start().unwrap();
        let error = refused(&server, Some(static_token("A"))).await;
        assert_eq!(meaning(&error), (ServerStatus::Failed, ReasonCode::Moved), "{status} {to}");
        // Written into the entry as it stands here, it works.
        let words = match to.contains("//127.0.0.1") {
            true => format!("the server has moved to {to}; change `url`"),
            false => format!(
                "the server says that it has moved to {to}, another host; change `url` if that is right"
            ),
        };
        assert!(described(&error).contains(&words), "{status} {to}: {}", described(&error));
    }
    // Not what of it may be the key to it, or what the entry says itself.
    for secret in
        ["user:canary@elsewhere.example/mcp", "elsewhere.example/8f14e45f-ceea-467f-a9ad-5f1d8a1c0f3b/mcp"]
    {
        let server = FakeMcpServer::builder()
            .always(ScriptedAnswer::redirect(308, format!("https://{secret}")))
            .start()
            .unwrap();
        let report = described(&refused(&server, None).await);
        assert!(report.contains("moved to https://elsewhere.example/"), "{report}");
        assert!(!report.contains("canary") && !report.contains("8f14"), "{report}");
    }
    // A sign-in page is named as well; its path may hold a state.
    let page = ScriptedAnswer::redirect(302, "https://sso.example/login?state=canary");
    let error = refused(&FakeMcpServer::builder().always(page).start().unwrap(), None).await;
    assert_eq!(meaning(&error), (ServerStatus::NeedsAuth, ReasonCode::LoginRedirect));
    assert!(described(&error).ends_with(": it leads to https://sso.example"), "{}", described(&error));
    assert!(elsewhere.requests().is_empty(), "nothing is sent to another origin");
    for (status, to, scheme) in [
        (302, "javascript:alert(1)", "javascript"),
        (307, "javascript:alert(1)", "javascript"),
        (308, "file:///etc/passwd", "file"),
    ] {
        let server = FakeMcpServer::builder().always(ScriptedAnswer::redirect(status, to)).start().unwrap();
        let report = described(&refused(&server, None).await);
        assert!(report.ends_with(&format!("it leads to no server, but to `{scheme}:`")), "{report}");
    }
}

#[tokio::test]
async fn fa_a95_fb_t40_t41_t42_t44_t45_t47_t48_redirects_within_the_origin_keep_method_body_and_credentials()
{
    for status in [301, 302, 307, 308] {
        let server = FakeMcpServer::builder().accept(Accept::bearer("A")).start().unwrap();
        server.route("/old", ScriptedAnswer::redirect(status, "/mcp?tenant=a"));
        let mut target = with(&server, static_token("A"));
        target.endpoint =
            mcp_transport::Endpoint::Http(mcp_transport::HttpEndpoint::new(server.url_of("/old")));
        let connection = connector().attempt(&target).await.unwrap();
        assert_eq!(echo(&connection, "hello").await.unwrap(), "hello", "{status}");
        assert!(server.requests_without_header("authorization").is_empty());
    }
}

#[tokio::test]
async fn fa_a95_what_is_wrong_behind_a_redirect_is_told_with_where_it_led() {
    let secret = "/8f14e45f-ceea-467f-a9ad-5f1d8a1c0f3b/mcp";
    for (path, shown) in [("/gone", "/gone"), (secret, "/[redacted]/mcp")] {
        let server = FakeMcpServer::start().unwrap();
        server.route("/old", ScriptedAnswer::redirect(308, path));
        server.route(path, ScriptedAnswer::status(422));
        let mut target = with(&server, static_token("A"));
        target.endpoint =
            mcp_transport::Endpoint::Http(mcp_transport::HttpEndpoint::new(server.url_of("/old")));
        let report = described(&connector().attempt(&target).await.unwrap_err());
        assert!(report.contains(&format!("it redirects to {shown}, ")), "{report}");
    }
}

#[tokio::test]
async fn redirects_in_circles_end() {
    let server = FakeMcpServer::builder().always(ScriptedAnswer::redirect(307, "/mcp")).start().unwrap();
    let error = refused(&server, None).await;
    assert_eq!(*error.kind(), TransportErrorKind::Protocol);
    assert!(server.requests().len() <= 12, "{}", server.requests().len());
}

#[tokio::test]
async fn a_407_is_the_proxys_word() {
    let server = FakeMcpServer::builder().always(ScriptedAnswer::proxy_auth()).start().unwrap();
    let error = refused(&server, Some(static_token("A"))).await;
    assert_eq!(meaning(&error), (ServerStatus::Failed, ReasonCode::ProxyAuth));
    // There is no proxy here, so it may be said of the probe alone.
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_403_in_a_session_asks_only_a_provider_that_can_mint() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).accept(Accept::bearer("A")).start().unwrap();
    let connection = connector().attempt(&with(&server, static_token("A"))).await.unwrap();
    server.always_to("tools/call", ScriptedAnswer::status(403));
    let error = echo(&connection, "x").await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Http { status: 403, .. }), "{error:?}");

    let server = FakeMcpServer::builder().era(FakeEra::Legacy).accept(Accept::bearer("A")).start().unwrap();
    let mint = Mint::of("A");
    let connection = connector().attempt(&with(&server, mint.clone())).await.unwrap();
    server.refuse_with(Refusal::forbidden());
    server.accept(Accept::bearer("B"));
    mint.source().set(Some("B"));
    assert_eq!(echo(&connection, "x").await.unwrap(), "x");
    assert_eq!(mint.source().runs(), 2);
}

#[tokio::test]
async fn f032_every_request_of_a_session_carries_the_credentials() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).accept(Accept::bearer("A")).start().unwrap();
    let connection = connector().attempt(&with(&server, static_token("A"))).await.unwrap();
    connection.listen().await;
    server.expire_sessions();
    echo(&connection, "x").await.unwrap();
    connection.close().await;
    assert!(methods(&server).contains(&"DELETE".to_owned()) && methods(&server).contains(&"GET".to_owned()));
    assert!(server.requests_without_header("authorization").is_empty());
}

/// The policy of a command, without its waits.
pub(crate) fn quick() -> ConnectPolicy {
    let mut policy = ConnectPolicy::one_shot();
    policy.connect.initial_delay = Duration::from_millis(1);
    policy.connect.max_delay = Duration::from_millis(2);
    policy.list = Some(policy.connect.with_max_retries(2));
    policy
}

#[tokio::test]
async fn f043_permanent_answers_get_one_attempt_and_transient_ones_four() {
    for (status, attempts, code) in [
        (404, 1, ReasonCode::NotFound),
        (410, 1, ReasonCode::Rejected),
        (503, 4, ReasonCode::Unavailable),
        (429, 4, ReasonCode::RateLimited),
    ] {
        let server = FakeMcpServer::builder().always(ScriptedAnswer::status(status)).start().unwrap();
        let error = connector().connect(&target(&server), &quick()).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (ServerStatus::Failed, Some(code)), "{status}");
        assert_eq!(error.to_string(), format!("failed: {}", error.reason().unwrap().message));
        assert!(std::error::Error::source(&error).is_some(), "{error:?}");
        assert_eq!(server.count("server/discover"), attempts, "{status}");
    }
}

#[tokio::test]
async fn a_server_that_recovers_is_connected_and_everybody_is_told() {
    let server = FakeMcpServer::builder().start().unwrap();
    // Each attempt asks twice: the probe, and `initialize` where the probe's answer says nothing.
    server.next_answers([503, 503, 502, 502].map(ScriptedAnswer::status));
    let mut statuses = Vec::new();
    let ended = connector()
        .connect_observed(&target(&server), &quick(), |machine, wait| {
            statuses.push((machine.status(), wait.is_some()))
        })
        .await;
    assert_eq!(ended.machine.status(), ServerStatus::Connected);
    assert_eq!(ended.tools.unwrap().tools.len(), 5);
    assert!(ended.connection.is_some() && ended.error.is_none());
    use ServerStatus::{Connected, Pending};
    let pending = |waits| (Pending, waits);
    assert_eq!(
        statuses,
        [pending(false), pending(true), pending(false), pending(true), pending(false), (Connected, false)]
    );
}

#[tokio::test]
async fn a_429_waits_as_long_as_it_asks() {
    let server = FakeMcpServer::builder().start().unwrap();
    server.next_answers([ScriptedAnswer::retry_after(429, 1), ScriptedAnswer::retry_after(429, 1)]);
    connector().connect(&target(&server), &quick()).await.unwrap();
    let requests = server.requests();
    assert!(requests[2].at - requests[1].at >= Duration::from_secs(1));
}

#[tokio::test]
async fn f049_tools_that_cannot_be_listed_leave_the_server_connected() {
    let server =
        FakeMcpServer::builder().always_to("tools/list", ScriptedAnswer::status(500)).start().unwrap();
    let connected = connector().connect(&target(&server), &quick()).await.unwrap();
    assert_eq!(connected.code(), Some(ReasonCode::ToolsUnavailable));
    assert!(connected.tools.is_none() && connected.tools_error.is_some());
    assert_eq!(server.count("tools/list"), 3);
}

#[tokio::test]
async fn f027_a_transient_401_heals_with_the_next_attempt() {
    let server = FakeMcpServer::builder().accept(Accept::bearer("A")).start().unwrap();
    server.next_answers([ScriptedAnswer::Refuse]);
    let connector = connector();
    let target = with(&server, static_token("A"));
    let first = connector.connect(&target, &quick()).await.unwrap_err();
    assert_eq!(first.status(), ServerStatus::NeedsAuth);
    connector.connect(&target, &quick()).await.unwrap();
}

#[tokio::test]
async fn no_listener_is_unreachable_and_retried() {
    let server = FakeMcpServer::builder().start().unwrap();
    server.go_down();
    let mut attempts = 0;
    let ended = connector()
        .connect_observed(&target(&server), &quick(), |_, wait| attempts += usize::from(wait.is_none()))
        .await;
    assert_eq!(ended.machine.code(), Some(ReasonCode::Unreachable));
    assert_eq!(attempts, 5, "four attempts and the end");
    assert_eq!(*ended.error.unwrap().kind(), TransportErrorKind::Unreachable);
}

/// Takes its time, like a command that asks a remote vault.
#[derive(Debug)]
struct Slow;

impl CredentialSource for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            Ok(Credentials::new("slow", [bearer("A")]))
        })
    }
}

#[tokio::test]
async fn time_that_a_source_takes_is_not_the_servers() {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).accept(Accept::bearer("A")).start().unwrap();
    let mut options = options();
    // The probe has a third of it, less than the source takes.
    options.connect_timeout = Duration::from_secs(4);
    let target = with(&server, Arc::new(SingleFlight::new(Slow)));
    let connection = mcp_transport::Connector::new(options).attempt(&target).await.unwrap();
    assert_eq!(connection.revision(), mcp_transport::message::ProtocolRevision::V2026_07_28);
    assert_eq!(methods(&server), ["server/discover"]);
}

#[tokio::test]
async fn f040_a_bare_403_while_connecting_asks_for_credentials() {
    for phase_of_refusal in [Refusal::forbidden(), Refusal::forbidden().challenge("Negotiate")] {
        let server =
            FakeMcpServer::builder().accept(Accept::Nothing).refuse_with(phase_of_refusal).start().unwrap();
        let error = refused(&server, None).await;
        let kind = TransportErrorKind::Challenged { kind: ChallengeKind::Forbidden, status: 403 };
        assert_eq!(*error.kind(), kind);
        assert_eq!(meaning(&error), (ServerStatus::NeedsAuth, ReasonCode::Forbidden));
    }
}

#[tokio::test]
async fn f025_a_server_that_accepts_the_headers_is_connected_whatever_it_advertises() {
    let server = FakeMcpServer::builder().accept(Accept::bearer("A")).start().unwrap();
    let metadata =
        serde_json::json!({ "resource": server.url().as_str(), "authorization_servers": [server.origin()] });
    server.route("/.well-known/oauth-protected-resource/mcp", ScriptedAnswer::json(metadata));
    connector().connect(&with(&server, static_token("A")), &quick()).await.unwrap();
    assert!(server.oauth_requests().is_empty());
}

#[tokio::test]
async fn f028_the_older_transport_sends_the_headers_both_ways() {
    let server = FakeMcpServer::builder().era(FakeEra::HttpSse).accept(Accept::bearer("A")).start().unwrap();
    let connection = connector().attempt(&with(&server, static_token("A"))).await.unwrap();
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    assert!(server.requests_without_header("authorization").is_empty());
}

#[tokio::test]
async fn f037_the_scheme_of_a_challenge_is_passed_on() {
    let refusal = Refusal::status(401).challenge("Basic realm=\"intranet\"");
    let server = FakeMcpServer::builder().accept(Accept::Nothing).refuse_with(refusal).start().unwrap();
    let error = refused(&server, None).await;
    assert_eq!(error.evidence().auth.scheme.as_deref(), Some("Basic"));
}

#[tokio::test]
async fn f050_a_server_without_a_tool_is_flagged() {
    let server = FakeMcpServer::builder().tools(Vec::new()).start().unwrap();
    let connected = connector().connect(&target(&server), &quick()).await.unwrap();
    assert_eq!(connected.code(), Some(ReasonCode::NoTools));
}

#[tokio::test]
async fn f057_no_failure_shows_a_secret() {
    const SECRETS: [&str; 4] = ["canary-path", "canary-query", "canary-header", "canary-user"];
    let server = FakeMcpServer::builder().accept(Accept::bearer("canary-header")).start().unwrap();
    let mut url = server.url_of("/mcp/canary-path?key=canary-query");
    url.set_username("canary-user").unwrap();
    let mut secret = with(&server, static_token("canary-header"));
    secret.endpoint = mcp_transport::Endpoint::Http(mcp_transport::HttpEndpoint::new(url));
    let answers = [
        ScriptedAnswer::Refuse,
        ScriptedAnswer::status(404),
        ScriptedAnswer::status(500),
        ScriptedAnswer::login_page(),
        ScriptedAnswer::redirect(302, "https://elsewhere.example/canary-path"),
        ScriptedAnswer::proxy_auth(),
        ScriptedAnswer::Drop,
        ScriptedAnswer::json(serde_json::json!("x")),
    ];
    for answer in answers {
        server.always(answer);
        let error = connector().attempt(&secret).await.unwrap_err();
        let shown = format!("{error:?} {error} {:?} {secret:?}", error.evidence());
        assert!(SECRETS.iter().all(|secret| !shown.contains(secret)), "{shown}");
    }
    server.go_down();
    let error = connector().attempt(&secret).await.unwrap_err();
    let shown = format!("{error:?} {error} {:?}", error.evidence());
    assert!(SECRETS.iter().all(|secret| !shown.contains(secret)), "{shown}");
}

#[tokio::test]
async fn f103_a_server_that_starts_later_is_found_by_the_same_program() {
    let server = FakeMcpServer::builder().start().unwrap();
    server.go_down();
    let connector = connector();
    connector.attempt(&target(&server)).await.unwrap_err();
    server.come_up().unwrap();
    let connection = connector.attempt(&target(&server)).await.unwrap();
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn f113_a_server_that_hangs_holds_up_no_other() {
    let hanging = FakeMcpServer::builder().always(ScriptedAnswer::Hang).start().unwrap();
    let connector = connector();
    let stuck = tokio::spawn({
        let (connector, target) = (connector.clone(), target(&hanging));
        async move { connector.attempt(&target).await.map(drop) }
    });
    hanging.recorder().wait_until("it hangs", |requests| !requests.is_empty()).await;
    let server = FakeMcpServer::builder().start().unwrap();
    let connection = connector.attempt(&target(&server)).await.unwrap();
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    assert!(!stuck.is_finished());
    stuck.abort();
}

#[tokio::test]
async fn a_provider_can_add_to_a_request_and_not_break_it() {
    for era in [FakeEra::Modern, FakeEra::Legacy] {
        let server = FakeMcpServer::builder().era(era).accept("A").start().unwrap();
        // Not one of these is right for every request, and some would make two messages of one.
        let headers = [
            ("accept", "text/plain"),
            ("content-type", "text/plain"),
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
            ("connection", "close, authorization"),
            ("mcp-protocol-version", "1999-01-01"),
            ("mcp-session-id", "another"),
            ("mcp-method", "ping"),
            ("mcp-param-region", "x"),
            ("host", "mcp.example:8443"),
            ("user-agent", "own/1"),
        ];
        let headers =
            headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let provider = Arc::new(StaticHeaders::new(headers.into_iter().chain([bearer("A")])));
        let connection = connector().attempt(&with(&server, provider)).await.unwrap();
        assert_eq!(echo(&connection, "whole").await.unwrap(), "whole", "{era:?}");
        connection.close().await;
        for request in server.requests() {
            // What people do need to set is theirs.
            assert_eq!(request.header("host"), Some("mcp.example:8443"), "{era:?}");
            assert_eq!(request.header("user-agent"), Some("own/1"), "{era:?}");
            assert_ne!(request.header("mcp-session-id"), Some("another"), "{era:?}");
        }
        assert_eq!(server.violations(), Vec::<String>::new());
    }
}

/// User and password of the URL itself, as another HTTP client would send them.
#[tokio::test]
async fn s_m10_userinfo_of_the_url_is_sent_as_basic_where_nothing_else_is() {
    let at = |server: &FakeMcpServer, provider: Option<Arc<dyn AuthProvider>>| {
        let mut url = server.url();
        url.set_username("ann").unwrap();
        url.set_password(Some("p%40ss")).unwrap();
        let mut target = Server::new(Endpoint::Http(HttpEndpoint::new(url)));
        target.auth = provider;
        target
    };
    // "ann:p@ss"
    let basic = "Basic YW5uOnBAc3M=";
    let server = FakeMcpServer::builder().accept(Accept::header("authorization", basic)).start().unwrap();
    let connection = connector().attempt(&at(&server, None)).await.unwrap();
    assert_eq!(echo(&connection, "x").await.unwrap(), "x");
    assert!(server.requests().iter().all(|request| request.header("authorization") == Some(basic)));

    // A provider's header wins, and what it does not supply stays.
    let server = FakeMcpServer::builder().accept(Accept::bearer("new")).start().unwrap();
    connector().attempt(&at(&server, Some(static_token("new")))).await.unwrap();
    let key = (HeaderName::from_static("x-team"), HeaderValue::from_static("a"));
    let server = FakeMcpServer::builder().accept(Accept::header("authorization", basic)).start().unwrap();
    connector().attempt(&at(&server, Some(Arc::new(StaticHeaders::new([key]))))).await.unwrap();
    assert_eq!(server.requests()[0].header("x-team"), Some("a"));

    // Refused, it is said whose they were; and what cannot be Basic never leaves.
    let error = connector().attempt(&at(&server, Some(static_token("old")))).await.unwrap_err();
    assert_eq!(meaning(&error), (ServerStatus::NeedsAuth, ReasonCode::CredentialsRejected));
    let mut target = at(&server, None);
    let Endpoint::Http(http) = &mut target.endpoint else { unreachable!() };
    http.url.set_username("an%3An").unwrap();
    let seen = server.requests().len();
    let error = connector().attempt(&target).await.unwrap_err();
    assert_eq!(error.auth_error().unwrap().kind(), AuthErrorKind::Misconfigured);
    assert_eq!(server.requests().len(), seen);
}

#[tokio::test]
async fn s_m10_userinfo_of_a_redirect_is_neither_sent_nor_seen_by_the_library() {
    let server = FakeMcpServer::start().unwrap();
    let mut to = server.url();
    to.set_username("mallory").unwrap();
    to.set_password(Some("pw")).unwrap();
    let redirect = mcp_testkit::HttpAnswer::new(307).header("location", to.as_str());
    server.next_answers([redirect.into()]);
    let connection = connector().attempt(&target(&server)).await.unwrap();
    assert_eq!(echo(&connection, "x").await.unwrap(), "x");
    assert!(server.requests().iter().all(|request| request.header("authorization").is_none()));
}
