//! Messages from a stream, one per line (2025-11-25 and 2026-07-28, stdio).

use std::io;

use mcp_transport::message;
use tokio::io::{AsyncRead, AsyncReadExt};

/// What came.
#[derive(Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a line is whole or it is not")]
pub enum Line {
    /// A line, without its end.
    Whole(Vec<u8>),
    /// A line longer than the limit. It is skipped.
    TooLong {
        /// The id of the request that it was, where that can be told.
        request: Option<message::RequestId>,
    },
}

/// Splits a stream into lines.
#[derive(Debug)]
pub struct LineReader<R> {
    stream: R,
    read: message::Lines,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// Lines of at most `limit` bytes.
    pub fn new(stream: R, limit: usize) -> Self {
        Self { stream, read: message::Lines::new(limit).keeping_ends() }
    }

    /// The next line that is not empty; `None` at the end. What follows the last line end is a line too.
    ///
    /// # Errors
    ///
    /// The stream cannot be read.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            match self.read.next_line() {
                Ok(Some(line)) if is_blank(&line) => {}
                Ok(Some(line)) => return Ok(Some(Line::Whole(line.into_owned()))),
                Ok(None) => {
                    if self.stream.read_buf(self.read.room()).await? == 0 {
                        if let Some(error) = self.read.take_too_long() {
                            return Ok(Some(Line::TooLong { request: error.request }));
                        }
                        let rest = self.read.take_unfinished();
                        return Ok((!is_blank(&rest)).then_some(Line::Whole(rest)));
                    }
                }
                Err(error) => return Ok(Some(Line::TooLong { request: error.request })),
            }
        }
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
        let (mut lines, mut seen) = (LineReader::new(reader, limit), Vec::new());
        while let Some(line) = lines.next().await.unwrap() {
            seen.push(match line {
                Line::Whole(line) => String::from_utf8(line).unwrap(),
                Line::TooLong { .. } => "too long".to_owned(),
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
    async fn a_long_line_arrives_whole_and_so_do_its_neighbours() {
        let long = vec![b'x'; 1 << 20];
        let stream = [b"a\n", &*long, b"\nb\nc"].concat();
        let mut lines = LineReader::new(&*stream, 2 << 20);
        let mut seen = Vec::new();
        while let Some(Line::Whole(line)) = lines.next().await.unwrap() {
            seen.push(line);
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
