//! Whose a file is.

use std::collections::HashMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use crate::system;

/// The account that this process acts as (effective user id); `None` where the system has no such numbers.
pub fn account() -> Option<u32> {
    system::account()
}

/// Whose a file or folder is, as seen from this process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Owner {
    /// The account that this process acts as.
    Account,
    /// The superuser, who could do anything anyway.
    Root,
    /// Another account, by its number.
    Other(u32),
    /// The system does not tell; there, the rights of the profile directory hold.
    Untold,
}

impl Owner {
    /// Of what `path` is, of the link where it is one; `None` where nothing is there.
    pub fn of(path: &Path) -> Option<Self> {
        std::fs::symlink_metadata(path).ok().map(|metadata| Self::of_metadata(&metadata))
    }

    /// Of what this metadata belongs to.
    pub fn of_metadata(metadata: &Metadata) -> Self {
        match system::owner(metadata) {
            None => Self::Untold,
            Some(owner) if Some(owner) == account() => Self::Account,
            Some(0) => Self::Root,
            Some(owner) => Self::Other(owner),
        }
    }

    /// Whether it may decide something for this account: it is of this account, or of the superuser.
    pub fn is_trusted(self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// Whether it is of this account and of no other one.
    pub fn is_account(self) -> bool {
        matches!(self, Self::Account | Self::Untold)
    }
}

/// Whether a file of this account is kept from it by its own permissions, which it can change. For what is told of it, and to
/// decide nothing.
#[must_use]
pub fn is_withheld_from_owner(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        const OWNER_READS: u32 = 0o400;
        let is_withheld = |file: Metadata| account() == Some(file.uid()) && file.mode() & OWNER_READS == 0;
        std::fs::metadata(path).is_ok_and(is_withheld)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Whether every account of the machine may read a file of this one. A link is one of those who mount secrets, and says nothing
/// of who comes as far as what it leads to. For what is told of it, and to decide nothing.
#[must_use]
pub fn is_readable_by_all(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        const ALL_READ: u32 = 0o004;
        let is_open = |file: Metadata| account() == Some(file.uid()) && file.mode() & ALL_READ != 0;
        std::fs::symlink_metadata(path).is_ok_and(|file| file.is_file() && is_open(file))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Looks for what lets every account of the machine change a file: its own mode, or that of a directory that leads to it, without the
/// sticky bit that keeps others from renaming what is in it. Links are followed. For what is told of files, and to decide nothing.
///
/// It remembers the directories that it has looked at, because files of an account share most of theirs.
#[derive(Debug, Default)]
pub struct OpenPlaces {
    directories: HashMap<PathBuf, Option<PathBuf>>,
}

impl OpenPlaces {
    /// The file at `path` or the first directory above it that every account may write to; `None` where there is none, no such
    /// file, or the system has no such modes.
    pub fn leading_to(&mut self, path: &Path) -> Option<PathBuf> {
        if !std::fs::metadata(path).is_ok_and(|found| found.is_file()) {
            return None;
        }
        self.at(&std::path::absolute(path).ok()?)
    }

    fn at(&mut self, path: &Path) -> Option<PathBuf> {
        if let Some(known) = self.directories.get(path) {
            return known.clone();
        }
        let found = std::fs::symlink_metadata(path).ok()?;
        let open = match found.is_symlink() {
            true => std::fs::canonicalize(path).ok().and_then(|target| self.at(&target)),
            false => system::is_open_to_all(&found).then(|| path.to_owned()),
        };
        let open = open.or_else(|| path.parent().and_then(|parent| self.at(parent)));
        if found.is_dir() {
            self.directories.insert(path.to_owned(), open.clone());
        }
        open
    }
}

#[cfg(all(unix, test))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_withheld_from_its_owner_by_its_own_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        assert!(!is_withheld_from_owner(&path), "there is none");
        std::fs::write(&path, "x").unwrap();
        for (mode, expected) in [(0o000, true), (0o044, true), (0o400, false), (0o600, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_withheld_from_owner(&path), expected, "{mode:o}");
        }
    }

    #[test]
    fn a_file_is_open_to_all_by_its_own_mode_or_by_that_of_a_directory_that_leads_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let (folder, elsewhere) = (base.join("folder"), base.join("elsewhere"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::create_dir(&elsewhere).unwrap();
        let (file, target, link) = (folder.join("file"), elsewhere.join("target"), folder.join("link"));
        std::fs::write(&file, "x").unwrap();
        std::fs::write(&target, "x").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let open = |path: &Path| OpenPlaces::default().leading_to(path);
        assert_eq!(open(&folder.join("absent")), None);
        for (own, of_folder, expected) in [
            (0o600, 0o755, None),
            (0o664, 0o775, None),
            (0o602, 0o755, Some(&file)),
            (0o600, 0o777, Some(&folder)),
            // What others own they may not rename or replace there.
            (0o600, 0o1777, None),
            (0o666, 0o1777, Some(&file)),
        ] {
            mode(&file, own);
            mode(&folder, of_folder);
            assert_eq!(open(&file).as_ref(), expected, "{own:o} {of_folder:o}");
        }
        // Both ends of a link count.
        mode(&folder, 0o755);
        assert_eq!(open(&link), None);
        mode(&elsewhere, 0o777);
        assert_eq!(open(&link), Some(elsewhere.clone()));
        mode(&elsewhere, 0o755);
        mode(&folder, 0o777);
        assert_eq!(open(&link), Some(folder.clone()));
        // Directories are looked at once.
        let mut places = OpenPlaces::default();
        assert_eq!(places.leading_to(&link), Some(folder.clone()));
        mode(&folder, 0o755);
        assert_eq!(places.leading_to(&link), Some(folder));
    }

    #[test]
    fn a_file_of_this_account_is_readable_by_all_by_its_permissions_and_a_link_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("file"), dir.path().join("link"));
        assert!(!is_readable_by_all(&path), "there is none");
        std::fs::write(&path, "x").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for (mode, expected) in [(0o644, true), (0o444, true), (0o604, true), (0o640, false), (0o600, false)]
        {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_readable_by_all(&path), expected, "{mode:o}");
            assert!(!is_readable_by_all(&link), "{mode:o}");
        }
        assert!(!is_readable_by_all(dir.path()), "a folder");
    }
}
