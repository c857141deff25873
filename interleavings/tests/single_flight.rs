//! One fetch for many callers, whatever the order in which threads get on. Each test is played in some thousand orders; the one
//! that fails is printed, and played again by
//!
//! ```sh
//! INTERLEAVING=… cargo test --manifest-path interleavings/Cargo.toml NAME
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use mcp_auth::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, CredentialSource, Credentials, FetchReason, Recovery, Rejection,
    SingleFlight,
};
use shuttle::future::{block_on, spawn, yield_now};

/// How many orders each test is played in, of each kind.
const ORDERS: usize = 1000;

/// Plays `story` in orders that are drawn, and in orders with few changes between threads, which find what needs just these.
fn hold_in_any_order(story: fn()) {
    if let Ok(order) = std::env::var("INTERLEAVING") {
        return shuttle::replay(story, &order);
    }
    shuttle::check_random(story, ORDERS);
    shuttle::check_pct(story, ORDERS, 3);
}

/// A source whose tokens are numbered, and a server that takes the one of this number.
#[derive(Clone, Debug, Default)]
struct World(Arc<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    valid: AtomicU64,
    fetches: AtomicU64,
    running: AtomicU64,
    failures_to_come: AtomicU64,
}

/// A fetch that runs.
struct RunningFetch(World);

impl Drop for RunningFetch {
    fn drop(&mut self) {
        self.0.0.running.fetch_sub(1, SeqCst);
    }
}

impl CredentialSource for World {
    fn name(&self) -> &str {
        "world"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(async {
            self.0.fetches.fetch_add(1, SeqCst);
            self.0.running.fetch_add(1, SeqCst);
            let _running = RunningFetch(self.clone());
            yield_now().await;
            let value = HeaderValue::from(self.0.valid.load(SeqCst));
            yield_now().await;
            let fails = self.0.failures_to_come.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
            if fails {
                return Err(AuthError::new(AuthErrorKind::SourceFailed, "as the test wants it"));
            }
            Ok(Credentials::new("world", [(AUTHORIZATION, value)]))
        })
    }
}

impl World {
    fn takes(&self, credentials: &Credentials) -> bool {
        let mut headers = HeaderMap::new();
        credentials.apply(&mut headers);
        headers[AUTHORIZATION] == HeaderValue::from(self.0.valid.load(SeqCst))
    }

    fn fetches(&self) -> u64 {
        self.0.fetches.load(SeqCst)
    }
}

type Provider = Arc<SingleFlight<World>>;

fn provider() -> (World, Provider) {
    let world = World::default();
    (world.clone(), Arc::new(SingleFlight::new(world)))
}

async fn refused(provider: &Provider, used: &Credentials) -> Result<Recovery, AuthError> {
    let nothing = HeaderMap::new();
    provider.on_rejected(Rejection::new(StatusCode::UNAUTHORIZED, &[], &nothing, used)).await
}

#[test]
fn callers_at_once_share_one_fetch() {
    hold_in_any_order(|| {
        let (world, provider) = provider();
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let provider = provider.clone();
                spawn(async move { provider.credentials().await.unwrap().generation() })
            })
            .collect();
        let generations: Vec<_> = callers.into_iter().map(|caller| block_on(caller).unwrap()).collect();
        assert!(generations.iter().all(|generation| *generation == generations[0]), "{generations:?}");
        assert_eq!(world.fetches(), 1);
    });
}

#[test]
fn one_refusal_of_many_requests_costs_one_fetch() {
    hold_in_any_order(|| {
        let (world, provider) = provider();
        let old = block_on(provider.credentials()).unwrap();
        world.0.valid.store(1, SeqCst);
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let (world, provider, old) = (world.clone(), provider.clone(), old.clone());
                spawn(async move {
                    let Ok(Recovery::Retry(fresh)) = refused(&provider, &old).await else { panic!("no answer") };
                    assert!(world.takes(&fresh), "what was refused is sent again");
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| block_on(caller).unwrap());
        assert_eq!(world.fetches(), 2);
    });
}

#[test]
fn a_late_refusal_of_what_was_replaced_costs_nothing() {
    hold_in_any_order(|| {
        let (world, provider) = provider();
        let old = block_on(provider.credentials()).unwrap();
        world.0.valid.store(1, SeqCst);
        let [early, late] = [0, 1].map(|_| {
            let (world, provider, old) = (world.clone(), provider.clone(), old.clone());
            spawn(async move {
                let used = provider.credentials().await.unwrap();
                if world.takes(&used) {
                    return;
                }
                assert_eq!(used.generation(), old.generation());
                let Ok(Recovery::Retry(fresh)) = refused(&provider, &used).await else { panic!("no answer") };
                assert!(world.takes(&fresh));
            })
        });
        block_on(early).unwrap();
        block_on(late).unwrap();
        assert!(matches!(block_on(refused(&provider, &old)), Ok(Recovery::Retry(fresh)) if world.takes(&fresh)));
        assert_eq!(world.fetches(), 2);
    });
}

#[test]
fn a_caller_that_gives_up_takes_nothing_from_the_others() {
    hold_in_any_order(|| {
        let (world, provider) = provider();
        let [one, other] = [0, 1].map(|_| {
            let provider = provider.clone();
            spawn(async move { provider.credentials().await.map(|credentials| credentials.generation()) })
        });
        one.abort();
        assert!(block_on(other).unwrap().is_ok());
        // It may have come first, and gone again before the other one came: then its fetch went with it.
        assert!(world.fetches() <= 2, "{} fetches", world.fetches());
    });
}

#[test]
fn what_is_forgotten_is_not_held_again() {
    hold_in_any_order(|| {
        let (world, provider) = provider();
        let caller = {
            let provider = provider.clone();
            spawn(async move { provider.credentials().await.is_ok() })
        };
        world.0.valid.store(1, SeqCst);
        provider.invalidate();
        assert!(world.takes(&block_on(provider.credentials()).unwrap()), "it is from before it was forgotten");
        assert!(block_on(caller).unwrap());
        assert!(world.takes(&block_on(provider.credentials()).unwrap()), "what a fetch from before it brought is held");
    });
}

#[test]
fn a_refusal_is_not_answered_by_a_fetch_that_did_not_know_of_it() {
    hold_in_any_order(|| {
        let (world, provider) = provider();
        let old = block_on(provider.credentials()).unwrap();
        provider.invalidate();
        let caller = {
            let provider = provider.clone();
            spawn(async move { provider.credentials().await.is_ok() })
        };
        block_on(yield_now());
        world.0.valid.store(1, SeqCst);
        let Ok(Recovery::Retry(fresh)) = block_on(refused(&provider, &old)) else { panic!("no answer") };
        assert!(world.takes(&fresh), "what was refused is sent again");
        assert!(block_on(caller).unwrap());
    });
}

#[test]
fn a_failure_is_shared_and_no_state_that_lasts() {
    hold_in_any_order(|| {
        let (world, provider) = provider();
        world.0.failures_to_come.store(1, SeqCst);
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let provider = provider.clone();
                spawn(async move { provider.credentials().await.is_ok() })
            })
            .collect();
        let served: Vec<bool> = callers.into_iter().map(|caller| block_on(caller).unwrap()).collect();
        assert!(served.contains(&false), "the one that failed was for someone");
        assert!(block_on(provider.credentials()).is_ok());
        assert_eq!(world.fetches(), 2);
    });
}

#[test]
fn no_fetch_outlives_its_provider() {
    hold_in_any_order(|| {
        let (world, provider) = provider();
        let caller = {
            let provider = provider.clone();
            spawn(async move { provider.credentials().await.is_ok() })
        };
        block_on(yield_now());
        caller.abort();
        drop(block_on(caller));
        drop(provider);
        // What was begun is dropped by its task, at its next turn.
        for _ in 0..50 {
            block_on(yield_now());
        }
        assert_eq!(world.0.running.load(SeqCst), 0);
    });
}
