//! A model of a terminal's screen: what a person sees of what a program wrote, at any width, and when the width changes on
//! the way.
//!
//! It knows what `mcplink` and a shell write: text in all widths, `\r`, `\n`, cursor up, erasing, colours, the other screen that
//! a program can have to itself. Anything else panics, so that a test cannot pass over what it does not understand. Lines that are longer than the screen wrap, and wrap again when it
//! changes its size, as in most terminals of today.

use unicode_width::UnicodeWidthChar as _;

/// A screen with everything that was scrolled out of it.
#[derive(Clone, Debug)]
pub struct Screen {
    columns: usize,
    rows: usize,
    /// The lines as they were ended by `\n`.
    lines: Lines,
    /// Line, and cell in it.
    at: (usize, usize),
    /// The start of a sequence whose rest has not arrived.
    rest: String,
    hides_cursor: bool,
    /// The lines that an erasing sent to the history.
    history: usize,
    /// The usual screen, while a program has the other one.
    usual: Option<(Lines, (usize, usize))>,
}

type Lines = Vec<Vec<Cell>>;

/// What stands at one place: a character, and what joins it without a column of its own.
#[derive(Clone, Debug)]
struct Cell {
    text: String,
    width: usize,
}

/// A row as it is seen: its line, and the cells of it.
#[derive(Clone, Copy, Debug)]
struct Row {
    line: usize,
    begin: usize,
    end: usize,
}

impl Screen {
    /// An empty screen.
    #[must_use]
    pub fn new(columns: usize, rows: usize) -> Self {
        Self {
            columns,
            rows,
            lines: vec![Vec::new()],
            at: (0, 0),
            rest: String::new(),
            hides_cursor: false,
            history: 0,
            usual: None,
        }
    }

    /// What the screen shows after a program wrote `text` to it.
    #[must_use]
    pub fn of(text: &str, columns: usize, rows: usize) -> Self {
        let mut screen = Self::new(columns, rows);
        screen.feed(text);
        screen
    }

    /// The person drags the edge of the window. Empty rows below the cursor make room first.
    pub fn resize(&mut self, columns: usize, rows: usize) {
        while self.lines.len() > self.at.0 + 1 && self.lines.last().is_some_and(Vec::is_empty) {
            self.lines.pop();
        }
        (self.columns, self.rows) = (columns, rows);
    }

    /// A program writes `text`.
    ///
    /// # Panics
    ///
    /// On what is not known here.
    pub fn feed(&mut self, text: &str) {
        let text = std::mem::take(&mut self.rest) + text;
        let mut chars = text.char_indices();
        while let Some((begin, c)) = chars.next() {
            match c {
                '\u{1b}' => {
                    let tail = &text[begin..];
                    let Some(end) = tail.char_indices().skip(2).find(|(_, c)| c.is_ascii_alphabetic()) else {
                        self.rest = tail.to_owned();
                        return;
                    };
                    let sequence = &tail[..=end.0];
                    self.act(sequence);
                    let rest = sequence.chars().count() - 1;
                    let _ = chars.by_ref().nth(rest - 1);
                }
                '\r' => self.at.1 = self.row_of_cursor().1.begin,
                '\n' => self.down(),
                '\t' => {
                    let row = self.row_of_cursor().1;
                    self.move_to(row, self.column() / 8 * 8 + 8);
                }
                c => self.print(c),
            }
        }
    }

    /// Whether it is as a person had it: the usual screen, and a cursor to be seen.
    #[must_use]
    pub fn is_as_usual(&self) -> bool {
        self.usual.is_none() && !self.hides_cursor
    }

    /// Every row from the first one on, without the blanks at its end.
    #[must_use]
    pub fn text(&self) -> Vec<String> {
        let shown = |row: &Row| {
            let cells = &self.lines[row.line][row.begin..row.end];
            cells.iter().map(|cell| cell.text.as_str()).collect::<String>().trim_end().to_owned()
        };
        let mut rows: Vec<String> = self.layout().iter().map(shown).collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }

    fn act(&mut self, sequence: &str) {
        let body = &sequence[2..sequence.len() - 1];
        let number = body.parse::<usize>();
        match (&sequence[..2], sequence.chars().last(), number) {
            ("\u{1b}[", Some('m'), _) => {}
            ("\u{1b}[", Some(on @ ('h' | 'l')), _) if body == "?25" => self.hides_cursor = on == 'l',
            ("\u{1b}[", Some('h'), _) if body == "?1049" => {
                let usual = (std::mem::replace(&mut self.lines, vec![Vec::new()]), self.at);
                // To take it twice is no more than once.
                self.usual.get_or_insert(usual);
                self.at = (0, 0);
            }
            ("\u{1b}[", Some('l'), _) if body == "?1049" => {
                if let Some(usual) = self.usual.take() {
                    (self.lines, self.at) = usual;
                }
            }
            // Only on the other screen is the first row the first line.
            ("\u{1b}[", Some('H'), _) if body.is_empty() && self.usual.is_some() => self.at = (0, 0),
            ("\u{1b}[", Some('A'), Ok(rows)) => self.up(rows),
            ("\u{1b}[", Some('A'), _) if body.is_empty() => self.up(1),
            // As tmux has it: what is erased from the first row on is all of the screen, and goes to its history but for the
            // empty rows at its end.
            ("\u{1b}[", Some('J'), _)
                if (body.is_empty() || body == "0") && self.usual.is_none() && self.is_at_top() =>
            {
                while self.lines.last().is_some_and(Vec::is_empty) {
                    self.lines.pop();
                }
                self.history = self.lines.len();
                self.lines.push(Vec::new());
                self.at = (self.history, 0);
            }
            ("\u{1b}[", Some('J'), _) if body.is_empty() || body == "0" => {
                self.lines.truncate(self.at.0 + 1);
                self.lines[self.at.0].truncate(self.at.1);
            }
            ("\u{1b}[", Some('K'), _) if body.is_empty() || body == "0" => {
                let end = self.row_of_cursor().1.end;
                self.lines[self.at.0].drain(self.at.1..end);
            }
            ("\u{1b}[", Some('K'), Ok(2)) => self.empty_row(),
            _ => panic!("a sequence that this screen does not know: {sequence:?}"),
        }
    }

    fn print(&mut self, c: char) {
        assert!(!c.is_control(), "a control character reached the terminal: {c:?}");
        let width = c.width().unwrap_or(0);
        let (line, at) = self.at;
        let cells = &mut self.lines[line];
        if width == 0 {
            if let Some(before) = at.checked_sub(1).and_then(|at| cells.get_mut(at)) {
                before.text.push(c);
            }
            return;
        }
        let cell = Cell { text: c.to_string(), width };
        match cells.get_mut(at) {
            Some(known) => *known = cell,
            None => cells.push(cell),
        }
        self.at.1 += 1;
    }

    fn down(&mut self) {
        let column = self.column();
        let (index, row) = self.row_of_cursor();
        let next = self.layout().get(index + 1).copied();
        match next.filter(|next| next.line == row.line) {
            Some(next) => self.move_to(next, column),
            None => {
                self.at = (row.line + 1, 0);
                if self.at.0 == self.lines.len() {
                    self.lines.push(Vec::new());
                }
                let row = self.row_of_cursor().1;
                self.move_to(row, column);
            }
        }
    }

    fn up(&mut self, rows: usize) {
        let column = self.column();
        let (index, _) = self.row_of_cursor();
        // The cursor does not leave the screen.
        let row = self.layout()[index.saturating_sub(rows).max(self.top().min(index))];
        self.move_to(row, column);
    }

    /// The first row of the screen; what stands above it is history.
    fn top(&self) -> usize {
        let layout = self.layout();
        let history = layout.iter().take_while(|row| row.line < self.history).count();
        layout.len().saturating_sub(self.rows).max(history)
    }

    fn is_at_top(&self) -> bool {
        let (index, row) = self.row_of_cursor();
        index == self.top() && row.begin == self.at.1
    }

    /// The row of the cursor becomes empty, and is part of no longer line any more.
    fn empty_row(&mut self) {
        let column = self.column();
        let row = self.row_of_cursor().1;
        let behind = self.lines[row.line].split_off(row.end);
        self.lines[row.line].truncate(row.begin);
        let mut own = row.line;
        if row.begin > 0 {
            own += 1;
            self.lines.insert(own, Vec::new());
        }
        if !behind.is_empty() {
            self.lines.insert(own + 1, behind);
        }
        self.move_to(Row { line: own, begin: 0, end: 0 }, column);
    }

    fn move_to(&mut self, row: Row, column: usize) {
        self.at = (row.line, row.begin);
        // Blanks make up for what a line does not have.
        while self.column() < column {
            if self.at.1 == self.lines[row.line].len() {
                self.lines[row.line].push(Cell { text: " ".to_owned(), width: 1 });
            }
            self.at.1 += 1;
        }
    }

    fn column(&self) -> usize {
        let row = self.row_of_cursor().1;
        self.lines[row.line][row.begin..self.at.1].iter().map(|cell| cell.width).sum()
    }

    fn row_of_cursor(&self) -> (usize, Row) {
        let (line, at) = self.at;
        let layout = self.layout();
        let here = |row: &Row| row.line == line && row.begin <= at;
        let index = layout.iter().rposition(here).unwrap_or_default();
        // Behind the last column the cursor stays on its row until something is printed.
        let index = match layout.get(index) {
            Some(row) if row.begin == at && row.begin > 0 && row.begin == row.end => index - 1,
            _ => index,
        };
        (index, layout[index])
    }

    fn layout(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (line, cells) in self.lines.iter().enumerate() {
            let (mut begin, mut used) = (0, 0);
            for (at, cell) in cells.iter().enumerate() {
                if used + cell.width > self.columns && at > begin {
                    rows.push(Row { line, begin, end: at });
                    (begin, used) = (at, 0);
                }
                used += cell.width;
            }
            rows.push(Row { line, begin, end: cells.len() });
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wrap_by_what_a_terminal_shows_and_wrap_again() {
        let mut screen = Screen::of("abcdef\r\n日本語x\r\n", 4, 10);
        assert_eq!(screen.text(), ["abcd", "ef", "日本", "語x"]);
        screen.resize(3, 10);
        assert_eq!(screen.text(), ["abc", "def", "日", "本", "語x"]);
        screen.resize(80, 10);
        assert_eq!(screen.text(), ["abcdef", "日本語x"]);
    }

    #[test]
    fn what_is_drawn_is_erased_by_the_rows_that_it_takes() {
        let mut screen = Screen::of("$ run\r\nabcdef\r\n", 4, 10);
        screen.feed("\u{1b}[2A\r\u{1b}[Jdone\u{1b}[1m!\u{1b}");
        screen.feed("[0m\r\n");
        assert_eq!(screen.text(), ["$ ru", "n", "done", "!"]);
        let mut screen = Screen::of("a\r\nb\r\nc\r\nd\r\n", 4, 2);
        screen.feed("\u{1b}[9A\u{1b}[2Kx");
        assert_eq!(screen.text(), ["a", "b", "c", "x"], "nothing above the screen is reached");
        screen.feed("\r\u{1b}[Jy");
        assert_eq!(screen.text(), ["a", "b", "c", "x", "y"], "all of a screen goes to its history");
        let mut screen = Screen::of("abcdefghi\r\nj\r\n", 3, 10);
        screen.feed("\u{1b}[3A\u{1b}[2K");
        assert_eq!(screen.text(), ["abc", "", "ghi", "j"], "a row, and not its line");
        screen.resize(80, 10);
        assert_eq!(screen.text(), ["abc", "", "ghi", "j"]);
        assert_eq!(Screen::of("abc\rx\tz\u{301}", 20, 2).text(), ["xbc     z\u{301}"]);
        assert_eq!(Screen::of("abcd\r\ne", 4, 3).text(), ["abcd", "e"], "a full line is one row");
    }

    #[test]
    fn the_other_screen_goes_as_it_came() {
        let mut screen = Screen::of("$ run\r\n", 10, 4);
        screen.feed("\u{1b}[?1049h\u{1b}[?25l\u{1b}[H\u{1b}[Jone\r\ntwo\u{1b}[Hx");
        assert_eq!((screen.text(), screen.is_as_usual()), (vec!["xne".to_owned(), "two".to_owned()], false));
        screen.feed("\u{1b}[?1049l");
        assert_eq!((screen.text(), screen.is_as_usual()), (vec!["$ run".to_owned()], false), "no cursor");
        screen.feed("\u{1b}[?25hdone");
        assert_eq!(
            (screen.text(), screen.is_as_usual()),
            (vec!["$ run".to_owned(), "done".to_owned()], true)
        );
    }

    #[test]
    #[should_panic(expected = "does not know")]
    fn what_it_does_not_know_it_does_not_pass_over() {
        Screen::new(4, 4).feed("\u{1b}[2J");
    }
}
