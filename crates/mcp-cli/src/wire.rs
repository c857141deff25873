//! From an entry to something that can be connected: entry → settings → plan → provider → server. No rules.

use std::sync::Arc;
use std::time::Duration;

use mcp_auth::oauth::OAuthProvider;
use mcp_auth::{AuthPlan, AuthProvider, AuthSettings, Parts, ProviderKind, ProviderSnapshot, Role, Target};
use mcp_config::{Config, Gate, Pointer, ServerEntry};
use mcp_status::{
    ActionFacts, MessageContext, Reason, ReasonCode, ServerStatus, StatusReport, TransportKind,
};
use mcp_transport::limits::Limits;
use mcp_transport::{Endpoint, HttpEndpoint, Server, StdioEndpoint};

use crate::app::App;
use crate::problems::problem_text;
use crate::redact;
use crate::steps::Steps;
use crate::view::row::{AuthRow, Described, Row};

/// One entry with everything that is needed to contact it, or the reason why it is not contacted.
#[derive(Debug)]
pub(crate) struct Wired {
    pub(crate) described: Described,
    pub(crate) state: Result<Ready, Closed>,
    /// What auth is about; none for a stdio server.
    pub(crate) auth: Option<Auth>,
    /// What no message about it may contain.
    pub(crate) secrets: mcp_text::Secrets,
    steps: Arc<Steps>,
}

/// The auth of one remote server.
#[derive(Debug)]
pub(crate) struct Auth {
    pub(crate) target: Target,
    pub(crate) plan: AuthPlan,
    /// OAuth, where the plan has a role for it.
    pub(crate) oauth: Option<OAuthProvider>,
    pub(crate) origin: String,
}

impl Auth {
    async fn new(target: Target, settings: &AuthSettings, app: &App) -> Self {
        let plan = AuthPlan::resolve(settings);
        let wanted = matches!(plan.role(ProviderKind::OAuth), Some(Role::Authority | Role::Fallback));
        let oauth = match wanted {
            true => {
                let (store, renewals) = (app.token_store(), app.renewals.clone());
                Some(crate::oauth::provider(&target, settings, app.http(), store, renewals).await)
            }
            false => None,
        };
        let origin = target.url.origin().ascii_serialization();
        Self { target, plan, oauth, origin }
    }

    /// The chain of one connection.
    pub(crate) fn chain(&self) -> Result<Arc<dyn AuthProvider>, mcp_auth::AuthError> {
        let parts = match &self.oauth {
            Some(oauth) => Parts::new().with_oauth(Arc::new(oauth.clone())),
            None => Parts::new(),
        };
        self.plan.build(&self.target, parts)
    }
}

/// A server that may be contacted.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) server: Server,
}

/// Why a server is not contacted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Closed {
    /// Somebody switched it off, or rejected it.
    Disabled,
    /// There is a reason that a status shows.
    Reason(Reason),
}

impl Wired {
    /// Wires `entry`. Contacts nobody and runs nothing; reads the store of sign-ins.
    pub(crate) async fn new(entry: &ServerEntry, config: &Config, app: &App) -> Self {
        let auth = match entry.lower(app.environment.variables()) {
            Some((target, mut settings)) => {
                settings.lives_on = app.lives_on;
                Some(Auth::new(target, &settings, app).await)
            }
            None => None,
        };
        let described = Described {
            name: entry.name.clone(),
            scope: entry.scope.to_string(),
            source: entry.origin.place.to_string(),
            transport: entry.transport(),
            url: entry.display_url(),
            command: entry.stdio().map(mcp_config::Stdio::display),
            chain: auth.iter().flat_map(|auth| auth.plan.chain_names()).map(str::to_owned).collect(),
        };
        let state = match entry.gate() {
            Gate::Ready => ready(entry, auth.as_ref(), config, app).map_err(Closed::Reason),
            Gate::Disabled | Gate::Rejected => Err(Closed::Disabled),
            Gate::NotConfigured => Err(Closed::Reason(Reason::not_configured())),
            Gate::SelfReference => {
                let detail = entry.gate_detail().unwrap_or_default();
                Err(Closed::Reason(Reason::self_reference(&format!("{}: {detail}", at(entry)))))
            }
            Gate::AwaitingApproval => Err(Closed::Reason(match entry.approval_not_kept() {
                Some(_) => Reason::approval_not_kept(&entry.gate_detail().unwrap_or_default()),
                None => Reason::awaiting_approval(),
            })),
            Gate::ChangedSinceApproval => {
                let detail = entry.gate_detail().unwrap_or_default();
                Err(Closed::Reason(Reason::changed_since_approval(&detail)))
            }
            _ => Err(Closed::Reason(Reason::config(&invalid(entry, config)))),
        };
        let secrets = redact::secrets(entry, app.environment.variables());
        Self { described, state, auth, secrets, steps: app.steps.clone() }
    }

    /// A name that is only a pointer: how a host reaches a server. Nothing is started for it, and `why` names the place.
    pub(crate) async fn pointer(pointer: &Pointer, why: &str, config: &Config, app: &App) -> Self {
        let wired = Self::new(&pointer.entry, config, app).await;
        Self { state: Err(Closed::Reason(Reason::self_reference(why))), ..wired }
    }

    /// Whether the entry leads back to itself, and how that is told.
    pub(crate) fn self_reference(&self) -> Option<&Reason> {
        match &self.state {
            Err(Closed::Reason(reason)) if reason.code == ReasonCode::SelfReference => Some(reason),
            _ => None,
        }
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
        MessageContext::new(&self.described.name)
            .with_origin(self.auth.as_ref().map(|auth| &*auth.origin))
            .with_endpoint(self.described.url.as_deref())
    }

    /// What its actions are derived from.
    pub(crate) fn facts(&self) -> ActionFacts {
        let transport = if self.is_stdio() { TransportKind::Stdio } else { TransportKind::Remote };
        let configured = |name: &str| self.described.chain.iter().any(|link| link == name);
        let helper = self.auth.as_ref().is_some_and(|auth| auth.plan.settings().helper.is_some());
        let snapshot = self.snapshot();
        ActionFacts::new(transport)
            .with_configured(configured("static-headers"), helper)
            .with_oauth(self.oauth_capable(&snapshot), snapshot.signed_in)
            .with_login_available(true)
            .with_restart(self.auth.as_ref().is_some_and(|auth| {
                let settings = auth.plan.settings();
                settings.lives_on && !settings.header_variables.is_empty()
            }))
    }

    /// Its row, as `report` tells.
    pub(crate) fn row(&self, mut report: StatusReport, elapsed: Duration) -> Row {
        if let Some(reason) = &mut report.reason {
            reason.next = reason.next.as_deref().map(|next| self.steps.step(next));
        }
        Row::new(self.described.clone(), report, self.auth_row(), elapsed)
    }

    /// What is known about its credentials.
    pub(crate) fn auth_row(&self) -> AuthRow {
        let snapshot = self.snapshot();
        AuthRow::new(self.described.chain.clone(), &snapshot, self.oauth_capable(&snapshot))
    }

    fn oauth_capable(&self, snapshot: &ProviderSnapshot) -> bool {
        let block = self.auth.as_ref().is_some_and(|auth| auth.plan.settings().oauth.is_some());
        block || snapshot.signed_in || snapshot.login_offered
    }

    fn snapshot(&self) -> ProviderSnapshot {
        let chain = self.state.as_ref().ok().and_then(|ready| ready.server.auth.as_ref());
        let mut snapshot = chain.map(|provider| provider.snapshot()).unwrap_or_default();
        // A server that is not contacted has no chain; the store still knows whether somebody signed in.
        let oauth = self.auth.as_ref().and_then(|auth| auth.oauth.as_ref());
        snapshot.signed_in |= oauth.is_some_and(|oauth| oauth.snapshot().signed_in);
        snapshot
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
        self.row(self.offline_report(), Duration::ZERO)
    }
}

fn ready(entry: &ServerEntry, auth: Option<&Auth>, config: &Config, app: &App) -> Result<Ready, Reason> {
    let server = match auth {
        Some(auth) => {
            if entry.transport() == "ws" {
                return Err(Reason::config("WebSocket servers are not supported; use type http"));
            }
            let provider =
                auth.chain().map_err(|error| Reason::config(&format!("{}: {error}", at(entry))))?;
            let url = auth.target.url.clone();
            let endpoint = match entry.transport() {
                "sse" => HttpEndpoint::legacy_sse(url),
                _ => HttpEndpoint::new(url),
            };
            Server::new(Endpoint::Http(endpoint)).with_auth(provider)
        }
        None => {
            let Some(launch) = entry.launch(app.environment.variables(), &config.project) else {
                return Err(Reason::config("the entry is neither a URL nor a command"));
            };
            let mut endpoint = StdioEndpoint::new(launch.program);
            endpoint.args = launch.args;
            endpoint.env = launch.env;
            endpoint.cwd = Some(launch.cwd);
            endpoint.startup_timeout = entry.stdio().and_then(|stdio| stdio.startup_timeout);
            endpoint.chain = Some(entry.chain_below());
            endpoint.secrets = redact::secrets(entry, app.environment.variables());
            Server::new(Endpoint::Stdio(endpoint))
        }
    };
    let limits = limits(entry.limits, &app.connector.options().limits);
    Ok(Ready { server: server.with_timeout(entry.timeout).with_limits(limits) })
}

/// File, line and field of an entry.
fn at(entry: &ServerEntry) -> String {
    format!("{}: {}", entry.origin, entry.origin.field)
}

/// The limits of an entry, where it says something about them.
fn limits(entry: mcp_config::Limits, usual: &Limits) -> Option<Limits> {
    let mut limits = usual.clone();
    for (said, limit) in [
        (entry.handshake_bytes, &mut limits.handshake_bytes),
        (entry.list_bytes, &mut limits.list_bytes),
        (entry.result_bytes, &mut limits.result_bytes),
        (entry.message_bytes, &mut limits.message_bytes),
        (entry.error_bytes, &mut limits.error_bytes),
        (entry.pages, &mut limits.pages),
        (entry.server_requests, &mut limits.server_requests),
        (entry.exchanges, &mut limits.exchanges),
        (entry.requests, &mut limits.requests),
    ] {
        if let Some(said) = said {
            *limit = usize::try_from(said).unwrap_or(usize::MAX);
        }
    }
    limits.error_time = entry.error_ms.map_or(limits.error_time, Duration::from_millis);
    (limits != *usual).then_some(limits)
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
