//! An object that is an error, printed where headers belong.

use std::fmt;

use serde_json::Value;

/// What an object said that was printed in place of headers. Not for people before its secrets are out of it.
#[derive(Eq, PartialEq)]
pub(super) struct ErrorObject(pub(super) String);

impl fmt::Debug for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// Members that tell of a failure, and are no headers, in lower case without what stands between their words.
const TELLING: [&str; 9] =
    ["error", "errors", "err", "errordescription", "errormessage", "exception", "fault", "failure", "failed"];
/// Members that come with these, or tell of a failure where nothing else is there.
const BESIDE: [&str; 17] = [
    "message",
    "msg",
    "detail",
    "details",
    "description",
    "reason",
    "title",
    "hint",
    "help",
    "code",
    "status",
    "statuscode",
    "success",
    "ok",
    "type",
    "path",
    "timestamp",
];

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a member of this name tells of a failure.
pub(super) fn tells(name: &str) -> bool {
    TELLING.contains(&&*plain(name))
}

/// What an object says, where it is plainly an error: one of its members tells of one, or none could be a header of credentials.
pub(super) fn failure(members: &[(String, Value)]) -> Option<ErrorObject> {
    let says = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(object) => !object.is_empty(),
        _ => true,
    };
    let is_beside = |name: &str| BESIDE.contains(&&*plain(name)) && !name.contains('-');
    let is_one = members.iter().any(|(name, value)| tells(name) && says(value))
        || !members.is_empty() && members.iter().all(|(name, _)| tells(name) || is_beside(name));
    // `X-Error: 1` beside a credential is a header that a person wants.
    let has_credential =
        members.iter().any(|(name, _)| mcp_text::is_credential_name(name) && name.contains('-'));
    (is_one && !has_credential).then(|| ErrorObject(words(members).unwrap_or_default()))
}

/// The words in it: the first text of a member that tells, else of one beside it.
fn words(members: &[(String, Value)]) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) if text.contains(char::is_alphabetic) => Some(text.clone()),
        Value::Object(object) => ["message", "error_description", "description", "detail", "error"]
            .iter()
            .find_map(|name| object.get(*name).and_then(Value::as_str).map(str::to_owned)),
        Value::Array(items) => items
            .iter()
            .find_map(|item| item.as_str().or_else(|| item.get("message")?.as_str()))
            .map(str::to_owned),
        _ => None,
    };
    let of = |wanted: &[&str]| {
        wanted.iter().find_map(|wanted| {
            let is = |name: &str| name.eq_ignore_ascii_case(wanted);
            members.iter().find(|(name, _)| is(name)).and_then(|(_, value)| text(value))
        })
    };
    of(&[
        "error_description",
        "error_message",
        "message",
        "msg",
        "detail",
        "error",
        "errors",
        "reason",
        "description",
        "title",
    ])
    .or_else(|| members.iter().find_map(|(_, value)| text(value)))
}
