//! A decision is about what was shown, and a person at a terminal makes it by an answer to the question.

use mcp_harness::{Mcplink, Output};
use serde_json::{Value, json};

use crate::setting::Setting;

const SETTINGS: &str = r#"{"enableAllProjectMcpServers": true}"#;

/// An entry that leaves a mark when it runs.
fn marking() -> Value {
    json!({ "command": "sh", "args": ["-c", "touch \"$HOME/PWNED\""] })
}

fn has_run(setting: &Setting) -> bool {
    setting.home.home().join("PWNED").exists()
}

/// What a later change of a repository brings: an entry, and the setting that approves it.
fn pull(setting: &Setting, settings: &str, entry: Value) {
    setting.home.write_project(".claude/settings.json", settings).unwrap();
    setting.home.write_project(".mcp.json", json!({ "mcpServers": { "db": entry } }).to_string()).unwrap();
}

/// Every way of a folder's own settings to approve `db`.
const APPROVING: [&str; 2] = [SETTINGS, r#"{"enabledMcpjsonServers": ["db"]}"#];

#[track_caller]
fn does_not_run(setting: &Setting) {
    for command in [&["status"][..], &["tools", "db"], &["call", "db", "x"], &["reconnect", "db"]] {
        let _ = setting.mcplink(command).run();
        assert!(!has_run(setting), "{command:?}");
    }
    assert_eq!(setting.status("db")["reason"]["code"], "awaiting-approval");
}

/// Answers the question of a command that runs on a terminal.
fn answer(command: Mcplink<'_>, answer: &str) -> Output {
    let mut running = command.start();
    running.wait_for_stdout("the question", |shown| shown.contains("[y/N]"));
    running.write(answer).unwrap();
    running.close_stdin();
    running.wait()
}

#[test]
fn s_k8_settings_that_come_after_trust_approve_nothing() {
    for settings in APPROVING {
        let setting = Setting::new();
        setting.run(&["trust", "--yes"], 0);
        pull(&setting, settings, marking());
        does_not_run(&setting);
        setting.run(&["trust", "--yes"], 0);
        let _ = setting.mcplink(&["status"]).run();
        assert!(has_run(&setting), "what is trusted again runs, so the test would notice");
    }
}

#[test]
fn s_k8_settings_that_come_after_another_tools_trust_was_met_approve_nothing() {
    for settings in APPROVING {
        let setting = Setting::new();
        let project = setting.home.project();
        let accepted =
            json!({ "projects": { project.to_str().unwrap(): { "hasTrustDialogAccepted": true } } });
        setting.home.write(".claude.json", accepted.to_string()).unwrap();
        let _ = setting.mcplink(&["status"]).run();
        pull(&setting, settings, marking());
        does_not_run(&setting);
    }
}

#[test]
fn s_k8_an_entry_that_joins_those_that_trust_approved_is_not_approved() {
    let setting = Setting::new();
    pull(&setting, SETTINGS, json!({ "command": "true" }));
    setting.run(&["trust", "--yes"], 0);
    let both = json!({ "mcpServers": { "db": { "command": "true" }, "more": marking() } });
    setting.home.write_project(".mcp.json", both.to_string()).unwrap();
    let _ = setting.mcplink(&["status"]).run();
    assert!(!has_run(&setting));
    assert_eq!(setting.status("more")["reason"]["code"], "awaiting-approval");
    assert_ne!(setting.status("db")["status"], "pending");
}

#[test]
fn s_p1_trust_shows_the_commands_that_the_folders_settings_approve() {
    let setting = Setting::new();
    pull(
        &setting,
        r#"{"enabledMcpjsonServers": ["db"], "enableAllProjectMcpServers": true,
        "allowedMcpServers": [{"serverName": "db"}], "deniedMcpServers": [{"serverName": "x"}]}"#,
        marking(),
    );
    let document = setting.run(&["trust", "--json", "--yes"], 0).json();
    assert_eq!(document["servers"][0]["name"], "db", "{document:#}");
    let allowed = document["servers"][0]["allowed"].as_array().unwrap();
    assert!(allowed.contains(&json!({ "field": "command", "value": "sh" })), "{allowed:?}");
    setting.run(&["untrust"], 0);
    let output = setting.run(&["trust", "--yes"], 0);
    for shown in [
        "approves:",
        "touch \"$HOME/PWNED\"",
        "enabledMcpjsonServers of ",
        "enableAllProjectMcpServers of ",
        "allowedMcpServers of ",
        "deniedMcpServers of ",
    ] {
        assert!(output.stdout.contains(shown), "{shown}: {output}");
    }
}

#[test]
fn s_k1_what_changes_while_the_question_of_trust_waits_is_not_agreed_to() {
    let setting = Setting::new();
    let Some(trust) = setting.on_a_terminal(&["trust"]) else { return };
    let mut running = trust.start();
    running.wait_for_stdout("the question", |shown| shown.contains("[y/N]"));
    pull(&setting, SETTINGS, marking());
    running.write("y\n").unwrap();
    running.close_stdin();
    running.wait().expect_code(0);
    does_not_run(&setting);
}

#[test]
fn s_n14_what_was_typed_before_the_question_decides_nothing() {
    for command in [["approve", "db"].as_slice(), &["trust"]] {
        let setting = Setting::new();
        pull(&setting, SETTINGS, marking());
        let program = mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink"));
        // The terminal holds the line back until the program that asks is there.
        let line = format!("echo ready; sleep 1; exec {program} {}", command.join(" "));
        let Some(shell) = setting.shell_on_a_terminal(&line) else { return };
        let mut running = shell.start();
        running.wait_for_stdout("the shell", |shown| shown.contains("ready"));
        running.write("y\n").unwrap();
        running.wait_for_stdout("the question", |shown| shown.contains("[y/N]"));
        running.write("\n").unwrap();
        running.close_stdin();
        running.wait().expect_code(3);
        assert_eq!(setting.status("db")["reason"]["code"], "awaiting-approval", "{command:?}");
    }
}

#[test]
fn s_n14_an_answer_decides_and_nothing_else_does() {
    for (typed, code) in [("y\n", 0), ("YES\n", 0), ("\n", 3), ("n\n", 3), ("yesterday\n", 3)] {
        let setting = Setting::new();
        pull(&setting, "{}", marking());
        let Some(approve) = setting.on_a_terminal(&["approve", "db"]) else { return };
        let output = answer(approve, typed).expect_code(code);
        // A person who said no is not told to say yes.
        assert_eq!(output.stdout.contains("the answer was no"), typed == "n\n", "{output}");
        assert_eq!(
            output.stdout.contains("next: answer y"),
            !["y\n", "YES\n", "n\n"].contains(&typed),
            "{output}"
        );
        let _ = setting.mcplink(&["status"]).run();
        assert_eq!(has_run(&setting), code == 0, "{typed:?}");
    }
}

#[test]
fn s_n14_a_person_is_asked_wherever_the_output_goes_and_whatever_the_terminal_draws() {
    let program = mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink"));
    for line in [format!("{program} approve db | cat"), format!("TERM=dumb {program} approve db")] {
        let setting = Setting::new();
        pull(&setting, "{}", marking());
        let Some(shell) = setting.shell_on_a_terminal(&line) else { return };
        let _ = answer(shell, "n\n");
        assert_eq!(setting.status("db")["reason"]["code"], "awaiting-approval", "{line}");
    }
}

#[test]
fn s_p1_no_line_end_hides_what_a_shell_would_run() {
    for end in ["\n", "\r\n", "\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}"] {
        let script = format!("true # harmless{end}touch X");
        let setting =
            Setting::new().project_file(json!({ "db": { "command": "sh", "args": ["-c", script] } }));
        let shown = setting.run(&["approve", "db", "--yes"], 0).stdout;
        assert!(shown.contains("harmless ⏎ touch X"), "{end:?}: {shown}");
    }
}

#[test]
fn s_p1_variables_that_decide_what_runs_are_shown_and_secrets_are_not() {
    let shown = [
        ("LD_PRELOAD", "evil.so"),
        ("DYLD_INSERT_LIBRARIES", "evil.dylib"),
        ("NODE_OPTIONS", "--require=evil.js"),
        ("PYTHONSTARTUP", "evil.py"),
        ("ld_audit", "evil-audit.so"),
        ("GIT_SSH", "./evil-ssh"),
        ("npm_config_registry", "https://evil.example/npm"),
        ("EDITOR", "sh -c evil-editor"),
        ("PLUGIN", "C:\\evil\\plugin"),
    ];
    let hidden = [
        ("PLAIN", "opaque-canary-1"),
        ("API_TOKEN", "/looks/like/a/path-canary-2"),
        ("DB_PASSWORD", "two words-canary-3"),
    ];
    let env: serde_json::Map<_, _> =
        shown.iter().chain(&hidden).map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let setting = Setting::new().project_file(json!({ "db": { "command": "true", "env": env } }));
    let output = setting.run(&["approve", "db", "--yes"], 0).stdout;
    for (name, value) in shown {
        assert!(output.contains(value), "{name}: {output}");
    }
    assert!(!output.contains("canary"), "{output}");
}

#[test]
fn s_p1_a_helper_that_is_told_of_credentials_in_an_address_is_shown_with_that() {
    let entry = |url: &str| json!({ "type": "http", "url": url, "headersHelper": "./helper" });
    for (url, is_told) in [
        ("https://x.example/mcp", false),
        ("https://x.example/mcp?", false),
        ("https://x.example/mcp?key=canary", true),
        ("https://me:canary@x.example/mcp", true),
        ("https://me@x.example/mcp", true),
    ] {
        let setting = Setting::new().project_file(json!({ "db": entry(url) }));
        for line in [&["approve", "db"][..], &["trust"]] {
            let output = setting.run(line, 3);
            assert_eq!(output.stdout.contains("and the whole address"), is_told, "{url}: {output}");
            assert!(!output.to_string().contains("canary"), "{output}");
        }
    }
}

#[test]
fn s_k4_a_name_with_what_is_not_seen_is_shown_and_run_as_another_name() {
    for (name, shown, word) in [
        ("db\u{200b}", r#""db\u200b""#, r"$'db\xe2\x80\x8b'"),
        ("db ", r#""db ""#, "'db '"),
        ("db\u{202e}", r#""db\u202e""#, r"$'db\xe2\x80\xae'"),
        ("d\u{a0}b", r#""d\u00a0b""#, r"$'d\xc2\xa0b'"),
    ] {
        let setting =
            Setting::new().project_file(json!({ "db": { "command": "true" }, name: { "command": "true" } }));
        setting.run(&["reject", "db"], 0);
        assert_eq!(setting.status(name)["reason"]["next"], format!("mcplink approve {word}"));
        for command in [&["list"][..], &["status"], &["get", name], &["approve", name, "--yes"]] {
            let output = setting.mcplink(command).run();
            assert!(output.stdout.contains(shown), "{command:?}: {output}");
        }
        assert!(setting.run(&["validate"], 0).stdout.contains("not seen"), "{name:?}");
        // What is printed is what a shell makes the name of.
        if let Some(shell) = setting
            .shell_on_a_terminal(&format!("bash -c {}", mcp_text::shell_word(&format!("printf %s {word}"))))
        {
            assert_eq!(shell.run().stdout, name);
        }
    }
}

/// What is cut is not agreed to by a y: the part that decides may be in it.
#[test]
fn s_p1_what_is_too_long_to_show_is_not_asked_about() {
    let setting = Setting::new();
    let mut args = vec!["x".repeat(50); 100];
    args.push("--require=./evil.js".to_owned());
    pull(&setting, "{}", json!({ "command": "node", "args": args }));
    let Some(asking) = setting.on_a_terminal(&["approve", "db"]) else { return };
    let said = asking.run().stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("longer than can be shown") && !said.contains("[y/N]"), "{said}");
    let read = said.split_once("next: read ").expect("where to read it").1;
    assert!(read.contains(".mcp.json") && read.contains("mcplink approve db --yes=sha256:"), "{read}");
    assert_eq!(setting.status("db")["reason"]["code"], "awaiting-approval");
    // A person who has read it says so.
    setting.run(&["approve", "db", "--yes"], 0);
    // What decides stands last, next to the question, and what is hidden before it.
    let mut env = serde_json::Map::new();
    (0..20).for_each(|number| drop(env.insert(format!("Z{number}"), json!("canary"))));
    env.insert("LD_PRELOAD".to_owned(), json!("./evil.so"));
    pull(&setting, "{}", json!({ "command": "node", "env": env }));
    let shown = setting.run(&["approve", "db"], 3).stdout;
    let at = |word: &str| shown.find(word).unwrap_or_else(|| panic!("{word}: {shown}"));
    assert!(at("env.LD_PRELOAD") > at("env.Z19") && !shown.contains("canary"), "{shown}");
}

/// A script, or a model that runs a command to see what comes, agrees to nothing by the way.
#[test]
fn s_n14_without_a_person_only_a_yes_of_the_command_line_agrees() {
    let setting = Setting::new();
    pull(&setting, SETTINGS, marking());
    let code = || setting.status("db")["reason"]["code"].clone();
    for command in [&["approve", "db"][..], &["trust"]] {
        for more in [&[][..], &["--non-interactive"], &["--json"], &["--yes=sha256:00"]] {
            let asked = [command, more].concat();
            let output = setting.run(&asked, 3);
            let said = if more == ["--json"] { "\"not-confirmed\"" } else { "is not" };
            assert!(output.stderr.contains(said), "{asked:?}: {output}");
            assert!(
                output.stderr.contains(&format!("mcplink {} --yes=sha256:", command.join(" "))),
                "{output}"
            );
            assert!(output.stdout.contains("touch"), "{asked:?}: what it would allow is shown: {output}");
            assert_eq!(code(), "awaiting-approval", "{asked:?}");
        }
    }
    // What was shown is what is agreed to, by its digest, and nothing that came in its place.
    for command in ["approve db", "trust"] {
        let setting = Setting::new();
        pull(&setting, SETTINGS, marking());
        let words: Vec<&str> = command.split(' ').collect();
        let seen = setting.run(&[&words[..], &["--json"]].concat(), 3);
        let yes = format!("--yes={}", seen.json()["digest"].as_str().unwrap());
        assert!(seen.stderr.contains(&format!("mcplink {command} {yes}")), "{seen}");
        pull(&setting, SETTINGS, json!({ "command": "sh", "args": ["-c", "touch other"] }));
        let refused = setting.run(&[&words[..], &[&yes]].concat(), 3).stderr;
        assert!(refused.contains("not what --yes=DIGEST is about"), "{refused}");
        assert_eq!(setting.status("db")["reason"]["code"], "awaiting-approval", "{command}");
        pull(&setting, SETTINGS, marking());
        setting.run(&[&words[..], &[&yes]].concat(), 0);
        let _ = setting.mcplink(&["status"]).run();
        assert!(has_run(&setting), "{command}: what was agreed to runs");
    }
    let several = setting.run(&["approve", "db", "other", "--yes=sha256:00"], 2).stderr;
    assert!(several.contains("--yes=DIGEST is about one server"), "{several}");
}
