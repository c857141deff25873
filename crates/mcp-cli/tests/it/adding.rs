//! `add`, `add-json` and `remove`: what is asked, what is written, what is refused, and what is told.
//!
//! Longer than 500 lines because each way of writing a server is asked the same questions.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use mcp_testkit::{Accept, FakeAuthServer, FakeBrowser, FakeEra, FakeHelper, FakeMcpServer, ScriptedAnswer};
use serde_json::{Value, json};

use crate::setting::{Setting, http};

const OWN: &str = ".config/mcplink/mcp.json";

fn own(setting: &Setting) -> PathBuf {
    setting.home.home().join(OWN)
}

fn read(path: &PathBuf) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn entry(setting: &Setting, name: &str) -> Value {
    read(&own(setting))["mcpServers"][name].clone()
}

#[test]
fn fh_h5_a_server_is_asked_what_it_is_and_added_with_its_state() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let added = setting.run(&["add", "tickets", server.url().as_str()], 0);
    let file = own(&setting).display().to_string();
    assert_eq!(added.stdout.lines().next().unwrap(), format!("added tickets (mcplink) {file}:3"), "{added}");
    assert!(added.stdout.lines().nth(1).unwrap().starts_with("it works: "), "{added}");
    assert_eq!(entry(&setting, "tickets"), json!({ "type": "http", "url": server.url().as_str() }));
    assert_eq!(setting.status("tickets")["status"], "connected");

    // One that speaks the older transport is found out, too.
    let older = FakeMcpServer::builder().era(FakeEra::HttpSse).start().unwrap();
    let document = setting.run(&["add", "older", older.url().as_str(), "--json"], 0).json();
    assert_eq!(
        (&document["entry"]["type"], &document["server"]["status"]),
        (&json!("sse"), &json!("connected"))
    );
    assert_eq!((&document["server"]["transport"], &document["changed"]), (&json!("sse"), &json!(true)));
    assert_eq!(entry(&setting, "older")["type"], "sse");
    // And what a person said of it is not.
    let document = setting.run(&["add", "said", "-t", "http", older.url().as_str(), "--json"], 0).json();
    assert_eq!(document["entry"]["type"], "http");

    // A name that is left out is that of the host.
    let url = server.url();
    let document = setting.run(&["add", url.as_str(), "--json"], 0).json();
    let name = format!("127-0-0-1-{}", url.port().unwrap());
    assert_eq!((&document["name"], &document["scope"]), (&json!(name), &json!("mcplink")));
}

/// A helper runs where the entry stands, and not where it was typed: the state at the end is that of every later look.
#[test]
fn fh_h5_a_helper_is_run_where_it_will_be_when_it_is_added() {
    let setting = Setting::new();
    let server = FakeMcpServer::builder().accept("A").start().unwrap();
    let script = "#!/bin/sh\necho '{\"Authorization\": \"Bearer A\"}'\n";
    let path = setting.home.write_project("tok.sh", script).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let added = setting.run(&["add", "own", server.url().as_str(), "--headers-helper", "./tok.sh"], 0).stdout;
    assert!(added.contains("needs-auth") && !added.contains("it works"), "{added}");
    assert_eq!(setting.status("own")["reason"]["code"], "helper-failed");
    let here = ["add", "mine", server.url().as_str(), "-s", "local", "--headers-helper", "./tok.sh"]
        .map(str::to_owned);
    let here: Vec<&str> = here.iter().map(String::as_str).collect();
    setting.run(&["trust", "--yes"], 0);
    assert!(setting.run(&here, 0).stdout.contains("it works"), "there it is where it was typed");
}

/// What is sent otherwise than it was meant is told when it is written, and at each use.
#[test]
fn fh_h5_a_variable_that_is_not_set_is_told_by_each_command_that_sends_it() {
    let setting = Setting::new();
    let server = FakeMcpServer::start().unwrap();
    let told = "headers.Authorization: the variable NO_SUCH_KEY is not set";
    let add = ["add", "notes", server.url().as_str(), "-H", "Authorization: Bearer ${NO_SUCH_KEY}"]
        .map(str::to_owned);
    let add: Vec<&str> = add.iter().map(String::as_str).collect();
    for line in [
        &[&add[..], &["--dry-run"]].concat()[..],
        &add,
        &["call", "notes", "echo", "text=1"],
        &["tools", "notes"],
        &["ping", "notes"],
        &["headers", "notes"],
        &["status", "notes"],
    ] {
        let output = setting.mcplink(line).run();
        let said = output.stderr.replace("\n", " ").replace("  ", " ");
        assert_eq!(said.matches(told).count(), 1, "{line:?}: {output}");
    }
    let quiet = setting.mcplink(&["ping", "notes", "--quiet"]).run();
    assert!(!quiet.stderr.contains("NO_SUCH_KEY"), "{quiet}");
}

#[test]
fn fh_h5_the_account_of_the_command_line_is_that_of_the_entry() {
    let setting = Setting::new();
    let json = r#"{"type": "http", "url": "https://h.example/mcp", "account": "home"}"#;
    for line in [&["add", "x", "https://h.example/mcp"][..], &["add-json", "y", json]] {
        setting.run(&[line, &["--account", "work", "--no-check"]].concat(), 0);
        assert_eq!(entry(&setting, line[1])["account"], "work");
    }
    let refused = setting.run(&["add", "z", "--account", "work", "--", "true"], 2);
    assert!(refused.stderr.contains("this is a command"), "{refused}");
}

#[test]
fn fh_h5_what_does_not_answer_is_written_all_the_same_and_told() {
    let refusing = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let setting = Setting::new();
    let nothing = "http://127.0.0.1:9/mcp";
    for (name, url, code, status) in
        [("down", nothing, 4, "failed"), ("closed", refusing.url().as_str(), 3, "needs-auth")]
    {
        let added = setting.run(&["add", name, url], 0);
        assert!(added.stdout.contains("added") && added.stdout.contains(status), "{added}");
        assert_eq!(entry(&setting, name)["url"], url);
        // The exit that a script may want.
        let checked = setting.run(&["add", name, url, "--replace", "--check"], code);
        assert!(checked.stdout.contains("replaced") && checked.stdout.contains(status), "{checked}");
    }
    let asked = refusing.connections();
    let document = setting.run(&["add", "x", refusing.url().as_str(), "--no-check", "--json"], 0).json();
    assert_eq!((&document["server"], refusing.connections()), (&Value::Null, asked));
}

#[test]
fn f033_headers_and_helpers_of_the_command_line_are_found_in_the_file_and_sent() {
    let setting = Setting::new();
    let token = setting.home.secret("token");
    let server = FakeMcpServer::builder().accept(Accept::header("x-api-key", &token)).start().unwrap();
    let url = server.url();
    let add = ["add", "x", url.as_str(), "-H", &format!("X-Api-Key: {token}"), "--header", "X-Team:a:b"];
    let added = setting.mcplink(&add).may_hold_secrets(format!("home/{OWN}")).run().expect_code(0);
    assert!(added.stdout.contains("it works"), "{added}");
    assert_eq!(entry(&setting, "x")["headers"], json!({ "X-Api-Key": token, "X-Team": "a:b" }));
    // It is told that a secret is in a file now, and how it is kept out.
    assert!(added.stderr.contains("X-Api-Key is a secret") && added.stderr.contains("${X_TOKEN}"), "{added}");
    // The difference of an entry is shown without it as well, and nothing is written.
    let before = fs::read(own(&setting)).unwrap();
    for args in [&["add", "x", url.as_str(), "--replace", "--dry-run"][..], &["remove", "x", "--dry-run"]] {
        let shown = setting.run(args, 0).stdout;
        assert!(shown.contains("-   \"x\": {") && shown.contains("\"X-Api-Key\": \"[redacted]\""), "{shown}");
    }
    assert_eq!(fs::read(own(&setting)).unwrap(), before);

    let helper = FakeHelper::new().unwrap();
    helper.prints(json!({ "X-Api-Key": token }).to_string());
    let command = helper.command();
    let document = setting
        .mcplink(&["add", "h", url.as_str(), "--headers-helper", &command, "--client-id", "me", "--json"])
        .may_hold_secrets(format!("home/{OWN}"))
        .run()
        .expect_code(0)
        .json();
    assert_eq!(document["server"]["status"], "connected");
    assert_eq!(entry(&setting, "h")["headersHelper"], command);
    assert_eq!(entry(&setting, "h")["oauth"], json!({ "clientId": "me" }));
}

#[test]
fn fh_h5_a_person_at_a_terminal_may_have_a_variable_in_the_place_of_a_secret() {
    let server = FakeMcpServer::builder().accept(Accept::bearer("abcabcabc")).start().unwrap();
    let url = server.url();
    for (typed, in_full, expected, said) in [
        (&["\n"][..], None, Some("Bearer ${keyring:mcp/x}"), "it works"),
        (&["what?\n", "keyring\n"], None, Some("Bearer ${keyring:mcp/x}"), "it works"),
        // The variable is not set, so what is written does not work yet.
        (&["v\n"], None, Some("Bearer ${X_TOKEN}"), "X_TOKEN"),
        (&["f\n"], Some("yes\n"), Some("Bearer abcabcabc"), "it works"),
        (&["f\n", "q\n"], Some("y\n"), None, "nothing was written"),
        (&["cancel\n"], None, None, "nothing was written"),
    ] {
        let setting = Setting::new();
        let line = ["add", "x", url.as_str(), "-H", "Authorization: Bearer abcabcabc"];
        let Some(add) = setting.on_a_terminal(&line) else { return };
        let mut running = add.start();
        for (count, line) in typed.iter().enumerate() {
            running.wait_for_stdout("the question", |shown| shown.matches("q to leave]").count() > count);
            running.write(line).unwrap();
            if let (0, Some(in_full)) = (count, in_full) {
                running.wait_for_stdout("the other question", |shown| shown.contains("Type yes"));
                running.write(in_full).unwrap();
            }
        }
        running.close_stdin();
        let done = running.wait().expect_code(if expected.is_some() { 0 } else { 3 });
        assert!(done.stdout.contains(said), "{typed:?}: {done}");
        assert_eq!(done.stdout.contains("it works"), said == "it works", "{typed:?}: {done}");
        match expected {
            Some(expected) => assert_eq!(entry(&setting, "x")["headers"]["Authorization"], expected),
            None => assert!(!own(&setting).exists(), "{done}"),
        }
        if expected.is_some_and(|expected| expected.contains("keyring")) {
            // What is written is what was asked.
            setting.run(&["status", "x"], 0);
        }
    }
}

#[test]
fn what_stands_there_is_neither_replaced_nor_touched() {
    let setting = Setting::new();
    let text = "{\r\n\t// mine\r\n\t\"mcpServers\": {\r\n\t\t\"a\": {\"command\": \"true\"}, // a\r\n\t},\r\n\t\"own\": [1,2],\r\n}";
    setting.home.write(OWN, text).unwrap();
    let refused = setting.run(&["add", "a", "http://127.0.0.1:9/mcp", "--no-check"], 2);
    assert!(
        refused.stderr.contains("a is there already (mcplink, ")
            && refused.stderr.contains("mcp.json:4)")
            && refused.stderr.contains("--replace replaces it")
            && refused.stderr.contains("next: mcplink get a\n"),
        "{refused}"
    );
    assert!(refused.stderr.contains("why: it is true"), "{refused}");
    assert_eq!(fs::read_to_string(own(&setting)).unwrap(), text);
    setting.run(&["add", "b", "-e", "K=v", "--no-check", "--", "run", "-x"], 0);
    let with = fs::read_to_string(own(&setting)).unwrap();
    assert_eq!(
        with,
        text.replace(
            " // a\r\n",
            " // a\r\n\t\t\"b\": {\r\n\t\t\t\"type\": \"stdio\",\r\n\t\t\t\"command\": \"run\",\r\n\t\t\t\"args\": [\"-x\"],\r\n\t\t\t\"env\": {\r\n\t\t\t\t\"K\": \"v\"\r\n\t\t\t}\r\n\t\t},\r\n"
        )
    );
    setting.run(&["remove", "b"], 0);
    assert_eq!(fs::read_to_string(own(&setting)).unwrap(), text);

    // A file that is not understood is named with the place, and left.
    setting.home.write(OWN, "{\n  \"mcpServers\": {,}\n}").unwrap();
    for args in [
        &["add", "b", "--no-check", "--", "run"][..],
        &["remove", "a"],
        &["add-json", "b", "{\"command\": \"x\"}"],
    ] {
        let refused = setting.run(args, 2);
        assert!(refused.stderr.contains("mcp.json:2:18: "), "{refused}");
        assert!(refused.stderr.lines().count() <= 3, "{refused}");
    }
    assert_eq!(fs::read_to_string(own(&setting)).unwrap(), "{\n  \"mcpServers\": {,}\n}");
}

#[test]
fn an_entry_that_could_not_be_used_is_not_written() {
    let setting = Setting::new();
    for (args, why) in [
        (&["add-json", "x", "{\"url\": 5}"][..], "expected a string"),
        (&["add-json", "x", "[]"], "expected an object, found an array"),
        (&["add-json", "x", "{"], "the file ends inside an object"),
        (&["add-json", "x", "{\"mcpServers\": {}}"], "give the entry alone"),
        (&["add-json", "x", "{}"], "has neither `command` nor `url`"),
        (&["add", "workspace", "http://127.0.0.1:9/"], "reserved"),
        (&["add", "", "--", "x"], "a server needs a name"),
        (&["add", "x", "http://127.0.0.1:9/", "-H", "A B: c"], "headers"),
        (&["add", "x", "http://127.0.0.1:9/", "--scope", "managed"], "no command writes managed servers"),
        (&["add", "x", "npx"], "a command comes behind `--`"),
        (&["add", "https://h.example/mcp", "x"], "the name comes before the URL"),
    ] {
        let refused = setting.run(args, 2);
        assert!(refused.stderr.contains(why), "{args:?}: {refused}");
        assert!(refused.stderr.lines().count() <= 3, "{refused}");
    }
    assert!(!own(&setting).exists());
    let added = setting
        .mcplink(&["add-json", "x", "-", "--no-check"])
        .stdin("{\"command\": \"run\", \"timeout\": 5000, \"enviroment\": {}}");
    let added = added.run().expect_code(0);
    assert!(added.stderr.contains("unknown field \"enviroment\""), "{added}");
    assert_eq!(entry(&setting, "x"), json!({ "command": "run", "timeout": 5000, "enviroment": {} }));
}

#[test]
fn s_k8_a_server_that_a_person_adds_to_the_project_is_approved_as_it_is() {
    let (server, other) = (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    let setting = Setting::new();
    let document =
        setting.run(&["add", "db", server.url().as_str(), "--scope", "project", "--json"], 0).json();
    assert_eq!((&document["scope"], &document["server"]["status"]), (&json!("project"), &json!("connected")));
    let file = setting.home.project().join(".mcp.json");
    assert_eq!(document["file"], file.canonicalize().unwrap().display().to_string());
    assert_eq!(setting.status("db")["status"], "connected");
    // What is made of it later is not what was agreed to.
    let changed = fs::read_to_string(&file).unwrap().replace(server.url().as_str(), other.url().as_str());
    fs::write(&file, changed).unwrap();
    assert_eq!(setting.status("db")["reason"]["code"], "changed-since-approval");
    assert_eq!(other.connections(), 0);
}

#[test]
fn each_scope_is_written_where_other_programs_look() {
    let setting = Setting::new().with("mine", json!({ "command": "x" }));
    for scope in ["user", "local", "project"] {
        setting.run(&["add", scope, "--no-check", "-s", scope, "--", "run"], 0);
    }
    let user = read(&setting.home.home().join(".claude.json"));
    let folder = setting.home.project().canonicalize().unwrap().display().to_string();
    assert_eq!(user["mcpServers"]["user"]["command"], "run");
    assert_eq!(user["projects"][&folder]["mcpServers"]["local"]["command"], "run", "{user:#}");
    assert_eq!(read(&setting.home.project().join(".mcp.json"))["mcpServers"]["project"]["command"], "run");
    assert!(!own(&setting).exists());
    // What is not in our own file is removed only where it is said where it is.
    let refused = setting.run(&["remove", "mine"], 2);
    assert!(refused.stderr.contains("next: mcplink remove mine --scope user"), "{refused}");
    for (name, scope) in [("mine", "user"), ("local", "local"), ("project", "project")] {
        let removed = setting.run(&["remove", name, "--scope", scope], 0);
        assert!(removed.stdout.starts_with(&format!("removed {name} ({scope}) ")), "{removed}");
    }
    let left = setting.run(&["list"], 0).stdout;
    assert_eq!(left.lines().count(), 1, "{left}");
    let refused = setting.run(&["remove", "nope"], 2);
    assert!(refused.stderr.contains("no server is named \"nope\""), "{refused}");
}

#[test]
fn f048_what_is_kept_for_a_server_goes_with_it() {
    let server = FakeMcpServer::start().unwrap();
    let auth = FakeAuthServer::start().unwrap();
    auth.protect(&server);
    let setting = Setting::new();
    let added = setting.run(&["add", "s", server.url().as_str()], 0);
    assert!(added.stdout.contains("next: mcplink login s"), "{added}");
    let browser = FakeBrowser::new().unwrap();
    let login = setting.mcplink(&["login", "s"]).env("BROWSER", browser.command());
    login.may_hold_secrets("state").run().expect_code(0);
    assert_eq!(setting.home.sign_ins().len(), 1);
    // Another definition of the name may need it.
    setting.run(&["add", "s", "-s", "user", server.url().as_str(), "--no-check"], 0);
    setting.run(&["remove", "s", "-s", "user"], 0);
    assert_eq!(setting.home.sign_ins().len(), 1);
    let removed = setting.run(&["remove", "s"], 0);
    assert!(removed.stdout.contains("forgot "), "{removed}");
    assert_eq!(setting.home.sign_ins().len(), 0);
    let added = setting.run(&["add", "s", server.url().as_str()], 0);
    assert!(
        added.stdout.contains("next: mcplink login s"),
        "there is no sign-in to another one of that name: {added}"
    );
}

/// Options that are repeatable take one value each, wherever they stand: a name behind one is a name.
#[test]
fn f125_options_that_take_values_leave_the_name_alone() {
    let url = "http://127.0.0.1:9/mcp";
    for (line, name, expected) in [
        (
            &["-H", "X-A: 1", "h1", url][..],
            "h1",
            json!({ "type": "http", "url": url, "headers": { "X-A": "1" } }),
        ),
        (
            &["-H", "X-A: 1", "--header", "X-B: 2", "h2", url, "-t", "sse"],
            "h2",
            json!({ "type": "sse", "url": url, "headers": { "X-A": "1", "X-B": "2" } }),
        ),
        (
            &["h3", "-H", "X-A: 1", url],
            "h3",
            json!({ "type": "http", "url": url, "headers": { "X-A": "1" } }),
        ),
        (
            &["-e", "A=1", "e1", "--", "run", "-H", "x"],
            "e1",
            json!({ "command": "run", "args": ["-H", "x"], "env": { "A": "1" } }),
        ),
        (
            &["--env", "A=1", "-e", "B=2", "e2", "--", "run"],
            "e2",
            json!({ "command": "run", "env": { "A": "1", "B": "2" } }),
        ),
        (&["e3", "--env=A=1", "--", "run"], "e3", json!({ "command": "run", "env": { "A": "1" } })),
        (&["--scope", "mcplink", "-t", "stdio", "s1", "--", "run"], "s1", json!({ "command": "run" })),
        (&["--client-id", "me", "--callback-port", "80", "o1", url], "o1", Value::Null),
    ] {
        let setting = Setting::new();
        let words: Vec<&str> = [&["add", "--no-check"], line].concat();
        setting.run(&words, 0);
        let mut found = entry(&setting, name);
        assert!(found.is_object(), "{line:?}: {:#}", read(&own(&setting)));
        if expected.is_null() {
            continue;
        }
        // Written where it is not what is meant without it.
        if expected.get("type").is_none() {
            found.as_object_mut().unwrap().remove("type");
        }
        assert_eq!(found, expected, "{line:?}");
    }
    // Nor those that every command has.
    let setting = Setting::new().with("x", json!({ "command": "x" }));
    let extra = r#"{"mcpServers": {"y": {"command": "y"}}}"#;
    for line in [
        &["get", "--mcp-config", extra, "x", "--json"][..],
        &["get", "--mcp-config", extra, "--scope", "user", "x", "--json"],
        &["--mcp-config", extra, "--color", "never", "get", "x", "--json"],
    ] {
        assert_eq!(setting.run(line, 0).json()["server"]["name"], "x", "{line:?}");
    }
}

#[test]
fn f127_a_name_in_several_scopes_is_removed_from_the_one_that_is_named() {
    let setting = Setting::new();
    for scope in ["mcplink", "user", "local", "project"] {
        setting.run(&["add", "x", "--no-check", "-s", scope, "--", scope], 0);
    }
    let folder = setting.home.project().canonicalize().unwrap().display().to_string();
    let left = || {
        let user = read(&setting.home.home().join(".claude.json"));
        let project = read(&setting.home.project().join(".mcp.json"));
        let entries = [
            entry(&setting, "x"),
            user["mcpServers"]["x"].clone(),
            user["projects"][&folder]["mcpServers"]["x"].clone(),
            project["mcpServers"]["x"].clone(),
        ];
        entries.map(|entry| entry["command"].as_str().map(str::to_owned))
    };
    let all = ["mcplink", "user", "local", "project"].map(|scope| Some(scope.to_owned()));
    assert_eq!(left(), all);
    let mut expected = all;
    for (scope, place) in [("user", 1), ("project", 3), ("local", 2)] {
        let removed = setting.run(&["remove", "x", "--scope", scope], 0);
        assert!(removed.stdout.starts_with(&format!("removed x ({scope}) ")), "{removed}");
        expected[place] = None;
        assert_eq!(left(), expected, "{scope}");
        // Twice is told, and takes no other one.
        setting.run(&["remove", "x", "--scope", scope], 2);
        assert_eq!(left(), expected, "{scope}");
    }
    setting.run(&["remove", "x"], 0);
    assert_eq!(left(), [None, None, None, None]);
}

/// Each command that writes, at once, on one file: all of it is there afterwards, and nothing of what a person wrote is lost.
#[test]
fn f128_commands_that_change_one_file_at_once_lose_nothing() {
    let mine = "{\n  // mine\n  \"mcpServers\": {\n    \"keep\": { \"command\": \"keep\" }, // this one\n    \"gone\": { \"command\": \"gone\" }\n  },\n  \"unknown\": [1,  2]\n}\n";
    let setting = Setting::new();
    setting.home.write(OWN, mine).unwrap();
    let lines: Vec<Vec<String>> = (0..6)
        .map(|number| {
            vec!["add".into(), format!("n{number}"), "--no-check".into(), "--".into(), "run".into()]
        })
        .chain([
            vec!["remove".into(), "gone".into()],
            vec!["disable".into(), "keep".into()],
            vec!["add-json".into(), "json".into(), r#"{"command": "json"}"#.into(), "--no-check".into()],
        ])
        .collect();
    let children: Vec<_> = lines.iter().map(|line| setting.spawn(line)).collect();
    for (mut child, line) in children.into_iter().zip(&lines) {
        assert!(child.wait().unwrap().success(), "{line:?}");
    }
    let text = fs::read_to_string(own(&setting)).unwrap();
    for kept in ["// mine", "// this one", "\"unknown\": [1,  2]"] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    let listed = setting.run(&["list", "--json"], 0).json();
    let mut names: Vec<&str> =
        listed["servers"].as_array().unwrap().iter().map(|server| server["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["json", "keep", "n0", "n1", "n2", "n3", "n4", "n5"], "{text}");
    assert_eq!(setting.status("keep")["status"], "disabled", "{text}");
}

#[test]
fn f128_sixteen_at_once_are_all_there() {
    let setting = Setting::new();
    let children: Vec<_> = (0..16)
        .map(|number| setting.spawn(["add", &format!("n{number}"), "--no-check", "--", "run"]))
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(read(&own(&setting))["mcpServers"].as_object().unwrap().len(), 16);
}

#[test]
fn f128_killed_at_any_moment_the_file_is_one_that_was_written() {
    let setting = Setting::new();
    setting.run(&["add", "first", "--no-check", "--", "run"], 0);
    for number in 0..25_u64 {
        let before = read(&own(&setting));
        let mut child = setting.spawn(["add", &format!("n{number}"), "--no-check", "--", "run"]);
        std::thread::sleep(Duration::from_millis(number * 3));
        child.kill().unwrap();
        child.wait().unwrap();
        // Whole, and with all that was there.
        let after = read(&own(&setting));
        let (before, after) =
            (before["mcpServers"].as_object().unwrap(), after["mcpServers"].as_object().unwrap());
        assert!(before.iter().all(|(name, entry)| after.get(name) == Some(entry)));
    }
    // The next one is held up by nothing that they left, and clears it away.
    setting.run(&["add", "last", "--no-check", "--", "run"], 0);
    let folder = own(&setting).parent().unwrap().to_owned();
    let names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["mcp.json"]);
}

#[test]
fn the_schema_that_is_printed_is_the_one_that_is_shipped() {
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mcp.schema.json");
    let printed = Setting::new().run(&["schema"], 0).json();
    // The order of members is that of the build.
    let shipped: Value = serde_json::from_str(&fs::read_to_string(shipped).unwrap()).unwrap();
    assert_eq!(printed, shipped, "run `cargo xtask docs`");
    assert!(printed["$defs"]["server"].is_object());
}

#[test]
fn fh_h5_no_step_leads_to_an_entry_that_was_only_shown() {
    let setting = Setting::new();
    let shown = setting.run(&["add", "x", "http://127.0.0.1:9/mcp", "--dry-run"], 0);
    assert!(
        shown.stdout.contains("failed") && !shown.stdout.contains("next: "),
        "there is no x yet: {shown}"
    );
    // A person who wants to see it first has agreed to no command.
    let ran = setting.home.home().join("ran");
    let touch = format!("touch {}", ran.display());
    let json = json!({ "url": "http://127.0.0.1:9/mcp", "headersHelper": touch }).to_string();
    for line in [
        &["add", "x", "--dry-run", "--", "sh", "-c", &touch][..],
        &["add", "x", "http://127.0.0.1:9/mcp", "--headers-helper", &touch, "--dry-run"],
        &["add-json", "x", &json, "--dry-run"],
    ] {
        let shown = setting.run(line, 0).stdout;
        assert!(shown.contains("the server was not asked") && !ran.exists(), "{line:?}: {shown}");
    }
    let added = setting.run(&["add", "x", "--", "no-such-command"], 0);
    assert!(added.stdout.contains("next: correct `command` of x\n"), "{added}");
    for url in ["https://", "http://?x"] {
        let refused = setting.run(&["add", "y", url], 2);
        assert!(refused.stderr.starts_with("error: the URL names no host\n"), "{refused}");
    }
    assert!(!setting.run(&["hosts"], 0).stderr.contains("\n\n"), "no line is empty");
}

/// Why a file was not changed is said once, and not as a second error of the file.
#[test]
fn a_broken_file_that_was_to_be_changed_is_told_once() {
    for text in ["{\"mcpServers\": {", "{\"mcpServers\": []}"] {
        for line in [
            &["add", "b", "https://b.example/mcp", "--no-check"][..],
            &["add-json", "b", "{\"command\": \"b\"}", "--no-check"],
            &["remove", "a"],
            &["disable", "a"],
        ] {
            let setting = Setting::new();
            let path = setting.home.write(".config/mcplink/mcp.json", text).unwrap();
            let refused = setting.run(line, 2);
            assert_eq!(refused.stderr.matches("error: ").count(), 1, "{line:?}: {refused}");
            assert!(refused.stderr.lines().count() <= 3, "{line:?}: {refused}");
            assert_eq!(std::fs::read_to_string(path).unwrap(), text);
        }
    }
}

/// It would be in the file and of no use, and its server would have been asked.
#[test]
fn fh_h5_what_a_policy_forbids_is_neither_asked_nor_written_and_listed_as_that() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("shut", http(&server));
    let url = server.url().to_string();
    let list =
        json!({ "deniedMcpServers": [{ "serverUrl": format!("{url}*") }, { "serverCommand": ["x"] }] });
    setting.home.write(".claude/settings.json", list.to_string()).unwrap();
    let entry = http(&server).to_string();
    for line in [
        &["add", "new", &url][..],
        &["add", "new", &url, "--no-check"],
        &["add-json", "new", &entry],
        &["add", "new", "--", "x"],
    ] {
        let refused = setting.run(line, 2);
        assert!(refused.stderr.contains("new may not be used here, so it is not written"), "{refused}");
        assert!(refused.stderr.contains("next: change deniedMcpServers["), "{refused}");
        assert!(!refused.stderr.contains("asking"), "{refused}");
    }
    assert!(server.requests().is_empty() && !setting.home.home().join(".config/mcplink").exists());
    let listed = setting.run(&["list"], 2);
    assert!(listed.stdout.contains("(blocked by policy)"), "{listed}");
    assert_eq!(setting.run(&["list", "--json"], 2).json()["servers"][0]["blocked"], true);
}

/// Followed, each of these would have written an entry that nothing can use.
#[test]
fn fh_h5_words_in_the_wrong_place_are_put_right_and_nothing_is_written() {
    let setting = Setting::new();
    for (line, next) in [
        (&["add", "http://h.example/mcp", "toy"][..], "mcplink add toy http://h.example/mcp"),
        (&["add", "http://h.example/mcp", "--", "x"], "give the server a name of one word"),
        (&["add-json", "http://h.example/mcp", "{\"command\": \"x\"}"], "give the server a name of one word"),
        (&["add", "toy", "--", "http://h.example/mcp"], "mcplink add toy http://h.example/mcp"),
        (&["add", "sh", "--", "node server.js"], "mcplink add sh -- node server.js"),
    ] {
        let refused = setting.run(line, 2);
        assert!(refused.stderr.ends_with(&format!("  next: {next}\n")), "{line:?}: {refused}");
        assert!(!own(&setting).exists(), "{line:?}: {refused}");
    }
    // What is left aside of an entry is told when it is written.
    let server = FakeMcpServer::builder().accept(Accept::bearer("right")).start().unwrap();
    let mut misspelt = http(&server);
    misspelt["header"] = json!({ "Authorization": "Bearer ${RIGHT}" });
    let added = setting.run(&["add-json", "k", &misspelt.to_string()], 0);
    assert!(added.stderr.contains("unknown field \"header\""), "{added}");
}

/// What leads back to this program alone is told when it is added, and not at every look afterwards.
#[test]
fn an_entry_that_only_leads_back_to_itself_is_not_written() {
    let server = FakeMcpServer::start().unwrap();
    let setting =
        Setting::of("web", http(&server)).with("a", json!({ "command": "mcplink", "args": ["bridge", "b"] }));
    let own = own(&setting);
    let line = "mcplink bridge s";
    for command in
        [&["mcplink", "bridge", "s"][..], &["sh", "-c", line], &["env", "A=1", "mcplink", "bridge", "s"]]
    {
        for more in [&[][..], &["--no-check"], &["--dry-run"]] {
            let arguments = [&["add", "s"], more, &["--"], command].concat();
            let output = setting.run(&arguments, 2);
            assert!(
                output.stderr.starts_with("error: s would lead to no server, so it is not written\n"),
                "{output}"
            );
            assert!(
                output.stderr.contains("  why: it is a bridge to \"s\", and no server itself"),
                "{output}"
            );
            assert!(!output.to_string().contains("--mcp-config"), "it stands nowhere: {output}");
        }
    }
    let json = r#"{"command": "mcplink", "args": ["bridge", "a"]}"#;
    let output = setting.run(&["add-json", "b", json], 2);
    assert!(output.stderr.contains("it leads back to itself: b → a → b"), "{output}");
    assert!(!own.exists(), "nothing was written");
    // A way to a server that is there is none that leads back.
    setting.run(&["add", "way", "--no-check", "--", "mcplink", "bridge", "web"], 0);
    assert!(own.exists());
}

/// It is written, whatever the server does; who wants to know more asks for it.
#[test]
fn fh_h5_a_server_that_says_nothing_does_not_keep_the_one_who_adds_it() {
    let server = FakeMcpServer::builder().always(ScriptedAnswer::Hang).start().unwrap();
    let url = server.url().to_string();
    let setting = Setting::new();
    let added = setting.run(&["add", "mute", &url, "--json"], 0).json();
    assert_eq!(
        (&added["changed"], &added["server"]["status"]),
        (&json!(true), &json!("pending")),
        "{added:#}"
    );
    let told = added["server"]["reason"]["message"].as_str().unwrap();
    assert!(told.contains("no more was known after 5 s (--timeout)"), "{told}");
    // So it is for a host's.
    let wrapped = setting.run(&["wrap", "cursor", "mute", "--yes", "--json"], 0).json();
    let check = &wrapped["servers"][0]["check"];
    assert_eq!(check["status"], "pending", "{wrapped:#}");
    assert!(check["message"].as_str().unwrap().contains("after 5 s"), "{wrapped:#}");
}
