//! From errors to evidence: what a failure of the wire tells `mcp_status`.

use mcp_auth::plan::{ProviderKind, Supply};
use mcp_auth::replay::RefusalKind;
use mcp_auth::{AuthError, AuthErrorKind, LoginRemedy};
use mcp_status::{
    AuthFacts, ChallengeKind, CredentialOrigin, Evidence, Outcome, ProcessLack, SignInHindrance,
    SignInRemedy, TlsFault,
};

use crate::error::{TransportError, TransportErrorKind};

impl TransportError {
    /// What this failure says about the server.
    pub fn evidence(&self) -> Evidence {
        if let Some(run) = self.observed_run() {
            // It means here what it means where it was seen.
            return run.evidence.clone();
        }
        if let Some(failure) = self.failed_renewal() {
            // The session is history; what keeps a new one from being made is what is so.
            return failure.evidence();
        }
        let mut facts = AuthFacts::default();
        if let Some(context) = self.auth_context() {
            // A provider that supplied nothing has no part in it, unless that is what is wrong.
            let is_concerned = (context.sent && *self.kind() != TransportErrorKind::Misconfigured)
                || matches!(
                    self.kind(),
                    TransportErrorKind::Credentials | TransportErrorKind::Challenged { .. }
                );
            let provider = context.provider.clone().filter(|_| is_concerned);
            let kind = provider.as_deref().and_then(ProviderKind::named);
            facts = AuthFacts::new(context.sent, provider)
                .with_called(kind.as_ref().map(|kind| kind.called().to_owned()))
                .with_withheld(context.withheld.clone())
                .with_scheme(context.scheme.clone())
                .with_sign_in(context.sign_in)
                .with_doubts(context.doubts.clone())
                .with_unset(context.unset.clone())
                .with_asked_in_words(context.asked_in_words)
                .with_hindrance(context.hindrance.as_ref().map(|hindrance| {
                    SignInHindrance::new(&*hindrance.message, sign_in_remedy(&hindrance.remedy))
                }))
                .with_supplied_by(kind.as_ref().and_then(supplied_by))
                .with_unchanged(context.unchanged);
        }
        if let Some(error) = self.auth_error() {
            let lacks = error.lacking_secret().map(|secret| (secret.service.clone(), secret.name.clone()));
            facts = facts
                .with_exit_code(error.exit_code())
                .with_hint(self.hint().map(str::to_owned))
                .with_lacking_secret(lacks)
                .with_of_this_machine(error.is_of_this_machine());
            if error.kind() == AuthErrorKind::Tls {
                let remedy = error.login_remedy().map(sign_in_remedy);
                facts = facts
                    .with_hindrance(remedy.map(|remedy| SignInHindrance::new(error.to_string(), remedy)));
            }
        }
        let evidence = Evidence::new(self.phase(), self.outcome())
            .with_auth(facts)
            .with_attempts(self.attempts())
            .with_proxy(self.proxy().map(str::to_owned))
            .with_tls(self.tls_fault().or(self.tls_setting()))
            .with_unknown_host(self.is_misaddressed())
            .with_limit(self.limit().cloned())
            .with_over_limit(*self.kind() == TransportErrorKind::TooLarge)
            .with_lack(self.lack())
            .with_restriction(self.restriction());
        match self.detail() {
            Some(detail) => evidence.with_detail(detail),
            None => evidence,
        }
    }

    /// Whether no one has the name of its host: what a proxy says of one is about where the proxy stands.
    fn is_misaddressed(&self) -> bool {
        *self.kind() == TransportErrorKind::Unreachable
            && (self.proxy().is_none() || self.was_looked_up_here())
            && std::error::Error::source(self).is_some_and(crate::words::is_unknown_host)
    }

    /// A proxy of some kinds is asked for an address, so the name is looked up here.
    fn was_looked_up_here(&self) -> bool {
        #[cfg(feature = "http")]
        return crate::http::trouble::was_looked_up_here(self);
        #[cfg(not(feature = "http"))]
        false
    }

    /// What a process lacks, of a local server or of a command that gets credentials.
    fn lack(&self) -> Option<ProcessLack> {
        #[cfg(feature = "stdio")]
        if let Some(lack) = crate::stdio::lack(self) {
            return Some(lack);
        }
        let path = self.auth_error()?.unexecutable()?;
        Some(ProcessLack::Permission { path: path.to_owned() })
    }

    /// Only HTTP has TLS.
    fn tls_fault(&self) -> Option<TlsFault> {
        #[cfg(feature = "http")]
        return match self.kind() {
            TransportErrorKind::Tls => {
                std::error::Error::source(self).and_then(crate::http::trouble::tls_fault)
            }
            // Of an authorization server.
            TransportErrorKind::Credentials => {
                let broken = |cause: &(dyn std::error::Error + 'static)| {
                    cause.downcast_ref::<crate::http::exchanges::BrokenTls>().and_then(|broken| broken.fault)
                };
                crate::error::causes(self).find_map(broken)
            }
            _ => None,
        };
        #[cfg(not(feature = "http"))]
        None
    }

    fn outcome(&self) -> Outcome {
        use TransportErrorKind as Kind;
        match self.kind() {
            Kind::Credentials => match self.auth_error().map(|error| error.kind()) {
                Some(AuthErrorKind::SignInExpired) => Outcome::SignInExpired,
                Some(AuthErrorKind::WrongAccount) => Outcome::WrongAccount,
                Some(AuthErrorKind::Unavailable) => Outcome::AuthorizationServerUnavailable {
                    retry_after: self.auth_error().and_then(AuthError::retry_after),
                },
                Some(AuthErrorKind::Tls) => Outcome::AuthorizationServerTls,
                Some(AuthErrorKind::StoreUnavailable) => Outcome::SignInStoreUnavailable,
                Some(AuthErrorKind::Misconfigured) => Outcome::Misconfigured,
                Some(AuthErrorKind::SourceFailed | AuthErrorKind::TimedOut) | None => {
                    Outcome::CredentialSourceFailed
                }
                // The store, most likely: no source has been asked.
                Some(_) => Outcome::CredentialsFailed,
            },
            Kind::Challenged { kind, status } => {
                Outcome::Challenged { kind: kind.clone(), http_status: *status }
            }
            Kind::Misaddressed { header, status } => {
                Outcome::Misaddressed { header: *header, status: *status }
            }
            Kind::Moved { status } => Outcome::Moved { status: *status },
            Kind::Http { status, retry_after } => {
                Outcome::Http { status: *status, retry_after: *retry_after }
            }
            Kind::Rpc { code } => Outcome::Protocol { rpc_code: Some(*code) },
            Kind::Unreachable | Kind::Closed | Kind::Cancelled => Outcome::Unreachable,
            Kind::Dropped => Outcome::Dropped,
            Kind::Timeout { .. } => Outcome::Timeout,
            Kind::Tls => Outcome::Tls,
            // The status that a proxy answers with means the same wherever it was met.
            Kind::Proxy { status: Some(407) } => Outcome::Http { status: 407, retry_after: None },
            Kind::Proxy { status } => Outcome::Proxy { status: *status },
            Kind::Protocol | Kind::TooLarge | Kind::InputRequired => {
                Outcome::Protocol { rpc_code: self.rpc_error().map(|rpc| rpc.code) }
            }
            Kind::Version { offered } => Outcome::Version { offered: offered.clone() },
            Kind::SessionRefused { status } => Outcome::SessionRefused { status: *status },
            // It is not known what became of a new one.
            Kind::SessionGone => Outcome::Http { status: 404, retry_after: None },
            Kind::Spawn { cause } => Outcome::Spawn { cause: *cause },
            Kind::SlowStart { limit } => Outcome::SlowStart { limit: *limit },
            Kind::Exited { code, signal } => Outcome::Exited { code: *code, signal: *signal },
            Kind::SelfReference => Outcome::SelfReference,
            Kind::Misconfigured | Kind::ToolWithheld | Kind::ToolUnapproved => Outcome::Misconfigured,
        }
    }

    /// What the other side or the library below said, on one line and bounded.
    fn detail(&self) -> Option<String> {
        let text = match (self.auth_error(), self.rpc_error(), self.said()) {
            // A provider's own account names what failed; the cause below it alone does not.
            (Some(error), ..) => return Some(self.of_a_provider(error)).filter(|text| !text.is_empty()),
            // The code is a part of the outcome.
            (None, Some(rpc), _) if matches!(self.outcome(), Outcome::Protocol { .. }) => rpc.message.clone(),
            (None, Some(rpc), _) => rpc.to_string(),
            (None, None, Some(said)) => said.to_owned(),
            // The innermost cause is the one a person recognises ("connection refused").
            (None, None, None) => match self.of_a_command() {
                Some(text) => text,
                None => crate::words::plain(std::error::Error::source(self)?)?,
            },
        };
        let line = mcp_text::sentence(text.lines().next().unwrap_or_default());
        Some(line).filter(|line| !line.is_empty())
    }

    /// A provider's own account. Of one that is not one of ours the innermost cause as well, which says what it is: ours name it
    /// themselves, and some of what they wrap is not for people.
    fn of_a_provider(&self, error: &AuthError) -> String {
        let mut text = mcp_text::sentence(error.to_string().lines().next().unwrap_or_default());
        let provider = self.auth_context().and_then(|context| context.provider.as_deref());
        let is_ours = provider.is_none_or(|name| ProviderKind::named(name).is_some());
        let cause = std::error::Error::source(error).filter(|_| !is_ours).and_then(crate::words::plain);
        if let Some(cause) = cause.map(|cause| mcp_text::Secrets::default().line(&cause, 200))
            && !text.contains(&cause)
        {
            text.push_str(&format!(": {cause}"));
        }
        text
    }

    /// What a command printed, or what is wrong with it: no words of a library, so they stay as they are.
    fn of_a_command(&self) -> Option<String> {
        #[cfg(feature = "stdio")]
        if let Some(side) = self.side_output() {
            return Some(side.to_string());
        }
        let spawn = matches!(self.kind(), TransportErrorKind::Spawn { .. });
        std::error::Error::source(self).filter(|_| spawn).map(ToString::to_string)
    }
}

impl From<&TransportError> for Evidence {
    fn from(error: &TransportError) -> Self {
        error.evidence()
    }
}

/// What a refusal is evidence of, for a program that sends requests with a client of its own
/// ([`mcp_auth::replay::send`]).
///
/// # Examples
///
/// ```
/// use http::{HeaderMap, StatusCode};
/// use mcp_auth::replay::RefusalKind;
/// use mcp_status::ChallengeKind;
/// use mcp_transport::evidence::challenge_kind;
///
/// let refusal = RefusalKind::of(StatusCode::FORBIDDEN, &HeaderMap::new(), || true);
/// let kind = refusal.map(challenge_kind);
/// assert_eq!(kind, Some(ChallengeKind::Forbidden));
/// ```
pub fn challenge_kind(kind: RefusalKind) -> ChallengeKind {
    match kind {
        RefusalKind::Unauthorized => ChallengeKind::Unauthorized,
        RefusalKind::InsufficientScope { scopes } => ChallengeKind::InsufficientScope { scopes },
        _ => ChallengeKind::Forbidden,
    }
}

/// What makes a sign-in possible that is not, as evidence has it.
pub fn sign_in_remedy(remedy: &LoginRemedy) -> SignInRemedy {
    match remedy {
        LoginRemedy::Operator { origin } => SignInRemedy::Operator { origin: origin.clone() },
        LoginRemedy::Client => SignInRemedy::Client,
        LoginRemedy::AuthorizationServer => SignInRemedy::AuthorizationServer,
        LoginRemedy::Authority => SignInRemedy::Authority,
        _ => SignInRemedy::Settings,
    }
}

/// What kind of source a provider is that an entry names. Those of a program's own are of none.
fn supplied_by(kind: &ProviderKind) -> Option<CredentialOrigin> {
    Some(match kind.supply() {
        Supply::Configuration => CredentialOrigin::Configuration,
        Supply::Address => CredentialOrigin::Address,
        Supply::Command => CredentialOrigin::Command,
        Supply::Person => CredentialOrigin::SignIn,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mcp_auth::AuthError;
    use mcp_status::{AddressHeader, Phase, ReasonCode, ServerStatus, SpawnCause, classify};

    use super::*;
    use crate::error::{AuthContext, TimeoutStage};

    fn verdict(kind: TransportErrorKind) -> (ServerStatus, Option<ReasonCode>, bool) {
        let verdict = classify(&TransportError::new(kind, "x").in_phase(Phase::Connect).evidence());
        (verdict.status(), verdict.code(), verdict.is_retryable())
    }

    #[test]
    fn every_kind_has_its_meaning() {
        use ReasonCode as Code;
        use TransportErrorKind as Kind;
        let failed = |code, retried| (ServerStatus::Failed, Some(code), retried);
        let http = |status| Kind::Http { status, retry_after: None };
        let table = [
            (http(404), failed(Code::NotFound, false)),
            (http(400), failed(Code::Rejected, false)),
            (Kind::Misaddressed { header: AddressHeader::Host, status: 403 }, failed(Code::Rejected, false)),
            (http(503), failed(Code::Unavailable, true)),
            (http(429), failed(Code::RateLimited, true)),
            (Kind::Unreachable, failed(Code::Unreachable, true)),
            (Kind::Dropped, failed(Code::Unreachable, true)),
            (Kind::Timeout { stage: TimeoutStage::Connect }, failed(Code::Timeout, true)),
            (Kind::Tls, failed(Code::Tls, false)),
            (Kind::Proxy { status: Some(407) }, failed(Code::ProxyAuth, false)),
            (Kind::Proxy { status: None }, failed(Code::Unreachable, true)),
            (Kind::Proxy { status: Some(502) }, failed(Code::Unreachable, true)),
            (Kind::Proxy { status: Some(403) }, failed(Code::Rejected, false)),
            (Kind::Protocol, failed(Code::Protocol, false)),
            (Kind::TooLarge, failed(Code::Protocol, false)),
            (Kind::InputRequired, failed(Code::Protocol, false)),
            (Kind::Version { offered: vec![] }, failed(Code::Version, false)),
            (Kind::Spawn { cause: SpawnCause::NotFound }, failed(Code::Spawn, false)),
            (Kind::SlowStart { limit: Duration::from_secs(60) }, failed(Code::Timeout, false)),
            (Kind::Exited { code: Some(1), signal: None }, failed(Code::Exited, false)),
            (Kind::SelfReference, failed(Code::SelfReference, false)),
            (Kind::Misconfigured, failed(Code::Config, false)),
        ];
        for (kind, expected) in table {
            assert_eq!(verdict(kind.clone()), expected, "{kind:?}");
        }
    }

    #[test]
    fn s_n17_the_outcome_follows_the_kind_of_the_error() {
        for (kind, outcome) in [
            (AuthErrorKind::SourceFailed, Outcome::CredentialSourceFailed),
            (AuthErrorKind::TimedOut, Outcome::CredentialSourceFailed),
            (AuthErrorKind::Store, Outcome::CredentialsFailed),
            (AuthErrorKind::Protocol, Outcome::CredentialsFailed),
            (AuthErrorKind::Cancelled, Outcome::CredentialsFailed),
            (AuthErrorKind::SignInExpired, Outcome::SignInExpired),
            (AuthErrorKind::WrongAccount, Outcome::WrongAccount),
            (AuthErrorKind::Unavailable, Outcome::AuthorizationServerUnavailable { retry_after: None }),
            (AuthErrorKind::Tls, Outcome::AuthorizationServerTls),
            (AuthErrorKind::StoreUnavailable, Outcome::SignInStoreUnavailable),
            (AuthErrorKind::Misconfigured, Outcome::Misconfigured),
        ] {
            let error = TransportError::new(TransportErrorKind::Credentials, "x")
                .with_source(AuthError::new(kind, "read a file"));
            assert_eq!(error.evidence().outcome, outcome, "{kind:?}");
        }
    }

    #[test]
    fn a_failed_source_keeps_its_exit_code_and_its_provider() {
        let source =
            AuthError::new(AuthErrorKind::SourceFailed, "the command failed").with_exit_code(Some(3));
        let context = AuthContext { provider: Some("p".to_owned()), ..AuthContext::default() };
        let error =
            TransportError::new(TransportErrorKind::Credentials, "x").with_auth(context).with_source(source);
        let evidence = error.evidence();
        assert_eq!(evidence.outcome, Outcome::CredentialSourceFailed);
        assert_eq!(evidence.auth.exit_code, Some(3));
        assert_eq!(evidence.auth.provider.as_deref(), Some("p"));
        assert_eq!(evidence.detail.as_deref(), Some("the command failed"));
    }
}
