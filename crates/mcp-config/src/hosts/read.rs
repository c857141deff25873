//! From the text of a host's file to its servers in our own form.

use std::path::Path;

use crate::document::Document;
use crate::hosts::entry::{Entries, Reading};
use crate::hosts::whole::Whole;
use crate::hosts::words::holds_servers;
use crate::hosts::{EditorVariables, Format, HostPlace, shape, toml, variables, yaml};
use crate::json::{self, Member, Node, Object, Pointer, Value};
use crate::source::Source;
use crate::{ConfigSource, Locations, Problem, Project};

impl HostPlace {
    /// Reads `text`, the content of the file at this place.
    ///
    /// # Errors
    ///
    /// It cannot be parsed.
    pub(crate) fn read<'a>(
        self,
        file: &Source,
        text: &'a str,
        project: &Project,
        locations: &Locations,
    ) -> Result<Reading<'a>, Box<Problem>> {
        let folder = file.place.path().and_then(|path| self.folder(path)).map(Path::to_owned);
        let home = locations.home.clone();
        let changes = !self.file().is_of_project();
        let folder_in_words = folder.clone().unwrap_or_else(|| project.root.clone());
        let around = EditorVariables { folder: folder_in_words, home, changes };
        let mut reading = self.parse(file.place.clone(), text, &around)?;
        reading.document.folder = folder;
        reading.document.foreign = file.foreign;
        Ok(reading)
    }

    fn parse<'a>(
        self,
        place: ConfigSource,
        text: &'a str,
        around: &EditorVariables,
    ) -> Result<Reading<'a>, Box<Problem>> {
        let parsed = match self.file().format {
            Format::Json => return Ok(self.translated(&Document::parse(place, text)?, around)),
            Format::Toml => toml::parse(text),
            Format::Yaml if text.lines().all(is_blank) => json::parse("{}"),
            Format::Yaml => yaml::parse(text),
        };
        Ok(self.translated(&Document::parsed(place, text, parsed)?, around))
    }

    fn translated<'a>(self, source: &Document<'a>, around: &EditorVariables) -> Reading<'a> {
        let mut inputs = declared(source, self.file().keys);
        let mut problems = Vec::new();
        let servers = source.object().and_then(|root| servers(root, self.file().keys));
        let mut entries =
            Entries::new(self.host, source, around, &mut inputs, &mut problems).written_in(self.forms());
        let mut members = Vec::new();
        let mut span = source.root.span;
        let mut key_span = source.root.span;
        if let Some(Servers { keys, member }) = servers {
            let path = Pointer::of(keys);
            (span, key_span) = (member.node.span, member.key_span);
            entries.stands(key_span, &path);
            entries.stands(span, &path);
            let whole = Whole { host: self.host, root: source.object() };
            for (path, member) in named(&member.node, &path) {
                let Some(mut read) = entries.entry(&member, &path) else { continue };
                whole.refuse(&member, &mut read, &mut entries);
                members.push(read);
            }
            whole.supply(&mut members, &mut entries);
            whole.switch_off(&mut members, &mut entries);
        }
        entries.stands(source.root.span, &Pointer::default());
        let origins = entries.into_origins();
        problems.extend(shape::wrong(self.host, self.file(), source));
        let servers = Node { span, value: Value::Object(Object::of(members)) };
        let member = Member { key: "mcpServers".into(), key_span, node: servers, overridden: false };
        let root = Node { span: source.root.span, value: Value::Object(Object::of(vec![member])) };
        Reading { document: source.retold(self.host, root, origins), problems, inputs: inputs.0 }
    }
}

fn is_blank(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}').trim();
    line.is_empty() || line.starts_with('#') || line == "---"
}

/// Where the servers of a file are.
pub(super) struct Servers<'n> {
    pub(super) keys: &'static [&'static str],
    pub(super) member: &'n Member,
}

/// The first of these places that holds servers, or else the first that is there.
pub(super) fn servers<'n>(root: &'n Object, keys: &'static [&'static [&'static str]]) -> Option<Servers<'n>> {
    let at = |keys: &&'static [&'static str]| {
        let (last, outer) = keys.split_last()?;
        let object = outer.iter().try_fold(root, |object, key| object.get(key)?.as_object())?;
        let member = object.iter().find(|member| *member.key == **last)?;
        let holds = matches!(member.node.value, Value::Object(_) | Value::Array(_));
        holds.then_some(Servers { keys, member })
    };
    let mut all = keys.iter().filter_map(at);
    let first = all.next()?;
    if holds_servers(&first.member.node) {
        return Some(first);
    }
    Some(all.find(|servers| holds_servers(&servers.member.node)).unwrap_or(first))
}

/// The entries by name, of a list by what each calls itself.
fn named(servers: &Node, path: &Pointer) -> Vec<(Pointer, Member)> {
    if let Some(object) = servers.as_object() {
        return object.iter().map(|member| (path.key(&member.key), member.clone())).collect();
    }
    let items = servers.as_array().into_iter().flatten().enumerate();
    items
        .filter_map(|(index, node)| {
            let object = node.as_object()?;
            let name = object.get("name")?;
            let (key, key_span) = (name.as_str()?.into(), name.span);
            let fields = object.iter().filter(|member| &*member.key != "name").cloned().collect();
            let node = Node { span: node.span, value: Value::Object(Object::of(fields)) };
            Some((path.index(index), Member { key, key_span, node, overridden: false }))
        })
        .collect()
}

/// The inputs that a file declares, beside its servers or at its top.
fn declared(source: &Document<'_>, keys: &[&[&str]]) -> variables::Inputs {
    let mut inputs = variables::Inputs::default();
    let Some(root) = source.object() else { return inputs };
    let beside = keys.iter().filter_map(|keys| {
        let outer = keys.split_last()?.1;
        outer.iter().try_fold(root, |object, key| object.get(key)?.as_object())
    });
    let lists = std::iter::once(root).chain(beside.filter(|object| !std::ptr::eq(*object, root)));
    let items = lists.filter_map(|object| object.get("inputs")?.as_array()).flatten();
    for item in items.filter_map(Node::as_object) {
        let text = |key: &str| item.get(key).and_then(Node::as_str).map(str::to_owned);
        let Some(id) = text("id") else { continue };
        let secret = item.get("password").and_then(Node::as_bool) == Some(true);
        let input = inputs.named(&id);
        input.secret = secret;
        input.description = text("description");
        input.default = text("default").filter(|_| !secret);
        let kind = text("type").unwrap_or_default();
        if kind == "pickString" {
            input.choices = choices(item);
        }
        input.command = text("command").filter(|_| kind == "command");
    }
    inputs
}

/// What may be picked: words, or objects that have one as `value`.
fn choices(item: &Object) -> Vec<String> {
    let options = item.get("options").and_then(Node::as_array).into_iter().flatten();
    options
        .filter_map(|option| {
            let value = || option.as_object()?.get("value")?.as_str();
            option.as_str().or_else(value).map(str::to_owned)
        })
        .collect()
}
