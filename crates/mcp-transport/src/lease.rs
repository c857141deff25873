//! The budget that all connections of a client share, and the parts of it that are held.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all handshakes and lists of one client may hold at a time, beyond what is free, in bytes.
pub(crate) const SHARED: usize = 64 << 20;

/// What the handshakes and lists of all connections of one client hold, beyond what is free. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedBudget(Arc<AtomicUsize>);

impl SharedBudget {
    /// A part of it that holds nothing yet.
    pub(crate) fn lease(&self) -> Lease {
        Lease { shared: self.clone(), bytes: 0 }
    }

    /// How much of it is held.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// Takes `bytes` more, if they are left.
    fn take(&self, bytes: usize) -> bool {
        let after = |held: usize| held.checked_add(bytes).filter(|held| *held <= SHARED);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, after).is_ok()
    }
}

/// A part of what is shared, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    shared: SharedBudget,
    bytes: usize,
}

impl Lease {
    /// Holds `bytes` in all, or as much as before where they are not left; whether it does.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let is_left = self.shared.take(more);
        self.bytes += if is_left { more } else { 0 };
        is_left
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.0.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}
