//! From an entry in a host's words to the same entry in ours.

mod bridge;
mod named;

use bridge::ReadBridges;

use crate::display::display_key;
use crate::document::{Document, Origins};
use crate::hosts::draft::{Draft, Group};
use crate::hosts::variables::{self, Inputs, Syntax};
use crate::hosts::words::{self, FieldMeaning, OAUTH, Unit};
use crate::hosts::{EditorVariables, Form, Input, KnownHost};
use crate::json::{Member, Node, Object, Pointer, Span, Value, WholeNumber};
use crate::{Problem, ProblemCode, Severity, schema};

/// A host's file in our own form.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    /// `{"mcpServers": {..}}`, whose values know their places in the host's file.
    pub(crate) document: Document<'a>,
    /// What could not be taken over.
    pub(crate) problems: Vec<Problem>,
    /// What the host asks for.
    pub(crate) inputs: Vec<Input>,
}

/// Translates the entries of one file.
pub(super) struct Entries<'t, 'a> {
    host: &'static KnownHost,
    source: &'t Document<'a>,
    around: &'t EditorVariables,
    inputs: &'t mut Inputs,
    problems: &'t mut Vec<Problem>,
    origins: Origins,
    /// The entry that is being read.
    name: String,
    /// The ways in which the host writes references.
    forms: &'static [Form],
    /// The word of the entry that is its address, where it has several.
    address: Option<String>,
    /// The entry has no arguments beside its command.
    is_without_args: bool,
    /// Who reads the text that is being read.
    reader: TextReader,
    /// What is to be said of texts that its host leaves as they are.
    literal: Vec<(Pointer, Span, TextReader)>,
}

/// Who reads a text of an entry behind its host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum TextReader {
    /// A command, and perhaps a shell.
    Command,
    /// The server, as a part of its address.
    Address,
    /// The server, as a header.
    Header,
}

/// How deep fields of an entry may stand in another field of it.
const MAX_NESTED: usize = 2;

impl<'t, 'a> Entries<'t, 'a> {
    pub(super) fn new(
        host: &'static KnownHost,
        source: &'t Document<'a>,
        around: &'t EditorVariables,
        inputs: &'t mut Inputs,
        problems: &'t mut Vec<Problem>,
    ) -> Self {
        Self {
            host,
            source,
            around,
            inputs,
            problems,
            origins: Origins::new(),
            name: String::new(),
            forms: host.forms,
            address: None,
            is_without_args: false,
            reader: TextReader::Command,
            literal: Vec::new(),
        }
    }

    /// Entries whose references are written in this way.
    pub(super) fn written_in(self, forms: &'static [Form]) -> Self {
        Self { forms, ..self }
    }

    /// Notes what stands at a place.
    pub(super) fn stands(&mut self, span: Span, path: &Pointer) {
        self.origins.entry((span.start(), span.end())).or_insert_with(|| path.clone());
    }

    pub(super) fn into_origins(self) -> Origins {
        self.origins
    }

    /// The entry of `member`; `None` where it is not a server that anything outside of its host can reach.
    pub(super) fn entry(&mut self, member: &Member, path: &Pointer) -> Option<Member> {
        self.name = member.key.to_string();
        self.stands(member.key_span, path);
        self.stands(member.node.span, path);
        let Some(object) = member.node.as_object() else { return Some(member.clone()) };
        let word = |key: &str| object.get(key).and_then(Node::as_str);
        if [word("type"), word("source")].into_iter().flatten().any(|word| self.host.built_in.contains(&word))
        {
            let message = format!("is built into {}: there is no server to reach", self.host.title);
            self.say(Severity::Note, path, member.key_span, message, None);
            return None;
        }
        let mut draft = Draft::default();
        self.address = self.address_of(object);
        self.is_without_args =
            object.get("args").is_none_or(|args| args.as_array().is_some_and(|args| args.is_empty()));
        for field in object.iter() {
            self.field(field, &path.key(&field.key), &mut draft, MAX_NESTED);
        }
        // Such a program replaces references by itself.
        let is_bridge = self.bridge(&mut draft, path, ReadBridges::All);
        for (path, span, reader) in std::mem::take(&mut self.literal).into_iter().filter(|_| !is_bridge) {
            let message = format!("{} leaves ${{..}} as it stands, and so it is here", self.host.title);
            // A shell may replace it; a server does not.
            let (severity, hint) = match reader {
                TextReader::Command => (Severity::Note, None),
                _ => (Severity::Warning, self.reference_to_write()),
            };
            self.say(severity, &path, span, message, hint);
        }
        self.start_of_none(&mut draft, path);
        let node = Node { span: member.node.span, value: Value::Object(draft.finish(member.key_span)) };
        Some(Member { node, ..member.clone() })
    }

    /// What some hosts say of the first handshake is a limit of a process here, and a remote server is none.
    fn start_of_none(&mut self, draft: &mut Draft, path: &Pointer) {
        let has = |key: &str| draft.fields.iter().any(|field| &*field.key == key);
        if !has("url") || has("command") {
            return;
        }
        let limit = |field: &Member| &*field.key == "startupTimeoutMs";
        for field in draft.fields.iter().filter(|field| limit(field)) {
            let at = (field.node.span.start(), field.node.span.end());
            let path = self.origins.get(&at).unwrap_or(path).clone();
            self.lost(
                &path,
                field.key_span,
                "it limits the start of a command; MCP_TIMEOUT limits a handshake",
            );
        }
        draft.fields.retain(|field| !limit(field));
    }

    /// What a word means in this host.
    fn meaning(&self, word: &str) -> FieldMeaning {
        let own = self.host.fields.iter().find(|(own, _)| *own == word).map(|(_, means)| *means);
        let common = || words::FIELDS.iter().find(|row| row.word == word).map(|row| row.means);
        own.or_else(common).unwrap_or(FieldMeaning::Mistaken)
    }

    /// The word of an entry whose address counts, where it has several.
    fn address_of(&self, entry: &Object) -> Option<String> {
        let is_address = |field: &&Member| {
            !field.node.is_null() && matches!(self.meaning(&field.key), FieldMeaning::Address(_))
        };
        let rank = |field: &&Member| {
            let order = self.host.addresses;
            order.iter().position(|word| *word == &*field.key).unwrap_or(order.len())
        };
        entry.iter().filter(is_address).min_by_key(rank).map(|field| field.key.to_string())
    }

    /// A field whose name is not a field of an entry in this host is left as it is.
    fn field(&mut self, member: &Member, path: &Pointer, draft: &mut Draft, depth: usize) {
        self.stands(member.key_span, path);
        self.stands(member.node.span, path);
        let (key_span, node) = (member.key_span, &member.node);
        if node.is_null() {
            return;
        }
        match self.meaning(&member.key) {
            FieldMeaning::Is("args") => self.args(member, path, draft),
            FieldMeaning::Is("env") => self.group(member, path, draft, Group::Env),
            // A shell expands it, with variables of its own.
            FieldMeaning::Is(key @ "headersHelper") => draft.push(key, key_span, node.clone()),
            FieldMeaning::Is(key) => {
                let node = self.value(node, path);
                draft.push(key, key_span, node);
            }
            FieldMeaning::Address(_) if self.address.as_deref().is_some_and(|word| *word != *member.key) => {
                let word = self.address.clone().unwrap_or_default();
                let message = format!("is not read by {} beside `{word}`", self.host.title);
                self.say(Severity::Note, path, key_span, message, None);
            }
            FieldMeaning::Address(kind) => {
                let node = self.value_for(TextReader::Address, node, path);
                draft.implied = draft.implied.or(kind);
                draft.push("url", key_span, node);
            }
            FieldMeaning::Transport => match (&node.value, depth) {
                (Value::String(word), _) => draft.kind = Some((word.to_string(), node.span)),
                (Value::Object(inner), 1..) => self.nested(inner, path, draft, depth - 1),
                _ => draft.push("type", key_span, node.clone()),
            },
            FieldMeaning::Command => self.command(member, path, draft, depth),
            FieldMeaning::CommandLine => match node.as_str().and_then(crate::script::last_command) {
                Some(words) if words.len() > 1 && self.is_without_args => {
                    let word =
                        |word: &String| Node { span: node.span, value: Value::String(word.as_str().into()) };
                    let words = Value::Array(words.iter().map(word).collect());
                    let line = Member { node: Node { span: node.span, value: words }, ..member.clone() };
                    self.command(&line, path, draft, depth);
                }
                _ => self.command(member, path, draft, depth),
            },
            FieldMeaning::Headers => self.group(member, path, draft, Group::Headers),
            FieldMeaning::HeaderVariables => self.header_variables(member, path, draft),
            FieldMeaning::Bearer => match node.as_str().filter(|name| mcp_text::is_variable_name(name)) {
                Some(name) => {
                    let value = Value::String(format!("Bearer {}", variables::required(name)).into());
                    draft.header("Authorization", key_span, Node { span: node.span, value });
                }
                None => self.lost(path, key_span, "it is not a name of a variable"),
            },
            FieldMeaning::BearerToken => {
                let node = self.value_for(TextReader::Header, node, path);
                match node.as_str() {
                    Some(token) => {
                        let value = Value::String(format!("Bearer {token}").into());
                        draft.header("Authorization", key_span, Node { span: node.span, value });
                    }
                    None => self.lost(path, key_span, "it is not a token"),
                }
            }
            FieldMeaning::Variables => self.variables(member, path, draft),
            FieldMeaning::Time(key, unit) => {
                let node = self.time(node, unit);
                draft.push(key, key_span, node);
            }
            FieldMeaning::OAuth => self.oauth(member, path, draft),
            FieldMeaning::OAuthField(key) => self.oauth_field(key, member, path, draft),
            FieldMeaning::ClientSecret => self.client_secret(member, path, draft),
            FieldMeaning::ClientSecretVariable => self.client_secret_variable(member, path, draft),
            FieldMeaning::Tools => self.tools(member, draft),
            FieldMeaning::OneOf(fine, why) => {
                if !node.as_str().is_some_and(|word| fine.contains(&word)) {
                    self.lost(path, key_span, why);
                }
            }
            FieldMeaning::Lost(why) => self.lost(path, key_span, why),
            FieldMeaning::Nothing => {}
            FieldMeaning::Mistaken => draft.push(&member.key, key_span, node.clone()),
        }
    }

    fn nested(&mut self, object: &Object, path: &Pointer, draft: &mut Draft, depth: usize) {
        for field in object.iter() {
            // In an object that is the command, this is its first word.
            if &*field.key == "path" {
                let path = path.key("path");
                self.stands(field.node.span, &path);
                let node = self.value(&field.node, &path);
                draft.push("command", field.key_span, node);
                continue;
            }
            self.field(field, &path.key(&field.key), draft, depth);
        }
    }

    fn command(&mut self, member: &Member, path: &Pointer, draft: &mut Draft, depth: usize) {
        match &member.node.value {
            Value::Object(inner) if depth > 0 => self.nested(inner, path, draft, depth - 1),
            Value::Array(items) => {
                let mut words: Vec<Node> = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    words.push(self.value(item, &path.index(index)));
                }
                if words.is_empty() {
                    draft.push("command", member.key_span, member.node.clone());
                    return;
                }
                draft.push("command", member.key_span, words.remove(0));
                draft.spans.args.get_or_insert((member.key_span, member.node.span));
                // What is in `args` comes behind.
                words.append(&mut draft.args);
                draft.args = words;
            }
            _ => {
                let node = self.value(&member.node, path);
                draft.push("command", member.key_span, node);
            }
        }
    }

    fn args(&mut self, member: &Member, path: &Pointer, draft: &mut Draft) {
        let Some(items) = member.node.as_array() else {
            return draft.push("args", member.key_span, member.node.clone());
        };
        draft.spans.args.get_or_insert((member.key_span, member.node.span));
        for (index, item) in items.iter().enumerate() {
            let node = self.value(item, &path.index(index));
            draft.args.push(node);
        }
    }

    /// Headers or variables by name.
    fn group(&mut self, member: &Member, path: &Pointer, draft: &mut Draft, group: Group) {
        let Some(object) = member.node.as_object() else {
            return draft.push(group.key(), member.key_span, member.node.clone());
        };
        let (span, members) = draft.group(group);
        span.get_or_insert((member.key_span, member.node.span));
        for field in object.iter() {
            let path = path.key(&field.key);
            self.stands(field.key_span, &path);
            let reader = match group {
                Group::Headers => TextReader::Header,
                Group::Env => TextReader::Command,
            };
            let node = self.value_for(reader, &field.node, &path);
            members.push(Member { node, ..field.clone() });
        }
    }

    fn oauth(&mut self, member: &Member, path: &Pointer, draft: &mut Draft) {
        match &member.node.value {
            Value::Object(block) => {
                draft.spans.oauth.get_or_insert((member.key_span, member.node.span));
                for field in block.iter() {
                    let path = path.key(&field.key);
                    self.stands(field.key_span, &path);
                    self.stands(field.node.span, &path);
                    let means = OAUTH.iter().find(|(word, _)| *word == &*field.key).map(|(_, means)| *means);
                    match means {
                        _ if &*field.key == "enabled" => {
                            if field.node.as_bool() == Some(false) {
                                draft.push("oauth", field.key_span, field.node.clone());
                            }
                        }
                        Some(FieldMeaning::Is(key)) => self.oauth_field(key, field, &path, draft),
                        Some(FieldMeaning::ClientSecret) => self.client_secret(field, &path, draft),
                        Some(FieldMeaning::Lost(why)) => self.lost(&path, field.key_span, why),
                        Some(_) => {}
                        None => self.lost(&path, field.key_span, "there is no such setting here"),
                    }
                }
            }
            Value::Bool(_) => draft.push("oauth", member.key_span, member.node.clone()),
            Value::String(word) if &**word == "oauth" => {}
            _ => self.lost(path, member.key_span, words::ALONE),
        }
    }

    fn oauth_field(&mut self, key: &'static str, member: &Member, path: &Pointer, draft: &mut Draft) {
        draft.spans.oauth.get_or_insert((member.key_span, member.node.span));
        let node = match member.node.as_array() {
            None if key == "redirectUri" && member.node.as_str().is_some_and(named::is_loopback_port) => {
                let url = format!("http://{}/oauth/callback", member.node.as_str().unwrap_or_default());
                Node { span: member.node.span, value: Value::String(url.into()) }
            }
            Some(items) if key == "scopes" => {
                let words: Vec<&str> = items.iter().filter_map(Node::as_str).collect();
                Node { span: member.node.span, value: Value::String(words.join(" ").into()) }
            }
            _ => self.value(&member.node, path),
        };
        draft.oauth.push(Member { key: key.into(), key_span: member.key_span, node, overridden: false });
    }

    /// All tools, or none that are left out, are what is the default.
    fn tools(&mut self, member: &Member, draft: &mut Draft) {
        let (key, node) = (&*member.key, &member.node);
        let leaves_out = schema::TOOL_LISTS.iter().any(|(list, only)| *list == key && !only);
        let is_all = node.as_array().is_some_and(|items| {
            items.iter().any(|item| item.as_str() == Some("*")) && !leaves_out
                || items.is_empty() && (leaves_out || key == "available_tools")
        });
        if !is_all && !node.as_object().is_some_and(schema::says_nothing) {
            let key = if key == "available_tools" { "allowedTools" } else { key };
            draft.push(key, member.key_span, node.clone());
        }
    }

    fn time(&self, node: &Node, unit: Unit) -> Node {
        let Value::Number(_) = node.value else { return node.clone() };
        let written = self.source.written(node.span).replace('_', "");
        let (Unit::Seconds, Ok(seconds)) = (unit, written.parse::<f64>()) else { return node.clone() };
        let number = WholeNumber::parse(&format!("{}", (seconds * 1000.0).round()));
        Node { span: node.span, value: Value::Number(number) }
    }

    /// The same as [`Self::value`], of a text that this one reads.
    fn value_for(&mut self, reader: TextReader, node: &Node, path: &Pointer) -> Node {
        let before = std::mem::replace(&mut self.reader, reader);
        let node = self.value(node, path);
        self.reader = before;
        node
    }

    /// A value whose texts have our spelling of variables.
    fn value(&mut self, node: &Node, path: &Pointer) -> Node {
        self.stands(node.span, path);
        let value = match &node.value {
            Value::String(text) => Value::String(self.text(text, node.span, path).into()),
            Value::Array(items) => {
                let mut translated = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    translated.push(self.value(item, &path.index(index)));
                }
                Value::Array(translated.into_boxed_slice())
            }
            Value::Object(object) => {
                let mut members = Vec::new();
                for member in object.iter() {
                    let path = path.key(&member.key);
                    self.stands(member.key_span, &path);
                    members.push(Member { node: self.value(&member.node, &path), ..member.clone() });
                }
                Value::Object(Object::of(members))
            }
            other => other.clone(),
        };
        Node { span: node.span, value }
    }

    fn text(&mut self, text: &str, span: Span, path: &Pointer) -> String {
        let (of_header, of_command) = (self.reader == TextReader::Header, self.reader == TextReader::Command);
        let syntax = Syntax { forms: self.forms, of_header, of_command };
        let found = variables::translate(text, syntax, self.around, self.inputs);
        for reference in &found.lost {
            let message = format!("{} is not replaced here; it is used as it stands", display_key(reference));
            self.say(Severity::Warning, path, span, message, Some("write ${NAME} for the variable NAME"));
        }
        for id in &found.inputs {
            self.say_of_input(id, path, span);
        }
        if found.folder && self.around.changes {
            let folder = mcp_text::line(&self.around.folder.display().to_string(), 200);
            let title = self.host.title;
            let message =
                format!("the folder that {title} has open is {folder} now, and stays that once taken over");
            self.say(Severity::Note, path, span, message, None);
        }
        if found.escaped {
            self.literal.push((path.clone(), span, self.reader));
        }
        found.text
    }

    /// What becomes of what the host asks for, or has a command of its own for.
    fn say_of_input(&mut self, id: &str, path: &Pointer, span: Span) {
        let input = self.inputs.named(id);
        let (variable, title) = (input.variable.clone(), self.host.title);
        match &input.command {
            Some(command) => {
                let command = mcp_text::name(command, 60);
                let message = format!(
                    "is not taken over: {title} runs its command {command} for it, which no other program can"
                );
                let hint = format!("set {variable}, which stands for it here");
                self.say(Severity::Warning, path, span, message, Some(&hint));
            }
            None => {
                let choices: Vec<String> =
                    input.choices.iter().map(|choice| mcp_text::name(choice, 40)).collect();
                let choices =
                    if choices.is_empty() { String::new() } else { format!(" ({})", choices.join(", ")) };
                let message = format!("{title} asks for it{choices}; here it is the variable {variable}");
                self.say(Severity::Note, path, span, message, None);
            }
        }
    }

    /// What to write for a variable in a file of this host.
    fn reference_to_write(&self) -> Option<&'static str> {
        let forms = [
            (Form::Env, "write ${env:NAME} for the variable NAME"),
            (Form::Braces, "write {env:NAME} for the variable NAME"),
            (Form::Plain, "write ${NAME} for the variable NAME"),
        ];
        forms.into_iter().find(|(form, _)| self.forms.contains(form)).map(|(_, hint)| hint)
    }

    fn lost(&mut self, path: &Pointer, span: Span, why: &str) {
        // Some say themselves what to do instead.
        let hint = format!("leave the server to {} where that matters", self.host.title);
        let hint = (!why.contains(": ")).then_some(&*hint);
        self.say(Severity::Warning, path, span, format!("is not taken over: {why}"), hint);
    }

    fn say(&mut self, severity: Severity, path: &Pointer, span: Span, message: String, hint: Option<&str>) {
        let problem = self.source.problem(severity, ProblemCode::NotTakenOver, path, span, message);
        let mut problem = problem.of_server(&self.name);
        problem.hint = hint.map(str::to_owned);
        self.problems.push(problem);
    }
}
