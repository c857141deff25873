//! Messages from a stream, one per line (2025-11-25 and 2026-07-28, stdio).

use std::io;

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much is read at once, in bytes.
const CHUNK: usize = 16 << 10;

/// A line longer than this takes the buffer with it, which the short ones that follow do not need.
const KEPT: usize = 8 * CHUNK;

/// What came.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Line {
    /// A line, without its end.
    Whole(Vec<u8>),
    /// A line longer than the limit. It is skipped.
    TooLong,
}

/// Splits a stream into lines.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    stream: R,
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where the present line has been searched for its end.
    searched: usize,
    limit: usize,
    skipping: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of at most `limit` bytes.
    pub(crate) fn new(stream: R, limit: usize) -> Self {
        Self { stream, buffer: Vec::new(), start: 0, searched: 0, limit, skipping: false }
    }

    /// The next line that is not empty; `None` at the end. What follows the last line end is a line too.
    ///
    /// # Errors
    ///
    /// The stream cannot be read.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(at) = memchr(b'\n', &self.buffer[self.searched..]) {
                let (begin, end) = (self.start, self.searched + at);
                (self.start, self.searched) = (end + 1, end + 1);
                if std::mem::take(&mut self.skipping) {
                    return Ok(Some(Line::TooLong));
                }
                if !is_blank(&self.buffer[begin..end]) {
                    return Ok(Some(Line::Whole(self.take(begin, end))));
                }
                continue;
            }
            self.searched = self.buffer.len();
            if self.buffer.len() - self.start > self.limit {
                self.skipping = true;
            }
            if self.skipping {
                self.start = self.buffer.len();
            }
            self.make_room();
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                let begin = std::mem::replace(&mut self.start, self.buffer.len());
                if std::mem::take(&mut self.skipping) {
                    return Ok(Some(Line::TooLong));
                }
                let rest = &self.buffer[begin..];
                return Ok((!is_blank(rest)).then(|| Line::Whole(rest.to_vec())));
            }
        }
    }

    /// A line that has been found. A long one is not copied.
    fn take(&mut self, begin: usize, end: usize) -> Vec<u8> {
        if end - begin <= KEPT {
            return self.buffer[begin..end].to_vec();
        }
        let rest = self.buffer.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.buffer, rest);
        (self.start, self.searched) = (0, 0);
        line.truncate(end);
        line.drain(..begin);
        line
    }

    /// Moves what is left to the front.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            (self.searched, self.start) = (self.searched - self.start, 0);
        }
        self.buffer.reserve(CHUNK);
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    async fn read(pieces: &[&[u8]], limit: usize) -> Vec<String> {
        let (mut writer, reader) = tokio::io::duplex(8);
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
        tokio::spawn(async move {
            for piece in pieces {
                writer.write_all(&piece).await.unwrap();
            }
        });
        let (mut lines, mut seen) = (Lines::new(reader, limit), Vec::new());
        while let Some(line) = lines.next().await.unwrap() {
            seen.push(match line {
                Line::Whole(line) => String::from_utf8(line).unwrap(),
                Line::TooLong => "too long".to_owned(),
            });
        }
        seen
    }

    #[tokio::test]
    async fn lines_arrive_whole_however_they_were_cut() {
        assert_eq!(
            read(&[b"{\"a\":", b"1}\r\n\n", b"  \n{}\n", b"last"], 100).await,
            ["{\"a\":1}\r", "{}", "last"]
        );
        assert!(read(&[], 100).await.is_empty());
    }

    #[tokio::test]
    async fn a_long_line_leaves_with_its_memory_and_its_neighbours_stay() {
        let long = vec![b'x'; 2 * KEPT];
        let stream = [b"a\n", &*long, b"\nb\nc"].concat();
        let mut lines = Lines::new(&*stream, 4 * KEPT);
        let mut seen = Vec::new();
        while let Some(Line::Whole(line)) = lines.next().await.unwrap() {
            seen.push(line);
            assert!(seen.len() < 2 || lines.buffer.capacity() <= KEPT);
        }
        assert_eq!(seen, [b"a".to_vec(), long, b"b".to_vec(), b"c".to_vec()]);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_skipped_and_no_other() {
        let long = vec![b'x'; 1000];
        assert_eq!(read(&[b"a\n", &long, b"\nb\n"], 50).await, ["a", "too long", "b"]);
        assert_eq!(read(&[&long], 50).await, ["too long"]);
    }
}
