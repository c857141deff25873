//! `status --watch` and `wait`: one connection for each server, held; what changes is shown, and nothing is started or run to
//! find out.

use std::time::{Duration, Instant};

use mcp_harness::{Running, Screen};
use mcp_testkit::{Accept, FakeAuthServer, FakeBrowser, FakeHelper, FakeMcpServer, ScriptedAnswer};
use serde_json::{Value, json};

use crate::local::{SERVER, shell};
use crate::menu::Tmux;
use crate::setting::{Setting, http, with_headers, with_helper};

/// What is heard of a change. A second on a machine with nothing else to do.
const HEARD: Duration = Duration::from_secs(20);

fn watch<'a>(setting: &'a Setting, arguments: &[&str]) -> Running<'a> {
    let command = [&["status", "--watch", "--json"], arguments].concat();
    setting.mcplink(&command).timeout(Duration::from_secs(120)).may_hold_secrets("state").start()
}

/// The changes so far.
fn changes(watch: &Running<'_>) -> Vec<Value> {
    let text = watch.stdout();
    // The last line may be half a line.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The statuses of a server so far.
fn statuses(watch: &Running<'_>, name: &str) -> Vec<String> {
    let of = |change: &Value| (change["server"]["name"] == name).then(|| change["server"]["status"].clone());
    changes(watch).iter().filter_map(of).map(|status| status.as_str().unwrap().to_owned()).collect()
}

/// Waits until the last that was told of this server is `status`.
#[track_caller]
fn until(watch: &Running<'_>, name: &str, status: &str) {
    let began = Instant::now();
    while statuses(watch, name).last().is_none_or(|last| last != status) {
        assert!(began.elapsed() < HEARD, "{name} is never {status}: {}{}", watch.stdout(), watch.stderr());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn counted() -> Value {
    shell(&format!("echo $$ >>\"$HOME/pids\"\n{SERVER}"))
}

fn pids(setting: &Setting) -> Vec<u32> {
    let text = std::fs::read_to_string(setting.home.home().join("pids")).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Each line that came is what the schema says of one.
fn end(watch: Running<'_>) {
    for change in changes(&watch) {
        let wrong = mcp_harness::against_schema(&change, &crate::pages::schema(), "status-watch");
        assert!(wrong.is_empty(), "{wrong:#?}\n{change:#}");
    }
    watch.signal("INT");
    watch.wait().expect_code(130);
}

#[test]
fn fh_h12_a_watch_starts_a_server_once_and_runs_a_helper_once() {
    let (plain, minted) = (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearer("good");
    let setting = Setting::of("local", counted())
        .with("plain", http(&plain))
        .with("minted", with_helper(&minted, &helper));
    let watch = watch(&setting, &[]);
    for name in ["local", "plain", "minted"] {
        until(&watch, name, "connected");
    }
    let connected = changes(&watch).len();
    // Two rounds of everything that it does again and again.
    std::thread::sleep(Duration::from_secs(12));
    assert_eq!((pids(&setting).len(), helper.runs()), (1, 1));
    for server in [&plain, &minted] {
        let opened = server.count("initialize");
        assert!(opened <= 1, "{opened} handshakes");
    }
    assert_eq!(changes(&watch).len(), connected, "nothing has changed: {}", watch.stdout());
    assert_eq!(connected, 3, "{}", watch.stdout());
    end(watch);
}

#[test]
fn fh_h12_a_server_that_dies_and_comes_back_is_shown() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("local", counted()).with("web", http(&server));
    let watch = watch(&setting, &[]);
    until(&watch, "local", "connected");
    until(&watch, "web", "connected");
    server.always(ScriptedAnswer::status(503));
    let began = Instant::now();
    while statuses(&watch, "web").last().unwrap() == "connected" {
        assert!(began.elapsed() < HEARD, "it is not noticed: {}", watch.stdout());
        std::thread::sleep(Duration::from_millis(20));
    }
    server.always(ScriptedAnswer::Honest);
    until(&watch, "web", "connected");
    // A process that ends is started again, and told by another connection.
    let before = statuses(&watch, "local").len();
    let killed = pids(&setting)[0];
    std::process::Command::new("kill").arg(killed.to_string()).status().unwrap();
    let began = Instant::now();
    while statuses(&watch, "local").len() == before || pids(&setting).len() < 2 {
        assert!(began.elapsed() < HEARD, "it is not noticed: {}", watch.stdout());
        std::thread::sleep(Duration::from_millis(20));
    }
    until(&watch, "local", "connected");
    end(watch);
}

#[test]
fn fh_h12_an_edit_of_the_configuration_adds_and_removes_rows() {
    let (one, two) = (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    let setting = Setting::of("one", http(&one)).with("local", counted());
    let write = |entry: Value| {
        let servers = json!({ "mcpServers": { "one": http(&one), "local": counted(), "two": entry } });
        setting.home.write(".claude.json", servers.to_string()).unwrap();
    };
    let watch = watch(&setting, &[]);
    until(&watch, "one", "connected");
    until(&watch, "local", "connected");
    write(http(&two));
    until(&watch, "two", "connected");
    // The others do not notice.
    assert_eq!((statuses(&watch, "one").len(), pids(&setting).len()), (1, 1), "{}", watch.stdout());
    // Another definition of one.
    two.accept("good");
    write(with_headers(&two, json!({ "Authorization": "Bearer bad" })));
    until(&watch, "two", "needs-auth");
    write(with_headers(&two, json!({ "Authorization": "Bearer good" })));
    until(&watch, "two", "connected");
    // Half a file takes nothing away.
    let file = setting.home.home().join(".claude.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &text[..text.len() / 2]).unwrap();
    std::thread::sleep(Duration::from_secs(4));
    assert!(!watch.stdout().contains("removed"), "{}", watch.stdout());
    assert_eq!(pids(&setting).len(), 1);
    std::fs::write(&file, json!({ "mcpServers": { "one": http(&one) } }).to_string()).unwrap();
    let began = Instant::now();
    let removed = || changes(&watch).iter().filter(|change| change["removed"].is_string()).count();
    while removed() < 2 {
        assert!(began.elapsed() < HEARD, "{}", watch.stdout());
        std::thread::sleep(Duration::from_millis(20));
    }
    while mcp_harness::process_is_alive(pids(&setting)[0]) {
        assert!(began.elapsed() < HEARD, "what is gone is let go");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(statuses(&watch, "one").len(), 1, "{}", watch.stdout());
    end(watch);
}

/// What a person does elsewhere is seen here: a decision, a sign-in, its end, an edit of a helper's script.
#[test]
fn fh_h12_a_watch_sees_what_a_person_brings_about() {
    let (server, guarded, minted) =
        (FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap(), FakeMcpServer::start().unwrap());
    let auth = FakeAuthServer::start().unwrap();
    auth.protect(&guarded);
    minted.accept("good");
    let mut setting = Setting::of("signed", http(&guarded));
    let script = setting.home.write("mint.sh", "echo expired >&2; exit 7").unwrap();
    let command = format!("sh {}", mcp_text::shell_word(&script.to_string_lossy()));
    let entry = json!({ "type": "http", "url": minted.url().as_str(), "headersHelper": command });
    setting.write("minted", entry);
    let setting = setting.project_file(json!({ "db": http(&server) }));
    let watch = watch(&setting, &[]);
    until(&watch, "signed", "needs-auth");
    until(&watch, "minted", "needs-auth");
    until(&watch, "db", "pending");
    setting.run(&["approve", "db", "--yes"], 0);
    until(&watch, "db", "connected");
    let browser = FakeBrowser::new().unwrap();
    let login = setting.mcplink(&["login", "signed"]).env("BROWSER", browser.command());
    login.may_hold_secrets("state").run().expect_code(0);
    until(&watch, "signed", "connected");
    std::fs::write(&script, r#"echo '{"Authorization": "Bearer good"}'"#).unwrap();
    until(&watch, "minted", "connected");
    setting.run(&["reject", "db"], 0);
    until(&watch, "db", "disabled");
    end(watch);
}

#[test]
fn fh_h12_a_wait_holds_its_connections_and_starts_nothing_twice() {
    let late = FakeMcpServer::builder().always(ScriptedAnswer::status(503)).start().unwrap();
    let setting = Setting::of("local", counted()).with("late", http(&late));
    let wait = setting.mcplink(&["wait", "local", "late", "--timeout", "60s"]).start();
    wait.wait_for_stderr("why it waits", |text| text.contains("late"));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(pids(&setting).len(), 1);
    late.always(ScriptedAnswer::Honest);
    let output = wait.wait().expect_code(0);
    let names: Vec<&str> = output.stdout.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["local", "late"], "{output}");
    assert_eq!(pids(&setting).len(), 1, "what was there was not started again");
}

/// What is started and has not ended is not a server that is to be started.
#[test]
fn fh_h12_a_wait_that_is_over_says_what_it_waited_for() {
    let server = FakeMcpServer::start().unwrap();
    let mut helped = http(&server);
    helped["headersHelper"] = json!("sleep 20");
    let local = json!({ "command": "sleep", "args": ["20"] });
    let setting = Setting::of("helped", helped).with("local", local);
    let output = setting.run(&["wait", "helped", "--timeout", "1s"], 7).stderr;
    assert!(output.contains("its headersHelper has not ended yet"), "{output}");
    assert!(output.contains("next: correct `headersHelper` of helped in "), "{output}");
    let output = setting.run(&["wait", "local", "--timeout", "1s"], 7).stderr;
    assert!(output.contains("next: correct `command`") && !output.contains("start it"), "{output}");
}

#[test]
fn fh_h12_fh_h8_a_wait_for_several_ends_at_once_where_one_wants_a_person() {
    let refusing = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let down = FakeMcpServer::builder().always(ScriptedAnswer::status(503)).start().unwrap();
    let setting = Setting::of("down", http(&down)).with("refusing", http(&refusing)).with("local", counted());
    let began = Instant::now();
    let output = setting.run(&["wait", "down", "local", "refusing", "--timeout", "100s"], 3);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(output.stderr.contains("refusing needs authentication, and only a person"), "{output}");
    // A command that is not there comes by a person as well.
    let setting = Setting::of("x", json!({ "command": "/no/such/program" }));
    let output = setting.run(&["wait", "x", "--timeout", "100s"], 4);
    assert!(output.stderr.contains("x is not available (spawn), and only a person"), "{output}");
    // And so does what ends as soon as it is started, and what has no certificate that is trusted.
    let server = FakeMcpServer::start().unwrap();
    let tls = server.url().as_str().replacen("http:", "https:", 1);
    let setting = Setting::of("exits", json!({ "command": "sh", "args": ["-c", "echo no key >&2; exit 3"] }))
        .with("plain", json!({ "type": "http", "url": tls }));
    for (name, code) in [("exits", "exited"), ("plain", "tls")] {
        let output = setting.run(&["wait", name, "--timeout", "100s"], 4);
        let said = format!("{name} is not available ({code}), and only a person");
        assert!(output.stderr.contains(&said), "{output}");
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

/// Ctrl-C, SIGTERM and SIGHUP while the table is drawn: the terminal is as it was, and the last picture stays on it.
#[cfg(unix)]
#[test]
fn fh_h12_the_terminal_is_as_it_was_however_a_watch_ends() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("web", http(&server)).with("local", counted());
    let program = mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink"));
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 143)] {
        for command in ["status --watch", "wait web --until failed", "status"] {
            let hanging = FakeMcpServer::builder().always(ScriptedAnswer::Hang).start().unwrap();
            let one = json!({ "mcpServers": { "hanging": http(&hanging) } }).to_string();
            // A glance that waits shows a table as well.
            let more = if command == "status" {
                format!(" --mcp-config {}", mcp_text::shell_word(&one))
            } else {
                String::new()
            };
            let line = format!(
                "stty cols 80 rows 24; echo before; stty -g >\"$HOME/tty-before\"; {program} {command}{more} & \
                 sleep 3; kill -{signal} $!; wait $!; code=$?; stty -g >\"$HOME/tty-after\"; echo after $code"
            );
            let Some(shell) = setting.shell_on_a_terminal(&line) else { return };
            let began = Instant::now();
            let output = shell.env("MCP_TIMEOUT", "600000").run().expect_code(0);
            assert!(began.elapsed() < Duration::from_secs(30), "{command}");
            let screen = Screen::of(&output.stdout, 80, 24);
            let text = screen.text();
            assert!(screen.is_as_usual(), "{command} {signal}: {:?}", output.stdout);
            assert_eq!(text.first().unwrap(), "before", "{text:#?}");
            assert_eq!(text.last().unwrap(), &format!("after {code}"), "{text:#?}");
            let tty = |name: &str| std::fs::read_to_string(setting.home.home().join(name)).unwrap();
            assert_eq!(tty("tty-before"), tty("tty-after"), "echo and all the rest");
            if command == "status --watch" {
                assert!(output.stdout.contains("\u{1b}[?1049h"), "it was drawn: {:?}", output.stdout);
                let last = text.join("\n");
                assert!(last.contains("2 servers: 2 connected"), "{last}");
            }
        }
    }
}

/// The window becomes narrow and low, and wide again: what is drawn fits each time, and the rest is counted.
#[cfg(unix)]
#[test]
fn fh_h12_fh_h13_a_table_follows_its_window() {
    let server = FakeMcpServer::start().unwrap();
    let mut setting = Setting::new();
    for number in 0..30 {
        setting = setting.with(&format!("server-{number}"), http(&server));
    }
    let program = mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink"));
    let line = format!(
        "stty cols 100 rows 50; {program} status --watch & sleep 4; stty cols 44 rows 12 </dev/tty; sleep 2; \
         stty cols 100 rows 50 </dev/tty; sleep 2; kill -INT $!; wait $!; true"
    );
    let Some(shell) = setting.shell_on_a_terminal(&line) else { return };
    let output = shell.run().expect_code(0);
    // Each picture by itself, the one that was drawn before the window moved left aside.
    let pictures: Vec<&str> = output.stdout.split("\u{1b}[H").skip(2).collect();
    let shape = |picture: &str| {
        let lines: Vec<&str> =
            picture.split("\u{1b}[K").map(|line| line.trim_matches(['\r', '\n'])).collect();
        (lines.len() - 1, lines.iter().any(|line| line.contains("more servers")))
    };
    let shapes: Vec<(usize, bool)> = pictures.iter().map(|picture| shape(picture)).collect();
    assert!(shapes.iter().any(|(lines, cut)| *lines > 30 && !cut), "{shapes:?}");
    assert!(shapes.iter().any(|(lines, cut)| *lines <= 12 && *cut), "{shapes:?}");
    assert!(!shapes.last().unwrap().1, "{shapes:?}");
}

#[test]
fn what_is_kept_is_told_without_contact() {
    let server = FakeMcpServer::start().unwrap();
    let auth = FakeAuthServer::start().unwrap();
    auth.protect(&server);
    let helper = json!({ "type": "http", "url": server.url().as_str(), "headersHelper": "printf '{}' \"$(my-sso token)\"" });
    let setting = Setting::of("signed", http(&server)).with("minted", helper);
    let browser = FakeBrowser::new().unwrap();
    let login = setting.mcplink(&["login", "signed"]).env("BROWSER", browser.command());
    login.may_hold_secrets("state").run().expect_code(0);
    let asked = server.requests().len();
    let output = setting.mcplink(&["status", "--offline"]).may_hold_secrets("state").run().expect_code(0);
    let line = |name: &str| output.stdout.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("signed").contains("pending     signed in, token until "), "{output}");
    assert!(line("minted").ends_with("helper my-sso, last run unknown"), "{output}");
    let document = setting.mcplink(&["status", "--offline", "--json"]).may_hold_secrets("state").run().json();
    let signed = crate::setting::row(&document, "signed");
    assert_eq!(signed["auth"]["signedIn"], true);
    assert!(signed["auth"]["expiresAt"].is_string(), "{signed:#}");
    assert_eq!(server.requests().len(), asked, "nothing was contacted");
}

/// A table that is redrawn in place leaves nothing behind, however the window changes under it: each line is cut or wrapped by
/// the columns that it takes.
#[test]
fn fh_h13_a_watch_is_whole_at_each_width_and_leaves_no_stale_line() {
    let up = FakeMcpServer::start().unwrap();
    let lost = FakeMcpServer::builder().always(ScriptedAnswer::status(404)).start().unwrap();
    let long = "a-name-that-goes-on-and-on-beyond-forty-columns-and-beyond-sixty-columns";
    let names = ["日本語のサーバーの長い名前です", "한국어", "plain", long];
    let setting = Setting::of(names[0], http(&lost))
        .with(names[1], http(&up))
        .with(names[2], http(&up))
        .with(names[3], http(&lost));
    let program = mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink"));
    let Some(tmux) = Tmux::start(&setting, &format!("{program} status --watch")) else { return };
    for width in ["120", "60", "40", "120", "40", "80"] {
        tmux.run(&["resize-window", "-x", width, "-y", "40"]);
        let columns: usize = width.parse().unwrap();
        tmux.until(width, |screen| {
            // What has gone off the top is still there for a person who scrolls.
            let all = tmux.run(&["capture-pane", "-p", "-S", "-"]);
            let heads: Vec<&str> = all.lines().filter(|line| line.contains("4 servers: ")).collect();
            let once = |name: &&str| {
                let start: String = name.chars().take(10).collect();
                let is_row =
                    |line: &&str| line.chars().nth(2) == start.chars().next() && line.contains(&start);
                all.lines().filter(is_row).count() == 1
            };
            let is_as_wide = heads.first().is_some_and(|head| mcp_text::width(head) > columns - 10);
            let is_settled = screen.matches("(404)").count() == 2 && screen.matches("5 tools").count() == 2;
            heads.len() == 1
                && is_as_wide
                && is_settled
                && names.iter().all(once)
                && all.matches("Ctrl-C ends").count() == 1
        });
    }
}
