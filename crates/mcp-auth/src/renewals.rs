//! The fetches of a program that must not be cut off.

use tokio::sync::watch;

/// The fetches of a program that are under way, where what comes of them must not be lost. Cloning shares.
///
/// A program that ends in the middle of one may lose a sign-in: the authorization server has rotated the refresh token, and
/// the new one is not kept yet. So it waits for [`settled`](Self::settled) first, for as long as it can.
#[derive(Clone, Debug)]
pub struct Renewals(watch::Sender<()>);

/// One fetch; dropping it is its end.
#[derive(Debug)]
pub(crate) struct FetchGuard(
    #[expect(dead_code, reason = "what counts is that it is held")] watch::Receiver<()>,
);

impl Default for Renewals {
    fn default() -> Self {
        Self(watch::channel(()).0)
    }
}

impl Renewals {
    /// Waits until none is under way, whether or not a caller still waits for its result.
    pub async fn settled(&self) {
        self.0.closed().await;
    }

    pub(crate) fn begin(&self) -> FetchGuard {
        FetchGuard(self.0.subscribe())
    }
}
