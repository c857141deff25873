//! How large the terminal is.

/// Columns and rows of the terminal; the usual ones where there is none.
pub(crate) fn terminal_size() -> (usize, usize) {
    terminal_size::terminal_size().map_or((80, 24), |(width, height)| (width.0.into(), height.0.into()))
}
