//! `mcplink logs [NAME|PID] [-f]`: what long-lived sessions wrote down, for people.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::app::App;
use crate::args::LogsArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::session_log::reading::{LineSelection, Logs, shown, tails_in};
use crate::session_log::{self, folder};

/// How often a followed file is looked at.
const PAUSE: Duration = Duration::from_millis(250);
/// How many lines of all sessions together are shown, unless another number is asked for.
const LINES_OF_ALL: usize = 50;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    files: Vec<PathBuf>,
    records: Vec<Value>,
}

pub(super) async fn run(app: &App, args: &LogsArgs) -> Result<ExitStatus, CliError> {
    let folder = folder(app.cache_dir());
    let which = which(app, args, &folder)?;
    let limit = args.lines.unwrap_or(if which == LineSelection::All { LINES_OF_ALL } else { usize::MAX });
    let mut logs = Logs::new(which.clone(), folder);
    let lines = logs.more(|warning| app.output.note(warning))?;
    let lines = &lines[lines.len().saturating_sub(limit)..];
    if app.json && !args.follow {
        let records = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        app.print_json(&Document { schema_version: 1, files: logs.files(), records });
        return Ok(ExitStatus::Success);
    }
    if lines.is_empty() {
        app.output.note(&nothing(args));
    } else if let (LineSelection::Server(path), true) = (&which, app.output.stdout_is_terminal) {
        app.output.note(&format!("{}\n", crate::view::shown::line(&path.display().to_string())));
    }
    let names_server = which == LineSelection::All;
    let said =
        |line: &str| if app.json { line.to_owned() } else { shown(line, names_server, app.style().room()) };
    for line in lines {
        app.output.out(&said(line));
    }
    while args.follow && !app.output.is_over() {
        tokio::time::sleep(PAUSE).await;
        for line in logs.more(|warning| app.output.note(warning))? {
            app.output.out(&said(&line));
        }
    }
    Ok(ExitStatus::Success)
}

/// What a word means: a server that there is or was; else, where it is a number, a process.
fn which(app: &App, args: &LogsArgs, folder: &Path) -> Result<LineSelection, CliError> {
    let Some(word) = &args.name else { return Ok(LineSelection::All) };
    let loaded = app.load()?;
    let path = session_log::file(folder, word);
    if path.symlink_metadata().is_ok() || loaded.config.entry(word).is_some() {
        return Ok(LineSelection::Server(path));
    }
    match word.parse() {
        Ok(process) => Ok(LineSelection::Process(process)),
        Err(_) if args.follow => Ok(LineSelection::Server(path)),
        Err(_) => Err(loaded.unknown(word)),
    }
}

fn nothing(args: &LogsArgs) -> String {
    let whose = match &args.name {
        Some(name) => format!("no session of {}", crate::view::shown::name(name)),
        None => "no session".to_owned(),
    };
    format!("{whose} has written anything yet; sessions are made by `mcplink bridge`\n")
}

/// The last lines of every log, as they stand in the files, for a report to another person.
pub(super) fn tails(app: &App, limit: usize) -> Vec<(PathBuf, Vec<Value>)> {
    tails_in(&folder(app.cache_dir()), limit)
}
