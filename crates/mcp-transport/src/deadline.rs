//! When the limit that a caller has set for a call is over, whatever its time was spent on.

use std::time::Duration;

use tokio::time::Instant;

use crate::options::RequestOptions;

/// As good as never.
const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

/// When a call is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// How long the call may take in all.
    pub(crate) limit: Duration,
    pub(crate) at: Instant,
}

impl Deadline {
    /// That of a call with these options, which is being made; `None` where its caller has set no limit.
    pub(crate) fn of(options: &RequestOptions) -> Option<Self> {
        let limit = options.timeout?;
        Some(Self { limit, at: moment_after(limit.saturating_sub(options.spent)) })
    }

    pub(crate) fn is_over(self) -> bool {
        self.left().is_zero()
    }

    pub(crate) fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// How much of the limit is over.
    pub(crate) fn spent(self) -> Duration {
        self.limit.saturating_sub(self.left())
    }

    /// The same after a time that does not count.
    pub(crate) fn later_by(self, pause: Duration) -> Self {
        Self { at: self.at.checked_add(pause).unwrap_or(self.at), ..self }
    }
}

/// The moment that is so far away, or as good as never.
pub(crate) fn moment_after(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait).unwrap_or_else(|| now + FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_spent_before_counts_and_what_is_asked_meanwhile_does_not() {
        let seconds = Duration::from_secs;
        assert!(Deadline::of(&RequestOptions::new()).is_none());
        let options = RequestOptions { spent: seconds(3), ..RequestOptions::new().with_timeout(seconds(10)) };
        let deadline = Deadline::of(&options).unwrap();
        assert_eq!((deadline.left(), deadline.spent()), (seconds(7), seconds(3)));
        tokio::time::advance(seconds(5)).await;
        assert_eq!((deadline.left(), deadline.is_over()), (seconds(2), false));
        assert_eq!(deadline.later_by(seconds(5)).left(), seconds(7));
        tokio::time::advance(seconds(2)).await;
        assert_eq!((deadline.spent(), deadline.is_over()), (seconds(10), true));
        // A limit without measure is none.
        let unlimited = Deadline::of(&RequestOptions::new().with_timeout(Duration::MAX)).unwrap();
        assert!(!unlimited.is_over() && !unlimited.later_by(Duration::MAX).is_over());
    }
}
