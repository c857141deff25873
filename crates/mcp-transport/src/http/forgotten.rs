//! Whether a server has forgotten a session, in whatever words it says so.
//!
//! The specification has one word for it, 404 (2025-11-25, session management, rule 4). Servers of the field answer 400,
//! 401, 409 or 410, or a JSON-RPC error of any code inside a 200, and say the same of a session that they know and of a
//! request that is simply wrong. So a `ping` in that session decides: a server that knows the session answers it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mcp_status::{ChallengeKind, Phase};

use super::session::Session;
use super::streamable::{Core, Limits, PostRequest};
use crate::error::{TransportError, TransportErrorKind};
use crate::message::envelope::{INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND};
use crate::message::revision::Era;
use crate::protocol::handshake::refuses_version;
use crate::protocol::outgoing::encode_request;

impl Core {
    /// Whether the server that answered `refusal` to `call` no longer knows `session`.
    pub(super) async fn has_forgotten(
        self: &Arc<Self>,
        refusal: &TransportError,
        call: &PostRequest<'_>,
        session: &Session,
    ) -> bool {
        if session.server.revision.era() == Era::Modern
            || !may_be_about_the_session(refusal)
            || self.refuses_pings.load(Ordering::Relaxed)
        {
            return false;
        }
        if call.method == "ping" {
            return !answers_a_ping(refusal);
        }
        let options = self.options();
        let Ok(body) = encode_request(0, "ping", None, session.meta()) else { return false };
        let ping = PostRequest {
            id: 0,
            method: "ping",
            body: body.into(),
            mirrored: Vec::new(),
            limits: Limits { first_byte: options.first_byte_timeout, idle: Some(options.first_byte_timeout) },
            allowance: self.hub.budget.limits.allowance("ping"),
            handler: None,
            // Refused credentials have had their recovery.
            recover: false,
            waiting: None,
        };
        match self.exchange(&ping, session, Phase::Session).await {
            Ok(_) => false,
            Err(error) => {
                *error.kind() == TransportErrorKind::SessionGone
                    || (may_be_about_the_session(&error) && !answers_a_ping(&error))
            }
        }
    }

    /// Notes that a request was refused in the same way in a session that was just made: what this server says to a
    /// `ping` means nothing.
    pub(super) fn distrust_pings(&self, refusal: &TransportError) {
        if may_be_about_the_session(refusal) {
            self.refuses_pings.store(true, Ordering::Relaxed);
        }
    }
}

/// Whether a refusal may mean that the session is gone.
fn may_be_about_the_session(refusal: &TransportError) -> bool {
    match refusal.kind() {
        TransportErrorKind::Http { status, .. } => {
            (400..500).contains(status) && !matches!(status, 408 | 425 | 429)
        }
        // What names a scheme, or shows a page, is about credentials.
        TransportErrorKind::Challenged { kind, .. } => {
            refusal.challenge_scheme().is_none()
                && matches!(kind, ChallengeKind::Unauthorized | ChallengeKind::Forbidden)
        }
        TransportErrorKind::Rpc { code } => *code != METHOD_NOT_FOUND && !refuses_version(refusal),
        _ => false,
    }
}

/// Whether an error is an answer to a `ping` all the same: the server knows the session, and not the method.
fn answers_a_ping(error: &TransportError) -> bool {
    matches!(error.rpc_error().map(|rpc| rpc.code), Some(METHOD_NOT_FOUND | INVALID_PARAMS))
}

/// Whether a request was refused before it was acted on, so that it may be sent again.
pub(super) fn was_not_run(refusal: &TransportError) -> bool {
    match refusal.kind() {
        TransportErrorKind::Http { .. } | TransportErrorKind::Challenged { .. } => true,
        // An internal error, or one of the server's own, may come after the fact.
        TransportErrorKind::Rpc { code } => *code == INVALID_REQUEST || (-32099..=-32000).contains(code),
        _ => false,
    }
}

/// The error of a request in a session that is gone, where no new one could be made.
pub(super) fn no_new_session(refusal: TransportError, failure: TransportError) -> TransportError {
    // A server that wants credentials now says more by that than by what it said of the session.
    if matches!(failure.kind(), TransportErrorKind::Challenged { .. } | TransportErrorKind::Credentials) {
        return failure;
    }
    let said = refusal.said().map(str::to_owned);
    let message = "the server refuses every request of the session, and a new session";
    TransportError::new(TransportErrorKind::SessionGone, message).with_said(said).with_source(failure)
}
