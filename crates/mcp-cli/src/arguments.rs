//! Tool and prompt arguments as typed on the command line: `key=string`, `key:=json`, `key=@file`, `{json}`, `-`.
//!
//! Pure: files and stdin are read through [`Inputs`]. JSON stays as it was typed, so numbers keep their digits.

use std::collections::{BTreeMap, BTreeSet};

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

/// Arguments by name.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    values: BTreeMap<String, Box<RawValue>>,
    /// Typed as `key=string`: the only ones whose type is not certain.
    plain: BTreeMap<String, String>,
}

impl Arguments {
    /// Reads what was typed. Later arguments replace earlier ones of the same key; a JSON object is merged in.
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
        Ok(())
    }

    fn merge(&mut self, object: &str) -> Result<(), String> {
        let values: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(object).map_err(|error| format!("is no JSON object: {}", place(&error)))?;
        for key in values.keys() {
            self.plain.remove(key);
        }
        self.values.extend(values);
        Ok(())
    }

    /// Whether a schema could change anything.
    pub(crate) fn has_plain(&self) -> bool {
        !self.plain.is_empty()
    }

    /// Gives each `key=string` the type that `schema` wants: `count=3` is a number where a number is due. A property
    /// that may be a string stays one.
    pub(crate) fn coerce(&mut self, schema: &RawValue) -> Result<(), ArgumentError> {
        let Ok(schema) = serde_json::from_str::<Schema>(schema.get()) else { return Ok(()) };
        for (key, value) in &self.plain {
            let Some(types) = schema.properties.get(key).and_then(|property| property.types()) else {
                continue;
            };
            if types.contains("string") {
                continue;
            }
            let fits = json(value).ok().filter(|raw| types.iter().any(|kind| is(raw, kind)));
            let Some(raw) = fits else {
                let wanted: Vec<&str> = types.iter().map(String::as_str).collect();
                return Err(ArgumentError {
                    argument: key.clone(),
                    problem: format!("must be {}", wanted.join(" or ")),
                });
            };
            self.values.insert(key.clone(), raw);
        }
        Ok(())
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

/// The part of a JSON Schema that says what a top-level argument is.
#[derive(Deserialize)]
struct Schema {
    #[serde(default)]
    properties: BTreeMap<String, Property>,
}

#[derive(Deserialize)]
struct Property {
    r#type: Option<serde_json::Value>,
}

impl Property {
    fn types(&self) -> Option<BTreeSet<String>> {
        match self.r#type.as_ref()? {
            serde_json::Value::String(kind) => Some(BTreeSet::from([kind.clone()])),
            serde_json::Value::Array(kinds) => {
                Some(kinds.iter().filter_map(|kind| kind.as_str().map(str::to_owned)).collect())
            }
            _ => None,
        }
    }
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
            ("{\"a\"}", "{\"a\"}", "is no JSON object: at character 5"),
            ("{\n\"a\" 1}", "{\n\"a\" 1}", "is no JSON object: at character 5 of line 2"),
            ("a=@missing", "a", "cannot read missing"),
        ] {
            let error = arguments(&[typed]).unwrap_err();
            assert_eq!(error.argument, argument);
            assert!(error.problem.contains(part), "{typed}: {}", error.problem);
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
        typed.coerce(&schema).unwrap();
        assert_eq!(
            typed.to_json().get(),
            r#"{"any":"3","count":3,"extra":"1","id":"7","list":[1],"name":"3","on":true,"ratio":1.50}"#
        );
        for (wrong, wanted) in [
            ("count=three", "must be integer"),
            ("count=1.5", "must be integer"),
            ("on=1", "must be boolean"),
        ] {
            let error = arguments(&[wrong]).unwrap().coerce(&schema).unwrap_err();
            assert_eq!(error.problem, wanted);
        }
        // What was typed as JSON is taken at its word.
        let mut certain = arguments(&["count=1", "count:=\"x\""]).unwrap();
        assert!(!certain.has_plain());
        certain.coerce(&schema).unwrap();
        assert_eq!(certain.to_json().get(), r#"{"count":"x"}"#);
    }
}
