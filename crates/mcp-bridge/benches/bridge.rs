//! What a bridge costs, beside the least that anything in its place could cost.
//!
//! `cargo bench -p mcp-bridge`. Three ways to the same server, in turns, so that machine noise hits them alike; only
//! their ratios mean anything:
//!
//! - *direct*: one HTTP exchange by hand over one socket, which is what every call costs without a bridge;
//! - *floor*: a process that reads a line, makes the same exchange by hand, and writes a line: two pipe hops;
//! - *bridge*: this crate, in a process of its own.

#![expect(clippy::print_stdout, reason = "a bench reports on standard output")]

#[path = "bridge/http.rs"]
mod http;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use mcp_bridge::{Bridge, BridgeConfig};
use mcp_transport::supervisor::NoContact;
use mcp_transport::{ClientInfo, ClientOptions, Connector, Endpoint, HttpEndpoint, Server};

use crate::http::{Exchange, serve};

const ROUNDS: usize = 11;
const CALLS: usize = 1_000;
/// Calls in flight at a time.
const WAYS: usize = 32;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, "as-bridge", url] => bridge(url),
        [_, "as-floor", url] => floor(url),
        // `cargo test` runs benches without the argument that says so; one short round shows that they work.
        args => compare(if args.contains(&"--bench") { ROUNDS } else { 1 }),
    }
}

/// The bridge, as a program makes one.
fn bridge(url: &str) {
    let url: url::Url = url.parse().expect("a URL");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let source = move || {
            let server = Server::new(Endpoint::Http(HttpEndpoint::new(url.clone())));
            async move { Ok::<_, NoContact>(server) }
        };
        let connector = Connector::new(ClientOptions::new(ClientInfo::new("bench", "1")));
        let (input, output) = mcp_bridge::stdio::open().expect("streams");
        let bridge = Bridge::new(connector, BridgeConfig::new("bench", "1", source));
        bridge.run(input, output, std::future::pending()).await;
    });
}

/// The least that can stand between a host and a server.
fn floor(url: &str) {
    let mut exchange = Exchange::open(url);
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut line = String::new();
    while input.read_line(&mut line).expect("a line") > 0 {
        if let Some(mut answer) = exchange.post(line.trim_end()) {
            answer.push(b'\n');
            output.write_all(&answer).and_then(|()| output.flush()).expect("an open pipe");
        }
        line.clear();
    }
}

fn call(id: usize) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"a text of some length, as arguments usually have one"}}}}}}"#
    )
}

/// A process between the host, which is this bench, and the server.
struct Between {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    line: String,
    started: Duration,
}

impl Between {
    fn start(role: &str, url: &str) -> Self {
        let began = Instant::now();
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args([role, url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let (stdin, stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let stdout = BufReader::new(stdout);
        let mut this = Self { child, stdin, stdout, line: String::new(), started: Duration::ZERO };
        this.say(INITIALIZE);
        this.hear();
        this.started = began.elapsed();
        this.say(INITIALIZED);
        this
    }

    fn say(&mut self, line: &str) {
        self.stdin.write_all(format!("{line}\n").as_bytes()).expect("an open pipe");
    }

    fn hear(&mut self) {
        self.line.clear();
        self.stdout.read_line(&mut self.line).expect("an open pipe");
        assert!(self.line.contains("\"result\""), "{}", self.line);
    }

    /// One call at a time.
    fn sequential(&mut self) -> Cost {
        let (began, cpu) = (Instant::now(), self.cpu());
        for id in 1..=CALLS {
            self.say(&call(id));
            self.hear();
        }
        Cost { wall: began.elapsed(), cpu: self.cpu() - cpu }
    }

    /// As many calls in flight as there are ways.
    fn concurrent(&mut self) -> Cost {
        let (began, cpu) = (Instant::now(), self.cpu());
        (1..=WAYS).for_each(|id| self.say(&call(id)));
        for id in WAYS + 1..=CALLS + WAYS {
            self.hear();
            if id <= CALLS {
                self.say(&call(id));
            }
        }
        Cost { wall: began.elapsed(), cpu: self.cpu() - cpu }
    }

    /// The CPU time of its main thread, where everything runs; zero where the system does not tell.
    fn cpu(&self) -> Duration {
        let path = format!("/proc/{}/schedstat", self.child.id());
        let stat = std::fs::read_to_string(path).unwrap_or_default();
        Duration::from_nanos(stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
    }

    /// The most memory that it has had, in MiB; zero where the system does not tell.
    fn peak(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
        peak.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Copy)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

impl Cost {
    fn wall_per_call(self) -> f64 {
        self.wall.as_secs_f64() * 1e6 / CALLS as f64
    }

    fn cpu_per_call(self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / CALLS as f64
    }
}

/// What one round measures of a process between.
struct Round {
    started: f64,
    latency: f64,
    cpu: f64,
    calls_per_second: f64,
    cpu_concurrent: f64,
    peak: f64,
}

impl Round {
    fn of(role: &str, url: &str) -> Self {
        let mut between = Between::start(role, url);
        // Caches, pools and the allocator get warm first.
        (1..=100).for_each(|id| {
            between.say(&call(id));
            between.hear();
        });
        let (sequential, concurrent) = (between.sequential(), between.concurrent());
        Self {
            started: between.started.as_secs_f64() * 1e3,
            latency: sequential.wall_per_call(),
            cpu: sequential.cpu_per_call(),
            calls_per_second: CALLS as f64 / concurrent.wall.as_secs_f64(),
            cpu_concurrent: concurrent.cpu_per_call(),
            peak: between.peak(),
        }
    }
}

fn compare(rounds: usize) {
    let url = serve();
    let (mut direct, mut floors, mut bridges) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        direct.push({
            let mut exchange = Exchange::open(&url);
            let began = Instant::now();
            (1..=CALLS).for_each(|id| drop(exchange.post(&call(id)).expect("an answer")));
            Cost { wall: began.elapsed(), cpu: Duration::ZERO }.wall_per_call()
        });
        // The first one alternates.
        if round % 2 == 0 {
            floors.push(Round::of("as-floor", &url));
            bridges.push(Round::of("as-bridge", &url));
        } else {
            bridges.push(Round::of("as-bridge", &url));
            floors.push(Round::of("as-floor", &url));
        }
    }
    println!("{:<44} {:>10} {:>10} {:>8}", "medians", "floor", "bridge", "ratio");
    let row = |name: &str, of: fn(&Round) -> f64| {
        let (floor, bridge) = (floors.iter().map(of), bridges.iter().map(of));
        let ratios = floor.clone().zip(bridge.clone()).map(|(floor, bridge)| bridge / floor.max(1e-9));
        let (ratio, floor, bridge) = (median(ratios), median(floor), median(bridge));
        println!("{name:<44} {floor:>10.1} {bridge:>10.1} {ratio:>8.2}");
    };
    row("first answer after its start, ms", |round| round.started);
    row("one call at a time, µs", |round| round.latency);
    row("one call at a time, CPU µs", |round| round.cpu);
    row(&format!("{WAYS} calls at a time, calls/s"), |round| round.calls_per_second);
    row(&format!("{WAYS} calls at a time, CPU µs per call"), |round| round.cpu_concurrent);
    row("peak memory, MiB", |round| round.peak);
    let added =
        |rounds: &[Round]| median(rounds.iter().zip(&direct).map(|(round, direct)| round.latency - direct));
    println!(
        "{:<44} {:>10.1} {:>10.1}   (direct: {:.1})",
        "added to a direct call, µs",
        added(&floors),
        added(&bridges),
        median(direct.iter().copied())
    );
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
