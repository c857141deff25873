//! The streams of the subscriptions of one connection.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::message::methods::{SUBSCRIPTION_ACKNOWLEDGED, is_of_connection};
use crate::message::{Members, meta};
use crate::subscription::filter::SubscriptionFilter;

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
        if self.0.is_empty() || !is_of_connection(method) {
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
        let (id, event) = if method == SUBSCRIPTION_ACKNOWLEDGED {
            (params.meta.and_then(subscription), SubscriptionEvent::Acknowledged(params.notifications))
        } else {
            (params.request_id, SubscriptionEvent::Ended)
        };
        // Fails where no follower is left.
        id.and_then(|id| self.0.get(&id)).is_some_and(|follower| follower.send(event).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::methods::CANCELLED;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
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
        assert!(!subscriptions.take(SUBSCRIPTION_ACKNOWLEDGED, Some(&about("8"))));
        assert!(!subscriptions.take(SUBSCRIPTION_ACKNOWLEDGED, Some(&about("\"x\""))));
        assert!(!subscriptions.take("notifications/tools/list_changed", Some(&about("7"))));
        assert!(!subscriptions.take(CANCELLED, Some(&raw(r#"{"requestId":8}"#))));
        assert!(events.try_recv().is_err());
        assert!(subscriptions.take(SUBSCRIPTION_ACKNOWLEDGED, Some(&about("7"))));
        assert!(subscriptions.take(CANCELLED, Some(&raw(r#"{"requestId":7}"#))));
        let tools = SubscriptionFilter { tools: true, ..SubscriptionFilter::new() };
        assert_eq!(events.try_recv().unwrap(), SubscriptionEvent::Acknowledged(tools));
        assert_eq!(events.try_recv().unwrap(), SubscriptionEvent::Ended);
        drop(events);
        assert!(!subscriptions.take(CANCELLED, Some(&raw(r#"{"requestId":7}"#))));
    }
}
