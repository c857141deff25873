//! The drawn buffer at four widths, kept as files. `UPDATE_EXPECT=1 cargo nextest run -p mcplink menu::` writes what is drawn
//! again; read the difference.

use std::path::Path;
use std::time::Duration;

use mcp_status::{ActionFacts, Outcome, SignInState, TransportKind};
use ratatui_core::backend::TestBackend;
use ratatui_core::terminal::Terminal;
use serde_json::json;

use super::*;
use crate::live::watched::ServerView;
use crate::menu::exchange::{CallEnd, ServerTools, Stage, TaskEvent};
use crate::menu::form::tests::tool;
use crate::menu::keys::Key;
use crate::menu::model::tests::{at, menu_of, refused, seen, seen_with, up};
use crate::view::row::Session;

const ROWS: u16 = 24;

fn look() -> Look {
    Look { is_plain: false, has_color: false, now: at(30), folder: "shop-api".to_owned() }
}

fn session(pid: u32, host: &str) -> Session {
    Session {
        host: Some(host.to_owned()),
        ..Session::example(pid, "needs-auth", Some("my-sso: session expired"))
    }
}

fn servers() -> Vec<ServerView> {
    let helper = ActionFacts::new(TransportKind::Remote).with_configured(false, true);
    let signed_in = ActionFacts::new(TransportKind::Remote).with_sign_in(SignInState::SignedIn);
    let mut tickets = seen_with("tickets", refused(), 13, helper);
    tickets.row.sessions = vec![session(27396, "Cursor"), session(27401, "Codex")];
    vec![
        seen("everything", up(13), 0),
        seen("日本語サーバー", up(1), 0),
        seen("plugin_company-internal-tools_customer-data-platform-production", Outcome::Unreachable, 2),
        tickets,
        seen_with("notes", up(3), 1, signed_in),
    ]
}

fn menu() -> Menu {
    let mut menu = menu_of("mcplink menu", vec![seen("tickets", up(4), 1)]);
    menu.update(servers(), &[]);
    menu
}

fn drawn(menu: &Menu, look: &Look, columns: u16, height: u16) -> (Vec<String>, DrawnScreen) {
    let mut terminal = Terminal::new(TestBackend::new(columns, height)).unwrap();
    let mut picture = None;
    let done =
        terminal.draw(|frame| picture = Some(draw(menu, look, frame.area(), frame.buffer_mut()))).unwrap();
    let buffer = done.buffer;
    let row = |y: u16| {
        let (mut text, mut x) = (String::new(), 0);
        while x < columns {
            let symbol = buffer[(x, y)].symbol();
            text.push_str(symbol);
            x += u16::try_from(mcp_text::width(symbol).max(1)).unwrap();
        }
        text
    };
    ((0..height).map(row).collect(), picture.unwrap())
}

#[track_caller]
fn compare(name: &str, menu: &Menu, look: &Look) {
    for columns in [40, 60, 80, 120] {
        let (lines, picture) = drawn(menu, look, columns, ROWS);
        for line in &lines {
            assert_eq!(mcp_text::width(line), usize::from(columns), "{name} at {columns}: {line:?}");
        }
        let lines: String = lines.iter().map(|line| format!("{}\n", line.trim_end())).collect();
        let focus = picture.focus;
        let seen = format!("{name} at {columns} columns, the cursor at {},{}\n{lines}", focus.x, focus.y);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/menu/looks/{name}-{columns}.txt"));
        #[expect(
            clippy::disallowed_methods,
            reason = "a switch for the developer, not for the code under test"
        )]
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &seen).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(seen == expected, "{}:\n--- expected\n{expected}\n+++ seen\n{seen}", path.display());
    }
}

#[test]
fn the_list_with_the_facts_beside_it() {
    compare("list", &menu(), &look());
}

#[test]
fn the_facts_alone() {
    let mut menu = menu();
    menu.press(Key::Enter);
    compare("facts", &menu, &look());
}

#[test]
fn the_commands_that_do_the_same() {
    let mut menu = menu();
    menu.press(Key::Char('o'));
    compare("commands", &menu, &look());
}

#[test]
fn the_help() {
    let mut menu = menu();
    menu.press(Key::Char('?'));
    compare("help", &menu, &look());
}

#[test]
fn a_filter_being_typed() {
    let mut menu = menu();
    menu.press(Key::Char('/'));
    "日本".chars().for_each(|letter| drop(menu.press(Key::Char(letter))));
    compare("filter", &menu, &look());
}

fn tools() -> ServerTools {
    let number = json!({ "type": "number", "description": "A number" });
    let sum = json!({ "properties": { "a": number, "b": number, "round": { "type": "boolean" } }, "required": ["a", "b"] });
    let said = "Returns the sum of two numbers, rounded where that is wanted.\nNothing is kept.";
    ServerTools {
        tools: vec![
            tool(
                "echo",
                "Echoes back the input",
                &json!({ "properties": { "message": {} }, "required": ["message"] }),
            ),
            tool("get-sum", said, &sum),
            tool(
                "検索",
                "文書を検索します",
                &json!({ "properties": { "語": { "type": "string", "default": "全部" } } }),
            ),
            tool("get-annotated-message-with-a-very-long-name", "", &json!({})),
        ],
        notes: vec!["withheld: delete is in `disabledTools` (~/.claude.json)".to_owned()],
    }
}

/// The menu with the tools of a server.
fn with_tools() -> Menu {
    let mut menu = menu();
    menu.press(Key::Last);
    menu.press(Key::Enter);
    menu.hear(TaskEvent::Tools(Ok(tools())));
    menu
}

fn type_in(menu: &mut Menu, text: &str) {
    text.chars().for_each(|letter| drop(menu.press(Key::Char(letter))));
}

fn with_form() -> Menu {
    let mut menu = with_tools();
    menu.press(Key::Down);
    menu.press(Key::Enter);
    type_in(&mut menu, "2");
    menu.press(Key::Enter);
    menu
}

fn with_result() -> Menu {
    let mut menu = with_form();
    type_in(&mut menu, "40");
    for _ in 0..3 {
        menu.press(Key::Enter);
    }
    let lines = ["The sum of 2 and 40 is 42.", "  合計は42です。", "and indented    blanks stay"];
    let lines = lines.map(str::to_owned).into();
    menu.hear(TaskEvent::Called(CallEnd { lines, is_error: false, took: Duration::from_millis(12) }));
    menu
}

fn with_sign_in() -> Menu {
    let mut menu = menu_of("mcplink menu", vec![seen_with("notes", refused(), 1, signs_in())]);
    menu.press(Key::Char('s'));
    let url = format!(
        "https://auth.notes.example/authorize?response_type=code&state={}",
        "0123456789abcdef".repeat(6)
    );
    menu.hear(TaskEvent::SignIn(Stage::Waits { url, not_opened: Some("this is a remote shell".to_owned()) }));
    menu
}

fn signs_in() -> ActionFacts {
    ActionFacts::new(TransportKind::Remote).with_sign_in(SignInState::Offered)
}

fn with_log() -> Menu {
    let mut menu = menu();
    menu.press(Key::Char('l'));
    let line = |minute: u8| {
        format!("2026-11-29T05:{minute:02}:00Z    4711  needs-auth (connection 1): the server asks")
    };
    menu.hear(TaskEvent::Log((0..40).map(line).collect()));
    menu
}

#[test]
fn the_tools_of_a_server_and_a_form_for_one() {
    compare("tools", &with_tools(), &look());
    compare("form", &with_form(), &look());
    compare("result", &with_result(), &look());
    compare("form-plain", &with_form(), &Look { is_plain: true, ..look() });
}

#[test]
fn a_sign_in_inside_and_a_log() {
    compare("sign-in", &with_sign_in(), &look());
    compare("log", &with_log(), &look());
}

/// A line of a page that is copied with a mouse has nothing beside it.
#[test]
fn the_address_to_sign_in_at_stands_alone_on_its_lines() {
    for columns in [40, 80] {
        let (lines, _) = drawn(&with_sign_in(), &look(), columns, ROWS);
        let from = lines.iter().position(|line| line.starts_with("https://")).unwrap();
        let lines: Vec<&str> =
            lines[from..].iter().map(|line| line.trim_end()).take_while(|line| !line.is_empty()).collect();
        assert!(lines.concat().ends_with(&"0123456789abcdef".repeat(6)), "{lines:?}");
    }
}

#[test]
fn without_frames_nothing_is_drawn_but_words_and_the_cursor_is_the_focus() {
    let look = Look { is_plain: true, ..look() };
    let mut menu = menu();
    compare("plain", &menu, &look);
    for at in 0..menu.all().len() {
        let (lines, picture) = drawn(&menu, &look, 120, ROWS);
        assert!(lines.iter().all(|line| !line.chars().any(|c| ('\u{2500}'..='\u{257f}').contains(&c))));
        assert!(lines[usize::from(picture.focus.y)].starts_with("> "), "{at}: {picture:?}");
        menu.press(Key::Down);
    }
}

#[test]
fn no_text_of_a_server_or_file_acts_on_the_terminal_or_leaves_its_line() {
    let hostile = "a\u{1b}[31m\u{202e}\u{9b}2J\u{200b}b\nc";
    let mut server = seen(hostile, refused(), 1);
    server.row.url = Some(hostile.to_owned());
    server.row.command = Some(hostile.repeat(1_000));
    server.row.tool_policy = vec![hostile.to_owned()];
    server.row.sessions = vec![session(1, hostile)];
    server.row.sessions[0].reason = json!({ "message": hostile });
    let mut menu = menu_of("mcplink menu", vec![server]);
    menu.problems = vec![hostile.to_owned()];
    for key in [None, Some(Key::Enter), Some(Key::Char('o')), Some(Key::Char('?'))] {
        key.and_then(|key| menu.press(key));
        nothing_acts(&menu);
    }
    // Nor of a tool, its arguments, what is typed, or a result. Descriptions and results come cleaned.
    let schema = json!({ "properties": { hostile: { "description": hostile, "default": hostile, "enum": [hostile] } } });
    let listed = ServerTools { tools: vec![tool(hostile, "", &schema)], notes: Vec::new() };
    let mut menu = menu_of("mcplink menu", vec![seen(hostile, up(1), 1)]);
    menu.press(Key::Enter);
    menu.hear(TaskEvent::Tools(Ok(listed)));
    nothing_acts(&menu);
    menu.press(Key::Enter);
    menu.paste(hostile);
    nothing_acts(&menu);
    let mut menu = menu_of("mcplink menu", vec![seen_with(hostile, refused(), 1, signs_in())]);
    menu.press(Key::Char('s'));
    menu.hear(TaskEvent::SignIn(Stage::Doubts { issuer: hostile.to_owned(), server: hostile.to_owned() }));
    nothing_acts(&menu);
}

#[track_caller]
fn nothing_acts(menu: &Menu) {
    for columns in [4, 20, 40, 120] {
        let (lines, _) = drawn(menu, &look(), columns, 40);
        for line in &lines {
            let acts = |c: char| c.is_control() || matches!(c, '\u{202e}' | '\u{200b}');
            assert!(!line.chars().any(acts), "{line:?}");
        }
    }
}

/// What is wrong decides; where it is may be longer than the row has room for.
#[test]
fn fh_h13_the_row_of_a_broken_file_says_what_is_wrong_however_long_its_path_is() {
    let place = format!("/home/{}/.config/mcplink/mcp.json:35:1", "a-path-as-people-have-it/".repeat(8));
    let mut menu = menu();
    for (problems, said) in [
        (vec![format!("{place}: expected , or }}")], "mcp.json:35:1: expected , or }"),
        (vec![format!("{place}: expected , or }}"); 2], "mcp.json:35:1: expected , or }"),
        (vec![format!("{place}: {}", "a word ".repeat(60))], "mcp.json:35:1: a word"),
    ] {
        menu.problems = problems;
        for columns in [60, 80, 120] {
            let (lines, _) = drawn(&menu, &look(), columns, 24);
            let text: String = lines
                .iter()
                .map(|line| line.split('│').nth(1).unwrap_or(line).trim())
                .collect::<Vec<_>>()
                .join(" ");
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains(said), "{columns}: {text}");
        }
    }
}

#[test]
fn no_size_of_a_terminal_breaks_it_and_the_focus_is_always_inside() {
    let mut menu = menu();
    menu.problems = vec!["~/.claude.json:3:1: expected a value".to_owned(); 9];
    menu.message = "tickets: reconnected here and in 2 sessions".to_owned();
    let pages = [None, Some(Key::Last), Some(Key::Enter), Some(Key::Char('o')), Some(Key::Char('?'))];
    let mut menus = Vec::new();
    for page in pages {
        page.and_then(|key| menu.press(key));
        menus.push(menu.clone());
    }
    menus.extend([with_tools(), with_form(), with_result(), with_sign_in(), with_log()]);
    for mut menu in menus {
        menu.message = "tickets: reconnected here and in 2 sessions".to_owned();
        for columns in [1, 2, 3, 4, 5, 19, 20, 27, 40, 69, 70, 71, 300] {
            for height in [1, 2, 3, 5, 9, 10, 11, 12, 50] {
                for is_plain in [false, true] {
                    let look = Look { is_plain, ..look() };
                    let (_, picture) = drawn(&menu, &look, columns, height);
                    let Position { x, y } = picture.focus;
                    assert!(x < columns && y < height, "{columns}x{height}: {picture:?}");
                }
            }
        }
    }
}

#[test]
fn a_status_has_a_colour_only_where_that_is_wanted() {
    let colours = |has_color| {
        let mut terminal = Terminal::new(TestBackend::new(120, ROWS)).unwrap();
        let look = Look { has_color, ..look() };
        let done = terminal
            .draw(|frame| {
                draw(&menu(), &look, frame.area(), frame.buffer_mut());
            })
            .unwrap();
        done.buffer.content().iter().filter(|cell| cell.fg != Color::Reset).count()
    };
    assert_eq!(colours(false), 0);
    assert!(colours(true) > 10);
}

#[test]
fn a_long_page_is_scrolled_to_its_end_and_no_further() {
    let mut menu = menu();
    menu.press(Key::Char('i'));
    let (_, picture) = drawn(&menu, &look(), 40, 12);
    assert!(picture.most_scrolled > 3, "{picture:?}");
    menu.scrolled = 1_000;
    let (lines, _) = drawn(&menu, &look(), 40, 12);
    assert!(lines.iter().any(|line| line.contains("05:43Z needs-auth")), "{lines:#?}");
}
