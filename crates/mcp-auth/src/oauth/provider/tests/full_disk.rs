//! A store that cannot be written.

use super::super::super::store::{ClientKey, StoreGuard, StoredClient};
use super::*;

#[tokio::test]
async fn a_store_that_cannot_be_written_does_not_lose_the_rotated_tokens() {
    let world = World::new();
    world.signed_in().await;
    let store = Arc::new(ReadOnly { inner: world.store.clone(), broken: AtomicBool::new(true) });
    let provider = OAuthProvider::from_context(Context { store: store.clone(), ..world.context() });
    let used = provider.credentials().await.unwrap();
    assert_eq!(bearer(&retried(refuse(&provider, &used, 401, INVALID, 0).await)), "Bearer at-1");
    store.broken.store(false, Ordering::Release);
    assert_eq!(bearer(&provider.credentials().await.unwrap()), "Bearer at-1");
    assert_eq!(
        world.kept().await.unwrap().refresh_token,
        Some(Secret::new("rt-1")),
        "kept as soon as it can be"
    );
}

/// A store whose disk is full.
#[derive(Debug)]
struct ReadOnly {
    inner: Arc<MemoryTokenStore>,
    broken: AtomicBool,
}

impl TokenStore for ReadOnly {
    fn load<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Option<StoredTokens>> {
        self.inner.load(key)
    }

    fn save<'a>(&'a self, key: &'a TokenKey, tokens: &'a StoredTokens) -> AuthFuture<'a, ()> {
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
