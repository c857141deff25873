//! A bridge whose server comes and goes, seen by its host and by other processes.
//!
//! `storm` and `soak` have long versions, by hand: `cargo nextest run -p mcplink --test chaos --run-ignored all half_an_hour`,
//! and the same with `ten_minutes`.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "a failure here is a failed test; clippy only knows functions marked as such"
)]

mod host;
mod recovery;
mod soak;
mod storm;

use std::time::Duration;

pub(crate) use mcp_testkit::eventually;

/// What no answer may take: a call waits 30 s for a connection, is tried twice, and each try has the 5 s that the
/// tests allow; the rest is for a loaded machine.
pub(crate) const HANG: Duration = Duration::from_secs(75);
