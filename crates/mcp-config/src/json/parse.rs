//! Text to tree.

use std::fmt;

use super::tree::WholeNumber;
use super::{Member, Node, Object, Pointer, Span, Value};

/// How deep arrays and objects may nest. Configuration needs six levels; a file made to exhaust the
/// stack is refused well before it could.
pub(crate) const MAX_DEPTH: usize = 128;

/// What is wrong with a text, and where. Never quotes the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SyntaxError {
    /// Where the parser could not go on.
    pub(crate) offset: usize,
    /// The value that it was in.
    pub(crate) pointer: Pointer,
    /// What is wrong, as a lowercase fragment.
    pub(crate) message: &'static str,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

/// Parses a whole text; spans are byte offsets into `text`, byte order mark included.
pub(crate) fn parse(text: &str) -> Result<Node, SyntaxError> {
    parse_to(text, MAX_DEPTH)
}

/// As [`parse`], where what is nested deeper than `kept` is checked and left out: arrays and objects there are empty.
pub(crate) fn parse_to(text: &str, kept: usize) -> Result<Node, SyntaxError> {
    let mut parser = Parser { text, at: 0, path: Pointer::default(), depth: 0, kept };
    if u32::try_from(text.len()).is_err() {
        return Err(parser.error("the file is too long"));
    }
    if text.starts_with('\u{feff}') {
        parser.at = '\u{feff}'.len_utf8();
    }
    parser.skip_blank()?;
    if parser.peek().is_none() {
        return Err(parser.error("the file is empty"));
    }
    let root = parser.value()?;
    parser.skip_blank()?;
    match parser.peek() {
        None => Ok(root),
        Some(_) => Err(parser.error("unexpected text after the end of the document")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    path: Pointer,
    depth: usize,
    /// How deep members and items are kept.
    kept: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn error(&self, message: &'static str) -> SyntaxError {
        self.error_at(self.at, message)
    }

    fn error_at(&self, offset: usize, message: &'static str) -> SyntaxError {
        SyntaxError { offset, pointer: self.path.clone(), message }
    }

    fn skip_blank(&mut self) -> Result<(), SyntaxError> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(b'/') => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn comment(&mut self) -> Result<(), SyntaxError> {
        let rest = &self.text[self.at..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(body) = rest.strip_prefix("/*") {
            let end = body.find("*/").ok_or_else(|| self.error("this comment is not closed"))?;
            end + "/**/".len()
        } else {
            return Err(self.error("expected a value"));
        };
        self.at += length;
        Ok(())
    }

    fn value(&mut self) -> Result<Node, SyntaxError> {
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(b'"') => Value::String(self.string()?.into_boxed_str()),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't' | b'f' | b'n') => self.word()?,
            Some(b'\'') => return Err(self.error("strings are written in double quotes")),
            Some(b'}' | b']' | b',' | b':') | None => return Err(self.error("expected a value")),
            Some(_) => return Err(self.error("expected a value; strings are written in double quotes")),
        };
        Ok(Node { span: Span::new(start, self.at), value })
    }

    fn nested(&mut self, body: fn(&mut Self) -> Result<Value, SyntaxError>) -> Result<Value, SyntaxError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        self.depth += 1;
        self.at += 1;
        let value = body(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, SyntaxError> {
        let mut members = Vec::new();
        loop {
            self.skip_blank()?;
            match self.peek() {
                Some(b'}') => break self.at += 1,
                Some(b'"') => {}
                None => return Err(self.error("the file ends inside an object; `}` is missing")),
                Some(_) => return Err(self.error("expected a key in double quotes, or `}`")),
            }
            let start = self.at;
            let key = self.string()?;
            let key_span = Span::new(start, self.at);
            self.path.push_key(&key);
            self.skip_blank()?;
            if self.peek() != Some(b':') {
                return Err(self.error("expected `:` after the key"));
            }
            self.at += 1;
            self.skip_blank()?;
            let node = self.value()?;
            self.skip_blank()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {}
                None => return Err(self.error("the file ends inside an object; `}` is missing")),
                Some(_) => return Err(self.error("expected `,` or `}` after the value")),
            }
            self.path.pop();
            if self.depth <= self.kept {
                let key = key.into_boxed_str();
                members.push(Member { key, key_span, node, overridden: false });
            }
        }
        Ok(Value::Object(Object::of(members)))
    }

    fn array(&mut self) -> Result<Value, SyntaxError> {
        let mut items = Vec::new();
        let mut count = 0;
        loop {
            self.skip_blank()?;
            match self.peek() {
                Some(b']') => break self.at += 1,
                None => return Err(self.error("the file ends inside an array; `]` is missing")),
                Some(_) => {}
            }
            self.path.push_index(count);
            count += 1;
            let item = self.value()?;
            if self.depth <= self.kept {
                items.push(item);
            }
            self.skip_blank()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {}
                None => return Err(self.error("the file ends inside an array; `]` is missing")),
                Some(_) => return Err(self.error("expected `,` or `]` after the value")),
            }
            self.path.pop();
        }
        Ok(Value::Array(items.into_boxed_slice()))
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        let open = self.at;
        self.at += 1;
        let mut value = String::new();
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            // A tab that was typed means a tab, as a comment means a comment: one does not take a whole file down.
            let Some(plain) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=8 | 10..=0x1f))
            else {
                return Err(self.error_at(open, "this string is not closed"));
            };
            // Both ends of the run are at ASCII bytes or the end of an escape, hence character boundaries.
            value.push_str(&self.text[self.at..self.at + plain]);
            self.at += plain;
            match rest[plain] {
                b'"' => {
                    self.at += 1;
                    return Ok(value);
                }
                b'\\' => value.push(self.escape()?),
                b'\n' | b'\r' => return Err(self.error("a string may not go over the end of a line")),
                _ => return Err(self.error("a control character in a string must be escaped")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let start = self.at;
        let byte = self.text.as_bytes().get(self.at + 1).copied();
        self.at += 2;
        Ok(match byte {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => self.code_unit(start)?,
            _ => return Err(self.error_at(start, "unknown escape; write a backslash as `\\\\`")),
        })
    }

    /// The rest of a `\u` escape, and of its second half where it is a surrogate pair. A lone surrogate
    /// has no character; it becomes U+FFFD, as in most readers.
    fn code_unit(&mut self, start: usize) -> Result<char, SyntaxError> {
        let high = self.hex4(start)?;
        if (0xd800..0xdc00).contains(&high) && self.text[self.at..].starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            let low = self.hex4(before)?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self, start: usize) -> Result<u32, SyntaxError> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let code = digits.and_then(|digits| {
            digits.iter().try_fold(0, |code, digit| Some(code * 16 + char::from(*digit).to_digit(16)?))
        });
        self.at += 4;
        code.ok_or_else(|| self.error_at(start, "`\\u` needs four hexadecimal digits"))
    }

    fn number(&mut self) -> Result<Value, SyntaxError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.digits();
        let mut valid = whole > 0 && !(leading_zero && whole > 1);
        if self.peek() == Some(b'.') {
            self.at += 1;
            valid &= self.digits() > 0;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            valid &= self.digits() > 0;
        }
        if !valid {
            return Err(self.error_at(start, "this is not a number as JSON writes it"));
        }
        Ok(Value::Number(WholeNumber::parse(&self.text[start..self.at])))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn word(&mut self) -> Result<Value, SyntaxError> {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let value = match &rest[..length] {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            _ => return Err(self.error("expected a value; strings are written in double quotes")),
        };
        self.at += length;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::PAIRWISE;
    use super::*;

    fn error(text: &str) -> (usize, String, &'static str) {
        let error = parse(text).unwrap_err();
        (error.offset, error.pointer.to_string(), error.message)
    }

    #[test]
    fn people_may_write_comments_trailing_commas_and_a_byte_order_mark() {
        let text = "\u{feff}// top\n{ /* a */ \"a\": [1, 2,], // b\n \"b\": {\"c\": null,}, }\n// end";
        let root = parse(text).unwrap();
        let object = root.as_object().unwrap();
        assert_eq!(object.get("a").unwrap().as_array().unwrap().len(), 2);
        assert!(object.get("b").unwrap().as_object().unwrap().get("c").unwrap().is_null());
        let span = object.get("a").unwrap().span;
        assert_eq!(&text[span.start()..span.end()], "[1, 2,]");
        let key = object.iter().next().unwrap().key_span;
        assert_eq!(&text[key.start()..key.end()], "\"a\"");
    }

    #[test]
    fn errors_name_offset_and_pointer() {
        assert_eq!(error(""), (0, String::new(), "the file is empty"));
        assert_eq!(error("  // only a comment"), (19, String::new(), "the file is empty"));
        assert_eq!(error("{\"a\": }"), (6, "/a".into(), "expected a value"));
        assert_eq!(error("{\"a\": [1 2]}"), (9, "/a/0".into(), "expected `,` or `]` after the value"));
        assert_eq!(error("{\"a\" 1}"), (5, "/a".into(), "expected `:` after the key"));
        assert_eq!(error("{\"a\": \"x"), (6, "/a".into(), "this string is not closed"));
        assert_eq!(error("{\"a\": 1"), (7, "/a".into(), "the file ends inside an object; `}` is missing"));
        assert_eq!(error("{} x"), (3, String::new(), "unexpected text after the end of the document"));
        assert_eq!(error("{,}"), (1, String::new(), "expected a key in double quotes, or `}`"));
        assert_eq!(error("[1,,2]"), (3, "/1".into(), "expected a value"));
        assert_eq!(error("/* a"), (0, String::new(), "this comment is not closed"));
        for number in ["01", "-", "1.", "1e", "--1"] {
            assert_eq!(error(number).2, "this is not a number as JSON writes it", "{number}");
        }
    }

    #[test]
    fn strings_are_decoded() {
        let root =
            parse(r#"["a\"\\\/\b\f\n\r\t", "\u00e4\ud83d\ude00", "\ud800x", "\ud800\u0041"]"#).unwrap();
        let items: Vec<_> = root.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect();
        assert_eq!(items, ["a\"\\/\u{8}\u{c}\n\r\t", "ä😀", "\u{fffd}x", "\u{fffd}A"]);
        assert_eq!(error("\"a\nb\"").2, "a string may not go over the end of a line");
        assert_eq!(error("\"C:\\path\"").2, "unknown escape; write a backslash as `\\\\`");
        assert_eq!(error("\"\\u12g4\"").2, "`\\u` needs four hexadecimal digits");
        assert_eq!(error("\"\\u12").2, "`\\u` needs four hexadecimal digits");
        assert_eq!(error("\"\\u12ä\"").2, "`\\u` needs four hexadecimal digits");
        assert_eq!(error("\"\\").2, "unknown escape; write a backslash as `\\\\`");
    }

    #[test]
    fn the_last_of_two_equal_keys_wins_in_small_and_large_objects() {
        for fill in [0, 2 * PAIRWISE] {
            let filler: String = (0..fill).map(|n| format!("\"k{n}\": 0,")).collect();
            let root = parse(&format!("{{\"a\": 1, {filler} \"b\": 2, \"a\": 3}}")).unwrap();
            let object = root.as_object().unwrap();
            assert_eq!(object.get("a").unwrap().as_u64(), Some(3));
            assert_eq!(object.overridden().map(|member| &*member.key).collect::<Vec<_>>(), ["a"]);
            assert_eq!(object.iter().filter(|member| &*member.key == "a").count(), 1);
        }
    }

    #[test]
    fn s_m16_what_is_not_asked_for_is_checked_and_not_kept() {
        let root = parse_to(r#"{"mcpServers": {"a": {"args": [1, 2]}}, "b": [[1], 2]}"#, 2).unwrap();
        let object = root.as_object().unwrap();
        let servers = object.get("mcpServers").unwrap().as_object().unwrap();
        assert!(servers.get("a").unwrap().as_object().unwrap().iter().next().is_none());
        assert_eq!(object.get("b").unwrap().as_array().unwrap().len(), 2);
        assert!(parse_to(r#"{"a": {"b": [1,,2]}}"#, 1).is_err());
    }

    #[test]
    fn s_m16_a_value_takes_few_bytes() {
        // A hostile text has one in every second byte.
        assert!(size_of::<Node>() <= 32, "{}", size_of::<Node>());
        assert!(size_of::<Member>() <= 64, "{}", size_of::<Member>());
    }

    #[test]
    fn depth_is_bounded() {
        let nest = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nest(MAX_DEPTH)).is_ok());
        assert_eq!(error(&nest(MAX_DEPTH + 1)).2, "nested too deeply");
        assert_eq!(error(&"[".repeat(1_000_000)).2, "nested too deeply");
    }

    #[test]
    fn whole_numbers_are_recognised_in_any_spelling() {
        for (text, value) in [("30000", Some(30_000)), ("3e4", Some(30_000)), ("5.0", Some(5)), ("0.5", None)]
        {
            assert_eq!(parse(text).unwrap().as_u64(), value, "{text}");
        }
        assert_eq!(parse("-1").unwrap().as_u64(), None);
        assert_eq!(parse("\"1\"").unwrap().as_u64(), None);
    }

    #[test]
    fn any_prefix_of_a_document_is_an_error_and_not_a_panic() {
        let text = "\u{feff}{\"ä\\u00e4\": [1.5e3, true, \"\\ud83d\\ude00\"], /* c */ \"b\": null}";
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(parse(&text[..end]).is_err(), "{end}");
        }
        assert!(parse(text).is_ok());
    }

    #[test]
    fn debug_shows_the_shape_and_no_value() {
        assert_eq!(format!("{:?}", parse("{\"a\": \"canary\"}").unwrap()), "an object at 0..15");
    }
}
