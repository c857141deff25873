//! No entry starts itself: pointers are passed over. (Every other loop ends at its first repetition: `chains`.)
//!
//! What could loop goes through a script that counts its starts in a file and refuses to go on once there are five, so
//! that a guard that is missing fails a test and harms no machine.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use mcp_harness::Mcplink;
use mcp_testkit::FakeMcpServer;
use serde_json::{Value, json};

use crate::local::{SERVER, shell};
use crate::setting::{Setting, http, row};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_mcplink");
/// More starts than this end the script, whatever the program does.
const ENOUGH: usize = 5;

/// A home with a directory of counting scripts on its `PATH`.
pub(crate) struct Stage {
    pub(crate) setting: Setting,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::of(Setting::new())
    }

    fn of(setting: Setting) -> Self {
        let stage = Self { setting };
        std::fs::create_dir_all(stage.bin()).unwrap();
        stage
    }

    pub(crate) fn bin(&self) -> PathBuf {
        self.setting.home.home().join("bin")
    }

    /// A script that counts its start and then does `then`.
    pub(crate) fn script(&self, name: &str, then: &str) -> PathBuf {
        self.script_up_to(ENOUGH, name, then)
    }

    pub(crate) fn script_up_to(&self, enough: usize, name: &str, then: &str) -> PathBuf {
        let count = self.setting.home.home().join("starts");
        let count = count.display();
        let text = format!(
            "#!/bin/sh\necho {name} >>'{count}'\nif [ \"$(wc -l <'{count}')\" -gt {enough} ]; then exit 9; fi\n{then}\n"
        );
        let path = self.bin().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The scripts that were started, in order.
    pub(crate) fn starts(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.setting.home.home().join("starts")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn write(&mut self, name: &str, entry: Value) {
        self.setting.write(name, entry);
    }

    pub(crate) fn mcplink(&self, args: &[&str]) -> Mcplink<'_> {
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.bin().display());
        self.setting.mcplink(args).env("PATH", path)
    }

    /// The output of a command that must end with this code.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], code: i32) -> mcp_harness::Output {
        self.mcplink(args).run().expect_code(code)
    }
}

/// `exec` of the real binary with these arguments.
pub(crate) fn exec(args: &str) -> String {
    format!("exec '{BINARY}' {args}")
}

pub(crate) fn entry(line: &[&str]) -> Value {
    json!({ "command": line[0], "args": line[1..] })
}

#[track_caller]
pub(crate) fn contains(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in {text}");
}

pub(crate) fn message(row: &Value) -> &str {
    row["reason"]["message"].as_str().unwrap_or_else(|| panic!("no reason: {row:#}"))
}

/// Every form, each with the path of a counting script called `mcplink` where `{}` stands.
const FORMS: [&[&str]; 36] = [
    &["mcplink", "bridge", "internal"],
    &["mcplink", "serve", "internal"],
    &["{}", "bridge", "internal"],
    &["{}", "-v", "bridge", "--shared", "internal"],
    &["mcplink", "--mcp-config", "{\"mcpServers\":{}}", "bridge", "internal"],
    &["npx", "-y", "mcplink@latest", "bridge", "internal"],
    &["npx", "--package=mcplink", "--", "mcplink", "bridge", "internal"],
    &["npm", "exec", "--", "mcplink", "bridge", "internal"],
    &["pnpm", "dlx", "mcplink", "bridge", "internal"],
    &["yarn", "dlx", "mcplink", "bridge", "internal"],
    &["bunx", "mcplink", "bridge", "internal"],
    &["uvx", "mcplink", "bridge", "internal"],
    &["uv", "tool", "run", "mcplink", "bridge", "internal"],
    &["pipx", "run", "mcplink", "bridge", "internal"],
    &["cargo", "run", "--release", "-p", "mcp-cli", "--", "bridge", "internal"],
    &["cargo", "run", "--bin", "mcplink", "--", "bridge", "internal"],
    &["env", "A=B", "mcplink", "bridge", "internal"],
    &["nice", "-n", "5", "{}", "bridge", "internal"],
    &["sh", "-c", "mcplink bridge internal"],
    &["bash", "-lc", "cd / && exec {} bridge internal"],
    &["cmd", "/c", "mcplink", "bridge", "internal"],
    &["nix", "run", "nixpkgs#mcplink", "--", "bridge", "internal"],
    &["wsl", "-d", "Ubuntu", "mcplink", "bridge", "internal"],
    &["xargs", "mcplink", "bridge", "internal"],
    &["strace", "-f", "-o", "/dev/null", "{}", "bridge", "internal"],
    &["setsid", "nohup", "stdbuf", "-oL", "{}", "bridge", "internal"],
    &["sudo", "-n", "{}", "bridge", "internal"],
    &["docker", "run", "-i", "--rm", "ghcr.io/mcplink/mcplink:1", "bridge", "internal"],
    &["docker", "run", "-i", "tools", "mcplink", "bridge", "internal"],
    &["podman", "exec", "-i", "dev", "mcplink", "bridge", "internal"],
    &["mise", "exec", "--", "mcplink", "bridge", "internal"],
    &["volta", "run", "mcplink", "bridge", "internal"],
    &["flatpak", "run", "--command=mcplink", "org.example.Tools", "bridge", "internal"],
    &["mcplink bridge internal"],
    &["npx -y mcplink bridge", "internal"],
    &["$HOME/bin/mcplink", "bridge", "internal"],
];

/// A home in which whatever a form runs is a counting script that ends in the real binary.
fn stage_of_forms() -> Stage {
    let stage = Stage::new();
    stage.script("mcplink", &exec("\"$@\""));
    for launcher in [
        "npx", "npm", "pnpm", "yarn", "bunx", "uvx", "uv", "pipx", "cargo", "cmd", "nix", "wsl", "xargs",
        "strace", "setsid", "sudo", "docker", "podman", "mise", "volta", "flatpak",
    ] {
        // What follows `bridge` is all that a launcher of the test hands on.
        stage.script(
            launcher,
            &format!("while [ \"$1\" != bridge ]; do shift || exit 8; done\n{}", exec("\"$@\"")),
        );
    }
    stage
}

fn form(stage: &Stage, line: &[&str]) -> Value {
    let path = stage.bin().join("mcplink");
    let words: Vec<String> = line.iter().map(|word| word.replace("{}", path.to_str().unwrap())).collect();
    // `{}` of an inline configuration is one of ours, too.
    let words: Vec<String> = words
        .into_iter()
        .map(|word| if word.contains("mcpServers") { "{\"mcpServers\":{}}".to_owned() } else { word })
        .collect();
    entry(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn s_b2_fh_h1_the_readmes_own_entry_in_every_form_leaves_its_name_to_the_server() {
    let server = FakeMcpServer::builder().start().unwrap();
    let mut stage = stage_of_forms();
    stage.setting = stage.setting.project_file(json!({ "internal": http(&server) }));
    stage.write("other", shell(SERVER));
    stage.write("internal", form(&stage, FORMS[0]));
    stage.run(&["approve", "internal", "--yes"], 0);
    for line in FORMS {
        stage.write("internal", form(&stage, line));
        let document = stage.run(&["status", "--json"], 0).json();
        assert_eq!(document["servers"].as_array().unwrap().len(), 2, "{line:?}: {document:#}");
        let row = row(&document, "internal");
        assert_eq!((&row["status"], &row["scope"]), (&json!("connected"), &json!("project")), "{line:?}");
        let listed = stage.run(&["list", "--json"], 0).json();
        let pointer = &listed["pointers"][0];
        assert_eq!(
            (&pointer["name"], &pointer["target"]),
            (&json!("internal"), &json!("internal")),
            "{line:?}"
        );
        assert_eq!((&pointer["scope"], &pointer["field"]), (&json!("user"), &json!("mcpServers.internal")));
        assert!(pointer["source"].as_str().unwrap().ends_with(".claude.json"), "{pointer}");
        assert_eq!(stage.starts(), Vec::<String>::new(), "{line:?}");
    }
    contains(&stage.run(&["call", "internal", "echo", "text=hello"], 0).stdout, "hello");
    stage.run(&["tools", "internal"], 0);
    stage.run(&["reconnect", "internal"], 0);
    stage.run(&["wait", "internal", "--until", "connected", "--timeout", "20s"], 0);
    stage.run(&["bridge", "internal"], 0);
    assert_eq!(stage.starts(), Vec::<String>::new());
}

#[test]
fn s_b2_list_get_and_validate_say_what_a_pointer_is_and_where() {
    let server = FakeMcpServer::builder().start().unwrap();
    let mut stage = stage_of_forms();
    stage.setting = stage.setting.project_file(json!({ "internal": http(&server) }));
    stage.write("internal", form(&stage, FORMS[0]));
    let said = "a bridge to \"internal\", and no server itself";
    contains(&stage.run(&["list"], 0).stderr, said);
    contains(&stage.run(&["list"], 0).stderr, ".claude.json:3");
    let shown = stage.run(&["get", "internal"], 0).stdout;
    contains(&shown, said);
    contains(&shown, ".claude.json:3");
    let document = stage.run(&["get", "internal", "--json"], 0).json();
    assert_eq!(document["pointers"][0]["line"], 3, "{document:#}");
    let validated = stage.run(&["validate"], 0).stdout;
    contains(&validated, said);
    contains(&validated, "note: ");
    let file = stage.setting.home.home().join(".claude.json");
    contains(&stage.run(&["validate", file.to_str().unwrap()], 0).stdout, said);
    assert_eq!(stage.starts(), Vec::<String>::new());
}

#[test]
fn s_b2_a_name_with_nothing_but_a_pointer_is_an_error_that_says_what_to_do() {
    let mut stage = stage_of_forms();
    stage.write("internal", form(&stage, FORMS[0]));
    // Nothing is counted, and nothing is started; it is told what the entry is.
    for args in
        [&["status", "--json"][..], &["status", "--offline", "--json"], &["reconnect", "--all", "--json"]]
    {
        let document = stage.run(args, 0).json();
        assert_eq!(document["servers"], json!([]), "{args:?}");
        assert_eq!(document["pointers"], stage.run(&["list", "--json"], 0).json()["pointers"], "{args:?}");
        assert_eq!(document["pointers"][0]["target"], "internal", "{args:?}");
    }
    for args in [&["status"][..], &["list"], &["reconnect", "--all"]] {
        let said = stage.run(args, 0).stderr;
        contains(&said, "the one entry is a bridge to a server");
        contains(&said, "mcplink validate");
    }
    for args in [
        &["get", "internal"][..],
        &["call", "internal", "echo"],
        &["tools", "internal"],
        &["ping", "internal"],
        &["bridge", "internal"],
        &["bridge", "--shared", "internal"],
        &["approve", "internal"],
    ] {
        let output = stage.run(args, 2);
        assert!(output.stdout.is_empty(), "{output}");
        assert_eq!(output.stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{output}");
        contains(&output.stderr, ".claude.json:3 (mcpServers.internal) is a bridge to \"internal\"");
        contains(&output.stderr, "no entry named \"internal\" has a `url` or `command`");
        let leads = [
            "next: mcplink ",
            "next: correct the entry of internal in /",
            "next: correct `command` of internal in /",
        ];
        assert!(leads.iter().any(|next| output.stderr.contains(next)), "{output}");
    }
    let document = stage.mcplink(&["status", "internal", "--json"]).run().expect_code(2).json();
    let row = row(&document, "internal");
    assert_eq!(row["status"], "failed");
    assert_eq!((&row["reason"]["code"], &row["reason"]["attempts"]), (&json!("self-reference"), &json!(0)));
    assert_eq!(row["reason"]["retryable"], false);
    assert_eq!(document["pointers"][0]["name"], "internal");
    let said = stage.run(&["validate"], 0).stdout;
    contains(&said, "warning: ");
    contains(&said, "put the server's own entry");
    let refused = stage.run(&["call", "internal", "echo", "--json"], 2).stderr;
    let refused: Value = serde_json::from_str(refused.lines().last().unwrap()).unwrap();
    assert_eq!(refused["error"]["code"], "self-reference");
    assert_eq!(stage.starts(), Vec::<String>::new());
}

#[test]
fn s_b2_pointers_at_other_names_and_at_each_other_start_nothing() {
    let server = FakeMcpServer::builder().start().unwrap();
    let mut stage = stage_of_forms();
    stage.write("internal", http(&server));
    stage.write("alias", entry(&["mcplink", "bridge", "internal"]));
    stage.write("a", entry(&["mcplink", "bridge", "b"]));
    stage.write("b", entry(&["mcplink", "bridge", "a"]));
    let document = stage.run(&["status", "--json"], 0).json();
    assert_eq!(document["servers"].as_array().unwrap().len(), 1, "{document:#}");
    let alias = stage.run(&["call", "alias", "echo"], 2).stderr;
    contains(&alias, "is a bridge to \"internal\", and no server itself");
    contains(&stage.run(&["get", "alias"], 2).stderr, "next: mcplink get internal");
    contains(&stage.run(&["bridge", "a"], 2).stderr, "leads back to itself: a → b → a");
    assert_eq!(stage.starts(), Vec::<String>::new());
}

#[test]
fn s_b2_a_bridge_to_a_url_and_a_command_of_another_name_are_servers() {
    let server = FakeMcpServer::builder().start().unwrap();
    let mut stage = stage_of_forms();
    stage.write("by-url", entry(&["mcplink", "bridge", server.url().as_str()]));
    stage.write("not-ours", shell(&format!("# mcplink bridge not-ours\n{SERVER}")));
    let document = stage.run(&["status", "--json"], 0).json();
    assert_eq!(row(&document, "by-url")["status"], "connected");
    assert_eq!(row(&document, "not-ours")["status"], "connected");
    // The URL is asked here, without a bridge in between.
    assert_eq!(stage.starts(), Vec::<String>::new());
}

#[test]
fn s_b2_a_link_to_the_program_is_a_pointer_whatever_it_is_called() {
    let mut stage = Stage::new();
    let link = stage.bin().join("my-server");
    std::os::unix::fs::symlink(BINARY, &link).unwrap();
    for command in [link.to_str().unwrap(), "my-server"] {
        stage.write("internal", entry(&[command, "bridge", "internal"]));
        // Reads files only: were it not known for a pointer, nothing would count what it starts.
        let listed = stage.run(&["list", "--json"], 0).json();
        assert_eq!(listed["servers"], json!([]), "{command}");
        assert_eq!(listed["pointers"][0]["target"], "internal");
    }
    // The path of an entry that is not approved is not looked up; the entry waits as any other.
    stage.write("internal", json!({ "type": "http", "url": "https://h.example/" }));
    stage.setting =
        stage.setting.project_file(json!({ "theirs": entry(&[link.to_str().unwrap(), "bridge", "theirs"]) }));
    let listed = stage.run(&["list", "--json"], 0).json();
    assert_eq!(row(&listed, "theirs")["actions"], json!(["approve", "reject"]));
}
