//! The definition of a tool as terms: what a person approves of it.

use mcp_text::Secrets;

use crate::consent::{Term, Terms};
use crate::json::{self, Node, Value};

/// How much of a value is kept to be shown, in columns. The comparison is of the whole value.
const MOST_KEPT: usize = 2_000;

/// A definition that can be read in one way only.
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) terms: Terms,
}

impl Definition {
    /// The definition `text`, with what may be kept of it: none of these secrets.
    ///
    /// `None` where two readers may see different tools in it: it is not an object, has no name, or has a member twice.
    pub(super) fn read(text: &str, secrets: &Secrets) -> Option<Self> {
        let root = json::parse(text).ok()?;
        let name = root.as_object()?.get("name")?.as_str()?.to_owned();
        let mut terms = Vec::new();
        LeafTerms { text, secrets }.of(&root, &mut String::new(), &mut terms)?;
        Some(Self { name, terms: Terms::of_terms(terms) })
    }
}

struct LeafTerms<'a> {
    text: &'a str,
    secrets: &'a Secrets,
}

impl LeafTerms<'_> {
    /// One term for each value that holds no other. `None` where a member stands there twice.
    ///
    /// No two trees have the same terms: a step into an array looks like none into an object, a key that is not a plain word is
    /// quoted, and what is empty is a value.
    fn of(&self, node: &Node, path: &mut String, terms: &mut Vec<Term>) -> Option<()> {
        let length = path.len();
        match &node.value {
            Value::Object(object) if !object.all().is_empty() => {
                let mut members: Vec<_> = object.all().iter().collect();
                members.sort_by(|a, b| a.key.cmp(&b.key));
                for member in members {
                    if member.overridden {
                        return None;
                    }
                    push_key(path, &member.key);
                    self.of(&member.node, path, terms)?;
                    path.truncate(length);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    path.push_str(&format!("[{index}]"));
                    self.of(item, path, terms)?;
                    path.truncate(length);
                }
            }
            value => {
                let (canonical, shown) = match value {
                    Value::String(text) => (quoted(text), text.to_string()),
                    // Another spelling of the same number may be read as another one.
                    _ => {
                        let written = self.text.get(node.span.start()..node.span.end()).unwrap_or_default();
                        let written: String = written.chars().filter(|c| !c.is_whitespace()).collect();
                        (written.clone(), written)
                    }
                };
                let shown = mcp_text::escaped(&shown).into_owned();
                let kept = mcp_text::line(&self.secrets.hide_known(&shown), MOST_KEPT);
                terms.push(Term::new(path.clone(), kept.clone(), kept, canonical));
            }
        }
        Some(())
    }
}

/// A step into an object, as people write it where that is not ambiguous.
fn push_key(path: &mut String, key: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
    if key.is_empty() || !key.chars().all(plain) {
        return path.push_str(&format!("[{}]", quoted(key)));
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hiding(secret: &str) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.insert(secret);
        secrets
    }

    fn fields(text: &str) -> Option<Vec<(String, String)>> {
        let terms = Definition::read(text, &Secrets::default())?.terms;
        Some(terms.iter().map(|term| (term.field.clone(), term.shown.clone())).collect())
    }

    #[test]
    fn s_m17_a_definition_is_the_same_however_it_is_formatted_and_no_other_is() {
        let digest = |text: &str| Definition::read(text, &Secrets::default()).unwrap().terms.digest();
        let one = r#"{"name":"a","inputSchema":{"type":"object","required":["x","y"]},"description":"d"}"#;
        let same = "{ \"description\": \"\\u0064\", \"name\": \"a\",\n \"inputSchema\": {\"required\": [ \"x\", \"y\" ], \"type\": \"object\"}}";
        assert_eq!(digest(one), digest(same));
        let base = r#"{"name":"a","x":{"b":{"c":1}}}"#;
        for other in [
            r#"{"name":"a","x":{"b.c":1}}"#,
            r#"{"name":"a","x":{"b":{"c":1.0}}}"#,
            r#"{"name":"a","x":{"b":{"c":"1"}}}"#,
            r#"{"name":"a","x":{"b":[1]}}"#,
            r#"{"name":"a","x":{"b":{"0":1}}}"#,
            r#"{"name":"a","x":{"b":{}}}"#,
            r#"{"name":"a","x":{"b":[]}}"#,
            r#"{"name":"a","x":{"b":null}}"#,
            r#"{"name":"a","x":{"b":{"c":1},"e":{}}}"#,
            r#"{"name":"a","x":{"b[\"c\"]":1}}"#,
            r#"{"name":"a","x.b":{"c":1}}"#,
            r#"{"name":"A","x":{"b":{"c":1}}}"#,
            "{\"name\":\"a\u{200b}\",\"x\":{\"b\":{\"c\":1}}}",
            r#"{"name":"a","x":{"b":{"c":1}},"_meta":{"y":1}}"#,
            r#"{"name":"a","x":{"b":{"c":1}},"title":"t"}"#,
            r#"{"name":"a","x":{"b":{"c":1}},"annotations":{"readOnlyHint":true}}"#,
        ] {
            assert_ne!(digest(base), digest(other), "{other}");
        }
    }

    #[test]
    fn s_m17_what_two_readers_may_read_differently_is_no_definition() {
        for text in [
            r#"{"name":"a","description":"good","description":"evil"}"#,
            r#"{"name":"a","inputSchema":{"x":{"y":1,"\u0079":2}}}"#,
            r#"{"name":"a","name":"a"}"#,
            r#"{"description":"no name"}"#,
            r#"{"name":["a"]}"#,
            r#"["a"]"#,
            "",
        ] {
            assert!(fields(text).is_none(), "{text}");
        }
        let deep = format!(r#"{{"name":"a","x":{}1{}}}"#, "[".repeat(500), "]".repeat(500));
        assert!(fields(&deep).is_none());
    }

    #[test]
    fn s_m17_what_is_shown_names_what_is_hidden_and_holds_no_secret() {
        let secrets = hiding("s3cret-canary-value");
        let text = "{\"name\":\"a\",\"description\":\"ok\\u202e\\u001b[8m s3cret-canary-value\",\"x y\":[1]}";
        let terms = Definition::read(text, &secrets).unwrap().terms;
        let shown: Vec<String> = terms.iter().map(|t| format!("{}={}", t.field, t.shown)).collect();
        assert!(!shown.concat().contains("canary"), "{shown:?}");
        assert!(shown[0].starts_with(r"description=ok\u{202e}\u{1b}[8m "), "{shown:?}");
        assert_eq!(shown[1..], ["name=a", "[\"x y\"][0]=1"]);
        assert!(!format!("{terms:?}").contains("canary"));
    }
}
