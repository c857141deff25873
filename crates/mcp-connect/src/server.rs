//! One entry with everything that is needed to contact it: entry → settings → plan → provider → server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mcp_auth::HttpExchange;
use mcp_auth::aws::AwsSource;
use mcp_auth::oauth::{OAuthLogin, OAuthProvider};
use mcp_auth::plan::{ProviderKind, ProviderRole};
use mcp_auth::provider::ProviderSnapshot;
use mcp_auth::settings::{MachineSignInSource, MachineSignInSpec};
use mcp_auth::{
    AuthError, AuthErrorKind, AuthPlan, AuthProvider, AuthSettings, Parts, SingleFlight, Target, TokenFile,
};
use mcp_config::entry::RemoteKind;
use mcp_config::{Config, EntryTransport, Gate, Pointer, Problem, ServerEntry, Severity};
use mcp_status::{
    ActionFacts, MessageContext, NextStep, Reason, ReasonCode, ServerStatus, SignInState, StatusReport,
    TransportKind,
};
use mcp_text::Secrets;
use mcp_transport::limits::Limits;
use mcp_transport::supervisor::NoContact;
use mcp_transport::{Endpoint, HttpEndpoint, LateEndpoint, Server, StdioEndpoint, ToolFilter};

use crate::description::at;
use crate::fingerprint::Parts as FingerprintParts;
use crate::late::{LateSecrets, late};
use crate::network::reached;
use crate::secrets::secrets;
use crate::{Description, EntryTools, Fingerprint, Host};

/// The auth of one remote server.
#[derive(Debug)]
#[non_exhaustive]
pub struct ServerAuth {
    /// Whose credentials they are.
    pub target: Target,
    /// Which provider answers, and why the others do not.
    pub plan: AuthPlan,
    /// OAuth, where the plan has a role for it.
    pub oauth: Option<OAuthProvider>,
    /// The provider that the entry names in its `auth`, the program's own or one of ours; why it could not be made.
    pub(crate) custom: Result<Option<Arc<dyn AuthProvider>>, String>,
    /// The origin of its address, for messages.
    pub origin: String,
    /// How its authorization servers are reached.
    pub(crate) http: Arc<dyn HttpExchange>,
}

impl ServerAuth {
    async fn new(
        target: Target,
        mut settings: AuthSettings,
        entry: &ServerEntry,
        config: &Config,
        host: &Host,
    ) -> Self {
        let custom = host.options().providers.make(&target, entry, config, &mut settings);
        let settings = &settings;
        let withheld = settings.unattended.as_ref().is_some_and(|auth| auth.withheld.is_some());
        let endpoint = endpoint(entry, target.url.clone());
        let http = host.connector().http().sign_in_exchanges(&endpoint);
        let custom = match &settings.unattended {
            Some(auth) if !withheld => unattended(host, auth, &target, &http)
                .map(Some)
                .map_err(|error| format!("{}: failed to {error}", at(entry))),
            _ => custom,
        };
        let plan = AuthPlan::resolve(settings);
        let wanted =
            matches!(plan.role(ProviderKind::OAuth), Some(ProviderRole::Authority | ProviderRole::Fallback));
        let oauth =
            if wanted { Some(host.oauth_provider(&target, settings, http.clone()).await) } else { None };
        let origin = target.url.origin().ascii_serialization();
        Self { target, plan, oauth, custom, origin, http }
    }

    /// The chain of one connection.
    ///
    /// # Errors
    ///
    /// What the entry says about auth is impossible.
    pub fn chain(&self) -> Result<Arc<dyn AuthProvider>, AuthError> {
        let oauth = self.oauth.as_ref().map(|oauth| Arc::new(oauth.clone()) as Arc<dyn AuthProvider>);
        self.chain_with(oauth)
    }

    /// The same with this provider for the OAuth role.
    pub(crate) fn chain_with(
        &self,
        oauth: Option<Arc<dyn AuthProvider>>,
    ) -> Result<Arc<dyn AuthProvider>, AuthError> {
        let mut parts = Parts::new();
        if let Some(oauth) = oauth {
            parts = parts.with_oauth(oauth);
        }
        if let Ok(Some(custom)) = &self.custom {
            parts = parts.with_authority(custom.clone());
        }
        self.plan.build(&self.target, parts)
    }

    /// What signs out, or forgets what is kept of sign-ins. Contacts nothing by itself.
    pub fn sign_in(&self, host: &Host) -> OAuthLogin {
        host.oauth_login(self, &[])
    }
}

/// What an entry says of credentials without a person, as a provider.
fn unattended(
    host: &Host,
    auth: &MachineSignInSpec,
    target: &Target,
    http: &Arc<dyn HttpExchange>,
) -> Result<Arc<dyn AuthProvider>, AuthError> {
    Ok(match &auth.supply {
        MachineSignInSource::Grant(grant) => {
            let renewals = host.renewals().clone();
            Arc::new(OAuthProvider::unattended(target.clone(), grant, http.clone(), renewals)?)
        }
        MachineSignInSource::File(path) => Arc::new(SingleFlight::new(TokenFile::new(path))),
        MachineSignInSource::Plugin(plugin) => Arc::new(mcp_auth::plugin::provider(plugin, target)),
        MachineSignInSource::Aws(aws) => Arc::new(SingleFlight::new(AwsSource::new(aws, target))),
        _ => {
            return Err(AuthError::new(AuthErrorKind::Misconfigured, "use `auth`: it is of an unknown kind"));
        }
    })
}

/// One entry with everything that is needed to contact it, or the reason why it is not contacted.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConfiguredServer {
    /// What is shown of it.
    pub description: Description,
    /// What to connect to, or why it is not contacted.
    pub state: Result<Server, NoContact>,
    /// Its auth; none for a local server.
    pub auth: Option<ServerAuth>,
    /// What no message about it may contain.
    pub secrets: Secrets,
    /// Which of its tools may be used, where not all may.
    pub tools: Option<Arc<EntryTools>>,
    /// The secrets in its address, or in what it is started with.
    late: Option<Arc<LateSecrets>>,
}

impl ConfiguredServer {
    /// The files that its secrets and credentials are read from, and those that the commands for them name: where it was refused,
    /// a change of one of these is a reason to try again.
    pub fn credential_files(&self) -> Vec<PathBuf> {
        let of_auth = self.auth.as_ref().map(|auth| auth.plan.settings().files()).unwrap_or_default();
        of_auth.into_iter().chain(self.late.iter().flat_map(|late| late.files())).collect()
    }

    /// Contacts no server and runs no command of the entry; reads the sign-ins, which a keyring or a database may hold.
    pub(crate) async fn new(host: &Host, entry: &ServerEntry, config: &Config) -> Self {
        let auth = match entry.lower(&host.options().env) {
            Some((mut target, mut settings)) => {
                if let Some(account) = &host.options().account {
                    target.account = Some(account.clone());
                }
                settings.lives_on = host.options().lives_on;
                Some(ServerAuth::new(target, settings, entry, config, host).await)
            }
            None => None,
        };
        let shared = host.learn(config);
        let secrets = secrets(entry, &host.options().env, host.inherited_secrets()).with_shared(shared);
        let tools = EntryTools::of(entry, config);
        let late = late(entry, auth.as_ref().map(|auth| &auth.target), &host.options().env);
        let state = match withheld(entry, config) {
            Some(withheld) => Err(withheld),
            None => server(entry, auth.as_ref(), &secrets, config, host)
                .map(|server| server.with_late(late.clone().map(|late| late as Arc<dyn LateEndpoint>)))
                .map(|server| server.with_tools(tools.clone().map(|tools| tools as Arc<dyn ToolFilter>)))
                .map_err(NoContact::Because),
        };
        let (target, plan) = (auth.as_ref().map(|auth| &auth.target), auth.as_ref().map(|auth| &auth.plan));
        let description = Description::of(entry, config, target, plan);
        Self { description, state, auth, secrets, tools, late }
    }

    /// A name that is only a pointer: how a host reaches a server. Nothing is started for it, and `why` names the place.
    pub async fn of_pointer(host: &Host, pointer: &Pointer, why: &str, config: &Config) -> Self {
        let server = Self::new(host, &pointer.entry, config).await;
        Self { state: Err(NoContact::Because(Reason::self_reference(why))), ..server }
    }

    /// A name that no entry has. It is not contacted, and `reason` says why.
    pub fn missing(name: impl Into<String>, reason: Reason) -> Self {
        let description = Description::new(name, "", "", EntryTransport::Remote(RemoteKind::Http));
        let (state, secrets) = (Err(NoContact::Because(reason)), Secrets::default());
        Self { description, state, auth: None, secrets, tools: None, late: None }
    }

    /// Whether the entry leads back to itself, and how that is told.
    pub fn self_reference(&self) -> Option<&Reason> {
        match &self.state {
            Err(NoContact::Because(reason)) if reason.code == ReasonCode::SelfReference => Some(reason),
            _ => None,
        }
    }

    /// Whether it is a child process.
    pub fn is_stdio(&self) -> bool {
        self.description.transport == EntryTransport::Stdio
    }

    /// Whether a person switched it off, or rejected it.
    pub fn is_switched_off(&self) -> bool {
        self.state.as_ref().is_err_and(NoContact::is_deliberate)
    }

    /// What messages about it name.
    pub fn context(&self) -> MessageContext<'_> {
        MessageContext::new(&self.description.name)
            .with_origin(self.auth.as_ref().map(|auth| &*auth.origin))
            .with_endpoint(self.description.url.as_deref())
    }

    /// Whether a helper comes before the server is asked, and no run of one has ended yet.
    pub(crate) fn awaits_helper(&self) -> bool {
        let has_helper = self.auth.as_ref().is_some_and(|auth| auth.plan.settings().helper.is_some());
        let snapshot = self.snapshot();
        has_helper && snapshot.withheld.is_none() && snapshot.last_fetch.is_none()
    }

    /// What an attempt waits for that has brought nothing yet; `None` for a process, which tells that itself.
    pub fn awaited(&self) -> Option<String> {
        let origin = &self.auth.as_ref()?.origin;
        Some(match self.snapshot().asks {
            Some(asked) => {
                format!(
                    "no answer yet from {asked}, which is asked for a token, and the server is asked then"
                )
            }
            None if self.awaits_helper() => {
                "its headersHelper has not ended yet, and the server is asked then".to_owned()
            }
            None => format!("no answer from {origin} yet"),
        })
    }

    /// What its actions are derived from.
    pub fn facts(&self) -> ActionFacts {
        let transport = if self.is_stdio() { TransportKind::Stdio } else { TransportKind::Remote };
        let configured = |name: &str| self.description.chain.iter().any(|link| link == name);
        // A provider of the program's own is asked again as a helper is, and comes before a sign-in as that does.
        let helper = self.auth.as_ref().is_some_and(|auth| {
            let settings = auth.plan.settings();
            settings.helper.is_some()
                || settings.custom.is_some()
                || settings.unattended.is_some()
                || !settings.sourced_headers.is_empty()
        });
        let snapshot = self.snapshot();
        ActionFacts::new(transport)
            .with_configured(configured(ProviderKind::StaticHeaders.name()), helper)
            .with_sign_in(match snapshot.signed_in {
                true => SignInState::SignedIn,
                false if self.is_oauth_capable(&snapshot) => SignInState::Offered,
                false => SignInState::NotOffered,
            })
            .with_editable(self.description.line.is_some())
            .with_switchable(!self.description.by_url && !self.description.in_place)
            .with_restart(self.auth.as_ref().is_some_and(|auth| {
                let settings = auth.plan.settings();
                settings.lives_on && !settings.header_variables.is_empty()
            }))
    }

    /// Whether a person can sign in, as far as `snapshot` tells: the entry says so, tokens are kept, or the server asked.
    pub fn is_oauth_capable(&self, snapshot: &ProviderSnapshot) -> bool {
        let block = self.auth.as_ref().is_some_and(|auth| auth.plan.settings().oauth.is_some());
        block || snapshot.signed_in || snapshot.login_offered
    }

    /// What its chain of credentials tells of itself.
    pub fn snapshot(&self) -> ProviderSnapshot {
        let chain = self.state.as_ref().ok().and_then(|server| server.auth.as_ref());
        let mut snapshot = chain.map(|provider| provider.snapshot()).unwrap_or_default();
        // A server that is not contacted has no chain; the store still knows whether a person signed in.
        let oauth = self.auth.as_ref().and_then(|auth| auth.oauth.as_ref());
        if let Some(stored) = oauth.map(OAuthProvider::snapshot) {
            snapshot.signed_in |= stored.signed_in;
            // What was read since is newer.
            snapshot.sign_in_unknown = match snapshot.signed_in {
                true => None,
                false => snapshot.sign_in_unknown.or(stored.sign_in_unknown),
            };
            snapshot.expires_at = snapshot.expires_at.or(stored.expires_at);
        }
        snapshot
    }

    /// The status as far as the files tell it.
    pub fn offline_report(&self) -> StatusReport {
        match &self.state {
            Ok(_) => {
                let mut report =
                    StatusReport::from_reason(Reason::connecting(1), &self.context(), self.facts());
                // Nothing is being tried, so there is no reason to tell.
                report.status = ServerStatus::Pending;
                report.reason = None;
                report
            }
            Err(NoContact::Because(reason)) => {
                StatusReport::from_reason(reason.clone(), &self.context(), self.facts())
            }
            Err(_) => StatusReport::disabled(&self.context(), self.facts()),
        }
    }

    /// `report` without what no message about this server may contain: what the configuration holds is hidden as well as
    /// what was sent.
    pub fn without_secrets(&self, mut report: StatusReport) -> StatusReport {
        let hide = |text: &mut String| *text = self.secrets.hide_known(text).into_owned();
        if let Some(reason) = &mut report.reason {
            hide(&mut reason.message);
            match &mut reason.next {
                Some(NextStep::Provider { hint }) => hide(hint),
                // A part of it is not a command.
                Some(NextStep::Cure { command }) if self.secrets.hide_known(command) != *command => {
                    reason.next = Some(NextStep::Reconnect);
                }
                _ => {}
            }
        }
        if let Some(info) = &mut report.server {
            hide(&mut info.name);
            hide(&mut info.version);
        }
        report
    }

    /// What an entry of this name comes to, whichever file has it: equal where both would be one connection.
    pub fn connection(&self, host: &Host) -> Fingerprint {
        // The same whichever file says so.
        let description =
            Description { scope: String::new(), source: String::new(), ..self.description.clone() };
        self.parts(host, &description).fingerprint()
    }

    /// Whether it comes to the same connection as another one does, and the same file says so.
    pub fn fingerprint(&self, host: &Host) -> Fingerprint {
        self.parts(host, &self.description).fingerprint()
    }

    fn parts<'a>(&'a self, host: &'a Host, description: &'a Description) -> FingerprintParts<'a> {
        let settings = self.auth.as_ref().map(|auth| auth.plan.settings());
        FingerprintParts { description, options: host.options(), state: &self.state, settings }
    }
}

/// Why `entry` is not contacted, whatever it leads to.
fn withheld(entry: &ServerEntry, config: &Config) -> Option<NoContact> {
    let detail = || entry.gate_detail().unwrap_or_default();
    Some(NoContact::Because(match entry.gate() {
        Gate::Ready if entry.waits_for_trust() => Reason::secrets_untrusted(),
        Gate::Ready => return None,
        Gate::Disabled => return Some(NoContact::SwitchedOff),
        Gate::Rejected => Reason::declined(&detail()),
        Gate::Blocked => forbidden(entry),
        Gate::NotConfigured => {
            let variable = entry.empty_address_variable();
            let step = variable.map(|name| NextStep::SetVariable { name: name.to_owned() });
            Reason::not_configured().with_next(step)
        }
        Gate::SelfReference => Reason::self_reference(&format!("{}: {}", at(entry), detail())),
        Gate::AwaitingApproval if entry.approval_not_kept().is_some() => Reason::approval_not_kept(&detail()),
        Gate::AwaitingApproval => Reason::awaiting_approval(),
        Gate::ChangedSinceApproval => Reason::changed_since_approval(&detail()),
        _ => Reason::config(&invalid(entry, config)),
    }))
}

/// That a list forbids `entry`, and who can change that.
fn forbidden(entry: &ServerEntry) -> Reason {
    let Some(block) = &entry.blocked else { return Reason::config("a list of servers forbids it") };
    let step = NextStep::ChangePolicy {
        rule: mcp_text::sentence(&block.rule()),
        by_administrator: block.is_by_administrator(),
    };
    Reason::policy(&block.to_string(), step)
}

fn server(
    entry: &ServerEntry,
    auth: Option<&ServerAuth>,
    secrets: &Secrets,
    config: &Config,
    host: &Host,
) -> Result<Server, Reason> {
    let server = match auth {
        Some(auth) => {
            if let Err(why) = &auth.custom {
                return Err(Reason::config(why));
            }
            let provider =
                auth.chain().map_err(|error| Reason::config(&format!("{}: {error}", at(entry))))?;
            let endpoint = endpoint(entry, auth.target.url.clone());
            Server::new(Endpoint::Http(endpoint)).with_auth(provider)
        }
        None => {
            let Some(launch) = entry.launch(&host.options().env, &config.project) else {
                return Err(Reason::config("the entry is neither a URL nor a command"));
            };
            let mut endpoint = StdioEndpoint::new(launch.program);
            endpoint.args = launch.args;
            endpoint.env = launch.env;
            endpoint.cwd = Some(launch.cwd);
            endpoint.startup_timeout = entry.stdio().and_then(|stdio| stdio.startup_timeout);
            endpoint.chain = Some(entry.chain_below());
            endpoint.secrets = secrets.clone();
            Server::new(Endpoint::Stdio(endpoint))
        }
    };
    let limits = limits(entry.limits, &host.options().client.limits);
    let mut server = server.with_timeout(entry.timeout).with_limits(limits);
    server.handler.clone_from(&host.options().handler);
    Ok(server)
}

/// Where the server of a remote entry is, and how it is reached.
fn endpoint(entry: &ServerEntry, url: url::Url) -> HttpEndpoint {
    let mut endpoint = match entry.transport() {
        EntryTransport::Remote(RemoteKind::Sse) => HttpEndpoint::legacy_sse(url),
        _ => HttpEndpoint::new(url),
    };
    endpoint.shown = entry.display_url();
    match entry.remote() {
        Some(remote) => reached(endpoint, &remote.network),
        None => endpoint,
    }
}

/// The limits of an entry, where it says something about them.
fn limits(entry: mcp_config::entry::EntryLimits, usual: &Limits) -> Option<Limits> {
    let mut limits = usual.clone();
    for (said, limit) in [
        (entry.handshake_bytes, &mut limits.handshake_bytes),
        (entry.list_bytes, &mut limits.list_bytes),
        (entry.result_bytes, &mut limits.result_bytes),
        (entry.message_bytes, &mut limits.message_bytes),
        (entry.host_bytes, &mut limits.host_bytes),
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
    let problem = config.problems_of(&entry.name).find(|problem| problem.severity == Severity::Error);
    problem
        .map(Problem::to_line)
        .or_else(|| entry.gate_detail())
        .unwrap_or_else(|| "the entry is invalid".to_owned())
}
