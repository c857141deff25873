//! Advisory locks between processes, on empty files that stay.
//!
//! There are two per sign-in: the refresh lock, held across a network round trip, and the writing lock, held
//! for the moment in which a file is replaced. A refresh saves while it holds the former.

use std::fs::{File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::private_dir::private_dir;
use crate::oauth::store::StoreGuard;
use crate::oauth::store::memory::LocalGuard;
use crate::{AuthError, AuthErrorKind};

/// Polled, because a blocking lock cannot be given up: it would keep its thread, and with it the runtime,
/// from ending. The holder is done in milliseconds once its network round trip is over, so no waiter starves.
const POLL: Duration = Duration::from_millis(20);
const WRITING_POLL: Duration = Duration::from_millis(2);
/// No writer needs this long for a few hundred bytes; a file system that does is not answering.
const WRITING_PATIENCE: Duration = Duration::from_secs(10);

/// The directory of the lock files.
#[derive(Debug)]
pub(super) struct LockDir {
    root: PathBuf,
    dir: PathBuf,
}

impl LockDir {
    pub(super) fn new(root: &std::path::Path) -> Self {
        Self { root: root.to_owned(), dir: root.join("locks") }
    }

    /// Opens the refresh lock of `name`, without taking it. Blocking.
    pub(super) fn open(&self, name: &str) -> Result<LockFile, AuthError> {
        let path = self.dir.join(format!("{name}.lock"));
        let open = || private_dir(&self.root, &self.dir).and_then(|()| mcp_files::lock_file(&path));
        let file = open().map_err(|error| {
            let message = format!("open {}: {error}", path.display());
            AuthError::new(AuthErrorKind::Store, message).with_source(error)
        })?;
        Ok(LockFile(Arc::new(file)))
    }

    /// Takes the writing lock of `name`. Blocking, within a time limit.
    pub(super) fn writing(&self, name: &str) -> Result<WritePermit, AuthError> {
        let LockFile(file) = self.open(&format!("{name}.write"))?;
        let deadline = Instant::now() + WRITING_PATIENCE;
        loop {
            match attempt(&file) {
                Attempt::Held => return Ok(WritePermit { file: Some(file) }),
                Attempt::NoLocks => return Ok(WritePermit { file: None }),
                Attempt::Busy if Instant::now() >= deadline => return Err(busy()),
                Attempt::Busy => std::thread::sleep(WRITING_POLL),
            }
        }
    }
}

/// A lock file that is open; the lock ends with the last handle.
#[derive(Debug)]
pub(super) struct LockFile(Arc<File>);

impl LockFile {
    /// Waits for the lock, at most for `patience`.
    pub(super) async fn acquire(self, patience: Duration) -> Result<HeldLock, AuthError> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let file = Arc::clone(&self.0);
            let attempt = tokio::task::spawn_blocking(move || attempt(&file)).await;
            match attempt.unwrap_or(Attempt::Busy) {
                Attempt::Held => return Ok(HeldLock { _file: Some(self), _local: None }),
                Attempt::NoLocks => return Ok(HeldLock { _file: None, _local: None }),
                Attempt::Busy if tokio::time::Instant::now() >= deadline => return Err(busy()),
                Attempt::Busy => tokio::time::sleep(POLL).await,
            }
        }
    }
}

enum Attempt {
    Held,
    Busy,
    NoLocks,
}

fn attempt(file: &File) -> Attempt {
    match file.try_lock() {
        Ok(()) => Attempt::Held,
        Err(TryLockError::WouldBlock) => Attempt::Busy,
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => Attempt::Busy,
        Err(TryLockError::Error(error)) => {
            // Some network file systems have no locks. Going without them is better than not going at
            // all: a refresh re-reads what is kept before it believes a rejection.
            static WARNED: AtomicBool = AtomicBool::new(false);
            if !WARNED.swap(true, Ordering::Relaxed) {
                tracing::warn!(%error, "the token store is on a file system without locks");
            }
            Attempt::NoLocks
        }
    }
}

/// The refresh lock of a sign-in, held against other processes and other tasks.
#[derive(Debug)]
pub(super) struct HeldLock {
    // Fields are dropped in this order: the next task of this process finds the file unlocked.
    _file: Option<LockFile>,
    _local: Option<LocalGuard>,
}

impl HeldLock {
    /// Holds the lock among tasks for as long as the one among processes.
    pub(super) fn with(self, local: LocalGuard) -> Self {
        Self { _local: Some(local), ..self }
    }
}

impl StoreGuard for HeldLock {}

/// Proof that the caller may replace a file.
#[derive(Debug)]
pub(super) struct WritePermit {
    file: Option<Arc<File>>,
}

impl WritePermit {
    /// Whether no other process is writing; without locks, that cannot be known.
    pub(super) fn is_exclusive(&self) -> bool {
        self.file.is_some()
    }
}

pub(super) fn busy() -> AuthError {
    let message = "get at the sign-in: another process has been busy with it for too long";
    AuthError::new(AuthErrorKind::StoreUnavailable, message)
}
