//! A session of this process, seen from outside: its control socket, and what it writes down.

use std::fmt;
use std::sync::Arc;

use mcp_bridge::control::{ControlServer, LiveSession, SessionFuture, SessionInfo, SessionServer};
use mcp_bridge::sharing::Sharing;
use mcp_status::{ActionFacts, MessageContext};
use mcp_transport::{StatusSnapshot, SupervisorHandle};
use serde_json::value::to_raw_value;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::session_log::{Event, SessionLog};

/// Tells what the actions of a session's server are derived from.
type Facts = Arc<dyn Fn() -> ActionFacts + Send + Sync>;

/// What others see of one supervised server.
pub(crate) struct Session {
    handle: SupervisorHandle,
    server: SessionServer,
    facts: Facts,
    log: Option<SessionLog>,
    sharing: Option<Sharing>,
}

impl Session {
    pub(crate) fn new(
        handle: SupervisorHandle,
        server: SessionServer,
        facts: Facts,
        log: Option<SessionLog>,
    ) -> Self {
        Self { handle, server, facts, log, sharing: None }
    }

    /// On a connection that others use, too.
    #[must_use]
    pub(crate) fn with_sharing(self, sharing: Option<Sharing>) -> Self {
        Self { sharing, ..self }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Session {
    fn info(&self, snapshot: &StatusSnapshot) -> SessionInfo {
        let report = snapshot.report(&MessageContext::new(&self.server.name), (self.facts)());
        SessionInfo {
            pid: std::process::id(),
            kind: "bridge".to_owned(),
            server: self.server.clone(),
            shared: self.sharing.as_ref().and_then(Sharing::role),
            // A report has string keys and numbers that JSON knows: serialising cannot fail.
            report: to_raw_value(&report).unwrap_or_default(),
        }
    }
}

impl LiveSession for Session {
    fn describe(&self) -> SessionFuture<'_> {
        Box::pin(async { self.info(&self.handle.verify().await) })
    }

    fn reconnect(&self) -> SessionFuture<'_> {
        Box::pin(async {
            if let Some(log) = &self.log {
                log.record(Event::Reconnect);
            }
            if let Some(sharing) = &self.sharing {
                // The connection itself, whoever keeps it; then this session's way to it.
                sharing.reconnect().await;
            }
            self.info(&self.handle.reconnect().await)
        })
    }
}

/// A session while it is open to others. Dropping it closes the socket and ends the log.
#[derive(Debug)]
pub(crate) struct Opened {
    _socket: Option<ControlServer>,
    watch: JoinHandle<()>,
    log: Option<SessionLog>,
}

impl Opened {
    /// Opens `session` to others. A socket that cannot be had is told and does not keep the session from working.
    pub(crate) fn open(app: &App, session: Session) -> Self {
        let log = session.log.clone();
        if let Some(log) = &log {
            log.record(Event::Started);
        }
        let watch = tokio::spawn(write_down(session.handle.clone(), log.clone()));
        let directory = super::runtime_dir(&app.environment);
        let socket = ControlServer::bind(&directory, Arc::new(session)).map_err(|error| {
            app.output.note(&format!("warning: other terminals cannot see this session: {error}\n"));
        });
        Self { _socket: socket.ok(), watch, log }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.watch.abort();
        if let Some(log) = &self.log {
            log.record(Event::Ended);
        }
    }
}

/// Writes down each status that differs from the one before.
async fn write_down(handle: SupervisorHandle, log: Option<SessionLog>) {
    let Some(log) = log else { return };
    let mut status = handle.status();
    let mut last = None;
    loop {
        let event = status_event(&status.borrow_and_update());
        if last.as_ref() != Some(&event) {
            log.record(event.clone());
            last = Some(event);
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

fn status_event(snapshot: &StatusSnapshot) -> Event {
    let reason = snapshot.reason();
    Event::Status {
        status: snapshot.status.to_string(),
        reason: reason.as_ref().map(|reason| reason.code.as_str().to_owned()),
        message: reason.map(|reason| reason.message),
        connection: snapshot.connection.unwrap_or(0),
        attempt: snapshot.attempt,
    }
}
