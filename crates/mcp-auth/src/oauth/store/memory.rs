//! A store that forgets when the process ends: for tests, and for programs that keep sign-ins elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::{ClientKey, StoreGuard, StoredClient, StoredTokens, TokenKey, TokenStore};
use crate::AuthFuture;

/// Keeps sign-ins in memory.
#[derive(Default)]
pub struct MemoryTokenStore {
    kept: Mutex<Contents>,
    token_locks: Locks<TokenKey>,
    client_locks: Locks<ClientKey>,
}

#[derive(Default)]
struct Contents {
    tokens: BTreeMap<TokenKey, StoredTokens>,
    clients: BTreeMap<ClientKey, StoredClient>,
}

impl MemoryTokenStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, Contents> {
        // Nothing panics while the lock is held, and the maps are consistent after each statement.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.kept();
        f.debug_struct("MemoryTokenStore")
            .field("tokens", &kept.tokens.len())
            .field("clients", &kept.clients.len())
            .finish_non_exhaustive()
    }
}

impl TokenStore for MemoryTokenStore {
    fn load<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Option<StoredTokens>> {
        Box::pin(async move { Ok(self.kept().tokens.get(key).cloned()) })
    }

    fn save<'a>(&'a self, key: &'a TokenKey, tokens: &'a StoredTokens) -> AuthFuture<'a, ()> {
        Box::pin(async move {
            self.kept().tokens.insert(key.clone(), tokens.clone());
            Ok(())
        })
    }

    fn remove<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, bool> {
        Box::pin(async move { Ok(self.kept().tokens.remove(key).is_some()) })
    }

    fn list<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<TokenKey>> {
        Box::pin(async move {
            let kept = self.kept();
            let wanted = |key: &&TokenKey| server_name.is_none_or(|name| key.server_name() == name);
            Ok(kept.tokens.keys().filter(wanted).cloned().collect())
        })
    }

    fn load_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Option<StoredClient>> {
        Box::pin(async move { Ok(self.kept().clients.get(key).cloned()) })
    }

    fn save_client<'a>(&'a self, key: &'a ClientKey, client: &'a StoredClient) -> AuthFuture<'a, ()> {
        Box::pin(async move {
            self.kept().clients.insert(key.clone(), client.clone());
            Ok(())
        })
    }

    fn remove_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, bool> {
        Box::pin(async move { Ok(self.kept().clients.remove(key).is_some()) })
    }

    fn list_clients<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<ClientKey>> {
        Box::pin(async move {
            let kept = self.kept();
            let wanted = |client: &StoredClient| server_name.is_none_or(|name| client.server_name == name);
            let found = kept.clients.iter().filter(|(_, client)| wanted(client));
            Ok(found.map(|(key, _)| key.clone()).collect())
        })
    }

    fn lock<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Box<dyn StoreGuard>> {
        Box::pin(async move { Ok(Box::new(self.token_locks.lock(key).await) as Box<dyn StoreGuard>) })
    }

    fn lock_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Box<dyn StoreGuard>> {
        Box::pin(async move { Ok(Box::new(self.client_locks.lock(key).await) as Box<dyn StoreGuard>) })
    }
}

/// One fair lock per key, within this process.
///
/// Locks are never taken out again: there are as many as a person has sign-ins.
pub(super) struct Locks<K>(Mutex<BTreeMap<K, Arc<tokio::sync::Mutex<()>>>>);

impl<K> Default for Locks<K> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl<K: Clone + Hash + Ord> Locks<K> {
    /// Waits for the lock of `key`; first come, first served.
    pub(super) async fn lock(&self, key: &K) -> LocalGuard {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(locks.entry(key.clone()).or_default())
        };
        LocalGuard(lock.lock_owned().await)
    }
}

/// A held lock of this process.
#[derive(Debug)]
pub(super) struct LocalGuard(#[expect(dead_code, reason = "held for its drop")] OwnedMutexGuard<()>);

impl StoreGuard for LocalGuard {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_the_contract() {
        super::super::contract::check_store(&MemoryTokenStore::new()).await;
    }
}
