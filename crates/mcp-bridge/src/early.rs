//! What is told before the host has the answer to its handshake. A host hears nothing and is answered nothing before that.

use std::sync::{Mutex, PoisonError};

use serde_json::value::RawValue;
use tokio::sync::watch;

/// The most that is kept, in messages. What a server tells in the moment of its handshake are log messages, if anything.
const MAX_KEPT: usize = 64;

/// One notification.
type EarlyNotification = (String, Option<Box<RawValue>>);

/// Keeps what is told while a host waits for the answer to its handshake.
#[derive(Debug)]
pub(crate) struct EarlyInbox {
    /// `None` while there is nothing to wait for.
    kept: Mutex<Option<Vec<EarlyNotification>>>,
    waits: watch::Sender<bool>,
}

impl Default for EarlyInbox {
    fn default() -> Self {
        Self { kept: Mutex::new(None), waits: watch::Sender::new(false) }
    }
}

impl EarlyInbox {
    /// A host waits for the answer to its handshake from now on.
    pub(crate) fn begin(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
        self.waits.send_replace(true);
    }

    /// The answer is on its way, by `answer`; what was told in the meantime follows it, by `tell`.
    pub(crate) fn end(&self, answer: impl FnOnce(), mut tell: impl FnMut(&str, Option<&RawValue>)) {
        // Held throughout, so that what is told now comes after what was told before.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        answer();
        for (method, params) in kept.take().unwrap_or_default() {
            tell(&method, params.as_deref());
        }
        self.waits.send_replace(false);
    }

    /// Tells by `tell`, now or when the host has its answer.
    pub(crate) fn tell(
        &self,
        method: &str,
        params: Option<&RawValue>,
        tell: impl FnOnce(&str, Option<&RawValue>),
    ) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *kept {
            Some(kept) if kept.len() < MAX_KEPT => {
                kept.push((method.to_owned(), params.map(ToOwned::to_owned)));
            }
            Some(_) => tracing::debug!(method, "told before the handshake was over; left out"),
            None => {
                drop(kept);
                tell(method, params);
            }
        }
    }

    /// Returns when no host waits for the answer to its handshake.
    pub(crate) async fn over(&self) {
        // As it is for every request but those of the first moment.
        if !*self.waits.borrow() {
            return;
        }
        // Fails only when the bridge has ended.
        let _ = self.waits.subscribe().wait_for(|waits| !waits).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[tokio::test]
    async fn what_is_told_during_a_handshake_follows_its_answer_in_order() {
        let early = EarlyInbox::default();
        let seen = RefCell::new(Vec::new());
        let tell = |method: &str, _: Option<&RawValue>| seen.borrow_mut().push(method.to_owned());
        early.tell("a", None, tell);
        early.over().await;
        early.begin();
        for number in 0..2 * MAX_KEPT {
            early.tell(&number.to_string(), None, tell);
        }
        assert_eq!(*seen.borrow(), ["a"]);
        early.end(|| seen.borrow_mut().push("answer".to_owned()), tell);
        early.tell("z", None, tell);
        early.over().await;
        let seen = seen.borrow();
        assert_eq!(seen[..3], ["a", "answer", "0"]);
        assert_eq!((seen.len(), seen.last().unwrap().as_str()), (3 + MAX_KEPT, "z"));
    }
}
