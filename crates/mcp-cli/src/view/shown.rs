//! How much of a text that comes from elsewhere is shown, and how wide it is on a terminal.
//!
//! What of it may be shown is decided in [`mcp_text`]; here is only the room that it has.

/// The room of a sentence or a value, in columns.
const SENTENCE: usize = 2_000;
/// The room of a cell of a table, in columns: one long cell must not widen each line of it.
const CELL: usize = 60;
/// The room of what a person types again; the specification suggests 128 for the name of a tool (2025-11-25, tools).
const KEY: usize = 200;

/// A sentence or a value: one line.
pub(crate) fn line(text: &str) -> String {
    mcp_text::line(text, SENTENCE)
}

/// A cell of a table, cut before it is measured.
pub(crate) fn cell(text: &str) -> String {
    mcp_text::line(text, CELL)
}

/// The name of a server: no other one looks the same. A person types it again.
pub(crate) fn name(text: &str) -> String {
    // One without letters would not be there.
    if text.is_empty() { "\"\"".to_owned() } else { mcp_text::name(text, KEY) }
}

/// What a person types again, such as the name of a tool: not cut unless it is absurd, and never aligned beyond a cell.
pub(crate) fn key(text: &str) -> String {
    mcp_text::line(text, KEY)
}

/// `text` as one line without these secrets: cleaned before it is searched and searched before it is cut, so that no half
/// of one is left. What only looks like a credential stays, for it may be an example.
pub(crate) fn without(secrets: &mcp_text::Secrets, text: &str) -> String {
    secrets.hide_known(&mcp_text::line(text, usize::MAX)).into_owned()
}

/// `text` with blanks behind it up to `width` columns.
pub(crate) fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(mcp_text::width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// How far `cells` are aligned: the columns of the widest, and no more than a cell has.
pub(crate) fn widest<'a>(cells: impl Iterator<Item = &'a str>) -> usize {
    cells.map(mcp_text::width).max().unwrap_or(0).min(CELL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_k3_a_cell_is_cut_and_padded_by_what_a_terminal_shows() {
        assert_eq!(pad(&cell("日本"), 6), "日本  ");
        assert_eq!(pad(&cell("e\u{301}"), 3), "e\u{301}  ", "a combining mark takes no column");
        for long in
            ["x".repeat(1 << 20), "日".repeat(1 << 20), "e\u{301}".repeat(1 << 20), "\u{301}".repeat(1 << 20)]
        {
            let cut = cell(&long);
            assert!(mcp_text::width(&cut) <= 60 && cut.len() <= 1_000, "{} bytes", cut.len());
        }
    }
}
