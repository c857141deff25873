//! What was seen, in words: a lowercase fragment that names the server's side of the story.
//!
//! Advice is not part of it (that is an [`Action`](crate::Action) or a command), and no word of it decides
//! anything.
//!
//! Longer than 500 lines because each sentence is in a table of its tests.

use std::time::Duration;

use mcp_text::sentence;

use crate::exit;
use crate::refusal::{gave_nothing, unset_variable, was_refused};
use crate::{
    AddressHeader, ChallengeKind, CredentialOrigin, Evidence, Limit, LimitSubject, Outcome, Phase,
    ReasonCode, classify,
};

/// What a message names beside the evidence.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MessageContext<'a> {
    /// The name of the server entry.
    pub server: &'a str,
    /// The origin of the MCP endpoint, without path, query and userinfo: those may hold secrets.
    pub origin: Option<&'a str>,
    /// The MCP endpoint as it may be shown, with its path.
    pub endpoint: Option<&'a str>,
}

impl<'a> MessageContext<'a> {
    /// A context that names the server only.
    pub fn new(server: &'a str) -> Self {
        Self { server, origin: None, endpoint: None }
    }

    /// With the origin of the endpoint.
    #[must_use]
    pub fn with_origin(mut self, origin: Option<&'a str>) -> Self {
        self.origin = origin;
        self
    }

    /// With the endpoint as it may be shown.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: Option<&'a str>) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// The address that has no endpoint, with what is usual where it has no path.
    fn missing_endpoint(&self) -> String {
        let Some(endpoint) = self.endpoint.map(sentence) else { return self.origin_or_server() };
        let is_bare = self.origin.is_some_and(|origin| endpoint.trim_end_matches('/') == origin);
        if is_bare { format!("{endpoint}, and many servers have theirs at /mcp") } else { endpoint }
    }

    fn origin_or_server(&self) -> String {
        self.origin.map_or_else(|| "the server".to_owned(), sentence)
    }

    /// The address without its query, where it is known.
    fn place(&self) -> String {
        let without_query = |endpoint: &str| sentence(endpoint.split('?').next().unwrap_or_default());
        self.endpoint.map_or_else(|| self.origin_or_server(), without_query)
    }

    /// What does not behave like a server: an address, or a command.
    fn what_answers(&self) -> String {
        match self.endpoint.or(self.origin) {
            None => "what was started".to_owned(),
            Some(place) => format!("what answers at {}", sentence(place)),
        }
    }
}

/// What `evidence` says, in words; empty when it says that all is well.
///
/// # Examples
///
/// ```
/// use mcp_status::{Evidence, MessageContext, Outcome, Phase, message};
///
/// let evidence = Evidence::new(Phase::Connect, Outcome::Http { status: 401, retry_after: None });
/// let context = MessageContext::new("web");
/// assert_eq!(message(&evidence, &context), "the server asks for credentials, and none were sent (401)");
/// ```
pub fn message(evidence: &Evidence, context: &MessageContext<'_>) -> String {
    let mut text = fact(&evidence.outcome, evidence, context);
    if let Some(proxy) = &evidence.proxy
        && may_be_the_proxys(&evidence.outcome)
    {
        text.push_str(&format!(", by way of the proxy {}", sentence(proxy)));
    }
    if let Some(restriction) = evidence.restriction {
        text.push_str(&format!("; {}", restriction.sentence()));
    }
    match evidence.detail.as_deref().map(sentence).filter(|detail| !detail.is_empty()) {
        // The source's own account already names itself and its exit code.
        Some(detail)
            if matches!(
                classify(evidence).code(),
                Some(ReasonCode::HelperFailed | ReasonCode::CredentialsFailed)
            ) =>
        {
            // A limit of its own stands there; one of ours cut it short.
            let moved_by = evidence.limit.as_ref().and_then(moved_by);
            format!("failed to {detail}{}", moved_by.map(|by| format!(" ({by})")).unwrap_or_default())
        }
        Some(detail)
            if matches!(
                evidence.outcome,
                Outcome::SignInStoreUnavailable
                    | Outcome::AuthorizationServerUnavailable { .. }
                    | Outcome::AuthorizationServerTls
            ) =>
        {
            format!("{text}: failed to {detail}")
        }
        // It names file, field and loop, and has passed through each turn of it.
        Some(detail) if evidence.outcome == Outcome::SelfReference => detail,
        Some(detail) if !text.is_empty() => of_the_credentials(format!("{text}: {detail}"), evidence),
        _ => of_the_credentials(text, evidence),
    }
}

/// What the server said of credentials that it refused, and behind it what is known here.
fn of_the_credentials(text: String, evidence: &Evidence) -> String {
    if !was_refused(&evidence.outcome) {
        return text;
    }
    let text = with_unchanged(text, evidence);
    let text = match &evidence.auth.hindrance {
        Some(hindrance) => format!("{text}; no sign-in can begin: {}", sentence(&hindrance.why)),
        None => text,
    };
    match unset_variable(evidence) {
        // It decides, and so stands first; which header has it is of less weight than what the server says.
        Some(name) => {
            let others: Vec<String> =
                evidence.auth.doubts.iter().filter(|doubt| !doubt.ends_with(name)).cloned().collect();
            with_doubts(format!("{name} has no value here, and {text}"), &others)
        }
        None => with_doubts(text, &evidence.auth.doubts),
    }
}

/// Whether what was seen may be the work of a proxy and not of the server. What names the proxy itself need not say it twice.
fn may_be_the_proxys(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Http { status, .. } => *status != 407,
        Outcome::Moved { .. } => true,
        Outcome::Challenged { kind, .. } => {
            matches!(kind, ChallengeKind::Forbidden | ChallengeKind::Blocked | ChallengeKind::LoginRedirect)
        }
        Outcome::ToolsUnavailable { cause } => may_be_the_proxys(cause),
        Outcome::Protocol { rpc_code } => rpc_code.is_none(),
        Outcome::Unreachable | Outcome::Dropped | Outcome::Timeout | Outcome::Tls => true,
        _ => false,
    }
}

fn fact(outcome: &Outcome, evidence: &Evidence, context: &MessageContext<'_>) -> String {
    let is_list = matches!(evidence.outcome, Outcome::ToolsUnavailable { .. });
    let times = times(evidence);
    let origin = || context.origin_or_server();
    match outcome {
        Outcome::Connected { tools: Some(usable) } if evidence.unapproved > 0 => {
            let (withheld, all) = (evidence.unapproved, usable.saturating_add(evidence.unapproved));
            let are = if withheld == 1 { "is" } else { "are" };
            format!(
                "connected, but {withheld} of {all} tools {are} not approved as the server defines them now"
            )
        }
        Outcome::Connected { .. } if evidence.auth.withheld.is_some() => format!(
            "connected without its {}, which was not run: its folder is not trusted",
            evidence.auth.withheld.as_deref().map(sentence).unwrap_or_default()
        ),
        Outcome::Connected { tools: Some(0) } if evidence.left_out.is_some() => {
            let (all, why) = left_out_all(evidence).unwrap_or_default();
            let tools =
                if all == 1 { "its one tool is".to_owned() } else { format!("all {all} of its tools are") };
            // A name that no tool has is as a rule why.
            let unmatched = evidence.unmatched_tools.first();
            let unmatched = unmatched.map(|unmatched| format!("; {}", sentence(unmatched)));
            format!("connected, but {tools} left out: {}{}", sentence(why), unmatched.unwrap_or_default())
        }
        Outcome::Connected { tools: Some(0) } => match &evidence.uncallable {
            Some((1, why)) => format!(
                "connected, but the one tool that the server lists cannot be called: {}",
                sentence(why)
            ),
            Some((all, why)) => {
                format!(
                    "connected, but none of the {all} tools that the server lists can be called: {}",
                    sentence(why)
                )
            }
            None => "connected, but the server lists no tools".to_owned(),
        },
        Outcome::Connected { .. } => String::new(),
        Outcome::ToolsUnavailable { cause } => {
            let cause = fact(cause, evidence, context);
            if classify(evidence).code() == Some(ReasonCode::ToolsUnavailable) {
                format!("connected, but the tools could not be listed: {cause}")
            } else {
                cause
            }
        }
        Outcome::Challenged { kind, http_status } => challenge(kind, *http_status, evidence),
        Outcome::CredentialSourceFailed => {
            let source = source_name(evidence);
            match evidence.auth.exit_code {
                Some(code) => format!("{source} failed with exit code {code}"),
                None => format!("{source} failed"),
            }
        }
        Outcome::CredentialsFailed => "the credentials could not be obtained".to_owned(),
        Outcome::WrongAccount => "the sign-in is not of the account that the entry expects".to_owned(),
        // Another source that keeps a sign-in says by itself, in the detail, how it ended.
        Outcome::SignInExpired if is_of_another_source(evidence) => "the sign-in has ended".to_owned(),
        Outcome::SignInExpired => "the sign-in could not be renewed".to_owned(),
        // Another source keeps no sign-in, and says by itself, in the detail, what it asked in vain.
        Outcome::AuthorizationServerUnavailable { .. } if is_of_another_source(evidence) => {
            format!("its credentials are unavailable now{times}")
        }
        // Not reached, or too busy: the detail says which.
        Outcome::AuthorizationServerUnavailable { .. } => {
            format!("the authorization server is unavailable{times}; the sign-in is kept")
        }
        Outcome::AuthorizationServerTls => {
            let kept = if is_of_another_source(evidence) { "" } else { "; the sign-in is kept" };
            format!("the authorization server cannot be reached over TLS{kept}")
        }
        Outcome::SignInStoreUnavailable => format!("the kept sign-in cannot be used now{times}"),
        Outcome::Http { status, retry_after } => http(*status, *retry_after, evidence, context),
        Outcome::Misaddressed { header: AddressHeader::Host, status } => {
            format!("the server takes no requests for the host name in {} ({status})", origin())
        }
        Outcome::Misaddressed { header: AddressHeader::Origin, status } => {
            format!("the server takes no requests with this `Origin`, or with none ({status})")
        }
        Outcome::Moved { status } => http(*status, None, evidence, context),
        // With its path: another one may be what is meant.
        Outcome::Unreachable => format!("no connection to {}{times}", context.place()),
        Outcome::Dropped => format!("the connection to {} broke off{times}", context.place()),
        Outcome::Proxy { status: Some(407) } => proxy_auth(407, evidence),
        Outcome::Proxy { status: None } => {
            format!("no way through the proxy{}{times}", named_proxy(evidence))
        }
        Outcome::Proxy { status: Some(status) } => {
            format!(
                "the proxy{} did not open the way to {}{times} ({status})",
                named_proxy(evidence),
                origin()
            )
        }
        Outcome::Timeout => format!("no answer from {} {}{times}", context.place(), in_time(evidence)),
        Outcome::Tls => format!("the TLS connection to {} failed", origin()),
        Outcome::Protocol { rpc_code: Some(code) } => {
            format!("the server answered with the JSON-RPC error {code}")
        }
        // It has shaken hands, so it speaks MCP: this answer is none.
        Outcome::Protocol { rpc_code: None } if evidence.phase == Phase::Session || is_list => {
            format!("what came from {} is not MCP", context.place())
        }
        Outcome::Protocol { rpc_code: None } => format!("{} does not speak MCP", context.what_answers()),
        Outcome::Version { offered } if offered.is_empty() => "no protocol version in common".to_owned(),
        Outcome::Version { offered } => {
            format!("no protocol version in common; the server offers {}", list(offered))
        }
        Outcome::Spawn { .. } => "the command could not be started".to_owned(),
        Outcome::SlowStart { limit } => {
            let moved_by = evidence.limit.as_ref().and_then(moved_by);
            format!(
                "the command was started and did not speak MCP within {}{}",
                mcp_text::time_limit(*limit),
                moved_by.map(|moved_by| format!(" ({moved_by})")).unwrap_or_default()
            )
        }
        Outcome::Exited { code, signal } => exit::phrase(*code, *signal, evidence.phase),
        Outcome::SessionRefused { status: 200 } => {
            "the server answers the handshake and refuses every request after it".to_owned()
        }
        Outcome::SessionRefused { status } => {
            format!("the server answers the handshake and refuses every request after it ({status})")
        }
        Outcome::SelfReference => "the command leads back to the entry that starts it".to_owned(),
        Outcome::Misconfigured => "the settings of this server cannot be used".to_owned(),
    }
}

fn challenge(kind: &ChallengeKind, http_status: u16, evidence: &Evidence) -> String {
    let times = times(evidence);
    if let ChallengeKind::InsufficientScope { scopes } = kind
        && classify(evidence).code() != Some(ReasonCode::HelperUntrusted)
    {
        if !evidence.auth.sent {
            let with_scope =
                if scopes.is_empty() { String::new() } else { format!(" with the scope {}", list(scopes)) };
            return format!(
                "the server asks for credentials{with_scope}, and none were sent ({http_status})"
            );
        }
        return if scopes.is_empty() {
            format!("the server says that the token's scope is too small, and names none ({http_status})")
        } else {
            format!("the token lacks the scope {} that the server asks for ({http_status})", list(scopes))
        };
    }
    // The scheme tells people which kind of credential to configure, and why no sign-in is offered
    // for anything but Bearer.
    let wanted = match evidence.auth.scheme.as_deref().map(sentence).filter(|scheme| !scheme.is_empty()) {
        Some(scheme) if !scheme.eq_ignore_ascii_case("bearer") => format!("{scheme} credentials"),
        _ => "credentials".to_owned(),
    };
    let elsewhere = (300..400).contains(&http_status);
    match classify(evidence).code() {
        Some(ReasonCode::HelperUntrusted) => format!(
            "the server asks for {wanted} ({http_status}), and {} was not run because its folder is not trusted",
            evidence.auth.withheld.as_deref().map_or_else(|| "their source".to_owned(), sentence)
        ),
        Some(ReasonCode::Blocked) => {
            format!(
                "something in front of the server, such as a firewall, blocked the request{times} ({http_status})"
            )
        }
        Some(ReasonCode::CredentialsRejected) => {
            let sent = supplied(evidence);
            let answer = match kind {
                ChallengeKind::LoginRedirect if elsewhere => " and redirected to another place",
                ChallengeKind::LoginRedirect => " and answered with a sign-in page",
                _ => "",
            };
            let asked =
                if wanted == "credentials" { String::new() } else { format!("; it asks for {wanted}") };
            format!("the server refused {sent}{answer}{times} ({http_status}){asked}")
        }
        // No one has looked at what is there.
        Some(ReasonCode::LoginRedirect) if elsewhere => format!(
            "the server redirects to another place, as to a sign-in page, and no credentials were sent ({http_status})"
        ),
        Some(ReasonCode::LoginRedirect) => {
            format!(
                "a sign-in page answered instead of the server, and no credentials were sent ({http_status})"
            )
        }
        Some(ReasonCode::Forbidden) => {
            format!("the server refused a request without credentials{times} ({http_status})")
        }
        _ if evidence.auth.sent => {
            format!("the server refused {} and asks for a sign-in{times} ({http_status})", supplied(evidence))
        }
        _ if gave_nothing(&evidence.auth) => {
            let who = known_as(evidence).unwrap_or_else(|| "the command that has them".to_owned());
            format!("the server asks for {wanted}, and {who} returned none ({http_status})")
        }
        _ => format!("the server asks for {wanted}, and none were sent ({http_status})"),
    }
}

/// Within which limit, and what moves it.
fn in_time(evidence: &Evidence) -> String {
    let Some(limit) = &evidence.limit else { return "in time".to_owned() };
    let within = format!("within {}", mcp_text::time_limit(limit.length));
    match moved_by(limit) {
        Some(moved_by) => format!("{within} ({moved_by})"),
        None => within,
    }
}

/// What moves a limit.
fn moved_by(limit: &Limit) -> Option<String> {
    let setting = limit.setting.as_deref().map(sentence).filter(|setting| !setting.is_empty());
    match limit.of {
        LimitSubject::Caller => Some("as its caller wanted".to_owned()),
        // Those that there are anyway; a setting moves them.
        LimitSubject::Attempt | LimitSubject::Start | LimitSubject::Silence => {
            setting.map(|setting| format!("{setting} allows more"))
        }
        // Those that there are because a setting says so.
        LimitSubject::Entry | LimitSubject::Requests => setting,
    }
}

/// How many tools the server lists, where the entry leaves out each of them, and why.
fn left_out_all(evidence: &Evidence) -> Option<(usize, &str)> {
    evidence.left_out.as_ref().map(|(all, why)| (*all, &**why))
}

/// The fact, and that asking for other credentials brought the same ones.
fn with_unchanged(text: String, evidence: &Evidence) -> String {
    if !evidence.auth.unchanged || classify(evidence).code() != Some(ReasonCode::CredentialsRejected) {
        return text;
    }
    match evidence.auth.supplied_by {
        Some(CredentialOrigin::Command) => {
            format!("{text}; it was run again and returned the very same")
        }
        _ => format!("{text}; asked for others, their source supplied the very same"),
    }
}

/// The fact, and what is known of credentials that were refused.
fn with_doubts(text: String, doubts: &[String]) -> String {
    doubts.iter().take(2).fold(text, |text, doubt| format!("{text}; {}", sentence(doubt)))
}

fn http(
    status: u16,
    retry_after: Option<Duration>,
    evidence: &Evidence,
    context: &MessageContext<'_>,
) -> String {
    let times = times(evidence);
    let wait = retry_after.map_or_else(String::new, |wait| format!("; it asks to wait {}", seconds(wait)));
    match classify(evidence).code() {
        Some(ReasonCode::NotFound) => format!("no MCP endpoint at {} ({status})", context.missing_endpoint()),
        Some(ReasonCode::Moved) => {
            format!("{} sends every request elsewhere ({status})", context.what_answers())
        }
        Some(ReasonCode::ProxyAuth) => proxy_auth(status, evidence),
        Some(ReasonCode::RateLimited) => {
            format!("the server limits the rate of requests{times} ({status}){wait}")
        }
        Some(ReasonCode::Unavailable) => format!("the server is unavailable{times} ({status}){wait}"),
        Some(ReasonCode::Rejected) if evidence.phase == Phase::Session => {
            format!("the server refused the request{times} ({status})")
        }
        // It is the address that is wrong, and nothing in the request; which method it was, the transport says.
        Some(ReasonCode::Rejected) if status == 405 => {
            format!("no MCP endpoint at {} ({status})", context.missing_endpoint())
        }
        Some(ReasonCode::Rejected) => format!("the server refused to connect{times} ({status})"),
        Some(ReasonCode::Protocol) => {
            format!("{} does not speak MCP ({status})", context.what_answers())
        }
        // A challenge that came in as a plain answer, or the cause inside a failing tool list.
        Some(ReasonCode::ToolsUnavailable) => format!("the server answered {status}{wait}"),
        _ => {
            let kind = ChallengeKind::of_status(status, evidence.phase);
            challenge(&kind.unwrap_or(ChallengeKind::Unauthorized), status, evidence)
        }
    }
}

/// A proxy that wants to know who asks.
fn proxy_auth(status: u16, evidence: &Evidence) -> String {
    match evidence.proxy {
        Some(_) => format!(
            "the proxy{} wants credentials, or other ones than those in its URL ({status}); user and password go in its URL, before the host",
            named_proxy(evidence)
        ),
        // It may be the server itself, or something on the way that takes what is not meant for it.
        None => format!(
            "what answers asks for credentials as a proxy does ({status}), and no proxy is in use here"
        ),
    }
}

/// A space and the proxy, where it is known.
fn named_proxy(evidence: &Evidence) -> String {
    evidence.proxy.as_deref().map_or_else(String::new, |proxy| format!(" {}", sentence(proxy)))
}

/// The refused credentials, as people know them.
fn supplied(evidence: &Evidence) -> String {
    match (evidence.auth.supplied_by, known_as(evidence)) {
        (Some(CredentialOrigin::Configuration), _) => "the headers that are set for it".to_owned(),
        (Some(CredentialOrigin::Address), _) => "user and password of the URL".to_owned(),
        (Some(CredentialOrigin::Command), Some(command)) => format!("the headers that {command} returned"),
        (Some(CredentialOrigin::Command), None) => "the headers that a command returned".to_owned(),
        (Some(CredentialOrigin::SignIn), _) => "the access token".to_owned(),
        (None, Some(other)) => format!("the credentials of {other}"),
        (None, None) => "the credentials that were sent".to_owned(),
    }
}

/// The source of credentials that failed, as people know it.
fn source_name(evidence: &Evidence) -> String {
    known_as(evidence).unwrap_or_else(|| "the source of the credentials".to_owned())
}

/// Whether the credentials are of something else than a sign-in of ours.
fn is_of_another_source(evidence: &Evidence) -> bool {
    evidence.auth.provider.is_some() && evidence.auth.supplied_by != Some(CredentialOrigin::SignIn)
}

/// What people call the provider.
fn known_as(evidence: &Evidence) -> Option<String> {
    evidence.auth.called.as_deref().or(evidence.auth.provider.as_deref()).map(sentence)
}

fn list(items: &[String]) -> String {
    sentence(&items.join(" "))
}

fn times(evidence: &Evidence) -> String {
    let times = match evidence.attempts {
        0 | 1 => return String::new(),
        2 => ", twice".to_owned(),
        n => format!(", {n} times"),
    };
    // Less would be no time at all.
    match evidence.took.filter(|took| took.as_millis() >= 100) {
        Some(took) => format!("{times} in {}.{} s", took.as_secs(), took.subsec_millis() / 100),
        None => times,
    }
}

/// A wait, rounded up: people are never told to come back too early. In tenths where it is shorter than a second, and in
/// minutes or hours where seconds do not matter.
pub(crate) fn seconds(wait: Duration) -> String {
    let (tenths, whole) = (wait.as_millis().div_ceil(100), wait.as_millis().div_ceil(1_000));
    match whole {
        _ if tenths < 10 => format!("0.{} s", tenths.max(1)),
        0..=120 => format!("{whole} s"),
        121..=7_200 => format!("{} min", whole.div_ceil(60)),
        7_201..=172_800 => format!("{} h", whole.div_ceil(3_600)),
        // What a server asks for is told up to a year.
        172_801..31_536_000 => format!("{} days", whole.div_ceil(86_400)),
        _ => "a year or more".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AuthFacts, Limit, SpawnCause};

    fn challenged(kind: ChallengeKind, http_status: u16) -> Outcome {
        Outcome::Challenged { kind, http_status }
    }

    fn http(status: u16) -> Outcome {
        Outcome::Http { status, retry_after: None }
    }

    fn connect(outcome: Outcome) -> Evidence {
        Evidence::new(Phase::Connect, outcome)
    }

    fn by(provider: &str) -> AuthFacts {
        let (supplied_by, called) = match provider {
            "fixed" => (Some(CredentialOrigin::Configuration), None),
            "minter" => (Some(CredentialOrigin::Command), Some("mintCommand".to_owned())),
            "person" => (Some(CredentialOrigin::SignIn), None),
            _ => (None, None),
        };
        AuthFacts::new(true, Some(provider.into())).with_supplied_by(supplied_by).with_called(called)
    }

    fn said(evidence: &Evidence) -> String {
        let context = MessageContext::new("web").with_origin(Some("https://mcp.example.com"));
        message(evidence, &context)
    }

    #[test]
    fn what_was_seen_in_words() {
        use ChallengeKind::{Blocked, Forbidden, LoginRedirect, Unauthorized};
        let list = |cause| Outcome::ToolsUnavailable { cause: Box::new(cause) };
        let table = [
            (connect(Outcome::Connected { tools: Some(2) }).with_detail("ignored"), ""),
            (connect(Outcome::Connected { tools: Some(0) }), "connected, but the server lists no tools"),
            (
                connect(Outcome::Connected { tools: Some(0) })
                    .with_uncallable(&[("7".to_owned(), "its name is not text".to_owned())]),
                "connected, but the one tool that the server lists cannot be called: 7, because its name is not text",
            ),
            (
                connect(Outcome::Connected { tools: Some(2) }).with_unapproved(1),
                "connected, but 1 of 3 tools is not approved as the server defines them now",
            ),
            (
                connect(list(Outcome::Timeout)),
                "connected, but the tools could not be listed: no answer from https://mcp.example.com in time",
            ),
            (
                connect(list(http(500))).with_detail("boom"),
                "connected, but the tools could not be listed: the server answered 500: boom",
            ),
            (
                connect(list(challenged(Unauthorized, 401))),
                "the server asks for credentials, and none were sent (401)",
            ),
            (
                connect(challenged(Unauthorized, 401)).with_auth(by("minter")).with_attempts(2),
                "the server refused the headers that mintCommand returned, twice (401)",
            ),
            (
                connect(challenged(Unauthorized, 401)).with_auth(by("fixed")),
                "the server refused the headers that are set for it (401)",
            ),
            (
                connect(challenged(Unauthorized, 401)).with_auth(by("person")),
                "the server refused the access token (401)",
            ),
            (
                connect(challenged(Unauthorized, 401)).with_auth(by("vault")).with_attempts(3),
                "the server refused the credentials of vault, 3 times (401)",
            ),
            (
                connect(challenged(LoginRedirect, 302)).with_auth(by("minter")),
                "the server refused the headers that mintCommand returned and redirected to another place (302)",
            ),
            (
                connect(challenged(LoginRedirect, 302)),
                "the server redirects to another place, as to a sign-in page, and no credentials were sent (302)",
            ),
            (connect(challenged(Forbidden, 403)), "the server refused a request without credentials (403)"),
            (connect(http(403)), "the server refused a request without credentials (403)"),
            (connect(http(401)), "the server asks for credentials, and none were sent (401)"),
            (
                connect(challenged(Blocked, 403)),
                "something in front of the server, such as a firewall, blocked the request (403)",
            ),
            (
                connect(challenged(Unauthorized, 401))
                    .with_auth(AuthFacts::new(true, None).with_withheld(Some("mintCommand".into()))),
                "the server asks for credentials (401), and mintCommand was not run because its folder is not trusted",
            ),
            (connect(Outcome::SignInExpired), "the sign-in could not be renewed"),
            (
                connect(Outcome::SignInExpired).with_auth(
                    AuthFacts::new(false, Some("OAuth".into()))
                        .with_supplied_by(Some(CredentialOrigin::SignIn)),
                ),
                "the sign-in could not be renewed",
            ),
            (
                connect(Outcome::SignInExpired).with_auth(
                    AuthFacts::new(false, Some("plugin".into())).with_called(Some("the plug-in".into())),
                ),
                "the sign-in has ended",
            ),
            (
                connect(Outcome::AuthorizationServerUnavailable { retry_after: None }),
                "the authorization server is unavailable; the sign-in is kept",
            ),
            (
                connect(Outcome::AuthorizationServerUnavailable { retry_after: None })
                    .with_attempts(4)
                    .with_auth(AuthFacts::new(false, Some("plugin".into())))
                    .with_detail("ask the plug-in: KDC down"),
                "its credentials are unavailable now, 4 times: failed to ask the plug-in: KDC down",
            ),
            (
                connect(Outcome::AuthorizationServerTls).with_detail("refresh the tokens: no answer from as"),
                "the authorization server cannot be reached over TLS; the sign-in is kept: \
                 failed to refresh the tokens: no answer from as",
            ),
            (
                connect(Outcome::AuthorizationServerTls)
                    .with_auth(AuthFacts::new(false, Some("grant".into()))),
                "the authorization server cannot be reached over TLS",
            ),
            (
                connect(Outcome::Misaddressed { header: AddressHeader::Origin, status: 403 })
                    .with_detail("Invalid Origin"),
                "the server takes no requests with this `Origin`, or with none (403): Invalid Origin",
            ),
            (
                connect(Outcome::SignInStoreUnavailable)
                    .with_attempts(4)
                    .with_detail("read the store: no answer"),
                "the kept sign-in cannot be used now, 4 times: failed to read the store: no answer",
            ),
            (
                connect(http(503)).with_attempts(4).with_detail("try later"),
                "the server is unavailable, 4 times (503): try later",
            ),
            (
                connect(http(503)).with_attempts(4).with_took(Duration::from_millis(960)),
                "the server is unavailable, 4 times in 0.9 s (503)",
            ),
            (
                connect(http(503)).with_attempts(2).with_took(Duration::from_millis(40)),
                "the server is unavailable, twice (503)",
            ),
            (
                connect(Outcome::Http { status: 429, retry_after: Some(Duration::from_millis(1500)) }),
                "the server limits the rate of requests (429); it asks to wait 2 s",
            ),
            (
                connect(Outcome::Http { status: 503, retry_after: Some(Duration::from_secs(120)) }),
                "the server is unavailable (503); it asks to wait 120 s",
            ),
            (connect(http(422)).with_detail("bad field"), "the server refused to connect (422): bad field"),
            (Evidence::new(Phase::Session, http(403)), "the server refused the request (403)"),
            (
                connect(http(407)),
                "what answers asks for credentials as a proxy does (407), and no proxy is in use here",
            ),
            (
                connect(http(407)).with_proxy(Some("http://p:1 (HTTP_PROXY)".into())),
                "the proxy http://p:1 (HTTP_PROXY) wants credentials, or other ones than those in its URL (407); user and password go in its URL, before the host",
            ),
            (
                connect(Outcome::Proxy { status: None })
                    .with_proxy(Some("http://p:1 (HTTPS_PROXY)".into()))
                    .with_detail("connection refused"),
                "no way through the proxy http://p:1 (HTTPS_PROXY): connection refused",
            ),
            (
                connect(Outcome::Proxy { status: Some(403) })
                    .with_proxy(Some("http://p:1 (HTTPS_PROXY)".into())),
                "the proxy http://p:1 (HTTPS_PROXY) did not open the way to https://mcp.example.com (403)",
            ),
            (
                connect(http(502)).with_proxy(Some("http://p:1 (HTTP_PROXY)".into())),
                "the server is unavailable (502), by way of the proxy http://p:1 (HTTP_PROXY)",
            ),
            (
                connect(challenged(LoginRedirect, 200)).with_proxy(Some("http://p:1 (HTTP_PROXY)".into())),
                "a sign-in page answered instead of the server, and no credentials were sent (200), by way of the proxy http://p:1 (HTTP_PROXY)",
            ),
            (
                connect(challenged(Unauthorized, 401)).with_proxy(Some("http://p:1 (HTTP_PROXY)".into())),
                "the server asks for credentials, and none were sent (401)",
            ),
            (connect(http(304)), "what answers at https://mcp.example.com does not speak MCP (304)"),
            (
                connect(Outcome::Unreachable).with_attempts(4).with_detail("connection refused"),
                "no connection to https://mcp.example.com, 4 times: connection refused",
            ),
            (connect(Outcome::Dropped), "the connection to https://mcp.example.com broke off"),
            (
                connect(Outcome::Connected { tools: Some(2) })
                    .with_auth(AuthFacts::default().with_withheld(Some("mintCommand".into()))),
                "connected without its mintCommand, which was not run: its folder is not trusted",
            ),
            (
                connect(Outcome::Version { offered: vec!["2023-01-01".into(), "2022-01-01".into()] }),
                "no protocol version in common; the server offers 2023-01-01 2022-01-01",
            ),
            (connect(Outcome::Version { offered: Vec::new() }), "no protocol version in common"),
            (
                connect(Outcome::Protocol { rpc_code: None }),
                "what answers at https://mcp.example.com does not speak MCP",
            ),
            (
                connect(Outcome::Spawn { cause: SpawnCause::NotFound }).with_detail("no such file"),
                "the command could not be started: no such file",
            ),
            (
                connect(Outcome::SlowStart { limit: Duration::from_secs(60) })
                    .with_limit(Some(
                        Limit::new(Duration::from_secs(60), LimitSubject::Start)
                            .with_setting(Some("PATIENCE".into())),
                    ))
                    .with_detail("pulling image"),
                "the command was started and did not speak MCP within 60 s (PATIENCE allows more): pulling image",
            ),
            (
                connect(Outcome::SlowStart { limit: Duration::from_secs(60) }),
                "the command was started and did not speak MCP within 60 s",
            ),
            (
                connect(Outcome::Exited { code: Some(3), signal: None }).with_detail("boom"),
                "the command exited with code 3 while it started: boom",
            ),
            (
                Evidence::new(Phase::Session, Outcome::Exited { code: Some(3), signal: None }),
                "the command exited with code 3",
            ),
            (
                connect(Outcome::ToolsUnavailable {
                    cause: Box::new(Outcome::SessionRefused { status: 404 }),
                })
                .with_detail("session not found"),
                "the server answers the handshake and refuses every request after it (404): session not found",
            ),
            (connect(Outcome::SelfReference), "the command leads back to the entry that starts it"),
            (connect(Outcome::SelfReference).with_detail("f:3: a → b → a"), "f:3: a → b → a"),
            (connect(Outcome::Misconfigured), "the settings of this server cannot be used"),
        ];
        for (evidence, expected) in table {
            assert_eq!(said(&evidence), expected);
        }
    }

    #[test]
    fn fh_h7_a_wait_is_told_as_long_as_it_is() {
        for (milliseconds, expected) in [
            (0, "0.1 s"),
            (40, "0.1 s"),
            (101, "0.2 s"),
            (250, "0.3 s"),
            (900, "0.9 s"),
            (901, "1 s"),
            (1_001, "2 s"),
            (120_000, "120 s"),
            (120_001, "3 min"),
            (3_600_000, "60 min"),
            (86_400_000, "24 h"),
        ] {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), expected, "{milliseconds}");
        }
    }

    #[test]
    fn fa_a63_what_a_server_said_comes_before_what_is_known_here() {
        let auth = by("minter").with_unchanged(true).with_doubts(vec!["the token has ended".to_owned()]);
        let refused = connect(challenged(ChallengeKind::Unauthorized, 401)).with_auth(auth);
        assert_eq!(
            said(&refused.clone().with_detail("no such key")),
            "the server refused the headers that mintCommand returned (401): no such key; it was run again and returned the very same; the token has ended"
        );
        let listed = Outcome::ToolsUnavailable { cause: Box::new(refused.outcome.clone()) };
        let listed = Evidence { outcome: listed, ..refused };
        assert!(
            said(&listed).ends_with("; it was run again and returned the very same; the token has ended")
        );
    }

    #[test]
    fn a_variable_that_is_not_set_is_told_first_and_once() {
        let doubts = vec!["`Authorization` holds a variable that is not set here: WIKI_TOKEN".to_owned()];
        let refused = |provider, unset: &str| {
            let auth = by(provider).with_unset(Some(unset.to_owned())).with_doubts(doubts.clone());
            connect(challenged(ChallengeKind::Unauthorized, 401))
                .with_auth(auth)
                .with_detail("the token expired")
        };
        let seen = refused("fixed", "WIKI_TOKEN");
        assert_eq!(
            said(&seen),
            "WIKI_TOKEN has no value here, and the server refused the headers that are set for it (401): the token expired"
        );
        let facts = crate::ActionFacts::new(crate::TransportKind::Remote)
            .with_status(crate::ServerStatus::NeedsAuth, Some(ReasonCode::CredentialsRejected))
            .with_configured(true, false);
        let next = |seen: &Evidence| crate::next_step(&facts, Some(seen)).map(|step| step.to_string());
        assert_eq!(next(&seen).as_deref(), Some("set WIKI_TOKEN"));
        // What a command prints, and what is not a name, stay doubts; so does what no one refused.
        for seen in [refused("minter", "WIKI_TOKEN"), refused("fixed", "A; rm"), refused("fixed", "")] {
            assert!(
                said(&seen).starts_with("the server refused") && said(&seen).ends_with("WIKI_TOKEN"),
                "{seen:?}"
            );
            assert_eq!(next(&seen).as_deref(), Some("change the headers of the entry"));
        }
        let lost = Evidence { outcome: Outcome::Unreachable, ..seen };
        assert!(!said(&lost).contains("WIKI_TOKEN"), "{}", said(&lost));
        assert_eq!(next(&lost).as_deref(), Some("change the headers of the entry"));
    }

    #[test]
    fn fa_a112_a_limit_that_ran_out_is_told_with_what_moves_it() {
        for (milliseconds, of, setting, expected) in [
            (30_000, LimitSubject::Attempt, Some("PATIENCE"), "within 30 s (PATIENCE allows more)"),
            (30, LimitSubject::Attempt, Some("PATIENCE"), "within 30 ms (PATIENCE allows more)"),
            (60_000, LimitSubject::Silence, Some("a longer wait"), "within 60 s (a longer wait allows more)"),
            (1_500, LimitSubject::Caller, Some("PATIENCE"), "within 1500 ms (as its caller wanted)"),
            (2_000, LimitSubject::Entry, Some("limit of its entry"), "within 2 s (limit of its entry)"),
            (2_000, LimitSubject::Requests, Some("CALLS"), "within 2 s (CALLS)"),
            // A program that has no setting is told of none.
            (30_000, LimitSubject::Attempt, None, "within 30 s"),
            (2_000, LimitSubject::Requests, None, "within 2 s"),
            // The name may come from another process.
            (2_000, LimitSubject::Requests, Some("CALLS\u{1b}[2J\n"), "within 2 s (CALLS)"),
        ] {
            let limit =
                Limit::new(Duration::from_millis(milliseconds), of).with_setting(setting.map(Into::into));
            let evidence = connect(Outcome::Timeout).with_limit(Some(limit)).with_attempts(4);
            let expected = format!("no answer from https://mcp.example.com {expected}, 4 times");
            assert_eq!(said(&evidence), expected);
        }
    }

    #[test]
    fn fh_h2_that_a_source_supplied_the_same_again_is_told() {
        let refused = |auth: AuthFacts| {
            said(&connect(challenged(ChallengeKind::Unauthorized, 401)).with_auth(auth.with_unchanged(true)))
        };
        assert_eq!(
            refused(by("minter")),
            "the server refused the headers that mintCommand returned (401); it was run again and returned the very same"
        );
        assert_eq!(
            refused(by("vault")),
            "the server refused the credentials of vault (401); asked for others, their source supplied the very same"
        );
        // A firewall has not looked at them.
        let blocked = connect(challenged(ChallengeKind::Blocked, 403));
        let text = said(&blocked.with_auth(by("minter").with_unchanged(true)));
        assert!(!text.contains("same"), "{text}");
    }

    #[test]
    fn f004_a_failing_helper_is_named_with_its_exit_code_and_first_stderr_line() {
        let auth = by("minter").with_exit_code(Some(3));
        let evidence = connect(Outcome::CredentialSourceFailed).with_auth(auth);
        assert_eq!(said(&evidence), "mintCommand failed with exit code 3");
        let account = "run the mint command: it exited with code 3 (stderr: vault is sealed)";
        assert_eq!(said(&evidence.with_detail(account)), format!("failed to {account}"));
    }

    #[test]
    fn s_n17_k10_a_store_that_cannot_be_read_is_told_by_its_file() {
        let evidence = connect(Outcome::CredentialsFailed).with_auth(by("person"));
        assert_eq!(said(&evidence), "the credentials could not be obtained");
        let account = "read /home/me/.local/state/acme/tokens/web-1.json: it is damaged";
        assert_eq!(said(&evidence.with_detail(account)), format!("failed to {account}"));
    }

    #[test]
    fn f037_a_challenge_of_another_scheme_names_it() {
        let basic = |auth: AuthFacts| auth.with_scheme(Some("Basic".into()));
        let outcome = challenged(ChallengeKind::Unauthorized, 401);
        assert_eq!(
            said(&connect(outcome.clone()).with_auth(basic(AuthFacts::default()))),
            "the server asks for Basic credentials, and none were sent (401)"
        );
        assert_eq!(
            said(&connect(outcome).with_auth(basic(by("fixed")))),
            "the server refused the headers that are set for it (401); it asks for Basic credentials"
        );
    }

    #[test]
    fn f041_a_blocked_request_carries_no_advice_to_sign_in() {
        let text = said(&connect(challenged(ChallengeKind::Blocked, 403)));
        for word in ["sign", "login", "log in", "authenticat"] {
            assert!(!text.contains(word), "{text}");
        }
    }

    #[test]
    fn f042_a_404_names_the_origin() {
        assert_eq!(said(&connect(http(404))), "no MCP endpoint at https://mcp.example.com (404)");
        let at = |endpoint| {
            let context =
                MessageContext::new("web").with_origin(Some("https://h")).with_endpoint(Some(endpoint));
            message(&connect(http(404)), &context)
        };
        assert_eq!(
            at("https://h/v1/mcp?k=[redacted]"),
            "no MCP endpoint at https://h/v1/mcp?k=[redacted] (404)"
        );
        assert_eq!(
            at("https://h/"),
            "no MCP endpoint at https://h/, and many servers have theirs at /mcp (404)"
        );
    }

    #[test]
    fn what_did_not_answer_is_named_with_its_path() {
        let at = |outcome| {
            let context = MessageContext::new("web")
                .with_origin(Some("https://h"))
                .with_endpoint(Some("https://h/v1/mcp?k=[redacted]"));
            message(&connect(outcome), &context)
        };
        assert_eq!(at(Outcome::Unreachable), "no connection to https://h/v1/mcp");
        assert_eq!(at(Outcome::Dropped), "the connection to https://h/v1/mcp broke off");
        assert_eq!(at(Outcome::Timeout), "no answer from https://h/v1/mcp in time");
        // Certificates are an origin's.
        assert_eq!(at(Outcome::Tls), "the TLS connection to https://h failed");
        assert_eq!(
            at(Outcome::Misaddressed { header: AddressHeader::Host, status: 421 }),
            "the server takes no requests for the host name in https://h (421)"
        );
    }

    #[test]
    fn f060_insufficient_scope_names_the_scope() {
        let scopes = vec!["files:read".to_owned(), "files:write".to_owned()];
        let sent = AuthFacts::new(true, Some("minter".into()));
        let text = said(
            &connect(challenged(ChallengeKind::InsufficientScope { scopes }, 403)).with_auth(sent.clone()),
        );
        assert_eq!(text, "the token lacks the scope files:read files:write that the server asks for (403)");
        let unnamed = ChallengeKind::InsufficientScope { scopes: Vec::new() };
        assert!(said(&connect(challenged(unnamed, 403)).with_auth(sent)).contains("scope"));
    }

    #[test]
    fn f060_what_lacks_a_scope_is_a_token_that_was_sent() {
        let asking = |scopes: &[&str]| {
            let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            connect(challenged(ChallengeKind::InsufficientScope { scopes }, 403))
        };
        for (evidence, expected) in [
            (
                asking(&["files:write"]),
                "the server asks for credentials with the scope files:write, and none were sent (403)",
            ),
            (asking(&[]), "the server asks for credentials, and none were sent (403)"),
            (
                asking(&["files:write"])
                    .with_auth(AuthFacts::default().with_withheld(Some("mintCommand".into()))),
                "the server asks for credentials (403), and mintCommand was not run because its folder is not trusted",
            ),
        ] {
            assert_eq!(said(&evidence), expected);
        }
    }

    #[test]
    fn fa_a112_a_source_that_was_cut_short_is_told_with_what_allows_more() {
        let detail = "get credentials from minter: it did not answer within 2 s";
        let cut = |setting: Option<&'static str>| {
            let limit = Limit::new(Duration::from_secs(2), LimitSubject::Attempt);
            connect(Outcome::CredentialSourceFailed)
                .with_auth(by("minter"))
                .with_detail(detail)
                .with_limit(Some(limit.with_setting(setting.map(Into::into))))
        };
        assert_eq!(said(&cut(Some("PATIENCE"))), format!("failed to {detail} (PATIENCE allows more)"));
        assert_eq!(said(&cut(None)), format!("failed to {detail}"));
    }

    #[test]
    fn f063_a_json_rpc_error_keeps_its_code_and_text() {
        let evidence =
            connect(Outcome::Protocol { rpc_code: Some(-32602) }).with_detail("unknown capability");
        assert_eq!(said(&evidence), "the server answered with the JSON-RPC error -32602: unknown capability");
    }

    #[test]
    fn a_strangers_text_stays_one_harmless_line_of_bounded_length() {
        let hostile = "one\r\n\u{1b}[31mtwo\u{202e}\t three\u{0}";
        let text = said(&connect(Outcome::Unreachable).with_detail(hostile));
        assert_eq!(text, "no connection to https://mcp.example.com: one two three");
        let long = said(&connect(Outcome::Unreachable).with_detail("x".repeat(5000)));
        assert!(long.ends_with("xx…") && long.len() < 400, "{long}");
        let offered = Outcome::Version { offered: vec!["\u{1b}]0;x\u{7}".into()] };
        assert!(!said(&connect(offered)).contains('\u{1b}'));
    }
}
