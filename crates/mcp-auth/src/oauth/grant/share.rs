//! One sign-in for all servers of an issuer (`oauth.share: "issuer"`): where a server has none of its own, the refresh token of
//! another server's is asked for an access token of this one (RFC 8707 section 2.2).
//!
//! Security: no server gets a token that was made for another one, unless the authorization server ignores `resource`. Which
//! servers take part is for a person to say, in a file of their own.

use std::sync::Arc;
use std::time::Duration;

use super::super::context::Context;
use super::super::discover::discovery::Discovery;
use super::super::failure::Failure;
use super::super::store::{StoredTokens, TokenKey};
use super::super::urls::same_issuer;
use crate::{AuthError, Challenge, Secret, Target};

/// How often, and how long apart, the token that came in the place of a spent one is tried to be kept.
const SAVE_ATTEMPTS: u32 = 3;
const SAVE_PAUSE: Duration = Duration::from_millis(100);

/// Tokens for this server from a sign-in to another one of the same issuer and account; `None` where there is no such sign-in,
/// or its authorization server gives none for this server.
///
/// The work is done to its end in a task of its own, as a renewal is: what comes back may take the place of a token that is spent.
pub(crate) async fn adopt(
    ctx: &Arc<Context>,
    challenges: &[Challenge],
) -> Result<Option<(TokenKey, StoredTokens)>, AuthError> {
    let discovery = ctx.discover(challenges).await?;
    let under_way = ctx.settings.renewals.begin();
    let ctx = Arc::clone(ctx);
    let work = async move {
        let _under_way = under_way;
        let own = ctx.key(&discovery.issuer);
        for holder in ctx.store.list(None).await? {
            let serves = holder != own
                && holder.account() == own.account()
                && holder.route() == own.route()
                && same_issuer(holder.issuer(), &discovery.issuer);
            if !serves {
                continue;
            }
            match minted(&ctx, &discovery, &holder).await {
                Ok(Some(tokens)) => {
                    ctx.store.save(&own, &tokens).await?;
                    return Ok(Some((own, tokens)));
                }
                Ok(None) => {}
                Err(failure) => {
                    tracing::debug!(%failure, holder = holder.server_name(), "no token of this sign-in")
                }
            }
        }
        Ok(None)
    };
    tokio::spawn(work).await.unwrap_or(Ok(None))
}

/// An access token for this server, with the sign-in of `holder`. A refresh token that came with it stays with the holder.
async fn minted(
    ctx: &Context,
    discovery: &Discovery,
    holder: &TokenKey,
) -> Result<Option<StoredTokens>, Failure> {
    let _guard = ctx.store.lock(holder).await?;
    let Some(kept) = ctx.store.load(holder).await? else { return Ok(None) };
    // An entry that names its client is not served as another one.
    if ctx.settings.spec.client_id.as_ref().is_some_and(|own| *own != kept.client_id) {
        return Ok(None);
    }
    // Bound tokens are bound to what signs for the other server.
    let Some(refresh_token) = kept.refresh_token.clone().filter(|_| kept.dpop_key.is_none()) else {
        return Ok(None);
    };
    ctx.check_account(holder.issuer(), &kept)?;
    let of_holder = Context {
        target: Target { name: holder.server_name().to_owned(), ..ctx.target.clone() },
        ..ctx.clone()
    };
    let client = of_holder.identity_of(holder, &kept).await?;
    let resource = ctx.resource_parameter(discovery);
    let answer =
        ctx.grants(discovery, &client, resource.as_deref(), None)?.refresh(&refresh_token, &[]).await?;
    let answer = ctx.presented(answer, super::super::failure::Step::Refresh, &discovery.issuer)?;
    let mut tokens = answer.into_stored(&kept.client_id, &discovery.issuer, &kept.scopes, ctx.clock.now());
    if let Some(next) = tokens.refresh_token.take().filter(|next| *next != refresh_token) {
        keep(ctx, holder, kept.clone(), next).await;
    }
    tokens.identity = tokens.identity.or(kept.identity);
    tokens.token_endpoint.clone_from(&discovery.server.token_endpoint);
    tokens.resource_parameter = resource;
    ctx.check_account(&discovery.issuer, &tokens)?;
    Ok(Some(tokens))
}

/// Keeps the refresh token that takes the place of the spent one. The access token of the holder is as good as before.
async fn keep(ctx: &Context, holder: &TokenKey, kept: StoredTokens, next: Secret) {
    let kept = StoredTokens { refresh_token: Some(next), ..kept };
    for attempt in 1..=SAVE_ATTEMPTS {
        match ctx.store.save(holder, &kept).await {
            Ok(()) => return,
            Err(error) if attempt == SAVE_ATTEMPTS => {
                tracing::warn!(%error, server = holder.server_name(), "the renewed sign-in could not be kept");
            }
            Err(_) => tokio::time::sleep(SAVE_PAUSE).await,
        }
    }
}
