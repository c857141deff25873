//! Records as JSON text: what the file store and the keyring store write.
//!
//! One object per record, with a `version`. Reading is lenient: a field of the wrong type is reported and
//! passed over unless the record is useless without it, and fields that this version does not know are
//! kept for writing back.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::super::identity::Identity;
use super::records::{ClientKey, StoredClient, StoredTokens, TokenKey, UnknownFields};
use crate::Secret;

/// The version that this program writes. A record of a later one keeps its number when written back.
const VERSION: u64 = 1;

/// A record that could be read, and the names of the fields that were passed over.
#[derive(Debug)]
pub(super) struct DecodedRecord<T> {
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

/// Takes a field out of a record; one of a bad type is noted by its name.
macro_rules! take {
    ($ignored:ident, $record:ident.$field:ident) => {
        match $record.$field {
            Field::Good(value) => Some(value),
            Field::Absent => None,
            Field::Bad => {
                $ignored.push(stringify!($field));
                None
            }
        }
    };
    ($ignored:ident, $record:ident.$field:ident, required since $version:expr) => {
        take!($ignored, $record.$field)
            .ok_or(FormatError::Field { name: stringify!($field), version: $version })?
    };
}

/// The tokens of one sign-in, as they are written.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct TokenRecord {
    version: Field<u64>,
    server_name: Field<String>,
    resource: Field<String>,
    issuer: Field<String>,
    account: Field<String>,
    route: Field<String>,
    access_token: Field<String>,
    refresh_token: Field<String>,
    token_type: Field<String>,
    expires_at_ms: Field<Millis>,
    obtained_at_ms: Field<Millis>,
    scopes: Field<Scopes>,
    client_id: Field<String>,
    dpop_key: Field<String>,
    token_endpoint: Field<String>,
    revocation_endpoint: Field<String>,
    resource_parameter: Field<String>,
    identity: Field<Identity>,
    generation: Field<u64>,
    #[serde(flatten, skip_serializing)]
    unknown: Map<String, Value>,
}

/// The identity of a client, as it is written.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct ClientRecord {
    version: Field<u64>,
    registered_with: Field<String>,
    configured_for: Field<String>,
    client_id: Field<String>,
    client_secret: Field<String>,
    client_secret_expires_at_ms: Field<Millis>,
    token_endpoint_auth_method: Field<String>,
    redirect_uris: Field<Scopes>,
    scopes: Field<Scopes>,
    registered_as: Field<String>,
    issuer: Field<String>,
    server_name: Field<String>,
    #[serde(flatten, skip_serializing)]
    unknown: Map<String, Value>,
}

/// A field of a record: of a bad type it is passed over, and `null` is as good as absent.
#[derive(Default)]
enum Field<T> {
    #[default]
    Absent,
    Good(T),
    Bad,
}

impl<T> From<T> for Field<T> {
    fn from(value: T) -> Self {
        Self::Good(value)
    }
}

impl<T> Field<T> {
    fn some(value: Option<impl Into<T>>) -> Self {
        value.map_or(Self::Absent, |value| Self::Good(value.into()))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Null => Self::Absent,
            value => T::deserialize(value).map_or(Self::Bad, Self::Good),
        })
    }
}

impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Good(value) => value.serialize(serializer),
            Self::Absent | Self::Bad => serializer.serialize_none(),
        }
    }
}

/// A time in milliseconds since 1970. Times before that do not occur; they would be written as 1970.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(try_from = "u64", into = "u64")]
struct Millis(SystemTime);

impl TryFrom<u64> for Millis {
    type Error = &'static str;

    fn try_from(ms: u64) -> Result<Self, Self::Error> {
        UNIX_EPOCH.checked_add(Duration::from_millis(ms)).map(Self).ok_or("no time that there is")
    }
}

impl From<Millis> for u64 {
    fn from(Millis(time): Millis) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::try_from(since.as_millis()).unwrap_or(Self::MAX)
    }
}

impl From<SystemTime> for Millis {
    fn from(time: SystemTime) -> Self {
        Self(time)
    }
}

/// A list of strings; also one string with spaces between, as `scope` travels on the wire.
#[derive(Serialize)]
#[serde(transparent)]
struct Scopes(Vec<String>);

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            One(String),
            List(Vec<String>),
        }
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::One(text) => text.split_whitespace().map(str::to_owned).collect(),
            Either::List(list) => list,
        }))
    }
}

pub(super) fn encode_tokens(key: &TokenKey, tokens: &StoredTokens) -> String {
    let secret =
        |secret: &Option<Secret>| Field::some(secret.as_ref().map(|secret| secret.expose().to_owned()));
    let record = TokenRecord {
        server_name: key.server_name().to_owned().into(),
        resource: key.resource().to_owned().into(),
        issuer: key.issuer().to_owned().into(),
        account: Field::some(key.account()),
        route: Field::some(key.route()),
        access_token: tokens.access_token.expose().to_owned().into(),
        refresh_token: secret(&tokens.refresh_token),
        token_type: tokens.token_type.clone().into(),
        expires_at_ms: Field::some(tokens.expires_at),
        obtained_at_ms: Millis(tokens.obtained_at).into(),
        scopes: Scopes(tokens.scopes.clone()).into(),
        client_id: tokens.client_id.clone().into(),
        dpop_key: secret(&tokens.dpop_key),
        token_endpoint: Field::some(tokens.token_endpoint.clone()),
        revocation_endpoint: Field::some(tokens.revocation_endpoint.clone()),
        resource_parameter: Field::some(tokens.resource_parameter.clone()),
        identity: Field::some(tokens.identity.clone()),
        generation: tokens.generation.into(),
        ..TokenRecord::default()
    };
    text(&record, &tokens.unknown)
}

pub(super) fn decode_tokens(text: &[u8]) -> Result<DecodedRecord<(TokenKey, StoredTokens)>, FormatError> {
    let mut record: TokenRecord = parse(text)?;
    let version = version(&record.version, &mut record.unknown);
    let mut ignored = Vec::new();
    let key = TokenKey::from_parts(
        take!(ignored, record.server_name, required since version),
        take!(ignored, record.resource, required since version),
        take!(ignored, record.issuer, required since version),
        of_key("account", &record.account, version)?,
        of_key("route", &record.route, version)?,
    );
    let tokens = StoredTokens {
        access_token: take!(ignored, record.access_token, required since version).into(),
        refresh_token: take!(ignored, record.refresh_token).map(Secret::from),
        token_type: take!(ignored, record.token_type).unwrap_or_else(|| "Bearer".to_owned()),
        expires_at: take!(ignored, record.expires_at_ms).map(|Millis(time)| time),
        obtained_at: take!(ignored, record.obtained_at_ms).map_or(UNIX_EPOCH, |Millis(time)| time),
        scopes: take!(ignored, record.scopes).map(|Scopes(list)| list).unwrap_or_default(),
        client_id: take!(ignored, record.client_id, required since version),
        dpop_key: take!(ignored, record.dpop_key).map(Secret::from),
        token_endpoint: take!(ignored, record.token_endpoint),
        revocation_endpoint: take!(ignored, record.revocation_endpoint),
        resource_parameter: take!(ignored, record.resource_parameter),
        identity: take!(ignored, record.identity),
        generation: take!(ignored, record.generation).unwrap_or(0),
        unknown: UnknownFields(record.unknown),
    };
    Ok(DecodedRecord { record: (key, tokens), ignored })
}

pub(super) fn encode_client(key: &ClientKey, client: &StoredClient) -> String {
    let (registered_with, configured_for) = match key {
        ClientKey::Registered { issuer } => (Some(issuer.clone()), None),
        ClientKey::Configured { server_name } => (None, Some(server_name.clone())),
    };
    let record = ClientRecord {
        registered_with: Field::some(registered_with),
        configured_for: Field::some(configured_for),
        client_id: client.client_id.clone().into(),
        client_secret: Field::some(client.client_secret.as_ref().map(|secret| secret.expose().to_owned())),
        client_secret_expires_at_ms: Field::some(client.client_secret_expires_at),
        token_endpoint_auth_method: Field::some(client.token_endpoint_auth_method.clone()),
        redirect_uris: Scopes(client.redirect_uris.clone()).into(),
        scopes: client.scopes.clone().map_or(Field::Absent, |scopes| Scopes(scopes).into()),
        registered_as: Field::some(client.registered_as.clone()),
        issuer: Field::some(client.issuer.clone()),
        server_name: client.server_name.clone().into(),
        ..ClientRecord::default()
    };
    text(&record, &client.unknown)
}

pub(super) fn decode_client(text: &[u8]) -> Result<DecodedRecord<(ClientKey, StoredClient)>, FormatError> {
    let mut record: ClientRecord = parse(text)?;
    let version = version(&record.version, &mut record.unknown);
    let mut ignored = Vec::new();
    let key = match take!(ignored, record.registered_with) {
        Some(issuer) => ClientKey::Registered { issuer },
        None => ClientKey::Configured {
            server_name: take!(ignored, record.configured_for, required since version),
        },
    };
    let client = StoredClient {
        client_id: take!(ignored, record.client_id, required since version),
        client_secret: take!(ignored, record.client_secret).map(Secret::from),
        client_secret_expires_at: take!(ignored, record.client_secret_expires_at_ms).map(|Millis(time)| time),
        token_endpoint_auth_method: take!(ignored, record.token_endpoint_auth_method),
        redirect_uris: take!(ignored, record.redirect_uris).map(|Scopes(list)| list).unwrap_or_default(),
        scopes: take!(ignored, record.scopes).map(|Scopes(list)| list).filter(|list| !list.is_empty()),
        registered_as: take!(ignored, record.registered_as),
        issuer: take!(ignored, record.issuer),
        server_name: take!(ignored, record.server_name).unwrap_or_default(),
        unknown: UnknownFields(record.unknown),
    };
    Ok(DecodedRecord { record: (key, client), ignored })
}

/// The account or the way, which a record may do without: but one that cannot be read does not become another one's.
fn of_key(name: &'static str, written: &Field<String>, version: u64) -> Result<Option<String>, FormatError> {
    match written {
        Field::Good(account) => Ok(Some(account.clone())),
        Field::Absent => Ok(None),
        Field::Bad => Err(FormatError::Field { name, version }),
    }
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, FormatError> {
    // A name that is there twice counts as it stands last, as everywhere else.
    let object: Map<String, Value> = serde_json::from_slice(text).map_err(|_| FormatError::NotAnObject)?;
    T::deserialize(Value::Object(object)).map_err(|_| FormatError::NotAnObject)
}

/// The version that wrote a record. That of a newer program is kept among what is not known here.
fn version(written: &Field<u64>, unknown: &mut Map<String, Value>) -> u64 {
    match written {
        Field::Good(version) if *version > VERSION => {
            unknown.insert("version".to_owned(), (*version).into());
            *version
        }
        _ => VERSION,
    }
}

/// A record with what is not known here, which is not one of its own fields.
fn text(record: &impl Serialize, unknown: &UnknownFields) -> String {
    let mut object = match serde_json::to_value(record) {
        Ok(Value::Object(object)) => object,
        // It holds text, numbers and lists of text.
        _ => Map::new(),
    };
    object.retain(|_, value| !value.is_null());
    for (name, value) in &unknown.0 {
        object.entry(name.clone()).or_insert_with(|| value.clone());
    }
    object.entry("version").or_insert(VERSION.into());
    // The alternate form is indented: a person who repairs a file by hand reads it.
    format!("{:#}\n", Value::Object(object))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use url::Url;

    use super::*;

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
        let DecodedRecord { record: (_, tokens), ignored } = decode_tokens(text.as_bytes()).unwrap();
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
    #[test]
    fn what_is_odd_about_a_record_costs_no_more_than_the_field_it_is_in() {
        let text = r#"{"version":"one","server_name":"work","resource":"r","issuer":"i","access_token":"old",
            "access_token":"t","client_id":"c","refresh_token":null,"scopes":["a",1],"later":null,"expires_at_ms":1.5}"#;
        let DecodedRecord { record: (key, tokens), ignored } = decode_tokens(text.as_bytes()).unwrap();
        assert_eq!((tokens.access_token.expose(), tokens.refresh_token.is_none()), ("t", true));
        assert_eq!(ignored, ["expires_at_ms", "scopes"]);
        let again: Map<String, Value> = serde_json::from_str(&encode_tokens(&key, &tokens)).unwrap();
        assert_eq!(again["version"], 1, "no newer program has a version that is not a number");
        assert_eq!(again["later"], Value::Null, "what is not known here is kept as it is");
        assert!(!again.contains_key("refresh_token") && !again.contains_key("expires_at_ms"));
        let text = r#"{"configured_for":"work","client_id":"c","redirect_uris":"http://a http://b","client_secret":7}"#;
        let DecodedRecord { record: (_, client), ignored } = decode_client(text.as_bytes()).unwrap();
        assert_eq!(client.redirect_uris, ["http://a", "http://b"]);
        assert_eq!(ignored, ["client_secret"]);
    }
}
