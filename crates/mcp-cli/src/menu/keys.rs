//! Keys, and which of them does what about a server.

use mcp_status::Action;

/// A key as far as the menu knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Left,
    Right,
    Tab,
    Backtab,
    Enter,
    Escape,
    Erase,
    Delete,
    Char(char),
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-Z.
    Suspend,
}

/// A key that shows something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PageKey {
    pub(crate) key: char,
    pub(crate) label: &'static str,
    pub(crate) command: String,
}

/// An action, the key that does it and what it is called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ActionKey {
    pub(crate) action: Action,
    pub(crate) key: char,
    pub(crate) label: &'static str,
}

impl ActionKey {
    /// `None` for what is not known here.
    pub(super) fn of(action: Action) -> Option<Self> {
        let (key, label) = match action {
            Action::Reconnect => ('r', "reconnect"),
            Action::Authenticate => ('s', "sign in"),
            Action::ReAuthenticate => ('s', "sign in again"),
            Action::ClearAuthentication => ('c', "sign out"),
            Action::Enable => ('x', "enable"),
            Action::Disable => ('x', "disable"),
            Action::EditConfig => ('e', "edit file"),
            Action::Approve => ('a', "approve"),
            Action::Reject => ('n', "reject"),
            Action::Trust => ('t', "trust folder"),
            // Whatever waits for an approval itself lists no tools.
            Action::ApproveTools => ('a', "approve tools"),
            _ => return None,
        };
        Some(Self { action, key, label })
    }
}
