//! A connection as a transport of the official Rust SDK, so that its users get the credentials, retries and statuses
//! of `mcp-transport`.
//!
//! To the SDK this is a server of the legacy era, whatever the wire speaks: its `initialize` makes the connection,
//! with the identity and the capabilities that it declares, and is answered from what the server said about
//! itself. What follows is passed on, payloads as they are. So the SDK needs no change where a server learns a new
//! revision: questions that a modern server asks in a result arrive as requests, and the changes that it tells to
//! subscribers arrive as notifications.
#![doc = "\n# In ten lines\n"]
#![doc = include_str!("../README.md")]

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use mcp_status::StatusMachine;
use mcp_transport::connect::{ConnectPolicy, Implementation};
use mcp_transport::handler::{
    ClientCapabilities, HandlerFuture, ServerNotification, ServerRequest, ServerRequestHandler,
};
use mcp_transport::message::{
    INTERNAL_ERROR, INVALID_PARAMS, Incoming, METHOD_NOT_FOUND, Members, Payload, ProtocolRevision,
    RequestId, RpcError, cancelled_request, encode_notification, encode_request, encode_response, methods,
    parse,
};
use mcp_transport::{
    ClientInfo, Connection, Connector, RequestOptions, Server, ServerDescription, TransportError,
    TransportErrorKind,
};
use rmcp::service::{RoleClient, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Told each time the status of the connection may have changed, with the wait under way if there is one.
type Observer = Box<dyn FnMut(&StatusMachine, Option<Duration>) + Send>;
type Answer = Result<Box<RawValue>, RpcError>;
type FromServer = RxJsonRpcMessage<RoleClient>;

/// A transport for `rmcp` clients: `().serve(RmcpTransport::new(connector, server, policy))`.
///
/// The connection is made by the handshake of the SDK, with as many attempts as the policy allows; without one, the
/// handshake fails. The failure of a handshake or of a request is a [`TransportError`], which the SDK's error holds:
/// `DynamicTransportError::downcast::<RmcpTransport, RoleClient>` gives it back, and
/// [`evidence`](TransportError::evidence) says what it means. An error that the server answered with is the SDK's own.
///
/// A modern server is shown as one of 2025-11-25. The lifecycle `Auto` of the SDK ends up there by itself, and
/// `Discover` alone fails.
///
/// # Examples
///
/// ```no_run
/// use mcp_rmcp::RmcpTransport;
/// use mcp_transport::connect::ConnectPolicy;
/// use mcp_transport::{ClientInfo, ClientOptions, Connector, Endpoint, HttpEndpoint, Server};
/// use rmcp::ServiceExt as _;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let connector = Connector::new(ClientOptions::new(ClientInfo::new("my-agent", "1.0")));
/// let server = Server::new(Endpoint::Http(HttpEndpoint::new("https://mcp.example/mcp".parse()?)));
/// let client = ().serve(RmcpTransport::new(connector, server, ConnectPolicy::one_shot())).await?;
/// println!("{} tools", client.list_all_tools().await?.len());
/// # Ok(())
/// # }
/// ```
pub struct RmcpTransport {
    session: Arc<Session>,
    /// `None` says that the wire has ended.
    inbox: mpsc::UnboundedReceiver<Option<FromServer>>,
    _end: DropGuard,
}

/// What the futures of single messages share.
struct Session {
    connector: Connector,
    server: Server,
    policy: ConnectPolicy,
    observer: Mutex<Option<Observer>>,
    connection: OnceLock<Connection>,
    /// Unbounded: it is filled from the task that reads the wire, and the SDK reads it all the time.
    outbox: mpsc::UnboundedSender<Option<FromServer>>,
    /// What cancels the requests under way.
    calls: Mutex<HashMap<RequestId, CancellationToken>>,
    questions: Mutex<Questions>,
    end: CancellationToken,
}

/// What the SDK is asked, under ids of ours.
#[derive(Default)]
struct Questions {
    last: i64,
    waiting: HashMap<i64, oneshot::Sender<Answer>>,
}

impl RmcpTransport {
    /// A transport to `server`. Its handler, if it has one, is not used: the SDK answers what the server asks.
    pub fn new(connector: Connector, server: Server, policy: ConnectPolicy) -> Self {
        let (outbox, inbox) = mpsc::unbounded_channel();
        let end = CancellationToken::new();
        let guard = end.clone().drop_guard();
        let session = Session {
            connector,
            server,
            policy,
            observer: Mutex::default(),
            connection: OnceLock::new(),
            outbox,
            calls: Mutex::default(),
            questions: Mutex::default(),
            end,
        };
        Self { session: Arc::new(session), inbox, _end: guard }
    }

    /// With an observer of the status while the connection is made.
    #[must_use]
    pub fn with_observer(
        self,
        observe: impl FnMut(&StatusMachine, Option<Duration>) + Send + 'static,
    ) -> Self {
        *locked(&self.session.observer) = Some(Box::new(observe));
        self
    }
}

impl fmt::Debug for RmcpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RmcpTransport")
            .field("server", &self.session.server)
            .field("connection", &self.session.connection.get())
            .finish_non_exhaustive()
    }
}

impl Transport<RoleClient> for RmcpTransport {
    type Error = TransportError;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), TransportError>> + Send + 'static {
        // Now and not in the future: the SDK runs its futures in any order, and a cancellation must find its request.
        let step = self.session.clone().begin(&message);
        async move {
            match step? {
                Step::Done => Ok(()),
                Step::Notify { session, method, params } => {
                    session.connection()?.notify(&method, params.as_deref()).await
                }
                Step::Call(call) => call.run().await,
            }
        }
    }

    async fn receive(&mut self) -> Option<FromServer> {
        self.inbox.recv().await.flatten()
    }

    async fn close(&mut self) -> Result<(), TransportError> {
        self.session.end.cancel();
        if let Some(connection) = self.session.connection.get() {
            connection.close().await;
        }
        Ok(())
    }
}

/// What is left to do for a message.
enum Step {
    Done,
    Notify { session: Arc<Session>, method: String, params: Option<Box<RawValue>> },
    Call(Call),
}

/// A request of the SDK. Dropping it gives the request up.
struct Call {
    session: Arc<Session>,
    id: RequestId,
    method: String,
    params: Option<Box<RawValue>>,
    cancelled: CancellationToken,
}

impl Drop for Call {
    fn drop(&mut self) {
        locked(&self.session.calls).remove(&self.id);
    }
}

impl Call {
    async fn run(self) -> Result<(), TransportError> {
        let params = self.params.as_deref();
        let answer = tokio::select! {
            biased;
            // A cancelled request wants no answer.
            () = self.cancelled.cancelled() => return Ok(()),
            answer = self.session.answer(&self.method, params) => answer,
        };
        let answer = match answer {
            Ok(result) => Ok(result),
            // The server's own words are for the SDK to tell; every other failure is one of the transport.
            Err(error) => match (error.kind(), error.rpc_error()) {
                (TransportErrorKind::Rpc { .. }, Some(said)) => Err(said.clone()),
                _ => return Err(error),
            },
        };
        let frame = encode_response(&self.id, answer.as_deref());
        if !self.session.deliver(&frame) {
            let error = RpcError::new(INTERNAL_ERROR, "the result is none that the SDK can read");
            self.session.deliver(&encode_response(&self.id, Err(&error)));
        }
        Ok(())
    }
}

impl Session {
    fn begin(self: Arc<Self>, message: &TxJsonRpcMessage<RoleClient>) -> Result<Step, TransportError> {
        let frame = serde_json::to_vec(message).ok();
        let message = frame.and_then(|frame| parse(frame).ok()?.next()?.ok()).ok_or_else(|| {
            TransportError::new(TransportErrorKind::Misconfigured, "the SDK sent what is not a message")
        })?;
        Ok(match message {
            Incoming::Request { id, method, params } => {
                let cancelled = self.end.child_token();
                locked(&self.calls).insert(id.clone(), cancelled.clone());
                Step::Call(Call { session: self, id, method, params, cancelled })
            }
            Incoming::Notification { method, params } => match method.as_str() {
                methods::CANCELLED => {
                    self.cancel(params.as_deref());
                    Step::Done
                }
                // The handshake with the server is over already.
                "notifications/initialized" => Step::Done,
                _ => Step::Notify { session: self, method, params },
            },
            Incoming::Response { id, outcome } => {
                let asked = id.as_ref().and_then(RequestId::as_assigned);
                let waiting = asked.and_then(|id| locked(&self.questions).waiting.remove(&id));
                match waiting {
                    // The caller may be gone by now.
                    Some(waiting) => drop(waiting.send(outcome.map(Payload::into_raw))),
                    None => tracing::debug!(?id, "an answer to no request"),
                }
                Step::Done
            }
        })
    }

    fn cancel(&self, params: Option<&RawValue>) {
        if let Some(call) = cancelled_request(params).and_then(|id| locked(&self.calls).get(&id).cloned()) {
            call.cancel();
        }
    }

    fn connection(&self) -> Result<&Connection, TransportError> {
        let closed = || TransportError::new(TransportErrorKind::Closed, "the handshake has not been made");
        self.connection.get().ok_or_else(closed)
    }

    async fn answer(
        self: &Arc<Self>,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<Box<RawValue>, TransportError> {
        let options = RequestOptions::new();
        match method {
            "initialize" => self.connect(params).await,
            "server/discover" => Err(TransportError::rpc(method_not_found(method))),
            // There is no such request in the modern era.
            "ping" => {
                self.connection()?.ping(&options).await?;
                Ok(RawValue::from_string("{}".to_owned()).unwrap_or_default())
            }
            // Some tools of a modern server must not be offered, and the list says which (2026-07-28, tools).
            "tools/list" if self.connection()?.mirrors_parameters() => {
                let list = self.connection()?.list_tools(&options).await?;
                let tools: Vec<_> = list.tools.iter().map(|tool| &*tool.raw).collect();
                to_raw_value(&HashMap::from([("tools", tools)])).map_err(unwritable)
            }
            _ => self.connection()?.request(method, params, &options).await.map(Payload::into_raw),
        }
    }

    /// Makes the connection on behalf of the SDK, and answers its handshake.
    async fn connect(self: &Arc<Self>, params: Option<&RawValue>) -> Result<Box<RawValue>, TransportError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Params<'a> {
            #[serde(borrow)]
            capabilities: &'a RawValue,
            client_info: Implementation,
        }
        let params: Option<Params<'_>> = params.and_then(|params| serde_json::from_str(params.get()).ok());
        let Some(Params { capabilities, client_info }) = params.filter(|_| self.connection.get().is_none())
        else {
            let error = RpcError::new(INVALID_PARAMS, "no first handshake");
            return Err(TransportError::rpc(error));
        };
        let Implementation { name, title, version, .. } = client_info;
        let mut client = ClientInfo::new(name, version);
        client.title = title;
        let capabilities = Members::read(capabilities.get()).unwrap_or_default();
        let capabilities =
            capabilities.iter().fold(ClientCapabilities::default(), |known, (name, settings)| {
                known.with(name, settings.to_owned())
            });
        let asked = SdkHandler { session: Arc::downgrade(self), capabilities, client };

        let server = self.server.clone().with_handler(Arc::new(asked));
        let mut observer = locked(&self.observer).take();
        let observe = |machine: &StatusMachine, wait| {
            if let Some(observe) = &mut observer {
                observe(machine, wait);
            }
        };
        let outcome = self.connector.connect_observed(&server, &self.policy, observe).await;
        let connected = outcome.into_result().await.map_err(|error| error.error().clone())?;
        let connection = connected.connection;
        let description = connection.server();
        let connection = self.connection.get_or_init(|| connection).clone();
        self.watch(connection);
        initialize_result(&description)
    }

    /// Opens the stream of what the server tells by itself, and tells the SDK when the wire has ended.
    fn watch(&self, connection: Connection) {
        let (end, outbox) = (self.end.clone(), self.outbox.clone());
        tokio::spawn(end.run_until_cancelled_owned(async move {
            tokio::join!(connection.listen(), connection.ended());
            // The SDK may be gone by now.
            let _ = outbox.send(None);
        }));
    }

    /// Hands a message to the SDK; whether the SDK can read it.
    fn deliver(&self, frame: &[u8]) -> bool {
        match serde_json::from_slice(frame) {
            Ok(message) => {
                // It may be gone by now.
                let _ = self.outbox.send(Some(message));
                true
            }
            Err(error) => {
                // Its text may quote the payload.
                tracing::debug!(
                    line = error.line(),
                    column = error.column(),
                    "the SDK cannot read a message"
                );
                false
            }
        }
    }

    async fn ask(&self, method: &str, params: Option<&RawValue>) -> Answer {
        let (sender, answer) = oneshot::channel();
        let id = {
            let mut questions = locked(&self.questions);
            questions.last += 1;
            let id = questions.last;
            questions.waiting.insert(id, sender);
            id
        };
        let mut question = Question { session: self, id: Some(id) };
        if !self.deliver(&encode_request(&RequestId::Number(id), method, params)) {
            locked(&self.questions).waiting.remove(&id);
            question.id = None;
            return Err(method_not_found(method));
        }
        let answer = answer.await;
        question.id = None;
        answer.unwrap_or_else(|_| Err(method_not_found(method)))
    }
}

/// A question under way. Dropped before its answer, it is given up.
struct Question<'a> {
    session: &'a Session,
    id: Option<i64>,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            locked(&self.session.questions).waiting.remove(&id);
            let params = RawValue::from_string(format!(r#"{{"requestId":{id}}}"#)).unwrap_or_default();
            self.session.deliver(&encode_notification(methods::CANCELLED, Some(&params)));
        }
    }
}

/// The SDK, as the connection asks it.
struct SdkHandler {
    session: Weak<Session>,
    capabilities: ClientCapabilities,
    client: ClientInfo,
}

impl fmt::Debug for SdkHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SdkHandler").field("client", &self.client).finish_non_exhaustive()
    }
}

impl ServerRequestHandler for SdkHandler {
    fn capabilities(&self) -> ClientCapabilities {
        self.capabilities.clone()
    }

    fn handle<'a>(&'a self, request: ServerRequest<'a>) -> HandlerFuture<'a> {
        let ServerRequest { method, params, .. } = request;
        Box::pin(async move {
            match self.session.upgrade() {
                Some(session) => session.ask(method, params.as_deref()).await,
                None => Err(method_not_found(method)),
            }
        })
    }

    fn notification(&self, notification: ServerNotification<'_>) {
        let ServerNotification { method, params, .. } = notification;
        if let Some(session) = self.session.upgrade() {
            session.deliver(&encode_notification(method, params));
        }
    }

    fn client_info(&self) -> Option<ClientInfo> {
        Some(self.client.clone())
    }
}

/// What a server of the legacy era would have answered.
fn initialize_result(server: &ServerDescription) -> Result<Box<RawValue>, TransportError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct InitializeResult<'a> {
        protocol_version: &'a str,
        capabilities: &'a BTreeMap<String, Box<RawValue>>,
        server_info: Info<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        instructions: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct Info<'a> {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'a str>,
        version: &'a str,
    }
    let info = server.info.as_ref();
    let result = InitializeResult {
        protocol_version: server.revision.min(ProtocolRevision::V2025_11_25).as_str(),
        capabilities: &server.capabilities,
        server_info: Info {
            // The legacy era knows no server without a name.
            name: info.map_or("unknown", |info| &info.name),
            title: info.and_then(|info| info.title.as_deref()),
            version: info.map_or("", |info| &info.version),
        },
        instructions: server.instructions.as_deref(),
    };
    to_raw_value(&result).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> TransportError {
    TransportError::new(TransportErrorKind::Protocol, "the answer cannot be written").with_source(error)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn method_not_found(method: &str) -> RpcError {
    RpcError::new(METHOD_NOT_FOUND, format!("no handler for {method}"))
}
