//! Members as serializers of the field write them: `null` and `[]` where nothing is meant, numbers and texts for truth values.
//! What is of another type than it should be is nothing, and takes nothing else down with it.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A text, or nothing.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(match serde_json::from_str::<&str>(raw.get()) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => serde_json::from_str(raw.get()).ok().map(Cow::Owned),
    })
}

/// The same, kept.
pub(crate) fn owned_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// A text, or the digits of a number; empty where it is anything else.
pub(crate) fn label<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(match raw.get() {
        number if number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => number.to_owned(),
        other => serde_json::from_str(other).unwrap_or_default(),
    })
}

/// Whether it says yes: `true`, in quotes or not, or a number that is not 0.
pub(crate) fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?.get().trim_matches('"');
    Ok(raw.eq_ignore_ascii_case("true") || raw.parse().is_ok_and(|number: f64| number != 0.0))
}

/// The blocks of a result's content, each as it was sent: those of an array, or the one that stands there without one, an
/// object or a mere text.
pub(crate) fn content<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<&'de RawValue>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(match raw.get().as_bytes().first() {
        Some(b'{' | b'"') => vec![raw],
        _ => serde_json::from_str(raw.get()).unwrap_or_default(),
    })
}

/// An object as it was sent; nothing where it is none.
pub(crate) fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Ok(Some(<&RawValue>::deserialize(deserializer)?).filter(|raw| raw.get().starts_with('{')))
}
