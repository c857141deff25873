//! How long a source that is unavailable is left alone, for every caller.

use std::time::Duration;

use crate::{AuthError, AuthErrorKind};

/// The wait after the first failure in a row; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait that is ours. A source that works again is asked no later than this after.
const LONGEST: Duration = Duration::from_secs(16);
/// The longest wait that a source can ask for.
const MOST_ASKED: Duration = Duration::from_secs(60);

/// The failures in a row of one source, where another try may work later. Times are those of any clock of its owner.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    failures: u32,
    last: Option<(Duration, Duration, AuthError)>,
}

impl Pause {
    /// Counts a failure at `now`: 1, 2, 4, 8, 16 s, and no less than the source asks for. A failure of another kind is not
    /// mended by waiting, and ends the row.
    pub(crate) fn begin(&mut self, error: &AuthError, now: Duration) {
        if error.kind() != AuthErrorKind::Unavailable {
            return self.end();
        }
        let ours = FIRST.saturating_mul(1 << self.failures.min(8)).min(LONGEST);
        let asked = error.retry_after().unwrap_or_default().min(MOST_ASKED);
        self.failures += 1;
        self.last = Some((now, ours.max(asked), error.clone()));
    }

    /// The source works, or is another one.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }

    /// The last failure with what is left of the wait; `None` where the source may be asked. A clock that was set back ends it.
    pub(crate) fn failure(&self, now: Duration) -> Option<AuthError> {
        let (began, wait, error) = self.last.as_ref()?;
        let left = wait.checked_sub(now.checked_sub(*began)?)?;
        (!left.is_zero()).then(|| error.clone().with_retry_after(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_double_have_an_end_and_are_no_shorter_than_asked_for() {
        let secs = Duration::from_secs;
        let mut now = secs(1_000_000);
        let failed = |asked: Option<u64>| {
            let error = AuthError::new(AuthErrorKind::Unavailable, "get a token");
            asked.map_or_else(|| error.clone(), |asked| error.clone().with_retry_after(secs(asked)))
        };
        let mut pause = Pause::default();
        for (asked, wait) in
            [(None, 1), (None, 2), (Some(20), 20), (Some(1), 8), (None, 16), (None, 16), (Some(3600), 60)]
        {
            assert!(pause.failure(now).is_none());
            pause.begin(&failed(asked), now);
            let left = |at| pause.failure(at).and_then(|error| error.retry_after());
            assert_eq!(left(now), Some(secs(wait)), "{asked:?}");
            assert_eq!(left(now + secs(wait) - Duration::from_millis(1)), Some(Duration::from_millis(1)));
            assert_eq!(left(now - secs(1)), None, "the clock was set back");
            now += secs(wait);
        }
        pause.end();
        pause.begin(&failed(None), now);
        assert_eq!(pause.failure(now).unwrap().retry_after(), Some(secs(1)), "the row begins again");
        pause.begin(&AuthError::new(AuthErrorKind::SourceFailed, "x"), now);
        assert!(pause.failure(now).is_none(), "waiting mends what is unavailable, and nothing else");
    }
}
