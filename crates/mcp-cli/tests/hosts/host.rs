//! Running a host, and reading what goes over the wire on both sides of its bridge.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mcp_harness::{Mcplink, Missing, RealServer};
use mcp_testkit::{FakeEra, Tap, TempHome};
use serde_json::{Value, json};
use url::Url;

use crate::wire::Conversation;

/// Interpreters start slowly on a loaded machine.
const LIMIT: Duration = Duration::from_secs(120);
const MODERN: &str = "2026-07-28";

/// A program that is a host: an official SDK, and the era that it speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Host {
    Python1,
    Python2Legacy,
    Python2Modern,
    TypeScript1,
    TypeScript2Legacy,
    TypeScript2Modern,
}

impl Host {
    /// All of them, the slow ones apart from each other.
    pub(crate) const ALL: [Self; 6] = [
        Self::Python1,
        Self::TypeScript1,
        Self::Python2Legacy,
        Self::TypeScript2Legacy,
        Self::Python2Modern,
        Self::TypeScript2Modern,
    ];

    pub(crate) fn era(self) -> FakeEra {
        match self {
            Self::Python2Modern | Self::TypeScript2Modern => FakeEra::Modern,
            _ => FakeEra::Legacy,
        }
    }

    /// The SDKs for TypeScript drop the listener when they read the response, and call listeners later: progress that
    /// is read together with the response is lost, over any transport.
    pub(crate) fn may_miss_progress(self) -> bool {
        !matches!(self, Self::Python1 | Self::Python2Legacy | Self::Python2Modern)
    }

    /// How to start it, up to the server that it is to drive.
    fn program(self, story: &Value) -> Result<(PathBuf, Vec<String>), Missing> {
        let script = |name: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mcp-harness/fixtures/hosts").join(name);
            path.to_string_lossy().into_owned()
        };
        let era = if self.era() == FakeEra::Modern { MODERN } else { "legacy" };
        let (program, mut arguments) = match self {
            Self::Python1 => (RealServer::python_1()?.program, vec![script("host.py")]),
            Self::Python2Legacy | Self::Python2Modern => {
                (RealServer::python()?.program, vec![script("host.py")])
            }
            Self::TypeScript1 | Self::TypeScript2Legacy | Self::TypeScript2Modern => {
                let server = match self {
                    Self::TypeScript1 => RealServer::typescript_1()?,
                    _ => RealServer::typescript_2()?,
                };
                // The first arguments of its server are a script and where the packages are.
                (server.program, vec![script("host.mjs"), server.stdio_arguments[1].clone()])
            }
        };
        arguments.extend([era.to_owned(), story.to_string()]);
        Ok((program, arguments))
    }
}

/// Why a host cannot be run, if it cannot.
pub(crate) fn all_are_here() -> Result<(), Missing> {
    Host::ALL.iter().try_for_each(|host| host.program(&Value::Null).map(drop))
}

/// How the bridge is told of its server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Named {
    /// By a URL on its command line.
    Url,
    /// By the name of an entry of this type.
    Entry(&'static str),
}

/// What a host saw, and what went over the wire on the way.
#[derive(Debug)]
pub(crate) struct HostRun {
    /// Each step of the story and what came of it, in order.
    pub(crate) steps: Vec<(String, Value)>,
    /// Between the host and the bridge.
    pub(crate) host_side: Conversation,
    /// Between the bridge and the server.
    pub(crate) server_side: Conversation,
}

impl HostRun {
    /// What came of a step.
    #[track_caller]
    pub(crate) fn seen(&self, step: &str) -> &Value {
        let found = self.steps.iter().find(|(name, _)| name == step);
        found.map_or_else(|| panic!("no step {step:?} in {:?}", self.steps), |(_, seen)| seen)
    }
}

/// Has a host tell its story to a server by way of the bridge.
pub(crate) fn tell(host: Host, server: &Url, named: Named, story: &Value) -> HostRun {
    let tap = Tap::before(server).unwrap();
    let url = tap.url_for(server).to_string();
    let home = TempHome::new().unwrap();
    let kept = tempfile::tempdir().unwrap();
    let target = match named {
        Named::Url => url,
        Named::Entry(kind) => {
            let servers = json!({ "mcpServers": { "remote": { "type": kind, "url": url } } });
            home.write(".claude.json", servers.to_string()).unwrap();
            "remote".to_owned()
        }
    };
    let (program, mut arguments) = host.program(story).unwrap();
    // One pair of files for each bridge that the host starts.
    let tapped = r#"tee "$1/$$.sent" | "$2" bridge "$3" | tee "$1/$$.received""#;
    let folder = kept.path().to_string_lossy().into_owned();
    arguments.extend(["sh", "-c", tapped, "tap"].map(str::to_owned));
    arguments.extend([folder, env!("CARGO_BIN_EXE_mcplink").to_owned(), target]);
    let output = Mcplink::new(program, &home).args(arguments).timeout(LIMIT).run().expect_code(0);
    let steps = output.stdout.lines().map(|line| {
        let mut step: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {output}"));
        (step["step"].as_str().unwrap_or_default().to_owned(), step["seen"].take())
    });
    let heard = tap.heard();
    HostRun {
        steps: steps.collect(),
        host_side: host_side(kept.path()),
        server_side: Conversation::read(&heard.sent, &heard.received),
    }
}

/// What the bridges in this folder read and wrote.
fn host_side(folder: &Path) -> Conversation {
    let mut whole = Conversation::default();
    for entry in fs::read_dir(folder).unwrap() {
        let sent = entry.unwrap().path();
        if sent.extension().is_some_and(|extension| extension == "sent") {
            let lines = |path: &Path| -> Vec<String> {
                fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
            };
            whole.append(Conversation::read(&lines(&sent), &lines(&sent.with_extension("received"))));
        }
    }
    whole
}
