//! How long a connection may be idle and still be used again, as its server says (`Keep-Alive: timeout=5`).
//!
//! A server that closes a connection at the moment a request is written to it leaves the question open whether the request
//! was seen. So such a connection ends here, a second before the server would do it: its socket is at its end.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::{Instant, Sleep};

/// What is left of the time that the server names when the connection ends.
const MARGIN: Duration = Duration::from_secs(1);
/// The header of what a server says of the connection. It says nothing over HTTP/2.
const KEEP_ALIVE: &str = "keep-alive";

/// What is known of one connection, to its socket and to what reads its answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Idleness(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// How long it may be idle, where that is bounded.
    allowed: Option<Duration>,
    /// Since when it is, where it is.
    since: Option<Instant>,
    /// The socket looks again by itself, no later than it has to.
    is_timed: bool,
    /// What reads from the socket.
    reader: Option<Waker>,
}

impl Idleness {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It may be idle no longer than the server says in the head of an answer, nor than `most`.
    pub(super) fn bound(&self, headers: &HeaderMap, most: Option<Duration>) {
        let said = headers.get(KEEP_ALIVE).and_then(|value| allowed_by(value.to_str().ok()?));
        if let Some(allowed) = said.into_iter().chain(most).min() {
            let mut state = self.state();
            // Of two bounds that came one after the other, the tighter one holds.
            state.allowed = Some(state.allowed.map_or(allowed, |before| before.min(allowed)));
        }
    }

    /// An answer has ended.
    pub(super) fn begins(&self) {
        let mut state = self.state();
        if state.allowed.is_none() {
            return;
        }
        state.since = Some(Instant::now());
        let reader = if state.is_timed { None } else { state.reader.take() };
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// A request is written.
    pub(super) fn ends(&self) {
        self.state().since = None;
    }

    /// Whether the connection has been idle for as long as it may; otherwise the reader is woken when it is to ask again.
    pub(super) fn is_over(&self, context: &mut Context<'_>, timer: &mut Option<Pin<Box<Sleep>>>) -> bool {
        let mut state = self.state();
        state.is_timed = false;
        let (Some(allowed), Some(since)) = (state.allowed, state.since) else {
            if !state.reader.as_ref().is_some_and(|reader| reader.will_wake(context.waker())) {
                state.reader = Some(context.waker().clone());
            }
            return false;
        };
        let until = since + allowed;
        let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        match timer.as_mut().poll(context) {
            Poll::Ready(()) => true,
            Poll::Pending => {
                state.is_timed = true;
                false
            }
        }
    }
}

/// The seconds of `timeout=` without the margin (RFC 2068 section 19.7.1.1, as servers write it).
fn allowed_by(value: &str) -> Option<Duration> {
    let mut parameters = value.split(',').filter_map(|parameter| parameter.split_once('='));
    let (_, seconds) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))?;
    let seconds = seconds.trim().trim_matches('"').parse().ok()?;
    Some(Duration::from_secs(seconds).saturating_sub(MARGIN))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn headers(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static(KEEP_ALIVE),
            http::HeaderValue::from_static(value),
        )])
    }

    /// Waits until the connection has been idle for as long as it may, and says how long that took.
    async fn over(idleness: &Idleness) -> Duration {
        let (began, mut timer) = (Instant::now(), None);
        poll_fn(
            |context| if idleness.is_over(context, &mut timer) { Poll::Ready(()) } else { Poll::Pending },
        )
        .await;
        began.elapsed()
    }

    #[test]
    fn what_a_server_says_of_its_connection_is_read() {
        for (value, seconds) in [
            ("timeout=5", Some(4)),
            ("timeout=5, max=100", Some(4)),
            ("max=3 , Timeout = 60", Some(59)),
            ("timeout=\"5\"", Some(4)),
            ("timeout=1", Some(0)),
            ("timeout=0", Some(0)),
            ("timeout=-1", None),
            ("timeout=", None),
            ("timeout", None),
            ("max=5", None),
            ("timeouts=5", None),
            ("timeout=99999999999999999999999", None),
            ("", None),
        ] {
            assert_eq!(allowed_by(value), seconds.map(Duration::from_secs), "{value}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_a_second_before_its_server_ends_it() {
        let idleness = Idleness::default();
        let (reader, other) = (idleness.clone(), idleness.clone());
        // It is read from before anything is known.
        let reading = tokio::spawn(async move { over(&reader).await });
        tokio::task::yield_now().await;
        other.bound(&headers("timeout=5"), None);
        other.begins();
        assert_eq!(reading.await.unwrap(), Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_takes_long_is_no_idleness_and_each_one_begins_it_again() {
        let idleness = Idleness::default();
        let (reader, other) = (idleness.clone(), idleness.clone());
        let reading = tokio::spawn(async move { over(&reader).await });
        other.bound(&headers("timeout=5"), None);
        other.begins();
        tokio::time::sleep(Duration::from_secs(3)).await;
        other.ends();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!reading.is_finished());
        other.begins();
        tokio::time::sleep(Duration::from_secs(2)).await;
        other.ends();
        other.begins();
        assert_eq!(reading.await.unwrap(), Duration::from_secs(3 + 60 + 2 + 4));
    }

    #[tokio::test(start_paused = true)]
    async fn the_tighter_bound_holds() {
        for (value, most, seconds) in [("timeout=60", 4, 4), ("timeout=3", 4, 2), ("", 4, 4)] {
            let idleness = Idleness::default();
            idleness.bound(&headers(value), Some(Duration::from_secs(most)));
            // What is said later of another answer takes nothing back.
            idleness.bound(&headers("timeout=90"), None);
            idleness.begins();
            assert_eq!(over(&idleness).await, Duration::from_secs(seconds), "{value}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_bound_a_connection_is_kept() {
        let idleness = Idleness::default();
        idleness.bound(&headers("max=100"), None);
        idleness.begins();
        let waited = tokio::time::timeout(Duration::from_secs(600), over(&idleness)).await;
        assert!(waited.is_err());
    }
}
