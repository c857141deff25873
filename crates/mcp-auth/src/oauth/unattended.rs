//! The grants of an entry: from its settings to a provider that has the helper's place.

use std::sync::Arc;

use super::settings::{Grant, IdentityProvider, OAuthSettings, TokenExchange};
use super::store::MemoryTokenStore;
use super::{AssertionSource, OAuthProvider};
use crate::secret_source::SourcedSecret;
use crate::settings::{GrantKind, GrantSpec, SecretSource, TokenSpec};
use crate::{AuthError, AuthErrorKind, HttpExchange, Renewals, Target};

/// What each secret is called where it cannot be read: with its field, for a person who looks for it.
const CLIENT_SECRET: &str = "the client's secret (`auth.clientSecret`)";
const KEY: &str = "the client's private key (`auth.key`)";

impl OAuthProvider {
    /// The provider of a grant that an entry configures. Its secrets are read when the authorization server is to get them,
    /// and what comes of it is kept in memory alone, as the output of a helper is: the next process asks again. Where the
    /// entry says who issues tokens, that is asked before the first request, else when the server refuses one.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::Misconfigured`] where the grant lacks what it needs.
    pub fn unattended(
        target: Target,
        spec: &GrantSpec,
        http: Arc<dyn HttpExchange>,
        renewals: Renewals,
    ) -> Result<Self, AuthError> {
        let settings = settings(&target, spec)?.with_renewals(renewals);
        Ok(Self::new(target, settings, http, Arc::new(MemoryTokenStore::new())))
    }
}

/// What the grant is to the rest of this module.
fn settings(target: &Target, spec: &GrantSpec) -> Result<OAuthSettings, AuthError> {
    let sourced = |source: &SecretSource, what| -> Arc<dyn AssertionSource> {
        Arc::new(SourcedSecret { source: source.clone(), what, target: target.clone() })
    };
    let token = |what| {
        let token = spec.token.as_ref().ok_or_else(|| lacks(spec.kind, what))?;
        Ok::<_, AuthError>(sourced(&token.source, what))
    };
    let mut settings = OAuthSettings::new(spec.oauth.clone());
    settings.name = spec.kind.name();
    settings.asks_ahead = spec.token_endpoint.is_some() || spec.oauth.issuer.is_some();
    settings.token_endpoint.clone_from(&spec.token_endpoint);
    settings.audience.clone_from(&spec.audience);
    settings.secret_source = spec.client_secret.as_ref().map(|source| sourced(source, CLIENT_SECRET));
    settings.key_source = spec.key.as_ref().map(|source| sourced(source, KEY));
    settings.key_id.clone_from(&spec.key_id);
    settings.key_algorithm.clone_from(&spec.algorithm);
    settings.grant = match spec.kind {
        GrantKind::ClientCredentials => {
            spec.client_secret.as_ref().ok_or_else(|| lacks(spec.kind, CLIENT_SECRET))?;
            Grant::ClientCredentials
        }
        GrantKind::PrivateKeyJwt => {
            spec.key.as_ref().ok_or_else(|| lacks(spec.kind, KEY))?;
            Grant::ClientCredentials
        }
        GrantKind::JwtBearer => Grant::JwtBearer(token("the assertion (`auth.assertion`)")?),
        GrantKind::WorkloadIdentity => Grant::JwtBearer(token("the token of the workload (`auth.token`)")?),
        GrantKind::TokenExchange => {
            let kind = |token: &Option<TokenSpec>| token.as_ref().and_then(|token| token.kind.clone());
            let mut exchange = TokenExchange::new(token("the subject token (`auth.subjectToken`)")?);
            exchange.subject_type = kind(&spec.token).unwrap_or(exchange.subject_type);
            exchange.actor_type = kind(&spec.actor).unwrap_or(exchange.actor_type);
            exchange.actor = spec
                .actor
                .as_ref()
                .map(|actor| sourced(&actor.source, "the actor token (`auth.actorToken`)"));
            exchange.requested_type.clone_from(&spec.requested_token_type);
            Grant::TokenExchange(exchange)
        }
        GrantKind::EnterpriseManaged => {
            let id_token = token("the ID token (`auth.idToken`)")?;
            let at = spec.identity_provider.as_ref();
            let at = at.ok_or_else(|| lacks(spec.kind, "the identity provider"))?;
            let mut provider = IdentityProvider::new(at.token_endpoint.as_str(), &at.client_id, id_token);
            provider.subject_type = spec.token.as_ref().and_then(|token| token.kind.clone());
            let secret = at.client_secret.as_ref();
            provider.secret_source = secret.map(|source| {
                sourced(source, "the client's secret at the identity provider (`auth.idpClientSecret`)")
            });
            Grant::EnterpriseManaged(provider)
        }
    };
    Ok(settings)
}

fn lacks(kind: GrantKind, what: &str) -> AuthError {
    let message = format!("get a token by {}: {what} is not configured", kind.name());
    AuthError::new(AuthErrorKind::Misconfigured, message)
}
