//! Files that people and other programs keep, of which something is changed.

use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::error::FileError;
use crate::lock::lock;
use crate::owner::Owner;
use crate::private::{private_dir, replace_dressed, sweep};
use crate::read::{Links, Policy, open, read_from};
use crate::stamp::Stamp;
use crate::{FileErrorKind, system};

/// As many as the systems follow.
const MAX_LINKS: usize = 40;

/// How often what another program wrote meanwhile is read again.
const ATTEMPTS: usize = 20;

/// Who may read a file that is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NewFile {
    /// This account alone.
    Private,
    /// Who may read the directory that it is in.
    AsDirectory,
}

/// How a file is rewritten.
#[derive(Clone, Copy, Debug)]
pub struct Rewrite<'a> {
    locks: &'a Path,
    patience: Duration,
    limit: u64,
    new: NewFile,
}

impl<'a> Rewrite<'a> {
    /// A file of at most `limit` bytes. Writers that keep their locks in the directory `locks`, which is made if it is not
    /// there, wait for each other, for 10 s at most. It is named apart from the file because a file beside the one that is
    /// changed would be left in a project.
    pub const fn new(locks: &'a Path, limit: u64, new: NewFile) -> Self {
        Self { locks, patience: Duration::from_secs(10), limit, new }
    }

    /// Waits for other writers as long as this.
    #[must_use]
    pub const fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    fn policy(&self) -> Policy {
        Policy::decision(self.limit)
    }
}

/// What came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RewriteOutcome {
    /// The file, where links lead.
    pub file: PathBuf,
    /// Whether it was not there before.
    pub is_new: bool,
    /// Whether anything was written.
    pub changed: bool,
}

/// Changes a file: `edit` gets its content, or `None` where there is none, and says what it is to be, or `None` where
/// nothing is to be done. It is called again where another program was faster.
///
/// The file is replaced in one step, where links lead, with the mode and the group that it had: who dies on the way leaves
/// the old content and, at worst, a draft that the next writer clears away. When this returns, the new content survives a
/// power failure. Programs that know nothing of the lock can lose only what they write in the moment of the rename.
///
/// # Errors
///
/// Those of `edit`; it is not a regular file of this account, it is read-only or too large; its directory cannot be written;
/// another process holds the lock ([`FileErrorKind::Busy`]) or keeps writing ([`FileErrorKind::Changing`]).
///
/// # Examples
///
/// ```
/// use mcp_files::{FileError, NewFile, Rewrite, rewrite};
///
/// let home = tempfile::tempdir()?;
/// let (file, locks) = (home.path().join("notes"), home.path().join("locks"));
/// for line in ["a\n", "b\n"] {
///     let how = Rewrite::new(&locks, 1024, NewFile::Private);
///     rewrite(&file, &how, |content| {
///         Ok::<_, FileError>(Some([content.unwrap_or_default(), line.as_bytes()].concat()))
///     })?;
/// }
/// assert_eq!(std::fs::read(&file)?, b"a\nb\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn rewrite<E: From<FileError>>(
    path: &Path,
    how: &Rewrite<'_>,
    mut edit: impl FnMut(Option<&[u8]>) -> Result<Option<Vec<u8>>, E>,
) -> Result<RewriteOutcome, E> {
    private_dir(how.locks, Links::Follow)?;
    // A link on the way may lead elsewhere once the lock is held.
    let _lock = lock(&how.locks.join(lock_name(&leading(path)?)), how.patience)?;
    for _ in 0..ATTEMPTS {
        let file = leading(path)?;
        let stamp = Stamp::of(&file);
        let found = found(&file, how)?;
        let content = found.as_ref().map(|(content, _)| content.as_slice());
        let Some(new) = edit(content)? else {
            return Ok(RewriteOutcome { is_new: false, changed: false, file });
        };
        if new.len() as u64 > how.limit {
            return Err(FileError::new(FileErrorKind::TooLarge { limit: how.limit }).into());
        }
        if content == Some(&new) {
            return Ok(RewriteOutcome { is_new: false, changed: false, file });
        }
        if write(&file, &new, found.as_ref().map(|(_, metadata)| metadata), how, stamp)? {
            return Ok(RewriteOutcome { is_new: found.is_none(), changed: true, file });
        }
    }
    Err(FileError::new(FileErrorKind::Changing).into())
}

/// Removes a file of which `is_to_go` says so by its content, under the lock of those that [`rewrite`] it. It is called again
/// where another program was faster. Returns whether it did; where there is no file, it did not.
///
/// # Errors
///
/// Those of `is_to_go`, and those of [`rewrite`].
pub fn remove<E: From<FileError>>(
    path: &Path,
    how: &Rewrite<'_>,
    mut is_to_go: impl FnMut(&[u8]) -> Result<bool, E>,
) -> Result<bool, E> {
    private_dir(how.locks, Links::Follow)?;
    let _lock = lock(&how.locks.join(lock_name(&leading(path)?)), how.patience)?;
    for _ in 0..ATTEMPTS {
        let file = leading(path)?;
        let stamp = Stamp::of(&file);
        let Some((content, _)) = found(&file, how)? else { return Ok(false) };
        if !is_to_go(&content)? {
            return Ok(false);
        }
        if Stamp::of(&file) == stamp {
            std::fs::remove_file(&file).map_err(FileError::from)?;
            system::sync_dir(file.parent().unwrap_or(Path::new("/"))).map_err(FileError::from)?;
            return Ok(true);
        }
    }
    Err(FileError::new(FileErrorKind::Changing).into())
}

/// The content of the file, and what it is like; nothing where there is none.
fn found(file: &Path, how: &Rewrite<'_>) -> Result<Option<(Vec<u8>, Metadata)>, FileError> {
    let opened = match open(file, &how.policy()) {
        Err(error) if error.is_absent() => return Ok(None),
        opened => opened?,
    };
    let metadata = opened.metadata()?;
    // The superuser's file would become one of this account.
    if !Owner::of_metadata(&metadata).is_account() {
        return Err(FileError::new(FileErrorKind::Owner));
    }
    // A rename would not ask.
    if !system::is_writable(&metadata) {
        return Err(FileError::new(FileErrorKind::ReadOnly));
    }
    Ok(Some((read_from(opened, &how.policy())?, metadata)))
}

/// Puts the new content in the place of the file, unless that is no longer what was read; returns whether it did.
fn write(
    file: &Path,
    new: &[u8],
    old: Option<&Metadata>,
    how: &Rewrite<'_>,
    stamp: Stamp,
) -> Result<bool, FileError> {
    let directory = file.parent().unwrap_or(Path::new("/"));
    if old.is_none() && !directory.exists() {
        private_dir(directory, Links::Follow)?;
    }
    sweep(file)?;
    let around = std::fs::metadata(directory)?;
    let mut was_changed = false;
    let replaced = replace_dressed(
        file,
        new,
        |draft| match (old, how.new) {
            (Some(old), _) => Ok(system::open_as(draft, old)?),
            (None, NewFile::AsDirectory) => Ok(system::open_as_directory(draft, &around)?),
            (None, NewFile::Private) => Ok(()),
        },
        || {
            was_changed = Stamp::of(file) != stamp;
            if was_changed { Err(FileError::new(FileErrorKind::Changing)) } else { Ok(()) }
        },
    );
    match replaced {
        Err(_) if was_changed => Ok(false),
        replaced => replaced.map(|()| true),
    }
}

/// Where the links at `path` lead, whether there is anything or not.
///
/// Security: a link of another account could lead to any file of this one.
fn leading(path: &Path) -> Result<PathBuf, FileError> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = match path.components().next_back() {
            Some(Component::Normal(name)) => name.to_owned(),
            _ => return Err(FileError::new(FileErrorKind::NotRegular(crate::NotRegular::Directory))),
        };
        // What is not there is made later.
        let directory = std::fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned());
        let here = directory.join(name);
        match std::fs::symlink_metadata(&here) {
            Ok(found) if found.is_symlink() => {
                if !Owner::of_metadata(&found).is_trusted() {
                    return Err(FileError::new(FileErrorKind::Owner));
                }
                path = directory.join(std::fs::read_link(&here)?);
            }
            _ => return Ok(here),
        }
    }
    Err(std::io::Error::other("its links lead in a circle").into())
}

/// The name of the lock of a file: a digest of its path (FNV-1a, 64 bits). Two files that share one wait for each other,
/// and no more.
fn lock_name(file: &Path) -> String {
    let digest =
        file.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| {
            (digest ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        });
    format!("{digest:016x}.lock")
}
