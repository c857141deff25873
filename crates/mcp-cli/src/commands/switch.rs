//! `mcplink enable NAME..` and `disable NAME..`: whether a server is used, said in this tool's own file.

use mcp_config::{Gate, ServerEntry};
use serde::Serialize;

use super::change::{self, ChangeFailure};
use crate::app::App;
use crate::args::SwitchArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::shown;
use crate::view::wrap::paragraph;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    servers: Vec<SwitchReport>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SwitchReport {
    name: String,
    enabled: bool,
    /// Whether the file is another one than before.
    changed: bool,
    file: String,
    /// Where it says so, unless nothing has to.
    line: Option<usize>,
    #[serde(skip)]
    still: Option<String>,
}

pub(super) fn run(app: &App, args: &SwitchArgs, on: bool) -> Result<ExitStatus, CliError> {
    let names = &args.names;
    let mut servers = Vec::new();
    let mut refused = Vec::new();
    for name in names {
        match switch(app, name, on, args.only_here) {
            Ok(switched) => {
                if !app.json {
                    app.output.out(&paragraph(&line(&switched), app.style().room()));
                    if let Some(still) = &switched.still {
                        app.output.note(&paragraph(&format!("note: {still}"), app.stderr_room()));
                    }
                }
                servers.push(switched);
            }
            Err(error) => refused.push((name.clone(), error)),
        }
    }
    if app.json {
        app.print_json(&Document { schema_version: 1, servers });
    }
    let what = if on { "not switched on" } else { "not switched off" };
    match CliError::of_names(names.len(), refused, what) {
        None => Ok(ExitStatus::Success),
        Some(error) => Err(error),
    }
}

fn switch(app: &App, name: &str, on: bool, only_here: bool) -> Result<SwitchReport, CliError> {
    let loaded = app.load_as_is()?;
    if loaded.config.entry(name).is_none() {
        return Err(loaded.unknown(name));
    }
    if let Some(entry) = loaded.config.entry(name).filter(|entry| on && entry.gate() == Gate::Rejected) {
        let word = mcp_text::shell_word(name);
        let error =
            CliError::unagreed("declined", format!("{} stays off: it was rejected", shown::name(name)));
        let detail = entry.gate_detail().unwrap_or_default();
        return Err(error.why(shown::line(&detail)).next(format!("mcplink approve {word}")));
    }
    let place = change::place(&loaded.config, mcp_config::Scope::Mcplink)?;
    let Some(switching) = loaded.config.switching(name, on) else { return Err(loaded.unknown(name)) };
    let switching = if only_here { switching.only_in_project() } else { switching };
    let editor = change::editor(&loaded.config)?;
    let edited = editor.edit::<ChangeFailure>(&place, |text| {
        Ok(switching.apply(text).map_err(|error| place.refused(error))?)
    })?;
    let says = switching.says(edited.after());
    let entry = app.load_as_is()?.config.entry(name).cloned();
    Ok(SwitchReport {
        name: name.to_owned(),
        enabled: entry.as_ref().is_some_and(|entry| !entry.is_switched_off()),
        changed: edited.changed(),
        file: edited.file.display().to_string(),
        line: says.and_then(|path| edited.line_of(&path)),
        still: entry.as_ref().and_then(|entry| still(entry, on)),
    })
}

/// What keeps it from being used, or has it used, all the same.
fn still(entry: &ServerEntry, on: bool) -> Option<String> {
    match (on, entry.gate()) {
        (true, Gate::Ready) | (false, Gate::Disabled | Gate::Blocked) => None,
        (true, _) => entry.gate_detail().map(|detail| shown::line(&detail)),
        (false, _) => Some("it is on all the same".to_owned()),
    }
}

fn line(switched: &SwitchReport) -> String {
    let word = if switched.enabled { "on" } else { "off" };
    let before = if switched.changed { "" } else { ", as before" };
    let at =
        switched.line.map(|line| format!("  {}:{line}", shown::line(&switched.file))).unwrap_or_default();
    format!("{} is {word}{before}{at}", shown::name(&switched.name))
}
