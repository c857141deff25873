//! The contract of [`AuthProvider`] as a test suite, for our providers and yours.
//!
//! Call [`check`] in a test, with a function that makes a fresh provider; every rule gets one of its own. It needs
//! a tokio runtime with time enabled. Nothing panics: what is broken comes back as a [`ContractError`] that
//! names each rule and what was seen.
//!
//! ```
//! # use mcp_auth::{StaticHeaders, contract::{self, Subject}};
//! # use http::{HeaderName, HeaderValue};
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! contract::check(|| {
//!     let key = (HeaderName::from_static("x-api-key"), HeaderValue::from_static("s3cret"));
//!     Subject::new(StaticHeaders::new([key])).with_secret("s3cret")
//! })
//! .await
//! .unwrap();
//! # });
//! ```

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::{AuthError, AuthProvider, Capabilities, Credentials, Recovery, Rejection};

/// How many callers are "load".
const CALLERS: usize = 50;
/// How long one call may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// A provider under test, and what the suite must know about it.
pub struct Subject {
    provider: Arc<dyn AuthProvider>,
    fetches: Box<dyn Fn() -> u64 + Send + Sync>,
    secrets: Vec<String>,
}

impl Subject {
    /// A subject whose [`snapshot`](AuthProvider::snapshot) says how many times it fetched.
    pub fn new(provider: impl AuthProvider) -> Self {
        Self::shared(Arc::new(provider))
    }

    /// The same for a provider that is shared already.
    pub fn shared(provider: Arc<dyn AuthProvider>) -> Self {
        let counted = provider.clone();
        Self { provider, fetches: Box::new(move || counted.snapshot().fetches), secrets: Vec::new() }
    }

    /// Counts the fetches where they happen, which is better evidence than what the provider says.
    #[must_use]
    pub fn counting(mut self, fetches: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.fetches = Box::new(fetches);
        self
    }

    /// A part of the credentials that must never be shown.
    #[must_use]
    pub fn with_secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// One rule of the contract.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Rule {
    /// The name is kebab-case: lowercase letters, digits, single hyphens.
    Name,
    /// Credentials that nothing has happened to are the same value, and cost no second fetch.
    Stable,
    /// Many callers at once cost one fetch.
    OneFetchUnderLoad,
    /// Many refusals of the same credentials cost one fetch, and all learn its result.
    OneRecoveryUnderLoad,
    /// A refusal of superseded credentials costs nothing.
    StaleRejection,
    /// A request that is always refused ends.
    BoundedRecoveries,
    /// A caller that goes away leaves the provider usable.
    CancelSafe,
    /// No `Debug`, `Display` or error shows a secret.
    NoSecretShown,
    /// A failure is an error, and the next attempt tries again.
    FailsAndTriesAgain,
    /// Every call ends.
    Ends,
}

/// One broken rule.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// What was seen.
    pub seen: String,
}

/// The rules that a provider breaks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContractError {
    violations: Vec<Violation>,
}

impl ContractError {
    /// Every broken rule, at least one.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

impl fmt::Display for ContractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the provider breaks the contract:")?;
        self.violations
            .iter()
            .try_for_each(|violation| write!(f, " {:?}: {};", violation.rule, violation.seen))
    }
}

impl Error for ContractError {}

/// What one rule found.
type Finding = Result<(), Violation>;

fn broken(rule: Rule, seen: impl Into<String>) -> Violation {
    Violation { rule, seen: seen.into() }
}

fn expect(rule: Rule, holds: bool, seen: impl FnOnce() -> String) -> Finding {
    if holds { Ok(()) } else { Err(broken(rule, seen())) }
}

/// Checks every rule against providers that work: whose source answers, again and again.
///
/// # Errors
///
/// The broken rules.
pub async fn check(new: impl Fn() -> Subject) -> Result<(), ContractError> {
    verdict([
        name(&new()),
        stable(&new()).await,
        one_fetch_under_load(&new()).await,
        one_recovery_under_load(&new()).await,
        stale_rejection(&new()).await,
        bounded_recoveries(&new()).await,
        cancel_safe(&new()).await,
        no_secret_shown(&new()).await,
    ])
}

/// Checks the rules that matter for providers that fail: whose source gives an error, again and again.
///
/// # Errors
///
/// The broken rules.
pub async fn check_failing(new: impl Fn() -> Subject) -> Result<(), ContractError> {
    verdict([fails_and_tries_again(&new()).await])
}

fn verdict(findings: impl IntoIterator<Item = Finding>) -> Result<(), ContractError> {
    let violations: Vec<_> = findings.into_iter().filter_map(Finding::err).collect();
    if violations.is_empty() { Ok(()) } else { Err(ContractError { violations }) }
}

async fn ends<T>(call: impl Future<Output = T>) -> Result<T, Violation> {
    timeout(PATIENCE, call)
        .await
        .map_err(|_| broken(Rule::Ends, format!("a call took more than {PATIENCE:?}")))
}

async fn credentials(subject: &Subject) -> Result<Credentials, Violation> {
    let outcome = ends(subject.provider.credentials()).await?;
    outcome.map_err(|error| broken(Rule::Stable, format!("a working provider failed ({:?})", error.kind())))
}

async fn reject(
    provider: &dyn AuthProvider,
    used: &Credentials,
    recoveries: u32,
) -> Result<Result<Recovery, AuthError>, Violation> {
    let headers = HeaderMap::new();
    let rejection = Rejection::new(StatusCode::UNAUTHORIZED, &[], &headers, used).after(recoveries);
    ends(provider.on_rejected(rejection)).await
}

fn word(outcome: &Result<Recovery, AuthError>) -> String {
    match outcome {
        Ok(Recovery::Retry(fresh)) => format!("retry with generation {}", fresh.generation()),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("error {:?}", error.kind()),
    }
}

fn name(subject: &Subject) -> Finding {
    let name = subject.provider.name();
    let kebab = name.split('-').all(|part| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    });
    expect(Rule::Name, kebab, || format!("`{name}`"))
}

async fn stable(subject: &Subject) -> Finding {
    let first = credentials(subject).await?;
    let fetches = (subject.fetches)();
    let second = credentials(subject).await?;
    let same = first.generation() == second.generation() && (subject.fetches)() == fetches;
    expect(Rule::Stable, same, || "the second call fetched again, or made a new generation".to_owned())
}

async fn one_fetch_under_load(subject: &Subject) -> Finding {
    let before = (subject.fetches)();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let provider = subject.provider.clone();
        callers
            .spawn(async move { provider.credentials().await.map(|credentials| credentials.generation()) });
    }
    let outcomes = ends(callers.join_all()).await?;
    let fetches = (subject.fetches)() - before;
    expect(Rule::OneFetchUnderLoad, fetches <= 1, || format!("{CALLERS} callers cost {fetches} fetches"))?;
    let first = outcomes.first().and_then(|outcome| outcome.as_ref().ok());
    let agreed = outcomes.iter().all(|outcome| outcome.as_ref().ok() == first && first.is_some());
    expect(Rule::OneFetchUnderLoad, agreed, || "callers got different generations, or errors".to_owned())
}

async fn one_recovery_under_load(subject: &Subject) -> Finding {
    let used = credentials(subject).await?;
    let before = (subject.fetches)();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (provider, used) = (subject.provider.clone(), used.clone());
        callers.spawn(async move { reject(&*provider, &used, 0).await.map(|outcome| word(&outcome)) });
    }
    let outcomes: Result<Vec<_>, _> = callers.join_all().await.into_iter().collect();
    let mut outcomes = outcomes?;
    let fetches = (subject.fetches)() - before;
    expect(Rule::OneRecoveryUnderLoad, fetches <= 1, || {
        format!("{CALLERS} refusals cost {fetches} fetches")
    })?;
    outcomes.sort();
    outcomes.dedup();
    expect(Rule::OneRecoveryUnderLoad, outcomes.len() == 1, || format!("different answers: {outcomes:?}"))
}

async fn stale_rejection(subject: &Subject) -> Finding {
    let used = credentials(subject).await?;
    let Ok(Recovery::Retry(fresh)) = reject(&*subject.provider, &used, 0).await? else { return Ok(()) };
    if fresh.same_headers(&used) {
        return Ok(());
    }
    let before = (subject.fetches)();
    let outcome = reject(&*subject.provider, &used, 0).await?;
    let current = matches!(&outcome, Ok(Recovery::Retry(current)) if current.same_headers(&fresh));
    expect(Rule::StaleRejection, current, || format!("{}, not the current credentials", word(&outcome)))?;
    expect(Rule::StaleRejection, (subject.fetches)() == before, || "it fetched again".to_owned())
}

async fn bounded_recoveries(subject: &Subject) -> Finding {
    let mut used = credentials(subject).await?;
    let bound = subject.provider.capabilities().bound().max(Capabilities::RECOVERIES);
    for recoveries in 0..=bound {
        match reject(&*subject.provider, &used, recoveries).await? {
            Ok(Recovery::Retry(fresh)) if !fresh.same_headers(&used) => used = fresh,
            _ => return Ok(()),
        }
    }
    let seen = format!("a request was offered more than {bound} recoveries");
    Err(broken(Rule::BoundedRecoveries, seen))
}

async fn cancel_safe(subject: &Subject) -> Finding {
    // A caller that goes away at once, and one that goes away after the work has begun.
    for patience in [Duration::ZERO, Duration::from_millis(2)] {
        let _ = timeout(patience, subject.provider.credentials()).await;
        let used =
            credentials(subject).await.map_err(|violation| after_cancelling("credentials", &violation))?;
        let _ = timeout(patience, reject(&*subject.provider, &used, 0)).await;
        let again = reject(&*subject.provider, &used, 0).await;
        let again = again.map_err(|violation| after_cancelling("on_rejected", &violation))?;
        expect(Rule::CancelSafe, again.is_ok(), || {
            format!("after a cancelled `on_rejected`: {}", word(&again))
        })?;
        credentials(subject).await.map_err(|violation| after_cancelling("on_rejected", &violation))?;
    }
    Ok(())
}

fn after_cancelling(call: &str, violation: &Violation) -> Violation {
    broken(Rule::CancelSafe, format!("after a cancelled `{call}`: {}", violation.seen))
}

async fn no_secret_shown(subject: &Subject) -> Finding {
    let used = credentials(subject).await?;
    let outcome = reject(&*subject.provider, &used, 0).await?;
    let provider = &subject.provider;
    let shown = format!(
        "{provider:?} {provider:#?} {used:?} {outcome:?} {:?} {}",
        provider.snapshot(),
        provider.name()
    );
    hidden(subject, &shown)
}

fn hidden(subject: &Subject, shown: &str) -> Finding {
    // The secret itself is not repeated here: this ends up in the log of a test run.
    let leaked = subject.secrets.iter().position(|secret| shown.contains(secret.as_str()));
    expect(Rule::NoSecretShown, leaked.is_none(), || {
        format!("secret number {} shows", leaked.unwrap_or_default() + 1)
    })
}

async fn fails_and_tries_again(subject: &Subject) -> Finding {
    for attempt in 1..=2 {
        let before = (subject.fetches)();
        let Err(error) = ends(subject.provider.credentials()).await? else {
            return Err(broken(Rule::FailsAndTriesAgain, "a failing source gave credentials"));
        };
        let tried = (subject.fetches)() > before;
        expect(Rule::FailsAndTriesAgain, tried, || format!("attempt {attempt} did not ask the source"))?;
        let mut shown = format!("{error} {error:?} {:?}", subject.provider);
        let mut cause = error.source();
        while let Some(error) = cause {
            shown.push_str(&format!(" {error} {error:?}"));
            cause = error.source();
        }
        hidden(subject, &shown)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
