//! What opens a bridge that was refused, and what closes one that works: a person's decision, an edit, a sign-in, made
//! anywhere, and heard without a reconnect.

use std::time::{Duration, Instant};

use mcp_harness::{Running, process_is_alive};
use mcp_testkit::{Accept, FakeAuthServer, FakeBrowser, FakeEra, FakeHelper, FakeMcpServer};
use serde_json::{Value, json};

use crate::bridge::{ask, echo, open};
use crate::local::{SERVER, shell};
use crate::setting::{Setting, http, with_headers, with_helper};

/// A refusal is not looked at again for 30 s by itself. What is heard is heard in a second; a busy machine gets more.
const HEARD: Duration = Duration::from_secs(10);

/// Calls until `seen` is content with the answer, and returns it.
#[track_caller]
fn call_until(bridge: &mut Running<'_>, tool: &str, what: &str, seen: impl Fn(&Value) -> bool) -> Value {
    static IDS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1000);
    let began = Instant::now();
    loop {
        let id = IDS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let answer = ask(bridge, id, "tools/call", json!({ "name": tool, "arguments": { "text": "hello" } }));
        if seen(&answer) {
            return answer;
        }
        assert!(began.elapsed() < HEARD, "{what} is not heard: {answer:#}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn works(answer: &Value) -> bool {
    answer["result"]["content"][0]["text"] == "hello"
}

/// What closes a bridge, and how a call tells it.
type Close<'a> = dyn Fn(&Setting) + 'a;
type Closed<'a> = dyn Fn(&Value) -> bool + 'a;

/// Whether a call was refused for this reason.
fn refused(answer: &Value, code: &str) -> bool {
    answer["error"]["data"]["reason"]["code"] == code
}

fn off(answer: &Value) -> bool {
    answer["error"]["data"]["status"] == "disabled"
}

fn write(setting: &Setting, servers: Value) {
    setting.home.write(".claude.json", json!({ "mcpServers": servers }).to_string()).unwrap();
}

fn project(setting: &Setting, entry: &Value) {
    setting.home.write_project(".mcp.json", json!({ "mcpServers": { "db": entry } }).to_string()).unwrap();
}

#[test]
fn fa_a58_a_bridge_opens_when_its_entry_is_approved_and_its_host_hears_of_it() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new().project_file(json!({ "db": http(&server) }));
    let mut bridge = open(&setting, "db");
    let answer = echo(&mut bridge, 1);
    assert!(refused(&answer, "awaiting-approval"), "{answer:#}");
    let listed = ask(&mut bridge, 2, "tools/list", json!({}));
    assert_eq!(listed["result"]["tools"], json!([]));
    setting.run(&["approve", "db", "--yes"], 0);
    // Before the first question.
    bridge.wait_for_stdout("that the lists have changed", |text| {
        text.contains("notifications/tools/list_changed")
    });
    assert!(works(&echo(&mut bridge, 3)));
    bridge.wait().expect_code(0);
}

/// For so long one look serves the calls that are made; a person who edits takes longer.
const LOOK_HOLDS: Duration = Duration::from_millis(10);

/// The files are looked at before a call; nothing here waits for the next look that is due anyway.
#[test]
fn s_b1_fa_a59_the_next_call_goes_where_its_entry_leads_now() {
    let [first, second] = [(); 2].map(|()| FakeMcpServer::start().unwrap());
    let setting = Setting::of("db", http(&first));
    let mut bridge = open(&setting, "db");
    assert!(works(&echo(&mut bridge, 1)));
    // The first look is over, and the next one is far away.
    std::thread::sleep(Duration::from_millis(700));
    for id in 2..6 {
        let (server, other) = if id % 2 == 0 { (&second, &first) } else { (&first, &second) };
        write(&setting, json!({ "db": http(server) }));
        std::thread::sleep(LOOK_HOLDS);
        let before = other.count("tools/call");
        assert!(works(&echo(&mut bridge, id)), "{id}");
        assert_eq!(other.count("tools/call"), before, "{id}: it went where the entry led before");
    }
    write(&setting, json!({}));
    std::thread::sleep(LOOK_HOLDS);
    let answer = echo(&mut bridge, 6);
    assert!(refused(&answer, "config"), "it was taken out: {answer:#}");
    write(&setting, json!({ "db": http(&first) }));
    std::thread::sleep(LOOK_HOLDS);
    assert!(works(&echo(&mut bridge, 7)), "it is there again");
    // What cannot be read decides nothing about a server that works.
    setting.home.write(".claude.json", "{ \"mcpServers\": {").unwrap();
    assert!(works(&echo(&mut bridge, 8)));
    bridge.wait().expect_code(0);
}

#[test]
fn s_b1_fa_a58_a_bridge_tells_what_is_so_now_when_a_change_is_undone_rejected_or_approved() {
    let other = FakeMcpServer::start().unwrap();
    let good = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::new().project_file(json!({ "db": http(&good) }));
    setting.run(&["approve", "db", "--yes"], 0);
    project(&setting, &http(&other));
    let mut bridge = open(&setting, "db");
    assert!(refused(&echo(&mut bridge, 1), "changed-since-approval"));
    project(&setting, &http(&good));
    call_until(&mut bridge, "echo", "the undoing", works);
    assert_eq!(other.connections(), 0);

    project(&setting, &http(&other));
    let answer =
        call_until(&mut bridge, "echo", "the change", |answer| refused(answer, "changed-since-approval"));
    assert_eq!(answer["error"]["data"]["next"], "mcplink approve db");
    let began = Instant::now();
    while good.sessions() > 0 {
        assert!(began.elapsed() < HEARD, "the old session goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
    setting.run(&["reject", "db"], 0);
    call_until(&mut bridge, "echo", "the rejection", off);
    assert_eq!(other.connections(), 0);
    setting.run(&["approve", "db", "--yes"], 0);
    call_until(&mut bridge, "echo", "the approval", works);
    assert!(other.count("tools/call") > 0);
    bridge.wait().expect_code(0);
}

#[test]
fn s_b1_a_bridge_that_works_ends_what_was_rejected_changed_disabled_or_removed() {
    let run = || shell(&format!("echo $$ >>\"$HOME/pids\"\n{SERVER}"));
    let pids = |setting: &Setting| -> Vec<u32> {
        let text = std::fs::read_to_string(setting.home.home().join("pids")).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    };
    let ended = |setting: &Setting, what: &str| {
        let began = Instant::now();
        while pids(setting).iter().any(|pid| process_is_alive(*pid)) {
            assert!(began.elapsed() < HEARD, "{what}: the old process serves on");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let closes: [(&str, &Close<'_>, &Closed<'_>); 5] = [
        ("rejected", &|setting| drop(setting.run(&["reject", "db"], 0)), &off),
        ("changed", &|setting| project(setting, &shell("touch \"$HOME/PWNED\"")), &|answer| {
            refused(answer, "changed-since-approval")
        }),
        (
            "switched off by itself",
            &|setting| {
                let mut entry = run();
                entry["disabled"] = json!(true);
                project(setting, &entry);
            },
            &off,
        ),
        (
            "switched off by the person",
            &|setting| {
                let project = setting.home.project().to_string_lossy().into_owned();
                let file = json!({ "projects": { project: { "disabledMcpServers": ["db"] } } });
                drop(setting.home.write(".claude.json", file.to_string()).unwrap());
            },
            &off,
        ),
        (
            "removed",
            &|setting| {
                drop(setting.home.write_project(".mcp.json", r#"{"mcpServers": {}}"#).unwrap());
            },
            &|answer| refused(answer, "config"),
        ),
    ];
    for (what, close, closed) in closes {
        let setting = Setting::new().project_file(json!({ "db": run() }));
        setting.run(&["approve", "db", "--yes"], 0);
        let mut bridge = open(&setting, "db");
        call_until(&mut bridge, "hello", "the server", works);
        assert_eq!(pids(&setting).len(), 1, "{what}");
        close(&setting);
        let answer = call_until(&mut bridge, "hello", what, closed);
        assert_eq!(answer["error"]["data"]["mayHaveRun"], false, "{what}: {answer:#}");
        ended(&setting, what);
        assert!(!setting.home.home().join("PWNED").exists(), "{what}");
        bridge.wait().expect_code(0);
    }
}

#[test]
fn fa_a59_a_bridge_opens_when_what_was_refused_is_mended_in_its_file() {
    let server = FakeMcpServer::builder().accept("good").start().unwrap();
    let token = |token: &str| with_headers(&server, json!({ "Authorization": format!("Bearer {token}") }));
    let setting = Setting::of("web", token("bad"));
    let mut bridge = open(&setting, "web");
    assert!(refused(&echo(&mut bridge, 1), "credentials-rejected"));
    write(&setting, json!({ "web": token("good") }));
    call_until(&mut bridge, "echo", "the token", works);
    // Another server's entry, or the file as such, is not its business.
    let before = server.count("initialize") + server.count("server/discover");
    write(&setting, json!({ "web": token("good"), "other": token("bad") }));
    std::thread::sleep(Duration::from_secs(3));
    assert!(works(&echo(&mut bridge, 2)));
    assert_eq!(server.count("initialize") + server.count("server/discover"), before);
    bridge.wait().expect_code(0);

    // And what was not even an entry that could be contacted.
    for broken in [
        json!({ "type": "http", "url": "" }),
        json!({ "command": 1 }),
        json!({ "type": "http", "url": "http://127.0.0.1:1/mcp", "disabled": true }),
    ] {
        write(&setting, json!({ "web": broken }));
        let mut bridge = open(&setting, "web");
        let answer = echo(&mut bridge, 1);
        assert!(answer["error"].is_object(), "{broken}: {answer}");
        if broken["disabled"] == true {
            assert_eq!(answer["error"]["data"]["next"], "mcplink enable web", "{answer}");
        }
        write(&setting, json!({ "web": token("good") }));
        call_until(&mut bridge, "echo", "the entry", works);
        bridge.wait().expect_code(0);
    }
}

#[test]
fn fb_b27_a_bridge_opens_with_a_sign_in_elsewhere() {
    let server = FakeMcpServer::start().unwrap();
    let auth = FakeAuthServer::start().unwrap();
    auth.protect(&server);
    let setting = Setting::of("s", http(&server));
    let browser = FakeBrowser::new().unwrap();
    let login = || {
        let login = setting.mcplink(&["login", "s"]).env("BROWSER", browser.command());
        login.may_hold_secrets("state").run().expect_code(0);
    };
    let mut bridge = open_with_state(&setting, "s");
    let answer = echo(&mut bridge, 1);
    assert_eq!(answer["error"]["data"]["status"], "needs-auth", "{answer:#}");
    login();
    call_until(&mut bridge, "echo", "the sign-in", works);
    // The same where there was a sign-in already, which is worth nothing any more.
    server.accept(Accept::Nothing);
    call_until(&mut bridge, "echo", "the refusal", |answer| {
        answer["error"]["data"]["status"] == "needs-auth"
    });
    auth.protect(&server);
    login();
    call_until(&mut bridge, "echo", "the second sign-in", works);
    bridge.wait().expect_code(0);
}

#[test]
fn fa_a58_nothing_runs_and_no_server_is_asked_while_nothing_has_changed() {
    let helper = FakeHelper::new().unwrap();
    helper.fails(7, "session expired");
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("web", with_helper(&server, &helper));
    let mut bridge = open(&setting, "web");
    assert!(refused(&echo(&mut bridge, 1), "helper-failed"));
    let runs = helper.runs();
    // Other programs write to these files all the time.
    for number in 0..8 {
        let mut file: Value =
            serde_json::from_str(&std::fs::read_to_string(setting.home.home().join(".claude.json")).unwrap())
                .unwrap();
        file["numStartups"] = json!(number);
        // At once, as they do: half a file is another test's matter.
        let written = setting.home.write(".claude.json.new", file.to_string()).unwrap();
        std::fs::rename(written, setting.home.home().join(".claude.json")).unwrap();
        std::thread::sleep(Duration::from_millis(400));
    }
    assert_eq!((helper.runs(), server.connections()), (runs, 0));
    // A change of the entry is worth a run.
    helper.prints_bearer("good");
    let mut entry = with_helper(&server, &helper);
    entry["headers"] = json!({ "X-Team": "a" });
    write(&setting, json!({ "web": entry }));
    call_until(&mut bridge, "echo", "the entry", works);
    bridge.wait().expect_code(0);
}

#[test]
fn fa_a51_a_file_that_breaks_under_a_bridge_ends_nothing_and_a_rejection_counts_all_the_same() {
    let other = FakeMcpServer::start().unwrap();
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("db", http(&other)).project_file(json!({ "db": http(&server) }));
    setting.run(&["approve", "db", "--yes"], 0);
    let mut bridge = open(&setting, "db");
    assert!(works(&echo(&mut bridge, 1)));
    let text = std::fs::read_to_string(setting.home.project().join(".mcp.json")).unwrap();
    setting.home.write_project(".mcp.json", &text[..text.len() / 2]).unwrap();
    std::thread::sleep(Duration::from_secs(4));
    assert!(works(&echo(&mut bridge, 2)));
    assert_eq!((other.connections(), server.sessions_made()), (0, 1), "half a file is not a decision");
    setting.home.write_project(".mcp.json", text).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert!(works(&echo(&mut bridge, 3)));
    assert_eq!(server.sessions_made(), 1);
    // Another program's file, in a place that is none of its business, keeps no rejection from being heard.
    setting.home.write_project(".claude/settings.json", "{").unwrap();
    setting.run(&["reject", "db"], 0);
    // The person's own entry of that name is in force then.
    call_until(&mut bridge, "echo", "the rejection", |answer| works(answer) && other.count("tools/call") > 0);
    bridge.wait().expect_code(0);
}

/// An entry whose helper is this script.
fn with_script(server: &FakeMcpServer, script: &std::path::Path) -> Value {
    let command = format!("sh {}", mcp_text::shell_word(&script.to_string_lossy()));
    json!({ "type": "http", "url": server.url().as_str(), "headersHelper": command })
}

/// What a helper prints.
fn prints(token: &str) -> String {
    format!("echo run >>\"$HOME/runs\"\necho '{{\"Authorization\": \"Bearer {token}\"}}'\n")
}

fn runs(setting: &Setting) -> usize {
    std::fs::read_to_string(setting.home.home().join("runs")).unwrap_or_default().lines().count()
}

#[test]
fn fa_a59_a_bridge_opens_when_the_script_of_its_helper_is_edited() {
    let server = FakeMcpServer::builder().accept("good").start().unwrap();
    let mut setting = Setting::new();
    let script = setting.home.write("mint.sh", prints("bad")).unwrap();
    setting.write("web", with_script(&server, &script));
    let mut bridge = open(&setting, "web");
    assert!(refused(&echo(&mut bridge, 1), "credentials-rejected"));
    let before = runs(&setting);
    // Nothing runs by itself.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(runs(&setting), before);
    // It fails in another way, and then it is right.
    std::fs::write(&script, "echo 'my-sso: expired' >&2; exit 7").unwrap();
    call_until(&mut bridge, "echo", "the first edit", |answer| refused(answer, "helper-failed"));
    std::fs::write(&script, prints("good")).unwrap();
    call_until(&mut bridge, "echo", "the second edit", works);
    // While it works, an edit is for the next time.
    let before = runs(&setting);
    std::fs::write(&script, prints("bad")).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert!(works(&echo(&mut bridge, 2)));
    assert_eq!(runs(&setting), before);
    bridge.wait().expect_code(0);
}

/// A bridge to `name` in a home whose state may hold secrets, which has answered its host.
fn open_with_state<'a>(setting: &'a Setting, name: &str) -> Running<'a> {
    let mut bridge = setting.mcplink(&["bridge", name]).may_hold_secrets("state").start();
    crate::bridge::say(&mut bridge, crate::bridge::INITIALIZE);
    crate::bridge::response(&bridge, 0);
    bridge
}

/// Keeps a secret under the name `t` as a person does.
fn keep(setting: &Setting, secret: &str) {
    let set = setting.mcplink(&["secret", "set", "mcp/t"]).may_hold_secrets("state");
    set.stdin(format!("{secret}\n")).run().expect_code(0);
}

/// Whatever a secret is read from, a person who puts the right one there need not know that there is a session.
#[test]
fn fa_a59_a_bridge_opens_when_a_secret_is_kept_or_replaced_and_when_a_token_file_is_written() {
    let server = FakeMcpServer::builder().accept("good").start().unwrap();
    let reference = "${keyring:mcp/t}";
    let of_keyring = with_headers(&server, json!({ "Authorization": format!("Bearer {reference}") }));
    for before in [None, Some("bad")] {
        let setting = Setting::of("web", of_keyring.clone());
        before.iter().for_each(|secret| keep(&setting, secret));
        let mut bridge = open_with_state(&setting, "web");
        let answer = echo(&mut bridge, 1);
        assert_eq!(answer["error"]["data"]["status"], "needs-auth", "{before:?}: {answer:#}");
        keep(&setting, "good");
        call_until(&mut bridge, "echo", "the secret", works);
        bridge.wait().expect_code(0);
    }

    let mut setting = Setting::new();
    let file = setting.home.write("token", "bad").unwrap();
    setting.write("web", json!({ "type": "http", "url": server.url().as_str(), "auth": { "file": file } }));
    let mut bridge = open(&setting, "web");
    let answer = echo(&mut bridge, 1);
    assert_eq!(answer["error"]["data"]["status"], "needs-auth", "{answer:#}");
    std::fs::write(&file, "good").unwrap();
    call_until(&mut bridge, "echo", "the token", works);
    bridge.wait().expect_code(0);

    // What a local server is started with.
    let mut setting = Setting::new();
    let mut entry = shell(&format!("[ \"$KEY\" = good ] || exit 9\n{SERVER}"));
    entry["env"] = json!({ "KEY": reference });
    setting.write("local", entry);
    let mut bridge = open_with_state(&setting, "local");
    let answer = echo(&mut bridge, 1);
    assert_eq!(answer["error"]["data"]["status"], "needs-auth", "{answer:#}");
    keep(&setting, "good");
    call_until(&mut bridge, "hello", "the secret of a local server", works);
    bridge.wait().expect_code(0);
}

/// A helper that writes to what its command names is not run because it ran.
#[test]
fn fa_a58_fa_a59_a_helper_that_changes_its_own_files_does_not_run_without_end() {
    let server = FakeMcpServer::builder().accept("good").start().unwrap();
    let mut setting = Setting::new();
    let log = setting.home.write("mint.log", "").unwrap();
    let script = setting.home.write("mint.sh", format!("date +%N >>\"$1\"\n{}", prints("bad"))).unwrap();
    let mut entry = with_script(&server, &script);
    let command = format!(
        "{} {}",
        entry["headersHelper"].as_str().unwrap(),
        mcp_text::shell_word(&log.to_string_lossy())
    );
    entry["headersHelper"] = json!(command);
    setting.write("web", entry);
    let mut bridge = open(&setting, "web");
    assert!(refused(&echo(&mut bridge, 1), "credentials-rejected"));
    std::thread::sleep(Duration::from_secs(8));
    // Later each time: after 0.5, 1, 2, 4 s.
    let runs = runs(&setting);
    assert!((1..=14).contains(&runs), "{runs} runs in 8 s");
    bridge.wait().expect_code(0);
}

#[test]
fn s_b1_fa_a59_a_bridge_closes_when_its_entry_gets_another_name_and_opens_when_it_has_it_again() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("web", http(&server));
    let mut bridge = open(&setting, "web");
    call_until(&mut bridge, "echo", "the server", works);
    write(&setting, json!({ "website": http(&server) }));
    let answer = call_until(&mut bridge, "echo", "the other name", |answer| refused(answer, "config"));
    assert!(answer.to_string().contains("no server is named"), "{answer:#}");
    let began = Instant::now();
    while server.sessions() > 0 {
        assert!(began.elapsed() < HEARD, "the old session goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
    write(&setting, json!({ "web": http(&server) }));
    call_until(&mut bridge, "echo", "the old name", works);
    bridge.wait().expect_code(0);
}

#[test]
fn fa_a58_a_bridge_opens_when_its_folder_is_trusted_and_closes_when_it_is_not_any_more() {
    let server = FakeMcpServer::builder().accept("good").start().unwrap();
    let setting = Setting::new();
    let script = setting.home.write("mint.sh", prints("good")).unwrap();
    let setting = setting.project_file(json!({ "db": with_script(&server, &script) }));
    setting.run(&["approve", "db", "--yes"], 0);
    let mut bridge = open(&setting, "db");
    let answer = echo(&mut bridge, 1);
    assert!(refused(&answer, "helper-untrusted"), "{answer:#}");
    assert_eq!(runs(&setting), 0);
    setting.run(&["trust", "--yes"], 0);
    call_until(&mut bridge, "echo", "the trust", works);
    setting.run(&["untrust"], 0);
    let answer = call_until(&mut bridge, "echo", "the end of it", |answer| !works(answer));
    assert!(refused(&answer, "helper-untrusted"), "{answer:#}");
    bridge.wait().expect_code(0);
}

#[test]
fn fb_b27_a_bridge_closes_with_a_sign_out_elsewhere_and_opens_with_the_next_sign_in() {
    let server = FakeMcpServer::start().unwrap();
    let auth = FakeAuthServer::start().unwrap();
    auth.protect(&server);
    let setting = Setting::of("s", http(&server));
    let browser = FakeBrowser::new().unwrap();
    let run = |verb: &str| {
        let command = setting.mcplink(&[verb, "s"]).env("BROWSER", browser.command());
        command.may_hold_secrets("state").run().expect_code(0);
    };
    run("login");
    let mut bridge = open_with_state(&setting, "s");
    call_until(&mut bridge, "echo", "the sign-in", works);
    run("logout");
    let answer = call_until(&mut bridge, "echo", "the end of it", |answer| !works(answer));
    assert_eq!(answer["error"]["data"]["status"], "needs-auth", "{answer:#}");
    run("login");
    call_until(&mut bridge, "echo", "the next sign-in", works);
    // A server may take what was not revoked for hours: it is not sent all the same.
    setting.run(&["logout", "s", "--no-revoke"], 0);
    let answer = call_until(&mut bridge, "echo", "the end without a revocation", |answer| !works(answer));
    assert_eq!(answer["error"]["data"]["status"], "needs-auth", "{answer:#}");
    bridge.wait().expect_code(0);
}
