//! `mcplink status --hosts`: the servers in the files of every host, each asked once however many hosts have it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use mcp_config::hosts::KnownHost;
use mcp_config::{Config, Pointer, Problem, Scope, ServerEntry, Severity};
use mcp_connect::{ConfiguredServer, Fingerprint};

use super::{combined, look, offline_exit};
use crate::app::App;
use crate::args::StatusArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::hosts::short;
use crate::loaded::LoadedConfig;
use crate::problems::note_unsaid;
use crate::view::row::{HostPlace, ProblemRow, Servers};

/// Where a host has a server, and which one it is.
struct HostEntry {
    place: HostPlace,
    server: ConfiguredServer,
}

pub(super) async fn run(app: &Arc<App>, args: &StatusArgs) -> Result<ExitStatus, CliError> {
    let own = app.own_config()?;
    let mut found = Vec::new();
    let mut problems: Vec<Problem> = Vec::new();
    let is_named = |server: &String| args.names.is_empty() || args.names.contains(server);
    let is_meant =
        |problem: &Problem| problem.severity > Severity::Note && problem.server.as_ref().is_none_or(is_named);
    for host in hosts(app)? {
        let read = if host.is_read_anyway() { own.clone() } else { app.config_of(host)? };
        // The administrator's servers are not those of its file.
        if read.refused_by_administrator().is_some() {
            continue;
        }
        problems.extend(read.problems.iter().filter(|problem| is_meant(problem)).cloned());
        found.extend(servers(app, host, &read, &own).await);
    }
    problems.extend(left_behind(&own)?.into_iter().filter(|problem| is_meant(problem)));
    problems.sort_by_key(|problem| problem.file.as_ref().map(ToString::to_string));
    problems.dedup_by(|one, other| one.file == other.file && one.message == other.message);
    let (servers, places) = once(app, found, &args.names)?;
    if !app.json {
        note_unsaid(app, problems.iter(), &servers);
        if servers.is_empty() {
            app.output
                .note("no host has servers in its files; `mcplink paths` shows where ours are looked for\n");
        }
    }
    let is_missing = places.iter().flatten().any(|place| place.missing.is_some() || place.unusable.is_some());
    let checked_at = SystemTime::now();
    let rows = look(app, args, &servers, &places).await;
    if app.json {
        let problems: Vec<ProblemRow> = problems.iter().map(ProblemRow::from).collect();
        app.print_json(&Servers::new(Some(checked_at), &rows, &problems));
    }
    let is_broken = problems.iter().any(Problem::is_of_whole_file);
    Ok(match args.offline {
        _ if is_broken => ExitStatus::Usage,
        true => offline_exit(&rows),
        false => match combined(&rows) {
            // A host that cannot start the bridge, or use the entry, has not the server, however well that is.
            ExitStatus::Success if is_missing => ExitStatus::Failed,
            exit => exit,
        },
    })
}

/// What is wrong with the files of other hosts, and is not said of those that `loaded` was read from; nothing where an option
/// says which files count.
pub(in crate::commands) fn problems_of_hosts(
    app: &App,
    loaded: &LoadedConfig,
) -> Result<Vec<Problem>, CliError> {
    if app.reads_named_files_alone() {
        return Ok(Vec::new());
    }
    let mut problems: Vec<Problem> = Vec::new();
    for host in hosts(app)?.into_iter().filter(|host| !host.is_read_anyway()) {
        let read = app.config_of(host)?;
        if read.refused_by_administrator().is_none() {
            problems.extend(read.problems);
        }
    }
    problems.extend(left_behind(&loaded.config)?);
    problems.retain(|problem| problem.severity > Severity::Note && problem.file.is_some());
    problems.sort_by_key(|problem| problem.file.as_ref().map(ToString::to_string));
    let same = |one: &Problem, other: &Problem| one.file == other.file && one.message == other.message;
    problems.dedup_by(|one, other| same(one, other));
    problems.retain(|problem| !loaded.config.problems.iter().any(|known| same(known, problem)));
    Ok(problems)
}

/// Entries that `wrap` put into files of hosts, and whose program is elsewhere now.
pub(in crate::commands) fn left_behind(config: &Config) -> Result<Vec<Problem>, CliError> {
    let Ok(editor) = crate::commands::change::editor(config) else { return Ok(Vec::new()) };
    Ok(editor.wrap_record().map_err(crate::commands::change::ChangeFailure::File)?.left_behind())
}

/// The hosts that have files here, in the order in which people are told of them.
fn hosts(app: &App) -> Result<Vec<&'static KnownHost>, CliError> {
    let listed = app.found_in_hosts(None)?;
    let has_files =
        |host: &&KnownHost| host.is_read_anyway() || listed.iter().any(|file| file.host.name == host.name);
    Ok(KnownHost::all().filter(has_files).collect())
}

/// The servers of `host`, whose files are `read`; the ones that it has through this program are those of `own`.
async fn servers(app: &App, host: &'static KnownHost, read: &Config, own: &Config) -> Vec<HostEntry> {
    let mut found = Vec::new();
    // This program's own file is of no host.
    let is_of_host = |entry: &&ServerEntry| !host.is_read_anyway() || entry.scope != Scope::Mcplink;
    for entry in read.entries.iter().filter(is_of_host) {
        let server = app.host.configured(entry, read).await;
        found.push(HostEntry { place: place(app, host, entry, None), server });
    }
    for pointer in &read.pointers {
        let target = own.entry(pointer.target());
        let server = match target {
            Some(entry) => app.host.configured(entry, own).await,
            None => dead_end(app, pointer, read).await,
        };
        found.push(HostEntry { place: place(app, host, &pointer.entry, Some(target.is_some())), server });
    }
    found
}

/// The server that `pointer` leads to, which is in no file.
async fn dead_end(app: &App, pointer: &Pointer, read: &Config) -> ConfiguredServer {
    let why =
        format!("{} is {pointer}; no entry of that name has a `url` or `command`", pointer.entry.origin);
    ConfiguredServer::of_pointer(&app.host, pointer, &why, read).await
}

/// Where `entry` is; `bridged` says of one that starts this program whether that knows the server.
fn place(app: &App, host: &'static KnownHost, entry: &ServerEntry, bridged: Option<bool>) -> HostPlace {
    let source = entry.origin.place.to_string();
    HostPlace {
        host: host.name,
        title: host.title,
        name: entry.name.clone(),
        file: short(app, &source),
        source,
        line: entry.origin.line,
        bridged: bridged.is_some(),
        missing: bridged.and_then(|_| missing(entry)),
        unusable: (host.is_local_only() && entry.remote().is_some()).then(|| {
            let word = mcp_text::shell_word(&entry.name);
            format!("it starts local servers alone (mcplink wrap {} {word})", host.name)
        }),
        is_ours: bridged.unwrap_or(host.is_read_anyway()),
    }
}

/// The program of a way through this program, where it is told with its whole path and is not there.
fn missing(entry: &ServerEntry) -> Option<String> {
    let program = entry.stdio()?.command.expose().to_owned();
    let path = Path::new(&program);
    (path.is_absolute() && matches!(path.try_exists(), Ok(false))).then_some(program)
}

/// Each server once, with the places that have it; of these names, where there are any.
fn once(
    app: &App,
    found: Vec<HostEntry>,
    names: &[String],
) -> Result<(Vec<ConfiguredServer>, Vec<Vec<HostPlace>>), CliError> {
    let is_called =
        |one: &HostEntry, name: &String| one.place.name == *name || one.server.description.name == *name;
    if let Some(name) = names.iter().find(|name| !found.iter().any(|one| is_called(one, name))) {
        let message = format!("no host has a server named {name:?}");
        return Err(CliError::usage("unknown-server", message).next("mcplink hosts"));
    }
    let mut numbers: HashMap<Fingerprint, usize> = HashMap::new();
    let (mut servers, mut places): (Vec<ConfiguredServer>, Vec<Vec<HostPlace>>) = Default::default();
    for one in found {
        if !names.is_empty() && !names.iter().any(|name| is_called(&one, name)) {
            continue;
        }
        let number = *numbers.entry(one.server.connection(&app.host)).or_insert(servers.len());
        if number == servers.len() {
            servers.push(one.server);
            places.push(Vec::new());
        }
        places[number].push(one.place);
    }
    Ok((servers, places))
}
