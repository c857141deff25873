//! Lines of a command that are no message and were meant as one: what of them can be read, and what a request is told whose answer
//! cannot.
//!
//! Serializers write `NaN`, consoles write in a code page of their own, loggers put a word before a line or behind it, and some
//! print a message over many lines. Anything else that a command prints beside its messages stays what it is: nothing.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::side::Side;
use crate::duplex::Duplex;

/// The longest message over several lines, in bytes.
const LONGEST: usize = 1 << 20;
/// How long the rest of one is waited for.
const GRACE: Duration = Duration::from_secs(2);
/// What of a line is told, in columns.
const QUOTED: usize = 120;

/// What became of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum LineOutcome {
    /// A message was in it, and has been delivered.
    Message,
    /// It is a part of one whose rest is still to come.
    Part,
    /// It is none. Where it was to be the answer to a request, that has been told so.
    Nothing,
}

/// The lines of a message that are read so far.
#[derive(Debug, Default)]
pub(super) struct PartialMessage {
    part: Vec<u8>,
    until: Option<Instant>,
}

impl PartialMessage {
    /// Until when the rest of a message is waited for.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Forgets what was read: a line was a message by itself.
    pub(super) fn clear(&mut self) {
        (self.part, self.until) = (Vec::new(), None);
    }

    /// The rest did not come.
    pub(super) fn give_up(&mut self, duplex: &Duplex, side: &Side) {
        let part = std::mem::take(&mut self.part);
        self.clear();
        side.stray(&part);
        fail(duplex, side, &String::from_utf8_lossy(&part), "has no end");
    }

    /// Takes a line that is not a message by itself; of one that is not `whole`, only its beginning is known. Until the command
    /// `has_spoken`, no more than such a line is read: what it is instead decides.
    pub(super) fn take(
        &mut self,
        line: &[u8],
        whole: bool,
        duplex: &Duplex,
        side: &Side,
        has_spoken: bool,
    ) -> LineOutcome {
        let fail = |text: &str, what: &str| {
            if has_spoken {
                fail(duplex, side, text, what);
            }
        };
        if !self.part.is_empty() {
            self.part.push(b'\n');
            self.part.extend_from_slice(line);
            let text = readable(&self.part);
            match leading(&text) {
                NoisePrefix::Value(value, "") => {
                    let delivered = duplex.deliver_text(value.to_owned(), None).is_ok();
                    self.clear();
                    return if delivered { LineOutcome::Message } else { LineOutcome::Nothing };
                }
                NoisePrefix::Open if self.part.len() <= LONGEST => return LineOutcome::Part,
                _ => {
                    side.stray(&self.part);
                    fail(&text, "breaks in the lines that follow");
                    self.clear();
                }
            }
        }
        let text = readable(line);
        if !whole {
            if begins_like_answer(&text) {
                fail(&text, "is not JSON");
            }
            return LineOutcome::Nothing;
        }
        let Some(start) = text.find('{') else {
            if text.get(..15).is_some_and(|start| start.eq_ignore_ascii_case("content-length:")) {
                fail(&text, "is of a protocol that frames its messages, as editors speak it");
            }
            return LineOutcome::Nothing;
        };
        let alone = text[..start].trim_start_matches('\u{feff}').trim().is_empty();
        let text = &text[start..];
        match leading(text) {
            NoisePrefix::Value(value, "") if alone => match duplex.deliver_text(value.to_owned(), None) {
                Ok(()) => LineOutcome::Message,
                Err(_) => LineOutcome::Nothing,
            },
            // What it speaks until then in place of MCP is told as that.
            _ if !has_spoken => LineOutcome::Nothing,
            // A log may quote what was sent to the command, and what it is about to send: that is read once.
            NoisePrefix::Value(value, _) => match duplex.deliver_answer(value) {
                true => LineOutcome::Message,
                false => LineOutcome::Nothing,
            },
            NoisePrefix::Open if alone && duplex.is_waited_for() => {
                self.part = line.to_vec();
                self.until = Some(Instant::now() + GRACE);
                LineOutcome::Part
            }
            NoisePrefix::Broken(column) if alone || begins_like_answer(text) => {
                fail(text, &format!("breaks at its column {column}"));
                LineOutcome::Nothing
            }
            NoisePrefix::Open | NoisePrefix::Broken(_) => {
                if begins_like_answer(text) {
                    fail(text, "has no end");
                }
                LineOutcome::Nothing
            }
        }
    }
}

/// Tells a request that its answer came and cannot be read.
fn fail(duplex: &Duplex, side: &Side, text: &str, what: &str) {
    // What a command says of a request is not an answer.
    if !begins_like_message(text) || text.contains("\"method\"") {
        return;
    }
    let shown = mcp_text::line(&side.secrets().hide(text), QUOTED);
    duplex.fail_answer(id_in(text), &format!("its answer cannot be read: the line `{shown}` {what}"));
}

fn begins_like_message(text: &str) -> bool {
    text.contains("\"jsonrpc\"") || text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"))
}

/// Whether it is an answer, as far as it goes, and not what a command says of a request.
fn begins_like_answer(text: &str) -> bool {
    begins_like_message(text) && ["\"result\"", "\"error\""].iter().any(|member| text.contains(member))
}

/// The number behind the first `"id"` of a text that is not JSON.
fn id_in(text: &str) -> Option<i64> {
    let rest = text[text.find("\"id\"")? + 4..].trim_start().strip_prefix(':')?.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// What a text begins with.
#[derive(Debug, Eq, PartialEq)]
enum NoisePrefix<'a> {
    /// A whole value, and what follows it, without blanks around it.
    Value(&'a str, &'a str),
    /// One that has no end.
    Open,
    /// None, from this column on.
    Broken(usize),
}

fn leading(text: &str) -> NoisePrefix<'_> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    match values.next() {
        Some(Ok(value)) => NoisePrefix::Value(value.get(), text[values.byte_offset()..].trim()),
        Some(Err(error)) if error.is_eof() => NoisePrefix::Open,
        Some(Err(error)) => NoisePrefix::Broken(error.column()),
        None => NoisePrefix::Open,
    }
}

/// Bytes as text, and without the numbers that JSON does not have (RFC 8259 section 6), which some serializers write all the same.
fn readable(line: &[u8]) -> Cow<'_, str> {
    const NO_NUMBERS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];
    let text = String::from_utf8_lossy(line);
    if !NO_NUMBERS.iter().any(|word| text.contains(word)) {
        return text;
    }
    let (mut clean, mut rest, mut in_string) = (String::with_capacity(text.len()), &*text, false);
    while let Some(c) = rest.chars().next() {
        let number = NO_NUMBERS.iter().find(|word| !in_string && rest.starts_with(**word));
        let length = match (number, c) {
            (Some(number), _) => number.len(),
            (None, '\\') if in_string => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            (None, c) => c.len_utf8(),
        };
        in_string ^= c == '"';
        clean.push_str(if number.is_some() { "null" } else { &rest[..length] });
        rest = &rest[length..];
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_does_not_have_are_nothing_and_strings_stay_what_they_are() {
        for (line, text) in [
            (r#"{"a":NaN,"b":[-Infinity, Infinity]}"#, r#"{"a":null,"b":[null, null]}"#),
            (r#"{"NaN":"Infinity \" NaN","x":"\\"}"#, r#"{"NaN":"Infinity \" NaN","x":"\\"}"#),
            (r#"{"x":"\\","y":NaN}"#, r#"{"x":"\\","y":null}"#),
            (r#"{"x":"\"#, r#"{"x":"\"#),
        ] {
            assert_eq!(readable(line.as_bytes()), text);
        }
        assert_eq!(readable(b"gr\xfc\xdfe"), "gr\u{fffd}\u{fffd}e");
    }

    #[test]
    fn what_a_text_begins_with_is_told_apart_from_what_follows() {
        assert_eq!(leading(r#"{"a":1} took 3 ms"#), NoisePrefix::Value(r#"{"a":1}"#, "took 3 ms"));
        assert_eq!(leading("{\"a\":\n1}\n "), NoisePrefix::Value("{\"a\":\n1}", ""));
        assert_eq!(leading(r#"{"a":"#), NoisePrefix::Open);
        assert_eq!(leading(r#"{"a":x}"#), NoisePrefix::Broken(6));
        assert_eq!(id_in(r#"{"jsonrpc":"2.0", "id" : 17 ,"#), Some(17));
        assert_eq!(id_in(r#"{"id":"a"}"#), None);
    }
}
