//! The table that a person watches while servers connect: one line per server, a spinner on each that is
//! not known yet, redrawn in place.
//!
//! What a frame shows is a pure function of the state ([`LiveTable::frame`]). [`Drawn`] knows what of it is on the screen
//! and how it goes away again; [`Output`](crate::output::Output) has the only one, so that whatever else is written takes
//! the frame away first.

use super::text::{Style, status_lines};
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
    printed: bool,
}

/// What to write next.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Frame {
    /// Ordinary output, which stays.
    pub(crate) stays: String,
    /// What the next frame takes the place of.
    pub(crate) live: String,
}

impl LiveTable {
    /// A table of these servers, none known yet, on a terminal of this many columns and rows.
    pub(crate) fn new(names: &[String], width: usize, style: Style, rows: usize) -> Self {
        let entries = names
            .iter()
            .map(|name| Entry {
                name: shown::name(name),
                note: "connecting".to_owned(),
                done: None,
                printed: false,
            })
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

    /// The next frame.
    ///
    /// Known servers at the top are left behind as ordinary output. Where what is still drawn would take more than half of
    /// the terminal, each server is left behind when it is known, and one line counts the rest: nothing reaches above the top
    /// of the screen any more.
    pub(crate) fn frame(&mut self) -> Frame {
        self.tick += 1;
        let mut frame = Frame::default();
        let mut leading = true;
        for entry in &mut self.entries {
            leading &= entry.printed || entry.done.is_some();
            if leading {
                frame.stays.push_str(&entry.leave(self.width, self.style));
            }
        }
        frame.live = self.open().map(|entry| self.line(entry)).collect();
        // Half of the screen: a terminal that becomes half as wide still has it all, and what is scrolled out of it stays.
        if screen_rows(&frame.live, self.style.columns) * 2 >= self.rows.max(4) {
            for entry in &mut self.entries {
                frame.stays.push_str(&entry.leave(self.width, self.style));
            }
            let text = format!("{} {} more connecting", self.spinner(), self.open().count());
            frame.live = format!("{}\n", mcp_text::line(&text, self.style.columns));
        }
        frame
    }

    fn open(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.printed)
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
        let line = format!("{} {}  {}", self.spinner(), self.style.bold(&name), self.style.dim(&note));
        format!("{}\n", if note.is_empty() { line.trim_end() } else { &line })
    }
}

impl Entry {
    /// The lines that stay of a server that is known and was not left behind before.
    fn leave(&mut self, width: usize, style: Style) -> String {
        match &self.done {
            Some(row) if !self.printed => {
                self.printed = true;
                status_lines(row, width, style)
            }
            _ => String::new(),
        }
    }
}

/// What of a frame is on the screen.
#[derive(Debug, Default)]
pub(crate) struct Drawn(String);

impl Drawn {
    /// What to write to show `frame` in place of what is drawn, on a terminal of this many columns now.
    pub(crate) fn replace(&mut self, frame: Frame, columns: usize) -> String {
        let text = format!("{}{}{}", self.erase(columns), frame.stays, frame.live);
        self.0 = frame.live;
        text
    }

    /// What removes it from the screen. Its rows are counted now: a terminal that became narrower since has wrapped them
    /// anew.
    pub(crate) fn erase(&mut self, columns: usize) -> String {
        match screen_rows(&std::mem::take(&mut self.0), columns) {
            0 => String::new(),
            rows => format!("\u{1b}[{rows}A\r\u{1b}[J"),
        }
    }
}

/// How many rows of a terminal `text` takes, whose lines all end in a line break. Long lines wrap where a character does not fit
/// any more, which for a wide one is a column earlier; escape sequences of ours, which all end in a letter, take no room.
fn screen_rows(text: &str, columns: usize) -> usize {
    text.lines().map(|line| rows_of_line(line, columns.max(1))).sum()
}

fn rows_of_line(line: &str, columns: usize) -> usize {
    let (mut rows, mut used, mut escaped) = (1, 0, false);
    for c in line.chars() {
        match (escaped, c) {
            (false, '\u{1b}') => escaped = true,
            (true, 'a'..='z' | 'A'..='Z') => escaped = false,
            (true, _) => {}
            (false, _) => {
                let width = mcp_text::width(c.encode_utf8(&mut [0; 4]));
                if used + width > columns && used > 0 {
                    rows += 1;
                    used = 0;
                }
                used += width;
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests;
