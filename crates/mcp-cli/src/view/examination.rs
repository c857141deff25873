//! What an examination found, for people: numbered checks, the one cause, and what to do about it.

use mcp_connect::{Check, CheckState, Examination};
use mcp_status::ServerStatus;
use mcp_transport::exchange::{Exchange, ExchangeOutcome};

use url::Url;

use super::row::Row;
use super::shown::{self, pad};
use super::text::{Style, count_of_tools, glyph, lines_below};
use super::wrap::{behind, wrap};

/// One server that was examined.
#[derive(Debug)]
pub(crate) struct ExaminedServer {
    pub(crate) row: Row,
    /// What changes the cause, as a command.
    pub(crate) next: Option<String>,
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
                say("do", next);
            }
        }
        None => say("cause", &none_for(row)),
    }
    text + &lines_below(row, style)
}

fn head(examined: &ExaminedServer, style: Style) -> String {
    let row = &examined.row;
    let endpoint = row.url.as_deref().or(row.command.as_deref()).unwrap_or("no endpoint");
    let line =
        examined.examination.server.description.line.map_or_else(String::new, |line| format!(":{line}"));
    let place = format!("{}{line} ({})", row.source, row.scope);
    let head = format!("{}  {}", style.bold(&shown::name(&row.name)), shown::line(endpoint));
    format!("{head}\n{}\n\n", style.dim(&shown::line(&place)))
}

fn check_lines(number: usize, check: &Check, width: usize, style: Style) -> String {
    let label = pad(&check.topic.as_str().replace('-', " "), width);
    let head = format!("{number:>2} {} {label}", painted(check.state, style));
    let indent = 2 + 1 + 1 + 1 + width + 2;
    let room = style.columns.saturating_sub(indent).max(20);
    let mut text = String::new();
    let said = std::iter::once(&check.told).chain(&check.more);
    let lines = said.flat_map(|said| {
        let said = shown::line(said);
        if style.terminal { wrap(&said, room) } else { vec![said] }
    });
    for (index, line) in lines.enumerate() {
        let before = if index == 0 { format!("{head}  ") } else { " ".repeat(indent) };
        text.push_str(format!("{before}{line}").trim_end());
        text.push('\n');
    }
    text
}

fn painted(state: CheckState, style: Style) -> String {
    let (status, glyph) = match state {
        CheckState::Good => (ServerStatus::Connected, "✔"),
        CheckState::Noted => (ServerStatus::NeedsAuth, "!"),
        CheckState::Bad => (ServerStatus::Failed, "✘"),
        _ => (ServerStatus::Disabled, "·"),
    };
    style.paint(status, glyph)
}

fn none_for(row: &Row) -> String {
    let tools = row.tools.map_or_else(String::new, |count| format!(" with {}", count_of_tools(count)));
    format!("none: it is connected{tools}")
}

/// A line or two for each server.
pub(crate) fn summary(all: &[ExaminedServer], style: Style) -> String {
    let width = style.aligned(shown::widest(all.iter().map(|one| one.row.name.as_str())));
    let mut text = String::new();
    for one in all {
        let checks = &one.examination.checks;
        let noted = checks.iter().find(|check| check.state == CheckState::Noted);
        let said = match (&one.examination.cause, noted) {
            (Some(cause), _) => cause.message.clone(),
            (None, Some(noted)) => {
                let why = noted.more.first().unwrap_or(&noted.told);
                format!("it is connected; {}: {why}", noted.topic.as_str())
            }
            (None, None) => none_for(&one.row).replacen("none: ", "", 1),
        };
        let status = one.row.status.unwrap_or(ServerStatus::Pending);
        // That of `status`, but for what is to be known of one that works.
        let mark = match one.examination.cause {
            None if noted.is_some() => painted(CheckState::Noted, style),
            _ => style.paint(status, glyph(status)),
        };
        let head = format!("{mark} {}  ", pad(&shown::name(&one.row.name), width));
        text.push_str(&behind(&head, &shown::line(&said), style.room()));
        let is_trouble = one.examination.cause.is_some() && status != ServerStatus::Disabled;
        if let (Some(next), true) = (&one.next, is_trouble) {
            text.push_str(&behind(&format!("  {}  ", pad("do", width)), &shown::line(next), style.room()));
        }
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
