//! Authorization servers as people met them: what is optional for us, and refused or misread by them.
//!
//! Longer than 500 lines because each report is a short case in the same world.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::super::super::super::fake::{SentRequest, text};
use super::super::super::super::store::StoredClient;
use super::*;

const PRM: &str = "GET https://mcp.example/.well-known/oauth-protected-resource/mcp";

/// A world whose server wants scopes, and whose authorization server lists these client authentication methods.
fn world(scopes: &[&str], methods: &[&str]) -> World {
    let world = World::new();
    let mut listed = metadata(ISSUER);
    listed["token_endpoint_auth_methods_supported"] = json!(methods);
    world.publish(ISSUER, listed);
    if !scopes.is_empty() {
        let prm =
            json!({ "resource": SERVER, "authorization_servers": [ISSUER], "scopes_supported": scopes });
        world.net.json(PRM, 200, prm);
    }
    world
}

/// Registers as asked, with a secret where the method needs one; keeps the scopes of each client.
fn registers(world: &World) -> Arc<Mutex<HashMap<String, Option<String>>>> {
    let scopes = Arc::new(Mutex::new(HashMap::new()));
    let kept = Arc::clone(&scopes);
    world.net.on(REGISTER, move |seen| {
        let asked: Value = serde_json::from_slice(&seen.body).unwrap();
        let mut kept = kept.lock().unwrap();
        let id = format!("client-{}", kept.len() + 1);
        kept.insert(id.clone(), asked["scope"].as_str().map(str::to_owned));
        let mut registered = asked.clone();
        registered["client_id"] = json!(id);
        if asked["token_endpoint_auth_method"] != "none" {
            registered["client_secret"] = json!("s3cret");
        }
        answer(201, &registered)
    });
    scopes
}

/// Consents to scopes that the client has registered, and to no others.
fn strict(scopes: &Arc<Mutex<HashMap<String, Option<String>>>>) -> FakeAuthorizer {
    let scopes = Arc::clone(scopes);
    FakeAuthorizer::with(move |asked| {
        let registered = scopes.lock().unwrap().get(&asked["client_id"]).cloned().flatten();
        let registered = registered.unwrap_or_default();
        let mut wanted = asked.get("scope").map(String::as_str).unwrap_or_default().split(' ');
        let known = wanted.all(|scope| scope.is_empty() || registered.split(' ').any(|known| known == scope));
        let outcome = if known { "code=c" } else { "error=invalid_scope" };
        format!("{outcome}&state={}&iss={}", asked["state"], encoded(ISSUER))
    })
}

/// A token endpoint that reads the client from the form only, as the official Python server does.
fn form_only(seen: &SentRequest) -> http::Response<bytes::Bytes> {
    match (seen.form("client_id"), seen.form("client_secret")) {
        (None, _) => {
            answer(401, &json!({ "error": "unauthorized_client", "error_description": "Missing client_id" }))
        }
        (Some(_), None) => answer(401, &json!({ "error": "invalid_client" })),
        _ => answer(200, &json!({ "access_token": "at", "refresh_token": "rt" })),
    }
}

#[tokio::test]
async fn fb_n01_a_server_that_reads_the_form_only_is_signed_in_to() {
    for methods in [
        &["client_secret_post", "client_secret_basic"][..],
        &["client_secret_basic", "client_secret_post"][..],
    ] {
        let world = world(&[], methods);
        registers(&world);
        world.net.on(TOKEN, form_only);
        run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
        assert_eq!(world.net.sent_to(TOKEN).len(), 1);
        assert!(!world.net.sent_to(TOKEN)[0].headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn fb_a14_a_client_of_basic_is_named_in_the_header_alone() {
    let world = world(&[], &["client_secret_basic"]);
    registers(&world);
    world.net.on(TOKEN, |seen| {
        assert!(seen.headers.contains_key("authorization"));
        assert_eq!((seen.form("client_id"), seen.form("client_secret")), (None, None));
        answer(200, &json!({ "access_token": "at" }))
    });
    run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
}

#[tokio::test]
async fn fb_n01_what_the_registration_answers_wins_and_where_it_lies_the_other_method_is_tried_once() {
    let world = world(&[], &["client_secret_post", "client_secret_basic"]);
    let registered = json!({ "client_id": "c", "client_secret": "s", "token_endpoint_auth_method": "client_secret_basic" });
    world.net.json(REGISTER, 201, registered);
    world.net.on(TOKEN, form_only);
    run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    let sent = world.net.sent_to(TOKEN);
    assert_eq!(sent.len(), 2);
    assert!(sent[0].headers.contains_key("authorization") && !sent[1].headers.contains_key("authorization"));

    // What worked is remembered: the refresh of a later process asks once.
    let provider = OAuthProvider::from_context(world.context());
    let used = provider.credentials().await.unwrap();
    let (headers, invalid) = (http::HeaderMap::new(), challenges("Bearer error=\"invalid_token\""));
    let refused = crate::Rejection::new(http::StatusCode::UNAUTHORIZED, &invalid, &headers, &used);
    assert!(provider.on_rejected(refused).await.is_ok());
    assert_eq!(world.net.sent_to(TOKEN).len(), 3);

    // A server that takes neither is asked once with each, and its first word is told.
    world.net.json(TOKEN, 401, json!({ "error": "invalid_client", "error_description": "first" }));
    let before = world.net.sent_to(TOKEN).len();
    let mut other = world.context();
    other.settings.spec.callback_port = Some(7777);
    let pending = OAuthLogin::from_context(other).begin(&[]).await.unwrap();
    let error =
        pending.complete(&FakeAuthorizer::consenting(ISSUER), &FakeProbe::default()).await.unwrap_err();
    assert!(error.to_string().contains("first"), "{error}");
    assert_eq!(world.net.sent_to(TOKEN).len(), before + 2);
}

#[tokio::test]
async fn fb_n01_a_configured_client_is_tried_the_other_way_too() {
    let mut world = world(&[], &["client_secret_post", "client_secret_basic"]);
    world.settings.spec.client_id = Some("me".into());
    world.settings.spec.client_secret = Some(Secret::new("s3cret"));
    world.net.on(TOKEN, form_only);
    run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    let kept = world.store.load_client(&ClientKey::configured("srv")).await.unwrap().unwrap();
    assert_eq!(kept.token_endpoint_auth_method.as_deref(), Some("client_secret_post"));
}

#[tokio::test]
async fn fb_o37_a_client_id_may_be_a_number() {
    let world = World::new();
    world.net.json(REGISTER, 201, json!({ "client_id": 12345, "client_secret": null }));
    let authorizer = FakeAuthorizer::consenting(ISSUER);
    run(&world, &authorizer).await.unwrap();
    assert_eq!(authorizer.requests.lock().unwrap()[0]["client_id"], "12345");
    for junk in [json!({}), json!({ "client_id": null }), json!({ "client_id": "" }), json!([1])] {
        let world = World::new();
        world.net.json(REGISTER, 201, junk.clone());
        let error = run(&world, &authorizer).await.unwrap_err();
        assert!(error.to_string().contains("not a client registration"), "{junk}: {error}");
    }
}

#[tokio::test]
async fn fb_o40_the_scopes_that_will_be_asked_for_are_registered() {
    let world = world(&["mcp:read", "mcp:write"], &["none"]);
    let authorizer = strict(&registers(&world));
    run(&world, &authorizer).await.unwrap();
    run(&world, &authorizer).await.unwrap();
    assert_eq!(world.net.sent_to(REGISTER).len(), 1, "and used again");

    // A step-up is not capped by what was registered before; nor does it lose that.
    let challenge = challenges("Bearer error=\"insufficient_scope\", scope=\"mcp:admin\"");
    let pending = login(&world).begin(&challenge).await.unwrap();
    pending.complete(&authorizer, &FakeProbe::default()).await.unwrap();
    let asked = authorizer.requests.lock().unwrap().last().unwrap()["scope"].clone();
    for scope in ["mcp:read", "mcp:write", "mcp:admin"] {
        assert!(asked.split(' ').any(|known| known == scope), "{asked}");
    }
    assert_eq!(world.net.sent_to(REGISTER).len(), 2);
}

#[tokio::test]
async fn fb_o40_a_registration_of_before_that_is_too_narrow_is_replaced() {
    let world = world(&["mcp:read"], &["none"]);
    let scopes = registers(&world);
    let mut old = StoredClient::new("old", "srv");
    old.redirect_uris = vec!["http://localhost:4321/callback".into()];
    world.store.save_client(&ClientKey::registered(ISSUER), &old).await.unwrap();
    let authorizer = strict(&scopes);
    run(&world, &authorizer).await.unwrap();
    let clients: Vec<_> =
        authorizer.requests.lock().unwrap().iter().map(|asked| asked["client_id"].clone()).collect();
    assert_eq!(clients, ["old", "client-1"]);
}

#[tokio::test]
async fn fb_a29_a_registration_says_its_scope_and_drops_it_where_it_is_refused() {
    let refused =
        |what: &str| answer(400, &json!({ "error": "invalid_client_metadata", "error_description": what }));
    // Insists on one.
    let insisting = world(&["a"], &["none"]);
    insisting.net.on(
        REGISTER,
        move |seen| match serde_json::from_slice::<Value>(&seen.body).unwrap()["scope"] {
            Value::Null => refused("scope is required"),
            _ => answer(201, &json!({ "client_id": "c" })),
        },
    );
    run(&insisting, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    assert_eq!(insisting.net.sent_to(REGISTER).len(), 1);
    // Insists on one where the server names none: those of the authorization server.
    let mut listed = metadata(ISSUER);
    listed["scopes_supported"] = json!(["x"]);
    insisting.publish(ISSUER, listed);
    insisting.net.json(PRM, 200, json!({ "resource": SERVER, "authorization_servers": [ISSUER] }));
    insisting.store.remove_client(&ClientKey::registered(ISSUER)).await.unwrap();
    run(&insisting, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();

    // Wants none: with a 400, and with the 403 of Keycloak's policy.
    for status in [400, 403] {
        let forbidding = world(&["a"], &["none"]);
        forbidding.net.on(REGISTER, move |seen| {
            match serde_json::from_slice::<Value>(&seen.body).unwrap().get("scope") {
                Some(_) => answer(status, &json!({ "error": "insufficient_scope" })),
                None => answer(201, &json!({ "client_id": "c" })),
            }
        });
        let authorizer = FakeAuthorizer::consenting(ISSUER);
        run(&forbidding, &authorizer).await.unwrap();
        assert_eq!(authorizer.requests.lock().unwrap()[0]["scope"], "a", "asked for all the same");
    }

    // Wants a secret although it lists none, or does not list anything.
    for methods in [json!(["none", "client_secret_post"]), Value::Null] {
        let confidential = World::new();
        let mut listed = metadata(ISSUER);
        listed["token_endpoint_auth_methods_supported"] = methods;
        confidential.publish(ISSUER, listed);
        confidential.net.on(REGISTER, move |seen| {
            let asked: Value = serde_json::from_slice(&seen.body).unwrap();
            match asked["token_endpoint_auth_method"].as_str() {
                Some("client_secret_post") => answer(201, &json!({ "client_id": "c", "client_secret": "s" })),
                _ => refused("token_endpoint_auth_method"),
            }
        });
        confidential.net.on(TOKEN, form_only);
        run(&confidential, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    }

    // A refusal of who we are is not asked again in other words.
    for (status, error) in [(403, "access_denied"), (401, "invalid_token"), (400, "invalid_redirect_uri")] {
        let closed = world(&["a"], &["none", "client_secret_post"]);
        closed.net.json(REGISTER, status, json!({ "error": error }));
        assert!(run(&closed, &FakeAuthorizer::consenting(ISSUER)).await.is_err());
        assert_eq!(closed.net.sent_to(REGISTER).len(), 1, "{error}");
    }
}

#[tokio::test]
async fn fb_a20_a_refused_offline_access_of_ours_ends_nothing() {
    let offered = || {
        let world = world(&["a"], &["none"]);
        let mut listed = metadata(ISSUER);
        listed["scopes_supported"] = json!(["a", "offline_access"]);
        listed["device_authorization_endpoint"] = json!("https://as.example/device");
        world.publish(ISSUER, listed);
        let prm = json!({ "resource": SERVER, "authorization_servers": [ISSUER], "scopes_supported": ["a"] });
        world.net.json(PRM, 200, prm);
        world
    };
    let refusing = || {
        FakeAuthorizer::with(|asked| {
            let refused = asked["scope"].contains("offline_access");
            let outcome = if refused { "error=invalid_scope" } else { "code=c" };
            format!("{outcome}&state={}&iss={}", asked["state"], encoded(ISSUER))
        })
    };
    let plain = offered();
    let authorizer = refusing();
    let signed_in = run(&plain, &authorizer).await.unwrap();
    let asked: Vec<_> =
        authorizer.requests.lock().unwrap().iter().map(|asked| asked["scope"].clone()).collect();
    assert_eq!(asked, ["a offline_access", "a"], "one more try, and no more");
    assert_eq!(signed_in.scopes, ["a"]);

    // One that knows nothing of what the server publishes has a default of its own.
    let strict = |known: &'static str| {
        FakeAuthorizer::with(move |asked| {
            let scope = asked.get("scope").map(String::as_str).unwrap_or_default();
            let outcome = if scope == known { "code=c" } else { "error=invalid_scope" };
            format!("{outcome}&state={}&iss={}", asked["state"], encoded(ISSUER))
        })
    };
    let authorizer = strict("");
    run(&offered(), &authorizer).await.unwrap();
    assert_eq!(authorizer.requests.lock().unwrap().len(), 3, "with the extra, without it, and with none");
    let authorizer = strict("nothing does");
    assert!(run(&offered(), &authorizer).await.unwrap_err().to_string().contains("invalid_scope"));
    assert_eq!(authorizer.requests.lock().unwrap().len(), 3);

    // What a person or the server asked for is not dropped.
    let mut pinned = offered();
    pinned.settings.spec.scopes = Some(vec!["a".into(), "offline_access".into()]);
    assert!(run(&pinned, &refusing()).await.unwrap_err().to_string().contains("invalid_scope"));
    let challenge = challenges("Bearer scope=\"a offline_access\"");
    let pending = login(&offered()).begin(&challenge).await.unwrap();
    assert!(pending.complete(&refusing(), &FakeProbe::default()).await.is_err());

    // By a token endpoint, and for a device, the same.
    let late = offered();
    late.net.on(TOKEN, {
        let refusals = std::sync::atomic::AtomicU32::new(0);
        move |_| match refusals.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => answer(400, &json!({ "error": "invalid_scope" })),
            _ => answer(200, &json!({ "access_token": "at", "scope": "a" })),
        }
    });
    run(&late, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    let device = offered();
    device.net.on("POST https://as.example/device", |seen| {
        match seen.form("scope").is_some_and(|scope| scope.contains("offline_access")) {
            true => answer(400, &json!({ "error": "invalid_scope" })),
            false => answer(
                200,
                &json!({ "device_code": "d", "user_code": "U", "verification_uri": "https://as.example/d", "expires_in": 60, "interval": 1 }),
            ),
        }
    });
    let pending = login(&device).begin(&[]).await.unwrap();
    pending.complete_with_device(&FakePrompt::default(), &FakeProbe::default()).await.unwrap();
}

/// What authorization servers say of a parameter that they do not know, as Entra v2 and another one do.
const UNKNOWN_RESOURCE: [&str; 2] = [
    "AADSTS901002: The 'resource' request parameter is not supported.\r\nTrace ID: 255d1aef-8c98-452f-ac51-23d051240864",
    "Unknown parameter resource",
];

/// The resources that a person's browser, and then the token endpoint, was asked for.
fn resources(world: &World, authorizer: &FakeAuthorizer) -> (Vec<bool>, Vec<bool>) {
    let asked =
        authorizer.requests.lock().unwrap().iter().map(|asked| asked.contains_key("resource")).collect();
    let sent = world.net.sent_to(TOKEN).iter().map(|sent| sent.form("resource").is_some()).collect();
    (asked, sent)
}

/// Refuses each authorization request with a `resource`, with this error in these words.
fn refusing_resources(code: &'static str, words: &'static str) -> FakeAuthorizer {
    FakeAuthorizer::with(move |asked| {
        let outcome = match asked.contains_key("resource") {
            true => format!("error={code}&error_description={}", encoded(words)),
            false => "code=c".to_owned(),
        };
        format!("{outcome}&state={}&iss={}", asked["state"], encoded(ISSUER))
    })
}

#[tokio::test]
async fn fb_a06_a_resource_that_is_not_known_as_a_parameter_ends_no_sign_in() {
    for words in UNKNOWN_RESOURCE {
        let world = World::new();
        let authorizer = refusing_resources("invalid_request", words);
        run(&world, &authorizer).await.unwrap();
        assert_eq!(resources(&world, &authorizer), (vec![true, false], vec![false]), "{words}");
        assert_eq!(world.kept().await.unwrap().resource_parameter, None, "a refresh goes without, too");

        let world = World::new();
        world.net.on(TOKEN, move |seen| match seen.form("resource") {
            Some(_) => answer(400, &json!({ "error": "invalid_request", "error_description": words })),
            None => answer(200, &json!({ "access_token": "at", "refresh_token": "rt" })),
        });
        let authorizer = FakeAuthorizer::consenting(ISSUER);
        run(&world, &authorizer).await.unwrap();
        assert_eq!(resources(&world, &authorizer), (vec![true, false], vec![true, false]), "{words}");

        let world = World::new();
        let mut listed = metadata(ISSUER);
        listed["device_authorization_endpoint"] = json!("https://as.example/device");
        world.publish(ISSUER, listed);
        let device = json!({ "device_code": "d", "user_code": "U", "verification_uri": "https://as.example/d", "expires_in": 60, "interval": 1 });
        world.net.on("POST https://as.example/device", move |seen| match seen.form("resource") {
            Some(_) => answer(400, &json!({ "error": "invalid_request", "error_description": words })),
            None => answer(200, &device),
        });
        let pending = login(&world).begin(&[]).await.unwrap();
        pending.complete_with_device(&FakePrompt::default(), &FakeProbe::default()).await.unwrap();
        assert!(world.net.sent_to(TOKEN).iter().all(|sent| sent.form("resource").is_none()));
    }
}

/// What the entry says is not left out, and an authorization server that gives no token for this server is not talked into one
/// for another.
#[tokio::test]
async fn fb_a06_a_resource_that_is_insisted_on_or_is_not_served_is_told_with_what_changes_it() {
    let hint = "`oauth.resource` says what is asked for, and \"\" leaves it out";
    for (configured, code, words) in [
        (Some("urn:mine"), "invalid_request", UNKNOWN_RESOURCE[0]),
        (None, "invalid_target", "The resource parameter is unknown"),
        (None, "invalid_target", "no such resource"),
    ] {
        let mut world = World::new();
        world.settings.spec.resource = configured.map(str::to_owned);
        let authorizer = refusing_resources(code, words);
        let error = run(&world, &authorizer).await.unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Misconfigured, "{error}");
        assert!(error.to_string().contains(hint), "{error}");
        assert_eq!(resources(&world, &authorizer), (vec![true], vec![]), "{code} {words}");
    }
    // Something else is wrong with the request.
    let world = World::new();
    let authorizer = refusing_resources("invalid_request", "The parameter redirect_uri is missing");
    let error = run(&world, &authorizer).await.unwrap_err();
    assert!(!error.to_string().contains("oauth.resource"), "{error}");
    assert_eq!(resources(&world, &authorizer), (vec![true], vec![]));
}

#[tokio::test(start_paused = true)]
async fn fb_o33_a_registration_that_fails_for_a_moment_is_made_once_more() {
    let passing = |times: u32, status: u16, retry_after: Option<&'static str>| {
        let world = World::new();
        let asked = std::sync::atomic::AtomicU32::new(0);
        world.net.on(REGISTER, move |_| {
            if asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= times {
                return answer(201, &json!({ "client_id": "c" }));
            }
            let mut refused = text(status, "down");
            if let Some(wait) = retry_after {
                refused.headers_mut().insert("retry-after", http::HeaderValue::from_static(wait));
            }
            refused
        });
        world
    };
    for (times, status, retry_after, asked, signs_in) in [
        (1, 500, None, 2, true),
        (1, 503, Some("2"), 2, true),
        (1, 429, Some("2"), 2, true),
        (2, 502, None, 2, false),
        // Longer than a person is kept waiting for it; and what is refused, is.
        (1, 503, Some("60"), 1, false),
        (1, 403, None, 1, false),
    ] {
        let world = passing(times, status, retry_after);
        let outcome = run(&world, &FakeAuthorizer::consenting(ISSUER)).await;
        assert_eq!(outcome.is_ok(), signs_in, "{status} {retry_after:?}: {outcome:?}");
        assert_eq!(world.net.sent_to(REGISTER).len(), asked, "{status} {retry_after:?}");
    }
    // One that breaks off.
    let world = World::new();
    world.net.take_down(REGISTER);
    let net = world.net.clone();
    let up_again = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        net.bring_up(REGISTER);
    });
    run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    up_again.await.unwrap();
    assert_eq!(world.net.sent_to(REGISTER).len(), 2);
}

#[tokio::test]
async fn fb_a36_a_server_that_publishes_nothing_is_told_as_that() {
    let world = World::new();
    world.net.on(PRM, |_| text(404, "nothing"));
    let error = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
    let shown = error.to_string();
    assert!(
        shown.contains("publishes where to sign in") && shown.contains("fails (answered 404)"),
        "{shown}"
    );
    assert_eq!(shown.matches("https://mcp.example/register").count(), 1, "{shown}");
    assert!(shown.contains("oauth.authServerMetadataUrl"), "{shown}");
}

#[tokio::test]
async fn fb_o24_tokens_in_a_form_or_one_level_down_are_tokens() {
    let form = |kind: &'static str, body: &'static str| {
        move |_: &SentRequest| {
            http::Response::builder().header("content-type", kind).body(bytes::Bytes::from(body)).unwrap()
        }
    };
    let kind = "application/x-www-form-urlencoded; charset=utf-8";
    let world = World::new();
    world.net.on(
        TOKEN,
        form(kind, "access_token=at%2B1&refresh_token=rt&expires_in=60&scope=a+b&token_type=bearer"),
    );
    let signed_in = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    assert_eq!(signed_in.scopes, ["a", "b"]);
    let kept = world.kept().await.unwrap();
    assert_eq!((kept.access_token, kept.refresh_token), (Secret::new("at+1"), Some(Secret::new("rt"))));
    assert!(kept.expires_at.is_some());

    // GitHub tells an error the same way, with status 200.
    world.net.on(TOKEN, form(kind, "error=bad_verification_code&error_description=The+code+is+old"));
    let error = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_err();
    assert!(error.to_string().contains("200 bad_verification_code (The code is old)"), "{error}");

    let nested = json!({ "ok": true, "authed_user": { "access_token": "xoxp", "scope": "chat:write", "token_type": "user" } });
    world.net.json(TOKEN, 200, nested);
    run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    assert_eq!(world.kept().await.unwrap().access_token, Secret::new("xoxp"));
}

#[tokio::test]
async fn fb_o28_a_page_in_place_of_tokens_is_told_as_one() {
    let world = World::new();
    world.net.on(TOKEN, |_| {
        let page = "<html><head><title>Maintenance \u{202e}window</title></head>code-canary</html>";
        http::Response::builder().header("content-type", "text/html").body(bytes::Bytes::from(page)).unwrap()
    });
    let error = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "exchange the authorization code: https://as.example/token answered 200 text/html \"Maintenance window\", \
         which is not a token response"
    );
}

#[tokio::test]
async fn fb_o33_o35_a_refused_registration_says_why_and_what_to_configure() {
    let page = "<html><title>Request blocked</title>";
    for (kind, body, words) in [
        ("text/plain", "Client not on the allow list", "Client not on the allow list"),
        (
            "application/json",
            r#"{"error":"insufficient_scope","error_description":"Policy 'Trusted Hosts' rejected request"}"#,
            "insufficient_scope (Policy 'Trusted Hosts' rejected request)",
        ),
        ("application/json", r#"{"message":"Forbidden for this tenant"}"#, "Forbidden for this tenant"),
        ("text/html", page, "Request blocked"),
    ] {
        let world = World::new();
        world.net.on(REGISTER, move |_| {
            http::Response::builder().status(403).header("content-type", kind).body(body.into()).unwrap()
        });
        let error = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains("answered 403") && shown.contains(words), "{shown}");
        assert!(shown.contains("`oauth.clientId`"), "{shown}");
        assert_eq!(error.kind(), AuthErrorKind::Misconfigured, "signing in again changes nothing");
    }
}

/// One request of a process that holds the stored tokens and is refused.
async fn refused(provider: &OAuthProvider) -> Result<crate::Recovery, AuthError> {
    let used = provider.credentials().await.unwrap();
    let (headers, invalid) = (http::HeaderMap::new(), challenges("Bearer error=\"invalid_token\""));
    provider
        .on_rejected(crate::Rejection::new(http::StatusCode::UNAUTHORIZED, &invalid, &headers, &used))
        .await
}

#[tokio::test]
async fn fb_a33_a_refresh_answer_that_cannot_be_read_is_not_asked_for_again() {
    for body in ["<title>Sign in</title>", "", "[]", r#"{"token":"x"}"#] {
        let world = World::new();
        world.signed_in().await;
        world.net.on(TOKEN, move |_| {
            http::Response::builder().header("content-type", "text/html").body(body.into()).unwrap()
        });
        let provider = OAuthProvider::from_context(world.context());
        for _ in 0..4 {
            let error = refused(&provider).await.unwrap_err();
            assert_eq!(error.kind(), AuthErrorKind::SignInExpired);
            assert!(error.to_string().contains("answered 200 text/html"), "{error}");
            assert!(error.to_string().contains("is not known"), "{error}");
        }
        assert_eq!(world.net.sent_to(TOKEN).len(), 1, "{body}");
        assert!(world.kept().await.is_some(), "what is stored stays");
        // A sign-in elsewhere opens it.
        let mut tokens = world.kept().await.unwrap();
        (tokens.access_token, tokens.refresh_token) = (Secret::new("at-new"), Some(Secret::new("rt-new")));
        world.keep(&tokens).await;
        assert!(refused(&provider).await.is_err());
        assert_eq!(world.net.sent_to(TOKEN).len(), 2, "another refresh token is another question");
    }
}

#[tokio::test]
async fn fb_a06_a_refresh_asks_for_the_scopes_that_were_granted_and_then_without_extras() {
    let scoped = async || {
        let world = World::new();
        let mut tokens = world.signed_in().await;
        tokens.scopes = vec!["api://x/read".into(), "offline_access".into()];
        world.keep(&tokens).await;
        world
    };
    let world = scoped().await;
    let provider = OAuthProvider::from_context(world.context());
    refused(&provider).await.unwrap();
    assert_eq!(world.net.sent_to(TOKEN)[0].form("scope").as_deref(), Some("api://x/read offline_access"));

    // A server that takes no scope, and one that takes no resource.
    for extra in ["scope", "resource"] {
        let world = scoped().await;
        world.net.on(TOKEN, move |seen| match seen.form(extra) {
            Some(_) => answer(400, &json!({ "error": "invalid_request" })),
            None => answer(200, &json!({ "access_token": "at-1", "refresh_token": "rt-1" })),
        });
        let provider = OAuthProvider::from_context(world.context());
        assert!(matches!(refused(&provider).await, Ok(crate::Recovery::Retry(_))), "{extra}");
        let kept = world.kept().await.unwrap();
        assert_eq!(kept.scopes, ["api://x/read", "offline_access"]);
        assert_eq!(kept.resource_parameter.is_none(), extra == "resource", "remembered");
    }
    // A dead token is asked about once.
    let world = scoped().await;
    world.net.json(TOKEN, 400, json!({ "error": "invalid_grant" }));
    assert!(refused(&OAuthProvider::from_context(world.context())).await.is_err());
    assert_eq!(world.net.sent_to(TOKEN).len(), 1);
}

#[tokio::test]
async fn fb_o07_pkce_that_is_not_advertised_is_used_where_the_entry_says_so() {
    for (listed, works) in [(Value::Null, true), (json!(["plain"]), false), (json!([]), false)] {
        let mut world = World::new();
        let mut document = metadata(ISSUER);
        document["code_challenge_methods_supported"] = listed.clone();
        world.publish(ISSUER, document);
        let authorizer = FakeAuthorizer::consenting(ISSUER);
        let error = run(&world, &authorizer).await.unwrap_err();
        assert!(error.to_string().contains("`oauth.pkce: \"assumed\"`"), "{error}");
        assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
        world.settings.spec.assume_pkce = true;
        assert_eq!(run(&world, &authorizer).await.is_ok(), works, "{listed}");
        for sent in world.net.sent_to(TOKEN) {
            assert!(pkce_fits(&authorizer.requests.lock().unwrap()[0], &sent), "the verifier goes along");
        }
    }
}

#[tokio::test]
async fn fb_o21_o23_o25_o26_o27_o27b_o47_token_answers_as_services_write_them() {
    for (body, scopes) in [
        (json!({ "access_token": "at", "token_type": "user" }), &[][..]),
        (json!({ "access_token": "at", "token_type": "bearer", "expires_in": "3600" }), &[]),
        (json!({ "access_token": "at" }), &[]),
        (json!({ "access_token": "at", "token_type": "Bearer", "scope": "a,b" }), &["a,b"]),
        (json!({ "access_token": "at", "scope": ["a", "b"], "refresh_token": "" }), &["a", "b"]),
        (json!({ "access_token": "at", "refresh_token": null, "expires_in": null }), &[]),
    ] {
        let world = World::new();
        world.net.json(TOKEN, 200, body.clone());
        let signed_in = run(&world, &FakeAuthorizer::consenting(ISSUER)).await;
        let signed_in = signed_in.unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(signed_in.scopes, scopes, "{body}");
        assert!(!signed_in.refreshable, "{body}");
    }
    let world = World::new();
    world.net.json(TOKEN, 200, json!({ "ok": false, "error": "invalid_code" }));
    assert!(run(&world, &FakeAuthorizer::consenting(ISSUER)).await.is_err());
}

/// What such a token says of its own end is the server's to judge: clocks differ, and a token that it still takes is good.
#[tokio::test]
async fn fb_a11_a_token_whose_answer_names_no_lifetime_is_used_until_it_is_refused() {
    // `{"alg":"none"}.{"exp":1}.x`, long ended by our clock.
    let token = "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.x";
    for answer in [
        json!({ "access_token": token, "refresh_token": "again" }),
        json!({ "access_token": token, "refresh_token": "again", "expires_in": 0 }),
    ] {
        let world = World::new();
        world.net.json(TOKEN, 200, answer.clone());
        let signed_in = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
        assert!(signed_in.refreshable, "{answer}");
        assert_eq!(world.kept().await.unwrap().expires_at, None, "{answer}");
    }
}

#[tokio::test]
async fn fb_o29_a_server_that_is_down_at_the_exchange_costs_nothing_of_before() {
    let world = World::new();
    let old = world.signed_in().await;
    world.net.on(TOKEN, |_| text(502, "<html>Bad gateway</html>"));
    let error = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Unavailable);
    assert!(error.to_string().contains("answered 502"), "{error}");
    assert_eq!(world.kept().await, Some(old));
}

#[tokio::test]
async fn fb_o38_o39_a10_a21_registrations_as_servers_answer_them() {
    let world = World::new();
    world.net.json(
        REGISTER,
        201,
        json!({ "client_id": "c", "client_secret": null, "client_secret_expires_at": null, "scope": null,
            "token_endpoint_auth_method": null, "redirect_uris": ["http://elsewhere.example/cb"], "contacts": null }),
    );
    let authorizer = FakeAuthorizer::consenting(ISSUER);
    for _ in 0..2 {
        run(&world, &authorizer).await.unwrap();
    }
    assert_eq!(world.net.sent_to(REGISTER).len(), 1, "the second sign-in uses it again");
    let asked = authorizer.requests.lock().unwrap()[0].clone();
    assert_eq!(
        asked["redirect_uri"], "http://localhost:4321/callback",
        "ours, and not the one of the answer"
    );

    // A secret that has ended is not a registration any more.
    let world = World::new();
    let end = world.now.lock().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 60;
    world.net.json(
        REGISTER,
        201,
        json!({ "client_id": "c", "client_secret": "s", "client_secret_expires_at": end }),
    );
    run(&world, &authorizer).await.unwrap();
    world.advance(Duration::from_secs(61));
    run(&world, &authorizer).await.unwrap();
    assert_eq!(world.net.sent_to(REGISTER).len(), 2);
}

#[tokio::test]
async fn fb_o54_a_server_that_takes_documents_only_gets_the_configured_one() {
    let mut world = World::new();
    let mut listed = metadata(ISSUER);
    listed.as_object_mut().unwrap().remove("registration_endpoint");
    listed["client_id_metadata_document_supported"] = json!(true);
    world.publish(ISSUER, listed);
    let authorizer = FakeAuthorizer::consenting(ISSUER);
    let error = run(&world, &authorizer).await.unwrap_err();
    assert!(error.to_string().contains("`oauth.clientMetadataUrl`"), "{error}");
    world.settings.spec.client_metadata_url = Some(Url::parse("https://me.example/client.json").unwrap());
    run(&world, &authorizer).await.unwrap();
    assert_eq!(authorizer.requests.lock().unwrap()[0]["client_id"], "https://me.example/client.json");
}
