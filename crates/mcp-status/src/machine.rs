//! How a server's status changes: a pure reducer of events into a status and one effect.
//!
//! The same machine drives the one-shot connect of a command and the connection that a long-lived
//! process keeps for days; only the [`MachinePolicy`] differs. It owns no clock, no timer and no
//! connection: its driver passes the time in and carries the effects out.
//!
//! Longer than 500 lines because all transitions of one machine stand in it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    CredentialOrigin, Evidence, MessageContext, Outcome, Phase, Reason, ReasonCode, ServerStatus, Verdict,
    classify,
};

/// How long a failure holds against mere use that comes of this machine alone: a person mends it here, and tries again.
const LATCH_HERE: Duration = Duration::from_secs(1);

/// The same of a server that failed, whatever it was: one that has come up since is to be of use, and a host that calls again and
/// again is not to have it asked more often than this.
const LATCH_FAILED: Duration = Duration::from_secs(2);

/// How often and how long; how long each wait is belongs to the transport.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MachinePolicy {
    /// Retries of an initial connect, after its first attempt.
    pub connect_retries: u32,
    /// Attempts to get a lost session back.
    pub session_retries: u32,
    /// What follows when they are used up.
    pub when_exhausted: ExhaustionPolicy,
    /// How long a refusal holds against mere use. A failure that is no matter of credentials holds for two seconds at most,
    /// or for as long as the server asks for.
    pub latch: Duration,
    /// How long a connection must last before earlier failures are forgotten.
    pub settled_after: Duration,
    /// Whether to try again after silence as after any other failure that may pass. It has cost the whole limit once.
    pub repeats_silence: bool,
}

impl MachinePolicy {
    /// For a command that ends with an answer: 1 + 3 attempts to connect, 5 to reconnect, then failed.
    pub fn one_shot() -> Self {
        Self {
            connect_retries: 3,
            session_retries: 5,
            when_exhausted: ExhaustionPolicy::Stop,
            latch: Duration::from_secs(30),
            settled_after: Duration::from_secs(30),
            repeats_silence: true,
        }
    }

    /// For a command that only looks: as [`one_shot`](Self::one_shot), and a server that said nothing is not asked again.
    pub fn glance() -> Self {
        Self { repeats_silence: false, ..Self::one_shot() }
    }

    /// For a process that lives on: the same counts, and slow probes afterwards.
    pub fn long_lived() -> Self {
        Self { when_exhausted: ExhaustionPolicy::Probe, ..Self::one_shot() }
    }

    /// With this many retries of an initial connect.
    #[must_use]
    pub fn with_connect_retries(mut self, retries: u32) -> Self {
        self.connect_retries = retries;
        self
    }

    /// With this many attempts to get a lost session back.
    #[must_use]
    pub fn with_session_retries(mut self, retries: u32) -> Self {
        self.session_retries = retries;
        self
    }
}

/// What follows when the retries are used up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ExhaustionPolicy {
    /// Nothing, until asked.
    Stop,
    /// A probe now and then, shown as failed until one succeeds.
    Probe,
}

/// What happened.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Begin.
    Start,
    /// The attempt that [`Effect::Connect`] asked for ended like this.
    Attempt(Evidence),
    /// An attempt that a caller caused, while the wait that [`Effect::Wait`] asked for went on, ended like this.
    EarlyAttempt(Evidence),
    /// There was nothing to attempt: another owner connects for this one. It has no connection now, and this is how far it
    /// has come.
    Observed(FailureRun),
    /// The wait that [`Effect::Wait`] asked for is over.
    TimerFired,
    /// The wait that [`Effect::Wait`] asked for is longer than the owner waits: what was seen last is the result.
    GivenUp,
    /// The server of the connection that stands was looked at again, such as for its tools, and this is what it has. Evidence
    /// of anything but a connection changes nothing.
    Listed(Evidence),
    /// A connection that stood was lost, or one of its requests showed that it no longer works.
    Lost(Evidence),
    /// A person or a program asked for a new connection.
    ReconnectAsked,
    /// A person signed in.
    LoginDone,
    /// The entry changed.
    ConfigChanged,
    /// A caller wants to use the server.
    Used,
    /// Switched on again.
    Enabled,
    /// Switched off.
    Disabled,
    /// The owner is done with it. Nothing follows.
    Closed,
}

/// What to do now. Every effect but [`Nothing`](Self::Nothing) replaces whatever is under way: an attempt
/// is cancelled, a timer is cleared, a connection is dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Leave things as they are.
    Nothing,
    /// Connect, with credentials asked for afresh.
    Connect {
        /// The number of the attempt since it last worked or was last asked for; 1 is the first.
        attempt: u32,
    },
    /// Wait, then report [`Event::TimerFired`].
    Wait {
        /// Which row of delays applies.
        schedule: Schedule,
        /// The index of the delay in that row, from 0.
        retry: u32,
        /// The least wait that the server asked for, uncapped.
        floor: Option<Duration>,
    },
    /// Nothing more happens by itself.
    Stop,
}

/// Which row of delays a wait belongs to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Schedule {
    /// Between the attempts of an initial connect.
    Connect,
    /// Between the attempts to get a lost session back.
    Session,
    /// Between the probes of a long-lived process.
    Probe,
}

/// How far a machine has come without a connection: what was seen last, and what was counted.
///
/// Another machine that waits for the same connection then [stands](Event::Observed) where this one does. It classifies
/// what was seen by itself: a status is neither handed over nor stored. All of its fields are named by those who hand it
/// over, so that none is lost on the way; a further one is a break, and meant to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FailureRun {
    /// What was seen last, with the requests of all attempts that it took.
    pub evidence: Evidence,
    /// How long the wait under way is, where there is one.
    pub delay: Option<Duration>,
    /// Which row of delays applies.
    pub schedule: Schedule,
    /// How many attempts have failed since it last worked or was last asked for; a lost connection counts as one.
    pub failures: u32,
    /// How many probes have failed since the retries were used up.
    pub probes: u32,
}

impl FailureRun {
    /// One failed attempt to connect.
    pub fn of_one(evidence: Evidence) -> Self {
        Self { evidence, delay: None, schedule: Schedule::Connect, failures: 1, probes: 0 }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Idle,
    Connecting {
        probe: bool,
    },
    Waiting {
        schedule: Schedule,
    },
    Connected,
    /// Refused or failed: opens when a person acts, and on use once the latch time has passed.
    Latched,
    Disabled,
    Closed,
}

/// The state of one server.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use mcp_status::{
///     Effect, Event, Evidence, MachinePolicy, Outcome, Phase, Schedule, ServerStatus, StatusMachine,
/// };
///
/// let mut machine = StatusMachine::new(MachinePolicy::one_shot());
/// let start = Duration::ZERO;
/// assert_eq!(machine.on(Event::Start, start), Effect::Connect { attempt: 1 });
///
/// // What may pass is tried again, after a wait that the caller keeps.
/// let refused = Evidence::new(Phase::Connect, Outcome::Unreachable);
/// let effect = machine.on(Event::Attempt(refused), start);
/// assert_eq!(effect, Effect::Wait { schedule: Schedule::Connect, retry: 0, floor: None });
/// assert_eq!(machine.status(), ServerStatus::Pending);
///
/// assert_eq!(machine.on(Event::TimerFired, start + Duration::from_secs(1)), Effect::Connect { attempt: 2 });
/// let well = Evidence::new(Phase::Connect, Outcome::Connected { tools: Some(3) });
/// machine.on(Event::Attempt(well), start + Duration::from_secs(2));
/// assert_eq!(machine.status(), ServerStatus::Connected);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StatusMachine {
    policy: MachinePolicy,
    state: State,
    /// When the present state began.
    since: Duration,
    /// When the connection that stands, or stood last, was made.
    connected_at: Option<Duration>,
    /// Connect until the first success since it was asked for, session afterwards.
    schedule: Schedule,
    /// Failures in a row, by which the budget is spent.
    failures: u32,
    /// Requests that these failures took.
    requests: u32,
    /// Probes since the budget was spent.
    probes: u32,
    /// What was seen last.
    evidence: Option<Evidence>,
}

impl StatusMachine {
    /// A machine that has not begun.
    pub fn new(policy: MachinePolicy) -> Self {
        Self {
            policy,
            state: State::Idle,
            since: Duration::ZERO,
            connected_at: None,
            schedule: Schedule::Connect,
            failures: 0,
            requests: 0,
            probes: 0,
            evidence: None,
        }
    }

    /// Takes an event in. `now` is the time on a monotonic clock of the caller's, from any fixed start.
    ///
    /// An event that does not belong to the present state (the end of an attempt that was cancelled, a
    /// timer that was cleared) changes nothing.
    pub fn on(&mut self, event: Event, now: Duration) -> Effect {
        match (self.state, event) {
            (State::Closed, _) => Effect::Nothing,
            (_, Event::Closed) => self.enter(State::Closed, now, Effect::Stop),
            (_, Event::Disabled) => {
                self.forget();
                self.evidence = None;
                self.enter(State::Disabled, now, Effect::Stop)
            }
            (State::Disabled, Event::Enabled) => self.afresh(now),
            // Disabled means never contacted, whatever asks.
            (State::Disabled, _) => Effect::Nothing,
            (_, Event::ReconnectAsked | Event::LoginDone | Event::ConfigChanged) => self.afresh(now),
            (State::Idle, Event::Start | Event::Used) => self.afresh(now),
            (State::Connecting { .. }, Event::Attempt(evidence)) => self.attempted(evidence, now),
            (State::Connecting { .. } | State::Waiting { .. }, Event::Observed(run)) => {
                self.observed(run, now)
            }
            (State::Connected, Event::Lost(evidence)) => self.lost(evidence, now),
            (State::Connected, Event::Listed(evidence)) => {
                if matches!(evidence.outcome, Outcome::Connected { .. }) {
                    self.evidence = Some(evidence);
                }
                Effect::Nothing
            }
            // A caller is worth an attempt that would have been made anyway.
            (State::Waiting { schedule }, Event::TimerFired) => {
                self.connect(schedule == Schedule::Probe, now)
            }
            (State::Waiting { .. }, Event::GivenUp) => self.enter(State::Latched, now, Effect::Stop),
            (State::Waiting { .. }, Event::Used) => self.connect(false, now),
            (State::Waiting { .. }, Event::EarlyAttempt(evidence)) => self.attempted_early(evidence, now),
            (State::Latched, Event::Used) if self.latch_is_open(now) => self.afresh(now),
            _ => Effect::Nothing,
        }
    }

    /// The one truthful status.
    pub fn status(&self) -> ServerStatus {
        match self.state {
            State::Idle | State::Connecting { probe: false } => ServerStatus::Pending,
            State::Waiting { schedule: Schedule::Connect | Schedule::Session } => ServerStatus::Pending,
            State::Disabled => ServerStatus::Disabled,
            // A probe hopes; until one succeeds, what was seen last is the truth.
            State::Waiting { schedule: Schedule::Probe }
            | State::Connecting { probe: true }
            | State::Connected
            | State::Latched
            | State::Closed => self.seen().map_or(ServerStatus::Pending, Verdict::status),
        }
    }

    /// The code beside the status; `None` when connected cleanly, switched off, or closed before anything was seen.
    pub fn code(&self) -> Option<ReasonCode> {
        match self.state {
            State::Idle | State::Connecting { probe: false } => Some(ReasonCode::Connecting),
            State::Waiting { schedule: Schedule::Connect | Schedule::Session } => Some(ReasonCode::Retrying),
            State::Disabled => None,
            _ => self.seen().and_then(Verdict::code),
        }
    }

    /// The reason beside the status, in words. `delay` is the wait under way, which the caller chose.
    pub fn reason(&self, delay: Option<Duration>, context: &MessageContext<'_>) -> Option<Reason> {
        match (self.code()?, &self.evidence) {
            (ReasonCode::Connecting, None) => Some(Reason::connecting(self.attempt())),
            (ReasonCode::Connecting, Some(evidence)) => {
                Some(Reason::connecting_after(self.attempt(), evidence, context))
            }
            (ReasonCode::Retrying, Some(evidence)) => Some(Reason::retrying(delay, evidence, context)),
            (_, evidence) => Reason::from_evidence(evidence.as_ref()?, context),
        }
    }

    /// What was seen last, with the requests of all attempts that it took.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_ref()
    }

    /// How far it has come without a connection; `None` where it has one, or has seen nothing yet. `delay` is the wait
    /// under way, which the caller chose.
    pub fn failure_run(&self, delay: Option<Duration>) -> Option<FailureRun> {
        let evidence = self.evidence.clone()?;
        if matches!(classify(&evidence), Verdict::Connected { .. }) {
            return None;
        }
        let Self { schedule, failures, probes, .. } = *self;
        Some(FailureRun { evidence, delay, schedule, failures, probes })
    }

    /// When what is shown was seen or decided, on the caller's clock: the age of the status.
    pub fn since(&self) -> Duration {
        self.since
    }

    /// The number of the attempt under way, or of the next one while waiting; 1 is the first.
    pub fn attempt(&self) -> u32 {
        // A lost session counts as a failure without having been an attempt.
        let lost = u32::from(self.schedule == Schedule::Session);
        self.failures.saturating_add(self.probes).saturating_add(1 - lost).max(1)
    }

    fn seen(&self) -> Option<Verdict> {
        self.evidence.as_ref().map(classify)
    }

    fn enter(&mut self, state: State, now: Duration, effect: Effect) -> Effect {
        self.state = state;
        self.since = now;
        effect
    }

    /// Forgets the streak, not what was seen.
    fn forget(&mut self) {
        self.schedule = Schedule::Connect;
        self.failures = 0;
        self.requests = 0;
        self.probes = 0;
    }

    fn afresh(&mut self, now: Duration) -> Effect {
        self.forget();
        self.connect(false, now)
    }

    fn connect(&mut self, probe: bool, now: Duration) -> Effect {
        let effect = Effect::Connect { attempt: self.attempt() };
        self.enter(State::Connecting { probe }, now, effect)
    }

    fn attempted(&mut self, evidence: Evidence, now: Duration) -> Effect {
        let evidence = self.in_its_phase(evidence);
        match classify(&evidence) {
            Verdict::Connected { .. } => {
                self.evidence = Some(evidence);
                self.connected_at = Some(now);
                self.schedule = Schedule::Session;
                self.probes = 0;
                // The streak stays until the connection has lasted: one that dies at once is not a success.
                self.enter(State::Connected, now, Effect::Nothing)
            }
            Verdict::Transient { retry_after, .. } => self.failed(evidence, retry_after, now),
            Verdict::NeedsAuth { .. } | Verdict::Permanent { .. } => self.settle(evidence, now),
        }
    }

    /// A process that worked, ended and now ends while it starts may only have come too early, for a port or a lock that
    /// its predecessor still held. That is the session's trouble, and no command that never works.
    fn in_its_phase(&self, mut evidence: Evidence) -> Evidence {
        if self.schedule == Schedule::Session && matches!(evidence.outcome, Outcome::Exited { .. }) {
            evidence.phase = Phase::Session;
        }
        evidence
    }

    /// A failure that may pass spends nothing of the budget, which callers who come often would use up in seconds
    /// although the server needs half a minute to start. It is what was seen last, all the same.
    fn attempted_early(&mut self, evidence: Evidence, now: Duration) -> Effect {
        let mut evidence = self.in_its_phase(evidence);
        match classify(&evidence) {
            Verdict::Transient { retry_after: None, .. } => {
                self.requests = self.requests.saturating_add(evidence.attempts);
                evidence.attempts = self.requests;
                self.evidence = Some(evidence);
                Effect::Nothing
            }
            _ => self.attempted(evidence, now),
        }
    }

    /// Continues where another machine stands. How often that one tries is its own affair: this one spends no budget.
    fn observed(&mut self, run: FailureRun, now: Duration) -> Effect {
        let FailureRun { evidence, schedule, failures, probes, .. } = run;
        match classify(&evidence) {
            Verdict::Connected { .. } => Effect::Nothing,
            Verdict::Transient { retry_after: floor, .. } => {
                (self.schedule, self.failures, self.probes) = (schedule, failures, probes);
                self.requests = evidence.attempts;
                self.evidence = Some(evidence);
                let (schedule, retry) = match probes.checked_sub(1) {
                    Some(retry) => (Schedule::Probe, retry),
                    None => (schedule, failures.saturating_sub(1)),
                };
                let wait = Effect::Wait { schedule, retry, floor };
                self.enter(State::Waiting { schedule }, now, wait)
            }
            Verdict::NeedsAuth { .. } | Verdict::Permanent { .. } => self.settle(evidence, now),
        }
    }

    fn lost(&mut self, evidence: Evidence, now: Duration) -> Effect {
        if self.connected_at.is_some_and(|at| now.saturating_sub(at) >= self.policy.settled_after) {
            self.failures = 0;
            self.requests = 0;
        }
        match classify(&evidence) {
            // It stands; only what is known about it changed (the tool list failed to refresh).
            Verdict::Connected { .. } => {
                self.evidence = Some(evidence);
                self.enter(State::Connected, now, Effect::Nothing)
            }
            Verdict::Transient { retry_after, .. } => self.failed(evidence, retry_after, now),
            // What is said in a session is said of that session: one handshake decides about the server. A session that
            // ends like this again, before it has lasted, settles it.
            Verdict::Permanent { .. }
                if self.failures < self.policy.session_retries.min(1)
                    && evidence.outcome != Outcome::SelfReference =>
            {
                self.failures = 1;
                self.requests = evidence.attempts;
                self.evidence = Some(evidence);
                self.connect(false, now)
            }
            Verdict::NeedsAuth { .. } | Verdict::Permanent { .. } => self.settle(evidence, now),
        }
    }

    /// Spends the budget first and chooses the wait afterwards: a server that always names a wait must
    /// not be able to keep a client trying forever.
    fn failed(&mut self, mut evidence: Evidence, floor: Option<Duration>, now: Duration) -> Effect {
        self.requests = self.requests.saturating_add(evidence.attempts);
        evidence.attempts = self.requests;
        let silent = evidence.outcome == Outcome::Timeout && !self.policy.repeats_silence;
        self.evidence = Some(evidence);
        let budget = match self.schedule {
            _ if silent => 0,
            Schedule::Session => self.policy.session_retries,
            _ => self.policy.connect_retries,
        };
        if self.failures < budget {
            let wait = Effect::Wait { schedule: self.schedule, retry: self.failures, floor };
            self.failures += 1;
            return self.enter(State::Waiting { schedule: self.schedule }, now, wait);
        }
        match self.policy.when_exhausted {
            ExhaustionPolicy::Stop => self.enter(State::Latched, now, Effect::Stop),
            ExhaustionPolicy::Probe => {
                let wait = Effect::Wait { schedule: Schedule::Probe, retry: self.probes, floor };
                self.probes = self.probes.saturating_add(1);
                self.enter(State::Waiting { schedule: Schedule::Probe }, now, wait)
            }
        }
    }

    fn settle(&mut self, evidence: Evidence, now: Duration) -> Effect {
        self.evidence = Some(evidence);
        self.enter(State::Latched, now, Effect::Stop)
    }

    fn latch_is_open(&self, now: Duration) -> bool {
        let latch = match &self.evidence {
            Some(evidence) if asks_no_one(evidence) => self.policy.latch.min(LATCH_HERE),
            // Started again, it would lead back to itself.
            Some(Evidence { outcome: Outcome::SelfReference, .. }) => self.policy.latch,
            Some(evidence) => {
                let verdict = classify(evidence);
                match verdict.status() {
                    ServerStatus::Failed => {
                        let asked_for = verdict.retry_after().unwrap_or_default();
                        self.policy.latch.min(LATCH_FAILED).max(asked_for)
                    }
                    _ => self.policy.latch,
                }
            }
            None => self.policy.latch,
        };
        now.saturating_sub(self.since) >= latch
    }
}

/// Whether no one is asked for anything that ends like this: what is missing is on this machine.
fn asks_no_one(evidence: &Evidence) -> bool {
    match evidence.outcome {
        Outcome::Spawn { .. } | Outcome::Misconfigured => true,
        // A secret by reference that is not there. What signs in may have asked its authorization server.
        Outcome::CredentialsFailed | Outcome::CredentialSourceFailed if evidence.auth.of_this_machine => true,
        Outcome::CredentialsFailed => evidence.auth.supplied_by.is_some_and(CredentialOrigin::is_of_entry),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
