//! What it costs to know what is configured, beside reading the same bytes.
//!
//! `cargo bench -p mcp-config --bench files`. Each line shows the median of the rounds, and how often the same files could
//! have been read and parsed as plain JSON in that time; *floor* and ours take turns, so that machine noise hits both.
//!
//! - *list*: a file with 500 servers becomes entries, each with what is wrong with it;
//! - *import*: the files of ten hosts become a plan, and the plan a file.

#![expect(clippy::print_stdout, reason = "a bench reports on standard output")]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mcp_config::hosts::HostListing;
use mcp_config::import::ImportPlan;
use mcp_config::{Config, Env, Platform, Request, Scope};

const ROUNDS: usize = 101;
const ENTRIES: usize = 500;
/// Ten hosts, each with so many servers.
const SERVERS: usize = 10;

fn main() {
    // `cargo test` runs benches without the argument that says so; one short round shows that they work.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { ROUNDS } else { 1 };
    let folder = tempfile::tempdir().expect("a folder");
    println!("{:<24} {:>9} {:>9} {:>7}", "", "floor", "ours", "ratio");
    list(&folder.path().join("list"), rounds);
    import(&folder.path().join("import"), rounds);
}

fn list(home: &Path, rounds: usize) {
    let file = write(home, ".config/mcplink/mcp.json", &servers("mcpServers", ENTRIES));
    let request = request(home);
    compare(&format!("list of {ENTRIES}"), rounds, &[file], || {
        let config = Config::load(&request);
        assert_eq!(config.entries.len(), ENTRIES);
        let problems = config.entries.iter().map(|entry| config.problems_of(&entry.name).count());
        black_box(problems.sum::<usize>());
    });
}

fn import(home: &Path, rounds: usize) {
    const JSON: [(&str, &str); 7] = [
        (".cursor/mcp.json", "mcpServers"),
        (".copilot/mcp-config.json", "mcpServers"),
        (".codeium/windsurf/mcp_config.json", "mcpServers"),
        (".gemini/settings.json", "mcpServers"),
        (".kiro/settings/mcp.json", "mcpServers"),
        (".config/zed/settings.json", "context_servers"),
        (".config/amp/settings.json", "amp.mcpServers"),
    ];
    let mut files: Vec<PathBuf> =
        JSON.iter().map(|(path, key)| write(home, path, &servers(key, SERVERS))).collect();
    files.push(write(home, ".config/Claude/claude_desktop_config.json", &servers("mcpServers", SERVERS)));
    let each = |entry: fn(usize) -> String| (0..SERVERS).map(entry).collect::<String>();
    let toml = each(|at| {
        format!(
            "[mcp_servers.codex-{at}]\nurl = \"https://c{at}.example/mcp\"\nbearer_token_env_var = \"T\"\n"
        )
    });
    files.push(write(home, ".codex/config.toml", &toml));
    let yaml = each(|at| {
        format!(
            "  goose-{at}:\n    type: streamable_http\n    uri: https://g{at}.example/mcp\n    enabled: true\n"
        )
    });
    files.push(write(home, ".config/goose/config.yaml", &format!("extensions:\n{yaml}")));
    let request = request(home);
    compare("import of 10 hosts", rounds, &files, || {
        let config = Config::load(&request);
        let place = config.place_of(Scope::Mcplink).expect("a home");
        let found = HostListing::all(&request, None);
        let hosts: usize = found.iter().filter(|file| !file.servers.is_empty()).count();
        assert_eq!(hosts, files.len());
        let plan = ImportPlan::new(&found, &config, &place, "").expect("nothing is no broken file");
        let mut text = String::new();
        for candidate in plan.candidates.iter().filter(|candidate| candidate.is_offered()) {
            text = candidate.apply(&place, &text).expect("a file of ours").expect("nothing stood there");
        }
        assert!(text.contains("goose-9") && text.contains("codex-9"));
    });
}

/// So many servers under `key`: half of them remote.
fn servers(key: &str, count: usize) -> String {
    let entry = |at: usize| match at % 2 {
        0 => format!(
            r#""{key}-{at}": {{"type": "http", "url": "https://h{at}.example/mcp", "headers": {{"X-Team": "blue"}}}}"#
        ),
        _ => format!(
            r#""{key}-{at}": {{"command": "npx", "args": ["-y", "@scope/server-{at}"], "env": {{"LEVEL": "info"}}}}"#
        ),
    };
    let entries: Vec<String> = (0..count).map(entry).collect();
    format!("{{\"{key}\": {{\n  {}\n}}}}\n", entries.join(",\n  "))
}

fn write(home: &Path, path: &str, text: &str) -> PathBuf {
    let path = home.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, text).expect("a file");
    path
}

fn request(home: &Path) -> Request {
    let project = home.join("project");
    fs::create_dir_all(&project).expect("a folder");
    let mut request = Request::new(project, Env::from([("HOME", home)]));
    request.platform = Platform::Unix;
    request.managed_dir = Some(home.join("managed"));
    request
}

/// Reading the files, and parsing those that are JSON, against `ours`.
fn compare(name: &str, rounds: usize, files: &[PathBuf], ours: impl Fn()) {
    let floor = || {
        for file in files {
            let bytes = fs::read(file).expect("a file");
            let json = file.extension().is_some_and(|ending| ending == "json");
            let value = json.then(|| serde_json::from_slice::<serde_json::Value>(&bytes).expect("JSON"));
            black_box((bytes, value));
        }
    };
    let timed = |run: &dyn Fn()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    let mut times: Vec<(Duration, Duration)> = (0..rounds).map(|_| (timed(&floor), timed(&ours))).collect();
    let middle = |times: &mut Vec<(Duration, Duration)>, of: fn(&(Duration, Duration)) -> f64| {
        times.sort_by(|a, b| of(a).total_cmp(&of(b)));
        of(&times[times.len() / 2])
    };
    let floor = middle(&mut times, |(floor, _)| floor.as_secs_f64());
    let ours = middle(&mut times, |(_, ours)| ours.as_secs_f64());
    let ratio = middle(&mut times, |(floor, ours)| ours.as_secs_f64() / floor.as_secs_f64());
    println!("{name:<24} {:>6.2} ms {:>6.2} ms {ratio:>7.1}", floor * 1e3, ours * 1e3);
}
