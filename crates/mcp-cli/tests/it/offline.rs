//! Commands that only read files, and options that decide which.

use mcp_testkit::FakeMcpServer;
use serde_json::json;

use crate::setting::{Setting, http, row};

#[test]
fn list_shows_what_is_configured_and_contacts_no_server() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("web", http(&server))
        .with("local-tool", json!({ "command": "some-server" }))
        .with("off", http(&server))
        .disabled(&["off"])
        .project_file(json!({ "shared": http(&server) }));
    let output = setting.run(&["list"], 0);
    let url = server.url();
    let mut lines: Vec<&str> = output.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "local-tool  user     stdio  some-server".to_owned(),
            format!("off         user     http   {url}  (disabled)"),
            format!("shared      project  http   {url}  (awaiting approval)"),
            format!("web         user     http   {url}"),
        ]
    );
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_home_without_servers_says_where_they_would_be() {
    let setting = Setting::new();
    for command in ["list", "status"] {
        let output = setting.run(&[command], 0);
        assert_eq!(output.stdout, "");
        assert!(output.stderr.contains("mcplink paths"), "{output}");
    }
    assert_eq!(setting.run(&["status", "--quiet"], 0).stderr, "");
}

#[test]
fn one_server_is_explained_with_where_each_part_came_from_and_who_answers() {
    let server = FakeMcpServer::start().unwrap();
    let mut entry = http(&server);
    entry["headers"] = json!({ "X-Api-Key": "K" });
    entry["headersHelper"] = json!("./mint.sh");
    let output = Setting::of("s", entry).run(&["get", "s"], 0);
    for part in [
        "user",
        ".claude.json",
        "mcpServers.s",
        "X-Api-Key",
        "headersHelper",
        "auth chain",
        "static",
        "helper",
        "reconnect",
    ] {
        assert!(output.stdout.contains(part), "{part}: {output}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_scope_shows_its_own_servers_only() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("mine", http(&server)).project_file(json!({ "shared": http(&server) }));
    let names = |scope: &str| {
        let document = setting.run(&["list", "--scope", scope, "--json"], 0).json();
        document["servers"].as_array().unwrap().iter().map(|row| row["name"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("user"), ["\"mine\""]);
    assert_eq!(names("project"), ["\"shared\""]);
    assert!(names("local").is_empty());
}

#[test]
fn this_tools_own_file_has_the_server_that_a_hosts_file_only_points_to() {
    let server = FakeMcpServer::start().unwrap();
    let pointer = json!({ "command": "mcplink", "args": ["bridge", "web"] });
    let setting = Setting::of("web", pointer);
    let own = json!({ "mcpServers": { "web": http(&server) } });
    let place = setting.home.write(".config/mcplink/mcp.json", format!("// Mine.\n{own}")).unwrap();
    let status = setting.run(&["status", "web", "--json"], 0).json();
    let found = row(&status, "web");
    assert_eq!((&found["status"], &found["scope"]), (&json!("connected"), &json!("mcplink")));
    assert_eq!(found["source"], place.to_str().unwrap());
    assert!(setting.run(&["list", "--scope", "mcplink"], 0).stdout.contains("web"));

    let elsewhere = setting.home.write("elsewhere.json", json!({ "mcpServers": {} }).to_string()).unwrap();
    let moved =
        setting.mcplink(&["list"]).env("MCPLINK_CONFIG", elsewhere.to_str().unwrap()).run().expect_code(0);
    assert_eq!(moved.stdout, "");
    setting.home.write(".config/mcplink/mcp.json", "{").unwrap();
    let broken = setting.run(&["list"], 2);
    assert!(broken.stderr.contains(".config/mcplink/mcp.json:1"), "{broken}");
}

#[test]
fn servers_of_the_command_line_need_no_approval() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("mine", http(&server));
    let inline = json!({ "mcpServers": { "extra": http(&server) } }).to_string();
    setting.home.write_project("more.json", &inline).unwrap();
    for argument in [inline.as_str(), "more.json"] {
        setting.run(&["status", "extra", "--mcp-config", argument], 0);
        let strict =
            setting.run(&["status", "--strict-mcp-config", "--mcp-config", argument, "--json"], 0).json();
        assert_eq!(strict["servers"].as_array().unwrap().len(), 1);
        assert_eq!(row(&strict, "extra")["status"], "connected");
    }
    for unusable in ["missing.json", "{not json"] {
        setting.run(&["status", "--mcp-config", unusable], 2);
    }
}

#[test]
fn validate_names_file_line_and_field() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("good", http(&server));
    assert_eq!(setting.run(&["validate"], 0).stdout, "the configuration is valid\n");
    let broken = "{\n  \"mcpServers\": {\n    \"bad\": { \"type\": \"pigeon\", \"url\": \"https://example.com\" }\n  }\n}\n";
    setting.home.write_project("one.json", broken).unwrap();
    let output = setting.run(&["validate", "one.json"], 2);
    assert!(output.stdout.contains("one.json:3:"), "{output}");
    assert!(output.stdout.contains("bad") && output.stdout.contains("type"), "{output}");
    let document = setting.run(&["validate", "one.json", "--json"], 2).json();
    assert_eq!((&document["schemaVersion"], &document["valid"]), (&json!(1), &json!(false)));
    assert_eq!(document["problems"][0]["line"], 3);
    setting
        .home
        .write_project("two.json", json!({ "mcpServers": { "s": http(&server) } }).to_string())
        .unwrap();
    assert_eq!(setting.run(&["validate", "two.json"], 0).stdout, "two.json is valid\n");
    setting.run(&["validate", "missing.json"], 2);
    assert_eq!(server.connections(), 0);
}

#[test]
fn f119_a_url_without_a_type_is_reported_and_the_others_load() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("good", http(&server)).with("bad", json!({ "url": server.url().as_str() }));
    let output = setting.run(&["status"], 2);
    assert!(output.stdout.contains("good  connected"), "{output}");
    assert!(output.stdout.contains("bad   failed") && output.stdout.contains("type"), "{output}");
}

#[test]
fn f120_a_key_of_another_host_is_an_error_that_names_the_file() {
    let setting = Setting::new();
    setting.home.write_project(".mcp.json", r#"{ "servers": {} }"#).unwrap();
    let output = setting.run(&["validate"], 2);
    assert!(output.stdout.contains(".mcp.json") && output.stdout.contains("mcpServers"), "{output}");
}

#[test]
fn f121_a_byte_order_mark_is_fine_and_a_broken_file_is_left_alone() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let text = json!({ "mcpServers": { "s": http(&server) } }).to_string();
    setting.home.write(".claude.json", format!("\u{feff}// mine\n{text}")).unwrap();
    setting.run(&["status", "s"], 0);
    let broken = "{ \"mcpServers\": { \"s\": { \"type\": \"http\", ";
    let path = setting.home.write(".claude.json", broken).unwrap();
    let output = setting.run(&["validate"], 2);
    assert!(output.stdout.contains(".claude.json:1:"), "{output}");
    let status = setting.run(&["status"], 2);
    assert!(status.stderr.contains(".claude.json:1:"), "{status}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), broken);
}

#[test]
fn f122_a_missing_variable_is_named_and_the_server_still_loads() {
    let server = FakeMcpServer::start().unwrap();
    let mut entry = http(&server);
    entry["headers"] = json!({ "X-Key": "${NOT_SET_ANYWHERE}" });
    let output = Setting::of("s", entry).run(&["status"], 0);
    assert!(output.stderr.contains("NOT_SET_ANYWHERE"), "{output}");
    assert_eq!(server.requests()[0].header("x-key"), Some("${NOT_SET_ANYWHERE}"));
}

#[test]
fn paths_tells_which_files_are_read() {
    let setting = Setting::of("s", json!({ "type": "http", "url": "http://127.0.0.1:9/mcp" }));
    let output = setting.run(&["paths"], 0);
    assert!(output.stdout.contains(".claude.json") && output.stdout.contains(".mcp.json"), "{output}");
    for mark in ["read", "absent"] {
        assert!(output.stdout.lines().any(|line| line.starts_with(mark)), "{mark}: {output}");
    }
}

#[test]
fn a_place_that_is_never_read_is_named_where_something_stands_in_it() {
    let setting = Setting::new();
    assert!(!setting.run(&["paths"], 0).stdout.contains("mcp.json\n         a file of this name"));
    setting.home.write(".claude/mcp.json", "{}").unwrap();
    let output = setting.run(&["paths"], 0);
    let place = format!(
        "ignored  {}\n         a file of this name is never read here\n",
        setting.home.home().join(".claude/mcp.json").display()
    );
    assert!(output.stdout.contains(&place), "{output}");
    assert!(!output.stdout.contains("none"), "{output}");
}

#[test]
fn where_nothing_is_configured_there_is_nothing_to_be_valid() {
    let output = Setting::new().run(&["validate"], 0);
    assert!(output.stdout.starts_with("no servers are configured, so there is nothing to check"), "{output}");
}

#[test]
fn a_look_at_one_server_says_nothing_of_the_others_and_nothing_twice() {
    let server = FakeMcpServer::start().unwrap();
    let bad = json!({ "type": "pigeon", "url": "https://example.com" });
    let mut odd = http(&server);
    odd["headers"] = json!({ "X-Key": "${NOT_SET_ANYWHERE}" });
    let setting = Setting::of("good", http(&server)).with("bad", bad).with("odd", odd);
    for command in ["status", "reconnect"] {
        let output = setting.run(&[command, "good"], 0);
        assert!(
            !output.stderr.contains("pigeon") && !output.stderr.contains("NOT_SET"),
            "{command}: {output}"
        );
        let output = setting.run(&[command, "odd", "good"], 0);
        assert!(
            !output.stderr.contains("pigeon") && output.stderr.contains("NOT_SET"),
            "{command}: {output}"
        );
    }
    for arguments in [&["status"][..], &["status", "bad"], &["reconnect", "bad"], &["status", "--offline"]] {
        let output = setting.mcplink(arguments).run();
        let said = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(said.matches("unknown type \"pigeon\"").count(), 1, "{arguments:?}: {output}");
    }
    assert!(setting.run(&["list"], 2).stderr.contains("pigeon"), "a list has no rows that say it");
    // A file that cannot be understood is named, and once.
    setting.home.write_project(".mcp.json", "{").unwrap();
    let output = setting.mcplink(&["status", "good", "odd"]).run();
    assert_eq!(output.stderr.matches(".mcp.json:1").count(), 1, "{output}");
}

#[test]
fn fh_h2_a_helper_that_is_hidden_says_on_which_line_it_stands() {
    let entry = json!({ "type": "http", "url": "http://127.0.0.1:9/mcp", "headersHelper": "key=$(my-sso) && echo $key" });
    let output = Setting::of("s", entry).run(&["get", "s"], 0);
    assert!(output.stdout.contains("headersHelper  key=[redacted] (line 6)\n"), "{output}");
}

#[test]
fn version_and_completions_need_nothing() {
    let setting = Setting::new();
    let version = format!("mcplink {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(setting.run(&["version"], 0).stdout, version);
    assert_eq!(setting.run(&["--version"], 0).stdout, version);
    for shell in ["bash", "zsh", "fish"] {
        assert!(setting.run(&["completions", shell], 0).stdout.contains("mcplink __complete"), "{shell}");
    }
    for shell in ["elvish", "powershell"] {
        let script = setting.run(&["completions", shell], 0).stdout;
        for verb in ["reconnect", "status", "completions"] {
            assert!(script.contains(verb), "{shell}: {verb}");
        }
    }
    setting.run(&["completions", "tcsh"], 2);
}

#[test]
fn fh_h15_a_word_that_is_no_command_is_taken_for_the_nearest_or_for_none() {
    let setting = Setting::new();
    for (word, near) in
        [("stauts", Some("status")), ("reconect", Some("reconnect")), ("tcsh", None), ("weld", None)]
    {
        let ended = setting.run(&[word], 2);
        assert!(ended.stderr.contains(&format!("error: there is no command {word:?}\n")), "{ended}");
        match near {
            Some(near) => {
                assert!(ended.stderr.contains(&format!("did you mean {near:?}?")), "{ended}");
                assert!(ended.stderr.contains(&format!("next: mcplink {near} --help\n")), "{ended}");
            }
            None => assert!(!ended.stderr.contains("did you mean"), "{ended}"),
        }
    }
    let page = setting.run(&["help", "login"], 0).stdout;
    assert_eq!(page, setting.run(&["login", "--help"], 0).stdout);
    assert_eq!(setting.run(&["help"], 0).stdout, setting.run(&["--help"], 0).stdout);
    assert!(setting.run(&["help", "lgin"], 2).stderr.contains("did you mean \"login\"?"));
    let reason = setting.run(&["help", "unauthorised"], 2);
    assert!(
        reason.stderr.contains("did you mean \"unauthorized\"?\n  next: mcplink help unauthorized"),
        "{reason}"
    );
    let all = setting.run(&["help", "reasons"], 0);
    for code in mcp_status::ReasonCode::ALL {
        assert!(all.stdout.contains(&format!("  {code} ")), "{code}: {all}");
    }
    for alias in ["tools-list", "tools/list"] {
        assert!(setting.run(&[alias, "nothing"], 2).stderr.contains("no server is named"));
    }
}

#[test]
fn manual_pages_are_printed_or_written_for_every_command() {
    let setting = Setting::new();
    assert!(setting.run(&["man"], 0).stdout.contains("mcplink\\-status(1)"));
    let page = setting.run(&["man", "call"], 0).stdout;
    assert!(page.contains(".TH mcplink-call 1") && page.contains("key=string"), "{page}");
    let unknown = setting.run(&["man", "cal"], 2);
    assert!(unknown.stderr.contains("there is no command \"cal\""), "{unknown}");
    let folder = setting.home.home().join("man/man1");
    setting.run(&["man", "--out", folder.to_str().unwrap()], 0);
    for page in ["mcplink.1", "mcplink-bridge.1", "mcplink-man.1"] {
        assert!(folder.join(page).is_file(), "{page}");
    }
    setting.run(&["man", "--out", "/dev/null/x"], 1);
}

#[test]
fn colour_is_only_used_where_it_is_wanted() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    let coloured = |args: &[&str], variable: Option<&str>| {
        let mut command = setting.mcplink(args);
        if let Some(name) = variable {
            command = command.env(name, "1");
        }
        command.run().expect_code(0).stdout.contains('\u{1b}')
    };
    assert!(!coloured(&["tools", "s"], None), "a pipe is plain");
    assert!(coloured(&["tools", "s", "--color", "always"], None));
    assert!(!coloured(&["tools", "s", "--color", "never"], None));
    assert!(!coloured(&["tools", "s"], Some("NO_COLOR")));
}
