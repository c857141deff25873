//! What comes of something that a supervisor was asked to do.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::{Shared, StatusSnapshot};

/// The status that follows something that a supervisor was asked to do, as soon as it is decided: connected, refused, failed
/// for good, or out of first attempts.
///
/// It need not be awaited: what was asked for has begun, and dropping this stops nothing. A status that is decided before this
/// is awaited is not missed. Where the supervisor ends first, the last status is the answer; this does not keep it going.
///
/// # Examples
///
/// ```
/// # use mcp_transport::SupervisorHandle;
/// # async fn signed_in(server: SupervisorHandle) {
/// // In the background, as a bridge does.
/// server.login_done();
/// // For a person who wants to know.
/// let snapshot = server.login_done().await;
/// println!("{}: {}", snapshot.name, snapshot.status);
/// # }
/// ```
pub struct Decision {
    shared: Arc<Shared>,
    decided: oneshot::Receiver<StatusSnapshot>,
}

impl Decision {
    pub(super) fn new(shared: Arc<Shared>, decided: oneshot::Receiver<StatusSnapshot>) -> Self {
        Self { shared, decided }
    }
}

impl Future for Decision {
    type Output = StatusSnapshot;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<StatusSnapshot> {
        let decided = Pin::new(&mut self.decided).poll(cx);
        decided.map(|decided| decided.unwrap_or_else(|_| self.shared.status.borrow().clone()))
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decision").field("server", &self.shared.name).finish_non_exhaustive()
    }
}
