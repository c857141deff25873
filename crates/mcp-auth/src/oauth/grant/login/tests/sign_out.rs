//! Sign-out and reset.

use super::*;

#[tokio::test]
async fn f083_signing_out_revokes_and_leaves_nothing() {
    let world = World::new();
    world.signed_in().await;
    let done = login(&world).logout().await.unwrap();
    assert_eq!(done.forgotten, 1);
    assert!(matches!(done.revocations[..], [(ref issuer, Revocation::Revoked)] if issuer == ISSUER));
    let revoked = world.net.sent_to(REVOKE);
    assert_eq!(revoked.iter().map(|r| r.form("token").unwrap()).collect::<Vec<_>>(), ["rt-0", "at-0"]);
    assert_eq!(revoked[0].form("token_type_hint").as_deref(), Some("refresh_token"));
    assert_eq!(revoked[0].form("client_id").as_deref(), Some("client-0"));
    assert!(world.kept().await.is_none());
    assert_eq!(login(&world).logout().await.unwrap().forgotten, 0);
}

#[tokio::test]
async fn signing_out_forgets_the_tokens_even_where_they_cannot_be_revoked() {
    let world = World::new();
    world.signed_in().await;
    world.net.take_down(REVOKE);
    let done = login(&world).logout().await.unwrap();
    let [(_, Revocation::Failed(error))] = &done.revocations[..] else { panic!("{done:?}") };
    assert!(
        error.to_string().starts_with("revoke the tokens: no answer from https://as.example/revoke"),
        "{error}"
    );
    assert!(world.kept().await.is_none());
}

#[tokio::test]
async fn reset_forgets_the_registration_too() {
    let world = World::new();
    let authorizer = FakeAuthorizer::consenting(ISSUER);
    run(&world, &authorizer).await.unwrap();
    world.net.take_lines();
    assert_eq!(login(&world).reset().await.unwrap(), 2);
    assert!(world.net.take_lines().is_empty(), "no server is asked");
    run(&world, &authorizer).await.unwrap();
    assert_eq!(world.net.sent_to(REGISTER).len(), 1);
}
