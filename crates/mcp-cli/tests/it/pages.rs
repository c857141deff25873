//! What the pages of `docs/` and the README show: stories run as they stand there, and files of servers are ones.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mcp_harness::{Mcplink, Runs, against_schema, shown_lines};
use mcp_status::ReasonCode;
use mcp_testkit::{Accept, FakeMcpServer, FakeTool, TempHome};
use serde_json::{Value, json};

use crate::setting::{Setting, http};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every page of the project, by name.
pub(crate) fn pages() -> Vec<(String, String)> {
    mcp_harness::pages(&root())
}

/// What stands behind the addresses of `example.com`, and the command that mints headers there.
struct Stage {
    setting: Setting,
    wiki: FakeMcpServer,
    tickets: FakeMcpServer,
    notes: FakeMcpServer,
}

impl Stage {
    fn new() -> Self {
        let search = || {
            let schema = json!({ "type": "object", "properties": { "text": { "type": "string" } }, "required": ["text"] });
            let definition =
                json!({ "name": "search", "description": "Finds what has a word.", "inputSchema": schema });
            FakeTool::custom(definition, json!({ "content": [{ "type": "text", "text": "one printer" }] }))
        };
        let server = |accept: Option<Accept>| {
            let server = FakeMcpServer::builder().tools(vec![search()]);
            match accept {
                Some(accept) => server.accept(accept),
                None => server,
            }
            .start()
            .unwrap()
        };
        let setting = Setting::new();
        let program = "#!/bin/sh\ncase $1 in\n  token) echo t-1 ;;\n  headers) echo '{\"Authorization\": \"Bearer t-1\"}' ;;\n  *) exit 2 ;;\nesac\n";
        let path = setting.home.write("bin/my-sso", program).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        let (wiki, tickets) = (server(None), server(Some(Accept::bearer("t-1"))));
        Self { setting, wiki, tickets, notes: server(Some(Accept::header("x-api-key", "k-1"))) }
    }

    /// `line`, with servers that are there.
    fn staged(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for (name, server) in [("wiki", &self.wiki), ("tickets", &self.tickets), ("notes", &self.notes)] {
            let url = server.url();
            let here = format!("http://{}:{}", url.host_str().unwrap(), url.port().unwrap());
            line = line.replace(&format!("https://{name}.example.com"), &here);
        }
        line
    }

    /// What was said, in the names of the page.
    fn published(&self, said: &str) -> String {
        let mut said = said.to_owned();
        for (name, server) in [("wiki", &self.wiki), ("tickets", &self.tickets), ("notes", &self.notes)] {
            let url = server.url();
            let here = format!("http://{}:{}", url.host_str().unwrap(), url.port().unwrap());
            said = said.replace(&here, &format!("https://{name}.example.com"));
        }
        let said = said
            .replace(env!("CARGO_BIN_EXE_mcplink"), "/usr/bin/mcplink")
            .replace(self.setting.home.home().to_str().unwrap(), "/home/me");
        let (mut out, mut sign) = (String::new(), ' ');
        for line in said.lines() {
            let is_difference = line.starts_with("- ") || line.starts_with("+ ");
            let first = line.chars().next().filter(|_| is_difference).unwrap_or(' ');
            if is_difference && first != sign {
                out.push_str(&format!("{first} …\n"));
            } else if !is_difference {
                out.push_str(&lasting(line));
                out.push('\n');
            }
            sign = first;
        }
        out
    }

    fn run(&self, line: &str) -> mcp_harness::Output {
        let program = Path::new(env!("CARGO_BIN_EXE_mcplink")).parent().unwrap();
        let own = self.setting.home.home().join("bin");
        let path = format!("{}:{}:/usr/local/bin:/usr/bin:/bin", program.display(), own.display());
        let home: &TempHome = &self.setting.home;
        Mcplink::new("/bin/sh", home).args(["-c", &self.staged(line)]).env("PATH", path).run()
    }
}

/// A line without what is another one each time: how long it took, and what a copy is called.
fn lasting(line: &str) -> String {
    if let Some((before, after)) = line.split_once("backups/") {
        return format!("{before}backups/…{}", &after[after.find('-').unwrap()..]);
    }
    match line.strip_suffix(" ms").and_then(|line| line.rsplit_once(' ')) {
        Some((before, number)) if number.parse::<u32>().is_ok() => format!("{before} 9 ms"),
        _ => line.to_owned(),
    }
}

#[test]
fn every_line_of_a_story_runs_as_it_stands_there() {
    let mut run = 0;
    for (name, page) in pages() {
        let lines: Vec<_> =
            shown_lines(&page).into_iter().filter(|line| line.runs == Runs::InOrder).collect();
        let stage = (!lines.is_empty()).then(Stage::new);
        for (line, stage) in lines.iter().zip(stage.iter().cycle()) {
            let output = stage.run(&line.text);
            assert_eq!(output.code, Some(line.exit), "{name}:{}: {}\n{output}", line.number, line.text);
            run += 1;
        }
    }
    assert!(run >= 25, "{run} lines were run");
}

#[test]
fn every_file_of_servers_that_a_page_shows_is_one() {
    let setting = Setting::new();
    let mut seen = 0;
    for (name, page) in pages() {
        for block in page.split("```json\n").skip(1) {
            let text = block.split("\n```").next().unwrap();
            let Ok(document) = serde_json::from_str::<Value>(text) else { continue };
            if document["mcpServers"].is_null() {
                continue;
            }
            let file = setting.home.write_project("shown.json", text).unwrap();
            let output = setting.mcplink(&["validate", file.to_str().unwrap()]).run();
            // A pointer that leads nowhere here is a warning.
            assert_eq!(output.code, Some(0), "{name}: {text}\n{output}");
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen} files were found");
}

/// The README begins with what a person sees; each line of it is in a screen that is kept.
#[test]
fn the_screen_of_the_readme_is_one() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let shown = readme.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let kept = std::fs::read_to_string(root().join("crates/mcp-cli/tests/it/looks/status-80.txt")).unwrap();
    for line in shown.lines() {
        assert!(kept.lines().any(|kept| kept == line), "{line:?} is on no screen");
    }
    let first = readme.lines().take(30).collect::<Vec<_>>().join("\n");
    assert!(first.contains("docs/first-ten-minutes.md") && first.contains("docs/README.md"), "{first}");
}

/// What a newcomer reads takes five minutes, and the rest is found from one index.
#[test]
fn the_readme_is_short_and_the_index_names_every_page() {
    let pages = pages();
    let (_, readme) = pages.iter().find(|(name, _)| name == "README.md").unwrap();
    assert!(readme.lines().count() <= 200, "README.md has {} lines", readme.lines().count());
    let (_, index) = pages.iter().find(|(name, _)| name == "docs/README.md").unwrap();
    for (name, _) in &pages {
        let Some(page) = name.strip_prefix("docs/").filter(|page| *page != "README.md") else { continue };
        assert!(index.contains(&format!("]({page})")), "docs/README.md does not name {page}");
    }
}

/// A stranger with a server in Cursor, from nothing to the end: what the README shows is what the program says, but for the
/// names of this machine, and for differences, of which a line is left. `UPDATE_EXPECT=1` writes it there.
#[test]
fn the_two_minutes_of_the_readme_are_what_happens() {
    const FENCE: &str = "```text\n";
    let path = root().join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let section = readme.find("## Two minutes\n").unwrap();
    let begin = section + readme[section..].find(FENCE).unwrap() + FENCE.len();
    let shown = &readme[begin..begin + readme[begin..].find("```").unwrap()];
    let stage = Stage::new();
    let docs = FakeMcpServer::start().unwrap();
    let docs = docs.url().to_string();
    let line = ["-y", "mcp-remote", "https://docs.example.com/mcp", "--header", "X-Team: blue"];
    let servers = json!({ "docs": { "command": "npx", "args": line } });
    let text = format!("{:#}\n", json!({ "mcpServers": servers }));
    let text = text.replace("https://docs.example.com/mcp", &docs);
    let cursor = stage.setting.home.write(".cursor/mcp.json", text).unwrap();
    let before = std::fs::read(&cursor).unwrap();
    let mut said = String::new();
    for line in shown.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let output = stage.run(&format!("unset MCPLINK_STATE_DIR; {line} 2>&1"));
        assert_eq!(output.code, Some(0), "{line}: {output}");
        let output = output.stdout.replace(&docs, "https://docs.example.com/mcp");
        said.push_str(&format!("$ {line}\n{}", stage.published(&output)));
    }
    assert_eq!(std::fs::read(&cursor).unwrap(), before, "and back");
    mcp_harness::is_kept(&path, &readme.replace(shown, &said));
}

pub(crate) fn schema() -> Value {
    let path = root().join("docs/json/documents.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Every document that has a schema, as commands print it in many states.
#[test]
fn what_is_printed_as_json_is_what_the_schema_says() {
    let schema = schema();
    let stage = Stage::new();
    let run = |line: &str| stage.run(line);
    for line in [
        "mcplink add tickets https://tickets.example.com/mcp --headers-helper 'my-sso headers' --json",
        "mcplink add wiki https://wiki.example.com/mcp --json",
        "mcplink add refused https://notes.example.com/mcp -H 'X-Api-Key: other' --no-check --json",
        "mcplink add locked https://tickets.example.com/mcp --no-check --json",
        "mcplink add-json gone '{\"command\": \"/no/such/program\"}' --no-check --json",
        "mcplink add off https://wiki.example.com/mcp --dry-run --json",
        "mcplink disable off --json",
        "mcplink enable off --json",
        "mcplink disable locked --json",
        "mcplink status --json",
        "mcplink status --offline --json",
        "mcplink status --hosts --json",
        "mcplink list --json",
        "mcplink wait wiki --json",
        "mcplink reconnect tickets --json",
        "mcplink doctor --json",
        "mcplink doctor refused --json",
        "mcplink doctor gone --trace --json",
        "mcplink get tickets --json",
        "mcplink get gone --json",
        "mcplink headers tickets --json",
        "mcplink headers tickets --run --json",
        "mcplink headers refused --json",
        "mcplink tools wiki --json",
        "mcplink tools wiki search --json",
        "mcplink resources wiki --json",
        "mcplink prompts wiki --json",
        "mcplink ping wiki --json",
        "mcplink ps --json",
        "mcplink hosts --json",
        "mcplink paths --json",
        "mcplink validate --json",
        "mcplink version --json",
        "mcplink trust --json",
        "mcplink untrust --json",
        "mcplink reset tickets --json",
        "mcplink remove gone --json",
        "mcplink get nosuch --json",
        "mcplink login gone --json",
        "mcplink status --no-such-option --json",
    ] {
        let output = run(line);
        let verb = line.split(' ').nth(1).unwrap();
        let (name, text) = match output.stdout.is_empty() {
            false => (verb, output.stdout.as_str()),
            true => ("error", output.stderr.lines().last().unwrap_or_default()),
        };
        let document: Value =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{line}: {error}: {output}"));
        let wrong = against_schema(&document, &schema, name);
        assert!(wrong.is_empty(), "{line}: {wrong:#?}\n{document:#}");
    }
    // With a problem, and with what is to be approved.
    let entry = json!({ "mcpServers": { "s": http(&stage.wiki), "bad": { "type": "http" } } });
    stage.setting.home.write_project(".mcp.json", entry.to_string()).unwrap();
    for line in
        ["mcplink validate --json", "mcplink status --json", "mcplink list --json", "mcplink reject s --json"]
    {
        let output = run(line);
        let wrong = against_schema(&output.json(), &schema, line.split(' ').nth(1).unwrap());
        assert!(wrong.is_empty(), "{line}: {wrong:#?}\n{output}");
    }
}

#[test]
fn the_page_of_hosts_names_every_one() {
    let page = std::fs::read_to_string(root().join("docs/hosts.md")).unwrap().replace('\n', " ");
    let (_, named) = page.split_once("Known are ").unwrap();
    let (named, _) = named.split_once(", in JSON").unwrap();
    let mut named: Vec<&str> = named.split(", ").flat_map(|part| part.split(" and ")).collect();
    let mut known: Vec<&str> = mcp_config::hosts::KnownHost::all().map(|host| host.title).collect();
    named.sort_unstable();
    known.sort_unstable();
    assert_eq!(named, known);
}

#[test]
fn the_schema_has_every_reason() {
    let schema = schema();
    let words: Vec<&str> = schema["$defs"]["reason"]["properties"]["code"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(words.len(), ReasonCode::ALL.len());
    for code in ReasonCode::ALL {
        assert!(words.contains(&code.as_str()), "{code} is not in docs/json/documents.schema.json");
    }
}

/// What the Homebrew formula runs does what it expects, in a home where nothing is.
#[test]
fn fh_h5_the_formula_tests_what_the_program_says() {
    let formula = std::fs::read_to_string(root().join("packaging/homebrew/mcplink.rb")).unwrap();
    let mut tested = 0;
    for line in formula.lines().filter_map(|line| line.trim().strip_prefix("assert_match ")) {
        let (expected, command) = line.split_once(", shell_output(\"#{bin}/mcplink ").unwrap();
        let arguments: Vec<&str> = command.trim_end_matches("\")").split(' ').collect();
        let expected = expected.replace("version.to_s", env!("CARGO_PKG_VERSION"));
        let output = Setting::new().run(&arguments, 0);
        assert!(output.stdout.contains(expected.trim_matches('"')), "{line}: {output}");
        tested += 1;
    }
    assert_eq!(tested, 2);
}
