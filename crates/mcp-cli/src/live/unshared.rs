//! A connection of several bridges where there is none: no Unix sockets, or a build without the feature `share`.

use std::sync::Arc;

use mcp_bridge::{BridgeConfig, SharingRole};
use mcp_connect::ConfiguredServer;
use mcp_transport::Server;
use mcp_transport::supervisor::NoContact;

use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;

/// A share in a connection; there is none here.
#[derive(Clone, Debug)]
pub(crate) enum Share {}

impl Share {
    /// What this bridge is on the connection.
    #[cfg_attr(not(unix), expect(dead_code, reason = "nothing asks where there are no sockets"))]
    pub(crate) fn role(&self) -> Option<SharingRole> {
        match *self {}
    }

    /// Whether this process keeps the connection.
    pub(crate) fn is_kept_here(&self) -> bool {
        match *self {}
    }

    /// Has the connection made again.
    #[expect(clippy::unused_async, reason = "where a connection is shared, another process is asked")]
    pub(crate) async fn reconnect(&self) {
        match *self {}
    }
}

/// Refuses to share a connection.
///
/// # Errors
///
/// Always.
pub(crate) fn share<F>(_: &Arc<App>, _: impl Fn() -> F + Send + Sync + 'static) -> Result<Share, CliError>
where
    F: Future<Output = Result<(Server, Arc<ConfiguredServer>), NoContact>> + Send + 'static,
{
    let (message, why) = if cfg!(unix) {
        ("this build cannot share a connection", "it was made without the feature share")
    } else {
        (
            "bridges cannot share a connection on this system",
            "they meet at a Unix socket, which mcplink uses on Linux and macOS only",
        )
    };
    Err(CliError::new(ExitStatus::Usage, "not-shared", message)
        .why(why)
        .next("leave out --shared: the bridge then has a connection of its own"))
}

/// Has a bridge use a shared connection.
pub(crate) fn join(_: BridgeConfig, share: Share) -> BridgeConfig {
    match share {}
}
