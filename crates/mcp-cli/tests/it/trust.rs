//! What a project may do before and after a person trusts its folder and approves its servers.

use std::os::unix::fs::PermissionsExt as _;

use mcp_testkit::{Accept, FakeHelper, FakeMcpServer};
use serde_json::json;

use crate::setting::{Setting, http, row, with_helper};

/// A project whose file has a server with static headers and a helper, approved but not trusted.
fn project(server: &FakeMcpServer, helper: &FakeHelper) -> Setting {
    let mut entry = with_helper(server, helper);
    entry["headers"] = json!({ "X-Team": "blue" });
    let setting = Setting::new().project_file(json!({ "shared": entry }));
    setting.run(&["approve", "shared", "--yes"], 0);
    setting
}

fn minting(token: &str) -> FakeHelper {
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearer(token);
    helper
}

#[test]
fn f014_a_helper_of_an_untrusted_folder_is_withheld_and_that_is_said() {
    let (helper, server) = (minting("A"), FakeMcpServer::builder().accept("A").start().unwrap());
    let setting = project(&server, &helper);

    let status = setting.status("shared");
    assert_eq!(status["status"], "needs-auth");
    assert_eq!(status["reason"]["code"], "helper-untrusted");
    assert!(status["reason"]["next"].as_str().unwrap().starts_with("mcplink trust"), "{status:#}");
    assert_eq!(helper.runs(), 0);
    let requests = server.requests();
    assert!(!requests.is_empty(), "the static headers went out alone");
    assert!(requests.iter().all(|request| request.header("x-team") == Some("blue")));

    setting.run(&["trust", "--yes"], 0);
    assert_eq!(setting.status("shared")["status"], "connected");
    assert_eq!(helper.runs(), 1);

    setting.run(&["untrust"], 0);
    assert_eq!(setting.status("shared")["reason"]["code"], "helper-untrusted");
    assert_eq!(helper.runs(), 1);
}

/// A command that runs in the folder of a project may be a file of it, in whichever file of this person it is named.
#[test]
fn s_n21_a_command_of_an_own_entry_for_one_project_waits_for_trust_in_its_folder() {
    let (helper, server) = (minting("A"), FakeMcpServer::builder().accept("A").start().unwrap());
    let marker = "ran-for-a-secret";
    let command = format!("${{cmd:touch \"$HOME/{marker}\"; echo A}}");
    let setting = Setting::new();
    let folder = setting.home.project().display().to_string();
    let secret = json!({ "type": "http", "url": server.url().as_str(), "headers": { "Authorization": format!("Bearer {command}") } });
    let servers = json!({ "mcpServers": { "helped": with_helper(&server, &helper), "referring": secret } });
    let own = json!({ "projects": { folder: servers } });
    setting.home.write(".config/mcplink/mcp.json", own.to_string()).unwrap();
    for name in ["helped", "referring"] {
        let row = setting.status(name);
        assert_eq!(row["reason"]["code"], "helper-untrusted", "{row:#}");
        assert!(row["reason"]["next"].as_str().unwrap().starts_with("mcplink trust"), "{row:#}");
    }
    assert!(helper.runs() == 0 && !setting.home.home().join(marker).exists());
    // It is shown before it is allowed.
    let shown = setting.mcplink(&["trust"]).run();
    assert!(format!("{shown}").contains("helped") && format!("{shown}").contains(marker), "{shown}");
    setting.run(&["trust", "--yes"], 0);
    for name in ["helped", "referring"] {
        assert_eq!(setting.status(name)["status"], "connected");
    }
    assert!(setting.home.home().join(marker).exists());
}

#[test]
fn f014_a_server_that_accepts_the_static_headers_alone_is_connected() {
    let (helper, server) =
        (minting("A"), FakeMcpServer::builder().accept(Accept::header("x-team", "blue")).start().unwrap());
    let setting = project(&server, &helper);
    let status = setting.status("shared");
    assert_eq!(
        (&status["status"], &status["reason"]["code"]),
        (&json!("connected"), &json!("without-helper"))
    );
    let said = status["reason"]["message"].as_str().unwrap();
    assert_eq!(said, "connected without its headersHelper, which was not run: its folder is not trusted");
    assert!(status["reason"]["next"].as_str().unwrap().starts_with("mcplink trust"), "{status:#}");
    assert_eq!(status["actions"][0], "trust");
    assert_eq!(helper.runs(), 0);

    // An examination says the same, and calls nothing broken.
    let report = setting.run(&["doctor", "shared", "--json"], 0).json();
    let row = row(&report, "shared");
    assert_eq!((&row["cause"]["message"], &row["cause"]["next"]), (&json!(said), &status["reason"]["next"]));
    let checks = row["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["state"] != "bad"), "{checks:#?}");
    assert!(checks.iter().any(|check| check["message"] == "did not run"), "{checks:#?}");

    setting.run(&["trust", "--yes"], 0);
    assert_eq!(setting.status("shared")["reason"], json!(null));
    assert_eq!(helper.runs(), 1);
}

#[test]
fn f014_approval_says_what_else_a_helper_waits_for() {
    let (helper, server) = (minting("A"), FakeMcpServer::builder().accept("A").start().unwrap());
    let setting = Setting::new().project_file(json!({ "shared": with_helper(&server, &helper) }));
    let approved = setting.run(&["approve", "shared", "--yes"], 0);
    let note = "its headersHelper is not run before its folder is trusted\n  next: mcplink trust";
    assert!(approved.stderr.contains(note), "{approved}");
    // Nothing is waited for where the folder is trusted, or there is no helper.
    setting.run(&["trust", "--yes"], 0);
    assert!(!setting.run(&["approve", "shared", "--yes"], 0).stderr.contains("headersHelper"));
    let plain = Setting::new().project_file(json!({ "shared": http(&server) }));
    assert!(!plain.run(&["approve", "shared", "--yes"], 0).stderr.contains("headersHelper"));
}

#[test]
fn f015_trust_in_the_parent_is_no_trust_in_the_project() {
    let (helper, server) = (minting("A"), FakeMcpServer::builder().accept("A").start().unwrap());
    let setting = project(&server, &helper);
    let parent = setting.home.root().to_string_lossy().into_owned();
    setting.run(&["trust", &parent, "--yes"], 0);
    assert_eq!(setting.status("shared")["reason"]["code"], "helper-untrusted");
    assert_eq!(helper.runs(), 0);
}

#[test]
fn f016_a_helper_that_a_repository_brought_along_does_not_see_credentials() {
    let (helper, server) = (minting("A"), FakeMcpServer::builder().accept("A").start().unwrap());
    let setting = project(&server, &helper);
    setting.run(&["trust", "--yes"], 0);
    let status = |setting: &Setting| {
        let command = setting.mcplink(&["status"]).env("GITHUB_TOKEN", "ghp").env("EDITOR", "vi");
        command.run().expect_code(0);
    };
    status(&setting);
    let environment = &helper.history()[0].environment;
    assert!(!environment.contains_key("GITHUB_TOKEN"));
    assert_eq!(environment["EDITOR"], "vi");

    let own = minting("A");
    let setting = Setting::of("mine", with_helper(&server, &own));
    status(&setting);
    assert_eq!(
        own.history()[0].environment["GITHUB_TOKEN"],
        "ghp",
        "a person's own helper inherits everything"
    );
}

#[test]
fn f018_a_helper_of_a_project_runs_in_the_project() {
    let (helper, server) = (minting("A"), FakeMcpServer::builder().accept("A").start().unwrap());
    let setting = project(&server, &helper);
    setting.run(&["trust", "--yes"], 0);
    setting.run(&["status"], 0);
    assert_eq!(helper.history()[0].directory, setting.home.project());
}

#[test]
fn f053_a_server_that_is_not_approved_is_not_started_by_looking() {
    let server = FakeMcpServer::start().unwrap();
    let touch = "touch \"$HOME/started\"";
    let setting = Setting::new().project_file(json!({
        "remote": http(&server),
        "local": { "command": "sh", "args": ["-c", touch] },
    }));
    let output = setting.run(&["status"], 3);
    assert_eq!(output.stdout.matches("pending").count(), 2, "{output}");
    for command in
        [&["list"][..], &["get", "local"], &["tools", "local"], &["ping", "remote"], &["reconnect", "--all"]]
    {
        let _ = setting.mcplink(command).run();
    }
    assert_eq!(server.connections(), 0);
    assert!(!setting.home.home().join("started").exists());
}

#[test]
fn approval_is_given_taken_back_and_kept_in_a_private_file() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new().project_file(json!({ "shared": http(&server) }));
    let status = setting.status("shared");
    assert_eq!(
        (&status["status"], &status["reason"]["code"]),
        (&json!("pending"), &json!("awaiting-approval"))
    );
    assert_eq!(status["actions"], json!(["approve", "reject"]));

    let before = setting.home.snapshot();
    setting.run(&["approve", "shared", "--yes"], 0);
    let changes = before.changes_until(&setting.home.snapshot());
    assert!(changes.changed.is_empty() && changes.removed.is_empty(), "{changes:?}");
    for path in &changes.created {
        assert!(path.starts_with("state"), "{}", path.display());
        let mode = std::fs::metadata(setting.home.root().join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is open to others", path.display());
    }
    assert_eq!(setting.status("shared")["status"], "connected");

    let contacts = server.connections();
    setting.run(&["reject", "shared"], 0);
    assert_eq!(setting.status("shared")["status"], "disabled");
    assert_eq!(server.connections(), contacts);

    let document = setting.run(&["approve", "shared", "--json", "--yes"], 0).json();
    assert_eq!((&document["approved"], &document["changed"]), (&json!(true), &json!(true)));
    let again = setting.run(&["approve", "shared", "--json", "--yes"], 0).json();
    assert_eq!(again["changed"], json!(false));
}

/// A script that asks again hears what is so, and a person is asked about what is new alone.
#[test]
fn what_is_given_already_is_told_as_given_and_asked_again_only_where_something_is_new() {
    let (server, helper) = (FakeMcpServer::start().unwrap(), FakeHelper::new().unwrap());
    helper.prints("{}");
    let setting = project(&server, &helper);
    for (command, member) in [(&["approve", "shared"][..], "approved"), (&["trust"], "trusted")] {
        setting.run(&[command, &["--yes"]].concat(), 0);
        let again = setting.run(command, 0).stdout;
        assert!(again.ends_with(", as before\n"), "{command:?}: {again}");
        let told = setting.run(&[command, &["--json"]].concat(), 0).json();
        assert_eq!((&told[member], &told["changed"]), (&json!(true), &json!(false)), "{command:?}: {told}");
        // What was shown at another time is not an agreement to this, and takes nothing back.
        let other = setting.run(&[command, &["--yes=sha256:00"]].concat(), 3).stderr;
        assert!(other.contains("nothing was decided about"), "{command:?}: {other}");
        let other = setting.run(&[command, &["--yes=sha256:00", "--json"]].concat(), 3).json();
        assert_eq!(other[member], json!(true), "{command:?}");
    }
    // What comes later is asked about, and what was given is not said to be missing.
    let mut entry = http(&server);
    entry["headersHelper"] = json!("another-helper");
    setting
        .home
        .write_project(".mcp.json", json!({ "mcpServers": { "shared": entry } }).to_string())
        .unwrap();
    let changed = setting.run(&["approve", "shared"], 3).stderr;
    assert!(changed.contains("shared is not approved as it is now"), "{changed}");
    let changed = setting.run(&["trust"], 3);
    assert!(
        changed.stderr.contains("what is new in") && changed.stderr.contains("is not trusted"),
        "{changed}"
    );
    assert_eq!(setting.run(&["trust", "--json"], 3).json()["trusted"], json!(true));
}

#[test]
fn a_server_of_ones_own_needs_no_approval() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("mine", http(&server));
    let output = setting.run(&["approve", "mine"], 2);
    assert!(output.stderr.contains("needs no approval"), "{output}");
    setting.run(&["trust", "no/such/folder"], 2);
}
