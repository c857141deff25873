//! What is drawn on a terminal and goes away again: the table that a person looks at while servers connect, with one line per
//! server and a spinner on each that is not known yet, redrawn in place; and a picture that has the terminal to itself.
//!
//! What a frame shows is a pure function of the state ([`LiveTable::frame`]). [`DrawnFrame`] and [`FullScreen`] know what is on the
//! screen and how it goes away again; [`Output`](crate::output::Output) has the only ones, so that whatever else is written takes
//! it away first.

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

    /// The next frame, which goes away in the end.
    ///
    /// Where all of it would take more than half of the terminal, those that are still under way are shown as far as they fit,
    /// and one line counts the others: nothing reaches above the top of the screen.
    pub(crate) fn frame(&mut self) -> Frame {
        self.tick += 1;
        // Half of the screen: a terminal that becomes half as wide still has it all.
        let room = self.rows.max(4).div_ceil(2);
        let all: String = self.entries.iter().map(|entry| self.line(entry)).collect();
        // A line that wraps is as many rows as the terminal is told of too late while its window is dragged. What is cut
        // here, such as a long command, stands in the end in full.
        let all: String = all.lines().map(|line| cut(line, self.style.columns) + "\n").collect();
        if screen_rows(&all, self.style.columns) < room {
            return Frame { stays: String::new(), live: all };
        }
        let open: Vec<&Entry> = self.entries.iter().filter(|entry| entry.done.is_none()).collect();
        let mut live: String =
            open.iter().take(room.saturating_sub(2)).map(|entry| self.line(entry)).collect();
        let more = open.len().saturating_sub(room.saturating_sub(2));
        let known: Vec<&Row> = self.entries.iter().filter_map(|entry| entry.done.as_ref()).collect();
        let parts = [
            (more > 0).then(|| format!("{more} more connecting")),
            (!known.is_empty()).then(|| format!("known are {}", summary(known.iter().copied()))),
        ];
        let text = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let text = format!("{} {text}", self.spinner());
        live.push_str(&format!("{}\n", mcp_text::line(&text, self.style.columns)));
        Frame { stays: String::new(), live }
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

/// What of a frame is on the screen.
#[derive(Debug, Default)]
pub(crate) struct DrawnFrame(String);

impl DrawnFrame {
    /// What to write to show `frame` in place of what is drawn, on a terminal of this many columns now.
    pub(crate) fn replace(&mut self, frame: Frame, columns: usize) -> String {
        let text = format!("{}{}{}", self.erase(columns), frame.stays, frame.live);
        self.0 = frame.live;
        text
    }

    /// Whether anything of it is.
    pub(crate) fn is_there(&self) -> bool {
        !self.0.is_empty()
    }

    /// What removes it from the screen. Its rows are counted now: a terminal that became narrower since has wrapped them
    /// again. They are erased one by one: a terminal that is told to erase all from its first row on, as tmux is, may keep a
    /// copy in its history, which would be one of each frame.
    pub(crate) fn erase(&mut self, columns: usize) -> String {
        match screen_rows(&std::mem::take(&mut self.0), columns) {
            0 => String::new(),
            rows => format!("\r{}", ROW_AWAY.repeat(rows)),
        }
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

/// Up one row, which is erased.
const ROW_AWAY: &str = "\u{1b}[A\u{1b}[2K";
/// The other screen, without a cursor, empty.
const TAKE: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[H\u{1b}[J";
/// The usual screen, with a cursor.
const GIVE_BACK: &str = "\u{1b}[?25h\u{1b}[?1049l";

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
