//! Tokens without a person: client credentials, assertions of workloads, enterprise-managed authorization.

use http::StatusCode;

use super::super::client_auth::{AuthMethod, ClientIdentity};
use super::super::context::Context;
use super::super::discover::registration::{identify_machine, machine_trusts_stranger};
use super::super::failure::{Answer, Failure, Step};
use super::super::settings::{Grant, IdentityProvider};
use super::super::store::{StoredTokens, TokenKey};
use super::grants::{Grants, ID_TOKEN};
use crate::url_policy::UrlSource;
use crate::{AuthError, AuthErrorKind, Challenge, Rejection, Secret};

const UNPINNED: &str = "the credentials of this program would be sent there, and only the server has named it: pin it \
                        with `oauth.issuer` in an entry of your own, or with `OAuthSettings::with_client_issuer`";

/// Gets tokens as the configured grant says: one request to each server involved, never a second try and never another
/// grant. A refusal is final: the settings or the assertion have to change, and the assertion is read again each time.
pub(crate) async fn mint(
    ctx: &Context,
    challenges: &[Challenge],
) -> Result<(TokenKey, StoredTokens), AuthError> {
    Ok(mint_tokens(ctx, challenges).await?)
}

async fn mint_tokens(ctx: &Context, challenges: &[Challenge]) -> Result<(TokenKey, StoredTokens), Failure> {
    let discovery = ctx.discover(challenges).await?;
    // Security: no person can be asked where a secret belongs, and the server could name any issuer.
    if machine_trusts_stranger(ctx, &discovery).await? {
        let step = match ctx.settings.grant {
            Grant::ClientCredentials => Step::ClientCredentials,
            Grant::TokenExchange(_) => Step::TokenExchange,
            _ => Step::JwtBearer,
        };
        return Err(Failure::new(step, &discovery.issuer, Answer::Misconfigured(UNPINNED.to_owned())));
    }
    // As late as this: only where they belong are they read.
    let ctx = &Context { settings: ctx.settings.with_secrets().await?, ..ctx.clone() };
    let client = identify_machine(ctx, &discovery).await?;
    let resource = ctx.resource_parameter(&discovery);
    let scopes = ctx.scopes(&discovery, challenges, None);
    let dpop = ctx.dpop_key(&discovery, challenges)?;
    let grants = ctx.grants(&discovery, &client, resource.as_deref(), dpop.as_deref())?;
    let answer = match &ctx.settings.grant {
        Grant::ClientCredentials => grants.client_credentials(&scopes).await?,
        Grant::JwtBearer(source) => {
            let assertion = source.assertion(&discovery.issuer).await?;
            let asked = grants.jwt_bearer(&assertion, &scopes).await;
            asked.map_err(|failure| failure.of_token(&assertion, ctx.clock.now()))?
        }
        Grant::TokenExchange(exchange) => {
            let subject = exchange.subject.assertion(&discovery.issuer).await?;
            let actor = match &exchange.actor {
                Some(source) => Some(source.assertion(&discovery.issuer).await?),
                None => None,
            };
            let actor = actor.as_ref().map(|actor| (actor, &*exchange.actor_type));
            let requested = exchange.requested_type.as_deref();
            let asked = (&subject, &*exchange.subject_type);
            let asked = grants.token_exchange(asked, actor, requested, &scopes).await;
            asked.map_err(|failure| failure.of_token(&subject, ctx.clock.now()))?
        }
        Grant::EnterpriseManaged(provider) => {
            let assertion = id_jag(ctx, provider, &discovery.issuer, resource.as_deref(), &scopes).await?;
            grants.jwt_bearer(&assertion, &scopes).await?
        }
        Grant::AuthorizationCode => {
            let message = "get a token: this server needs a person to sign in";
            return Err(AuthError::new(AuthErrorKind::Misconfigured, message).into());
        }
    };
    let mut tokens = answer.into_stored(&client.id, &discovery.issuer, &scopes, ctx.clock.now());
    // RFC 6749 section 4.4.3: there should be none, and minting again is as good.
    tokens.refresh_token = None;
    Context::complete(&mut tokens, &discovery, resource, dpop.as_deref());
    Ok((ctx.key(&discovery.issuer), tokens))
}

/// Whether a token could be the answer to this refusal.
pub(crate) fn asks_for_token(rejection: &Rejection<'_>) -> bool {
    rejection.recoveries == 0
        && (rejection.status == StatusCode::UNAUTHORIZED
            || rejection.challenges.iter().any(|c| c.is("Bearer") || c.is("DPoP")))
}

/// The identity provider's word that this person may use that resource, as an assertion for `issuer`.
async fn id_jag(
    ctx: &Context,
    provider: &IdentityProvider,
    issuer: &str,
    resource: Option<&str>,
    scopes: &[String],
) -> Result<Secret, Failure> {
    let secret = match &provider.secret_source {
        Some(source) => Some(source.assertion(&provider.token_endpoint).await?),
        None => provider.client_secret.clone(),
    };
    let client = ClientIdentity {
        id: provider.client_id.clone(),
        method: if secret.is_some() { AuthMethod::Basic } else { AuthMethod::None },
        secret,
        key: None,
    };
    let (token_endpoint, named_by) = (provider.token_endpoint.as_str(), UrlSource::person());
    let grants = Grants {
        http: &*ctx.http,
        token_endpoint,
        named_by: &named_by,
        issuer: token_endpoint,
        client: &client,
        resource,
        audience: None,
        dpop: None,
        clock: &ctx.clock,
    };
    let subject = provider.id_token.assertion(token_endpoint).await?;
    let kind = provider.subject_type.as_deref().unwrap_or(ID_TOKEN);
    let asked = grants.id_jag((&subject, kind), issuer, scopes).await;
    asked.map_err(|failure| failure.of_token(&subject, ctx.clock.now()))
}
