//! The task behind a supervisor: the only one that feeds the status machine and carries its effects out.
//!
//! Longer than 500 lines because it is one task with one state; what can be told apart from it (an attempt, the race of
//! two, the question whether a server is there, a connection and its end) is in the files beside it.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mcp_status::{Effect, Event, Evidence, Outcome, Phase, Schedule, ServerStatus, StatusMachine, Streak};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};

use super::attempt::{Attempt, Attempted, Background, Dial, Fresh, origin};
use super::check::Check;
use super::live::{Farewell, Live};
use super::race::{Race, reached};
use super::source::{ServerSource, StartLimits, SupervisorConfig, SupervisorPolicy, Withheld};
use super::{Shared, StatusSnapshot};
use crate::hub::Notifications;
use crate::retry::stuck_after;
use crate::{Endpoint, Server, ServerDescription, ToolList};

/// How soon after a failed attempt mere use may cause another one. Callers that come by the dozen must not
/// become a storm on a server that is down.
const USE_SPACING: Duration = Duration::from_secs(1);
/// How long after the try of another process, which says what came of it, this one asks by itself.
const TOLD_SLACK: Duration = Duration::from_secs(2);
/// What was heard of a server within this time is believed by somebody who looks. With the second that the question
/// takes, nobody is told what has not been true for two.
const FRESH: Duration = Duration::from_millis(500);
/// How long the end may take. A process is killed well before it.
const CLOSE_LIMIT: Duration = Duration::from_secs(8);

/// What a keeper is asked to do.
pub(super) enum Command {
    /// Connect anew; the sender is told when the new status is decided.
    Reconnect(oneshot::Sender<StatusSnapshot>),
    /// Somebody signed in.
    LoginDone,
    /// The entry changed, and may have another source now.
    ConfigChanged(Option<Arc<dyn ServerSource>>),
    /// What was waited for may be there.
    LookAgain,
    /// Somebody wants to send a request and has no connection. Dropping the sender says that it was heard.
    Used(#[expect(dead_code, reason = "its end is the message")] oneshot::Sender<()>),
    /// This connection no longer works.
    Lost { connection: u64, evidence: Evidence },
    /// This connection may no longer work. Dropping the sender says that it was found out.
    Doubtful { connection: u64, known: Option<oneshot::Sender<()>> },
    /// Somebody wants to know how things are. Dropping the sender says that they were looked at.
    Look(oneshot::Sender<()>),
    /// End; dropping the sender says that nothing is left.
    Close(oneshot::Sender<()>),
}

/// What woke the keeper.
enum Input {
    Command(Option<Command>),
    Attempted(Attempted),
    Waited,
    Wanted,
    Ended,
    Checked(Option<Evidence>),
    Notified(Option<crate::Notification>),
    Woke,
}

pub(super) struct Keeper {
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
    /// The attempt under way. Beside a wait, callers caused it and the machine has not asked for it.
    race: Option<Race>,
    wait: Option<Pin<Box<Sleep>>>,
    delay: Option<Duration>,
    /// Before this moment mere use causes no attempt: the server asked for a wait, or has just failed.
    resume_at: Instant,
    withheld: Option<Withheld>,
    since: (Duration, SystemTime),

    live: Option<Arc<Live>>,
    /// The connection that fell silent, as long as it may be heard again.
    silent: Option<Arc<Live>>,
    made: u64,
    /// How long the quickest handshake took.
    handshake: Option<Duration>,
    notifications: Option<Notifications>,
    check: Option<Check>,
    leaving: Option<JoinHandle<()>>,
    /// The server of the attempt that failed last, for the next attempt of the same streak.
    kept: Option<Server>,

    origin: Option<String>,
    server: Option<Arc<ServerDescription>>,
    tools: Option<Arc<ToolList>>,
    /// Whose `tools` they are.
    tools_of: Option<Arc<Endpoint>>,
    asking: Vec<oneshot::Sender<StatusSnapshot>>,
    /// Told when the attempt under way has ended.
    looking: Vec<oneshot::Sender<()>>,
    /// Somebody said during the attempt under way that there is more to find.
    again: bool,
    closed: bool,
}

impl Keeper {
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
            race: None,
            wait: None,
            delay: None,
            resume_at: now,
            withheld: None,
            live: None,
            silent: None,
            made: 0,
            handshake: None,
            notifications: None,
            check: None,
            leaving: None,
            kept: None,
            origin: None,
            server: None,
            tools: None,
            tools_of: None,
            asking: Vec::new(),
            looking: Vec::new(),
            again: false,
            closed: false,
        }
    }

    /// Runs until it is told to close, or until the last handle is gone.
    pub(super) async fn run(mut self) {
        self.feed(Event::Start);
        let told = loop {
            match self.input().await {
                Input::Command(None) => break None,
                Input::Command(Some(Command::Close(done))) => break Some(done),
                Input::Command(Some(command)) => self.obey(command),
                Input::Waited => self.waited(),
                Input::Wanted => self.attempt_early(),
                Input::Attempted(attempted) => self.attempted(attempted),
                Input::Ended => self.heed_loss(),
                Input::Checked(lost) => self.checked(lost),
                Input::Notified(Some(notification)) => self.shared.listeners().tell(&notification),
                Input::Notified(None) => self.notifications = None,
                Input::Woke => self.heed_loss(),
            }
        };
        self.close().await;
        drop(told);
    }

    async fn input(&mut self) -> Input {
        let is_wanted = || self.shared.is_wanted();
        let early = (self.may_attempt_early() && is_wanted()).then_some(self.resume_at);
        tokio::select! {
            // An attempt that is due anyway is made before one that a caller would cause at the same moment.
            biased;
            command = self.commands.recv() => Input::Command(command),
            attempted = ended_race(&mut self.race, is_wanted) => Input::Attempted(attempted),
            () = over(&mut self.wait) => Input::Waited,
            () = reached(early) => Input::Wanted,
            () = ended(self.live.as_deref()) => Input::Ended,
            lost = answer(&mut self.check) => Input::Checked(lost),
            notification = next(&mut self.notifications) => Input::Notified(notification),
            _ = self.wakes.changed() => Input::Woke,
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Reconnect(asking) => {
                self.asking.push(asking);
                self.give_up_silent();
                self.feed(Event::ReconnectAsked);
            }
            Command::LoginDone => {
                self.give_up_silent();
                self.feed(Event::LoginDone);
            }
            Command::ConfigChanged(source) => {
                self.give_up_silent();
                self.source = source.unwrap_or_else(|| self.source.clone());
                self.feed(Event::ConfigChanged);
            }
            Command::LookAgain => self.look_again(),
            Command::Used(_) => {
                // The caller may have noticed a loss before this task did.
                self.heed_loss();
                self.used();
            }
            Command::Look(known) => self.look(known),
            Command::Lost { connection, evidence } if self.stands(connection) => self.lose(evidence),
            Command::Lost { .. } => {}
            Command::Doubtful { connection, known } if self.stands(connection) => self.ask(known),
            // It is gone already; there is nothing to find out.
            Command::Doubtful { .. } => {}
            Command::Close(_) => {}
        }
    }

    fn stands(&self, connection: u64) -> bool {
        self.live.as_ref().is_some_and(|live| live.id == connection)
    }

    /// Notices what no request has reported: a wire that ended, a machine that slept.
    fn heed_loss(&mut self) {
        let woke = self.shared.sleep.look();
        self.wakes.mark_unchanged();
        let Some(live) = &self.live else { return };
        let seen = |detail: &str| Evidence::new(Phase::Session, Outcome::Unreachable).with_detail(detail);
        let evidence = if live.slept_through(woke) {
            if let Some(woke) = woke {
                self.dial.forget_sockets(woke);
            }
            seen("this machine was asleep")
        } else if live.connection.is_closed() {
            // The same whether a request or nobody was under way.
            let why = live.connection.why_ended().map(|error| error.evidence());
            match why.filter(|evidence| matches!(evidence.outcome, Outcome::Exited { .. })) {
                Some(exited) => exited,
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
            if self.live.as_ref().is_some_and(|live| live.connection.may_outlive_silence()) {
                self.set_aside();
            }
        }
        let relayed = self.live.as_ref().is_some_and(|live| live.connection.is_relayed());
        self.part(Farewell::WhenIdle);
        // What ended there is the way to the process that keeps the connection. That says nothing about the server, so
        // whoever keeps it now is asked, at once.
        self.feed(if relayed { Event::ConfigChanged } else { Event::Lost(evidence) });
    }

    /// Asks the server whether it is still there.
    fn ask(&mut self, known: Option<oneshot::Sender<()>>) {
        let Some(live) = self.live.clone() else { return };
        let stuck_after = stuck_after(self.handshake);
        self.check.get_or_insert_with(|| Check::new(live, stuck_after)).join(known);
    }

    /// Finds out how things are for somebody who only looks: what was heard lately is believed, and what holds
    /// against mere use holds against him as well.
    fn look(&mut self, known: oneshot::Sender<()>) {
        self.heed_loss();
        match &self.live {
            Some(live) if live.has_served_within(FRESH) => {}
            Some(_) => self.ask(Some(known)),
            None => {
                if self.may_attempt_early() && Instant::now() >= self.resume_at {
                    self.attempt_early();
                }
                if self.race.is_some() {
                    self.looking.push(known);
                }
            }
        }
    }

    fn look_again(&mut self) {
        if self.race.is_some() {
            // What is under way may have begun too early to find it.
            self.again = true;
        } else if self.wait.is_some() {
            self.waited();
        } else if self.live.is_none() {
            self.feed(Event::ConfigChanged);
        }
    }

    fn used(&mut self) {
        if Instant::now() < self.resume_at {
            // Whoever waits is remembered, and served when it is time.
            return;
        }
        if self.may_attempt_early() {
            self.attempt_early();
        } else {
            self.feed(Event::Used);
        }
    }

    /// Whether a caller is worth an attempt that would have been made anyway.
    fn may_attempt_early(&self) -> bool {
        self.wait.is_some() && self.race.is_none()
    }

    fn attempt_early(&mut self) {
        self.race = Some(self.attempt());
        self.publish();
    }

    fn waited(&mut self) {
        self.wait = None;
        let early = self.race.take();
        self.feed(Event::TimerFired);
        if early.is_some() && self.race.is_some() {
            // The one that is under way already will do.
            self.race = early;
        }
    }

    fn checked(&mut self, lost: Option<Evidence>) {
        // Dropped at the end, when the status is known.
        let _check = self.check.take();
        if let Some(evidence) = lost {
            self.lose(evidence);
        }
    }

    fn attempted(&mut self, attempted: Attempted) {
        self.race = None;
        match attempted {
            Attempted::Withheld(withheld) => {
                self.withheld = Some(withheld);
                // To the machine it is what it is: nothing to contact until somebody acts, or asks again later.
                self.ended_with(Evidence::new(Phase::Connect, Outcome::Misconfigured));
            }
            Attempted::Gone => {
                self.give_up_silent();
                self.race = Some(self.attempt());
            }
            Attempted::Failed { server, error } => {
                let evidence = error.evidence();
                let streak = error.streak_of_other().cloned();
                if streak.is_none() && evidence.outcome == Outcome::Timeout {
                    self.dial.forget_sockets(Instant::now());
                }
                if let Some(server) = server {
                    self.origin = origin(&server.endpoint);
                    self.kept = Some(server);
                }
                self.resume_at = Instant::now() + USE_SPACING;
                match streak {
                    Some(streak) => self.told(streak),
                    None => self.ended_with(evidence),
                }
            }
            Attempted::Connected(fresh) => self.connected(*fresh),
        }
        if self.race.is_none() {
            // Now that the status is known.
            self.looking.clear();
            if std::mem::take(&mut self.again) {
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
    fn told(&mut self, streak: Streak) {
        let delay = streak.delay;
        let effect = self.machine.on(Event::Told(streak), self.now());
        self.carry_out_as(effect, delay);
    }

    fn attempt_event(&self, evidence: Evidence) -> Event {
        if self.wait.is_some() { Event::EarlyAttempt(evidence) } else { Event::Attempt(evidence) }
    }

    fn connected(&mut self, fresh: Fresh) {
        let Fresh { connection, notifications, listed, endpoint, silent, took } = fresh;
        self.resume_at = Instant::now();
        self.made += 1;
        let live = match &silent {
            Some(silent) => {
                // What it left unanswered is lost, and who waits for it has a limit of his own; its own stream is
                // opened anew.
                connection.pulse().write_off();
                silent.heard_again(self.made)
            }
            None => {
                self.handshake = Some(self.handshake.map_or(took, |before| before.min(took)));
                Live::new(self.made, connection.clone(), endpoint.clone())
            }
        };
        self.origin = origin(&endpoint);
        let live = Arc::new(live);
        self.live = Some(live.clone());
        if silent.is_some() {
            self.silent = None;
        }
        let event = self.attempt_event(listed.evidence);
        let effect = self.machine.on(event, self.now());
        self.wait = None;
        self.delay = None;
        if self.machine.status() == ServerStatus::Connected {
            self.server = Some(connection.server());
            // The last good list is better than none, unless it is that of another address or command (F112).
            let listed_now = listed.error.is_none() && (listed.tools.is_some() || silent.is_none());
            if listed_now || self.tools_of.as_ref() != Some(&endpoint) {
                self.tools = listed.tools.map(Arc::new);
                self.tools_of = Some(endpoint);
            }
            if let Some(notifications) = notifications {
                self.notifications = Some(notifications);
            }
            if self.policy.listen {
                self.background.spawn(async move { connection.listen().await });
            }
            // Before the status, so that whoever reads of a connection finds it.
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
    fn carry_out_as(&mut self, effect: Effect, told: Option<Duration>) {
        if effect != Effect::Nothing {
            // Every effect replaces what is under way; dropping an attempt cancels it.
            self.race = None;
            self.looking.clear();
            self.wait = None;
            self.delay = None;
            self.part(Farewell::AtOnce);
        }
        match effect {
            Effect::Connect { attempt } => {
                self.withheld = None;
                if attempt == 1 {
                    // Somebody acted, or a connection was lost: nothing of before is used again.
                    self.kept = None;
                }
                self.race = Some(self.attempt());
            }
            Effect::Wait { schedule, retry, floor } => {
                let row = match schedule {
                    Schedule::Connect => &self.policy.connect,
                    Schedule::Session => &self.policy.session,
                    _ => &self.policy.probe,
                };
                let delay = told.unwrap_or_else(|| row.wait(retry, floor));
                if let Some(floor) = floor {
                    // What the server asked for binds callers too; the delay has its cap.
                    self.resume_at = self.resume_at.max(Instant::now() + floor.min(delay));
                }
                if self.machine.evidence().is_some_and(|seen| matches!(seen.outcome, Outcome::Exited { .. }))
                {
                    self.resume_at = self.resume_at.max(Instant::now() + self.brake(schedule, retry));
                }
                self.delay = Some(delay);
                let slack = told.map_or(Duration::ZERO, |_| TOLD_SLACK);
                self.wait = Some(Box::pin(tokio::time::sleep(delay + slack)));
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
    fn attempt(&mut self) -> Race {
        self.again = false;
        let attempt = Attempt {
            dial: self.dial.clone(),
            source: self.source.clone(),
            kept: self.kept.take(),
            silent: self.silent.clone(),
            limits: self.limits.clone(),
            list: self.policy.list,
            leaving: self.leaving.take(),
            background: self.background.clone(),
        };
        Race::new(attempt, stuck_after(self.handshake))
    }

    /// Lets the connection go, if one stands.
    fn part(&mut self, farewell: Farewell) {
        let Some(live) = self.live.take() else { return };
        self.shared.install(None);
        self.check = None;
        self.notifications = None;
        self.dismiss(live, farewell);
    }

    /// Keeps a connection that fell silent, because its session may still be there when the network is.
    fn set_aside(&mut self) {
        let Some(live) = self.live.take() else { return };
        self.shared.install(None);
        self.check = None;
        live.mark_lost();
        self.silent = Some(live);
    }

    fn give_up_silent(&mut self) {
        if let Some(live) = self.silent.take() {
            self.notifications = None;
            self.dismiss(live, Farewell::WhenIdle);
        }
    }

    fn dismiss(&mut self, live: Arc<Live>, farewell: Farewell) {
        let (local, hurry) = (live.local, self.background.hurry.clone());
        let leaving = self.background.spawn(async move { live.leave(farewell, hurry).await });
        self.leaving = local.then_some(leaving);
    }

    fn publish(&mut self) {
        let since = self.machine.since();
        if since != self.since.0 {
            self.since = (since, self.shared.sleep.now());
        }
        let (status, code) = match &self.withheld {
            Some(Withheld::SwitchedOff) => (ServerStatus::Disabled, None),
            Some(Withheld::Because(reason)) => (reason.code.status(), Some(reason.code)),
            None => (self.machine.status(), self.machine.code()),
        };
        let snapshot = StatusSnapshot {
            name: self.shared.name.clone(),
            status,
            code,
            since: self.since.1,
            attempt: self.machine.attempt(),
            delay: self.delay,
            connection: self.live.as_ref().map(|live| live.id),
            server: self.server.clone(),
            tools: self.tools.clone(),
            closed: self.closed,
            origin: self.origin.clone(),
            machine: self.machine.clone(),
            withheld: self.withheld.clone(),
            attempting: self.race.is_some(),
        };
        if snapshot.is_decided() {
            for asking in self.asking.drain(..) {
                // Whoever asked may have stopped waiting.
                let _ = asking.send(snapshot.clone());
            }
        }
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

/// The end of the attempt under way.
async fn ended_race(race: &mut Option<Race>, is_wanted: impl Fn() -> bool) -> Attempted {
    match race {
        Some(race) => race.ended(is_wanted).await,
        None => pending().await,
    }
}

async fn over(wait: &mut Option<Pin<Box<Sleep>>>) {
    match wait {
        Some(wait) => wait.await,
        None => pending().await,
    }
}

async fn ended(live: Option<&Live>) {
    match live {
        Some(live) => live.connection.ended().await,
        None => pending().await,
    }
}

async fn answer(check: &mut Option<Check>) -> Option<Evidence> {
    match check {
        Some(check) => check.answer().await,
        None => pending().await,
    }
}

async fn next(notifications: &mut Option<Notifications>) -> Option<crate::Notification> {
    match notifications {
        Some(notifications) => notifications.next().await,
        None => pending().await,
    }
}
