//! Lines that wait to be written. They wait in memory, so they are counted: a peer that does not read is not written to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use crate::debts::Debt;
use crate::duplex::CloseReason;
use crate::error::{TimeoutStage, TransportError, TransportErrorKind};

/// How much may wait before nothing is added to it, in bytes. A single line may be longer.
const MAX_WAITING: usize = 16 << 20;

/// The end that lines are put in. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    lines: mpsc::UnboundedSender<OutgoingLine>,
    waiting: Arc<AtomicUsize>,
}

/// The end that they are taken out of.
pub(super) type Inbox = mpsc::UnboundedReceiver<OutgoingLine>;

/// A line, without its line feed.
#[derive(Debug)]
pub(super) struct OutgoingLine {
    pub(super) bytes: Vec<u8>,
    /// What it counted when it was put in.
    counted: usize,
    waiting: Arc<AtomicUsize>,
    /// The request of the server that it answers.
    _debt: Option<Debt>,
}

impl Outbox {
    pub(super) fn new() -> (Self, Inbox) {
        let (lines, inbox) = mpsc::unbounded_channel();
        (Self { lines, waiting: Arc::default() }, inbox)
    }

    /// Sends the answer to a request of the server, of which there are only so many.
    pub(super) fn answer(&self, bytes: Vec<u8>, debt: Debt) {
        // Fails only when the other end is gone, and then no peer waits for the answer.
        let _ = self.put(bytes, Some(debt));
    }

    /// Sends anything else.
    ///
    /// # Errors
    /// Too much waits already, or nothing is written any more.
    pub(super) fn send(&self, bytes: Vec<u8>) -> Result<(), TransportError> {
        if self.waiting.load(Ordering::Acquire) > MAX_WAITING {
            let kind = TransportErrorKind::Timeout { stage: TimeoutStage::FirstByte };
            return Err(TransportError::new(kind, "the server does not read what it is sent"));
        }
        self.put(bytes, None)
    }

    fn put(&self, bytes: Vec<u8>, debt: Option<Debt>) -> Result<(), TransportError> {
        let counted = bytes.len();
        self.waiting.fetch_add(counted, Ordering::AcqRel);
        let line = OutgoingLine { bytes, counted, waiting: self.waiting.clone(), _debt: debt };
        self.lines.send(line).map_err(|_| CloseReason::by_owner().to_error())
    }
}

impl Drop for OutgoingLine {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.counted, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_k2_what_is_not_read_is_not_piled_up() {
        let (outbox, mut inbox) = Outbox::new();
        let refused = (0..).find(|_| outbox.send(vec![b'x'; 1 << 20]).is_err());
        assert_eq!(refused, Some(17));
        drop(inbox.try_recv().unwrap());
        outbox.send(vec![b'x'; 100 << 20]).unwrap();
        let error = outbox.send(vec![b'x']).unwrap_err();
        assert!(matches!(error.kind(), TransportErrorKind::Timeout { .. }), "{error:?}");
        drop(inbox);
        assert_eq!(outbox.waiting.load(Ordering::Acquire), 0);
    }
}
