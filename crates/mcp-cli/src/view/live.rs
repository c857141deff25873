//! The table that a person watches while servers connect: one line per server, a spinner on each that is
//! not known yet, redrawn in place.
//!
//! Drawing is a pure function of the state ([`LiveTable::frame`]); the caller writes what it returns.

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
    /// The size of the terminal in columns and rows.
    size: (usize, usize),
    /// What is on the screen and will be replaced by the next frame.
    drawn: String,
    tick: usize,
}

#[derive(Debug)]
struct Entry {
    name: String,
    note: String,
    done: Option<String>,
    printed: bool,
}

impl LiveTable {
    /// A table of these servers, none known yet.
    pub(crate) fn new(names: &[String], width: usize, style: Style, size: (usize, usize)) -> Self {
        let entries = names
            .iter()
            .map(|name| Entry {
                name: shown::name(name),
                note: "connecting".to_owned(),
                done: None,
                printed: false,
            })
            .collect();
        Self { entries, width, style, size, drawn: String::new(), tick: 0 }
    }

    /// The server at `index` is still under way, and this is why.
    pub(crate) fn note(&mut self, index: usize, note: &str) {
        self.entries[index].note = shown::line(note);
    }

    /// The server at `index` is known.
    pub(crate) fn done(&mut self, index: usize, row: &Row) {
        self.entries[index].done = Some(status_lines(row, self.width, self.style));
    }

    /// The terminal has this size now: columns and rows.
    pub(crate) fn resize(&mut self, size: (usize, usize)) {
        self.size = size;
        self.style.columns = size.0;
    }

    /// The next frame: what to write so that the screen shows the present state.
    ///
    /// Known servers at the top are left behind as ordinary output. Where more servers are under way than the
    /// terminal has lines, each is left behind when it is known, and one line counts the rest: a redraw
    /// cannot reach above the top of the screen.
    pub(crate) fn frame(&mut self) -> String {
        self.tick += 1;
        let mut text = self.erase();
        let open = self.entries.iter().filter(|entry| !entry.printed).count();
        let crowded = open * 2 >= self.size.1;
        let mut leading = true;
        for entry in self.entries.iter_mut().filter(|entry| !entry.printed) {
            leading &= entry.done.is_some();
            if let Some(lines) = entry.done.as_ref().filter(|_| leading || crowded) {
                text.push_str(lines);
                entry.printed = true;
            }
        }
        let spinner = SPINNER[self.tick % SPINNER.len()];
        let mut live = String::new();
        if crowded {
            let waiting = self.entries.iter().filter(|entry| entry.done.is_none()).count();
            if waiting > 0 {
                live.push_str(&format!("{spinner} {waiting} more connecting\n"));
            }
        } else {
            for entry in self.entries.iter().filter(|entry| !entry.printed) {
                match &entry.done {
                    Some(lines) => live.push_str(lines),
                    None => {
                        let missing = self.width.saturating_sub(mcp_text::width(&entry.name));
                        let note = self.cut(&entry.note);
                        live.push_str(&format!(
                            "{spinner} {}{}  {}\n",
                            self.style.bold(&entry.name),
                            " ".repeat(missing),
                            self.style.dim(&note)
                        ));
                    }
                }
            }
        }
        text.push_str(&live);
        self.drawn = live;
        text
    }

    /// What removes the lines of the last frame from the screen.
    pub(crate) fn erase(&mut self) -> String {
        // Counted now: a terminal that became narrower since has wrapped the lines anew.
        match screen_lines(&std::mem::take(&mut self.drawn), self.size.0) {
            0 => String::new(),
            lines => format!("\u{1b}[{lines}A\r\u{1b}[J"),
        }
    }

    /// A note that fits behind the name, so that a spinner line never wraps.
    fn cut(&self, note: &str) -> String {
        let room = self.size.0.saturating_sub(self.width + 5);
        mcp_text::line(note, room)
    }
}

/// How many lines of a terminal `text` takes, long lines wrapped and escape sequences not counted.
fn screen_lines(text: &str, columns: usize) -> usize {
    text.lines().map(|line| visible_width(line).div_ceil(columns.max(1)).max(1)).sum()
}

/// The columns of a line of ours, whose escape sequences all end in a letter.
fn visible_width(line: &str) -> usize {
    let mut plain = String::with_capacity(line.len());
    let mut escaped = false;
    for c in line.chars() {
        match (escaped, c) {
            (false, '\u{1b}') => escaped = true,
            (true, 'a'..='z' | 'A'..='Z') => escaped = false,
            (true, _) => {}
            (false, _) => plain.push(c),
        }
    }
    mcp_text::width(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(names: &[&str], rows: usize) -> LiveTable {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        LiveTable::new(&names, 3, Style { terminal: true, color: false, columns: 40 }, (40, rows))
    }

    fn finish(table: &mut LiveTable, index: usize) {
        table.entries[index].done = Some(format!("✔ {}\n", table.entries[index].name));
    }

    #[test]
    fn each_server_spins_until_it_is_known_and_order_is_kept() {
        let mut table = table(&["a", "b"], 24);
        assert_eq!(table.frame(), "⠙ a    connecting\n⠙ b    connecting\n");
        finish(&mut table, 1);
        assert_eq!(table.frame(), "\u{1b}[2A\r\u{1b}[J⠹ a    connecting\n✔ b\n");
        finish(&mut table, 0);
        assert_eq!(table.frame(), "\u{1b}[2A\r\u{1b}[J✔ a\n✔ b\n");
        assert_eq!(table.frame(), "", "finished lines are never drawn again");
    }

    #[test]
    fn more_servers_than_lines_are_counted_instead_of_drawn() {
        let mut table = table(&["a", "b", "c"], 4);
        assert_eq!(table.frame(), "⠙ 3 more connecting\n");
        finish(&mut table, 2);
        assert_eq!(table.frame(), "\u{1b}[1A\r\u{1b}[J✔ c\n⠹ 2 more connecting\n");
    }

    #[test]
    fn a_terminal_that_became_narrower_is_cleared_of_the_wrapped_lines() {
        let mut table = table(&["abcdefghij"], 24);
        assert_eq!(table.frame(), "⠙ abcdefghij  connecting\n");
        table.resize((12, 24));
        assert!(table.frame().starts_with("\u{1b}[2A\r\u{1b}[J"));
    }

    #[test]
    fn a_long_note_never_wraps() {
        let mut table = table(&["a"], 24);
        table.note(0, &"x".repeat(200));
        let frame = table.frame();
        assert!(visible_width(frame.trim_end()) <= 40, "{frame}");
        assert_eq!(screen_lines("\u{1b}[1mabc\u{1b}[0m\n", 3), 1);
        assert_eq!(screen_lines("abcd\n", 3), 2);
    }
}
