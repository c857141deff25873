//! What is shown about one server: the status, the reason beside it, and what a person can do.

use std::fmt;
use std::time::Duration;

use mcp_text::sentence;
use serde::Serialize;

use crate::phrase::seconds;
use crate::refusal::was_refused;
use crate::{
    Action, ActionFacts, Evidence, MessageContext, NextStep, Outcome, Phase, ReasonCode, ServerStatus,
    actions, classify, message, next_step,
};

/// Why a status is what it is.
///
/// `N` is what to do next: a [`NextStep`], or what the program that shows it [makes of one](StatusReport::worded). Only that can
/// be serialised.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Reason<N = NextStep> {
    /// The stable code.
    pub code: ReasonCode,
    /// What was seen, as a lowercase fragment. Holds no secret and no advice.
    pub message: String,
    /// The HTTP status that decided it.
    pub http_status: Option<u16>,
    /// Before or after the first handshake; `None` where nothing was sent.
    pub phase: Option<Phase>,
    /// The provider whose credentials were refused, or that failed.
    pub provider: Option<String>,
    /// How many requests decided it, the first included; 0 where nothing was sent.
    pub attempts: u32,
    /// Whether it may pass without a person.
    pub retryable: bool,
    /// What to do next.
    pub next: Option<N>,
}

/// The provider whose credentials were refused, or that failed: none where nothing was sent that could be refused.
fn acting_provider(evidence: &Evidence) -> Option<String> {
    let is_of_none = was_refused(&evidence.outcome) && !evidence.auth.sent;
    evidence.auth.provider.clone().filter(|_| !is_of_none)
}

impl Reason {
    /// What `evidence` gives a reason for; `None` when it says that all is well.
    pub fn from_evidence(evidence: &Evidence, context: &MessageContext<'_>) -> Option<Self> {
        let verdict = classify(evidence);
        Some(Self {
            code: verdict.code()?,
            message: message(evidence, context),
            http_status: evidence.outcome.http_status(),
            phase: Some(evidence.phase),
            provider: acting_provider(evidence),
            attempts: evidence.attempts,
            retryable: verdict.is_retryable() && !evidence.unknown_host,
            next: None,
        })
    }

    /// An attempt is under way: the first, or the one with this number. How many requests failed so far is counted in
    /// [`attempts`](Self::attempts) alone: what wakes a session asks as well, between its attempts.
    pub fn connecting(attempt: u32) -> Self {
        let text = if attempt <= 1 { "connecting" } else { "connecting again" };
        Self::unseen(ReasonCode::Connecting, text.to_owned(), true)
    }

    /// The same with what the attempt before it saw, which stands until this one has seen something.
    pub fn connecting_after(attempt: u32, evidence: &Evidence, context: &MessageContext<'_>) -> Self {
        let connecting = Self::connecting(attempt);
        if classify(evidence).code().is_none() {
            return connecting;
        }
        Self {
            message: format!("{}, after: {}", connecting.message, message(evidence, context)),
            http_status: evidence.outcome.http_status(),
            phase: Some(evidence.phase),
            provider: acting_provider(evidence),
            attempts: evidence.attempts,
            ..connecting
        }
    }

    /// A process has been starting for `elapsed`; `said` is what it printed last.
    pub fn starting(elapsed: Duration, said: Option<&str>) -> Self {
        let began = format!("starting for {}", seconds(elapsed));
        let text = match said.map(sentence).filter(|said| !said.is_empty()) {
            Some(said) => format!("{began}: {said}"),
            None => began,
        };
        Self { phase: Some(Phase::Connect), ..Self::unseen(ReasonCode::Connecting, text, true) }
    }

    /// Waiting for `delay` before the next attempt, because of `evidence`.
    pub fn retrying(delay: Option<Duration>, evidence: &Evidence, context: &MessageContext<'_>) -> Self {
        let wait = delay.map_or_else(|| "waiting".to_owned(), |delay| format!("waiting {}", seconds(delay)));
        let text = format!("{wait} before the next attempt: {}", message(evidence, context));
        Self {
            http_status: evidence.outcome.http_status(),
            phase: Some(evidence.phase),
            provider: acting_provider(evidence),
            attempts: evidence.attempts,
            ..Self::unseen(ReasonCode::Retrying, text, true)
        }
    }

    /// A project file brought the entry along, and it is not approved yet.
    pub fn awaiting_approval() -> Self {
        let text = "a project file brought this server along, and it is not approved yet".to_owned();
        Self::unseen(ReasonCode::AwaitingApproval, text, false)
    }

    /// Its name was approved, and what it says could not be kept; `detail` says why.
    pub fn approval_not_kept(detail: &str) -> Self {
        Self::unseen(ReasonCode::AwaitingApproval, mcp_text::sentence(detail), false)
    }

    /// The entry is not what a person approved; `detail` says where it was approved and what is different.
    pub fn changed_since_approval(detail: &str) -> Self {
        Self::unseen(ReasonCode::ChangedSinceApproval, mcp_text::sentence(detail), false)
    }

    /// A person rejected the entry; `detail` says where.
    pub fn declined(detail: &str) -> Self {
        Self::unseen(ReasonCode::Declined, mcp_text::sentence(detail), false)
    }

    /// It refers to secrets that are not read because its folder is not trusted.
    pub fn secrets_untrusted() -> Self {
        let text =
            "it refers to secrets of yours, which are not read because its folder is not trusted".to_owned();
        Self::unseen(ReasonCode::HelperUntrusted, text, false)
    }

    /// The entry has an empty URL.
    pub fn not_configured() -> Self {
        Self::unseen(ReasonCode::NotConfigured, "the entry has an empty url".to_owned(), false)
    }

    /// The entry cannot be used; `problem` names the file and the field.
    pub fn config(problem: &str) -> Self {
        Self::unseen(ReasonCode::Config, sentence(problem), false)
    }

    /// The entry leads back to itself, or is not a server but a way to one; `how` names the loop, or the place.
    pub fn self_reference(how: &str) -> Self {
        Self::unseen(ReasonCode::SelfReference, mcp_text::sentence(how), false)
    }

    /// A list forbids the entry; `detail` names it and its place, and `step` says who can change that.
    pub fn policy(detail: &str, step: NextStep) -> Self {
        Self::unseen(ReasonCode::Policy, mcp_text::sentence(detail), false).with_next(Some(step))
    }

    /// With what to do next.
    #[must_use]
    pub fn with_next(mut self, next: Option<NextStep>) -> Self {
        self.next = next;
        self
    }

    /// The same, with what `words` make of the next step.
    pub fn worded<N>(self, words: impl FnOnce(&NextStep) -> Option<N>) -> Reason<N> {
        let Self { code, message, http_status, phase, provider, attempts, retryable, next } = self;
        let next = next.as_ref().and_then(words);
        Reason { code, message, http_status, phase, provider, attempts, retryable, next }
    }

    fn unseen(code: ReasonCode, message: String, retryable: bool) -> Self {
        Self {
            code,
            message,
            http_status: None,
            phase: None,
            provider: None,
            attempts: 0,
            retryable,
            next: None,
        }
    }
}

/// What a server says it is, in its handshake.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ServerInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl ServerInfo {
    /// A server with this name and version.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into() }
    }
}

/// For people: on one line, and neither longer than a cell of a table, whatever a server says.
impl fmt::Display for ServerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const COLUMNS: usize = 60;
        let [name, version] = [&self.name, &self.version].map(|text| mcp_text::line(text, COLUMNS));
        let blank = if name.is_empty() || version.is_empty() { "" } else { " " };
        write!(f, "{name}{blank}{version}")
    }
}

/// What is shown about one server. Output only, like the status in it:
///
/// ```compile_fail
/// let _: mcp_status::StatusReport = serde_json::from_str("{}").unwrap();
/// ```
///
/// A report whose next step is [in the words of a program](Self::worded) can be serialised.
///
/// # Examples
///
/// ```
/// use mcp_status::{
///     ActionFacts, Evidence, MessageContext, Outcome, Phase, ServerStatus, StatusReport, TransportKind,
/// };
///
/// let evidence = Evidence::new(Phase::Connect, Outcome::Connected { tools: Some(3) });
/// let facts = ActionFacts::new(TransportKind::Remote);
/// let report = StatusReport::from_evidence(&evidence, &MessageContext::new("web"), facts);
/// assert_eq!((report.name.as_str(), report.status), ("web", ServerStatus::Connected));
/// ```
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StatusReport<N = NextStep> {
    /// The name of the server entry.
    pub name: String,
    /// The one truthful status.
    pub status: ServerStatus,
    /// Why; `None` when connected cleanly or switched off.
    pub reason: Option<Reason<N>>,
    /// What a person can do, the most useful first.
    pub actions: Vec<Action>,
    /// What the server says it is, when connected.
    pub server: Option<ServerInfo>,
    /// The protocol version in use, when connected.
    pub protocol_version: Option<String>,
    /// How many tools the server lists, when connected.
    pub tools: Option<usize>,
    /// What the entry says of tools that the server does not have, when connected: each a sentence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmatched_tools: Vec<String>,
}

impl StatusReport {
    /// The report on evidence. `facts` supplies what is configured; its status and code are set from the evidence.
    pub fn from_evidence(evidence: &Evidence, context: &MessageContext<'_>, facts: ActionFacts) -> Self {
        let reason = Reason::from_evidence(evidence, context);
        let tools = match evidence.outcome {
            Outcome::Connected { tools } => tools,
            _ => None,
        };
        let unmatched_tools = evidence.unmatched_tools.clone();
        let report = Self::build(context, classify(evidence).status(), reason, facts, Some(evidence));
        Self { tools, unmatched_tools, ..report }
    }

    /// The report on a reason that was derived from `evidence` and tells more, such as how long is waited.
    pub fn from_reason_of(
        reason: Reason,
        evidence: &Evidence,
        context: &MessageContext<'_>,
        facts: ActionFacts,
    ) -> Self {
        Self::build(context, reason.code.status(), Some(reason), facts, Some(evidence))
    }

    /// The report on a reason for which nothing was sent, or not yet.
    pub fn from_reason(reason: Reason, context: &MessageContext<'_>, facts: ActionFacts) -> Self {
        Self::build(context, reason.code.status(), Some(reason), facts, None)
    }

    /// The report on a server that is switched off.
    pub fn disabled(context: &MessageContext<'_>, facts: ActionFacts) -> Self {
        Self::build(context, ServerStatus::Disabled, None, facts, None)
    }

    /// With what the server said in its handshake. Kept only while connected.
    #[must_use]
    pub fn with_server(mut self, server: Option<ServerInfo>, protocol_version: Option<String>) -> Self {
        if self.status == ServerStatus::Connected {
            self.server = server;
            self.protocol_version = protocol_version;
        }
        self
    }

    /// The same in the words of the program that shows it: `words` say what it makes of the next step.
    pub fn worded<N>(self, words: impl FnOnce(&NextStep) -> Option<N>) -> StatusReport<N> {
        let Self { name, status, reason, actions, server, protocol_version, tools, unmatched_tools } = self;
        let reason = reason.map(|reason| reason.worded(words));
        StatusReport { name, status, reason, actions, server, protocol_version, tools, unmatched_tools }
    }

    fn build(
        context: &MessageContext<'_>,
        status: ServerStatus,
        reason: Option<Reason>,
        facts: ActionFacts,
        evidence: Option<&Evidence>,
    ) -> Self {
        let facts = facts.with_status(status, reason.as_ref().map(|reason| reason.code));
        Self {
            name: context.server.to_owned(),
            status,
            // A reason that came with its step knows better than the facts do.
            reason: reason.map(|mut reason| {
                let own = reason.next.take();
                reason.with_next(own.or_else(|| next_step(&facts, evidence)))
            }),
            actions: actions(&facts),
            server: None,
            protocol_version: None,
            tools: None,
            unmatched_tools: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::{AuthFacts, ChallengeKind, EntryPart, TransportKind};

    const CONTEXT: MessageContext<'static> =
        MessageContext { server: "internal", origin: Some("https://internal.example.com"), endpoint: None };

    /// In the words of some program.
    fn shown(report: StatusReport) -> serde_json::Value {
        serde_json::to_value(report.worded(|step| Some(format!("acme {step}")))).unwrap()
    }

    fn facts() -> ActionFacts {
        ActionFacts::new(TransportKind::Remote)
    }

    #[test]
    fn fh_h13_a_server_calls_itself_no_more_than_two_cells() {
        let called = |name: &str, version: &str| ServerInfo::new(name, version).to_string();
        assert_eq!(called("wiki", "1.0"), "wiki 1.0");
        assert_eq!((called("wiki", ""), called("", "1.0")), ("wiki".to_owned(), "1.0".to_owned()));
        for long in ["1".repeat(500), "日".repeat(500), "\u{1b}[2J\n".repeat(500)] {
            let shown = called(&long, &long);
            assert!(mcp_text::width(&shown) <= 121 && !shown.contains('\u{1b}'), "{shown:?}");
        }
    }

    #[test]
    fn f003_a_helper_refused_twice_is_reported_with_its_http_status() {
        let auth = AuthFacts::new(true, Some("minter".into()))
            .with_supplied_by(Some(crate::CredentialOrigin::Command));
        let challenged = Outcome::Challenged { kind: ChallengeKind::Unauthorized, http_status: 401 };
        let evidence = Evidence::new(Phase::Connect, challenged).with_auth(auth).with_attempts(2);
        let report = StatusReport::from_evidence(&evidence, &CONTEXT, facts().with_configured(true, true));
        let expected = serde_json::json!({
            "name": "internal",
            "status": "needs-auth",
            "reason": {
                "code": "credentials-rejected",
                "message": "the server refused the headers that minter returned, twice (401)",
                "httpStatus": 401,
                "phase": "connect",
                "provider": "minter",
                "attempts": 2,
                "retryable": false,
                "next": "acme connect again"
            },
            "actions": ["reconnect", "disable"],
            "server": null,
            "protocolVersion": null,
            "tools": null
        });
        assert_eq!(shown(report), expected);
        // Of what was sent without credentials, no provider has any part in the refusal.
        let none = evidence.clone().with_auth(AuthFacts::new(false, Some("oauth".into())));
        let report = StatusReport::from_evidence(&none, &CONTEXT, facts());
        assert_eq!(report.reason.unwrap().provider, None);
    }

    #[test]
    fn a_clean_connection_has_no_reason_and_tells_what_the_server_is() {
        let evidence = Evidence::new(Phase::Connect, Outcome::Connected { tools: Some(3) });
        let report = StatusReport::from_evidence(&evidence, &CONTEXT, facts())
            .with_server(Some(ServerInfo::new("fake", "1.0")), Some("2026-07-28".into()));
        let expected = serde_json::json!({
            "name": "internal", "status": "connected", "reason": null, "actions": ["reconnect", "disable"],
            "server": {"name": "fake", "version": "1.0"}, "protocolVersion": "2026-07-28", "tools": 3
        });
        assert_eq!(shown(report), expected);
    }

    #[test]
    fn a_server_that_is_not_connected_shows_no_handshake_of_the_past() {
        let report =
            StatusReport::from_evidence(&Evidence::new(Phase::Session, Outcome::Timeout), &CONTEXT, facts())
                .with_server(Some(ServerInfo::new("fake", "1.0")), Some("2026-07-28".into()));
        assert_eq!((report.server, report.protocol_version), (None, None));
    }

    #[test]
    fn f051_a_disabled_server_is_its_own_state_and_offers_to_enable() {
        let report = StatusReport::disabled(&CONTEXT, facts());
        assert_eq!((report.status, report.reason), (ServerStatus::Disabled, None));
        assert_eq!(report.actions, [Action::Enable]);
    }

    #[test]
    fn f052_an_empty_url_is_not_configured_rather_than_failed() {
        let report = StatusReport::from_reason(Reason::not_configured(), &CONTEXT, facts());
        assert_eq!(report.status, ServerStatus::Disabled);
        assert_eq!(report.actions, [Action::EditConfig]);
    }

    #[test]
    fn f056_every_reason_that_evidence_gives_has_words() {
        let failing = [
            Outcome::CredentialSourceFailed,
            Outcome::Http { status: 503, retry_after: None },
            Outcome::Http { status: 404, retry_after: None },
            Outcome::Unreachable,
            Outcome::Timeout,
            Outcome::Tls,
            Outcome::AuthorizationServerTls,
            Outcome::Protocol { rpc_code: Some(-32602) },
            Outcome::Exited { code: Some(3), signal: None },
        ];
        for outcome in failing {
            let evidence = Evidence::new(Phase::Connect, outcome).with_detail("what was said");
            let reason = Reason::from_evidence(&evidence, &CONTEXT).unwrap();
            assert!(reason.message.ends_with(" what was said"), "{}", reason.message);
            assert!(reason.message.starts_with(|c: char| c.is_lowercase()), "{}", reason.message);
        }
    }

    #[test]
    fn waiting_says_for_how_long_and_why() {
        let evidence = Evidence::new(Phase::Connect, Outcome::Http { status: 503, retry_after: None });
        let reason = Reason::retrying(Some(Duration::from_secs(2)), &evidence, &CONTEXT);
        assert_eq!(reason.message, "waiting 2 s before the next attempt: the server is unavailable (503)");
        assert_eq!((reason.code, reason.http_status), (ReasonCode::Retrying, Some(503)));
        let report = StatusReport::from_reason(reason, &CONTEXT, facts());
        assert_eq!(report.status, ServerStatus::Pending);
        assert_eq!(Reason::connecting(1).message, "connecting");
        assert_eq!(Reason::connecting(2).message, "connecting again");
        let seen = Evidence::new(Phase::Connect, Outcome::Http { status: 503, retry_after: None });
        let after = Reason::connecting_after(2, &seen, &MessageContext::new("x"));
        assert!(
            after.message.starts_with("connecting again, after: ") && after.message.contains("503"),
            "{after:?}"
        );
        let connected = Evidence::new(Phase::Connect, Outcome::Connected { tools: None });
        assert_eq!(
            Reason::connecting_after(2, &connected, &MessageContext::new("x")).message,
            "connecting again"
        );
        let starting = |said| Reason::starting(Duration::from_secs(5), said).message;
        assert_eq!(starting(None), "starting for 5 s");
        assert_eq!(starting(Some("Downloading\u{1b}[0m x")), "starting for 5 s: Downloading x");
    }

    #[test]
    fn reasons_without_evidence_lead_to_the_right_step() {
        let table = [
            (Reason::awaiting_approval(), ServerStatus::Pending, NextStep::Approve),
            (
                Reason::not_configured(),
                ServerStatus::Disabled,
                NextStep::ChangeEntry { part: crate::EntryPart::Url },
            ),
            (
                Reason::config(".mcp.json: url is missing"),
                ServerStatus::Failed,
                NextStep::ChangeEntry { part: EntryPart::Named },
            ),
        ];
        for (reason, status, next) in table {
            let report = StatusReport::from_reason(reason, &CONTEXT, facts());
            assert_eq!(report.status, status);
            assert_eq!(report.reason.unwrap().next, Some(next));
        }
    }
}
