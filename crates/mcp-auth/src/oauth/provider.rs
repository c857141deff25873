//! The provider: stored tokens become credentials, and are renewed ahead of time, on a refusal, or not at all.
//!
//! It never opens a browser and never asks anyone: what only a person can mend is
//! [`Recovery::LoginRequired`]. Until there are tokens, or a refusal that a machine grant can answer, it
//! sends nothing to anyone.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};
use tracing::field::Empty;
use tracing::{Instrument as _, debug_span};

mod facts;

use super::clock::Clock;
use super::context::Context;
use super::discovery::{challenge_param, resource_metadata};
use super::dpop::{DpopKey, Verifier};
use super::freshness::{Freshness, freshness};
use super::machine::{asks_for_token, mint};
use super::offer;
use super::renewal::refresh;
use super::settings::OAuthSettings;
use super::store::{RefreshOutcome, StoredTokens, TokenKey, TokenStore};
use super::urls::same_issuer;
use crate::spans;
use crate::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, Capabilities, Challenge, Credentials, HttpExchange,
    ProviderSnapshot, Recovery, Rejection, Secret, Target,
};

/// The name of the provider, and of the supplier of its header.
const NAME: &str = "oauth";

/// How long after a failed renewal ahead of time the next one is tried.
const PAUSE: Duration = Duration::from_secs(30);

/// OAuth as an [`AuthProvider`]. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct OAuthProvider {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    ctx: Arc<Context>,
    state: Mutex<State>,
    /// Held across a renewal on purpose: however many requests were refused, one renewal answers them all.
    flight: tokio::sync::Mutex<()>,
    /// How many renewals have ended; tells those who waited that the one they waited for is over.
    landed: AtomicU64,
    renewing_ahead: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    /// The end of the last renewal, if it failed: shared by all who waited for it.
    failure: Option<(AuthErrorKind, String)>,
    /// The refresh token whose use ended in an answer that cannot be read, and that answer: it may be spent, and a second
    /// use of a spent one ends the sign-in everywhere (RFC 9700 section 4.14.2).
    unreadable: Option<(Secret, AuthErrorKind, String)>,
    /// Not ahead of time again before this.
    not_ahead_before: Option<SystemTime>,
    /// Those of the last refusal.
    challenges: Vec<Challenge>,
    /// What the server publishes about signing in, where it was looked for because the refusal says nothing of it.
    published: Option<bool>,
    fetches: u64,
}

impl State {
    /// The server says, or publishes, where to sign in.
    fn offers_sign_in(&self) -> bool {
        challenge_param(&self.challenges, "resource_metadata").is_some() || self.published == Some(true)
    }
}

/// Tokens in use.
#[derive(Clone, Debug)]
struct Held {
    key: TokenKey,
    tokens: StoredTokens,
    credentials: Credentials,
    dpop: Option<Arc<DpopKey>>,
    /// They could not be kept; tried again with every use.
    unsaved: bool,
}

impl OAuthProvider {
    /// The provider of one server. Nothing is read or sent until credentials are asked for.
    pub fn new(
        target: Target,
        settings: OAuthSettings,
        http: Arc<dyn HttpExchange>,
        store: Arc<dyn TokenStore>,
    ) -> Self {
        Self::from_context(Context { target, settings, http, store, clock: Clock::system() })
    }

    /// The same after one look into the store, so that [`snapshot`](AuthProvider::snapshot) knows from the
    /// start whether someone has signed in. A store that cannot be read is reported when credentials are asked for.
    pub async fn open(
        target: Target,
        settings: OAuthSettings,
        http: Arc<dyn HttpExchange>,
        store: Arc<dyn TokenStore>,
    ) -> Self {
        let provider = Self::new(target, settings, http, store);
        if let Err(error) = provider.inner.held_or_stored().await {
            tracing::debug!(%error, "the stored sign-in could not be read");
        }
        provider
    }

    pub(crate) fn from_context(ctx: Context) -> Self {
        Self {
            inner: Arc::new(Inner {
                ctx: Arc::new(ctx),
                state: Mutex::default(),
                flight: tokio::sync::Mutex::default(),
                landed: AtomicU64::new(0),
                renewing_ahead: AtomicBool::new(false),
            }),
        }
    }

    async fn load(&self) -> Result<Credentials, AuthError> {
        let inner = &self.inner;
        let Some(held) = inner.held_or_stored().await? else { return Ok(Credentials::none()) };
        if held.unsaved {
            inner.save(&held).await;
        }
        let now = inner.ctx.clock.now();
        match freshness(&held.tokens, now) {
            Freshness::Expired if inner.can_renew(&held.tokens) => {
                match self.renew(&held, &[], Why::Needed).await {
                    // The server's word counts more than the local clock: it may still take them.
                    Err(error) if error.kind() == AuthErrorKind::Unavailable => Ok(held.credentials),
                    renewed => renewed,
                }
            }
            Freshness::Ending if inner.can_renew(&held.tokens) => {
                self.renew_ahead(&held, now);
                Ok(held.credentials)
            }
            _ => Ok(held.credentials),
        }
    }

    /// Renews in the background while the old tokens still serve.
    fn renew_ahead(&self, held: &Held, now: SystemTime) {
        let inner = &self.inner;
        if inner.state().not_ahead_before.is_some_and(|then| now < then)
            || inner.renewing_ahead.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let (provider, held) = (self.clone(), held.clone());
        let under_way = inner.ctx.settings.renewals.begin();
        tokio::spawn(async move {
            let _under_way = under_way;
            if let Err(error) = provider.renew(&held, &[], Why::Ahead).await {
                tracing::debug!(%error, "renewing the tokens ahead of time failed; the old ones serve on");
                provider.inner.state().not_ahead_before = provider.inner.ctx.clock.now().checked_add(PAUSE);
            }
            provider.inner.renewing_ahead.store(false, Ordering::Release);
        });
    }

    /// New credentials instead of `used`, once for all who ask at the same time. A caller may stop waiting: what is
    /// sent by then is finished and kept by [`refresh`], and found in the store by the next.
    async fn renew(&self, used: &Held, challenges: &[Challenge], why: Why) -> Result<Credentials, AuthError> {
        let inner = &self.inner;
        let seen = inner.landed.load(Ordering::Acquire);
        let _turn = inner.flight.lock().await;
        match inner.held() {
            Some(held) if !held.tokens.same_tokens(&used.tokens) => return Ok(held.credentials),
            _ => inner.shared_failure(seen)?,
        }
        let renewal = async {
            if inner.ctx.settings.grant.needs_person() {
                inner.refresh(used.clone()).await
            } else {
                inner.mint(challenges).await
            }
        };
        inner.land(inner.in_sight(renewal).await, why)
    }

    async fn recover(&self, rejection: Rejection<'_>) -> Result<Recovery, AuthError> {
        let inner = &self.inner;
        inner.state().challenges = rejection.challenges.to_vec();
        let needs_person = inner.ctx.settings.grant.needs_person();
        let helpless = if needs_person { Recovery::LoginRequired } else { Recovery::Exhausted };
        let Some(held) = inner.held_or_stored().await? else {
            if !needs_person && asks_for_token(&rejection) {
                return self.mint_first(rejection.challenges).await.map(Recovery::Retry);
            }
            inner.look_for_an_offer(&rejection).await;
            return Ok(helpless);
        };
        if held.credentials.header(&AUTHORIZATION) != rejection.used.header(&AUTHORIZATION) {
            return Ok(Recovery::Retry(held.credentials));
        }
        if let Some(credentials) = inner.with_new_nonce(&held, &rejection) {
            return Ok(Recovery::Retry(credentials));
        }
        if let Some(stored) = inner.look_again(&held).await? {
            return Ok(Recovery::Retry(stored.credentials));
        }
        let widen = challenge_param(rejection.challenges, "error") == Some("insufficient_scope");
        let refused = rejection.status == StatusCode::UNAUTHORIZED;
        if !needs_person {
            let pinned = inner.ctx.settings.spec.scopes.is_some();
            let worth_it = rejection.recoveries == 0 && (refused || (widen && !pinned));
            return if worth_it {
                self.renew(&held, rejection.challenges, Why::Needed).await.map(Recovery::Retry)
            } else {
                Ok(helpless)
            };
        }
        // A nonce may have been the first recovery of this request; a refresh is then still due.
        let chance = rejection.recoveries == 0 || (rejection.recoveries == 1 && held.dpop.is_some());
        if !refused || widen || !chance {
            return Ok(helpless);
        }
        if held.tokens.refresh_token.is_none() || inner.has_moved(&held, rejection.challenges).await {
            return Ok(helpless);
        }
        self.renew(&held, rejection.challenges, Why::Needed).await.map(Recovery::Retry)
    }

    /// The first tokens of a machine grant; the same single flight as a renewal.
    async fn mint_first(&self, challenges: &[Challenge]) -> Result<Credentials, AuthError> {
        let inner = &self.inner;
        let seen = inner.landed.load(Ordering::Acquire);
        let _turn = inner.flight.lock().await;
        if let Some(held) = inner.held() {
            return Ok(held.credentials);
        }
        inner.shared_failure(seen)?;
        let minted = inner.in_sight(inner.mint(challenges)).await;
        inner.land(minted, Why::Needed)
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> Option<Held> {
        self.state().held.clone()
    }

    /// What is in use, else what the store has: another process may have signed in.
    async fn held_or_stored(&self) -> Result<Option<Held>, AuthError> {
        if let Some(held) = self.held() {
            return Ok(Some(held));
        }
        let target = &self.ctx.target;
        let Some((key, tokens)) = self.ctx.store.find(&target.name, &target.url).await? else {
            return Ok(None);
        };
        let spec = &self.ctx.settings.spec;
        // Machine tokens of other settings are not ours to use.
        if !self.ctx.settings.grant.needs_person()
            && spec.client_id.as_deref().is_some_and(|id| id != tokens.client_id)
        {
            return Ok(None);
        }
        self.hold(key, tokens, false).map(Some)
    }

    /// Whether someone else has signed in or refreshed since: then theirs are used from now on.
    async fn look_again(&self, held: &Held) -> Result<Option<Held>, AuthError> {
        let target = &self.ctx.target;
        match self.ctx.store.find(&target.name, &target.url).await? {
            Some((key, tokens)) if tokens.access_token != held.tokens.access_token && !held.unsaved => {
                self.hold(key, tokens, false).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Takes tokens into use.
    fn hold(&self, key: TokenKey, tokens: StoredTokens, unsaved: bool) -> Result<Held, AuthError> {
        let mut state = self.state();
        let known = state.held.as_ref().filter(|held| held.tokens.dpop_key == tokens.dpop_key);
        let dpop = match (known.and_then(|held| held.dpop.clone()), &tokens.dpop_key) {
            // The same key goes on, with the nonces it has learned.
            (Some(key), _) => Some(key),
            (None, Some(stored)) => Some(Arc::new(DpopKey::from_stored(stored, self.ctx.clock.clone())?)),
            (None, None) => None,
        };
        let credentials = credentials(&tokens, dpop.as_ref())?;
        let held = Held { key, tokens, credentials, dpop, unsaved };
        state.held = Some(held.clone());
        Ok(held)
    }

    async fn save(&self, held: &Held) {
        if self.ctx.store.save(&held.key, &held.tokens).await.is_ok()
            && let Some(current) = &mut self.state().held
            && current.tokens.same_tokens(&held.tokens)
        {
            current.unsaved = false;
        }
    }

    /// Finds out, once, whether a server that refuses without saying where to sign in publishes it.
    async fn look_for_an_offer(&self, rejection: &Rejection<'_>) {
        let needs_person = self.ctx.settings.grant.needs_person();
        if needs_person && offer::is_silent(rejection) && self.state().published.is_none() {
            self.state().published = Some(offer::is_published(&*self.ctx.http, &self.ctx.target.url).await);
        }
    }

    fn can_renew(&self, tokens: &StoredTokens) -> bool {
        tokens.refresh_token.is_some() || !self.ctx.settings.grant.needs_person()
    }

    /// The failure of a renewal that ended while the caller was waiting for its turn.
    fn shared_failure(&self, seen: u64) -> Result<(), AuthError> {
        let state = self.state();
        match &state.failure {
            Some((kind, message)) if self.landed.load(Ordering::Acquire) != seen => {
                Err(AuthError::new(*kind, message.as_str()))
            }
            _ => Ok(()),
        }
    }

    /// Records the end of a renewal.
    fn land(&self, outcome: Result<Held, AuthError>, why: Why) -> Result<Credentials, AuthError> {
        let mut state = self.state();
        state.failure = outcome.as_ref().err().map(|error| (error.kind(), error.to_string()));
        state.fetches += u64::from(outcome.is_ok());
        // A sign-in that has ended is not held on to, except for what is left of an access token that still works.
        if why == Why::Needed
            && outcome.as_ref().is_err_and(|error| error.kind() == AuthErrorKind::SignInExpired)
        {
            state.held = None;
        }
        drop(state);
        self.landed.fetch_add(1, Ordering::AcqRel);
        outcome.map(|held| held.credentials)
    }

    /// Runs the exchange with the authorization server in a span, which holds no more than whose tokens they are.
    async fn in_sight(
        &self,
        exchange: impl Future<Output = Result<Held, AuthError>>,
    ) -> Result<Held, AuthError> {
        let span = debug_span!(
            "mcplink.token_refresh",
            "otel.name" = "token refresh",
            "otel.kind" = "internal",
            "otel.status_code" = Empty,
            "mcplink.server.name" = self.ctx.target.name,
            "error.type" = Empty,
        );
        let renewed = exchange.instrument(span.clone()).await;
        spans::ended(&span, &renewed);
        renewed
    }

    async fn refresh(&self, used: Held) -> Result<Held, AuthError> {
        let key = used.key.clone();
        let spent = used.tokens.refresh_token.clone();
        if let Some((token, kind, message)) = &self.state().unreadable
            && spent.as_ref() == Some(token)
        {
            return Err(AuthError::new(*kind, message.as_str()));
        }
        match refresh(&self.ctx, used.key, used.tokens, used.dpop).await {
            RefreshOutcome::Refreshed(tokens) | RefreshOutcome::AlreadyRefreshed(tokens) => {
                self.hold(key, tokens, false)
            }
            RefreshOutcome::Unsaved(tokens, error) => {
                tracing::warn!(%error, "the new tokens work but could not be kept; trying again with the next request");
                self.hold(key, tokens, true)
            }
            RefreshOutcome::Unreadable(error) => {
                self.state().unreadable = spent.map(|token| (token, error.kind(), error.to_string()));
                Err(error)
            }
            RefreshOutcome::Rejected(error) | RefreshOutcome::Unavailable(error) => Err(error),
        }
    }

    async fn mint(&self, challenges: &[Challenge]) -> Result<Held, AuthError> {
        let (key, tokens) = mint(&self.ctx, challenges).await?;
        // Kept only to spare the next process a few requests: they work without it.
        let saved = self.ctx.store.save(&key, &tokens).await;
        if let Err(error) = &saved {
            tracing::debug!(%error, "a token that was minted could not be kept");
        }
        self.hold(key, tokens, false)
    }

    /// Credentials with the nonce that the server has just handed out (RFC 9449 section 9).
    fn with_new_nonce(&self, held: &Held, rejection: &Rejection<'_>) -> Option<Credentials> {
        let key = held.dpop.as_ref()?;
        let news = key.learn_nonce(Verifier::ResourceServer, &self.ctx.target.url, rejection.headers);
        let wanted = challenge_param(rejection.challenges, "error") == Some("use_dpop_nonce");
        // The nonce may have been learned for a request that was refused at the same time.
        if !wanted || (!news && rejection.recoveries > 0) {
            return None;
        }
        let credentials = credentials(&held.tokens, Some(key)).ok()?;
        if let Some(current) = &mut self.state().held
            && current.tokens.same_tokens(&held.tokens)
        {
            current.credentials = credentials.clone();
        }
        Some(credentials)
    }

    /// Whether the server now names other authorization servers than the one the tokens are from: they are then
    /// of no use, and refreshing them neither (MCP authorization, "Authorization Server Binding").
    async fn has_moved(&self, held: &Held, challenges: &[Challenge]) -> bool {
        let spec = &self.ctx.settings.spec;
        if spec.auth_server_metadata_url.is_some()
            || challenge_param(challenges, "resource_metadata").is_none()
        {
            return false;
        }
        match resource_metadata(&*self.ctx.http, &self.ctx.target.url, challenges).await {
            Ok(Some((metadata, _))) => metadata.authorization_servers.is_some_and(|issuers| {
                !issuers.is_empty() && !issuers.iter().any(|issuer| same_issuer(issuer, held.key.issuer()))
            }),
            // Nothing is known then, and a refresh shows it soon enough.
            Ok(None) | Err(_) => false,
        }
    }
}

/// Why tokens are renewed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Why {
    /// They still work, but not for long.
    Ahead,
    /// They were refused, or have expired by the local clock.
    Needed,
}

fn credentials(tokens: &StoredTokens, dpop: Option<&Arc<DpopKey>>) -> Result<Credentials, AuthError> {
    let scheme = if dpop.is_some() { "DPoP" } else { "Bearer" };
    let value =
        HeaderValue::try_from(format!("{scheme} {}", tokens.access_token.expose())).map_err(|_| {
            AuthError::new(AuthErrorKind::Protocol, "use the access token: it is no header value")
        })?;
    let credentials = Credentials::new(NAME, [(AUTHORIZATION, value)]).with_expiry(tokens.expires_at);
    Ok(match dpop {
        Some(key) => key.sign_with(credentials, &tokens.access_token),
        None => credentials,
    })
}

impl AuthProvider for OAuthProvider {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, self.inner.ctx.settings.grant.needs_person())
    }

    fn credentials(&self) -> AuthFuture<'_, Credentials> {
        Box::pin(self.load())
    }

    fn on_rejected<'a>(&'a self, rejection: Rejection<'a>) -> AuthFuture<'a, Recovery> {
        Box::pin(self.recover(rejection))
    }

    fn snapshot(&self) -> ProviderSnapshot {
        let state = self.inner.state();
        let needs_person = self.inner.ctx.settings.grant.needs_person();
        ProviderSnapshot {
            expires_at: state.held.as_ref().and_then(|held| held.tokens.expires_at),
            fetches: state.fetches,
            signed_in: needs_person && state.held.is_some(),
            login_offered: needs_person && state.offers_sign_in(),
            ..ProviderSnapshot::default()
        }
    }
}

#[cfg(test)]
mod tests;
