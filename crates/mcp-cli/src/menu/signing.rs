//! A sign-in inside the menu: where it stands, the page to sign in at, a place to paste, and what came of it.

use super::exchange::{RoomView, Stage, Step, Work};
use super::keys::Key;
use super::line::InputLine;
use super::lines::PageLines;
use super::look::{Paint, Text};
use crate::view::shown;

#[derive(Clone, Debug)]
pub(super) struct SignInPanel {
    server: String,
    stage: Stage,
    pasted: InputLine,
    problem: Option<&'static str>,
}

impl SignInPanel {
    pub(super) fn new(server: &str) -> Self {
        Self { server: server.to_owned(), stage: Stage::Asks, pasted: InputLine::default(), problem: None }
    }

    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self.stage, Stage::Ended { .. })
    }

    pub(super) fn hear(&mut self, stage: Stage) {
        self.problem = None;
        if stage == Stage::Refuses {
            self.problem = Some("That is neither the address of the last page nor a code. Paste it again.");
            self.pasted.set("");
        } else {
            self.stage = stage;
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        if matches!(self.stage, Stage::Waits { .. }) {
            self.pasted.insert(text.trim());
        }
    }

    pub(super) fn press(&mut self, key: Key) -> Step {
        match (&self.stage, key) {
            (_, Key::PageUp | Key::PageDown) => return Step::Scroll(key),
            (Stage::Ended { .. }, Key::Escape | Key::Enter) => return Step::Back,
            (Stage::Ended { .. }, Key::Char('q')) => return Step::Quit,
            // What is under way ends with the page: nothing of it is kept.
            (_, Key::Escape) => return Step::Back,
            (Stage::Doubts { .. }, Key::Char('y')) => return Step::Do(Work::Confirm),
            (Stage::Doubts { .. }, Key::Char('n')) => return Step::Back,
            (Stage::Waits { .. }, Key::Enter) if !self.pasted.text().is_empty() => {
                self.problem = Some("trying what was pasted");
                return Step::Do(Work::Paste(self.pasted.text().to_owned()));
            }
            (Stage::Waits { .. }, key) => drop(self.pasted.press(key)),
            _ => {}
        }
        Step::Stay
    }

    pub(super) fn keys(&self) -> &'static [&'static str] {
        match self.stage {
            Stage::Doubts { .. } => &["y it belongs there", "n give up"],
            Stage::Waits { .. } => &["enter take what is pasted", "esc give up"],
            Stage::Ended { .. } => &["enter back", "q quit"],
            _ => &["esc give up"],
        }
    }

    pub(super) fn command(&self) -> String {
        format!("mcplink login {}", mcp_text::shell_word(&self.server))
    }

    pub(super) fn draw(&self, width: usize) -> RoomView {
        let mut page = PageLines::new(width);
        let name = shown::name(&self.server);
        page.text(&format!("sign in to {name}"), Paint::Bold);
        page.blank();
        let mut focus = (0, 0);
        match &self.stage {
            Stage::Asks | Stage::Refuses => page.text("asking the server where to sign in", Paint::Plain),
            Stage::Doubts { issuer, server } => {
                page.text(
                    &shown::line(&format!(
                        "The client secret of {name} would be sent to {issuer}, which {server} names as its \
                         authorization server. Does it belong there?"
                    )),
                    Paint::Bold,
                );
                focus = (2, 0);
            }
            Stage::Waits { url, not_opened } => {
                let how = match not_opened {
                    None => "Your browser opens. If it does not, open this address:".to_owned(),
                    Some(why) => format!("Open this address in a browser ({}):", shown::line(why)),
                };
                page.text(&how, Paint::Plain);
                page.blank();
                // Nothing before or behind it: it is copied with a mouse.
                page.kept(url);
                page.blank();
                page.text(
                    "If the browser ends on a page that cannot be reached, paste its whole address here:",
                    Paint::Plain,
                );
                let (text, column) = self.pasted.shown(width.saturating_sub(2));
                focus = (page.lines.len(), 2 + column);
                page.lines.push(Text::of("> ", Paint::Bold).and(text, Paint::Plain));
                if let Some(problem) = self.problem {
                    page.text(problem, Paint::Bold);
                }
            }
            Stage::Ended { said, is_error } => {
                for (at, line) in said.iter().enumerate() {
                    let paint = if at == 0 || !is_error { Paint::Bold } else { Paint::Plain };
                    page.text(line, paint);
                }
                focus = (2, 0);
            }
        }
        RoomView { lines: page.lines, focus, mark: 0 }
    }
}
