//! From the options of `add` to the entry as it is written.

use mcp_config::address::Address;
use mcp_config::edit::Value;
use mcp_config::registry::RegistryName;
use url::{Host, Url};

use crate::args::{AddArgs, TransportArg};
use crate::error::CliError;

/// A server that is to be added.
#[derive(Debug)]
pub(super) struct New {
    pub(super) name: String,
    /// Without a `type` where it is not known how the server speaks.
    pub(super) entry: Value,
}

impl New {
    pub(super) fn of(args: &AddArgs) -> Result<Self, CliError> {
        if args.command.is_empty() { remote(args) } else { local(args) }
    }

    /// Gives it the account that `--account` names, which every later command is to use without being told.
    pub(super) fn use_account(&mut self, account: &str) -> Result<(), CliError> {
        match &mut self.entry {
            Value::Object(members) if members.iter().any(|(key, _)| key == "url") => {
                members.retain(|(key, _)| key != "account");
                members.push(("account".to_owned(), Value::from(account)));
                Ok(())
            }
            _ => Err(usage("--account is for a server that is signed in to, and this is a command")),
        }
    }

    /// A file with it alone.
    pub(super) fn as_file(&self) -> String {
        let mut entry = self.entry.clone();
        if entry.get("type").is_none() && entry.get("url").is_some() {
            entry.put_first("type", Value::from("http"));
        }
        let servers = Value::Object(vec![(self.name.clone(), entry)]);
        Value::Object(vec![("mcpServers".to_owned(), servers)]).to_json()
    }
}

/// The name in a registry, and the one that its entry is to have, where that is what the last word is.
pub(super) fn registry_name(args: &AddArgs) -> Result<Option<(Option<&str>, RegistryName)>, CliError> {
    if let Some(error) = misplaced_command(args) {
        return Err(error);
    }
    let found = match args.words.as_slice() {
        [word] => RegistryName::parse(word).map(|wanted| (None, wanted)),
        [name, word] => RegistryName::parse(word).map(|wanted| (Some(name.as_str()), wanted)),
        _ => None,
    };
    let found = found.filter(|_| args.command.is_empty());
    let options = &args.registry;
    let given = [
        ("--registry", options.registry.is_some()),
        ("--input", !options.inputs.is_empty()),
        ("--choose", options.choose.is_some()),
        // Who adds a command by hand has agreed to it.
        ("--yes", options.yes && args.command.is_empty()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((option, _)) if found.is_none() => {
            let error = usage(format!("{option} is for a server of a registry, and this is not one"));
            Err(error.why("a name in a registry is written as io.github.acme/weather"))
        }
        _ => Ok(found),
    }
}

/// A command without the `--` that is before one: more words than a name and a URL, or `npx -y`, whose option is one of ours too.
fn misplaced_command(args: &AddArgs) -> Option<CliError> {
    let [name, words @ ..] = args.words.as_slice() else { return None };
    let [program, rest @ ..] = words else { return None };
    if !args.command.is_empty() || (rest.is_empty() && !args.registry.yes) {
        return None;
    }
    if address(program).is_some() || RegistryName::parse(program).is_some() {
        let error = usage("there are more words than a name and a URL");
        return (!rest.is_empty()).then(|| error.why("add takes one server at a time"));
    }
    let mut line: Vec<&str> = words.iter().map(String::as_str).collect();
    if args.registry.yes {
        line.insert(1, "-y");
    }
    // What may be a secret is not repeated.
    let is_plain = |word: &&str| !mcp_text::looks_like_token(word) && !mcp_text::is_credential_name(word);
    let command = match line.iter().all(is_plain) {
        true => {
            let is_option = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            // Behind `--` an option is a word like others, in every shell.
            let written = |word: &&str| match is_option(word) {
                true => (*word).to_owned(),
                false => mcp_text::shell_word(word),
            };
            line.iter().map(written).collect::<Vec<_>>().join(" ")
        }
        false => "COMMAND".to_owned(),
    };
    let next = format!("mcplink add {} -- {command}", mcp_text::shell_word(name));
    Some(usage("a command comes behind `--`").why("these words are no URL").next(next))
}

pub(super) fn usage(message: impl Into<String>) -> CliError {
    CliError::usage("usage", message).next("mcplink add --help")
}

fn remote(args: &AddArgs) -> Result<New, CliError> {
    let (name, url) = match args.words.as_slice() {
        [url] => (None, url),
        [name, url] => (Some(name), url),
        _ => return Err(usage("add takes a name and a URL")),
    };
    let Some(parsed) = address(url) else {
        if let Some(meant) = Address::with_scheme(url) {
            let name = name.map(|name| format!("{} ", mcp_text::shell_word(name))).unwrap_or_default();
            let next = format!("mcplink add {name}{}", mcp_text::shell_word(&meant));
            return Err(usage("the last word is not a URL")
                .why("it looks like one without its scheme")
                .next(next));
        }
        // Not repeated: a URL may hold a secret.
        return Err(match name {
            Some(swapped) if address(swapped).is_some() && !url.contains("://") => {
                let url = mcp_text::shell_word(&mcp_config::display_url(swapped));
                let word = url_or_name(&args.words[1]);
                usage("the name comes before the URL").next(format!("mcplink add {word} {url}"))
            }
            Some(name) => {
                let name = mcp_text::shell_word(name);
                let error = usage(match url.split_once("://") {
                    // Not repeated, for the same reason.
                    Some((_, rest)) if rest.is_empty() || rest.starts_with(['/', '?', '#']) => {
                        "the URL names no host"
                    }
                    Some(_) => "the URL begins with neither http:// nor https://",
                    None => "the last word is not a URL",
                });
                match url.contains("://") {
                    true => error.next("write a whole URL, as in https://mcp.example.com/mcp"),
                    false => error
                        .why("a command comes behind `--`")
                        .next(format!("mcplink add {name} -- COMMAND")),
                }
            }
            None => {
                let error = usage("a name alone is not enough")
                    .why("add takes a URL, a command behind `--`, or a name in a registry");
                // What is not a name may be a secret, and is not repeated.
                let word = Some(url).filter(|word| mcp_text::is_variable_name(word));
                match word {
                    Some(word) => error.next(format!("mcplink add --search {word}")),
                    None => error,
                }
            }
        });
    };
    refuse_options_of_a_command(args)?;
    let name = match name {
        Some(name) => name.clone(),
        None => name_of(&parsed),
    };
    let mut entry = Vec::new();
    if let Some(kind) = kind(args, &parsed) {
        entry.push(("type".to_owned(), Value::from(kind)));
    }
    entry.push(("url".to_owned(), Value::from(&**url)));
    entry.extend(remote_options(args)?);
    Ok(New { name, entry: Value::Object(entry) })
}

/// What the options say of a remote server beside its address.
pub(super) fn remote_options(args: &AddArgs) -> Result<Vec<(String, Value)>, CliError> {
    let mut entry = Vec::new();
    if !args.headers.is_empty() {
        let headers = args.headers.iter().map(|text| header(text)).collect::<Result<_, _>>()?;
        entry.push(("headers".to_owned(), Value::Object(headers)));
    }
    if let Some(helper) = &args.headers_helper {
        entry.push(("headersHelper".to_owned(), Value::from(&**helper)));
    }
    let mut oauth = Vec::new();
    if let Some(id) = &args.oauth.client_id {
        oauth.push(("clientId".to_owned(), Value::from(&**id)));
    }
    if let Some(port) = args.oauth.callback_port {
        oauth.push(("callbackPort".to_owned(), Value::Number(port.to_string())));
    }
    if !oauth.is_empty() {
        entry.push(("oauth".to_owned(), Value::Object(oauth)));
    }
    Ok(entry)
}

/// The URL, unless it is none; `host:port` is a name for `Url`, and none that a person means.
fn address(text: &str) -> Option<Url> {
    // Variables are allowed in it.
    let plain = text.replace("${", "").replace('}', "");
    Url::parse(&plain)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https" | "ws" | "wss") && url.has_host())
}

/// How it speaks, where that is known without asking.
fn kind(args: &AddArgs, url: &Url) -> Option<&'static str> {
    match args.transport {
        Some(TransportArg::Sse) => Some("sse"),
        Some(TransportArg::Http) => Some("http"),
        Some(TransportArg::Stdio) => None,
        None if matches!(url.scheme(), "ws" | "wss") => Some("ws"),
        None => None,
    }
}

fn local(args: &AddArgs) -> Result<New, CliError> {
    let [name] = args.words.as_slice() else {
        return Err(usage("a command takes one name before `--`"));
    };
    refuse_options_of_a_url(args)?;
    if let [word] = args.command.as_slice() {
        refuse_one_word(name, word)?;
    }
    let mut words = args.command.iter();
    let command = words.next().map(String::as_str).unwrap_or_default();
    let mut entry =
        vec![("type".to_owned(), Value::from("stdio")), ("command".to_owned(), Value::from(command))];
    let arguments: Vec<Value> = words.map(|word| Value::from(&**word)).collect();
    if !arguments.is_empty() {
        entry.push(("args".to_owned(), Value::Array(arguments)));
    }
    entry.extend(local_options(args)?);
    Ok(New { name: name.clone(), entry: Value::Object(entry) })
}

/// The word as it may be repeated: what is not a plain name could be a secret.
fn url_or_name(word: &str) -> String {
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if is_plain && !mcp_text::looks_like_token(word) { mcp_text::shell_word(word) } else { "NAME".to_owned() }
}

/// A command of one word that cannot be meant as one: a URL, or a whole line in quotes.
fn refuse_one_word(name: &str, word: &str) -> Result<(), CliError> {
    let name = mcp_text::shell_word(name);
    if address(word).is_some() {
        let url = mcp_text::shell_word(&mcp_config::display_url(word));
        return Err(usage("a URL stands without `--`").next(format!("mcplink add {name} {url}")));
    }
    if word.split_whitespace().nth(1).is_none() || std::path::Path::new(word).exists() {
        return Ok(());
    }
    // Words that a shell takes apart as they stand, and none that could be a secret.
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || " -_./@:".contains(c))
        && !word.split(' ').any(mcp_text::looks_like_token);
    let line = if is_plain { word } else { "COMMAND" };
    Err(usage("a command is not one word in quotes")
        .why("no shell takes it apart, and no program has that name")
        .next(format!("mcplink add {name} -- {line}")))
}

/// What the options say of a command beside it.
pub(super) fn local_options(args: &AddArgs) -> Result<Vec<(String, Value)>, CliError> {
    if args.env.is_empty() {
        return Ok(Vec::new());
    }
    let env = args.env.iter().map(|text| variable(text)).collect::<Result<_, _>>()?;
    Ok(vec![("env".to_owned(), Value::Object(env))])
}

/// Refuses what only a URL has a use for.
pub(super) fn refuse_options_of_a_url(args: &AddArgs) -> Result<(), CliError> {
    let oauth = args.oauth.client_id.is_some() || args.oauth.callback_port.is_some();
    let misplaced = [
        ("-H", !args.headers.is_empty()),
        ("--headers-helper", args.headers_helper.is_some()),
        ("an OAuth option", oauth),
        ("-t http or sse", args.transport.is_some_and(|kind| kind != TransportArg::Stdio)),
    ];
    match misplaced.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(usage(format!("{option} is for a URL, and this is a command"))),
        None => Ok(()),
    }
}

/// Refuses what only a command has a use for.
pub(super) fn refuse_options_of_a_command(args: &AddArgs) -> Result<(), CliError> {
    let misplaced =
        [("--env", !args.env.is_empty()), ("-t stdio", args.transport == Some(TransportArg::Stdio))];
    match misplaced.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => Err(usage(format!("{option} is for a command, and this is a URL"))),
        None => Ok(()),
    }
}

/// `Name: value`, as curl has it. No error repeats it: it may be the secret alone.
fn header(text: &str) -> Result<(String, Value), CliError> {
    let (name, value) = text.split_once(':').ok_or_else(|| usage("a header is written as 'Name: value'"))?;
    Ok((name.trim().to_owned(), Value::from(value.trim())))
}

fn variable(text: &str) -> Result<(String, Value), CliError> {
    let (name, value) = text.split_once('=').ok_or_else(|| usage("a variable is written as NAME=VALUE"))?;
    Ok((name.to_owned(), Value::from(value)))
}

/// Labels of a host that name no server: what is before and behind them does.
const PLAIN_LABELS: [&str; 5] = ["api", "www", "mcp", "app", "server"];

/// What a server is called by its host: `mcp.linear.app` is `linear`.
pub(super) fn name_of(url: &Url) -> String {
    let port = url.port().map(|port| format!("-{port}")).unwrap_or_default();
    match url.host() {
        Some(Host::Domain(host)) if host.contains('.') => {
            let labels: Vec<&str> = host.split('.').filter(|label| !label.is_empty()).collect();
            let own = &labels[..labels.len().saturating_sub(1)];
            let telling = own.iter().find(|label| !PLAIN_LABELS.contains(label));
            (*telling.or(labels.first()).unwrap_or(&host)).to_owned()
        }
        Some(Host::Domain(host)) => format!("{host}{port}"),
        Some(Host::Ipv4(address)) => format!("{}{port}", address.to_string().replace('.', "-")),
        _ => format!("server{port}"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    fn new(line: &[&str]) -> Result<New, CliError> {
        let words = ["mcplink", "add"].iter().chain(line);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Add(args) => New::of(&args),
            command => panic!("{command:?}"),
        }
    }

    #[test]
    fn options_become_an_entry_as_other_clients_write_it() {
        for (line, name, entry) in [
            (&["x", "https://h.example/mcp"][..], "x", r#"{"url": "https://h.example/mcp"}"#),
            (
                &["-t", "sse", "x", "https://h.example/s"],
                "x",
                r#"{"type": "sse", "url": "https://h.example/s"}"#,
            ),
            (
                &["x", "https://h.example/mcp", "-H", "A: b: c", "-H", "X-K:v", "-t", "streamable-http"],
                "x",
                r#"{"type": "http", "url": "https://h.example/mcp", "headers": {"A": "b: c", "X-K": "v"}}"#,
            ),
            (
                &[
                    "x",
                    "https://${HOST}/mcp",
                    "--client-id",
                    "id",
                    "--callback-port",
                    "8080",
                    "--headers-helper",
                    "h -x",
                ],
                "x",
                r#"{"url": "https://${HOST}/mcp", "headersHelper": "h -x", "oauth": {"clientId": "id", "callbackPort": 8080}}"#,
            ),
            (&["x", "wss://h.example/"], "x", r#"{"type": "ws", "url": "wss://h.example/"}"#),
            (
                &["-e", "A=b=c", "files", "--", "npx", "-y", "server", "--", "-H"],
                "files",
                r#"{"type": "stdio", "command": "npx", "args": ["-y", "server", "--", "-H"], "env": {"A": "b=c"}}"#,
            ),
        ] {
            let new = new(line).unwrap();
            assert_eq!((new.name.as_str(), new.entry.to_json().as_str()), (name, entry), "{line:?}");
        }
    }

    #[test]
    fn a_command_without_its_sign_is_told_as_it_is_written() {
        for (line, next) in [
            (&["x", "npx", "foo"][..], "mcplink add x -- npx foo"),
            (&["x", "npx", "-y", "foo bar"], "mcplink add x -- npx -y 'foo bar'"),
            (&["x", "npx", "-y"], "mcplink add x -- npx -y"),
            (&["x", "npx", "api-key", "0"], "mcplink add x -- COMMAND"),
        ] {
            let words = ["mcplink", "add"].iter().chain(line);
            let Command::Add(args) = Cli::try_parse_from(words).unwrap().command else { panic!("{line:?}") };
            let error = registry_name(&args).unwrap_err();
            assert_eq!(error.next, Some(next.into()), "{line:?}");
        }
    }

    #[test]
    fn a_name_that_is_left_out_is_that_of_the_host() {
        for (url, name) in [
            ("https://mcp.linear.app/sse", "linear"),
            ("https://tickets.example.com/mcp", "tickets"),
            ("https://api.githubcopilot.com/mcp/", "githubcopilot"),
            ("https://mcp.app", "mcp"),
            ("http://localhost:7101/mcp", "localhost-7101"),
            ("http://127.0.0.1/mcp", "127-0-0-1"),
            ("http://[::1]:80/mcp", "server"),
        ] {
            assert_eq!(new(&[url]).unwrap().name, name, "{url}");
        }
    }

    #[test]
    fn fh_h5_an_account_is_written_into_the_entry_of_a_server_that_has_sign_ins() {
        let mut added = new(&["x", "https://h.example/mcp"]).unwrap();
        for account in ["home", "work"] {
            added.use_account(account).unwrap();
            let entry = format!(r#"{{"url":"https://h.example/mcp","account":"{account}"}}"#);
            assert_eq!(added.entry.to_json().replace([' ', '\n'], ""), entry);
        }
        let refused = new(&["x", "--", "npx"]).unwrap().use_account("work").unwrap_err();
        assert!(refused.to_text().contains("--account is for"), "{}", refused.to_text());
    }

    #[test]
    fn what_does_not_fit_together_is_refused_and_not_repeated() {
        for line in [
            &["x", "npx"][..],
            &["x"],
            &["x", "localhost:7101"],
            &["x", "https://h.example/", "-e", "A=canary"],
            &["x", "https://h.example/", "-t", "stdio"],
            &["x", "https://h.example/", "-H", "canary"],
            &["x", "-H", "A: canary", "--", "npx"],
            &["x", "-e", "canary", "--", "npx"],
            &["x", "y", "--", "npx"],
            &["x", "--client-id", "i", "--", "npx"],
        ] {
            let error = new(line).unwrap_err();
            let said = error.to_text();
            assert!(!said.contains("canary") && said.contains("next:"), "{line:?}: {said}");
        }
    }
}
