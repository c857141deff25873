//! Gateways that want the ID token of a sign-in (`oauth.useIdToken`).

use super::*;

fn wanting(world: &World) -> Context {
    let mut ctx = world.context();
    ctx.settings.spec.use_id_token = true;
    ctx
}

#[tokio::test]
async fn s_n22_fa_a76_the_id_token_is_sent_and_renewed_where_the_entry_wants_it() {
    let world = World::new();
    let given = |id: &str| json!({ "access_token": "at", "refresh_token": "rt", "id_token": id });
    world.net.json(TOKEN, 200, given("id-1"));
    let probe = FakeProbe::default();
    let pending = OAuthLogin::from_context(wanting(&world)).begin(&[]).await.unwrap();
    pending.complete(&FakeAuthorizer::consenting(ISSUER), &probe).await.unwrap();
    assert_eq!(*probe.seen.lock().unwrap(), ["Bearer id-1"]);

    world.net.json(TOKEN, 200, given("id-2"));
    let provider = OAuthProvider::from_context(wanting(&world));
    let used = provider.credentials().await.unwrap();
    let (headers, invalid) = (http::HeaderMap::new(), challenges("Bearer error=\"invalid_token\""));
    let refused = crate::Rejection::new(http::StatusCode::UNAUTHORIZED, &invalid, &headers, &used);
    assert!(provider.on_rejected(refused).await.is_ok());
    let renewed = provider.credentials().await.unwrap();
    assert_eq!(renewed.header(&http::header::AUTHORIZATION).unwrap(), "Bearer id-2");
    assert_eq!(world.net.sent_to(TOKEN)[1].form("refresh_token").as_deref(), Some("rt"));
}

#[tokio::test]
async fn s_n22_fa_a76_a_sign_in_without_an_id_token_is_refused_with_what_to_ask_for() {
    let world = World::new();
    world.net.json(TOKEN, 200, json!({ "access_token": "at" }));
    let probe = FakeProbe::default();
    let pending = OAuthLogin::from_context(wanting(&world)).begin(&[]).await.unwrap();
    let error = pending.complete(&FakeAuthorizer::consenting(ISSUER), &probe).await.unwrap_err();
    assert!(error.to_string().contains("openid"), "{error}");
    assert!(probe.seen.lock().unwrap().is_empty(), "nothing else is sent in its place");
}
