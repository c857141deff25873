//! Changes configuration files: the reading and writing around [`crate::edit`], and which file an entry belongs in.

use std::fmt;
use std::path::{Path, PathBuf};

use mcp_files::{NewFile, Policy, Rewrite};

use crate::edit::{self, Change, EditError, Value};
use crate::json;
use crate::project::project_key;
use crate::{Config, ConfigError, ConfigErrorKind, Locations, Project, Scope};

/// As long as what is read: hosts keep histories in the same file as servers.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The locks of files that are changed, in the directory of this tool's own state.
const LOCKS: &str = "locks";

/// Changes files under locks that writers of this account share.
///
/// # Examples
///
/// ```
/// use mcp_config::edit::{Change, EditError, Value, apply};
/// use mcp_config::{Config, ConfigError, Env, Request, Scope};
/// use mcp_config::editor::Editor;
///
/// # #[derive(Debug)]
/// enum Failure { File(ConfigError), Text(EditError) }
/// # impl From<ConfigError> for Failure { fn from(error: ConfigError) -> Self { Self::File(error) } }
/// let home = tempfile::tempdir().expect("a folder");
/// let env = Env::new().with("HOME", home.path());
/// let config = Config::load(&Request::new(home.path(), env));
/// let place = config.place_of(Scope::User).expect("a person has files");
/// let change = Change::Set(Value::Bool(true));
/// let path = place.path("", "docs");
/// let edit = Editor::new(home.path().join("state"))
///     .dry_run(&place, |text| apply(text, &path, &change).map_err(Failure::Text))
///     .expect("a file that is not there can be written");
/// assert!(edit.is_new && edit.changed() && !edit.file.exists());
/// ```
#[derive(Clone, Debug)]
pub struct Editor {
    locks: PathBuf,
}

/// What became of a file, or would.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct FileEdit {
    /// The file, where links lead.
    pub file: PathBuf,
    /// Whether it was not there before.
    pub is_new: bool,
    before: String,
    after: String,
}

impl FileEdit {
    /// Whether anything is different.
    pub fn changed(&self) -> bool {
        self.before != self.after
    }

    /// What was in it. May hold secrets.
    pub fn before(&self) -> &str {
        &self.before
    }

    /// What is in it now, or would be. May hold secrets.
    pub fn after(&self) -> &str {
        &self.after
    }

    /// The line of the member at `path`, from 1, of what is in it now.
    pub fn line_of<S: AsRef<str>>(&self, path: &[S]) -> Option<usize> {
        edit::line_of(&self.after, path)
    }
}

impl FileEdit {
    /// A file that was removed.
    pub(crate) fn removed(file: PathBuf, before: String) -> Self {
        Self { file, is_new: false, before, after: String::new() }
    }
}

impl fmt::Debug for FileEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileEdit")
            .field("file", &self.file)
            .field("is_new", &self.is_new)
            .field("changed", &self.changed())
            .finish()
    }
}

impl Editor {
    /// With locks in `state_dir` (see [`Locations::state_dir`]); nothing is touched yet.
    pub fn new(state_dir: impl AsRef<Path>) -> Self {
        Self { locks: state_dir.as_ref().join(LOCKS) }
    }

    /// The directory of this tool's own state.
    pub(crate) fn state_dir(&self) -> &Path {
        self.locks.parent().unwrap_or(&self.locks)
    }

    /// Replaces the text of `place.file` by what `change` makes of it; it gets an empty text where there is no file, and is
    /// called again where another program was faster. Where it makes nothing different, nothing is written.
    ///
    /// # Errors
    ///
    /// Those of `change`, and every reason for which the file cannot be read, locked or written: see [`ConfigErrorKind`].
    pub fn edit<E: From<ConfigError>>(
        &self,
        place: &EntryPlace,
        mut change: impl FnMut(&str) -> Result<String, E>,
    ) -> Result<FileEdit, E> {
        let path = &place.file;
        let new = if place.scope == Scope::Project { NewFile::AsDirectory } else { NewFile::Private };
        let mut texts = (String::new(), String::new());
        let rewritten = mcp_files::rewrite(path, &Rewrite::new(&self.locks, MAX_BYTES, new), |content| {
            let before = utf8(content.unwrap_or_default(), path).map_err(Failure::Edit)?;
            let after = change(before).map_err(Failure::Asked)?;
            let is_same = before == after;
            texts = (before.to_owned(), after.clone());
            Ok((!is_same).then(|| after.into_bytes()))
        });
        match rewritten {
            Ok(done) => {
                Ok(FileEdit { file: done.file, is_new: done.is_new, before: texts.0, after: texts.1 })
            }
            Err(Failure::Asked(error)) => Err(error),
            Err(Failure::Edit(error)) => Err(error.into()),
            Err(Failure::File(error)) => Err(ConfigError::io(ConfigErrorKind::Write, path, error).into()),
        }
    }

    /// Removes `place.file` where `is_to_go` says so of its text, and returns that text then.
    ///
    /// # Errors
    ///
    /// As of [`edit`](Self::edit).
    pub(crate) fn remove<E: From<ConfigError>>(
        &self,
        place: &EntryPlace,
        mut is_to_go: impl FnMut(&str) -> Result<bool, E>,
    ) -> Result<Option<String>, E> {
        let path = &place.file;
        let mut before = String::new();
        let removed =
            mcp_files::remove(path, &Rewrite::new(&self.locks, MAX_BYTES, NewFile::Private), |content| {
                let text = utf8(content, path).map_err(Failure::Edit)?;
                before = text.to_owned();
                is_to_go(text).map_err(Failure::Asked)
            });
        match removed {
            Ok(removed) => Ok(removed.then_some(before)),
            Err(Failure::Asked(error)) => Err(error),
            Err(Failure::Edit(error)) => Err(error.into()),
            Err(Failure::File(error)) => Err(ConfigError::io(ConfigErrorKind::Write, path, error).into()),
        }
    }

    /// What [`edit`](Self::edit) would do. Only reads.
    ///
    /// # Errors
    ///
    /// As of [`edit`](Self::edit), but for writing.
    pub fn dry_run<E: From<ConfigError>>(
        &self,
        place: &EntryPlace,
        mut change: impl FnMut(&str) -> Result<String, E>,
    ) -> Result<FileEdit, E> {
        let path = &place.file;
        let content = match mcp_files::read(path, &Policy::surroundings(MAX_BYTES).owned()) {
            Ok(content) => Some(content),
            Err(error) if error.is_absent() => None,
            Err(error) => return Err(ConfigError::io(ConfigErrorKind::Read, path, error).into()),
        };
        let before = utf8(content.as_deref().unwrap_or_default(), path)?.to_owned();
        let after = change(&before)?;
        Ok(FileEdit { file: path.clone(), is_new: content.is_none(), before, after })
    }
}

fn utf8<'t>(content: &'t [u8], path: &Path) -> Result<&'t str, ConfigError> {
    std::str::from_utf8(content).map_err(|_| ConfigError::new(ConfigErrorKind::Encoding, path))
}

/// Why a rewrite did not come to its end.
enum Failure<E> {
    File(mcp_files::FileError),
    Edit(ConfigError),
    Asked(E),
}

impl<E> From<mcp_files::FileError> for Failure<E> {
    fn from(error: mcp_files::FileError) -> Self {
        Self::File(error)
    }
}

/// Where the entries of a scope stand.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EntryPlace {
    /// The scope.
    pub scope: Scope,
    /// Its file.
    pub file: PathBuf,
    /// The folder whose member of `projects` they are in, where they are.
    folder: Option<PathBuf>,
}

impl EntryPlace {
    /// The entries of a folder in a file that has them for each.
    pub(crate) fn in_folder(scope: Scope, file: PathBuf, folder: PathBuf) -> Self {
        Self { scope, file, folder: Some(folder) }
    }

    /// A file of its own.
    pub(crate) fn of_file(scope: Scope, file: PathBuf) -> Self {
        Self { scope, file, folder: None }
    }

    /// The folder whose member of `projects` its entries are in, where they are in one.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The path to the entry `name` in `text`, which is what is in the file.
    pub fn path(&self, text: &str, name: &str) -> Vec<String> {
        self.member(text, "mcpServers", name)
    }

    /// The path to the member `name` of the object `key`.
    fn member(&self, text: &str, key: &str, name: &str) -> Vec<String> {
        let mut path = self.folder.as_deref().map(|folder| in_projects(text, folder)).unwrap_or_default();
        path.extend([key.to_owned(), name.to_owned()]);
        path
    }

    /// `text`, what is in the file, without the entry `name`; without the project, too, that had no other in this tool's own.
    ///
    /// # Errors
    ///
    /// See [`edit::apply`].
    pub fn without(&self, text: &str, name: &str) -> Result<String, EditError> {
        let path = self.path(text, name);
        match (self.scope, &self.folder) {
            (Scope::Mcplink, Some(_)) => removed_and_pruned(text, &path),
            _ => edit::apply(text, &path, &Change::Remove),
        }
    }

    /// The error of an edit of this file.
    pub fn refused(&self, error: EditError) -> ConfigError {
        ConfigError::edit(&self.file, error)
    }
}

/// The path to what `text` has under `projects` for `folder`, as it is written there; as other programs write it where it is
/// not there yet.
fn in_projects(text: &str, folder: &Path) -> Vec<String> {
    let key = project_key(&folder.to_string_lossy());
    let written = json::parse(text).ok().and_then(|root| {
        let projects = root.as_object()?.get("projects")?.as_object()?;
        projects.iter().find(|member| project_key(&member.key) == key).map(|member| member.key.to_string())
    });
    vec!["projects".to_owned(), written.unwrap_or(key)]
}

impl Config {
    /// Where entries of `scope` belong; `None` where there is no such place: no home directory, or a scope that no command
    /// writes.
    pub fn place_of(&self, scope: Scope) -> Option<EntryPlace> {
        place_of(&self.locations, &self.project, scope)
    }

    /// Where the entry `name` of `scope` stands, or would.
    pub fn place_of_entry(&self, name: &str, scope: Scope) -> Option<EntryPlace> {
        let place = self.place_of(scope)?;
        let entry = self.definitions(name).find(|entry| entry.scope == scope);
        let Some(entry) = entry else { return Some(place) };
        let file = entry.origin.place.path().map_or_else(|| place.file.clone(), Path::to_owned);
        Some(EntryPlace { file, folder: entry.folder.clone().or(place.folder), scope })
    }

    /// Where this tool's own file has the servers of this project alone.
    pub fn own_place_in_project(&self) -> Option<EntryPlace> {
        place_in_own_file(&self.locations, Some(&self.project.root))
    }
}

fn place_of(locations: &Locations, project: &Project, scope: Scope) -> Option<EntryPlace> {
    let (file, folder) = match scope {
        Scope::Mcplink => (locations.own_file.clone()?, None),
        Scope::User => (locations.user_file.clone()?, None),
        Scope::Local => (locations.user_file.clone()?, Some(project.root.clone())),
        Scope::Project => {
            // The nearest one that is there, up to the root of the repository.
            let folders = project.cwd.ancestors().take_while(|dir| dir.starts_with(&project.root));
            let file = folders.map(|dir| dir.join(".mcp.json")).find(|file| file.exists());
            (file.unwrap_or_else(|| project.root.join(".mcp.json")), None)
        }
        _ => return None,
    };
    Some(EntryPlace { scope, file, folder })
}

/// This tool's own file, at its top or for a folder.
pub(crate) fn place_in_own_file(locations: &Locations, folder: Option<&Path>) -> Option<EntryPlace> {
    let file = locations.own_file.clone()?;
    Some(EntryPlace { scope: Scope::Mcplink, file, folder: folder.map(Path::to_owned) })
}

impl EntryPlace {
    /// The path to what is overridden of the entry `name`.
    pub(crate) fn path_of_override(&self, text: &str, name: &str) -> Vec<String> {
        self.member(text, crate::overrides::KEY, name)
    }
}

/// `text` without the member at `path`, and without the objects on the way that are empty for that.
pub(crate) fn removed_and_pruned(text: &str, path: &[String]) -> Result<String, EditError> {
    let before = text;
    let mut text = edit::apply(before, path, &Change::Remove)?;
    if text == before {
        return Ok(text);
    }
    for depth in (1..path.len()).rev() {
        if edit::value_at(&text, &path[..depth])? != Some(Value::Object(Vec::new())) {
            break;
        }
        text = edit::apply(&text, &path[..depth], &Change::Remove)?;
    }
    Ok(text)
}
