//! A store that cannot be written.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::super::super::store::{ClientKey, StoreGuard, StoredClient, StoredTokens, TokenKey};
use super::*;

#[tokio::test]
async fn a_store_that_cannot_be_written_does_not_lose_the_rotated_tokens() {
    let world = World::new();
    world.signed_in().await;
    let store = Arc::new(ReadOnly {
        inner: world.store.clone(),
        broken: AtomicBool::new(true),
        saves: AtomicU32::new(0),
    });
    let provider = OAuthProvider::from_context(Context { store: store.clone(), ..world.context() });
    let used = provider.credentials().await.unwrap();
    assert_eq!(bearer(&retried(refuse(&provider, &used, 401, INVALID, 0).await)), "Bearer at-1");
    for _ in 0..20 {
        assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-1", "no call waits or fails");
        tokio::task::yield_now().await;
    }
    assert_eq!(world.kept().await.unwrap().refresh_token, Some(Secret::new("rt-0")));
    store.broken.store(false, Ordering::Release);
    // Kept as soon as it can be: the next use is enough.
    assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-1");
    world.settings.renewals.settled().await;
    assert_eq!(world.kept().await.unwrap().refresh_token, Some(Secret::new("rt-1")));
    let saves = store.saves.load(Ordering::Acquire);
    for _ in 0..20 {
        provider.credentials().await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(store.saves.load(Ordering::Acquire), saves, "and not again after that");
    assert_eq!(world.net.sent_to(TOKEN).len(), 1);
}

/// A store whose disk is full.
#[derive(Debug)]
struct ReadOnly {
    inner: Arc<MemoryTokenStore>,
    broken: AtomicBool,
    saves: AtomicU32,
}

impl TokenStore for ReadOnly {
    fn load<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Option<StoredTokens>> {
        self.inner.load(key)
    }

    fn save<'a>(&'a self, key: &'a TokenKey, tokens: &'a StoredTokens) -> AuthFuture<'a, ()> {
        self.saves.fetch_add(1, Ordering::AcqRel);
        if self.broken.load(Ordering::Acquire) {
            let full = AuthError::new(AuthErrorKind::Store, "write the tokens: no space left");
            return Box::pin(std::future::ready(Err(full)));
        }
        self.inner.save(key, tokens)
    }

    fn remove<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, bool> {
        self.inner.remove(key)
    }

    fn list<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<TokenKey>> {
        self.inner.list(server_name)
    }

    fn load_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Option<StoredClient>> {
        self.inner.load_client(key)
    }

    fn save_client<'a>(&'a self, key: &'a ClientKey, client: &'a StoredClient) -> AuthFuture<'a, ()> {
        self.inner.save_client(key, client)
    }

    fn remove_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, bool> {
        self.inner.remove_client(key)
    }

    fn list_clients<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<ClientKey>> {
        self.inner.list_clients(server_name)
    }

    fn lock<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Box<dyn StoreGuard>> {
        self.inner.lock(key)
    }

    fn lock_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Box<dyn StoreGuard>> {
        self.inner.lock_client(key)
    }
}
