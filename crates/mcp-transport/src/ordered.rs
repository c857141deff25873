//! Wires with one shared stream in each direction: stdio, and the legacy HTTP+SSE transport. Requests are told
//! apart by their ids, and the handshake is a message like any other.

use std::sync::Arc;
use std::time::Duration;

use mcp_status::Phase;

use crate::duplex::{Outcome, Patience};
#[cfg(feature = "http")]
use crate::http::legacy_sse::LegacySse;
use crate::hub::Hub;
use crate::protocol::handshake::{Probe, ServerDescription, judge_probe, read_initialize};
use crate::protocol::legacy::{INITIALIZED, cancelled, initialize_params};
use crate::protocol::modern::request_meta;
use crate::protocol::outgoing::encode_request;
use crate::protocol::revision::ProtocolRevision;
#[cfg(feature = "stdio")]
use crate::stdio::{SideOutput, StdioWire};
use crate::wire::{Prepared, encode};
use crate::{ClientOptions, TransportError, TransportErrorKind};

/// One of these wires, its handshake done.
#[derive(Debug)]
pub(crate) struct Ordered {
    stream: Stream,
    server: Arc<ServerDescription>,
    /// What `_meta` of every request says; empty in the legacy era.
    meta: String,
    idle: Option<Duration>,
}

/// The streams themselves.
#[derive(Debug)]
pub(crate) enum Stream {
    #[cfg(feature = "stdio")]
    Stdio(StdioWire),
    #[cfg(feature = "http")]
    LegacySse(LegacySse),
}

/// The limits of one request.
#[derive(Clone, Copy)]
struct Limits<'a> {
    phase: Phase,
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
            Self::Stdio(ref wire) => wire.request(id, frame, limits.patience).await,
            #[cfg(feature = "http")]
            Self::LegacySse(ref wire) => {
                wire.request(id, frame, limits.phase, limits.first_byte, limits.patience).await
            }
        }
    }

    async fn notify(&self, frame: Vec<u8>) -> Result<(), TransportError> {
        match *self {
            #[cfg(feature = "stdio")]
            Self::Stdio(ref wire) => wire.send(frame),
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
            #[cfg(feature = "http")]
            Self::LegacySse(ref wire) => wire.post_in_background(frame),
        }
    }

    async fn close(&self) {
        match *self {
            #[cfg(feature = "stdio")]
            Self::Stdio(ref wire) => wire.close().await,
            #[cfg(feature = "http")]
            Self::LegacySse(ref wire) => wire.close().await,
        }
    }
}

impl Ordered {
    /// Shakes hands: `initialize`, which the servers in the field expect as their first message, and where
    /// that is refused with a JSON-RPC error, `server/discover`, because a server may speak only the modern
    /// era (2026-07-28, compatibility matrix).
    pub(crate) async fn open(
        stream: Stream,
        hub: &Hub,
        options: &ClientOptions,
        idle: Option<Duration>,
    ) -> Result<Self, TransportError> {
        let params = initialize_params(&hub.client_info(options), &hub.capabilities());
        let frame = encode_request(0, "initialize", Some(&params), "")?;
        // The attempt as a whole has a limit; its parts need none.
        let (first_byte, patience) = (options.connect_timeout, Patience::default());
        let limits = Limits { phase: Phase::Connect, first_byte, patience };
        let refusal = match stream.request(0, frame, limits).await {
            Ok(result) => {
                let server = Arc::new(read_initialize(&result)?);
                stream.notify(INITIALIZED.to_vec()).await?;
                return Ok(Self { stream, server, meta: String::new(), idle });
            }
            Err(refusal) if matches!(refusal.kind(), TransportErrorKind::Rpc { .. }) => refusal,
            Err(error) => return Err(error),
        };
        match Self::discover(stream, hub, options, idle).await {
            // The server's own words about the handshake say more than those about a probe.
            Err(error) if !matches!(error.kind(), TransportErrorKind::Version { .. }) => Err(refusal),
            discovered => discovered,
        }
    }

    /// Asks a server that speaks only the modern era who it is.
    pub(crate) async fn discover(
        stream: Stream,
        hub: &Hub,
        options: &ClientOptions,
        idle: Option<Duration>,
    ) -> Result<Self, TransportError> {
        let revision = ProtocolRevision::NEWEST_MODERN;
        let meta = request_meta(revision, &hub.client_info(options), &hub.capabilities());
        let frame = encode_request(-1, "server/discover", None, &meta)?;
        let (first_byte, patience) = (options.connect_timeout, Patience::default());
        let limits = Limits { phase: Phase::Connect, first_byte, patience };
        match judge_probe(stream.request(-1, frame, limits).await) {
            Probe::Modern(server) => Ok(Self { stream, server: Arc::new(*server), meta, idle }),
            Probe::Failed(error) => Err(error),
            Probe::Retry(_) | Probe::Legacy => {
                let message = "the server speaks neither era";
                Err(TransportError::new(TransportErrorKind::Protocol, message))
            }
        }
    }

    pub(crate) fn server(&self) -> Arc<ServerDescription> {
        self.server.clone()
    }

    pub(crate) async fn request(&self, request: Prepared<'_>) -> Outcome {
        let frame = encode(&request, &self.meta)?;
        let patience = Patience {
            idle: self
                .idle
                .filter(|_| !request.endless)
                .map(|idle| request.limit.map_or(idle, |limit| idle.max(limit))),
            life: request.watched.map(|watched| &*watched.life),
        };
        let first_byte = request.limit.map_or(request.first_byte, |limit| request.first_byte.max(limit));
        self.stream.request(request.id, frame, Limits { phase: Phase::Session, first_byte, patience }).await
    }

    pub(crate) async fn notify(&self, frame: Vec<u8>) -> Result<(), TransportError> {
        self.stream.notify(frame).await
    }

    /// There is no stream per request whose end would say it, so it is said in both eras.
    pub(crate) fn cancel(&self, id: i64, reason: &str) {
        self.stream.send_in_background(cancelled(id, reason));
    }

    pub(crate) async fn close(&self) {
        self.stream.close().await;
    }

    #[cfg(feature = "stdio")]
    pub(crate) fn side_output(&self) -> Option<SideOutput> {
        match &self.stream {
            Stream::Stdio(wire) => Some(wire.side_output()),
            #[cfg(feature = "http")]
            Stream::LegacySse(_) => None,
        }
    }
}
