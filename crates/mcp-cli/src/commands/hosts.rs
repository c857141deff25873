//! `mcplink hosts`: which hosts have files with servers on this machine. Reads files only.

use mcp_config::hosts::{HostListing, KnownHost};
use mcp_config::{Scope, ServerEntry};
use serde::Serialize;

use super::conclusion::broken_file;
use crate::app::App;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::hosts::{count, first_steps, lines, short};
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
    let claude_code = ClaudeCode::read(app)?;
    let unread = found.iter().any(|file| file.unreadable.is_some());
    let status = if unread { ExitStatus::Usage } else { ExitStatus::Success };
    if app.json {
        let rows = claude_code.iter().map(ClaudeCode::row).chain(found.iter().map(row)).collect();
        let known = KnownHost::all().map(|host| host.name).collect();
        app.print_json(&Document { schema_version: 1, found: rows, known });
        // The first stands for all: each has its own in the document.
        let first = found.iter().find_map(|file| file.unreadable.as_deref());
        return first.map_or(Ok(ExitStatus::Success), |problem| Err(broken_file(problem)));
    }
    if found.is_empty() && claude_code.is_none() {
        let known: Vec<&str> = KnownHost::all().map(|host| host.title).collect();
        let text = format!("no other host has servers here; looked for: {}", known.join(", "));
        app.output.note(&paragraph(&text, app.stderr_room()));
        if app.from().is_none() && app.own_config()?.entries.is_empty() {
            app.output.note(&first_steps());
        }
        return Ok(ExitStatus::Success);
    }
    let of_claude_code = claude_code.as_ref().map(|own| own.line(app));
    app.output.out(&lines(app, of_claude_code, &found));
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
    } else if claude_code.is_some() || found.iter().any(|file| !file.servers.is_empty()) {
        app.output.note("mcplink reads them anyway: mcplink list\n");
    } else if let Some(wrapped) = found.iter().find(|file| file.pointers > 0) {
        // Nothing is left to take over.
        app.output.note("how they are: mcplink status\n");
        // Where the state of another machine would know what stood there, nothing can put it back.
        let record =
            super::change::editor(&own)?.wrap_record().map_err(super::change::ChangeFailure::File)?;
        match record.names_of(wrapped.host.name).is_empty() {
            false => {
                app.output.note(&format!("to put them back: mcplink unwrap {} --all\n", wrapped.host.name))
            }
            true => app.output.note("where they lead: mcplink list\n"),
        }
    }
    Ok(status)
}

/// Claude Code's file of this person, which is read by every command, in our words.
struct ClaudeCode {
    file: std::path::PathBuf,
    names: Vec<String>,
    pointers: usize,
}

impl ClaudeCode {
    fn read(app: &App) -> Result<Option<Self>, CliError> {
        let is_wanted = app.from().is_none_or(KnownHost::is_read_anyway);
        let config = app.own_config()?;
        let Some(file) = config.locations.user_file.clone().filter(|_| is_wanted) else { return Ok(None) };
        let is_in_it = |entry: &&ServerEntry| {
            matches!(entry.scope, Scope::User | Scope::Local) && entry.origin.place.path() == Some(&file)
        };
        let all = config.entries.iter().chain(config.shadowed.iter().map(|shadowed| &shadowed.entry));
        let names: Vec<String> = all.filter(is_in_it).map(|entry| entry.name.clone()).collect();
        let pointers = config.pointers.iter().filter(|pointer| is_in_it(&&pointer.entry)).count();
        Ok((!names.is_empty() || pointers > 0).then_some(Self { file, names, pointers }))
    }

    fn row(&self) -> Row<'_> {
        let title = KnownHost::named("claude-code").map_or("Claude Code", |host| host.title);
        Row {
            host: "claude-code",
            title,
            scope: "user",
            file: self.file.display().to_string(),
            servers: self.names.iter().map(String::as_str).collect(),
            pointers: self.pointers,
            problem: None,
        }
    }

    fn line(&self, app: &App) -> [String; 3] {
        let count = count(self.names.len(), self.pointers);
        ["claude-code".to_owned(), count, short(app, &self.file.display().to_string())]
    }
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
