//! The program in a home of its own, and how much memory it took.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mcp_testkit::TempHome;
use serde_json::{Map, Value, json};

/// What one hostile server may cost, in bytes, although this build is not optimised and half of it is the text of a program
/// with every feature; and twenty of them.
pub(crate) const ONE: u64 = 64 << 20;
pub(crate) const TWENTY: u64 = 300 << 20;
/// The limit of everything here, for a machine under load.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Home(TempHome);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct ProgramEnd {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The most memory that it has had at a time, in bytes; zero where the system does not tell.
    pub(crate) peak: u64,
}

impl Home {
    pub(crate) fn of(servers: impl IntoIterator<Item = (String, Value)>) -> Self {
        let home = TempHome::new().unwrap();
        let servers: Map<String, Value> = servers.into_iter().collect();
        home.write(".claude.json", json!({ "mcpServers": servers }).to_string()).unwrap();
        Self(home)
    }

    pub(crate) fn with(entry: Value) -> Self {
        Self::of([("x".to_owned(), entry)])
    }

    fn command(&self, args: &[&str], env: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcplink"));
        command
            .args(args)
            .env_clear()
            .envs(self.0.environment("/usr/local/bin:/usr/bin:/bin"))
            .envs(env.iter().copied())
            .current_dir(self.0.project());
        command
    }

    /// Runs a command to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], env: &[(&str, &str)]) -> ProgramEnd {
        self.run_with_input(args, env, Vec::new())
    }

    /// The same with this on its standard input, which stays open until `done` says that it has seen enough of the output.
    #[track_caller]
    pub(crate) fn run_with_input(&self, args: &[&str], env: &[(&str, &str)], input: Vec<u8>) -> ProgramEnd {
        let mut child = self
            .command(args, env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let read = |stream: &mut dyn Read| {
            let mut text = Vec::new();
            let _ = stream.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        };
        let feeding = thread::spawn(move || drop(stdin.write_all(&input)));
        let out = thread::spawn(move || read(&mut stdout));
        let err = thread::spawn(move || read(&mut stderr));
        let peak = watched(&mut child, args);
        feeding.join().unwrap();
        ProgramEnd { stdout: out.join().unwrap(), stderr: err.join().unwrap(), peak }
    }

    /// The row of the only server.
    #[track_caller]
    pub(crate) fn status(&self, env: &[(&str, &str)]) -> (Value, u64) {
        let ended = self.run(&["status", "--json"], env);
        let document: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
        (document["servers"][0].clone(), ended.peak)
    }
}

/// Waits for the end, and returns the peak of its memory as it was shortly before.
#[track_caller]
fn watched(child: &mut Child, args: &[&str]) -> u64 {
    let (began, peak) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    loop {
        if let Some(now) = peak_of(child.id()) {
            peak.fetch_max(now, Ordering::Relaxed);
        }
        if child.try_wait().unwrap().is_some() {
            return peak.load(Ordering::Relaxed);
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!(
                "{args:?} does not come to its end; its peak is {} MiB",
                peak.load(Ordering::Relaxed) >> 20
            );
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The most memory that a process has had at a time, in bytes, while there is one.
pub(crate) fn peak_of(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[track_caller]
pub(crate) fn assert_small(peak: u64, limit: u64, what: &str) {
    assert!(peak <= limit, "{what}: a peak of {} MiB", peak >> 20);
}
