//! Changes one member of a configuration file, as text. Nothing is read or written here: see [`Editor`](crate::editor::Editor).
//!
//! The design decision of this module: **what is not named is not touched.** A change is a few splices into the text, at
//! the places that the reader's own parser found, so comments, order, indentation, line ends, a byte order mark and
//! whatever other programs keep in the file stay byte for byte, and what is changed is what is read. A tree that is printed
//! again cannot promise that, and neither can an editor of its own dialect, which may see another member where a name is
//! written twice.
//!
//! Before a text is handed out it is read again and compared: everything beside the path must be written as it was.

mod error;
mod layout;
mod shown;
#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;
use std::ops::Range;

pub use error::{EditError, EditErrorKind};
pub use value::Value;

use crate::json::{self, Member, Node, Object, Pointer};
use layout::{
    Style, begins_its_line, end_of_comments, indent_of_line, line_break_before, rest_of_line_is_blank,
    skip_trivia, without_trailing_blanks,
};

/// What to do with the member at a path.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Give it this value. What is missing on the way to it is made; a new member comes last.
    Set(Value),
    /// Take it away, wherever the name is written; nothing happens where it is not. A comment on the line of its end goes
    /// with it, one on a line of its own stays.
    Remove,
}

/// Applies `change` to the member at `path`, a list of keys, of the JSON document `text`. Comments and trailing commas
/// are understood; a text that holds nothing is an empty object.
///
/// # Errors
///
/// The text is not JSON ([`EditErrorKind::Syntax`]), what `path` leads through is not an object
/// ([`EditErrorKind::WrongShape`]), or the change could not be made without touching anything else
/// ([`EditErrorKind::Unsafe`]).
///
/// # Examples
///
/// ```
/// use mcp_config::edit::{Change, Value, apply};
///
/// let text = "{\n  // mine\n  \"mcpServers\": {\"a\": {\"command\": \"a\"}}\n}\n";
/// let change = Change::Set(Value::Bool(true));
/// let edited = apply(text, &["mcpServers", "a", "disabled"], &change)?;
/// assert_eq!(edited, text.replace("\"a\"}", "\"a\", \"disabled\": true}"));
/// assert_eq!(apply(&edited, &["mcpServers", "a", "disabled"], &Change::Remove)?, text);
/// # Ok::<(), mcp_config::edit::EditError>(())
/// ```
pub fn apply<S: AsRef<str>>(text: &str, path: &[S], change: &Change) -> Result<String, EditError> {
    let path = &keys(path);
    let edited = match change {
        Change::Set(value) => set(&with_root(text), path, value)?,
        Change::Remove if is_trivia(text) => return Ok(text.to_owned()),
        Change::Remove => remove(text, path)?,
    };
    if is_as_asked(&with_root(text), &edited, path, change) {
        Ok(edited)
    } else {
        Err(EditError::new(EditErrorKind::Unsafe))
    }
}

/// The value at `path`, as it is in force; `None` where there is none.
///
/// # Errors
///
/// The text is not JSON.
pub fn value_at<S: AsRef<str>>(text: &str, path: &[S]) -> Result<Option<Value>, EditError> {
    let text = with_root(text);
    let root = parse(&text)?;
    let node = path.iter().try_fold(&root, |node, key| node.as_object()?.get(key.as_ref()));
    Ok(node.map(|node| Value::of(&text, node)))
}

/// The bytes of the value at `path`, as they are written; `None` where there is none. They may hold secrets.
///
/// # Errors
///
/// The text is not JSON.
pub fn written_at<S: AsRef<str>>(text: &str, path: &[S]) -> Result<Option<String>, EditError> {
    let text = with_root(text);
    let root = parse(&text)?;
    let node = path.iter().try_fold(&root, |node, key| node.as_object()?.get(key.as_ref()));
    Ok(node.map(|node| written(&text, node).to_owned()))
}

/// The text with these bytes as the value at `path`, in the place of the one that is there.
///
/// # Errors
///
/// The text is not JSON, there is nothing at `path`, or the bytes are no value.
pub fn restored<S: AsRef<str>>(text: &str, path: &[S], bytes: &str) -> Result<String, EditError> {
    let path = &keys(path);
    let root = parse(text)?;
    let node = path.iter().try_fold(&root, |node, key| node.as_object()?.get(key));
    let Some(node) = node else { return Err(EditError::new(EditErrorKind::Unsafe)) };
    let value = Value::parse(bytes)?;
    let range = node.span.start()..node.span.end();
    let edited = spliced(text, &[Splice { range, text: bytes.to_owned() }]);
    if is_as_asked(text, &edited, path, &Change::Set(value)) {
        Ok(edited)
    } else {
        Err(EditError::new(EditErrorKind::Unsafe))
    }
}

/// The line, from 1, on which the name of the member at `path` stands; `None` where there is no such member.
pub fn line_of<S: AsRef<str>>(text: &str, path: &[S]) -> Option<usize> {
    let root = json::parse(text).ok()?;
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(&root, |node, key| node.as_object()?.get(key.as_ref()))?;
    let member = in_force(parent.as_object()?, last.as_ref())?;
    Some(json::LineIndex::new(text).line(member.key_span.start()))
}

fn keys<S: AsRef<str>>(path: &[S]) -> Vec<&str> {
    path.iter().map(AsRef::as_ref).collect()
}

fn parse(text: &str) -> Result<Node, EditError> {
    json::parse(text).map_err(|error| EditError::syntax(text, &error))
}

/// Whether there are only blanks and comments in it.
fn is_trivia(text: &str) -> bool {
    json::parse(text).is_err() && json::parse(&format!("{text}\n{{}}")).is_ok()
}

/// The text, with an empty object where it holds nothing.
fn with_root(text: &str) -> Cow<'_, str> {
    if !is_trivia(text) {
        return Cow::Borrowed(text);
    }
    let line_end = Style::line_end(text);
    let marks = if text.starts_with('\u{feff}') { "\u{feff}" } else { "" };
    let kept = text.trim_start_matches('\u{feff}');
    if kept.trim().is_empty() {
        return Cow::Owned(format!("{marks}{{}}{line_end}"));
    }
    let gap = if kept.ends_with('\n') { "" } else { line_end };
    Cow::Owned(format!("{text}{gap}{{}}{line_end}"))
}

/// One piece of text in the place of another.
struct Splice {
    range: Range<usize>,
    text: String,
}

impl Splice {
    fn insert(at: usize, text: impl Into<String>) -> Self {
        Self { range: at..at, text: text.into() }
    }

    fn delete(range: Range<usize>) -> Self {
        Self { range, text: String::new() }
    }
}

/// The text with these splices, which are in its order and do not overlap.
fn spliced(text: &str, splices: &[Splice]) -> String {
    let mut edited = String::with_capacity(text.len() + splices.iter().map(|s| s.text.len()).sum::<usize>());
    let mut at = 0;
    for Splice { range, text: new } in splices {
        edited.push_str(&text[at..range.start]);
        edited.push_str(new);
        at = range.end;
    }
    edited.push_str(&text[at..]);
    edited
}

/// The member of this name that counts.
fn in_force<'o>(object: &'o Object, key: &str) -> Option<&'o Member> {
    object.all().iter().rev().find(|member| *member.key == *key)
}

fn set(text: &str, path: &[&str], value: &Value) -> Result<String, EditError> {
    let root = parse(text)?;
    let style = Style::of(text, &root);
    let mut node = &root;
    let mut walked = Pointer::default();
    // Where the line begins on which the value stands.
    let mut indent = "";
    for (depth, key) in path.iter().enumerate() {
        let Some(object) = node.as_object() else {
            if node.is_null() && depth > 0 {
                // As good as absent, for the reader as well.
                return Ok(replaced(text, node, &value.below(&path[depth..]), indent, &style));
            }
            return Err(EditError::wrong_shape(text, node, &walked));
        };
        let Some(member) = in_force(object, key) else {
            return Ok(inserted(text, node, object, key, &value.below(&path[depth + 1..]), &style));
        };
        indent = indent_of_line(text, member.key_span.start());
        walked = walked.key(key);
        node = &member.node;
    }
    Ok(replaced(text, node, value, indent, &style))
}

fn replaced(text: &str, node: &Node, value: &Value, indent: &str, style: &Style) -> String {
    let old = node.span.start()..node.span.end();
    let is_on_lines = style.has_lines && (text[old.clone()].contains('\n') || !value.is_same_shape(node));
    let new = style.rendered(value, indent, is_on_lines);
    spliced(text, &[Splice { range: old, text: new }])
}

fn inserted(text: &str, node: &Node, object: &Object, key: &str, value: &Value, style: &Style) -> String {
    let (open, close) = (node.span.start(), node.span.end() - 1);
    let Some(last) = object.all().last() else {
        let filled = without_trailing_blanks(text, open + 1, close);
        let is_blank = filled == open + 1;
        if !style.has_lines {
            let member = style.member(key, value, "", false);
            let range = if is_blank { open + 1..close } else { filled..filled };
            return spliced(text, &[Splice { range, text: member }]);
        }
        let outer = indent_of_line(text, open);
        let indent = format!("{outer}{}", style.unit);
        let member = style.member(key, value, &indent, true);
        let line_end = style.line_end;
        let mut new = format!("{line_end}{indent}{member}");
        let mut range = filled..filled;
        if !text[filled..close].contains('\n') {
            new.push_str(line_end);
            new.push_str(outer);
            range.end = close;
        }
        return spliced(text, &[Splice { range, text: new }]);
    };
    let end = last.node.span.end();
    let comma = skip_trivia(text, end);
    let has_comma = text[comma..].starts_with(',');
    let after = if has_comma { comma + 1 } else { end };
    let trailing = if has_comma { "," } else { "" };
    let own_line = |member: &&Member| begins_its_line(text, member.key_span.start());
    // Its neighbours say how it is laid out, the nearest first.
    let neighbour = object.all().iter().rev().find(own_line);
    let mut splices = Vec::new();
    if !has_comma {
        splices.push(Splice::insert(end, ","));
    }
    match neighbour {
        Some(neighbour) => {
            let indent = indent_of_line(text, neighbour.key_span.start());
            let member = style.member(key, value, indent, true);
            let at = end_of_comments(text, after);
            splices.push(Splice::insert(at, format!("{}{indent}{member}{trailing}", style.line_end)));
        }
        None => {
            let member = style.member(key, value, "", false);
            let gap = if style.spaced { " " } else { "" };
            splices.push(Splice::insert(after, format!("{gap}{member}{trailing}")));
        }
    }
    spliced(text, &splices)
}

fn remove(text: &str, path: &[&str]) -> Result<String, EditError> {
    let mut edited = text.to_owned();
    // A name that is written twice is not gone until it is gone twice.
    loop {
        let root = parse(&edited)?;
        let Some((key, parents)) = path.split_last() else {
            return Err(EditError::wrong_shape(&edited, &root, &Pointer::default()));
        };
        let parent = parents.iter().try_fold(&root, |node, key| node.as_object()?.get(key));
        let found = parent.and_then(|parent| {
            let members = parent.as_object()?.all();
            let number = members.iter().rposition(|member| *member.key == **key)?;
            Some((parent, members, number))
        });
        let Some((parent, members, number)) = found else { return Ok(edited) };
        edited = without(&edited, parent, members, number);
    }
}

/// The text without the member of this number.
fn without(text: &str, parent: &Node, members: &[Member], number: usize) -> String {
    let member = &members[number];
    let previous = number.checked_sub(1).map(|number| &members[number]);
    let is_last = number + 1 == members.len();
    let (start, mut end) = (member.key_span.start(), member.node.span.end());
    let comma = skip_trivia(text, end);
    let has_comma = text[comma..].starts_with(',');
    if has_comma {
        end = comma + 1;
    }
    let commented = end_of_comments(text, end);
    let own_line = begins_its_line(text, start);
    let range = if own_line && rest_of_line_is_blank(text, commented) {
        line_break_before(text, start)..commented
    } else if own_line || (previous.is_none() && !is_last) {
        // What follows takes its place.
        start..end + blanks(&text[end..])
    } else {
        start - trailing_blanks(&text[..start])..end
    };
    let mut splices = vec![Splice::delete(range)];
    // What is now the last one has no comma after it, unless the last one had.
    if let (true, false, Some(previous)) = (is_last, has_comma, previous) {
        let comma = skip_trivia(text, previous.node.span.end());
        splices.insert(0, Splice::delete(comma..comma + 1));
    }
    let (open, close) = (parent.span.start() + 1, parent.span.end() - 1);
    let kept = [open..splices[0].range.start, splices[splices.len() - 1].range.end..close];
    if members.len() == 1 && kept.into_iter().all(|range| text[range].trim().is_empty()) {
        splices = vec![Splice::delete(open..close)];
    }
    spliced(text, &splices)
}

fn blanks(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t']).len()
}

fn trailing_blanks(text: &str) -> usize {
    text.len() - text.trim_end_matches([' ', '\t']).len()
}

/// Whether the only difference is at `path`, and is the one that was asked for.
fn is_as_asked(before: &str, after: &str, path: &[&str], change: &Change) -> bool {
    let (Ok(old), Ok(new)) = (json::parse(before), json::parse(after)) else { return false };
    let Some((last, _)) = path.split_last() else { return matches!(change, Change::Set(_)) };
    let (mut old, mut new) = (Some(&old), &new);
    for key in path {
        let Some(new_object) = new.as_object() else {
            // Nothing leads there, before or after.
            return *change == Change::Remove
                && old.is_some_and(|old| written(before, old) == written(after, new));
        };
        let removed = *change == Change::Remove && std::ptr::eq(key, last);
        let old_object = old.and_then(Node::as_object);
        if others(before, old_object, key, removed) != others(after, Some(new_object), key, removed) {
            return false;
        }
        old = old_object.and_then(|object| object.get(key));
        match new_object.get(key) {
            Some(node) => new = node,
            None => return *change == Change::Remove,
        }
    }
    match change {
        Change::Set(value) => Value::of(after, new) == *value,
        Change::Remove => false,
    }
}

/// The members of an object as they are written, but for the one of this name that counts, or for all of this name.
fn others<'t>(text: &'t str, object: Option<&Object>, key: &str, all: bool) -> Vec<(String, &'t str)> {
    let members = object.map_or(&[][..], Object::all);
    let counts = members.iter().rposition(|member| *member.key == *key);
    let kept = members
        .iter()
        .enumerate()
        .filter(|(number, member)| if all { *member.key != *key } else { Some(*number) != counts });
    kept.map(|(_, member)| (member.key.to_string(), written(text, &member.node))).collect()
}

fn written<'t>(text: &'t str, node: &Node) -> &'t str {
    &text[node.span.start()..node.span.end()]
}
