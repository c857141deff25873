//! What the provider does with tokens, refusals and failures; what it sends, and what it does not.
//!
//! Longer than 500 lines because every case stands on the same scripted authorization server.

use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::super::fake::{ISSUER, SERVER, World, answer, bearer, challenges, metadata, redirect, text};
use super::super::jwt::SigningKey;
use super::super::jwt::tests::{pem, verified};
use super::super::settings::{Grant, IdentityProvider};
use super::super::store::{FileTokenStore, MemoryTokenStore, TokenStore as _};
mod bound;
mod full_disk;
mod machine;
mod moved;
mod resource;
mod unattended;

use super::*;
use crate::settings::OAuthSpec;
use crate::{AuthError, AuthErrorKind, LoginRemedy, Secret};

const TOKEN: &str = "POST https://as.example/token";
const PRM: &str = "GET https://mcp.example/.well-known/oauth-protected-resource/mcp";
const INVALID: &str = "Bearer error=\"invalid_token\"";

fn provider(world: &World) -> OAuthProvider {
    OAuthProvider::from_context(world.context())
}

async fn refuse(
    provider: &OAuthProvider,
    used: &Credentials,
    status: u16,
    challenge: &str,
    recoveries: u32,
) -> Result<Recovery, AuthError> {
    let (challenges, headers) = (challenges(challenge), HeaderMap::new());
    let status = StatusCode::from_u16(status).unwrap();
    provider.on_rejected(Rejection::new(status, &challenges, &headers, used).after(recoveries)).await
}

#[track_caller]
fn retried(recovery: Result<Recovery, AuthError>) -> Credentials {
    match recovery {
        Ok(Recovery::Retry(credentials)) => credentials,
        other => panic!("no retry: {other:?}"),
    }
}

#[track_caller]
fn login_required(recovery: Result<Recovery, AuthError>) {
    assert!(matches!(recovery, Ok(Recovery::LoginRequired)), "{recovery:?}");
}

#[tokio::test]
async fn without_tokens_nothing_is_sent_to_anyone() {
    let world = World::new();
    let provider = provider(&world);
    assert!(provider.credentials().await.unwrap().is_empty());
    let challenge = format!("{INVALID}, resource_metadata=\"https://mcp.example/prm\"");
    for status in [401, 403] {
        login_required(refuse(&provider, &Credentials::none(), status, &challenge, 0).await);
    }
    assert!(world.net.take_lines().is_empty());
    let snapshot = provider.snapshot();
    assert!(!snapshot.signed_in && snapshot.login_offered);
    assert_eq!(provider.capabilities(), Capabilities::new(true, true));
}

#[tokio::test]
async fn fb_a01_a_refusal_that_says_nothing_is_followed_by_one_look_at_the_server_itself() {
    let key = |name: &'static str| {
        let name = http::HeaderName::from_static(name);
        Credentials::new("static-headers", [(name, HeaderValue::from_static("canary"))])
    };
    // What was sent, the status, and the challenge; whether the server is looked at.
    for (used, status, challenge, looks) in [
        (Credentials::none(), 401, "", true),
        (Credentials::none(), 401, INVALID, true),
        (key("x-tenant"), 401, "", true),
        (key("x-api-key"), 401, "", false),
        (Credentials::none(), 403, "", true),
        (key("x-api-key"), 403, "", false),
        // What is not a challenge is told only where its words are of credentials.
        (Credentials::none(), 400, "", true),
        (Credentials::none(), 200, "", true),
        (Credentials::none(), 401, "Bearer resource_metadata=\"https://mcp.example/prm\"", false),
    ] {
        let world = World::new();
        let provider = provider(&world);
        for _ in 0..2 {
            login_required(refuse(&provider, &used, status, challenge, 0).await);
        }
        let asked = world.net.take_lines();
        assert_eq!(asked, if looks { vec![PRM] } else { Vec::new() }, "{status} {challenge:?}");
        let said = challenge.contains("resource_metadata");
        assert_eq!(provider.snapshot().login_offered, looks || said, "{status} {challenge:?}");
    }
}

#[tokio::test]
async fn fh_h3_a_program_that_tells_people_what_to_do_hears_what_stands_in_the_way_of_a_sign_in() {
    const SAID: &str =
        "Bearer resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/mcp\"";
    const AS: &str = "GET https://as.example/.well-known/oauth-authorization-server";
    let operator = || LoginRemedy::Operator { origin: ISSUER.into() };
    let without = |field: &str| {
        let mut document = metadata(ISSUER);
        document.as_object_mut().unwrap().remove(field);
        answer(200, &document)
    };
    type Fault = Box<dyn Fn(&World)>;
    let answers = |response: http::Response<bytes::Bytes>| -> Fault {
        Box::new(move |world| {
            let response = response.clone();
            world.net.on(AS, move |_| response.clone());
        })
    };
    let table: [(Fault, Option<(LoginRemedy, &str)>); 12] = [
        (Box::new(|_| ()), None),
        (Box::new(|world| world.net.take_down(AS)), Some((operator(), "connection refused"))),
        (answers(text(500, "oops")), Some((operator(), "answered 500"))),
        (answers(redirect("https://elsewhere.example/")), Some((operator(), "redirect"))),
        (answers(text(404, "")), Some((LoginRemedy::AuthorizationServer, "publishes no metadata"))),
        (
            answers(text(200, "<html>hello")),
            Some((LoginRemedy::AuthorizationServer, "publishes no metadata")),
        ),
        (
            answers(answer(200, &metadata("https://other.example"))),
            Some((LoginRemedy::AuthorizationServer, "issuer mismatch")),
        ),
        (
            Box::new(|world| world.net.on(PRM, |_| text(404, ""))),
            Some((LoginRemedy::AuthorizationServer, "neither that nor the origin of the server publishes")),
        ),
        (answers(without("authorization_endpoint")), Some((operator(), "authorization_endpoint"))),
        (answers(without("token_endpoint")), Some((operator(), "token_endpoint"))),
        (answers(without("code_challenge_methods_supported")), Some((LoginRemedy::Settings, "oauth.pkce"))),
        (answers(without("registration_endpoint")), Some((LoginRemedy::Client, "oauth.clientId"))),
    ];
    for (fault, expected) in table {
        let mut world = World::new();
        world.settings.looks_ahead = true;
        fault(&world);
        let provider = provider(&world);
        for _ in 0..3 {
            login_required(refuse(&provider, &Credentials::none(), 401, SAID, 0).await);
        }
        let found = provider.snapshot().login_hindrance;
        let asked = world.net.take_lines();
        assert!(asked.iter().filter(|line| *line == PRM).count() == 1, "looked once, for all: {asked:?}");
        assert!(asked.iter().all(|line| line.starts_with("GET ")), "no one is registered: {asked:?}");
        match (&found, expected) {
            (None, None) => {}
            (Some(found), Some((remedy, words))) => {
                assert_eq!(found.remedy, remedy, "{found:?}");
                assert!(found.message.contains(words), "{found:?}");
            }
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
        // Whatever stood in the way is of no interest once the server takes what it is sent.
        let url = SERVER.parse().unwrap();
        provider
            .on_answer(Acceptance::new(StatusCode::OK, &url, &HeaderMap::new(), &Credentials::none()))
            .unwrap();
        assert_eq!(provider.snapshot().login_hindrance, None);
    }
}

#[tokio::test]
async fn stored_tokens_are_credentials_without_a_request() {
    let world = World::new();
    world.signed_in().await;
    let provider = OAuthProvider::open(
        world.target(),
        world.settings.clone(),
        Arc::new(world.net.clone()),
        world.store.clone(),
    )
    .await;
    assert!(provider.snapshot().signed_in, "known before anyone asks");
    let provider = self::provider(&world);
    let first = provider.credentials().await.unwrap();
    assert_eq!(bearer(&first), "Bearer at-0");
    assert_eq!(first.supplier(&AUTHORIZATION), Some("oauth"));
    assert_eq!(
        first.generation(),
        provider.credentials().await.unwrap().generation(),
        "unchanged is the same value"
    );
    assert!(world.net.take_lines().is_empty());
}

#[tokio::test]
async fn f090_and_f091_a_refusal_refreshes_and_keeps_the_rotated_token_before_it_is_used() {
    let world = World::new();
    world.signed_in().await;
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    let fresh = retried(refuse(&provider, &used, 401, INVALID, 0).await);
    assert_eq!(bearer(&fresh), "Bearer at-1");
    assert_eq!(world.kept().await.unwrap().refresh_token, Some(Secret::new("rt-1")));
    let sent = &world.net.sent_to(TOKEN)[0];
    assert_eq!(sent.form("grant_type").as_deref(), Some("refresh_token"));
    assert_eq!(sent.form("refresh_token").as_deref(), Some("rt-0"));
    assert_eq!(sent.form("resource").as_deref(), Some(SERVER));
    assert_eq!(sent.form("client_id").as_deref(), Some("client-0"));
    assert_eq!(sent.form("scope"), None, "the granted scopes stay");
    assert_eq!(world.net.take_lines(), [TOKEN], "no discovery is repeated");
}

#[tokio::test]
async fn f086_many_refusals_at_once_cause_one_refresh() {
    let world = World::new();
    world.signed_in().await;
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    let refused = |_| {
        let (provider, used) = (provider.clone(), used.clone());
        tokio::spawn(async move { refuse(&provider, &used, 401, INVALID, 0).await })
    };
    let tasks: Vec<_> = (0..50).map(refused).collect();
    for task in tasks {
        assert_eq!(bearer(&retried(task.await.unwrap())), "Bearer at-1");
    }
    assert_eq!(world.net.sent_to(TOKEN).len(), 1);
    assert_eq!(provider.snapshot().fetches, 1);
}

/// A network that answers nothing.
#[derive(Debug)]
struct Silence;

impl crate::HttpExchange for Silence {
    fn exchange(&self, _: http::Request<bytes::Bytes>) -> AuthFuture<'_, http::Response<bytes::Bytes>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn while_a_refresh_is_unanswered_it_is_said_who_is_asked() {
    let world = World::new();
    world.signed_in().await;
    let mut context = world.context();
    context.http = Arc::new(Silence);
    let provider = OAuthProvider::from_context(context);
    let used = provider.credentials().await.unwrap();
    assert_eq!(provider.snapshot().asks, None);
    let refused = refuse(&provider, &used, 401, INVALID, 0);
    assert_eq!(asked_meanwhile(&provider, refused).await, "https://as.example/token");
}

/// Who is asked for a token while this waits for it.
async fn asked_meanwhile<T: std::fmt::Debug>(
    provider: &OAuthProvider,
    waiting: impl Future<Output = T>,
) -> String {
    let asks = async {
        loop {
            match provider.snapshot().asks {
                Some(asked) => return asked,
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    tokio::select! {
        biased;
        ended = waiting => panic!("{ended:?}"),
        asked = tokio::time::timeout(Duration::from_secs(30), asks) => asked.expect("it is asked"),
    }
}

#[tokio::test]
async fn signed_out_is_who_has_nothing_in_a_store_that_could_be_read() {
    let world = World::new();
    let provider = provider(&world);
    assert!(!provider.is_signed_out() && !provider.is_kept(), "it has not been looked yet");
    assert!(provider.credentials().await.unwrap().is_empty());
    assert!(provider.is_signed_out() && !provider.is_kept());
    world.signed_in().await;
    assert!(!provider.credentials().await.unwrap().is_empty());
    assert!(!provider.is_signed_out() && provider.is_kept());
}

#[tokio::test]
async fn a_refresh_that_fails_answers_everyone_who_waited_for_it() {
    let world = World::new();
    world.signed_in().await;
    world.net.json(TOKEN, 503, Value::Null);
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (provider, used) = (provider.clone(), used.clone());
            tokio::spawn(async move { refuse(&provider, &used, 401, INVALID, 0).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap_err().kind(), AuthErrorKind::Unavailable);
    }
    assert_eq!(world.net.sent_to(TOKEN).len(), 1);
}

#[tokio::test]
async fn f087_a_token_that_another_process_has_replaced_meanwhile_is_used_and_kept() {
    let world = World::new();
    let mut theirs = world.signed_in().await;
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    theirs.access_token = Secret::new("theirs");
    theirs.generation += 1;
    world.keep(&theirs).await;
    let fresh = retried(refuse(&provider, &used, 401, INVALID, 0).await);
    assert_eq!(bearer(&fresh), "Bearer theirs");
    assert_eq!(world.kept().await, Some(theirs));
    assert!(world.net.take_lines().is_empty());
}

#[tokio::test]
async fn a_sign_in_of_another_process_is_found_on_the_next_use() {
    let world = World::new();
    let provider = provider(&world);
    let anonymous = provider.credentials().await.unwrap();
    world.signed_in().await;
    assert_eq!(bearer(&retried(refuse(&provider, &anonymous, 401, INVALID, 0).await)), "Bearer at-0");
    assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-0");
}

/// A look is at files, in another thread: with each of many calls it was most of what a call cost.
#[tokio::test]
async fn a_server_that_takes_requests_of_anyone_is_no_reason_to_look_for_a_sign_in_before_each() {
    let world = World::new();
    let provider = provider(&world);
    let (url, headers) = (SERVER.parse().unwrap(), HeaderMap::new());
    let taken = |used: &Credentials| {
        provider.on_answer(Acceptance::new(StatusCode::OK, &url, &headers, used)).unwrap();
    };
    let fetches = || provider.flight.snapshot().fetches;
    for expected in 1..=3 {
        taken(&provider.credentials().await.unwrap());
        provider.credentials().await.unwrap();
        provider.credentials().await.unwrap();
        assert_eq!(fetches(), expected + 1, "the first look was before anything was known");
        world.advance(Duration::from_secs(1));
    }
    // Who signs in is found a moment later, and at once where the server wants it.
    provider.credentials().await.unwrap();
    world.signed_in().await;
    assert!(provider.credentials().await.unwrap().is_empty());
    world.advance(Duration::from_secs(1));
    assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-0");

    let world = World::new();
    let provider = self::provider(&world);
    let none = provider.credentials().await.unwrap();
    provider.on_answer(Acceptance::new(StatusCode::OK, &url, &headers, &none)).unwrap();
    let none = provider.credentials().await.unwrap();
    world.signed_in().await;
    assert_eq!(bearer(&retried(refuse(&provider, &none, 401, INVALID, 0).await)), "Bearer at-0");

    // After a refusal it is looked with each request again.
    let world = World::new();
    let provider = self::provider(&world);
    provider.on_answer(Acceptance::new(StatusCode::OK, &url, &headers, &none)).unwrap();
    login_required(refuse(&provider, &none, 401, INVALID, 0).await);
    assert!(provider.credentials().await.unwrap().is_empty());
    world.signed_in().await;
    assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-0");
}

#[tokio::test]
async fn f088_a_transient_error_keeps_the_tokens_and_is_tried_again_later() {
    let world = World::new();
    let old = world.signed_in().await;
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    world.net.take_down(TOKEN);
    let error = refuse(&provider, &used, 401, INVALID, 0).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Unavailable);
    assert_eq!(
        error.to_string(),
        "refresh the tokens: no answer from https://as.example/token: connection refused"
    );
    assert_eq!(world.kept().await, Some(old));
    assert!(provider.snapshot().signed_in);
    world.net.bring_up(TOKEN);
    world.advance(Duration::from_secs(1));
    // The next request, as every one, asks for credentials first.
    let used = provider.credentials().await.unwrap();
    assert_eq!(bearer(&retried(refuse(&provider, &used, 401, INVALID, 0).await)), "Bearer at-1");
}

#[tokio::test]
async fn f089_tokens_go_only_when_the_authorization_server_says_so() {
    let world = World::new();
    let mut tokens = world.signed_in().await;
    tokens.refresh_token = None;
    world.keep(&tokens).await;
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    login_required(refuse(&provider, &used, 401, INVALID, 0).await);
    assert_eq!(world.kept().await, Some(tokens), "a 401 removes nothing");

    world.signed_in().await;
    world.net.json(TOKEN, 400, json!({ "error": "invalid_grant" }));
    let provider = self::provider(&world);
    let used = provider.credentials().await.unwrap();
    let error = refuse(&provider, &used, 401, INVALID, 0).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::SignInExpired);
    assert!(error.to_string().contains("400 invalid_grant"), "{error}");
    assert!(world.kept().await.is_none());
    assert!(!provider.snapshot().signed_in);
}

#[tokio::test]
async fn f092_tokens_without_a_lifetime_are_used_until_refused() {
    let world = World::new();
    let mut tokens = world.signed_in().await;
    tokens.expires_at = None;
    world.keep(&tokens).await;
    let provider = provider(&world);
    world.advance(Duration::from_secs(86_400 * 365));
    assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-0");
    assert!(world.net.take_lines().is_empty());
}

#[tokio::test]
async fn f094_another_refusal_is_believed_when_it_repeats_and_the_tokens_stay() {
    let world = World::new();
    let old = world.signed_in().await;
    world.net.json(TOKEN, 400, json!({ "error": "invalid_request" }));
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    let error = refuse(&provider, &used, 401, INVALID, 0).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::SignInExpired);
    assert_eq!(world.net.sent_to(TOKEN).len(), 2);
    assert_eq!(world.kept().await, Some(old));
}

#[tokio::test]
async fn one_refresh_token_is_not_sent_again_before_the_wait_is_over() {
    for (wait, secs) in [("0", 1), ("20", 20)] {
        let world = World::new();
        let mut theirs = world.signed_in().await;
        world.net.on(TOKEN, move |_| {
            let mut busy = answer(429, &Value::Null);
            busy.headers_mut().insert("retry-after", HeaderValue::from_static(wait));
            busy
        });
        world.advance(Duration::from_secs(7200));
        let provider = provider(&world);
        for _ in 0..5 {
            // What has ended by our clock is sent all the same, and refused.
            let used = provider.credentials().await.unwrap();
            let refused = refuse(&provider, &used, 401, INVALID, 0).await.unwrap_err();
            assert_eq!(refused.kind(), AuthErrorKind::Unavailable);
        }
        assert_eq!(world.net.sent_to(TOKEN).len(), 1, "{wait}");
        world.advance(Duration::from_secs(secs));
        assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-0");
        assert_eq!(world.net.sent_to(TOKEN).len(), 2, "{wait}");
        // Another process has more luck meanwhile.
        theirs.access_token = Secret::new("theirs");
        theirs.generation += 1;
        world.keep(&theirs).await;
        assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer theirs", "{wait}");
        assert_eq!(world.net.sent_to(TOKEN).len(), 2, "{wait}");
    }
}

#[tokio::test]
async fn f095_the_word_of_the_server_counts_more_than_the_local_clock() {
    let world = World::new();
    world.signed_in().await;
    world.net.take_down(TOKEN);
    let provider = provider(&world);
    world.advance(Duration::from_secs(7200));
    assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-0", "it may still be good");
    world.net.bring_up(TOKEN);
    world.advance(Duration::from_secs(1));
    assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-1");
    // And the other way round: refused although it has not expired.
    let used = provider.credentials().await.unwrap();
    assert_eq!(bearer(&retried(refuse(&provider, &used, 401, INVALID, 0).await)), "Bearer at-2");
}

#[tokio::test]
async fn a_store_that_cannot_be_used_for_a_while_costs_no_sign_in() {
    let world = World::new();
    let tokens = world.signed_in().await;
    let home = tempfile::tempdir().unwrap();
    let mut context = world.context();
    let key = context.key(ISSUER);
    let store = FileTokenStore::with_patience(home.path(), Duration::from_millis(20));
    store.save(&key, &tokens).await.unwrap();
    context.store = Arc::new(store);
    let provider = OAuthProvider::from_context(context);
    let used = provider.credentials().await.unwrap();
    let held = FileTokenStore::new(home.path()).lock(&key).await.unwrap();
    world.advance(Duration::from_secs(7200));
    assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-0", "it may still be good");
    let error = refuse(&provider, &used, 401, INVALID, 0).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::StoreUnavailable, "{error}");
    assert!(world.net.sent_to(TOKEN).is_empty(), "nothing is spent");
    drop(held);
    assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-1");
}

#[tokio::test]
async fn f096_one_request_causes_at_most_one_refresh() {
    let world = World::new();
    world.signed_in().await;
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    let fresh = retried(refuse(&provider, &used, 401, INVALID, 0).await);
    login_required(refuse(&provider, &fresh, 401, INVALID, 1).await);
    assert_eq!(world.net.sent_to(TOKEN).len(), 1);
}

#[tokio::test]
async fn tokens_are_renewed_ahead_of_time_while_the_old_ones_serve() {
    let world = World::new();
    world.signed_in().await;
    let provider = provider(&world);
    world.advance(Duration::from_secs(3600 - 30));
    assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-0", "no call waits");
    while world.kept().await.unwrap().access_token != Secret::new("at-1") {
        tokio::task::yield_now().await;
    }
    while bearer(&provider.credentials().await.unwrap()) != "Bearer at-1" {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.net.sent_to(TOKEN).len(), 1);
}

#[tokio::test]
async fn a_program_that_waits_for_the_end_of_renewals_has_kept_every_rotated_token() {
    let world = World::new();
    world.signed_in().await;
    let renewals = world.settings.renewals.clone();
    renewals.settled().await;
    let ahead = provider(&world);
    world.advance(Duration::from_secs(3600 - 30));
    ahead.credentials().await.unwrap();
    renewals.settled().await;
    assert_eq!(world.kept().await.unwrap().refresh_token, Some(Secret::new("rt-1")));

    // The same where the one who caused it has been told to stop.
    let abandoned = provider(&world);
    let used = abandoned.credentials().await.unwrap();
    let mut call = Box::pin(refuse(&abandoned, &used, 401, INVALID, 0));
    while world.net.sent_to(TOKEN).len() < 2 {
        assert!(futures_poll(&mut call).await.is_none(), "the test wants to drop it in flight");
        tokio::task::yield_now().await;
    }
    drop(call);
    renewals.settled().await;
    assert_eq!(world.kept().await.unwrap().refresh_token, Some(Secret::new("rt-2")));
}

#[tokio::test]
async fn a_renewal_ahead_of_time_that_fails_is_not_repeated_with_every_request() {
    for (status, answer) in [(503, Value::Null), (400, json!({ "error": "invalid_grant" }))] {
        let world = World::new();
        world.signed_in().await;
        world.net.json(TOKEN, status, answer);
        let provider = provider(&world);
        world.advance(Duration::from_secs(3600 - 50));
        for _ in 0..200 {
            assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-0");
            tokio::task::yield_now().await;
        }
        assert_eq!(world.net.sent_to(TOKEN).len(), 1);
    }
}

#[tokio::test]
async fn a_refresh_is_finished_even_when_it_is_not_waited_for_any_more() {
    let world = World::new();
    world.signed_in().await;
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    {
        let mut abandoned = Box::pin(refuse(&provider, &used, 401, INVALID, 0));
        while world.net.sent_to(TOKEN).is_empty() {
            assert!(futures_poll(&mut abandoned).await.is_none(), "the test wants to drop it in flight");
            tokio::task::yield_now().await;
        }
    }
    while world.kept().await.unwrap().refresh_token != Some(Secret::new("rt-1")) {
        tokio::task::yield_now().await;
    }
}

/// Polls once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| match std::pin::Pin::new(&mut *future).poll(cx) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn a_sign_in_with_more_scope_is_used_as_soon_as_the_old_tokens_are_refused() {
    let world = World::new();
    world.signed_in().await;
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    let mut wider = world.signed_in().await;
    wider.access_token = Secret::new("at-wide");
    world.keep(&wider).await;
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"write\"";
    assert_eq!(bearer(&retried(refuse(&provider, &used, 403, challenge, 0).await)), "Bearer at-wide");
    assert!(world.net.take_lines().is_empty());
}

#[tokio::test]
async fn more_scope_needs_a_person_and_no_refresh() {
    let world = World::new();
    world.signed_in().await;
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"write\"";
    login_required(refuse(&provider, &used, 403, challenge, 0).await);
    login_required(refuse(&provider, &used, 403, "", 0).await);
    assert!(world.net.take_lines().is_empty());
}

#[tokio::test]
async fn a_server_that_has_moved_to_another_authorization_server_needs_a_new_sign_in() {
    let world = World::new();
    world.signed_in().await;
    world.publish("https://as2.example", metadata("https://as2.example"));
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    let url = PRM.strip_prefix("GET ").unwrap();
    login_required(refuse(&provider, &used, 401, &format!("Bearer resource_metadata=\"{url}\""), 0).await);
    assert_eq!(world.net.take_lines(), [PRM], "the old refresh token is not sent for nothing");
    assert!(world.kept().await.is_some());
}

#[tokio::test]
async fn f067_a_refresh_after_a_restart_goes_where_the_tokens_came_from() {
    let mut world = World::new();
    let mut tokens = world.signed_in().await;
    tokens.token_endpoint = Some("https://login.example/token".into());
    world.keep(&tokens).await;
    world.authorization_server("https://login.example");
    let used = provider(&world).credentials().await.unwrap();
    assert_eq!(bearer(&retried(refuse(&provider(&world), &used, 401, INVALID, 0).await)), "Bearer at-1");
    assert_eq!(world.net.take_lines(), ["POST https://login.example/token"]);

    // Tokens of an older program do not say where; then the configured metadata does.
    tokens.token_endpoint = None;
    tokens.generation = 9;
    world.keep(&tokens).await;
    world.settings.spec.auth_server_metadata_url = Some("https://login.example/meta".parse().unwrap());
    world.net.json("GET https://login.example/meta", 200, metadata("https://login.example"));
    tokens.refresh_token = Some(Secret::new("rt-x"));
    world.keep(&tokens).await;
    let provider = self::provider(&world);
    let used = provider.credentials().await.unwrap();
    retried(refuse(&provider, &used, 401, INVALID, 0).await);
    assert_eq!(
        world.net.take_lines(),
        ["GET https://login.example/meta", "POST https://login.example/token"]
    );
}

#[tokio::test]
async fn nothing_that_is_shown_contains_a_token() {
    let world = World::new();
    let mut tokens = world.signed_in().await;
    tokens.access_token = Secret::new("canary-access");
    tokens.refresh_token = Some(Secret::new("canary-refresh"));
    world.keep(&tokens).await;
    world.net.json(TOKEN, 400, json!({ "error": "invalid_grant", "error_description": "canary-refresh" }));
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    let shown = format!("{provider:?} {used:?} {:?}", provider.snapshot());
    assert!(!shown.contains("canary"), "{shown}");
    let error = refuse(&provider, &used, 401, INVALID, 0).await.unwrap_err();
    assert!(!format!("{error} {error:?} {provider:?}").contains("canary"));
}

/// The result of a future that needs no one else, such as those of the store in memory.
fn ready<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it waits for something"),
    }
}

#[tokio::test]
async fn signed_in_and_machine_providers_keep_the_contract() {
    use self::machine::machine;
    use crate::contract::{Subject, check};

    let signed_in = || {
        let world = World::new();
        ready(world.signed_in());
        let net = world.net.clone();
        Subject::new(provider(&world))
            .counting(move || net.sent_to(TOKEN).len() as u64)
            .with_secret("at-0")
            .with_secret("rt-0")
    };
    check(signed_in).await.unwrap();

    let robot = || {
        let mut world = World::new();
        machine(&mut world, Grant::ClientCredentials);
        let mut tokens = ready(world.signed_in());
        tokens.client_id = "robot".into();
        ready(world.keep(&tokens));
        let net = world.net.clone();
        Subject::new(provider(&world))
            .counting(move || net.sent_to(TOKEN).len() as u64)
            .with_secret("at-0")
            .with_secret("s3cret")
    };
    check(robot).await.unwrap();
}
