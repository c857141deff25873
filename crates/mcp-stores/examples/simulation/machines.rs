//! Machines that call servers, renew tokens ahead of time, and die.

use std::hash::{Hash as _, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mcp_auth::oauth::store::shared::{LeaseTimes, RecordKind, SealingKeys, SharedRecords, SharedTokenStore};
use mcp_auth::oauth::store::{
    RefreshError, RefreshOutcome, RefreshRequest, StoredTokens, TokenKey, TokenStore as _, refresh_once,
};
use mcp_auth::{AuthError, AuthErrorKind, AuthFuture, Secret};
use tokio::task::JoinSet;
use tokio::time::Instant;
use url::Url;

use crate::world::{Plan, Report, World, held};

const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
/// Of a machine, in each call: about one in a thousand dies with the token endpoint's answer in its hands.
const DEATH: f64 = 0.0002;
/// Of requests to the database, and of those to the token endpoint.
const DATABASE_FAULTS: f64 = 0.001;
const SERVER_FAULTS: f64 = 0.01;

/// What one machine has of the world: while it lives, answers; afterwards, none.
#[derive(Clone, Debug)]
struct Access {
    world: Arc<World>,
    is_alive: Arc<AtomicBool>,
}

impl Access {
    /// Something that takes `from` to `to` on the network, for a machine that may be dead before it, or in it.
    async fn takes(&self, from: u64, to: u64) {
        let time = held(&self.world.chance).between(Duration::from_millis(from), Duration::from_millis(to));
        self.survives().await;
        tokio::time::sleep(time).await;
        self.survives().await;
    }

    async fn survives(&self) {
        if !self.is_alive.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    async fn ask<T>(&self, answer: impl FnOnce(&World) -> T) -> Result<T, AuthError> {
        self.takes(1, 5).await;
        if self.world.is_database_down() || held(&self.world.chance).happens(DATABASE_FAULTS) {
            tokio::time::sleep(Duration::from_secs(5)).await;
            return Err(AuthError::new(AuthErrorKind::Store, "reach the database: no answer within 5 s"));
        }
        Ok(answer(&self.world))
    }
}

impl SharedRecords for Access {
    fn get<'a>(&'a self, kind: RecordKind, name: &'a str) -> AuthFuture<'a, Option<Vec<u8>>> {
        Box::pin(self.ask(move |world| held(&world.records).get(&(kind, name.to_owned())).cloned()))
    }

    fn put<'a>(&'a self, kind: RecordKind, name: &'a str, record: Vec<u8>) -> AuthFuture<'a, ()> {
        Box::pin(self.ask(move |world| drop(held(&world.records).insert((kind, name.to_owned()), record))))
    }

    fn delete<'a>(&'a self, kind: RecordKind, name: &'a str) -> AuthFuture<'a, bool> {
        Box::pin(self.ask(move |world| held(&world.records).remove(&(kind, name.to_owned())).is_some()))
    }

    fn scan<'a>(&'a self, kind: RecordKind, prefix: &'a str) -> AuthFuture<'a, Vec<(String, Vec<u8>)>> {
        Box::pin(self.ask(move |world| {
            let records = held(&world.records);
            let matching = records.iter().filter(|((of, name), _)| *of == kind && name.starts_with(prefix));
            matching.map(|((_, name), record)| (name.clone(), record.clone())).collect()
        }))
    }

    fn lease<'a>(&'a self, name: &'a str, holder: &'a str, length: Duration) -> AuthFuture<'a, bool> {
        Box::pin(self.ask(move |world| {
            let mut leases = held(&world.leases);
            let is_given =
                leases.get(name).is_none_or(|(by, until)| by == holder || *until <= Instant::now());
            if is_given {
                leases.insert(name.to_owned(), (holder.to_owned(), Instant::now() + length));
            }
            let mut report = held(&world.report);
            report.lease_asks += 1;
            report.lease_refusals += u64::from(!is_given);
            is_given
        }))
    }

    fn identify(&self, mut state: &mut dyn Hasher) {
        Arc::as_ptr(&self.world).hash(&mut state);
    }

    fn release<'a>(&'a self, name: &'a str, holder: &'a str) -> AuthFuture<'a, ()> {
        Box::pin(self.ask(move |world| {
            let mut leases = held(&world.leases);
            if leases.get(name).is_some_and(|(by, _)| by == holder) {
                leases.remove(name);
            }
        }))
    }
}

/// Lets all machines live for as long as the plan says.
pub(crate) async fn run(plan: Plan) -> Report {
    let world = Arc::new(World::new(plan));
    let first = Access { world: world.clone(), is_alive: Arc::new(AtomicBool::new(true)) };
    let setup = store(&first, "setup");
    for sign_in in 0..plan.machines.div_ceil(plan.per_sign_in) {
        // They were made at different times.
        let age = held(&world.chance).between(Duration::ZERO, plan.life - plan.ahead);
        let mut tokens = tokens(&world, 0);
        tokens.expires_at = tokens.expires_at.map(|end| end - age);
        tokens.obtained_at -= age;
        while setup.save(&key(sign_in), &tokens).await.is_err() {}
    }
    let mut machines = JoinSet::new();
    for number in 0..plan.machines {
        machines.spawn(machine_after_machine(world.clone(), number));
    }
    machines.join_all().await;
    let mut report = held(&world.report).clone();
    report.revoked = held(&world.families).iter().filter(|family| family.is_revoked).count() as u64;
    report.refreshes = held(&world.families).iter().map(|family| family.latest()).sum();
    report
}

fn store(access: &Access, holder: &str) -> SharedTokenStore {
    let keys = SealingKeys::parse(KEY).expect("a key");
    SharedTokenStore::with_holder(access.clone(), keys, LeaseTimes::default(), holder)
}

fn key(sign_in: usize) -> TokenKey {
    let url = Url::parse("https://mcp.example/mcp").expect("a URL");
    TokenKey::new(format!("server-{sign_in}"), &url, "https://as.example")
}

fn tokens(world: &World, number: u64) -> StoredTokens {
    let mut tokens = StoredTokens::new(format!("access-{number}"), "client", world.now());
    tokens.refresh_token = Some(Secret::new(format!("refresh-{number}")));
    tokens.expires_at = Some(world.now() + world.plan.life);
    tokens
}

/// Where one dies, another takes its place, knowing nothing.
async fn machine_after_machine(world: Arc<World>, number: usize) {
    let mut incarnation = 0;
    while world.elapsed() < world.plan.length {
        let access = Access { world: world.clone(), is_alive: Arc::new(AtomicBool::new(true)) };
        let store = store(&access, &format!("machine-{number}-{incarnation}"));
        live(&access, store, number / world.plan.per_sign_in).await;
        incarnation += 1;
    }
}

/// The life of one machine, until it dies or the time is over.
async fn live(access: &Access, store: SharedTokenStore, sign_in: usize) {
    let world = &access.world;
    let share = if world.plan.spreads { held(&world.chance).share() } else { 0.0 };
    let mut cached: Option<StoredTokens> = None;
    let mut renewing: Option<tokio::task::JoinHandle<RefreshOutcome>> = None;
    while world.elapsed() < world.plan.length {
        let pause = {
            let mut chance = held(&world.chance);
            world.plan.between_calls.mul_f64(-(1.0 - chance.share()).ln())
        };
        tokio::time::sleep(pause).await;
        held(&world.report).calls += 1;
        let began = Instant::now();
        if cached.is_none() {
            cached = store.load(&key(sign_in)).await.ok().flatten();
        }
        if let Some(done) = renewing.take_if(|task| task.is_finished()) {
            adopt(world, done.await.ok(), &mut cached);
        }
        let Some(used) = cached.clone() else {
            held(&world.report).failed_calls += 1;
            continue;
        };
        let end = used.expires_at.unwrap_or(world.now());
        if used.renew_at(share).is_none_or(|at| world.now() < at) {
            continue;
        }
        let renewal = renewing.take().unwrap_or_else(|| {
            let request = RefreshRequest::new(key(sign_in), used, world.now());
            let access = access.clone();
            tokio::spawn(refresh_once(Arc::new(store.clone()), request, move |spent| {
                exchange(access.clone(), sign_in, spent)
            }))
        });
        if held(&world.chance).happens(DEATH * 20.0) {
            // Somewhere in the next second, whatever it is doing by then.
            let moment = held(&world.chance).between(Duration::ZERO, Duration::from_secs(1));
            tokio::time::sleep(moment).await;
            access.is_alive.store(false, Ordering::Relaxed);
            held(&world.report).deaths += 1;
            return;
        }
        if world.now() < end {
            // It serves still, while the next one is fetched.
            renewing = Some(renewal);
            continue;
        }
        adopt(world, renewal.await.ok(), &mut cached);
        let is_served =
            cached.as_ref().is_some_and(|new| new.expires_at.is_some_and(|end| world.now() < end));
        let waited = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut report = held(&world.report);
        report.waits.push(waited);
        report.failed_calls += u64::from(!is_served);
    }
}

fn adopt(world: &World, outcome: Option<RefreshOutcome>, cached: &mut Option<StoredTokens>) {
    match outcome {
        Some(
            RefreshOutcome::Refreshed(new)
            | RefreshOutcome::AlreadyRefreshed(new)
            | RefreshOutcome::Unsaved(new, _),
        ) => *cached = Some(new),
        Some(RefreshOutcome::Rejected(_)) => held(&world.report).signed_out += 1,
        _ => {}
    }
}

async fn exchange(access: Access, sign_in: usize, spent: StoredTokens) -> Result<StoredTokens, RefreshError> {
    access.takes(20, 200).await;
    let world = &access.world;
    held(&world.report).requests += 1;
    if held(&world.chance).happens(SERVER_FAULTS) {
        held(&world.report).busy += 1;
        return Err(RefreshError::Unavailable(AuthError::new(
            AuthErrorKind::Unavailable,
            "refresh: HTTP 503",
        )));
    }
    let presented =
        spent.refresh_token.as_ref().and_then(|token| token.expose().rsplit('-').next()?.parse().ok());
    let before = held(&world.families).get(sign_in).map(|family| family.latest());
    let number = presented.and_then(|number| held(&world.families).get_mut(sign_in)?.spend(number));
    if number.is_some() && number != before {
        let second = usize::try_from(world.elapsed().as_secs()).unwrap_or(usize::MAX);
        if let Some(count) = held(&world.report).per_second.get_mut(second) {
            *count += 1;
        }
    }
    // The answer is under way, and the machine may be dead when it comes.
    access.takes(20, 200).await;
    let refused = || RefreshError::InvalidGrant(AuthError::new(AuthErrorKind::SignInExpired, "refresh"));
    number.map(|number| tokens(world, number)).ok_or_else(refused)
}
