//! `mcplink status --watch`: holds a connection to each server and shows how they are: a table that is redrawn in place on a
//! terminal, a line for each change in a pipe, and one of JSON with `--json`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use mcp_status::{ReasonCode, ServerStatus};
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live::watched::{Intervals, ServerView, WatchedServers};
use crate::signals::{self, Terminal, TerminalEvent};
use crate::view::overview::{Overview, OverviewLine, aside};
use crate::view::row::Row;
use crate::view::shown;
use crate::view::text::{self, Style};
use crate::view::time::{clock, rfc3339};

const SPINNER: [&str; 4] = ["⠋", "⠹", "⠼", "⠧"];

/// Runs until it is interrupted.
pub(super) async fn run(app: &Arc<App>, names: &[String]) -> Result<ExitStatus, CliError> {
    let watched = WatchedServers::start(app, names, Intervals::watch()).await?;
    if !app.json && app.output.draws() { table(app, watched).await } else { lines(app, watched).await }
}

/// One change, as a line: what a server is now, or that it is gone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change<'a> {
    schema_version: u32,
    checked_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<&'a Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<&'a str>,
}

impl<'a> Change<'a> {
    fn now(server: Option<&'a Row>, removed: Option<&'a str>) -> Self {
        Self { schema_version: 1, checked_at: rfc3339(SystemTime::now()), server, removed }
    }
}

/// What a change is told by. A connection that was lost and made again between two looks is one, and so is a session that
/// comes, goes or fares otherwise.
#[derive(Eq, PartialEq)]
struct RowKey {
    status: Option<ServerStatus>,
    reason: Option<ReasonCode>,
    connection: Option<u64>,
    sessions: Vec<(u32, String)>,
}

impl RowKey {
    fn of(seen: &ServerView) -> Self {
        let row = &seen.row;
        Self {
            status: row.status,
            reason: row.reason().map(|reason| reason.code),
            connection: seen.connection,
            sessions: row
                .sessions
                .iter()
                .map(|session| (session.session, session.status.to_string()))
                .collect(),
        }
    }
}

async fn lines(app: &App, mut watched: WatchedServers) -> Result<ExitStatus, CliError> {
    let mut last: HashMap<String, RowKey> = HashMap::new();
    loop {
        let event = watched.next_event().await;
        watched.apply(event).await;
        let seen = watched.seen();
        last.retain(|name, _| {
            let stays = seen.iter().any(|seen| seen.row.name == *name);
            if !stays {
                tell_removed(app, name);
            }
            stays
        });
        let width = text::name_width(seen.iter().map(|seen| seen.row.name.as_str()));
        for seen in seen.iter().filter(|seen| seen.is_known) {
            let (row, now) = (&seen.row, RowKey::of(seen));
            if last.get(&row.name) == Some(&now) {
                continue;
            }
            last.insert(row.name.clone(), now);
            if app.json {
                app.print_json_line(&Change::now(Some(row), None));
            } else {
                app.output.out(&dated(|style| text::status_lines(row, width, style), app.style()));
            }
        }
        if app.output.is_over() {
            // It is not read any more, or could not be.
            watched.close().await;
            return Ok(ExitStatus::Success);
        }
    }
}

fn tell_removed(app: &App, name: &str) {
    if app.json {
        app.print_json_line(&Change::now(None, Some(name)));
    } else {
        app.output.out(&dated(|_| format!("{}  no longer configured\n", shown::name(name)), app.style()));
    }
}

/// The time, and beside it the lines that `draw` makes for what is left of the width.
fn dated(draw: impl Fn(Style) -> String, style: Style) -> String {
    beside(&rfc3339(SystemTime::now()), draw, style)
}

fn beside(time: &str, draw: impl Fn(Style) -> String, style: Style) -> String {
    let margin = time.chars().count() + 2;
    let lines = draw(Style { columns: style.columns.saturating_sub(margin), ..style });
    let begin = |number: usize| if number == 0 { format!("{time}  ") } else { " ".repeat(margin) };
    lines.lines().enumerate().map(|(number, line)| format!("{}{line}\n", begin(number))).collect()
}

async fn table(app: &App, watched: WatchedServers) -> Result<ExitStatus, CliError> {
    let mut picture = ScreenTable { app, watched, ticks: 0, painted: Vec::new() };
    let mut terminal = Terminal::new();
    loop {
        picture.paint();
        if app.output.is_over() {
            return Ok(ExitStatus::Success);
        }
        tokio::select! {
            event = picture.watched.next_event() => picture.watched.apply(event).await,
            moved = terminal.moved() => {
                // What is there by now is not what was painted.
                picture.painted.clear();
                if moved == TerminalEvent::Stopped {
                    app.output.clear();
                    signals::stop();
                }
            }
        }
    }
}

/// The table on the terminal. What it showed last stays there when it goes.
struct ScreenTable<'a> {
    app: &'a App,
    watched: WatchedServers,
    ticks: usize,
    painted: Vec<String>,
}

impl ScreenTable<'_> {
    fn paint(&mut self) {
        self.ticks += 1;
        let (style, (_, rows)) = (self.app.style(), self.app.terminal_size());
        let lines = self.with_overview(|overview| overview.fitted(style, rows));
        if lines != self.painted {
            self.app.output.paint(&lines);
            self.painted = lines;
        }
    }

    fn with_overview<T>(&self, draw: impl FnOnce(&Overview<'_>) -> T) -> T {
        let (seen, now) = (self.watched.seen(), SystemTime::now());
        let spinner = SPINNER[self.ticks % SPINNER.len()];
        let line = |seen: &'_ ServerView| -> (Option<String>, Option<&'static str>) {
            let since = seen.is_known.then(|| format!("since {}", clock(seen.since, now)));
            (since, (!seen.is_known).then_some(spinner))
        };
        let lines = seen.iter().map(|seen| {
            let (since, spinner) = line(seen);
            OverviewLine { row: &seen.row, since, spinner }
        });
        let folder = self.app.directory().ok();
        draw(&Overview {
            lines: lines.collect(),
            aside: aside(folder.as_deref(), None),
            problems: self.watched.problems(),
            foot: vec!["times are UTC".to_owned(), "Ctrl-C ends".to_owned()],
        })
    }
}

impl Drop for ScreenTable<'_> {
    fn drop(&mut self) {
        let style = self.app.style();
        let text = self.with_overview(|overview| overview.text(style));
        self.app.output.out(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_below_the_first_stand_below_it() {
        let style = Style { terminal: true, color: false, columns: 10 };
        assert_eq!(beside("now", |style| format!("a {}\nb\n", style.columns), style), "now  a 5\n     b\n");
    }
}
