//! Which parts of a record are secret, and where they are instead of in the file.

use serde_json::{Value, json};

use super::super::TokenStore;
use super::super::file::FileTokenStore;
use super::super::records::{ClientKey, KEYRING_FIELD, StoredClient, StoredTokens, TokenKey, UnknownFields};
use crate::{AuthError, Secret};

/// A record whose secrets can be somewhere else than the rest of it.
///
/// The field that says where is one that the file format does not know, and so keeps.
pub(super) trait SealedRecord: Clone + Send + Sync + Sized {
    type Key: Sync;

    fn unknown(&mut self) -> &mut UnknownFields;
    fn sealed(&self) -> Option<Value>;
    /// All secrets as one text, or `None` when there are none.
    fn secrets(&self) -> Option<Secret>;
    fn remove_secrets(&mut self);
    /// Puts the secrets back; `false` when the text makes no sense.
    fn put_back(&mut self, secrets: &Value) -> bool;

    fn load(
        files: &FileTokenStore,
        key: &Self::Key,
    ) -> impl Future<Output = Result<Option<Self>, AuthError>> + Send;
    fn save(
        files: &FileTokenStore,
        key: &Self::Key,
        record: &Self,
    ) -> impl Future<Output = Result<(), AuthError>> + Send;
    fn remove(
        files: &FileTokenStore,
        key: &Self::Key,
    ) -> impl Future<Output = Result<bool, AuthError>> + Send;

    fn seal(&mut self, field: Value) {
        self.remove_secrets();
        self.unknown().0.insert(KEYRING_FIELD.to_owned(), field);
    }

    fn forget_seal(&mut self) {
        self.unknown().0.remove(KEYRING_FIELD);
    }

    fn unseal(&mut self, text: &Secret) -> bool {
        self.forget_seal();
        serde_json::from_str(text.expose()).is_ok_and(|secrets: Value| self.put_back(&secrets))
    }
}

fn exposed(secret: Option<&Secret>) -> Value {
    secret.map_or(Value::Null, |secret| secret.expose().into())
}

fn secret(secrets: &Value, name: &str) -> Option<Secret> {
    secrets.get(name)?.as_str().map(Secret::new)
}

impl SealedRecord for StoredTokens {
    type Key = TokenKey;

    fn unknown(&mut self) -> &mut UnknownFields {
        &mut self.unknown
    }

    fn sealed(&self) -> Option<Value> {
        self.unknown.0.get(KEYRING_FIELD).cloned()
    }

    fn secrets(&self) -> Option<Secret> {
        let secrets = json!({
            "access_token": self.access_token.expose(),
            "refresh_token": exposed(self.refresh_token.as_ref()),
            "dpop_key": exposed(self.dpop_key.as_ref()),
        });
        Some(Secret::new(secrets.to_string()))
    }

    fn remove_secrets(&mut self) {
        self.access_token = Secret::new("");
        self.refresh_token = None;
        self.dpop_key = None;
    }

    fn put_back(&mut self, secrets: &Value) -> bool {
        let Some(access_token) = secret(secrets, "access_token") else { return false };
        self.access_token = access_token;
        self.refresh_token = secret(secrets, "refresh_token");
        self.dpop_key = secret(secrets, "dpop_key");
        true
    }

    async fn load(files: &FileTokenStore, key: &TokenKey) -> Result<Option<Self>, AuthError> {
        files.load_as_kept(key).await
    }

    async fn save(files: &FileTokenStore, key: &TokenKey, record: &Self) -> Result<(), AuthError> {
        files.save(key, record).await
    }

    async fn remove(files: &FileTokenStore, key: &TokenKey) -> Result<bool, AuthError> {
        files.remove(key).await
    }
}

impl SealedRecord for StoredClient {
    type Key = ClientKey;

    fn unknown(&mut self) -> &mut UnknownFields {
        &mut self.unknown
    }

    fn sealed(&self) -> Option<Value> {
        self.unknown.0.get(KEYRING_FIELD).cloned()
    }

    fn secrets(&self) -> Option<Secret> {
        let secret = self.client_secret.as_ref()?;
        Some(Secret::new(json!({ "client_secret": secret.expose() }).to_string()))
    }

    fn remove_secrets(&mut self) {
        self.client_secret = None;
    }

    fn put_back(&mut self, secrets: &Value) -> bool {
        self.client_secret = secret(secrets, "client_secret");
        self.client_secret.is_some()
    }

    async fn load(files: &FileTokenStore, key: &ClientKey) -> Result<Option<Self>, AuthError> {
        files.load_client_as_kept(key).await
    }

    async fn save(files: &FileTokenStore, key: &ClientKey, record: &Self) -> Result<(), AuthError> {
        files.save_client(key, record).await
    }

    async fn remove(files: &FileTokenStore, key: &ClientKey) -> Result<bool, AuthError> {
        files.remove_client(key).await
    }
}
