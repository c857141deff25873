//! The file store: what it keeps, what it refuses, and what it says when something is wrong.

#![cfg(feature = "oauth")]
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, UNIX_EPOCH};

use mcp_auth::oauth::store::{ClientKey, FileTokenStore, StoredClient, StoredTokens, TokenKey, TokenStore};
use mcp_auth::{AuthErrorKind, Secret, Target};
use url::Url;

const RESOURCE: &str = "https://mcp.example/mcp";

fn key(server: &str) -> TokenKey {
    TokenKey::new(server, &Url::parse(RESOURCE).unwrap(), "https://as.example")
}

fn tokens(access: &str) -> StoredTokens {
    let at = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let mut tokens = StoredTokens::new(Secret::new(access), "client", at);
    tokens.refresh_token = Some(Secret::new("canary-refresh"));
    tokens
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A store with one sign-in, and its file.
async fn with_one() -> (tempfile::TempDir, FileTokenStore, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let store = FileTokenStore::new(home.path().join("store"));
    store.save(&key("work"), &tokens("canary-access")).await.unwrap();
    let file = files(&home.path().join("store/tokens")).remove(0);
    (home, store, file)
}

#[tokio::test]
async fn looking_creates_nothing() {
    let home = tempfile::tempdir().unwrap();
    let store = FileTokenStore::new(home.path().join("store"));
    assert_eq!(store.load(&key("work")).await.unwrap(), None);
    assert!(store.find(&Target::new("work", Url::parse(RESOURCE).unwrap())).await.unwrap().is_none());
    assert!(store.list(None).await.unwrap().is_empty());
    assert!(!store.remove(&key("work")).await.unwrap());
    assert!(files(home.path()).is_empty());
}

/// A program without any sign-in looks here for every server of its list.
#[test]
fn before_the_first_sign_in_no_thread_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (store, key) = (FileTokenStore::new(dir.path()), key("a"));
    // There is no runtime that could hand it to one.
    let seen = store.load(&key).as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(seen, Poll::Ready(Ok(None))));
}

#[tokio::test]
async fn f084_two_entries_for_one_url_hold_two_accounts() {
    let (_home, store, _) = with_one().await;
    store.save(&key("home"), &tokens("private")).await.unwrap();
    let url = Url::parse(RESOURCE).unwrap();
    for (server, access) in [("work", "canary-access"), ("home", "private")] {
        let (found, tokens) = store.find(&Target::new(server, url.clone())).await.unwrap().unwrap();
        assert_eq!(found, key(server));
        assert_eq!(tokens.access_token.expose(), access);
    }
    assert!(store.remove(&key("home")).await.unwrap());
    assert!(store.load(&key("work")).await.unwrap().is_some());
}

#[tokio::test]
async fn f097_a_field_of_a_bad_type_costs_only_that_field() {
    let (_home, store, file) = with_one().await;
    let text = fs::read_to_string(&file).unwrap().replace(r#""scopes": []"#, r#""scopes": {"a": [1]}"#);
    assert!(text.contains(r#"{"a": [1]}"#), "{text}");
    fs::write(&file, text).unwrap();
    let kept = store.load(&key("work")).await.unwrap().unwrap();
    assert_eq!((kept.access_token.expose(), kept.scopes.len()), ("canary-access", 0));
}

#[tokio::test]
async fn f097_a_damaged_file_is_reported_and_never_lost_silently() {
    let (_home, store, file) = with_one().await;
    store.save(&key("home"), &tokens("other")).await.unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    for damage in ["", "{\"access_token\": \"canary-access\"", "null", "\0\0\0\0"] {
        fs::write(&file, damage).unwrap();
        let error = store.load(&key("work")).await.unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Store);
        assert!(error.to_string().contains(name), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        // It is an error to look for this sign-in, and no obstacle for the other.
        let url = Url::parse(RESOURCE).unwrap();
        assert_eq!(
            store.find(&Target::new("work", url.clone())).await.unwrap_err().kind(),
            AuthErrorKind::Store
        );
        assert_eq!(store.find(&Target::new("home", url.clone())).await.unwrap().unwrap().0, key("home"));
        assert_eq!(store.list(None).await.unwrap(), [key("home")]);
        assert_eq!(fs::read_to_string(&file).unwrap(), damage, "only a save may touch it");

        store.save(&key("work"), &tokens("new")).await.unwrap();
        assert_eq!(store.load(&key("work")).await.unwrap(), Some(tokens("new")));
        let aside = files(file.parent().unwrap()).into_iter().find(|path| {
            path.to_str().unwrap().contains(".damaged-") && fs::read_to_string(path).unwrap() == damage
        });
        assert!(aside.is_some(), "the damaged file is gone");
    }
    // Signing out leaves no copy of a secret.
    assert!(store.remove(&key("work")).await.unwrap());
    assert_eq!(files(file.parent().unwrap()).len(), 1);
}

#[tokio::test]
async fn a_file_that_was_renamed_is_not_another_sign_in() {
    let (_home, store, file) = with_one().await;
    store.save(&key("home"), &tokens("other")).await.unwrap();
    let other = files(file.parent().unwrap()).into_iter().find(|path| *path != file).unwrap();
    fs::rename(&other, &file).unwrap();
    assert_eq!(store.load(&key("work")).await.unwrap(), None);
    assert!(store.list(Some("work")).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_kept_on_rewrite() {
    let (_home, store, file) = with_one().await;
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.replacen('{', r#"{"version": 9, "attestation": {"a": 1},"#, 1)
            .replace("\"version\": 1", "\"x\": 1"),
    )
    .unwrap();
    let mut kept = store.load(&key("work")).await.unwrap().unwrap();
    kept.access_token = Secret::new("next");
    store.save(&key("work"), &kept).await.unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"version\": 9") && text.contains("attestation"), "{text}");
}

#[tokio::test]
async fn registrations_are_per_issuer_and_forgotten_per_entry() {
    let home = tempfile::tempdir().unwrap();
    let store = FileTokenStore::new(home.path());
    let key = ClientKey::registered("https://as.example/tenant");
    store.save_client(&key, &StoredClient::new("id", "work")).await.unwrap();
    assert_eq!(store.load_client(&ClientKey::registered("https://as.example")).await.unwrap(), None);
    for key in store.list_clients(Some("work")).await.unwrap() {
        assert!(store.remove_client(&key).await.unwrap());
    }
    assert_eq!(store.load_client(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_lock_that_is_never_released_ends_in_an_error_and_not_in_a_hang() {
    let home = tempfile::tempdir().unwrap();
    let patience = Duration::from_millis(200);
    // Two stores in one directory stand for two processes.
    let stores = [(); 2].map(|()| FileTokenStore::with_patience(home.path(), patience));
    let held = stores[0].lock(&key("work")).await.unwrap();
    for store in &stores {
        assert_eq!(store.lock(&key("work")).await.unwrap_err().kind(), AuthErrorKind::StoreUnavailable);
    }
    drop(held);
    for store in &stores {
        drop(store.lock(&key("work")).await.unwrap());
    }
}

#[tokio::test]
async fn many_tasks_save_and_load_at_once() {
    let home = tempfile::tempdir().unwrap();
    let tasks = (0..64).map(|number| {
        let store = FileTokenStore::new(home.path());
        tokio::spawn(async move {
            let server = format!("server-{}", number % 4);
            store.save(&key(&server), &tokens(&format!("access-{number}"))).await.unwrap();
            store.load(&key(&server)).await.unwrap().expect("never absent once saved");
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(FileTokenStore::new(home.path()).list(None).await.unwrap().len(), 4);
    assert_eq!(files(&home.path().join("tokens")).len(), 4);
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[tokio::test]
    async fn f098_everything_is_for_its_owner_only() {
        let (home, store, file) = with_one().await;
        drop(store.lock(&key("work")).await.unwrap());
        let root = home.path().join("store");
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(&root), 0o700);
        for directory in files(&root) {
            assert_eq!(mode(&directory), 0o700, "{}", directory.display());
            for file in files(&directory) {
                assert_eq!(mode(&file), 0o600, "{}", file.display());
            }
        }
    }

    #[tokio::test]
    async fn f098_wider_modes_are_repaired_by_looking() {
        let (home, store, file) = with_one().await;
        let root = home.path().join("store");
        set_mode(&root, 0o755);
        set_mode(file.parent().unwrap(), 0o777);
        set_mode(&file, 0o644);
        assert!(store.load(&key("work")).await.unwrap().is_some());
        assert_eq!((mode(&root), mode(file.parent().unwrap()), mode(&file)), (0o700, 0o700, 0o600));
    }

    #[tokio::test]
    async fn links_and_pipes_are_neither_read_nor_written_through() {
        let (home, store, file) = with_one().await;
        let outside = home.path().join("outside");
        fs::rename(&file, &outside).unwrap();
        symlink(&outside, &file).unwrap();
        let error = store.load(&key("work")).await.unwrap_err();
        assert!(error.to_string().ends_with("it is a symbolic link"), "{error}");
        let before = fs::read(&outside).unwrap();
        store.save(&key("work"), &tokens("new")).await.unwrap();
        assert_eq!(fs::read(&outside).unwrap(), before);
        assert_eq!(store.load(&key("work")).await.unwrap(), Some(tokens("new")));

        // Opening a pipe waits for a writer that never comes.
        fs::remove_file(&file).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&file).status().unwrap();
        assert!(made.success());
        assert!(store.load(&key("work")).await.is_err());
    }

    #[tokio::test]
    async fn a_linked_directory_is_refused_inside_and_allowed_as_the_root() {
        let (home, _, _) = with_one().await;
        let root = home.path().join("linked");
        symlink(home.path().join("store"), &root).unwrap();
        let store = FileTokenStore::new(&root);
        assert!(store.load(&key("work")).await.unwrap().is_some());
        store.save(&key("work"), &tokens("new")).await.unwrap();

        let elsewhere = home.path().join("elsewhere");
        fs::rename(root.join("tokens"), &elsewhere).unwrap();
        symlink(&elsewhere, root.join("tokens")).unwrap();
        let before = files(&elsewhere);
        assert!(store.load(&key("work")).await.is_err());
        assert!(store.save(&key("home"), &tokens("new")).await.is_err());
        assert_eq!(files(&elsewhere), before);
    }

    #[tokio::test]
    async fn a_directory_of_another_account_is_not_written_to() {
        let (_home, store, file) = with_one().await;
        // Only root can give a directory away, and root is whom this protects people from.
        if std::os::unix::fs::chown(file.parent().unwrap(), Some(65534), None).is_err() {
            return;
        }
        let error = store.save(&key("work"), &tokens("new")).await.unwrap_err();
        assert!(error.to_string().contains("another account"), "{error}");
        assert_eq!(files(file.parent().unwrap()), [file]);
    }
}
