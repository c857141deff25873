//! Changing single members of JSON objects; every other byte stays as it was.

use mcp_transport::message::{Members, Object, write_string};
use serde_json::value::RawValue;

/// A JSON text of ours as a value; `null` where it is none, which a text of ours never is.
pub fn raw(text: impl Into<String>) -> Box<RawValue> {
    RawValue::from_string(text.into()).unwrap_or_default()
}

/// `text` as a JSON string.
pub fn string(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

/// The string in `value`, if it is one.
pub fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// The members of `value` without `dropped`, then `added`.
pub fn with_members(value: Option<&RawValue>, dropped: &[&str], added: &[(&str, &str)]) -> Box<RawValue> {
    let members = value.and_then(|value| Members::read(value.get())).unwrap_or_default();
    let mut object = Object::new();
    for (key, value) in members.iter().filter(|(key, _)| !dropped.contains(key)) {
        object.member(key, value.get());
    }
    for (key, value) in added {
        object.member(key, value);
    }
    object.finish()
}

/// What becomes of a member.
#[derive(Debug)]
pub(crate) enum Edit {
    Keep,
    Drop,
    Replace(Box<RawValue>),
}

/// The object `text` with some members dropped or replaced, and every other byte as it was; `None` where it is not an object, or
/// nothing is to be done.
pub(crate) fn edited(text: &str, mut edit: impl FnMut(&str, &RawValue) -> Edit) -> Option<String> {
    let members = Members::read(text)?;
    let edits: Vec<(&RawValue, Edit)> =
        members.iter().map(|(name, value)| (value, edit(name, value))).collect();
    if edits.iter().all(|(_, edit)| matches!(edit, Edit::Keep)) {
        return None;
    }
    // The values are parts of `text`, so their places in it are known.
    let place = |value: &RawValue| value.get().as_ptr().addr() - text.as_ptr().addr();
    let mut end = text.find('{')? + 1;
    let mut out = text[..end].to_owned();
    let mut is_first = true;
    for (value, edit) in edits {
        let begin = place(value);
        // Its name, and the comma before that unless it is the first.
        let mut head = &text[end..begin];
        end = begin + value.get().len();
        let value = match &edit {
            Edit::Keep => value.get(),
            Edit::Replace(other) => other.get(),
            Edit::Drop => continue,
        };
        if is_first {
            head = head.trim_start().strip_prefix(',').unwrap_or(head);
        }
        is_first = false;
        out.push_str(head);
        out.push_str(value);
    }
    out.push_str(&text[end..]);
    Some(out)
}

/// `params` with other members in its `_meta`: without those that `dropped` names, and with `added`. A `_meta`
/// that is left empty goes.
pub fn with_meta(
    params: Option<&RawValue>,
    dropped: impl Fn(&str) -> bool,
    added: &[(&str, &str)],
) -> Box<RawValue> {
    let members = params.and_then(|params| Members::read(params.get())).unwrap_or_default();
    let mut meta = Object::new();
    let before = members.get("_meta").and_then(|meta| Members::read(meta.get())).unwrap_or_default();
    let replaced = |key: &str| added.iter().any(|(name, _)| *name == key);
    for (key, value) in before.iter().filter(|(key, _)| !dropped(key) && !replaced(key)) {
        meta.member(key, value.get());
    }
    for (key, value) in added {
        meta.member(key, value);
    }
    let mut object = Object::new();
    if !meta.is_empty() {
        object.member("_meta", meta.finish().get());
    }
    for (key, value) in members.iter().filter(|(key, _)| *key != "_meta") {
        object.member(key, value.get());
    }
    object.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_changes_what_it_names_and_no_other_byte() {
        let of = |text: &str| {
            edited(text, |name, _| match name {
                "x" => Edit::Drop,
                "r" => Edit::Replace(raw("0")),
                _ => Edit::Keep,
            })
        };
        for (before, after) in [
            (r#"{ "x" : 1 , "a":[ ] }"#, r#"{ "a":[ ] }"#),
            (r#"{ "a" : 1.0 ,"x":{"x":2},"b" : 3 }"#, r#"{ "a" : 1.0,"b" : 3 }"#),
            (r#"{"a":1,"x":2 }"#, r#"{"a":1 }"#),
            (r#"{"x":1,"\u0078":2}"#, "{}"),
            (r#" {"x":1,"r":"é", "\u0061":"\u00e9"}"#, r#" {"r":0, "\u0061":"\u00e9"}"#),
        ] {
            assert_eq!(of(before).as_deref(), Some(after), "{before}");
        }
        for same in [r#"{"a":{"x":1}}"#, "{ }", "[1]", "1"] {
            assert_eq!(of(same), None, "{same}");
        }
    }

    #[test]
    fn other_members_keep_their_bytes_and_their_order() {
        let params = raw(r#"{ "b" : 1.00 , "_meta":{"x":[ ],"k":1},"a":"\u00e9"}"#);
        assert_eq!(
            with_meta(Some(&params), |key| key == "k", &[("new", "2")]).get(),
            r#"{"_meta":{"x":[ ],"new":2},"b":1.00,"a":"\u00e9"}"#
        );
        assert_eq!(with_meta(Some(&params), |_| true, &[]).get(), r#"{"b":1.00,"a":"\u00e9"}"#);
        assert_eq!(with_meta(None, |_| true, &[]).get(), "{}");
        assert_eq!(with_meta(None, |_| true, &[("a", "1")]).get(), r#"{"_meta":{"a":1}}"#);
        assert_eq!(
            with_meta(Some(&params), |_| false, &[("x", "3")]).get(),
            r#"{"_meta":{"k":1,"x":3},"b":1.00,"a":"\u00e9"}"#
        );
        assert_eq!(
            with_members(Some(&params), &["b", "_meta"], &[("c", "3")]).get(),
            r#"{"a":"\u00e9","c":3}"#
        );
    }
}
