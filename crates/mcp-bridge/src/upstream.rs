//! The server's side: what it starts by itself, and what each new connection to it has to be told.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use mcp_status::{ReasonCode, ServerStatus};
use mcp_transport::handler::{
    ClientCapabilities, HandlerFuture, ServerNotification, ServerRequest, ServerRequestHandler,
};
use mcp_transport::message::{Era, Members, RpcError, methods};
use mcp_transport::subscription::SubscriptionFilter;
use mcp_transport::supervisor::{ServerFuture, ServerSource};
use mcp_transport::{ClientInfo, RequestOptions, SupervisorHandle};
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::era::severity;
use crate::failure::UNAVAILABLE;
use crate::for_host::{is_of_legacy_servers, notice_for_legacy, question_for_legacy, question_for_modern};
use crate::splice::{raw, string, text};
use crate::state::RunningBridge;

/// The bridge as the server sees it: a client with the capabilities of the host.
pub(crate) struct Side {
    core: Weak<RunningBridge>,
    /// Counts the URLs that a legacy host was asked to visit.
    visits: AtomicU64,
}

impl Side {
    pub(crate) fn new(core: &Arc<RunningBridge>) -> Self {
        Self { core: Arc::downgrade(core), visits: AtomicU64::new(0) }
    }
}

impl ServerRequestHandler for Side {
    fn capabilities(&self) -> ClientCapabilities {
        self.core.upgrade().map(|core| core.introduction.capabilities()).unwrap_or_default()
    }

    fn client_info(&self) -> Option<ClientInfo> {
        self.core.upgrade()?.introduction.client()
    }

    fn accepts(&self, method: &str) -> bool {
        let Some(core) = self.core.upgrade() else { return false };
        match methods::client_capability(method) {
            Some(_) => core.introduction.capabilities().allow(method),
            // A modern host has no ping and takes no requests; what is not known yet is the host's to judge.
            None => core.introduction.era() == Era::Legacy,
        }
    }

    fn handle<'a>(&'a self, request: ServerRequest<'a>) -> HandlerFuture<'a> {
        let ServerRequest { method, params, .. } = request;
        Box::pin(async move {
            let core =
                self.core.upgrade().ok_or_else(|| RpcError::new(UNAVAILABLE, "the client is closing"))?;
            match core.introduction.era() {
                Era::Legacy => {
                    core.host_is_ready().await;
                    let params =
                        question_for_legacy(method, params, || self.visits.fetch_add(1, Ordering::Relaxed));
                    core.host.ask(method, params.as_deref()).await
                }
                Era::Modern => core.exchanges.ask(method, question_for_modern(method, params)).await,
            }
        })
    }

    fn notification(&self, notification: ServerNotification<'_>) {
        let ServerNotification { method, params, .. } = notification;
        let Some(core) = self.core.upgrade() else { return };
        if !methods::is_of_connection(method) {
            core.early.tell(method, params, |method, params| pass_on(&core, method, params));
        }
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side").finish_non_exhaustive()
    }
}

/// Tells the host what the server told, in the terms of the host.
pub(crate) fn pass_on(core: &RunningBridge, method: &str, params: Option<&RawValue>) {
    match core.introduction.era() {
        Era::Legacy => {
            let plain = notice_for_legacy(params);
            core.host.notify(method, plain.as_deref().or(params));
        }
        Era::Modern if is_of_legacy_servers(method) && core.connected_era() == Some(Era::Legacy) => {}
        Era::Modern if methods::is_change(method) => {
            core.subscriptions
                .deliver(method, params, |method, params| core.host.notify(method, Some(params)));
        }
        Era::Modern if method == "notifications/progress" => {
            if let Some(params) = core.exchanges.progress(params) {
                core.host.notify(method, params.as_deref());
            }
        }
        // A modern server logs for the requests that ask for it, and for no other.
        Era::Modern if method == "notifications/message" && core.connected_era() == Some(Era::Legacy) => {
            let members = params.and_then(|params| Members::read(params.get()));
            let level = members.and_then(|members| members.get("level")).and_then(text);
            if core.log.is_wanted(level.as_deref().and_then(severity)) {
                core.host.notify(method, params);
            }
        }
        _ => core.host.notify(method, params),
    }
}

/// The source of a bridge's server: the given one, with the bridge as its client.
pub(crate) struct BridgeSource {
    pub(crate) source: Arc<dyn ServerSource>,
    pub(crate) side: Arc<Side>,
}

impl ServerSource for BridgeSource {
    fn server(&self) -> ServerFuture<'_> {
        Box::pin(async {
            let server = self.source.server().await?;
            if let Some(core) = self.side.core.upgrade() {
                core.lists.filter_by(server.tools.clone());
            }
            Ok(server.with_handler(self.side.clone()))
        })
    }
}

/// Follows the server from connection to connection until it is closed.
pub(crate) async fn follow(core: Arc<RunningBridge>, server: SupervisorHandle) {
    let mut status = server.status();
    let mut connection = None;
    let mut company: Option<AbortOnDropHandle<()>> = None;
    // Whether the connection has something to offer, and which list of tools was seen last.
    let (mut works, mut tools) = (false, None);
    loop {
        let snapshot = status.borrow_and_update().clone();
        if snapshot.connection != connection {
            drop(company.take());
            works = false;
            if let Some(number) = snapshot.connection {
                core.meet();
                // Whatever changed while no listener was there was not told.
                if core.lists.take_made_up() || number > 1 {
                    core.owe_lists();
                }
                let keeping = accompany(core.clone(), server.clone());
                company = Some(AbortOnDropHandle::new(tokio::spawn(keeping)));
            }
            connection = snapshot.connection;
        }
        let worked = std::mem::replace(
            &mut works,
            connection.is_some() && snapshot.code != Some(ReasonCode::ToolsUnavailable),
        );
        let listed = snapshot.tools.as_ref().map(Arc::as_ptr).map(<*const _>::addr);
        let is_new_list = std::mem::replace(&mut tools, listed) != listed;
        if (works && !worked) || is_new_list {
            core.session_works();
        }
        if snapshot.status == ServerStatus::NeedsAuth {
            core.ask_for_sign_in(&snapshot.report_with(&snapshot.context(), (core.config.facts)()));
        }
        if snapshot.closed || status.changed().await.is_err() {
            return;
        }
    }
}

/// Tells a new connection what the host wants, and keeps telling it: again when its session was renewed, or another
/// version was agreed on.
async fn accompany(core: Arc<RunningBridge>, server: SupervisorHandle) {
    let Ok(lease) = server.lease().await else { return };
    let (mut era, mut renewals) = (lease.revision().era(), lease.renewals());
    drop(lease);
    loop {
        core.log.forget_told();
        let telling = async {
            match era {
                Era::Modern => subscribe_together(core.subscriptions.resources(), &server).await,
                Era::Legacy => {
                    subscribe_one_by_one(core.log.level(), core.subscriptions.resources(), &server).await;
                }
            }
        };
        tokio::select! {
            () = telling => return,
            () = renewals.next() => core.owe_lists(),
        }
        let Ok(lease) = server.lease().await else { return };
        era = lease.revision().era();
        // Each era has its own way to listen; what is open already is not opened twice.
        lease.listen().await;
    }
}

/// Tells a connection of the legacy era from which level on log messages are wanted, and keeps telling which resources
/// are.
pub async fn subscribe_one_by_one(
    level: Option<String>,
    mut wanted: watch::Receiver<BTreeSet<String>>,
    server: &SupervisorHandle,
) {
    if let Some(level) = level {
        let params = raw(format!(r#"{{"level":{}}}"#, string(&level)));
        tell(server, "logging/setLevel", &params).await;
    }
    let mut subscribed = BTreeSet::new();
    loop {
        let now = wanted.borrow_and_update().clone();
        for uri in now.difference(&subscribed) {
            tell(server, "resources/subscribe", &raw(format!(r#"{{"uri":{}}}"#, string(uri)))).await;
        }
        for uri in subscribed.difference(&now) {
            tell(server, "resources/unsubscribe", &raw(format!(r#"{{"uri":{}}}"#, string(uri)))).await;
        }
        subscribed = now;
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

async fn tell(server: &SupervisorHandle, method: &str, params: &RawValue) {
    if let Err(error) = server.request(method, Some(params), &RequestOptions::new()).await {
        tracing::debug!(method, %error, "the server did not take a wish of the host");
    }
}

/// Keeps one subscription of the modern era to the resources that are wanted at the time.
pub async fn subscribe_together(mut wanted: watch::Receiver<BTreeSet<String>>, server: &SupervisorHandle) {
    let mut subscription = None;
    loop {
        let uris = wanted.borrow_and_update().clone();
        if uris.is_empty() {
            subscription = None;
        } else {
            let Ok(lease) = server.lease().await else { return };
            // The old one ends only when the new one stands, so that nothing falls in between.
            match lease.subscribe(SubscriptionFilter::new().with_resources(uris)).await {
                Ok(new) => subscription = Some(new),
                Err(error) => tracing::debug!(%error, "the server took no subscription"),
            }
        }
        if wanted.changed().await.is_err() {
            drop(subscription);
            return;
        }
    }
}
