//! Tokens as a [`CredentialSource`]: found in the store, refreshed, or minted by a machine grant.
//!
//! Longer than 500 lines because each way to tokens changes the one state that it holds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use tracing::field::Empty;
use tracing::{Instrument as _, debug_span};

use super::super::context::Context;
use super::super::discover::discovery::{challenge_param, resource_metadata};
use super::super::discover::{offer, outlook};
use super::super::dpop::{DpopKey, Verifier};
use super::super::grant::machine::{asks_for_token, mint};
use super::super::grant::renewal::refresh;
use super::super::grant::share::adopt;
use super::super::store::{RefreshOutcome, StoredTokens, TokenKey};
use super::super::urls::{redacted, same_issuer};
use super::active::ActiveTokens;
use crate::pause::Pause;
use crate::provider::{Acceptance, ProviderSnapshot};
use crate::{
    AuthError, AuthErrorKind, AuthFuture, Capabilities, Challenge, CredentialSource, Credentials,
    FetchReason, LoginHindrance, Recovery, Rejection, Secret, spans,
};

/// How long it is not looked for a sign-in before each request to a server that just took one without.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// See the module. What it keeps is what it renews with.
#[derive(Debug)]
pub(super) struct OAuthSource {
    ctx: Arc<Context>,
    state: Mutex<State>,
    /// Held while it is looked whether a sign-in could begin: who is refused meanwhile is told what comes of it.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    in_use: Option<ActiveTokens>,
    /// The refresh token whose use ended in an answer that cannot be read, and that answer: it may be spent, and a second
    /// use of a spent one ends the sign-in everywhere (RFC 9700 section 4.14.2).
    unreadable: Option<(Secret, AuthError)>,
    /// The authorization server is unavailable.
    pause: Pause,
    /// Those of the last refusal.
    challenges: Vec<Challenge>,
    /// What stands in the way of a sign-in, if anything, and when that was last looked at.
    outlook: Option<(Option<LoginHindrance>, SystemTime)>,
    /// What the server publishes about signing in, where it was looked for because the refusal says nothing of it.
    published: Option<bool>,
    renewals: u64,
    /// The server has just taken a request without tokens, and refused none since.
    serves_anyone: bool,
    /// The store was read, and has no tokens.
    has_none_stored: bool,
    /// Why the store could not be read when it was last looked at.
    unread: Option<String>,
    /// Where new tokens are being asked for.
    asks: Option<String>,
}

impl State {
    /// The server says, or publishes, where to sign in.
    fn offers_sign_in(&self) -> bool {
        challenge_param(&self.challenges, "resource_metadata").is_some() || self.published == Some(true)
    }
}

impl OAuthSource {
    pub(super) fn new(ctx: Context) -> Self {
        Self { ctx: Arc::new(ctx), state: Mutex::default(), looking: tokio::sync::Mutex::default() }
    }

    async fn supply(&self, why: FetchReason<'_>) -> Result<Credentials, AuthError> {
        let Some(mut in_use) = self.in_use_or_stored().await? else {
            return match why {
                FetchReason::Rejected(rejection) if !self.needs_person() && asks_for_token(&rejection) => {
                    self.renewed(self.mint(rejection.challenges)).await
                }
                FetchReason::First | FetchReason::Expired if self.asks_ahead() => {
                    self.renewed(self.mint(&[])).await
                }
                _ => Ok(self.nothing_yet()),
            };
        };
        if in_use.unsaved {
            in_use.unsaved = !self.save(&in_use).await;
        }
        let now = self.ctx.clock.now();
        let due = in_use.tokens.renew_at(self.ctx.settings.share).is_some_and(|at| at <= now);
        match why {
            FetchReason::Rejected(rejection) if in_use.is_of(rejection.used) => {
                self.renew(in_use, rejection.challenges, true).await
            }
            _ if !self.can_renew(&in_use.tokens) => self.credentials(&in_use),
            _ if in_use.has_expired(now) => match self.renew(in_use.clone(), &[], true).await {
                // The server's word counts more than the local clock: it may still take them.
                Err(error)
                    if matches!(
                        error.kind(),
                        AuthErrorKind::Unavailable | AuthErrorKind::Tls | AuthErrorKind::StoreUnavailable
                    ) =>
                {
                    self.credentials(&in_use)
                }
                renewed => renewed,
            },
            FetchReason::Expired if due => self.renew(in_use, &[], false).await,
            _ => self.credentials(&in_use),
        }
    }

    /// There is nothing to send, and with the next request it is looked again: someone may have signed in. A server that
    /// serves anyone is no reason to look at files with each of many requests; one that refuses is.
    fn nothing_yet(&self) -> Credentials {
        let until = match self.state().serves_anyone {
            true => self.ctx.clock.now() + LOOK_AGAIN,
            false => UNIX_EPOCH,
        };
        Credentials::none().with_expiry(Some(until)).with_refresh_at(Some(until))
    }

    /// The credentials of these tokens, with the time to renew them where they can be.
    fn credentials(&self, in_use: &ActiveTokens) -> Result<Credentials, AuthError> {
        let credentials = in_use.credentials(self.ctx.settings.name)?;
        Ok(match self.can_renew(&in_use.tokens) {
            true if in_use.unsaved => credentials.with_refresh_at(Some(self.ctx.clock.now())),
            true => credentials.with_refresh_at(in_use.tokens.renew_at(self.ctx.settings.share)),
            false => credentials,
        })
    }

    /// New tokens instead of `used`. A caller may stop waiting: what is sent by then is finished and kept by [`refresh`],
    /// and found in the store by the next.
    async fn renew(
        &self,
        used: ActiveTokens,
        challenges: &[Challenge],
        needed: bool,
    ) -> Result<Credentials, AuthError> {
        self.state().asks = used.tokens.token_endpoint.as_deref().map(redacted);
        let renewed = if self.needs_person() {
            self.renewed(self.refresh(used)).await
        } else {
            self.renewed(self.mint(challenges)).await
        };
        self.state().asks = None;
        // A sign-in that has ended is not held on to, except for what is left of an access token that still works.
        if needed && renewed.as_ref().is_err_and(|error| error.kind() == AuthErrorKind::SignInExpired) {
            self.state().in_use = None;
        }
        renewed
    }

    /// The credentials of a renewal, which runs in a span that holds no more than whose tokens they are.
    async fn renewed(
        &self,
        renewal: impl Future<Output = Result<ActiveTokens, AuthError>>,
    ) -> Result<Credentials, AuthError> {
        let span = debug_span!(
            "mcp.auth.token_refresh",
            "otel.name" = "token refresh",
            "otel.kind" = "internal",
            "otel.status_code" = Empty,
            "mcp.server.name" = self.ctx.target.name,
            "error.type" = Empty,
        );
        let renewed = renewal.instrument(span.clone()).await;
        spans::ended(&span, &renewed);
        let in_use = renewed?;
        self.state().renewals += 1;
        self.credentials(&in_use)
    }

    async fn verdict(&self, rejection: Rejection<'_>) -> Result<Option<Recovery>, AuthError> {
        let verdict = self.way_out(rejection).await;
        if self.ctx.settings.looks_ahead && matches!(verdict, Ok(Some(Recovery::LoginRequired))) {
            self.look_ahead(&rejection).await;
        }
        verdict
    }

    /// Finds out whether the sign-in that a person is about to be asked for could begin.
    async fn look_ahead(&self, rejection: &Rejection<'_>) {
        let _turn = self.looking.lock().await;
        let now = self.ctx.clock.now();
        let spec = &self.ctx.settings.spec;
        let is_named = spec.issuer.is_some() || spec.auth_server_metadata_url.is_some();
        {
            let state = self.state();
            let last = state.outlook.as_ref().and_then(|(_, at)| now.duration_since(*at).ok());
            if last.is_some_and(|since| since < LOOK_AGAIN) || !(is_named || state.offers_sign_in()) {
                return;
            }
        }
        let hindrance = outlook::look(&self.ctx, rejection.challenges).await;
        // From its end on: what took long is not waited for once more by the next request of the same attempt.
        self.state().outlook = Some((hindrance, self.ctx.clock.now()));
    }

    async fn way_out(&self, rejection: Rejection<'_>) -> Result<Option<Recovery>, AuthError> {
        {
            let mut state = self.state();
            state.challenges = rejection.challenges.to_vec();
            state.serves_anyone = false;
        }
        let needs_person = self.needs_person();
        let helpless = if needs_person { Recovery::LoginRequired } else { Recovery::Exhausted };
        let Some(in_use) = self.in_use_or_stored().await? else {
            if !needs_person && asks_for_token(&rejection) {
                return Ok(None);
            }
            if let Some(shared) = self.shared(&rejection).await {
                return self.credentials(&shared).map(|credentials| Some(Recovery::Retry(credentials)));
            }
            self.look_for_an_offer(&rejection).await;
            return Ok(Some(helpless));
        };
        if !in_use.is_of(rejection.used) {
            return Ok(None);
        }
        if let Some(credentials) = self.with_new_nonce(&in_use, &rejection) {
            return Ok(Some(Recovery::Retry(credentials)));
        }
        if let Some(stored) = self.look_again(&in_use).await? {
            return self.credentials(&stored).map(|credentials| Some(Recovery::Retry(credentials)));
        }
        let widen = challenge_param(rejection.challenges, "error") == Some("insufficient_scope");
        let refused = rejection.status == StatusCode::UNAUTHORIZED;
        if !needs_person {
            let pinned = self.ctx.settings.spec.scopes.is_some();
            let worth_it = rejection.recoveries == 0 && (refused || (widen && !pinned));
            return Ok((!worth_it).then_some(helpless));
        }
        // A nonce may have been the first recovery of this request; a refresh is then still due.
        let chance = rejection.recoveries == 0 || (rejection.recoveries == 1 && in_use.dpop.is_some());
        if !refused || widen || !chance {
            return Ok(Some(helpless));
        }
        if in_use.tokens.refresh_token.is_none()
            && let Some(shared) = self.shared(&rejection).await
        {
            return self.credentials(&shared).map(|credentials| Some(Recovery::Retry(credentials)));
        }
        let hopeless =
            in_use.tokens.refresh_token.is_none() || self.has_moved(&in_use, rejection.challenges).await;
        Ok(hopeless.then_some(helpless))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_use(&self) -> Option<ActiveTokens> {
        self.state().in_use.clone()
    }

    fn asks_ahead(&self) -> bool {
        self.ctx.settings.asks_ahead && !self.needs_person()
    }

    fn needs_person(&self) -> bool {
        self.ctx.settings.grant.needs_person()
    }

    /// The challenges of the server's last refusal.
    pub(super) fn challenges(&self) -> Vec<Challenge> {
        self.state().challenges.clone()
    }

    /// When the tokens in use were issued.
    pub(super) fn obtained_at(&self) -> Option<SystemTime> {
        self.state().in_use.as_ref().map(|in_use| in_use.tokens.obtained_at)
    }

    /// Whether the tokens in hand are in the store as well.
    pub(super) fn is_kept(&self) -> bool {
        self.state().in_use.as_ref().is_some_and(|in_use| !in_use.unsaved)
    }

    /// Whether a person would have to sign in: the store could be read, and has no tokens.
    pub(super) fn is_signed_out(&self) -> bool {
        self.needs_person() && self.state().has_none_stored
    }

    pub(super) fn snapshot(&self) -> ProviderSnapshot {
        let (state, needs_person) = (self.state(), self.needs_person());
        ProviderSnapshot {
            expires_at: state.in_use.as_ref().and_then(|in_use| in_use.tokens.expires_at),
            fetches: state.renewals,
            signed_in: needs_person && state.in_use.is_some(),
            sign_in_unknown: state.unread.clone().filter(|_| needs_person && state.in_use.is_none()),
            login_offered: needs_person && state.offers_sign_in(),
            login_hindrance: state.outlook.as_ref().and_then(|(hindrance, _)| hindrance.clone()),
            asks: state.asks.clone(),
            ..ProviderSnapshot::default()
        }
    }

    /// What is in use, else what the store has: another process may have signed in.
    pub(super) async fn in_use_or_stored(&self) -> Result<Option<ActiveTokens>, AuthError> {
        if let Some(in_use) = self.in_use() {
            return Ok(Some(in_use));
        }
        let found = self.ctx.store.find(&self.ctx.target).await;
        self.state().unread = found.as_ref().err().map(ToString::to_string);
        let Some((key, tokens)) = found? else {
            self.state().has_none_stored = true;
            return Ok(None);
        };
        let spec = &self.ctx.settings.spec;
        // Machine tokens of other settings are not ours to use.
        if !self.needs_person() && spec.client_id.as_deref().is_some_and(|id| id != tokens.client_id) {
            return Ok(None);
        }
        self.hold(key, tokens, false).map(Some)
    }

    /// Whether someone else has signed in or refreshed since: then theirs are used from now on.
    async fn look_again(&self, in_use: &ActiveTokens) -> Result<Option<ActiveTokens>, AuthError> {
        match self.ctx.store.find(&self.ctx.target).await? {
            Some((key, tokens)) if tokens.access_token != in_use.tokens.access_token && !in_use.unsaved => {
                self.hold(key, tokens, false).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Takes tokens into use.
    fn hold(&self, key: TokenKey, tokens: StoredTokens, unsaved: bool) -> Result<ActiveTokens, AuthError> {
        // Before anything is sent with them.
        self.ctx.check_account(key.issuer(), &tokens)?;
        let mut state = self.state();
        let known = state.in_use.as_ref().filter(|known| known.tokens.dpop_key == tokens.dpop_key);
        let dpop = match (known.and_then(|known| known.dpop.clone()), &tokens.dpop_key) {
            // The same key goes on, with the nonces it has learned.
            (Some(key), _) => Some(key),
            (None, Some(stored)) => Some(Arc::new(DpopKey::from_stored(stored, self.ctx.clock.clone())?)),
            (None, None) => None,
        };
        let in_use = ActiveTokens { key, tokens, dpop, unsaved };
        in_use.authorization()?;
        (state.in_use, state.outlook, state.has_none_stored) = (Some(in_use.clone()), None, false);
        state.pause.end();
        Ok(in_use)
    }

    /// Keeps what could not be kept before; tells whether it is now.
    async fn save(&self, in_use: &ActiveTokens) -> bool {
        let saved = self.ctx.store.save(&in_use.key, &in_use.tokens).await.is_ok();
        if saved
            && let Some(current) = &mut self.state().in_use
            && current.tokens.same_tokens(&in_use.tokens)
        {
            current.unsaved = false;
        }
        saved
    }

    /// Tokens by a sign-in to another server of the issuer, where the entry wants that. Why there are none is no reason of its
    /// own: what a person does is the same, which is to sign in.
    async fn shared(&self, rejection: &Rejection<'_>) -> Option<ActiveTokens> {
        let wanted = self.ctx.settings.spec.shares_issuer
            && self.needs_person()
            && rejection.status == StatusCode::UNAUTHORIZED
            && rejection.recoveries == 0;
        if !wanted || self.paused().is_some() {
            return None;
        }
        let adopted = adopt(&self.ctx, rejection.challenges)
            .await
            .and_then(|adopted| adopted.map(|(key, tokens)| self.hold(key, tokens, false)).transpose());
        adopted.unwrap_or_else(|error| {
            self.state().pause.begin(&error, self.moment());
            tracing::debug!(%error, "no sign-in of the issuer can be shared");
            None
        })
    }

    /// Finds out, once, whether a server that refuses without saying where to sign in publishes it.
    async fn look_for_an_offer(&self, rejection: &Rejection<'_>) {
        let needs_person = self.needs_person();
        if needs_person && offer::is_silent(rejection) && self.state().published.is_none() {
            self.state().published = Some(offer::is_published(&*self.ctx.http, &self.ctx.target.url).await);
        }
    }

    fn can_renew(&self, tokens: &StoredTokens) -> bool {
        tokens.refresh_token.is_some() || !self.needs_person()
    }

    /// Why the authorization server is not asked now, where it was unavailable a moment ago.
    fn paused(&self) -> Option<AuthError> {
        let now = self.moment();
        self.state().pause.failure(now)
    }

    fn moment(&self) -> Duration {
        self.ctx.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    async fn refresh(&self, used: ActiveTokens) -> Result<ActiveTokens, AuthError> {
        if let Some(error) = self.paused() {
            // Another process may have been luckier.
            return self.look_again(&used).await?.ok_or(error);
        }
        let key = used.key.clone();
        let spent = used.tokens.refresh_token.clone();
        if let Some((token, error)) = &self.state().unreadable
            && spent.as_ref() == Some(token)
        {
            return Err(error.clone());
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
                self.state().unreadable = spent.map(|token| (token, error.clone()));
                Err(error)
            }
            RefreshOutcome::Rejected(error) | RefreshOutcome::Unavailable(error) => {
                self.state().pause.begin(&error, self.moment());
                Err(error)
            }
        }
    }

    async fn mint(&self, challenges: &[Challenge]) -> Result<ActiveTokens, AuthError> {
        if let Some(error) = self.paused() {
            return Err(error);
        }
        // Where a person has named who gives tokens. Otherwise the server says it, and is asked first.
        let settings = &self.ctx.settings;
        let named =
            settings.token_endpoint.as_ref().map(|url| url.as_str()).or(settings.spec.issuer.as_deref());
        if let Some(named) = named {
            self.state().asks = Some(redacted(named));
        }
        let minted = mint(&self.ctx, challenges).await;
        self.state().asks = None;
        let (key, tokens) = minted.inspect_err(|error| self.state().pause.begin(error, self.moment()))?;
        // Kept only to spare the next process a few requests: they work without it.
        let saved = self.ctx.store.save(&key, &tokens).await;
        if let Err(error) = &saved {
            tracing::debug!(%error, "a token that was minted could not be kept");
        }
        self.hold(key, tokens, false)
    }

    /// Credentials with the nonce that the server has just handed out (RFC 9449 section 9).
    fn with_new_nonce(&self, in_use: &ActiveTokens, rejection: &Rejection<'_>) -> Option<Credentials> {
        let key = in_use.dpop.as_ref()?;
        let news = key.learn_nonce(Verifier::ResourceServer, &self.ctx.target.url, rejection.headers);
        let wanted = challenge_param(rejection.challenges, "error") == Some("use_dpop_nonce");
        // The nonce may have been learned for a request that was refused at the same time.
        if !wanted || (!news && rejection.recoveries > 0) {
            return None;
        }
        self.credentials(in_use).ok()
    }

    /// Whether the server now names other authorization servers than the one the tokens are from: they are then
    /// of no use, and refreshing them neither (MCP authorization, "Authorization Server Binding").
    async fn has_moved(&self, in_use: &ActiveTokens, challenges: &[Challenge]) -> bool {
        let spec = &self.ctx.settings.spec;
        if spec.auth_server_metadata_url.is_some()
            || challenge_param(challenges, "resource_metadata").is_none()
        {
            return false;
        }
        match resource_metadata(&*self.ctx.http, &self.ctx.target.url, challenges).await {
            Ok(Some((metadata, _))) => metadata.authorization_servers.is_some_and(|issuers| {
                !issuers.is_empty() && !issuers.iter().any(|issuer| same_issuer(issuer, in_use.key.issuer()))
            }),
            // Nothing is known then, and a refresh shows it soon enough.
            Ok(None) | Err(_) => false,
        }
    }
}

impl CredentialSource for OAuthSource {
    fn name(&self) -> &str {
        self.ctx.settings.name
    }

    fn fetch<'a>(&'a self, why: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(self.supply(why))
    }

    fn judge<'a>(&'a self, rejection: Rejection<'a>) -> AuthFuture<'a, Option<Recovery>> {
        Box::pin(self.verdict(rejection))
    }

    /// A server may hand out a new nonce with any answer (RFC 9449 section 8.2).
    fn on_answer(&self, acceptance: Acceptance<'_>) -> Result<(), AuthError> {
        let key = {
            let mut state = self.state();
            state.serves_anyone = state.in_use.is_none();
            state.outlook = None;
            state.in_use.as_ref().and_then(|in_use| in_use.dpop.clone())
        };
        if let Some(key) = key {
            key.learn_nonce(Verifier::ResourceServer, acceptance.url, acceptance.headers);
        }
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, self.needs_person())
    }
}
