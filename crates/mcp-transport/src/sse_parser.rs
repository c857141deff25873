//! Server-sent events, read from chunks that end anywhere (WHATWG HTML, section 9.2.6).
//!
//! The value of a field is appended to its destination as it arrives, never to a line buffer first: a result
//! of 1 MiB in one `data` line is copied once, out of the receive buffer. What one event may hold is bounded,
//! so an endless frame ends in an error; what is not kept (comments, unknown fields) costs no memory at all.
//!
//! Longer than 500 lines because its tests are tables of streams.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use memchr::{memchr2, memchr3};

/// The longest name of a field that means something, behind a byte order mark.
const MAX_NAME: usize = BOM.len() + "event".len();

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One event that was dispatched.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct SseEvent {
    /// The `event` field; absent means `message`.
    pub(crate) event: Option<String>,
    /// The `data` lines, joined with newlines.
    pub(crate) data: String,
    /// The `id` field of this event; an empty one resets the last event id.
    pub(crate) id: Option<String>,
    /// The `retry` field of this event.
    pub(crate) retry: Option<Duration>,
}

/// An event grew past the limit; the stream cannot be trusted to find its next boundary any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FrameTooLarge {
    /// The limit, in bytes.
    pub(crate) limit: usize,
}

impl fmt::Display for FrameTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a server-sent event is longer than {} bytes", self.limit)
    }
}

impl std::error::Error for FrameTooLarge {}

/// The fields that mean something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Field {
    Data,
    Event,
    Id,
    Retry,
    /// A comment or an undefined field: its value is skipped.
    Skipped,
}

/// Where in a line the next byte belongs.
#[derive(Debug)]
enum Position {
    /// Before the colon; `name` holds what has been seen of it.
    Name,
    /// Just behind the colon, where one space is not part of the value.
    Space(Field),
    /// In the value.
    Value(Field),
}

/// An incremental parser of one stream.
#[derive(Debug)]
pub(crate) struct SseParser {
    limit: usize,
    position: Position,
    /// At most one byte longer than [`MAX_NAME`], which is enough to know that a name is not one of ours.
    name: Vec<u8>,
    first_line: bool,
    /// The last line ended in a carriage return, so a line feed right here belongs to it.
    after_cr: bool,
    /// The value of a short field whose line is not complete yet. `data` never passes through here.
    value: Vec<u8>,
    /// `None` until a `data` field is seen: an event without one is not dispatched.
    data: Option<Vec<u8>>,
    event: Vec<u8>,
    id: Option<Vec<u8>>,
    retry: Option<Duration>,
    last_event_id: Option<String>,
    reconnection_time: Option<Duration>,
    ready: VecDeque<SseEvent>,
    too_large: bool,
}

impl SseParser {
    /// A parser at the start of a stream, for events of up to `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            position: Position::Name,
            name: Vec::with_capacity(MAX_NAME + 1),
            first_line: true,
            after_cr: false,
            value: Vec::new(),
            data: None,
            event: Vec::new(),
            id: None,
            retry: None,
            last_event_id: None,
            reconnection_time: None,
            ready: VecDeque::new(),
            too_large: false,
        }
    }

    /// Admits longer events from now on.
    pub(crate) fn extend_limit(&mut self, limit: usize) {
        self.limit = self.limit.max(limit);
    }

    /// Reads the next chunk. Events that it completes are handed out by [`next`](Self::next).
    ///
    /// # Errors
    /// An event is longer than the limit, in this chunk or in an earlier one.
    pub(crate) fn push(&mut self, mut chunk: &[u8]) -> Result<(), FrameTooLarge> {
        if self.too_large {
            return Err(FrameTooLarge { limit: self.limit });
        }
        while !chunk.is_empty() {
            if std::mem::take(&mut self.after_cr) && chunk[0] == b'\n' {
                chunk = &chunk[1..];
                continue;
            }
            chunk = self.step(chunk)?;
        }
        Ok(())
    }

    /// The stream has ended. What is under way is handed out as it is, although the standard drops it: servers leave the
    /// last empty line out, or the end of the last line. Whether all of it is there is for the data itself to say.
    pub(crate) fn finish(&mut self) {
        match self.position {
            Position::Value(field) | Position::Space(field) => self.end_field(field),
            Position::Name => {}
        }
        self.position = Position::Name;
        self.name.clear();
        self.dispatch();
    }

    /// The next complete event.
    pub(crate) fn next(&mut self) -> Option<SseEvent> {
        self.ready.pop_front()
    }

    /// What a reconnection must send as `Last-Event-ID`, counting every complete event that was pushed, those
    /// without data too. Empty after an empty `id` field: then it must send none. `None` where this stream has not
    /// said anything about it.
    pub(crate) fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    /// How long the server asked to wait before a reconnection. Takes effect with the line that says so.
    pub(crate) fn reconnection_time(&self) -> Option<Duration> {
        self.reconnection_time
    }

    /// How many bytes of the event under way are kept.
    pub(crate) fn held(&self) -> usize {
        let data = self.data.as_ref().map_or(0, Vec::len);
        data + self.value.len() + self.event.len() + self.id.as_ref().map_or(0, Vec::len)
    }

    /// Consumes a part of a non-empty chunk and returns the rest.
    fn step<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a [u8], FrameTooLarge> {
        match self.position {
            Position::Name => {
                let end = memchr3(b':', b'\r', b'\n', chunk);
                let (name, rest) = chunk.split_at(end.unwrap_or(chunk.len()));
                let room = (MAX_NAME + 1).saturating_sub(self.name.len());
                self.name.extend_from_slice(&name[..name.len().min(room)]);
                match rest.first() {
                    None => Ok(rest),
                    Some(b':') => {
                        let field = self.begin_field()?;
                        self.position = Position::Space(field);
                        Ok(&rest[1..])
                    }
                    Some(_) => {
                        if self.name.is_empty() || (self.first_line && self.name == BOM) {
                            self.name.clear();
                            self.dispatch();
                        } else {
                            // A line without a colon is a field with an empty value.
                            let field = self.begin_field()?;
                            self.end_field(field);
                        }
                        Ok(self.end_line(rest))
                    }
                }
            }
            Position::Space(field) => {
                self.position = Position::Value(field);
                Ok(chunk.strip_prefix(b" ").unwrap_or(chunk))
            }
            Position::Value(field) => {
                let end = memchr2(b'\r', b'\n', chunk);
                let (value, rest) = chunk.split_at(end.unwrap_or(chunk.len()));
                self.append(field, value)?;
                if rest.is_empty() {
                    return Ok(rest);
                }
                self.end_field(field);
                Ok(self.end_line(rest))
            }
        }
    }

    /// The name is complete: makes its destination ready for a value.
    fn begin_field(&mut self) -> Result<Field, FrameTooLarge> {
        let name = self.name.as_slice();
        let name = if self.first_line { name.strip_prefix(BOM).unwrap_or(name) } else { name };
        let field = match name {
            b"data" => Field::Data,
            b"event" => Field::Event,
            b"id" => Field::Id,
            b"retry" => Field::Retry,
            _ => Field::Skipped,
        };
        self.name.clear();
        self.value.clear();
        if field == Field::Data {
            match &self.data {
                // The newline that joins this line to the one before counts like any other byte.
                Some(_) => self.append(Field::Data, b"\n")?,
                None => self.data = Some(Vec::new()),
            }
        }
        Ok(field)
    }

    /// Appends to the value of the field, within the limit of the whole event.
    fn append(&mut self, field: Field, value: &[u8]) -> Result<(), FrameTooLarge> {
        if field == Field::Skipped {
            return Ok(());
        }
        let data = self.data.as_ref().map_or(0, Vec::len);
        let held = data + self.value.len() + self.event.len() + self.id.as_ref().map_or(0, Vec::len);
        if value.len() > self.limit.saturating_sub(held) {
            self.too_large = true;
            // Nothing of the event is of use any more, but its memory is.
            (self.data, self.id) = (None, None);
            (self.value, self.event) = (Vec::new(), Vec::new());
            return Err(FrameTooLarge { limit: self.limit });
        }
        let destination =
            if field == Field::Data { self.data.get_or_insert_default() } else { &mut self.value };
        destination.extend_from_slice(value);
        Ok(())
    }

    /// The line is complete: applies the fields that are decided as a whole. The last one wins.
    fn end_field(&mut self, field: Field) {
        match field {
            Field::Event => self.event = std::mem::take(&mut self.value),
            // An id with a NUL is ignored: it could not travel in a header.
            Field::Id if !self.value.contains(&0) => self.id = Some(std::mem::take(&mut self.value)),
            Field::Retry => {
                if let Some(retry) = milliseconds(&self.value) {
                    self.retry = Some(retry);
                    self.reconnection_time = Some(retry);
                }
            }
            Field::Id | Field::Data | Field::Skipped => {}
        }
    }

    /// Skips the end of a line; `rest` begins with it.
    fn end_line<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        self.after_cr = rest[0] == b'\r';
        self.first_line = false;
        self.position = Position::Name;
        &rest[1..]
    }

    /// An empty line: the event is complete.
    fn dispatch(&mut self) {
        let id = self.id.take().map(text);
        if let Some(id) = &id {
            self.last_event_id = Some(id.clone());
        }
        let event = std::mem::take(&mut self.event);
        let retry = self.retry.take();
        if let Some(data) = self.data.take() {
            let event = (!event.is_empty()).then(|| text(event));
            self.ready.push_back(SseEvent { event, data: text(data), id, retry });
        }
    }
}

/// The stream is UTF-8, and what is not is replaced (WHATWG Encoding, "UTF-8 decode"). The good case moves.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// ASCII digits only; anything else, also a number that does not fit, is ignored.
fn milliseconds(value: &[u8]) -> Option<Duration> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Random;

    const ROOMY: usize = 1 << 20;

    fn parse_in(chunks: &[&[u8]]) -> (Vec<SseEvent>, Option<String>, Option<Duration>) {
        let mut parser = SseParser::new(ROOMY);
        let mut events = Vec::new();
        for chunk in chunks {
            parser.push(chunk).unwrap();
            events.extend(std::iter::from_fn(|| parser.next()));
        }
        (events, parser.last_event_id().map(ToOwned::to_owned), parser.reconnection_time())
    }

    /// `event|data|id|retry`, one line each, with `-` for what is absent.
    fn shown(stream: &[u8]) -> Vec<String> {
        let (events, ..) = parse_in(&[stream]);
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        let show = |event: SseEvent| {
            let retry = event.retry.map(|retry| retry.as_millis().to_string());
            format!("{}|{}|{}|{}", or_dash(event.event), event.data, or_dash(event.id), or_dash(retry))
        };
        events.into_iter().map(show).collect()
    }

    #[test]
    fn what_a_stream_means() {
        let table: &[(&[u8], &[&str])] = &[
            (b"data: a\n\n", &["-|a|-|-"]),
            (b"data:a\r\rdata:  b\r\n\r\ndata\n\n", &["-|a|-|-", "-| b|-|-", "-||-|-"]),
            (b"event: e\ndata: a\ndata:b\ndata\nid: 7\nretry: 250\n\n", &["e|a\nb\n|7|250"]),
            // One line end of two characters is one line end, or the event would be torn apart.
            (b"event: e\r\ndata: a\r\ndata: b\r\n\r\n", &["e|a\nb|-|-"]),
            // Nothing but the type of the stream carries over to the next event.
            (b"event: e\nid: 1\nretry: 2\ndata: a\n\ndata: b\n\n", &["e|a|1|2", "-|b|-|-"]),
            // The byte order mark is no part of the first line, and of no other.
            (b"\xef\xbb\xbfdata: a\n\n", &["-|a|-|-"]),
            (b"\xef\xbb\xbf\ndata: a\n\n", &["-|a|-|-"]),
            (b"\n\xef\xbb\xbfdata: a\n\n", &[]),
            // Comments, unknown fields, fields without a value, names that only begin like one of ours.
            (b": ping\n:\ndata: a\ncolour: red\n:data: x\n\n", &["-|a|-|-"]),
            (b"datax: 1\ndat: 2\n data: 3\nDATA: 4\neventually: 5\n\n", &[]),
            (b"event\ndata: a\n\n", &["-|a|-|-"]),
            // Without data there is no event, and its type does not leak into the next.
            (b"event: e\n\ndata: a\n\n", &["-|a|-|-"]),
            (b"id: 1\ndata:\n\n", &["-||1|-"]),
            // The last field wins; an id with a NUL and a retry of anything but digits are ignored.
            (b"event: e\nevent: f\nid: 1\nid: 2\ndata: a\n\n", &["f|a|2|-"]),
            (b"id: 1\nid: a\0b\ndata: a\n\n", &["-|a|1|-"]),
            (
                b"retry: 5s\nretry: +5\nretry: -5\nretry:\nretry: 99999999999999999999\ndata: a\n\n",
                &["-|a|-|-"],
            ),
            // A colon in the value is the value's; an event that is not complete is none.
            (b"data: a:b: c\n\ndata: rest\n", &["-|a:b: c|-|-"]),
            (b"data: \xff\xc3\xa9\n\n", &["-|\u{fffd}\u{e9}|-|-"]),
        ];
        for (stream, expected) in table {
            assert_eq!(shown(stream), *expected, "{}", String::from_utf8_lossy(stream));
        }
    }

    #[test]
    fn an_event_without_data_still_moves_the_cursor() {
        let (events, id, retry) = parse_in(&[b"id: 7\nretry: 40\n\n"]);
        assert_eq!((events.len(), id.as_deref(), retry), (0, Some("7"), Some(Duration::from_millis(40))));
        // An event that was cut off does not: what it would have delivered is still owed.
        let (_, id, _) = parse_in(&[b"id: 7\ndata: a\n\nid: 8\ndata: b\n"]);
        assert_eq!(id.as_deref(), Some("7"));
        let (_, id, _) = parse_in(&[b"id: 7\ndata: a\n\nid\ndata: b\n\n"]);
        assert_eq!(id.as_deref(), Some(""), "an empty one resets it");
        let (_, id, _) = parse_in(&[b"data: b\n\n"]);
        assert_eq!(id, None);
    }

    /// Every way to cut a stream in two, in three, and byte by byte, tells the same events.
    #[test]
    fn where_chunks_end_does_not_matter() {
        let streams: &[&[u8]] = &[
            b"\xef\xbb\xbfid: 1\r\nevent: message\r\ndata: {\"a\":1}\r\n\r\n: ping\r\n\r\ndata: b\r\n\r\n",
            b"data: a\rdata: b\r\rretry: 10\rdata: \xf0\x9f\xa6\x80\r\r",
            b"\n\r\n\r\rdata\ndata\n\nid\ndata:x\n\nunknownfield: y\ndata:  z\n\n",
        ];
        for stream in streams {
            let whole = parse_in(&[stream]);
            assert!(whole.0.len() >= 2);
            for first in 0..=stream.len() {
                for second in first..=stream.len() {
                    let cut = [&stream[..first], &stream[first..second], &stream[second..]];
                    assert_eq!(parse_in(&cut), whole, "cut at {first} and {second}");
                }
            }
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(parse_in(&bytes), whole);
        }
    }

    #[test]
    fn random_streams_in_random_chunks() {
        const PIECES: &[&[u8]] = &[
            b"data",
            b"event",
            b"id",
            b"retry",
            b":",
            b": ",
            b" ",
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b"x",
            b"12",
            b"\0",
            b"\xef\xbb\xbf",
            b"\xff",
        ];
        let mut random = Random::new(11);
        for _ in 0..3_000 {
            let mut stream = Vec::new();
            for _ in 0..random.below(40) {
                stream.extend_from_slice(PIECES[random.below(PIECES.len())]);
            }
            let whole = parse_in(&[&stream]);
            let mut chunks = Vec::new();
            let mut rest = stream.as_slice();
            while !rest.is_empty() {
                let (chunk, tail) = rest.split_at(1 + random.below(rest.len().min(7)));
                chunks.push(chunk);
                rest = tail;
            }
            assert_eq!(parse_in(&chunks), whole, "{}", String::from_utf8_lossy(&stream));
        }
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut random = Random::new(13);
        let mut parser = SseParser::new(4_096);
        for _ in 0..2_000 {
            let chunk: Vec<u8> = (0..random.below(64)).map(|_| random.byte()).collect();
            if parser.push(&chunk).is_err() {
                parser = SseParser::new(4_096);
            }
            while parser.next().is_some() {}
        }
    }

    #[test]
    fn the_limit_holds_for_every_way_to_grow() {
        let table: &[&[u8]] = &[b"data: ", b"data: x\ndata: ", b"event: ", b"id: ", b"retry: "];
        for prefix in table {
            let mut parser = SseParser::new(10_000);
            parser.push(prefix).unwrap();
            let mut pushed = 0;
            let error = loop {
                match parser.push(&[b'1'; 100]) {
                    Ok(()) => pushed += 100,
                    Err(error) => break error,
                }
                assert!(pushed <= 10_000, "no limit for {}", String::from_utf8_lossy(prefix));
            };
            assert_eq!(error, FrameTooLarge { limit: 10_000 });
            assert!(parser.push(b"\n\ndata: a\n\n").is_err(), "a stream that lost its place stays lost");
        }
        // Many lines of one event count together; so do its empty lines, by the newlines that join them.
        for line in [&b"data: 12345\n"[..], b"data\n"] {
            let mut parser = SseParser::new(1_000);
            assert!((0..2_000).any(|_| parser.push(line).is_err()));
        }
    }

    #[test]
    fn the_limit_is_exact_and_per_event() {
        let event = |length: usize| format!("data: {}\n\n", "x".repeat(length)).into_bytes();
        let mut parser = SseParser::new(100);
        for _ in 0..50 {
            parser.push(&event(100)).unwrap();
            assert_eq!(parser.next().unwrap().data.len(), 100);
        }
        parser.push(&event(1)).unwrap();
        assert!(parser.push(&event(101)).is_err());
        assert!(parser.next().is_some(), "what was complete before the error is still handed out");
        assert!(parser.next().is_none());
    }

    #[test]
    fn what_is_skipped_costs_nothing() {
        let mut parser = SseParser::new(16);
        for prefix in [&b":"[..], b"\ncolour:", b"\naveryveryverylongname"] {
            parser.push(prefix).unwrap();
            for _ in 0..1_000 {
                parser.push(&[b'x'; 1_000]).unwrap();
            }
            assert!(parser.name.capacity() <= 2 * MAX_NAME && parser.value.capacity() <= 16);
        }
        parser.push(b"\ndata: a\n\n").unwrap();
        assert_eq!(parser.next().unwrap().data, "a");
    }
}
