//! Whose a file is.

use std::fs::Metadata;
use std::path::Path;

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
