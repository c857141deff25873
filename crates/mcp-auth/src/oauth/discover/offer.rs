//! Whether a server that refuses without a word about signing in publishes something about it all the same: then a
//! sign-in is what a person should try next, and not the same request again.

use std::time::Duration;

use url::Url;

use super::discovery::{DiscoverySource, MetadataNeeds, at_origin, challenge_param, resource_metadata};
use crate::{HttpExchange, Rejection};

/// The refusal itself is known by then, and a caller waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether a refusal leaves open where to sign in, whatever its status. Where a key was refused, the key is what is wrong.
pub(crate) fn is_silent(rejection: &Rejection<'_>) -> bool {
    let says_it = challenge_param(rejection.challenges, "resource_metadata").is_some();
    let had_key = rejection.used.names().any(|(name, _)| mcp_text::is_credential_name(name.as_str()));
    !says_it && !had_key
}

/// Looks at the well-known places of the server itself, and at nothing else: the authorization server that it names is
/// asked only once a person signs in. What is down, or takes its time, has said nothing.
pub(crate) async fn is_published(http: &dyn HttpExchange, server: &Url) -> bool {
    tokio::time::timeout(PATIENCE, look(http, server)).await.unwrap_or(false)
}

async fn look(http: &dyn HttpExchange, server: &Url) -> bool {
    let found = match resource_metadata(http, server, &[]).await {
        Ok(Some((found, _))) if found.names_an_issuer() => return true,
        Ok(found) => found.map(|(found, _)| found),
        Err(failure) if failure.is_transient() => None,
        // It publishes something that cannot be used, and the sign-in says why.
        Err(_) => return true,
    };
    let own = at_origin(http, server, found, MetadataNeeds::TOKENS).await;
    own.is_ok_and(|own| own.found == DiscoverySource::Origin)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::super::fake::{FakeNet, SERVER, metadata, text};
    use super::*;

    const ORIGIN: &str = "https://mcp.example";

    async fn publishes(net: &FakeNet) -> bool {
        is_published(net, &Url::parse(SERVER).unwrap()).await
    }

    #[tokio::test]
    async fn fb_a01_what_is_published_at_home_is_an_offer() {
        let table: [(&str, Value); 4] = [
            (
                "oauth-protected-resource/mcp",
                json!({ "resource": SERVER, "authorization_servers": ["https://as.example"] }),
            ),
            (
                "oauth-protected-resource",
                json!({ "resource": ORIGIN, "authorization_servers": ["https://as.example"] }),
            ),
            ("oauth-authorization-server", metadata(ORIGIN)),
            // Not usable, and the sign-in says so.
            (
                "oauth-protected-resource",
                json!({ "resource": "http://mcp.example", "authorization_servers": ["x"] }),
            ),
        ];
        for (place, document) in table {
            let net = FakeNet::default();
            net.json(&format!("GET {ORIGIN}/.well-known/{place}"), 200, document);
            assert!(publishes(&net).await, "{place}");
            assert!(net.take_lines().iter().all(|line| line.starts_with(&format!("GET {ORIGIN}/"))));
        }
    }

    #[tokio::test]
    async fn fb_a01_a_server_with_a_key_of_its_own_offers_nothing() {
        let net = FakeNet::default();
        assert!(!publishes(&net).await);
        // One that answers every address with its page, and one that is down there.
        for place in
            ["oauth-protected-resource/mcp", "oauth-protected-resource", "oauth-authorization-server"]
        {
            net.on(&format!("GET {ORIGIN}/.well-known/{place}"), |_| text(200, "<html>Hello</html>"));
        }
        assert!(!publishes(&net).await);
        net.json(&format!("GET {ORIGIN}/.well-known/oauth-protected-resource"), 503, Value::Null);
        assert!(!publishes(&net).await);
    }
}
