//! What was put into files of hosts, and what stood there: a small file in this tool's own state, mode 0600.
//!
//! ```json
//! {"version": 1, "files": {"/home/me/.cursor/mcp.json": {"host": "cursor", "last": "sha256:..", "absent": false,
//!   "entries": {"tickets": {"program": "/usr/bin/mcplink", "args": ["bridge", "tickets"], "original": "{ .. }", "moved": true}},
//!   "projects": {"/home/me/app": {"entries": {}}}}}}
//! ```
//!
//! A file that has entries of its own for each project, as Claude Code's has, has them under `projects` here as well.
//!
//! It is written before the host's file is: who is killed between the two has a record of an entry that is not there, which
//! the next command sees and forgets.

use std::fmt;
use std::path::{Path, PathBuf};

use mcp_files::Policy;
use serde_json::{Map, Value, json};

use super::BridgeCommand;
use crate::display::display_key;
use crate::edit::Value as Entry;
use crate::editor::EntryPlace;
use crate::{ConfigSource, Problem, ProblemCode, Project, Scope, Severity};

/// The longest file of a host that is looked at.
pub(super) const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The member of a file that was not there.
const ABSENT: &str = "absent";

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
pub struct WrappedEntry {
    /// The bytes that stood there; none where nothing did. They may hold secrets.
    pub original: Option<String>,
    /// What was put there.
    pub through: BridgeCommand,
    /// Its server was put into our own file for it: where that has the servers of the project that the bridge is told, or
    /// else at its top.
    pub moved: bool,
    /// The digest of what was put there.
    put: Option<String>,
}

impl WrappedEntry {
    /// An entry that was not kept before. `moved` is the server that was put into our own file for it.
    pub(super) fn new(original: Option<String>, through: BridgeCommand, moved: Option<&Entry>) -> Self {
        let put = moved.map(|entry| sha256(&entry.to_json()));
        Self { original, through, moved: moved.is_some(), put }
    }

    /// Whether `ours` is what was put into our own file, where that was kept.
    pub fn is_as_put(&self, ours: &Entry) -> Option<bool> {
        self.put.as_ref().map(|put| *put == sha256(&ours.to_json()))
    }
}

/// The entries that are kept of one file, or of one project in it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeptNames {
    /// The file.
    pub file: PathBuf,
    /// The project, where the file has entries for each.
    pub folder: Option<PathBuf>,
    /// Their names.
    pub names: Vec<String>,
}

impl KeptNames {
    /// The project, or else the file.
    pub fn place(&self) -> &Path {
        self.folder.as_deref().unwrap_or(&self.file)
    }
}

impl fmt::Debug for WrappedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedEntry")
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

    /// What is kept of `place`: of a file, or of one project in it.
    fn at(&self, place: &EntryPlace) -> Option<&Value> {
        let entries = "entries";
        match place.folder() {
            None => self.file(&place.file)?.get(entries),
            Some(folder) => self.file(&place.file)?.get("projects")?.get(folder.to_str()?)?.get(entries),
        }
    }

    /// The entries that are kept of the files of `host`.
    pub fn names_of(&self, host: &str) -> Vec<KeptNames> {
        let files = self.root.get("files").and_then(Value::as_object);
        let names = |kept: &Value| -> Vec<String> {
            kept["entries"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
        };
        let mut all = Vec::new();
        for (file, kept) in files.into_iter().flatten().filter(|(_, kept)| kept["host"] == host) {
            let file = PathBuf::from(file);
            all.push(KeptNames { file: file.clone(), folder: None, names: names(kept) });
            for (folder, kept) in kept["projects"].as_object().into_iter().flatten() {
                let folder = Some(PathBuf::from(folder));
                all.push(KeptNames { file: file.clone(), folder, names: names(kept) });
            }
        }
        all.retain(|one| !one.names.is_empty());
        all
    }

    /// The entries that start a program which is not there any more, as after an update that put it elsewhere.
    pub fn left_behind(&self) -> Vec<Problem> {
        let files = self.root.get("files").and_then(Value::as_object).into_iter().flatten();
        let mut found = Vec::new();
        for (file, of_file) in files {
            let place = ConfigSource::File(PathBuf::from(file));
            let text = mcp_files::read(Path::new(file), &Policy::surroundings(MAX_BYTES).owned());
            let text = text.map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
            let projects = of_file["projects"].as_object().into_iter().flatten().map(|(_, of)| of);
            for of in projects.chain([of_file]) {
                for (name, entry) in of["entries"].as_object().into_iter().flatten() {
                    let Some(program) = entry["program"].as_str() else { continue };
                    // A person may have taken it out.
                    let written = Value::from(program).to_string();
                    if !text.contains(&*written) || !matches!(Path::new(program).try_exists(), Ok(false)) {
                        continue;
                    }
                    let message =
                        format!("{} starts {program}, which is not there any more", display_key(name));
                    let problem = Problem::new(Severity::Warning, ProblemCode::Pointer, message);
                    let problem =
                        problem.with_hint("wrap it again, and the place of this program is written");
                    found.push(problem.in_place(&place).of_server(name));
                }
            }
        }
        found
    }

    /// What is kept of the entry `name` at `place`.
    pub fn kept(&self, place: &EntryPlace, name: &str) -> Option<WrappedEntry> {
        kept(self.at(place)?.get(name)?)
    }

    /// Whether `text` is what was written last, and the backup is what was there before anything was.
    pub(crate) fn is_untouched(&self, file: &Path, text: &str) -> bool {
        self.file(file).is_some_and(|kept| kept.get("last") == Some(&json!(sha256(text))))
    }

    /// Whether `file` was not there before anything was written.
    pub fn was_absent(&self, file: &Path) -> bool {
        self.file(file).is_some_and(|kept| kept.get(ABSENT) == Some(&json!(true)))
    }

    /// Whether it was, as far as that was kept.
    pub(super) fn was_there(&self, file: &Path) -> bool {
        self.file(file).is_some_and(|kept| kept.get(ABSENT) == Some(&json!(false)))
    }

    /// Whether nothing is kept of `file` yet.
    pub fn is_first(&self, file: &Path) -> bool {
        self.file(file).is_none()
    }

    /// Whether this one is all that is kept of its file.
    pub(super) fn is_only(&self, host: &str, place: &EntryPlace, name: &str) -> bool {
        let mut of_file = self.names_of(host).into_iter().filter(|one| one.file == place.file);
        let only = of_file.next().filter(|_| of_file.next().is_none());
        only.is_some_and(|one| one.folder.as_deref() == place.folder() && one.names == [name])
    }

    /// Whether an entry of any file leads to the server `name`, in the same project, that is in our own file for it.
    pub fn leads_to(&self, name: &str, project: Option<&str>) -> bool {
        !self.hosts_of(name, project).is_empty()
    }

    /// The hosts with such an entry, each once.
    pub fn hosts_of(&self, name: &str, project: Option<&str>) -> Vec<&str> {
        let files = self.root.get("files").and_then(Value::as_object).into_iter().flatten();
        let leading = files.filter(|(_, of_file)| {
            let projects = of_file["projects"].as_object().into_iter().flatten().map(|(_, of)| of);
            projects.chain([*of_file]).any(|of| is_to(of, name, project))
        });
        let mut hosts: Vec<&str> = leading.filter_map(|(_, of_file)| of_file["host"].as_str()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// Has another entry that leads to the same server say that it was put into our own file.
    fn hand_on(&mut self, name: &str, kept: &WrappedEntry) {
        let project = kept.through.project();
        for (_, of_file) in self.root.get_mut("files").and_then(Value::as_object_mut).into_iter().flatten() {
            let of = match is_to(of_file, name, project) {
                true => Some(of_file),
                false => {
                    let mut projects =
                        of_file.get_mut("projects").and_then(Value::as_object_mut).into_iter().flatten();
                    projects.find(|(_, of)| is_to(of, name, project)).map(|(_, of)| of)
                }
            };
            if let Some(of) = of {
                of["entries"][name]["moved"] = json!(true);
                of["entries"][name]["put"] = json!(kept.put);
                return;
            }
        }
    }

    /// Notes an entry of a file, which was `texts.0`, or was not there, and becomes `texts.1`.
    pub fn keep(
        &mut self,
        host: &str,
        place: &EntryPlace,
        name: &str,
        kept: &WrappedEntry,
        texts: (&str, &str),
        is_absent: bool,
    ) {
        let files = self.root.entry("files").or_insert_with(|| json!({}));
        let of_file = &mut files[place.file.to_string_lossy().as_ref()];
        if of_file.is_null() {
            let last = sha256(texts.0);
            *of_file = json!({ "host": host, "entries": {}, "last": last, ABSENT: is_absent });
        }
        written(of_file, texts);
        let of_place = match place.folder() {
            None => of_file,
            Some(folder) => &mut of_file["projects"][folder.to_string_lossy().as_ref()],
        };
        // What was there before counts: an entry that is put there again is no original.
        let before = of_place["entries"].get(name);
        let before =
            before.map(|known| (known["original"].clone(), known["moved"] == true, known["put"].clone()));
        let (original, was_moved, put) = before.unwrap_or_else(|| (json!(kept.original), false, Value::Null));
        let env = kept.through.env.iter().map(|(name, value)| (name.clone(), json!(value)));
        of_place["entries"][name] = json!({
            "program": kept.through.program,
            "args": kept.through.args,
            "env": env.collect::<Map<_, _>>(),
            "envVars": kept.through.env_vars,
            "original": original,
            "moved": kept.moved || was_moved,
            "put": kept.put.as_ref().map_or(put, |put| json!(put)),
        });
    }

    /// Forgets an entry of a file, which was `texts.0` and is `texts.1`; the project and the file too, where it was the last.
    pub fn forget(&mut self, place: &EntryPlace, name: &str, texts: (&str, &str)) {
        let was = self.kept(place, name).filter(|kept| kept.moved);
        let Some(files) = self.root.get_mut("files").and_then(Value::as_object_mut) else { return };
        let file = place.file.to_string_lossy().into_owned();
        let Some(of_file) = files.get_mut(&file) else { return };
        written(of_file, texts);
        match (place.folder(), of_file.get_mut("projects").and_then(Value::as_object_mut)) {
            (None, _) => drop(without(of_file, name)),
            (Some(folder), Some(projects)) => {
                let folder = folder.to_string_lossy();
                if projects.get_mut(folder.as_ref()).is_some_and(|of| without(of, name)) {
                    projects.remove(folder.as_ref());
                }
            }
            (Some(_), None) => {}
        }
        if is_empty(&of_file["entries"]) && of_file.get("projects").is_none_or(is_empty) {
            files.remove(&file);
        }
        if let Some(was) = was {
            self.hand_on(name, &was);
        }
    }
}

/// Notes what a file is now. One that another program wrote in between is not what the backup is any more, whatever is written
/// after that.
fn written(of_file: &mut Value, (before, after): (&str, &str)) {
    let is_ours = of_file["last"] == json!(sha256(before));
    of_file["last"] = if is_ours { json!(sha256(after)) } else { Value::Null };
}

/// Whether the entry `name` of a file, or of a project in it, leads to the server of that name of this project.
fn is_to(of: &Value, name: &str, project: Option<&str>) -> bool {
    let Some(one) = of["entries"].get(name).and_then(kept) else { return false };
    // The worktrees of a repository have its servers.
    let repository = |project: &str| Project::find(Path::new(project)).main_root;
    match (one.through.project(), project) {
        (Some(one), Some(project)) => one == project || repository(one) == repository(project),
        (one, project) => one == project,
    }
}

/// What an entry of the record says.
fn kept(entry: &Value) -> Option<WrappedEntry> {
    let text = |key: &str| entry[key].as_str().map(str::to_owned);
    let args = entry["args"].as_array()?.iter().filter_map(|word| word.as_str().map(str::to_owned));
    let env = entry["env"].as_object().into_iter().flatten();
    let env = env.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    let names = entry["envVars"].as_array().into_iter().flatten();
    let env_vars = names.filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let through =
        BridgeCommand { program: text("program")?, args: args.collect(), env: env.collect(), env_vars };
    Some(WrappedEntry {
        original: text("original"),
        through,
        moved: entry["moved"] == true,
        put: text("put"),
    })
}

/// Takes an entry out; whether it was the last.
fn without(of_place: &mut Value, name: &str) -> bool {
    if let Some(entries) = of_place["entries"].as_object_mut() {
        entries.remove(name);
    }
    is_empty(&of_place["entries"])
}

fn is_empty(object: &Value) -> bool {
    object.as_object().is_none_or(Map::is_empty)
}

fn sha256(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
