//! The conversation with the host: what it says, and what the bridge answers by itself.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_transport::message::methods::CANCELLED;
use mcp_transport::message::{
    Era, INVALID_REQUEST, Incoming, METHOD_NOT_FOUND, Members, Object, RequestId, RpcError, announced_chain,
    cancelled_request, encode_error, parse,
};
use mcp_transport::supervisor::{ServerSource, SupervisorConfig};
use mcp_transport::{Connector, Payload, Supervisor};
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::BridgeConfig;
use crate::describe::Description;
use crate::era::RequestMeta;
use crate::failure::{not_taken, too_long, turned_away};
use crate::for_host::{is_of_legacy_hosts, is_of_modern_hosts};
use crate::forward::{Request, serve};
use crate::host::HostChannel;
use crate::host_request::{HostRequest, open_stream, stream_meta};
use crate::lines::{Line, LineReader};
use crate::profile::Profile;
use crate::shared::{BridgeView, UpstreamChange};
use crate::splice::{raw, text};
use crate::state::RunningBridge;
use crate::upstream::{BridgeSource, Side, follow, pass_on};

/// How long requests under way may take when the host has closed its side: a script may have asked and gone.
const LAST_ANSWERS: Duration = Duration::from_millis(900);
/// How long the end of the server's session and the last lines to the host may take each. With the above it stays
/// under the two seconds that a host waits before it kills.
const SESSION_END: Duration = Duration::from_millis(700);
const LAST_LINES: Duration = Duration::from_millis(200);

/// How long a host waits for what its server says of itself, where nothing is known of that yet.
const DESCRIBED_LIMIT: Duration = Duration::from_secs(1);
/// How long a host that is this program waits for its answer, so that it hears of a loop. Each turn of one waits no longer
/// than the turn above it.
const KNOWN_LIMIT: Duration = Duration::from_secs(5);

/// Why a bridge ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum EndReason {
    /// The host closed its side, or cannot be written to any more.
    HostGone,
    /// It was told to.
    Asked,
    /// The host was turned away when it opened the conversation, and has been told why.
    TurnedAway,
}

/// Runs a bridge to its end.
pub(crate) async fn run(
    connector: Connector,
    config: BridgeConfig,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Send + Unpin + 'static,
    asked_to_end: impl Future<Output = ()>,
) -> EndReason {
    let (host, writer) = HostChannel::new();
    let mut lines = LineReader::new(input, config.max_line_bytes);
    let core = Arc::new(RunningBridge::new(config, host));
    let mut writing = AbortOnDropHandle::new(tokio::spawn(writer.run(output)));
    let mut session = Session::new(connector, core.clone());
    let mut asked_to_end = std::pin::pin!(asked_to_end);
    let ended = loop {
        tokio::select! {
            biased;
            () = &mut asked_to_end => break EndReason::Asked,
            _ = &mut writing => break EndReason::HostGone,
            // A host that asks and does not read gets no further questions: its answers must not fill the memory of this process.
            () = core.host.flush(), if core.host.is_behind() => {}
            line = lines.next(), if !core.host.is_behind() => match line {
                Ok(Some(Line::Whole(line))) => {
                    session.take(line).await;
                    if session.turned_away {
                        break EndReason::TurnedAway;
                    }
                }
                Ok(Some(Line::TooLong { request })) => {
                    session.refuse_as(INVALID_REQUEST, request.as_ref(), &too_long(&session.core.config));
                }
                Ok(None) => break EndReason::HostGone,
                Err(error) => {
                    tracing::debug!(%error, "the host cannot be read");
                    break EndReason::HostGone;
                }
            },
        }
    };
    session.end(ended).await;
    // A host that does not read is not waited for.
    let _ = tokio::time::timeout(LAST_LINES, core.host.flush()).await;
    ended
}

struct Session {
    connector: Connector,
    core: Arc<RunningBridge>,
    calls: Calls,
    tasks: TaskTracker,
    /// Notifications for the server, in their order.
    notices: Option<mpsc::UnboundedSender<(String, Option<Box<RawValue>>)>>,
    background: Vec<AbortOnDropHandle<()>>,
    turned_away: bool,
}

/// The requests of the host that are under way.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<HashMap<RequestId, AbortHandle>>>);

impl Calls {
    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, AbortHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A program that gives up the future of a bridge gives up what its host had under way.
impl Drop for Session {
    fn drop(&mut self) {
        self.calls.lock().drain().for_each(|(_, call)| call.abort());
    }
}

impl Session {
    fn new(connector: Connector, core: Arc<RunningBridge>) -> Self {
        let (calls, tasks) = (Calls::default(), TaskTracker::new());
        Self { connector, core, calls, tasks, notices: None, background: Vec::new(), turned_away: false }
    }

    /// Takes in one line.
    async fn take(&mut self, line: Vec<u8>) {
        let messages = match parse(line) {
            Ok(messages) => messages,
            Err(error) => return self.refuse_as(error.code(), error.id(), &error.to_string()),
        };
        for message in messages {
            if self.turned_away {
                return;
            }
            match message {
                Ok(Incoming::Request { id, method, params }) => self.request(id, method, params).await,
                Ok(Incoming::Notification { method, params }) => self.notification(method, params),
                Ok(Incoming::Response { id, outcome }) => {
                    self.core.host.answered(id.as_ref(), outcome.map(Payload::into_raw));
                }
                Err(error) => self.refuse_as(error.code(), error.id(), &error.to_string()),
            }
        }
    }

    fn refuse_as(&self, code: i64, id: Option<&RequestId>, why: &str) {
        let error = RpcError::new(code, why);
        self.core.host.send(encode_error(id, &error));
    }

    async fn request(&mut self, id: RequestId, method: String, params: Option<Box<RawValue>>) {
        let chain = if self.core.introduction.is_made() { None } else { announced_chain(params.as_deref()) };
        if !self.admits(&id, chain.clone()).await {
            return;
        }
        if method == "initialize" {
            return self.initialize(id, params.as_deref(), chain.is_some()).await;
        }
        let era = match RequestMeta::read(params.as_deref()) {
            Some(meta) => {
                if let Err(error) = meta.check() {
                    return self.core.host.respond(&id, Err(&error));
                }
                let profile = Profile::new(Era::Modern, meta.capabilities, meta.client);
                if self.core.introduction.take(profile) {
                    self.connect().await;
                    if method == "server/discover" {
                        return self.answer(id, Era::Modern, chain.is_some(), |known| known.discover());
                    }
                }
                Era::Modern
            }
            None => {
                if !self.core.introduction.is_made() {
                    // A host that skips its handshake gets what it asks for; the server will say if it minds.
                    self.core.introduction.take(Profile::new(Era::Legacy, None, None));
                    self.connect().await;
                }
                Era::Legacy
            }
        };
        self.core.becomes_ready();
        match (method.as_str(), era) {
            ("server/discover", Era::Modern) => {
                let result = self.core.describe(era, |known| known.discover());
                self.core.host.respond(&id, Ok(&result));
            }
            // Whether the bridge is there; whether the server is, its status tells. A modern host that asks all the same is
            // answered in its terms.
            ("ping", Era::Legacy) => self.core.host.respond(&id, Ok(&raw("{}"))),
            ("ping", Era::Modern) => {
                self.core.host.respond(&id, Ok(&raw(r#"{"resultType":"complete"}"#)));
            }
            (method, Era::Legacy) if is_of_modern_hosts(method) => self.unknown(&id, method),
            (method, Era::Modern) if is_of_legacy_hosts(method) => self.unknown(&id, method),
            _ => match HostRequest::read(&method, era, params.as_deref()) {
                Ok(HostRequest::Listen(filter)) => {
                    // It outlives the connections to the server.
                    open_stream(&self.core.host, &self.core.subscriptions, id, filter);
                    self.core.tell_what_was_missed();
                }
                // It too outlives connections, whatever their era.
                Ok(HostRequest::Resource { uri, wanted }) => {
                    self.core.subscriptions.want_resource(uri, wanted);
                    self.core.host.respond(&id, Ok(&raw("{}")));
                }
                Ok(HostRequest::SetLevel(level)) => {
                    self.core.log.set(level);
                    if self.core.connected_era() == Some(Era::Legacy) {
                        return self.forward(Request { id, method, params, era });
                    }
                    self.core.host.respond(&id, Ok(&raw("{}")));
                }
                Ok(HostRequest::Other) => self.forward(Request { id, method, params, era }),
                Err(error) => self.core.host.respond(&id, Err(&error)),
            },
        }
    }

    /// Whether the host is served. Decided when it opens the conversation; one that is not is told why.
    async fn admits(&mut self, id: &RequestId, chain: Option<String>) -> bool {
        let opening = self.core.config.opening.clone().filter(|_| !self.core.introduction.is_made());
        let Some(opening) = opening else { return true };
        let Err(reason) = opening(chain).await else { return true };
        self.core.host.respond(id, Err(&turned_away(reason, &self.core.config)));
        self.turned_away = true;
        false
    }

    /// The handshake of a legacy host.
    async fn initialize(&mut self, id: RequestId, params: Option<&RawValue>, is_ours: bool) {
        let members = params.and_then(|params| Members::read(params.get())).unwrap_or_default();
        let requested = members.get("protocolVersion").and_then(text);
        let profile = Profile::new(Era::Legacy, members.get("capabilities"), members.get("clientInfo"));
        self.core.early.begin();
        if self.core.introduction.take(profile) {
            self.connect().await;
        }
        self.answer(id, Era::Legacy, is_ours, move |known| known.initialize(requested.as_deref()));
    }

    /// Answers a handshake as soon as something is known of the server, or it is known that nothing will be, or after a
    /// second. A host that is this program (`is_ours`) waits until it is known whether the server leads back to what is above,
    /// and hears of that: it tells it on, so that each turn of a loop ends with its name.
    fn answer(
        &self,
        id: RequestId,
        host: Era,
        is_ours: bool,
        result: impl FnOnce(&Description<'_>) -> Box<RawValue> + Send + 'static,
    ) {
        let core = self.core.clone();
        let answering = async move {
            let mut leads_back = None;
            if is_ours {
                core.decided(KNOWN_LIMIT).await;
                leads_back = core.self_reference();
            } else if !core.is_described() {
                core.decided(DESCRIBED_LIMIT).await;
            }
            let respond = || match leads_back {
                Some(reason) => core.host.respond(&id, Err(&turned_away(reason, &core.config))),
                None => core.host.respond(&id, Ok(&core.describe(host, result))),
            };
            core.early.end(respond, |method, params| pass_on(&core, method, params));
        };
        self.tasks.spawn(answering);
    }

    fn unknown(&self, id: &RequestId, method: &str) {
        let message = format!("{method} is not in the revision of the protocol that this conversation is in");
        self.core.host.respond(id, Err(&RpcError::new(METHOD_NOT_FOUND, message)));
    }

    /// Starts to connect: the host has said who it is.
    async fn connect(&mut self) {
        self.core.recall().await;
        let side = Arc::new(Side::new(&self.core));
        let config = &self.core.config;
        let source = BridgeSource { source: self.source(), side };
        let supervisor =
            SupervisorConfig::new(config.name.clone(), source).with_policy(config.policy.clone());
        let server = Supervisor::start(self.connector.clone(), supervisor);
        self.core.install(server.clone());
        if let Some(introduced) = &config.introduced {
            introduced(self.core.introduction.client());
        }
        if let Some(started) = &config.started {
            started(server.clone());
        }
        let (notices, mut inbox) = mpsc::unbounded_channel::<(String, Option<Box<RawValue>>)>();
        self.notices = Some(notices);
        let telling = server.clone();
        self.background.push(AbortOnDropHandle::new(tokio::spawn(async move {
            while let Some((method, params)) = inbox.recv().await {
                if let Err(error) = telling.notify(&method, params.as_deref()).await {
                    tracing::debug!(method, %error, "a notification of the host was lost");
                }
            }
        })));
        if let Some(shared) = config.shared.clone() {
            let server = server.clone();
            self.background.push(AbortOnDropHandle::new(tokio::spawn(async move {
                loop {
                    match shared.changed().await {
                        UpstreamChange::Status => server.look_again(),
                        UpstreamChange::Entry => drop(server.config_changed()),
                    }
                }
            })));
        }
        let following = follow(self.core.clone(), server);
        self.background.push(AbortOnDropHandle::new(tokio::spawn(following)));
    }

    /// Where the server is: as configured, or by way of a connection that is shared with other bridges.
    fn source(&self) -> Arc<dyn ServerSource> {
        match &self.core.config.shared {
            Some(shared) => shared.source(BridgeView::new(&self.core, self.connector.clone())),
            None => self.core.config.source.clone(),
        }
    }

    fn forward(&self, request: Request) {
        let (core, calls, id) = (self.core.clone(), self.calls.clone(), request.id.clone());
        let mut under_way = self.calls.lock();
        if let Some(error) = not_taken(&under_way, &id, &core.config) {
            drop(under_way);
            return core.host.respond(&id, Err(&error));
        }
        if request.method == "tools/call" {
            core.config.calls.fetch_add(1, Ordering::Relaxed);
        }
        let call = self.tasks.spawn(async move {
            let id = request.id.clone();
            core.early.over().await;
            serve(core, request).await;
            calls.lock().remove(&id);
        });
        // The task has not begun yet, or waits for the lock: it is removed after it was added.
        under_way.insert(id, call.abort_handle());
    }

    fn notification(&self, method: String, params: Option<Box<RawValue>>) {
        match method.as_str() {
            "notifications/initialized" => {
                self.core.becomes_ready();
            }
            CANCELLED => self.cancel(params.as_deref()),
            _ => {
                // A modern server has no use for what a legacy host tells, and a server that is not there has
                // missed it.
                let takes_it = self.core.connected_era() == Some(self.core.introduction.era());
                if let (Some(notices), true) = (&self.notices, takes_it) {
                    drop(notices.send((method, params)));
                }
            }
        }
    }

    fn cancel(&self, params: Option<&RawValue>) {
        let Some(id) = cancelled_request(params) else { return };
        // Dropping the request says so on the wire. There is no answer to what was cancelled.
        let call = self.calls.lock().remove(&id);
        if let Some(call) = call {
            call.abort();
        }
        self.core.subscriptions.close(&id);
    }

    /// Ends everything, within two seconds.
    async fn end(&mut self, ended: EndReason) {
        self.core.ending.cancel();
        self.tasks.close();
        let last_answers = async {
            if ended == EndReason::HostGone {
                self.tasks.wait().await;
            }
        };
        // Other bridges have asked, too, and go elsewhere with what they ask from now on.
        let last_answers = async {
            match &self.core.config.shared {
                Some(shared) => {
                    shared.release();
                    tokio::join!(last_answers, shared.released());
                }
                None => last_answers.await,
            }
        };
        let _ = tokio::time::timeout(LAST_ANSWERS, last_answers).await;
        let calls = std::mem::take(&mut *self.calls.lock());
        calls.into_values().for_each(|call| call.abort());
        self.core.exchanges.clear();
        for id in self.core.subscriptions.close_all() {
            let mut result = Object::new();
            result.member("resultType", "\"complete\"");
            result.member("_meta", stream_meta(&id).get());
            self.core.host.respond(&id, Ok(&result.finish()));
        }
        let ending = async {
            if let Some(server) = self.core.server() {
                server.close().await;
            }
            if let Some(shared) = &self.core.config.shared {
                shared.close().await;
            }
        };
        let settled = async {
            if let Some(settled) = &self.core.config.settled {
                settled().await;
            }
        };
        if tokio::time::timeout(SESSION_END, async { tokio::join!(ending, settled) }).await.is_err() {
            tracing::debug!("not everything came to its end in time");
        }
        self.background.clear();
    }
}
