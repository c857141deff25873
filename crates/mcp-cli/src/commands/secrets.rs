//! Secrets that would stand in a file: told, and at a terminal kept by the keyring, or named by a variable, as a person wants.

use mcp_auth::Secret;
use mcp_auth::secret_store::{SERVICE, SecretStore};
use mcp_config::edit::Value;
use mcp_config::hosts::Input;

use crate::app::App;
use crate::confirmation::Answers;
use crate::error::CliError;
use crate::view::shown;

/// What became of the secrets in an entry.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// The variables that stand in the place of values now; they have to be set.
    pub(super) variables: Vec<String>,
    /// What is to be known of those that are kept.
    pub(super) kept: Vec<String>,
    /// The headers and variables of a command whose values are written as they are, with the reference that could stand there.
    pub(super) literal: Vec<(String, String)>,
    /// The URL has one in it.
    pub(super) in_url: bool,
}

/// What a person wants of a secret that they typed.
enum SecretPlace {
    Kept,
    Variable,
    File,
}

/// Offers a reference for each literal secret in the headers and the variables of `entry`; at a terminal a person decides, elsewhere it stays.
pub(super) async fn offer(app: &App, name: &str, entry: &mut Value) -> Result<Secrets, CliError> {
    let in_url = entry.get("url").and_then(Value::as_str).is_some_and(has_secret);
    let mut secrets = Secrets { in_url, ..Secrets::default() };
    let Value::Object(members) = entry else { return Ok(secrets) };
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
            let written = value.as_str().unwrap_or_default();
            let reference = reference(written, &format!("${{{variable}}}"));
            match wanted(app, key, &variable).await? {
                SecretPlace::Kept => {
                    let wished = if count == 1 { name.to_owned() } else { format!("{name}-{key}") };
                    let (kept, note) = keep(app, &wished, secret_of(written)).await?;
                    secrets.kept.extend(note);
                    *value = Value::from(&*self::reference(written, &kept));
                }
                SecretPlace::Variable => {
                    *value = Value::from(&*reference);
                    secrets.variables.push(variable);
                }
                SecretPlace::File => secrets.literal.push((key.clone(), reference)),
            }
        }
    }
    Ok(secrets)
}

/// Keeps a secret under the name that is wished, or one that is free; the reference to it, and what is to be known of it.
pub(super) async fn keep(app: &App, wished: &str, value: &str) -> Result<(String, Option<String>), CliError> {
    let store = SecretStore::new(app.host.options().state_dir.clone());
    let failed = |error: mcp_auth::AuthError| {
        CliError::unwritten("store", "the secret could not be kept, so nothing is written")
            .why(shown::line(&error.to_string()))
            .next("mcplink paths")
    };
    let known = store.list().await.map_err(failed)?;
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let base: String = wished.chars().take(100).map(plain).collect();
    let is_free = |name: &String| !known.iter().any(|one| one.service == SERVICE && one.name == *name);
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    let name = std::iter::once(base.clone()).chain(numbered).find(is_free).unwrap_or(base);
    let kept = store.write(SERVICE, &name, &Secret::new(value)).await.map_err(failed)?;
    let file = store.file().map(|file| file.display().to_string()).unwrap_or_default();
    let note = kept.why_not_keyring.map(|why| {
        format!("the keyring did not take the secret ({why}), so it is in {file}, which only you can read")
    });
    Ok((format!("${{keyring:{SERVICE}/{name}}}"), note))
}

/// Has a person type, unseen, what a host asks for each time; the reference to it, or `None` where it is left.
pub(super) async fn ask_for_input(app: &App, input: &Input) -> Result<Option<String>, CliError> {
    let what = input.description.as_deref().unwrap_or(&input.id);
    let question = format!(
        "{} (it is not shown, and kept by the keyring; leave it empty to set {}): ",
        shown::line(what),
        input.variable
    );
    let typed = Answers::of_terminal().unseen_line(|| app.output.error(&question)).await;
    app.output.error("\n");
    let typed = typed.unwrap_or_default();
    if typed.trim().is_empty() {
        return Ok(None);
    }
    let (reference, note) = keep(app, &input.id, typed.trim()).await?;
    if let Some(note) = note {
        app.output.note(&format!("note: {}\n", shown::line(&note)));
    }
    Ok(Some(reference))
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

/// `Bearer abc` is `Bearer` and the reference.
fn reference(value: &str, reference: &str) -> String {
    match mcp_text::scheme_of(value) {
        Some((scheme, _)) => format!("{scheme} {reference}"),
        None => reference.to_owned(),
    }
}

/// What of `Bearer abc` is the secret.
fn secret_of(value: &str) -> &str {
    mcp_text::scheme_of(value).map_or(value, |(_, secret)| secret)
}

fn variable_name(text: &str) -> String {
    let word: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if word.starts_with(|c: char| c.is_ascii_digit()) { format!("_{word}") } else { word }
}

async fn wanted(app: &App, header: &str, variable: &str) -> Result<SecretPlace, CliError> {
    if !app.asks() {
        return Ok(SecretPlace::File);
    }
    let left = || CliError::unagreed("not-confirmed", "nothing was written").next("answer k, v or f");
    let mut answers = Answers::of_terminal();
    let header = shown::name(header);
    loop {
        answers.forget_typed();
        app.output.error(&format!(
            "{header} holds a secret. Keep it in the keyring (k), name the variable {variable} in its place (v), or write it \
             into the file (f)? [K/v/f, q to leave] "
        ));
        let answer = answers.line().await.ok_or_else(left)?;
        match &*answer.trim().to_ascii_lowercase() {
            "" | "k" | "keyring" => return Ok(SecretPlace::Kept),
            "v" | "variable" => return Ok(SecretPlace::Variable),
            "f" | "file" => {}
            "q" | "quit" | "n" | "no" | "cancel" => return Err(left()),
            _ => continue,
        }
        // A secret is in a file because a person said so in full, and not because of one letter.
        answers.forget_typed();
        app.output.error("Write the secret itself into the file? Type yes: ");
        if answers.yes().await.ok_or_else(left)? {
            return Ok(SecretPlace::File);
        }
    }
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
            assert_eq!(reference(value, &format!("${{{}_TOKEN}}", variable_name(name))), expected);
        }
        for scheme in mcp_text::SCHEMES {
            let value = format!("{scheme} abc");
            assert_eq!(
                (&*reference(&value, "${T}"), secret_of(&value)),
                (&*format!("{scheme} ${{T}}"), "abc")
            );
        }
        assert_eq!([secret_of("Bearer abc"), secret_of("abc"), secret_of("a b")], ["abc", "abc", "a b"]);
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
