//! A local server is a process: what keeps it from starting, how long it may take, what it says, and that it is started
//! again. Each case is a report of the field, named by its number in `docs/field-failures.md`.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mcp_harness::Running;
use serde_json::{Value, json};

use crate::local::{SERVER, shell};
use crate::setting::{Setting, row};

/// A server that notes each start in `$HOME/starts`.
fn counted(then: &str) -> Value {
    shell(&format!("echo $$ >>\"$HOME/starts\"\n{then}"))
}

fn starts(setting: &Setting) -> Vec<u32> {
    let text = std::fs::read_to_string(setting.home.home().join("starts")).unwrap_or_default();
    text.lines().map(|pid| pid.parse().unwrap()).collect()
}

fn message(row: &Value) -> String {
    row["reason"]["message"].as_str().unwrap_or_default().to_owned()
}

/// A file in the project that may be executed.
fn program(setting: &Setting, name: &str, text: &str) -> PathBuf {
    let path = setting.home.write_project(name, text).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

#[test]
fn fa_a1_a2_a4_a5_a6_a7_a10_fh_h14_a_command_that_cannot_be_started_says_what_is_wrong() {
    let setting = Setting::new();
    setting.home.write_project("plain", "x").unwrap();
    setting.home.write_project("script", "#!/bin/sh\n").unwrap();
    program(&setting, "gone", "#!/opt/gone/python\n");
    program(&setting, "crlf", "#!/bin/sh\r\nexit\r\n");
    program(&setting, "bare", "echo\n");
    let tool = setting.home.write(".local/bin/some-tool", "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755)).unwrap();
    let cases = [
        (
            "absent",
            json!({"command": "npx-not-there"}),
            "`npx-not-there` is in no folder of its PATH (/usr/local/bin /usr/bin /bin)",
        ),
        ("elsewhere", json!({"command": "some-tool"}), "some-tool`: write that as `command`"),
        ("tilde", json!({"command": "~/bin/s"}), "`~` is not expanded; write `${HOME}`"),
        ("line", json!({"command": "python3 srv.py"}), r#"write "command": "python3", "args": ["srv.py"]"#),
        ("variable", json!({"command": "$HOME/s"}), "`$HOME` is not expanded; write `${HOME}`"),
        (
            "windows",
            json!({"command": "cmd", "args": ["/c", "npx", "-y", "x"]}),
            r#"here, write "command": "npx""#,
        ),
        ("ending", json!({"command": "npx.cmd"}), "here it is `npx`"),
        ("url", json!({"command": "https://h.example/mcp"}), "`command` is a URL"),
        ("plain", json!({"command": "./plain"}), "may not be executed, and has no `#!` line"),
        ("script", json!({"command": "./script"}), "chmod +x"),
        ("folder", json!({"command": "/usr"}), "`/usr` is a folder"),
        ("interpreter", json!({"command": "./gone"}), "asks for `/opt/gone/python`, which is not there"),
        ("line-ends", json!({"command": "./crlf"}), "save it with LF"),
        ("bare", json!({"command": "./bare"}), "has no `#!` line"),
    ];
    let setting = cases.iter().fold(setting, |setting, (name, entry, _)| setting.with(name, entry.clone()));
    let document = setting.run(&["status", "--json"], 4).json();
    for (name, _, expected) in cases {
        let row = row(&document, name);
        assert_eq!(row["reason"]["code"], "spawn", "{name}: {row:#}");
        let message = message(&row);
        assert!(message.starts_with("the command could not be started: "), "{name}: {message}");
        assert!(message.contains(expected) && !message.contains("os error"), "{name}: {message}");
        let next = row["reason"]["next"].as_str().unwrap();
        let is_field = |field: &str| {
            next.starts_with(&format!("correct `{field}` of {name} in /")) && next.contains(".json:")
        };
        // The file is right, and what it may not do is not in the entry.
        let is_allowed =
            name == "script" && next.starts_with("chmod +x /") && next.ends_with("mcplink reconnect script");
        assert!(is_field("command") || is_field("cwd") || is_allowed, "{name}: {next}");
    }
}

#[test]
fn fa_a3_a8_a19_fc_c1_c2_c3_c4_a_command_that_ends_early_tells_the_line_that_decides() {
    let npm = "cat >&2 <<'X'\nnpm error code E404\nnpm error 404 Not Found - GET https://r.example/nope - Not found\n\
               npm error A complete log of this run can be found in: /root/.npm/_logs/x.log\nX\nexit 1";
    let env = "printf '#!/usr/bin/env no-node\\n' >\"$HOME/s\"; chmod +x \"$HOME/s\"; \"$HOME/s\"";
    let cases = [
        (
            "tilde",
            json!({"command": "cat", "args": ["~/srv.py"]}),
            "in its argument `~/srv.py`, `~` is not expanded",
        ),
        ("env", shell(env), "code 127 while it started (what a shell was to run was not found): "),
        ("npm", shell(npm), "code 1 while it started: npm error 404 Not Found - GET https://r.example/nope"),
        (
            "usage",
            shell("printf 'Usage: srv COMMAND\\n\\nCommands:\\n  run\\n' >&2; exit 2"),
            "it printed its help, so its arguments are not complete: Usage: srv COMMAND",
        ),
        ("silent", shell("exit 1"), "it was run as `sh -c 'exit 1'`"),
        (
            "python",
            shell(
                "printf 'Traceback (most recent call last):\\n  File \"a\"\\nAttributeError: no attribute x\\n' >&2; exit 1",
            ),
            "while it started: AttributeError: no attribute x",
        ),
        ("killed", shell("kill -9 $$"), "ended by SIGKILL while it started (another process killed it"),
        ("background", shell("sleep 20 & exit 0"), "a server has to stay in the foreground"),
    ];
    let setting =
        cases.iter().fold(Setting::new(), |setting, (name, entry, _)| setting.with(name, entry.clone()));
    let document = setting.run(&["status", "--json"], 4).json();
    for (name, _, expected) in cases {
        let row = row(&document, name);
        assert_eq!(row["reason"]["code"], "exited", "{name}: {row:#}");
        assert!(message(&row).contains(expected), "{name}: {}", message(&row));
    }
}

#[test]
fn fa_a17_a18_a_server_that_is_slow_is_started_once_and_what_it_printed_is_told() {
    let setting = Setting::of("s", counted("echo 'pulling image' >&2; sleep 60"));
    let output = setting.mcplink(&["status", "s", "--json"]).env("MCP_TIMEOUT", "1500").run();
    let row = row(&output.json(), "s");
    assert_eq!((&row["reason"]["code"], &row["reason"]["attempts"]), (&json!("timeout"), &json!(1)));
    let message = message(&row);
    assert!(message.contains("within 1500 ms") && message.contains("MCP_TIMEOUT"), "{message}");
    assert!(message.ends_with(": pulling image"), "{message}");
    assert_eq!(starts(&setting).len(), 1);
    let error = setting.mcplink(&["call", "s", "hello"]).env("MCP_TIMEOUT", "1500").run().expect_code(4);
    assert!(error.stderr.contains("pulling image"), "{}", error.stderr);
    assert_eq!(starts(&setting).len(), 2, "one for each command");
}

#[test]
fn fa_a17_an_entry_says_how_long_its_start_may_take_and_who_waits_hears_of_it() {
    let mut entry = counted(&format!("echo 'installing numpy' >&2; sleep 4\n{SERVER}"));
    entry["startupTimeoutMs"] = json!(60_000);
    let setting = Setting::of("s", entry);
    let output = setting.mcplink(&["call", "s", "hello"]).env("MCP_TIMEOUT", "1000").run().expect_code(0);
    assert_eq!(output.stdout, "hello\n");
    assert!(
        output.stderr.contains("s: starting for") && output.stderr.contains("installing numpy"),
        "{}",
        output.stderr
    );
    assert_eq!(output.stderr.matches("installing").count(), 1, "each thing once: {}", output.stderr);
    let mut entry = counted("echo 'installing' >&2; sleep 60");
    entry["startupTimeoutMs"] = json!(1000);
    let setting = Setting::of("s", entry);
    assert_eq!(setting.status("s")["reason"]["code"], "timeout");
    assert_eq!(starts(&setting).len(), 1);
    let late = setting.mcplink(&["status", "s", "--timeout", "500ms", "--json"]).run().expect_code(7);
    assert_eq!(row(&late.json(), "s")["status"], "pending");
}

#[test]
fn fa_a16_a_question_that_cannot_be_answered_is_told() {
    for stream in ["", ">&2"] {
        let setting = Setting::of("s", shell(&format!("printf 'Ok to proceed? (y) ' {stream}; sleep 60")));
        let output = setting.mcplink(&["status", "s", "--json"]).env("MCP_TIMEOUT", "1500").run();
        let message = message(&row(&output.json(), "s"));
        assert!(message.contains("\"Ok to proceed? (y)\", which cannot be answered here"), "{message}");
    }
}

#[test]
fn fa_a13_a14_a15_what_is_printed_before_the_first_message_is_passed_over() {
    let banner = "printf 'Server v1 ready\\n\\n'; echo '[dotenv@17] injecting env (3) from .env'\n\
                  echo '{\"level\":\"info\",\"msg\":\"up\"}'; echo '[]'; echo 'null'; echo 'done' >&2";
    let setting = Setting::of("s", shell(&format!("{banner}\n{SERVER}")));
    assert_eq!(setting.status("s")["status"], "connected");
    let noise = Setting::of("s", shell("while :; do echo '<html>'; done"));
    let row = noise.status("s");
    assert_eq!(row["reason"]["code"], "protocol");
    assert!(message(&row).contains("its standard output begins with `<html>`"), "{row:#}");
}

#[test]
fn fa_a28_what_get_hides_of_the_arguments_is_hidden_in_what_the_server_prints() {
    let setting = Setting::new();
    let secret = setting.home.secret("argument");
    let entry =
        json!({"command": "sh", "args": ["-c", "echo \"$*\" >&2; exit 1", "srv", "--api-key", secret]});
    let silent = json!({"command": "sh", "args": ["-c", "exit 1", "srv", "--api-key", secret]});
    let line = json!({"command": format!("srv --api-key {secret}")});
    let setting = setting.with("s", entry).with("silent", silent).with("line", line);
    // The harness fails each run that shows the secret.
    let config = ".claude.json";
    for arguments in [&["status"][..], &["status", "--json"], &["get", "s"], &["get", "line"]] {
        drop(setting.mcplink(arguments).may_hold_secrets(config).run());
    }
    for name in ["s", "silent", "line"] {
        drop(setting.mcplink(&["call", name, "x"]).may_hold_secrets(config).run().expect_code(4));
    }
}

/// Where it runs and how is what a failure is about.
#[test]
fn what_variables_say_of_a_path_a_host_or_a_mode_is_read_in_what_the_server_prints() {
    const SAID: &str = "error: cannot open /srv/data in production at db.corp.example for eu-west-1";
    let entry = |password: &str| {
        json!({"command": "sh", "args": ["-c", format!("echo '{SAID}' >&2; exit 1")], "env": {
            "LOG_LEVEL": "error", "NODE_ENV": "production", "DATA_DIR": "/srv/data", "DB_HOST": "db.corp.example",
            "AWS_REGION": "eu-west-1", "DB_PASSWORD": password }})
    };
    let seen = Setting::of("s", entry("none-of-it")).status("s");
    assert!(message(&seen).contains(SAID), "{seen:#}");
    let hidden = Setting::of("s", entry("/srv/data")).status("s");
    assert!(!message(&hidden).contains("/srv/data"), "what is a password as well is hidden: {hidden:#}");
}

/// A word that looks like any other is a password where the letter before it says so.
#[test]
fn fa_a28_a_word_behind_an_option_of_one_letter_is_hidden_wherever_it_comes_back() {
    let says = "echo \"wrong: $*\" >&2; exit 1";
    let setting = Setting::of(
        "letter",
        json!({"command": "sh", "args": ["-c", says, "srv", "-p", "hushhush"]}),
    )
    .with(
        "script",
        json!({"command": "sh", "args": ["-c", "v=hush; echo \"wrong: $v$v\" >&2; true -k hushhush; exit 1"]}),
    )
    .with("whole", json!({"command": "srv -p hushhush"}))
    .with("port", json!({"command": "sh", "args": ["-c", says, "srv", "-p", "5432"]}));
    for name in ["letter", "script", "whole", "port"] {
        for line in [
            &["status", name, "--json"][..],
            &["get", name],
            &["doctor", name],
            &["remove", name, "--dry-run", "--scope", "user"],
        ] {
            let output = setting.mcplink(line).run().to_string();
            assert!(!output.contains("hushhush"), "{line:?}: {output}");
            assert!(name != "port" || output.contains("5432"), "{line:?}: {output}");
        }
    }
}

#[test]
fn fa_a9_a26_the_environment_is_inherited_and_the_entrys_path_decides() {
    let setting = Setting::new();
    program(&setting, "bin/my-server", &format!("#!/bin/sh\n[ \"$OUTER\" = kept ] || exit 9\n{SERVER}"));
    let bin = setting.home.project().join("bin");
    let with = |path: String| json!({"command": "my-server", "env": {"PATH": path}});
    let setting = setting
        .with("appended", with(format!("{}:${{PATH}}", bin.display())))
        .with("literal", with(format!("{}:$PATH", bin.display())))
        .with("replaced", with("/nowhere".to_owned()));
    let status = setting.mcplink(&["status", "--json"]).env("OUTER", "kept").env("MCP_TIMEOUT", "3000");
    let document = status.run().json();
    assert_eq!(row(&document, "appended")["status"], "connected");
    // Found, and its `grep` and `head` are not: that is the server's story to tell.
    let literal = row(&document, "literal");
    assert!(literal["reason"]["code"].is_string() && literal["reason"]["code"] != "spawn", "{literal:#}");
    let replaced = row(&document, "replaced");
    assert!(
        message(&replaced).contains("`my-server` is in no folder of its PATH (/nowhere)"),
        "{replaced:#}"
    );
}

#[test]
fn fa_a11_a12_a27_values_of_another_type_are_told_by_their_place() {
    let setting = Setting::of("number", json!({"command": "x", "env": {"PORT": 8080}}))
        .with("null", json!({"command": "x", "env": {"A": null}}))
        .with("arg", json!({"command": "x", "args": ["-p", 8080, true]}))
        .with("string", json!({"command": "x", "args": "-y pkg"}))
        .with("itself", json!({"command": "x", "env": {"BASE": "/b", "DIR": "${BASE}/d"}}));
    let output = setting.mcplink(&["validate"]).run();
    let problems = format!("{}{}", output.stdout, output.stderr);
    for place in ["number.env.PORT", "null.env.A", "arg.args[1]", "string.args", "itself.env.DIR"] {
        assert!(problems.contains(place), "{place}: {problems}");
    }
    assert!(problems.contains("BASE"), "{problems}");
}

#[test]
fn fa_a20_a21_standard_input_ends_first_and_force_comes_last() {
    // As `docker run -i`: what it started ends with its input, and not with a signal.
    let polite =
        format!("trap 'echo signal >>\"$HOME/end\"; exit' TERM INT HUP\n{SERVER}\necho eof >>\"$HOME/end\"");
    let setting = Setting::of("s", shell(&polite));
    for arguments in [&["status"][..], &["call", "s", "hello"], &["reconnect", "s"]] {
        setting.run(arguments, 0);
        let file = setting.home.home().join("end");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "eof\n", "{arguments:?}");
        std::fs::remove_file(file).unwrap();
    }
    // One that ignores both is gone all the same; the harness looks for it.
    let stubborn =
        Setting::of("s", shell(&format!("trap '' TERM INT HUP\n{SERVER}\nwhile :; do sleep 1; done")));
    let began = Instant::now();
    stubborn.run(&["status"], 0);
    assert!(began.elapsed() < Duration::from_secs(20));
}

/// A host with a bridge.
struct Host<'a> {
    bridge: Running<'a>,
    id: u64,
}

impl<'a> Host<'a> {
    fn open(setting: &'a Setting, name: &str) -> Self {
        let mut host = Self { bridge: setting.mcplink(&["bridge", name]).start(), id: 0 };
        let who = json!({"name": "host", "version": "1"});
        host.ask(
            "initialize",
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": who}),
        );
        host.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        host
    }

    fn say(&mut self, message: &Value) {
        self.bridge.write(format!("{message}\n")).unwrap();
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        let id = self.id;
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let answer = move |text: &str| {
            let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            messages.into_iter().find(|message| message["id"] == id && message.get("method").is_none())
        };
        let seen =
            self.bridge.wait_for_stdout(&format!("the answer to {method}"), |text| answer(text).is_some());
        answer(&seen).unwrap()
    }

    fn call(&mut self, what: &str) -> Value {
        self.ask("tools/call", json!({"name": "hello", "arguments": {"what": what}}))
    }

    #[track_caller]
    fn works(&mut self) {
        let answer = self.call("work");
        assert_eq!(answer["result"]["content"][0]["text"], "hello", "{answer:#}");
    }
}

#[test]
fn fa_a22_a23_a_bridge_starts_a_server_again_that_died_in_a_call_or_while_idle() {
    let deadly = SERVER.replace(
        "*'\"tools/call\"'*)",
        "*'die now'*) echo 'out of luck' >&2; exit 1 ;;\n    *'\"tools/call\"'*)",
    );
    let setting = Setting::of("s", counted(&deadly));
    let mut host = Host::open(&setting, "s");
    host.works();
    let died = host.call("die now");
    let text = died["error"]["message"].as_str().unwrap();
    assert!(text.contains("exited with code 1") && text.contains("out of luck"), "{died:#}");
    host.works();
    assert_eq!(starts(&setting).len(), 2);
    // While idle, by another hand.
    let pid = starts(&setting)[1];
    let changes = |text: &str| text.matches("notifications/tools/list_changed").count();
    let before = changes(&host.bridge.stdout());
    assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    // It comes back by itself within a second or so, and its list may be another one.
    host.bridge.wait_for_stdout("the change of the list", |text| changes(text) > before);
    host.works();
    assert_eq!(starts(&setting).len(), 3);
    drop(host.bridge.wait().expect_code(0));
}

#[test]
fn fa_a24_a25_a_healthy_server_that_does_not_know_ping_is_left_alone() {
    for (ping, what) in [
        ("*'\"ping\"'*) continue ;;", "silence"),
        (
            "*'\"ping\"'*) printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32601,\"message\":\"no\"}}\\n' \"$id\"; continue ;;",
            "an error",
        ),
    ] {
        let server = SERVER.replace("*'\"ping\"'*) result='{}' ;;", ping);
        assert_ne!(server, SERVER);
        let setting = Setting::of("s", counted(&server));
        let mut host = Host::open(&setting, "s");
        host.works();
        let first = starts(&setting)[0];
        for _ in 0..3 {
            setting.run(&["status"], 0);
        }
        host.works();
        assert!(mcp_harness::process_is_alive(first), "{what}: the session's own process was replaced");
        drop(host.bridge.wait().expect_code(0));
    }
}

#[test]
fn fa_a29_a30_an_entry_says_where_it_runs_and_which_file_has_its_variables() {
    let setting = Setting::new();
    let secret = setting.home.secret("env file");
    let code = format!(
        "[ \"$PWD\" = \"$WANTED\" ] && [ \"$OWN\" = entry ] || {{ env >&2; pwd >&2; exit 7; }}\n{SERVER}"
    );
    let mut entry = shell(&code);
    entry["cwd"] = json!("sub");
    entry["envFile"] = json!("${workspaceFolder}/conf/.env");
    entry["env"] = json!({"OWN": "entry"});
    let folder = setting.home.project().canonicalize().unwrap().join("sub");
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!("# ours\nexport WANTED=\"{}\"\nOWN=file\nAPI_TOKEN='{secret}'\n", folder.display());
    setting.home.write_project("conf/.env", &text).unwrap();
    let file = "project/conf/.env";
    let setting = setting.project_file(json!({"db": entry}));
    let run = |arguments: &[&str]| setting.mcplink(arguments).may_hold_secrets(file).run();

    let waiting = run(&["get", "db", "--json"]).json();
    assert_eq!(waiting["entry"]["gate"], "awaiting-approval", "{waiting:#}");
    let approved = run(&["approve", "db", "--yes"]).expect_code(0);
    let shown = format!("{}{}", approved.stdout, approved.stderr);
    assert!(shown.contains("envFile.API_TOKEN") && shown.contains("sub"), "{shown}");
    let called = run(&["call", "db", "hello"]);
    assert_eq!(called.stdout, "hello\n", "{called}");

    // What the server prints of it is hidden.
    setting
        .home
        .write_project(
            "conf/.env",
            text.replace("OWN=file", "OWN=file\nPS4=x").replace("sub\"", "elsewhere\""),
        )
        .unwrap();
    let row = row(&run(&["status", "db", "--json"]).json(), "db");
    assert_eq!(row["reason"]["code"], "changed-since-approval", "{row:#}");
    assert!(message(&row).contains("envFile.PS4: (none) → [redacted]"), "{row:#}");
    drop(run(&["approve", "db", "--yes"]).expect_code(0));
    let failed = run(&["call", "db", "hello"]).expect_code(4);
    assert!(failed.stderr.contains("exited with code 7"), "{failed}");

    std::fs::remove_file(setting.home.project().join("conf/.env")).unwrap();
    let row = row_of(&setting, "db");
    assert_eq!(row["reason"]["code"], "config");
    assert!(
        message(&row).contains("envFile: cannot be used: ")
            && message(&row).contains("conf/.env: it does not exist"),
        "{row:#}"
    );
    std::fs::remove_dir(&folder).unwrap();
    setting.home.write_project("conf/.env", "OWN=file\n").unwrap();
    drop(run(&["approve", "db", "--yes"]).expect_code(0));
    let row = row_of(&setting, "db");
    assert!(
        message(&row).contains("its working directory") && message(&row).contains("sub` does not exist"),
        "{row:#}"
    );
}

fn row_of(setting: &Setting, name: &str) -> Value {
    let output = setting.mcplink(&["status", name, "--json"]).may_hold_secrets("project/conf/.env").run();
    row(&output.json(), name)
}
