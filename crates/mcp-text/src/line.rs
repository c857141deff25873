//! A stranger's text on a terminal: one line of it, or a block of lines.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar as _;

use crate::visible::{Piece, Visible, is_invisible};

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

/// `text` as the name of something, in at most `limit` columns. Two names that differ do not look the same.
///
/// Most are as [`line()`] shows them. One that holds what [`line()`] leaves out or turns into a blank, or that begins with a
/// quotation mark, is quoted and escaped as in JSON (RFC 8259, section 7).
///
/// ```
/// assert_eq!(mcp_text::name("github", 40), "github");
/// assert_eq!(mcp_text::name("github\u{200b}", 40), r#""github\u200b""#);
/// assert_eq!(mcp_text::name("github ", 40), r#""github ""#);
/// ```
#[must_use]
pub fn name(text: &str, limit: usize) -> String {
    let shown = line(text, limit);
    let kept = shown.strip_suffix('…').filter(|_| shown != text).unwrap_or(&shown);
    // A short one is all there; of a long one, what is shown is as it stands there.
    let is_quoted = text.starts_with('"');
    if !is_quoted && (shown == text || kept.len() < shown.len() && text.starts_with(kept)) {
        return shown;
    }
    let mut escaped = String::from("\"");
    for c in text.chars() {
        // The second of two blanks would be taken for the first.
        if is_hidden(c) || c == ' ' && escaped.ends_with(' ') {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}")));
        } else {
            if matches!(c, '"' | '\\') {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        if width(&escaped) >= limit {
            return line(&escaped, limit.saturating_sub(1)) + "…";
        }
    }
    escaped.push('"');
    escaped
}

/// Whether a reader would miss `c`, or take it for a blank.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c != ' ' && (c.is_whitespace() || c.width().unwrap_or(0) == 0) || is_invisible(c)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What can be done to a terminal or to a reader, and what is left of it on a line.
    const HOSTILE: [(&str, &str); 33] = [
        ("one\r\n\u{1b}[31mtwo\u{202e}\t three\u{0}", "one two three"),
        ("  in\u{7}side  ", "in side"),
        // Sequences are taken out whole: CSI, OSC, DCS, SOS, PM, APC, in seven bits and in eight.
        ("a\u{1b}[2Jb\u{1b}[1;31;4mc\u{1b}[?25ld\u{9b}5ne", "abcde"),
        ("a\u{1b}]52;c;ZXZpbA==\u{7}b\u{1b}]0;title\u{1b}\\c\u{9d}8;;u\u{9c}d", "abcd"),
        ("a\u{1b}P1$r0m\u{1b}\\b\u{1b}Xx\u{1b}\\c\u{1b}^x\u{1b}\\d\u{1b}_x\u{1b}\\e", "abcde"),
        ("a\u{90}q#0\u{9c}b\u{98}x\u{9c}c\u{9e}x\u{9c}d\u{9f}Gf=1;AAAA\u{9c}e", "abcde"),
        ("a\u{1b}(Bb\u{1b}#8c\u{1b}cd\u{1b}7e", "abcde"),
        // One in the other, given up, and without an end.
        ("a\u{1b}]0;\u{1b}[31mb", "ab"),
        ("a\u{1b}]0;x\u{18}b\u{1b}]0;x\u{1a}c", "abc"),
        ("a\u{1b}]52;c;ZXZpbA==", "a52;c;ZXZpbA=="),
        ("a\u{1b}]0;first\nsecond\u{7}b", "a0;first second b"),
        ("a\u{9d}\u{9d}\u{9d}b", "ab"),
        ("a\u{1b}[31", "a"),
        ("a\u{1b}[31é", "aé"),
        ("a\u{1b}", "a"),
        ("a\u{1b}\u{1b}\u{1b}[31mb", "ab"),
        ("a\u{1b}\u{200b}[31mb", "a[31mb"),
        // Other controls are blanks.
        ("a\u{8}\u{8}b\u{7f}c\u{84}d\u{85}e\u{b}f\u{c}g", "a b c d e f g"),
        // Directions, zero widths, joiners, fillers.
        ("t\u{202e}1\u{202c}\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}x", "t1x"),
        ("a\u{200b}b\u{200c}c\u{200d}d\u{2060}e\u{feff}f\u{180e}g\u{ad}h\u{34f}i", "abcdefghi"),
        ("a\u{115f}\u{1160}\u{3164}\u{ffa0}\u{17b4}b\u{2064}c\u{206a}d\u{fff9}e", "abcde"),
        ("\u{3164}", ""),
        ("a\u{2800}\u{2800}b\u{a0}\u{3000}\u{2007}c", "a b c"),
        // Tags and variation selectors carry text that is not seen.
        ("a\u{e0041}\u{e0042}\u{e007f}b\u{fe0f}\u{fe00}\u{e0100}\u{e01ef}c\u{1d173}d\u{180b}e", "abcde"),
        ("\u{2764}\u{fe0f}", "\u{2764}"),
        ("a\u{2028}b\u{2029}c", "a b c"),
        ("a\u{fffe}\u{fdd0}\u{10ffff}b", "ab"),
        // Marks: none without a character to carry them, and no tower.
        ("\u{301}\u{301}a\u{301} \u{301}b", "a\u{301} b"),
        ("a\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}b", "a\u{301}\u{302}\u{303}\u{304}b"),
        // What people write.
        ("naïve — “日本語” 👍 שלום", "naïve — “日本語” 👍 שלום"),
        ("हिन्दी ไทย", "हिन्दी ไทย"),
        ("", ""),
        (" \n\t", ""),
    ];

    #[test]
    fn s_k4_names_that_differ_never_look_the_same() {
        let names = [
            "github",
            "github\u{200b}",
            "github ",
            " github",
            "git\thub",
            "git hub",
            "git  hub",
            "git\u{a0}hub",
            "github\n",
            "github\u{202e}",
            "\u{feff}github",
            "git\u{ad}hub",
            "github\u{e0041}",
            "github\u{1b}[31m",
            "github\u{3164}",
            "\"github\u{200b}\"",
            "\"github\\u200b\"",
        ];
        let shown: Vec<String> = names.iter().map(|text| name(text, 60)).collect();
        for (number, text) in shown.iter().enumerate() {
            assert_eq!(line(text, 60), *text, "nothing in it is hidden");
            assert!(!shown[..number].contains(text), "{text:?} {:?}", names[number]);
        }
        assert!(width(&name(&"\u{200b}".repeat(10 << 20), 60)) <= 60);
        assert_eq!(name(&"x".repeat(100), 10), "xxxxxxxxx…");
    }

    #[test]
    fn s_k4_of_a_hostile_text_one_harmless_line_is_left() {
        for (text, expected) in HOSTILE {
            assert_eq!(line(text, 80), expected, "{text:?}");
            assert_eq!(line(expected, 80), expected, "twice is once");
        }
    }

    #[test]
    fn s_k4_no_character_that_unicode_has_does_harm_on_a_line() {
        for c in '\0'..=char::MAX {
            let shown = line(&format!("a{c}b"), 80);
            let seen = shown.replace(['a', 'b'], "");
            assert!(seen.chars().count() <= 1, "{c:?}");
            let harmless = |c: char| !c.is_control() && !crate::visible::is_invisible(c);
            assert!(seen.chars().all(harmless), "{c:?}");
        }
    }

    #[test]
    fn s_k4_a_line_is_as_wide_as_it_may_be_and_no_wider() {
        for (text, limit, expected) in [
            ("abcdef", 6, "abcdef"),
            ("abcdef", 5, "abcd…"),
            ("abcdef", 1, "…"),
            ("abcdef", 0, ""),
            ("", 0, ""),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("日本語", 2, "…"),
            ("ab cd", 4, "ab…"),
            ("abc   ", 3, "abc"),
            ("abc\u{301}\u{301}", 3, "abc\u{301}\u{301}"),
            ("abcd\u{301}", 3, "ab…"),
            ("abc\u{1b}]0;never ended", 4, "abc…"),
        ] {
            assert_eq!(line(text, limit), expected, "{text:?} {limit}");
        }
    }

    #[test]
    fn s_k4_a_flood_costs_what_it_is_long_and_shows_a_line() {
        let floods = [
            "x",
            "é",
            "\u{301}",
            "a\u{301}\u{301}\u{301}\u{301}\u{301}",
            "\u{1b}]",
            "\u{9d}",
            "\u{1b}[",
            "\u{1b}]0;x\n",
            "\u{200b}",
            " ",
            "\u{e0041}",
            "\u{1b}P\u{1b}",
            "日",
        ];
        for flood in floods {
            let shown = line(&flood.repeat((1 << 20) / flood.len()), 60);
            // Four marks of at most four bytes for each column.
            assert!(width(&shown) <= 60 && shown.len() <= 60 * 20, "{flood:?}");
        }
    }

    #[test]
    fn s_m09_a_block_keeps_its_lines_and_nothing_that_drives_a_terminal() {
        for (text, expected) in [
            ("plain\n\ttext  with blanks\n", "plain\n\ttext  with blanks\n"),
            ("\u{1b}]52;c;ZXZpbA==\u{7}\u{1b}[2J\r\n✔ fake  connected", "\n✔ fake  connected"),
            ("50%\rdone", "50%\ndone"),
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\u{202e}b\u{200b}c\u{e0041}d", "abcd"),
            ("bold\u{8}\u{8}x\u{7}", "bold  x "),
            ("a\u{85}b\u{2028}c", "a\nb\nc"),
            ("hidden \u{1b}Pq\nline\u{1b}\\ shown", "hidden q\nline shown"),
        ] {
            let shown = block(text);
            assert_eq!(shown, expected, "{text:?}");
            assert!(!shown.contains(['\u{1b}', '\r', '\u{7}', '\u{202e}']), "{shown:?}");
        }
        assert!(matches!(block("plain\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn columns_are_those_of_a_terminal() {
        for (text, columns) in
            [("", 0), ("abc", 3), ("日本語", 6), ("e\u{301}", 1), ("👍", 2), ("ｱ", 1), ("שלום", 4)]
        {
            assert_eq!(width(text), columns, "{text}");
        }
    }
}
