//! Who wants to be told of which changes, in the terms of both eras.
//!
//! A legacy host is told of every change of a list and subscribes to resources one by one; a modern host opens
//! streams, each with a filter. Changes of lists are heard over every connection, so what is left to ask the server
//! for are resources: one set of them, the union of all wishes, which outlives connections.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mcp_transport::message::methods::{PROMPTS_CHANGED, RESOURCE_UPDATED, RESOURCES_CHANGED, TOOLS_CHANGED};
use mcp_transport::message::{Members, RequestId, meta};
use mcp_transport::subscription::SubscriptionFilter;
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::splice::{string, with_meta};

fn admits(filter: &SubscriptionFilter, method: &str, uri: Option<&str>) -> bool {
    match method {
        TOOLS_CHANGED => filter.tools,
        PROMPTS_CHANGED => filter.prompts,
        RESOURCES_CHANGED => filter.resources,
        RESOURCE_UPDATED => uri.is_some_and(|uri| filter.resource_uris.iter().any(|wanted| wanted == uri)),
        _ => false,
    }
}

/// The wishes of all connections.
#[derive(Debug)]
pub struct Subscriptions {
    state: Mutex<State>,
    resources: watch::Sender<BTreeSet<String>>,
}

#[derive(Debug, Default)]
struct State {
    /// The resources of a legacy host.
    legacy: BTreeSet<String>,
    /// The streams of modern hosts.
    streams: HashMap<RequestId, SubscriptionFilter>,
}

impl Default for Subscriptions {
    fn default() -> Self {
        Self { state: Mutex::default(), resources: watch::Sender::new(BTreeSet::new()) }
    }
}

impl Subscriptions {
    /// The resources that are wanted of the server, and each change of it.
    pub fn resources(&self) -> watch::Receiver<BTreeSet<String>> {
        self.resources.subscribe()
    }

    /// A legacy host wants to hear of a resource, or does so no more.
    pub fn want_resource(&self, uri: String, wanted: bool) {
        self.change(|state| if wanted { state.legacy.insert(uri) } else { state.legacy.remove(&uri) });
    }

    /// A modern host opens a stream.
    pub fn open(&self, id: RequestId, filter: SubscriptionFilter) {
        self.change(|state| state.streams.insert(id, filter));
    }

    /// A stream ends; whether there was one.
    pub fn close(&self, id: &RequestId) -> bool {
        self.change(|state| state.streams.remove(id)).is_some()
    }

    /// Whether a stream is open.
    pub(crate) fn is_heard(&self) -> bool {
        !self.state().streams.is_empty()
    }

    /// Ends every stream.
    pub fn close_all(&self) -> Vec<RequestId> {
        self.change(|state| state.streams.drain().map(|(id, _)| id).collect())
    }

    /// Whether a legacy host wants to hear of this change of a resource.
    pub fn wants(&self, method: &str, params: Option<&RawValue>) -> bool {
        uri_of(method, params).is_some_and(|uri| self.state().legacy.contains(&uri))
    }

    /// Hands a change to each stream that wants it.
    pub fn deliver(&self, method: &str, params: Option<&RawValue>, mut tell: impl FnMut(&str, &RawValue)) {
        let uri = uri_of(method, params);
        for (id, filter) in &self.state().streams {
            if admits(filter, method, uri.as_deref()) {
                tell(method, &with_meta(params, |_| false, &[(meta::SUBSCRIPTION_ID, &id_text(id))]));
            }
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let outcome = change(&mut state);
        let mut union = state.legacy.clone();
        union.extend(state.streams.values().flat_map(|filter| filter.resource_uris.iter().cloned()));
        self.resources.send_if_modified(|known| {
            let changed = *known != union;
            *known = union;
            changed
        });
        outcome
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn uri_of(method: &str, params: Option<&RawValue>) -> Option<String> {
    let params = params.filter(|_| method == RESOURCE_UPDATED)?;
    Members::read(params.get())?.get("uri").and_then(crate::splice::text)
}

/// An id as it stands on the wire.
pub(crate) fn id_text(id: &RequestId) -> String {
    match id {
        RequestId::Number(number) => number.to_string(),
        RequestId::String(text) => string(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splice::raw;

    fn delivered(subscriptions: &Subscriptions, method: &str, params: Option<&str>) -> Vec<String> {
        let params = params.map(raw);
        let mut delivered = Vec::new();
        subscriptions.deliver(method, params.as_deref(), |_, params| delivered.push(params.get().to_owned()));
        delivered.sort();
        delivered
    }

    #[test]
    fn each_stream_hears_what_it_asked_for_under_its_own_id() {
        let subscriptions = Subscriptions::default();
        let resources = subscriptions.resources();
        let filter = |text: &str| serde_json::from_str::<SubscriptionFilter>(text).unwrap();
        subscriptions.open(RequestId::Number(1), filter(r#"{"toolsListChanged":true}"#));
        subscriptions.open(
            RequestId::String("r".into()),
            filter(r#"{"toolsListChanged":true,"resourceSubscriptions":["a","b"]}"#),
        );
        assert_eq!(
            delivered(&subscriptions, "notifications/tools/list_changed", None),
            [
                r#"{"_meta":{"io.modelcontextprotocol/subscriptionId":"r"}}"#,
                r#"{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}"#,
            ]
        );
        let updated = delivered(
            &subscriptions,
            RESOURCE_UPDATED,
            Some(r#"{"uri":"a","_meta":{"io.modelcontextprotocol/subscriptionId":99}}"#),
        );
        assert_eq!(updated, [r#"{"_meta":{"io.modelcontextprotocol/subscriptionId":"r"},"uri":"a"}"#]);
        assert!(delivered(&subscriptions, RESOURCE_UPDATED, Some(r#"{"uri":"c"}"#)).is_empty());
        assert!(delivered(&subscriptions, "notifications/prompts/list_changed", None).is_empty());
        subscriptions.want_resource("c".into(), true);
        for (uri, wanted) in [("c", true), ("a", false)] {
            let params = raw(format!(r#"{{"uri":"{uri}"}}"#));
            assert_eq!(subscriptions.wants(RESOURCE_UPDATED, Some(&params)), wanted, "{uri}");
        }
        assert_eq!(Vec::from_iter(resources.borrow().iter().cloned()), ["a", "b", "c"]);
        assert!(subscriptions.close(&RequestId::String("r".into())));
        assert!(!subscriptions.close(&RequestId::String("r".into())));
        assert_eq!(Vec::from_iter(resources.borrow().iter().cloned()), ["c"]);
        assert_eq!(subscriptions.close_all(), [RequestId::Number(1)]);
        subscriptions.want_resource("c".into(), false);
        assert!(resources.borrow().is_empty());
    }
}
