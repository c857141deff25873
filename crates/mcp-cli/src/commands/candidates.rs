//! What a shell is offered at the cursor. Reads files and asks live sessions; contacts no server and runs no helper.

use mcp_config::hosts::KnownHost;

use crate::app::App;
use crate::args::{CandidatesArgs, ShellArg, command_line};
use crate::completion::names::{ListedArgument, ListedName, ListedNames};
use crate::completion::{CandidateKind, Position, bash_word, keys, position, split};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live;
use crate::loaded::LoadedConfig;
use crate::two_names;
use crate::view::shown;

/// What stands at the cursor, and the mark of the quotation that it stands in, if one is open.
struct Cursor {
    position: Position,
    current: String,
    quotation: Option<char>,
}

impl CandidatesArgs {
    fn cursor(&self) -> Cursor {
        let (mut words, quotation) = match self.shell {
            ShellArg::Bash => split(self.words.first().map_or("", String::as_str)),
            ShellArg::Zsh | ShellArg::Fish => (self.words.clone(), None),
        };
        let current = words.pop().unwrap_or_default();
        let mut program = command_line();
        program.build();
        let position = position(&program, words.get(1..).unwrap_or_default(), &current);
        Cursor { position, current, quotation }
    }

    /// The options of the line that decide which entries are seen.
    pub(crate) fn deciding(&self) -> Vec<String> {
        self.cursor().position.global
    }
}

pub(super) async fn run(app: &App, args: &CandidatesArgs) -> Result<ExitStatus, CliError> {
    let Cursor { position, current, quotation } = args.cursor();
    if position.wanted == CandidateKind::Files {
        app.output.out(":files\n");
        return Ok(ExitStatus::Success);
    }
    for (word, about) in candidates(app, position.wanted, &current).await {
        let word = format!("{}{word}", position.prefix);
        if !word.starts_with(&current) || !is_plain(&word) {
            continue;
        }
        let line = match args.shell {
            ShellArg::Bash => match bash_word(&word, &current, quotation) {
                Some(word) => word,
                None => continue,
            },
            ShellArg::Zsh | ShellArg::Fish => format!("{word}\t{}", shown::cell(&about)),
        };
        app.output.out(&format!("{line}\n"));
    }
    Ok(ExitStatus::Success)
}

/// Security: what acts on a terminal, or is not seen, is not put into a person's command line.
fn is_plain(word: &str) -> bool {
    !word.chars().any(|c| c.is_control() || mcp_text::is_hidden(c))
}

async fn candidates(app: &App, wanted: CandidateKind, current: &str) -> Vec<(String, String)> {
    let Ok(loaded) = app.load_as_is() else { return Vec::new() };
    match wanted {
        CandidateKind::Words(words) => words,
        CandidateKind::Servers => servers(&loaded),
        CandidateKind::Accounts => {
            let kept = app.host.sign_ins().await.unwrap_or_default();
            let of = |key: &mcp_auth::oauth::store::TokenKey| {
                (key.server_name().to_owned(), mcp_config::display_url(key.issuer()))
            };
            kept.iter().flatten().map(|record| of(&record.key)).collect()
        }
        CandidateKind::Secrets => super::secret::names(app).await,
        CandidateKind::Sessions => {
            let sessions = live::all(&app.environment).await.live;
            let processes =
                sessions.iter().map(|session| (session.session.to_string(), session.name.clone()));
            processes.chain(servers(&loaded)).collect()
        }
        CandidateKind::Live => {
            let sessions = live::all(&app.environment).await;
            let of = |session: &crate::view::row::Session| {
                [(session.session.to_string(), session.name.clone()), (session.name.clone(), String::new())]
            };
            let silent = sessions.silent.iter();
            let silent = silent.map(|session| {
                (
                    session.pid.to_string(),
                    session.server.clone().unwrap_or_else(|| session.state().to_owned()),
                )
            });
            sessions.live.iter().flat_map(of).chain(silent).collect()
        }
        CandidateKind::HostServers { host, and_ours } => {
            let mut found = host_servers(app, &loaded, host.as_deref());
            if and_ours {
                found.extend(servers(&loaded));
            }
            found
        }
        CandidateKind::Wrapped { host } => wrapped(&loaded, &host),
        CandidateKind::Hosts => KnownHost::all().map(|host| (host.name.to_owned(), String::new())).collect(),
        CandidateKind::ServersAndTools => servers_and_tools(app, &loaded, current).await,
        CandidateKind::Tools { server } => tools(app, &loaded, &server, "").await,
        CandidateKind::CallWords { words } => behind_call(app, &loaded, &words, current).await,
        CandidateKind::Prompts { server } => {
            let prompts = listed(app, &loaded, &server).await.prompts.into_iter();
            prompts.map(|prompt| (prompt.name, prompt.about)).collect()
        }
        CandidateKind::PromptArguments { server, prompt, given } => {
            arguments(&listed(app, &loaded, &server).await.prompts, &prompt, &given, current)
        }
        CandidateKind::Files | CandidateKind::Nothing => Vec::new(),
    }
}

fn servers(loaded: &LoadedConfig) -> Vec<(String, String)> {
    let entries = loaded.config.entries.iter();
    let about = |entry: &mcp_config::ServerEntry| {
        entry
            .display_url()
            .or_else(|| entry.stdio().map(mcp_config::entry::Stdio::display))
            .unwrap_or_default()
    };
    entries.map(|entry| (entry.name.clone(), about(entry))).collect()
}

/// The servers that `host` has in its files, or every host where none is named.
fn host_servers(app: &App, loaded: &LoadedConfig, host: Option<&str>) -> Vec<(String, String)> {
    let only = match host.map(KnownHost::named) {
        // Its files are those that are read anyway.
        Some(Some(host)) if host.is_read_anyway() => return servers(loaded),
        Some(None) => return Vec::new(),
        only => only.flatten(),
    };
    let listings = app.found_in_hosts(only).unwrap_or_default();
    let found = listings.iter().flat_map(|listing| {
        listing.servers.iter().map(|server| (server.entry.name.clone(), listing.host.title.to_owned()))
    });
    found.collect()
}

/// The servers that `wrap` put behind this program in the files of `host`.
fn wrapped(loaded: &LoadedConfig, host: &str) -> Vec<(String, String)> {
    let record = super::change::editor(&loaded.config).ok().and_then(|editor| editor.wrap_record().ok());
    let names = record.iter().flat_map(|record| record.names_of(host)).flat_map(|kept| kept.names);
    names.map(|name| (name, String::new())).collect()
}

/// The tools of `server`, each behind `before`.
async fn tools(app: &App, loaded: &LoadedConfig, server: &str, before: &str) -> Vec<(String, String)> {
    let tools = listed(app, loaded, server).await.tools.into_iter();
    tools.map(|tool| (format!("{before}{}", tool.name), tool.about)).collect()
}

/// Names that go on as `current` does: of servers, and of the tools of each that it begins with and a sign behind it.
async fn servers_and_tools(app: &App, loaded: &LoadedConfig, current: &str) -> Vec<(String, String)> {
    let mut found = servers(loaded);
    for (server, tool) in two_names::parts(current).filter(|(server, _)| loaded.entry(server).is_some()) {
        found.extend(tools(app, loaded, server, &current[..current.len() - tool.len()]).await);
    }
    found
}

/// What comes behind `NAME`, `NAME TOOL ARGS` or `NAME/TOOL ARGS`.
async fn behind_call(
    app: &App,
    loaded: &LoadedConfig,
    words: &[String],
    current: &str,
) -> Vec<(String, String)> {
    let Some((first, rest)) = words.split_first() else { return Vec::new() };
    let (server, tool, given) = match (loaded.addressed(first), rest) {
        (Some((server, tool)), given) => (server, tool, given),
        (None, []) => return tools(app, loaded, first, "").await,
        (None, [tool, given @ ..]) => (first.clone(), tool.clone(), given),
    };
    arguments(&listed(app, loaded, &server).await.tools, &tool, &keys(Some(given)), current)
}

async fn listed(app: &App, loaded: &LoadedConfig, server: &str) -> ListedNames {
    match loaded.entry(server) {
        Some(entry) => ListedNames::of(app, &app.host.configured(entry, &loaded.config).await),
        None => ListedNames::default(),
    }
}

/// `key=` of each argument that is not there yet; behind the `=`, the values that it may have.
fn arguments(listed: &[ListedName], name: &str, given: &[String], current: &str) -> Vec<(String, String)> {
    let Some(of) = listed.iter().find(|listed| listed.name == name) else { return Vec::new() };
    let mut found = Vec::new();
    // Security: a name that ends in `:` would have what follows read as JSON, and one with `=` as the value of another.
    let is_meant = |argument: &&ListedArgument| {
        !given.contains(&argument.name) && !argument.name.contains('=') && !argument.name.ends_with(':')
    };
    for argument in of.arguments.iter().filter(is_meant) {
        let key = format!("{}=", argument.name);
        if current.starts_with(&key) {
            found.extend(argument.choices.iter().map(|choice| (format!("{key}{choice}"), String::new())));
        } else {
            found.push((key, argument.about.clone()));
        }
    }
    found
}
