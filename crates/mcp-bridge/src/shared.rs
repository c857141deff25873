//! A connection to the server that is not this bridge's alone: what a bridge asks of whatever keeps it.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use mcp_transport::handler::ClientCapabilities;
use mcp_transport::supervisor::ServerSource;
use mcp_transport::{ClientInfo, Connector};

use crate::BridgeConfig;
use crate::state::RunningBridge;

/// What the methods of a [`SharedUpstream`] return.
pub type UpstreamFuture<'a, T = ()> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a bridge should ask its [`SharedUpstream`] for the server again.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum UpstreamChange {
    /// The process that keeps the connection would answer something else now.
    Status,
    /// The entry is another one now.
    Entry,
}

/// A connection that several bridges of one machine use, in place of one for each. `mcp-share` has one by Unix sockets.
pub trait SharedUpstream: fmt::Debug + Send + Sync + 'static {
    /// Where the server is for this bridge. Asked once, when its host has said who it is.
    fn source(&self, bridge: BridgeView) -> Arc<dyn ServerSource>;

    /// Returns when it is worth asking the source again.
    fn changed(&self) -> UpstreamFuture<'_, UpstreamChange>;

    /// This bridge ends: other processes take no new requests to a connection that is kept here. Returns at once.
    fn release(&self);

    /// Returns when no other process uses a connection that is kept here.
    fn released(&self) -> UpstreamFuture<'_>;

    /// Closes the connection, if it is kept here.
    fn close(&self) -> UpstreamFuture<'_>;
}

/// What the server is told of a host.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HostIdentity {
    /// What it can do.
    pub capabilities: ClientCapabilities,
    /// What it calls itself.
    pub client: Option<ClientInfo>,
    /// Both as one text: equal where a server is told the same.
    pub canonical: String,
}

/// A running bridge, as its [`SharedUpstream`] sees it.
#[derive(Clone)]
pub struct BridgeView {
    core: Weak<RunningBridge>,
    connector: Connector,
}

impl BridgeView {
    pub(crate) fn new(core: &Arc<RunningBridge>, connector: Connector) -> Self {
        Self { core: Arc::downgrade(core), connector }
    }

    /// What it connects with.
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Its settings; `None` when it has ended.
    pub fn config(&self) -> Option<BridgeConfig> {
        // The upstream holds views of the bridge, so a copy with the upstream in it would keep itself alive.
        self.core.upgrade().map(|core| BridgeConfig { shared: None, ..core.config.clone() })
    }

    /// Its host, as that said last; `None` when the bridge has ended.
    pub fn host(&self) -> Option<HostIdentity> {
        let core = self.core.upgrade()?;
        let introduction = &core.introduction;
        Some(HostIdentity {
            capabilities: introduction.capabilities(),
            client: introduction.client(),
            canonical: introduction.canonical(),
        })
    }
}

impl fmt::Debug for BridgeView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BridgeView").finish_non_exhaustive()
    }
}
