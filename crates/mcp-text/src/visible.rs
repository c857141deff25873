//! What of a text is seen: the pieces that [`line`](crate::line()) and [`block`](crate::block()) are made of.

use unicode_width::UnicodeWidthChar as _;

use crate::sequence::Sequences;

/// Marks that one character may carry. Scripts need up to three; a hundred of them paint over the lines above.
const MAX_MARKS: usize = 4;

/// One piece of a text as a person sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    /// A character and how many columns it takes.
    Char(char, usize),
    /// White space within a line, as it was written. A control character that stands alone is a blank.
    Blank(char),
    /// The end of a line.
    Break,
}

/// The visible pieces of a text, in order.
#[derive(Clone, Debug)]
pub(crate) struct Visible<'a> {
    text: &'a str,
    at: usize,
    sequences: Sequences<'a>,
    /// How many marks the last character can still carry.
    marks_left: usize,
}

impl<'a> Visible<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, sequences: Sequences::new(text), marks_left: 0 }
    }

    /// Where the piece ends, in the text, that came last.
    pub(crate) fn at(&self) -> usize {
        self.at
    }
}

impl Iterator for Visible<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        loop {
            let c = self.text[self.at..].chars().next()?;
            self.at += c.len_utf8();
            let piece = match c {
                '\u{1b}' | '\u{80}'..='\u{9f}' | '\0'..='\u{1f}' | '\u{7f}' => {
                    if let Some(end) = self.sequences.end(c, self.at) {
                        self.at = end;
                        continue;
                    }
                    match c {
                        '\r' if self.text[self.at..].starts_with('\n') => continue,
                        '\n' | '\r' | '\u{85}' => Piece::Break,
                        '\t' => Piece::Blank('\t'),
                        _ => Piece::Blank(' '),
                    }
                }
                '\u{2028}' | '\u{2029}' => Piece::Break,
                // Looks like a blank and is none for Unicode.
                '\u{2800}' => Piece::Blank(' '),
                c if is_invisible(c) => continue,
                c if c.is_whitespace() => Piece::Blank(' '),
                c => match c.width() {
                    Some(0) if self.marks_left == 0 => continue,
                    Some(0) => {
                        self.marks_left -= 1;
                        return Some(Piece::Char(c, 0));
                    }
                    columns => {
                        self.marks_left = MAX_MARKS;
                        return Some(Piece::Char(c, columns.unwrap_or(1)));
                    }
                },
            };
            // A mark behind a blank would be painted onto whatever stands before.
            self.marks_left = 0;
            return Some(piece);
        }
    }
}

/// Whether a character is not seen itself, and hides, joins or reorders what is: the default ignorables of Unicode
/// (UAX #44, which the directions of UAX #9, zero widths, fillers, variation selectors and tags are part of), and the
/// other format characters. What some of them do to an emoji or a ligature is lost with them.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{13430}'..='\u{13455}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || is_noncharacter(c)
}

/// Characters that will never be assigned (Unicode section 23.7).
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || (c as u32) & 0xfffe == 0xfffe
}
