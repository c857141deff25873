//! What the provider does with tokens, refusals and failures; what it sends, and what it does not.

use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};

use super::super::fake::{ISSUER, SERVER, World, answer, bearer, challenges, metadata};
use super::super::jwt::SigningKey;
use super::super::jwt::tests::{pem, verified};
use super::super::settings::{Grant, IdentityProvider};
use super::super::store::MemoryTokenStore;
use super::*;
use crate::{OAuthSpec, Secret};

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
async fn f095_the_word_of_the_server_counts_more_than_the_local_clock() {
    let world = World::new();
    world.signed_in().await;
    world.net.take_down(TOKEN);
    let provider = provider(&world);
    world.advance(Duration::from_secs(7200));
    assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-0", "it may still be good");
    world.net.bring_up(TOKEN);
    assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-1");
    // And the other way round: refused although it has not expired.
    let used = provider.credentials().await.unwrap();
    assert_eq!(bearer(&retried(refuse(&provider, &used, 401, INVALID, 0).await)), "Bearer at-2");
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
async fn a_renewal_ahead_of_time_that_fails_is_not_repeated_with_every_request() {
    let world = World::new();
    world.signed_in().await;
    world.net.json(TOKEN, 400, json!({ "error": "invalid_grant" }));
    let provider = provider(&world);
    world.advance(Duration::from_secs(3600 - 50));
    for _ in 0..200 {
        assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-0");
        tokio::task::yield_now().await;
    }
    assert_eq!(world.net.sent_to(TOKEN).len(), 1);
}

#[tokio::test]
async fn a_refresh_is_finished_even_when_nobody_waits_for_it_any_more() {
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
async fn dpop_tokens_are_sent_with_proofs_and_nonces_are_learned_on_both_sides() {
    let world = World::new();
    let mut tokens = world.signed_in().await;
    let key = DpopKey::generate(world.clock()).unwrap();
    tokens.token_type = "DPoP".into();
    tokens.dpop_key = Some(key.stored());
    world.keep(&tokens).await;
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    assert_eq!(bearer(&used), "DPoP at-0");

    // The resource server wants a nonce: the same token again, with the nonce in the proof.
    let mut headers = HeaderMap::new();
    headers.insert("dpop-nonce", HeaderValue::from_static("rs-1"));
    let wants = challenges("DPoP error=\"use_dpop_nonce\"");
    let rejection = Rejection::new(StatusCode::UNAUTHORIZED, &wants, &headers, &used);
    let again = retried(provider.on_rejected(rejection).await);
    assert!(!again.same_headers(&used) && bearer(&again) == "DPoP at-0");
    let mut request = HeaderMap::new();
    again.apply(&http::Method::POST, &world.target().url, &mut request);
    let (_, claims) = verified(request["dpop"].to_str().unwrap(), None);
    assert_eq!((&claims["nonce"], &claims["htu"]), (&json!("rs-1"), &json!(SERVER)));
    assert!(world.net.take_lines().is_empty());

    // And the token endpoint one of its own, before it refreshes.
    world.net.on(TOKEN, |seen| {
        let (header, claims) = verified(seen.headers["dpop"].to_str().unwrap(), None);
        assert_eq!(header["typ"], "dpop+jwt");
        if claims["nonce"] != "as-1" {
            let mut wanted = answer(400, &json!({ "error": "use_dpop_nonce" }));
            wanted.headers_mut().insert("dpop-nonce", HeaderValue::from_static("as-1"));
            return wanted;
        }
        answer(200, &json!({ "access_token": "at-9", "token_type": "DPoP", "refresh_token": "rt-9" }))
    });
    let fresh = retried(refuse(&provider, &again, 401, "DPoP error=\"invalid_token\"", 1).await);
    assert_eq!(bearer(&fresh), "DPoP at-9");
    assert_eq!(world.net.sent_to(TOKEN).len(), 2);
    assert_eq!(world.kept().await.unwrap().dpop_key, Some(key.stored()));
}

#[tokio::test]
async fn a_server_that_never_likes_the_nonce_is_not_asked_for_ever() {
    let world = World::new();
    world.net.on(TOKEN, |_| {
        let mut wanted = answer(400, &json!({ "error": "use_dpop_nonce" }));
        wanted.headers_mut().insert("dpop-nonce", HeaderValue::from_static("same"));
        wanted
    });
    let mut tokens = world.signed_in().await;
    tokens.dpop_key = Some(DpopKey::generate(world.clock()).unwrap().stored());
    world.keep(&tokens).await;
    let provider = provider(&world);
    let used = provider.credentials().await.unwrap();
    assert!(refuse(&provider, &used, 401, INVALID, 0).await.is_err());
    assert!(world.net.sent_to(TOKEN).len() <= 3);
}

fn machine(world: &mut World, grant: Grant) {
    world.settings.grant = grant;
    world.settings.spec = OAuthSpec {
        client_id: Some("robot".into()),
        client_secret: Some(Secret::new("s3cret")),
        ..OAuthSpec::default()
    };
}

#[tokio::test]
async fn client_credentials_are_exchanged_when_the_server_asks_and_kept_for_the_next_process() {
    let mut world = World::new();
    machine(&mut world, Grant::ClientCredentials);
    let provider = provider(&world);
    assert_eq!(provider.capabilities(), Capabilities::new(true, false));
    assert!(provider.credentials().await.unwrap().is_empty());
    assert!(world.net.take_lines().is_empty(), "nobody has asked for a token yet");
    let minted = retried(refuse(&provider, &Credentials::none(), 401, "Bearer scope=\"a b\"", 0).await);
    assert_eq!(bearer(&minted), "Bearer at-1");
    let sent = &world.net.sent_to(TOKEN)[0];
    assert_eq!(sent.form("grant_type").as_deref(), Some("client_credentials"));
    assert_eq!(
        (sent.form("scope").as_deref(), sent.form("resource").as_deref()),
        (Some("a b"), Some(SERVER))
    );
    assert!(sent.headers["authorization"].to_str().unwrap().starts_with("Basic "));
    assert_eq!(world.kept().await.unwrap().refresh_token, None);
    assert!(!provider.snapshot().signed_in, "nobody has signed in");

    let next = self::provider(&world);
    assert_eq!(bearer(&next.credentials().await.unwrap()), "Bearer at-1");
    // Refused or expired, it is minted anew.
    let used = next.credentials().await.unwrap();
    assert_eq!(bearer(&retried(refuse(&next, &used, 401, INVALID, 0).await)), "Bearer at-2");
    world.advance(Duration::from_secs(7200));
    assert_eq!(bearer(&next.credentials().await.unwrap()), "Bearer at-3");
    assert!(matches!(
        refuse(&next, &next.credentials().await.unwrap(), 401, INVALID, 1).await,
        Ok(Recovery::Exhausted)
    ));
}

#[tokio::test]
async fn many_first_refusals_of_a_machine_mint_once() {
    let mut world = World::new();
    machine(&mut world, Grant::ClientCredentials);
    let provider = provider(&world);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let provider = provider.clone();
            tokio::spawn(async move { refuse(&provider, &Credentials::none(), 401, "Bearer", 0).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(bearer(&retried(task.await.unwrap())), "Bearer at-1");
    }
    assert_eq!(world.net.sent_to(TOKEN).len(), 1);
}

#[tokio::test]
async fn a_client_with_a_key_authenticates_with_it() {
    let mut world = World::new();
    machine(&mut world, Grant::ClientCredentials);
    world.settings.spec.client_secret = None;
    let der = SigningKey::generate_pkcs8().unwrap();
    world.settings = world.settings.with_client_key(SigningKey::from_pem(&pem(&der)).unwrap());
    let provider = provider(&world);
    retried(refuse(&provider, &Credentials::none(), 401, "Bearer", 0).await);
    let sent = &world.net.sent_to(TOKEN)[0];
    let key = SigningKey::from_pkcs8(&der).unwrap();
    let (header, claims) = verified(&sent.form("client_assertion").unwrap(), Some(&key));
    assert_eq!(header["alg"], "ES256");
    assert_eq!(
        (&claims["iss"], &claims["sub"], &claims["aud"]),
        (&json!("robot"), &json!("robot"), &json!(ISSUER))
    );
    assert_eq!(sent.form("client_id").as_deref(), Some("robot"));
    assert!(!sent.headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_workload_assertion_is_exchanged_once_and_a_refusal_is_final() {
    let mut world = World::new();
    machine(&mut world, Grant::JwtBearer(Arc::new(Secret::new("jwt-canary"))));
    world.settings.spec.client_secret = None;
    let provider = provider(&world);
    retried(refuse(&provider, &Credentials::none(), 401, "Bearer", 0).await);
    let sent = &world.net.sent_to(TOKEN)[0];
    assert_eq!(sent.form("grant_type").as_deref(), Some("urn:ietf:params:oauth:grant-type:jwt-bearer"));
    assert_eq!(sent.form("assertion").as_deref(), Some("jwt-canary"));
    assert_eq!(sent.form("client_id").as_deref(), Some("robot"));

    world.net.json(
        TOKEN,
        400,
        json!({ "error": "invalid_grant", "error_description": "expired: jwt-canary" }),
    );
    world.store.remove(&world.context().key(ISSUER)).await.unwrap();
    world.net.take_lines();
    let provider = self::provider(&world);
    let error = refuse(&provider, &Credentials::none(), 401, "Bearer", 0).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
    assert_eq!(
        error.to_string(),
        "exchange the assertion for a token: https://as.example/token answered 400 invalid_grant (expired: [redacted])"
    );
    assert_eq!(world.net.sent_to(TOKEN).len(), 1);
}

#[tokio::test]
async fn enterprise_managed_authorization_takes_the_id_token_to_the_identity_provider_only() {
    let mut world = World::new();
    let mut identity =
        IdentityProvider::new("https://idp.example/token", "at-idp", Arc::new(Secret::new("id-canary")));
    identity.client_secret = None;
    machine(&mut world, Grant::EnterpriseManaged(identity));
    let issued = "urn:ietf:params:oauth:token-type:id-jag";
    world.net.json(
        "POST https://idp.example/token",
        200,
        json!({ "access_token": "jag-canary", "issued_token_type": issued, "token_type": "N_A" }),
    );
    let provider = provider(&world);
    retried(refuse(&provider, &Credentials::none(), 401, "Bearer", 0).await);
    let exchange = &world.net.sent_to("POST https://idp.example/token")[0];
    assert_eq!(
        exchange.form("grant_type").as_deref(),
        Some("urn:ietf:params:oauth:grant-type:token-exchange")
    );
    assert_eq!(exchange.form("requested_token_type").as_deref(), Some(issued));
    assert_eq!(
        (exchange.form("audience").as_deref(), exchange.form("resource").as_deref()),
        (Some(ISSUER), Some(SERVER))
    );
    assert_eq!(exchange.form("subject_token").as_deref(), Some("id-canary"));
    assert_eq!(exchange.form("client_id").as_deref(), Some("at-idp"));
    let grant = &world.net.sent_to(TOKEN)[0];
    assert_eq!(grant.form("assertion").as_deref(), Some("jag-canary"));
    assert!(grant.headers["authorization"].to_str().unwrap().starts_with("Basic "));
    assert!(!String::from_utf8_lossy(&grant.body).contains("id-canary"));

    world.net.json(
        "POST https://idp.example/token",
        200,
        json!({ "access_token": "x", "issued_token_type": "urn:other" }),
    );
    let used = provider.credentials().await.unwrap();
    let error = refuse(&provider, &used, 401, INVALID, 0).await.unwrap_err();
    assert!(error.to_string().contains("another kind of token"), "{error}");
}

#[tokio::test]
async fn a_store_that_cannot_be_written_does_not_lose_the_rotated_tokens() {
    let world = World::new();
    world.signed_in().await;
    let store = Arc::new(ReadOnly { inner: world.store.clone(), broken: AtomicBool::new(true) });
    let provider = OAuthProvider::from_context(Context { store: store.clone(), ..world.context() });
    let used = provider.credentials().await.unwrap();
    assert_eq!(bearer(&retried(refuse(&provider, &used, 401, INVALID, 0).await)), "Bearer at-1");
    store.broken.store(false, Ordering::Release);
    assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-1");
    assert_eq!(
        world.kept().await.unwrap().refresh_token,
        Some(Secret::new("rt-1")),
        "kept as soon as it can be"
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

/// A store whose disk is full.
#[derive(Debug)]
struct ReadOnly {
    inner: Arc<MemoryTokenStore>,
    broken: AtomicBool,
}

mod read_only {
    use super::super::super::store::{ClientKey, StoreGuard, StoredClient};
    use super::*;

    impl TokenStore for ReadOnly {
        fn load<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Option<StoredTokens>> {
            self.inner.load(key)
        }

        fn save<'a>(&'a self, key: &'a TokenKey, tokens: &'a StoredTokens) -> AuthFuture<'a, ()> {
            if self.broken.load(Ordering::Acquire) {
                let full = AuthError::new(AuthErrorKind::Store, "write the tokens: no space left");
                return Box::pin(std::future::ready(Err(full)));
            }
            self.inner.save(key, tokens)
        }

        fn remove<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, bool> {
            self.inner.remove(key)
        }

        fn list<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<TokenKey>> {
            self.inner.list(server_name)
        }

        fn load_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Option<StoredClient>> {
            self.inner.load_client(key)
        }

        fn save_client<'a>(&'a self, key: &'a ClientKey, client: &'a StoredClient) -> AuthFuture<'a, ()> {
            self.inner.save_client(key, client)
        }

        fn remove_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, bool> {
            self.inner.remove_client(key)
        }

        fn list_clients<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<ClientKey>> {
            self.inner.list_clients(server_name)
        }

        fn lock<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Box<dyn StoreGuard>> {
            self.inner.lock(key)
        }

        fn lock_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Box<dyn StoreGuard>> {
            self.inner.lock_client(key)
        }
    }
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
