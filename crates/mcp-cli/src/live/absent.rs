//! Live sessions where there are no sockets for them: each is alone.

use std::convert::Infallible;

use mcp_connect::ConfiguredServer;

use super::session::OwnSession;
use super::{SeenSessions, StoppedSessions};
use crate::app::App;
use crate::environment::Environment;
use crate::view::row::{ReconnectOutcome, Session, SilentSession};

/// The live sessions of each of these servers: none that could be seen.
#[expect(clippy::unused_async, reason = "where there are sockets, they are asked")]
pub(crate) async fn of<'w>(
    _: &Environment,
    configured: impl IntoIterator<Item = &'w ConfiguredServer>,
) -> SeenSessions<Vec<Vec<Session>>> {
    SeenSessions { live: configured.into_iter().map(|_| Vec::new()).collect(), silent: Vec::new() }
}

/// Every live session: none that could be seen.
#[expect(clippy::unused_async, reason = "where there are sockets, they are asked")]
pub(crate) async fn all(_: &Environment) -> SeenSessions<Vec<Session>> {
    SeenSessions::default()
}

/// The live sessions of servers that are called by these words: none that could be seen.
#[expect(clippy::unused_async, reason = "where there are sockets, they are asked")]
pub(crate) async fn called(_: &Environment, _: &[String]) -> SeenSessions<Vec<Session>> {
    SeenSessions::default()
}

/// Which sessions are meant.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "there is none to be meant")]
pub(crate) enum SessionSelector {
    Name(String),
    Process(u32),
    All,
}

/// Reconnects nothing.
#[expect(clippy::unused_async, reason = "where there are sockets, they are asked")]
pub(crate) async fn reconnect(
    _: &Environment,
    _: &SessionSelector,
    _: &[SilentSession],
) -> (Vec<ReconnectOutcome>, Vec<u32>) {
    (Vec::new(), Vec::new())
}

/// Ends nothing.
#[expect(clippy::unused_async, reason = "where there are sockets, they are asked")]
pub(crate) async fn stop(_: &Environment, _: &SessionSelector) -> StoppedSessions {
    StoppedSessions::default()
}

/// Nothing keeps a session open to others.
pub(super) type Listener = Infallible;

/// Opens nothing.
pub(super) fn open(_: &App, _: OwnSession) -> Option<Listener> {
    None
}
