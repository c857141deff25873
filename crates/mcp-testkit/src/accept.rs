//! Which credentials a fake server accepts, and how it refuses the others. Both may change while it runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::request::Parts;
use serde_json::Value;

mod aws;

pub use self::aws::AwsVerifier;
use crate::sync::lock;

/// The rule by which a fake server accepts a request.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Accept {
    /// Every request, with or without credentials.
    #[default]
    Any,
    /// No request at all.
    Nothing,
    /// Requests that carry every one of these headers with exactly this value.
    Headers(Vec<(String, String)>),
    /// Requests whose header has one of these values.
    OneOf {
        /// The header's name.
        name: String,
        /// The accepted values.
        values: Vec<String>,
    },
    /// `Authorization: Bearer PREFIX<unix seconds>`, for as long after that moment as `valid_for` says. A shell script
    /// can mint such a token (`date +%s`), so a headers helper needs no server to get one from.
    Stamped {
        /// What precedes the time stamp.
        prefix: String,
        /// How long a token lives.
        valid_for: Duration,
    },
    /// Bearer tokens in the form of a JWT with this text as their signature and an `exp` in the future.
    Jwt {
        /// The third segment, compared as text.
        signature: String,
    },
    /// Bearer tokens that are live in a ledger, with the scopes they were issued for.
    Issued(TokenLedger),
    /// The same, for tokens of this resource only: a server must refuse tokens that were issued for another resource
    /// (MCP authorization, "Token Handling").
    IssuedFor {
        /// The tokens.
        ledger: TokenLedger,
        /// The resource, compared as text.
        resource: String,
    },
    /// Requests that are signed for AWS (Signature Version 4), method, path, query, headers and body.
    AwsSigned(AwsVerifier),
    /// What one of these rules accepts.
    Either(Vec<Accept>),
}

impl Accept {
    /// Requests with `Authorization: Bearer TOKEN`.
    pub fn bearer(token: impl AsRef<str>) -> Self {
        Self::header("authorization", format!("Bearer {}", token.as_ref()))
    }

    /// Requests with this header.
    pub fn header(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Headers(vec![(name.into(), value.into())])
    }

    /// Requests with one of these bearer tokens.
    pub fn any_bearer<T: AsRef<str>>(tokens: impl IntoIterator<Item = T>) -> Self {
        let values = tokens.into_iter().map(|token| format!("Bearer {}", token.as_ref())).collect();
        Self::OneOf { name: "authorization".to_owned(), values }
    }

    /// Judges a whole request.
    pub(crate) fn judge_request(
        &self,
        request: &Parts,
        body: &[u8],
        needed_scope: Option<&str>,
    ) -> Judgement {
        match self {
            Self::AwsSigned(verifier) if verifier.verifies(request, body) => Judgement::Accepted,
            rule => rule.judge(&request.headers, needed_scope),
        }
    }

    /// Judges a request by its headers.
    fn judge(&self, headers: &HeaderMap, needed_scope: Option<&str>) -> Judgement {
        let accepted = match self {
            Self::Any => true,
            // Without the body there is nothing to verify.
            Self::Nothing | Self::AwsSigned(_) => false,
            Self::Headers(wanted) => wanted.iter().all(|(name, value)| carries(headers, name, value)),
            Self::OneOf { name, values } => values.iter().any(|value| carries(headers, name, value)),
            Self::Stamped { prefix, valid_for } => {
                bearer(headers).is_some_and(|token| is_fresh(token, prefix, *valid_for))
            }
            Self::Jwt { signature } => {
                bearer(headers).is_some_and(|token| is_unexpired_jwt(token, signature))
            }
            Self::Issued(ledger) => return judge_token(ledger, None, headers, needed_scope),
            Self::IssuedFor { ledger, resource } => {
                return judge_token(ledger, Some(resource), headers, needed_scope);
            }
            Self::Either(rules) => {
                let mut judged = rules.iter().map(|rule| rule.judge(headers, needed_scope));
                let accepted = |judgement: &Judgement| *judgement == Judgement::Accepted;
                return judged.find(accepted).unwrap_or(Judgement::Refused);
            }
        };
        if accepted { Judgement::Accepted } else { Judgement::Refused }
    }
}

/// `"B"` is short for [`Accept::bearer`].
impl From<&str> for Accept {
    fn from(token: &str) -> Self {
        Self::bearer(token)
    }
}

impl From<TokenLedger> for Accept {
    fn from(ledger: TokenLedger) -> Self {
        Self::Issued(ledger)
    }
}

/// What an acceptance rule says about one request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Judgement {
    Accepted,
    Refused,
    /// Valid credentials that lack this scope: the case for step-up authorization.
    ScopeMissing(String),
}

/// Judges a token by what its ledger says.
fn judge_token(
    ledger: &TokenLedger,
    resource: Option<&str>,
    headers: &HeaderMap,
    needed_scope: Option<&str>,
) -> Judgement {
    let Some(facts) = bearer(headers).and_then(|token| ledger.facts(token)) else {
        return Judgement::Refused;
    };
    if resource.is_some() && facts.resource.as_deref() != resource {
        return Judgement::Refused;
    }
    match needed_scope {
        Some(scope) if !facts.has_scope(scope) => Judgement::ScopeMissing(scope.to_owned()),
        _ => Judgement::Accepted,
    }
}

/// Exactly one such header, with exactly this value. A duplicate is refused, as a server behind a strict gateway would.
fn carries(headers: &HeaderMap, name: &str, value: &str) -> bool {
    let mut values = headers.get_all(name).iter();
    values.next().is_some_and(|found| found.as_bytes() == value.as_bytes()) && values.next().is_none()
}

/// The token of an `Authorization: Bearer` header; the scheme's name is compared without case (RFC 9110, 11.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get("authorization")?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

fn is_fresh(token: &str, prefix: &str, valid_for: Duration) -> bool {
    let stamp = token.strip_prefix(prefix).and_then(|stamp| stamp.parse::<u64>().ok());
    let now = since_1970();
    // `date +%s` truncates, so a token may look up to a second older than it is; the half-open interval keeps the
    // promise "at most this long" and never "a little longer".
    stamp.is_some_and(|stamp| now.saturating_sub(Duration::from_secs(stamp)) < valid_for)
}

fn is_unexpired_jwt(token: &str, signature: &str) -> bool {
    let mut segments = token.split('.');
    let (Some(_), Some(payload), Some(signed), None) =
        (segments.next(), segments.next(), segments.next(), segments.next())
    else {
        return false;
    };
    let claims =
        URL_SAFE_NO_PAD.decode(payload).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let expires = claims.and_then(|claims| claims["exp"].as_u64());
    signed == signature && expires.is_some_and(|expires| since_1970() < Duration::from_secs(expires))
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Tokens that were issued, by an authorization server or by the test itself. Cloning shares.
#[derive(Clone, Debug, Default)]
pub struct TokenLedger(Arc<Mutex<HashMap<String, TokenFacts>>>);

/// What is known about an issued token.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TokenFacts {
    /// When it ends; `None` never.
    pub expires: Option<Instant>,
    /// The scopes it was issued for.
    pub scopes: Vec<String>,
    /// The resource it was issued for (RFC 8707).
    pub resource: Option<String>,
    /// The client it was issued to.
    pub client: Option<String>,
}

impl TokenFacts {
    /// Whether the token was issued for this scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }
}

impl TokenLedger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a token that lives for `valid_for`, or without end.
    pub fn issue(&self, token: impl Into<String>, valid_for: Option<Duration>) {
        let expires = valid_for.map(|valid_for| Instant::now() + valid_for);
        self.insert(token, TokenFacts { expires, ..TokenFacts::default() });
    }

    /// Adds a token with all its facts.
    pub(crate) fn insert(&self, token: impl Into<String>, facts: TokenFacts) {
        lock(&self.0).insert(token.into(), facts);
    }

    /// Withdraws a token; whether it was there.
    pub fn revoke(&self, token: &str) -> bool {
        lock(&self.0).remove(token).is_some()
    }

    /// Withdraws every token: what a server's "sign out everyone" does.
    pub fn revoke_all(&self) {
        lock(&self.0).clear();
    }

    /// The facts of a live token.
    #[must_use]
    pub fn facts(&self, token: &str) -> Option<TokenFacts> {
        let facts = lock(&self.0).get(token).cloned()?;
        facts.expires.is_none_or(|expires| Instant::now() < expires).then_some(facts)
    }

    /// Whether a token is live.
    #[must_use]
    pub fn is_live(&self, token: &str) -> bool {
        self.facts(token).is_some()
    }
}

/// The answer to credentials that are not accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Refusal {
    /// The status, 401 or 403 as a rule.
    pub status: u16,
    /// The `WWW-Authenticate` header lines, none or several.
    pub challenges: Vec<String>,
    /// The `Content-Type` of the body.
    pub content_type: String,
    /// The body.
    pub body: String,
}

impl Refusal {
    /// 401 with the bare challenge `Bearer`.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::status(401).challenge("Bearer")
    }

    /// 403 without a challenge.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::status(403)
    }

    /// This status, no challenge, a JSON body that says nothing.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            status,
            challenges: Vec::new(),
            content_type: "application/json".to_owned(),
            body: "{}".to_owned(),
        }
    }

    /// Adds a `WWW-Authenticate` line.
    #[must_use]
    pub fn challenge(mut self, challenge: impl Into<String>) -> Self {
        self.challenges.push(challenge.into());
        self
    }

    /// Replaces the body: a firewall's HTML page, say.
    #[must_use]
    pub fn body(mut self, content_type: impl Into<String>, body: impl Into<String>) -> Self {
        self.content_type = content_type.into();
        self.body = body.into();
        self
    }
}

impl Default for Refusal {
    fn default() -> Self {
        Self::unauthorized()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn accepts(rule: &Accept, pairs: &[(&'static str, &str)]) -> bool {
        rule.judge(&headers(pairs), None) == Judgement::Accepted
    }

    #[test]
    fn a_bearer_rule_wants_exactly_one_header_with_exactly_that_token() {
        let rule = Accept::from("B");
        assert!(accepts(&rule, &[("authorization", "Bearer B")]));
        assert!(!accepts(&rule, &[("authorization", "Bearer A")]));
        assert!(!accepts(&rule, &[("authorization", "Bearer BB")]));
        assert!(!accepts(&rule, &[("authorization", "Bearer B"), ("authorization", "Bearer A")]));
        assert!(!accepts(&rule, &[]));
    }

    #[test]
    fn rules_of_several_headers_and_of_several_values() {
        let both = Accept::Headers(vec![("x-a".into(), "1".into()), ("x-b".into(), "2".into())]);
        assert!(accepts(&both, &[("x-a", "1"), ("x-b", "2")]));
        assert!(!accepts(&both, &[("x-a", "1")]));
        let either = Accept::any_bearer(["A", "B"]);
        assert!(accepts(&either, &[("authorization", "Bearer A")]));
        assert!(!accepts(&either, &[("authorization", "Bearer C")]));
        assert!(accepts(&Accept::Any, &[]));
        assert!(!accepts(&Accept::Nothing, &[("authorization", "Bearer A")]));
    }

    #[test]
    fn either_rule_will_do() {
        let ledger = TokenLedger::new();
        ledger.issue("signed-in", None);
        let rule = Accept::Either(vec![Accept::bearer("minted"), Accept::Issued(ledger)]);
        assert!(accepts(&rule, &[("authorization", "Bearer minted")]));
        assert!(accepts(&rule, &[("authorization", "Bearer signed-in")]));
        assert!(!accepts(&rule, &[("authorization", "Bearer other")]));
        assert!(!accepts(&Accept::Either(Vec::new()), &[]));
    }

    #[test]
    fn a_stamped_token_is_accepted_until_it_is_as_old_as_the_rule_allows() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!(is_fresh(&format!("t-{now}"), "t-", Duration::from_secs(5)));
        assert!(!is_fresh(&format!("t-{}", now - 5), "t-", Duration::from_secs(5)));
        assert!(!is_fresh(&format!("u-{now}"), "t-", Duration::from_secs(5)));
        assert!(!is_fresh("t-soon", "t-", Duration::from_secs(5)));
    }

    #[test]
    fn a_jwt_is_accepted_until_it_expires_and_with_its_signature_only() {
        let now = since_1970().as_secs();
        assert!(is_unexpired_jwt(&crate::fake_jwt(now + 60, "s"), "s"));
        assert!(!is_unexpired_jwt(&crate::fake_jwt(now + 60, "s"), "t"));
        assert!(!is_unexpired_jwt(&crate::fake_jwt(now - 1, "s"), "s"));
        assert!(!is_unexpired_jwt("a.b", "b"));
    }

    #[test]
    fn a_ledger_forgets_expired_and_revoked_tokens() {
        let ledger = TokenLedger::new();
        ledger.issue("ever", None);
        ledger.issue("past", Some(Duration::ZERO));
        assert!(ledger.is_live("ever"));
        assert!(!ledger.is_live("past"));
        assert!(ledger.revoke("ever"));
        assert!(!ledger.is_live("ever"));
    }

    #[test]
    fn a_live_token_without_the_scope_is_a_case_for_step_up() {
        let ledger = TokenLedger::new();
        ledger.insert("t", TokenFacts { scopes: vec!["read".into()], ..TokenFacts::default() });
        let rule = Accept::from(ledger);
        let sent = headers(&[("authorization", "bearer t")]);
        assert_eq!(rule.judge(&sent, Some("read")), Judgement::Accepted);
        assert_eq!(rule.judge(&sent, Some("write")), Judgement::ScopeMissing("write".into()));
    }
}
