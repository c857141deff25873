//! What a refusal says of itself, and what a web page is taken for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use mcp_auth::{
    AuthFuture, AuthProvider, CredentialSource, Credentials, FetchReason, SingleFlight, StaticHeaders,
};
use mcp_status::{MessageContext, ReasonCode, ServerStatus, classify, message};
use mcp_testkit::{Accept, FakeMcpServer, HttpAnswer, Refusal, ScriptedAnswer};
use mcp_transport::{TransportError, TransportErrorKind};

use crate::field_server::{Bytes, FieldServer};
use crate::support::{connector, echo, methods, target};

const REFUSED: &str = "the server refused the headers that are set for it (401)";

fn static_token(token: &str) -> Arc<dyn AuthProvider> {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    Arc::new(StaticHeaders::new([(AUTHORIZATION, value)]))
}

async fn attempt(server: &FakeMcpServer, provider: Option<Arc<dyn AuthProvider>>) -> TransportError {
    let mut target = target(server);
    target.auth = provider;
    connector().attempt(&target).await.unwrap_err()
}

fn described(error: &TransportError) -> String {
    message(&error.evidence(), &MessageContext::new("s"))
}

#[tokio::test]
async fn fb_a18_fb_o28_what_a_refusal_says_is_told_in_whatever_form_it_says_it() {
    let json = "application/json";
    let long = format!("{{\"message\":\"{}\"}}", "long ".repeat(3_000));
    for (content_type, body, said) in [
        (json, r#"{"message":"API key revoked on 1 November"}"#, ": API key revoked on 1 November"),
        (json, r#"{"error":"invalid_token","error_description":"it ended"}"#, ": it ended"),
        (
            json,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"wrong audience"}}"#,
            ": wrong audience",
        ),
        (
            "application/problem+json",
            r#"{"title":"No","detail":"Your plan has no MCP"}"#,
            ": Your plan has no MCP",
        ),
        ("text/plain", "Missing X-Tenant\nmore", ": Missing X-Tenant"),
        ("text/html", "<title>Session ended</title>", ": a web page titled \"Session ended\""),
        (
            "text/html",
            "<p>no title",
            ": a web page without a title: text/html that begins with \"<p>no title\"",
        ),
        (json, "{}", ""),
        (json, r#"{"error":"Unauthorized"}"#, ""),
        (json, r#"{"message":"not canary-token-1"}"#, ": not [redacted]"),
        ("text/plain", "\u{1b}]0;title\u{7}\u{202e}gone", ": gone"),
        (json, &*long, ": long long"),
    ] {
        let refusal = Refusal::status(401).body(content_type, body);
        let server = FakeMcpServer::builder().accept(Accept::Nothing).refuse_with(refusal).start().unwrap();
        let error = attempt(&server, Some(static_token("canary-token-1"))).await;
        let message = described(&error);
        match body.len() > 1_000 {
            true => {
                assert!(message.starts_with(&format!("{REFUSED}{said}")) && message.len() < 500, "{message}")
            }
            false => assert_eq!(message, format!("{REFUSED}{said}"), "{body}"),
        }
        assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
    }
    // The challenge is meant for it, and says it first.
    let refusal = Refusal::status(401)
        .challenge(r#"Bearer error="invalid_token", error_description="it ended at noon""#)
        .body(json, r#"{"message":"refused"}"#);
    let server = FakeMcpServer::builder().accept(Accept::Nothing).refuse_with(refusal).start().unwrap();
    let error = attempt(&server, Some(static_token("a"))).await;
    assert_eq!(described(&error), format!("{REFUSED}: it ended at noon"));
    // The same of a 403, of one without credentials, and of one whose scope is too small.
    let forbidden = Refusal::forbidden().body("text/plain", "this address is not on the list");
    let scope = Refusal::forbidden()
        .challenge(r#"Bearer error="insufficient_scope", scope="w""#)
        .body(json, r#"{"detail":"writing needs w"}"#);
    for (refusal, token, expected) in [
        (
            forbidden.clone(),
            None,
            "the server refused a request without credentials (403): this address is not on the list",
        ),
        (
            forbidden,
            Some("a"),
            "the server refused the headers that are set for it (403): this address is not on the list",
        ),
        (scope, Some("a"), "the token lacks the scope w that the server asks for (403): writing needs w"),
    ] {
        let server = FakeMcpServer::builder().accept(Accept::Nothing).refuse_with(refusal).start().unwrap();
        assert_eq!(described(&attempt(&server, token.map(static_token)).await), expected);
    }
}

/// A refusal is one, whatever becomes of its body.
#[tokio::test]
async fn fb_a18_s_k2_a_refusal_is_not_held_up_by_its_body() {
    for body in ["Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n"] {
        let server = FieldServer::start(move |_| {
            let head = "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain\r\n";
            Some(Bytes::Hold(format!("{head}{body}").into_bytes()))
        });
        let mut target = server.target();
        target.auth = Some(static_token("a"));
        let connector = connector();
        let attempt = tokio::time::timeout(Duration::from_secs(20), connector.attempt(&target));
        let error = attempt.await.expect("it ends").unwrap_err();
        assert!(matches!(error.kind(), TransportErrorKind::Challenged { status: 401, .. }), "{error:?}");
        assert!(described(&error).starts_with(REFUSED), "{}", described(&error));
    }
}

fn page(text: &str) -> ScriptedAnswer {
    ScriptedAnswer::Http(HttpAnswer::new(200).body("text/html; charset=utf-8", text))
}

#[tokio::test]
async fn fb_t46_a_page_is_one_to_sign_in_at_only_where_it_says_so() {
    let nginx =
        "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><h1>Welcome to nginx!</h1>";
    let plain = (ServerStatus::Failed, ReasonCode::Protocol);
    let sign_in = (ServerStatus::NeedsAuth, ReasonCode::LoginRedirect);
    for (text, meaning, words) in [
        (nginx, plain, "does not speak MCP: a web page titled \"Welcome to nginx!\""),
        ("<title>IIS Windows Server</title>", plain, "a web page titled \"IIS Windows Server\""),
        (
            "<html><div id=app></div>",
            plain,
            "a web page without a title: text/html that begins with \"<html><div id=app></div>\"",
        ),
        ("<title>Acme</title><input type=\"password\">", sign_in, "a sign-in page answered"),
        ("<title>Single Sign-On</title>", sign_in, "a sign-in page answered"),
    ] {
        let server = FakeMcpServer::builder().always(page(text)).start().unwrap();
        let error = attempt(&server, None).await;
        let verdict = classify(&error.evidence());
        assert_eq!((verdict.status(), verdict.code().unwrap()), meaning, "{text}");
        assert!(described(&error).contains(words), "{}", described(&error));
        assert_eq!(methods(&server), ["server/discover", "initialize"], "{text}");
    }
}

/// Hands out another token each time.
#[derive(Debug, Default)]
struct Mint(AtomicUsize);

impl CredentialSource for Mint {
    fn name(&self) -> &str {
        "mint"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        let value = HeaderValue::from_str(&format!("Bearer t{number}")).unwrap();
        Box::pin(async move { Ok(Credentials::new("mint", [(AUTHORIZATION, value)])) })
    }
}

/// A page may be a proxy's way to say 401 without a word of signing in, so other credentials are tried before it is
/// called anything.
#[tokio::test]
async fn fb_t46_other_credentials_are_tried_before_a_page_is_called_anything() {
    let server = FakeMcpServer::builder().start().unwrap();
    server.next_answers([page("<title>Acme Console</title>")]);
    let source = Arc::new(SingleFlight::new(Mint::default()));
    let target = target(&server).with_auth(source.clone());
    let connection = connector().attempt(&target).await.unwrap();
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    let sent: Vec<_> =
        server.requests().iter().map(|request| request.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(sent[..2], ["Bearer t0", "Bearer t1"], "{sent:?}");
}

/// What sends back what it is sent asks for a handshake with our own words.
#[tokio::test]
async fn fa_a13_what_echoes_is_no_server_and_is_told_as_that() {
    let echo = FieldServer::start(|asked| {
        let body = asked.body.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Some(Bytes::End([head.as_bytes(), body.as_bytes()].concat()))
    });
    let error = connector().attempt(&echo.target()).await.unwrap_err();
    assert!(described(&error).contains("it sends back what it is sent"), "{}", described(&error));
    assert_eq!(classify(&error.evidence()).code(), Some(ReasonCode::Protocol));
}
