//! Every command line that a page or a help text shows is run, each in a home where what it speaks of is there; what is not run is
//! listed here with why.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use mcp_harness::{Mcplink, Output, PageLine, Runs, against_schema, shown_lines};
use mcp_testkit::{
    Accept, FakeAuthServer, FakeBrowser, FakeMcpServer, FakeRegistry, FakeTool, SHELL_SERVER, ScriptedAnswer,
};
use serde_json::{Value, json};

use crate::pages::pages;
use crate::setting::{Setting, http};

/// Lines that begin like this are not run, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo ", "builds or tests the program: CI does both by other names"),
    ("SIMULATION_SEED", "more seeds of a test, or one: CI runs two hundred"),
    ("eval \"$(mcplink completions bash)\"", "changes the shell it stands in: completion.rs drives it"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT=", "needs a collector: tests/otel has one"),
    ("mcplink demo", "takes half a minute: demo.rs runs it"),
    ("mcplink login NAME --no-browser", "a person pastes the answer: people.rs does"),
    ("mcplink login notes --no-browser", "a person pastes the answer: people.rs does"),
    ("mcplink login NAME --device", "a person enters the code: people.rs does"),
    ("mcplink login notes --device", "a person enters the code: people.rs does"),
    ("mcplink login NAME --from-stdin", "needs tokens obtained elsewhere: accounts.rs has some"),
    ("mcplink login notes --from-stdin", "needs tokens obtained elsewhere: accounts.rs has some"),
    ("mcplink login graph", "needs an account at that service: tests/oidc signs in at one of our own"),
    ("mcplink accounts graph", "needs an account at that service: tests/oidc signs in at one of our own"),
    ("mcplink wrap claude-desktop tickets --mcpb", "packs the whole program: bundles.rs does"),
];

/// What a person does before a line that begins like this, in the same home.
const BEFORE: &[(&str, &str)] = &[
    ("mcplink add", "mcplink remove tickets"),
    ("mcplink approve-tools", "sed -i 's/\"type\"/\"pinTools\": true, \"type\"/' ~/.config/mcplink/mcp.json"),
    ("mcplink approve ", "cp project.json .mcp.json"),
    ("mcplink reject ", "cp project.json .mcp.json"),
    ("mcplink logout", "mcplink login notes"),
    ("mcplink secret delete", "echo t-3 | mcplink secret set wiki-token"),
    ("mcplink unwrap", "mcplink wrap cursor --all --yes"),
];

/// Lines that ask, in full: there is no one to answer them.
const ASKING: &[&str] =
    &["mcplink support-bundle", "mcplink approve-tools tickets", "mcplink approve tickets", "mcplink trust"];

/// Lines that end like this here, and why.
const EXITS: &[(&str, i32, &str)] = &[
    (
        "mcplink doctor tickets --as claude-desktop",
        3,
        "the helper is not on the PATH of a desktop: what it is asked for",
    ),
    ("mcplink login notes tickets", 2, "tickets has its helper here, and wants no sign-in"),
];

/// Lines that begin like this go on until a person ends them.
const ENDLESS: &[&str] = &["mcplink menu --web", "mcplink status --watch", "mcplink logs tickets -f"];

/// The servers that the lines speak of. They are asked only, so that all homes share them.
struct Stage {
    open: FakeMcpServer,
    helped: FakeMcpServer,
    signed: FakeMcpServer,
    _auth: FakeAuthServer,
    registry: FakeRegistry,
}

impl Stage {
    fn new() -> Self {
        let text = || json!({ "type": "string" });
        let schema = json!({
            "type": "object",
            "properties": { "text": text(), "query": text(), "limit": { "type": "integer" } },
        });
        let definition =
            json!({ "name": "search", "description": "Finds what has a word.", "inputSchema": schema });
        let found = json!({ "content": [{ "type": "text", "text": "one printer" }] });
        let review = json!({ "name": "review", "arguments": [{ "name": "language", "required": true }] });
        let message = json!({ "role": "user", "content": { "type": "text", "text": "Read this." } });
        let server = |accept: Option<Accept>| {
            let server = FakeMcpServer::builder()
                .tools(vec![FakeTool::custom(definition.clone(), found.clone())])
                .resource(json!({ "uri": "wiki://page/1", "name": "page" }), "A page.")
                .resource(
                    json!({ "uri": "wiki://logo", "name": "logo", "mimeType": "text/plain" }),
                    "A logo.",
                )
                .prompt(review.clone(), json!({ "messages": [message] }));
            let server = match accept {
                Some(accept) => server.accept(accept),
                None => server,
            };
            let server = server.start().unwrap();
            let completion = json!({ "resultType": "complete", "completion": { "values": ["python"] } });
            server.always_to("completion/complete", ScriptedAnswer::RpcResult(completion));
            server
        };
        let (open, helped, signed) = (server(None), server(Some(Accept::bearer("t-1"))), server(None));
        let auth = FakeAuthServer::start().unwrap();
        auth.protect(&signed);
        let registry = FakeRegistry::start().unwrap();
        let remote = json!({ "type": "streamable-http", "url": open.url() });
        let weather = json!({
            "name": "io.github.acme/weather", "description": "x", "version": "1.0.0", "remotes": [remote],
        });
        registry.publish(json!({ "server": weather }));
        Self { open, helped, signed, _auth: auth, registry }
    }

    /// A home with what the lines speak of.
    fn home(&self, line: &str) -> Setting {
        let setting = Setting::new();
        let home = &setting.home;
        // A reader who has not signed in has one server that wants it.
        let is_signed = ["login", "logout", "accounts", "reset"].iter().any(|verb| line.contains(verb));
        let notes = if is_signed { &self.signed } else { &self.open };
        let tickets = json!({ "type": "http", "url": self.helped.url(), "headersHelper": "my-sso headers" });
        let own = json!({ "tickets": tickets, "wiki": http(&self.open), "notes": http(notes) });
        let file = |servers: Value| json!({ "mcpServers": servers }).to_string();
        home.write(".config/mcplink/mcp.json", file(own)).unwrap();
        home.write(".cursor/mcp.json", file(json!({ "figma": { "url": self.open.url() } }))).unwrap();
        let codex = format!("[mcp_servers.figma]\nurl = \"{}\"\n", self.open.url());
        home.write(".codex/config.toml", codex).unwrap();
        for folder in [".zfunc", ".config/fish/completions"] {
            std::fs::create_dir_all(home.home().join(folder)).unwrap();
        }
        for (name, text) in [
            ("project.json", file(json!({ "tickets": tickets }))),
            (".mcp.json", file(json!({}))),
            ("ci.json", file(json!({ "wiki": http(&self.open) }))),
            ("question.txt", "printer".to_owned()),
        ] {
            home.write_project(name, text).unwrap();
        }
        let program = |path: &Path| std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        program(&home.write_project("nightly.sh", "#!/bin/sh\n").unwrap());
        let page = include_str!("../../../../docs/auth-plugins.md");
        let plugin = page.split("```sh script\n").nth(1).unwrap().split("```").next().unwrap();
        program(&home.write_project("mcplink-auth-acme", plugin).unwrap());
        let headers = "#!/bin/sh\necho '{\"Authorization\": \"Bearer t-1\"}'\n";
        for (name, text) in [
            ("my-sso", headers),
            ("corp-token", "#!/bin/sh\necho t-4\n"),
            ("npx", &*format!("#!/bin/sh\n{SHELL_SERVER}")),
            ("man", "#!/bin/sh\ncat > /dev/null\n"),
        ] {
            program(&home.write(format!("bin/{name}"), text).unwrap());
        }
        setting
    }

    /// The line, with servers that are there and names in the place of words that stand for one.
    fn staged(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for name in ["mcp", "wiki", "tickets"] {
            let url = if name == "tickets" { self.helped.url() } else { self.open.url() };
            let here = format!("http://{}:{}", url.host_str().unwrap(), url.port().unwrap());
            line = line.replace(&format!("https://{name}.example.com"), &here);
        }
        let signs = line.contains(" login ") || line.contains(" logout ");
        let name = if signs { "notes" } else { "tickets" };
        for (word, name) in
            [("[NAME|PID]", "tickets"), ("[TOOL]", "search"), ("NAME", name), ("TOOL", "search")]
        {
            line =
                line.split(' ').map(|own| if own == word { name } else { own }).collect::<Vec<_>>().join(" ");
        }
        line
    }

    fn command<'h>(&self, setting: &'h Setting, line: &str) -> Mcplink<'h> {
        let program = Path::new(env!("CARGO_BIN_EXE_mcplink")).parent().unwrap();
        let own = setting.home.home().join("bin");
        let path = format!("{}:{}:/usr/local/bin:/usr/bin:/bin", own.display(), program.display());
        Mcplink::new("/bin/bash", &setting.home)
            .args(["-c", line])
            .env("PATH", path)
            .env("MCPLINK_REGISTRY", self.registry.url().as_str())
            .env("TOKEN", "t-2")
            .stdin(if line.starts_with("mcplink secret set") { "t-3\n" } else { "" })
    }

    /// Runs one line in a home of its own. What goes on until it is ended, is.
    fn run(&self, line: &str) -> Output {
        let (setting, browser) = (self.home(line), FakeBrowser::new().unwrap());
        let mut line = self.staged(line);
        let command = |line: &str| self.command(&setting, line).env("BROWSER", browser.command());
        for (_, before) in BEFORE.iter().filter(|(begin, _)| line.starts_with(begin)) {
            command(before).run().expect_code(0);
        }
        let has_session = ["27396", "mcplink logs", "mcplink stop"].iter().any(|word| line.contains(word));
        let mut session = has_session.then(|| command("exec mcplink bridge tickets").start());
        if let Some(session) = &mut session {
            line = line.replace("27396", &session.pid().to_string());
            let about = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "h", "version": "1" } });
            let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about });
            session.write(format!("{initialize}\n")).unwrap();
            session.wait_for_stdout("an answer", |text| text.contains("serverInfo"));
            until_held(&setting, session.pid());
        }
        let is_endless = ENDLESS.iter().any(|begin| line.starts_with(begin));
        let output = if is_endless {
            let running = command(&format!("exec {line}")).start();
            running.wait_for_stdout("anything", |text| !text.is_empty());
            running.signal("INT");
            let mut output = running.wait();
            output.code = output.code.map(|code| if code == 130 { 0 } else { code });
            output
        } else if ASKING.contains(&&*line) {
            command(&format!("{line} --yes")).run()
        } else {
            command(&line).run()
        };
        drop(session);
        output
    }
}

impl Stage {
    /// Runs each line, two at a time, and tells what is wrong with its output.
    fn run_all(
        &self,
        lines: &[PageLine],
        wrong: impl Fn(&PageLine, &Output) -> Option<String> + Sync,
    ) -> Vec<String> {
        let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some(line) = lines.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let output = self.run(&line.text);
                        found.lock().unwrap().extend(wrong(line, &output));
                    }
                });
            }
        });
        found.into_inner().unwrap()
    }
}

/// Waits until a session of this process is one that others see.
fn until_held(setting: &Setting, pid: u32) {
    let mut sessions = Value::Null;
    for _ in 0..50 {
        sessions = setting.run(&["ps", "--json"], 0).json()["sessions"].take();
        if sessions.as_array().unwrap().iter().any(|session| session["session"] == pid) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("no session of {pid}: {sessions}");
}

#[test]
fn every_line_that_a_page_or_a_help_text_shows_runs_or_is_listed_with_why_not() {
    let mut lines: Vec<(String, PageLine)> = Vec::new();
    let mut reasons = vec![0; NOT_RUN.len()];
    for (page, text) in pages() {
        for line in shown_lines(&text).into_iter().filter(|line| line.runs != Runs::InOrder) {
            let why = NOT_RUN.iter().position(|(begin, _)| line.text.starts_with(begin));
            let place = format!("{page}:{}", line.number);
            match why {
                Some(why) => reasons[why] += 1,
                None if line.runs == Runs::Never => {
                    panic!("{place}: {} is not run, and nothing says why", line.text)
                }
                None if lines.iter().any(|(_, other)| other.text == line.text) => {}
                None => lines.push((place, line)),
            }
        }
    }
    for ((line, _), times) in NOT_RUN.iter().zip(reasons) {
        assert!(times > 0, "{line} stands on no page any more");
    }
    assert!(lines.len() > 80, "{} lines were found", lines.len());
    let lines_alone: Vec<PageLine> = lines.iter().map(|(_, line)| line.clone()).collect();
    let failed = Stage::new().run_all(&lines_alone, |line, output| {
        let exits =
            EXITS.iter().find(|(text, ..)| *text == line.text).map_or(line.exit, |(_, code, _)| *code);
        let (place, _) = lines.iter().find(|(_, other)| other.text == line.text)?;
        (output.code != Some(exits)).then(|| format!("{place}: {}\n{output}", line.text))
    });
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Documents that the other test of schemas (pages.rs) does not print: of commands that ask, sign in, or need a session or a host.
#[test]
fn what_other_commands_print_as_json_is_what_the_schema_says() {
    let schema = crate::pages::schema();
    let stage = Stage::new();
    let lines = [
        "mcplink accounts --json",
        "mcplink approve tickets --json  # exits 3",
        "mcplink approve tickets --yes --json",
        "mcplink approve tickets nosuch --json  # exits 8",
        "mcplink approve tickets nosuch --yes --json  # exits 2",
        "mcplink reject tickets nosuch --json  # exits 2",
        "mcplink approve-tools tickets --yes --json",
        "mcplink trust --json  # exits 3",
        "mcplink trust --yes --json",
        "mcplink import --dry-run --json",
        "mcplink import codex --name figma --yes --json",
        "mcplink logs tickets --json",
        "mcplink stop tickets --json",
        "mcplink login notes --json",
        "mcplink logout notes --json",
        "mcplink secret set wiki-token --json",
        "mcplink secret list --json",
        "mcplink secret delete wiki-token --json",
        "mcplink auth-plugin check ./mcplink-auth-acme --json",
        "mcplink wrap cursor --all --yes --json",
        "mcplink wrap claude-desktop wiki --mcpb t.mcpb --dry-run --json",
        "mcplink unwrap cursor --all --json",
        "mcplink support-bundle --offline --yes --json",
        "mcplink support-bundle -o - --offline --json",
        "mcplink call tickets search text=printer --json",
        "mcplink read wiki wiki://page/1 --json",
        "mcplink prompt wiki review language=python --json",
        "mcplink complete wiki language py --prompt review --json",
    ];
    let page = format!("```sh each\n{}\n```\n", lines.join("\n"));
    let wrong = stage.run_all(&shown_lines(&page), |line, output| {
        if output.code != Some(line.exit) {
            return Some(output.to_string());
        }
        let verb = line.text.split(' ').nth(1).unwrap();
        let wrong = against_schema(&output.json(), &schema, verb);
        (!wrong.is_empty()).then(|| format!("{wrong:#?}\n{output}"))
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    // Every command has a schema, or prints none of its own.
    for (page, text) in pages().iter().filter(|(page, _)| page == "docs/commands.md") {
        for verb in text.lines().filter_map(|line| line.strip_prefix("### ")) {
            let prints_none =
                ["menu", "bridge", "schema", "demo", "completions", "man", "help"].contains(&verb);
            assert!(prints_none || schema["$defs"][verb].is_object(), "{page}: {verb} has no schema");
        }
    }
}
