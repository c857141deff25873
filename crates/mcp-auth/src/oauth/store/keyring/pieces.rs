//! A long secret as several short ones.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::Vault;
use crate::Secret;

/// Characters per item. The tightest keyring is the Credential Manager of Windows: 2560 bytes, two per character.
pub(super) const PIECE_LEN: usize = 1200;

/// Why a keyring did not do what it was asked. Its text comes from the system and holds no secret.
#[derive(Debug)]
pub(super) struct VaultError(String);

impl VaultError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for VaultError {}

/// Where a secret is: one of two places per name, in how many pieces, and how to tell that it is whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Slot {
    letter: Letter,
    pieces: usize,
    /// SHA-256 of the text. Tokens are long and random, so they cannot be guessed from it.
    digest: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Letter {
    A,
    B,
}

impl Letter {
    fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

impl Slot {
    /// The slot for `secret`: not the one that is in use, so that the old secret stays readable. Returns
    /// with it the text to [`write`](Self::write) there.
    pub(super) fn after(old: Option<Self>, secret: &Secret) -> (Self, Secret) {
        let letter = match old.map(|old| old.letter) {
            Some(Letter::A) => Letter::B,
            Some(Letter::B) | None => Letter::A,
        };
        // ASCII, so that pieces end between characters and every keyring counts the same.
        let text = URL_SAFE_NO_PAD.encode(secret.expose());
        let slot = Self { letter, pieces: text.len().div_ceil(PIECE_LEN), digest: hash(secret) };
        (slot, Secret::new(text))
    }

    /// The slot as a field of the record in the file.
    pub(super) fn to_field(&self) -> Value {
        json!({ "slot": self.letter.as_str(), "pieces": self.pieces, "sha256": self.digest })
    }

    pub(super) fn from_field(field: &Value) -> Option<Self> {
        let letter = match field.get("slot")?.as_str()? {
            "a" => Letter::A,
            "b" => Letter::B,
            _ => return None,
        };
        let pieces = usize::try_from(field.get("pieces")?.as_u64()?).ok()?;
        Some(Self { letter, pieces, digest: field.get("sha256")?.as_str()?.to_owned() })
    }

    pub(super) fn write(&self, vault: &dyn Vault, name: &str, text: &Secret) -> Result<(), VaultError> {
        let mut rest = text.expose();
        for number in 0..self.pieces {
            let (piece, after) = rest.split_at(rest.len().min(PIECE_LEN));
            vault.write(&item(name, self.letter, number), &Secret::new(piece))?;
            rest = after;
        }
        // A longer secret may have been here before, left by a writer that was killed.
        empty_from(vault, name, self.letter, self.pieces)
    }

    /// The secret; `None` when a piece is missing or belongs to another one.
    pub(super) fn read(&self, vault: &dyn Vault, name: &str) -> Result<Option<Secret>, VaultError> {
        let mut text = String::new();
        for number in 0..self.pieces {
            match vault.read(&item(name, self.letter, number))? {
                Some(piece) => text.push_str(piece.expose()),
                None => return Ok(None),
            }
        }
        let secret = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(secret.map(Secret::new).filter(|secret| hash(secret) == self.digest))
    }

    /// Removes the items of `name` in every slot but `used`.
    pub(super) fn empty_others(vault: &dyn Vault, name: &str, used: Option<&Self>) -> Result<(), VaultError> {
        for letter in [Letter::A, Letter::B] {
            if used.is_none_or(|used| used.letter != letter) {
                empty_from(vault, name, letter, 0)?;
            }
        }
        Ok(())
    }
}

/// Removes from the last piece to the first: an interrupted removal leaves pieces without a gap, which the next
/// one finds.
fn empty_from(vault: &dyn Vault, name: &str, letter: Letter, first: usize) -> Result<(), VaultError> {
    let mut end = first;
    while vault.read(&item(name, letter, end))?.is_some() {
        end += 1;
    }
    for number in (first..end).rev() {
        vault.delete(&item(name, letter, number))?;
    }
    Ok(())
}

fn item(name: &str, letter: Letter, number: usize) -> String {
    format!("{name}/{}{number}", letter.as_str())
}

fn hash(secret: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, secret.expose().as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug, Default)]
    struct Items(Mutex<BTreeMap<String, Secret>>);

    impl Vault for Items {
        fn read(&self, name: &str) -> Result<Option<Secret>, VaultError> {
            Ok(self.0.lock().unwrap().get(name).cloned())
        }
        fn write(&self, name: &str, text: &Secret) -> Result<(), VaultError> {
            self.0.lock().unwrap().insert(name.to_owned(), text.clone());
            Ok(())
        }
        fn delete(&self, name: &str) -> Result<bool, VaultError> {
            Ok(self.0.lock().unwrap().remove(name).is_some())
        }
    }

    #[test]
    fn pieces_of_two_secrets_are_not_taken_for_one() {
        let items = Items::default();
        let secrets = ["1", "2"].map(|digit| Secret::new(digit.repeat(3 * PIECE_LEN)));
        let [(first, text_1), (second, text_2)] = secrets.each_ref().map(|secret| Slot::after(None, secret));
        first.write(&items, "n", &text_1).unwrap();
        assert_eq!(first.read(&items, "n").unwrap(), Some(secrets[0].clone()));

        let kept = items.read("n/a0").unwrap().unwrap();
        second.write(&items, "n", &text_2).unwrap();
        items.write("n/a0", &kept).unwrap();
        assert_eq!(first.read(&items, "n").unwrap(), None);
        assert_eq!(second.read(&items, "n").unwrap(), None);
    }

    #[test]
    fn a_slot_survives_its_field_and_damage_does_not_pass_for_one() {
        let (slot, _) = Slot::after(None, &Secret::new("x"));
        let (other, _) = Slot::after(Some(slot.clone()), &Secret::new("x"));
        assert_ne!(slot.letter, other.letter);
        for slot in [slot, other] {
            assert_eq!(Slot::from_field(&slot.to_field()), Some(slot));
        }
        for damaged in [json!(null), json!({}), json!({"slot": "c", "pieces": 1, "sha256": ""})] {
            assert_eq!(Slot::from_field(&damaged), None);
        }
    }
}
