//! Grants that need no person.

use super::super::super::store::{ClientKey, StoredClient};
use super::*;

pub(super) fn machine(world: &mut World, grant: Grant) {
    world.settings.grant = grant;
    world.settings.client_issuer = Some(ISSUER.to_owned());
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
    assert!(world.net.take_lines().is_empty(), "no token has been requested yet");
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
    assert!(!provider.snapshot().signed_in, "there is no sign-in");

    let next = self::provider(&world);
    assert_eq!(bearer(&next.credentials().await.unwrap()), "Bearer at-1");
    // Refused or expired, it is minted again.
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
async fn while_a_token_is_unanswered_it_is_said_who_is_asked_where_the_settings_name_it() {
    for (endpoint, expected) in [
        (Some("https://as.example/token?tenant=canary"), "https://as.example/token"),
        (None, "https://as.example/"),
    ] {
        let mut world = World::new();
        machine(&mut world, Grant::ClientCredentials);
        world.settings.token_endpoint = endpoint.map(|url| url.parse().unwrap());
        world.settings.spec.issuer = Some(ISSUER.to_owned());
        world.settings.asks_ahead = true;
        let provider = OAuthProvider::from_context(Context { http: Arc::new(Silence), ..world.context() });
        assert_eq!(asked_meanwhile(&provider, provider.credentials()).await, expected);
    }
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
    assert_eq!(error.kind(), AuthErrorKind::SourceFailed);
    assert_eq!(
        error.to_string(),
        "exchange the assertion for a token: https://as.example/token answered 400 invalid_grant (expired: [redacted])"
    );
    assert_eq!(world.net.sent_to(TOKEN).len(), 1);

    // One that has ended is told with its age: {"exp":1000}, at the beginning of the year 1970.
    let ended = "eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDB9.canary";
    machine(&mut world, Grant::JwtBearer(Arc::new(Secret::new(ended))));
    world.net.json(TOKEN, 400, json!({ "error": "invalid_grant" }));
    let provider = self::provider(&world);
    let error = refuse(&provider, &Credentials::none(), 401, "Bearer", 0).await.unwrap_err();
    assert!(error.to_string().contains("answered 400 invalid_grant; it (a JWT) ended "), "{error}");
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
async fn tokens_of_another_client_are_not_used() {
    let mut world = World::new();
    machine(&mut world, Grant::ClientCredentials);
    let mut tokens = world.signed_in().await;
    tokens.client_id = "another".into();
    world.keep(&tokens).await;
    let provider = provider(&world);
    assert!(provider.credentials().await.unwrap().is_empty());
    assert_eq!(
        bearer(&retried(refuse(&provider, &Credentials::none(), 401, "Bearer", 0).await)),
        "Bearer at-1"
    );
}

#[tokio::test]
async fn s_n21_without_a_person_secrets_go_to_an_issuer_that_is_pinned_or_remembered() {
    let assertion = || Grant::JwtBearer(Arc::new(Secret::new("jwt-canary")));
    let refused = async |world: &World| {
        let outcome = refuse(&provider(world), &Credentials::none(), 401, "Bearer", 0).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
        assert!(world.net.sent_to(TOKEN).is_empty(), "it has left");
        error.to_string()
    };
    for grant in [Grant::ClientCredentials, assertion()] {
        // Only the server names it: not even where the repository's entry agrees with it.
        for issuer in [None, Some(ISSUER)] {
            let mut world = World::new();
            machine(&mut world, grant.clone());
            world.settings.client_issuer = None;
            world.settings.spec.issuer = issuer.map(str::to_owned);
            let said = refused(&world).await;
            assert!(said.contains("only the server has named it: pin it with `oauth.issuer`"), "{said}");
        }
        // It names another one than it should.
        let mut world = World::new();
        machine(&mut world, grant.clone());
        world.settings.client_issuer = Some("https://other.example".to_owned());
        assert!(refused(&world).await.contains("belongs to https://other.example"));
        // A person has pinned it.
        let mut world = World::new();
        machine(&mut world, grant.clone());
        world.settings.client_issuer = None;
        world.settings.spec.issuer = Some(ISSUER.to_owned());
        world.settings.spec.issuer_is_confirmed = true;
        retried(refuse(&provider(&world), &Credentials::none(), 401, "Bearer", 0).await);
        // Its secret went there before.
        let mut world = World::new();
        machine(&mut world, grant);
        world.settings.client_issuer = None;
        let mut client = StoredClient::new("robot", "mcp");
        client.issuer = Some(ISSUER.to_owned());
        let key = ClientKey::configured(&world.target().name);
        world.store.save_client(&key, &client).await.unwrap();
        retried(refuse(&provider(&world), &Credentials::none(), 401, "Bearer", 0).await);
    }
    // An assertion without a client is as good as a secret, too.
    let mut world = World::new();
    machine(&mut world, assertion());
    world.settings.spec =
        OAuthSpec { client_metadata_url: "https://me.example/client".parse().ok(), ..OAuthSpec::default() };
    world.settings.client_issuer = Some("https://other.example".to_owned());
    assert!(refused(&world).await.contains("only the server has named it"));
}
