//! Keeping one server in the right state for days; see [`Supervisor`].
//!
//! Longer than 500 lines because what embedders begin with is shown with an example.

mod attempt;
mod check;
mod connection_task;
mod decision;
mod dial;
mod error;
mod failure_scope;
mod listing;
mod live;
mod race;
#[cfg(all(test, feature = "http", feature = "stdio"))]
mod simulation;
mod sleep;
mod snapshot;
mod source;
mod state;
#[cfg(all(test, feature = "http"))]
mod tests;
mod tries;

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use mcp_status::ServerStatus;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::Instrument as _;

pub use self::decision::Decision;
pub use self::error::{RequestError, RequestErrorKind};
pub use self::live::Lease;
pub use self::sleep::SleepWatch;
pub use self::snapshot::StatusSnapshot;
pub use self::source::{
    NoContact, ServerFuture, ServerSource, StartLimits, SupervisorConfig, SupervisorPolicy,
};

use self::connection_task::{Command, ConnectionTask};
use self::dial::Dial;
use self::failure_scope::FailureScope;
use self::live::LiveConnection;
use self::tries::AttemptCount;
use crate::connect::Connector;
use crate::deadline::moment_after;
use crate::error::TransportError;
use crate::hub::{Listeners, Notifications};
use crate::message::Payload;
use crate::message::methods::is_repeatable;
use crate::options::RequestOptions;
use crate::protocol::handshake::ServerDescription;
use crate::tools::ToolList;

/// How long a request may be without a sign of life before the server is asked whether it is there.
const SILENCE: Duration = Duration::from_millis(750);
/// How long a status query waits at most: a little longer than a question to a server nearby.
const VERIFY_LIMIT: Duration = Duration::from_millis(1200);

/// Keeps one server in the right state for days.
///
/// It owns the connection, and a task that drives `mcp_status::StatusMachine` with
/// what happens to it: attempts that end, waits that are over, wires that break, requests that fail, people who
/// act. The machine alone decides what follows; [`RetryPolicy`](crate::retry::RetryPolicy) says how long each wait is.
///
/// ```text
/// ServerSource ─► attempt ─► Connection ─► Lease ─► request ──┐ what its failure says about the connection
///                    ▲            │ ended                     ▼
///                    └─ effect ─ StatusMachine ◄─ event ── connection task ──► StatusSnapshot (a watch)
/// ```
///
/// | seen | what follows |
/// |---|---|
/// | an attempt fails in passing | 1, 2, 4 s (first connection) or 1, 2, 4, 8, 16 s (lost one), then a probe every 60 s; `Retry-After` is a floor |
/// | an attempt is refused, or fails for good | nothing by itself; opened by [`reconnect`](SupervisorHandle::reconnect), [`login_done`](SupervisorHandle::login_done), a changed config, and by use once 30 s have passed |
/// | a server says that it has other tools, or its session is made again | they are listed again, once for changes that come together, and at most every 2 s |
/// | a wire ends, the machine slept | reconnect, at once if a request waits |
/// | a request fails as every request would | the same |
/// | a request fails as it alone may, or is without a sign of life for 750 ms | one question without effects decides; the others go on |
/// | the question is not answered for a second, or three times as long as a handshake took | the connection is set aside, and taken up again where its session is still there |
/// | a request finds its connection dead | one transparent re-connect, if it was not sent or has no effects |
///
/// While waiting, or probing, a caller starts an attempt at once, and another one every second as long as it waits, but
/// never sooner than the server asked for. These come on top: the row of waits goes on as if they had not been made.
/// Beside an attempt that is stuck, and while a request waits, a second one is made on fresh sockets. Nothing asks a refused server, or a source of credentials, by
/// itself.
///
/// # Examples
///
/// ```no_run
/// use mcp_transport::supervisor::SupervisorConfig;
/// use mcp_transport::{
///     ClientInfo, ClientOptions, Connector, Endpoint, RequestOptions, Server, StdioEndpoint, Supervisor,
/// };
///
/// # async fn run() -> Result<(), mcp_transport::supervisor::RequestError> {
/// let connector = Connector::new(ClientOptions::new(ClientInfo::new("my-agent", "1.0")));
/// let source = || async { Ok(Server::new(Endpoint::Stdio(StdioEndpoint::new("my-server")))) };
/// let files = Supervisor::start(connector, SupervisorConfig::new("files", source));
/// // Waits for the connection, which is made again when it is lost.
/// let tools = files.list_tools(&RequestOptions::new()).await?;
/// println!("{} tools, {}", tools.tools.len(), files.snapshot().status);
/// files.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a name for `start`, without a value")]
pub struct Supervisor;

impl Supervisor {
    /// Starts to connect and keeps at it until [`close`](SupervisorHandle::close), or until the last handle is
    /// dropped.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn start(connector: Connector, config: SupervisorConfig) -> SupervisorHandle {
        Self::start_with(Arc::new(connector), config)
    }

    fn start_with(dial: Arc<dyn Dial>, config: SupervisorConfig) -> SupervisorHandle {
        let sleep = config.sleep.clone().unwrap_or_else(SleepWatch::start);
        let snapshot =
            StatusSnapshot::before_anything(config.name.clone(), config.policy.machine, sleep.now());
        let shared = Arc::new(Shared {
            name: config.name.clone(),
            patience: Patience::of(&config.policy),
            status: watch::Sender::new(snapshot.clone()),
            shown: watch::Sender::new(snapshot),
            live: RwLock::new(None),
            listeners: Mutex::default(),
            waiting: AtomicUsize::new(0),
            sleep,
            span: tracing::info_span!("server", name = %config.name),
        });
        let (commands, received) = mpsc::unbounded_channel();
        let connection_task = ConnectionTask::new(config, dial, shared.clone(), received);
        tokio::spawn(connection_task.run().instrument(shared.span.clone()));
        SupervisorHandle { shared, commands }
    }
}

/// How long a caller waits for a connection.
#[derive(Clone, Copy, Debug)]
struct Patience {
    whole: Duration,
    /// Where nothing is there.
    outage: Duration,
}

impl Patience {
    fn of(policy: &SupervisorPolicy) -> Self {
        Self { whole: policy.patience, outage: policy.outage_patience }
    }

    /// That of a caller who says it.
    fn given(whole: Duration) -> Self {
        Self { whole, outage: whole }
    }

    /// The same, of which only this is left.
    fn within(self, left: Option<Duration>) -> Self {
        Self { whole: left.map_or(self.whole, |left| left.min(self.whole)), ..self }
    }
}

/// What the connection task and its handles share.
struct Shared {
    name: Arc<str>,
    patience: Patience,
    /// Changes with each step of the task, for callers that wait for a connection.
    status: watch::Sender<StatusSnapshot>,
    /// Changes where there is something else to show, for those who watch.
    shown: watch::Sender<StatusSnapshot>,
    live: RwLock<Option<Arc<LiveConnection>>>,
    listeners: Mutex<Listeners>,
    /// How many callers wait for a connection.
    waiting: AtomicUsize,
    sleep: SleepWatch,
    span: tracing::Span,
}

/// A caller that waits for a connection.
struct WaitingCaller<'a>(&'a Shared);

impl<'a> WaitingCaller<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.waiting.fetch_add(1, Ordering::AcqRel);
        Self(shared)
    }
}

impl Drop for WaitingCaller<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Shared {
    fn install(&self, live: Option<Arc<LiveConnection>>) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = live;
    }

    fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lease(&self) -> Option<Lease> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        live.is_usable(self.sleep.look()).then(|| Lease::new(live))
    }
}

/// A supervisor, as its host sees it. Cheap to clone; all clones are the same supervisor, which ends when the
/// last one is dropped.
#[derive(Clone)]
pub struct SupervisorHandle {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
}

impl SupervisorHandle {
    /// The name of the server entry.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The status now and each change of it: a receiver is woken only where the snapshot differs from the one before, so that
    /// what shows it need not compare.
    pub fn status(&self) -> watch::Receiver<StatusSnapshot> {
        self.shared.shown.subscribe()
    }

    /// The status now.
    pub fn snapshot(&self) -> StatusSnapshot {
        self.shared.status.borrow().clone()
    }

    /// What the server said about itself when it was last connected, and the revision that is spoken by now: a connection
    /// may agree on another one, which a [snapshot](Self::snapshot) does not tell.
    pub fn server(&self) -> Option<Arc<ServerDescription>> {
        self.shared.lease().map(|lease| lease.server()).or_else(|| self.shared.status.borrow().server.clone())
    }

    /// Whether `text` holds a credential that the server was given over the connection that stands, in any spelling: a server
    /// can say what it was sent, and that is not to be kept.
    pub fn is_given_away_by(&self, text: &str) -> bool {
        let given = self.shared.lease().map(|lease| lease.credentials_sent()).unwrap_or_default();
        matches!(given.hide_known(text), Cow::Owned(_))
    }

    /// Reconnects: reads the configuration again, drops the connection and whatever attempt is under way, asks
    /// for new credentials. Begins at once; what is returned can be awaited for the new status.
    pub fn reconnect(&self) -> Decision {
        self.ask(Command::Reconnect)
    }

    /// Tells the task what to do; it says what becomes of it.
    fn ask(&self, command: impl FnOnce(oneshot::Sender<StatusSnapshot>) -> Command) -> Decision {
        let (asking, decided) = oneshot::channel();
        self.tell(command(asking));
        Decision::new(self.shared.clone(), decided)
    }

    /// Waits until the status is decided: connected, refused, failed for good, or out of first attempts. Dropping the future
    /// changes nothing.
    pub async fn decided(&self) -> StatusSnapshot {
        let mut status = self.shared.status.subscribe();
        // Ends without one only if the supervisor is gone, and then the last status is the answer.
        match status.wait_for(StatusSnapshot::is_decided).await {
            Ok(snapshot) => snapshot.clone(),
            Err(_) => self.snapshot(),
        }
    }

    /// A person has signed in: reconnects. Begins at once; what is returned can be awaited for the new status.
    pub fn login_done(&self) -> Decision {
        self.ask(Command::LoginDone)
    }

    /// The entry has changed: reconnects. Begins at once; what is returned can be awaited for the new status.
    pub fn config_changed(&self) -> Decision {
        self.ask(|asking| Command::ConfigChanged(None, asking))
    }

    /// What was waited for may be there: tries at once, where nothing stands and nothing is tried. For a server whose
    /// connection another process keeps, which has just said that it has come further.
    pub fn look_again(&self) {
        self.tell(Command::LookAgain);
    }

    /// The entry has changed and is read from another source from now on: reconnects. Handles, notifications and the watch of
    /// the status stay as they are. Begins at once; what is returned can be awaited for the new status.
    pub fn replace_source(&self, source: Arc<dyn ServerSource>) -> Decision {
        self.ask(|asking| Command::ConfigChanged(Some(source), asking))
    }

    /// The notifications of the server from now on, over all connections to come, progress of requests left
    /// aside. A listener that lags more than 256 behind misses some.
    ///
    /// What a server would have said while there was no connection is not made up: after a change of
    /// [`StatusSnapshot::connection`], lists may have changed unheard.
    pub fn notifications(&self) -> Notifications {
        self.shared.listeners().listen()
    }

    /// A connection for one request: the one that stands, or the next one, waited for within
    /// [`SupervisorPolicy::patience`], and [`outage_patience`](SupervisorPolicy::outage_patience) where nothing is there.
    ///
    /// # Errors
    ///
    /// [`NotConnected`](RequestErrorKind::NotConnected) with the status that explains it: at once where it is
    /// decided that there is none, otherwise when the patience is over.
    pub async fn lease(&self) -> Result<Lease, RequestError> {
        self.lease_for(self.shared.patience).await
    }

    async fn lease_for(&self, patience: Patience) -> Result<Lease, RequestError> {
        if let Some(lease) = self.shared.lease() {
            return Ok(lease);
        }
        let _waiting = WaitingCaller::new(&self.shared);
        let (deadline, outage) = (moment_after(patience.whole), moment_after(patience.outage));
        let mut status = self.shared.status.subscribe();
        let (used, heard) = oneshot::channel();
        self.tell(Command::Used(used));
        // The answer is its end: what was decided because of this use is in the status by then.
        let _ = heard.await;
        loop {
            let snapshot = status.borrow_and_update().clone();
            if let Some(lease) = self.shared.lease() {
                return Ok(lease);
            }
            let hopeless = snapshot.is_decided()
                && snapshot.attempting.is_none()
                && (snapshot.closed || snapshot.status != ServerStatus::Connected);
            if hopeless {
                return Err(RequestError::not_connected(snapshot));
            }
            // What is being tried at this moment may find it.
            let until = if snapshot.is_outage() { deadline.min(outage) } else { deadline };
            match tokio::time::timeout_at(until, status.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(RequestError::not_connected(snapshot)),
                Err(_) => {
                    let limit = if until == deadline { patience.whole } else { patience.outage };
                    return Err(RequestError::not_connected(snapshot).after(limit));
                }
            }
        }
    }

    /// Sends a request and returns the result as the server sent it. `params` must be a JSON object. Dropping the future gives the
    /// request up and tells the server so, where it was sent.
    ///
    /// # Errors
    ///
    /// What [`lease`](Self::lease) or [`Connection::request`](crate::Connection::request) fails with.
    pub async fn request(
        &self,
        method: &str,
        params: Option<&RawValue>,
        options: impl Into<RequestOptions>,
    ) -> Result<Payload, RequestError> {
        let options = options.into();
        let mut tries = AttemptCount::new(self, &options, is_repeatable(method));
        loop {
            let (lease, options) = tries.lease().await?;
            let outcome = self.watched(&lease, lease.answer_to(method, params, &options)).await;
            match outcome {
                Ok(answer) => return Ok(answer.result),
                Err(error) => tries.failed(lease, error).await?,
            }
        }
    }

    /// Calls a tool; as [`Connection::call_tool`](crate::Connection::call_tool).
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub async fn call_tool(
        &self,
        name: &str,
        arguments: Option<&RawValue>,
        options: impl Into<RequestOptions>,
    ) -> Result<Payload, RequestError> {
        let options = options.into();
        let mut tries = AttemptCount::new(self, &options, false);
        loop {
            let (lease, options) = tries.lease().await?;
            let outcome = self.watched(&lease, lease.tool_result(name, arguments, &options)).await;
            match outcome {
                Ok(result) => return Ok(result),
                Err(error) => tries.failed(lease, error).await?,
            }
        }
    }

    /// Lists the tools; as [`Connection::list_tools`](crate::Connection::list_tools). The [status](StatusSnapshot::tools) shows
    /// them from then on.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub async fn list_tools(&self, options: impl Into<RequestOptions>) -> Result<ToolList, RequestError> {
        let options = options.into();
        let mut tries = AttemptCount::new(self, &options, true);
        loop {
            let (lease, options) = tries.lease().await?;
            match self.watched(&lease, lease.tool_list(&options)).await {
                Ok(list) => {
                    self.keep(lease.id(), &list);
                    return Ok(list);
                }
                Err(error) => tries.failed(lease, error).await?,
            }
        }
    }

    /// What was listed over a connection is what the status shows from now on.
    fn keep(&self, connection: u64, list: &ToolList) {
        let is_known =
            self.shared.status.borrow().tools.as_ref().is_some_and(|known| known.offers_the_same(list));
        if !is_known {
            self.tell(Command::Listed { connection, tools: Arc::new(list.clone()) });
        }
    }

    /// Sends a notification.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub async fn notify(&self, method: &str, params: Option<&RawValue>) -> Result<(), RequestError> {
        let options = RequestOptions::new();
        let mut tries = AttemptCount::new(self, &options, false);
        loop {
            let (lease, _) = tries.lease().await?;
            match self.watched(&lease, lease.notify(method, params)).await {
                Ok(()) => return Ok(()),
                Err(error) => tries.failed(lease, error).await?,
            }
        }
    }

    /// Carries a request out. One that the server leaves without any sign of life for a while is reason to ask
    /// whether it is still there; the request goes on meanwhile, because it may simply take long.
    async fn watched<T>(
        &self,
        lease: &Lease,
        request: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
        let began = Instant::now();
        let mut request = std::pin::pin!(request.instrument(self.shared.span.clone()));
        tokio::select! {
            biased;
            outcome = &mut request => return outcome,
            () = lease.activity().falls_quiet_for(SILENCE, began) => {}
        }
        self.tell(Command::Doubtful { connection: lease.id(), known: None });
        request.await
    }

    /// Makes sure that the status is true now, and returns it: for a status query, because nothing watches a
    /// connection that is idle over single requests.
    ///
    /// A server that was not heard for half a second is asked one question without effects; a lost one is tried once, where
    /// that would happen by itself later on. Takes 1.2 s at most, and then returns what is known. What was refused is
    /// not tried again.
    pub async fn verify(&self) -> StatusSnapshot {
        let _waiting = WaitingCaller::new(&self.shared);
        let (looking, known) = oneshot::channel();
        self.tell(Command::Look(looking));
        // Ends without an answer when it is found out, or the supervisor has ended.
        let _ = tokio::time::timeout(VERIFY_LIMIT, known).await;
        self.snapshot()
    }

    /// Says that a request over `lease` failed with `error`, for callers that send requests themselves. Without
    /// it, a loss over Streamable HTTP goes unnoticed until the next request through this handle.
    pub fn report(&self, lease: &Lease, error: &TransportError) {
        drop(self.judge(lease, error));
    }

    /// Ends the supervisor: requests under way fail, the connection is closed, nothing is left behind. Takes
    /// bounded time, at most 8 s where a process does not want to go, and never fails.
    pub async fn close(&self) {
        let (closing, done) = oneshot::channel();
        self.tell(Command::Close(closing));
        // It ends with the connection task, whichever side closed first.
        let _ = done.await;
    }

    fn tell(&self, command: Command) {
        // Fails when the supervisor has ended, and then there is nothing left to do.
        let _ = self.commands.send(command);
    }

    /// Passes on what a failure says about its connection. What is returned ends when that has been acted on,
    /// where it takes time to find out.
    fn judge(&self, lease: &Lease, error: &TransportError) -> Option<oneshot::Receiver<()>> {
        let connection = lease.id();
        match FailureScope::in_era(error, lease.live.connection.revision().era()) {
            FailureScope::None => None,
            FailureScope::Lost => {
                let evidence = error.evidence();
                self.tell(Command::Lost { connection, evidence: Box::new(evidence) });
                // Only now, so that a caller that finds it lost speaks to the connection task after we did.
                lease.live.mark_lost();
                None
            }
            FailureScope::Doubtful => {
                let (known, found_out) = oneshot::channel();
                self.tell(Command::Doubtful { connection, known: Some(known) });
                Some(found_out)
            }
        }
    }
}

impl fmt::Debug for SupervisorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorHandle")
            .field("name", &self.shared.name)
            .field("status", &self.shared.status.borrow().status)
            .finish_non_exhaustive()
    }
}
