//! A line that a person types, with the place of the cursor in it.

use super::keys::Key;

/// What fits in one, in bytes: more than an argument of a command may have.
const MOST: usize = 128 * 1024;

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct InputLine {
    text: String,
    /// The byte that the cursor stands on.
    at: usize,
}

impl InputLine {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Puts another text in its place; the cursor stands behind it.
    pub(super) fn set(&mut self, text: &str) {
        text.clone_into(&mut self.text);
        self.at = text.len();
    }

    /// Adds what was pasted.
    pub(super) fn insert(&mut self, text: &str) {
        let text: String = text.replace("\r\n", "\n").replace('\r', "\n");
        let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
        if self.text.len() + text.len() <= MOST {
            self.text.insert_str(self.at, &text);
            self.at += text.len();
        }
    }

    /// Whether the key was for it.
    pub(super) fn press(&mut self, key: Key) -> bool {
        let before = self.text[..self.at].chars().next_back().map_or(0, char::len_utf8);
        let behind = self.text[self.at..].chars().next().map_or(0, char::len_utf8);
        match key {
            Key::Char(letter) => self.insert(letter.encode_utf8(&mut [0; 4])),
            Key::Erase => {
                self.at -= before;
                self.text.replace_range(self.at..self.at + before, "");
            }
            Key::Delete => self.text.replace_range(self.at..self.at + behind, ""),
            Key::Left => self.at -= before,
            Key::Right => self.at += behind,
            Key::First => self.at = 0,
            Key::Last => self.at = self.text.len(),
            _ => return false,
        }
        true
    }

    /// The part of it that has room in `width` columns, as it is safe to show, and the column of the cursor.
    pub(super) fn shown(&self, width: usize) -> (String, usize) {
        let width = width.max(3);
        let chars: Vec<(usize, char, usize)> = self
            .text
            .char_indices()
            .map(|(at, c)| {
                let c = safe(c);
                (at, c, mcp_text::width(c.encode_utf8(&mut [0; 4])))
            })
            .collect();
        let cursor = chars.iter().position(|(at, ..)| *at >= self.at).unwrap_or(chars.len());
        let wide = |from: usize, to: usize| chars[from..to].iter().map(|(.., wide)| wide).sum::<usize>();
        let mut from = 0;
        // A mark of what is left out, and the cursor behind the last one, have a column each.
        while wide(from, cursor) + usize::from(from > 0) >= width {
            from += 1;
        }
        let (mut out, mut used) = if from > 0 { ("…".to_owned(), 1) } else { (String::new(), 0) };
        let column = used + wide(from, cursor);
        for (_, c, wide) in &chars[from..] {
            if used + wide > width {
                break;
            }
            out.push(*c);
            used += wide;
        }
        (out, column)
    }
}

/// Something to see in the place of what would act on a terminal, or on the order of what is read.
fn safe(c: char) -> char {
    match c {
        '\n' => '⏎',
        '\t' => ' ',
        c if c.is_control() || mcp_text::is_hidden(c) => '·',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, keys: &[Key]) -> InputLine {
        let mut line = InputLine::default();
        line.insert(text);
        keys.iter().for_each(|key| assert!(line.press(*key), "{key:?}"));
        line
    }

    #[test]
    fn a_line_is_edited_where_its_cursor_stands() {
        use Key::{Char, Delete, Erase, First, Last, Left, Right};
        for (text, keys, expected) in [
            ("ab", &[Left, Char('x')][..], "axb"),
            ("ab", &[First, Erase, Delete, Char('日')], "日b"),
            ("日本", &[Erase, Right, Delete], "日"),
            ("日本", &[First, Right, Char('é'), Last, Char('!')], "日é本!"),
            ("", &[Erase, Delete, Left, Right, First, Last], ""),
            ("a\r\nb\u{1b}\u{7}\rc", &[], "a\nb\nc"),
        ] {
            assert_eq!(line(text, keys).text(), expected, "{keys:?}");
        }
        assert!(!InputLine::default().press(Key::Enter));
        assert_eq!(line(&"x".repeat(MOST + 1), &[]).text(), "");
    }

    #[test]
    fn the_cursor_is_always_in_the_part_that_is_shown_and_nothing_acts_on_the_terminal() {
        for text in ["", "abc", "日本語日本語日本語", "a\u{202e}b\u{200b}c\nd", &"x".repeat(300)] {
            for back in 0..8 {
                let line = line(text, &vec![Key::Left; back]);
                for width in [1, 3, 4, 5, 9, 40] {
                    let (shown, column) = line.shown(width);
                    let room = width.max(3);
                    assert!(
                        mcp_text::width(&shown) <= room && column < room,
                        "{shown:?} {column} of {width}"
                    );
                    assert!(!shown.chars().any(|c| c.is_control() || mcp_text::is_hidden(c)), "{shown:?}");
                }
            }
        }
        assert_eq!(line("abcdef", &[]).shown(4), ("…ef".to_owned(), 3));
    }
}
