//! Providers of strangers over a real connection: the examples of `mcp-auth`, and what is told of the faulty ones.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use mcp_auth::aws::AwsKeys;
use mcp_auth::provider::ProviderSnapshot;
use mcp_auth::signing::{RequestSigner, SigningRequest};
use mcp_auth::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, Capabilities, CredentialSource, Credentials,
    FetchReason, Recovery, Rejection, Secret, SingleFlight,
};
use mcp_status::{
    ActionFacts, MessageContext, NextStep, ReasonCode, ServerStatus, StatusReport, TransportKind, classify,
};
use mcp_testkit::{FakeEra, FakeMcpServer, HttpAnswer, ScriptedAnswer};
use mcp_transport::{Connector, RequestOptions, TransportError, TransportErrorKind};
use url::Url;

use crate::support::{connector, echo, options, raw, target};
use crate::trouble::described;

#[path = "../../../mcp-auth/examples/providers/faulty.rs"]
mod faulty;
#[path = "../../../mcp-auth/examples/providers/negotiate.rs"]
mod negotiate;

use self::negotiate::Negotiation;

fn meaning(error: &TransportError) -> (ServerStatus, Option<ReasonCode>) {
    let verdict = classify(&error.evidence());
    (verdict.status(), verdict.code())
}

const NO_CREDENTIALS: (ServerStatus, Option<ReasonCode>) =
    (ServerStatus::NeedsAuth, Some(ReasonCode::CredentialsFailed));

fn aws() -> AwsKeys {
    AwsKeys::new("AKIDEXAMPLE", Secret::new("secret"), "us-east-1", "lambda")
        .with_session_token(Some(Secret::new("session")))
        .with_clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160))
}

/// A provider of these keys alone.
#[derive(Debug)]
struct Own(Arc<AwsKeys>);

impl CredentialSource for Own {
    fn name(&self) -> &str {
        "own-keys"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(async move { Ok(Credentials::none().with_signer(self.0.clone())) })
    }
}

#[tokio::test]
async fn every_request_is_signed_with_the_body_that_arrives() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let signing = target(&server).with_auth(Arc::new(SingleFlight::new(Own(Arc::new(aws())))));
        let connection = connector().attempt(&signing).await.unwrap();
        assert_eq!(echo(&connection, "signed").await.unwrap(), "signed");
        connection.close().await;
        let requests = server.requests();
        assert!(requests.iter().any(|request| !request.body.is_empty()));
        for request in requests {
            let url = Url::parse(&format!("http://{}{}", server.address(), request.path)).unwrap();
            let sent = SigningRequest::new(&request.method, &url, &request.headers, &request.body);
            let expected = aws().sign(sent).await.unwrap();
            assert_eq!(request.header("authorization"), expected[AUTHORIZATION].to_str().ok(), "{era:?}");
            assert_eq!(request.header("x-amz-security-token"), Some("session"));
        }
    }
}

fn next(error: &TransportError) -> Option<NextStep> {
    let facts = ActionFacts::new(TransportKind::Remote);
    let report = StatusReport::from_evidence(&error.evidence(), &MessageContext::new("s"), facts);
    report.reason?.next
}

/// A signer that cannot sign.
#[derive(Debug)]
struct Locked;

impl RequestSigner for Locked {
    fn sign<'a>(&'a self, _: SigningRequest<'a>) -> AuthFuture<'a, HeaderMap> {
        Box::pin(async {
            let error = AuthError::new(AuthErrorKind::SourceFailed, "ask the key store")
                .with_source(io::Error::other("it is locked"))
                .with_hint("unlock it with `keys open`\u{1b}[2J\nand more");
            Err(error)
        })
    }
}

/// A source of fixed credentials.
#[derive(Debug)]
struct Fixed(Credentials);

impl CredentialSource for Fixed {
    fn name(&self) -> &str {
        "corp-keys"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent_and_says_why_and_what_to_do() {
    let server = FakeMcpServer::builder().start().unwrap();
    let signed = Credentials::none().with_signer(Arc::new(Locked));
    let locked = target(&server).with_auth(Arc::new(SingleFlight::new(Fixed(signed))));
    let error = connector().attempt(&locked).await.unwrap_err();
    assert_eq!(meaning(&error), NO_CREDENTIALS);
    assert!(!error.may_have_been_sent());
    let message = described(&error);
    assert_eq!(message, "failed to ask the key store: it is locked");
    // What to do is the next step, and is in no sentence beside it.
    let Some(NextStep::Provider { hint }) = next(&error) else { panic!("{:?}", next(&error)) };
    assert!(hint.starts_with("unlock it with `keys open`"), "{hint:?}");
    assert!(!hint.contains('\u{1b}') && !hint.contains('\n'), "{hint:?}");
    assert!(server.requests().is_empty());
}

/// A provider whose words hold what they must not.
#[derive(Debug)]
struct Careless(Credentials);

impl AuthProvider for Careless {
    fn name(&self) -> &str {
        "careless"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, false)
    }

    fn credentials(&self) -> AuthFuture<'_, Credentials> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }

    fn on_rejected<'a>(&'a self, _: Rejection<'a>) -> AuthFuture<'a, Recovery> {
        let looks_like_one = format!("ghp_{}", "a1B2c3D4e5".repeat(4));
        let error = AuthError::new(AuthErrorKind::SourceFailed, "mint a token")
            .with_source(io::Error::other(format!("the answer was {looks_like_one}")))
            .with_hint(format!("ask for another one than plain-canary or {looks_like_one}"));
        Box::pin(std::future::ready(Err(error)))
    }
}

#[tokio::test]
async fn a_secret_in_the_hint_of_a_provider_is_not_shown() {
    let server = FakeMcpServer::builder().accept("other").start().unwrap();
    let key = (http::HeaderName::from_static("x-api-key"), HeaderValue::from_static("plain-canary"));
    let careless = Careless(Credentials::new("careless", [key]));
    let error = connector().attempt(&target(&server).with_auth(Arc::new(careless))).await.unwrap_err();
    let Some(NextStep::Provider { hint }) = next(&error) else { panic!("{:?}", next(&error)) };
    assert!(hint.starts_with("ask for another one than ") && !hint.contains("canary"), "{hint}");
    let message = described(&error);
    assert!(!hint.contains("ghp_a1") && !message.contains("ghp_a1"), "{hint} {message}");
}

fn leg(token: &str) -> ScriptedAnswer {
    HttpAnswer::new(401)
        .header("www-authenticate", format!("Negotiate {token}"))
        .body("application/json", "{}")
        .into()
}

/// A connection whose next calls get these answers.
async fn negotiating(answers: Vec<ScriptedAnswer>) -> (FakeMcpServer, Result<String, TransportError>) {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let negotiation = target(&server).with_auth(Arc::new(SingleFlight::new(Negotiation::default())));
    let connection = connector().attempt(&negotiation).await.unwrap();
    server.next_answers_to("tools/call", answers);
    let outcome = echo(&connection, "hello").await;
    (server, outcome)
}

#[tokio::test]
async fn an_exchange_of_five_legs_ends_in_one_call_and_one_of_six_in_a_refusal() {
    let legs = |count: u32| (1..=count).map(|number| leg(&format!("token-{number}"))).collect::<Vec<_>>();
    let (server, outcome) = negotiating(legs(4)).await;
    assert_eq!(outcome.unwrap(), "hello");
    let requests = server.requests();
    let sent: Vec<_> =
        requests.iter().rev().take(5).filter_map(|request| request.header("authorization")).collect();
    assert_eq!(sent[0], "Negotiate token-4-answer");
    assert_eq!(sent[3], "Negotiate token-1-answer");
    let (server, outcome) = negotiating(legs(40)).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Challenged { status: 401, .. }), "{error:?}");
    assert_eq!(error.attempts(), 5);
    let calls = server
        .requests()
        .iter()
        .filter(|request| request.rpc_method().as_deref() == Some("tools/call"))
        .count();
    assert_eq!(calls, 5);
}

/// Says "again" with other bytes each time, and would do so as often as it is asked.
#[derive(Debug, Default)]
struct Endless(std::sync::atomic::AtomicU64);

impl AuthProvider for Endless {
    fn name(&self) -> &str {
        "endless"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::new(true, false);
        capabilities.recoveries = u32::MAX;
        capabilities
    }

    fn credentials(&self) -> AuthFuture<'_, Credentials> {
        let value = HeaderValue::from(self.0.fetch_add(1, Ordering::SeqCst));
        Box::pin(std::future::ready(Ok(Credentials::new("endless", [(AUTHORIZATION, value)]))))
    }

    fn on_rejected<'a>(&'a self, _: Rejection<'a>) -> AuthFuture<'a, Recovery> {
        Box::pin(async { Ok(Recovery::Retry(self.credentials().await?)) })
    }
}

#[tokio::test]
async fn a_provider_that_wants_to_go_on_without_end_is_stopped() {
    let server = FakeMcpServer::builder().accept(mcp_testkit::Accept::Nothing).start().unwrap();
    let endless = target(&server).with_auth(Arc::new(Endless::default()));
    let error = connector().attempt(&endless).await.unwrap_err();
    assert_eq!(error.attempts(), Capabilities::MOST_RECOVERIES + 1);
    assert_eq!(server.requests().len(), 9);
}

#[tokio::test]
async fn an_answer_of_the_wrong_server_is_not_used() {
    let with_token = |token: &str| {
        HttpAnswer::new(200)
            .header("www-authenticate", format!("Negotiate {token}"))
            .body("application/json", r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#)
    };
    let (_server, outcome) = negotiating(vec![with_token("forged").into()]).await;
    let error = outcome.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Protocol);
    assert!(error.may_have_been_sent());
    assert!(
        described(&error).contains("failed to recognise the server by its token"),
        "{}",
        described(&error)
    );
}

#[tokio::test]
async fn a_source_that_hangs_is_told_as_itself_and_not_as_a_silent_server() {
    let server = FakeMcpServer::builder().start().unwrap();
    // Its own limit, and that of the attempt.
    for (limit, connect_timeout) in [(50, 20_000), (20_000, 200)] {
        let mut options = options();
        options.connect_timeout = Duration::from_millis(connect_timeout);
        let provider = faulty::hanging(Duration::from_millis(limit));
        let error = Connector::new(options)
            .attempt(&target(&server).with_auth(Arc::new(provider)))
            .await
            .unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::Credentials);
        assert_eq!(meaning(&error), NO_CREDENTIALS);
        let (message, shorter) = (described(&error), limit.min(connect_timeout));
        let expected =
            format!("failed to get credentials from hanging: it did not answer within {shorter} ms");
        assert_eq!(message, expected);
        assert!(!error.may_have_been_sent());
    }
    assert!(server.requests().is_empty());
}

/// Asks an authorization server that does not answer.
#[derive(Debug)]
struct AsksInVain;

impl AuthProvider for AsksInVain {
    fn name(&self) -> &str {
        "oauth"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, true)
    }

    fn credentials(&self) -> AuthFuture<'_, Credentials> {
        Box::pin(std::future::pending())
    }

    fn on_rejected<'a>(&'a self, _: Rejection<'a>) -> AuthFuture<'a, Recovery> {
        Box::pin(std::future::ready(Ok(Recovery::Exhausted)))
    }

    fn snapshot(&self) -> ProviderSnapshot {
        let mut snapshot = ProviderSnapshot::default();
        snapshot.asks = Some("https://as.example/token".to_owned());
        snapshot
    }
}

#[tokio::test]
async fn fa_a33_an_authorization_server_that_hangs_is_named_and_is_no_reason_to_sign_in() {
    let server = FakeMcpServer::builder().start().unwrap();
    let mut options = options();
    options.connect_timeout = Duration::from_millis(100);
    let target = target(&server).with_auth(Arc::new(AsksInVain));
    let error = Connector::new(options).attempt(&target).await.unwrap_err();
    let told = "the authorization server is unavailable; the sign-in is kept: failed to get credentials from oauth: \
                https://as.example/token did not answer within 100 ms";
    assert_eq!(described(&error), told);
    assert_eq!(
        error.evidence().outcome,
        mcp_status::Outcome::AuthorizationServerUnavailable { retry_after: None }
    );
    assert!(server.requests().is_empty());
}

/// Hangs once it is told to.
#[derive(Debug, Default)]
struct HangsLater(AtomicBool);

impl CredentialSource for HangsLater {
    fn name(&self) -> &str {
        "agent"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(async {
            if self.0.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            Ok(Credentials::new("agent", [(AUTHORIZATION, HeaderValue::from_static("Bearer a"))]))
        })
    }
}

#[tokio::test]
async fn a_call_that_waits_for_a_source_until_its_limit_was_not_sent() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let provider = Arc::new(SingleFlight::new(HangsLater::default()));
    let connection = connector().attempt(&target(&server).with_auth(provider.clone())).await.unwrap();
    let before = server.requests().len();
    provider.source().0.store(true, Ordering::SeqCst);
    AuthProvider::invalidate(&*provider);
    let limit = RequestOptions::new().with_timeout(Duration::from_millis(100));
    let arguments = raw(&serde_json::json!({ "text": "x" }));
    let error = connection.call_tool("echo", Some(&arguments), &limit).await.unwrap_err();
    assert_eq!(meaning(&error), NO_CREDENTIALS);
    assert!(!error.may_have_been_sent());
    assert!(described(&error).contains("agent: it did not answer within 100 ms"), "{}", described(&error));
    // A server that is silent is still a server that is silent.
    provider.source().0.store(false, Ordering::SeqCst);
    AuthProvider::invalidate(&*provider);
    server.next_answers_to("tools/call", [ScriptedAnswer::Hang]);
    let error = connection.call_tool("echo", Some(&arguments), &limit).await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Timeout { .. }), "{error:?}");
    assert!(error.may_have_been_sent());
    assert_eq!(
        server
            .requests()
            .iter()
            .filter(|request| request.rpc_method().as_deref() == Some("tools/call"))
            .count(),
        1
    );
    assert!(server.requests().len() > before);
}

#[tokio::test]
async fn a_source_that_panics_is_a_failure_of_that_source() {
    let server = FakeMcpServer::builder().start().unwrap();
    let provider = Arc::new(SingleFlight::new(faulty::Panicking));
    for _ in 0..2 {
        let panicking = target(&server).with_auth(provider.clone());
        let error = connector().attempt(&panicking).await.unwrap_err();
        assert_eq!(meaning(&error), NO_CREDENTIALS);
        assert_eq!(described(&error), "failed to get credentials from panicking: it stopped unexpectedly");
    }
    assert_eq!(provider.snapshot().fetches, 2, "each attempt asks again");
    assert!(server.requests().is_empty());
}
