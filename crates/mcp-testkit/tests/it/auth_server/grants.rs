//! The token endpoint: each grant, each way to authenticate, and revocation.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mcp_testkit::{AuthEndpoint, FakeAuthServer, ScriptedAnswer, visit};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::raw;

use super::*;

#[test]
fn a_code_is_worth_its_tokens_once_and_with_the_right_proof() {
    let (auth, first) = signed_in();
    auth.add_public_client("other", &[CALLBACK]);
    for (name, value, expected) in [
        ("code_verifier", "wrong", "invalid_grant"),
        ("redirect_uri", "http://127.0.0.1:1/other", "invalid_grant"),
        ("resource", "http://other/", "invalid_target"),
        ("code", "guess", "invalid_grant"),
        ("client_id", "other", "invalid_grant"),
    ] {
        let redirect = authorize(&auth, &[]);
        assert_eq!(
            error(&exchange(&auth, &redirect["code"], &[(name, value)])),
            (400, expected.into()),
            "{name}"
        );
    }
    let redirect = authorize(&auth, &[]);
    let tokens = exchange(&auth, &redirect["code"], &[]).json();
    assert!(auth.tokens().is_live(tokens["access_token"].as_str().unwrap()));
    assert_eq!(error(&exchange(&auth, &redirect["code"], &[])), (400, "invalid_grant".into()));
    assert!(
        !auth.tokens().is_live(tokens["access_token"].as_str().unwrap()),
        "a stolen code ends what it bought"
    );
    assert!(auth.tokens().is_live(first["access_token"].as_str().unwrap()), "and nothing else");
}

#[test]
fn refresh_tokens_rotate_and_their_reuse_ends_the_family() {
    let (auth, tokens) = signed_in();
    let first = tokens["refresh_token"].as_str().unwrap().to_owned();
    let second = refresh(&auth, &first).json();
    assert_ne!(second["refresh_token"], tokens["refresh_token"]);
    assert_eq!((auth.live_refresh_tokens(), auth.refresh_reuses()), (1, 0));
    assert_eq!(error(&refresh(&auth, &first)), (400, "invalid_grant".into()));
    assert_eq!((auth.live_refresh_tokens(), auth.refresh_reuses()), (0, 1));
    assert!(!auth.tokens().is_live(second["access_token"].as_str().unwrap()));
    assert_eq!(auth.token_requests("refresh_token").len(), 2);

    let (auth, tokens) = signed_in();
    auth.set(|settings| settings.rotation = false);
    let again = refresh(&auth, tokens["refresh_token"].as_str().unwrap()).json();
    assert_eq!(again.get("refresh_token"), None);
    assert_eq!(refresh(&auth, tokens["refresh_token"].as_str().unwrap()).status, 200);
    auth.forget_refresh_tokens();
    assert_eq!(
        error(&refresh(&auth, tokens["refresh_token"].as_str().unwrap())),
        (400, "invalid_grant".into())
    );
}

#[test]
fn the_token_endpoint_fails_in_the_ways_of_the_field() {
    let (auth, tokens) = signed_in();
    let token = tokens["refresh_token"].as_str().unwrap();
    auth.next_answers_to(
        AuthEndpoint::Token,
        [
            ScriptedAnswer::status(503),
            ScriptedAnswer::login_page(),
            ScriptedAnswer::redirect(307, "https://evil.example/"),
        ],
    );
    assert_eq!(
        (refresh(&auth, token).status, refresh(&auth, token).status, refresh(&auth, token).status),
        (503, 200, 307)
    );
    auth.set(|settings| settings.refresh_error = Some("invalid_grant".into()));
    assert_eq!(error(&refresh(&auth, token)), (400, "invalid_grant".into()));
    auth.set(|settings| settings.error_status = 200);
    assert_eq!(error(&refresh(&auth, token)), (200, "invalid_grant".into()));
    auth.set(|settings| (settings.refresh_error, settings.omit_expires_in) = (None, true));
    let bare = refresh(&auth, token).json();
    assert!(
        bare.get("expires_in").is_none() && bare["access_token"].is_string(),
        "the script cost the token nothing"
    );
    auth.always_to(AuthEndpoint::Token, ScriptedAnswer::Drop);
    let dropped = raw::request(address(&auth), "POST", "/token", &[], b"");
    assert!(dropped.is_err());
}

#[test]
fn clients_authenticate_in_the_way_that_was_agreed() {
    let auth = FakeAuthServer::start().unwrap();
    auth.add_secret_client("basic", "s:1", "client_secret_basic");
    auth.add_secret_client("post", "s2", "client_secret_post");
    auth.add_public_client("public", &[]);
    let grant = ("grant_type", "client_credentials");
    let basic = format!("Basic {}", STANDARD.encode("basic:s%3A1"));
    assert_eq!(post(&auth, "/token", &[("Authorization", &basic)], &[grant]).status, 200);
    assert_eq!(
        post(&auth, "/token", &[], &[grant, ("client_id", "post"), ("client_secret", "s2")]).status,
        200
    );
    let refused = [
        post(&auth, "/token", &[], &[grant, ("client_id", "basic"), ("client_secret", "s:1")]),
        post(&auth, "/token", &[], &[grant, ("client_id", "post"), ("client_secret", "wrong")]),
        post(&auth, "/token", &[], &[grant, ("client_id", "post")]),
        post(&auth, "/token", &[], &[grant]),
    ];
    for refused in refused {
        assert_eq!(error(&refused), (401, "invalid_client".into()));
    }
    assert_eq!(
        error(&post(&auth, "/token", &[], &[grant, ("client_id", "public")])),
        (400, "unauthorized_client".into())
    );
}

#[test]
fn client_assertions_are_verified() {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random).unwrap();
    let auth = FakeAuthServer::start().unwrap();
    auth.add_key_client("robot", key.public_key().as_ref());
    let sign = |claims: Value| {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(json!({ "alg": "ES256" })), part(claims));
        let signature = key.sign(&random, signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let ask = |assertion: &str| {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        post(
            &auth,
            "/token",
            &[],
            &[
                ("grant_type", "client_credentials"),
                ("client_assertion_type", kind),
                ("client_assertion", assertion),
            ],
        )
    };
    let future = 4_000_000_000_u64;
    let claims = |jti: &str| json!({ "iss": "robot", "sub": "robot", "aud": auth.issuer(), "exp": future, "jti": jti });
    let good = sign(claims("1"));
    assert_eq!(ask(&good).status, 200);
    assert_eq!(error(&ask(&good)).1, "invalid_client", "each assertion may be used once");
    for (field, value) in
        [("aud", json!("https://other")), ("exp", json!(1)), ("iss", json!("x")), ("jti", json!(null))]
    {
        let mut wrong = claims("2");
        wrong[field] = value;
        assert_eq!(error(&ask(&sign(wrong))).1, "invalid_client", "{field}");
    }
    let unused = sign(claims("3"));
    let (signed, _) = unused.rsplit_once('.').unwrap();
    assert_eq!(error(&ask(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0; 64])))).1, "invalid_client");
    assert_eq!(ask(&unused).status, 200, "with its own signature it is a good one");
}

#[test]
fn a_device_waits_for_its_person() {
    let auth = FakeAuthServer::start().unwrap();
    auth.add_public_client("tv", &[]);
    let asked = post(&auth, "/device_authorization", &[], &[("client_id", "tv"), ("scope", "read")]).json();
    let poll = |code: &Value| {
        let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
        post(&auth, "/token", &[], &[grant, ("client_id", "tv"), ("device_code", code.as_str().unwrap())])
    };
    assert_eq!(error(&poll(&asked["device_code"])).1, "authorization_pending");
    assert_eq!(error(&poll(&asked["device_code"])).1, "slow_down");
    assert_eq!(auth.waiting_devices(), [asked["user_code"].as_str().unwrap()]);
    assert!(auth.approve_device(asked["user_code"].as_str().unwrap()));
    assert!(poll(&asked["device_code"]).json()["access_token"].is_string());
    assert_eq!(
        error(&poll(&asked["device_code"])).1,
        "invalid_grant",
        "a device code is worth its tokens once"
    );
    let shown = post(&auth, "/device_authorization", &[], &[("client_id", "tv")]).json();
    let open = |page: &Value| visit(&page.as_str().unwrap().parse().unwrap()).unwrap().pop().unwrap();
    assert!(open(&shown["verification_uri"]).body.contains("name=user_code"));
    assert_eq!(open(&shown["verification_uri_complete"]).status, 200);
    assert_eq!(open(&shown["verification_uri_complete"]).status, 404, "a code is entered once");
    assert!(poll(&shown["device_code"]).json()["access_token"].is_string());
    let denied = post(&auth, "/device_authorization", &[], &[("client_id", "tv")]).json();
    assert!(auth.deny_device(denied["user_code"].as_str().unwrap()));
    assert_eq!(error(&poll(&denied["device_code"])).1, "access_denied");
    auth.set(|settings| settings.device_lifetime = Duration::ZERO);
    let expired = post(&auth, "/device_authorization", &[], &[("client_id", "tv")]).json();
    assert_eq!(error(&poll(&expired["device_code"])).1, "expired_token");
}

#[test]
fn an_id_token_becomes_an_assertion_and_that_a_token() {
    let auth = FakeAuthServer::start_with(|settings| {
        settings.accepted_assertions.insert("the-id-token".into());
    })
    .unwrap();
    auth.add_secret_client("idp", "s", "client_secret_post");
    let exchange = |subject: &str| {
        post(
            &auth,
            "/token",
            &[],
            &[
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("client_id", "idp"),
                ("client_secret", "s"),
                ("subject_token", subject),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
                ("requested_token_type", "urn:ietf:params:oauth:token-type:id-jag"),
            ],
        )
    };
    assert_eq!(error(&exchange("another")).1, "invalid_grant");
    let assertion = exchange("the-id-token").json()["access_token"].as_str().unwrap().to_owned();
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let tokens = post(&auth, "/token", &[], &[grant, ("assertion", &assertion), ("scope", "read")]).json();
    assert!(auth.tokens().facts(tokens["access_token"].as_str().unwrap()).unwrap().has_scope("read"));
    assert_eq!(error(&post(&auth, "/token", &[], &[grant, ("assertion", "forged")])).1, "invalid_grant");
}

#[test]
fn revoking_a_refresh_token_ends_the_sign_in() {
    let (auth, tokens) = signed_in();
    let access = tokens["access_token"].as_str().unwrap();
    let revoke = |token: &str| post(&auth, "/revoke", &[], &[("client_id", "app"), ("token", token)]).status;
    assert_eq!(revoke("unknown"), 200, "unknown tokens are no error");
    assert!(auth.tokens().is_live(access));
    assert_eq!(revoke(tokens["refresh_token"].as_str().unwrap()), 200);
    assert!(!auth.tokens().is_live(access));
    assert_eq!(auth.live_refresh_tokens(), 0);
}
