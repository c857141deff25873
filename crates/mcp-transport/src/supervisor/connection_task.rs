//! The task behind a supervisor: the only one that feeds its status machine and carries the effects out.
//!
//! Longer than 500 lines because it is one task; what it is doing is a [`State`], and that, an attempt, the race of two, the
//! question whether a server is there, a connection and its end are in the files beside it.

use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mcp_auth::AuthProvider;
use mcp_status::{
    ActionFacts, AuthFacts, Effect, Event, Evidence, FailureRun, Outcome, Phase, Schedule, ServerInfo,
    ServerStatus, SignInState, StatusMachine, TransportKind, classify,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::attempt::{Attempt, AttemptOutcome, AttemptProgress, Background, FreshConnection, ServerLocation};
use super::check::Check;
use super::dial::Dial;
use super::failure_scope::FailureScope;
use super::listing::Listing;
use super::live::{CloseMode, LiveConnection};
use super::race::Race;
use super::source::{NoContact, ServerSource, StartLimits, SupervisorConfig, SupervisorPolicy};
use super::state::{Change, HeldConnection, RetryWait, RunningAttempt, State};
use super::{Shared, StatusSnapshot};
use crate::connect::{Server, ServerLists};
use crate::endpoint::Endpoint;
use crate::hub::Notifications;
use crate::message::methods;
use crate::protocol::handshake::ServerDescription;
use crate::retry::stuck_after;
use crate::tools::ToolList;

/// How soon after a failed attempt mere use may cause another one. Callers that come by the dozen must not
/// become a storm on a server that is down.
const USE_SPACING: Duration = Duration::from_secs(1);
/// How long after the try of another process, which says what came of it, this one asks by itself.
const TOLD_SLACK: Duration = Duration::from_secs(2);
/// What was heard of a server within this time is believed by a status query. With the second that the question
/// takes, no caller is told what has not been true for two.
const FRESH: Duration = Duration::from_millis(500);
/// How long the end may take. A process is killed well before it.
const CLOSE_LIMIT: Duration = Duration::from_secs(8);

/// What a connection task is asked to do.
pub(super) enum Command {
    /// Reconnect; the sender is told when the new status is decided.
    Reconnect(oneshot::Sender<StatusSnapshot>),
    /// A person signed in; the sender is told when the new status is decided.
    LoginDone(oneshot::Sender<StatusSnapshot>),
    /// The entry changed, and may have another source now; the sender is told when the new status is decided.
    ConfigChanged(Option<Arc<dyn ServerSource>>, oneshot::Sender<StatusSnapshot>),
    /// A caller got this list over this connection.
    Listed { connection: u64, tools: Arc<ToolList> },
    /// What was waited for may be there.
    LookAgain,
    /// A caller wants to send a request and has no connection. Dropping the sender says that it was heard.
    Used(#[expect(dead_code, reason = "its end is the message")] oneshot::Sender<()>),
    /// This connection no longer works.
    Lost { connection: u64, evidence: Box<Evidence> },
    /// This connection may no longer work. Dropping the sender says that it was found out.
    Doubtful { connection: u64, known: Option<oneshot::Sender<()>> },
    /// A caller wants the current status. Dropping the sender says that they were looked at.
    Look(oneshot::Sender<()>),
    /// End; dropping the sender says that nothing is left.
    Close(oneshot::Sender<()>),
}

/// What woke the connection task.
enum Input {
    Command(Option<Command>),
    Change(Change),
    Notified(Option<crate::handler::Notification>),
    Woke,
}

pub(super) struct ConnectionTask {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedReceiver<Command>,
    dial: Arc<dyn Dial>,
    source: Arc<dyn ServerSource>,
    policy: SupervisorPolicy,
    limits: Option<StartLimits>,
    background: Background,
    wakes: watch::Receiver<Option<Instant>>,

    machine: StatusMachine,
    began: Instant,
    state: State,
    /// Before this moment mere use causes no attempt: the server asked for a wait, or has just failed.
    resume_at: Instant,
    withheld: Option<NoContact>,
    /// The last attempt failed because its address takes no connection.
    refused: bool,
    since: (Duration, SystemTime),
    closed: bool,

    handover: Handover,
    /// How many connections were made.
    made: u64,
    /// How long the quickest handshake took.
    handshake: Option<Duration>,
    /// What the connection that stands, or that fell silent, tells by itself.
    notifications: Option<Notifications>,
    described: ServerFacts,
    /// Told when the status is decided.
    asking: Vec<oneshot::Sender<StatusSnapshot>>,
}

/// What an attempt gets from those before it.
#[derive(Default)]
struct Handover {
    /// The connection that fell silent, as long as it may be heard again.
    silent: Option<Arc<LiveConnection>>,
    /// The server of the attempt that failed last, for the next attempt of the same streak.
    kept: Option<Server>,
    /// A local process that is ending: its successor may need what it holds.
    leaving: Option<JoinHandle<()>>,
}

/// What is known about the server, whether it is connected or not.
#[derive(Default)]
struct ServerFacts {
    place: ServerLocation,
    /// Who supplies its credentials, which tells whether a person has signed in.
    auth: Option<Arc<dyn AuthProvider>>,
    server: Option<Arc<ServerDescription>>,
    identity: Option<ServerInfo>,
    tools: Option<Arc<ToolList>>,
    /// Whose `tools` they are.
    tools_of: Option<Arc<Endpoint>>,
}

impl ServerFacts {
    /// What is known here of what a person can do: how the server is reached, and what its provider tells of itself.
    fn action_facts(&self) -> ActionFacts {
        let kind = if self.place.is_local { TransportKind::Stdio } else { TransportKind::Remote };
        let facts = ActionFacts::new(kind).with_session(true);
        let Some(auth) = &self.auth else { return facts };
        let (can, told) = (auth.capabilities(), auth.snapshot());
        let sign_in = match told.signed_in {
            true => SignInState::SignedIn,
            false if told.login_offered => SignInState::Offered,
            false => SignInState::NotOffered,
        };
        let is_fixed = !can.refreshable && !can.login;
        facts.with_configured(is_fixed, can.refreshable && !can.login).with_sign_in(sign_in)
    }
}

impl ConnectionTask {
    pub(super) fn new(
        config: SupervisorConfig,
        dial: Arc<dyn Dial>,
        shared: Arc<Shared>,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        let (now, wakes) = (Instant::now(), shared.sleep.wakes());
        Self {
            machine: StatusMachine::new(config.policy.machine),
            since: (Duration::ZERO, shared.sleep.now()),
            shared,
            commands,
            dial,
            source: config.source,
            policy: config.policy,
            limits: config.limits,
            background: Background::new(),
            wakes,
            began: now,
            state: State::Idle,
            resume_at: now,
            withheld: None,
            refused: false,
            closed: false,
            handover: Handover::default(),
            made: 0,
            handshake: None,
            notifications: None,
            described: ServerFacts::default(),
            asking: Vec::new(),
        }
    }

    /// Runs until it is told to close, or until the last handle is gone.
    pub(super) async fn run(mut self) {
        self.feed(Event::Start);
        let waiting = loop {
            match self.input().await {
                Input::Command(None) => break None,
                Input::Command(Some(Command::Close(done))) => break Some(done),
                Input::Command(Some(command)) => self.apply(command),
                Input::Change(Change::Waited) => self.waited(),
                Input::Change(Change::Wanted) => self.attempt_early(),
                Input::Change(Change::Attempted(attempted)) => self.attempted(attempted),
                Input::Change(Change::Ended) => self.on_loss(),
                Input::Change(Change::Checked(lost)) => self.checked(lost),
                Input::Change(Change::Listed(listed)) => self.listed(*listed),
                Input::Change(Change::Renewed) => self.list_again(),
                Input::Change(Change::Quiet) => self.ask(None),
                Input::Notified(Some(notification)) => {
                    if notification.method == methods::TOOLS_CHANGED {
                        self.list_again();
                    }
                    self.shared.listeners().tell(&notification);
                }
                Input::Notified(None) => self.notifications = None,
                Input::Woke => self.on_loss(),
            }
        };
        self.close().await;
        drop(waiting);
    }

    async fn input(&mut self) -> Input {
        let is_wanted = || self.shared.is_wanted();
        tokio::select! {
            biased;
            command = self.commands.recv() => Input::Command(command),
            change = self.state.change(is_wanted, self.resume_at) => Input::Change(change),
            notification = next(&mut self.notifications) => Input::Notified(notification),
            _ = self.wakes.changed() => Input::Woke,
        }
    }

    fn apply(&mut self, command: Command) {
        match command {
            Command::Reconnect(asking) => {
                self.asking.push(asking);
                self.give_up_silent();
                self.feed(Event::ReconnectAsked);
            }
            Command::LoginDone(asking) => {
                self.asking.push(asking);
                self.give_up_silent();
                self.feed(Event::LoginDone);
            }
            Command::ConfigChanged(source, asking) => {
                self.asking.push(asking);
                self.give_up_silent();
                self.source = source.unwrap_or_else(|| self.source.clone());
                self.feed(Event::ConfigChanged);
            }
            Command::LookAgain => self.look_again(),
            Command::Used(_) => {
                // The caller may have noticed a loss before this task did.
                self.on_loss();
                self.used();
            }
            Command::Look(known) => self.look(known),
            Command::Lost { connection, evidence } if self.stands(connection) => self.lose(*evidence),
            Command::Lost { .. } => {}
            Command::Doubtful { connection, known } if self.stands(connection) => self.ask(known),
            Command::Listed { connection, tools } if self.stands(connection) => self.know(tools),
            Command::Listed { .. } => {}
            // It is gone already; there is nothing to find out.
            Command::Doubtful { .. } => {}
            Command::Close(_) => {}
        }
    }

    fn stands(&self, connection: u64) -> bool {
        self.state.live().is_some_and(|live| live.id == connection)
    }

    /// Notices what no request has reported: a wire that ended, a machine that slept.
    fn on_loss(&mut self) {
        let woke = self.shared.sleep.look();
        self.wakes.mark_unchanged();
        let Some(live) = self.state.live() else { return };
        let seen = |detail: &str| Evidence::new(Phase::Session, Outcome::Unreachable).with_detail(detail);
        let evidence = if live.slept_through(woke) {
            if let Some(woke) = woke {
                self.dial.forget_sockets(woke);
            }
            seen("this machine was asleep")
        } else if live.connection.is_closed() {
            // The same whether or not a request was under way.
            let why = live.connection.why_ended().map(|error| error.evidence());
            match why.filter(|evidence| matches!(evidence.outcome, Outcome::Exited { .. } | Outcome::Timeout))
            {
                Some(process) => process,
                None if live.local => seen("the command ended"),
                None => seen("the stream of the server ended"),
            }
        } else {
            return;
        };
        self.lose(evidence);
    }

    fn lose(&mut self, evidence: Evidence) {
        if evidence.outcome == Outcome::Timeout {
            // What went silent may be the network under its sockets.
            self.dial.forget_sockets(Instant::now());
            let live = self.state.live();
            // Its calls have no limit of their own, whether it has a session that may be there again or none.
            live.iter().filter(|live| live.connection.has_headers()).for_each(|live| live.fell_silent());
            if live.is_some_and(|live| live.connection.may_outlive_silence()) {
                self.set_aside();
            }
        }
        let relayed = self.state.live().is_some_and(|live| live.connection.is_relayed());
        self.disconnect(CloseMode::WhenIdle);
        // What ended there is the way to the process that keeps the connection. That says nothing about the server, so
        // its present owner is asked, at once.
        self.feed(if relayed { Event::ConfigChanged } else { Event::Lost(evidence) });
    }

    /// Asks the server whether it is still there.
    fn ask(&mut self, known: Option<oneshot::Sender<()>>) {
        let State::Standing(HeldConnection { live, check, .. }) = &mut self.state else { return };
        let stuck_after = stuck_after(self.handshake);
        check.get_or_insert_with(|| Check::new(live.clone(), stuck_after)).join(known);
    }

    /// Finds out how things are for a status query: what was heard lately is believed, and what holds
    /// against mere use holds against him as well.
    fn look(&mut self, known: oneshot::Sender<()>) {
        self.on_loss();
        match self.state.live() {
            Some(live) if live.has_served_within(FRESH) => {}
            Some(_) => self.ask(Some(known)),
            None => {
                if self.state.may_attempt_early() && Instant::now() >= self.resume_at {
                    self.attempt_early();
                }
                if let Some(attempt) = self.state.attempting() {
                    attempt.looking.push(known);
                }
            }
        }
    }

    fn look_again(&mut self) {
        match &mut self.state {
            // What is under way may have begun too early to find it.
            State::Attempting(attempt) | State::Waiting(RetryWait { early: Some(attempt), .. }) => {
                attempt.again = true;
            }
            State::Waiting(_) => self.waited(),
            State::Idle => self.feed(Event::ConfigChanged),
            State::Standing(_) => {}
        }
    }

    fn used(&mut self) {
        if Instant::now() < self.resume_at {
            // Waiting callers are remembered, and served when it is time.
            return;
        }
        if self.state.may_attempt_early() {
            self.attempt_early();
        } else {
            self.feed(Event::Used);
        }
    }

    fn attempt_early(&mut self) {
        let attempt = self.attempt();
        self.state.take_up(attempt);
        self.publish();
    }

    fn waited(&mut self) {
        let early = self.state.take_attempt();
        self.state = State::Idle;
        self.feed(Event::TimerFired);
        if let (Some(early), State::Attempting(due)) = (early, &mut self.state) {
            // The one that is under way already will do.
            *due = early.continued();
        }
    }

    fn checked(&mut self, lost: Option<Box<Evidence>>) {
        // Dropped at the end, when the status is known.
        let _check = match &mut self.state {
            State::Standing(standing) => {
                standing.checked = Some(Instant::now());
                standing.check.take()
            }
            _ => None,
        };
        if let Some(evidence) = lost {
            self.lose(*evidence);
        }
    }

    /// The server says that it has other tools now, or may have, in a session that was made in place of a lost one.
    fn list_again(&mut self) {
        let Some(policy) = self.policy.list else { return };
        let State::Standing(HeldConnection { live, listing, asked, .. }) = &mut self.state else { return };
        match listing {
            Some(listing) => listing.note_change(),
            None => *listing = Some(Listing::soon(live.connection.clone(), policy, *asked)),
        }
    }

    /// The tools of the connection that stands are listed again. A list that cannot be obtained does not replace them.
    fn listed(&mut self, listed: ServerLists) {
        let State::Standing(HeldConnection { listing, asked, .. }) = &mut self.state else { return };
        let is_old = listing.take().is_some_and(|listing| {
            *asked = listing.asked();
            listing.is_old()
        });
        if is_old {
            self.list_again();
        }
        match (listed.tools, listed.error) {
            (Some(tools), _) => self.know(Arc::new(tools)),
            // As of any other request.
            (None, Some(error)) => match FailureScope::of(&error) {
                FailureScope::Lost => self.lose(error.evidence()),
                FailureScope::Doubtful => self.ask(None),
                FailureScope::None => tracing::debug!(%error, "the tools could not be listed again"),
            },
            (None, None) => {}
        }
    }

    /// These are the tools of the connection that stands.
    fn know(&mut self, tools: Arc<ToolList>) {
        let known = self.described.tools.as_deref();
        if known.is_none_or(|known| !known.offers_the_same(&tools)) {
            self.described.tools = Some(tools.clone());
        }
        let outcome = Outcome::Connected { tools: Some(tools.tools.len()) };
        let withheld = self.state.live().and_then(|live| live.connection.withheld_provider());
        let evidence = Evidence::new(Phase::Session, outcome)
            .with_unapproved(tools.unapproved.len())
            .with_left_out(&tools.withheld)
            .with_uncallable(&tools.rejected)
            .with_unmatched_tools(&tools.unmatched)
            .with_auth(AuthFacts::default().with_withheld(withheld));
        self.feed(Event::Listed(evidence));
    }

    fn attempted(&mut self, attempted: AttemptOutcome) {
        let Some(RunningAttempt { looking, again, .. }) = self.state.take_attempt() else { return };
        match attempted {
            AttemptOutcome::Withheld(withheld) => {
                self.withheld = Some(withheld);
                // To the machine it is what it is: nothing to contact until a person acts, or a caller asks again later.
                self.ended_with(Evidence::new(Phase::Connect, Outcome::Misconfigured));
            }
            AttemptOutcome::Gone => {
                self.replace_silent();
                let attempt = self.attempt().notifying(looking);
                return self.state.take_up(attempt);
            }
            AttemptOutcome::Failed { server, error } => {
                let evidence = error.evidence();
                let run = error.observed_run().cloned();
                // The process that tries says no more than that.
                let told = run.as_ref().is_some_and(|run| run.evidence.outcome == Outcome::Unreachable);
                self.refused = told || error.is_refused_connection();
                if run.is_none() && evidence.outcome == Outcome::Timeout {
                    self.dial.forget_sockets(Instant::now());
                }
                if let Some(server) = server {
                    self.described.place = ServerLocation::of(&server.endpoint);
                    self.described.auth.clone_from(&server.auth);
                    self.handover.kept = Some(*server);
                }
                let asked = classify(&evidence).retry_after().unwrap_or_default();
                self.resume_at =
                    Instant::now() + USE_SPACING.max(asked.min(self.policy.session.max_retry_after));
                match run {
                    Some(run) => self.observed(run),
                    None => self.ended_with(evidence),
                }
            }
            AttemptOutcome::Connected(fresh) => self.connected(*fresh),
        }
        if !self.state.is_attempting() {
            // Now that the status is known.
            drop(looking);
            if again {
                self.look_again();
            }
        }
    }

    /// Tells the machine how an attempt ended, whether it asked for it or not.
    fn ended_with(&mut self, evidence: Evidence) {
        let event = self.attempt_event(evidence);
        self.feed(event);
    }

    /// Another process tries, and says how far it has come.
    fn observed(&mut self, run: FailureRun) {
        let delay = run.delay;
        let effect = self.machine.on(Event::Observed(run), self.now());
        self.carry_out_as(effect, delay);
    }

    fn attempt_event(&self, evidence: Evidence) -> Event {
        match self.state.waiting() {
            Some(_) => Event::EarlyAttempt(evidence),
            None => Event::Attempt(evidence),
        }
    }

    fn connected(&mut self, fresh: FreshConnection) {
        let FreshConnection { connection, notifications, listed, endpoint, auth, silent, took } = fresh;
        self.resume_at = Instant::now();
        self.refused = false;
        self.made += 1;
        let live = match &silent {
            Some(silent) => {
                // What it left unanswered is lost, and the caller that waits for it has a limit of its own; its own stream is
                // opened again.
                connection.activity().write_off();
                silent.heard_again(self.made)
            }
            None => {
                self.handshake = Some(self.handshake.map_or(took, |before| before.min(took)));
                LiveConnection::new(self.made, connection.clone(), endpoint.clone())
            }
        };
        self.described.place = ServerLocation::of(&endpoint);
        let live = Arc::new(live);
        match silent.is_some() {
            true => self.handover.silent = None,
            // This one is in its place.
            false => {
                self.described.auth = auth;
                self.replace_silent();
            }
        }
        let event = self.attempt_event(listed.evidence);
        self.state = State::Standing(HeldConnection::new(live.clone()));
        let effect = self.machine.on(event, self.now());
        if self.machine.status() == ServerStatus::Connected {
            self.described.server = Some(connection.server());
            self.described.identity = connection.identity();
            // The last good list is better than none, unless it is that of another address or command (F112).
            let listed_now = listed.error.is_none() && (listed.tools.is_some() || silent.is_none());
            if listed_now || self.described.tools_of.as_ref() != Some(&endpoint) {
                self.described.tools = listed.tools.map(Arc::new);
                self.described.tools_of = Some(endpoint);
            }
            if let Some(notifications) = notifications {
                self.notifications = Some(notifications);
            }
            if self.policy.listen {
                self.background.spawn(async move { connection.listen().await });
            }
            // Before the status, so that a reader of the status finds the connection.
            self.shared.install(Some(live));
        }
        // Otherwise it shakes hands with anyone, and refuses to list its tools without other credentials.
        self.carry_out(effect);
    }

    fn feed(&mut self, event: Event) {
        let effect = self.machine.on(event, self.now());
        self.carry_out(effect);
    }

    fn carry_out(&mut self, effect: Effect) {
        self.carry_out_as(effect, None);
    }

    /// The same, where a wait is that of another process.
    fn carry_out_as(&mut self, effect: Effect, given: Option<Duration>) {
        if effect != Effect::Nothing {
            // Every effect replaces what is under way; dropping an attempt cancels it.
            self.disconnect(CloseMode::AtOnce);
            self.state = State::Idle;
        }
        match effect {
            Effect::Connect { attempt } => {
                self.withheld = None;
                if attempt == 1 {
                    // A person acted, or a connection was lost: nothing from before is used again.
                    self.handover.kept = None;
                }
                self.state = State::Attempting(self.attempt());
            }
            Effect::Wait { schedule, retry, floor } => {
                let row = match schedule {
                    Schedule::Connect => &self.policy.connect,
                    Schedule::Session => &self.policy.session,
                    _ => &self.policy.probe,
                };
                let delay = given.unwrap_or_else(|| row.wait(retry, floor));
                if let Some(floor) = floor {
                    // What the server asked for binds callers too; the delay has its cap.
                    self.resume_at = self.resume_at.max(Instant::now() + floor.min(delay));
                }
                if self.machine.evidence().is_some_and(|seen| matches!(seen.outcome, Outcome::Exited { .. }))
                {
                    self.resume_at = self.resume_at.max(Instant::now() + self.brake(schedule, retry));
                }
                let slack = given.map_or(Duration::ZERO, |_| TOLD_SLACK);
                self.state = State::Waiting(RetryWait::new(delay, slack));
                if schedule == Schedule::Probe {
                    // Too long ago: its server may be another one by now.
                    self.give_up_silent();
                }
            }
            Effect::Stop => self.give_up_silent(),
            _ => {}
        }
        self.publish();
    }

    /// How long mere use causes no start of a process that has just ended. The first end in a row costs the next caller
    /// nothing; from then on a process that ends in every call is started as often as the row of waits says, however many
    /// calls there are.
    fn brake(&self, schedule: Schedule, retry: u32) -> Duration {
        let row = &self.policy.session;
        match (schedule, retry) {
            (Schedule::Session, 0) => Duration::ZERO,
            (Schedule::Session, retry) => row.wait(retry - 1, None),
            _ => row.wait(row.max_retries, None),
        }
    }

    /// The next attempt; nothing is done yet.
    fn attempt(&mut self) -> RunningAttempt {
        let awaited = Arc::<AttemptProgress>::default();
        let attempt = Attempt {
            awaited: awaited.clone(),
            dial: self.dial.clone(),
            source: self.source.clone(),
            kept: self.handover.kept.take(),
            silent: self.handover.silent.clone(),
            limits: self.limits.clone(),
            list: self.policy.list,
            leaving: self.handover.leaving.take(),
            background: self.background.clone(),
        };
        RunningAttempt::new(Race::new(attempt, stuck_after(self.handshake)), awaited)
    }

    /// Lets the connection go, if one stands.
    fn disconnect(&mut self, close_mode: CloseMode) {
        let Some(live) = self.take_live() else { return };
        self.notifications = None;
        self.dismiss(live, close_mode);
    }

    /// Keeps a connection that fell silent, because its session may still be there when the network is.
    fn set_aside(&mut self) {
        self.handover.silent = self.take_live();
    }

    /// Takes the connection that stands away from those who would use it.
    fn take_live(&mut self) -> Option<Arc<LiveConnection>> {
        let live = self.state.live()?.clone();
        self.state = State::Idle;
        self.shared.install(None);
        Some(live)
    }

    /// Lets the connection that fell silent go, as the server is there and its session is not.
    fn replace_silent(&mut self) {
        self.handover.silent.iter().for_each(|live| live.was_replaced());
        self.give_up_silent();
    }

    fn give_up_silent(&mut self) {
        if let Some(live) = self.handover.silent.take() {
            self.notifications = None;
            self.dismiss(live, CloseMode::WhenIdle);
        }
    }

    fn dismiss(&mut self, live: Arc<LiveConnection>, close_mode: CloseMode) {
        let (local, hurry) = (live.local, self.background.hurry.clone());
        let leaving = self.background.spawn(async move { live.leave(close_mode, hurry).await });
        self.handover.leaving = local.then_some(leaving);
    }

    fn publish(&mut self) {
        let since = self.machine.since();
        if since != self.since.0 {
            self.since = (since, self.shared.sleep.now());
        }
        let (status, code) = match &self.withheld {
            Some(NoContact::SwitchedOff) => (ServerStatus::Disabled, None),
            Some(NoContact::Because(reason)) => (reason.code.status(), Some(reason.code)),
            None => (self.machine.status(), self.machine.code()),
        };
        let snapshot = StatusSnapshot {
            name: self.shared.name.clone(),
            status,
            code,
            since: self.since.1,
            attempt: self.machine.attempt(),
            delay: self.state.waiting().map(|waiting| waiting.delay),
            connection: self.state.live().map(|live| live.id),
            server: self.described.server.clone(),
            identity: self.described.identity.clone(),
            tools: self.described.tools.clone(),
            closed: self.closed,
            origin: self.described.place.origin.clone(),
            endpoint: self.described.place.endpoint.clone(),
            facts: self.described.action_facts(),
            machine: self.machine.clone(),
            withheld: self.withheld.clone(),
            refused: self.refused,
            attempting: self.state.awaited().cloned(),
        };
        if snapshot.is_decided() {
            for asking in self.asking.drain(..) {
                // The caller may have stopped waiting.
                let _ = asking.send(snapshot.clone());
            }
        }
        self.shared.shown.send_if_modified(|shown| {
            let differs = *shown != snapshot;
            if differs {
                shown.clone_from(&snapshot);
            }
            differs
        });
        let before = self.shared.status.send_replace(snapshot);
        self.tell(&before);
    }

    /// Logs what changed.
    fn tell(&self, before: &StatusSnapshot) {
        let now = self.shared.status.borrow();
        if (before.status, before.code, before.connection, before.attempt)
            == (now.status, now.code, now.connection, now.attempt)
        {
            return;
        }
        let reason = now.reason();
        tracing::info!(
            server = %now.name,
            status = %now.status,
            reason = reason.as_ref().map(|reason| &*reason.message),
            connection = now.connection,
            attempt = now.attempt,
            "status"
        );
    }

    async fn close(mut self) {
        self.closed = true;
        self.feed(Event::Closed);
        self.shared.listeners().clear();
        self.background.hurry.cancel();
        self.background.tasks.close();
        let _ = tokio::time::timeout(CLOSE_LIMIT, self.background.tasks.wait()).await;
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

async fn next(notifications: &mut Option<Notifications>) -> Option<crate::handler::Notification> {
    match notifications {
        Some(notifications) => notifications.next().await,
        None => pending().await,
    }
}
