//! JSON as people write it in configuration files, with the place of everything in it.
//!
//! A parser of our own, because two things are needed that a data-binding parser does not give:
//! an error that names line, column and pointer without quoting the text (which may be a secret), and the
//! byte span of every key and value, so that an edit can change one entry and keep comments and order.
//!
//! The dialect is RFC 8259 plus a leading byte order mark, `//` and `/* */` comments and one trailing comma.

mod parse;
mod pointer;
mod tree;

pub(crate) use parse::{MAX_DEPTH, SyntaxError, parse, parse_to};
pub(crate) use pointer::Pointer;
pub(crate) use tree::{Member, Node, Object, Span, Value, WholeNumber};

/// How many bytes lie between two marks: so many are looked at, at most, to find a column.
const MARK_EVERY: usize = 1024;

/// Finds line and column of byte offsets in one text, whatever the length of its lines.
#[derive(Clone, Debug)]
pub(crate) struct LineIndex {
    /// The offset at which each line begins.
    starts: Vec<u32>,
    /// How many characters begin before each multiple of [`MARK_EVERY`].
    marks: Vec<u32>,
}

impl LineIndex {
    pub(crate) fn new(text: &str) -> Self {
        let narrow = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        let breaks =
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| narrow(at + 1));
        let mut marks = Vec::with_capacity(text.len() / MARK_EVERY + 1);
        let mut count = 0;
        for chunk in text.as_bytes().chunks(MARK_EVERY) {
            marks.push(narrow(count));
            count += begins(chunk);
        }
        Self { starts: std::iter::once(0).chain(breaks).collect(), marks }
    }

    /// The line of `offset`, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start as usize <= offset).max(1)
    }

    /// Line and column of `offset`, both from 1; columns count characters, as editors do.
    pub(crate) fn position(&self, text: &str, offset: usize) -> (usize, usize) {
        let line = self.line(offset) - 1;
        let start = self.starts[line] as usize;
        let marks = usize::from(line == 0 && text.starts_with('\u{feff}') && offset > 0);
        (line + 1, self.characters(text, offset) - self.characters(text, start) - marks + 1)
    }

    /// How many characters begin before `offset`.
    fn characters(&self, text: &str, offset: usize) -> usize {
        let offset = offset.min(text.len());
        let mark = (offset / MARK_EVERY).min(self.marks.len().saturating_sub(1));
        let counted = self.marks.get(mark).copied().unwrap_or(0) as usize;
        counted + begins(&text.as_bytes()[mark * MARK_EVERY..offset])
    }
}

/// How many characters of UTF-8 begin in these bytes.
fn begins(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte as i8) >= -0x40).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_not_the_byte_order_mark() {
        let text = "\u{feff}{\n  \"ä\": x\n}";
        let lines = LineIndex::new(text);
        assert_eq!(lines.position(text, 3), (1, 1));
        assert_eq!(lines.position(text, text.find('x').unwrap()), (2, 8));
        assert_eq!(lines.position(text, text.len()), (3, 2));
        assert_eq!(LineIndex::new("").position("", 0), (1, 1));
    }

    #[test]
    fn s_m16_columns_are_found_from_the_nearest_mark() {
        let text = format!("{}\n{}", "ä€😀x".repeat(700), "äx".repeat(3000));
        let lines = LineIndex::new(&text);
        for (offset, _) in text.char_indices() {
            let before = &text[..offset];
            let start = before.rfind('\n').map_or(0, |at| at + 1);
            let expected = (before.matches('\n').count() + 1, text[start..offset].chars().count() + 1);
            assert_eq!(lines.position(&text, offset), expected, "{offset}");
        }
    }
}
