//! The connections that a command has open. However it ends, by itself, at its limit or by a signal, their servers are told:
//! what was asked is cancelled, and the session is over (MCP, cancellation; Streamable HTTP, session management).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use mcp_transport::Connection;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct OpenConnections(Mutex<Vec<Connection>>);

impl OpenConnections {
    /// Keeps `connection` open until the end of the command, unless that closes it.
    pub(crate) fn keep(&self, connection: &Connection) {
        let mut open = self.lock();
        // Before it grows, so that many of them cost no more each than a few.
        if open.len() == open.capacity() {
            open.retain(|connection| !connection.is_closed());
        }
        open.push(connection.clone());
    }

    /// Closes what is still open, in no more time than `limit`. A local server that has not ended by then is killed.
    pub(crate) async fn close(&self, limit: Duration) {
        let open = std::mem::take(&mut *self.lock());
        drop(join_all(open.iter().map(|connection| connection.close_within(limit))).await);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
