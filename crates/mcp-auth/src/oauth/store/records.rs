//! What a store keeps, and under which keys.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};
use url::Url;

use super::super::identity::Identity;
use crate::single_flight::ahead;
use crate::{AuthError, Secret, Target};

/// Whose tokens: the server entry, the resource they are for, the authorization server that issued them, which account where there
/// are several, and by which way the server is reached where a stranger's file says that.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TokenKey {
    server_name: String,
    resource: String,
    issuer: String,
    account: Option<String>,
    route: Option<String>,
}

impl TokenKey {
    /// The key of the tokens that `issuer` gave to the entry `server_name` for `resource`, the URL of the entry.
    ///
    /// User name, password and fragment of the URL do not belong to the key: they do not tell resources
    /// apart (RFC 8707 section 2), and a password has no place in it.
    pub fn new(server_name: impl Into<String>, resource: &Url, issuer: impl Into<String>) -> Self {
        let (server_name, issuer) = (server_name.into(), issuer.into());
        Self { server_name, resource: canonical(resource), issuer, account: None, route: None }
    }

    /// The key of the tokens that `issuer` gave for `target`.
    pub fn of(target: &Target, issuer: impl Into<String>) -> Self {
        Self::new(&*target.name, &target.url, issuer)
            .with_account(target.account.clone())
            .with_route(target.route.clone())
    }

    /// The same for another account; `None` is the one without a name.
    #[must_use]
    pub fn with_account(self, account: Option<String>) -> Self {
        Self { account, ..self }
    }

    /// The same for another way; `None` is that of this machine.
    #[must_use]
    pub fn with_route(self, route: Option<String>) -> Self {
        Self { route, ..self }
    }

    /// A key read back from where it was kept.
    pub(super) fn from_parts(
        server_name: String,
        resource: String,
        issuer: String,
        account: Option<String>,
        route: Option<String>,
    ) -> Self {
        Self { server_name, resource, issuer, account, route }
    }

    /// The name of the server entry.
    pub fn server_name(&self) -> &str {
        &self.server_name
    }

    /// The URL that the tokens are for. Its query may be confidential.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The issuer identifier of the authorization server (RFC 8414 section 2).
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The name that a person gave the account, where there are several.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// By which way the server is reached, where a stranger's file says that.
    pub fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    /// Whether the tokens are those of this target, whichever issuer they are from.
    pub fn is_for(&self, target: &Target) -> bool {
        self.server_name == target.name
            && self.account == target.account
            && self.route == target.route
            && self.resource == canonical(&target.url)
    }
}

fn canonical(resource: &Url) -> String {
    let mut url = resource.clone();
    url.set_fragment(None);
    // Both fail only for URLs that cannot have credentials, and those have none to remove.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: servers are known that take an API key in the query of their URL.
        let resource = self.resource.split('?').next().unwrap_or_default();
        f.debug_struct("TokenKey")
            .field("server_name", &self.server_name)
            .field("resource", &resource)
            .field("issuer", &self.issuer)
            .field("account", &self.account)
            .field("route", &self.route)
            .finish()
    }
}

/// Whose client identity.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum ClientKey {
    /// A dynamic registration (RFC 7591): it belongs to the authorization server, and is shared by the
    /// entries that use it.
    Registered {
        /// The issuer identifier of the authorization server.
        issuer: String,
    },
    /// A client that a person configured for one entry; kept because its secret may not be in a config file.
    Configured {
        /// The name of the server entry.
        server_name: String,
    },
}

impl ClientKey {
    /// The key of the client registered with `issuer`.
    pub fn registered(issuer: impl Into<String>) -> Self {
        Self::Registered { issuer: issuer.into() }
    }

    /// The key of the client configured for the entry `server_name`.
    pub fn configured(server_name: impl Into<String>) -> Self {
        Self::Configured { server_name: server_name.into() }
    }

    /// The key of the client configured for `target`: its secret goes on no other way either.
    pub fn configured_for(target: &Target) -> Self {
        match &target.route {
            None => Self::configured(&*target.name),
            Some(route) => Self::configured(format!("{}, {route}", target.name)),
        }
    }
}

/// A sign-in: the tokens of one account at one server.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoredTokens {
    /// The access token.
    pub access_token: Secret,
    /// The refresh token; without one, a person has to sign in again when the access token ends.
    pub refresh_token: Option<Secret>,
    /// `Bearer` or `DPoP`, as the authorization server wrote it (RFC 6749 section 7.1).
    pub token_type: String,
    /// When the access token ends; `None` means that it is used until refused. Kept to the millisecond.
    pub expires_at: Option<SystemTime>,
    /// When the authorization server issued it, by the local clock. Kept to the millisecond.
    pub obtained_at: SystemTime,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// The client that the tokens were issued to; a refresh must present the same one.
    pub client_id: String,
    /// The private key that the tokens are bound to (RFC 9449): PKCS#8 as base64.
    pub dpop_key: Option<Secret>,
    /// Where they are refreshed: a later process does not repeat the discovery, which may need a challenge.
    pub token_endpoint: Option<String>,
    /// Where they are revoked (RFC 7009), if the authorization server offers it.
    pub revocation_endpoint: Option<String>,
    /// The `resource` parameter they were requested with (RFC 8707), byte for byte; sent again on refresh.
    pub resource_parameter: Option<String>,
    /// Who signed in, as far as the tokens tell.
    pub identity: Option<Identity>,
    /// How many refreshes this sign-in has seen. Counted by [`refresh_once`](super::refresh_once): a server
    /// may return the very same token, and then only this number tells that someone refreshed.
    pub generation: u64,
    /// Fields that another version of this program wrote and this one does not know.
    pub unknown: UnknownFields,
}

/// The longest time before the end of tokens at which they are renewed.
const AHEAD: Duration = Duration::from_secs(60);

impl StoredTokens {
    /// A bearer token of `client_id` without a refresh token, expiry or scope.
    pub fn new(
        access_token: impl Into<Secret>,
        client_id: impl Into<String>,
        obtained_at: SystemTime,
    ) -> Self {
        Self {
            access_token: access_token.into(),
            refresh_token: None,
            token_type: "Bearer".to_owned(),
            expires_at: None,
            obtained_at,
            scopes: Vec::new(),
            client_id: client_id.into(),
            dpop_key: None,
            token_endpoint: None,
            revocation_endpoint: None,
            resource_parameter: None,
            identity: None,
            generation: 0,
            unknown: UnknownFields::default(),
        }
    }

    /// When they are to be renewed ahead of their end; `None` where they have none. `share`, from 0 to 1, is where this process
    /// stands among those that use the same sign-in: it decides how much earlier than it has to this one
    /// begins, up to half of that time. Never later: the last one still has the whole of it where a database is down.
    pub fn renew_at(&self, share: f64) -> Option<SystemTime> {
        let end = self.expires_at?;
        let life = end.duration_since(self.obtained_at).unwrap_or_default();
        end.checked_sub(ahead(life, AHEAD).mul_f64(1.0 + share.clamp(0.0, 1.0) / 2.0))
    }

    /// Whether these are the same tokens, and not what a refresh or another sign-in made of them.
    pub(crate) fn same_tokens(&self, other: &Self) -> bool {
        self.generation == other.generation
            && self.access_token == other.access_token
            && self.refresh_token == other.refresh_token
    }
}

/// What an authorization server knows us as.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoredClient {
    /// The client identifier.
    pub client_id: String,
    /// Its secret, for a confidential client.
    pub client_secret: Option<Secret>,
    /// When the secret ends (`client_secret_expires_at`, RFC 7591 section 3.2.1); `None` means never.
    pub client_secret_expires_at: Option<SystemTime>,
    /// How it authenticates at the token endpoint (`none`, `client_secret_basic`, ..).
    pub token_endpoint_auth_method: Option<String>,
    /// The redirect URIs that were registered; a sign-in with another one needs another registration.
    pub redirect_uris: Vec<String>,
    /// The scopes that it may ask for (`scope`, RFC 7591 section 2), as far as that is known.
    pub scopes: Option<Vec<String>>,
    /// What an entry had the registration say beside what every one says, as a digest; another entry, or another text, needs
    /// another registration.
    pub registered_as: Option<String>,
    /// The issuer it is registered with, where that is known.
    pub issuer: Option<String>,
    /// The server entry that brought it along; `reset` of that entry forgets it.
    pub server_name: String,
    /// Fields that another version of this program wrote and this one does not know.
    pub unknown: UnknownFields,
}

impl StoredClient {
    /// A public client of the entry `server_name`.
    pub fn new(client_id: impl Into<String>, server_name: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: None,
            client_secret_expires_at: None,
            token_endpoint_auth_method: None,
            redirect_uris: Vec::new(),
            scopes: None,
            registered_as: None,
            issuer: None,
            server_name: server_name.into(),
            unknown: UnknownFields::default(),
        }
    }
}

/// Fields of a record that this version does not know. They are written back with the record, so that an
/// older program does not undo what a newer one keeps.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct UnknownFields(pub(super) Map<String, Value>);

impl fmt::Debug for UnknownFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: which of them are secrets is not known here.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The records that could be read and were there. One that cannot be read does not hide the others, but it is an error where
/// there is no other: "nothing there" would be a lie.
pub(super) fn readable<T>(
    found: impl Iterator<Item = Result<Option<T>, AuthError>>,
) -> Result<Vec<T>, AuthError> {
    let mut records = Vec::new();
    let mut unreadable = None;
    for record in found {
        match record {
            Ok(record) => records.extend(record),
            Err(error) => {
                tracing::warn!(%error, "a record of the token store is passed over");
                unreadable = Some(error);
            }
        }
    }
    match unreadable {
        Some(error) if records.is_empty() => Err(error),
        _ => Ok(records),
    }
}

/// The field of a record whose secrets are in the keyring of the operating system.
pub(super) const KEYRING_FIELD: &str = "keyring";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f099_a_key_holds_no_password_and_does_not_show_the_query() {
        let url = Url::parse("https://me:canary-password@mcp.example/mcp?api_key=canary-query#top").unwrap();
        let key = TokenKey::new("work", &url, "https://as.example");
        assert_eq!(key.resource(), "https://mcp.example/mcp?api_key=canary-query");
        let of = |name: &str| Target::new(name, url.clone());
        assert!(key.is_for(&of("work")) && !key.is_for(&of("home")));
        let second = of("work").with_account(Some("second".to_owned()));
        assert!(!key.is_for(&second) && TokenKey::of(&second, "https://as.example").is_for(&second));
        let shown = format!("{key:?}");
        assert!(shown.contains("https://mcp.example/mcp") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn a_server_that_returns_the_same_token_has_refreshed_it_all_the_same() {
        let before = StoredTokens::new(Secret::new("same"), "client", SystemTime::UNIX_EPOCH);
        let mut after = before.clone();
        after.generation += 1;
        assert!(before.same_tokens(&before.clone()) && !before.same_tokens(&after));
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut tokens = StoredTokens::new(Secret::new("canary-1"), "client", SystemTime::UNIX_EPOCH);
        tokens.refresh_token = Some(Secret::new("canary-2"));
        tokens.dpop_key = Some(Secret::new("canary-3"));
        let mut client = StoredClient::new("client", "work");
        client.client_secret = Some(Secret::new("canary-4"));
        let shown = format!("{tokens:?} {client:?}");
        assert!(shown.contains("client") && !shown.contains("canary"), "{shown}");
    }
}
