//! The tree that the parser makes: values with byte spans, members in the order of the file.

use std::collections::HashMap;
use std::fmt;

/// Objects up to this size are searched for duplicate keys pairwise, larger ones through a map.
pub(super) const PAIRWISE: usize = 16;

/// A half-open range of bytes in the text that was parsed: in half the bits of a `usize`, because a hostile text has a
/// value in every second byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The parsers refuse texts in which an offset would not fit.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let narrow = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: narrow(start), end: narrow(end) }
    }

    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    pub(crate) fn end(self) -> usize {
        self.end as usize
    }
}

/// One value and where it stands.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

#[derive(Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// What it is as a non-negative whole number, where it is one. Nothing else is asked of a number.
    Number(Option<WholeNumber>),
    String(Box<str>),
    Array(Box<[Node]>),
    Object(Object),
}

/// A non-negative whole number.
#[derive(Clone, Copy)]
pub(crate) struct WholeNumber(u64);

impl WholeNumber {
    pub(crate) fn of(value: u64) -> Self {
        Self(value)
    }

    /// Reads a number, also where it is written as `1e3` or `5.0`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let whole = text.parse().ok().or_else(|| {
            let value: f64 = text.parse().ok()?;
            // 2^53: up to here every whole number has exactly one spelling as a double.
            let whole = value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value);
            whole.then_some(value as u64)
        });
        whole.map(Self)
    }
}

#[derive(Clone, Default)]
pub(crate) struct Object {
    pub(super) members: Box<[Member]>,
}

/// One `"key": value` pair.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) key: Box<str>,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
    /// A later member of the same object has the same key and wins.
    pub(crate) overridden: bool,
}

impl Node {
    /// What this is, with its article, for messages: the value itself may be a secret.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(value) => Some(value),
            _ => None,
        }
    }

    /// The same as JSON, without what it is not asked for: a number that is no whole one is `null`.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(whole) => whole.map(|WholeNumber(value)| value).into(),
            Value::String(text) => (**text).into(),
            Value::Array(items) => items.iter().map(Self::to_json).collect(),
            Value::Object(object) => serde_json::Value::Object(
                object.iter().map(|member| (member.key.to_string(), member.node.to_json())).collect(),
            ),
        }
    }

    /// A non-negative whole number, in any spelling.
    pub(crate) fn as_u64(&self) -> Option<u64> {
        match self.value {
            Value::Number(whole) => whole.map(|WholeNumber(value)| value),
            _ => None,
        }
    }

    pub(crate) fn as_array(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn as_object(&self) -> Option<&Object> {
        match &self.value {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }
}

impl Object {
    /// The members in the order in which they are written; where a key is written twice, the last one counts.
    pub(crate) fn of(mut members: Vec<Member>) -> Self {
        mark_overridden(&mut members);
        Self { members: members.into_boxed_slice() }
    }

    /// The value of `key`; where a key is written twice, the last one, as in every other JSON reader.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.members.iter().rev().find(|member| *member.key == *key).map(|member| &member.node)
    }

    /// Every member as it is written, those that a later one replaces among them.
    pub(crate) fn all(&self) -> &[Member] {
        &self.members
    }

    /// The members in force, in the order of the file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| !member.overridden)
    }

    /// The members that a later one of the same name replaces.
    pub(crate) fn overridden(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.overridden)
    }
}

// Security: a configuration file holds header values and environment values; only the shape is shown.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}..{}", self.kind(), self.span.start, self.span.end)
    }
}

fn mark_overridden(members: &mut [Member]) {
    if members.len() <= PAIRWISE {
        for index in 0..members.len() {
            members[index].overridden =
                members[index + 1..].iter().any(|later| later.key == members[index].key);
        }
        return;
    }
    let mut last: HashMap<&str, usize> = HashMap::with_capacity(members.len());
    let earlier: Vec<usize> =
        members.iter().enumerate().filter_map(|(index, member)| last.insert(&member.key, index)).collect();
    for index in earlier {
        members[index].overridden = true;
    }
}
