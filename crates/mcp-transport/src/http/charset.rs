//! Bodies in UTF-16 and Latin-1, read as the UTF-8 that all else here is.
//!
//! JSON that is exchanged is UTF-8 (RFC 8259 section 8.1), and so are event streams (WHATWG HTML, section 9.2.6); servers on
//! Windows, and gateways before them, write UTF-16 all the same. Everything that a server of MCP may say begins with ASCII, so
//! the first two bytes tell, whatever the type of the body says.

use bytes::Bytes;
use http::{HeaderMap, header};

/// What the bytes of one body are.
#[derive(Debug)]
pub(super) enum Charset {
    /// Not known before two bytes are there; this is the first.
    Undecided(Option<u8>),
    Utf8,
    Utf16(Box<Utf16>),
}

/// What of UTF-16 is still incomplete.
#[derive(Debug)]
pub(super) struct Utf16 {
    is_big: bool,
    byte: Option<u8>,
    /// The first half of a pair of surrogates.
    high: Option<u16>,
}

impl Charset {
    /// The piece as UTF-8; empty where more has to arrive first.
    pub(super) fn read(&mut self, piece: Bytes) -> Bytes {
        match self {
            Self::Utf8 => piece,
            Self::Utf16(state) => state.decoded(&piece),
            Self::Undecided(first) => {
                let piece = match first.take() {
                    Some(first) => [&[first], &*piece].concat().into(),
                    None => piece,
                };
                let order = match *piece {
                    [only] if may_begin_utf16(only) => {
                        *self = Self::Undecided(Some(only));
                        return Bytes::new();
                    }
                    [one, two, ..] => byte_order(one, two),
                    _ => None,
                };
                match order {
                    Some(is_big) => {
                        let mut state = Utf16 { is_big, byte: None, high: None };
                        let text = state.decoded(&piece);
                        *self = Self::Utf16(Box::new(state));
                        text
                    }
                    None => {
                        *self = Self::Utf8;
                        piece
                    }
                }
            }
        }
    }

    /// What is left where the body ends.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        match self {
            Self::Undecided(first) => first.take().map(|byte| Bytes::copy_from_slice(&[byte])),
            // Half a character is none.
            Self::Utf8 | Self::Utf16(_) => None,
        }
    }
}

/// `body` as UTF-8, where it is none and its type says that it is Latin-1. Many say so and send UTF-8, so what the bytes are comes first.
pub(super) fn from_latin1(body: Vec<u8>, headers: &HeaderMap) -> Vec<u8> {
    let says_so = || {
        let kind =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Nearly every answer has no parameter, and is not read another time for this.
        let Some((_, parameters)) = kind.split_once(';') else { return false };
        let parameters = parameters.to_ascii_lowercase();
        let name = parameters.split_once("charset=").map_or("", |(_, name)| name);
        let name = name.split(';').next().unwrap_or_default().trim_matches([' ', '"', '\'']);
        matches!(name, "iso-8859-1" | "latin1" | "latin-1" | "windows-1252" | "cp1252" | "us-ascii")
    };
    match says_so() && std::str::from_utf8(&body).is_err() {
        true => body.into_iter().map(of_windows_1252).collect::<String>().into_bytes(),
        false => body,
    }
}

/// What all of these names mean on the web (WHATWG Encoding, section 4.2); its marks where Latin-1 has controls.
fn of_windows_1252(byte: u8) -> char {
    const MARKS: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    match byte {
        0x80..=0x9f => MARKS.chars().nth(usize::from(byte - 0x80)).unwrap_or(char::REPLACEMENT_CHARACTER),
        _ => char::from(byte),
    }
}

fn may_begin_utf16(byte: u8) -> bool {
    matches!(byte, 0 | 0xfe | 0xff) || is_ascii_text(byte)
}

fn is_ascii_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

/// Whether a body that begins like this is UTF-16 with the big end first, or last; `None` where it is not UTF-16.
fn byte_order(one: u8, two: u8) -> Option<bool> {
    match (one, two) {
        (0xfe, 0xff) => Some(true),
        (0xff, 0xfe) => Some(false),
        (0, byte) if is_ascii_text(byte) => Some(true),
        (byte, 0) if is_ascii_text(byte) => Some(false),
        _ => None,
    }
}

impl Utf16 {
    fn decoded(&mut self, piece: &[u8]) -> Bytes {
        let mut bytes = self.byte.take().into_iter().chain(piece.iter().copied());
        let mut units: Vec<u16> = self.high.take().into_iter().collect();
        while let Some(one) = bytes.next() {
            let Some(two) = bytes.next() else {
                self.byte = Some(one);
                break;
            };
            let unit = [one, two];
            units.push(if self.is_big { u16::from_be_bytes(unit) } else { u16::from_le_bytes(unit) });
        }
        self.high = units.pop_if(|unit| (0xd800..0xdc00).contains(unit));
        let text: String =
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a body that arrives in pieces of this length is read as.
    fn read(body: &[u8], length: usize) -> String {
        let mut charset = Charset::Undecided(None);
        let mut whole = Vec::new();
        for piece in body.chunks(length) {
            whole.extend_from_slice(&charset.read(Bytes::copy_from_slice(piece)));
        }
        whole.extend(charset.rest().unwrap_or_default());
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn fb_t4_utf16_is_read_in_any_order_and_in_any_pieces() {
        for text in ["{\"a\":\"grüße 日本 😀\"}", "data: 😀\n\n", "[", "{", ""] {
            for mark in ["", "\u{feff}"] {
                let marked = format!("{mark}{text}");
                let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
                let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
                for length in [1, 2, 3, 7, 100] {
                    assert_eq!(read(&big, length), marked, "{length}");
                    assert_eq!(read(&little, length), marked, "{length}");
                    assert_eq!(read(marked.as_bytes(), length), marked, "{length}");
                }
            }
        }
        assert_eq!(
            read(b"{\0\xdc\xd8x\0\xdc", 3),
            "{\u{fffd}x",
            "half a pair, and half a character at the end"
        );
    }

    #[test]
    fn fb_t4_latin1_is_read_where_it_is_said_and_the_bytes_are_no_utf8() {
        let read = |kind: &'static str, body: &[u8]| {
            let headers =
                HeaderMap::from_iter([(header::CONTENT_TYPE, http::HeaderValue::from_static(kind))]);
            from_latin1(body.to_vec(), &headers)
        };
        let latin1 = b"gr\xfc\xdfe \x80\x9f";
        for kind in ["application/json; charset=ISO-8859-1", "text/plain;charset=\"windows-1252\"; a=b"] {
            assert_eq!(read(kind, latin1), "grüße €Ÿ".as_bytes(), "{kind}");
            assert_eq!(read(kind, "grüße".as_bytes()), "grüße".as_bytes(), "{kind}");
        }
        for kind in
            ["application/json", "application/json; charset=utf-8", "application/json; charset=koi8-r"]
        {
            assert_eq!(read(kind, latin1), latin1, "{kind}");
        }
    }
}
