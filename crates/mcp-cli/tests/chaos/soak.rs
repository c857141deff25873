//! A token that lives three seconds, and calls that never notice.

use std::sync::Arc;
use std::time::Duration;

use mcp_testkit::{Accept, FakeEra, FakeHelper, FakeMcpServer};
use serde_json::json;
use tokio::time::Instant;

use crate::host::{self, Stage};
use crate::recovery::Held;

/// How long a token lives.
const LIFE: Duration = Duration::from_secs(3);
/// 20 calls per second, however long each takes.
const PACE: Duration = Duration::from_millis(50);

/// Calls for `length`, and returns how much memory the bridge held, in KiB, second by second.
///
/// A call that fails ends the test. So does a helper that runs more than once for each token that expired, and
/// `tolerated` of that.
async fn soak(length: Duration, tolerated: f64) -> Vec<u64> {
    let helper = FakeHelper::new().unwrap();
    helper.prints_stamped("soak-");
    let rule = Accept::Stamped { prefix: "soak-".to_owned(), valid_for: LIFE };
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).accept(rule).start().unwrap();
    let entry = json!({ "type": "http", "url": server.url().as_str(), "headersHelper": helper.command() });
    let stage = Stage::new(&entry);
    let host = Arc::new(host::introduced(&stage).await);
    host.echoes("warm").await;

    let (began, mut memory) = (Instant::now(), Vec::new());
    let (mut calls, mut pace) = (tokio::task::JoinSet::new(), tokio::time::interval(PACE));
    let mut number = 0_u32;
    while began.elapsed() < length {
        pace.tick().await;
        let (caller, text) = (host.clone(), format!("call {number}"));
        calls.spawn(async move { caller.echoes(&text).await });
        while let Some(ended) = calls.try_join_next() {
            ended.unwrap();
        }
        if number.is_multiple_of(20) {
            memory.extend(Held::by(host.pid()).resident_kib);
        }
        number += 1;
    }
    while let Some(ended) = calls.join_next().await {
        ended.unwrap();
    }
    // Beside one for each token that has expired: the first one, and one that came to its end just now.
    let expired = began.elapsed().as_secs_f64() / LIFE.as_secs_f64();
    let runs = helper.runs() as f64;
    assert!(runs > 1.0 && runs <= expired * (1.0 + tolerated) + 2.0, "{runs} runs for {expired:.1} expiries");
    assert!(host.stray().is_empty(), "{:?}", host.stray());
    assert!(server.oauth_requests().is_empty(), "the helper is the authority");
    tell(&format!("{number} calls, {runs} runs of the helper for {expired:.1} expiries"));
    Arc::into_inner(host).unwrap().close().await;
    memory
}

#[tokio::test]
async fn tokens_that_expire_every_three_seconds_fail_no_call_and_cost_one_run_each() {
    soak(Duration::from_secs(13), 0.05).await;
}

/// By hand, on a quiet machine, with a release build: memory is compared.
#[tokio::test]
#[ignore = "takes ten minutes"]
async fn ten_minutes_of_tokens_that_expire_leave_memory_as_it_was() {
    let memory = soak(Duration::from_secs(600), 0.05).await;
    let mean = |seconds: &[u64]| seconds.iter().sum::<u64>() as f64 / seconds.len().max(1) as f64;
    let (Some(second), Some(last)) = (memory.get(60..120), memory.rchunks(60).next()) else {
        panic!("no /proc, or too short: {} readings", memory.len());
    };
    let (second, last) = (mean(second), mean(last));
    tell(&format!("{second:.0} KiB in the second minute, {last:.0} KiB in the last"));
    assert!(
        (last - second).abs() <= 0.05 * second,
        "{second} KiB in the second minute, {last} KiB in the last"
    );
}

#[expect(clippy::print_stderr, reason = "a person who ran it for ten minutes wants to know")]
fn tell(text: &str) {
    eprintln!("{text}");
}
