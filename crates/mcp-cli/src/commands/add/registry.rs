//! `add REGISTRY-NAME`: from what a registry says of a server to the entry that `add` writes.
//!
//! Nothing that a registry says is carried out unseen: it is shown first, a command is agreed to, and what is written and
//! contacted is what was shown.

use std::sync::Arc;

use mcp_config::EntryTransport;
use mcp_config::edit::Value;
use mcp_config::entry::RemoteKind;
use mcp_config::registry::{DraftError, Offer, RegistryName, RegistryServer, RegistryStatus, look_alike};
use mcp_connect::{Registry, RegistryError, RegistryErrorKind};

use super::again::again;
use super::answers::{self, InputAnswers};
use super::change::{self, ChangeFailure};
use super::entry::{self, New};
use crate::app::App;
use crate::args::{AddArgs, TransportArg};
use crate::confirmation::Answers as Typed;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::shown;
use crate::view::wrap::{behind, paragraph};

/// The registry that is asked.
pub(super) fn registry(app: &App, args: &AddArgs) -> Result<Registry, CliError> {
    let (base, by) = match (&args.registry.registry, app.environment.text("MCPLINK_REGISTRY")) {
        (Some(base), _) => (base.as_str(), "--registry"),
        (None, Some(base)) => (base, "MCPLINK_REGISTRY"),
        (None, None) => (Registry::OFFICIAL, "the official registry"),
    };
    Registry::new(&app.host, base).map_err(|why| {
        // Not repeated: a URL may hold a secret.
        CliError::usage("usage", format!("{by} cannot be asked"))
            .why(format!("{why}; a registry is asked over https, or http on this machine"))
            .next("mcplink add --help")
    })
}

/// The new entry, with notes about it.
pub(super) async fn new(
    app: &Arc<App>,
    args: &AddArgs,
    name: Option<&str>,
    wanted: &RegistryName,
) -> Result<(New, Vec<String>), CliError> {
    let named = name.unwrap_or_else(|| wanted.entry_name());
    refuse_known(app, args, name, named)?;
    let registry = registry(app, args)?;
    note(app, &format!("asking {} …", shown::line(registry.base().as_str())));
    let server = match registry.server(wanted).await {
        Ok(server) => server,
        Err(error) => return Err(not_found(args, &registry, wanted, &error).await),
    };
    refuse_deleted(args, &server)?;
    let mut notes = notes(&server);
    let offers = offers(args, &registry, &server)?;
    let mut typed = app.asks().then(Typed::of_terminal);
    if !app.json {
        let shown = description(app, &registry, &server, &offers);
        match typed {
            // What is chosen from is seen, however little else is wanted.
            Some(_) => app.output.error(&shown),
            None => app.output.note(&shown),
        }
    }
    let number = choose(app, args, &offers, typed.as_mut()).await?;
    let mut offer = offers[number].clone();
    notes.extend(offer.notes().iter().cloned());
    let more = options(args, &mut offer)?;
    let given = InputAnswers::read(args, &offer)?;
    let said = answers::collect(app, &offer, given, named, typed.as_mut(), args).await?;
    let draft = offer.draft(&said).map_err(|error| undrafted(&server, &error))?;
    registry.check(&draft).map_err(|why| {
        CliError::usage("registry-refused", "the address that comes of it is not asked")
            .why(format!("it {why}"))
            .next("mcplink add --help")
    })?;
    agree(app, args, named, &draft.entry, &more, typed.as_mut()).await?;
    let mut entry = draft.entry;
    merge(&mut entry, more);
    Ok((New { name: named.to_owned(), entry }, notes))
}

fn note(app: &App, text: &str) {
    app.output.note(&paragraph(text, app.stderr_room()));
}

/// A name that is there already, or that a person would take for another one, is told before anything is asked.
fn refuse_known(app: &App, args: &AddArgs, name: Option<&str>, named: &str) -> Result<(), CliError> {
    let config = app.load_as_is()?.config;
    let place = change::place(&config, app.scope().unwrap_or(mcp_config::Scope::Mcplink))?;
    let new = New { name: named.to_owned(), entry: Value::Object(Vec::new()) };
    change::editor(&config)?
        .dry_run::<ChangeFailure>(&place, |text| super::written(&place, text, &new, &args.write))?;
    let alike = config.entries.iter().find(|entry| look_alike(&entry.name, named));
    match alike {
        // A name that a person gives is meant.
        Some(entry) if name.is_none() => {
            let message = format!(
                "{} would look like {}, which is another server ({})",
                shown::name(named),
                shown::name(&entry.name),
                entry.origin
            );
            let word = args.words.last().map(String::as_str).unwrap_or_default();
            let next = again(args, ["NEW-NAME", word]);
            Err(CliError::usage("exists", shown::line(&message)).next(next))
        }
        _ => Ok(()),
    }
}

/// What could not be done, because a registry has no answer.
pub(super) fn failed(message: String, error: &RegistryError) -> CliError {
    let (exit, code, next) = match error.kind() {
        RegistryErrorKind::Protocol => (
            ExitStatus::Protocol,
            "protocol",
            "see that the address is that of a registry (--registry, MCPLINK_REGISTRY)",
        ),
        RegistryErrorKind::TimedOut => (ExitStatus::Failed, "timeout", "try again"),
        _ => (
            ExitStatus::Failed,
            "unreachable",
            "try again, or name another registry (--registry, MCPLINK_REGISTRY)",
        ),
    };
    CliError::new(exit, code, message).why(error.to_string()).next(next)
}

/// Why there is no answer, with what may have been meant.
async fn not_found(
    args: &AddArgs,
    registry: &Registry,
    wanted: &RegistryName,
    error: &RegistryError,
) -> CliError {
    let host = shown::line(registry.base().as_str());
    let name = shown::line(wanted.as_str());
    match error.kind() {
        RegistryErrorKind::NotFound => {
            let message = match wanted.version() {
                Some(version) => format!("{host} has no version {} of {name}", shown::line(version)),
                None => format!("{host} has no server {name}"),
            };
            let error = CliError::usage("unknown-server", message);
            let word = wanted.entry_name();
            let found = match registry.search(word).await {
                Ok(found) => found.servers,
                Err(_) => Vec::new(),
            };
            let near = found.iter().map(|server| server.name.as_str()).find(|name| *name == wanted.as_str());
            let near = near.or_else(|| {
                mcp_config::nearest(wanted.as_str(), found.iter().map(|server| server.name.as_str()))
            });
            let near = near.and_then(RegistryName::parse);
            // The name of the entry stays the one that was given.
            let (_, given) = args.words.split_last().unwrap_or((&args.words[0], &[]));
            let with = |word: &str| again(args, given.iter().map(String::as_str).chain([word]));
            match near {
                Some(near) if near.as_str() == wanted.as_str() => {
                    error.why("it has another version").next(with(&near.to_string()))
                }
                Some(near) => error.why(format!("did you mean {near}?")).next(with(&near.to_string())),
                None => error
                    .why(format!("a URL is written with https://, as in https://{name}"))
                    .next(search_again(args, word)),
            }
        }
        // Where nothing answers, nothing is known of the name.
        RegistryErrorKind::Unreachable | RegistryErrorKind::TimedOut => {
            failed(format!("{host} could not be asked for {name}"), error)
        }
        _ => {
            let failed = failed(format!("{host} could not be asked for {name}"), error);
            let why = failed.why.clone().unwrap_or_default();
            // Without its scheme, a URL looks like a name.
            failed.why(format!("{why}; a URL is written with https://, as in https://{name}"))
        }
    }
}

/// The search for a word, in the registry that was asked.
fn search_again(args: &AddArgs, word: &str) -> String {
    let registry = args.registry.registry.as_deref().filter(|url| !url.contains('?'));
    let registry = registry.map(|url| format!(" --registry {}", mcp_text::shell_word(url)));
    format!("mcplink add --search {}{}", mcp_text::shell_word(word), registry.unwrap_or_default())
}

fn refuse_deleted(args: &AddArgs, server: &RegistryServer) -> Result<(), CliError> {
    if server.status != RegistryStatus::Deleted {
        return Ok(());
    }
    let name = shown::line(&server.name);
    let message = format!("{name} {} was taken out of the registry", shown::line(&server.version));
    let error = CliError::usage("deleted", message);
    let error = match &server.status_message {
        Some(why) => error.why(shown::line(why)),
        None => error,
    };
    let word = RegistryName::parse(&server.name).map(|name| name.entry_name().to_owned());
    Err(error.next(search_again(args, &word.unwrap_or_default())))
}

/// What is to be known of a version.
fn notes(server: &RegistryServer) -> Vec<String> {
    let said =
        server.status_message.as_deref().map(|why| format!(": {}", shown::line(why))).unwrap_or_default();
    let mut notes = Vec::new();
    match &server.status {
        RegistryStatus::Deprecated => {
            notes.push(format!("{} is deprecated{said}", shown::line(&server.name)))
        }
        RegistryStatus::Other(word) => {
            notes.push(format!("the registry says of it: {}{said}", shown::cell(word)))
        }
        _ => {}
    }
    if server.is_latest == Some(false) {
        notes.push(format!("{} is not its latest version", shown::line(&server.version)));
    }
    if let Some(schema) = &server.unknown_schema {
        let schema = shown::line(schema);
        notes.push(format!("its description is in a schema that is not known here ({schema}): what is new in it is not taken over"));
    }
    notes
}

/// The ways to reach it that can be taken, of those that are wanted.
fn offers(args: &AddArgs, registry: &Registry, server: &RegistryServer) -> Result<Vec<Offer>, CliError> {
    let is_wanted = |offer: &&Offer| match args.transport {
        None => true,
        Some(TransportArg::Http) => offer.transport() == EntryTransport::Remote(RemoteKind::Http),
        Some(TransportArg::Sse) => offer.transport() == EntryTransport::Remote(RemoteKind::Sse),
        Some(TransportArg::Stdio) => offer.transport() == EntryTransport::Stdio,
    };
    let mut why: Vec<String> =
        server.unusable.iter().map(|part| format!("{}: {}", part.what, part.why)).collect();
    let mut usable = Vec::new();
    for offer in server.offers.iter().filter(is_wanted) {
        match registry.check_offer(offer) {
            Ok(()) => usable.push(offer.clone()),
            Err(refusal) => why.push(format!("{}: it {refusal}", offer.shown())),
        }
    }
    if !usable.is_empty() {
        return Ok(usable);
    }
    let error = CliError::usage(
        "registry-refused",
        format!("nothing that the registry offers of {} can be added", shown::line(&server.name)),
    );
    let of_others = server.offers.iter().any(|offer| !is_wanted(&offer));
    Err(match why.is_empty() {
        true if of_others => error.why("there is nothing of that transport"),
        true => error.why("it names neither an address nor a package"),
        false => error.why(shown::line(&why.join("; "))),
    }
    .next("mcplink add NAME URL, or mcplink add NAME -- COMMAND, as its own pages say"))
}

/// What a person sees of it before anything else.
fn description(app: &App, registry: &Registry, server: &RegistryServer, offers: &[Offer]) -> String {
    let room = app.stderr_room();
    let title = server.title.as_deref().map(|title| format!("  {}", shown::cell(title))).unwrap_or_default();
    let mut text =
        paragraph(&format!("{} {}{title}", shown::line(&server.name), shown::cell(&server.version)), room);
    if !server.description.is_empty() {
        text.push_str(&behind("  ", &shown::line(&server.description), room));
    }
    text.push_str(&behind("  in ", &shown::line(registry.base().as_str()), room));
    for (number, offer) in offers.iter().enumerate() {
        let kind = offer.package_kind().unwrap_or(offer.transport().as_str());
        text.push_str(&behind(&format!("  {}  {kind:<4}  ", number + 1), &shown::line(&offer.shown()), room));
    }
    for part in &server.unusable {
        let why = format!("{}: {}", shown::line(&part.what), shown::line(&part.why));
        text.push_str(&behind("  –  ", &why, room));
    }
    text
}

/// The number of the way that is taken: the one that is named, or chosen, or the first.
async fn choose(
    app: &App,
    args: &AddArgs,
    offers: &[Offer],
    typed: Option<&mut Typed>,
) -> Result<usize, CliError> {
    let count = offers.len();
    if let Some(number) = args.registry.choose {
        return match number.checked_sub(1).filter(|at| *at < count) {
            Some(at) => Ok(at),
            None => Err(entry::usage(format!("--choose {number}: there are {count} ways to reach it"))),
        };
    }
    let Some(typed) = typed.filter(|_| count > 1) else { return Ok(0) };
    loop {
        typed.forget_typed();
        app.output.error(&format!("Which one, 1 to {count}? [1] "));
        let Some(line) = typed.line().await else { return Err(answers::given_up()) };
        match line.trim() {
            "" => return Ok(0),
            word => match word.parse::<usize>().ok().and_then(|number| number.checked_sub(1)) {
                Some(at) if at < count => return Ok(at),
                _ => {}
            },
        }
    }
}

/// What the options of `add` say besides; what they say all of is not asked for.
fn options(args: &AddArgs, offer: &mut Offer) -> Result<Vec<(String, Value)>, CliError> {
    let more = if offer.package_kind().is_some() {
        entry::refuse_options_of_a_url(args)?;
        entry::local_options(args)?
    } else {
        entry::refuse_options_of_a_command(args)?;
        entry::remote_options(args)?
    };
    for (name, value) in more.iter().filter(|(key, _)| key != "oauth").flat_map(|(_, pairs)| pairs.members())
    {
        let text = value.as_str().unwrap_or_default();
        if offer.leave(name) == Some(true) && !text.contains("${") {
            return Err(answers::literal_secret(name));
        }
    }
    Ok(more)
}

/// Puts what a person said into an entry; it counts before what the registry says.
fn merge(entry: &mut Value, more: Vec<(String, Value)>) {
    let Value::Object(members) = entry else { return };
    for (key, value) in more {
        match (members.iter_mut().find(|(known, _)| *known == key), value) {
            (Some((_, Value::Object(old))), Value::Object(new)) => old.extend(new),
            (Some((_, old)), new) => *old = new,
            (None, new) => members.push((key, new)),
        }
    }
}

fn undrafted(server: &RegistryServer, error: &DraftError) -> CliError {
    let name = shown::line(&server.name);
    CliError::usage("registry-refused", format!("no entry comes of {name}"))
        .why(error.to_string())
        .next("mcplink add --help")
}

/// A command is run once it was seen and agreed to. `more` is what the options give it besides.
async fn agree(
    app: &App,
    args: &AddArgs,
    name: &str,
    entry: &Value,
    more: &[(String, Value)],
    typed: Option<&mut Typed>,
) -> Result<(), CliError> {
    // Nothing is written by a dry run, and nothing is started.
    if entry.get("command").is_none() || args.registry.yes || args.write.dry_run {
        return Ok(());
    }
    let Some(typed) = typed else {
        let message = format!("{} would run a command that was not agreed to", shown::name(name));
        return Err(CliError::unagreed("awaiting-approval", message)
            .why(shown::line(&command_line(&entry.shown())))
            .next("run the command again with --yes, if that is what you want to run"));
    };
    let room = app.stderr_room();
    let mut text = paragraph("This would run on your machine, with your rights:", room);
    text.push_str(&behind("  runs  ", &shown::line(&command_line(entry)), room));
    // The registry's words and what was typed for it, as they are: they decide what runs.
    for (name, value) in entry.get("env").into_iter().flat_map(Value::members) {
        let value = value.as_str().unwrap_or_default();
        text.push_str(&behind("  with  ", &shown::line(&format!("{name}={value}")), room));
    }
    for (name, _) in more.iter().flat_map(|(_, members)| members.members()) {
        text.push_str(&behind("  with  ", &format!("{} as you said", shown::line(name)), room));
    }
    app.output.error(&text);
    typed.forget_typed();
    app.output.error("Type yes to add it: ");
    match typed.yes().await {
        Some(true) => Ok(()),
        _ => Err(CliError::unagreed("not-confirmed", "nothing was added").next("answer yes, or use --yes")),
    }
}

fn command_line(entry: &Value) -> String {
    let command = entry.get("command").and_then(Value::as_str).unwrap_or_default();
    let words = entry.get("args").map(items).unwrap_or_default();
    let words: Vec<String> =
        std::iter::once(command).chain(words.iter().map(String::as_str)).map(word).collect();
    words.join(" ")
}

/// A word as a shell would take it; options stay as they are.
fn word(text: &str) -> String {
    let option = text.trim_start_matches('-');
    match mcp_text::shell_word(option) {
        plain if plain == option && !option.is_empty() => text.to_owned(),
        _ => mcp_text::shell_word(text),
    }
}

fn items(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
