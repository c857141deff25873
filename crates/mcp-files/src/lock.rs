//! Advisory locks between processes, on empty files that stay: a lock on a file that someone else has deleted
//! meanwhile is a lock on nothing. The system lets go of the locks of a process that dies.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{FileError, FileErrorKind};
use crate::private::lock_file;

/// A holder is done in milliseconds, so no waiter starves. Polled, because a blocking lock cannot be given up.
const POLL: Duration = Duration::from_millis(5);

/// A lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the lock of this file, made if it is not there, waiting for `patience` at most. Blocks.
///
/// # Errors
///
/// Another process holds it ([`FileErrorKind::Busy`]), what is there is no regular file of this account, or it cannot
/// be made or locked.
pub fn lock(path: &Path, patience: Duration) -> Result<Lock, FileError> {
    let file = lock_file(path)?;
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock { _file: file }),
            Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Interrupted => {
                return Err(error.into());
            }
            Err(_) if Instant::now() >= deadline => return Err(FileError::new(FileErrorKind::Busy)),
            Err(_) => std::thread::sleep(POLL),
        }
    }
}
