//! Every way in which a network fails, one after the other, while calls go on.
//!
//! What has to hold: no call is answered wrongly or twice or runs twice, none hangs, every request without effects
//! has its answer in the end, and the status that others see is one of the five, and the right one soon after its
//! cause.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mcp_testkit::{Delivery, Era, FakeMcpServer, Fault, FlakyProxy, Sse};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::host::{Host, Stage};
use crate::{HANG, eventually};

const SEED: u64 = 0x006d_6370_6c69_6e6b;
const STATUSES: [&str; 5] = ["connected", "needs-auth", "pending", "failed", "disabled"];

/// How long the weather lasts in continuous integration.
const SHORT: Duration = Duration::from_secs(120);
/// How long it lasts when somebody asks for it.
const LONG: Duration = Duration::from_secs(30 * 60);
/// How soon a status has to be right on a machine that does nothing else.
const SOON: Duration = Duration::from_secs(2);
/// The same on a machine that is busy with other tests.
const LATER: Duration = Duration::from_secs(20);

/// What a storm saw.
#[derive(Debug, Default)]
struct Tally {
    answered: AtomicU64,
    refused: AtomicU64,
    repeated: AtomicU64,
}

#[tokio::test]
async fn two_minutes_of_chaos() {
    storm(SHORT, LATER).await;
}

#[tokio::test]
#[ignore = "takes half an hour"]
async fn half_an_hour_of_chaos() {
    storm(LONG, SOON).await;
}

async fn storm(length: Duration, soon: Duration) {
    let server = FakeMcpServer::builder().era(Era::Legacy).start().unwrap();
    let proxy = FlakyProxy::start(server.address()).unwrap();
    let url = proxy.url_for(&server.url());
    let stage = Stage::new(&json!({ "type": "http", "url": url.as_str() }))
        .env("MCP_TIMEOUT", "5000")
        .env("MCP_TOOL_TIMEOUT", "5000");
    let stage = Arc::new(stage);
    let host = Arc::new(Host::introduced(&stage).await);
    host.echoes("fair weather").await;
    // What is told while there is no connection is what was known before.
    assert!(host.ask("tools/list", json!({})).await.get("result").is_some());

    let (tally, end) = (Arc::new(Tally::default()), Instant::now() + length);
    let over = Arc::new(AtomicBool::new(false));
    let mut traffic = JoinSet::new();
    for worker in 0..4 {
        traffic.spawn(call_until_over(over.clone(), worker, host.clone(), tally.clone()));
    }
    traffic.spawn(read_until_over(over.clone(), host.clone(), tally.clone()));
    traffic.spawn(watch_until_over(over.clone(), stage.clone()));

    let mut slowest = [Duration::ZERO; 2];
    let mut seed = SEED;
    while Instant::now() < end {
        for weather in 0..7 {
            seed = seed.wrapping_add(1);
            server.deliver(if seed.is_multiple_of(2) { Delivery::Json } else { Sse::new().into() });
            // Cuts at any place: in the head, in the first event, in the answer.
            let cut = seed.wrapping_mul(0x9e37_79b9) % 500;
            match weather {
                0 => proxy.fault(Fault::ResetAfter(cut)),
                1 => proxy.fault(Fault::StallAfter(cut)),
                2 => proxy.fault(Fault::TruncateAfter(cut)),
                3 => proxy.fault(Fault::BadGateway),
                4 => proxy.fault(Fault::Reset),
                5 => proxy.chaos(seed),
                _ => proxy.go_down(),
            }
            proxy.drop_connections();
            if weather == 6 {
                let gone = async || stage.status().await.is_none_or(|status| status != "connected");
                slowest[0] = slowest[0].max(eventually("not connected while down", soon, gone).await);
            }
            sleep(Duration::from_secs(2)).await;
            // And it comes back.
            proxy.fault(Fault::None);
            proxy.drop_connections();
            if weather == 6 {
                proxy.come_up().unwrap();
            }
            let back = async || stage.status().await.as_deref() == Some("connected");
            slowest[1] = slowest[1].max(eventually("connected when back", soon, back).await);
            sleep(Duration::from_secs(1)).await;
        }
    }
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = traffic.join_next().await {
        ended.unwrap();
    }

    host.echoes("fair weather again").await;
    assert_eq!(host.stray(), Vec::<serde_json::Value>::new(), "answered twice");
    let mut runs: HashMap<String, u32> = HashMap::new();
    for request in server.requests() {
        if request.rpc_method().as_deref() == Some("tools/call") {
            let text = request.json().unwrap()["params"]["arguments"]["text"].to_string();
            *runs.entry(text).or_default() += 1;
        }
    }
    let twice: Vec<_> = runs.iter().filter(|(_, runs)| **runs > 1).collect();
    assert!(twice.is_empty(), "ran twice: {twice:?}");
    assert!(tally.answered.load(Ordering::Relaxed) > length.as_secs(), "{tally:?}");
    assert!(tally.refused.load(Ordering::Relaxed) > 0, "no fault was met: {tally:?}");
    assert!(server.violations().is_empty(), "{:?}", server.violations());
    #[expect(clippy::print_stderr, reason = "whoever ran it for half an hour wants to know")]
    {
        eprintln!("{tally:?}, slowest to be seen as gone and as back: {slowest:?}");
    }
}

/// Calls a tool with effects again and again, each time with another text.
async fn call_until_over(over: Arc<AtomicBool>, worker: u32, host: Arc<Host>, tally: Arc<Tally>) {
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        number += 1;
        let text = format!("{worker}/{number}");
        let answer = host.echo(&text).await;
        match answer.get("error") {
            None => {
                assert_eq!(answer["result"]["content"][0]["text"], text, "{answer}");
                tally.answered.fetch_add(1, Ordering::Relaxed);
            }
            Some(error) => {
                assert_eq!(error["data"]["source"], "mcplink", "{answer}");
                assert!(STATUSES.contains(&error["data"]["status"].as_str().unwrap()), "{answer}");
                tally.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Reads, and reads again until it has what it wants. Lists have an answer at once, whatever the weather.
async fn read_until_over(over: Arc<AtomicBool>, host: Arc<Host>, tally: Arc<Tally>) {
    while !over.load(Ordering::Relaxed) {
        let listed = host.ask("tools/list", json!({})).await;
        assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 5, "{listed}");
        let began = Instant::now();
        loop {
            let read = host.ask("prompts/get", json!({ "name": "greet" })).await;
            if read["result"]["messages"][0]["role"] == "user" {
                break;
            }
            assert!(began.elapsed() < HANG, "never answered: {read}");
            tally.repeated.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(100)).await;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Others see one of the five statuses at all times.
async fn watch_until_over(over: Arc<AtomicBool>, stage: Arc<Stage>) {
    while !over.load(Ordering::Relaxed) {
        let status = stage.status().await;
        assert!(status.as_deref().is_some_and(|status| STATUSES.contains(&status)), "{status:?}");
        sleep(Duration::from_millis(250)).await;
    }
}
