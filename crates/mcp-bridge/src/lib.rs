//! A local MCP server on standard streams that is a remote one.
//!
//! The design decision of this crate: **a host that started a bridge keeps it.** It is answered within a second and never
//! told to go away: while the server behind is being connected to, signed out or down, lists are the last known
//! ones, a call is answered with the reason and what to do next, and when the server is back the host hears that
//! its lists have changed. Nothing has to be restarted.
//!
//! ```text
//! host ─stdin─► Lines ─► Session ─┬─ answers by itself: initialize, server/discover, ping, subscriptions
//!      ◄─stdout─ Writer ◄─ Host   └─ Request ─► forward ─ era ─► SupervisorHandle ─► server
//!                          ▲                                          │
//!                          └──────────── upstream::Side ◄─────────────┘ notifications, questions
//! ```
//!
//! Messages are passed on unparsed beyond the envelope. Where host and server are of different eras, `era` says
//! what one has to be told in the terms of the other; where they are of the same, nothing is changed.
#![doc = "\n# In ten lines\n"]
#![doc = include_str!("../README.md")]

#[cfg(unix)]
pub mod control;
mod describe;
mod early;
mod era;
mod failure;
mod for_host;
mod forward;
mod host;
mod host_request;
mod lines;
mod lists;
mod memory;
#[doc(hidden)]
pub mod parts;
#[cfg(unix)]
mod peer_account;
mod profile;
mod questions;
mod role;
mod session;
pub mod shared;
mod splice;
mod state;
pub mod stdio;
mod subscriptions;
mod upstream;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use mcp_status::{ActionFacts, NextStep, Reason, TransportKind};
use mcp_transport::limits::Limits;
use mcp_transport::supervisor::{ServerSource, SupervisorPolicy};
use mcp_transport::{ClientInfo, Connector, SupervisorHandle};
use tokio::io::{AsyncRead, AsyncWrite};

pub use failure::{ReportedFailure, UNAVAILABLE};
pub use memory::Memory;
pub use role::SharingRole;
pub use session::EndReason;
pub use shared::SharedUpstream;

/// Signs a person in; whether it worked.
pub type SignIn = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// Returns when nothing is under way that would be lost with the process.
pub type SettledWait = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What is said to a host that opens the conversation: nothing, or why it is turned away.
pub type OpeningFuture = Pin<Box<dyn Future<Output = Result<(), Reason>> + Send>>;

/// Hears which entries the host runs under, where it tells
/// ([`CHAIN`](mcp_transport::message::meta::CHAIN)), before anything is connected to.
pub type Opening = Arc<dyn Fn(Option<String>) -> OpeningFuture + Send + Sync>;

/// Looks at what decides about the server, and returns when what has changed has begun to have its consequences.
pub type BeforeRequest = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Says what a program makes of the next step: a command of its own, an item of its menu; nothing where it has none.
pub type NextStepText = Arc<dyn Fn(&NextStep) -> Option<String> + Send + Sync>;

/// One bridge's settings.
#[derive(Clone)]
#[non_exhaustive]
pub struct BridgeConfig {
    /// The name of the server entry, for the host and in messages.
    pub name: Arc<str>,
    /// The version of this program; the host sees it until the server has said its own.
    pub version: Arc<str>,
    /// Says what to connect to, at every new connection.
    pub source: Arc<dyn ServerSource>,
    /// The name of this program, as the `source` of its errors. `mcp-bridge` unless set.
    pub program: Arc<str>,
    /// What this program makes of the next step, for its errors. Plain words that name no command unless set.
    pub next: NextStepText,
    /// How patiently the connection is kept.
    pub policy: SupervisorPolicy,
    /// What is configured and known about signing in, at the time of a failure: the next step depends on it.
    pub facts: Arc<dyn Fn() -> ActionFacts + Send + Sync>,
    /// Asked once, when the server needs a sign-in that only a person can make; for hosts with a person in front.
    pub sign_in: Option<SignIn>,
    /// Where the description of the server is kept from one process to the next. Nowhere unless set: then a host waits for
    /// the server, a second at most, before it is told what a bridge can promise.
    pub memory: Option<Arc<dyn Memory>>,
    /// Asked once, when the host opens the conversation. A host that is turned away is answered with the reason, and the
    /// bridge ends.
    pub opening: Option<Opening>,
    /// Waited for before each request to the server, so that none goes where its entry led before. It has to be quick.
    pub before_request: Option<BeforeRequest>,
    /// Told when the supervisor of the server is there, which is when the host has said who it is.
    pub started: Option<Arc<dyn Fn(SupervisorHandle) + Send + Sync>>,
    /// Told who the host is, as it says itself, before `started`.
    pub introduced: Option<Arc<dyn Fn(Option<ClientInfo>) + Send + Sync>>,
    /// Waited for at the end, beside the `DELETE` of the session: what would be lost with this process.
    pub settled: Option<SettledWait>,
    /// The longest message of the host, in bytes: 64 MiB unless set. A longer one is answered with an error, and the next is read.
    pub max_line_bytes: usize,
    /// How many requests of the host may be under way at a time; more are refused at once. 1,000 unless set.
    pub max_requests: usize,
    /// Counts the tools that the host calls, for programs that show the session.
    pub calls: Arc<AtomicU64>,
    /// The connection is shared with other bridges, and this says where it is, in place of `source`. Not shared unless set.
    pub shared: Option<Arc<dyn SharedUpstream>>,
}

impl BridgeConfig {
    /// A bridge to a remote server that nothing else is known about.
    pub fn new(name: impl Into<Arc<str>>, version: impl Into<Arc<str>>, source: impl ServerSource) -> Self {
        // The host lists the tools; listing them for the status as well would only cost.
        let mut policy = SupervisorPolicy::long_lived();
        policy.list = None;
        Self {
            name: name.into(),
            version: version.into(),
            source: Arc::new(source),
            program: Arc::from(env!("CARGO_PKG_NAME")),
            next: Arc::new(|step| Some(step.to_string())),
            policy,
            facts: Arc::new(|| ActionFacts::new(TransportKind::Remote)),
            sign_in: None,
            memory: None,
            opening: None,
            before_request: None,
            started: None,
            introduced: None,
            settled: None,
            max_line_bytes: Limits::default().host_bytes,
            max_requests: Limits::default().requests,
            calls: Arc::default(),
            shared: None,
        }
    }

    /// With the name of this program.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<Arc<str>>) -> Self {
        self.program = program.into();
        self
    }

    /// With what this program makes of the next step.
    ///
    /// # Examples
    ///
    /// ```
    /// use mcp_bridge::BridgeConfig;
    /// use mcp_status::NextStep;
    /// use mcp_transport::supervisor::NoContact;
    ///
    /// let config = BridgeConfig::new("internal", "1.0", || async { Err(NoContact::SwitchedOff) })
    ///     .with_program("acme")
    ///     .with_next(|step| match step {
    ///         NextStep::SignIn { .. } => Some("acme auth internal".to_owned()),
    ///         NextStep::Reconnect => Some("acme restart internal".to_owned()),
    ///         _ => None,
    ///     });
    /// # let _ = config;
    /// ```
    #[must_use]
    pub fn with_next(mut self, next: impl Fn(&NextStep) -> Option<String> + Send + Sync + 'static) -> Self {
        self.next = Arc::new(next);
        self
    }

    /// With what the next step depends on.
    #[must_use]
    pub fn with_facts(mut self, facts: impl Fn() -> ActionFacts + Send + Sync + 'static) -> Self {
        self.facts = Arc::new(facts);
        self
    }

    /// With a way to sign a person in.
    #[must_use]
    pub fn with_sign_in(mut self, sign_in: SignIn) -> Self {
        self.sign_in = Some(sign_in);
        self
    }

    /// With a place where the description of the server is kept.
    #[must_use]
    pub fn with_memory(mut self, memory: Arc<dyn Memory>) -> Self {
        self.memory = Some(memory);
        self
    }

    /// With a say in whom it is a bridge for.
    #[must_use]
    pub fn with_opening(mut self, opening: Opening) -> Self {
        self.opening = Some(opening);
        self
    }

    /// With something that is waited for before each request to the server.
    #[must_use]
    pub fn with_before_request(mut self, before_request: BeforeRequest) -> Self {
        self.before_request = Some(before_request);
        self
    }

    /// With a receiver of what the host says of itself.
    #[must_use]
    pub fn with_introduced(
        mut self,
        introduced: impl Fn(Option<ClientInfo>) + Send + Sync + 'static,
    ) -> Self {
        self.introduced = Some(Arc::new(introduced));
        self
    }

    /// With a receiver of the supervisor's handle.
    #[must_use]
    pub fn with_started(mut self, started: impl Fn(SupervisorHandle) + Send + Sync + 'static) -> Self {
        self.started = Some(Arc::new(started));
        self
    }

    /// With a connection that other bridges may use, too.
    #[must_use]
    pub fn with_shared(mut self, shared: Arc<dyn SharedUpstream>) -> Self {
        self.shared = Some(shared);
        self
    }

    /// With something that is waited for at the end, for as long as the end of a session may take.
    #[must_use]
    pub fn with_settled(mut self, settled: SettledWait) -> Self {
        self.settled = Some(settled);
        self
    }

    /// With another patience.
    #[must_use]
    pub fn with_policy(mut self, policy: SupervisorPolicy) -> Self {
        self.policy = policy;
        self
    }
}

impl fmt::Debug for BridgeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BridgeConfig")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("program", &self.program)
            .field("policy", &self.policy)
            .field("sign_in", &self.sign_in.is_some())
            .field("max_line_bytes", &self.max_line_bytes)
            .field("max_requests", &self.max_requests)
            .finish_non_exhaustive()
    }
}

/// A bridge between one host and one server.
#[derive(Debug)]
pub struct Bridge {
    connector: Connector,
    config: BridgeConfig,
}

impl Bridge {
    /// A bridge; nothing is done yet.
    pub fn new(connector: Connector, config: BridgeConfig) -> Self {
        Self { connector, config }
    }

    /// Serves the host on these streams until it closes its side, or until `asked_to_end` is there.
    ///
    /// The connection to the server is made when the host has said who it is, because the server is told the same.
    /// Ends within two seconds of either, with the remote session deleted and no child process left where the
    /// server lets go in that time. Must be called inside a tokio runtime.
    pub async fn run(
        self,
        input: impl AsyncRead + Unpin,
        output: impl AsyncWrite + Send + Unpin + 'static,
        asked_to_end: impl Future<Output = ()>,
    ) -> EndReason {
        session::run(self.connector, self.config, input, output, asked_to_end).await
    }
}
