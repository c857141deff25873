//! Wires with one shared stream in each direction: stdio, and the legacy HTTP+SSE transport. Requests are told
//! apart by their ids, and the handshake is a message like any other.

use std::sync::Arc;
use std::time::Duration;

use mcp_status::Phase;
use mcp_text::Secrets;
use tokio::sync::watch;

use crate::duplex::{Outcome, Patience};
use crate::error::{TransportError, TransportErrorKind};
#[cfg(feature = "http")]
use crate::http::legacy_sse::LegacySse;
use crate::hub::Inbox;
use crate::limits::{Allowance, Purpose};
use crate::message::{Payload, ProtocolRevision};
use crate::options::ClientOptions;
use crate::protocol::agree::{self, Agreements, Discovery, Exchange, Ordinal};
use crate::protocol::chain;
use crate::protocol::handshake::ServerDescription;
#[cfg(feature = "stdio")]
use crate::protocol::handshake::probe_limit;
use crate::protocol::legacy::{INITIALIZED, cancelled, initialize_params};
use crate::protocol::modern::request_meta;
use crate::protocol::outgoing::encode_request;
#[cfg(feature = "stdio")]
use crate::stdio::{SideOutput, StdioWire, StreamWire};
use crate::wire::request::{AgreementNumber, WireRequest, encode};

/// The ids of the requests that come before all others; a connection counts from 1.
const HANDSHAKE: i64 = 0;
const PROBE: i64 = -1;

/// One of these wires, its handshake done.
#[derive(Debug)]
pub(crate) struct OrderedWire {
    line: StreamEnd,
    agreements: Agreements<Agreement>,
    idle: Option<Duration>,
}

/// What is agreed with the server at present. Replaced as a whole.
#[derive(Debug)]
struct Agreement {
    server: Arc<ServerDescription>,
    /// What `_meta` of every request says; empty in the legacy era.
    meta: String,
    number: u64,
}

impl Ordinal for Agreement {
    fn number(&self) -> u64 {
        self.number
    }
}

/// The requests of a handshake over a line.
struct Opening<'a> {
    line: &'a StreamEnd,
    phase: Phase,
    /// The limit of silence; an attempt as a whole has one, so its parts need none.
    idle: Option<Duration>,
}

/// A stream, and who is at this end of it.
#[derive(Debug)]
pub(crate) struct StreamEnd {
    pub(crate) stream: Stream,
    pub(crate) hub: Arc<Inbox>,
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
    Opened(StreamWire),
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
            Self::Opened(ref wire) => wire.request(id, frame, limits.allowance, limits.patience).await,
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
            Self::Opened(ref wire) => wire.send(frame),
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
            Self::Opened(ref wire) => drop(wire.send(frame)),
            #[cfg(feature = "http")]
            Self::LegacySse(ref wire) => wire.post_in_background(frame),
        }
    }

    async fn close(&self) {
        match *self {
            #[cfg(feature = "stdio")]
            Self::Stdio(ref wire) => wire.close().await,
            #[cfg(feature = "stdio")]
            Self::Opened(ref wire) => wire.close().await,
            #[cfg(feature = "http")]
            Self::LegacySse(ref wire) => wire.close().await,
        }
    }
}

impl Exchange for Opening<'_> {
    type Session = ();

    async fn discover(&self, revision: ProtocolRevision) -> Result<Payload, TransportError> {
        let mut meta = self.line.meta(revision);
        if self.line.chain.is_some() {
            meta = format!("{meta},{}", chain::meta(self.line.chain.as_deref()));
        }
        self.line.ask(PROBE, encode_request(PROBE, "server/discover", None, &meta)?, self.limits()).await
    }

    async fn initialize(&self, revision: ProtocolRevision) -> Result<(Payload, ()), TransportError> {
        let line = self.line;
        let params =
            initialize_params(revision, &line.hub.client_info(&line.options), &line.hub.capabilities());
        let meta = chain::meta(line.chain.as_deref());
        let frame = encode_request(HANDSHAKE, "initialize", Some(&params), &meta)?;
        line.ask(HANDSHAKE, frame, self.limits()).await.map(|answer| (answer, ()))
    }
}

impl Opening<'_> {
    fn limits(&self) -> Limits<'static> {
        let Self { line, phase, idle } = *self;
        let allowance = line.hub.budget.limits.allowance_for(Purpose::Handshake);
        let patience = Patience { idle, life: None };
        Limits { phase, allowance, first_byte: line.options.connect_timeout, patience }
    }
}

impl StreamEnd {
    fn opening(&self, idle: Option<Duration>) -> Opening<'_> {
        Opening { line: self, phase: Phase::Connect, idle }
    }

    /// Shakes hands.
    async fn initialize(&self) -> Result<Agreement, TransportError> {
        let (server, ()) = agree::shake_hands(&self.opening(None)).await?;
        self.begin(server, 0).await
    }

    /// Asks who the server is; `None` where it is of the legacy era. `idle` is the limit of one probe.
    async fn discover(&self, idle: Option<Duration>) -> Result<Option<Agreement>, TransportError> {
        match agree::discover(&self.opening(idle), ProtocolRevision::NEWEST_MODERN).await? {
            Discovery::Modern(server) => Ok(Some(self.modern(server, 0))),
            Discovery::Legacy | Discovery::Silent => Ok(None),
            // There is no other way to ask: the stream is broken, or the process is.
            Discovery::Doubt(error) => Err(error),
        }
    }

    /// The agreement with a server of the modern era.
    fn modern(&self, server: ServerDescription, number: u64) -> Agreement {
        Agreement { meta: self.meta(server.revision), server: Arc::new(server), number }
    }

    /// The agreement that hands were shaken on.
    async fn begin(&self, server: ServerDescription, number: u64) -> Result<Agreement, TransportError> {
        self.stream.notify(INITIALIZED.to_vec()).await?;
        Ok(Agreement { server: Arc::new(server), meta: String::new(), number })
    }

    /// Asks something of the handshake. A process that was told what it runs under may refuse because of it.
    async fn ask(&self, id: i64, frame: Vec<u8>, limits: Limits<'_>) -> Outcome {
        let answer = self.stream.request(id, frame, limits).await;
        let refused = |refusal: &TransportError| refusal.rpc_error().and_then(chain::reported_loop);
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
}

impl OrderedWire {
    /// Shakes hands: `initialize`, which the servers in the field expect as their first message, and where
    /// that is refused with a JSON-RPC error, `server/discover`, because a server may speak only the modern
    /// era (2026-07-28, compatibility matrix).
    pub(crate) async fn open(line: StreamEnd, idle: Option<Duration>) -> Result<Self, TransportError> {
        let refusal = match line.initialize().await {
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
    pub(crate) async fn discover(line: StreamEnd, idle: Option<Duration>) -> Result<Self, TransportError> {
        match line.discover(None).await? {
            Some(agreement) => Ok(Self::new(line, agreement, idle)),
            None => Err(agree::neither_era()),
        }
    }

    /// Probes first, and shakes hands with a server that is not of the modern era (2026-07-28, stdio, backward
    /// compatibility).
    #[cfg(feature = "stdio")]
    pub(crate) async fn probe(line: StreamEnd, idle: Option<Duration>) -> Result<Self, TransportError> {
        let limit = probe_limit(line.options.connect_timeout);
        let agreement = match line.discover(Some(limit)).await? {
            Some(agreement) => agreement,
            None => line.initialize().await?,
        };
        Ok(Self::new(line, agreement, idle))
    }

    fn new(line: StreamEnd, agreement: Agreement, idle: Option<Duration>) -> Self {
        Self { line, agreements: Agreements::new(agreement), idle }
    }

    pub(crate) fn agreed(&self) -> AgreementNumber {
        let last = self.agreements.last();
        AgreementNumber { era: last.server.revision.era(), generation: last.number }
    }

    /// Counts what was agreed, from the first agreement on.
    pub(crate) fn generation(&self) -> watch::Receiver<u64> {
        self.agreements.numbers()
    }

    /// Speaks `revision` from now on, in place of what was agreed as number `stale`, unless someone else has agreed on
    /// something meanwhile.
    pub(crate) async fn renegotiate(
        &self,
        revision: ProtocolRevision,
        stale: u64,
    ) -> Result<(), TransportError> {
        let Some(_turn) = self.agreements.renew(stale).await else { return Ok(()) };
        let (line, server, number) = (&self.line, self.server(), self.agreements.next_number());
        let idle = Some(line.options.connect_timeout);
        let opening = Opening { phase: Phase::Session, ..line.opening(idle) };
        self.agreements.install(match agree::agree_on(&opening, &server, revision).await? {
            agree::Outcome::Unchanged => return Ok(()),
            agree::Outcome::Modern(server) => line.modern(server, number),
            agree::Outcome::Legacy(server, ()) => line.begin(server, number).await?,
        });
        Ok(())
    }

    pub(crate) fn server(&self) -> Arc<ServerDescription> {
        self.agreements.last().server.clone()
    }

    pub(crate) async fn request(&self, request: &WireRequest<'_>) -> Outcome {
        let frame = encode(request, &self.agreements.last().meta)?;
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
            self.line.hub.activity.served();
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
            Stream::Opened(_) => true,
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

    /// Whether it is a process that is stopped.
    #[cfg(feature = "stdio")]
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(&self.line.stream, Stream::Stdio(wire) if wire.is_stopped())
    }

    /// What the server was given and must not be repeated in what is told about it. What another process sends it, that
    /// process knows.
    pub(crate) fn secrets(&self) -> Secrets {
        match self.line.stream {
            #[cfg(feature = "stdio")]
            Stream::Stdio(ref wire) => wire.secrets().clone(),
            #[cfg(feature = "stdio")]
            Stream::Opened(_) => Secrets::default(),
            #[cfg(feature = "http")]
            Stream::LegacySse(ref wire) => wire.http().secrets(),
        }
    }

    /// The credentials among them.
    pub(crate) fn credentials_sent(&self) -> Secrets {
        match self.line.stream {
            #[cfg(feature = "http")]
            Stream::LegacySse(ref wire) => wire.http().credentials_sent(),
            #[cfg(feature = "stdio")]
            _ => self.secrets().credentials(),
        }
    }

    #[cfg(feature = "stdio")]
    pub(crate) fn side_output(&self) -> Option<SideOutput> {
        match &self.line.stream {
            Stream::Stdio(wire) => Some(wire.side_output()),
            Stream::Opened(_) => None,
            #[cfg(feature = "http")]
            Stream::LegacySse(_) => None,
        }
    }
}
