//! What the parts of a running bridge share.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use mcp_status::{Action, Reason, ReasonCode, ServerStatus, StatusReport};
use mcp_transport::message::methods::LIST_CHANGES;
use mcp_transport::message::{Era, Members};
use mcp_transport::{ServerDescription, SupervisorHandle};
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::describe::Description;
use crate::early::EarlyInbox;
use crate::era::severity;
use crate::host::HostChannel;
use crate::lists::Lists;
use crate::memory;
use crate::profile::Introduction;
use crate::questions::Exchanges;
use crate::subscriptions::Subscriptions;
use crate::{BridgeConfig, SignIn};

/// A running bridge.
pub(crate) struct RunningBridge {
    pub(crate) config: BridgeConfig,
    pub(crate) host: HostChannel,
    pub(crate) introduction: Introduction,
    pub(crate) lists: Lists,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) exchanges: Arc<Exchanges>,
    pub(crate) log: Log,
    pub(crate) early: EarlyInbox,
    /// The host is gone, or the bridge was told to end: what waits for something to be known waits no longer.
    pub(crate) ending: CancellationToken,
    /// What an earlier process was told by the server.
    recalled: OnceLock<Option<Arc<ServerDescription>>>,
    /// Lists have changed, and the host did not listen.
    missed: AtomicBool,
    /// The host is to hear that its lists may be old, as soon as the server has shown that it has any.
    owed: AtomicBool,
    /// How a person is asked to sign in, until one was.
    sign_in: Mutex<Option<SignIn>>,
    /// The capabilities that the host was told of.
    offered: Mutex<Option<Box<RawValue>>>,
    /// Whether the host takes more than answers: a legacy one does after its handshake.
    pub(crate) ready: watch::Sender<bool>,
    server: OnceLock<SupervisorHandle>,
}

impl RunningBridge {
    pub(crate) fn new(config: BridgeConfig, host: HostChannel) -> Self {
        let sign_in = config.sign_in.clone();
        Self {
            config,
            host,
            introduction: Introduction::default(),
            lists: Lists::default(),
            subscriptions: Subscriptions::default(),
            exchanges: Exchanges::new(),
            log: Log::default(),
            early: EarlyInbox::default(),
            ending: CancellationToken::new(),
            recalled: OnceLock::new(),
            missed: AtomicBool::new(false),
            owed: AtomicBool::new(false),
            sign_in: Mutex::new(sign_in),
            offered: Mutex::default(),
            ready: watch::Sender::new(false),
            server: OnceLock::new(),
        }
    }

    /// The server; `None` before the host has said who it is, because the server is told the same.
    pub(crate) fn server(&self) -> Option<&SupervisorHandle> {
        self.server.get()
    }

    pub(crate) fn install(&self, handle: SupervisorHandle) {
        // There is one introduction, so there is one server.
        drop(self.server.set(handle));
    }

    /// What the server said about itself when it was last connected, and the revision that is spoken by now.
    pub(crate) fn known_server(&self) -> Option<Arc<ServerDescription>> {
        self.server()?.server()
    }

    /// The era of the server, while there is a connection to it.
    pub(crate) fn connected_era(&self) -> Option<Era> {
        self.server()?.snapshot().connection?;
        self.known_server().map(|server| server.revision.era())
    }

    /// Looks for what an earlier process was told by the server, once.
    pub(crate) async fn recall(&self) {
        if self.recalled.get().is_none() {
            let memory = self.config.memory.clone();
            let recalled = tokio::task::spawn_blocking(move || memory::read(&memory?.recall()?)).await;
            // There is one memory, so it does not matter who was first.
            drop(self.recalled.set(recalled.ok().flatten().map(Arc::new)));
        }
    }

    /// Whether anything is known of the server, from now or from an earlier process.
    pub(crate) fn is_described(&self) -> bool {
        self.described().is_some()
    }

    fn described(&self) -> Option<Arc<ServerDescription>> {
        self.known_server().or_else(|| self.recalled.get().cloned().flatten())
    }

    /// What the host, which is of this era, is told that it speaks to.
    pub(crate) fn describe<T>(&self, host: Era, read: impl FnOnce(&Description<'_>) -> T) -> T {
        let known = self.described();
        let (name, version) = (&*self.config.name, &*self.config.version);
        let description = Description { name, version, known: known.as_deref() };
        *self.offered() = Some(description.capabilities(host));
        read(&description)
    }

    /// There is a connection. What the server says of itself is kept for the next process, and where it is not what the host
    /// was told, the host has lists to ask for again.
    pub(crate) fn meet(&self) {
        let Some(server) = self.known_server() else { return };
        let (name, version) = (&*self.config.name, &*self.config.version);
        let now = Description { name, version, known: Some(&server) }.capabilities(self.introduction.era());
        if self.offered().as_ref().is_some_and(|offered| offered.get() != now.get()) {
            self.lists.owe_news();
        }
        let Some(memory) = self.config.memory.clone() else { return };
        let kept = self.recalled.get().cloned().flatten().and_then(|kept| memory::write(&kept));
        // Security: what a server repeats of a token is told to the host, and never written down.
        let is_safe = |text: &String| self.server().is_none_or(|server| !server.is_given_away_by(text));
        if let Some(text) = memory::write(&server).filter(|text| kept.as_ref() != Some(text) && is_safe(text))
        {
            tokio::task::spawn_blocking(move || memory.keep(&text));
        }
    }

    /// Whether the host may hear that the list of this kind has changed: it was offered one, or there is one now.
    fn has_list(&self, kind: &str) -> bool {
        let is_offered = self.offered().as_deref().is_some_and(|offered| {
            Members::read(offered.get()).is_some_and(|members| members.get(kind).is_some())
        });
        is_offered || self.known_server().is_some_and(|server| server.has(kind))
    }

    fn offered(&self) -> MutexGuard<'_, Option<Box<RawValue>>> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when it is known how the first attempt to connect ended, after `limit`, or when the bridge ends.
    pub(crate) async fn decided(&self, limit: Duration) {
        let Some(server) = self.server() else { return };
        let mut status = server.status();
        let known = status.wait_for(|snapshot| {
            snapshot.connection.is_some()
                || snapshot.status != ServerStatus::Pending
                || snapshot.code == Some(ReasonCode::Retrying)
        });
        tokio::select! {
            _ = known => {}
            () = tokio::time::sleep(limit) => {}
            () = self.ending.cancelled() => {}
        }
    }

    /// The loop that the server is known to be part of.
    pub(crate) fn self_reference(&self) -> Option<Reason> {
        let reason = self.server()?.snapshot().reason();
        reason.filter(|reason| reason.code == ReasonCode::SelfReference)
    }

    /// Waits until the host takes questions.
    pub(crate) async fn host_is_ready(&self) {
        // Fails only when the bridge has ended.
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// The host takes more than answers from now on.
    pub(crate) fn becomes_ready(&self) {
        self.ready.send_if_modified(|ready| !std::mem::replace(ready, true));
        self.tell_what_was_missed();
    }

    /// Tells the host that the lists it has may be old. Where it does not listen yet, it hears of it when it does.
    pub(crate) fn tell_lists_changed(&self) {
        self.missed.store(true, Ordering::Release);
        self.tell_what_was_missed();
    }

    /// The connection or its session is a new one, or the host was told what did not come from the server. The lists may be
    /// others; but a server that refuses everything has none to offer, and a host that asks for lists each time would ask in
    /// vain.
    pub(crate) fn owe_lists(&self) {
        self.owed.store(true, Ordering::Release);
    }

    /// The server has answered.
    pub(crate) fn session_works(&self) {
        if self.owed.load(Ordering::Acquire) && self.owed.swap(false, Ordering::AcqRel) {
            self.tell_lists_changed();
        }
    }

    /// Asks a person to sign in, once in the life of a bridge, where `report` says that this is what the server wants.
    pub(crate) fn ask_for_sign_in(&self, report: &StatusReport) {
        let helps = |action: &Action| matches!(action, Action::Authenticate | Action::ReAuthenticate);
        if report.status != ServerStatus::NeedsAuth || !report.actions.iter().any(helps) {
            return;
        }
        let sign_in = self.sign_in.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(sign_in), Some(server)) = (sign_in, self.server().cloned()) else { return };
        tokio::spawn(async move {
            if sign_in().await {
                server.login_done();
            }
        });
    }

    /// What was to be told before the host listened.
    pub(crate) fn tell_what_was_missed(&self) {
        let era = self.introduction.era();
        let listens = match era {
            Era::Legacy => *self.ready.borrow(),
            Era::Modern => self.subscriptions.is_heard(),
        };
        if !listens || !self.missed.swap(false, Ordering::AcqRel) {
            return;
        }
        for (_, method) in LIST_CHANGES.into_iter().filter(|(kind, _)| self.has_list(kind)) {
            match era {
                Era::Legacy => self.host.notify(method, None),
                Era::Modern => self
                    .subscriptions
                    .deliver(method, None, |method, params| self.host.notify(method, Some(params))),
            }
        }
    }
}

impl fmt::Debug for RunningBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("name", &self.config.name).finish_non_exhaustive()
    }
}

/// How long after its answer a request still wants log messages. A legacy server may write them to another stream than
/// the answer, and two streams are read in any order.
const LOG_LINGER: Duration = Duration::from_secs(2);

/// Which log messages the host wants.
#[derive(Debug, Default)]
pub struct Log(Mutex<LogState>);

#[derive(Debug, Default)]
struct LogState {
    /// What a legacy host set, for every connection to come.
    set: Option<String>,
    /// The level that the present connection to a legacy server has for modern requests.
    level_sent: Option<u8>,
    /// The levels of the modern requests under way.
    wanted: Vec<u8>,
    /// The lowest level of the requests that were answered a moment ago, and until when it counts.
    lingering: Option<(u8, Instant)>,
}

impl LogState {
    fn lingering(&self) -> Option<u8> {
        self.lingering.filter(|(_, until)| Instant::now() < *until).map(|(level, _)| level)
    }
}

impl Log {
    /// A legacy host wants messages from this level on.
    pub fn set(&self, level: String) {
        self.state().set = Some(level);
    }

    /// The level that a legacy host has set.
    pub fn level(&self) -> Option<String> {
        self.state().set.clone()
    }

    /// A request wants messages from this level on, until the guard is dropped and a moment longer; says whether a
    /// legacy server must be told first.
    pub fn want(&self, level: &str) -> Option<(LogRequest<'_>, bool)> {
        let level = severity(level)?;
        let mut state = self.state();
        state.wanted.push(level);
        let must_tell = state.level_sent.is_none_or(|sent| sent > level);
        if must_tell {
            state.level_sent = Some(level);
        }
        Some((LogRequest { log: self, level }, must_tell))
    }

    /// A new connection knows nothing of the levels.
    pub(crate) fn forget_told(&self) {
        self.state().level_sent = None;
    }

    /// Whether a modern request wants a message of this level.
    pub fn is_wanted(&self, level: Option<u8>) -> bool {
        let state = self.state();
        let wanted = state.wanted.iter().copied().chain(state.lingering()).min();
        wanted.is_some_and(|wanted| level.is_none_or(|level| level >= wanted))
    }

    fn state(&self) -> MutexGuard<'_, LogState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that wants log messages.
#[derive(Debug)]
pub struct LogRequest<'a> {
    log: &'a Log,
    level: u8,
}

impl Drop for LogRequest<'_> {
    fn drop(&mut self) {
        let mut state = self.log.state();
        if let Some(at) = state.wanted.iter().position(|level| *level == self.level) {
            state.wanted.swap_remove(at);
        }
        let lowest = state.lingering().map_or(self.level, |level| level.min(self.level));
        state.lingering = Some((lowest, Instant::now() + LOG_LINGER));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_message_is_wanted_while_a_request_that_wants_it_is_under_way() {
        let log = Log::default();
        assert!(!log.is_wanted(Some(7)));
        let (warning, tell) = log.want("warning").unwrap();
        assert!(tell && log.is_wanted(Some(3)) && !log.is_wanted(Some(2)) && log.is_wanted(None));
        let (info, tell) = log.want("info").unwrap();
        assert!(tell && log.is_wanted(Some(1)));
        let (error, tell) = log.want("error").unwrap();
        assert!(!tell, "the server tells more than that already");
        drop((info, error));
        tokio::time::advance(LOG_LINGER).await;
        assert!(!log.is_wanted(Some(1)));
        drop(warning);
        tokio::time::advance(LOG_LINGER).await;
        assert!(!log.is_wanted(Some(7)));
        log.forget_told();
        assert!(log.want("error").unwrap().1);
        assert!(log.want("loud").is_none());
    }

    /// Streamable HTTP servers write what they log to their own stream, which is read beside that of the answer.
    #[tokio::test(start_paused = true)]
    async fn a_message_that_is_read_after_the_answer_is_wanted_for_a_moment() {
        let log = Log::default();
        drop(log.want("error").unwrap());
        drop(log.want("info").unwrap());
        tokio::time::advance(LOG_LINGER / 2).await;
        assert!(log.is_wanted(Some(1)) && !log.is_wanted(Some(0)));
        drop(log.want("error").unwrap());
        tokio::time::advance(LOG_LINGER).await;
        assert!(!log.is_wanted(Some(7)));
    }
}
