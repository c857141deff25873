//! A private directory of small files that are replaced in one step. Everything here blocks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::lock::Writing;
use super::refused;

/// A record has a few kilobytes; something much larger is not one, and is not read into memory.
const MAX_LEN: u64 = 1 << 20;

/// Files of one kind, `NAME.json`, in a directory below the store's.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    root: PathBuf,
    dir: PathBuf,
}

impl Shelf {
    pub(super) fn new(root: &Path, name: &'static str) -> Self {
        Self { root: root.to_owned(), dir: root.join(name) }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.dir.clone() } else { self.dir.join(format!("{name}.json")) }
    }

    pub(super) fn exists(&self) -> bool {
        self.dir.symlink_metadata().is_ok()
    }

    /// The content of a file. Creates nothing.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        if !self.exists() {
            return Ok(None);
        }
        private_dir(&self.root, &self.dir)?;
        let path = self.path(name);
        match path.symlink_metadata() {
            // Not opened at all: a pipe would hang, and a link leads out of the private directory.
            Ok(found) if !found.is_file() => return Err(refused("not a regular file")),
            Ok(found) if found.len() > MAX_LEN => return Err(refused("too large to be a record")),
            Ok(found) => close_to_others(&path, &found, 0o600)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        match File::open(&path) {
            Ok(file) => {
                let mut content = Vec::new();
                file.take(MAX_LEN).read_to_end(&mut content)?;
                Ok(Some(content))
            }
            // Removed since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names of the files that begin with `prefix`, sorted.
    pub(super) fn names(&self, prefix: &str) -> io::Result<Vec<String>> {
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

    /// Replaces a file. Whoever dies on the way leaves the old content; when this returns, the new one
    /// survives a power failure.
    ///
    /// A present file that is not `is_readable` is kept aside as `NAME.damaged-…`: only the person who owns it can
    /// say that it is worth nothing.
    pub(super) fn replace(
        &self,
        name: &str,
        content: &[u8],
        is_readable: impl FnOnce(&[u8]) -> bool,
        writing: &Writing,
    ) -> io::Result<()> {
        private_dir(&self.root, &self.dir)?;
        if writing.is_exclusive() {
            self.sweep(name)?;
        }
        let temporary = self.dir.join(temporary_name(name));
        let written = self.write_new(&temporary, content).and_then(|()| {
            if !matches!(self.read(name), Ok(old) if old.as_deref().is_none_or(is_readable)) {
                self.set_aside(name)?;
            }
            fs::rename(&temporary, self.path(name))
        });
        if written.is_err() {
            // The error that matters is the one above.
            let _ = fs::remove_file(&temporary);
        }
        written?;
        sync_dir(&self.dir)
    }

    /// Removes a file and whatever is left of earlier ones of this name. Tells whether there was any.
    pub(super) fn remove(&self, name: &str, writing: &Writing) -> io::Result<bool> {
        if writing.is_exclusive() {
            self.sweep(name)?;
        }
        let damaged = format!("{name}.damaged-");
        let mut found = remove_if_there(&self.path(name))?;
        for file_name in self.file_names()? {
            if file_name.starts_with(&damaged) {
                found |= remove_if_there(&self.dir.join(file_name))?;
            }
        }
        if found {
            sync_dir(&self.dir)?;
        }
        Ok(found)
    }

    fn write_new(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        same_owner(&file, &self.dir)?;
        file.write_all(content)?;
        file.sync_all()
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

    /// Removes what a writer that was killed left behind: nobody else writes now, so it is nobody's.
    fn sweep(&self, name: &str) -> io::Result<()> {
        let prefix = temporary_prefix(name);
        for file_name in self.file_names()? {
            if file_name.starts_with(&prefix) {
                remove_if_there(&self.dir.join(file_name))?;
            }
        }
        Ok(())
    }

    fn file_names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            // Ours are ASCII; others are somebody else's.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }
}

fn temporary_prefix(name: &str) -> String {
    format!(".{name}.tmp-")
}

fn temporary_name(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}{}-{number}", temporary_prefix(name), std::process::id())
}

fn remove_if_there(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes sure that `root` and its subdirectory `dir` are there and are for their owner only.
pub(super) fn private_dir(root: &Path, dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);

    builder.create(root)?;
    // The root may be a link: people keep their data on another disk. What counts is where it leads.
    close_to_others(root, &fs::metadata(root)?, 0o700)?;
    if dir.symlink_metadata().is_err() {
        builder.create(dir)?;
        sync_dir(root)?;
    }
    let found = dir.symlink_metadata()?;
    if !found.is_dir() {
        return Err(refused(format!("{} is not a directory", dir.display())));
    }
    close_to_others(dir, &found, 0o700)
}

/// Takes away what others may do with a file or directory.
#[cfg(unix)]
fn close_to_others(path: &Path, found: &fs::Metadata, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let old = found.permissions().mode() & 0o7777;
    if old & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|error| {
        refused(format!("{} is open to others (mode {old:o}) and stays so: {error}", path.display()))
    })?;
    let (path, old, mode) = (path.display(), format!("{old:o}"), format!("{mode:o}"));
    tracing::warn!(%path, %old, %mode, "was open to others, and is not any more");
    Ok(())
}

/// Elsewhere the rights of the profile directory are inherited.
#[cfg(not(unix))]
fn close_to_others(_path: &Path, _found: &fs::Metadata, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// Refuses to write a secret into somebody else's directory, who could replace or read it. That is also what
/// `sudo` would do to a person's store: leave files there that they cannot read afterwards.
#[cfg(unix)]
fn same_owner(file: &File, dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    if file.metadata()?.uid() == fs::metadata(dir)?.uid() {
        return Ok(());
    }
    Err(refused("the directory belongs to another account"))
}

#[cfg(not(unix))]
fn same_owner(_file: &File, _dir: &Path) -> io::Result<()> {
    Ok(())
}

/// A rename is on disk when its directory is.
#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Elsewhere directories cannot be opened as files; the file system keeps renames in order by itself.
#[cfg(not(unix))]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}
