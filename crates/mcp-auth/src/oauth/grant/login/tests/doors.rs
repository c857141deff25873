//! No door of a sign-in leads from a server elsewhere to this machine or its network, whichever document names it.

use super::*;

/// One spelling for each place that is not the internet.
const INSIDE: [&str; 6] = [
    "http://127.0.0.1:8500/admin",
    "http://localhost:8500/admin",
    "http://[::1]:8500/admin",
    "https://[::ffff:127.0.0.1]/admin",
    "https://192.168.0.1/admin",
    "https://169.254.169.254/latest",
];

fn world_with(field: &str, url: &str) -> World {
    let world = World::new();
    let mut listed = metadata(ISSUER);
    listed[field] = json!(url);
    world.publish(ISSUER, listed);
    world
}

fn nothing_inside_was_asked(world: &World) {
    for seen in world.net.seen() {
        assert!(seen.line.contains(".example/"), "{}", seen.line);
    }
}

#[tokio::test]
async fn s_m14_no_endpoint_of_a_remote_authorization_server_is_inside() {
    for field in ["token_endpoint", "registration_endpoint", "authorization_endpoint"] {
        for inside in INSIDE {
            let world = world_with(field, inside);
            let authorizer = FakeAuthorizer::consenting(ISSUER);
            let error = run(&world, &authorizer).await.unwrap_err();
            assert_eq!(error.kind(), AuthErrorKind::Protocol, "{error}");
            assert!(error.to_string().contains("where https://as.example may not send anyone"), "{error}");
            assert!(error.to_string().contains("`oauth.issuer`"), "it says what to do: {error}");
            nothing_inside_was_asked(&world);
            if field != "token_endpoint" {
                assert!(authorizer.requests.lock().unwrap().is_empty(), "no page was opened");
            }
        }
    }
}

#[tokio::test]
async fn s_m14_a_device_code_neither_comes_from_nor_leads_inside() {
    for inside in INSIDE {
        let world = world_with("device_authorization_endpoint", inside);
        let pending = login(&world).begin(&[]).await.unwrap();
        let prompt = FakePrompt::default();
        let error = pending.complete_with_device(&prompt, &FakeProbe::default()).await.unwrap_err();
        assert!(error.to_string().contains("may not send anyone"), "{error}");
        nothing_inside_was_asked(&world);
    }
    let unopenable =
        ["javascript:alert(1)", "https://as.example/`id`", "https://a@as.example/", "http://as.example/"];
    for page in INSIDE.into_iter().chain(unopenable) {
        let world = world_with("device_authorization_endpoint", "https://as.example/device");
        let code = |uri: &str, complete: &str| {
            json!({ "device_code": "d", "user_code": "U", "verification_uri": uri,
                    "verification_uri_complete": complete, "expires_in": 900, "interval": 5 })
        };
        world.net.json("POST https://as.example/device", 200, code(page, page));
        let pending = login(&world).begin(&[]).await.unwrap();
        let prompt = FakePrompt::default();
        let error = pending.complete_with_device(&prompt, &FakeProbe::default()).await.unwrap_err();
        assert!(error.to_string().contains("the verification page"), "{page}: {error}");
        assert!(prompt.device.lock().unwrap().is_none(), "{page} was shown");
    }
}

#[tokio::test]
async fn s_k6_tokens_are_neither_refreshed_nor_revoked_inside_the_owner_of_the_endpoint() {
    for inside in INSIDE {
        let world = World::new();
        let mut tokens = world.signed_in().await;
        tokens.token_endpoint = Some(inside.to_owned());
        tokens.revocation_endpoint = Some(inside.to_owned());
        tokens.expires_at = Some(*world.now.lock().unwrap());
        world.keep(&tokens).await;
        let provider = OAuthProvider::from_context(world.context());
        drop(provider.credentials().await);
        let done = login(&world).logout().await.unwrap();
        let [(_, Revocation::Failed(error))] = &done.revocations[..] else { panic!("{done:?}") };
        assert!(error.to_string().contains("may not send anyone"), "{error}");
        assert_eq!(done.forgotten, 1, "it is signed out all the same");
        nothing_inside_was_asked(&world);
    }
}

#[tokio::test]
async fn s_k6_a_redirect_of_an_endpoint_leads_nowhere() {
    for line in [TOKEN, REGISTER] {
        let world = World::new();
        world.net.on(line, |_| redirect("http://127.0.0.1:8500/admin"));
        let error = run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap_err();
        assert!(error.to_string().contains("redirect, which is not followed"), "{error}");
        nothing_inside_was_asked(&world);
    }
}

#[tokio::test]
async fn s_k6_what_a_registration_names_is_never_asked() {
    let world = World::new();
    world.net.json(
        REGISTER,
        201,
        json!({ "client_id": "c", "registration_client_uri": "http://127.0.0.1:8500/admin",
                "registration_access_token": "t", "jwks_uri": "http://localhost:8500/admin" }),
    );
    run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    login(&world).reset().await.unwrap();
    nothing_inside_was_asked(&world);
}

#[tokio::test]
async fn s_k6_a_server_on_this_machine_signs_in_as_before() {
    let mut world = World::new();
    let local = "http://localhost:4000";
    world.net.json(
        "GET http://127.0.0.1:3000/.well-known/oauth-protected-resource/mcp",
        200,
        json!({ "resource": "http://127.0.0.1:3000/mcp", "authorization_servers": [local] }),
    );
    world.net.json("GET http://localhost:4000/.well-known/oauth-authorization-server", 200, metadata(local));
    world.authorization_server(local);
    world.settings.spec.scopes = None;
    let mut ctx = world.context();
    ctx.target.url = Url::parse("http://127.0.0.1:3000/mcp").unwrap();
    let pending = OAuthLogin::from_context(ctx).begin(&[]).await.unwrap();
    pending.complete(&FakeAuthorizer::consenting(local), &FakeProbe::default()).await.unwrap();
}
