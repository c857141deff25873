//! Slots, pieces and the fallback, with a keyring that can be locked and can die at any step.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::time::UNIX_EPOCH;

use url::Url;

use super::super::contract::check_store;
use super::*;

/// A keyring in memory, as tight as the tightest one.
#[derive(Debug, Default)]
struct FakeVault {
    items: Mutex<BTreeMap<String, Secret>>,
    locked: AtomicBool,
    hangs: AtomicBool,
    /// Steps until it fails for good, as if the process had been killed there; 0 means never.
    steps_left: AtomicUsize,
}

impl FakeVault {
    fn step(&self) -> Result<(), VaultError> {
        while self.hangs.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.steps_left.load(Ordering::Relaxed) > 0 && self.steps_left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            self.locked.store(true, Ordering::Relaxed);
        }
        if self.locked.load(Ordering::Relaxed) { Err(VaultError::new("it is locked")) } else { Ok(()) }
    }

    fn names(&self) -> Vec<String> {
        self.items.lock().unwrap().keys().cloned().collect()
    }
}

impl Vault for FakeVault {
    fn read(&self, name: &str) -> Result<Option<Secret>, VaultError> {
        self.step()?;
        Ok(self.items.lock().unwrap().get(name).cloned())
    }

    fn write(&self, name: &str, text: &Secret) -> Result<(), VaultError> {
        self.step()?;
        assert!(text.expose().len() * 2 <= 2560, "too long for the Credential Manager");
        self.items.lock().unwrap().insert(name.to_owned(), text.clone());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<bool, VaultError> {
        self.step()?;
        Ok(self.items.lock().unwrap().remove(name).is_some())
    }
}

struct Setup {
    home: tempfile::TempDir,
    vault: Arc<FakeVault>,
    store: KeyringTokenStore,
}

fn setup() -> Setup {
    let home = tempfile::tempdir().unwrap();
    let vault = Arc::new(FakeVault::default());
    let files = FileTokenStore::new(home.path());
    let store = KeyringTokenStore::with_vault(Arc::clone(&vault) as Arc<dyn Vault>, files);
    Setup { home, vault, store }
}

impl Setup {
    /// Everything in the files of the store, as one text.
    fn on_disk(&self) -> String {
        let mut text = String::new();
        for kind in ["tokens", "clients"] {
            for entry in std::fs::read_dir(self.home.path().join(kind)).into_iter().flatten() {
                text.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
            }
        }
        text
    }
}

fn key() -> TokenKey {
    TokenKey::new("work", &Url::parse("https://mcp.example/mcp").unwrap(), "https://as.example")
}

/// Tokens that take `pieces` items or so.
fn tokens(name: &str, pieces: usize) -> StoredTokens {
    let access = format!("canary-{name}-{}", "é".repeat(pieces * 350));
    let mut tokens = StoredTokens::new(Secret::new(access), "client", UNIX_EPOCH + Duration::from_secs(9));
    tokens.refresh_token = Some(Secret::new(format!("canary-refresh-{name}")));
    tokens.dpop_key = Some(Secret::new(format!("canary-key-{name}")));
    tokens.scopes = vec!["read".to_owned()];
    tokens
}

#[tokio::test]
async fn keeps_the_contract() {
    let Setup { vault, store, .. } = setup();
    check_store(&store).await;
    assert!(vault.names().is_empty(), "{:?}", vault.names());
}

#[tokio::test]
async fn keeps_the_contract_when_locked() {
    let Setup { vault, store, .. } = setup();
    vault.locked.store(true, Ordering::Relaxed);
    check_store(&store).await;
}

#[tokio::test]
async fn secrets_are_in_the_keyring_and_nothing_else_is() {
    let setup = setup();
    let mut client = StoredClient::new("client", "work");
    client.client_secret = Some(Secret::new("canary-secret"));
    let client_key = ClientKey::configured("work");
    for pieces in [5, 1, 3, 9] {
        let tokens = tokens("a", pieces);
        setup.store.save(&key(), &tokens).await.unwrap();
        setup.store.save_client(&client_key, &client).await.unwrap();
        assert_eq!(setup.store.load(&key()).await.unwrap(), Some(tokens));
        assert_eq!(setup.store.load_client(&client_key).await.unwrap(), Some(client.clone()));
        let on_disk = setup.on_disk();
        assert!(on_disk.contains("\"read\"") && !on_disk.contains("canary"), "{on_disk}");
    }
    // No item is left of earlier saves.
    let used = setup.vault.names();
    setup.store.save(&key(), &tokens("a", 9)).await.unwrap();
    assert_eq!(setup.vault.names().len(), used.len());
    assert!(!format!("{:?}", setup.store).contains("canary"));
}

#[tokio::test]
async fn a_locked_keyring_falls_back_to_the_file_and_is_used_again_later() {
    let setup = setup();
    setup.vault.locked.store(true, Ordering::Relaxed);
    setup.store.save(&key(), &tokens("a", 2)).await.unwrap();
    setup.store.save(&key(), &tokens("b", 2)).await.unwrap();
    assert_eq!(setup.store.load(&key()).await.unwrap(), Some(tokens("b", 2)));
    assert!(setup.on_disk().contains("canary-refresh-b"));

    setup.vault.locked.store(false, Ordering::Relaxed);
    assert_eq!(setup.store.load(&key()).await.unwrap(), Some(tokens("b", 2)));
    setup.store.save(&key(), &tokens("c", 2)).await.unwrap();
    assert_eq!(setup.store.load(&key()).await.unwrap(), Some(tokens("c", 2)));
    assert!(!setup.on_disk().contains("canary"));
}

/// Counts warnings.
#[derive(Debug, Default)]
struct Warnings(Arc<AtomicUsize>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn the_fallback_warns_once() {
    let Setup { home: _home, vault, store } = setup();
    vault.locked.store(true, Ordering::Relaxed);
    let warnings = Warnings::default();
    let count = Arc::clone(&warnings.0);
    // This test's runtime has one thread, so the subscriber of this thread sees it all.
    let _here = tracing::subscriber::set_default(warnings);
    for number in 0..5 {
        store.save(&key(), &tokens(&number.to_string(), 1)).await.unwrap();
        store.load(&key()).await.unwrap().unwrap();
    }
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn secrets_that_cannot_be_read_are_an_error_and_not_an_absent_sign_in() {
    let setup = setup();
    setup.store.save(&key(), &tokens("a", 2)).await.unwrap();
    setup.vault.locked.store(true, Ordering::Relaxed);
    let error = setup.store.load(&key()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (AuthErrorKind::Store, "read the keyring: it is locked".into())
    );
    // Signing out must not leave the secrets behind and say that it is done.
    assert!(setup.store.remove(&key()).await.is_err());
    assert_eq!(setup.store.list(None).await.unwrap(), [key()]);

    setup.vault.locked.store(false, Ordering::Relaxed);
    setup.vault.items.lock().unwrap().pop_last();
    assert_eq!(setup.store.load(&key()).await.unwrap_err().kind(), AuthErrorKind::Store);
    // A program that does not use the keyring does not take the sign-in for an empty token.
    let files = FileTokenStore::new(setup.home.path());
    assert_eq!(files.load(&key()).await.unwrap_err().kind(), AuthErrorKind::Store);
    assert!(setup.store.remove(&key()).await.unwrap());
    assert!(setup.vault.names().is_empty());
}

#[tokio::test]
async fn wherever_a_save_is_interrupted_the_old_or_the_new_sign_in_is_whole() {
    for steps in 1..40 {
        let Setup { home, vault, store } = setup();
        store.save(&key(), &tokens("old", 4)).await.unwrap();
        let old_items = vault.items.lock().unwrap().clone();

        // The keyring fails from this step on; what the save does about it is not lost either.
        vault.steps_left.store(steps, Ordering::Relaxed);
        store.save(&key(), &tokens("new", 6)).await.unwrap();
        vault.steps_left.store(0, Ordering::Relaxed);
        vault.locked.store(false, Ordering::Relaxed);
        assert_eq!(store.load(&key()).await.unwrap(), Some(tokens("new", 6)), "after {steps} steps");

        // And if the process had died before the file was replaced: the old file finds its items untouched.
        let items = vault.items.lock().unwrap().clone();
        let untouched = old_items.iter().all(|(name, text)| items.get(name) == Some(text));
        let sealed = !std::fs::read_to_string(
            std::fs::read_dir(home.path().join("tokens")).unwrap().next().unwrap().unwrap().path(),
        )
        .unwrap()
        .contains("canary");
        assert!(untouched || sealed, "after {steps} steps");

        // The next save and the end of the sign-in leave nothing behind.
        store.save(&key(), &tokens("next", 1)).await.unwrap();
        assert_eq!(store.load(&key()).await.unwrap(), Some(tokens("next", 1)));
        assert!(store.remove(&key()).await.unwrap());
        assert!(vault.names().is_empty(), "after {steps} steps: {:?}", vault.names());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_and_writers_at_once_see_whole_sign_ins() {
    let Setup { store, .. } = setup();
    store.save(&key(), &tokens("0", 1)).await.unwrap();
    let tasks = (0..40).map(|number: usize| {
        let store = store.clone();
        tokio::spawn(async move {
            if number.is_multiple_of(4) {
                store.save(&key(), &tokens(&number.to_string(), number % 7)).await.unwrap();
                return;
            }
            match store.load(&key()).await {
                Ok(kept) => {
                    let kept = kept.expect("never absent");
                    let name = kept.refresh_token.unwrap().expose().replace("canary-refresh-", "");
                    assert!(kept.access_token.expose().starts_with(&format!("canary-{name}-")));
                }
                // A reader that is overtaken each time says so instead of mixing two sign-ins.
                Err(error) => assert_eq!(error.kind(), AuthErrorKind::Store),
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    store.load(&key()).await.expect("the last writer leaves a whole one").expect("and does not lose it");
}

#[tokio::test(start_paused = true)]
async fn a_keyring_that_does_not_answer_is_waited_for_once() {
    let Setup { vault, store, .. } = setup();
    vault.hangs.store(true, Ordering::Relaxed);
    let began = Instant::now();
    store.save(&key(), &tokens("a", 1)).await.unwrap();
    store.save(&key(), &tokens("b", 1)).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
    assert_eq!(store.load(&key()).await.unwrap(), Some(tokens("b", 1)));
    vault.hangs.store(false, Ordering::Relaxed);
    tokio::time::advance(REST).await;
    store.save(&key(), &tokens("c", 1)).await.unwrap();
    assert!(!vault.names().is_empty());
}
