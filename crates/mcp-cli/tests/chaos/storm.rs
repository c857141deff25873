//! Every way in which a network fails, one after the other, while calls go on.
//!
//! What has to hold: no call is answered wrongly or twice or runs twice, none hangs, every request without effects
//! has its answer in the end, and the status that others see is one of the five, and the right one within two seconds
//! of its cause. What stalled stays stalled when the network is back: only fresh connections get through.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mcp_testkit::{Delivery, FakeEra, FakeMcpServer, Fault, FlakyProxy, Sse};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::HANG;
use mcp_harness::FakeHost;

use crate::host::{self, Stage};

const SEED: u64 = 0x006d_6370_6c69_6e6b;
const STATUSES: [&str; 5] = ["connected", "needs-auth", "pending", "failed", "disabled"];

/// How long the weather lasts in continuous integration.
const SHORT: Duration = Duration::from_secs(60);
/// How long it lasts on request.
const LONG: Duration = Duration::from_secs(30 * 60);
/// How soon a status has to be right.
const SOON: Duration = Duration::from_secs(2);
/// How often a task has to be scheduled, here and in the bridge, from a cause to what is seen of it: each time it may
/// take as long as a machine that is busy with other tests makes it wait.
const TURNS: u32 = 20;
/// What fits into so many bytes is not an answer: the head of one is longer.
const NO_ANSWER: u64 = 80;

/// What a storm saw.
#[derive(Debug, Default)]
struct Tally {
    answered: AtomicU64,
    refused: AtomicU64,
    repeated: AtomicU64,
}

#[tokio::test]
async fn a_minute_of_chaos() {
    storm(SHORT).await;
}

#[tokio::test]
#[ignore = "takes half an hour"]
async fn half_an_hour_of_chaos() {
    storm(LONG).await;
}

async fn storm(length: Duration) {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let proxy = FlakyProxy::start(server.address()).unwrap();
    let url = proxy.url_for(&server.url());
    let stage = Stage::new(&json!({ "type": "http", "url": url.as_str() }))
        .env("MCP_TIMEOUT", "5000")
        .env("MCP_TOOL_TIMEOUT", "5000");
    let stage = Arc::new(stage);
    let host = Arc::new(host::introduced(&stage).await);
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

    let lateness = Lateness::measure();
    let mut slowest = [Duration::ZERO; 2];
    let mut seed = SEED;
    while Instant::now() < end {
        for weather in 0..7 {
            seed = seed.wrapping_add(1);
            server.deliver(if seed.is_multiple_of(2) { Delivery::Json } else { Sse::new().into() });
            // Cuts at any place: in the head, in the first event, in the answer.
            let cut = seed.wrapping_mul(0x9e37_79b9) % 500;
            let fault = match weather {
                0 => Some(Fault::ResetAfter(cut)),
                1 => Some(Fault::StallAfter(cut)),
                2 => Some(Fault::TruncateAfter(cut)),
                3 => Some(Fault::BadGateway),
                4 => Some(Fault::Reset),
                _ => None,
            };
            match (weather, fault) {
                (_, Some(fault)) => proxy.fault(fault),
                (5, _) => proxy.chaos(seed),
                _ => proxy.go_down(),
            }
            proxy.drop_connections();
            lateness.restart();
            let (cause, what) = (Instant::now(), format!("{weather} {fault:?}, seed {seed}"));
            // Where short answers still get through, the server is there for those who want no more.
            if (weather < 3 && cut < NO_ANSWER) || matches!(weather, 3 | 4 | 6) {
                let is_gone = async || stage.status().await.is_none_or(|status| status != "connected");
                let took = lateness.soon(&format!("not connected in {what}"), is_gone).await;
                slowest[0] = slowest[0].max(took);
            }
            sleep_until(cause + Duration::from_secs(2)).await;
            // And it comes back.
            proxy.fault(Fault::None);
            if weather == 6 {
                proxy.come_up().unwrap();
            }
            lateness.restart();
            let is_back = async || stage.status().await.as_deref() == Some("connected");
            let took = lateness.soon(&format!("connected after {what}"), is_back).await;
            slowest[1] = slowest[1].max(took);
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
    #[expect(clippy::print_stderr, reason = "a person who ran it for half an hour wants to know")]
    {
        eprintln!("{tally:?}, slowest to be seen as gone and as back: {slowest:?}");
    }
}

/// How late this machine lets a task run that is ready.
struct Lateness {
    worst: Arc<AtomicU64>,
    _ticker: JoinSet<()>,
}

impl Lateness {
    fn measure() -> Self {
        const TICK: Duration = Duration::from_millis(10);
        let worst = Arc::new(AtomicU64::new(0));
        let seen = worst.clone();
        let mut ticker = JoinSet::new();
        ticker.spawn(async move {
            loop {
                let due = Instant::now() + TICK;
                sleep_until(due).await;
                let late = u64::try_from(due.elapsed().as_millis()).unwrap();
                seen.fetch_max(late, Ordering::Relaxed);
            }
        });
        Self { worst, _ticker: ticker }
    }

    /// What was before belongs to something else.
    fn restart(&self) {
        self.worst.store(0, Ordering::Relaxed);
    }

    /// Waits for something that others have to see soon, and says how long it took.
    async fn soon(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
        let began = Instant::now();
        loop {
            let is_so = is_so().await;
            let took = began.elapsed();
            let late = Duration::from_millis(self.worst.load(Ordering::Relaxed));
            let limit = SOON + late * TURNS;
            assert!(took < limit, "only after {took:?}, and here one is late by {late:?}: {what}");
            if is_so {
                return took;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Calls a tool with effects again and again, each time with another text.
async fn call_until_over(over: Arc<AtomicBool>, worker: u32, host: Arc<FakeHost>, tally: Arc<Tally>) {
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
async fn read_until_over(over: Arc<AtomicBool>, host: Arc<FakeHost>, tally: Arc<Tally>) {
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
