//! One attempt to connect, as a value that can be dropped at any point without leaving anything behind.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mcp_auth::AuthProvider;
use mcp_status::Phase;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connect::{Server, ServerLists, list};
use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::error::TransportError;
use crate::hub::Notifications;
use crate::retry::RetryPolicy;
use crate::supervisor::check::ask_again;
use crate::supervisor::dial::{Dial, Failure};
use crate::supervisor::live::LiveConnection;
use crate::supervisor::source::{NoContact, ServerSource, StartLimits, is_local};
use crate::waiting::WaitState;

/// How much later than another connection the one that fell silent may be heard, and still stands.
const HEAD_START: Duration = Duration::from_millis(500);

/// What an attempt waits for, for the callers that wait for it.
#[derive(Debug, Default)]
pub(super) struct AttemptProgress {
    waiting: Arc<WaitState>,
    provider: OnceLock<String>,
}

impl AttemptProgress {
    /// The provider of credentials that it waits for at this moment.
    pub(super) fn provider(&self) -> Option<&str> {
        self.provider.get().filter(|_| self.waiting.is_for_credentials()).map(String::as_str)
    }
}

/// What goes on beside the connection task: connections that are being closed. Cheap to clone.
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
    /// The connection that fell silent, which is asked before another one is made.
    pub(super) silent: Option<Arc<LiveConnection>>,
    pub(super) limits: Option<StartLimits>,
    pub(super) list: Option<RetryPolicy>,
    /// A local process that is ending: its successor may need what it holds.
    pub(super) leaving: Option<JoinHandle<()>>,
    pub(super) background: Background,
    pub(super) awaited: Arc<AttemptProgress>,
}

/// How an attempt ended.
pub(super) enum AttemptOutcome {
    Withheld(NoContact),
    /// The connection that fell silent will not come back.
    Gone,
    Failed {
        server: Option<Box<Server>>,
        error: TransportError,
    },
    Connected(Box<FreshConnection>),
}

/// A connection that has just been made, or found to work again.
pub(super) struct FreshConnection {
    pub(super) connection: Connection,
    pub(super) notifications: Option<Notifications>,
    pub(super) listed: ServerLists,
    pub(super) endpoint: Arc<Endpoint>,
    /// Who supplies its credentials; that of a connection that works again is known.
    pub(super) auth: Option<Arc<dyn AuthProvider>>,
    /// The one that fell silent, where it works again.
    pub(super) silent: Option<Arc<LiveConnection>>,
    /// How long the handshake took.
    pub(super) took: Duration,
}

/// What is tried, as often as it takes.
pub(super) struct AttemptTarget {
    pub(super) dial: Arc<dyn Dial>,
    pub(super) to: DialTarget,
    list: Option<RetryPolicy>,
    background: Background,
    awaited: Arc<AttemptProgress>,
    elsewhere: Option<SecondSource>,
    /// Held as long as anything is tried.
    _turn: Option<OwnedSemaphorePermit>,
}

pub(super) enum DialTarget {
    Server(Box<Server>),
    /// The connection that fell silent.
    Silent(Arc<LiveConnection>),
}

/// Where a server is found out, for a connection beside the one that fell silent.
struct SecondSource {
    source: Arc<dyn ServerSource>,
    limits: Option<StartLimits>,
}

impl Attempt {
    /// Finds out what to try, and waits for the turn to do so.
    pub(super) async fn prepare(self) -> Result<AttemptTarget, NoContact> {
        if let Some(leaving) = self.leaving {
            // It fails only if the runtime ends.
            let _ = leaving.await;
        }
        let (dial, list, background, awaited) = (self.dial, self.list, self.background, self.awaited);
        if let Some(live) = self.silent {
            let elsewhere = Some(SecondSource { source: self.source, limits: self.limits });
            let to = DialTarget::Silent(live);
            return Ok(AttemptTarget { dial, to, list, background, awaited, elsewhere, _turn: None });
        }
        let server = match self.kept {
            Some(server) => server,
            None => self.source.server().await?,
        };
        let _turn = match &self.limits {
            Some(limits) => limits.turn(&server.endpoint).await,
            None => None,
        };
        if let Some(provider) = &server.auth {
            // Set once: an attempt has one server.
            let _ = awaited.provider.set(provider.name().to_owned());
        }
        let to = DialTarget::Server(Box::new(server));
        Ok(AttemptTarget { dial, to, list, background, awaited, elsewhere: None, _turn })
    }
}

impl AttemptTarget {
    /// Whether a second try beside the first one makes sense: a process is started once.
    pub(super) fn may_be_raced(&self) -> bool {
        match &self.to {
            DialTarget::Server(server) => !is_local(&server.endpoint),
            DialTarget::Silent(_) => true,
        }
    }

    /// Whether it is about the connection that fell silent.
    pub(super) fn is_of_silent(&self) -> bool {
        matches!(self.to, DialTarget::Silent(_))
    }

    /// The server that was contacted, for the retries.
    pub(super) fn server(&self) -> Option<Box<Server>> {
        match &self.to {
            DialTarget::Server(server) => Some(server.clone()),
            DialTarget::Silent(_) => None,
        }
    }

    /// AttemptCount once.
    pub(super) async fn attempt(self: Arc<Self>) -> Result<Box<FreshConnection>, Failure> {
        match &self.to {
            DialTarget::Server(server) => self.made(server).await,
            DialTarget::Silent(live) if live.is_unanswered() => self.heard_or_made(live).await,
            DialTarget::Silent(live) => self.heard(live).await,
        }
    }

    /// Asks the connection that fell silent whether it works again.
    async fn heard(&self, live: &Arc<LiveConnection>) -> Result<Box<FreshConnection>, Failure> {
        let began = Instant::now();
        ask_again(live).await?;
        let listed = list(&live.connection, self.list, None).await;
        Ok(Box::new(FreshConnection {
            connection: live.connection.clone(),
            notifications: None,
            listed,
            endpoint: live.endpoint.clone(),
            auth: None,
            silent: Some(live.clone()),
            took: began.elapsed(),
        }))
    }

    /// The same, and beside it another connection: behind a gateway, what kept the session may be gone for good, and the server
    /// there all the same. What answers first stands.
    async fn heard_or_made(&self, live: &Arc<LiveConnection>) -> Result<Box<FreshConnection>, Failure> {
        let mut made = std::pin::pin!(self.made_elsewhere());
        loop {
            let mut heard = std::pin::pin!(self.heard(live));
            tokio::select! {
                outcome = &mut heard => match outcome {
                    // Asked again for as long as the other one is under way, which takes longer.
                    Err(Failure::Error(_)) => {}
                    outcome => return outcome,
                },
                outcome = &mut made => {
                    let Ok(fresh) = outcome else { return heard.await };
                    // Where it was the network, both answer now, and the session that there is has what the server keeps in
                    // it. What was asked before may be lost on the way.
                    return match tokio::time::timeout(HEAD_START, self.heard(live)).await {
                        Ok(Ok(heard)) => {
                            self.background.spawn(async move { fresh.connection.close().await });
                            Ok(heard)
                        }
                        _ => Ok(fresh),
                    };
                }
            }
        }
    }

    async fn made_elsewhere(&self) -> Result<Box<FreshConnection>, Failure> {
        let Some(SecondSource { source, limits }) = &self.elsewhere else { return Err(Failure::Gone) };
        // Why there is nothing to contact is told by an attempt from scratch.
        let server = source.server().await.map_err(|_| Failure::Gone)?;
        let _turn = match limits {
            Some(limits) => limits.turn(&server.endpoint).await,
            None => None,
        };
        self.made(&server).await
    }

    async fn made(&self, server: &Server) -> Result<Box<FreshConnection>, Failure> {
        let began = Instant::now();
        let dialed = self.dial.dial(server, &self.awaited.waiting).await;
        let connection = dialed.map_err(|error| Failure::Error(error.in_phase(Phase::Connect)))?;
        let took = began.elapsed();
        // Before the tools are listed, so that no change of the list is missed.
        let notifications = Some(connection.notifications());
        let unclaimed =
            UnclaimedConnection { connection: Some(connection.clone()), background: self.background.clone() };
        let listed = list(&connection, self.list, None).await;
        unclaimed.claim();
        let (endpoint, auth) = (Arc::new(server.endpoint.clone()), server.auth.clone());
        Ok(Box::new(FreshConnection {
            connection,
            notifications,
            listed,
            endpoint,
            auth,
            silent: None,
            took,
        }))
    }
}

/// Where a server is, as messages name it.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerLocation {
    /// The origin of its endpoint, which unlike the path is never a secret.
    pub(super) origin: Option<String>,
    /// The endpoint as it may be shown.
    pub(super) endpoint: Option<String>,
    /// Whether it is a process of this machine.
    pub(super) is_local: bool,
}

impl ServerLocation {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        match endpoint {
            Endpoint::Http(http) => {
                let origin = Some(http.url.origin().ascii_serialization());
                Self { origin, endpoint: http.shown.clone(), is_local: false }
            }
            Endpoint::Stream(stream) => Self::of(&stream.server),
            Endpoint::Stdio(_) => Self { is_local: true, ..Self::default() },
        }
    }
}

/// Closes a connection whose attempt was given up after the handshake.
struct UnclaimedConnection {
    connection: Option<Connection>,
    background: Background,
}

impl UnclaimedConnection {
    fn claim(mut self) {
        self.connection = None;
    }
}

impl Drop for UnclaimedConnection {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.background.spawn(async move { connection.close().await });
        }
    }
}
