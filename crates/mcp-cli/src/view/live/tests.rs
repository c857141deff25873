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
    let frame = |live: &str| Frame { stays: String::new(), live: live.to_owned() };
    assert_eq!(table.frame(), frame("⠙ a  connecting\n⠙ b  connecting\n"));
    table.done(1, connected("b"));
    let b = status_lines(&connected("b"), 1, style(80));
    assert_eq!(table.frame(), frame(&format!("⠹ a  connecting\n{b}")));
    table.done(0, connected("a"));
    let a = status_lines(&connected("a"), 1, style(80));
    assert_eq!(table.frame(), frame(&format!("{a}{b}")));
}

#[test]
fn fh_h13_what_does_not_fit_is_counted() {
    let names: Vec<String> = (0..30).map(|number| format!("s{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut table = table(&names, 80, 24);
    let live = table.frame().live;
    assert_eq!(live.lines().count(), 11, "{live}");
    assert!(live.ends_with("⠙ 20 more connecting\n"), "{live}");
    for (index, name) in names.iter().enumerate().take(25) {
        table.done(index, if index == 3 { refused(name) } else { connected(name) });
    }
    let live = table.frame().live;
    assert!(live.starts_with("⠹ s25  connecting\n"), "{live}");
    assert!(live.ends_with("⠹ known are 25 servers: 24 connected, 1 needs you\n"), "{live}");
}

/// A terminal that is widened puts wrapped lines together again, before anyone is told: no frame has any.
#[test]
fn fh_h13_no_line_of_a_frame_wraps() {
    let long = "plugin_company-internal-tools_customer-data-platform-production";
    for columns in [11, 40, 60, 80, 120] {
        for color in [false, true] {
            let names = [long, "a", "日本語サーバー"];
            let mut table = table(&names, columns, 100);
            table.style.color = color;
            table.note(1, &"waiting ".repeat(40));
            for outcome in [connected, refused] {
                let live = table.frame().live;
                assert_eq!(screen_rows(&live, columns), live.lines().count(), "{columns}: {live}");
                assert!(live.lines().all(|line| !line.trim().is_empty()), "{columns}: {live}");
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

#[test]
fn what_is_drawn_goes_away_by_the_rows_that_it_takes_now() {
    let mut drawn = DrawnFrame::default();
    let live = |live: &str| Frame { stays: String::new(), live: live.to_owned() };
    assert_eq!(drawn.replace(live("abcdef\n"), 80), "abcdef\n");
    assert_eq!(
        drawn.replace(live("\u{1b}[1m日本語\u{1b}[0m\n"), 4),
        "\r\u{1b}[A\u{1b}[2K\u{1b}[A\u{1b}[2K\u{1b}[1m日本語\u{1b}[0m\n"
    );
    // Three characters of two columns in five columns: the third does not fit, and one column stays empty.
    assert_eq!(drawn.erase(5), "\r\u{1b}[A\u{1b}[2K\u{1b}[A\u{1b}[2K");
    assert_eq!(drawn.erase(5), "", "it is gone");
    assert_eq!(
        (screen_rows("abcd\n\n", 4), screen_rows("abcde\n", 4), screen_rows("日本語\n", 3)),
        (2, 2, 3)
    );
}

/// A terminal on which a table is drawn, below the line that a person typed.
struct Terminal {
    screen: Screen,
    drawn: DrawnFrame,
    columns: usize,
}

impl Terminal {
    fn new(columns: usize, rows: usize) -> Self {
        let mut screen = Screen::new(columns, rows);
        screen.feed("$ mcplink\r\n");
        Self { screen, drawn: DrawnFrame::default(), columns }
    }

    fn show(&mut self, frame: Frame) {
        let text = self.drawn.replace(frame, self.columns);
        self.screen.feed(&text.replace('\n', "\r\n"));
    }
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

/// A table that begins in the first row of the screen is erased without a copy of each frame in the history.
#[test]
fn fh_h13_a_table_at_the_top_of_the_screen_leaves_nothing_in_the_history() {
    for names in NAMES {
        let mut table = table(names, 60, 40);
        let mut terminal =
            Terminal { screen: Screen::new(60, 40), drawn: DrawnFrame::default(), columns: 60 };
        for step in 0..5 {
            table.note(0, &format!("tried {step} times"));
            terminal.show(table.frame());
        }
        terminal.show(Frame { stays: "done\n".to_owned(), live: String::new() });
        assert_eq!(terminal.screen.text(), ["done"], "{names:?}");
    }
}

/// First-hour finding 13 and its relatives: every width, names of every kind, more servers than rows, the window dragged between
/// any two frames, and what others write in between. Each server stands there once, and nothing else does.
#[test]
fn fh_h13_the_table_leaves_no_stale_line_whatever_the_terminal_does() {
    for names in NAMES {
        for rows in [4, 8, 24] {
            for widths in [[120, 120, 120], [80, 40, 80], [100, 60, 31], [40, 41, 39], [11, 20, 12]] {
                for outcome in [connected, refused] {
                    let case = format!("{names:?} {widths:?} × {rows}");
                    let mut table = table(names, widths[0], rows);
                    let mut terminal = Terminal::new(widths[0], rows);
                    let mut wrote = 0;
                    for step in 0..names.len() * 3 {
                        let columns = widths[step % 3];
                        terminal.columns = columns;
                        terminal.screen.resize(columns, rows);
                        table.resize((columns, rows));
                        table.note(
                            step % names.len(),
                            &format!("the server answered 503, tried {step} times日本"),
                        );
                        terminal.show(table.frame());
                        if step % 4 == 3 {
                            // Something else is written: the table goes, and comes back below it.
                            let text = terminal.drawn.erase(columns);
                            terminal.screen.feed(&format!("{text}warning {wrote}\r\n"));
                            wrote += 1;
                        }
                        // The last ones are known first.
                        if step % 3 == 2 {
                            let index = names.len() - 1 - step / 3;
                            table.done(index, outcome(names[index]));
                        }
                    }
                    terminal.show(table.frame());
                    let width = name_width(names.iter().copied());
                    let lines = |name: &&str| status_lines(&outcome(name), width, style(terminal.columns));
                    let stays = names.iter().map(lines).collect();
                    terminal.show(Frame { stays, live: String::new() });
                    let text = terminal.screen.text();
                    terminal.screen.resize(10_000, rows);
                    let lines = terminal.screen.text();
                    assert_eq!(lines[0], "$ mcplink", "{case}: {text:#?}");
                    let all = lines.join("\n");
                    assert!(!all.contains("connecting") && !all.contains("tried"), "{case}: {text:#?}");
                    assert!(!SPINNER.iter().any(|glyph| all.contains(glyph)), "{case}: {text:#?}");
                    for name in names {
                        let name = cut(&shown::name(name), terminal.columns.saturating_sub(2));
                        // What is said of it, and may name it as well, stands further right.
                        let own = |line: &&String| {
                            line.get(4..).filter(|_| !line.starts_with(' ')).is_some_and(|line| {
                                line.strip_prefix(&name)
                                    .is_some_and(|rest| rest.starts_with(' ') || rest.is_empty())
                            }) || line.get(2..).filter(|_| !line.starts_with(' ')).is_some_and(|line| {
                                line.strip_prefix(&name)
                                    .is_some_and(|rest| rest.starts_with(' ') || rest.is_empty())
                            })
                        };
                        assert_eq!(lines.iter().filter(own).count(), 1, "{case} {name}: {text:#?}");
                    }
                    for number in 0..wrote {
                        let warning = format!("warning {number}");
                        assert_eq!(
                            lines.iter().filter(|line| **line == warning).count(),
                            1,
                            "{case}: {text:#?}"
                        );
                    }
                }
            }
        }
    }
}
