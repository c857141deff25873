//! Plug-ins for credentials, named by an entry: the examples, what fails, and the check for their authors.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use mcp_testkit::{Accept, FakeMcpServer};
use serde_json::json;

use crate::setting::{Setting, authorizations, http};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../mcp-auth/examples/plugins").join(name)
}

/// A plug-in that does this with a question, after `hello`.
fn script(setting: &Setting, name: &str, code: &str) -> String {
    let text = format!(
        "#!/bin/sh\nwhile read -r line; do\nid=${{line#*\\\"id\\\":}}; id=${{id%%,*}}\ncase \"$line\" in\n\
         *'\"hello\"'*) printf '{{\"id\":%s,\"result\":{{\"protocol\":1}}}}\\n' \"$id\" ;;\n*) {code} ;;\nesac\ndone\n"
    );
    let path = setting.home.write(name, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path.display().to_string()
}

#[test]
fn a_plugin_by_its_path_or_its_name_supplies_what_is_sent_and_shows_nothing() {
    let mut setting = Setting::new();
    let token = setting.home.secret("token");
    let file = setting.home.write("token", format!("{token}\n")).unwrap().display().to_string();
    let server = FakeMcpServer::builder().accept(&*token).start().unwrap();
    let folder = example("").display().to_string();
    let path = format!("{folder}:/usr/bin:/bin");
    std::fs::create_dir_all(setting.home.home().join("bin")).unwrap();
    std::os::unix::fs::symlink(
        example("mcplink-auth-file.sh"),
        setting.home.home().join("bin/mcplink-auth-file"),
    )
    .unwrap();
    let named = format!("{}:{path}", setting.home.home().join("bin").display());
    for provider in [json!(example("mcplink-auth-file.sh")), json!("file")] {
        let mut entry = http(&server);
        entry["auth"] = json!({ "provider": provider });
        setting.write("web", entry);
        let run = |args: &[&str]| setting.mcplink(args).env("TOKEN_FILE", &file).env("PATH", &named).run();
        let before = setting.home.snapshot();
        let status = crate::setting::row(&run(&["status", "web", "--json"]).json(), "web");
        assert_eq!(status["status"], "connected", "{status:#}");
        assert_eq!(status["auth"]["chain"], json!(["auth-plugin"]), "{status:#}");
        for args in
            [&["get", "web"][..], &["doctor", "web"], &["headers", "web"], &["call", "web", "echo", "text=a"]]
        {
            run(args).expect_code(0);
        }
        let changes = format!("{:?}", before.changes_until(&setting.home.snapshot()));
        assert!(!changes.contains("tokens"), "{changes}");
    }
    assert!(!authorizations(&server, "tools/list").is_empty());
}

#[test]
fn what_a_plugin_does_wrong_is_told_as_its_own_failure_and_nothing_is_sent() {
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let mut setting = Setting::new();
    for (name, code, said) in [
        ("ends", "echo 'no ticket: run kinit' >&2; exit 3", "no ticket"),
        ("babbles", "echo hello", "not one line of JSON"),
        (
            "refuses",
            r#"printf '{"id":%s,"error":{"message":"locked out","hint":"call the desk"}}\n' "$id""#,
            "locked out",
        ),
    ] {
        let mut entry = http(&server);
        entry["auth"] = json!({ "provider": script(&setting, name, code) });
        setting.write("web", entry);
        let status = setting.status("web");
        let message = status["reason"]["message"].as_str().unwrap();
        assert_eq!(status["reason"]["code"], "credentials-failed", "{status:#}");
        assert!(message.contains(said) && message.contains(name), "{message}");
        let broken = i32::from(name != "refuses") * 6;
        setting.run(&["auth-plugin", "check", &script(&setting, name, code)], broken);
    }
    assert!(server.requests().is_empty());
    // One that says that a person has to sign in again did not give credentials.
    let code =
        r#"printf '{"id":%s,"error":{"message":"your ticket is over","kind":"sign-in-expired"}}\n' "$id""#;
    let mut entry = http(&server);
    entry["auth"] = json!({ "provider": script(&setting, "ended", code) });
    setting.write("web", entry);
    // It has no `login`.
    let next = setting.status("web")["reason"]["next"].to_string();
    assert!(next.contains("renew the sign-in in the program that ended takes it from"), "{next}");
    let seen = crate::setting::row(&setting.run(&["doctor", "web", "--json"], 3).json(), "web");
    let checks = seen["checks"].as_array().unwrap();
    let run = checks.iter().find(|check| check["topic"] == "grant-run").unwrap();
    assert_eq!(run["state"], "bad", "{seen:#}");
    assert!(!seen.to_string().contains("it gave credentials"), "{seen:#}");
    let mut entry = http(&server);
    entry["auth"] = json!({ "provider": "nowhere" });
    setting.write("web", entry.clone());
    let message = setting.status("web")["reason"]["message"].to_string();
    assert!(
        message.contains("mcplink-auth-nowhere") && message.contains("there is no such program"),
        "{message}"
    );

    // A repository does not say which program runs.
    let setting = Setting::new().project_file(json!({ "web": entry }));
    assert_eq!(setting.status("web")["reason"]["code"], "config");
}

/// A plug-in with a sign-in of its own: a token that `login` keeps, and `logout` forgets.
fn signing_in(setting: &Setting, token: &str) -> String {
    let kept = setting.home.home().join("kept").display().to_string();
    let text = format!(
        r#"#!/bin/sh
say() {{ printf '%s\n' "$1"; }}
while read -r line; do
id=${{line#*\"id\":}}; id=${{id%%,*}}
case "$line" in
*'"hello"'*) say '{{"id":'$id',"result":{{"protocol":1,"login":true,"logout":true}}}}' ;;
*'"login"'*) say '{{"id":'$id',"prompt":{{"message":"touch the key\u001b[2J","url":"https://sso.example/x","code":"AB-12"}}}}'
  say '{{"id":'$id',"prompt":{{"url":"file:///etc/passwd"}}}}'
  printf %s '{token}' >'{kept}'; say '{{"id":'$id',"result":{{}}}}' ;;
*'"logout"'*) rm -f '{kept}'; say '{{"id":'$id',"result":{{}}}}' ;;
*) if [ -f '{kept}' ]; then say '{{"id":'$id',"result":{{"headers":{{"Authorization":"Bearer '$(cat '{kept}')'"}}}}}}'
  else say '{{"id":'$id',"error":{{"kind":"sign-in-expired","message":"the ticket has ended"}}}}'; fi ;;
esac
done
"#
    );
    let path = setting.home.write("signing-in", text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path.display().to_string()
}

#[test]
fn a_plugin_signs_a_person_in_and_out_in_its_own_way() {
    let mut setting = Setting::new();
    let token = setting.home.secret("token");
    let server = FakeMcpServer::builder().accept(&*token).start().unwrap();
    let mut entry = http(&server);
    entry["auth"] = json!({ "provider": signing_in(&setting, &token) });
    setting.write("web", entry.clone());
    let of = |setting: &Setting, args: &[&str], code| {
        setting.mcplink(args).may_hold_secrets("home").run().expect_code(code)
    };
    let run = |args: &[&str], code| of(&setting, args, code);
    let before = crate::setting::row(&run(&["status", "web", "--json"], 3).json(), "web");
    assert_eq!(before["reason"]["code"], "sign-in-expired", "{before:#}");
    let message = before["reason"]["message"].as_str().unwrap();
    assert!(
        message.contains("the sign-in has ended") && message.contains("the ticket has ended"),
        "{message}"
    );
    assert!(!message.contains("authorization server"), "{message}");
    assert_eq!(before["reason"]["next"], "mcplink login web", "{before:#}");

    let told = run(&["login", "web"], 0);
    assert!(told.stdout.contains("signed in to web by its plug-in"), "{told}");
    let shown = ["touch the key", "https://sso.example/x", "code: AB-12"];
    assert!(shown.iter().all(|text| told.stderr.contains(text)), "{told}");
    assert!(!told.stderr.contains('\u{1b}') && !told.stderr.contains("passwd"), "{told}");
    run(&["status", "web"], 0);
    assert_eq!(run(&["login", "web", "--json"], 0).json()["signedIn"], true);
    assert_eq!(run(&["login", "web", "--non-interactive"], 3).stdout, "");
    run(&["logout", "web"], 0);
    run(&["status", "web"], 3);

    // What the server refuses is not a sign-in, and who has none says so.
    server.accept(Accept::Nothing);
    assert!(run(&["login", "web"], 3).stderr.contains("did not accept the new sign-in"));
    entry["auth"]["provider"] =
        json!(script(&setting, "has-none", "printf '{\"id\":%s,\"result\":{\"headers\":{}}}\\n' \"$id\""));
    setting.write("web", entry);
    for verb in ["login", "logout"] {
        let none = of(&setting, &[verb, "web"], 2);
        assert!(none.stderr.contains(&format!("for a {verb}: it has none")), "{none}");
        // Nothing in the entry is wrong.
        assert!(
            none.stderr.contains("next: renew the sign-in in the program that has-none takes it from"),
            "{none}"
        );
    }
    // Where the server may not be used, its plug-in is not started.
    let started = setting.home.home().join("started").display().to_string();
    let mut off = http(&server);
    off["auth"] = json!({ "provider": script(&setting, "noting", &format!("echo x >'{started}'")) });
    off["disabled"] = json!(true);
    setting.write("web", off);
    for verb in ["login", "logout"] {
        assert!(of(&setting, &[verb, "web"], 2).stderr.contains("switched off"));
    }
    assert!(!std::path::Path::new(&started).exists());
}

#[test]
fn the_examples_keep_the_rules_of_their_protocol() {
    let setting = Setting::new();
    let token = setting.home.secret("token");
    let file = setting.home.write("token", &token).unwrap().display().to_string();
    for (name, variable, value) in [
        ("mcplink-auth-file.sh", "TOKEN_FILE", &*file),
        ("mcplink-auth-file.sh", "OTHER", ""),
        ("mcplink-auth-hmac.py", "HMAC_KEY", "canary-key"),
    ] {
        let path = example(name).display().to_string();
        let check =
            setting.mcplink(&["auth-plugin", "check", &path, "--settings", r#"{"keyId": "a"}"#, "--json"]);
        let document = check.env(variable, value).run().expect_code(0).json();
        assert_eq!(document["kept"], true, "{document:#}");
        assert!(document["rules"].as_array().unwrap().len() >= 4, "{document:#}");
    }
    // What is not there breaks no rule.
    for (program, why) in
        [("/nowhere/plugin", "is not a file"), ("nowhere", "mcplink-auth-nowhere is in no folder")]
    {
        let refused = setting.run(&["auth-plugin", "check", program], 2);
        assert!(refused.stderr.contains(why) && refused.stdout.is_empty(), "{program}: {refused}");
    }
    setting.run(&["auth-plugin", "check", "x", "--settings", "[]"], 2);
}

/// What it is told by the entry is not a secret, and is in what it says to people.
#[test]
fn what_a_plugin_says_is_shown_with_the_words_of_its_settings() {
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let mut setting = Setting::new();
    let said = r#"{"message":"no ticket in realm CORP for alice with canary-5e1f0c","hint":"kinit alice@CORP","kind":"sign-in-expired"}"#;
    let code = format!(r#"printf '{{"id":%s,"error":{said}}}\n' "$id""#);
    let mut entry = http(&server);
    entry["auth"] = json!({
        "provider": script(&setting, "krb", &code),
        "settings": { "realm": "CORP", "user": "alice", "mode": "plug-in", "password": "canary-5e1f0c" },
    });
    setting.home.canaries().add("settings", "canary-5e1f0c");
    setting.write("web", entry);
    let run = |args: &[&str], code| setting.mcplink(args).may_hold_secrets("home").run().expect_code(code);
    let reason = &run(&["status", "web", "--json"], 3).json()["servers"][0]["reason"];
    let message = reason["message"].as_str().unwrap();
    assert!(
        message.contains("the plug-in krb") && message.contains("no ticket in realm CORP for alice"),
        "{message}"
    );
    assert!(!message.contains("5e1f0c"), "{message}");
    assert_eq!(reason["next"], "kinit alice@CORP");
    let login = run(&["login", "web"], 2);
    assert!(login.stderr.contains("it has none"), "{login}");
}
