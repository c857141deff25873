//! When what was set in a session is gone.

use tokio::sync::watch;

/// The renewals of one connection's session.
#[derive(Clone, Debug)]
pub struct SessionRenewals(watch::Receiver<u64>);

impl SessionRenewals {
    pub(crate) fn new(generation: watch::Receiver<u64>) -> Self {
        Self(generation)
    }

    /// Returns after the next renewal; never where there is none to come.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}
