//! What the OAuth provider and the login are told.

use std::fmt;
use std::sync::Arc;

use super::jwt::SigningKey;
use crate::{AuthFuture, OAuthSpec, Renewals, Secret};

/// Everything that is configured about OAuth for one server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OAuthSettings {
    /// The `oauth` block of the entry.
    pub spec: OAuthSpec,
    /// How tokens are obtained.
    pub grant: Grant,
    /// The key of `private_key_jwt` client authentication (RFC 7523 section 2.2).
    pub client_key: Option<Arc<SigningKey>>,
    /// The issuer that the configured client is registered with, where that is known: it and its secret are
    /// then presented to no other. The grants without a person need it, or a confirmed `spec.issuer`, before a secret or an
    /// assertion leaves: the server alone is not believed about where it belongs.
    pub client_issuer: Option<String>,
    /// The name under which a client registers (RFC 7591 section 2): what the consent page shows. `mcp-auth` unless set.
    pub client_name: String,
    /// The scopes that a person asks for at this sign-in: on top of what an earlier one was granted, and in place of those
    /// of `spec` and of the server.
    pub requested_scopes: Vec<String>,
    /// Counts the renewals of these tokens among those of the program.
    pub renewals: Renewals,
}

impl OAuthSettings {
    /// Sign-in by a person, as `spec` says.
    pub fn new(spec: OAuthSpec) -> Self {
        Self {
            spec,
            grant: Grant::AuthorizationCode,
            client_key: None,
            client_issuer: None,
            client_name: env!("CARGO_PKG_NAME").to_owned(),
            requested_scopes: Vec::new(),
            renewals: Renewals::default(),
        }
    }

    /// The same for a program of this name: what the consent page shows.
    #[must_use]
    pub fn with_client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = name.into();
        self
    }

    /// The same with another grant.
    #[must_use]
    pub fn with_grant(mut self, grant: Grant) -> Self {
        self.grant = grant;
        self
    }

    /// The same with a key for client authentication.
    #[must_use]
    pub fn with_client_key(mut self, key: SigningKey) -> Self {
        self.client_key = Some(Arc::new(key));
        self
    }

    /// The same, counted among the renewals of a program.
    #[must_use]
    pub fn with_renewals(mut self, renewals: Renewals) -> Self {
        self.renewals = renewals;
        self
    }

    /// The same with the issuer that the configured client belongs to.
    #[must_use]
    pub fn with_client_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.client_issuer = Some(issuer.into());
        self
    }
}

/// How tokens are obtained. All but the first need no person.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Grant {
    /// A person signs in (RFC 6749 section 4.1, or a device code, RFC 8628).
    AuthorizationCode,
    /// The client itself is who has access (RFC 6749 section 4.4).
    ClientCredentials,
    /// An assertion of a workload's identity provider is exchanged (RFC 7523 section 2.1).
    JwtBearer(Arc<dyn AssertionSource>),
    /// The organisation's identity provider decides (enterprise-managed authorization): an ID token becomes an
    /// assertion for the authorization server, which becomes an access token.
    EnterpriseManaged(IdentityProvider),
}

impl Grant {
    /// Whether a person has to sign in.
    pub(crate) fn needs_person(&self) -> bool {
        matches!(self, Self::AuthorizationCode)
    }
}

/// An organisation's identity provider, for [`Grant::EnterpriseManaged`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IdentityProvider {
    /// Its token endpoint.
    pub token_endpoint: String,
    /// The client as registered there.
    pub client_id: String,
    /// That client's secret, if it has one.
    pub client_secret: Option<Secret>,
    /// Where the person's ID token comes from.
    pub id_token: Arc<dyn AssertionSource>,
}

impl IdentityProvider {
    /// A provider where the client has no secret.
    pub fn new(
        token_endpoint: impl Into<String>,
        client_id: impl Into<String>,
        id_token: Arc<dyn AssertionSource>,
    ) -> Self {
        Self {
            token_endpoint: token_endpoint.into(),
            client_id: client_id.into(),
            client_secret: None,
            id_token,
        }
    }
}

/// Hands over an assertion (a signed JWT), a fresh one each time: assertions are short-lived, and the file or service that
/// holds one replaces it.
pub trait AssertionSource: fmt::Debug + Send + Sync + 'static {
    /// An assertion for `audience`, the issuer it will be presented to.
    fn assertion<'a>(&'a self, audience: &'a str) -> AuthFuture<'a, Secret>;
}

/// An assertion that is known beforehand.
impl AssertionSource for Secret {
    fn assertion<'a>(&'a self, _: &'a str) -> AuthFuture<'a, Secret> {
        Box::pin(std::future::ready(Ok(self.clone())))
    }
}
