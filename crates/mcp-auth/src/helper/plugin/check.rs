//! The rules that a plug-in keeps, tried on one: for its author.

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};

use super::answer::SAYS_NO_MORE;
use super::{Link, PluginSource, started};
use crate::settings::PluginSpec;
use crate::{
    AuthError, AuthErrorKind, Capabilities, CredentialSource as _, Credentials, FetchReason, Rejection,
    Target,
};

/// One rule, and what was seen.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PluginFinding {
    /// The rule, in words.
    pub rule: &'static str,
    /// What is wrong; none where it is kept. No part of it is a secret.
    pub broken: Option<String>,
}

/// Tries each rule on the plug-in of `spec`, for a server at the address of `target`, which is not contacted.
pub async fn check_plugin(spec: &PluginSpec, target: &Target) -> Vec<PluginFinding> {
    let mut findings = Vec::new();
    let mut found = |rule, outcome: Result<(), String>| {
        let kept = outcome.is_ok();
        findings.push(PluginFinding { rule, broken: outcome.err() });
        kept
    };
    let hello = match started(spec, target).await {
        Ok((process, hello)) => {
            process.stop().await;
            of_hello(&hello)
        }
        Err(error) => Err(error.to_string()),
    };
    if !found("its `hello` says what it can do, in members of their types", hello) {
        return findings;
    }
    let source = PluginSource { link: Link::new(spec, target) };
    let first = source.fetch(FetchReason::First).await;
    let words = |error: &AuthError| error.to_string();
    if !found("it answers `hello` and `get` with headers, or with an error of its own", usable(&first)) {
        return findings;
    }
    let again = source.fetch(FetchReason::Expired).await;
    found("asked again, it answers again", usable(&again));
    let unknown = source.link.ask("no-such-method", json!({})).await;
    let alive = source.fetch(FetchReason::Expired).await;
    found(
        "a method that it does not know is an error, and it lives on",
        match (unknown, alive) {
            (Ok(_), _) => Err("it answered a method that there is not".to_owned()),
            (Err(error), _) if is_broken(&error) => Err(words(&error)),
            (_, alive) => usable(&alive),
        },
    );
    let none = Credentials::none();
    let used = first.as_ref().unwrap_or(&none);
    let mut headers = HeaderMap::new();
    headers.insert("www-authenticate", HeaderValue::from_static("Bearer error=\"invalid_token\""));
    let refused = Rejection::new(StatusCode::UNAUTHORIZED, &[], &headers, used);
    let answered = source.fetch(FetchReason::Rejected(refused)).await;
    found("a refusal is answered with headers, or with an error of its own", usable(&answered));
    if let Ok(signing) = &first
        && signing.signs()
    {
        let body = bytes::Bytes::from_static(b"{}");
        let mut signed = HeaderMap::new();
        let outcome = signing.sign(&Method::POST, &target.url, &mut signed, &body).await;
        let outcome = outcome.map_err(|error| words(&error));
        found(
            "what says that it signs signs a request",
            outcome.and_then(|()| match signed.is_empty() {
                true => Err("it set no header".to_owned()),
                false => Ok(()),
            }),
        );
    }
    findings
}

/// What is passed over, or cut, where it works for a server.
fn of_hello(hello: &Map<String, Value>) -> Result<(), String> {
    let most = u64::from(Capabilities::MOST_RECOVERIES);
    let fits = |legs: &Value| legs.as_u64().is_some_and(|legs| (1..=most).contains(&legs));
    if hello.get("legs").is_some_and(|legs| !fits(legs)) {
        return Err(format!("its `legs` are no number from 1 to {most}"));
    }
    let odd =
        ["login", "logout"].into_iter().find(|name| hello.get(*name).is_some_and(|flag| !flag.is_boolean()));
    odd.map_or(Ok(()), |name| Err(format!("its `{name}` is neither true nor false")))
}

/// Whether it is an answer of the protocol: an error in words of its own is one.
fn usable(outcome: &Result<Credentials, AuthError>) -> Result<(), String> {
    match outcome {
        Err(error) if is_broken(error) => Err(error.to_string()),
        Err(error) if error.to_string().ends_with(SAYS_NO_MORE) => {
            Err("its error has no `message`, which is all that a person reads".to_owned())
        }
        Ok(given) if given.expires_at().is_some_and(|end| end <= SystemTime::now()) => {
            Err("its `expiresAt` is in the past".to_owned())
        }
        _ => Ok(()),
    }
}

fn is_broken(error: &AuthError) -> bool {
    matches!(error.kind(), AuthErrorKind::Protocol | AuthErrorKind::TimedOut)
}
