//! Parts that no client shows by itself, so many times: `bench-parts classify|load COUNT`. For those who count instructions.

use std::hint::black_box;
use std::time::Duration;

use mcp_config::{Config, Env, Platform, Request};
use mcp_status::{ChallengeKind, Evidence, Outcome, Phase, classify};

const ENTRIES: usize = 20;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let count: usize = arguments.get(2).and_then(|text| text.parse().ok()).unwrap_or(1);
    match arguments.get(1).map(String::as_str) {
        Some("classify") => judge(count),
        Some("load") => load(count),
        _ => panic!("bench-parts classify|load COUNT"),
    }
}

fn judge(count: usize) {
    let seen = [
        Outcome::Connected { tools: Some(3) },
        Outcome::Challenged { kind: ChallengeKind::Unauthorized, http_status: 401 },
        Outcome::Http { status: 503, retry_after: Some(Duration::from_secs(7)) },
        Outcome::Http { status: 404, retry_after: None },
        Outcome::Unreachable,
        Outcome::Timeout,
    ];
    let seen = seen.map(|outcome| Evidence::new(Phase::Connect, outcome));
    for _ in 0..count {
        for evidence in &seen {
            black_box(classify(black_box(evidence)));
        }
    }
}

fn load(count: usize) {
    let home = std::env::temp_dir().join(format!("mcplink-bench-{}", std::process::id()));
    let folder = home.join(".config/mcplink");
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::create_dir_all(home.join("project")))
        .expect("a folder");
    let entry = |at| {
        format!(
            r#""s{at}": {{"type": "http", "url": "https://h{at}.example/mcp", "headers": {{"X-Team": "blue"}}}}"#
        )
    };
    let entries: Vec<String> = (0..ENTRIES).map(entry).collect();
    std::fs::write(folder.join("mcp.json"), format!(r#"{{"mcpServers": {{{}}}}}"#, entries.join(",")))
        .expect("a file");
    let mut request = Request::new(home.join("project"), Env::from([("HOME", &home)]));
    request.platform = Platform::Unix;
    request.managed_dir = Some(home.join("managed"));
    for _ in 0..count {
        assert_eq!(black_box(Config::load(&request)).entries.len(), ENTRIES);
    }
    std::fs::remove_dir_all(&home).expect("a folder of ours");
}
