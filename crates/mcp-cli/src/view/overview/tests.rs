use std::time::Duration;

use mcp_config::EntryTransport;
use mcp_config::entry::RemoteKind;
use mcp_connect::Description;
use mcp_status::{
    ActionFacts, ChallengeKind, Evidence, MessageContext, Outcome, Phase, Reason, ServerInfo, StatusReport,
    TransportKind,
};

use super::*;
use crate::view::row::AuthRow;

fn described(name: &str) -> Description {
    Description::new(name, "user", "/f", EntryTransport::Remote(RemoteKind::Http))
}

fn row_of(name: &str, report: StatusReport) -> Row {
    let report = report.worded(|step| Some(crate::steps::Steps::default().words(step, name)));
    let auth = AuthRow::new(Vec::new(), &mcp_auth::provider::ProviderSnapshot::default(), false);
    Row::new(described(name), report, auth, Duration::from_millis(1))
}

fn row(name: &str, outcome: Outcome) -> Row {
    let facts = ActionFacts::new(TransportKind::Remote);
    let evidence = Evidence::new(Phase::Connect, outcome);
    let report = StatusReport::from_evidence(&evidence, &MessageContext::new(name), facts)
        .with_server(Some(ServerInfo::new("fake", "1.0")), None);
    row_of(name, report)
}

fn connected(name: &str, tools: usize) -> Row {
    row(name, Outcome::Connected { tools: Some(tools) })
}

fn refused(name: &str) -> Row {
    row(name, Outcome::Challenged { kind: ChallengeKind::Unauthorized, http_status: 401 })
}

fn awaiting(name: &str) -> Row {
    let facts = ActionFacts::new(TransportKind::Remote);
    row_of(name, StatusReport::from_reason(Reason::awaiting_approval(), &MessageContext::new(name), facts))
}

fn off(name: &str) -> Row {
    row_of(name, StatusReport::disabled(&MessageContext::new(name), ActionFacts::new(TransportKind::Remote)))
}

fn session(pid: u32, host: Option<&str>, status: &str) -> Session {
    Session { host: host.map(Into::into), ..Session::example(pid, status, None) }
}

fn style(columns: usize) -> Style {
    Style { terminal: true, color: false, columns }
}

fn overview(rows: &[Row]) -> Overview<'_> {
    Overview {
        lines: rows.iter().map(OverviewLine::of).collect(),
        aside: "shop-api · 0.4 s".into(),
        problems: &[],
        foot: further(rows, |_, command| command.to_owned()),
    }
}

#[test]
fn fh_h12_what_is_wrong_stands_first_with_what_to_try() {
    let sessions = vec![
        session(1, Some("Cursor"), "connected"),
        session(2, Some("Codex"), "connected"),
        session(3, None, "needs-auth"),
    ];
    let rows = [
        connected("everything", 13),
        row("wiki", Outcome::Unreachable),
        off("old"),
        refused("notes"),
        connected("files", 4).with_sessions(sessions),
    ];
    let text = overview(&rows).text(style(90));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        format!("{:<74}shop-api · 0.4 s", "5 servers: 2 connected, 1 needs you, 1 down, 1 disabled")
    );
    assert_eq!(lines[1], "");
    assert!(lines[2].starts_with("! notes  needs-auth  the server asks"), "{text}");
    let wiki = lines.iter().position(|line| line.starts_with("✘ wiki   down        ")).unwrap();
    assert_eq!(lines[wiki - 1], "         try         add `headers` or a `headersHelper` to notes");
    assert_eq!(lines[wiki + 1], "         try         mcplink wait wiki");
    assert_eq!(
        lines[wiki + 2..],
        [
            "",
            "✔ everything  13 tools  fake 1.0",
            "✔ files       4 tools   fake 1.0   2 bridges: Cursor, Codex",
            "    session 3 (bridge) needs-auth",
            "⊘ old         disabled    switched off in the configuration",
            "",
            "details: mcplink doctor notes     tools: mcplink tools everything",
        ],
        "{text}"
    );
}

/// A person who counts the rows comes to what the first line says, whatever a person has to do about them.
#[test]
fn what_is_summed_up_is_the_words_of_the_rows() {
    let failed = |name: &str| row(name, Outcome::Misconfigured);
    let rows =
        [awaiting("db"), failed("a"), refused("b"), failed("c"), row("d", Outcome::Unreachable), off("e")];
    let text = summary(rows.iter());
    assert_eq!(text, "6 servers: 1 needs you, 1 down, 2 failed, 1 pending, 1 disabled");
    for part in text.split_once(": ").unwrap().1.split(", ") {
        let (count, said) = part.split_once(' ').unwrap();
        let said = if said == "needs you" { "needs-auth" } else { said };
        let own = rows.iter().filter(|row| word(row) == said).count();
        assert_eq!(own.to_string(), count, "{part}");
    }
    assert_eq!(summary([refused("a"), refused("b")].iter()), "2 servers: 2 need you");
}

#[test]
fn one_server_is_not_summed_up_and_none_is_nothing() {
    assert_eq!(overview(&[connected("a", 1)]).text(style(80)), "✔ a  1 tool  fake 1.0\n");
    assert_eq!(overview(&[]).text(style(80)), "");
}

#[test]
fn fh_h12_two_with_the_same_step_share_it() {
    let rows = [awaiting("db"), refused("x"), awaiting("the cache"), awaiting("web")];
    let text = overview(&rows).text(style(100));
    assert_eq!(text.matches("try ").count(), 2, "{text}");
    assert_eq!(text.matches("mcplink approve db 'the cache' web\n").count(), 1, "{text}");
    let at = |what: &str| text.find(what).unwrap();
    assert!(at("… db") < at("… the cache") && at("… the cache") < at("… web"), "{text}");
    assert!(at("… web") < at("mcplink approve"), "{text}");
}

/// Every width and height: nothing is wider than the screen or reaches below it, what is cut is counted, and what is wrong is
/// cut last.
#[test]
fn fh_h12_a_table_higher_than_its_window_is_cut_and_says_so() {
    let long = "plugin_company-internal-tools_customer-data-platform-production";
    let mut rows: Vec<Row> = (0..40).map(|number| connected(&format!("s{number}"), number)).collect();
    rows.push(refused(long));
    rows.push(row("日本語サーバー", Outcome::Unreachable));
    for columns in [20, 40, 80, 120] {
        for height in [3, 4, 8, 24, 1000] {
            let overview = overview(&rows);
            let lines = overview.fitted(style(columns), height);
            let case = format!("{columns} × {height}: {lines:#?}");
            assert!(lines.len() <= height, "{case}");
            assert!(lines.iter().all(|line| mcp_text::width(line) <= columns), "{case}");
            if height == 1000 {
                assert!(!lines.iter().any(|line| line.starts_with("… ")), "{case}");
                assert!(lines.last().unwrap().contains("tools: "), "{case}");
            } else if height > 4 {
                let last = lines.last().unwrap();
                assert!(last.starts_with("… ") && last.contains(" more "), "{case}");
            }
        }
    }
    let lines = overview(&rows).fitted(style(80), 24);
    assert!(lines.iter().any(|line| line.contains("日本語サーバー")), "{lines:#?}");
    let shown = lines.iter().filter(|line| line.starts_with('✔')).count();
    assert_eq!(lines.last().unwrap(), &format!("… {} more servers: {0} connected", 40 - shown), "{lines:#?}");
}

#[test]
fn a_name_that_is_long_moves_no_other() {
    let long = "plugin_company-internal-tools_customer-data-platform-production";
    let rows = [refused("a"), refused(long), connected("b", 1), connected(long, 2)];
    let text = overview(&rows).text(style(80));
    assert!(text.contains("\n! a  needs-auth  "), "{text}");
    assert!(text.contains("\n✔ b  1 tool   fake 1.0\n"), "{text}");
    for columns in [20, 30, 40, 60, 61, 62, 63, 64, 80] {
        let text = overview(&rows).text(style(columns));
        let wide = text.lines().filter(|line| mcp_text::width(line) > columns);
        // A command is whole, so that it can be copied, and so is a word, such as a path.
        let is_whole = |line: &str| line.contains("mcplink") || !line.trim().contains(' ');
        assert!(wide.into_iter().all(is_whole), "{columns}: {text}");
    }
}

#[test]
fn what_is_under_way_spins_and_is_not_advised() {
    let report = StatusReport::from_reason(
        Reason::connecting(1),
        &MessageContext::new("a"),
        ActionFacts::new(TransportKind::Remote),
    );
    let rows = [row_of("a", report), connected("b", 1)];
    let mut overview = overview(&rows);
    overview.lines[0].spinner = Some("⠋");
    overview.lines[1].since = Some("since 02:13Z".into());
    let text = overview.text(style(60));
    assert!(text.starts_with("2 servers: 1 connected, 1 pending "), "{text}");
    assert!(text.contains("\n⠋ a  pending") && !text.contains("try"), "{text}");
    assert!(text.contains("\n✔ b  1 tool  fake 1.0   since 02:13Z\n"), "{text}");
}
