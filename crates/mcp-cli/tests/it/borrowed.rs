//! The files of other hosts, read in place with `--from`, and told of where nothing else is configured.

use std::path::{Path, PathBuf};

use mcp_testkit::{Accept, FakeMcpServer};
use serde_json::{Value, json};

use crate::setting::{Setting, http, row};

/// A home with the files that a case of `mcp-config` has for this host.
pub(crate) fn published(case: &str) -> Setting {
    let setting = Setting::new();
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mcp-config/tests/cases").join(case);
    for (folder, to) in [("home", setting.home.home()), ("project", setting.home.project())] {
        copy(&cases.join(folder), &to);
    }
    setting
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let path: PathBuf = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&path).unwrap();
            copy(&entry.path(), &path);
        } else {
            std::fs::copy(entry.path(), path).unwrap();
        }
    }
}

/// The entry of a host that has a URL.
fn cursor(server: &FakeMcpServer) -> Value {
    json!({ "mcpServers": { "web": { "url": server.url().as_str() } } })
}

#[test]
fn fh_h5_list_reads_the_file_of_each_host_in_place() {
    for (host, case, expected) in [
        (
            "claude-desktop",
            "host_claude_desktop",
            &["filesystem user stdio npx -y", "literal user stdio sh"][..],
        ),
        (
            "cursor",
            "host_cursor",
            &["linear user http https://mcp.linear.app/mcp", "off user stdio x (disabled)"],
        ),
        ("vscode", "host_vscode", &["wiki project http https://wiki.example.com/${REGION:-eu}/mcp"]),
        ("vscode", "host_vscode_settings", &["github user http https://api.githubcopilot.com/mcp/"]),
        ("copilot", "host_copilot", &["playwright user stdio npx @playwright/mcp@latest"]),
        (
            "codex",
            "host_codex",
            &[
                "figma user http https://mcp.figma.com/mcp",
                "tickets user http https://tickets.example.com/mcp (disabled)",
            ],
        ),
        ("windsurf", "host_windsurf", &["remote-http-mcp user http https://your-server.example.com/mcp"]),
        (
            "opencode",
            "host_opencode",
            &[
                "jira user http https://jira.example.com/mcp",
                "local user stdio npx -y my-mcp-command (disabled)",
            ],
        ),
        (
            "gemini",
            "host_gemini",
            &[
                "sse user sse https://api.example.com/sse",
                "experimental-server user stdio node x.js (disabled)",
            ],
        ),
        ("zed", "host_zed", &["remote-mcp-server user http https://zed.example.com/mcp"]),
        ("cline", "host_cline", &["nested user http https://n.example.com/mcp"]),
        ("goose", "host_goose", &["kiwi user http https://mcp.kiwi.com (disabled)"]),
        ("mcporter", "host_mcporter", &["linear user http https://mcp.linear.app/mcp"]),
    ] {
        let output = published(case).run(&["--from", host, "list"], 0);
        let words: Vec<&str> = output.stdout.split_whitespace().collect();
        for line in expected {
            assert!(words.join(" ").contains(line), "{host}: {line}\n{output}");
        }
    }
}

#[test]
fn fh_h5_every_command_works_on_the_file_of_a_host() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("other", json!({ "command": "not-started" }));
    setting.home.write(".cursor/mcp.json", cursor(&server).to_string()).unwrap();
    let from = |args: &[&str], code| setting.run(&[&["--from", "cursor"], args].concat(), code);
    let status = from(&["status", "--json"], 0).json();
    assert_eq!(status["servers"].as_array().unwrap().len(), 1, "no other file is read: {status:#}");
    let web = row(&status, "web");
    assert_eq!(web["status"], "connected");
    assert_eq!(web["scope"], "user");
    assert!(web["source"].as_str().unwrap().ends_with(".cursor/mcp.json"), "{web:#}");
    assert!(from(&["tools", "web"], 0).stdout.contains("echo"));
    assert!(from(&["get", "web"], 0).stdout.contains(".cursor/mcp.json:1"));
    from(&["ping", "web"], 0);
    let call = from(&["call", "web", "echo", "text=hi"], 0);
    assert!(call.stdout.contains("hi"), "{call}");
    assert!(setting.run(&["ping", "web"], 2).stderr.contains("no server is named"));
}

/// What changes entries changes none of ours in the place of one that was read in place, and none of the host's file.
#[test]
fn fh_h5_nothing_that_changes_entries_goes_together_with_from() {
    let remote = |query: &str| json!({ "type": "http", "url": format!("https://a.example/mcp?{query}") });
    let setting = Setting::new();
    let files = [
        (
            ".cursor/mcp.json",
            json!({ "same": remote("cursor"), "alone": remote("x"), "off": { "command": "x", "disabled": true } }),
        ),
        (".config/mcplink/mcp.json", json!({ "same": remote("ours") })),
        (".claude.json", json!({ "theirs": remote("claude") })),
    ];
    for (file, servers) in &files {
        setting.home.write(file, json!({ "mcpServers": servers }).to_string()).unwrap();
    }
    let text = |file: &str| std::fs::read_to_string(setting.home.home().join(file)).unwrap();
    let before = files.each_ref().map(|(file, _)| text(file));
    for (line, parts) in [
        (
            &["disable", "same"][..],
            &[
                "error: nothing of Cursor is changed here",
                "same is read in place from ~/.cursor/mcp.json:1; without --from it is another server, of ~/.config/mcplink/mcp.json:1",
                "next: switch same off in Cursor, or in ~/.cursor/mcp.json:1",
            ][..],
        ),
        (&["enable", "off"], &["next: switch off on in Cursor, or in ~/.cursor/mcp.json:1"]),
        (&["remove", "same"], &["next: take same out in Cursor, or out of ~/.cursor/mcp.json:1"]),
        (&["remove", "alone", "--scope", "user"], &["next: take alone out in Cursor"]),
        (&["remove", "alone", "--dry-run"], &["next: take alone out in Cursor"]),
        (&["remove", "aloen"], &["did you mean \"alone\"?", "next: mcplink list --from cursor"]),
        (&["add", "n", "https://n.example/mcp", "--no-check"], &["next: leave out --from cursor"]),
        (&["add", "n", "--scope", "user", "--no-check", "--", "x"], &["next: leave out --from cursor"]),
        (&["add-json", "n", "{\"command\":\"x\"}"], &["next: leave out --from cursor"]),
        // What is refused because it is off is not mended by a command of ours.
        (&["ping", "off"], &["next: switch off on in Cursor: /"]),
    ] {
        let output = setting.run(&[&["--from", "cursor"], line].concat(), 2);
        for part in parts {
            assert!(output.stderr.contains(part), "{line:?}: {part}\n{output}");
        }
        assert_eq!(output.stdout, "", "{line:?}");
    }
    // A file that is read anyway is changed without the option.
    let native = setting.run(&["--from", "claude-code", "remove", "theirs"], 2);
    assert!(native.stderr.contains("next: mcplink remove theirs --scope user\n"), "{native}");
    let native = setting.run(&["--from", "claude-code", "disable", "theirs"], 2);
    assert!(native.stderr.contains("next: mcplink disable theirs\n"), "{native}");
    assert_eq!(files.each_ref().map(|(file, _)| text(file)), before);

    // Nor is such an action offered, to a person or to a program.
    let listed = setting.run(&["--from", "cursor", "list"], 0);
    assert!(listed.stdout.contains("(disabled)"), "{listed}");
    let document = setting.run(&["--from", "cursor", "list", "--json"], 0).json();
    for name in ["same", "alone", "off"] {
        let row = row(&document, name);
        assert!(!row["actions"].to_string().contains("able"), "{row:#}");
        assert_eq!(row["disabled"] == json!(true), name == "off", "{row:#}");
    }
    let ours = setting.run(&["status", "--offline", "--json"], 0).json();
    assert!(row(&ours, "same")["actions"].to_string().contains("disable"));
    let bridge = json!({ "command": env!("CARGO_BIN_EXE_mcplink"), "args": ["bridge", "same"] });
    setting.home.write(".cursor/mcp.json", json!({ "mcpServers": { "same": bridge } }).to_string()).unwrap();
    let wrapped = setting.run(&["--from", "cursor", "list"], 0);
    assert!(
        wrapped.stderr.starts_with("all that Cursor has goes through mcplink: mcplink list\n"),
        "{wrapped}"
    );
}

#[test]
fn fh_h15_an_unknown_host_is_told_with_the_nearest_one_and_a_step_carries_the_host() {
    let setting = Setting::new();
    let output = setting.run(&["--from", "curser", "list"], 2);
    assert!(output.stderr.contains("did you mean \"cursor\"?"), "{output}");
    assert!(output.stderr.contains("mcplink hosts"), "{output}");
    setting.run(&["--from", "cursor", "--strict-mcp-config", "list"], 2);
    let server = FakeMcpServer::start().unwrap();
    setting.home.write(".cursor/mcp.json", cursor(&server).to_string()).unwrap();
    let output = setting.run(&["ping", "wep", "--from", "cursor"], 2);
    assert!(output.stderr.contains("mcplink list --from cursor"), "{output}");
    let nothing = setting.run(&["list", "--from", "codex"], 0);
    assert!(nothing.stderr.contains("Codex has no servers in its files"), "{nothing}");
}

#[test]
fn fh_h5_where_nothing_is_configured_the_files_of_hosts_are_named() {
    let setting = published("host_cursor");
    for command in ["list", "status"] {
        let output = setting.run(&[command], 0);
        assert_eq!(output.stdout, "");
        for part in
            ["cursor", "2 servers", ".cursor/mcp.json", "mcplink --from cursor status", "mcplink paths"]
        {
            assert!(output.stderr.contains(part), "{part}\n{output}");
        }
    }
}

#[test]
fn fh_h5_hosts_lists_what_is_found() {
    let setting = published("host_codex");
    setting.home.write(".cursor/mcp.json", "{broken").unwrap();
    setting.home.write(".config/zed/settings.json", "{\"theme\": \"x\"}").unwrap();
    let output = setting.run(&["hosts"], 2);
    assert!(output.stdout.contains("codex") && output.stdout.contains("4 servers"), "{output}");
    assert!(output.stdout.contains("cannot be read"), "{output}");
    assert!(output.stderr.contains(".cursor/mcp.json:1:2"), "{output}");
    assert!(!output.stdout.contains("zed"), "settings without servers are nothing: {output}");
    let document = setting.run(&["hosts", "--json"], 2).json();
    assert_eq!(document["schemaVersion"], 1);
    let found = document["found"].as_array().unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0]["host"], "cursor");
    assert_eq!(found[1]["servers"], json!(["figma", "context7", "tickets", "managed"]));
    assert!(document["known"].as_array().unwrap().len() >= 20);
    let nothing = Setting::new().run(&["hosts"], 0);
    assert!(nothing.stderr.contains("no other host has servers here"), "{nothing}");
}

/// A server that works is of no use to a host that cannot reach it.
#[test]
fn fh_h5_status_of_hosts_says_which_host_cannot_use_what_it_has() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let file = ".config/Claude/claude_desktop_config.json";
    let entries = json!({ "mcpServers": { "web": http(&server) } }).to_string();
    setting.home.write(file, &entries).unwrap();
    let output = setting.run(&["status", "--hosts"], 4);
    let said =
        "claude_desktop_config.json:1, but it starts local servers alone (mcplink wrap claude-desktop web)";
    assert!(output.stdout.contains("connected") && output.stdout.contains(said), "{output}");
    let document = setting.run(&["status", "--hosts", "--json"], 4).json();
    let place = &row(&document, "web")["hosts"][0];
    assert!(place["unusable"].as_str().unwrap().contains("local servers alone"), "{place:#}");
    // Cursor can.
    setting.home.write(".cursor/mcp.json", &entries).unwrap();
    let document = setting.run(&["status", "--hosts", "--json"], 4).json();
    let places = row(&document, "web")["hosts"].clone();
    let unusable = places.as_array().unwrap().iter().filter(|place| place["unusable"].is_string());
    assert_eq!(unusable.count(), 1, "{places:#}");
}

#[test]
fn fh_h5_status_of_hosts_asks_each_server_once_and_says_who_has_it() {
    let server = FakeMcpServer::start().unwrap();
    let program = env!("CARGO_BIN_EXE_mcplink");
    let bridge = |name: &str| json!({ "command": program, "args": ["bridge", name] });
    let setting = Setting::of("tickets", http(&server));
    let url = server.url();
    let cursor = json!({ "mcpServers": {
        "web": { "url": url.as_str() },
        "down": { "url": "http://127.0.0.1:1/mcp" },
        "tickets": bridge("tickets"),
        "lost": bridge("nowhere"),
    } });
    setting.home.write(".cursor/mcp.json", cursor.to_string()).unwrap();
    let codex = format!(
        "[mcp_servers.web]\nurl = \"{url}\"\n\n[mcp_servers.own]\nurl = \"{url}\"\nbearer_token_env_var = \"NOT_SET\"\n"
    );
    setting.home.write(".codex/config.toml", codex).unwrap();

    let output = setting.mcplink(&["status", "--hosts", "--json"]).run();
    let document = output.json();
    let places = |name: &str| -> Vec<String> {
        let row = row(&document, name);
        let places = row["hosts"].as_array().unwrap().iter();
        places.map(|place| format!("{}:{} {}", place["host"], place["line"], place["bridged"])).collect()
    };
    assert_eq!(places("web"), ["\"cursor\":1 false", "\"codex\":1 false"], "{document:#}");
    assert_eq!(places("tickets"), ["\"claude-code\":3 false", "\"cursor\":1 true"]);
    assert_eq!(places("own"), ["\"codex\":4 false"]);
    assert_eq!(document["servers"].as_array().unwrap().len(), 5, "{document:#}");
    let handshakes =
        server.recorder().matching(|request| request.rpc_method().as_deref() == Some("tools/list"));
    assert_eq!(handshakes.len(), 2, "web and tickets");
    let own = &row(&document, "own")["reason"];
    assert_eq!(
        (&own["code"], &own["next"]),
        (&json!("credentials-failed"), &json!("set NOT_SET")),
        "{own:#}"
    );
    assert_eq!(row(&document, "web")["status"], "connected");
    // What helps is a command that knows the server.
    assert_eq!(row(&document, "down")["reason"]["next"], "mcplink wait down --from cursor");
    let lost = row(&document, "lost")["reason"]["next"].to_string();
    assert!(lost.contains("of lost in /") && lost.contains("/.cursor/mcp.json:"), "{lost}");
    let problems = document["problems"].to_string();
    assert!(problems.contains("NOT_SET"), "{document:#}");

    // People are told the same, of those that they name.
    let output = setting.run(&["status", "--hosts", "tickets"], 0);
    assert!(output.stdout.contains("in Cursor, through mcplink: ~/.cursor/mcp.json:1"), "{output}");
    assert!(!output.stdout.contains("down") && !output.stderr.contains("NOT_SET"), "{output}");
    let offline = setting.mcplink(&["status", "--hosts", "--offline", "own"]).run();
    assert!(offline.stdout.contains("in Codex: ~/.codex/config.toml:4"), "{offline}");
    assert!(offline.stderr.contains("NOT_SET"), "{offline}");
    let unknown = setting.run(&["status", "--hosts", "nope"], 2);
    assert!(unknown.stderr.contains("no host has a server named \"nope\""), "{unknown}");

    // A file that cannot be read is said, and the others are shown.
    setting.home.write_project(".vscode/mcp.json", "{\"servers\": {").unwrap();
    let broken = setting.run(&["status", "--hosts", "web"], 2);
    assert!(broken.stdout.contains("connected") && broken.stderr.contains(".vscode/mcp.json"), "{broken}");
    let nothing = Setting::new().run(&["status", "--hosts"], 0);
    assert!(nothing.stderr.contains("no host has servers in its files"), "{nothing}");
}

/// A repository must not be able to bring a server along in the file of any host.
#[test]
fn s_b1_a_hosts_file_of_a_project_needs_approval_of_its_own() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let project = setting.home.project().to_string_lossy().into_owned();
    // Approved by name, and altogether, as servers of `.mcp.json`; and in a folder that is trusted.
    let approvals = json!({ "enabledMcpjsonServers": ["web"], "enableAllProjectMcpServers": true });
    setting.home.write(".claude/settings.json", approvals.to_string()).unwrap();
    let trusted = json!({ "projects": { project: { "hasTrustDialogAccepted": true } } });
    setting.home.write(".claude.json", trusted.to_string()).unwrap();
    setting.home.write_project(".cursor/mcp.json", cursor(&server).to_string()).unwrap();
    let status = |setting: &Setting| {
        let output = setting.mcplink(&["--from", "cursor", "status", "web", "--json"]).run();
        row(&output.json(), "web")
    };
    assert_eq!(status(&setting)["reason"]["code"], "awaiting-approval");
    assert_eq!(server.connections(), 0);

    // What was approved in `.mcp.json` says nothing about the other file, even where both say the same.
    let entry = json!({ "mcpServers": { "web": { "type": "http", "url": server.url().as_str() } } });
    setting.home.write_project(".mcp.json", entry.to_string()).unwrap();
    setting.run(&["approve", "web", "--yes"], 0);
    assert_eq!(status(&setting)["reason"]["code"], "awaiting-approval");
    assert_eq!(server.connections(), 0);

    setting.run(&["--from", "cursor", "approve", "web", "--yes"], 0);
    assert_eq!(status(&setting)["status"], "connected");
    // An approval is of content.
    let mut changed = cursor(&server);
    changed["mcpServers"]["web"]["headers"] = json!({ "X-New": "1" });
    setting.home.write_project(".cursor/mcp.json", changed.to_string()).unwrap();
    let connections = server.connections();
    let now = status(&setting);
    assert_eq!(now["status"], "pending", "{now:#}");
    assert_eq!(server.connections(), connections);
    setting.run(&["--from", "cursor", "reject", "web"], 0);
    assert_ne!(status(&setting)["status"], "connected");
}

/// The same in TOML, with a command and a helper.
#[test]
fn s_b1_a_command_or_a_helper_of_a_projects_toml_is_not_started() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let mark = setting.home.project().join("started");
    let touch = format!("touch {}", mark.display());
    let text = format!(
        "[mcp_servers.local]\ncommand = \"sh\"\nargs = [\"-c\", {touch:?}]\n\n[mcp_servers.web]\nurl = {:?}\nhttp_headers_helper = {touch:?}\n",
        server.url().as_str()
    );
    setting.home.write_project(".codex/config.toml", text).unwrap();
    let document = setting.mcplink(&["--from", "codex", "status", "--json"]).run().json();
    for name in ["local", "web"] {
        assert_eq!(row(&document, name)["reason"]["code"], "awaiting-approval", "{document:#}");
    }
    assert!(!mark.exists());
    assert_eq!(server.connections(), 0);
}

/// A pointer in the file of a host starts nothing, whatever the format.
#[test]
fn s_b2_a_pointer_in_the_file_of_a_host_is_no_server() {
    let setting = Setting::new();
    let text = "[mcp_servers.x]\ncommand = \"mcplink\"\nargs = [\"bridge\", \"x\"]\n";
    setting.home.write(".codex/config.toml", text).unwrap();
    let output = setting.run(&["--from", "codex", "list", "--json"], 0).json();
    assert_eq!(output["servers"], json!([]), "{output:#}");
    let found = setting.run(&["hosts", "--json"], 0).json();
    assert_eq!((&found["found"][0]["pointers"], &found["found"][0]["servers"]), (&json!(1), &json!([])));
}

/// No value of a host's file is shown: not a header, not a variable, not a client's secret.
#[test]
fn s_n10_values_of_a_hosts_file_are_shown_nowhere() {
    let setting = Setting::new();
    let secret = setting.home.secret("host");
    let mcporter = json!({ "mcpServers": {
        "a": { "baseUrl": "https://h.example/mcp", "headers": { "X-Key": secret }, "oauthClientSecret": secret },
        "b": { "command": "npx", "args": ["mcp-remote", "https://h.example/mcp", "--header", format!("Authorization: Bearer {secret}")] },
        "c": { "command": "x", "env": { "API_TOKEN": secret } },
    } });
    setting.home.write(".mcporter/mcporter.json", mcporter.to_string()).unwrap();
    let codex = format!(
        "[mcp_servers.a]\nurl = \"https://h.example/mcp\"\n[mcp_servers.a.http_headers]\nX = \"{secret}\"\n[x = \"{secret}\""
    );
    setting.home.write(".codex/config.toml", codex).unwrap();
    // The harness fails the test where the secret is in what any of these prints.
    for args in [&["list"][..], &["list", "--json"], &["get", "a"], &["get", "b", "--json"], &["validate"]] {
        for host in ["mcporter", "codex"] {
            let output = setting.mcplink(&[&["--from", host], args].concat()).run();
            assert!(!format!("{output}").contains(&secret), "{args:?}");
        }
    }
    setting.run(&["hosts"], 2);
    setting.run(&["hosts", "--json"], 2);
}

/// Another program's file is named as it is, where an address needs no kind.
#[test]
fn fh_h5_an_address_alone_in_a_file_that_is_named_is_tried_and_told() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let file = setting
        .home
        .write("mcp.json", json!({ "mcpServers": { "web": { "url": server.url() } } }).to_string());
    let file = file.unwrap().display().to_string();
    let named = setting.run(&["status", "web", "--mcp-config", &file], 0);
    assert!(named.stdout.contains("connected") && named.stderr.contains("taken for http"), "{named}");
    let tools = setting.run(&["tools", "web", "--mcp-config", &file], 0);
    assert!(tools.stdout.contains("echo"), "{tools}");
    // What is done is told in words, and not by the modules of this program.
    let told = setting.run(&["-v", "status", "web", "--mcp-config", &file], 0);
    assert!(told.stderr.contains("INFO") && !told.stderr.contains("mcp_"), "{told}");
    // A line for an interpreter is one word, as it would be typed.
    let local = r#"{"mcpServers": {"local": {"command": "python3", "args": ["-c", "import time"]}}}"#;
    let listed = setting.run(&["list", "--mcp-config", local, "--strict-mcp-config"], 0);
    assert!(listed.stdout.contains("python3 -c 'import time'"), "{listed}");
    // A WebSocket is none of both.
    let socket = r#"{"mcpServers": {"web": {"url": "wss://h.example/mcp"}}}"#;
    setting.run(&["status", "web", "--mcp-config", socket], 2);
}

/// A team's `.mcp.json` is read by Copilot CLI and VS Code as well, in words of theirs.
#[test]
fn fh_h5_a_file_of_a_project_may_have_the_words_of_the_other_hosts_that_read_it() {
    let server = FakeMcpServer::builder().accept(Accept::header("x-key", "k")).start().unwrap();
    let setting = Setting::new().project_file(json!({
        "web": {
            "type": "http", "url": server.url().as_str(), "headers": { "X-Key": "k" }, "tools": ["*"],
            "oauthClientId": "abc", "oauthScopes": ["a", "b"], "oauthGrantType": "authorization_code",
            "auth": { "redirectPort": 4321 }, "deferTools": true, "headersRefreshTtlMs": 1000,
        },
        "own": { "type": "local", "command": "true", "args": ["x"], "tools": ["*"], "dev": { "watch": "x" }, "sandboxEnabled": true },
        "plain": { "type": "http", "url": "https://p.example/mcp", "unknownWord": 1 },
    }));
    let listed = setting.mcplink(&["list", "--json"]).run();
    let document = listed.json();
    let own = crate::setting::row(&document, "own");
    assert_eq!(own["transport"], "stdio", "{document:#}");
    let got = setting.mcplink(&["get", "web", "--json"]).run().stdout;
    assert!(got.contains("\"abc\"") && got.contains("4321") && got.contains("a b"), "{got}");
    let said = setting.mcplink(&["validate"]).run();
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(all.contains("mcpServers.own.sandboxEnabled") && all.contains("unknownWord"), "{all}");
    for known in ["oauthClientId", "oauthScopes", "deferTools", "redirectPort", "\"local\"", "own.dev"] {
        assert!(!all.contains(known), "{known}: {all}");
    }
    // It is an entry of this project, which waits for a person, and then it is what it says.
    assert_eq!(setting.status("web")["reason"]["code"], "awaiting-approval");
    setting.run(&["approve", "web", "--yes"], 0);
    assert_eq!(setting.status("web")["status"], "connected");
}
