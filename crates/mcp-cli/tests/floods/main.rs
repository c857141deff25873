//! What a hostile server may cost: the program against servers that never end, never read, or never stop asking. Every
//! command must come to an end by itself, and its memory stays small, as the system counts it at its peak.
//!
//! The servers stop after 400 MB, so that a failure does no harm.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "a failure here is a failed test; clippy only knows functions marked as such"
)]

mod hostile;
mod lists;
mod program;
mod questions;
mod words;
