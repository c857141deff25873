//! Files that cannot be understood and entries that cannot be used, beside every command.

use std::collections::BTreeSet;

use mcp_testkit::{FakeMcpServer, FakeTool};
use serde_json::json;

use crate::setting::{Setting, http};

/// The verbs of the program, as its help lists them.
pub(crate) fn verbs(setting: &Setting) -> BTreeSet<String> {
    let help = setting.run(&["--help"], 0).stdout;
    let verb = |line: &str| {
        let rest =
            line.strip_prefix("  ").filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))?;
        rest.split("  ").next().map(|word| word.trim().to_owned())
    };
    let verbs: BTreeSet<String> = help.lines().filter_map(verb).collect();
    assert!(verbs.contains("support-bundle") && verbs.len() > 40, "{verbs:?}");
    verbs
}

/// One mechanism for all commands: what only tells what there is ends with 2, what acts on a server that is found ends as
/// that does, and both name the file.
#[test]
fn fa_a50_each_command_names_a_file_that_cannot_be_understood() {
    /// What a command makes of the file: names it and ends with 2, names it and ends as it would without, or does not need it.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Needs {
        Told,
        Named,
        Nothing,
    }
    use Needs::{Named, Nothing, Told};
    let server = FakeMcpServer::start().unwrap();
    let url = format!("{}/other", server.url());
    let other = format!("{{\"url\": \"{url}\"}}");
    let commands: &[(&[&str], Needs)] = &[
        (&["list"], Told),
        (&["status"], Told),
        (&["status", "good"], Told),
        (&["status", "good", "--offline"], Told),
        (&["menu"], Told),
        (&["doctor", "good"], Told),
        (&["get", "good"], Told),
        (&["ps"], Told),
        (&["hosts"], Told),
        (&["accounts"], Told),
        (&["accounts", "good"], Told),
        (&["headers", "good"], Told),
        (&["logs"], Told),
        (&["logs", "good"], Told),
        (&["paths"], Told),
        (&["validate"], Told),
        (&["reset", "--all"], Told),
        (&["reconnect", "--all"], Told),
        (&["reset", "good"], Named),
        (&["reconnect", "good"], Named),
        (&["wait", "good"], Named),
        (&["logout", "good"], Named),
        (&["tools", "good"], Named),
        (&["call", "good", "echo", "text=x"], Named),
        (&["resources", "good"], Named),
        (&["prompts", "good"], Named),
        (&["ping", "good"], Named),
        (&["disable", "good"], Named),
        (&["enable", "good"], Named),
        (&["add", "more", &url, "--no-check"], Named),
        (&["add-json", "most", &other, "--no-check"], Named),
        (&["remove", "most", "more"], Named),
        (&["import", "--dry-run"], Named),
        (&["wrap", "cursor", "--all", "--dry-run"], Named),
        (&["support-bundle", "--yes", "-o", "bundle.txt"], Named),
        (&["stop", "--all"], Nothing),
        (&["untrust"], Nothing),
        (&["schema"], Nothing),
        (&["completions", "bash"], Nothing),
        (&["man"], Nothing),
        (&["version"], Nothing),
        (&["secret", "list"], Nothing),
        (&["help", "list"], Nothing),
    ];
    // These fail here with any file, or have no end; their own tests name the file.
    let others = [
        "login",
        "approve",
        "reject",
        "trust",
        "approve-tools",
        "read",
        "prompt",
        "complete",
        "bridge",
        "demo",
        "unwrap",
        "auth-plugin",
    ];
    let setting = Setting::new();
    setting.home.write(".cursor/mcp.json", format!("{{\"mcpServers\": {{\"theirs\": {other}}}}}")).unwrap();
    let own = json!({ "mcpServers": { "good": http(&server) } });
    let known: BTreeSet<String> =
        commands.iter().map(|(words, _)| words[0]).chain(others).map(str::to_owned).collect();
    let missing: Vec<String> = verbs(&setting).difference(&known).cloned().collect();
    assert_eq!(missing, [""; 0], "each command has a row");

    for broken in ["", "{\"mcpServers\": {\n  \"x\": ", "[1]", "a folder"] {
        setting.home.write(".config/mcplink/mcp.json", own.to_string()).unwrap();
        let path = setting.home.project().join(".mcp.json");
        drop(std::fs::remove_file(setting.home.project().join("bundle.txt")));
        match broken {
            "" => {}
            "a folder" => {
                std::fs::remove_file(&path).unwrap();
                std::fs::create_dir(&path).unwrap();
            }
            text => std::fs::write(&path, text).unwrap(),
        }
        for (command, needs) in commands {
            let is_told = *needs == Told && !broken.is_empty();
            let output = setting.run(command, if is_told { 2 } else { 0 });
            let all = format!("{}{}", output.stdout, output.stderr);
            let is_named =
                all.lines().any(|line| line.contains(".mcp.json:") || line.contains(".mcp.json cannot"));
            assert_eq!(is_named, *needs != Nothing && !broken.is_empty(), "{broken:?} {command:?}: {output}");
            let errors = output.stderr.matches("error: ").count();
            assert!(errors <= 1, "{broken:?} {command:?}: named once: {output}");
            let acts = ["call", "tools", "ping", "wait", "logout", "disable", "enable"].contains(&command[0]);
            if broken.starts_with('[') && acts {
                let output = setting.run(&[command, &["--json"][..]].concat(), 0);
                let lines: Vec<serde_json::Value> =
                    output.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                let is_told = |line: &serde_json::Value| {
                    line["warning"]["code"] == "invalid-config"
                        && line["warning"]["message"].as_str().unwrap().contains(".mcp.json:")
                };
                assert!(lines.len() == 1 && lines.iter().all(is_told), "{command:?}: {output}");
                let quiet = setting.run(&[command, &["--json", "--quiet"][..]].concat(), 0);
                assert_eq!(quiet.stderr, "", "{command:?}: {quiet}");
            }
            if broken.starts_with('[') && *needs == Told {
                let output = setting.run(&[command, &["--json"][..]].concat(), 2);
                let document: serde_json::Value = output.json();
                let errors: Vec<serde_json::Value> =
                    output.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                let is_in = document["problems"].to_string().contains(".mcp.json");
                let is_error = |error: &serde_json::Value| error["error"]["code"] == "invalid-config";
                assert!(is_in || errors.iter().any(is_error), "{command:?}: {output}");
                assert!(errors.len() <= 1, "{command:?}: {output}");
                let quiet = setting.run(&[command, &["--quiet"][..]].concat(), 2);
                let all = format!("{}{}", quiet.stdout, quiet.stderr);
                assert!(
                    all.contains(".mcp.json"),
                    "an error is told whatever else is not: {command:?}: {quiet}"
                );
            }
        }
    }
}

/// An entry with an error fails the commands that show or use it, and no others.
#[test]
fn fa_a50_each_command_that_is_about_an_entry_with_an_error_ends_with_2() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("good", http(&server)).with("bad", json!({ "type": "http", "url": 5 }));
    for (commands, code) in [
        (
            &[
                &["list"][..],
                &["status"],
                &["status", "--offline"],
                &["status", "bad"],
                &["doctor"],
                &["doctor", "bad"],
                &["get", "bad"],
                &["validate"],
                &["tools", "bad"],
                &["call", "bad", "x"],
                &["ping", "bad"],
                &["resources", "bad"],
                &["prompts", "bad"],
                &["read", "bad", "x:y"],
                &["prompt", "bad", "x"],
                &["reconnect", "bad"],
                &["reconnect", "--all"],
                &["wait", "bad"],
                &["login", "bad"],
                &["headers", "bad"],
            ][..],
            2,
        ),
        (
            &[
                &["status", "good"][..],
                &["get", "good"],
                &["doctor", "good"],
                &["ping", "good"],
                &["headers", "good"],
                &["ps"],
                &["hosts"],
                &["accounts"],
                &["paths"],
                &["logs"],
                &["reset", "--all"],
                &["reset", "bad"],
                &["disable", "bad"],
                &["status"],
                &["list"],
                &["enable", "bad"],
                &["remove", "bad", "--scope", "user"],
                &["list"],
            ],
            0,
        ),
    ] {
        for command in commands {
            setting.run(command, code);
        }
    }
}

/// Where nothing can be kept, what only looks or calls works, and what writes says why it cannot in words of this program.
#[test]
fn fh_h15_without_a_place_to_write_looks_and_calls_work_and_the_rest_says_why() {
    let server = FakeMcpServer::builder().tool(FakeTool::echo()).start().unwrap();
    let setting = Setting::new();
    let url = server.url().to_string();
    let nowhere = [
        "HOME",
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
        "XDG_CACHE_HOME",
        "MCPLINK_STATE_DIR",
        "CLAUDE_CONFIG_DIR",
    ];
    // No home, and one in which nothing can be made by any account.
    for (home, why, code) in [("", "set ", 2), ("/proc/no-home", "could not ", 1)] {
        let run = |command: &[&str]| {
            let mcplink = setting.mcplink(command);
            nowhere.iter().fold(mcplink, |mcplink, name| mcplink.env(*name, home)).run()
        };
        for command in [&["status", &url][..], &["call", &url, "echo", "text=x"], &["doctor", &url], &["ps"]]
        {
            run(command).expect_code(0);
        }
        for command in [&["add", "x", &url, "--no-check"][..], &["trust", "--yes"]] {
            let refused = run(command).expect_code(code).stderr;
            assert!(refused.contains(why) && !refused.contains("os error"), "{home:?}: {refused}");
        }
    }
}

/// What looks like having no servers says why they were not looked for.
#[test]
fn fh_h15_without_a_home_a_look_says_that_no_file_was_looked_for() {
    let setting = Setting::new();
    for command in ["status", "list", "validate"] {
        let output =
            setting.mcplink(&[command]).env("HOME", "").env("CLAUDE_CONFIG_DIR", "").run().expect_code(0);
        let all = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(all.matches("HOME: is not set").count(), 1, "{command}: {output}");
        let all = setting.run(&[command], 0).to_string();
        assert!(!all.contains("HOME"), "{all}");
    }
}

/// A server may be lost because the object of all servers is written once more: that is the reason, and not its name.
#[test]
fn a_name_that_a_doubled_object_hides_is_told_with_that() {
    let setting = Setting::new();
    let text = "{\"mcpServers\": {\"x\": {\"command\": \"x\"}},\n \"mcpServers\": {}}";
    setting.home.write(".config/mcplink/mcp.json", text).unwrap();
    for command in ["status", "get", "ping"] {
        let refused = setting.run(&[command, "x"], 2).stderr;
        assert!(refused.contains("is written twice"), "{command}: {refused}");
        assert!(refused.contains("next: correct line 1 of "), "{command}: {refused}");
    }
}
