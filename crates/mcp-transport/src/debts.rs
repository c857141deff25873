//! What the server has asked of us, from the arrival of each request until its answer is written: counted over all
//! streams of one connection.
//!
//! A server may ask only so much at a time; what is beyond is refused. It also has to take what it is answered: while
//! too many answers wait for it, nothing more is read from it, and where it then takes none of them, it is given up.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::Notify;

use crate::message::envelope::RequestId;

/// How many refusals may wait beside the answers.
const REFUSALS: usize = 64;
/// How many bytes of ids, which every answer repeats, may wait.
const ID_BYTES: usize = 1 << 20;
/// How long a server may take none of the answers that wait for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one server has asked. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Debts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max_open: usize,
    max_open_bytes: usize,
    open: DebtTotal,
    owed: DebtTotal,
    paid: Notify,
}

/// How many, and how long in all.
#[derive(Debug, Default)]
struct DebtTotal {
    count: AtomicUsize,
    bytes: AtomicUsize,
}

impl DebtTotal {
    fn add(&self, bytes: usize) {
        self.count.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    fn sub(&self, bytes: usize) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }
}

/// The server asks on and on, and takes no answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FloodError;

impl fmt::Display for FloodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server asks on and on and does not take the answers")
    }
}

impl std::error::Error for FloodError {}

/// What becomes of a request of the server.
pub(crate) enum Admission {
    /// It is answered.
    Admitted(Debt),
    /// Too many are open: it is refused.
    Refused(Debt),
    /// Not even refusals are taken.
    Dropped,
}

impl Debts {
    /// Of a server that may have this many requests open at a time, with this many bytes in all.
    pub(crate) fn new(max_open: usize, max_open_bytes: usize) -> Self {
        Self(Arc::new(Inner {
            max_open,
            max_open_bytes,
            open: DebtTotal::default(),
            owed: DebtTotal::default(),
            paid: Notify::new(),
        }))
    }

    /// A request has arrived.
    pub(crate) fn ask(&self, id: &RequestId, method: &str, params: Option<&RawValue>) -> Admission {
        let id = match id {
            RequestId::Number(_) => 0,
            RequestId::String(text) => text.len(),
        };
        self.take_in(id, id + method.len() + params.map_or(0, |params| params.get().len()))
    }

    /// Its id is `id_bytes` long, and `bytes` are held while it is worked on.
    fn take_in(&self, id_bytes: usize, bytes: usize) -> Admission {
        let Inner { max_open, max_open_bytes, open, owed, .. } = &*self.0;
        if open.count() + owed.count() < *max_open && open.bytes().saturating_add(bytes) <= *max_open_bytes {
            open.add(bytes);
            return Admission::Admitted(Debt { debts: self.clone(), id_bytes, open: Some(bytes) });
        }
        if self.is_behind() {
            return Admission::Dropped;
        }
        owed.add(id_bytes);
        Admission::Refused(Debt { debts: self.clone(), id_bytes, open: None })
    }

    /// Whether too much waits for the server for anything more to be read from it.
    fn is_behind(&self) -> bool {
        let owed = &self.0.owed;
        owed.count() >= self.0.max_open + REFUSALS || owed.bytes() > ID_BYTES
    }

    /// Returns when more may be read from the server; at once, unless it floods.
    ///
    /// # Errors
    ///
    /// It takes nothing of what waits for it.
    pub(crate) async fn room(&self) -> Result<(), FloodError> {
        while self.is_behind() {
            let mut paid = pin!(self.0.paid.notified());
            // Registered before the check, so that a payment in between is not missed.
            paid.as_mut().enable();
            if self.is_behind() {
                tokio::time::timeout(PATIENCE, paid).await.map_err(|_| FloodError)?;
            }
        }
        Ok(())
    }
}

/// One request of the server. Dropped when its answer is written or never will be.
#[derive(Debug)]
pub(crate) struct Debt {
    debts: Debts,
    id_bytes: usize,
    /// How much is held while it is worked on; `None` once the answer is there.
    open: Option<usize>,
}

impl Debt {
    /// The answer is there, and has to be written.
    pub(crate) fn answered(&mut self) {
        if let Some(bytes) = self.open.take() {
            self.debts.0.open.sub(bytes);
            self.debts.0.owed.add(self.id_bytes);
        }
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        match self.open {
            Some(bytes) => self.debts.0.open.sub(bytes),
            None => self.debts.0.owed.sub(self.id_bytes),
        }
        self.debts.0.paid.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn debts() -> Debts {
        Debts::new(2, 100)
    }

    fn admitted(asked: Admission) -> Option<Debt> {
        match asked {
            Admission::Admitted(debt) => Some(debt),
            _ => None,
        }
    }

    #[test]
    fn s_m05_requests_are_counted_until_their_answers_are_written() {
        let debts = debts();
        let mut first = admitted(debts.take_in(1, 10)).unwrap();
        let second = admitted(debts.take_in(1, 10)).unwrap();
        assert!(matches!(debts.take_in(1, 10), Admission::Refused(_)));
        first.answered();
        assert!(admitted(debts.take_in(1, 10)).is_none(), "its answer is not written yet");
        drop(first);
        assert!(admitted(debts.take_in(1, 10)).is_some());
        drop(second);
        assert!(
            matches!(debts.take_in(1, 101), Admission::Refused(_)),
            "what is open together is bounded, too"
        );
        assert_eq!((debts.0.open.count(), debts.0.open.bytes()), (0, 0));
        assert_eq!((debts.0.owed.count(), debts.0.owed.bytes()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn s_m06_who_takes_no_answers_is_not_read_from_and_then_given_up() {
        let debts = debts();
        let mut owed = Vec::new();
        let dropped = loop {
            match debts.take_in(1, 1) {
                Admission::Admitted(mut debt) => {
                    debt.answered();
                    owed.push(debt);
                }
                Admission::Refused(debt) => owed.push(debt),
                Admission::Dropped => break owed.len(),
            }
        };
        assert_eq!(dropped, 2 + REFUSALS);
        assert_eq!(debts.room().await, Err(FloodError));
        let waiting = tokio::spawn({
            let debts = debts.clone();
            async move { debts.room().await }
        });
        tokio::time::sleep(PATIENCE / 2).await;
        owed.pop();
        assert_eq!(waiting.await.unwrap(), Ok(()), "it takes them after all");
    }

    #[tokio::test(start_paused = true)]
    async fn s_k2_ids_of_megabytes_are_not_piled_up() {
        let debts = Debts::new(64, 16 << 20);
        let Admission::Admitted(mut one) = debts.take_in(2 << 20, 2 << 20) else { panic!("it is the first") };
        assert_eq!(debts.room().await, Ok(()));
        one.answered();
        assert_eq!(debts.room().await, Err(FloodError));
        assert!(
            admitted(debts.take_in(1, 15 << 20)).is_some(),
            "nothing but the id counts when it is answered"
        );
        drop(one);
        assert_eq!(debts.room().await, Ok(()));
    }
}
