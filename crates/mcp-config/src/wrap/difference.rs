//! The difference of two texts of a host's file, line by line as it stands there, without its secrets.

use std::ops::Range;

use mcp_text::{REDACTED, Secrets, is_credential_name, is_variable_name};

use super::HostTarget;
use super::lines::changed;
use crate::display::display_key;
use crate::edit::Value;
use crate::hosts::words::{self, FieldMeaning};
use crate::hosts::{Format, toml_tree, written};
use crate::json::{self, Member, Node, Span};

/// A line of a difference.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChangedLine {
    /// What becomes of it.
    pub change: LineChange,
    /// As it is written, without secrets; of a very long one what is near the change.
    pub text: String,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LineChange {
    /// It stays, and says where the lines after it are.
    Stays,
    /// It is taken out.
    TakenOut,
    /// It is put in.
    PutIn,
}

/// The most characters of a line that are shown.
const MAX_LINE: usize = 240;

/// How much of what two very long lines have in common is shown before and behind the change.
const NEAR: usize = 24;

impl HostTarget {
    /// What `after` says otherwise than `before`, both texts of this file, piece by piece. The entries `own` of `after` are
    /// those of this program, in which there is no secret.
    pub fn difference(&self, before: &str, after: &str, own: &[&str]) -> Vec<Vec<ChangedLine>> {
        let [old, new] = [before, after].map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
        let pieces = changed(&old, &new);
        if pieces.is_empty() {
            return Vec::new();
        }
        let [old_masks, new_masks] =
            [(before, &[][..]), (after, own)].map(|(text, own)| Masks::of(self, text, own));
        let [old_starts, new_starts] = [&old, &new].map(|lines| starts(lines));
        let told = pieces.into_iter().map(|(out, put)| {
            // The line above says most often which entry it is.
            let above = put.start.checked_sub(1).filter(|at| !new[*at].trim().is_empty());
            let around = above.map(|at| new_masks.lines(after, new_starts[at]..new_starts[at + 1]));
            let around = around.unwrap_or_default();
            let mut out = old_masks.lines(before, old_starts[out.start]..old_starts[out.end]);
            let mut put = new_masks.lines(after, new_starts[put.start]..new_starts[put.end]);
            if let ([old], [new]) = (&mut *out, &mut *put) {
                near(old, new);
            }
            let line = |change| move |text: String| ChangedLine { change, text: cut(text) };
            let stays = around.into_iter().map(line(LineChange::Stays));
            let out = out.into_iter().map(line(LineChange::TakenOut));
            stays.chain(out).chain(put.into_iter().map(line(LineChange::PutIn))).collect()
        });
        told.collect()
    }
}

/// Where each line begins, and where the last one ends.
fn starts(lines: &[&str]) -> Vec<usize> {
    let mut at = 0;
    let ends = lines.iter().map(|line| {
        at += line.len();
        at
    });
    [0].into_iter().chain(ends).collect()
}

/// What is shown in the place of what is in a text.
#[derive(Default)]
struct Masks {
    /// Places and what is shown there, in the order of the text.
    put: Vec<(Range<usize>, String)>,
    /// Every word that is not a comment, so that none is looked for in it.
    words: Vec<Range<usize>>,
}

impl Masks {
    fn of(target: &HostTarget, text: &str, own: &[&str]) -> Self {
        let format = target.row.map_or(Format::Json, |row| row.format);
        let root = match format {
            Format::Json => json::parse(text).ok(),
            Format::Toml => toml_tree(text),
            Format::Yaml => None,
        };
        let mut masks = Self::default();
        let Some(root) = root else {
            masks.put.push((0..text.len(), String::new()));
            return masks;
        };
        let mut path = target.path(text, "");
        path.pop();
        masks.file(&root, &path, own);
        masks.words.sort_by_key(|range| range.start);
        masks.comments(text, format);
        masks.put.sort_by_key(|(range, _)| range.start);
        masks
    }

    /// The lines of a part of the text as they are shown.
    fn lines(&self, text: &str, part: Range<usize>) -> Vec<String> {
        let mut shown = String::new();
        let mut at = part.start;
        for (range, instead) in &self.put {
            if range.end <= at || range.start >= part.end {
                continue;
            }
            shown.push_str(&text[at..range.start.max(at)]);
            shown.push_str(instead);
            at = range.end.min(part.end);
        }
        shown.push_str(&text[at..part.end]);
        shown.lines().map(|line| Secrets::default().hide(line).into_owned()).collect()
    }

    fn put(&mut self, span: Span, shown: &str) {
        self.put.push((span.start()..span.end(), serde_json::Value::from(shown).to_string()));
    }

    /// A file whose servers stand at `path`; of everything else no text is shown.
    fn file(&mut self, node: &Node, path: &[String], own: &[&str]) {
        let Some((key, rest)) = path.split_first() else { return self.servers(node, own) };
        let Some(object) = node.as_object() else { return self.other(node) };
        for member in object.all() {
            self.name(member);
            if *member.key == **key { self.file(&member.node, rest, own) } else { self.other(&member.node) }
        }
    }

    fn servers(&mut self, node: &Node, own: &[&str]) {
        match (node.as_object(), node.as_array()) {
            (Some(object), _) => {
                for member in object.all() {
                    self.name(member);
                    if own.contains(&&*member.key) {
                        self.plain(&member.node)
                    } else {
                        self.entry(&member.node)
                    }
                }
            }
            (_, Some(items)) => items.iter().for_each(|item| self.entry(item)),
            _ => self.other(node),
        }
    }

    fn entry(&mut self, node: &Node) {
        let Some(object) = node.as_object() else { return self.other(node) };
        for member in object.all() {
            self.name(member);
            self.field(member);
        }
    }

    /// A field by the rules of every other view of an entry, which know it by our word.
    fn field(&mut self, member: &Member) {
        let node = &member.node;
        let key = match words::field(&member.key).map(|word| word.means) {
            Some(FieldMeaning::Headers) => "headers",
            Some(FieldMeaning::Is(key)) => key,
            Some(FieldMeaning::Command) if node.as_array().is_some() => "args",
            // What has the names of variables for values says nothing of theirs.
            Some(FieldMeaning::Bearer | FieldMeaning::HeaderVariables) if has_names(node) => {
                return self.plain(node);
            }
            Some(FieldMeaning::Bearer | FieldMeaning::HeaderVariables) => "env",
            Some(FieldMeaning::Transport | FieldMeaning::Command | FieldMeaning::OAuth)
                if node.as_object().is_some() =>
            {
                return self.entry(node);
            }
            _ => &member.key,
        };
        if matches!(key, "headers" | "env") && node.as_object().is_none() {
            return self.put(node.span, REDACTED);
        }
        let alone = Value::Object(vec![(key.to_owned(), written(node))]);
        match alone.shown().get(key) {
            Some(shown) => self.like(node, shown),
            None => self.put(node.span, REDACTED),
        }
    }

    /// What is shown of a value, laid over what is written.
    fn like(&mut self, node: &Node, shown: &Value) {
        match (&node.value, shown) {
            (json::Value::String(text), Value::String(shown)) => {
                self.words.push(node.span.start()..node.span.end());
                if **text != **shown {
                    self.put(node.span, shown);
                }
            }
            (json::Value::Array(items), Value::Array(shown)) if items.len() == shown.len() => {
                items.iter().zip(shown).for_each(|(item, shown)| self.like(item, shown));
            }
            (json::Value::Object(object), Value::Object(shown)) if object.all().len() == shown.len() => {
                for (member, (name, shown)) in object.all().iter().zip(shown) {
                    self.words.push(member.key_span.start()..member.key_span.end());
                    if *member.key != **name {
                        self.put(member.key_span, name);
                    }
                    self.like(&member.node, shown);
                }
            }
            (json::Value::Null | json::Value::Bool(_), _)
            | (json::Value::Number(_), Value::Number(_) | Value::Null) => {}
            _ => self.put(node.span, REDACTED),
        }
    }

    fn name(&mut self, member: &Member) {
        self.words.push(member.key_span.start()..member.key_span.end());
        let shown = display_key(&member.key);
        if *shown != *member.key {
            self.put(member.key_span, &shown);
        }
    }

    fn plain(&mut self, node: &Node) {
        self.leaves(node, false);
    }

    fn other(&mut self, node: &Node) {
        self.leaves(node, true);
    }

    fn leaves(&mut self, node: &Node, hidden: bool) {
        match &node.value {
            json::Value::String(text) => {
                self.words.push(node.span.start()..node.span.end());
                if hidden && !text.is_empty() {
                    self.put(node.span, "…");
                }
            }
            json::Value::Array(items) => items.iter().for_each(|item| self.leaves(item, hidden)),
            json::Value::Object(object) => {
                for member in object.all() {
                    self.name(member);
                    self.leaves(&member.node, hidden);
                }
            }
            _ => {}
        }
    }

    /// A comment that may be a line of configuration is not shown: whether it has a secret in it cannot be told.
    fn comments(&mut self, text: &str, format: Format) {
        let signs: &[(&str, &str)] =
            if format == Format::Toml { &[("#", "\n")] } else { &[("//", "\n"), ("/*", "*/")] };
        let mut words = self.words.iter().peekable();
        let mut found = Vec::new();
        let mut at = 0;
        while at < text.len() {
            while words.next_if(|word| word.end <= at).is_some() {}
            let until = words.peek().map_or(text.len(), |word| word.start);
            if until <= at {
                at = words.next().map_or(text.len(), |word| word.end);
                continue;
            }
            let begins = signs
                .iter()
                .filter_map(|sign| text[at..until].find(sign.0).map(|from| (at + from, sign)))
                .min_by_key(|(from, _)| *from);
            let Some((from, (open, close))) = begins else {
                at = until;
                continue;
            };
            let inner = from + open.len();
            let end = text[inner..].find(close).map_or(text.len(), |end| inner + end);
            let comment = &text[inner..end];
            let is_told = !comment.contains(['"', '=', '\''])
                && !is_credential_name(comment)
                && Secrets::default().hide(comment) == comment;
            if !is_told {
                found.push((inner..end, " … ".to_owned()));
            }
            at = end + if *close == "\n" { 0 } else { close.len() };
        }
        self.put.append(&mut found);
    }
}

/// Whether every text in it is the name of a variable, and none what a person put in the place of one.
fn has_names(node: &Node) -> bool {
    let is_name =
        |text: &str| is_variable_name(text) && !text.contains('-') && !mcp_text::looks_like_token(text);
    match (&node.value, node.as_object()) {
        (json::Value::String(text), _) => is_name(text),
        (_, Some(object)) => object.all().iter().all(|member| member.node.as_str().is_some_and(is_name)),
        _ => false,
    }
}

/// Leaves away most of what two very long lines have in common.
fn near(old: &mut String, new: &mut String) {
    if old.chars().count().max(new.chars().count()) <= MAX_LINE {
        return;
    }
    let [a, b]: [Vec<char>; 2] = [old.chars().collect(), new.chars().collect()];
    let first = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let most = a.len().min(b.len()) - first;
    let last = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let (from, to) = (first.saturating_sub(NEAR), last.saturating_sub(NEAR));
    let part = |line: &[char]| {
        let middle: String = line[from..line.len() - to].iter().collect();
        format!("{}{middle}{}", if from > 0 { "…" } else { "" }, if to > 0 { "…" } else { "" })
    };
    (*old, *new) = (part(&a), part(&b));
}

fn cut(line: String) -> String {
    match line.char_indices().nth(MAX_LINE) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;
    use crate::editor::EntryPlace;
    use crate::hosts::KnownHost;
    use crate::wrap::BridgeCommand;

    fn target(host: &str) -> HostTarget {
        let host = KnownHost::named(host).unwrap();
        let place = EntryPlace::of_file(Scope::User, "/f".into());
        HostTarget { host, place, of_project: false, row: host.files.first() }
    }

    fn told(host: &str, text: &str, name: &str) -> Vec<String> {
        let (target, through) = (target(host), BridgeCommand::to("/bin/mcplink".as_ref(), name, None));
        let after = target.wrapped(text, name, &through).unwrap().text;
        let pieces = target.difference(text, &after, &[name]);
        let mark = |change| match change {
            LineChange::Stays => ' ',
            LineChange::TakenOut => '-',
            LineChange::PutIn => '+',
        };
        let line = |line: &ChangedLine| format!("{}{}", mark(line.change), line.text);
        pieces.iter().map(|piece| piece.iter().map(line).collect::<Vec<_>>().join("\n")).collect()
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let text = "{\n  // mine\n  \"mcpServers\": {\n    \"a\": {\n      \"url\" : \"https://a.example/mcp\", // there\n      \"disabled\": false\n    },\n    \"b\": {}\n  }\n}\n";
        assert_eq!(
            told("cursor", text, "a"),
            ["     \"a\": {\n-      \"url\" : \"https://a.example/mcp\", // there\n\
                 +      \"command\": \"/bin/mcplink\",\n+      \"args\": [\"bridge\", \"a\"],"]
        );
        // What is new after another one gives that a comma.
        assert_eq!(
            told("cursor", "{\n  \"mcpServers\": {\n    \"b\": {}\n  }\n}\n", "a"),
            [
                "   \"mcpServers\": {\n-    \"b\": {}\n+    \"b\": {},\n+    \"a\": {\n+      \"command\": \"/bin/mcplink\",\n+      \"args\": [\"bridge\", \"a\"]\n+    }"
            ]
        );
        assert_eq!(
            told(
                "codex",
                "model = 'x'\n[mcp_servers.a]\nurl = 'https://a.example' # a\n\n[mcp_servers.b]\nurl = 'b'\n\n[mcp_servers.a.http_headers]\nX = '1'\n",
                "a"
            ),
            [
                " [mcp_servers.a]\n-url = 'https://a.example' # a\n+command = \"/bin/mcplink\"\n+args = [\"bridge\", \"a\"]",
                "-[mcp_servers.a.http_headers]\n-X = \"[redacted]\""
            ]
        );
        let same = target("cursor").difference("{}", "{}", &[]);
        assert!(same.is_empty());
    }

    #[test]
    fn no_line_has_a_secret() {
        for (host, text) in [
            (
                "cursor",
                "{\"k\": \"canary-0\", \"mcpServers\": {\"b\": {\"env\": {\"X\": \"canary-1\"}}, \"a\": {\"url\": \"https://u:canary2@h.example/?k=canary3\",\n\
                 \"headers\": {\"Authorization\": \"Bearer canary4\", \"X-Own\": \"canary5\", \"X-Own\": \"canary6\"}, \"env\": {\"T\": \"canary12\"}, \"env\": \"canary7\",\n\
                 // \"headers\": {\"X\": \"canary8\"}\n\
                 /* token canary9 */ \"args\": [\"--token\", \"canary10\"], \"headersHelper\": \"printf canary11\" }}}",
            ),
            (
                "codex",
                "[mcp_servers.a]\nurl = 'https://h/mcp'\n# http_headers = { X = \"canary1\" }\nhttp_headers = { X = 'canary2', Y = '''a\ncanary3''' }\n\
                 http_headers_helper = 'printf canary4'\nbearer_token_env_var = 'canary-5'\n[mcp_servers.a.env]\nT = 'canary6'\n",
            ),
            (
                "cline",
                "{\"mcpServers\": {\"a\": {\"transport\": {\"type\": \"sse\", \"url\": \"https://h\", \"headers\": {\"X\": \"canary\"}}}}}",
            ),
            (
                "opencode",
                "{\"mcp\": {\"a\": {\"type\": \"local\", \"command\": [\"x\", \"--api-key=canary\"], \"environment\": {\"T\": \"canary\"}}}}",
            ),
        ] {
            let told = told(host, text, "a");
            assert!(
                !told.is_empty() && !told.iter().any(|piece| piece.contains("canary")),
                "{host}: {told:#?}"
            );
        }
        let shown = told(
            "codex",
            "[mcp_servers.a]\nurl = 'https://h/mcp'\nbearer_token_env_var = 'MY_TOKEN'\n[mcp_servers.a.env_http_headers]\nX-A = 'TEAM'\n",
            "a",
        );
        assert!(shown[0].contains("'MY_TOKEN'") && shown[0].contains("X-A = 'TEAM'"), "{shown:#?}");
    }

    #[test]
    fn of_a_file_on_one_line_what_is_near_is_shown() {
        let long = "x, ".repeat(400);
        let text = format!(
            "{{\"n\": 7, \"l\": [\"{long}\"], \"q\": [{}1], \"mcpServers\": {{\"a\": {{\"url\": \"https://h\"}}}}}}",
            "1, ".repeat(400)
        );
        let told = told("cursor", &text, "a");
        assert!(told[0].chars().count() < 2 * MAX_LINE, "{told:#?}");
        assert!(told[0].contains("https://h") && told[0].contains("/bin/mcplink"), "{told:#?}");
    }
}
