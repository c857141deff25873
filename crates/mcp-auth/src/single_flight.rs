//! A [`CredentialSource`] becomes an [`AuthProvider`]: cache, expiry, and one fetch at a time.
//!
//! It is the one place that remembers credentials and decides when to fetch again, for every source: the headers helper,
//! OAuth and yours. What a source keeps for itself is what it fetches *with*, such as a refresh token, or the last token of a
//! file that is being replaced at this moment.
//!
//! Longer than 500 lines because what it remembers changes in one step.
//!
//! | asked for | what is held | what happens |
//! |---|---|---|
//! | credentials | nothing | fetch, and wait for it |
//! | credentials | good ones, and the source says that they no longer hold | fetch, and wait for it |
//! | credentials | good ones | they are returned |
//! | credentials | good ones that are due for a refresh | they are returned; a fetch runs in the background |
//! | credentials | expired ones | fetch, and wait for it |
//! | credentials | ones whose refusal is being answered | wait for that fetch |
//! | recovery | what the source does not want to fetch for | the source's own verdict |
//! | recovery | what was refused, or nothing yet | fetch, and wait for it |
//! | recovery | something newer | it is returned, nothing runs |
//! | recovery | nothing, because answering the same refusal failed | that failure is returned, nothing runs |
//! | either | nothing good, and the source was unavailable a moment ago | that failure is returned, nothing runs |
//!
//! A caller that has to wait joins the fetch in flight, whatever it was started for, and shares its result, success
//! or failure; only where that result is what was refused, and the fetch did not know of the refusal, a second one follows.
//! So one refusal of many requests costs one.

use std::fmt;
use std::sync::{Arc, PoisonError};
#[cfg(not(shuttle))]
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

#[cfg(shuttle)]
use shuttle::sync::{Mutex, MutexGuard};

use tokio::time::Instant;

mod held;
mod why;

#[cfg(feature = "oauth")]
pub(crate) use self::held::ahead;

use self::held::CachedCredentials;
use self::why::FetchCause;
use crate::flight::Flight;
use crate::pause::Pause;
use crate::provider::{Acceptance, FetchReport, ProviderSnapshot};
use crate::signing::guarded;
use crate::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, Capabilities, CredentialSource, Credentials,
    Recovery, Rejection, Renewals,
};

/// The longest time before expiry at which a background fetch starts, unless [`SingleFlight::with_margin`] says another.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a source may take, unless [`SingleFlight::with_timeout`] says otherwise.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Makes an [`AuthProvider`] of a [`CredentialSource`]. Lives as long as one connection.
///
/// A fetch runs in a task of its own: a caller that stops waiting neither
/// cancels it nor loses its result. Dropping this value ends a fetch in flight.
///
/// Credentials are fetched again, in the background, at the time that their source
/// [asks for](Credentials::with_refresh_at), else when `min(30 s, a tenth of their lifetime)` is left; the lifetime counts
/// from when they arrived. If that fails, the old ones serve until they expire, and it is tried again when half of what is
/// left has passed. Credentials that arrive already expired are taken as they are: then the clocks disagree, and the
/// server's answer is the better judge. A source that knows that they are expired sets a refresh time as well, and is asked
/// again with the next request.
///
/// # Panics
///
/// It is asked for credentials outside of a tokio runtime.
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
    shared: Arc<FlightState<S>>,
}

type Outcome = Result<Credentials, AuthError>;

struct FlightState<S> {
    source: S,
    clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
    began: Instant,
    state: Mutex<State>,
}

struct State {
    margin: Duration,
    timeout: Duration,
    renewals: Renewals,
    held: Option<CachedCredentials>,
    flight: Option<InFlight>,
    /// Numbers the fetches: what an earlier one than this brings is for those who wait for it, and is not held.
    number: u64,
    /// The generation whose refusal the flight answers, if it answers one.
    answering: Option<u64>,
    /// The last refusal that could not be answered, and why.
    unanswered: Option<(u64, AuthError)>,
    /// `None`: the source keeps its own.
    pause: Option<Pause>,
    fetches: u64,
    last_fetch: Option<FetchReport>,
}

impl Default for State {
    fn default() -> Self {
        let (renewals, held, flight, number, answering, unanswered, fetches, last_fetch) = Default::default();
        Self {
            margin: MARGIN,
            timeout: TIMEOUT,
            renewals,
            held,
            flight,
            number,
            answering,
            unanswered,
            pause: Some(Pause::default()),
            fetches,
            last_fetch,
        }
    }
}

/// A fetch in flight.
#[derive(Clone)]
struct InFlight {
    flight: Arc<Flight<Outcome>>,
    /// Its source was told of a refusal.
    knows_of_refusal: bool,
}

/// What is to be done about a refusal.
enum Answer {
    Settled(Recovery),
    /// Wait for this fetch, which is to replace these.
    Wait(InFlight, Option<Credentials>),
}

impl<S: CredentialSource> SingleFlight<S> {
    /// Wraps `source`.
    pub fn new(source: S) -> Self {
        Self::with_clock(source, SystemTime::now)
    }

    /// Wraps `source`, with another clock to compare expiries with.
    pub fn with_clock(source: S, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        let state = Mutex::new(State::default());
        Self {
            shared: Arc::new(FlightState { source, clock: Box::new(clock), began: Instant::now(), state }),
        }
    }

    /// The wrapped source.
    pub fn source(&self) -> &S {
        &self.shared.source
    }

    /// The same with another longest time before expiry at which a background fetch starts, for credentials whose source
    /// does not [ask for one](Credentials::with_refresh_at).
    #[must_use]
    pub fn with_margin(self, margin: Duration) -> Self {
        self.shared.state().margin = margin;
        self
    }

    /// The same with another limit of one fetch, 120 s unless set. A source that has not answered by then has failed
    /// ([`AuthErrorKind::TimedOut`]), and is asked again by the next request. A request with a limit of its own, or an attempt
    /// to connect, does not wait that long, and says as well that it was the source that did not answer.
    #[must_use]
    pub fn with_timeout(self, limit: Duration) -> Self {
        self.shared.state().timeout = limit;
        self
    }

    /// The same, with its fetches counted among those of a program that waits for their end.
    #[must_use]
    pub fn with_renewals(self, renewals: Renewals) -> Self {
        self.shared.state().renewals = renewals;
        self
    }

    /// The same for a source that is asked again at once after it was unavailable: it has tokens that may still do, and leaves
    /// alone by itself what it asks.
    #[cfg(feature = "oauth")]
    pub(crate) fn with_pauses_of_its_own(self) -> Self {
        self.shared.state().pause = None;
        self
    }

    /// Forgets what is held, so that the next request fetches: for one who sees from outside that the source has something
    /// new, such as a watcher of its file. What a fetch in flight brings is for those who wait for it.
    pub fn invalidate(&self) {
        let flight = self.shared.state().forget();
        drop(flight);
    }

    /// The fetch in flight, or a new one for this reason.
    fn join(&self, state: &mut State, why: FetchCause) -> InFlight {
        match state.flight.as_ref().filter(|in_flight| !in_flight.flight.is_finished()) {
            Some(in_flight) => in_flight.clone(),
            None => self.start(state, why),
        }
    }

    /// A new fetch. One that is still in flight goes on for those who wait for it.
    fn start(&self, state: &mut State, why: FetchCause) -> InFlight {
        state.number += 1;
        // Nothing but the new flight may clear this; an earlier one that panicked left its own behind.
        state.answering = None;
        let (shared, number, knows_of_refusal) = (self.shared.clone(), state.number, why.is_refusal());
        let under_way = state.renewals.begin();
        let flight = Flight::start(async move {
            let _under_way = under_way;
            shared.fetch(why, number).await
        });
        let in_flight = InFlight { flight, knows_of_refusal };
        state.flight = Some(in_flight.clone());
        in_flight
    }

    async fn load(&self) -> Outcome {
        let is_outdated = self.shared.source.is_outdated();
        let in_flight = {
            let mut state = self.shared.state();
            // A fetch in flight brings what is there now: many requests at a time cost one.
            if is_outdated && !state.is_fetching() {
                drop(state.forget());
            }
            let now = (self.shared.clock)();
            let answering = state.answering;
            match &state.held {
                Some(held) if held.is_usable(now) && answering != Some(held.credentials.generation()) => {
                    let credentials = held.credentials.clone();
                    if held.is_refresh_due(now) && state.check_pause(self.shared.began).is_ok() {
                        self.join(&mut state, FetchCause::Expired);
                    }
                    return Ok(credentials);
                }
                held => {
                    let why = if held.is_some() { FetchCause::Expired } else { FetchCause::First };
                    state.check_pause(self.shared.began)?;
                    self.join(&mut state, why)
                }
            }
        };
        let fresh = self.landed(&in_flight).await?;
        self.refresh_if_due(&fresh);
        Ok(fresh)
    }

    /// What has just arrived may be due already, as a token is that was kept for most of its life.
    fn refresh_if_due(&self, fresh: &Credentials) {
        let mut state = self.shared.state();
        let now = (self.shared.clock)();
        let due = state.held.as_ref().is_some_and(|held| {
            let is_fresh = held.credentials.generation() == fresh.generation();
            is_fresh && held.is_usable(now) && held.is_refresh_due(now)
        });
        if due {
            self.join(&mut state, FetchCause::Expired);
        }
    }

    async fn recover(&self, rejection: Rejection<'_>) -> Result<Recovery, AuthError> {
        let source = &self.shared.source;
        let judging = guarded(|| source.judge(rejection), "judge a refusal");
        if let Some(verdict) = judging.await? {
            if let Recovery::Retry(at_hand) = &verdict {
                self.shared.hold(at_hand);
            }
            return Ok(verdict);
        }
        let mut insist = false;
        loop {
            let (in_flight, refused) = match self.answer(&rejection, insist)? {
                Answer::Settled(recovery) => return Ok(recovery),
                Answer::Wait(in_flight, refused) => (in_flight, refused),
            };
            let fresh = self.landed(&in_flight).await?;
            let unchanged = match refused {
                Some(refused) => refused.same_headers(&fresh),
                // Forgotten since, or never held here: what the request carried is known all the same.
                None => rejection.used.carry(&fresh),
            };
            // That is not an answer to a refusal of which the source did not know.
            if (unchanged || fresh.is_empty()) && !in_flight.knows_of_refusal && !insist {
                insist = true;
                continue;
            }
            return Ok(if unchanged { Recovery::Unchanged } else { Recovery::Retry(fresh) });
        }
    }

    /// What to do about a refusal. With `insist`, a fetch in flight that does not know of any is not an answer.
    fn answer(&self, rejection: &Rejection<'_>, insist: bool) -> Result<Answer, AuthError> {
        let mut state = self.shared.state();
        let now = (self.shared.clock)();
        let why = || FetchCause::rejected(rejection);
        let fetch = |state: &mut State| {
            if insist && state.flight.as_ref().is_some_and(|in_flight| !in_flight.knows_of_refusal) {
                self.start(state, why())
            } else {
                self.join(state, why())
            }
        };
        Ok(match &state.held {
            Some(held) if held.is_answer_to(rejection.used) => Answer::Settled(Recovery::Unchanged),
            Some(held) if held.is_of(rejection.used) => {
                let refused = held.credentials.clone();
                state.check_pause(self.shared.began)?;
                let in_flight = fetch(&mut state);
                state.answering = Some(refused.generation());
                Answer::Wait(in_flight, Some(refused))
            }
            Some(held) if held.is_usable(now) => Answer::Settled(Recovery::Retry(held.credentials.clone())),
            Some(_) => {
                state.check_pause(self.shared.began)?;
                Answer::Wait(self.join(&mut state, FetchCause::Expired), None)
            }
            None => match &state.unanswered {
                Some((generation, error)) if rejection.used.includes_generation(*generation) => {
                    return Err(error.clone());
                }
                _ => {
                    state.check_pause(self.shared.began)?;
                    Answer::Wait(fetch(&mut state), None)
                }
            },
        })
    }

    async fn landed(&self, in_flight: &InFlight) -> Outcome {
        in_flight.flight.outcome().await.unwrap_or_else(|| {
            let message = format!("get credentials from {}: it stopped unexpectedly", self.name());
            Err(AuthError::new(AuthErrorKind::SourceFailed, message))
        })
    }
}

impl<S> FlightState<S> {
    /// Never held across an await, and nothing that can panic runs under it, so poison says nothing.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: CredentialSource> FlightState<S> {
    async fn fetch(&self, why: FetchCause, number: u64) -> Outcome {
        let started = Instant::now();
        let (name, limit) = (self.source.name(), self.state().timeout);
        let what = format!("get credentials from {name}");
        let fetch = guarded(|| self.source.fetch(why.borrowed()), &what);
        let outcome = tokio::time::timeout(limit, fetch)
            .await
            .unwrap_or_else(|_| Err(AuthError::timed_out(name, limit)));
        self.land(&outcome, started.elapsed(), number, why.is_refusal());
        outcome
    }

    fn land(&self, outcome: &Outcome, duration: Duration, number: u64, knew_of_refusal: bool) {
        let mut state = self.state();
        let now = (self.clock)();
        state.fetches += 1;
        state.last_fetch = Some(match outcome {
            Ok(_) => FetchReport::new(now, duration, self.source.runs_command().then_some(0)),
            Err(error) => FetchReport::new(now, duration, error.exit_code()).failed(),
        });
        if state.number != number {
            return;
        }
        match outcome {
            _ if state.pause.is_none() => {}
            Ok(_) => state.pause = Some(Pause::default()),
            Err(error) => state.pause.get_or_insert_default().begin(error, self.began.elapsed()),
        }
        let refused = state.answering.take();
        let landed = state.flight.take();
        match (outcome, refused) {
            (Ok(fresh), refused) => state.hold(fresh, now, refused.filter(|_| knew_of_refusal)),
            // What the server refused is not sent again: the next request gets fresh credentials or none.
            (Err(error), Some(generation)) => {
                state.held = None;
                state.unanswered = Some((generation, error.clone()));
            }
            (Err(error), None) => {
                if let Some(held) = &mut state.held {
                    held.postpone_refresh(now);
                    tracing::debug!(provider = self.source.name(), %error, "fetching ahead of expiry failed");
                }
            }
        }
        drop(state);
        drop(landed);
    }

    /// Takes credentials into use that the source had at hand.
    fn hold(&self, at_hand: &Credentials) {
        let now = (self.clock)();
        self.state().hold(at_hand, now, None);
    }
}

impl State {
    fn is_fetching(&self) -> bool {
        self.flight.as_ref().is_some_and(|in_flight| !in_flight.flight.is_finished())
    }

    /// Forgets everything but what was counted. The fetch in flight is to be dropped without the lock.
    fn forget(&mut self) -> Option<InFlight> {
        self.number += 1;
        self.held = None;
        self.unanswered = None;
        self.answering = None;
        self.pause = self.pause.take().map(|_| Pause::default());
        self.flight.take()
    }

    /// An unavailable source is left alone; what is in flight is still waited for.
    fn check_pause(&self, began: Instant) -> Result<(), AuthError> {
        let failure = self.pause.as_ref().and_then(|pause| pause.failure(began.elapsed()));
        failure.filter(|_| !self.is_fetching()).map_or(Ok(()), Err)
    }

    /// Takes `fresh` into use; `refused` is the generation whose refusal it answers.
    fn hold(&mut self, fresh: &Credentials, now: SystemTime, refused: Option<u64>) {
        self.unanswered = None;
        let fresh = CachedCredentials::new(fresh.clone(), now, self.margin);
        self.held = Some(match self.held.take() {
            Some(old) => {
                let refused = refused == Some(old.credentials.generation());
                fresh.succeeding(old, refused)
            }
            None => fresh,
        });
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

    fn on_answer(&self, acceptance: Acceptance<'_>) -> Result<(), AuthError> {
        self.shared.source.on_answer(acceptance)
    }

    fn invalidate(&self) {
        Self::invalidate(self);
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
