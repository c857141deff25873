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

/// What no answer may take: a call waits 30 s for a connection, is tried twice, and each try has the 5 s that the
/// tests allow; the rest is for a loaded machine.
pub(crate) const HANG: Duration = Duration::from_secs(75);

/// Waits for something that others see.
pub(crate) async fn eventually(
    what: &str,
    limit: Duration,
    mut is_so: impl AsyncFnMut() -> bool,
) -> Duration {
    let began = tokio::time::Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}
