//! JSON values in the order in which they are to be written.

use std::fmt;

use crate::edit::EditError;
use crate::json::{self, Node};

/// A JSON value whose members have an order.
///
/// `Debug` shows its shape only: an entry may hold a secret.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A string, unescaped.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object; each name once.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Reads a value in the dialect of configuration files. Comments in it are lost; of a name that is written twice, the
    /// last value counts.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, EditError> {
        json::parse(text).map(|node| Self::of(text, &node)).map_err(|error| EditError::syntax(text, &error))
    }

    /// The members of an object, in order; none of anything else.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Self)> {
        let members = match self {
            Self::Object(members) => members.as_slice(),
            _ => &[],
        };
        members.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Gives an object a member; a new one comes first, because what says most about an entry does.
    pub fn put_first(&mut self, key: &str, value: Self) {
        let Self::Object(members) = self else { return };
        match members.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => members.insert(0, (key.to_owned(), value)),
        }
    }

    /// The member of this name, where it is an object that has one.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text, where it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, with its article, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    pub(super) fn of(text: &str, node: &Node) -> Self {
        match &node.value {
            json::Value::Null => Self::Null,
            json::Value::Bool(value) => Self::Bool(*value),
            json::Value::Number(_) => Self::Number(text[node.span.start()..node.span.end()].to_owned()),
            json::Value::String(value) => Self::String(value.to_string()),
            json::Value::Array(items) => Self::Array(items.iter().map(|item| Self::of(text, item)).collect()),
            json::Value::Object(object) => Self::Object(
                object.iter().map(|member| (member.key.to_string(), Self::of(text, &member.node))).collect(),
            ),
        }
    }

    /// This value as the innermost of objects with these keys.
    pub(super) fn below(&self, keys: &[&str]) -> Self {
        let inner = self.clone();
        keys.iter().rev().fold(inner, |value, key| Self::Object(vec![((*key).to_owned(), value)]))
    }

    /// Whether it is as simple as what stands in its place: neither has parts.
    pub(super) fn is_same_shape(&self, node: &Node) -> bool {
        self.kind() == node.kind()
            || !(self.has_parts() || node.as_object().is_some() || node.as_array().is_some())
    }

    pub(super) fn has_parts(&self) -> bool {
        match self {
            Self::Array(items) => !items.is_empty(),
            Self::Object(members) => !members.is_empty(),
            _ => false,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<&serde_json::Value> for Value {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => Self::Number(number.to_string()),
            serde_json::Value::String(text) => Self::String(text.clone()),
            serde_json::Value::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            serde_json::Value::Object(members) => {
                Self::Object(members.iter().map(|(key, value)| (key.clone(), value.into())).collect())
            }
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: headers, environment, tokens.
        f.write_str(self.kind())
    }
}
