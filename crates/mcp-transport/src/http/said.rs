//! What a server says in the body of an error: the one line of it that is meant for people.

use serde_json::Value;

/// Members that hold a sentence, the most telling first: OAuth errors (RFC 6749 section 5.2), problem details
/// (RFC 9457 section 3.1), and what frameworks write.
const SENTENCES: [&str; 6] = ["error_description", "detail", "message", "title", "error", "errors"];
/// How deep errors are wrapped in errors.
const MAX_DEPTH: usize = 3;
/// How much of it is kept, in columns. More than is told in the end, so that a secret in it is hidden before it is cut.
const MAX_COLUMNS: usize = 4_096;

/// The telling line of an error's body; `None` where there is none, as in a page.
pub(crate) fn said(content_type: &str, body: &[u8]) -> Option<String> {
    let text = match content_type {
        "text/plain" => std::str::from_utf8(body).ok()?.to_owned(),
        "application/json" | "application/problem+json" | "" => {
            sentence(&serde_json::from_slice(body).ok()?, MAX_DEPTH)?
        }
        _ => return None,
    };
    text.lines().map(|line| mcp_text::line(line, MAX_COLUMNS)).find(|line| !line.is_empty())
}

fn sentence(value: &Value, depth: usize) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(members) if depth > 0 => {
            SENTENCES.iter().find_map(|name| sentence(members.get(*name)?, depth - 1))
        }
        Value::Array(items) if depth > 0 => sentence(items.first()?, depth - 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_of_each_form_is_found() {
        let json = "application/json";
        for (content_type, body, expected) in [
            (json, r#"{"error":"tenant is suspended"}"#, Some("tenant is suspended")),
            (json, r#"{"error":"x","error_description":"it has expired"}"#, Some("it has expired")),
            (json, r#"{"error":{"code":7,"message":"no quota"}}"#, Some("no quota")),
            (json, r#"{"errors":[{"message":"first"},{"message":"second"}]}"#, Some("first")),
            (json, r#""gone""#, Some("gone")),
            (json, "{}", None),
            (json, r#"{"error":{"error":{"error":{"error":"too deep"}}}}"#, None),
            (json, "not json", None),
            (
                "application/problem+json",
                r#"{"title":"Out","detail":"Out of credit."}"#,
                Some("Out of credit."),
            ),
            ("text/plain", "\n  upstream\tis\u{1b}[31m down \nmore", Some("upstream is down")),
            ("text/html", "<p>no</p>", None),
            ("", r#"{"message":"untyped"}"#, Some("untyped")),
        ] {
            assert_eq!(said(content_type, body.as_bytes()).as_deref(), expected, "{body}");
        }
        let long = format!("{{\"message\":\"{}\"}}", "x".repeat(10_000));
        assert_eq!(said(json, long.as_bytes()).map(|line| mcp_text::width(&line)), Some(MAX_COLUMNS));
    }
}
