//! Tokens bound to a key (RFC 9449).

use super::*;
use crate::oauth::dpop::DpopKey;

#[tokio::test]
async fn fb_a12_dpop_tokens_are_sent_with_proofs_and_nonces_are_learned_on_both_sides() {
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
    let (url, body) = (world.target().url.clone(), bytes::Bytes::new());
    again.sign(&http::Method::POST, &url, &mut request, &body).await.unwrap();
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
async fn fb_a27_a_server_that_never_likes_the_nonce_is_asked_within_a_limit() {
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
