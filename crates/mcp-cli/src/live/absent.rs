//! Live sessions where there are no sockets for them: each is alone.

use std::convert::Infallible;
use std::sync::Arc;

use mcp_bridge::BridgeConfig;
use mcp_connect::ConfiguredServer;
use mcp_transport::Server;
use mcp_transport::supervisor::Withheld;

use super::{NotEnded, serve};
use crate::app::App;
use crate::environment::Environment;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::row::{Reconnected, Session};

/// The live sessions of each of these servers: none that could be seen.
#[expect(clippy::unused_async, reason = "where there are sockets, they are asked")]
pub(crate) async fn of<'w>(
    _: &Environment,
    wired: impl IntoIterator<Item = &'w ConfiguredServer>,
) -> Vec<Vec<Session>> {
    wired.into_iter().map(|_| Vec::new()).collect()
}

/// Every live session: none that could be seen.
#[expect(clippy::unused_async, reason = "where there are sockets, they are asked")]
pub(crate) async fn all(_: &Environment) -> Vec<Session> {
    Vec::new()
}

/// Which sessions are meant.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "there is none to be meant")]
pub(crate) enum Which {
    Name(String),
    Process(u32),
    All,
}

/// Reconnects nothing.
#[expect(clippy::unused_async, reason = "where there are sockets, they are asked")]
pub(crate) async fn reconnect(_: &Environment, _: &Which) -> (Vec<Reconnected>, Vec<u32>) {
    (Vec::new(), Vec::new())
}

/// Ends nothing.
#[expect(clippy::unused_async, reason = "where there are sockets, they are asked")]
pub(crate) async fn stop(_: &Environment, _: &Which) -> Vec<Result<Session, NotEnded>> {
    Vec::new()
}

/// Nothing keeps a session open to others.
pub(super) type Door = Infallible;

/// Opens nothing.
pub(super) fn open(_: &App, _: serve::Session) -> Option<Door> {
    None
}

/// A share in a connection: unsupported on this platform.
#[derive(Clone, Debug)]
pub(crate) enum Sharing {}

impl Sharing {
    /// Whether this process keeps the connection.
    pub(crate) fn is_kept_here(&self) -> bool {
        match *self {}
    }

    /// Has the connection made again.
    #[expect(clippy::unused_async, reason = "where there are sockets, another process is asked")]
    pub(crate) async fn reconnect(&self) {
        match *self {}
    }
}

/// Refuses to share a connection.
///
/// # Errors
///
/// Always.
pub(crate) fn share<F>(_: &Arc<App>, _: impl Fn() -> F + Send + Sync + 'static) -> Result<Sharing, CliError>
where
    F: Future<Output = Result<(Server, Arc<ConfiguredServer>), Withheld>> + Send + 'static,
{
    Err(CliError::new(ExitStatus::Usage, "not-shared", "bridges cannot share a connection on this system")
        .why("they meet at a Unix socket, which mcplink uses on Linux and macOS only")
        .next("leave out --shared: the bridge then has a connection of its own"))
}

/// Has a bridge use a shared connection.
pub(crate) fn join(_: BridgeConfig, sharing: Sharing) -> BridgeConfig {
    match sharing {}
}
