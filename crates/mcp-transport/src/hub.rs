//! Where a connection sorts what the server starts by itself: progress to the request that wants it,
//! requests to the handler, everything else to whoever listens.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Notify, mpsc};

use crate::handler::{Notification, Progress, ProgressSink, ServerRequestHandler, method_not_found};
use crate::inbound::{HandlerFuture, Inbound};

/// Notifications that a listener may lag behind before it misses some.
const NOTIFICATION_BACKLOG: usize = 256;

/// The receiving end of one connection.
pub(crate) struct Hub {
    handler: Option<Arc<dyn ServerRequestHandler>>,
    state: Mutex<State>,
    /// Wakes whoever waits for the wire to end.
    pub(crate) ended: Notify,
}

#[derive(Default)]
struct State {
    progress: HashMap<i64, Watched>,
    listeners: Vec<mpsc::Sender<Notification>>,
    ended: bool,
}

struct Watched {
    sink: Option<ProgressSink>,
    life: Arc<Notify>,
}

impl Hub {
    pub(crate) fn new(handler: Option<Arc<dyn ServerRequestHandler>>) -> Self {
        Self { handler, state: Mutex::default(), ended: Notify::new() }
    }

    /// The capabilities to advertise, as a JSON object.
    pub(crate) fn capabilities(&self) -> String {
        self.handler.as_ref().map_or_else(|| "{}".to_owned(), |handler| handler.capabilities().to_json())
    }

    /// Whether anything could answer a request of the server but `ping`.
    pub(crate) fn answers_requests(&self) -> bool {
        self.handler.as_ref().is_some_and(|handler| !handler.capabilities().is_empty())
    }

    /// Whether the wire has ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().ended
    }

    /// A listener for everything that is neither progress of a request nor a request.
    pub(crate) fn listen(&self) -> mpsc::Receiver<Notification> {
        let (sender, receiver) = mpsc::channel(NOTIFICATION_BACKLOG);
        self.state().listeners.push(sender);
        receiver
    }

    /// Routes progress of the request `id` to `sink` until the guard is dropped.
    pub(crate) fn watch(self: &Arc<Self>, id: i64, sink: Option<ProgressSink>) -> ProgressGuard {
        let life = Arc::new(Notify::new());
        self.state().progress.insert(id, Watched { sink, life: life.clone() });
        ProgressGuard { hub: self.clone(), id, life }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self, params: Option<&RawValue>) {
        #[derive(Deserialize)]
        struct Token {
            #[serde(rename = "progressToken")]
            token: i64,
            #[serde(flatten)]
            progress: Progress,
        }
        let Some(Token { token, progress }) = params.and_then(|raw| serde_json::from_str(raw.get()).ok())
        else {
            return;
        };
        let sink = {
            let state = self.state();
            let Some(watched) = state.progress.get(&token) else { return };
            watched.life.notify_one();
            watched.sink.clone()
        };
        // Called without the lock: a sink may start another request.
        if let Some(sink) = sink {
            sink(progress);
        }
    }
}

impl Inbound for Hub {
    fn notification(&self, method: &str, params: Option<Box<RawValue>>) {
        if method == "notifications/progress" {
            return self.progress(params.as_deref());
        }
        let mut state = self.state();
        if state.listeners.is_empty() {
            return;
        }
        let notification = Notification { method: method.to_owned(), params };
        // A listener that lags misses this one; a listener that is gone is forgotten.
        state.listeners.retain(|listener| {
            !matches!(listener.try_send(notification.clone()), Err(mpsc::error::TrySendError::Closed(_)))
        });
    }

    fn request<'a>(&'a self, method: &'a str, params: Option<Box<RawValue>>) -> HandlerFuture<'a> {
        Box::pin(async move {
            if method == "ping" {
                return Ok(RawValue::from_string("{}".to_owned()).unwrap_or_default());
            }
            match &self.handler {
                Some(handler) if handler.capabilities().allow(method) => handler.handle(method, params).await,
                _ => Err(method_not_found(method)),
            }
        })
    }

    fn closed(&self) {
        self.state().ended = true;
        self.ended.notify_waiters();
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("handler", &self.handler).finish_non_exhaustive()
    }
}

/// Keeps the progress of one request flowing.
#[derive(Debug)]
pub(crate) struct ProgressGuard {
    hub: Arc<Hub>,
    id: i64,
    /// Notified by every report: the request is alive.
    pub(crate) life: Arc<Notify>,
}

impl Drop for ProgressGuard {
    fn drop(&mut self) {
        self.hub.state().progress.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClientCapabilities;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[derive(Debug)]
    struct Roots;

    impl ServerRequestHandler for Roots {
        fn capabilities(&self) -> ClientCapabilities {
            ClientCapabilities::default().with("roots", raw("{}"))
        }

        fn handle<'a>(&'a self, _: &'a str, _: Option<Box<RawValue>>) -> HandlerFuture<'a> {
            Box::pin(async { Ok(raw(r#"{"roots":[]}"#)) })
        }
    }

    #[tokio::test]
    async fn ping_is_always_answered_and_other_requests_only_with_a_handler() {
        let bare = Hub::new(None);
        assert_eq!(bare.request("ping", None).await.unwrap().get(), "{}");
        assert_eq!(bare.request("roots/list", None).await.unwrap_err().code, -32601);
        let hub = Hub::new(Some(Arc::new(Roots)));
        assert_eq!(hub.request("roots/list", None).await.unwrap().get(), r#"{"roots":[]}"#);
        assert_eq!(hub.request("sampling/createMessage", None).await.unwrap_err().code, -32601);
        assert_eq!(hub.capabilities(), r#"{"roots":{}}"#);
    }

    #[test]
    fn progress_goes_to_its_request_and_nowhere_else() {
        let hub = Arc::new(Hub::new(None));
        let mut listener = hub.listen();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink: ProgressSink = Arc::new({
            let seen = seen.clone();
            move |progress: Progress| seen.lock().unwrap().push(progress.progress)
        });
        let guard = hub.watch(7, Some(sink));
        let report = |token: i64| {
            hub.notification(
                "notifications/progress",
                Some(raw(&format!(r#"{{"progressToken":{token},"progress":0.5,"total":1}}"#))),
            )
        };
        report(7);
        report(8);
        drop(guard);
        report(7);
        assert_eq!(*seen.lock().unwrap(), [0.5]);
        assert!(listener.try_recv().is_err());
        hub.notification("notifications/message", None);
        assert_eq!(listener.try_recv().unwrap().method, "notifications/message");
    }
}
