//! YAML as the tree that all files become, with the place of everything in it.
//!
//! The parser gives events and resolves nothing; what plain words are is decided here, by the core schema (YAML 1.2.2
//! section 10.3). An alias stands for a copy of what it names, and how much may come of that is bounded: a few lines can
//! stand for more than any memory holds.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Marks};

use crate::json::{MAX_DEPTH, Member, Node, Object, Pointer, Span, SyntaxError, Value, WholeNumber};

/// How many values all aliases of a file together may stand for.
const MAX_COPIES: usize = 10_000;

/// Parses the first document of a text; spans are byte offsets into `text`.
pub(crate) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let offsets = Offsets::of(text);
    let error = |offset, message| SyntaxError { offset, pointer: Pointer::default(), message };
    if u32::try_from(text.len()).is_err() {
        return Err(error(0, "the file is too long"));
    }
    let mut tree = Tree::default();
    for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        // What the library says may quote the text, which may be a secret.
        let (event, marks) =
            event.map_err(|wrong| error(offsets.byte(wrong.marker().index()), "this is not valid YAML"))?;
        let span = offsets.span(&marks);
        match tree.add(event, span) {
            Ok(true) => {}
            Ok(false) => break,
            Err(message) => return Err(error(tree.twice.unwrap_or(span.start()), message)),
        }
    }
    tree.root.ok_or_else(|| error(0, "the file is empty"))
}

/// Byte offsets of characters, which the parser counts.
struct Offsets {
    starts: Option<Vec<u32>>,
    mark: usize,
    length: usize,
}

impl Offsets {
    fn of(text: &str) -> Self {
        let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let starts = || text[mark..].char_indices().map(|(at, _)| narrow(at)).collect();
        let starts = (!text.is_ascii()).then(starts);
        Self { starts, mark, length: text.len() }
    }

    fn byte(&self, index: usize) -> usize {
        let at = match &self.starts {
            Some(starts) => starts.get(index).map(|at| *at as usize + self.mark),
            None => Some(index),
        };
        at.unwrap_or(self.length).min(self.length)
    }

    fn span(&self, marks: &Marks) -> Span {
        let start = self.byte(marks.start.index());
        Span::new(start, self.byte(marks.end.index()).max(start))
    }
}

/// What is being built: the containers that are open, and what anchors name.
#[derive(Default)]
struct Tree {
    open: Vec<OpenBlock>,
    anchors: HashMap<usize, (Node, usize)>,
    copies: usize,
    /// Where a key stands for the second time.
    twice: Option<usize>,
    root: Option<Node>,
}

struct OpenBlock {
    anchor: usize,
    start: usize,
    content: Content,
    /// How many values are in it.
    size: usize,
}

enum Content {
    Items(Vec<Node>),
    /// The members, and the key whose value comes next.
    Members(Vec<Member>, Option<(Box<str>, Span)>),
}

impl Tree {
    /// Takes an event; returns whether more of the document follows.
    fn add(&mut self, event: Event<'_>, span: Span) -> Result<bool, &'static str> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let core = tag.as_ref().filter(|tag| tag.is_yaml_core_schema()).map(|tag| &*tag.suffix);
                let plain = style == ScalarStyle::Plain && core != Some("str");
                let value = if plain { resolved(&text) } else { Value::String((*text).into()) };
                self.put(Node { span, value }, Some(&text), anchor, 1)?;
            }
            Event::SequenceStart(anchor, _) => self.open(anchor, span, Content::Items(Vec::new()))?,
            Event::MappingStart(anchor, _) => self.open(anchor, span, Content::Members(Vec::new(), None))?,
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(false) };
                let value = match open.content {
                    Content::Items(items) => Value::Array(items.into_boxed_slice()),
                    Content::Members(members, _) => Value::Object(self.object(members)?),
                };
                let node = Node { span: Span::new(open.start, span.end().max(open.start)), value };
                self.put(node, None, open.anchor, open.size)?;
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err("an alias stands inside of what it names");
                };
                self.copies += size;
                if self.copies > MAX_COPIES {
                    return Err("its aliases stand for too much");
                }
                let text = node.as_str().map(str::to_owned);
                self.put(Node { span, ..node }, text.as_deref(), 0, size)?;
            }
            Event::DocumentEnd => return Ok(false),
            _ => {}
        }
        Ok(true)
    }

    /// Hosts do not read a file in which a key is written twice, as YAML 1.2.2 (3.2.1.3) wants it.
    fn object(&mut self, members: Vec<Member>) -> Result<Object, &'static str> {
        let object = Object::of(members);
        let Some(first) = object.overridden().next() else { return Ok(object) };
        let same = object.all().iter().filter(|member| member.key == first.key);
        self.twice = same.map(|member| member.key_span.start()).nth(1);
        Err("a key is written twice")
    }

    fn open(&mut self, anchor: usize, span: Span, content: Content) -> Result<(), &'static str> {
        if self.open.len() == MAX_DEPTH {
            return Err("nested too deeply");
        }
        self.open.push(OpenBlock { anchor, start: span.start(), content, size: 1 });
        Ok(())
    }

    /// `text` is what a scalar says, for a key.
    fn put(
        &mut self,
        node: Node,
        text: Option<&str>,
        anchor: usize,
        size: usize,
    ) -> Result<(), &'static str> {
        if anchor > 0 {
            // A copy for the aliases is one that counts.
            self.copies += size;
            if self.copies > MAX_COPIES {
                return Err("its anchors name too much");
            }
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.size += size;
        match &mut open.content {
            Content::Items(items) => items.push(node),
            Content::Members(members, key) => match key.take() {
                Some((key, key_span)) => members.push(Member { key, key_span, node, overridden: false }),
                None => {
                    let text = text.ok_or("a key must be a word")?;
                    *key = Some((text.into(), node.span));
                }
            },
        }
        Ok(())
    }
}

/// What a plain scalar is.
fn resolved(text: &str) -> Value {
    let number = |text: &str| {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && digits.contains(|c: char| c.is_ascii_digit())
            && digits.chars().all(|c| c.is_ascii_digit() || ".eE+-".contains(c))
            && digits.parse::<f64>().is_ok()
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if number(text) => Value::Number(WholeNumber::parse(text.strip_prefix('+').unwrap_or(text))),
        _ => Value::String(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(root: &Node, path: &[&str]) -> Node {
        path.iter().fold(root, |node, key| node.as_object().unwrap().get(key).unwrap()).clone()
    }

    #[test]
    fn block_and_flow_forms_are_objects_with_their_places() {
        let text = "\u{feff}# ä\na:\n  b: 'x y'\n  n: 300\n  yes: yes\n  t: true\n  l: [1, \"2\"]\n  k:\n  - p\n  - {q: ~}\n";
        let root = parse(text).unwrap();
        let b = at(&root, &["a", "b"]);
        assert_eq!(b.as_str(), Some("x y"));
        assert_eq!(&text[b.span.start()..b.span.end()], "'x y'");
        assert_eq!(at(&root, &["a", "n"]).as_u64(), Some(300));
        assert_eq!(at(&root, &["a", "yes"]).as_str(), Some("yes"), "no boolean in YAML 1.2");
        assert_eq!(at(&root, &["a", "t"]).as_bool(), Some(true));
        let list = at(&root, &["a", "l"]);
        assert_eq!(list.as_array().unwrap()[1].as_str(), Some("2"));
        assert!(at(&at(&root, &["a", "k"]).as_array().unwrap()[1], &["q"]).is_null());
    }

    #[test]
    fn an_alias_is_a_copy_and_a_bomb_is_refused() {
        let root = parse("a: &x {k: [1]}\nb: *x\n").unwrap();
        assert_eq!(at(&root, &["b", "k"]).as_array().unwrap().len(), 1);
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert_eq!(parse(&bomb).unwrap_err().message, "its aliases stand for too much");
        assert_eq!(parse("a: &a [*a]").unwrap_err().message, "an alias stands inside of what it names");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_without_the_text() {
        for (text, offset) in [
            ("e:\n  a: {k: canary}\n  b: 1\n  a: 2\n", 29),
            ("{a: 1, 'a': canary}", 7),
            ("- x: &x k\n- *x : 1\n  k: 2\n", 21),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.offset, error.message), (offset, "a key is written twice"), "{text:?}");
        }
        let error = parse("a: 1\nb: [canary\n").unwrap_err();
        assert_eq!(error.message, "this is not valid YAML");
        assert_eq!(parse("").unwrap_err().message, "the file is empty");
        assert_eq!(parse("? [a]\n: 1\n").unwrap_err().message, "a key must be a word");
        assert_eq!(
            parse(&format!("{}{}", "[".repeat(200), "]".repeat(200))).unwrap_err().message,
            "nested too deeply"
        );
    }
}
