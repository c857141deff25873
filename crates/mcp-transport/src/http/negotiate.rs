//! Finding out which era a server speaks, in as few requests as it takes (2026-07-28, Streamable HTTP,
//! backward compatibility).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mcp_status::Phase;

use super::legacy_sse::{self, LegacySse};
use super::session::Session;
use super::streamable::{Call, Core, Limits, Streamable};
use crate::authed::AuthedClient;
use crate::hub::Hub;
use crate::message::{Era, MISSING_CAPABILITY, ProtocolRevision, UNSUPPORTED_VERSION};
use crate::protocol::handshake::{
    Probe, ServerDescription, judge_probe, probe_limit, read_initialize, wants_modern,
};
use crate::protocol::legacy;
use crate::protocol::modern::request_meta;
use crate::protocol::offer::next_offer;
use crate::protocol::outgoing::encode_request;
use crate::{Payload, TransportError, TransportErrorKind};

/// How long the answer to the notification that ends a handshake is waited for.
const INITIALIZED_PATIENCE: Duration = Duration::from_secs(5);

/// What was found behind a URL.
pub(crate) enum Opened {
    /// Streamable HTTP, handshake done.
    Streamable(Streamable),
    /// The legacy HTTP+SSE transport, handshake still to be done.
    LegacySse(LegacySse),
}

/// What the probe found.
pub(super) enum Discovered {
    /// A server of this era.
    Era(Era),
    /// Nothing that says which.
    Nothing(TransportError),
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
    if remembered == Some(Era::Legacy) {
        match core.initialize(Phase::Connect).await {
            Ok(()) => return Ok(Opened::Streamable(Streamable(core))),
            Err(error) if is_client_error(&error) => {
                core.http.client.remember_era(&core.http.endpoint, None);
            }
            Err(error) => return Err(error),
        }
    }
    let era = match core.discover(ProtocolRevision::NEWEST_MODERN, Phase::Connect).await? {
        Discovered::Era(era) => era,
        Discovered::Nothing(doubt) => {
            // Not remembered: the server may be of both eras, and have stumbled.
            core.initialize_in_doubt(doubt).await?;
            return Ok(Opened::Streamable(Streamable(core)));
        }
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
    ) -> Result<Discovered, TransportError> {
        let mut retried = false;
        loop {
            match judge_probe(self.probe(revision, phase).await, retried) {
                Probe::Modern(server) => {
                    self.install(self.modern(*server));
                    return Ok(Discovered::Era(Era::Modern));
                }
                Probe::Legacy => return Ok(Discovered::Era(Era::Legacy)),
                Probe::Doubtful(error) => return Ok(Discovered::Nothing(error)),
                Probe::Failed(error) => return Err(error),
                Probe::Retry(wanted) => (revision, retried) = (wanted, true),
            }
        }
    }

    /// Shakes hands in the legacy era and installs the session.
    pub(super) async fn initialize(self: &Arc<Self>, phase: Phase) -> Result<(), TransportError> {
        self.shake_hands(phase, true).await
    }

    /// The same with the credentials in force: they are not recovered where they are refused.
    pub(super) async fn initialize_as_is(self: &Arc<Self>, phase: Phase) -> Result<(), TransportError> {
        self.shake_hands(phase, false).await
    }

    async fn shake_hands(self: &Arc<Self>, phase: Phase, recover: bool) -> Result<(), TransportError> {
        let options = self.options();
        let greeting = Session::greeting(options);
        let mut offered = vec![ProtocolRevision::NEWEST_LEGACY];
        let response = loop {
            let revision = offered[offered.len() - 1];
            let params =
                legacy::initialize_params(revision, &self.hub.client_info(options), &self.hub.capabilities());
            let call = Call {
                id: 0,
                method: "initialize",
                body: encode_request(0, "initialize", Some(&params), "")?.into(),
                mirrored: Vec::new(),
                limits: Limits { first_byte: options.connect_timeout, idle: Some(options.connect_timeout) },
                allowance: self.hub.budget.limits.allowance("initialize"),
                handler: None,
                recover,
            };
            match self.exchange(&call, &greeting, phase).await {
                Ok(response) => break response,
                Err(refusal) => offered.push(next_offer(&refusal, &offered).ok_or(refusal)?),
            }
        };
        let mut server = read_initialize(&response.result)?;
        server.held = response.result.lease();
        let generation = self.session().generation() + 1;
        let session = Session::legacy(options, server, response.session_id, generation);
        self.tell_initialized(&session).await?;
        self.install(session);
        Ok(())
    }

    /// Ends the handshake. Awaited, although it costs a round trip: servers that enforce the order refuse a request
    /// that overtakes it on another connection. But it is a notification: whatever a server answers to it, or whether
    /// it answers at all, says nothing about the session, unless it refuses the credentials.
    async fn tell_initialized(self: &Arc<Self>, session: &Session) -> Result<(), TransportError> {
        let limit = (self.options().connect_timeout / 4).min(INITIALIZED_PATIENCE);
        let told = self.tell(session, Bytes::from_static(legacy::INITIALIZED));
        match tokio::time::timeout(limit, told).await {
            Ok(Err(error))
                if matches!(
                    error.kind(),
                    TransportErrorKind::Challenged { .. } | TransportErrorKind::Credentials
                ) =>
            {
                Err(error)
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "the server refused a notification that ends the handshake");
                Ok(())
            }
            Err(_) => {
                tracing::debug!("the server does not answer the notification that ends the handshake");
                Ok(())
            }
            Ok(Ok(())) => Ok(()),
        }
    }

    /// Shakes hands with a server whose answer to the probe said nothing about it.
    ///
    /// # Errors
    ///
    /// The `doubt` itself where that fails as well, because the server does not answer otherwise than before; or its
    /// challenge, which says more.
    async fn initialize_in_doubt(self: &Arc<Self>, doubt: TransportError) -> Result<(), TransportError> {
        let challenged =
            |error: &TransportError| matches!(error.kind(), TransportErrorKind::Challenged { .. });
        let outcome = if challenged(&doubt) {
            // What recovers credentials has had its turn.
            self.initialize_as_is(Phase::Connect).await
        } else {
            self.initialize(Phase::Connect).await
        };
        match outcome {
            Err(error) if challenged(&error) && !challenged(&doubt) => Err(error),
            Err(_) => Err(doubt),
            Ok(()) => Ok(()),
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
            (Era::Legacy, Era::Modern) => match self.discover(revision, Phase::Session).await? {
                Discovered::Era(Era::Modern) => {}
                Discovered::Nothing(error) => return Err(error),
                Discovered::Era(Era::Legacy) => {
                    let message = "the server speaks neither era";
                    return Err(TransportError::new(TransportErrorKind::Protocol, message));
                }
            },
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
            recover: true,
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
