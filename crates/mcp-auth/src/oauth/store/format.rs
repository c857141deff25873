//! Records as JSON text: what the file store and the keyring store write.
//!
//! One object per record, with a `version`. Reading is lenient: a field of the wrong type is reported and
//! passed over unless the record is useless without it, and fields that this version does not know are
//! kept for writing back.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::records::{ClientKey, StoredClient, StoredTokens, TokenKey, UnknownFields};
use crate::Secret;

/// The version that this program writes. A record of a later one keeps its number when written back.
const VERSION: u64 = 1;

/// A record that could be read, and the names of the fields that were passed over.
#[derive(Debug)]
pub(super) struct Decoded<T> {
    pub(super) record: T,
    pub(super) ignored: Vec<&'static str>,
}

/// Why a record cannot be read. Never shows a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FormatError {
    /// Not a JSON object.
    NotAnObject,
    /// A field that the record is useless without is missing or of the wrong type.
    Field { name: &'static str, version: u64 },
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("not a JSON object"),
            Self::Field { name, version } if *version > VERSION => {
                write!(f, "no usable field `{name}`; it was written by a newer program (format {version})")
            }
            Self::Field { name, .. } => write!(f, "no usable field `{name}`"),
        }
    }
}

impl std::error::Error for FormatError {}

pub(super) fn encode_tokens(key: &TokenKey, tokens: &StoredTokens) -> String {
    let mut object = object(&tokens.unknown);
    put(&mut object, "server_name", key.server_name());
    put(&mut object, "resource", key.resource());
    put(&mut object, "issuer", key.issuer());
    put(&mut object, "access_token", tokens.access_token.expose());
    put_some(&mut object, "refresh_token", tokens.refresh_token.as_ref().map(Secret::expose));
    put(&mut object, "token_type", &*tokens.token_type);
    put_some(&mut object, "expires_at_ms", tokens.expires_at.map(to_ms));
    put(&mut object, "obtained_at_ms", to_ms(tokens.obtained_at));
    put(&mut object, "scopes", tokens.scopes.clone());
    put(&mut object, "client_id", &*tokens.client_id);
    put_some(&mut object, "dpop_key", tokens.dpop_key.as_ref().map(Secret::expose));
    put_some(&mut object, "token_endpoint", tokens.token_endpoint.clone());
    put_some(&mut object, "revocation_endpoint", tokens.revocation_endpoint.clone());
    put_some(&mut object, "resource_parameter", tokens.resource_parameter.clone());
    put(&mut object, "generation", tokens.generation);
    text(object)
}

pub(super) fn decode_tokens(text: &[u8]) -> Result<Decoded<(TokenKey, StoredTokens)>, FormatError> {
    let mut fields = Fields::parse(text)?;
    let key = fields.token_key()?;
    let tokens = StoredTokens {
        access_token: fields.required("access_token")?.into(),
        refresh_token: fields.string("refresh_token").map(Secret::from),
        token_type: fields.string("token_type").unwrap_or_else(|| "Bearer".to_owned()),
        expires_at: fields.time("expires_at_ms"),
        obtained_at: fields.time("obtained_at_ms").unwrap_or(UNIX_EPOCH),
        scopes: fields.strings("scopes"),
        client_id: fields.required("client_id")?,
        dpop_key: fields.string("dpop_key").map(Secret::from),
        token_endpoint: fields.string("token_endpoint"),
        revocation_endpoint: fields.string("revocation_endpoint"),
        resource_parameter: fields.string("resource_parameter"),
        generation: fields.number("generation").unwrap_or(0),
        unknown: UnknownFields(fields.object),
    };
    Ok(Decoded { record: (key, tokens), ignored: fields.ignored })
}

pub(super) fn encode_client(key: &ClientKey, client: &StoredClient) -> String {
    let mut object = object(&client.unknown);
    put_client_key(&mut object, key);
    put(&mut object, "client_id", &*client.client_id);
    put_some(&mut object, "client_secret", client.client_secret.as_ref().map(Secret::expose));
    put_some(&mut object, "client_secret_expires_at_ms", client.client_secret_expires_at.map(to_ms));
    put_some(&mut object, "token_endpoint_auth_method", client.token_endpoint_auth_method.clone());
    put(&mut object, "redirect_uris", client.redirect_uris.clone());
    put_some(&mut object, "scopes", client.scopes.clone());
    put_some(&mut object, "issuer", client.issuer.clone());
    put(&mut object, "server_name", &*client.server_name);
    text(object)
}

pub(super) fn decode_client(text: &[u8]) -> Result<Decoded<(ClientKey, StoredClient)>, FormatError> {
    let mut fields = Fields::parse(text)?;
    let key = fields.client_key()?;
    let client = StoredClient {
        client_id: fields.required("client_id")?,
        client_secret: fields.string("client_secret").map(Secret::from),
        client_secret_expires_at: fields.time("client_secret_expires_at_ms"),
        token_endpoint_auth_method: fields.string("token_endpoint_auth_method"),
        redirect_uris: fields.strings("redirect_uris"),
        scopes: Some(fields.strings("scopes")).filter(|scopes| !scopes.is_empty()),
        issuer: fields.string("issuer"),
        server_name: fields.string("server_name").unwrap_or_default(),
        unknown: UnknownFields(fields.object),
    };
    Ok(Decoded { record: (key, client), ignored: fields.ignored })
}

fn put_client_key(object: &mut Map<String, Value>, key: &ClientKey) {
    match key {
        ClientKey::Registered { issuer } => put(object, "registered_with", &**issuer),
        ClientKey::Configured { server_name } => put(object, "configured_for", &**server_name),
    }
}

fn object(unknown: &UnknownFields) -> Map<String, Value> {
    let mut object = unknown.0.clone();
    object.entry("version").or_insert(json!(VERSION));
    object
}

fn put(object: &mut Map<String, Value>, name: &'static str, value: impl Into<Value>) {
    object.insert(name.to_owned(), value.into());
}

fn put_some(object: &mut Map<String, Value>, name: &'static str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(object, name, value);
    }
}

fn text(object: Map<String, Value>) -> String {
    // The alternate form is indented: a person who repairs a file by hand reads it.
    format!("{:#}\n", Value::Object(object))
}

/// Times before 1970 do not occur; they would be written as 1970.
fn to_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The fields of a record, taken out one by one; what is left in the end is unknown.
struct Fields {
    object: Map<String, Value>,
    version: u64,
    ignored: Vec<&'static str>,
}

impl Fields {
    fn parse(text: &[u8]) -> Result<Self, FormatError> {
        let mut object: Map<String, Value> =
            serde_json::from_slice(text).map_err(|_| FormatError::NotAnObject)?;
        let version = object.get("version").and_then(Value::as_u64).unwrap_or(VERSION);
        if version <= VERSION {
            object.remove("version");
        }
        Ok(Self { object, version, ignored: Vec::new() })
    }

    fn token_key(&mut self) -> Result<TokenKey, FormatError> {
        Ok(TokenKey::from_parts(
            self.required("server_name")?,
            self.required("resource")?,
            self.required("issuer")?,
        ))
    }

    fn client_key(&mut self) -> Result<ClientKey, FormatError> {
        if let Some(issuer) = self.string("registered_with") {
            return Ok(ClientKey::Registered { issuer });
        }
        self.required("configured_for").map(|server_name| ClientKey::Configured { server_name })
    }

    fn required(&mut self, name: &'static str) -> Result<String, FormatError> {
        self.string(name).ok_or(FormatError::Field { name, version: self.version })
    }

    fn string(&mut self, name: &'static str) -> Option<String> {
        self.take(name, |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    fn number(&mut self, name: &'static str) -> Option<u64> {
        self.take(name, |value| value.as_u64())
    }

    fn time(&mut self, name: &'static str) -> Option<SystemTime> {
        self.take(name, |value| UNIX_EPOCH.checked_add(Duration::from_millis(value.as_u64()?)))
    }

    /// A list of strings; also one string with spaces between, as `scope` travels on the wire.
    fn strings(&mut self, name: &'static str) -> Vec<String> {
        let list = self.take(name, |value| match value {
            Value::String(text) => Some(text.split_whitespace().map(str::to_owned).collect()),
            Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => None,
        });
        list.unwrap_or_default()
    }

    fn take<T>(&mut self, name: &'static str, read: impl FnOnce(Value) -> Option<T>) -> Option<T> {
        let value = self.object.remove(name).filter(|value| !value.is_null())?;
        let read = read(value);
        if read.is_none() {
            self.ignored.push(name);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn key() -> TokenKey {
        TokenKey::new("work", &Url::parse("https://mcp.example/mcp").unwrap(), "https://as.example")
    }

    fn tokens() -> StoredTokens {
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let mut tokens = StoredTokens::new(Secret::new("access"), "client", at);
        tokens.refresh_token = Some(Secret::new("refresh"));
        tokens.expires_at = Some(at + Duration::from_secs(3600));
        tokens.scopes = vec!["a".into(), "b".into()];
        tokens.dpop_key = Some(Secret::new("cGtjczg="));
        tokens.token_endpoint = Some("https://as.example/token".into());
        tokens.revocation_endpoint = Some("https://as.example/revoke".into());
        tokens.resource_parameter = Some("https://mcp.example/mcp".into());
        tokens.generation = 7;
        tokens
    }

    #[test]
    fn tokens_and_clients_come_back_as_they_were() {
        let decoded = decode_tokens(encode_tokens(&key(), &tokens()).as_bytes()).unwrap();
        assert_eq!(decoded.record, (key(), tokens()));
        assert!(decoded.ignored.is_empty());

        let mut client = StoredClient::new("id", "work");
        client.client_secret = Some(Secret::new("s"));
        client.client_secret_expires_at = Some(UNIX_EPOCH + Duration::from_secs(5));
        client.token_endpoint_auth_method = Some("client_secret_basic".into());
        client.redirect_uris = vec!["http://127.0.0.1/callback".into()];
        client.scopes = Some(vec!["a".into(), "b".into()]);
        client.issuer = Some("https://as.example".into());
        for key in [ClientKey::registered("https://as.example"), ClientKey::configured("work")] {
            let decoded = decode_client(encode_client(&key, &client).as_bytes()).unwrap();
            assert_eq!(decoded.record, (key, client.clone()));
        }
    }

    #[test]
    fn f097_fields_of_a_bad_type_are_passed_over_and_named() {
        let text = r#"{"server_name":"work","resource":"https://mcp.example/mcp","issuer":"i",
            "access_token":"t","client_id":"c","scopes":{"a":1},"expires_at_ms":"soon",
            "generation":-1,"obtained_at_ms":18446744073709551615,"token_type":null}"#;
        let Decoded { record: (_, tokens), ignored } = decode_tokens(text.as_bytes()).unwrap();
        assert_eq!(tokens.scopes, Vec::<String>::new());
        assert_eq!(tokens.expires_at, None);
        assert_eq!(tokens.token_type, "Bearer");
        assert!(["scopes", "expires_at_ms", "generation"].iter().all(|name| ignored.contains(name)));
    }

    #[test]
    fn scopes_may_be_one_string() {
        let text = encode_tokens(&key(), &tokens());
        let mut object: Map<String, Value> = serde_json::from_str(&text).unwrap();
        object.insert("scopes".into(), json!("a b"));
        let decoded = decode_tokens(Value::Object(object).to_string().as_bytes()).unwrap();
        assert_eq!(decoded.record.1.scopes, ["a", "b"]);
    }

    #[test]
    fn records_that_are_useless_are_refused_without_showing_them() {
        for (text, expected) in [
            ("", FormatError::NotAnObject),
            ("canary-secret", FormatError::NotAnObject),
            ("[]", FormatError::NotAnObject),
            ("{}", FormatError::Field { name: "server_name", version: 1 }),
            (
                r#"{"version":3,"server_name":"s","resource":"r","issuer":"i","sealed":"canary-secret"}"#,
                FormatError::Field { name: "access_token", version: 3 },
            ),
            (
                r#"{"server_name":"s","resource":"r","issuer":"i","access_token":["canary-secret"]}"#,
                FormatError::Field { name: "access_token", version: 1 },
            ),
        ] {
            let error = decode_tokens(text.as_bytes()).unwrap_err();
            assert_eq!(error, expected);
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
        assert!(FormatError::Field { name: "x", version: 3 }.to_string().contains("newer program"));
    }

    #[test]
    fn what_a_newer_version_wrote_is_written_back() {
        let mut object: Map<String, Value> = serde_json::from_str(&encode_tokens(&key(), &tokens())).unwrap();
        object.insert("version".into(), json!(9));
        object.insert("attestation".into(), json!({"canary-secret": 1}));
        let (key, mut read) = decode_tokens(Value::Object(object).to_string().as_bytes()).unwrap().record;
        read.access_token = Secret::new("next");
        let again: Map<String, Value> = serde_json::from_str(&encode_tokens(&key, &read)).unwrap();
        assert_eq!(again["version"], 9);
        assert_eq!(again["attestation"], json!({"canary-secret": 1}));
        assert_eq!(again["access_token"], "next");
        assert!(!format!("{read:?}").contains("canary"), "{read:?}");
    }
}
