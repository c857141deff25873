//! The connections that a command has open. However it ends, by itself, at its limit or by a signal, their servers are told:
//! what was asked is cancelled, and the session is over (MCP, cancellation; Streamable HTTP, session management).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use mcp_transport::Connection;
use mcp_transport::fleet::Fleet;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct OpenConnections(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    connections: Vec<Connection>,
    fleets: Vec<Fleet>,
}

impl OpenConnections {
    /// Keeps `connection` open until the end of the command, unless that [ends](Self::end) it before.
    pub(crate) fn keep(&self, connection: &Connection) {
        self.lock().connections.push(connection.clone());
    }

    /// Closes a connection, and keeps nothing of it: what its server said of itself counts for all of them.
    pub(crate) async fn end(&self, connection: Connection) {
        connection.close().await;
        self.lock().connections.retain(|connection| !connection.is_closed());
    }

    /// The same of the connections of `fleet`.
    pub(crate) fn keep_all(&self, fleet: &Fleet) {
        self.lock().fleets.push(fleet.clone());
    }

    /// Closes what is still open, in no more time than `limit`. A local server that has not ended by then is killed.
    pub(crate) async fn close(&self, limit: Duration) {
        let Held { connections, fleets } = std::mem::take(&mut *self.lock());
        let of_fleets = join_all(fleets.iter().map(|fleet| tokio::time::timeout(limit, fleet.close())));
        let single = join_all(connections.iter().map(|connection| connection.close_within(limit)));
        drop(tokio::join!(of_fleets, single));
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
