//! Wires with one shared stream in each direction: stdio, and the legacy HTTP+SSE transport. Requests are told
//! apart by their ids, and the handshake is a message like any other.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use mcp_status::Phase;
use tokio::sync::watch;

use crate::duplex::{Outcome, Patience};
#[cfg(feature = "http")]
use crate::http::legacy_sse::LegacySse;
use crate::hub::Hub;
use crate::limits::{Allowance, Purpose};
use crate::message::revision::{Era, ProtocolRevision};
use crate::protocol::chain;
#[cfg(feature = "stdio")]
use crate::protocol::handshake::probe_limit;
use crate::protocol::handshake::{Probe, ServerDescription, judge_probe, read_initialize};
use crate::protocol::legacy::{INITIALIZED, cancelled, initialize_params};
use crate::protocol::modern::request_meta;
use crate::protocol::offer::next_offer;
use crate::protocol::outgoing::encode_request;
#[cfg(feature = "stdio")]
use crate::stdio::{PeerWire, SideOutput, StdioWire};
use crate::wire::{Agreed, Prepared, encode};
use crate::{ClientOptions, TransportError, TransportErrorKind};

/// The ids of the requests that come before all others; a connection counts from 1.
const HANDSHAKE: i64 = 0;
const PROBE: i64 = -1;

/// One of these wires, its handshake done.
#[derive(Debug)]
pub(crate) struct Ordered {
    line: Line,
    agreement: RwLock<Arc<Agreement>>,
    /// Counts the agreements, for those who set something on the server.
    generation: watch::Sender<u64>,
    renewing: tokio::sync::Mutex<()>,
    idle: Option<Duration>,
}

/// What is agreed with the server at present. Replaced as a whole.
#[derive(Debug)]
struct Agreement {
    server: Arc<ServerDescription>,
    /// What `_meta` of every request says; empty in the legacy era.
    meta: String,
}

/// A stream, and who is at this end of it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) stream: Stream,
    pub(crate) hub: Arc<Hub>,
    pub(crate) options: Arc<ClientOptions>,
    /// What the opening tells of the entries above, where the server is a process of this machine.
    pub(crate) chain: Option<Arc<str>>,
}

/// The streams themselves.
#[derive(Debug)]
pub(crate) enum Stream {
    #[cfg(feature = "stdio")]
    Stdio(StdioWire),
    #[cfg(feature = "stdio")]
    Peer(PeerWire),
    #[cfg(feature = "http")]
    LegacySse(LegacySse),
}

/// The limits of one request.
#[derive(Clone, Copy)]
struct Limits<'a> {
    phase: Phase,
    /// What the answer may cost.
    allowance: Allowance,
    /// Until the server has taken the message; means nothing over stdio, where that cannot be seen.
    first_byte: Duration,
    patience: Patience<'a>,
}

#[cfg_attr(
    not(any(feature = "http", feature = "stdio")),
    expect(unused_variables, reason = "without a transport there is nothing to send them over")
)]
impl Stream {
    async fn request(&self, id: i64, frame: Vec<u8>, limits: Limits<'_>) -> Outcome {
        match *self {
            #[cfg(feature = "stdio")]
            Self::Stdio(ref wire) => wire.request(id, frame, limits.allowance, limits.patience).await,
            #[cfg(feature = "stdio")]
            Self::Peer(ref wire) => wire.request(id, frame, limits.allowance, limits.patience).await,
            #[cfg(feature = "http")]
            Self::LegacySse(ref wire) => {
                let Limits { phase, allowance, first_byte, patience } = limits;
                wire.request(id, frame, allowance, phase, first_byte, patience).await
            }
        }
    }

    async fn notify(&self, frame: Vec<u8>) -> Result<(), TransportError> {
        match *self {
            #[cfg(feature = "stdio")]
            Self::Stdio(ref wire) => wire.send(frame),
            #[cfg(feature = "stdio")]
            Self::Peer(ref wire) => wire.send(frame),
            #[cfg(feature = "http")]
            Self::LegacySse(ref wire) => wire.notify(frame).await,
        }
    }

    /// Sends without waiting, and without telling whether it arrived.
    fn send_in_background(&self, frame: Vec<u8>) {
        match *self {
            // Fails only where the stream has ended, and with it whatever the message is about.
            #[cfg(feature = "stdio")]
            Self::Stdio(ref wire) => drop(wire.send(frame)),
            #[cfg(feature = "stdio")]
            Self::Peer(ref wire) => drop(wire.send(frame)),
            #[cfg(feature = "http")]
            Self::LegacySse(ref wire) => wire.post_in_background(frame),
        }
    }

    async fn close(&self) {
        match *self {
            #[cfg(feature = "stdio")]
            Self::Stdio(ref wire) => wire.close().await,
            #[cfg(feature = "stdio")]
            Self::Peer(ref wire) => wire.close().await,
            #[cfg(feature = "http")]
            Self::LegacySse(ref wire) => wire.close().await,
        }
    }
}

impl Line {
    /// Shakes hands.
    async fn initialize(&self, phase: Phase) -> Result<Agreement, TransportError> {
        // The attempt as a whole has a limit; its parts need none.
        let idle = (phase == Phase::Session).then_some(self.options.connect_timeout);
        let mut offered = vec![ProtocolRevision::NEWEST_LEGACY];
        let result = loop {
            let (client, revision) = (self.hub.client_info(&self.options), offered[offered.len() - 1]);
            let params = initialize_params(revision, &client, &self.hub.capabilities());
            let frame =
                encode_request(HANDSHAKE, "initialize", Some(&params), &chain::meta(self.chain.as_deref()))?;
            match self.ask(HANDSHAKE, frame, self.limits(phase, idle)).await {
                Ok(result) => break result,
                Err(refusal) => offered.push(next_offer(&refusal, &offered).ok_or(refusal)?),
            }
        };
        let mut server = read_initialize(&result)?;
        server.held = result.lease();
        let server = Arc::new(server);
        self.stream.notify(INITIALIZED.to_vec()).await?;
        Ok(Agreement { server, meta: String::new() })
    }

    /// Asks who the server is; `None` where it is of the legacy era. `idle` is the limit of one probe.
    async fn discover(
        &self,
        mut revision: ProtocolRevision,
        phase: Phase,
        idle: Option<Duration>,
    ) -> Result<Option<Agreement>, TransportError> {
        let mut retried = false;
        loop {
            let mut meta = self.meta(revision);
            if self.chain.is_some() {
                meta = format!("{meta},{}", chain::meta(self.chain.as_deref()));
            }
            let frame = encode_request(PROBE, "server/discover", None, &meta)?;
            let answer = self.ask(PROBE, frame, self.limits(phase, idle)).await;
            match judge_probe(answer, retried) {
                Probe::Modern(server) => {
                    let meta = self.meta(server.revision);
                    return Ok(Some(Agreement { server: Arc::new(*server), meta }));
                }
                Probe::Legacy => return Ok(None),
                Probe::Doubtful(error) | Probe::Failed(error) => return Err(error),
                Probe::Retry(wanted) => (revision, retried) = (wanted, true),
            }
        }
    }

    /// Asks something of the handshake. A process that was told what it runs under may refuse because of it.
    async fn ask(&self, id: i64, frame: Vec<u8>, limits: Limits<'_>) -> Outcome {
        let answer = self.stream.request(id, frame, limits).await;
        let refused = |refusal: &TransportError| refusal.rpc_error().and_then(chain::told_loop);
        match answer.as_ref().err().filter(|_| self.chain.is_some()).and_then(refused) {
            Some(how) => {
                let kind = TransportErrorKind::SelfReference;
                Err(TransportError::new(kind, "the command leads back to what started it")
                    .with_said(Some(how)))
            }
            None => answer,
        }
    }

    fn meta(&self, revision: ProtocolRevision) -> String {
        request_meta(revision, &self.hub.client_info(&self.options), &self.hub.capabilities())
    }

    fn limits(&self, phase: Phase, idle: Option<Duration>) -> Limits<'static> {
        let patience = Patience { idle, life: None };
        let allowance = self.hub.budget.limits.allowance_for(Purpose::Handshake);
        Limits { phase, allowance, first_byte: self.options.connect_timeout, patience }
    }
}

impl Ordered {
    /// Shakes hands: `initialize`, which the servers in the field expect as their first message, and where
    /// that is refused with a JSON-RPC error, `server/discover`, because a server may speak only the modern
    /// era (2026-07-28, compatibility matrix).
    pub(crate) async fn open(line: Line, idle: Option<Duration>) -> Result<Self, TransportError> {
        let refusal = match line.initialize(Phase::Connect).await {
            Ok(agreement) => return Ok(Self::new(line, agreement, idle)),
            Err(refusal) if matches!(refusal.kind(), TransportErrorKind::Rpc { .. }) => refusal,
            Err(error) => return Err(error),
        };
        match Self::discover(line, idle).await {
            // The server's own words about the handshake say more than those about a probe.
            Err(error) if !matches!(error.kind(), TransportErrorKind::Version { .. }) => Err(refusal),
            discovered => discovered,
        }
    }

    /// Asks a server that speaks only the modern era who it is.
    pub(crate) async fn discover(line: Line, idle: Option<Duration>) -> Result<Self, TransportError> {
        match line.discover(ProtocolRevision::NEWEST_MODERN, Phase::Connect, None).await? {
            Some(agreement) => Ok(Self::new(line, agreement, idle)),
            None => Err(neither_era()),
        }
    }

    /// Probes first, and shakes hands with a server that is not of the modern era (2026-07-28, stdio, backward
    /// compatibility).
    #[cfg(feature = "stdio")]
    pub(crate) async fn probe(line: Line, idle: Option<Duration>) -> Result<Self, TransportError> {
        let limit = probe_limit(line.options.connect_timeout);
        let found = line.discover(ProtocolRevision::NEWEST_MODERN, Phase::Connect, Some(limit)).await?;
        let agreement = match found {
            Some(agreement) => agreement,
            None => line.initialize(Phase::Connect).await?,
        };
        Ok(Self::new(line, agreement, idle))
    }

    fn new(line: Line, agreement: Agreement, idle: Option<Duration>) -> Self {
        Self {
            line,
            agreement: RwLock::new(Arc::new(agreement)),
            generation: watch::Sender::new(0),
            renewing: tokio::sync::Mutex::new(()),
            idle,
        }
    }

    fn agreement(&self) -> Arc<Agreement> {
        self.agreement.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn agreed(&self) -> Agreed {
        Agreed { era: self.server().revision.era(), generation: *self.generation.borrow() }
    }

    /// Counts what was agreed, from the first agreement on.
    pub(crate) fn generation(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Speaks `revision` from now on, in place of what was agreed as number `stale`, unless someone else has agreed on
    /// something meanwhile.
    pub(crate) async fn renegotiate(
        &self,
        revision: ProtocolRevision,
        stale: u64,
    ) -> Result<(), TransportError> {
        let _one_at_a_time = self.renewing.lock().await;
        if *self.generation.borrow() != stale {
            return Ok(());
        }
        let (server, limit) = (self.server(), self.line.options.connect_timeout);
        let agreement = match (server.revision.era(), revision.era()) {
            // Some servers refuse a request for no reason that the next one would share.
            (Era::Modern, Era::Modern) if server.revision == revision => return Ok(()),
            (Era::Modern, Era::Modern) => {
                let server = Arc::new(ServerDescription { revision, ..(*server).clone() });
                Agreement { server, meta: self.line.meta(revision) }
            }
            (Era::Legacy, Era::Modern) => {
                self.line.discover(revision, Phase::Session, Some(limit)).await?.ok_or_else(neither_era)?
            }
            (_, Era::Legacy) => self.line.initialize(Phase::Session).await?,
        };
        *self.agreement.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(agreement);
        self.generation.send_modify(|generation| *generation += 1);
        Ok(())
    }

    pub(crate) fn server(&self) -> Arc<ServerDescription> {
        self.agreement().server.clone()
    }

    pub(crate) async fn request(&self, request: &Prepared<'_>) -> Outcome {
        let frame = encode(request, &self.agreement().meta)?;
        let patience = Patience {
            idle: self
                .idle
                .filter(|_| !request.endless)
                .map(|idle| request.limit.map_or(idle, |limit| idle.max(limit))),
            life: request.watched.map(|watched| &*watched.life),
        };
        let first_byte = request.limit.map_or(request.first_byte, |limit| request.first_byte.max(limit));
        let allowance = request.allowance;
        let limits = Limits { phase: Phase::Session, allowance, first_byte, patience };
        let outcome = self.line.stream.request(request.id, frame, limits).await;
        if outcome.is_ok() {
            self.line.hub.pulse.served();
        }
        outcome
    }

    pub(crate) async fn notify(&self, frame: Vec<u8>) -> Result<(), TransportError> {
        self.line.stream.notify(frame).await
    }

    /// There is no stream per request whose end would say it, so it is said in both eras.
    pub(crate) fn cancel(&self, id: i64, reason: &str) {
        self.line.stream.send_in_background(cancelled(id, reason));
    }

    /// Whether another process keeps the connection to the server.
    pub(crate) fn is_relayed(&self) -> bool {
        match self.line.stream {
            #[cfg(feature = "stdio")]
            Stream::Peer(_) => true,
            _ => false,
        }
    }

    pub(crate) async fn close(&self) {
        self.line.stream.close().await;
    }

    /// Why it ended, where it is a process that has.
    #[cfg(feature = "stdio")]
    pub(crate) fn why_ended(&self) -> Option<TransportError> {
        match &self.line.stream {
            Stream::Stdio(wire) => wire.why_ended(),
            _ => None,
        }
    }

    #[cfg(feature = "stdio")]
    pub(crate) fn side_output(&self) -> Option<SideOutput> {
        match &self.line.stream {
            Stream::Stdio(wire) => Some(wire.side_output()),
            Stream::Peer(_) => None,
            #[cfg(feature = "http")]
            Stream::LegacySse(_) => None,
        }
    }
}

fn neither_era() -> TransportError {
    TransportError::new(TransportErrorKind::Protocol, "the server speaks neither era")
}
