//! `mcplink hosts`: which hosts have files with servers on this machine. Reads files only.

use mcp_config::hosts::{HostListing, KnownHost};
use serde::Serialize;

use super::conclusion::broken_file;
use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::hosts::{first_steps, lines};
use crate::problems::problem_text;
use crate::view::row::ProblemRow;
use crate::view::wrap::paragraph;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    found: Vec<Row<'a>>,
    /// Every host that is known, whether it is there or not.
    known: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    host: &'static str,
    title: &'static str,
    scope: &'static str,
    file: String,
    servers: Vec<&'a str>,
    /// How many entries are how the host reaches a server through this program.
    pointers: usize,
    problem: Option<ProblemRow>,
}

pub(super) fn run(app: &App) -> Result<ExitStatus, CliError> {
    let mut found = app.found_in_hosts(app.from())?;
    // The settings of an editor are there whether it has servers or not.
    found.retain(|file| !file.servers.is_empty() || file.pointers > 0 || file.unreadable.is_some());
    let unread = found.iter().any(|file| file.unreadable.is_some());
    let status = if unread { ExitStatus::Usage } else { ExitStatus::Success };
    if app.json {
        let rows = found.iter().map(row).collect();
        let known = KnownHost::all().map(|host| host.name).collect();
        app.print_json(&Document { schema_version: 1, found: rows, known });
        // The first stands for all: each has its own in the document.
        let first = found.iter().find_map(|file| file.unreadable.as_deref());
        return first.map_or(Ok(ExitStatus::Success), |problem| Err(broken_file(problem)));
    }
    if found.is_empty() {
        let known: Vec<&str> = KnownHost::all().map(|host| host.title).collect();
        let text = format!("no other host has servers here; looked for: {}", known.join(", "));
        app.output.note(&paragraph(&text, app.stderr_room()));
        if app.from().is_none() && app.own_config()?.entries.is_empty() {
            app.output.note(&first_steps());
        }
        return Ok(ExitStatus::Success);
    }
    app.output.out(&lines(app, &found));
    // One that is ours as well is told by every command, in our words.
    let loaded = app.load_as_is()?;
    let ours: Vec<_> = loaded.config.broken_files().map(|problem| &problem.file).collect();
    let problems = found.iter().filter_map(|file| file.unreadable.as_deref());
    for problem in problems.filter(|problem| !ours.contains(&&problem.file)) {
        let text = problem_text(problem);
        if app.broken.is_news(&text) {
            app.output.error(&paragraph(&format!("error: {text}"), app.stderr_room()));
        }
    }
    let own = app.own_config()?;
    for problem in super::status::left_behind(&own)? {
        app.output.note(&paragraph(&format!("warning: {}", problem_text(&problem)), app.stderr_room()));
    }
    // A line each: wrapped into one paragraph, two hints are none.
    let can_be_taken = |file: &HostListing| !file.servers.is_empty() && !crate::hosts::is_ours(&own, file);
    if found.iter().any(can_be_taken) {
        app.output.note("to take them over: mcplink import\n");
        app.output.note("to use a host's servers in place: mcplink --from HOST status\n");
    } else if found.iter().any(|file| !file.servers.is_empty()) {
        app.output.note("mcplink reads them anyway: mcplink list\n");
    } else if let Some(wrapped) = found.iter().find(|file| file.pointers > 0) {
        // Nothing is left to take over.
        app.output.note("how they are: mcplink status\n");
        app.output.note(&format!("to put them back: mcplink unwrap {} --all\n", wrapped.host.name));
    }
    Ok(status)
}

fn row(file: &HostListing) -> Row<'_> {
    Row {
        host: file.host.name,
        title: file.host.title,
        scope: if file.of_project { "project" } else { "user" },
        file: file.place.to_string(),
        servers: file.servers.iter().map(|server| &*server.entry.name).collect(),
        pointers: file.pointers,
        problem: file.unreadable.as_deref().map(ProblemRow::from),
    }
}
