//! A text as it is, and what is below its escapes and encodings: bytes that know where in the text they came from.

use std::ops::Range;

use crate::visible::{Piece, Visible};

/// Bytes, each with the piece of the text that it stands for.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    bytes: Vec<u8>,
    /// Where each byte came from; `None` where the bytes are the text itself.
    sources: Option<Vec<(u32, u32)>>,
}

/// The shortest runs that can hold a value: four bytes are six characters of Base64 and eight of hexadecimal.
const MIN_BASE64: usize = 6;
const MIN_HEX: usize = 8;

impl View {
    pub(super) fn of(text: &str) -> Self {
        Self { bytes: text.as_bytes().to_vec(), sources: None }
    }

    /// What a person sees of `text`, where that is something else: who shows it leaves out what is not seen, and so puts a value together
    /// that it takes apart.
    pub(super) fn seen(text: &str) -> Option<Self> {
        if text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)) {
            return None;
        }
        let whole = Self::of(text);
        let mut seen = Self::below();
        let mut visible = Visible::new(text);
        let mut from = 0;
        while let Some(piece) = visible.next() {
            let c = match piece {
                Piece::Char(c, _) | Piece::Blank(c) => c,
                Piece::Break => '\n',
            };
            seen.push(c.encode_utf8(&mut [0; 4]).as_bytes(), &whole, from..visible.at());
            from = visible.at();
        }
        (seen.bytes != whole.bytes).then_some(seen)
    }

    fn below() -> Self {
        Self { bytes: Vec::new(), sources: Some(Vec::new()) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// The bytes of the text that these bytes stand for.
    pub(super) fn source(&self, range: Range<usize>) -> Range<usize> {
        let Some(sources) = &self.sources else { return range };
        match sources.get(range).and_then(|sources| Some((sources.first()?, sources.last()?))) {
            Some((first, last)) => first.0 as usize..last.1 as usize,
            None => 0..0,
        }
    }

    /// Adds what the bytes in `range` of `from` stand for.
    fn push(&mut self, bytes: &[u8], from: &Self, range: Range<usize>) {
        let source = from.source(range);
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(bytes);
        if let Some(sources) = &mut self.sources {
            sources.extend(std::iter::repeat_n((narrow(source.start), narrow(source.end)), bytes.len()));
        }
    }

    /// What is below one level of percent-encoding (RFC 3986 section 2.1), the escapes of strings (RFC 8259 section 7, and
    /// those that programming languages add) and HTML's character references; `None` where there is none.
    pub(super) fn unescaped(&self) -> Option<Self> {
        if !self.bytes.iter().any(|byte| matches!(byte, b'%' | b'\\' | b'&')) {
            return None;
        }
        let mut below = Self::below();
        let (mut at, mut any) = (0, false);
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            let found = match rest[0] {
                b'%' => percent(rest),
                b'\\' => backslash(rest),
                b'&' => reference(rest),
                _ => None,
            };
            let mut buffer = [0; 4];
            let (decoded, length): (&[u8], _) = match found {
                Some(Escape::Byte(byte, length)) => {
                    buffer[0] = byte;
                    (&buffer[..1], length)
                }
                Some(Escape::Char(c, length)) => (c.encode_utf8(&mut buffer).as_bytes(), length),
                None => (&rest[..1], 1),
            };
            any |= found.is_some();
            below.push(decoded, self, at..at + length);
            at += length;
        }
        any.then_some(below)
    }

    /// What its runs of Base64 and hexadecimal, at every alignment, and quoted-printable (RFC 2045) stand for.
    pub(super) fn encodings(&self) -> Vec<Self> {
        let mut views: Vec<Self> = (0..4).map(|skipped| self.base64_from(skipped)).collect();
        views.extend((0..2).map(|skipped| self.hex_from(skipped)));
        views.push(self.hex_dump());
        views.push(self.letter_dump());
        views.extend([false, true].map(|is_swapped| self.word_dump(is_swapped)));
        views.extend(self.quoted_printable());
        views.retain(|view| !view.bytes.is_empty());
        views
    }

    /// The text that this is the Base64 of.
    pub(super) fn base64(&self) -> Option<String> {
        String::from_utf8(self.base64_from(0).bytes).ok().filter(|text| !text.is_empty())
    }

    fn base64_from(&self, skipped: usize) -> Self {
        let mut below = Self::below();
        for run in self.runs(MIN_BASE64, |byte| sextet(byte).is_some()) {
            let mut at = run.start + skipped;
            while at + 2 <= run.end {
                let group = &self.bytes[at..run.end.min(at + 4)];
                let value = |index: usize| u32::from(group.get(index).copied().and_then(sextet).unwrap_or(0));
                let bits = value(0) << 18 | value(1) << 12 | value(2) << 6 | value(3);
                for (index, byte) in bits.to_be_bytes()[1..group.len()].iter().enumerate() {
                    below.push(&[*byte], self, at + index..at + index + 2);
                }
                at += 4;
            }
            // Two runs are not one.
            below.push(&[0], self, run.end..run.end);
        }
        below
    }

    fn hex_from(&self, skipped: usize) -> Self {
        let mut below = Self::below();
        for run in self.runs(MIN_HEX, |byte| byte.is_ascii_hexdigit()) {
            let mut at = run.start + skipped;
            while at + 2 <= run.end {
                if let Some(byte) = hex_byte(&self.bytes[at..]) {
                    below.push(&[byte], self, at..at + 2);
                }
                at += 2;
            }
            below.push(&[0], self, run.end..run.end);
        }
        below
    }

    /// What is dumped byte by byte: `63:61:6e`, `63 61 6e`, `0x63, 0x61, 0x6e`.
    fn hex_dump(&self) -> Self {
        let mut below = Self::below();
        let mut at = 0;
        while at < self.bytes.len() {
            let start = at;
            let mut pairs = Vec::new();
            while let Some(byte) = self.bytes.get(at..).and_then(hex_byte) {
                pairs.push((at, byte));
                at += 2;
                match dump_gap(&self.bytes[at..]) {
                    0 => break,
                    gap => at += gap,
                }
            }
            if pairs.len() >= MIN_HEX / 2 {
                for (at, byte) in pairs {
                    below.push(&[byte], self, at..at + 2);
                }
                below.push(&[0], self, at..at);
            }
            at = at.max(start + 1);
        }
        below
    }

    /// What is dumped letter by letter, as od(1) does: `0000000   c   a   n`.
    fn letter_dump(&self) -> Self {
        let mut below = Self::below();
        let mut letters: Vec<(usize, u8)> = Vec::new();
        let mut end = |letters: &mut Vec<(usize, u8)>| {
            if letters.len() >= MIN_HEX / 2 {
                letters.iter().for_each(|(at, byte)| below.push(&[*byte], self, *at..at + 1));
                let behind = letters.last().map_or(0, |(at, _)| at + 1);
                below.push(&[0], self, behind..behind);
            }
            letters.clear();
        };
        for word in self.runs(1, |byte| !byte.is_ascii_whitespace()) {
            // The place of the next line in what is dumped.
            let is_place =
                (6..=8).contains(&word.len()) && self.bytes[word.clone()].iter().all(u8::is_ascii_hexdigit);
            match word.len() {
                1 => letters.push((word.start, self.bytes[word.start])),
                _ if is_place => {}
                _ => end(&mut letters),
            }
        }
        end(&mut letters);
        below
    }

    /// What is dumped in words of two bytes, as xxd(1) does, and od(1) with the bytes of each in the order of the machine.
    fn word_dump(&self, is_swapped: bool) -> Self {
        let mut below = Self::below();
        for word in self.runs(1, |byte| !byte.is_ascii_whitespace()) {
            let digits = &self.bytes[word.clone()];
            let pair = (digits.len() == 4).then(|| hex_byte(digits).zip(hex_byte(&digits[2..]))).flatten();
            match pair {
                Some((first, second)) => {
                    let bytes = if is_swapped { [second, first] } else { [first, second] };
                    below.push(&bytes, self, word);
                }
                // The place of the next line.
                None if digits.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b':')
                    && digits.len() >= 6 => {}
                None => below.push(&[0], self, word.end..word.end),
            }
        }
        if below.bytes.iter().all(|byte| *byte == 0) { Self::below() } else { below }
    }

    fn quoted_printable(&self) -> Option<Self> {
        let mut below = Self::below();
        let (mut at, mut any) = (0, false);
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            let (decoded, length) = match rest {
                [b'=', b'\r', b'\n', ..] => (None, 3),
                [b'=', b'\n', ..] => (None, 2),
                [b'=', digits @ ..] => match hex_byte(digits) {
                    Some(byte) => (Some(byte), 3),
                    None => (Some(b'='), 1),
                },
                [byte, ..] => (Some(*byte), 1),
                [] => break,
            };
            any |= length > 1;
            if let Some(byte) = decoded {
                below.push(&[byte], self, at..at + length);
            }
            at += length;
        }
        any.then_some(below)
    }

    /// The longest runs of such bytes, of `min` bytes at least.
    fn runs(&self, min: usize, is_part: impl Fn(u8) -> bool) -> Vec<Range<usize>> {
        let mut runs = Vec::new();
        let mut start = None;
        for at in 0..=self.bytes.len() {
            match (self.bytes.get(at).is_some_and(|byte| is_part(*byte)), start) {
                (true, None) => start = Some(at),
                (false, Some(from)) => {
                    if at - from >= min {
                        runs.push(from..at);
                    }
                    start = None;
                }
                _ => {}
            }
        }
        runs
    }
}

/// What an escape stands for, and how long it is.
enum Escape {
    Byte(u8, usize),
    Char(char, usize),
}

fn percent(rest: &[u8]) -> Option<Escape> {
    match rest.get(1)? {
        b'u' | b'U' => Some(Escape::Char(char::from_u32(hex(rest.get(2..6)?)?)?, 6)),
        _ => Some(Escape::Byte(hex_byte(&rest[1..])?, 3)),
    }
}

fn backslash(rest: &[u8]) -> Option<Escape> {
    Some(match rest.get(1)? {
        b'u' if rest.get(2) == Some(&b'{') => {
            let digits = rest[3..].iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
            let closed = rest.get(3 + digits) == Some(&b'}');
            let c = char::from_u32(hex(&rest[3..3 + digits])?).filter(|_| closed)?;
            Escape::Char(c, 4 + digits)
        }
        b'u' | b'U' => {
            let unit = hex(rest.get(2..6)?)?;
            let low = rest.get(6..12).filter(|low| low.starts_with(b"\\u")).and_then(|low| hex(&low[2..]));
            match (unit, low) {
                (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
                    let c = 0x10000 + ((unit - 0xd800) << 10 | (low - 0xdc00));
                    Escape::Char(char::from_u32(c)?, 12)
                }
                _ => Escape::Char(char::from_u32(unit)?, 6),
            }
        }
        b'x' | b'X' => Escape::Byte(hex_byte(&rest[2..])?, 4),
        b'n' => Escape::Byte(b'\n', 2),
        b'r' => Escape::Byte(b'\r', 2),
        b't' => Escape::Byte(b'\t', 2),
        mark if mark.is_ascii_punctuation() => Escape::Byte(*mark, 2),
        _ => return None,
    })
}

/// A character reference of HTML, as `&#47;`, `&#x2F;` or by name.
fn reference(rest: &[u8]) -> Option<Escape> {
    const NAMED: [(&str, char); 16] = [
        ("amp", '&'),
        ("apos", '\''),
        ("ast", '*'),
        ("colon", ':'),
        ("comma", ','),
        ("commat", '@'),
        ("equals", '='),
        ("excl", '!'),
        ("gt", '>'),
        ("lowbar", '_'),
        ("lt", '<'),
        ("num", '#'),
        ("period", '.'),
        ("plus", '+'),
        ("quot", '"'),
        ("sol", '/'),
    ];
    let end = rest.iter().take(12).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&rest[1..end]).ok()?;
    let c = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
        None => NAMED.iter().find(|(known, _)| *known == name)?.1,
    };
    Some(Escape::Char(c, end + 1))
}

fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_hexdigit))?;
    u32::from_str_radix(text, 16).ok()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    hex(digits.get(..2)?).and_then(|byte| u8::try_from(byte).ok())
}

/// How much stands between one byte of a dump and the next.
fn dump_gap(rest: &[u8]) -> usize {
    let marks = rest.iter().take(2).take_while(|byte| b":-., ;|".contains(byte)).count();
    match &rest[marks..] {
        [b'0', b'x' | b'X', ..] => marks + 2,
        _ => marks,
    }
}

/// A character of Base64 in either alphabet (RFC 4648 sections 4 and 5).
fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}
