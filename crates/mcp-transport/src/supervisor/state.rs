//! What a connection task is doing: one thing at a time, with what belongs to it.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use mcp_status::Evidence;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

use super::attempt::{AttemptOutcome, AttemptProgress};
use super::check::Check;
use super::listing::Listing;
use super::live::LiveConnection;
use super::race::{Race, reached};
use crate::connect::ServerLists;
use crate::endpoint::Endpoint;
use crate::renewals::SessionRenewals;

/// What a connection task is doing.
pub(super) enum State {
    /// Nothing: it was refused, has failed for good, or has not begun.
    Idle,
    /// An attempt that the machine has asked for.
    Attempting(RunningAttempt),
    /// The wait for the next one.
    Waiting(RetryWait),
    /// A connection stands.
    Standing(HeldConnection),
}

/// An attempt under way.
pub(super) struct RunningAttempt {
    race: Race,
    /// What it waits for.
    pub(super) awaited: Arc<AttemptProgress>,
    /// Told when it has ended: dropping the senders says so.
    pub(super) looking: Vec<oneshot::Sender<()>>,
    /// Whether there is more to find than when it began.
    pub(super) again: bool,
}

impl RunningAttempt {
    pub(super) fn new(race: Race, awaited: Arc<AttemptProgress>) -> Self {
        Self { race, awaited, looking: Vec::new(), again: false }
    }

    /// The same attempt, at whose end those who are `looking` are told.
    pub(super) fn notifying(self, looking: Vec<oneshot::Sender<()>>) -> Self {
        Self { looking, ..self }
    }

    /// The same attempt in place of one that was due: from now on the machine has asked for it.
    pub(super) fn continued(self) -> Self {
        Self::new(self.race, self.awaited)
    }
}

/// The wait for the next attempt.
pub(super) struct RetryWait {
    timer: Pin<Box<Sleep>>,
    /// How long it is, from when it began.
    pub(super) delay: Duration,
    /// The attempt that callers have caused meanwhile, for which the machine has not asked.
    pub(super) early: Option<RunningAttempt>,
}

impl RetryWait {
    /// A wait that is shown as `delay` and ends `slack` later.
    pub(super) fn new(delay: Duration, slack: Duration) -> Self {
        Self { timer: Box::pin(tokio::time::sleep(delay + slack)), delay, early: None }
    }
}

/// A connection that stands.
pub(super) struct HeldConnection {
    pub(super) live: Arc<LiveConnection>,
    /// The question whether the server is still there.
    pub(super) check: Option<Check>,
    /// The list of tools that is asked for again.
    pub(super) listing: Option<Listing>,
    /// When it was last asked for.
    pub(super) asked: Option<Instant>,
    /// A session in place of a lost one may be that of a server with other tools.
    renewals: SessionRenewals,
    /// How long the server may say nothing before it is asked whether it is there.
    keep_alive: Option<Duration>,
    /// When it last answered that question, be it by a refusal.
    pub(super) checked: Option<Instant>,
}

impl HeldConnection {
    /// One that has just been made, with nothing in doubt.
    pub(super) fn new(live: Arc<LiveConnection>) -> Self {
        let renewals = live.connection.renewals();
        let keep_alive = match &*live.endpoint {
            Endpoint::Http(endpoint) => endpoint.keep_alive,
            _ => None,
        };
        Self { live, check: None, listing: None, asked: None, renewals, keep_alive, checked: None }
    }
}

/// What comes of a state.
pub(super) enum Change {
    /// The attempt has ended.
    Attempted(AttemptOutcome),
    /// The wait is over.
    Waited,
    /// Callers are worth an attempt before the wait is over.
    Wanted,
    /// The wire has ended by itself.
    Ended,
    /// The question is answered, with the evidence that the connection is lost if it is.
    Checked(Option<Box<Evidence>>),
    /// The tools are listed again.
    Listed(Box<ServerLists>),
    /// The session was made again.
    Renewed,
    /// The server has said nothing for as long as its connection may be idle.
    Quiet,
}

impl State {
    /// What comes of it next. Can be dropped and asked again, as is to be done whenever a caller begins to wait
    /// (`is_wanted`). Before `resume_at`, callers are worth nothing.
    pub(super) async fn change(&mut self, is_wanted: impl Fn() -> bool, resume_at: Instant) -> Change {
        match self {
            Self::Idle => pending().await,
            Self::Attempting(attempt) => Change::Attempted(attempt.race.ended(is_wanted).await),
            Self::Waiting(RetryWait { timer, early: Some(early), .. }) => tokio::select! {
                biased;
                attempted = early.race.ended(is_wanted) => Change::Attempted(attempted),
                () = timer => Change::Waited,
            },
            Self::Waiting(RetryWait { timer, early: None, .. }) => tokio::select! {
                // An attempt that is due anyway is made before one that a caller would cause at the same moment.
                biased;
                () = timer => Change::Waited,
                () = reached(is_wanted().then_some(resume_at)) => Change::Wanted,
            },
            Self::Standing(HeldConnection {
                live, check, listing, renewals, keep_alive, checked, ..
            }) => {
                tokio::select! {
                    biased;
                    () = live.connection.ended() => Change::Ended,
                    () = quiet(live, *checked, keep_alive.filter(|_| check.is_none())) => Change::Quiet,
                    lost = answer(check) => Change::Checked(lost.map(Box::new)),
                    listed = listed(listing) => Change::Listed(Box::new(listed)),
                    () = renewals.next() => Change::Renewed,
                }
            }
        }
    }

    /// The connection that stands.
    pub(super) fn live(&self) -> Option<&Arc<LiveConnection>> {
        match self {
            Self::Standing(standing) => Some(&standing.live),
            Self::Idle | Self::Attempting(_) | Self::Waiting(_) => None,
        }
    }

    /// The attempt under way, whatever caused it.
    pub(super) fn attempting(&mut self) -> Option<&mut RunningAttempt> {
        match self {
            Self::Attempting(attempt) => Some(attempt),
            Self::Waiting(waiting) => waiting.early.as_mut(),
            Self::Idle | Self::Standing(_) => None,
        }
    }

    pub(super) fn is_attempting(&self) -> bool {
        self.awaited().is_some()
    }

    /// What the attempt under way waits for.
    pub(super) fn awaited(&self) -> Option<&Arc<AttemptProgress>> {
        match self {
            Self::Attempting(attempt) | Self::Waiting(RetryWait { early: Some(attempt), .. }) => {
                Some(&attempt.awaited)
            }
            _ => None,
        }
    }

    /// Takes the attempt under way out of it; a wait goes on.
    pub(super) fn take_attempt(&mut self) -> Option<RunningAttempt> {
        match self {
            Self::Waiting(waiting) => waiting.early.take(),
            Self::Attempting(_) => match std::mem::replace(self, Self::Idle) {
                Self::Attempting(attempt) => Some(attempt),
                _ => None,
            },
            Self::Idle | Self::Standing(_) => None,
        }
    }

    /// Takes up an attempt that the machine has asked for, or callers have caused during a wait.
    pub(super) fn take_up(&mut self, attempt: RunningAttempt) {
        match self {
            Self::Waiting(waiting) => waiting.early = Some(attempt),
            _ => *self = Self::Attempting(attempt),
        }
    }

    /// Whether a wait is under way.
    pub(super) fn waiting(&self) -> Option<&RetryWait> {
        match self {
            Self::Waiting(waiting) => Some(waiting),
            Self::Idle | Self::Attempting(_) | Self::Standing(_) => None,
        }
    }

    /// Whether a caller is worth an attempt that would have been made anyway.
    pub(super) fn may_attempt_early(&self) -> bool {
        self.waiting().is_some_and(|waiting| waiting.early.is_none())
    }
}

/// Returns when the server has said nothing for `limit`.
async fn quiet(live: &LiveConnection, checked: Option<Instant>, limit: Option<Duration>) {
    let Some(limit) = limit else { return pending().await };
    loop {
        let served = live.connection.activity().last_served().unwrap_or(live.made);
        let due = served.max(checked.unwrap_or(served)) + limit;
        if due <= Instant::now() {
            return;
        }
        tokio::time::sleep_until(due).await;
    }
}

async fn listed(listing: &mut Option<Listing>) -> ServerLists {
    match listing {
        Some(listing) => listing.listed().await,
        None => pending().await,
    }
}

async fn answer(check: &mut Option<Check>) -> Option<Evidence> {
    match check {
        Some(check) => check.answer().await,
        None => pending().await,
    }
}
