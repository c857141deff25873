//! One bridge and the least that could stand in its place.
//!
//! `bench-bridge floor URL` is that: a line from standard input, an exchange by hand, a line to standard output.
//! `bench-bridge count COUNT COMMAND..` makes so many calls through a bridge, for those who count its instructions.
//! `bench-bridge drive URL SECONDS COMMAND..` starts a bridge to URL as a host would, and prints what it costs as a line of JSON;
//! what the exchange alone costs is taken from every call.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use mcplink_bench::{measure, words};

const WAYS: usize = 32;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "floor", url] => floor(url),
        [_, "count", count, command @ ..] => {
            let mut bridge = Bridge::start(command);
            bridge.say(&(words::initialize() + "\n"));
            bridge.hear();
            bridge.say(&format!("{}\n", words::INITIALIZED));
            for id in 1..=count.parse().expect("a number") {
                bridge.call(id);
            }
            bridge.end();
        }
        [_, "drive", url, seconds, command @ ..] => {
            drive(url, Duration::from_secs_f64(seconds.parse().expect("seconds")), command);
        }
        _ => panic!("bench-bridge floor URL | bench-bridge drive URL SECONDS COMMAND.."),
    }
}

/// HTTP by hand over one socket.
struct Exchange {
    stream: BufReader<TcpStream>,
    host: String,
    session: Option<String>,
}

impl Exchange {
    fn open(url: &str) -> Self {
        let host = url.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned();
        let stream = TcpStream::connect(&host).expect("a server");
        stream.set_nodelay(true).expect("a socket");
        Self { stream: BufReader::new(stream), host, session: None }
    }

    /// The answer; nothing where none is due.
    fn post(&mut self, body: &str) -> Vec<u8> {
        let session = self.session.as_ref().map_or(String::new(), |id| format!("mcp-session-id: {id}\r\n"));
        let request = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nmcp-protocol-version: 2025-11-25\r\n{session}content-length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("a socket");
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("a head");
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a length");
            } else if let Some(value) = line.strip_prefix("mcp-session-id: ") {
                self.session = Some(value.trim().to_owned());
            } else if line == "\r\n" {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).expect("a body");
        answer
    }
}

fn floor(url: &str) {
    let mut exchange = Exchange::open(url);
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut line = String::new();
    while input.read_line(&mut line).expect("a line") > 0 {
        let mut answer = exchange.post(line.trim_end());
        if !answer.is_empty() {
            answer.push(b'\n');
            output.write_all(&answer).and_then(|()| output.flush()).expect("a pipe");
        }
        line.clear();
    }
}

struct Bridge {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    line: String,
}

impl Bridge {
    fn start(command: &[&str]) -> Self {
        let mut child = Command::new(command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a bridge");
        let (stdin, stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        Self { child, stdin: Some(stdin), stdout: BufReader::new(stdout), line: String::new() }
    }

    fn say(&mut self, lines: &str) {
        self.stdin.as_mut().expect("a pipe").write_all(lines.as_bytes()).expect("a pipe");
    }

    /// Waits for the answer to something; what a bridge tells besides is passed over.
    fn hear(&mut self) {
        loop {
            self.line.clear();
            assert!(self.stdout.read_line(&mut self.line).expect("a pipe") > 0, "the bridge has ended");
            if self.line.contains("\"result\"") || self.line.contains("\"error\"") {
                return;
            }
        }
    }

    fn call(&mut self, id: usize) -> Duration {
        let began = Instant::now();
        self.say(&(words::call(id, "echo", false) + "\n"));
        self.hear();
        began.elapsed()
    }

    /// Lets it end by itself.
    fn end(mut self) {
        self.stdin = None;
        self.child.wait().expect("a process of ours");
    }

    /// What it and its children have used.
    fn cpu(&self) -> Duration {
        family(self.child.id()).into_iter().map(measure::cpu).sum()
    }

    fn resident(&self) -> f64 {
        family(self.child.id()).into_iter().map(|pid| measure::kib(pid, "VmRSS") as f64 / 1024.0).sum()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        for pid in family(self.child.id()).into_iter().rev() {
            if pid != self.child.id() {
                let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process and what came of it: a launcher is a part of what people run.
fn family(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(parent) = all.get(next).copied() {
        let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        next += 1;
    }
    all
}

fn drive(url: &str, length: Duration, command: &[&str]) {
    let mut exchange = Exchange::open(url);
    exchange.post(&words::initialize());
    exchange.post(words::INITIALIZED);
    let began = Instant::now();
    let mut bridge = Bridge::start(command);
    bridge.say(&(words::initialize() + "\n"));
    bridge.hear();
    let started = began.elapsed();
    bridge.say(&format!("{}\n", words::INITIALIZED));
    bridge.call(1);
    let first = began.elapsed();
    let at_start = bridge.resident();

    // In turns with the exchange alone, so that noise hits both alike.
    let (mut direct, mut through) = (Vec::new(), Vec::new());
    let (mut id, mut used, mut used_calls) = (1, Duration::ZERO, 0);
    let began = Instant::now();
    while began.elapsed() < length || through.len() < 20 {
        for _ in 0..20 {
            id += 1;
            let body = words::call(id, "echo", false);
            let began = Instant::now();
            exchange.post(&body);
            direct.push(began.elapsed().as_secs_f64() * 1e6);
        }
        let cpu = bridge.cpu();
        for _ in 0..20 {
            id += 1;
            through.push(bridge.call(id).as_secs_f64() * 1e6);
        }
        used += bridge.cpu() - cpu;
        used_calls += 20;
    }
    let added = measure::median(&mut through) - measure::median(&mut direct);

    let (cpu, began, mut done) = (bridge.cpu(), Instant::now(), 0);
    for _ in 0..WAYS {
        id += 1;
        bridge.say(&(words::call(id, "echo", false) + "\n"));
    }
    while began.elapsed() < length || done < 200 {
        bridge.hear();
        done += 1;
        id += 1;
        bridge.say(&(words::call(id, "echo", false) + "\n"));
    }
    let took = began.elapsed().as_secs_f64();
    let many_cpu = (bridge.cpu() - cpu).as_secs_f64() * 1e6 / f64::from(done);
    println!(
        "{}",
        serde_json::json!({
            "start_ms": started.as_secs_f64() * 1e3, "first_ms": first.as_secs_f64() * 1e3,
            "added_us": added, "cpu_us": used.as_secs_f64() * 1e6 / f64::from(used_calls),
            "ways_ops": f64::from(done) / took, "ways_cpu_us": many_cpu,
            "start_mib": at_start, "after_mib": bridge.resident(),
        })
    );
}
