//! JSON objects member by member: what is not looked at keeps its bytes.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in their order, duplicates included, values as they are.
#[derive(Clone, Debug, Default)]
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The members of this JSON text; `None` where it is not an object.
    pub fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The first member of this name.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The members, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(key, value)| (&**key, *value))
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// The members of an object, values as they are.
pub(crate) fn members(object: &str) -> Option<HashMap<Cow<'_, str>, &RawValue>> {
    serde_json::from_str(object).ok()
}

/// An object that is being written.
///
/// # Examples
///
/// ```
/// use mcp_transport::message::Object;
///
/// let mut params = Object::new();
/// params.member("name", "\"echo\"").member("arguments", "{}");
/// assert_eq!(params.finish().get(), r#"{"name":"echo","arguments":{}}"#);
/// ```
#[derive(Clone, Debug)]
pub struct Object(Vec<u8>);

impl Object {
    /// An object without members.
    pub fn new() -> Self {
        Self(vec![b'{'])
    }

    /// Adds a member whose value is JSON text.
    pub fn member(&mut self, key: &str, value: &str) -> &mut Self {
        if !self.is_empty() {
            self.0.push(b',');
        }
        write_string(&mut self.0, key);
        self.0.push(b':');
        self.0.extend_from_slice(value.as_bytes());
        self
    }

    /// Adds a member whose value is a string.
    pub fn string(&mut self, key: &str, text: &str) -> &mut Self {
        self.member(key, "");
        write_string(&mut self.0, text);
        self
    }

    /// Whether it has no members yet.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    /// The object as JSON text.
    pub fn into_text(mut self) -> String {
        self.0.push(b'}');
        // Keys and values were UTF-8 before they were written.
        String::from_utf8(self.0).unwrap_or_default()
    }

    /// The object; `null` where a value was not JSON.
    pub fn finish(self) -> Box<RawValue> {
        RawValue::from_string(self.into_text()).unwrap_or_default()
    }
}

impl Default for Object {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes `text` as a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    // Writing to a vector cannot fail, and a string always has a JSON form.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_reads_back_as_it_was_written() {
        let mut object = Object::new();
        assert!(object.is_empty());
        object.member("a\"b", "1.00").member("c", "[ ]");
        assert!(!object.is_empty());
        object.string("d", "\n");
        let text = object.clone().into_text();
        assert_eq!(text, r#"{"a\"b":1.00,"c":[ ],"d":"\n"}"#);
        assert_eq!(object.finish().get(), text);
        let members = Members::read(&text).unwrap();
        assert_eq!(members.get("a\"b").map(RawValue::get), Some("1.00"));
        assert_eq!(members.iter().map(|(key, _)| key.to_owned()).collect::<Vec<_>>(), ["a\"b", "c", "d"]);
        assert!(Members::read("[]").is_none());
        let mut broken = Object::new();
        broken.member("a", "{");
        assert_eq!(broken.finish().get(), "null");
    }
}
