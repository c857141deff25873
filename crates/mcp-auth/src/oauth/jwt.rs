//! Signed JWTs (RFC 7515 compact form) with keys of `ring`: client assertions and DPoP proofs.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::rsa;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256};
use serde_json::{Value, json};

use crate::{AuthError, AuthErrorKind, Secret};

/// A private key that signs JWTs: P-256 (`ES256`) or RSA (`RS256`, 2048 bits and more).
pub struct SigningKey {
    key: Key,
    id: Option<String>,
}

enum Key {
    Es256(EcdsaKeyPair),
    Rs256(rsa::KeyPair),
}

const ENCRYPTED: &str = "it is encrypted, and there is no one to ask for its passphrase: `openssl pkcs8 -in KEY -out NEW` \
                         decrypts it";
const SEC1: &str = "it is in the form of SEC 1 (`EC PRIVATE KEY`), and PKCS #8 is wanted: `openssl pkcs8 -topk8 -nocrypt -in KEY -out \
                    NEW` makes that of it";

impl SigningKey {
    /// The key in a PEM block: PKCS #8 (`PRIVATE KEY`), or PKCS #1 (`RSA PRIVATE KEY`).
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::Misconfigured`] for anything else; the text does not repeat the key.
    pub fn from_pem(pem: &Secret) -> Result<Self, AuthError> {
        let bad = |why| {
            AuthError::new(AuthErrorKind::Misconfigured, format!("read the client's private key: {why}"))
        };
        let pem = pem.expose();
        let begin = pem.find("-----BEGIN ").ok_or_else(|| bad("it is not in PEM form"))?;
        let rest = &pem[begin + "-----BEGIN ".len()..];
        let (label, rest) = rest.split_once("-----").ok_or_else(|| bad("it is not in PEM form"))?;
        let (body, _) = rest.split_once("-----END ").ok_or_else(|| bad("its end is missing"))?;
        let text: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let der = STANDARD.decode(text).map_err(|_| bad("it is not base64"))?;
        match label {
            "PRIVATE KEY" => Self::from_pkcs8(&der),
            "RSA PRIVATE KEY" => rsa::KeyPair::from_der(&der).ok().map(|key| Self::of(Key::Rs256(key))),
            "ENCRYPTED PRIVATE KEY" => return Err(bad(ENCRYPTED)),
            "EC PRIVATE KEY" => return Err(bad(SEC1)),
            "PUBLIC KEY" | "RSA PUBLIC KEY" => {
                return Err(bad("it is the public key, and the private one signs"));
            }
            "CERTIFICATE" => return Err(bad("it is a certificate, and the private key signs")),
            _ => return Err(bad("only PKCS #8 (and PKCS #1 for RSA) is supported")),
        }
        .ok_or_else(|| bad("it is neither a P-256 nor an RSA key of 2048 bits or more"))
    }

    /// The key in a PKCS #8 document.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new())
        {
            return Some(Self::of(Key::Es256(key)));
        }
        rsa::KeyPair::from_pkcs8(der).ok().map(|key| Self::of(Key::Rs256(key)))
    }

    fn of(key: Key) -> Self {
        Self { key, id: None }
    }

    /// The same key under the name that its `kid` has for it (RFC 7515 section 4.1.4).
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..self }
    }

    /// A fresh P-256 key as a PKCS #8 document.
    pub(crate) fn generate_pkcs8() -> Result<Vec<u8>, AuthError> {
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map(|document| document.as_ref().to_vec())
            .map_err(|_| AuthError::new(AuthErrorKind::SourceFailed, "generate a key: no randomness"))
    }

    /// The `alg` of signatures of this key (RFC 7518 section 3.1).
    pub(crate) fn algorithm(&self) -> &'static str {
        match &self.key {
            Key::Es256(_) => "ES256",
            Key::Rs256(_) => "RS256",
        }
    }

    /// The public key as a JWK (RFC 7518 section 6), for the keys that are sent along: P-256 only.
    pub(crate) fn public_jwk(&self) -> Option<Value> {
        match &self.key {
            Key::Es256(key) => {
                // The uncompressed point: 0x04, then both coordinates.
                let (x, y) = key.public_key().as_ref().get(1..)?.split_at_checked(32)?;
                Some(json!({ "kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y) }))
            }
            Key::Rs256(_) => None,
        }
    }

    /// `header.claims.signature`; `alg` is added to the header.
    pub(crate) fn sign(&self, mut header: Value, claims: &Value) -> Result<String, AuthError> {
        header["alg"] = self.algorithm().into();
        if let Some(id) = &self.id {
            header["kid"] = id.as_str().into();
        }
        let input = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let random = SystemRandom::new();
        let failed = |_| AuthError::new(AuthErrorKind::SourceFailed, "sign a token: the key was refused");
        let signature = match &self.key {
            Key::Es256(key) => key.sign(&random, input.as_bytes()).map_err(failed)?.as_ref().to_vec(),
            Key::Rs256(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, input.as_bytes(), &mut signature).map_err(failed)?;
                signature
            }
        };
        Ok(format!("{input}.{}", base64url(signature)))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("alg", &self.algorithm()).finish_non_exhaustive()
    }
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// SHA-256, base64url: the `ath` of a proof (RFC 9449 section 4.2).
pub(crate) fn sha256_base64url(text: &str) -> String {
    base64url(digest(&SHA256, text.as_bytes()))
}

/// A fresh unguessable identifier of 128 bits, base64url.
pub(crate) fn fresh_id() -> Result<String, AuthError> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| AuthError::new(AuthErrorKind::SourceFailed, "make an identifier: no randomness"))?;
    Ok(base64url(bytes))
}

#[cfg(test)]
pub(crate) mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    /// Header and claims of a JWT, after its signature was checked with the JWK in its header or `key`.
    pub(crate) fn verified(jwt: &str, key: Option<&SigningKey>) -> (Value, Value) {
        let parts: Vec<&str> = jwt.split('.').collect();
        let part = |i: usize| URL_SAFE_NO_PAD.decode(parts[i]).unwrap();
        let header: Value = serde_json::from_slice(&part(0)).unwrap();
        let jwk = key.map_or_else(|| header["jwk"].clone(), |key| key.public_jwk().unwrap());
        let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        let input = format!("{}.{}", parts[0], parts[1]);
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(input.as_bytes(), &part(2)).unwrap();
        (header, serde_json::from_slice(&part(1)).unwrap())
    }

    pub(crate) fn pem(der: &[u8]) -> Secret {
        Secret::new(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der)
        ))
    }

    #[test]
    fn a_signature_verifies_and_the_key_does_not_show_itself() {
        let der = SigningKey::generate_pkcs8().unwrap();
        let key = SigningKey::from_pem(&pem(&der)).unwrap();
        let jwt = key.sign(json!({ "typ": "JWT" }), &json!({ "iss": "me" })).unwrap();
        let (header, claims) = verified(&jwt, Some(&key));
        assert_eq!((header["alg"].as_str(), claims["iss"].as_str()), (Some("ES256"), Some("me")));
        assert_eq!(format!("{key:?}"), "SigningKey { alg: \"ES256\", .. }");
    }

    #[test]
    fn a_bad_key_is_refused_without_repeating_it() {
        for bad in [
            "canary",
            "-----BEGIN EC PRIVATE KEY-----\nY2FuYXJ5\n-----END EC PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\ncanary",
        ] {
            let error = SigningKey::from_pem(&Secret::new(bad)).unwrap_err();
            assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
            assert!(!format!("{error} {error:?}").contains("canary") && !error.to_string().contains("Y2Fu"));
        }
    }

    #[test]
    fn identifiers_differ() {
        assert_ne!(fresh_id().unwrap(), fresh_id().unwrap());
    }
}
