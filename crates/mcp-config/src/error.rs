//! What can go wrong when this crate writes. Loading never fails: see [`Problem`](crate::Problem).

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use mcp_files::{FileError, FileErrorKind};

use crate::edit::EditError;

/// The kind of a [`ConfigError`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// The file could not be read.
    Read,
    /// The file could not be written; what was there is still there.
    Write,
    /// The file is marked as one that is not to be written to. It is left as it is.
    ReadOnly,
    /// There is no room for it; what was there is still there.
    Full,
    /// Another process held the lock for too long.
    Locked,
    /// The file is not what this tool writes. It is left as it is.
    Corrupt,
    /// The file would be larger than is read again; what was there is still there.
    TooLarge,
    /// The file is not UTF-8. It is left as it is.
    Encoding,
    /// The change could not be made in the text of the file. It is left as it is.
    Edit,
    /// The folder's path is not valid Unicode, so it cannot be written down.
    Path,
}

/// A failure to read or write a file of this tool's own state, or to change a configuration file.
#[derive(Debug)]
pub struct ConfigError {
    kind: ConfigErrorKind,
    path: PathBuf,
    source: Option<Source>,
}

#[derive(Debug)]
enum Source {
    File(FileError),
    Edit(EditError),
}

impl ConfigError {
    pub(crate) fn new(kind: ConfigErrorKind, path: &Path) -> Self {
        Self { kind, path: path.to_owned(), source: None }
    }

    pub(crate) fn io(kind: ConfigErrorKind, path: &Path, source: FileError) -> Self {
        let io = std::error::Error::source(&source).and_then(|io| io.downcast_ref::<std::io::Error>());
        let kind = match (source.kind(), io.map(std::io::Error::kind)) {
            (FileErrorKind::ReadOnly, _) => ConfigErrorKind::ReadOnly,
            (_, Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)) => {
                ConfigErrorKind::Full
            }
            _ => kind,
        };
        Self { kind, path: path.to_owned(), source: Some(Source::File(source)) }
    }

    pub(crate) fn edit(path: &Path, source: EditError) -> Self {
        Self { kind: ConfigErrorKind::Edit, path: path.to_owned(), source: Some(Source::Edit(source)) }
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ConfigErrorKind {
        self.kind
    }

    /// The file or folder that it is about.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        // The reason is part of the text: a full disk and a folder of another account want different things done.
        let because = |f: &mut fmt::Formatter<'_>| match &self.source {
            Some(Source::File(source)) => write!(f, ": {source}"),
            Some(Source::Edit(source)) => write!(f, ":{source}"),
            None => Ok(()),
        };
        match self.kind {
            ConfigErrorKind::Read => write!(f, "read {path}").and_then(|()| because(f)),
            ConfigErrorKind::Write | ConfigErrorKind::ReadOnly | ConfigErrorKind::Full => {
                write!(f, "write {path}").and_then(|()| because(f))
            }
            ConfigErrorKind::Locked => write!(f, "lock {path}: another process holds it"),
            ConfigErrorKind::Corrupt => write!(f, "understand {path}; it is left as it is"),
            ConfigErrorKind::TooLarge => write!(f, "write {path}: it would be too large to be read again"),
            ConfigErrorKind::Encoding => write!(f, "change {path}: it is not UTF-8"),
            ConfigErrorKind::Edit => write!(f, "change {path}").and_then(|()| because(f)),
            ConfigErrorKind::Path => write!(f, "write down the path {path}: it is not valid Unicode"),
        }
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| match source {
            Source::File(source) => source as _,
            Source::Edit(source) => source as _,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_what_cannot_be_written() {
        let of = |kind: std::io::ErrorKind| {
            ConfigError::io(ConfigErrorKind::Write, Path::new("f"), std::io::Error::from(kind).into()).kind()
        };
        assert_eq!(of(std::io::ErrorKind::StorageFull), ConfigErrorKind::Full);
        assert_eq!(of(std::io::ErrorKind::QuotaExceeded), ConfigErrorKind::Full);
        assert_eq!(of(std::io::ErrorKind::PermissionDenied), ConfigErrorKind::Write);
    }
}
