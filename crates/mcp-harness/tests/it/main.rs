//! The harness must fail when it should, and real servers must start, answer and end.

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is a failed test; clippy only knows functions marked as such"
)]

#[path = "../../../mcp-testkit/tests/it/raw.rs"]
#[expect(dead_code, reason = "a client of the test kit's tests, of which these need one function")]
mod raw;
mod real;
mod run;
