//! One bridge's share of a connection, as its program holds it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_bridge::SharingRole;
use mcp_bridge::shared::UpstreamChange;
use tokio::io::{AsyncReadExt, BufReader};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::SharedSource;
use crate::address::Address;
use crate::hub::Hub;
use crate::opening::{self, Reply, Request};
use crate::socket::Socket;

/// How long a reconnect may take that another process makes: as long as a command waits for it.
const RECONNECT_LIMIT: Duration = Duration::from_secs(45);

/// One bridge's share of a connection. Cheap to clone; all clones are the same share.
#[derive(Clone)]
pub struct Share(Arc<ShareState>);

struct ShareState {
    directory: PathBuf,
    /// The process that it is of.
    pid: u32,
    source: Arc<dyn SharedSource>,
    state: Mutex<State>,
    /// There is something in `State::change`.
    changed: Notify,
}

#[derive(Default)]
pub(crate) struct State {
    /// Where it went last.
    pub(crate) address: Option<Address>,
    /// The process that it found there.
    pub(crate) owner: Option<u32>,
    pub(crate) hub: Option<Arc<Hub>>,
    change: Option<UpstreamChange>,
    /// Whether the next visit is because of a change, and not because a host waits for the server.
    pub(crate) is_unasked: bool,
    /// Waits until a failure that was told is no longer the last word.
    pub(crate) waiting: Option<AbortOnDropHandle<()>>,
    pub(crate) ended: bool,
}

impl Share {
    /// A share in `directory`, which only this account may enter: it is made so. Bridges that may share must be given
    /// the same one.
    pub fn new(directory: impl Into<PathBuf>, source: impl SharedSource) -> Self {
        Self::of_process(std::process::id(), directory, source)
    }

    /// The share of this process, which is another one in simulations of several.
    pub(crate) fn of_process(pid: u32, directory: impl Into<PathBuf>, source: impl SharedSource) -> Self {
        let (directory, source) = (directory.into(), Arc::new(source));
        Self(Arc::new(ShareState { directory, pid, source, state: Mutex::default(), changed: Notify::new() }))
    }

    /// What this bridge is on the connection; `None` before it has found one, and where it has one of its own because
    /// the process that keeps the shared one does not answer.
    pub fn role(&self) -> Option<SharingRole> {
        let state = self.state();
        let owner = state.owner?;
        match (&state.hub, &state.address) {
            (Some(hub), Some(address)) if hub.is_at(address) => {
                (!hub.is_apart()).then(|| SharingRole::Owner { guests: hub.guests() })
            }
            _ => Some(SharingRole::Guest { via: owner }),
        }
    }

    /// Whether this process keeps the connection, for itself or for others as well.
    pub fn is_kept_here(&self) -> bool {
        matches!(self.role(), Some(SharingRole::Owner { .. }))
    }

    /// Has the connection itself made again, in whichever process it is; returns when that is decided. The bridge comes to the
    /// new one when its supervisor is asked to reconnect, too.
    pub async fn reconnect(&self) {
        let address = self.state().address.clone();
        let Some(address) = address else { return };
        match self.hub_at(&address) {
            // Another process may be there by now to share with.
            Some(hub) if hub.is_apart() => {
                self.state().hub = None;
                hub.close().await;
            }
            Some(hub) => hub.reconnect().await,
            None => {
                let asked = async {
                    let mut stream = BufReader::new(Socket::connect(address.socket()).await?);
                    opening::ask(&mut stream, &Request::Reconnect).await?;
                    timeout(RECONNECT_LIMIT, opening::read::<Reply>(&mut stream)).await?
                };
                if let Err(error) = asked.await {
                    // No process keeps a connection, so there is none to drop.
                    tracing::debug!(%error, "no process was there to reconnect");
                }
            }
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.0.directory
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.pid
    }

    pub(crate) fn source(&self) -> &Arc<dyn SharedSource> {
        &self.0.source
    }

    pub(crate) fn hub(&self) -> Option<Arc<Hub>> {
        self.state().hub.clone()
    }

    pub(crate) fn hub_at(&self, address: &Address) -> Option<Arc<Hub>> {
        self.hub().filter(|hub| hub.is_at(address))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits on `stream` for its end, which says that the failure that was told is no longer the last word.
    pub(crate) fn wait_for_change(&self, mut stream: BufReader<Socket>) {
        let shared = self.0.clone();
        let waiting = tokio::spawn(async move {
            // Nothing is said any more.
            while let Ok(1..) = stream.read(&mut [0; 64]).await {}
            shared.note(UpstreamChange::Status);
        });
        self.state().waiting = Some(AbortOnDropHandle::new(waiting));
    }

    /// Waits until the bridge has to ask again, and returns why.
    pub(crate) async fn next_change(&self) -> UpstreamChange {
        loop {
            self.0.changed.notified().await;
            if let Some(change) = self.state().change.take() {
                return change;
            }
        }
    }

    /// Has the bridge ask again.
    pub(crate) fn note(&self, change: UpstreamChange) {
        self.0.note(change);
    }
}

impl ShareState {
    fn note(&self, change: UpstreamChange) {
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.is_unasked |= change == UpstreamChange::Status;
            // Another entry is more than anything else.
            state.change = state.change.max(Some(change));
        }
        self.changed.notify_one();
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share").field("role", &self.role()).finish_non_exhaustive()
    }
}
