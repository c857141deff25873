//! `import`: what other hosts have, taken over into our own file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mcp_testkit::FakeMcpServer;
use serde_json::{Value, json};

use crate::borrowed::published;
use crate::setting::{Setting, row};

const OWN: &str = ".config/mcplink/mcp.json";

fn own(setting: &Setting) -> Value {
    let text = fs::read_to_string(setting.home.home().join(OWN)).unwrap_or_else(|_| "{}".to_owned());
    serde_json::from_str(&text).unwrap()
}

/// Every case of `mcp-config` that is about the file of a host.
pub(crate) fn cases() -> Vec<(String, String)> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mcp-config/tests/cases");
    let mut found: Vec<(String, String)> = fs::read_dir(cases)
        .unwrap()
        .map(|case| case.unwrap().path())
        .filter(|case| case.file_name().unwrap().to_str().unwrap().starts_with("host_"))
        .map(|case| {
            let request: Value =
                serde_json::from_str(&fs::read_to_string(case.join("request.json")).unwrap()).unwrap();
            let host = request["from"].as_str().unwrap().to_owned();
            (case.file_name().unwrap().to_str().unwrap().to_owned(), host)
        })
        .collect();
    found.sort();
    assert!(found.len() >= 27, "{found:?}");
    found
}

/// The files of hosts as they are now, our own left out.
pub(crate) fn others(setting: &Setting) -> BTreeMap<PathBuf, String> {
    let snapshot = setting.home.snapshot();
    let ours = |path: &&Path| {
        !path.to_string_lossy().contains("mcplink") && !path.starts_with("run") && !path.starts_with("state")
    };
    let paths: Vec<PathBuf> = snapshot.paths().filter(ours).map(Path::to_owned).collect();
    paths
        .into_iter()
        .map(|path| (path.clone(), String::from_utf8_lossy(snapshot.contents(path).unwrap()).into_owned()))
        .collect()
}

/// Name, state and address of each server that `list` tells of.
fn listed(setting: &Setting, from: &[&str]) -> BTreeMap<String, (String, String)> {
    let document = setting.mcplink(&[from, &["list", "--json"]].concat()).run().json();
    let servers = document["servers"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    servers
        .iter()
        .map(|row| {
            let endpoint = if row["url"].is_null() { &row["command"] } else { &row["url"] };
            (text(&row["name"]), (text(&row["transport"]), text(endpoint)))
        })
        .collect()
}

fn names_in_state(document: &Value, state: &str) -> Vec<String> {
    let servers = document["servers"].as_array().unwrap().iter();
    servers.filter(|one| one["state"] == state).map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn fh_h5_the_published_file_of_each_host_is_taken_over_once_and_left_as_it_is() {
    for (case, host) in cases() {
        let setting = published(&case);
        let before = others(&setting);
        let plan = setting.run(&["import", &host, "--json"], 0).json();
        assert_eq!(plan["dryRun"], true, "{case}");
        assert_eq!(own(&setting), json!({}), "{case}: nothing is written without a yes");
        let new = names_in_state(&plan, "new");
        assert!(!new.is_empty(), "{case}: {plan:#}");

        // By name, because some of them stand in a project's file.
        let mut line = vec!["import", &host, "--yes"];
        new.iter().for_each(|name| line.extend(["--name", name]));
        let taken = setting.run(&line, 0);
        assert!(taken.stdout.contains(&format!("took over {}", new.len())), "{case}: {taken}");
        assert_eq!(others(&setting), before, "{case}: the host's files are left as they are");

        // The same servers are there as when its file is read in place.
        let (theirs, ours) = (listed(&setting, &["--from", &host]), listed(&setting, &[]));
        for name in &new {
            assert_eq!(ours.get(name), theirs.get(name), "{case}: {name}");
        }
        // And the second time there is nothing to do.
        let text = fs::read(setting.home.home().join(OWN)).unwrap();
        let again = setting.run(&["import", &host, "--yes", "--json"], 0).json();
        assert_eq!(names_in_state(&again, "new"), Vec::<String>::new(), "{case}: {again:#}");
        for name in &new {
            assert!(names_in_state(&again, "same").contains(name), "{case}: {name}: {again:#}");
        }
        assert_eq!(fs::read(setting.home.home().join(OWN)).unwrap(), text, "{case}: twice changes nothing");
    }
}

#[test]
fn fh_h5_credentials_are_kept_in_our_words() {
    let setting = published("host_codex");
    let shown = setting.run(&["import", "codex", "--yes"], 0);
    assert!(shown.stdout.contains("http_headers_helper -> headersHelper"), "{shown}");
    let servers = own(&setting)["mcpServers"].clone();
    assert_eq!(servers["tickets"]["headersHelper"], "my-sso headers");
    assert_eq!(
        servers["figma"]["headers"],
        json!({"Authorization": "Bearer ${env:TOKEN}", "X-Figma-Region": "us-east-1", "X-Team": "${env:TEAM}"})
    );
    let oauth = &servers["tickets"]["oauth"];
    assert_eq!(
        (&oauth["clientId"], &oauth["callbackPort"], &oauth["scopes"]),
        (&json!("c-1"), &json!(7777), &json!("a b"))
    );
    assert!(
        !fs::read_to_string(setting.home.home().join(OWN)).unwrap().contains("hidden"),
        "a client secret"
    );
    // Line by line: the host, the server, the field, the place, and what to do.
    let line = shown.stderr.lines().find(|line| line.contains("client_secret")).unwrap();
    for part in [
        "not taken over: Codex tickets",
        "oauth.client_secret",
        "~/.codex/config.toml:26",
        "MCP_CLIENT_SECRET",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert_eq!(servers["figma"]["enabled_tools"], json!(["open"]));
    assert!(!shown.stderr.contains("enabled_tools"), "it is taken over: {shown}");
    // What `npx mcp-remote ..` said is reached directly.
    let setting = published("host_mcp_remote");
    let _ = setting.run(&["import", "--yes"], 0);
    let oauth = &own(&setting)["mcpServers"]["oauth"];
    assert_eq!(oauth["type"], "sse");
    assert_eq!(oauth["oauth"]["redirectUri"], "http://localhost:3334/oauth/callback");
}

/// A folder that is another one with each project, and a server that is off.
#[test]
fn fh_h5_what_becomes_of_an_entry_by_being_taken_over_is_told() {
    let setting = Setting::new();
    let entry = |name: &str, off: bool| {
        json!({ "mcpServers": {
            name: { "command": "x", "args": ["${workspaceFolder}/data"] },
            format!("{name}-off"): { "url": "https://h.example/mcp", "disabled": off },
        } })
        .to_string()
    };
    setting.home.write(".cursor/mcp.json", entry("mine", true)).unwrap();
    setting.home.write_project(".cursor/mcp.json", entry("shared", false)).unwrap();
    let shown = setting.run(&["import"], 0).stdout;
    let folder = setting.home.project().display().to_string();
    let sentence = format!("the folder that Cursor has open is {folder} now, and stays that once taken over");
    assert_eq!(shown.matches(&sentence).count(), 1, "a project's own file means this folder: {shown}");
    assert_eq!(shown.matches("switched off in Cursor, and here as well").count(), 1, "{shown}");
}

#[test]
fn fh_h5_without_a_terminal_nothing_is_asked_and_the_command_is_told() {
    let setting = published("host_zed");
    let output = setting.run(&["import"], 0);
    assert!(output.stdout.starts_with("found  servers  new   same  differs\n"), "{output}");
    assert!(
        output.stdout.contains("Zed       3        3     0     0     ~/.config/zed/settings.json"),
        "{output}"
    );
    assert!(output.stdout.contains("nothing is written yet; to do it: mcplink import --yes"), "{output}");
    let dry = setting.run(&["import", "zed", "--dry-run"], 0);
    assert!(dry.stdout.contains("to do it: mcplink import zed --yes"), "{dry}");
    assert_eq!(own(&setting), json!({}));
    for (line, why) in [
        (&["import", "zedd"][..], "did you mean \"zed\"?"),
        (&["import", "zed", "--name", "oldr"], "did you mean \"older\"?"),
        (&["import", "claude-code"], "its files are read by every command"),
    ] {
        let refused = setting.run(line, 2);
        assert!(refused.stderr.contains(why), "{refused}");
    }
    // A file of another scope, where that is wanted.
    let _ = setting.run(&["import", "zed", "--name", "older", "--yes", "--scope", "user"], 0);
    assert_eq!(row(&setting.run(&["list", "--json"], 0).json(), "older")["scope"], "user");
    let nothing = Setting::new();
    assert!(nothing.run(&["import"], 0).stdout.contains("no other host has servers here"));
    // Nor has one whose file was taken away.
    let _ = fs::remove_file(setting.home.home().join(".config/zed/settings.json"));
    let gone = setting.run(&["import", "zed", "--yes"], 0);
    assert!(gone.stdout.contains("Zed has no servers in its files; `mcplink paths --from zed`"), "{gone}");
    let gone = setting.run(&["import", "zed", "--name", "older", "--yes"], 2);
    assert!(gone.stderr.contains("Zed has no server named \"older\""), "{gone}");
}

#[test]
fn s_b1_fh_h5_what_a_project_brings_along_is_taken_over_by_its_name_only() {
    let setting = Setting::new();
    let marker = setting.home.home().join("ran");
    // What would run is shown to its end, however long its beginning is.
    let run = json!({"command": "touch", "args": [marker, "x".repeat(300), "the-end"]});
    setting.home.write_project(".cursor/mcp.json", json!({"mcpServers": {"evil": run}}).to_string()).unwrap();
    // A name of this person is not taken by a project either.
    let theirs = json!({"mcpServers": {"mine": {"url": "https://stranger.example/mcp"}}});
    setting.home.write_project(".vscode/mcp.json", theirs.to_string()).unwrap();
    let mine = json!({"mcpServers": {"mine": {"url": "https://mine.example/mcp"}}});
    setting
        .home
        .write(".codeium/windsurf/mcp_config.json", mine.to_string().replace("\"url\"", "\"serverUrl\""))
        .unwrap();
    let taken = setting.run(&["import", "--yes"], 0);
    assert!(taken.stdout.contains("is in a project's file"), "{taken}");
    assert!(taken.stdout.contains("the-end"), "{taken}");
    assert!(taken.stdout.contains("mcplink import cursor --name evil --yes"), "{taken}");
    assert_eq!(
        own(&setting)["mcpServers"],
        json!({"mine": {"type": "http", "url": "https://mine.example/mcp"}})
    );
    let _ = setting.mcplink(&["status", "--json"]).run();
    assert!(!marker.exists(), "nothing of a project ran");
    // Named, it is taken with the place that it means.
    let _ = setting.run(&["import", "--name", "evil", "--yes"], 0);
    assert_eq!(own(&setting)["mcpServers"]["evil"]["cwd"], json!(setting.home.project()));
    assert!(!marker.exists(), "and still nothing ran");
}

#[test]
fn fh_h5_a_file_that_is_read_anyway_is_not_compared_with_itself() {
    let setting =
        Setting::new().project_file(json!({ "docs": { "type": "http", "url": "https://d.example/mcp" } }));
    assert!(setting.run(&["import"], 0).stdout.contains("no other host has servers here"));
    let refused = setting.run(&["import", "copilot"], 2);
    assert!(refused.stderr.contains("the servers of Copilot CLI are used as they are"), "{refused}");
    let listed = setting.run(&["hosts"], 0);
    assert!(!listed.stderr.contains("import") && listed.stdout.contains("copilot"), "{listed}");
    assert!(!setting.run(&["hosts", "--from", "copilot"], 0).stderr.contains("import"));
    // What the host has besides is compared.
    setting
        .home
        .write(".copilot/mcp-config.json", "{\"mcpServers\": {\"more\": {\"command\": \"x\"}}}")
        .unwrap();
    let plan = setting.run(&["import", "copilot", "--json"], 0).json();
    assert_eq!(plan["found"].as_array().unwrap().len(), 1, "{plan:#}");
    assert_eq!(plan["servers"][0]["name"], "more");
    assert!(setting.run(&["hosts"], 0).stderr.contains("mcplink import"));
}

#[test]
fn fh_h5_another_server_of_a_name_is_shown_and_replaced_only_when_it_is_named() {
    let setting = Setting::new();
    let ours = "{\n  // mine\n  \"mcpServers\": {\n    \"wiki\": {\"type\": \"http\", \"url\": \"https://a.example/mcp\"} // a\n  }\n}\n";
    setting.home.write(OWN, ours).unwrap();
    let theirs = json!({"mcpServers": {"wiki": {"url": "https://b.example/mcp"}}});
    setting.home.write(".cursor/mcp.json", theirs.to_string()).unwrap();
    let output = setting.run(&["import", "--yes"], 0);
    assert!(output.stdout.contains("another server has its name (~/.config/mcplink/mcp.json:4)"), "{output}");
    assert!(output.stdout.contains("-     \"url\": \"https://a.example/mcp\""), "{output}");
    assert!(output.stdout.contains("+     \"url\": \"https://b.example/mcp\""), "{output}");
    assert!(output.stdout.contains("mcplink import cursor --name wiki --yes"), "{output}");
    assert_eq!(fs::read_to_string(setting.home.home().join(OWN)).unwrap(), ours);
    let _ = setting.run(&["import", "--name", "wiki", "--yes"], 0);
    let text = fs::read_to_string(setting.home.home().join(OWN)).unwrap();
    assert_eq!(text, ours.replace("a.example", "b.example"));
    // Written in another order, with a switch and a limit, it is the same server.
    let other =
        json!({"mcpServers": {"wiki": {"timeout": 5000, "url": "https://b.example/mcp", "disabled": false}}});
    setting.home.write(".cursor/mcp.json", other.to_string()).unwrap();
    let document = setting.run(&["import", "--json"], 0).json();
    assert_eq!(document["servers"][0]["state"], "same", "{document:#}");
}

#[test]
fn fh_h5_what_a_host_asks_for_is_a_variable_and_its_value_is_in_no_file() {
    let setting = published("host_vscode");
    let output = setting.run(&["import", "vscode", "--name", "wiki", "--yes"], 0);
    assert!(output.stderr.contains("set WIKI_KEY wherever mcplink runs"), "{output}");
    assert!(!output.stderr.contains("set REGION"), "it has a value of its own: {output}");
    let wiki = &own(&setting)["mcpServers"]["wiki"];
    assert_eq!(wiki["headers"]["Authorization"], "Bearer ${env:WIKI_KEY}");
    // A secret that is in a host's file is copied, never shown, and told.
    let setting = Setting::new();
    let token = setting.home.secret("token");
    let entry =
        json!({"mcpServers": {"x": {"url": "https://x.example/mcp", "headers": {"X-Api-Key": token}}}});
    setting.home.write(".cursor/mcp.json", entry.to_string()).unwrap();
    let output =
        setting.mcplink(&["import", "--yes"]).may_hold_secrets(format!("home/{OWN}")).run().expect_code(0);
    assert!(output.stderr.contains("X-Api-Key of x is a secret"), "{output}");
    assert_eq!(own(&setting)["mcpServers"]["x"]["headers"]["X-Api-Key"], json!(token));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(setting.home.home().join(OWN)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn fh_h5_a_person_at_a_terminal_chooses_by_number_and_by_name() {
    for (typed, expected) in [
        ("\n", &["older", "local-mcp-server", "remote-mcp-server"][..]),
        ("n\n", &[]),
        ("2\n", &["older"]),
        ("nosuch\nremote-mcp-server, 2\n", &["older", "remote-mcp-server"]),
    ] {
        let setting = published("host_zed");
        let Some(import) = setting.on_a_terminal(&["import"]) else { return };
        let mut running = import.start();
        for (count, line) in typed.split_inclusive('\n').enumerate() {
            running
                .wait_for_stdout("the question", |shown| shown.matches("numbers and names]").count() > count);
            running.write(line).unwrap();
        }
        running.close_stdin();
        let output = running.wait().expect_code(0);
        let mut names: Vec<String> = own(&setting)["mcpServers"]
            .as_object()
            .map_or_else(Vec::new, |all| all.keys().cloned().collect());
        names.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(names, expected, "{typed:?}: {output}");
        if typed == "\n" {
            // All of it is here now: no person is asked which of nothing to take.
            let Some(again) = setting.on_a_terminal(&["import"]) else { return };
            let output = again.run().expect_code(0);
            assert!(output.stdout.contains("nothing new to take over"), "{output}");
            assert!(!output.stdout.contains("(none):"), "{output}");
        }
    }
}

#[test]
fn fh_h5_ways_through_this_program_are_no_servers_to_take_over() {
    let setting = Setting::new();
    let entries = json!({"mcpServers": {
        "way": {"command": "/opt/mcplink", "args": ["bridge", "tickets"]},
        "direct": {"command": "mcplink", "args": ["bridge", "https://d.example/mcp"]},
    }});
    setting.home.write(".cursor/mcp.json", entries.to_string()).unwrap();
    let document = setting.run(&["import", "--yes", "--json"], 0).json();
    assert_eq!(document["found"][0]["pointers"], 1, "{document:#}");
    assert_eq!(
        own(&setting)["mcpServers"],
        json!({"direct": {"type": "http", "url": "https://d.example/mcp"}})
    );
}

#[test]
fn sixteen_imports_at_once_lose_nothing() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let servers: BTreeMap<String, Value> =
        (0..16).map(|number| (format!("n{number}"), json!({"url": server.url().as_str()}))).collect();
    setting.home.write(".cursor/mcp.json", json!({"mcpServers": servers}).to_string()).unwrap();
    let children: Vec<_> =
        (0..16).map(|number| setting.spawn(["import", "--name", &format!("n{number}"), "--yes"])).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(own(&setting)["mcpServers"].as_object().unwrap().len(), 16);
}

/// Our own file is not wrong from its first day on: what would be left aside there is said, and not written. A server that
/// its host cannot read the switch of stays off.
#[test]
fn fh_h5_what_our_file_would_leave_aside_is_said_and_not_taken_over() {
    for (file, host, text, written, told) in [
        (
            ".codex/config.toml",
            "codex",
            "[mcp_servers.a]\nurl = \"https://a.example/mcp\"\ntool_timeout_sec = -5\nenabled = \"no\"\n",
            json!({ "type": "http", "url": "https://a.example/mcp", "enabled": false }),
            &["tool_timeout_sec", "negative or not whole"][..],
        ),
        (
            ".cursor/mcp.json",
            "cursor",
            "{\"mcpServers\": [{\"name\": \"a\", \"url\": \"https://u:p@a.example/mcp\", \"headers\": {\"Authorization\": \"Bearer x\"}, \"colour\": \"red\"}]}",
            // The password is left aside there, and the address is not.
            json!({ "type": "http", "url": "https://u:p@a.example/mcp", "headers": { "Authorization": "Bearer x" } }),
            &["unknown field \"colour\""],
        ),
        (
            ".config/goose/config.yaml",
            "goose",
            "b: &b {enabled: true}\nextensions:\n  a:\n    <<: *b\n    type: sse\n    uri: https://a.example/mcp\n    enabled: yes\n",
            json!({ "type": "sse", "url": "https://a.example/mcp", "enabled": false }),
            &["unknown field \"<<\""],
        ),
    ] {
        let setting = Setting::new();
        setting.home.write(file, text).unwrap();
        let report = setting.run(&["import", host, "--yes"], 0);
        assert_eq!(own(&setting)["mcpServers"]["a"], written, "{host}: {report}");
        for words in told {
            assert!(report.stderr.contains(words), "{host} {words}: {report}");
        }
        let again = setting.run(&["import", host, "--json"], 0).json();
        assert_eq!(again["servers"][0]["state"], "same", "{host}: {again:#}");
        let list = setting.run(&["list", "--json"], 0).json();
        let of_values = list["problems"].as_array().unwrap().iter();
        let of_values: Vec<_> =
            of_values.filter(|one| one["message"].as_str().unwrap().contains("expected")).collect();
        assert!(of_values.is_empty(), "{host}: {list:#}");
    }
}

#[test]
fn fh_h5_where_no_file_can_be_read_nothing_is_taken_over_and_that_is_no_success() {
    let setting = Setting::new();
    setting.home.write(".cursor/mcp.json", "{").unwrap();
    let said = setting.run(&["import", "--yes"], 2);
    assert!(
        said.stderr.contains("error: nothing is taken over: no file could be read\n  next: correct "),
        "{said}"
    );
    let said = setting.run(&["import", "--yes", "--json"], 2);
    assert!(said.stderr.contains(r#""code":"invalid-config""#) && said.json()["found"].is_array(), "{said}");
    setting.home.write(".codex/config.toml", "[mcp_servers.a]\ncommand = 'x'\n").unwrap();
    assert!(setting.run(&["import", "--yes"], 0).stdout.contains("took over 1"));
}

/// Files of a person that are elsewhere, and not there yet.
#[cfg(unix)]
#[test]
fn fh_h15_a_file_of_ours_that_is_a_link_to_nothing_is_told() {
    let setting = Setting::new();
    let own = setting.home.write(".config/mcplink/mcp.json", "").unwrap();
    fs::remove_file(&own).unwrap();
    std::os::unix::fs::symlink("/nowhere/mcp.json", &own).unwrap();
    let said = setting.run(&["list"], 2);
    let told = "mcp.json: it is a link that leads nowhere (to /nowhere/mcp.json)";
    assert!(said.stderr.contains(told), "{said}");
    // A home that is none is told where nothing is found in it.
    fs::remove_file(&own).unwrap();
    for (home, told) in [
        ("/dev/null", ": HOME is /dev/null, which is not a folder\n"),
        ("/nowhere", ": HOME is /nowhere, which is not there\n"),
        (".", ": HOME is ., which is looked for in this folder\n"),
    ] {
        let said = setting.mcplink(&["list"]).env("HOME", home).run().expect_code(0);
        assert!(said.stderr.starts_with(&format!("no servers are configured{told}")), "{said}");
    }
}

/// What is picked from a list is asked for with it, and what a host has a command of its own for is told.
#[test]
fn fh_h5_inputs_that_are_picked_or_come_of_a_command_are_what_they_are() {
    let servers = json!({ "a": {
        "type": "http",
        "url": "https://a.example/mcp",
        "headers": { "X-Region": "${input:region}", "X-Ticket": "${input:ticket}" },
    } });
    let inputs = json!([
        { "id": "region", "type": "pickString", "description": "The region", "options": ["eu", { "label": "America", "value": "us" }] },
        { "id": "ticket", "type": "command", "command": "acme.ticket" },
    ]);
    let setting = Setting::new();
    let file = json!({ "inputs": inputs, "servers": servers }).to_string();
    setting.home.write(".config/Code/User/mcp.json", &file).unwrap();
    let plan = setting.run(&["import", "vscode", "--json"], 0).json();
    assert_eq!(plan["servers"][0]["inputs"][0]["choices"], json!(["eu", "us"]), "{plan:#}");
    assert!(
        plan["notTakenOver"].to_string().contains("VS Code runs its command acme.ticket for it"),
        "{plan:#}"
    );
    let Some(import) = setting.on_a_terminal(&["import", "vscode"]) else { return };
    let mut running = import.start();
    for (question, count, typed) in [
        ("numbers and names]", 1, "\n"),
        ("leave it empty to set REGION", 1, "asia\n"),
        ("leave it empty to set REGION", 2, "2\n"),
        ("leave it empty to set TICKET", 1, "\n"),
    ] {
        running.wait_for_stdout(question, |shown| shown.matches(question).count() >= count);
        running.write(typed).unwrap();
    }
    running.close_stdin();
    let output = running.wait().expect_code(0);
    assert!(output.stdout.contains("2 us") && output.stdout.contains("is not one of them"), "{output}");
    assert_eq!(
        own(&setting)["mcpServers"]["a"]["headers"],
        json!({ "X-Region": "${REGION:-us}", "X-Ticket": "${env:TICKET}" })
    );
}
