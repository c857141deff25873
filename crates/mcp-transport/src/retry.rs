//! How long to wait before the next attempt, in our own words.
//!
//! The arithmetic is borrowed (see `imp`), but no type of it shows: callers that retry ask a [`RetryPolicy`] for
//! its [`Delays`], sleeps by itself and can be cancelled while it does.

mod imp;

use std::time::Duration;

/// No server is waited for longer than this, whatever it asks for.
const RETRY_AFTER_CAP: Duration = Duration::from_secs(60);

/// How long something may take before it counts as stuck, given the least time that the same took before. Three
/// times that, because networks vary; at least 1 s, because a busy machine is no dead one, and at most 10 s. 3 s
/// where it was never seen.
pub(crate) fn stuck_after(usual: Option<Duration>) -> Duration {
    usual.map_or(Duration::from_secs(3), |usual| {
        usual.saturating_mul(3).clamp(Duration::from_secs(1), Duration::from_secs(10))
    })
}

/// How often to try again, and after which waits. A plain value, so that a program can change what it wants other:
///
/// ```
/// use mcp_transport::retry::RetryPolicy;
///
/// let impatient = RetryPolicy::connect().with_max_retries(1);
/// assert_eq!(impatient.delays().count(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How many waits there are, so how many attempts follow the first one.
    pub max_retries: u32,
    /// The first wait.
    pub initial_delay: Duration,
    /// No wait is longer, jitter included.
    pub max_delay: Duration,
    /// Each wait is this many times the one before. Less than 1, or no number, counts as 1.
    pub multiplier: f64,
    /// By which part a wait may be shorter or longer at random, from 0 (not at all) to 1.
    pub jitter: f64,
    /// How much of a wait that the server asks for (`Retry-After`) counts; at most 60 s.
    pub max_retry_after: Duration,
}

impl RetryPolicy {
    /// For the first connection: 1, 2 and 4 s, each up to a tenth shorter or longer, so that many servers that
    /// failed together do not come back together.
    pub const fn connect() -> Self {
        Self { max_retries: 3, jitter: 0.1, ..Self::reconnect() }
    }

    /// For a status query: about 100, 250 and 500 ms, and as long as the server asks for.
    pub const fn glance() -> Self {
        Self {
            initial_delay: Duration::from_millis(100),
            max_delay: Duration::from_millis(500),
            multiplier: 2.5,
            ..Self::connect()
        }
    }

    /// For a connection that was lost: 1, 2, 4, 8 and 16 s, exactly.
    pub const fn reconnect() -> Self {
        Self {
            max_retries: 5,
            initial_delay: Duration::from_secs(1),
            max_delay: RETRY_AFTER_CAP,
            multiplier: 2.0,
            jitter: 0.0,
            max_retry_after: RETRY_AFTER_CAP,
        }
    }

    /// For a server that did not come back: every 60 s, up to a tenth sooner or later.
    pub const fn probe() -> Self {
        Self {
            max_retries: 1,
            initial_delay: Duration::from_secs(60),
            max_delay: Duration::from_secs(66),
            multiplier: 1.0,
            jitter: 0.1,
            max_retry_after: RETRY_AFTER_CAP,
        }
    }

    /// Never again.
    pub const fn none() -> Self {
        Self { max_retries: 0, ..Self::reconnect() }
    }

    /// With this many waits, so as many attempts after the first one.
    #[must_use]
    pub const fn with_max_retries(self, max_retries: u32) -> Self {
        Self { max_retries, ..self }
    }

    /// With waits from `initial_delay` to at most `max_delay`, each `multiplier` times the one before.
    #[must_use]
    pub const fn with_delays(self, initial_delay: Duration, multiplier: f64, max_delay: Duration) -> Self {
        Self { initial_delay, max_delay, multiplier, ..self }
    }

    /// With waits that are shorter or longer by up to this part, from 0 to 1.
    #[must_use]
    pub const fn with_jitter(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }

    /// With this much of a wait that the server asks for; at most 60 s.
    #[must_use]
    pub const fn with_max_retry_after(self, max_retry_after: Duration) -> Self {
        Self { max_retry_after, ..self }
    }

    /// The wait before retry number `retry`, counted from 0, given what the server asked for: the longer of the
    /// two, the server's request capped at [`max_retry_after`](Self::max_retry_after).
    ///
    /// For callers that leave it to an `mcp_status::StatusMachine` how often to try: where `max_retries` is used up,
    /// the last wait repeats.
    pub fn wait(&self, retry: u32, retry_after: Option<Duration>) -> Duration {
        let mut schedule = imp::Schedule::new(self);
        let mut delay = schedule.advance();
        for _ in 0..retry.min(self.max_retries.saturating_sub(1)) {
            delay = schedule.advance();
        }
        self.at_least(delay, retry_after)
    }

    fn at_least(&self, delay: Duration, asked: Option<Duration>) -> Duration {
        asked.map_or(delay, |asked| delay.max(asked.min(self.max_retry_after).min(RETRY_AFTER_CAP)))
    }

    /// The waits of one streak of failures. Start a new one after a success.
    pub fn delays(&self) -> Delays {
        Delays { left: self.max_retries, policy: *self, schedule: imp::Schedule::new(self) }
    }
}

/// The waits that are left. Ends when the retries are used up.
#[derive(Debug)]
pub struct Delays {
    left: u32,
    policy: RetryPolicy,
    schedule: imp::Schedule,
}

impl Delays {
    /// The next wait, given what the server asked for: the longer of the two, the server's request capped by the
    /// policy. `None`: the retries are used up.
    ///
    /// The budget shrinks first, whatever decides the length: a server that always sends `Retry-After` must not
    /// be tried forever.
    pub fn wait(&mut self, retry_after: Option<Duration>) -> Option<Duration> {
        let delay = self.next()?;
        Some(self.policy.at_least(delay, retry_after))
    }
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        Some(self.schedule.advance())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        usize::try_from(self.left).map_or((usize::MAX, None), |left| (left, Some(left)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(policy: RetryPolicy) -> Vec<f64> {
        policy.delays().map(|delay| delay.as_secs_f64()).collect()
    }

    #[test]
    fn reconnect_is_1_2_4_8_16_and_stops() {
        assert_eq!(seconds(RetryPolicy::reconnect()), [1.0, 2.0, 4.0, 8.0, 16.0]);
        let mut delays = RetryPolicy::reconnect().delays();
        assert_eq!(delays.by_ref().count(), 5);
        assert_eq!(delays.next(), None, "it stays ended");
        assert_eq!(seconds(RetryPolicy::none()), [0.0; 0]);
    }

    #[test]
    fn connect_is_about_1_2_4_and_stops() {
        for _ in 0..200 {
            let waits = seconds(RetryPolicy::connect());
            assert_eq!(waits.len(), 3);
            for (wait, nominal) in waits.iter().zip([1.0, 2.0, 4.0]) {
                assert!((wait - nominal).abs() <= nominal * 0.1 + 1e-6, "{waits:?}");
            }
        }
    }

    #[test]
    fn jitter_moves_the_waits_but_not_past_the_cap() {
        let policy = RetryPolicy {
            max_retries: 200,
            max_delay: Duration::from_secs(4),
            jitter: 0.5,
            ..RetryPolicy::reconnect()
        };
        let waits: Vec<_> = policy.delays().collect();
        assert_eq!(waits.len(), 200);
        assert!(waits.iter().all(|wait| *wait <= policy.max_delay));
        // Around the cap of 4 s, half of the draws are below it; all of them equal would mean no jitter.
        assert!(waits[3..].iter().any(|wait| *wait < Duration::from_secs(3)), "{waits:?}");
    }

    #[test]
    fn a_long_budget_gives_every_delay_under_the_cap() {
        let policy = RetryPolicy { max_retries: 100, ..RetryPolicy::reconnect() };
        let waits: Vec<_> = policy.delays().collect();
        assert_eq!(waits.len(), 100);
        assert_eq!(waits[99], policy.max_delay);
        assert!(waits.iter().all(|wait| *wait <= policy.max_delay));
    }

    #[test]
    fn senseless_numbers_do_no_harm() {
        for multiplier in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            for jitter in [-1.0, 7.0, f64::NAN, f64::INFINITY] {
                let policy = RetryPolicy { max_retries: 10, multiplier, jitter, ..RetryPolicy::reconnect() };
                let waits: Vec<_> = policy.delays().collect();
                assert_eq!(waits.len(), 10);
                assert!(waits.iter().all(|wait| *wait <= policy.max_delay), "{policy:?}: {waits:?}");
            }
        }
        for multiplier in [1.0, 0.5, 0.0, -2.0, f64::NAN] {
            let steady = RetryPolicy { max_retries: 3, multiplier, ..RetryPolicy::reconnect() };
            assert_eq!(seconds(steady), [1.0, 1.0, 1.0], "{multiplier}");
        }
        let above = RetryPolicy { initial_delay: Duration::MAX, ..RetryPolicy::reconnect() };
        assert_eq!(above.delays().next(), Some(RETRY_AFTER_CAP));
    }

    #[test]
    fn retry_after_is_a_floor_with_a_cap_and_spends_the_budget() {
        let secs = Duration::from_secs;
        let mut delays = RetryPolicy::reconnect().delays();
        assert_eq!(delays.wait(Some(secs(3))), Some(secs(3)), "longer than 1 s");
        assert_eq!(delays.wait(Some(secs(1))), Some(secs(2)), "shorter than 2 s");
        assert_eq!(delays.wait(Some(secs(3_600))), Some(secs(60)), "capped");
        assert_eq!(delays.wait(None), Some(secs(8)));
        assert_eq!(delays.wait(Some(Duration::ZERO)), Some(secs(16)));
        assert_eq!(delays.wait(Some(secs(1))), None, "a server cannot prolong it");
    }

    #[test]
    fn a_wait_by_its_number_is_the_same_and_the_last_one_repeats() {
        let secs = Duration::from_secs;
        let waits: Vec<_> = (0..7).map(|retry| RetryPolicy::reconnect().wait(retry, None)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 16, 16].map(secs));
        assert_eq!(RetryPolicy::none().wait(3, None), secs(1), "how often is not for the policy to say");
        assert_eq!(RetryPolicy::reconnect().wait(0, Some(secs(7))), secs(7));
        assert_eq!(RetryPolicy::reconnect().wait(4, Some(secs(7))), secs(16));
        assert_eq!(RetryPolicy::reconnect().wait(0, Some(secs(3600))), secs(60));
        let glance = RetryPolicy { max_retry_after: secs(5), ..RetryPolicy::reconnect() };
        assert_eq!([0, 3].map(|retry| glance.wait(retry, Some(secs(3600)))), [5, 8].map(secs));
        assert_eq!(glance.delays().wait(Some(secs(3600))), Some(secs(5)));
        let probes: Vec<_> = (0..100).map(|retry| RetryPolicy::probe().wait(retry, None)).collect();
        assert!(probes.iter().all(|wait| (secs(54)..=secs(66)).contains(wait)), "{probes:?}");
        assert!(probes.iter().any(|wait| *wait > secs(60)) && probes.iter().any(|wait| *wait < secs(60)));
    }

    #[test]
    fn what_counts_as_stuck_follows_what_is_usual_within_bounds() {
        let millis = Duration::from_millis;
        for (usual, stuck) in [(None, 3_000), (Some(5), 1_000), (Some(500), 1_500), (Some(60_000), 10_000)] {
            assert_eq!(stuck_after(usual.map(millis)), millis(stuck), "{usual:?}");
        }
        assert_eq!(stuck_after(Some(Duration::MAX)), millis(10_000));
    }

    #[test]
    fn random_retry_after_never_panics() {
        let mut random = crate::seeded::Random::new(5);
        let seed = b"Sun, 06 Nov 1994 08:49:37 GMT";
        for _ in 0..20_000 {
            let mut value = seed.to_vec();
            for _ in 0..1 + random.below(4) {
                let at = random.below(value.len());
                value[at] = random.byte();
            }
            let value = String::from_utf8_lossy(&value);
            let _ = mcp_auth::retry_after::parse(&value, std::time::SystemTime::UNIX_EPOCH);
        }
    }
}
