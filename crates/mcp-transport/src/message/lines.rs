//! The framing of stdio: one message on one line (2025-11-25 and 2026-07-28, stdio).

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use memchr::{memchr, memchr2};

use super::envelope::{LineEnds, RequestId};

/// What one read asks for, in bytes.
const READ: usize = 16 << 10;
/// A line longer than this takes the buffer with it, which the short ones that follow do not need.
const KEPT: usize = 256 << 10;

/// A line is longer than the limit. The lines after it are found all the same; but what was lost may be an answer that
/// is waited for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct LineTooLong {
    /// The id of the request that it was, where its ends were [kept](Lines::keeping_ends) and say so.
    pub request: Option<RequestId>,
}

impl fmt::Display for LineTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a line is longer than the limit")
    }
}

impl Error for LineTooLong {}

/// Splits what is read, in pieces of any size, into lines, in place.
///
/// # Examples
///
/// ```
/// use mcp_transport::message::Lines;
///
/// let mut lines = Lines::new(1024);
/// for piece in [&b"{\"a\":"[..], b"1}\n{}\nunfin"] {
///     lines.room().extend_from_slice(piece);
///     while let Some(line) = lines.next_line().expect("no line is that long") {
///         println!("{} bytes", line.len());
///     }
/// }
/// assert_eq!(lines.unfinished(), b"unfin");
/// ```
#[derive(Debug)]
pub struct Lines {
    buffer: Vec<u8>,
    /// Where the first line that was not handed out begins.
    start: usize,
    /// Up to where there is no line feed, so that no byte is searched twice.
    scanned: usize,
    limit: usize,
    /// The line that is being read is too long, which has been said, or will be at its end.
    skipping: bool,
    /// The ends of a line that is too long are read.
    keeps_ends: bool,
    /// Those of the line that is being read.
    ends: LineEnds,
}

impl Lines {
    /// An empty buffer for lines of up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let ends = LineEnds::default();
        Self { buffer: Vec::new(), start: 0, scanned: 0, limit, skipping: false, keeps_ends: false, ends }
    }

    /// The same, where a line that is too long is told at its end, with the id of the request that it was: for a peer that waits
    /// for an answer.
    #[must_use]
    pub fn keeping_ends(self) -> Self {
        Self { keeps_ends: true, ..self }
    }

    /// That the last line was too long, where it has no end and that was not said.
    pub fn take_too_long(&mut self) -> Option<LineTooLong> {
        let is_skipped = std::mem::take(&mut self.skipping) && self.keeps_ends;
        is_skipped.then(|| std::mem::take(&mut self.ends).too_long())
    }

    /// The buffer, with room behind what is in it. Only append to it.
    pub fn room(&mut self) -> &mut Vec<u8> {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        if self.buffer.capacity() - self.buffer.len() < READ / 2 {
            // `reserve` at least doubles, so a long line is moved a few times only.
            self.buffer.reserve(READ);
        }
        &mut self.buffer
    }

    /// What has been read of a line, or of several, and not handed out.
    pub fn unfinished(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// The same, for good: what follows the last line feed once nothing more comes.
    pub fn take_unfinished(&mut self) -> Vec<u8> {
        let rest = self.buffer.split_off(self.start);
        self.buffer.clear();
        (self.start, self.scanned) = (0, 0);
        rest
    }

    /// The next complete line, without its line feed; `None` until more is read. A long one is not copied.
    ///
    /// # Errors
    ///
    /// [`LineTooLong`], once for each such line, as soon as that is known, or at its end where
    /// [its ends are kept](Self::keeping_ends). What follows it can be read on.
    pub fn next_line(&mut self) -> Result<Option<Cow<'_, [u8]>>, LineTooLong> {
        while let Some(at) = memchr(b'\n', &self.buffer[self.scanned..]) {
            let (start, end) = (self.start, self.scanned + at);
            self.start = end + 1;
            self.scanned = self.start;
            if std::mem::take(&mut self.skipping) {
                if !self.keeps_ends {
                    continue;
                }
                let mut ends = std::mem::take(&mut self.ends);
                ends.goes_on(&self.buffer[start..end]);
                return Err(ends.too_long());
            }
            if end - start > self.limit {
                let ends = || LineEnds::of(&self.buffer[start..end]).too_long();
                return Err(if self.keeps_ends { ends() } else { LineTooLong::default() });
            }
            if end - start > KEPT {
                return Ok(Some(Cow::Owned(self.take(start, end))));
            }
            return Ok(Some(Cow::Borrowed(&self.buffer[start..end])));
        }
        self.scanned = self.buffer.len();
        if self.skipping {
            if self.keeps_ends {
                self.ends.goes_on(&self.buffer[self.start..]);
            }
            self.start = self.scanned;
        } else if self.scanned - self.start > self.limit {
            self.skipping = true;
            if self.keeps_ends {
                self.ends = LineEnds::of(&self.buffer[self.start..]);
            }
            // The rest may be long in coming, and what there is of it is of no use.
            (self.buffer, self.start, self.scanned) = (Vec::new(), 0, 0);
            if !self.keeps_ends {
                return Err(LineTooLong::default());
            }
        }
        Ok(None)
    }

    /// The line with the buffer that it is in; what follows it moves to another one.
    fn take(&mut self, start: usize, end: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.buffer, rest);
        (self.start, self.scanned) = (0, 0);
        line.truncate(end);
        line.drain(..start);
        line
    }
}

impl LineEnds {
    fn too_long(&self) -> LineTooLong {
        LineTooLong { request: self.request() }
    }
}

/// Messages over stdio are delimited by newlines and must not contain any. Valid JSON has them between tokens only,
/// where a space means the same.
pub fn put_on_one_line(frame: &mut [u8]) {
    let mut from = 0;
    while let Some(at) = memchr2(b'\n', b'\r', &frame[from..]) {
        frame[from + at] = b' ';
        from += at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Random;

    fn taken(lines: &mut Lines, chunks: &[&[u8]]) -> Result<Vec<String>, LineTooLong> {
        let mut taken = Vec::new();
        for chunk in chunks {
            lines.room().extend_from_slice(chunk);
            while let Some(line) = lines.next_line()? {
                taken.push(String::from_utf8_lossy(&line).into_owned());
            }
        }
        Ok(taken)
    }

    #[test]
    fn where_reads_end_does_not_matter() {
        let stream = b"one\n\ntwo\r\nthree and more\nunfinished";
        let whole = taken(&mut Lines::new(100), &[stream]).unwrap();
        assert_eq!(whole, ["one", "", "two\r", "three and more"]);
        for cut in 0..=stream.len() {
            assert_eq!(taken(&mut Lines::new(100), &[&stream[..cut], &stream[cut..]]).unwrap(), whole);
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(taken(&mut Lines::new(100), &bytes).unwrap(), whole);
    }

    #[test]
    fn random_reads_lose_nothing() {
        let mut random = Random::new(3);
        for _ in 0..300 {
            let stream: Vec<u8> =
                (0..random.below(400)).map(|_| if random.below(9) == 0 { b'\n' } else { b'x' }).collect();
            let mut chunks = Vec::new();
            let mut rest = stream.as_slice();
            while !rest.is_empty() {
                let (chunk, tail) = rest.split_at(1 + random.below(rest.len().min(50)));
                chunks.push(chunk);
                rest = tail;
            }
            let expected: Vec<_> = std::str::from_utf8(&stream).unwrap().split('\n').collect();
            assert_eq!(taken(&mut Lines::new(400), &chunks).unwrap(), expected[..expected.len() - 1]);
        }
    }

    #[test]
    fn the_limit_is_exact_and_holds_without_a_line_feed() {
        let line = |length: usize| [vec![b'x'; length], vec![b'\n']].concat();
        assert_eq!(taken(&mut Lines::new(10), &[&line(10), &line(10)]).unwrap().len(), 2);
        assert_eq!(taken(&mut Lines::new(10), &[&line(10), &line(11)]), Err(LineTooLong::default()));
        let mut lines = Lines::new(1_000);
        let read = (1..).find(|_| taken(&mut lines, &[&[b'x'; 100]]).is_err());
        assert_eq!(read, Some(11), "an endless line ends with the read that exceeds the limit");
    }

    #[test]
    fn a_long_line_does_not_keep_its_memory() {
        let mut lines = Lines::new(4 << 20);
        let long = [vec![b'x'; 2 << 20], vec![b'\n']].concat();
        assert_eq!(taken(&mut lines, &[&long]).unwrap().len(), 1);
        assert!(lines.room().capacity() <= KEPT);
    }

    #[test]
    fn a_line_that_is_too_long_is_told_once_and_the_next_one_is_read() {
        let mut lines = Lines::new(10);
        let mut seen = Vec::new();
        for chunk in [&b"a\n0123456789"[..], b"01234", b"56789\nb\n", b"0123456789x\nc\n", b"0123456789x"] {
            lines.room().extend_from_slice(chunk);
            loop {
                match lines.next_line() {
                    Ok(Some(line)) => seen.push(String::from_utf8_lossy(&line).into_owned()),
                    Ok(None) => break,
                    Err(LineTooLong { .. }) => seen.push("too long".to_owned()),
                }
            }
        }
        assert_eq!(seen, ["a", "too long", "b", "too long", "c", "too long"]);
        assert!(lines.unfinished().is_empty(), "what is skipped is not kept");
    }

    #[test]
    fn a_message_of_several_lines_becomes_one() {
        let mut frame = b"{\r\n \"a\": \"\\n\"\n}".to_vec();
        put_on_one_line(&mut frame);
        assert_eq!(frame, b"{   \"a\": \"\\n\" }");
    }

    #[test]
    fn the_request_that_was_too_long_is_told_at_its_end_where_its_ends_are_kept() {
        let id = |number| Some(RequestId::Number(number));
        let long = |id: i64| {
            let text = "x".repeat(50);
            format!("{{\"method\":\"m\",\"params\":\"{text}\",\"id\":{id}}}\n").into_bytes()
        };
        let stream = [&b"{}\n"[..], &long(7), b"short\n", &long(8), &long(9)[..60]].concat();
        for size in [1, 7, 64, 1000] {
            let (mut lines, mut seen) = (Lines::new(40).keeping_ends(), Vec::new());
            for chunk in stream.chunks(size) {
                lines.room().extend_from_slice(chunk);
                loop {
                    match lines.next_line() {
                        Ok(Some(line)) => seen.push(Ok(line.len())),
                        Ok(None) => break,
                        Err(error) => seen.push(Err(error.request)),
                    }
                }
            }
            assert_eq!(seen, [Ok(2), Err(id(7)), Ok(5), Err(id(8))], "{size}");
            // The last one was never ended, and so its id may have been another one.
            assert_eq!(lines.take_too_long(), Some(LineTooLong::default()));
            assert_eq!(lines.take_too_long(), None);
        }
    }
}
