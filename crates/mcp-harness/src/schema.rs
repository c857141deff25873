//! Documents against the JSON Schemas that the project publishes: the few keywords that those use, so that no other crate is needed.
//!
//! Stricter than the schema in one thing: a key that the schema does not name is a mistake here, unless it says
//! `additionalProperties`. To readers it is allowed; to us it is one that was forgotten.

use serde_json::{Map, Value};

/// What is wrong with `document`, by the definition `name` in the `$defs` of `schema`; each with the place in the document.
///
/// # Panics
///
/// There is no such definition, or it has a keyword that is not known here.
#[must_use]
pub fn against_schema(document: &Value, schema: &Value, name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    check(document, definition(schema, name), schema, name, &mut wrong);
    wrong
}

fn definition<'a>(schema: &'a Value, name: &str) -> &'a Map<String, Value> {
    let found = schema["$defs"][name].as_object();
    found.unwrap_or_else(|| panic!("the schema does not define {name}"))
}

fn check(value: &Value, rule: &Map<String, Value>, schema: &Value, at: &str, wrong: &mut Vec<String>) {
    for (keyword, said) in rule {
        match keyword.as_str() {
            "description" | "required" | "additionalProperties" => {}
            "$ref" => {
                let name = said.as_str().and_then(|name| name.strip_prefix("#/$defs/")).unwrap_or_default();
                check(value, definition(schema, name), schema, at, wrong);
            }
            "type" => {
                let kinds: Vec<&str> = match said {
                    Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
                    one => one.as_str().into_iter().collect(),
                };
                if !kinds.iter().any(|kind| is_a(value, kind)) {
                    wrong.push(format!("{at}: {value} is not of type {}", kinds.join(" or ")));
                }
            }
            "const" if value != said => wrong.push(format!("{at}: {value} is not {said}")),
            "enum" if !said.as_array().is_some_and(|words| words.contains(value)) => {
                wrong.push(format!("{at}: {value} is not one of {said}"));
            }
            "const" | "enum" => {}
            "anyOf" => {
                let ways = said.as_array().into_iter().flatten().filter_map(Value::as_object);
                let tried: Vec<Vec<String>> = ways
                    .map(|way| {
                        let mut wrong = Vec::new();
                        check(value, way, schema, at, &mut wrong);
                        wrong
                    })
                    .collect();
                if !tried.iter().any(Vec::is_empty) {
                    wrong.extend(tried.into_iter().flatten());
                }
            }
            "items" => {
                let rule = said.as_object().unwrap_or_else(|| panic!("{at}: items is an object"));
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(item, rule, schema, &format!("{at}[{number}]"), wrong);
                }
            }
            "properties" => properties(value, rule, schema, at, wrong),
            other => panic!("{at}: the keyword {other} is not known here"),
        }
    }
}

fn properties(value: &Value, rule: &Map<String, Value>, schema: &Value, at: &str, wrong: &mut Vec<String>) {
    let (Some(object), Some(known)) = (value.as_object(), rule["properties"].as_object()) else { return };
    for (key, value) in object {
        match known.get(key).and_then(Value::as_object) {
            Some(rule) => check(value, rule, schema, &format!("{at}.{key}"), wrong),
            None if rule.get("additionalProperties") == Some(&Value::Bool(true)) => {}
            None => wrong.push(format!("{at}.{key} is in no schema")),
        }
    }
    let required = rule.get("required").and_then(Value::as_array).into_iter().flatten();
    for key in required.filter_map(Value::as_str).filter(|key| !object.contains_key(*key)) {
        wrong.push(format!("{at}.{key} is missing"));
    }
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("there is no type {other}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_is_found_with_its_place() {
        let schema = json!({ "$defs": {
            "part": { "enum": ["a", "b"] },
            "whole": {
                "type": "object",
                "properties": {
                    "n": { "type": ["integer", "null"] },
                    "parts": { "type": "array", "items": { "$ref": "#/$defs/part" } },
                    "some": { "anyOf": [{ "const": 1 }, { "type": "null" }] },
                },
                "required": ["n"],
            },
        } });
        for (document, expected) in [
            (json!({ "n": 1, "parts": ["a", "b"], "some": null }), None),
            (json!({ "n": null, "some": 1 }), None),
            (json!({}), Some("whole.n is missing")),
            (json!({ "n": 1.5 }), Some("whole.n: 1.5 is not of type integer or null")),
            (json!({ "n": 1, "m": 1 }), Some("whole.m is in no schema")),
            (json!({ "n": 1, "parts": ["c"] }), Some("whole.parts[0]: \"c\" is not one of [\"a\",\"b\"]")),
            (json!({ "n": 1, "some": 2 }), Some("whole.some: 2 is not 1")),
            (json!([]), Some("whole: [] is not of type object")),
        ] {
            assert_eq!(against_schema(&document, &schema, "whole").first().map(String::as_str), expected);
        }
    }
}
