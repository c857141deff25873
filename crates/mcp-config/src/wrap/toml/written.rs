//! What `wrap` puts into a file, as TOML.

use std::fmt;

use crate::wrap::BridgeCommand;

/// `[mcp_servers.NAME]` with what `through` does.
pub(in crate::wrap) fn block(keys: &[&str], name: &str, through: &BridgeCommand, end: &str) -> String {
    format!("[{}.{}]{end}{}", keys.join("."), key(name), body(&fields(through), end))
}

pub(super) fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// Every string of JSON that has no `\/` and no surrogates is one of TOML.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

pub(super) fn fields(through: &BridgeCommand) -> Vec<(&'static str, String)> {
    let list = |words: &[String]| {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        format!("[{}]", words.join(", "))
    };
    let mut fields = vec![("command", quoted(&through.program)), ("args", list(&through.args))];
    if !through.env.is_empty() {
        let env = through.env.iter().map(|(name, value)| format!("{} = {}", key(name), quoted(value)));
        fields.push(("env", format!("{{ {} }}", env.collect::<Vec<_>>().join(", "))));
    }
    if !through.env_vars.is_empty() {
        fields.push(("env_vars", list(&through.env_vars)));
    }
    fields
}

pub(super) fn body(fields: &[(impl fmt::Display, String)], end: &str) -> String {
    fields.iter().map(|(key, value)| format!("{key} = {value}{end}")).collect()
}
