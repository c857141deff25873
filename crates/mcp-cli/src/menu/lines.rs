//! Lines of a page, as wide as they may be.

use super::look::{Paint, Text};
use crate::view::shown;
use crate::view::wrap::wrap;

/// Where values stand behind their labels.
const LABEL: usize = 10;
/// A page that is narrower has its values below their labels.
const BESIDE: usize = 36;

/// Lines of a page as they come.
#[derive(Debug)]
pub(super) struct PageLines {
    width: usize,
    pub(super) lines: Vec<Text>,
}

impl PageLines {
    pub(super) fn new(width: usize) -> Self {
        Self { width: width.max(1), lines: Vec::new() }
    }

    pub(super) fn blank(&mut self) {
        self.lines.push(Text::default());
    }

    /// One line with its blanks, broken only where it has to be.
    pub(super) fn kept(&mut self, line: &str) {
        self.lines
            .extend(broken(line, self.width.max(2)).into_iter().map(|line| Text::of(line, Paint::Plain)));
    }

    pub(super) fn text(&mut self, text: &str, paint: Paint) {
        self.lines.extend(fold(text, self.width).into_iter().map(|line| Text::of(line, paint)));
    }

    pub(super) fn indented(&mut self, text: &str) {
        let lines = fold(text, self.width.saturating_sub(2));
        self.lines.extend(lines.into_iter().map(|line| Text::of(format!("  {line}"), Paint::Plain)));
    }

    pub(super) fn labelled(&mut self, label: &str, value: &str) {
        if self.width < BESIDE {
            if !label.is_empty() {
                self.text(label, Paint::Dim);
            }
            return self.indented(value);
        }
        for (number, line) in fold(value, self.width - LABEL).into_iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            self.lines.push(Text::of(shown::pad(label, LABEL), Paint::Dim).and(line, Paint::Plain));
        }
    }
}

/// `text` in lines of at most this width: broken at words, and within a word that is longer.
pub(super) fn fold(text: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let mut lines = Vec::new();
    for line in wrap(text, width) {
        lines.extend(broken(&line, width));
    }
    lines
}

/// `line` in pieces of at most this width.
fn broken(line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut own, mut used) = (String::new(), 0);
    for c in line.chars() {
        let room = mcp_text::width(c.encode_utf8(&mut [0; 4]));
        if used + room > width {
            lines.push(std::mem::take(&mut own));
            used = 0;
        }
        own.push(c);
        used += room;
    }
    lines.push(own);
    lines
}
