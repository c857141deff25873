//! A home with servers in its configuration, and the binary to look at them with.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mcp_harness::{Mcplink, Output, real_or_skip, system_program};
use mcp_testkit::{FakeHelper, FakeMcpServer, RecordedRequest, TempHome};
use serde_json::{Map, Value, json};

/// A home whose `~/.claude.json` was edited by hand.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) home: TempHome,
    file: Map<String, Value>,
}

impl Setting {
    /// A home without any file.
    pub(crate) fn new() -> Self {
        Self { home: TempHome::new().unwrap(), file: Map::new() }
    }

    /// A home with one server in it.
    pub(crate) fn of(name: &str, entry: Value) -> Self {
        Self::new().with(name, entry)
    }

    /// Writes a server into the file.
    pub(crate) fn with(mut self, name: &str, entry: Value) -> Self {
        self.write(name, entry);
        self
    }

    /// Writes a server into the file, or another entry for one that is there.
    pub(crate) fn write(&mut self, name: &str, entry: Value) {
        self.write_all([(name.to_owned(), entry)]);
    }

    /// Writes many servers at once.
    pub(crate) fn write_all(&mut self, entries: impl IntoIterator<Item = (String, Value)>) {
        let servers = self.file.entry("mcpServers").or_insert_with(|| json!({}));
        for (name, entry) in entries {
            servers[name] = entry;
        }
        self.save();
    }

    /// Switches servers off in this project, as the other program's menu does.
    pub(crate) fn disabled(mut self, names: &[&str]) -> Self {
        let project = self.home.project().to_string_lossy().into_owned();
        self.file.insert("projects".to_owned(), json!({ project: { "disabledMcpServers": names } }));
        self.save();
        self
    }

    fn save(&self) {
        let text = format!("{:#}\n", Value::Object(self.file.clone()));
        self.home.write(".claude.json", text).unwrap();
    }

    /// The project's own file.
    pub(crate) fn project_file(self, servers: Value) -> Self {
        let text = format!("{:#}\n", json!({ "mcpServers": servers }));
        self.home.write_project(".mcp.json", text).unwrap();
        self
    }

    /// A command, to be changed before it runs.
    pub(crate) fn mcplink(&self, args: &[&str]) -> Mcplink<'_> {
        Mcplink::new(env!("CARGO_BIN_EXE_mcplink"), &self.home).args(args.iter().copied())
    }

    /// A line as a person would paste it into a shell that finds this program.
    pub(crate) fn shell(&self, line: &str) -> Mcplink<'_> {
        let programs = Path::new(env!("CARGO_BIN_EXE_mcplink")).parent().unwrap();
        let path = format!("{}:/usr/bin:/bin", programs.display());
        Mcplink::new("/bin/sh", &self.home).args(["-c", line]).env("PATH", path)
    }

    /// A command that runs beside others, without this program's environment and with its output thrown away.
    pub(crate) fn spawn<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Child {
        Command::new(env!("CARGO_BIN_EXE_mcplink"))
            .args(args)
            .env_clear()
            .envs(self.home.environment("/usr/bin:/bin"))
            .current_dir(self.home.project())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// A command, on a terminal of its own; `None` where there is nothing to make one with.
    pub(crate) fn on_a_terminal(&self, args: &[&str]) -> Option<Mcplink<'_>> {
        let words: Vec<String> = [env!("CARGO_BIN_EXE_mcplink")]
            .iter()
            .chain(args)
            .map(|word| mcp_text::shell_word(word))
            .collect();
        self.shell_on_a_terminal(&words.join(" "))
    }

    /// A command line of a shell, on a terminal of its own.
    pub(crate) fn shell_on_a_terminal(&self, line: &str) -> Option<Mcplink<'_>> {
        let script = real_or_skip(system_program("script"))?;
        Some(
            Mcplink::new(script.to_str()?, &self.home)
                .args(["-qec", line, "/dev/null"])
                .env("TERM", "xterm-256color"),
        )
    }

    /// A command, run to its end, which must be this exit code.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], code: i32) -> Output {
        self.mcplink(args).run().expect_code(code)
    }

    /// The row of one server in `status --json`, whatever the exit code.
    #[track_caller]
    pub(crate) fn status(&self, name: &str) -> Value {
        row(&self.mcplink(&["status", name, "--json"]).run().json(), name)
    }
}

/// `command` with more variables, in a home whose state may hold secrets: sign-ins that a step makes.
pub(crate) fn with_environment<'a>(
    command: Mcplink<'a>,
    environment: &[(&'static str, String)],
) -> Mcplink<'a> {
    let command = command.may_hold_secrets("state");
    environment.iter().fold(command, |command, (name, value)| command.env(*name, value))
}

/// A server's entry.
pub(crate) fn http(server: &FakeMcpServer) -> Value {
    json!({ "type": "http", "url": server.url().as_str() })
}

/// A server's entry with static headers.
pub(crate) fn with_headers(server: &FakeMcpServer, headers: Value) -> Value {
    json!({ "type": "http", "url": server.url().as_str(), "headers": headers })
}

/// A server's entry with a headers helper.
pub(crate) fn with_helper(server: &FakeMcpServer, helper: &FakeHelper) -> Value {
    json!({ "type": "http", "url": server.url().as_str(), "headersHelper": helper.command() })
}

/// The row of a server in a document with servers.
#[track_caller]
pub(crate) fn row(document: &Value, name: &str) -> Value {
    let servers = document["servers"].as_array().unwrap();
    let found = servers.iter().find(|server| server["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {document:#}")).clone()
}

/// The `Authorization` of each request with this JSON-RPC method, oldest first.
pub(crate) fn authorizations(server: &FakeMcpServer, method: &str) -> Vec<String> {
    let requests = server.recorder().matching(|request| request.rpc_method().as_deref() == Some(method));
    requests.iter().map(authorization).collect()
}

fn authorization(request: &RecordedRequest) -> String {
    request.header("authorization").unwrap_or("none").to_owned()
}

/// Nothing was asked that only an OAuth client asks, and nothing without this header.
#[track_caller]
pub(crate) fn assert_always_sent(server: &FakeMcpServer, header: &str) {
    assert!(!server.requests().is_empty(), "nothing was asked at all");
    assert!(server.oauth_requests().is_empty(), "{:?}", server.oauth_requests());
    assert!(
        server.requests_without_header(header).is_empty(),
        "{:?}",
        server.requests_without_header(header)
    );
}
