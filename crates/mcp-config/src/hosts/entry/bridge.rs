//! A command that is a bridge to a remote server, in a file of a host, and this program as one in any file.

use super::Entries;
use crate::Severity;
use crate::display::display_key;
use crate::expand;
use crate::hosts::draft::{Draft, Groups, json_node};
use crate::hosts::{lines, variables};
use crate::json::{Member, Node, Pointer, Span, Value};

/// Which bridges are read as what they lead to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ReadBridges {
    /// Each that is known; what cannot be taken over is told.
    All,
    /// This program, where its line says nothing that an entry cannot say: any other one is started as it stands.
    Own,
}

impl Entries<'_, '_> {
    /// The entry of the server that `member`, an entry in our words, leads to where its command is this program as a bridge to a
    /// URL; `None` where it is anything else.
    pub(in crate::hosts) fn led_to(&mut self, member: &Member, path: &Pointer) -> Option<Member> {
        let object = member.node.as_object()?;
        let is_command = object.get("type").is_none_or(|kind| kind.as_str() == Some("stdio"));
        if !is_command || object.get("url").is_some() {
            return None;
        }
        self.name = member.key.to_string();
        let mut draft = Draft::default();
        for field in object.iter() {
            let path = path.key(&field.key);
            match (&*field.key, &field.node.value) {
                ("type", _) => {}
                ("args", Value::Array(words)) => {
                    for (index, word) in words.iter().enumerate() {
                        self.stands(word.span, &path.index(index));
                    }
                    draft.args = words.to_vec();
                }
                ("env", Value::Object(variables)) => {
                    for variable in variables.iter() {
                        self.stands(variable.node.span, &path.key(&variable.key));
                    }
                    draft.env = variables.iter().cloned().collect();
                }
                _ => {
                    self.stands(field.node.span, &path);
                    draft.fields.push(field.clone());
                }
            }
        }
        let Draft { args, env, .. } = &mut draft;
        for arg in args {
            // Its variables are those that its entry sets for it: what these say is in their place.
            if let Value::String(word) = &mut arg.value {
                let given = env.iter().map(|set| &*set.key);
                let plain = given.fold(word.to_string(), |word, name| {
                    word.replace(&format!("${{env:{name}}}"), &format!("${{{name}}}"))
                });
                *word = plain.into();
            }
        }
        if !self.bridge(&mut draft, path, ReadBridges::Own) {
            return None;
        }
        let node = Node { span: member.node.span, value: Value::Object(draft.finish(member.key_span)) };
        Some(Member { node, ..member.clone() })
    }

    /// A command that is a bridge to a remote server becomes the entry of that server.
    pub(super) fn bridge(&mut self, draft: &mut Draft, path: &Pointer, read: ReadBridges) -> bool {
        let command = draft.fields.iter().find(|field| &*field.key == "command");
        let Some((command, at)) = command.and_then(|field| Some((field.node.as_str()?, field.node.span)))
        else {
            return false;
        };
        let mut words = vec![expand::unescaped(command)];
        let mut spans = vec![at];
        for arg in &draft.args {
            let Some(word) = arg.as_str() else { return false };
            words.push(expand::unescaped(word));
            spans.push(arg.span);
        }
        if let Some((inner, word)) = lines::unfolded(&words) {
            // What stands before the line keeps its place.
            let before = words.iter().zip(&inner).take(word).take_while(|(old, new)| old == new).count();
            let of_line = spans[word];
            spans.truncate(before);
            spans.resize(inner.len(), of_line);
            words = inner;
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let set = |name: &str| {
            let member = draft.env.iter().find(|member| &*member.key == name)?;
            // One that stands for itself comes from where the command is started.
            let own = [format!("${{{name}}}"), variables::required(name)];
            member.node.as_str().filter(|text| !own.iter().any(|own| own == text)).map(str::to_owned)
        };
        let Some(mut line) = lines::read(&words, &set) else { return false };
        if read == ReadBridges::Own && !line.is_own() {
            return false;
        }
        let mut lost = Vec::new();
        let env = draft
            .env
            .iter()
            .filter_map(|member| Some((&*member.key, member.node.as_str()?, member.node.span)));
        let assigned = std::mem::take(&mut line.assigned);
        let assigned: Vec<_> =
            assigned.iter().map(|(name, value, word)| (&**name, &**value, spans[*word])).collect();
        for (name, value, span) in env.chain(assigned) {
            match line.variable(name, value, &words) {
                lines::SetVariable::Field(field) => {
                    spans.push(span);
                    line.say_of_variable(field, value, spans.len() - 1);
                }
                lines::SetVariable::Used => {}
                lines::SetVariable::Lost(why) => lost.push((span, format!("{}: {why}", display_key(name)))),
            }
        }
        if read == ReadBridges::Own && !(lost.is_empty() && line.lost.is_empty()) {
            return false;
        }
        let node = |word: usize, value: Value| Node { span: spans[word], value };
        let text = |text: &str| Value::String(text.into());
        let member =
            |key: &str, node: Node| Member { key: key.into(), key_span: node.span, node, overridden: false };
        let url = member("url", node(line.address, text(words[line.address])));
        let headers: Vec<Member> =
            line.headers.iter().map(|(name, value, word)| member(name, node(*word, text(value)))).collect();
        let mut oauth = Vec::new();
        let mut fields = Vec::new();
        for (key, value) in line.fields() {
            match value {
                serde_json::Value::Object(block) if key == "oauth" => {
                    oauth.extend(block.into_iter().map(|(key, value)| {
                        let word = line.word_of(&format!("oauth.{key}"));
                        member(&key, json_node(&value, spans[word]))
                    }));
                }
                value => {
                    let word = match value.as_object().and_then(|block| block.keys().next_back()) {
                        Some(last) => line.word_of(&format!("{key}.{last}")),
                        None => line.word_of(&key),
                    };
                    fields.push(member(&key, json_node(&value, spans[word])));
                }
            }
        }
        let words = line.lost.iter().map(|(word, why)| (spans[*word], (*why).to_owned()));
        let lost: Vec<(Span, String)> = words.chain(lost).collect();
        let (kind, whole) = (line.kind.unwrap_or("http"), (at, at));
        draft.fields.retain(|field| !matches!(&*field.key, "command" | "cwd" | "envFile"));
        draft.args.clear();
        draft.env.clear();
        draft.kind = Some((kind.to_owned(), at));
        for said in &mut fields {
            // Two lists of tools that are not to be used are one.
            let own = draft.fields.iter().find(|field| field.key == said.key);
            if let (Value::Array(items), Some(own)) = (&mut said.node.value, own) {
                *items = items.iter().chain(own.node.as_array().into_iter().flatten()).cloned().collect();
            }
        }
        draft.fields.retain(|field| !fields.iter().any(|said| said.key == field.key));
        draft.fields.insert(0, url);
        draft.fields.extend(fields);
        draft.spans = Groups {
            headers: (!headers.is_empty()).then_some(whole),
            oauth: (!oauth.is_empty()).then_some(whole),
            ..Groups::default()
        };
        (draft.headers, draft.oauth) = (headers, oauth);
        let message = format!("is a bridge ({}); the server is reached directly", line.program());
        self.say(Severity::Note, &path.key("command"), at, message, None);
        for (span, why) in lost {
            let path = self.origins.get(&(span.start(), span.end())).unwrap_or(path).clone();
            self.lost(&path, span, &why);
        }
        true
    }
}
