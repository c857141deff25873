//! Live sessions: those of other processes, as they say they are, and how one of this process is seen from outside.
//!
//! They meet at sockets of this person's own. Where the system has none, a session of another process is not seen, and
//! no connection is shared: `absent` is the whole difference.

pub(crate) mod description;
pub(crate) mod elsewhere;
pub(crate) mod entry;
pub(crate) mod follow;
pub(crate) mod serve;
#[cfg_attr(not(unix), path = "live/absent.rs")]
mod sockets;
pub(crate) mod watched;

/// A session that was to end and has not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NotEnded {
    pub(crate) pid: u32,
    /// It has said that it ends.
    pub(crate) has_answered: bool,
}

pub(crate) use self::sockets::{Sharing, Which, all, join, of, reconnect, share, stop};
