//! A session of this process while it is open to others, and what it writes down.

use mcp_status::ServerStatus;
use mcp_transport::SupervisorHandle;
use mcp_transport::supervisor::StatusSnapshot;
use tokio::task::JoinHandle;

use super::session::OwnSession;
use super::sockets::{self, Listener};
use crate::app::App;
use crate::session_log::{Event, SessionLog};

/// A session while it is open to others. Dropping it closes the socket and ends the log.
#[derive(Debug)]
pub(crate) struct OpenSession {
    _listener: Option<Listener>,
    watch: JoinHandle<()>,
    following: JoinHandle<()>,
    log: Option<SessionLog>,
}

impl OpenSession {
    /// Opens `session` to others, where that can be obtained. What is `following` its entry ends with it.
    pub(crate) fn open(app: &App, session: OwnSession, following: JoinHandle<()>) -> Self {
        let log = session.log.clone();
        if let Some(log) = &log {
            log.record(Event::Started);
        }
        let watch = tokio::spawn(write_down(session.handle.clone(), log.clone()));
        Self { _listener: sockets::open(app, session), watch, following, log }
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.watch.abort();
        self.following.abort();
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
        // A connection that is let go at the end is no news.
        let is_let_go = matches!(&event, Event::Status { status, connection: 0, .. } if status == ServerStatus::Connected.as_str());
        if !is_let_go && last.as_ref() != Some(&event) {
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
        attempts: reason.as_ref().map_or(0, |reason| reason.attempts),
        message: reason.map(|reason| reason.message),
        connection: snapshot.connection.unwrap_or(0),
    }
}
