//! Where the secret of a client goes, where it is kept, and when it is gone.

use super::*;

fn with_secret() -> World {
    let mut world = World::new();
    world.settings.spec.client_id = Some("me".into());
    world.settings.spec.client_secret = Some(Secret::new("s3cret"));
    world
}

async fn kept_client(world: &World) -> Option<super::super::super::super::store::StoredClient> {
    world.store.load_client(&ClientKey::configured("srv")).await.unwrap()
}

fn nothing_was_sent(world: &World) {
    let lines = world.net.take_lines();
    assert!(lines.iter().all(|line| line.starts_with("GET ")), "{lines:?}");
}

#[tokio::test]
async fn s_n21_a_secret_goes_nowhere_before_a_person_has_confirmed_the_issuer() {
    let world = with_secret();
    let authorizer = FakeAuthorizer::consenting(ISSUER);
    let pending = login(&world).begin(&[]).await.unwrap();
    assert_eq!(pending.unconfirmed_issuer(), Some(ISSUER));
    let error = pending.complete(&authorizer, &FakeProbe::default()).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
    assert!(error.to_string().contains(ISSUER) && error.to_string().contains("`oauth.issuer`"), "{error}");
    let by_device = pending.complete_with_device(&FakePrompt::default(), &FakeProbe::default()).await;
    assert_eq!(by_device.unwrap_err().kind(), AuthErrorKind::Misconfigured);
    assert!(authorizer.requests.lock().unwrap().is_empty(), "no page was opened");
    nothing_was_sent(&world);

    let confirmed = pending.confirm_issuer();
    assert_eq!(confirmed.unconfirmed_issuer(), None);
    confirmed.complete(&authorizer, &FakeProbe::default()).await.unwrap();
    // Used there once, it belongs there.
    assert_eq!(login(&world).begin(&[]).await.unwrap().unconfirmed_issuer(), None);
}

#[tokio::test]
async fn s_n21_who_has_pinned_the_issuer_is_not_asked() {
    let mut world = with_secret();
    world.settings.spec.issuer = Some(ISSUER.into());
    // A repository's word is none: the secret is not its own.
    assert_eq!(login(&world).begin(&[]).await.unwrap().unconfirmed_issuer(), Some(ISSUER));
    world.settings.spec.issuer_is_confirmed = true;
    let pending = login(&world).begin(&[]).await.unwrap();
    assert_eq!(pending.unconfirmed_issuer(), None);
    pending.complete(&FakeAuthorizer::consenting(ISSUER), &FakeProbe::default()).await.unwrap();
}

#[tokio::test]
async fn s_k1_without_a_secret_of_a_person_there_is_nothing_to_confirm() {
    let mut world = World::new();
    assert_eq!(login(&world).begin(&[]).await.unwrap().unconfirmed_issuer(), None, "registered on the fly");
    world.settings.spec.client_id = Some("me".into());
    assert_eq!(login(&world).begin(&[]).await.unwrap().unconfirmed_issuer(), None, "a public client");
}

#[tokio::test]
async fn s_n13_a_secret_that_is_kept_is_told_once_and_gone_after_the_sign_out() {
    let world = with_secret();
    assert!(run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap().keeps_secret);
    assert!(!run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap().keeps_secret, "told once");
    assert_eq!(kept_client(&world).await.unwrap().client_secret, Some(Secret::new("s3cret")));

    let done = login(&world).logout().await.unwrap();
    assert!(done.secret_forgotten);
    let revoked = &world.net.sent_to(REVOKE)[0];
    assert!(revoked.headers.contains_key("authorization"), "it was still there to revoke with");
    let left = kept_client(&world).await.unwrap();
    assert_eq!((left.client_secret, left.issuer.as_deref()), (None, Some(ISSUER)));

    // What stays still keeps the secret from going elsewhere.
    world.publish("https://evil.example", metadata("https://evil.example"));
    world.authorization_server("https://evil.example");
    let error = run(&world, &FakeAuthorizer::consenting("https://evil.example")).await.unwrap_err();
    assert!(error.to_string().contains("belongs to https://as.example"), "{error}");
}

#[tokio::test]
async fn s_k5_a_sign_out_without_a_sign_in_finds_the_secret_of_an_earlier_one() {
    let world = with_secret();
    run(&world, &FakeAuthorizer::consenting(ISSUER)).await.unwrap();
    world.store.remove(&world.context().key(ISSUER)).await.unwrap();
    let done = login(&world).forget().await.unwrap();
    assert_eq!((done.forgotten, done.secret_forgotten), (0, true));
    assert_eq!(kept_client(&world).await.unwrap().client_secret, None);
    assert!(!login(&world).forget().await.unwrap().secret_forgotten);
}

#[tokio::test]
async fn s_k5_the_secret_of_a_registration_goes_with_its_last_sign_in() {
    let world = World::new();
    world.net.json(
        REGISTER,
        201,
        json!({ "client_id": "c", "client_secret": "given", "token_endpoint_auth_method": "client_secret_post" }),
    );
    let mut other = world.context();
    other.target.name = "other".into();
    let other = OAuthLogin::from_context(other);
    for login in [login(&world), other.clone()] {
        let pending = login.begin(&[]).await.unwrap();
        pending.complete(&FakeAuthorizer::consenting(ISSUER), &FakeProbe::default()).await.unwrap();
    }
    let secrets = async || {
        let mut secrets = 0;
        for key in world.store.list_clients(None).await.unwrap() {
            let client = world.store.load_client(&key).await.unwrap().unwrap();
            secrets += usize::from(client.client_secret.is_some());
        }
        secrets
    };
    assert_eq!(secrets().await, 3, "one for each entry, and what they share");
    login(&world).logout().await.unwrap();
    assert_eq!(secrets().await, 2, "the other one still needs its own and the shared one");
    assert_eq!(world.net.sent_to(REVOKE).len(), 2);
    other.logout().await.unwrap();
    assert_eq!(secrets().await, 0);
}

#[tokio::test]
async fn s_p05_a_registration_without_a_usable_client_id_is_refused() {
    for id in
        [json!(""), json!("  "), json!("a\nb"), json!("\u{202e}x"), json!("c".repeat(900_000)), json!(null)]
    {
        let world = World::new();
        world.net.json(REGISTER, 201, json!({ "client_id": id }));
        let authorizer = FakeAuthorizer::consenting(ISSUER);
        let error = run(&world, &authorizer).await.unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Protocol, "{error}");
        assert!(
            error.to_string().starts_with("register as a client: https://as.example/register: the answer "),
            "{error}"
        );
        assert!(authorizer.requests.lock().unwrap().is_empty() && error.to_string().len() < 300, "{error}");
        assert!(world.store.list_clients(None).await.unwrap().is_empty(), "it is not kept");
    }
}
