//! From an entry to something that can be connected: entry → settings → plan → provider → server. No rules.

use mcp_auth::{AuthPlan, AuthSettings, Parts, ProviderSnapshot, Target};
use mcp_config::{Config, Gate, ServerEntry};
use mcp_status::{ActionFacts, MessageContext, Reason, ServerStatus, StatusReport, TransportKind};
use mcp_transport::{Endpoint, HttpEndpoint, Server, StdioEndpoint};

use crate::app::{App, problem_text};
use crate::view::row::{AuthRow, Described, Row};

/// One entry with everything that is needed to contact it, or the reason why it is not contacted.
#[derive(Debug)]
pub(crate) struct Wired {
    pub(crate) described: Described,
    pub(crate) state: Result<Ready, Closed>,
    /// The auth chain; none for a stdio server.
    pub(crate) plan: Option<AuthPlan>,
    origin: Option<String>,
    has_oauth_block: bool,
}

/// A server that may be contacted.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) server: Server,
}

/// Why a server is not contacted.
#[derive(Clone, Debug)]
pub(crate) enum Closed {
    /// Somebody switched it off, or rejected it.
    Disabled,
    /// There is a reason that a status shows.
    Reason(Reason),
}

impl Wired {
    /// Wires `entry`. Contacts nobody and runs nothing.
    pub(crate) fn new(entry: &ServerEntry, config: &Config, app: &App) -> Self {
        let lowered = entry.lower(app.environment.variables());
        let plan = lowered.as_ref().map(|(_, settings)| AuthPlan::resolve(settings));
        let described = Described {
            name: entry.name.clone(),
            scope: entry.scope.to_string(),
            source: entry.origin.place.to_string(),
            transport: entry.transport(),
            url: entry.display_url(),
            command: entry.stdio().map(mcp_config::Stdio::display),
            chain: plan.iter().flat_map(AuthPlan::chain_names).map(str::to_owned).collect(),
        };
        let origin = lowered.as_ref().map(|(target, _)| target.url.origin().ascii_serialization());
        let has_oauth_block = lowered.as_ref().is_some_and(|(_, settings)| settings.oauth.is_some());
        let state = match entry.gate() {
            Gate::Ready => ready(entry, lowered, plan.as_ref(), config, app).map_err(Closed::Reason),
            Gate::Disabled | Gate::Rejected => Err(Closed::Disabled),
            Gate::NotConfigured => Err(Closed::Reason(Reason::not_configured())),
            Gate::AwaitingApproval => Err(Closed::Reason(Reason::awaiting_approval())),
            _ => Err(Closed::Reason(Reason::config(&invalid(entry, config)))),
        };
        Self { described, state, plan, origin, has_oauth_block }
    }

    /// Whether it is a child process.
    pub(crate) fn is_stdio(&self) -> bool {
        self.described.transport == "stdio"
    }

    /// Whether it is switched off.
    pub(crate) fn is_disabled(&self) -> bool {
        matches!(self.state, Err(Closed::Disabled))
    }

    /// What messages about it name.
    pub(crate) fn context(&self) -> MessageContext<'_> {
        MessageContext::new(&self.described.name).with_origin(self.origin.as_deref())
    }

    /// What its actions are derived from.
    pub(crate) fn facts(&self) -> ActionFacts {
        let transport = if self.is_stdio() { TransportKind::Stdio } else { TransportKind::Remote };
        let configured = |name: &str| self.described.chain.iter().any(|link| link == name);
        let helper = self.plan.as_ref().is_some_and(|plan| plan.settings().helper.is_some());
        let snapshot = self.snapshot();
        ActionFacts::new(transport)
            .with_configured(configured("static-headers"), helper)
            .with_oauth(self.oauth_capable(&snapshot), snapshot.signed_in)
            .with_login_available(LOGIN_AVAILABLE)
    }

    /// What is known about its credentials.
    pub(crate) fn auth_row(&self) -> AuthRow {
        let snapshot = self.snapshot();
        AuthRow::new(self.described.chain.clone(), &snapshot, self.oauth_capable(&snapshot))
    }

    fn oauth_capable(&self, snapshot: &ProviderSnapshot) -> bool {
        self.has_oauth_block || snapshot.signed_in || snapshot.login_offered
    }

    fn snapshot(&self) -> ProviderSnapshot {
        let provider = self.state.as_ref().ok().and_then(|ready| ready.server.auth.as_ref());
        provider.map(|provider| provider.snapshot()).unwrap_or_default()
    }

    /// The status as far as the files tell it.
    pub(crate) fn offline_report(&self) -> StatusReport {
        match &self.state {
            Ok(_) => {
                let mut report =
                    StatusReport::from_reason(Reason::connecting(1), &self.context(), self.facts());
                // Nothing is being tried, so there is no reason to tell.
                report.status = ServerStatus::Pending;
                report.reason = None;
                report
            }
            Err(Closed::Disabled) => StatusReport::disabled(&self.context(), self.facts()),
            Err(Closed::Reason(reason)) => {
                StatusReport::from_reason(reason.clone(), &self.context(), self.facts())
            }
        }
    }

    /// The row as far as the files tell it.
    pub(crate) fn offline_row(&self) -> Row {
        Row::new(self.described.clone(), self.offline_report(), self.auth_row(), std::time::Duration::ZERO)
    }
}

/// This build has no command that signs a person in.
const LOGIN_AVAILABLE: bool = false;

fn ready(
    entry: &ServerEntry,
    lowered: Option<(Target, AuthSettings)>,
    plan: Option<&AuthPlan>,
    config: &Config,
    app: &App,
) -> Result<Ready, Reason> {
    let server = match (lowered, plan) {
        (Some((target, _)), Some(plan)) => {
            if entry.transport() == "ws" {
                return Err(Reason::config("WebSocket servers are not supported; use type http"));
            }
            let provider =
                plan.build(&target, Parts::new()).map_err(|error| Reason::config(&error.to_string()))?;
            let endpoint = match entry.transport() {
                "sse" => HttpEndpoint::legacy_sse(target.url),
                _ => HttpEndpoint::new(target.url),
            };
            Server::new(Endpoint::Http(endpoint)).with_auth(provider)
        }
        _ => {
            let Some(stdio) = entry.stdio() else {
                return Err(Reason::config("the entry is neither a URL nor a command"));
            };
            let launch = stdio.launch(app.environment.variables(), &config.project);
            let mut endpoint = StdioEndpoint::new(launch.program);
            endpoint.args = launch.args;
            endpoint.env = launch.env;
            endpoint.cwd = Some(launch.cwd);
            Server::new(Endpoint::Stdio(endpoint))
        }
    };
    Ok(Ready { server: server.with_timeout(entry.timeout) })
}

/// Why an entry cannot be used: the first error among its problems, with file and field.
fn invalid(entry: &ServerEntry, config: &Config) -> String {
    let problem =
        config.problems_of(&entry.name).find(|problem| problem.severity == mcp_config::Severity::Error);
    problem
        .map(problem_text)
        .or_else(|| entry.gate_detail())
        .unwrap_or_else(|| "the entry is invalid".to_owned())
}
