//! Connects to one wired server and says what came of it, as a row.

use std::time::Duration;

use mcp_status::{Reason, ServerInfo, ServerStatus, StatusMachine, StatusReport};
use mcp_transport::connect::{ConnectPolicy, Connected};
use mcp_transport::stdio::{StartSink, Starting};
use mcp_transport::tools::ToolList;
use mcp_transport::{Connection, Connector, TransportError};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::view::row::Row;
use crate::wire::Wired;

/// How long a local server may take to start before somebody who waits hears of it.
const SLOW_START: Duration = Duration::from_secs(2);

/// What came of one probe.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) row: Row,
    /// The connection, where there is one; the caller closes it.
    pub(crate) connection: Option<Connection>,
    pub(crate) tools: Option<ToolList>,
    /// What the last attempt failed with.
    pub(crate) error: Option<TransportError>,
}

/// Probes `wired`; `observe` is told each reason on the way. After `deadline` what is known is reported.
pub(crate) async fn probe(
    connector: &Connector,
    wired: &Wired,
    policy: &ConnectPolicy,
    deadline: Option<Deadline>,
    mut observe: impl FnMut(&Reason) + Send,
) -> Probe {
    let Ok(ready) = &wired.state else { return Probe::without_contact(wired) };
    let began = Instant::now();
    let (heard, mut reasons) = unbounded_channel();
    // Who listens is here until the end.
    let tell = |heard: &UnboundedSender<Reason>, reason| drop(heard.send(reason));
    let starting = StartSink::new({
        let heard = heard.clone();
        move |start: &Starting| {
            if start.elapsed >= SLOW_START {
                tell(&heard, Reason::starting(start.elapsed, start.said.as_deref()));
            }
        }
    });
    let server = ready.server.clone().with_start_sink(starting);
    let mut connecting = std::pin::pin!(connector.connect(&server, policy, |machine, delay| {
        if let Some(reason) = pending_reason(machine, delay, wired) {
            tell(&heard, reason);
        }
    }));
    let mut over = std::pin::pin!(async {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline.at).await,
            None => std::future::pending().await,
        }
    });
    let mut latest = Reason::connecting(1);
    let ended = loop {
        tokio::select! {
            biased;
            Some(mut reason) = reasons.recv() => {
                reason.message = wired.secrets.hide_known(&reason.message).into_owned();
                observe(&reason);
                latest = reason;
            }
            ended = &mut connecting => break Some(ended),
            () = &mut over => break None,
        }
    };
    let Some(ended) = ended else {
        if let Some(deadline) = deadline {
            latest.message.push_str(&format!("; no more was known after {}", deadline.told()));
        }
        let report = StatusReport::from_reason(latest, &wired.context(), wired.facts());
        let row = wired.row(report, began.elapsed());
        return Probe { row, connection: None, tools: None, error: None };
    };
    Probe::new(wired, ended, began.elapsed())
}

/// Why the server is still being connected; the reason of the result is for the row to tell.
fn pending_reason(machine: &StatusMachine, delay: Option<Duration>, wired: &Wired) -> Option<Reason> {
    let pending = machine.status() == ServerStatus::Pending;
    machine.reason(delay, &wired.context()).filter(|_| pending)
}

impl Probe {
    /// The row of a server that is not contacted.
    fn without_contact(wired: &Wired) -> Self {
        let row = wired.row(wired.offline_report(), Duration::ZERO);
        Self { row, connection: None, tools: None, error: None }
    }

    fn new(wired: &Wired, ended: Connected, elapsed: Duration) -> Self {
        let mut report = match ended.machine.evidence() {
            Some(evidence) => {
                // How long it was looked is worth telling where it was looked several times.
                let evidence = evidence.clone().with_took(elapsed);
                StatusReport::from_evidence(&evidence, &wired.context(), wired.facts())
            }
            None => StatusReport::from_reason(Reason::connecting(1), &wired.context(), wired.facts()),
        };
        if let Some(reason) = &mut report.reason {
            reason.message = wired.secrets.hide_known(&reason.message).into_owned();
        }
        // What the configuration holds is hidden as well as what was sent.
        let hide = |text: &str| wired.secrets.hide_known(text).into_owned();
        let report = report.with_server(
            ended
                .connection
                .as_ref()
                .and_then(Connection::identity)
                .map(|info| ServerInfo::new(hide(&info.name), hide(&info.version))),
            ended.connection.as_ref().map(|connection| connection.revision().to_string()),
        );
        let row = wired.row(report, elapsed);
        Self { row, connection: ended.connection, tools: ended.tools, error: ended.error }
    }
}
