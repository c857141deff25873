//! Whether a server that was asked something has said anything since.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The signs of life of one server, over all requests of one connection.
///
/// Only requests that are on the wire count: while a source of credentials works, the server has nothing to answer.
/// Every byte of every answer is a sign of life, whichever request it belongs to. A wire that does not tell when
/// it sends is never quiet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activity(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    written_off: Notify,
    /// Rings where the server owes an answer and has been quiet for a while.
    alarm: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// How many requests wait for the end of their answer.
    asked: usize,
    /// When the server was heard last, be it a refusal, or when the first of these requests was sent, whichever is
    /// later.
    since: Option<Instant>,
    /// When the server last answered a request otherwise than by a refusal.
    served: Option<Instant>,
    /// How often the server was given up.
    epoch: u64,
    /// How many callers wait for the alarm, whether one has begun to since it was last looked at, and whether its timer runs.
    listeners: usize,
    has_new_listener: bool,
    is_alarm_set: bool,
}

impl Activity {
    /// A request is being sent; it counts as long as the guard lives.
    pub(crate) fn asked(&self) -> PendingAnswer {
        let mut state = self.state();
        if state.asked == 0 {
            state.since = Some(Instant::now());
        }
        state.asked += 1;
        PendingAnswer { activity: self.clone(), epoch: state.epoch }
    }

    /// What is unanswered by now will hardly be answered any more, and says nothing about what is asked later.
    pub(crate) fn write_off(&self) {
        {
            let mut state = self.state();
            state.asked = 0;
            state.epoch += 1;
        }
        self.0.written_off.notify_waiters();
    }

    /// Returns at the next [`write_off`](Self::write_off): a stream that is being read may be dead without knowing.
    pub(crate) async fn written_off(&self) {
        self.0.written_off.notified().await;
    }

    /// A request has its answer, and that is not a refusal: a server that refuses everything is heard, and serves nothing.
    pub(crate) fn served(&self) {
        self.state().served = Some(Instant::now());
    }

    /// When the server last served a request.
    pub(crate) fn last_served(&self) -> Option<Instant> {
        self.state().served
    }

    /// Returns when the server owes an answer and has said nothing for `limit`, counted from `began` on.
    pub(crate) async fn quiet_for(&self, limit: Duration, began: Instant) {
        loop {
            let wake = match self.quiet_since().map(|since| since.max(began)) {
                Some(since) if since.elapsed() >= limit => return,
                Some(since) => since + limit,
                // Nothing can have been unanswered for long before then.
                None => Instant::now() + limit,
            };
            tokio::time::sleep_until(wake).await;
        }
    }

    /// The same for the many requests that are answered long before: they share one timer, which goes on from one to the next
    /// while there are any. A timer of its own for each wakes the thread that waits for all of them, by two system calls.
    pub(crate) async fn falls_quiet_for(&self, limit: Duration, began: Instant) {
        {
            let mut rings = pin!(self.0.alarm.notified());
            // Registered before the alarm is set, so that it is not missed.
            rings.as_mut().enable();
            let _listener = self.listen(limit);
            rings.await;
        }
        // The alarm counts from the last sign of life, which may have been before this request.
        self.quiet_for(limit, began).await;
    }

    /// Sets the alarm, unless it is set.
    fn listen(&self, limit: Duration) -> AlarmListener<'_> {
        let mut state = self.state();
        state.listeners += 1;
        state.has_new_listener = true;
        if !std::mem::replace(&mut state.is_alarm_set, true) {
            tokio::spawn(ring(Arc::downgrade(&self.0), limit));
        }
        AlarmListener(self)
    }

    fn quiet_since(&self) -> Option<Instant> {
        self.state().quiet_since()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn quiet_since(&self) -> Option<Instant> {
        self.since.filter(|_| self.asked > 0)
    }
}

/// A request that waits for the alarm.
struct AlarmListener<'a>(&'a Activity);

impl Drop for AlarmListener<'_> {
    fn drop(&mut self) {
        self.0.state().listeners -= 1;
    }
}

/// Rings whenever the server has been quiet for `limit`, until no request has begun for as long.
async fn ring(activity: Weak<Inner>, limit: Duration) {
    let mut wake = Instant::now() + limit;
    loop {
        tokio::time::sleep_until(wake).await;
        let Some(activity) = activity.upgrade() else { return };
        let mut state = activity.state();
        let now = Instant::now();
        let is_used = std::mem::take(&mut state.has_new_listener) || state.listeners > 0;
        wake = match state.quiet_since() {
            _ if !is_used => {
                // Under the lock, so that the next listener sets it again.
                state.is_alarm_set = false;
                return;
            }
            Some(since) if since + limit > now => since + limit,
            Some(_) => {
                activity.alarm.notify_waiters();
                now + limit
            }
            // Nothing can have been unanswered for long before then.
            None => now + limit,
        };
    }
}

/// One request that waits for the end of its answer.
#[derive(Debug)]
pub(crate) struct PendingAnswer {
    activity: Activity,
    epoch: u64,
}

impl PendingAnswer {
    /// Something of its answer has arrived.
    pub(crate) fn heard(&self) {
        self.activity.state().since = Some(Instant::now());
    }
}

impl Drop for PendingAnswer {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        if state.epoch == self.epoch {
            state.asked -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Activity {
        fn is_quiet_for(&self, limit: Duration) -> bool {
            self.quiet_since().is_some_and(|since| since.elapsed() >= limit)
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn silence_counts_from_the_first_question_or_the_last_sign_of_life() {
        let activity = Activity::default();
        tokio::time::sleep(10 * SECOND).await;
        assert!(!activity.is_quiet_for(SECOND), "nothing was asked");
        let first = activity.asked();
        tokio::time::sleep(SECOND).await;
        let second = activity.asked();
        assert!(activity.is_quiet_for(SECOND) && !activity.is_quiet_for(2 * SECOND));
        second.heard();
        assert!(!activity.is_quiet_for(SECOND));
        drop(second);
        let before = Instant::now();
        activity.quiet_for(SECOND, before).await;
        assert_eq!(before.elapsed(), SECOND, "the first one is still owed");
        activity.quiet_for(3 * SECOND, before + SECOND).await;
        assert_eq!(before.elapsed(), 4 * SECOND, "what was before says nothing");
        drop(first);
        assert!(!activity.is_quiet_for(SECOND));
        assert_eq!(activity.last_served(), None, "what was heard may have been a refusal");
        activity.served();
        assert_eq!(activity.last_served(), Some(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_share_an_alarm_hear_it_when_each_of_them_has_waited_long_enough() {
        let activity = Activity::default();
        let (half, begin) = (SECOND / 2, Instant::now());
        // Answered before: the alarm stays set for the next one.
        let asked = activity.asked();
        assert!(tokio::time::timeout(half, activity.falls_quiet_for(SECOND, begin)).await.is_err());
        drop(asked);
        let _owed = activity.asked();
        let began = Instant::now();
        let later = async {
            tokio::time::sleep(half).await;
            activity.falls_quiet_for(SECOND, Instant::now()).await;
            began.elapsed()
        };
        let first = async {
            activity.falls_quiet_for(SECOND, began).await;
            began.elapsed()
        };
        assert_eq!(tokio::join!(first, later), (SECOND, SECOND + half));
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_is_heard_by_who_waits_for_credentials_first_and_ends_with_the_last_request() {
        let activity = Activity::default();
        let metrics = tokio::runtime::Handle::current().metrics();
        let began = Instant::now();
        let sending = async {
            // Nothing is owed for a while; then it is.
            tokio::time::sleep(5 * SECOND).await;
            let _asked = activity.asked();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = sending => {}
            () = activity.falls_quiet_for(SECOND, began) => {}
        }
        assert_eq!(began.elapsed(), 6 * SECOND);
        tokio::time::sleep(3 * SECOND).await;
        assert_eq!(metrics.num_alive_tasks(), 0, "an idle connection has no timer");
        let _asked = activity.asked();
        let again = Instant::now();
        activity.falls_quiet_for(SECOND, again).await;
        assert_eq!(again.elapsed(), SECOND, "it is set again");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_written_off_is_no_silence() {
        let activity = Activity::default();
        let stuck = activity.asked();
        tokio::time::sleep(SECOND).await;
        activity.write_off();
        assert!(!activity.is_quiet_for(SECOND));
        let next = activity.asked();
        drop(stuck);
        tokio::time::sleep(SECOND).await;
        assert!(activity.is_quiet_for(SECOND), "the next one counts, whatever becomes of the first");
        drop(next);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_is_asked_later_is_waited_for() {
        let activity = Activity::default();
        let waiting = tokio::spawn({
            let activity = activity.clone();
            async move { activity.quiet_for(SECOND, Instant::now()).await }
        });
        tokio::time::sleep(10 * SECOND).await;
        assert!(!waiting.is_finished());
        let _asked = activity.asked();
        tokio::time::timeout(2 * SECOND, waiting).await.unwrap().unwrap();
    }
}
