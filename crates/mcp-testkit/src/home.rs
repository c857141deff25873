//! A home directory that nothing else uses, and what happened to its files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::canary::Canaries;

/// A temporary home with a project directory, and the environment that keeps a child process inside it.
///
/// # Examples
///
/// ```
/// use mcp_testkit::TempHome;
///
/// let home = TempHome::new()?;
/// let before = home.snapshot();
/// home.write_project(".mcp.json", "{}")?;
/// assert!(!before.changes_until(&home.snapshot()).is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TempHome {
    root: TempDir,
    canaries: Canaries,
}

/// All files under a directory, with their contents.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Snapshot(BTreeMap<PathBuf, Vec<u8>>);

/// The difference of two snapshots: paths relative to the root of the home.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct FileChanges {
    /// Files that are new.
    pub created: Vec<PathBuf>,
    /// Files with other contents.
    pub changed: Vec<PathBuf>,
    /// Files that are gone.
    pub removed: Vec<PathBuf>,
}

impl TempHome {
    /// An empty home with an empty project.
    ///
    /// # Errors
    ///
    /// When the directories cannot be made.
    pub fn new() -> io::Result<Self> {
        let root = tempfile::Builder::new().prefix("home-").tempdir()?;
        let this = Self { root, canaries: Canaries::new() };
        for directory in [this.home(), this.project(), this.state_dir(), this.temp_dir()] {
            fs::create_dir_all(directory)?;
        }
        Ok(this)
    }

    /// The directory that holds everything else.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// `HOME`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// The working directory of child processes, outside `HOME` so that a parent walk ends at the root of the file
    /// system and not at the user's own files.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.root().join("project")
    }

    /// `MCPLINK_STATE_DIR`.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.root().join("state")
    }

    fn temp_dir(&self) -> PathBuf {
        self.root().join("tmp")
    }

    /// The secrets of this home; every run of a binary in it looks for them.
    #[must_use]
    pub fn canaries(&self) -> &Canaries {
        &self.canaries
    }

    /// A secret of this home: see [`Canaries::secret`].
    #[must_use]
    pub fn secret(&self, label: &str) -> String {
        self.canaries.secret(label)
    }

    /// The sign-ins that are stored, each in its file.
    ///
    /// # Panics
    ///
    /// When one can be seen and not be read.
    #[must_use]
    pub fn sign_ins(&self) -> Vec<(PathBuf, Value)> {
        let Ok(files) = fs::read_dir(self.state_dir().join("tokens/tokens")) else { return Vec::new() };
        let read = |file: io::Result<fs::DirEntry>| {
            let path = file.expect("a stored sign-in is listed").path();
            let content = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
            let content = content.unwrap_or_else(|| panic!("{} is not a stored sign-in", path.display()));
            (path, content)
        };
        files.map(read).collect()
    }

    /// Makes secrets of the tokens that are stored: from now on they must turn up nowhere else.
    pub fn note_tokens(&self) {
        for (_, content) in self.sign_ins() {
            for name in ["access_token", "refresh_token"] {
                if let Some(token) = content[name].as_str() {
                    self.canaries().add(name, token);
                }
            }
        }
    }

    /// Writes a file in `HOME`, with its directories.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&self, path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<PathBuf> {
        write(self.home().join(path), contents.as_ref())
    }

    /// Writes a file in the project, with its directories.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write_project(&self, path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<PathBuf> {
        write(self.project().join(path), contents.as_ref())
    }

    /// The whole environment of a child process: nothing of ours is inherited, so neither proxies nor tokens nor
    /// configuration of the machine reach a test. Directories of every platform point into this home; `PATH` is for
    /// the child to find `sh`, and is the caller's to give.
    #[must_use]
    pub fn environment(&self, path: &str) -> BTreeMap<String, String> {
        let home = self.home();
        let entry = |name: &str, value: &Path| (name.to_owned(), value.to_string_lossy().into_owned());
        let mut environment = BTreeMap::from([
            entry("HOME", &home),
            entry("USERPROFILE", &home),
            entry("APPDATA", &home.join("AppData/Roaming")),
            entry("LOCALAPPDATA", &home.join("AppData/Local")),
            entry("XDG_CONFIG_HOME", &home.join(".config")),
            entry("XDG_DATA_HOME", &home.join(".local/share")),
            entry("XDG_STATE_HOME", &home.join(".local/state")),
            entry("XDG_CACHE_HOME", &home.join(".cache")),
            entry("XDG_RUNTIME_DIR", &self.root().join("run")),
            // Sessions of this home meet here, and those of the machine do not.
            entry("MCPLINK_RUNTIME_DIR", &self.root().join("run/mcplink")),
            entry("MCPLINK_STATE_DIR", &self.state_dir()),
            entry("TMPDIR", &self.temp_dir()),
        ]);
        // Where the tools look that follow symbolic links, `PWD` decides how a path is spelled.
        environment.insert("PWD".to_owned(), self.project().to_string_lossy().into_owned());
        environment.insert("PATH".to_owned(), path.to_owned());
        environment.insert("LANG".to_owned(), "C.UTF-8".to_owned());
        environment
    }

    /// All files as they are now.
    ///
    /// # Panics
    ///
    /// When a file can be seen but not read, which no test should pass over.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut files = BTreeMap::new();
        collect(self.root(), self.root(), &mut files);
        Snapshot(files)
    }
}

impl Snapshot {
    /// What is different in a later snapshot.
    #[must_use]
    pub fn changes_until(&self, later: &Self) -> FileChanges {
        let (old, new) = (&self.0, &later.0);
        let differs = |path: &&PathBuf| old.get(*path).is_some_and(|before| new.get(*path) != Some(before));
        FileChanges {
            created: new.keys().filter(|path| !old.contains_key(*path)).cloned().collect(),
            changed: new.keys().filter(differs).cloned().collect(),
            removed: old.keys().filter(|path| !new.contains_key(*path)).cloned().collect(),
        }
    }

    /// The paths of all files, relative to the root of the home.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    /// A file's contents.
    #[must_use]
    pub fn contents(&self, path: impl AsRef<Path>) -> Option<&[u8]> {
        self.0.get(path.as_ref()).map(Vec::as_slice)
    }
}

impl FileChanges {
    /// Whether nothing changed at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.created.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

fn write(path: PathBuf, contents: &[u8]) -> io::Result<PathBuf> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&path, contents)?;
    Ok(path)
}

/// Reads every regular file; a link is noted by its target, and sockets and pipes by their name alone.
fn collect(root: &Path, directory: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    // A directory or file that vanished while we looked is simply gone: something else was still at work.
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            collect(root, &path, files);
            continue;
        }
        let contents = if kind.is_symlink() {
            fs::read_link(&path).map(|target| target.to_string_lossy().into_owned().into_bytes())
        } else if kind.is_file() {
            fs::read(&path)
        } else {
            Ok(Vec::new())
        };
        match contents {
            Ok(contents) => {
                let relative = path.strip_prefix(root).unwrap_or(&path).to_owned();
                files.insert(relative, contents);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => panic!("cannot read {}: {error}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_seen_by_contents() {
        let home = TempHome::new().unwrap();
        home.write("a", "1").unwrap();
        home.write("deep/b", "1").unwrap();
        let before = home.snapshot();
        assert!(before.changes_until(&home.snapshot()).is_empty());
        home.write("a", "2").unwrap();
        home.write_project(".mcp.json", "{}").unwrap();
        fs::remove_file(home.home().join("deep/b")).unwrap();
        let changes = before.changes_until(&home.snapshot());
        assert_eq!(changes.created, [Path::new("project/.mcp.json")]);
        assert_eq!(changes.changed, [Path::new("home/a")]);
        assert_eq!(changes.removed, [Path::new("home/deep/b")]);
    }

    #[test]
    fn every_directory_of_the_environment_is_inside_the_home() {
        let home = TempHome::new().unwrap();
        let environment = home.environment("/bin");
        for (name, value) in &environment {
            let is_inside = Path::new(value).starts_with(home.root());
            assert!(is_inside || ["PATH", "LANG"].contains(&name.as_str()), "{name}={value}");
        }
        assert!(!environment.contains_key("CLAUDE_CONFIG_DIR"), "unset means the default place, inside HOME");
    }
}
