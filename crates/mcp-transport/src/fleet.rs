//! Many servers at once: one supervisor each, and what they share.

mod changes;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_status::ServerStatus;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use self::changes::{FleetChange, FleetChanges};
use crate::connect::Connector;
use crate::supervisor::{
    ServerSource, SleepWatch, StartLimits, StatusSnapshot, Supervisor, SupervisorConfig, SupervisorHandle,
    SupervisorPolicy,
};

/// What the supervisors of a fleet share.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FleetConfig {
    /// How each of them behaves.
    pub policy: SupervisorPolicy,
    /// How many servers are connected to at the same time.
    pub limits: StartLimits,
    /// The watch over the machine's sleep; one of the fleet's own where `None`.
    pub sleep: Option<SleepWatch>,
}

impl Default for FleetConfig {
    /// Long-lived supervisors that connect to 20 remote and 3 local servers at a time.
    fn default() -> Self {
        Self { policy: SupervisorPolicy::long_lived(), limits: StartLimits::default(), sleep: None }
    }
}

/// One server of a fleet, as it is configured now.
#[derive(Clone)]
#[non_exhaustive]
pub struct FleetEntry {
    /// Its name, which tells it from the others.
    pub name: Arc<str>,
    /// Its definition, in whatever form tells two definitions apart. Compared and nothing else.
    pub fingerprint: String,
    /// Says what to connect to.
    pub source: Arc<dyn ServerSource>,
    /// How its supervisor behaves, where that is another way than the fleet's. A supervisor that runs keeps the policy that it was
    /// started with.
    pub policy: Option<SupervisorPolicy>,
}

impl FleetEntry {
    /// An entry.
    pub fn new(name: impl Into<Arc<str>>, fingerprint: impl Into<String>, source: impl ServerSource) -> Self {
        Self { name: name.into(), fingerprint: fingerprint.into(), source: Arc::new(source), policy: None }
    }

    /// With a policy of its own.
    #[must_use]
    pub fn with_policy(mut self, policy: SupervisorPolicy) -> Self {
        self.policy = Some(policy);
        self
    }
}

impl fmt::Debug for FleetEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: a fingerprint may be the definition itself, with its secrets.
        f.debug_struct("FleetEntry").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What [`Fleet::apply`] did, by name, each list in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct FleetUpdate {
    /// Servers that are new.
    pub added: Vec<Arc<str>>,
    /// Servers whose definition changed; they reconnect.
    pub replaced: Vec<Arc<str>>,
    /// Servers that are gone; they are closed.
    pub removed: Vec<Arc<str>>,
}

/// Runs a supervisor for each server, and follows the configuration. Cheap to clone.
///
/// When the last clone is dropped, the supervisors without another handle end;
/// [`close`](Self::close) waits for it.
///
/// # Examples
///
/// ```no_run
/// use mcp_transport::fleet::{Fleet, FleetConfig, FleetEntry};
/// use mcp_transport::{ClientInfo, ClientOptions, Connector, Endpoint, Server, StdioEndpoint};
///
/// # async fn run() {
/// let connector = Connector::new(ClientOptions::new(ClientInfo::new("my-agent", "1.0")));
/// let fleet = Fleet::new(connector, FleetConfig::default());
/// let source = || async { Ok(Server::new(Endpoint::Stdio(StdioEndpoint::new("my-server")))) };
/// fleet.apply([FleetEntry::new("files", "first version", source)]).await;
/// for server in fleet.status() {
///     println!("{}: {}", server.name, server.status);
/// }
/// fleet.close().await;
/// # }
/// ```
#[derive(Clone)]
pub struct Fleet(Arc<Inner>);

struct Inner {
    connector: Connector,
    policy: SupervisorPolicy,
    limits: StartLimits,
    sleep: SleepWatch,
    state: Mutex<State>,
    /// Changes with everything that [`FleetChanges`] tells.
    moved: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    members: BTreeMap<Arc<str>, Member>,
    closed: bool,
}

struct Member {
    fingerprint: String,
    handle: SupervisorHandle,
}

/// What became of an entry.
enum InsertOutcome {
    Added,
    Replaced,
    Kept,
}

impl Inner {
    fn has_moved(&self) {
        self.moved.send_modify(|moved| *moved = moved.wrapping_add(1));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Wakes the callers that wait for a change; there will be none.
        self.has_moved();
    }
}

impl Fleet {
    /// A fleet without servers.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new(connector: Connector, config: FleetConfig) -> Self {
        let FleetConfig { policy, limits, sleep } = config;
        let sleep = sleep.unwrap_or_else(SleepWatch::start);
        let moved = watch::Sender::new(0);
        Self(Arc::new(Inner { connector, policy, limits, sleep, state: Mutex::default(), moved }))
    }

    /// Makes the fleet what `entries` say: starts what is new, reconnects what changed, closes what is
    /// gone, leaves the rest alone. Of two entries of one name the later one counts. Returns when what is gone is
    /// closed, which takes bounded time; the others connect in the background.
    ///
    /// Handles stay valid when a definition changes.
    pub async fn apply(&self, entries: impl IntoIterator<Item = FleetEntry>) -> FleetUpdate {
        let wanted: BTreeMap<_, _> = entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        let mut changes = FleetUpdate::default();
        let mut leaving = JoinSet::new();
        {
            let mut state = self.state();
            if state.closed {
                return changes;
            }
            let (stay, gone) = std::mem::take(&mut state.members)
                .into_iter()
                .partition(|(name, _)| wanted.contains_key(name));
            state.members = stay;
            let gone: BTreeMap<Arc<str>, Member> = gone;
            for (name, member) in gone {
                changes.removed.push(name);
                leaving.spawn(async move { member.handle.close().await });
            }
            for (name, entry) in wanted {
                match self.put(&mut state, entry) {
                    InsertOutcome::Kept => {}
                    InsertOutcome::Replaced => changes.replaced.push(name),
                    InsertOutcome::Added => changes.added.push(name),
                }
            }
        }
        self.0.has_moved();
        leaving.join_all().await;
        changes
    }

    /// Makes `entry` one of the servers: starts it if it is new, lets it connect again if its definition changed, and leaves
    /// it alone otherwise. The others stay as they are. Returns its supervisor; `None` when the fleet is closed.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, where the server is new.
    pub fn insert(&self, entry: FleetEntry) -> Option<SupervisorHandle> {
        let name = entry.name.clone();
        let handle = {
            let mut state = self.state();
            if state.closed {
                return None;
            }
            self.put(&mut state, entry);
            state.members.get(&name).map(|member| member.handle.clone())
        };
        self.0.has_moved();
        handle
    }

    /// Closes this server and forgets it; the others stay as they are. Takes bounded time. Says whether there was one.
    pub async fn remove(&self, name: &str) -> bool {
        let removed = self.state().members.remove(name);
        self.0.has_moved();
        match removed {
            Some(member) => {
                member.handle.close().await;
                true
            }
            None => false,
        }
    }

    /// What changes from now on, servers that come and go included.
    pub fn changes(&self) -> FleetChanges {
        FleetChanges::of(self)
    }

    /// The supervisor of this server.
    pub fn handle(&self, name: &str) -> Option<SupervisorHandle> {
        self.state().members.get(name).map(|member| member.handle.clone())
    }

    /// All supervisors, by name.
    pub fn handles(&self) -> Vec<SupervisorHandle> {
        self.state().members.values().map(|member| member.handle.clone()).collect()
    }

    /// The status of all servers now, by name.
    pub fn status(&self) -> Vec<StatusSnapshot> {
        self.state().members.values().map(|member| member.handle.snapshot()).collect()
    }

    /// Reconnects all servers at the same time, within the start-up limits; returns their new statuses, by name.
    pub async fn reconnect_all(&self) -> Vec<StatusSnapshot> {
        self.reconnect_where(|_| true).await
    }

    /// The same for the servers that failed or need other credentials.
    pub async fn reconnect_failed(&self) -> Vec<StatusSnapshot> {
        self.reconnect_where(|status| matches!(status, ServerStatus::Failed | ServerStatus::NeedsAuth)).await
    }

    /// Closes all servers at the same time. Takes bounded time and never fails; nothing can be added afterwards.
    pub async fn close(&self) {
        let members = {
            let mut state = self.state();
            state.closed = true;
            std::mem::take(&mut state.members)
        };
        self.0.has_moved();
        let leaving: JoinSet<_> =
            members.into_values().map(|member| async move { member.handle.close().await }).collect();
        leaving.join_all().await;
    }

    async fn reconnect_where(&self, wanted: impl Fn(ServerStatus) -> bool) -> Vec<StatusSnapshot> {
        let handles = self.handles().into_iter().filter(|handle| wanted(handle.snapshot().status));
        let asked: JoinSet<_> = handles.map(|handle| async move { handle.reconnect().await }).collect();
        let mut statuses = asked.join_all().await;
        statuses.sort_by(|a, b| a.name.cmp(&b.name));
        statuses
    }

    fn put(&self, state: &mut State, entry: FleetEntry) -> InsertOutcome {
        match state.members.get_mut(&entry.name) {
            Some(member) if member.fingerprint == entry.fingerprint => InsertOutcome::Kept,
            Some(member) => {
                member.fingerprint = entry.fingerprint;
                member.handle.replace_source(entry.source);
                InsertOutcome::Replaced
            }
            None => {
                let handle = self.start(entry.name.clone(), entry.source, entry.policy);
                state.members.insert(entry.name, Member { fingerprint: entry.fingerprint, handle });
                InsertOutcome::Added
            }
        }
    }

    fn start(
        &self,
        name: Arc<str>,
        source: Arc<dyn ServerSource>,
        policy: Option<SupervisorPolicy>,
    ) -> SupervisorHandle {
        let inner = &*self.0;
        let config = SupervisorConfig {
            name,
            source,
            policy: policy.unwrap_or_else(|| inner.policy.clone()),
            limits: Some(inner.limits.clone()),
            sleep: Some(inner.sleep.clone()),
        };
        let handle = Supervisor::start(inner.connector.clone(), config);
        let (mut status, moved) = (handle.status(), inner.moved.clone());
        // Ends with the supervisor, which it does not keep alive.
        tokio::spawn(async move {
            while status.changed().await.is_ok() {
                moved.send_modify(|moved| *moved = moved.wrapping_add(1));
            }
        });
        handle
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("servers", &self.state().members.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
