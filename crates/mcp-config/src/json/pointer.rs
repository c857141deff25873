//! The path to a value: as a JSON pointer for programs, dotted for people.

use std::fmt;

/// A path into a document. `Display` is RFC 6901.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Pointer(Vec<Step>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Pointer {
    /// A path of keys from the root.
    pub(crate) fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }

    pub(crate) fn key(&self, key: &str) -> Self {
        let mut path = self.clone();
        path.push_key(key);
        path
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        let mut path = self.clone();
        path.push_index(index);
        path
    }

    pub(super) fn push_key(&mut self, key: &str) {
        self.0.push(Step::Key(key.to_owned()));
    }

    pub(super) fn push_index(&mut self, index: usize) {
        self.0.push(Step::Index(index));
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }

    /// `mcpServers.x.args[0]`; keys that are not plain words stand in brackets and quotes.
    pub(crate) fn dotted(&self) -> String {
        let mut text = String::new();
        for step in &self.0 {
            match step {
                Step::Index(index) => text.push_str(&format!("[{index}]")),
                Step::Key(key) if is_plain(key) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(key);
                }
                // `Debug` of a string escapes control characters, so a key cannot drive a terminal.
                Step::Key(key) => text.push_str(&format!("[{key:?}]")),
            }
        }
        text
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                Step::Index(index) => write!(f, "/{index}")?,
                Step::Key(key) => write!(f, "/{}", key.replace('~', "~0").replace('/', "~1"))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_both_spellings() {
        let path = Pointer::of(&["projects", "/home/a~b", "mcpServers", "my-x"]).key("args").index(2);
        assert_eq!(path.to_string(), "/projects/~1home~1a~0b/mcpServers/my-x/args/2");
        assert_eq!(path.dotted(), "projects[\"/home/a~b\"].mcpServers.my-x.args[2]");
        assert_eq!(Pointer::of(&["a\u{1b}[2J"]).dotted(), "[\"a\\u{1b}[2J\"]");
        assert_eq!(Pointer::default().to_string(), "");
    }
}
