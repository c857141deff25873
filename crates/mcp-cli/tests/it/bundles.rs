//! `wrap claude-desktop NAME --mcpb FILE`: the bundle, read by the program that its format comes with, and started as the host
//! would start it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mcp_harness::{mcpb, real_or_skip};
use mcp_testkit::{FakeMcpServer, TempHome};
use serde_json::{Value, json};

use crate::setting::Setting;

/// The names and contents of an archive in which nothing is compressed.
fn names(archive: &[u8]) -> Vec<String> {
    let word = |at: usize| u32::from_le_bytes(archive[at..at + 4].try_into().unwrap()) as usize;
    let mut names = Vec::new();
    let mut at = 0;
    while archive[at..].starts_with(b"PK\x03\x04") {
        let name = usize::from(archive[at + 26]);
        names.push(String::from_utf8(archive[at + 30..at + 30 + name].to_vec()).unwrap());
        at += 30 + name + word(at + 18);
    }
    names
}

/// Runs a script of the package, in its folder.
fn node(package: &Path, words: &[&str]) -> String {
    let run = Command::new("node").args(words).current_dir(package).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{words:?}: {said}{}", String::from_utf8_lossy(&run.stderr));
    said
}

#[test]
fn fh_h5_a_bundle_is_what_its_format_says_and_leads_to_the_server() {
    let Some(package) = real_or_skip(mcpb()) else { return };
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let secret = setting.home.secret("in the entry");
    let entry = json!({
        "type": "http", "url": server.url().as_str(), "timeout": 90000,
        "headers": {"Authorization": format!("Bearer {secret}"), "X-Team": "${TEAM}"},
    });
    let setting = setting.with("tickets", entry);
    // In a folder of its own, which no run is watched in: the program is large.
    let out = TempHome::new().unwrap();
    let file = out.project().join("t.mcpb");
    let line = ["wrap", "claude-desktop", "tickets", "--mcpb", file.to_str().unwrap()];
    let output = setting.run(&line, 0);
    assert!(output.stdout.contains("asks for TICKETS_AUTHORIZATION when it is installed"), "{output}");
    assert!(output.stderr.contains("timeout of tickets is not in it"), "{output}");
    let archive = fs::read(&file).unwrap();
    assert_eq!(names(&archive), ["manifest.json", "server/mcplink"]);
    assert!(setting.run(&line, 2).stderr.contains("is there already"));
    assert!(fs::read(&file).unwrap() == archive, "a file that is there is not replaced unasked");

    let unpacked = out.root().join("unpacked");
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let _ = node(&package, &["dist/cli/cli.js", "unpack", &text(&file), &text(&unpacked)]);
    let manifest = unpacked.join("manifest.json");
    assert!(!fs::read_to_string(&manifest).unwrap().contains(&secret));
    let said = node(&package, &["dist/cli/cli.js", "validate", &text(&manifest)]);
    assert!(said.contains("passes") || said.contains("valid"), "{said}");

    // What the host makes of it, with what a person has typed.
    let typed = json!({"TICKETS_AUTHORIZATION": "typed-1", "TEAM": "blue"});
    let script = "const [folder, typed] = process.argv.slice(1); const {getMcpConfigForManifest} = await import('./dist/node.js');
        const manifest = JSON.parse(require('fs').readFileSync(folder + '/manifest.json'));
        console.log(JSON.stringify(await getMcpConfigForManifest({manifest, extensionPath: folder, systemDirs: {},
            userConfig: JSON.parse(typed), pathSeparator: '/'})));";
    let script = script.replace("require('fs')", "(await import('fs'))");
    let made = node(&package, &["--input-type=module", "-e", &script, &text(&unpacked), &typed.to_string()]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let words: Vec<&str> =
        made["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let host =
        json!({"mcpServers": {"tickets": {"command": made["command"], "args": words, "env": made["env"]}}});
    let other = Setting::new();
    let found = other
        .run(&["--mcp-config", &host.to_string(), "--strict-mcp-config", "tools", "tickets", "--json"], 0);
    assert!(!found.json()["tools"].as_array().unwrap().is_empty(), "{found}");
    let asked = server.requests();
    let last = asked.last().unwrap();
    assert_eq!(last.header("authorization"), Some("Bearer typed-1"));
    assert_eq!(last.header("x-team"), Some("blue"));
}

#[test]
fn fh_h5_a_bundle_whose_whole_url_is_asked_for_reaches_its_server() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let secret = setting.home.secret("in the address");
    let url = format!("{}?key={secret}", server.url());
    let setting = setting.with("web", json!({"type": "http", "url": url}));
    let out = TempHome::new().unwrap();
    let file = out.project().join("w.mcpb");
    let line = ["--json", "wrap", "claude-desktop", "web", "--mcpb", file.to_str().unwrap()];
    let made = setting.run(&line, 0).json();
    let words: Vec<&str> =
        made["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(words, ["bridge", "${env:WEB_URL}"]);
    // As every other command takes it.
    let elsewhere = Setting::new();
    let ping = elsewhere.mcplink(&["ping", words[1]]).env("WEB_URL", &url).run().expect_code(0);
    assert!(!format!("{}{}", ping.stdout, ping.stderr).contains(&secret), "{ping}");
    assert!(!server.requests().is_empty());
    let unset = elsewhere.mcplink(&["status", words[1]]).run();
    assert!(format!("{}{}", unset.stdout, unset.stderr).contains("WEB_URL is not set"), "{unset}");
}

#[test]
fn fh_h5_what_makes_no_bundle_is_said_and_nothing_is_written() {
    let setting = Setting::of("local", json!({"command": "x"}));
    let mut setting = setting;
    setting.write("web", json!({"type": "http", "url": "https://h.example/mcp"}));
    setting.write("helped", json!({"type": "http", "url": "https://h.example/mcp", "headersHelper": "x"}));
    for (line, says) in [
        (
            &["wrap", "claude-desktop", "helped", "--mcpb", "x.mcpb"][..],
            "made on this machine, by `headersHelper`",
        ),
        (&["wrap", "claude-desktop", "local", "--mcpb", "x.mcpb"], "a bundle leads to a remote server"),
        (&["wrap", "cursor", "web", "--mcpb", "x.mcpb"], "Cursor does not install bundles"),
        (&["wrap", "claude-desktop", "web", "local", "--mcpb", "x.mcpb"], "a bundle is of one server"),
        (&["wrap", "claude-desktop", "wbe", "--mcpb", "x.mcpb"], "did you mean \"web\"?"),
        (&["wrap", "claude-desktop", "web", "--mcpb", "none/x.mcpb"], "could not write"),
    ] {
        let output = setting.run(line, if says == "could not write" { 1 } else { 2 });
        assert!(output.stderr.contains(says), "{line:?}: {output}");
    }
    let dry =
        setting.run(&["wrap", "claude-desktop", "web", "--mcpb", "x.mcpb", "--dry-run", "--json"], 0).json();
    assert_eq!(dry["args"], json!(["bridge", "https://h.example/mcp"]));
    assert_eq!((&dry["dryRun"], &dry["asks"]), (&json!(true), &json!([])));
    assert!(!setting.home.project().join("x.mcpb").exists());
}
