//! Runs the rounds.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::figures::Figures;
use super::files;
use super::works::{Kind, Programs, Serving, WORKS, Work};
use crate::instructions::callgrind;
use crate::shell::is_installed;

/// Fewer say nothing about how much they differ.
const LEAST: usize = 3;
/// More say nothing new.
const MOST: usize = 11;

/// Rounds until `time` is over, at least three.
///
/// Of every work, or of those that have `only` in their names.
pub(super) fn rounds(programs: &Programs, quick: bool, time: Duration, only: Option<&str>) -> Figures {
    let (began, mut figures) = (Instant::now(), Figures::begun(quick));
    for round in 0..MOST {
        let spent = began.elapsed();
        if round >= LEAST && spent + spent / u32::try_from(round).unwrap_or(1) > time {
            break;
        }
        println!("==> round {} after {:.0} s", round + 1, spent.as_secs_f32());
        let is_asked = |work: &&Work| only.is_none_or(|word| work.name.contains(word));
        for work in WORKS.iter().filter(is_asked).filter(|work| round == 0 || !is_counted(work)) {
            for turn in 0..work.clients.len() {
                let client = work.clients[(turn + round) % work.clients.len()];
                match measure(programs, work, client, quick) {
                    Ok(Some(measured)) => figures.add(work.name, client, measured),
                    Ok(None) => {}
                    Err(why) => println!("{} by {client}: left out of this round: {why}", work.name),
                }
            }
        }
        figures.end_round();
    }
    figures
}

fn is_counted(work: &Work) -> bool {
    matches!(work.kind, Kind::Counted { .. })
}

/// Counts instructions again, for figures that were measured before.
pub(super) fn count(programs: &Programs, figures: &mut Figures) {
    for work in WORKS.iter().filter(|work| is_counted(work)) {
        for client in work.clients {
            match measure(programs, work, client, false) {
                Ok(Some(measured)) => figures.set_alone(work.name, client, measured),
                Ok(None) => {}
                Err(why) => println!("{} by {client}: not counted: {why}", work.name),
            }
        }
    }
}

/// A server, until it is dropped: it ends with its input.
struct Server {
    child: Child,
    urls: Vec<String>,
}

impl Server {
    fn start(programs: &Programs, serving: Serving) -> Result<Self, String> {
        let mut child = Command::new(programs.built.join("bench-server"))
            .args([&serving.ports.to_string(), serving.form, serving.era])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the server: {error}"))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|error| format!("the server: {error}"))?;
        }
        let urls = line.split_whitespace().map(|port| format!("http://127.0.0.1:{port}/mcp")).collect();
        Ok(Self { child, urls })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

type Measured = BTreeMap<String, f64>;

fn measure(programs: &Programs, work: &Work, client: &str, quick: bool) -> Result<Option<Measured>, String> {
    let server = Server::start(programs, work.serving)?;
    let Some(line) = programs.command(work, client, &server.urls, quick) else { return Ok(None) };
    fs::create_dir_all(&programs.home).map_err(|error| error.to_string())?;
    match work.kind {
        Kind::Client { .. } | Kind::Bridge => {
            let output = run(programs, &line)?;
            let stdout = String::from_utf8_lossy(&output.stdout);
            let told = stdout.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
            let told = told.as_ref().and_then(Value::as_object);
            told.map(|told| Some(figures_of(told))).ok_or_else(|| "it printed no figures".to_owned())
        }
        Kind::Counted { seldom, often, .. } => {
            if !is_installed("valgrind") {
                return Ok(None);
            }
            let counts = programs.home.join("counts");
            let counted = |count: usize| -> Result<f64, String> {
                let line =
                    programs.command(&work.done(count), client, &server.urls, false).unwrap_or_default();
                run(programs, &[callgrind::words(&counts), line].concat())?;
                Ok(callgrind::total(&counts)? as f64)
            };
            // A client warms up by a tenth of its count.
            let more = (often - seldom) + often.div_ceil(10) - seldom.div_ceil(10);
            let each = (counted(often)? - counted(seldom)?) / more as f64;
            Ok(Some(BTreeMap::from([("instructions".to_owned(), each)])))
        }
        Kind::Process { starts } => {
            configure(programs, &server.urls)?;
            middle(starts, || {
                let began = Instant::now();
                run(programs, &line)?;
                Ok(began.elapsed())
            })
        }
        Kind::Files { starts } => {
            let home = programs.home.join(work.name.replace(' ', "-"));
            let is_list = work.name == "list of 500";
            middle(starts, || {
                let files = if is_list { files::for_list(&home) } else { files::for_import(&home) };
                let files = files.map_err(|error| error.to_string())?;
                let named: &[_] = if client == "reading" { &files } else { &[] };
                let mut command = started(programs, &line);
                command.args(named).env("HOME", &home).current_dir(&home);
                let began = Instant::now();
                ended(&mut command)?;
                Ok(began.elapsed())
            })
        }
    }
}

/// The middle of so many runs, after a first one that finds the program on the disk.
fn middle(
    starts: usize,
    mut once: impl FnMut() -> Result<Duration, String>,
) -> Result<Option<Measured>, String> {
    once()?;
    let each = (0..starts.max(1)).map(|_| once()).collect::<Result<Vec<_>, _>>()?;
    let mut each: Vec<f64> = each.iter().map(|took| took.as_secs_f64() * 1e3).collect();
    each.sort_by(f64::total_cmp);
    Ok(Some(BTreeMap::from([("wall_ms".to_owned(), each[each.len() / 2])])))
}

/// Runs a program to its end; an error where it fails.
fn run(programs: &Programs, line: &[String]) -> Result<Output, String> {
    ended(&mut started(programs, line))
}

fn ended(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(output);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}; {}", output.status, stderr.lines().last().unwrap_or_default()))
}

/// A program with an environment of its own.
#[expect(clippy::disallowed_methods, reason = "where node and its like are, only the environment tells")]
fn started(programs: &Programs, line: &[String]) -> Command {
    let mut command = Command::new(&line[0]);
    command.args(&line[1..]).env_clear().env("HOME", &programs.home).stdin(Stdio::null());
    for name in ["PATH", "LANG", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.current_dir(&programs.home);
    command
}

/// The twenty servers of `status`, as a file.
fn configure(programs: &Programs, urls: &[String]) -> Result<(), String> {
    let servers: serde_json::Map<String, Value> = urls
        .iter()
        .enumerate()
        .map(|(number, url)| (format!("server{number}"), serde_json::json!({ "type": "http", "url": url })))
        .collect();
    let file = serde_json::json!({ "mcpServers": servers }).to_string();
    fs::write(programs.home.join("servers.json"), file).map_err(|error| error.to_string())
}

/// What a client told, as what is compared.
fn figures_of(told: &serde_json::Map<String, Value>) -> Measured {
    let mut figures: Measured =
        told.iter().filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect();
    let of = |figures: &Measured, name: &str| figures.get(name).copied().unwrap_or_default();
    let count = of(&figures, "count");
    if count > 0.0 {
        let (wall, cpu) = (of(&figures, "wall_us"), of(&figures, "cpu_us"));
        figures.insert("cpu_us".to_owned(), cpu / count);
        figures.insert("ops".to_owned(), count / (wall / 1e6));
        figures.insert("wall_ms".to_owned(), wall / 1e3);
    }
    figures.remove("count");
    figures.remove("wall_us");
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_tells_is_counted_for_each_call() {
        let told = serde_json::json!({ "wall_us": 2e6, "cpu_us": 1e6, "count": 1000, "p50_us": 12.0 });
        let figures = figures_of(told.as_object().unwrap());
        assert_eq!((figures["cpu_us"], figures["ops"], figures["wall_ms"]), (1000.0, 500.0, 2000.0));
        assert!(!figures.contains_key("count"));
    }
}
