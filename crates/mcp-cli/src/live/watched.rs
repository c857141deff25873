//! The servers of the configuration while a command goes on: each is connected to once and held, and the files are followed.
//! Nothing is connected, started or run because of a look.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mcp_connect::ConfiguredServer;
use mcp_status::{MachinePolicy, ReasonCode, ServerStatus};
use mcp_transport::SupervisorHandle;
use mcp_transport::fleet::{Fleet, FleetChange, FleetChanges, FleetConfig, FleetEntry};
use mcp_transport::retry::RetryPolicy;
use mcp_transport::supervisor::{Decision, StartLimits, StatusSnapshot, SupervisorPolicy};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};

use super::entry::{Entry, Target, watched};
use super::follow::{Files, WatchState, pace};
use crate::app::App;
use crate::error::CliError;
use crate::loaded::LoadedConfig;
use crate::problems::problem_text;
use crate::steps::Steps;
use crate::view::row::{Row, Session};

/// Between two looks at the files, and at what is due.
const TICK: Duration = Duration::from_millis(300);
/// Between two questions to live sessions.
const SESSIONS: Duration = Duration::from_secs(5);
/// What an attempt that is made because it is time may keep anything from being seen.
const ATTEMPT_LIMIT: Duration = Duration::from_millis(1200);
/// What closing all connections may take at the end.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// How often something is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intervals {
    /// Between two questions without effects to a remote server. A local one tells its end by itself.
    ask: Duration,
    /// Before a server is tried again that refused, or failed for good: the first time, and at the most. It may cost a
    /// run of a helper each time.
    again: (Duration, Duration),
    /// Between the attempts to reach one that is down: the first, and the longest.
    probe: (Duration, Duration),
}

impl Intervals {
    /// For a person who leaves it open over night.
    pub(crate) fn watch() -> Self {
        let seconds = Duration::from_secs;
        Self { ask: seconds(5), again: (seconds(30), seconds(300)), probe: (seconds(5), seconds(60)) }
    }

    /// For a person who waits for it.
    pub(crate) fn wait() -> Self {
        let seconds = Duration::from_secs;
        Self { ask: seconds(5), again: (seconds(1), seconds(10)), probe: (seconds(1), seconds(10)) }
    }

    fn policy(self) -> SupervisorPolicy {
        let mut policy = SupervisorPolicy::long_lived();
        // What the first attempt came to is told at once.
        policy.machine = MachinePolicy::long_lived().with_connect_retries(0);
        policy.machine.latch = self.again.0;
        policy.probe = RetryPolicy::probe().with_max_retries(6).with_delays(self.probe.0, 2.0, self.probe.1);
        policy
    }
}

/// The servers, held.
#[derive(Debug)]
pub(crate) struct WatchedServers {
    app: Arc<App>,
    /// Those that were asked for by name; all that are configured where there is none.
    named: Vec<String>,
    pacing: Intervals,
    fleet: Fleet,
    changes: FleetChanges,
    /// In the order in which they were asked for, or are configured.
    members: Vec<Member>,
    files: Files,
    problems: Vec<String>,
    ticks: Interval,
    sessions: Option<JoinHandle<SessionsByName>>,
    sessions_due: Instant,
}

/// What live sessions say, by the name of their server.
type SessionsByName = Vec<(String, Vec<Session>)>;

/// Since when a server has been as it is. Each attempt at one that stays down is news of the same, and no beginning.
#[derive(Debug, Default)]
struct StatusPeriod(Option<(StatusKey, SystemTime)>);

/// Status, reason and connection.
type StatusKey = (ServerStatus, Option<ReasonCode>, Option<u64>);

impl StatusPeriod {
    fn key(snapshot: &StatusSnapshot) -> StatusKey {
        (snapshot.status, snapshot.code, snapshot.connection)
    }

    fn note(&mut self, key: StatusKey, at: SystemTime) {
        if self.since(&key).is_none() {
            self.0 = Some((key, at));
        }
    }

    fn since(&self, key: &StatusKey) -> Option<SystemTime> {
        self.0.as_ref().filter(|(known, _)| known == key).map(|(_, at)| *at)
    }
}

#[derive(Debug)]
struct Member {
    name: String,
    entry: Arc<Entry>,
    handle: SupervisorHandle,
    attention: WatchState,
    sessions: Vec<Session>,
    /// When the attempt began that is under way, or what the last one took.
    began: Instant,
    took: Option<Duration>,
    /// When the server is asked whether it is there.
    ask_at: Instant,
    /// When one that refused is tried again, and the pause behind that.
    again: Option<(Instant, Duration)>,
    lasting: StatusPeriod,
}

/// Something that happened.
#[derive(Debug)]
pub(crate) enum WatchEvent {
    Change(FleetChange),
    Tick,
}

/// One server as it is now.
#[derive(Clone, Debug)]
pub(crate) struct ServerView {
    pub(crate) row: Row,
    /// The line of its file where it begins.
    #[cfg_attr(not(feature = "menu"), expect(dead_code, reason = "the menu alone opens it there"))]
    pub(crate) line: Option<usize>,
    /// Since when.
    pub(crate) since: SystemTime,
    /// Whether anything is known of it: it is not merely being connected to.
    pub(crate) is_known: bool,
    /// Whether a command gives it its headers.
    #[cfg_attr(not(feature = "menu"), expect(dead_code, reason = "the menu alone has a key for it"))]
    pub(crate) has_helper: bool,
    /// Which connection stands, of those that were made.
    pub(crate) connection: Option<u64>,
}

impl WatchedServers {
    /// Begins to connect to the servers of these names, or to all where there is none.
    ///
    /// # Errors
    ///
    /// As a command about them: where one is not known, or the configuration cannot be used at all.
    pub(crate) async fn start(app: &Arc<App>, names: &[String], pacing: Intervals) -> Result<Self, CliError> {
        let loaded = app.load()?;
        let configured = loaded.wired_named(app, names).await?;
        if !app.json {
            loaded.note_problems_of(app, names, &configured);
            if configured.is_empty() {
                loaded.note_nothing(app);
            }
        }
        let mut config = FleetConfig::default();
        config.policy = pacing.policy();
        config.limits = StartLimits::new(app.remote_batch(), app.stdio_batch());
        let fleet = Fleet::new(app.host.connector().clone(), config);
        app.open.keep_all(&fleet);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut watched = Self {
            app: app.clone(),
            named: Vec::new(),
            pacing,
            changes: fleet.changes(),
            fleet,
            members: Vec::new(),
            files: Files::default(),
            problems: Vec::new(),
            ticks,
            sessions: None,
            sessions_due: Instant::now(),
        };
        if !names.is_empty() {
            watched.named = configured.iter().map(|configured| configured.description.name.clone()).collect();
        }
        watched.members =
            configured.into_iter().filter_map(|configured| watched.member(configured)).collect();
        watched.files.paths = self::watched(app, &loaded);
        Ok(watched)
    }

    /// Waits for something to happen. Dropping the future loses nothing.
    pub(crate) async fn next_event(&mut self) -> WatchEvent {
        tokio::select! {
            biased;
            Some(change) = self.changes.next() => WatchEvent::Change(change),
            _ = self.ticks.tick() => WatchEvent::Tick,
        }
    }

    /// Acts on it.
    pub(crate) async fn apply(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Change(FleetChange::Status(snapshot)) => {
                if let Some(member) = self.members.iter_mut().find(|member| *member.name == *snapshot.name) {
                    member.observe(&snapshot, self.pacing);
                }
            }
            WatchEvent::Change(_) => {}
            WatchEvent::Tick => {
                let all_stand = self.members.iter().all(|member| member.status() == ServerStatus::Connected);
                let is_due = self.files.are_due(pace(all_stand)).await;
                if is_due || self.members.iter().any(|member| member.attention.is_due()) {
                    self.read_files().await;
                }
                let now = Instant::now();
                for member in &mut self.members {
                    member.do_what_is_due(now, self.pacing);
                }
                self.ask_sessions(now).await;
            }
        }
    }

    /// The servers as they are now, in order.
    pub(crate) fn seen(&self) -> Vec<ServerView> {
        self.members.iter().map(|member| member.seen(&self.app.steps)).collect()
    }

    /// What the first attempt at the server of this name waits for.
    pub(crate) fn awaited(&self, name: &str) -> Option<String> {
        self.members.iter().find(|member| member.name == name)?.entry.latest().awaited()
    }

    /// What is wrong with the files.
    pub(crate) fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Connects afresh to the server of this name.
    #[cfg_attr(not(feature = "menu"), expect(dead_code, reason = "the menu alone has a person ask for it"))]
    pub(crate) fn reconnect(&mut self, name: &str) -> Option<Decision> {
        let member = self.members.iter_mut().find(|member| member.name == name)?;
        member.again = None;
        Some(member.handle.reconnect())
    }

    /// The connection to the server of this name, and its entry.
    #[cfg_attr(not(feature = "menu"), expect(dead_code, reason = "the menu alone uses what it shows"))]
    pub(crate) fn held(&self, name: &str) -> Option<(SupervisorHandle, Arc<ConfiguredServer>)> {
        let member = self.members.iter().find(|member| member.name == name)?;
        Some((member.handle.clone(), member.entry.latest()))
    }

    /// Lets go of all connections, in bounded time.
    pub(crate) async fn close(self) {
        let limit = crate::deadline::closing_time(self.app.deadline, CLOSE_LIMIT);
        drop(timeout(limit, self.fleet.close()).await);
    }

    fn member(&self, configured: ConfiguredServer) -> Option<Member> {
        let name = configured.description.name.clone();
        let entry = Arc::new(Entry::new(self.app.clone(), Target::new(&name), None, Arc::new(configured)));
        let source = entry.clone();
        let read = move || {
            let entry = source.clone();
            async move { entry.read().await.map(|(server, _)| server) }
        };
        // Which definition it is, the entry itself knows best.
        let handle = self.fleet.insert(FleetEntry::new(&*name, "", read))?;
        let now = Instant::now();
        Some(Member {
            name,
            entry,
            handle,
            attention: WatchState::default(),
            sessions: Vec::new(),
            began: now,
            took: None,
            ask_at: now + self.pacing.ask,
            again: None,
            lasting: StatusPeriod::default(),
        })
    }

    /// The files have changed: what is new is taken up, what is another one hears of it, what is gone is let go.
    async fn read_files(&mut self) {
        let app = self.app.clone();
        // A file may be on a network drive, and large.
        let loaded = match tokio::task::spawn_blocking(move || app.load()).await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(error)) => {
                self.problems = vec![error.message];
                return;
            }
            Err(_) => return,
        };
        self.files.paths = self::watched(&self.app, &loaded);
        let broken: Vec<String> = loaded.config.broken_files().map(problem_text).collect();
        let names = if self.named.is_empty() { loaded.names() } else { self.named.clone() };
        let mut before: BTreeMap<String, Member> = std::mem::take(&mut self.members)
            .into_iter()
            .map(|member| (member.name.clone(), member))
            .collect();
        for name in names {
            let member = match before.remove(&name) {
                Some(member) => Some(self.heard(member, &loaded).await),
                None => match loaded.found(&self.app, &name).await {
                    Ok(configured) => self.member(configured),
                    Err(_) => None,
                },
            };
            self.members.extend(member);
        }
        for (name, member) in before {
            if broken.is_empty() {
                let fleet = self.fleet.clone();
                tokio::spawn(async move { fleet.remove(&name).await });
            } else {
                // Half a file, or one that was broken by mistake, takes nothing away.
                self.members.push(member);
            }
        }
        self.problems = broken;
    }

    /// Lets the server of `member` hear what has changed of its entry.
    async fn heard(&mut self, mut member: Member, loaded: &LoadedConfig) -> Member {
        let mut look = member.entry.look_in(loaded).await;
        // Of the entry alone: what concerns all of them is known.
        let files = look.files.take().unwrap_or_default();
        let known: std::collections::BTreeSet<_> = self.files.paths.iter().cloned().collect();
        self.files.paths.extend(files.into_iter().filter(|file| !known.contains(file)));
        let news = member.attention.event(look, &member.entry.standing(), member.status());
        self.files.again |= member.attention.again;
        if let Some(news) = news {
            news.tell(&member.handle);
        }
        member
    }

    /// Has live sessions say how they are, now and then and beside everything else.
    async fn ask_sessions(&mut self, now: Instant) {
        if let Some(asked) = self.sessions.take_if(|asked| asked.is_finished()) {
            let mut said: BTreeMap<String, Vec<Session>> =
                asked.await.unwrap_or_default().into_iter().collect();
            for member in &mut self.members {
                member.sessions = said.remove(&member.name).unwrap_or_default();
            }
        }
        if self.sessions.is_none() && now >= self.sessions_due {
            self.sessions_due = now + SESSIONS;
            let app = self.app.clone();
            let configured: Vec<Arc<ConfiguredServer>> =
                self.members.iter().map(|member| member.entry.latest()).collect();
            self.sessions = Some(tokio::spawn(async move {
                let said =
                    super::of(&app.environment, configured.iter().map(|configured| &**configured)).await.live;
                configured.iter().map(|configured| configured.description.name.clone()).zip(said).collect()
            }));
        }
    }
}

impl Member {
    fn status(&self) -> ServerStatus {
        self.handle.snapshot().status
    }

    fn observe(&mut self, snapshot: &StatusSnapshot, pacing: Intervals) {
        let now = Instant::now();
        if is_known(snapshot) {
            self.lasting.note(StatusPeriod::key(snapshot), snapshot.since);
        }
        match (is_known(snapshot), self.took) {
            (true, None) => self.took = Some(now - self.began),
            (false, Some(_)) => (self.took, self.began) = (None, now),
            _ => {}
        }
        if snapshot.status == ServerStatus::Connected {
            self.again = None;
            self.ask_at = now + pacing.ask;
        }
    }

    fn do_what_is_due(&mut self, now: Instant, pacing: Intervals) {
        let snapshot = self.handle.snapshot();
        let is_remote = !self.entry.latest().is_stdio();
        // One that is down is tried, one that refused is left alone.
        if is_remote && now >= self.ask_at {
            self.ask_at = now + pacing.ask;
            let handle = self.handle.clone();
            tokio::spawn(async move { handle.verify().await });
        }
        let stays = matches!(snapshot.status, ServerStatus::NeedsAuth | ServerStatus::Failed)
            && self.entry.latest().state.is_ok();
        if !stays {
            return;
        }
        let (at, pause) = *self.again.get_or_insert((now + pacing.again.0, pacing.again.0));
        if now >= at {
            let pause = (pause * 2).min(pacing.again.1);
            self.again = Some((now + pause, pause));
            let handle = self.handle.clone();
            // As for any other use of it: a refusal holds no longer than that.
            tokio::spawn(async move { drop(timeout(ATTEMPT_LIMIT, handle.lease()).await) });
        }
    }

    fn seen(&self, steps: &Steps) -> ServerView {
        let (configured, snapshot) = (self.entry.latest(), self.handle.snapshot());
        let report =
            configured.without_secrets(snapshot.report_with(&configured.context(), configured.facts()));
        let took = self.took.unwrap_or_else(|| self.began.elapsed());
        ServerView {
            row: Row::of(&configured, report, took, steps).with_sessions(self.sessions.clone()),
            line: configured.description.line,
            since: self.lasting.since(&StatusPeriod::key(&snapshot)).unwrap_or(snapshot.since),
            is_known: is_known(&snapshot),
            // One that waits for an approval, or is off, is not run by anything.
            has_helper: configured.state.is_ok()
                && configured.auth.as_ref().is_some_and(|auth| auth.plan.settings().helper.is_some()),
            connection: snapshot.connection,
        }
    }
}

/// Whether there is something to say: it is not merely being connected to for the first time.
fn is_known(snapshot: &StatusSnapshot) -> bool {
    snapshot.status != ServerStatus::Pending
        || snapshot.code.is_some_and(|code| code != ReasonCode::Connecting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_as_it_is_began_when_it_became_so() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let down = (ServerStatus::Failed, Some(ReasonCode::Unreachable), None);
        let refused = (ServerStatus::Failed, Some(ReasonCode::NotFound), None);
        let up = |connection| (ServerStatus::Connected, None, Some(connection));
        let mut lasting = StatusPeriod::default();
        for (key, seen, since) in [
            (down, 1, 1),
            (down, 60, 1),
            (refused, 61, 61),
            (down, 62, 62),
            (up(1), 70, 70),
            (up(1), 80, 70),
            (up(2), 90, 90),
        ] {
            lasting.note(key, at(seen));
            assert_eq!(lasting.since(&key), Some(at(since)), "{key:?} at {seen}");
        }
        assert_eq!(lasting.since(&down), None);
    }
}
