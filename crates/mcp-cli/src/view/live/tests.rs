use std::time::Duration;

use mcp_config::EntryTransport;
use mcp_config::entry::RemoteKind;
use mcp_connect::Description;
use mcp_harness::Screen;
use mcp_status::{
    ActionFacts, ChallengeKind, Evidence, MessageContext, Outcome, Phase, StatusReport, TransportKind,
};

use super::*;
use crate::view::row::AuthRow;
use crate::view::text::name_width;

fn row(name: &str, outcome: Outcome) -> Row {
    let facts = ActionFacts::new(TransportKind::Remote);
    let evidence = Evidence::new(Phase::Connect, outcome);
    let report = StatusReport::from_evidence(&evidence, &MessageContext::new(name), facts);
    let report = report.worded(|step| Some(crate::steps::Steps::default().words(step, name)));
    let description = Description::new(name, "user", "/f", EntryTransport::Remote(RemoteKind::Http));
    let auth = AuthRow::new(Vec::new(), &mcp_auth::provider::ProviderSnapshot::default(), false);
    Row::new(description, report, auth, Duration::from_millis(1))
}

fn connected(name: &str) -> Row {
    row(name, Outcome::Connected { tools: Some(2) })
}

fn refused(name: &str) -> Row {
    row(name, Outcome::Challenged { kind: ChallengeKind::Unauthorized, http_status: 401 })
}

fn style(columns: usize) -> Style {
    Style { terminal: true, color: false, columns }
}

fn table(names: &[&str], columns: usize, rows: usize) -> LiveTable {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    LiveTable::new(&names, name_width(names.iter().map(String::as_str)), style(columns), rows)
}

#[test]
fn each_server_spins_until_it_is_known_and_order_is_kept() {
    let mut table = table(&["a", "b"], 80, 24);
    assert_eq!(table.frame(), ["⠙ a  connecting", "⠙ b  connecting"]);
    table.done(1, connected("b"));
    let b = status_lines(&connected("b"), 1, style(80));
    assert_eq!(table.frame(), ["⠹ a  connecting", b.trim_end()]);
    table.done(0, connected("a"));
    let a = status_lines(&connected("a"), 1, style(80));
    assert_eq!(table.frame(), [a.trim_end(), b.trim_end()]);
}

#[test]
fn fh_h13_what_does_not_fit_is_counted() {
    let names: Vec<String> = (0..30).map(|number| format!("s{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut table = table(&names, 80, 24);
    let lines = table.frame();
    assert_eq!(lines.len(), 24, "{lines:#?}");
    assert_eq!(lines[23], "⠙ 7 more connecting");
    for (index, name) in names.iter().enumerate().take(25) {
        table.done(index, if index == 3 { refused(name) } else { connected(name) });
    }
    let lines = table.frame();
    assert_eq!(lines[0], "⠹ s25  connecting");
    assert_eq!(lines[lines.len() - 1], "⠹ known are 25 servers: 24 connected, 1 needs you");
}

#[test]
fn fh_h13_each_frame_fits_the_terminal() {
    let long = "plugin_company-internal-tools_customer-data-platform-production";
    for (columns, rows) in [(11, 4), (40, 2), (60, 8), (80, 1), (120, 24)] {
        for color in [false, true] {
            let names = [long, "a", "日本語サーバー"];
            let mut table = table(&names, columns, rows);
            table.style.color = color;
            table.note(1, &"waiting ".repeat(40));
            for outcome in [connected, refused] {
                let frame = table.frame();
                assert!(frame.len() <= rows, "{columns} × {rows}: {frame:#?}");
                for line in &frame {
                    let seen = Screen::of(line, 10_000, 1).text().concat();
                    assert!(mcp_text::width(&seen) <= columns, "{columns} × {rows}: {line:?}");
                    assert!(!seen.trim().is_empty(), "{columns} × {rows}: {frame:#?}");
                }
                table.done(0, outcome(long));
                table.done(1, outcome("a"));
            }
        }
    }
}

#[test]
fn fh_h12_a_picture_gives_the_terminal_back_as_it_was() {
    let mut screen = Screen::new(20, 4);
    screen.feed("$ mcplink\r\n");
    let (mut whole, before) = (FullScreen::default(), screen.text());
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert_eq!(whole.leave(), "", "it was not taken");
    screen.feed(&whole.paint(&lines(&["one", "two two two", "three"])));
    assert_eq!(screen.text(), ["one", "two two two", "three"]);
    assert!(!screen.is_as_usual());
    screen.feed(&whole.paint(&lines(&["one", "2"])));
    assert_eq!(screen.text(), ["one", "2"], "nothing of before stands there");
    // The window is dragged meanwhile.
    screen.resize(10, 3);
    screen.feed(&whole.paint(&lines(&["one", "2"])));
    screen.feed(whole.leave());
    assert_eq!((screen.text(), screen.is_as_usual()), (before, true));
    assert_eq!(whole.leave(), "", "once");
}

/// A terminal whose window was widened may put what was there before over what is there now, as tmux does.
#[test]
fn fh_h13_nothing_of_a_picture_is_there_to_be_left_when_the_terminal_is_given_back() {
    let mut screen = Screen::new(20, 4);
    let mut whole = FullScreen::default();
    screen.feed(&whole.paint(&["one", "two", "three"].map(str::to_owned)));
    assert_eq!(screen.text(), ["one", "two", "three"]);
    let (before, _) = whole.leave().split_once("\u{1b}[?1049l").unwrap();
    screen.feed(before);
    assert_eq!(screen.text(), [""; 0]);
}

const NAMES: [&[&str]; 5] = [
    &["a", "b", "c"],
    &["plugin_company-internal-tools_customer-data-platform-production", "日本語サーバー", "b"],
    &["日本語サーバー日本語サーバー日本語サーバー", "한국어", "中文服务器"],
    &["🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀", "👩‍🔧", "❤️", "e\u{301}e\u{301}e\u{301}"],
    &[
        "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15",
        "s16", "s17",
    ],
];

/// First-hour finding 13 and its relatives: every width, names of every kind, more servers than rows, and what others write in
/// between. The window is dragged between any two frames, and the program is told of it one frame later, as tmux does.
/// Each server stands there once, and nothing else does.
#[test]
fn fh_h13_the_table_leaves_no_stale_line_whatever_the_terminal_does() {
    for names in NAMES {
        for rows in [4, 8, 24] {
            for widths in [[120, 60, 40], [80, 40, 80], [100, 60, 31], [40, 41, 39], [11, 20, 12]] {
                let case = format!("{names:?} {widths:?} × {rows}");
                let mut screen = Screen::new(widths[0], rows);
                screen.feed("$ mcplink\r\n");
                let (mut table, mut whole) = (table(names, widths[0], rows), FullScreen::default());
                let mut told = widths[0];
                let mut wrote = 0;
                for step in 0..names.len() * 3 {
                    let columns = widths[step % 3];
                    screen.resize(columns, rows);
                    table.resize((std::mem::replace(&mut told, columns), rows));
                    table.note(
                        step % names.len(),
                        &format!("the server answered 503, tried {step} times日本"),
                    );
                    screen.feed(&whole.paint(&table.frame()));
                    if step % 4 == 3 {
                        // Something else is written: the table goes, and comes back.
                        screen.feed(&format!("{}warning {wrote}\r\n", whole.leave()));
                        wrote += 1;
                    }
                    // The last ones are known first.
                    if step % 3 == 2 {
                        let index = names.len() - 1 - step / 3;
                        table.done(index, connected(names[index]));
                    }
                }
                screen.feed(whole.leave());
                screen.resize(10_000, rows);
                let warnings = (0..wrote).map(|number| format!("warning {number}"));
                let left: Vec<String> = std::iter::once("$ mcplink".to_owned()).chain(warnings).collect();
                assert_eq!((screen.text(), screen.is_as_usual()), (left, true), "{case}");
            }
        }
    }
}
