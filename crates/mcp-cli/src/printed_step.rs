//! What a person does next, as it is printed: it decides whether a line may be broken.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::view::shown;
use crate::view::wrap::behind;

/// Between the command that cures something and the one that tries it.
pub(crate) const AND: &str = " && ";
pub(crate) const CURED: &str = " && mcplink ";

/// What a person does next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum PrintedStep {
    /// It is pasted into a shell as it stands, so it stays in one piece.
    Command(String),
    /// It is read, and wraps.
    Sentence(String),
}

impl PrintedStep {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Command(text) | Self::Sentence(text) => text,
        }
    }

    /// The same on one line, and without what drives a terminal.
    pub(crate) fn shown(&self) -> Self {
        let shown = shown::line(self.as_str());
        match self {
            Self::Command(_) => Self::Command(shown),
            Self::Sentence(_) => Self::Sentence(shown),
        }
    }

    /// Its commands one by one: what cures something, and what tries it then.
    pub(crate) fn parts(&self) -> (Self, Option<Self>) {
        match self {
            Self::Command(text) => match text.find(CURED) {
                Some(at) => (
                    Self::Command(text[..at].to_owned()),
                    Some(Self::Command(text[at + AND.len()..].to_owned())),
                ),
                None => (self.clone(), None),
            },
            Self::Sentence(_) => (self.clone(), None),
        }
    }

    /// The lines of it behind `head` within so many columns, with their ends.
    pub(crate) fn behind(&self, head: &str, columns: Option<usize>) -> String {
        match self {
            Self::Command(text) => format!("{head}{text}\n"),
            Self::Sentence(text) => behind(head, text, columns),
        }
    }
}

/// What is written in this program: what begins with its name is one of its commands. Text from elsewhere does not come this way.
impl From<&str> for PrintedStep {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for PrintedStep {
    fn from(text: String) -> Self {
        // By itself, or by what runs it (`crate::runner`).
        let runners = ["", "npx ", "pnpm dlx ", "bunx ", "uvx ", "pipx run "];
        let own = runners.iter().filter_map(|runner| text.strip_prefix(runner));
        let is_command = own.into_iter().any(|rest| rest.starts_with("mcplink "));
        if is_command { Self::Command(text) } else { Self::Sentence(text) }
    }
}

impl fmt::Display for PrintedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for PrintedStep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fh_h13_a_command_stays_whole_and_a_sentence_wraps() {
        let command = PrintedStep::from("mcplink get a-name");
        assert_eq!(command.behind("", Some(8)), "mcplink get a-name\n");
        let sentence = PrintedStep::from("start it, then mcplink wait x");
        assert_eq!(sentence.behind("do  ", Some(16)), "do  start it, \n    then mcplink\n    wait x\n");
        assert_eq!(sentence.parts(), (sentence.clone(), None));
        // That another program's command comes first changes nothing.
        let cure = PrintedStep::Command("corp login && mcplink reconnect x".into());
        assert_eq!(cure.behind("", Some(8)).lines().count(), 1);
        let parts = ["corp login", "mcplink reconnect x"].map(|text| PrintedStep::Command(text.into()));
        assert_eq!(cure.parts(), (parts[0].clone(), Some(parts[1].clone())));
        // Nor does what a stranger wrote become a command.
        let said = PrintedStep::Sentence("mcplink login x && mcplink status".into());
        assert_eq!((said.behind("", Some(15)).lines().count(), said.parts().1), (3, None));
    }
}
