//! What was put into files of hosts, and what stood there: a small file in this tool's own state, mode 0600.
//!
//! ```json
//! {"version": 1, "files": {"/home/me/.cursor/mcp.json": {"host": "cursor", "backup": "..", "last": "sha256:..",
//!   "entries": {"tickets": {"program": "/usr/bin/mcplink", "args": ["bridge", "tickets"], "original": "{ .. }", "moved": true}}}}}
//! ```
//!
//! It is written before the host's file is: who is killed between the two has a record of an entry that is not there, which
//! the next command sees and forgets.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::Through;
use crate::{EntryPlace, Scope};

const FILE: &str = "wrapped.json";
const BACKUPS: &str = "backups";

/// The record, as a value of its text.
#[derive(Clone)]
pub struct WrapRecord {
    root: Map<String, Value>,
}

/// What is kept of one entry.
#[derive(Clone)]
#[non_exhaustive]
pub struct Kept {
    /// The bytes that stood there; none where nothing did. They may hold secrets.
    pub original: Option<String>,
    /// What was put there.
    pub through: Through,
    /// Its server was put into our own file for it.
    pub moved: bool,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("through", &self.through)
            .field("moved", &self.moved)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WrapRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrapRecord").finish_non_exhaustive()
    }
}

impl WrapRecord {
    /// The file in `state_dir`.
    pub fn place(state_dir: &Path) -> EntryPlace {
        EntryPlace::of_file(Scope::Mcplink, state_dir.join(FILE))
    }

    /// Where the file as it was before is kept.
    pub fn backup(state_dir: &Path, file: &Path) -> PathBuf {
        let digest = sha256(&file.to_string_lossy());
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        state_dir.join(BACKUPS).join(format!("{}-{name}", &digest["sha256:".len()..][..16]))
    }

    /// Reads it; a text that is none is an empty one.
    pub fn parse(text: &str) -> Self {
        let root = serde_json::from_str(text).ok();
        Self { root: root.unwrap_or_else(|| Map::from_iter([("version".to_owned(), json!(1))])) }
    }

    /// As it is written.
    pub fn to_text(&self) -> String {
        format!("{:#}\n", Value::Object(self.root.clone()))
    }

    fn file(&self, file: &Path) -> Option<&Map<String, Value>> {
        self.root.get("files")?.get(file.to_str()?)?.as_object()
    }

    /// The files of `host`, with the names that are kept of each.
    pub fn files_of(&self, host: &str) -> Vec<(PathBuf, Vec<String>)> {
        let files = self.root.get("files").and_then(Value::as_object);
        files
            .into_iter()
            .flatten()
            .filter(|(_, kept)| kept["host"] == host)
            .map(|(file, kept)| {
                let names = kept["entries"].as_object();
                (PathBuf::from(file), names.into_iter().flatten().map(|(name, _)| name.clone()).collect())
            })
            .collect()
    }

    /// What is kept of the entry `name` in `file`.
    pub fn kept(&self, file: &Path, name: &str) -> Option<Kept> {
        let kept = self.file(file)?.get("entries")?.get(name)?;
        let text = |key: &str| kept[key].as_str().map(str::to_owned);
        let args = kept["args"].as_array()?.iter().filter_map(|word| word.as_str().map(str::to_owned));
        let through = Through { program: text("program")?, args: args.collect(), env: Vec::new() };
        Some(Kept { original: text("original"), through, moved: kept["moved"] == true })
    }

    /// Whether `text` is what was written last, and the backup is what was there before anything was.
    pub fn is_untouched(&self, file: &Path, text: &str) -> bool {
        self.file(file).is_some_and(|kept| kept.get("last") == Some(&json!(sha256(text))))
    }

    /// Whether nothing is kept of `file` yet.
    pub fn is_first(&self, file: &Path) -> bool {
        self.file(file).is_none()
    }

    /// Whether an entry of any file leads to `name` because its server was moved into our own file.
    pub fn leads_to(&self, name: &str) -> bool {
        let files = self.root.get("files").and_then(Value::as_object);
        files.into_iter().flatten().any(|(_, kept)| kept["entries"].get(name).is_some())
    }

    /// Notes an entry, and what is in its file then.
    pub fn keep(&mut self, host: &str, file: &Path, name: &str, kept: &Kept, after: &str) {
        let files = self.root.entry("files").or_insert_with(|| json!({}));
        let of_file = &mut files[file.to_string_lossy().as_ref()];
        if of_file.is_null() {
            *of_file = json!({ "host": host, "entries": {} });
        }
        // What was there before counts: an entry that is put there again is no original.
        let before =
            of_file["entries"].get(name).map(|known| (known["original"].clone(), known["moved"] == true));
        let (original, was_moved) = before.unwrap_or_else(|| (json!(kept.original), false));
        of_file["entries"][name] = json!({
            "program": kept.through.program,
            "args": kept.through.args,
            "original": original,
            "moved": kept.moved || was_moved,
        });
        of_file["last"] = json!(sha256(after));
    }

    /// Forgets an entry; the file too, where it was the last.
    pub fn forget(&mut self, file: &Path, name: &str, after: &str) {
        let Some(files) = self.root.get_mut("files").and_then(Value::as_object_mut) else { return };
        let file = file.to_string_lossy().into_owned();
        let Some(of_file) = files.get_mut(&file) else { return };
        if let Some(entries) = of_file["entries"].as_object_mut() {
            entries.remove(name);
        }
        of_file["last"] = json!(sha256(after));
        if of_file["entries"].as_object().is_none_or(Map::is_empty) {
            files.remove(&file);
        }
    }
}

fn sha256(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
