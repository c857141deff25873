//! Where sign-ins are kept: tokens and client registrations, behind one trait.
//!
//! Tokens are kept per server entry, resource, issuer and account, so that two entries for one URL hold two
//! sign-ins, one entry as many as a person names, and editing a header of an entry never orphans a token. Registrations are kept per issuer,
//! because they belong to the authorization server and not to the entry.
//!
//! A store only keeps; *when* tokens are replaced or removed is decided by its callers, above all by
//! [`refresh_once`], which is the one way to spend a refresh token.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use crate::{AuthFuture, Target};

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;
mod file;
mod format;
#[cfg(any(test, feature = "keyring"))]
mod keyring;
mod memory;
mod names;
mod records;
mod refresh;
pub mod shared;
mod survey;

pub use file::FileTokenStore;
#[cfg(any(test, feature = "keyring"))]
pub use keyring::KeyringTokenStore;
#[cfg(feature = "keyring")]
pub(crate) use keyring::SystemKeyring;
pub use memory::MemoryTokenStore;
pub use records::{ClientKey, StoredClient, StoredTokens, TokenKey, UnknownFields};
pub use refresh::{RefreshError, RefreshOutcome, RefreshRequest, refresh_once};
pub use survey::{SecretPlace, SignInRecord};

/// Keeps sign-ins. Implement it to keep them somewhere of your own.
///
/// Every method may be called from many tasks at once. Loading something that is not there is `Ok(None)`,
/// removing it is `Ok(false)`; an error means that the store could not tell, and its kind is
/// [`AuthErrorKind::Store`](crate::AuthErrorKind::Store). No error may contain a secret.
pub trait TokenStore: fmt::Debug + Send + Sync + 'static {
    /// The tokens kept under `key`.
    fn load<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Option<StoredTokens>>;

    /// Keeps `tokens` under `key`. When it returns `Ok`, the tokens survive the death of this process;
    /// until then those kept before do.
    fn save<'a>(&'a self, key: &'a TokenKey, tokens: &'a StoredTokens) -> AuthFuture<'a, ()>;

    /// Forgets the tokens of `key`; tells whether there were any.
    fn remove<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, bool>;

    /// The keys of all kept tokens, or of those of one server entry, in a stable order.
    fn list<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<TokenKey>>;

    /// The client kept under `key`.
    fn load_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Option<StoredClient>>;

    /// Keeps `client` under `key`.
    fn save_client<'a>(&'a self, key: &'a ClientKey, client: &'a StoredClient) -> AuthFuture<'a, ()>;

    /// Forgets the client of `key`; tells whether there was one.
    fn remove_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, bool>;

    /// The keys of all kept clients, or of those that one server entry brought along
    /// ([`StoredClient::server_name`]), in a stable order.
    fn list_clients<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<ClientKey>>;

    /// Waits until no other holder, in this process or another, has the lock of `key`. Held around a
    /// refresh, because a rotating refresh token may be spent only once (RFC 9700 section 4.14.2).
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::StoreUnavailable`](crate::AuthErrorKind::StoreUnavailable) when the holder does not let go
    /// in time.
    fn lock<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Box<dyn StoreGuard>>;

    /// Like [`lock`](Self::lock), around the registration of a client.
    fn lock_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Box<dyn StoreGuard>>;

    /// Forgets what is kept of one server entry, or of clients, and cannot be read by any program; tells how much that was. What a
    /// person wants forgotten must not stay because it is broken.
    fn remove_broken<'a>(&'a self, server_name: &'a str) -> AuthFuture<'a, usize> {
        let _ = server_name;
        Box::pin(std::future::ready(Ok(0)))
    }

    /// The files and directories that are something else once a sign-in was kept or removed, by this process or another:
    /// who waits for a sign-in looks at them, and reads the store again when they are. Empty where there are none.
    fn watched(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The tokens of a server entry whose issuer is not known yet, as at connect time, before anything
    /// was discovered. The ones obtained last win where there are several.
    fn find<'a>(&'a self, target: &'a Target) -> AuthFuture<'a, Option<(TokenKey, StoredTokens)>> {
        Box::pin(async move {
            let mut newest: Option<(TokenKey, StoredTokens)> = None;
            for key in self.list(Some(&target.name)).await? {
                if !key.is_for(target) {
                    continue;
                }
                let Some(tokens) = self.load(&key).await? else { continue };
                if newest.as_ref().is_none_or(|(_, other)| other.obtained_at < tokens.obtained_at) {
                    newest = Some((key, tokens));
                }
            }
            Ok(newest)
        })
    }
}

/// A held lock; dropping it lets go, and [`release`](Self::release) says when.
pub trait StoreGuard: fmt::Debug + Send + Sync {
    /// Whether it is held still. A lock that the operating system keeps is, for as long as this value lives; a lease in a
    /// database may have ended meanwhile, and with it the right to spend a refresh token.
    fn is_held(&self) -> bool {
        true
    }

    /// Lets go, and comes back when others can have it: dropping may take until the runtime finds time, or never happen in a
    /// program that ends.
    fn release(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>>
    where
        Self: 'static,
    {
        drop(self);
        Box::pin(std::future::ready(()))
    }
}
