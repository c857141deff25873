//! What a refusal says about the session that it was given in, over every wire.

use mcp_status::ChallengeKind;

use crate::error::{TransportError, TransportErrorKind};
use crate::message::envelope::{INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND};
use crate::message::methods::is_repeatable;
use crate::protocol::handshake::refuses_version;
#[cfg(feature = "http")]
use crate::protocol::offer::RefusalTexts;

/// Whether a refusal says, or may mean, that the server does not know the session. An answer that is none may mean it too:
/// some take what they do not know with 202, and say nothing.
pub(crate) fn may_be_about_the_session(refusal: &TransportError) -> bool {
    match refusal.kind() {
        TransportErrorKind::SessionGone | TransportErrorKind::Protocol => true,
        // Limits pass, and what a gateway says of a server that it does not reach is seldom about its sessions.
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

/// Whether a refusal that says something else may be what a server, or a gateway, says of a session that is gone.
///
/// That the server is busy, or out of reach: who names a time until which to wait, and no session, means the load. A time-out is
/// not among them, because to ask again costs as much time. And that it wants credentials, where what recovers them has had
/// its turn, and no person can sign in: nothing would answer that, and it took what it is sent before.
#[cfg(feature = "http")]
pub(crate) fn may_hide_a_lost_session(refusal: &TransportError) -> bool {
    match refusal.kind() {
        TransportErrorKind::Http { status: 429 | 502 | 503, retry_after } => {
            retry_after.is_none() || RefusalTexts::of(refusal).names("session")
        }
        TransportErrorKind::Challenged { kind, .. } => {
            matches!(kind, ChallengeKind::Unauthorized | ChallengeKind::Forbidden)
                && refusal
                    .auth_context()
                    .is_some_and(|context| context.scheme.is_some() && !context.answerable)
        }
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
    // Where the session is in doubt because of such a refusal, it is one of a ping as well.
    #[cfg(feature = "http")]
    let hidden = may_hide_a_lost_session(refusal) && may_hide_a_lost_session(error);
    #[cfg(not(feature = "http"))]
    let hidden = false;
    (may_be_about_the_session(error) || hidden) && !answers
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

/// Whether a request may be sent again in a new session: it was refused before it was acted on, or has no effects.
pub(crate) fn may_be_repeated(refusal: &TransportError, method: &str) -> bool {
    let was_not_run = match refusal.kind() {
        // What is refused is the rest of an answer.
        _ if refusal.is_of_later_round() => false,
        // The server failed at something, which may be what it was asked for.
        TransportErrorKind::Http { status, .. } => *status < 500,
        TransportErrorKind::Challenged { .. } => true,
        // An internal error, or one of the server's own, may come after the fact.
        TransportErrorKind::Rpc { code } => {
            matches!(*code, INVALID_REQUEST | INVALID_PARAMS) || (-32099..=-32000).contains(code)
        }
        _ => false,
    };
    was_not_run || is_repeatable(method)
}

/// The error of a request in a session that is gone, where no new one could be made.
pub(crate) fn no_new_session(
    refusal: TransportError,
    failure: TransportError,
    method: &str,
) -> TransportError {
    // What may have run is not called unsent.
    if !may_be_repeated(&refusal, method) {
        return refusal;
    }
    // A server that wants credentials now says more by that than by what it said of the session.
    if matches!(
        failure.kind(),
        TransportErrorKind::Challenged { .. }
            | TransportErrorKind::Credentials
            | TransportErrorKind::SessionRefused { .. }
    ) {
        return failure;
    }
    let said = refusal.said().map(str::to_owned);
    let message = "the server refuses every request of the session, and a new session";
    TransportError::new(TransportErrorKind::SessionGone, message).with_said(said).with_source(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::AuthContext;
    use crate::message::RpcError;

    fn challenged(kind: ChallengeKind, scheme: Option<&str>) -> TransportError {
        let kind = TransportErrorKind::Challenged { kind, status: 401 };
        let auth = AuthContext { scheme: scheme.map(str::to_owned), ..AuthContext::default() };
        TransportError::new(kind, "x").with_auth(auth)
    }

    #[test]
    fn fb_t57_a_challenge_that_names_a_scheme_or_shows_a_page_is_about_credentials() {
        use ChallengeKind::{Blocked, Forbidden, LoginRedirect, Unauthorized};
        for (kind, scheme, about_the_session) in [
            (Unauthorized, None, true),
            (Forbidden, None, true),
            (Unauthorized, Some("Bearer"), false),
            (Forbidden, Some("Basic"), false),
            (Blocked, None, false),
            (LoginRedirect, None, false),
        ] {
            let refusal = challenged(kind.clone(), scheme);
            assert_eq!(may_be_about_the_session(&refusal), about_the_session, "{kind:?} {scheme:?}");
        }
    }

    #[test]
    #[cfg(feature = "http")]
    fn fb_t57_a_challenge_that_nothing_answers_may_hide_a_lost_session() {
        use ChallengeKind::{Blocked, Forbidden, InsufficientScope, LoginRedirect, Unauthorized};
        for (kind, scheme, answerable, hides) in [
            (Unauthorized, Some("Bearer"), false, true),
            (Unauthorized, Some("Basic"), false, true),
            (Forbidden, Some("DPoP"), false, true),
            (Unauthorized, Some("Bearer"), true, false),
            (Forbidden, Some("Bearer"), true, false),
            // These are asked about without more ado.
            (Unauthorized, None, false, false),
            (InsufficientScope { scopes: Vec::new() }, Some("Bearer"), false, false),
            (LoginRedirect, Some("Bearer"), false, false),
            (Blocked, Some("Bearer"), false, false),
        ] {
            let scheme_named = scheme.map(str::to_owned);
            let refusal = challenged(kind.clone(), scheme).with_auth(AuthContext {
                scheme: scheme_named,
                answerable,
                ..AuthContext::default()
            });
            assert_eq!(may_hide_a_lost_session(&refusal), hides, "{kind:?} {scheme:?} {answerable}");
            // A ping that is refused like that is refused because of the session, or of nothing that it can tell.
            assert_eq!(refuses_a_ping(&refusal, &refusal), hides || scheme.is_none(), "{kind:?} {scheme:?}");
        }
    }

    #[test]
    fn fb_t5d_a_server_that_does_not_know_ping_has_answered_whatever_its_status() {
        let refusal = TransportError::new(TransportErrorKind::Http { status: 400, retry_after: None }, "x");
        for (status, code, refuses) in
            [(404, METHOD_NOT_FOUND, false), (400, METHOD_NOT_FOUND, false), (400, -32000, true)]
        {
            let kind = TransportErrorKind::Http { status, retry_after: None };
            let answer = TransportError::new(kind, "x").with_rpc(RpcError::new(code, "no"));
            assert_eq!(refuses_a_ping(&answer, &refusal), refuses, "{status} {code}");
        }
    }
}
