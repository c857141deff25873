//! Connects to one server and says what came of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_status::{Reason, ServerInfo, ServerStatus, StatusMachine, StatusReport};
use mcp_transport::connect::{ConnectOutcome, ConnectPolicy, HandshakeSink};
use mcp_transport::stdio::{ProcessStart, StartSink};
use mcp_transport::tools::ToolList;
use mcp_transport::{Connection, Connector, TransportError};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::ConfiguredServer;

/// How long a local server may take to start before the person who waits hears of it.
const SLOW_START: Duration = Duration::from_secs(2);

/// What came of one attempt to connect.
#[derive(Debug)]
#[non_exhaustive]
pub struct Probe {
    /// What is shown of it, without secrets.
    pub report: StatusReport,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether the deadline ended it, so that no more than this is known.
    pub is_unfinished: bool,
    /// The connection, where there is one; the caller closes it.
    pub connection: Option<Connection>,
    /// The tools, where the policy asks for them and they could be listed.
    pub tools: Option<ToolList>,
    /// What the last attempt failed with.
    pub error: Option<TransportError>,
}

impl Probe {
    /// Connects to `server`, if it may be contacted; `observe` is told each reason on the way. After `deadline` what is known
    /// is reported.
    pub async fn run(
        connector: &Connector,
        server: &ConfiguredServer,
        policy: &ConnectPolicy,
        deadline: Option<Instant>,
        mut observe: impl FnMut(&Reason) + Send,
    ) -> Self {
        let Ok(endpoint) = &server.state else { return Self::without_contact(server) };
        let began = Instant::now();
        let (heard, mut reasons) = unbounded_channel();
        // Who listens is here until the end.
        let tell = |heard: &UnboundedSender<Reason>, reason| drop(heard.send(reason));
        let starting = StartSink::new({
            let heard = heard.clone();
            move |start: &ProcessStart| {
                if start.elapsed >= SLOW_START {
                    tell(&heard, Reason::starting(start.elapsed, start.said.as_deref()));
                }
            }
        });
        let standing = Arc::<Mutex<Option<String>>>::default();
        let greeted = HandshakeSink::new({
            let standing = standing.clone();
            move |connection: &Connection| *lock(&standing) = Some(unlisted(connection))
        });
        let endpoint = endpoint.clone().with_start_sink(starting).with_handshake_sink(greeted);
        let mut connecting =
            std::pin::pin!(connector.connect_observed(&endpoint, policy, |machine, delay| {
                // What was made before is given up.
                *lock(&standing) = None;
                if let Some(reason) = pending_reason(machine, delay, server) {
                    tell(&heard, reason);
                }
            }));
        let mut over = std::pin::pin!(async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        });
        let mut latest = Reason::connecting(1);
        let ended = loop {
            tokio::select! {
                biased;
                Some(mut reason) = reasons.recv() => {
                    reason.message = server.secrets.hide_known(&reason.message).into_owned();
                    observe(&reason);
                    latest = reason;
                }
                ended = &mut connecting => break Some(ended),
                () = &mut over => break None,
            }
        };
        match ended {
            Some(ended) => Self::ended(server, ended, began.elapsed()),
            None => {
                if let Some(standing) = lock(&standing).take() {
                    latest = Reason::connecting(1);
                    latest.message = server.secrets.hide_known(&standing).into_owned();
                } else if latest == Reason::connecting(1) {
                    // Nothing has been heard on the way, so what was waited for is all that is known.
                    latest.message = server.awaited().unwrap_or(latest.message);
                }
                let report = StatusReport::from_reason(latest, &server.context(), server.facts());
                Self { elapsed: began.elapsed(), is_unfinished: true, ..Self::of(report) }
            }
        }
    }

    /// What is known of a server that is not contacted.
    fn without_contact(server: &ConfiguredServer) -> Self {
        Self::of(server.offline_report())
    }

    fn of(report: StatusReport) -> Self {
        let elapsed = Duration::ZERO;
        Self { report, elapsed, is_unfinished: false, connection: None, tools: None, error: None }
    }

    fn ended(server: &ConfiguredServer, ended: ConnectOutcome, elapsed: Duration) -> Self {
        let (context, facts) = (server.context(), server.facts());
        let report = match ended.machine.evidence() {
            Some(evidence) => {
                // How long it was looked is worth telling where it was looked several times.
                StatusReport::from_evidence(&evidence.clone().with_took(elapsed), &context, facts)
            }
            None => StatusReport::from_reason(Reason::connecting(1), &context, facts),
        };
        let connection = ended.connection.as_ref();
        let info = connection.and_then(Connection::identity);
        let report = report.with_server(
            info.map(|info| ServerInfo::new(&*info.name, &*info.version)),
            connection.map(|connection| connection.revision().to_string()),
        );
        Self {
            elapsed,
            connection: ended.connection,
            tools: ended.tools,
            error: ended.error,
            ..Self::of(server.without_secrets(report))
        }
    }
}

/// That hands are shaken and with whom, where the list of tools is what has not come.
fn unlisted(connection: &Connection) -> String {
    let revision = connection.revision();
    match connection.identity() {
        Some(server) => {
            format!("connected to {server} ({revision}), which has not answered `tools/list` yet")
        }
        None => format!("connected ({revision}), and `tools/list` is not answered yet"),
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why the server is still being connected; the reason of the result is for its report to tell.
fn pending_reason(
    machine: &StatusMachine,
    delay: Option<Duration>,
    server: &ConfiguredServer,
) -> Option<Reason> {
    let pending = machine.status() == ServerStatus::Pending;
    machine.reason(delay, &server.context()).filter(|_| pending)
}
