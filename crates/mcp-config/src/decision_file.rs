//! A file of this tool's own state that decides what may be used: how it is read, locked and replaced.
//!
//! Security: it belongs to this account or root, is not a link, and neither it nor its folder, which is this account's, may be
//! written to by others. Writers take a lock, read again, change one thing, write a new file beside the old one and rename
//! it; so a reader needs no lock, and a crash leaves the old file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mcp_files::{FileError, FileErrorKind, Links, Lock, Policy};
use serde_json::{Map, Value};

use crate::{ConfigError, ConfigErrorKind};

/// A writer holds the lock for milliseconds; one that waits this long has met a stuck process.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Such a file, which may not be there yet.
#[derive(Clone, Debug)]
pub(crate) struct DecisionFile {
    path: PathBuf,
    /// Directories that others may not write to, the outer one first; the file is in the last.
    directories: Vec<(PathBuf, Links)>,
    most: u64,
}

impl DecisionFile {
    /// The file of this name in `state_dir`, of at most so many bytes; nothing is touched yet. People keep their state on
    /// another disk, by a link.
    pub(crate) fn new(state_dir: &Path, name: &str, most: u64) -> Self {
        let directories = vec![(state_dir.to_owned(), Links::Follow)];
        Self { path: state_dir.join(name), directories, most }
    }

    /// The file of this name in `folder` of `state_dir`, which is not a link.
    pub(crate) fn in_folder(state_dir: &Path, folder: &str, name: &str, most: u64) -> Self {
        let inner = state_dir.join(folder);
        let path = inner.join(name);
        Self { path, directories: vec![(state_dir.to_owned(), Links::Follow), (inner, Links::Refuse)], most }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is written in it.
    ///
    /// # Errors
    ///
    /// It is not there, or not such a file.
    pub(crate) fn read(&self) -> Result<Vec<u8>, FileError> {
        for (directory, links) in &self.directories {
            mcp_files::check_private_dir(directory, *links)?;
        }
        mcp_files::read(&self.path, &Policy::decision(self.most).closed())
    }

    /// Has `edit` change what is written in it, and writes that where it says that something is different.
    pub(crate) fn change(
        &self,
        edit: impl FnOnce(&mut Map<String, Value>) -> Result<bool, ConfigError>,
    ) -> Result<bool, ConfigError> {
        let _lock = self.lock()?;
        let mut root = match self.read() {
            Ok(text) => serde_json::from_slice(&text).map_err(|_| self.corrupt())?,
            Err(error) if error.is_absent() => Map::new(),
            Err(error) => return Err(ConfigError::io(ConfigErrorKind::Read, &self.path, error)),
        };
        let changed = edit(&mut root)?;
        if changed {
            self.write(&Value::Object(root))?;
        }
        Ok(changed)
    }

    /// It does not say what such a file says.
    pub(crate) fn corrupt(&self) -> ConfigError {
        ConfigError::new(ConfigErrorKind::Corrupt, &self.path)
    }

    /// Closes the directories to others, too.
    fn lock(&self) -> Result<Lock, ConfigError> {
        for (directory, links) in &self.directories {
            mcp_files::private_dir(directory, *links)
                .map_err(|error| ConfigError::io(ConfigErrorKind::Write, directory, error))?;
        }
        let path = self.path.with_extension("json.lock");
        mcp_files::lock(&path, LOCK_PATIENCE).map_err(|error| match error.kind() {
            FileErrorKind::Busy => ConfigError::new(ConfigErrorKind::Locked, &path),
            _ => ConfigError::io(ConfigErrorKind::Write, &path, error),
        })
    }

    /// Called with the lock held, so that drafts are those of writers that died.
    fn write(&self, root: &Value) -> Result<(), ConfigError> {
        let text = format!("{root:#}\n");
        if text.len() as u64 > self.most {
            return Err(ConfigError::new(ConfigErrorKind::TooLarge, &self.path));
        }
        mcp_files::sweep(&self.path)
            .and_then(|()| mcp_files::replace(&self.path, text.as_bytes()))
            .map_err(|error| ConfigError::io(ConfigErrorKind::Write, &self.path, error))
    }
}
