//! Bridges that share one connection (`mcplink bridge --shared`), as processes, against servers on real sockets.
//!
//! | module | tells |
//! |---|---|
//! | `together` | one connection for many hosts, whose calls and questions stay apart |
//! | `apart` | who never shares: other credentials, other hosts, another entry |
//! | `succession` | the end of the owner, by force and in good order |
//! | `truth` | the status of a guest, and `reconnect` |
//! | `latches` | what opens and closes the connection of all, without a reconnect |
//! | `policy` | which tools each bridge lets through |
//! | `floods` | crowds, nonsense and strangers at the sockets |
//! | `trouble` | an owner that hangs, a guest that dies or does not read, a directory that another program cleans |

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "a failure here is a failed test; clippy only knows functions marked as such"
)]

mod apart;
mod floods;
mod host;
mod latches;
mod policy;
mod succession;
mod together;
mod trouble;
mod truth;

use std::time::Duration;

/// What no answer may take: a call waits 30 s for a connection and may be tried twice; the rest is for a loaded machine.
pub(crate) const HANG: Duration = Duration::from_secs(75);

/// Waits for something that others see.
pub(crate) async fn eventually(what: &str, is_so: impl AsyncFnMut() -> bool) {
    mcp_testkit::eventually(what, HANG, is_so).await;
}
