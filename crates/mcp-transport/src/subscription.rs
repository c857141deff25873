//! What a modern server tells by itself: the answer to `subscriptions/listen`, which is a stream without an end, and
//! when it is opened again (2026-07-28, basic, patterns, subscriptions).

pub(crate) mod filter;
pub(crate) mod legacy;
pub(crate) mod streams;

use std::collections::VecDeque;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mcp_status::classify;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::DropGuard;

use crate::error::{TimeoutStage, TransportError, TransportErrorKind};
use crate::hub::Inbox;
use crate::retry::RetryPolicy;
use crate::wire::request::WireRequest;
use crate::wire::{CancelOnDrop, Wire};

pub use self::filter::SubscriptionFilter;
use self::streams::SubscriptionEvent;
pub use crate::renewals::SessionRenewals;

const LISTEN: &str = "subscriptions/listen";

/// A subscription that stands. It ends when this is dropped, or with its connection.
///
/// In the modern era its stream is closed then; in the legacy era the server gets a `resources/unsubscribe` for each
/// resource that no other subscription of the connection names.
#[derive(Debug)]
pub struct Subscription {
    acknowledged: SubscriptionFilter,
    _end: DropGuard,
}

impl Subscription {
    pub(crate) fn new(acknowledged: SubscriptionFilter, end: DropGuard) -> Self {
        Self { acknowledged, _end: end }
    }

    /// What the server has agreed to tell: what was asked for, or less.
    pub fn acknowledged(&self) -> &SubscriptionFilter {
        &self.acknowledged
    }
}

pub(crate) fn not_acknowledged() -> TransportError {
    let kind = TransportErrorKind::Timeout { stage: TimeoutStage::FirstByte };
    TransportError::new(kind, "the server did not acknowledge the subscription")
}

/// Keeps one subscription open. It holds the wire and not the connection, which may end before it.
pub(crate) struct SubscriptionTask {
    pub(crate) wire: Arc<Wire>,
    pub(crate) hub: Arc<Inbox>,
    /// Where the ids of requests come from.
    pub(crate) ids: Arc<AtomicI64>,
    pub(crate) first_byte: Duration,
    pub(crate) filter: SubscriptionFilter,
}

/// Told what the server has decided about a subscription, once.
pub(crate) type OpenReply = oneshot::Sender<Result<SubscriptionFilter, TransportError>>;

impl SubscriptionTask {
    /// Opens the stream, and again after it has ended, until the server declines or has ended it too often.
    pub(crate) async fn run(&self, opened: OpenReply) {
        let mut opened = Some(opened);
        let mut reopening = ReopenPace::default();
        loop {
            let since = Instant::now();
            let ended = self.follow(&mut opened).await;
            tracing::debug!(?ended, "a subscription has ended");
            // A server that ends a stream in good order wants it closed now, not permanently.
            let passing = ended.as_ref().err().is_none_or(|error| classify(&error.evidence()).is_retryable());
            if let Some(opened) = opened.take() {
                let error = ended.err().unwrap_or_else(|| {
                    let message = "the server ended the subscription without acknowledging it";
                    TransportError::new(TransportErrorKind::Protocol, message)
                });
                // The caller may be gone.
                let _ = opened.send(Err(error));
            }
            let now = Instant::now();
            let Some(wait) = reopening.after(now - since, now).filter(|_| passing) else { return };
            tokio::time::sleep(wait).await;
        }
    }

    /// One stream, from its request to its end.
    async fn follow(&self, opened: &mut Option<OpenReply>) -> Result<(), TransportError> {
        let params = serde_json::json!({ "notifications": self.filter }).to_string();
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let mut events = self.hub.follow(id);
        let mut cancel =
            CancelOnDrop { wire: Some(&self.wire), id, reason: "the subscription is not wanted any more" };
        let mut answer = pin!(self.wire.request(WireRequest {
            id,
            method: LISTEN,
            params: Some(&params),
            name: None,
            mirrored: &[],
            endless: true,
            own_metadata: false,
            allowance: self.hub.budget.limits.allowance(LISTEN),
            handler: None,
            limit: None,
            first_byte: self.first_byte,
            watched: None,
            trace: None,
            #[cfg(feature = "http")]
            waiting: None,
        }));
        let ended = loop {
            tokio::select! {
                biased;
                Some(event) = events.recv() => match event {
                    SubscriptionEvent::Acknowledged(filter) => {
                        if filter != self.filter {
                            tracing::debug!(asked = ?self.filter, agreed = ?filter, "a subscription to less");
                        }
                        if let Some(opened) = opened.take() {
                            let _ = opened.send(Ok(filter));
                        }
                    }
                    SubscriptionEvent::Ended => break Ok(()),
                },
                answer = &mut answer => break answer.map(drop),
            }
        };
        // The server has had its last word about it.
        cancel.wire = None;
        ended
    }
}

impl fmt::Debug for SubscriptionTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionTask").field("filter", &self.filter).finish_non_exhaustive()
    }
}

/// A stream that lasted this long was not refused in disguise.
const STEADY: Duration = Duration::from_secs(10);
/// How often a stream is opened again that does not last.
const MAX_BRIEF: u32 = 3;
/// How often in [`WINDOW`] one is opened again that did: servers and proxies may limit how long one may take.
const MAX_STEADY: usize = 5;
const WINDOW: Duration = Duration::from_secs(60 * 60);
/// How long a server that ends its streams more often is left in peace.
const PEACE: Duration = Duration::from_secs(6 * 60 * 60);

/// When a stream that has ended is opened again: a server that ends every stream must not cause a storm of them.
#[derive(Debug, Default)]
struct ReopenPace {
    brief: u32,
    steady: VecDeque<Instant>,
}

impl ReopenPace {
    /// How long to wait after a stream that lasted for `lived`; `None`: it is not opened again.
    fn after(&mut self, lived: Duration, now: Instant) -> Option<Duration> {
        let delays = RetryPolicy::connect();
        if lived < STEADY {
            self.brief += 1;
            return (self.brief <= MAX_BRIEF).then(|| delays.wait(self.brief - 1, None));
        }
        self.brief = 0;
        while self.steady.front().is_some_and(|first| now - *first >= WINDOW) {
            self.steady.pop_front();
        }
        if self.steady.len() >= MAX_STEADY {
            self.steady.clear();
            return Some(PEACE);
        }
        self.steady.push_back(now);
        Some(delays.wait(0, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_never_lasts_is_opened_again_three_times() {
        let now = Instant::now();
        let mut reopening = ReopenPace::default();
        let waits: Vec<_> = (0..5).map(|_| reopening.after(Duration::from_secs(9), now)).collect();
        let at_least: Vec<_> = waits.iter().map(|wait| wait.map(|wait| wait.as_secs_f64().round())).collect();
        assert_eq!(at_least, [Some(1.0), Some(2.0), Some(4.0), None, None]);
    }

    #[test]
    fn a_stream_that_lasts_starts_a_new_streak_and_is_left_in_peace_after_five_in_an_hour() {
        let start = Instant::now();
        let minute = Duration::from_secs(60);
        let mut reopening = ReopenPace::default();
        assert!(reopening.after(Duration::ZERO, start).is_some());
        for turn in 1..=5 {
            let wait = reopening.after(STEADY, start + turn * minute).unwrap();
            assert!(wait < Duration::from_secs(2), "{turn}: {wait:?}");
        }
        assert_eq!(reopening.brief, 0);
        assert_eq!(reopening.after(minute, start + 6 * minute), Some(PEACE));
        // Those of an hour ago do not count.
        let mut rare = ReopenPace::default();
        for turn in 1..=20 {
            assert_ne!(rare.after(minute, start + turn * 15 * minute), Some(PEACE), "{turn}");
        }
    }
}
