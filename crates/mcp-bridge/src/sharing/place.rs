//! Where bridges that may share a connection find each other: a lock and a socket whose names tell two of them apart
//! exactly where they must not share.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mcp_files::{Policy, lock_file};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::UnixListener;

use crate::Fingerprint;
use crate::control::Places;

/// How many bytes of the code stand in a name: with 128 bits no two meet by chance, and the path of a
/// socket may have about 100 bytes.
const NAME_BYTES: usize = 16;
/// How long the key of a directory is, in bytes.
const KEY_BYTES: usize = 32;

/// The lock and the socket of those who share one connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    lock: PathBuf,
    socket: PathBuf,
}

impl Place {
    /// The place in `directory`, which is made if it is not there, for entries of this fingerprint.
    ///
    /// Security: the names are codes under a key that only this account can read, so that a name in a log does not
    /// help anybody to guess what went into it.
    ///
    /// # Errors
    ///
    /// The directory cannot be had for this account alone, or its key cannot.
    pub(super) fn of(directory: &Path, fingerprint: Fingerprint) -> io::Result<Self> {
        Places::made(directory)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key(directory)?);
        let code = hmac::sign(&key, fingerprint.digest().as_ref());
        let name: String = code.as_ref().iter().take(NAME_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            lock: directory.join(format!("{name}.lock")),
            socket: directory.join(format!("{name}.shared")),
        })
    }

    /// Where the one that keeps the connection listens.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The right to keep the connection; `None` where another process has it. It ends with the file, and so with the
    /// process, however that ends.
    ///
    /// The file itself stays: removing it would let two of them lock different files of the same name. Programs
    /// that clean up temporary directories do, so what counts is the file that has the name.
    ///
    /// # Errors
    ///
    /// The file cannot be made or locked.
    pub(super) fn claim(&self) -> io::Result<Option<File>> {
        let file = lock_file(&self.lock)?;
        match file.try_lock() {
            Ok(()) => Ok(self.is_held_by(&file).then_some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether this is the claim of this place.
    fn is_held_by(&self, claim: &File) -> bool {
        let id = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let there = std::fs::symlink_metadata(&self.lock).map(id).ok();
        there.is_some() && there == claim.metadata().map(id).ok()
    }

    /// Listens. Only for the owner of the claim: a socket that is there was left behind.
    ///
    /// # Errors
    ///
    /// The path is too long for a socket, or the directory cannot be written.
    pub(super) fn listen(&self) -> io::Result<UnixListener> {
        // It may not be there; what else can go wrong is told by the next line.
        drop(std::fs::remove_file(&self.socket));
        let listener = UnixListener::bind(&self.socket)?;
        std::fs::set_permissions(&self.socket, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    }

    /// Removes the socket of the owner of this claim, as long as it is the claim of this place.
    pub(super) fn clear(&self, claim: &File) {
        if self.is_held_by(claim) {
            // What can go wrong is told by the next to bind it.
            drop(std::fs::remove_file(&self.socket));
        }
    }
}

/// The key of a directory, made by the first to need it.
fn key(directory: &Path) -> io::Result<Vec<u8>> {
    let path = directory.join("shared.key");
    if let Some(key) = read_key(&path)? {
        return Ok(key);
    }
    let mut key = [0; KEY_BYTES];
    SystemRandom::new().fill(&mut key).map_err(|_| io::Error::other("no random numbers"))?;
    // Never in place of one that another process uses already.
    mcp_files::publish(&path, &key)?;
    read_key(&path)?.ok_or_else(|| io::Error::other(format!("{} went away", path.display())))
}

/// Security: the directory is private now, and may not have been so always.
fn read_key(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match mcp_files::read(path, &Policy::secret(KEY_BYTES as u64)) {
        Ok(key) if key.len() == KEY_BYTES => Ok(Some(key)),
        Ok(_) => {
            let text = format!("{} is damaged; remove it", path.display());
            Err(io::Error::new(io::ErrorKind::InvalidData, text))
        }
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{}: {error}; remove it", path.display()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(directory: &Path, parts: &[(&str, &str)]) -> Place {
        let print = parts.iter().fold(Fingerprint::new(), |print, (name, value)| print.with(name, value));
        Place::of(directory, print).unwrap()
    }

    #[tokio::test]
    async fn only_what_is_equal_in_every_part_meets() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("run");
        let of = |parts: &[(&str, &str)]| place(&directory, parts);
        assert_eq!(of(&[("url", "a"), ("token", "b")]), of(&[("url", "a"), ("token", "b")]));
        let others = [
            of(&[("url", "a"), ("token", "c")]),
            of(&[("url", "a")]),
            of(&[("url", "ab"), ("token", "")]),
            of(&[("url", "a"), ("toke", "nb")]),
            of(&[("token", "b"), ("url", "a")]),
        ];
        assert!(others.iter().all(|other| *other != of(&[("url", "a"), ("token", "b")])), "{others:?}");
        let elsewhere = tempfile::tempdir().unwrap();
        let there = place(elsewhere.path(), &[("url", "a")]);
        assert_ne!(there.socket().file_name(), of(&[("url", "a")]).socket().file_name(), "keys differ");
    }

    #[tokio::test]
    async fn no_secret_and_no_name_that_others_could_compute_is_in_the_directory() {
        let home = tempfile::tempdir().unwrap();
        let print = Fingerprint::new().with("token", "canary");
        assert!(!format!("{print:?}").contains("canary"));
        let place = Place::of(home.path(), print).unwrap();
        let claim = place.claim().unwrap().unwrap();
        for entry in std::fs::read_dir(home.path()).unwrap() {
            let entry = entry.unwrap();
            assert!(!entry.file_name().to_string_lossy().contains("canary"));
            assert!(!std::fs::read(entry.path()).unwrap().windows(6).any(|bytes| bytes == b"canary"));
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0);
        }
        drop(claim);
    }

    #[tokio::test]
    async fn a_key_that_others_can_read_is_no_key() {
        let home = tempfile::tempdir().unwrap();
        place(home.path(), &[]);
        let key = home.path().join("shared.key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = Place::of(home.path(), Fingerprint::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
    }

    #[tokio::test]
    async fn an_owner_that_lost_the_name_of_its_claim_leaves_its_successor_alone() {
        let home = tempfile::tempdir().unwrap();
        let place = place(home.path(), &[]);
        let first = place.claim().unwrap().unwrap();
        // Something that cleans up removes both files.
        std::fs::remove_file(&place.lock).unwrap();
        let second = place.claim().unwrap().unwrap();
        let _listener = place.listen().unwrap();
        place.clear(&first);
        assert!(place.socket().exists(), "it is that of the second one");
        place.clear(&second);
        assert!(!place.socket().exists());
    }

    #[tokio::test]
    async fn one_at_a_time_has_the_claim() {
        let home = tempfile::tempdir().unwrap();
        let place = place(home.path(), &[]);
        let claim = place.claim().unwrap();
        assert!(claim.is_some() && place.claim().unwrap().is_none());
        drop(claim);
        assert!(place.claim().unwrap().is_some());
    }

    #[tokio::test]
    async fn a_socket_that_was_left_behind_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let place = place(home.path(), &[]);
        drop(std::os::unix::net::UnixListener::bind(place.socket()).unwrap());
        let _listener = place.listen().unwrap();
        assert!(tokio::net::UnixStream::connect(place.socket()).await.is_ok());
    }
}
