//! What the OAuth provider and the login are told.

use std::sync::Arc;

use url::Url;

use super::assertion::AssertionSource;
use super::jwt::SigningKey;
use crate::settings::OAuthSpec;
use crate::{AuthError, AuthErrorKind, Renewals, Secret};

/// The name of the provider, and of the supplier of its header, unless the settings say another one.
pub(crate) const NAME: &str = "oauth";

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
    /// The secret of the client where it has to be read first, in the place of that of `spec`. It is kept nowhere.
    pub secret_source: Option<Arc<dyn AssertionSource>>,
    /// Its private key in PEM, in the same way in the place of `client_key`.
    pub key_source: Option<Arc<dyn AssertionSource>>,
    /// The `kid` of what the key from there signs (RFC 7515 section 4.1.4).
    pub key_id: Option<String>,
    /// The `alg` that the key from there has to have: another one is an error.
    pub key_algorithm: Option<String>,
    /// The token endpoint, in the place of discovery: a person has named it. For grants without a person.
    pub token_endpoint: Option<Url>,
    /// The `audience` parameter of token requests without a person; none unless set.
    pub audience: Option<String>,
    /// A grant without a person is used before the first request, and not once the server refuses one.
    pub asks_ahead: bool,
    /// Where a person has to sign in, it is looked whether that could begin: for programs that tell people what to do next.
    /// Otherwise nothing is sent to an authorization server before there are tokens.
    pub looks_ahead: bool,
    /// What the provider is called: `oauth`, or the name of a grant that has a place of its own in the plan.
    pub name: &'static str,
    /// Where this process stands among those that use the same sign-in, from 0 to 1: they renew one after the other
    /// ([`StoredTokens::renew_at`](super::store::StoredTokens::renew_at)).
    pub share: f64,
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
            secret_source: None,
            key_source: None,
            key_id: None,
            key_algorithm: None,
            token_endpoint: None,
            audience: None,
            asks_ahead: false,
            looks_ahead: false,
            name: NAME,
            share: 0.0,
            renewals: Renewals::default(),
        }
    }

    /// The same for a program of this name: what the consent page shows.
    #[must_use]
    pub fn with_client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = name.into();
        self
    }

    /// The same for a process that stands there among those that use the same sign-in.
    #[must_use]
    pub fn with_share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// The same for a program that tells people whether a sign-in could begin.
    #[must_use]
    pub fn with_look_ahead(mut self) -> Self {
        self.looks_ahead = true;
        self
    }

    /// The same with another grant.
    #[must_use]
    pub fn with_grant(mut self, grant: Grant) -> Self {
        self.grant = grant;
        self
    }

    /// The same for `target`, with the secret of the client read where `spec` says that it is.
    #[cfg(feature = "helper")]
    #[must_use]
    pub fn with_secret_of_spec(mut self, target: &crate::Target) -> Self {
        if let Some(text) = &self.spec.client_secret_source {
            let (text, target) = (text.clone(), target.clone());
            self.secret_source = Some(Arc::new(crate::secret_source::SourcedValue { text, target }));
        }
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

impl OAuthSettings {
    /// The same with the secret and the key of the client as they are now.
    pub(crate) async fn with_secrets(&self) -> Result<Self, AuthError> {
        let mut settings = self.clone();
        if let Some(source) = &self.secret_source {
            settings.spec.client_secret = Some(source.assertion("").await?);
            settings.secret_source = None;
        }
        if let Some(source) = &self.key_source {
            let key = self.key_of(&source.assertion("").await?);
            // The entry is right, and what it leads to is not.
            let key = key.map_err(|error| {
                error.with_hint("replace the key that `key` or `keyFile` of `auth` leads to")
            });
            settings.client_key = Some(Arc::new(key?));
        }
        Ok(settings)
    }

    fn key_of(&self, pem: &Secret) -> Result<SigningKey, AuthError> {
        let key = SigningKey::from_pem(pem)?;
        if let Some(wanted) = self.key_algorithm.as_deref().filter(|wanted| *wanted != key.algorithm()) {
            let message = format!(
                "read the client's private key: it signs with {}, and the entry says {}",
                key.algorithm(),
                mcp_text::name(wanted, 20)
            );
            return Err(AuthError::new(AuthErrorKind::Misconfigured, message));
        }
        Ok(match &self.key_id {
            Some(id) => key.with_id(id),
            None => key,
        })
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
    /// A token is exchanged for one of this server (RFC 8693).
    TokenExchange(TokenExchange),
    /// The organisation's identity provider decides (enterprise-managed authorization): an ID token becomes an
    /// assertion for the authorization server, which becomes an access token.
    EnterpriseManaged(IdentityProvider),
}

impl Grant {
    /// Whether a person has to sign in.
    pub(crate) fn needs_person(&self) -> bool {
        matches!(self, Self::AuthorizationCode)
    }

    /// Whether it gives a token to the authorization server that is as good as a secret to anyone who gets it.
    pub(crate) fn hands_over_token(&self) -> bool {
        matches!(self, Self::JwtBearer(_) | Self::TokenExchange(_))
    }
}

/// RFC 8693 section 3.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What is exchanged, for [`Grant::TokenExchange`] (RFC 8693 section 2.1).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenExchange {
    /// Whose access it is.
    pub subject: Arc<dyn AssertionSource>,
    /// The type of that token: an access token unless said otherwise.
    pub subject_type: String,
    /// Who acts for the subject.
    pub actor: Option<Arc<dyn AssertionSource>>,
    /// The type of that token: an access token unless said otherwise.
    pub actor_type: String,
    /// What type of token is asked for.
    pub requested_type: Option<String>,
}

impl TokenExchange {
    /// An access token of this subject is exchanged.
    pub fn new(subject: Arc<dyn AssertionSource>) -> Self {
        Self {
            subject,
            subject_type: ACCESS_TOKEN.to_owned(),
            actor: None,
            actor_type: ACCESS_TOKEN.to_owned(),
            requested_type: None,
        }
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
    /// The same where it has to be read first.
    pub secret_source: Option<Arc<dyn AssertionSource>>,
    /// Where the person's ID token comes from.
    pub id_token: Arc<dyn AssertionSource>,
    /// Its type (RFC 8693 section 3) where it is another token, such as a refresh token of this provider
    /// (draft-ietf-oauth-identity-assertion-authz-grant section 4.3).
    pub subject_type: Option<String>,
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
            secret_source: None,
            id_token,
            subject_type: None,
        }
    }
}
