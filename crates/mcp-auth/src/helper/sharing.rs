//! Runs that are shared and counted: identical entries wait for one run, and eight run at a time.
//!
//! Only a run *in flight* is shared, across the connections of a process. Nothing is remembered once it has ended: what to keep,
//! and when to run again, is decided by [`SingleFlight`](crate::SingleFlight), which every connection has of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::run::Invocation;
use super::{RunOutput, TASK, failure, headers};
use crate::AuthError;
use crate::flight::Flight;

/// How many helpers run at a time in this process. Each is a shell with children of its own, and a start-up
/// with a hundred servers must not be a fork storm.
const MAX_RUNNING: usize = 8;

static RUNNING: Semaphore = Semaphore::const_new(MAX_RUNNING);

type Run = Flight<Result<RunOutput, AuthError>>;

static IN_FLIGHT: Mutex<BTreeMap<Arc<Invocation>, Weak<Run>>> = Mutex::new(BTreeMap::new());

/// The headers of the run in flight for this invocation, or of a new one.
///
/// Waiting for a turn does not count towards `limit`.
pub(super) async fn run(invocation: &Arc<Invocation>, limit: Duration) -> Result<RunOutput, AuthError> {
    // Twice: the run may belong to a runtime that is being shut down.
    for _ in 0..2 {
        if let Some(outcome) = join(invocation, limit).outcome().await {
            return outcome;
        }
    }
    Err(failure(TASK, "it stopped unexpectedly", &[], None, ""))
}

/// A turn, which ends when it is dropped.
pub(super) async fn turn(task: &str) -> Result<SemaphorePermit<'static>, AuthError> {
    RUNNING.acquire().await.map_err(|_| failure(task, "no turn was given", &[], None, ""))
}

fn join(invocation: &Arc<Invocation>, limit: Duration) -> Arc<Run> {
    let mut in_flight = IN_FLIGHT.lock().unwrap_or_else(PoisonError::into_inner);
    // Runs end without telling this map, so that they need not lock it; the next start tidies up.
    in_flight.retain(|_, run| run.upgrade().is_some_and(|run| !run.is_finished()));
    if let Some(run) = in_flight.get(invocation).and_then(Weak::upgrade) {
        return run;
    }
    let invocation = invocation.clone();
    let run = Flight::start({
        let invocation = invocation.clone();
        async move {
            let _turn = turn(TASK).await?;
            headers(&invocation, limit).await
        }
    });
    in_flight.insert(invocation, Arc::downgrade(&run));
    run
}
