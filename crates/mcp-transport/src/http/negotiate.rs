//! Finding out which era a server speaks, in as few requests as it takes (2026-07-28, Streamable HTTP,
//! backward compatibility).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use mcp_status::{ChallengeKind, Phase, Restriction};
use tokio::time::Instant;
use url::Url;

use super::client::HttpClient;
use super::legacy_sse::{self, LegacySse};
use super::session::Session;
use super::sounding;
use super::streamable::{Core, Limits, PostRequest, Response, Streamable};
use crate::authed::AuthedClient;
use crate::error::{TransportError, TransportErrorKind};
use crate::hub::Inbox;
use crate::message::{Era, MISSING_CAPABILITY, Payload, ProtocolRevision, UNSUPPORTED_VERSION};
use crate::protocol::agree::{self, Discovery, Exchange, Outcome};
use crate::protocol::handshake::{ServerDescription, first_probe_limit, probe_limit, wants_modern};
use crate::protocol::legacy;
use crate::protocol::modern::request_meta;
use crate::protocol::outgoing::encode_request;

/// The least and the most that the answer to the notification that ends a handshake is waited for; in between, as long as
/// the handshake itself has taken. A server that never gives one costs no more than that.
const INITIALIZED_PATIENCE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// What was found behind a URL.
pub(crate) enum OpenedWire {
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
///
/// Only the `era` is spoken that is given, and the legacy transport only tried where it `falls_back`.
pub(crate) async fn open(
    http: AuthedClient,
    hub: Arc<Inbox>,
    falls_back: bool,
    era: Option<Era>,
) -> Result<OpenedWire, TransportError> {
    match era {
        Some(era) => open_in(http, hub, falls_back, era).await,
        None => open_streamable(http, hub, falls_back).await,
    }
}

/// Connects to an endpoint that is said to speak the legacy HTTP+SSE transport; over Streamable HTTP where its answer to the
/// GET is not one of that transport, if it `falls_back`.
pub(crate) async fn open_legacy(
    http: AuthedClient,
    hub: Arc<Inbox>,
    falls_back: bool,
) -> Result<OpenedWire, TransportError> {
    let unopened = match LegacySse::open(http.clone(), &hub.budget, hub.clone()).await {
        Ok(wire) => return Ok(OpenedWire::LegacySse(wire)),
        Err(unopened) if !unopened.may_be_streamable => return Err(unopened.error),
        Err(unopened) if !falls_back => return Err(unopened.error.restricted_by(Restriction::Transport)),
        Err(unopened) => unopened,
    };
    tracing::info!(asked = "POST", "the server opens no stream: perhaps its type is http");
    match Box::pin(open_streamable(http, hub, false)).await {
        Ok(opened) => Ok(opened),
        Err(refusal) if matches!(refusal.kind(), TransportErrorKind::Challenged { .. }) => Err(refusal),
        Err(_) => Err(unopened.error),
    }
}

/// The same over Streamable HTTP, and the legacy transport only where it `falls_back`.
async fn open_streamable(
    http: AuthedClient,
    hub: Arc<Inbox>,
    falls_back: bool,
) -> Result<OpenedWire, TransportError> {
    let core = {
        let probing = Session::probing(http.client.options(), ProtocolRevision::NEWEST_MODERN);
        Arc::new(Core::new(http, hub, probing))
    };
    match negotiated(&core, falls_back).await {
        Ok(Some(other)) => Ok(other),
        Ok(None) => Ok(OpenedWire::Streamable(Streamable(core))),
        Err(error) => {
            core.dismiss().await;
            Err(core.http.asked_in_words(error).await)
        }
    }
}

/// Agrees with the server on something; on another transport, where it `falls_back`.
async fn negotiated(core: &Arc<Core>, falls_back: bool) -> Result<Option<OpenedWire>, TransportError> {
    let remembered = core.http.client.era(&core.http.endpoint);
    if remembered == Some(Era::Legacy) {
        match core.initialize(Phase::Connect).await {
            Ok(()) => return Ok(None),
            Err(error) if is_client_error(&error) => {
                core.http.client.remember_era(&core.http.endpoint, None);
            }
            Err(error) => return Err(error),
        }
    }
    let probe = core.opening(Phase::Connect);
    let era = match agree::discover(&probe, ProtocolRevision::NEWEST_MODERN).await? {
        Discovery::Modern(server) => {
            core.install(core.modern(server));
            Era::Modern
        }
        Discovery::Legacy => match core.initialize(Phase::Connect).await {
            Ok(()) => Era::Legacy,
            Err(error) if falls_back => return fall_back(core, error).await.map(Some),
            Err(error) => return Err(without_legacy_sse(error)),
        },
        Discovery::Silent => match core.initialize(Phase::Connect).await {
            Ok(()) => Era::Legacy,
            Err(refusal) if is_client_error(&refusal) => {
                // It answers, and does not shake hands: a modern server that was slow to begin with, perhaps.
                let patient =
                    HandshakeRequests { probe: probe_limit(core.options().connect_timeout), ..probe };
                match agree::discover(&patient, ProtocolRevision::NEWEST_MODERN).await {
                    Ok(Discovery::Modern(server)) => {
                        core.install(core.modern(server));
                        Era::Modern
                    }
                    _ if falls_back => return fall_back(core, refusal).await.map(Some),
                    _ => return Err(without_legacy_sse(refusal)),
                }
            }
            Err(error) => return Err(error),
        },
        Discovery::Doubt(doubt) => {
            // Not remembered: the server may be of both eras, and have stumbled.
            core.initialize_in_doubt(doubt).await?;
            return Ok(None);
        }
    };
    core.http.client.remember_era(&core.http.endpoint, Some(era));
    Ok(None)
}

/// The same in this era and no other.
async fn open_in(
    http: AuthedClient,
    hub: Arc<Inbox>,
    falls_back: bool,
    era: Era,
) -> Result<OpenedWire, TransportError> {
    let core = {
        let probing = Session::probing(http.client.options(), ProtocolRevision::NEWEST_MODERN);
        Arc::new(Core::new(http, hub, probing).in_one_era(era))
    };
    match era {
        Era::Legacy => match core.initialize(Phase::Connect).await {
            Ok(()) => {}
            Err(error) if falls_back => return fall_back(&core, error).await.map_err(in_one_era),
            Err(error) => {
                core.dismiss().await;
                return Err(in_one_era(without_legacy_sse(error)));
            }
        },
        Era::Modern => {
            // There is no other era that a slow answer could keep waiting.
            let probe = HandshakeRequests {
                probe: probe_limit(core.options().connect_timeout),
                ..core.opening(Phase::Connect)
            };
            match agree::discover(&probe, ProtocolRevision::NEWEST_MODERN).await? {
                Discovery::Modern(server) => core.install(core.modern(server)),
                Discovery::Doubt(doubt) => return Err(doubt),
                Discovery::Legacy | Discovery::Silent => {
                    return Err(other_era());
                }
            }
        }
    }
    Ok(OpenedWire::Streamable(Streamable(core)))
}

/// The server wants the era that is not to be spoken.
fn other_era() -> TransportError {
    let why = "the server does not speak the era that it is to be spoken to in";
    TransportError::new(TransportErrorKind::Protocol, why).restricted_by(Restriction::Protocol)
}

/// What a server answers to a handshake of one era that may be of the other one, which is not to be spoken.
fn in_one_era(error: TransportError) -> TransportError {
    let may_be_other = match error.kind() {
        TransportErrorKind::Http { status, .. } => {
            matches!(status, 400 | 405 | 406 | 415 | 422) || *status == 404 && error.rpc_error().is_some()
        }
        _ => is_client_error(&error),
    };
    match error.restriction().is_none() && may_be_other {
        true => error.restricted_by(Restriction::Protocol),
        false => error,
    }
}

/// What a server answers that may be one of 2024-11-05, which is not to be tried.
fn without_legacy_sse(error: TransportError) -> TransportError {
    match legacy_sse::is_likely(&error) {
        true => error.restricted_by(Restriction::Transport),
        false => error,
    }
}

/// A server that is not reached for the want of an address of IPv4, where no other is to be used.
pub(crate) async fn restricted(client: &HttpClient, url: &Url, error: TransportError) -> TransportError {
    let options = client.options();
    let may_be_why =
        options.ipv4_only && *error.kind() == TransportErrorKind::Unreachable && error.proxy().is_none();
    match may_be_why && sounding::has_no_ipv4(options.resolver.as_ref(), url).await {
        true => error.restricted_by(Restriction::Ipv4),
        false => error,
    }
}

/// The last resort: a server of 2024-11-05 takes no POST at this URL.
async fn fall_back(core: &Arc<Core>, error: TransportError) -> Result<OpenedWire, TransportError> {
    if !legacy_sse::is_likely(&error) {
        return Err(error);
    }
    tracing::info!(asked = "GET", "the server takes no POST here: perhaps it is one of 2024-11-05");
    match LegacySse::open(core.http.clone(), &core.hub.budget, core.hub.clone()).await {
        Ok(wire) => Ok(OpenedWire::LegacySse(wire)),
        // A refusal says more than the missing endpoint; any other failure says less.
        Err(refusal) if matches!(refusal.error.kind(), TransportErrorKind::Challenged { .. }) => {
            Err(refusal.error)
        }
        Err(_) => Err(error),
    }
}

/// The requests of a handshake over Streamable HTTP.
pub(super) struct HandshakeRequests<'a> {
    core: &'a Arc<Core>,
    phase: Phase,
    /// Whether credentials that are refused are recovered.
    recover: bool,
    /// How long a probe may take.
    probe: Duration,
}

impl HandshakeRequests<'_> {
    async fn ask(
        &self,
        method: &'static str,
        body: Vec<u8>,
        limit: Duration,
        session: Session,
    ) -> Result<Response, TransportError> {
        let call = PostRequest {
            id: 0,
            method,
            body: body.into(),
            mirrored: Vec::new(),
            limits: Limits { first_byte: limit, idle: Some(limit) },
            allowance: self.core.hub.budget.limits.allowance(method),
            handler: None,
            recover: self.recover,
            waiting: None,
        };
        self.core.exchange(&call, &session, self.phase).await
    }
}

/// What comes beside the answer to `initialize`.
#[derive(Debug)]
pub(super) struct NewSession {
    id: Option<HeaderValue>,
    /// How long the answer took.
    took: Duration,
}

impl Exchange for HandshakeRequests<'_> {
    type Session = NewSession;

    async fn discover(&self, revision: ProtocolRevision) -> Result<Payload, TransportError> {
        let (options, hub) = (self.core.options(), &self.core.hub);
        let meta = request_meta(revision, &hub.client_info(options), &hub.capabilities());
        let body = encode_request(0, "server/discover", None, &meta)?;
        self.ask("server/discover", body, self.probe, Session::probing(options, revision))
            .await
            .map(|response| response.result)
    }

    async fn initialize(
        &self,
        revision: ProtocolRevision,
    ) -> Result<(Payload, Self::Session), TransportError> {
        let (options, hub) = (self.core.options(), &self.core.hub);
        let params = legacy::initialize_params(revision, &hub.client_info(options), &hub.capabilities());
        let body = encode_request(0, "initialize", Some(&params), "")?;
        let asked = Instant::now();
        let response =
            self.ask("initialize", body, options.connect_timeout, Session::greeting(options)).await?;
        Ok((response.result, NewSession { id: response.session_id, took: asked.elapsed() }))
    }

    fn outlives_a_drop(&self) -> bool {
        self.phase == Phase::Connect
    }

    fn give_up(&self, greeted: NewSession) {
        self.core.leave(&Session::greeting(self.core.options()).with_id(greeted.id));
    }
}

impl Core {
    pub(super) fn opening<'a>(self: &'a Arc<Self>, phase: Phase) -> HandshakeRequests<'a> {
        let attempt = self.options().connect_timeout;
        let probe = match phase {
            Phase::Connect => first_probe_limit(attempt),
            // It has answered before, and there is no second look.
            Phase::Session => probe_limit(attempt),
        };
        HandshakeRequests { core: self, phase, recover: true, probe }
    }

    /// Shakes hands in the legacy era and installs the session.
    async fn initialize(self: &Arc<Self>, phase: Phase) -> Result<(), TransportError> {
        self.initialize_with(self.opening(phase)).await
    }

    /// The same with these requests.
    async fn initialize_with(
        self: &Arc<Self>,
        requests: HandshakeRequests<'_>,
    ) -> Result<(), TransportError> {
        let (server, greeted) = agree::shake_hands(&requests).await?;
        self.begin(server, greeted).await
    }

    /// Begins the session that hands were shaken on.
    async fn begin(
        self: &Arc<Self>,
        server: ServerDescription,
        greeted: NewSession,
    ) -> Result<(), TransportError> {
        let session = self.begun(server, greeted).await?;
        self.install(session);
        Ok(())
    }

    /// The session that hands were shaken on, begun and not installed.
    pub(super) async fn begun(
        self: &Arc<Self>,
        server: ServerDescription,
        greeted: NewSession,
    ) -> Result<Session, TransportError> {
        let number = self.agreements.next_number();
        let session = Session::legacy(self.options(), server, greeted.id, number);
        match self.tell_initialized(&session, greeted.took).await {
            Ok(()) => Ok(session),
            Err(error) => {
                self.leave(&session);
                Err(error)
            }
        }
    }

    /// Ends the handshake. Awaited, although it costs a round trip: servers that enforce the order refuse a request
    /// that overtakes it on another connection. But it is a notification: whatever a server answers to it, or whether
    /// it answers at all, says nothing about the session, unless it refuses the credentials. One that is not answered soon is
    /// left to itself: it was sent.
    async fn tell_initialized(
        self: &Arc<Self>,
        session: &Session,
        greeting: Duration,
    ) -> Result<(), TransportError> {
        let (least, most) = INITIALIZED_PATIENCE;
        let limit = greeting.clamp(least, most).min(self.options().connect_timeout / 4);
        let mut notice = Box::pin({
            let (core, session) = (self.clone(), session.clone());
            async move { core.tell(&session, Bytes::from_static(legacy::INITIALIZED)).await }
        });
        match tokio::time::timeout(limit, &mut notice).await {
            Ok(Err(error)) if is_about_credentials(&error) => Err(error),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the server refused a notification that ends the handshake");
                Ok(())
            }
            Err(_) => {
                tracing::debug!("the server does not answer the notification that ends the handshake");
                self.spawn(tokio::time::timeout(most, notice));
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
        // What recovers credentials has had its turn.
        let opening = HandshakeRequests { recover: !challenged(&doubt), ..self.opening(Phase::Connect) };
        match self.initialize_with(opening).await {
            Err(error) if challenged(&error) && !challenged(&doubt) => Err(error),
            // Each said until when it is busy: both hold.
            Err(error) if busy_for(&error) > busy_for(&doubt) => Err(error),
            Err(_) => Err(doubt),
            Ok(()) => Ok(()),
        }
    }

    /// Shakes hands once more with a server that has forgotten the session. It may have moved on to the modern era
    /// meanwhile, and says so. `recover` tells whether credentials that are refused now are recovered.
    pub(super) async fn reinitialize(self: &Arc<Self>, recover: bool) -> Result<(), TransportError> {
        match self.initialize_with(HandshakeRequests { recover, ..self.opening(Phase::Session) }).await {
            Err(refusal) if wants_modern(&refusal) => {
                self.agree_on(ProtocolRevision::NEWEST_MODERN).await.map_err(|_| refusal)
            }
            outcome => outcome,
        }
    }

    /// Speaks `revision` from now on, instead of the one that the server has just refused.
    pub(super) async fn agree_on(self: &Arc<Self>, revision: ProtocolRevision) -> Result<(), TransportError> {
        if self.era.is_some_and(|era| era != revision.era()) {
            return Err(other_era());
        }
        let server = self.session().server.clone();
        match agree::agree_on(&self.opening(Phase::Session), &server, revision).await? {
            Outcome::Unchanged => return Ok(()),
            Outcome::Modern(server) => self.install(self.modern(server)),
            Outcome::Legacy(server, greeted) => self.begin(server, greeted).await?,
        }
        self.http.client.remember_era(&self.http.endpoint, Some(revision.era()));
        Ok(())
    }

    /// The session with a server of the modern era, in place of the one there is.
    fn modern(&self, server: ServerDescription) -> Session {
        let options = self.options();
        let meta = request_meta(server.revision, &self.hub.client_info(options), &self.hub.capabilities());
        Session::modern(options, server, meta, self.agreements.next_number())
    }
}

/// Whether a server that has just shaken hands refuses the credentials, and says so: a page, or a bare 403, is no such word of a
/// notification.
fn is_about_credentials(error: &TransportError) -> bool {
    match error.kind() {
        TransportErrorKind::Challenged { kind: ChallengeKind::Unauthorized, .. } => true,
        TransportErrorKind::Challenged { .. } => error.challenge_scheme().is_some(),
        kind => *kind == TransportErrorKind::Credentials,
    }
}

/// How long a server says that it is busy for.
fn busy_for(error: &TransportError) -> Option<Duration> {
    match error.kind() {
        TransportErrorKind::Http { retry_after, .. } => *retry_after,
        _ => None,
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
