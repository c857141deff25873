//! The tools of a connected server: a list with the arguments of each, and a filter.

use super::exchange::{RoomView, ServerTools, Step, ToolEntry};
use super::keys::Key;
use super::line::InputLine;
use super::lines::PageLines;
use super::look::{Paint, Text};
use crate::view::shown;
use crate::view::signature::Argument;
use crate::view::text::count_of_tools;
use crate::view::wrap::cut;

/// From here on, what a tool does stands behind its arguments.
const DESCRIBED: usize = 60;

/// The list of tools as it is open.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    server: String,
    /// `None` while they are asked for; the lines of an error where they could not be obtained.
    listed: Option<Result<ServerTools, Vec<String>>>,
    focus: usize,
    filter: InputLine,
    is_typing: bool,
}

impl Tools {
    pub(super) fn new(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            listed: None,
            focus: 0,
            filter: InputLine::default(),
            is_typing: false,
        }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    pub(super) fn hear(&mut self, listed: Result<ServerTools, Vec<String>>) {
        // The same tool keeps the focus.
        let name = self.shown().get(self.focus).map(|tool| tool.name.clone());
        self.listed = Some(listed);
        let at = name.and_then(|name| self.shown().iter().position(|tool| tool.name == name));
        self.focus = at.unwrap_or(self.focus);
        self.keep_focus();
    }

    /// Those that the filter leaves.
    fn shown(&self) -> Vec<&ToolEntry> {
        let wanted = self.filter.text().to_lowercase();
        let listed = self.listed.as_ref().and_then(|listed| listed.as_ref().ok());
        let has = |text: &str| text.to_lowercase().contains(&wanted);
        let tools = listed.map(|listed| listed.tools.iter()).into_iter().flatten();
        tools.filter(|tool| has(&tool.name) || has(&tool.described)).collect()
    }

    fn keep_focus(&mut self) {
        self.focus = self.focus.min(self.shown().len().saturating_sub(1));
    }

    pub(super) fn paste(&mut self, text: &str) {
        if self.is_typing {
            self.filter.insert(text.lines().next().unwrap_or_default());
            self.keep_focus();
        }
    }

    pub(super) fn press(&mut self, key: Key) -> Step {
        let last = self.shown().len().saturating_sub(1);
        match key {
            Key::Escape if self.is_typing || !self.filter.text().is_empty() => {
                self.is_typing = false;
                self.filter.set("");
            }
            Key::Enter if self.is_typing => self.is_typing = false,
            Key::Erase if self.is_typing && self.filter.text().is_empty() => self.is_typing = false,
            key if self.is_typing && self.filter.press(key) => self.focus = 0,
            Key::Escape => return Step::Back,
            Key::Up | Key::Char('k') => self.focus = self.focus.saturating_sub(1),
            Key::Down | Key::Char('j') => self.focus = (self.focus + 1).min(last),
            Key::First => self.focus = 0,
            Key::Last => self.focus = last,
            Key::PageUp => self.focus = self.focus.saturating_sub(10),
            Key::PageDown => self.focus = (self.focus + 10).min(last),
            Key::Char('/') => self.is_typing = true,
            Key::Char('q') => return Step::Quit,
            Key::Enter => {
                if let Some(tool) = self.shown().get(self.focus) {
                    return Step::Open { server: self.server.clone(), tool: (*tool).clone() };
                }
            }
            _ => {}
        }
        Step::Stay
    }

    pub(super) fn keys(&self) -> &'static [&'static str] {
        if self.is_typing {
            &["enter keep", "esc all tools"]
        } else {
            &["enter open", "/ filter", "esc back", "q quit"]
        }
    }

    pub(super) fn command(&self) -> String {
        format!("mcplink tools {}", mcp_text::shell_word(&self.server))
    }

    pub(super) fn draw(&self, width: usize) -> RoomView {
        let mut page = PageLines::new(width);
        let name = shown::name(&self.server);
        let mut focus = (0, 0);
        match &self.listed {
            None => page.text(&format!("asking {name} for its tools"), Paint::Plain),
            Some(Err(lines)) => {
                lines.iter().for_each(|line| page.text(line, Paint::Plain));
            }
            Some(Ok(listed)) => {
                page.text(&format!("{name}: {}", count_of_tools(listed.tools.len())), Paint::Bold);
                if self.is_typing || !self.filter.text().is_empty() {
                    let label = "filter: ";
                    let (text, column) = self.filter.shown(width.saturating_sub(label.len()));
                    focus = (page.lines.len(), label.len() + column);
                    page.lines.push(Text::of(format!("{label}{text}"), Paint::Bold));
                }
                let tools = self.shown();
                if tools.is_empty() {
                    page.text(
                        if listed.tools.is_empty() { "it lists none" } else { "none has that" },
                        Paint::Plain,
                    );
                }
                let names: Vec<String> = tools.iter().map(|tool| shown::name(&tool.name)).collect();
                let column = shown::widest(names.iter().map(String::as_str)).min(width / 3).max(8);
                for (at, (tool, name)) in tools.iter().zip(&names).enumerate() {
                    let has_focus = at == self.focus;
                    if has_focus && !self.is_typing {
                        focus = (page.lines.len(), 0);
                    }
                    page.lines.push(line(tool, name, has_focus, column, width));
                }
                for note in &listed.notes {
                    page.text(note, Paint::Dim);
                }
            }
        }
        RoomView { lines: page.lines, focus, mark: 0 }
    }
}

fn line(tool: &ToolEntry, name: &str, has_focus: bool, column: usize, width: usize) -> Text {
    let (mark, paint) = if has_focus { ("> ", Paint::Bold) } else { ("  ", Paint::Plain) };
    let takes: Vec<String> = tool.arguments.iter().map(Argument::short).collect();
    let takes = takes.join(" ");
    let name = if mcp_text::width(name) > column { name.to_owned() } else { shown::pad(name, column) };
    let name = cut(&name, width.saturating_sub(2));
    let used = 2 + mcp_text::width(&name);
    let said = shown::line(tool.described.lines().next().unwrap_or_default());
    let mut text = Text::of(mark, paint).and(name, paint);
    let room = width.saturating_sub(used + 2);
    if room >= 6 && !takes.is_empty() {
        let takes = cut(&takes, if width >= DESCRIBED { room.min(width / 3) } else { room });
        text = text.and(format!("  {takes}"), Paint::Plain);
    }
    let used: usize = text.0.iter().map(|(text, _)| mcp_text::width(text)).sum();
    let room = width.saturating_sub(used + 2);
    if width >= DESCRIBED && room >= 12 && !said.is_empty() {
        text = text.and(format!("  {}", cut(&said, room)), Paint::Dim);
    }
    text
}
