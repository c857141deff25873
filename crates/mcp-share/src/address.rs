//! Where bridges that may share a connection find each other: a lock and a socket whose names tell two of them apart
//! exactly where they must not share.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mcp_bridge::control::Places;
use mcp_bridge::shared::HostIdentity;
use mcp_files::{Policy, lock_file};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::ConnectionIdentity;
use crate::socket::Listener;

/// How many bytes of the code stand in a name: with 128 bits none meets another one's by chance, and the path of a
/// socket may have about 100 bytes.
const NAME_BYTES: usize = 16;
/// How long the key of a directory is, in bytes.
const KEY_BYTES: usize = 32;

/// The lock and the socket of those who share one connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Address {
    lock: PathBuf,
    socket: PathBuf,
}

impl Address {
    /// The address in `directory`, which is made if it is not there, for connections of this identity.
    ///
    /// Security: the names are codes under a key that only this account can read, so that a name in a log does not
    /// help to guess what went into it.
    ///
    /// # Errors
    ///
    /// The directory cannot be obtained for this account alone, or its key cannot.
    pub(crate) fn of(directory: &Path, identity: ConnectionIdentity) -> io::Result<Self> {
        Places::made(directory)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key(directory)?);
        let code = hmac::sign(&key, identity.digest().as_ref());
        let name: String = code.as_ref().iter().take(NAME_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            lock: directory.join(format!("{name}.lock")),
            socket: directory.join(format!("{name}.shared")),
        })
    }

    /// Where processes meet whose connections have this identity and whose hosts the server is told the same of.
    ///
    /// # Errors
    ///
    /// Those of [`of`](Self::of).
    pub(crate) fn of_host(
        directory: &Path,
        identity: ConnectionIdentity,
        host: &HostIdentity,
    ) -> io::Result<Self> {
        // What is said on the socket is private to a version of this program.
        Self::of(directory, identity.with("version", env!("CARGO_PKG_VERSION")).with("host", &host.canonical))
    }

    /// Where the process that keeps the connection listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The right to keep the connection; `None` where another process has it. It ends with the file, and so with the
    /// process, however that ends.
    ///
    /// The file itself stays: a process that removed it would let two of them lock different files of the same name. Programs
    /// that clean up temporary directories do, so what counts is the file that has the name.
    ///
    /// # Errors
    ///
    /// The file cannot be made or locked.
    pub(crate) fn claim(&self) -> io::Result<Option<File>> {
        let file = lock_file(&self.lock)?;
        match file.try_lock() {
            Ok(()) => Ok(self.is_held_by(&file).then_some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether this is the claim of this address.
    fn is_held_by(&self, claim: &File) -> bool {
        let id = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        let there = std::fs::symlink_metadata(&self.lock).map(id).ok();
        there.is_some() && there == claim.metadata().map(id).ok()
    }

    /// Listens. Only for the process that has the claim: a socket that is there was left behind.
    ///
    /// # Errors
    ///
    /// The path is too long for a socket, or the directory cannot be written.
    pub(crate) fn listen(&self) -> io::Result<Listener> {
        // It may not be there; what else can go wrong is told by the next line.
        drop(std::fs::remove_file(&self.socket));
        let listener = Listener::bind(&self.socket)?;
        std::fs::set_permissions(&self.socket, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    }

    /// Removes the socket of the process that has this claim, as long as it is the claim of this address.
    pub(crate) fn clear(&self, claim: &File) {
        if self.is_held_by(claim) {
            // What can go wrong is told by the process that binds it next.
            drop(std::fs::remove_file(&self.socket));
        }
    }
}

/// The key of a directory, made by the process that needs it first.
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

    fn address(directory: &Path, parts: &[(&str, &str)]) -> Address {
        let identity = parts
            .iter()
            .fold(ConnectionIdentity::new(), |identity, (name, value)| identity.with(name, value));
        Address::of(directory, identity).unwrap()
    }

    #[tokio::test]
    async fn only_what_is_equal_in_every_part_meets() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("run");
        let of = |parts: &[(&str, &str)]| address(&directory, parts);
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
        let there = address(elsewhere.path(), &[("url", "a")]);
        assert_ne!(there.socket().file_name(), of(&[("url", "a")]).socket().file_name(), "keys differ");
    }

    #[tokio::test]
    async fn no_secret_and_no_name_that_others_could_compute_is_in_the_directory() {
        let home = tempfile::tempdir().unwrap();
        let identity = ConnectionIdentity::new().with("token", "canary");
        assert!(!format!("{identity:?}").contains("canary"));
        let address = Address::of(home.path(), identity).unwrap();
        let claim = address.claim().unwrap().unwrap();
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
        address(home.path(), &[]);
        let key = home.path().join("shared.key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = Address::of(home.path(), ConnectionIdentity::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
    }

    #[tokio::test]
    async fn a_process_that_lost_the_name_of_its_claim_leaves_its_successor_alone() {
        let home = tempfile::tempdir().unwrap();
        let address = address(home.path(), &[]);
        let first = address.claim().unwrap().unwrap();
        // Something that cleans up removes both files.
        std::fs::remove_file(&address.lock).unwrap();
        let second = address.claim().unwrap().unwrap();
        let _listener = address.listen().unwrap();
        address.clear(&first);
        assert!(address.socket().exists(), "it is that of the second one");
        address.clear(&second);
        assert!(!address.socket().exists());
    }

    #[tokio::test]
    async fn one_at_a_time_has_the_claim() {
        let home = tempfile::tempdir().unwrap();
        let address = address(home.path(), &[]);
        let claim = address.claim().unwrap();
        assert!(claim.is_some() && address.claim().unwrap().is_none());
        drop(claim);
        assert!(address.claim().unwrap().is_some());
    }

    #[tokio::test]
    async fn a_socket_that_was_left_behind_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let address = address(home.path(), &[]);
        drop(std::os::unix::net::UnixListener::bind(address.socket()).unwrap());
        let _listener = address.listen().unwrap();
        assert!(tokio::net::UnixStream::connect(address.socket()).await.is_ok());
    }
}
