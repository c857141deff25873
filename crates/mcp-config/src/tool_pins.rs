//! Which definitions of tools a person approved (`pinTools`), one file per server in this tool's own state.
//!
//! A server may tell one thing of a tool when it is added and another one later. Where an entry pins its tools, a tool is
//! used only as long as its definition is, byte for byte in its canonical form, one that a person approved: name, title,
//! description, schemas, annotations and whatever else a host may show to a model.
//!
//! ```json
//! {"version": 1, "server": {"name": "tickets", "endpoint": "https://tickets.example/mcp"},
//!  "tools": {"search": {"form": 1, "salt": "..", "digest": "..", "fields": {"description": {"shown": "..", "mark": ".."}}}}}
//! ```
//!
//! The file is found by what decides which server answers (address, or command, arguments and environment), not by the name
//! of the entry: under another name the approvals hold, and another server under the same name has none. What is not listed
//! any more stays approved; listed again as it was, it is what the person agreed to.

mod definition;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mcp_text::Secrets;
use serde_json::{Map, Value, json};

use crate::consent::{Change, Record, Term, Terms};
use crate::decision_file::DecisionFile;
use crate::entry::ServerEntry;
use crate::json::{self, Node, Object};
use crate::{ConfigError, ConfigErrorKind};
use definition::Definition;

const VERSION: u64 = 1;

/// The directory of the files.
const DIRECTORY: &str = "approved-tools";

/// A thousand tools with large schemas.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The fields of an entry that decide which server answers. Credentials do not, and change often.
const OF_THE_SERVER: [&str; 9] = ["type", "url", "command", "args", "env", "envFile", "cwd", "proxy", "tls"];

/// What a person approved of the tools of one entry.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ToolPins {
    approved: BTreeMap<String, Record>,
    trouble: Option<String>,
}

/// Whether a person approved the definition of a tool.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ToolApproval {
    /// As it is.
    Approved,
    /// No tool of this name.
    New,
    /// A tool of this name, and these of its fields were different then.
    Changed(Vec<Change>),
    /// It cannot be: two readers may see different tools in it.
    Ambiguous,
}

impl ToolPins {
    /// Whether a person approved the tool of this definition, as the server sent it. No text in the answer holds one of these
    /// secrets.
    pub fn approval_of(&self, definition: &str, secrets: &Secrets) -> ToolApproval {
        let Some(Definition { name, terms }) = Definition::read(definition, secrets) else {
            return ToolApproval::Ambiguous;
        };
        match self.approved.get(&name) {
            None => ToolApproval::New,
            Some(record) if record.covers(&terms) => ToolApproval::Approved,
            Some(record) => ToolApproval::Changed(record.changes(&terms)),
        }
    }

    /// What a definition says, field by field, as a change from nothing. No text in it holds one of these secrets.
    pub fn said_by(definition: &str, secrets: &Secrets) -> Vec<Change> {
        let terms = Definition::read(definition, secrets).map(|definition| definition.terms);
        let said = terms.iter().flat_map(Terms::iter);
        said.map(|term| Change { field: term.field.clone(), before: None, now: Some(term.shown.clone()) })
            .collect()
    }

    /// What a person is asked about with these definitions of tools of `entry`, as one digest: which server it is, each
    /// definition, and how it differs from what was approved of it. The order does not count, nor does the value of a secret
    /// that is repeated in them: it is not shown.
    pub fn difference<'d>(
        &self,
        entry: &ServerEntry,
        definitions: impl IntoIterator<Item = &'d str>,
        secrets: &Secrets,
    ) -> String {
        let mut tools: Vec<Terms> = Vec::new();
        for definition in definitions {
            let Some(Definition { name, terms }) = Definition::read(definition, secrets) else { continue };
            let before = self.approved.get(&name).map(|record| record.changes(&terms)).unwrap_or_default();
            // None of these can pass for a field of a definition, whose steps are quoted where they are not plain words.
            let before = before.into_iter().map(|change| {
                Term::plain(&format!("[before] {}", change.field), &change.before.unwrap_or_default())
            });
            let state = if self.approved.contains_key(&name) { "changed" } else { "new" };
            let all = terms.iter().cloned().chain(before).chain([Term::plain("[state]", state)]);
            tools.push(Terms::of_terms(all.collect()).hiding(secrets));
        }
        let mut parts: Vec<String> = tools.iter().map(Terms::digest).collect();
        parts.sort_unstable();
        parts.push(server(entry));
        Terms::of_terms(parts.iter().map(|part| Term::plain("part", part)).collect()).digest()
    }

    /// The names of the tools that were approved.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.approved.keys().map(String::as_str)
    }

    /// Why it is not known what was approved, where that is so; then nothing is.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn unknown(why: impl Into<String>) -> Self {
        Self { approved: BTreeMap::new(), trouble: Some(why.into()) }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let root = json::parse(std::str::from_utf8(text).ok()?).ok()?;
        let root = root.as_object()?;
        if root.get("version").and_then(Node::as_u64) != Some(VERSION) {
            return None;
        }
        let tools = root.get("tools")?.as_object()?;
        let record = |tool: &crate::json::Member| (tool.key.to_string(), Record::from_node(&tool.node));
        Some(Self { approved: Object::iter(tools).map(record).collect(), trouble: None })
    }
}

/// The approvals of all servers, in a state directory.
#[derive(Clone, Debug)]
pub struct PinStore {
    state_dir: PathBuf,
}

impl PinStore {
    /// The store in `state_dir` (see [`Locations::state_dir`](crate::Locations)); nothing is touched yet.
    pub fn new(state_dir: impl AsRef<Path>) -> Self {
        Self { state_dir: state_dir.as_ref().to_owned() }
    }

    /// The file of what was approved for `entry`, which may not be there.
    pub fn path(&self, entry: &ServerEntry) -> PathBuf {
        self.file(entry).path().to_owned()
    }

    /// What was approved for `entry`. Where that cannot be read, nothing was.
    pub fn read(&self, entry: &ServerEntry) -> ToolPins {
        let file = self.file(entry);
        match file.read() {
            Ok(text) => ToolPins::parse(&text).unwrap_or_else(|| {
                ToolPins::unknown(format!("{} is not such a file", file.path().display()))
            }),
            Err(error) if error.is_absent() => ToolPins::default(),
            Err(error) => ToolPins::unknown(format!("{}: {error}", file.path().display())),
        }
    }

    /// Approves tools of `entry` by their definitions, as the server sent them. Of these, nothing is kept that holds one of
    /// the secrets.
    ///
    /// Returns whether any is new. Errors: see [`ConfigErrorKind`].
    pub fn approve<'d>(
        &self,
        entry: &ServerEntry,
        definitions: impl IntoIterator<Item = &'d str>,
        secrets: &Secrets,
    ) -> Result<bool, ConfigError> {
        let file = self.file(entry);
        file.change(|root| {
            let version = root.entry("version").or_insert(json!(VERSION));
            if version.as_u64() != Some(VERSION) {
                return Err(file.corrupt());
            }
            root.insert(
                "server".to_owned(),
                json!({ "name": entry.name, "endpoint": entry.display_endpoint() }),
            );
            let tools = root.entry("tools").or_insert_with(|| Value::Object(Map::new()));
            let tools = tools.as_object_mut().ok_or_else(|| file.corrupt())?;
            let mut changed = false;
            for definition in definitions {
                let ambiguous = || ConfigError::new(ConfigErrorKind::Corrupt, file.path());
                let Definition { name, terms } =
                    Definition::read(definition, secrets).ok_or_else(ambiguous)?;
                if !tools.get(&name).is_some_and(|kept| Record::is_stored_as(kept, &terms)) {
                    tools.insert(name, Record::of(&terms).to_json());
                    changed = true;
                }
            }
            Ok(changed)
        })
    }

    /// Forgets what was approved for `entry`; returns whether there was any.
    pub fn forget(&self, entry: &ServerEntry) -> Result<bool, ConfigError> {
        self.file(entry).change(|root| {
            let tools = root.get_mut("tools").and_then(Value::as_object_mut);
            Ok(tools.is_some_and(|tools| !std::mem::take(tools).is_empty()))
        })
    }

    fn file(&self, entry: &ServerEntry) -> DecisionFile {
        let name = format!("{}.json", server(entry).trim_start_matches("sha256:"));
        DecisionFile::in_folder(&self.state_dir, DIRECTORY, &name, MAX_BYTES)
    }
}

/// What decides which server answers, as a digest.
fn server(entry: &ServerEntry) -> String {
    entry.terms().only(&OF_THE_SERVER).digest()
}

#[cfg(test)]
mod tests;
