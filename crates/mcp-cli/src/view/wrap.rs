//! Text in lines of a bounded width on a terminal.

/// The words of `text` in lines of at most `width` columns; a longer word has a line of its own.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    wrap_from(text, width, width)
}

/// The same, where the first line has another width.
fn wrap_from(text: &str, first: usize, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let room = if lines.len() == 1 { first } else { width };
        match lines.last_mut() {
            Some(line) if mcp_text::width(line) + 1 + mcp_text::width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `line` on a terminal of this width: what does not fit is cut. Escape sequences of ours, which all end in a letter, take
/// no room.
pub(crate) fn cut(line: &str, columns: usize) -> String {
    let mut out = String::with_capacity(line.len());
    let (mut used, mut escaped, mut painted, mut fits) = (0, false, false, out.len());
    for c in line.chars() {
        match (escaped, c) {
            (false, '\u{1b}') => (escaped, painted) = (true, true),
            (true, 'a'..='z' | 'A'..='Z') => escaped = false,
            (true, _) => {}
            (false, _) => {
                used += mcp_text::width(c.encode_utf8(&mut [0; 4]));
                if used > columns {
                    out.truncate(fits);
                    out.push('…');
                    out.push_str(if painted { "\u{1b}[0m" } else { "" });
                    return out;
                }
            }
        }
        out.push(c);
        if used < columns {
            // A mark of the cut fits behind it.
            fits = out.len();
        }
    }
    out
}

/// One line of text, its later lines further right; with the line end.
pub(crate) fn paragraph(text: &str, columns: Option<usize>) -> String {
    let indent = text.len() - text.trim_start_matches(' ').len();
    let Some(columns) = columns.filter(|columns| mcp_text::width(text) > *columns) else {
        return format!("{text}\n");
    };
    let lines = wrap_from(text, columns.saturating_sub(indent), columns.saturating_sub(indent + 2));
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        let indent = if number == 0 { indent } else { indent + 2 };
        out.push_str(&format!("{}{line}\n", " ".repeat(indent)));
    }
    out
}

/// `text` and the command that it leads to, which is never broken: behind it, or on a line of its own; with the line ends.
pub(crate) fn leading_to(text: &str, command: &str, columns: Option<usize>) -> String {
    let line = format!("{text} {command}");
    match columns {
        Some(columns) if mcp_text::width(&line) > columns => {
            format!("{}  {command}\n", paragraph(text, Some(columns)))
        }
        _ => format!("{line}\n"),
    }
}

/// `text` behind `head`, its later lines below where it begins; with the line ends. A line ends behind a blank, and every
/// blank stays: what a person agrees to must not look like something else.
pub(crate) fn behind(head: &str, text: &str, columns: Option<usize>) -> String {
    let indent = mcp_text::width(head);
    let Some(columns) = columns.filter(|columns| indent + mcp_text::width(text) > *columns) else {
        return format!("{head}{text}\n");
    };
    // A label that takes most of the line leaves too little of it for what is behind it; and so does one that leaves less than
    // a word of it, such as a path, which a terminal would break anywhere.
    let longest = text.split(' ').map(mcp_text::width).max().unwrap_or(0);
    let is_too_wide = indent * 2 > columns || indent + longest > columns && 4 + longest <= columns;
    let below = if is_too_wide { 4 } else { indent };
    let (mut out, mut used, mut has_words) = (head.to_owned(), indent, false);
    for word in text.split_inclusive(' ') {
        let wide = mcp_text::width(word.trim_end_matches(' '));
        // Where it fits nowhere it stays where it is.
        let fits_below = below < used && below + wide <= columns;
        if used + wide > columns && (has_words || fits_below) {
            // Where nothing stands there yet, it is not a line.
            if has_words || !head.trim().is_empty() {
                // The blank that the break stands for has no column where the line is full.
                if used == columns + 1 {
                    out.pop();
                }
                out.push('\n');
            } else {
                out.clear();
            }
            out.push_str(&" ".repeat(below));
            used = below;
        }
        out.push_str(word);
        used += mcp_text::width(word);
        has_words = true;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fh_h13_what_stands_behind_a_label_wraps_below_it_and_loses_no_blank() {
        for (head, text, columns, shown) in [
            ("  args  ", "aa bb cc", 20, "  args  aa bb cc\n"),
            ("  args  ", "aa bb cc dd ee", 17, "  args  aa bb cc \n        dd ee\n"),
            ("  args  ", "aa      bb", 17, "  args  aa      \n        bb\n"),
            ("  args  ", "too-long-for-a-line bb", 16, "  args  too-long-for-a-line \n        bb\n"),
            ("  at    ", "/a/path/b:3 cc", 16, "  at    \n    /a/path/b:3 \n    cc\n"),
            ("db  ", "/a/path/that/is/long:3", 16, "db  /a/path/that/is/long:3\n"),
            ("  a-label-as-wide  ", "aa bb cc", 22, "  a-label-as-wide  aa \n    bb cc\n"),
            ("  jp  ", "日本 日本 日本", 16, "  jp  日本 日本 \n      日本\n"),
            ("  none  ", "", 4, "  none  \n"),
        ] {
            assert_eq!(behind(head, text, Some(columns)), shown, "{text:?} in {columns}");
            let shown = behind(head, text, Some(columns));
            let blanks = |text: &str| text.matches(' ').count();
            let indents: usize = shown.lines().skip(1).map(|line| line.len() - line.trim_start().len()).sum();
            assert_eq!(blanks(&shown) - indents, blanks(head) + blanks(text), "{shown:?}");
            assert_eq!(behind(head, text, None), format!("{head}{text}\n"));
        }
    }

    #[test]
    fn fh_h13_below_a_label_nothing_is_left_of_a_blank_one() {
        assert_eq!(behind("      ", "/a/path/b:3", Some(16)), "    /a/path/b:3\n");
        assert_eq!(behind("      ", "aa /a/path/b:3", Some(16)), "      aa \n    /a/path/b:3\n");
        assert_eq!(behind("      ", "aa bb", Some(16)), "      aa bb\n");
    }

    #[test]
    fn fh_h13_a_line_that_is_full_has_no_blank_behind_it_that_would_be_a_line() {
        assert_eq!(behind("  a  ", "bbbb cccc dd", Some(14)), "  a  bbbb cccc\n     dd\n");
        // Of several, which may be meant, one goes.
        assert_eq!(behind("  a  ", "bbbb ccc  dd", Some(14)), "  a  bbbb ccc \n     dd\n");
    }

    #[test]
    fn a_line_is_cut_by_what_a_terminal_shows() {
        for (line, columns, shown) in [
            ("abcdef", 6, "abcdef"),
            ("abcdefg", 6, "abcde…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("e\u{301}e\u{301}e\u{301}", 3, "e\u{301}e\u{301}e\u{301}"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("\u{1b}[1mname\u{1b}[0m  text", 10, "\u{1b}[1mname\u{1b}[0m  text"),
            ("\u{1b}[1mname\u{1b}[0m  text", 8, "\u{1b}[1mname\u{1b}[0m  t…\u{1b}[0m"),
            ("", 3, ""),
        ] {
            assert_eq!(cut(line, columns), shown, "{line:?} in {columns}");
        }
    }

    #[test]
    fn fh_h13_a_paragraph_wraps_at_words_and_further_right() {
        assert_eq!(paragraph("  why: aa bb cc", None), "  why: aa bb cc\n");
        assert_eq!(paragraph("  why: aa bb cc", Some(12)), "  why: aa bb\n    cc\n");
        assert_eq!(paragraph("error: aa bb", Some(9)), "error: aa\n  bb\n");
    }

    #[test]
    fn text_wraps_at_words() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("é é", 3), ["é é"]);
        assert_eq!(wrap("日本 日本", 8), ["日本", "日本"]);
        assert_eq!(wrap("toolong a", 3), ["toolong", "a"]);
        assert!(wrap("  ", 3).is_empty());
    }
}
