//! What people know the limits of time by.

use std::borrow::Cow;

use mcp_status::LimitSubject;

/// What people know the settings by that move the limits of time, so that a failure can say which one allows more. None unless
/// set: a program that reads no variable speaks of none. [`ClientOptions::from_env`](crate::ClientOptions::from_env) names those
/// that it reads.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct LimitNames {
    /// Of an attempt to connect over a network.
    pub attempt: Option<Cow<'static, str>>,
    /// Of the start of a local server.
    pub start: Option<Cow<'static, str>>,
    /// Of the silence of a server that has been asked.
    pub silence: Option<Cow<'static, str>>,
    /// Of each request to one server.
    pub entry: Option<Cow<'static, str>>,
    /// Of each request to any server.
    pub requests: Option<Cow<'static, str>>,
}

impl LimitNames {
    /// The name of what moves a limit of this kind. What a caller wants for one request has none.
    pub(crate) fn of(&self, of: LimitSubject) -> Option<Cow<'static, str>> {
        match of {
            LimitSubject::Attempt => self.attempt.clone(),
            LimitSubject::Start => self.start.clone(),
            LimitSubject::Silence => self.silence.clone(),
            LimitSubject::Entry => self.entry.clone(),
            LimitSubject::Requests => self.requests.clone(),
            _ => None,
        }
    }
}
