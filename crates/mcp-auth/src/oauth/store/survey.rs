//! What the files tell of the sign-ins that are kept: whose, how long, where; none of their secrets.

use std::path::PathBuf;
use std::time::SystemTime;

use super::super::identity::Identity;
use super::records::{KEYRING_FIELD, StoredTokens, TokenKey};

/// Where the secrets of a sign-in are.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SecretPlace {
    /// In the file, which only its owner may read.
    File,
    /// In the keyring of the operating system.
    Keyring,
    /// In a database that machines share, encrypted.
    Database,
}

impl SecretPlace {
    /// A stable word for people and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Keyring => "keyring",
            Self::Database => "database",
        }
    }
}

/// One sign-in as its file tells of it. No part of it is a secret, but for the query of [`TokenKey::resource`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SignInRecord {
    /// Whose tokens they are.
    pub key: TokenKey,
    /// The client that they were issued to.
    pub client_id: String,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// Who signed in, as far as the tokens tell.
    pub identity: Option<Identity>,
    /// When the access token was issued, by the clock of this machine.
    pub obtained_at: SystemTime,
    /// When the access token ends; `None` means that it is used until refused.
    pub expires_at: Option<SystemTime>,
    /// Whether the access token is renewed without a person; `None` where only the keyring knows.
    pub is_renewable: Option<bool>,
    /// How many renewals it has seen.
    pub renewals: u64,
    /// Where its secrets are.
    pub place: SecretPlace,
    /// The file; `None` where it is in no file.
    pub file: Option<PathBuf>,
}

impl SignInRecord {
    /// Where it is, for people: its file, or that it is in a database.
    pub fn to_place(&self) -> String {
        self.file
            .as_ref()
            .map_or_else(|| "the shared token store".to_owned(), |file| file.display().to_string())
    }

    pub(super) fn new(key: TokenKey, tokens: StoredTokens, file: PathBuf) -> Self {
        let place = match tokens.unknown.0.contains_key(KEYRING_FIELD) {
            true => SecretPlace::Keyring,
            false => SecretPlace::File,
        };
        Self::at(place, key, tokens, Some(file))
    }

    pub(super) fn at(place: SecretPlace, key: TokenKey, tokens: StoredTokens, file: Option<PathBuf>) -> Self {
        Self {
            key,
            client_id: tokens.client_id,
            scopes: tokens.scopes,
            identity: tokens.identity,
            obtained_at: tokens.obtained_at,
            expires_at: tokens.expires_at,
            is_renewable: (place != SecretPlace::Keyring).then_some(tokens.refresh_token.is_some()),
            renewals: tokens.generation,
            place,
            file,
        }
    }
}
