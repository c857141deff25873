//! Variables in the files of other hosts: replaced where the host replaces them, a text where it does not, and named where one is
//! not set.

use std::fs;

use mcp_testkit::FakeMcpServer;
use serde_json::{Value, json};

use crate::local::SERVER;
use crate::setting::{Setting, row};

const CURSOR: &str = ".cursor/mcp.json";
const CODEX: &str = ".codex/config.toml";

/// A script that keeps which of two variables it was given by its shell, and is a server then.
fn script() -> String {
    format!("MODE=inner; printf %s \"${{MODE:-dev}}\" >\"$HOME/mode\"\n{SERVER}")
}

/// A server of this host, in its own words.
fn of_host(host: &str, script: &str) -> (&'static str, String) {
    let words = json!(["-c", script]);
    match host {
        "cursor" => (CURSOR, json!({"mcpServers": {"s": {"command": "sh", "args": words}}}).to_string()),
        "codex" => (CODEX, format!("[mcp_servers.s]\ncommand = \"sh\"\nargs = {words}\n")),
        "claude-desktop" => (
            ".config/Claude/claude_desktop_config.json",
            json!({"mcpServers": {"s": {"command": "sh", "args": words}}}).to_string(),
        ),
        _ => (
            ".config/opencode/opencode.json",
            json!({"mcp": {"s": {"type": "local", "command": ["sh", "-c", script]}}}).to_string(),
        ),
    }
}

/// What a shell is to replace reaches the shell: read in place, taken over, and led through this program.
#[test]
fn fh_h5_what_a_host_leaves_as_it_stands_reaches_the_shell() {
    for host in ["cursor", "codex", "claude-desktop", "opencode"] {
        let (file, text) = of_host(host, &script());
        let runs_as_written = |setting: &Setting, words: &[&str]| {
            let kept = setting.home.home().join("mode");
            let _ = fs::remove_file(&kept);
            setting.mcplink(words).env("MODE", "outer").run().expect_code(0);
            assert_eq!(fs::read_to_string(&kept).unwrap(), "inner", "{host}: {words:?}");
        };
        let setting = Setting::new();
        setting.home.write(file, &text).unwrap();
        runs_as_written(&setting, &["--from", host, "ping", "s"]);
        setting.run(&["import", host, "--yes"], 0);
        runs_as_written(&setting, &["ping", "s"]);

        let setting = Setting::new();
        let path = setting.home.write(file, &text).unwrap();
        setting.run(&["wrap", host, "s", "--yes", "--no-check"], 0);
        runs_as_written(&setting, &["ping", "s"]);
        setting.run(&["unwrap", host, "s"], 0);
        assert_eq!(fs::read_to_string(path).unwrap(), text, "{host}");
    }
}

/// A text that only looks like a value is not a credential: nothing is sent, and what to set is said with its place.
#[test]
fn fh_h5_a_variable_that_a_host_needs_and_is_not_set_is_told_before_anything_is_sent() {
    let server = FakeMcpServer::start().unwrap();
    let url = server.url().to_string();
    let remote = |more: Value| {
        let mut entry = json!({"url": url.as_str()});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"mcpServers": {"s": entry}}).to_string()
    };
    let codex = |lines: &str| format!("[mcp_servers.s]\n{lines}\n");
    let opencode =
        json!({"mcp": {"s": {"type": "remote", "url": url.as_str(), "headers": {"K": "{env:NOT_SET}"}}}});
    let local =
        codex(&format!("command = \"sh\"\nargs = {}\nenv_vars = [\"NOT_SET\"]", json!(["-c", SERVER])));
    for (host, file, text, field) in [
        (
            "codex",
            CODEX,
            codex(&format!("url = \"{url}\"\nbearer_token_env_var = \"NOT_SET\"")),
            "mcp_servers.s.bearer_token_env_var",
        ),
        (
            "codex",
            CODEX,
            codex(&format!("url = \"{url}\"\nenv_http_headers = {{ K = \"NOT_SET\" }}")),
            "mcp_servers.s.env_http_headers.K",
        ),
        ("codex", CODEX, local, "mcp_servers.s.env_vars[0]"),
        ("opencode", ".config/opencode/opencode.json", opencode.to_string(), "headers.K"),
        ("cursor", CURSOR, remote(json!({"headers": {"K": "${env:NOT_SET}"}})), "headers.K"),
        ("gemini", ".gemini/settings.json", remote(json!({"headers": {"K": "$NOT_SET"}})), "headers.K"),
        (
            "mcporter",
            ".mcporter/mcporter.json",
            remote(json!({"bearerTokenEnv": "NOT_SET"})),
            "bearerTokenEnv",
        ),
    ] {
        let setting = Setting::new();
        setting.home.write(file, text).unwrap();
        let told = |words: &[&str], file: &str, field: &str| {
            let reason = row(&setting.mcplink(words).run().json(), "s")["reason"].clone();
            assert_eq!(reason["code"], "credentials-failed", "{host} {field}: {reason:#}");
            let message = reason["message"].as_str().unwrap();
            for part in [file, field, "NOT_SET is not set"] {
                assert!(message.contains(part), "{host} {field}: {part}: {message}");
            }
            assert_eq!(reason["next"], "set NOT_SET", "{host} {field}: {reason:#}");
        };
        told(&["--from", host, "status", "--json"], file, field);
        setting.run(&["import", host, "--yes"], 0);
        told(&["status", "--json"], "mcplink/mcp.json", "");
    }
    assert!(server.requests().is_empty());
    // Set to nothing, it is none either; and set, it goes out.
    let setting = Setting::new();
    setting
        .home
        .write(CODEX, codex(&format!("url = \"{url}\"\nbearer_token_env_var = \"MY_VARIABLE\"")))
        .unwrap();
    let with = |value: &str| {
        setting.mcplink(&["--from", "codex", "status", "--json"]).env("MY_VARIABLE", value).run().json()
    };
    assert_eq!(row(&with(""), "s")["reason"]["code"], "credentials-failed");
    assert!(server.requests().is_empty());
    assert_eq!(row(&with("a-value"), "s")["status"], "connected");
}
