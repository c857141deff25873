//! Why a request through a supervisor has no result.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use mcp_auth::plan::ProviderKind;

use crate::error::TransportError;
use crate::supervisor::StatusSnapshot;

/// Why a request through a supervisor has no result.
pub struct RequestError {
    kind: RequestErrorKind,
    waited: Option<Box<WaitTimeout>>,
}

/// The wait for a connection that has run out.
struct WaitTimeout {
    limit: Duration,
    /// The provider of credentials that the attempt to connect was waiting for.
    provider: Option<String>,
}

/// The kind of a [`RequestError`].
#[derive(Debug)]
#[non_exhaustive]
pub enum RequestErrorKind {
    /// There is no connection. Never sent; the status says why, and [`StatusSnapshot::reason`] in words.
    NotConnected(Box<StatusSnapshot>),
    /// There was one, and the request failed.
    Transport(TransportError),
}

impl RequestError {
    pub(super) fn not_connected(snapshot: StatusSnapshot) -> Self {
        Self { kind: RequestErrorKind::NotConnected(Box::new(snapshot)), waited: None }
    }

    /// The same after a wait for a connection that has run out. No time at all is no wait.
    pub(super) fn after(mut self, limit: Duration) -> Self {
        if let RequestErrorKind::NotConnected(snapshot) = &self.kind
            && !limit.is_zero()
        {
            let provider = snapshot.attempting.as_ref().and_then(|awaited| awaited.provider());
            self.waited = Some(Box::new(WaitTimeout { limit, provider: provider.map(str::to_owned) }));
        }
        self
    }

    pub(super) fn transport(error: TransportError) -> Self {
        Self { kind: RequestErrorKind::Transport(error), waited: None }
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> &RequestErrorKind {
        &self.kind
    }

    /// How long a connection was waited for, where that has run out: a [deadline](crate::RequestOptions::timeout) of the call, or
    /// the [patience](crate::RequestOptions::patience) for a connection. `None` where it was decided that there is none.
    pub fn waited(&self) -> Option<Duration> {
        self.waited.as_ref().map(|waited| waited.limit)
    }

    /// The provider of credentials that was still being asked when the wait for a connection ran out, by its
    /// [name](mcp_auth::AuthProvider::name): then it is to blame, and not the server.
    pub fn awaited_provider(&self) -> Option<&str> {
        self.waited.as_ref()?.provider.as_deref()
    }

    /// Whether there was a connection, and the request failed over it.
    pub fn is_of_transport(&self) -> bool {
        matches!(self.kind, RequestErrorKind::Transport(_))
    }

    /// Whether the server may have acted on the request.
    pub fn may_have_been_sent(&self) -> bool {
        match &self.kind {
            RequestErrorKind::NotConnected(_) => false,
            RequestErrorKind::Transport(error) => error.may_have_been_sent(),
        }
    }
}

impl fmt::Debug for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            RequestErrorKind::NotConnected(snapshot) => f
                .debug_struct("NotConnected")
                .field("status", &snapshot.status)
                .field("code", &snapshot.code)
                .field("waited", &self.waited())
                .field("awaited_provider", &self.awaited_provider())
                .finish_non_exhaustive(),
            RequestErrorKind::Transport(error) => fmt::Debug::fmt(error, f),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            RequestErrorKind::NotConnected(snapshot) => {
                match self.waited.as_deref() {
                    Some(WaitTimeout { limit, provider: Some(provider) }) => {
                        let kind = ProviderKind::named(provider);
                        let called = kind.as_ref().map_or(&**provider, ProviderKind::called);
                        let called = mcp_text::line(called, 80);
                        let limit = mcp_text::time_limit(*limit);
                        return write!(
                            f,
                            "no connection within {limit}: {called} did not supply credentials"
                        );
                    }
                    Some(WaitTimeout { limit, provider: None }) => {
                        write!(f, "no connection within {}", mcp_text::time_limit(*limit))?
                    }
                    None => write!(f, "the server is not connected ({})", snapshot.status)?,
                }
                match snapshot.reason() {
                    Some(reason) => write!(f, ": {}", reason.message),
                    None => Ok(()),
                }
            }
            RequestErrorKind::Transport(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for RequestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            RequestErrorKind::NotConnected(_) => None,
            RequestErrorKind::Transport(error) => error.source(),
        }
    }
}
