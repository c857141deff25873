//! The two metadata documents: protected resource (RFC 9728) and authorization server (RFC 8414, OpenID
//! Connect Discovery 1.0).
//!
//! Fields of a wrong type count as absent: one sloppy field of a stranger must not make a whole server
//! unusable. What is *needed* is checked where it is needed.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::super::urls::same_issuer;

/// Protected resource metadata (RFC 9728 section 2): the fields that matter to a client.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[non_exhaustive]
pub struct ResourceMetadata {
    /// The resource identifier, exactly as received.
    #[serde(default, deserialize_with = "text")]
    pub resource: Option<String>,
    /// Issuers of the authorization servers, exactly as received.
    #[serde(default, deserialize_with = "one_or_more")]
    pub authorization_servers: Option<Vec<String>>,
    /// The scopes for basic use.
    #[serde(default, deserialize_with = "texts")]
    pub scopes_supported: Option<Vec<String>>,
    /// Whether only tokens bound to a key are accepted (RFC 9449).
    #[serde(default, deserialize_with = "lenient")]
    pub dpop_bound_access_tokens_required: Option<bool>,
}

/// Authorization server metadata (RFC 8414 section 2): the fields that matter to a client.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServerMetadata {
    /// The issuer identifier, exactly as received.
    #[serde(default, deserialize_with = "text")]
    pub issuer: Option<String>,
    /// Where a person authorizes.
    #[serde(default, deserialize_with = "text")]
    pub authorization_endpoint: Option<String>,
    /// Where grants become tokens.
    #[serde(default, deserialize_with = "text")]
    pub token_endpoint: Option<String>,
    /// Where clients register (RFC 7591).
    #[serde(default, deserialize_with = "text")]
    pub registration_endpoint: Option<String>,
    /// Where tokens are revoked (RFC 7009).
    #[serde(default, deserialize_with = "text")]
    pub revocation_endpoint: Option<String>,
    /// Where a device code is obtained (RFC 8628).
    #[serde(default, deserialize_with = "text")]
    pub device_authorization_endpoint: Option<String>,
    /// Every scope that the server knows.
    #[serde(default, deserialize_with = "texts")]
    pub scopes_supported: Option<Vec<String>>,
    /// The grant types it supports.
    #[serde(default, deserialize_with = "texts")]
    pub grant_types_supported: Option<Vec<String>>,
    /// PKCE methods (RFC 7636); absent means none.
    #[serde(default, deserialize_with = "words")]
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// Client authentication methods at the token endpoint; absent means `client_secret_basic`.
    #[serde(default, deserialize_with = "texts")]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether authorization responses carry `iss` (RFC 9207 section 3).
    #[serde(default, deserialize_with = "lenient")]
    pub authorization_response_iss_parameter_supported: Option<bool>,
    /// Whether a URL of a metadata document is accepted as client identifier.
    #[serde(default, deserialize_with = "lenient")]
    pub client_id_metadata_document_supported: Option<bool>,
    /// Signature algorithms of DPoP proofs (RFC 9449 section 5.1).
    #[serde(default, deserialize_with = "texts")]
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
}

impl ResourceMetadata {
    /// Whether it says who issues tokens.
    pub(crate) fn names_an_issuer(&self) -> bool {
        self.authorization_servers.as_ref().is_some_and(|issuers| !issuers.is_empty())
    }
}

impl ServerMetadata {
    /// Whether this is such a document at all. Frameworks answer 200 with an error in JSON where they have nothing.
    pub(crate) fn is_usable(&self) -> bool {
        self.issuer.is_some() || self.authorization_endpoint.is_some() || self.token_endpoint.is_some()
    }

    /// Whether another document names the same issuer.
    pub(crate) fn is_by_the_issuer_of(&self, other: &Self) -> bool {
        match (&self.issuer, &other.issuer) {
            (Some(one), Some(other)) => same_issuer(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    /// The same with what another document of the same issuer knows beyond it.
    pub(crate) fn completed_by(self, other: Self) -> Self {
        Self {
            issuer: self.issuer.or(other.issuer),
            authorization_endpoint: self.authorization_endpoint.or(other.authorization_endpoint),
            token_endpoint: self.token_endpoint.or(other.token_endpoint),
            registration_endpoint: self.registration_endpoint.or(other.registration_endpoint),
            revocation_endpoint: self.revocation_endpoint.or(other.revocation_endpoint),
            device_authorization_endpoint: self
                .device_authorization_endpoint
                .or(other.device_authorization_endpoint),
            scopes_supported: self.scopes_supported.or(other.scopes_supported),
            grant_types_supported: self.grant_types_supported.or(other.grant_types_supported),
            code_challenge_methods_supported: self
                .code_challenge_methods_supported
                .or(other.code_challenge_methods_supported),
            token_endpoint_auth_methods_supported: self
                .token_endpoint_auth_methods_supported
                .or(other.token_endpoint_auth_methods_supported),
            authorization_response_iss_parameter_supported: self
                .authorization_response_iss_parameter_supported
                .or(other.authorization_response_iss_parameter_supported),
            client_id_metadata_document_supported: self
                .client_id_metadata_document_supported
                .or(other.client_id_metadata_document_supported),
            dpop_signing_alg_values_supported: self
                .dpop_signing_alg_values_supported
                .or(other.dpop_signing_alg_values_supported),
        }
    }

    /// Whether PKCE with S256 is advertised.
    pub(crate) fn supports_s256(&self) -> bool {
        self.code_challenge_methods_supported.as_ref().is_some_and(|list| list.iter().any(|m| m == "S256"))
    }

    /// Whether ES256 proofs are advertised.
    pub(crate) fn supports_dpop_es256(&self) -> bool {
        self.dpop_signing_alg_values_supported.as_ref().is_some_and(|list| list.iter().any(|a| a == "ES256"))
    }
}

/// The document in `body`, or `None` for one that says nothing: no JSON object, or an empty one. Servers are
/// known that answer every well-known URL with a page or with `{}`.
pub(crate) fn document<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let value: Value = serde_json::from_slice(body).ok()?;
    if value.as_object().is_none_or(serde_json::Map::is_empty) {
        return None;
    }
    serde_json::from_value(value).ok()
}

/// Text; where there is none, it may be written as an empty one.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(lenient::<D, String>(deserializer)?.filter(|text| !text.trim().is_empty()))
}

/// The texts of a list. What stands between them and is none takes the others nothing.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let list = lenient::<D, Vec<Value>>(deserializer)?;
    let is_text = |value| match value {
        Value::String(text) if !text.trim().is_empty() => Some(text),
        _ => None,
    };
    Ok(list.map(|list| list.into_iter().filter_map(is_text).collect()))
}

/// The same, where one text may stand for a list, with blanks between its words.
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let value = match Value::deserialize(deserializer)? {
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().into(),
        value => value,
    };
    Ok(texts(value).unwrap_or_default())
}

/// The same, where a single URL may stand for a list of one.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let value = match Value::deserialize(deserializer)? {
        Value::String(text) if text.contains("://") => Value::from(vec![text]),
        value => value,
    };
    // A list that cannot be read is none.
    Ok(texts(value).unwrap_or_default())
}

fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f066_what_says_nothing_is_not_a_document() {
        for body in ["", "<html>", "{}", "[]", "null", "\"x\"", "7"] {
            assert_eq!(document::<ServerMetadata>(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn fb_o09_o10_what_is_empty_or_null_in_a_document_takes_the_rest_nothing() {
        let servers = |list: &str| {
            let body =
                format!("\u{feff}{{\"resource\":\"https://x.example\",\"authorization_servers\":{list}}}");
            document::<ResourceMetadata>(body.as_bytes()).unwrap().authorization_servers.unwrap_or_default()
        };
        assert_eq!(servers(r#"["https://a.example", null, "", 7, "https://b.example"]"#).len(), 2);
        assert_eq!(servers(r#""https://a.example""#), ["https://a.example"]);
        for nothing in ["null", "[]", "\"\"", "\"x\"", "{}", "7"] {
            assert!(servers(nothing).is_empty(), "{nothing}");
        }
        let body = br#"{"issuer":"https://as.example","registration_endpoint":"","revocation_endpoint":" ",
            "code_challenge_methods_supported":["S256",null]}"#;
        let metadata: ServerMetadata = document(body).unwrap();
        assert_eq!(
            (metadata.registration_endpoint.as_deref(), metadata.revocation_endpoint.as_deref()),
            (None, None)
        );
        assert!(metadata.supports_s256());
        let one = br#"{"issuer":"https://as.example","code_challenge_methods_supported":"plain S256"}"#;
        assert!(document::<ServerMetadata>(one).unwrap().supports_s256());
    }

    #[test]
    fn a_field_of_a_wrong_type_counts_as_absent() {
        let body = br#"{"issuer":"https://as.example","scopes_supported":"a b","token_endpoint":7,
            "authorization_response_iss_parameter_supported":true,"unknown":{}}"#;
        let metadata: ServerMetadata = document(body).unwrap();
        assert_eq!(metadata.issuer.as_deref(), Some("https://as.example"));
        assert_eq!(metadata.scopes_supported, None);
        assert_eq!(metadata.token_endpoint, None);
        assert_eq!(metadata.authorization_response_iss_parameter_supported, Some(true));
    }
}
