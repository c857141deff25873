//! A URL in the place of a name, for every command that takes one.

use std::path::Path;

use mcp_harness::{Mcplink, Output};
use mcp_testkit::{Accept, FakeEra, FakeMcpServer, ScriptedAnswer};
use serde_json::{Value, json};

use crate::bridge::{INITIALIZE, echo, open, response, say};
use crate::setting::{Setting, row};

/// Runs a step as a person would who pastes it.
fn paste(setting: &Setting, step: &str) -> Output {
    let programs = Path::new(env!("CARGO_BIN_EXE_mcplink")).parent().unwrap();
    let shell = Mcplink::new("/bin/sh", &setting.home).args(["-c", step]);
    shell.env("PATH", format!("{}:/usr/bin:/bin", programs.display())).may_hold_secrets("state").run()
}

/// The step that an output names.
fn next(output: &Output) -> String {
    let all = format!("{}\n{}", output.stdout, output.stderr);
    let step = all.lines().filter_map(|line| line.split_once("next: ")).next_back();
    step.unwrap_or_else(|| panic!("no step: {output}")).1.trim().to_owned()
}

#[test]
fn fh_h5_every_command_takes_a_url_where_it_takes_a_name() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let (setting, url) = (Setting::new(), server.url());
    let url = url.as_str();
    let status = row(&setting.run(&["status", url, "--json"], 0).json(), url);
    assert_eq!((&status["status"], &status["url"]), (&json!("connected"), &json!(url)), "{status:#}");
    assert_eq!((&status["scope"], &status["source"]), (&json!("dynamic"), &json!("the command line")));
    assert!(setting.run(&["call", url, "echo", "text=hello"], 0).stdout.contains("hello"));
    assert!(setting.run(&["tools", url], 0).stdout.contains("echo"));
    for (command, codes) in [
        (&["wait", url][..], &[0][..]),
        (&["get", url], &[0]),
        (&["tools", url, "echo"], &[0]),
        (&["resources", url], &[0, 5, 6]),
        (&["read", url, "nope:///"], &[5, 6]),
        (&["prompts", url], &[0, 5, 6]),
        (&["prompt", url, "nope"], &[5, 6]),
        (&["complete", url, "a", "--prompt", "p"], &[0, 5, 6]),
        (&["ping", url], &[0]),
        (&["status", url, "--offline"], &[0]),
        (&["reconnect", url], &[0]),
        (&["login", url, "--non-interactive"], &[2, 3]),
        (&["logout", url], &[0]),
        (&["reset", url], &[0]),
        (&["logs", url], &[0]),
        (&["stop", url], &[2]),
    ] {
        let output = setting.mcplink(command).run();
        assert!(codes.contains(&output.code.unwrap()), "{command:?}: {output}");
        assert!(!output.to_string().contains("no server is named"), "{command:?}: {output}");
    }
}

#[test]
fn fh_h5_two_servers_of_one_host_are_two_and_the_file_keeps_its_own() {
    let servers = [(); 2].map(|()| FakeMcpServer::start().unwrap());
    let urls = servers.each_ref().map(|server| server.url().to_string());
    let setting = Setting::of("web", json!({ "type": "http", "url": urls[0], "headers": { "X-Own": "1" } }));
    let document = setting.run(&["status", &urls[0], "web", &urls[1], "--json"], 0).json();
    let names: Vec<&str> =
        document["servers"].as_array().unwrap().iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, [&*urls[0], "web", &urls[1]]);
    // What an entry has is for those who ask for it by name.
    let owned = servers[0].requests().iter().filter(|request| request.header("x-own").is_some()).count();
    assert!(owned > 0 && servers[0].requests().len() >= 2 * owned, "{owned}");
    setting.run(&["list"], 0);
    assert_eq!(setting.run(&["list", "--json"], 0).json()["servers"].as_array().unwrap().len(), 1);
}

#[test]
fn fa_a76_one_line_with_a_url_and_a_header_is_a_bridge_and_any_other_command() {
    let setting = Setting::new();
    let token = setting.home.secret("header");
    let server = FakeMcpServer::builder()
        .era(FakeEra::Legacy)
        .accept(Accept::Headers(vec![("authorization".to_owned(), format!("Bearer {token}"))]))
        .start()
        .unwrap();
    let url = server.url();
    let literal = format!("Authorization: Bearer {token}");
    for (header, variable) in
        [(&*literal, false), ("Authorization:Bearer ${env:T}", true), ("Authorization: Bearer ${T}", true)]
    {
        let mut bridge = setting.mcplink(&["bridge", url.as_str(), "-H", header, "--header", "X-Team: a"]);
        if variable {
            bridge = bridge.env("T", &token);
        }
        let mut bridge = bridge.start();
        say(&mut bridge, INITIALIZE);
        response(&bridge, 0);
        assert_eq!(echo(&mut bridge, 1)["result"]["content"][0]["text"], "hello");
        drop(bridge.wait().expect_code(0));
    }
    assert!(server.requests().iter().all(|request| request.header("x-team") == Some("a")));
    // The harness looks for the secret in what is printed.
    setting.run(&["call", url.as_str(), "echo", "text=hello", "-H", &literal, "-vv"], 0);
    setting.run(&["get", url.as_str(), "-H", &literal], 0);
    let refused = setting.run(&["status", url.as_str(), "-H", "Authorization: Bearer other"], 3);
    assert!(
        refused.to_string().contains("Authorization") || refused.to_string().contains("refused"),
        "{refused}"
    );
    setting.run(&["status", "web", "-H", &literal], 2);
}

#[test]
fn fh_h4_a_step_for_a_url_carries_it_and_runs_as_printed() {
    let server = FakeMcpServer::builder().always(ScriptedAnswer::status(503)).start().unwrap();
    let setting = Setting::new();
    let url = server.url();
    let headers = ["-H", "X-Api-Key: ${env:HOME}"];
    let look = [&["status", url.as_str()], &headers[..]].concat();
    let hidden = next(&setting.run(&[&look[..], &["-H", "X-Two: literal"]].concat(), 4));
    assert!(hidden.starts_with("put what was typed in the place of [redacted]: mcplink wait "), "{hidden}");
    assert!(!hidden.contains("literal"), "what could be a secret is printed: {hidden}");
    let step = next(&setting.run(&look, 4));
    assert!(step.contains(url.as_str()) && step.contains("'X-Api-Key: ${HOME}'"), "{step}");
    let output = paste(&setting, &format!("{step} --timeout 1s"));
    assert!(!output.stderr.contains("--help"), "{step}: {output}");
    assert_eq!(next(&output), "try again later, or ask the operator of the server");
    for (answer, code, said) in [
        (401, 3, "give it credentials, as in -H 'Authorization: Bearer ${TOKEN}'"),
        (404, 4, "correct the URL"),
    ] {
        server.always(ScriptedAnswer::status(answer));
        assert_eq!(next(&setting.run(&["status", url.as_str()], code)), said);
    }
}

#[test]
fn fa_a98_an_address_without_its_scheme_is_told_with_it() {
    let setting = Setting::of("web", json!({ "type": "http", "url": "https://h.example/" }));
    for (word, written) in [
        ("mcp.example.com/mcp", "mcplink status https://mcp.example.com/mcp"),
        ("mcp.example.com", "mcplink status https://mcp.example.com"),
        ("localhost:3000/mcp", "mcplink status http://localhost:3000/mcp"),
        ("127.0.0.1:3000", "mcplink status http://127.0.0.1:3000"),
        ("tickets.internal:8443", "mcplink status https://tickets.internal:8443"),
    ] {
        for command in ["status", "tools", "get", "bridge"] {
            let output = setting.mcplink(&[command, word]).run().expect_code(2);
            assert!(command == "bridge" || output.stderr.contains(written), "{command} {word}: {output}");
        }
    }
    for (word, not) in [("wbe", "https"), ("my.server", "https"), ("web.echo", "https")] {
        let output = setting.run(&["status", word], 2);
        assert!(!output.stderr.contains(not), "{word}: {output}");
    }
    let output = setting.run(&["status", "mcp.example.com/mcp?key=canary"], 2);
    assert!(!output.to_string().contains("canary"), "{output}");
    for (command, code) in [("remove", 2), ("enable", 2), ("approve", 2)] {
        let output = setting.run(&[command, "https://h.example/mcp"], code);
        assert!(output.stderr.contains("mcplink add https://h.example/mcp"), "{command}: {output}");
    }
}

#[test]
fn s_m10_s_m12_what_may_be_secret_in_a_url_is_never_shown() {
    let setting = Setting::new();
    let (password, query, fragment) =
        (setting.home.secret("password"), setting.home.secret("query"), setting.home.secret("fragment"));
    let server = FakeMcpServer::start().unwrap();
    let mut url = server.url();
    url.set_username("ann").unwrap();
    url.set_password(Some(&password)).unwrap();
    url.set_query(Some(&format!("key={query}")));
    url.set_fragment(Some(&fragment));
    // The harness looks for the secrets in everything that is printed and written.
    for command in ["status", "get", "tools", "ping", "reconnect"] {
        setting.run(&[command, url.as_str(), "-vv"], 0);
        setting.run(&[command, url.as_str(), "--json"], 0);
    }
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.query.as_ref().is_some_and(|text| text.contains(&query)))
    );
    assert!(server.requests().iter().all(|request| request.header("authorization").is_some()));
    server.always(ScriptedAnswer::status(404));
    let output = setting.run(&["status", url.as_str()], 4);
    assert!(output.stdout.contains("key=[redacted]"), "{output}");
    setting.run(&["call", url.as_str(), "echo"], 4);
}

#[test]
fn fh_h11_a_session_of_a_url_is_found_by_it() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::new();
    let url = server.url();
    let bridge = open(&setting, url.as_str());
    let listed = setting.run(&["ps", "--json"], 0).json();
    let session = &listed["sessions"].as_array().unwrap().iter().find(|s| s["name"] == url.as_str()).cloned();
    assert!(session.is_some(), "{listed:#}");
    let offline = row(&setting.run(&["status", url.as_str(), "--offline", "--json"], 0).json(), url.as_str());
    assert_eq!(offline["sessions"].as_array().map(Vec::len), Some(1), "{offline:#}");
    let output = setting.run(&["reconnect", url.as_str(), "--json"], 0).json();
    let reconnected = &row(&output, url.as_str())["reconnected"];
    assert_eq!(reconnected.as_array().map(Vec::len), Some(1), "{output:#}");
    assert!(setting.run(&["logs", url.as_str()], 0).stdout.contains("connected"));
    setting.run(&["stop", url.as_str()], 0);
    drop(bridge.wait());
    assert_eq!(server.violations(), Vec::<String>::new());
}

#[test]
fn an_administrators_exclusive_file_bars_urls_and_says_so() {
    // The file of the administrator is of the machine: here the rule is tried where it is decided.
    let home = mcp_testkit::TempHome::new().unwrap();
    let managed = home.home().join("managed");
    std::fs::create_dir_all(&managed).unwrap();
    std::fs::write(managed.join("managed-mcp.json"), r#"{"mcpServers": {}}"#).unwrap();
    let mut request = mcp_config::Request::new(home.home(), mcp_config::Env::new());
    request.managed_dir = Some(managed);
    request.addresses.push(mcp_config::address::Address::new("https://h.example/mcp", []).unwrap());
    let config = mcp_config::Config::load(&request);
    assert!(config.entry("https://h.example/mcp").is_none());
    let messages: Vec<&str> = config.problems.iter().map(|problem| &*problem.message).collect();
    assert!(
        messages.iter().any(|message| message.contains("a server by its URL cannot be used")),
        "{messages:?}"
    );
    let refused = |request: &mcp_config::Request| {
        let config = mcp_config::Config::load(request);
        config.refused_by_administrator().map(|problem| problem.message.clone()).unwrap_or_default()
    };
    assert!(refused(&request).contains("a server by its URL"));
    // So are the files of another host, and what is given with the command; without either, nothing is refused.
    request.addresses.clear();
    assert_eq!(refused(&request), "");
    request.host = mcp_config::hosts::KnownHost::named("cursor");
    assert!(refused(&request).contains("--from cannot be used"));
    request.host = None;
    request.mcp_config.push(r#"{"mcpServers": {}}"#.to_owned());
    assert!(refused(&request).contains("--mcp-config"));
}

/// Who gives a URL to a command that changes an entry means the one that has it, or wants one.
#[test]
fn fh_h5_a_url_where_only_a_name_can_be_leads_to_the_name() {
    let setting = Setting::of("wiki", json!({ "type": "http", "url": "https://w.example/mcp" }));
    for (line, words) in [
        (&["disable", "https://w.example/mcp"][..], "next: mcplink get wiki"),
        (&["remove", "https://w.example/other"], "next: mcplink add https://w.example/other"),
    ] {
        let refused = setting.run(line, 2);
        assert!(refused.stderr.contains(words), "{line:?}: {refused}");
    }
}

/// There is no file, no line and no entry of a URL: what was typed is named as it was typed.
#[test]
fn fh_h14_what_is_wrong_with_what_was_typed_is_told_by_its_option() {
    let server = FakeMcpServer::builder().accept("other").start().unwrap();
    let (url, gone) = (server.url().to_string(), "http://127.0.0.1:9");
    let setting = Setting::new();
    let header = "Authorization: Bearer ${env:NO_SUCH_TOKEN}";
    for command in [&["status"][..], &["call", "x"], &["tools"], &["doctor"]] {
        let line = [&command[..1], &[url.as_str(), "-H", header], &command[1..]].concat();
        let output = setting.mcplink(&line).run();
        let told = "warning: -H Authorization: the variable NO_SUCH_TOKEN is not set";
        let said = output.stderr.replace('\n', " ");
        assert_eq!(said.matches(told).count(), 1, "{command:?}: {output}");
        for word in ["the configuration", "mcpServers", ", line 1", "the command line, "] {
            assert!(!format!("{output}").contains(word), "{command:?}: {word}: {output}");
        }
    }
    let got = setting.mcplink(&["get", &url, "-H", header]).run().stdout;
    assert!(
        got.contains("the command line\n") && !got.contains("mcpServers") && !got.contains("line 1"),
        "{got}"
    );
    let proxied =
        setting.mcplink(&["status", "http://h.example/mcp", "--proxy", gone, "--json"]).run().json();
    let reason = &proxied["servers"][0]["reason"];
    let told = reason.to_string();
    assert!(told.contains("--proxy") && !told.contains("entry") && !told.contains("line 1"), "{reason:#}");
    let problems = setting.mcplink(&["status", &url, "-H", header, "--json"]).run().json();
    let problem = &problems["problems"][0];
    assert_eq!(
        (&problem["field"], &problem["line"]),
        (&"-H Authorization".into(), &Value::Null),
        "{problem:#}"
    );
}

/// What is in a file for a host may be this program on its way to a URL; a look is at the server, not at this program.
#[test]
fn fh_h1_an_entry_that_is_a_bridge_to_a_url_is_as_its_server_is() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let bridge = |url: &str| json!({ "command": "mcplink", "args": ["bridge", url] });
    let mut setting = Setting::of("good", bridge(server.url().as_str()));
    let refused = FakeMcpServer::builder().accept("good").start().unwrap();
    setting.write("refused", bridge(refused.url().as_str()));
    setting.write("gone", bridge("http://127.0.0.1:1/mcp"));
    assert_eq!(setting.status("good")["status"], "connected");
    assert_eq!(setting.status("refused")["status"], "needs-auth");
    let gone = setting.status("gone");
    assert_eq!(
        (&gone["status"], &gone["reason"]["code"]),
        (&json!("failed"), &json!("unreachable")),
        "{gone:#}"
    );
    setting.run(&["status", "gone"], 4);
    setting.run(&["call", "gone", "echo", "--timeout", "10s"], 4);
    setting.run(&["call", "good", "echo", "text=hello"], 0);

    // One that says more than an entry can is started, and what it says itself is how its server is.
    let mut hidden = bridge("http://127.0.0.1:1/mcp");
    (hidden["command"], hidden["env"]) =
        (json!(env!("CARGO_BIN_EXE_mcplink")), json!({ "SOME_VARIABLE": "x" }));
    setting.write("hidden", hidden);
    let called = setting.mcplink(&["call", "hidden", "echo", "text=hello"]).run();
    // Between two attempts of the bridge its server is pending.
    assert!(matches!(called.code, Some(4 | 7)), "{called}");
    assert!(called.stderr.contains("the request to hidden failed"), "{called}");
    assert!(!called.stderr.contains("refused the request"), "{called}");
}
