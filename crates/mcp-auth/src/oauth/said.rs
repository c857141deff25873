//! What an answer says, in whatever form it was written: JSON as it should be, a form as older services have it, or a
//! page of something in between.

use bytes::Bytes;
use http::{Response, header};
use serde_json::{Map, Value};
use url::form_urlencoded;

/// Members of a JSON error that are words for people, the standard one first (RFC 6749 section 5.2, RFC 9457). Where a
/// service has two, the more particular one comes first.
const WORDS: [&str; 9] = [
    "error_description",
    "detail",
    "error_message",
    "errorMessage",
    "errorSummary",
    "errorDescription",
    "message",
    "title",
    "reason",
];

/// The media type without its parameters, in lower case.
fn media_type(response: &Response<Bytes>) -> String {
    let value = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase()
}

/// The members of an answer: a JSON object, whatever its type says, or a form.
pub(crate) fn members(response: &Response<Bytes>) -> Option<Map<String, Value>> {
    let body = response.body();
    let json = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if let Ok(members) = serde_json::from_slice(json) {
        return Some(members);
    }
    // GitHub and older services answer as OAuth was drafted first; some of them say that it is text.
    let kind = media_type(response);
    if !matches!(kind.as_str(), "application/x-www-form-urlencoded" | "text/plain" | "") {
        return None;
    }
    let members: Map<String, Value> = form_urlencoded::parse(body)
        .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
        .collect();
    let is_answer = members.contains_key("access_token") || members.contains_key("error");
    (is_answer || kind == "application/x-www-form-urlencoded").then_some(members)
}

/// The members of a token answer. Its token may be one level down, as Slack has it for users; a member that is null says
/// nothing.
pub(crate) fn token_members(members: Map<String, Value>) -> Map<String, Value> {
    let mut members = lifted(members);
    members.retain(|_, value| !value.is_null());
    members
}

fn lifted(members: Map<String, Value>) -> Map<String, Value> {
    let has_token = |members: &Map<String, Value>| members.get("access_token").is_some_and(Value::is_string);
    if has_token(&members) {
        return members;
    }
    let inner = members.values().filter_map(Value::as_object).filter(|inner| has_token(inner));
    let inner: Vec<_> = inner.cloned().collect();
    match <[Map<String, Value>; 1]>::try_from(inner) {
        Ok([inner]) => members.into_iter().chain(inner).collect(),
        Err(_) => members,
    }
}

/// The words of a refusal, as they were written: of its members, its text, or the title of its page.
pub(crate) fn words(response: &Response<Bytes>, members: Option<&Map<String, Value>>) -> Option<String> {
    if let Some(members) = members {
        // APIs of clouds have them within the error.
        let inner = ["error", "errors"].iter().find_map(|name| match members.get(*name)? {
            Value::Object(inner) => Some(inner),
            Value::Array(errors) => errors.first()?.as_object(),
            _ => None,
        });
        return of_members(members).or_else(|| of_members(inner?));
    }
    let text = std::str::from_utf8(response.body()).ok()?;
    match media_type(response).as_str() {
        "text/plain" => Some(text.to_owned()),
        _ => title(text),
    }
}

fn of_members(members: &Map<String, Value>) -> Option<String> {
    let mut words = WORDS.iter().filter_map(|name| of_value(members.get(*name)?));
    words.find(|words| !words.trim().is_empty())
}

/// A text, or that of the first thing that is wrong, and where (FastAPI: `[{"loc": ["body", "scope"], "msg": "Field required"}]`).
fn of_value(value: &Value) -> Option<String> {
    let faults = match value {
        Value::String(text) => return Some(text.clone()),
        Value::Array(faults) => faults,
        _ => return None,
    };
    let fault = faults.first()?.as_object()?;
    let words = ["msg", "message"].iter().find_map(|name| fault.get(*name)?.as_str())?;
    let place: Vec<_> = fault.get("loc").and_then(Value::as_array).into_iter().flatten().collect();
    let place = place.iter().filter_map(|part| part.as_str()).collect::<Vec<_>>().join(" ");
    Some(if place.is_empty() { words.to_owned() } else { format!("{place}: {words}") })
}

/// What kind of answer this is, for one that cannot be read. Nothing of its text is in it but the title of a page: there
/// may be a token in the rest.
pub(crate) fn kind(response: &Response<Bytes>) -> String {
    let kind = media_type(response);
    let kind = match kind.as_str() {
        "" => "without a type",
        kind => kind,
    };
    let title = std::str::from_utf8(response.body()).ok().and_then(title);
    match title {
        Some(title) => format!("{kind} \"{title}\""),
        None if response.body().is_empty() => format!("{kind}, empty"),
        None => kind.to_owned(),
    }
}

/// The title of a page.
fn title(text: &str) -> Option<String> {
    // Upper and lower case have the same length in ASCII, so that places in one are places in the other.
    let lower = text.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower.get(start..)?.find('>')? + 1;
    let end = start + lower.get(start..)?.find("</title")?;
    let title = text.get(start..end)?.split_whitespace().collect::<Vec<_>>().join(" ");
    (!title.is_empty()).then_some(title)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(kind: &str, body: &str) -> Response<Bytes> {
        Response::builder()
            .header("content-type", kind)
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap()
    }

    #[test]
    fn fb_o24_members_are_read_from_json_and_from_forms() {
        for (kind, body) in [
            ("application/json", r#"{"access_token":"t"}"#),
            ("text/html", "\u{feff}{\"access_token\":\"t\"}"),
            ("Application/X-WWW-Form-Urlencoded; charset=utf-8", "access_token=t"),
            ("text/plain", "scope=&access_token=t"),
        ] {
            assert_eq!(members(&answer(kind, body)).unwrap()["access_token"], "t", "{kind} {body}");
        }
        for (kind, body) in [
            ("text/html", "access_token=t"),
            ("application/json", "access_token=t"),
            ("text/plain", "a=b"),
            ("", ""),
        ] {
            assert_eq!(members(&answer(kind, body)), None, "{kind} {body}");
        }
    }

    #[test]
    fn a_token_one_level_down_is_found_where_it_is_the_only_one() {
        let lifted = |value: Value| token_members(value.as_object().unwrap().clone());
        let nulls = json!({ "access_token": "x", "token_type": null, "scope": null });
        assert_eq!(Value::from(lifted(nulls)), json!({ "access_token": "x" }));
        assert_eq!(
            lifted(json!({ "ok": true, "authed_user": { "access_token": "x" } }))["access_token"],
            "x"
        );
        assert_eq!(
            lifted(json!({ "access_token": "a", "bot": { "access_token": "b" } }))["access_token"],
            "a"
        );
        let two = lifted(json!({ "one": { "access_token": "a" }, "two": { "access_token": "b" } }));
        assert_eq!(two.get("access_token"), None);
    }

    #[test]
    fn fb_o28_o33_words_come_from_members_text_or_title() {
        let said = |kind: &str, body: &str| {
            let answer = answer(kind, body);
            words(&answer, members(&answer).as_ref())
        };
        assert_eq!(said("text/plain", "not on the list").as_deref(), Some("not on the list"));
        assert_eq!(
            said("text/html", "<html><TITLE lang=en> Access\n denied </title>").as_deref(),
            Some("Access denied")
        );
        assert_eq!(said("application/json", r#"{"detail":"no"}"#).as_deref(), Some("no"));
        assert_eq!(
            said("application/json", r#"{"error":{"code":400,"message":"no such client"}}"#).as_deref(),
            Some("no such client")
        );
        assert_eq!(
            said("application/json", r#"{"errors":[{"detail":"wrong scope"}]}"#).as_deref(),
            Some("wrong scope")
        );
        assert_eq!(
            said("application/json", r#"{"title":"t","error_description":"d"}"#).as_deref(),
            Some("d")
        );
        assert_eq!(
            said("application/json", r#"{"detail":[{"loc":["body","scope"],"msg":"Field required"}]}"#)
                .as_deref(),
            Some("body scope: Field required")
        );
        assert_eq!(said("application/json", r#"{"detail":[]}"#), None);
        assert_eq!(said("text/html", "no title"), None);
        assert_eq!(said("text/html", "<title>cut"), None);
        assert_eq!(kind(&answer("text/html; x", "<title>Sign in</title>")), "text/html \"Sign in\"");
        assert_eq!(kind(&answer("", "")), "without a type, empty");
        assert_eq!(kind(&answer("text/plain", "secret")), "text/plain");
    }
}
