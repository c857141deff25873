//! `add REGISTRY-NAME` and `add --search`: what a registry says, what is asked for, what is written, and what is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use mcp_testkit::{Accept, FakeMcpServer, FakeRegistry};
use serde_json::{Value, json};

use crate::setting::Setting;

mod hostile;

const OWN: &str = ".config/mcplink/mcp.json";

/// Descriptions in the shape of the published schema.
const PUBLISHED: [&str; 12] = [
    include_str!("../../../mcp-config/tests/registry/remote-open.json"),
    include_str!("../../../mcp-config/tests/registry/remote-tenant.json"),
    include_str!("../../../mcp-config/tests/registry/remote-base.json"),
    include_str!("../../../mcp-config/tests/registry/npm.json"),
    include_str!("../../../mcp-config/tests/registry/pypi.json"),
    include_str!("../../../mcp-config/tests/registry/oci.json"),
    include_str!("../../../mcp-config/tests/registry/oci-apart.json"),
    include_str!("../../../mcp-config/tests/registry/both.json"),
    include_str!("../../../mcp-config/tests/registry/deprecated.json"),
    include_str!("../../../mcp-config/tests/registry/deleted.json"),
    include_str!("../../../mcp-config/tests/registry/newer-schema.json"),
    include_str!("../../../mcp-config/tests/registry/nuget.json"),
];

/// A registry with all of them.
fn registry() -> FakeRegistry {
    let registry = FakeRegistry::start().unwrap();
    for text in PUBLISHED {
        registry.publish(serde_json::from_str(text).unwrap());
    }
    registry
}

/// One version of `com.example/x` with more in its description.
fn version(more: Value) -> Value {
    let mut server = json!({ "name": "com.example/x", "description": "x", "version": "1.0.0" });
    server.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "server": server })
}

fn entry(setting: &Setting, name: &str) -> Value {
    let text = fs::read_to_string(setting.home.home().join(OWN)).unwrap_or_default();
    let file: Value = serde_json::from_str(&text).unwrap_or_default();
    file["mcpServers"][name].clone()
}

/// Runs `add` with this registry, without asking the server that comes of it.
fn add(setting: &Setting, registry: &FakeRegistry, args: &[&str]) -> mcp_harness::Output {
    let line: Vec<&str> = ["add", "--no-check"].iter().chain(args).copied().collect();
    setting.mcplink(&line).env("MCPLINK_REGISTRY", registry.url().as_str()).run()
}

#[test]
fn a_server_of_a_registry_is_added_and_asked_as_any_other() {
    let server = FakeMcpServer::builder().accept(Accept::header("x-team", "blue")).start().unwrap();
    let registry = registry();
    let url = server.url();
    registry.publish(version(json!({
        "title": "Example",
        "remotes": [{
            "type": "streamable-http",
            "url": url.as_str().replace("/mcp", "/{path}"),
            "variables": { "path": { "description": "Its path", "default": "mcp" } },
            "headers": [{ "name": "X-Team", "isRequired": true, "choices": ["red", "blue"] }],
        }],
    })));
    let setting = Setting::new();
    let base = registry.url();
    let line = ["add", "com.example/x", "--registry", base.as_str(), "--input", "x-team=blue"];
    let added = setting.run(&line, 0);
    assert!(added.stdout.starts_with("added x (mcplink) ") && added.stdout.contains("it works"), "{added}");
    assert!(added.stderr.contains("com.example/x 1.0.0  Example"), "{added}");
    let expected = json!({ "type": "http", "url": url.as_str(), "headers": { "X-Team": "blue" } });
    assert_eq!(entry(&setting, "x"), expected);
    // Its name has a slash in it, and is one part of the path.
    let asked = registry.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, "/v0.1/servers/com.example%2Fx/versions/latest");
    assert!(asked[0].header("authorization").is_none());
    // What is there is told before anything is asked.
    let refused = setting.run(&line, 2);
    assert!(refused.stderr.contains("x is there already"), "{refused}");
    assert_eq!(registry.requests().len(), 1);
    // Another name, a version, and the same document as of every addition.
    let named =
        ["add", "y", "com.example/x@1.0.0", "--registry", base.as_str(), "--input", "X-Team=red", "--json"];
    let document = setting.run(&named, 0).json();
    assert_eq!((&document["name"], &document["server"]["status"]), (&json!("y"), &json!("needs-auth")));
    assert_eq!(registry.requests()[1].path, "/v0.1/servers/com.example%2Fx/versions/1.0.0");
}

#[test]
fn what_is_asked_for_is_said_by_options_and_what_is_missing_is_named() {
    let (setting, registry) = (Setting::new(), registry());
    // Everything that is missing, at once, and how it is said.
    let missing = add(&setting, &registry, &["io.ledgerly/mcp"]).expect_code(2);
    assert!(missing.stderr.contains("error: ledgerly needs tenant, workspace, api_key\n"), "{missing}");
    assert!(missing.stderr.contains("tenant: The name of your company in its address"), "{missing}");
    let next = "mcplink add io.ledgerly/mcp --no-check --input 'tenant=VALUE' --input 'workspace=VALUE' \
                --input 'api_key=${MCPLINK_LEDGERLY__API_KEY}'";
    assert!(missing.stderr.contains(next), "{missing}");
    let rest =
        add(&setting, &registry, &["io.ledgerly/mcp", "--input", "tenant=a", "--choose", "1"]).expect_code(2);
    let next = "mcplink add io.ledgerly/mcp --choose 1 --no-check --input 'tenant=a' --input 'workspace=VALUE' --input 'api_key=";
    assert!(rest.stderr.contains(next), "{rest}");
    let json = add(&setting, &registry, &["io.ledgerly/mcp", "--json"]).expect_code(2);
    assert!(json.stderr.contains("\"code\":\"missing-input\""), "{json}");

    let said =
        ["io.ledgerly/mcp", "--input", "tenant=acme", "--input", "workspace=w", "--input", "api_key=${KEY}"];
    let added = add(&setting, &registry, &said).expect_code(0);
    assert_eq!(
        entry(&setting, "ledgerly"),
        json!({
            "type": "http", "url": "https://acme.eu.ledgerly.example/mcp?workspace=w",
            "headers": { "Authorization": "Bearer ${KEY}", "X-Ledgerly-Mode": "read" },
        }),
        "{added}"
    );
    // What does not hold is told without being repeated.
    for (input, said) in [
        ("region=canary", "is one of eu, us, ap"),
        ("nothing=canary", "nothing that it asks for is called nothing"),
        ("canary", "an input is written as NAME=VALUE"),
        ("tenant=a/canary", "/ ? # @"),
    ] {
        let line = [
            "io.ledgerly/mcp",
            "--replace",
            "--input",
            "workspace=w",
            "--input",
            "api_key=${KEY}",
            "--input",
            input,
        ];
        let refused = add(&setting, &registry, &line).expect_code(2);
        assert!(refused.stderr.contains(said) && !refused.stderr.contains("canary"), "{refused}");
    }
    // A whole header of a person counts before what is declared.
    let whole = add(
        &setting,
        &registry,
        &[
            "board",
            "org.selfhosted/board",
            "--input",
            "baseUrl=https://b.example",
            "-H",
            "x-board-token: ${T}",
            "-H",
            "X-More: 1",
        ],
    );
    let _ = whole.expect_code(0);
    assert_eq!(
        entry(&setting, "board"),
        json!({ "type": "http", "url": "https://b.example/api/mcp", "headers": { "x-board-token": "${T}", "X-More": "1" } })
    );
}

#[test]
fn s_r7_a_secret_that_is_declared_stands_in_no_file() {
    let (setting, registry) = (Setting::new(), registry());
    let board = ["org.selfhosted/board", "--input", "baseUrl=https://b.example"];
    for way in [
        &["--input", "X-Board-Token=canary-of-a-token"][..],
        &["--input", "X-Board-Token=Bearer ${T} canary"],
        &["-H", "X-Board-Token: canary-of-a-token"],
    ] {
        let line: Vec<&str> = board.iter().chain(way).copied().collect();
        let refused = add(&setting, &registry, &line).expect_code(2);
        assert!(refused.stderr.contains("X-Board-Token is a secret"), "{refused}");
        assert!(!refused.stderr.contains("canary"), "{refused}");
    }
    let env = ["io.github.windmill-labs/forecast", "--yes", "-e", "FORECAST_API_KEY=canary-of-a-token"];
    let refused = add(&setting, &registry, &env).expect_code(2);
    assert!(refused.stderr.contains("FORECAST_API_KEY is a secret"), "{refused}");
    assert!(!setting.home.home().join(OWN).exists());
}

#[test]
fn s_r8_a_command_of_a_registry_is_shown_and_agreed_to_before_it_runs() {
    let (setting, registry) = (Setting::new(), FakeRegistry::start().unwrap());
    let ran = setting.home.home().join("ran");
    // A runner of ours, which leaves a trace.
    let npx =
        setting.home.write("bin/npx", format!("#!/bin/sh\necho \"$@\" > '{}'\n", ran.display())).unwrap();
    fs::set_permissions(&npx, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", npx.parent().unwrap().display());
    registry.publish(version(json!({
        "packages": [{
            "registryType": "npm", "identifier": "@acme/x", "version": "1.0.0", "transport": { "type": "stdio" },
            "packageArguments": [{ "type": "positional", "value": "$(touch pwned); `id` | sh" }],
            "environmentVariables": [{ "name": "NODE_OPTIONS", "value": "--require=./x.js" }],
        }],
    })));
    let base = registry.url();
    let line = ["add", "com.example/x", "--registry", base.as_str()];
    let shown = "npx -y @acme/x@1.0.0 '$(touch pwned); `id` | sh'";
    let refused = setting.mcplink(&line).env("PATH", &path).run().expect_code(3);
    assert!(refused.stderr.contains(shown) && refused.stderr.contains("--yes"), "{refused}");
    // A look at the difference runs nothing either.
    let dry = setting.mcplink(&[&line[..], &["--dry-run"]].concat()).env("PATH", &path).run().expect_code(0);
    assert!(dry.stdout.contains("the server was not asked"), "{dry}");
    assert!(!ran.exists() && entry(&setting, "x").is_null());

    for (typed, code) in [("\n", 3), ("y\n", 3), ("yes\n", 0)] {
        let Some(add) = setting.on_a_terminal(&line) else { break };
        let mut running = add.env("PATH", &path).start();
        running.wait_for_stdout("the question", |shown| shown.contains("Type yes"));
        assert!(!ran.exists(), "nothing ran before it was agreed to");
        running.write(typed).unwrap();
        running.close_stdin();
        let output = running.wait().expect_code(code);
        assert!(output.stdout.contains("NODE_OPTIONS=--require=./x.js"), "{output}");
        assert_eq!(ran.exists(), code == 0, "{output}");
    }
    // Agreed to by an option; the words are words, and no shell reads them.
    fs::remove_file(&ran).unwrap_or_default();
    let agreed = setting.mcplink(&[&line[..], &["--yes", "--replace"]].concat()).env("PATH", &path).run();
    let agreed = agreed.expect_code(0);
    assert_eq!(fs::read_to_string(&ran).unwrap(), "-y @acme/x@1.0.0 $(touch pwned); `id` | sh\n", "{agreed}");
    assert!(!setting.home.project().join("pwned").exists());
    assert_eq!(entry(&setting, "x")["env"], json!({ "NODE_OPTIONS": "--require=./x.js" }));
}

#[test]
fn a_person_is_asked_for_what_is_declared() {
    let (setting, registry) = (Setting::new(), registry());
    let base = registry.url();
    let line = ["add", "--no-check", "io.ledgerly/mcp", "--registry", base.as_str()];
    let Some(add) = setting.on_a_terminal(&line) else { return };
    let mut running = add.start();
    // What is typed before a question is not an answer to it, so each is waited for, the second time as well.
    for (question, times, answer) in [
        ("tenant: The name of your company in its address, such as acme:", 1, "acme\n"),
        ("region: Where your data is kept; one of eu, us, ap [eu]:", 1, "moon\n"),
        ("region: Where your data is kept; one of eu, us, ap [eu]:", 2, "us\n"),
        ("workspace:", 1, "w\n"),
        (
            "api_key: Key of an integration; a secret: name the variable that holds it [MCPLINK_LEDGERLY__API_KEY]:",
            1,
            "hunter2\n",
        ),
        ("the variable that holds it [MCPLINK_LEDGERLY__API_KEY]:", 2, "\n"),
        ("X-Ledgerly-Mode: What may be changed; one of read, write [read]:", 1, "\n"),
        ("X-Ledgerly-Cost-Center: Booked for every call (empty: leave it out):", 1, "\n"),
    ] {
        running.wait_for_stdout(question, |shown| {
            shown.split_whitespace().collect::<Vec<_>>().join(" ").matches(question).count() >= times
        });
        running.write(answer).unwrap();
    }
    running.close_stdin();
    let output = running.wait().expect_code(0);
    assert_eq!(
        entry(&setting, "ledgerly"),
        json!({
            "type": "http", "url": "https://acme.us.ledgerly.example/mcp?workspace=w",
            "headers": { "Authorization": "Bearer ${MCPLINK_LEDGERLY__API_KEY}", "X-Ledgerly-Mode": "read" },
        }),
        "{output}"
    );
    // A person who leaves has agreed to nothing.
    let Some(add) = setting.on_a_terminal(&["add", "org.selfhosted/board", "--registry", base.as_str()])
    else {
        return;
    };
    let mut running = add.start();
    running.wait_for_stdout("the question", |shown| shown.contains("baseUrl"));
    running.write("\u{4}").unwrap();
    running.close_stdin();
    let _ = running.wait().expect_code(2);
    assert!(entry(&setting, "board").is_null());
}

#[test]
fn the_way_to_reach_it_is_chosen() {
    let (setting, registry) = (Setting::new(), registry());
    for (name, more, expected) in [
        ("a", &[][..], "https://eu.stackroom.example/mcp"),
        ("b", &["--choose", "2"], "https://us.stackroom.example/mcp"),
        ("c", &["-t", "http"], "https://eu.stackroom.example/mcp"),
    ] {
        let line: Vec<&str> = [name, "dev.stackroom/issues"].iter().chain(more).copied().collect();
        let added = add(&setting, &registry, &line).expect_code(0);
        assert_eq!(entry(&setting, name)["url"], expected, "{added}");
        assert!(added.stderr.contains("mcpb package"), "what cannot be taken is told: {added}");
    }
    let _ = add(&setting, &registry, &["d", "dev.stackroom/issues", "-t", "stdio", "--yes"]).expect_code(0);
    assert_eq!(entry(&setting, "d")["command"], "npx");
    for more in [&["--choose", "4"][..], &["--choose", "0"], &["-t", "sse"]] {
        let line: Vec<&str> = ["e", "dev.stackroom/issues"].iter().chain(more).copied().collect();
        let _ = add(&setting, &registry, &line).expect_code(2);
    }
    let nothing = add(&setting, &registry, &["net.quarry/stones"]).expect_code(2);
    assert!(nothing.stderr.contains("nuget package Quarry.Stones.Mcp"), "{nothing}");
}

#[test]
fn how_a_version_stands_is_told() {
    let (setting, registry) = (Setting::new(), registry());
    let old = add(&setting, &registry, &["com.oldmill/notes"]).expect_code(0);
    assert!(old.stderr.contains("com.oldmill/notes is deprecated: Use com.oldmill/notebook"), "{old}");
    let deleted = add(&setting, &registry, &["com.gonefishing/mail"]).expect_code(2);
    assert!(
        deleted.stderr.contains("was taken out of the registry\n  why: Taken over by a stranger"),
        "{deleted}"
    );
    let newer = add(&setting, &registry, &["ai.nextyear/planner", "--json"]).expect_code(0).json();
    let notes = newer["notes"].to_string();
    for said in ["schema that is not known here", "is not its latest version", "under-review"] {
        assert!(notes.contains(said), "{notes}");
    }
    let sum =
        add(&setting, &registry, &["io.github.sqlgarden/mcp-sqlite", "--yes", "--input", "database=a.db"]);
    let sum = sum.expect_code(0);
    assert!(sum.stderr.contains("the checksum of the package is not checked"), "{sum}");
}

#[test]
fn what_is_not_there_suggests_what_is() {
    let (setting, registry) = (Setting::new(), registry());
    let near = add(&setting, &registry, &["com.tidewach/tides"]).expect_code(2);
    assert!(
        near.stderr.contains("did you mean com.tidewatch/tides?\n  next: mcplink add com.tidewatch/tides"),
        "{near}"
    );
    let version = add(&setting, &registry, &["com.tidewatch/tides@9"]).expect_code(2);
    assert!(version.stderr.contains("no version 9 of com.tidewatch/tides"), "{version}");
    // It was the address of a server.
    let address = add(&setting, &registry, &["mcp.tidewatch.example/mcp"]).expect_code(2);
    assert!(address.stderr.contains("as in https://mcp.tidewatch.example/mcp"), "{address}");
    // A word alone leads to a search, and what may be a secret is not repeated.
    let word = add(&setting, &registry, &["tides"]).expect_code(2);
    assert!(word.stderr.contains("next: mcplink add --search tides"), "{word}");
    let option = add(&setting, &registry, &["x", "https://h.example/", "--input", "a=canary"]).expect_code(2);
    assert!(
        option.stderr.contains("--input is for a server of a registry") && !option.stderr.contains("canary"),
        "{option}"
    );
}

#[test]
fn a_word_is_searched_for() {
    let (setting, registry) = (Setting::new(), registry());
    registry.set_page(3);
    let url = registry.url();
    let search = |word: &str, more: &[&str]| {
        let line: Vec<&str> =
            ["add", "--search", word, "--registry", url.as_str()].iter().chain(more).copied().collect();
        setting.mcplink(&line).run().expect_code(0)
    };
    let found = search("o", &["--json"]).json();
    let names: Vec<&str> =
        found["servers"].as_array().unwrap().iter().filter_map(|server| server["name"].as_str()).collect();
    assert_eq!(names.len(), 11, "every page is read: {names:?}");
    assert_eq!((&found["more"], &found["unreadable"]), (&json!(false), &json!(0)));
    let issues = search("STACKROOM", &[]);
    assert_eq!(
        issues.stdout, "dev.stackroom/issues 5.2.0  (http, npm)\n  Issues, boards and releases\n",
        "{issues}"
    );
    assert!(issues.stderr.contains("next: mcplink add dev.stackroom/issues"), "{issues}");
    let none = search("nothing-like-it", &[]);
    assert!(none.stdout.is_empty() && none.stderr.contains("has \"nothing-like-it\" in its name"), "{none}");
}
