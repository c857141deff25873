//! The one table of codes: what evidence means, for the retry loop and for status alike.
//!
//! Longer than 500 lines because each row of it stands with its test.

use std::time::Duration;

use crate::{ChallengeKind, CredentialOrigin, Evidence, Outcome, Phase, ReasonCode, ServerStatus};

/// What evidence means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// It works; `flag` says what is nevertheless worth knowing.
    Connected {
        /// Tools that cannot be listed, or none at all.
        flag: Option<ReasonCode>,
    },
    /// It may work later without a person.
    Transient {
        /// Why, should it not work in the end.
        code: ReasonCode,
        /// The least wait that the server asked for. The waiting side caps it.
        retry_after: Option<Duration>,
    },
    /// Other credentials are needed, or credentials could not be obtained.
    NeedsAuth {
        /// Why.
        code: ReasonCode,
    },
    /// Trying again changes nothing.
    Permanent {
        /// Why.
        code: ReasonCode,
    },
}

impl Verdict {
    /// The reason; `None` when connected cleanly.
    pub fn code(self) -> Option<ReasonCode> {
        match self {
            Self::Connected { flag } => flag,
            Self::Transient { code, .. } | Self::NeedsAuth { code } | Self::Permanent { code } => Some(code),
        }
    }

    /// Whether another attempt may be made before a person does anything.
    ///
    /// It covers connecting and discovery only: a tool call that timed out may have run, so no verdict
    /// allows sending one again.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Transient { .. })
    }

    /// The least wait that the server asked for.
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Transient { retry_after, .. } => retry_after,
            _ => None,
        }
    }

    /// The status when nothing more is tried.
    pub fn status(self) -> ServerStatus {
        match self {
            Self::Connected { .. } => ServerStatus::Connected,
            Self::NeedsAuth { .. } => ServerStatus::NeedsAuth,
            Self::Transient { .. } | Self::Permanent { .. } => ServerStatus::Failed,
        }
    }
}

/// Says what `evidence` means. Total, and blind to message text.
///
/// # Examples
///
/// ```
/// use mcp_status::{Evidence, Outcome, Phase, ServerStatus, classify};
///
/// let verdict = classify(&Evidence::new(Phase::Connect, Outcome::Http { status: 503, retry_after: None }));
/// assert!(verdict.is_retryable());
///
/// let verdict = classify(&Evidence::new(Phase::Connect, Outcome::Http { status: 404, retry_after: None }));
/// assert!(!verdict.is_retryable());
/// assert_eq!(verdict.status(), ServerStatus::Failed);
/// ```
pub fn classify(evidence: &Evidence) -> Verdict {
    outcome_verdict(&evidence.outcome, evidence)
}

/// `outcome` is the evidence's own, or the cause inside it.
fn outcome_verdict(outcome: &Outcome, evidence: &Evidence) -> Verdict {
    let permanent = |code| Verdict::Permanent { code };
    let transient = |code| Verdict::Transient { code, retry_after: None };
    match outcome {
        // What a person has not agreed to is there all the same.
        Outcome::Connected { tools: Some(_) } if evidence.unapproved > 0 => {
            Verdict::Connected { flag: Some(ReasonCode::ToolsUnapproved) }
        }
        // It may be less than what the entry is for: what a server gives to everyone.
        Outcome::Connected { .. } if evidence.auth.withheld.is_some() => {
            Verdict::Connected { flag: Some(ReasonCode::WithoutHelper) }
        }
        Outcome::Connected { tools: Some(0) } => Verdict::Connected { flag: Some(ReasonCode::NoTools) },
        Outcome::Connected { .. } => Verdict::Connected { flag: None },
        Outcome::ToolsUnavailable { cause } => match outcome_verdict(cause, evidence) {
            // A server that shakes hands with anyone and asks for credentials at the first request
            // needs auth; calling it connected would send people looking in the wrong place.
            needs_auth @ Verdict::NeedsAuth { .. } => needs_auth,
            // No tools because of no session: nothing works.
            refused if matches!(**cause, Outcome::SessionRefused { .. } | Outcome::Version { .. }) => refused,
            _ => Verdict::Connected { flag: Some(ReasonCode::ToolsUnavailable) },
        },
        Outcome::Challenged { kind, .. } => Verdict::NeedsAuth { code: challenge_code(kind, evidence) },
        Outcome::CredentialSourceFailed => Verdict::NeedsAuth { code: source_code(evidence) },
        Outcome::CredentialsFailed => Verdict::NeedsAuth { code: ReasonCode::CredentialsFailed },
        Outcome::WrongAccount => Verdict::NeedsAuth { code: ReasonCode::WrongAccount },
        Outcome::SignInExpired => Verdict::NeedsAuth { code: ReasonCode::SignInExpired },
        Outcome::AuthorizationServerUnavailable { retry_after } => {
            Verdict::Transient { code: ReasonCode::Unavailable, retry_after: *retry_after }
        }
        Outcome::SignInStoreUnavailable => transient(ReasonCode::Unavailable),
        Outcome::Http { status, retry_after } => http_verdict(*status, *retry_after, evidence),
        Outcome::Misaddressed { .. } | Outcome::SessionRefused { status: 400..=499 } => {
            permanent(ReasonCode::Rejected)
        }
        Outcome::SessionRefused { status: 500.. } => transient(ReasonCode::Unavailable),
        Outcome::SessionRefused { .. } => permanent(ReasonCode::Protocol),
        Outcome::Moved { .. } => permanent(ReasonCode::Moved),
        Outcome::Unreachable | Outcome::Dropped => transient(ReasonCode::Unreachable),
        // What it refuses it will refuse again; what it could not reach it may reach.
        Outcome::Proxy { status: Some(407) } => permanent(ReasonCode::ProxyAuth),
        Outcome::Proxy { status: Some(400..=499) } => permanent(ReasonCode::Rejected),
        Outcome::Proxy { .. } => transient(ReasonCode::Unreachable),
        Outcome::Timeout => transient(ReasonCode::Timeout),
        Outcome::Tls | Outcome::AuthorizationServerTls => permanent(ReasonCode::Tls),
        Outcome::Protocol { .. } => permanent(ReasonCode::Protocol),
        Outcome::Version { .. } => permanent(ReasonCode::Version),
        Outcome::Spawn { .. } => permanent(ReasonCode::Spawn),
        Outcome::SlowStart { .. } => permanent(ReasonCode::Timeout),
        // It worked, so starting it again may work again. One that ends before it ever did would only end again.
        Outcome::Exited { .. } if evidence.phase == Phase::Session => transient(ReasonCode::Exited),
        Outcome::Exited { .. } => permanent(ReasonCode::Exited),
        Outcome::SelfReference => permanent(ReasonCode::SelfReference),
        Outcome::Misconfigured => permanent(ReasonCode::Config),
    }
}

/// Only where there is a helper can one have failed.
fn source_code(evidence: &Evidence) -> ReasonCode {
    match (evidence.auth.supplied_by, &evidence.auth.provider) {
        (Some(CredentialOrigin::Command), _) | (None, None) => ReasonCode::HelperFailed,
        _ => ReasonCode::CredentialsFailed,
    }
}

/// A challenge that no recovery helped against.
fn challenge_code(kind: &ChallengeKind, evidence: &Evidence) -> ReasonCode {
    match kind {
        // The server knew who asked and says what is missing: neither a missing nor a wrong credential.
        ChallengeKind::InsufficientScope { .. } if evidence.auth.sent => ReasonCode::InsufficientScope,
        // What is missing is known, whatever the static headers that went out alone were worth.
        _ if evidence.auth.withheld.is_some() => ReasonCode::HelperUntrusted,
        ChallengeKind::InsufficientScope { .. } => ReasonCode::InsufficientScope,
        // A firewall has not looked at the credentials, so it cannot have rejected them.
        ChallengeKind::Blocked => ReasonCode::Blocked,
        // What the file says was not enough, and the server says what would be.
        ChallengeKind::Unauthorized
            if evidence.auth.supplied_by.is_some_and(CredentialOrigin::is_of_entry)
                && evidence.auth.sign_in =>
        {
            ReasonCode::Unauthorized
        }
        _ if evidence.auth.sent => ReasonCode::CredentialsRejected,
        ChallengeKind::Unauthorized => ReasonCode::Unauthorized,
        ChallengeKind::Forbidden => ReasonCode::Forbidden,
        ChallengeKind::LoginRedirect => ReasonCode::LoginRedirect,
    }
}

/// An answer that the transport did not hand over as a challenge.
fn http_verdict(status: u16, retry_after: Option<Duration>, evidence: &Evidence) -> Verdict {
    if let Some(kind) = ChallengeKind::of_status(status, evidence.phase) {
        return Verdict::NeedsAuth { code: challenge_code(&kind, evidence) };
    }
    match status {
        404 => Verdict::Permanent { code: ReasonCode::NotFound },
        407 => Verdict::Permanent { code: ReasonCode::ProxyAuth },
        429 => Verdict::Transient { code: ReasonCode::RateLimited, retry_after },
        408 | 425 | 500..=599 => Verdict::Transient { code: ReasonCode::Unavailable, retry_after },
        400..=499 => Verdict::Permanent { code: ReasonCode::Rejected },
        // Neither success nor error: a redirect that leads nowhere, a status outside RFC 9110 section 15.
        _ => Verdict::Permanent { code: ReasonCode::Protocol },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AddressHeader, AuthFacts, SpawnCause};

    const WAIT: Duration = Duration::from_secs(7);

    fn challenged(kind: ChallengeKind, http_status: u16) -> Outcome {
        Outcome::Challenged { kind, http_status }
    }

    fn http(status: u16) -> Outcome {
        Outcome::Http { status, retry_after: Some(WAIT) }
    }

    fn verdict(phase: Phase, outcome: Outcome, auth: AuthFacts) -> Verdict {
        classify(&Evidence::new(phase, outcome).with_auth(auth))
    }

    fn none() -> AuthFacts {
        AuthFacts::default()
    }

    fn sent() -> AuthFacts {
        AuthFacts::new(true, Some("p".into())).with_supplied_by(Some(CredentialOrigin::Configuration))
    }

    fn withheld() -> AuthFacts {
        sent().with_withheld(Some("w".into()))
    }

    fn needs_auth(code: ReasonCode) -> Verdict {
        Verdict::NeedsAuth { code }
    }

    fn permanent(code: ReasonCode) -> Verdict {
        Verdict::Permanent { code }
    }

    fn transient(code: ReasonCode) -> Verdict {
        Verdict::Transient { code, retry_after: None }
    }

    /// One of each outcome. The match makes a new variant fail to compile until it has a row.
    fn every_outcome() -> Vec<Outcome> {
        fn follower(last: Option<&Outcome>) -> Option<Outcome> {
            Some(match last {
                None => Outcome::Connected { tools: Some(3) },
                Some(Outcome::Connected { .. }) => {
                    Outcome::ToolsUnavailable { cause: Box::new(Outcome::Timeout) }
                }
                Some(Outcome::ToolsUnavailable { .. }) => challenged(ChallengeKind::Unauthorized, 401),
                Some(Outcome::Challenged { .. }) => Outcome::CredentialSourceFailed,
                Some(Outcome::CredentialSourceFailed) => Outcome::CredentialsFailed,
                Some(Outcome::CredentialsFailed) => Outcome::SignInExpired,
                Some(Outcome::SignInExpired) => Outcome::WrongAccount,
                Some(Outcome::WrongAccount) => {
                    Outcome::AuthorizationServerUnavailable { retry_after: Some(WAIT) }
                }
                Some(Outcome::AuthorizationServerUnavailable { .. }) => Outcome::AuthorizationServerTls,
                Some(Outcome::AuthorizationServerTls) => Outcome::SignInStoreUnavailable,
                Some(Outcome::SignInStoreUnavailable) => http(503),
                Some(Outcome::Http { .. }) => {
                    Outcome::Misaddressed { header: AddressHeader::Host, status: 403 }
                }
                Some(Outcome::Misaddressed { .. }) => Outcome::SessionRefused { status: 404 },
                Some(Outcome::SessionRefused { .. }) => Outcome::Moved { status: 308 },
                Some(Outcome::Moved { .. }) => Outcome::Unreachable,
                Some(Outcome::Unreachable) => Outcome::Dropped,
                Some(Outcome::Dropped) => Outcome::Proxy { status: None },
                Some(Outcome::Proxy { .. }) => Outcome::Timeout,
                Some(Outcome::Timeout) => Outcome::Tls,
                Some(Outcome::Tls) => Outcome::Protocol { rpc_code: Some(-32602) },
                Some(Outcome::Protocol { .. }) => Outcome::Version { offered: vec!["2023-01-01".into()] },
                Some(Outcome::Version { .. }) => Outcome::Spawn { cause: SpawnCause::NotFound },
                Some(Outcome::Spawn { .. }) => Outcome::SlowStart { limit: WAIT },
                Some(Outcome::SlowStart { .. }) => Outcome::Exited { code: Some(3), signal: None },
                Some(Outcome::Exited { .. }) => Outcome::SelfReference,
                Some(Outcome::SelfReference) => Outcome::Misconfigured,
                Some(Outcome::Misconfigured) => return None,
            })
        }
        let mut all = Vec::new();
        while let Some(next) = follower(all.last()) {
            all.push(next);
        }
        all
    }

    #[test]
    fn every_outcome_has_a_verdict_whose_code_and_status_agree() {
        assert_eq!(every_outcome().len(), 26);
        for outcome in every_outcome() {
            for phase in [Phase::Connect, Phase::Session] {
                for auth in [none(), sent(), withheld()] {
                    let verdict = verdict(phase, outcome.clone(), auth);
                    let Some(code) = verdict.code() else {
                        assert_eq!(outcome, Outcome::Connected { tools: Some(3) });
                        continue;
                    };
                    assert_eq!(code.status(), verdict.status(), "{outcome:?}");
                    assert_eq!(verdict.is_retryable(), matches!(verdict, Verdict::Transient { .. }));
                }
            }
        }
    }

    #[test]
    fn outcomes_without_an_http_answer() {
        let table = [
            (Outcome::Connected { tools: None }, Verdict::Connected { flag: None }),
            (Outcome::Connected { tools: Some(1) }, Verdict::Connected { flag: None }),
            (Outcome::CredentialsFailed, needs_auth(ReasonCode::CredentialsFailed)),
            (Outcome::SignInExpired, needs_auth(ReasonCode::SignInExpired)),
            (Outcome::WrongAccount, needs_auth(ReasonCode::WrongAccount)),
            (
                Outcome::AuthorizationServerUnavailable { retry_after: Some(WAIT) },
                Verdict::Transient { code: ReasonCode::Unavailable, retry_after: Some(WAIT) },
            ),
            (Outcome::SignInStoreUnavailable, transient(ReasonCode::Unavailable)),
            (Outcome::Unreachable, transient(ReasonCode::Unreachable)),
            (Outcome::Dropped, transient(ReasonCode::Unreachable)),
            (Outcome::Proxy { status: None }, transient(ReasonCode::Unreachable)),
            (Outcome::Proxy { status: Some(502) }, transient(ReasonCode::Unreachable)),
            (Outcome::Proxy { status: Some(403) }, permanent(ReasonCode::Rejected)),
            (Outcome::Proxy { status: Some(407) }, permanent(ReasonCode::ProxyAuth)),
            (Outcome::Timeout, transient(ReasonCode::Timeout)),
            (Outcome::Protocol { rpc_code: None }, permanent(ReasonCode::Protocol)),
            (Outcome::Protocol { rpc_code: Some(-32602) }, permanent(ReasonCode::Protocol)),
            (Outcome::SessionRefused { status: 404 }, permanent(ReasonCode::Rejected)),
            (Outcome::SessionRefused { status: 400 }, permanent(ReasonCode::Rejected)),
            (Outcome::SessionRefused { status: 200 }, permanent(ReasonCode::Protocol)),
            (Outcome::SessionRefused { status: 500 }, transient(ReasonCode::Unavailable)),
            (Outcome::Moved { status: 307 }, permanent(ReasonCode::Moved)),
            (Outcome::Version { offered: Vec::new() }, permanent(ReasonCode::Version)),
            (Outcome::Spawn { cause: SpawnCause::Other }, permanent(ReasonCode::Spawn)),
            (Outcome::SlowStart { limit: WAIT }, permanent(ReasonCode::Timeout)),
            (Outcome::SelfReference, permanent(ReasonCode::SelfReference)),
            (Outcome::Misconfigured, permanent(ReasonCode::Config)),
        ];
        for (outcome, expected) in table {
            for phase in [Phase::Connect, Phase::Session] {
                assert_eq!(verdict(phase, outcome.clone(), sent()), expected, "{outcome:?} {phase:?}");
            }
        }
    }

    #[test]
    fn fa_a22_a_process_that_worked_is_worth_another_start_and_one_that_never_did_is_not() {
        for (code, signal) in [(Some(0), None), (Some(1), None), (None, Some(9)), (None, None)] {
            let exited = Outcome::Exited { code, signal };
            assert_eq!(verdict(Phase::Connect, exited.clone(), none()), permanent(ReasonCode::Exited));
            assert_eq!(verdict(Phase::Session, exited, none()), transient(ReasonCode::Exited));
        }
    }

    #[test]
    fn fa_a17_a_start_that_takes_too_long_is_not_tried_again() {
        for phase in [Phase::Connect, Phase::Session] {
            let slow = verdict(phase, Outcome::SlowStart { limit: WAIT }, none());
            assert_eq!(slow, permanent(ReasonCode::Timeout));
            assert!(!slow.is_retryable());
        }
    }

    #[test]
    fn s_n17_only_a_helper_can_be_a_helper_that_failed() {
        let by = |provider: Option<&str>, supplied_by| {
            AuthFacts::new(false, provider.map(str::to_owned)).with_supplied_by(supplied_by)
        };
        for (facts, code) in [
            (by(None, None), ReasonCode::HelperFailed),
            (by(Some("x"), Some(CredentialOrigin::Command)), ReasonCode::HelperFailed),
            (by(Some("x"), Some(CredentialOrigin::SignIn)), ReasonCode::CredentialsFailed),
            // What it is called decides nothing.
            (by(Some("my-helper"), None), ReasonCode::CredentialsFailed),
        ] {
            let failed = verdict(Phase::Connect, Outcome::CredentialSourceFailed, facts.clone());
            assert_eq!(failed, needs_auth(code), "{facts:?}");
            let failed = verdict(Phase::Session, Outcome::CredentialsFailed, facts.clone());
            assert_eq!(failed, needs_auth(ReasonCode::CredentialsFailed), "{facts:?}");
        }
    }

    #[test]
    fn challenges_by_what_was_sent() {
        use ChallengeKind::{Blocked, Forbidden, InsufficientScope, LoginRedirect, Unauthorized};
        let scope = InsufficientScope { scopes: vec!["files:write".into()] };
        let table = [
            (Unauthorized, none(), ReasonCode::Unauthorized),
            (Unauthorized, sent(), ReasonCode::CredentialsRejected),
            (Unauthorized, withheld(), ReasonCode::HelperUntrusted),
            (Forbidden, none(), ReasonCode::Forbidden),
            (Forbidden, sent(), ReasonCode::CredentialsRejected),
            (Forbidden, withheld(), ReasonCode::HelperUntrusted),
            (LoginRedirect, none(), ReasonCode::LoginRedirect),
            (LoginRedirect, sent(), ReasonCode::CredentialsRejected),
            (LoginRedirect, withheld(), ReasonCode::HelperUntrusted),
            (Blocked, none(), ReasonCode::Blocked),
            (Blocked, sent(), ReasonCode::Blocked),
            (Blocked, withheld(), ReasonCode::HelperUntrusted),
            (scope.clone(), none(), ReasonCode::InsufficientScope),
            (scope.clone(), sent(), ReasonCode::InsufficientScope),
            (scope.clone(), withheld(), ReasonCode::InsufficientScope),
            (scope, AuthFacts { sent: false, ..withheld() }, ReasonCode::HelperUntrusted),
        ];
        for (kind, auth, code) in table {
            for phase in [Phase::Connect, Phase::Session] {
                let outcome = challenged(kind.clone(), 403);
                assert_eq!(verdict(phase, outcome, auth.clone()), needs_auth(code), "{kind:?} {auth:?}");
            }
        }
    }

    #[test]
    fn f026_a_refused_static_authorization_header_is_a_credential_problem_and_never_retried() {
        let verdict = verdict(Phase::Connect, challenged(ChallengeKind::Unauthorized, 401), sent());
        assert_eq!(verdict, needs_auth(ReasonCode::CredentialsRejected));
        assert!(!verdict.is_retryable());
    }

    #[test]
    fn f040_a_bare_403_needs_auth_while_connecting_and_fails_the_call_afterwards() {
        assert_eq!(verdict(Phase::Connect, http(403), none()), needs_auth(ReasonCode::Forbidden));
        assert_eq!(verdict(Phase::Connect, http(403), sent()), needs_auth(ReasonCode::CredentialsRejected));
        assert_eq!(verdict(Phase::Session, http(403), sent()), permanent(ReasonCode::Rejected));
    }

    #[test]
    fn f041_a_firewall_is_told_apart_from_a_server_that_wants_credentials() {
        let forbidden = verdict(Phase::Connect, challenged(ChallengeKind::Forbidden, 403), none());
        let blocked = verdict(Phase::Connect, challenged(ChallengeKind::Blocked, 403), none());
        assert_eq!(forbidden.code(), Some(ReasonCode::Forbidden));
        assert_eq!(blocked.code(), Some(ReasonCode::Blocked));
    }

    #[test]
    fn f043_every_http_status_is_retried_exactly_where_it_may_heal() {
        for status in 0..=999_u16 {
            let expected = match status {
                401 => needs_auth(ReasonCode::Unauthorized),
                403 => permanent(ReasonCode::Rejected),
                404 => permanent(ReasonCode::NotFound),
                407 => permanent(ReasonCode::ProxyAuth),
                408 | 425 => Verdict::Transient { code: ReasonCode::Unavailable, retry_after: Some(WAIT) },
                429 => Verdict::Transient { code: ReasonCode::RateLimited, retry_after: Some(WAIT) },
                400..=499 => permanent(ReasonCode::Rejected),
                500..=599 => Verdict::Transient { code: ReasonCode::Unavailable, retry_after: Some(WAIT) },
                _ => permanent(ReasonCode::Protocol),
            };
            assert_eq!(verdict(Phase::Session, http(status), none()), expected, "{status}");
        }
    }

    #[test]
    fn the_wait_that_a_server_asks_for_is_read_from_a_verdict_that_may_heal() {
        for (seen, wait) in
            [(http(503), Some(WAIT)), (http(429), Some(WAIT)), (http(404), None), (Outcome::Timeout, None)]
        {
            let verdict = verdict(Phase::Connect, seen, none());
            assert_eq!(verdict.retry_after(), wait, "{verdict:?}");
        }
    }

    #[test]
    fn f049_a_failing_tool_list_flags_the_connection_and_a_challenged_one_needs_auth() {
        let flagged = Verdict::Connected { flag: Some(ReasonCode::ToolsUnavailable) };
        let list = |cause| Outcome::ToolsUnavailable { cause: Box::new(cause) };
        for cause in [Outcome::Timeout, http(500), http(400), Outcome::Protocol { rpc_code: Some(-32603) }] {
            assert_eq!(verdict(Phase::Session, list(cause), none()), flagged);
        }
        let challenge = list(challenged(ChallengeKind::Unauthorized, 401));
        assert_eq!(verdict(Phase::Session, challenge, none()), needs_auth(ReasonCode::Unauthorized));
        let version = list(Outcome::Version { offered: Vec::new() });
        assert_eq!(verdict(Phase::Session, version, none()), permanent(ReasonCode::Version));
    }

    #[test]
    fn f050_a_server_without_a_single_tool_is_flagged() {
        let verdict = verdict(Phase::Connect, Outcome::Connected { tools: Some(0) }, none());
        assert_eq!(verdict, Verdict::Connected { flag: Some(ReasonCode::NoTools) });
        for tools in [0, 3] {
            let evidence = Evidence::new(Phase::Session, Outcome::Connected { tools: Some(tools) });
            let verdict = classify(&evidence.with_unapproved(2));
            assert_eq!(verdict, Verdict::Connected { flag: Some(ReasonCode::ToolsUnapproved) });
        }
    }

    #[test]
    fn f014_a_server_that_works_without_its_helper_is_flagged() {
        for tools in [None, Some(0), Some(3)] {
            let evidence = Evidence::new(Phase::Session, Outcome::Connected { tools }).with_auth(withheld());
            let flagged = Verdict::Connected { flag: Some(ReasonCode::WithoutHelper) };
            assert_eq!(classify(&evidence), flagged, "{tools:?}");
        }
        // What is told first is what keeps tools away that are there.
        let evidence =
            Evidence::new(Phase::Session, Outcome::Connected { tools: Some(3) }).with_unapproved(1);
        let flagged = Verdict::Connected { flag: Some(ReasonCode::ToolsUnapproved) };
        assert_eq!(classify(&evidence.with_auth(withheld())), flagged);
    }

    #[test]
    fn f062_a_certificate_problem_is_neither_an_auth_nor_a_network_problem() {
        for auth in [none(), sent(), withheld()] {
            assert_eq!(verdict(Phase::Connect, Outcome::Tls, auth), permanent(ReasonCode::Tls));
        }
    }
}
