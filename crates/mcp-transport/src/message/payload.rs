//! What a server answered: JSON text, in the buffer in which it arrived.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::lease::Lease;

/// A result as the server sent it: one valid JSON value, every byte of it, read no further than to know that.
///
/// Like a [`RawValue`], and unlike one it needs no memory of its own: it is a part of the message that it came in, so
/// a large result is held once. [`get`](Self::get) is its text, which `serde_json::from_str` reads as whatever is wanted.
#[derive(Clone)]
pub struct Payload {
    /// The whole message.
    message: String,
    /// Where in it the value is.
    span: Range<usize>,
    /// What it takes of the budget that all connections share.
    lease: Option<Arc<Lease>>,
}

impl Payload {
    /// The part `span` of `message`, which must have been read as one JSON value.
    pub(crate) fn within(message: String, span: Range<usize>) -> Self {
        Self { message, span, lease: None }
    }

    /// The same, which gives `lease` back when it is dropped.
    #[must_use]
    pub(crate) fn with_lease(mut self, lease: Option<Arc<Lease>>) -> Self {
        self.lease = lease;
        self
    }

    /// What it takes of the budget that all connections share.
    pub(crate) fn lease(&self) -> Option<Arc<Lease>> {
        self.lease.clone()
    }

    /// The JSON text, as it was sent.
    pub fn get(&self) -> &str {
        &self.message[self.span.clone()]
    }

    /// The value alone, in memory of its own size.
    pub fn into_raw(self) -> Box<RawValue> {
        let Self { mut message, span, .. } = self;
        message.truncate(span.end);
        message.drain(..span.start);
        // It has been read as JSON before.
        RawValue::from_string(message).unwrap_or_default()
    }

    /// The buffer that holds it, and where in it the value is: for a caller that writes it elsewhere.
    pub fn into_buffer(self) -> (Vec<u8>, Range<usize>) {
        (self.message.into_bytes(), self.span)
    }
}

impl AsRef<str> for Payload {
    fn as_ref(&self) -> &str {
        self.get()
    }
}

impl From<Box<RawValue>> for Payload {
    fn from(raw: Box<RawValue>) -> Self {
        let message = String::from(Box::<str>::from(raw));
        let span = 0..message.len();
        Self { message, span, lease: None }
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl fmt::Debug for Payload {
    /// How long it is, never what it says: a payload may hold anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.span.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_its_part_of_the_message_and_nothing_else() {
        let payload = Payload::within(r#"{"id":1,"result":{"a":1.0}}"#.to_owned(), 17..26);
        assert_eq!((payload.get(), payload.get().len()), (r#"{"a":1.0}"#, 9));
        assert_eq!(payload.to_string(), payload.get());
        assert!(!format!("{payload:?}").contains("1.0"));
        let (buffer, span) = payload.clone().into_buffer();
        assert_eq!(&buffer[span], payload.get().as_bytes());
        let raw = payload.clone().into_raw();
        assert_eq!(raw.get(), payload.get());
        assert_eq!(Payload::from(raw).get(), payload.get());
    }
}
