//! What the parts of a running bridge share.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use mcp_transport::message::Era;
use mcp_transport::{ServerDescription, SupervisorHandle};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::BridgeConfig;
use crate::describe::Description;
use crate::era::severity;
use crate::host::Host;
use crate::lists::Lists;
use crate::profile::Introduction;
use crate::questions::Exchanges;
use crate::subscriptions::{LIST_CHANGES, Subscriptions};

/// A running bridge.
pub(crate) struct Core {
    pub(crate) config: BridgeConfig,
    pub(crate) host: Host,
    pub(crate) introduction: Introduction,
    pub(crate) lists: Lists,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) exchanges: Arc<Exchanges>,
    pub(crate) log: Log,
    /// Whether the host takes more than answers: a legacy one does after its handshake.
    pub(crate) ready: watch::Sender<bool>,
    server: OnceLock<SupervisorHandle>,
}

impl Core {
    pub(crate) fn new(config: BridgeConfig, host: Host) -> Self {
        Self {
            config,
            host,
            introduction: Introduction::default(),
            lists: Lists::default(),
            subscriptions: Subscriptions::default(),
            exchanges: Exchanges::new(),
            log: Log::default(),
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

    /// What the host is told that it speaks to.
    pub(crate) fn describe<T>(&self, read: impl FnOnce(Description<'_>) -> T) -> T {
        let known = self.known_server();
        let (name, version) = (&*self.config.name, &*self.config.version);
        read(Description { name, version, known: known.as_deref() })
    }

    /// Waits until the host takes questions.
    pub(crate) async fn host_is_ready(&self) {
        // Fails only when the bridge has ended.
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Tells the host that the lists it has may be old.
    pub(crate) fn tell_lists_changed(&self) {
        for method in LIST_CHANGES {
            match self.introduction.era() {
                Era::Legacy if *self.ready.borrow() => self.host.notify(method, None),
                Era::Legacy => {}
                Era::Modern => self
                    .subscriptions
                    .deliver(method, None, |method, params| self.host.notify(method, Some(params))),
            }
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("name", &self.config.name).finish_non_exhaustive()
    }
}

/// How long after its answer a request still wants log messages. A legacy server may write them to another stream than
/// the answer, and two streams are read in any order.
const LOG_LINGER: Duration = Duration::from_secs(2);

/// Which log messages the host wants.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<LogState>);

#[derive(Debug, Default)]
struct LogState {
    /// What a legacy host set, for every connection to come.
    set: Option<String>,
    /// What the present connection to a legacy server was told for modern requests.
    told: Option<u8>,
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
    pub(crate) fn set(&self, level: String) {
        self.state().set = Some(level);
    }

    pub(crate) fn level(&self) -> Option<String> {
        self.state().set.clone()
    }

    /// A request wants messages from this level on, until the guard is dropped and a moment longer; says whether a
    /// legacy server must be told first.
    pub(crate) fn want(&self, level: &str) -> Option<(LogWish<'_>, bool)> {
        let level = severity(level)?;
        let mut state = self.state();
        state.wanted.push(level);
        let must_tell = state.told.is_none_or(|told| told > level);
        if must_tell {
            state.told = Some(level);
        }
        Some((LogWish { log: self, level }, must_tell))
    }

    /// A new connection knows nothing of the levels.
    pub(crate) fn forget_told(&self) {
        self.state().told = None;
    }

    /// Whether a modern request wants a message of this level.
    pub(crate) fn is_wanted(&self, level: Option<u8>) -> bool {
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
pub(crate) struct LogWish<'a> {
    log: &'a Log,
    level: u8,
}

impl Drop for LogWish<'_> {
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
