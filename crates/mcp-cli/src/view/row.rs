//! One server as every command shows it: the JSON shape of `status`, `list` and `reconnect`.

#[cfg(test)]
mod example;

use std::time::{Duration, SystemTime};

use mcp_bridge::SharingRole;
use mcp_config::{EntryTransport, Pointer};
use mcp_connect::{ConfiguredServer, Description, Probe};
use mcp_status::{Action, Reason, ReasonCode, ServerInfo, ServerStatus, StatusReport};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::shown;
use super::time::rfc3339;
use crate::deadline::Deadline;
use crate::printed_step::PrintedStep;
use crate::steps::Steps;

/// What is known about the credentials, without any of them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuthRow {
    pub(crate) chain: Vec<String>,
    pub(crate) oauth_capable: bool,
    pub(crate) signed_in: bool,
    /// Why that is not known: what is kept cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sign_in_unknown: Option<String>,
    /// Which sign-in, where the entry or `--account` names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    pub(crate) expires_at: Option<String>,
    pub(crate) last_helper_run: Option<HelperRun>,
}

/// The last run of a headers helper.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HelperRun {
    pub(crate) duration_ms: u64,
    pub(crate) exit_code: Option<i32>,
}

/// One live session of a server in another process, as it says itself.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Session {
    /// Its process.
    pub(crate) session: u32,
    /// The name of its server, and the file that defines that.
    pub(crate) name: String,
    pub(crate) source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// The program that it serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) folder: Option<String>,
    /// Of its program, which may be an older one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
    /// How many tools its host has called; an older program does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) calls: Option<u64>,
    /// `bridge`, or what an embedding host calls itself.
    pub(crate) kind: String,
    /// What it is on a connection that it shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shared: Option<SharingRole>,
    pub(crate) status: Value,
    pub(crate) reason: Value,
}

/// A session that does not answer: no more is known of it than its process and, as a rule, the name of its server.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "there is none to be seen"))]
pub(crate) struct SilentSession {
    pub(crate) pid: u32,
    pub(crate) server: Option<String>,
    /// `stop` ends the process, which is there for nothing else.
    pub(crate) can_be_stopped: bool,
}

impl SilentSession {
    /// What there is to say of it.
    pub(crate) fn state(&self) -> &'static str {
        "does not answer: its process is stopped, or hangs"
    }

    /// The same in a sentence.
    pub(crate) fn statement(&self) -> String {
        let server =
            self.server.as_ref().map(|server| format!(" of {}", shown::name(server))).unwrap_or_default();
        format!("session {}{server} {}", self.pid, self.state())
    }

    /// What ends it.
    pub(crate) fn next(&self) -> PrintedStep {
        let pid = self.pid;
        match self.can_be_stopped {
            true => PrintedStep::Command(format!("mcplink stop {pid}")),
            false => PrintedStep::Sentence(format!("let process {pid} go on, or end it")),
        }
    }

    /// Both in one line.
    pub(crate) fn text(&self) -> String {
        match self.next() {
            PrintedStep::Command(command) => format!("{}; `{command}` ends it", self.statement()),
            PrintedStep::Sentence(what) => format!("{}; {what}", self.statement()),
        }
    }
}

impl Serialize for SilentSession {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({ "session": self.pid, "name": self.server, "message": self.state(), "next": self.next() })
            .serialize(serializer)
    }
}

/// What a live session did when it was asked to reconnect.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ReconnectOutcome {
    pub(crate) session: u32,
    pub(crate) name: String,
    pub(crate) status: Value,
    pub(crate) reason: Value,
}

/// One server. `list` leaves out `status`, `reason` and `elapsedMs`: they are `None` there, where
/// `Some(None)` is a `null` that was looked for.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) scope: String,
    pub(crate) source: String,
    pub(crate) transport: EntryTransport,
    pub(crate) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<ServerStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Option<Reason<PrintedStep>>>,
    /// It is not what was approved; `list`, which has no reason, tells it too.
    #[serde(rename = "changedSinceApproval", skip_serializing_if = "std::ops::Not::not")]
    pub(crate) changed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) declined: bool,
    /// A list of a policy forbids it; `list`, which has no reason, tells it too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) blocked: bool,
    /// A person switched it off, as `list` tells it, which has no status.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) disabled: bool,
    #[serde(skip)]
    pub(crate) is_off: bool,
    pub(crate) auth: AuthRow,
    pub(crate) actions: Vec<Action>,
    pub(crate) server: Option<ServerInfo>,
    pub(crate) protocol_version: Option<String>,
    pub(crate) tools: Option<usize>,
    /// Where it is written that not all of its tools may be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tool_policy: Vec<String>,
    /// What its entry says of tools that it does not have, when connected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unmatched_tools: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) elapsed_ms: Option<u64>,
    pub(crate) sessions: Vec<Session>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reconnected: Option<Vec<ReconnectOutcome>>,
    /// Where hosts have it, where it was looked for in their files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) hosts: Vec<HostPlace>,
    /// What is told where nothing was contacted; `auth` has it for programs.
    #[serde(skip)]
    pub(crate) kept: Option<SavedCredentials>,
}

/// Where one host has a server.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostPlace {
    /// The name of the host on a command line, and as people write it.
    pub(crate) host: &'static str,
    pub(crate) title: &'static str,
    /// What the entry is called there.
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) line: usize,
    /// The entry starts this program, which has the server from files that it reads.
    pub(crate) bridged: bool,
    /// The program that it starts, where that is not there any more: for this host the server is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<String>,
    /// Why the host cannot use the entry, however well the server is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unusable: Option<String>,
    /// Whether a command without `--from` knows the server.
    #[serde(skip)]
    pub(crate) is_ours: bool,
    /// The file as a person of this home and folder would write it.
    #[serde(skip)]
    pub(crate) file: String,
}

/// Credentials as far as files tell of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum SavedCredentials {
    /// A person signs in, and has done so where it is there.
    SignIn { is_there: bool, until: Option<SystemTime> },
    /// The same, and what is kept of sign-ins cannot be read, because of this.
    Unread { why: String },
    /// This program says what they are, or one whose name does not show.
    Helper { program: Option<String> },
}

impl SavedCredentials {
    /// What is known of the credentials of `server` without contact: whose they are, and until when they are good.
    fn of(server: &ConfiguredServer) -> Option<Self> {
        let auth = server.auth.as_ref()?;
        if let Some(helper) = &auth.plan.settings().helper {
            let program = helper.program().map(|program| server.secrets.hide(program).into_owned());
            return Some(Self::Helper { program });
        }
        let snapshot = server.snapshot();
        if let Some(why) = snapshot.sign_in_unknown {
            return Some(Self::Unread { why });
        }
        let may_sign_in = auth.oauth.is_some() && server.is_oauth_capable(&snapshot);
        may_sign_in.then_some(Self::SignIn { is_there: snapshot.signed_in, until: snapshot.expires_at })
    }
}

impl Row {
    /// The row of `server`, as `report` tells.
    pub(crate) fn of(
        server: &ConfiguredServer,
        report: StatusReport,
        elapsed: Duration,
        steps: &Steps,
    ) -> Self {
        steps.see_entry(&server.description);
        let report = report.worded(|step| Some(steps.words(step, &server.description.name)));
        let snapshot = server.snapshot();
        let chain = server.description.chain.clone();
        let auth = AuthRow::new(chain, &snapshot, server.is_oauth_capable(&snapshot));
        let tool_policy = server.tools.as_ref().map(|tools| tools.places()).unwrap_or_default();
        Self { tool_policy, ..Self::new(server.description.clone(), report, auth, elapsed) }
    }

    /// The row of `server` as far as the files tell it.
    pub(crate) fn offline(server: &ConfiguredServer, steps: &Steps) -> Self {
        let row = Self::of(server, server.offline_report(), Duration::ZERO, steps);
        Self { kept: SavedCredentials::of(server), ..row }
    }

    /// The row of `server`, which was probed until `deadline`.
    pub(crate) fn of_probe(
        server: &ConfiguredServer,
        probe: &Probe,
        deadline: Option<Deadline>,
        steps: &Steps,
    ) -> Self {
        let mut report = probe.report.clone();
        if let (true, Some(deadline), Some(reason)) = (probe.is_unfinished, deadline, &mut report.reason) {
            reason.message.push_str(&format!("; no more was known after {}", deadline.text()));
        }
        Self::of(server, report, probe.elapsed, steps)
    }

    /// The row of a server whose status is `report`.
    pub(crate) fn new(
        description: Description,
        report: StatusReport<PrintedStep>,
        auth: AuthRow,
        elapsed: Duration,
    ) -> Self {
        Self {
            name: description.name,
            scope: description.scope,
            source: description.source,
            transport: description.transport,
            url: description.url,
            command: description.command,
            status: Some(report.status),
            changed: report.reason.as_ref().is_some_and(|r| r.code == ReasonCode::ChangedSinceApproval),
            declined: report.reason.as_ref().is_some_and(|r| r.code == ReasonCode::Declined),
            blocked: report.reason.as_ref().is_some_and(|r| r.code == ReasonCode::Policy),
            disabled: false,
            is_off: report.status == ServerStatus::Disabled && report.reason.is_none(),
            reason: Some(report.reason),
            auth: AuthRow { account: description.account, ..auth },
            actions: report.actions,
            server: report.server,
            protocol_version: report.protocol_version,
            tools: report.tools,
            tool_policy: Vec::new(),
            unmatched_tools: report.unmatched_tools,
            elapsed_ms: Some(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)),
            sessions: Vec::new(),
            reconnected: None,
            hosts: Vec::new(),
            kept: None,
        }
    }

    /// The same row as `list` shows it: nothing that only a connection could tell.
    #[must_use]
    pub(crate) fn for_list(self) -> Self {
        Self { disabled: self.is_off, status: None, reason: None, elapsed_ms: None, ..self }
    }

    /// The same row as `reconnect` shows it.
    #[must_use]
    pub(crate) fn for_reconnect(self, reconnected: Vec<ReconnectOutcome>) -> Self {
        Self { reconnected: Some(reconnected), ..self }
    }

    /// The same row with the live sessions of the server.
    #[must_use]
    pub(crate) fn with_sessions(self, sessions: Vec<Session>) -> Self {
        Self { sessions, ..self }
    }

    /// The same row with where hosts have the server.
    #[must_use]
    pub(crate) fn with_hosts(self, hosts: Vec<HostPlace>) -> Self {
        Self { hosts, ..self }
    }

    /// Of an entry that no file has: no command finds it by its name.
    pub(crate) fn of_no_file(mut self) -> Self {
        if let Some(Some(reason)) = &mut self.reason {
            reason.next = None;
        }
        self
    }

    /// The reason beside the status, where there is one.
    pub(crate) fn reason(&self) -> Option<&Reason<PrintedStep>> {
        self.reason.as_ref().and_then(Option::as_ref)
    }
}

impl AuthRow {
    /// Whether a person is signed in, as whom and until when, where a sign-in is possible.
    pub(crate) fn sign_in(&self) -> Option<String> {
        let until = self.expires_at.as_ref().map(|until| format!(", token until {until}"));
        let account = self.account.as_ref().map(|account| format!(", account {account}"));
        let word = match &self.sign_in_unknown {
            Some(why) => format!("not known: {why}"),
            None if self.signed_in => "yes".to_owned(),
            None => "no".to_owned(),
        };
        let more = account.unwrap_or_default() + &until.unwrap_or_default();
        let is_told = self.oauth_capable || self.signed_in || self.sign_in_unknown.is_some();
        is_told.then(|| format!("{word}{more}"))
    }

    /// The row of a chain of which `snapshot` tells.
    pub(crate) fn new(
        chain: Vec<String>,
        snapshot: &mcp_auth::provider::ProviderSnapshot,
        oauth_capable: bool,
    ) -> Self {
        Self {
            chain,
            oauth_capable,
            signed_in: snapshot.signed_in,
            sign_in_unknown: snapshot.sign_in_unknown.clone(),
            account: None,
            expires_at: snapshot.expires_at.map(rfc3339),
            last_helper_run: snapshot.last_fetch.as_ref().map(|fetch| HelperRun {
                duration_ms: u64::try_from(fetch.duration.as_millis()).unwrap_or(u64::MAX),
                exit_code: fetch.exit_code,
            }),
        }
    }
}

/// A document with servers in it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Servers<'a> {
    schema_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    checked_at: Option<String>,
    servers: &'a [Row],
    /// Entries that are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointers: Option<&'a [PointerRow]>,
    problems: &'a [ProblemRow],
    /// What live sessions did that are of no server here.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    others: &'a [ReconnectOutcome],
    /// Live sessions that do not say of which server they are.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    silent: &'a [SilentSession],
}

impl<'a> Servers<'a> {
    /// The document; `checked_at` is left out where nothing was checked.
    pub(crate) fn new(
        checked_at: Option<SystemTime>,
        servers: &'a [Row],
        problems: &'a [ProblemRow],
    ) -> Self {
        Self {
            schema_version: 1,
            checked_at: checked_at.map(rfc3339),
            servers,
            pointers: None,
            problems,
            others: &[],
            silent: &[],
        }
    }

    /// With live sessions that are of no server here.
    #[must_use]
    pub(crate) fn with_others(self, others: &'a [ReconnectOutcome]) -> Self {
        Self { others, ..self }
    }

    /// With live sessions that do not answer.
    #[must_use]
    pub(crate) fn with_silent(self, silent: &'a [SilentSession]) -> Self {
        Self { silent, ..self }
    }

    /// With the entries that are no servers.
    #[must_use]
    pub(crate) fn with_pointers(self, pointers: &'a [PointerRow]) -> Self {
        Self { pointers: Some(pointers), ..self }
    }

    /// The same where there are any: the documents about what was checked have no such member otherwise.
    #[must_use]
    pub(crate) fn with_any_pointers(self, pointers: &'a [PointerRow]) -> Self {
        Self { pointers: Some(pointers).filter(|pointers| !pointers.is_empty()), ..self }
    }
}

/// An entry that is how a host reaches a server, and no server.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PointerRow {
    pub(crate) name: String,
    /// The name of the server.
    pub(crate) target: String,
    pub(crate) scope: &'static str,
    pub(crate) source: String,
    pub(crate) line: usize,
    pub(crate) field: String,
    pub(crate) command: Option<String>,
}

impl From<&Pointer> for PointerRow {
    fn from(pointer: &Pointer) -> Self {
        let entry = &pointer.entry;
        Self {
            name: entry.name.clone(),
            target: pointer.target().to_owned(),
            scope: entry.scope.as_str(),
            source: entry.origin.place.to_string(),
            line: entry.origin.line,
            field: entry.origin.field.clone(),
            command: entry.display_endpoint(),
        }
    }
}

/// A problem of a configuration file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProblemRow {
    pub(crate) severity: &'static str,
    pub(crate) file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<usize>,
    pub(crate) field: Option<String>,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}
