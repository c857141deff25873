//! From an address to a connection: one attempt, and the loop that makes as many as make sense.
//!
//! The loop decides nothing by itself. What an outcome means is decided by `mcp_status::classify`, whether
//! there is another attempt by the [`StatusMachine`] alone, and how long to wait before it by [`RetryPolicy`].
//!
//! Longer than 500 lines because what embedders begin with is shown with examples.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mcp_auth::AuthProvider;
use mcp_status::{
    AuthFacts, Effect, Event, Evidence, Limit, LimitSubject, MachinePolicy, MessageContext, Outcome, Phase,
    Reason, ReasonCode, Schedule, ServerStatus, StatusMachine, classify,
};
use tokio::time::Instant;

use crate::connection::Connection;
use crate::deadline::moment_after;
use crate::endpoint::Endpoint;
use crate::error::{TimeoutStage, TransportError, TransportErrorKind};
use crate::handler::ServerRequestHandler;
use crate::hub::Inbox;
use crate::late::{self, LateEndpoint};
use crate::lease::SharedBudget;
use crate::limits::{Budget, Limits};
use crate::options::{ClientOptions, RequestOptions};
use crate::refusal;
use crate::retry::RetryPolicy;
use crate::tool_filter::ToolFilter;
use crate::tools::ToolList;
use crate::trace::spans::ConnectionSpan;
use crate::waiting::WaitState;
use crate::wire::Wire;

#[cfg(any(feature = "http", feature = "stdio"))]
use crate::ordered::{OrderedWire, Stream, StreamEnd};
#[cfg(feature = "stdio")]
use crate::stdio::{Start, StartSink, StreamWire};
#[cfg(feature = "http")]
use crate::{
    authed::AuthedClient,
    endpoint::HttpFlavor,
    http::negotiate::{self, OpenedWire},
};

#[cfg(feature = "http")]
pub use crate::http::client::HttpClient;
#[cfg(feature = "http")]
pub use crate::http::reach::{CertificateReach, Reach, TlsReach};
pub use crate::protocol::handshake::{Implementation, ServerDescription};
pub use crate::sink::Sink;

/// How long a connection waits for the server's own stream before it is used without: some servers and proxies keep
/// the head of a stream back until there is something to tell.
const OWN_STREAM: Duration = Duration::from_secs(2);
/// How long the question is waited for whether everything is refused.
const PING_LIMIT: Duration = Duration::from_secs(2);

/// Everything that is needed to connect to one server.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use mcp_transport::{Endpoint, HttpEndpoint, Server};
///
/// let endpoint = HttpEndpoint::new("https://mcp.example/mcp".parse()?);
/// let server = Server::new(Endpoint::Http(endpoint)).with_timeout(Some(Duration::from_secs(20)));
/// assert!(server.auth.is_none(), "anonymous unless a provider is given");
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Server {
    /// Where it is.
    pub endpoint: Endpoint,
    /// What completes that when a connection is made.
    pub late: Option<Arc<dyn LateEndpoint>>,
    /// Who supplies credentials; anonymous where `None`. Not used over stdio.
    pub auth: Option<Arc<dyn AuthProvider>>,
    /// Who answers its requests.
    pub handler: Option<Arc<dyn ServerRequestHandler>>,
    /// The limit of a request to it, where its entry has one.
    pub timeout: Option<Duration>,
    /// What it may cost, where its entry says; otherwise [`ClientOptions::limits`].
    pub limits: Option<Arc<Limits>>,
    /// Which of its tools may be listed and called; all where `None`.
    pub tools: Option<Arc<dyn ToolFilter>>,
    /// Who hears of a local server that takes a while to start.
    #[cfg(feature = "stdio")]
    pub starting: Option<StartSink>,
    /// Who hears that hands are shaken, before anything else is asked.
    pub greeted: Option<HandshakeSink>,
}

/// Hears of a connection that stands, of which nothing has been asked yet.
pub type HandshakeSink = Sink<Connection>;

impl Server {
    /// A server without credentials, handler and limit of its own.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            late: None,
            auth: None,
            handler: None,
            timeout: None,
            limits: None,
            tools: None,
            #[cfg(feature = "stdio")]
            starting: None,
            greeted: None,
        }
    }

    /// With what completes its endpoint when a connection is made.
    #[must_use]
    pub fn with_late(mut self, late: Option<Arc<dyn LateEndpoint>>) -> Self {
        self.late = late;
        self
    }

    /// With a provider of credentials.
    #[must_use]
    pub fn with_auth(mut self, provider: Arc<dyn AuthProvider>) -> Self {
        self.auth = Some(provider);
        self
    }

    /// With a handler of its requests.
    #[must_use]
    pub fn with_handler(mut self, handler: Arc<dyn ServerRequestHandler>) -> Self {
        self.handler = Some(handler);
        self
    }

    /// With a limit of its own for every request.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// With a listener for a local server that takes a while to start.
    #[cfg(feature = "stdio")]
    #[must_use]
    pub fn with_start_sink(mut self, sink: StartSink) -> Self {
        self.starting = Some(sink);
        self
    }

    /// With a listener for the end of its handshake.
    #[must_use]
    pub fn with_handshake_sink(mut self, sink: HandshakeSink) -> Self {
        self.greeted = Some(sink);
        self
    }

    /// With limits of its own for what it may cost.
    #[must_use]
    pub fn with_limits(mut self, limits: Option<Limits>) -> Self {
        self.limits = limits.map(Arc::new);
        self
    }

    /// With a say in which of its tools may be used.
    #[must_use]
    pub fn with_tools(mut self, tools: Option<Arc<dyn ToolFilter>>) -> Self {
        self.tools = tools;
        self
    }
}

impl Server {
    /// The server with its whole endpoint.
    async fn completed(&self) -> Result<Self, TransportError> {
        let Some(late) = &self.late else { return Ok(self.clone()) };
        let endpoint = late.complete(self.endpoint.clone()).await;
        let endpoint = endpoint.map_err(|error| TransportError::credentials(error, late::NAME))?;
        Ok(Self { endpoint, ..self.clone() })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("endpoint", &self.endpoint)
            .field("late", &self.late)
            .field("auth", &self.auth)
            .field("handler", &self.handler)
            .field("timeout", &self.timeout)
            .field("limits", &self.limits)
            .field("tools", &self.tools)
            .finish()
    }
}

/// How the connect loop behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectPolicy {
    /// How often, and what follows.
    pub machine: MachinePolicy,
    /// How long to wait between the attempts; how many there are is for `machine` to say.
    pub connect: RetryPolicy,
    /// How long to wait between the attempts to list the tools; `None` does not list them.
    pub list: Option<RetryPolicy>,
    /// How long all waits between the attempts may be together; without a limit where `None`. A server that asks for a
    /// longer one is not asked again before its time, and so not at all.
    pub patience: Option<Duration>,
    /// How long the attempts may have taken together where another one is to follow, the lists of tools included; without a
    /// limit where `None`. What takes long to fail, such as a stream that its server closes every 20 s, is as good as silent.
    pub spent: Option<Duration>,
}

impl ConnectPolicy {
    /// For a command that ends with an answer: four attempts with 1, 2 and 4 s between them, three to list. A server
    /// that asks for longer waits gets 5 s each.
    pub fn one_shot() -> Self {
        let connect = RetryPolicy::connect().with_max_retry_after(Duration::from_secs(5));
        Self {
            machine: MachinePolicy::one_shot(),
            connect,
            list: Some(connect.with_max_retries(2)),
            patience: None,
            spent: None,
        }
    }

    /// For a command that only looks: the same attempts within about a second (100, 250 and 500 ms between them), and none
    /// after silence, nor after attempts that took 5 s together. What a server asks for is waited for, up to 5 s in all.
    pub fn glance() -> Self {
        let connect = RetryPolicy::glance();
        let list = connect.with_max_retries(2).with_max_retry_after(Duration::from_secs(1));
        Self {
            machine: MachinePolicy::glance(),
            connect,
            list: Some(list),
            patience: Some(Duration::from_secs(5)),
            spent: Some(Duration::from_secs(5)),
        }
    }

    /// The same without listing the tools: for a caller that wants something else of the server.
    #[must_use]
    pub fn without_tools(mut self) -> Self {
        self.list = None;
        self
    }
}

/// A connection, and what was found out while it was made.
#[derive(Debug)]
#[non_exhaustive]
pub struct Connected {
    /// The connection.
    pub connection: Connection,
    /// The tools, where the policy asks for them, and the server has any and listed them.
    pub tools: Option<ToolList>,
    /// Why they could not be listed.
    pub tools_error: Option<TransportError>,
    /// What was seen.
    pub evidence: Evidence,
}

impl Connected {
    /// The code beside the status; `None` where nothing is wrong.
    pub fn code(&self) -> Option<ReasonCode> {
        classify(&self.evidence).code()
    }
}

/// Why there is no connection, with the status that a person is shown.
#[derive(Clone, Debug)]
pub struct ConnectError(Box<FailedConnect>);

#[derive(Clone, Debug)]
struct FailedConnect {
    status: ServerStatus,
    reason: Option<Reason>,
    evidence: Evidence,
    error: TransportError,
}

impl ConnectError {
    /// The status.
    pub fn status(&self) -> ServerStatus {
        self.0.status
    }

    /// The code beside it.
    pub fn code(&self) -> Option<ReasonCode> {
        self.0.reason.as_ref().map(|reason| reason.code)
    }

    /// The reason beside it, in words that name no server; [`StatusReport::from_evidence`](mcp_status::StatusReport::from_evidence)
    /// has others.
    pub fn reason(&self) -> Option<&Reason> {
        self.0.reason.as_ref()
    }

    /// What was seen.
    pub fn evidence(&self) -> &Evidence {
        &self.0.evidence
    }

    /// What the last attempt failed with.
    pub fn error(&self) -> &TransportError {
        &self.0.error
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.reason {
            Some(reason) => write!(f, "{}: {}", self.0.status, reason.message),
            None => write!(f, "{}: {}", self.0.status, self.0.error),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.error)
    }
}

/// How connecting ended, for a caller that has followed the status.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConnectOutcome {
    /// The connection, where there is one. It exists although its tools could not be listed.
    pub connection: Option<Connection>,
    /// The tools, where they could be listed.
    pub tools: Option<ToolList>,
    /// The status, its reason and the evidence behind them.
    pub machine: StatusMachine,
    /// What the last attempt, or the list, failed with.
    pub error: Option<TransportError>,
}

impl ConnectOutcome {
    /// As a result: a server is connected, also one whose tools could not be listed, or it is not, and then what there is of a
    /// connection is closed.
    ///
    /// # Errors
    ///
    /// The server is not connected.
    pub async fn into_result(self) -> Result<Connected, ConnectError> {
        let Self { connection, tools, machine, error } = self;
        let status = machine.status();
        let seen = machine.evidence().cloned();
        match (connection, seen) {
            (Some(connection), Some(evidence)) if status == ServerStatus::Connected => {
                Ok(Connected { connection, tools, tools_error: error, evidence })
            }
            (connection, seen) => {
                if let Some(connection) = connection {
                    connection.close().await;
                }
                let unknown =
                    || TransportError::new(TransportErrorKind::Unreachable, "there is no connection");
                let error = error.unwrap_or_else(unknown);
                let evidence = seen.unwrap_or_else(|| error.evidence());
                let reason = machine.reason(None, &MessageContext::new("the server"));
                Err(ConnectError(Box::new(FailedConnect { status, reason, evidence, error })))
            }
        }
    }
}

/// Makes connections that share one set of options and one pool of HTTP connections. Cheap to clone.
///
/// # Examples
///
/// ```no_run
/// use mcp_transport::{ClientInfo, ClientOptions, Connector, Endpoint, Server, StdioEndpoint};
///
/// # async fn hello() -> Result<(), mcp_transport::TransportError> {
/// let connector = Connector::new(ClientOptions::new(ClientInfo::new("my-agent", "1.0")));
/// let connection = connector.attempt(&Server::new(Endpoint::Stdio(StdioEndpoint::new("my-server")))).await?;
/// println!("{:?}", connection.server());
/// connection.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connector {
    #[cfg(feature = "http")]
    client: HttpClient,
    #[cfg(not(feature = "http"))]
    options: Arc<ClientOptions>,
    /// The limits of every server whose entry has none.
    limits: Arc<Limits>,
    shared: SharedBudget,
}

impl Connector {
    /// A connector with these options. Costs nothing until the first connection.
    pub fn new(options: ClientOptions) -> Self {
        Self {
            limits: Arc::new(options.limits.clone()),
            shared: SharedBudget::default(),
            #[cfg(feature = "http")]
            client: HttpClient::new(options),
            #[cfg(not(feature = "http"))]
            options: Arc::new(options),
        }
    }

    /// A connector whose HTTP client is this one.
    #[cfg(all(test, feature = "http"))]
    pub(crate) fn with_http(client: HttpClient) -> Self {
        Self { limits: Arc::new(client.options().limits.clone()), shared: SharedBudget::default(), client }
    }

    /// The shared HTTP client; implements [`mcp_auth::HttpExchange`].
    #[cfg(feature = "http")]
    pub fn http(&self) -> &HttpClient {
        &self.client
    }

    /// The options of every connection.
    pub fn options(&self) -> &Arc<ClientOptions> {
        #[cfg(feature = "http")]
        return self.client.options();
        #[cfg(not(feature = "http"))]
        return &self.options;
    }

    /// Makes one attempt, within [`ClientOptions::connect_timeout`], or [`ClientOptions::startup_timeout`] where it starts
    /// a process.
    ///
    /// Dropping the future ends the attempt; nothing of it is left behind.
    ///
    /// # Errors
    ///
    /// Why there is no connection; [`evidence`](TransportError::evidence) says what it means.
    pub async fn attempt(&self, server: &Server) -> Result<Connection, TransportError> {
        self.attempt_seen(server, &Arc::default()).await
    }

    /// The same, which tells `waiting` while it waits for credentials.
    pub(crate) async fn attempt_seen(
        &self,
        server: &Server,
        waiting: &Arc<WaitState>,
    ) -> Result<Connection, TransportError> {
        let peer = ConnectionSpan::new(&server.endpoint);
        let attempt = async {
            // Each source has a limit of its own.
            let server = &server.completed().await?;
            // Boxed: the type of what is built of it grows with each layer.
            Box::pin(self.shake_hands(server, peer.clone(), waiting)).await
        };
        let attempted = peer.connecting(Connection::revision, attempt).await;
        if let (Ok(connection), Some(sink)) = (&attempted, &server.greeted) {
            sink.tell(connection);
        }
        attempted
            .map_err(|error| error.in_phase(Phase::Connect).with_limit_named(&self.options().limit_names))
    }

    async fn shake_hands(
        &self,
        server: &Server,
        peer: ConnectionSpan,
        waiting: &Arc<WaitState>,
    ) -> Result<Connection, TransportError> {
        let limit = self.options().connect_timeout;
        let (wire, hub) = match &server.endpoint {
            // A process has a limit of its own, and tells what it printed when that is over.
            Endpoint::Stdio(_) => self.open(server, waiting).await?,
            _ => tokio::time::timeout(limit, self.open(server, waiting)).await.map_err(|_| {
                #[cfg(feature = "http")]
                if let Some(error) = waiting.given_up(server.auth.as_deref(), limit) {
                    return error.at_limit(Limit::new(limit, LimitSubject::Attempt));
                }
                let kind = TransportErrorKind::Timeout { stage: TimeoutStage::Connect };
                let error = TransportError::new(kind, "the server did not finish the handshake in time");
                // One that takes connections and says nothing looks like a server that does.
                #[cfg(feature = "http")]
                let error = error.by_way_of(self.proxy_of(server));
                error
                    .with_said(waiting.half_done().map(str::to_owned))
                    .at_limit(Limit::new(limit, LimitSubject::Attempt))
            })??,
        };
        let (options, tools) = (self.options().clone(), server.tools.clone());
        let connection = Connection::new(wire, hub.clone(), options, peer, server.timeout, tools);
        if hub.answers_requests() && !connection.is_modern() {
            // What the server asks may arrive on its own stream, so that must be there before it is provoked.
            let _ = tokio::time::timeout(OWN_STREAM, connection.listen()).await;
        }
        Ok(connection)
    }

    /// The proxy by which requests to `server` go.
    #[cfg(feature = "http")]
    fn proxy_of(&self, server: &Server) -> Option<String> {
        match &server.endpoint {
            Endpoint::Http(endpoint) => self.client.for_endpoint(endpoint).proxy_of(&endpoint.url),
            _ => None,
        }
    }

    /// `waiting` is set while an attempt waits for credentials.
    #[cfg_attr(not(feature = "http"), expect(unused_variables, reason = "credentials are for HTTP alone"))]
    async fn open(
        &self,
        server: &Server,
        waiting: &Arc<WaitState>,
    ) -> Result<(Wire, Arc<Inbox>), TransportError> {
        let limits = server.limits.as_ref().unwrap_or(&self.limits);
        let new_hub = || {
            let budget = Budget::new(limits.clone(), self.shared.clone());
            Arc::new(Inbox::new(server.handler.clone(), budget))
        };
        let hub = new_hub();
        match &server.endpoint {
            #[cfg(feature = "http")]
            Endpoint::Http(endpoint) => {
                let client = self.client.for_endpoint(endpoint);
                let mut http = AuthedClient::new(client.clone(), endpoint.url.clone(), server.auth.clone())
                    .with_cookies(endpoint.keeps_cookies);
                http.waiting = waiting.clone();
                let (falls_back, era) = (endpoint.falls_back, endpoint.era);
                let opened = match endpoint.flavor {
                    HttpFlavor::Auto => negotiate::open(http, hub.clone(), falls_back, era).await,
                    HttpFlavor::LegacySse => negotiate::open_legacy(http, hub.clone(), falls_back).await,
                };
                let opened = match opened {
                    Ok(opened) => opened,
                    Err(error) => return Err(negotiate::restricted(&client, &endpoint.url, error).await),
                };
                let wire = match opened {
                    OpenedWire::Streamable(streamable) => {
                        Wire::Http { streamable, idle: self.options().idle_timeout }
                    }
                    OpenedWire::LegacySse(wire) => {
                        let options = self.options().clone();
                        let idle = options.idle_timeout;
                        let line = StreamEnd {
                            stream: Stream::LegacySse(wire),
                            hub: hub.clone(),
                            options,
                            chain: None,
                        };
                        OrderedWire::open(line, idle).await.map(|wire| Wire::Ordered(Box::new(wire)))?
                    }
                };
                Ok((wire, hub))
            }
            #[cfg(feature = "stdio")]
            Endpoint::Stdio(endpoint) => {
                let (options, sink) = (self.options(), server.starting.as_ref());
                let start = Start { endpoint, options, new_hub: &new_hub, sink };
                start.run().await.map(|(wire, hub)| (Wire::Ordered(Box::new(wire)), hub))
            }
            #[cfg(feature = "stdio")]
            Endpoint::Stream(endpoint) => {
                let options = self.options();
                let stream = endpoint.opener.open().await.map_err(TransportError::observed)?;
                let stream = Stream::Opened(StreamWire::start(stream, &hub.budget, hub.clone()));
                let line = StreamEnd { stream, hub: hub.clone(), options: options.clone(), chain: None };
                let opened = OrderedWire::open(line, options.stdio_idle_timeout).await;
                opened.map(|wire| (Wire::Ordered(Box::new(wire)), hub))
            }
            #[cfg(not(all(feature = "http", feature = "stdio")))]
            _ => {
                drop(hub);
                let kind = TransportErrorKind::Misconfigured;
                Err(TransportError::new(kind, "this transport is not compiled in"))
            }
        }
    }

    /// Connects and lists the tools, with as many attempts as `policy` allows. Dropping the future stops everything; nothing of
    /// it is left behind.
    ///
    /// # Errors
    ///
    /// Why there is no connection after the last attempt.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with time and I/O.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use mcp_transport::connect::{ConnectError, ConnectPolicy};
    /// # use mcp_transport::{Connector, Server};
    /// # async fn look(connector: Connector, server: Server) -> Result<(), ConnectError> {
    /// let connected = connector.connect(&server, &ConnectPolicy::one_shot()).await?;
    /// for tool in connected.tools.iter().flat_map(|list| &list.tools) {
    ///     println!("{}", tool.name);
    /// }
    /// connected.connection.close().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(&self, server: &Server, policy: &ConnectPolicy) -> Result<Connected, ConnectError> {
        self.connect_observed(server, policy, |_, _| {}).await.into_result().await
    }

    /// The same for a caller that shows how it goes on: `observe` is told each time the status may have changed, with the wait
    /// under way if there is one.
    pub async fn connect_observed(
        &self,
        server: &Server,
        policy: &ConnectPolicy,
        mut observe: impl FnMut(&StatusMachine, Option<Duration>) + Send,
    ) -> ConnectOutcome {
        let began = Instant::now();
        let mut ended = ConnectOutcome {
            connection: None,
            tools: None,
            machine: StatusMachine::new(policy.machine),
            error: None,
        };
        let mut effect = ended.machine.on(Event::Start, began.elapsed());
        let mut patience = policy.patience;
        let mut spent = Duration::ZERO;
        loop {
            let wait = match effect {
                Effect::Wait { schedule: Schedule::Connect, retry, floor } => {
                    Some(policy.connect.wait(retry, floor))
                }
                _ => None,
            };
            let left = patience.map(|patience| patience.checked_sub(wait.unwrap_or_default()));
            let is_slow = wait.is_some() && policy.spent.is_some_and(|most| spent >= most);
            if left == Some(None) || is_slow {
                effect = ended.machine.on(Event::GivenUp, began.elapsed());
                continue;
            }
            patience = left.flatten();
            observe(&ended.machine, wait);
            let event = match (effect, wait) {
                (Effect::Connect { .. }, _) => {
                    let since = Instant::now();
                    let left = policy.spent.map(|most| most.saturating_sub(spent));
                    let evidence = self.attempt_and_list(server, policy, left, &mut ended).await;
                    spent += since.elapsed();
                    Event::Attempt(evidence)
                }
                (_, Some(delay)) => {
                    tokio::time::sleep(delay).await;
                    Event::TimerFired
                }
                _ => return ended,
            };
            effect = ended.machine.on(event, began.elapsed());
        }
    }

    async fn attempt_and_list(
        &self,
        server: &Server,
        policy: &ConnectPolicy,
        left: Option<Duration>,
        ended: &mut ConnectOutcome,
    ) -> Evidence {
        let over = left.map(moment_after);
        let connection = match self.attempt(server).await {
            Ok(connection) => connection,
            Err(error) => {
                let evidence = error.evidence();
                ended.error = Some(error);
                return evidence;
            }
        };
        let listed = list(&connection, policy.list, over).await;
        ended.tools = listed.tools;
        ended.error = listed.error;
        ended.connection = Some(connection);
        listed.evidence
    }
}

/// What a connection that stands has to offer.
pub(crate) struct ServerLists {
    pub(crate) tools: Option<ToolList>,
    pub(crate) error: Option<TransportError>,
    pub(crate) evidence: Evidence,
}

/// Lists the tools of a server that has any, unless `policy` is `None`; no try begins after the first that is `over` then.
pub(crate) async fn list(
    connection: &Connection,
    policy: Option<RetryPolicy>,
    over: Option<Instant>,
) -> ServerLists {
    let connected = |tools| {
        let withheld = AuthFacts::default().with_withheld(connection.withheld_provider());
        Evidence::new(Phase::Session, Outcome::Connected { tools }).with_auth(withheld)
    };
    let Some(policy) = policy.filter(|_| connection.server().has("tools")) else {
        return ServerLists { tools: None, error: None, evidence: connected(None) };
    };
    match list_with_retries(connection, policy, over).await {
        Ok(list) => {
            let evidence = connected(Some(list.tools.len()))
                .with_unapproved(list.unapproved.len())
                .with_left_out(&list.withheld)
                .with_uncallable(&list.rejected)
                .with_unmatched_tools(&list.unmatched);
            ServerLists { evidence, tools: Some(list), error: None }
        }
        // A process that ends when it is asked for its tools is not a server without tools, nor is one that is not there any more.
        Err(error)
            if matches!(
                error.kind(),
                TransportErrorKind::Exited { .. } | TransportErrorKind::Unreachable
            ) =>
        {
            let error = error.in_phase(Phase::Connect);
            ServerLists { tools: None, evidence: error.evidence(), error: Some(error) }
        }
        Err(error) => {
            let error = judged(connection, error).await;
            let mut evidence = error.evidence();
            evidence.outcome = Outcome::ToolsUnavailable { cause: Box::new(evidence.outcome) };
            ServerLists { tools: None, error: Some(error), evidence }
        }
    }
}

/// `error` of the first list of a connection, or that every request is refused, where a `ping` is as well. Over Streamable HTTP
/// the request has found that out already, because a session can be made again there.
async fn judged(connection: &Connection, error: TransportError) -> TransportError {
    if connection.is_modern()
        || connection.has_headers()
        || connection.is_relayed()
        || !refusal::may_be_about_the_session(&error)
    {
        return error;
    }
    match connection.ping(&RequestOptions::new().with_timeout(PING_LIMIT)).await {
        Err(answer) if refusal::refuses_a_ping(&answer, &error) => {
            refusal::of_every_request(error, "tools/list")
        }
        _ => error,
    }
}

/// Lists the tools, again where what went wrong may pass. A list has no effect on the server.
async fn list_with_retries(
    connection: &Connection,
    policy: RetryPolicy,
    over: Option<Instant>,
) -> Result<ToolList, TransportError> {
    let mut delays = policy.delays();
    loop {
        let error = match connection.list_tools(&RequestOptions::new()).await {
            Ok(list) => return Ok(list),
            Err(error) => error,
        };
        let verdict = classify(&error.evidence());
        // A list that timed out once has cost a minute already, and a process that ended answers no more.
        let has_cost =
            matches!(error.kind(), TransportErrorKind::Timeout { .. } | TransportErrorKind::Exited { .. });
        if !verdict.is_retryable() || has_cost || over.is_some_and(|over| over <= Instant::now()) {
            return Err(error);
        }
        let Some(delay) = delays.wait(verdict.retry_after()) else { return Err(error) };
        tokio::time::sleep(delay).await;
    }
}
