//! What every store must do, ours or yours, as a test to call from your tests.

use std::time::{Duration, UNIX_EPOCH};

use url::Url;

use super::{ClientKey, StoredClient, StoredTokens, TokenKey, TokenStore};
use crate::{Secret, Target};

/// Checks `store`, which must be empty, and leaves it empty.
///
/// # Panics
///
/// When the store does not do what [`TokenStore`] says.
pub async fn check_store(store: &dyn TokenStore) {
    nothing_is_there(store).await;
    sign_ins_are_separate(store).await;
    unknown_issuers_are_found(store).await;
    clients_belong_to_issuers(store).await;
    locks_exclude_each_other(store).await;
    nothing_is_there(store).await;
}

async fn nothing_is_there(store: &dyn TokenStore) {
    let (key, client) =
        (key("work", "/mcp", "https://as.example"), ClientKey::registered("https://as.example"));
    assert_eq!(store.load(&key).await.expect("load"), None);
    assert!(!store.remove(&key).await.expect("remove"));
    assert!(store.list(None).await.expect("list").is_empty());
    assert_eq!(store.load_client(&client).await.expect("load client"), None);
    assert!(!store.remove_client(&client).await.expect("remove client"));
    assert!(store.list_clients(None).await.expect("list clients").is_empty());
}

/// Two entries for one URL hold two accounts, and so do two resources and two issuers of one entry.
async fn sign_ins_are_separate(store: &dyn TokenStore) {
    let keys = [
        key("home", "/mcp", "https://as.example"),
        key("work", "/mcp", "https://as.example"),
        key("work", "/mcp", "https://as.example/tenant"),
        key("work", "/other", "https://as.example"),
        // Names are free text.
        key("../work \u{1f511}", "/mcp", "https://as.example"),
    ];
    for (number, key) in (0..).zip(&keys) {
        store.save(key, &tokens(number)).await.expect("save");
    }
    for (number, key) in (0..).zip(&keys) {
        assert_eq!(store.load(key).await.expect("load"), Some(tokens(number)), "{key:?}");
    }
    let mut sorted = keys.to_vec();
    sorted.sort();
    assert_eq!(store.list(None).await.expect("list"), sorted);
    let mut work = keys[1..4].to_vec();
    work.sort();
    assert_eq!(store.list(Some("work")).await.expect("list"), work);

    // The size of real tokens: a JWT with a hundred groups in it.
    let mut large = tokens(9);
    large.access_token = Secret::new("x".repeat(20_000));
    store.save(&keys[1], &large).await.expect("replace");
    assert_eq!(store.load(&keys[1]).await.expect("load"), Some(large));
    store.save(&keys[1], &tokens(10)).await.expect("replace again");
    assert_eq!(store.load(&keys[1]).await.expect("load"), Some(tokens(10)));

    for key in &keys {
        assert!(store.remove(key).await.expect("remove"));
        assert_eq!(store.load(key).await.expect("load"), None);
    }
}

async fn unknown_issuers_are_found(store: &dyn TokenStore) {
    let target = Target::new("work", url("/mcp"));
    let second = target.clone().with_account(Some("second".to_owned()));
    let by = target.clone().with_route(Some("proxy http://proxy:1".to_owned()));
    assert!(store.find(&target).await.expect("find").is_none());
    let keys = [
        (key("work", "/mcp", "https://old.example"), tokens(1)),
        (key("work", "/mcp", "https://new.example"), tokens(2)),
        (key("work", "/other", "https://as.example"), tokens(3)),
        (key("home", "/mcp", "https://as.example"), tokens(4)),
        (TokenKey::of(&second, "https://new.example"), tokens(5)),
        (TokenKey::of(&by, "https://new.example"), tokens(6)),
    ];
    for (key, tokens) in &keys {
        store.save(key, tokens).await.expect("save");
    }
    assert_eq!(store.find(&target).await.expect("find"), Some(keys[1].clone()));
    assert_eq!(store.find(&second).await.expect("find"), Some(keys[4].clone()));
    assert_eq!(store.find(&by).await.expect("find"), Some(keys[5].clone()));
    let elsewhere = by.clone().with_route(Some("proxy http://proxy:2".to_owned()));
    assert!(store.find(&elsewhere).await.expect("find").is_none(), "no way has the tokens of another");
    let third = target.clone().with_account(Some("third".to_owned()));
    assert!(store.find(&third).await.expect("find").is_none(), "no account has the tokens of another");
    for (key, _) in &keys {
        store.remove(key).await.expect("remove");
    }
}

async fn clients_belong_to_issuers(store: &dyn TokenStore) {
    let mut client = StoredClient::new("client-1", "work");
    client.client_secret = Some(Secret::new("secret"));
    client.redirect_uris = vec!["http://127.0.0.1:0/callback".to_owned()];
    let other = StoredClient::new("client-2", "home");
    let keys = [
        ClientKey::registered("https://as.example"),
        ClientKey::configured("home"),
        ClientKey::registered("https://other.example"),
    ];
    store.save_client(&keys[0], &client).await.expect("save client");
    store.save_client(&keys[1], &other).await.expect("save client");
    store.save_client(&keys[2], &other).await.expect("save client");
    assert_eq!(store.load_client(&keys[0]).await.expect("load client"), Some(client));
    assert_eq!(store.load_client(&keys[1]).await.expect("load client"), Some(other));
    assert_eq!(store.list_clients(Some("work")).await.expect("list clients"), keys[..1]);
    assert_eq!(store.list_clients(None).await.expect("list clients").len(), 3);
    for key in &keys {
        assert!(store.remove_client(key).await.expect("remove client"));
    }
}

async fn locks_exclude_each_other(store: &dyn TokenStore) {
    let (work, home) = (key("work", "/mcp", "https://as.example"), key("home", "/mcp", "https://as.example"));
    let held = store.lock(&work).await.expect("lock");
    // What is kept can be used by the holder, and other sign-ins by anyone.
    store.save(&work, &tokens(1)).await.expect("save while locked");
    assert!(store.remove(&work).await.expect("remove while locked"));
    drop(store.lock(&home).await.expect("lock another"));
    drop(store.lock_client(&ClientKey::registered("https://as.example")).await.expect("lock a client"));

    let brief = Duration::from_millis(100);
    let second = tokio::time::timeout(brief, store.lock(&work)).await;
    assert!(!matches!(second, Ok(Ok(_))), "the lock was given to two callers");
    drop(held);
    drop(store.lock(&work).await.expect("lock again"));
}

fn url(path: &str) -> Url {
    Url::parse("https://mcp.example").and_then(|base| base.join(path)).expect("a URL")
}

fn key(server_name: &str, path: &str, issuer: &str) -> TokenKey {
    TokenKey::new(server_name, &url(path), issuer)
}

fn tokens(number: u64) -> StoredTokens {
    let obtained_at = UNIX_EPOCH + Duration::from_secs(1_800_000_000 + number);
    let mut tokens = StoredTokens::new(Secret::new(format!("access-{number}")), "client-1", obtained_at);
    tokens.refresh_token = Some(Secret::new(format!("refresh-{number}")));
    tokens.expires_at = Some(obtained_at + Duration::from_millis(3_600_500));
    tokens.scopes = vec!["tools:read".to_owned(), "offline_access".to_owned()];
    tokens.generation = number;
    tokens
}
