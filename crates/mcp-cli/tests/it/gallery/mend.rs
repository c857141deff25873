//! What a person does about a set-up, as the words of `doctor` name it, and no more than that: the harness makes the change itself,
//! at the place that the words name, and refuses one that they do not name.

use std::path::PathBuf;

use serde_json::Value;

use super::Broken;

/// What mends a set-up beside the command that is printed.
pub(super) enum Mend {
    /// The command alone.
    Command,
    /// The command waits, and on the other side it passes.
    Meanwhile(Box<dyn FnOnce() + Send>),
    /// Fields of an entry or of a file, at the file and line that are named.
    Fields(Vec<Field>),
    /// A variable that is named is set.
    Variable(&'static str, &'static str),
    /// What is named is started, as the step says.
    Start(Box<dyn FnOnce() + Send>),
    /// A file that is named is written.
    File(PathBuf, String),
    /// Outside of this machine's files: the people who run the server, or the clock. `doctor` says in these words what it saw.
    Elsewhere(&'static str, Box<dyn FnOnce(&mut Broken) + Send>),
}

/// One change of a file.
pub(super) struct Field {
    /// What the words call it.
    named: &'static str,
    /// Where it is: below the entry, or from the root of the file.
    path: &'static str,
    /// None takes it out.
    value: Option<Value>,
    /// The value has to be named as well.
    is_told: bool,
}

impl Field {
    /// A field that is named as it is called, with a value that a person knows.
    pub(super) fn set(path: &'static str, value: impl Into<Value>) -> Self {
        Self { named: path, path, value: Some(value.into()), is_told: false }
    }

    /// The same, with a value that `doctor` tells.
    pub(super) fn told(path: &'static str, value: impl Into<Value>) -> Self {
        Self { is_told: true, ..Self::set(path, value) }
    }

    /// A field that is to go.
    pub(super) fn gone(path: &'static str) -> Self {
        Self { named: path, path, value: None, is_told: false }
    }

    /// The words call it this.
    pub(super) fn named(self, named: &'static str) -> Self {
        Self { named, ..self }
    }

    fn key(&self) -> &'static str {
        self.path.rsplit(['.', '/']).next().unwrap_or(self.path)
    }
}

/// The first `FILE:LINE` of a JSON file in these words.
fn place(words: &str) -> Option<(PathBuf, usize)> {
    words.split_whitespace().find_map(|word| {
        let (file, rest) = word.trim_start_matches('(').split_once(".json:")?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((PathBuf::from(format!("{file}.json")), digits.parse().ok()?))
    })
}

/// Makes these changes, and no other one, at the place that `shown` names.
pub(super) fn make(name: &str, fields: &[Field], shown: &str) {
    let (file, line) = place(shown).unwrap_or_else(|| panic!("{name}: no place: {shown}"));
    let text = std::fs::read_to_string(&file).unwrap();
    let there =
        text.lines().nth(line - 1).unwrap_or_else(|| panic!("{name}: {line} is behind the end: {text}"));
    let is_there = |key: &str| there.contains(&format!("\"{key}\""));
    assert!(
        is_there("s") || fields.iter().any(|field| is_there(field.key())),
        "{name}: line {line} is {there}"
    );
    let mut document: Value = serde_json::from_str(&text).unwrap();
    for field in fields {
        assert!(shown.contains(field.named), "{name}: {} is not named: {shown}", field.named);
        if field.is_told {
            let value = field.value.as_ref().and_then(Value::as_str).unwrap_or_default();
            assert!(shown.contains(value), "{name}: {value} is not told: {shown}");
        }
        let (mut owner, path) = match field.path.strip_prefix('/') {
            Some(path) => (&mut document, path),
            None => (&mut document["mcpServers"]["s"], field.path),
        };
        let mut steps: Vec<&str> = path.split('.').collect();
        let last = steps.pop().unwrap_or_default();
        for step in steps {
            owner = &mut owner[step];
        }
        match &field.value {
            Some(value) => owner[last] = value.clone(),
            None => assert!(
                owner.as_object_mut().and_then(|owner| owner.remove(last)).is_some(),
                "{name}: {path}"
            ),
        }
    }
    std::fs::write(&file, format!("{document:#}\n")).unwrap();
}

/// What is in the files of a home that a person edits: what is mended elsewhere leaves them as they are.
pub(super) fn files(broken: &Broken) -> Vec<Option<String>> {
    let (home, project) = (broken.setting.home.home(), broken.setting.home.project());
    let all = [home.join(".claude.json"), home.join(".claude/settings.json"), project.join(".mcp.json")];
    all.iter().map(|file| std::fs::read_to_string(file).ok()).collect()
}

#[test]
fn a_change_is_made_where_the_words_say_and_only_if_they_name_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.json");
    let text = "{\n  \"mcpServers\": {\n    \"s\": {\n      \"url\": \"a\",\n      \"b\": 1\n    }\n  }\n}\n";
    let words = |line: usize| format!("correct `url` of s in {}:{line}, or tls.ca: write c", file.display());
    let made = |fields: &[Field], line: usize| {
        std::fs::write(&file, text).unwrap();
        let all = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| make("x", fields, &words(line))));
        all.is_ok().then(|| std::fs::read_to_string(&file).unwrap())
    };
    let mended = made(&[Field::told("url", "c"), Field::set("tls.ca", "d")], 3).unwrap();
    let expected = serde_json::json!({ "mcpServers": { "s": { "url": "c", "b": 1, "tls": { "ca": "d" } } } });
    assert_eq!(serde_json::from_str::<Value>(&mended).unwrap(), expected);
    assert!(made(&[Field::gone("url")], 4).is_some());
    for (fields, line) in [
        (vec![Field::set("b", "d")], 3),
        (vec![Field::told("url", "not told")], 3),
        (vec![Field::set("url", "c")], 2),
        (vec![Field::set("url", "c")], 9),
        (vec![Field::gone("tls.ca")], 3),
    ] {
        assert!(made(&fields, line).is_none(), "{line}");
    }
}
