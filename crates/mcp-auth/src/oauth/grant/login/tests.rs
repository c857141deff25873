//! Sign-in and sign-out in a world of one server and one authorization server.
//!
//! Longer than 500 lines because every case plays in the same world, which is set up here once.

mod device;
mod doors;
mod field;
mod id_token;
mod secrets;
mod sign_out;

use std::time::Duration;

use serde_json::{Value, json};

use super::super::super::fake::{
    FakeAuthorizer, FakeProbe, FakePrompt, ISSUER, SERVER, World, answer, challenges, encoded, metadata,
    pkce_fits, redirect,
};
use super::super::super::store::ClientKey;
use super::*;
use crate::Secret;
use crate::settings::OAuthSpec;

const TOKEN: &str = "POST https://as.example/token";
const REGISTER: &str = "POST https://as.example/register";
const REVOKE: &str = "POST https://as.example/revoke";

fn login(world: &World) -> OAuthLogin {
    OAuthLogin::from_context(world.context())
}

async fn run(world: &World, authorizer: &FakeAuthorizer) -> Result<SignedIn, AuthError> {
    let pending = login(world).begin(&[]).await?.confirm_issuer();
    pending.complete(authorizer, &FakeProbe::default()).await
}

/// Every text that an error shows.
fn texts(error: &AuthError) -> String {
    format!("{error} {error:?}")
}

#[tokio::test]
async fn a_sign_in_asks_for_exactly_what_is_needed_and_keeps_what_a_refresh_needs() {
    let world = World::new();
    let authorizer = FakeAuthorizer::consenting(ISSUER);
    let probe = FakeProbe::default();
    let signed_in = login(&world).begin(&[]).await.unwrap().complete(&authorizer, &probe).await.unwrap();

    assert_eq!(signed_in.issuer, ISSUER);
    assert!(signed_in.refreshable);
    let asked = authorizer.requests.lock().unwrap()[0].clone();
    assert_eq!(asked["resource"], SERVER);
    assert_eq!(asked["client_id"], "client-1");
    assert_eq!(asked.get("scope"), None);
    let token = &world.net.sent_to(TOKEN)[0];
    assert!(pkce_fits(&asked, token));
    assert_eq!(token.form("resource").as_deref(), Some(SERVER));
    assert_eq!(token.form("redirect_uri"), Some(asked["redirect_uri"].clone()));
    assert_eq!(token.form("client_id").as_deref(), Some("client-1"));
    assert_eq!(*probe.seen.lock().unwrap(), ["Bearer at-1"]);
    assert_eq!(*authorizer.outcomes.lock().unwrap(), [Ok(())]);

    let kept = world.kept().await.unwrap();
    assert_eq!(kept.refresh_token, Some(Secret::new("rt-1")));
    assert_eq!(kept.token_endpoint.as_deref(), Some("https://as.example/token"));
    assert_eq!(kept.resource_parameter.as_deref(), Some(SERVER));
    assert_eq!(
        world.net.take_lines(),
        [
            "GET https://mcp.example/.well-known/oauth-protected-resource/mcp",
            "GET https://as.example/.well-known/oauth-authorization-server",
            REGISTER,
            TOKEN,
        ]
    );
}

#[tokio::test]
async fn f069_the_resource_can_be_overridden_and_left_out() {
    for (configured, expected) in [("urn:other", Some("urn:other")), ("", None)] {
        let mut world = World::new();
        world.settings.spec.resource = Some(configured.into());
        let authorizer = FakeAuthorizer::consenting(ISSUER);
        run(&world, &authorizer).await.unwrap();
        let asked = authorizer.requests.lock().unwrap()[0].clone();
        assert_eq!(asked.get("resource").map(String::as_str), expected);
        assert_eq!(world.net.sent_to(TOKEN)[0].form("resource").as_deref(), expected);
        assert_eq!(world.kept().await.unwrap().resource_parameter.as_deref(), expected);
    }
}

#[tokio::test]
async fn f070_and_f072_the_configured_redirect_and_port_are_asked_for_every_time() {
    let mut world = World::new();
    world.settings.spec.callback_port = Some(9999);
    let authorizer = FakeAuthorizer::consenting(ISSUER);
    run(&world, &authorizer).await.unwrap();
    run(&world, &authorizer).await.unwrap();
    assert!(authorizer.preferences.lock().unwrap().iter().all(|preference| preference.port == Some(9999)));

    world.settings.spec.redirect_uri = Some("http://127.0.0.1:8080/cb".into());
    run(&world, &authorizer).await.unwrap();
    assert_eq!(authorizer.requests.lock().unwrap()[2]["redirect_uri"], "http://127.0.0.1:8080/cb");
}

#[tokio::test]
async fn f074_the_secret_goes_the_way_the_server_lists() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let mut world = World::new();
        let mut listed = metadata(ISSUER);
        listed["token_endpoint_auth_methods_supported"] = json!([method]);
        world.publish(ISSUER, listed);
        world.settings.spec.client_id = Some("me".into());
        world.settings.spec.client_secret = Some(Secret::new("s3cret"));
        run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
        let sent = &world.net.sent_to(TOKEN)[0];
        assert_eq!(sent.headers.contains_key("authorization"), method == "client_secret_basic");
        assert_eq!(sent.form("client_secret").is_some(), method == "client_secret_post");
        assert!(world.net.sent_to(REGISTER).is_empty());
        // A later process is not given the secret again.
        let kept = world.store.load_client(&ClientKey::configured("srv")).await.unwrap().unwrap();
        assert_eq!(kept.client_secret, Some(Secret::new("s3cret")));
        assert_eq!(kept.token_endpoint_auth_method.as_deref(), Some(method));
    }
}

#[tokio::test]
async fn f075_a_registration_that_the_server_forgot_is_replaced_once() {
    let world = World::new();
    let authorizer = FakeAuthorizer::consenting(ISSUER);
    run(&world, &authorizer).await.unwrap();

    world.net.on(TOKEN, |seen| match seen.form("client_id").as_deref() {
        Some("client-1") => answer(401, &json!({ "error": "invalid_client" })),
        _ => answer(200, &json!({ "access_token": "fresh" })),
    });
    run(&world, &authorizer).await.unwrap();
    let clients: Vec<_> =
        authorizer.requests.lock().unwrap().iter().map(|asked| asked["client_id"].clone()).collect();
    assert_eq!(clients, ["client-1", "client-1", "client-2"]);

    // A server that knows no client is asked twice and no more.
    world.net.json(TOKEN, 401, json!({ "error": "invalid_client" }));
    let before = world.net.sent_to(TOKEN).len();
    let error = run(&world, &authorizer).await.unwrap_err();
    assert!(error.to_string().contains("401 invalid_client"), "{error}");
    assert_eq!(world.net.sent_to(TOKEN).len(), before + 2);
}

#[tokio::test]
async fn f076_a_registration_is_used_again_with_its_port() {
    let world = World::new();
    let authorizer = FakeAuthorizer::consenting(ISSUER);
    for _ in 0..3 {
        run(&world, &authorizer).await.unwrap();
    }
    assert_eq!(world.net.sent_to(REGISTER).len(), 1);
    let preferred: Vec<_> =
        authorizer.preferences.lock().unwrap().iter().map(|preference| preference.preferred_port).collect();
    assert_eq!(preferred, [None, Some(4321), Some(4321)]);
}

#[tokio::test]
async fn f077_the_outcome_of_the_exchange_is_what_the_page_is_told() {
    let world = World::new();
    world.net.json(
        TOKEN,
        400,
        json!({ "error": "invalid_grant", "error_description": "code-canary is used up" }),
    );
    let authorizer = FakeAuthorizer::consenting(ISSUER);
    let error = run(&world, &authorizer).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "exchange the authorization code: https://as.example/token answered 400 invalid_grant ([redacted] is used up)"
    );
    assert_eq!(*authorizer.outcomes.lock().unwrap(), [Err(error.to_string())]);
    assert!(world.kept().await.is_none());
}

#[tokio::test]
async fn f078_an_answer_of_another_issuer_or_sign_in_sends_no_code_anywhere() {
    let foreign = FakeAuthorizer::with(|asked| {
        format!("code=c&state={}&iss={}", asked["state"], encoded("https://evil.example"))
    });
    let missing = FakeAuthorizer::with(|asked| format!("code=c&state={}", asked["state"]));
    let slash = FakeAuthorizer::with(|asked| {
        format!("code=c&state={}&iss={}", asked["state"], encoded("https://as.example/"))
    });
    let stateless = FakeAuthorizer::with(|_| format!("code=c&state=other&iss={}", encoded(ISSUER)));
    for (authorizer, words) in [
        (foreign, "issuer mismatch"),
        (missing, "issuer missing"),
        (slash, "issuer mismatch"),
        (stateless, "state mismatch"),
    ] {
        let world = World::new();
        let error = run(&world, &authorizer).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(world.net.sent_to(TOKEN).is_empty());
    }
}

#[tokio::test]
async fn a_refusal_by_the_person_is_told_with_its_code() {
    let world = World::new();
    let denying = FakeAuthorizer::with(|asked| {
        format!(
            "error=access_denied&error_description=not+today&state={}&iss={}",
            asked["state"],
            encoded(ISSUER)
        )
    });
    let error = run(&world, &denying).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Cancelled);
    assert_eq!(
        error.to_string(),
        "authorize: https://as.example/authorize sent the browser back with the error access_denied (not today)"
    );
}

#[tokio::test]
async fn f082_old_tokens_stay_until_the_server_has_accepted_the_new_ones() {
    let world = World::new();
    let old = world.signed_in().await;
    let refusing = FakeProbe { refuse: true, ..FakeProbe::default() };
    let pending = login(&world).begin(&[]).await.unwrap();
    let error = pending.complete(&FakeAuthorizer::consenting(ISSUER), &refusing).await.unwrap_err();
    assert!(error.to_string().contains("connect with the new tokens"), "{error}");
    assert_eq!(world.kept().await, Some(old), "a failed proof changes nothing");

    run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    assert_eq!(world.kept().await.unwrap().access_token, Secret::new("at-2"));
    assert!(world.net.sent_to(REVOKE).is_empty(), "working credentials are not revoked");
}

#[tokio::test]
async fn f081_a_sign_in_that_is_dropped_leaves_the_old_tokens() {
    #[derive(Debug)]
    struct HangingProbe;
    impl LoginProbe for HangingProbe {
        fn probe(&self, _: ProbeRequest) -> AuthFuture<'_, ()> {
            Box::pin(std::future::pending())
        }
    }
    let world = World::new();
    let old = world.signed_in().await;
    let pending = login(&world).begin(&[]).await.unwrap();
    let authorizer = FakeAuthorizer::consenting(ISSUER);
    let interrupted = pending.complete(&authorizer, &HangingProbe);
    assert!(tokio::time::timeout(Duration::from_millis(50), interrupted).await.is_err());
    assert_eq!(world.net.sent_to(TOKEN).len(), 1, "it was interrupted after the exchange");
    assert_eq!(world.kept().await, Some(old));
}

#[tokio::test]
async fn f084_two_entries_for_one_url_and_two_accounts_of_one_entry_hold_a_sign_in_each() {
    let world = World::new();
    let targets = [("work", None), ("home", None), ("home", Some("second")), ("home", Some("third"))].map(
        |(name, account)| Target::new(name, world.target().url).with_account(account.map(str::to_owned)),
    );
    let login =
        |target: &Target| OAuthLogin::from_context(Context { target: target.clone(), ..world.context() });
    for target in &targets {
        let authorizer = FakeAuthorizer::consenting(ISSUER);
        let pending = login(target).begin(&[]).await.unwrap();
        pending.complete(&authorizer, &FakeProbe::default()).await.unwrap();
    }
    let tokens = async || {
        let mut kept = Vec::new();
        for target in &targets {
            let found = world.store.find(target).await.unwrap();
            kept.push(found.map(|(_, tokens)| tokens.access_token.expose().to_owned()));
        }
        kept.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>()
    };
    assert_eq!(tokens().await, ["at-1", "at-2", "at-3", "at-4"]);
    assert_eq!(login(&targets[2]).logout().await.unwrap().forgotten, 1);
    assert_eq!(tokens().await, ["at-1", "at-2", "", "at-4"], "only that account is signed out");
    assert_eq!(login(&targets[1]).logout_all().await.unwrap().forgotten, 2);
    assert_eq!(tokens().await, ["at-1", "", "", ""]);
}

#[tokio::test]
async fn f080_every_request_of_a_sign_in_goes_through_the_given_network() {
    let world = World::new();
    run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    let provider = OAuthProvider::from_context(world.context());
    let used = provider.credentials().await.unwrap();
    let (headers, invalid) = (http::HeaderMap::new(), challenges("Bearer error=\"invalid_token\""));
    let refused = crate::Rejection::new(http::StatusCode::UNAUTHORIZED, &invalid, &headers, &used);
    assert!(matches!(provider.on_rejected(refused).await, Ok(crate::Recovery::Retry(_))));
    login(&world).logout().await.unwrap();
    // These hosts do not exist: what got an answer went through the network that was given, proxy and all.
    assert_eq!(
        world.net.take_lines(),
        [
            "GET https://mcp.example/.well-known/oauth-protected-resource/mcp",
            "GET https://as.example/.well-known/oauth-authorization-server",
            REGISTER,
            TOKEN,
            TOKEN,
            REVOKE,
            REVOKE,
        ]
    );
}

#[tokio::test]
async fn fb_a13_an_entry_keeps_its_secret_when_another_entry_replaces_the_shared_registration() {
    let world = World::new();
    let registered = std::sync::atomic::AtomicU32::new(0);
    world.net.on(REGISTER, move |_| {
        let n = registered.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        let method = "client_secret_post";
        answer(
            201,
            &json!({ "client_id": format!("client-{n}"), "client_secret": format!("secret-{n}"), "token_endpoint_auth_method": method }),
        )
    });
    run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    // The other entry has a redirect URI of its own, and so needs a registration of its own.
    let mut other = world.context();
    other.target.name = "other".into();
    other.settings.spec.callback_port = Some(7777);
    let pending = OAuthLogin::from_context(other).begin(&[]).await.unwrap();
    pending.complete(&FakeAuthorizer::consenting(ISSUER), &FakeProbe::default()).await.unwrap();
    assert_eq!(world.net.sent_to(REGISTER).len(), 2);

    login(&world).logout().await.unwrap();
    let revoked = &world.net.sent_to(REVOKE)[0];
    assert_eq!(revoked.form("client_id").as_deref(), Some("client-1"));
    assert_eq!(revoked.form("client_secret").as_deref(), Some("secret-1"));
}

#[tokio::test]
async fn f085_pinned_scopes_are_the_ones_asked_for() {
    let mut world = World::new();
    let mut listed = metadata(ISSUER);
    listed["scopes_supported"] = json!(["a", "b", "offline_access"]);
    world.publish(ISSUER, listed);
    world.settings.spec.scopes = Some(vec!["b".into()]);
    let authorizer = FakeAuthorizer::consenting(ISSUER);
    let pending = login(&world).begin(&challenges("Bearer scope=\"x y\"")).await.unwrap();
    pending.complete(&authorizer, &FakeProbe::default()).await.unwrap();
    assert_eq!(authorizer.requests.lock().unwrap()[0]["scope"], "b");
    assert_eq!(world.kept().await.unwrap().scopes, ["b"]);
}

/// An authorization server that takes `offline_access` as OpenID Connect says: only with `prompt=consent`.
fn world_of_openid_connect() -> World {
    let world = World::new();
    let mut listed = metadata(ISSUER);
    listed["scopes_supported"] = json!(["offline_access"]);
    world.publish(ISSUER, listed);
    world.net.on(TOKEN, |seen| match seen.form("code").as_deref() {
        Some("consented") => answer(
            200,
            &json!({ "access_token": "at-2", "refresh_token": "rt-2", "scope": "a offline_access" }),
        ),
        _ => answer(200, &json!({ "access_token": "at-1", "scope": "a" })),
    });
    world
}

/// Every `prompt` that was sent, as the person answers `consent` to the page that one of them demands.
async fn prompts(world: &World, consent: &'static str) -> Vec<Option<String>> {
    let authorizer = FakeAuthorizer::with(move |asked| {
        let result = if asked.contains_key("prompt") { consent } else { "code=plain" };
        format!("{result}&state={}&iss={}", asked["state"], encoded(ISSUER))
    });
    let pending = login(world).begin(&challenges("Bearer scope=\"a\"")).await.unwrap();
    pending.complete(&authorizer, &FakeProbe::default()).await.unwrap();
    assert_eq!(*authorizer.outcomes.lock().unwrap(), [Ok(())]);
    authorizer.requests.lock().unwrap().iter().map(|asked| asked.get("prompt").cloned()).collect()
}

#[tokio::test]
async fn consent_is_demanded_only_where_a_refresh_token_was_withheld_for_the_lack_of_it() {
    let world = world_of_openid_connect();
    assert_eq!(prompts(&world, "code=consented").await, [None, Some("consent".to_owned())]);
    let kept = world.kept().await.unwrap();
    assert_eq!(kept.refresh_token, Some(Secret::new("rt-2")));
    assert_eq!(kept.scopes, ["a", "offline_access"]);

    // Granted without it; not said to be withheld; or no such scope: nothing is demanded.
    for given in [
        json!({ "access_token": "t", "refresh_token": "r", "scope": "a" }),
        json!({ "access_token": "t", "scope": "a offline_access" }),
        json!({ "access_token": "t" }),
    ] {
        world.net.json(TOKEN, 200, given.clone());
        assert_eq!(prompts(&world, "code=consented").await, [None], "{given}");
    }
    let world = world_of_openid_connect();
    world.publish(ISSUER, metadata(ISSUER));
    assert_eq!(prompts(&world, "code=consented").await, [None]);
}

#[tokio::test]
async fn who_declines_to_be_remembered_is_signed_in_all_the_same() {
    for declined in ["error=access_denied", "error=invalid_request"] {
        let world = world_of_openid_connect();
        assert_eq!(prompts(&world, declined).await.len(), 2);
        let kept = world.kept().await.unwrap();
        assert_eq!((kept.access_token, kept.refresh_token), (Secret::new("at-1"), None), "{declined}");
    }
}

#[tokio::test]
async fn a_step_up_keeps_the_scopes_of_the_sign_in_before() {
    let world = World::new();
    let mut old = world.signed_in().await;
    old.scopes = vec!["basic".into()];
    world.keep(&old).await;
    let challenge = challenges("Bearer error=\"insufficient_scope\", scope=\"write\"");
    assert_eq!(login(&world).begin(&challenge).await.unwrap().scopes(), ["basic", "write"]);
    let challenge = challenges("Bearer scope=\"write\"");
    assert_eq!(login(&world).begin(&challenge).await.unwrap().scopes(), ["write"], "not a step-up");
}

#[tokio::test]
async fn a_client_metadata_document_is_presented_where_it_is_supported() {
    let mut world = World::new();
    let mut listed = metadata(ISSUER);
    listed["client_id_metadata_document_supported"] = json!(true);
    world.publish(ISSUER, listed);
    world.settings.spec.client_metadata_url = Some(Url::parse("https://me.example/client.json").unwrap());
    let authorizer = FakeAuthorizer::consenting(ISSUER);
    run(&world, &authorizer).await.unwrap();
    assert_eq!(authorizer.requests.lock().unwrap()[0]["client_id"], "https://me.example/client.json");
    assert!(world.net.sent_to(REGISTER).is_empty());
}

#[tokio::test]
async fn without_any_client_the_error_says_what_to_configure() {
    let world = World::new();
    let mut listed = metadata(ISSUER);
    listed.as_object_mut().unwrap().remove("registration_endpoint");
    world.publish(ISSUER, listed);
    let error = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
    assert!(
        error.to_string().contains("oauth.clientId") && error.to_string().contains("MCP_CLIENT_SECRET"),
        "{error}"
    );
}

#[tokio::test]
async fn a_configured_secret_is_presented_to_its_own_issuer_only() {
    let mut world = World::new();
    world.settings.spec.client_id = Some("me".into());
    world.settings.spec.client_secret = Some(Secret::new("s3cret"));
    run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    // The server now names an authorization server of its own.
    world.publish("https://evil.example", metadata("https://evil.example"));
    world.authorization_server("https://evil.example");
    world.net.take_lines();
    let error = run(&world, &FakeAuthorizer::consenting("https://evil.example")).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
    assert!(error.to_string().contains("belongs to https://as.example"), "{error}");
    assert!(world.net.take_lines().iter().all(|line| line.starts_with("GET ")));
}

#[tokio::test]
async fn a_new_authorization_server_gets_a_new_registration_and_the_old_tokens_go() {
    let world = World::new();
    run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    const OTHER: &str = "https://as2.example";
    world.publish(OTHER, metadata(OTHER));
    world.authorization_server(OTHER);
    run(&world, &FakeAuthorizer::consenting(OTHER)).await.unwrap();
    assert_eq!(world.net.sent_to("POST https://as2.example/register").len(), 1);
    assert!(world.kept().await.is_none());
    let (key, _) = world.store.find(&world.target()).await.unwrap().unwrap();
    assert_eq!(key.issuer(), OTHER);
}

#[tokio::test]
async fn secrets_are_sent_neither_along_a_redirect_nor_over_plain_http() {
    let world = World::new();
    for elsewhere in
        ["https://evil.example/token", "https://as.example:8443/token", "https://u:p@as.example/x"]
    {
        world.net.on(TOKEN, move |_| redirect(elsewhere));
        let error = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_err();
        assert!(error.to_string().contains("redirect, which is not followed"), "{error}");
        world.net.on(REGISTER, move |_| redirect(elsewhere));
        assert!(
            world.net.seen().iter().all(|seen| seen.line.contains(" https://as.example/")
                || seen.line.contains(" https://mcp.example/"))
        );
    }

    for field in ["token_endpoint", "registration_endpoint", "authorization_endpoint"] {
        let world = World::new();
        let mut listed = metadata(ISSUER);
        listed[field] = json!("http://as.example/insecure");
        world.publish(ISSUER, listed);
        let error = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_err();
        assert!(error.to_string().contains("http://as.example/insecure"), "{field}: {error}");
        assert!(world.net.seen().iter().all(|seen| !seen.line.contains("insecure")));
    }
}

#[tokio::test]
async fn fb_o31_o31b_o32_endpoints_are_followed_on_their_own_origin_with_body_and_headers() {
    for status in [301, 302, 307, 308] {
        let mut world = World::new();
        world.settings.spec.client_secret = Some(Secret::new("unused"));
        let moved = move |to: &'static str| {
            move |_: &super::super::super::fake::SentRequest| {
                let mut answer = redirect(to);
                *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
                answer
            }
        };
        world.net.on(TOKEN, moved("/token/"));
        world.net.on(REGISTER, moved("https://as.example/register/"));
        world.net.on("POST https://as.example/register/", |seen| {
            assert_eq!(seen.headers["content-type"], "application/json");
            answer(201, &json!({ "client_id": "moved" }))
        });
        world.net.on("POST https://as.example/token/", |seen| {
            assert_eq!(seen.form("client_id").as_deref(), Some("moved"));
            answer(200, &json!({ "access_token": "at" }))
        });
        run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_or_else(|e| panic!("{status}: {e}"));
        // A circle ends.
        world.net.on("POST https://as.example/token/", moved("/token"));
        let error = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_err();
        assert!(error.to_string().contains("circle"), "{error}");
    }
}

#[tokio::test]
async fn fb_o52_every_request_says_who_asks() {
    let world = World::new();
    world.signed_in().await;
    run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    login(&world).logout().await.unwrap();
    let seen = world.net.seen();
    assert!(seen.iter().any(|seen| seen.line == REVOKE));
    for seen in seen {
        let agent = seen.headers.get("user-agent").map(|agent| agent.to_str().unwrap().to_owned());
        assert!(agent.as_deref().is_some_and(|agent| agent.starts_with("mcp-auth/")), "{}", seen.line);
    }
}

#[tokio::test]
async fn f093_an_error_with_status_200_is_an_error() {
    let world = World::new();
    world.net.json(TOKEN, 200, json!({ "ok": false, "error": "invalid_code" }));
    let error = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_err();
    assert!(error.to_string().contains("200 invalid_code"), "{error}");
    for body in [json!({}), json!({ "token": "x" }), json!([1])] {
        world.net.json(TOKEN, 200, body);
        let error = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_err();
        assert!(error.to_string().contains("not a token response"), "{error}");
    }
}

#[tokio::test]
async fn no_error_or_debug_output_shows_a_secret() {
    let mut world = World::new();
    world.settings.spec = OAuthSpec {
        client_id: Some("me".into()),
        client_secret: Some(Secret::new("canary-secret")),
        ..OAuthSpec::default()
    };
    for body in [
        json!({ "error": "invalid_grant", "error_description": "code code-canary of me:canary-secret" }),
        json!({ "error": "canary canary canary", "error_description": "x" }),
        json!({ "access_token": ["canary"] }),
        Value::String("canary".into()),
    ] {
        world.net.json(TOKEN, 400, body.clone());
        let error = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_err();
        assert!(!texts(&error).contains("canary"), "{}", texts(&error));
        world.net.json(TOKEN, 200, body);
        let error = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_err();
        assert!(!texts(&error).contains("canary"), "{}", texts(&error));
    }
    let pending = login(&world).begin(&[]).await.unwrap();
    assert!(!format!("{pending:?} {:?}", login(&world)).contains("canary"));
}
