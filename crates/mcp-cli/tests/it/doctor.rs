//! `doctor`: numbered checks, one cause and one command, in a pipe, on a terminal and as JSON; the exchanges where they are asked for.

use std::time::{Duration, SystemTime};

use mcp_testkit::{Accept, FakeAuthServer, FakeHelper, FakeMcpServer, HttpAnswer};
use serde_json::json;

use crate::setting::{Setting, http, row, with_headers, with_helper};

const CANARY: &str = "canary-5b20c11d";

#[test]
fn doctor_names_one_cause_and_one_command_and_ends_as_status_does() {
    let server = FakeMcpServer::builder().accept("right").start().unwrap();
    let headers = json!({ "Authorization": format!("Bearer {CANARY}") });
    let setting = Setting::of("closed", with_headers(&server, headers));
    let closed = setting.run(&["doctor", "closed"], 3);
    let text = &closed.stdout;
    setting.run(&["status", "closed"], 3);
    assert!(text.starts_with(&format!("closed  {}\n", server.url())), "{text}");
    assert!(text.contains(" 1 ✔ configuration  "), "{text}");
    assert!(text.contains("✘ answer         POST server/discover: 401"), "{text}");
    assert!(text.contains("· tools          not reached"), "{text}");
    assert_eq!(text.matches("\ncause  ").count(), 1, "{text}");
    let step = text.lines().find_map(|line| line.strip_prefix("do     ")).expect("a command");
    assert!(step.starts_with("correct `headers` of ") && step.contains(".json:"), "{step}");
    assert!(!text.contains(CANARY) && !text.contains("exchanges"), "{text}");
}

#[test]
fn doctor_runs_a_helper_once_and_shows_how_that_ended() {
    let server = FakeMcpServer::builder().accept("right").start().unwrap();
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearer("right");
    let setting = Setting::of("s", with_helper(&server, &helper));
    let text = setting.run(&["doctor", "s"], 0).stdout;
    assert!(text.contains("headersHelper supplies the credentials"), "{text}");
    assert!(text.contains("✔ helper run") && text.contains("exit 0 after"), "{text}");
    assert!(text.contains("cause  none: it is connected with"), "{text}");
    assert_eq!(helper.runs(), 1);
}

#[test]
fn doctor_as_json_has_the_row_of_status_with_checks_cause_and_exchanges() {
    let (server, auth) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
    auth.protect(&server);
    let setting = Setting::of("s", http(&server));
    let document = setting.run(&["doctor", "s", "--json", "--trace"], 3).json();
    let row = &document["servers"][0];
    assert_eq!(document["schemaVersion"], 1);
    assert_eq!((&row["status"], &row["reason"]["code"]), (&json!("needs-auth"), &json!("unauthorized")));
    assert_eq!(row["cause"]["next"], "mcplink login s");
    let checks = row["checks"].as_array().unwrap();
    let number = row["cause"]["check"].as_u64().unwrap();
    let blamed = checks.iter().find(|check| check["number"] == number).unwrap();
    assert_eq!((&blamed["topic"], &blamed["state"]), (&json!("answer"), &json!("bad")));
    let exchanges = row["exchanges"].as_array().unwrap();
    let discovery = |exchange: &&serde_json::Value| {
        exchange["url"].as_str().unwrap().contains("/.well-known/oauth-authorization-server")
    };
    // Each request on the way to a sign-in, with its answer.
    for (topic, state, parts) in [
        (
            "resource-metadata",
            "ok",
            &["/.well-known/oauth-protected-resource", ": 200 ", "tokens come from "][..],
        ),
        (
            "authorization-server",
            "ok",
            &["/.well-known/oauth-authorization-server", ": 200 ", "tokens from "],
        ),
        ("registration", "ok", &["a client registers itself at "]),
        ("token", "skipped", &["no sign-in of this server is kept"]),
        ("sessions", "skipped", &["none is live"]),
    ] {
        let check = checks.iter().find(|check| check["topic"] == topic).unwrap_or_else(|| panic!("{topic}"));
        assert_eq!(check["state"], state, "{check:#}");
        assert!(parts.iter().all(|part| check.to_string().contains(part)), "{check:#}");
    }
    assert_eq!(exchanges.iter().find(discovery).unwrap()["status"], 200, "{exchanges:?}");
    assert!(setting.run(&["doctor", "s", "--json"], 3).json()["servers"][0].get("exchanges").is_none());
}

/// A sign-in that is kept has what was kept of it, and what became of its renewal.
#[test]
fn doctor_looks_at_each_part_of_a_kept_sign_in() {
    let (server, auth) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
    auth.protect(&server);
    let setting = Setting::of("s", http(&server));
    let browser = mcp_testkit::FakeBrowser::new().unwrap();
    setting.mcplink(&["login", "s"]).env("BROWSER", browser.command()).run().expect_code(0);
    let found = checks(&setting.run(&["doctor", "s", "--json"], 0).json());
    assert!(found["token"].contains("good for") && found["token"].contains(&auth.issuer()), "{found:#?}");
    assert!(found["refresh"].contains("not needed now; it is renewed automatically"), "{found:#?}");
    assert!(found["store"].contains("/tokens/") && found["store"].contains("a token of"), "{found:#?}");
    assert!(found["keyring"].contains("not in use") && !found.contains_key("registration"), "{found:#?}");
}

#[test]
fn doctor_draws_the_exchanges() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    let trace = setting.run(&["doctor", "s", "--trace"], 0).stdout;
    assert!(trace.contains(&format!("     0 ms  POST {} server/discover", server.url())), "{trace}");
    let diagram = setting.run(&["doctor", "s", "--trace", "--mermaid"], 0).stdout;
    assert!(diagram.starts_with("sequenceDiagram\n  participant C as mcplink\n"), "{diagram}");
    assert!(diagram.contains("  C->>S0: POST /mcp server/discover\n  S0-->>C: 200 "), "{diagram}");
    setting.run(&["doctor", "--trace"], 2);
}

#[test]
fn doctor_of_all_has_a_line_for_each_and_what_to_do_about_those_that_fail() {
    let open = FakeMcpServer::start().unwrap();
    let shut = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let setting = Setting::of("open", http(&open))
        .with("gone", json!({ "type": "http", "url": "http://127.0.0.1:1/mcp" }))
        .with("off", http(&open))
        .with("shut", http(&shut))
        .disabled(&["off"]);
    let text = setting.run(&["doctor"], 8).stdout;
    assert!(text.contains("✔ open  it is connected with"), "{text}");
    assert!(text.contains("✘ gone  no connection to http://127.0.0.1:1"), "{text}");
    assert!(text.contains("  do    mcplink wait gone"), "{text}");
    assert!(text.contains("⊘ off   switched off by projects["), "{text}");
    assert!(text.contains("! shut  the server asks for credentials"), "the mark of `status`: {text}");
    let off = setting.run(&["doctor", "off"], 0).stdout;
    assert!(off.contains("do     mcplink enable off"), "{off}");
}

/// The checks of the one server that was examined.
fn checks(document: &serde_json::Value) -> std::collections::BTreeMap<String, String> {
    let checks = document["servers"][0]["checks"].as_array().unwrap().iter();
    checks
        .map(|check| {
            let topic = check["topic"].as_str().unwrap().to_owned();
            (topic, format!("{} {} {}", check["state"], check["message"], check["more"]))
        })
        .collect()
}

#[test]
fn doctor_says_which_way_was_taken_and_why() {
    let server = FakeMcpServer::start().unwrap();
    let port = server.address().port();
    let seen = |url: String, proxy: Option<&str>, variables: &[(&str, &str)]| {
        let mut entry = json!({ "type": "http", "url": url });
        if let Some(proxy) = proxy {
            entry["proxy"] = json!(proxy);
        }
        let setting = Setting::of("s", entry);
        let mut command = setting.mcplink(&["doctor", "s", "--json"]);
        for (name, value) in variables {
            command = command.env(*name, *value);
        }
        checks(&command.run().json())
    };
    let here = || format!("http://localhost:{port}/mcp");
    let dead = ("HTTP_PROXY", "http://me:canary-of-proxy@127.0.0.1:1");
    let found = seen(here(), None, &[dead]);
    assert!(found["proxy"].contains("never reached by http://127.0.0.1:1 (HTTP_PROXY)"), "{found:#?}");
    assert!(found["dns"].contains("localhost is ") && found["tcp"].contains("reached in"), "{found:#?}");
    assert!(!format!("{found:?}").contains("canary"), "{found:#?}");
    let found = seen(here(), Some("none"), &[dead]);
    assert!(found["proxy"].contains("as is set for this server"), "{found:#?}");
    let elsewhere = || "http://mcp.invalid/mcp".to_owned();
    let found = seen(elsewhere(), None, &[dead, ("NO_PROXY", "x, .invalid")]);
    assert!(found["proxy"].contains("NO_PROXY has `.invalid`"), "{found:#?}");
    assert!(found["dns"].starts_with("\"bad\"") && !found.contains_key("tcp"), "{found:#?}");
    let found = seen(elsewhere(), None, &[dead]);
    assert!(found["proxy"].contains("by http://127.0.0.1:1 (HTTP_PROXY)"), "{found:#?}");
    assert!(found["tcp"].contains("(the proxy)") && found["tcp"].starts_with("\"bad\""), "{found:#?}");
}

/// The gallery has the clock as the cause; here is where it is none.
#[test]
fn doctor_blames_a_clock_for_credentials_that_end_alone_and_for_more_than_servers_forgive() {
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearer("x");
    let date = |seconds: u64| httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds));
    // What is in a file may have been made by a clock as well: it is told, and is not the cause.
    for (seconds, status, is_minted, is_blamed, is_told) in [
        (3600, 401, true, true, true),
        (240, 401, true, false, false),
        (9 * 3600, 401, false, false, true),
        (240, 401, false, false, false),
        (3600, 404, true, false, false),
    ] {
        let server = FakeMcpServer::start().unwrap();
        server.always(HttpAnswer::new(status).header("Date", date(seconds)).into());
        let entry = match is_minted {
            true => with_helper(&server, &helper),
            false => with_headers(&server, json!({ "Authorization": "Bearer x" })),
        };
        let seen = row(&Setting::of("s", entry).mcplink(&["doctor", "s", "--json"]).run().json(), "s");
        let cause = seen["cause"]["message"].as_str().unwrap();
        assert_eq!(cause.contains(": set it"), is_blamed, "{seconds}: {status}: {cause}");
        assert_eq!(cause.contains("the clock of this machine"), is_told, "{seconds}: {status}: {cause}");
    }
}

#[test]
fn doctor_shows_the_certificates_of_a_server_that_is_not_trusted() {
    let server = FakeMcpServer::start().unwrap();
    let port = crate::tls_front::tls_in_front_of(server.address(), "localhost").port();
    let setting = Setting::of("s", json!({ "type": "http", "url": format!("https://localhost:{port}/mcp") }));
    let found = checks(&setting.run(&["doctor", "s", "--json"], 4).json());
    let tls = &found["tls"];
    assert!(tls.starts_with("\"bad\"") && tls.contains("signed by mcplink test authority"), "{tls}");
    assert!(tls.contains("for localhost") && tls.contains(" to 2"), "{tls}");
}

#[test]
fn doctor_of_all_tells_of_broken_files_of_other_hosts_too() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    setting.home.write(".cursor/mcp.json", "{ \"mcpServers\": {").unwrap();
    let output = setting.run(&["doctor"], 0);
    assert!(output.stderr.contains(".cursor/mcp.json"), "{output}");
    let problems = setting.run(&["doctor", "--json"], 0).json()["problems"].to_string();
    assert!(problems.contains(".cursor/mcp.json"), "{problems}");
    let one = setting.run(&["doctor", "s"], 0);
    assert!(!one.stderr.contains(".cursor"), "{one}");
    let own = setting.home.write("own.json", "{\"mcpServers\": {}}").unwrap();
    let strict = setting.run(&["doctor", "--mcp-config", own.to_str().unwrap(), "--strict-mcp-config"], 0);
    assert!(!strict.stderr.contains(".cursor"), "{strict}");
}

/// One command at the end, also where what is wrong is a file.
#[test]
fn doctor_of_all_ends_with_what_to_do_where_a_file_is_broken() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    setting.home.write(".config/mcplink/mcp.json", "{\n  \"mcpServers\": {").unwrap();
    let output = setting.mcplink(&["doctor"]).run();
    let last = output.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("do     correct line ") && last.ends_with("mcp.json"), "{output}");
}

#[test]
fn doctor_of_a_url_and_of_no_server() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let url = server.url().to_string();
    let said = setting.run(&["doctor", &url], 0).stdout;
    assert!(said.contains("cause  none: it is connected"), "{said}");
    assert!(said.contains("you gave its address") && !said.contains("a file of your own"), "{said}");
    setting.run(&["doctor", "nothing"], 2);
    // Whichever command comes first tells how a person comes to a server.
    for first in ["", "list", "status", "doctor", "hosts", "menu"] {
        let line: &[&str] = if first.is_empty() { &[] } else { &[first] };
        let output = setting.run(line, 0);
        for way in ["mcplink add URL\n", "mcplink import\n", "mcplink demo\n"] {
            assert!(output.stderr.contains(way), "{first}: {output}");
        }
    }
    let lacking = setting.run(&["tools"], 2).stderr;
    assert!(lacking.ends_with("  next: mcplink list\n"), "{lacking}");
}

/// Where the terminal takes links, and nowhere else.
#[test]
fn a_terminal_that_takes_links_gets_them() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    let link = format!("\u{1b}]8;;{}\u{1b}\\{0}\u{1b}]8;;", server.url());
    let program = mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink"));
    for (options, is_linked) in [("", true), (" --color never", false), (" --json", false)] {
        let line = format!("{program} doctor s{options}");
        let Some(shell) = setting.shell_on_a_terminal(&line) else { return };
        let seen = shell.env("TERM_PROGRAM", "vscode").env("TERM", "xterm").run().expect_code(0);
        assert_eq!(seen.stdout.contains(&link), is_linked, "{options}: {seen}");
        assert_eq!(seen.stdout.contains("\u{1b}]8;;file://"), is_linked, "{options}: {seen}");
    }
    let piped = setting.mcplink(&["doctor", "s"]).env("TERM_PROGRAM", "vscode").run().expect_code(0);
    assert!(!piped.stdout.contains('\u{1b}'), "{piped}");
}

#[cfg(unix)]
#[test]
fn fh_h5_doctor_in_the_place_of_a_desktop_host_does_not_find_what_only_a_shell_finds() {
    use std::os::unix::fs::PermissionsExt as _;

    let server = FakeMcpServer::builder().accept("right").start().unwrap();
    let line = "T=$(my-sso) && printf '{\"Authorization\": \"Bearer %s\"}' \"$T\"";
    let entry = json!({ "type": "http", "url": server.url(), "headersHelper": line });
    let setting = Setting::of("s", entry).with("local", json!({ "command": "my-sso" }));
    let program = setting.home.write("bin/my-sso", "#!/bin/sh\necho right\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    let run = |arguments: &[&str]| setting.mcplink(arguments).env("PATH", path.clone()).run();
    let here = run(&["doctor", "s"]).expect_code(0);
    let not_there = "a host that a desktop starts would not find it: PATH there is /usr/";
    assert!(here.stdout.contains(not_there), "{here}");
    // A host that is started in a terminal has the PATH of the terminal.
    let absent = run(&["doctor", "s", "--as", "codex"]).expect_code(0);
    let nothing = "--as codex: Codex has neither a file nor a folder here: ~/.codex/config.toml";
    assert!(absent.stderr.contains(nothing), "{absent}");
    let document = run(&["doctor", "s", "--as", "codex", "--json"]).expect_code(0).json();
    assert!(document["problems"].to_string().contains("neither a file nor a folder"), "{document:#}");
    std::fs::create_dir(setting.home.home().join(".codex")).unwrap();
    let here = run(&["doctor", "s", "--as", "codex"]).expect_code(0);
    assert!(!here.stderr.contains("neither a file"), "{here}");
    let there = run(&["doctor", "s", "--as", "claude-desktop"]).expect_code(3);
    assert!(there.stderr.contains("as claude-desktop: PATH is /usr/"), "{there}");
    assert!(there.stdout.contains("my-sso: not found") && !there.stdout.contains(not_there), "{there}");
    let local = run(&["doctor", "local", "--as", "claude-desktop"]).expect_code(4);
    assert!(local.stdout.contains("`my-sso` is in no folder of its PATH"), "{local}");
    run(&["doctor", "s", "--as", "no-such-host"]).expect_code(2);
}
