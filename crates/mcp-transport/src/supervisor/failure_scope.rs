//! What the failure of one request says about the connection that it went over.

use mcp_status::{ChallengeKind, CredentialOrigin, LimitSubject, ReasonCode, classify};

use crate::error::{TimeoutStage, TransportError, TransportErrorKind};
use crate::message::Era;

/// What a failure says about its connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FailureScope {
    /// Nothing: it concerns the request alone.
    None,
    /// It would be the same for every request: the connection is lost, or its credentials are.
    Lost,
    /// It may concern this request alone; a question without effects tells.
    Doubtful,
}

impl FailureScope {
    /// The same over a connection of this era. Where there is no session, no wire has asked already whether everything is
    /// refused that is answered like this, and a server that refuses everything is not there for anyone.
    pub(super) fn in_era(error: &TransportError, era: Era) -> Self {
        let is_refusal = matches!(error.kind(), TransportErrorKind::Http { status: 400..=499, .. })
            && classify(&error.evidence()).code() == Some(ReasonCode::Rejected);
        if era == Era::Modern && is_refusal { Self::Doubtful } else { Self::of(error) }
    }

    pub(super) fn of(error: &TransportError) -> Self {
        use TransportErrorKind as Kind;
        match error.kind() {
            // A caller in a hurry gave its source of credentials little time; whether it answers at all is another question.
            Kind::Credentials if error.limit().is_some_and(|limit| limit.of == LimitSubject::Caller) => {
                Self::Doubtful
            }
            // Where the question costs no run of a helper and no refresh: a server may want a sign-in for this request, and
            // give its lists to everyone.
            Kind::Challenged { kind: ChallengeKind::Unauthorized | ChallengeKind::LoginRedirect, .. }
                if is_asked_for_nothing(error) =>
            {
                Self::Doubtful
            }
            Kind::Unreachable
            | Kind::Tls
            | Kind::Misaddressed { .. }
            | Kind::Proxy { .. }
            | Kind::Credentials
            | Kind::Spawn { .. }
            | Kind::SlowStart { .. }
            | Kind::Exited { .. }
            | Kind::SelfReference
            | Kind::Timeout { stage: TimeoutStage::Connect }
            | Kind::Challenged { kind: ChallengeKind::Unauthorized | ChallengeKind::LoginRedirect, .. } => {
                Self::Lost
            }
            // A 403 may be about one tool, a drop about one response, a limit about one slow call: dropping a
            // connection that others use would be worse than asking.
            Kind::Timeout { stage: TimeoutStage::Unsent } => Self::None,
            Kind::Challenged { .. }
            | Kind::Moved { .. }
            | Kind::Dropped
            | Kind::Timeout { .. }
            | Kind::Protocol
            | Kind::Version { .. }
            | Kind::SessionGone
            | Kind::SessionRefused { .. } => Self::Doubtful,
            Kind::Http { .. } => match classify(&error.evidence()).code() {
                Some(ReasonCode::Rejected | ReasonCode::RateLimited) => Self::None,
                _ => Self::Doubtful,
            },
            Kind::Rpc { .. }
            | Kind::TooLarge
            | Kind::Closed
            | Kind::Cancelled
            | Kind::InputRequired
            | Kind::ToolWithheld
            | Kind::ToolUnapproved
            | Kind::Misconfigured => Self::None,
        }
    }
}

/// Whether no source of credentials would be asked again because of one more refusal: none were sent, or fixed ones.
fn is_asked_for_nothing(error: &TransportError) -> bool {
    let auth = error.evidence().auth;
    !auth.sent || auth.supplied_by.is_some_and(CredentialOrigin::is_of_entry)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mcp_status::Limit;

    use super::*;
    use crate::error::AuthContext;

    #[test]
    fn what_concerns_every_request_is_a_loss_and_what_may_not_is_asked() {
        use FailureScope::{Doubtful, Lost, None};
        use TransportErrorKind as Kind;
        let http = |status| Kind::Http { status, retry_after: Option::None };
        let challenged = |kind, status| Kind::Challenged { kind, status };
        let scope = ChallengeKind::InsufficientScope { scopes: vec!["files:write".to_owned()] };
        let table = [
            (Kind::Unreachable, Lost),
            (Kind::Tls, Lost),
            (Kind::Proxy { status: Some(407) }, Lost),
            (Kind::Credentials, Lost),
            (Kind::Exited { code: Some(1), signal: Option::None }, Lost),
            (Kind::Timeout { stage: TimeoutStage::Connect }, Lost),
            (challenged(ChallengeKind::Unauthorized, 401), Doubtful),
            (challenged(ChallengeKind::LoginRedirect, 302), Doubtful),
            (challenged(ChallengeKind::Forbidden, 403), Doubtful),
            (challenged(ChallengeKind::Blocked, 403), Doubtful),
            (challenged(scope, 403), Doubtful),
            (Kind::Dropped, Doubtful),
            (Kind::Timeout { stage: TimeoutStage::FirstByte }, Doubtful),
            (Kind::Timeout { stage: TimeoutStage::Total }, Doubtful),
            (Kind::Timeout { stage: TimeoutStage::Unsent }, None),
            (Kind::Protocol, Doubtful),
            (Kind::SessionGone, Doubtful),
            (http(404), Doubtful),
            (http(503), Doubtful),
            (http(422), None),
            (http(429), None),
            (Kind::Rpc { code: -32602 }, None),
            (Kind::TooLarge, None),
            (Kind::Closed, None),
            (Kind::Cancelled, None),
        ];
        for (kind, expected) in table {
            assert_eq!(FailureScope::of(&TransportError::new(kind.clone(), "x")), expected, "{kind:?}");
        }
        let refused_with = |provider: &str| {
            let context =
                AuthContext { sent: true, provider: Some(provider.to_owned()), ..AuthContext::default() };
            let refused = challenged(ChallengeKind::Unauthorized, 401);
            FailureScope::of(&TransportError::new(refused, "x").with_auth(context))
        };
        // One more refusal would cost a run of the command, or a refresh.
        for (provider, expected) in [("static-headers", Doubtful), ("minted", Lost), ("corp", Lost)] {
            assert_eq!(refused_with(provider), expected, "{provider}");
        }
        for (status, modern) in
            [(422, Doubtful), (410, Doubtful), (403, Doubtful), (429, None), (503, Doubtful)]
        {
            let refusal = TransportError::new(http(status), "x");
            assert_eq!(FailureScope::in_era(&refusal, Era::Modern), modern, "{status}");
            assert_eq!(FailureScope::in_era(&refusal, Era::Legacy), FailureScope::of(&refusal), "{status}");
        }
        let hurried = |of| {
            let limit = Limit::new(Duration::from_millis(50), of);
            FailureScope::of(&TransportError::new(Kind::Credentials, "x").at_limit(limit))
        };
        assert_eq!([hurried(LimitSubject::Caller), hurried(LimitSubject::Entry)], [Doubtful, Lost]);
    }
}
