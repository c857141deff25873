//! Why a file was not read or written.

use std::fmt;
use std::io::{self, ErrorKind};

/// What is in the place of a regular file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NotRegular {
    /// A pipe (FIFO).
    Pipe,
    /// A character or block device.
    Device,
    /// A socket.
    Socket,
    /// A directory.
    Directory,
    /// A regular file in the place of a directory.
    File,
    /// Something else that the system has.
    Other,
}

/// Kinds of [`FileError`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// There is nothing of this name.
    Absent,
    /// Something else is in its place.
    NotRegular(NotRegular),
    /// It is larger than `limit` bytes.
    TooLarge {
        /// What was allowed, in bytes.
        limit: u64,
    },
    /// It belongs to another account.
    Owner,
    /// Others may write to it.
    Open,
    /// Others may read it, and it is a secret.
    Readable,
    /// It is a symbolic link.
    Link,
    /// Another process holds it for too long.
    Busy,
    /// It is marked as one that is not to be written to.
    ReadOnly,
    /// Another program changes it again and again.
    Changing,
    /// It is a pipe, and no writer came in time.
    Silent,
    /// It is a pipe, and it was not written to its end in time.
    Unfinished,
    /// The system refuses: permissions, a full disk, a defect.
    Io,
}

/// Why a file was not read or written: a fragment about "it", which the caller names.
#[derive(Debug)]
pub struct FileError {
    kind: FileErrorKind,
    source: Option<io::Error>,
}

impl FileError {
    /// An error of this kind.
    pub(crate) fn new(kind: FileErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// What kind of error it is.
    pub fn kind(&self) -> FileErrorKind {
        self.kind
    }

    /// Whether there is nothing of this name.
    pub fn is_absent(&self) -> bool {
        self.kind == FileErrorKind::Absent
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        let kind = match error.kind() {
            // `NotADirectory`: what should be a folder above it is a file.
            ErrorKind::NotFound | ErrorKind::NotADirectory => FileErrorKind::Absent,
            _ => FileErrorKind::Io,
        };
        Self { kind, source: Some(error) }
    }
}

impl From<FileError> for io::Error {
    /// For interfaces that speak of `io::Error`: the text stays, and so does the kind where there is one.
    fn from(error: FileError) -> Self {
        let kind = match error.kind {
            FileErrorKind::Absent => ErrorKind::NotFound,
            FileErrorKind::TooLarge { .. } => ErrorKind::FileTooLarge,
            FileErrorKind::Owner
            | FileErrorKind::Open
            | FileErrorKind::Readable
            | FileErrorKind::Link
            | FileErrorKind::ReadOnly => ErrorKind::PermissionDenied,
            FileErrorKind::Busy
            | FileErrorKind::Changing
            | FileErrorKind::Silent
            | FileErrorKind::Unfinished => ErrorKind::TimedOut,
            FileErrorKind::NotRegular(_) => ErrorKind::InvalidInput,
            FileErrorKind::Io => error.source.as_ref().map_or(ErrorKind::Other, io::Error::kind),
        };
        Self::new(kind, error)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (self.kind, &self.source) {
            (FileErrorKind::Absent, _) => "it does not exist",
            (FileErrorKind::NotRegular(what), _) => match what {
                NotRegular::Pipe => "it is a pipe, not a regular file",
                NotRegular::Device => "it is a device, not a regular file",
                NotRegular::Socket => "it is a socket, not a regular file",
                NotRegular::Directory => "it is a directory",
                NotRegular::File => "it is not a directory",
                NotRegular::Other => "it is not a regular file",
            },
            (FileErrorKind::TooLarge { limit }, _) => return write!(f, "it is larger than {}", Size(limit)),
            (FileErrorKind::Owner, _) => "it belongs to another account",
            (FileErrorKind::Open, _) => "others may write to it",
            (FileErrorKind::Readable, _) => "others may read it",
            (FileErrorKind::Link, _) => "it is a symbolic link",
            (FileErrorKind::Silent, _) => "it is a pipe without a writer",
            (FileErrorKind::Unfinished, _) => "it is a pipe that is not written to its end",
            (FileErrorKind::Busy, _) => "another process has been busy with it for too long",
            (FileErrorKind::ReadOnly, _) => "it is read-only",
            (FileErrorKind::Changing, _) => "another program keeps changing it",
            (FileErrorKind::Io, Some(error)) => return f.write_str(&reason(error)),
            (FileErrorKind::Io, None) => "the system refuses",
        };
        f.write_str(text)
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}

/// A number of bytes for people.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => write!(f, "{} MiB", bytes >> 20),
            bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// What the system says, in words for people where it is one of the everyday reasons.
pub fn reason(error: &io::Error) -> String {
    let text = match error.kind() {
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::StorageFull => "the disk is full",
        ErrorKind::QuotaExceeded => "the disk quota is used up",
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        ErrorKind::NotFound => "it does not exist",
        ErrorKind::NotADirectory => "a folder on the way to it is a file",
        ErrorKind::IsADirectory => "it is a directory",
        _ => return without_number(&error.to_string()),
    };
    // An error that wraps another says more by its text.
    if error.get_ref().is_some() { error.to_string() } else { text.to_owned() }
}

/// Without the `(os error 5)` of the standard library.
fn without_number(text: &str) -> String {
    let plain = text.split_once(" (os error ").map_or(text, |(plain, _)| plain);
    let mut chars = plain.chars();
    match (chars.next(), chars.clone().next()) {
        // A fragment; but `I/O` stays.
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(chars).collect(),
        _ => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_fragments_that_say_what_it_is() {
        let table = [
            (FileError::new(FileErrorKind::NotRegular(NotRegular::Pipe)), "it is a pipe, not a regular file"),
            (FileError::new(FileErrorKind::TooLarge { limit: 8 << 20 }), "it is larger than 8 MiB"),
            (FileError::new(FileErrorKind::TooLarge { limit: 16 << 10 }), "it is larger than 16 KiB"),
            (FileError::new(FileErrorKind::TooLarge { limit: 1000 }), "it is larger than 1000 bytes"),
            (io::Error::from(ErrorKind::StorageFull).into(), "the disk is full"),
            (io::Error::from(ErrorKind::ReadOnlyFilesystem).into(), "the file system is read-only"),
            (io::Error::from(ErrorKind::NotADirectory).into(), "it does not exist"),
            (io::Error::other("the cat sat on it").into(), "the cat sat on it"),
        ];
        for (error, text) in table {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn what_the_system_says_is_told_without_its_number() {
        assert_eq!(without_number("Too many levels (os error 40)"), "too many levels");
        assert_eq!(without_number("I/O error"), "I/O error");
    }

    #[test]
    fn as_an_error_of_the_system_it_keeps_text_and_kind() {
        let error = io::Error::from(FileError::new(FileErrorKind::Owner));
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::PermissionDenied, "it belongs to another account".to_owned())
        );
        let full = io::Error::from(FileError::from(io::Error::from(ErrorKind::StorageFull)));
        assert_eq!((full.kind(), reason(&full)), (ErrorKind::StorageFull, "the disk is full".to_owned()));
    }
}
