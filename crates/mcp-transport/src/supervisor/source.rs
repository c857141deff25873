//! What a supervisor is told: where to connect to, how patiently, and how many may do so at once.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use mcp_status::{MachinePolicy, Reason, ReasonCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connect::Server;
use crate::endpoint::Endpoint;
use crate::retry::RetryPolicy;

/// What [`ServerSource::server`] returns.
pub type ServerFuture<'a> = Pin<Box<dyn Future<Output = Result<Server, NoContact>> + Send + 'a>>;

/// Says what to connect to. Asked before each new connection, so that it reads the configuration again and
/// builds new providers of credentials: nothing of an earlier connection is used for a later one.
///
/// Not asked again for the retries of one streak, whose server and credentials stay the same. Any closure that
/// returns such a future is one. Dropped while it runs when another attempt is asked for.
pub trait ServerSource: Send + Sync + 'static {
    /// The server as it is configured now, or why there is nothing to contact.
    fn server(&self) -> ServerFuture<'_>;
}

impl<F, Fut> ServerSource for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Server, NoContact>> + Send + 'static,
{
    fn server(&self) -> ServerFuture<'_> {
        Box::pin(self())
    }
}

/// Why a server is not contacted at all.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum NoContact {
    /// The entry is switched off.
    SwitchedOff,
    /// Another reason, such as [`Reason::awaiting_approval`] or [`Reason::config`]; it decides the status.
    Because(Reason),
}

impl NoContact {
    /// Whether a person wants it so, and has said so: it is switched off, or rejected.
    pub fn is_deliberate(&self) -> bool {
        match self {
            Self::SwitchedOff => true,
            Self::Because(reason) => reason.code == ReasonCode::Declined,
        }
    }
}

/// How a supervisor behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SupervisorPolicy {
    /// How often to try, what follows, how long a refusal holds, and when a streak of failures is forgotten.
    pub machine: MachinePolicy,
    /// How long to wait between the attempts of a first connection.
    pub connect: RetryPolicy,
    /// How long to wait between the attempts to get a lost connection back.
    pub session: RetryPolicy,
    /// How long to wait between the probes that follow.
    pub probe: RetryPolicy,
    /// How long to wait between the attempts to list the tools, when a connection is made and when the server says that it has
    /// others; `None` does not list them.
    pub list: Option<RetryPolicy>,
    /// How long a request waits for a connection at most.
    pub patience: Duration,
    /// How long it waits where nothing is there: attempts fail at once, because the address takes no connection. Long enough for
    /// a server that is started again, and short enough for a person who has to start it. Silence, and a gateway that asks to
    /// come back, are worth the whole patience. A [patience](crate::RequestOptions::patience) of the request's own takes the
    /// place of both.
    pub outage_patience: Duration,
    /// Whether to open the stream on which a server starts something by itself (see
    /// [`Connection::listen`](crate::Connection::listen)), so that notifications arrive without a request under way.
    pub listen: bool,
}

impl SupervisorPolicy {
    /// For a process that lives on: 1, 2 and 4 s for a first connection, 1, 2, 4, 8 and 16 s for a lost one, then
    /// a probe every 60 s, all up to a tenth sooner or later. A request waits up to 30 s, and 5 s where nothing is there.
    pub fn long_lived() -> Self {
        Self {
            machine: MachinePolicy::long_lived(),
            connect: RetryPolicy::connect(),
            session: RetryPolicy::reconnect().with_jitter(0.1),
            probe: RetryPolicy::probe(),
            list: Some(RetryPolicy::connect().with_max_retries(2)),
            patience: Duration::from_secs(30),
            outage_patience: Duration::from_secs(5),
            listen: true,
        }
    }
}

/// How many servers may be connected to at the same time; a connection that stands does not count. Cheap to
/// clone; all clones share the limits.
#[derive(Clone, Debug)]
pub struct StartLimits {
    remote: Arc<Semaphore>,
    local: Arc<Semaphore>,
}

impl StartLimits {
    /// These limits, at least 1 each.
    pub fn new(remote: usize, local: usize) -> Self {
        let limit = |count: usize| Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS)));
        Self { remote: limit(remote), local: limit(local) }
    }

    /// Waits for the turn of an attempt to connect to `endpoint`.
    pub(super) async fn turn(&self, endpoint: &Endpoint) -> Option<OwnedSemaphorePermit> {
        let limit = if is_local(endpoint) { &self.local } else { &self.remote };
        // Never closed, so never refused.
        limit.clone().acquire_owned().await.ok()
    }
}

impl Default for StartLimits {
    /// 20 remote servers and 3 local ones, whose processes compete for this machine.
    fn default() -> Self {
        Self::new(20, 3)
    }
}

pub(super) fn is_local(endpoint: &Endpoint) -> bool {
    matches!(endpoint, Endpoint::Stdio(_))
}

/// One supervisor's settings.
#[derive(Clone)]
#[non_exhaustive]
pub struct SupervisorConfig {
    /// The name of the server entry, for status and logs.
    pub name: Arc<str>,
    /// Says what to connect to.
    pub source: Arc<dyn ServerSource>,
    /// How it behaves.
    pub policy: SupervisorPolicy,
    /// Shared with other supervisors; none of its own where `None`.
    pub limits: Option<StartLimits>,
    /// Shared with other supervisors; its own where `None`.
    pub sleep: Option<super::SleepWatch>,
}

impl SupervisorConfig {
    /// A long-lived supervisor that shares nothing.
    pub fn new(name: impl Into<Arc<str>>, source: impl ServerSource) -> Self {
        let (name, source) = (name.into(), Arc::new(source));
        Self { name, source, policy: SupervisorPolicy::long_lived(), limits: None, sleep: None }
    }

    /// With another policy.
    #[must_use]
    pub fn with_policy(mut self, policy: SupervisorPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// With limits that others share.
    #[must_use]
    pub fn with_limits(mut self, limits: StartLimits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// With a watch over the machine's sleep that others share.
    #[must_use]
    pub fn with_sleep(mut self, sleep: super::SleepWatch) -> Self {
        self.sleep = Some(sleep);
        self
    }
}

impl fmt::Debug for SupervisorConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorConfig")
            .field("name", &self.name)
            .field("policy", &self.policy)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
