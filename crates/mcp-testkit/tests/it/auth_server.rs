//! Each endpoint, each grant and each misbehaviour of the fake authorization server, once.

use std::collections::HashMap;
use std::net::TcpListener;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mcp_testkit::{
    Answer, Canaries, Echo, Endpoint, FakeAuthServer, FakeMcpServer, HttpAnswer, MetadataAt,
    ProtectedResource, visit,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use url::Url;

use crate::raw::{self, Response};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CALLBACK: &str = "http://127.0.0.1:1/callback";
const RESOURCE: &str = "http://127.0.0.1/mcp";

/// What a request or a redirect carries.
type Fields = HashMap<String, String>;

fn address(auth: &FakeAuthServer) -> std::net::SocketAddr {
    auth.origin().trim_start_matches("http://").parse().unwrap()
}

fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes()
}

fn post(auth: &FakeAuthServer, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Response {
    let form_type = [("Content-Type", "application/x-www-form-urlencoded")];
    raw::request(address(auth), "POST", path, &[&form_type, headers].concat(), &form(fields)).unwrap()
}

fn get(auth: &FakeAuthServer, path: &str) -> Response {
    raw::request(address(auth), "GET", path, &[], b"").unwrap()
}

/// Asks for authorization and returns the parameters of the redirect.
fn authorize(auth: &FakeAuthServer, more: &[(&str, &str)]) -> Fields {
    let usual = [
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", CALLBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "xyz"),
        ("scope", "read write"),
        ("resource", RESOURCE),
    ];
    let replaced = |name: &str| more.iter().any(|(key, _)| *key == name);
    let fields: Vec<_> =
        usual.into_iter().filter(|(key, _)| !replaced(key)).chain(more.iter().copied()).collect();
    let answer = get(auth, &format!("/authorize?{}", String::from_utf8(form(&fields)).unwrap()));
    assert_eq!(answer.status, 302, "{}", answer.text());
    Url::parse(answer.header("location").unwrap()).unwrap().query_pairs().into_owned().collect()
}

fn exchange(auth: &FakeAuthServer, code: &str, more: &[(&str, &str)]) -> Response {
    let usual = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("redirect_uri", CALLBACK),
        ("code", code),
        ("code_verifier", VERIFIER),
        ("resource", RESOURCE),
    ];
    let replaced = |name: &str| more.iter().any(|(key, _)| *key == name);
    let fields: Vec<_> =
        usual.into_iter().filter(|(key, _)| !replaced(key)).chain(more.iter().copied()).collect();
    post(auth, "/token", &[], &fields)
}

fn refresh(auth: &FakeAuthServer, token: &str) -> Response {
    post(
        auth,
        "/token",
        &[],
        &[("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", token)],
    )
}

/// A server with the public client `app`, and the tokens of one sign-in.
fn signed_in() -> (FakeAuthServer, Value) {
    let auth = FakeAuthServer::start().unwrap();
    auth.add_public_client("app", &[CALLBACK]);
    let redirect = authorize(&auth, &[]);
    let tokens = exchange(&auth, &redirect["code"], &[]).json();
    (auth, tokens)
}

fn error(response: &Response) -> (u16, String) {
    (response.status, response.json()["error"].as_str().unwrap().to_owned())
}

#[test]
fn metadata_is_where_the_settings_say_and_nowhere_else() {
    let auth = FakeAuthServer::start_with(|settings| settings.issuer_path = "/tenant1".into()).unwrap();
    let places = [
        (MetadataAt::Rfc8414, "/.well-known/oauth-authorization-server/tenant1"),
        (MetadataAt::OidcInserted, "/.well-known/openid-configuration/tenant1"),
        (MetadataAt::OidcAppended, "/tenant1/.well-known/openid-configuration"),
    ];
    for (at, _) in places {
        auth.set(|settings| settings.metadata_at = at);
        for (other, path) in places {
            let answer = get(&auth, path);
            if other == at {
                assert_eq!(answer.json()["issuer"], json!(format!("{}/tenant1", auth.origin())));
            } else {
                assert_eq!(answer.status, 404, "{at:?} {path}");
            }
        }
    }
    auth.set(|settings| settings.metadata_at = MetadataAt::Nowhere);
    assert_eq!(get(&auth, places[0].1).status, 404);
    assert_eq!(auth.url_of(Endpoint::Metadata), None);
}

#[test]
fn metadata_tells_what_is_offered_and_what_the_test_wants_told() {
    let auth = FakeAuthServer::start().unwrap();
    let path = "/.well-known/oauth-authorization-server";
    let honest = get(&auth, path).json();
    assert_eq!(honest["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(honest["authorization_response_iss_parameter_supported"], true);
    auth.set(|settings| {
        settings.metadata_issuer = Some("https://foreign.example".into());
        settings.authorization_endpoint = Some("javascript:alert(1)".into());
        settings.advertise_pkce = false;
        settings.registration = false;
        settings.device = false;
        settings.scopes = vec!["offline_access".into()];
    });
    let odd = get(&auth, path).json();
    assert_eq!(odd["issuer"], "https://foreign.example");
    assert_eq!(odd["authorization_endpoint"], "javascript:alert(1)");
    assert_eq!(odd["scopes_supported"], json!(["offline_access"]));
    for absent in
        ["code_challenge_methods_supported", "registration_endpoint", "device_authorization_endpoint"]
    {
        assert!(odd.get(absent).is_none(), "{absent}");
    }
    auth.next_answers_to(
        Endpoint::Metadata,
        [Answer::json(json!({})), Answer::login_page(), Answer::redirect(302, "/x")],
    );
    assert_eq!(get(&auth, path).json(), json!({}));
    assert!(get(&auth, path).text().contains("<!doctype html>"));
    assert_eq!(get(&auth, path).status, 302);
    assert_eq!(auth.requests_to(Endpoint::Metadata).len(), 5);
}

#[test]
fn a_client_registers_signs_in_and_is_forgotten() {
    let auth = FakeAuthServer::start().unwrap();
    let wanted = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none", "application_type": "native" });
    let register = |metadata: &Value| {
        raw::request(address(&auth), "POST", "/register", &raw::MEDIA, metadata.to_string().as_bytes())
            .unwrap()
    };
    let registered = register(&wanted);
    assert_eq!((registered.status, registered.json().get("client_secret")), (201, None));
    assert_eq!(auth.registrations(), [wanted]);
    let id = registered.json()["client_id"].as_str().unwrap().to_owned();
    let redirect = authorize(&auth, &[("client_id", &id)]);
    assert_eq!((redirect["state"].as_str(), redirect["iss"].clone()), ("xyz", auth.issuer()));
    let tokens = exchange(&auth, &redirect["code"], &[("client_id", &id)]).json();
    let facts = auth.tokens().facts(tokens["access_token"].as_str().unwrap()).unwrap();
    assert_eq!(
        (facts.scopes, facts.resource.as_deref()),
        (vec!["read".to_owned(), "write".to_owned()], Some(RESOURCE))
    );
    assert_eq!(tokens["expires_in"], 3600);

    auth.forget_clients();
    let refused = post(
        &auth,
        "/token",
        &[],
        &[
            ("grant_type", "refresh_token"),
            ("client_id", &id),
            ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ],
    );
    assert_eq!(error(&refused), (401, "invalid_client".into()));
    let page = get(&auth, &format!("/authorize?client_id={id}&redirect_uri={CALLBACK}"));
    assert_eq!(page.status, 400, "an unknown client is not redirected");
    assert_eq!(error(&register(&json!({ "redirect_uris": [] }))), (400, "invalid_redirect_uri".into()));
    auth.set(|settings| settings.registered_auth_method = Some("client_secret_post".into()));
    assert!(register(&json!({ "redirect_uris": [CALLBACK] })).json()["client_secret"].is_string());
}

#[test]
fn a_code_is_worth_its_tokens_once_and_with_the_right_proof() {
    let (auth, first) = signed_in();
    for (name, value, expected) in [
        ("code_verifier", "wrong", "invalid_grant"),
        ("redirect_uri", "http://127.0.0.1:1/other", "invalid_grant"),
        ("resource", "http://other/", "invalid_target"),
        ("code", "guess", "invalid_grant"),
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
fn an_authorization_request_needs_pkce_and_a_registered_redirect() {
    let auth = FakeAuthServer::start().unwrap();
    auth.add_public_client("app", &[CALLBACK]);
    assert_eq!(authorize(&auth, &[("code_challenge_method", "plain")])["error"], "invalid_request");
    assert_eq!(authorize(&auth, &[("response_type", "token")])["error"], "unsupported_response_type");
    let elsewhere = get(&auth, "/authorize?client_id=app&redirect_uri=https://evil.example/");
    assert_eq!((elsewhere.status, elsewhere.header("location")), (400, None));
    auth.set(|settings| settings.resource_required = true);
    let fields = [
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", CALLBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let answer = get(&auth, &format!("/authorize?{}", String::from_utf8(form(&fields)).unwrap()));
    assert!(answer.header("location").unwrap().contains("error=invalid_target"));
}

#[test]
fn redirects_lie_about_state_and_issuer_when_told_to() {
    let auth = FakeAuthServer::start().unwrap();
    auth.add_public_client("app", &[CALLBACK]);
    auth.set(|settings| (settings.iss, settings.state) = (Echo::Missing, Echo::Missing));
    let redirect = authorize(&auth, &[]);
    assert!(
        !redirect.contains_key("iss") && !redirect.contains_key("state") && redirect.contains_key("code")
    );
    auth.set(|settings| {
        (settings.iss, settings.state) = (Echo::Wrong("https://evil".into()), Echo::Wrong("abc".into()))
    });
    let redirect = authorize(&auth, &[]);
    assert_eq!((redirect["iss"].as_str(), redirect["state"].as_str()), ("https://evil", "abc"));
    auth.set(|settings| {
        (settings.iss, settings.state) = (Echo::Right, Echo::Right);
        settings.advertise_iss = false;
        settings.authorize_error = Some("access_denied".into());
    });
    let redirect = authorize(&auth, &[]);
    assert!(!redirect.contains_key("iss") && !redirect.contains_key("code"));
    assert_eq!((redirect["error"].as_str(), redirect["state"].as_str()), ("access_denied", "xyz"));
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
        Endpoint::Token,
        [Answer::status(503), Answer::login_page(), Answer::redirect(307, "https://evil.example/")],
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
    auth.always_to(Endpoint::Token, Answer::Drop);
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
    let (signed, _) = good.rsplit_once('.').unwrap();
    assert_eq!(error(&ask(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0; 64])))).1, "invalid_client");
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

#[test]
fn a_protected_server_names_its_metadata_and_takes_the_right_tokens_only() {
    let auth = FakeAuthServer::start().unwrap();
    let server = FakeMcpServer::start().unwrap();
    auth.protect_as(&server, ProtectedResource::new().scopes(["read"]).challenge_scope("read"));
    let refused = raw::modern(server.address(), "tools/list", json!({}), &[]);
    let prm = format!("{}/.well-known/oauth-protected-resource/mcp", server.origin());
    assert_eq!(
        (refused.status, refused.header("www-authenticate").unwrap().to_owned()),
        (401, format!("Bearer resource_metadata=\"{prm}\", scope=\"read\""))
    );
    let metadata =
        raw::request(server.address(), "GET", "/.well-known/oauth-protected-resource/mcp", &[], b"")
            .unwrap()
            .json();
    assert_eq!(metadata["authorization_servers"], json!([auth.issuer()]));
    assert_eq!(
        (&metadata["resource"], &metadata["scopes_supported"]),
        (&json!(server.url().as_str()), &json!(["read"]))
    );

    auth.add_public_client("app", &[CALLBACK]);
    let token_for = |resource: &str| {
        let redirect = authorize(&auth, &[("resource", resource)]);
        let tokens = exchange(&auth, &redirect["code"], &[("resource", resource)]).json();
        format!("Bearer {}", tokens["access_token"].as_str().unwrap())
    };
    let status = |token: &str| {
        raw::modern(server.address(), "tools/list", json!({}), &[("Authorization", token)]).status
    };
    assert_eq!(status(&token_for(server.url().as_str())), 200);
    assert_eq!(status(&token_for("http://other/mcp")), 401, "a token for somebody else");
    auth.protect_as(&server, ProtectedResource::new().any_audience().at("/custom").not_in_challenge());
    assert_eq!(status(&token_for("http://other/mcp")), 200);
    let bare = raw::modern(server.address(), "tools/list", json!({}), &[]);
    assert_eq!(bare.header("www-authenticate"), Some("Bearer"));
}

#[test]
fn issued_secrets_are_noted() {
    let canaries = Canaries::new();
    let auth = FakeAuthServer::start().unwrap();
    auth.note_secrets_in(&canaries);
    auth.add_public_client("app", &[CALLBACK]);
    let redirect = authorize(&auth, &[]);
    assert_eq!(canaries.found_in(redirect["code"].as_bytes()), ["code"]);
    let tokens = exchange(&auth, &redirect["code"], &[]).text();
    assert_eq!(canaries.found_in(tokens.as_bytes()), ["access", "refresh"]);
}

#[test]
fn a_visitor_is_led_back_to_the_client() {
    let auth = FakeAuthServer::start().unwrap();
    auth.add_public_client("app", &[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let callback = format!("http://{}/callback", listener.local_addr().unwrap());
    let page = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone").unwrap();
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    let mut url = auth.url_of(Endpoint::Authorize).unwrap();
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", &callback),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "s"),
    ]);
    let visits = visit(&url).unwrap();
    assert_eq!(visits.iter().map(|visit| visit.status).collect::<Vec<_>>(), [302, 200]);
    assert_eq!(visits[1].body, "done");
    assert!(page.join().unwrap().starts_with("GET /callback?code=code-"));
    assert!(visit(&Url::parse("https://example.com/").unwrap()).is_err(), "it never leaves the machine");
    auth.route("/decoy", HttpAnswer::new(200).body("text/plain", "x"));
    assert_eq!(get(&auth, "/decoy").text(), "x");
}
