//! The request that a line was, of which only both ends are at hand.
//!
//! Who asked waits for an answer under the id of the request, and peers write that first or last.

use super::scan::members;
use super::{RequestId, read::spelled_out};

/// How much of the beginning of a line is kept, in bytes.
const HEAD: usize = 4 << 10;
/// How much of its end is kept, in bytes.
const TAIL: usize = 4 << 10;
/// How many members are looked for at the end of a message: it has five at most.
const MAX_MEMBERS: usize = 6;

/// Both ends of a line that is too long to be kept.
#[derive(Debug, Default)]
pub(crate) struct LineEnds {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl LineEnds {
    /// Of a line that begins with this.
    pub(crate) fn of(beginning: &[u8]) -> Self {
        let head = beginning[..beginning.len().min(HEAD)].to_vec();
        let mut this = Self { head, tail: Vec::new() };
        this.goes_on(beginning);
        this
    }

    /// It goes on with this.
    pub(crate) fn goes_on(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(TAIL)..];
        let excess = (self.tail.len() + bytes.len()).saturating_sub(TAIL);
        self.tail.drain(..excess);
        self.tail.extend_from_slice(bytes);
    }

    /// The id of the request that the whole line was, if it was one and says so at an end.
    pub(crate) fn request(&self) -> Option<RequestId> {
        let (head, tail) = (String::from_utf8_lossy(&self.head), String::from_utf8_lossy(&self.tail));
        let (mut id, mut has_method) = (None, false);
        let mut see = |name: &str, value: &str| match name {
            "method" => has_method |= value.starts_with('"'),
            "id" => id = RequestId::from_text(value),
            _ => {}
        };
        trailing(&tail).into_iter().for_each(|(name, value)| see(name, value));
        // It is read up to where it was cut, and a number that ends there may go on.
        let _ = members(&head, |name, value| {
            let is_cut = value.as_ptr().addr() + value.len() == head.as_ptr().addr() + head.len();
            if !is_cut {
                see(&spelled_out(name)?, value);
            }
            Some(())
        });
        id.filter(|_| has_method)
    }
}

/// The last members of the object that `text` ends, up to one that is neither a number nor a plain string. What stands before a
/// brace that ends the line is outside of every string.
fn trailing(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let Some(rest) = text.trim_ascii_end().strip_suffix('}') else { return found };
    let mut rest = rest.trim_ascii_end();
    while found.len() < MAX_MEMBERS {
        let Some((before, value)) = last_string(rest).or_else(|| last_number(rest)) else { break };
        let Some(before) = before.trim_ascii_end().strip_suffix(':') else { break };
        let Some((before, name)) = last_string(before.trim_ascii_end()) else { break };
        found.push((&name[1..name.len() - 1], value));
        let Some(before) = before.trim_ascii_end().strip_suffix(',') else { break };
        rest = before.trim_ascii_end();
    }
    found
}

/// The string without escapes that `text` ends with, quotes included, and what is before it.
fn last_string(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_suffix('"')?;
    let begin = inner.rfind('"')?;
    let is_plain = !inner[begin..].contains('\\') && !inner[..begin].ends_with('\\');
    is_plain.then(|| text.split_at(begin))
}

fn last_number(text: &str) -> Option<(&str, &str)> {
    let begin = text.rfind(|c: char| !(c.is_ascii_digit() || c == '-')).map_or(0, |at| at + 1);
    (begin < text.len() && text.is_char_boundary(begin)).then(|| text.split_at(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Option<String> {
        let mut ends = LineEnds::of(&line.as_bytes()[..line.len() / 2]);
        line.as_bytes()[line.len() / 2..].chunks(700).for_each(|bytes| ends.goes_on(bytes));
        ends.request().map(|id| id.to_string())
    }

    #[test]
    fn the_id_of_a_long_request_is_found_at_either_end() {
        let long = "x".repeat(20_000);
        let params = format!(r#"{{"text":"{long}","id":7,"method":"no"}}"#);
        for (line, expected) in [
            (format!(r#"{{"jsonrpc":"2.0","id":5,"method":"m","params":{params}}}"#), Some("5")),
            (format!(r#"{{"method":"m","params":{params},"jsonrpc":"2.0","id":5}}"#), Some("5")),
            (format!(r#"{{"method":"m","params":{params},"jsonrpc":"2.0","id":"a-1"}} "#), Some("\"a-1\"")),
            (format!(r#"{{ "params" : {params}, "id" : 5 , "method" : "m" }}"#), Some("5")),
            (format!(r#"{{"id":5,"params":{params},"method":"m"}}"#), Some("5")),
            // An answer has no method, and its id is one of ours.
            (format!(r#"{{"jsonrpc":"2.0","id":5,"result":{params}}}"#), None),
            // A notification.
            (format!(r#"{{"jsonrpc":"2.0","method":"m","params":{params}}}"#), None),
            // What is in a string is none, and neither is what is not JSON.
            (format!(r#"{{"method":"m","params":"{long}\",\"id\":5"}}"#), None),
            (format!(r#"{{"method":"m","params":"{long}","x\",\"id":5}}"#), None),
            (format!("{long}}}"), None),
            (long, None),
        ] {
            assert_eq!(request(&line).as_deref(), expected, "{}…{}", &line[..40], &line[line.len() - 40..]);
        }
        // A number may go on where the line was cut.
        let head = format!(r#"{{"method":"m","pad":"{}","id":12"#, "p".repeat(HEAD - 32));
        let cut = format!("{}{}", &head[..HEAD.min(head.len())], "3".repeat(9000));
        assert_eq!(LineEnds::of(cut.as_bytes()).request(), None);
    }
}
