//! A [`CredentialSource`] becomes an [`AuthProvider`]: cache, expiry, and one fetch at a time.
//!
//! It remembers the credentials of every source and decides when to fetch again. OAuth has a cache of its own
//! (`oauth::provider`), because its tokens are shared with other processes through a store.
//!
//! | asked for | what is held | what happens |
//! |---|---|---|
//! | credentials | nothing | fetch, and wait for it |
//! | credentials | good ones | they are returned |
//! | credentials | good ones that expire soon | they are returned; a fetch runs in the background |
//! | credentials | expired ones | fetch, and wait for it |
//! | credentials | ones whose refusal is being answered | wait for that fetch |
//! | recovery | what was refused | fetch, and wait for it |
//! | recovery | something newer | it is returned, nothing runs |
//! | recovery | nothing, because answering the same refusal failed | that failure is returned, nothing runs |
//!
//! Whoever has to wait joins the fetch in flight, whatever it was started for, and shares its result, success
//! or failure. So there is never more than one, and one refusal of many requests costs one.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::flight::Flight;
use crate::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, Capabilities, Challenge, CredentialSource,
    Credentials, FetchReason, FetchReport, ProviderSnapshot, Recovery, Rejection,
};

/// The longest time before expiry at which a background fetch starts.
const MAX_MARGIN: Duration = Duration::from_secs(30);
/// A background fetch starts when this part of the lifetime is left, if that is less than [`MAX_MARGIN`].
const MARGIN_PART: u32 = 10;
/// How many superseded generations are remembered; requests that are older than this are long gone.
const MAX_REMEMBERED: usize = 32;

/// Makes an [`AuthProvider`] of a [`CredentialSource`]. Lives as long as one connection.
///
/// A fetch runs in a task of its own (so a tokio runtime must be entered): a caller that stops waiting neither
/// cancels it nor loses its result. Dropping this value ends a fetch in flight.
///
/// Credentials are fetched again, in the background, when `min(30 s, a tenth of their lifetime)` is left; the
/// lifetime counts from when they arrived. If that fails, the old ones serve until they expire, and it is tried
/// again when half of what is left has passed. Credentials that arrive already expired are taken as they are: then
/// the clocks disagree, and the server's answer is the better judge.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use http::{HeaderValue, header::AUTHORIZATION};
/// use mcp_auth::{AuthFuture, AuthProvider, CredentialSource, Credentials, FetchReason, SingleFlight};
///
/// /// Gets a token from somewhere.
/// #[derive(Debug, Default)]
/// struct Tokens(AtomicU64);
///
/// impl CredentialSource for Tokens {
///     fn name(&self) -> &str {
///         "tokens"
///     }
///
///     fn fetch<'a>(&'a self, _why: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
///         Box::pin(async move {
///             let token = format!("Bearer token-{}", self.0.fetch_add(1, Ordering::Relaxed));
///             let value = HeaderValue::try_from(token).expect("digits are valid in a header");
///             Ok(Credentials::new("tokens", [(AUTHORIZATION, value)]))
///         })
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let provider = SingleFlight::new(Tokens::default());
/// let first = provider.credentials().await.unwrap();
/// let second = provider.credentials().await.unwrap();
/// assert_eq!(first.generation(), second.generation(), "fetched once");
/// # });
/// ```
pub struct SingleFlight<S: CredentialSource> {
    shared: Arc<Shared<S>>,
}

type Outcome = Result<Credentials, AuthError>;

struct Shared<S> {
    source: S,
    clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    flight: Option<Arc<Flight<Outcome>>>,
    /// The generation whose refusal the flight answers, if it answers one.
    answering: Option<u64>,
    /// The last refusal that could not be answered, and why.
    unanswered: Option<(u64, AuthError)>,
    fetches: u64,
    last_fetch: Option<FetchReport>,
}

/// Credentials in force.
struct Held {
    credentials: Credentials,
    /// `None`: until the server refuses them.
    usable_until: Option<SystemTime>,
    refresh_at: Option<SystemTime>,
    /// Earlier generations with the very same bytes that no server has refused.
    same_bytes: Vec<u64>,
    /// Earlier generations with the very same bytes whose refusal was answered by these: for them there is
    /// nothing more to try.
    answered: Vec<u64>,
}

impl Held {
    fn new(credentials: Credentials, now: SystemTime) -> Self {
        let usable_until = credentials.expires_at().filter(|expiry| *expiry > now);
        let refresh_at = usable_until.map(|expiry| expiry - margin(expiry, now));
        Self { credentials, usable_until, refresh_at, same_bytes: Vec::new(), answered: Vec::new() }
    }

    /// Takes over what is known of `old`, if these are the same bytes.
    fn succeeding(mut self, mut old: Self, refused: bool) -> Self {
        if self.credentials.same_headers(&old.credentials) {
            self.answered.append(&mut old.answered);
            let list = if refused { &mut self.answered } else { &mut self.same_bytes };
            list.append(&mut old.same_bytes);
            list.push(old.credentials.generation());
            for list in [&mut self.answered, &mut self.same_bytes] {
                list.drain(..list.len().saturating_sub(MAX_REMEMBERED));
            }
        }
        self
    }

    fn is_usable(&self, now: SystemTime) -> bool {
        self.usable_until.is_none_or(|until| now < until)
    }

    fn is_refresh_due(&self, now: SystemTime) -> bool {
        self.refresh_at.is_some_and(|at| now >= at)
    }

    /// After a failed background fetch: not again before half of what is left has passed.
    fn postpone_refresh(&mut self, now: SystemTime) {
        let left = self.usable_until.and_then(|until| until.duration_since(now).ok());
        self.refresh_at = left.map(|left| now + left / 2);
    }

    fn is_of(&self, used: &Credentials) -> bool {
        used.includes_generation(self.credentials.generation()) || includes_any(used, &self.same_bytes)
    }
}

fn includes_any(used: &Credentials, generations: &[u64]) -> bool {
    generations.iter().any(|generation| used.includes_generation(*generation))
}

fn margin(expiry: SystemTime, now: SystemTime) -> Duration {
    let lifetime = expiry.duration_since(now).unwrap_or_default();
    (lifetime / MARGIN_PART).min(MAX_MARGIN)
}

/// A [`FetchReason`] that outlives the call that gave it.
enum Why {
    First,
    Expired,
    Rejected(Vec<Challenge>),
}

impl Why {
    fn borrowed(&self) -> FetchReason<'_> {
        match self {
            Self::First => FetchReason::First,
            Self::Expired => FetchReason::Expired,
            Self::Rejected(challenges) => FetchReason::Rejected(challenges),
        }
    }
}

impl<S: CredentialSource> SingleFlight<S> {
    /// Wraps `source`.
    pub fn new(source: S) -> Self {
        Self::with_clock(source, SystemTime::now)
    }

    /// Wraps `source`, with another clock to compare expiries with.
    pub fn with_clock(source: S, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        let state = Mutex::new(State::default());
        Self { shared: Arc::new(Shared { source, clock: Box::new(clock), state }) }
    }

    /// The wrapped source.
    pub fn source(&self) -> &S {
        &self.shared.source
    }

    /// The fetch in flight, or a new one for this reason.
    fn join(&self, state: &mut State, why: Why) -> Arc<Flight<Outcome>> {
        if let Some(flight) = state.flight.as_ref().filter(|flight| !flight.is_finished()) {
            return flight.clone();
        }
        let shared = self.shared.clone();
        let flight = Flight::start(async move { shared.fetch(why).await });
        // Nothing but the new flight may clear this; an earlier one that panicked left its own behind.
        state.answering = None;
        state.flight = Some(flight.clone());
        flight
    }

    async fn load(&self) -> Outcome {
        let flight = {
            let mut state = self.shared.state();
            let now = (self.shared.clock)();
            let answering = state.answering;
            match &state.held {
                Some(held) if held.is_usable(now) && answering != Some(held.credentials.generation()) => {
                    let credentials = held.credentials.clone();
                    if held.is_refresh_due(now) {
                        self.join(&mut state, Why::Expired);
                    }
                    return Ok(credentials);
                }
                Some(_) => self.join(&mut state, Why::Expired),
                None => self.join(&mut state, Why::First),
            }
        };
        self.landed(&flight).await
    }

    async fn recover(&self, rejection: Rejection<'_>) -> Result<Recovery, AuthError> {
        // One recovery per request: a second refusal is the server's answer to fresh credentials.
        if rejection.recoveries > 0 {
            return Ok(Recovery::Exhausted);
        }
        let (flight, refused) = {
            let mut state = self.shared.state();
            let now = (self.shared.clock)();
            match &state.held {
                Some(held) if held.is_of(rejection.used) => {
                    let refused = held.credentials.clone();
                    let flight = self.join(&mut state, Why::Rejected(rejection.challenges.to_vec()));
                    state.answering = Some(refused.generation());
                    (flight, Some(refused))
                }
                Some(held) if includes_any(rejection.used, &held.answered) => return Ok(Recovery::Unchanged),
                Some(held) if held.is_usable(now) => return Ok(Recovery::Retry(held.credentials.clone())),
                Some(_) => (self.join(&mut state, Why::Expired), None),
                None => {
                    if let Some((generation, error)) = &state.unanswered
                        && rejection.used.includes_generation(*generation)
                    {
                        return Err(error.clone());
                    }
                    (self.join(&mut state, Why::First), None)
                }
            }
        };
        let fresh = self.landed(&flight).await?;
        Ok(match refused {
            Some(refused) if refused.same_headers(&fresh) => Recovery::Unchanged,
            _ => Recovery::Retry(fresh),
        })
    }

    async fn landed(&self, flight: &Flight<Outcome>) -> Outcome {
        flight.outcome().await.unwrap_or_else(|| {
            let message = format!("get credentials from {}: it stopped unexpectedly", self.name());
            Err(AuthError::new(AuthErrorKind::SourceFailed, message))
        })
    }
}

impl<S> Shared<S> {
    /// Never held across an await, and nothing that can panic runs under it, so poison says nothing.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: CredentialSource> Shared<S> {
    async fn fetch(&self, why: Why) -> Outcome {
        let started = Instant::now();
        let outcome = self.source.fetch(why.borrowed()).await;
        self.land(&outcome, started.elapsed());
        outcome
    }

    fn land(&self, outcome: &Outcome, duration: Duration) {
        let mut state = self.state();
        let now = (self.clock)();
        let refused = state.answering.take();
        let landed = state.flight.take();
        state.fetches += 1;
        state.last_fetch = Some(match outcome {
            Ok(_) => FetchReport::new(now, duration, self.source.runs_command().then_some(0)),
            Err(error) => FetchReport::new(now, duration, error.exit_code()).failed(),
        });
        match outcome {
            Ok(fresh) => {
                state.unanswered = None;
                let fresh = Held::new(fresh.clone(), now);
                state.held = Some(match state.held.take() {
                    Some(old) => fresh.succeeding(old, refused.is_some()),
                    None => fresh,
                });
            }
            Err(error) => match refused {
                // What the server refused is not sent again: the next request gets fresh credentials or none.
                Some(generation) => {
                    state.held = None;
                    state.unanswered = Some((generation, error.clone()));
                }
                None => {
                    if let Some(held) = &mut state.held {
                        held.postpone_refresh(now);
                        tracing::debug!(provider = self.source.name(), %error, "fetching ahead of expiry failed");
                    }
                }
            },
        }
        drop(state);
        drop(landed);
    }
}

impl<S: CredentialSource> Drop for SingleFlight<S> {
    fn drop(&mut self) {
        // The task of the flight holds the shared part, so without this they would keep each other alive.
        let flight = self.shared.state().flight.take();
        drop(flight);
    }
}

impl<S: CredentialSource> AuthProvider for SingleFlight<S> {
    fn name(&self) -> &str {
        self.shared.source.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.shared.source.capabilities()
    }

    fn credentials(&self) -> AuthFuture<'_, Credentials> {
        Box::pin(self.load())
    }

    fn on_rejected<'a>(&'a self, rejection: Rejection<'a>) -> AuthFuture<'a, Recovery> {
        Box::pin(self.recover(rejection))
    }

    fn snapshot(&self) -> ProviderSnapshot {
        let state = self.shared.state();
        ProviderSnapshot {
            expires_at: state.held.as_ref().and_then(|held| held.credentials.expires_at()),
            last_fetch: state.last_fetch.clone(),
            fetches: state.fetches,
            ..ProviderSnapshot::default()
        }
    }
}

impl<S: CredentialSource> fmt::Debug for SingleFlight<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state();
        f.debug_struct("SingleFlight")
            .field("source", &self.shared.source)
            .field("held", &state.held.as_ref().map(|held| &held.credentials))
            .field("in_flight", &state.flight.is_some())
            .field("fetches", &state.fetches)
            .finish()
    }
}

#[cfg(test)]
mod tests;
