//! Whether a server has forgotten a session, in whatever words it says so.
//!
//! The specification has one word for it, 404 (2025-11-25, session management, rule 4). Servers of the field answer 400,
//! 401, 409, 410 or 500, a JSON-RPC error of any code inside a 200, or nothing at all, and say the same of a session that they
//! know and of a request that is simply wrong. So a `ping` in that session decides: a server that knows the session answers it.
//! Where it is refused with what a busy server says as well, and a gateway of a server that is no longer there (429, 502,
//! 503), a handshake decides: a server that is busy refuses that, too. So does one that wants credentials and means it, where it
//! refuses a session with a challenge that no one could answer.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use mcp_status::Phase;
use tokio::time::Instant;

use super::session::Session;
use super::streamable::{Core, Limits, PostRequest};
use crate::error::{TransportError, TransportErrorKind};
use crate::message::revision::Era;
use crate::protocol::agree::Ordinal as _;
use crate::protocol::outgoing::encode_request;
use crate::refusal::{may_be_about_the_session, may_hide_a_lost_session, of_every_request, refuses_a_ping};

/// How often a server that seems to be busy, or to want credentials, is asked about a session: what it is asked is more load,
/// or one more refusal of the same credentials.
const BUSY_PAUSE: Duration = Duration::from_secs(5);

impl Core {
    /// Whether there is another session in place of `session`, which a server may have forgotten that answered `refusal` to
    /// `call` as a busy one does, or one that wants credentials. One request asks, and the others wait for what comes of it.
    ///
    /// # Errors
    ///
    /// The server wants other credentials for a handshake, which says more.
    pub(super) async fn replaced_in_doubt(
        self: &Arc<Self>,
        refusal: &TransportError,
        call: &PostRequest<'_>,
        session: &Session,
    ) -> Result<bool, TransportError> {
        let is_challenge = matches!(refusal.kind(), TransportErrorKind::Challenged { .. });
        let in_doubt = session.id.is_some()
            // A session in which nothing was answered is not known to have been taken with these credentials.
            && (!is_challenge || self.has_answered.load(Ordering::Relaxed))
            && may_hide_a_lost_session(refusal)
            && !self.refuses_pings.load(Ordering::Relaxed);
        if !in_doubt {
            return Ok(false);
        }
        let Some(_turn) = self.agreements.renew(session.number()).await else { return Ok(true) };
        {
            let mut asked = self.asked_in_doubt.lock().unwrap_or_else(PoisonError::into_inner);
            if asked.is_some_and(|asked| asked.elapsed() < BUSY_PAUSE) {
                return Ok(false);
            }
            *asked = Some(Instant::now());
        }
        if !self.refuses_ping(refusal, call, session).await {
            return Ok(false);
        }
        // What recovers credentials has had its turn, and the first challenge says what came of it.
        match self.reinitialize(!is_challenge).await {
            Ok(()) => Ok(true),
            Err(challenge)
                if !is_challenge
                    && matches!(
                        challenge.kind(),
                        TransportErrorKind::Challenged { .. } | TransportErrorKind::Credentials
                    ) =>
            {
                Err(challenge)
            }
            Err(failure) => {
                tracing::debug!(%failure, "the server refuses a new session as well, and has not forgotten this one");
                Ok(false)
            }
        }
    }

    /// Whether the server that answered `refusal` to `call` no longer knows `session`, which may be `known` already.
    pub(super) async fn has_forgotten(
        self: &Arc<Self>,
        refusal: &TransportError,
        known: Option<bool>,
        call: &PostRequest<'_>,
        session: &Session,
    ) -> bool {
        session.server.revision.era() == Era::Legacy
            && may_be_about_the_session(refusal)
            && !self.refuses_pings.load(Ordering::Relaxed)
            && match known {
                Some(known) => known,
                None => self.refuses_ping(refusal, call, session).await,
            }
    }

    /// Finds out what a server refuses that answered `refusal` in a session that was just made. Where that is a `ping` as
    /// well, what it says to one means nothing from now on, and a question for its tools tells whether it refuses everything.
    pub(super) async fn judge_new_session(
        self: &Arc<Self>,
        refusal: &TransportError,
        call: &PostRequest<'_>,
        session: &Session,
    ) {
        if !may_be_about_the_session(refusal) || self.refuses_pings.load(Ordering::Relaxed) {
            return;
        }
        if self.refuses_ping(refusal, call, session).await {
            self.refuses_pings.store(true, Ordering::Relaxed);
            let refuses_all = call.method == LIST || !session.server.has("tools") || {
                let asked = self.ask(LIST, -1, session).await;
                asked.is_err_and(|error| may_be_about_the_session(&error))
            };
            self.has_answered.store(!refuses_all, Ordering::Relaxed);
        }
    }

    /// Whether a `ping` is refused in `session`, which `refusal` says by itself where it is the answer to one.
    async fn refuses_ping(
        self: &Arc<Self>,
        refusal: &TransportError,
        call: &PostRequest<'_>,
        session: &Session,
    ) -> bool {
        if call.method == PING {
            return refuses_a_ping(refusal, refusal);
        }
        self.ask(PING, 0, session).await.is_err_and(|error| refuses_a_ping(&error, refusal))
    }

    /// A `ping` in this session and no other.
    pub(super) async fn ping(self: &Arc<Self>, session: &Session) -> Result<(), TransportError> {
        self.ask(PING, 0, session).await
    }

    /// A question without effects, in this session and no other.
    async fn ask(
        self: &Arc<Self>,
        method: &'static str,
        id: i64,
        session: &Session,
    ) -> Result<(), TransportError> {
        let limit = self.options().first_byte_timeout;
        let question = PostRequest {
            id,
            method,
            body: encode_request(id, method, None, session.meta())?.into(),
            mirrored: Vec::new(),
            limits: Limits { first_byte: limit, idle: Some(limit) },
            allowance: self.hub.budget.limits.allowance(method),
            handler: None,
            // Refused credentials have had their recovery.
            recover: false,
            waiting: None,
        };
        self.exchange(&question, session, Phase::Session).await.map(drop)
    }

    /// `refusal`, or that every request is refused, where that is known.
    pub(super) fn refused_or(&self, refusal: TransportError, method: &str) -> TransportError {
        let refuses_all =
            self.refuses_pings.load(Ordering::Relaxed) && !self.has_answered.load(Ordering::Relaxed);
        if refuses_all && may_be_about_the_session(&refusal) {
            of_every_request(refusal, method)
        } else {
            refusal
        }
    }

    /// Why no session could be made in place of one that the server does not know. One that has answered nothing in the
    /// first is no better than one that refuses everything in the second.
    pub(super) fn no_other_session(&self, failure: TransportError) -> TransportError {
        let refuses_all = !self.has_answered.load(Ordering::Relaxed) && may_be_about_the_session(&failure);
        if refuses_all { of_every_request(failure, "initialize") } else { failure }
    }
}

const PING: &str = "ping";
const LIST: &str = "tools/list";
