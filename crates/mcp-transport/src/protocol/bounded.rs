//! What a server says of itself, read up to a bound: what is longer is passed over and not kept.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Capabilities, and versions, that are kept of what a server declares. No real one has nearly as many.
const MAX_MEMBERS: usize = 1000;
const MAX_WORDS: usize = 64;
/// How long a version may be, and a name, in bytes.
pub(super) const MAX_WORD: usize = 64;

/// The first members of an object; the others are read and forgotten. None for `null` and for an empty array, which is
/// how PHP writes an empty object.
pub(super) fn few_members<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Box<RawValue>>, D::Error> {
    struct Few;

    impl<'de> Visitor<'de> for Few {
        type Value = BTreeMap<String, Box<RawValue>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = BTreeMap::new();
            while members.len() < MAX_MEMBERS
                && let Some((name, value)) = map.next_entry()?
            {
                members.insert(name, value);
            }
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(members)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            match seq.next_element::<IgnoredAny>()? {
                None => Ok(BTreeMap::new()),
                Some(_) => Err(serde::de::Error::custom("an array where an object was due")),
            }
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(BTreeMap::new())
        }
    }

    deserializer.deserialize_any(Few)
}

/// The first elements of an array of short strings; the others are read and forgotten.
pub(super) fn few_words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Few;

    impl<'de> Visitor<'de> for Few {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of strings")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut words = Vec::new();
            while words.len() < MAX_WORDS
                && let Some(word) = seq.next_element()?
            {
                words.push(shortened(word, MAX_WORD));
            }
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(words)
        }
    }

    deserializer.deserialize_seq(Few)
}

pub(super) fn shortened(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.shrink_to_fit();
    }
    text
}
