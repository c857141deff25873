//! Sign-ins whose secrets are in the keyring of the operating system.
//!
//! Everything but the secrets stays in the files of a [`FileTokenStore`]: keyrings cannot be listed
//! everywhere, have no locks and replace nothing in one step. The file says under which names the secrets
//! are, and is replaced after they have been written, so it is the file that decides which of two sets counts:
//!
//! 1. the new secrets go to the slot (of two) that is not in use, in pieces that every keyring takes;
//! 2. the file is replaced, and from then on refers to that slot;
//! 3. the other slot is emptied.
//!
//! A process that is killed between these steps leaves the old sign-in or the new one, and at most one set of items too
//! many, which the next save removes. When the keyring is locked or absent, the secrets go into the
//! file instead; which of the two happened need not be remembered.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::file::FileTokenStore;
use super::names::{client_name, token_name};
use super::records::{ClientKey, StoredClient, StoredTokens, TokenKey};
use super::{StoreGuard, TokenStore};
use crate::{AuthError, AuthErrorKind, AuthFuture, Secret};

#[cfg(feature = "keyring")]
mod os;
mod pieces;
mod sealed;

use pieces::{Slot, VaultError};
use sealed::SealedRecord;

/// How long the keyring may take: long enough for a person to unlock it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to leave a keyring alone that did not answer in time: the same dialog is not waited for twice.
const REST: Duration = Duration::from_secs(60);
/// How often a reader looks again when the secrets were replaced under its eyes.
const READ_ATTEMPTS: u32 = 3;

/// Small secrets by name: what a keyring is to us. Every method may block, and may ask the person to unlock.
trait Vault: fmt::Debug + Send + Sync + 'static {
    /// The text kept under `name`.
    fn read(&self, name: &str) -> Result<Option<Secret>, VaultError>;
    /// Keeps `text` under `name`, replacing what was there.
    fn write(&self, name: &str, text: &Secret) -> Result<(), VaultError>;
    /// Forgets what is kept under `name`; tells whether there was anything.
    fn delete(&self, name: &str) -> Result<bool, VaultError>;
}

/// The keyring of this system for the secrets of one service, whatever they are.
#[cfg(feature = "keyring")]
#[derive(Debug)]
pub(crate) struct SystemKeyring(Arc<dyn Vault>);

#[cfg(feature = "keyring")]
impl SystemKeyring {
    pub(crate) fn new(service: &str) -> Self {
        Self(os::vault(service.to_owned()))
    }
}

#[cfg(feature = "keyring")]
impl crate::secret_store::Keyring for SystemKeyring {
    fn read(&self, name: &str) -> Result<Option<Secret>, String> {
        self.0.read(name).map_err(|error| error.to_string())
    }

    fn write(&self, name: &str, secret: &Secret) -> Result<(), String> {
        self.0.write(name, secret).map_err(|error| error.to_string())
    }

    fn delete(&self, name: &str) -> Result<bool, String> {
        self.0.delete(name).map_err(|error| error.to_string())
    }
}

/// Keeps the secrets of sign-ins in the keyring of the operating system, and the rest in files.
#[derive(Clone)]
pub struct KeyringTokenStore(Arc<Inner>);

struct Inner {
    files: FileTokenStore,
    vault: Arc<dyn Vault>,
    resting_until: Mutex<Option<Instant>>,
    warned: AtomicBool,
}

impl KeyringTokenStore {
    /// A store on top of `files`; `service` is what a keyring's own window shows as the owner of the secrets.
    ///
    /// macOS: the login keychain. Windows: the Credential Manager. Elsewhere: the Secret Service, through
    /// the program `secret-tool` of libsecret.
    #[cfg(feature = "keyring")]
    pub fn new(service: impl Into<String>, files: FileTokenStore) -> Self {
        Self::with_vault(os::vault(service.into()), files)
    }

    fn with_vault(vault: Arc<dyn Vault>, files: FileTokenStore) -> Self {
        Self(Arc::new(Inner {
            files,
            vault,
            resting_until: Mutex::new(None),
            warned: AtomicBool::new(false),
        }))
    }

    fn files(&self) -> &FileTokenStore {
        &self.0.files
    }

    /// Asks the keyring, within a time limit.
    async fn ask<T, W>(&self, work: W) -> Result<T, VaultError>
    where
        T: Send + 'static,
        W: FnOnce(&dyn Vault) -> Result<T, VaultError> + Send + 'static,
    {
        if self.resting_until().is_some_and(|end| Instant::now() < end) {
            return Err(VaultError::new("it did not answer"));
        }
        let vault = Arc::clone(&self.0.vault);
        let (done, answer) = tokio::sync::oneshot::channel();
        // A thread of its own: a dialog without an answer must not keep the runtime from ending.
        std::thread::spawn(move || {
            // No caller listens any more when the time limit has passed.
            let _ = done.send(work(&*vault));
        });
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(VaultError::new("asking it failed")),
            Err(_) => {
                *self.0.resting_until.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Instant::now() + REST);
                Err(VaultError::new("it did not answer"))
            }
        }
    }

    fn resting_until(&self) -> Option<Instant> {
        *self.0.resting_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the secrets of `record`, about to be saved, into the keyring. Returns the slot that they are in now.
    async fn seal<R: SealedRecord>(&self, name: &str, old: Option<Slot>, record: &mut R) -> Option<Slot> {
        let text = record.secrets()?;
        let (slot, text) = Slot::after(old, &text);
        let (item, written) = (name.to_owned(), slot.clone());
        match self.ask(move |vault| written.write(vault, &item, &text)).await {
            Ok(()) => {
                record.seal(slot.to_field());
                Some(slot)
            }
            Err(error) => {
                if !self.0.warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "the keyring cannot be used; secrets are kept in files");
                }
                None
            }
        }
    }

    /// Empties every slot but the one in use. What cannot be removed now is removed by the next save.
    async fn empty_others(&self, name: &str, used: Option<Slot>) -> Result<(), VaultError> {
        let name = name.to_owned();
        self.ask(move |vault| Slot::empty_others(vault, &name, used.as_ref())).await
    }

    /// Puts the secrets of `record` back. `Ok(false)` means that they are not there, or not whole.
    async fn unseal<R: SealedRecord>(&self, name: &str, record: &mut R) -> Result<bool, AuthError> {
        let Some(field) = record.sealed() else { return Ok(true) };
        let Some(slot) = Slot::from_field(&field) else { return Ok(false) };
        let name = name.to_owned();
        let found = self.ask(move |vault| slot.read(vault, &name)).await;
        match found {
            Ok(Some(text)) => Ok(record.unseal(&text)),
            Ok(None) => Ok(false),
            Err(error) => {
                Err(AuthError::new(AuthErrorKind::Store, format!("read the keyring: {error}"))
                    .with_source(error))
            }
        }
    }

    async fn load_sealed<R: SealedRecord>(&self, name: &str, key: &R::Key) -> Result<Option<R>, AuthError> {
        for _ in 0..READ_ATTEMPTS {
            let Some(mut record) = R::load(self.files(), key).await? else { return Ok(None) };
            if self.unseal(name, &mut record).await? {
                return Ok(Some(record));
            }
            // Replaced between our looking at the file and at the keyring? Then the file says something else now.
        }
        let message = "read the sign-in: its secrets are not in the keyring, or it is locked";
        Err(AuthError::new(AuthErrorKind::Store, message))
    }

    async fn save_sealed<R: SealedRecord>(
        &self,
        name: &str,
        key: &R::Key,
        mut record: R,
    ) -> Result<(), AuthError> {
        let _writing = self.files().lock_named(format!("{name}.keyring")).await?;
        // A file that cannot be read is put aside by the save below, and refers to nothing we could keep.
        let old = R::load(self.files(), key).await.ok().flatten();
        let old = old.and_then(|old| Slot::from_field(&old.sealed()?));
        let used = self.seal(name, old, &mut record).await;
        R::save(self.files(), key, &record).await?;
        if let Err(error) = self.empty_others(name, used).await {
            tracing::debug!(%error, "items that are not used any more stay in the keyring");
        }
        Ok(())
    }

    async fn remove_sealed<R: SealedRecord>(&self, name: &str, key: &R::Key) -> Result<bool, AuthError> {
        let _writing = self.files().lock_named(format!("{name}.keyring")).await?;
        // The keyring first: when it fails, the file still says that there is something to remove.
        let in_keyring = match R::load(self.files(), key).await {
            // Whatever else is left in files; the keyring is not unlocked for nothing.
            Ok(None) => return R::remove(self.files(), key).await,
            Ok(Some(record)) => record.sealed().is_some(),
            Err(_) => false,
        };
        match self.empty_others(name, None).await {
            Err(error) if in_keyring => {
                let message = format!("remove the sign-in from the keyring: {error}");
                Err(AuthError::new(AuthErrorKind::Store, message).with_source(error))
            }
            _ => R::remove(self.files(), key).await,
        }
    }
}

impl fmt::Debug for KeyringTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringTokenStore")
            .field("files", &self.0.files)
            .field("vault", &self.0.vault)
            .finish_non_exhaustive()
    }
}

impl TokenStore for KeyringTokenStore {
    fn load<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Option<StoredTokens>> {
        Box::pin(async move { self.load_sealed(&token_name(key), key).await })
    }

    fn save<'a>(&'a self, key: &'a TokenKey, tokens: &'a StoredTokens) -> AuthFuture<'a, ()> {
        Box::pin(async move { self.save_sealed(&token_name(key), key, tokens.clone()).await })
    }

    fn remove_broken<'a>(&'a self, server_name: &'a str) -> AuthFuture<'a, usize> {
        self.files().remove_broken(server_name)
    }

    fn remove<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, bool> {
        Box::pin(async move { self.remove_sealed::<StoredTokens>(&token_name(key), key).await })
    }

    fn watched(&self) -> Vec<PathBuf> {
        self.files().watched()
    }

    fn list<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<TokenKey>> {
        self.files().list(server_name)
    }

    fn load_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Option<StoredClient>> {
        Box::pin(async move { self.load_sealed(&client_name(key), key).await })
    }

    fn save_client<'a>(&'a self, key: &'a ClientKey, client: &'a StoredClient) -> AuthFuture<'a, ()> {
        Box::pin(async move { self.save_sealed(&client_name(key), key, client.clone()).await })
    }

    fn remove_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, bool> {
        Box::pin(async move { self.remove_sealed::<StoredClient>(&client_name(key), key).await })
    }

    fn list_clients<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<ClientKey>> {
        self.files().list_clients(server_name)
    }

    fn lock<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Box<dyn StoreGuard>> {
        self.files().lock(key)
    }

    fn lock_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Box<dyn StoreGuard>> {
        self.files().lock_client(key)
    }
}

#[cfg(test)]
mod tests;
