//! What a call and a status cost, beside the same exchanges made with the bare HTTP client.
//!
//! `cargo bench -p mcp-transport --bench call [-- PART OF A NAME]`. Floor and client take turns against one server in the same
//! process, so machine noise hits both; only the ratios mean anything. Each line shows the median of the
//! per-round ratios of wall time and of CPU time of the client's thread.

#![expect(clippy::print_stdout, reason = "a bench reports on standard output")]

#[path = "call/floor.rs"]
mod floor;
#[path = "call/server.rs"]
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mcp_transport::{
    ClientInfo, ClientOptions, Connection, Connector, Endpoint, HttpEndpoint, RequestOptions, Server,
};
use serde_json::value::RawValue;

use crate::floor::Floor;
use crate::server::{Era, FastServer, Form};

const ROUNDS: usize = 15;
const SEQUENTIAL_CALLS: usize = 1_000;
const WAYS: usize = 64;
const CALLS_PER_WAY: usize = 40;
const BIG_CALLS: usize = 60;
const SERVERS: usize = 200;
/// What one status run may have under way at a time.
const CONCURRENCY: usize = 200;

fn main() {
    // `cargo test` runs benches without arguments that say so; one short round shows that they work.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { ROUNDS } else { 1 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    println!("{:<44} {:>8} {:>8}", "median of ratios to the floor", "wall", "cpu");
    for era in [Era::Legacy, Era::Modern] {
        for form in [Form::Json, Form::Sse] {
            let name = |what: &str| format!("{what}, {era:?}, {form:?}").to_lowercase();
            runtime.block_on(async {
                let server = FastServer::start(era, form, 1);
                let url = server.urls().remove(0);
                let floor = Arc::new(Floor::connect(&url, era).await);
                let ours = connect(&connector(), &url).await;

                let (floor, ours) = (&floor, &ours);
                compare(
                    &name("sequential call"),
                    rounds,
                    async || {
                        for _ in 0..SEQUENTIAL_CALLS {
                            floor.call("echo").await;
                        }
                    },
                    async || {
                        for _ in 0..SEQUENTIAL_CALLS {
                            call(ours, "echo").await;
                        }
                    },
                )
                .await;
                compare(
                    &name("64-way call"),
                    rounds,
                    async || {
                        join((0..WAYS).map(|_| {
                            let floor = floor.clone();
                            async move {
                                for _ in 0..CALLS_PER_WAY {
                                    floor.call("echo").await;
                                }
                            }
                        }))
                        .await;
                    },
                    async || {
                        join((0..WAYS).map(|_| {
                            let ours = ours.clone();
                            async move {
                                for _ in 0..CALLS_PER_WAY {
                                    call(&ours, "echo").await;
                                }
                            }
                        }))
                        .await;
                    },
                )
                .await;
                compare(
                    &name("1 MiB result"),
                    rounds,
                    async || {
                        for _ in 0..BIG_CALLS {
                            floor.call("big").await;
                        }
                    },
                    async || {
                        for _ in 0..BIG_CALLS {
                            call(ours, "big").await;
                        }
                    },
                )
                .await;
            });
        }
        runtime.block_on(async {
            let server = FastServer::start(era, Form::Json, SERVERS);
            let urls = server.urls();
            compare(
                &format!("status of {SERVERS} servers, {era:?}").to_lowercase(),
                rounds,
                async || {
                    let floor = Floor::client();
                    each(&urls, |url| {
                        let floor = floor.clone();
                        async move { Floor::connect_with(floor, &url, era).await.list().await }
                    })
                    .await;
                },
                async || {
                    let connector = connector();
                    each(&urls, |url| {
                        let connector = connector.clone();
                        async move {
                            let connection = connect(&connector, &url).await;
                            connection.list_tools(&RequestOptions::new()).await.expect("a list").tools.len()
                        }
                    })
                    .await;
                },
            )
            .await;
        });
    }
}

fn connector() -> Connector {
    Connector::new(ClientOptions::new(ClientInfo::new("bench", "1.0")))
}

async fn connect(connector: &Connector, url: &str) -> Connection {
    let endpoint = HttpEndpoint::new(url.parse().expect("a URL"));
    connector.attempt(&Server::new(Endpoint::Http(endpoint))).await.expect("a connection")
}

async fn call(connection: &Connection, tool: &str) -> usize {
    let arguments = RawValue::from_string(floor::ARGUMENTS.to_owned()).expect("JSON");
    let result =
        connection.call_tool(tool, Some(&arguments), &RequestOptions::new()).await.expect("a result");
    let result: floor::CallResult<'_> = serde_json::from_str(result.get()).expect("a tool result");
    assert!(!result.is_error);
    result.content[0].text.len()
}

async fn each<F>(urls: &[String], run: impl Fn(String) -> F)
where
    F: Future<Output = usize> + Send + 'static,
{
    for batch in urls.chunks(CONCURRENCY) {
        join(batch.iter().map(|url| {
            let run = run(url.clone());
            async move { assert_eq!(run.await, server::TOOLS) }
        }))
        .await;
    }
}

async fn join<F>(futures: impl Iterator<Item = F>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let tasks: Vec<_> = futures.map(tokio::spawn).collect();
    for task in tasks {
        task.await.expect("a task");
    }
}

/// Runs both in turns, the first one alternating, and prints the medians of the ratios.
async fn compare(name: &str, rounds: usize, floor: impl AsyncFn(), ours: impl AsyncFn()) {
    if std::env::args().skip(1).any(|argument| !argument.starts_with('-') && !name.contains(&argument)) {
        return;
    }
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    // One round of each warms caches, pools and the allocator up.
    floor().await;
    ours().await;
    for round in 0..rounds {
        let (floor, ours) = if round % 2 == 0 {
            let floor = timed(&floor).await;
            (floor, timed(&ours).await)
        } else {
            let ours = timed(&ours).await;
            (timed(&floor).await, ours)
        };
        wall.push(ours.0.as_secs_f64() / floor.0.as_secs_f64());
        cpu.push(ours.1.as_secs_f64() / floor.1.as_secs_f64().max(1e-9));
    }
    println!("{name:<44} {:>8.3} {:>8.3}", median(wall), median(cpu));
}

async fn timed(work: &impl AsyncFn()) -> (Duration, Duration) {
    let (wall, cpu) = (Instant::now(), thread_cpu());
    work().await;
    (wall.elapsed(), thread_cpu().saturating_sub(cpu))
}

/// The CPU time of this thread, on which the client runs alone; zero where the system does not tell.
fn thread_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
