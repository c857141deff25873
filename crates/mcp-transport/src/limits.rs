//! What a server may cost: the one table of limits, and the budget that all connections of a client share.
//!
//! Every wire asks here, so that what a server can make a client spend does not depend on how it is reached. A limit
//! is one of a *purpose*: a handshake and a list are read by programs that only look, so they are small; the result of
//! a call is what a person waits for, and may be large.

use std::sync::Arc;
use std::time::Duration;

use crate::debts::Debts;
use crate::error::{TransportError, TransportErrorKind};
use crate::lease::{Lease, SharedBudget};
use crate::message::methods;

/// How much of a handshake or a list costs nothing of what all connections share, in bytes. More than all but a few
/// real servers need.
const FREE: usize = 1 << 20;
/// The longest event id that a stream is continued from, in bytes: it has to travel in a header.
#[cfg(feature = "http")]
pub(crate) const EVENT_ID_BYTES: usize = 4 << 10;
/// What an item of a list counts beside its text, in bytes: about what it takes in memory when it is tiny.
pub(crate) const ITEM_BYTES: usize = 160;
/// The shortest and the longest wait that a stream may ask for (`retry:`).
#[cfg(feature = "http")]
pub(crate) const RETRY_WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));

/// What one server may cost, at most. A plain value, so that a program can change one field.
///
/// | field | unless set | in an entry | what ends it |
/// |---|---|---|---|
/// | [`handshake_bytes`](Self::handshake_bytes) | 16 MiB | `handshakeBytes` | `protocol` |
/// | [`list_bytes`](Self::list_bytes) | 16 MiB in all pages together | `listBytes` | `protocol` |
/// | [`result_bytes`](Self::result_bytes) | 256 MiB | `resultBytes` | `protocol` |
/// | [`message_bytes`](Self::message_bytes) | 16 MiB | `messageBytes` | `protocol` |
/// | [`host_bytes`](Self::host_bytes) | 64 MiB | `hostBytes` | it is answered with an error |
/// | [`error_bytes`](Self::error_bytes) | 64 KiB | `errorBytes` | the rest is not read |
/// | [`error_time`](Self::error_time) | 5 s | `errorMs` | the rest is not waited for |
/// | [`pages`](Self::pages) | 1,000 | `pages` | the list ends there, with a warning |
/// | [`server_requests`](Self::server_requests) | 64 | `serverRequests` | more are answered with an error |
/// | [`exchanges`](Self::exchanges) | 128 | `exchanges` | more wait for their turn |
/// | [`requests`](Self::requests) | 1,000 | `requests` | more are refused at once |
///
/// Beside them: a list ends within [`ClientOptions::connect_timeout`](crate::ClientOptions::connect_timeout), whatever keeps its
/// stream alive, unless its request has a limit of its own. Handshakes and lists of all connections of one client
/// hold 64 MiB at a time, the first MiB of each not counted. `Retry-After` counts up to 60 s, and `retry:` of a stream from
/// 100 ms to 60 s.
///
/// # Examples
///
/// ```
/// use mcp_transport::limits::Limits;
///
/// let mut limits = Limits::default();
/// limits.pages = 20;
/// assert_eq!(limits.result_bytes, 256 * 1024 * 1024, "the others stay");
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest answer to `server/discover`, `initialize` or `ping`, in bytes.
    pub handshake_bytes: usize,
    /// A list in all its pages together, in bytes: tools, prompts, resources, templates. Each item counts 160 bytes
    /// more than its text, which is what a tiny one takes in memory.
    pub list_bytes: usize,
    /// The longest answer to any other request, in bytes.
    pub result_bytes: usize,
    /// The longest message that a server starts by itself, in bytes, and how much its open requests hold together.
    pub message_bytes: usize,
    /// The longest message of a host, in bytes, where a program passes its messages on.
    pub host_bytes: usize,
    /// How much of the body of an error is read, in bytes.
    pub error_bytes: usize,
    /// How long the body of an error is waited for.
    pub error_time: Duration,
    /// Pages of a list.
    pub pages: usize,
    /// Requests of the server that are open at a time, from their arrival until their answer is written.
    pub server_requests: usize,
    /// HTTP requests of one connection that are under way at a time, streams without end not counted. Over HTTP/1.1
    /// each is a socket.
    pub exchanges: usize,
    /// Requests that one host may have open at a server by way of a program that passes them on.
    pub requests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_bytes: 16 << 20,
            list_bytes: 16 << 20,
            result_bytes: 256 << 20,
            message_bytes: 16 << 20,
            host_bytes: 64 << 20,
            error_bytes: 64 << 10,
            error_time: Duration::from_secs(5),
            pages: 1000,
            server_requests: 64,
            exchanges: 128,
            requests: 1000,
        }
    }
}

/// What an answer is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    Handshake,
    List,
    Result,
    /// What the server starts by itself.
    Message,
}

impl Purpose {
    /// What the answer to a request of this method is for.
    pub(crate) fn of(method: &str) -> Self {
        match method {
            "ping" => Self::Handshake,
            _ if methods::is_handshake(method) => Self::Handshake,
            "subscriptions/listen" => Self::Message,
            _ if method.ends_with("/list") => Self::List,
            _ => Self::Result,
        }
    }

    /// The field of an entry that moves the limit.
    fn field(self) -> &'static str {
        match self {
            Self::Handshake => "handshakeBytes",
            Self::List => "listBytes",
            Self::Result => "resultBytes",
            Self::Message => "messageBytes",
        }
    }

    /// Whether it counts for what all connections share.
    fn is_shared(self) -> bool {
        matches!(self, Self::Handshake | Self::List)
    }
}

/// What one answer may cost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Allowance {
    pub(crate) purpose: Purpose,
    /// The limit of the purpose, and what is left of it for this answer: a list has one for all its pages.
    pub(crate) limit: usize,
    pub(crate) left: usize,
}

impl Allowance {
    /// Whether an answer of so many bytes is admitted at all.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](TransportErrorKind::TooLarge).
    pub(crate) fn check(self, bytes: usize) -> Result<(), TransportError> {
        if bytes > self.left { Err(self.exceeded()) } else { Ok(()) }
    }

    /// It is longer than that.
    pub(crate) fn exceeded(self) -> TransportError {
        let Self { purpose, limit, .. } = self;
        let what = match purpose {
            Purpose::Handshake => "an answer of the handshake",
            Purpose::List => "the list, all pages of it,",
            Purpose::Result => "the answer",
            Purpose::Message => "a message of the server",
        };
        let what = format!("{what} is longer than {limit} bytes (`limits.{}` of the entry)", purpose.field());
        TransportError::new(TransportErrorKind::TooLarge, what.clone()).with_said(Some(what))
    }
}

impl Limits {
    /// What the answer to a request of this method may cost.
    pub(crate) fn allowance(&self, method: &str) -> Allowance {
        self.allowance_for(Purpose::of(method))
    }

    /// Up to here, no message is too long, and none counts for what is shared.
    pub(crate) fn small(&self) -> usize {
        FREE.min(self.handshake_bytes).min(self.list_bytes).min(self.result_bytes).min(self.message_bytes)
    }

    /// No message is longer.
    pub(crate) fn longest(&self) -> usize {
        self.handshake_bytes.max(self.list_bytes).max(self.result_bytes).max(self.message_bytes)
    }

    pub(crate) fn allowance_for(&self, purpose: Purpose) -> Allowance {
        let limit = match purpose {
            Purpose::Handshake => self.handshake_bytes,
            Purpose::List => self.list_bytes,
            Purpose::Result => self.result_bytes,
            Purpose::Message => self.message_bytes,
        };
        Allowance { purpose, limit, left: limit }
    }
}

/// The limits of one connection, and what it shares with the others.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    pub(crate) limits: Arc<Limits>,
    /// What the server has asked, and what it is owed for it.
    pub(crate) debts: Debts,
    shared: SharedBudget,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(Arc::default(), SharedBudget::default())
    }
}

impl Budget {
    pub(crate) fn new(limits: Arc<Limits>, shared: SharedBudget) -> Self {
        Self { debts: Debts::new(limits.server_requests, limits.message_bytes), limits, shared }
    }

    /// What one answer holds, counted from nothing.
    pub(crate) fn meter(&self, allowance: Allowance) -> Meter {
        Meter { allowance, shared: self.shared.clone(), lease: None }
    }
}

/// Counts what one answer holds while it arrives. What is not taken is given back with it.
#[derive(Debug)]
pub(crate) struct Meter {
    allowance: Allowance,
    shared: SharedBudget,
    lease: Option<Lease>,
}

impl Meter {
    /// Admits that the answer holds `bytes` in all.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](TransportErrorKind::TooLarge): for its purpose, or for all that is held together.
    pub(crate) fn admit(&mut self, bytes: usize) -> Result<(), TransportError> {
        self.allowance.check(bytes)?;
        self.hold(bytes)
    }

    /// The same without the limit of its own.
    fn hold(&mut self, bytes: usize) -> Result<(), TransportError> {
        if bytes <= FREE || !self.allowance.purpose.is_shared() {
            return Ok(());
        }
        let lease = self.lease.get_or_insert_with(|| self.shared.lease());
        if !lease.hold(bytes - FREE) {
            let what = "the handshakes and lists of all servers together are too long to be held at a time";
            return Err(
                TransportError::new(TransportErrorKind::TooLarge, what).with_said(Some(what.to_owned()))
            );
        }
        Ok(())
    }

    /// The same for a stream that brings answers of all purposes, of which only one arrives at a time.
    ///
    /// # Errors
    ///
    /// As [`admit`](Self::admit).
    pub(crate) fn measure(&mut self, allowance: Allowance, bytes: usize) -> Result<(), TransportError> {
        self.allowance = allowance;
        self.admit(bytes)
    }

    /// What it held, for whatever is made of it.
    pub(crate) fn take_lease(&mut self) -> Option<Arc<Lease>> {
        self.lease.take().map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_method_has_its_purpose() {
        for (method, purpose) in [
            ("initialize", Purpose::Handshake),
            ("server/discover", Purpose::Handshake),
            ("ping", Purpose::Handshake),
            ("tools/list", Purpose::List),
            ("resources/templates/list", Purpose::List),
            ("prompts/list", Purpose::List),
            ("tools/call", Purpose::Result),
            ("resources/read", Purpose::Result),
            ("subscriptions/listen", Purpose::Message),
        ] {
            assert_eq!(Purpose::of(method), purpose, "{method}");
        }
    }

    #[test]
    fn s_m01_the_limit_is_that_of_the_purpose_and_is_named() {
        let budget = Budget::default();
        for (method, bytes, field) in [
            ("initialize", 16 << 20, "handshakeBytes"),
            ("tools/list", 16 << 20, "listBytes"),
            ("tools/call", 256 << 20, "resultBytes"),
        ] {
            let mut meter = budget.meter(budget.limits.allowance(method));
            meter.admit(bytes).unwrap();
            let error = meter.admit(bytes + 1).unwrap_err();
            assert_eq!(*error.kind(), TransportErrorKind::TooLarge);
            assert!(error.to_string().contains(field), "{error}");
        }
    }

    #[test]
    fn s_m01_what_all_hold_together_is_bounded_and_given_back() {
        let budget = Budget::default();
        let list = budget.limits.allowance("tools/list");
        let mut held = Vec::new();
        let refused = loop {
            let mut meter = budget.meter(list);
            // In steps, as an answer arrives.
            match (1..=16).try_for_each(|mib| meter.admit(mib << 20)) {
                Ok(()) => held.push(meter.take_lease()),
                Err(error) => break error,
            }
        };
        assert_eq!(held.len(), crate::lease::SHARED / (15 << 20), "the first MiB of each is free");
        assert_eq!(*refused.kind(), TransportErrorKind::TooLarge);
        let mut small = budget.meter(list);
        small.admit(FREE).unwrap();
        let mut result = budget.meter(budget.limits.allowance("tools/call"));
        result.admit(200 << 20).unwrap();
        held.pop();
        budget.meter(list).admit(16 << 20).unwrap();
        held.clear();
        assert_eq!(budget.shared.held(), 0);
    }
}
