//! How soon a stream that ended without its answer is continued, and how often.
//!
//! A server may close its streams every few seconds by intention, and ask for a wait of its own (2025-11-25, resumability).
//! What it may not do is to keep a client busy with nothing: a stream that brings no message is continued later each
//! time, whatever its server asks for.

use std::time::Duration;

use crate::retry::{Delays, RetryPolicy};

/// The wait after the first stream that brought nothing, and the longest one.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
/// How many streams in a row may bring nothing but a place to continue from.
const MAX_FRUITLESS: u32 = 100;
/// How often one answer is continued before it is done once a second at most, and that wait.
const MANY: u32 = 50;
const SELDOM: Duration = Duration::from_secs(1);

/// What one stream was good for.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamYield {
    /// It brought a message.
    pub(super) brought: bool,
    /// It says that it is continued from elsewhere than the one before.
    pub(super) moved: bool,
}

/// The waits between the streams of one answer.
#[derive(Debug)]
pub(super) struct Pace {
    /// For streams that brought nothing and moved nothing.
    delays: Delays,
    fruitless: u32,
    streams: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { delays: RetryPolicy::reconnect().delays(), fruitless: 0, streams: 0 }
    }
}

impl Pace {
    /// How long to wait before the next one, where the server `asked` for a wait within bounds; `None`: there is no next
    /// one.
    pub(super) fn after(&mut self, ended: StreamYield, asked: Option<Duration>) -> Option<Duration> {
        self.streams = self.streams.saturating_add(1);
        let usual = Duration::from_secs(1);
        let wait = if ended.brought {
            (self.delays, self.fruitless) = (RetryPolicy::reconnect().delays(), 0);
            asked.unwrap_or(usual)
        } else if ended.moved {
            let floor = FIRST.saturating_mul(1 << self.fruitless.min(16)).min(LONGEST);
            self.fruitless += 1;
            if self.fruitless > MAX_FRUITLESS {
                return None;
            }
            asked.unwrap_or(usual).max(floor)
        } else {
            let delay = self.delays.next()?;
            asked.unwrap_or(delay)
        };
        Some(if self.streams > MANY { wait.max(SELDOM) } else { wait })
    }

    /// How long to wait before the next one where it could not be opened, for a reason that may pass: no less than the stream
    /// `asked` for, nor than the refusal did. `None`: that was often enough.
    pub(super) fn after_refusal(
        &mut self,
        asked: Option<Duration>,
        retry_after: Option<Duration>,
    ) -> Option<Duration> {
        Some(self.delays.wait(retry_after)?.max(asked.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: StreamYield = StreamYield { brought: false, moved: false };
    const MOVED: StreamYield = StreamYield { brought: false, moved: true };
    const BROUGHT: StreamYield = StreamYield { brought: true, moved: true };

    fn waits(pace: &mut Pace, ended: StreamYield, asked: Option<u64>) -> Vec<u64> {
        let asked = asked.map(Duration::from_millis);
        std::iter::from_fn(|| pace.after(ended, asked))
            .take(1_000)
            .map(|wait| wait.as_millis() as u64)
            .collect()
    }

    #[test]
    fn s_m07_streams_that_bring_nothing_are_continued_later_each_time_and_not_without_end() {
        let eager = waits(&mut Pace::default(), MOVED, Some(100));
        assert_eq!(eager.len(), MAX_FRUITLESS as usize);
        assert_eq!(eager[..8], [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800]);
        assert_eq!(eager[20], 30_000);
    }

    #[test]
    fn a_server_that_polls_by_intention_keeps_its_pace_for_a_while() {
        assert_eq!(waits(&mut Pace::default(), MOVED, Some(5_000))[..6], [5_000; 6]);
        assert_eq!(waits(&mut Pace::default(), NOTHING, None), [1_000, 2_000, 4_000, 8_000, 16_000]);
        assert_eq!(waits(&mut Pace::default(), NOTHING, Some(300)), [300; 5]);
    }

    #[test]
    fn s_k2_messages_do_not_buy_a_storm_of_requests() {
        let mut pace = Pace::default();
        let bought = waits(&mut pace, BROUGHT, Some(100));
        assert_eq!((bought[0], bought[49], bought[50], bought[999]), (100, 100, 1_000, 1_000));
        // Taking turns does not help either.
        let mut pace = Pace::default();
        let total: u64 = (0..60)
            .filter_map(|turn| pace.after([MOVED, NOTHING][turn % 2], Some(FIRST)))
            .map(|wait| wait.as_millis() as u64)
            .sum();
        assert!(total > 3_000, "{total}");
        assert_eq!(pace.after(NOTHING, None), None);
    }

    #[test]
    fn what_cannot_be_continued_yet_is_tried_again_a_few_times_and_no_sooner_than_asked() {
        let secs = Duration::from_secs;
        let mut pace = Pace::default();
        assert_eq!(pace.after_refusal(None, None), Some(secs(1)));
        assert_eq!(pace.after_refusal(Some(secs(5)), None), Some(secs(5)));
        assert_eq!(pace.after_refusal(Some(secs(5)), Some(secs(7))), Some(secs(7)));
        // A stream that brings something begins the row again.
        assert_eq!(pace.after(BROUGHT, None), Some(secs(1)));
        let waits: Vec<u64> = std::iter::from_fn(|| pace.after_refusal(Some(Duration::from_millis(1)), None))
            .map(|wait| wait.as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16]);
    }
}
