//! The works that are counted.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use super::{callgrind, server};
use crate::programs::Programs;

/// One work. What it costs once is the difference between doing it often and seldom, so that the start of a process is not in it.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) name: &'static str,
    kind: Kind,
    seldom: u64,
    often: u64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A command by itself, whatever the count.
    Command(&'static [&'static str]),
    /// So many times, what evidence means: the example of `mcp-status`.
    Verdicts,
    /// So many entries are read and listed.
    Entries,
    /// So many servers are looked at, each with a connection of its own.
    Servers,
    /// So many calls of this tool go through a bridge, one after the other.
    Bridged(&'static str),
}

pub(super) const WORKS: &[Work] = &[
    Work { name: "--version", kind: Kind::Command(&["--version"]), seldom: 0, often: 1 },
    Work {
        name: "a call, as a command",
        kind: Kind::Command(&["call", "URL", "echo", "text=a text of some length"]),
        seldom: 0,
        often: 1,
    },
    Work { name: "classify, six pieces of evidence", kind: Kind::Verdicts, seldom: 1_000, often: 11_000 },
    Work { name: "each entry of a list", kind: Kind::Entries, seldom: 20, often: 70 },
    Work { name: "each server of a status", kind: Kind::Servers, seldom: 1, often: 11 },
    Work { name: "a call through a bridge", kind: Kind::Bridged("echo"), seldom: 20, often: 120 },
    Work { name: "a result of 1 MiB through a bridge", kind: Kind::Bridged("big"), seldom: 1, often: 2 },
];

/// How often each is counted. The least is taken: what else happens in a process only adds to it.
const TURNS: usize = 3;
/// Of what is so much that nothing else in the process counts.
const TURNS_OF_MUCH: usize = 1;

/// What every work needs.
pub(super) struct Setting {
    programs: Programs,
    /// A home of its own, so that no configuration of a person is read.
    home: PathBuf,
    server: SocketAddr,
}

impl Setting {
    pub(super) fn prepare(programs: Programs, home: PathBuf) -> Result<Self, String> {
        // What a program keeps between two runs would make the second one another work.
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
        let server = server::start().map_err(|error| format!("the server: {error}"))?;
        Ok(Self { programs, home, server })
    }

    /// The instructions of doing it once.
    pub(super) fn count(&self, work: &Work) -> Result<u64, String> {
        let turns = if matches!(work.kind, Kind::Bridged("big")) { TURNS_OF_MUCH } else { TURNS };
        let least = |count: u64| -> Result<u64, String> {
            let turns = (0..turns).map(|_| self.turn(work.kind, count));
            Ok(turns.collect::<Result<Vec<u64>, String>>()?.into_iter().min().unwrap_or_default())
        };
        let before = if work.seldom == 0 { 0 } else { least(work.seldom)? };
        Ok(least(work.often)?.saturating_sub(before) / (work.often - work.seldom))
    }

    fn turn(&self, kind: Kind, count: u64) -> Result<u64, String> {
        let url = format!("http://{}/mcp", self.server);
        let mcplink = &self.programs.mcplink;
        match kind {
            Kind::Verdicts => self.counted(&self.programs.verdicts, &[count.to_string()], None),
            Kind::Command(words) => self.counted(
                mcplink,
                &words.iter().map(|word| word.replace("URL", &url)).collect::<Vec<_>>(),
                None,
            ),
            Kind::Entries | Kind::Servers => {
                let file = self.entries(count, &url)?;
                let what = if matches!(kind, Kind::Servers) { "status" } else { "list" };
                self.counted(mcplink, &["--mcp-config".to_owned(), file, what.to_owned()], None)
            }
            Kind::Bridged(tool) => self.counted(mcplink, &["bridge".to_owned(), url], Some((tool, count))),
        }
    }

    /// A file with so many entries.
    fn entries(&self, count: u64, url: &str) -> Result<String, String> {
        let entry = |at| (format!("server{at}"), json!({ "type": "http", "url": format!("{url}?{at}") }));
        let servers: Map<String, Value> = (0..count).map(entry).collect();
        let file = self.home.join("servers.json");
        let text = json!({ "mcpServers": servers }).to_string();
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(file.to_string_lossy().into_owned())
    }

    /// Runs the program under callgrind, as a host that makes these calls where it is a bridge.
    #[expect(clippy::disallowed_methods, reason = "where valgrind is, only the environment tells")]
    fn counted(&self, program: &Path, words: &[String], calls: Option<(&str, u64)>) -> Result<u64, String> {
        let counts = self.home.join("counts");
        let _ = fs::remove_file(&counts);
        let counting = callgrind::words(&counts);
        let mut command = Command::new(&counting[0]);
        command
            .args(&counting[1..])
            .arg(program)
            .args(words)
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(&self.home)
            .stdin(if calls.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("valgrind: {error}"))?;
        let spoken = match (calls, child.stdin.take(), child.stdout.take()) {
            (Some((tool, count)), Some(mut input), Some(output)) => {
                speak(&mut input, &mut BufReader::new(output), tool, count)
            }
            // Read to its end below, with the errors.
            (_, _, output) => {
                child.stdout = output;
                Ok(())
            }
        };
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        if let Err(why) = spoken.and(output.status.success().then_some(()).ok_or_else(|| "failed".to_owned()))
        {
            return Err(format!("{why}: {}; {}", output.status, stderr.lines().last().unwrap_or_default()));
        }
        callgrind::total(&counts)
    }
}

/// A host that makes so many calls and goes.
fn speak(input: &mut impl Write, output: &mut impl BufRead, tool: &str, count: u64) -> Result<(), String> {
    let mut say = |message: Value| writeln!(input, "{message}").map_err(|error| error.to_string());
    let mut line = String::new();
    let mut hear = |id: u64| loop {
        line.clear();
        match output.read_line(&mut line) {
            Ok(1..) => {}
            _ => return Err("the bridge has ended".to_owned()),
        }
        // The large ones are not parsed: their id stands in front or behind.
        if line.contains(&format!("\"id\":{id}")) && line.contains("\"result\"") {
            return Ok(());
        }
    };
    let client = json!({ "name": "host", "version": "1" });
    let opening = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    say(json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": opening }))?;
    hear(0)?;
    say(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
    for id in 1..=count {
        let params = json!({ "name": tool, "arguments": { "text": "a text of some length" } });
        say(json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))?;
        hear(id)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_waits_for_each_answer_and_hears_an_early_end() {
        let answers = "{\"id\":0,\"result\":{}}\n{\"method\":\"x\"}\n{\"result\":{},\"id\":1}\n";
        let mut said = Vec::new();
        assert_eq!(speak(&mut said, &mut answers.as_bytes(), "echo", 1), Ok(()));
        assert_eq!(String::from_utf8(said).unwrap().lines().count(), 3);
        assert!(speak(&mut Vec::new(), &mut answers.as_bytes(), "echo", 2).is_err());
    }
}
