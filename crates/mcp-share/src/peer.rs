//! One bridge on the shared connection: what it asks of the server, and what it is told.
//!
//! It is spoken to as the server would speak to it, in the era of the server, and nothing is translated here but the
//! tokens of progress.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_bridge::parts::{
    HostAnswer, HostChannel, HostRequest, Line, LineReader, Log, RequestMeta, Subscriptions, as_is, explain,
    not_taken, open_stream, raw, severity, string,
};
use mcp_transport::endpoint::StreamEndpoint;
use mcp_transport::message::{
    Era, INTERNAL_ERROR, Incoming, Payload, ProtocolRevision, RequestId, RpcError, UNSUPPORTED_VERSION,
    cancelled_request, methods, parse,
};
use mcp_transport::relay::RelayOptions;
use mcp_transport::{RequestOptions, ServerDescription};
use serde_json::value::RawValue;
use tokio::io::AsyncRead;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::hub::HubCore;
use crate::router::Router;

/// A bridge on the shared connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: u64,
    /// Its process.
    pub(crate) pid: u32,
    /// The number of the upstream connection that it came to.
    pub(crate) connection: u64,
    /// What the server speaks, and the result of its handshake.
    revision: ProtocolRevision,
    greeting: Box<RawValue>,
    pub(crate) host: HostChannel,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) log: Log,
    calls: Mutex<HashMap<RequestId, AbortHandle>>,
    /// Whether it takes more than answers.
    ready: AtomicBool,
    /// Whether it was told to go elsewhere, and hears there what concerns every bridge.
    leaving: AtomicBool,
    gone: CancellationToken,
}

impl Peer {
    pub(crate) fn new(
        id: u64,
        pid: u32,
        connection: u64,
        server: &ServerDescription,
        host: HostChannel,
    ) -> Self {
        let (revision, greeting) = (server.revision, as_is(server));
        Self::greeted(id, pid, connection, (revision, greeting), host)
    }

    fn greeted(
        id: u64,
        pid: u32,
        connection: u64,
        (revision, greeting): (ProtocolRevision, Box<RawValue>),
        host: HostChannel,
    ) -> Self {
        Self {
            id,
            pid,
            connection,
            revision,
            greeting,
            host,
            subscriptions: Subscriptions::default(),
            log: Log::default(),
            calls: Mutex::default(),
            ready: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            gone: CancellationToken::new(),
        }
    }

    /// One without a stream.
    #[cfg(test)]
    pub(crate) fn unheard(id: u64) -> Arc<Self> {
        let handshake = (ProtocolRevision::V2025_11_25, raw("{}"));
        Arc::new(Self::greeted(id, 0, 1, handshake, HostChannel::new().0))
    }

    pub(crate) fn era(&self) -> Era {
        self.revision.era()
    }

    /// Asks the host behind it.
    pub(crate) async fn ask(&self, method: &str, params: Option<&RawValue>) -> HostAnswer {
        let gone = RpcError::new(INTERNAL_ERROR, "the host is gone");
        self.gone.run_until_cancelled(self.host.ask(method, params)).await.unwrap_or(Err(gone))
    }

    /// Takes no more requests of it; those under way are answered.
    pub(crate) fn go_away(&self) {
        if !self.leaving.swap(true, Ordering::AcqRel) {
            self.host.notify(StreamEndpoint::GOING_AWAY, None);
        }
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    pub(crate) async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// It has gone: nothing waits for it, and it waits for nothing.
    pub(crate) fn end(&self) {
        self.gone.cancel();
        self.subscriptions.close_all();
        let calls = std::mem::take(&mut *self.calls());
        calls.into_values().for_each(|call| call.abort());
    }

    fn hears(&self) -> bool {
        self.ready.load(Ordering::Acquire) && !self.is_leaving()
    }

    /// Tells what concerns every bridge.
    pub(crate) fn tell(&self, method: &str, params: Option<&RawValue>) {
        if self.hears() {
            self.host.notify(method, params);
        }
    }

    /// Tells of a change, where it wants to hear of it.
    pub(crate) fn tell_change(&self, method: &str, params: Option<&RawValue>) {
        if !self.hears() {
            return;
        }
        match self.era() {
            Era::Legacy if methods::is_list_change(method) => self.host.notify(method, params),
            Era::Legacy if self.subscriptions.wants(method, params) => self.host.notify(method, params),
            Era::Legacy => {}
            Era::Modern => self
                .subscriptions
                .deliver(method, params, |method, params| self.host.notify(method, Some(params))),
        }
    }

    /// Tells a log message, where it wants messages of this level.
    pub(crate) fn tell_message(&self, level: Option<u8>, params: Option<&RawValue>) {
        let wanted = match self.era() {
            Era::Modern => self.log.is_wanted(level),
            // Who never set a level hears what the server tells by itself.
            Era::Legacy => match self.log.level().as_deref().and_then(severity) {
                Some(wanted) => level.is_none_or(|level| level >= wanted),
                None => true,
            },
        };
        if wanted {
            self.tell("notifications/message", params);
        }
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<RequestId, AbortHandle>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a bridge until it closes its side.
pub(crate) async fn serve(core: &Arc<HubCore>, peer: &Arc<Peer>, input: impl AsyncRead + Unpin) {
    let mut lines = LineReader::new(input, core.config.max_line_bytes);
    loop {
        // A bridge that asks and does not read gets no further questions: its answers must not fill the memory of this process.
        if peer.host.is_behind() {
            peer.host.flush().await;
        }
        // The other end is the same program, so what is not a message is no loss.
        match lines.next().await {
            Ok(Some(Line::Whole(line))) => take(core, peer, line),
            Ok(Some(Line::TooLong { .. })) => {
                tracing::warn!(pid = peer.pid, "a bridge sent too long a message")
            }
            Ok(None) | Err(_) => break,
        }
    }
}

fn take(core: &Arc<HubCore>, peer: &Arc<Peer>, line: Vec<u8>) {
    let Ok(messages) = parse(line) else { return };
    for message in messages.flatten() {
        match message {
            Incoming::Request { id, method, params } => request(core, peer, id, method, params),
            Incoming::Notification { method, params } => notification(core, peer, method, params),
            Incoming::Response { id, outcome } => {
                peer.host.answered(id.as_ref(), outcome.map(Payload::into_raw));
            }
        }
    }
}

fn request(
    core: &Arc<HubCore>,
    peer: &Arc<Peer>,
    id: RequestId,
    method: String,
    params: Option<Box<RawValue>>,
) {
    match (method.as_str(), peer.era()) {
        ("initialize", Era::Legacy) => peer.host.respond(&id, Ok(&peer.greeting)),
        // The server has no handshake, so there is none here either.
        ("initialize", Era::Modern) => {
            let revision = string(peer.revision.as_str());
            let data = raw(format!(r#"{{"supported":[{revision}]}}"#));
            let error = RpcError::new(UNSUPPORTED_VERSION, "Unsupported protocol version").with_data(data);
            peer.host.respond(&id, Err(&error));
        }
        // The first one opens the conversation; later ones ask whether the server is there.
        ("server/discover", Era::Modern) if !peer.ready.swap(true, Ordering::AcqRel) => {
            peer.host.respond(&id, Ok(&peer.greeting));
        }
        (_, era) => match HostRequest::read(&method, era, params.as_deref()) {
            // It lasts as long as the bridge stays.
            Ok(HostRequest::Listen(filter)) => {
                open_stream(&peer.host, &peer.subscriptions, id, filter);
                core.collect_resources();
            }
            Ok(HostRequest::Resource { uri, wanted }) => {
                peer.subscriptions.want_resource(uri, wanted);
                core.collect_resources();
                peer.host.respond(&id, Ok(&raw("{}")));
            }
            Ok(HostRequest::SetLevel(level)) => {
                peer.log.set(level);
                // The server tells what any host wants to hear; one that wants less is told less.
                let params =
                    core.lowest_level().map(|level| raw(format!(r#"{{"level":{}}}"#, string(&level))));
                forward(core, peer, id, method, params);
            }
            Ok(HostRequest::Other) => forward(core, peer, id, method, params),
            Err(error) => peer.host.respond(&id, Err(&error)),
        },
    }
}

/// Passes a request on, on a task of its own.
fn forward(
    core: &Arc<HubCore>,
    peer: &Arc<Peer>,
    id: RequestId,
    method: String,
    params: Option<Box<RawValue>>,
) {
    let mut calls = peer.calls();
    if let Some(error) = not_taken(&calls, &id, &core.config) {
        drop(calls);
        return peer.host.respond(&id, Err(&error));
    }
    let (core, caller, key) = (core.clone(), peer.clone(), id.clone());
    let call = tokio::spawn(async move {
        match ask_server(&core, &caller, &method, params.as_deref()).await {
            Ok(result) => caller.host.pass(&id, result, ""),
            Err(error) => caller.host.respond(&id, Err(&error)),
        }
        caller.calls().remove(&id);
    });
    // The task has not begun yet, or waits for the lock: it is removed after it was added.
    calls.insert(key, call.abort_handle());
}

async fn ask_server(
    core: &Arc<HubCore>,
    peer: &Arc<Peer>,
    method: &str,
    params: Option<&RawValue>,
) -> Result<Payload, RpcError> {
    let _under_way = core.under_way(peer);
    let token = core.tokens.assign(peer, params);
    let params = token.as_ref().map(|(params, _)| &**params).or(params);
    let mut options = RelayOptions::new(RequestOptions::new());
    let meta = RequestMeta::read(params);
    let level = meta.as_ref().and_then(|meta| meta.log_level.as_deref());
    let _level = level.and_then(|level| peer.log.want(level));
    if peer.era() == Era::Modern {
        // The bridge in front has added what a modern request says, of its own host.
        options = options.with_own_metadata().with_raw_result();
    }
    let options = options.with_handler(Arc::new(Router::new(&Arc::downgrade(core), Some(peer.clone()))));
    let outcome = core.upstream().request(method, params, options).await;
    outcome.map_err(|error| explain(error, &core.config, core.upstream()))
}

fn notification(core: &Arc<HubCore>, peer: &Arc<Peer>, method: String, params: Option<Box<RawValue>>) {
    match method.as_str() {
        "notifications/initialized" => {
            peer.ready.store(true, Ordering::Release);
            core.roots_may_have_changed(peer);
        }
        methods::CANCELLED => {
            let Some(id) = cancelled_request(params.as_deref()) else { return };
            // Dropping the request says so on the wire.
            let call = peer.calls().remove(&id);
            if let Some(call) = call {
                call.abort();
            }
            if peer.subscriptions.close(&id) {
                core.collect_resources();
            }
        }
        _ => core.tell_server(method, params),
    }
}
