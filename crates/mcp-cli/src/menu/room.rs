//! What is open in the place of the list: the tools of a server, the form of one, a sign-in, a log. Values, and no I/O.

use super::exchange::{RoomView, Step, TaskEvent, Work};
use super::form::Form;
use super::keys::Key;
use super::log::Log;
use super::signing::SignInPanel;
use super::tools::Tools;

/// Something that is open.
#[derive(Clone, Debug)]
pub(super) enum Room {
    Tools(Tools),
    Form(Box<Form>),
    SignInPanel(Box<SignInPanel>),
    Log(Log),
}

impl Room {
    pub(super) fn press(&mut self, key: Key) -> Step {
        match self {
            Self::Tools(tools) => tools.press(key),
            Self::Form(form) => form.press(key),
            Self::SignInPanel(signing) => signing.press(key),
            Self::Log(_) => Log::press(key),
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        match self {
            Self::Tools(tools) => tools.paste(text),
            Self::Form(form) => form.paste(text),
            Self::SignInPanel(signing) => signing.paste(text),
            Self::Log(_) => {}
        }
    }

    /// Whether the news were for it.
    pub(super) fn hear(&mut self, news: TaskEvent) -> bool {
        match (self, news) {
            (Self::Tools(tools), TaskEvent::Tools(listed)) => tools.hear(listed),
            (Self::Form(form), TaskEvent::Called(ended)) => form.hear(ended),
            (Self::SignInPanel(signing), TaskEvent::SignIn(stage)) => signing.hear(stage),
            (Self::Log(log), TaskEvent::Log(lines)) => log.hear(lines),
            _ => return false,
        }
        true
    }

    /// What goes on while it is open.
    pub(super) fn work(&self) -> Work {
        match self {
            Self::Tools(tools) => Work::List(tools.server().to_owned()),
            Self::Form(_) | Self::SignInPanel(_) | Self::Log(_) => Work::Nothing,
        }
    }

    /// Whether leaving it ends something.
    pub(super) fn is_under_way(&self) -> bool {
        match self {
            // Both go on to be told.
            Self::Tools(_) | Self::Log(_) => true,
            Self::Form(form) => form.is_under_way(),
            Self::SignInPanel(signing) => signing.is_under_way(),
        }
    }

    pub(super) fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::Tools(tools) => tools.keys(),
            Self::Form(form) => form.keys(),
            Self::SignInPanel(signing) => signing.keys(),
            Self::Log(_) => &["up, down scroll", "esc back", "q quit"],
        }
    }

    /// The command that does the same.
    pub(super) fn command(&self) -> String {
        match self {
            Self::Tools(tools) => tools.command(),
            Self::Form(form) => form.command(),
            Self::SignInPanel(signing) => signing.command(),
            Self::Log(log) => log.command(),
        }
    }

    pub(super) fn draw(&self, width: usize) -> RoomView {
        match self {
            Self::Tools(tools) => tools.draw(width),
            Self::Form(form) => form.draw(width),
            Self::SignInPanel(signing) => signing.draw(width),
            Self::Log(log) => log.draw(width),
        }
    }

    /// Whether lines of it are copied with a mouse, so that no frame may stand beside them.
    pub(super) fn is_copied(&self) -> bool {
        matches!(self, Self::SignInPanel(_))
    }
}
