//! Secrets of a person by name: in the keyring of the operating system, or in a file where that cannot be used.
//!
//! A list of names is kept beside them, in `secrets.json` of the state directory, because keyrings cannot be listed
//! everywhere. A secret is in it only where the keyring did not take it: the directory is for this account only (0700),
//! and so is the file (0600).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mcp_files::{FileError, Links};
use serde::{Deserialize, Serialize};

use crate::settings::unattended::SECRETS_FILE;
use crate::{AuthError, AuthErrorKind, Secret};

/// The service that names belong to which are given without one.
pub const SERVICE: &str = "mcp";
/// No key is longer; it is what a [`SecretSource`](crate::settings::SecretSource) reads at most.
pub const MAX_BYTES: usize = 64 * 1024;

const MAX_FILE: u64 = 4 * 1024 * 1024;
/// How long the keyring may take: long enough for a person to unlock it, and shorter than a connection may take, which would
/// name no secret.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a person does about a keyring that holds a secret and does not give it.
const UNLOCK: &str = "unlock the keyring of the system, or see to what it says";
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Where a secret is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SecretBackend {
    /// In the keyring.
    Keyring,
    /// In the file.
    File,
}

/// A secret that is kept, without what it says.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SecretRecord {
    /// Whose it is.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub backend: SecretBackend,
}

/// How a secret was kept.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SecretPlacement {
    /// Where.
    pub backend: SecretBackend,
    /// Why the keyring did not take it, where it did not.
    pub why_not_keyring: Option<String>,
    /// There was another one of this name.
    pub replaced: bool,
    /// Others are in the file already, and a person was told of it.
    pub beside_others: bool,
}

/// The secrets of this person. Nothing is read or made before it is asked for something.
#[derive(Clone)]
pub struct SecretStore {
    state_dir: Option<PathBuf>,
    keyring: Arc<OpenKeyring>,
}

/// What asks the keyring that is named.
type OpenKeyring = dyn Fn(&str) -> Option<Box<dyn Keyring>> + Send + Sync;

/// A keyring as far as this needs one: secrets by name. It may block.
pub(crate) trait Keyring: Send {
    fn read(&self, name: &str) -> Result<Option<Secret>, String>;
    fn write(&self, name: &str, secret: &Secret) -> Result<(), String>;
    fn delete(&self, name: &str) -> Result<bool, String>;
}

#[derive(Default, Deserialize, Serialize)]
struct Document {
    version: u32,
    secrets: Vec<StoredSecret>,
}

#[derive(Deserialize, Serialize)]
struct StoredSecret {
    service: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl StoredSecret {
    fn is(&self, service: &str, name: &str) -> bool {
        self.service == service && self.name == name
    }
}

impl SecretStore {
    /// The secrets whose file is in this directory; without one only the keyring has any.
    pub fn new(state_dir: Option<PathBuf>) -> Self {
        Self::with_keyring(state_dir, system)
    }

    fn with_keyring(
        state_dir: Option<PathBuf>,
        keyring: impl Fn(&str) -> Option<Box<dyn Keyring>> + Send + Sync + 'static,
    ) -> Self {
        Self { state_dir, keyring: Arc::new(keyring) }
    }

    /// The secret of this name.
    ///
    /// # Errors
    ///
    /// The keyring or the file could not tell. Where it was never kept here, the error [says which secret it
    /// is](AuthError::lacking_secret).
    pub async fn read(&self, service: &str, name: &str) -> Result<Option<Secret>, AuthError> {
        let (this, service, name) = (self.clone(), service.to_owned(), name.to_owned());
        blocking(move || {
            let document = this.document()?;
            let kept = document.secrets.into_iter().find(|kept| kept.is(&service, &name));
            let is_known = kept.is_some();
            if let Some(value) = kept.and_then(|kept| kept.value) {
                return Ok(Some(Secret::new(value)));
            }
            match (this.keyring)(&service) {
                Some(keyring) => keyring.read(&name).map_err(|why| match is_known {
                    true => failed("read the keyring", why).with_hint(UNLOCK),
                    // A machine without a keyring: what was never kept is missing, and the keyring is not to blame.
                    false => {
                        let message =
                            format!("no secret of this name is kept; the keyring cannot be asked ({why})");
                        AuthError::new(AuthErrorKind::Store, message).with_lacking_secret(&*service, &*name)
                    }
                }),
                None => Ok(None),
            }
        })
        .await
    }

    /// Keeps a secret: in the keyring, and in the file where that does not take it.
    ///
    /// # Errors
    ///
    /// Neither takes it.
    pub async fn write(
        &self,
        service: &str,
        name: &str,
        secret: &Secret,
    ) -> Result<SecretPlacement, AuthError> {
        let (this, secret) = (self.clone(), secret.clone());
        let (service, name) = (service.to_owned(), name.to_owned());
        blocking(move || {
            let kept = match (this.keyring)(&service) {
                Some(keyring) => keyring.write(&name, &secret),
                None => Err("this program was built without the keyring".to_owned()),
            };
            let value = kept.is_err().then(|| secret.expose().to_owned());
            let backend = if value.is_some() { SecretBackend::File } else { SecretBackend::Keyring };
            let (replaced, beside_others) = this.change(|document| {
                let before = document.secrets.len();
                let beside_others = document.secrets.iter().any(|kept| kept.value.is_some());
                document.secrets.retain(|kept| !kept.is(&service, &name));
                let replaced = document.secrets.len() < before;
                document.secrets.push(StoredSecret { service: service.clone(), name: name.clone(), value });
                document.secrets.sort_by(|a, b| (&a.service, &a.name).cmp(&(&b.service, &b.name)));
                (replaced, beside_others)
            })?;
            Ok(SecretPlacement { backend, why_not_keyring: kept.err(), replaced, beside_others })
        })
        .await
    }

    /// Forgets a secret; tells whether there was one.
    ///
    /// # Errors
    ///
    /// The keyring or the file cannot be changed.
    pub async fn delete(&self, service: &str, name: &str) -> Result<bool, AuthError> {
        let (this, service, name) = (self.clone(), service.to_owned(), name.to_owned());
        blocking(move || {
            let known = this.document()?.secrets.into_iter().find(|kept| kept.is(&service, &name));
            let in_keyring = match (this.keyring)(&service) {
                // What is in the file may be all there is.
                Some(keyring) => match (keyring.delete(&name), &known) {
                    (Ok(deleted), _) => deleted,
                    (Err(_), Some(StoredSecret { value: Some(_), .. })) => false,
                    // No other program keeps any under this service.
                    (Err(_), None) if service == SERVICE => false,
                    (Err(why), _) => return Err(failed("ask the keyring to forget a secret", why)),
                },
                None => false,
            };
            if known.is_some() {
                this.change(|document| document.secrets.retain(|kept| !kept.is(&service, &name)))?;
            }
            Ok(known.is_some() || in_keyring)
        })
        .await
    }

    /// The secrets that were kept here, without what they say, by service and name. The keyring is not asked.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub async fn list(&self) -> Result<Vec<SecretRecord>, AuthError> {
        let this = self.clone();
        blocking(move || {
            let kept = this.document()?.secrets.into_iter();
            Ok(kept
                .map(|StoredSecret { service, name, value }| {
                    let backend = if value.is_some() { SecretBackend::File } else { SecretBackend::Keyring };
                    SecretRecord { service, name, backend }
                })
                .collect())
        })
        .await
    }

    /// The file, where there can be one.
    pub fn file(&self) -> Option<PathBuf> {
        self.state_dir.as_ref().map(|directory| directory.join(SECRETS_FILE))
    }

    fn document(&self) -> Result<Document, AuthError> {
        let Some(path) = self.file() else { return Ok(Document::default()) };
        let read = || -> Result<Vec<u8>, FileError> {
            mcp_files::check_private_dir(path.parent().unwrap_or(&path), Links::Follow)?;
            mcp_files::read_private(&path, MAX_FILE)
        };
        match read() {
            // Security: the library's words may quote what stands there.
            Ok(text) => serde_json::from_slice(&text).map_err(|error: serde_json::Error| {
                let place = path.display();
                failed("read the secrets", format!("{place} is damaged, at line {}", error.line()))
                    .with_hint(format!("mend {place}, or remove it and keep the secrets again"))
            }),
            Err(error) if error.is_absent() => Ok(Document::default()),
            Err(error) => Err(in_file("read the secrets", &path, &error)),
        }
    }

    fn change<T>(&self, edit: impl FnOnce(&mut Document) -> T) -> Result<T, AuthError> {
        const TASK: &str = "keep the list of secrets";
        let Some(path) = self.file() else {
            return Err(failed(TASK, "there is no directory for it: no home directory is known".to_owned()));
        };
        let of_file = |error: FileError| in_file(TASK, &path, &error);
        mcp_files::private_dir(path.parent().unwrap_or(&path), Links::Follow).map_err(of_file)?;
        let _lock = mcp_files::lock(&path.with_extension("json.lock"), LOCK_PATIENCE).map_err(of_file)?;
        let mut document = self.document()?;
        document.version = 1;
        let edited = edit(&mut document);
        let text = serde_json::to_vec_pretty(&document).map_err(|error| failed(TASK, error.to_string()))?;
        if text.len() as u64 > MAX_FILE {
            return Err(failed(TASK, format!("{} would be too large", path.display())));
        }
        mcp_files::sweep(&path).and_then(|()| mcp_files::replace(&path, &text)).map_err(of_file)?;
        Ok(edited)
    }
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretStore").field("state_dir", &self.state_dir).finish_non_exhaustive()
    }
}

fn failed(task: &str, why: String) -> AuthError {
    AuthError::new(AuthErrorKind::Store, format!("{task}: {why}"))
}

fn in_file(task: &str, path: &Path, error: &FileError) -> AuthError {
    failed(task, format!("{}: {error}", path.display()))
}

/// In a thread of its own: a dialog without an answer must not keep the runtime from ending.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AuthError> + Send + 'static,
) -> Result<T, AuthError> {
    const TASK: &str = "use the keyring";
    let (done, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || drop(done.send(work())));
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(failed(TASK, "asking it failed".to_owned())),
        Err(_) => {
            let limit = mcp_text::time_limit(PATIENCE);
            Err(failed(TASK, format!("it did not answer within {limit}")).with_hint(UNLOCK))
        }
    }
}

/// The keyring of this system.
#[cfg(feature = "keyring")]
fn system(service: &str) -> Option<Box<dyn Keyring>> {
    Some(Box::new(crate::oauth::store::SystemKeyring::new(service)))
}

#[cfg(not(feature = "keyring"))]
fn system(_: &str) -> Option<Box<dyn Keyring>> {
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Fake {
        kept: Arc<Mutex<BTreeMap<String, Secret>>>,
        locked: bool,
    }

    impl Fake {
        fn kept(&self) -> Result<std::sync::MutexGuard<'_, BTreeMap<String, Secret>>, String> {
            if self.locked { Err("it is locked".to_owned()) } else { Ok(self.kept.lock().unwrap()) }
        }
    }

    impl Keyring for Fake {
        fn read(&self, name: &str) -> Result<Option<Secret>, String> {
            Ok(self.kept()?.get(name).cloned())
        }

        fn write(&self, name: &str, secret: &Secret) -> Result<(), String> {
            self.kept()?.insert(name.to_owned(), secret.clone());
            Ok(())
        }

        fn delete(&self, name: &str) -> Result<bool, String> {
            Ok(self.kept()?.remove(name).is_some())
        }
    }

    #[tokio::test]
    async fn what_was_never_kept_is_lacking_and_what_is_kept_in_a_locked_keyring_is_not() {
        let home = tempfile::tempdir().unwrap();
        let keyring = Fake::default();
        let open = |locked| {
            let fake = Fake { locked, ..keyring.clone() };
            SecretStore::with_keyring(Some(home.path().join("state")), move |_| Some(Box::new(fake.clone())))
        };
        open(false).write("mcp", "kept", &Secret::new("canary")).await.unwrap();
        for (name, lacking) in [("kept", false), ("never", true)] {
            let error = open(true).read("mcp", name).await.unwrap_err();
            assert!(error.to_string().contains("it is locked"), "{error}");
            assert_eq!(
                error.lacking_secret().map(|secret| &*secret.name),
                lacking.then_some(name),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn a_secret_is_in_the_keyring_or_in_a_private_file_and_a_list_has_its_name() {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("state");
        let keyring = Fake::default();
        let open = |fake: &Fake| {
            let fake = fake.clone();
            SecretStore::with_keyring(Some(state.clone()), move |_| Some(Box::new(fake.clone())))
        };
        let store = open(&keyring);
        assert_eq!(store.read("mcp", "a").await.unwrap(), None);
        assert!(!state.exists(), "looking makes nothing");
        let kept = store.write("mcp", "a", &Secret::new("canary-1")).await.unwrap();
        assert_eq!((kept.backend, kept.replaced), (SecretBackend::Keyring, false));
        let text = std::fs::read_to_string(state.join(SECRETS_FILE)).unwrap();
        assert!(text.contains("\"a\"") && !text.contains("canary"), "{text}");

        // A keyring that is locked later: what it had is replaced by the file.
        let locked = open(&Fake { locked: true, ..keyring.clone() });
        let kept = locked.write("mcp", "a", &Secret::new("canary-2")).await.unwrap();
        assert_eq!((kept.backend, kept.replaced), (SecretBackend::File, true));
        assert_eq!(kept.why_not_keyring.as_deref(), Some("it is locked"));
        assert_eq!(store.read("mcp", "a").await.unwrap(), Some(Secret::new("canary-2")));
        assert!(locked.read("mcp", "b").await.unwrap_err().to_string().contains("it is locked"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&state), mode(&state.join(SECRETS_FILE))), (0o700, 0o600));
        }
        let records = store.list().await.unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].backend, SecretBackend::File);

        // Kept by the keyring again, the file has it no longer; and both forget.
        store.write("mcp", "a", &Secret::new("canary-3")).await.unwrap();
        assert!(!std::fs::read_to_string(state.join(SECRETS_FILE)).unwrap().contains("canary"));
        assert!(store.delete("mcp", "a").await.unwrap());
        assert!(!store.delete("mcp", "a").await.unwrap());
        assert!(keyring.kept.lock().unwrap().is_empty() && store.list().await.unwrap().is_empty());
        assert!(!format!("{store:?}").contains("canary"));
    }

    #[tokio::test]
    async fn a_file_that_is_broken_or_open_to_others_is_told_and_kept() {
        let home = tempfile::tempdir().unwrap();
        let store = SecretStore::with_keyring(Some(home.path().to_owned()), |_| None);
        store.write("mcp", "a", &Secret::new("canary")).await.unwrap();
        std::fs::write(home.path().join(SECRETS_FILE), "{").unwrap();
        for error in [
            store.read("mcp", "a").await.unwrap_err(),
            store.write("mcp", "a", &Secret::new("canary")).await.unwrap_err(),
        ] {
            assert!(error.to_string().ends_with("secrets.json is damaged, at line 1"), "{error}");
            assert!(error.hint().unwrap().starts_with("mend "), "{error}");
        }
        assert_eq!(std::fs::read_to_string(home.path().join(SECRETS_FILE)).unwrap(), "{");
    }
}
