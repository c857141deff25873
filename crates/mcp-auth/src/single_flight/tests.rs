use std::collections::VecDeque;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::*;
use crate::FetchReason;

mod interleavings;
mod widened;

/// What one fetch does: how long it takes, and what comes of it (a token and its lifetime in seconds).
type Step = (u64, Result<(&'static str, Option<u64>), &'static str>);

/// A source that follows a script and notes why it was asked.
#[derive(Clone, Debug, Default)]
struct Script {
    steps: Arc<Mutex<VecDeque<Step>>>,
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl Script {
    fn asked(&self) -> Vec<&'static str> {
        self.asked.lock().unwrap().clone()
    }

    fn runs(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl CredentialSource for Script {
    fn name(&self) -> &str {
        "script"
    }

    fn fetch<'a>(&'a self, why: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        self.asked.lock().unwrap().push(match why {
            FetchReason::First => "first",
            FetchReason::Expired => "expired",
            FetchReason::Rejected(_) => "rejected",
        });
        let (takes, result) =
            self.steps.lock().unwrap().pop_front().expect("the script has a step for this fetch");
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(takes)).await;
            match result {
                Ok((token, lifetime)) => {
                    let expiry = lifetime.map(|seconds| wall() + Duration::from_secs(seconds));
                    let header = (HeaderName::from_static("authorization"), HeaderValue::from_static(token));
                    Ok(Credentials::new("script", [header]).with_expiry(expiry))
                }
                Err("panic") => panic!("as the test wants it"),
                Err("unavailable") => Err(AuthError::new(AuthErrorKind::Unavailable, "unavailable")),
                Err(message) => {
                    Err(AuthError::new(AuthErrorKind::SourceFailed, message).with_exit_code(Some(3)))
                }
            }
        })
    }

    fn runs_command(&self) -> bool {
        true
    }
}

thread_local! {
    static START: Instant = Instant::now();
}

/// A wall clock that follows tokio's paused one.
fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) + START.with(Instant::elapsed)
}

fn scripted(steps: impl IntoIterator<Item = Step>) -> (Arc<SingleFlight<Script>>, Script) {
    START.with(|_| {});
    let script = Script { steps: Arc::new(Mutex::new(steps.into_iter().collect())), ..Script::default() };
    (Arc::new(SingleFlight::with_clock(script.clone(), wall)), script)
}

fn token(credentials: &Credentials) -> &str {
    credentials.header(&http::header::AUTHORIZATION).unwrap().to_str().unwrap()
}

async fn rejected(provider: &SingleFlight<Script>, used: &Credentials) -> Result<Recovery, AuthError> {
    provider.on_rejected(Rejection::new(StatusCode::UNAUTHORIZED, &[], &HeaderMap::new(), used)).await
}

/// The outcome in one word, so that assertions read like the story.
fn word(outcome: &Result<Recovery, AuthError>) -> String {
    match outcome {
        Ok(Recovery::Retry(fresh)) => format!("retry {}", token(fresh)),
        Ok(other) => format!("{other:?}").to_lowercase(),
        Err(error) => format!("failed {error}"),
    }
}

async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_request_waits_and_later_ones_get_the_same_value() {
    let (provider, script) = scripted([(2, Ok(("A", None)))]);
    let first = provider.credentials().await.unwrap();
    let again = provider.credentials().await.unwrap();
    assert_eq!((token(&first), first.generation()), ("A", again.generation()));
    assert_eq!(script.asked(), ["first"]);
    let report = provider.snapshot().last_fetch.unwrap();
    assert_eq!((report.duration, report.exit_code), (Duration::from_secs(2), Some(0)));
}

#[tokio::test(start_paused = true)]
async fn fifty_refusals_of_one_generation_cost_one_fetch() {
    let (provider, script) = scripted([(0, Ok(("A", None))), (1, Ok(("B", None)))]);
    let used = provider.credentials().await.unwrap();
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let (provider, used) = (provider.clone(), used.clone());
            tokio::spawn(async move { word(&rejected(&provider, &used).await) })
        })
        .collect();
    for waiter in waiting {
        assert_eq!(waiter.await.unwrap(), "retry B");
    }
    assert_eq!(script.asked(), ["first", "rejected"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_superseded_credentials_runs_nothing() {
    let (provider, script) = scripted([(0, Ok(("A", None))), (0, Ok(("B", None)))]);
    let old = provider.credentials().await.unwrap();
    assert_eq!(word(&rejected(&provider, &old).await), "retry B");
    assert_eq!(word(&rejected(&provider, &old).await), "retry B");
    assert_eq!(script.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_before_all_was_forgotten_is_known_by_its_bytes() {
    let (provider, script) = scripted([(0, Ok(("A", None))), (0, Ok(("A", None))), (0, Ok(("A", None)))]);
    let old = provider.credentials().await.unwrap();
    provider.invalidate();
    let used = provider.credentials().await.unwrap();
    assert_eq!(word(&rejected(&provider, &used).await), "unchanged");
    assert_eq!(script.asked(), ["first", "first", "rejected"]);
    assert_eq!(word(&rejected(&provider, &old).await), "unchanged", "and nothing runs for it");
    assert_eq!(script.runs(), 3);
}

#[tokio::test(start_paused = true)]
async fn its_own_credentials_are_recognised_inside_composed_ones() {
    let (provider, script) = scripted([(0, Ok(("A", None))), (0, Ok(("B", None)))]);
    let part = provider.credentials().await.unwrap();
    let header = (HeaderName::from_static("x-team"), HeaderValue::from_static("t"));
    let composed = Credentials::new("static-headers", [header]).overlaid_with(&part);
    assert_eq!(word(&rejected(&provider, &composed).await), "retry B");
    assert_eq!(word(&rejected(&provider, &composed).await), "retry B", "stale now");
    assert_eq!(script.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_same_bytes_again_exhaust_every_request_that_carried_them() {
    let (provider, script) = scripted([(0, Ok(("A", None))), (1, Ok(("A", None))), (0, Ok(("B", None)))]);
    let used = provider.credentials().await.unwrap();
    let (one, two) = tokio::join!(rejected(&provider, &used), rejected(&provider, &used));
    assert_eq!((word(&one), word(&two)), ("unchanged".into(), "unchanged".into()));
    // Refused late, after the recovery ended: its answer is known too.
    assert_eq!(word(&rejected(&provider, &used).await), "unchanged");
    assert_eq!(script.runs(), 2);
    // A new request carries the new generation, and its refusal is a new question.
    let used = provider.credentials().await.unwrap();
    assert_eq!(word(&rejected(&provider, &used).await), "retry B");
}

#[tokio::test(start_paused = true)]
async fn a_failed_recovery_is_shared_and_the_next_attempt_fetches_again() {
    let (provider, script) =
        scripted([(0, Ok(("A", None))), (1, Err("vault is sealed")), (0, Ok(("B", None)))]);
    let used = provider.credentials().await.unwrap();
    let (one, two) = tokio::join!(rejected(&provider, &used), rejected(&provider, &used));
    assert_eq!((word(&one), word(&two)), ("failed vault is sealed".into(), "failed vault is sealed".into()));
    assert_eq!(word(&rejected(&provider, &used).await), "failed vault is sealed");
    assert_eq!(script.runs(), 2);
    let snapshot = provider.snapshot();
    let report = snapshot.last_fetch.unwrap();
    assert_eq!((report.exit_code, report.succeeded, snapshot.fetches), (Some(3), false, 2));
    assert_eq!(token(&provider.credentials().await.unwrap()), "B", "the refused ones are not sent again");
    assert_eq!(word(&rejected(&provider, &used).await), "retry B");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_unavailable_is_left_alone_for_every_caller() {
    let down = || (0, Err("unavailable"));
    let (provider, script) =
        scripted([down(), down(), (0, Ok(("A", Some(100)))), down(), down(), (0, Ok(("B", None)))]);
    let fails = async |runs| {
        for _ in 0..20 {
            let error = provider.credentials().await.unwrap_err();
            assert!(error.retry_after().is_none_or(|wait| wait > Duration::ZERO), "{error:?}");
        }
        assert_eq!(script.runs(), runs);
    };
    fails(1).await;
    wait(1).await;
    fails(2).await;
    wait(1).await;
    fails(2).await;
    wait(1).await;
    let used = provider.credentials().await.unwrap();
    // Ahead of expiry, while the ones at hand serve.
    wait(95).await;
    for _ in 0..20 {
        assert_eq!(token(&provider.credentials().await.unwrap()), "A");
        tokio::task::yield_now().await;
    }
    assert_eq!(script.runs(), 4);
    // And where the server refuses them meanwhile.
    assert_eq!(word(&rejected(&provider, &used).await), "failed unavailable");
    assert_eq!(script.runs(), 4);
    wait(1).await;
    assert_eq!(word(&rejected(&provider, &used).await), "failed unavailable");
    fails(5).await;
    // A person who acts does not wait.
    provider.invalidate();
    assert_eq!(token(&provider.credentials().await.unwrap()), "B");
}

#[tokio::test(start_paused = true)]
async fn a_second_refusal_of_one_request_ends_it() {
    let (provider, script) = scripted([(0, Ok(("A", None)))]);
    let used = provider.credentials().await.unwrap();
    let headers = HeaderMap::new();
    let rejection = Rejection::new(StatusCode::UNAUTHORIZED, &[], &headers, &used).after(1);
    assert!(matches!(provider.on_rejected(rejection).await, Ok(Recovery::Exhausted)));
    assert_eq!(script.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_dropped_neither_blocks_nor_loses_the_result() {
    let (provider, script) = scripted([(0, Ok(("A", None))), (5, Ok(("B", None)))]);
    let used = provider.credentials().await.unwrap();
    let leader = tokio::time::timeout(Duration::from_secs(1), rejected(&provider, &used));
    assert!(leader.await.is_err());
    assert_eq!(word(&rejected(&provider, &used).await), "retry B");
    assert_eq!(script.runs(), 2, "the leader's fetch was used");
}

#[tokio::test(start_paused = true)]
async fn expiring_credentials_serve_while_the_next_ones_are_fetched() {
    // Lifetime 100 s: the margin is 10 s.
    let (provider, script) = scripted([(0, Ok(("A", Some(100)))), (4, Ok(("B", None)))]);
    assert_eq!(token(&provider.credentials().await.unwrap()), "A");
    wait(88).await;
    provider.credentials().await.unwrap();
    wait(1).await;
    assert_eq!(script.runs(), 1, "not yet");
    wait(2).await;
    let asked_at = Instant::now();
    for _ in 0..10 {
        assert_eq!(token(&provider.credentials().await.unwrap()), "A");
    }
    assert_eq!(asked_at.elapsed(), Duration::ZERO, "no call waits");
    wait(5).await;
    assert_eq!(token(&provider.credentials().await.unwrap()), "B");
    assert_eq!(script.asked(), ["first", "expired"]);
}

#[tokio::test(start_paused = true)]
async fn the_margin_is_never_more_than_thirty_seconds() {
    let (provider, script) = scripted([(0, Ok(("A", Some(3600)))), (0, Ok(("B", None)))]);
    provider.credentials().await.unwrap();
    wait(3568).await;
    provider.credentials().await.unwrap();
    wait(1).await;
    assert_eq!(script.runs(), 1, "not yet");
    wait(1).await;
    provider.credentials().await.unwrap();
    wait(1).await;
    assert_eq!(script.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_background_fetch_keeps_the_old_ones_until_expiry_and_paces_itself() {
    let steps = [(0, Ok(("A", Some(100)))), (0, Err("down")), (0, Err("down")), (0, Err("still down"))];
    let (provider, script) = scripted(steps);
    provider.credentials().await.unwrap();
    wait(90).await;
    // Ten seconds are left: tries at 90 and 95, and none in between however often it is asked.
    for _ in 0..30 {
        assert_eq!(token(&provider.credentials().await.unwrap()), "A");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(script.runs(), 3);
    wait(5).await;
    let error = provider.credentials().await.unwrap_err();
    assert_eq!(error.to_string(), "still down", "after expiry the fetch is awaited");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_during_a_background_fetch_uses_its_result() {
    let (provider, script) = scripted([(0, Ok(("A", Some(100)))), (4, Ok(("B", None)))]);
    let used = provider.credentials().await.unwrap();
    wait(95).await;
    provider.credentials().await.unwrap();
    assert_eq!(word(&rejected(&provider, &used).await), "retry B");
    assert_eq!(script.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn while_a_refusal_is_answered_no_request_gets_the_refused_credentials() {
    let (provider, _) = scripted([(0, Ok(("A", None))), (4, Ok(("B", None)))]);
    let used = provider.credentials().await.unwrap();
    let (outcome, next) = tokio::join!(rejected(&provider, &used), provider.credentials());
    assert_eq!((word(&outcome).as_str(), token(&next.unwrap())), ("retry B", "B"));
}

#[tokio::test(start_paused = true)]
async fn the_same_bytes_ahead_of_expiry_do_not_count_as_refused() {
    let steps = [(0, Ok(("A", Some(100)))), (0, Ok(("A", Some(200)))), (0, Ok(("B", None)))];
    let (provider, script) = scripted(steps);
    let used = provider.credentials().await.unwrap();
    wait(95).await;
    provider.credentials().await.unwrap();
    wait(1).await;
    // Sent before the background fetch, refused after it: these bytes have not been recovered from yet.
    assert_eq!(word(&rejected(&provider, &used).await), "retry B");
    assert_eq!(script.asked(), ["first", "expired", "rejected"]);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_arrive_expired_are_left_to_the_server_to_judge() {
    let (provider, script) = scripted([(0, Ok(("A", Some(0))))]);
    for _ in 0..5 {
        assert_eq!(token(&provider.credentials().await.unwrap()), "A");
        wait(1).await;
    }
    assert_eq!(script.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_is_an_error_and_not_the_end() {
    let (provider, _) = scripted([(1, Err("panic")), (0, Ok(("A", None)))]);
    let error = provider.credentials().await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::SourceFailed);
    assert_eq!(token(&provider.credentials().await.unwrap()), "A");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_provider_ends_a_fetch_in_flight() {
    let (provider, script) = scripted([(5, Ok(("A", None)))]);
    assert!(tokio::time::timeout(Duration::from_secs(1), provider.credentials()).await.is_err());
    assert_eq!(Arc::strong_count(&script.asked), 2);
    drop(provider);
    wait(1).await;
    assert_eq!(Arc::strong_count(&script.asked), 1, "the task and the source are gone");
}
