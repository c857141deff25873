//! The tools of a server that pins them, as it lists them now, and a person's decision about those that are new or different:
//! what `approve-tools` and the page of `menu --web` show, and keep.
//!
//! What is approved is the list that was shown, whatever the server says meanwhile.

use std::collections::BTreeSet;

use mcp_config::ServerEntry;
use mcp_config::consent::Change;
use mcp_config::tool_pins::{PinStore, ToolApproval, ToolPins};
use mcp_text::Secrets;
use mcp_transport::tools::Tool;
use serde::Serialize;

use super::not_kept;
use crate::app::App;
use crate::connected::{ConnectionNeeds, connected, failed, unknown_tool};
use crate::error::CliError;
use crate::loaded::LoadedConfig;
use crate::view::shown;
use crate::view::wrap::behind;

/// How many fields of one tool are shown. The schema of some has thousands; what is approved is all of it.
const MOST_FIELDS: usize = 40;

/// The tools of a server, with what a person may approve of them.
#[derive(Debug)]
pub(crate) struct ToolsOffer<'l> {
    entry: &'l ServerEntry,
    store: PinStore,
    pins: ToolPins,
    secrets: Secrets,
    rows: Vec<ToolRow>,
    /// Those that were asked about by name.
    only: Vec<String>,
}

/// A tool of the server, or one that was approved and is not listed any more.
#[derive(Debug, Serialize)]
pub(crate) struct ToolRow {
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
pub(crate) enum ToolState {
    Approved,
    New,
    Changed,
    /// It cannot be approved: two readers may see different tools in it, or it is listed twice.
    Ambiguous,
    Gone,
}

impl<'l> ToolsOffer<'l> {
    /// Has the server list its tools. Where `only` names some, the others are left as they are.
    ///
    /// # Errors
    ///
    /// Where the entry does not pin its tools, the server does not list them, or has none of such a name.
    pub(crate) async fn listed(
        app: &App,
        loaded: &'l LoadedConfig,
        name: &str,
        only: &[String],
    ) -> Result<Self, CliError> {
        let entry = pinning(loaded, name)?;
        let store = store(loaded)?;
        let mut open = connected(app, name, ConnectionNeeds::Definitions).await?;
        app.open.end(open.connection.clone()).await;
        if let Some(error) = &open.error {
            return Err(failed(&app.steps, &open.configured, error));
        }
        let list = open.tools.take().unwrap_or_default();
        for tool in only {
            if let Some(unknown) = unknown_tool(&list.tools, name, tool) {
                return Err(unknown);
            }
        }
        // What it was given it may repeat in its tools.
        let secrets = open.connection.credentials_sent();
        let pins = open.configured.tools.as_ref().and_then(|tools| tools.pins()).cloned().unwrap_or_default();
        let mut rows = rows(&list.tools, &list.repeated, &pins, &secrets);
        rows.retain(|row| only.is_empty() || only.contains(&row.name));
        Ok(Self { entry, store, pins, secrets, rows, only: only.to_vec() })
    }

    /// Why it is not known what was approved, where that is so.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.pins
            .trouble()
            .map(|trouble| format!("what was approved cannot be read: {}", shown::line(trouble)))
    }

    /// How many can be approved.
    pub(crate) fn open(&self) -> usize {
        self.definitions().count()
    }

    /// How many cannot be approved.
    pub(crate) fn unusable(&self) -> usize {
        self.rows.iter().filter(|row| row.state == ToolState::Ambiguous).count()
    }

    /// What is open, as a digest that agrees to it and to nothing else; none where nothing is.
    pub(crate) fn digest(&self) -> Option<String> {
        let is_open = self.open() > 0;
        is_open.then(|| self.pins.difference(self.entry, self.definitions(), &self.secrets))
    }

    /// The command that agrees to what this digest is of.
    pub(crate) fn agreement(&self, digest: &str) -> String {
        let words = std::iter::once(&self.entry.name).chain(&self.only);
        let words: Vec<String> = words.map(|word| mcp_text::shell_word(word).to_string()).collect();
        format!("mcplink approve-tools {} --yes={digest}", words.join(" "))
    }

    /// For people, on lines of so many columns.
    pub(crate) fn lines(&self, columns: Option<usize>) -> String {
        text(&self.entry.name, &self.rows, &self.secrets, columns)
    }

    /// Keeps the decision about what was shown.
    pub(crate) fn approve(&self) -> Result<(), CliError> {
        let kept = self.store.approve(self.entry, self.definitions(), &self.secrets);
        kept.map(drop).map_err(|error| not_kept(&error))
    }

    pub(crate) fn outcome(&self) -> String {
        format!("{} of {} approved", counted(self.open()), shown::name(&self.entry.name))
    }

    /// For programs: texts without what was sent to the server, too.
    pub(crate) fn into_rows(self) -> Vec<ToolRow> {
        let Self { mut rows, secrets, .. } = self;
        hide(&mut rows, &secrets);
        rows
    }

    fn definitions(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter(|row| row.state.is_open()).map(|row| row.definition.as_str())
    }
}

/// Forgets what was approved of the server of this name; whether there was something.
pub(crate) fn forget(loaded: &LoadedConfig, name: &str) -> Result<bool, CliError> {
    let entry = pinning(loaded, name)?;
    store(loaded)?.forget(entry).map_err(|error| not_kept(&error))
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

/// The tools as they stand, those to decide about first.
fn rows(tools: &[Tool], repeated: &[String], pins: &ToolPins, secrets: &Secrets) -> Vec<ToolRow> {
    let seen: BTreeSet<&str> = tools.iter().map(|tool| &*tool.name).collect();
    let mut rows: Vec<ToolRow> = Vec::new();
    for tool in tools {
        let definition = tool.raw.get();
        let (state, changes) = match pins.approval_of(definition, secrets) {
            _ if repeated.contains(&tool.name) => (ToolState::Ambiguous, Vec::new()),
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

pub(crate) fn counted(count: usize) -> String {
    if count == 1 { "1 tool".to_owned() } else { format!("{count} tools") }
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
