//! Secrets that would stand in a file: told, and where one was typed for a header, named by a variable in its place where a
//! person wants that.

use mcp_config::edit::Value;

use crate::app::App;
use crate::confirmation::Answers;
use crate::view::shown;

/// What became of the secrets in an entry.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// The variables that stand in the place of values now; they have to be set.
    pub(super) variables: Vec<String>,
    /// The headers and variables of a command whose values are written as they are, with the reference that could stand there.
    pub(super) literal: Vec<(String, String)>,
    /// The URL has one in it.
    pub(super) in_url: bool,
}

/// Offers a reference for each literal secret in the headers and the variables of `entry`; at a terminal a person decides, elsewhere it stays.
pub(super) async fn offer(app: &App, name: &str, entry: &mut Value) -> Secrets {
    let in_url = entry.get("url").and_then(Value::as_str).is_some_and(has_secret);
    let mut secrets = Secrets { in_url, ..Secrets::default() };
    let Value::Object(members) = entry else { return secrets };
    for (group, values) in members.iter_mut().filter(|(group, _)| matches!(&**group, "headers" | "env")) {
        let Value::Object(values) = values else { continue };
        let count = values.iter().filter(|(key, value)| is_secret(key, value)).count();
        for (key, value) in values.iter_mut().filter(|(key, value)| is_secret(key, value)) {
            let variable = match (&**group, count) {
                // A command gets it under a name that its variable may have as well.
                ("env", _) => key.clone(),
                (_, 1) => format!("{}_TOKEN", variable_name(name)),
                _ => format!("{}_{}", variable_name(name), variable_name(key)),
            };
            let reference = reference(value.as_str().unwrap_or_default(), &variable);
            if wants_reference(app, key, &reference).await {
                *value = Value::from(&*reference);
                secrets.variables.push(variable);
            } else {
                secrets.literal.push((key.clone(), reference));
            }
        }
    }
    secrets
}

/// Whether a URL has a password in it, or a parameter that is a credential.
fn has_secret(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let is_written = |value: &str| !value.is_empty() && !value.contains("${") && !value.contains("$%7B");
    let is_secret = |key: &str, value: &str| {
        (mcp_text::is_credential_name(key) || mcp_text::looks_like_token(value)) && is_written(value)
    };
    url.password().is_some_and(is_written) || url.query_pairs().any(|(key, value)| is_secret(&key, &value))
}

/// The headers and variables of an entry whose values are secrets as they stand, as they may be shown.
pub(super) fn literal(entry: &Value) -> Vec<String> {
    let groups = ["headers", "env"].into_iter().filter_map(|group| entry.get(group));
    let secret = groups.flat_map(Value::members).filter(|(name, value)| is_secret(name, value));
    secret.map(|(name, _)| shown::name(name)).collect()
}

fn is_secret(header: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let names =
        mcp_text::is_credential_name(header) || text.split_whitespace().any(mcp_text::looks_like_token);
    names && !text.is_empty() && !text.contains("${")
}

/// `Bearer abc` is `Bearer ${VARIABLE}`.
fn reference(value: &str, variable: &str) -> String {
    match value.split_once(' ') {
        Some((scheme, _)) if mcp_text::is_scheme(scheme) => format!("{scheme} ${{{variable}}}"),
        _ => format!("${{{variable}}}"),
    }
}

fn variable_name(text: &str) -> String {
    let word: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if word.starts_with(|c: char| c.is_ascii_digit()) { format!("_{word}") } else { word }
}

async fn wants_reference(app: &App, header: &str, reference: &str) -> bool {
    if !app.asks() {
        return false;
    }
    let mut answers = Answers::of_terminal();
    answers.forget_typed();
    app.output.error(&format!(
        "{} holds a secret. Write {reference} into the file in its place? [Y/n] ",
        shown::name(header)
    ));
    let answer = answers.line().await.unwrap_or_default();
    if !["n", "no"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
        return true;
    }
    // A secret stands in a file because a person said so in full, and not because of one letter.
    answers.forget_typed();
    app.output.error("Write the secret itself into the file? Type yes: ");
    answers.yes().await != Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_a_secret_in_it_is_seen() {
        for (url, secret) in [
            ("https://u:p@h.example/mcp", true),
            ("https://h.example/mcp?api_key=1", true),
            ("https://h.example/mcp?x=ghp_0123456789abcdefghijABCDEFGHIJ012345", true),
            ("https://h.example/mcp?api_key=${KEY}", false),
            ("https://u:${P}@h.example/mcp", false),
            ("https://h.example/mcp?page=2", false),
            ("https://${HOST}/mcp", false),
        ] {
            assert_eq!(has_secret(url), secret, "{url}");
        }
    }

    #[test]
    fn a_reference_keeps_the_scheme_and_names_the_server() {
        for (value, name, expected) in [
            ("Bearer abc", "tickets", "Bearer ${TICKETS_TOKEN}"),
            ("abc", "my-server.2", "${MY_SERVER_2_TOKEN}"),
            ("a b", "2", "${_2_TOKEN}"),
        ] {
            assert_eq!(reference(value, &format!("{}_TOKEN", variable_name(name))), expected);
        }
        for (header, value, secret) in [
            ("Authorization", "Bearer abc", true),
            ("X-Api-Key", "1", true),
            ("Authorization", "Bearer ${TOKEN}", false),
            ("Accept-Language", "de", false),
            ("X-Team", "ghp_0123456789abcdefghijABCDEFGHIJ012345", true),
        ] {
            assert_eq!(is_secret(header, &Value::from(value)), secret, "{header}");
        }
    }
}
