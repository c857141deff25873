//! The path to a value: as a JSON pointer for programs, dotted for people.

use std::borrow::Cow;
use std::fmt;

use crate::display::{display_key, display_name};

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
        dotted(self.shown())
    }

    /// As `Display` has it, and [`dotted`](Self::dotted): each step is looked at once.
    pub(crate) fn both(&self) -> (String, String) {
        let steps: Vec<ShownStep<'_>> = self.shown().collect();
        (slashed(&steps), dotted(steps))
    }

    /// Its steps as they may be shown. Security: a line pasted in the place of a name is a key, too.
    fn shown(&self) -> impl Iterator<Item = ShownStep<'_>> {
        let mut of_names = false;
        self.0.iter().map(move |step| match step {
            Step::Index(index) => ShownStep::Index(*index),
            Step::Key(key) => {
                let is_name = std::mem::replace(&mut of_names, matches!(&**key, "headers" | "env"));
                ShownStep::Key(if is_name { display_name(key) } else { display_key(key) })
            }
        })
    }
}

/// One step as it may be shown.
enum ShownStep<'a> {
    Key(Cow<'a, str>),
    Index(usize),
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// The most steps that are told to people: what is deeper is not an entry of anybody, and begins and ends like what is told.
const MOST_STEPS: usize = 16;

fn dotted<'a>(steps: impl IntoIterator<Item = ShownStep<'a>>) -> String {
    let mut text = String::new();
    let steps: Vec<ShownStep<'a>> = steps.into_iter().collect();
    let left_out = match steps.len() {
        count if count > MOST_STEPS => MOST_STEPS / 2..count - MOST_STEPS / 2,
        _ => 0..0,
    };
    for (number, step) in steps.into_iter().enumerate() {
        if left_out.contains(&number) {
            text.push_str(if number == left_out.start { "…" } else { "" });
            continue;
        }
        match step {
            ShownStep::Index(index) => text.push_str(&format!("[{index}]")),
            ShownStep::Key(key) if is_plain(&key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&key);
            }
            // `Debug` of a string escapes control characters, so a key cannot drive a terminal.
            ShownStep::Key(key) => text.push_str(&format!("[{key:?}]")),
        }
    }
    text
}

fn slashed(steps: &[ShownStep<'_>]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            ShownStep::Index(index) => text.push_str(&format!("/{index}")),
            ShownStep::Key(key) => text.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
        }
    }
    text
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&slashed(&self.shown().collect::<Vec<_>>()))
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
        assert_eq!(path.both(), (path.to_string(), path.dotted()));
        let deep = (0..100).fold(Pointer::of(&["x"]), |path, number| path.index(number));
        assert_eq!(deep.dotted(), "x[0][1][2][3][4][5][6]…[92][93][94][95][96][97][98][99]");
        assert_eq!(deep.to_string().matches('/').count(), 101, "a program gets all of it");
    }

    #[test]
    fn s_n11_a_line_pasted_as_a_name_is_not_quoted() {
        for keys in [
            ["x", "headers", "Authorization: Bearer canary"],
            ["x", "env", "A=canary"],
            ["x", "headers", "ghp_canarycanary"],
            ["x", "A_TOKEN=canary", ""],
            ["x", "Cookie: sid=canary", ""],
        ] {
            let path = Pointer::of(&keys);
            let shown = format!("{path} {}", path.dotted());
            assert!(shown.contains("redacted") && !shown.contains("canary"), "{shown}");
        }
        assert_eq!(Pointer::of(&["x", "headers", "X-Key"]).dotted(), "x.headers.X-Key");
    }
}
