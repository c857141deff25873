//! Several callers of one provider in an order that a seed decides: who asks, is refused or gives up, when the source is slow,
//! fails, panics or brings what is old, and when the server stops taking what it took.
//!
//! ```sh
//! cargo nextest run -p mcp-auth --all-features -E 'test(simulation)'                          # 200 seeds
//! SIMULATION_SEEDS=10000 cargo nextest run -p mcp-auth --all-features -E 'test(simulation)'   # a night's worth
//! SIMULATION_SEED=17 cargo nextest run -p mcp-auth --all-features -E 'test(simulation)' --no-capture
//! ```

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use mcp_harness::{Random, Trace, simulate_seeds};

use super::*;

/// A server that takes one token at a time, a source that gets it, and what both have seen.
#[derive(Debug)]
struct World {
    random: Mutex<Random>,
    /// The token that the server takes.
    valid: AtomicUsize,
    /// From now on the source and the server are as one wishes.
    calm: AtomicBool,
    running: AtomicUsize,
    most_running: AtomicUsize,
    seen: Mutex<Counts>,
    trace: Trace,
}

/// How often something happened that is a reason for a fetch, and how many there were.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    fetches: usize,
    failures: usize,
    old_tokens: usize,
    short_lives: usize,
    changes: usize,
    forgotten: usize,
}

impl Counts {
    /// The most fetches that these reasons account for. A refusal costs two where the fetch in flight did not know of it,
    /// and a short life one ahead of its end and one after it.
    fn accounted_for(self) -> usize {
        1 + 2 * (self.changes + self.old_tokens + self.forgotten + self.short_lives) + self.failures
    }
}

impl World {
    fn new(seed: u64, trace: Trace) -> Arc<Self> {
        Arc::new(Self {
            random: Mutex::new(Random::new(seed)),
            valid: AtomicUsize::new(1),
            calm: AtomicBool::new(false),
            running: AtomicUsize::new(0),
            most_running: AtomicUsize::new(0),
            seen: Mutex::default(),
            trace,
        })
    }

    fn note(&self, what: impl fmt::Display) {
        self.trace.note(what);
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.seen.lock().unwrap());
    }

    fn below(&self, bound: usize) -> usize {
        self.random.lock().unwrap().below(bound)
    }

    fn once_in(&self, times: usize) -> bool {
        !self.calm.load(SeqCst) && self.random.lock().unwrap().once_in(times)
    }

    /// Some of the time there is, and some turns of the scheduler.
    async fn pause(&self, milliseconds: usize) {
        for _ in 0..self.below(3) {
            tokio::task::yield_now().await;
        }
        let milliseconds = self.below(milliseconds);
        if milliseconds > 0 {
            tokio::time::sleep(Duration::from_millis(milliseconds as u64)).await;
        }
    }

    fn takes(&self, credentials: &Credentials) -> bool {
        token(credentials) == self.valid.load(SeqCst).to_string()
    }
}

/// The source of a [`World`].
#[derive(Clone, Debug)]
struct WorldSource(Arc<World>);

/// A fetch that runs, also where it is dropped or panics.
struct RunningFetch(Arc<World>);

impl RunningFetch {
    fn begin(world: &Arc<World>) -> Self {
        let running = world.running.fetch_add(1, SeqCst) + 1;
        world.most_running.fetch_max(running, SeqCst);
        Self(world.clone())
    }
}

impl Drop for RunningFetch {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

impl CredentialSource for WorldSource {
    fn name(&self) -> &str {
        "world"
    }

    fn fetch<'a>(&'a self, why: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        let world = &self.0;
        world.count(|seen| seen.fetches += 1);
        world.note(match why {
            FetchReason::First => "fetch: first",
            FetchReason::Expired => "fetch: expired",
            FetchReason::Rejected(_) => "fetch: rejected",
        });
        Box::pin(async move {
            let _running = RunningFetch::begin(world);
            world.pause(40).await;
            let mut value = world.valid.load(SeqCst);
            if world.once_in(10) {
                world.count(|seen| seen.old_tokens += 1);
                value -= 1;
            }
            world.pause(40).await;
            if world.once_in(10) {
                world.count(|seen| seen.failures += 1);
                world.note("fetch: fails");
                assert!(!world.once_in(3), "as the test wants it");
                return Err(AuthError::new(AuthErrorKind::SourceFailed, "as the test wants it"));
            }
            let lifetime = world.once_in(4).then(|| {
                world.count(|seen| seen.short_lives += 1);
                Duration::from_millis(1 + world.below(200) as u64)
            });
            world.note(format_args!("fetch: brings {value} for {lifetime:?}"));
            let header = (
                HeaderName::from_static("authorization"),
                HeaderValue::from_str(&value.to_string()).unwrap(),
            );
            Ok(Credentials::new("world", [header]).with_expiry(lifetime.map(|lifetime| wall() + lifetime)))
        })
    }
}

/// What became of a request.
#[derive(Debug, Eq, PartialEq)]
enum Outcome {
    Served,
    Refused,
    NoCredentials,
}

/// One request as a transport sends it: replayed once where new credentials answer a refusal.
async fn request(world: &World, provider: &SingleFlight<WorldSource>) -> Outcome {
    let Ok(first) = provider.credentials().await else { return Outcome::NoCredentials };
    world.pause(20).await;
    if world.takes(&first) {
        return Outcome::Served;
    }
    let nothing = HeaderMap::new();
    let rejection = Rejection::new(StatusCode::UNAUTHORIZED, &[], &nothing, &first);
    let fresh = match provider.on_rejected(rejection).await {
        Ok(Recovery::Retry(fresh)) => fresh,
        Ok(_) => return Outcome::Refused,
        Err(_) => return Outcome::NoCredentials,
    };
    assert_ne!(token(&fresh), token(&first), "what was refused is sent again");
    world.pause(20).await;
    if world.takes(&fresh) { Outcome::Served } else { Outcome::Refused }
}

/// A caller that is not patient: some of its requests it gives up.
async fn caller(world: Arc<World>, provider: Arc<SingleFlight<WorldSource>>, number: usize) {
    for _ in 0..6 {
        world.pause(60).await;
        let patience = if world.once_in(4) { world.below(30) } else { 60_000 };
        let patience = Duration::from_millis(patience as u64);
        let outcome = tokio::time::timeout(patience, request(&world, &provider)).await;
        world.note(format_args!("caller {number}: {outcome:?}"));
        assert!(outcome.is_ok() || patience < Duration::from_secs(60), "caller {number} is never answered");
    }
}

/// What changes while they call.
async fn change(world: Arc<World>, provider: Arc<SingleFlight<WorldSource>>, may_forget: bool) {
    for _ in 0..5 {
        world.pause(120).await;
        if may_forget && world.once_in(2) {
            world.count(|seen| seen.forgotten += 1);
            world.note("what is held is forgotten");
            provider.invalidate();
        } else {
            world.count(|seen| seen.changes += 1);
            world.note(format_args!("the server takes {}", world.valid.fetch_add(1, SeqCst) + 1));
        }
    }
}

async fn play(world: Arc<World>, seed: u64) {
    START.with(|_| {});
    let may_forget = seed.is_multiple_of(3);
    let provider = Arc::new(SingleFlight::with_clock(WorldSource(world.clone()), wall));
    let callers = 2 + world.below(6);
    let mut tasks = vec![tokio::spawn(change(world.clone(), provider.clone(), may_forget))];
    tasks.extend((0..callers).map(|number| tokio::spawn(caller(world.clone(), provider.clone(), number))));
    for task in tasks {
        task.await.expect("nothing fails");
    }
    let seen = *world.seen.lock().unwrap();
    assert!(seen.fetches <= seen.accounted_for(), "more fetches than reasons: {seen:?}");
    // One that does not know of a refusal may be followed by one that does; only what is forgotten adds to that.
    let most = world.most_running.load(SeqCst);
    assert!(most <= 2 + seen.forgotten, "{most} fetches at once: {seen:?}");

    world.calm.store(true, SeqCst);
    world.note("all is calm");
    let last: Vec<_> = (0..callers)
        .map(|_| {
            let (world, provider) = (world.clone(), provider.clone());
            tokio::spawn(async move { request(&world, &provider).await })
        })
        .collect();
    for task in last {
        let outcome = task.await.expect("nothing fails");
        assert_eq!(outcome, Outcome::Served, "no caller stays without service once all is well");
    }
    let calm = world.seen.lock().unwrap().fetches - seen.fetches;
    assert!(calm <= 2, "{calm} fetches for one round of callers");

    drop(provider);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(world.running.load(SeqCst), 0, "a fetch outlives its provider");
}

/// The order of those who wait for one fetch is tokio's to choose, so a seed need not fail each time it is played.
#[test]
fn simulation_of_callers_holds_whatever_the_seed() {
    simulate_seeds(200, |seed, trace| play(World::new(seed, trace), seed));
}
