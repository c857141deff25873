//! Hosts that others wrote, with the official SDKs, on the other side of `mcplink bridge`.
//!
//! Each host does the same twice: directly with the server, and by way of the bridge over the SDK's own stdio
//! transport. What it then has to show must be the same. Where host and server are of different eras there is no
//! direct way; what a host of the server's era was shown stands in for it, but for the members that only one era has.

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is a failed test; clippy only knows functions marked as such"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use mcp_testkit::{Era, FakeMcpServer, Mcplink, RealServer, TempHome, Tool, real_or_skip};
use serde_json::{Value, json};

/// Interpreters start slowly on a loaded machine.
const LIMIT: Duration = Duration::from_secs(180);
const MODERN: &str = "2026-07-28";

/// A program that is a host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sdk {
    /// Python 2.x, with the handshake.
    PythonLegacy,
    /// Python 2.x, without.
    PythonModern,
    /// TypeScript 1.x, which knows only the handshake.
    TypeScript,
}

/// The way of a host to a server.
enum Way<'a> {
    Direct(&'a str),
    Bridged,
}

/// A home in which the bridge finds one server, and in which nothing else of this machine is known.
struct Stage {
    home: TempHome,
    url: String,
    story: Value,
}

impl Stage {
    fn new(url: impl Into<String>, story: Value) -> Self {
        let (home, url) = (TempHome::new().unwrap(), url.into());
        let servers = json!({ "mcpServers": { "remote": { "type": "http", "url": url } } });
        home.write(".claude.json", servers.to_string()).unwrap();
        Self { home, url, story }
    }

    /// What this host saw.
    #[track_caller]
    fn seen(&self, sdk: Sdk, way: &Way<'_>) -> Value {
        let (program, mut arguments) = host(sdk);
        arguments.push(self.story.to_string());
        match way {
            Way::Direct(url) => arguments.extend(["http", url].map(str::to_owned)),
            Way::Bridged => arguments
                .extend(["stdio", env!("CARGO_BIN_EXE_mcplink"), "bridge", "remote"].map(str::to_owned)),
        }
        let run = Mcplink::new(program, &self.home).args(arguments).timeout(LIMIT).run();
        let mut seen = run.expect_code(0).json();
        let progress = seen["progress"].as_array_mut().unwrap();
        let steps = self.story["slow"][1]["steps"].as_u64().unwrap();
        if sdk == Sdk::TypeScript {
            // It drops a listener when it reads the response, and calls listeners later: progress is lost when it is
            // read together with the response, as it may be over any transport.
            assert!(!progress.is_empty(), "no progress at all");
            progress.truncate(1);
        } else {
            assert_eq!(progress.len() as u64, steps, "{progress:?}");
        }
        seen
    }

    fn direct(&self, sdk: Sdk) -> Value {
        self.seen(sdk, &Way::Direct(&self.url))
    }

    fn bridged(&self, sdk: Sdk) -> Value {
        self.seen(sdk, &Way::Bridged)
    }
}

/// How to start a host, up to its story.
fn host(sdk: Sdk) -> (PathBuf, Vec<String>) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mcp-testkit/fixtures/hosts");
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    match sdk {
        Sdk::PythonLegacy | Sdk::PythonModern => {
            let mode = if sdk == Sdk::PythonModern { MODERN } else { "legacy" };
            let python = RealServer::python().unwrap().program;
            (python, vec![text(scripts.join("host.py")), mode.to_owned()])
        }
        Sdk::TypeScript => {
            let server = RealServer::typescript_1().unwrap();
            // Its first arguments are its script and where its packages are.
            let modules = server.stdio_arguments[1].clone();
            (server.program, vec![text(scripts.join("host.mjs")), modules])
        }
    }
}

/// Whether both SDKs are here; otherwise the test is skipped, loudly, and never in CI.
fn sdks_are_here() -> bool {
    real_or_skip(RealServer::python()).is_some() && real_or_skip(RealServer::typescript_1()).is_some()
}

/// The story for every fixture of this repository that is written with an SDK.
fn fixture() -> Value {
    json!({
        "calls": [
            ["echo", { "text": "h\u{e9}llo \u{1f980} \u{2028}" }],
            ["add", { "a": 19, "b": 23 }],
            ["ask", {}],
            ["fail", {}],
        ],
        "slow": ["slow-progress", { "steps": 3, "delay_ms": 200 }],
        "resource": "fixture://greeting",
        "prompt": ["greet", { "name": "Ada" }],
    })
}

/// What came of the story for the fixtures, as far as the SDKs agree on it.
#[track_caller]
fn assert_told(seen: &Value) {
    let text = |call: usize| seen["calls"][call]["content"][0]["text"].as_str().unwrap();
    assert_eq!(text(0), "h\u{e9}llo \u{1f980} \u{2028}", "{seen:#}");
    assert_eq!((text(1), text(2)), ("42", "accept Ada"), "{seen:#}");
    assert_eq!(seen["calls"][3]["isError"], true, "{seen:#}");
    let progress = seen["progress"].as_array().unwrap().iter();
    let progress: Vec<_> = progress.map(|pair| (pair[0].as_f64(), pair[1].as_f64())).collect();
    let steps = [1.0, 2.0, 3.0].map(|step| (Some(step), Some(3.0)));
    assert!(!progress.is_empty() && steps.starts_with(&progress), "{seen:#}");
    assert_eq!(seen["resource"]["contents"][0]["text"], "hello", "{seen:#}");
    assert_eq!(seen["prompt"]["messages"][0]["content"]["text"], "Say hello to Ada.", "{seen:#}");
}

/// A document without what only the modern era has, at any depth: what a legacy host reads over.
fn without_era(mut document: Value) -> Value {
    strip(&mut document);
    document
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for only_modern in ["_meta", "resultType", "ttlMs", "cacheScope", "protocolVersion"] {
                members.remove(only_modern);
            }
            members.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

#[test]
fn hosts_of_the_legacy_era_see_a_legacy_server_as_it_is() {
    if !sdks_are_here() {
        return;
    }
    for server in [RealServer::python().unwrap().legacy_over_http(), RealServer::typescript_1().unwrap()] {
        let server = server.start_http();
        let stage = Stage::new(server.url(), fixture());
        for sdk in [Sdk::PythonLegacy, Sdk::TypeScript] {
            let bridged = stage.bridged(sdk);
            assert_told(&bridged);
            assert_eq!(bridged, stage.direct(sdk), "{sdk:?}");
        }
    }
}

#[test]
fn hosts_see_the_everything_server_as_it_is() {
    let Some(everything) = real_or_skip(RealServer::everything()) else { return };
    if !sdks_are_here() {
        return;
    }
    let server = everything.start_http();
    let story = json!({
        "calls": [
            ["echo", { "message": "hello" }],
            ["get-sum", { "a": 19, "b": 23 }],
            ["get-tiny-image", {}],
            ["get-structured-content", { "location": "Chicago" }],
        ],
        "slow": ["trigger-long-running-operation", { "duration": 0.6, "steps": 3 }],
        "resource": "demo://resource/static/document/architecture.md",
        "prompt": ["args-prompt", { "city": "Oslo" }],
    });
    let stage = Stage::new(server.url(), story);
    for sdk in [Sdk::PythonLegacy, Sdk::TypeScript] {
        let bridged = stage.bridged(sdk);
        assert_eq!(bridged, stage.direct(sdk), "{sdk:?}");
    }
    let (modern, legacy) = (stage.bridged(Sdk::PythonModern), stage.direct(Sdk::PythonLegacy));
    assert_eq!(modern["protocolVersion"], MODERN);
    assert_eq!(without_era(modern), without_era(legacy));
}

#[test]
fn a_host_of_the_modern_era_sees_a_modern_server_as_it_is() {
    let Some(python) = real_or_skip(RealServer::python()) else { return };
    let mut servers = vec![python];
    servers.extend(real_or_skip(RealServer::typescript_2()));
    for server in servers {
        let server = server.start_http();
        let stage = Stage::new(server.url(), fixture());
        let bridged = stage.bridged(Sdk::PythonModern);
        assert_told(&bridged);
        assert_eq!(bridged["protocolVersion"], MODERN);
        assert_eq!(bridged, stage.direct(Sdk::PythonModern));
    }
}

#[test]
fn hosts_are_spoken_to_in_the_terms_of_their_era() {
    if !sdks_are_here() {
        return;
    }
    let python = RealServer::python().unwrap();
    // A server that speaks either era is a modern one to the bridge.
    let server = python.clone().start_http();
    let stage = Stage::new(server.url(), fixture());
    for sdk in [Sdk::PythonLegacy, Sdk::TypeScript] {
        let bridged = stage.bridged(sdk);
        assert_told(&bridged);
        assert_eq!(without_era(bridged), without_era(stage.direct(sdk)), "{sdk:?}");
    }
    let server = python.legacy_over_http().start_http();
    let stage = Stage::new(server.url(), fixture());
    let bridged = stage.bridged(Sdk::PythonModern);
    assert_told(&bridged);
    assert_eq!(without_era(bridged), without_era(stage.direct(Sdk::PythonLegacy)));
}

#[test]
fn hosts_see_strict_servers_of_one_era() {
    if !sdks_are_here() {
        return;
    }
    let question = json!({
        "message": "Who is there?",
        "requestedSchema": { "type": "object", "properties": { "name": { "type": "string" } } },
    });
    for era in [Era::Legacy, Era::Modern] {
        let ask = Tool::asking("ask", "elicitation/create", question.clone());
        let server = FakeMcpServer::builder().era(era).tool(ask).start().unwrap();
        let story = json!({
            "calls": [
                ["echo", { "text": "hello" }],
                ["add", { "a": 19, "b": 23 }],
                ["ask", {}],
                ["fail", {}],
                ["big", { "bytes": 1_000_000 }],
            ],
            "slow": ["slow", { "steps": 3, "delay_ms": 200 }],
            "resource": "fake://greeting",
            "prompt": ["greet", {}],
        });
        let stage = Stage::new(server.url(), story);
        for sdk in [Sdk::PythonLegacy, Sdk::PythonModern, Sdk::TypeScript] {
            let seen = stage.bridged(sdk);
            let what = format!("{sdk:?} and {era:?}: {:.3000}", seen.to_string());
            let text = |call: usize| seen["calls"][call]["content"][0]["text"].as_str().unwrap();
            assert_eq!((text(0), text(1)), ("hello", "42"), "{what}");
            assert!(text(2).contains("Ada"), "{what}");
            assert_eq!(seen["calls"][3]["isError"], true, "{what}");
            assert_eq!(text(4).len(), 1_000_000, "{sdk:?} and {era:?}");
            assert!(seen["resource"]["contents"][0]["text"].is_string(), "{what}");
            assert_eq!(seen["prompt"]["messages"][0]["role"], "user", "{what}");
        }
        assert!(server.violations().is_empty(), "{era:?}: {:?}", server.violations());
    }
}
