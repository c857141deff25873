//! Election: finds the process that keeps the connection, or has this one keep it.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use mcp_bridge::shared::{BridgeView, HostIdentity, UpstreamChange};
use mcp_status::{Evidence, FailureRun, Outcome, Phase, Reason};
use mcp_transport::endpoint::StreamEndpoint;
use mcp_transport::stream::{OpenFuture, Stream, StreamOpener};
use mcp_transport::supervisor::{NoContact, ServerFuture, ServerSource};
use mcp_transport::{Endpoint, Server};
use tokio::io::BufReader;
use tokio::time::Instant;

use crate::address::Address;
use crate::hub::{Hub, Plan};
use crate::opening::{self, Reply, Request};
use crate::share::Share;
use crate::socket::{Socket, check_peer};

/// How long to wait before looking again for the process that has the claim: it is starting, or ending.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// How long no process may listen although one has the claim. One that ends takes 2 s.
const ABSENT_LIMIT: Duration = Duration::from_secs(10);

/// A bridge's server, reached by way of the process that keeps the connection.
pub(crate) struct Source {
    share: Share,
    bridge: BridgeView,
}

impl Source {
    pub(crate) fn new(share: Share, bridge: BridgeView) -> Self {
        Self { share, bridge }
    }
}

impl ServerSource for Source {
    fn server(&self) -> ServerFuture<'_> {
        Box::pin(async {
            let (server, identity) = self.share.source().server().await?;
            let host = self.bridge.host().ok_or(NoContact::SwitchedOff)?;
            let address = Address::of_host(self.share.directory(), identity, &host).map_err(|error| {
                NoContact::Because(Reason::config(&format!("the connection cannot be shared: {error}")))
            })?;
            let (share, bridge) = (self.share.clone(), self.bridge.clone());
            let stream = StreamEndpoint::new(Opener { share, bridge, address, host }, server.endpoint);
            let mut by_way_of_owner = Server::new(Endpoint::Stream(stream)).with_timeout(server.timeout);
            by_way_of_owner.limits = server.limits.clone();
            // Each bridge has its own, whichever of them keeps the connection.
            by_way_of_owner.tools = server.tools.clone();
            Ok(by_way_of_owner)
        })
    }
}

/// Finds the process that keeps the connection, or has this one keep it.
struct Opener {
    share: Share,
    bridge: BridgeView,
    address: Address,
    host: HostIdentity,
}

impl StreamOpener for Opener {
    fn open(&self) -> OpenFuture<'_> {
        Box::pin(self.find())
    }
}

/// Why a visit has led to nothing.
enum VisitError {
    /// No process is there now; one may be soon.
    Absent(io::Error),
    /// A process keeps the connection and does not answer.
    Silent,
    /// Asking again cannot help.
    Lasting(io::Error),
    /// The entry of those who share is another one now.
    OtherEntry,
}

impl From<io::Error> for VisitError {
    fn from(error: io::Error) -> Self {
        // The address belongs to another account, or its path is too long for a socket.
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput => Self::Lasting(error),
            _ => Self::Absent(error),
        }
    }
}

impl Opener {
    async fn find(&self) -> Result<Stream, FailureRun> {
        let (wanted, left) = {
            let mut state = self.share.state();
            // What was waited for is asked now.
            state.waiting = None;
            state.address = Some(self.address.clone());
            let left = state.hub.take_if(|hub| !hub.is_at(&self.address));
            (!std::mem::take(&mut state.is_unasked), left)
        };
        if let Some(hub) = left {
            hub.leave();
        }
        let began = Instant::now();
        loop {
            if self.share.state().ended {
                return Err(failure(Outcome::Unreachable, "the bridge is closing"));
            }
            let outcome = match self.visit(wanted).await {
                Ok(outcome) => return outcome,
                Err(VisitError::Absent(error)) if began.elapsed() < ABSENT_LIMIT => {
                    tracing::debug!(%error, "no process keeps the shared connection now");
                    tokio::time::sleep(LOOK_AGAIN).await;
                    Ok(())
                }
                Err(VisitError::Absent(_) | VisitError::Silent) => {
                    tracing::warn!(
                        "the process that keeps the shared connection does not answer; this bridge has its own"
                    );
                    self.keep(None).map(drop)
                }
                Err(VisitError::Lasting(error)) => Err(error),
                Err(VisitError::OtherEntry) => {
                    self.share.state().hub = None;
                    self.share.note(UpstreamChange::Entry);
                    return Err(failure(Outcome::Unreachable, "the entry has changed"));
                }
            };
            if let Err(error) = outcome {
                let detail = format!("the connection cannot be shared: {error}");
                return Err(failure(Outcome::Misconfigured, &detail));
            }
        }
    }

    /// Asks the process that keeps the connection, which is this one where no other does.
    async fn visit(&self, wanted: bool) -> Result<Result<Stream, FailureRun>, VisitError> {
        if let Some(hub) = self.share.hub_at(&self.address) {
            if hub.is_dissolved() {
                return Err(VisitError::OtherEntry);
            }
            return self.attach(hub.admit()?, wanted).await;
        }
        match Socket::connect(self.address.socket()).await {
            Ok(stream) => {
                check_peer(&stream)?;
                self.attach(stream, wanted).await
            }
            Err(error) if is_absent(&error) => {
                let claim = self.address.claim()?.ok_or(error)?;
                let hub = self.keep(Some(claim))?;
                self.attach(hub.admit()?, wanted).await
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn attach(&self, stream: Socket, wanted: bool) -> Result<Result<Stream, FailureRun>, VisitError> {
        let mut stream = BufReader::new(stream);
        let request = Request::Attach { pid: self.share.pid(), wanted };
        let owner = opening::ask(&mut stream, &request).await.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => VisitError::Silent,
            _ => error.into(),
        })?;
        self.share.state().owner = Some(owner);
        match opening::read(&mut stream).await? {
            Reply::Failed(failure) => {
                self.share.wait_for_change(stream);
                Ok(Err(failure.into_run()))
            }
            Reply::Connected => {
                // The first words are ours, and a message may have come already: the buffer goes along.
                let (input, output) = tokio::io::split(stream);
                Ok(Ok(Stream::new(input, output)))
            }
            Reply::Here { .. } | Reply::Reconnected => {
                Err(io::Error::from(io::ErrorKind::InvalidData).into())
            }
        }
    }

    /// Keeps the connection from now on: for every process, with the `claim`, or for this process alone.
    fn keep(&self, claim: Option<File>) -> io::Result<Arc<Hub>> {
        let ended = || io::Error::new(io::ErrorKind::NotConnected, "the bridge has ended");
        let plan = Plan {
            config: self.bridge.config().ok_or_else(ended)?,
            connector: self.bridge.connector().clone(),
            source: self.share.source().clone(),
            directory: self.share.directory().to_owned(),
            pid: self.share.pid(),
            address: self.address.clone(),
            host: self.host.clone(),
        };
        let hub = Hub::start(plan, claim)?;
        self.share.state().hub = Some(hub.clone());
        Ok(hub)
    }
}

fn failure(outcome: Outcome, detail: &str) -> FailureRun {
    FailureRun::of_one(Evidence::new(Phase::Connect, outcome).with_detail(detail))
}

/// Whether no process listens: there is no socket, or the process behind it is gone.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
