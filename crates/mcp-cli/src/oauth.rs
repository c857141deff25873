//! Wires OAuth: where sign-ins are kept, over which client, with which settings. No rules.

use std::path::Path;
use std::sync::Arc;

use mcp_auth::oauth::store::{FileTokenStore, MemoryTokenStore, TokenStore};
use mcp_auth::oauth::{OAuthProvider, OAuthSettings, Renewals};
use mcp_auth::{AuthSettings, HttpExchange, Target};

/// The sign-ins of this person.
pub(crate) fn token_store(state_dir: Option<&Path>) -> Arc<dyn TokenStore> {
    match state_dir {
        Some(directory) => {
            let files = FileTokenStore::new(directory.join("tokens"));
            #[cfg(feature = "keyring")]
            let files = mcp_auth::oauth::store::KeyringTokenStore::new("mcplink", files);
            Arc::new(files)
        }
        // Without a home directory nothing can be kept beyond this process.
        None => Arc::new(MemoryTokenStore::new()),
    }
}

/// What a server's entry says about OAuth.
pub(crate) fn settings(auth: &AuthSettings) -> OAuthSettings {
    OAuthSettings::new(auth.oauth.clone().unwrap_or_default())
}

/// The OAuth provider of one server, knowing whether somebody has signed in.
pub(crate) async fn provider(
    target: &Target,
    auth: &AuthSettings,
    http: Arc<dyn HttpExchange>,
    store: Arc<dyn TokenStore>,
    renewals: Renewals,
) -> OAuthProvider {
    let settings = settings(auth).with_renewals(renewals);
    OAuthProvider::open(target.clone(), settings, http, store).await
}
