//! What is for this account alone: directories, and files that are replaced or appended to.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{FileError, FileErrorKind, NotRegular};
use crate::owner::Owner;
use crate::read::{Links, Policy, open, read_from, what};
use crate::system;

/// Makes `directory` and what is missing above it, and insists that it is for this account alone (mode 0700, under any
/// umask). What others may do with one that is there already is taken away; what its owner may do with it stays, so that
/// a folder that was closed to writing is one that cannot be written.
///
/// Where `links` says so, it may be a link: people keep their data on another disk. A link that is followed belongs to
/// this account or root, and what it leads to belongs to this account.
///
/// # Errors
///
/// It cannot be made, is not a directory, is a link, or belongs to another account.
pub fn private_dir(directory: &Path, links: Links) -> Result<(), FileError> {
    make(directory)?;
    close(directory, links)
}

fn make(directory: &Path) -> Result<(), FileError> {
    match system::create_dir(directory) {
        Ok(()) => open_up(directory),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
                return Err(error.into());
            };
            make(parent)?;
            match system::create_dir(directory) {
                Ok(()) => open_up(directory),
                // Another process was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                Err(error) => Err(refused(error)),
            }
        }
        Err(error) => Err(refused(error)),
    }
}

/// What is missing when something is *written* is not just absent: the reason is the system's.
fn refused(error: std::io::Error) -> FileError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => std::io::Error::other(crate::reason(&error)).into(),
        _ => error.into(),
    }
}

/// Gives its owner what an umask took.
#[cfg(unix)]
fn open_up(directory: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt;
    let found = std::fs::symlink_metadata(directory)?;
    if found.is_dir() && !system::is_mode(&found, 0o700) {
        // Made by this call; a handle cannot be obtained without the right to read.
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn open_up(_: &Path) -> Result<(), FileError> {
    Ok(())
}

/// Insists that `directory` is one of this account that others may not write to, without changing anything.
///
/// # Errors
///
/// It does not exist, is not a directory, is a link, belongs to another account, or others may write to it.
pub fn check_private_dir(directory: &Path, links: Links) -> Result<(), FileError> {
    let found = judged_dir(directory, links)?;
    if system::is_writable_by_others(&found) { Err(FileError::new(FileErrorKind::Open)) } else { Ok(()) }
}

fn judged_dir(directory: &Path, links: Links) -> Result<Metadata, FileError> {
    let named = std::fs::symlink_metadata(directory)?;
    let found = if named.is_symlink() {
        if links == Links::Refuse {
            return Err(FileError::new(FileErrorKind::Link));
        }
        if !Owner::of_metadata(&named).is_trusted() {
            return Err(FileError::new(FileErrorKind::Owner));
        }
        std::fs::metadata(directory)?
    } else {
        named
    };
    if !found.is_dir() {
        let what = what(&found).unwrap_or(NotRegular::File);
        return Err(FileError::new(FileErrorKind::NotRegular(what)));
    }
    if !Owner::of_metadata(&found).is_account() {
        return Err(FileError::new(FileErrorKind::Owner));
    }
    Ok(found)
}

/// Takes away what others may do with a directory.
#[cfg(unix)]
fn close(directory: &Path, links: Links) -> Result<(), FileError> {
    let found = judged_dir(directory, links)?;
    if !system::is_open_to_others(&found) {
        return Ok(());
    }
    // Security: through a handle, and judged again; the name may be another one's by now.
    let handle = system::open_dir(directory, links)?;
    let found = handle.metadata()?;
    if !Owner::of_metadata(&found).is_account() {
        return Err(FileError::new(FileErrorKind::Owner));
    }
    Ok(system::close_to_others(&handle, &found)?)
}

#[cfg(not(unix))]
fn close(directory: &Path, links: Links) -> Result<(), FileError> {
    judged_dir(directory, links).map(drop)
}

/// Opens a file to append to it, made if it is not there: of this account, mode 0600 under any umask. It is not a link
/// and nothing special, and opening it waits for nothing.
///
/// # Errors
///
/// It is something else, belongs to another account, or cannot be opened.
pub fn append(path: &Path) -> Result<File, FileError> {
    open_private(OpenOptions::new().append(true).create(true), path)
}

/// The content of a file of this account, of at most `limit` bytes. What others may do with it is taken away.
///
/// # Errors
///
/// As [`append`], it is larger, or there is none.
pub fn read_private(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let policy = Policy::decision(limit);
    let file = open(path, &policy)?;
    close_file(&file)?;
    read_from(file, &policy)
}

/// Opens an empty file that is there to be locked, under the rules of [`append`].
///
/// # Errors
///
/// As [`append`].
pub fn lock_file(path: &Path) -> Result<File, FileError> {
    open_private(OpenOptions::new().write(true).create(true).truncate(false), path)
}

fn open_private(options: &mut OpenOptions, path: &Path) -> Result<File, FileError> {
    let is_new = match std::fs::symlink_metadata(path) {
        Ok(found) => judge(&found).map(|()| false)?,
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(error.into()),
    };
    let file = system::open_private(options, path).map_err(|error| {
        if system::is_link(&error) { FileError::new(FileErrorKind::Link) } else { error.into() }
    })?;
    if is_new {
        open_file(&file)?
    } else {
        close_file(&file)?
    }
    Ok(file)
}

/// Gives its owner what an umask took from a file that was just made.
fn open_file(file: &File) -> Result<(), FileError> {
    let found = file.metadata()?;
    judge(&found)?;
    #[cfg(unix)]
    if !system::is_mode(&found, 0o600) {
        system::set_mode(file, 0o600)?;
    }
    Ok(())
}

/// Takes away what others may do with a file, which is one of this account. What its owner may do with it stays.
fn close_file(file: &File) -> Result<(), FileError> {
    let found = file.metadata()?;
    judge(&found)?;
    if system::is_open_to_others(&found) {
        system::close_to_others(file, &found)?;
    }
    Ok(())
}

/// A regular file of this account.
fn judge(found: &Metadata) -> Result<(), FileError> {
    if found.is_symlink() {
        return Err(FileError::new(FileErrorKind::Link));
    }
    if let Some(what) = what(found) {
        return Err(FileError::new(FileErrorKind::NotRegular(what)));
    }
    if !Owner::of_metadata(found).is_account() {
        return Err(FileError::new(FileErrorKind::Owner));
    }
    Ok(())
}

/// Replaces a file in one step, mode 0600 under any umask: who dies on the way leaves the old content, and when this
/// returns, the new one survives a power failure. A link of this name is replaced, not followed.
///
/// # Errors
///
/// The directory is not there or cannot be written, the disk is full, or a directory has the name.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), FileError> {
    replace_after(path, content, || Ok(()))
}

/// As [`replace`], with something done once the new content is on disk and before it takes the name.
///
/// # Errors
///
/// As [`replace`], and those of `before`.
pub fn replace_after(
    path: &Path,
    content: &[u8],
    before: impl FnOnce() -> Result<(), FileError>,
) -> Result<(), FileError> {
    replace_dressed(path, content, |_| Ok(()), before)
}

/// The same, where `dress` makes the new file, written and not yet in its place, as open as it is to be.
pub(crate) fn replace_dressed(
    path: &Path,
    content: &[u8],
    dress: impl FnOnce(&File) -> Result<(), FileError>,
    before: impl FnOnce() -> Result<(), FileError>,
) -> Result<(), FileError> {
    drafted(path, content, dress, |draft| {
        before()?;
        std::fs::rename(draft, path).map_err(refused)
    })?;
    match path.parent() {
        Some(directory) => Ok(system::sync_dir(directory)?),
        None => Ok(()),
    }
}

/// Makes a file, whole or not at all, mode 0600 under any umask, unless something has the name already. Returns
/// whether it did.
///
/// # Errors
///
/// The directory is not there or cannot be written, or the disk is full.
pub fn publish(path: &Path, content: &[u8]) -> Result<bool, FileError> {
    drafted(
        path,
        content,
        |_| Ok(()),
        |draft| {
            let linked = std::fs::hard_link(draft, path).map(|()| true).or_else(|error| {
                if error.kind() == ErrorKind::AlreadyExists { Ok(false) } else { Err(refused(error)) }
            });
            drop(std::fs::remove_file(draft));
            linked
        },
    )
}

/// Writes a draft of `path` and hands it to `place`. It is gone afterwards.
fn drafted<T>(
    path: &Path,
    content: &[u8],
    dress: impl FnOnce(&File) -> Result<(), FileError>,
    place: impl FnOnce(&Path) -> Result<T, FileError>,
) -> Result<T, FileError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut name = draft_prefix(path);
    name.push(format!("{}-{number}", std::process::id()));
    let draft = path.with_file_name(name);
    let placed = write_new(&draft, content, dress).and_then(|()| place(&draft));
    if placed.is_err() {
        // The error that matters is the one above.
        drop(std::fs::remove_file(&draft));
    }
    placed
}

fn write_new(
    path: &Path,
    content: &[u8],
    dress: impl FnOnce(&File) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let open = || system::open_private(OpenOptions::new().write(true).create_new(true), path);
    let mut file = match open() {
        // Left behind by a process of this number that was killed.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            std::fs::remove_file(path)?;
            open()
        }
        opened => opened,
    }
    .map_err(refused)?;
    open_file(&file)?;
    file.write_all(content)?;
    dress(&file)?;
    Ok(file.sync_all()?)
}

/// What the names of drafts of a file begin with.
fn draft_prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".new-");
    prefix
}

/// Removes what a writer of `path` that was killed left behind. For the holder of the file's lock, so that no
/// other writer is at work.
///
/// # Errors
///
/// The directory cannot be read, or a draft cannot be removed.
pub fn sweep(path: &Path) -> Result<(), FileError> {
    let prefix = draft_prefix(path);
    let Some(directory) = path.parent() else { return Ok(()) };
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
            remove(&directory.join(name))?;
        }
    }
    Ok(())
}

/// Has the system write down what was made, renamed or removed in a directory.
///
/// # Errors
///
/// The system cannot.
pub fn sync_dir(directory: &Path) -> Result<(), FileError> {
    Ok(system::sync_dir(directory)?)
}

fn remove(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
