//! An entry as it may be shown, before anything of it is in force.

use super::Value;
use crate::Env;
use crate::display::{
    REDACTED, display_args, display_command, display_name, display_program, display_secret_text,
    display_url_text,
};
use crate::expand::Text;

impl Value {
    /// A server entry with what may be a secret in it replaced, by the rules of every other view of an entry.
    #[must_use]
    pub fn shown(&self) -> Self {
        let Self::Object(members) = self else { return Self::Null };
        let program = members.iter().find(|(key, _)| key == "command");
        let program = program.and_then(|(_, command)| command.as_str()).unwrap_or_default();
        let shown = |(key, value): &(String, Self)| (key.clone(), shown_member(key, value, program));
        Self::Object(members.iter().map(shown).collect())
    }
}

fn text(written: &str) -> Text {
    Text::expand(written, &Env::new())
}

fn shown_member(key: &str, value: &Value, program: &str) -> Value {
    match (key, value) {
        ("headers" | "env", Value::Object(members)) => Value::Object(
            members
                .iter()
                .map(|(name, value)| (display_name(name).into_owned(), shown_secret(value)))
                .collect(),
        ),
        ("args", Value::Array(items)) => match items.iter().map(Value::as_str).collect::<Option<Vec<_>>>() {
            Some(words) => {
                let texts: Vec<Text> = words.into_iter().map(text).collect();
                Value::Array(display_args(program, &texts).into_iter().map(Value::String).collect())
            }
            None => Value::Array(Vec::new()),
        },
        ("command", Value::String(written)) => Value::String(display_program(&text(written))),
        ("headersHelper", Value::String(command)) => Value::String(display_command(command)),
        (_, Value::String(written)) if mcp_text::is_credential_name(key) => {
            shown_secret(&Value::from(&**written))
        }
        (_, Value::String(written)) => Value::String(display_url_text(&text(written))),
        (_, Value::Object(_)) => value.shown(),
        (_, Value::Array(items)) => {
            Value::Array(items.iter().map(|item| shown_member(key, item, program)).collect())
        }
        (_, plain) => plain.clone(),
    }
}

fn shown_secret(value: &Value) -> Value {
    match value {
        Value::String(written) => Value::String(display_secret_text(&text(written))),
        Value::Null | Value::Bool(_) => value.clone(),
        _ => Value::from(REDACTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_of_an_entry_shows_a_secret() {
        let entry = Value::parse(
            r#"{"type": "http", "url": "https://u:canary@h.example/p?key=canary", "timeout": 5,
                "headers": {"Authorization": "Bearer canary", "X-Own": "canary", "X-From": "${TOKEN}", "N": 1234},
                "env": {"A": "canary"}, "args": ["--token", "canary", "--api-key=canary", "x", "-p", "canary"],
                "headersHelper": "printf canary", "oauth": {"clientId": "id", "clientSecret": "canary"},
                "command": "run", "token": "canary", "list": [{"apiKey": "canary"}, ["https://h.example/?k=canary"]]}"#,
        )
        .unwrap();
        let shown = entry.shown().to_json();
        assert!(!shown.contains("canary") && !shown.contains("1234"), "{shown}");
        let line = Value::parse(r#"{"command": "run --token=canary"}"#).unwrap().shown().to_json();
        assert!(!line.contains("canary"), "{line}");
        for kept in ["\"https://", "h.example/p", "${TOKEN}", "\"id\"", "\"x\"", "\"run\"", "\"timeout\": 5"]
        {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
    }
}
