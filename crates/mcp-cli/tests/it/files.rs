//! Files that are broken, and files and words of other hosts: what is wrong, where, and what to write instead.

use mcp_testkit::FakeMcpServer;
use serde_json::json;

use crate::setting::{Setting, http};

/// A home whose `~/.claude.json` is this text.
fn with_file(text: &str) -> Setting {
    let setting = Setting::new();
    setting.home.write(".claude.json", text).unwrap();
    setting
}

#[test]
fn fa_a50_a_broken_file_is_named_by_every_command() {
    let setting = with_file("{\"mcpServers\": {\"x\": {\n  \"type\": \"http\",\n  \"url\": ");
    for command in [
        &["status"][..],
        &["list"],
        &["status", "x"],
        &["status", "--offline"],
        &["get", "x"],
        &["call", "x", "tool"],
        &["tools", "x"],
        &["resources", "x"],
        &["prompts", "x"],
        &["ping", "x"],
        &["reconnect", "x"],
        &["login", "x"],
        &["logout", "x"],
        &["wait", "x"],
        &["approve", "x"],
        &["validate"],
    ] {
        let output = setting.run(command, 2);
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains(".claude.json:3:"), "{command:?}: {output}");
        assert!(!all.contains("no servers are configured"), "{command:?}: {output}");
    }
    let status = setting.run(&["status", "--json"], 2).json();
    assert!(status["problems"][0]["file"].as_str().unwrap().ends_with(".claude.json"), "{status:#}");
    let error = setting.run(&["call", "x", "y"], 2).stderr;
    assert!(error.lines().count() == 3 && error.contains("next: correct line 3 of "), "{error}");
}

#[test]
fn f132_a_name_that_stands_in_a_file_of_nearly_the_right_name_leads_to_that() {
    let setting = Setting::new();
    let text = json!({ "mcpServers": { "wiki": { "command": "x" } } }).to_string();
    setting.home.write(".config/mcplink/mcp.jsonc", text).unwrap();
    let error = setting.run(&["status", "wiki"], 2).stderr;
    assert!(error.contains("mcp.jsonc:1:") && error.contains("never read"), "{error}");
    assert!(
        error.contains("next: rename mcp.jsonc to ") && error.ends_with("/mcplink/mcp.json\n"),
        "{error}"
    );
    let looked = setting.run(&["doctor"], 0).stderr;
    assert!(looked.contains("its name is not the one that is looked for"), "{looked}");
    let paths = setting.run(&["paths"], 0).stdout;
    assert!(paths.contains("mcp.jsonc") && paths.contains("its name is not"), "{paths}");
}

/// What a file of the person says runs without a question: that another account may have written it is told by every command that
/// reads it, once, with what mends it, and changes nothing else.
#[cfg(unix)]
#[test]
fn s_n02_a_believed_file_that_every_account_may_change_is_named_by_every_command() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let own = json!({ "mcpServers": { "x": http(&server) } }).to_string();
    setting.home.write(".config/mcplink/mcp.json", own).unwrap();
    let file = setting.home.home().join(".config/mcplink/mcp.json");
    let folder = file.parent().unwrap();
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let commands = [
        &["status"][..],
        &["status", "x"],
        &["list"],
        &["get", "x"],
        &["tools", "x"],
        &["ping", "x"],
        &["wait", "x"],
        &["reconnect", "x"],
        &["paths"],
        &["hosts"],
        &["disable", "x"],
        &["enable", "x"],
    ];
    let chmod = |path: &std::path::Path| format!("chmod o-w {}", path.display());
    for (open, closed) in [(0o646, 0o644), (0o777, 0o755)] {
        let path = if open == 0o646 { &*file } else { folder };
        mode(path, open);
        for command in commands {
            let output = setting.run(command, 0);
            assert_eq!(output.stderr.matches(&chmod(path)).count(), 1, "{command:?}: {output}");
            assert!(
                output.stderr.contains("warning: ") && output.stderr.contains("every account"),
                "{output}"
            );
            let output = setting.run(&[command, &["--json"]].concat(), 0);
            let warning: serde_json::Value = serde_json::from_str(output.stderr.trim_end()).unwrap();
            assert_eq!(warning["warning"]["code"], "file-open-to-all", "{command:?}: {output}");
            assert_eq!(warning["warning"]["next"], chmod(path).as_str());
        }
        let looked_at = setting.run(&["doctor", "x"], 0);
        assert_eq!(looked_at.stdout.matches(&chmod(path)).count(), 1, "it has a row: {looked_at}");
        assert!(setting.run(&["validate"], 0).to_string().contains(&chmod(path)));
        mode(path, closed);
    }
    // With the sticky bit others cannot rename what is there; and a project's file is believed by no one before it is approved.
    mode(folder, 0o1777);
    setting.home.write_project(".mcp.json", r#"{"mcpServers": {}}"#).unwrap();
    mode(&setting.home.project().join(".mcp.json"), 0o666);
    assert_eq!(setting.run(&["status"], 0).stderr, "");
}

#[test]
fn fa_a50_a_command_about_all_servers_is_not_done_where_a_file_cannot_be_read() {
    let setting = with_file("{\"mcpServers\": {\"x\": {\n  \"type\": \"http\",\n  \"url\": ");
    for command in
        [&["reconnect", "--all"][..], &["reconnect", "--failed"], &["reset", "--all"], &["trust", "--yes"]]
    {
        let output = setting.run(command, 2);
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains(".claude.json:3:"), "{command:?}: {output}");
        assert!(!all.contains("is connected") && !all.contains("is trusted"), "{command:?}: {output}");
        setting.run(&[command, &["--json"]].concat(), 2);
    }
    // What takes a right away needs no file.
    setting.run(&["untrust"], 0);
}

#[test]
fn fa_a50_a_server_of_a_good_file_is_used_and_the_broken_one_is_named() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("good", http(&server));
    setting.home.write_project(".mcp.json", "{\"mcpServers\": ").unwrap();
    let call = setting.run(&["ping", "good"], 0);
    assert!(call.stderr.contains(".mcp.json:1:"), "{call}");
    let status = setting.run(&["status"], 2);
    assert!(status.stdout.contains("connected") && status.stderr.contains(".mcp.json:1:"), "{status}");
    let machine = setting.run(&["ping", "good", "--json"], 0);
    let warning: serde_json::Value = serde_json::from_str(&machine.stderr).expect("JSON stays alone");
    assert!(warning["warning"]["message"].as_str().unwrap().contains(".mcp.json:1:"), "{machine}");
}

#[test]
fn fa_a37_a39_a_file_of_another_host_is_called_by_its_name() {
    for (text, key, host) in [
        (json!({ "mcp": { "x": { "type": "remote", "url": "https://h/mcp" } } }), "`mcp`", "opencode"),
        (json!({ "context_servers": { "x": { "command": "x" } } }), "`context_servers`", "Zed"),
        (json!({ "mcp_servers": { "x": { "command": "x" } } }), "`mcp_servers`", "Codex"),
        (json!({ "amp.mcpServers": { "x": { "command": "x" } } }), "`amp.mcpServers`", "Amp"),
        (json!({ "mcp": { "servers": { "x": { "command": "x" } } } }), "`mcp.servers`", "VS Code"),
        (json!({ "servers": { "x": { "command": "x" } } }), "`servers`", "VS Code"),
        (
            json!({ "managedMcpServers": [{ "name": "x", "url": "https://h" }] }),
            "`managedMcpServers`",
            "Claude Desktop",
        ),
        (json!({ "extensions": { "x": { "cmd": "x" } } }), "`extensions`", "Goose"),
    ] {
        let setting = with_file(&text.to_string());
        setting.home.write_project(".mcp.json", text.to_string()).unwrap();
        for command in ["status", "list", "validate"] {
            let output = setting.run(&[command], 2);
            let all = format!("{}{}", output.stdout, output.stderr);
            for file in [".claude.json", ".mcp.json"] {
                let line = all.lines().find(|line| line.contains(file)).unwrap_or_else(|| panic!("{output}"));
                assert!(line.contains(key) && line.contains(host) && line.contains("mcpServers"), "{line}");
            }
        }
    }
}

#[test]
fn fa_a37_a49_a_file_of_another_format_is_called_by_its_name() {
    for (text, name, hint) in [
        (
            "[mcp_servers.x]\ncommand = \"x\"\n",
            "TOML",
            "it is a file of Codex: put its servers into an object",
        ),
        ("extensions:\n  x:\n    cmd: x\n", "YAML", "`mcplink import goose` takes over what Goose has"),
        ("mcpServers:\n  x:\n", "YAML", "put its servers into an object `mcpServers`"),
    ] {
        let setting = Setting::new();
        setting.home.write_project("other", text).unwrap();
        let output = setting.run(&["--mcp-config", "other", "list"], 2);
        assert!(output.stderr.contains(&format!("looks like {name}, and JSON is read here")), "{output}");
        assert!(output.stderr.contains(hint), "{output}");
    }
}

#[test]
fn fa_a32_a36_a43_words_of_other_hosts_come_with_what_to_write_instead() {
    for (entry, expected) in [
        (json!({ "serverUrl": "https://h/mcp" }), "`serverUrl` is Windsurf's word: write \"type\": \"http\""),
        (json!({ "httpUrl": "https://h/mcp" }), "`httpUrl` is Gemini CLI's word"),
        (json!({ "baseUrl": "https://h/mcp" }), "`baseUrl` is mcporter's"),
        (json!({ "link": "https://h/mcp" }), "`link` is another host's word"),
        (json!({ "type": "remote", "url": "https://h/mcp" }), "write \"type\": \"http\""),
        (json!({ "type": "local", "command": "x" }), "write \"type\": \"stdio\""),
        (json!({ "type": "http-stream", "url": "https://h/mcp" }), "write \"type\": \"http\""),
        (json!({ "command": ["npx", "x"] }), "its first word as `command` and the others as `args`"),
        (
            json!({ "type": "http", "url": "https://h/mcp", "bearer_token_env_var": "T" }),
            "\"Authorization\": \"Bearer ${NAME}\"",
        ),
        (
            json!({ "type": "http", "url": "https://h/mcp", "http_headers_helper": "x" }),
            "use `headersHelper`",
        ),
        (json!({ "type": "http", "url": "https://h/mcp", "oauthClientId": "x" }), "\"clientId\""),
        (json!({ "command": "x", "environment": {} }), "use `env`"),
    ] {
        let setting = Setting::of("x", entry.clone());
        let output = setting.mcplink(&["validate"]).run();
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains(expected), "{entry}: {output}");
    }
}

#[test]
fn fa_a77_a98_an_address_that_is_none_says_what_is_missing() {
    for (url, expected) in [
        ("h.example/mcp", "has no scheme: write http:// or https:// before the host"),
        ("localhost:8080/mcp", "must begin with http:// or https://"),
        ("/mcp", "has no scheme"),
        ("<https://h.example/mcp>", "has angle brackets around it, which are a part of it"),
        ("[the wiki](https://h.example/mcp)", "is a link of Markdown"),
        ("https://https://h.example/mcp", "has its scheme twice"),
        ("http:https://h.example/mcp", "has its scheme twice"),
        ("https://ho st/mcp", "its host has characters that no host has"),
        ("https://.../mcp", "two dots in its host with nothing between them"),
        ("https://h.example:99999/mcp", "has a port that is not a number up to 65535"),
        ("https://[1:2/mcp", "square brackets in its host, and no IPv6 address in them"),
        ("https://1.2.3.4.5/mcp", "a host of numbers that is not an IPv4 address"),
        ("https:///", "has no host"),
        ("${A:-${B:-x}}/mcp", "the default of one cannot hold another"),
    ] {
        let setting = Setting::of("x", json!({ "type": "http", "url": url }));
        let output = setting.run(&["validate"], 2);
        assert!(
            output.stdout.contains(expected)
                && !["without a base", "international", "invalid"]
                    .iter()
                    .any(|word| output.stdout.contains(word)),
            "{url}: {output}"
        );
    }
    let server = FakeMcpServer::start().unwrap();
    let origin = server.url().origin().ascii_serialization();
    for (path, expected) in [("/", ", and many servers have theirs at /mcp (404)"), ("/a/b", "/a/b (404)")] {
        let setting = Setting::of("x", json!({ "type": "http", "url": format!("{origin}{path}") }));
        let message = setting.status("x")["reason"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(&format!("{origin}{path}")) && message.contains(expected), "{message}");
    }
}

/// What was never filled in is told by its place in the file, in the status as well: it is asked for by no name service.
#[test]
fn fa_a77_a98_a_placeholder_in_an_address_is_told_as_one() {
    for (url, expected) in [
        ("https://${HOST}/mcp", "is not a URL without its variable (set the variable HOST)"),
        ("https://h-${HOST}.example/mcp", "is not a URL without its variable (set the variable HOST)"),
        ("http://127.0.0.1:${PORT}/mcp", "is not a URL without its variable (set the variable PORT)"),
        (
            "https://<your-host>/mcp",
            "still has the placeholder <your-host> in its host (write the host of your server",
        ),
        ("https://{tenant}.h.example/mcp", "still has the placeholder {tenant} in its host"),
        ("https://YOUR_SUBDOMAIN.h.example/mcp", "still has the placeholder YOUR_SUBDOMAIN in its host"),
        ("https://%HOST%/mcp", "still has the placeholder %HOST% in its host"),
        (
            "https://$HOST/mcp",
            "still has the placeholder $HOST in its host (write ${HOST} for the environment",
        ),
        ("https://h.example:<port>/mcp", "still has the placeholder <port> in its port"),
        ("https://${input:host}/mcp", "holds a variable that is not replaced"),
    ] {
        let setting = Setting::of("x", json!({ "type": "http", "url": url }));
        let output = setting.run(&["validate"], 2);
        assert!(output.stdout.contains(&format!(": mcpServers.x.url: {expected}")), "{url}: {output}");
        assert!(output.stdout.contains(".claude.json:"), "{url}: {output}");
        let seen = setting.status("x");
        assert_eq!(
            (&seen["status"], &seen["reason"]["code"]),
            (&json!("failed"), &json!("config")),
            "{seen:#}"
        );
        let message = seen["reason"]["message"].as_str().unwrap();
        let (why, _) = expected.split_once(" (").unwrap_or((expected, ""));
        assert!(message.contains(why) && message.contains(".claude.json:"), "{url}: {message}");
    }
    // What may be an address is used, and a line says how it looks.
    let server = FakeMcpServer::start().unwrap();
    let url = format!("{}?key=YOUR_API_KEY", server.url());
    let setting = Setting::of("x", json!({ "type": "http", "url": url }));
    let output = setting.run(&["status"], 0);
    let all = format!("{}{}", output.stdout, output.stderr);
    assert!(
        all.contains("mcpServers.x.url: seems to have a placeholder still, YOUR_API_KEY in its query"),
        "{output}"
    );
}

/// No server is lost without a word: what is read, what is not, and what to write.
#[test]
fn fa_a34_a38_a_file_whose_servers_are_not_read_says_which_and_why() {
    let entry = json!({ "command": "x" });
    for (text, code, expected) in [
        (
            "{\"mcpServers\": {\"a\": {\"command\": \"x\"}},\n\"mcpServers\": {\"b\": {\"command\": \"x\"}}}"
                .to_owned(),
            0,
            "file.json:1:2: mcpServers: is written twice; the last one counts, in line 2, and without a (write the entries of both",
        ),
        (
            "{\"mcpServers\": {\"a\": {\"command\": \"x\"},\n\"a\": {\"command\": \"y\"}}}".to_owned(),
            0,
            "file.json:1:17: mcpServers.a: is written twice; the last one counts, in line 2",
        ),
        (
            json!({ "mcpservers": { "a": entry } }).to_string(),
            2,
            "`mcpservers` is not read: the name is `mcpServers`, and without a (write `mcpServers`)",
        ),
        (
            json!({ "MCPServers": { "a": entry } }).to_string(),
            2,
            "`MCPServers` is not read: the name is `mcpServers`",
        ),
        (json!({ "mcp-servers": { "a": entry } }).to_string(), 2, "`mcp-servers` is not read"),
        (json!({ "mcpServer": { "a": entry } }).to_string(), 2, "`mcpServer` is not read"),
        (
            json!({ "mcp_servers": { "a": entry } }).to_string(),
            2,
            "and no `mcpServers` (put its servers into an object `mcpServers`; `mcplink import codex` takes over what",
        ),
        (
            json!({ "mcpServers": { "b": entry }, "mcp_servers": { "a": entry } }).to_string(),
            2,
            "`mcp_servers` is not read: the name is `mcpServers`, and without a (put its entries into the `mcpServers`",
        ),
        (
            entry.to_string(),
            2,
            "is one server entry, and not a file of them (write {\"mcpServers\": {\"NAME\": {..}}}",
        ),
        (json!({ "url": "https://h.example/mcp" }).to_string(), 2, "is one server entry"),
        (json!({ "httpUrl": "https://h.example/mcp" }).to_string(), 2, "is one server entry"),
        (
            json!({ "mcpServers": entry }).to_string(),
            2,
            "an entry has a name: write {\"mcpServers\": {\"NAME\"",
        ),
        (
            json!({ "mcpServers": [entry] }).to_string(),
            2,
            "each entry has a name: write {\"mcpServers\": {\"NAME\"",
        ),
    ] {
        let setting = Setting::new();
        setting.home.write_project("file.json", &text).unwrap();
        for verb in ["validate", "list"] {
            let output = setting.mcplink(&["--mcp-config", "file.json", "--strict-mcp-config", verb]).run();
            let all = format!("{}{}", output.stdout, output.stderr);
            assert!(all.contains(expected), "{text}: {output}");
            assert!(verb == "list" || output.code == Some(code), "{text}: {output}");
        }
    }
    // Those of a project in the file of Claude Code, too.
    let setting = Setting::new();
    let folder = serde_json::to_string(&setting.home.project()).unwrap();
    let twice = "\"mcpServers\": {\"a\": {\"command\": \"x\"}}, \"mcpServers\": {}";
    setting.home.write(".claude.json", format!("{{\"projects\": {{{folder}: {{{twice}}}}}}}")).unwrap();
    let output = setting.run(&["validate"], 0);
    assert!(
        output
            .stdout
            .contains("].mcpServers: is written twice; the last one counts, in line 1, and without a"),
        "{output}"
    );
}

#[test]
fn fa_a48_a_character_that_is_not_seen_is_called_by_its_number() {
    for (text, number) in [
        ("{\u{a0}\"mcpServers\": {}}", "U+00A0"),
        ("{\"mcpServers\":\u{200b} {}}", "U+200B"),
        ("{\"mcpServers\": {}\u{feff}}", "U+FEFF"),
        ("{\"mcpServers\": {\u{3000}}}", "U+3000"),
    ] {
        let output = with_file(text).run(&["validate"], 2);
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains(number) && all.contains("not seen"), "{number}: {output}");
    }
}
