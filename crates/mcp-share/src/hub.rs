//! The bridge that keeps the connection: one upstream, and every bridge that came to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use mcp_bridge::BridgeConfig;
use mcp_bridge::parts::{severity, subscribe_one_by_one, subscribe_together};
use mcp_bridge::shared::HostIdentity;
use mcp_status::Reason;
use mcp_transport::message::Era;
use mcp_transport::message::methods::LIST_CHANGES;
use mcp_transport::supervisor::{NoContact, ServerFuture, ServerSource, SupervisorConfig};
use mcp_transport::{Connector, Supervisor, SupervisorHandle};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::SharedSource;
use crate::address::Address;
use crate::listener;
use crate::peer::Peer;
use crate::router::Router;
use crate::socket::Socket;
use crate::tokens::Tokens;

/// How long the other bridges may take to hear that there is nothing more.
const CLOSE_LIMIT: Duration = Duration::from_millis(100);

/// How long the other bridges may wait for their last answers where their owner goes elsewhere.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How many notifications of hosts may wait for the server; what comes then is left out, as notifications may be.
const MAX_NOTICES: usize = 1024;

/// What a hub is made of.
pub(crate) struct Plan {
    pub(crate) config: BridgeConfig,
    pub(crate) connector: Connector,
    pub(crate) source: Arc<dyn SharedSource>,
    pub(crate) directory: std::path::PathBuf,
    /// The process that keeps it.
    pub(crate) pid: u32,
    pub(crate) address: Address,
    pub(crate) host: HostIdentity,
}

/// The bridge that keeps the connection.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) core: Arc<HubCore>,
    /// The right to keep it for every process; `None` for a bridge that keeps one for itself alone.
    claim: Mutex<Option<File>>,
    is_apart: bool,
    /// Those who need not come by the socket.
    visitors: mpsc::UnboundedSender<Socket>,
    /// When the last reconnect began, and the turn of the next one.
    reconnect: tokio::sync::Mutex<Option<Instant>>,
    tasks: Mutex<Vec<AbortOnDropHandle<()>>>,
}

/// What the parts of a hub share.
pub(crate) struct HubCore {
    pub(crate) config: BridgeConfig,
    /// The process that keeps the connection.
    pub(crate) pid: u32,
    /// What the server is told of every host on the connection.
    pub(crate) host: HostIdentity,
    pub(crate) tokens: Tokens,
    pub(crate) address: Address,
    pub(crate) upstream: OnceLock<SupervisorHandle>,
    pub(crate) peers: watch::Sender<BTreeMap<u64, Arc<Peer>>>,
    pub(crate) next: AtomicU64,
    under_way: Mutex<Vec<(u64, Arc<Peer>)>>,
    /// The resources that any host wants to hear of.
    resources: watch::Sender<BTreeSet<String>>,
    /// Notifications for the server, in their order.
    notices: mpsc::Sender<(String, Option<Box<RawValue>>)>,
    /// Whether only this process may come any more.
    pub(crate) releasing: AtomicBool,
    /// No bridge may come any more: the entry is another one now.
    pub(crate) dissolved: CancellationToken,
}

impl Hub {
    /// Keeps the connection for every process that comes to `plan.address`, of which the caller has the `claim`; without one,
    /// for this process alone. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// The socket cannot be made.
    pub(crate) fn start(plan: Plan, claim: Option<File>) -> std::io::Result<Arc<Self>> {
        let listener = claim.as_ref().map(|_| plan.address.listen()).transpose()?;
        let (notices, inbox) = mpsc::channel(MAX_NOTICES);
        let (visitors, arriving) = mpsc::unbounded_channel();
        let Plan { config, connector, source, directory, pid, address, host } = plan;
        let (name, policy) = (config.name.clone(), config.policy.clone());
        let core = Arc::new(HubCore {
            config,
            pid,
            host,
            tokens: Tokens::default(),
            address,
            upstream: OnceLock::new(),
            peers: watch::Sender::new(BTreeMap::new()),
            next: AtomicU64::new(1),
            under_way: Mutex::default(),
            resources: watch::Sender::new(BTreeSet::new()),
            notices,
            releasing: AtomicBool::new(false),
            dissolved: CancellationToken::new(),
        });
        let upstream = Upstream { source, directory, core: Arc::downgrade(&core) };
        let server = Supervisor::start(connector, SupervisorConfig::new(name, upstream).with_policy(policy));
        // Set once, here.
        drop(core.upstream.set(server.clone()));
        let hub = Arc::new(Self {
            core: core.clone(),
            is_apart: claim.is_none(),
            claim: Mutex::new(claim),
            visitors,
            reconnect: tokio::sync::Mutex::default(),
            tasks: Mutex::default(),
        });
        let tasks = [
            tokio::spawn(listener::accept(listener, arriving, Arc::downgrade(&hub))),
            tokio::spawn(follow(core.clone())),
            tokio::spawn(pass_notices(inbox, server)),
            tokio::spawn(dissolve(Arc::downgrade(&hub), core.dissolved.clone())),
        ];
        *hub.tasks() = tasks.map(AbortOnDropHandle::new).into();
        Ok(hub)
    }

    /// How many other bridges are on the connection.
    pub(crate) fn guests(&self) -> usize {
        self.core.others().len()
    }

    /// A way onto the connection for this process, which needs no socket that another program could have removed.
    ///
    /// # Errors
    ///
    /// There are no file descriptors left.
    pub(crate) fn admit(&self) -> std::io::Result<Socket> {
        let (ours, theirs) = Socket::pair()?;
        // Fails when the hub has closed, and then the stream says so by its end.
        drop(self.visitors.send(theirs));
        Ok(ours)
    }

    /// Whether it keeps the connection for this process alone.
    pub(crate) fn is_apart(&self) -> bool {
        self.is_apart
    }

    /// Whether its entry has become another one, so that no bridge can come any more.
    pub(crate) fn is_dissolved(&self) -> bool {
        self.core.dissolved.is_cancelled()
    }

    /// Whether a process that comes to this address comes to this hub.
    pub(crate) fn is_at(&self, address: &Address) -> bool {
        self.core.address == *address
    }

    /// Sends the other bridges elsewhere; what they have under way is still answered.
    pub(crate) fn release(&self) {
        self.core.releasing.store(true, Ordering::Release);
        self.core.others().iter().for_each(|peer| peer.go_away());
    }

    /// Returns when the other bridges have gone.
    pub(crate) async fn others_gone(&self) {
        for peer in self.core.others() {
            peer.gone().await;
        }
    }

    /// Lets go of the connection, and after it of the claim: the process that keeps it next may need what the server holds.
    pub(crate) async fn close(&self) {
        self.release();
        self.core.upstream().close().await;
        // What could not be answered is told now.
        let _ = tokio::time::timeout(CLOSE_LIMIT, self.others_gone()).await;
        let claim = self.claim.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(claim) = &claim {
            self.core.address.clear(claim);
        }
        // Also the listener, which must not take a process that will not be served.
        self.tasks().clear();
        drop(claim);
    }

    /// Lets go of the connection because this process goes to another one. What the other bridges have under way is still
    /// answered, and one of them keeps it then.
    pub(crate) fn leave(self: Arc<Self>) {
        self.release();
        tokio::spawn(async move {
            let _ = tokio::time::timeout(LAST_ANSWERS, self.others_gone()).await;
            self.close().await;
        });
    }

    /// What becomes of it when its process is killed.
    #[cfg(test)]
    pub(crate) fn kill(&self) {
        self.tasks().clear();
        drop(self.claim.lock().unwrap().take());
    }

    /// Makes the connection again. What asks while another reconnect waits for its turn gets that one.
    pub(crate) async fn reconnect(&self) {
        let asked = Instant::now();
        let mut last = self.reconnect.lock().await;
        if last.is_none_or(|began| began < asked) {
            *last = Some(Instant::now());
            self.core.upstream().reconnect().await;
        }
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<AbortOnDropHandle<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HubCore {
    pub(crate) fn upstream(&self) -> &SupervisorHandle {
        self.upstream.get().expect("it is set before any bridge can come")
    }

    /// Every bridge on the connection, in the order in which they came.
    pub(crate) fn peers(&self) -> Vec<Arc<Peer>> {
        self.peers.borrow().values().cloned().collect()
    }

    fn others(&self) -> Vec<Arc<Peer>> {
        self.peers().into_iter().filter(|peer| peer.pid != self.pid).collect()
    }

    /// Returns when there is a bridge.
    pub(crate) async fn any_peer(&self) {
        // Fails only when the hub has ended, and then no host is asked.
        let _ = self.peers.subscribe().wait_for(|peers| !peers.is_empty()).await;
    }

    /// Whom to ask what the server does not ask on the stream of a request.
    pub(crate) async fn likeliest_cause(&self) -> Arc<Peer> {
        loop {
            let newest = self.calls().last().map(|(_, peer)| peer.clone());
            let present = || self.peers().into_iter().find(|peer| !peer.is_leaving());
            if let Some(peer) = newest.or_else(present) {
                return peer;
            }
            let mut peers = self.peers.subscribe();
            if peers.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Notes that a request of `peer` is under way, until the guard is dropped.
    pub(crate) fn under_way(self: &Arc<Self>, peer: &Arc<Peer>) -> CallGuard {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.calls().push((number, peer.clone()));
        CallGuard { core: self.clone(), number }
    }

    /// Brings the union of what the bridges want to hear of up to date.
    pub(crate) fn collect_resources(&self) {
        let mut union = BTreeSet::new();
        for peer in self.peers() {
            union.extend(peer.subscriptions.resources().borrow().iter().cloned());
        }
        self.resources.send_if_modified(|known| {
            let changed = *known != union;
            *known = union;
            changed
        });
    }

    /// The lowest level of log messages that any host set.
    pub(crate) fn lowest_level(&self) -> Option<String> {
        let levels = self.peers().into_iter().filter_map(|peer| peer.log.level());
        levels.min_by_key(|level| severity(level))
    }

    /// Passes a notification of a host on to a server that has a use for it.
    pub(crate) fn tell_server(&self, method: String, params: Option<Box<RawValue>>) {
        let snapshot = self.upstream().snapshot();
        let era = snapshot.server.filter(|_| snapshot.connection.is_some());
        if era.map(|server| server.revision.era()) == Some(Era::Legacy) {
            // Fails when the hub has ended, or when the server has not taken very many.
            if let Err(error) = self.notices.try_send((method, params)) {
                tracing::warn!(%error, "a notification of a host is left out");
            }
        }
    }

    /// A host came or went, and with it its roots.
    pub(crate) fn roots_may_have_changed(&self, peer: &Peer) {
        let alone = self.peers().iter().all(|other| other.id == peer.id);
        if self.host.capabilities.has("roots") && !alone {
            self.tell_server("notifications/roots/list_changed".to_owned(), None);
        }
    }

    fn calls(&self) -> MutexGuard<'_, Vec<(u64, Arc<Peer>)>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for HubCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("name", &self.config.name).finish_non_exhaustive()
    }
}

/// A request under way.
pub(crate) struct CallGuard {
    core: Arc<HubCore>,
    number: u64,
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        self.core.calls().retain(|(number, _)| *number != self.number);
    }
}

/// The entry as it is configured now, as long as it is the one that every bridge came for.
struct Upstream {
    source: Arc<dyn SharedSource>,
    directory: std::path::PathBuf,
    core: Weak<HubCore>,
}

impl ServerSource for Upstream {
    fn server(&self) -> ServerFuture<'_> {
        Box::pin(async {
            let read = self.source.server().await;
            let core = self.core.upgrade().ok_or(NoContact::SwitchedOff)?;
            let is_the_same = |identity| {
                Address::of_host(&self.directory, identity, &core.host).is_ok_and(|at| at == core.address)
            };
            match read {
                Ok((server, identity)) if is_the_same(identity.clone()) => {
                    // Which tools a bridge may use is a matter of that bridge.
                    Ok(server.with_tools(None).with_handler(Arc::new(Router::new(&self.core, None))))
                }
                // Security: the credentials of another entry are not for bridges that came for this one. Each of them
                // reads its own entry again, and goes where that leads.
                changed => {
                    core.dissolved.cancel();
                    Err(changed.err().unwrap_or_else(|| NoContact::Because(Reason::connecting(1))))
                }
            }
        })
    }
}

/// Follows the server from connection to connection until it is closed.
async fn follow(core: Arc<HubCore>) {
    let mut status = core.upstream().status();
    let (mut connection, mut company) = (None, None);
    loop {
        let snapshot = status.borrow_and_update().clone();
        if snapshot.connection != connection {
            connection = snapshot.connection;
            // They come again, to the connection that there is then. What they have under way goes on.
            let stale = |peer: &Arc<Peer>| Some(peer.connection) != connection;
            core.peers().into_iter().filter(stale).for_each(|peer| peer.go_away());
            company = connection.map(|_| AbortOnDropHandle::new(tokio::spawn(accompany(core.clone()))));
        }
        if snapshot.closed || status.changed().await.is_err() {
            drop(company);
            return;
        }
    }
}

/// Tells a new connection what the bridges want, and keeps telling it.
async fn accompany(core: Arc<HubCore>) {
    let server = core.upstream();
    let Ok(lease) = server.lease().await else { return };
    let (mut era, mut renewals) = (lease.revision().era(), lease.renewals());
    drop(lease);
    loop {
        let (level, resources) = (core.lowest_level(), core.resources.subscribe());
        let telling = async {
            match era {
                Era::Modern => subscribe_together(resources, server).await,
                Era::Legacy => subscribe_one_by_one(level, resources, server).await,
            }
        };
        tokio::select! {
            () = telling => return,
            () = renewals.next() => {}
        }
        let Ok(lease) = server.lease().await else { return };
        era = lease.revision().era();
        for peer in core.peers() {
            if peer.era() == era {
                LIST_CHANGES.iter().for_each(|(_, method)| peer.tell_change(method, None));
            } else {
                // It was greeted in the terms of the other era, and comes again.
                peer.go_away();
            }
        }
    }
}

async fn pass_notices(mut inbox: mpsc::Receiver<(String, Option<Box<RawValue>>)>, server: SupervisorHandle) {
    while let Some((method, params)) = inbox.recv().await {
        if let Err(error) = server.notify(&method, params.as_deref()).await {
            tracing::debug!(method, %error, "a notification of a host was lost");
        }
    }
}

/// Ends the hub when its entry is another one.
async fn dissolve(hub: Weak<Hub>, dissolved: CancellationToken) {
    dissolved.cancelled().await;
    let Some(hub) = hub.upgrade() else { return };
    hub.core.peers().iter().for_each(|peer| peer.go_away());
    // On a task of its own: closing ends this one.
    tokio::spawn(async move { hub.close().await });
}
