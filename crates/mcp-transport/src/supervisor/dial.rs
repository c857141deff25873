//! How a connection is made, and why one try failed.

use std::pin::Pin;
use std::sync::Arc;

use tokio::time::Instant;

use crate::connect::{Connector, Server};
use crate::connection::Connection;
use crate::error::TransportError;
use crate::waiting::WaitState;

pub(super) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How a connection is made: the seam at which tests of the connection task have no network.
pub(super) trait Dial: Send + Sync + 'static {
    /// `waiting` is told while it waits for credentials.
    fn dial<'a>(
        &'a self,
        server: &'a Server,
        waiting: &'a Arc<WaitState>,
    ) -> BoxFuture<'a, Result<Connection, TransportError>>;

    /// Lets go of the sockets that were opened before `moment`.
    fn forget_sockets(&self, moment: Instant);
}

impl Dial for Connector {
    fn dial<'a>(
        &'a self,
        server: &'a Server,
        waiting: &'a Arc<WaitState>,
    ) -> BoxFuture<'a, Result<Connection, TransportError>> {
        Box::pin(self.attempt_seen(server, waiting))
    }

    fn forget_sockets(&self, moment: Instant) {
        #[cfg(feature = "http")]
        self.http().forget_sockets(moment);
        #[cfg(not(feature = "http"))]
        let _ = moment;
    }
}

/// Why one try failed.
pub(super) enum Failure {
    /// The connection that was asked again is lost.
    Gone,
    Error(TransportError),
}
