//! Our providers keep the contract, and a provider that breaks one rule is caught for that rule.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderName, HeaderValue};

use super::*;
use crate::{
    AuthErrorKind, AuthFuture, AuthPlan, AuthSettings, Capabilities, CredentialSource, FetchReason, Parts,
    Secret, SingleFlight, StaticHeaders, Target,
};

fn minted(name: &'static str, number: u64) -> Credentials {
    let value = HeaderValue::from_str(&format!("Bearer canary-{number}")).unwrap();
    Credentials::new(name, [(HeaderName::from_static("authorization"), value)])
}

/// A source whose every fetch gives another token, or fails.
#[derive(Clone, Debug, Default)]
struct Counter {
    fetches: Arc<AtomicU64>,
    fails: bool,
}

impl CredentialSource for Counter {
    fn name(&self) -> &str {
        "counter"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(async {
            let number = self.fetches.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
            match self.fails {
                true => Err(AuthError::new(AuthErrorKind::SourceFailed, "count")),
                false => Ok(minted("counter", number)),
            }
        })
    }
}

fn counted(source: &Counter, subject: Subject) -> Subject {
    let fetches = source.fetches.clone();
    subject.counting(move || fetches.load(Ordering::SeqCst)).with_secret("canary")
}

#[tokio::test(start_paused = true)]
async fn single_flight_keeps_the_contract() {
    let new = |fails| {
        let source = Counter { fails, ..Counter::default() };
        counted(&source, Subject::new(SingleFlight::new(source.clone())))
    };
    check(|| new(false)).await.unwrap();
    check_failing(|| new(true)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn static_headers_keep_the_contract() {
    let header = || (HeaderName::from_static("authorization"), HeaderValue::from_static("Bearer canary"));
    check(|| Subject::new(StaticHeaders::new([header()])).with_secret("canary")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn chains_keep_the_contract() {
    use crate::chain::{Chain, Fallback};

    let base = || {
        Credentials::new("static-headers", [(HeaderName::from_static("x-team"), "canary".parse().unwrap())])
    };
    let new = |fails, configured: Option<bool>| {
        let source = Counter { fails, ..Counter::default() };
        let fallback = configured
            .map(|configured| Fallback::new(Arc::new(SingleFlight::new(Counter::default())), configured));
        let chain = Chain::authority(base(), Arc::new(SingleFlight::new(source.clone())), fallback);
        counted(&source, Subject::new(chain))
    };
    for fallback in [None, Some(false), Some(true)] {
        check(|| new(false, fallback)).await.unwrap();
        check_failing(|| new(true, fallback)).await.unwrap();
    }
    check(|| {
        let source = Counter::default();
        counted(
            &source,
            Subject::new(Chain::sign_in(base(), Arc::new(SingleFlight::new(source.clone())), true)),
        )
    })
    .await
    .unwrap();
    check(|| Subject::new(Chain::withheld(base(), "headersHelper")).with_secret("canary")).await.unwrap();
}

#[tokio::test]
async fn a_built_plan_keeps_the_contract() {
    let settings = AuthSettings {
        static_headers: vec![("Authorization".into(), Secret::new("Bearer canary"))],
        ..AuthSettings::default()
    };
    let target = Target::new("s", "http://localhost/mcp".parse().unwrap());
    let new = || AuthPlan::resolve(&settings).build(&target, Parts::new()).unwrap();
    check(|| Subject::shared(new()).with_secret("canary")).await.unwrap();
}

#[cfg(all(feature = "helper", unix))]
#[tokio::test]
async fn the_headers_helper_keeps_the_contract() {
    use crate::HeadersHelper;
    use crate::settings::HelperSpec;

    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let subject = |command: &str| {
        std::fs::write(&runs, "").unwrap();
        let spec = HelperSpec {
            env: [("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())].into(),
            timeout: Duration::from_secs(60),
            ..HelperSpec::new(format!("echo run >> runs; {command}"), folder.path())
        };
        let target = Target::new("s", "http://localhost/mcp".parse().unwrap());
        let runs = runs.clone();
        Subject::new(SingleFlight::new(HeadersHelper::new(spec, target)))
            .counting(move || std::fs::read_to_string(&runs).unwrap().lines().count() as u64)
            .with_secret("canary")
    };
    check(|| subject(r#"printf '{"Authorization":"Bearer canary-%s"}' "$(wc -l < runs)""#)).await.unwrap();
    check_failing(|| subject("echo 'refused canary-1' >&2; printf '{\"A\":\"canary-1\"'; exit 1"))
        .await
        .unwrap();
}

/// A provider that breaks one rule on purpose.
struct FaultyProvider {
    breaks: Rule,
    fetches: Arc<AtomicU64>,
    held: Mutex<Option<Credentials>>,
    busy: Mutex<bool>,
}

impl fmt::Debug for FaultyProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.breaks == Rule::NoSecretShown { "canary" } else { "Faulty" })
    }
}

impl FaultyProvider {
    fn mint(&self) -> Credentials {
        let fresh = minted("faulty", self.fetches.fetch_add(1, Ordering::SeqCst));
        *self.held.lock().unwrap() = Some(fresh.clone());
        fresh
    }

    fn held(&self) -> Option<Credentials> {
        self.held.lock().unwrap().clone()
    }

    async fn load(&self) -> Result<Credentials, AuthError> {
        match self.breaks {
            Rule::Ends => std::future::pending().await,
            Rule::Stable => return Ok(self.mint()),
            Rule::CancelSafe => {
                if std::mem::replace(&mut *self.busy.lock().unwrap(), true) {
                    return Err(AuthError::new(AuthErrorKind::SourceFailed, "be left alone"));
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
                *self.busy.lock().unwrap() = false;
            }
            Rule::OneFetchUnderLoad if self.held().is_none() => {
                tokio::task::yield_now().await;
                return Ok(self.mint());
            }
            _ => {}
        }
        Ok(self.held().unwrap_or_else(|| self.mint()))
    }

    async fn recover(&self, rejection: Rejection<'_>) -> Result<Recovery, AuthError> {
        let current = self.held().unwrap_or_else(|| self.mint());
        let stale = !rejection.used.includes_generation(current.generation());
        Ok(match self.breaks {
            Rule::BoundedRecoveries => Recovery::Retry(self.mint()),
            _ if rejection.recoveries > 0 => Recovery::Exhausted,
            Rule::OneRecoveryUnderLoad => {
                tokio::task::yield_now().await;
                Recovery::Retry(self.mint())
            }
            Rule::StaleRejection if stale => Recovery::Exhausted,
            _ if stale => Recovery::Retry(current),
            _ => Recovery::Retry(self.mint()),
        })
    }
}

impl AuthProvider for FaultyProvider {
    fn name(&self) -> &str {
        if self.breaks == Rule::Name { "Faulty_Provider" } else { "faulty" }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, false)
    }

    fn credentials(&self) -> AuthFuture<'_, Credentials> {
        Box::pin(self.load())
    }

    fn on_rejected<'a>(&'a self, rejection: Rejection<'a>) -> AuthFuture<'a, Recovery> {
        Box::pin(self.recover(rejection))
    }
}

#[tokio::test(start_paused = true)]
async fn each_broken_rule_is_caught() {
    for rule in [
        Rule::Name,
        Rule::Stable,
        Rule::OneFetchUnderLoad,
        Rule::OneRecoveryUnderLoad,
        Rule::StaleRejection,
        Rule::BoundedRecoveries,
        Rule::CancelSafe,
        Rule::NoSecretShown,
        Rule::Ends,
    ] {
        let new = || {
            let fetches = Arc::new(AtomicU64::new(0));
            let counted = fetches.clone();
            let faulty =
                FaultyProvider { breaks: rule, fetches, held: Mutex::default(), busy: Mutex::default() };
            Subject::new(faulty).counting(move || counted.load(Ordering::SeqCst)).with_secret("canary")
        };
        let error = check(new).await.unwrap_err();
        let broken: Vec<Rule> = error.violations().iter().map(|violation| violation.rule).collect();
        assert!(broken.contains(&rule), "{rule:?}: {error}");
        assert!(!error.to_string().contains("canary"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_remembered_or_hidden_is_caught() {
    let source = Counter::default();
    let error = check_failing(|| Subject::new(SingleFlight::new(source.clone()))).await.unwrap_err();
    assert_eq!(error.violations()[0].rule, Rule::FailsAndTriesAgain);
    let source = Counter { fails: true, ..Counter::default() };
    let error =
        check_failing(|| Subject::new(SingleFlight::new(source.clone())).counting(|| 0)).await.unwrap_err();
    assert_eq!(error.violations()[0].rule, Rule::FailsAndTriesAgain);
}
