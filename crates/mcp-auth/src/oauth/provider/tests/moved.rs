//! A token endpoint that is not where it was.

use super::*;

const BEFORE: &str = "https://as.example/before/token";
const POST_BEFORE: &str = "POST https://as.example/before/token";
const METADATA: &str = "GET https://as.example/.well-known/oauth-authorization-server";

/// Someone signed in while tokens came from `BEFORE`, which answers with this status now.
async fn signed_in_before(status: u16) -> World {
    let world = World::new();
    let mut tokens = world.signed_in().await;
    tokens.token_endpoint = Some(BEFORE.to_owned());
    world.keep(&tokens).await;
    world.net.json(POST_BEFORE, status, Value::Null);
    world
}

async fn renewed(world: &World) -> Result<Recovery, AuthError> {
    let provider = provider(world);
    let used = provider.credentials().await.unwrap();
    refuse(&provider, &used, 401, INVALID, 0).await
}

#[tokio::test]
async fn tokens_are_renewed_where_the_metadata_says_now_and_it_is_looked_for_once() {
    for status in [404, 405, 410] {
        let world = signed_in_before(status).await;
        assert_eq!(bearer(&retried(renewed(&world).await)), "Bearer at-1", "{status}");
        assert_eq!(world.net.take_lines(), [POST_BEFORE, METADATA, TOKEN], "{status}");
        let kept = world.kept().await.unwrap();
        assert_eq!(
            kept.token_endpoint.as_deref(),
            Some("https://as.example/token"),
            "the next one is sent there"
        );
        assert_eq!(kept.refresh_token, Some(Secret::new("rt-1")));
    }
    // What refuses the request for something in it gets its second try there, and is not looked for again.
    let world = signed_in_before(404).await;
    world.net.json(TOKEN, 400, json!({ "error": "invalid_target" }));
    renewed(&world).await.unwrap_err();
    assert_eq!(world.net.sent_to(METADATA).len(), 1);
}

#[tokio::test]
async fn where_no_place_is_left_a_person_signs_in_again_and_the_tokens_stay() {
    let gone = |world: &World| world.net.on(METADATA, |_| text(404, ""));
    let moved_to_nothing = |world: &World| world.net.json(TOKEN, 404, Value::Null);
    let named_all_the_same = |world: &World| {
        let mut metadata = metadata(ISSUER);
        metadata["token_endpoint"] = json!(BEFORE);
        world.net.json(METADATA, 200, metadata);
    };
    type Change<'c> = &'c dyn Fn(&World);
    let cases: [(Change<'_>, &str); 3] = [
        (
            &gone,
            "https://as.example/before/token: answered 404, and its metadata is not there any more either",
        ),
        (&moved_to_nothing, "https://as.example/token: answered 404, and it is what its metadata names now"),
        (
            &named_all_the_same,
            "https://as.example/before/token: answered 404, and its metadata names no other token endpoint",
        ),
    ];
    for (change, said) in cases {
        let world = signed_in_before(404).await;
        change(&world);
        let error = renewed(&world).await.unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::SignInExpired, "{error}");
        assert_eq!(error.to_string(), format!("refresh the tokens: {said}"));
        assert_eq!(world.kept().await.unwrap().refresh_token, Some(Secret::new("rt-0")), "{said}");
    }
}

#[tokio::test]
async fn what_is_not_known_to_have_moved_is_waited_for() {
    // Nothing answers for the metadata, or something in front of it does; and a refusal of OAuth is one, whatever its status.
    for (status, answer_of_metadata) in [(404, None), (404, Some(302)), (503, Some(200))] {
        let world = signed_in_before(status).await;
        match answer_of_metadata {
            None => world.net.take_down(METADATA),
            Some(302) => world.net.on(METADATA, |_| redirect("https://portal.example/")),
            Some(_) => {}
        }
        let error = renewed(&world).await.unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Unavailable, "{status} {answer_of_metadata:?}: {error}");
        assert_eq!(world.kept().await.unwrap().refresh_token, Some(Secret::new("rt-0")));
    }
    let world = signed_in_before(404).await;
    world.net.json(POST_BEFORE, 404, json!({ "error": "invalid_grant" }));
    assert_eq!(renewed(&world).await.unwrap_err().kind(), AuthErrorKind::SignInExpired);
    assert!(world.kept().await.is_none(), "the token is dead");
    assert!(world.net.sent_to(METADATA).is_empty());
}
