//! One attempt to connect, as a value that can be dropped at any point without leaving anything behind.

use std::pin::Pin;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connect::{Listed, list};
use crate::connection::Notifications;
use crate::supervisor::source::{ServerSource, StartLimits, Withheld, is_local};
use crate::{Connection, Connector, Endpoint, RetryPolicy, Server, TransportError};

pub(super) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How a connection is made: the seam at which tests of the keeper have no network.
pub(super) trait Dial: Send + Sync + 'static {
    fn dial<'a>(&'a self, server: &'a Server) -> BoxFuture<'a, Result<Connection, TransportError>>;

    /// Lets go of the sockets that were opened before `moment`.
    fn forget_sockets(&self, moment: Instant);
}

impl Dial for Connector {
    fn dial<'a>(&'a self, server: &'a Server) -> BoxFuture<'a, Result<Connection, TransportError>> {
        Box::pin(self.attempt(server))
    }

    fn forget_sockets(&self, moment: Instant) {
        #[cfg(feature = "http")]
        self.http().forget_sockets(moment);
        #[cfg(not(feature = "http"))]
        let _ = moment;
    }
}

/// What goes on beside the keeper: connections that are being closed. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Background {
    pub(super) tasks: TaskTracker,
    /// Cancelled when the supervisor ends, so that nothing is waited for any longer than it must be.
    pub(super) hurry: CancellationToken,
    /// Kept, because something may be dropped where no runtime is entered.
    runtime: Handle,
}

impl Background {
    pub(super) fn new() -> Self {
        Self { tasks: TaskTracker::new(), hurry: CancellationToken::new(), runtime: Handle::current() }
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.tasks.spawn_on(task, &self.runtime)
    }
}

/// What an attempt needs.
pub(super) struct Attempt {
    pub(super) dial: Arc<dyn Dial>,
    pub(super) source: Arc<dyn ServerSource>,
    /// The server of the failed attempt before this one, whose credentials are still good.
    pub(super) kept: Option<Server>,
    pub(super) limits: Option<StartLimits>,
    pub(super) list: Option<RetryPolicy>,
    /// A local process that is ending: its successor may need what it holds.
    pub(super) leaving: Option<JoinHandle<()>>,
    pub(super) background: Background,
}

/// How an attempt ended.
pub(super) enum Attempted {
    Withheld(Withheld),
    Failed { server: Server, error: TransportError },
    Connected(Box<Fresh>),
}

/// A connection that has just been made.
pub(super) struct Fresh {
    pub(super) connection: Connection,
    pub(super) notifications: Notifications,
    pub(super) listed: Listed,
    pub(super) origin: Option<String>,
    pub(super) local: bool,
}

impl Attempt {
    pub(super) async fn make(self) -> Attempted {
        if let Some(leaving) = self.leaving {
            // It fails only if the runtime ends.
            let _ = leaving.await;
        }
        let server = match self.kept {
            Some(server) => server,
            None => match self.source.server().await {
                Ok(server) => server,
                Err(withheld) => return Attempted::Withheld(withheld),
            },
        };
        let _turn = match &self.limits {
            Some(limits) => limits.turn(&server.endpoint).await,
            None => None,
        };
        let connection = match self.dial.dial(&server).await {
            Ok(connection) => connection,
            Err(error) => return Attempted::Failed { server, error },
        };
        // Before the tools are listed, so that no change of the list is missed.
        let notifications = connection.notifications();
        let unclaimed = Unclaimed { connection: Some(connection.clone()), background: self.background };
        let listed = list(&connection, self.list).await;
        unclaimed.claim();
        let (origin, local) = (origin(&server.endpoint), is_local(&server.endpoint));
        Attempted::Connected(Box::new(Fresh { connection, notifications, listed, origin, local }))
    }
}

/// The origin of an endpoint, which unlike its path is never a secret.
pub(super) fn origin(endpoint: &Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::Http(http) => Some(http.url.origin().ascii_serialization()),
        Endpoint::Stdio(_) => None,
    }
}

/// Closes a connection whose attempt was given up after the handshake.
struct Unclaimed {
    connection: Option<Connection>,
    background: Background,
}

impl Unclaimed {
    fn claim(mut self) {
        self.connection = None;
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.background.spawn(async move { connection.close().await });
        }
    }
}
