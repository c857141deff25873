//! Reads an answer, member by member, in errors of our own.

use std::fmt;

use serde_json::Value as Json;

/// The most items of a list, and members of a map.
const MAX_ITEMS: usize = 200;
/// The longest text, in bytes.
const MAX_TEXT: usize = 8 * 1024;

/// An answer that is none of a registry: where, and what was expected there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RegistryFault {
    path: String,
    why: String,
}

impl RegistryFault {
    fn new(path: &str, why: impl Into<String>) -> Self {
        Self { path: path.to_owned(), why: why.into() }
    }

    /// Where it is, such as `server.remotes[0].url`; empty for the whole. Names in it are a stranger's.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for RegistryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", mcp_text::line(&self.path, 80))?;
        }
        f.write_str(&self.why)
    }
}

impl std::error::Error for RegistryFault {}

/// The JSON of an answer.
pub(super) fn parse(answer: &[u8]) -> Result<Json, RegistryFault> {
    serde_json::from_slice(answer).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        RegistryFault::new("", format!("it is not JSON ({place})"))
    })
}

/// A value and the way to it.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    value: &'a Json,
    path: String,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Json) -> Self {
        Self { value, path: String::new() }
    }

    fn expected(&self, what: &str) -> RegistryFault {
        let found = match self.value {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        };
        RegistryFault::new(&self.path, format!("expected {what}, found {found}"))
    }

    /// The member of this name; `null` is none.
    pub(super) fn member(&self, key: &str) -> Result<Option<Self>, RegistryFault> {
        let Json::Object(members) = self.value else { return Err(self.expected("an object")) };
        Ok(members.get(key).filter(|value| !value.is_null()).map(|value| self.below(key, value)))
    }

    fn below(&self, key: &str, value: &'a Json) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { value, path }
    }

    pub(super) fn required(&self, key: &str) -> Result<Self, RegistryFault> {
        self.member(key)?.ok_or_else(|| RegistryFault::new(&self.path, format!("there is no {key:?}")))
    }

    pub(super) fn text(&self) -> Result<&'a str, RegistryFault> {
        match self.value {
            Json::String(text) if text.len() > MAX_TEXT => {
                Err(RegistryFault::new(&self.path, format!("it is longer than {MAX_TEXT} bytes")))
            }
            Json::String(text) => Ok(text),
            _ => Err(self.expected("a string")),
        }
    }

    pub(super) fn text_of(&self, key: &str) -> Result<Option<String>, RegistryFault> {
        self.member(key)?.map(|node| node.text().map(str::to_owned)).transpose()
    }

    /// A text that goes into an entry: nothing in it is hidden from the person who agrees to it.
    pub(super) fn plain_of(&self, key: &str) -> Result<Option<String>, RegistryFault> {
        let Some(node) = self.member(key)? else { return Ok(None) };
        let text = node.text()?;
        if text.chars().any(|c| c.is_control() || mcp_text::is_hidden(c)) {
            return Err(RegistryFault::new(&node.path, "it has characters that are not seen"));
        }
        Ok(Some(text.to_owned()))
    }

    pub(super) fn flag_of(&self, key: &str) -> Result<Option<bool>, RegistryFault> {
        let Some(node) = self.member(key)? else { return Ok(None) };
        match node.value {
            Json::Bool(value) => Ok(Some(*value)),
            _ => Err(node.expected("a boolean")),
        }
    }

    pub(super) fn items(&self) -> Result<Vec<Self>, RegistryFault> {
        let Json::Array(items) = self.value else { return Err(self.expected("an array")) };
        self.few(items.len())?;
        let node = |(number, value)| Self { value, path: format!("{}[{number}]", self.path) };
        Ok(items.iter().enumerate().map(node).collect())
    }

    pub(super) fn list_of(&self, key: &str) -> Result<Vec<Self>, RegistryFault> {
        self.member(key)?.map_or_else(|| Ok(Vec::new()), |node| node.items())
    }

    pub(super) fn members_of(&self, key: &str) -> Result<Vec<(&'a str, Self)>, RegistryFault> {
        let Some(node) = self.member(key)? else { return Ok(Vec::new()) };
        let Json::Object(members) = node.value else { return Err(node.expected("an object")) };
        node.few(members.len())?;
        Ok(members.iter().map(|(name, value)| (name.as_str(), node.below(name, value))).collect())
    }

    fn few(&self, count: usize) -> Result<(), RegistryFault> {
        if count <= MAX_ITEMS {
            return Ok(());
        }
        Err(RegistryFault::new(&self.path, format!("it has {count} parts, more than {MAX_ITEMS}")))
    }
}
