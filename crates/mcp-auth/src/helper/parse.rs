//! The output of a helper → headers: one JSON object whose values are all strings, by itself or as the member `headers` of
//! another; or an error that says what it is instead and shows none of it, but what an object says that is an error itself.

use std::fmt;
use std::time::SystemTime;

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

use super::said::{ErrorObject, failure, tells};
use super::{Headers, expiry};
use crate::reserved::{ReservedReason, reserved};
use mcp_text::member_name;

/// What is wrong with an output: a fragment that goes on after "run the headers helper:".
#[derive(Debug, Eq, PartialEq)]
pub(super) enum OutputError {
    Empty,
    NotText,
    NotJson {
        line: usize,
        column: usize,
        hint: String,
    },
    NotAnObject(&'static str),
    /// It is an object that says what went wrong. The words may hold a secret.
    Failure(ErrorObject),
    /// A token in a document that a token endpoint or the command line of a cloud prints.
    TokenDocument,
    /// `expiresAt` is no time.
    NotATime,
    NotAString {
        name: String,
        is: &'static str,
    },
    BadName {
        name: String,
        /// It would be one without the colon at its end.
        colon: bool,
    },
    BadValue(String),
    Reserved {
        name: String,
        why: ReservedReason,
    },
}

impl OutputError {
    /// What an object says that is an error itself.
    pub(super) fn said(self) -> Option<ErrorObject> {
        match self {
            Self::Failure(said) => Some(said),
            _ => None,
        }
    }
}

/// What a helper supplies.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct HelperOutput {
    pub(super) headers: Headers,
    /// Until when, where it says so.
    pub(super) until: Option<SystemTime>,
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it printed nothing, not a JSON object of headers"),
            Self::NotText => f.write_str("its output is not UTF-8"),
            Self::NotJson { line, column, hint } => {
                write!(f, "its output is not JSON (line {line}, column {column}){hint}")
            }
            Self::Failure(_) => f.write_str("it printed an error, not headers"),
            Self::NotATime => f.write_str("its `expiresAt` is no time (RFC 3339, or seconds since 1970)"),
            Self::NotAnObject(is) => write!(f, "it printed {is}, not a JSON object of headers"),
            Self::TokenDocument => {
                write!(
                    f,
                    "it printed a token document, as token endpoints answer, not headers: print {IN_ITS_PLACE}"
                )
            }
            Self::NotAString { name, is } => write!(f, "the value of `{name}` is {is}, not a string"),
            Self::BadName { name, colon: true } => {
                write!(f, "the header name `{name}` has a colon behind it: write it without")
            }
            Self::BadName { name, colon: false } => write!(f, "`{name}` is not a header name"),
            Self::BadValue(name) => {
                write!(f, "the value of `{name}` has characters that a header cannot carry")
            }
            Self::Reserved { name, why } => write!(f, "it may not set `{name}`: {why}"),
        }
    }
}

/// Reads the headers. Of names that differ only in case, the last wins, as in any JSON object with a name twice;
/// [`Credentials::new`](crate::Credentials::new) sees to it.
pub(super) fn printed(stdout: &[u8]) -> Result<HelperOutput, OutputError> {
    // Some shells put a byte order mark before everything.
    let stdout = stdout.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stdout);
    let text = std::str::from_utf8(stdout).map_err(|_| OutputError::NotText)?;
    if text.trim().is_empty() {
        return Err(OutputError::Empty);
    }
    let Members(members) = serde_json::from_str(text).map_err(|error| not_members(text, &error))?;
    if let Some(said) = failure(&members) {
        return Err(OutputError::Failure(said));
    }
    if is_token_document(&members) {
        return Err(OutputError::TokenDocument);
    }
    let (Members(mut members), until) = unwrapped(members)?;
    // Scripts print an empty `error` beside what they have.
    members.retain(|(name, _)| !tells(name));
    let headers = members.into_iter().map(header).collect::<Result<_, _>>()?;
    Ok(HelperOutput { headers, until })
}

/// The members of `headers` and the time of `expiresAt`, where an object has these and nothing else.
fn unwrapped(mut members: Vec<(String, Value)>) -> Result<(Members, Option<SystemTime>), OutputError> {
    let is_wrapped = members.iter().any(|(name, value)| name == "headers" && value.is_object())
        && members.iter().all(|(name, _)| matches!(&**name, "headers" | "expiresAt"));
    if !is_wrapped {
        return Ok((Members(members), None));
    }
    let mut of = |wanted: &str| {
        let at = members.iter().rposition(|(name, _)| name == wanted);
        at.map(|at| members.swap_remove(at).1)
    };
    let until = match of("expiresAt") {
        None | Some(Value::Null) => None,
        Some(value) => Some(expiry::stated(&value).ok_or(OutputError::NotATime)?),
    };
    let headers = match of("headers") {
        Some(Value::Object(headers)) => headers.into_iter().collect(),
        _ => Vec::new(),
    };
    Ok((Members(headers), until))
}

fn header((name, value): (String, Value)) -> Result<(HeaderName, HeaderValue), OutputError> {
    let presentable = || member_name(&name).to_owned();
    let Value::String(value) = value else {
        return Err(OutputError::NotAString { name: presentable(), is: kind(&value) });
    };
    let header_name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        let colon = name.strip_suffix(':').is_some_and(|rest| rest == member_name(&name));
        OutputError::BadName { name: presentable(), colon }
    })?;
    let mut header_value = HeaderValue::from_str(&value).map_err(|_| OutputError::BadValue(presentable()))?;
    header_value.set_sensitive(true);
    match reserved(&header_name) {
        Some(why @ ReservedReason::Framing) => Err(OutputError::Reserved { name: presentable(), why }),
        Some(ReservedReason::Protocol) | None => Ok((header_name, header_value)),
    }
}

/// Security: the error of the JSON reader quotes what it read, so only its position is used.
fn not_members(text: &str, error: &serde_json::Error) -> OutputError {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => OutputError::NotAnObject(kind(&value)),
        Err(_) => OutputError::NotJson { line: error.line(), column: error.column(), hint: hint(text) },
    }
}

/// What to print in place of a token.
const IN_ITS_PLACE: &str = "{\"Authorization\": \"Bearer TOKEN\"}";

/// Whether an object is the document that a token is handed out in, of a token endpoint (RFC 6749 section 5.1), the command
/// line of a cloud, or a credential plug-in of Kubernetes. A header may well be called `token`; with a time beside it, it is none.
fn is_token_document(members: &[(String, Value)]) -> bool {
    let has = |names: &[&str]| {
        members.iter().any(|(name, _)| names.contains(&&*name.to_ascii_lowercase().replace('_', "")))
    };
    let of_kubernetes = members.iter().any(|(name, value)| name == "kind" && value == "ExecCredential");
    let beside_a_token = [
        "expiry",
        "expiration",
        "expires",
        "expiresat",
        "expiresin",
        "expireson",
        "tokentype",
        "tokenexpiry",
    ];
    let is_document = of_kubernetes
        || has(&["accesstoken", "idtoken", "refreshtoken"])
        || (has(&["token"]) && has(&beside_a_token))
        || (has(&["expiresin"]) && has(&["tokentype"]));
    is_document && !has(&["authorization"])
}

/// Whether a text is a header as it is in a message, of a name that credentials have.
fn is_header_line(text: &str) -> bool {
    text.split_once(':').is_some_and(|(name, _)| {
        let name = name.to_ascii_lowercase();
        name == "authorization"
            || name == "cookie"
            || (name.contains('-') && mcp_text::is_credential_name(&name))
    })
}

/// Whether a text sets variables of a shell: `export TOKEN=..`, `set TOKEN=..`, `TOKEN=..`.
fn is_shell_line(text: &str) -> bool {
    let Some((name, _)) = text.lines().next().and_then(|line| line.split_once('=')) else { return false };
    let (word, name) = name.trim_start_matches("$env:").trim().rsplit_once(' ').unwrap_or(("", name.trim()));
    let is_setting = matches!(word, "export" | "set" | "setenv" | "declare -x")
        || word.is_empty() && !name.contains(|c: char| c.is_ascii_lowercase());
    is_setting && mcp_text::is_variable_name(name)
}

/// What people print in place of an object of headers, by its form alone.
fn hint(text: &str) -> String {
    let text = text.trim();
    let is_object = |text: &str| matches!(serde_json::from_str(text), Ok(Value::Object(_)));
    let behind_lines = text.match_indices("\n{").any(|(at, _)| is_object(&text[at + 1..]));
    let before_lines = text.match_indices("}\n").any(|(at, _)| is_object(&text[..=at]));
    if behind_lines || before_lines {
        "; the object must stand alone, without the lines around it".to_owned()
    } else if text.starts_with('<') {
        "; it begins like a page of HTML: is there a sign-in or an error page in front of where it asks?"
            .to_owned()
    } else if text.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('\'')) {
        "; its strings have single quotes, as Python prints an object, and JSON has double ones (\")"
            .to_owned()
    } else if is_shell_line(text) {
        format!("; a line for a shell is not a header: print {IN_ITS_PLACE}")
    } else if !text.contains('{') && text.lines().all(is_header_line) {
        format!("; a line of a header is not an object: print {IN_ITS_PLACE}")
    } else if !text.contains(['{', '\n']) && text.split_whitespace().count() <= 2 {
        format!("; a bare token is not a header: print {IN_ITS_PLACE}")
    } else {
        String::new()
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The members of an object in the order they stand there, which a map would not keep.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Credentials;

    const DOCUMENT: &str = "it printed a token document, as token endpoints answer, not headers: \
                            print {\"Authorization\": \"Bearer TOKEN\"}";

    #[test]
    fn a_header_may_be_called_as_a_member_of_a_token_document_is() {
        for text in [
            "{\"token\":\"a\"}",
            "{\"token\":\"a\",\"x-team\":\"b\"}",
            "{\"Authorization\":\"Bearer a\",\"access_token\":\"a\"}",
        ] {
            assert!(headers(text.as_bytes()).is_ok(), "{text}");
        }
    }

    fn headers(stdout: &[u8]) -> Result<Headers, OutputError> {
        printed(stdout).map(|printed| printed.headers)
    }

    #[test]
    fn a_json_object_of_strings_is_headers() {
        for (text, expected) in [
            ("{}", vec![]),
            (
                " {\"X-A\": \"1\", \"authorization\": \"Bearer a\"}\n",
                vec![("x-a", "1"), ("authorization", "Bearer a")],
            ),
            ("\u{feff}{\"X-A\":\"\"}", vec![("x-a", "")]),
            ("{\"X-A\":\"a\\tb\"}", vec![("x-a", "a\tb")]),
        ] {
            let headers = headers(text.as_bytes()).unwrap();
            let shown: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
            assert_eq!(shown, expected, "{text}");
        }
    }

    #[test]
    fn the_last_of_names_that_differ_in_case_wins() {
        for text in ["{\"a\":\"1\",\"A\":\"2\"}", "{\"A\":\"1\",\"a\":\"2\"}", "{\"a\":\"1\",\"a\":\"2\"}"] {
            let credentials = Credentials::new("p", headers(text.as_bytes()).unwrap());
            assert_eq!(credentials.header(&HeaderName::from_static("a")).unwrap(), "2", "{text}");
            assert_eq!(credentials.names().count(), 1);
        }
    }

    #[test]
    fn f005_fa_a79_anything_else_is_named_for_what_it_is_and_never_shown() {
        for (text, expected) in [
            ("", "it printed nothing, not a JSON object of headers"),
            (" \n", "it printed nothing, not a JSON object of headers"),
            (
                "Bearer canary",
                "its output is not JSON (line 1, column 1); a bare token is not a header: print {\"Authorization\": \"Bearer TOKEN\"}",
            ),
            (
                "welcome to canary\n{\"a\":\"b\"}\n",
                "its output is not JSON (line 1, column 1); the object must stand alone, without the lines around it",
            ),
            (
                "{\"a\":\"b\"}\ncanary: done",
                "its output is not JSON (line 2, column 1); the object must stand alone, without the lines around it",
            ),
            (
                "Authorization: Bearer canary",
                "its output is not JSON (line 1, column 1); a line of a header is not an object: print {\"Authorization\": \"Bearer TOKEN\"}",
            ),
            (
                "X-Api-Key: canary",
                "its output is not JSON (line 1, column 1); a line of a header is not an object: print {\"Authorization\": \"Bearer TOKEN\"}",
            ),
            (
                "{\"Authorization:\":\"Bearer canary\"}",
                "the header name `Authorization` has a colon behind it: write it without",
            ),
            ("{\"Authorization: Bearer canary\":\"\"}", "`Authorization` is not a header name"),
            ("{\"access_token\":\"canary\",\"token_type\":\"Bearer\",\"expires_in\":3600}", DOCUMENT),
            (
                "{\"accessToken\":\"canary\",\"expiresOn\":\"2026-11-30 05:00\",\"subscription\":\"s\",\"tokenType\":\"Bearer\"}",
                DOCUMENT,
            ),
            ("{\"token\":\"canary\",\"expiry\":\"2026-11-30T05:00:00Z\"}", DOCUMENT),
            ("{\"id_token\":\"canary\"}", DOCUMENT),
            (
                "{\"kind\":\"ExecCredential\",\"apiVersion\":\"v1\",\"status\":{\"token\":\"canary\"}}",
                DOCUMENT,
            ),
            (
                "Authorization: Bearer canary\nX-Api-Key: canary",
                "its output is not JSON (line 1, column 1); a line of a header is not an object: print {\"Authorization\": \"Bearer TOKEN\"}",
            ),
            (
                "export TOKEN=canary",
                "its output is not JSON (line 1, column 1); a line for a shell is not a header: print {\"Authorization\": \"Bearer TOKEN\"}",
            ),
            (
                "TOKEN=canary\n",
                "its output is not JSON (line 1, column 1); a line for a shell is not a header: print {\"Authorization\": \"Bearer TOKEN\"}",
            ),
            (
                "<!doctype html><title>canary</title>",
                "its output is not JSON (line 1, column 1); it begins like a page of HTML: is there a sign-in or an error page in front of where it asks?",
            ),
            (
                "{'Authorization': 'Bearer canary'}\n",
                "its output is not JSON (line 1, column 2); its strings have single quotes, as Python prints an object, and JSON has double ones (\")",
            ),
            ("Error: canary is not logged in", "its output is not JSON (line 1, column 1)"),
            ("{\"a\":\"canary\"", "its output is not JSON (line 1, column 13)"),
            ("{\"a\":\"canary\"} {}", "its output is not JSON (line 1, column 16)"),
            ("[\"canary\"]", "it printed an array, not a JSON object of headers"),
            ("\"canary\"", "it printed a string, not a JSON object of headers"),
            ("null", "it printed null, not a JSON object of headers"),
            ("{\"X-A\":1}", "the value of `X-A` is a number, not a string"),
            ("{\"X-A\":null}", "the value of `X-A` is null, not a string"),
            ("{\"X-A\":[\"canary\"]}", "the value of `X-A` is an array, not a string"),
            ("{\"X-A\":{\"canary\":1}}", "the value of `X-A` is an object, not a string"),
            ("{\"X-A\":true}", "the value of `X-A` is a boolean, not a string"),
            ("{\"X A\":\"canary\"}", "`X` is not a header name"),
            ("{\"\":\"canary\"}", "`` is not a header name"),
            ("{\"Authorization: Bearer canary\":\"\"}", "`Authorization` is not a header name"),
            (
                "{\"X-A\":\"canary\\r\\nX-B: 1\"}",
                "the value of `X-A` has characters that a header cannot carry",
            ),
            (
                "{\"Content-Length\":\"canary\"}",
                "it may not set `Content-Length`: it frames the message, which only the connection can do",
            ),
            ("{\"X-A\":\"canary\\n\"}", "the value of `X-A` has characters that a header cannot carry"),
        ] {
            let error = headers(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), expected, "{text}");
            assert!(!format!("{error:?}").contains("canary"));
        }
        assert_eq!(headers(b"{\"a\":\"\xff\"}"), Err(OutputError::NotText));
        // Deeper than any reader should follow.
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        assert!(matches!(headers(deep.as_bytes()), Err(OutputError::NotJson { .. })));
    }

    #[test]
    fn fh_h2_an_object_that_is_an_error_is_no_headers() {
        for (text, said) in [
            ("{\"error\":\"not logged in\"}", "not logged in"),
            ("{\"Error\":\"not logged in\"}", "not logged in"),
            ("{\"message\":\"the session has ended\"}", "the session has ended"),
            ("{\"error\":\"invalid_grant\",\"error_description\":\"revoked\"}", "revoked"),
            ("{\"error\":{\"code\":5,\"message\":\"nope\"}}", "nope"),
            ("{\"errors\":[{\"message\":\"nope\"}]}", "nope"),
            ("{\"errors\":[\"nope\"]}", "nope"),
            ("{\"success\":false,\"message\":\"nope\"}", "nope"),
            ("{\"code\":\"401\",\"detail\":\"nope\"}", "nope"),
            ("{\"error\":true}", ""),
        ] {
            assert_eq!(
                printed(text.as_bytes()),
                Err(OutputError::Failure(ErrorObject(said.to_owned()))),
                "{text}"
            );
        }
        for text in [
            "{\"Authorization\":\"Bearer a\"}",
            "{\"X-Error\":\"1\",\"X-Api-Key\":\"a\"}",
            "{\"X-Message\":\"a\"}",
            "{\"Authorization\":\"Bearer a\",\"Message\":\"b\"}",
            "{}",
        ] {
            assert!(printed(text.as_bytes()).is_ok(), "{text}");
        }
        let beside = headers(b"{\"Authorization\":\"Bearer a\",\"error\":\"\"}").unwrap();
        assert_eq!(beside.len(), 1, "an empty error is not a header either");
        let hidden = format!("{:?}", printed(b"{\"error\":\"canary\"}"));
        assert!(!hidden.contains("canary"), "{hidden}");
    }

    #[test]
    fn fh_h2_headers_stand_in_an_object_of_their_own_as_well() {
        let until = |text: &str| printed(text.as_bytes()).unwrap().until;
        let headers = headers(b"{\"headers\":{\"Authorization\":\"Bearer a\",\"X-B\":\"c\"}}").unwrap();
        assert_eq!(headers.len(), 2);
        assert_eq!(until("{\"headers\":{}}"), None);
        assert_eq!(until("{\"headers\":{},\"expiresAt\":null}"), None);
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_900_000_000);
        for time in
            ["1900000000", "\"2030-03-17T17:46:40Z\"", "\"2030-03-17T19:46:40+02:00\"", "1900000000000"]
        {
            assert_eq!(until(&format!("{{\"headers\":{{}},\"expiresAt\":{time}}}")), Some(at), "{time}");
        }
        for time in ["\"tomorrow\"", "true", "\"2030-13-17T17:46:40Z\"", "-1", "\"2030-03-17\""] {
            let text = format!("{{\"headers\":{{}},\"expiresAt\":{time}}}");
            assert_eq!(printed(text.as_bytes()), Err(OutputError::NotATime), "{time}");
        }
        // A header may be called so.
        assert!(printed(b"{\"headers\":\"a\"}").is_ok());
        assert!(printed(b"{\"headers\":{\"X\":1}}").is_err());
    }

    #[test]
    fn no_header_shows_its_value() {
        let headers = headers(b"{\"a\":\"canary\"}").unwrap();
        assert!(!format!("{headers:?}").contains("canary"));
    }
}
