//! Where the members of a message are: a reader of JSON (RFC 8259) that checks every byte and keeps none.
//!
//! Most of a large result is the inside of strings, which are passed over here as fast as memory is read. A reader
//! that builds values takes several times as long.

/// The members of the object that `text` is, in their order; `None` where it is not an object, or `member` says so.
/// `member` gets each name as it is spelled, quotes included, and each value.
pub(crate) fn members<'a>(
    text: &'a str,
    mut member: impl FnMut(&'a str, &'a str) -> Option<()>,
) -> Option<()> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.list(b'{', b'}', |scanner| {
        let name = scanner.name()?;
        member(name, scanner.value()?)
    })
}

/// The elements of the array that `text` is, in their order; `None` where it is not an array, or `element` says so.
pub(crate) fn elements<'a>(text: &'a str, mut element: impl FnMut(&'a str) -> Option<()>) -> Option<()> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.list(b'[', b']', |scanner| element(scanner.value()?))
}

/// A place in a text. Every method moves behind what it reads, and ends with `None` where something else is there.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// What surrounds a place in a value.
#[derive(Clone, Copy)]
enum Container {
    Array,
    Object,
}

impl<'a> Scanner<'a> {
    /// One list of what `item` reads, and nothing behind it.
    fn list(&mut self, open: u8, close: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(open)?;
        if !self.skip(close) {
            loop {
                item(self)?;
                if self.skip(close) {
                    break;
                }
                self.expect(b',')?;
            }
        }
        self.space();
        (self.at == self.text.len()).then_some(())
    }

    /// A name as it is spelled, and the colon behind it.
    fn name(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let begin = self.at - 1;
        self.rest_of_string()?;
        let name = &self.text[begin..self.at];
        self.expect(b':')?;
        Some(name)
    }

    /// A value of any depth, as it stands.
    fn value(&mut self) -> Option<&'a str> {
        self.space();
        let begin = self.at;
        // Depth is memory here, and not stack: how deep a value is, is for its sender to say.
        let mut open = Vec::new();
        'value: loop {
            self.space();
            match self.next()? {
                b'"' => self.rest_of_string()?,
                b'{' if !self.skip(b'}') => {
                    self.name()?;
                    open.push(Container::Object);
                    continue;
                }
                b'[' if !self.skip(b']') => {
                    open.push(Container::Array);
                    continue;
                }
                b'{' | b'[' => {}
                b't' => self.rest_of_word(b"rue")?,
                b'f' => self.rest_of_word(b"alse")?,
                b'n' => self.rest_of_word(b"ull")?,
                first => self.rest_of_number(first)?,
            }
            // A value has ended, and perhaps what it was the last of.
            while let Some(container) = open.last() {
                self.space();
                match (self.next()?, container) {
                    (b',', Container::Array) => continue 'value,
                    (b',', Container::Object) => {
                        self.name()?;
                        continue 'value;
                    }
                    (b']', Container::Array) | (b'}', Container::Object) => drop(open.pop()),
                    _ => return None,
                }
            }
            return Some(&self.text[begin..self.at]);
        }
    }

    fn rest_of_string(&mut self) -> Option<()> {
        loop {
            self.at += plain(&self.text.as_bytes()[self.at..]);
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
                        self.at += digits.iter().all(u8::is_ascii_hexdigit).then_some(4)?;
                    }
                    _ => return None,
                },
                // A control character.
                _ => return None,
            }
        }
    }

    fn rest_of_word(&mut self, rest: &[u8]) -> Option<()> {
        self.text.as_bytes()[self.at..].starts_with(rest).then(|| self.at += rest.len())
    }

    fn rest_of_number(&mut self, first: u8) -> Option<()> {
        let first = if first == b'-' { self.next()? } else { first };
        match first {
            b'0' => {}
            b'1'..=b'9' => self.at += self.digits(),
            _ => return None,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Some(())
    }

    fn some_digits(&mut self) -> Option<()> {
        let digits = self.digits();
        self.at += digits;
        (digits > 0).then_some(())
    }

    /// How many digits follow.
    fn digits(&self) -> usize {
        self.text.as_bytes()[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.skip(byte).then_some(())
    }

    /// Whether `byte` comes next, behind space.
    fn skip(&mut self, byte: u8) -> bool {
        self.space();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn next(&mut self) -> Option<u8> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// How many bytes at the beginning of `string` stand for themselves (RFC 8259 section 7).
fn plain(string: &[u8]) -> usize {
    /// Bytes that are judged together, without a branch between them: the compiler makes vector instructions of it.
    const LANE: usize = 64;
    let is_special = |byte: u8| (byte == b'"') | (byte == b'\\') | (byte < b' ');
    let (lanes, _) = string.as_chunks::<LANE>();
    let is_plain = |lane: &&[u8; LANE]| !lane.iter().fold(false, |found, byte| found | is_special(*byte));
    let whole = lanes.iter().take_while(is_plain).count() * LANE;
    let rest = &string[whole..];
    whole + rest.iter().position(|byte| is_special(*byte)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::seeded::Random;

    fn read(text: &str) -> Option<Vec<(&str, &str)>> {
        let mut read = Vec::new();
        members(text, |name, value| {
            read.push((name, value));
            Some(())
        })
        .map(|()| read)
    }

    #[test]
    fn members_are_found_as_they_are_spelled() {
        let text = " {\"a\" : 1.50 ,\n\"\\u0062\":{ \"x\":[ ] } , \"c\":\"\\\\\\\"}\"}\r\n";
        let expected = [("\"a\"", "1.50"), ("\"\\u0062\"", "{ \"x\":[ ] }"), ("\"c\"", "\"\\\\\\\"}\"")];
        assert_eq!(read(text).unwrap(), expected);
        assert_eq!(read("{ }").unwrap(), []);
        let mut seen = Vec::new();
        elements(" [ 1,[2,{}] ,\"]\"] ", |element| {
            seen.push(element);
            Some(())
        })
        .unwrap();
        assert_eq!(seen, ["1", "[2,{}]", "\"]\""]);
        assert!(elements("[1,]", |_| Some(())).is_none() && elements("{}", |_| Some(())).is_none());
    }

    /// Whatever serde_json takes for a value is one here, and nothing else is.
    #[test]
    fn it_agrees_with_another_reader_about_every_value() {
        let agree = |value: &str| {
            let theirs = serde_json::from_str::<&RawValue>(value).is_ok();
            let frame = format!("{{\"a\":{value}}}");
            // A value that is not one value can still complete the object, and then in another shape.
            let ours = read(&frame).is_some_and(|read| {
                read.len() == 1 && read[0].1 == value.trim_matches([' ', '\n', '\r', '\t'])
            });
            assert_eq!(ours, theirs, "{value:?}");
        };
        let values = [
            "null",
            "nul",
            "nulll",
            "true",
            "false",
            "True",
            "0",
            "-0",
            "00",
            "01",
            "-",
            "+1",
            "1.",
            ".5",
            "1.5",
            "1e",
            "1e5",
            "1E+5",
            "1e-",
            "-1.5e-10",
            "1 2",
            "\"\"",
            "\"",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\u{1}\"",
            "\"a\nb\"",
            "\"\u{7f}é\u{1f980}\"",
            "[",
            "]",
            "[]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1,[2,[3]]]",
            "{}",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":{\"b\":[{}]}}",
            "[}",
            "{]",
            " 1 ",
            "",
            "\u{feff}1",
            "1,\"b\":2",
        ];
        values.iter().for_each(|value| agree(value));
        // Mutations of real JSON reach further than noise does; strings around the size of a lane most of all.
        let seeds = [
            r#"{"content":[{"type":"text","text":"a \"quoted\" é 🦀 text with \\ and \u00e9 in it"}],"n":-1.50e+3,"isError":false}"#,
            r#"["0123456789012345678901234567890123456789012345678901234567890123",[],{},{"":null},0.5,true]"#,
        ];
        let mut random = Random::new(17);
        for _ in 0..30_000 {
            let mut text: Vec<char> = seeds[random.below(seeds.len())].chars().collect();
            for _ in 0..1 + random.below(4) {
                let at = random.below(text.len());
                let characters = ['"', '\\', '{', '}', '[', ']', ',', ':', ' ', '0', 'e', '\u{1}', 'é'];
                match random.below(4) {
                    0 => text[at] = characters[random.below(characters.len())],
                    1 => text.truncate(at.max(1)),
                    2 => drop(text.remove(at)),
                    _ => text.insert(at, characters[random.below(characters.len())]),
                }
                if text.is_empty() {
                    break;
                }
            }
            agree(&text.into_iter().collect::<String>());
        }
    }
}
