//! What the authorization server offers, and how it misbehaves. All of it may change while it runs.

use std::collections::BTreeSet;
use std::time::Duration;

/// Where the metadata document is found. The issuer's path is part of each address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MetadataAt {
    /// `/.well-known/oauth-authorization-server{path}` (RFC 8414, section 3).
    Rfc8414,
    /// `/.well-known/openid-configuration{path}`.
    OidcInserted,
    /// `{path}/.well-known/openid-configuration` (OpenID Connect Discovery 1.0, section 4).
    OidcAppended,
    /// Nowhere: a client has to use the default endpoints of 2025-03-26.
    Nowhere,
}

/// A parameter that a redirect should carry.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Echo {
    /// As it should be.
    #[default]
    Right,
    /// Not at all.
    Missing,
    /// With this value.
    Wrong(String),
}

/// An endpoint, for scripts and queries.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum AuthEndpoint {
    /// The metadata document, wherever it is.
    Metadata,
    /// Dynamic client registration (RFC 7591).
    Register,
    /// The authorization endpoint.
    Authorize,
    /// The token endpoint.
    Token,
    /// Revocation (RFC 7009).
    Revoke,
    /// Device authorization (RFC 8628).
    Device,
}

/// The settings of a [`FakeAuthServer`](super::FakeAuthServer). The defaults are a well-behaved server that knows all
/// grants, rotates refresh tokens and registers clients.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthServerSettings {
    /// The path of the issuer: empty, or `/tenant1`.
    pub issuer_path: String,
    /// Where the metadata is.
    pub metadata_at: MetadataAt,
    /// Offers dynamic client registration.
    pub registration: bool,
    /// Takes the URL of a metadata document as a client id, without fetching it.
    pub client_id_metadata_documents: bool,
    /// Offers the device flow.
    pub device: bool,
    /// The device flow's polling interval in seconds.
    pub device_interval: u64,
    /// How long a device code lives.
    pub device_lifetime: Duration,
    /// The scopes listed in the metadata.
    pub scopes: Vec<String>,
    /// The client authentication methods listed in the metadata.
    pub auth_methods: Vec<String>,
    /// The method that registration gives, whatever was asked for; `None` gives what was asked for.
    pub registered_auth_method: Option<String>,
    /// How long access tokens live.
    pub token_lifetime: Duration,
    /// Gives refresh tokens.
    pub refresh_tokens: bool,
    /// Gives a new refresh token with each refresh, and ends the whole family when an old one is used again.
    pub rotation: bool,
    /// Subject tokens and assertions that are accepted in token exchange and in the JWT bearer grant.
    pub accepted_assertions: BTreeSet<String>,
    /// A refresh may ask for a token of another resource (RFC 8707, section 2.2).
    pub refresh_for_any_resource: bool,
    /// Refuses authorization and token requests without `resource` (RFC 8707).
    pub resource_required: bool,

    /// Misbehaviour: the metadata names this issuer.
    pub metadata_issuer: Option<String>,
    /// Misbehaviour: the metadata names this authorization endpoint (`javascript:…`, `file:…`, another host).
    pub authorization_endpoint: Option<String>,
    /// Misbehaviour: the metadata names this token endpoint.
    pub token_endpoint: Option<String>,
    /// Lists PKCE in the metadata; without it a client must refuse the server.
    pub advertise_pkce: bool,
    /// Lists `authorization_response_iss_parameter_supported` (RFC 9207).
    pub advertise_iss: bool,
    /// The `iss` of the redirect.
    pub iss: Echo,
    /// The `state` of the redirect.
    pub state: Echo,
    /// The redirect carries this error instead of a code: `access_denied`.
    pub authorize_error: Option<String>,
    /// The token endpoint answers this error to every refresh: `invalid_grant`.
    pub refresh_error: Option<String>,
    /// The status of token errors: 400, and 200 with the servers that forget it.
    pub error_status: u16,
    /// Leaves `expires_in` out.
    pub omit_expires_in: bool,
    /// Gives an ID token with these claims, a JSON object.
    pub id_claims: Option<String>,
    /// Grants these scopes whatever was asked for.
    pub granted_scope: Option<String>,
}

impl Default for AuthServerSettings {
    fn default() -> Self {
        let methods = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
        Self {
            issuer_path: String::new(),
            metadata_at: MetadataAt::Rfc8414,
            registration: true,
            client_id_metadata_documents: false,
            device: true,
            device_interval: 1,
            device_lifetime: Duration::from_secs(600),
            scopes: Vec::new(),
            auth_methods: methods.map(str::to_owned).to_vec(),
            registered_auth_method: None,
            token_lifetime: Duration::from_secs(3600),
            refresh_tokens: true,
            rotation: true,
            accepted_assertions: BTreeSet::new(),
            refresh_for_any_resource: false,
            resource_required: false,
            metadata_issuer: None,
            authorization_endpoint: None,
            token_endpoint: None,
            advertise_pkce: true,
            advertise_iss: true,
            iss: Echo::Right,
            state: Echo::Right,
            authorize_error: None,
            refresh_error: None,
            error_status: 400,
            omit_expires_in: false,
            id_claims: None,
            granted_scope: None,
        }
    }
}
