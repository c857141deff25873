//! How each command ends, by what it meets: one table of exit codes, as docs/statuses.md has them.

use std::net::TcpListener;
use std::time::{Duration, Instant, SystemTime};

use mcp_testkit::{Accept, FakeMcpServer, FakeTool, ScriptedAnswer};
use serde_json::json;

use crate::accounts::sign_in_at;
use crate::setting::{Setting, http};

/// What a command meets, by the name of an entry.
const MET: [&str; 9] =
    ["open", "refusing", "missing", "foreign", "hanging", "invalid", "unapproved", "off", "nosuch"];

/// Those of them that the files tell by themselves.
const OF_FILES: [&str; 5] = ["open", "invalid", "unapproved", "off", "nosuch"];

/// Each command with an entry in the place of `NAME`, and how it ends with each of [`MET`].
const TABLE: &[(&str, [i32; 9])] = &[
    ("status NAME", [0, 3, 4, 6, 7, 2, 3, 0, 2]),
    ("reconnect NAME", [0, 3, 4, 6, 7, 2, 3, 2, 2]),
    // What is not there yet may come.
    ("wait NAME", [0, 3, 7, 7, 7, 2, 3, 3, 2]),
    ("doctor NAME", [0, 3, 4, 6, 7, 2, 3, 0, 2]),
    ("tools NAME", [0, 3, 4, 6, 7, 2, 3, 2, 2]),
    ("call NAME echo text=x", [0, 3, 4, 6, 7, 2, 3, 2, 2]),
    ("call NAME nosuch", [5, 3, 4, 6, 7, 2, 3, 2, 2]),
    ("read NAME wiki://page", [0, 3, 4, 6, 7, 2, 3, 2, 2]),
    ("read NAME wiki://nosuch", [5, 3, 4, 6, 7, 2, 3, 2, 2]),
    ("prompt NAME review", [0, 3, 4, 6, 7, 2, 3, 2, 2]),
    ("prompt NAME nosuch", [5, 3, 4, 6, 7, 2, 3, 2, 2]),
    ("complete NAME language py --prompt review", [0, 3, 4, 6, 7, 2, 3, 2, 2]),
    ("ping NAME", [0, 3, 4, 6, 7, 2, 3, 2, 2]),
];

/// The same of commands that ask no server, with each of [`OF_FILES`].
const WITHOUT_SERVER: &[(&str, [i32; 5])] = &[
    ("get NAME", [0, 2, 0, 0, 2]),
    ("headers NAME", [0, 2, 0, 0, 2]),
    ("headers NAME --run", [2, 2, 3, 2, 2]),
    ("logs NAME", [0, 0, 0, 0, 2]),
    ("accounts NAME", [0, 0, 0, 0, 2]),
    ("reset NAME", [0, 0, 0, 0, 2]),
    ("stop NAME", [2, 2, 2, 2, 2]),
    ("approve NAME", [2, 2, 3, 2, 2]),
    ("approve-tools NAME", [2, 2, 2, 2, 2]),
    ("login NAME", [2, 2, 3, 2, 2]),
    ("call NAME echo text", [2, 2, 2, 2, 2]),
];

/// A home with an entry for each of [`MET`]; the servers end with what is returned beside it.
fn home() -> (Setting, [FakeMcpServer; 5]) {
    let builder = || {
        FakeMcpServer::builder()
            .tools(vec![FakeTool::echo()])
            .resource(json!({ "uri": "wiki://page", "name": "page" }), "A page.")
            .prompt(json!({ "name": "review" }), json!({ "messages": [] }))
    };
    let open = builder().start().unwrap();
    let completion = json!({ "resultType": "complete", "completion": { "values": ["python"] } });
    open.always_to("completion/complete", ScriptedAnswer::RpcResult(completion));
    let refusing = builder().accept(Accept::Nothing).start().unwrap();
    let missing = builder().always(ScriptedAnswer::status(404)).start().unwrap();
    let foreign = builder().always(ScriptedAnswer::json(json!({}))).start().unwrap();
    let hanging = builder().always(ScriptedAnswer::Hang).start().unwrap();
    let setting = Setting::of("open", http(&open))
        .with("refusing", http(&refusing))
        .with("missing", http(&missing))
        .with("foreign", http(&foreign))
        .with("hanging", http(&hanging))
        .with("invalid", json!({ "type": "http" }))
        .with("off", http(&open))
        .disabled(&["off"])
        .project_file(json!({ "unapproved": http(&open) }));
    (setting, [open, refusing, missing, foreign, hanging])
}

#[test]
fn fa_a113_each_outcome_of_one_server_has_its_exit_code() {
    let (setting, _servers) = home();
    for (names, code) in [
        (&["open"][..], 0),
        (&["off"], 0),
        (&["open", "off"], 0),
        (&["invalid"], 2),
        (&["refusing"], 3),
        (&["unapproved"], 3),
        (&["missing"], 4),
        (&["foreign"], 6),
        (&["hanging", "--timeout", "300ms"], 7),
        (&["refusing", "missing"], 8),
        (&["refusing", "unapproved", "open"], 3),
    ] {
        setting.run(&[&["status"], names].concat(), code);
        setting.run(&[&["status", "--json"], names].concat(), code);
    }
}

/// A person has to agree, and none can be asked.
#[test]
fn fa_a113_whatever_waits_for_a_yes_ends_with_3() {
    let server = FakeMcpServer::builder().tools(vec![FakeTool::echo()]).start().unwrap();
    let mut pinned = http(&server);
    pinned["pinTools"] = json!(true);
    let setting = Setting::of("pinned", pinned).project_file(json!({ "unapproved": http(&server) }));
    for line in [
        "approve unapproved",
        "approve unapproved --yes=sha256:00",
        "trust",
        "trust --yes=sha256:00",
        "approve-tools pinned",
        "approve-tools pinned --yes=sha256:00",
        "support-bundle --offline",
    ] {
        for more in [&[][..], &["--json"], &["--non-interactive"]] {
            setting.run(&[&line.split(' ').collect::<Vec<_>>(), more].concat(), 3);
        }
    }
}

/// One cause has one code, whichever file it is about.
#[cfg(unix)]
#[test]
fn fa_a113_whatever_cannot_be_written_ends_with_1() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    let server = FakeMcpServer::builder().tools(vec![FakeTool::echo()]).start().unwrap();
    let blob = json!({ "resultType": "complete", "contents": [{ "uri": "wiki://page", "blob": "AAAA" }] });
    server.always_to("resources/read", ScriptedAnswer::RpcResult(blob));
    let setting = Setting::of("open", http(&server)).project_file(json!({ "unapproved": http(&server) }));
    let own = json!({ "mcpServers": { "a": { "command": "a" }, "b": { "command": "b", "disabled": true } } });
    let own = setting.home.write(".config/mcplink/mcp.json", own.to_string()).unwrap();
    let cursor =
        json!({ "mcpServers": { "c": { "url": "https://c.example/mcp" }, "a": { "command": "a" } } });
    let cursor = setting.home.write(".cursor/mcp.json", cursor.to_string()).unwrap();
    let no_folder = setting.home.write("file", "").unwrap().join("x");
    let no_folder = no_folder.to_str().unwrap();
    for file in [&own, &cursor] {
        set_permissions(file, Permissions::from_mode(0o444)).unwrap();
    }
    for (line, state) in [
        ("add x https://x.example/mcp --no-check", None),
        ("add-json x {\"command\":\"x\"}", None),
        ("remove a", None),
        ("disable a", None),
        ("enable b", None),
        ("import cursor --name c --yes", None),
        ("wrap cursor a --yes --no-check", None),
        ("wrap cursor c --yes --no-check", None),
        (&format!("wrap claude-desktop open --mcpb {no_folder}"), None),
        (&format!("support-bundle --offline --yes -o {no_folder}"), None),
        (&format!("man --out {no_folder}"), None),
        (&format!("read open wiki://page -o {no_folder}"), None),
        ("approve unapproved --yes", Some(no_folder)),
        ("trust --yes", Some(no_folder)),
        ("add x https://x.example/mcp --no-check", Some(no_folder)),
    ] {
        let run = setting.mcplink(&line.split(' ').collect::<Vec<_>>());
        let output = state.iter().fold(run, |run, state| run.env("MCPLINK_STATE_DIR", *state)).run();
        assert_eq!(output.code, Some(1), "{line}: {output}");
        assert!(output.stderr.contains("  next: "), "{line}: {output}");
    }
    for file in [&own, &cursor] {
        set_permissions(file, Permissions::from_mode(0o644)).unwrap();
    }
}

#[test]
fn fa_a113_each_command_ends_as_the_table_of_exit_codes_says() {
    let (setting, _servers) = home();
    let of_servers = TABLE
        .iter()
        .flat_map(|(line, codes)| MET.map(|name| line.replace("NAME", name)).into_iter().zip(*codes));
    let of_files = WITHOUT_SERVER
        .iter()
        .flat_map(|(line, codes)| OF_FILES.map(|name| line.replace("NAME", name)).into_iter().zip(*codes));
    // What ends with 7 has run out of time.
    let in_time =
        |(line, code): (String, i32)| (if code == 7 { line + " --timeout 300ms" } else { line }, code);
    let lines: Vec<(String, i32)> = of_servers.chain(of_files).map(in_time).collect();
    let wrong = |lines: &[(String, i32)]| -> Vec<String> {
        let ended = lines.iter().map(|(line, code)| {
            let output = setting.mcplink(&line.split(' ').collect::<Vec<_>>()).run();
            (output.code != Some(*code)).then(|| format!("{line}: {code} is due: {output}"))
        });
        ended.flatten().collect()
    };
    // Two at a time, as much of it is waiting.
    let (first, second) = lines.split_at(lines.len() / 2);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let first = scope.spawn(|| wrong(first));
        let second = wrong(second);
        [first.join().unwrap(), second].concat()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The limit of a command is that of its answer: who is silent is named in time, and only then a refresh token that was sent is
/// waited for, so that its successor is not lost.
#[test]
fn a_silent_token_endpoint_is_named_at_the_limit_of_the_command() {
    let server = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    // The system takes connections for it, and no one answers them.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let issuer = format!("http://{}", silent.local_addr().unwrap());
    let setting = Setting::of("s", http(&server));
    let refresh = setting.home.secret("refresh");
    sign_in_at(&issuer, &setting, "s", server.url().as_str(), |tokens| {
        tokens.refresh_token = Some(refresh.clone().into());
        tokens.token_endpoint = Some(format!("{issuer}/token"));
        tokens.expires_at = Some(SystemTime::now() - Duration::from_secs(60));
    });
    for command in [
        &["call", "s", "echo", "text=x", "--timeout", "1s", "--json"][..],
        &["tools", "s", "--timeout", "1s", "--json"],
    ] {
        let began = Instant::now();
        let running = setting.mcplink(command).start();
        let said = running.wait_for_stderr("who is silent", |text| text.contains("/token"));
        // It waits 10 s for the token.
        assert!(began.elapsed() < Duration::from_secs(9), "{said}");
        assert!(said.contains(&format!("no answer yet from {issuer}/token")), "{said}");
        assert!(said.contains("1 s (--timeout)"), "{said}");
        // A signal ends that at once, and changes nothing about how the command ended.
        running.signal("TERM");
        drop(running.wait().expect_code(7));
    }
    assert!(server.requests().is_empty(), "the server is asked once there is a token");
}
