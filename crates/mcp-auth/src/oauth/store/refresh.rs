//! The one way to spend a refresh token.
//!
//! Authorization servers rotate refresh tokens and take a second use of one for theft (RFC 9700 section
//! 4.14.2): the whole sign-in is then revoked. So a refresh token is spent by one caller at a time, across
//! processes, and what came back is kept before anyone uses it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::super::identity::Identity;
use super::{StoreGuard, StoredTokens, TokenKey, TokenStore};
use crate::{AuthError, AuthErrorKind};

/// How often, and how long apart, tokens that cannot be kept are tried again: a full disk may have room a moment later.
const SAVE_ATTEMPTS: u32 = 3;
const SAVE_PAUSE: Duration = Duration::from_millis(100);

/// What became of a refresh.
#[derive(Debug)]
#[non_exhaustive]
pub enum RefreshOutcome {
    /// New tokens, already kept.
    Refreshed(StoredTokens),
    /// Someone else had refreshed (or signed in again) meanwhile: these are the tokens to use, and nothing was sent.
    AlreadyRefreshed(StoredTokens),
    /// New tokens that work but could not be kept. Use them, warn, and save them as soon as possible: the
    /// refresh token that is still kept has been spent.
    Unsaved(StoredTokens, AuthError),
    /// Only a person can help. The tokens were removed if the authorization server said `invalid_grant`.
    Rejected(AuthError),
    /// A success without tokens in it: the refresh token may have been spent. Nothing was changed, and it is not for a
    /// program to send that token again.
    Unreadable(AuthError),
    /// Nothing is known about the tokens, and nothing was changed: try again later.
    Unavailable(AuthError),
}

/// Why the authorization server gave no new tokens.
#[derive(Debug)]
#[non_exhaustive]
pub enum RefreshError {
    /// `invalid_grant` (RFC 6749 section 5.2): the refresh token is dead.
    InvalidGrant(AuthError),
    /// Another refusal that might mean a dead token, such as the `invalid_request` that some servers send
    /// for one. Believed when it repeats.
    Refused(AuthError),
    /// No answer, or one that says nothing about the token (5xx, 429, a firewall's page).
    Unavailable(AuthError),
    /// A success without tokens in it. The refresh token may have been spent, so it is not sent again by itself.
    Unreadable(AuthError),
    /// There is no place any more where the refresh token could be spent. Believed at once: it was looked for.
    Gone(AuthError),
}

/// What a refresh needs to know besides the tokens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RefreshRequest {
    /// Whose tokens.
    pub key: TokenKey,
    /// The tokens that the caller has been using, and that are refused or about to expire.
    pub used: StoredTokens,
    /// The time that expiries are compared with.
    pub now: SystemTime,
}

impl RefreshRequest {
    /// A refresh of the tokens `used` of `key`.
    #[must_use]
    pub const fn new(key: TokenKey, used: StoredTokens, now: SystemTime) -> Self {
        Self { key, used, now }
    }
}

/// Refreshes the tokens of `request`, unless someone else has done so already.
///
/// `exchange` sends the refresh token of the tokens that it is given to the token endpoint. It is called at most twice,
/// the second time only after [`RefreshError::Refused`], and returns the tokens as the server wrote
/// them: a refresh token, key or scope that the server left out is carried over here (RFC 6749 section 6).
///
/// The work is done in a task of its own, to its end: a caller that stops waiting must not lose
/// tokens that the server has already rotated. Callers queue up behind the lock of `store`; all but the first
/// find that the work is done.
pub async fn refresh_once<X, F>(
    store: Arc<dyn TokenStore>,
    request: RefreshRequest,
    exchange: X,
) -> RefreshOutcome
where
    X: FnMut(StoredTokens) -> F + Send + 'static,
    F: Future<Output = Result<StoredTokens, RefreshError>> + Send + 'static,
{
    match tokio::spawn(refresh_locked(store, request, exchange)).await {
        Ok(outcome) => outcome,
        Err(died) => RefreshOutcome::Unavailable(
            AuthError::new(AuthErrorKind::Unavailable, "finish the refresh").with_source(died),
        ),
    }
}

async fn refresh_locked<X, F>(
    store: Arc<dyn TokenStore>,
    request: RefreshRequest,
    exchange: X,
) -> RefreshOutcome
where
    X: FnMut(StoredTokens) -> F,
    F: Future<Output = Result<StoredTokens, RefreshError>>,
{
    // A machine that comes late finds the work done, and needs no turn for that: of a hundred machines, one asks for a lease.
    match store.load(&request.key).await {
        // With the same access token it was another server's that was asked for: this one is as it was.
        Ok(Some(kept)) if kept.access_token != request.used.access_token && is_news(&kept, &request) => {
            return RefreshOutcome::AlreadyRefreshed(kept);
        }
        Ok(_) => {}
        Err(error) => return RefreshOutcome::Unavailable(error),
    }
    let guard = match store.lock(&request.key).await {
        Ok(guard) => guard,
        // The holder was busy for the whole of our patience; what it has kept since is as good as a lock.
        Err(busy) => {
            return reread(&*store, &request).await.unwrap_or(RefreshOutcome::Unavailable(busy));
        }
    };
    let outcome = refresh_held(&*store, &*guard, request, exchange).await;
    guard.release().await;
    outcome
}

async fn refresh_held<X, F>(
    store: &dyn TokenStore,
    guard: &dyn StoreGuard,
    request: RefreshRequest,
    mut exchange: X,
) -> RefreshOutcome
where
    X: FnMut(StoredTokens) -> F,
    F: Future<Output = Result<StoredTokens, RefreshError>>,
{
    let RefreshRequest { key, used, now } = request;
    let current = match store.load(&key).await {
        Ok(Some(kept)) if is_older(&kept, &used) => used,
        Ok(Some(kept)) if kept.same_tokens(&used) => kept,
        // Another token of the same sign-in was asked for meanwhile, for another server: this one is as it was.
        Ok(Some(kept)) if kept.generation == used.generation && kept.access_token == used.access_token => {
            kept
        }
        Ok(Some(kept)) if is_usable(&kept, now) => return RefreshOutcome::AlreadyRefreshed(kept),
        Ok(Some(kept)) => kept,
        Ok(None) => return RefreshOutcome::Rejected(signed_out()),
        Err(error) => return RefreshOutcome::Unavailable(error),
    };
    if current.refresh_token.is_none() {
        let message = "renew the sign-in: the server gave no refresh token";
        return RefreshOutcome::Rejected(AuthError::new(AuthErrorKind::SignInExpired, message));
    }

    if !guard.is_held() {
        return RefreshOutcome::Unavailable(no_longer_held());
    }
    let mut answer = exchange(current.clone()).await;
    if matches!(answer, Err(RefreshError::Refused(_))) && guard.is_held() {
        answer = exchange(current.clone()).await;
    }
    match answer {
        Ok(new) => keep(store, &key, carry_over(&current, new)).await,
        Err(RefreshError::Unavailable(error)) => RefreshOutcome::Unavailable(error),
        // A person who has to sign in again anyway loses nothing by our keeping the tokens, and
        // once the server is repaired they work again.
        Err(RefreshError::Refused(error) | RefreshError::Gone(error)) => RefreshOutcome::Rejected(error),
        Err(RefreshError::Unreadable(error)) => RefreshOutcome::Unreadable(error),
        Err(RefreshError::InvalidGrant(error)) => rejected(store, &key, &current, now, error).await,
    }
}

/// The refresh token is dead. Where locks do not work (some network file systems), another process may have spent
/// it a moment ago and kept its successor: then that is the answer, and must not be removed.
async fn rejected(
    store: &dyn TokenStore,
    key: &TokenKey,
    spent: &StoredTokens,
    now: SystemTime,
    error: AuthError,
) -> RefreshOutcome {
    let request = RefreshRequest::new(key.clone(), spent.clone(), now);
    if let Some(outcome) = reread(store, &request).await {
        return outcome;
    }
    if let Err(error) = store.remove(key).await {
        tracing::warn!(server = key.server_name(), %error, "tokens that were rejected could not be removed");
    }
    RefreshOutcome::Rejected(error)
}

/// Looks once more whether someone else has kept usable tokens that are newer than `used`.
async fn reread(store: &dyn TokenStore, request: &RefreshRequest) -> Option<RefreshOutcome> {
    let kept = store.load(&request.key).await.ok().flatten()?;
    is_news(&kept, request).then_some(RefreshOutcome::AlreadyRefreshed(kept))
}

fn is_news(kept: &StoredTokens, RefreshRequest { used, now, .. }: &RefreshRequest) -> bool {
    !is_older(kept, used) && !kept.same_tokens(used) && is_usable(kept, *now)
}

/// Whether `kept` is what `used` was made from, as it is after [`RefreshOutcome::Unsaved`].
///
/// A lower generation alone does not prove it (a new sign-in counts from 0), nor does an earlier time
/// (clocks are set back), so it takes both.
fn is_older(kept: &StoredTokens, used: &StoredTokens) -> bool {
    kept.generation < used.generation && kept.obtained_at < used.obtained_at
}

fn is_usable(tokens: &StoredTokens, now: SystemTime) -> bool {
    tokens.expires_at.is_none_or(|end| now < end)
}

/// What a token response leaves out stays as it was.
fn carry_over(old: &StoredTokens, mut new: StoredTokens) -> StoredTokens {
    new.refresh_token = new.refresh_token.or_else(|| old.refresh_token.clone());
    new.dpop_key = new.dpop_key.or_else(|| old.dpop_key.clone());
    new.token_endpoint = new.token_endpoint.or_else(|| old.token_endpoint.clone());
    new.revocation_endpoint = new.revocation_endpoint.or_else(|| old.revocation_endpoint.clone());
    if new.scopes.is_empty() {
        new.scopes.clone_from(&old.scopes);
    }
    new.identity = Identity::renewed(old.identity.as_ref(), new.identity);
    new.unknown.clone_from(&old.unknown);
    new.generation = old.generation + 1;
    new
}

async fn keep(store: &dyn TokenStore, key: &TokenKey, new: StoredTokens) -> RefreshOutcome {
    let mut attempt = 1;
    loop {
        match store.save(key, &new).await {
            Ok(()) => return RefreshOutcome::Refreshed(new),
            Err(error) if attempt == SAVE_ATTEMPTS => return RefreshOutcome::Unsaved(new, error),
            Err(_) => tokio::time::sleep(SAVE_PAUSE).await,
        }
        attempt += 1;
    }
}

/// Someone else may be spending the refresh token by now.
fn no_longer_held() -> AuthError {
    let message = "renew the sign-in: the lease of it ended before the request was sent";
    AuthError::new(AuthErrorKind::StoreUnavailable, message)
}

fn signed_out() -> AuthError {
    AuthError::new(AuthErrorKind::SignInExpired, "renew the sign-in: it has been removed meanwhile")
}

#[cfg(test)]
mod tests;
