//! Trust and approvals that a person gave to this tool: a small file of its own.
//!
//! Decisions made in other tools are read from their files (see [`approval`](crate::entry::Approval)) and never
//! written there. Nothing about the status of a server is stored here, and none is read back from anywhere.
//!
//! ```json
//! {"version": 2, "folders": {"/home/me/app": {
//!   "trusted": true, "settled": true, "approved": ["db"], "rejected": [],
//!   "contents": {"db": {"/home/me/app/.mcp.json": {"form": 1, "salt": "..", "digest": "..", "fields": {
//!     "command": {"shown": "npx", "mark": ".."}}}}},
//!   "helpers": {"api": {"/home/me/.claude.json": {..}}}}}}
//! ```
//!
//! `contents` and `helpers` hold what was agreed to: salted digests of what the entry said, and what may be shown of
//! it. `settled` says that what the folder's own settings approve has been met. A file of version 1 has names alone; each is bound to what its entry says the first time that it is met. Where
//! a folder or file belonged to another account when it was decided about, `owner` is that account's number.
//!
//! How it is read and written: `decision_file`. What a later version adds is kept.

use std::path::Path;

use mcp_files::FileError;
use serde_json::{Map, Value, json};

use crate::consent::{Record, Slot, Terms};
use crate::decision_file::DecisionFile;
use crate::decisions::{MINTS, SETTLED, file_of};
use crate::entry::{Scope, ServerEntry};
use crate::locations::DECISIONS_FILE;
use crate::project::{canonical, project_key};
use crate::{ConfigError, ConfigErrorKind, Project};

/// Since version 2, what was agreed to stands beside the name.
const VERSION: u64 = 2;

/// A decision is a name and a digest; a person does not make this many.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// What is written in the file of trust and approvals `path`.
///
/// # Errors
///
/// It is not there, or not one that may decide what is started.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    TrustStore::new(path.parent().unwrap_or(path)).file.read()
}

/// What came of keeping what entries say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RememberOutcome {
    /// It is kept as it was read.
    AsRead,
    /// Another process was first, and kept something else.
    Otherwise,
}

/// The file of trust and approvals in a state directory.
///
/// Each question and each decision reads its file, and blocks while it does.
///
/// # Examples
///
/// ```
/// use mcp_config::{Config, Env, Gate, Request, TrustStore};
///
/// let home = tempfile::tempdir()?;
/// let project = home.path().join("project");
/// std::fs::create_dir(&project)?;
/// std::fs::write(project.join(".mcp.json"), r#"{"mcpServers": {"docs": {"command": "docs"}}}"#)?;
/// let request = Request::new(&project, Env::new().with("HOME", home.path()));
///
/// let before = Config::load(&request);
/// let entry = before.entry("docs").expect("the project has it");
/// assert_eq!(entry.gate(), Gate::AwaitingApproval);
/// let state = before.locations.state_dir.clone().expect("there is a home");
/// TrustStore::new(state).approve(before.project.trust_folder(), entry)?;
/// assert_eq!(Config::load(&request).entry("docs").map(|entry| entry.gate()), Some(Gate::Ready));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrustStore {
    file: DecisionFile,
}

impl TrustStore {
    /// The store in `state_dir` (see [`Locations::state_dir`](crate::Locations)); nothing is touched yet.
    pub fn new(state_dir: impl AsRef<Path>) -> Self {
        Self { file: DecisionFile::new(state_dir.as_ref(), DECISIONS_FILE, MAX_BYTES) }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Trusts the folder of `project` itself, not its parents and not its subfolders, and agrees to those of `entries` that
    /// trust is of: helpers that are local to it, and what its own settings approve (see
    /// [`Config::if_trusted`](crate::Config::if_trusted)). What those approve later is not part of it.
    ///
    /// Returns whether that is new. Errors: see [`ConfigErrorKind`].
    pub fn trust<'e>(
        &self,
        project: &Project,
        entries: impl IntoIterator<Item = &'e ServerEntry>,
    ) -> Result<bool, ConfigError> {
        self.change(project.trust_folder(), |folder| {
            let mut changed = set_trusted(folder, true) | set_owner(folder, project.foreign) | settle(folder);
            for entry in entries.into_iter().filter(|entry| is_of_trust(entry)) {
                changed |= agree(folder, entry);
            }
            changed
        })
    }

    /// Takes trust in `folder` back, and with it what was agreed to; returns whether there was any.
    pub fn untrust(&self, folder: &Path) -> Result<bool, ConfigError> {
        self.change(folder, |folder| {
            let had = folder.remove(Slot::Helpers.key()).is_some() | folder.remove(SETTLED).is_some();
            set_trusted(folder, false) | had
        })
    }

    /// Approves `entry` in `folder` as it is now, and forgets that it was rejected. For a local entry, that is its helper.
    ///
    /// Returns whether anything changed.
    pub fn approve(&self, folder: &Path, entry: &ServerEntry) -> Result<bool, ConfigError> {
        self.change(folder, |folder| {
            let mut changed = agree(folder, entry);
            if entry.scope == Scope::Project {
                changed |= remove(folder, "rejected", &entry.name);
                changed |= insert(folder, "approved", &entry.name);
            }
            changed
        })
    }

    /// Rejects the project entry `name` in `folder`, and forgets that it was approved.
    pub fn reject(&self, folder: &Path, name: &str) -> Result<bool, ConfigError> {
        self.change(folder, |folder| {
            let contents = folder.get_mut(Slot::Contents.key()).and_then(Value::as_object_mut);
            let forgotten = contents.is_some_and(|contents| contents.remove(name).is_some());
            let removed = remove(folder, "approved", name);
            insert(folder, "rejected", name) | removed | forgotten
        })
    }

    /// Keeps what these entries say, unless something is kept under their names already.
    pub(crate) fn remember(
        &self,
        folder: &Path,
        met: &[&ServerEntry],
        trusted: bool,
    ) -> Result<RememberOutcome, ConfigError> {
        let mut remembered = RememberOutcome::AsRead;
        self.change(folder, |folder| {
            let mut changed = trusted && settle(folder);
            for entry in met {
                let kept = folder.get(slot(entry).key()).and_then(|names| names.get(&entry.name));
                match kept.and_then(Value::as_object) {
                    None => changed |= agree(folder, entry),
                    Some(files) if files.values().any(|kept| Record::is_stored_as(kept, &subject(entry))) => {
                    }
                    Some(_) => remembered = RememberOutcome::Otherwise,
                }
            }
            changed
        })?;
        Ok(remembered)
    }

    fn change(
        &self,
        folder: &Path,
        edit: impl FnOnce(&mut Map<String, Value>) -> bool,
    ) -> Result<bool, ConfigError> {
        let folder = canonical(folder);
        let text = folder.to_str().ok_or_else(|| ConfigError::new(ConfigErrorKind::Path, &folder))?;
        self.file.change(|root| {
            let corrupt = || self.file.corrupt();
            let folders = root.entry("folders").or_insert_with(|| json!({}));
            let entry = folders.as_object_mut().ok_or_else(corrupt)?.entry(project_key(text));
            let entry = entry.or_insert_with(|| json!({})).as_object_mut().ok_or_else(corrupt)?;
            let changed = edit(entry);
            if changed {
                root.insert("version".to_owned(), json!(version(root)));
            }
            Ok(changed)
        })
    }
}

/// The version that is written: ours, or the later one that another program wrote.
fn version(root: &Map<String, Value>) -> u64 {
    root.get("version").and_then(Value::as_u64).unwrap_or(VERSION).max(VERSION)
}

/// Whether trust in a folder agrees to `entry`.
fn is_of_trust(entry: &ServerEntry) -> bool {
    entry.scope == Scope::Local || entry.is_approved_by_trust()
}

/// Notes that what the folder's own settings approve has been met.
fn settle(folder: &mut Map<String, Value>) -> bool {
    folder.insert(SETTLED.to_owned(), Value::Bool(true)).is_none()
}

fn slot(entry: &ServerEntry) -> Slot {
    if entry.scope == Scope::Local { Slot::Helpers } else { Slot::Contents }
}

/// What is agreed to: the whole entry of a project, the helper alone of a person's own.
fn subject(entry: &ServerEntry) -> Terms {
    if entry.scope == Scope::Local { entry.terms().minting(&MINTS) } else { entry.terms().clone() }
}

/// Keeps what `entry` says; returns whether that is new.
fn agree(folder: &mut Map<String, Value>, entry: &ServerEntry) -> bool {
    let terms = subject(entry);
    if terms.iter().next().is_none() {
        return false;
    }
    let names = object(folder, slot(entry).key());
    let files = object(names, &entry.name);
    let file = file_of(entry);
    let same_owner = |kept: &Value| kept.get("owner").and_then(Value::as_u64) == entry.foreign.map(u64::from);
    if files.get(&file).is_some_and(|kept| Record::is_stored_as(kept, &terms) && same_owner(kept)) {
        return false;
    }
    let mut record = Record::of(&terms).to_json();
    if let Some(account) = entry.foreign {
        record["owner"] = json!(account);
    }
    files.insert(file, record);
    true
}

/// The object under `key`, made if it is not there.
fn object<'m>(map: &'m mut Map<String, Value>, key: &str) -> &'m mut Map<String, Value> {
    let value = map.entry(key).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(object) => object,
        _ => unreachable!("it was just made one"),
    }
}

fn set_owner(folder: &mut Map<String, Value>, foreign: Option<u32>) -> bool {
    let before = match foreign {
        None => folder.remove("owner"),
        Some(account) => folder.insert("owner".to_owned(), json!(account)),
    };
    before != foreign.map(|account| json!(account))
}

fn set_trusted(folder: &mut Map<String, Value>, trusted: bool) -> bool {
    let before = folder.insert("trusted".to_owned(), Value::Bool(trusted));
    before.and_then(|value| value.as_bool()).unwrap_or(false) != trusted
}

fn remove(folder: &mut Map<String, Value>, list: &str, name: &str) -> bool {
    let Some(names) = folder.get_mut(list).and_then(Value::as_array_mut) else { return false };
    let before = names.len();
    names.retain(|other| other != name);
    names.len() != before
}

fn insert(folder: &mut Map<String, Value>, list: &str, name: &str) -> bool {
    let names = folder.entry(list).or_insert_with(|| json!([]));
    if !names.is_array() {
        *names = json!([]);
    }
    match names.as_array_mut() {
        Some(names) if !names.iter().any(|other| other == name) => {
            names.push(json!(name));
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::*;

    fn store() -> (tempfile::TempDir, TrustStore) {
        let dir = tempfile::tempdir().unwrap();
        let store = TrustStore::new(dir.path().join("state/mcplink"));
        (dir, store)
    }

    fn project(path: &str) -> Project {
        Project::find(Path::new(path))
    }

    /// A project entry of this name.
    fn entry(name: &str) -> ServerEntry {
        let text = format!(r#"{{"mcpServers": {{"{name}": {{"command": "run"}}}}}}"#);
        let mut request = crate::Request::new("/nowhere", crate::Env::new());
        request.mcp_config.push(text);
        let mut entry = crate::Config::load(&request).entry(name).unwrap().clone();
        entry.scope = Scope::Project;
        entry
    }

    fn saved(store: &TrustStore) -> Value {
        serde_json::from_str(&fs::read_to_string(store.path()).unwrap()).unwrap()
    }

    #[test]
    fn decisions_are_written_once_and_taken_back() {
        let (_dir, store) = store();
        let app = Path::new("/nowhere/app");
        assert!(store.trust(&project("/nowhere/app"), []).unwrap());
        assert!(!store.trust(&project("/nowhere/app"), []).unwrap());
        assert!(store.approve(app, &entry("db")).unwrap());
        assert!(store.reject(app, "db").unwrap());
        assert!(!store.reject(app, "db").unwrap());
        assert_eq!(
            saved(&store)["folders"]["/nowhere/app"],
            json!({"trusted": true, "settled": true, "approved": [], "rejected": ["db"], "contents": {}})
        );
        assert!(store.untrust(app).unwrap());
        assert!(!store.untrust(Path::new("/nowhere/else")).unwrap());
        assert_eq!(saved(&store)["folders"]["/nowhere/app"]["trusted"], json!(false));
    }

    #[test]
    fn what_others_wrote_is_kept() {
        let (_dir, store) = store();
        store.trust(&project("/nowhere/a"), []).unwrap();
        fs::write(store.path(), r#"{"version": 2, "new": 1, "folders": {"/x": {"note": "n"}}}"#).unwrap();
        store.trust(&project("/nowhere/b"), []).unwrap();
        let saved = saved(&store);
        assert_eq!((&saved["version"], &saved["new"]), (&json!(2), &json!(1)));
        assert_eq!(saved["folders"]["/x"]["note"], json!("n"));
    }

    #[test]
    fn a_corrupt_file_is_reported_and_left_as_it_is() {
        let (_dir, store) = store();
        store.trust(&project("/nowhere/a"), []).unwrap();
        for text in ["{", "[]", r#"{"folders": []}"#, r#"{"folders": {"/nowhere/a": 1}}"#] {
            fs::write(store.path(), text).unwrap();
            let error = store.untrust(Path::new("/nowhere/a")).unwrap_err();
            assert_eq!(error.kind(), ConfigErrorKind::Corrupt, "{text}");
            assert_eq!(fs::read_to_string(store.path()).unwrap(), text);
        }
    }

    #[test]
    fn writers_in_parallel_lose_nothing() {
        let (_dir, store) = store();
        thread::scope(|scope| {
            for writer in 0..8 {
                let store = &store;
                scope.spawn(move || {
                    for n in 0..8 {
                        assert!(
                            store.approve(Path::new("/nowhere/a"), &entry(&format!("{writer}-{n}"))).unwrap()
                        );
                    }
                });
            }
        });
        assert_eq!(saved(&store)["folders"]["/nowhere/a"]["approved"].as_array().unwrap().len(), 64);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let (_dir, store) = store();
        store.trust(&project("/nowhere/a"), []).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(store.path()), 0o600);
        assert_eq!(mode(store.path().parent().unwrap()), 0o700);
        let names: Vec<_> = fs::read_dir(store.path().parent().unwrap()).unwrap().flatten().collect();
        assert_eq!(names.len(), 2, "the store and its lock, nothing left over: {names:?}");
    }
}
