//! What a tool takes, for a person who wants to call it: its arguments, and a call to copy.
//!
//! The schema (JSON Schema 2020-12) is a stranger's: what is not understood is shown as `any`, and nothing decides here.

use std::collections::HashSet;

use mcp_transport::tools::Tool;
use serde_json::Value;
use serde_json::value::RawValue;

use super::shown;
use super::text::Style;
use super::wrap::{behind, wrap};

/// How many values of an enumeration are shown.
const CHOICES: usize = 8;

/// The longest schema of a tool that is looked at, in bytes: those that people call by hand have a few KiB, and the values that
/// are made of one take up to seventy times its length.
const MAX_SCHEMA: usize = 256 * 1024;

/// Whether a schema is one that is looked at. Of another one nothing is known, and nothing is checked.
fn is_looked_at(schema: &str) -> bool {
    schema.len() <= MAX_SCHEMA
}

/// The schema of the arguments of `tool`, where it has one that is looked at.
pub(crate) fn schema(tool: &Tool) -> Option<&RawValue> {
    tool.view().input_schema.filter(|schema| is_looked_at(schema.get()))
}

/// One argument of a tool.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Argument {
    pub(crate) name: String,
    /// The type, as the schema calls it; several are joined by `|`.
    kind: String,
    pub(crate) required: bool,
    description: String,
    default: Option<Value>,
    choices: Vec<Value>,
}

/// The arguments of a tool: the required ones first, each group as the schema orders them. None of a schema that is too long.
pub(crate) fn arguments(schema: &str) -> Vec<Argument> {
    if !is_looked_at(schema) {
        return Vec::new();
    }
    let whole: Value = serde_json::from_str(schema).unwrap_or_default();
    let objects = objects(&whole);
    let required: HashSet<&str> = objects
        .iter()
        .flat_map(|object| object["required"].as_array().into_iter().flatten().filter_map(Value::as_str))
        .collect();
    let properties = objects.iter().filter_map(|object| object["properties"].as_object()).flatten();
    let mut known = HashSet::new();
    let mut arguments: Vec<Argument> = properties
        .filter(|(name, _)| known.insert(name.as_str()))
        .map(|(name, property)| {
            let meant = meant(&whole, property);
            let said = property["description"].as_str().or(meant["description"].as_str());
            Argument {
                name: name.clone(),
                kind: kind(&whole, property),
                required: required.contains(name.as_str()),
                description: said.unwrap_or_default().to_owned(),
                default: property.get("default").or(meant.get("default")).cloned(),
                choices: unless_null(&whole, meant)["enum"].as_array().cloned().unwrap_or_default(),
            }
        })
        .collect();
    arguments.sort_by_key(|argument| !argument.required);
    arguments
}

/// How many references are followed from one to the next.
const MOST_STEPS: usize = 8;

/// What `schema` means, a part of `whole`: what pydantic and zod write as a reference within the schema, or as a list of one.
fn meant<'s>(whole: &'s Value, schema: &'s Value) -> &'s Value {
    let mut meant = schema;
    for _ in 0..MOST_STEPS {
        let next = match (meant["$ref"].as_str(), meant["allOf"].as_array().map(Vec::as_slice)) {
            (Some(reference), _) => reference.strip_prefix('#').and_then(|pointer| whole.pointer(pointer)),
            (None, Some([only])) => Some(only),
            _ => None,
        };
        match next {
            Some(next) => meant = next,
            None => break,
        }
    }
    meant
}

/// The one schema of several that is not for `null`, where there is one.
fn unless_null<'s>(whole: &'s Value, schema: &'s Value) -> &'s Value {
    let several = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
    let mut others = several.into_iter().flatten().filter(|one| one["type"] != "null");
    match (others.next(), others.next()) {
        (Some(only), None) => meant(whole, only),
        _ => schema,
    }
}

/// The schemas whose properties are the arguments, all of which count: the whole one, and those that it is all of.
fn objects(whole: &Value) -> Vec<&Value> {
    let root = meant(whole, whole);
    let parts = root["allOf"].as_array().into_iter().flatten().map(|part| meant(whole, part));
    std::iter::once(root).chain(parts).collect()
}

/// Whether a schema lets in what it does not list by name.
fn lets_others_in(schema: &str) -> bool {
    let whole: Value = serde_json::from_str(schema).unwrap_or_default();
    objects(&whole).into_iter().any(|object| {
        let open = |name: &str| object.get(name).is_some_and(|value| *value != Value::Bool(false));
        ["oneOf", "anyOf", "patternProperties", "additionalProperties", "$ref", "$dynamicRef"]
            .into_iter()
            .any(open)
    })
}

fn kind(whole: &Value, property: &Value) -> String {
    kind_within(whole, property, MOST_STEPS)
}

fn kind_within(whole: &Value, property: &Value, steps: usize) -> String {
    let property = meant(whole, property);
    if let Some(kind) = property["type"].as_str() {
        if kind == "array" && property["items"].is_object() {
            return format!("array of {}", kind_of_items(meant(whole, &property["items"])));
        }
        return kind.to_owned();
    }
    let are_texts = |values: &Vec<Value>| !values.is_empty() && values.iter().all(Value::is_string);
    if property["type"].is_null() && property["enum"].as_array().is_some_and(are_texts) {
        return "string".to_owned();
    }
    let several =
        property["type"].as_array().or(property["anyOf"].as_array()).or(property["oneOf"].as_array());
    let mut kinds: Vec<String> = several
        .into_iter()
        .flatten()
        .map(|one| match one.as_str() {
            Some(kind) => kind.to_owned(),
            None if steps == 0 => "any".to_owned(),
            None => kind_within(whole, one, steps - 1),
        })
        .collect();
    kinds.dedup();
    if kinds.is_empty() || kinds.iter().any(|kind| kind == "any") {
        "any".to_owned()
    } else {
        kinds.join("|")
    }
}

fn kind_of_items(items: &Value) -> String {
    items["type"].as_str().unwrap_or("any").to_owned()
}

impl Argument {
    /// The values that it may have, as a person types them: of an enumeration, or of a truth value.
    #[cfg_attr(not(feature = "menu"), expect(dead_code, reason = "the menu alone has a form"))]
    pub(crate) fn values(&self) -> Vec<String> {
        if self.choices.is_empty() && self.kind.split('|').all(|kind| matches!(kind, "boolean" | "null")) {
            return ["true", "false"].map(str::to_owned).into();
        }
        self.choices.iter().map(word).collect()
    }

    /// `a`, or `[a]` where it may be left out.
    #[cfg_attr(not(feature = "menu"), expect(dead_code, reason = "the menu alone has a list of them"))]
    pub(crate) fn short(&self) -> String {
        let name = shown::cell(&self.name);
        if self.required { name } else { format!("[{name}]") }
    }

    /// Whether a value of it has members or items, so that it is typed as JSON.
    #[cfg_attr(not(feature = "menu"), expect(dead_code, reason = "the menu alone has a form"))]
    pub(crate) fn is_nested(&self) -> bool {
        self.kind.split('|').all(|kind| kind == "object" || kind.starts_with("array"))
    }

    /// What the server says of it.
    #[cfg_attr(not(feature = "menu"), expect(dead_code, reason = "the menu alone has a form"))]
    pub(crate) fn described(&self) -> &str {
        &self.description
    }

    /// `value` for it as it is typed on a command line, before a shell has it: `name=text`, or `name:=json` where only JSON
    /// will do.
    #[cfg_attr(not(feature = "menu"), expect(dead_code, reason = "the menu alone has a form"))]
    pub(crate) fn typed(&self, value: &str) -> String {
        let name = &self.name;
        let is_nested = |kind: &str| matches!(kind, "object" | "null") || kind.starts_with("array");
        let looks_nested =
            || serde_json::from_str(value).is_ok_and(|json: Value| json.is_object() || json.is_array());
        let is_json = if self.kind == "any" { looks_nested() } else { self.kind.split('|').all(is_nested) };
        if is_odd(name) {
            let json = serde_json::from_str(value).ok().filter(|_: &Value| is_json);
            return member(name, json.unwrap_or_else(|| value.into()));
        }
        match value {
            value if is_json => format!("{name}:={value}"),
            // It is the text, and not the name of a file.
            value if names_file(value) => format!("{name}:={}", Value::from(value)),
            value => format!("{name}={value}"),
        }
    }

    /// The values that it may have, where these are words that are typed as they are.
    pub(crate) fn choices(&self) -> impl Iterator<Item = String> {
        let words = self.choices.iter().filter_map(Value::as_str);
        words.filter(|word| !names_file(word)).map(str::to_owned)
    }

    /// As it would be typed, with a value that fits its type.
    fn example(&self) -> String {
        let name = &self.name;
        let has_odd_name = is_odd(name);
        let value = self.choices.first().or(self.default.as_ref());
        let (text, json) = match value {
            Some(Value::String(text)) => (Some(text.clone()), String::new()),
            Some(value) => (None, value.to_string()),
            None => match self.kind.split('|').next().unwrap_or_default() {
                "integer" | "number" => (None, "1".to_owned()),
                "boolean" => (None, "true".to_owned()),
                "object" => (None, "{}".to_owned()),
                kind if kind.starts_with("array") => (None, "[]".to_owned()),
                _ => (Some("TEXT".to_owned()), String::new()),
            },
        };
        match text {
            Some(text) if has_odd_name => plain(&member(name, text.into())),
            // Security: a server would get whatever file of the person it names.
            Some(text) if names_file(&text) => plain(&format!("{name}:={}", Value::from(text))),
            Some(text) => plain(&format!("{name}={text}")),
            None if has_odd_name => plain(&member(name, serde_json::from_str(&json).unwrap_or_default())),
            // Numbers and truth values are told by the schema; anything else is written as JSON.
            None if matches!(json.as_bytes().first(), Some(b'{' | b'[' | b'n')) => {
                plain(&format!("{name}:={json}"))
            }
            None => plain(&format!("{name}={json}")),
        }
    }

    /// What is said of it beside its name.
    pub(crate) fn summary(&self) -> String {
        let mut facts = vec![self.kind.clone()];
        facts.push(if self.required { "required" } else { "optional" }.to_owned());
        if !self.choices.is_empty() {
            let mut choices: Vec<String> = self.choices.iter().take(CHOICES).map(word).collect();
            if self.choices.len() > CHOICES {
                choices.push("…".to_owned());
            }
            facts.push(format!("one of {}", choices.join(", ")));
        }
        if let Some(default) = &self.default {
            facts.push(format!("default {}", word(default)));
        }
        shown::line(&facts.join(", "))
    }

    /// Its name and type, where it is missing.
    pub(crate) fn wanted(&self) -> String {
        shown::line(&format!("`{}` ({})", self.name, self.kind))
    }
}

/// Whether a value is read as the name of a file, whose text is sent in its place.
pub(crate) fn names_file(value: &str) -> bool {
    value.starts_with('@')
}

/// Whether a name would be read as something else, and goes into an object of its own.
fn is_odd(name: &str) -> bool {
    name.is_empty() || name.contains('=') || name.ends_with(':') || name.trim_start().starts_with('{')
}

/// An object of one member.
fn member(name: &str, value: Value) -> String {
    Value::Object(serde_json::Map::from_iter([(name.to_owned(), value)])).to_string()
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `=` needs no quoting in an argument.
pub(crate) fn plain(argument: &str) -> String {
    match argument.split_once('=').filter(|(name, _)| !name.trim_start().starts_with('{')) {
        Some((name, value)) => format!("{}={}", mcp_text::shell_word(name), mcp_text::shell_word(value)),
        None => mcp_text::shell_word(argument),
    }
}

/// A call of the tool, as it can be copied.
pub(crate) fn example(server: &str, tool: &str, arguments: &[Argument]) -> String {
    let mut call = format!("mcplink call {} {}", mcp_text::shell_word(server), mcp_text::shell_word(tool));
    let required = arguments.iter().filter(|argument| argument.required);
    for argument in required {
        call.push(' ');
        call.push_str(&argument.example());
    }
    call
}

/// Whether a tool takes arguments of which none is known by name.
fn takes_others(schema: &str, arguments: &[Argument]) -> bool {
    arguments.is_empty() && (!is_looked_at(schema) || lets_others_in(schema))
}

/// What is said of the arguments where none has a name.
fn unnamed(schema: &str, arguments: &[Argument]) -> Option<String> {
    arguments.is_empty().then(|| match takes_others(schema, arguments) {
        true if !is_looked_at(schema) => {
            format!("  has a schema of {} KiB, which is not shown; --json has it\n", schema.len() >> 10)
        }
        true => "  takes arguments that its schema does not list by name; --json has it\n".to_owned(),
        false => "  takes no arguments\n".to_owned(),
    })
}

/// The tool in full.
pub(crate) fn details(server: &str, tool: &Tool, step: impl Fn(&str) -> String, style: Style) -> String {
    let view = tool.view();
    let schema = view.input_schema.map(|schema| schema.get()).unwrap_or_default();
    let arguments = arguments(schema);
    let mut text = format!("{}\n", style.bold(&shown::name(&tool.name)));
    let said = view.description.as_deref().or(view.title.as_deref()).unwrap_or_default();
    for paragraph in mcp_text::block(said.trim()).lines() {
        for line in wrap(paragraph, style.columns.saturating_sub(2)) {
            // Words of a stranger are none of ours.
            let ours = ["next:", "why:", "error:", "warning:", "note:"];
            let mark = if ours.iter().any(|word| line.starts_with(word)) { "> " } else { "" };
            text.push_str(format!("  {mark}{line}").trim_end());
            text.push('\n');
        }
    }
    let names: Vec<String> = arguments.iter().map(|argument| shown::name(&argument.name)).collect();
    let width = shown::widest(names.iter().map(String::as_str));
    text.push_str(&unnamed(schema, &arguments).unwrap_or_else(|| "\n".to_owned()));
    for (argument, name) in arguments.iter().zip(&names) {
        let name = shown::pad(name, width);
        let summary = behind(&format!("  {name}  "), &argument.summary(), style.room());
        text.push_str(&summary.replacen(&name, &style.bold(&name), 1));
        let description = shown::line(&argument.description);
        for line in wrap(&description, style.columns.saturating_sub(width + 4)) {
            text.push_str(format!("  {}  {line}", " ".repeat(width)).trim_end());
            text.push('\n');
        }
    }
    let mut call = example(server, &tool.name, &arguments);
    if takes_others(schema, &arguments) {
        call.push_str(" '{}'");
    }
    text.push_str(&format!("\n  {}\n", step(&call)));
    text
}

/// The required arguments that are not given, where the schema leaves no doubt that they must be: nothing fills them in, and
/// it is not a reference to another schema, beside which older drafts of JSON Schema let nothing count.
pub(crate) fn surely_missing(schema: &str, is_given: impl Fn(&str) -> bool) -> Vec<Argument> {
    if !is_looked_at(schema) {
        return Vec::new();
    }
    let is_reference = |schema: &Value| schema.get("$ref").is_some() || schema.get("$dynamicRef").is_some();
    if serde_json::from_str(schema).is_ok_and(|schema: Value| is_reference(&schema)) {
        return Vec::new();
    }
    let is_missing = |one: &Argument| one.required && one.default.is_none() && !is_given(&one.name);
    arguments(schema).into_iter().filter(is_missing).collect()
}

/// The required arguments that are not given.
pub(crate) fn missing(arguments: &[Argument], is_given: impl Fn(&str) -> bool) -> Vec<&Argument> {
    arguments.iter().filter(|argument| argument.required && !is_given(&argument.name)).collect()
}

#[cfg(test)]
mod tests;
