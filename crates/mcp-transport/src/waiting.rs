//! Whether a request waits for credentials, and not for its server: the one that ends the waiting has to say which.

use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "http")]
use std::time::Duration;

#[cfg(feature = "http")]
use mcp_auth::{AuthError, AuthProvider};

#[cfg(feature = "http")]
use crate::error::TransportError;

/// Set while a provider, or what signs with its credentials, is asked on behalf of a request. It stays set where the request
/// is dropped meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Waiting(AtomicBool);

impl Waiting {
    /// Whether credentials are waited for.
    pub(crate) fn is_for_credentials(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(feature = "http")]
impl Waiting {
    /// What `asking` comes to, which is waited for here.
    pub(crate) async fn for_credentials<T>(&self, asking: impl Future<Output = T>) -> T {
        self.0.store(true, Ordering::Relaxed);
        let outcome = asking.await;
        self.0.store(false, Ordering::Relaxed);
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
        Some(TransportError::credentials(AuthError::timed_out(name, limit), name))
    }
}
