//! Finding out which era a server speaks, in as few requests as it takes (2026-07-28, Streamable HTTP,
//! backward compatibility).

use std::sync::Arc;

use mcp_status::Phase;

use super::legacy_sse::{self, LegacySse};
use super::streamable::{Call, Core, Limits, Session, Streamable};
use crate::authed::AuthedClient;
use crate::hub::Hub;
use crate::protocol::handshake::{
    MISSING_CAPABILITY, Probe, ServerDescription, UNSUPPORTED_VERSION, judge_probe, probe_limit, wants_modern,
};
use crate::protocol::modern::request_meta;
use crate::protocol::outgoing::encode_request;
use crate::protocol::revision::{Era, ProtocolRevision};
use crate::{Payload, TransportError, TransportErrorKind};

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
                core.discover(ProtocolRevision::NEWEST_MODERN, Phase::Connect).await?
            }
            Err(error) => return Err(error),
        },
        _ => core.discover(ProtocolRevision::NEWEST_MODERN, Phase::Connect).await?,
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
    match LegacySse::open(core.http.clone(), &core.hub.budget, core.hub.clone()).await {
        Ok(wire) => Ok(Opened::LegacySse(wire)),
        // A refusal says more than the missing endpoint; any other failure says less.
        Err(refusal) if matches!(refusal.kind(), TransportErrorKind::Challenged { .. }) => Err(refusal),
        Err(_) => Err(error),
    }
}

impl Core {
    /// Asks the server who it is. Installs the session where it is modern.
    pub(super) async fn discover(
        self: &Arc<Self>,
        mut revision: ProtocolRevision,
        phase: Phase,
    ) -> Result<Era, TransportError> {
        let mut retried = false;
        loop {
            match judge_probe(self.probe(revision, phase).await, retried) {
                Probe::Modern(server) => {
                    self.install(self.modern(*server));
                    return Ok(Era::Modern);
                }
                Probe::Legacy => return Ok(Era::Legacy),
                Probe::Failed(error) => return Err(error),
                Probe::Retry(wanted) => (revision, retried) = (wanted, true),
            }
        }
    }

    /// Shakes hands once more with a server that has forgotten the session. It may have moved on to the modern era
    /// meanwhile, and says so.
    pub(super) async fn reinitialize(self: &Arc<Self>) -> Result<(), TransportError> {
        match self.initialize(Phase::Session).await {
            Err(refusal) if wants_modern(&refusal) => {
                self.agree_on(ProtocolRevision::NEWEST_MODERN).await.map_err(|_| refusal)
            }
            outcome => outcome,
        }
    }

    /// Speaks `revision` from now on, instead of the one that the server has just refused.
    pub(super) async fn agree_on(self: &Arc<Self>, revision: ProtocolRevision) -> Result<(), TransportError> {
        let server = self.session().server.clone();
        match (server.revision.era(), revision.era()) {
            // Some servers refuse a request for no reason that the next one would share.
            (Era::Modern, Era::Modern) if server.revision == revision => return Ok(()),
            (Era::Modern, Era::Modern) => {
                self.install(self.modern(ServerDescription { revision, ..(*server).clone() }));
            }
            (Era::Legacy, Era::Modern) => {
                if self.discover(revision, Phase::Session).await? == Era::Legacy {
                    let message = "the server speaks neither era";
                    return Err(TransportError::new(TransportErrorKind::Protocol, message));
                }
            }
            (_, Era::Legacy) => self.initialize(Phase::Session).await?,
        }
        self.http.client.remember_era(&self.http.endpoint, Some(revision.era()));
        Ok(())
    }

    /// The session with a server of the modern era, in place of the one there is.
    fn modern(&self, server: ServerDescription) -> Session {
        let options = self.options();
        let meta = request_meta(server.revision, &self.hub.client_info(options), &self.hub.capabilities());
        Session::modern(options, server, meta, self.session().generation() + 1)
    }

    async fn probe(
        self: &Arc<Self>,
        revision: ProtocolRevision,
        phase: Phase,
    ) -> Result<Payload, TransportError> {
        let options = self.options();
        let meta = request_meta(revision, &self.hub.client_info(options), &self.hub.capabilities());
        let limit = probe_limit(options.connect_timeout);
        let call = Call {
            id: 0,
            method: "server/discover",
            body: encode_request(0, "server/discover", None, &meta)?.into(),
            mirrored: Vec::new(),
            limits: Limits { first_byte: limit, idle: Some(limit) },
            allowance: self.hub.budget.limits.allowance("server/discover"),
            handler: None,
        };
        let session = Session::probing(options, revision);
        let response = self.exchange(&call, &session, phase).await?;
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
