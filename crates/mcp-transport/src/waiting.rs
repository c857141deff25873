//! What a request waits for. When its time is over, the error says which side was missing: the server, or the credentials.

use std::sync::atomic::{AtomicU8, Ordering};
#[cfg(feature = "http")]
use std::time::Duration;

#[cfg(feature = "http")]
use mcp_auth::{AuthError, AuthErrorKind, AuthProvider};

#[cfg(feature = "http")]
use crate::error::TransportError;

/// What is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum WaitSubject {
    /// The answer of the server.
    Server,
    /// A provider, or what signs with its credentials.
    Credentials,
    /// The first event of a stream that is open: where the server takes messages (HTTP+SSE).
    Endpoint,
    /// The answer on that stream to a message that the server has taken.
    Streamed,
}

/// What a request waits for at this moment. A request that is dropped leaves it as it is.
#[derive(Debug, Default)]
pub(crate) struct WaitState(AtomicU8);

impl WaitState {
    pub(crate) fn begin(&self, waits_for: WaitSubject) {
        self.0.store(waits_for as u8, Ordering::Relaxed);
    }

    fn is_for(&self, waits_for: WaitSubject) -> bool {
        self.0.load(Ordering::Relaxed) == waits_for as u8
    }

    /// Whether credentials are waited for.
    pub(crate) fn is_for_credentials(&self) -> bool {
        self.is_for(WaitSubject::Credentials)
    }

    /// What the server did and what it left out, where it answered only a part.
    pub(crate) fn half_done(&self) -> Option<&'static str> {
        if self.is_for(WaitSubject::Endpoint) {
            return Some(
                "the server opened its stream and did not say on it where it takes messages (`endpoint`)",
            );
        }
        self.is_for(WaitSubject::Streamed)
            .then_some("the server took the message of the handshake and did not answer it on its stream")
    }
}

#[cfg(feature = "http")]
impl WaitState {
    /// What `asking` comes to, which is waited for here.
    pub(crate) async fn for_credentials<T>(&self, asking: impl Future<Output = T>) -> T {
        self.begin(WaitSubject::Credentials);
        let outcome = asking.await;
        self.begin(WaitSubject::Server);
        outcome
    }

    /// The error of a request that was given up after `limit` while it waited for credentials of `provider`. The server has
    /// not seen it, or has refused it.
    pub(crate) fn given_up(
        &self,
        provider: Option<&dyn AuthProvider>,
        limit: Duration,
    ) -> Option<TransportError> {
        let provider = provider.filter(|_| self.is_for_credentials())?;
        let name = provider.name();
        let error = match provider.snapshot().asks {
            Some(asked) => {
                let waited = mcp_text::time_limit(limit);
                let message = format!("get credentials from {name}: {asked} did not answer within {waited}");
                AuthError::new(AuthErrorKind::Unavailable, message)
            }
            None => AuthError::timed_out(name, limit),
        };
        Some(TransportError::credentials(error, name))
    }
}
