//! The attempt under way, and a fresh try beside it while a caller waits for one that is stuck.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use mcp_status::classify;
use tokio::time::Instant;

use super::attempt::{Attempt, AttemptOutcome, AttemptTarget, FreshConnection};
use super::dial::{BoxFuture, Failure};
use super::source::NoContact;

/// One attempt, as a value that can be dropped at any point.
///
/// The network may come back while a try still waits for a packet that was lost, and then only a fresh one notices.
/// So, while a caller waits, a second try is made on fresh sockets beside one that takes longer than it should, and
/// replaced when it takes as long; whichever connects first wins. The first one keeps its full time, because a server
/// may simply be slow. There are never more than two.
pub(super) struct Race {
    stage: Stage,
    /// How long a try may take before it counts as stuck.
    stuck_after: Duration,
}

enum Stage {
    Preparing(BoxFuture<'static, Result<AttemptTarget, NoContact>>),
    Trying(AttemptRace),
}

type AttemptFuture = BoxFuture<'static, Result<Box<FreshConnection>, Failure>>;

struct AttemptRace {
    goal: Arc<AttemptTarget>,
    first: AttemptFuture,
    second: Option<AttemptFuture>,
    /// When the latest of them began, or the second one failed.
    latest: Instant,
}

impl Race {
    pub(super) fn new(attempt: Attempt, stuck_after: Duration) -> Self {
        Self { stage: Stage::Preparing(Box::pin(attempt.prepare())), stuck_after }
    }

    /// How it ended. To be polled again whenever a caller begins to wait (`is_wanted`), and not after its end.
    pub(super) async fn ended(&mut self, is_wanted: impl Fn() -> bool) -> AttemptOutcome {
        loop {
            match &mut self.stage {
                Stage::Preparing(preparing) => match preparing.await {
                    Ok(goal) => self.stage = Stage::Trying(AttemptRace::new(goal)),
                    Err(withheld) => return AttemptOutcome::Withheld(withheld),
                },
                Stage::Trying(trying) => return trying.ended(self.stuck_after, is_wanted).await,
            }
        }
    }
}

impl AttemptRace {
    fn new(goal: AttemptTarget) -> Self {
        let goal = Arc::new(goal);
        Self { first: Box::pin(goal.clone().attempt()), goal, second: None, latest: Instant::now() }
    }

    async fn ended(&mut self, stuck_after: Duration, is_wanted: impl Fn() -> bool) -> AttemptOutcome {
        loop {
            let due = (self.goal.may_be_raced() && is_wanted()).then(|| self.latest + stuck_after);
            tokio::select! {
                outcome = &mut self.first => match (outcome, self.second.take()) {
                    // What is silent is not asked again and again: another connection has its turn.
                    (Err(failure), Some(second)) if may_pass(&failure) && !self.goal.is_of_silent() => {
                        self.first = second;
                    }
                    (outcome, _) => return self.attempted(outcome),
                },
                outcome = end_of(&mut self.second) => {
                    self.second = None;
                    self.latest = Instant::now();
                    match outcome {
                        // The first one may still end better.
                        Err(failure) if may_pass(&failure) => {}
                        outcome => return self.attempted(outcome),
                    }
                }
                () = reached(due) => {
                    self.latest = Instant::now();
                    if is_wanted() {
                        tracing::debug!("an attempt is stuck; another one is made beside it");
                        self.goal.dial.forget_sockets(self.latest);
                        self.second = Some(Box::pin(self.goal.clone().attempt()));
                    }
                }
            }
        }
    }

    fn attempted(&self, outcome: Result<Box<FreshConnection>, Failure>) -> AttemptOutcome {
        match outcome {
            Ok(fresh) => AttemptOutcome::Connected(fresh),
            Err(Failure::Gone) => AttemptOutcome::Gone,
            Err(Failure::Error(error)) => AttemptOutcome::Failed { server: self.goal.server(), error },
        }
    }
}

fn may_pass(failure: &Failure) -> bool {
    match failure {
        Failure::Gone => false,
        Failure::Error(error) => {
            let verdict = classify(&error.evidence());
            // A server that asks for a wait has been reached, and its wish binds the other try as well.
            verdict.is_retryable() && verdict.retry_after().is_none()
        }
    }
}

async fn end_of(attempt: &mut Option<AttemptFuture>) -> Result<Box<FreshConnection>, Failure> {
    match attempt {
        Some(attempt) => attempt.await,
        None => pending().await,
    }
}

/// Returns at this moment, or never.
pub(super) async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => pending().await,
    }
}
