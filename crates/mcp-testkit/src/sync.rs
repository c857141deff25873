//! One locking rule for the whole kit.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also when an earlier holder panicked: the fakes must stay inspectable after a failed assertion in
/// another thread, or the second panic would hide the first.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
