//! A `--mcp-config` as a step repeats it.

use mcp_text::Secrets;
use serde_json::Value;

/// The longest text that is repeated, in columns.
const MOST: usize = 400;
const IN_A_FILE: &str = "write the text of --mcp-config to FILE";

/// `config` as a word that means the same again, or what a person does to have one: a pipe is empty the second time, and of
/// a text that may hold a secret, or has no place on a line, nothing is repeated.
pub(super) fn repeated(config: &str) -> Result<String, &'static str> {
    if config == "-" || ["/dev/", "/proc/"].iter().any(|place| config.starts_with(place)) {
        return Err("write what the pipe gave to FILE");
    }
    if !config.trim_start().starts_with('{') {
        return Ok(mcp_text::shell_word(config));
    }
    let document: Value = serde_json::from_str(config).map_err(|_| IN_A_FILE)?;
    let text = document.to_string();
    let is_public = mcp_text::line(&text, MOST) == text && is_public("", &document, false);
    if is_public { Ok(format!("'{}'", text.replace('\'', r"'\''"))) } else { Err(IN_A_FILE) }
}

/// Whether nothing in `value`, the value of the member `name`, may be a secret by its place. All headers are, and what is named
/// like one, unless it is in a variable.
fn is_public(name: &str, value: &Value, is_header: bool) -> bool {
    match value {
        Value::String(text) => {
            if is_header || mcp_text::is_credential_name(name) {
                text.split_whitespace().all(|word| is_variable(word) || mcp_text::is_scheme(word))
            } else {
                looks_public(text)
            }
        }
        Value::Array(items) => {
            let flags = std::iter::once("").chain(items.iter().map(|item| item.as_str().unwrap_or_default()));
            flags.zip(items).all(|(flag, item)| {
                let flag = flag.trim_start_matches('-');
                is_public(if flag.is_empty() { name } else { flag }, item, is_header)
            })
        }
        Value::Object(members) => members.iter().all(|(member, value)| {
            is_public(member, value, is_header || member.eq_ignore_ascii_case("headers"))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Without the default that it may have: that is written out.
fn is_variable(word: &str) -> bool {
    mcp_text::variable(word).is_some() && !word.contains(":-")
}

fn looks_public(text: &str) -> bool {
    let mut secrets = Secrets::default();
    secrets.insert_found_in(text);
    if text.contains("://") {
        secrets.insert_url(text);
    }
    secrets.credentials().hide(text) == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fh_h3_a_text_without_secrets_is_repeated_as_one_word() {
        for (config, word) in [
            ("a b.json", "'a b.json'"),
            ("{}", "'{}'"),
            (" { \"mcpServers\" : {\n} }", r#"'{"mcpServers":{}}'"#),
            (
                r#"{"mcpServers":{"s":{"type":"http","url":"http://127.0.0.1:8080/mcp"}}}"#,
                r#"'{"mcpServers":{"s":{"type":"http","url":"http://127.0.0.1:8080/mcp"}}}'"#,
            ),
            (r#"{"mcpServers":{"it's":{"command":"x"}}}"#, r#"'{"mcpServers":{"it'\''s":{"command":"x"}}}'"#),
            (
                r#"{"mcpServers":{"s":{"url":"https://a.example/","headers":{"Authorization":"Bearer ${T}"}}}}"#,
                r#"'{"mcpServers":{"s":{"url":"https://a.example/","headers":{"Authorization":"Bearer ${T}"}}}}'"#,
            ),
            (
                r#"{"mcpServers":{"s":{"command":"npx","args":["-y","server","--api-key","${KEY}"]}}}"#,
                r#"'{"mcpServers":{"s":{"command":"npx","args":["-y","server","--api-key","${KEY}"]}}}'"#,
            ),
        ] {
            assert_eq!(repeated(config).as_deref(), Ok(word), "{config}");
        }
    }

    #[test]
    fn fh_h3_what_may_be_secret_or_cannot_stand_on_a_line_is_not_repeated() {
        let long = format!(r#"{{"mcpServers":{{"{}":{{}}}}}}"#, "a".repeat(MOST));
        for config in [
            r#"{"mcpServers":{"s":{"url":"https://a.example/","headers":{"X-Tenant":"hunter2"}}}}"#,
            r#"{"mcpServers":{"s":{"url":"https://a.example/","headers":{"Authorization":"Bearer ${T:-abc}"}}}}"#,
            r#"{"mcpServers":{"s":{"command":"x","env":{"API_KEY":"abc"}}}}"#,
            r#"{"mcpServers":{"s":{"command":"x","args":["--api-key","abcdefgh"]}}}"#,
            r#"{"mcpServers":{"s":{"command":"x","args":["--token=abcdefgh12345678"]}}}"#,
            r#"{"mcpServers":{"s":{"url":"https://ada:correct-horse@a.example/mcp"}}}"#,
            r#"{"mcpServers":{"s":{"url":"https://a.example/mcp?api_key=correct-horse"}}}"#,
            r#"{"mcpServers":{"s":{"url":"https://a.example/","oauth":{"clientSecret":"abc"}}}}"#,
            r#"{"mcpServers":{"s":{"command":"x","env":{"A":"ghp_0123456789abcdefghijABCDEFGHIJ012345"}}}}"#,
            "{\"mcpServers\":{\"\u{202e}s\":{}}}",
            "{ // a comment\n}",
            &long,
        ] {
            assert_eq!(repeated(config), Err(IN_A_FILE), "{config}");
        }
        for pipe in ["-", "/dev/fd/63", "/proc/self/fd/3"] {
            assert!(repeated(pipe).unwrap_err().starts_with("write what the pipe"));
        }
    }
}
