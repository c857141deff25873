//! What a person sees: the screens of the commands that are looked at most, at 40, 80 and 120 columns, on a terminal of their
//! own (`script`), as a model of its screen shows them. Kept as files and compared.
//!
//! `UPDATE_EXPECT=1 cargo nextest run -p mcplink looks` writes what is seen again; read the difference.

use std::path::Path;
use std::time::Duration;

use mcp_harness::Screen;
use mcp_testkit::{Accept, FakeHelper, FakeMcpServer, FakeTool, ScriptedAnswer};
use serde_json::json;

use crate::menu::Tmux;
use crate::setting::{Setting, http, with_headers, with_helper};

const WIDTHS: [usize; 3] = [40, 80, 120];
const ROWS: usize = 30;
/// As many as the longest text takes where it is narrowest.
const ROWS_OF_A_TEXT: usize = 160;

/// What stands there when a command has run on a terminal of this width; `None` where there is no terminal available.
fn screen(setting: &Setting, command: &[&str], columns: usize, code: i32) -> Option<Vec<String>> {
    screen_of(setting, command, (columns, ROWS), code)
}

fn screen_of(
    setting: &Setting,
    command: &[&str],
    (columns, rows): (usize, usize),
    code: i32,
) -> Option<Vec<String>> {
    let words: Vec<String> = command.iter().map(|word| mcp_text::shell_word(word)).collect();
    let program = mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink"));
    let line = format!("stty cols {columns} rows {rows}; {program} {}", words.join(" "));
    let output = setting.shell_on_a_terminal(&line)?.run().expect_code(code);
    Some(Screen::of(&output.stdout, columns, rows).text())
}

/// Everything that differs from run to run has one spelling, of the same width.
fn steady(line: &str) -> String {
    let line = without_number(line, "home-", char::is_ascii_alphanumeric, "X");
    let line = without_number(&line, "127.0.0.1:", char::is_ascii_digit, "9");
    let line = without_number(&line, "session ", char::is_ascii_digit, "9");
    // How long it took.
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for at in 1..words.len() {
        if words[at] == "ms" && words[at - 1].parse::<u64>().is_ok() {
            words[at - 1] = "N".to_owned();
        }
        if words[at] == "ms" && is_decimal(&words[at - 1]) {
            words[at - 1] = "N".to_owned();
        }
        if words[at] == "s" && words[at - 1].len() == 3 && is_decimal(&words[at - 1]) {
            words[at - 1] = "N.N".to_owned();
        }
    }
    words.join(" ").trim_end().to_owned()
}

fn is_decimal(word: &str) -> bool {
    word.contains('.') && word.parse::<f64>().is_ok()
}

/// The characters behind each `before` that are of this kind, each as `by`.
fn without_number(line: &str, before: &str, is_part: fn(&char) -> bool, by: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(before) {
        let (head, tail) = rest.split_at(at + before.len());
        let parts = tail.chars().take_while(is_part).count();
        out.push_str(head);
        out.push_str(&by.repeat(parts));
        rest = &tail[parts..];
    }
    out + rest
}

#[track_caller]
fn compare(name: &str, seen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/looks").join(format!("{name}.txt"));
    #[expect(clippy::disallowed_methods, reason = "a switch for the developer, not for the code under test")]
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, seen).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(seen == expected, "{}:\n--- expected\n{expected}\n+++ seen\n{seen}", path.display());
}

/// Servers in every state, with names of every kind.
struct Cast {
    servers: Vec<FakeMcpServer>,
    _helper: FakeHelper,
    setting: Setting,
}

fn cast() -> Cast {
    let search = json!({
        "name": "search-the-archive", "title": "Search",
        "description": "Finds what was written about something, by words, by date and by who wrote it, newest first.\nSlow.",
        "inputSchema": {"type": "object", "required": ["query"], "properties": {
            "query": {"type": "string", "description": "What to look for: words, or a phrase in quotation marks."},
            "since": {"type": "string", "default": "2020-01-01"}, "limit": {"type": "integer"},
            "order": {"enum": ["newest", "best"]},
        }},
    });
    let wide = json!({"name": "検索", "description": "日本語の文書を検索します。日付や著者でも検索できます。とても速いです。本当に速いです。", "inputSchema": {"type": "object"}});
    let found = json!({"content": [{"type": "text", "text": "found"}]});
    let up = FakeMcpServer::builder()
        .tools(vec![FakeTool::custom(search, found.clone()), FakeTool::custom(wide, found), FakeTool::echo()])
        .resource(json!({"uri": "fake://reports/2026/annual-report-of-the-whole-company.pdf", "name": "annual report", "mimeType": "application/pdf"}), "r")
        .resource(json!({"uri": "fake://a", "name": "年次報告書"}), "r")
        .prompt(json!({"name": "summarise", "description": "Summarises a text in so many words, for a reader who has little time.", "arguments": [{"name": "text", "required": true}, {"name": "words"}]}), json!({"messages": []}))
        .start()
        .unwrap();
    let refusing = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let gone = FakeMcpServer::builder().always(ScriptedAnswer::status(404)).start().unwrap();
    let helper = FakeHelper::new().unwrap();
    helper.fails(7, "my-sso: session expired, run: my-sso login");
    let long = "plugin_company-internal-tools_customer-data-platform-production";
    let setting = Setting::of("archive", http(&up))
        .with("日本語サーバー", http(&up))
        .with(long, with_headers(&refusing, json!({"Authorization": "Bearer wrong"})))
        .with("tickets", with_helper(&up, &helper))
        .with("gone", http(&gone))
        .with("off", http(&up))
        .with("empty", json!({"type": "http", "url": ""}))
        .disabled(&["off"])
        .project_file(json!({"db": {"command": "db-server", "args": ["--port", "5432", "--readonly"], "env": {"DB": "x"}}}));
    Cast { servers: vec![up, refusing, gone], _helper: helper, setting }
}

/// No row is wider than the terminal, so nothing was broken by it but what must be whole to be copied.
fn looks(cast: &Cast, name: &str, command: &[&str], code: i32) {
    looks_at(cast, name, command, code, &WIDTHS);
}

fn looks_at(cast: &Cast, name: &str, command: &[&str], code: i32, widths: &[usize]) {
    for &columns in widths {
        let Some(rows) = screen(&cast.setting, command, columns, code) else { return };
        let mut seen: Vec<String> = rows.iter().map(|row| steady(row) + "\n").collect();
        if name == "doctor-all" {
            // Each server is told when it is known.
            seen = in_one_order(&seen);
        }
        let mut seen = seen.concat();
        seen.insert_str(
            0,
            &format!("mcplink {} · {columns} columns\n{}\n", command.join(" "), "─".repeat(columns)),
        );
        compare(&format!("{name}-{columns}"), &seen);
    }
}

/// The lines of several servers, each of which begins with a mark, in an order that does not depend on which was the quickest.
fn in_one_order(lines: &[String]) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for line in lines {
        match blocks.last_mut() {
            Some(block) if !line.starts_with(['✔', '!', '✘', '…', '⊘', '·']) => block.push_str(line),
            _ => blocks.push(line.clone()),
        }
    }
    blocks.sort();
    blocks
}

#[test]
fn fh_h13_screens_of_what_is_configured() {
    let cast = cast();
    looks(&cast, "none", &[], 8);
    looks(&cast, "status", &["status"], 8);
    looks(&cast, "list", &["list"], 0);
    looks(&cast, "get", &["get", "tickets"], 0);
}

/// No word of the help is broken, and no line is wider than the terminal.
#[test]
fn fh_h13_screens_of_the_help() {
    let setting = Setting::new();
    let words = |rows: &[String]| rows.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut whole = None;
    for columns in WIDTHS {
        let Some(rows) = screen_of(&setting, &["help"], (columns, ROWS_OF_A_TEXT), 0) else { return };
        compare(&format!("help-{columns}"), &(rows.join("\n") + "\n"));
        let words = words(&rows);
        assert_eq!(whole.get_or_insert_with(|| words.clone()), &words, "{columns}");
    }
}

#[test]
fn fh_h13_screens_of_an_examination() {
    let cast = cast();
    looks(&cast, "doctor-helper", &["doctor", "tickets"], 3);
    looks(&cast, "doctor-fine", &["doctor", "archive"], 0);
    looks(&cast, "doctor-all", &["doctor"], 8);
    // What is looked up of a sign-in has long URLs. How long each took, which no two runs agree on, decides where the lines
    // of wider terminals end.
    let cast = Cast { setting: cast.setting.with("wiki", http(&cast.servers[1])), ..cast };
    looks_at(&cast, "doctor-refused", &["doctor", "wiki"], 3, &[40]);
}

#[test]
fn fh_h13_screens_of_what_is_kept_and_of_other_hosts() {
    let cast = cast();
    // A day that is over stays what it is.
    let then = std::time::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    crate::accounts::sign_in(&cast.setting, "archive", "https://archive.example/mcp", |tokens| {
        tokens.obtained_at = then;
        tokens.expires_at = Some(then + Duration::from_secs(3600));
    });
    cast.setting
        .home
        .write(".cursor/mcp.json", "{\"mcpServers\": {\"db\": {\"url\": \"https://db.example/mcp\"}}}")
        .unwrap();
    cast.setting.home.write(".codex/config.toml", "[mcp_servers.db]\ncommand = \n").unwrap();
    looks(&cast, "accounts", &["accounts"], 0);
    looks(&cast, "hosts", &["hosts"], 2);
}

#[test]
fn fh_h13_screens_of_what_a_server_offers() {
    let cast = cast();
    looks(&cast, "tools", &["tools", "archive"], 0);
    looks(&cast, "tool", &["tools", "archive", "search-the-archive"], 0);
    looks(&cast, "resources", &["resources", "archive"], 0);
    looks(&cast, "prompts", &["prompts", "archive"], 0);
}

#[test]
fn fh_h13_screens_of_calls_that_go_wrong() {
    let cast = cast();
    looks(&cast, "call-missing", &["call", "archive", "search-the-archive", "limit=1"], 2);
    looks(&cast, "call-json", &["call", "archive", "search-the-archive", "limit:={"], 2);
    looks(&cast, "call-unknown", &["call", "archive", "search-the-archives"], 5);
    looks(&cast, "call-refused", &["call", "tickets", "echo"], 3);
    looks(&cast, "wait", &["wait", "tickets"], 3);
}

#[test]
fn fh_h13_screens_of_sessions_and_of_a_question() {
    let cast = cast();
    looks(&cast, "ps", &["ps"], 0);
    for columns in WIDTHS {
        let program = mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink"));
        let line = format!("stty cols {columns} rows {ROWS}; {program} approve db");
        let Some(approve) = cast.setting.shell_on_a_terminal(&line) else { return };
        let mut approve = approve.start();
        approve.wait_for_stdout("the question", |text| text.contains("[y/N]"));
        approve.write("n\n").unwrap();
        let output = approve.wait();
        let rows = Screen::of(&output.stdout, columns, ROWS).text();
        let seen: String = rows.iter().map(|row| steady(row) + "\n").collect();
        compare(&format!("approve-{columns}"), &seen);
    }
}

/// What writes shows first what it would write. The program has a path of one width: it is in the file of a host.
#[test]
fn fh_h13_screens_of_what_is_written() {
    let up = FakeMcpServer::start().unwrap();
    let setting = Setting::of("archive", http(&up));
    let long = "tickets-of-a-long-name-for-customers-of-the-second-region";
    let servers = json!({
        "db": { "url": "https://db.example/mcp" },
        long: { "command": "npx", "args": ["-y", "tickets-server", "--region", "eu", "--readonly"] },
    });
    let cursor = format!("{:#}", json!({ "mcpServers": servers }));
    setting.home.write(".cursor/mcp.json", &cursor).unwrap();
    let program = setting.home.home().join("mcplink");
    if std::fs::hard_link(env!("CARGO_BIN_EXE_mcplink"), &program).is_err() {
        std::fs::copy(env!("CARGO_BIN_EXE_mcplink"), &program).unwrap();
    }
    let url = up.url().to_string();
    let run = |words: &[&str], columns: usize| {
        let words: Vec<String> = words.iter().map(|word| mcp_text::shell_word(word)).collect();
        let line = format!("stty cols {columns} rows {ROWS}; {} {}", program.display(), words.join(" "));
        let output = setting.shell_on_a_terminal(&line)?.run().expect_code(0);
        let rows = Screen::of(&output.stdout, columns, ROWS).text();
        Some(rows.iter().map(|row| steady(row) + "\n").collect::<String>())
    };
    for columns in WIDTHS {
        for (name, words) in [
            ("add", &["add", "tickets", &url, "-H", "X-Team: blue", "--dry-run"][..]),
            ("import", &["import", "cursor", "--dry-run"]),
            ("wrap", &["wrap", "cursor", "--all", "--dry-run"]),
        ] {
            let Some(seen) = run(words, columns) else { return };
            compare(&format!("{name}-{columns}"), &seen);
        }
    }
    setting.run(&["wrap", "cursor", "--all", "--yes", "--no-check"], 0);
    for columns in WIDTHS {
        let Some(seen) = run(&["unwrap", "cursor", "--all", "--dry-run"], columns) else { return };
        compare(&format!("unwrap-{columns}"), &seen);
    }
}

/// What lasts is looked at when all is known.
#[test]
fn fh_h13_screens_of_a_watch_and_of_a_log() {
    let cast = cast();
    let mut bridge = cast.setting.mcplink(&["bridge", "tickets"]).start();
    crate::bridge::say(&mut bridge, crate::bridge::INITIALIZE);
    crate::bridge::response(&bridge, 0);
    bridge.close_stdin();
    drop(bridge.wait());
    let program = mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink"));
    for columns in WIDTHS {
        let line = format!("stty cols {columns} rows {ROWS}; {program} status --watch");
        let Some(watch) = cast.setting.shell_on_a_terminal(&line) else { return };
        let watch = watch.start();
        watch.wait_for_stdout("all rows", |text| {
            let shown = Screen::of(text, columns, ROWS).text().join("\n");
            // The last line is written last.
            let is_whole = shown.contains("Ctrl-C ends") || shown.contains("more servers");
            is_whole
                && !shown.contains("connecting")
                && shown.contains("2 connected")
                && shown.contains("1 failed")
        });
        let shown = Screen::of(&watch.stdout(), columns, ROWS).text();
        let seen: String = shown.iter().map(|row| without_clock(&steady(row)) + "\n").collect();
        compare(&format!("watch-{columns}"), &seen);
        watch.signal("INT");
        drop(watch.wait());
        let Some(rows) = screen(&cast.setting, &["logs", "tickets"], columns, 0) else { return };
        let seen: String = rows.iter().map(|row| without_clock(&steady(row)) + "\n").collect();
        compare(&format!("logs-{columns}"), &seen);
    }
}

/// Every time in one spelling, and the process that a record of a log is of.
fn without_clock(line: &str) -> String {
    let same =
        |word: &str| word.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect::<String>();
    if let (Some(time), Some(rest)) = (line.get(..24).filter(|time| time.ends_with('Z')), line.get(24..)) {
        let process = |c: char| c == ' ' || c.is_ascii_digit();
        return format!("{}  PID  {}", same(time), rest.trim_start_matches(process));
    }
    let is_time = |word: &&str| word.len() == 6 && word.as_bytes()[2] == b':' && word.ends_with('Z');
    line.split(' ')
        .map(|word| if is_time(&word) { same(word) } else { word.to_owned() })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Each screen that is kept is found from the page of screens.
#[test]
fn the_page_of_screens_has_each_of_them() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(here.join("../../docs/screens.md")).unwrap();
    for file in std::fs::read_dir(here.join("tests/it/looks")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(page.contains(&format!("/tests/it/looks/{name})")), "{name} is not in docs/screens.md");
    }
}

/// In a pipe nothing is cut, however long it is.
#[test]
fn fh_h13_a_pipe_gets_all_of_it() {
    let cast = cast();
    let tools = cast.setting.run(&["tools", "archive"], 0).stdout;
    assert!(tools.contains("newest first.") && tools.contains("本当に速いです。"), "{tools}");
    let resources = cast.setting.run(&["resources", "archive"], 0).stdout;
    assert!(
        resources.contains("annual-report-of-the-whole-company.pdf  annual report  application/pdf"),
        "{resources}"
    );
    let list = cast.setting.run(&["list"], 0).stdout;
    assert!(
        list.lines().any(|line| line.starts_with("db") && line.ends_with("(awaiting approval)")),
        "{list}"
    );
    assert!(!tools.contains('…') && !resources.contains('…'));
    // Nor the names of servers, which another program may look for.
    let long = "plugin_company-internal-tools_customer-data-platform-production-of-the-second-region";
    let setting = Setting::of(long, json!({ "type": "http", "url": "http://127.0.0.1:1/mcp" }));
    for (command, code) in [(&["list"][..], 0), (&["status"], 4), (&["get", long], 0)] {
        let output = setting.run(command, code);
        assert!(output.stdout.contains(long) && !output.stdout.contains('…'), "{output}");
    }
}

/// The window is dragged while servers connect, in a terminal that wraps lines again before it tells a program that it has
/// another size, and that begins at its top, where what has no room goes into the history: each server stands there once.
#[test]
fn fh_h13_a_window_that_is_dragged_leaves_no_stale_line() {
    let slow =
        FakeMcpServer::builder().always(ScriptedAnswer::Late(Duration::from_millis(1200))).start().unwrap();
    let up = FakeMcpServer::start().unwrap();
    let long = "plugin_company-internal-tools_customer-data-platform-production";
    let names = ["日本語のサーバーの長い名前です", "up", "slow", long];
    let setting = Setting::of(names[0], http(&slow))
        .with(names[1], http(&up))
        .with(names[2], http(&slow))
        .with(names[3], http(&up));
    let program = mcp_text::shell_word(env!("CARGO_BIN_EXE_mcplink"));
    // Nothing is drawn before the window is as wide as it is to be at first.
    let line = format!("until [ -e \"$HOME/go\" ]; do sleep 0.1; done; {program} status; echo it ended");
    let Some(tmux) = Tmux::start(&setting, &line) else { return };
    let resize = |width: &str| tmux.run(&["resize-window", "-x", width, "-y", "24"]);
    resize("120");
    std::fs::write(setting.home.home().join("go"), "").unwrap();
    tmux.until("the table", |screen| screen.contains("connecting"));
    for width in ["60", "40", "80"] {
        resize(width);
        // Longer than tmux keeps the new size to itself.
        std::thread::sleep(Duration::from_millis(400));
    }
    tmux.until("the end", |screen| screen.contains("it ended"));
    // What has gone off the top is still there for a person who scrolls.
    let all = tmux.run(&["capture-pane", "-p", "-S", "-"]);
    assert!(!all.contains("connecting"), "{all}");
    assert_eq!(all.matches("4 servers: 4 connected").count(), 1, "{all}");
    for name in names {
        let start: String = name.chars().take(10).collect();
        let rows = all.lines().filter(|line| line.chars().skip(2).collect::<String>().starts_with(&start));
        assert_eq!(rows.count(), 1, "{name}: {all}");
    }
}
