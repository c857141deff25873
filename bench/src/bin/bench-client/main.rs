//! One client and one work: `bench-client CLIENT WORK COUNT ERA URL..` prints what it cost as a line of JSON.
//!
//! | client | is |
//! |---|---|
//! | `raw` | HTTP by hand over sockets: the least that a call costs |
//! | `hyper` | hyper with its pool |
//! | `reqwest` | reqwest with one shared client: the floor that clients are compared with |
//! | `ours` | mcp-transport |
//! | `rmcp` | the official SDK of Rust, with one shared client |
//!
//! | work | is |
//! |---|---|
//! | `sequential` | COUNT calls, one at a time |
//! | `ways` | COUNT calls, 64 at a time |
//! | `big` | COUNT results of 1 MiB, one at a time |
//! | `connect` | a connection to each URL and its tools, all at once; then 5 s without a word |
//! | `tools`, `call`, `status` | what a command does: the same, perhaps a call, and an end |

mod floors;
mod ours;
mod sdk;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mcplink_bench::measure;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A connection to one server.
trait Client: Send + Sync + Sized + 'static {
    /// A connection that is ready for calls, and how many tools were listed.
    fn connect(url: &str, is_modern: bool) -> impl Future<Output = Fallible<(Self, usize)>> + Send;
    /// Calls a tool, and returns how long the text is that came back.
    fn call(&self, id: usize, tool: &'static str) -> impl Future<Output = Fallible<usize>> + Send;
}

fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, client, work, count, era, urls @ ..] = &arguments[..] else {
        return Err("bench-client CLIENT WORK COUNT ERA URL..".into());
    };
    // An error only where one is installed, as by this very call.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (count, is_modern) = (count.parse()?, era == "modern");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match client.as_str() {
            "raw" => run::<floors::Floor<floors::Raw>>(work, count, is_modern, urls).await,
            "hyper" => run::<floors::Floor<floors::Hyper>>(work, count, is_modern, urls).await,
            "reqwest" => run::<floors::Floor<floors::Reqwest>>(work, count, is_modern, urls).await,
            "ours" => run::<ours::Ours>(work, count, is_modern, urls).await,
            "rmcp" => run::<sdk::Rmcp>(work, count, is_modern, urls).await,
            other => Err(format!("no client {other}").into()),
        }
    })
}

async fn run<C: Client>(work: &str, count: usize, is_modern: bool, urls: &[String]) -> Fallible<()> {
    let url = urls.first().ok_or("no URL")?;
    let me = std::process::id();
    match work {
        "sequential" | "big" => {
            let tool = if work == "big" { "big" } else { "echo" };
            let (client, _) = C::connect(url, is_modern).await?;
            for id in 0..count.div_ceil(10) {
                client.call(1_000_000 + id, tool).await?;
            }
            let (began, cpu) = (Instant::now(), measure::cpu(me));
            let mut each = Vec::with_capacity(count);
            for id in 1..=count {
                let began = Instant::now();
                let length = client.call(id, tool).await?;
                each.push(began.elapsed().as_secs_f64() * 1e6);
                assert!(length >= if work == "big" { 1 << 20 } else { 10 }, "{length} bytes");
            }
            tell(began.elapsed(), measure::cpu(me) - cpu, count, measure::median(&mut each), 0.0, 0.0);
        }
        "ways" => {
            let (client, _) = C::connect(url, is_modern).await?;
            let client = Arc::new(client);
            many(&client, count / 10).await?;
            let (began, cpu) = (Instant::now(), measure::cpu(me));
            many(&client, count).await?;
            tell(began.elapsed(), measure::cpu(me) - cpu, count, 0.0, 0.0, 0.0);
        }
        "tools" | "call" | "status" => return one_shot::<C>(work == "call", is_modern, urls).await,
        "connect" => {
            let (first, _) = C::connect(url, is_modern).await?;
            first.call(1, "echo").await?;
            let before = measure::kib(me, "VmRSS");
            let (began, cpu) = (Instant::now(), measure::cpu(me));
            let held = all::<C>(is_modern, &urls[1..]).await?;
            let (took, cpu) = (began.elapsed(), measure::cpu(me) - cpu);
            let each = (measure::kib(me, "VmRSS") as f64 - before as f64) / held.len() as f64;
            let idle = measure::cpu(me);
            tokio::time::sleep(Duration::from_secs(5)).await;
            let idle = (measure::cpu(me) - idle).as_secs_f64() * 1e3;
            tell(took, cpu, held.len(), 0.0, each, idle);
        }
        other => return Err(format!("no work {other}").into()),
    }
    // Not taken down: what is measured is over.
    std::process::exit(0);
}

/// What a command does that lists the tools of each server, and perhaps calls one.
async fn one_shot<C: Client>(calls: bool, is_modern: bool, urls: &[String]) -> Fallible<()> {
    let held = all::<C>(is_modern, urls).await?;
    if let Some((client, _)) = held.first().filter(|_| calls) {
        client.call(1, "echo").await?;
    }
    println!("{} servers, {} tools", held.len(), held.iter().map(|(_, tools)| tools).sum::<usize>());
    std::process::exit(0);
}

async fn all<C: Client>(is_modern: bool, urls: &[String]) -> Fallible<Vec<(C, usize)>> {
    let mut connecting = tokio::task::JoinSet::new();
    for url in urls.iter().cloned() {
        connecting.spawn(async move { C::connect(&url, is_modern).await });
    }
    let mut held = Vec::new();
    while let Some(connected) = connecting.join_next().await {
        held.push(connected??);
    }
    Ok(held)
}

async fn many<C: Client>(client: &Arc<C>, count: usize) -> Fallible<()> {
    const WAYS: usize = 64;
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(1));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..WAYS {
        let (client, next) = (client.clone(), next.clone());
        callers.spawn(async move {
            loop {
                let id = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if id > count {
                    return Ok::<_, Box<dyn Error + Send + Sync>>(());
                }
                client.call(id, "echo").await?;
            }
        });
    }
    while let Some(done) = callers.join_next().await {
        done??;
    }
    Ok(())
}

fn tell(took: Duration, cpu: Duration, count: usize, p50: f64, each_kib: f64, idle_ms: f64) {
    let (wall, cpu) = (took.as_secs_f64() * 1e6, cpu.as_secs_f64() * 1e6);
    let peak = measure::kib(std::process::id(), "VmHWM") as f64 / 1024.0;
    println!(
        "{}",
        serde_json::json!({
            "wall_us": wall, "cpu_us": cpu, "count": count, "p50_us": p50, "peak_mib": peak,
            "each_kib": each_kib, "idle_ms": idle_ms,
        })
    );
}
