//! Why credentials could not be obtained: a kind for programs, a fragment for people.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::LoginRemedy;

/// A boxed future: the provider is chosen at run time, and one box is noise beside a network round trip.
pub type AuthFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, AuthError>> + Send + 'a>>;

/// The kind of an [`AuthError`]; status and retry are decided from it, never from the text.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum AuthErrorKind {
    /// The source of the credentials failed by itself (a command that exits with an error, is killed,
    /// runs into its time limit or prints something else than headers). The server was not contacted.
    SourceFailed,
    /// The source of the credentials, or what signs with them, did not answer within its limit. The request was not sent.
    TimedOut,
    /// The person's sign-in has ended: the authorization server refused the refresh token (RFC 6749 section 5.2), gave none, or
    /// has no token endpoint any more.
    SignInExpired,
    /// The sign-in is not that of the account that the settings expect. Nothing was sent.
    WrongAccount,
    /// The server that the credentials are for refused them when they were tried, so they are not kept.
    Refused,
    /// The authorization server could not be reached or answered with a transient error. What is stored is kept.
    Unavailable,
    /// No TLS connection to the authorization server could be made: its certificate, or the handshake. What is stored is kept, and
    /// waiting changes nothing; [`AuthError::login_remedy`] says what does.
    Tls,
    /// Something about the request or the server is not as the specification demands (issuer, state, metadata).
    Protocol,
    /// The settings cannot work as written (for example an authority without its feature compiled in).
    Misconfigured,
    /// The credential store could not be read or written.
    Store,
    /// The credential store did not answer, or others have been using the sign-in for too long. What is stored is kept, and it
    /// may work in a moment.
    StoreUnavailable,
    /// A person gave up or took too long, or the process was asked to end.
    Cancelled,
}

/// A failure to obtain credentials, or to sign with them. Its text never contains a header value, a token or the output of a
/// command; nor may that of its [source](Error::source), which people are told as well.
///
/// Cheap to clone: callers that waited for one fetch share its failure.
///
/// # Examples
///
/// ```
/// use mcp_auth::{AuthError, AuthErrorKind};
///
/// let error = AuthError::new(AuthErrorKind::SourceFailed, "mint a token")
///     .with_source(std::io::Error::other("the session has ended"))
///     .with_hint("run `corp login`");
/// assert_eq!(format!("failed to {error}"), "failed to mint a token");
/// assert_eq!(error.hint(), Some("run `corp login`"));
/// ```
#[derive(Clone)]
pub struct AuthError {
    kind: AuthErrorKind,
    message: String,
    exit_code: Option<i32>,
    /// Behind a pointer: few have any, and errors travel in every result.
    more: Option<Arc<Particulars>>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What a person can do about an error, and how long to wait with it.
#[derive(Clone, Default)]
struct Particulars {
    retry_after: Option<Duration>,
    hint: Option<Arc<str>>,
    lacks: Option<LackingSecret>,
    login: Option<LoginRemedy>,
    unexecutable: Option<Arc<str>>,
    is_of_machine: bool,
}

/// A secret of a person that is asked for by name, and is not kept.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct LackingSecret {
    /// Whose it is: the *service* of a keyring.
    pub service: String,
    /// Its name there.
    pub name: String,
}

impl AuthError {
    /// A new error; `message` is a lowercase fragment that reads well after "failed to".
    pub fn new(kind: AuthErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), exit_code: None, more: None, source: None }
    }

    /// A source of this name that did not answer within `limit`.
    pub fn timed_out(provider: &str, limit: Duration) -> Self {
        let message = format!(
            "get credentials from {provider}: it did not answer within {}",
            mcp_text::time_limit(limit)
        );
        Self::new(AuthErrorKind::TimedOut, message)
    }

    /// Adds what a person can do about it: a lowercase fragment that stands by itself, such as "run `corp login`". It must
    /// hold no secret. It is shown beside the failure, on one line and bounded.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<Arc<str>>) -> Self {
        let hint = Some(hint.into());
        self.with(|more| more.hint = hint)
    }

    /// What a person can do about it, where the source said so.
    pub fn hint(&self) -> Option<&str> {
        self.more.as_ref()?.hint.as_deref()
    }

    /// Adds which secret is not kept: once a person keeps it, this does not fail.
    #[must_use]
    pub fn with_lacking_secret(self, service: impl Into<String>, name: impl Into<String>) -> Self {
        let lacks = Some(LackingSecret { service: service.into(), name: name.into() });
        self.with(|more| more.lacks = lacks)
    }

    /// Adds what makes the sign-in possible that failed, or that cannot be renewed.
    #[must_use]
    pub fn with_login_remedy(self, remedy: LoginRemedy) -> Self {
        self.with(|more| more.login = Some(remedy))
    }

    /// What makes the sign-in possible that failed, or its renewal, where that is known.
    pub fn login_remedy(&self) -> Option<&LoginRemedy> {
        self.more.as_ref()?.login.as_ref()
    }

    /// Adds the file that was to be executed, and may not be.
    #[must_use]
    pub fn with_unexecutable(self, path: impl Into<Arc<str>>) -> Self {
        let path = Some(path.into());
        self.with(|more| more.unexecutable = path)
    }

    /// The file that was to be executed and may not be, where that is what is wrong.
    pub fn unexecutable(&self) -> Option<&str> {
        self.more.as_ref()?.unexecutable.as_deref()
    }

    /// Adds that what is wrong is a file or a variable of this machine: to look again asks no one for anything.
    #[must_use]
    pub fn of_this_machine(self) -> Self {
        self.with(|more| more.is_of_machine = true)
    }

    /// Whether what is wrong is a file or a variable of this machine.
    pub fn is_of_this_machine(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.is_of_machine)
    }

    /// Adds how long the source asks not to be asked again, as a wait from now.
    #[must_use]
    pub fn with_retry_after(self, wait: Duration) -> Self {
        self.with(|more| more.retry_after = Some(wait))
    }

    /// How long the source asks not to be asked again, as a wait from when it answered.
    pub fn retry_after(&self) -> Option<Duration> {
        self.more.as_ref()?.retry_after
    }

    fn with(mut self, change: impl FnOnce(&mut Particulars)) -> Self {
        let mut more = self.more.as_deref().cloned().unwrap_or_default();
        change(&mut more);
        self.more = Some(Arc::new(more));
        self
    }

    /// The secret that is not kept, where that is what is wrong.
    pub fn lacking_secret(&self) -> Option<&LackingSecret> {
        self.more.as_ref()?.lacks.as_ref()
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Adds the exit code of the command that failed.
    #[must_use]
    pub fn with_exit_code(mut self, code: Option<i32>) -> Self {
        self.exit_code = code;
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> AuthErrorKind {
        self.kind
    }

    /// The exit code of the command that failed, where there was one and it exited by itself.
    pub fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }
}

impl fmt::Debug for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthError")
            .field("kind", &self.kind)
            .field("message", &self.message)
            .field("exit_code", &self.exit_code)
            .field("hint", &self.hint())
            .field("lacks", &self.lacking_secret())
            .field("login_remedy", &self.login_remedy())
            .field("retry_after", &self.retry_after())
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for AuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}
