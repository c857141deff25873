//! JSON that may be looked at on a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::visible::is_invisible;

/// A JSON document of the same value that a terminal shows as it is: in its strings, DEL, C1 and separators, and what is
/// invisible or changes directions, are written as `\u` escapes (RFC 8259 section 7).
///
/// Outside of strings JSON has none of them, so the document need not be parsed.
#[must_use]
pub fn json(document: &str) -> Cow<'_, str> {
    let Some(first) = document.find(must_be_escaped) else { return Cow::Borrowed(document) };
    let mut escaped = String::with_capacity(document.len() + 64);
    escaped.push_str(&document[..first]);
    for c in document[first..].chars() {
        if must_be_escaped(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

fn must_be_escaped(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}') || is_invisible(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_p02_json_has_no_character_that_a_terminal_obeys() {
        assert_eq!(
            json("{\"a\":\"\u{9b}2J\u{202e}x\u{200b}\u{e0041}\u{7f}\u{2028}é\"}"),
            r#"{"a":"\u009b2J\u202ex\u200b\udb40\udc41\u007f\u2028é"}"#
        );
        assert!(matches!(json("{\"a\": \"日本\"}\n"), Cow::Borrowed(_)));
    }
}
