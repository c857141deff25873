//! What a stranger's words about one server may not contain: everything secret that the configuration gives it.

use std::borrow::Cow;

use mcp_config::entry::{SecretReference, Text};
use mcp_config::network::Proxy;
use mcp_config::unattended::MachineSignInMethod;
use mcp_config::{Config, Env, Gate, ServerEntry};
use mcp_text::{
    Secrets, is_behind_short_option, is_credential_name, short_option_words, values_of_short_options,
};
use serde_json::Value;

/// What every local server inherits that no message may contain.
pub(crate) fn inherited(env: &Env) -> Secrets {
    let mut secrets = Secrets::default();
    for (name, value) in env.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?))) {
        if is_credential_name(name) { secrets.insert(value) } else { secrets.insert_url(value) }
    }
    secrets
}

/// What of the entries of `config`, shadowed ones included, no message about *any* server may contain.
///
/// It is less than what is hidden of one server: an ordinary word among its settings, such as the name of a team, may be a word
/// of everything that is said about another one. And a folder that no person agreed to hides nothing.
pub(crate) fn of_all(config: &Config, env: &Env) -> Secrets {
    let mut secrets = Secrets::default();
    let shadowed = config.shadowed.iter().map(|shadowed| &shadowed.entry);
    for entry in config.entries.iter().chain(shadowed) {
        if !entry.scope.is_of_project() || entry.gate() == Gate::Ready {
            credentials(entry, env, &mut secrets);
        }
    }
    secrets
}

fn credentials(entry: &ServerEntry, env: &Env, secrets: &mut Secrets) {
    named(entry, env, secrets);
    if let Some(remote) = entry.remote() {
        let url = remote.url.expose();
        secrets.insert_found_in(url.as_str());
        secrets.extend(url.password());
        let headers = remote.headers.iter().filter(|(_, value)| !refers(value));
        let headers = headers.map(|(name, value)| (Cow::from(name), Cow::from(value.expose())));
        for (name, value) in url.query_pairs().chain(headers) {
            if is_credential_name(&name) || !is_plain(&value) {
                secrets.insert(&value);
            }
        }
    }
    if let Some(stdio) = entry.stdio() {
        let files = stdio.env_file.iter().flat_map(|file| &file.variables);
        let of_files = files.map(|(name, value)| (name.as_str(), value.expose().as_str()));
        let written = stdio.env.iter().filter(|(_, value)| !refers(value));
        let written = written.map(|(name, value)| (name.as_str(), value.expose()));
        for (name, value) in of_files.chain(written) {
            if !name.eq_ignore_ascii_case("PATH") {
                secrets.insert_named(name, value);
            }
        }
        let mut flag = "";
        for argument in &stdio.args {
            let value = argument.expose();
            if is_credential_name(flag) && !refers(argument) && !value.starts_with('-') {
                secrets.insert(value);
            }
            secrets.insert_found_in(value);
            flag = if value.starts_with('-') { value } else { "" };
        }
    }
}

/// Whether it may well be a word of any sentence: in lower case or a number, with marks between words.
fn is_plain(value: &str) -> bool {
    let is_lower = |byte: u8| byte.is_ascii_lowercase() || b"-_./:,; ".contains(&byte);
    let is_number = |byte: u8| byte.is_ascii_digit() || b"-_./:,; ".contains(&byte);
    value.bytes().all(is_lower) || value.bytes().all(is_number)
}

/// What no message about `entry` may contain, `env` being what a child process inherits, and `inherited` what of it is secret.
pub(crate) fn secrets(entry: &ServerEntry, env: &Env, inherited: &Secrets) -> Secrets {
    let mut secrets = Secrets::default();
    named(entry, env, &mut secrets);
    if let Some(remote) = entry.remote() {
        secrets.insert_url(remote.url.expose().as_str());
        // Where a secret is read may be told, and what is read is hidden where it is sent.
        let written = remote.headers.iter().filter(|(_, value)| !refers(value));
        secrets.extend(written.map(|(_, value)| value.expose()));
    }
    if let Some(stdio) = entry.stdio() {
        for (name, value) in stdio.env_file.iter().flat_map(|file| &file.variables) {
            secrets.insert_named(name, value.expose());
        }
        for (name, value) in stdio.env.iter().filter(|(_, value)| !refers(value)) {
            // Where a command was looked for is what a person needs to know of it.
            if name.eq_ignore_ascii_case("PATH") {
                secrets.insert_url(value.expose());
            } else {
                secrets.insert_named(name, value.expose());
            }
        }
        secrets.include(inherited);
        arguments(stdio, &mut secrets);
    }
    secrets
}

/// What is a credential whichever server it is of: what the schema calls a secret, or refers to.
fn named(entry: &ServerEntry, env: &Env, secrets: &mut Secrets) {
    if let Some(extra) = entry.extra(crate::AUTH_FIELD) {
        of_settings("", &extra.read().unwrap_or_default(), secrets);
    }
    for reference in entry.references() {
        match reference {
            SecretReference::Command(command) => secrets.insert_found_in(command.expose()),
            SecretReference::Variable(name) => secrets.extend(env.var(name)),
            _ => {}
        }
    }
    if let Some(remote) = entry.remote() {
        if let Some(Proxy::Url { url, .. }) = &remote.network.proxy {
            secrets.insert_url(url.expose());
        }
        if let Some(helper) = &remote.helper {
            secrets.insert_found_in(helper.command.expose());
        }
        if let Some(auth) = &remote.unattended {
            auth.commands().for_each(|command| secrets.insert_found_in(command));
            if let MachineSignInMethod::Plugin { settings: Some(settings), .. } = &auth.supply {
                of_settings("", &serde_json::from_str(settings.expose()).unwrap_or_default(), secrets);
            }
            secrets.extend(auth.variables().filter_map(|name| env.var(name)));
        }
        if let Some(secret) = env.var("MCP_CLIENT_SECRET") {
            secrets.insert(secret);
        }
    }
}

/// Whether secrets are a part of it that are read later.
fn refers(text: &Text) -> bool {
    text.references().next().is_some()
}

/// What is said to a provider of the program's own: members that are named like a secret, or look like one.
fn of_settings(name: &str, value: &Value, secrets: &mut Secrets) {
    match value {
        Value::String(text) => secrets.insert_credential_of(name, text),
        Value::Array(items) => items.iter().for_each(|item| of_settings(name, item, secrets)),
        Value::Object(members) => {
            for (name, value) in members.iter().filter(|(name, _)| *name != "type") {
                of_settings(name, value, secrets);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What comes from the environment is there for a reason; of what is written out, only what looks secret is.
fn arguments(stdio: &mcp_config::entry::Stdio, secrets: &mut Secrets) {
    let mut flag = "";
    for argument in &stdio.args {
        let value = argument.expose();
        if refers(argument) {
            flag = "";
            continue;
        }
        if argument.from_environment().next().is_some()
            || (is_credential_name(flag) && !value.starts_with('-'))
        {
            secrets.insert(value);
        }
        if let Some((_, value)) =
            value.split_once('=').filter(|(name, value)| is_behind_short_option(name, value))
        {
            secrets.insert_named("", value);
        }
        secrets.insert_found_in(value);
        secrets.insert_url(value);
        flag = if value.starts_with('-') && !value.contains('=') { value } else { "" };
    }
    let words: Vec<&str> = stdio.args.iter().map(|argument| argument.expose()).collect();
    for at in values_of_short_options(stdio.command.expose(), &words) {
        if !refers(&stdio.args[at]) {
            secrets.insert_named("", words[at]);
        }
    }
    // Some write the whole line in the place of the program, and scripts have options of their own.
    for line in words.iter().copied().chain([stdio.command.expose()]) {
        secrets.insert_found_in(line);
        let parts: Vec<&str> = line.split_whitespace().collect();
        short_option_words(line)
            .into_iter()
            .for_each(|at| secrets.insert_named("", parts[at].trim_matches(['"', '\'', ';'])));
    }
    let line: Vec<&str> =
        stdio.args.iter().filter(|argument| !refers(argument)).map(|argument| argument.expose()).collect();
    secrets.insert_found_in(&line.join(" "));
}
