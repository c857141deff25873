//! Live sessions: those of other processes, as they say they are, and how one of this process is seen from outside.
//!
//! They meet at sockets of this person's own. Where the system has none, a session of another process is not seen: `absent`
//! is the whole difference. `share` is the same for a connection of several bridges, and `unshared` where there is none.

use crate::view::row::{Session, SilentSession};

pub(crate) mod description;
pub(crate) mod elsewhere;
pub(crate) mod entry;
pub(crate) mod follow;
#[cfg(unix)]
mod places;
pub(crate) mod serve;
pub(crate) mod session;
#[cfg_attr(not(all(unix, feature = "share")), path = "live/unshared.rs")]
mod share;
#[cfg_attr(not(unix), path = "live/absent.rs")]
mod sockets;
pub(crate) mod watched;

/// Whether `word` means a session of the server `name`. One that was given by its URL is also called by its host, where that
/// cannot be the name of another server.
pub(crate) fn is_called(name: &str, word: &str) -> bool {
    let host = || url::Url::parse(name).ok().filter(|_| mcp_config::address::Address::is_one(name));
    name == word || word.contains('.') && host().is_some_and(|url| url.host_str() == Some(word))
}

/// What there is of live sessions: `T` of those that say how they are.
#[derive(Debug, Default)]
pub(crate) struct SeenSessions<T> {
    pub(crate) live: T,
    pub(crate) silent: Vec<SilentSession>,
}

/// A session that was to end and has.
#[derive(Clone, Debug)]
#[cfg_attr(not(unix), expect(dead_code, reason = "there is none to be ended"))]
pub(crate) enum EndedSession {
    /// It did so itself, and said this before.
    Itself(Box<Session>),
    /// It did not answer, and its process was ended.
    Process(u32),
}

/// A session that was to end and has not.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "there is none to be ended"))]
pub(crate) enum LingeringSession {
    /// It has said that it ends.
    Ending(u32),
    Silent(SilentSession),
}

/// What came of ending sessions.
#[derive(Debug, Default)]
pub(crate) struct StoppedSessions {
    pub(crate) each: Vec<Result<EndedSession, LingeringSession>>,
    /// Sessions that do not say whether they were meant.
    pub(crate) unknown: Vec<SilentSession>,
}

pub(crate) use self::share::{Share, join, share};
pub(crate) use self::sockets::{SessionSelector, all, called, of, reconnect, stop};
