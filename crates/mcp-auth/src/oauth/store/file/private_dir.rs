//! Directories that are for this account only.

#[cfg(unix)]
use std::fs;
use std::path::Path;

use mcp_files::{FileError, Links};

/// Makes sure that `root` and its subdirectory `dir` are there and are for this account only.
///
/// The root may be a link: people keep their data on another disk. What counts is where it leads. A directory of another
/// account is refused: that one could replace or read what is in it, and what `sudo` leaves there could not be read
/// afterwards.
pub(super) fn private_dir(root: &Path, dir: &Path) -> Result<(), FileError> {
    tell_if_open(root);
    mcp_files::private_dir(root, Links::Follow)?;
    tell_if_open(dir);
    mcp_files::private_dir(dir, Links::Refuse)
}

/// A person wants to know that others could read a sign-in so far; a look closes it.
#[cfg(unix)]
pub(super) fn tell_if_open(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(found) = fs::metadata(path) else { return };
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = %format!("{mode:o}"), "was open to others, and is closed now");
    }
}

/// Elsewhere the rights of the profile directory are inherited.
#[cfg(not(unix))]
pub(super) fn tell_if_open(_: &Path) {}
