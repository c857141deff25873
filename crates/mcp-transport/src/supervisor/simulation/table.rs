//! The faults, and what each comes to: one row for each outcome of a wire, by whatever way and in whatever phase.
//!
//! What needs a process or a file (a command that is not found, an entry that is not approved) has no row: there is no network
//! in it.

use mcp_auth::AuthErrorKind;
use mcp_status::ReasonCode;

use super::world::{Fault, Way};

/// With what a server is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Supply {
    Nothing,
    /// A header of the entry.
    Fixed,
    /// A source that is asked again.
    Source,
}

/// A fault that lasts, and what a person is told about it.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) fault: Fault,
    pub(super) supply: Supply,
    pub(super) code: ReasonCode,
    /// Whether it is tried again without a person.
    pub(super) retried: bool,
    /// The same, where it begins in a session; `Some(None)`: the connection stands, and calls alone fail.
    pub(super) in_session: Option<Option<ReasonCode>>,
    pub(super) ways: fn(Way) -> bool,
}

impl Row {
    fn new(name: &'static str, fault: Fault, code: ReasonCode) -> Self {
        let (supply, retried) = (Supply::Nothing, false);
        Self { name, fault, supply, code, retried, in_session: None, ways: Way::is_http }
    }

    fn with(self, supply: Supply) -> Self {
        Self { supply, ..self }
    }

    fn retried(self) -> Self {
        Self { retried: true, ..self }
    }

    fn in_session(self, code: Option<ReasonCode>) -> Self {
        Self { in_session: Some(code), ..self }
    }

    fn over(self, ways: fn(Way) -> bool) -> Self {
        Self { ways, ..self }
    }
}

const SIGN_IN: &[(&str, &str)] =
    &[("www-authenticate", "Bearer resource_metadata=\"https://simulated.example/.well-known/x\"")];
const SCOPE: &[(&str, &str)] =
    &[("www-authenticate", "Bearer error=\"insufficient_scope\", scope=\"files:write\"")];
const PAGE: &[(&str, &str)] = &[("content-type", "text/html")];
const TEXT: &[(&str, &str)] = &[("content-type", "text/plain")];
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const SSO: &[(&str, &str)] = &[("location", "https://sso.example/in")];
const ELSEWHERE: &[(&str, &str)] = &[("location", "https://elsewhere.example/mcp")];
const WAIT: &[(&str, &str)] = &[("retry-after", "7")];
const LOGIN: &str = "<html><title>Sign in</title><form><input type=\"password\"></form></html>";

/// Every row.
pub(super) fn rows() -> Vec<Row> {
    use Fault::{Cut, Http, NoTools, Refused, Reset, Rpc, Silent, Source, Stalled, Tls, Unresolved, Version};
    use ReasonCode as Code;
    let any = |_| true;
    let row = Row::new;
    let mut rows = vec![
        row("refused", Refused, Code::Unreachable).retried(),
        row("unresolved", Unresolved, Code::Unreachable).retried(),
        row("reset", Reset, Code::Unreachable).retried().over(any),
        row("cut", Cut(20), Code::Unreachable).retried().over(|way| way != Way::HttpSse),
        row("silent", Silent, Code::Timeout).retried().over(any),
        row("stalled", Stalled(20), Code::Timeout).retried().over(|way| way != Way::HttpSse),
        row("tls", Tls, Code::Tls),
        row("401", Http(401, TEXT, "who"), Code::Unauthorized),
        row("401 with a header", Http(401, TEXT, "who"), Code::CredentialsRejected).with(Supply::Fixed),
        row("401 with a source", Http(401, TEXT, "who"), Code::CredentialsRejected).with(Supply::Source),
        row("401 and a sign-in", Http(401, SIGN_IN, "who"), Code::Unauthorized).with(Supply::Fixed),
        row("403", Http(403, TEXT, "no"), Code::Forbidden),
        row("403 with a source", Http(403, TEXT, "no"), Code::CredentialsRejected).with(Supply::Source),
        row("403 scope", Http(403, SCOPE, ""), Code::InsufficientScope).with(Supply::Source),
        row("403 host", Http(403, TEXT, "Invalid Host header"), Code::Rejected),
        row("403 page", Http(403, PAGE, "<html><title>Blocked</title></html>"), Code::Blocked)
            .with(Supply::Fixed),
        row("302 elsewhere", Http(302, SSO, ""), Code::LoginRedirect),
        row("200 sign-in page", Http(200, PAGE, LOGIN), Code::LoginRedirect),
        row("308 elsewhere", Http(308, ELSEWHERE, ""), Code::Moved),
        row("404", Http(404, TEXT, "nothing here"), Code::NotFound),
        row("407", Http(407, TEXT, "proxy"), Code::ProxyAuth),
        row("410", Http(410, TEXT, "gone"), Code::Rejected),
        row("422", Http(422, TEXT, "no"), Code::Rejected),
        row("other text", Http(200, TEXT, "hello"), Code::Protocol),
        row("bad JSON", Http(200, JSON, "{\"jsonrpc\": "), Code::Protocol),
        row("no JSON-RPC", Http(200, JSON, "{\"ok\": true}"), Code::Protocol),
        row("version", Version, Code::Version).over(any).in_session(None),
        row("tools", NoTools, Code::ToolsUnavailable).over(any).in_session(None),
        row("rpc", Rpc(-32603), Code::Protocol).over(any).in_session(None),
    ];
    for (name, status) in [("408", 408), ("425", 425), ("500", 500), ("502", 502), ("503", 503), ("504", 504)]
    {
        rows.push(Row::new(name, Http(status, TEXT, "later"), Code::Unavailable).retried());
    }
    rows.push(Row::new("503 later", Http(503, WAIT, "later"), Code::Unavailable).retried());
    rows.push(Row::new("429", Http(429, WAIT, "slow"), Code::RateLimited).retried().in_session(None));
    for (name, kind, code) in [
        ("source failed", AuthErrorKind::SourceFailed, Code::CredentialsFailed),
        ("source timed out", AuthErrorKind::TimedOut, Code::CredentialsFailed),
        ("store", AuthErrorKind::Store, Code::CredentialsFailed),
        ("sign-in expired", AuthErrorKind::SignInExpired, Code::SignInExpired),
        ("wrong account", AuthErrorKind::WrongAccount, Code::WrongAccount),
        ("certificate of the authorization server", AuthErrorKind::Tls, Code::Tls),
    ] {
        // In a session the credentials in hand serve on.
        rows.push(Row::new(name, Source(kind), code).with(Supply::Source).in_session(None));
    }
    let unavailable = Source(AuthErrorKind::Unavailable);
    rows.push(
        Row::new("authorization server", unavailable, Code::Unavailable)
            .with(Supply::Source)
            .retried()
            .in_session(None),
    );
    rows
}
