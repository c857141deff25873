//! Answers that come compressed (RFC 9110 section 8.4), also where they were not asked to.
//!
//! We ask for `identity`: much of what compresses event streams on the way holds them back until a block is full. But there
//! are servers, and gateways before them, that compress whatever was asked for, and some that say one thing and send
//! another. What arrives is decoded piece by piece, so that the limits on what a server may cost are asked about
//! every piece of what comes out of it.

use std::fmt;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use bytes::{Buf, Bytes};
use http::{HeaderMap, header};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use crate::error::{TransportError, TransportErrorKind};

/// The longest piece that is handed out at once, in bytes.
const PIECE: usize = 32 << 10;
/// The longest head of a gzip member, in bytes: a file name and a comment may stand in it.
const MAX_GZIP_HEAD: usize = 64 << 10;
/// What a gzip member begins with (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// What a frame of Zstandard begins with (RFC 8878 section 3.1.1). It is not read: nothing is asked for in it, no server of the
/// field sends it unasked, and its decoder would be a dependency of its own.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Its checksum and its length.
const GZIP_TRAILER: usize = 8;

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// What turns the bytes of one answer into what they stand for. A server and a gateway before it may each have compressed it, and
/// one of the two at most says so; what is compressed oftener than that is not read.
#[derive(Debug)]
pub(super) struct Decoder {
    outer: Layer,
    /// What decodes what comes out of that, where it may be compressed as well.
    inner: Option<Box<Layer>>,
}

/// One way in which an answer is compressed.
struct Layer {
    stage: Stage,
    /// What has arrived and is not decoded yet.
    input: Bytes,
    /// The first byte, where it does not tell by itself what begins with it.
    first: Option<u8>,
}

enum Stage {
    /// Nothing has arrived yet, and the head says this.
    Announced(ContentCoding),
    Plain,
    GzipHead(Vec<u8>),
    Gzip(Box<InflateState>),
    /// So many bytes of the trailer are still to come.
    GzipTrailer(usize),
    Deflate(Box<InflateState>),
    Brotli(Box<Brotli>),
    /// The compressed data has ended; what follows is padding.
    Ended,
}

/// What the head of an answer says.
#[derive(Clone, Debug, Eq, PartialEq)]
enum ContentCoding {
    Nothing,
    Gzip,
    Deflate,
    Brotli,
    /// One that is not known, or too many.
    Other(String),
}

impl Decoder {
    /// A decoder of the answer with these headers.
    pub(super) fn new(headers: &HeaderMap) -> Self {
        // The last one was applied last (RFC 9110 section 8.4).
        match <[ContentCoding; 2]>::try_from(ContentCoding::all(headers)) {
            Ok([first, last]) => Self { outer: Layer::new(last), inner: Some(Box::new(Layer::new(first))) },
            Err(mut codings) => {
                let only = match codings.len() {
                    0 | 1 => codings.pop().unwrap_or(ContentCoding::Nothing),
                    _ => ContentCoding::Other("several codings".to_owned()),
                };
                Self { outer: Layer::new(only), inner: None }
            }
        }
    }

    /// Takes what has arrived. The pieces of what came before have been taken.
    pub(super) fn push(&mut self, chunk: Bytes) {
        self.outer.push(chunk);
    }

    /// The next piece, never an empty one; `None` where more has to arrive first.
    ///
    /// # Errors
    ///
    /// [`Protocol`](TransportErrorKind::Protocol) where what arrived is not what the head says.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, TransportError> {
        loop {
            if let Some(inner) = &mut self.inner
                && let Some(piece) = inner.next()?
            {
                return Ok(Some(piece));
            }
            let Some(piece) = self.outer.next()? else { return Ok(None) };
            match &mut self.inner {
                None if matches!(self.outer.stage, Stage::Plain) => return Ok(Some(piece)),
                inner => {
                    inner.get_or_insert_with(|| Box::new(Layer::new(ContentCoding::Nothing))).push(piece);
                }
            }
        }
    }

    /// Whether an answer that ends here has come to its end.
    pub(super) fn is_complete(&self) -> bool {
        self.outer.is_complete() && self.inner.as_ref().is_none_or(|inner| inner.is_complete())
    }
}

impl Layer {
    fn new(announced: ContentCoding) -> Self {
        Self { stage: Stage::Announced(announced), input: Bytes::new(), first: None }
    }

    /// Takes what has arrived. The pieces of what came before have been taken.
    pub(super) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.input.is_empty(), "all pieces are taken before more arrives");
        self.input = match self.first.take() {
            Some(first) => [&[first], &*chunk].concat().into(),
            None => chunk,
        };
    }

    /// The next piece, never an empty one; `None` where more has to arrive first.
    ///
    /// # Errors
    ///
    /// [`Protocol`](TransportErrorKind::Protocol) where what arrived is not what the head says.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, TransportError> {
        loop {
            let before = self.input.len();
            match &mut self.stage {
                Stage::Announced(announced) => match self.input.first() {
                    None => return Ok(None),
                    Some(first) if self.input.len() == 1 && *first == GZIP[0] => {
                        self.first = Some(*first);
                        self.input.clear();
                        return Ok(None);
                    }
                    Some(_) => self.stage = announced.stage(&self.input)?,
                },
                Stage::Plain => {
                    return Ok(Some(std::mem::take(&mut self.input)).filter(|piece| !piece.is_empty()));
                }
                Stage::GzipHead(head) => match gzip_head(head, &mut self.input)? {
                    true => self.stage = Stage::Gzip(InflateState::new_boxed(DataFormat::Raw)),
                    false => return Ok(None),
                },
                Stage::Gzip(state) => match inflated(state, &mut self.input)? {
                    InflateStep::Piece(piece) => return Ok(Some(piece)),
                    InflateStep::End(piece) => {
                        self.stage = Stage::GzipTrailer(GZIP_TRAILER);
                        if !piece.is_empty() {
                            return Ok(Some(piece));
                        }
                    }
                    InflateStep::Nothing => return Ok(None),
                },
                Stage::GzipTrailer(left) => {
                    let skipped = (*left).min(self.input.len());
                    self.input.advance(skipped);
                    *left -= skipped;
                    if *left > 0 || self.input.is_empty() {
                        return Ok(None);
                    }
                    // Members may follow each other (section 2.2); anything else is padding.
                    let another = self.input[0] == GZIP[0];
                    self.stage = if another { Stage::GzipHead(Vec::new()) } else { Stage::Ended };
                }
                Stage::Deflate(state) => match inflated(state, &mut self.input)? {
                    InflateStep::Piece(piece) => return Ok(Some(piece)),
                    InflateStep::End(piece) => {
                        self.stage = Stage::Ended;
                        if !piece.is_empty() {
                            return Ok(Some(piece));
                        }
                    }
                    InflateStep::Nothing => return Ok(None),
                },
                Stage::Brotli(state) => {
                    let (piece, ended) = unbrotlied(state, &mut self.input)?;
                    if ended {
                        self.stage = Stage::Ended;
                    }
                    if !piece.is_empty() {
                        return Ok(Some(piece));
                    }
                    if !ended && self.input.len() == before {
                        return Ok(None);
                    }
                }
                Stage::Ended => {
                    self.input.clear();
                    return Ok(None);
                }
            }
        }
    }

    /// Whether an answer that ends here has come to its end.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.stage, Stage::Announced(_) | Stage::Plain | Stage::Ended | Stage::GzipTrailer(_))
    }
}

impl fmt::Debug for Layer {
    /// Shows how it is compressed, never what it says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.stage {
            Stage::Announced(_) => "Announced",
            Stage::Plain => "Plain",
            Stage::GzipHead(_) | Stage::Gzip(_) | Stage::GzipTrailer(_) => "Gzip",
            Stage::Deflate(_) => "Deflate",
            Stage::Brotli(_) => "Brotli",
            Stage::Ended => "Ended",
        })
    }
}

impl ContentCoding {
    /// All that the head names, in the order in which they were applied.
    fn all(headers: &HeaderMap) -> Vec<Self> {
        let values = headers.get_all(header::CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let codings =
            values.flat_map(|value| value.split(',')).map(|coding| coding.trim().to_ascii_lowercase());
        let named = codings.filter_map(|coding| match &*coding {
            // What is no coding of the content is written there all the same.
            "" | "identity" | "none" | "utf-8" | "utf8" | "chunked" | "aws-chunked" | "binary" => None,
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            _ => Some(Self::Other(coding)),
        });
        named.collect()
    }

    /// How an answer that begins like this is decoded. What it is counts for more than what is said of it, where it can
    /// be told.
    fn stage(&self, beginning: &[u8]) -> Result<Stage, TransportError> {
        let first = beginning[0];
        let is_json = matches!(first, b'{' | b'[');
        Ok(match self {
            // Neither JSON nor an event stream begins like that.
            _ if beginning.starts_with(&GZIP) => Stage::GzipHead(Vec::new()),
            _ if beginning.starts_with(&ZSTD) => return Err(unread("zstd")),
            Self::Nothing => Stage::Plain,
            Self::Gzip if first == GZIP[0] => Stage::GzipHead(Vec::new()),
            // A gateway that has decompressed it, and left the header.
            Self::Gzip => Stage::Plain,
            Self::Deflate if is_json => Stage::Plain,
            // RFC 9110 means the format with a head (RFC 1950), and some servers leave it out.
            Self::Deflate if first & 0x0f == 8 && first >> 4 <= 7 => {
                Stage::Deflate(InflateState::new_boxed(DataFormat::Zlib))
            }
            Self::Deflate => Stage::Deflate(InflateState::new_boxed(DataFormat::Raw)),
            // A gateway that has decompressed it, and left the header. What is compressed may begin with one of the two.
            Self::Brotli if beginning.starts_with(b"{\"") => Stage::Plain,
            Self::Brotli => {
                let alloc = StandardAlloc::default;
                // Strict: no window larger than the RFC has.
                Stage::Brotli(Box::new(BrotliState::new_strict(alloc(), alloc(), alloc())))
            }
            Self::Other(_) if is_json => Stage::Plain,
            Self::Other(coding) => return Err(unread(coding)),
        })
    }
}

/// What came of decoding a part of the input.
enum InflateStep {
    Piece(Bytes),
    End(Bytes),
    Nothing,
}

fn inflated(state: &mut InflateState, input: &mut Bytes) -> Result<InflateStep, TransportError> {
    let mut output = vec![0; PIECE];
    let done = inflate(state, input, &mut output, MZFlush::None);
    input.advance(done.bytes_consumed);
    output.truncate(done.bytes_written);
    let piece = Bytes::from(output);
    match done.status {
        Ok(MZStatus::StreamEnd) => Ok(InflateStep::End(piece)),
        Ok(_) | Err(MZError::Buf) if !piece.is_empty() => Ok(InflateStep::Piece(piece)),
        // More has to arrive first. What is left although nothing came of it will never be anything.
        Ok(_) | Err(MZError::Buf) if input.is_empty() => Ok(InflateStep::Nothing),
        _ => Err(corrupt()),
    }
}

/// A piece, and whether it is the last one.
fn unbrotlied(state: &mut Brotli, input: &mut Bytes) -> Result<(Bytes, bool), TransportError> {
    let mut output = vec![0; PIECE];
    let (mut available, mut consumed, mut room, mut written, mut total) = (input.len(), 0, PIECE, 0, 0);
    let result = BrotliDecompressStream(
        &mut available,
        &mut consumed,
        input,
        &mut room,
        &mut written,
        &mut output,
        &mut total,
        state,
    );
    input.advance(consumed);
    output.truncate(written);
    match result {
        BrotliResult::ResultFailure => Err(corrupt()),
        result => Ok((output.into(), matches!(result, BrotliResult::ResultSuccess))),
    }
}

/// Reads the head of a gzip member (RFC 1952 section 2.3) as far as it has arrived, and says whether that is all of it.
fn gzip_head(head: &mut Vec<u8>, input: &mut Bytes) -> Result<bool, TransportError> {
    const HEADER_CHECKSUM: u8 = 1 << 1;
    const EXTRA: u8 = 1 << 2;
    const NAME: u8 = 1 << 3;
    const COMMENT: u8 = 1 << 4;
    let earlier = head.len();
    let room = MAX_GZIP_HEAD - earlier;
    head.extend_from_slice(&input[..input.len().min(room)]);
    let whole = || {
        let flags = *head.get(3)?;
        let mut end = 10;
        if flags & EXTRA != 0 {
            let length = head.get(end..end + 2)?;
            end += 2 + usize::from(u16::from_le_bytes([length[0], length[1]]));
        }
        for text in [NAME, COMMENT] {
            if flags & text != 0 {
                end += head.get(end..)?.iter().position(|byte| *byte == 0)? + 1;
            }
        }
        if flags & HEADER_CHECKSUM != 0 {
            end += 2;
        }
        (head.len() >= end).then_some(end)
    };
    if head.iter().zip([GZIP[0], GZIP[1], 8]).any(|(found, wanted)| *found != wanted) {
        return Err(corrupt());
    }
    match whole() {
        Some(end) => {
            input.advance(end - earlier);
            Ok(true)
        }
        None if head.len() == MAX_GZIP_HEAD => Err(corrupt()),
        None => {
            input.clear();
            Ok(false)
        }
    }
}

fn unread(coding: &str) -> TransportError {
    let coding = mcp_text::line(coding, 40);
    let what = format!("the answer is compressed with {coding}, which was not asked for and is not read");
    TransportError::new(TransportErrorKind::Protocol, what.clone()).with_said(Some(what))
}

/// What is all there and cannot be unpacked.
pub(super) fn corrupt() -> TransportError {
    let what = "the answer is compressed, and damaged";
    TransportError::new(TransportErrorKind::Protocol, what).with_said(Some(what.to_owned()))
}

#[cfg(test)]
mod tests;
