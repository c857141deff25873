//! Secrets by reference: each kind in each field that may have one, what fails, who has to agree, and what is shown.

use std::os::unix::fs::PermissionsExt as _;

use mcp_testkit::{Accept, FakeMcpServer};
use serde_json::{Value, json};

use crate::local::SERVER;
use crate::setting::{Setting, http, with_headers};

/// A program of this name that prints what is in the file beside it, and notes what it is told of its environment.
fn printing(setting: &Setting, name: &str, secret: &str) -> String {
    setting.home.write("printed", secret).unwrap();
    let script = "#!/bin/sh\nenv >>\"$(dirname \"$0\")/seen\"\ncat \"$(dirname \"$0\")/printed\"\n";
    let path = setting.home.write(name, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    format!("${{cmd:{}}}", path.display())
}

/// Keeps a secret as a person does, and says how an entry refers to it.
fn kept(setting: &Setting, name: &str, secret: &str) -> String {
    let set =
        setting.mcplink(&["secret", "set", name]).may_hold_secrets("state").stdin(format!("{secret}\n"));
    set.run().expect_code(0);
    format!("${{keyring:mcp/{name}}}")
}

/// Each kind of reference to a secret of its own, with what is shown of it.
fn references(setting: &Setting) -> Vec<(String, String, String)> {
    let of_file = setting.home.secret("of-file");
    let path = setting.home.write("token", format!("{of_file}\n")).unwrap();
    let file = format!("${{file:{}}}", path.display());
    let of_command = setting.home.secret("of-command");
    let command = printing(setting, "print-it", &of_command);
    let of_keyring = setting.home.secret("of-keyring");
    let keyring = kept(setting, "wiki", &of_keyring);
    let all = [(file, of_file), (command, of_command), (keyring, of_keyring)];
    all.into_iter().map(|(reference, secret)| (reference.clone(), secret, reference)).collect()
}

fn status(setting: &Setting, name: &str) -> Value {
    let run = setting.mcplink(&["status", name, "--json"]).may_hold_secrets("state").run();
    crate::setting::row(&run.json(), name)
}

fn shown(setting: &Setting, args: &[&str], code: i32) -> String {
    let run = setting.mcplink(args).may_hold_secrets("state").run().expect_code(code);
    format!("{}{}", run.stdout, run.stderr)
}

#[test]
fn each_kind_of_reference_reaches_each_field_and_no_output() {
    let mut setting = Setting::new();
    for (reference, secret, report) in references(&setting) {
        let server =
            FakeMcpServer::builder().accept(Accept::header("x-key", format!("k {secret}"))).start().unwrap();
        setting.write("web", with_headers(&server, json!({ "X-Key": format!("k {reference}") })));
        let local = format!(
            "[ \"$KEY:$1\" = '{secret}:--key={secret}' ] || {{ echo \"$KEY\" >&2; exit 9; }}\n{SERVER}"
        );
        let script = setting.home.write("server.sh", local).unwrap();
        let args = json!(["--key=".to_owned() + &reference]);
        let mut entry = json!({ "command": "sh", "args": [script], "env": { "KEY": reference } });
        entry["args"].as_array_mut().unwrap().extend(args.as_array().unwrap().clone());
        setting.write("local", entry);
        for name in ["web", "local"] {
            let before = setting.home.snapshot();
            let row = status(&setting, name);
            assert_eq!(row["status"], "connected", "{reference}: {row:#}");
            assert!(shown(&setting, &["get", name], 0).contains(&report), "{reference}");
            let json = shown(&setting, &["get", name, "--json"], 0);
            assert!(json.contains(&json!(report).to_string()[1..report.len()]), "{json}");
            let doctor = shown(&setting, &["doctor", name], 0);
            assert!(doctor.contains("secret") && doctor.contains(&report), "{doctor}");
            let changes = format!("{:?}", before.changes_until(&setting.home.snapshot()));
            assert!(!changes.contains("state"), "looking keeps nothing: {changes}");
        }
        assert!(shown(&setting, &["headers", "web"], 0).contains(&report));
        shown(&setting, &["validate"], 0);
        shown(&setting, &["list"], 0);

        // The path and the query of an address are the other places.
        let server = FakeMcpServer::start().unwrap();
        let mut entry = http(&server);
        entry["url"] = json!(format!("{}?key={reference}", server.url()));
        setting.write("url", entry);
        let row = status(&setting, "url");
        assert_eq!(row["status"], "connected", "{reference}: {row:#}");
        let queries: Vec<_> = server.requests().into_iter().filter_map(|request| request.query).collect();
        assert!(!queries.is_empty(), "{reference}");
        let encoded = secret.replace('/', "%2F").replace('+', "%2B");
        assert!(queries.iter().all(|query| *query == format!("key={encoded}")), "{queries:?}");
        server.always(mcp_testkit::ScriptedAnswer::status(500));
        assert_eq!(status(&setting, "url")["status"], "failed");
    }
}

#[test]
fn what_a_reference_does_not_lead_to_is_told_with_its_place_and_nothing_is_contacted() {
    let server = FakeMcpServer::start().unwrap();
    let gone = "${file:/nowhere/token}";
    for (reference, why, next) in [
        (gone, "it does not exist", "write the secret to /nowhere/token"),
        ("${keyring:mcp/nothing}", "keyring", "mcplink secret set nothing"),
        (
            "${cmd:echo canary; echo 'vault is sealed' >&2; exit 7}",
            "vault is sealed",
            "correct the command for ${cmd:*",
        ),
        ("${file:/usr}", "directory", "name a file: /usr is a directory"),
        ("${cmd:true}", "printed nothing", "have the command print the secret, and nothing else, to stdout"),
    ] {
        let setting = Setting::of(
            "web",
            with_headers(&server, json!({ "Authorization": format!("Bearer {reference}") })),
        )
        .with("local", json!({ "command": "sh", "args": ["-c", SERVER], "env": { "KEY": reference } }));
        for (name, field) in [("web", "headers.Authorization"), ("local", "env.KEY")] {
            let row = setting.status(name);
            let message = row["reason"]["message"].as_str().unwrap();
            assert_eq!(
                (&row["status"], &row["reason"]["code"]),
                (&json!("needs-auth"), &json!("credentials-failed")),
                "{row:#}"
            );
            assert!(message.contains(field) && message.contains(".claude.json:"), "{message}");
            assert!(message.contains(why), "{message}");
            let (said, next) = (row["reason"]["next"].as_str().unwrap(), next.replace("NAME", name));
            let is_it = next.strip_suffix('*').map_or(said == next, |start| said.starts_with(start));
            assert!(is_it, "{reference}: {row:#}");
            let doctor = setting.run(&["doctor", name, "--json"], 3).json();
            let checks = doctor["servers"][0]["checks"].as_array().unwrap();
            let bad = checks.iter().find(|check| check["state"] == "bad").unwrap();
            assert_eq!(bad["topic"], "secret", "{doctor:#}");
        }
    }
    assert!(server.requests().is_empty());
}

#[test]
fn a_reference_that_leads_nowhere_is_refused_before_anything_is_sent() {
    let server = FakeMcpServer::start().unwrap();
    for (reference, said) in [
        ("${keyring:tok}", "${keyring:mcp/tok}"),
        ("${vault:x}", "there is no reference of the kind `vault`"),
        ("${B:-${keyring:mcp/x}}", "the default of B has a reference in it"),
    ] {
        let setting = Setting::of("web", with_headers(&server, json!({ "X-Key": reference })))
            .with("local", json!({ "command": "sh", "args": ["-c", SERVER], "env": { "KEY": reference } }));
        for name in ["web", "local"] {
            let row = setting.status(name);
            assert_eq!(row["reason"]["code"], "config", "{reference}: {row:#}");
            assert!(row["reason"]["message"].as_str().unwrap().contains(said), "{row:#}");
        }
        let validate = setting.run(&["validate"], 2);
        assert!(validate.stdout.contains(said) && validate.stdout.contains("headers.X-Key"), "{validate}");
        setting.run(&["headers", "web"], 2);
    }
    // What may be the template of the server's own is said, and sent.
    let setting = Setting::of("web", with_headers(&server, json!({ "X-Key": "${date:iso}" })));
    assert!(setting.run(&["validate"], 0).stdout.contains("it is used as it stands"));
    assert!(server.requests().is_empty());
}

/// The environment of a child as the system has it: what is kept by reference is in none but where it is meant.
#[test]
fn no_child_finds_in_its_environment_what_another_field_refers_to() {
    let setting = Setting::new();
    let secret = |name: &str| setting.home.secret(name);
    let [of_file, of_command, of_keyring] = ["of-file", "of-command", "of-keyring"].map(secret);
    let path = setting.home.write("token", &of_file).unwrap();
    let kept = kept(&setting, "wiki", &of_keyring);
    // Each child keeps what the system says that it has, and then does its work.
    let seen = |name: &str| setting.home.home().join(format!("environ-{name}"));
    let child = |name: &str, then: &str| {
        let text =
            format!("#!/bin/sh\ntr '\\0' '\\n' </proc/$$/environ >'{}'\n{then}\n", seen(name).display());
        let path = setting.home.write(name, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path.display().to_string()
    };
    setting.home.write("printed", &of_command).unwrap();
    let command = child("print-it", "cat \"${0%/*}/printed\"");
    let plugin = "while read -r line; do id=${line#*\\\"id\\\":}; id=${id%%,*}\n\
        case \"$line\" in *hello*) r='{\"protocol\":1}' ;; *) r='{\"headers\":{\"Authorization\":\"Bearer x\"}}' ;; esac\n\
        printf '{\"id\":%s,\"result\":%s}\\n' \"$id\" \"$r\"; done";
    let server = FakeMcpServer::start().unwrap();
    let mut entries = Vec::new();
    let headers = json!({ "X-File": format!("${{file:{}}}", path.display()), "X-Command": format!("${{cmd:{command}}}"), "X-Kept": kept });
    let mut helper = with_headers(&server, headers.clone());
    helper["headersHelper"] = json!(child("mint", "echo '{\"Authorization\": \"Bearer x\"}'"));
    entries.push(("helper", helper, vec!["mint", "print-it"]));
    let mut by_plugin = with_headers(&server, headers.clone());
    by_plugin["auth"] = json!({ "provider": child("plugin", plugin) });
    entries.push(("plugin", by_plugin, vec!["plugin", "print-it"]));
    let mut signed = with_headers(&server, headers.clone());
    signed["auth"] = json!({ "sign": "aws-sigv4", "service": "s", "region": "r", "profile": "p" });
    let keys = child("keys", "echo '{\"Version\": 1, \"AccessKeyId\": \"AK\", \"SecretAccessKey\": \"x\"}'");
    std::fs::create_dir_all(setting.home.home().join(".aws")).unwrap();
    setting.home.write(".aws/config", format!("[profile p]\ncredential_process = {keys}\n")).unwrap();
    entries.push(("signed", signed, vec!["keys", "print-it"]));
    // A local server gets in an argument, or a variable, what stands there, and nothing else.
    let script = child("server", SERVER);
    let local = json!({ "command": script, "args": [format!("--key={kept}")], "env": { "KEY": format!("${{cmd:{command}}}") } });
    entries.push(("local", local, vec!["server", "print-it"]));
    let setting = entries.iter().fold(setting, |setting, (name, entry, _)| setting.with(name, entry.clone()));
    for (name, _, children) in &entries {
        // Its own variable has what it says.
        let asked = setting.mcplink(&["status", name, "--json"]).may_hold_secrets("state");
        let row = crate::setting::row(&asked.may_hold_secrets("home/environ-server").run().json(), name);
        assert_eq!(row["status"], "connected", "{name}: {row:#}");
        for child in children {
            let path = setting.home.home().join(format!("environ-{child}"));
            let environ = std::fs::read_to_string(&path).unwrap();
            assert!(environ.contains("PATH="), "{child}: {environ}");
            for (secret, meant) in
                [(&of_file, false), (&of_keyring, false), (&of_command, *child == "server")]
            {
                assert_eq!(environ.contains(secret.as_str()), meant, "{name}, {child}: {environ}");
            }
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn s_n21_a_repository_says_which_secret_is_read_only_once_its_folder_is_trusted() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let secret = setting.home.secret("of-command");
    let command = printing(&setting, "print-it", &secret);
    let file = setting.home.write("token", &secret).unwrap();
    let setting = setting.project_file(json!({
        "cmd": with_headers(&server, json!({ "X-Key": command })),
        "file": with_headers(&server, json!({ "X-Key": format!("${{file:{}}}", file.display()) })),
        "local": { "command": "sh", "args": ["-c", SERVER], "env": { "KEY": "${keyring:mcp/nothing}" } },
        "oauth": { "type": "http", "url": server.url().as_str(), "oauth": { "clientId": "a", "clientSecret": "${env:A}" } },
    }));
    let seen = setting.home.home().join("seen");
    setting.run(&["approve", "cmd", "file", "local", "--yes"], 0);
    for name in ["cmd", "file", "local"] {
        let row = setting.status(name);
        assert_eq!(row["reason"]["code"], "helper-untrusted", "{row:#}");
        assert!(row["reason"]["next"].as_str().unwrap().starts_with("mcplink trust"), "{row:#}");
    }
    assert!(server.requests().is_empty() && !seen.exists());
    assert_eq!(setting.status("oauth")["reason"]["code"], "config");
    setting.run(&["trust", "--yes"], 0);
    let run = setting.mcplink(&["status", "cmd", "file"]).env("MY_API_KEY", "canary-inherited");
    run.run().expect_code(0);
    let seen = std::fs::read_to_string(seen).unwrap();
    assert!(seen.contains("MCP_SERVER_NAME=cmd") && !seen.contains("canary-inherited"), "{seen}");

    // What is agreed to is the reference.
    let other = with_headers(&server, json!({ "X-Key": "${keyring:mcp/other}" }));
    let setting = setting.project_file(json!({ "file": other }));
    assert_eq!(setting.status("file")["reason"]["code"], "changed-since-approval");
}

#[test]
fn a_secret_is_kept_listed_and_forgotten_and_never_shown() {
    let setting = Setting::new();
    let secret = setting.home.secret("typed");
    let none = setting.run(&["secret", "list"], 0);
    assert!(none.stdout.is_empty() && none.stderr.contains("mcplink secret set"), "{none}");
    assert!(!setting.home.state_dir().join("secrets.json").exists(), "looking makes nothing");
    kept(&setting, "wiki", &secret);
    let set = |name: &str, value: &str| {
        setting.mcplink(&["secret", "set", name, "--json"]).may_hold_secrets("state").stdin(value)
    };
    let again = set("team/wiki", &secret).run().expect_code(0).json();
    assert_eq!((&again["reference"], &again["replaced"]), (&json!("${keyring:team/wiki}"), &json!(false)));
    let mode = std::fs::metadata(setting.home.state_dir().join("secrets.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let list = setting.mcplink(&["secret", "list", "--json"]).may_hold_secrets("state").run().json();
    let names: Vec<_> =
        list["secrets"].as_array().unwrap().iter().map(|row| row["reference"].clone()).collect();
    assert_eq!(names, [json!("${keyring:mcp/wiki}"), json!("${keyring:team/wiki}")]);
    let empty = setting.mcplink(&["secret", "set", ""]).stdin("x").run().expect_code(2);
    assert!(empty.stderr.contains("the name of the secret is empty"), "{empty}");
    for (args, input, code) in [
        (vec!["secret", "set"], "x", 2),
        (vec!["secret", "set", "a b"], "x", 2),
        (vec!["secret", "set", "mcplink/x"], "x", 2),
        (vec!["secret", "set", "empty"], "\n", 2),
        (vec!["secret", "list", "wiki"], "", 2),
        (vec!["secret", "delete", "nothing"], "", 2),
        (vec!["secret", "delete", "wiki"], "", 0),
        (vec!["secret", "delete", "team/wiki"], "", 0),
        (vec!["secret", "delete", "wiki"], "", 2),
    ] {
        setting.mcplink(&args).may_hold_secrets("state").stdin(input).run().expect_code(code);
    }
    assert!(
        !std::fs::read_to_string(setting.home.state_dir().join("secrets.json")).unwrap().contains(&secret)
    );
}
