//! A session of this process: what it says of itself.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

use mcp_connect::ConfiguredServer;
use mcp_status::{ActionFacts, StatusReport};
use mcp_transport::SupervisorHandle;
use mcp_transport::supervisor::StatusSnapshot;
use tokio::sync::Notify;

use super::Share;
use crate::printed_step::PrintedStep;
use crate::session_log::SessionLog;
use crate::steps::Steps;

/// Tells what the actions of a session's server are derived from.
type Facts = Arc<dyn Fn() -> ActionFacts + Send + Sync>;

/// What else a session is known by, whatever the configuration of the one who looks says.
#[derive(Clone, Debug, Default)]
#[cfg_attr(not(unix), expect(dead_code, reason = "a session is not seen where there are no sockets"))]
pub(crate) struct SessionFacts {
    /// The program that it serves.
    pub(crate) host: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) folder: Option<String>,
    /// When it began, in seconds since 1970.
    pub(crate) since: Option<u64>,
    /// How many tools its host has called.
    pub(crate) calls: Arc<AtomicU64>,
    /// The entries that it runs under.
    pub(crate) below: Option<String>,
}

/// What others see of one supervised server.
#[cfg_attr(not(unix), expect(dead_code, reason = "a session is not seen where there are no sockets"))]
pub(crate) struct OwnSession {
    pub(super) handle: SupervisorHandle,
    /// The name of the entry, and the file that defines it: two files may use one name for different servers.
    pub(super) name: String,
    pub(super) source: String,
    pub(super) about: SessionFacts,
    /// Notified when it is asked to end.
    pub(super) stop: Arc<Notify>,
    facts: Facts,
    steps: Arc<Steps>,
    pub(super) log: Option<SessionLog>,
    pub(super) share: Option<Share>,
}

impl OwnSession {
    /// The session of the entry that `configured` is of.
    pub(crate) fn new(
        handle: SupervisorHandle,
        configured: &ConfiguredServer,
        facts: Facts,
        steps: Arc<Steps>,
        log: Option<SessionLog>,
    ) -> Self {
        let (name, source) = (configured.description.name.clone(), configured.description.source.clone());
        let about = SessionFacts { url: configured.description.url.clone(), ..SessionFacts::default() };
        Self { handle, name, source, about, stop: Arc::default(), facts, steps, log, share: None }
    }

    /// Whose host has called so many tools.
    #[must_use]
    pub(crate) fn with_calls(mut self, calls: Arc<AtomicU64>) -> Self {
        self.about.calls = calls;
        self
    }

    /// Of a `host`, begun now in `folder` below these entries; `stop` is notified when it is to end.
    #[must_use]
    pub(crate) fn with_circumstances(
        self,
        host: Option<String>,
        folder: Option<&std::path::Path>,
        below: Option<String>,
        stop: Arc<Notify>,
    ) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let about = SessionFacts {
            host,
            folder: folder.map(|folder| folder.display().to_string()),
            since: since.ok().map(|since| since.as_secs()),
            below,
            ..self.about
        };
        Self { about, stop, ..self }
    }

    /// On a connection that others use, too.
    #[must_use]
    pub(crate) fn with_share(self, share: Option<Share>) -> Self {
        Self { share, ..self }
    }

    /// What it says of its server.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no questions where there are no sockets"))]
    pub(super) fn report(&self, snapshot: &StatusSnapshot) -> StatusReport<PrintedStep> {
        let mut context = snapshot.context();
        context.server = &self.name;
        let report = snapshot.report_with(&context, (self.facts)());
        report.worded(|step| Some(self.steps.words(step, &self.name)))
    }
}

impl fmt::Debug for OwnSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnSession").field("name", &self.name).finish_non_exhaustive()
    }
}
