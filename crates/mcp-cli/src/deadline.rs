//! The limit that a person gave a command (`--timeout`): it covers all of it, from the first file that is read to the
//! close of the last server.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::steps::Steps;

/// How long after its end a command may still take to say what it knows, and to let go of what it holds.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// A moment, and how it was said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) limit: Duration,
}

impl Deadline {
    /// The one of a command that begins now.
    pub(crate) fn after(limit: Duration) -> Self {
        let now = Instant::now();
        // No clock reaches that far; a century will do.
        let at = now.checked_add(limit).unwrap_or(now + Duration::from_secs(100 * 365 * 24 * 3600));
        Self { at, limit }
    }

    /// What is left of it.
    pub(crate) fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub(crate) fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// How it is shown: the limit and the option that moves it.
    pub(crate) fn text(&self) -> String {
        format!("{} (--timeout)", mcp_text::time_limit(self.limit))
    }
}

/// How far a command has come: what it is waiting for, for the case that its limit strikes there.
#[derive(Debug, Default)]
pub(crate) struct CommandProgress(Mutex<Option<Step>>);

#[derive(Clone, Debug)]
struct Step {
    /// After "it was still ".
    doing: String,
    next: String,
    since: Instant,
    /// A reader of a pipe knows that it lasts.
    is_told: bool,
}

/// How long a command may be silent on a terminal.
const SILENCE: Duration = Duration::from_secs(1);
/// How long it may be silent elsewhere where nothing limits it: what reads it may be a log that a person looks at later.
const REMINDER: Duration = Duration::from_secs(30);
/// Between two looks at how long it has been.
const LOOK: Duration = Duration::from_millis(250);

impl CommandProgress {
    /// The command is at `doing` now (words that fit after "it was still"); `next` is what to do where that takes too long.
    pub(crate) fn is(&self, doing: impl Into<String>, next: impl Into<String>) {
        *self.lock() =
            Some(Step { doing: doing.into(), next: next.into(), since: Instant::now(), is_told: false });
    }

    /// What is waited for, where that lasts: `waiting for an answer of wiki … 3 s`.
    fn waited_for(&self, now: Instant) -> Option<String> {
        let step = self.lock().clone()?;
        let waited = now.saturating_duration_since(step.since);
        (waited >= SILENCE).then(|| format!("{} … {} s", step.doing, waited.as_secs()))
    }

    /// The same for a reader of no terminal, once for each step: that it lasts, and that nothing ends it.
    fn reminder(&self, now: Instant) -> Option<String> {
        let mut step = self.lock();
        let Step { doing, since, is_told, .. } = step.as_mut()?;
        if *is_told || now.saturating_duration_since(*since) < REMINDER {
            return None;
        }
        *is_told = true;
        let limit = mcp_text::time_limit(REMINDER);
        Some(format!("note: still {doing} after {limit}; no limit ends that but --timeout\n"))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Step>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What closing connections may take: `usual`, and no more than a moment where the deadline has passed.
pub(crate) fn closing_time(deadline: Option<Deadline>, usual: Duration) -> Duration {
    deadline.map_or(usual, |deadline| usual.min(deadline.left().max(LAST_WORDS / 3)))
}

/// Carries `command` out, and has `tell` say what it is waiting for, where that lasts.
pub(crate) async fn telling<T>(
    reached: &CommandProgress,
    tell: impl Fn(&str),
    command: impl Future<Output = T>,
) -> T {
    looking(LOOK, || reached.waited_for(Instant::now()).iter().for_each(|text| tell(text)), command).await
}

/// Carries `command` out, which nothing limits, and has `tell` say once that it lasts.
pub(crate) async fn reminding<T>(
    reached: &CommandProgress,
    tell: impl Fn(&str),
    command: impl Future<Output = T>,
) -> T {
    looking(SILENCE, || reached.reminder(Instant::now()).iter().for_each(|text| tell(text)), command).await
}

/// Carries `command` out, and looks at how it goes after each `pause`.
async fn looking<T>(pause: Duration, look: impl Fn(), command: impl Future<Output = T>) -> T {
    let mut command = std::pin::pin!(command);
    loop {
        match tokio::time::timeout(pause, &mut command).await {
            Ok(ended) => return ended,
            Err(_) => look(),
        }
    }
}

/// Carries `command` out, as long as there is time. Commands that know more at their deadline say it themselves; whatever
/// else takes longer is dropped where it stands, as by Ctrl-C.
pub(crate) async fn within(
    deadline: Option<Deadline>,
    reached: &CommandProgress,
    steps: &Steps,
    command: impl Future<Output = Result<ExitStatus, CliError>>,
) -> Result<ExitStatus, CliError> {
    let Some(deadline) = deadline else { return command.await };
    timeout_at(deadline.at + LAST_WORDS, command).await.unwrap_or_else(|_| {
        let message = format!("there was no result within {}", deadline.text());
        let error = CliError::new(ExitStatus::Pending, "timeout", message);
        Err(match reached.lock().clone() {
            Some(Step { doing, next, .. }) => {
                error.why(format!("it was still {doing}")).next(steps.step(next))
            }
            None => error.why("what was still missing has been given up").next("mcplink status"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fh_h13_what_is_waited_for_is_told_after_a_second() {
        let reached = CommandProgress::default();
        let told = |seconds| reached.waited_for(Instant::now() + Duration::from_millis(seconds));
        assert_eq!(told(5_000), None, "nothing is waited for yet");
        reached.is("connecting to wiki", "");
        assert_eq!(told(900), None);
        assert_eq!(told(1_100).as_deref(), Some("connecting to wiki … 1 s"));
        assert_eq!(told(61_100).as_deref(), Some("connecting to wiki … 61 s"));
        // Each step has a second of its own.
        reached.is("waiting for an answer of wiki", "");
        assert_eq!(told(900), None);
    }

    #[test]
    fn a_wait_without_a_limit_is_told_once_where_no_terminal_shows_it() {
        let reached = CommandProgress::default();
        let told = |seconds| reached.reminder(Instant::now() + Duration::from_secs(seconds));
        assert_eq!(told(500), None, "nothing is waited for yet");
        reached.is("waiting for an answer of wiki", "");
        assert_eq!(told(29), None);
        assert_eq!(
            told(31).as_deref(),
            Some("note: still waiting for an answer of wiki after 30 s; no limit ends that but --timeout\n")
        );
        assert_eq!(told(500), None, "once");
    }

    #[test]
    fn a_limit_beyond_the_end_of_time_is_one() {
        assert!(!Deadline::after(Duration::MAX).is_over());
        assert!(Deadline::after(Duration::ZERO).is_over());
        let usual = Duration::from_secs(3);
        assert_eq!(closing_time(None, usual), usual);
        assert_eq!(closing_time(Some(Deadline::after(Duration::MAX)), usual), usual);
        assert_eq!(closing_time(Some(Deadline::after(Duration::ZERO)), usual), LAST_WORDS / 3);
    }
}
