//! Finding out which era a server speaks, in as few requests as it takes (2026-07-28, Streamable HTTP,
//! backward compatibility).

use std::sync::Arc;
use std::time::Duration;

use mcp_status::Phase;

use super::legacy_sse::{self, LegacySse};
use super::streamable::{Call, Core, Limits, Session, Streamable};
use crate::authed::AuthedClient;
use crate::hub::Hub;
use crate::protocol::handshake::{MISSING_CAPABILITY, Probe, UNSUPPORTED_VERSION, judge_probe};
use crate::protocol::modern::request_meta;
use crate::protocol::outgoing::encode_request;
use crate::protocol::revision::{Era, ProtocolRevision};
use crate::{Payload, TransportError, TransportErrorKind};

/// A legacy server may take a request that it does not know and never answer it (F110). The probe gives up
/// after this, or after a third of the attempt, so that the handshake has its time.
const MAX_PROBE: Duration = Duration::from_secs(10);

/// What was found behind a URL.
pub(crate) enum Opened {
    /// Streamable HTTP, handshake done.
    Streamable(Streamable),
    /// The legacy HTTP+SSE transport, handshake still to be done.
    LegacySse(LegacySse),
}

/// Connects to an MCP endpoint: `server/discover`, or `initialize` where the server is of the legacy era, or
/// the legacy HTTP+SSE transport where it does not take POST at all.
///
/// The era of an endpoint is remembered by the client, so that a connection made again skips the probe. A
/// memory that turns out wrong costs one request.
pub(crate) async fn open(http: AuthedClient, hub: Arc<Hub>) -> Result<Opened, TransportError> {
    let remembered = http.client.era(&http.endpoint);
    let core = {
        let probing = Session::probing(http.client.options(), ProtocolRevision::NEWEST_MODERN);
        Arc::new(Core::new(http, hub, probing))
    };
    let era = match remembered {
        Some(Era::Legacy) => match core.initialize(Phase::Connect).await {
            Ok(()) => return Ok(Opened::Streamable(Streamable(core))),
            Err(error) if is_client_error(&error) => {
                core.http.client.remember_era(&core.http.endpoint, None);
                core.discover().await?
            }
            Err(error) => return Err(error),
        },
        _ => core.discover().await?,
    };
    if era == Era::Legacy
        && let Err(error) = core.initialize(Phase::Connect).await
    {
        return fall_back(&core, error).await;
    }
    core.http.client.remember_era(&core.http.endpoint, Some(era));
    Ok(Opened::Streamable(Streamable(core)))
}

/// The last resort: a server of 2024-11-05 takes no POST at this URL.
async fn fall_back(core: &Arc<Core>, error: TransportError) -> Result<Opened, TransportError> {
    if !legacy_sse::is_likely(&error) {
        return Err(error);
    }
    match LegacySse::open(core.http.clone(), core.hub.clone()).await {
        Ok(wire) => Ok(Opened::LegacySse(wire)),
        // A refusal says more than the missing endpoint; any other failure says less.
        Err(refusal) if matches!(refusal.kind(), TransportErrorKind::Challenged { .. }) => Err(refusal),
        Err(_) => Err(error),
    }
}

impl Core {
    /// Asks the server who it is. Installs the session where it is modern.
    async fn discover(self: &Arc<Self>) -> Result<Era, TransportError> {
        let mut revision = ProtocolRevision::NEWEST_MODERN;
        let mut retried = false;
        loop {
            match judge_probe(self.probe(revision).await) {
                Probe::Modern(server) => {
                    self.install(Session::modern(self.options(), *server));
                    return Ok(Era::Modern);
                }
                Probe::Legacy => return Ok(Era::Legacy),
                Probe::Failed(error) => return Err(error),
                // Once, also with the version that was just refused: some servers refuse every first request.
                Probe::Retry(wanted) if !retried => {
                    revision = wanted;
                    retried = true;
                }
                Probe::Retry(wanted) => {
                    let offered = vec![wanted.to_string()];
                    let kind = TransportErrorKind::Version { offered };
                    return Err(TransportError::new(kind, "the server refuses the version that it offers"));
                }
            }
        }
    }

    async fn probe(self: &Arc<Self>, revision: ProtocolRevision) -> Result<Payload, TransportError> {
        let options = self.options();
        let meta = request_meta(revision, &self.hub.client_info(options), &self.hub.capabilities());
        let limit = (options.connect_timeout / 3).min(MAX_PROBE);
        let call = Call {
            id: 0,
            method: "server/discover",
            body: encode_request(0, "server/discover", None, &meta)?.into(),
            mirrored: Vec::new(),
            limits: Limits { first_byte: limit, idle: Some(limit) },
        };
        let session = Session::probing(options, revision);
        let response = self.exchange(&call, &session, Phase::Connect).await?;
        Ok(response.result)
    }
}

/// Whether a server that was of the legacy era may have moved on.
fn is_client_error(error: &TransportError) -> bool {
    match error.kind() {
        TransportErrorKind::Http { status, .. } => (400..500).contains(status),
        TransportErrorKind::Rpc { .. } | TransportErrorKind::Version { .. } => true,
        _ => {
            matches!(error.rpc_error(), Some(rpc) if (UNSUPPORTED_VERSION..=MISSING_CAPABILITY).contains(&rpc.code))
        }
    }
}
