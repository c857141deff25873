//! What a modern server tells by itself: the answer to `subscriptions/listen`, which is a stream without an end, and
//! when it is opened again (2026-07-28, basic, patterns, subscriptions).

pub(crate) mod legacy;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mcp_status::classify;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::DropGuard;

use crate::error::{TimeoutStage, TransportError, TransportErrorKind};
use crate::hub::Inbox;
use crate::message::{Members, meta};
use crate::protocol::handshake::ServerDescription;
use crate::retry::RetryPolicy;
use crate::wire::{CancelOnDrop, Wire, WireRequest};

pub use crate::renewals::Renewals;

const LISTEN: &str = "subscriptions/listen";
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
const CANCELLED: &str = "notifications/cancelled";

/// What a subscription tells of.
///
/// # Examples
///
/// ```
/// use mcp_transport::subscription::SubscriptionFilter;
///
/// assert!(SubscriptionFilter::new().is_empty());
/// let filter = SubscriptionFilter::new().with_resources(["file:///notes.md"]);
/// assert_eq!(filter.resource_uris, ["file:///notes.md"]);
/// ```
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct SubscriptionFilter {
    /// `notifications/tools/list_changed`.
    #[serde(rename = "toolsListChanged", skip_serializing_if = "is_false")]
    pub tools: bool,
    /// `notifications/prompts/list_changed`.
    #[serde(rename = "promptsListChanged", skip_serializing_if = "is_false")]
    pub prompts: bool,
    /// `notifications/resources/list_changed`.
    #[serde(rename = "resourcesListChanged", skip_serializing_if = "is_false")]
    pub resources: bool,
    /// `notifications/resources/updated` for these resources.
    #[serde(rename = "resourceSubscriptions", skip_serializing_if = "Vec::is_empty")]
    pub resource_uris: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

impl SubscriptionFilter {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The changes of every list whose capability says that the server tells of them.
    pub fn list_changes(server: &ServerDescription) -> Self {
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "camelCase", default)]
        struct Settings {
            list_changed: bool,
        }
        let tells = |capability: &str| {
            let settings = server.capabilities.get(capability);
            settings.is_some_and(|raw| {
                serde_json::from_str::<Settings>(raw.get()).unwrap_or_default().list_changed
            })
        };
        let resource_uris = Vec::new();
        Self {
            tools: tells("tools"),
            prompts: tells("prompts"),
            resources: tells("resources"),
            resource_uris,
        }
    }

    /// With updates of these resources.
    #[must_use]
    pub fn with_resources<U: Into<String>>(mut self, uris: impl IntoIterator<Item = U>) -> Self {
        self.resource_uris.extend(uris.into_iter().map(Into::into));
        self
    }

    /// Those of these that `server` tells of: what a server of the legacy era is taken to agree to.
    pub(crate) fn supported_by(self, server: &ServerDescription) -> Self {
        let available = Self::list_changes(server);
        Self {
            tools: self.tools && available.tools,
            prompts: self.prompts && available.prompts,
            resources: self.resources && available.resources,
            ..self
        }
    }

    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

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

/// What happens to one stream beside its notifications.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum SubscriptionEvent {
    /// The server tells of this from now on.
    Acknowledged(SubscriptionFilter),
    /// The server has ended it, on a wire where closing a stream cannot say so (2026-07-28, cancellation).
    Ended,
}

/// See [`SubscriptionEvent`].
pub(crate) type SubscriptionEvents = mpsc::UnboundedReceiver<SubscriptionEvent>;

/// The streams of one connection, by the id of the request that opened them.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(HashMap<i64, mpsc::UnboundedSender<SubscriptionEvent>>);

impl Subscriptions {
    pub(crate) fn follow(&mut self, id: i64) -> SubscriptionEvents {
        self.0.retain(|_, follower| !follower.is_closed());
        let (sender, receiver) = mpsc::unbounded_channel();
        self.0.insert(id, sender);
        receiver
    }

    /// Whether this notification is about one of these streams, and is thereby done with.
    pub(crate) fn take(&mut self, method: &str, params: Option<&RawValue>) -> bool {
        if self.0.is_empty() || !matches!(method, ACKNOWLEDGED | CANCELLED) {
            return false;
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Params<'a> {
            #[serde(rename = "_meta", borrow, default)]
            meta: Option<&'a RawValue>,
            #[serde(default)]
            request_id: Option<i64>,
            #[serde(default)]
            notifications: SubscriptionFilter,
        }
        let subscription = |meta: &RawValue| -> Option<i64> {
            serde_json::from_str(Members::read(meta.get())?.get(meta::SUBSCRIPTION_ID)?.get()).ok()
        };
        let Some(params) = params.and_then(|raw| serde_json::from_str::<Params<'_>>(raw.get()).ok()) else {
            return false;
        };
        let (id, event) = if method == ACKNOWLEDGED {
            (params.meta.and_then(subscription), SubscriptionEvent::Acknowledged(params.notifications))
        } else {
            (params.request_id, SubscriptionEvent::Ended)
        };
        // Fails where no follower is left.
        id.and_then(|id| self.0.get(&id)).is_some_and(|follower| follower.send(event).is_ok())
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
        f.debug_struct("Keeper").field("filter", &self.filter).finish_non_exhaustive()
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

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn a_filter_names_only_what_is_asked_for() {
        let filter = SubscriptionFilter { tools: true, ..SubscriptionFilter::new() };
        assert_eq!(serde_json::to_string(&filter).unwrap(), r#"{"toolsListChanged":true}"#);
        let filter = SubscriptionFilter::new().with_resources(["file:///a"]);
        assert_eq!(serde_json::to_string(&filter).unwrap(), r#"{"resourceSubscriptions":["file:///a"]}"#);
        assert!(!filter.is_empty() && SubscriptionFilter::new().is_empty());
    }

    #[test]
    fn a_notification_about_a_stream_of_ours_is_told_to_its_follower_alone() {
        let mut subscriptions = Subscriptions::default();
        let mut events = subscriptions.follow(7);
        let about = |id: &str| {
            raw(&format!(
                r#"{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}},"notifications":{{"toolsListChanged":true}}}}"#
            ))
        };
        assert!(!subscriptions.take(ACKNOWLEDGED, Some(&about("8"))));
        assert!(!subscriptions.take(ACKNOWLEDGED, Some(&about("\"x\""))));
        assert!(!subscriptions.take("notifications/tools/list_changed", Some(&about("7"))));
        assert!(!subscriptions.take(CANCELLED, Some(&raw(r#"{"requestId":8}"#))));
        assert!(events.try_recv().is_err());
        assert!(subscriptions.take(ACKNOWLEDGED, Some(&about("7"))));
        assert!(subscriptions.take(CANCELLED, Some(&raw(r#"{"requestId":7}"#))));
        let tools = SubscriptionFilter { tools: true, ..SubscriptionFilter::new() };
        assert_eq!(events.try_recv().unwrap(), SubscriptionEvent::Acknowledged(tools));
        assert_eq!(events.try_recv().unwrap(), SubscriptionEvent::Ended);
        drop(events);
        assert!(!subscriptions.take(CANCELLED, Some(&raw(r#"{"requestId":7}"#))));
    }

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
