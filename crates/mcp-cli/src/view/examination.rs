//! What an examination found, for people: numbered checks, the one cause, and what to do about it.

use mcp_connect::{Check, CheckState, Examination};
use mcp_status::ServerStatus;
use mcp_transport::exchange::{Exchange, ExchangeOutcome};

use url::Url;

use super::row::Row;
use super::shown::{self, pad};
use super::text::{MIN_BESIDE, Style, count_of_tools, glyph};
use super::wrap::{behind, cut, wrap};
use crate::printed_step::PrintedStep;

/// What stands beside a name has at least this many columns, or goes below it.
const MIN_ROOM: usize = 40;
/// Where what is said of a part begins that has no room beside it: below its name.
const BELOW: usize = 5;

/// One server that was examined.
#[derive(Debug)]
pub(crate) struct ExaminedServer {
    pub(crate) row: Row,
    /// What changes the cause.
    pub(crate) next: Option<PrintedStep>,
    pub(crate) examination: Examination,
}

/// The whole of one examination.
pub(crate) fn text(examined: &ExaminedServer, style: Style) -> String {
    let ExaminedServer { row, next, examination } = examined;
    let mut text = head(examined, style);
    let width = shown::widest(examination.checks.iter().map(|check| check.topic.as_str()));
    for (index, check) in examination.checks.iter().enumerate() {
        text.push_str(&check_lines(index + 1, check, width, style));
    }
    text.push('\n');
    let mut say = |label: &str, said: &str| {
        text.push_str(&behind(&format!("{}  ", pad(label, 5)), &shown::line(said), style.room()));
    };
    match &examination.cause {
        Some(cause) => {
            say("cause", &cause.message);
            if let Some(next) = next {
                text.push_str(&steps_lines("", 5, next, style));
            }
        }
        None => say("cause", &none_for(row)),
    }
    text
}

/// What to do first where a file cannot be understood: what its servers are is not known before.
pub(crate) fn of_broken_file(step: String, style: Style) -> String {
    steps_lines("", 5, &PrintedStep::Sentence(step), style)
}

/// What to do, each command on a line of its own.
fn steps_lines(indent: &str, width: usize, next: &PrintedStep, style: Style) -> String {
    let (first, then) = next.shown().parts();
    let labelled = [("do", Some(first)), ("then", then)].into_iter();
    let parts = labelled.filter_map(|(label, step)| Some((label, step?)));
    parts
        .map(|(label, step)| {
            let head = format!("{indent}{}  ", pad(label, width));
            step.behind(&head, style.room())
        })
        .collect()
}

fn head(examined: &ExaminedServer, style: Style) -> String {
    let row = &examined.row;
    let endpoint = row.url.as_deref().or(row.command.as_deref()).unwrap_or("no endpoint");
    let line =
        examined.examination.server.description.line.map_or_else(String::new, |line| format!(":{line}"));
    let place = format!("{}{line} ({})", row.source, row.scope);
    let name = shown::name(&row.name);
    let endpoint = shown::line(endpoint);
    let gap = match style.terminal && mcp_text::width(&name) + 2 + mcp_text::width(&endpoint) > style.columns
    {
        true => "\n",
        false => "  ",
    };
    let place = behind("", &shown::line(&place), style.room());
    let place: String = place.lines().map(|line| style.dim(line) + "\n").collect();
    format!("{}{gap}{endpoint}\n{place}\n", style.bold(&name))
}

fn check_lines(number: usize, check: &Check, width: usize, style: Style) -> String {
    let label = pad(&check.topic.as_str().replace('-', " "), width);
    let head = format!("{number:>2} {} {label}  ", glyph_of(check.state));
    let beside = mcp_text::width(&head);
    let room = style.columns.saturating_sub(beside);
    let mut text = head;
    let mut is_empty = true;
    for said in std::iter::once(&check.message).chain(&check.more) {
        let said = shown::line(said);
        // What has too little room beside the label, such as a URL, stands below it in whole.
        let longest = said.split(' ').map(mcp_text::width).max().unwrap_or(0);
        let fits = !style.terminal
            || mcp_text::width(&said) <= room
            || room >= MIN_BESIDE && longest <= room
            || BELOW + longest > style.columns && room >= MIN_BESIDE;
        let at = if fits { beside } else { BELOW };
        if !(is_empty && fits) {
            if is_empty {
                text.truncate(text.trim_end().len());
                text.push('\n');
            }
            text.push_str(&" ".repeat(at));
        }
        is_empty = false;
        let lines = if style.terminal { wrap(&said, style.columns.saturating_sub(at)) } else { vec![said] };
        text.push_str(&lines.join(&format!("\n{}", " ".repeat(at))));
        text.push('\n');
    }
    // What paints takes no room, so the glyph is put in its place at the end.
    text.replacen(glyph_of(check.state), &painted(check.state, style), 1)
}

fn glyph_of(state: CheckState) -> &'static str {
    match state {
        CheckState::Good => "✔",
        CheckState::Noted => "!",
        CheckState::Bad => "✘",
        _ => "·",
    }
}

fn painted(state: CheckState, style: Style) -> String {
    let status = match state {
        CheckState::Good => ServerStatus::Connected,
        CheckState::Noted => ServerStatus::NeedsAuth,
        CheckState::Bad => ServerStatus::Failed,
        _ => ServerStatus::Disabled,
    };
    style.paint(status, glyph_of(state))
}

fn none_for(row: &Row) -> String {
    let tools = row.tools.map_or_else(String::new, |count| format!(" with {}", count_of_tools(count)));
    format!("none: it is connected{tools}")
}

/// The width of the column that the names of servers are in.
pub(crate) fn names_column<'n>(names: impl Iterator<Item = &'n str>, style: Style) -> usize {
    let widest = shown::widest(names);
    // A name that is longer than most has no column made for it on a terminal.
    if style.terminal { widest.min(style.columns / 4) } else { widest }
}

/// A line or two for one of several servers, with a column of `width` for its name.
pub(crate) fn summary(one: &ExaminedServer, width: usize, style: Style) -> String {
    let checks = &one.examination.checks;
    let noted = checks.iter().find(|check| check.state == CheckState::Noted);
    let said = match (&one.examination.cause, noted) {
        (Some(cause), _) => cause.message.clone(),
        (None, Some(noted)) => {
            let why = noted.more.first().unwrap_or(&noted.message);
            format!("it is connected; {}: {why}", noted.topic.as_str())
        }
        (None, None) => none_for(&one.row).replacen("none: ", "", 1),
    };
    // What paints takes no room, so the glyph is put in its place at the end.
    let name = shown::name(&one.row.name);
    let name = if style.terminal { cut(&name, style.columns.saturating_sub(2)) } else { name };
    let (name, said) = (pad(&name, width), shown::line(&said));
    let room_beside = style.columns.saturating_sub(4 + mcp_text::width(&name));
    let lines = match style.terminal {
        true if mcp_text::width(&said) > room_beside && room_beside < MIN_ROOM => {
            format!("  {}\n{}", name.trim_end(), behind("    ", &said, style.room()))
        }
        _ => behind(&format!("  {name}  "), &said, style.room()),
    };
    let status = one.row.status.unwrap_or(ServerStatus::Pending);
    // That of `status`, but for what is to be known of one that works.
    let mut text = match one.examination.cause {
        None if noted.is_some() => painted(CheckState::Noted, style),
        _ => style.paint(status, glyph(status)),
    };
    text.push_str(&lines[1..]);
    let is_trouble = one.examination.cause.is_some() && status != ServerStatus::Disabled;
    if let (Some(next), true) = (&one.next, is_trouble) {
        let (indent, label) = if style.terminal { ("    ", 4) } else { ("  ", width) };
        text.push_str(&steps_lines(indent, label, next, style));
    }
    text
}

/// Each exchange, with the time since the first.
pub(crate) fn trace(exchanges: &[Exchange], style: Style) -> String {
    if exchanges.is_empty() {
        return "\nno exchange over HTTP\n".to_owned();
    }
    let mut text = format!("\n{}\n", style.bold("exchanges"));
    let first = exchanges.iter().map(|exchange| exchange.began).min();
    for exchange in exchanges {
        let since = first.and_then(|first| exchange.began.duration_since(first).ok()).unwrap_or_default();
        let head = format!("{:>6} ms  ", since.as_millis());
        text.push_str(&behind(&head, &shown::line(&asked(exchange, &exchange.url)), style.room()));
        let mut answer = |line: &str| {
            text.push_str(&behind(&" ".repeat(13), &shown::line(line), style.room()));
        };
        answer(&answered(exchange));
        if let ExchangeOutcome::Answered { decides, .. } = &exchange.outcome {
            decides.iter().for_each(|line| answer(line));
        }
    }
    text
}

fn asked(exchange: &Exchange, place: &str) -> String {
    let asks = exchange.asks.as_deref().map_or_else(String::new, |asks| format!(" {asks}"));
    let with = match exchange.credentials.is_empty() {
        true => String::new(),
        false => format!(" (with {})", exchange.credentials.join(", ")),
    };
    format!("{} {place}{asks}{with}", exchange.method)
}

fn answered(exchange: &Exchange) -> String {
    format!("{}, {} ms", exchange.outcome, exchange.took.as_millis())
}

/// The same as a sequence diagram of Mermaid.
pub(crate) fn mermaid(exchanges: &[Exchange]) -> String {
    let parts: Vec<(String, String)> = exchanges.iter().map(|exchange| parted(&exchange.url)).collect();
    let mut places: Vec<&str> = Vec::new();
    for (origin, _) in &parts {
        if !places.contains(&&**origin) {
            places.push(origin);
        }
    }
    let mut text = "sequenceDiagram\n  participant C as mcplink\n".to_owned();
    for (number, origin) in places.iter().enumerate() {
        text.push_str(&format!("  participant S{number} as {}\n", quiet(origin)));
    }
    for (exchange, (origin, path)) in exchanges.iter().zip(&parts) {
        let number = places.iter().position(|place| place == origin).unwrap_or(0);
        text.push_str(&format!("  C->>S{number}: {}\n", quiet(&asked(exchange, path))));
        text.push_str(&format!("  S{number}-->>C: {}\n", quiet(&answered(exchange))));
    }
    text
}

/// Origin and path of a URL.
fn parted(url: &str) -> (String, String) {
    match Url::parse(url) {
        Ok(url) => (url.origin().ascii_serialization(), url.path().to_owned()),
        Err(_) => (url.to_owned(), String::new()),
    }
}

/// What ends a statement of Mermaid, or begins an entity, is left out.
fn quiet(text: &str) -> String {
    shown::line(text).replace([';', '#'], " ")
}
