//! Subscriptions of the legacy era: a request for each resource, in a session that may be renewed (2025-11-25,
//! resources, subscriptions). Changes of lists are told without being asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{OpenReply, SubscriptionFilter};
use crate::error::TransportError;
use crate::limits::Allowance;
use crate::message::object::write_string;
use crate::message::revision::Era;
use crate::wire::Wire;
use crate::wire::request::WireRequest;

const SUBSCRIBE: &str = "resources/subscribe";
const UNSUBSCRIBE: &str = "resources/unsubscribe";

/// How many subscriptions of one connection name each resource: the server is told of the first and of the last.
#[derive(Debug, Default)]
pub(crate) struct SubscriptionCounts(Mutex<BTreeMap<String, usize>>);

impl SubscriptionCounts {
    fn counts(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is named for the first time.
    fn add(&self, uri: &str) -> bool {
        let mut counts = self.counts();
        let count = counts.entry(uri.to_owned()).or_default();
        *count += 1;
        *count == 1
    }

    /// Whether it is not named any more.
    fn remove(&self, uri: &str) -> bool {
        let mut counts = self.counts();
        let Some(count) = counts.get_mut(uri) else { return false };
        *count -= 1;
        let gone = *count == 0;
        if gone {
            counts.remove(uri);
        }
        gone
    }
}

/// Keeps resources subscribed to. Like the task of the other era, it holds the wire and not the connection.
pub(crate) struct Resources {
    pub(crate) wire: Arc<Wire>,
    /// Where the ids of requests come from.
    pub(crate) ids: Arc<AtomicI64>,
    pub(crate) wanted: Arc<SubscriptionCounts>,
    /// The limit of one request.
    pub(crate) limit: Duration,
    /// What its answer may cost.
    pub(crate) allowance: Allowance,
    pub(crate) uris: BTreeSet<String>,
}

impl Resources {
    /// Subscribes to all of them, or to none, and again whenever the session was renewed, until `end`; then tells the
    /// server that they are not wanted any more. Returns without that where the server has gone over to the modern era.
    pub(crate) async fn run(&self, agreed: SubscriptionFilter, opened: OpenReply, end: &CancellationToken) {
        // From before the first request on: what a session forgets in between is asked for again.
        let mut generation = self.wire.generation();
        let outcome = self.subscribe().await.map(|()| agreed);
        let failed = outcome.is_err();
        // The caller may be gone; then `end` has come as well.
        let _ = opened.send(outcome);
        if failed {
            return;
        }
        while end.run_until_cancelled(generation.changed()).await.is_some_and(|changed| changed.is_ok()) {
            if self.wire.server().revision.era() == Era::Modern {
                for uri in &self.uris {
                    self.wanted.remove(uri);
                }
                return;
            }
            for uri in &self.uris {
                if let Err(error) = self.ask(SUBSCRIBE, uri).await {
                    tracing::debug!(%error, "a resource could not be subscribed to again");
                }
            }
        }
        self.release(self.uris.iter(), self.uris.len()).await;
    }

    async fn subscribe(&self) -> Result<(), TransportError> {
        for (index, uri) in self.uris.iter().enumerate() {
            // A second subscription to the same resource is told the same notifications.
            if self.wanted.add(uri)
                && let Err(error) = self.ask(SUBSCRIBE, uri).await
            {
                self.release(self.uris.iter().take(index + 1), index).await;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Wants these no more. The server knows the first `known` of them.
    async fn release(&self, uris: impl Iterator<Item = &String>, known: usize) {
        for (index, uri) in uris.enumerate() {
            if self.wanted.remove(uri)
                && index < known
                && let Err(error) = self.ask(UNSUBSCRIBE, uri).await
            {
                tracing::debug!(%error, "the server did not take the end of a subscription");
            }
        }
    }

    async fn ask(&self, method: &str, uri: &str) -> Result<(), TransportError> {
        let mut params = b"{\"uri\":".to_vec();
        write_string(&mut params, uri);
        params.push(b'}');
        let params = String::from_utf8(params).unwrap_or_default();
        let request = WireRequest {
            id: self.ids.fetch_add(1, Ordering::Relaxed),
            method,
            params: Some(&params),
            name: None,
            mirrored: &[],
            endless: false,
            own_metadata: false,
            allowance: self.allowance,
            handler: None,
            limit: Some(self.limit),
            first_byte: self.limit,
            watched: None,
            trace: None,
            #[cfg(feature = "http")]
            waiting: None,
        };
        match tokio::time::timeout(self.limit, self.wire.request(request)).await {
            Ok(outcome) => outcome.map(drop),
            Err(_) => Err(super::not_acknowledged()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_told_of_the_first_and_of_the_last() {
        let wanted = SubscriptionCounts::default();
        assert_eq!([wanted.add("a"), wanted.add("a"), wanted.add("b")], [true, false, true]);
        assert_eq!([wanted.remove("a"), wanted.remove("a"), wanted.remove("a")], [false, true, false]);
        assert!(wanted.remove("b") && wanted.add("b"));
    }
}
