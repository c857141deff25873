//! What the machines live in: a clock, a database that fails at times, an authorization server that rotates refresh tokens.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use mcp_auth::oauth::store::shared::RecordKind;
use mcp_harness::Random;

/// How much of what is simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) machines: usize,
    pub(crate) seed: u64,
    /// Machines that share one sign-in.
    pub(crate) per_sign_in: usize,
    pub(crate) length: Duration,
    /// How long an access token serves.
    pub(crate) life: Duration,
    /// How long before its end it is renewed.
    pub(crate) ahead: Duration,
    /// Whether machines renew one after the other.
    pub(crate) spreads: bool,
    /// How far apart the calls of a machine are, on average.
    pub(crate) between_calls: Duration,
    /// In which the database does not answer.
    pub(crate) outage: (Duration, Duration),
}

impl Plan {
    pub(crate) fn new(machines: usize, seed: u64) -> Self {
        Self {
            machines,
            seed,
            per_sign_in: machines.clamp(1, 100),
            length: Duration::from_secs(30 * 60),
            life: Duration::from_secs(5 * 60),
            ahead: Duration::from_secs(30),
            spreads: true,
            between_calls: Duration::from_secs(10),
            outage: (Duration::from_secs(10 * 60), Duration::from_secs(10 * 60 + 30)),
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) machines: usize,
    pub(crate) sign_ins: usize,
    pub(crate) seed: u64,
    pub(crate) seconds: u64,
    pub(crate) calls: u64,
    /// Calls for which no token could be obtained.
    pub(crate) failed_calls: u64,
    /// Expiries that were answered by new tokens.
    pub(crate) refreshes: u64,
    /// Requests at the token endpoint, and how many of them it was too busy for.
    pub(crate) requests: u64,
    pub(crate) busy: u64,
    pub(crate) deaths: u64,
    pub(crate) revoked: u64,
    pub(crate) signed_out: u64,
    pub(crate) lease_asks: u64,
    pub(crate) lease_refusals: u64,
    /// New tokens in each second.
    pub(crate) per_second: Vec<u32>,
    /// How long calls waited for a token that had ended, in milliseconds.
    pub(crate) waits: Vec<u64>,
}

impl Report {
    pub(crate) fn wait_at(&self, share: f64) -> u64 {
        let mut sorted = self.waits.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    }

    pub(crate) fn to_table(&self) -> String {
        let mut text = String::from("| figure | value |\n|---|---|\n");
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "| {name} | {value} |");
        };
        let per = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        row("machines, sign-ins, seed", format!("{}, {}, {}", self.machines, self.sign_ins, self.seed));
        row("simulated time", format!("{} s", self.seconds));
        row("machines that died", self.deaths.to_string());
        row("calls", self.calls.to_string());
        row("calls without a token", self.failed_calls.to_string());
        row("expiries that were answered", self.refreshes.to_string());
        row("refreshes per second, mean", format!("{:.2}", per(self.refreshes, self.seconds)));
        let most = self.per_second.iter().max().copied().unwrap_or_default();
        row("refreshes per second, most", most.to_string());
        row(
            "requests at the token endpoint per expiry",
            format!("{:.3}", per(self.requests, self.refreshes)),
        );
        row("of these answered 503", self.busy.to_string());
        row("leases asked for per expiry", format!("{:.1}", per(self.lease_asks, self.refreshes)));
        row("of these refused", format!("{:.0} %", 100.0 * per(self.lease_refusals, self.lease_asks)));
        row("calls that waited for a token", self.waits.len().to_string());
        let waits = format!("{}, {}, {} ms", self.wait_at(0.5), self.wait_at(0.99), self.wait_at(1.0));
        row("their wait: median, 99 %, worst", waits);
        row("refresh tokens spent twice", self.revoked.to_string());
        row("machines signed out", self.signed_out.to_string());
        text
    }
}

/// The rotation of one sign-in at the authorization server. Like servers in the field, it honours the previous token for as
/// long as its successor has not been used: a machine may die with the answer in its hands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Family {
    current: u64,
    is_current_used: bool,
    pub(crate) is_revoked: bool,
}

impl Family {
    /// The number of the new tokens.
    pub(crate) fn spend(&mut self, number: u64) -> Option<u64> {
        let is_current = number == self.current;
        let is_late = number + 1 == self.current && !self.is_current_used;
        if self.is_revoked || !(is_current || is_late) {
            self.is_revoked = true;
            return None;
        }
        if is_current {
            self.current += 1;
        }
        self.is_current_used = false;
        Some(self.current)
    }

    pub(crate) fn latest(&self) -> u64 {
        self.current
    }
}

/// Everything that machines have in common.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plan: Plan,
    began: Instant,
    pub(crate) chance: Mutex<Random>,
    pub(crate) records: Mutex<BTreeMap<(RecordKind, String), Vec<u8>>>,
    pub(crate) leases: Mutex<BTreeMap<String, (String, Instant)>>,
    pub(crate) families: Mutex<Vec<Family>>,
    pub(crate) report: Mutex<Report>,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let sign_ins = plan.machines.div_ceil(plan.per_sign_in);
        let report = Report {
            machines: plan.machines,
            sign_ins,
            seed: plan.seed,
            seconds: plan.length.as_secs(),
            per_second: vec![0; usize::try_from(plan.length.as_secs()).unwrap_or_default() + 1],
            ..Report::default()
        };
        Self {
            plan,
            began: Instant::now(),
            chance: Mutex::new(Random::new(plan.seed)),
            records: Mutex::default(),
            leases: Mutex::default(),
            families: Mutex::new(vec![Family::default(); sign_ins]),
            report: Mutex::new(report),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.elapsed()
    }

    pub(crate) fn is_database_down(&self) -> bool {
        (self.plan.outage.0..self.plan.outage.1).contains(&self.elapsed())
    }
}

/// Nothing panics while one of these locks is held.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
