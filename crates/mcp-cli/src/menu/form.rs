//! One tool: what it does, a form for what it takes, and below it what came of a call.
//!
//! What is typed is read and checked as `mcplink call` does it, and the call that is shown is the call that is made.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::value::RawValue;

use super::exchange::{CallEnd, RoomView, Step, ToolEntry, Work};
use super::keys::Key;
use super::line::InputLine;
use super::lines::{PageLines, fold};
use super::look::{Paint, Text};
use crate::arguments::{Arguments, Inputs};
use crate::view::shown;
use crate::view::signature::{self, Argument};

/// How much of what is said of a tool stands above its form, in lines.
const MOST_SAID: usize = 8;

/// A tool as it is open.
#[derive(Clone, Debug)]
pub(super) struct Form {
    server: String,
    tool: ToolEntry,
    /// One for each argument.
    typed: Vec<InputLine>,
    /// Which of them the keys are for; behind the last one stands the call.
    focus: usize,
    problem: Option<String>,
    state: State,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum State {
    Filled,
    /// Since so many seconds, as far as was told.
    Called,
    Ended(CallEnd),
}

/// Nothing is read from files or pipes here.
struct NoFiles;

impl Inputs for NoFiles {
    fn file(&self, _: &str) -> Result<String, String> {
        Err("names a file".to_owned())
    }

    fn stdin(&self) -> Result<String, String> {
        Err("is not an argument".to_owned())
    }
}

impl CallEnd {
    /// `result after 20 ms`.
    pub(super) fn summary(&self) -> String {
        let took = Duration::from_millis(u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX));
        let how = if self.is_error { "failed" } else { "result" };
        format!("{how} after {}", mcp_text::time_limit(took))
    }
}

impl Form {
    pub(super) fn new(server: &str, tool: &ToolEntry) -> Self {
        Self {
            server: server.to_owned(),
            typed: vec![InputLine::default(); tool.arguments.len()],
            tool: tool.clone(),
            focus: 0,
            problem: None,
            state: State::Filled,
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.state == State::Called
    }

    pub(super) fn hear(&mut self, ended: CallEnd) {
        self.state = State::Ended(ended);
    }

    pub(super) fn paste(&mut self, text: &str) {
        if let Some(line) = self.typed.get_mut(self.focus).filter(|_| self.state != State::Called) {
            line.insert(text);
        }
    }

    /// Puts these texts into the fields of these names.
    pub(super) fn fill(&mut self, given: &BTreeMap<String, String>) {
        if self.state == State::Called {
            return;
        }
        for (argument, line) in self.tool.arguments.iter().zip(&mut self.typed) {
            if let Some(text) = given.get(&argument.name) {
                line.set("");
                line.insert(text);
            }
        }
        self.problem = None;
    }

    /// Calls the tool with what is typed, as Enter on the call does.
    pub(super) fn submit(&mut self) -> Step {
        if self.state == State::Called { Step::Stay } else { self.call() }
    }

    /// Each argument with what is typed for it.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&Argument, &str)> {
        self.tool.arguments.iter().zip(self.typed.iter().map(InputLine::text))
    }

    pub(super) fn tool(&self) -> &ToolEntry {
        &self.tool
    }

    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// What came of the call.
    pub(super) fn ended(&self) -> Option<&CallEnd> {
        match &self.state {
            State::Ended(ended) => Some(ended),
            State::Filled | State::Called => None,
        }
    }

    pub(super) fn press(&mut self, key: Key) -> Step {
        if self.state == State::Called {
            if key == Key::Escape {
                self.state = State::Filled;
                self.problem = Some("given up; whether it ran is not known".to_owned());
                return Step::Do(Work::Nothing);
            }
            return Step::Scroll(key);
        }
        match key {
            Key::Escape => return Step::Back,
            Key::Up | Key::Backtab => self.focus = self.focus.saturating_sub(1),
            Key::Tab => self.focus = (self.focus + 1).min(self.typed.len()),
            // There is nothing below but what came of the call.
            Key::Down if self.focus == self.typed.len() => return Step::Scroll(Key::Down),
            Key::Down => self.focus += 1,
            Key::PageUp | Key::PageDown => return Step::Scroll(key),
            Key::Enter if self.focus < self.typed.len() => self.focus += 1,
            Key::Enter => return self.call(),
            key => self.edit(key),
        }
        Step::Stay
    }

    fn edit(&mut self, key: Key) {
        let Some((argument, line)) = self.tool.arguments.get(self.focus).zip(self.typed.get_mut(self.focus))
        else {
            return;
        };
        self.problem = None;
        let choices = argument.values();
        let turn = match key {
            Key::Left => choices.len(),
            Key::Right | Key::Char(' ') => 1,
            _ => 0,
        };
        if choices.is_empty() || turn == 0 {
            line.press(key);
            return;
        }
        // One that may be left out can be empty again.
        let mut all = choices;
        all.insert(0, String::new());
        let at = all.iter().position(|choice| choice == line.text()).unwrap_or(0);
        line.set(&all[(at + turn) % all.len()]);
    }

    /// Each argument that was given, as it is typed on a command line.
    fn words(&self) -> Vec<String> {
        let given = self.tool.arguments.iter().zip(&self.typed).filter(|(_, line)| !line.text().is_empty());
        given.map(|(argument, line)| argument.typed(line.text())).collect()
    }

    /// The arguments as they are sent, or what is wrong with them and with which.
    fn read(&self) -> Result<Box<RawValue>, (Option<String>, String)> {
        let mut arguments = Arguments::parse(&self.words(), &NoFiles).map_err(|error| {
            (Some(error.argument.clone()), shown::line(&format!("{} {}", error.argument, error.problem)))
        })?;
        if let Ok(schema) = RawValue::from_string(self.tool.schema.clone()) {
            arguments.coerce(&schema);
            if let Some(mismatch) = arguments.mismatch(&schema) {
                return Err((Some(mismatch.name.clone()), shown::line(&mismatch.to_string())));
            }
        }
        let missing = signature::surely_missing(&self.tool.schema, |name| arguments.has(name));
        if let Some(first) = missing.first() {
            let wanted: Vec<String> = missing.iter().map(Argument::wanted).collect();
            return Err((Some(first.name.clone()), format!("it needs {}", wanted.join(", "))));
        }
        Ok(arguments.to_json())
    }

    fn call(&mut self) -> Step {
        match self.read() {
            Ok(arguments) => {
                (self.problem, self.state) = (None, State::Called);
                Step::Do(Work::Call {
                    server: self.server.clone(),
                    tool: self.tool.name.clone(),
                    arguments: arguments.get().to_owned(),
                })
            }
            Err((which, problem)) => {
                let at = which.and_then(|name| self.tool.arguments.iter().position(|own| own.name == name));
                self.focus = at.unwrap_or(self.focus);
                self.problem = Some(problem);
                Step::Stay
            }
        }
    }

    pub(super) fn keys(&self) -> &'static [&'static str] {
        match self.state {
            State::Called => &["esc give up"],
            _ if self.focus == self.typed.len() => {
                &["enter call", "up fields", "page keys scroll", "esc back"]
            }
            _ => &["enter next", "left, right values", "esc back"],
        }
    }

    pub(super) fn command(&self) -> String {
        let mut command = format!(
            "mcplink call {} {}",
            mcp_text::shell_word(&self.server),
            mcp_text::shell_word(&self.tool.name)
        );
        for word in self.words() {
            command.push(' ');
            command.push_str(&signature::plain(&word));
        }
        command
    }

    pub(super) fn draw(&self, width: usize) -> RoomView {
        let mut page = PageLines::new(width);
        let mut focus = (0, 0);
        page.text(&format!("{} of {}", shown::key(&self.tool.name), shown::name(&self.server)), Paint::Bold);
        let mut said = PageLines::new(width);
        for line in self.tool.described.lines() {
            said.text(line, Paint::Plain);
        }
        let is_cut = said.lines.len() > MOST_SAID;
        page.lines.extend(said.lines.into_iter().take(MOST_SAID));
        if is_cut {
            page.text("…", Paint::Dim);
        }
        page.blank();
        for (at, (argument, line)) in self.tool.arguments.iter().zip(&self.typed).enumerate() {
            let has_focus = at == self.focus;
            let (mark, paint) = if has_focus { ("> ", Paint::Bold) } else { ("  ", Paint::Plain) };
            let name = crate::view::wrap::cut(&shown::cell(&argument.name), (width / 2).max(4));
            let label = format!("{mark}{name}: ");
            let (text, column) = line.shown(width.saturating_sub(mcp_text::width(&label)));
            if has_focus {
                focus = (page.lines.len(), mcp_text::width(&label) + column);
            }
            page.lines.push(Text::of(label, paint).and(text, Paint::Plain));
            let text = match argument.described() {
                "" => argument.summary(),
                described => format!("{}. {}", argument.summary(), shown::line(described)),
            };
            for line in fold(&text, width.saturating_sub(4)) {
                page.lines.push(Text::of(format!("    {line}"), Paint::Dim));
            }
        }
        let (mark, paint) =
            if self.focus == self.typed.len() { ("> ", Paint::Bold) } else { ("  ", Paint::Plain) };
        if self.focus == self.typed.len() {
            focus = (page.lines.len(), 0);
        }
        page.lines.push(Text::of(format!("{mark}call it"), paint));
        let mut mark = 0;
        if let Some(problem) = &self.problem {
            page.blank();
            page.text(problem, Paint::Bold);
        }
        match &self.state {
            State::Filled => {}
            State::Called => {
                page.blank();
                page.text("called; escape gives it up", Paint::Plain);
            }
            State::Ended(ended) => {
                page.blank();
                mark = page.lines.len();
                page.text(&ended.summary(), Paint::Bold);
                for line in &ended.lines {
                    page.kept(line);
                }
            }
        }
        RoomView { lines: page.lines, focus, mark }
    }
}

#[cfg(test)]
pub(super) mod tests;
