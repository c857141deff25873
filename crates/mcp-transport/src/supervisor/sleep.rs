//! Noticing that the machine slept, or that this process did.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// How often the clocks are compared.
const TICK: Duration = Duration::from_secs(5);
/// How much more than a tick must have passed. Sockets survive a shorter pause, and a busy machine is late too.
const JUMP: Duration = Duration::from_secs(10);

/// Notices that the machine slept: by the wall clock, which goes on where the monotonic one may stand still, and
/// by the monotonic one, which shows that the process alone was stopped. Cheap to clone; all clones are the same.
///
/// One timer, every 5 s, serves however many supervisors share it, so idle connections cost nothing each; beside
/// it the clocks are compared whenever a connection is used, because a caller may be faster than the timer after
/// a sleep. It ends with the last clone. A wall clock that is set forward counts as a sleep: that costs one
/// connection more than needed.
#[derive(Clone)]
pub struct SleepWatch(Arc<Inner>);

struct Inner {
    clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
    last: Mutex<ClockReading>,
    woke: watch::Sender<Option<Instant>>,
    _ticker: AbortOnDropHandle<()>,
}

struct ClockReading {
    at: Instant,
    wall: SystemTime,
}

impl SleepWatch {
    /// Starts watching. Must be called inside a tokio runtime.
    pub fn start() -> Self {
        Self::with_clock(SystemTime::now)
    }

    /// The same by another wall clock.
    pub fn with_clock(clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new_cyclic(|this| {
            let last = Mutex::new(ClockReading { at: Instant::now(), wall: clock() });
            let ticker = tokio::spawn(tick(this.clone()));
            Inner {
                clock: Box::new(clock),
                last,
                woke: watch::Sender::new(None),
                _ticker: AbortOnDropHandle::new(ticker),
            }
        }))
    }

    /// The wall clock that it watches.
    pub(crate) fn now(&self) -> SystemTime {
        (self.0.clock)()
    }

    /// Compares the clocks now, and returns when the machine woke last.
    pub(crate) fn look(&self) -> Option<Instant> {
        self.0.look()
    }

    /// Changes with every wake.
    pub(crate) fn wakes(&self) -> watch::Receiver<Option<Instant>> {
        self.0.woke.subscribe()
    }
}

impl Inner {
    fn look(&self) -> Option<Instant> {
        let (at, wall) = (Instant::now(), (self.clock)());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let monotonic = at.saturating_duration_since(last.at);
        // A clock that was set back says nothing.
        let passed = wall.duration_since(last.wall).unwrap_or_default().max(monotonic);
        *last = ClockReading { at, wall };
        if passed >= TICK + JUMP {
            tracing::info!(seconds = passed.as_secs(), "this machine or process was asleep");
            self.woke.send_replace(Some(at));
        }
        // Still under the lock, so that no later reader misses it.
        *self.woke.borrow()
    }
}

async fn tick(watch: Weak<Inner>) {
    loop {
        tokio::time::sleep(TICK).await;
        let Some(watch) = watch.upgrade() else { return };
        watch.look();
    }
}

impl fmt::Debug for SleepWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SleepWatch").field("woke", &*self.0.woke.borrow()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A wall clock that follows tokio's clock, and can be set.
    fn clock() -> (Arc<Mutex<Duration>>, impl Fn() -> SystemTime + Send + Sync) {
        let offset = Arc::new(Mutex::new(Duration::ZERO));
        let (set, began) = (offset.clone(), Instant::now());
        let base = SystemTime::UNIX_EPOCH + secs(1_000_000);
        (set, move || base + began.elapsed() + *offset.lock().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn time_that_passes_is_no_sleep() {
        let (_, clock) = clock();
        let watch = SleepWatch::with_clock(clock);
        tokio::time::sleep(secs(3600)).await;
        assert_eq!(watch.look(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_jumps_is_a_sleep_seen_by_the_next_tick() {
        let (offset, clock) = clock();
        let watch = SleepWatch::with_clock(clock);
        let mut wakes = watch.wakes();
        tokio::time::sleep(secs(12)).await;
        *offset.lock().unwrap() = secs(3600);
        let before = Instant::now();
        tokio::time::timeout(secs(60), wakes.changed()).await.expect("it is noticed").unwrap();
        assert!(before.elapsed() <= TICK);
        assert!(wakes.borrow().is_some());
        tokio::time::sleep(secs(60)).await;
        assert!(!wakes.has_changed().unwrap(), "one sleep, one wake");
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_of_a_connection_sees_it_before_the_tick() {
        let (offset, clock) = clock();
        let watch = SleepWatch::with_clock(clock);
        *offset.lock().unwrap() = secs(60);
        assert_eq!(watch.look(), Some(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn small_steps_and_steps_back_are_no_sleep() {
        let (offset, clock) = clock();
        let watch = SleepWatch::with_clock(clock);
        *offset.lock().unwrap() = secs(14);
        assert_eq!(watch.look(), None);
        *offset.lock().unwrap() = secs(0);
        assert_eq!(watch.look(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_was_stopped_slept_although_both_clocks_went_on() {
        for set_back in [0, 100] {
            let (offset, clock) = clock();
            *offset.lock().unwrap() = secs(set_back);
            let watch = SleepWatch::with_clock(clock);
            *offset.lock().unwrap() = secs(0);
            tokio::time::advance(secs(60)).await;
            assert!(watch.look().is_some());
        }
    }

    #[tokio::test]
    async fn the_timer_ends_with_the_last_clone() {
        let watch = SleepWatch::start();
        let metrics = tokio::runtime::Handle::current().metrics();
        assert_eq!(metrics.num_alive_tasks(), 1);
        drop(watch.clone());
        drop(watch);
        while metrics.num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
