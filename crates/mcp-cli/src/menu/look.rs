//! How the menu is drawn, and lines before they have a place on the screen.

use std::time::SystemTime;

use mcp_status::ServerStatus;

/// How it is drawn, beside what.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// Without frames, for people who hear it read out.
    pub(crate) is_plain: bool,
    pub(crate) has_color: bool,
    pub(crate) now: SystemTime,
    /// Where the menu was started.
    pub(crate) folder: String,
}

/// What a text is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Paint {
    Plain,
    Bold,
    Dim,
    Status(ServerStatus),
}

/// One line, in pieces.
#[derive(Clone, Debug, Default)]
pub(super) struct Text(pub(super) Vec<(String, Paint)>);

impl Text {
    pub(super) fn of(text: impl Into<String>, paint: Paint) -> Self {
        Self::default().and(text, paint)
    }

    #[must_use]
    pub(super) fn and(mut self, text: impl Into<String>, paint: Paint) -> Self {
        self.0.push((text.into(), paint));
        self
    }
}
