//! Waiting for what others do, as a test does.

use std::time::Duration;

use tokio::time::Instant;

/// How often it is looked.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `is_so` says so, and tells how long that took.
///
/// # Panics
///
/// It was not so within `limit`; the message names `what`.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let mut looks = 0;
/// let is_so = async || {
///     looks += 1;
///     looks == 3
/// };
/// mcp_testkit::eventually("the third look", Duration::from_secs(20), is_so).await;
/// # });
/// ```
pub async fn eventually(what: &str, limit: Duration, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
    began.elapsed()
}
