//! What is told of each HTTP exchange to a program that looks closely, such as one that finds out why a server does not answer.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// One HTTP request and what came of it, sign-in requests included. No part of it is a secret: of the URL the query, the user
/// and the password are left out, of the request nothing but names is told, and what it carried is hidden in the answer.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Exchange {
    /// `GET`, `POST` or `DELETE`.
    pub method: String,
    /// Where it went.
    pub url: String,
    /// The proxy that it went by.
    pub proxy: Option<String>,
    /// The method of the JSON-RPC message in it, such as `initialize`.
    pub asks: Option<String>,
    /// The names of the header fields in it that prove something.
    pub credentials: Vec<String>,
    /// When it was sent.
    pub began: SystemTime,
    /// How long it took until the head of its answer was there, or until it failed.
    pub took: Duration,
    /// What came of it.
    pub outcome: ExchangeOutcome,
}

/// What came of an exchange.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ExchangeOutcome {
    /// An answer, of whatever status.
    Answered {
        /// Its status (RFC 9110 section 15).
        status: u16,
        /// Its media type, as written.
        content_type: Option<String>,
        /// The clock of the answering server (`Date`, RFC 9110 section 6.6.1).
        date: Option<SystemTime>,
        /// The header fields that decide something about it, such as `www-authenticate`, each as a line.
        decides: Vec<String>,
    },
    /// None, and why.
    NoAnswer {
        /// In words, without what was sent.
        why: String,
    },
}

impl fmt::Display for ExchangeOutcome {
    /// `401 text/html`, or why there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status, content_type: Some(kind), .. } => write!(f, "{status} {kind}"),
            Self::Answered { status, content_type: None, .. } => write!(f, "{status}"),
            Self::NoAnswer { why } => write!(f, "no answer: {why}"),
        }
    }
}

/// Hears of each exchange when the head of its answer is there. Must not block.
#[derive(Clone)]
pub struct ExchangeSink(Arc<dyn Fn(&Exchange) + Send + Sync>);

impl ExchangeSink {
    /// Calls `hear`.
    pub fn new(hear: impl Fn(&Exchange) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    pub(crate) fn tell(&self, exchange: &Exchange) {
        (self.0)(exchange);
    }
}

impl fmt::Debug for ExchangeSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExchangeSink")
    }
}
