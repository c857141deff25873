//! Why a request through a supervisor has no result.

use std::error::Error;
use std::fmt;

use crate::error::TransportError;
use crate::supervisor::StatusSnapshot;

/// Why a request through a supervisor has no result.
pub struct RequestError(RequestErrorKind);

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
        Self(RequestErrorKind::NotConnected(Box::new(snapshot)))
    }

    pub(super) fn transport(error: TransportError) -> Self {
        Self(RequestErrorKind::Transport(error))
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> &RequestErrorKind {
        &self.0
    }

    /// Whether the server may have acted on the request.
    pub fn may_have_been_sent(&self) -> bool {
        match &self.0 {
            RequestErrorKind::NotConnected(_) => false,
            RequestErrorKind::Transport(error) => error.may_have_been_sent(),
        }
    }
}

impl fmt::Debug for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            RequestErrorKind::NotConnected(snapshot) => f
                .debug_struct("NotConnected")
                .field("status", &snapshot.status)
                .field("code", &snapshot.code)
                .finish_non_exhaustive(),
            RequestErrorKind::Transport(error) => fmt::Debug::fmt(error, f),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            RequestErrorKind::NotConnected(snapshot) => {
                write!(f, "the server is not connected ({})", snapshot.status)?;
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
        match &self.0 {
            RequestErrorKind::NotConnected(_) => None,
            RequestErrorKind::Transport(error) => error.source(),
        }
    }
}
