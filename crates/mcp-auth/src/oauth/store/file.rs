//! Sign-ins in files: one per sign-in, so that a damaged file costs one sign-in and not all, and writers
//! of different sign-ins never meet.
//!
//! ```text
//! DIR/tokens/work-3f2a….json    DIR/clients/….json    DIR/locks/….lock
//! ```
//!
//! Directories are for their owner only (0700), and so are files (0600). A file is replaced in one step:
//! a process that is killed while writing leaves the old file. Lock files are empty and stay, because a lock on a file that
//! someone else has deleted meanwhile is a lock on nothing; the operating system lets go of the
//! locks of a process that dies.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::format::{self, DecodedRecord, FormatError};
use super::memory::Locks;
use super::names::{client_name, server_prefix, token_name};
use super::records::{
    ClientKey, KEYRING_FIELD, StoredClient, StoredTokens, TokenKey, UnknownFields, readable,
};
use super::{SignInRecord, StoreGuard, TokenStore};
use crate::{AuthError, AuthErrorKind, AuthFuture};

mod credential_dir;
mod lock;
mod private_dir;

use credential_dir::CredentialDir;
use lock::LockDir;

/// How long to wait for another process that holds a lock: longer than one that is alive needs for a
/// refresh whose answer is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// The directory of the tokens.
const TOKENS: &str = "tokens";

/// Keeps sign-ins in the files of a directory of its own.
///
/// Nothing is created before the first sign-in is saved. On Unix, the directory is made accessible to its owner
/// only, and used only by its owner; on Windows the access rights of the profile apply.
#[derive(Clone)]
pub struct FileTokenStore(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    tokens: CredentialDir,
    clients: CredentialDir,
    locks: LockDir,
    local: Locks<String>,
    patience: Duration,
}

impl FileTokenStore {
    /// A store in `dir`, which must not be used for anything else.
    ///
    /// `dir` itself may be a symbolic link (to another disk, say); nothing in it may.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self::with_patience(dir, PATIENCE)
    }

    /// The same, with a time limit for waiting for another process.
    pub fn with_patience(dir: impl Into<PathBuf>, patience: Duration) -> Self {
        let dir = dir.into();
        Self(Arc::new(Inner {
            tokens: CredentialDir::new(&dir, TOKENS),
            clients: CredentialDir::new(&dir, "clients"),
            locks: LockDir::new(&dir),
            local: Locks::default(),
            patience,
            dir,
        }))
    }

    /// What the files tell of every sign-in, in a stable order, those included whose secrets are in a keyring: that is not
    /// asked. A file that cannot be read is an element of its own.
    ///
    /// # Errors
    ///
    /// The directory cannot be listed.
    pub async fn survey(&self) -> Result<Vec<Result<SignInRecord, AuthError>>, AuthError> {
        self.run(|inner| {
            let tokens = &inner.tokens;
            let names = tokens.names("").map_err(|error| failure("list", tokens, "", error))?;
            let of = |name: &String| match read(tokens, name, format::decode_tokens) {
                Ok(found) => found.map(|(key, kept)| Ok(SignInRecord::new(key, kept, tokens.path(name)))),
                Err(error) => Some(Err(error)),
            };
            let mut records: Vec<_> = names.iter().filter_map(of).collect();
            records.sort_by_key(|record| record.as_ref().ok().map(|record| record.key.clone()));
            Ok(records)
        })
        .await
    }

    /// Reads one record where that does not hold up other tasks. Before the first sign-in there is no folder: one look at it is
    /// enough, and costs less than handing it to a thread, which every server of a `status` would pay for.
    async fn read<T: Send + 'static>(
        &self,
        dir: impl Fn(&Inner) -> &CredentialDir + Send + 'static,
        name: String,
        decode: Decoder<T>,
    ) -> Result<Option<T>, AuthError> {
        if !dir(&self.0).exists() {
            return Ok(None);
        }
        self.run(move |inner| read(dir(inner), &name, decode)).await
    }

    /// Runs file operations where they do not hold up other tasks.
    async fn run<T, W>(&self, work: W) -> Result<T, AuthError>
    where
        T: Send + 'static,
        W: FnOnce(&Inner) -> Result<T, AuthError> + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|died| {
            Err(AuthError::new(AuthErrorKind::Store, "use the token store").with_source(died))
        })
    }

    /// The tokens of `key` as the file has them, even if their secrets are elsewhere.
    pub(super) async fn load_as_kept(&self, key: &TokenKey) -> Result<Option<StoredTokens>, AuthError> {
        let found = self.read(|inner| &inner.tokens, token_name(key), format::decode_tokens).await?;
        // Names are hashes of the key; a file that was renamed by hand is not this sign-in.
        Ok(found.filter(|(kept, _)| kept == key).map(|(_, tokens)| tokens))
    }

    /// The client of `key` as the file has it, even if its secret is elsewhere.
    pub(super) async fn load_client_as_kept(
        &self,
        key: &ClientKey,
    ) -> Result<Option<StoredClient>, AuthError> {
        let found = self.read(|inner| &inner.clients, client_name(key), format::decode_client).await?;
        Ok(found.filter(|(kept, _)| kept == key).map(|(_, client)| client))
    }

    pub(super) async fn lock_named(&self, name: String) -> Result<Box<dyn StoreGuard>, AuthError> {
        // First the tasks of this process, in the order in which they came, so that only one of them
        // competes with other processes.
        let local = tokio::time::timeout(self.0.patience, self.0.local.lock(&name));
        let local = local.await.map_err(|_| lock::busy())?;
        let file = self.run(move |inner| inner.locks.open(&name)).await?;
        Ok(Box::new(file.acquire(self.0.patience).await?.with(local)))
    }
}

impl fmt::Debug for FileTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTokenStore").field("dir", &self.0.dir).finish_non_exhaustive()
    }
}

impl TokenStore for FileTokenStore {
    fn load<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Option<StoredTokens>> {
        Box::pin(async move {
            let found = self.load_as_kept(key).await?;
            found.map(|tokens| in_file(&tokens.unknown).map(|()| tokens)).transpose()
        })
    }

    fn save<'a>(&'a self, key: &'a TokenKey, tokens: &'a StoredTokens) -> AuthFuture<'a, ()> {
        let (name, text) = (token_name(key), format::encode_tokens(key, tokens));
        Box::pin(self.run(move |inner| {
            write(inner, &inner.tokens, &name, &text, |kept| format::decode_tokens(kept).is_ok())
        }))
    }

    fn remove_broken<'a>(&'a self, server_name: &'a str) -> AuthFuture<'a, usize> {
        let prefix = server_prefix(server_name);
        Box::pin(self.run(move |inner| {
            let tokens = broken(&inner.tokens, &prefix, |text| format::decode_tokens(text).is_err())?;
            let clients = broken(&inner.clients, "", |text| format::decode_client(text).is_err())?;
            for name in &tokens {
                remove(inner, &inner.tokens, name)?;
            }
            for name in &clients {
                remove(inner, &inner.clients, name)?;
            }
            Ok(tokens.len() + clients.len())
        }))
    }

    fn watched(&self) -> Vec<PathBuf> {
        // A file is replaced by another one of its name, which is a change of the directory.
        vec![self.0.dir.join(TOKENS)]
    }

    fn remove<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, bool> {
        let name = token_name(key);
        Box::pin(self.run(move |inner| remove(inner, &inner.tokens, &name)))
    }

    fn list<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<TokenKey>> {
        let prefix = server_name.map(server_prefix).unwrap_or_default();
        Box::pin(async move {
            let mut keys = self
                .run(move |inner| {
                    let records = read_all(&inner.tokens, &prefix, format::decode_tokens)?;
                    Ok(records.into_iter().map(|(key, _)| key).collect::<Vec<_>>())
                })
                .await?;
            keys.retain(|key| server_name.is_none_or(|name| key.server_name() == name));
            keys.sort();
            Ok(keys)
        })
    }

    fn load_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Option<StoredClient>> {
        Box::pin(async move {
            let found = self.load_client_as_kept(key).await?;
            found.map(|client| in_file(&client.unknown).map(|()| client)).transpose()
        })
    }

    fn save_client<'a>(&'a self, key: &'a ClientKey, client: &'a StoredClient) -> AuthFuture<'a, ()> {
        let (name, text) = (client_name(key), format::encode_client(key, client));
        Box::pin(self.run(move |inner| {
            write(inner, &inner.clients, &name, &text, |kept| format::decode_client(kept).is_ok())
        }))
    }

    fn remove_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, bool> {
        let name = client_name(key);
        Box::pin(self.run(move |inner| remove(inner, &inner.clients, &name)))
    }

    fn list_clients<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<ClientKey>> {
        Box::pin(async move {
            let records = self.run(|inner| read_all(&inner.clients, "", format::decode_client)).await?;
            let wanted = |client: &StoredClient| server_name.is_none_or(|name| client.server_name == name);
            let mut keys: Vec<_> =
                records.into_iter().filter(|(_, client)| wanted(client)).map(|(key, _)| key).collect();
            keys.sort();
            Ok(keys)
        })
    }

    fn lock<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Box<dyn StoreGuard>> {
        Box::pin(self.lock_named(token_name(key)))
    }

    fn lock_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Box<dyn StoreGuard>> {
        Box::pin(self.lock_named(client_name(key)))
    }
}

/// An error when the secrets of a record were left out of the file, by a program that uses the keyring.
fn in_file(unknown: &UnknownFields) -> Result<(), AuthError> {
    if !unknown.0.contains_key(KEYRING_FIELD) {
        return Ok(());
    }
    let message = "read the sign-in: its secrets are in the keyring of the system, which is not in use here";
    Err(AuthError::new(AuthErrorKind::Store, message))
}

type Decoder<T> = fn(&[u8]) -> Result<DecodedRecord<T>, FormatError>;

fn read<T>(credential_dir: &CredentialDir, name: &str, decode: Decoder<T>) -> Result<Option<T>, AuthError> {
    let text = credential_dir.read(name).map_err(|error| failure("read", credential_dir, name, error))?;
    let Some(text) = text else { return Ok(None) };
    let decoded = decode(&text).map_err(|error| failure("read", credential_dir, name, error))?;
    if !decoded.ignored.is_empty() {
        let file = credential_dir.path(name);
        tracing::warn!(file = %file.display(), fields = ?decoded.ignored, "fields of a bad type are ignored");
    }
    Ok(Some(decoded.record))
}

/// Every record whose name begins with `prefix` and that can be read ([`readable`]).
fn read_all<T>(
    credential_dir: &CredentialDir,
    prefix: &str,
    decode: Decoder<T>,
) -> Result<Vec<T>, AuthError> {
    let names = credential_dir.names(prefix).map_err(|error| failure("list", credential_dir, "", error))?;
    readable(names.iter().map(|name| read(credential_dir, name, decode)))
}

/// The names of the records that are there and that `is_broken`; one that may not be read is not among them.
fn broken(
    credential_dir: &CredentialDir,
    prefix: &str,
    is_broken: impl Fn(&[u8]) -> bool,
) -> Result<Vec<String>, AuthError> {
    let mut names =
        credential_dir.names(prefix).map_err(|error| failure("list", credential_dir, "", error))?;
    names
        .retain(|name| credential_dir.read(name).is_ok_and(|text| text.is_some_and(|text| is_broken(&text))));
    Ok(names)
}

fn write(
    inner: &Inner,
    credential_dir: &CredentialDir,
    name: &str,
    text: &str,
    is_readable: impl FnOnce(&[u8]) -> bool,
) -> Result<(), AuthError> {
    let writing = inner.locks.writing(name)?;
    credential_dir
        .replace(name, text.as_bytes(), is_readable, &writing)
        .map_err(|error| failure("write", credential_dir, name, error))
}

fn remove(inner: &Inner, credential_dir: &CredentialDir, name: &str) -> Result<bool, AuthError> {
    if !credential_dir.exists() {
        return Ok(false);
    }
    let writing = inner.locks.writing(name)?;
    credential_dir.remove(name, &writing).map_err(|error| failure("remove", credential_dir, name, error))
}

fn failure(
    verb: &str,
    credential_dir: &CredentialDir,
    name: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> AuthError {
    let error = error.into();
    // The reason is part of the text: many places print only the outermost error.
    let message = format!("{verb} {}: {error}", credential_dir.path(name).display());
    AuthError::new(AuthErrorKind::Store, message).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    #[tokio::test]
    async fn what_is_broken_is_forgotten_with_its_server_and_with_no_other() {
        let home = tempfile::tempdir().unwrap();
        let store = FileTokenStore::new(home.path());
        let [one, other, third] = ["a", "b", "c"]
            .map(|name| TokenKey::new(name, &"https://s.example/mcp".parse().unwrap(), "https://as.example"));
        for key in [&one, &other, &third] {
            let tokens = StoredTokens::new(Secret::new("canary"), "client", std::time::SystemTime::now());
            store.save(key, &tokens).await.unwrap();
        }
        for key in [&one, &other] {
            std::fs::write(home.path().join(TOKENS).join(token_name(key) + ".json"), "garbage").unwrap();
        }
        assert_eq!(store.remove_broken("a").await.unwrap(), 1);
        assert!(store.load(&one).await.unwrap().is_none());
        assert!(store.load(&other).await.is_err(), "it is of another server");
        assert!(store.load(&third).await.unwrap().is_some());
        assert_eq!(store.remove_broken("a").await.unwrap(), 0);
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        let home = tempfile::tempdir().unwrap();
        super::super::contract::check_store(&FileTokenStore::new(home.path().join("store"))).await;
    }

    /// A home that is a file holds nothing; a file in the place of the store is in the way, and is told.
    #[tokio::test]
    async fn fb_a08_below_a_file_nothing_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("home");
        std::fs::write(&file, "").unwrap();
        let key = TokenKey::new("web", &"https://h/mcp".parse().unwrap(), "https://as.example");
        for below in [file.join("state"), file.join("a/b/c")] {
            let store = FileTokenStore::new(&below);
            assert!(store.survey().await.unwrap().is_empty(), "{below:?}");
            assert!(store.load(&key).await.unwrap().is_none(), "{below:?}");
        }
        assert!(FileTokenStore::new(&file).survey().await.is_err(), "what is there is told");
    }

    #[tokio::test]
    async fn a_survey_tells_where_secrets_are_and_not_what_they_are() {
        let home = tempfile::tempdir().unwrap();
        let store = FileTokenStore::new(home.path());
        assert!(store.survey().await.unwrap().is_empty());
        let key = |name| TokenKey::new(name, &"https://h/mcp?k=1".parse().unwrap(), "https://as.example");
        let mut tokens = StoredTokens::new(Secret::new("canary"), "client", std::time::UNIX_EPOCH + PATIENCE);
        tokens.refresh_token = Some(Secret::new("canary"));
        tokens.scopes = vec!["read".to_owned()];
        store.save(&key("in-file"), &tokens).await.unwrap();
        tokens.refresh_token = None;
        tokens.unknown.0.insert(KEYRING_FIELD.to_owned(), "a".into());
        store.save(&key("sealed"), &tokens).await.unwrap();
        std::fs::write(home.path().join("tokens/other-0.json"), "{").unwrap();

        let records = store.survey().await.unwrap();
        assert_eq!(records.len(), 3);
        let rows: Vec<_> = records
            .iter()
            .flatten()
            .map(|record| (record.key.server_name(), record.place.as_str(), record.is_renewable))
            .collect();
        assert_eq!(rows, [("in-file", "file", Some(true)), ("sealed", "keyring", None)]);
        let error = records.iter().find_map(|record| record.as_ref().err()).unwrap();
        assert!(error.to_string().contains("other-0.json"), "{error}");
        assert!(!format!("{records:?}").contains("canary"), "{records:?}");
    }
}
