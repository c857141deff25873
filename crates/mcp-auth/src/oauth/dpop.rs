//! Proof of possession (RFC 9449): the key that tokens are bound to, and the proofs made with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use url::Url;

use super::clock::Clock;
use super::jwt::{SigningKey, fresh_id, sha256_base64url};
use super::urls::origin;
use crate::signing::{RequestSigner, SigningRequest};
use crate::{AuthError, AuthErrorKind, AuthFuture, Credentials, Secret};

/// The header that carries a proof.
pub(crate) const PROOF: HeaderName = HeaderName::from_static("dpop");
/// The header in which a server hands out a nonce.
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Who a proof is for. Both hand out nonces of their own, possibly at one origin (RFC 9449 sections 8 and 9).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Verifier {
    AuthorizationServer,
    ResourceServer,
}

/// A P-256 key that tokens are bound to, with the nonces that servers want to see next.
#[derive(Debug)]
pub(crate) struct DpopKey {
    key: SigningKey,
    jwk: Value,
    pkcs8: Secret,
    clock: Clock,
    nonces: Mutex<HashMap<(Verifier, String), String>>,
}

impl DpopKey {
    pub(crate) fn generate(clock: Clock) -> Result<Self, AuthError> {
        Self::from_stored(&Secret::new(STANDARD.encode(SigningKey::generate_pkcs8()?)), clock)
    }

    /// The key as [`stored`](Self::stored) gave it.
    pub(crate) fn from_stored(pkcs8: &Secret, clock: Clock) -> Result<Self, AuthError> {
        let bad = || AuthError::new(AuthErrorKind::Store, "read the key that the tokens are bound to");
        let der = STANDARD.decode(pkcs8.expose()).map_err(|_| bad())?;
        let key = SigningKey::from_pkcs8(&der).ok_or_else(bad)?;
        let jwk = key.public_jwk().ok_or_else(bad)?;
        Ok(Self { key, jwk, pkcs8: pkcs8.clone(), clock, nonces: Mutex::default() })
    }

    /// The private key for the store: PKCS #8, base64.
    pub(crate) fn stored(&self) -> Secret {
        self.pkcs8.clone()
    }

    /// A proof for one request (RFC 9449 section 4.2). Every call makes a different one.
    pub(crate) fn proof(
        &self,
        verifier: Verifier,
        method: &Method,
        url: &Url,
        access_token: Option<&Secret>,
    ) -> Result<String, AuthError> {
        let mut target = url.clone();
        target.set_query(None);
        target.set_fragment(None);
        let mut claims = json!({
            "jti": fresh_id()?,
            "htm": method.as_str(),
            "htu": target.as_str(),
            "iat": self.clock.unix(),
        });
        if let Some(token) = access_token {
            claims["ath"] = sha256_base64url(token.expose()).into();
        }
        if let Some(nonce) = self.lock().get(&(verifier, origin(url))) {
            claims["nonce"] = nonce.as_str().into();
        }
        self.key.sign(json!({ "typ": "dpop+jwt", "jwk": self.jwk }), &claims)
    }

    /// Keeps the nonce of an answer for the next proof; tells whether it is one that was not known.
    pub(crate) fn learn_nonce(&self, verifier: Verifier, url: &Url, headers: &HeaderMap) -> bool {
        let Some(nonce) = headers.get(NONCE).and_then(|value| value.to_str().ok()) else { return false };
        let previous = self.lock().insert((verifier, origin(url)), nonce.to_owned());
        previous.as_deref() != Some(nonce)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Verifier, String), String>> {
        // A map of strings cannot be left half changed.
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `credentials` with a fresh proof on every request. The signer is a new one each time, so credentials
    /// that differ only in the nonce count as different.
    pub(crate) fn sign_with(
        self: &Arc<Self>,
        credentials: Credentials,
        access_token: &Secret,
    ) -> Credentials {
        credentials
            .with_signer(Arc::new(DpopSigner { key: Arc::clone(self), access_token: access_token.clone() }))
    }
}

#[derive(Debug)]
struct DpopSigner {
    key: Arc<DpopKey>,
    access_token: Secret,
}

impl RequestSigner for DpopSigner {
    fn sign<'a>(&'a self, request: SigningRequest<'a>) -> AuthFuture<'a, HeaderMap> {
        Box::pin(async move {
            let token = Some(&self.access_token);
            let proof = self.key.proof(Verifier::ResourceServer, request.method, request.url, token)?;
            let value = HeaderValue::try_from(proof).map_err(|error| {
                AuthError::new(AuthErrorKind::Protocol, "prove the possession of the key").with_source(error)
            })?;
            Ok([(PROOF, value)].into_iter().collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::jwt::tests::verified;
    use super::*;

    fn key() -> Arc<DpopKey> {
        Arc::new(DpopKey::generate(Clock::system()).unwrap())
    }

    #[test]
    fn a_proof_is_bound_to_method_url_token_and_nonce() {
        let key = key();
        let url = Url::parse("https://mcp.example/mcp?x=1#f").unwrap();
        let token = Secret::new("token");
        let (header, claims) =
            verified(&key.proof(Verifier::ResourceServer, &Method::POST, &url, Some(&token)).unwrap(), None);
        assert_eq!(header["typ"], "dpop+jwt");
        assert_eq!(header["jwk"].as_object().unwrap().len(), 4, "no private part");
        assert_eq!(claims["htm"], "POST");
        assert_eq!(claims["htu"], "https://mcp.example/mcp");
        assert_eq!(claims["ath"], sha256_base64url("token"));
        assert_eq!(claims.get("nonce"), None);

        let mut answer = HeaderMap::new();
        answer.insert(NONCE, HeaderValue::from_static("n1"));
        assert!(key.learn_nonce(Verifier::ResourceServer, &url, &answer));
        assert!(!key.learn_nonce(Verifier::ResourceServer, &url, &answer), "the same nonce is no news");
        let (_, claims) =
            verified(&key.proof(Verifier::ResourceServer, &Method::POST, &url, Some(&token)).unwrap(), None);
        assert_eq!(claims["nonce"], "n1");
        let (_, claims) =
            verified(&key.proof(Verifier::AuthorizationServer, &Method::POST, &url, None).unwrap(), None);
        assert_eq!(claims.get("nonce"), None, "the authorization server has nonces of its own");
    }

    #[tokio::test]
    async fn every_request_gets_a_proof_of_its_own_and_the_key_survives_the_store() {
        let key = key();
        let restored = Arc::new(DpopKey::from_stored(&key.stored(), Clock::system()).unwrap());
        assert_eq!(restored.jwk, key.jwk);
        let credentials = restored.sign_with(Credentials::none(), &Secret::new("t"));
        let url = Url::parse("http://localhost:1/mcp").unwrap();
        let mut jtis = Vec::new();
        for _ in 0..3 {
            let mut headers = HeaderMap::new();
            credentials.sign(&Method::POST, &url, &mut headers, &Default::default()).await.unwrap();
            let (_, claims) = verified(headers[PROOF].to_str().unwrap(), None);
            jtis.push(claims["jti"].as_str().unwrap().to_owned());
        }
        jtis.dedup();
        assert_eq!(jtis.len(), 3);
        let again = restored.sign_with(Credentials::none(), &Secret::new("t"));
        assert!(!again.same_headers(&credentials));
    }

    #[test]
    fn the_private_key_is_not_shown() {
        let key = key();
        assert!(!format!("{key:?}").contains(key.stored().expose()));
    }
}
