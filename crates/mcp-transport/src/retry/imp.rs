//! The quarantine of the `backoff` crate: the only file that names it.
//!
//! It is unmaintained (RUSTSEC-2025-0012) and brings `instant` (RUSTSEC-2024-0384), so only its arithmetic is
//! used, and each of its surprises is corrected here. To replace it, replace this file; the tests of
//! `retry.rs` say what must stay.
#![expect(clippy::disallowed_types, reason = "this is the quarantine")]

use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};

use super::RetryPolicy;

/// The endless sequence of waits of one policy.
#[derive(Debug)]
pub(super) struct Schedule {
    inner: ExponentialBackoff,
    max_delay: Duration,
}

impl Schedule {
    pub(super) fn new(policy: &RetryPolicy) -> Self {
        let multiplier = if policy.multiplier >= 1.0 { policy.multiplier } else { 1.0 };
        // Not `clamp`, which passes a NaN on.
        let jitter = if policy.jitter > 0.0 { policy.jitter.min(1.0) } else { 0.0 };
        let inner = ExponentialBackoffBuilder::new()
            .with_initial_interval(policy.initial_delay)
            .with_max_interval(policy.max_delay)
            .with_multiplier(multiplier)
            // Its own default is 0.5.
            .with_randomization_factor(jitter)
            // Its own default gives up after 15 minutes of wall time; our budget is a count.
            .with_max_elapsed_time(None)
            .build();
        Self { inner, max_delay: policy.max_delay }
    }

    pub(super) fn advance(&mut self) -> Duration {
        // It caps the interval before the jitter, which can then exceed the cap.
        self.inner.next_backoff().unwrap_or(self.max_delay).min(self.max_delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hidden wall clock cannot be observed from outside, so the field itself is checked.
    #[test]
    fn it_never_gives_up_by_itself() {
        assert_eq!(Schedule::new(&RetryPolicy::reconnect()).inner.max_elapsed_time, None);
    }
}
