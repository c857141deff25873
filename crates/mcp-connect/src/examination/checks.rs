//! From what was found to the checks and the cause: a pure function.

mod grant;
mod sign_in;
mod way;

use std::time::{Duration, SystemTime};

use mcp_auth::oauth::store::{SecretPlace, SignInRecord};
use mcp_auth::plan::{ProviderKind, ProviderRole};
use mcp_config::entry::Approval;
use mcp_config::explain::Explanation;
use mcp_config::{Gate, ServerEntry, Severity};
use mcp_status::{EntryPart, NextStep, Reason, ReasonCode, ServerStatus};
use mcp_text::elapsed;
use mcp_transport::connect::Reach;
use mcp_transport::evidence::sign_in_remedy;
use mcp_transport::exchange::{Exchange, ExchangeOutcome};
use mcp_transport::stdio::SideOutput;

use super::check::{Check, CheckState, CheckTopic};
use super::referred::ReferredSecret;
use super::{Cause, SignInOutlook};
use crate::{ConfiguredServer, Probe};

/// From when on the way to a connected server is told to be slow: hosts give up after 30 s or 60 s.
const SLOW: Duration = Duration::from_secs(20);
/// What is shown of a line that a server prints and that is not a message, in columns.
const STRAY: usize = 100;

/// All that was found out about one server.
pub(super) struct Findings<'a> {
    pub(super) server: &'a ConfiguredServer,
    pub(super) entry: &'a ServerEntry,
    pub(super) explanation: Option<&'a Explanation>,
    pub(super) probe: &'a Probe,
    pub(super) secrets: &'a [ReferredSecret],
    pub(super) reach: Option<&'a Reach>,
    pub(super) exchanges: &'a [Exchange],
    pub(super) sign_in: Option<&'a SignInOutlook>,
    /// What a local server prints that works.
    pub(super) strayed: Option<&'a SideOutput>,
    /// TLS is spoken where its URL says that it is not.
    pub(super) speaks_tls: bool,
    /// The sign-ins of this server that are kept, and the files of the store that cannot be read.
    pub(super) kept: &'a [SignInRecord],
    pub(super) unreadable: &'a [String],
    pub(super) now: SystemTime,
}

impl Findings<'_> {
    /// Each part that was looked at.
    pub(super) fn checks(&self) -> Vec<Check> {
        let mut checks = vec![self.configuration(), self.trust()];
        if self.server.state.is_err() {
            return checks;
        }
        checks.extend(self.secrets.iter().map(|secret| secret.check(self.credentials_failure())));
        if self.server.is_stdio() {
            checks.push(self.process());
        } else {
            checks.extend(self.helper());
            checks.extend(self.grant());
            checks.push(self.credentials());
            if let Some(reach) = self.reach {
                checks.extend([self.proxy(reach), self.dns(reach)]);
                checks.extend(self.tcp(reach));
            }
            checks.extend(self.tls());
            checks.push(self.answer());
            checks.extend(self.clock());
            checks.extend(self.sign_in());
        }
        checks.push(self.handshake());
        checks.push(self.tools());
        checks
    }

    /// The one cause, where there is one.
    pub(super) fn cause(&self, checks: &[Check]) -> Option<Cause> {
        use CheckTopic as Of;
        let at = |topic| checks.iter().position(|check| check.topic == topic);
        if let (None, true) = (self.reason(), self.server.is_switched_off()) {
            let message = self.entry.gate_detail().unwrap_or_else(|| "it is switched off".to_owned());
            return Some(Cause { check: at(CheckTopic::Trust), message, next: None });
        }
        let reason = self.reason()?;
        let topic = self.blamed()?;
        if self.speaks_tls {
            let message = self.tls_is_spoken();
            return Some(Cause {
                check: at(topic),
                message,
                next: Some(NextStep::ChangeEntry { part: EntryPart::Url }),
            });
        }
        if let (Of::Tcp, Some(beside)) = (topic, self.listens_beside()) {
            let message = format!("{}; something listens at {beside}: write that in its url", reason.message);
            return Some(Cause {
                check: at(topic),
                message,
                next: Some(NextStep::ChangeEntry { part: EntryPart::Url }),
            });
        }
        if let Some(clock) = self.clock_to_blame() {
            let status = reason.http_status.map_or_else(String::new, |status| format!(" ({status})"));
            let message = format!("{clock}; what was sent was refused{status}");
            return Some(Cause { check: at(Of::Clock), message, next: Some(NextStep::Reconnect) });
        }
        let bad = checks.iter().position(|check| check.topic == topic && check.state == CheckState::Bad);
        let check = bad
            .or_else(|| at(topic))
            .or_else(|| checks.iter().position(|check| check.state == CheckState::Bad));
        let message = match self.clock_beside() {
            Some(clock) => format!("{}; {clock}", reason.message),
            None => reason.message.clone(),
        };
        let cause = Cause { check, message, next: reason.next.clone() };
        let is_hindered = self.server.snapshot().login_hindrance.is_some();
        if !is_hindered && !matches!(reason.next, Some(NextStep::SignIn { .. })) {
            return Some(cause);
        }
        // What would be next may be known not to begin.
        if let Some(hindrance) = self.sign_in.and_then(|sign_in| sign_in.hindrance.as_ref()) {
            let broken = |topic: CheckTopic| {
                checks.iter().position(|check| check.topic == topic && check.state == CheckState::Bad)
            };
            return Some(Cause {
                check: [Of::ResourceMetadata, Of::AuthorizationServer, Of::Registration]
                    .into_iter()
                    .find_map(broken)
                    .or(check),
                message: format!(
                    "no sign-in can begin, and the server wants one: {}",
                    self.hidden(&hindrance.message)
                ),
                next: Some(NextStep::from(&sign_in_remedy(&hindrance.remedy))),
            });
        }
        match self.sign_in.map(|sign_in| &sign_in.found) {
            Some(Ok(discovery)) if self.is_without_credentials() => {
                let status = reason.http_status.map_or_else(String::new, |status| format!(" ({status})"));
                let message = format!("the server wants a sign-in at {}{status}", discovery.issuer);
                Some(Cause { message, ..cause })
            }
            _ => Some(cause),
        }
    }

    /// Whether nothing went along that proves something, and the server asks for it.
    fn is_without_credentials(&self) -> bool {
        self.reason().is_some_and(|reason| reason.code == ReasonCode::Unauthorized)
            && self.exchanges.iter().all(|exchange| exchange.credentials.is_empty())
    }

    fn reason(&self) -> Option<&Reason> {
        self.probe.report.reason.as_ref()
    }

    /// The part of the way that the reason is about.
    fn blamed(&self) -> Option<CheckTopic> {
        use CheckTopic as Of;
        use ReasonCode as Is;
        let reason = self.reason()?;
        Some(match reason.code {
            Is::NoTools if reason.next.is_some() => Of::Tools,
            Is::NoTools => return None,
            Is::ToolsUnavailable | Is::ToolsUnapproved => Of::Tools,
            Is::AwaitingApproval | Is::ChangedSinceApproval | Is::Declined => Of::Trust,
            Is::HelperUntrusted | Is::WithoutHelper => Of::Trust,
            Is::CredentialsFailed | Is::HelperFailed
                if self.secrets.iter().any(|secret| secret.is_blamed(&reason.message)) =>
            {
                Of::Secret
            }
            Is::HelperFailed | Is::CredentialsFailed if self.is_unattended() => Of::GrantRun,
            // The entry itself can be used, so it is who was asked that refused it.
            Is::Config if self.server.state.is_ok() && self.is_unattended() => Of::GrantRun,
            Is::HelperFailed => Of::HelperRun,
            Is::Connecting if self.server.awaits_helper() => Of::HelperRun,
            Is::CredentialsFailed if self.for_tokens().next().is_some() => Of::Refresh,
            // The server was not asked: what keeps the sign-in did not answer.
            Is::Unavailable if self.unreadable.iter().any(|why| reason.message.contains(why)) => Of::Store,
            Is::CredentialsFailed if !self.unreadable.is_empty() => Of::Store,
            Is::CredentialsFailed if self.is_in_keyring() => Of::Keyring,
            Is::CredentialsFailed => Of::Credentials,
            Is::SignInExpired if self.for_tokens().next().is_some() => Of::Refresh,
            // A plug-in says so of a sign-in of its own.
            Is::SignInExpired if self.is_unattended() => Of::GrantRun,
            Is::SignInExpired | Is::WrongAccount => Of::Token,
            // Not the server's, but that of who issues its tokens.
            Is::Tls if self.lacks_tokens() && self.is_unattended() => Of::GrantRun,
            Is::Tls if self.lacks_tokens() => Of::Refresh,
            Is::Tls => Of::Tls,
            _ if self.speaks_tls => Of::Tls,
            // The proxy said that, and not the server.
            Is::Rejected if self.is_kept_by_proxy() => Of::Proxy,
            Is::Spawn | Is::Exited => Of::Process,
            Is::Timeout if self.server.is_stdio() => Of::Process,
            Is::Protocol | Is::Version => Of::Handshake,
            Is::Unreachable | Is::Timeout | Is::ProxyAuth => self.blamed_on_the_way(),
            Is::Config | Is::NotConfigured | Is::SelfReference | Is::Policy => Of::Configuration,
            _ if self.server.state.is_err() => Of::Configuration,
            _ => Of::Answer,
        })
    }

    /// Whether `auth` of the entry says where credentials come from.
    fn is_unattended(&self) -> bool {
        self.server.auth.as_ref().is_some_and(|auth| auth.plan.settings().unattended.is_some())
    }

    fn is_in_keyring(&self) -> bool {
        self.kept.iter().any(|record| record.place == SecretPlace::Keyring)
    }

    /// Whether the server was not asked, or has answered, and who issues its tokens has not.
    fn lacks_tokens(&self) -> bool {
        let is_silent = |asked: &Exchange| matches!(asked.outcome, ExchangeOutcome::NoAnswer { .. });
        let last = self.exchanges.iter().rfind(|exchange| exchange.asks.is_some());
        !last.is_some_and(is_silent) && self.on_the_way().any(is_silent)
    }

    /// Whether a proxy is on the way, and no answer of the server came by it.
    fn is_kept_by_proxy(&self) -> bool {
        let last = self.exchanges.iter().rfind(|exchange| exchange.asks.is_some());
        let unanswered = last.is_some_and(|last| matches!(last.outcome, ExchangeOutcome::NoAnswer { .. }));
        unanswered && self.reach.is_some_and(|reach| reach.proxy.is_some())
    }

    /// The first part of the way that does not lead on.
    fn blamed_on_the_way(&self) -> CheckTopic {
        match self.reach {
            Some(reach) if reach.addresses.is_err() => CheckTopic::Dns,
            Some(reach) if reach.connected.as_ref().is_some_and(Result::is_err) => CheckTopic::Tcp,
            // It is there, and does not let it through.
            Some(reach) if reach.proxy.is_some() => CheckTopic::Proxy,
            // The way is open, so it is what is at its end.
            _ => CheckTopic::Answer,
        }
    }

    /// What the reason says, where it is about this part.
    fn blames(&self, topic: CheckTopic) -> Option<&str> {
        (self.blamed()? == topic).then(|| self.reason().map(|reason| &*reason.message))?
    }

    /// What the attempt says of credentials that could not be obtained.
    fn credentials_failure(&self) -> Option<&str> {
        let is_one = |reason: &&Reason| {
            matches!(reason.code, ReasonCode::CredentialsFailed | ReasonCode::HelperFailed)
        };
        self.reason().filter(is_one).map(|reason| &*reason.message)
    }

    fn hidden(&self, text: &str) -> String {
        self.server.secrets.hide_known(text).into_owned()
    }

    fn configuration(&self) -> Check {
        let topic = CheckTopic::Configuration;
        let shown = match (&self.server.auth, &self.server.description.command) {
            (Some(auth), _) => {
                let in_role = |role| auth.plan.links().iter().find(|link| link.role == role);
                match in_role(ProviderRole::Authority).map(|link| &link.provider) {
                    Some(ProviderKind::StaticHeaders) if auth.plan.settings().authorization_of_url => {
                        "user and password of its URL are its credentials; no sign-in is used".to_owned()
                    }
                    Some(ProviderKind::StaticHeaders) => {
                        "its headers are its credentials; no sign-in is used".to_owned()
                    }
                    Some(ProviderKind::OAuth) => {
                        let own = match in_role(ProviderRole::Base) {
                            Some(_) => "its headers go along",
                            None => "no credentials of its own",
                        };
                        format!("{own}; a sign-in where the server asks for one")
                    }
                    Some(other) => match auth.plan.role(ProviderKind::OAuth) {
                        Some(ProviderRole::Fallback) => {
                            format!("{} supplies the credentials; a sign-in is its fallback", other.called())
                        }
                        _ => format!("{} supplies the credentials; no sign-in is used", other.called()),
                    },
                    None => "nothing supplies credentials".to_owned(),
                }
            }
            (None, Some(command)) => command.clone(),
            (None, None) => "neither a URL nor a command".to_owned(),
        };
        let mut check = match self.blames(topic) {
            Some(message) => Check::bad(topic, message),
            None => Check::good(topic, shown),
        };
        let Some(explanation) = self.explanation else { return check };
        for note in explanation.notes.iter().filter(|note| note.severity > Severity::Note) {
            let note = self.hidden(&note.to_line());
            if note != check.message {
                check = check.noted(note);
            }
        }
        for other in &explanation.shadowed {
            let endpoint = other.endpoint.as_deref().unwrap_or("no endpoint");
            check = check.with(format!("hides that of {} scope, {}: {endpoint}", other.scope, other.origin));
        }
        check
    }

    fn trust(&self) -> Check {
        let topic = CheckTopic::Trust;
        if let Some(message) = self.blames(topic) {
            // Where the server works without what may not be run, nothing is broken.
            let works = self.probe.report.status == ServerStatus::Connected;
            let state = if works { CheckState::Noted } else { CheckState::Bad };
            return Check::new(topic, state, message);
        }
        match (self.entry.gate(), &self.entry.approval) {
            (Gate::Disabled, _) => Check::skipped(topic, "not looked at: it is switched off"),
            (_, Approval::Approved(place)) => Check::good(topic, format!("approved in {place}")),
            (_, Approval::NotNeeded) if self.entry.origin.place == mcp_config::ConfigSource::Url => {
                Check::good(topic, "you gave its address, which needs none")
            }
            (_, Approval::NotNeeded) => Check::good(topic, "a file of your own needs none"),
            _ if self.entry.is_approved_by_trust() => Check::good(topic, "the folder is trusted"),
            _ => Check::skipped(topic, "not decided"),
        }
    }

    fn helper(&self) -> Vec<Check> {
        let Some(auth) = &self.server.auth else { return Vec::new() };
        let Some(helper) = &auth.plan.settings().helper else { return Vec::new() };
        let mut checks = Vec::new();
        if let Some(program) = helper.program() {
            let name = self.hidden(program);
            checks.push(match helper.program_file() {
                Some(file) => Check::good(CheckTopic::HelperFound, format!("{name} is {}", file.display())),
                // It may be a function, or a word of another shell.
                None => Check::new(
                    CheckTopic::HelperFound,
                    CheckState::Noted,
                    format!("{name} is not a file on the PATH of the helper"),
                ),
            });
        }
        let run = self.server.snapshot().last_fetch;
        let took = run.as_ref().map(|run| {
            let code = run.exit_code.map_or_else(String::new, |code| format!("exit {code} "));
            format!("{code}after {}", elapsed(run.duration))
        });
        checks.push(match (self.blames(CheckTopic::HelperRun), took) {
            (Some(message), took) => {
                let check = Check::bad(CheckTopic::HelperRun, message);
                let check = took.into_iter().fold(check, Check::with);
                match self.reason().and_then(|reason| reason.next.as_ref()) {
                    Some(NextStep::Cure { command }) => {
                        check.with(format!("it says itself what it needs: {command}"))
                    }
                    _ => check,
                }
            }
            (None, Some(took)) => Check::good(CheckTopic::HelperRun, took),
            (None, None) => Check::skipped(CheckTopic::HelperRun, "did not run"),
        });
        checks
    }

    fn process(&self) -> Check {
        let topic = CheckTopic::Process;
        match self.blames(topic) {
            Some(message) => Check::bad(topic, message),
            None => match self.strayed {
                Some(strayed) => Check::good(topic, "started").noted(self.hidden(&stray(strayed))),
                None => Check::good(topic, "started"),
            },
        }
    }

    fn handshake(&self) -> Check {
        let topic = CheckTopic::Handshake;
        if let Some(message) = self.blames(topic) {
            return Check::bad(topic, message);
        }
        let report = &self.probe.report;
        let Some(version) = &report.protocol_version else { return Check::skipped(topic, "not reached") };
        let server = report.server.as_ref().map(|info| format!(", {info}"));
        let shown = format!("MCP {version}{}", server.unwrap_or_default());
        let check = Check::good(topic, format!("{shown}, within {}", elapsed(self.probe.elapsed)));
        paced(check, self.probe.elapsed)
    }

    fn tools(&self) -> Check {
        let topic = CheckTopic::Tools;
        let unmatched = &self.probe.report.unmatched_tools;
        match (self.blames(topic), self.probe.report.tools) {
            (Some(message), _) => unmatched.iter().fold(Check::bad(topic, message), Check::noted),
            (None, Some(count)) => {
                let counted = if count == 1 { "1 tool".to_owned() } else { format!("{count} tools") };
                unmatched.iter().fold(Check::good(topic, counted), Check::noted)
            }
            (None, None) if self.probe.report.status == ServerStatus::Connected => Check::good(topic, "none"),
            (None, None) => Check::skipped(topic, "not reached"),
        }
    }
}

/// What a server prints among its messages: this client passes it over, and others do not.
fn stray(printed: &SideOutput) -> String {
    let first = printed.first_stray.first().map(String::as_str).unwrap_or_default();
    let lines = match printed.stray_lines {
        1 => "a line that is not a message".to_owned(),
        lines => format!("{lines} lines that are no messages"),
    };
    format!(
        "it prints {lines} on its standard output, where some hosts end it for that: `{}`",
        mcp_text::line(first, STRAY)
    )
}

/// What took long on the way to a server that is connected.
fn paced(check: Check, took: Duration) -> Check {
    if took < SLOW { check } else { check.noted("a host may not wait that long for a server") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_takes_longer_than_hosts_wait_is_noted() {
        for (took, state) in [(19, CheckState::Good), (20, CheckState::Noted), (46, CheckState::Noted)] {
            let check = paced(Check::good(CheckTopic::Handshake, "MCP"), Duration::from_secs(took));
            assert_eq!(check.state, state, "{took} s");
        }
    }
}
