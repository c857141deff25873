//! The control socket of live sessions: how a command in another terminal sees a bridge, and reconnects it.
//!
//! Each live session listens on a socket of its own, in a directory that only its owner can enter. The protocol is
//! one JSON line for a request and one for the answer. Nothing is stored: the directory holds sockets, and a socket
//! on which no process listens is removed by the first process that notices. One that listens and does not answer is told as
//! [`SilentSession`]: its process is stopped, or hangs. What a session says about its status is passed on as it was
//! said; it is shown, never believed.

mod client;
mod ending;
mod place;
mod server;
mod socket_name;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::SharingRole;

pub use client::{AskedSessions, ControlAnswer, FoundSessions, ask_all, sessions, sessions_among};
pub use place::Places;
pub use server::ControlServer;
pub use socket_name::SilentSession;

/// The longest line of the protocol, in bytes: a status with its reason is far shorter.
const MAX_LINE: u64 = 256 * 1024;

/// What identifies the server of a session: two files may use one name for different servers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SessionServer {
    /// The name of the server entry, or its URL where it has none.
    pub name: String,
    /// The file that defines it; empty where none does.
    pub source: String,
}

impl SessionServer {
    /// The server `name` of the file `source`.
    #[must_use]
    pub fn new(name: impl Into<String>, source: impl Into<String>) -> Self {
        Self { name: name.into(), source: source.into() }
    }
}

/// One live session, as it describes itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionInfo {
    /// The process.
    pub pid: u32,
    /// `bridge`, or what an embedding host calls itself.
    pub kind: String,
    /// The server it is connected to.
    pub server: SessionServer,
    /// What it is on a connection that it shares; `None` where it shares none, or has found none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharingRole>,
    /// The program that it serves, as that says itself, with its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The URL that it leads to, as it may be shown; `None` for a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The folder that it was started in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The version of its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When it began, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// How many tools its host has called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// The entries that it runs under, as `MCPLINK_CHAIN` has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<String>,
    /// Its status report, as it says it.
    pub report: Box<RawValue>,
}

impl SessionInfo {
    /// A session of this process, of which no more is known; the other fields can be set.
    #[must_use]
    pub fn new(kind: impl Into<String>, server: SessionServer, report: Box<RawValue>) -> Self {
        Self {
            pid: std::process::id(),
            kind: kind.into(),
            server,
            shared: None,
            host: None,
            url: None,
            folder: None,
            version: None,
            since: None,
            calls: None,
            below: None,
            report,
        }
    }
}

/// What a request of the protocol asks for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ControlRequest {
    /// How it is.
    Status,
    /// To end, and say how it was.
    Stop,
    /// To connect again, configuration and credentials read afresh, and say how it is then.
    Reconnect,
}

/// A future of a [`LiveSession`].
pub type SessionFuture<'a> = Pin<Box<dyn Future<Output = SessionInfo> + Send + 'a>>;

/// A session that can be seen and reconnected from outside. What an embedding host implements to opt in.
pub trait LiveSession: fmt::Debug + Send + Sync + 'static {
    /// How it is now. A session that watches nothing while it is idle finds out first, in a second or so: what is
    /// said here is taken for the truth.
    fn describe(&self) -> SessionFuture<'_>;

    /// Connects again and says how it is then.
    fn reconnect(&self) -> SessionFuture<'_>;

    /// The server that it is of for its life, by which its socket is called: a command that asks about other servers does not wait
    /// for this session then, should it hang.
    fn server(&self) -> Option<SessionServer> {
        None
    }

    /// Whether its process is there for this session and nothing else. Where such a session does not answer, a command that ends
    /// it ends the process.
    fn has_own_process(&self) -> bool {
        false
    }

    /// Says how it is, and ends a moment later, when that has been heard. A session that is not to be ended from outside
    /// only says how it is.
    fn stop(&self) -> SessionFuture<'_> {
        self.describe()
    }
}

#[derive(Deserialize, Serialize)]
struct ControlLine {
    op: ControlRequest,
}
