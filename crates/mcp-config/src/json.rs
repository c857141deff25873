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

pub(crate) use parse::parse;
pub(crate) use pointer::Pointer;
pub(crate) use tree::{Member, Node, Object, Span, Value};

/// Finds line and column of byte offsets in one text.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// The offset at which each line begins.
    starts: Vec<usize>,
}

impl Lines {
    pub(crate) fn new(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// The line of `offset`, from 1. Columns are not counted for every value, because a file may be one long line.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).max(1)
    }

    /// Line and column of `offset`, both from 1; columns count characters, as editors do.
    pub(crate) fn position(&self, text: &str, offset: usize) -> (usize, usize) {
        let line = self.line(offset) - 1;
        let start = self.starts[line];
        let before = text.get(start..offset).unwrap_or_default();
        let marks = usize::from(line == 0 && before.starts_with('\u{feff}'));
        (line + 1, before.chars().count() - marks + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_not_the_byte_order_mark() {
        let text = "\u{feff}{\n  \"ä\": x\n}";
        let lines = Lines::new(text);
        assert_eq!(lines.position(text, 3), (1, 1));
        assert_eq!(lines.position(text, text.find('x').unwrap()), (2, 8));
        assert_eq!(lines.position(text, text.len()), (3, 2));
        assert_eq!(Lines::new("").position("", 0), (1, 1));
    }
}
