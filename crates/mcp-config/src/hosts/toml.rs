//! TOML as the tree that all files become, with the place of everything in it.

use std::ops::Range;

use toml_edit::{Document, InlineTable, Item, Key, Table, Value as Toml};

use crate::json::{MAX_DEPTH, Member, Node, Object, Pointer, Span, SyntaxError, Value, WholeNumber};

/// Parses a whole text; spans are byte offsets into `text`, byte order mark included.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let error = |offset, message| SyntaxError { offset, pointer: Pointer::default(), message };
    if u32::try_from(text.len()).is_err() {
        return Err(error(0, "the file is too long"));
    }
    let document = Document::parse(text).map_err(|wrong| {
        // What the library says may quote the text, which may be a secret.
        let twice = wrong.message().contains("duplicate key");
        let message = if twice { "a key is written twice" } else { "this is not valid TOML" };
        error(wrong.span().map_or(0, |span| span.start), message)
    })?;
    let whole = 0..text.len();
    table(document.as_table(), &whole, 0).ok_or_else(|| error(0, "nested too deeply"))
}

fn node(span: Range<usize>, value: Value) -> Node {
    Node { span: Span::new(span.start, span.end), value }
}

/// `around` is the place of what has none of its own: a table that only the names of others imply.
fn table(table: &Table, around: &Range<usize>, depth: usize) -> Option<Node> {
    let members = table.iter().map(|(name, item)| member(name, table.key(name), around, depth, item));
    let members = members.collect::<Option<Vec<Member>>>()?;
    let span = table.span().unwrap_or_else(|| around.clone());
    Some(node(span, Value::Object(Object::of(members))))
}

fn member(name: &str, key: Option<&Key>, around: &Range<usize>, depth: usize, of: &Item) -> Option<Member> {
    let key_span = key.and_then(Key::span).unwrap_or_else(|| around.clone());
    let node = item(of, &key_span, depth + 1)?;
    let (start, end) = (key_span.start, key_span.end);
    Some(Member { key: name.into(), key_span: Span::new(start, end), node, overridden: false })
}

fn item(of: &Item, around: &Range<usize>, depth: usize) -> Option<Node> {
    if depth > MAX_DEPTH {
        return None;
    }
    match of {
        Item::None => Some(node(around.clone(), Value::Null)),
        Item::Value(of) => value(of, around, depth),
        Item::Table(of) => table(of, around, depth),
        Item::ArrayOfTables(tables) => {
            let items = tables.iter().map(|of| table(of, around, depth + 1)).collect::<Option<Vec<_>>>()?;
            let span = tables.span().unwrap_or_else(|| around.clone());
            Some(node(span, Value::Array(items.into_boxed_slice())))
        }
    }
}

fn value(of: &Toml, around: &Range<usize>, depth: usize) -> Option<Node> {
    if depth > MAX_DEPTH {
        return None;
    }
    let span = of.span().unwrap_or_else(|| around.clone());
    let value = match of {
        Toml::String(text) => Value::String(text.value().as_str().into()),
        Toml::Integer(number) => Value::Number(u64::try_from(*number.value()).ok().map(WholeNumber::of)),
        Toml::Float(number) => Value::Number(WholeNumber::parse(&number.value().to_string())),
        Toml::Boolean(flag) => Value::Bool(*flag.value()),
        Toml::Datetime(time) => Value::String(time.value().to_string().into_boxed_str()),
        Toml::Array(items) => {
            let items = items.iter().map(|of| value(of, &span, depth + 1)).collect::<Option<Vec<_>>>()?;
            Value::Array(items.into_boxed_slice())
        }
        Toml::InlineTable(of) => inline(of, &span, depth)?,
    };
    Some(node(span, value))
}

fn inline(of: &InlineTable, around: &Range<usize>, depth: usize) -> Option<Value> {
    let members = of.iter().map(|(name, of_member)| {
        let key_span = of.key(name).and_then(Key::span).unwrap_or_else(|| around.clone());
        let node = value(of_member, &key_span, depth + 1)?;
        let span = Span::new(key_span.start, key_span.end);
        Some(Member { key: name.into(), key_span: span, node, overridden: false })
    });
    Some(Value::Object(Object::of(members.collect::<Option<Vec<Member>>>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_in_every_form_are_objects_with_their_places() {
        let text = "# top\n[a.b]\nx = 1\ny = [\"p\", 2.5]\n[a.b.h]\n\"K-1\" = 'v'\n[a.c]\nz = {q = true, r.s = 3.0}\n[[l]]\nn = 1\n";
        let root = parse(text).unwrap();
        let at = |path: &[&str]| {
            path.iter().fold(&root, |node, key| node.as_object().unwrap().get(key).unwrap()).clone()
        };
        let written = |node: &Node| text[node.span.start()..node.span.end()].to_owned();
        assert_eq!(at(&["a", "b", "x"]).as_u64(), Some(1));
        assert_eq!(written(&at(&["a", "b", "y"])), "[\"p\", 2.5]");
        assert_eq!(at(&["a", "b", "h", "K-1"]).as_str(), Some("v"));
        assert_eq!(written(&at(&["a", "b", "h", "K-1"])), "'v'");
        assert_eq!(at(&["a", "c", "z", "q"]).as_bool(), Some(true));
        assert_eq!(at(&["a", "c", "z", "r", "s"]).as_u64(), Some(3), "a whole number, however it is written");
        assert_eq!(at(&["l"]).as_array().unwrap().len(), 1);
        let a = root.as_object().unwrap().iter().next().unwrap();
        let b = a.node.as_object().unwrap().iter().next().unwrap();
        assert_eq!(&text[b.key_span.start()..b.key_span.end()], "b");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_without_the_text() {
        for (text, offset, message) in [
            ("a = 1\na = \"canary\"\n", 6, "a key is written twice"),
            ("a = canary\n", 4, "this is not valid TOML"),
            ("[a\n", 2, "this is not valid TOML"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.offset, error.message), (offset, message), "{text:?}");
        }
        assert!(parse(&format!("a = {}1{}", "[".repeat(500), "]".repeat(500))).is_err());
    }
}
