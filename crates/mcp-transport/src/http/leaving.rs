//! Ending sessions: that of a connection, and those that are given up before one comes about.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::time::Instant;

use super::session::Session;
use super::streamable::{Core, SESSION_END, Streamable};

/// How long what is told to a server, to which no connection comes about, is waited for.
const CLOSING_LIMIT: Duration = Duration::from_millis(250);

impl Core {
    /// Tells the server that `session` is given up: it would keep it for as long as it keeps any. Nothing waits for its answer.
    pub(super) fn leave(self: &Arc<Self>, session: &Session) {
        if session.id.is_some() {
            let (core, session) = (self.clone(), session.clone());
            // Not tied to `closing`, as a cancellation is not.
            self.tasks.spawn(tokio::time::timeout(SESSION_END, async move { core.delete(&session).await }));
        }
    }

    /// Ends `session` on the server, where it has one. A refusal is not worth new credentials.
    async fn delete(&self, session: &Session) {
        if session.id.is_none() {
            return;
        }
        let mut out = self.message(session, Bytes::new());
        out.method = Method::DELETE;
        out.recover = false;
        if let Err(error) = self.http.send(&out).await {
            tracing::debug!(%error, "the session could not be deleted");
        }
    }

    /// Lets go of a connection that does not come about. What is told to the server on the way out has a moment to get there.
    pub(super) async fn dismiss(&self) {
        self.closing.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(CLOSING_LIMIT, self.tasks.wait()).await;
    }
}

impl Streamable {
    /// Ends the session. Takes at most two seconds, and no longer than `limit`, and never fails: the server forgets it sooner or
    /// later.
    pub(crate) async fn close(&self, limit: Duration) {
        let (core, limit) = (&self.0, limit.min(SESSION_END));
        core.closing.cancel();
        core.tasks.close();
        let session = core.session();
        let ending = async {
            // Cancellations come before the end; one that is not answered does not take the place of it.
            let _ = tokio::time::timeout(limit / 2, core.tasks.wait()).await;
            core.delete(&session).await;
        };
        let _ = tokio::time::timeout_at(Instant::now() + limit, ending).await;
    }
}
