//! A private directory of small files that are replaced in one step. Everything here blocks.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use mcp_files::FileError;

use super::lock::WritePermit;
use super::private_dir::{private_dir, tell_if_open};

/// A record has a few kilobytes; something much larger is not one, and is not read into memory.
const MAX_LEN: u64 = 1 << 20;

/// Files of one kind, `NAME.json`, in a directory below the store's.
#[derive(Clone, Debug)]
pub(super) struct CredentialDir {
    root: PathBuf,
    dir: PathBuf,
}

impl CredentialDir {
    pub(super) fn new(root: &Path, name: &'static str) -> Self {
        Self { root: root.to_owned(), dir: root.join(name) }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.dir.clone() } else { self.dir.join(format!("{name}.json")) }
    }

    pub(super) fn exists(&self) -> bool {
        // What is there and is not a directory is told where it is used.
        match self.dir.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            // Below a file that stands where a home should be, nothing is kept; one in the place of the store is in the way.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                self.root.symlink_metadata().is_ok()
            }
            _ => true,
        }
    }

    /// The content of a file. Creates nothing.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, FileError> {
        if !self.exists() {
            return Ok(None);
        }
        private_dir(&self.root, &self.dir)?;
        let path = self.path(name);
        tell_if_open(&path);
        match mcp_files::read_private(&path, MAX_LEN) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names of the files that begin with `prefix`, sorted.
    pub(super) fn names(&self, prefix: &str) -> Result<Vec<String>, FileError> {
        if self.exists() {
            private_dir(&self.root, &self.dir)?;
        }
        let mut names = Vec::new();
        for file_name in self.file_names()? {
            if let Some(name) = file_name.strip_suffix(".json")
                && name.starts_with(prefix)
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Replaces a file. A process that dies on the way leaves the old content; when this returns, the new one
    /// survives a power failure.
    ///
    /// A present file that is not `is_readable` is kept aside as `NAME.damaged-…`: only the person who owns it can
    /// say that it is worth nothing.
    pub(super) fn replace(
        &self,
        name: &str,
        content: &[u8],
        is_readable: impl FnOnce(&[u8]) -> bool,
        writing: &WritePermit,
    ) -> Result<(), FileError> {
        private_dir(&self.root, &self.dir)?;
        let path = self.path(name);
        if writing.is_exclusive() {
            mcp_files::sweep(&path)?;
        }
        mcp_files::replace_after(&path, content, || {
            if !matches!(self.read(name), Ok(old) if old.as_deref().is_none_or(is_readable)) {
                self.set_aside(name)?;
            }
            Ok(())
        })
    }

    /// Removes a file and whatever is left of earlier ones of this name. Tells whether there was any.
    pub(super) fn remove(&self, name: &str, writing: &WritePermit) -> Result<bool, FileError> {
        if writing.is_exclusive() {
            mcp_files::sweep(&self.path(name))?;
        }
        let damaged = format!("{name}.damaged-");
        let mut found = remove_if_there(&self.path(name))?;
        for file_name in self.file_names()? {
            if file_name.starts_with(&damaged) {
                found |= remove_if_there(&self.dir.join(file_name))?;
            }
        }
        if found {
            mcp_files::sync_dir(&self.dir)?;
        }
        Ok(found)
    }

    /// A second name for the damaged file, so that there is no moment in which it has none.
    fn set_aside(&self, name: &str) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let aside = self.dir.join(format!("{name}.damaged-{now}"));
        let path = self.path(name);
        if fs::hard_link(&path, &aside).is_err() {
            fs::rename(&path, &aside)?;
        }
        tracing::warn!(file = %aside.display(), "a damaged file of the token store was put aside");
        Ok(())
    }

    fn file_names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(_) if !self.exists() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            // Our names are ASCII; others belong to other programs.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }
}

fn remove_if_there(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
