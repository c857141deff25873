//! `support-bundle`: one file with everything that finds a cause, and no secret.

use std::fs;

use mcp_testkit::{Accept, FakeHelper, FakeMcpServer};
use serde_json::{Value, json};

use crate::accounts::sign_in;
use crate::bridge::{INITIALIZE, response, say};
use crate::setting::{Setting, http};

/// A home with a secret of every kind, and the secrets.
fn full(server: &FakeMcpServer, helper: &FakeHelper) -> (Setting, Vec<String>) {
    let mut setting = Setting::new();
    let mut known = Vec::new();
    let mut secret = |name: &str| {
        let secret = setting.home.secret(name);
        known.push(secret.clone());
        secret
    };
    let [header, user, password, query, env, arg, minted, said, access, refresh] =
        ["header", "user", "password", "query", "env", "arg", "minted", "said", "access", "refresh"]
            .map(&mut secret);
    let mut url = server.url();
    url.set_username(&user).unwrap();
    url.set_password(Some(&password)).unwrap();
    url.set_query(Some(&format!("api_key={query}")));
    setting.write("web", json!({ "type": "http", "url": url.as_str(), "headers": { "X-Api-Key": header } }));
    helper.prints_headers(&[("Authorization", &format!("Bearer {minted}"))]);
    setting.write(
        "helped",
        json!({ "type": "http", "url": server.url().as_str(), "headersHelper": helper.command() }),
    );
    let complains = format!("echo 'rejected token={said}' >&2; exit 3");
    setting.write(
        "failing",
        json!({ "type": "http", "url": server.url().as_str(), "headersHelper": complains }),
    );
    let script = format!("echo \"no: $API_KEY {arg}\" >&2; exit 1");
    setting.write(
        "local",
        json!({ "command": "sh", "args": ["-c", script, "--token", arg], "env": { "API_KEY": env } }),
    );
    // What is only named in the file, and what a grant has.
    let [file, printed, client, token] = ["file", "printed", "client", "token"].map(|name| {
        let secret = setting.home.secret(name);
        known.push(secret.clone());
        secret
    });
    let at = |name: &str, content: &str| setting.home.write(name, content).unwrap().display().to_string();
    let (secret_file, command_file) = (at("secret", &file), at("printed", &printed));
    let (client_file, token_file) = (at("client", &client), at("token", &format!("{token}\n")));
    let mut named = http(server);
    named["headers"] =
        json!({ "X-File": format!("${{file:{secret_file}}}"), "X-Env": "${env:SUPPORT_SECRET}" });
    setting.write("named", named);
    let mut robot = http(server);
    robot["auth"] = json!({ "grant": "client_credentials", "clientId": "robot", "tokenEndpoint": server.url().as_str(),
        "clientSecret": format!("${{cmd:cat {command_file} {client_file}}}") });
    setting.write("robot", robot);
    let mut rotated = http(server);
    rotated["auth"] = json!({ "file": token_file });
    setting.write("rotated", rotated);
    let mut worded = http(server);
    worded["headers"] = json!({ "X-Api-Key": "grassy-hill" });
    setting.write("signed", worded);
    sign_in(&setting, "signed", server.url().as_str(), |tokens| {
        tokens.access_token = access.into();
        tokens.refresh_token = Some(refresh.into());
    });
    (setting, known)
}

#[test]
fn s_k5_fh_h11_no_secret_of_any_kind_is_in_a_bundle_and_what_finds_a_cause_is() {
    let (server, helper) =
        (FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap(), FakeHelper::new().unwrap());
    let (setting, known) = full(&server, &helper);
    // A log that an earlier version, or someone, put a token into.
    let logs = setting.home.home().join(".cache/mcplink/logs");
    let record = json!({ "at": "2026-11-28T00:00:00.000Z", "pid": 1, "server": "web", "event": "status",
        "status": "failed", "reason": null, "message": format!("sent {}, and {}, sunny-meadow, grassy-hill", known[8], known[6]), "connection": 0, "attempts": 1 });
    fs::create_dir_all(&logs).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&logs, fs::Permissions::from_mode(0o700)).unwrap();
    }
    fs::write(logs.join("old-0.jsonl"), format!("{record}\n")).unwrap();
    let mut bridge = setting.mcplink(&["bridge", "web"]).start();
    say(&mut bridge, INITIALIZE);
    response(&bridge, 0);

    let proxy = format!("http://me:{}@127.0.0.1:9", setting.home.secret("proxy"));
    let run = |arguments: &[&str]| {
        setting
            .mcplink(&[&["support-bundle"], arguments].concat())
            .env("WS_PROXY", &proxy)
            .env("MCP_ODD", &known[0])
            // What no form gives away, and no entry names.
            .env("UNUSED_API_TOKEN", "sunny-meadow")
            .env("SUPPORT_SECRET", setting.home.secret("variable"))
    };
    // The harness looks for each secret in the output, and in every file that appeared.
    let output = run(&["-o", "bundle.json", "--yes", "--json"]).run().expect_code(0);
    let document = output.json();
    let file = setting.home.project().join("bundle.json");
    assert_eq!(document["file"], file.to_string_lossy().as_ref());
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(document["bytes"], text.len());
    for secret in &known {
        assert!(!text.contains(secret.as_str()), "{secret}");
    }
    for word in ["sunny-meadow", "grassy-hill"] {
        assert!(!text.contains(word), "{word}: known, and of no form of a secret");
    }
    let home = setting.home.home().to_string_lossy().into_owned();
    assert!(!text.contains(&format!("{home}/")), "the home of its person is told");
    let bundle: Value = serde_json::from_str(&text).unwrap();
    for section in [
        "program",
        "environment",
        "paths",
        "problems",
        "servers",
        "pointers",
        "accounts",
        "sessions",
        "silent",
        "logs",
    ] {
        assert!(bundle.get(section).is_some(), "{section}");
    }
    assert_eq!(bundle["environment"]["MCP_ODD"], "set");
    assert_eq!(bundle["servers"].as_array().unwrap().len(), 8);
    let failing =
        bundle["servers"].as_array().unwrap().iter().find(|server| server["name"] == "failing").unwrap();
    assert_eq!(failing["state"]["reason"]["code"], "helper-failed", "{failing:#}");
    assert!(failing["state"]["checks"].as_array().unwrap().len() > 3 && failing["entry"]["scope"] == "user");
    assert_eq!(
        (&bundle["sessions"][0]["name"], &bundle["accounts"][0]["server"]),
        (&json!("web"), &json!("signed"))
    );
    assert!(bundle["logs"].to_string().contains("sent [redacted], and"), "{:#}", bundle["logs"]);
    drop(bridge.wait().expect_code(0));

    // An examination shows no more either: the harness looks for each secret in its output.
    for line in [
        &["doctor", "--json"][..],
        &["doctor", "named", "--json", "--trace"],
        &["doctor", "robot", "--trace", "--mermaid"],
        &["doctor", "rotated", "--trace"],
    ] {
        let output = setting.mcplink(line).env("SUPPORT_SECRET", setting.home.secret("variable")).run();
        assert!(
            known.iter().all(|secret| !output.to_string().contains(secret.as_str())),
            "{line:?}: {output}"
        );
    }

    // The whole of it can be looked at first.
    let shown = run(&["-o", "-", "--offline"]).run().expect_code(0).stdout;
    assert!(known.iter().all(|secret| !shown.contains(secret.as_str())) && shown.contains("\"servers\""));
}

#[test]
fn fh_h11_a_bundle_is_shown_before_it_is_written_and_replaces_no_file() {
    let setting = Setting::of("web", json!({ "type": "http", "url": "http://127.0.0.1:9/mcp" }));
    let asked = setting.run(&["support-bundle", "--offline", "-o", "b.json"], 3);
    assert!(
        asked.stdout.contains("in it, without what is secret") && asked.stdout.contains("1 server"),
        "{asked}"
    );
    assert!(asked.stderr.contains("nothing was written") && asked.stderr.contains("--yes"), "{asked}");
    let file = setting.home.project().join("b.json");
    assert!(!file.exists());
    setting.run(&["support-bundle", "--offline", "-o", "b.json", "-y"], 0);
    let first = fs::read(&file).unwrap();
    let refused = setting.run(&["support-bundle", "--offline", "-o", "b.json", "-y"], 2);
    assert!(refused.stderr.contains("b.json is there already"), "{refused}");
    assert_eq!(fs::read(&file).unwrap(), first);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        // What a link leads to is not written either.
        std::os::unix::fs::symlink("elsewhere.json", setting.home.project().join("link.json")).unwrap();
        setting.run(&["support-bundle", "--offline", "-o", "link.json", "-y"], 2);
        assert!(!setting.home.project().join("elsewhere.json").exists());
    }
    // With files that cannot be read it is needed most.
    setting.home.write(".claude.json", "{").unwrap();
    let broken = setting.run(&["support-bundle", "--offline", "-o", "-"], 0).json();
    assert_eq!(broken["problems"].as_array().unwrap().len(), 1, "{broken:#}");
}
