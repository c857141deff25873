//! Why a connection or a request failed: a kind for programs, a fragment for people.
//!
//! Longer than 500 lines because it is one value with many sides, each documented.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use mcp_auth::replay::AfterRefusal;
use mcp_auth::{AuthError, LoginHindrance};
use mcp_status::{AddressHeader, ChallengeKind, FailureRun, Limit, Phase, Restriction, SpawnCause, TlsFault};
use mcp_text::Secrets;
use serde_json::value::RawValue;

use crate::message::{Payload, RpcError};
use crate::options::LimitNames;

/// What of a provider's hint is told, in characters.
const MAX_HINT: usize = 200;

/// Which limit ran out.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TimeoutStage {
    /// Establishing the connection and its handshake.
    Connect,
    /// Waiting for the first byte of an answer.
    FirstByte,
    /// Waiting for the next sign of life of an answer that has begun.
    Idle,
    /// The whole request.
    Total,
    /// The whole call, before the request was sent.
    Unsent,
}

/// The kind of a [`TransportError`]; status, retry and replay are decided from it, never from the text.
///
/// Each variant says whether the server may have acted on the request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// Credentials could not be obtained. Never sent.
    Credentials,
    /// The server said "not with these credentials", and no recovery helped. Refused before it acted.
    Challenged {
        /// In which way it said so.
        kind: ChallengeKind,
        /// The HTTP status of the answer.
        status: u16,
    },
    /// An HTTP answer that is neither success nor challenge. The server has seen the request.
    Http {
        /// Its status.
        status: u16,
        /// Its `Retry-After` (RFC 9110 section 10.2.3), as a wait from now.
        retry_after: Option<Duration>,
    },
    /// The server takes no requests that are addressed like this, as its guard against DNS rebinding says. Refused before it acted.
    Misaddressed {
        /// What of the request it has something against.
        header: AddressHeader,
        /// The HTTP status of the answer.
        status: u16,
    },
    /// The server answered with a JSON-RPC error. It has seen the request.
    Rpc {
        /// The code, as JSON-RPC 2.0 section 5.1 and the MCP specification define it.
        code: i64,
    },
    /// The server says that it is at another address now (307, 308, or to https). It is not followed there.
    Moved {
        /// The status of the redirect.
        status: u16,
    },
    /// No connection: refused, no route, no such host. Never sent.
    Unreachable,
    /// The connection ended before the answer did. May have been sent.
    Dropped,
    /// A limit ran out. May have been sent, unless the stage is [`TimeoutStage::Connect`] or [`TimeoutStage::Unsent`].
    Timeout {
        /// Which limit.
        stage: TimeoutStage,
    },
    /// TLS handshake or certificate. Never sent.
    Tls,
    /// The proxy cannot be reached, refuses its credentials, or does not let the request through. Never sent to the server.
    Proxy {
        /// The status of the proxy's answer, where it gave one.
        status: Option<u16>,
    },
    /// What answered does not speak MCP: bad JSON, wrong content type, bad JSON-RPC. May have been sent.
    Protocol,
    /// An answer or a message is longer than [`Limits`](crate::limits::Limits) allow. May have been sent.
    TooLarge,
    /// No protocol version in common. Refused before it acted.
    Version {
        /// What the server offers.
        offered: Vec<String>,
    },
    /// The server no longer knows the session. Refused before it acted.
    SessionGone,
    /// The server makes sessions and refuses every request in them, a `ping` included. Refused before it acted.
    SessionRefused {
        /// The status of what refuses; 200 where that is a JSON-RPC error in a proper answer.
        status: u16,
    },
    /// The command of a stdio server could not be started. Never sent.
    Spawn {
        /// What is wrong with it.
        cause: SpawnCause,
    },
    /// The command of a stdio server was started and did not speak MCP in time. Never sent.
    SlowStart {
        /// How long it was waited for.
        limit: Duration,
    },
    /// The command of a stdio server ended. May have been sent.
    Exited {
        /// Its exit code, unless a signal ended it.
        code: Option<i32>,
        /// The signal that ended it (POSIX).
        signal: Option<i32>,
    },
    /// The command of a stdio server is this program again, for an entry that it runs under: a loop. Refused before it acted.
    SelfReference,
    /// The connection has been closed by its owner. Never sent.
    Closed,
    /// The caller gave the request up. May have been sent.
    Cancelled,
    /// The server asked for input in the middle of the request, and it could not be given, or was never enough.
    /// It has begun to act and never ends.
    InputRequired,
    /// The users of the connection may not use this tool. Never sent; the JSON-RPC error is for a host that asks for it.
    ToolWithheld,
    /// What the server says of the tool is not what a person approved. Never sent; the JSON-RPC error is for a host that asks for it.
    ToolUnapproved,
    /// The settings are unusable (a URL that no client can send to, an unreadable CA file). Never sent.
    Misconfigured,
}

/// A failure of the wire. Its text holds no header value, no query string and no body, and the server's own error
/// where it answered with one, on one line and bounded. Cheap enough to clone for each of those who share a failure.
///
/// # Examples
///
/// ```
/// # use mcp_transport::{TransportError, TransportErrorKind};
/// fn log(error: &TransportError) {
///     // "the server answered with an error: Unknown tool: nope (error -32602)"
///     eprintln!("{error}");
///     if let (TransportErrorKind::Rpc { .. }, Some(answer)) = (error.kind(), error.rpc_error()) {
///         eprintln!("its code is {}", answer.code);
///     }
///     // What it means for the server as a whole, and whether another try makes sense.
///     let verdict = mcp_status::classify(&error.evidence());
///     eprintln!("worth another try: {}", verdict.is_retryable() && !error.may_have_been_sent());
/// }
/// ```
#[derive(Clone)]
pub struct TransportError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: TransportErrorKind,
    phase: Phase,
    message: String,
    auth: Option<AuthContext>,
    rpc: Option<RpcError>,
    /// What the server said beside its status, on one line and bounded.
    said: Option<ServerWords>,
    attempts: u32,
    /// The proxy that the request went by, without its credentials.
    proxy: Option<String>,
    /// What of the settings of TLS cannot be used.
    tls: Option<TlsFault>,
    /// The limit of ours that ran out.
    limit: Option<Limit>,
    /// What kept another way from being tried.
    restriction: Option<Restriction>,
    /// Whether the server has seen this request before, in an earlier round trip of it.
    later_round: bool,
    /// What another process has seen of the server, where that is all that is known.
    observed: Option<Box<FailureRun>>,
    /// A result that is none that this client could ask for.
    result: Option<Payload>,
    /// What a provider says that a person can do, on one line, bounded and without what looks like a secret.
    hint: Option<String>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What is known about the credentials of the request that failed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct AuthContext {
    pub(crate) sent: bool,
    pub(crate) provider: Option<String>,
    /// What people call a provider that may not run.
    pub(crate) withheld: Option<String>,
    /// The scheme of the first challenge (RFC 9110 section 11.1).
    pub(crate) scheme: Option<String>,
    /// A challenge says where to sign in (RFC 9728 section 5.1).
    pub(crate) sign_in: bool,
    /// What is known of the refused credentials: fragments without a value.
    pub(crate) doubts: Vec<String>,
    /// The variable whose name was sent in the place of its value.
    pub(crate) unset: Option<String>,
    /// What stands in the way of the sign-in that the server asks for.
    pub(crate) hindrance: Option<LoginHindrance>,
    /// Others were asked for, and they are the same.
    pub(crate) unchanged: bool,
    /// A person can sign in, which would be the answer.
    pub(crate) answerable: bool,
    /// Credentials are asked for in words that are no challenge.
    pub(crate) asked_in_words: bool,
}

impl TransportError {
    /// A failure of this kind; `message` is a lowercase fragment without a final period that does not repeat its source.
    /// For adapters that stand in for a wire.
    pub fn new(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            phase: Phase::Session,
            message: message.into(),
            auth: None,
            rpc: None,
            said: None,
            attempts: 1,
            proxy: None,
            tls: None,
            limit: None,
            restriction: None,
            later_round: false,
            observed: None,
            result: None,
            hint: None,
            source: None,
        }))
    }

    /// A request that is not taken because of the name in this header; `said` is what the server says of it.
    #[cfg(feature = "http")]
    pub(crate) fn misaddressed(
        header: AddressHeader,
        status: http::StatusCode,
        said: Option<String>,
    ) -> Self {
        let kind = TransportErrorKind::Misaddressed { header, status: status.as_u16() };
        Self::new(kind, "the server takes no requests that are addressed like this").with_said(said)
    }

    /// There is no connection, and another process has seen why. Nothing was sent.
    #[cfg(feature = "stdio")]
    pub(crate) fn observed(run: FailureRun) -> Self {
        let mut this =
            Self::new(TransportErrorKind::Unreachable, "the process that keeps the connection has none");
        this.0.observed = Some(Box::new(run));
        this
    }

    /// What another process has seen, where that is what this failure is about.
    pub(crate) fn observed_run(&self) -> Option<&FailureRun> {
        self.0.observed.as_deref()
    }

    /// Why no session could be made in place of one that the server does not know, where that is what ended the request.
    pub(crate) fn failed_renewal(&self) -> Option<&Self> {
        let source = self.0.source.as_ref().filter(|_| self.0.kind == TransportErrorKind::SessionGone)?;
        source.downcast_ref()
    }

    /// A JSON-RPC error that the server answered with, or an adapter in its place.
    pub fn rpc(error: RpcError) -> Self {
        let mut this =
            Self::new(TransportErrorKind::Rpc { code: error.code }, "the server answered with an error");
        this.0.rpc = Some(error);
        this
    }

    #[must_use]
    pub(crate) fn with_auth(mut self, auth: AuthContext) -> Self {
        self.0.auth = Some(auth);
        self
    }

    /// The same refusal, after others were asked for with this result.
    #[must_use]
    pub(crate) fn with_recovery(mut self, after: AfterRefusal) -> Self {
        if let Some(auth) = &mut self.0.auth {
            auth.unchanged = after == AfterRefusal::Unchanged;
            // Who was signed in can sign in again, whether the challenge says where or not.
            auth.answerable |= auth.sent && after == AfterRefusal::LoginRequired;
        }
        self
    }

    /// With the limit that ran out.
    #[must_use]
    pub(crate) fn at_limit(mut self, limit: Limit) -> Self {
        self.0.limit = Some(limit);
        self
    }

    /// Where another way would have been tried, but for this.
    #[cfg(feature = "http")]
    #[must_use]
    pub(crate) fn restricted_by(mut self, restriction: Restriction) -> Self {
        self.0.restriction = Some(restriction);
        self
    }

    /// What kept another way from being tried.
    pub(crate) fn restriction(&self) -> Option<Restriction> {
        self.0.restriction
    }

    /// The same, whose limit has the name that people know it by.
    #[must_use]
    pub(crate) fn with_limit_named(mut self, names: &LimitNames) -> Self {
        if let Some(limit) = self.0.limit.take_if(|limit| limit.setting.is_none()) {
            let setting = names.of(limit.of);
            self.0.limit = Some(limit.with_setting(setting));
        }
        self
    }

    #[must_use]
    pub(crate) fn with_rpc(mut self, error: RpcError) -> Self {
        self.0.rpc = Some(error);
        self
    }

    #[must_use]
    pub(crate) fn with_said(mut self, said: Option<String>) -> Self {
        self.0.said = said.map(ServerWords);
        self
    }

    /// The same error without `secrets` in any word of the server: servers repeat what they were sent.
    #[must_use]
    pub(crate) fn without_secrets(mut self, secrets: &Secrets) -> Self {
        let hide = |text: &str| secrets.hide(text).into_owned();
        self.0.said = self.said().map(hide).map(ServerWords);
        self.0.hint = self.0.hint.as_deref().map(hide);
        if let Some(rpc) = &mut self.0.rpc {
            rpc.message = hide(&rpc.message);
            rpc.data = rpc.data.take().map(|data| without_known(data, secrets));
        }
        // A parser quotes what it cannot read. Errors that have a type of their own are clean.
        let typed = |source: &(dyn Error + Send + Sync + 'static)| {
            source.is::<AuthError>() || source.is::<Arc<dyn Error + Send + Sync>>()
        };
        if let Some(source) = self.0.source.as_deref().filter(|source| !typed(*source)) {
            let cause = causes(source).last().map(ToString::to_string).unwrap_or_default();
            if let Cow::Owned(hidden) = secrets.hide(&cause) {
                self.0.source = Some(Arc::from(Box::<dyn Error + Send + Sync>::from(hidden)));
            }
        }
        self
    }

    /// The same error of a request that the server has seen before: it asked something about it, or began to answer.
    #[must_use]
    pub(crate) fn in_later_round(mut self) -> Self {
        self.0.later_round = true;
        self
    }

    /// Whether the server has seen the request before the one that this is the error of.
    pub(crate) fn is_of_later_round(&self) -> bool {
        self.0.later_round
    }

    #[must_use]
    pub(crate) fn with_result(mut self, result: Payload) -> Self {
        self.0.result = Some(result);
        self
    }

    /// With what of the settings of TLS cannot be used.
    #[cfg(feature = "http")]
    #[must_use]
    pub(crate) fn with_tls_setting(mut self, fault: impl Into<Option<TlsFault>>) -> Self {
        self.0.tls = fault.into();
        self
    }

    /// What of the settings of TLS cannot be used, where that is what failed.
    pub(crate) fn tls_setting(&self) -> Option<TlsFault> {
        self.0.tls
    }

    #[must_use]
    pub(crate) fn by_way_of(mut self, proxy: Option<String>) -> Self {
        // One that cannot be used names itself.
        self.0.proxy = proxy.or(self.0.proxy);
        self
    }

    /// The same error of an attempt to connect, where that is the `phase`.
    #[must_use]
    pub(crate) fn in_phase(mut self, phase: Phase) -> Self {
        self.0.phase = phase;
        self
    }

    #[must_use]
    pub(crate) fn with_kind(mut self, kind: TransportErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    #[must_use]
    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// What caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source: Arc<dyn Error + Send + Sync> = Arc::from(source.into());
        let hint = source.downcast_ref::<AuthError>().and_then(AuthError::hint);
        let hint = hint.map(|hint| Secrets::default().line(hint, MAX_HINT)).filter(|hint| !hint.is_empty());
        self.0.hint = hint.or(self.0.hint);
        self.0.source = Some(source);
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> &TransportErrorKind {
        &self.0.kind
    }

    /// Whether it ended an attempt to connect, or came later.
    pub fn phase(&self) -> Phase {
        self.0.phase
    }

    /// The JSON-RPC error that the server sent, where it sent one (also beside an HTTP error status).
    pub fn rpc_error(&self) -> Option<&RpcError> {
        self.0.rpc.as_ref()
    }

    /// The result, where it is of a type that this client does not know, such as a task that it did not ask for
    /// (2026-07-28, `resultType`): the server has acted, and the result says what is left of it.
    pub fn unknown_result(&self) -> Option<&Payload> {
        self.0.result.as_ref()
    }

    /// The provider's failure, where credentials could not be obtained.
    pub fn auth_error(&self) -> Option<&AuthError> {
        self.0.source.as_ref().and_then(|source| source.downcast_ref())
    }

    /// What the provider says that a person can do, made safe to show.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The scheme of the challenge that came with a refusal.
    pub(crate) fn challenge_scheme(&self) -> Option<&str> {
        self.0.auth.as_ref()?.scheme.as_deref()
    }

    /// Whether the refused request had no credentials, and the challenge wants some of a kind that no token is.
    pub(crate) fn asks_for_no_token(&self) -> bool {
        let is_for_tokens =
            |scheme: &str| ["bearer", "dpop"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        let scheme = self.challenge_scheme();
        self.0.auth.as_ref().is_some_and(|auth| !auth.sent && !auth.sign_in)
            && scheme.is_some_and(|scheme| !is_for_tokens(scheme))
    }

    /// What is told of it: the words of the server, or those for the cause.
    pub fn said(&self) -> Option<&str> {
        self.0.said.as_ref().map(|words| &*words.0)
    }

    /// The limit that ran out, of a [`Timeout`](TransportErrorKind::Timeout) that was one of ours.
    pub fn limit(&self) -> Option<&Limit> {
        self.0.limit.as_ref()
    }

    /// The proxy that the request went by.
    pub(crate) fn proxy(&self) -> Option<&str> {
        self.0.proxy.as_deref()
    }

    pub(crate) fn auth_context(&self) -> Option<&AuthContext> {
        self.0.auth.as_ref()
    }

    /// How many HTTP requests decided this outcome, the first one included.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether there is no connection because nothing listens at the address: the system there said so, at once.
    pub(crate) fn is_refused_connection(&self) -> bool {
        let is_refusal = |error: &(dyn Error + 'static)| {
            error
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        *self.kind() == TransportErrorKind::Unreachable && causes(self).any(is_refusal)
    }

    /// Whether the server may have acted on the request. A tool call for which this is true is never sent
    /// again by itself: it may have run.
    pub fn may_have_been_sent(&self) -> bool {
        use TransportErrorKind as Kind;
        if self.0.later_round {
            return true;
        }
        match self.0.kind {
            Kind::Http { .. }
            | Kind::Rpc { .. }
            | Kind::Dropped
            | Kind::Protocol
            | Kind::TooLarge
            | Kind::Exited { .. }
            | Kind::Cancelled
            | Kind::InputRequired => true,
            Kind::Timeout { stage } => !matches!(stage, TimeoutStage::Connect | TimeoutStage::Unsent),
            Kind::Credentials
            | Kind::Challenged { .. }
            | Kind::Misaddressed { .. }
            | Kind::Moved { .. }
            | Kind::Unreachable
            | Kind::Tls
            | Kind::Proxy { .. }
            | Kind::Version { .. }
            | Kind::SessionGone
            | Kind::SessionRefused { .. }
            | Kind::Spawn { .. }
            | Kind::SlowStart { .. }
            | Kind::SelfReference
            | Kind::Closed
            | Kind::ToolWithheld
            | Kind::ToolUnapproved
            | Kind::Misconfigured => false,
        }
    }
}

/// An error and what caused it, outermost first.
///
/// An I/O error hides what it wraps from `source` (which gives the source of that instead), and the TLS library
/// wraps its errors in two of them, so they are opened by hand.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
        Some(error)
    })
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportError")
            .field("kind", &self.0.kind)
            .field("phase", &self.0.phase)
            .field("message", &self.0.message)
            .field("rpc", &self.0.rpc)
            .field("said", &self.said())
            .field("auth", &self.0.auth)
            .field("proxy", &self.0.proxy)
            .field("attempts", &self.0.attempts)
            .field("source", &self.0.source)
            .finish()
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.rpc {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

impl Error for TransportError {
    /// The failure below; where there is none, what the server answered: an [`RpcError`] or its words beside a status. So a
    /// program that knows no more of an error than [`Error`] gets at them, to find the code of an answer or to log the chain.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let below = self.0.source.as_ref().map(|source| &**source as &(dyn Error + 'static));
        below
            .or_else(|| self.0.rpc.as_ref().map(|answer| answer as &(dyn Error + 'static)))
            .or_else(|| self.0.said.as_ref().map(|words| words as &(dyn Error + 'static)))
    }
}

/// The words of a server, on one line and bounded, as a link of the chain of causes.
#[derive(Clone, Debug)]
struct ServerWords(String);

impl fmt::Display for ServerWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for ServerWords {}

/// Details of an error without `secrets`. They are data that a host may act on, so only what is known is taken out, and only
/// out of strings.
fn without_known(data: Box<RawValue>, secrets: &Secrets) -> Box<RawValue> {
    fn clean(value: &mut serde_json::Value, secrets: &Secrets) {
        match value {
            serde_json::Value::String(text) => {
                if let Cow::Owned(hidden) = secrets.hide_known(text) {
                    *text = hidden;
                }
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| clean(item, secrets)),
            serde_json::Value::Object(members) => members.values_mut().for_each(|item| clean(item, secrets)),
            _ => {}
        }
    }
    if matches!(secrets.hide_known(data.get()), Cow::Borrowed(_)) {
        return data;
    }
    let cleaned = serde_json::from_str(data.get()).ok().and_then(|mut value| {
        clean(&mut value, secrets);
        RawValue::from_string(value.to_string()).ok()
    });
    // Too deep to be read, and a secret is in it.
    cleaned.unwrap_or_else(|| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use mcp_auth::AuthErrorKind;

    use super::*;

    #[test]
    fn what_a_server_answered_is_shown_and_is_in_the_chain_of_causes() {
        let answer = RpcError::new(-32602, "Unknown tool: \"nope\"\nand more\u{1b}[2J");
        let refused = TransportError::rpc(answer.clone());
        let shown = refused.to_string();
        assert!(shown.starts_with("the server answered with an error: Unknown tool: \"nope\""), "{shown}");
        assert!(shown.ends_with("(error -32602)") && !shown.contains(['\n', '\u{1b}']), "{shown}");
        let below = refused.source().and_then(|source| source.downcast_ref::<RpcError>());
        assert_eq!(below.map(|answer| answer.code), Some(-32602));
        assert_eq!(refused.rpc_error().map(|answer| answer.code), Some(-32602));
        let beside_a_status =
            TransportError::new(TransportErrorKind::Http { status: 400, retry_after: None }, "status 400")
                .with_rpc(answer)
                .with_source(io::Error::other("below"));
        assert!(beside_a_status.to_string().starts_with("status 400: Unknown tool"), "{beside_a_status}");
        assert_eq!(beside_a_status.source().unwrap().to_string(), "below", "what failed comes first");
        let unavailable = |said: Option<&str>| {
            TransportError::new(TransportErrorKind::Http { status: 503, retry_after: None }, "status 503")
                .with_said(said.map(str::to_owned))
        };
        let secrets: Secrets = ["canary"].into_iter().collect();
        let in_words = unavailable(Some("the queue of canary is full")).without_secrets(&secrets);
        let words = in_words.source().unwrap().to_string();
        assert!(words.starts_with("the queue of") && !words.contains("canary"), "{words}");
        assert!(unavailable(None).source().is_none());
    }

    #[test]
    fn those_who_share_a_failure_get_all_of_it() {
        let error = TransportError::new(TransportErrorKind::Dropped, "the connection broke")
            .in_phase(Phase::Connect)
            .with_attempts(3)
            .with_source(AuthError::new(AuthErrorKind::Store, "read a file"))
            .in_later_round();
        let shared = error.clone();
        assert_eq!(format!("{shared:?}"), format!("{error:?}"));
        assert_eq!(shared.evidence(), error.evidence());
        assert!(shared.auth_error().is_some() && shared.may_have_been_sent());
        assert_eq!((shared.phase(), shared.attempts()), (Phase::Connect, 3));
    }
}
