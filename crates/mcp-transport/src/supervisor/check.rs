//! The question whether a server is still there.

use std::sync::Arc;
use std::time::Duration;

use mcp_status::{Evidence, Outcome, Phase};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::dial::{BoxFuture, Failure};
use super::failure_scope::FailureScope;
use super::live::LiveConnection;
use crate::connection::Connection;
use crate::error::{TransportError, TransportErrorKind};
use crate::message::Era;
use crate::options::RequestOptions;

/// How long an answer is waited for at most. Over a wire that is one stream this is the only limit: a local server
/// that is busy for a while must not be killed for it, and a stream that breaks says so by itself.
const LIMIT: Duration = Duration::from_secs(10);

/// A question to a server whose connection is in doubt; its answer is the evidence that it is lost, if it is.
pub(super) struct Check {
    asked: BoxFuture<'static, Option<Evidence>>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Check {
    /// Asks. A server that says nothing for as long as `stuck_after` while it owes an answer is not there.
    pub(super) fn new(live: Arc<LiveConnection>, stuck_after: Duration) -> Self {
        let asked = async move { why_lost(&live.connection, stuck_after).await };
        Self { asked: Box::pin(asked), waiting: Vec::new() }
    }

    /// A caller that waits for the answer joins the question in flight. It hears of it when the check is dropped.
    pub(super) fn join(&mut self, known: Option<oneshot::Sender<()>>) {
        self.waiting.extend(known);
    }

    /// The evidence that the connection is lost; `None`: the server is there.
    pub(super) async fn answer(&mut self) -> Option<Evidence> {
        self.asked.as_mut().await
    }
}

async fn why_lost(connection: &Connection, stuck_after: Duration) -> Option<Evidence> {
    let (options, began) = (RequestOptions::new().with_timeout(LIMIT), Instant::now());
    let error = tokio::select! {
        answer = connection.ping(&options) => answer.err()?,
        // While credentials are fetched, the server owes nothing.
        () = connection.activity().quiet_for(stuck_after, began) => {
            let silence = Evidence::new(Phase::Session, Outcome::Timeout);
            return Some(silence.with_detail("the server does not answer"));
        }
    };
    (!is_there(&error, connection.revision().era())).then(|| error.evidence())
}

/// A server that does not know the question has answered it all the same.
fn is_there(error: &TransportError, era: Era) -> bool {
    FailureScope::in_era(error, era) == FailureScope::None && *error.kind() != TransportErrorKind::Closed
}

/// Asks a server that fell silent whether the connection to it works again.
///
/// # Errors
///
/// `Gone` for everything but further silence: the next connection is made from scratch then.
pub(super) async fn ask_again(live: &LiveConnection) -> Result<(), Failure> {
    match live.connection.ping(&RequestOptions::new().with_timeout(LIMIT)).await {
        Ok(()) => Ok(()),
        Err(error) if is_there(&error, live.connection.revision().era()) => Ok(()),
        Err(error) if matches!(error.kind(), TransportErrorKind::Timeout { .. }) => {
            live.give_up_calls_of_dead();
            live.left_unanswered();
            Err(Failure::Error(error.in_phase(Phase::Connect)))
        }
        Err(_) => Err(Failure::Gone),
    }
}
