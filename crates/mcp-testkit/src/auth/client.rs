//! Who a client is: registration (RFC 7591) and authentication at the token endpoint (RFC 6749 2.3, RFC 7523).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderMap;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};
use url::Url;

use super::form::{Form, OAuthError};
use super::state::{Client, State};

pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Registers a client.
pub(crate) fn register(state: &mut State, metadata: &Value) -> Result<Value, OAuthError> {
    let redirect_uris: Vec<String> = metadata["redirect_uris"]
        .as_array()
        .map(|uris| uris.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    if redirect_uris.is_empty() || redirect_uris.iter().any(|uri| Url::parse(uri).is_err()) {
        return Err(OAuthError::new("invalid_redirect_uri", "redirect_uris must be a list of URLs"));
    }
    let asked = metadata["token_endpoint_auth_method"].as_str().unwrap_or("client_secret_basic");
    let method = state.settings.registered_auth_method.clone().unwrap_or_else(|| asked.to_owned());
    if !state.settings.auth_methods.contains(&method) {
        return Err(OAuthError::new(
            "invalid_client_metadata",
            "token_endpoint_auth_method is not supported",
        ));
    }
    let id = state.fresh("client");
    let secret = method.starts_with("client_secret").then(|| state.fresh_secret("secret"));
    let mut answer = metadata.clone();
    answer["client_id"] = json!(id);
    answer["token_endpoint_auth_method"] = json!(method);
    if let Some(secret) = &secret {
        answer["client_secret"] = json!(secret);
        answer["client_secret_expires_at"] = json!(0);
    }
    state.registrations.push(metadata.clone());
    state.clients.insert(id, Client { secret, auth_method: method, redirect_uris, public_key: None });
    Ok(answer)
}

/// Finds a client for the authorization endpoint. With client id metadata documents, any https URL is a client.
pub(crate) fn known(state: &State, id: &str) -> Option<Client> {
    if let Some(client) = state.clients.get(id) {
        return Some(client.clone());
    }
    let is_document = state.settings.client_id_metadata_documents && id.starts_with("https://");
    is_document.then(|| Client {
        secret: None,
        auth_method: "none".to_owned(),
        redirect_uris: Vec::new(),
        public_key: None,
    })
}

/// Whether a client may redirect there: exactly, except for the port of a loopback address (RFC 8252, 7.3).
pub(crate) fn may_redirect(client: &Client, uri: &str) -> bool {
    client.redirect_uris.is_empty()
        || client.redirect_uris.iter().any(|known| known == uri || same_loopback(known, uri))
}

fn same_loopback(known: &str, uri: &str) -> bool {
    let portless = |uri: &str| {
        let mut url = Url::parse(uri).ok()?;
        let is_loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
        (url.scheme() == "http" && is_loopback && url.set_port(None).is_ok()).then_some(url)
    };
    matches!((portless(known), portless(uri)), (Some(known), Some(uri)) if known == uri)
}

/// Identifies the client of a token, revocation or device request, in the way that was registered for it.
pub(crate) fn authenticate(
    state: &mut State,
    headers: &HeaderMap,
    form: &Form,
    audiences: &[String],
) -> Result<String, OAuthError> {
    let invalid = |why: &str| OAuthError::new("invalid_client", why);
    let (id, presented) = if let Some((id, secret)) = basic(headers) {
        (id, ClientProof::Basic(secret))
    } else if let Some(assertion) = form.get("client_assertion") {
        if form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(invalid("client_assertion_type is wrong"));
        }
        let claims = claims(assertion).ok_or_else(|| invalid("client_assertion is not a JWT"))?;
        (claims["sub"].as_str().unwrap_or_default().to_owned(), ClientProof::Assertion(assertion.to_owned()))
    } else {
        let id = form.get("client_id").ok_or_else(|| invalid("no client"))?.to_owned();
        let secret = form.get("client_secret").map(str::to_owned);
        (id, secret.map_or(ClientProof::Nothing, ClientProof::Post))
    };
    let client = known(state, &id).ok_or_else(|| invalid("unknown client"))?;
    let is_right = match (client.auth_method.as_str(), &presented) {
        ("none", ClientProof::Nothing) => true,
        ("client_secret_basic", ClientProof::Basic(secret))
        | ("client_secret_post", ClientProof::Post(secret)) => client.secret.as_deref() == Some(secret),
        ("private_key_jwt", ClientProof::Assertion(assertion)) => {
            let key = client.public_key.as_deref().unwrap_or_default();
            verify_assertion(state, assertion, &id, key, audiences)?;
            true
        }
        _ => false,
    };
    if is_right {
        Ok(id)
    } else {
        Err(invalid(&format!("{} was registered for this client", client.auth_method)))
    }
}

enum ClientProof {
    Nothing,
    Basic(String),
    Post(String),
    Assertion(String),
}

/// HTTP Basic with form-encoded parts (RFC 6749, 2.3.1).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get("authorization")?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let decode = |part: &str| {
        let pair = format!("x={part}");
        url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}

fn claims(jwt: &str) -> Option<Value> {
    let payload = jwt.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// Checks a client assertion: signature (ES256), subject, audience, lifetime, and that it was not used before.
fn verify_assertion(
    state: &mut State,
    assertion: &str,
    id: &str,
    key: &[u8],
    audiences: &[String],
) -> Result<(), OAuthError> {
    let invalid = |why: &str| OAuthError::new("invalid_client", why);
    let (signed, signature) =
        assertion.rsplit_once('.').ok_or_else(|| invalid("client_assertion is not a JWT"))?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| invalid("the signature is not Base64"))?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| invalid("the signature of client_assertion is wrong"))?;
    let claims = claims(assertion).ok_or_else(|| invalid("client_assertion is not a JWT"))?;
    if claims["iss"] != id || claims["sub"] != id {
        return Err(invalid("iss and sub must be the client id"));
    }
    let is_ours = |audience: &Value| {
        audience.as_str().is_some_and(|audience| audiences.iter().any(|own| own == audience))
    };
    if !(is_ours(&claims["aud"]) || claims["aud"].as_array().is_some_and(|list| list.iter().any(is_ours))) {
        return Err(invalid("aud is not this server"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if claims["exp"].as_u64().is_none_or(|expires| now >= Duration::from_secs(expires)) {
        return Err(invalid("client_assertion has expired"));
    }
    let jti = claims["jti"].as_str().ok_or_else(|| invalid("client_assertion lacks jti"))?.to_owned();
    if state.assertions_seen.contains(&jti) {
        return Err(invalid("client_assertion was used before"));
    }
    state.assertions_seen.push(jti);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_redirects_may_differ_in_their_port_only() {
        let client = Client {
            secret: None,
            auth_method: "none".into(),
            redirect_uris: vec!["http://127.0.0.1:1/callback".into(), "https://a.example/cb".into()],
            public_key: None,
        };
        assert!(may_redirect(&client, "http://127.0.0.1:4711/callback"));
        assert!(!may_redirect(&client, "http://127.0.0.1:4711/other"));
        assert!(!may_redirect(&client, "http://localhost:4711/callback"));
        assert!(may_redirect(&client, "https://a.example/cb"));
        assert!(!may_redirect(&client, "https://a.example:444/cb"));
    }

    #[test]
    fn basic_credentials_are_form_encoded_first() {
        let mut headers = HeaderMap::new();
        let value = format!("Basic {}", STANDARD.encode("a%3Ab:c%20d"));
        headers.insert("authorization", value.parse().unwrap());
        assert_eq!(basic(&headers), Some(("a:b".into(), "c d".into())));
    }
}
