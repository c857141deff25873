//! Secrets that must turn up nowhere.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::NO_PAD;

use crate::sync::lock;

/// A set of unique secrets, to be put where credentials go and searched for everywhere else. Cloning shares.
///
/// A secret is found in plain text, percent-encoded (it contains characters that need it) and in Base64, at any of
/// the three alignments and in both alphabets: `Basic` credentials and JWT payloads hide nothing from it.
///
/// ```
/// let canaries = mcp_testkit::Canaries::new();
/// let token = canaries.secret("token");
/// canaries.assert_absent("the log", b"connected to server x");
/// assert_eq!(canaries.found_in(token.as_bytes()), ["token"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Canaries(Arc<Mutex<Vec<Canary>>>);

#[derive(Clone, Debug)]
struct Canary {
    label: String,
    secret: String,
    /// The forms to search for.
    forms: Vec<String>,
}

impl Canaries {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A new secret under a label, or the one that the label already has. It can be a header value, a URL parameter,
    /// a password or a token, and contains `/` and `+` so that encoding it changes it.
    #[must_use]
    pub fn secret(&self, label: &str) -> String {
        let mut canaries = lock(&self.0);
        if let Some(known) = canaries.iter().find(|canary| canary.label == label) {
            return known.secret.clone();
        }
        let secret = format!("canary/{:016x}+{:016x}", random(), random());
        canaries.push(Canary { label: label.to_owned(), secret: secret.clone(), forms: forms(&secret) });
        secret
    }

    /// Adds a secret that came from elsewhere, such as an issued token.
    pub fn add(&self, label: &str, secret: impl Into<String>) {
        let secret = secret.into();
        lock(&self.0).push(Canary { label: label.to_owned(), forms: forms(&secret), secret });
    }

    /// The labels of the secrets that occur in `bytes` in any form.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        let canaries = lock(&self.0);
        let present = |canary: &&Canary| canary.forms.iter().any(|form| text.contains(form.as_str()));
        canaries.iter().filter(present).map(|canary| canary.label.clone()).collect()
    }

    /// Fails the test if a secret occurs in `bytes`.
    ///
    /// # Panics
    ///
    /// With the place and the labels, never with the secret itself.
    pub fn assert_absent(&self, place: &str, bytes: &[u8]) {
        let found = self.found_in(bytes);
        assert!(found.is_empty(), "secrets leaked into {place}: {found:?}");
    }
}

/// Everything to search for, for one secret.
fn forms(secret: &str) -> Vec<String> {
    let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let mut forms = vec![secret.to_owned(), percent];
    for alphabet in [&alphabet::STANDARD, &alphabet::URL_SAFE] {
        let engine = GeneralPurpose::new(alphabet, NO_PAD);
        for skipped in 0..3 {
            // Base64 works on groups of three bytes, so what a secret looks like inside something longer depends on
            // where it starts. Cut to whole groups, it looks the same whatever stands before and after it.
            let from = &secret.as_bytes()[skipped.min(secret.len())..];
            let whole = &from[..from.len() - from.len() % 3];
            if whole.len() >= 12 {
                forms.push(engine.encode(whole));
            }
        }
    }
    forms.dedup();
    forms
}

/// Sixty-four bits that differ between processes and calls: std seeds its hashers from the system.
pub(crate) fn random() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(CALLS.fetch_add(1, Ordering::Relaxed));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    #[test]
    fn a_secret_is_found_in_every_form() {
        let canaries = Canaries::new();
        let secret = canaries.secret("key");
        for before in ["", "u", "us", "use", "user:"] {
            let inside = format!("{before}{secret}tail");
            assert_eq!(canaries.found_in(inside.as_bytes()), ["key"]);
            assert_eq!(canaries.found_in(STANDARD.encode(&inside).as_bytes()), ["key"], "{before}");
            assert_eq!(canaries.found_in(URL_SAFE.encode(&inside).as_bytes()), ["key"], "{before}");
        }
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        assert_ne!(encoded, secret);
        assert_eq!(canaries.found_in(encoded.as_bytes()), ["key"]);
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let canaries = Canaries::new();
        let _secret = canaries.secret("key");
        canaries.assert_absent("a text", b"canary/ is only the prefix");
        assert!(canaries.found_in(Canaries::new().secret("other").as_bytes()).is_empty());
        assert_eq!(canaries.secret("key"), canaries.secret("key"));
    }

    #[test]
    #[should_panic(expected = "secrets leaked into the log: [\"key\"]")]
    fn a_leak_fails_the_test_without_repeating_the_secret() {
        let canaries = Canaries::new();
        canaries.assert_absent("the log", canaries.secret("key").as_bytes());
    }
}
