//! What a command speaks that is not MCP: MCP over stdio is one message on one line of UTF-8 (2025-11-25 and 2026-07-28,
//! stdio), and servers of the field send the right message in another dress.
//!
//! Text before the first message is passed over, for banners are common. A dialect is told by a line that no banner has, or
//! has hardly ever.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Map, Value};

/// How much of a line is looked at, in bytes.
const LOOKED_AT: usize = 512;
/// A message without the end of its line is looked for up to this length, in bytes.
const LONGEST: usize = 64 << 10;

/// A way to send messages that is not that of MCP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dialect {
    /// The headers of the Language Server Protocol.
    Headers,
    /// An answer or a request of HTTP.
    Http,
    /// Server-sent events.
    Events,
    /// JSON over several lines.
    SeveralLines,
    /// UTF-16 in place of UTF-8.
    Utf16,
    /// A Python object, as `print` shows it.
    Python,
    /// A JavaScript object, as `console.log` shows it.
    JavaScript,
    /// A message after which the line does not end.
    Unended,
}

/// A dialect that was heard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct DialectSighting {
    pub(super) dialect: Dialect,
    /// It is a message in that dialect. Otherwise it may still be a banner.
    pub(super) certain: bool,
}

impl DialectSighting {
    /// How long a message of MCP may still take: what was heard may be a line of debugging output, before its answer.
    pub(super) fn grace(self) -> Duration {
        Duration::from_secs(if self.certain { 2 } else { 10 })
    }
}

impl Dialect {
    /// The dialect of a line that is not a message.
    pub(super) fn of(line: &[u8]) -> Option<DialectSighting> {
        let looked = &line[..line.len().min(LOOKED_AT)];
        let certain = |dialect| Some(DialectSighting { dialect, certain: true });
        let likely = |dialect| Some(DialectSighting { dialect, certain: false });
        if is_utf16(looked) {
            // A wrapper may print its own words so, and start a server that does not.
            return decoded(looked)
                .contains("\"jsonrpc\"")
                .then_some(DialectSighting { dialect: Self::Utf16, certain: true });
        }
        let text = String::from_utf8_lossy(looked);
        let text = text.trim_start_matches('\u{feff}').trim();
        if let Some(data) = text.strip_prefix("data:") {
            return data
                .contains("\"jsonrpc\"")
                .then_some(DialectSighting { dialect: Self::Events, certain: true });
        }
        if matches!(text, "event: message" | "event:message" | "event: endpoint" | "event:endpoint") {
            return likely(Self::Events);
        }
        // A member of the message, which is on a line of its own, or the first of the line.
        let member = text.trim_start_matches(['{', '[']).trim_start();
        let is_member =
            |name: &str| member.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(':'));
        if is_member("'jsonrpc'") || text.starts_with("b'{\"jsonrpc\"") {
            return certain(Self::Python);
        }
        if is_member("jsonrpc") {
            return certain(Self::JavaScript);
        }
        if is_member("\"jsonrpc\"") {
            // With the whole object on it, it is a message with something wrong in it.
            return if text.ends_with('}') { None } else { certain(Self::SeveralLines) };
        }
        if is_header(text, "content-length") {
            return likely(Self::Headers);
        }
        if is_http(text) {
            return likely(Self::Http);
        }
        None
    }

    /// The same of what is there of a line whose end has not come.
    pub(super) fn of_unended(line: &[u8]) -> Option<DialectSighting> {
        let text = line.trim_ascii();
        let is_whole = line.len() <= LONGEST
            && text.starts_with(b"{")
            && text.ends_with(b"}")
            && serde_json::from_slice::<Map<String, Value>>(text)
                .is_ok_and(|message| message.contains_key("jsonrpc"));
        is_whole.then_some(DialectSighting { dialect: Self::Unended, certain: true })
    }

    /// What it is and what to change, in words that fit after "its standard output is".
    pub(super) fn explanation(self) -> (&'static str, &'static str) {
        match self {
            Self::Headers => (
                "framed with headers, as in the Language Server Protocol",
                "MCP has no headers: print each message on a line of its own",
            ),
            Self::Http => (
                "HTTP",
                "MCP over stdio has no HTTP: start the server with its option for stdio, or give its URL",
            ),
            Self::Events => (
                "a stream of server-sent events",
                "MCP over stdio prints the bare message: start the server with its option for stdio, or give its URL",
            ),
            Self::SeveralLines => {
                ("JSON over several lines", "print each message on one line, without indentation")
            }
            Self::Utf16 => ("UTF-16", "MCP is UTF-8: set the encoding of its standard output"),
            Self::Python => {
                ("a Python object and not JSON", "print it with `json.dumps`, one message on a line")
            }
            Self::JavaScript => {
                ("a JavaScript object and not JSON", "print it with `JSON.stringify`, one message on a line")
            }
            Self::Unended => {
                ("a message whose line does not end", "print a line feed after each message, and flush")
            }
        }
    }
}

/// A line as it can be read: UTF-16 is decoded, whatever its byte order.
pub(super) fn readable(line: &[u8]) -> Cow<'_, str> {
    if is_utf16(line) { Cow::Owned(decoded(line)) } else { String::from_utf8_lossy(line) }
}

/// Whether it begins with the mark of UTF-16, or every other byte of its beginning is zero.
fn is_utf16(line: &[u8]) -> bool {
    let zeros =
        |from: usize| line.len() >= 8 && line.iter().skip(from).step_by(2).take(8).all(|byte| *byte == 0);
    line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff") || zeros(0) || zeros(1)
}

fn decoded(line: &[u8]) -> String {
    let is_big = line.starts_with(b"\xfe\xff") || line.first() == Some(&0);
    let units = line.chunks_exact(2).map(|pair| match is_big {
        true => u16::from_be_bytes([pair[0], pair[1]]),
        false => u16::from_le_bytes([pair[0], pair[1]]),
    });
    char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).filter(|c| *c != '\u{feff}').collect()
}

/// Whether a line is this header with a number, and nothing else.
fn is_header(text: &str, name: &str) -> bool {
    text.split_once(':').is_some_and(|(is, value)| {
        let value = value.trim();
        is.trim().eq_ignore_ascii_case(name)
            && !value.is_empty()
            && value.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Whether a line is the first of an answer (RFC 9112 section 4).
fn is_http(text: &str) -> bool {
    let mut words = text.split(' ');
    let version = words.next().is_some_and(|word| word.starts_with("HTTP/"));
    version
        && words.next().is_some_and(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(line: &[u8]) -> Option<(Dialect, bool)> {
        Dialect::of(line).map(|heard| (heard.dialect, heard.certain))
    }

    #[test]
    fn fa_a13_fa_a15_the_dialect_of_a_line_is_heard() {
        let wide = |text: &str, big: bool| -> Vec<u8> {
            let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
            text.encode_utf16().flat_map(bytes).collect()
        };
        for (line, expected) in [
            ("Content-Length: 137\r", (Dialect::Headers, false)),
            ("content-length:5", (Dialect::Headers, false)),
            ("HTTP/1.1 200 OK\r", (Dialect::Http, false)),
            ("event: message", (Dialect::Events, false)),
            ("data: {\"jsonrpc\":\"2.0\"}", (Dialect::Events, true)),
            ("  \"jsonrpc\": \"2.0\",", (Dialect::SeveralLines, true)),
            ("{ \"jsonrpc\": \"2.0\",", (Dialect::SeveralLines, true)),
            ("{'jsonrpc': '2.0', 'id': 0}", (Dialect::Python, true)),
            ("b'{\"jsonrpc\": \"2.0\"}\\n'", (Dialect::Python, true)),
            ("{ jsonrpc: '2.0', id: 0, result: [Object] }", (Dialect::JavaScript, true)),
            ("  jsonrpc: '2.0',", (Dialect::JavaScript, true)),
            ("\u{feff}Content-Length: 137\r", (Dialect::Headers, false)),
            ("\u{feff}{ \"jsonrpc\": \"2.0\",", (Dialect::SeveralLines, true)),
        ] {
            assert_eq!(heard(line.as_bytes()), Some(expected), "{line}");
        }
        for big in [true, false] {
            let line = wide("{\"jsonrpc\":\"2.0\",\"id\":0}", big);
            assert_eq!(heard(&line), Some((Dialect::Utf16, true)));
            assert_eq!(readable(&line), "{\"jsonrpc\":\"2.0\",\"id\":0}");
            let banner = wide("\u{feff}starting up", big);
            assert_eq!(heard(&banner), None);
            assert_eq!(readable(&banner), "starting up");
        }
    }

    #[test]
    fn fa_a13_a_banner_is_no_dialect() {
        for line in [
            "{",
            "listening on stdio",
            "Content-Length: about 5",
            "Content-Length 137 is odd",
            "INFO received {\"jsonrpc\":\"2.0\",\"method\":\"initialize\"}",
            "> {'jsonrpc': '2.0'}",
            "{\"level\":\"info\",\"msg\":\"jsonrpc ready\"}",
            "{\"jsonrpc\":\"1.0\",\"id\":0}",
            "data: loading",
            "event: startup",
            "HTTP/1.1 is what it speaks",
            "HTTP server listening on :8080",
            "jsonrpc ready",
            "  \"port\": 3000,",
            "",
        ] {
            assert_eq!(heard(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn fa_a13_a_message_without_the_end_of_its_line_is_heard_when_it_is_whole() {
        let whole = b"{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}";
        assert_eq!(Dialect::of_unended(whole).map(|heard| heard.dialect), Some(Dialect::Unended));
        for cut in 0..whole.len() {
            assert_eq!(Dialect::of_unended(&whole[..cut]), None, "{cut}");
        }
        assert_eq!(Dialect::of_unended(b"{\"ready\":true}"), None);
    }
}
