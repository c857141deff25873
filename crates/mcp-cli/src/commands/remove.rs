//! `mcplink remove NAME..`: takes entries out of their file, and forgets what is kept for them.

use mcp_config::edit::{self, Value};
use mcp_config::editor::Editor;
use mcp_config::hosts::KnownHost;
use mcp_config::{Scope, ServerEntry};
use serde::Serialize;

use super::change::{self, ChangeFailure, entry_lines};
use super::login::failed;
use crate::app::App;
use crate::args::RemoveArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live::description::DescriptionFile;
use crate::loaded::LoadedConfig;
use crate::view::shown;
use crate::view::wrap::paragraph;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    servers: Vec<RemoveReport>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RemoveReport {
    name: String,
    scope: Scope,
    file: String,
    /// Where it stood.
    line: Option<usize>,
    /// Nothing was written.
    dry_run: bool,
    /// Sign-ins and registrations that were kept for it.
    forgotten: usize,
    #[serde(skip)]
    entry: Option<Value>,
    /// The hosts that start a bridge to it, which now leads nowhere.
    #[serde(skip)]
    led: Vec<&'static KnownHost>,
}

pub(super) async fn run(app: &App, args: &RemoveArgs) -> Result<ExitStatus, CliError> {
    let mut servers = Vec::new();
    let mut refused = Vec::new();
    for name in &args.names {
        match remove(app, name, args).await {
            Ok(removed) => {
                if !app.json {
                    app.output.out(&lines(&removed, app.style().room()));
                    for host in &removed.led {
                        let name = mcp_text::shell_word(&removed.name);
                        let line = format!(
                            "note: {} starts mcplink for it; to put its own entry back: mcplink unwrap {} {name}",
                            host.title, host.name
                        );
                        app.output.note(&paragraph(&shown::line(&line), app.stderr_room()));
                    }
                }
                servers.push(removed);
            }
            Err(error) => refused.push((name.clone(), error)),
        }
    }
    if app.json {
        app.print_json(&Document { schema_version: 1, servers });
    }
    match CliError::of_names(args.names.len(), refused, "not removed") {
        None => Ok(ExitStatus::Success),
        Some(error) => Err(error),
    }
}

async fn remove(app: &App, name: &str, args: &RemoveArgs) -> Result<RemoveReport, CliError> {
    let loaded = app.load_as_is()?;
    let (scope, dry_run) = (app.scope().unwrap_or(Scope::Mcplink), args.dry_run);
    let mut place = change::place_for(&loaded.config, app.scope(), args.only_here)?;
    if !args.only_here {
        place = loaded.config.place_of_entry(name, scope).unwrap_or(place);
    }
    let is_it = |entry: &&ServerEntry| entry.scope == scope && (!args.only_here || entry.is_of_one_project());
    let entry = loaded.config.definitions(name).find(is_it);
    let mut removed = None;
    let change = |text: &str| {
        let path = place.path(text, name);
        let found = edit::value_at(text, &path).map_err(|error| place.refused(error))?;
        let Some(found) = found else {
            return Err(ChangeFailure::Refused(elsewhere(&loaded, name, scope, args.only_here)));
        };
        removed = Some((found, edit::line_of(text, &path)));
        Ok(place.without(text, name).map_err(|error| place.refused(error))?)
    };
    let editor = change::editor(&loaded.config)?;
    let edited = if dry_run { editor.dry_run(&place, change)? } else { editor.edit(&place, change)? };
    // What another definition of the name needs stays.
    let is_last = loaded.config.definitions(name).nth(1).is_none();
    let forgotten = match entry {
        Some(entry) if !dry_run && is_last => forget(app, &loaded, entry).await?,
        _ => 0,
    };
    let led = if is_last { led_by(&editor, name) } else { Vec::new() };
    let (entry, line) = removed.map_or((None, None), |(entry, line)| (Some(entry), line));
    let file = edited.file.display().to_string();
    Ok(RemoveReport { name: name.to_owned(), scope, file, line, dry_run, forgotten, entry, led })
}

/// The hosts whose entries were put through this program to the server, as far as that is known.
fn led_by(editor: &Editor, name: &str) -> Vec<&'static KnownHost> {
    let Ok(record) = editor.wrap_record() else { return Vec::new() };
    let leads = |host: &&'static KnownHost| {
        let mut names = record.names_of(host.name).into_iter().flat_map(|kept| kept.names);
        names.any(|known| known == name)
    };
    KnownHost::all().filter(leads).collect()
}

/// Sign-ins, registrations and what the server said of itself.
async fn forget(app: &App, loaded: &LoadedConfig, entry: &ServerEntry) -> Result<usize, CliError> {
    let configured = app.host.configured(entry, &loaded.config).await;
    let files = [DescriptionFile::of(app, &configured), DescriptionFile::of_names(app, &configured)];
    for file in files.into_iter().flatten() {
        file.forget();
    }
    let Some(auth) = &configured.auth else { return Ok(0) };
    auth.sign_in(&app.host)
        .reset()
        .await
        .map_err(|error| failed(app, "forgetting", "reset", &entry.name, &error))
}

/// There is no such entry in that file. Where there is one in another, that is told, and not touched.
fn elsewhere(loaded: &LoadedConfig, name: &str, scope: Scope, only_here: bool) -> CliError {
    match loaded.config.definitions(name).next() {
        None => loaded.unknown(name),
        Some(entry) => {
            let whole = entry.scope == scope && only_here;
            let message = match whole {
                true => format!("{} has no entry for this project alone", shown::name(name)),
                false => format!("{} has no entry of the scope {scope}", shown::name(name)),
            };
            let error = CliError::usage("unknown-server", message)
                .why(shown::line(&format!("it is in {} ({})", entry.origin, entry.scope)));
            let word = mcp_text::shell_word(name);
            match entry.scope {
                // What was to be kept from this project alone is not taken from the others.
                _ if only_here => error.next(format!("mcplink disable {word} --only-here")),
                Scope::Managed | Scope::Dynamic => error.next(format!("mcplink disable {word}")),
                scope => error.next(format!("mcplink remove {word} --scope {scope}")),
            }
        }
    }
}

fn lines(removed: &RemoveReport, room: Option<usize>) -> String {
    let verb = if removed.dry_run { "would remove" } else { "removed" };
    let at = removed.line.map(|line| format!(":{line}")).unwrap_or_default();
    let (name, file) = (shown::name(&removed.name), shown::line(&removed.file));
    let mut lines = paragraph(&format!("{verb} {name} ({}) {file}{at}", removed.scope), room);
    if let (true, Some(entry)) = (removed.dry_run, &removed.entry) {
        lines.push_str(&entry_lines('-', &removed.name, entry));
    }
    match removed.forgotten {
        0 => {}
        1 => lines.push_str("forgot 1 record of its sign-in\n"),
        more => lines.push_str(&format!("forgot {more} records of its sign-in\n")),
    }
    lines
}
