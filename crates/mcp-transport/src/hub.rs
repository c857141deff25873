//! Where a connection sorts what the server starts by itself: progress to the request that wants it,
//! requests to the handler, everything else to the listeners.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Notify, mpsc};

use crate::activity::Activity;
use crate::handler::{
    Notification, Progress, ProgressSink, ServerNotification, ServerRequest, ServerRequestHandler,
    method_not_found,
};
use crate::inbound::{HandlerFuture, Inbound};
use crate::limits::Budget;
use crate::message::{RpcError, methods};
use crate::options::{ClientInfo, ClientOptions};
use crate::subscription::streams::{SubscriptionEvents, Subscriptions};

/// Notifications that a listener may lag behind before it misses some.
const NOTIFICATION_BACKLOG: usize = 256;

/// The receiving end of one connection.
pub(crate) struct Inbox {
    /// What the server may cost.
    pub(crate) budget: Budget,
    handler: Option<Arc<dyn ServerRequestHandler>>,
    state: Mutex<State>,
    /// How often the server has told that its tools have changed.
    tool_changes: AtomicU64,
    /// Wakes the callers that wait for the wire to end.
    pub(crate) ended: Notify,
    /// Whether the server is heard, where the wire tells.
    pub(crate) activity: Activity,
}

#[derive(Default)]
struct State {
    progress: HashMap<i64, ProgressWatch>,
    listeners: Listeners,
    subscriptions: Subscriptions,
    ended: bool,
}

/// The notifications of one connection, in the order in which they arrived.
#[derive(Debug)]
pub struct Notifications(pub(crate) mpsc::Receiver<Notification>);

impl Notifications {
    /// The next one; `None` when the connection is gone. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Notification> {
        self.0.recv().await
    }
}

/// The listeners for notifications.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Vec<mpsc::Sender<Notification>>);

impl Listeners {
    pub(crate) fn listen(&mut self) -> Notifications {
        let (sender, receiver) = mpsc::channel(NOTIFICATION_BACKLOG);
        self.0.push(sender);
        Notifications(receiver)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A listener that lags misses this one; a listener that is gone is forgotten.
    pub(crate) fn tell(&mut self, notification: &Notification) {
        self.0.retain(|listener| {
            !matches!(listener.try_send(notification.clone()), Err(mpsc::error::TrySendError::Closed(_)))
        });
    }

    /// Tells everyone that nothing follows.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

struct ProgressWatch {
    sink: Option<ProgressSink>,
    life: Arc<Notify>,
}

impl Inbox {
    pub(crate) fn new(handler: Option<Arc<dyn ServerRequestHandler>>, budget: Budget) -> Self {
        Self {
            budget,
            tool_changes: AtomicU64::new(0),
            handler,
            state: Mutex::default(),
            ended: Notify::new(),
            activity: Activity::default(),
        }
    }

    /// The capabilities to advertise, as a JSON object.
    pub(crate) fn capabilities(&self) -> String {
        self.handler.as_ref().map_or_else(|| "{}".to_owned(), |handler| handler.capabilities().to_json())
    }

    /// Who the handshake says the client is.
    pub(crate) fn client_info<'a>(&self, options: &'a ClientOptions) -> Cow<'a, ClientInfo> {
        let own = self.handler.as_ref().and_then(|handler| handler.client_info());
        own.map_or(Cow::Borrowed(&options.client_info), Cow::Owned)
    }

    /// Whether anything could answer a request of the server but `ping`.
    pub(crate) fn answers_requests(&self) -> bool {
        self.handler.as_ref().is_some_and(|handler| !handler.capabilities().is_empty())
    }

    /// Whether a request of this method is answered by a handler.
    pub(crate) fn accepts(&self, method: &str) -> bool {
        self.handler.as_ref().is_some_and(|handler| handler.accepts(method))
    }

    /// How often the server has told that its tools have changed.
    pub(crate) fn tool_changes(&self) -> u64 {
        self.tool_changes.load(Ordering::Acquire)
    }

    /// Whether the wire has ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().ended
    }

    /// A listener for everything that is neither progress of a request nor a request.
    pub(crate) fn listen(&self) -> Notifications {
        self.state().listeners.listen()
    }

    /// What is told about the subscription that the request `id` asks for, until the receiver is dropped.
    pub(crate) fn follow(&self, id: i64) -> SubscriptionEvents {
        self.state().subscriptions.follow(id)
    }

    /// Routes progress of the request `id` to `sink` until the guard is dropped.
    pub(crate) fn watch(self: &Arc<Self>, id: i64, sink: Option<ProgressSink>) -> ProgressGuard {
        let life = Arc::new(Notify::new());
        self.state().progress.insert(id, ProgressWatch { sink, life: life.clone() });
        ProgressGuard { hub: self.clone(), id, life }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a report over; whether it was about a request of this connection's own.
    fn progress(&self, params: Option<&RawValue>) -> bool {
        #[derive(Deserialize)]
        struct Token {
            #[serde(rename = "progressToken")]
            token: i64,
            #[serde(flatten)]
            progress: Progress,
        }
        let Some(Token { token, progress }) = params.and_then(|raw| serde_json::from_str(raw.get()).ok())
        else {
            return false;
        };
        let sink = {
            let state = self.state();
            let Some(watched) = state.progress.get(&token) else { return false };
            watched.life.notify_one();
            watched.sink.clone()
        };
        // Called without the lock: a sink may start another request.
        if let Some(sink) = sink {
            sink(progress);
        }
        true
    }
}

impl Inbound for Inbox {
    fn notification(&self, method: &str, params: Option<Box<RawValue>>) {
        self.notification_for(None, method, params);
    }

    fn request<'a>(&'a self, method: &'a str, params: Option<Box<RawValue>>) -> HandlerFuture<'a> {
        Box::pin(self.request_for(None, method, params))
    }

    fn closed(&self) {
        self.state().ended = true;
        self.ended.notify_waiters();
    }
}

impl Inbox {
    /// As [`Inbound::notification`], with `handler` in place of the connection's own.
    pub(crate) fn notification_for(
        &self,
        handler: Option<&Arc<dyn ServerRequestHandler>>,
        method: &str,
        params: Option<Box<RawValue>>,
    ) {
        let is_progress = method == "notifications/progress";
        if is_progress && self.progress(params.as_deref()) {
            return;
        }
        if self.state().subscriptions.take(method, params.as_deref()) {
            return;
        }
        if method == methods::TOOLS_CHANGED {
            self.tool_changes.fetch_add(1, Ordering::AcqRel);
        }
        if let Some(handler) = handler.or(self.handler.as_ref()) {
            handler.notification(ServerNotification::new(method, params.as_deref()));
        }
        if is_progress {
            return;
        }
        let mut state = self.state();
        if state.listeners.is_empty() {
            return;
        }
        state.listeners.tell(&Notification { method: method.to_owned(), params });
    }

    /// As [`Inbound::request`], with `handler` in place of the connection's own.
    pub(crate) async fn request_for(
        &self,
        handler: Option<&Arc<dyn ServerRequestHandler>>,
        method: &str,
        params: Option<Box<RawValue>>,
    ) -> Result<Box<RawValue>, RpcError> {
        match handler.or(self.handler.as_ref()) {
            Some(handler) if handler.accepts(method) => {
                handler.handle(ServerRequest::new(method, params)).await
            }
            _ if method == "ping" => Ok(RawValue::from_string("{}".to_owned()).unwrap_or_default()),
            _ => Err(method_not_found(method)),
        }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("handler", &self.handler).finish_non_exhaustive()
    }
}

/// Keeps the progress of one request flowing.
#[derive(Debug)]
pub(crate) struct ProgressGuard {
    hub: Arc<Inbox>,
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
    use crate::handler::ClientCapabilities;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[derive(Debug)]
    struct Roots;

    impl ServerRequestHandler for Roots {
        fn capabilities(&self) -> ClientCapabilities {
            ClientCapabilities::default().with("roots", raw("{}"))
        }

        fn handle<'a>(&'a self, _: ServerRequest<'a>) -> HandlerFuture<'a> {
            Box::pin(async { Ok(raw(r#"{"roots":[]}"#)) })
        }
    }

    #[tokio::test]
    async fn ping_is_always_answered_and_other_requests_only_with_a_handler() {
        let bare = Inbox::new(None, Budget::default());
        assert_eq!(bare.request("ping", None).await.unwrap().get(), "{}");
        assert_eq!(bare.request("roots/list", None).await.unwrap_err().code, -32601);
        let hub = Inbox::new(Some(Arc::new(Roots)), Budget::default());
        assert_eq!(hub.request("roots/list", None).await.unwrap().get(), r#"{"roots":[]}"#);
        assert_eq!(hub.request("sampling/createMessage", None).await.unwrap_err().code, -32601);
        assert_eq!(hub.capabilities(), r#"{"roots":{}}"#);
    }

    /// Passes everything on, as a bridge does.
    #[derive(Debug, Default)]
    struct PassingHandler(Mutex<Vec<String>>);

    impl ServerRequestHandler for PassingHandler {
        fn capabilities(&self) -> ClientCapabilities {
            ClientCapabilities::default()
        }

        fn handle<'a>(&'a self, request: ServerRequest<'a>) -> HandlerFuture<'a> {
            Box::pin(async move { Ok(raw(&format!("\"{}\"", request.method))) })
        }

        fn accepts(&self, _: &str) -> bool {
            true
        }

        fn notification(&self, ServerNotification { method, params, .. }: ServerNotification<'_>) {
            self.0.lock().unwrap().push(format!("{method} {}", params.map_or("-", RawValue::get)));
        }

        fn client_info(&self) -> Option<ClientInfo> {
            Some(ClientInfo::new("another", "2"))
        }
    }

    #[tokio::test]
    async fn a_handler_may_take_every_request_and_sees_progress_that_is_not_ours() {
        let passing = Arc::new(PassingHandler::default());
        let hub = Arc::new(Inbox::new(Some(passing.clone()), Budget::default()));
        assert_eq!(hub.request("ping", None).await.unwrap().get(), "\"ping\"");
        assert_eq!(hub.request("x/unknown", None).await.unwrap().get(), "\"x/unknown\"");
        let _watched = hub.watch(7, None);
        for token in ["7", "8", "\"a\""] {
            let params = raw(&format!(r#"{{"progressToken":{token},"progress":1}}"#));
            hub.notification("notifications/progress", Some(params));
        }
        hub.notification("x/told", None);
        let expected = [
            r#"notifications/progress {"progressToken":8,"progress":1}"#,
            r#"notifications/progress {"progressToken":"a","progress":1}"#,
            "x/told -",
        ];
        assert_eq!(*passing.0.lock().unwrap(), expected);
        let options = ClientOptions::new(ClientInfo::new("own", "1"));
        assert_eq!(hub.client_info(&options).name, "another");
        assert_eq!(Inbox::new(None, Budget::default()).client_info(&options).name, "own");
    }

    #[test]
    fn progress_goes_to_its_request_and_nowhere_else() {
        let hub = Arc::new(Inbox::new(None, Budget::default()));
        let mut listener = hub.listen();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink: ProgressSink = Arc::new({
            let seen = seen.clone();
            move |progress: Progress| seen.lock().unwrap().push(progress.progress)
        });
        let guard = hub.watch(7, Some(sink));
        let send_progress = |token: i64| {
            hub.notification(
                "notifications/progress",
                Some(raw(&format!(r#"{{"progressToken":{token},"progress":0.5,"total":1}}"#))),
            )
        };
        send_progress(7);
        send_progress(8);
        drop(guard);
        send_progress(7);
        assert_eq!(*seen.lock().unwrap(), [0.5]);
        assert!(listener.0.try_recv().is_err());
        hub.notification("notifications/message", None);
        assert_eq!(listener.0.try_recv().unwrap().method, "notifications/message");
    }
}
