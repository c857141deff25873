//! Tool arguments as typed on the command line: `key=string`, `key:=json`, `key=@file`, `{json}`, `-`.
//!
//! Pure: files and stdin are read through [`Inputs`].

use serde_json::{Map, Value};

/// Where `@file` and `-` read from.
pub(crate) trait Inputs {
    /// The text of a file.
    fn file(&self, path: &str) -> Result<String, String>;
    /// All of standard input.
    fn stdin(&self) -> Result<String, String>;
}

/// Why arguments could not be read: what was typed, and what is wrong with it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct ArgumentError {
    pub(crate) argument: String,
    pub(crate) problem: String,
}

/// The arguments object. Later arguments replace earlier ones of the same key; a JSON object is merged in.
pub(crate) fn parse(typed: &[String], inputs: &impl Inputs) -> Result<Map<String, Value>, ArgumentError> {
    let mut arguments = Map::new();
    for argument in typed {
        let fail = |problem: String| ArgumentError { argument: shorten(argument), problem };
        if argument == "-" {
            arguments.extend(object(&inputs.stdin().map_err(fail)?).map_err(fail)?);
        } else if argument.trim_start().starts_with('{') {
            arguments.extend(object(argument).map_err(fail)?);
        } else {
            let (key, value) = pair(argument, inputs).map_err(fail)?;
            arguments.insert(key, value);
        }
    }
    Ok(arguments)
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("is not a JSON object".to_owned()),
        Err(error) => Err(format!("is not valid JSON: {error}")),
    }
}

fn pair(argument: &str, inputs: &impl Inputs) -> Result<(String, Value), String> {
    let Some((key, value)) = argument.split_once('=') else {
        return Err("is neither key=string, key:=json, key=@file nor a JSON object".to_owned());
    };
    let (key, value) = if let Some(key) = key.strip_suffix(':') {
        (
            key,
            serde_json::from_str(value)
                .map_err(|error| format!("has a value that is not valid JSON: {error}"))?,
        )
    } else if let Some(path) = value.strip_prefix('@') {
        (key, Value::String(inputs.file(path)?))
    } else {
        (key, Value::String(value.to_owned()))
    };
    if key.is_empty() {
        return Err("has no key before =".to_owned());
    }
    Ok((key.to_owned(), value))
}

/// Enough of an argument to recognise it; the rest may be long or private.
fn shorten(argument: &str) -> String {
    let shown = argument.split_once('=').map_or(argument, |(key, _)| key);
    shown.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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

    fn parsed(typed: &[&str]) -> Result<Value, ArgumentError> {
        parse(&typed.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), &Fixed).map(Value::Object)
    }

    #[test]
    fn every_spelling_is_understood() {
        for (typed, expected) in [
            (vec![], json!({})),
            (vec!["a=1"], json!({"a": "1"})),
            (vec!["a:=1", "b:=[true]"], json!({"a": 1, "b": [true]})),
            (vec!["a=x=y"], json!({"a": "x=y"})),
            (vec!["a="], json!({"a": ""})),
            (vec!["a=@notes.txt"], json!({"a": "from the file\n"})),
            (vec![r#"{"a": 1}"#, "b=2"], json!({"a": 1, "b": "2"})),
            (vec!["-", "n:=2"], json!({"from": "stdin", "n": 2})),
            (vec!["n:=12345678901234567890"], json!({"n": 12345678901234567890u64})),
        ] {
            assert_eq!(parsed(&typed).unwrap(), expected, "{typed:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (typed, argument, part) in [
            ("plain", "plain", "neither key=string"),
            ("=x", "", "no key"),
            ("a:=x", "a:", "not valid JSON"),
            ("{\"a\"}", "{\"a\"}", "not valid JSON"),
            ("a=@missing", "a", "cannot read missing"),
        ] {
            let error = parsed(&[typed]).unwrap_err();
            assert_eq!(error.argument, argument);
            assert!(error.problem.contains(part), "{typed}: {}", error.problem);
        }
    }
}
