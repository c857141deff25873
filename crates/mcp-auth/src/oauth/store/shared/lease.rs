//! A lease in the database: asked for until it is given, kept up while it is held, given back at the end.

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::SharedRecords;
use crate::oauth::store::StoreGuard;
use crate::oauth::store::memory::LocalGuard;
use crate::{AuthError, AuthErrorKind};

/// How long leases are, and how long one is waited for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct LeaseTimes {
    /// For how long a holder who died keeps others waiting: 15 s unless set. One who lives asks again after a third of it.
    pub length: Duration,
    /// How long a lease is waited for: 60 s unless set, which is longer than a holder who lives needs for a refresh.
    pub patience: Duration,
    /// About how long apart a lease is asked for that someone else has: 100 ms unless set. Every wait differs, by up to half.
    pub pause: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self {
            length: Duration::from_secs(15),
            patience: Duration::from_secs(60),
            pause: Duration::from_millis(100),
        }
    }
}

/// A lease that is held.
#[derive(Debug)]
pub(super) struct Lease {
    grant: Arc<Grant>,
    renewing: JoinHandle<()>,
    is_given_back: bool,
    /// Dropped after the lease was given back, or at least asked to be.
    _local: LocalGuard,
}

/// What was given to whom.
#[derive(Debug)]
struct Grant {
    records: Arc<dyn SharedRecords>,
    name: String,
    holder: String,
    length: Duration,
    /// When it ends, by the clock of this machine, counted from before it was asked for.
    until: Mutex<Instant>,
}

impl Lease {
    /// Waits for the lease `name`.
    pub(super) async fn acquire(
        records: Arc<dyn SharedRecords>,
        name: String,
        holder: &Holder,
        times: LeaseTimes,
        local: LocalGuard,
    ) -> Result<Self, AuthError> {
        let holder = holder.next()?;
        let give_up = Instant::now() + times.patience;
        for attempt in 0.. {
            let asked = Instant::now();
            if records.lease(&name, &holder, times.length).await? {
                let until = Mutex::new(asked + times.length);
                let grant = Arc::new(Grant { records, name, holder, length: times.length, until });
                let renewing = tokio::spawn(keep_up(Arc::clone(&grant)));
                return Ok(Self { grant, renewing, is_given_back: false, _local: local });
            }
            if Instant::now() >= give_up {
                break;
            }
            tokio::time::sleep(spread(times.pause, &holder, attempt)).await;
        }
        Err(busy())
    }
}

impl StoreGuard for Lease {
    fn is_held(&self) -> bool {
        // A tenth is left for the way to the authorization server.
        Instant::now() + self.grant.length / 10 < self.grant.until()
    }

    fn release(mut self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.renewing.abort();
        self.is_given_back = true;
        let grant = Arc::clone(&self.grant);
        Box::pin(async move {
            grant.give_back().await;
            drop(self);
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
        if self.is_given_back {
            return;
        }
        let grant = Arc::clone(&self.grant);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { grant.give_back().await });
        }
    }
}

impl Grant {
    /// Where the runtime is gone, or the database does not answer, the lease ends by itself.
    async fn give_back(&self) {
        if let Err(error) = self.records.release(&self.name, &self.holder).await {
            tracing::debug!(%error, "a lease could not be given back; it ends by itself");
        }
    }

    fn until(&self) -> Instant {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_until(&self, until: Instant) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// Asks for more time for as long as the lease is held. One that someone else has by now is over at once; where the database
/// does not answer, it is over when its time is.
async fn keep_up(grant: Arc<Grant>) {
    loop {
        tokio::time::sleep(grant.length / 3).await;
        let asked = Instant::now();
        match grant.records.lease(&grant.name, &grant.holder, grant.length).await {
            Ok(true) => grant.set_until(asked + grant.length),
            Ok(false) => {
                grant.set_until(asked);
                return;
            }
            Err(error) => tracing::debug!(%error, "a lease could not be kept up"),
        }
    }
}

/// Someone else had the lease for the whole of our patience.
pub(super) fn busy() -> AuthError {
    let message = "renew the sign-in: another machine or process has been doing so for too long";
    AuthError::new(AuthErrorKind::StoreUnavailable, message)
}

/// `pause`, longer or shorter by up to half: many who wait for one lease ask at different times.
fn spread(pause: Duration, holder: &str, attempt: u64) -> Duration {
    let seed =
        holder.bytes().fold(attempt, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    pause.mul_f64(0.5 + (seed >> 11) as f64 / (1_u64 << 53) as f64)
}

/// Who asks for leases: this process, by a name that no other has, and a number for each lease. Who gives one back late must
/// not end the next one.
#[derive(Debug)]
pub(super) struct Holder {
    name: OnceLock<String>,
    leases: AtomicU64,
}

impl Holder {
    /// A holder with a name of its own, found when it is needed first.
    pub(super) const fn unnamed() -> Self {
        Self { name: OnceLock::new(), leases: AtomicU64::new(0) }
    }

    pub(super) fn named(name: String) -> Self {
        Self { name: OnceLock::from(name), leases: AtomicU64::new(0) }
    }

    fn next(&self) -> Result<String, AuthError> {
        let name = match self.name.get() {
            Some(name) => name,
            None => {
                let random = random_name()?;
                self.name.get_or_init(|| random)
            }
        };
        Ok(format!("{name}-{}", self.leases.fetch_add(1, Ordering::Relaxed)))
    }
}

fn random_name() -> Result<String, AuthError> {
    let mut bytes = [0; 16];
    let failed = |_| AuthError::new(AuthErrorKind::Store, "name the holder of a lease: no random numbers");
    SystemRandom::new().fill(&mut bytes).map_err(failed)?;
    Ok(bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}
