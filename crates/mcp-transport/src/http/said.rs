//! What a server says in the body of an error: the one line of it that is meant for people.

use http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;

use super::form::essence;
use super::{page, trouble};

/// Members that hold a sentence, the most telling first, in lower case: OAuth errors (RFC 6749 section 5.2), problem details
/// (RFC 9457 section 3.1), and what frameworks and gateways write.
const SENTENCES: [&str; 12] = [
    "error_description",
    "detail",
    "message",
    "error_message",
    "faultstring",
    "msg",
    "reason",
    "title",
    "description",
    "error",
    "errors",
    "fault",
];
/// The same of documents that are XML: object stores and older services.
const ELEMENTS: [&str; 4] = ["message", "detail", "faultstring", "title"];
/// How deep errors are wrapped in errors.
const MAX_DEPTH: usize = 3;
/// How much of it is kept, in columns. More than is told in the end, so that a secret in it is hidden before it is cut.
const MAX_COLUMNS: usize = 4_096;

/// What an answer with an error status says: in its head, and in its body.
pub(super) fn words(method: &Method, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let said =
        trouble::asks_for_something_else(status, headers).or_else(|| said(status, &essence(headers), body));
    let refused = (status == StatusCode::METHOD_NOT_ALLOWED).then(|| refused_method(method, headers));
    match (refused, said) {
        (Some(refused), Some(said)) => Some(format!("{refused}: {said}")),
        (refused, said) => refused.or(said),
    }
}

/// That a method is not taken, with those that are (RFC 9110 sections 15.5.6 and 10.2.1).
fn refused_method(method: &Method, headers: &HeaderMap) -> String {
    const SHOWN: usize = 6;
    let is_method =
        |name: &&str| !name.is_empty() && name.len() <= 16 && name.bytes().all(|b| b.is_ascii_uppercase());
    let allowed = headers.get_all(header::ALLOW).iter().filter_map(|value| value.to_str().ok());
    let allowed: Vec<_> =
        allowed.flat_map(|value| value.split(',')).map(str::trim).filter(is_method).take(SHOWN).collect();
    match allowed.is_empty() {
        true => format!("it takes no {method} there"),
        false => format!("it takes no {method} there, only {}", allowed.join(", ")),
    }
}

/// The telling line of an error's body, which for a page is its title, or what it is and how it begins; `None` where there is
/// none, or it says no more than `status`.
pub(crate) fn said(status: StatusCode, content_type: &str, body: &[u8]) -> Option<String> {
    if page::is_page_type(content_type) || page::looks_like_a_page(body) {
        return (!body.trim_ascii().is_empty()).then(|| page::described(content_type, body));
    }
    let text = match serde_json::from_slice(body) {
        // A number or a mere `true` is no sentence, and neither is a document that holds none.
        Ok(value) => sentence(&value, MAX_DEPTH)?,
        Err(_) => text(content_type, body)?,
    };
    text.lines()
        .map(|line| mcp_text::line(line, MAX_COLUMNS))
        .find(|line| !line.is_empty())
        .filter(|line| !repeats(status, line))
}

/// Text that is not JSON, whatever its type says; `None` where it is not for people.
fn text(content_type: &str, body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with("<?xml") || content_type.ends_with("xml") {
        return ELEMENTS.iter().find_map(|name| page::element(text, name));
    }
    let is_text =
        content_type.is_empty() || content_type.starts_with("text/") || content_type.contains("json");
    // The beginning of JSON that broke off, or markup without a head.
    (is_text && !text.starts_with(['{', '[', '"', '<'])).then(|| text.to_owned())
}

fn sentence(value: &Value, depth: usize) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Object(members) if depth > 0 => {
            let named = |wanted: &&str| {
                let found = members.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
                sentence(found?.1, depth - 1)
            };
            let text = SENTENCES.iter().find_map(named)?;
            // What is missing is named beside it (FastAPI: `{"loc": ["header", "x-api-key"], "msg": "Field required"}`).
            let place = members
                .get("loc")
                .and_then(Value::as_array)
                .map(|path| path.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
            Some(match place.filter(|place| !place.is_empty()) {
                Some(place) => format!("{place}: {text}"),
                None => text,
            })
        }
        Value::Array(items) if depth > 0 => items.iter().find_map(|item| sentence(item, depth - 1)),
        _ => None,
    }
}

/// Whether a line says what the status says anyway: `Unauthorized`, `403 Forbidden`, `invalid request`.
fn repeats(status: StatusCode, line: &str) -> bool {
    let letters = |text: &str| {
        text.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect::<String>()
    };
    let line = letters(line);
    line == "error" || status.canonical_reason().is_some_and(|reason| letters(reason) == line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fb_o28_a18_the_sentence_of_each_form_is_found() {
        let json = "application/json";
        for (content_type, body, expected) in [
            (json, r#"{"error":"tenant is suspended"}"#, Some("tenant is suspended")),
            (json, r#"{"error":"x","error_description":"it has expired"}"#, Some("it has expired")),
            (json, r#"{"error":{"code":7,"message":"no quota"}}"#, Some("no quota")),
            (json, r#"{"errors":[{"message":"first"},{"message":"second"}]}"#, Some("first")),
            (json, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"no"}}"#, Some("no")),
            (json, r#"{"Message":"User is not authorized"}"#, Some("User is not authorized")),
            (json, r#"{"message":null,"error":"then this"}"#, Some("then this")),
            (
                json,
                r#"{"fault":{"faultstring":"Invalid ApiKey","detail":{"errorcode":"x"}}}"#,
                Some("Invalid ApiKey"),
            ),
            (
                json,
                r#"{"detail":[{"type":"missing","loc":["header","x-api-key"],"msg":"Field required"}]}"#,
                Some("header x-api-key: Field required"),
            ),
            (json, r#""gone""#, Some("gone")),
            (json, "{}", None),
            (json, "7", None),
            (json, r#"{"error":{"error":{"error":{"error":"too deep"}}}}"#, None),
            (json, "Token is missing", Some("Token is missing")),
            (json, r#"{"error": "broken o"#, None),
            (
                "application/problem+json",
                r#"{"title":"Out","detail":"Out of credit."}"#,
                Some("Out of credit."),
            ),
            ("text/plain", "\n  upstream\tis\u{1b}[31m down \nmore", Some("upstream is down")),
            ("text/plain", r#"{"message":"in JSON"}"#, Some("in JSON")),
            (
                "text/html",
                "<p>no</p>",
                Some("a web page without a title: text/html that begins with \"<p>no</p>\""),
            ),
            ("", "<html>no", Some("a web page without a title: no type that begins with \"<html>no\"")),
            ("text/html", " \n", None),
            ("text/html", "<title>Down</title>", Some("a web page titled \"Down\"")),
            ("text/plain", "<!doctype html><title>Down</title>", Some("a web page titled \"Down\"")),
            (
                "application/xml",
                "<Error><Code>X</Code><Message>Access is denied</Message>",
                Some("Access is denied"),
            ),
            ("image/png", "\u{89}PNG", None),
            ("application/octet-stream", "no text", None),
            ("", r#"{"message":"untyped"}"#, Some("untyped")),
            ("", "untyped", Some("untyped")),
        ] {
            let found = said(StatusCode::UNAUTHORIZED, content_type, body.as_bytes());
            assert_eq!(found.as_deref(), expected, "{body}");
        }
        let long = format!("{{\"message\":\"{}\"}}", "x".repeat(10_000));
        let line = said(StatusCode::BAD_GATEWAY, json, long.as_bytes());
        assert_eq!(line.map(|line| mcp_text::width(&line)), Some(MAX_COLUMNS));
        assert_eq!(said(StatusCode::UNAUTHORIZED, "text/plain", b"\xff\xfe\x00"), None);
    }

    #[test]
    fn fb_l18_a_method_that_is_not_taken_is_named_with_those_that_are() {
        let no = StatusCode::METHOD_NOT_ALLOWED;
        for (allow, body, expected) in [
            ("", "Method Not Allowed", "it takes no POST there"),
            ("GET, HEAD", "", "it takes no POST there, only GET, HEAD"),
            ("GET,,\u{e9}, x<b>, DELETE", "", "it takes no POST there, only GET, DELETE"),
            ("GET", "read only mirror", "it takes no POST there, only GET: read only mirror"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ALLOW, header::HeaderValue::from_bytes(allow.as_bytes()).unwrap());
            let report = words(&Method::POST, no, &headers, body.as_bytes());
            // One value that is not text says nothing at all.
            let expected = if allow.is_ascii() { expected } else { "it takes no POST there" };
            assert_eq!(report.as_deref(), Some(expected));
        }
        assert_eq!(words(&Method::POST, StatusCode::CONFLICT, &HeaderMap::new(), b""), None);
        assert!(words(&Method::GET, no, &HeaderMap::new(), b"").unwrap().contains("no GET"));
    }

    #[test]
    fn fb_o28_a18_what_says_no_more_than_the_status_is_not_repeated() {
        for (status, body, kept) in [
            (401, "Unauthorized", false),
            (401, "401 Unauthorized\n", false),
            (403, r#"{"error":"forbidden"}"#, false),
            (404, r#"{"detail":"Not Found"}"#, false),
            (500, "Internal Server Error", false),
            (401, "error", false),
            (401, "Forbidden", true),
            (403, "Forbidden by policy 7", true),
            (599, "gone", true),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(said(status, "", body.as_bytes()).is_some(), kept, "{status} {body}");
        }
    }
}
