//! The body of an answer, as it arrives.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
#[cfg(not(test))]
use hyper::body::Incoming;

use super::charset::Charset;
use super::coding::{self, Decoder};
use super::idle::Idleness;
#[cfg(test)]
use super::simulated::HttpBody;
use super::trouble::{self, Stage};
use crate::activity::PendingAnswer;
use crate::error::{TransportError, TransportErrorKind};
use crate::limits::Limits;

/// How much memory is set aside for a body because its head says how long it will be, in bytes.
const MAX_PROMISED: usize = 4 << 20;

/// A body as the library hands it out.
#[cfg(not(test))]
type HttpBody = Incoming;

/// A body that is still arriving. Dropping it ends the answer.
#[derive(Debug)]
pub(crate) struct Body {
    arriving: HttpBody,
    decoder: Decoder,
    charset: Charset,
    beat: Option<PendingAnswer>,
    /// What was looked at and not taken yet.
    unread: Option<Bytes>,
    /// It is whole where it ends; otherwise it may have been cut off.
    is_framed: bool,
    /// That of its connection, which begins when it has ended.
    idleness: Option<Idleness>,
}

/// What a body held, and what broke it off, if anything did.
#[derive(Debug)]
pub(crate) struct CollectedBody {
    pub(crate) bytes: Vec<u8>,
    pub(crate) broken: Option<TransportError>,
}

impl Body {
    pub(super) fn new(arriving: HttpBody, decoder: Decoder) -> Self {
        Self {
            arriving,
            decoder,
            charset: Charset::Undecided(None),
            beat: None,
            unread: None,
            is_framed: false,
            idleness: None,
        }
    }

    /// Its end is told by its framing (RFC 9112 section 6.3), so that it is whole where it ends.
    pub(super) fn ends_by(&mut self, version: http::Version, headers: &HeaderMap) {
        self.is_framed = version == http::Version::HTTP_2
            || headers.contains_key(header::CONTENT_LENGTH)
            || headers.contains_key(header::TRANSFER_ENCODING);
    }

    /// The connection is free again when this ends.
    pub(super) fn frees(&mut self, connection: &Idleness) {
        if self.arriving.is_end_stream() {
            connection.begins();
        } else {
            self.idleness = Some(connection.clone());
        }
    }

    /// Counts what arrives as signs of life of its server.
    pub(crate) fn count(&mut self, beat: Option<PendingAnswer>) {
        self.beat = beat;
    }

    /// The next piece, in whatever size it arrived; `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        if let Some(unread) = self.unread.take() {
            return Ok(Some(unread));
        }
        loop {
            if let Some(piece) = self.decoder.next()? {
                let piece = self.charset.read(piece);
                if !piece.is_empty() {
                    return Ok(Some(piece));
                }
                continue;
            }
            let frame = self.arriving.frame().await.transpose().map_err(broken);
            if let (Some(beat), Ok(_)) = (&self.beat, &frame) {
                beat.heard();
            }
            let frame = frame?;
            if frame.is_none()
                && let Some(connection) = self.idleness.take()
            {
                connection.begins();
            }
            match frame {
                // Trailers say nothing.
                Some(frame) => self.decoder.push(frame.into_data().unwrap_or_default()),
                None if self.decoder.is_complete() => return Ok(self.charset.rest()),
                None if self.is_framed => return Err(coding::corrupt()),
                None => {
                    let message = "the connection ended before the answer did";
                    let error = TransportError::new(TransportErrorKind::Dropped, message);
                    return Err(error.with_said(Some(message.to_owned())));
                }
            }
        }
    }

    /// What the body begins with, as far as it arrived in one piece; empty where there is none. It is still to be read.
    pub(crate) async fn beginning(&mut self) -> Result<&[u8], TransportError> {
        if self.unread.is_none() {
            self.unread = self.chunk().await?;
        }
        Ok(self.unread.as_deref().unwrap_or_default())
    }

    /// At most the first `limit` bytes, as far as they arrive within `patience`; what follows is not waited for.
    pub(crate) async fn head(&mut self, limit: usize, patience: Duration) -> Vec<u8> {
        let mut head = Vec::new();
        let reading = async {
            while head.len() < limit
                && let Ok(Some(chunk)) = self.chunk().await
            {
                head.extend_from_slice(&chunk[..chunk.len().min(limit - head.len())]);
            }
        };
        // What came until then still says something.
        let _ = tokio::time::timeout(patience, reading).await;
        head
    }

    /// The same, which is still to be read.
    pub(crate) async fn look(&mut self, limit: usize, patience: Duration) -> &[u8] {
        let head = self.head(limit, patience).await;
        self.unread.insert(head.into())
    }

    /// What the body of an error says, as far as it is read.
    pub(crate) async fn excerpt(&mut self, limits: &Limits) -> Vec<u8> {
        self.head(limits.error_bytes, limits.error_time).await
    }

    /// Reads the answer to a message that wants none to its end, so that its connection can be used again.
    pub(crate) async fn finish(&mut self, limits: &Limits) {
        self.head(1024, limits.error_time).await;
    }

    /// The whole body, each piece copied once and let go, so that the pieces to come can use its memory. One that breaks
    /// off may hold all that was due: many a server does not end it as it should.
    ///
    /// # Errors
    ///
    /// Those of `promised`, which is told how many bytes there will be, where the head says so, and those of `admit`,
    /// which is told how many there are in all before they are kept.
    pub(crate) async fn collect(
        &mut self,
        promised: impl FnOnce(usize) -> Result<(), TransportError>,
        mut admit: impl FnMut(usize) -> Result<(), TransportError>,
    ) -> Result<CollectedBody, TransportError> {
        let expected = self.arriving.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        // A promise that is too long is not waited for.
        if let Some(expected) = expected {
            promised(expected)?;
        }
        // A peer's promise about the length only sizes the buffer up to a point; memory follows what arrives.
        let mut whole = Vec::with_capacity(expected.unwrap_or(0).min(MAX_PROMISED));
        let broken = loop {
            match self.chunk().await {
                Ok(Some(chunk)) => {
                    admit(whole.len().saturating_add(chunk.len()))?;
                    whole.extend_from_slice(&chunk);
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        Ok(CollectedBody { bytes: whole, broken })
    }
}

/// A body that broke off.
fn broken(error: impl Into<Box<dyn Error + Send + Sync>>) -> TransportError {
    let error = error.into();
    let stage = Stage { timeout: trouble::is_timeout(&*error), ..Stage::default() };
    trouble::explain(error, stage)
}
