//! Records encrypted at rest, with keys that the operator gives: AES-256-GCM (RFC 5116 section 5.2).
//!
//! A sealed record is the number of this layout (1), the identifier of the key (4 bytes of its SHA-256), a random nonce of
//! 12 bytes, and the ciphertext with its tag. Its place in the database is authenticated with it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::{AuthError, AuthErrorKind};

const LAYOUT: u8 = 1;
const KEY_LEN: usize = 32;
const KEY_ID_LEN: usize = 4;
const HEAD_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// The keys of a shared store: the first seals, and each of them opens.
///
/// A key is changed by putting the new one behind the old one everywhere, so that every machine opens what it seals, and then in
/// front of it; each record is sealed with the new one when it is written next.
#[derive(Clone)]
pub struct SealingKeys {
    keys: Arc<[SealingKey]>,
    /// Where a person finds them.
    place: Option<Arc<str>>,
}

struct SealingKey {
    /// SHA-256 of the key, which is how a record names it (by the first bytes) and how two are told apart.
    digest: [u8; SHA256_OUTPUT_LEN],
    key: LessSafeKey,
}

/// Why a text is not a key. Never shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum UnusableKey {
    /// There is no key in the text.
    Empty,
    /// The key with this number, counted from 1, is not 32 bytes in base64.
    Malformed {
        /// Which one.
        number: usize,
    },
}

impl fmt::Display for UnusableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                f.write_str("there is no key; one is 32 random bytes in base64 (`openssl rand -base64 32`)")
            }
            Self::Malformed { number } => {
                write!(f, "key {number} is not 32 bytes in base64 (`openssl rand -base64 32` prints one)")
            }
        }
    }
}

impl std::error::Error for UnusableKey {}

/// Why a record could not be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum SealError {
    Damaged,
    OtherKey,
    NewerLayout(u8),
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("it is damaged, or was moved from another place"),
            Self::OtherKey => f.write_str("it is sealed with a key that is not among those given"),
            Self::NewerLayout(layout) => write!(f, "a newer program wrote it (layout {layout})"),
        }
    }
}

impl std::error::Error for SealError {}

impl SealingKeys {
    /// The keys in `text`: each 32 bytes in base64, apart by white space, the one that seals first.
    ///
    /// # Errors
    ///
    /// There is none, or one is something else.
    pub fn parse(text: &str) -> Result<Self, UnusableKey> {
        let keys: Result<Vec<_>, _> =
            text.split_whitespace().enumerate().map(|(i, key)| SealingKey::parse(key, i + 1)).collect();
        let keys = keys?;
        if keys.is_empty() { Err(UnusableKey::Empty) } else { Ok(Self { keys: keys.into(), place: None }) }
    }

    /// The same, which a person finds at `place`: a record that none of them opens says that the right one belongs there.
    #[must_use]
    pub fn at(self, place: impl Into<Arc<str>>) -> Self {
        Self { place: Some(place.into()), ..self }
    }

    /// What a person does about a record that could not be opened for this reason, where signing in does not help.
    pub(super) fn cure(&self, why: SealError) -> Option<String> {
        match why {
            SealError::Damaged => None,
            SealError::OtherKey => Some(match &self.place {
                Some(place) => format!("put the key that the other machines have into {place}"),
                None => "give this machine the key that the others have".to_owned(),
            }),
            SealError::NewerLayout(_) => {
                Some("update this program to the version that the other machines have".to_owned())
            }
        }
    }

    /// `plain` as it is kept at `place`.
    pub(super) fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, AuthError> {
        let failed = || AuthError::new(AuthErrorKind::Store, "encrypt a record of the shared token store");
        let sealing = self.keys.first().ok_or_else(failed)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| failed())?;
        let mut body = plain.to_vec();
        let aad = Aad::from(place.as_bytes());
        let nonce_once = Nonce::assume_unique_for_key(nonce);
        sealing.key.seal_in_place_append_tag(nonce_once, aad, &mut body).map_err(|_| failed())?;
        let mut sealed = Vec::with_capacity(HEAD_LEN + body.len());
        sealed.push(LAYOUT);
        sealed.extend_from_slice(sealing.id());
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// What was sealed at `place`.
    pub(super) fn open(&self, place: &str, sealed: Vec<u8>) -> Result<Vec<u8>, SealError> {
        match sealed.first() {
            Some(&LAYOUT) => {}
            Some(&layout) if layout > LAYOUT && layout < 32 => return Err(SealError::NewerLayout(layout)),
            _ => return Err(SealError::Damaged),
        }
        let (head, body) = sealed.split_at_checked(HEAD_LEN).ok_or(SealError::Damaged)?;
        let (id, nonce) =
            head.get(1..).and_then(|rest| rest.split_at_checked(KEY_ID_LEN)).ok_or(SealError::Damaged)?;
        let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_| SealError::Damaged)?;
        let mut known = self.keys.iter().filter(|key| key.id() == id).peekable();
        if known.peek().is_none() {
            return Err(SealError::OtherKey);
        }
        for key in known {
            let mut body = body.to_vec();
            let aad = Aad::from(place.as_bytes());
            if let Ok(plain) = key.key.open_in_place(Nonce::assume_unique_for_key(nonce), aad, &mut body) {
                return Ok(plain.to_vec());
            }
        }
        Err(SealError::Damaged)
    }
}

/// By the digests of the keys in their order, since the first one seals. Where a person finds them makes no difference.
impl Hash for SealingKeys {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { keys, place: _ } = self;
        keys.len().hash(state);
        keys.iter().for_each(|key| key.digest.hash(state));
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKeys({})", self.keys.len())
    }
}

impl SealingKey {
    fn parse(text: &str, number: usize) -> Result<Self, UnusableKey> {
        let malformed = UnusableKey::Malformed { number };
        let bytes = STANDARD.decode(text).map_err(|_| malformed)?;
        if bytes.len() != KEY_LEN {
            return Err(malformed);
        }
        let digest = digest(&SHA256, &bytes).as_ref().try_into().map_err(|_| malformed)?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| malformed)?;
        Ok(Self { digest, key: LessSafeKey::new(key) })
    }

    /// How a sealed record names it.
    fn id(&self) -> &[u8] {
        self.digest.split_at(KEY_ID_LEN).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const NEW: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn keys(text: &str) -> SealingKeys {
        SealingKeys::parse(text).unwrap()
    }

    #[test]
    fn a_record_is_opened_at_its_place_with_its_key_alone() {
        let sealed = keys(OLD).seal("tokens/a", b"canary").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        assert_eq!(keys(OLD).open("tokens/a", sealed.clone()).unwrap(), b"canary");
        assert_eq!(keys(OLD).open("tokens/b", sealed.clone()), Err(SealError::Damaged));
        assert_eq!(keys(NEW).open("tokens/a", sealed.clone()), Err(SealError::OtherKey));
        for i in 0..sealed.len() {
            let mut other = sealed.clone();
            other[i] ^= 1;
            assert!(keys(OLD).open("tokens/a", other).is_err(), "byte {i}");
            assert!(keys(OLD).open("tokens/a", sealed[..i].to_vec()).is_err(), "cut at {i}");
        }
        let again = keys(OLD).seal("tokens/a", b"canary").unwrap();
        assert_ne!(sealed, again, "a nonce was used twice");
    }

    #[test]
    fn a_key_is_changed_while_the_old_one_still_opens() {
        let both = keys(&format!("{NEW}\n{OLD}\n"));
        let old = keys(OLD).seal("p", b"x").unwrap();
        assert_eq!(both.open("p", old).unwrap(), b"x");
        let new = both.seal("p", b"x").unwrap();
        assert_eq!(keys(NEW).open("p", new).unwrap(), b"x");
    }

    #[test]
    fn what_is_no_key_is_said_without_showing_it() {
        assert_eq!(SealingKeys::parse(" \n").unwrap_err(), UnusableKey::Empty);
        for bad in ["canary", "AAAA", &OLD[1..], "!!!!"] {
            let error = SealingKeys::parse(&format!("{OLD} {bad}")).unwrap_err();
            assert_eq!(error, UnusableKey::Malformed { number: 2 }, "{bad}");
            assert!(!error.to_string().contains("canary"));
        }
        assert_eq!(format!("{:?}", keys(OLD)), "SealingKeys(1)");
    }

    #[test]
    fn keys_are_told_apart_by_what_they_are_and_not_by_where_they_are_found() {
        fn hash(keys: &SealingKeys) -> u64 {
            let mut hasher = std::hash::DefaultHasher::new();
            keys.hash(&mut hasher);
            hasher.finish()
        }
        let both = keys(&format!("{OLD}\n{NEW}"));
        let turned = keys(&format!("{NEW}\n{OLD}"));
        let all = [keys(OLD), keys(NEW), both, turned].map(|keys| hash(&keys));
        for (i, one) in all.iter().enumerate() {
            assert!(!all[..i].contains(one), "{i}");
        }
        assert_eq!(hash(&keys(OLD).at("/etc/key")), hash(&keys(OLD)));
    }

    #[test]
    fn a_layout_of_a_later_program_is_named() {
        assert_eq!(keys(OLD).open("p", vec![2, 0, 0]), Err(SealError::NewerLayout(2)));
        assert_eq!(keys(OLD).open("p", b"{}".to_vec()), Err(SealError::Damaged));
        assert_eq!(keys(OLD).open("p", Vec::new()), Err(SealError::Damaged));
    }
}
