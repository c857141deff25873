//! What is known about one server at one moment.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mcp_status::{
    ActionFacts, Evidence, FailureRun, MachinePolicy, MessageContext, Reason, ReasonCode, ServerInfo,
    ServerStatus, StatusMachine, StatusReport, TransportKind,
};

use crate::protocol::handshake::ServerDescription;
use crate::supervisor::attempt::AttemptProgress;
use crate::supervisor::source::NoContact;
use crate::tools::ToolList;

/// What is known about one server at one moment: the ingredients of a [`StatusReport`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StatusSnapshot {
    /// The name of the server entry.
    pub name: Arc<str>,
    /// The one truthful status.
    pub status: ServerStatus,
    /// The code beside it; `None` when connected cleanly or switched off.
    pub code: Option<ReasonCode>,
    /// When what is shown was seen or decided, by the wall clock: the age of the status.
    pub since: SystemTime,
    /// The number of the attempt under way, or of the next one while waiting; 1 is the first since it last
    /// worked or was last asked for.
    pub attempt: u32,
    /// How long the wait under way is, counted from `since`.
    pub delay: Option<Duration>,
    /// The number of the connection that stands, among those of this supervisor. While it stays the same, no
    /// notification was missed; when it changes, what a server announces (its tools) may have changed unheard.
    pub connection: Option<u64>,
    /// What the server said about itself when it was last connected.
    pub server: Option<Arc<ServerDescription>>,
    /// The tools that it listed last. They are listed again when the server says that it has others
    /// ([`SupervisorPolicy::list`](crate::supervisor::SupervisorPolicy::list)). A list that cannot be obtained again does not replace
    /// them; where that was the first list of a connection, the status says so.
    pub tools: Option<Arc<ToolList>>,
    /// Whether the supervisor has ended; the rest then tells what was known at its end.
    pub closed: bool,
    /// The origin of the endpoint of the last attempt; `None` over stdio.
    pub origin: Option<String>,
    /// The same endpoint as it may be shown, where that is known ([`HttpEndpoint::shown`](crate::HttpEndpoint::shown)).
    pub endpoint: Option<String>,
    /// What is known of what a person can do.
    pub(super) facts: ActionFacts,
    /// What it calls itself, as far as that is shown.
    pub(super) identity: Option<ServerInfo>,
    pub(super) machine: StatusMachine,
    pub(super) withheld: Option<NoContact>,
    /// The last attempt failed at once, because its address takes no connection.
    pub(super) refused: bool,
    /// What the attempt under way waits for, where there is one, which the status need not show.
    pub(super) attempting: Option<Arc<AttemptProgress>>,
}

/// Equal where they show the same. What the server said and listed is compared by where it is in memory: it is told
/// once, and then kept.
impl PartialEq for StatusSnapshot {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, status, code, since, attempt, delay, connection, server, tools, .. } = self;
        let Self {
            closed,
            origin,
            endpoint,
            facts,
            identity,
            machine,
            withheld,
            refused: _,
            attempting: _,
            ..
        } = self;
        let same_server = server.as_ref().map(Arc::as_ptr) == other.server.as_ref().map(Arc::as_ptr);
        let same_tools = tools.as_ref().map(Arc::as_ptr) == other.tools.as_ref().map(Arc::as_ptr);
        same_server
            && same_tools
            && (name, status, code, since, attempt, delay)
                == (&other.name, &other.status, &other.code, &other.since, &other.attempt, &other.delay)
            && (connection, closed, identity) == (&other.connection, &other.closed, &other.identity)
            && (origin, endpoint, facts) == (&other.origin, &other.endpoint, &other.facts)
            && (machine, withheld) == (&other.machine, &other.withheld)
    }
}

impl StatusSnapshot {
    /// The reason beside the status, in words that name the server and its origin.
    pub fn reason(&self) -> Option<Reason> {
        self.reason_in(&self.context())
    }

    /// The same in the words of `context`.
    pub fn reason_in(&self, context: &MessageContext<'_>) -> Option<Reason> {
        match &self.withheld {
            Some(NoContact::SwitchedOff) => None,
            Some(NoContact::Because(reason)) => Some(reason.clone()),
            None => self.machine.reason(self.delay, context),
        }
    }

    /// What was seen last; `None` before anything was.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.machine.evidence().filter(|_| self.withheld.is_none())
    }

    /// How far it has come without a connection; `None` where there is one, or nothing was seen yet.
    pub fn failure_run(&self) -> Option<FailureRun> {
        self.machine.failure_run(self.delay).filter(|_| self.withheld.is_none())
    }

    /// What is shown about the server, with what a person can do as far as its endpoint and its provider of credentials tell.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn watch(handle: mcp_transport::SupervisorHandle) {
    /// let report = handle.decided().await.report();
    /// println!("{}: {:?}", report.status, report.actions);
    /// # }
    /// ```
    pub fn report(&self) -> StatusReport {
        self.report_with(&self.context(), self.facts)
    }

    /// The same in the words of `context`, where a program knows more of the entry than its connection does.
    pub fn report_with(&self, context: &MessageContext<'_>, facts: ActionFacts) -> StatusReport {
        let report = match (self.status, self.reason_in(context), self.evidence()) {
            (ServerStatus::Connected, _, Some(evidence)) => {
                StatusReport::from_evidence(evidence, context, facts)
            }
            (_, Some(reason), Some(evidence)) => {
                StatusReport::from_reason_of(reason, evidence, context, facts)
            }
            (_, Some(reason), None) => StatusReport::from_reason(reason, context, facts),
            (ServerStatus::Disabled, None, _) => StatusReport::disabled(context, facts),
            (_, None, _) => StatusReport::from_reason(Reason::connecting(self.attempt), context, facts),
        };
        let revision = self.server.as_ref().map(|server| server.revision.to_string());
        report.with_server(self.identity.clone(), revision)
    }

    /// A context that names the server and where it is.
    pub fn context(&self) -> MessageContext<'_> {
        MessageContext::new(&self.name)
            .with_origin(self.origin.as_deref())
            .with_endpoint(self.endpoint.as_deref())
    }

    /// Whether nothing is there, and nothing is tried at this moment.
    pub(super) fn is_outage(&self) -> bool {
        self.refused && self.attempting.is_none() && self.connection.is_none()
    }

    /// Whether nothing more will be known without another attempt that a caller must ask for.
    pub(super) fn is_decided(&self) -> bool {
        self.closed || self.machine.status() != ServerStatus::Pending
    }

    pub(super) fn before_anything(name: Arc<str>, policy: MachinePolicy, since: SystemTime) -> Self {
        let machine = StatusMachine::new(policy);
        Self {
            name,
            status: machine.status(),
            code: machine.code(),
            since,
            attempt: machine.attempt(),
            delay: None,
            connection: None,
            server: None,
            identity: None,
            tools: None,
            closed: false,
            origin: None,
            endpoint: None,
            facts: ActionFacts::new(TransportKind::Remote).with_session(true),
            machine,
            withheld: None,
            refused: false,
            attempting: None,
        }
    }
}
