//! Rows as text: a table with glyphs on a terminal, plain aligned lines in a pipe.
//!
//! Longer than 500 lines because every line about one server is drawn here, so that all of them read alike.

use std::time::SystemTime;

use mcp_bridge::SharingRole;
use mcp_status::ServerStatus;

use super::row::{ReconnectOutcome, Row, SavedCredentials, Session};
use super::time::clock;
use super::wrap::{cut, wrap};
use crate::printed_step::PrintedStep;
use crate::view::shown::{self, pad};

/// How text is drawn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Style {
    /// A person looks at a terminal: glyphs, and the next command on a line of its own.
    pub(crate) terminal: bool,
    /// ANSI colours.
    pub(crate) color: bool,
    /// The width of the terminal, in characters. A pipe has no width.
    pub(crate) columns: usize,
}

impl Style {
    /// The width within which text is wrapped; none in a pipe.
    pub(crate) fn room(self) -> Option<usize> {
        self.terminal.then_some(self.columns)
    }

    /// `text` in the colour of `status`.
    pub(crate) fn paint(self, status: ServerStatus, text: &str) -> String {
        let code = match status {
            ServerStatus::Connected => "32",
            ServerStatus::Failed => "31",
            ServerStatus::NeedsAuth => "33",
            ServerStatus::Pending => "36",
            ServerStatus::Disabled => "2",
        };
        self.ansi(code, text)
    }

    /// `text` receding.
    pub(crate) fn dim(self, text: &str) -> String {
        self.ansi("2", text)
    }

    /// `text` standing out.
    pub(crate) fn bold(self, text: &str) -> String {
        self.ansi("1", text)
    }

    /// `text` as wide as the terminal has room for beside `used` columns. A pipe has room for everything.
    pub(crate) fn cut(self, text: &str, used: usize) -> String {
        if self.terminal { cut(text, self.columns.saturating_sub(used)) } else { text.to_owned() }
    }

    /// How far names are aligned of which the widest has `width` columns: one long name does not push the others of a terminal
    /// over its edge.
    pub(crate) fn aligned(self, width: usize) -> usize {
        if self.terminal { width.min(self.columns * 2 / 5) } else { width }
    }

    /// Whether something reads well beside `used` columns.
    pub(crate) fn has_room(self, used: usize) -> bool {
        !self.terminal || self.columns >= used + MIN_BESIDE
    }

    /// Labels do not stand out: something above them does.
    pub(crate) fn plain_labels(self) -> Self {
        Self { color: false, ..self }
    }

    fn ansi(self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// A glyph per status; the shapes differ, so that colour is never needed to tell them apart.
pub(crate) fn glyph(status: ServerStatus) -> &'static str {
    match status {
        ServerStatus::Connected => "✔",
        ServerStatus::NeedsAuth => "!",
        ServerStatus::Failed => "✘",
        ServerStatus::Pending => "…",
        ServerStatus::Disabled => "⊘",
    }
}

/// The width of the widest name, in columns.
pub(crate) fn name_width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| mcp_text::width(&shown::name(name))).max().unwrap_or(0)
}

/// The line, or two, of one server's status, with the line break.
pub(crate) fn status_lines(row: &Row, width: usize, style: Style) -> String {
    let next = row.reason().and_then(|reason| reason.next.as_ref());
    if style.terminal {
        return status_block(row, "", next, width, style) + &lines_below(row, style);
    }
    let status = row.status.unwrap_or(ServerStatus::Pending);
    let name = pad(&shown::name(&row.name), width);
    let word = pad(status.as_str(), STATUS_WIDTH);
    let next = next.map(|next| format!("  next: {next}")).unwrap_or_default();
    let line = format!("{name}  {word}  {}{next}", detail(row));
    format!("{}\n{}", line.trim_end(), lines_below(row, style))
}

/// One server as a terminal shows it: its status, what there is to say about it and `more`, and below it what to `try`.
pub(crate) fn status_block(
    row: &Row,
    more: &str,
    next: Option<&PrintedStep>,
    width: usize,
    style: Style,
) -> String {
    let status = row.status.unwrap_or(ServerStatus::Pending);
    let name = cut(&shown::name(&row.name), style.columns.saturating_sub(2));
    let name = pad(&name, style.aligned(width));
    let word = pad(word(row), STATUS_WIDTH);
    let detail = match (detail(row), more) {
        (detail, "") => detail,
        (detail, more) if detail.is_empty() => more.to_owned(),
        (detail, more) => format!("{detail} · {more}"),
    };
    let glyph = style.paint(status, glyph(status));
    let head = 2 + mcp_text::width(&name) + 2 + STATUS_WIDTH;
    // A name that leaves no room for its status has it below.
    let gap = if head > style.columns { format!("\n{}", " ".repeat(NARROW)) } else { "  ".to_owned() };
    let mut first = format!("{glyph} {}{gap}{}", style.bold(&name), style.paint(status, &word));
    let column = head + 2;
    // A URL that decides is not cut as long as there is room for it below.
    let longest = detail.split(' ').map(mcp_text::width).max().unwrap_or_default();
    let beside = style.columns >= column + longest.max(MIN_BESIDE);
    let detail_at = if beside { column } else { NARROW };
    let mut below = String::new();
    for (number, line) in wrap(&detail, style.columns.saturating_sub(detail_at)).iter().enumerate() {
        if beside && number == 0 {
            first.push_str(&format!("  {line}"));
        } else {
            below.push_str(&format!("{}{line}\n", " ".repeat(detail_at)));
        }
    }
    if let Some(next) = next {
        // A command is never broken up, so that it can be copied; where it does not fit it starts further left.
        let (at, label) = if beside && column + mcp_text::width(next.as_str()) <= style.columns {
            (column - 2 - STATUS_WIDTH, pad("try", STATUS_WIDTH))
        } else {
            (NARROW, "try".to_owned())
        };
        // What paints takes no room, so the label is put in its place at the end.
        let step = next.behind(&format!("{}{label}  ", " ".repeat(at)), style.room());
        below.push_str(&step.replacen(&label, &style.dim(&label), 1));
    }
    format!("{}\n{below}", first.trim_end())
}

/// The status in the word that people say.
pub(crate) fn word(row: &Row) -> &'static str {
    let status = row.status.unwrap_or(ServerStatus::Pending);
    if is_down(row) { "down" } else { status.as_str() }
}

/// Whether the server is not there, rather than there and of no use.
pub(crate) fn is_down(row: &Row) -> bool {
    use mcp_status::ReasonCode::{Exited, Timeout, Unavailable, Unreachable};
    let code = row.reason().map(|reason| reason.code);
    row.status == Some(ServerStatus::Failed)
        && matches!(code, Some(Exited | Timeout | Unavailable | Unreachable))
}

/// What stands beside name and status has at least this many characters of its own, or goes below them.
pub(super) const MIN_BESIDE: usize = 24;
/// Where lines below a narrow row begin.
pub(super) const NARROW: usize = 4;

/// What one live session did.
pub(crate) fn reconnected_line(name: &str, session: &ReconnectOutcome, style: Style) -> String {
    let said = said(&session.status, &session.reason);
    let indent = if style.terminal { "    " } else { "  " };
    format!("{indent}session {} of {} reconnected, now {said}\n", session.session, shown::line(name))
}

/// A status and its reason, as a session says them.
pub(crate) fn said(status: &serde_json::Value, reason: &serde_json::Value) -> String {
    let status = shown::line(status.as_str().unwrap_or("unknown"));
    match reason["message"].as_str() {
        // It says the status itself.
        Some(message) if after_status(&status, message) != message => shown::line(message),
        Some(message) => format!("{status}: {}", shown::line(message)),
        None => status,
    }
}

/// What of `message` stands behind the word of a status: one of a server that works begins with that word, because it stands
/// alone elsewhere.
pub(crate) fn after_status<'m>(status: &str, message: &'m str) -> &'m str {
    let rest = message.strip_prefix(status).filter(|rest| rest.starts_with([',', ' ']));
    rest.map_or(message, |rest| rest.trim_start_matches([',', ' ']))
}

/// A line for each host that has the server and for each live session of it, below its status.
pub(crate) fn lines_below(row: &Row, style: Style) -> String {
    let indent = if style.terminal { "    " } else { "  " };
    let mut lines = String::new();
    for place in &row.hosts {
        let named =
            if place.name == row.name { String::new() } else { format!(" as {}", shown::name(&place.name)) };
        let through = if place.bridged { ", through mcplink" } else { "" };
        let (title, file) = (place.title, &place.file);
        let missing = place
            .missing
            .as_ref()
            .map(|program| format!(", but starts {}, which is not there", shown::line(program)));
        let unusable = place.unusable.as_ref().map(|why| format!(", but {}", shown::line(why)));
        let missing = missing.or(unusable).unwrap_or_default();
        lines.push_str(&format!("{indent}in {title}{named}{through}: {file}:{}{missing}\n", place.line));
    }
    match &row.reconnected {
        Some(reconnected) => {
            for session in reconnected {
                lines.push_str(&reconnected_line(&row.name, session, style));
            }
        }
        None => {
            let above = row.reason().map(|reason| shown::line(&reason.message));
            let room = if style.terminal { style.columns.saturating_sub(indent.len()) } else { usize::MAX };
            for session in &row.sessions {
                let mut session = session.clone();
                // What stands above is not told again.
                if above.is_some() && session.reason["message"].as_str().map(shown::line) == above {
                    session.reason = serde_json::Value::Null;
                }
                let text = format!("session {}", session_text(&session));
                wrap(&text, room).iter().for_each(|line| lines.push_str(&format!("{indent}{line}\n")));
            }
        }
    }
    lines
}

/// A live session: its process, what it is, for whom, and how it says it is.
pub(crate) fn session_text(session: &Session) -> String {
    let kind = shown::line(&session.kind);
    let host = session.host.as_ref().map(|host| format!(" of {}", shown::cell(host))).unwrap_or_default();
    let said = said(&session.status, &session.reason);
    format!("{} ({kind}{host}{}) {said}", session.session, shared(session))
}

/// What a session is on a connection that it shares, behind its kind.
pub(crate) fn shared(session: &Session) -> String {
    match session.shared {
        Some(SharingRole::Guest { via }) => format!(", shared: via {via}"),
        Some(SharingRole::Owner { guests: 0 }) => ", shared with no other yet".to_owned(),
        Some(SharingRole::Owner { guests: 1 }) => ", shared with 1 more".to_owned(),
        Some(SharingRole::Owner { guests }) => format!(", shared with {guests} more"),
        _ => String::new(),
    }
}

/// `needs-auth`, the longest status word.
const STATUS_WIDTH: usize = 10;

/// What there is to say of a server whose entry takes tools away; `get` says which.
const NOT_ALL_TOOLS: &str = "not all of its tools";

/// What there is to say about a status.
fn detail(row: &Row) -> String {
    let mut parts = Vec::new();
    if let Some(reason) = row.reason() {
        let status = row.status.map(ServerStatus::as_str).unwrap_or_default();
        parts.push(shown::line(after_status(status, &reason.message)));
    }
    if row.status == Some(ServerStatus::Connected) {
        if row.reason().is_none() {
            parts.extend(row.tools.map(count_of_tools));
        }
        if let Some(server) = &row.server {
            parts.push(server.to_string());
        }
        parts.extend(row.protocol_version.clone());
        parts.extend(row.elapsed_ms.map(|elapsed| format!("{elapsed} ms")));
    }
    if row.status == Some(ServerStatus::Disabled) && row.reason().is_none() {
        parts.push("switched off in the configuration".to_owned());
    } else if let Some(kept) = &row.kept {
        parts.push(kept_text(kept, SystemTime::now()));
    }
    if !row.tool_policy.is_empty() {
        parts.push(NOT_ALL_TOOLS.to_owned());
    }
    let is_said =
        |unmatched: &&String| row.reason().is_some_and(|reason| reason.message.contains(&***unmatched));
    parts.extend(row.unmatched_tools.iter().filter(|one| !is_said(one)).map(|one| shown::line(one)));
    parts.join(" · ")
}

/// `signed in, token until 03:22Z`.
fn kept_text(kept: &SavedCredentials, now: SystemTime) -> String {
    match kept {
        SavedCredentials::SignIn { is_there: false, .. } => "not signed in".to_owned(),
        SavedCredentials::SignIn { until: None, .. } => "signed in".to_owned(),
        SavedCredentials::Unread { why } => format!("sign-in not known: {}", shown::line(why)),
        SavedCredentials::SignIn { until: Some(until), .. } if *until <= now => {
            format!("signed in, token expired {}", clock(*until, now))
        }
        SavedCredentials::SignIn { until: Some(until), .. } => {
            format!("signed in, token until {}", clock(*until, now))
        }
        SavedCredentials::Helper { program: Some(program) } => {
            format!("helper {}, last run unknown", shown::cell(program))
        }
        SavedCredentials::Helper { program: None } => "a helper, last run unknown".to_owned(),
    }
}

/// `1 tool`, `5 tools`.
pub(crate) fn count_of_tools(count: usize) -> String {
    if count == 1 { "1 tool".to_owned() } else { format!("{count} tools") }
}

/// The lines of `list`: what the files tell, nothing contacted.
pub(crate) fn list_lines(rows: &[Row], style: Style) -> String {
    let columns: Vec<[String; 5]> = rows
        .iter()
        .map(|row| {
            let endpoint = row.url.as_deref().or(row.command.as_deref()).unwrap_or_default();
            let state = if row.disabled {
                "disabled"
            } else if row.blocked {
                "blocked by policy"
            } else if row.declined {
                "rejected"
            } else if row.changed {
                "changed since it was approved"
            } else if row.actions.contains(&mcp_status::Action::Approve) {
                "awaiting approval"
            } else {
                ""
            };
            let tools = if row.tool_policy.is_empty() { "" } else { NOT_ALL_TOOLS };
            let states = [state, tools].into_iter().filter(|state| !state.is_empty());
            let state: Vec<String> = states.map(|state| format!("({state})")).collect();
            let state = state.join(" ");
            [
                shown::name(&row.name),
                row.scope.clone(),
                row.transport.to_string(),
                shown::line(endpoint),
                state,
            ]
        })
        .collect();
    let widths: Vec<usize> =
        (0..3).map(|i| shown::widest(columns.iter().map(|cells| cells[i].as_str()))).collect();
    columns
        .iter()
        .map(|[name, scope, transport, endpoint, state]| {
            let name = pad(name, style.aligned(widths[0]));
            let kind = format!("{}  {}", pad(scope, widths[1]), pad(transport, widths[2]));
            let used = mcp_text::width(&name) + 2 + mcp_text::width(&kind) + 2;
            let gap = if style.terminal && used > style.columns + 2 { "\n    " } else { "  " };
            let head = format!("{}{gap}{kind}", style.bold(&name));
            // What only a person can change is not what is cut.
            let last = |endpoint: &str| match (endpoint.is_empty(), state.is_empty()) {
                (false, false) => format!("{endpoint}  {state}"),
                _ => format!("{endpoint}{state}"),
            };
            let beside = if state.is_empty() { 0 } else { mcp_text::width(state) + 2 };
            if style.has_room(used + beside) {
                let line = format!("{head}  {}", last(&style.cut(endpoint, used + beside)));
                return format!("{}\n", line.trim_end());
            }
            let below = [endpoint, state].into_iter().filter(|line| !line.is_empty());
            let below = below.map(|line| format!("    {}\n", style.cut(line, 4)));
            format!("{}\n{}", head.trim_end(), below.collect::<String>())
        })
        .collect()
}

/// How wide a column is at most where nothing is cut.
const MOST_COLUMN: usize = 48;

/// Rows of aligned columns. Where the last one has no room on a terminal, all but the first stand below it.
pub(crate) fn columns<const N: usize>(rows: impl Iterator<Item = [String; N]>, style: Style) -> String {
    rows_of(rows, style).concat()
}

/// The same, each row for itself: others may stand between them.
pub(crate) fn rows_of<const N: usize>(rows: impl Iterator<Item = [String; N]>, style: Style) -> Vec<String> {
    let rows: Vec<[String; N]> = rows.collect();
    // A terminal has no room for more, and elsewhere one long name makes no rows of blanks of all the others.
    let most = if style.terminal { usize::MAX } else { MOST_COLUMN };
    let widths: [usize; N] =
        std::array::from_fn(|i| shown::widest(rows.iter().map(|row| row[i].as_str())).min(most));
    let used = widths[..N - 1].iter().map(|width| width + 2).sum();
    let beside =
        style.has_room(used) || rows.iter().all(|row| mcp_text::width(&row[N - 1]) + used <= style.columns);
    let line = |row: &[String; N]| {
        if beside {
            let mut cells: Vec<String> =
                row.iter().zip(widths).take(N - 1).map(|(cell, width)| pad(cell, width) + "  ").collect();
            let taken = cells.iter().map(|cell| mcp_text::width(cell)).sum();
            if let Some(first) = cells.first_mut() {
                *first = style.bold(first);
            }
            let line = cells.concat() + &style.cut(&row[N - 1], taken);
            return format!("{}\n", line.trim_end());
        }
        let below = row[1..].iter().filter(|cell| !cell.is_empty());
        let below: String = below.map(|cell| format!("    {}\n", style.cut(cell, 4))).collect();
        format!("{}\n{below}", style.bold(&row[0]))
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::row::AuthRow;
    use mcp_config::EntryTransport;
    use mcp_config::entry::RemoteKind;
    use mcp_connect::Description;
    use mcp_status::{
        ActionFacts, AuthFacts, ChallengeKind, Evidence, MessageContext, Outcome, Phase, ServerInfo,
        StatusReport, TransportKind,
    };
    use std::time::Duration;

    const PIPE: Style = Style { terminal: false, color: false, columns: 80 };
    const TERMINAL: Style = Style { terminal: true, color: false, columns: 100 };

    fn row(name: &str, outcome: Outcome) -> Row {
        let auth = AuthFacts::new(true, Some("static-headers".into()))
            .with_supplied_by(Some(mcp_status::CredentialOrigin::Configuration));
        let evidence = Evidence::new(Phase::Connect, outcome).with_auth(auth);
        let facts = ActionFacts::new(TransportKind::Remote).with_configured(true, false);
        let report = StatusReport::from_evidence(&evidence, &MessageContext::new(name), facts)
            .with_server(Some(ServerInfo::new("fake\u{1b}[2J", "1.0")), Some("2026-07-28".into()))
            .worded(|step| Some(crate::steps::Steps::default().words(step, name)));
        let mut description =
            Description::new(name, "user", "/home/me/.claude.json", EntryTransport::Remote(RemoteKind::Http));
        description.url = Some("https://example.com/mcp".into());
        description.chain = vec!["static-headers".into()];
        let auth =
            AuthRow::new(description.chain.clone(), &mcp_auth::provider::ProviderSnapshot::default(), false);
        Row::new(description, report, auth, Duration::from_millis(311))
    }

    #[test]
    fn a_pipe_gets_one_plain_line_per_server() {
        let connected = row("web", Outcome::Connected { tools: Some(5) });
        assert_eq!(
            status_lines(&connected, 5, PIPE),
            "web    connected   5 tools · fake 1.0 · 2026-07-28 · 311 ms\n"
        );
        let refused = row("web", Outcome::Challenged { kind: ChallengeKind::Unauthorized, http_status: 401 });
        let line = status_lines(&refused, 3, PIPE);
        assert!(line.starts_with("web  needs-auth  the server refused"), "{line}");
        assert!(line.ends_with("  next: correct `headers` of web\n"), "{line}");
    }

    #[test]
    fn a_terminal_gets_glyphs_and_the_next_command_below() {
        let refused = row("web", Outcome::Challenged { kind: ChallengeKind::Unauthorized, http_status: 401 });
        let lines = status_lines(&refused, 5, TERMINAL);
        assert!(lines.starts_with("! web    needs-auth  "), "{lines}");
        assert!(lines.ends_with("\n         try         correct `headers` of web\n"), "{lines}");
        let painted = status_lines(&refused, 5, Style { color: true, ..TERMINAL });
        assert!(painted.starts_with("\u{1b}[33m!\u{1b}[0m"), "{painted}");
    }

    #[test]
    fn a_narrow_terminal_wraps_at_words_below_the_column_or_below_the_row() {
        let refused = row("web", Outcome::Challenged { kind: ChallengeKind::Unauthorized, http_status: 401 });
        assert_eq!(
            status_lines(&refused, 3, Style { columns: 50, ..TERMINAL }),
            "! web  needs-auth  the server refused the headers\n                   that are set for it (401)\n\
             \x20      try         correct `headers` of web\n"
        );
        assert_eq!(
            status_lines(&refused, 3, Style { columns: 39, ..TERMINAL }),
            "! web  needs-auth\n    the server refused the headers that\n    are set for it (401)\n    \
             try  correct `headers` of web\n"
        );
    }

    /// A message stands alone elsewhere, and so says the status itself; beside the word of it, that is said once.
    #[test]
    fn fh_h13_no_status_is_said_twice() {
        let lines = |outcome, style| status_lines(&row("web", outcome), 3, style);
        let none = || Outcome::Connected { tools: Some(0) };
        assert_eq!(
            lines(none(), PIPE),
            "web  connected   but the server lists no tools · fake 1.0 · 2026-07-28 · 311 ms\n"
        );
        let broken =
            || Outcome::ToolsUnavailable { cause: Box::new(Outcome::Protocol { rpc_code: Some(-32603) }) };
        let shown = lines(broken(), TERMINAL);
        assert!(shown.starts_with("✔ web  connected   but the tools could not be listed: "), "{shown}");
        let reason = |message: &str| serde_json::json!({ "message": message });
        assert_eq!(
            said(&"connected".into(), &reason("connected, but the server lists no tools")),
            "connected, but the server lists no tools"
        );
        assert_eq!(said(&"failed".into(), &reason("no answer")), "failed: no answer");
        // Only the whole word.
        assert_eq!(after_status("connected", "connectedness is lacking"), "connectedness is lacking");
        assert_eq!(after_status("connected", "connected without its helper"), "without its helper");
    }

    fn session(pid: u32, shared: Option<SharingRole>, status: &str, reason: Option<&str>) -> Session {
        Session { host: Some("Ev\u{1b}[2Jil".to_owned()), shared, ..Session::example(pid, status, reason) }
    }

    #[test]
    fn fh_h11_a_session_is_told_with_whom_it_is_for_and_what_it_shares() {
        let host = shown::cell("Ev\u{1b}[2Jil");
        let owner = |guests| Some(SharingRole::Owner { guests });
        for (shared, text) in [
            (None, ""),
            (owner(0), ", shared with no other yet"),
            (owner(1), ", shared with 1 more"),
            (owner(2), ", shared with 2 more"),
            (Some(SharingRole::Guest { via: 8 }), ", shared: via 8"),
        ] {
            assert_eq!(
                session_text(&session(7, shared, "connected", None)),
                format!("7 (bridge of {host}{text}) connected")
            );
        }
        let unnamed = Session { host: None, ..session(7, None, "failed", Some("no answer")) };
        assert_eq!(session_text(&unnamed), "7 (bridge) failed: no answer");
    }

    /// The sessions stand below their server, each with its own status; what the server's line says is not told again.
    #[test]
    fn fh_h11_sessions_stand_below_the_line_of_their_server() {
        let silent = || row("web", Outcome::Timeout);
        let above = silent().reason().map(|reason| reason.message.clone());
        let sessions = || {
            vec![
                session(7, None, "failed", above.as_deref()),
                session(8, None, "failed", Some("it is\nanother one")),
                session(9, Some(SharingRole::Guest { via: 8 }), "connected", None),
            ]
        };
        let host = shown::cell("Ev\u{1b}[2Jil");
        assert_eq!(
            lines_below(&silent().with_sessions(sessions()), PIPE),
            format!(
                "  session 7 (bridge of {host}) failed\n  session 8 (bridge of {host}) failed: it is another one\n  \
                 session 9 (bridge of {host}, shared: via 8) connected\n"
            )
        );
        // A terminal has them within its width, whatever that is, and all of each.
        for columns in [30, 40, 80] {
            let style = Style { columns, ..TERMINAL };
            let below = lines_below(&silent().with_sessions(sessions()), style);
            assert!(
                below.lines().all(|line| line.starts_with("    ") && mcp_text::width(line) <= columns),
                "{below}"
            );
            let words: Vec<&str> = below.split_whitespace().collect();
            assert!(
                words.join(" ").ends_with(&format!("session 9 (bridge of {host}, shared: via 8) connected")),
                "{below}"
            );
        }
        // Where the server answers, what a session says is its own.
        let up = row("web", Outcome::Connected { tools: Some(5) });
        let below = lines_below(&up.with_sessions(sessions()), PIPE);
        assert!(
            above.is_some_and(|above| below.contains(&format!("failed: {}\n", shown::line(&above)))),
            "{below}"
        );
    }

    #[test]
    fn what_is_kept_is_told_with_its_end() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_239_039);
        let sign_in = |seconds: i64| SavedCredentials::SignIn {
            is_there: true,
            until: Some(SystemTime::UNIX_EPOCH + Duration::from_secs((1_795_239_039 + seconds) as u64)),
        };
        for (kept, text) in [
            (sign_in(3600), "signed in, token until 06:30Z"),
            (sign_in(-60), "signed in, token expired 05:29Z"),
            (sign_in(86_400), "signed in, token until 11-22 05:30Z"),
            (SavedCredentials::SignIn { is_there: true, until: None }, "signed in"),
            (SavedCredentials::SignIn { is_there: false, until: None }, "not signed in"),
            (SavedCredentials::Unread { why: "no\nanswer".to_owned() }, "sign-in not known: no answer"),
            (
                SavedCredentials::Helper { program: Some("my-sso".to_owned()) },
                "helper my-sso, last run unknown",
            ),
            (SavedCredentials::Helper { program: None }, "a helper, last run unknown"),
        ] {
            assert_eq!(kept_text(&kept, now), text);
        }
    }

    #[test]
    fn the_glyphs_differ_in_shape() {
        let all = [
            ServerStatus::Connected,
            ServerStatus::NeedsAuth,
            ServerStatus::Failed,
            ServerStatus::Pending,
            ServerStatus::Disabled,
        ];
        let shapes: std::collections::BTreeSet<_> = all.into_iter().map(glyph).collect();
        assert_eq!(shapes.len(), all.len());
    }

    #[test]
    fn a_list_is_aligned() {
        let rows = [row("a", Outcome::Timeout), row("longer", Outcome::Timeout)];
        assert_eq!(
            list_lines(&rows, PIPE),
            "a       user  http  https://example.com/mcp\nlonger  user  http  https://example.com/mcp\n"
        );
    }
}
