//! What a refusal says about the session that it was given in, over every wire.

use std::time::Duration;

use mcp_status::ChallengeKind;

use crate::connection::Connection;
use crate::error::{TransportError, TransportErrorKind};
use crate::message::envelope::{INVALID_PARAMS, METHOD_NOT_FOUND};
use crate::message::methods::is_repeatable;
use crate::options::RequestOptions;
use crate::protocol::handshake::refuses_version;

/// How long the question is waited for whether everything is refused.
const PING_LIMIT: Duration = Duration::from_secs(2);

/// Whether a refusal says, or may mean, that the server does not know the session. An answer that is none may mean it too:
/// some take what they do not know with 202, and say nothing.
pub(crate) fn may_be_about_the_session(refusal: &TransportError) -> bool {
    match refusal.kind() {
        TransportErrorKind::SessionGone | TransportErrorKind::Protocol => true,
        // Limits pass, and what a gateway says of a server that it does not reach tells nothing of its sessions.
        TransportErrorKind::Http { status, .. } => {
            *status >= 400 && !matches!(status, 408 | 425 | 429 | 502 | 503 | 504)
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

/// Whether `error`, which a `ping` was answered with after `refusal`, refuses the session. A server that does not know the
/// method has answered it all the same; so has one that says something else of the parameters of a ping, or of none.
pub(crate) fn refuses_a_ping(error: &TransportError, refusal: &TransportError) -> bool {
    let in_the_same_words = || {
        error.kind() == refusal.kind()
            && error.rpc_error().map(|rpc| &rpc.message) == refusal.rpc_error().map(|rpc| &rpc.message)
    };
    let answers = match (error.kind(), error.rpc_error().map(|rpc| rpc.code)) {
        (_, Some(METHOD_NOT_FOUND)) => true,
        (TransportErrorKind::Protocol, _) | (_, Some(INVALID_PARAMS)) => !in_the_same_words(),
        _ => false,
    };
    may_be_about_the_session(error) && !answers
}

/// `refusal` of a request of this method as what it is where every request is refused. What may be about credentials is left
/// to them, and what may have come after the fact stays that.
pub(crate) fn of_every_request(refusal: TransportError, method: &str) -> TransportError {
    let status = match refusal.kind() {
        TransportErrorKind::Http { status, .. } if *status < 500 || is_repeatable(method) => *status,
        TransportErrorKind::Protocol if is_repeatable(method) => 200,
        TransportErrorKind::Rpc { .. } => 200,
        TransportErrorKind::SessionGone => 404,
        _ => return refusal,
    };
    let said = refusal.rpc_error().map(|rpc| rpc.message.clone());
    let said = said.or_else(|| refusal.said().map(str::to_owned));
    let message = "the server refuses every request of a session that it has just made";
    TransportError::new(TransportErrorKind::SessionRefused { status }, message)
        .with_said(said)
        .with_source(refusal)
}

/// `error` of the first list of a connection, or that every request is refused, where a `ping` is as well. Over Streamable HTTP
/// the request has found that out already, because a session can be made again there.
pub(crate) async fn judged(connection: &Connection, error: TransportError) -> TransportError {
    if connection.is_modern()
        || connection.has_headers()
        || connection.is_relayed()
        || !may_be_about_the_session(&error)
    {
        return error;
    }
    match connection.ping(&RequestOptions::new().with_timeout(PING_LIMIT)).await {
        Err(refusal) if refuses_a_ping(&refusal, &error) => of_every_request(error, "tools/list"),
        _ => error,
    }
}
