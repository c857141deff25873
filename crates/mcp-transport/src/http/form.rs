//! What a body is: JSON, an event stream, or nothing that MCP has.
//!
//! Servers of the field write the type in any case, with and without parameters, leave it out, or leave it to a framework
//! that writes `text/plain` or `text/html` under everything. So the type decides where it is one of the two, and what the
//! body begins with decides where it is not, or contradicts it.

use std::borrow::Cow;

use http::{HeaderMap, header};

/// How much of a body that is not MCP is quoted, in columns.
const QUOTED: usize = 60;
/// How much of it is looked at, in bytes.
pub(crate) const BEGINNING: usize = 512;

/// The form of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// One JSON text.
    Json,
    /// Server-sent events.
    Stream,
    /// Neither.
    Other,
}

impl Form {
    /// The form of a body of this type (without its parameters, in lower case) that begins like this.
    pub(crate) fn of(essence: &str, beginning: &[u8]) -> Self {
        let looks = Self::looking_like(beginning);
        let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
        match essence {
            "text/event-stream" => match looks {
                // No field of a stream has such a name.
                Self::Json => Self::Json,
                _ => Self::Stream,
            },
            _ if subtype == "json" || subtype.ends_with("+json") || subtype.starts_with("json") => {
                match looks {
                    Self::Stream => Self::Stream,
                    _ => Self::Json,
                }
            }
            // No type, one that says nothing, or one that a framework writes under everything. Nothing at all is not a page.
            ""
            | "text/plain"
            | "text/html"
            | "application/octet-stream"
            | "binary/octet-stream"
            | "text/x-json" => match beginning {
                [] => Self::Json,
                _ => looks,
            },
            _ if ["image/", "audio/", "video/", "font/", "multipart/"]
                .iter()
                .any(|of| essence.starts_with(of)) =>
            {
                Self::Other
            }
            // What a server took from `Accept`, spelled in its own way, or chose for a browser: `*/*`, `json`,
            // `application/x-ndjson`, `text/javascript`.
            _ => looks,
        }
    }

    fn looking_like(beginning: &[u8]) -> Self {
        let beginning = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning).trim_ascii_start();
        match beginning.first() {
            Some(b'{' | b'[') => Self::Json,
            _ => {
                let fields = [b":".as_slice(), b"data:", b"event:", b"id:", b"retry:"];
                match fields.iter().any(|field| beginning.starts_with(field)) {
                    true => Self::Stream,
                    false => Self::Other,
                }
            }
        }
    }
}

/// Whether a type is that of JSON texts on lines, of which an answer may have one: MCP has no such form, and nothing says which
/// line would be the answer, and which a notification that another stream brings again.
pub(super) fn is_of_lines(essence: &str) -> bool {
    let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
    ["ndjson", "jsonl", "jsonlines", "json-lines", "json-seq"].contains(&subtype.trim_start_matches("x-"))
}

/// What a body that is not MCP is, in words that fit after "it answered with": its type, and how it begins.
pub(crate) fn described(essence: &str, beginning: &[u8]) -> String {
    let kind = match essence {
        "" => "no type".to_owned(),
        essence => mcp_text::line(essence, 80),
    };
    let beginning = &beginning[..beginning.len().min(BEGINNING)];
    let quoted = mcp_text::line(&quotable(beginning), QUOTED);
    match (beginning.is_empty(), quoted.is_empty()) {
        (true, _) => format!("{kind} and an empty body"),
        (false, true) => format!("{kind} and {} bytes that are no text", beginning.len()),
        (false, false) => format!("{kind} that begins with \"{quoted}\""),
    }
}

/// What of it is text. Bytes that are none show as a mark each, where most of it is text; else there is nothing to quote.
fn quotable(beginning: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(beginning);
    let odd = text.chars().filter(|c| *c == '\u{fffd}' || (c.is_control() && !c.is_whitespace())).count();
    match odd * 4 > text.chars().count() {
        true => Cow::Borrowed(""),
        false => text,
    }
}

/// The media type without its parameters, in lower case, which types are compared in (RFC 9110 section 8.3.1);
/// empty where there is none.
pub(crate) fn essence(headers: &HeaderMap) -> Cow<'_, str> {
    let value = headers.get(header::CONTENT_TYPE);
    // As nearly every answer has it: every call comes by here.
    for usual in ["application/json", "text/event-stream"] {
        if value.is_some_and(|value| value.as_bytes() == usual.as_bytes()) {
            return Cow::Borrowed(usual);
        }
    }
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split([';', ',']).next().unwrap_or_default().trim();
    match essence.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(essence.to_ascii_lowercase()),
        false => Cow::Borrowed(essence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fa_a100_fb_t4_t6_the_form_is_that_of_the_type_or_of_the_body() {
        let json = b"\xef\xbb\xbf \n{\"jsonrpc\"".as_slice();
        for (essence, beginning, form) in [
            ("application/json", json, Form::Json),
            ("application/json", b"".as_slice(), Form::Json),
            ("application/json", b"oops", Form::Json),
            ("application/json", b"event: message\ndata: {}", Form::Stream),
            ("application/json-rpc", json, Form::Json),
            ("application/jsonrequest", json, Form::Json),
            ("application/vnd.mcp+json", json, Form::Json),
            ("text/json", json, Form::Json),
            ("text/event-stream", b"", Form::Stream),
            ("text/event-stream", b": ping", Form::Stream),
            ("text/event-stream", b"oops", Form::Stream),
            ("text/event-stream", json, Form::Json),
            ("", json, Form::Json),
            ("", b"", Form::Json),
            ("", b"data: {}", Form::Stream),
            ("", b"Hello", Form::Other),
            ("text/plain", json, Form::Json),
            ("text/plain", b"id: 1\ndata: {}", Form::Stream),
            ("text/plain", b"Not found", Form::Other),
            ("text/html", b"[{\"jsonrpc\"", Form::Json),
            ("text/html", b"<!doctype html>", Form::Other),
            ("application/octet-stream", json, Form::Json),
            ("image/png", json, Form::Other),
            ("application/x-json", json, Form::Json),
            ("application/x-ndjson", json, Form::Json),
            ("text/javascript", json, Form::Json),
            ("*/*", json, Form::Json),
            ("application/*", b"data: {}", Form::Stream),
            ("json", json, Form::Json),
            ("application/pdf", b"%PDF-1.7", Form::Other),
            ("application/xhtml+xml", b"<html>", Form::Other),
            ("application/xml", b"", Form::Other),
            ("application/xml", b"<r/>", Form::Other),
        ] {
            assert_eq!(
                Form::of(essence, beginning),
                form,
                "{essence} {:?}",
                String::from_utf8_lossy(beginning)
            );
        }
    }

    #[test]
    fn fa_a100_json_on_lines_is_told_from_json() {
        for essence in ["application/x-ndjson", "application/ndjson", "text/jsonl", "application/jsonlines"] {
            assert!(is_of_lines(essence), "{essence}");
        }
        for essence in ["application/json", "application/x-json", "text/ndjson+x", "ndjson", ""] {
            assert!(!is_of_lines(essence), "{essence}");
        }
    }

    #[test]
    fn fb_t4_s_n18_what_is_not_mcp_is_described_by_its_type_and_its_beginning() {
        for (essence, beginning, text) in [
            (
                "text/plain",
                b"Hello\r\n\x1b[31mWorld".as_slice(),
                "text/plain that begins with \"Hello World\"",
            ),
            ("", b"SSH-2.0-x\r\n", "no type that begins with \"SSH-2.0-x\""),
            (
                "image/png",
                b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xfe\xff",
                "image/png and 19 bytes that are no text",
            ),
            ("application/json", b"", "application/json and an empty body"),
        ] {
            assert_eq!(described(essence, beginning), text);
        }
        let long = described("text/x", "\u{65e5}".repeat(500).as_bytes());
        assert!(mcp_text::width(&long) < 100, "{long}");
    }
}
