//! How a text is laid out: its line ends, its indentation, and what stands between its values.

use super::Value;
use crate::json::{Member, Node};

impl Value {
    /// The value as JSON on one line. May hold secrets.
    pub fn to_json(&self) -> String {
        Style::one_line().rendered(self, "", false)
    }
}

/// How new text is written so that it looks like the rest.
#[derive(Clone, Debug)]
pub(super) struct Style {
    pub(super) line_end: &'static str,
    /// One step of indentation.
    pub(super) unit: String,
    /// It is not all on one line.
    pub(super) has_lines: bool,
    /// There is a blank after a colon or a comma.
    pub(super) spaced: bool,
}

impl Style {
    pub(super) fn of(text: &str, root: &Node) -> Self {
        let body = &text[root.span.start()..root.span.end()];
        let is_empty = root.as_object().is_some_and(|object| object.all().is_empty());
        let first = first_member(root);
        let spaced = first.is_none_or(|member| {
            text[member.key_span.end()..member.node.span.start()].ends_with(|c: char| c.is_ascii_whitespace())
        });
        Self {
            line_end: Self::line_end(text),
            unit: unit(text, root).unwrap_or_else(|| "  ".to_owned()),
            has_lines: is_empty || body.contains('\n'),
            spaced,
        }
    }

    pub(super) fn one_line() -> Self {
        Self { line_end: "\n", unit: String::new(), has_lines: false, spaced: true }
    }

    /// The line ends of a text are those of its first line.
    pub(super) fn line_end(text: &str) -> &'static str {
        match text.find('\n') {
            Some(at) if text[..at].ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }

    /// `"key": value`, whose line begins with `indent`.
    pub(super) fn member(&self, key: &str, value: &Value, indent: &str, on_lines: bool) -> String {
        let gap = if self.spaced { " " } else { "" };
        format!("{}:{gap}{}", quoted(key), self.rendered(value, indent, on_lines))
    }

    /// A value whose first line begins with `indent`.
    pub(super) fn rendered(&self, value: &Value, indent: &str, on_lines: bool) -> String {
        match value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(text) => text.clone(),
            Value::String(text) => quoted(text),
            Value::Array(items) => {
                // Lists of words are short: arguments, scopes.
                let on_lines = on_lines && items.iter().any(Value::has_parts);
                let inner = format!("{indent}{}", self.unit);
                let items = items.iter().map(|item| self.rendered(item, &inner, on_lines)).collect();
                self.listed(['[', ']'], items, indent, on_lines)
            }
            Value::Object(members) => {
                let inner = format!("{indent}{}", self.unit);
                let members =
                    members.iter().map(|(key, value)| self.member(key, value, &inner, on_lines)).collect();
                self.listed(['{', '}'], members, indent, on_lines)
            }
        }
    }

    fn listed(&self, [open, close]: [char; 2], items: Vec<String>, indent: &str, on_lines: bool) -> String {
        if items.is_empty() {
            return format!("{open}{close}");
        }
        if !on_lines {
            let gap = if self.spaced { ", " } else { "," };
            return format!("{open}{}{close}", items.join(gap));
        }
        let line = format!("{}{indent}{}", self.line_end, self.unit);
        let items = items.join(&format!(",{line}"));
        format!("{open}{line}{items}{}{indent}{close}", self.line_end)
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn first_member(node: &Node) -> Option<&Member> {
    node.as_object()?.all().first()
}

/// One step of indentation: how far the first member that begins a line is from the line of its object.
fn unit(text: &str, node: &Node) -> Option<String> {
    let object = node.as_object()?;
    let outer = indent_of_line(text, node.span.start());
    let steps = object.all().iter().filter(|member| begins_its_line(text, member.key_span.start()));
    let step = steps
        .filter_map(|member| indent_of_line(text, member.key_span.start()).strip_prefix(outer))
        .find(|step| !step.is_empty());
    match step {
        Some(step) => Some(step.to_owned()),
        None => object.all().iter().find_map(|member| unit(text, &member.node)),
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(if text.starts_with('\u{feff}') { 3 } else { 0 }, |newline| newline + 1)
}

/// The blanks that the line of `at` begins with.
pub(super) fn indent_of_line(text: &str, at: usize) -> &str {
    let line = &text[line_start(text, at)..at];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

/// Whether there is a line before this one, and nothing before `at` on it.
pub(super) fn begins_its_line(text: &str, at: usize) -> bool {
    let start = line_start(text, at);
    start > 0 && text[..start].ends_with('\n') && text[start..at].trim_matches([' ', '\t']).is_empty()
}

/// Where the line break before the line of `at` begins.
pub(super) fn line_break_before(text: &str, at: usize) -> usize {
    let newline = line_start(text, at) - 1;
    if text[..newline].ends_with('\r') { newline - 1 } else { newline }
}

/// Whether only blanks follow on the line of `at`, and another line after it.
pub(super) fn rest_of_line_is_blank(text: &str, at: usize) -> bool {
    let rest = &text[at..];
    rest.find('\n').is_some_and(|newline| rest[..newline].trim().is_empty())
}

/// Where a comment that begins at `at` ends: before its line break, if it is one of a line.
fn comment_end(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    if rest.starts_with("//") {
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        Some(at + line.trim_end_matches('\r').len())
    } else if rest.starts_with("/*") {
        Some(rest.find("*/").map_or(text.len(), |end| at + end + 2))
    } else {
        None
    }
}

/// Where something begins that is neither blank nor comment.
pub(super) fn skip_trivia(text: &str, mut at: usize) -> usize {
    loop {
        at = text.len() - text[at..].trim_start_matches([' ', '\t', '\r', '\n']).len();
        match comment_end(text, at) {
            Some(end) => at = end,
            None => return at,
        }
    }
}

/// The end of the comments that begin on the line of `at`, and follow it with nothing between; `at` where there is none.
pub(super) fn end_of_comments(text: &str, at: usize) -> usize {
    let mut end = at;
    loop {
        let next = text.len() - text[end..].trim_start_matches([' ', '\t']).len();
        match comment_end(text, next) {
            Some(after) => end = after,
            None => return end,
        }
    }
}

/// The end of what stands between `from` and `to`, without the blanks at its end.
pub(super) fn without_trailing_blanks(text: &str, from: usize, to: usize) -> usize {
    from + text[from..to].trim_end_matches([' ', '\t', '\r', '\n']).len()
}
