//! Each field of each host, one line of `tests/host_fields.jsonl` for each: what it is in a file of ours, and what is said of
//! what cannot be. Each file is wrapped and comes back byte for byte, too.

use std::collections::HashSet;
use std::path::Path;

use serde_json::{Value, json};

use super::words::OAUTH;
use super::{Format, KnownHost};
use crate::hosts::HostListing;
use crate::source::{Content, FilePurpose, Source};
use crate::wrap::{BridgeCommand, HostTarget, WrapError};
use crate::{
    Config, ConfigSource, Env, Locations, Platform, Problem, ProblemCode, Project, Request, Severity,
};

const FIELDS: &str = include_str!("../../tests/host_fields.jsonl");

fn rows() -> Vec<Value> {
    FIELDS.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A file of this person with the entry, or the text that is one.
fn text_of(row: &Value, keys: &[&str]) -> String {
    match row["text"].as_str() {
        Some(text) => text.to_owned(),
        None => {
            let named = json!({ "s": row["entry"] });
            let file = keys.iter().rev().fold(named, |inner, key| json!({ *key: inner }));
            format!("{file:#}\n")
        }
    }
}

struct Reading {
    listing: HostListing,
    target: HostTarget,
}

/// What is read of a text in the first file of a host that is this person's own.
fn read(host: &'static KnownHost, text: &str) -> Reading {
    read_of(host, text, false)
}

fn read_of(host: &'static KnownHost, text: &str, of_project: bool) -> Reading {
    let env = Env::new().with("HOME", "/home/me").with("TOKEN", "canary");
    let request = Request { platform: Platform::Unix, ..Request::new("/project", env) };
    let project = Project {
        cwd: "/project".into(),
        root: "/project".into(),
        main_root: "/project".into(),
        foreign: None,
    };
    let locations = Locations::new(&request.env, Path::new("/project"), Platform::Unix);
    let places = host.places(&request.env, &project, Platform::Unix);
    let (place, path) =
        places.into_iter().find(|(place, _)| place.file().is_of_project() == of_project).unwrap();
    let content = Content::Text(text.to_owned());
    let source = Source::of(FilePurpose::Host(place), ConfigSource::File(path.clone()), content);
    let listing = HostListing::of(place, &source, &request, &project, &locations).unwrap();
    let config = Config::load(&request);
    let target = HostTarget::at(host, &path, &config, &request).unwrap();
    Reading { listing, target }
}

/// What is wrong with a line of the file; nothing where all is as it says.
fn wrong(row: &Value) -> Option<String> {
    let host = KnownHost::named(row["host"].as_str()?)?;
    let file = host.files.iter().find(|file| !file.is_of_project())?;
    let keys = if host.name == "vscode" { file.keys.first() } else { file.keys.last() };
    let text = text_of(row, keys?);
    let Reading { listing, target } = read(host, &text);
    let (None, [server]) = (&listing.unreadable, &*listing.servers) else {
        return Some(format!("is not one server: {:?}", listing.unreadable));
    };
    let ours: Value = serde_json::from_str(&server.value.to_json()).unwrap_or_default();
    if ours != row["ours"] {
        return Some(format!("is {ours}"));
    }
    let lost = server.problems.iter().filter(|one| one.code == ProblemCode::NotTakenOver);
    let lost: Vec<String> =
        lost.filter(|one| one.severity == Severity::Warning).map(Problem::to_string).collect();
    let expected: Vec<&str> =
        row["lost"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let is_said = |word: &&str| lost.iter().any(|one| one.contains(*word));
    if lost.len() != expected.len() || !expected.iter().all(is_said) {
        return Some(format!("is told so: {lost:?}"));
    }
    if let Some(unknown) = server.problems.iter().find(|one| one.code == ProblemCode::UnknownField) {
        return Some(unknown.to_string());
    }
    if format!("{listing:?} {ours}").contains("canary") {
        return Some("a secret is shown or taken over".to_owned());
    }
    if file.format == Format::Yaml {
        return None;
    }
    let through = BridgeCommand::to(Path::new("/bin/mcplink"), "s", None);
    let edit = match target.wrapped(&text, "s", &through) {
        Ok(edit) => edit,
        Err(error) => return Some(error.to_string()),
    };
    let meanwhile = read(host, &edit.text).listing;
    if !meanwhile.servers.is_empty() || meanwhile.pointers != 1 {
        return Some(format!("is no way through this program: {}", edit.text));
    }
    match target.unwrapped(&edit.text, "s", &through, edit.original.as_deref()) {
        Ok(back) if back == text => None,
        back => Some(format!("comes back as {back:?}")),
    }
}

#[test]
fn fh_h5_each_field_of_each_host_is_ours_or_said_and_comes_back() {
    let wrong: Vec<String> =
        rows().iter().filter_map(|row| Some(format!("{row}\n    {}", wrong(row)?))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A word of a table without a line of the file could break unseen.
#[test]
fn every_host_and_every_word_of_its_own_has_a_line() {
    let rows = rows();
    let lines_of = |host: &str| -> String {
        rows.iter().filter(|row| row["host"] == host).map(|row| row.to_string()).collect()
    };
    let mut met = HashSet::new();
    for host in KnownHost::all().filter(|host| !host.is_read_anyway()) {
        let lines = lines_of(host.name);
        assert!(!lines.is_empty(), "{}", host.name);
        let words = host.fields.iter().chain(host.of_all).map(|(word, _)| *word);
        for word in words.chain(host.rules.iter().copied()).chain(host.off.iter().chain(host.on).copied()) {
            assert!(lines.contains(word), "{} {word}", host.name);
        }
        met.extend(OAUTH.iter().map(|(word, _)| *word).filter(|word| lines.contains(word)));
    }
    let ours = ["issuer", "authServerMetadataUrl", "resource", "clientMetadataUrl", "pkce", "metadataIssuer"];
    let others = [
        "authorizeParams",
        "redirect_uri",
        "useIdToken",
        "clientMetadata",
        "registrationUrl",
        "audiences",
        "tokenParamName",
        "xaa",
    ];
    for (word, _) in OAUTH.iter().filter(|(word, _)| !ours.contains(word) && !others.contains(word)) {
        assert!(met.contains(word), "{word}");
    }
}

#[test]
fn a_project_says_of_no_variable_that_it_is_a_client_secret() {
    let text = r#"{"mcpServers": {"s": {"url": "https://h.example", "auth": {"CLIENT_ID": "c", "CLIENT_SECRET": "${env:TOKEN}"}}}}"#;
    let cursor = KnownHost::named("cursor").unwrap();
    let of = |of_project| read_of(cursor, text, of_project).listing.servers[0].value.to_json();
    assert!(of(false).contains("${env:TOKEN}"), "{}", of(false));
    assert!(!of(true).contains("TOKEN"), "{}", of(true));
}

#[test]
fn fh_h5_what_codex_says_for_itself_stays_in_its_table() {
    let kept = ["enabled = false", "required = true", "tool_timeout_sec = 90.5", "startup_timeout_sec = 20"];
    let url = "url = 'https://h.example'";
    for text in [
        format!("[mcp_servers.s]\n{url}\n{}\n", kept.join("\n")),
        format!("[mcp_servers]\ns = {{ {url}, {} }}\n", kept.join(", ")),
        format!("mcp_servers.s.{url}\nmcp_servers.s.{}\nmodel = 'x'\n", kept.join("\nmcp_servers.s.")),
        format!("[mcp_servers]\n's' . {url}\ns.{}", kept.join("\ns.")),
    ] {
        let target = read(KnownHost::named("codex").unwrap(), &text).target;
        let through = BridgeCommand::to(Path::new("/bin/mcplink"), "s", None);
        let edit = target.wrapped(&text, "s", &through).unwrap();
        assert!(
            kept.iter().all(|line| edit.text.contains(line)) && !edit.text.contains("url"),
            "{}",
            edit.text
        );
        let back = target.unwrapped(&edit.text, "s", &through, edit.original.as_deref());
        assert_eq!(back.unwrap(), text);
        // What a person made another command of is not put back.
        let other = edit.text.replace("/bin/mcplink", "/bin/other");
        assert!(target.unwrapped(&other, "s", &through, edit.original.as_deref()).is_err(), "{other}");
    }
    // An entry without a place of its own is left to its owner.
    for text in [
        "mcp_servers.s.url = 'https://h.example'\n[mcp_servers.s.http_headers]\nX = '1'\n",
        "[mcp_servers.s.http_headers]\nX = '1'\n",
    ] {
        let target = read(KnownHost::named("codex").unwrap(), text).target;
        let through = BridgeCommand::to(Path::new("/bin/mcplink"), "s", None);
        assert!(target.wrapped(text, "s", &through).is_err(), "{text}");
    }
    let target = read(KnownHost::named("cursor").unwrap(), "{}").target;
    let through = BridgeCommand::to(Path::new("/bin/mcplink"), "s", None);
    let other = r#"{"mcpServers": {"s": {"command": "/bin/other"}}}"#;
    assert!(target.unwrapped(other, "s", &through, Some("{}")).is_err());
}

/// A person who switched it off, or said yes to a tool for good, while it was wrapped is not asked again.
#[test]
fn fh_h5_what_a_host_was_told_meanwhile_comes_back_with_the_entry() {
    let through = BridgeCommand::to(Path::new("/bin/mcplink"), "s", None);
    for (host, text, edit, expected) in [
        (
            "cursor",
            r#"{"mcpServers": {"s": {"url": "https://h.example", "disabled": false, "timeout": 5}}}"#,
            (r#""disabled": false, "timeout": 5"#, r#""disabled": true, "autoApprove": ["add"]"#),
            r#"{"mcpServers": {"s": {"url": "https://h.example", "disabled": true, "autoApprove": ["add"]}}}"#,
        ),
        (
            "opencode",
            r#"{"mcp": {"s": {"type": "remote", "url": "https://h.example"}}}"#,
            (r#""enabled": true"#, r#""enabled": false"#),
            r#"{"mcp": {"s": {"type": "remote", "url": "https://h.example", "enabled": false}}}"#,
        ),
        (
            "codex",
            "[mcp_servers.s] # s\r\nurl = 'https://h.example' # u\r\nrequired = true\r\n\r\n[mcp_servers.s.http_headers]\r\nX = '1'\r\n\r\n# t\r\n[tui]\r\nx = 1\r\n",
            ("required = true", "enabled = false"),
            "[mcp_servers.s] # s\r\nurl = 'https://h.example' # u\r\nenabled = false\r\n\r\n[mcp_servers.s.http_headers]\r\nX = '1'\r\n\r\n# t\r\n[tui]\r\nx = 1\r\n",
        ),
        (
            "codex",
            "[mcp_servers]\ns = { url = 'https://h.example' } # s\n",
            (" } # s", ", enabled = false } # s"),
            "[mcp_servers]\ns = { url = 'https://h.example' , enabled = false } # s\n",
        ),
    ] {
        let target = read(KnownHost::named(host).unwrap(), text).target;
        let wrapped = target.wrapped(text, "s", &through).unwrap();
        let told = wrapped.text.replace(edit.0, edit.1);
        assert_ne!(told, wrapped.text, "{host}");
        let back = target.unwrapped(&told, "s", &through, wrapped.original.as_deref()).unwrap();
        assert_eq!(back, expected, "{host}: {told}");
    }
}

#[test]
fn what_was_done_to_a_table_meanwhile_is_kept_or_refused() {
    let through = BridgeCommand::to(Path::new("/bin/mcplink"), "s", None);
    let codex = |text: &str| read(KnownHost::named("codex").unwrap(), text).target;
    // The last line had no end, and another table came behind it.
    let text = "[mcp_servers.s]\r\nurl = 'https://h.example'";
    let edit = codex(text).wrapped(text, "s", &through).unwrap();
    let more = format!("{}\r\n[tui]\r\nx = 1\r\n", edit.text);
    let back = codex(&more).unwrapped(&more, "s", &through, edit.original.as_deref()).unwrap();
    assert_eq!(back, format!("{text}\r\n\r\n[tui]\r\nx = 1\r\n"));
    // A host wrote the table as a value, or the value as a table: what stood there does not fit, and nothing is written.
    let (table, value) =
        ("[mcp_servers.s]\ncommand = '/bin/mcplink'\n", "mcp_servers.s = { command = '/bin/mcplink' }\n");
    for (now, original) in [(table, "{ url = 'https://h.example' }"), (value, "[mcp_servers.s]\nurl = 'x'\n")]
    {
        let refused = codex(now).unwrapped(now, "s", &through, Some(original));
        assert!(matches!(refused, Err(WrapError::NotEdited(_))), "{now} {refused:?}");
    }
    // A table below the entry has its name and stands first.
    let text = "[mcp_servers.s.s]\nA = 'b'\n[mcp_servers.s]\ncommand = 'x'\n";
    assert!(codex(text).wrapped(text, "s", &through).is_err());
}

/// Servers that a person may have meant are named where they are not read; a file of settings has none.
#[test]
fn fh_h5_a_file_of_another_shape_is_told_and_settings_without_servers_are_not() {
    for (host, text, told) in [
        ("cursor", "[]", "expected an object, found an array"),
        ("cursor", "5", "expected an object, found a number"),
        ("cursor", r#"{"mcpServers": 5}"#, "mcpServers: expected an object, found a number"),
        (
            "cursor",
            r#"{"mcp_servers": {"a": {"command": "x"}}}"#,
            "`mcp_servers` is not read: in the files of Cursor the name is `mcpServers`",
        ),
        ("cursor", r#"{"mcpServers": {}, "McpServers": {"a": {"url": "x"}}}"#, "`McpServers` is not read"),
        (
            "cursor",
            r#"{"servers": {"a": {"command": "x"}}}"#,
            "has `servers`, where VS Code keeps its servers, and no `mcpServers`",
        ),
        ("cursor", r#"{"a": {"command": "x"}}"#, "has entries outside of `mcpServers`"),
        (
            "vscode",
            r#"{"context_servers": {"a": {"command": "x"}}}"#,
            "where Zed keeps its servers, and no `servers`",
        ),
        (
            "codex",
            "[mcpServers.a]\ncommand = 'x'\n",
            "`mcpServers` is not read: in the files of Codex the name is `mcp_servers`",
        ),
        (
            "opencode",
            r#"{"mcpServers": {"a": {"command": "x"}}}"#,
            "`mcpServers` is not read: in the files of opencode the name is `mcp`",
        ),
        ("goose", "extensions: 5\n", "extensions: expected an object, found a number"),
        ("cursor", "{}", ""),
        ("cursor", r#"{"mcpServers": {}}"#, ""),
        ("cursor", r#"{"mcpServers": null}"#, ""),
        ("gemini", r#"{"mcp": {"excluded": ["a"]}, "theme": "x"}"#, ""),
        ("zed", r#"{"languages": {"a": {"type": "x", "command": "y"}}, "servers": {}}"#, ""),
        ("codex", "model = 'x'\n[profiles.a]\ntype = 'x'\n", ""),
    ] {
        let listing = read(KnownHost::named(host).unwrap(), text).listing;
        let said = listing.unreadable.as_deref().map(Problem::to_string).unwrap_or_default();
        assert!(said.contains(told) && said.is_empty() == told.is_empty(), "{host} {text}: {said:?}");
    }
}
