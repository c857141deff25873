//! Sign-ins in a database that two machines share, which here are two homes.

use mcp_harness::{Mcplink, Output, RealDatabase, real_or_skip};
use mcp_testkit::{FakeAuthServer, FakeBrowser, FakeMcpServer};
use serde_json::json;

use crate::bridge::{INITIALIZE, response, say};
use crate::setting::{Setting, http};

const KEY: &str = "Y2FuYXJ5LWtleS1jYW5hcnkta2V5LWNhbmFyeS1rZXk=";
const OTHER_KEY: &str = "b3RoZXIta2V5LW90aGVyLWtleS1vdGhlci1rZXktb2s=";

/// What both machines are told of the database.
struct Shared {
    url: String,
    browser: FakeBrowser,
}

impl Shared {
    fn command<'m>(&self, machine: &'m Setting, args: &[&str]) -> Mcplink<'m> {
        let command = machine.mcplink(args).env("BROWSER", self.browser.command());
        let command =
            command.env("MCPLINK_TOKEN_STORE", &self.url).env("MCPLINK_TOKEN_STORE_KEY_FILE", "store.key");
        command.may_hold_secrets("project/store.key")
    }

    #[track_caller]
    fn run(&self, machine: &Setting, args: &[&str], code: i32) -> Output {
        let output = self.command(machine, args).run().expect_code(code);
        assert!(!format!("{output}").contains("canary"), "{output}");
        output
    }
}

/// A store that cannot be reached is no sign that a person has not signed in; where it is stands in `paths`, without what opens it.
#[test]
fn what_a_store_has_is_not_known_where_it_cannot_be_reached() {
    let (server, auth) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
    auth.protect(&server);
    let mut entry = http(&server);
    entry["oauth"] = json!({});
    let machine = Setting::of("s", entry);
    machine.home.write_project("store.key", KEY).unwrap();
    std::fs::set_permissions(machine.home.project().join("store.key"), private()).unwrap();
    let shared = Shared {
        url: "redis://someone:canary@127.0.0.1:1/0".to_owned(),
        browser: FakeBrowser::new().unwrap(),
    };
    let got = shared.run(&machine, &["get", "s"], 0).stdout;
    let line = got.lines().find(|line| line.trim_start().starts_with("signed in")).unwrap();
    assert!(line.contains("not known: "), "{got}");
    let document = shared.run(&machine, &["get", "s", "--json"], 0).json();
    let auth = &document["server"]["auth"];
    assert_eq!(auth["signedIn"], false);
    assert!(auth["signInUnknown"].is_string(), "{document:#}");
    let offline = shared.run(&machine, &["status", "--offline"], 0).stdout;
    assert!(offline.contains("sign-in not known: ") && !offline.contains("not signed in"), "{offline}");
    let paths = shared.run(&machine, &["paths"], 0).stdout;
    assert!(paths.contains("store    redis://[redacted]@127.0.0.1:1/0"), "{paths}");
    let document = shared.run(&machine, &["paths", "--json"], 0).json();
    assert_eq!(document["store"]["place"], "redis://[redacted]@127.0.0.1:1/0");
    // Without one, it is a folder.
    let paths = machine.run(&["paths"], 0).stdout;
    let folder = machine.home.state_dir().join("tokens");
    assert!(paths.contains(&format!("store    {}\n", folder.display())), "{paths}");
}

#[test]
fn a_sign_in_on_one_machine_serves_on_another_until_the_database_is_down() {
    let Some(mut database) = real_or_skip(RealDatabase::redis()) else { return };
    let (server, auth) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
    auth.protect(&server);
    let machines = [Setting::of("s", http(&server)), Setting::of("s", http(&server))];
    let shared = Shared { url: database.url(), browser: FakeBrowser::new().unwrap() };
    for machine in &machines {
        machine.home.write_project("store.key", KEY).unwrap();
        assert_eq!(
            std::fs::set_permissions(machine.home.project().join("store.key"), private()).ok(),
            Some(())
        );
    }

    shared.run(&machines[1], &["status", "s"], 3);
    shared.run(&machines[0], &["login", "s"], 0);
    shared.run(&machines[1], &["status", "s"], 0);
    let kept = shared.run(&machines[1], &["accounts", "--json"], 0).json();
    assert_eq!(
        (&kept["accounts"][0]["keptIn"], &kept["accounts"][0]["file"]),
        (&json!("database"), &json!(null))
    );
    assert!(shared.run(&machines[1], &["accounts"], 0).stdout.contains("database: MCPLINK_TOKEN_STORE"));
    assert!(machines.iter().all(|machine| machine.home.sign_ins().is_empty()), "a file was kept beside it");

    // A session that has a token goes on with it while the database is away.
    let mut bridge = shared.command(&machines[1], &["bridge", "s"]).start();
    say(&mut bridge, INITIALIZE);
    response(&bridge, 0);
    let mut call = |id: u64| {
        let params = json!({ "name": "echo", "arguments": { "text": "x" } });
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
        say(&mut bridge, &call.to_string());
        response(&bridge, id)
    };
    assert_eq!(call(1)["result"]["content"][0]["text"], "x");

    database.stop();
    assert_eq!(call(2)["result"]["content"][0]["text"], "x");
    let down = shared.run(&machines[1], &["status", "s", "--json"], 4).json();
    let reason = &down["servers"][0]["reason"];
    let message = reason["message"].as_str().unwrap();
    assert!(
        message.starts_with("the kept sign-in cannot be used now") && message.contains("Redis at 127.0.0.1")
    );
    // No other server is to blame, and what the system said is said once.
    assert!(!message.contains("authorization server") && !message.contains("os error"), "{message}");
    assert_eq!(message.matches("refused").count(), 1, "{message}");
    let doctor = shared.run(&machines[1], &["doctor", "s", "--json"], 4).json();
    let bad =
        doctor["servers"][0]["checks"].as_array().unwrap().iter().filter(|check| check["state"] == "bad");
    assert_eq!(bad.map(|check| &check["topic"]).collect::<Vec<_>>(), ["store"], "{doctor:#}");
    let token =
        doctor["servers"][0]["checks"].as_array().unwrap().iter().find(|check| check["topic"] == "token");
    assert_eq!(token.unwrap()["message"], "not known: what is kept cannot be read");
    let logout = shared.run(&machines[1], &["logout", "s"], 4).stderr;
    assert!(logout.matches("refused").count() == 1 && !logout.contains("os error"), "{logout}");
    let accounts = shared.run(&machines[1], &["accounts"], 4).stderr;
    assert!(accounts.contains("next: mcplink accounts"), "{accounts}");
    database.resume();
    assert_eq!(call(3)["result"]["content"][0]["text"], "x");
    shared.run(&machines[1], &["logout", "s"], 0);
    bridge.close_stdin();
    drop(bridge.wait());
}

/// A record that another key sealed is not mended by a sign-in: each command names where the right key belongs.
#[test]
fn a_wrong_key_is_named_and_leads_to_no_sign_in() {
    let Some(database) = real_or_skip(RealDatabase::redis()) else { return };
    let (server, auth) = (FakeMcpServer::start().unwrap(), FakeAuthServer::start().unwrap());
    auth.protect(&server);
    let machines = [Setting::of("s", http(&server)), Setting::of("s", http(&server))];
    let shared = Shared { url: database.url(), browser: FakeBrowser::new().unwrap() };
    for (machine, key) in machines.iter().zip([KEY, OTHER_KEY]) {
        machine.home.write_project("store.key", key).unwrap();
        std::fs::set_permissions(machine.home.project().join("store.key"), private()).unwrap();
    }
    shared.run(&machines[0], &["login", "s"], 0);

    let place = "store.key (MCPLINK_TOKEN_STORE_KEY_FILE)";
    let report = shared.run(&machines[1], &["status", "s", "--json"], 3).json();
    let next = report["servers"][0]["reason"]["next"].as_str().unwrap();
    assert!(next.contains(place) && !next.contains("login"), "{report:#}");
    for (command, code) in [("login", 1), ("logout", 1)] {
        let output = shared.run(&machines[1], &[command, "s"], code);
        let next = output.stderr.split("next:").nth(1).unwrap_or_default();
        assert!(next.contains(place) && !next.contains(command), "{output}");
    }
    let accounts = shared.run(&machines[1], &["accounts"], 0).stderr;
    assert!(accounts.contains(place) && !accounts.contains("no sign-in is kept"), "{accounts}");
    // Where the key is right, nothing was lost.
    shared.run(&machines[0], &["status", "s"], 0);
}

/// An orchestrator mounts a secret as a link, often readable by every account of the container; a person is told of a key that
/// everyone may read, and its mode is theirs to change.
#[cfg(unix)]
#[test]
fn a_key_file_is_read_as_it_is_mounted() {
    let setting = Setting::new();
    let folder = setting.home.project().to_owned();
    setting.home.write_project("data/key", KEY).unwrap();
    std::os::unix::fs::symlink("data/key", folder.join("store.key")).unwrap();
    let run = |mode: u32, named: &str| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(folder.join("data/key"), mode).unwrap();
        let command = setting.mcplink(&["status"]).env("MCPLINK_TOKEN_STORE", "redis://127.0.0.1:1/0");
        let command = command.env("MCPLINK_TOKEN_STORE_KEY_FILE", named).may_hold_secrets("project/data/key");
        command.run().expect_code(0).stderr
    };
    let warning = "data/key, which every account of this machine may read";
    for (mode, named, is_told) in [
        (0o644, "store.key", false),
        (0o640, "data/key", false),
        (0o600, "data/key", false),
        (0o644, "data/key", true),
    ] {
        let stderr = run(mode, named);
        assert_eq!(stderr.contains(warning), is_told, "{mode:o} {named}: {stderr}");
        let kept = std::fs::metadata(folder.join("data/key")).unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&kept) & 0o777, mode, "{named}");
    }
}

#[cfg(unix)]
fn private() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o600)
}

#[test]
fn a_store_that_cannot_be_used_as_it_is_named_is_not_replaced_by_files() {
    let setting = Setting::new();
    for (url, key, expected) in [
        ("redis://:canary@127.0.0.1:1/0", None, "MCPLINK_TOKEN_STORE_KEY_FILE cannot be used"),
        ("redis://:canary@127.0.0.1:1/0", Some("canary"), "key 1 is not 32 bytes in base64"),
        ("mysql://u:canary@127.0.0.1/db", Some(KEY), "`mysql:` is not a store"),
        ("canary", Some(KEY), "MCPLINK_TOKEN_STORE cannot be used"),
    ] {
        let mut command = setting.mcplink(&["list"]).env("MCPLINK_TOKEN_STORE", url);
        if let Some(key) = key {
            setting.home.write_project("store.key", key).unwrap();
            std::fs::set_permissions(setting.home.project().join("store.key"), private()).unwrap();
            command = command.env("MCPLINK_TOKEN_STORE_KEY_FILE", "store.key");
        }
        let output = command.run().expect_code(2);
        assert!(output.stderr.contains(expected), "{output}");
        assert!(!output.stderr.contains("canary"), "{output}");
    }
}

/// Security: neither the password of the database nor where the key is, is for what this program starts.
#[test]
fn what_is_started_knows_nothing_of_the_store() {
    let setting = Setting::of("s", json!({ "command": "sh", "args": ["-c", "env > seen; cat >/dev/null"] }));
    setting.home.write_project("store.key", KEY).unwrap();
    std::fs::set_permissions(setting.home.project().join("store.key"), private()).unwrap();
    let command =
        setting.mcplink(&["status", "s"]).env("MCPLINK_TOKEN_STORE", "redis://:canary@127.0.0.1:1/0");
    let _ = command.env("MCPLINK_TOKEN_STORE_KEY_FILE", "store.key").env("MCP_TIMEOUT", "1000").run();
    let seen = std::fs::read_to_string(setting.home.project().join("seen")).unwrap();
    assert!(seen.contains("PATH=") && !seen.contains("TOKEN_STORE") && !seen.contains("canary"), "{seen}");
}
