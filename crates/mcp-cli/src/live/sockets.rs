//! Live sessions by way of sockets: where they are, what they say, and how they are reconnected.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use mcp_bridge::control::{
    ControlAnswer, ControlRequest, ControlServer, FoundSessions, LiveSession, SessionFuture, SessionInfo,
    SessionServer, ask_all, sessions, sessions_among,
};
use mcp_connect::ConfiguredServer;
use mcp_transport::supervisor::StatusSnapshot;
use serde_json::Value;
use serde_json::value::to_raw_value;

use super::places::places;
use super::session::OwnSession;
use super::{EndedSession, LingeringSession, SeenSessions, Share, StoppedSessions};
use crate::app::App;
use crate::environment::Environment;
use crate::session_log::Event;
use crate::view::row::{ReconnectOutcome, Session, SilentSession};
use crate::view::time::rfc3339;

/// How long a session may take to say how it is. It may have to ask its server, which takes it 1.2 s at most.
const DESCRIBE_LIMIT: Duration = Duration::from_secs(2);
/// How long a session may take to connect again before the command goes on without its answer.
const RECONNECT_LIMIT: Duration = Duration::from_secs(45);

/// What identifies the server of an entry to its sessions.
fn identity(configured: &ConfiguredServer) -> SessionServer {
    SessionServer::new(&configured.description.name, &configured.description.source)
}

/// The live sessions of each of these servers, in their order.
pub(crate) async fn of<'w>(
    environment: &Environment,
    configured: impl IntoIterator<Item = &'w ConfiguredServer>,
) -> SeenSessions<Vec<Vec<Session>>> {
    let servers: Vec<SessionServer> = configured.into_iter().map(identity).collect();
    let may_be =
        |session: &mcp_bridge::control::SilentSession| servers.iter().any(|server| session.may_be_of(server));
    let found = sessions_among(&places(environment), DESCRIBE_LIMIT, may_be).await;
    let of_one = |server: &SessionServer| {
        found.live.iter().filter(|info| info.server == *server).map(session).collect()
    };
    SeenSessions {
        live: servers.iter().map(of_one).collect(),
        silent: found.silent.into_iter().map(SilentSession::from).collect(),
    }
}

/// Every live session of this account, of whatever server and folder.
pub(crate) async fn all(environment: &Environment) -> SeenSessions<Vec<Session>> {
    seen(sessions(&places(environment), DESCRIBE_LIMIT).await)
}

/// The live sessions of servers that are called by these words, wherever they are defined.
pub(crate) async fn called(environment: &Environment, words: &[String]) -> SeenSessions<Vec<Session>> {
    let is_called = |name: &str| words.iter().any(|word| super::is_called(name, word));
    let may_be = |session: &mcp_bridge::control::SilentSession| session.may_be_called(is_called);
    let mut found = sessions_among(&places(environment), DESCRIBE_LIMIT, may_be).await;
    found.live.retain(|info| is_called(&info.server.name));
    seen(found)
}

fn seen(found: FoundSessions) -> SeenSessions<Vec<Session>> {
    SeenSessions {
        live: found.live.iter().map(session).collect(),
        silent: found.silent.into_iter().map(SilentSession::from).collect(),
    }
}

impl From<mcp_bridge::control::SilentSession> for SilentSession {
    fn from(session: mcp_bridge::control::SilentSession) -> Self {
        Self { pid: session.pid, server: session.server, can_be_stopped: session.has_own_process }
    }
}

/// Which sessions are meant.
#[derive(Clone, Debug)]
pub(crate) enum SessionSelector {
    /// Those of this name, wherever it is defined.
    Name(String),
    /// The one of this process.
    Process(u32),
    /// Each.
    All,
}

impl SessionSelector {
    fn means(&self, info: &SessionInfo) -> bool {
        match self {
            Self::Name(name) => super::is_called(&info.server.name, name),
            Self::Process(pid) => info.pid == *pid,
            Self::All => true,
        }
    }

    /// Whether a session may be meant that has said nothing yet.
    fn may_mean(&self, session: &mcp_bridge::control::SilentSession) -> bool {
        match self {
            Self::Name(name) => session.may_be_called(|called| super::is_called(called, name)),
            Self::Process(pid) => session.pid == *pid,
            Self::All => true,
        }
    }

    /// Whether a session that says nothing of itself is meant: its process is all that is known.
    fn means_process(&self, process: u32) -> bool {
        match self {
            Self::Name(_) => false,
            Self::Process(pid) => process == *pid,
            Self::All => true,
        }
    }
}

/// Reconnects every live session that is meant, and says what each did, and which were left alone: what an entry starts has no
/// session start it again. Those that are known not to answer are not asked again.
pub(crate) async fn reconnect(
    environment: &Environment,
    which: &SessionSelector,
    silent: &[SilentSession],
) -> (Vec<ReconnectOutcome>, Vec<u32>) {
    let left_alone = Mutex::new(Vec::new());
    let wanted = |info: &SessionInfo| {
        let is_reached = environment.variables().reaches(info.below.as_deref());
        if which.means(info) && !is_reached {
            left_alone.lock().unwrap_or_else(PoisonError::into_inner).push(info.pid);
        }
        which.means(info) && is_reached
    };
    let may_be = |session: &mcp_bridge::control::SilentSession| {
        which.may_mean(session) && !silent.iter().any(|known| known.pid == session.pid)
    };
    let places = places(environment);
    // One that says nothing of itself does not reconnect either.
    let asked = ask_all(&places, ControlRequest::Reconnect, RECONNECT_LIMIT, may_be, wanted, |_| false).await;
    let reconnected = asked.answers.into_iter().map(|answer| match answer {
        ControlAnswer::Info(info) => {
            let session = session(&info);
            ReconnectOutcome {
                session: session.session,
                name: session.name,
                status: session.status,
                reason: session.reason,
            }
        }
        ControlAnswer::Silent(session) => ReconnectOutcome {
            session: session.pid,
            name: String::new(),
            status: Value::from("pending"),
            reason: Value::Null,
        },
        _ => ReconnectOutcome { session: 0, name: String::new(), status: Value::Null, reason: Value::Null },
    });
    (reconnected.collect(), left_alone.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Ends every live session that is meant, and says which have ended; of those that have not, why.
pub(crate) async fn stop(environment: &Environment, which: &SessionSelector) -> StoppedSessions {
    let wanted = |info: &SessionInfo| which.means(info);
    let is_meant = |process| which.means_process(process);
    let may_be = |session: &mcp_bridge::control::SilentSession| which.may_mean(session);
    let places = places(environment);
    let asked = ask_all(&places, ControlRequest::Stop, DESCRIBE_LIMIT, may_be, wanted, is_meant).await;
    let each = asked.answers.into_iter().filter_map(|answer| match answer {
        ControlAnswer::Info(info) => Some(Ok(EndedSession::Itself(Box::new(session(&info))))),
        ControlAnswer::Ended { pid } => Some(Ok(EndedSession::Process(pid))),
        ControlAnswer::Ending(info) => Some(Err(LingeringSession::Ending(info.pid))),
        ControlAnswer::Silent(session) => Some(Err(LingeringSession::Silent(session.into()))),
        _ => None,
    });
    let unknown = asked.unknown.into_iter().map(SilentSession::from).collect();
    StoppedSessions { each: each.collect(), unknown }
}

/// What a session says, as it is shown.
fn session(info: &SessionInfo) -> Session {
    let report: Value = serde_json::from_str(info.report.get()).unwrap_or_default();
    Session {
        session: info.pid,
        name: info.server.name.clone(),
        source: info.server.source.clone(),
        url: info.url.clone(),
        host: info.host.clone(),
        folder: info.folder.clone(),
        version: info.version.clone(),
        since: info.since.map(|since| {
            rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(since.min(u64::from(u32::MAX))))
        }),
        calls: info.calls,
        kind: info.kind.clone(),
        shared: info.shared,
        status: report["status"].clone(),
        reason: report["reason"].clone(),
    }
}

impl OwnSession {
    fn identity(&self) -> SessionServer {
        SessionServer::new(&self.name, &self.source)
    }

    fn info(&self, snapshot: &StatusSnapshot) -> SessionInfo {
        // A report has string keys and numbers that JSON knows: serialising cannot fail.
        let report = to_raw_value(&self.report(snapshot)).unwrap_or_default();
        let mut info = SessionInfo::new("bridge", self.identity(), report);
        info.shared = self.share.as_ref().and_then(Share::role);
        info.host.clone_from(&self.about.host);
        info.url.clone_from(&self.about.url);
        info.folder.clone_from(&self.about.folder);
        info.version = Some(env!("CARGO_PKG_VERSION").to_owned());
        info.since = self.about.since;
        info.calls = Some(self.about.calls.load(Ordering::Relaxed));
        info.below.clone_from(&self.about.below);
        info
    }
}

impl LiveSession for OwnSession {
    fn describe(&self) -> SessionFuture<'_> {
        Box::pin(async { self.info(&self.handle.verify().await) })
    }

    fn reconnect(&self) -> SessionFuture<'_> {
        Box::pin(async {
            if let Some(log) = &self.log {
                log.record(Event::Reconnect);
            }
            if let Some(share) = &self.share {
                // The connection itself, in whichever process it is; then this session's way to it.
                share.reconnect().await;
            }
            self.info(&self.handle.reconnect().await)
        })
    }

    fn server(&self) -> Option<SessionServer> {
        Some(self.identity())
    }

    fn has_own_process(&self) -> bool {
        true
    }

    fn stop(&self) -> SessionFuture<'_> {
        let stop = self.stop.clone();
        tokio::spawn(async move {
            // The answer goes first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            stop.notify_one();
        });
        Box::pin(async { self.info(&self.handle.snapshot()) })
    }
}

/// What keeps a session open to others.
pub(super) type Listener = ControlServer;

/// Opens `session` to others. A socket that cannot be obtained is told and does not keep the session from working.
pub(super) fn open(app: &App, session: OwnSession) -> Option<Listener> {
    let socket = ControlServer::bind(places(&app.environment).listen(), Arc::new(session));
    let server = socket.map_err(|error| {
        app.output.note(&format!("warning: other terminals cannot see this session: {error}\n"));
    });
    server.ok()
}
