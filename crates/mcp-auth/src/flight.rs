//! One piece of work that several callers wait for.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::Instrument;

/// Work that runs once, in a task of its own, for everyone who holds it.
///
/// A caller that stops waiting takes nothing away from the others, because the work is not part of any caller's
/// future. When the last holder lets go before the work is done, its result can never be asked for, so it
/// is aborted.
#[derive(Debug)]
pub(crate) struct Flight<T> {
    outcome: watch::Receiver<Option<T>>,
    task: AbortHandle,
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// Starts `work` on the current tokio runtime.
    pub(crate) fn start(work: impl Future<Output = T> + Send + 'static) -> Arc<Self> {
        let (sender, outcome) = watch::channel(None);
        let task = tokio::spawn(
            async move {
                let result = work.await;
                // No receiver is left only while the flight is being dropped.
                let _ = sender.send(Some(result));
            }
            .in_current_span(),
        );
        Arc::new(Self { outcome, task: task.abort_handle() })
    }

    /// Waits for the result. `None`: the work ended without one (it panicked, or its runtime was shut down).
    pub(crate) async fn outcome(&self) -> Option<T> {
        let mut outcome = self.outcome.clone();
        outcome.wait_for(Option::is_some).await.ok().and_then(|result| result.clone())
    }

    /// Whether the work has ended, with a result or without.
    pub(crate) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

impl<T> Drop for Flight<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_gives_up_takes_nothing_from_the_others() {
        let flight = Flight::start(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            7
        });
        let impatient = tokio::time::timeout(Duration::from_millis(1), flight.outcome());
        assert!(impatient.await.is_err());
        assert_eq!(flight.outcome().await, Some(7));
        assert_eq!(flight.outcome().await, Some(7), "the result stays");
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_is_not_held_is_aborted() {
        let done = Arc::new(AtomicBool::new(false));
        let flag = done.clone();
        drop(Flight::start(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            flag.store(true, Ordering::SeqCst);
        }));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn work_that_panics_ends_without_a_result() {
        let flight: Arc<Flight<()>> = Flight::start(async { panic!("as the test wants it") });
        assert_eq!(flight.outcome().await, None);
    }
}
