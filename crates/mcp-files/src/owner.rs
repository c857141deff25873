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
