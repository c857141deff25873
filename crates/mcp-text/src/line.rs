//! A stranger's text on a terminal: one line of it, or a block of lines.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar as _;

use crate::visible::{Piece, Visible};

/// How much of what a stranger says about a failure is told, in columns.
const SENTENCE: usize = 300;

/// `text` as one line of at most `limit` columns, with an ellipsis where more would follow.
///
/// What drives a terminal is not in it: sequences (ECMA-48) are taken out whole, and any other control character is a
/// blank, as line breaks and all white space are; several blanks are one, and none stands at an end. What is not seen
/// and changes what is (directions, zero widths, joiners, fillers, variation selectors, tags) is left out. A character
/// carries four marks at most, so that a bound of columns is one of bytes, too.
///
/// ```
/// assert_eq!(mcp_text::line("red\u{1b}[31m\talert\u{202e}\n", 20), "red alert");
/// assert_eq!(mcp_text::line("日本語です", 6), "日本…");
/// ```
#[must_use]
pub fn line(text: &str, limit: usize) -> String {
    let mut shown = String::new();
    let mut columns = 0;
    // How much of it leaves room for the ellipsis.
    let mut fits = 0;
    let mut blank = false;
    for piece in Visible::new(text) {
        let Piece::Char(c, wide) = piece else {
            blank = !shown.is_empty();
            continue;
        };
        let before = usize::from(blank);
        if columns + before + wide > limit {
            shown.truncate(fits);
            if limit > 0 {
                shown.push('…');
            }
            return shown;
        }
        if std::mem::take(&mut blank) {
            shown.push(' ');
        }
        shown.push(c);
        columns += before + wide;
        if columns < limit {
            fits = shown.len();
        }
    }
    shown
}

/// What a stranger says about a failure: the [`line()`] of it, of 300 columns at most.
#[must_use]
pub fn sentence(text: &str) -> String {
    line(text, SENTENCE)
}

/// `text` as it may be written to a terminal: as [`line()`], but line breaks, tabs and blanks stay, and nothing is cut.
///
/// A carriage return alone begins a new line instead of going back over this one.
#[must_use]
pub fn block(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b'\n' | b'\t' | b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let piece = |piece| match piece {
        Piece::Char(c, _) | Piece::Blank(c) => c,
        Piece::Break => '\n',
    };
    Cow::Owned(Visible::new(text).map(piece).collect())
}

/// How many columns of a terminal `text` takes (UAX #11); control characters none.
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}
