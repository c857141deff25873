//! The `resource` of a refresh (RFC 8707), where an authorization server has something against it.

use std::sync::atomic::Ordering;

use super::*;
use crate::Target;
use crate::oauth::store::StoredTokens;

const OTHER_SERVER: &str = "https://other.example/mcp";
const OTHER_ISSUER: &str = "https://as2.example";
const OTHER_TOKEN: &str = "POST https://as2.example/token";

/// A sign-in to the server of `context` at this authorization server.
async fn keep(context: &Context, issuer: &str, resource: &str) {
    let now = context.clock.now();
    let mut tokens = StoredTokens::new(Secret::new(format!("at of {issuer}")), "client-0", now);
    tokens.refresh_token = Some(Secret::new(format!("rt of {issuer} for {resource}")));
    tokens.token_endpoint = Some(format!("{issuer}/token"));
    tokens.resource_parameter = Some(resource.to_owned());
    context.store.save(&context.key(issuer), &tokens).await.unwrap();
}

/// The resources that were asked for by a refresh at this endpoint.
async fn renewed(world: &World, context: Context, line: &str) -> Vec<Option<String>> {
    let before = world.net.sent_to(line).len();
    let provider = OAuthProvider::from_context(context);
    let used = provider.credentials().await.unwrap();
    retried(refuse(&provider, &used, 401, INVALID, 0).await);
    world.net.sent_to(line)[before..].iter().map(|sent| sent.form("resource")).collect()
}

/// It is about this resource at this authorization server: remembered there, and nowhere else. Without `resource`, a token may be
/// for whatever server that authorization server thinks of, so it is left out only where that was tried.
#[tokio::test]
async fn a_resource_that_one_authorization_server_refuses_is_sent_to_others_and_for_others() {
    let world = World::new();
    for line in [TOKEN, OTHER_TOKEN] {
        let (refuses, issued) = (line == TOKEN, world.issued.clone());
        world.net.on(line, move |seen| {
            if refuses && seen.form("resource").as_deref() == Some(SERVER) {
                return answer(400, &json!({ "error": "invalid_target" }));
            }
            let n = issued.fetch_add(1, Ordering::Relaxed);
            let (access, refresh) = (format!("at-{n}"), format!("rt-{n}"));
            answer(200, &json!({ "access_token": access, "token_type": "Bearer", "refresh_token": refresh }))
        });
    }
    let resource = || Some(SERVER.to_owned());
    keep(&world.context(), ISSUER, SERVER).await;
    assert_eq!(renewed(&world, world.context(), TOKEN).await, [resource(), None]);
    assert_eq!(renewed(&world, world.context(), TOKEN).await, [None], "what worked is kept");

    let other = || Context { target: Target::new("other", OTHER_SERVER.parse().unwrap()), ..world.context() };
    keep(&other(), ISSUER, OTHER_SERVER).await;
    assert_eq!(renewed(&world, other(), TOKEN).await, [Some(OTHER_SERVER.to_owned())]);

    // The same server, once its person has signed in somewhere else.
    world.advance(Duration::from_secs(1));
    keep(&world.context(), OTHER_ISSUER, SERVER).await;
    assert_eq!(renewed(&world, world.context(), OTHER_TOKEN).await, [resource()]);
}
