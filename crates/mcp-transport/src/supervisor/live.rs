//! One connection while it stands, and how it goes without taking down who still uses it.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::supervisor::source::is_local;

/// A connection of a supervisor.
#[derive(Debug)]
pub(super) struct LiveConnection {
    pub(super) id: u64,
    pub(super) connection: Connection,
    pub(super) made: Instant,
    /// Whether it goes to a process of this machine, which a sleep does not part from us.
    pub(super) local: bool,
    pub(super) endpoint: Arc<Endpoint>,
    requests: TaskTracker,
    lost: AtomicBool,
    /// Since when it has been set aside, because the server says nothing.
    silent: OnceLock<Instant>,
    /// Whether it has left a question unanswered since, for as long as that is waited for.
    unanswered: AtomicBool,
    /// Whether the server answers elsewhere, and not in this session.
    replaced: AtomicBool,
}

/// How a connection goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CloseMode {
    /// Now. Requests under way fail.
    AtOnce,
    /// When the requests under way are done: an answer may still be arriving over a connection that takes no
    /// new requests.
    WhenIdle,
}

impl LiveConnection {
    pub(super) fn new(id: u64, connection: Connection, endpoint: Arc<Endpoint>) -> Self {
        let (requests, lost) = (TaskTracker::new(), AtomicBool::new(false));
        let local = is_local(&endpoint);
        Self {
            id,
            connection,
            made: Instant::now(),
            local,
            endpoint,
            requests,
            lost,
            silent: OnceLock::new(),
            unanswered: AtomicBool::new(false),
            replaced: AtomicBool::new(false),
        }
    }

    /// The same connection once more, under another number: it fell silent and was heard again. The requests that
    /// went over it before still count.
    pub(super) fn heard_again(&self, id: u64) -> Self {
        let requests = self.requests.clone();
        Self { requests, ..Self::new(id, self.connection.clone(), self.endpoint.clone()) }
    }

    /// Whether a request may go over it. `woke` is when the machine last woke from sleep.
    pub(super) fn is_usable(&self, woke: Option<Instant>) -> bool {
        !self.lost.load(Ordering::Acquire) && !self.connection.is_closed() && !self.slept_through(woke)
    }

    /// Whether the machine slept since it was made, so that the other end is probably gone.
    pub(super) fn slept_through(&self, woke: Option<Instant>) -> bool {
        !self.local && woke.is_some_and(|woke| self.made < woke)
    }

    /// Whether the server served a request so lately. A wire that is one stream tells by itself when it breaks, and the process at
    /// its end may be stopped.
    pub(super) fn has_served_within(&self, limit: Duration) -> bool {
        if self.local {
            return !self.connection.is_stopped();
        }
        let served = self.connection.activity().last_served().unwrap_or(self.made);
        served.elapsed() < limit
    }

    pub(super) fn mark_lost(&self) {
        self.lost.store(true, Ordering::Release);
    }

    /// The server says nothing, not even to a question without effects.
    pub(super) fn fell_silent(&self) {
        self.mark_lost();
        let _ = self.silent.set(Instant::now());
    }

    /// It has left a question unanswered since it fell silent.
    pub(super) fn left_unanswered(&self) {
        self.unanswered.store(true, Ordering::Release);
    }

    /// Whether another connection is worth a try beside it: it is silent not for a moment only, and goes to no process of which
    /// there would be two.
    pub(super) fn is_unanswered(&self) -> bool {
        !self.local && self.unanswered.load(Ordering::Acquire)
    }

    /// The server has answered in another session, or does not know this one: it is not so busy that it answers nothing, and
    /// what it was asked here will hardly be answered any more.
    pub(super) fn was_replaced(&self) {
        self.replaced.store(true, Ordering::Release);
    }

    /// When its session counts as dead, as the server has been silent in it for so long. Its calls have no limit of their own, and
    /// a busy server that answers nothing beside its work is not told from a dead one sooner; one that answers elsewhere is.
    fn dead_at(&self) -> Option<Instant> {
        let patience = match self.replaced.load(Ordering::Acquire) {
            true => self.connection.first_byte_limit(),
            false => self.connection.patience_with_silence(),
        };
        Some(*self.silent.get()? + patience)
    }

    /// Ends the calls under way where the server has been silent for too long.
    pub(super) fn give_up_calls_of_dead(&self) {
        if self.dead_at().is_some_and(|dead| dead <= Instant::now()) {
            self.connection.activity().write_off();
        }
    }

    /// Closes it. With `hurry` the requests under way are waited for no longer.
    pub(super) async fn leave(&self, close_mode: CloseMode, hurry: CancellationToken) {
        self.mark_lost();
        self.requests.close();
        if close_mode == CloseMode::WhenIdle {
            let idle = async {
                if let Some(dead) = self.dead_at() {
                    if tokio::time::timeout_at(dead, self.requests.wait()).await.is_ok() {
                        return;
                    }
                    self.connection.activity().write_off();
                }
                self.requests.wait().await;
            };
            let _ = hurry.run_until_cancelled(idle).await;
        }
        self.connection.close().await;
    }
}

/// The right to use a connection for one request; derefs to the [`Connection`].
///
/// A connection that is given up is closed when its last lease is dropped, so hold one no longer than a request
/// takes. Tell [`SupervisorHandle::report`](crate::SupervisorHandle::report) about errors: that is how a loss is
/// noticed on a wire of single requests.
pub struct Lease {
    pub(super) live: Arc<LiveConnection>,
    _request: TaskTrackerToken,
}

impl Lease {
    pub(super) fn new(live: Arc<LiveConnection>) -> Self {
        let _request = live.requests.token();
        Self { live, _request }
    }

    /// The number of the connection among those of its supervisor; 1 is the first.
    pub fn id(&self) -> u64 {
        self.live.id
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.live.connection
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("id", &self.live.id).finish_non_exhaustive()
    }
}
