//! One live connection to a server. How it makes a request is in its submodules, in `rounds` and in `tools`.

mod requests;
mod screening;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use mcp_status::ServerInfo;
use mcp_text::Secrets;
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::activity::Activity;
use crate::cache::{CacheHint, KnownTools};
use crate::call::Answer;
use crate::error::{TransportError, TransportErrorKind};
use crate::hub::{Inbox, Notifications};
use crate::inbound::{HandlerFuture, Inbound};
use crate::limits::{Budget, Purpose};
use crate::message::Payload;
use crate::message::methods::is_cacheable;
use crate::message::revision::{Era, ProtocolRevision};
use crate::options::{ClientOptions, RequestOptions};
use crate::protocol::handshake::ServerDescription;
use crate::renewals::SessionRenewals;
#[cfg(feature = "stdio")]
use crate::stdio::SideOutput;
use crate::subscription::legacy::{Resources, SubscriptionCounts};
use crate::subscription::{Subscription, SubscriptionFilter, SubscriptionTask, not_acknowledged};
use crate::tool_filter::{Screen, ToolFilter};
use crate::trace::spans::ConnectionSpan;
use crate::wire::Wire;

/// A connection whose handshake is done. Cheap to clone; all clones are the same connection.
///
/// Dropping the future of a request gives the request up and tells the server so.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) wire: Arc<Wire>,
    pub(crate) hub: Arc<Inbox>,
    pub(crate) options: Arc<ClientOptions>,
    pub(crate) peer: ConnectionSpan,
    /// The limit of a request to this server, where its entry has one.
    pub(crate) timeout: Option<Duration>,
    /// Which of its tools may be used, where not all may.
    pub(crate) screen: Option<Screen>,
    pub(crate) next_id: Arc<AtomicI64>,
    closed: AtomicU8,
    /// Ends what waits or runs on behalf of the connection.
    closing: CancellationToken,
    /// Whether [`Connection::listen`] keeps a subscription open.
    listening: Arc<AtomicBool>,
    /// The resources that are subscribed to, in the legacy era.
    wanted: Arc<SubscriptionCounts>,
    /// The tools whose arguments are mirrored into headers, as of the last list (modern era over HTTP only).
    known_tools: KnownTools,
    /// Held while they are asked for again: who else needs them waits.
    relisting: tokio::sync::Mutex<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // No caller can use it any more, but its tasks would keep it alive.
        self.closing.cancel();
        self.wire.abandon();
    }
}

const OPEN: u8 = 0;
const CLOSED: u8 = 1;

/// A [`Connection`] that is not kept open by this: for what the connection itself holds, such as the handler of what its
/// server asks.
#[derive(Clone, Default)]
pub struct WeakConnection(Weak<Inner>);

impl WeakConnection {
    /// The connection, as long as somewhere else holds it.
    pub fn upgrade(&self) -> Option<Connection> {
        self.0.upgrade().map(Connection)
    }
}

impl fmt::Debug for WeakConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakConnection")
    }
}

impl Connection {
    pub(crate) fn new(
        wire: Wire,
        hub: Arc<Inbox>,
        options: Arc<ClientOptions>,
        peer: ConnectionSpan,
        timeout: Option<Duration>,
        tools: Option<Arc<dyn ToolFilter>>,
    ) -> Self {
        let peer = peer.connected(wire.server().revision);
        let closed = AtomicU8::new(OPEN);
        // 0 is the id of the handshake.
        let next_id = Arc::new(AtomicI64::new(1));
        Self(Arc::new(Inner {
            wire: Arc::new(wire),
            hub,
            options,
            peer,
            timeout,
            screen: tools.map(Screen::new),
            next_id,
            closed,
            closing: CancellationToken::new(),
            listening: Arc::default(),
            wanted: Arc::default(),
            known_tools: KnownTools::default(),
            relisting: tokio::sync::Mutex::new(()),
        }))
    }

    /// What the server said about itself.
    pub fn server(&self) -> Arc<ServerDescription> {
        self.0.wire.server()
    }

    /// The revision that the connection speaks. It changes where the server refuses it later on and offers another one.
    pub fn revision(&self) -> ProtocolRevision {
        self.server().revision
    }

    /// The notifications of the server from now on, progress of requests left aside.
    ///
    /// A listener that lags more than 256 notifications behind misses some.
    pub fn notifications(&self) -> Notifications {
        self.0.hub.listen()
    }

    /// Opens the stream on which the server starts something by itself, if it offers one, and returns when the
    /// server has decided. Its messages are among the [`notifications`](Self::notifications).
    ///
    /// In the legacy era that is the GET stream of Streamable HTTP, and other wires have it from the start. In the
    /// modern era it is a subscription to the changes of every list that the server says it tells of; see
    /// [`subscribe`](Self::subscribe) for more.
    pub async fn listen(&self) {
        if !self.is_modern() {
            return self.0.wire.listen().await;
        }
        let filter = SubscriptionFilter::list_changes(&self.server());
        if filter.is_empty() || self.0.listening.swap(true, Ordering::AcqRel) {
            return;
        }
        let (task, listening) = (self.subscription_task(filter), self.0.listening.clone());
        let (opened, decided) = oneshot::channel();
        let wire = self.0.wire.clone();
        self.spawn(async move {
            task.run(opened).await;
            listening.store(false, Ordering::Release);
            if wire.server().revision.era() == Era::Legacy {
                // It ended because the server went back to the other era, where this is how to listen.
                wire.listen().await;
            }
        });
        let _ = tokio::time::timeout(self.0.options.first_byte_timeout, decided).await;
    }

    /// Subscribes to what `filter` names (2026-07-28, subscriptions; 2025-11-25, resources). What the server tells
    /// arrives among the [`notifications`](Self::notifications), until the subscription is dropped.
    ///
    /// In the modern era that is a stream of its own; one that the server ends is opened again a few times, and a server
    /// that ends it at once, always, is left in peace. In the legacy era each resource is subscribed to by a request, once
    /// more in each session that is made in place of a lost one; changes of lists are told there in any case.
    ///
    /// # Errors
    ///
    /// Why the server declined.
    pub async fn subscribe(&self, filter: SubscriptionFilter) -> Result<Subscription, TransportError> {
        self.ensure_open()?;
        let end = self.0.closing.child_token();
        let subscription = end.clone().drop_guard();
        let (task, resources) = (self.subscription_task(filter.clone()), self.resources(&filter));
        let (wire, agreed) = (self.0.wire.clone(), filter.supported_by(&self.server()));
        let (opened, decided) = oneshot::channel();
        self.spawn(async move {
            let mut opened = Some(opened);
            loop {
                let era = wire.server().revision.era();
                // After the first turn, no caller waits for the server's confirmation.
                let opened = opened.take().unwrap_or_else(|| oneshot::channel().0);
                match era {
                    Era::Modern => drop(end.run_until_cancelled(task.run(opened)).await),
                    Era::Legacy => resources.run(agreed.clone(), opened, &end).await,
                }
                // Unless the server has gone over to the other era, that was all.
                if end.is_cancelled() || wire.server().revision.era() == era {
                    return;
                }
            }
        });
        match tokio::time::timeout(self.0.options.first_byte_timeout, decided).await {
            Ok(Ok(outcome)) => Ok(Subscription::new(outcome?, subscription)),
            // The task ends without a word only with the connection.
            Ok(Err(_)) => {
                Err(TransportError::new(TransportErrorKind::Cancelled, "the connection was closed"))
            }
            Err(_) => Err(not_acknowledged()),
        }
    }

    /// Tells from now on when the server has forgotten the session and another one was made in its place, or refused the
    /// version and another one was agreed on: what was set before (subscriptions, a log level) is gone, and the
    /// [`revision`](Self::revision) may be another one.
    pub fn renewals(&self) -> SessionRenewals {
        SessionRenewals::new(self.0.wire.generation())
    }

    /// Sends a request and returns the result as the server sent it. `params` must be a JSON object.
    ///
    /// # Errors
    ///
    /// [`Rpc`](TransportErrorKind::Rpc) where the server answered with an error, or what the wire failed
    /// with; [`may_have_been_sent`](TransportError::may_have_been_sent) tells whether it may have acted.
    pub async fn request(
        &self,
        method: &str,
        params: Option<&RawValue>,
        options: impl Into<RequestOptions>,
    ) -> Result<Payload, TransportError> {
        self.answer_to(method, params, &options.into()).await.map(|answer| answer.result)
    }

    /// The same, and how long the result may be used again, and by whom (2026-07-28, caching).
    ///
    /// A result is kept by its method and parameters, those of one page by its cursor; one that took several rounds is
    /// not to be kept, and comes without any time, like all results of the legacy era. One that is
    /// [private](crate::cache::CacheScope::Private) must not be shown to callers with other credentials. What a notification says
    /// has changed is not fresh any more.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub async fn request_with_hint(
        &self,
        method: &str,
        params: Option<&RawValue>,
        options: impl Into<RequestOptions>,
    ) -> Result<(Payload, CacheHint), TransportError> {
        let Answer { result, asked, .. } = self.answer_to(method, params, &options.into()).await?;
        let hinted = is_cacheable(method) && !asked && self.is_modern();
        let hint = if hinted { CacheHint::read(result.get()) } else { CacheHint::default() };
        Ok((result, hint))
    }

    /// Sends a notification.
    ///
    /// # Errors
    ///
    /// What the wire failed with.
    pub async fn notify(&self, method: &str, params: Option<&RawValue>) -> Result<(), TransportError> {
        self.ensure_open()?;
        self.0.wire.notify(method, params).await
    }

    /// Closes the connection: the session is deleted, a child process ends. Takes bounded time and never
    /// fails. Requests that are under way end with an error.
    pub async fn close(&self) {
        self.close_within(Duration::MAX).await;
    }

    /// The same in no more time than `limit`, for a program that is about to end: requests that were given up are cancelled at the
    /// server, and the session is deleted, as far as that goes in the time. A process that is left ends with the last handle.
    pub async fn close_within(&self, limit: Duration) {
        if self.0.closed.swap(CLOSED, Ordering::AcqRel) == OPEN {
            self.0.closing.cancel();
            self.0.wire.close(limit).await;
        }
    }

    /// Name and version as the server told them, without what it was sent: a server can call itself by the token that a
    /// command has just minted. Its own words are in [`server`](Self::server).
    pub fn identity(&self) -> Option<ServerInfo> {
        let server = self.server();
        let (info, secrets) = (server.info.as_ref()?, self.0.wire.secrets());
        let hide = |text: &str| secrets.hide_known(text).into_owned();
        Some(ServerInfo::new(hide(&info.name), hide(&info.version)))
    }

    /// The same connection for something that must not keep it open.
    pub fn downgrade(&self) -> WeakConnection {
        WeakConnection(Arc::downgrade(&self.0))
    }

    /// The credentials that the server was given until now, for those who show a person what else it says, such as its
    /// tools. Headers that only route are not among them, and neither are those that another process sends.
    pub fn credentials_sent(&self) -> Secrets {
        self.0.wire.credentials_sent()
    }

    /// What people call the source of its credentials that may not run, where there is one.
    pub(crate) fn withheld_provider(&self) -> Option<String> {
        #[cfg(feature = "http")]
        return self.0.wire.provider().and_then(|provider| provider.snapshot().withheld);
        #[cfg(not(feature = "http"))]
        None
    }

    /// What a local server printed beside the protocol so far; `None` for a remote one. It may hold secrets of
    /// the server: redact it before showing it.
    #[cfg(feature = "stdio")]
    pub fn side_output(&self) -> Option<SideOutput> {
        self.0.wire.side_output()
    }

    /// Returns when the wire has ended by itself. A wire of single requests (Streamable HTTP) never does. Dropping the future
    /// changes nothing.
    pub async fn ended(&self) {
        loop {
            let mut ended = std::pin::pin!(self.0.hub.ended.notified());
            // Registered before the check, so that an end in between is not missed.
            ended.as_mut().enable();
            if self.0.hub.has_ended() {
                return;
            }
            ended.await;
        }
    }

    /// Why the process behind it ended, where it has.
    pub(crate) fn why_ended(&self) -> Option<TransportError> {
        self.0.wire.why_ended()
    }

    /// Whether it goes to a process that is stopped: it lives, and answers nothing.
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.wire.is_stopped()
    }

    /// Whether the wire has ended, by itself or by [`close`](Self::close).
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire) == CLOSED || self.0.hub.has_ended()
    }

    /// Whether the server is heard. Never quiet over a wire that is one stream, which tells by itself when it breaks.
    pub(crate) fn activity(&self) -> &Activity {
        &self.0.hub.activity
    }

    /// Whether its session may outlive the network under it: one of the legacy era, over single requests.
    pub(crate) fn may_outlive_silence(&self) -> bool {
        !self.is_modern() && self.0.wire.has_headers()
    }

    /// What the server may cost.
    pub(crate) fn budget(&self) -> &Budget {
        &self.0.hub.budget
    }

    /// The limit of one attempt to connect, which is that of a whole list, too.
    pub(crate) fn attempt_limit(&self) -> Duration {
        self.0.options.connect_timeout
    }

    /// Whether each message is a request of its own (Streamable HTTP), and not a line of a stream: so a URL that is
    /// answered by the older transport is told, whatever was asked for.
    pub fn is_streamable_http(&self) -> bool {
        self.0.wire.has_headers()
    }

    /// Whether this wire mirrors arguments of tools into headers (2026-07-28, transports): then
    /// [`list_tools`](Self::list_tools) leaves out the tools whose schema forbids that, and a plain `tools/list` does not.
    pub fn mirrors_parameters(&self) -> bool {
        self.is_modern() && self.0.wire.has_headers()
    }

    /// Whether each request is one of HTTP.
    pub(crate) fn has_headers(&self) -> bool {
        self.0.wire.has_headers()
    }

    pub(crate) fn is_modern(&self) -> bool {
        self.revision().era() == Era::Modern
    }

    pub(crate) fn known_tools(&self) -> &KnownTools {
        &self.0.known_tools
    }

    /// Waits until no other caller is listing the tools again.
    pub(crate) async fn relisting(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.relisting.lock().await
    }

    /// How often the server has told that its tools have changed.
    pub(crate) fn tool_changes(&self) -> u64 {
        self.0.hub.tool_changes()
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    pub(crate) fn ensure_open(&self) -> Result<(), TransportError> {
        if self.0.closed.load(Ordering::Acquire) == CLOSED {
            return Err(TransportError::new(TransportErrorKind::Closed, "the connection is closed"));
        }
        Ok(())
    }

    fn subscription_task(&self, filter: SubscriptionFilter) -> SubscriptionTask {
        let inner = &self.0;
        SubscriptionTask {
            wire: inner.wire.clone(),
            hub: inner.hub.clone(),
            ids: inner.next_id.clone(),
            first_byte: inner.options.first_byte_timeout,
            filter,
        }
    }

    fn resources(&self, filter: &SubscriptionFilter) -> Resources {
        let inner = &self.0;
        Resources {
            wire: inner.wire.clone(),
            ids: inner.next_id.clone(),
            wanted: inner.wanted.clone(),
            limit: inner.options.first_byte_timeout,
            // The answer holds nothing.
            allowance: inner.hub.budget.limits.allowance_for(Purpose::Handshake),
            uris: filter.resource_uris.iter().cloned().collect(),
        }
    }

    /// Runs a task that ends with the connection, and does not keep it alive.
    fn spawn<T>(&self, task: impl Future<Output = T> + Send + 'static) {
        let closing = self.0.closing.clone();
        tokio::spawn(async move { closing.run_until_cancelled(task).await.map(drop) });
    }

    /// Whether the handler answers requests of this method.
    pub(crate) fn accepts(&self, method: &str) -> bool {
        self.0.hub.accepts(method)
    }

    /// What the handler answers.
    pub(crate) fn answer<'a>(&'a self, method: &'a str, params: Option<Box<RawValue>>) -> HandlerFuture<'a> {
        self.0.hub.request(method, params)
    }

    /// Whether another process keeps the connection to the server.
    pub(crate) fn is_relayed(&self) -> bool {
        self.0.wire.is_relayed()
    }

    /// Returns when the connection is closed, or its wire has ended.
    pub(crate) async fn gone(&self) {
        tokio::select! {
            () = self.0.closing.cancelled() => {}
            () = self.ended() => {}
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("revision", &self.revision())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
