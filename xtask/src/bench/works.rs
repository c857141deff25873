//! What is measured: each work, with the clients that do it.

use std::path::PathBuf;

use crate::shell::root;

/// Where the programs are; `None` for what could not be installed.
pub(super) struct Programs {
    pub(super) built: PathBuf,
    pub(super) mcplink: PathBuf,
    pub(super) npm: Option<PathBuf>,
    pub(super) sdk: Option<PathBuf>,
    pub(super) proxy: Option<PathBuf>,
    /// A home of its own, so that no configuration of a person is read.
    pub(super) home: PathBuf,
}

/// What the server of a work is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Serving {
    pub(super) ports: usize,
    pub(super) form: &'static str,
    pub(super) era: &'static str,
}

const JSON: Serving = Serving { ports: 1, form: "json", era: "legacy" };

/// How a client is measured.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// It measures itself: this work, so many times, and so many for those that are slow.
    Client { work: &'static str, count: usize, slow: usize },
    /// The instructions of one more of this work: the difference between doing it often and seldom. No other process changes
    /// them, so one round says all.
    Counted { work: &'static str, seldom: usize, often: usize },
    /// A bridge, as its host sees it.
    Bridge,
    /// A whole process, so many times.
    Process { starts: usize },
    /// The same in a home with the files of a person with many servers.
    Files { starts: usize },
}

/// One work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) serving: Serving,
    pub(super) clients: &'static [&'static str],
}

/// Those that hold a connection, the floors first.
const CLIENTS: &[&str] = &["raw TCP", "hyper", "reqwest", "mcplink", "rmcp", "TypeScript SDK", "Python SDK"];
/// Those that speak the modern era without being told to.
const MODERN: &[&str] = &["raw TCP", "hyper", "reqwest", "mcplink", "Python SDK"];
/// Those whose instructions are a program's own, and not an interpreter's.
const NATIVE: &[&str] = &["raw TCP", "hyper", "reqwest", "mcplink", "rmcp"];
const NATIVE_MODERN: &[&str] = &["raw TCP", "hyper", "reqwest", "mcplink"];
const BRIDGES: &[&str] = &["pipes", "mcplink", "mcp-remote", "supergateway", "mcp-proxy"];
const COMMANDS: &[&str] = &["reqwest", "mcplink"];
/// Reading the same files, and parsing those that are JSON, is the floor.
const READERS: &[&str] = &["reading", "mcplink"];

const fn client(name: &'static str, work: &'static str, count: usize, slow: usize, serving: Serving) -> Work {
    Work { name, kind: Kind::Client { work, count, slow }, serving, clients: CLIENTS }
}

const fn modern(work: Work) -> Work {
    Work { serving: Serving { era: "modern", ..work.serving }, clients: MODERN, ..work }
}

const fn counted(name: &'static str, serving: Serving) -> Work {
    let kind = Kind::Counted { work: "sequential", seldom: 100, often: 500 };
    Work { name, kind, serving, clients: NATIVE }
}

const EVENTS: Serving = Serving { form: "sse", ..JSON };
const MANY: Serving = Serving { ports: 201, ..JSON };

/// Every work, in the order of the page.
pub(super) const WORKS: &[Work] = &[
    client("sequential call, JSON", "sequential", 2_000, 200, JSON),
    client("sequential call, events", "sequential", 2_000, 200, EVENTS),
    modern(client("sequential call, modern", "sequential", 2_000, 200, JSON)),
    client("64 calls at a time", "ways", 6_400, 640, JSON),
    modern(client("64 calls at a time, modern", "ways", 6_400, 640, JSON)),
    client("1 MiB, JSON", "big", 40, 10, JSON),
    client("1 MiB, events", "big", 40, 10, EVENTS),
    client("connect to 200", "connect", 200, 200, MANY),
    modern(client("connect to 200, modern", "connect", 200, 200, MANY)),
    counted("instructions of a call, JSON", JSON),
    counted("instructions of a call, events", EVENTS),
    Work {
        clients: NATIVE_MODERN,
        ..counted("instructions of a call, modern", Serving { era: "modern", ..JSON })
    },
    Work { name: "bridge", kind: Kind::Bridge, serving: JSON, clients: BRIDGES },
    Work {
        name: "--version",
        kind: Kind::Process { starts: 20 },
        serving: JSON,
        clients: &["empty program", "mcplink"],
    },
    Work { name: "tools", kind: Kind::Process { starts: 10 }, serving: JSON, clients: COMMANDS },
    Work { name: "call", kind: Kind::Process { starts: 10 }, serving: JSON, clients: COMMANDS },
    Work {
        name: "status of 20",
        kind: Kind::Process { starts: 5 },
        serving: Serving { ports: 20, ..JSON },
        clients: COMMANDS,
    },
    Work { name: "list of 500", kind: Kind::Files { starts: 10 }, serving: JSON, clients: READERS },
    Work { name: "import of 10 hosts", kind: Kind::Files { starts: 10 }, serving: JSON, clients: READERS },
];

impl Work {
    /// The work that is counted, done so many times.
    pub(super) const fn done(self, count: usize) -> Self {
        match self.kind {
            Kind::Counted { work, .. } => Self { kind: Kind::Client { work, count, slow: count }, ..self },
            _ => self,
        }
    }
}

impl Programs {
    fn program(&self, name: &str) -> String {
        self.built.join(name).to_string_lossy().into_owned()
    }

    /// The command line of a client of `work` against these URLs; `None` where it is not installed. `quick` divides the work.
    pub(super) fn command(
        &self,
        work: &Work,
        client: &str,
        urls: &[String],
        quick: bool,
    ) -> Option<Vec<String>> {
        let mut line: Vec<String> = match work.kind {
            Kind::Counted { often, .. } => return self.command(&work.done(often), client, urls, false),
            Kind::Client { work: what, count, slow } => {
                let few = |count: usize| if quick && what != "connect" { count.div_ceil(5) } else { count };
                let (count, slow) = (few(count).to_string(), few(slow).to_string());
                let ours = |name: &str| {
                    vec![
                        self.program("bench-client"),
                        name.into(),
                        what.into(),
                        count.clone(),
                        work.serving.era.into(),
                    ]
                };
                match client {
                    "raw TCP" => ours("raw"),
                    "hyper" => ours("hyper"),
                    "reqwest" => ours("reqwest"),
                    "mcplink" => ours("ours"),
                    "rmcp" => ours("rmcp"),
                    "TypeScript SDK" => {
                        let script = self.npm.as_ref()?.join("client.mjs").to_string_lossy().into_owned();
                        vec!["node".into(), script, what.into(), slow]
                    }
                    _ => {
                        let python =
                            self.sdk.as_ref()?.join("venv/bin/python").to_string_lossy().into_owned();
                        let script = root().join("bench/peers/python/sdk/client.py");
                        vec![python, script.to_string_lossy().into_owned(), what.into(), slow]
                    }
                }
            }
            Kind::Bridge => {
                let url = urls.first()?.clone();
                let bin = |name: &str| {
                    let path = self.npm.as_ref()?.join("node_modules/.bin").join(name);
                    Some(path.to_string_lossy().into_owned())
                };
                let seconds = if quick { "0.3" } else { "1.5" };
                let drive = vec![self.program("bench-bridge"), "drive".into(), url.clone(), seconds.into()];
                let bridge: Vec<String> = match client {
                    "pipes" => vec![self.program("bench-bridge"), "floor".into(), url],
                    "mcplink" => vec![self.mcplink.to_string_lossy().into_owned(), "bridge".into(), url],
                    "mcp-remote" => vec![bin("mcp-remote")?, url, "--allow-http".into()],
                    "supergateway" => {
                        vec![
                            bin("supergateway")?,
                            "--streamableHttp".into(),
                            url,
                            "--logLevel".into(),
                            "none".into(),
                        ]
                    }
                    _ => {
                        let proxy = self.proxy.as_ref()?.join("venv/bin/mcp-proxy");
                        vec![
                            proxy.to_string_lossy().into_owned(),
                            "--transport".into(),
                            "streamablehttp".into(),
                            url,
                        ]
                    }
                };
                return Some([drive, bridge].concat());
            }
            Kind::Files { .. } => {
                let mcplink = self.mcplink.to_string_lossy().into_owned();
                let words: &[&str] = match (client, work.name) {
                    // The files follow.
                    ("reading", _) => return Some(vec![self.program("bench-read")]),
                    (_, "list of 500") => &["list"],
                    _ => &["import", "--yes"],
                };
                let words = words.iter().map(|word| (*word).to_owned());
                return Some(std::iter::once(mcplink).chain(words).collect());
            }
            Kind::Process { .. } => {
                let url = urls.first()?.clone();
                let mcplink = self.mcplink.to_string_lossy().into_owned();
                let configured = self.home.join("servers.json").to_string_lossy().into_owned();
                return Some(match (client, work.name) {
                    ("empty program", _) => vec![self.program("bench-empty")],
                    ("mcplink", "--version") => vec![mcplink, "--version".into()],
                    ("mcplink", "tools") => vec![mcplink, "tools".into(), url],
                    ("mcplink", "call") => {
                        vec![mcplink, "call".into(), url, "echo".into(), "text=a text of some length".into()]
                    }
                    ("mcplink", _) => vec![mcplink, "--mcp-config".into(), configured, "status".into()],
                    (_, name) => {
                        let what = if name == "status of 20" { "status" } else { name };
                        let line = vec![
                            self.program("bench-client"),
                            "reqwest".into(),
                            what.into(),
                            "1".into(),
                            "legacy".into(),
                        ];
                        [line, urls.to_vec()].concat()
                    }
                });
            }
        };
        line.extend(urls.iter().cloned());
        Some(line)
    }
}
