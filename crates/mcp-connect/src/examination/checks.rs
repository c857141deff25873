//! From what was found to the checks and the cause: a pure function.

use std::time::{Duration, SystemTime};

use mcp_auth::oauth::{Discovery, DiscoverySource};
use mcp_auth::{AuthError, ProviderKind, Role};
use mcp_config::{Approval, Explanation, Gate, ServerEntry, Severity};
use mcp_status::{NextStep, Reason, ReasonCode, ServerStatus};
use mcp_transport::connect::Reach;
use mcp_transport::exchange::{Exchange, ExchangeOutcome};

use super::Cause;
use super::check::{Check, CheckState, CheckTopic};
use crate::{ConfiguredServer, Probe};

/// How far two clocks may be apart before tokens and certificates are judged differently: what most servers allow.
const SKEW: Duration = Duration::from_secs(60);
/// How long a certificate should be good for, so that there is time to have a new one.
const ENDS_SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// All that was found out about one server.
pub(super) struct Findings<'a> {
    pub(super) server: &'a ConfiguredServer,
    pub(super) entry: &'a ServerEntry,
    pub(super) explanation: Option<&'a Explanation>,
    pub(super) probe: &'a Probe,
    pub(super) reach: Option<&'a Reach>,
    pub(super) exchanges: &'a [Exchange],
    pub(super) discovery: Option<&'a Result<Discovery, AuthError>>,
    pub(super) now: SystemTime,
}

impl Findings<'_> {
    /// Each part that was looked at.
    pub(super) fn checks(&self) -> Vec<Check> {
        let mut checks = vec![self.configuration(), self.trust()];
        if self.server.state.is_err() {
            return checks;
        }
        if self.server.is_stdio() {
            checks.push(self.process());
        } else {
            checks.extend(self.helper());
            checks.push(self.credentials());
            checks.extend(self.reach.map(|reach| self.network(reach)));
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
        let at = |topic| checks.iter().position(|check| check.topic == topic);
        if let (None, true) = (self.reason(), self.server.is_switched_off()) {
            let message = self.entry.gate_detail().unwrap_or_else(|| "it is switched off".to_owned());
            return Some(Cause { check: at(CheckTopic::Trust), message, next: None });
        }
        let reason = self.reason()?;
        let topic = self.blamed()?;
        let check = at(topic).or_else(|| checks.iter().position(|check| check.state == CheckState::Bad));
        let cause = Cause { check, message: reason.message.clone(), next: reason.next.clone() };
        if !matches!(reason.next, Some(NextStep::SignIn { .. })) {
            return Some(cause);
        }
        // What would be next may be known not to begin.
        let hindrance = match self.discovery {
            None => return Some(cause),
            Some(Err(error)) => self.hidden(&error.to_string()),
            Some(Ok(discovery)) if self.wants_registration_by_hand(discovery) => {
                format!(
                    "a client has to be registered there by hand, at {} (oauth.clientId)",
                    discovery.issuer
                )
            }
            Some(Ok(discovery)) if self.is_without_credentials() => {
                let status = reason.http_status.map_or_else(String::new, |status| format!(" ({status})"));
                let message = format!("the server wants a sign-in at {}{status}", discovery.issuer);
                return Some(Cause { message, ..cause });
            }
            Some(Ok(_)) => return Some(cause),
        };
        Some(Cause {
            check: at(CheckTopic::SignIn).or(check),
            message: format!("no sign-in can begin, and the server wants one: {hindrance}"),
            next: Some(NextStep::LookAtEntry),
        })
    }

    /// Whether nothing went along that proves something, and the server asks for it.
    fn is_without_credentials(&self) -> bool {
        self.reason().is_some_and(|reason| reason.code == ReasonCode::Unauthorized)
            && self.exchanges.iter().all(|exchange| exchange.credentials.is_empty())
    }

    /// Whether the authorization server takes no client that it does not know, and it is not known to know this one.
    fn wants_registration_by_hand(&self, discovery: &Discovery) -> bool {
        let published = discovery.found != DiscoverySource::DefaultEndpoints;
        let metadata = &discovery.server;
        let by_itself = metadata.registration_endpoint.is_some()
            || metadata.client_id_metadata_document_supported == Some(true);
        published && !by_itself && !self.is_known_there() && !self.server.snapshot().signed_in
    }

    fn reason(&self) -> Option<&Reason> {
        self.probe.report.reason.as_ref()
    }

    /// The part of the way that the reason is about.
    fn blamed(&self) -> Option<CheckTopic> {
        use CheckTopic as Of;
        use ReasonCode as Is;
        let reason = self.reason()?;
        let is_connected = self.reach.and_then(|reach| reach.connected.as_ref()).is_some_and(Result::is_ok);
        Some(match reason.code {
            Is::NoTools | Is::ToolsUnapproved => return None,
            Is::ToolsUnavailable => Of::Tools,
            Is::AwaitingApproval | Is::ChangedSinceApproval | Is::Declined => Of::Trust,
            Is::HelperUntrusted => Of::Trust,
            Is::HelperFailed => Of::HelperRun,
            Is::CredentialsFailed => Of::Credentials,
            Is::SignInExpired | Is::WrongAccount => Of::SignIn,
            Is::Tls => Of::Tls,
            Is::Spawn | Is::Exited => Of::Process,
            Is::Timeout if self.server.is_stdio() => Of::Process,
            Is::Protocol | Is::Version => Of::Handshake,
            // The way is open, so it is what is at its end.
            Is::Unreachable | Is::Timeout if is_connected => Of::Answer,
            // It said so itself: no proxy is on the way.
            Is::ProxyAuth if self.reach.is_some_and(|reach| reach.proxy.is_none()) => Of::Answer,
            Is::Unreachable | Is::Timeout | Is::ProxyAuth => Of::Network,
            Is::Config | Is::NotConfigured | Is::SelfReference | Is::Policy => Of::Configuration,
            _ if self.server.state.is_err() => Of::Configuration,
            _ => Of::Answer,
        })
    }

    /// What the reason says, where it is about this part.
    fn blames(&self, topic: CheckTopic) -> Option<&str> {
        (self.blamed()? == topic).then(|| self.reason().map(|reason| &*reason.message))?
    }

    fn hidden(&self, text: &str) -> String {
        self.server.secrets.hide_known(text).into_owned()
    }

    fn configuration(&self) -> Check {
        let topic = CheckTopic::Configuration;
        let told = match (&self.server.auth, &self.server.description.command) {
            (Some(auth), _) => {
                let in_role = |role| auth.plan.links().iter().find(|link| link.role == role);
                match in_role(Role::Authority).map(|link| &link.provider) {
                    Some(ProviderKind::StaticHeaders) => {
                        "its headers are its credentials; no sign-in is used".to_owned()
                    }
                    Some(ProviderKind::OAuth) => {
                        "no credentials of its own; a sign-in where the server asks for one".to_owned()
                    }
                    Some(other) => match auth.plan.role(ProviderKind::OAuth) {
                        Some(Role::Fallback) => {
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
            None => Check::good(topic, told),
        };
        let Some(explanation) = self.explanation else { return check };
        for note in explanation.notes.iter().filter(|note| note.severity > Severity::Note) {
            check = check.noted(self.hidden(&note.to_line()));
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
            return Check::bad(topic, message);
        }
        match (self.entry.gate(), &self.entry.approval) {
            (Gate::Disabled, _) => Check::skipped(topic, "not looked at: it is switched off"),
            (_, Approval::Approved(place)) => Check::good(topic, format!("approved in {place}")),
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
                // A word of the shell is none, and it may be one.
                None => Check::new(
                    CheckTopic::HelperFound,
                    CheckState::Noted,
                    format!("{name} is no file on the PATH of the helper"),
                ),
            });
        }
        let run = self.server.snapshot().last_fetch;
        let took = run.as_ref().map(|run| {
            let code = run.exit_code.map_or_else(String::new, |code| format!("exit {code} "));
            format!("{code}after {}", span(run.duration))
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

    fn credentials(&self) -> Check {
        let topic = CheckTopic::Credentials;
        if let Some(message) = self.blames(topic) {
            return Check::bad(topic, message);
        }
        let snapshot = self.server.snapshot();
        let Some(first) = self.exchanges.iter().find(|exchange| exchange.asks.is_some()) else {
            return Check::skipped(topic, "nothing was sent");
        };
        if first.credentials.is_empty() {
            let why = snapshot.withheld.map_or_else(String::new, |why| format!("; {why}"));
            return Check::new(topic, CheckState::Good, format!("none were sent{why}"));
        }
        let until = snapshot.expires_at.map(|at| match at.duration_since(self.now) {
            Ok(left) => format!(", good for {} more", span(left)),
            Err(past) => format!(", ended {} ago", span(past.duration())),
        });
        Check::good(topic, format!("{} sent{}", first.credentials.join(", "), until.unwrap_or_default()))
    }

    fn network(&self, reach: &Reach) -> Check {
        let topic = CheckTopic::Network;
        let way = reach.proxy.as_ref().map_or_else(String::new, |proxy| format!(" by the proxy {proxy}"));
        let addresses = match &reach.addresses {
            Err(why) => return Check::bad(topic, format!("{}: {why}{way}", reach.host)),
            Ok(addresses) => addresses,
        };
        let check = match (&reach.connected, self.blames(topic)) {
            (Some(Ok(_)), Some(message)) => Check::bad(topic, message),
            (Some(Ok((address, took))), None) => {
                Check::good(topic, format!("{address} reached in {}{way}", span(*took)))
            }
            (Some(Err(why)), _) => Check::bad(topic, format!("{}:{}: {why}{way}", reach.host, reach.port)),
            (None, _) => Check::skipped(topic, "not looked at"),
        };
        if addresses.len() < 2 {
            return check;
        }
        let addresses: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
        check.with(format!("{} is {}", reach.host, addresses.join(", ")))
    }

    fn tls(&self) -> Option<Check> {
        let topic = CheckTopic::Tls;
        let looked = self.reach.and_then(|reach| reach.tls.as_ref());
        // Behind a proxy only the attempt itself has seen it.
        if let Some(message) = self.blames(topic) {
            return Some(Check::bad(topic, message));
        }
        Some(match looked? {
            Err(why) => Check::bad(topic, why),
            Ok(tls) => {
                let signed = tls.issuer.as_ref().map(|name| format!(", signed by {name}"));
                let left = tls.valid_until.and_then(|until| until.duration_since(self.now).ok());
                let until = left.map(|left| format!(", good for {} more", span(left)));
                let told =
                    format!("{}{}{}", tls.version, signed.unwrap_or_default(), until.unwrap_or_default());
                match left {
                    Some(left) if left < ENDS_SOON => {
                        Check::good(topic, told).noted("the certificate ends soon")
                    }
                    _ => Check::good(topic, told),
                }
            }
        })
    }

    fn answer(&self) -> Check {
        let topic = CheckTopic::Answer;
        let Some(last) = self.exchanges.iter().rfind(|exchange| exchange.asks.is_some()) else {
            return match self.blames(topic) {
                Some(message) => Check::bad(topic, message),
                None => Check::skipped(topic, "not asked: there is nothing to ask it with"),
            };
        };
        let what = last.asks.as_deref().map_or_else(String::new, |asks| format!(" {asks}"));
        let told = format!("{}{what}: {} after {}", last.method, last.outcome, span(last.took));
        let state = match (&last.outcome, self.blames(topic)) {
            (_, Some(_)) | (ExchangeOutcome::NoAnswer { .. }, _) => CheckState::Bad,
            (ExchangeOutcome::Answered { status: 200..300, .. }, None) => CheckState::Good,
            _ if self.probe.report.status == ServerStatus::Connected => CheckState::Good,
            _ => CheckState::Noted,
        };
        let check = Check::new(topic, state, told);
        let check = self.blames(topic).into_iter().fold(check, Check::with);
        match &last.outcome {
            ExchangeOutcome::Answered { decides, .. } => decides.iter().cloned().fold(check, Check::with),
            _ => check,
        }
    }

    fn clock(&self) -> Option<Check> {
        let topic = CheckTopic::Clock;
        let (date, at) = self.exchanges.iter().rev().find_map(|exchange| match exchange.outcome {
            ExchangeOutcome::Answered { date: Some(date), .. } => {
                Some((date, exchange.began + exchange.took))
            }
            _ => None,
        })?;
        let (apart, word) = match at.duration_since(date) {
            Ok(ahead) => (ahead, "ahead of"),
            Err(behind) => (behind.duration(), "behind"),
        };
        let told = format!("this machine's is {} {word} the server's", span(apart));
        Some(match apart {
            apart if apart < Duration::from_secs(2) => {
                Check::good(topic, "that of the server shows the same time")
            }
            apart if apart <= SKEW => Check::good(topic, told),
            _ => Check::good(topic, told).noted("tokens and certificates seem too old or too new then"),
        })
    }

    /// Where a person signs in, with each request on the way to know that.
    fn sign_in(&self) -> Option<Check> {
        let check = self.sign_in_place()?;
        let own =
            self.exchanges.iter().find(|exchange| exchange.asks.is_some()).map(|exchange| &exchange.url);
        let on_the_way =
            self.exchanges.iter().filter(|exchange| exchange.asks.is_none() && Some(&exchange.url) != own);
        let line = |exchange: &Exchange| {
            self.hidden(&format!("{} {}: {}", exchange.method, exchange.url, exchange.outcome))
        };
        Some(on_the_way.map(line).fold(check, Check::with))
    }

    fn sign_in_place(&self) -> Option<Check> {
        let topic = CheckTopic::SignIn;
        let snapshot = self.server.snapshot();
        let kept = match (snapshot.signed_in, self.blames(topic)) {
            (_, Some(message)) => Some(message.to_owned()),
            (true, None) => Some("a sign-in is kept".to_owned()),
            (false, None) => None,
        };
        let is_blamed = self.blames(topic).is_some();
        Some(match (self.discovery, kept) {
            (None, None) => return None,
            (None, Some(kept)) if is_blamed => Check::bad(topic, kept),
            (None, Some(kept)) => Check::good(topic, kept),
            (Some(Err(error)), kept) => {
                let check = Check::bad(topic, self.hidden(&error.to_string()));
                kept.into_iter().fold(check, Check::with)
            }
            (Some(Ok(discovery)), None) if discovery.found == DiscoverySource::DefaultEndpoints => {
                Check::skipped(topic, "nothing is published about a sign-in")
            }
            (Some(Ok(discovery)), kept) => {
                let told = format!("at {}, {}", discovery.issuer, found(discovery.found));
                let check = match is_blamed {
                    true => Check::bad(topic, told),
                    false => Check::good(topic, told),
                };
                let check = kept.into_iter().fold(check, Check::with);
                let metadata = &discovery.server;
                let endpoints = metadata.authorization_endpoint.iter().zip(&metadata.token_endpoint);
                let endpoints = endpoints.map(|(page, tokens)| format!("page {page}, tokens from {tokens}"));
                let check = endpoints.fold(check, Check::with);
                let check = check.with(match (&metadata.registration_endpoint, self.is_known_there()) {
                    (_, true) => "the client is the one of the entry".to_owned(),
                    _ if metadata.client_id_metadata_document_supported == Some(true) => {
                        "a client may say who it is by a document of its own".to_owned()
                    }
                    (Some(at), _) => format!("a client registers itself at {at}"),
                    (None, _) => "a client has to be registered there by hand (oauth.clientId)".to_owned(),
                });
                match &metadata.scopes_supported {
                    Some(scopes) if !scopes.is_empty() => check.with(format!("scopes: {}", scopes.join(" "))),
                    _ => check,
                }
            }
        })
    }

    /// Whether the entry names the client.
    fn is_known_there(&self) -> bool {
        let spec = self.server.auth.as_ref().and_then(|auth| auth.plan.settings().oauth.as_ref());
        spec.is_some_and(|spec| spec.client_id.is_some())
    }

    fn process(&self) -> Check {
        let topic = CheckTopic::Process;
        match self.blames(topic) {
            Some(message) => Check::bad(topic, message),
            None => Check::good(topic, "started"),
        }
    }

    fn handshake(&self) -> Check {
        let topic = CheckTopic::Handshake;
        if let Some(message) = self.blames(topic) {
            return Check::bad(topic, message);
        }
        let report = &self.probe.report;
        let Some(version) = &report.protocol_version else { return Check::skipped(topic, "not reached") };
        let server = report.server.as_ref().map(|info| format!(", {} {}", info.name, info.version));
        let told = format!("MCP {version}{}", server.unwrap_or_default());
        Check::good(topic, format!("{told}, within {}", span(self.probe.elapsed)))
    }

    fn tools(&self) -> Check {
        let topic = CheckTopic::Tools;
        match (self.blames(topic), self.probe.report.tools) {
            (Some(message), _) => Check::bad(topic, message),
            (None, Some(1)) => Check::good(topic, "1 tool"),
            (None, Some(count)) => Check::good(topic, format!("{count} tools")),
            (None, None) if self.probe.report.status == ServerStatus::Connected => Check::good(topic, "none"),
            (None, None) => Check::skipped(topic, "not reached"),
        }
    }
}

/// Who named the authorization server.
fn found(found: DiscoverySource) -> &'static str {
    match found {
        DiscoverySource::Configured => "which the entry names",
        DiscoverySource::ResourceMetadata => "which the server names in its metadata",
        DiscoverySource::Origin => "found at the server's own address",
        _ => "with the usual paths, as nothing is published there",
    }
}

/// A length of time in its largest unit that fits.
fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0 if length.as_millis() < 10 => format!("{:.1} ms", length.as_secs_f64() * 1000.0),
        0 => format!("{} ms", length.as_millis()),
        1..10 => format!("{:.1} s", length.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
