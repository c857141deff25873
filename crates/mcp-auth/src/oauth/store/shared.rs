//! Sign-ins in a database that many machines share, such as gateways and the runners of a CI.
//!
//! A [`SharedRecords`] is the database: records of bytes by name, and leases. [`SharedTokenStore`] is everything else, the
//! same for every database: what a record holds, its encryption ([`SealingKeys`]), and how a lease is asked for, kept up
//! and given back. A refresh token is spent by the holder of the lease alone; one who died holds it for
//! [`LeaseTimes::length`] at most, and one who was suspended finds out before it spends anything
//! ([`StoreGuard::is_held`]).

use std::fmt;
use std::hash::{Hash as _, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::format::{self, DecodedRecord, FormatError};
use super::memory::Locks;
use super::names::{client_name, server_prefix, token_name};
use super::records::readable;
use super::{
    ClientKey, SecretPlace, SignInRecord, StoreGuard, StoredClient, StoredTokens, TokenKey, TokenStore,
};
use crate::{AuthError, AuthErrorKind, AuthFuture, Target};

mod lease;
mod seal;

pub use lease::LeaseTimes;
use lease::{Holder, Lease};
use seal::SealError;
pub use seal::{SealingKeys, UnusableKey};

/// What a record is of. Names are unique within one kind.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum RecordKind {
    /// A sign-in.
    Tokens,
    /// A client identity.
    Client,
}

impl RecordKind {
    /// A stable word, for keys and columns.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Client => "client",
        }
    }
}

/// A database of records, and of leases by the clock of the database.
///
/// Names are ASCII letters, digits, `-` and `_`, at most 100 bytes: part of the name of the server entry, and hashes. Every
/// method may be called from many tasks at once. Where the database does not answer, it fails within a few seconds with
/// [`AuthErrorKind::StoreUnavailable`]; where it says no, with [`AuthErrorKind::Store`]. No error may hold a password of the database.
pub trait SharedRecords: fmt::Debug + Send + Sync + 'static {
    /// The record of this name.
    fn get<'a>(&'a self, kind: RecordKind, name: &'a str) -> AuthFuture<'a, Option<Vec<u8>>>;

    /// Keeps `record` under this name, in the place of another. When it returns `Ok`, it is there for every machine.
    fn put<'a>(&'a self, kind: RecordKind, name: &'a str, record: Vec<u8>) -> AuthFuture<'a, ()>;

    /// Forgets the record of this name; tells whether there was one.
    fn delete<'a>(&'a self, kind: RecordKind, name: &'a str) -> AuthFuture<'a, bool>;

    /// All records whose names begin with `prefix`, with their names.
    fn scan<'a>(&'a self, kind: RecordKind, prefix: &'a str) -> AuthFuture<'a, Vec<(String, Vec<u8>)>>;

    /// Gives the lease `name` to `holder` for `length` from now, in one step, where it is free, has ended, or is that of
    /// `holder` already. Tells whether `holder` has it now.
    fn lease<'a>(&'a self, name: &'a str, holder: &'a str, length: Duration) -> AuthFuture<'a, bool>;

    /// Ends the lease `name`, if `holder` has it.
    fn release<'a>(&'a self, name: &'a str, holder: &'a str) -> AuthFuture<'a, ()>;

    /// Feeds `state` with what decides which database it is and as which account it is used, a password included: two that are
    /// equal hold the same records, for the same account.
    fn identify(&self, state: &mut dyn Hasher);
}

/// Keeps sign-ins in a database, encrypted. Cheap to clone; clones share everything.
///
/// # Examples
///
/// ```
/// use mcp_auth::oauth::store::TokenStore;
/// use mcp_auth::oauth::store::shared::{SealingKeys, SharedRecords, SharedTokenStore};
///
/// /// `keys`: 32 bytes in base64, from a file that is no part of the database.
/// fn open(database: impl SharedRecords, keys: &str) -> Result<impl TokenStore, Box<dyn std::error::Error>> {
///     Ok(SharedTokenStore::new(database, SealingKeys::parse(keys)?))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct SharedTokenStore(Arc<Inner>);

struct Inner {
    records: Arc<dyn SharedRecords>,
    keys: SealingKeys,
    times: LeaseTimes,
    holder: Holder,
    /// The tasks of this process come one by one, in their order, so that only one of them competes with other machines.
    local: Locks<String>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("records", &self.records)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

impl SharedTokenStore {
    /// A store over `records`.
    pub fn new(records: impl SharedRecords, keys: SealingKeys) -> Self {
        Self::with_times(records, keys, LeaseTimes::default())
    }

    /// The same for a process that leases call `holder`, so that a person who looks into the database sees who has one. It
    /// must be a name that no other process has; without it, each takes a random one.
    pub fn with_holder(
        records: impl SharedRecords,
        keys: SealingKeys,
        times: LeaseTimes,
        holder: impl Into<String>,
    ) -> Self {
        Self::assemble(records, keys, times, Holder::named(holder.into()))
    }

    /// The same, with times of its own for leases. All machines that share a database should agree about them.
    pub fn with_times(records: impl SharedRecords, keys: SealingKeys, times: LeaseTimes) -> Self {
        Self::assemble(records, keys, times, Holder::unnamed())
    }

    fn assemble(records: impl SharedRecords, keys: SealingKeys, times: LeaseTimes, holder: Holder) -> Self {
        Self(Arc::new(Inner { records: Arc::new(records), keys, times, holder, local: Locks::default() }))
    }

    /// Feeds `state` with what decides which sign-ins these are and who reads them: the database, the account there, and which
    /// keys open its records, as their digests.
    pub fn identify(&self, state: &mut dyn Hasher) {
        // Each process has a holder and locks of its own.
        let Inner { records, keys, times, holder: _, local: _ } = &*self.0;
        records.identify(state);
        let mut state = state;
        (keys, times).hash(&mut state);
    }

    /// What the records tell of every sign-in, in a stable order. One that cannot be read is an element of its own.
    ///
    /// # Errors
    ///
    /// The database does not answer.
    pub async fn survey(&self) -> Result<Vec<Result<SignInRecord, AuthError>>, AuthError> {
        let kind = RecordKind::Tokens;
        let records = self.0.records.scan(kind, "").await?;
        let of = |(name, sealed): (String, Vec<u8>)| {
            let (key, tokens) = self.open(kind, &name, sealed, format::decode_tokens)?;
            Ok(SignInRecord::at(SecretPlace::Database, key, tokens, None))
        };
        let mut records: Vec<_> = records.into_iter().map(of).collect();
        records.sort_by_key(|record: &Result<SignInRecord, AuthError>| {
            record.as_ref().ok().map(|record| record.key.clone())
        });
        Ok(records)
    }

    async fn read<T>(
        &self,
        kind: RecordKind,
        name: &str,
        decode: Decoder<T>,
    ) -> Result<Option<T>, AuthError> {
        let sealed = self.0.records.get(kind, name).await?;
        sealed.map(|sealed| self.open(kind, name, sealed, decode)).transpose()
    }

    /// Every record whose name begins with `prefix` and that can be read ([`readable`]).
    async fn read_all<T>(
        &self,
        kind: RecordKind,
        prefix: &str,
        decode: Decoder<T>,
    ) -> Result<Vec<T>, AuthError> {
        let found = self.0.records.scan(kind, prefix).await?;
        readable(found.into_iter().map(|(name, sealed)| self.open(kind, &name, sealed, decode).map(Some)))
    }

    fn open<T>(
        &self,
        kind: RecordKind,
        name: &str,
        sealed: Vec<u8>,
        decode: Decoder<T>,
    ) -> Result<T, AuthError> {
        let text = self.0.keys.open(&place(kind, name), sealed).map_err(|why| {
            let error = unreadable(kind, name, why);
            match self.0.keys.cure(why) {
                Some(cure) => error.with_hint(cure),
                None => error,
            }
        })?;
        let decoded = decode(&text).map_err(|why| unreadable(kind, name, why))?;
        if !decoded.ignored.is_empty() {
            tracing::warn!(kind = kind.as_str(), name, fields = ?decoded.ignored, "fields of a bad type are ignored");
        }
        Ok(decoded.record)
    }

    /// Deletes what no key opens and no program understands, of the names that begin with `prefix`. What is sealed with another
    /// key, or by a newer program, is another machine's to read, and stays.
    async fn delete_damaged<T>(
        &self,
        kind: RecordKind,
        prefix: &str,
        decode: Decoder<T>,
    ) -> Result<usize, AuthError> {
        let mut deleted = 0;
        for (name, sealed) in self.0.records.scan(kind, prefix).await? {
            let is_damaged = match self.0.keys.open(&place(kind, &name), sealed) {
                Ok(text) => decode(&text).is_err(),
                Err(why) => why == SealError::Damaged,
            };
            if is_damaged {
                deleted += usize::from(self.0.records.delete(kind, &name).await?);
            }
        }
        Ok(deleted)
    }

    async fn write(&self, kind: RecordKind, name: &str, text: &str) -> Result<(), AuthError> {
        let sealed = self.0.keys.seal(&place(kind, name), text.as_bytes())?;
        self.0.records.put(kind, name, sealed).await
    }

    async fn lock_named(&self, kind: RecordKind, name: String) -> Result<Box<dyn StoreGuard>, AuthError> {
        let name = place(kind, &name);
        let local = tokio::time::timeout(self.0.times.patience, self.0.local.lock(&name));
        let local = local.await.map_err(|_| lease::busy())?;
        Ok(Box::new(
            Lease::acquire(Arc::clone(&self.0.records), name, &self.0.holder, self.0.times, local).await?,
        ))
    }
}

impl TokenStore for SharedTokenStore {
    fn load<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Option<StoredTokens>> {
        Box::pin(async move {
            let found = self.read(RecordKind::Tokens, &token_name(key), format::decode_tokens).await?;
            // Names are hashes of the key; a record that was renamed by hand is not this sign-in.
            Ok(found.filter(|(kept, _)| kept == key).map(|(_, tokens)| tokens))
        })
    }

    fn save<'a>(&'a self, key: &'a TokenKey, tokens: &'a StoredTokens) -> AuthFuture<'a, ()> {
        Box::pin(async move {
            self.write(RecordKind::Tokens, &token_name(key), &format::encode_tokens(key, tokens)).await
        })
    }

    fn remove<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, bool> {
        Box::pin(async move { self.0.records.delete(RecordKind::Tokens, &token_name(key)).await })
    }

    fn remove_broken<'a>(&'a self, server_name: &'a str) -> AuthFuture<'a, usize> {
        Box::pin(async move {
            let prefix = server_prefix(server_name);
            let tokens = self.delete_damaged(RecordKind::Tokens, &prefix, format::decode_tokens).await?;
            Ok(tokens + self.delete_damaged(RecordKind::Client, "", format::decode_client).await?)
        })
    }

    fn list<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<TokenKey>> {
        Box::pin(async move {
            let prefix = server_name.map(server_prefix).unwrap_or_default();
            let records = self.read_all(RecordKind::Tokens, &prefix, format::decode_tokens).await?;
            let mut keys: Vec<_> = records.into_iter().map(|(key, _)| key).collect();
            keys.retain(|key| server_name.is_none_or(|name| key.server_name() == name));
            keys.sort();
            Ok(keys)
        })
    }

    fn load_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Option<StoredClient>> {
        Box::pin(async move {
            let found = self.read(RecordKind::Client, &client_name(key), format::decode_client).await?;
            Ok(found.filter(|(kept, _)| kept == key).map(|(_, client)| client))
        })
    }

    fn save_client<'a>(&'a self, key: &'a ClientKey, client: &'a StoredClient) -> AuthFuture<'a, ()> {
        Box::pin(async move {
            self.write(RecordKind::Client, &client_name(key), &format::encode_client(key, client)).await
        })
    }

    fn remove_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, bool> {
        Box::pin(async move { self.0.records.delete(RecordKind::Client, &client_name(key)).await })
    }

    fn list_clients<'a>(&'a self, server_name: Option<&'a str>) -> AuthFuture<'a, Vec<ClientKey>> {
        Box::pin(async move {
            let records = self.read_all(RecordKind::Client, "", format::decode_client).await?;
            let wanted = |client: &StoredClient| server_name.is_none_or(|name| client.server_name == name);
            let mut keys: Vec<_> =
                records.into_iter().filter(|(_, client)| wanted(client)).map(|(key, _)| key).collect();
            keys.sort();
            Ok(keys)
        })
    }

    fn lock<'a>(&'a self, key: &'a TokenKey) -> AuthFuture<'a, Box<dyn StoreGuard>> {
        Box::pin(self.lock_named(RecordKind::Tokens, token_name(key)))
    }

    fn lock_client<'a>(&'a self, key: &'a ClientKey) -> AuthFuture<'a, Box<dyn StoreGuard>> {
        Box::pin(self.lock_named(RecordKind::Client, client_name(key)))
    }

    /// One look into the database instead of one for each sign-in of the entry.
    fn find<'a>(&'a self, target: &'a Target) -> AuthFuture<'a, Option<(TokenKey, StoredTokens)>> {
        Box::pin(async move {
            let prefix = server_prefix(&target.name);
            let records = self.read_all(RecordKind::Tokens, &prefix, format::decode_tokens).await?;
            let matching = records.into_iter().filter(|(key, _)| key.is_for(target));
            Ok(matching.max_by_key(|(_, tokens)| tokens.obtained_at))
        })
    }
}

type Decoder<T> = fn(&[u8]) -> Result<DecodedRecord<T>, FormatError>;

/// Where a record is. It is sealed with the record, so that one record cannot stand in for another.
fn place(kind: RecordKind, name: &str) -> String {
    format!("{}/{name}", kind.as_str())
}

fn unreadable(
    kind: RecordKind,
    name: &str,
    why: impl std::error::Error + Send + Sync + 'static,
) -> AuthError {
    let message = format!("read the record {} of the shared token store: {why}", place(kind, name));
    AuthError::new(AuthErrorKind::Store, message).with_source(why)
}

#[cfg(test)]
mod tests;
