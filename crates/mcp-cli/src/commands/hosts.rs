//! `mcplink hosts`: which hosts have files with servers on this machine. Reads files only.

use mcp_config::{Host, HostListing};
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::hosts::lines;
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
    if app.json {
        let found = found.iter().map(row).collect();
        let known = Host::all().map(|host| host.name).collect();
        app.print_json(&Document { schema_version: 1, found, known });
        return Ok(ExitStatus::Success);
    }
    if found.is_empty() {
        let known: Vec<&str> = Host::all().map(|host| host.title).collect();
        let text = format!("no other host has servers here; looked for: {}\n", known.join(", "));
        app.output.note(&paragraph(&text, app.stderr_room()));
        return Ok(ExitStatus::Success);
    }
    app.output.out(&lines(app, &found));
    for problem in found.iter().filter_map(|file| file.unreadable.as_deref()) {
        let text = format!("warning: {}", problem_text(problem));
        app.output.note(&paragraph(&text, app.stderr_room()));
    }
    app.output.note(
        "to take them over: mcplink import    to use a host's servers in place: mcplink --from HOST status\n",
    );
    Ok(ExitStatus::Success)
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
