//! Where a terminal's sequence ends (ECMA-48 section 5): it is taken out whole, so that no half of it is left as text.

/// What a terminal's string (OSC, DCS, SOS, PM, APC) ends with, or gives up at.
const ENDS: [char; 7] = ['\u{7}', '\u{18}', '\u{1a}', '\u{1b}', '\u{9c}', '\n', '\r'];

/// Finds the sequences of one text, in linear time altogether.
#[derive(Clone, Debug)]
pub(crate) struct Sequences<'a> {
    text: &'a str,
    /// The first of [`ENDS`] that was found, with where the search began: it serves for every start in between.
    found: Option<(usize, Option<usize>)>,
}

impl<'a> Sequences<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, found: None }
    }

    /// The end of the sequence that `c` begins, `at` being the byte behind it: `at` itself where nothing follows that
    /// belongs to it. `None` for a character that begins no sequence.
    pub(crate) fn end(&mut self, c: char, at: usize) -> Option<usize> {
        let rest = &self.text.as_bytes()[at..];
        match (c, rest.first()) {
            ('\u{9b}', _) => Some(at + control(rest)),
            ('\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}', _) => Some(self.string(at)),
            ('\u{1b}', Some(b'[')) => Some(at + 1 + control(&rest[1..])),
            ('\u{1b}', Some(b']' | b'P' | b'X' | b'^' | b'_')) => Some(self.string(at + 1)),
            ('\u{1b}', _) => Some(at + escape(rest)),
            _ => None,
        }
    }

    /// The end of a string whose content begins `at`. One that is never ended, or goes on in the next line, keeps its
    /// content as text: nothing is hidden that a terminal might have shown.
    fn string(&mut self, at: usize) -> usize {
        let end = match self.found {
            Some((from, end)) if from <= at && end.is_none_or(|end| at <= end) => end,
            _ => {
                let end = self.text[at..].find(ENDS).map(|end| at + end);
                self.found = Some((at, end));
                end
            }
        };
        let Some(end) = end else { return at };
        let rest = &self.text.as_bytes()[end..];
        match rest {
            [b'\n' | b'\r', ..] => at,
            [0x1b, b'\\', ..] => end + 2,
            // What begins the next sequence ends this one.
            [0x1b, ..] => end,
            [0xc2, ..] => end + 2,
            _ => end + 1,
        }
    }
}

/// The length of a control sequence behind its introducer: parameters, intermediates, one final byte.
fn control(rest: &[u8]) -> usize {
    let inner = rest.iter().take_while(|byte| (b' '..=b'?').contains(byte)).count();
    inner + usize::from(rest.get(inner).is_some_and(|byte| (b'@'..=b'~').contains(byte)))
}

/// The length of any other escape sequence behind its `ESC`: intermediates and one final byte.
fn escape(rest: &[u8]) -> usize {
    let inner = rest.iter().take_while(|byte| (b' '..=b'/').contains(byte)).count();
    inner + usize::from(rest.get(inner).is_some_and(|byte| (b'0'..=b'~').contains(byte)))
}
