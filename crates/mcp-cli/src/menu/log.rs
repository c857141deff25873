//! The last lines that sessions of a server wrote, as `mcplink logs` shows them.

use super::exchange::{RoomView, Step};
use super::keys::Key;
use super::lines::PageLines;
use super::look::Paint;
use crate::view::shown;

#[derive(Clone, Debug)]
pub(super) struct Log {
    server: String,
    /// `None` until they have been read.
    lines: Option<Vec<String>>,
}

impl Log {
    pub(super) fn new(server: &str) -> Self {
        Self { server: server.to_owned(), lines: None }
    }

    pub(super) fn hear(&mut self, lines: Vec<String>) {
        self.lines = Some(lines);
    }

    pub(super) fn press(key: Key) -> Step {
        match key {
            Key::Escape | Key::Char('l') => Step::Back,
            Key::Char('q') => Step::Quit,
            key => Step::Scroll(key),
        }
    }

    pub(super) fn command(&self) -> String {
        format!("mcplink logs {} -f", mcp_text::shell_word(&self.server))
    }

    pub(super) fn draw(&self, width: usize) -> RoomView {
        let mut page = PageLines::new(width);
        page.text(&format!("log of {}", shown::name(&self.server)), Paint::Bold);
        match &self.lines {
            None => page.text("reading", Paint::Plain),
            Some(lines) if lines.is_empty() => page.text(
                "no session has written anything yet; sessions are made by `mcplink bridge`",
                Paint::Plain,
            ),
            Some(lines) => lines.iter().for_each(|line| page.text(line, Paint::Plain)),
        }
        let last = page.lines.len().saturating_sub(1);
        RoomView { lines: page.lines, focus: (last, 0), mark: 0 }
    }
}
