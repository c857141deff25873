//! `mcplink approve-tools NAME [TOOL..]`: what is new or different in the tools of a server that pins them, and a person's
//! decision about it.
//!
//! What is approved is the list that was shown, whatever the server says meanwhile: in one run because it is the same list,
//! and from one run to the next by a digest of it (`--yes=DIGEST`).

use std::collections::BTreeSet;

use mcp_config::{Change, ConfigError, PinStore, ServerEntry, ToolApproval, ToolPins};
use mcp_text::Secrets;
use mcp_transport::tools::Tool;
use serde::Serialize;

use super::connected::{ConnectionNeeds, connected, failed};
use super::tools::unknown;
use crate::app::App;
use crate::args::ApproveToolsArgs;
use crate::confirmation::Answers;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::loaded::LoadedConfig;
use crate::view::shown;
use crate::view::wrap::behind;

/// How many fields of one tool are shown. The schema of some has thousands; what is approved is all of it.
const MOST_FIELDS: usize = 40;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    name: &'a str,
    /// Whether this call has approved anything.
    approved: bool,
    /// What `--yes=` takes to approve what is open in `tools`, and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    tools: Vec<ToolRow>,
}

/// A tool of the server, or one that was approved and is not listed any more.
#[derive(Serialize)]
struct ToolRow {
    name: String,
    state: ToolState,
    /// What is different since it was approved; of a new one, what it says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Change>,
    #[serde(skip)]
    definition: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum ToolState {
    Approved,
    New,
    Changed,
    /// It cannot be approved: two readers may see different tools in it, or it is listed twice.
    Ambiguous,
    Gone,
}

pub(super) async fn run(app: &App, args: &ApproveToolsArgs) -> Result<ExitStatus, CliError> {
    let loaded = app.load()?;
    let entry = pinning(&loaded, &args.name)?;
    let store = store(&loaded)?;
    if args.forget {
        return forget(app, args, entry, &store);
    }
    let mut open = connected(app, &args.name, ConnectionNeeds::Definitions).await?;
    open.connection.close().await;
    if let Some(error) = &open.error {
        return Err(failed(&open.wired, error));
    }
    let list = open.tools.take().unwrap_or_default();
    for tool in &args.tools {
        if let Some(unknown) = unknown(&list.tools, &args.name, tool) {
            return Err(unknown);
        }
    }
    // What it was given it may repeat in its tools.
    let secrets = open.connection.credentials_sent();
    let pins = open.wired.tools.as_ref().and_then(|tools| tools.pins()).cloned().unwrap_or_default();
    let mut rows = rows(&list.tools, &pins, &secrets);
    rows.retain(|row| args.tools.is_empty() || args.tools.contains(&row.name));
    if let Some(trouble) = pins.trouble() {
        app.output.note(&format!("warning: what was approved cannot be read: {}\n", shown::line(trouble)));
    }
    if !app.json {
        app.output.out(&text(&args.name, &rows, &secrets, app.style().room()));
    }
    let wanted: Vec<&ToolRow> = rows.iter().filter(|row| row.state.is_open()).collect();
    let definitions = || wanted.iter().map(|row| row.definition.as_str());
    let digest = (!wanted.is_empty()).then(|| pins.difference(entry, definitions(), &secrets));
    let approved = match &digest {
        Some(digest) => agreed(app, args, wanted.len(), digest).await?,
        None => false,
    };
    if approved {
        store.approve(entry, definitions(), &secrets).map_err(|error| not_kept(&error))?;
    }
    let left = rows.iter().any(|row| row.state == ToolState::Ambiguous) || !wanted.is_empty() && !approved;
    if app.json {
        hide(&mut rows, &secrets);
        app.print_json(&Document {
            schema_version: 1,
            name: &args.name,
            approved,
            digest: digest.as_deref(),
            tools: rows,
        });
    } else if approved {
        let count = wanted.len();
        app.output.out(&format!("{} of {} approved\n", counted(count), shown::name(&args.name)));
    }
    Ok(if left { ExitStatus::NeedsAuth } else { ExitStatus::Success })
}

impl ToolState {
    /// Whether a person can approve it.
    fn is_open(self) -> bool {
        matches!(self, Self::New | Self::Changed)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::New => "new",
            Self::Changed => "changed",
            Self::Ambiguous => "unusable",
            Self::Gone => "gone",
        }
    }
}

/// The entry of this name, which pins its tools.
fn pinning<'l>(loaded: &'l LoadedConfig, name: &str) -> Result<&'l ServerEntry, CliError> {
    let entry = loaded.entry(name).ok_or_else(|| loaded.unknown(name))?;
    if entry.tools.pins().is_none() {
        let message = format!("{} does not pin its tools, so none needs an approval", shown::name(name));
        return Err(CliError::usage("not-pinned", message)
            .why(format!(
                "its entry is at {}; \"pinTools\": true in it, or in `overrides`, would",
                entry.origin
            ))
            .next(format!("mcplink get {}", mcp_text::shell_word(name))));
    }
    Ok(entry)
}

fn forget(
    app: &App,
    args: &ApproveToolsArgs,
    entry: &ServerEntry,
    store: &PinStore,
) -> Result<ExitStatus, CliError> {
    let had = store.forget(entry).map_err(|error| not_kept(&error))?;
    let name = shown::name(&args.name);
    if app.json {
        let tools = Vec::new();
        app.print_json(&Document {
            schema_version: 1,
            name: &args.name,
            approved: false,
            digest: None,
            tools,
        });
    } else {
        let as_before = if had { "" } else { ", as before" };
        app.output.out(&format!("no tool of {name} is approved{as_before}\n"));
    }
    Ok(ExitStatus::Success)
}

/// The tools as they stand, those to decide about first.
fn rows(tools: &[Tool], pins: &ToolPins, secrets: &Secrets) -> Vec<ToolRow> {
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for tool in tools {
        if !seen.insert(&*tool.name) {
            twice.insert(&*tool.name);
        }
    }
    let mut rows: Vec<ToolRow> = Vec::new();
    for tool in tools {
        let definition = tool.raw.get();
        let (state, changes) = match pins.approval_of(definition, secrets) {
            _ if twice.contains(&*tool.name) => (ToolState::Ambiguous, Vec::new()),
            ToolApproval::Approved => (ToolState::Approved, Vec::new()),
            ToolApproval::New => (ToolState::New, ToolPins::said_by(definition, secrets)),
            ToolApproval::Changed(changes) => (ToolState::Changed, changes),
            _ => (ToolState::Ambiguous, Vec::new()),
        };
        rows.push(ToolRow { name: tool.name.clone(), state, changes, definition: definition.to_owned() });
    }
    let gone = pins.names().filter(|name| !seen.contains(name));
    rows.extend(gone.map(|name| ToolRow {
        name: name.to_owned(),
        state: ToolState::Gone,
        changes: Vec::new(),
        definition: String::new(),
    }));
    rows.sort_by_key(|row| (!row.state.is_open(), row.state == ToolState::Approved));
    rows
}

/// For people, on lines of so many columns. What is not seen as itself is written out: it is what they decide about.
fn text(server: &str, rows: &[ToolRow], secrets: &Secrets, columns: Option<usize>) -> String {
    let mut text = String::new();
    for row in rows.iter().filter(|row| row.state != ToolState::Approved) {
        let name = shown::line(&secrets.hide_known(&mcp_text::escaped(&row.name)));
        let name = format!("{name}{}", letters(&row.name));
        text.push_str(&behind(&format!("{:<9} ", row.state.word()), &name, columns));
        let note = match row.state {
            ToolState::Ambiguous => "its definition cannot be read in one way only, so it is not used",
            ToolState::Gone => "was approved and is not listed now",
            _ => "",
        };
        if !note.is_empty() {
            text.push_str(&behind("          ", note, columns));
        }
        for change in row.changes.iter().take(MOST_FIELDS) {
            let said = match row.state {
                ToolState::New => {
                    format!("{}: {}", change.field, change.now.as_deref().unwrap_or_default())
                }
                _ => change.to_string(),
            };
            let said = secrets.hide_known(&mcp_text::escaped(&said)).into_owned();
            text.push_str(&behind("          ", &shown::line(&said), columns));
        }
        let more = row.changes.len().saturating_sub(MOST_FIELDS);
        if more > 0 {
            text.push_str(&format!("          and {more} more fields; --json shows all of them\n"));
        }
    }
    let approved = rows.iter().filter(|row| row.state == ToolState::Approved).count();
    if rows.iter().all(|row| !row.state.is_open()) {
        text.push_str(&format!("{} of {} approved as before\n", counted(approved), shown::name(server)));
    }
    text
}

/// What letters of a name are that may pass for others.
fn letters(name: &str) -> String {
    let mut odd: Vec<String> =
        name.chars().filter(|c| !c.is_ascii()).map(|c| format!("U+{:04X}", u32::from(c))).collect();
    odd.dedup();
    odd.truncate(8);
    if odd.is_empty() { String::new() } else { format!("  (not ASCII: {})", odd.join(" ")) }
}

fn counted(count: usize) -> String {
    if count == 1 { "1 tool".to_owned() } else { format!("{count} tools") }
}

/// At a terminal, what was shown is decided about by a typed yes. Elsewhere only `--yes` is one: a program that lists tools
/// must not approve them by the way. With a digest it is about what was shown then, and no question replaces that.
async fn agreed(app: &App, args: &ApproveToolsArgs, count: usize, digest: &str) -> Result<bool, CliError> {
    let moved = match &args.yes {
        Some(None) => return Ok(true),
        Some(Some(agreed)) if agreed == digest => return Ok(true),
        Some(Some(_)) => true,
        None => false,
    };
    if moved || !app.asks() {
        if app.json {
            return Ok(false);
        }
        let name = shown::name(&args.name);
        let (message, why) = match moved {
            true => (
                format!("nothing of {name} was approved"),
                "what is shown here is not what --yes=DIGEST is about",
            ),
            false => (format!("{} of {name} not approved yet", counted(count)), "nothing can be asked here"),
        };
        return Err(CliError::new(ExitStatus::NeedsAuth, "tools-unapproved", message)
            .why(why)
            .next(again(args, digest)));
    }
    let mut answers = Answers::of_terminal();
    answers.forget_typed();
    app.output.error(&format!("Approve {} of {}? [y/N] ", counted(count), shown::name(&args.name)));
    let answer = answers.line().await.unwrap_or_default();
    if ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
        return Ok(true);
    }
    Err(CliError::usage("not-confirmed", "nothing was approved")
        .next("answer y, or name the tools to approve"))
}

/// The same command, with the agreement to what is shown in it.
fn again(args: &ApproveToolsArgs, digest: &str) -> String {
    let words = std::iter::once(&args.name).chain(&args.tools);
    let words: Vec<String> = words.map(|word| mcp_text::shell_word(word).to_string()).collect();
    format!("mcplink approve-tools {} --yes={digest}", words.join(" "))
}

/// Programs get texts without what was sent to the server, too.
fn hide(rows: &mut [ToolRow], secrets: &Secrets) {
    let hidden = |text: &mut String| *text = secrets.hide_known(text).into_owned();
    for row in rows {
        hidden(&mut row.name);
        for change in &mut row.changes {
            hidden(&mut change.field);
            change.before.iter_mut().chain(&mut change.now).for_each(hidden);
        }
    }
}

fn store(loaded: &LoadedConfig) -> Result<PinStore, CliError> {
    let directory = loaded.config.locations.state_dir.as_ref().ok_or_else(|| {
        CliError::usage("no-state-dir", "there is no home directory to keep the decision in")
            .next("set MCPLINK_STATE_DIR to a directory")
    })?;
    Ok(PinStore::new(directory))
}

fn not_kept(error: &ConfigError) -> CliError {
    let message = format!("the decision could not be kept in {}", error.path().display());
    CliError::usage("state-not-writable", message)
        .why(error.to_string())
        .next("check the permissions, or set MCPLINK_STATE_DIR")
}
