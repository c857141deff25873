//! Text of a file that is quoted as it stands there.

use std::borrow::Cow;

use crate::visible::is_invisible;

/// `text` with what is not seen as itself written out: controls, separators of lines, what is invisible and what changes
/// directions.
///
/// For what a person judges, such as the arguments of a command: [`line`](crate::line()) would take out what hides the
/// rest.
///
/// ```
/// assert_eq!(mcp_text::escaped("rm\u{202e}\n\u{1b}[8m x"), r"rm\u{202e}\n\u{1b}[8m x");
/// ```
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    let hides = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || is_invisible(c);
    let Some(first) = text.find(hides) else { return Cow::Borrowed(text) };
    let mut shown = text[..first].to_owned();
    for c in text[first..].chars() {
        if hides(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_k4_what_is_quoted_hides_nothing() {
        for (text, expected) in [
            ("plain é 日本", "plain é 日本"),
            ("a\u{1b}]52;c;x\u{7}", r"a\u{1b}]52;c;x\u{7}"),
            ("a\u{9b}2Jb\u{85}c", r"a\u{9b}2Jb\u{85}c"),
            ("a\r\nb\tc\0", r"a\r\nb\tc\u{0}"),
            ("x\u{200b}y\u{2066}z\u{2028}\u{e0041}\u{3164}", r"x\u{200b}y\u{2066}z\u{2028}\u{e0041}\u{3164}"),
        ] {
            assert_eq!(escaped(text), expected);
            assert_eq!(crate::line(&escaped(text), usize::MAX), expected, "it survives what comes after");
        }
        assert!(matches!(escaped("plain é"), Cow::Borrowed(_)));
    }
}
