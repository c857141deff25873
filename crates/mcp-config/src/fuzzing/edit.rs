//! A file that is edited: one member is what was asked for, and everything else is as it was.

use crate::edit::{Change, EditErrorKind, Value, apply, restored, value_at, written_at};

/// How deep the values are that must be editable; deeper ones may be refused, for no reader would take them back.
const DEEP: usize = 32;

/// Whatever is in a file: what is set is found, what is removed is gone, the rest means what it meant, the same change again
/// changes nothing, and the bytes that were replaced come back.
///
/// The first line of the input is the path, with `/` between its keys; the second one is the value; the rest is the file.
pub fn edit(bytes: &[u8]) {
    let Ok(input) = std::str::from_utf8(bytes) else { return };
    let mut parts = input.splitn(3, '\n');
    let (Some(path), Some(value), Some(text)) = (parts.next(), parts.next(), parts.next()) else { return };
    let path: Vec<&str> = path.split('/').take(4).collect();
    let (Ok(value), Ok(before)) = (Value::parse(value), value_at::<&str>(text, &[])) else { return };
    let change = Change::Set(value.clone());
    let edited = match apply(text, &path, &change) {
        Ok(edited) => edited,
        Err(error) => {
            let is_deep =
                depth(&value) + path.len() > DEEP || before.as_ref().is_some_and(|v| depth(v) > DEEP);
            assert!(error.kind() != EditErrorKind::Unsafe || is_deep, "{error}");
            return;
        }
    };
    assert_eq!(found(&edited, &path), Some(value), "{edited:?}");
    assert_eq!(apply(&edited, &path, &change).ok().as_ref(), Some(&edited), "twice is once");
    let without = |text: &str| apply(text, &path, &Change::Remove).expect("what was set can be removed");
    let (old, new) = (without(text), without(&edited));
    assert_eq!(found(&new, &path), None, "{new:?}");
    let is_made = path[..path.len() - 1].iter().scan(Vec::new(), |keys, key| {
        keys.push(*key);
        Some(!matches!(found(text, keys), Some(Value::Object(_))))
    });
    // What was made on the way there stays, and is empty.
    if !is_made.into_iter().any(|made| made) {
        assert_eq!(found(&new, &[]), found(&old, &[]), "{old:?} {new:?}");
    }
    if let Some(bytes) = written_at(text, &path).expect("it was read before") {
        assert_eq!(restored(&edited, &path, &bytes).ok().as_deref(), Some(text), "{edited:?}");
    }
}

fn found(text: &str, path: &[&str]) -> Option<Value> {
    value_at(text, path).expect("what was edited can be read")
}

fn depth(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => members.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}
