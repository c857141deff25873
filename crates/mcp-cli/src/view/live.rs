//! What is drawn on a terminal and goes away again: the table that a person looks at while servers connect, with one line per
//! server and a spinner on each that is not known yet.
//!
//! What a frame shows is a pure function of the state ([`LiveTable::frame`]). [`FullScreen`] knows how it comes and goes;
//! [`Output`](crate::output::Output) has the only one, so that whatever else is written takes it away first.
//!
//! It is drawn on the screen that a terminal keeps for that. On the usual one nothing can be taken away for certain: a terminal that
//! becomes narrower wraps what is there again before a program is told, and pushes what has no room into its history,
//! where no program reaches it.

use super::overview::summary;
use super::text::{Style, status_lines};
use super::wrap::cut;
use crate::view::row::Row;
use crate::view::shown;

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// The state of the table.
#[derive(Debug)]
pub(crate) struct LiveTable {
    entries: Vec<Entry>,
    width: usize,
    style: Style,
    /// The rows of the terminal.
    rows: usize,
    tick: usize,
}

#[derive(Debug)]
struct Entry {
    name: String,
    note: String,
    done: Option<Row>,
}

impl LiveTable {
    /// A table of these servers, none known yet, on a terminal of this many columns and rows.
    pub(crate) fn new(names: &[String], width: usize, style: Style, rows: usize) -> Self {
        let entries = names
            .iter()
            .map(|name| Entry { name: shown::name(name), note: "connecting".to_owned(), done: None })
            .collect();
        Self { entries, width, style, rows, tick: 0 }
    }

    /// The server at `index` is still under way, and this is why.
    pub(crate) fn note(&mut self, index: usize, note: &str) {
        self.entries[index].note = shown::line(note);
    }

    /// The server at `index` is known.
    pub(crate) fn done(&mut self, index: usize, row: Row) {
        self.entries[index].done = Some(row);
    }

    /// The terminal has this size now: columns and rows.
    pub(crate) fn resize(&mut self, (columns, rows): (usize, usize)) {
        self.rows = rows;
        self.style.columns = columns;
    }

    /// The lines of the next picture, none of which is wider than the terminal, and no more than it has rows.
    ///
    /// Where not all of it fits, those that are still under way are shown as far as they do, and one line counts the others.
    /// What is cut here, such as a long command, is in the end in full.
    pub(crate) fn frame(&mut self) -> Vec<String> {
        self.tick += 1;
        let columns = self.style.columns;
        let all: String = self.entries.iter().map(|entry| self.line(entry)).collect();
        let all: Vec<String> = all.lines().map(|line| cut(line, columns)).collect();
        if all.len() <= self.rows {
            return all;
        }
        let open: Vec<&Entry> = self.entries.iter().filter(|entry| entry.done.is_none()).collect();
        let room = self.rows.saturating_sub(1);
        let shown = open.iter().take(room).map(|entry| cut(self.line(entry).trim_end(), columns));
        let mut lines: Vec<String> = shown.collect();
        let more = open.len().saturating_sub(room);
        let known: Vec<&Row> = self.entries.iter().filter_map(|entry| entry.done.as_ref()).collect();
        let parts = [
            (more > 0).then(|| format!("{more} more connecting")),
            (!known.is_empty()).then(|| format!("known are {}", summary(known.iter().copied()))),
        ];
        let text = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
        lines.push(mcp_text::line(&format!("{} {text}", self.spinner()), columns));
        lines
    }

    fn spinner(&self) -> &'static str {
        SPINNER[self.tick % SPINNER.len()]
    }

    /// One server: as it will stay, or a line that fits.
    fn line(&self, entry: &Entry) -> String {
        if let Some(row) = &entry.done {
            return status_lines(row, self.width, self.style);
        }
        let room = self.style.columns.saturating_sub(2);
        let name = shown::pad(&mcp_text::line(&entry.name, room), self.style.aligned(self.width));
        let left = room.saturating_sub(mcp_text::width(&name) + 2);
        let note = if left < 3 { String::new() } else { mcp_text::line(&entry.note, left) };
        let note = if note.is_empty() { note } else { format!("  {}", self.style.dim(&note)) };
        let name = if note.is_empty() { name.trim_end() } else { &name };
        format!("{} {}{note}\n", self.spinner(), self.style.bold(name))
    }
}

/// A picture that has the terminal to itself, on the screen that terminals keep for that, so that what was there before
/// comes back when it goes, whatever became of the window.
#[derive(Debug, Default)]
pub(crate) struct FullScreen {
    is_there: bool,
}

impl FullScreen {
    /// What to write to show these lines and nothing else. No line is wider than the terminal, and all fit.
    pub(crate) fn paint(&mut self, lines: &[String]) -> String {
        let enter = if std::mem::replace(&mut self.is_there, true) { "" } else { TAKE };
        // Each line is erased behind what is written, so that nothing flickers.
        format!("{enter}\u{1b}[H{}\u{1b}[K\u{1b}[J", lines.join("\u{1b}[K\r\n"))
    }

    /// Whether it has the terminal now.
    pub(crate) fn is_there(&self) -> bool {
        self.is_there
    }

    /// What brings the terminal back as it was.
    pub(crate) fn leave(&mut self) -> &'static str {
        if std::mem::take(&mut self.is_there) { GIVE_BACK } else { "" }
    }
}

/// The other screen, without a cursor, empty.
const TAKE: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[H\u{1b}[J";
/// The usual screen, with a cursor. Ours is emptied first: a terminal whose window became another one meanwhile may put what was there
/// over it, and leave of ours what that does not cover.
const GIVE_BACK: &str = "\u{1b}[H\u{1b}[J\u{1b}[?25h\u{1b}[?1049l";

#[cfg(test)]
mod tests;
