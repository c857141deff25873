//! What a source may say beside the credentials: when to ask again, what a refusal means, that it has nothing yet.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;

/// A source whose answers are a function of how often it was asked, and why.
struct FunctionSource<F> {
    asked: Mutex<Vec<&'static str>>,
    answer: F,
    /// How many refusals of one request it fetches for.
    legs: u32,
}

impl<F> fmt::Debug for FunctionSource<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FunctionSource")
    }
}

impl<F> CredentialSource for FunctionSource<F>
where
    F: Fn(usize) -> Credentials + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        "function"
    }

    fn fetch<'a>(&'a self, why: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(match why {
                FetchReason::First => "first",
                FetchReason::Expired => "expired",
                FetchReason::Rejected(_) => "rejected",
            });
            asked.len()
        };
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok((self.answer)(number))
        })
    }

    fn judge<'a>(&'a self, rejection: Rejection<'a>) -> AuthFuture<'a, Option<Recovery>> {
        let spent = rejection.recoveries >= self.legs;
        Box::pin(std::future::ready(Ok(spent.then_some(Recovery::LoginRequired))))
    }
}

fn answering<F>(answer: F) -> Arc<SingleFlight<FunctionSource<F>>>
where
    F: Fn(usize) -> Credentials + Send + Sync + 'static,
{
    START.with(|_| {});
    let source = FunctionSource { asked: Mutex::default(), answer, legs: 5 };
    Arc::new(SingleFlight::with_clock(source, wall))
}

fn asked<F>(provider: &SingleFlight<FunctionSource<F>>) -> Vec<&'static str>
where
    F: Fn(usize) -> Credentials + Send + Sync + 'static,
{
    provider.source().asked.lock().unwrap().clone()
}

fn numbered(number: usize) -> Credentials {
    let value = HeaderValue::from_str(&number.to_string()).unwrap();
    Credentials::new("function", [(http::header::AUTHORIZATION, value)])
}

fn in_seconds(seconds: u64) -> Option<SystemTime> {
    Some(wall() + Duration::from_secs(seconds))
}

async fn refused(
    provider: &dyn AuthProvider,
    used: &Credentials,
    recoveries: u32,
) -> Result<Recovery, AuthError> {
    let headers = HeaderMap::new();
    let rejection = Rejection::new(StatusCode::UNAUTHORIZED, &[], &headers, used);
    provider.on_rejected(rejection.after(recoveries)).await
}

#[tokio::test(start_paused = true)]
async fn a_source_says_itself_when_it_wants_to_be_asked_again() {
    // Good for an hour, and read again every minute.
    let provider =
        answering(|number| numbered(number).with_expiry(in_seconds(3600)).with_refresh_at(in_seconds(60)));
    assert_eq!(token(&provider.credentials().await.unwrap()), "1");
    wait(59).await;
    provider.credentials().await.unwrap();
    assert_eq!(asked(&provider), ["first"]);
    wait(1).await;
    assert_eq!(token(&provider.credentials().await.unwrap()), "1", "no call waits");
    wait(1).await;
    assert_eq!(token(&provider.credentials().await.unwrap()), "2");
    assert_eq!(asked(&provider), ["first", "expired"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_due_when_it_arrives_is_fetched_again_at_once() {
    let provider = answering(|number| {
        let due = if number == 1 { Some(wall()) } else { None };
        numbered(number).with_expiry(in_seconds(30)).with_refresh_at(due)
    });
    assert_eq!(token(&provider.credentials().await.unwrap()), "1");
    wait(1).await;
    assert_eq!(asked(&provider), ["first", "expired"], "and no second request was needed for it");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_knows_that_they_are_expired_is_asked_each_time_and_its_word_is_taken() {
    let ended = Some(SystemTime::UNIX_EPOCH);
    let provider = answering(move |number| numbered(number).with_expiry(ended).with_refresh_at(ended));
    for expected in ["1", "2", "3"] {
        assert_eq!(token(&provider.credentials().await.unwrap()), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_margin_can_be_another() {
    let script = Script::default();
    *script.steps.lock().unwrap() = [(0, Ok(("A", Some(3600)))), (0, Ok(("B", None)))].into();
    START.with(|_| {});
    let provider = SingleFlight::with_clock(script.clone(), wall).with_margin(Duration::from_secs(120));
    provider.credentials().await.unwrap();
    wait(3479).await;
    provider.credentials().await.unwrap();
    wait(1).await;
    assert_eq!(script.runs(), 1, "not yet");
    provider.credentials().await.unwrap();
    wait(1).await;
    assert_eq!(script.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_from_outside_is_fetched_again_even_while_a_fetch_runs() {
    let provider = answering(numbered);
    assert_eq!(token(&provider.credentials().await.unwrap()), "1");
    provider.invalidate();
    let (early, ()) = tokio::join!(provider.credentials(), async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        // The file has changed while it was read.
        provider.invalidate();
    });
    assert_eq!(token(&early.unwrap()), "2", "they asked before");
    assert_eq!(token(&provider.credentials().await.unwrap()), "3");
    assert_eq!(asked(&provider), ["first", "first", "first"]);
    assert_eq!(provider.snapshot().fetches, 3);
}

#[tokio::test(start_paused = true)]
async fn the_source_decides_what_a_refusal_means() {
    let provider = answering(numbered);
    let mut used = provider.credentials().await.unwrap();
    for leg in 0..5 {
        let Ok(Recovery::Retry(fresh)) = refused(&*provider, &used, leg).await else {
            panic!("leg {leg} was not answered");
        };
        used = fresh;
    }
    assert!(matches!(refused(&*provider, &used, 5).await, Ok(Recovery::LoginRequired)));
    assert_eq!(asked(&provider).len(), 6, "nothing was fetched for the last");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_did_not_know_of_the_refusal_is_no_answer_to_it() {
    // It mints only when it is told of a refusal, as a machine grant does; before that it has nothing, or the old.
    let minted = Arc::new(AtomicBool::new(false));
    for nothing in [true, false] {
        let started = Arc::new(AtomicU32::new(0));
        let provider = {
            let (minted, started) = (minted.clone(), started.clone());
            minted.store(false, Ordering::Release);
            answering(move |number| {
                started.fetch_add(1, Ordering::AcqRel);
                match (minted.load(Ordering::Acquire), nothing) {
                    (true, _) => numbered(number),
                    (false, true) => Credentials::none(),
                    (false, false) => numbered(0).with_refresh_at(Some(wall())),
                }
            })
        };
        let used = if nothing { Credentials::none() } else { provider.credentials().await.unwrap() };
        if nothing {
            // In flight, for another request.
            let other = provider.clone();
            tokio::spawn(async move { other.credentials().await });
        }
        tokio::task::yield_now().await;
        let recovering = refused(&*provider, &used, 0);
        let (recovery, ()) = tokio::join!(recovering, async {
            tokio::time::sleep(Duration::from_millis(15)).await;
            minted.store(true, Ordering::Release);
        });
        assert!(matches!(recovery, Ok(Recovery::Retry(fresh)) if token(&fresh) != "0"), "{nothing}");
        assert_eq!(asked(&provider).last(), Some(&"rejected"));
        assert!(started.load(Ordering::Acquire) <= 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_can_wait_for_the_fetches_of_any_source() {
    let renewals = Renewals::default();
    let (provider, script) = scripted([(5, Ok(("A", None)))]);
    let provider = Arc::into_inner(provider).unwrap().with_renewals(renewals.clone());
    assert!(tokio::time::timeout(Duration::from_secs(1), provider.credentials()).await.is_err());
    renewals.settled().await;
    assert_eq!(token(&provider.credentials().await.unwrap()), "A");
    assert_eq!(script.runs(), 1);
}
