//! The refresh of a sign-in: what is sent, and how the answer is read by [`refresh_once`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::super::context::Context;
use super::super::discover::discovery::{MetadataNeeds, server_metadata};
use super::super::discover::metadata::ServerMetadata;
use super::super::discover::registration;
use super::super::dpop::DpopKey;
use super::super::failure::{Answer, Failure, Step};
use super::super::store::{
    RefreshError, RefreshOutcome, RefreshRequest, StoredTokens, TokenKey, refresh_once,
};
use super::grants::Grants;
use super::token::TokenAnswer;
use crate::Secret;

/// Refreshes the tokens that were `used`, unless someone else has done so.
pub(crate) async fn refresh(
    ctx: &Arc<Context>,
    key: TokenKey,
    used: StoredTokens,
    dpop: Option<Arc<DpopKey>>,
) -> RefreshOutcome {
    let forgotten = Arc::new(AtomicBool::new(false));
    let tried = Arc::<Tried>::default();
    let under_way = ctx.settings.renewals.begin();
    let request = RefreshRequest::new(key.clone(), used.clone(), ctx.clock.now());
    let exchange = {
        let (ctx, key, forgotten) = (Arc::clone(ctx), key.clone(), Arc::clone(&forgotten));
        move |tokens: StoredTokens| {
            // Held by this closure, which lives until the new tokens are kept, and may outlive the caller.
            let _ = &under_way;
            let (ctx, key, dpop, forgotten) =
                (Arc::clone(&ctx), key.clone(), dpop.clone(), Arc::clone(&forgotten));
            let tried = Arc::clone(&tried);
            async move {
                exchange(&ctx, &key, tokens, dpop, &tried).await.map_err(|failure| {
                    forgotten.fetch_or(failure.is_unknown_client(), Ordering::Relaxed);
                    judge(failure)
                })
            }
        }
    };
    let outcome = refresh_once(Arc::clone(&ctx.store), request, exchange).await;
    // The next sign-in shall not present a client that the server no longer knows: it would end on the
    // server's error page.
    if matches!(outcome, RefreshOutcome::Rejected(_))
        && forgotten.load(Ordering::Relaxed)
        && let Err(error) = registration::forget(ctx, key.issuer(), &used.client_id).await
    {
        tracing::debug!(%error, "a client that the server has forgotten could not be removed");
    }
    outcome
}

fn judge(failure: Failure) -> RefreshError {
    if failure.is_transient() {
        RefreshError::Unavailable(failure.into())
    } else if matches!(failure.answer, Answer::Unreadable { .. }) {
        RefreshError::Unreadable(failure.into())
    } else if matches!(failure.answer, Answer::Gone(_)) {
        RefreshError::Gone(failure.into())
    } else if failure.code() == Some("invalid_grant") {
        RefreshError::InvalidGrant(failure.into())
    } else {
        RefreshError::Refused(failure.into())
    }
}

impl Failure {
    /// Whether the request was refused for something in it, and neither the token nor the client was.
    fn refuses_request(&self) -> bool {
        let others = ["invalid_grant", "invalid_client", "unauthorized_client", "use_dpop_nonce"];
        match &self.answer {
            Answer::Refused { status, code, .. } => {
                status.as_u16() == 400 && code.as_deref().is_some_and(|code| !others.contains(&code))
            }
            _ => false,
        }
    }
}

/// What the tries of one refresh have found out.
#[derive(Debug, Default)]
struct Tried {
    /// The request was refused for something in it.
    vary: AtomicBool,
    /// Where tokens are given is not where it was: what the authorization server publishes now.
    moved: OnceLock<ServerMetadata>,
}

/// Refreshes where the tokens are from; where nothing takes that any more, at the place that the authorization server publishes
/// now. That is looked for once.
async fn exchange(
    ctx: &Context,
    key: &TokenKey,
    tokens: StoredTokens,
    dpop: Option<Arc<DpopKey>>,
    tried: &Tried,
) -> Result<StoredTokens, Failure> {
    let issuer = key.issuer();
    let kept = tokens.token_endpoint.clone();
    let is_first = kept.is_some() && tried.moved.get().is_none();
    let is_there = |outcome: Result<StoredTokens, Failure>| {
        outcome.map_err(|failure| match failure.is_of_place() {
            true => failure.gone("it is what its metadata names now"),
            false => failure,
        })
    };
    let outcome = exchange_once(ctx, key, tokens.clone(), dpop.clone(), tried).await;
    let failure = match outcome {
        Err(failure) if failure.is_of_place() && is_first => failure,
        outcome => return is_there(outcome),
    };
    match published(ctx, issuer).await {
        Ok(found) if found.token_endpoint.is_some() && found.token_endpoint != kept => {
            tracing::info!(issuer, "the token endpoint is somewhere else now");
            let _ = tried.moved.set(found);
            is_there(exchange_once(ctx, key, tokens, dpop, tried).await)
        }
        Ok(_) => Err(failure.gone("its metadata names no other token endpoint")),
        // Nothing is known then: something in front of it answers, or nothing does.
        Err(other) if other.is_transient() || matches!(other.answer, Answer::Redirect { .. }) => Err(failure),
        Err(_) => Err(failure.gone("its metadata is not there any more either")),
    }
}

/// What the authorization server publishes.
async fn published(ctx: &Context, issuer: &str) -> Result<ServerMetadata, Failure> {
    if ctx.settings.spec.auth_server_metadata_url.is_some() {
        return Ok(ctx.discover(&[]).await?.server);
    }
    let needs = MetadataNeeds {
        metadata_issuer: ctx.settings.spec.metadata_issuer.as_deref(),
        ..MetadataNeeds::TOKENS
    };
    Ok(server_metadata(&*ctx.http, issuer, &ctx.issuer_named_by(issuer), needs).await?.0)
}

async fn exchange_once(
    ctx: &Context,
    key: &TokenKey,
    tokens: StoredTokens,
    dpop: Option<Arc<DpopKey>>,
    tried: &Tried,
) -> Result<StoredTokens, Failure> {
    let (issuer, vary) = (key.issuer(), &tried.vary);
    let discovered = match (tried.moved.get(), &tokens.token_endpoint) {
        (Some(found), _) => found.clone(),
        (None, Some(_)) => ServerMetadata::default(),
        // Tokens of an older version of this program do not say where they are refreshed.
        (None, None) => published(ctx, issuer).await?,
    };
    let token_endpoint = discovered.token_endpoint.as_ref().or(tokens.token_endpoint.as_ref());
    let dpop = match (dpop, &tokens.dpop_key) {
        (Some(key), Some(stored)) if key.stored() == *stored => Some(key),
        (_, Some(stored)) => Some(Arc::new(DpopKey::from_stored(stored, ctx.clock.clone())?)),
        (_, None) => None,
    };
    let client = ctx.identity_of(key, &tokens).await?;
    let named_by = ctx.endpoints_named_by(issuer)?;
    let grants = Grants {
        http: &*ctx.http,
        token_endpoint: token_endpoint.map(String::as_str).unwrap_or_default(),
        named_by: &named_by,
        issuer,
        client: &client,
        resource: tokens.resource_parameter.as_deref(),
        audience: None,
        dpop: dpop.as_deref(),
        clock: &ctx.clock,
    };
    let Some(refresh_token) = &tokens.refresh_token else {
        return Err(Failure::invalid(Step::Refresh, issuer, "there is no refresh token"));
    };
    // With the scopes that were granted, as servers are known that mean others without (RFC 6749 section 6), and with the
    // resource. Both are extras: a server that refuses the request for one of them has not spent the token, and the
    // second try that it gets anyway goes without.
    let mut resource = tokens.resource_parameter.clone();
    let answer = if vary.load(Ordering::Relaxed) {
        let (answer, without_resource) = modestly(&grants, refresh_token, &tokens.scopes).await;
        // What worked is kept with the tokens, and so for the next time.
        resource = resource.filter(|_| answer.is_err() || !without_resource);
        answer
    } else {
        let answer = grants.refresh(refresh_token, &tokens.scopes).await;
        vary.fetch_or(answer.as_ref().is_err_and(Failure::refuses_request), Ordering::Relaxed);
        answer
    };
    let answer = ctx.presented(answer?, Step::Refresh, issuer)?;
    let mut new = answer.into_stored(&tokens.client_id, issuer, &tokens.scopes, ctx.clock.now());
    new.token_endpoint = token_endpoint.cloned();
    new.revocation_endpoint = discovered.revocation_endpoint.or_else(|| tokens.revocation_endpoint.clone());
    new.resource_parameter = resource;
    new.dpop_key.clone_from(&tokens.dpop_key);
    Ok(new)
}

/// A refresh without the extras, one after the other; and whether the last one was without the resource.
async fn modestly(
    grants: &Grants<'_>,
    token: &Secret,
    scopes: &[String],
) -> (Result<TokenAnswer, Failure>, bool) {
    if !scopes.is_empty() {
        let answer = grants.refresh(token, &[]).await;
        if grants.resource.is_none() || !answer.as_ref().is_err_and(Failure::refuses_request) {
            return (answer, false);
        }
    }
    (Grants { resource: None, ..*grants }.refresh(token, scopes).await, true)
}
