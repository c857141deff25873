//! The optional stream on which a legacy server starts something by itself (2025-11-25, listening for
//! messages from the server).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mcp_status::Phase;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::answer::{Cursor, admit};
use super::body::Body;
use super::form::essence;
use super::frame;
use super::streamable::{Core, Streamable};
use crate::authed::AcceptedAnswer;
use crate::error::TransportError;
use crate::message::revision::Era;
use crate::retry::RetryPolicy;
use crate::sse_parser::SseParser;

/// A stream that lasted this long was a success: the next failure starts a new streak.
const STEADY: Duration = Duration::from_secs(30);

impl Streamable {
    /// Opens the stream and waits until the server has accepted or declined it, so that nothing which it
    /// sends because of the next request is lost.
    ///
    /// It is optional in both directions: a server that offers none (405) is fine, and losing it later never
    /// drops the connection; it is opened again with growing waits, and given up after five failures.
    pub(crate) async fn listen(&self) {
        let core = &self.0;
        if core.session().server.revision.era() == Era::Modern {
            // Modern servers notify on the answer of `subscriptions/listen`, which is a request.
            return;
        }
        if core.listening.swap(true, Ordering::AcqRel) {
            // One stream brings everything; a second one would bring it twice.
            return;
        }
        let (opened, decided) = oneshot::channel();
        let task = core.clone();
        core.spawn(async move {
            task.clone().keep_listening(opened).await;
            task.listening.store(false, Ordering::Release);
        });
        let _ = tokio::time::timeout(core.options().first_byte_timeout, decided).await;
    }
}

impl Core {
    async fn keep_listening(self: Arc<Self>, opened: oneshot::Sender<()>) {
        let mut opened = Some(opened);
        let mut cursor = Cursor::default();
        let mut delays = RetryPolicy::reconnect().delays();
        loop {
            let since = Instant::now();
            let outcome = tokio::select! {
                outcome = self.open_stream(&cursor) => outcome,
                () = self.hub.activity.written_off() => continue,
            };
            // Whatever the outcome: waiting callers need not wait longer.
            drop(opened.take());
            match outcome {
                Ok(Some(body)) => {
                    tokio::select! {
                        () = self.follow(body, &mut cursor) => {}
                        // Its socket may be dead without knowing: what was missed is asked for by the next one.
                        () = self.hub.activity.written_off() => continue,
                    }
                    if since.elapsed() >= STEADY {
                        delays = RetryPolicy::reconnect().delays();
                    }
                }
                Ok(None) => return,
                Err(error) => tracing::debug!(%error, "the server's stream could not be opened"),
            }
            let Some(delay) = delays.next() else { return };
            tokio::time::sleep(cursor.retry.unwrap_or(delay)).await;
        }
    }

    /// `None`: the server offers no stream.
    async fn open_stream(&self, cursor: &Cursor) -> Result<Option<Body>, TransportError> {
        let session = self.session();
        let AcceptedAnswer { answer, sender } =
            self.get(&session, cursor.last_event_id.as_deref(), None).await?;
        if answer.status.is_success() {
            return Ok((essence(&answer.headers) == "text/event-stream").then_some(answer.body));
        }
        if answer.status.is_client_error() && !matches!(answer.status.as_u16(), 404 | 408 | 425 | 429) {
            return Ok(None);
        }
        Err(sender.describe(self.failure(answer, &session).await))
    }

    async fn follow(self: &Arc<Self>, mut body: Body, cursor: &mut Cursor) {
        let mut parser = SseParser::new(self.hub.budget.limits.message_bytes);
        let mut ended = false;
        while !ended {
            match body.chunk().await {
                Ok(Some(chunk)) => {
                    if parser.push(&chunk).is_err() {
                        tracing::debug!("the server's stream holds a frame that is too long");
                        return;
                    }
                    cursor.advance(&parser);
                }
                Ok(None) | Err(_) => {
                    parser.finish();
                    ended = true;
                }
            }
            while let Some(event) = parser.next() {
                if let Err(error) = self.hub.budget.debts.room().await {
                    tracing::warn!(%error, "the server's stream is not read any further");
                    return;
                }
                match frame::messages(event) {
                    Ok(None) => {}
                    Ok(Some(messages)) => match admit(&messages, &self.session()) {
                        Ok(()) => {
                            messages.filter_map(Result::ok).for_each(|message| self.dispatch(message, None));
                        }
                        Err(error) => tracing::debug!(%error, "ignored a frame"),
                    },
                    Err(error) => tracing::debug!(%error, phase = ?Phase::Session, "ignored a frame"),
                }
            }
        }
    }
}
