//! Tool and prompt arguments as typed on the command line: `key=string`, `key:=json`, `key=@file`, `{json}`, `-`.
//!
//! Pure: files and stdin are read through [`Inputs`]. JSON stays as it was typed, so numbers keep their digits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

/// Where `@file` and `-` read from.
pub(crate) trait Inputs {
    /// The text of a file.
    fn file(&self, path: &str) -> Result<String, String>;
    /// All of standard input.
    fn stdin(&self) -> Result<String, String>;
}

/// Why arguments cannot be used: what was typed, and what is wrong with it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct ArgumentError {
    pub(crate) argument: String,
    pub(crate) problem: String,
}

/// An argument of another type than its schema wants. Its value stays where it was typed.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Mismatch {
    pub(crate) name: String,
    /// The types that it may have, as JSON Schema calls them.
    pub(crate) wanted: Vec<String>,
    /// The one that it has.
    pub(crate) given: &'static str,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` must be {}, and is of type {}", self.name, self.wanted.join(" or "), self.given)
    }
}

impl Mismatch {
    /// How an argument of that type is typed.
    pub(crate) fn example(&self) -> String {
        let name = mcp_text::shell_word(&self.name);
        match self.wanted.iter().map(String::as_str).find(|kind| *kind != "null").unwrap_or("null") {
            "array" => format!("{name}:='[\"a\", \"b\"]'"),
            "object" => format!("{name}:='{{\"key\": \"value\"}}'"),
            "boolean" => format!("{name}:=true"),
            "integer" => format!("{name}:=1"),
            "number" => format!("{name}:=1.5"),
            "string" => format!("{name}=TEXT"),
            _ => format!("{name}:=null"),
        }
    }
}

/// Arguments by name.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    values: BTreeMap<String, Box<RawValue>>,
    /// Typed as `key=string`: the only ones whose type is not certain.
    plain: BTreeMap<String, String>,
    /// Those that were typed by their names.
    typed: BTreeSet<String>,
    /// A whole object was given: what a person, or a program, wrote out is sent as it stands.
    is_whole: bool,
}

impl Arguments {
    /// Reads what was typed. What is typed replaces what a JSON object before it says, and the other way round; that one
    /// argument is typed twice is a mistake.
    pub(crate) fn parse(typed: &[String], inputs: &impl Inputs) -> Result<Self, ArgumentError> {
        let mut arguments = Self::default();
        for argument in typed {
            arguments
                .add(argument, inputs)
                .map_err(|problem| ArgumentError { argument: shorten(argument), problem })?;
        }
        Ok(arguments)
    }

    fn add(&mut self, argument: &str, inputs: &impl Inputs) -> Result<(), String> {
        if argument == "-" {
            return self.merge(&inputs.stdin()?);
        }
        if argument.trim_start().starts_with('{') {
            return self.merge(argument);
        }
        let Some((key, value)) = argument.split_once('=') else {
            return Err("is neither key=string, key:=json, key=@file nor a JSON object".to_owned());
        };
        let typed_json = key.strip_suffix(':');
        let key = typed_json.unwrap_or(key);
        if key.is_empty() {
            return Err("has no key before =".to_owned());
        }
        self.plain.remove(key);
        let raw = if typed_json.is_some() {
            json(value).map_err(|error| format!("has a value that is {error}"))?
        } else if let Some(path) = value.strip_prefix('@') {
            text(&inputs.file(path)?)
        } else {
            self.plain.insert(key.to_owned(), value.to_owned());
            text(value)
        };
        self.values.insert(key.to_owned(), raw);
        match self.typed.insert(key.to_owned()) {
            true => Ok(()),
            false => Err(format!(
                "is given twice; a list is written {}:='[\"a\", \"b\"]'",
                mcp_text::shell_word(key)
            )),
        }
    }

    fn merge(&mut self, object: &str) -> Result<(), String> {
        let values: BTreeMap<String, Box<RawValue>> = serde_json::from_str(object)
            .map_err(|error| format!("is not a JSON object: {}", place(&error)))?;
        for key in values.keys() {
            self.plain.remove(key);
        }
        self.values.extend(values);
        self.is_whole = true;
        Ok(())
    }

    /// Whether they are sent as they stand, whatever a schema says: they were given as a JSON object.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether a schema could change anything.
    pub(crate) fn has_plain(&self) -> bool {
        !self.plain.is_empty()
    }

    /// The first argument that `schema` has no place for, and forbids: it closes its properties and leaves no other way in.
    pub(crate) fn forbidden(&self, schema: &RawValue) -> Option<&str> {
        const WAYS_IN: [&str; 8] =
            ["patternProperties", "allOf", "anyOf", "oneOf", "if", "$ref", "$dynamicRef", "dependentSchemas"];
        let schema: serde_json::Value = serde_json::from_str(schema.get()).ok()?;
        let is_closed = schema.get("additionalProperties")?.as_bool() == Some(false);
        if !is_closed || WAYS_IN.iter().any(|way| schema.get(way).is_some()) {
            return None;
        }
        let properties = schema.get("properties").and_then(serde_json::Value::as_object);
        self.names().find(|name| properties.is_none_or(|known| !known.contains_key(*name)))
    }

    /// Gives each `key=string` the type that `schema` wants: `count=3` is a number where a number is due. A property
    /// that may be a string stays one, and so does what fits nowhere.
    pub(crate) fn coerce(&mut self, schema: &RawValue) {
        let Some(schema) = Schema::read(schema) else { return };
        for (key, value) in &self.plain {
            let Some(types) = schema.types(key).filter(|types| !types.contains("string")) else { continue };
            if let Some(raw) = json(value).ok().filter(|raw| types.iter().any(|kind| is(raw, kind))) {
                self.values.insert(key.clone(), raw);
            }
        }
    }

    /// The first argument that is clearly of another type than `schema` wants. What was typed as JSON has the benefit of the
    /// doubt: many servers read a number out of a string, take 0 and 1 for a truth value, and null for what is left out.
    pub(crate) fn mismatch(&self, schema: &RawValue) -> Option<Mismatch> {
        let schema = Schema::read(schema)?;
        self.values.iter().find_map(|(name, value)| {
            let types = schema.types(name)?;
            let fits = |value: &RawValue| types.iter().any(|kind| is(value, kind));
            let may_be_read = || {
                let inner =
                    serde_json::from_str::<String>(value.get()).ok().and_then(|text| json(&text).ok());
                inner.is_some_and(|inner| fits(&inner))
                    || value.get() == "null"
                    || matches!(value.get(), "0" | "1") && types.contains("boolean")
            };
            if fits(value) || !self.plain.contains_key(name) && may_be_read() {
                return None;
            }
            Some(Mismatch { name: name.clone(), wanted: types.into_iter().collect(), given: kind(value) })
        })
    }

    /// The first argument that was typed as plain text and is not one of those that `schema` lists (JSON Schema 2020-12,
    /// validation, section 6.1.2), with these.
    pub(crate) fn unlisted(&self, schema: &RawValue) -> Option<(&str, Vec<String>)> {
        let schema = Schema::read(schema)?;
        self.plain.keys().find_map(|name| {
            let property = schema.properties.get(name).filter(|property| property.get("$ref").is_none())?;
            let listed = property.get("enum")?.as_array()?;
            let given: serde_json::Value = serde_json::from_str(self.values.get(name)?.get()).ok()?;
            let is_plain = |value: &serde_json::Value| !value.is_array() && !value.is_object();
            if listed.is_empty() || !listed.iter().all(is_plain) || listed.contains(&given) {
                return None;
            }
            let word =
                |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some((name.as_str(), listed.iter().map(word).collect()))
        })
    }

    /// The names that were given.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Whether this one was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The arguments as one JSON object.
    pub(crate) fn to_json(&self) -> Box<RawValue> {
        // String keys and values that are JSON already: serialising cannot fail.
        serde_json::value::to_raw_value(&self.values).unwrap_or_default()
    }
}

/// The types that JSON Schema knows (2020-12, core, section 4.2.1).
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// The part of a JSON Schema that says what a top-level argument is.
#[derive(Deserialize)]
struct Schema {
    #[serde(default)]
    properties: BTreeMap<String, serde_json::Value>,
    /// Beside it, older drafts of JSON Schema let nothing count.
    #[serde(rename = "$ref")]
    reference: Option<serde_json::Value>,
}

impl Schema {
    fn read(schema: &RawValue) -> Option<Self> {
        serde_json::from_str(schema.get()).ok().filter(|schema: &Self| schema.reference.is_none())
    }

    /// The types of this argument, where the schema leaves no doubt about them.
    fn types(&self, name: &str) -> Option<BTreeSet<String>> {
        let property = self.properties.get(name)?;
        if property.get("$ref").is_some() {
            return None;
        }
        let kinds = match property.get("type")? {
            kind @ serde_json::Value::String(_) => std::slice::from_ref(kind),
            serde_json::Value::Array(kinds) => kinds,
            _ => return None,
        };
        let mut types: BTreeSet<String> =
            kinds.iter().map(|kind| kind.as_str().map(str::to_owned)).collect::<Option<_>>()?;
        // OpenAPI's word.
        if property.get("nullable").and_then(serde_json::Value::as_bool) == Some(true) {
            types.insert("null".to_owned());
        }
        let all_are_known = types.iter().all(|kind| TYPES.contains(&kind.as_str()));
        (all_are_known && !types.is_empty()).then_some(types)
    }
}

/// What `raw` is, in a word.
fn kind(raw: &RawValue) -> &'static str {
    ["object", "array", "string", "boolean", "null"]
        .into_iter()
        .find(|kind| is(raw, kind))
        .unwrap_or("number")
}

/// Whether `raw` is of this JSON Schema type (2020-12, validation, section 6.1.1).
fn is(raw: &RawValue, kind: &str) -> bool {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{') => kind == "object",
        Some(b'[') => kind == "array",
        Some(b'"') => kind == "string",
        Some(b't' | b'f') => kind == "boolean",
        Some(b'n') => kind == "null",
        _ => {
            kind == "number"
                || kind == "integer" && text.parse::<f64>().is_ok_and(|number| number.fract() == 0.0)
        }
    }
}

fn json(value: &str) -> Result<Box<RawValue>, String> {
    serde_json::from_str(value).map_err(|error| format!("not valid JSON: {}", place(&error)))
}

/// Where JSON is wrong, in words of ours.
fn place(error: &serde_json::Error) -> String {
    match (error.classify(), error.line()) {
        (Category::Eof, _) => "it ends too early".to_owned(),
        (Category::Data, _) => "it is a value of another kind".to_owned(),
        (_, 0 | 1) => format!("at character {}", error.column()),
        (_, line) => format!("at character {} of line {line}", error.column()),
    }
}

fn text(value: &str) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_default()
}

/// Enough of an argument to recognise it; the rest may be long or private.
fn shorten(argument: &str) -> String {
    let shown = argument.split_once('=').map_or(argument, |(key, _)| key.strip_suffix(':').unwrap_or(key));
    shown.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Inputs for Fixed {
        fn file(&self, path: &str) -> Result<String, String> {
            if path == "notes.txt" {
                Ok("from the file\n".to_owned())
            } else {
                Err(format!("cannot read {path}"))
            }
        }
        fn stdin(&self) -> Result<String, String> {
            Ok(r#"{"from": "stdin", "n": 1}"#.to_owned())
        }
    }

    fn arguments(typed: &[&str]) -> Result<Arguments, ArgumentError> {
        Arguments::parse(&typed.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), &Fixed)
    }

    #[test]
    fn every_spelling_is_understood() {
        for (typed, expected) in [
            (vec![], "{}"),
            (vec!["a=1"], r#"{"a":"1"}"#),
            (vec!["a:=1", "b:=[true]"], r#"{"a":1,"b":[true]}"#),
            (vec!["a=x=y"], r#"{"a":"x=y"}"#),
            (vec!["a="], r#"{"a":""}"#),
            (vec!["a=@notes.txt"], r#"{"a":"from the file\n"}"#),
            (vec![r#"{"a": 1}"#, "b=2"], r#"{"a":1,"b":"2"}"#),
            (vec!["-", "n:=2"], r#"{"from":"stdin","n":2}"#),
            (vec!["n:=12345678901234567890.10"], r#"{"n":12345678901234567890.10}"#),
        ] {
            assert_eq!(arguments(&typed).unwrap().to_json().get(), expected, "{typed:?}");
        }
    }

    #[test]
    fn fh_h14_what_is_wrong_is_named() {
        for (typed, argument, part) in [
            ("plain", "plain", "neither key=string"),
            ("=x", "", "no key"),
            ("a:=x", "a", "has a value that is not valid JSON: at character 1"),
            ("a:={", "a", "has a value that is not valid JSON: it ends too early"),
            ("a:=", "a", "has a value that is not valid JSON: it ends too early"),
            ("{\"a\"}", "{\"a\"}", "is not a JSON object: at character 5"),
            ("{\n\"a\" 1}", "{\n\"a\" 1}", "is not a JSON object: at character 5 of line 2"),
            ("a=@missing", "a", "cannot read missing"),
        ] {
            let error = arguments(&[typed]).unwrap_err();
            assert_eq!(error.argument, argument);
            assert!(error.problem.contains(part), "{typed}: {}", error.problem);
        }
    }

    #[test]
    fn fh_h6_an_argument_that_is_typed_twice_is_a_mistake() {
        for (first, second) in [("a=1", "a=2"), ("a=1", "a:=2"), ("a=@notes.txt", "a=1")] {
            let error = arguments(&["b=0", first, second]).unwrap_err();
            assert_eq!(error.argument, "a", "{first} {second}");
            assert!(error.problem.starts_with("is given twice; a list is written a:="), "{error:?}");
        }
        assert_eq!(arguments(&["a=1", r#"{"a": 2}"#]).unwrap().to_json().get(), r#"{"a":2}"#);
    }

    #[test]
    fn fh_h6_what_is_none_of_the_listed_values_is_told_with_them() {
        let schema = r##"{"properties": {"mode": {"enum": ["low", "high"]}, "level": {"type": "integer", "enum": [1, 2]},
            "odd": {"enum": [["a"]]}, "none": {"enum": []}, "other": {"enum": ["a"], "$ref": "#/x"}, "free": {}}}"##;
        let schema = RawValue::from_string(schema.to_owned()).unwrap();
        let found = |typed: &str| {
            let mut arguments = arguments(&[typed]).unwrap();
            arguments.coerce(&schema);
            arguments.unlisted(&schema).map(|(name, listed)| format!("{name}: {}", listed.join(" ")))
        };
        assert_eq!(found("mode=medium").as_deref(), Some("mode: low high"));
        assert_eq!(found("level=3").as_deref(), Some("level: 1 2"));
        // What was typed as JSON is certain, and where there is a doubt, the server decides.
        for typed in
            ["mode=low", "level=2", "mode:=\"x\"", "odd=x", "none=x", "other=x", "free=x", "unknown=x"]
        {
            assert_eq!(found(typed), None, "{typed}");
        }
    }

    #[test]
    fn a_schema_decides_what_plain_text_is() {
        let schema = r#"{"properties":{"count":{"type":"integer"},"ratio":{"type":["number","null"]},
            "name":{"type":"string"},"any":{},"on":{"type":"boolean"},"list":{"type":"array"},"id":{"type":["string","integer"]}}}"#;
        let schema = RawValue::from_string(schema.to_owned()).unwrap();
        let mut typed = arguments(&[
            "count=3",
            "ratio=1.50",
            "name=3",
            "any=3",
            "on=true",
            "list=[1]",
            "id=7",
            "extra=1",
        ])
        .unwrap();
        typed.coerce(&schema);
        assert_eq!(typed.mismatch(&schema), None);
        assert_eq!(
            typed.to_json().get(),
            r#"{"any":"3","count":3,"extra":"1","id":"7","list":[1],"name":"3","on":true,"ratio":1.50}"#
        );
        // What was typed as JSON stays as it was typed.
        let mut certain = arguments(&["count:=\"x\""]).unwrap();
        assert!(!certain.has_plain());
        certain.coerce(&schema);
        assert_eq!(certain.to_json().get(), r#"{"count":"x"}"#);
    }

    #[test]
    fn fh_h6_what_is_clearly_of_another_type_is_told_with_how_to_write_it() {
        let schema = r##"{"properties": {"count": {"type": "integer"}, "on": {"type": "boolean"}, "deep": {"type": "object"},
            "list": {"type": ["array", "null"]}, "name": {"type": "string"}, "ratio": {"type": "number"}, "nothing": {"type": "null"},
            "maybe": {"type": "integer", "nullable": true}, "odd": {"type": "float"}, "mixed": {"type": ["integer", "int64"]},
            "elsewhere": {"type": "integer", "$ref": "#/$defs/x"}, "none": {"type": []}, "flag": true}}"##;
        let schema = RawValue::from_string(schema.to_owned()).unwrap();
        let found = |typed: &str, schema: &RawValue| {
            let mut arguments = arguments(&[typed]).unwrap();
            arguments.coerce(schema);
            arguments.mismatch(schema)
        };
        for (typed, wanted, given, example) in [
            ("count=three", "integer", "string", "count:=1"),
            ("count=1.5", "integer", "string", "count:=1"),
            ("count:=1.5", "integer", "number", "count:=1"),
            ("count:=\"three\"", "integer", "string", "count:=1"),
            ("count:=[1]", "integer", "array", "count:=1"),
            ("on=1", "boolean", "string", "on:=true"),
            ("on:=2", "boolean", "number", "on:=true"),
            ("list=a", "array|null", "string", "list:='[\"a\", \"b\"]'"),
            ("deep=a", "object", "string", "deep:='{\"key\": \"value\"}'"),
            ("name:=3", "string", "number", "name=TEXT"),
            ("ratio:=true", "number", "boolean", "ratio:=1.5"),
            ("nothing=x", "null", "string", "nothing:=null"),
            ("maybe=x", "integer|null", "string", "maybe:=1"),
            ("{\"deep\": []}", "object", "array", "deep:='{\"key\": \"value\"}'"),
        ] {
            let mismatch = found(typed, &schema).unwrap_or_else(|| panic!("{typed}"));
            assert_eq!((&*mismatch.wanted.join("|"), mismatch.given), (wanted, given), "{typed}");
            assert_eq!(mismatch.example(), example, "{typed}");
        }
        // Where there is a doubt, the server decides.
        for typed in [
            "count=3",
            "count:=3.0",
            "count:=\"3\"",
            "count:=null",
            "on:=1",
            "list=null",
            "maybe:=null",
            "odd=x",
            "mixed=x",
            "elsewhere=x",
            "none=x",
            "flag=x",
            "unknown=x",
            "name=3",
            "deep:=\"{}\"",
        ] {
            assert_eq!(found(typed, &schema), None, "{typed}");
        }
        for schema in [
            r##"{"$ref": "#/x", "properties": {"count": {"type": "integer"}}}"##,
            r#"{"properties": 3}"#,
            "true",
        ] {
            let schema = RawValue::from_string(schema.to_owned()).unwrap();
            assert_eq!(found("count=three", &schema), None, "{schema}");
        }
    }
}
