//! `cwd` and `envFile` of a command: where they begin, what wins, and that what is in a file is a part of what was agreed
//! to.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use mcp_config::launch::Launch;
use mcp_config::{Config, Env, Gate, Severity};

use crate::consent::Home;

const ENTRY: &str = r#"{"command": "x", "envFile": ".env"}"#;

fn launch(config: &Config, name: &str) -> Launch {
    config
        .entry(name)
        .unwrap()
        .launch(&Env::from([("B", "inherited"), ("C", "inherited")]), &config.project)
        .unwrap()
}

fn value<'a>(launch: &'a Launch, name: &str) -> Option<&'a OsStr> {
    launch.env.get(OsStr::new(name)).map(|value| &**value)
}

#[test]
fn s_b1_fa_a30_what_a_file_of_variables_says_is_a_part_of_what_was_approved() {
    let before = "# made by hand\nTOKEN=canary-one\nexport API=https://a.example\n";
    for (now, change) in [
        // A loader's and an interpreter's variable, an address, a secret, one that is gone.
        (
            format!("{before}NODE_OPTIONS=--require /tmp/evil.js\n"),
            "envFile.NODE_OPTIONS: (none) → [redacted]",
        ),
        (format!("{before}LD_PRELOAD=./evil.so\n"), "envFile.LD_PRELOAD: (none) → [redacted]"),
        (before.replace("a.example", "evil.example"), "envFile.API: [redacted] with another hidden value"),
        (before.replace("canary-one", "canary-two"), "envFile.TOKEN: [redacted] with another hidden value"),
        ("TOKEN=canary-one\n".to_owned(), "envFile.API: [redacted] → (none)"),
        // The same name once more: the last one counts.
        (format!("{before}API=https://evil.example\n"), "envFile.API: [redacted] with another hidden value"),
    ] {
        let home = Home::new();
        home.entry("db", ENTRY);
        home.write("project/.env", before);
        assert_eq!(home.gate("db"), Gate::AwaitingApproval);
        home.approve("db");
        assert_eq!(home.gate("db"), Gate::Ready);
        home.write("project/.env", &now);
        let config = home.load();
        let entry = config.entry("db").unwrap();
        assert_eq!(entry.gate(), Gate::ChangedSinceApproval, "{now}");
        let changes: Vec<String> = entry.changes().iter().map(ToString::to_string).collect();
        assert_eq!(changes, [change], "{now}");
        assert!(!home.state().contains("canary") && !home.state().contains("a.example"), "{}", home.state());
        home.write("project/.env", before);
        assert_eq!(home.gate("db"), Gate::Ready, "and back");
    }
}

#[test]
fn fa_a30_how_a_file_of_variables_is_written_is_no_change() {
    let home = Home::new();
    home.entry("db", ENTRY);
    home.write("project/.env", "A=1\nB=two words # why\n");
    home.approve("db");
    for same in [
        "B='two words'\r\nA=1",
        "\u{feff}export B=\"two words\"\n\n# A=2\nA = 1\n",
        "A=0\nA=1\nB=two words\n",
    ] {
        home.write("project/.env", same);
        assert_eq!(home.gate("db"), Gate::Ready, "{same:?}");
    }
}

#[test]
fn s_b1_who_decides_sees_the_variables_and_of_values_what_decides_something() {
    let home = Home::new();
    home.entry("db", ENTRY);
    home.write("project/.env", "TOKEN=canary-of-a-file\nNODE_OPTIONS=--require ./x.js\nPLAIN=opaque\n");
    let config = home.load();
    let terms: Vec<(String, String)> = config
        .entry("db")
        .unwrap()
        .terms()
        .iter()
        .filter(|term| term.field.starts_with("envFile"))
        .map(|term| (term.field.clone(), term.shown.clone()))
        .collect();
    let expected = [
        ("envFile", ".env"),
        ("envFile.NODE_OPTIONS", "--require ./x.js"),
        ("envFile.PLAIN", "[redacted]"),
        ("envFile.TOKEN", "[redacted]"),
    ];
    assert_eq!(terms, expected.map(|(field, shown)| (field.to_owned(), shown.to_owned())));
    assert!(!format!("{config:?}").contains("canary-of-a-file"));
}

#[test]
fn fa_a30_a_file_that_cannot_be_used_is_an_error_that_names_file_and_field() {
    let home = Home::new();
    home.write("user.env", "A=1\n");
    fs::create_dir_all(home.base.join("project/folder")).unwrap();
    home.write("project/latin", "");
    fs::write(home.base.join("project/latin"), b"A=\xe4\n").unwrap();
    home.write("project/large", &"# x\n".repeat(100_000));
    home.write("project/odd", "A=1\nnonsense\nB=${A}\n");
    let entry = |file: &str| format!(r#""{file}": {{"command": "x", "envFile": "{file}"}}"#);
    let files = ["gone", "folder", "latin", "large", "odd", "~/user.env", ""];
    let entries: Vec<String> =
        files.iter().map(|file| entry(file).replacen("\"\"", "\"empty\"", 1)).collect();
    home.write(
        "project/.mcp.json",
        &format!(r#"{{"mcpServers": {{{}, "fine": {{"command": "x"}}}}}}"#, entries.join(", ")),
    );
    let config = home.load();
    let errors = |name: &str| -> Vec<String> {
        let errors = config.problems_of(name).filter(|problem| problem.severity == Severity::Error);
        errors
            .map(|problem| format!("{}: {}", problem.field.clone().unwrap_or_default(), problem.message))
            .collect()
    };
    let at = |file: &str| home.base.join("project").join(file).display().to_string();
    for (file, why) in [
        ("gone", "it does not exist"),
        ("folder", "it is a directory"),
        ("latin", "it is not UTF-8"),
        ("large", "it is larger than 256 KiB"),
    ] {
        assert_eq!(errors(file), [format!("mcpServers.{file}.envFile: cannot be used: {}: {why}", at(file))]);
        assert_eq!(config.entry(file).unwrap().gate(), Gate::Invalid);
    }
    assert_eq!(errors("empty"), ["mcpServers.empty.envFile: is empty"]);
    assert!(
        errors("~/user.env")[0].ends_with("begins with `~`, which is not expanded"),
        "{:?}",
        errors("~/user.env")
    );
    assert!(errors("odd").is_empty() && errors("fine").is_empty());
    let warnings: Vec<&str> = config.problems_of("odd").map(|problem| &*problem.message).collect();
    assert_eq!(warnings[0], format!("line 2 of {} is not a NAME=VALUE; it is passed over", at("odd")));
    assert!(
        warnings[1].starts_with("B in ") && warnings[1].ends_with("no value of the file is expanded"),
        "{warnings:?}"
    );
    assert_eq!(config.entry("fine").unwrap().gate(), Gate::AwaitingApproval);
}

#[cfg(unix)]
#[test]
fn s_k9_fa_a30_a_file_of_variables_is_read_by_the_careful_reader() {
    let home = Home::new();
    home.entry("db", ENTRY);
    let status = std::process::Command::new("mkfifo").arg(home.base.join("project/.env")).status().unwrap();
    assert!(status.success());
    let config = home.load();
    let problem = config.problems_of("db").next().unwrap();
    assert!(problem.message.ends_with("it is a pipe, not a regular file"), "{}", problem.message);
}

#[test]
fn fa_a29_a30_a_relative_path_begins_where_the_entry_stands() {
    let home = Home::new();
    let entry = r#"{"command": "x", "cwd": "server", "envFile": "${workspaceFolder}/conf/.env"}"#;
    home.entry("db", entry);
    home.write("project/conf/.env", "A=project\n");
    fs::create_dir_all(home.base.join("project/deep/conf")).unwrap();
    home.write("project/deep/conf/.env", "A=deep\n");
    home.write(".claude.json", &format!(r#"{{"mcpServers": {{"own": {entry}, "absolute": {{"command": "x", "cwd": "${{HOME}}"}}, "bare": {{"command": "x"}}}}}}"#));
    let config = home.load_in("project/deep");
    let in_base = |path: &str| home.base.join(path);
    // A project's entry says the same wherever in the project a person is; a person's follows the person.
    for (name, cwd, value_of_a) in [
        ("db", in_base("project/server"), Some("project")),
        ("own", in_base("project/deep/server"), Some("deep")),
        ("absolute", in_base(""), None),
        ("bare", in_base("project/deep"), None),
    ] {
        let launch = launch(&config, name);
        assert_eq!(
            Path::new(&launch.cwd).components().collect::<Vec<_>>(),
            cwd.components().collect::<Vec<_>>(),
            "{name}"
        );
        assert_eq!(value(&launch, "A"), value_of_a.map(OsStr::new), "{name}");
    }
    assert!(config.problems_of("db").next().is_none(), "{:?}", config.problems);
}

#[test]
fn fa_a30_env_wins_over_the_file_and_the_file_over_what_is_inherited() {
    let home = Home::new();
    home.write("project/.env", "A=file\nB=file\nMCPLINK_CHAIN=forged\nMCP_CLIENT_SECRET=given\n");
    home.write(
        ".claude.json",
        r#"{"mcpServers": {"own": {"command": "x", "envFile": ".env", "env": {"A": "entry"}}}}"#,
    );
    let launch = launch(&home.load(), "own");
    for (name, expected) in
        [("A", "entry"), ("B", "file"), ("C", "inherited"), ("MCP_CLIENT_SECRET", "given")]
    {
        assert_eq!(value(&launch, name), Some(OsStr::new(expected)), "{name}");
    }
    assert_ne!(
        value(&launch, "MCPLINK_CHAIN"),
        Some(OsStr::new("forged")),
        "what ends a loop cannot be taken away"
    );
}

#[test]
fn fa_a29_other_hosts_spellings_are_told() {
    let home = Home::new();
    home.entry(
        "db",
        r#"{"command": "x", "workingDirectory": "a", "env_file": "b", "startup_timeout_sec": 20}"#,
    );
    let config = home.load();
    let hints: Vec<&str> = config.problems_of("db").filter_map(|problem| problem.hint.as_deref()).collect();
    assert_eq!(hints, ["use `cwd`", "use `envFile`", "use `startupTimeoutMs`, in milliseconds"]);
}
