//! An entry in our words, while it is read from those of a host.

use crate::hosts::words;
use crate::json::{Member, Node, Object, Span, Value, WholeNumber};

/// An entry in our words, as far as it is read.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) fields: Vec<Member>,
    pub(super) headers: Vec<Member>,
    pub(super) env: Vec<Member>,
    pub(super) args: Vec<Node>,
    pub(super) oauth: Vec<Member>,
    /// Where the groups stand.
    pub(super) spans: Groups,
    /// The word for how it is spoken to, and what the word of its address says about that.
    pub(super) kind: Option<(String, Span)>,
    pub(super) implied: Option<&'static str>,
}

#[derive(Default)]
pub(super) struct Groups {
    pub(super) headers: Option<(Span, Span)>,
    pub(super) env: Option<(Span, Span)>,
    pub(super) args: Option<(Span, Span)>,
    pub(super) oauth: Option<(Span, Span)>,
}

/// What is in an object of its own.
#[derive(Clone, Copy)]
pub(super) enum Group {
    Headers,
    Env,
}

impl Group {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Env => "env",
        }
    }
}

impl Draft {
    /// The last one of a name counts.
    pub(super) fn push(&mut self, key: &str, key_span: Span, node: Node) {
        self.fields.push(Member { key: key.into(), key_span, node, overridden: false });
    }

    pub(super) fn group(&mut self, group: Group) -> (&mut Option<(Span, Span)>, &mut Vec<Member>) {
        match group {
            Group::Headers => (&mut self.spans.headers, &mut self.headers),
            Group::Env => (&mut self.spans.env, &mut self.env),
        }
    }

    pub(super) fn header(&mut self, name: &str, key_span: Span, node: Node) {
        self.spans.headers.get_or_insert((key_span, node.span));
        self.headers.push(Member { key: name.into(), key_span, node, overridden: false });
    }

    /// The entry; `name` is where it has its name.
    pub(super) fn finish(mut self, name: Span) -> Object {
        let is_wrong = |key: &str| self.fields.iter().any(|field| &*field.key == key);
        let url = self.fields.iter().find(|field| &*field.key == "url");
        let address = url.and_then(|field| field.node.as_str());
        let kind = match &self.kind {
            Some((word, span)) => Some((meant(word), *span)),
            None => url.map(|field| {
                let socket = address.is_some_and(|text| text.starts_with("ws:") || text.starts_with("wss:"));
                let kind = self.implied.unwrap_or(if socket { "ws" } else { "http" });
                (kind.to_owned(), field.key_span)
            }),
        };
        let mut members = Vec::with_capacity(self.fields.len() + 5);
        let group = |key: &str, at: Option<(Span, Span)>, value: Value| {
            let (key_span, span) = at.unwrap_or((name, name));
            Member { key: key.into(), key_span, node: Node { span, value }, overridden: false }
        };
        if let Some((kind, span)) = kind.filter(|_| !is_wrong("type")) {
            members.push(group("type", Some((span, span)), Value::String(kind.into())));
        }
        let spans = self.spans;
        let groups = [
            ("headers", spans.headers, self.headers),
            ("env", spans.env, self.env),
            ("oauth", spans.oauth, self.oauth),
        ];
        let wrong: Vec<bool> = ["headers", "env", "oauth", "args"].map(is_wrong).into();
        members.append(&mut self.fields);
        if spans.args.is_some() && !wrong[3] && !self.args.is_empty() {
            members.push(group("args", spans.args, Value::Array(self.args.into_boxed_slice())));
        }
        for ((key, at, fields), wrong) in groups.into_iter().zip(wrong) {
            // Where a block is empty, it says nothing.
            if at.is_some() && !wrong && !fields.is_empty() {
                members.push(group(key, at, Value::Object(Object::of(fields))));
            }
        }
        Object::of(members)
    }
}

/// Our word for a `type`; one that means nothing is left for the reader of entries to tell.
fn meant(word: &str) -> String {
    let plain = word.to_ascii_lowercase();
    if ["stdio", "http", "sse", "ws", "sdk"].contains(&&*plain) {
        return plain;
    }
    words::kind(word).map_or_else(|| word.to_owned(), str::to_owned)
}

/// A value that is said at one place.
pub(super) fn json_node(value: &serde_json::Value, span: Span) -> Node {
    let value = match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Number(number.as_u64().map(WholeNumber::of)),
        serde_json::Value::String(text) => Value::String(text.as_str().into()),
        serde_json::Value::Array(items) => {
            Value::Array(items.iter().map(|item| json_node(item, span)).collect())
        }
        serde_json::Value::Object(members) => Value::Object(Object::of(
            members
                .iter()
                .map(|(key, value)| Member {
                    key: key.as_str().into(),
                    key_span: span,
                    node: json_node(value, span),
                    overridden: false,
                })
                .collect(),
        )),
    };
    Node { span, value }
}
