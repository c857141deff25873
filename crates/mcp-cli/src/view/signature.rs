//! What a tool takes, for a person who wants to call it: its arguments, and a call to copy.
//!
//! The schema (JSON Schema 2020-12) is a stranger's: what is not understood is shown as `any`, and nothing decides here.

use mcp_transport::tools::Tool;
use serde_json::Value;

use super::shown;
use super::text::Style;
use super::wrap::{behind, wrap};

/// How many values of an enumeration are shown.
const CHOICES: usize = 8;

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

/// The arguments of a tool: the required ones first, each group as the schema orders them.
pub(crate) fn arguments(schema: &str) -> Vec<Argument> {
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    let required = |name: &str| {
        let names = schema["required"].as_array();
        names.is_some_and(|names| names.iter().any(|required| required == name))
    };
    let properties = schema["properties"].as_object();
    let mut arguments: Vec<Argument> = properties
        .into_iter()
        .flatten()
        .map(|(name, property)| Argument {
            name: name.clone(),
            kind: kind(property),
            required: required(name),
            description: property["description"].as_str().unwrap_or_default().to_owned(),
            default: property.get("default").cloned(),
            choices: property["enum"].as_array().cloned().unwrap_or_default(),
        })
        .collect();
    arguments.sort_by_key(|argument| !argument.required);
    arguments
}

fn kind(property: &Value) -> String {
    if let Some(kind) = property["type"].as_str() {
        if kind == "array" && property["items"].is_object() {
            return format!("array of {}", kind_of_items(&property["items"]));
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
        .map(|one| one.as_str().map_or_else(|| kind(one), str::to_owned))
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
            value if value.starts_with('@') => format!("{name}:={}", Value::from(value)),
            value => format!("{name}={value}"),
        }
    }

    /// The values that it may have, where these are words.
    pub(crate) fn choices(&self) -> impl Iterator<Item = String> {
        self.choices.iter().filter_map(|choice| choice.as_str().map(str::to_owned))
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
    text.push_str(if arguments.is_empty() { "  takes no arguments\n" } else { "\n" });
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
    text.push_str(&format!("\n  {}\n", step(&example(server, &tool.name, &arguments))));
    text
}

/// The required arguments that are not given, where the schema leaves no doubt that they must be: nothing fills them in, and
/// it is no reference to another schema, beside which older drafts of JSON Schema let nothing count.
pub(crate) fn surely_missing(schema: &str, is_given: impl Fn(&str) -> bool) -> Vec<Argument> {
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
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type": "object", "required": ["b", "a", "mode", "list", "deep"], "properties": {
        "limit": {"type": "integer", "default": 10, "description": "How many."},
        "a": {"type": "number"}, "b": {"type": "string", "description": "A word."},
        "mode": {"enum": ["fast", "slow mode"], "type": "string"},
        "list": {"type": "array", "items": {"type": "string"}},
        "deep": {"type": "object"}, "either": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "odd": true, "speed": {"enum": ["fast", "slow"]}}}"#;

    #[test]
    fn fh_h6_arguments_and_a_call_to_copy_come_from_the_schema() {
        let arguments = arguments(SCHEMA);
        let lines: Vec<String> =
            arguments.iter().map(|one| format!("{}: {}", one.name, one.summary())).collect();
        assert_eq!(
            lines,
            [
                "a: number, required",
                "b: string, required",
                "mode: string, required, one of fast, slow mode",
                "list: array of string, required",
                "deep: object, required",
                "limit: integer, optional, default 10",
                "either: string|null, optional",
                "odd: any, optional",
                "speed: string, optional, one of fast, slow",
            ]
        );
        assert_eq!(
            example("my server", "do it", &arguments),
            "mcplink call 'my server' 'do it' a=1 b=TEXT mode=fast list:='[]' deep:='{}'"
        );
    }

    #[test]
    fn fh_h6_only_what_nothing_can_fill_in_is_surely_missing() {
        for (schema, given, missing) in [
            (r#"{"required": ["a", "b"], "properties": {"a": {}, "b": {}}}"#, "a", "b"),
            (r##"{"required": ["a"], "properties": {"a": {"$ref": "#/$defs/x"}}}"##, "", "a"),
            (r#"{"required": ["a"], "properties": {"a": {}}, "anyOf": [{}]}"#, "", "a"),
            (r#"{"required": ["a"], "properties": {"a": {"default": 1}}}"#, "", ""),
            (r##"{"$ref": "#/$defs/x", "required": ["a"], "properties": {"a": {}}}"##, "", ""),
            (r#"{"anyOf": [{"required": ["a"]}], "properties": {"a": {}}}"#, "", ""),
            (r#"{"required": ["a"], "patternProperties": {"^a": {}}}"#, "", ""),
            (r#"{"required": "a", "properties": {"a": {}}}"#, "", ""),
            (r#"{"required": ["a"], "properties": {"a": {}}}"#, "a", ""),
            ("not a schema", "", ""),
        ] {
            let found = surely_missing(schema, |name| name == given);
            let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(names.join(" "), missing, "{schema}");
        }
    }

    #[test]
    fn a_schema_that_is_none_has_no_arguments() {
        for schema in
            ["", "true", "[]", r#"{"properties": 3}"#, r#"{"properties": {"x": null}, "required": "x"}"#]
        {
            assert!(arguments(schema).iter().all(|one| one.kind == "any"), "{schema}");
        }
    }
}
