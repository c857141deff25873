//! What went wrong, at which step, at which URL, and with what answer: the inside form of an OAuth error.
//!
//! Decisions (replace a registration, keep or drop tokens) are made on this value; at the edge it becomes an
//! [`AuthError`] whose text names all three.
//!
//! Longer than 500 lines because each answer stands with its kind, its words and who can change it.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};

use super::urls::redacted;
use crate::jwt::times_of;
use crate::url_policy::UrlRefusal;
use crate::{AuthError, AuthErrorKind, LoginRemedy, Secret, retry_after};

/// How long a person who signs in waits for an authorization server that asks for it, and for a try that another one follows.
const SHORT_WAIT: Duration = Duration::from_secs(5);
/// The pause before what broke off, or failed on the other side, is asked once more.
const PAUSE: Duration = Duration::from_millis(500);
/// What in the entry changes a refusal because of `resource`.
const RESOURCE_OF_ENTRY: &str = "; `oauth.resource` says what is asked for, and \"\" leaves it out";

/// A step of the protocol that talks to a server, or validates what came from one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    ResourceMetadata,
    ServerMetadata,
    Registration,
    Authorization,
    DeviceAuthorization,
    CodeExchange,
    DeviceToken,
    Refresh,
    ClientCredentials,
    JwtBearer,
    TokenExchange,
    Revocation,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ResourceMetadata => "read the protected resource metadata",
            Self::ServerMetadata => "read the authorization server metadata",
            Self::Registration => "register as a client",
            Self::Authorization => "authorize",
            Self::DeviceAuthorization => "get a device code",
            Self::CodeExchange => "exchange the authorization code",
            Self::DeviceToken => "exchange the device code",
            Self::Refresh => "refresh the tokens",
            Self::ClientCredentials => "get a token with client credentials",
            Self::JwtBearer => "exchange the assertion for a token",
            Self::TokenExchange => "exchange the identity token",
            Self::Revocation => "revoke the tokens",
        })
    }
}

impl Step {
    /// Whether a success is a token response (RFC 6749 section 5.1).
    pub(crate) fn gives_tokens(self) -> bool {
        match self {
            Self::CodeExchange
            | Self::DeviceToken
            | Self::Refresh
            | Self::ClientCredentials
            | Self::JwtBearer
            | Self::TokenExchange => true,
            Self::ResourceMetadata
            | Self::ServerMetadata
            | Self::Registration
            | Self::Authorization
            | Self::DeviceAuthorization
            | Self::Revocation => false,
        }
    }
}

/// A failed step.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    url: Box<str>,
    pub(crate) answer: Answer,
    /// Behind a pointer: few have one, and failures travel in every result.
    span: Option<Box<Span>>,
}

/// A time that belongs to a failure.
#[derive(Debug)]
enum Span {
    /// How long ago what was handed over for a token had ended.
    EndedAgo(Duration),
    /// The wait that the other side asked for.
    RetryAfter(Duration),
}

/// What the other side said.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Nothing: no connection, a timeout.
    None(AuthError),
    /// An error, with the code of RFC 6749 section 5.2 where it gave one.
    Refused { status: StatusCode, code: Option<String>, description: Option<String> },
    /// A redirect, which is not followed: the request carries secrets.
    Redirect { status: StatusCode },
    /// A success of a token endpoint that has no token in it. What became of what was sent is not known.
    Unreadable { status: StatusCode, kind: String },
    /// An answer that breaks a rule; the text says which.
    Invalid(String),
    /// An answer by way of the browser that breaks a rule, and that nothing which is configured here would change.
    Breach(String),
    /// Not usable as configured; the text says what to configure.
    Misconfigured(String),
    /// There is no token endpoint where there was one, nor where its metadata names one now; the text says what was found.
    Gone(String),
    /// There is no client to present, and none registers itself; the text says what to configure.
    NoClient(String),
    /// Some other error, passed on.
    Other(AuthError),
}

impl Failure {
    /// `url` is reduced to origin and path here, so that no caller can forget it.
    pub(crate) fn new(step: Step, url: &str, answer: Answer) -> Self {
        Self { step, url: redacted(url).into(), answer, span: None }
    }

    pub(crate) fn invalid(step: Step, url: &str, why: impl Into<String>) -> Self {
        Self::new(step, url, Answer::Invalid(why.into()))
    }

    /// What was handed over for a token, where that was refused: one that has ended says why.
    pub(crate) fn of_token(self, token: &Secret, now: SystemTime) -> Self {
        if self.kind() != AuthErrorKind::SourceFailed {
            return self;
        }
        let ends = times_of(token.expose()).and_then(|times| times.ends);
        let ago = ends.and_then(|ends| now.duration_since(ends).ok());
        Self { span: ago.map(|ago| Box::new(Span::EndedAgo(ago))), ..self }
    }

    /// The wait that an answer with these headers asks for.
    pub(crate) fn with_wait_of(self, headers: &HeaderMap) -> Self {
        let wait = retry_after::of(headers, SystemTime::now());
        Self { span: wait.map(|wait| Box::new(Span::RetryAfter(wait))), ..self }
    }

    /// The same step with another answer.
    pub(crate) fn with_answer(self, answer: Answer) -> Self {
        Self { answer, ..self }
    }

    /// A URL named by a stranger is neither requested nor opened; `what` it is goes before the reason.
    pub(crate) fn barred(step: Step, url: &str, what: &str, refusal: &UrlRefusal) -> Self {
        let way_out = match refusal.is_about_place() {
            true => {
                "; if it is right, name it in `oauth.issuer` or `oauth.authServerMetadataUrl` of the entry"
            }
            false => "",
        };
        Self::invalid(step, url, format!("{what} {refusal}{way_out}"))
    }

    /// The OAuth error code, if the server gave one.
    pub(crate) fn code(&self) -> Option<&str> {
        match &self.answer {
            Answer::Refused { code, .. } => code.as_deref(),
            _ => None,
        }
    }

    /// Whether nothing was learned of what was asked, and trying again may work without anyone changing it: no answer, or one that
    /// is about the moment. Of a certificate that is not trusted, [`kind`](Self::kind) tells that waiting does not mend it.
    pub(crate) fn is_transient(&self) -> bool {
        match &self.answer {
            Answer::None(_) => true,
            Answer::Refused { status, code, .. } => {
                status.is_server_error()
                    || matches!(status.as_u16(), 408 | 425 | 429)
                    // Services are known that say `server_error` and mean that they do not know us.
                    || (matches!(code.as_deref(), Some("temporarily_unavailable" | "server_error" | "slow_down"))
                        && !matches!(status.as_u16(), 401 | 403))
                    // A firewall or a proxy speaks here, not the token endpoint: nothing is known about the tokens. What that
                    // has against a request it says with 400 (RFC 6749 section 5.2), some without a code.
                    || (code.is_none() && self.step == Step::Refresh && *status != StatusCode::BAD_REQUEST)
            }
            Answer::Redirect { .. } | Answer::Invalid(_) => self.step == Step::Refresh,
            Answer::Unreadable { .. }
            | Answer::Breach(_)
            | Answer::Misconfigured(_)
            | Answer::Gone(_)
            | Answer::NoClient(_)
            | Answer::Other(_) => false,
        }
    }

    /// Whether nothing takes requests like this at the URL: it has moved, or what it was a part of has. An error of OAuth says
    /// otherwise.
    pub(crate) fn is_of_place(&self) -> bool {
        match &self.answer {
            Answer::Redirect { .. } => true,
            Answer::Refused { status, code, .. } => {
                let says_more = ["invalid_grant", "invalid_client", "unauthorized_client", "invalid_request"];
                matches!(status.as_u16(), 404 | 405 | 410)
                    && !code.as_deref().is_some_and(|code| says_more.contains(&code))
            }
            _ => false,
        }
    }

    /// The same failure of a place that is gone, as this says.
    pub(crate) fn gone(self, why: &str) -> Self {
        let answered = match &self.answer {
            Answer::Redirect { status } => format!("answered {} with a redirect", status.as_u16()),
            _ => self.answered(),
        };
        self.with_answer(Answer::Gone(format!("{answered}, and {why}")))
    }

    /// What the other side said, without where and when where these stand at its beginning.
    pub(crate) fn answered(&self) -> String {
        let (status, code, description) = match &self.answer {
            Answer::Refused { status, code, description } => (status, code, description),
            Answer::Invalid(why)
            | Answer::Breach(why)
            | Answer::Misconfigured(why)
            | Answer::Gone(why)
            | Answer::NoClient(why) => return why.clone(),
            _ => return self.to_string(),
        };
        let code = code.iter().map(|code| format!(" {code}"));
        let words = description.iter().map(|words| format!(" ({words})"));
        let said: String = code.chain(words).collect();
        match self.step {
            // It is not an answer to a request of ours: a browser brings it, and no status with it.
            Step::Authorization => format!("sent the browser back with the error{said}"),
            _ => format!("answered {}{said}", status.as_u16()),
        }
    }

    /// Origin and path of the URL that was asked.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether a client that is registered by hand is what is missing.
    pub(crate) fn lacks_client(&self) -> bool {
        match &self.answer {
            Answer::NoClient(_) => true,
            // It takes none that registers itself, or what it gives it is none.
            Answer::Refused { .. } | Answer::Invalid(_) => {
                self.step == Step::Registration && !self.is_transient()
            }
            _ => false,
        }
    }

    /// Whether nothing that is configured here would change it.
    pub(crate) fn is_of_operator(&self) -> bool {
        match &self.answer {
            Answer::Redirect { .. } | Answer::Unreadable { .. } | Answer::Breach(_) => true,
            // OpenID Connect Core section 3.1.2.6: who signed in may not, whatever is asked for.
            Answer::Refused { code: Some(code), .. } if self.step == Step::Authorization => matches!(
                &**code,
                "consent_required" | "interaction_required" | "login_required" | "account_selection_required"
            ),
            // No error of OAuth, so nothing that it has against this client (RFC 6749 section 5.2).
            Answer::Refused { code: None, .. } if self.step.gives_tokens() => true,
            _ => self.is_transient(),
        }
    }

    /// Whether it limits how often it is asked, or says until when to wait.
    fn passes_with_time(&self) -> bool {
        let limits = matches!(&self.answer, Answer::Refused { status, .. } if status.as_u16() == 429);
        limits || (self.is_transient() && matches!(self.span.as_deref(), Some(Span::RetryAfter(_))))
    }

    /// The wait before a second try of what `took` so long to fail, where a person who signs in can be kept waiting: as long as
    /// was asked for, or a moment where nothing was learned of what was asked.
    pub(crate) fn second_try(&self, took: Duration) -> Option<Duration> {
        let wait = match self.span.as_deref() {
            Some(Span::RetryAfter(wait)) => *wait,
            _ => PAUSE,
        };
        let may_pass = self.is_transient() && self.kind() != AuthErrorKind::Tls;
        (may_pass && wait <= SHORT_WAIT && took <= SHORT_WAIT).then_some(wait)
    }

    /// Whether a document is not there, or not what it has to be.
    pub(crate) fn is_of_document(&self) -> bool {
        matches!(self.answer, Answer::Invalid(_))
    }

    /// Whether a sign-in was refused because `resource` (RFC 8707) is a parameter that is not known there, as by Entra v2
    /// (`AADSTS901002`). `invalid_target` is something else: the parameter is known, and no token is given for this server.
    pub(crate) fn takes_no_resource(&self) -> bool {
        let Answer::Refused { code: Some(code), description: Some(words), .. } = &self.answer else {
            return false;
        };
        let words = words.to_ascii_lowercase();
        matches!(self.step, Step::Authorization | Step::DeviceAuthorization | Step::CodeExchange)
            && &**code == "invalid_request"
            && ["resource", "parameter"].iter().all(|word| words.contains(word))
    }

    /// What in the entry changes a refusal.
    fn way_out(&self) -> &'static str {
        match (self.step, self.code()) {
            _ if self.is_transient() => "",
            // RFC 6749 section 5.2.
            (
                Step::ClientCredentials | Step::JwtBearer | Step::TokenExchange,
                Some("invalid_client" | "unauthorized_client"),
            ) => "; who it is there stands in `auth`: its `clientId`, and its secret or key",
            (Step::Registration, _) => "; a client that is registered by hand goes into `oauth.clientId`",
            (Step::Authorization | Step::DeviceAuthorization | Step::CodeExchange, Some(code)) => {
                match code {
                    "invalid_scope" => "; `oauth.scopes`, or `--oauth-scope`, says what is asked for",
                    // RFC 8707 section 2, and what services write for it.
                    "invalid_target" | "invalid_resource" => RESOURCE_OF_ENTRY,
                    _ if self.takes_no_resource() => RESOURCE_OF_ENTRY,
                    _ => "",
                }
            }
            _ => "",
        }
    }

    fn kind(&self) -> AuthErrorKind {
        match &self.answer {
            Answer::None(error) if error.kind() == AuthErrorKind::Tls => AuthErrorKind::Tls,
            _ if self.is_transient() => AuthErrorKind::Unavailable,
            Answer::Misconfigured(_) | Answer::NoClient(_) => AuthErrorKind::Misconfigured,
            // Only a person can go on: the refresh token may be spent.
            Answer::Unreadable { .. } if self.step == Step::Refresh => AuthErrorKind::SignInExpired,
            // A new sign-in looks for where tokens come from, and says what it finds.
            Answer::Gone(_) => AuthErrorKind::SignInExpired,
            Answer::Refused { code, .. } => match (self.step, code.as_deref()) {
                (Step::Refresh, _) => AuthErrorKind::SignInExpired,
                // Who we are is up to the person then.
                (Step::Registration, _) => AuthErrorKind::Misconfigured,
                // A code that has ended was handed over too late: as a rule the page was left open (RFC 6749 section 4.1.2).
                (Step::Authorization | Step::DeviceToken, Some("access_denied" | "expired_token"))
                | (Step::CodeExchange, Some("invalid_grant")) => AuthErrorKind::Cancelled,
                // What was handed over is no good, or no longer (RFC 7523 section 3.1, RFC 8693 section 2.2.2). Its source may have
                // another one by the next request.
                (Step::JwtBearer, Some("invalid_grant"))
                | (Step::TokenExchange, Some("invalid_grant" | "invalid_request")) => {
                    AuthErrorKind::SourceFailed
                }
                _ if self.takes_no_resource() => AuthErrorKind::Misconfigured,
                (_, Some("invalid_client" | "unauthorized_client" | "invalid_scope" | "invalid_target"))
                | (Step::JwtBearer | Step::TokenExchange | Step::ClientCredentials, Some(_)) => {
                    AuthErrorKind::Misconfigured
                }
                _ => AuthErrorKind::Protocol,
            },
            _ => AuthErrorKind::Protocol,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, url, answer, .. } = self;
        match answer {
            Answer::None(error) => write!(f, "{step}: no answer from {url}: {error}"),
            Answer::Refused { .. } => {
                write!(f, "{step}: {url} {}{}", self.answered(), self.way_out())?;
                match self.span.as_deref() {
                    Some(Span::RetryAfter(wait)) if self.is_transient() => {
                        write!(f, "; it asks to wait {}", mcp_text::time_limit(*wait))
                    }
                    Some(Span::EndedAgo(ago)) => {
                        write!(f, "; it (a JWT) ended {} ago", mcp_text::elapsed(*ago))
                    }
                    _ => Ok(()),
                }
            }
            Answer::Unreadable { status, kind } => {
                write!(
                    f,
                    "{step}: {url} answered {} {kind}, which is not a token response",
                    status.as_u16()
                )?;
                match step {
                    Step::Refresh => f.write_str("; whether the refresh token still works is not known"),
                    _ => Ok(()),
                }
            }
            Answer::Redirect { status } => {
                write!(f, "{step}: {url} answered {} with a redirect, which is not followed", status.as_u16())
            }
            Answer::Invalid(why)
            | Answer::Breach(why)
            | Answer::Misconfigured(why)
            | Answer::Gone(why)
            | Answer::NoClient(why) => {
                write!(f, "{step}: {url}: {why}")
            }
            Answer::Other(error) => write!(f, "{error}"),
        }
    }
}

/// What changes a failure of looking, or of a sign-in, where a person can know.
fn remedy_of(failure: &Failure) -> Option<LoginRemedy> {
    // What made the connection knows why there is none.
    if let Answer::None(error) = &failure.answer
        && let Some(remedy) = error.login_remedy()
    {
        return Some(remedy.clone());
    }
    if failure.lacks_client() {
        return Some(LoginRemedy::Client);
    }
    let is_looking = matches!(failure.step, Step::ResourceMetadata | Step::ServerMetadata);
    let is_sign_in = is_looking
        || matches!(
            failure.step,
            Step::Registration
                | Step::Authorization
                | Step::DeviceAuthorization
                | Step::CodeExchange
                | Step::DeviceToken
        );
    match () {
        // It passes by itself, and who runs it has nothing to mend.
        () if failure.passes_with_time() => None,
        () if is_sign_in && failure.is_of_operator() => LoginRemedy::operator_of(failure.url()),
        () if is_looking && failure.is_of_document() => Some(LoginRemedy::AuthorizationServer),
        () => None,
    }
}

impl From<Failure> for AuthError {
    fn from(failure: Failure) -> Self {
        let (kind, message, remedy) = (failure.kind(), failure.to_string(), remedy_of(&failure));
        let wait = match failure.span.as_deref() {
            Some(Span::RetryAfter(wait)) if kind == AuthErrorKind::Unavailable => Some(*wait),
            _ => None,
        };
        let error = match failure.answer {
            Answer::Other(error) => error,
            Answer::None(error) => Self::new(kind, message).with_source(error),
            _ => Self::new(kind, message),
        };
        let error = match wait {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        };
        match remedy {
            Some(remedy) => error.with_login_remedy(remedy),
            None => error,
        }
    }
}

impl From<AuthError> for Failure {
    /// For errors of stores and callers, which are complete in themselves.
    fn from(error: AuthError) -> Self {
        Self::new(Step::Authorization, "", Answer::Other(error))
    }
}

/// An OAuth error code is a short token (RFC 6749 section 5.2); anything else is not repeated.
pub(crate) fn error_code(text: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!text.is_empty() && text.len() <= 64 && text.chars().all(legal)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LoginRemedy;

    fn refused(step: Step, status: u16, code: Option<&str>) -> Failure {
        let answer = Answer::Refused {
            status: StatusCode::from_u16(status).unwrap(),
            code: code.map(str::to_owned),
            description: None,
        };
        Failure::new(step, "https://as.example/token?client=canary", answer)
    }

    #[test]
    fn an_error_names_the_step_the_url_without_query_and_the_answer() {
        let error = AuthError::from(refused(Step::CodeExchange, 400, Some("invalid_grant")));
        assert_eq!(
            error.to_string(),
            "exchange the authorization code: https://as.example/token answered 400 invalid_grant"
        );
        assert_eq!(error.kind(), AuthErrorKind::Cancelled, "the code has ended");
    }

    #[test]
    fn kinds_follow_the_answer() {
        use AuthErrorKind::{Cancelled, Misconfigured, Protocol, SignInExpired, SourceFailed, Unavailable};
        let table = [
            (Step::Refresh, 400, Some("invalid_grant"), SignInExpired),
            (Step::Refresh, 503, None, Unavailable),
            (Step::Refresh, 400, Some("temporarily_unavailable"), Unavailable),
            (Step::Refresh, 403, None, Unavailable),
            (Step::Refresh, 400, None, SignInExpired),
            (Step::CodeExchange, 429, None, Unavailable),
            (Step::CodeExchange, 400, Some("invalid_client"), Misconfigured),
            (Step::CodeExchange, 400, Some("invalid_request"), Protocol),
            (Step::JwtBearer, 400, Some("invalid_grant"), SourceFailed),
            (Step::JwtBearer, 400, Some("unauthorized_client"), Misconfigured),
            (Step::TokenExchange, 400, Some("invalid_request"), SourceFailed),
            (Step::TokenExchange, 400, Some("invalid_target"), Misconfigured),
            (Step::DeviceToken, 400, Some("access_denied"), Cancelled),
        ];
        for (step, status, code, kind) in table {
            assert_eq!(
                AuthError::from(refused(step, status, code)).kind(),
                kind,
                "{step:?} {status} {code:?}"
            );
        }
    }

    #[test]
    fn fh_h3_a_sign_in_that_failed_names_who_can_change_that() {
        let operator = || Some(LoginRemedy::Operator { origin: "https://as.example".into() });
        for (step, status, code, expected) in [
            (Step::ServerMetadata, 503, None, operator()),
            (Step::CodeExchange, 500, None, operator()),
            (Step::CodeExchange, 404, None, operator()),
            (Step::DeviceToken, 405, None, operator()),
            // It passes, and the same sign-in works then.
            (Step::Registration, 429, None, None),
            (Step::CodeExchange, 429, None, None),
            (Step::Registration, 403, None, Some(LoginRemedy::Client)),
            (Step::CodeExchange, 400, Some("invalid_client"), None),
            (Step::CodeExchange, 400, Some("invalid_grant"), None),
            (Step::Authorization, 302, Some("access_denied"), None),
            (Step::Authorization, 302, Some("consent_required"), operator()),
            (Step::Authorization, 302, Some("invalid_scope"), None),
            // The sign-in is kept, and is tried again automatically.
            (Step::Refresh, 503, None, None),
        ] {
            let error = AuthError::from(refused(step, status, code));
            assert_eq!(error.login_remedy(), expected.as_ref(), "{step:?} {status} {code:?}");
        }
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_told_as_that_at_every_step() {
        for step in [Step::ServerMetadata, Step::Registration, Step::CodeExchange, Step::Refresh] {
            let untrusted =
                AuthError::new(AuthErrorKind::Tls, "the TLS connection to https://as.example failed")
                    .with_login_remedy(LoginRemedy::Authority);
            let failure =
                Failure::new(step, "https://as.example/token?client=canary", Answer::None(untrusted));
            assert!(failure.is_transient(), "nothing was learned of what would have been sent");
            let error = AuthError::from(failure);
            assert_eq!((error.kind(), error.retry_after()), (AuthErrorKind::Tls, None), "{step:?}");
            assert_eq!(error.login_remedy(), Some(&LoginRemedy::Authority), "{step:?}");
            assert!(
                error.to_string().contains("no answer from https://as.example/token: the TLS"),
                "{error}"
            );
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }

    #[test]
    fn an_error_code_is_a_short_token() {
        assert_eq!(error_code("invalid_grant").as_deref(), Some("invalid_grant"));
        assert_eq!(error_code("<script>"), None);
    }
}
