//! What arrived, in order, and waiting for it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use tokio::sync::watch;

use crate::sync::lock;

/// How long the `wait_*` queries wait before they give up with a panic: far above any sane test, far below a
/// test runner's own limit, so that the panic can say what was missing.
const PATIENCE: Duration = Duration::from_secs(20);

/// One request that a fake server received. Header values are as they came: they belong to tests only.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// Time since the server was started.
    pub at: Duration,
    /// The number of the connection it came on, counted from 1.
    pub connection: u64,
    /// The HTTP method.
    pub method: Method,
    /// The path without the query.
    pub path: String,
    /// The query without its question mark.
    pub query: Option<String>,
    /// All headers, values included.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
    /// The status answered, `None` while unanswered and for a hang-up.
    pub answered: Option<StatusCode>,
}

impl RecordedRequest {
    /// A header's value as text, `None` when it is absent or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON, `None` when it is not JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The JSON-RPC method of the body, `None` for a JSON-RPC response and for anything that is not JSON-RPC.
    #[must_use]
    pub fn rpc_method(&self) -> Option<String> {
        self.json()?.get("method")?.as_str().map(str::to_owned)
    }

    /// The fields of the body as a form (`application/x-www-form-urlencoded`), or of the query when there is no body.
    #[must_use]
    pub fn form(&self) -> Vec<(String, String)> {
        let text =
            if self.body.is_empty() { self.query.as_deref().unwrap_or("").as_bytes() } else { &self.body };
        url::form_urlencoded::parse(text).into_owned().collect()
    }

    /// One field of [`RecordedRequest::form`], the first with that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        self.form().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// The requests of one fake server, shared between it and the test. Cloning is cheap and shares.
#[derive(Clone, Debug)]
pub struct Recorder {
    started: Instant,
    keep: bool,
    log: Arc<Mutex<Log>>,
    changes: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct Log {
    /// How many entries were cleared away, so that a receipt from before `clear` cannot touch a later entry.
    cleared: usize,
    total: u64,
    requests: Vec<RecordedRequest>,
}

/// Identifies a recorded request, to note its answer later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt(Option<usize>);

impl Recorder {
    /// An empty recorder. With `keep` off it only counts, for benches that send millions of requests.
    pub(crate) fn new(keep: bool) -> Self {
        let (changes, _) = watch::channel(0);
        Self { started: Instant::now(), keep, log: Arc::default(), changes: Arc::new(changes) }
    }

    /// Notes a request.
    pub(crate) fn note(&self, connection: u64, parts: &http::request::Parts, body: &Bytes) -> Receipt {
        let mut log = lock(&self.log);
        log.total += 1;
        let receipt = self.keep.then(|| {
            log.requests.push(RecordedRequest {
                at: self.started.elapsed(),
                connection,
                method: parts.method.clone(),
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().map(str::to_owned),
                headers: parts.headers.clone(),
                body: body.clone(),
                answered: None,
            });
            log.cleared + log.requests.len() - 1
        });
        let total = log.total;
        drop(log);
        self.changes.send_replace(total);
        Receipt(receipt)
    }

    /// Notes what was answered.
    pub(crate) fn answered(&self, receipt: Receipt, status: StatusCode) {
        let Some(index) = receipt.0 else { return };
        let mut log = lock(&self.log);
        let Some(index) = index.checked_sub(log.cleared) else { return };
        if let Some(request) = log.requests.get_mut(index) {
            request.answered = Some(status);
        }
    }

    /// Wakes the `wait_*` queries of other facts than requests (an open stream, say).
    pub(crate) fn poke(&self) {
        self.changes.send_modify(|_| ());
    }

    /// Every request so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.log).requests.clone()
    }

    /// How many requests arrived, also when they are not kept.
    #[must_use]
    pub fn total(&self) -> u64 {
        lock(&self.log).total
    }

    /// How many requests had this JSON-RPC method.
    #[must_use]
    pub fn count(&self, rpc_method: &str) -> usize {
        self.matching(|request| request.rpc_method().as_deref() == Some(rpc_method)).len()
    }

    /// The requests that `wanted` accepts.
    #[must_use]
    pub fn matching(&self, wanted: impl Fn(&RecordedRequest) -> bool) -> Vec<RecordedRequest> {
        lock(&self.log).requests.iter().filter(|request| wanted(request)).cloned().collect()
    }

    /// The requests to exactly this path.
    #[must_use]
    pub fn requests_to(&self, path: &str) -> Vec<RecordedRequest> {
        self.matching(|request| request.path == path)
    }

    /// The requests that did not carry this header.
    #[must_use]
    pub fn requests_without_header(&self, name: &str) -> Vec<RecordedRequest> {
        self.matching(|request| !request.headers.contains_key(name))
    }

    /// The requests that only an OAuth client makes: well-known documents and the usual endpoint names.
    #[must_use]
    pub fn oauth_requests(&self) -> Vec<RecordedRequest> {
        self.matching(|request| is_oauth_path(&request.path))
    }

    /// Forgets the requests so far; `total` goes on counting.
    pub fn clear(&self) {
        let mut log = lock(&self.log);
        log.cleared += log.requests.len();
        log.requests.clear();
    }

    /// Waits until `seen` holds; it is asked again after every request.
    ///
    /// # Panics
    ///
    /// When nothing made it hold within 20 seconds; `what` is then part of the message.
    pub async fn wait_until(&self, what: &str, seen: impl Fn(&[RecordedRequest]) -> bool) {
        let mut changes = self.changes.subscribe();
        let fulfilled = async {
            while !seen(&lock(&self.log).requests) {
                // The sender lives in `self`, so this can only end with a change.
                let _ = changes.changed().await;
            }
        };
        assert!(
            tokio::time::timeout(PATIENCE, fulfilled).await.is_ok(),
            "waited {PATIENCE:?} in vain for {what}; arrived: {:?}",
            self.requests()
                .iter()
                .map(|r| format!("{} {} {:?}", r.method, r.path, r.rpc_method()))
                .collect::<Vec<_>>(),
        );
    }

    /// Waits until this JSON-RPC method was seen at least `times` times.
    ///
    /// # Panics
    ///
    /// When that does not happen within 20 seconds.
    pub async fn wait_for(&self, rpc_method: &str, times: usize) {
        self.wait_until(&format!("{times} × {rpc_method}"), |requests| {
            requests.iter().filter(|request| request.rpc_method().as_deref() == Some(rpc_method)).count()
                >= times
        })
        .await;
    }
}

/// Whether a path belongs to OAuth: any well-known document, or an endpoint under its usual name.
fn is_oauth_path(path: &str) -> bool {
    path.contains("/.well-known/")
        || ["/register", "/authorize", "/token", "/revoke", "/device_authorization", "/device", "/introspect"]
            .iter()
            .any(|endpoint| path.ends_with(endpoint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oauth_paths_are_recognised_wherever_they_hang() {
        for path in [
            "/.well-known/oauth-protected-resource/mcp",
            "/tenant/.well-known/openid-configuration",
            "/token",
        ] {
            assert!(is_oauth_path(path), "{path}");
        }
        for path in ["/mcp", "/tokens", "/sse"] {
            assert!(!is_oauth_path(path), "{path}");
        }
    }
}
