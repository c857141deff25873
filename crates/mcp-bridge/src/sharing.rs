//! Bridges of one person to one server over one connection.
//!
//! The first bridge to come keeps the connection and listens on a socket; the others are its guests. A guest keeps its
//! whole conversation with its host, and only its upstream differs: it is a [`PeerEndpoint`], so the end of the owner is
//! a lost connection like any other. A bridge that notices asks again, and one of them becomes the owner. The owner's own
//! host is a guest of its own hub, over the same socket, so that there is one way to be on the connection.
//!
//! ```text
//! host ─► Session ─► Supervisor ─► PeerEndpoint ─┐                  the owner's process
//!                                                ├─socket─► Peer ─┐ ┌──────────────────────────┐
//! host ─► Session ─► Supervisor ─► PeerEndpoint ─┘          Peer ─┼─► SupervisorHandle ─► server
//!                                                       Router ◄──┘                            │
//!                                                          └────◄── questions, notifications ──┘
//! ```
//!
//! Who may meet is decided by [`Fingerprint`] and by what the hosts say of themselves: a server is told of one client,
//! so only hosts of which it would be told the same share a connection. What the owner has seen of the server crosses
//! the socket as evidence, and each bridge classifies it by itself: there is one table for what it means.

mod door;
mod hub;
mod opening;
mod peer;
mod place;
mod router;
mod tokens;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use mcp_status::{Evidence, Outcome, Phase, Reason, Streak};
use mcp_transport::relay::{PeerEndpoint, PeerFuture, PeerOpener, PeerStream};
use mcp_transport::supervisor::{ServerFuture, ServerSource, Withheld};
use mcp_transport::{Connector, Endpoint, Server};
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use self::hub::{Hub, Plan, Told};
use self::opening::{Reply, Wish};
use self::place::Place;
use crate::private::check_peer;
use crate::state::Core;
use crate::{BridgeConfig, Fingerprint, Role};

/// How long to wait before looking again for the owner of the claim: it is starting, or ending.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// How long the owner of the connection may take to say that it is there, before anything else. It says so at once;
/// one that was stopped, or hangs, never does.
const HERE_LIMIT: Duration = Duration::from_secs(5);
/// How long no owner may answer although the claim is held. One that ends takes 2 s.
const NO_OWNER_LIMIT: Duration = Duration::from_secs(10);
/// How long a reconnect by another process may take: as long as a command waits for it.
const RECONNECT_LIMIT: Duration = Duration::from_secs(45);

/// What [`SharedSource::server`] returns.
pub type SharedServerFuture<'a> =
    Pin<Box<dyn Future<Output = Result<(Server, Fingerprint), Withheld>> + Send + 'a>>;

/// Says what to connect to, and everything about it that must be equal for two bridges to share the connection. Both
/// are of the same reading: one must never change without the other.
pub trait SharedSource: Send + Sync + 'static {
    /// The server as it is configured now, or why there is nothing to contact.
    fn server(&self) -> SharedServerFuture<'_>;
}

impl<F, Fut> SharedSource for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(Server, Fingerprint), Withheld>> + Send + 'static,
{
    fn server(&self) -> SharedServerFuture<'_> {
        Box::pin(self())
    }
}

/// What a bridge without a connection waits for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum News {
    /// The owner of the connection would say something else now.
    Further,
    /// The entry is another one now.
    OtherEntry,
}

/// One bridge's share of a connection. Cheap to clone; all clones are the same share.
#[derive(Clone)]
pub struct Sharing(Arc<Shared>);

struct Shared {
    directory: PathBuf,
    source: Arc<dyn SharedSource>,
    state: Mutex<State>,
    /// There is something in `State::news`.
    news: Notify,
}

#[derive(Default)]
struct State {
    /// Where it went last.
    place: Option<Place>,
    /// The process that it found there.
    owner: Option<u32>,
    hub: Option<Arc<Hub>>,
    news: Option<News>,
    /// Whether the next visit is because of news, and not because of a request.
    was_told: bool,
    /// Waits for news about a failure.
    waiting: Option<AbortOnDropHandle<()>>,
    ended: bool,
}

impl Sharing {
    /// A share in `directory`, which only this account may enter: it is made so. Bridges that may share must be given
    /// the same one.
    pub fn new(directory: impl Into<PathBuf>, source: impl SharedSource) -> Self {
        let (directory, source) = (directory.into(), Arc::new(source));
        Self(Arc::new(Shared { directory, source, state: Mutex::default(), news: Notify::new() }))
    }

    /// What this bridge is on the connection; `None` before it has found one, and where it has one of its own because
    /// the owner of the shared one does not answer.
    pub fn role(&self) -> Option<Role> {
        let state = self.state();
        let owner = state.owner?;
        match (&state.hub, &state.place) {
            (Some(hub), Some(place)) if hub.is_at(place) => {
                (!hub.is_apart()).then(|| Role::Owner { guests: hub.guests() })
            }
            _ => Some(Role::Guest { via: owner }),
        }
    }

    /// Whether this process keeps the connection, for itself or for others as well.
    pub fn is_kept_here(&self) -> bool {
        matches!(self.role(), Some(Role::Owner { .. }))
    }

    /// Has the connection itself made again, whichever process owns it; returns when that is decided. The bridge comes to the new
    /// one when its supervisor is asked to reconnect, too.
    pub async fn reconnect(&self) {
        let place = self.state().place.clone();
        let Some(place) = place else { return };
        match self.hub_at(&place) {
            // There may be an owner by now to share with.
            Some(hub) if hub.is_apart() => {
                self.state().hub = None;
                hub.close().await;
            }
            Some(hub) => hub.reconnect().await,
            None => {
                let asked = async {
                    let mut stream = BufReader::new(UnixStream::connect(place.socket()).await?);
                    ask(&mut stream, &Wish::Reconnect).await?;
                    timeout(RECONNECT_LIMIT, opening::read::<Reply>(&mut stream)).await?
                };
                if let Err(error) = asked.await {
                    // There is no owner, so there is no connection to drop.
                    tracing::debug!(%error, "there was no owner to reconnect");
                }
            }
        }
    }

    /// The source of a bridge's server: the owner of the connection, or this process.
    pub(crate) fn join(&self, connector: Connector, core: &Arc<Core>) -> Join {
        Join { sharing: self.clone(), connector, core: Arc::downgrade(core) }
    }

    /// Returns when it is worth asking for the server again, and says why.
    pub(crate) async fn news(&self) -> News {
        loop {
            self.0.news.notified().await;
            if let Some(news) = self.state().news.take() {
                return news;
            }
        }
    }

    /// Sends the guests elsewhere, if there are any.
    pub(crate) fn part(&self) {
        if let Some(hub) = self.hub() {
            hub.part();
        }
    }

    /// Returns when the guests have gone.
    pub(crate) async fn guests_gone(&self) {
        if let Some(hub) = self.hub() {
            hub.others_gone().await;
        }
    }

    /// Lets go of the connection, if this process keeps it.
    pub(crate) async fn close(&self) {
        self.state().ended = true;
        if let Some(hub) = self.hub() {
            hub.close().await;
        }
    }

    fn hub(&self) -> Option<Arc<Hub>> {
        self.state().hub.clone()
    }

    fn hub_at(&self, place: &Place) -> Option<Arc<Hub>> {
        self.hub().filter(|hub| hub.is_at(place))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that it waits on `stream` for news about a failure.
    fn wait_for_news(&self, mut stream: BufReader<UnixStream>) {
        let shared = self.0.clone();
        let waiting = tokio::spawn(async move {
            // Nothing is said any more; the end of the stream is the news.
            while let Ok(1..) = stream.read(&mut [0; 64]).await {}
            shared.tell(News::Further);
        });
        self.state().waiting = Some(AbortOnDropHandle::new(waiting));
    }
}

impl Shared {
    fn tell(&self, news: News) {
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.was_told |= news == News::Further;
            // Another entry is more than anything else.
            state.news = state.news.max(Some(news));
        }
        self.news.notify_one();
    }
}

impl fmt::Debug for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharing").field("role", &self.role()).finish_non_exhaustive()
    }
}

/// Where those meet whose entry has this fingerprint and whose hosts the server is told this of.
fn place_of(directory: &Path, fingerprint: Fingerprint, told: &str) -> io::Result<Place> {
    // What is said on the socket is private to a version of this program.
    Place::of(directory, fingerprint.with("version", env!("CARGO_PKG_VERSION")).with("host", told))
}

/// A bridge's server, reached by way of the owner of the connection.
pub(crate) struct Join {
    sharing: Sharing,
    connector: Connector,
    core: Weak<Core>,
}

impl ServerSource for Join {
    fn server(&self) -> ServerFuture<'_> {
        Box::pin(async {
            let (server, fingerprint) = self.sharing.0.source.server().await?;
            let core = self.core.upgrade().ok_or(Withheld::SwitchedOff)?;
            let introduction = &core.introduction;
            let told = Told {
                capabilities: introduction.capabilities(),
                client: introduction.client(),
                spelled: introduction.told(),
            };
            let place = place_of(&self.sharing.0.directory, fingerprint, &told.spelled).map_err(|error| {
                Withheld::Because(Reason::config(&format!("the connection cannot be shared: {error}")))
            })?;
            let mut config = core.config.clone();
            // The hub belongs to the share, and not the other way round.
            config.sharing = None;
            let (sharing, connector) = (self.sharing.clone(), self.connector.clone());
            let opener = Opener { sharing, connector, config, place, told };
            let peer = PeerEndpoint::new(opener, server.endpoint);
            let mut by_way_of_peer = Server::new(Endpoint::Peer(peer)).with_timeout(server.timeout);
            by_way_of_peer.limits = server.limits.clone();
            Ok(by_way_of_peer)
        })
    }
}

/// Finds the owner of the connection, or has this process own it.
struct Opener {
    sharing: Sharing,
    connector: Connector,
    config: BridgeConfig,
    place: Place,
    told: Told,
}

impl PeerOpener for Opener {
    fn open(&self) -> PeerFuture<'_> {
        Box::pin(self.find())
    }
}

/// Why a visit has led to nothing.
enum Obstacle {
    /// There is no owner now; there may be one soon.
    NoOwner(io::Error),
    /// The owner of the connection does not answer.
    Silent,
    /// Asking again cannot help.
    Lasting(io::Error),
    /// The entry of those who share is another one now.
    OtherEntry,
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        // The place is another account's, or its path is too long for a socket.
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput => Self::Lasting(error),
            _ => Self::NoOwner(error),
        }
    }
}

impl Opener {
    async fn find(&self) -> Result<PeerStream, Streak> {
        let wanted = {
            let mut state = self.sharing.state();
            // What was waited for is asked now.
            state.waiting = None;
            state.place = Some(self.place.clone());
            !std::mem::take(&mut state.was_told)
        };
        let began = Instant::now();
        loop {
            if self.sharing.state().ended {
                return Err(streak(Outcome::Unreachable, "the bridge is closing"));
            }
            let outcome = match self.visit(wanted).await {
                Ok(outcome) => return outcome,
                Err(Obstacle::NoOwner(error)) if began.elapsed() < NO_OWNER_LIMIT => {
                    tracing::debug!(%error, "the shared connection has no owner now");
                    tokio::time::sleep(LOOK_AGAIN).await;
                    Ok(())
                }
                Err(Obstacle::NoOwner(_) | Obstacle::Silent) => {
                    tracing::warn!(
                        "the owner of the shared connection does not answer; this bridge has its own"
                    );
                    self.keep(None).map(drop)
                }
                Err(Obstacle::Lasting(error)) => Err(error),
                Err(Obstacle::OtherEntry) => {
                    self.sharing.state().hub = None;
                    self.sharing.0.tell(News::OtherEntry);
                    return Err(streak(Outcome::Unreachable, "the entry has changed"));
                }
            };
            if let Err(error) = outcome {
                let detail = format!("the connection cannot be shared: {error}");
                return Err(streak(Outcome::Misconfigured, &detail));
            }
        }
    }

    /// Asks the owner of the connection, which is this process where there is no other.
    async fn visit(&self, wanted: bool) -> Result<Result<PeerStream, Streak>, Obstacle> {
        if let Some(hub) = self.sharing.hub_at(&self.place) {
            if hub.is_dissolved() {
                return Err(Obstacle::OtherEntry);
            }
            return self.attach(hub.admit()?, wanted).await;
        }
        match UnixStream::connect(self.place.socket()).await {
            Ok(stream) => {
                check_peer(&stream)?;
                self.attach(stream, wanted).await
            }
            Err(error) if has_no_listener(&error) => {
                let claim = self.place.claim()?.ok_or(error)?;
                let hub = self.keep(Some(claim))?;
                self.attach(hub.admit()?, wanted).await
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn attach(&self, stream: UnixStream, wanted: bool) -> Result<Result<PeerStream, Streak>, Obstacle> {
        let mut stream = BufReader::new(stream);
        let wish = Wish::Attach { pid: std::process::id(), wanted };
        let owner = ask(&mut stream, &wish).await.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Obstacle::Silent,
            _ => error.into(),
        })?;
        self.sharing.state().owner = Some(owner);
        match opening::read(&mut stream).await? {
            Reply::Failed(streak) => {
                self.sharing.wait_for_news(stream);
                Ok(Err(*streak))
            }
            Reply::Connected => {
                // The first words are ours, and a close may have come already: the buffer goes along.
                let (input, output) = tokio::io::split(stream);
                Ok(Ok(PeerStream::new(input, output)))
            }
            Reply::Here { .. } | Reply::Reconnected => {
                Err(io::Error::from(io::ErrorKind::InvalidData).into())
            }
        }
    }

    /// Keeps the connection from now on: for every bridge, with the `claim`, or for this process alone.
    fn keep(&self, claim: Option<File>) -> io::Result<Arc<Hub>> {
        let plan = Plan {
            config: self.config.clone(),
            connector: self.connector.clone(),
            source: self.sharing.0.source.clone(),
            directory: self.sharing.0.directory.clone(),
            place: self.place.clone(),
            told: self.told.clone(),
        };
        let hub = Hub::start(plan, claim)?;
        self.sharing.state().hub = Some(hub.clone());
        Ok(hub)
    }
}

/// Says what this process comes for, and returns who hears it.
///
/// # Errors
///
/// None does, or not within the limit ([`TimedOut`](io::ErrorKind::TimedOut)).
async fn ask(stream: &mut BufReader<UnixStream>, wish: &Wish) -> io::Result<u32> {
    let asked = async {
        opening::write(stream, wish).await?;
        opening::read(stream).await
    };
    match timeout(HERE_LIMIT, asked).await?? {
        Reply::Here { pid } => Ok(pid),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn streak(outcome: Outcome, detail: &str) -> Streak {
    Streak::of_one(Evidence::new(Phase::Connect, outcome).with_detail(detail))
}

/// Whether no process listens: there is no socket, or the process behind it is gone.
fn has_no_listener(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
