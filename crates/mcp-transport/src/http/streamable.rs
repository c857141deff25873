//! Streamable HTTP: one POST per message, in either era, with the session that the legacy era may have.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use mcp_status::{Phase, classify};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::session::{SESSION_ID, Session};
use crate::authed::{AcceptedAnswer, AuthedClient, Outbound};
use crate::debts::Admission;
use crate::duplex::too_many_requests;
use crate::error::{TransportError, TransportErrorKind};
use crate::handler::ServerRequestHandler;
use crate::hub::Inbox;
use crate::limits::{Allowance, Purpose};
use crate::message::Payload;
use crate::message::envelope::{self, Incoming};
use crate::message::methods::{self, is_repeatable};
use crate::message::revision::{Era, ProtocolRevision};
use crate::options::ClientOptions;
use crate::protocol::agree::{Agreements, Ordinal as _};
use crate::protocol::handshake::ServerDescription;
use crate::protocol::legacy;
use crate::protocol::offer::refuses_agreed;
use crate::refusal::{may_be_repeated, may_hide_a_lost_session, no_new_session};
use crate::retry::RetryPolicy;
use crate::waiting::WaitState;

const METHOD: HeaderName = HeaderName::from_static("mcp-method");

/// How long the `DELETE` that ends a session may take. It is a courtesy, and a process that ends does not wait for it.
pub(super) const SESSION_END: Duration = Duration::from_secs(2);

/// How many cancellations are sent at a time.
const FAREWELLS: usize = 16;

/// One request, encoded.
#[derive(Clone, Debug)]
pub(crate) struct PostRequest<'a> {
    pub(crate) id: i64,
    pub(crate) method: &'a str,
    pub(crate) body: Bytes,
    /// Headers that mirror parts of the body; modern era only.
    pub(crate) mirrored: Vec<(HeaderName, HeaderValue)>,
    pub(crate) limits: Limits,
    /// What the answer may cost.
    pub(crate) allowance: Allowance,
    /// Who takes what the server starts on the stream of the answer, in place of the connection's own handler.
    pub(crate) handler: Option<&'a Arc<dyn ServerRequestHandler>>,
    /// Whether refused credentials are recovered.
    pub(crate) recover: bool,
    /// Told while it waits for credentials.
    pub(crate) waiting: Option<&'a WaitState>,
}

/// The limits of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) first_byte: Duration,
    pub(crate) idle: Option<Duration>,
}

/// What became of the revision that a request was refused because of, by its words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reagreement {
    /// Another agreement is in place.
    Another,
    /// The one there is holds, and `forgotten` tells whether the session does not, where that was found out.
    Same { forgotten: Option<bool> },
}

/// A connection over Streamable HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Streamable(pub(super) Arc<Core>);

/// What the tasks of a connection share.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) http: AuthedClient,
    pub(super) hub: Arc<Inbox>,
    /// The sessions, one in place of the other.
    pub(super) agreements: Agreements<Session>,
    pub(super) tasks: TaskTracker,
    pub(super) closing: CancellationToken,
    /// Whether the server's own stream is open, or being opened.
    pub(super) listening: AtomicBool,
    /// Whether the server refuses a `ping` in a session that it knows.
    pub(super) refuses_pings: AtomicBool,
    /// Whether the server has answered a request since it made its session, or since it was found to refuse everything.
    pub(super) has_answered: AtomicBool,
    /// When a server that seems to be busy, or to want credentials, was last asked whether it knows the session.
    pub(super) asked_in_doubt: Mutex<Option<Instant>>,
    /// The turns of requests: each may be a socket, of which a process has only so many.
    turns: Semaphore,
    /// The turns of cancellations: many requests may be given up at once.
    farewells: Semaphore,
    /// The one era that is spoken, where another one is not to be.
    pub(super) era: Option<Era>,
}

impl Core {
    pub(super) fn new(http: AuthedClient, hub: Arc<Inbox>, session: Session) -> Self {
        let turns = Semaphore::new(hub.budget.limits.exchanges);
        Self {
            http,
            hub,
            agreements: Agreements::new(session),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            listening: AtomicBool::new(false),
            refuses_pings: AtomicBool::new(false),
            has_answered: AtomicBool::new(false),
            asked_in_doubt: Mutex::new(None),
            turns,
            farewells: Semaphore::new(FAREWELLS),
            era: None,
        }
    }

    /// One that speaks this era and no other.
    pub(super) fn in_one_era(self, era: Era) -> Self {
        Self { era: Some(era), ..self }
    }

    pub(super) fn options(&self) -> &Arc<ClientOptions> {
        self.http.client.options()
    }

    pub(super) fn session(&self) -> Arc<Session> {
        self.agreements.last()
    }

    pub(super) fn install(&self, session: Session) {
        self.agreements.install(session);
    }

    /// A message to the endpoint, with the headers of this session.
    pub(super) fn message<'a>(&'a self, session: &'a Session, body: Bytes) -> Outbound<'a> {
        Outbound {
            method: Method::POST,
            url: &self.http.endpoint,
            headers: Cow::Borrowed(&session.headers),
            more: Vec::new(),
            body,
            phase: Phase::Session,
            expects_message: false,
            recover: true,
            first_byte: Some(self.options().first_byte_timeout),
            activity: None,
            waiting: None,
        }
    }

    /// Sends a message that wants no response.
    pub(super) async fn tell(&self, session: &Session, body: Bytes) -> Result<(), TransportError> {
        let AcceptedAnswer { mut answer, sender } = self.http.send(&self.message(session, body)).await?;
        if answer.status.is_success() {
            // Read to its end, so that the connection can be used again.
            answer.body.finish(&self.hub.budget.limits).await;
            return Ok(());
        }
        Err(sender.describe(self.failure(answer, session).await))
    }

    /// One request to its response, in this session.
    pub(super) async fn exchange(
        self: &Arc<Self>,
        call: &PostRequest<'_>,
        session: &Session,
        phase: Phase,
    ) -> Result<Response, TransportError> {
        let mut out = self.message(session, call.body.clone());
        out.phase = phase;
        out.recover = call.recover;
        out.expects_message = true;
        out.waiting = call.waiting;
        out.first_byte = Some(call.limits.first_byte).filter(|limit| *limit < Duration::MAX);
        // A stream that has no end owes nothing.
        out.activity = call.limits.idle.map(|_| self.hub.activity.clone());
        if session.server.revision.era() == Era::Modern
            && let Ok(method) = HeaderValue::from_str(call.method)
        {
            out.more.push((METHOD, method));
        }
        out.more.extend_from_slice(&call.mirrored);
        let AcceptedAnswer { mut answer, sender } = self.http.send(&out).await?;
        let session_id = answer.headers.remove(SESSION_ID);
        match self.read(answer, call, session).await {
            Ok(result) => {
                self.hub.activity.served();
                Ok(Response { result, session_id })
            }
            // The rest of its answer was refused, and that is described.
            Err(error) if error.is_of_later_round() => Err(error),
            Err(error) => Err(sender.describe(error)),
        }
    }

    /// A new session in place of the one of `stale`, unless someone else has made one meanwhile.
    ///
    /// A server that restarts may answer 404 for a moment before it knows its own endpoint again, so this one
    /// failure is retried as if it were transient (F101).
    async fn renew(self: &Arc<Self>, stale: u64) -> Result<(), TransportError> {
        let Some(_turn) = self.agreements.renew(stale).await else { return Ok(()) };
        // A server that has answered nothing yet is not known to be one that restarts, and may have been looked at in haste.
        let has_answered = self.has_answered.load(Ordering::Relaxed);
        let policy = if has_answered { RetryPolicy::connect() } else { RetryPolicy::glance() };
        let mut delays = policy.delays();
        loop {
            let error = match self.reinitialize(true).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let verdict = classify(&error.evidence());
            let absent = matches!(error.kind(), TransportErrorKind::Http { status: 404, .. });
            if !verdict.is_retryable() && !absent {
                return Err(error);
            }
            let Some(delay) = delays.wait(verdict.retry_after()) else { return Err(error) };
            tokio::time::sleep(delay).await;
        }
    }

    /// Hands over what the server started by itself: to `handler`, where it has one of its own.
    pub(super) fn dispatch(
        self: &Arc<Self>,
        message: Incoming,
        handler: Option<&Arc<dyn ServerRequestHandler>>,
    ) {
        match message {
            Incoming::Notification { method, params } => {
                self.hub.notification_for(handler, &method, params);
            }
            Incoming::Request { id, method, params } => {
                let session = self.session();
                if session.server.revision.era() == Era::Modern {
                    // A modern server asks inside of results; a response would have nowhere to go
                    // (2026-07-28, Streamable HTTP, sending messages, rule 4).
                    tracing::debug!(
                        method = methods::sent_by_servers(&method),
                        "ignored a request that this revision does not allow"
                    );
                    return;
                }
                let (core, handler) = (self.clone(), handler.cloned());
                let asked = self.hub.budget.debts.ask(&id, &method, params.as_deref());
                if matches!(asked, Admission::Dropped) {
                    tracing::debug!(
                        method = methods::sent_by_servers(&method),
                        "the server asks more than it takes answers to"
                    );
                    return;
                }
                let answer = async move {
                    let (body, _debt) = match asked {
                        Admission::Admitted(mut debt) => {
                            let outcome = core.hub.request_for(handler.as_ref(), &method, params).await;
                            debt.answered();
                            (envelope::encode_response(&id, outcome.as_deref()), debt)
                        }
                        Admission::Refused(debt) => {
                            drop(params);
                            (envelope::encode_response(&id, Err(&too_many_requests())), debt)
                        }
                        Admission::Dropped => return,
                    };
                    if let Err(error) = core.tell(&session, body.into()).await {
                        tracing::debug!(%error, "the server did not take our answer");
                    }
                };
                self.spawn(answer);
            }
            Incoming::Response { .. } => tracing::debug!("ignored a response to no request"),
        }
    }

    /// Waits for the turn of this request. A stream that has no end has none: it would never give it back.
    async fn turn(&self, call: &PostRequest<'_>) -> Option<SemaphorePermit<'_>> {
        if call.allowance.purpose == Purpose::Message {
            return None;
        }
        match self.turns.try_acquire() {
            Ok(turn) => Some(turn),
            // Where the connection is closed meanwhile, the request is told so by itself.
            Err(_) => self.closing.run_until_cancelled(self.turns.acquire()).await?.ok(),
        }
    }

    /// Runs a task of this connection; it ends with the connection.
    pub(super) fn spawn<T>(self: &Arc<Self>, task: impl Future<Output = T> + Send + 'static)
    where
        T: Send + 'static,
    {
        let closing = self.closing.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = closing.cancelled() => {}
                _ = task => {}
            }
        });
    }
}

/// A result, and the session that came with it.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) result: Payload,
    pub(super) session_id: Option<HeaderValue>,
}

impl Streamable {
    /// A connection without a handshake, for tests of what is above the wire.
    #[cfg(test)]
    pub(crate) fn untried(http: AuthedClient, hub: Arc<Inbox>) -> Self {
        let session = Session::probing(http.client.options(), ProtocolRevision::NEWEST_MODERN);
        Self(Arc::new(Core::new(http, hub, session)))
    }

    pub(crate) fn server(&self) -> Arc<ServerDescription> {
        self.0.session().server.clone()
    }

    /// What it is sent with.
    pub(crate) fn http(&self) -> &AuthedClient {
        &self.0.http
    }

    /// What is agreed at present.
    pub(crate) fn session(&self) -> Arc<Session> {
        self.0.session()
    }

    /// One request, encoded for `session`, to its response. A session that the server no longer knows, in whatever words
    /// it says so, is renewed once and the request sent again: it was refused before it was acted on (F100). A server that restarted is met with
    /// both a dead connection and a session that is gone, so each of the two is forgiven once.
    ///
    /// # Errors
    ///
    /// [`SessionGone`](TransportErrorKind::SessionGone) also where the session was renewed in the other era, in which
    /// the request is encoded in another way.
    pub(crate) async fn request(
        &self,
        call: &PostRequest<'_>,
        mut session: Arc<Session>,
    ) -> Result<Payload, TransportError> {
        let core = &self.0;
        let _turn = core.turn(call).await;
        let (mut renewed, mut redialled, mut agreed_again) = (false, false, false);
        let era = session.server.revision.era();
        loop {
            // Not named before it is wrapped: it would be kept twice.
            let error =
                match core.closing.run_until_cancelled(core.exchange(call, &session, Phase::Session)).await {
                    Some(Ok(response)) => {
                        core.has_answered.store(true, Ordering::Relaxed);
                        return Ok(response.result);
                    }
                    Some(Err(error)) => error,
                    None => {
                        let kind = TransportErrorKind::Cancelled;
                        return Err(TransportError::new(kind, "the connection was closed"));
                    }
                };
            let mut known = None;
            if !agreed_again && refuses_agreed(&error) {
                agreed_again = true;
                let agreeing = Box::pin(core.agree_again(&error, &session));
                match core.closing.run_until_cancelled(agreeing).await.transpose()? {
                    Some(Reagreement::Another) => {
                        if !may_be_repeated(&error, call.method) {
                            return Err(error);
                        }
                        session = core.session();
                        continue;
                    }
                    Some(Reagreement::Same { forgotten }) => known = forgotten,
                    None => {}
                }
            }
            match error.kind() {
                TransportErrorKind::SessionGone if !renewed => {
                    renewed = true;
                    // Boxed: what hardly ever happens would make every request larger.
                    let renewal = Box::pin(core.renew(session.number())).await;
                    renewal.map_err(|failure| core.no_other_session(failure))?;
                }
                // A connection that was idle for long may turn out to be dead when it is used. Repeating a
                // request without effects is safe; a tool call may have run.
                TransportErrorKind::Dropped if !redialled && is_repeatable(call.method) => redialled = true,
                _ if renewed => {
                    let judged = Box::pin(core.judge_new_session(&error, call, &session));
                    core.closing.run_until_cancelled(judged).await;
                    return Err(core.refused_or(error, call.method));
                }
                _ if may_hide_a_lost_session(&error) => {
                    renewed = true;
                    let replaced = Box::pin(core.replaced_in_doubt(&error, call, &session));
                    let replaced = core.closing.run_until_cancelled(replaced).await.transpose()?;
                    if replaced != Some(true) || !may_be_repeated(&error, call.method) {
                        return Err(error);
                    }
                }
                _ => {
                    let forgotten = Box::pin(core.has_forgotten(&error, known, call, &session));
                    if core.closing.run_until_cancelled(forgotten).await != Some(true) {
                        return Err(core.refused_or(error, call.method));
                    }
                    renewed = true;
                    if let Err(failure) = Box::pin(core.renew(session.number())).await {
                        let failure = core.no_other_session(failure);
                        return Err(no_new_session(error, failure, call.method));
                    }
                    if !may_be_repeated(&error, call.method) {
                        return Err(error);
                    }
                }
            }
            session = core.session();
            if session.server.revision.era() != era {
                return Err(error);
            }
        }
    }

    /// Speaks `revision` from now on, in place of what was agreed in the session `stale`, unless someone else has
    /// agreed on something meanwhile.
    pub(crate) async fn renegotiate(
        &self,
        revision: ProtocolRevision,
        stale: u64,
    ) -> Result<(), TransportError> {
        let Some(_turn) = self.0.agreements.renew(stale).await else { return Ok(()) };
        self.0.agree_on(revision).await
    }

    /// The generation of the session, and each renewal.
    pub(crate) fn generation(&self) -> watch::Receiver<u64> {
        self.0.agreements.numbers()
    }

    /// Sends a notification.
    pub(crate) async fn notify(&self, body: Bytes) -> Result<(), TransportError> {
        let session = self.0.session();
        self.0.tell(&session, body).await
    }

    /// Tells the server that a request is given up. In the modern era dropping the answer has said so already.
    pub(crate) fn cancel(&self, id: i64, reason: &'static str) {
        let session = self.0.session();
        if session.server.revision.era() == Era::Modern {
            return;
        }
        let core = self.0.clone();
        // Not tied to `closing`: a cancellation on the way out is still worth delivering.
        self.0.tasks.spawn(async move {
            let shutdown = async {
                let _turn = core.farewells.acquire().await;
                let body = legacy::cancelled(id, reason).into();
                core.tell(&session, body).await
            };
            let _ = tokio::time::timeout(SESSION_END, shutdown).await;
        });
    }

    /// Ends the tasks of the connection without telling the server.
    pub(crate) fn abandon(&self) {
        self.0.closing.cancel();
    }
}
