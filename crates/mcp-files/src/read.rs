//! Reading what others may have put there.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use crate::error::{FileError, FileErrorKind, NotRegular};
use crate::owner::Owner;
use crate::system;

/// What to do about a symbolic link in the place of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Links {
    /// Go where it leads, and judge what is there.
    Follow,
    /// Refuse it.
    Refuse,
}

/// What a file must be like to be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Policy {
    limit: u64,
    links: Links,
    owned: bool,
    pipes: bool,
    secret: bool,
    closed: bool,
}

impl Policy {
    /// A file that surrounds a project or a program: a regular file of at most `limit` bytes of any account. A link
    /// is followed, because people keep such files elsewhere, and what counts is what it leads to.
    pub const fn surroundings(limit: u64) -> Self {
        Self { limit, links: Links::Follow, owned: false, pipes: false, secret: false, closed: false }
    }

    /// A file that decides something: of this account or root, and no link.
    pub const fn decision(limit: u64) -> Self {
        Self { limit, links: Links::Refuse, owned: true, pipes: false, secret: false, closed: false }
    }

    /// A secret of this account: as [`decision`](Self::decision), and others may not even read it.
    pub const fn secret(limit: u64) -> Self {
        Self { secret: true, ..Self::decision(limit) }
    }

    /// A file that a person named: as [`surroundings`](Self::surroundings), or a pipe, which a shell's `<( )` hands
    /// over. Reading may wait for the writer of the pipe.
    pub const fn named(limit: u64) -> Self {
        Self { limit, links: Links::Follow, owned: false, pipes: true, secret: false, closed: false }
    }

    /// With links treated like this.
    #[must_use]
    pub const fn with_links(self, links: Links) -> Self {
        Self { links, ..self }
    }

    /// Only where it belongs to this account or root. Where a link is followed, both do.
    #[must_use]
    pub const fn owned(self) -> Self {
        Self { owned: true, ..self }
    }

    /// Only where others may not write to it.
    #[must_use]
    pub const fn closed(self) -> Self {
        Self { closed: true, ..self }
    }

    /// Judges what a name or a handle is.
    fn judge(&self, metadata: &Metadata) -> Result<(), FileError> {
        match what(metadata) {
            None => {}
            Some(NotRegular::Pipe) if self.pipes => return Ok(()),
            Some(other) => return Err(FileError::new(FileErrorKind::NotRegular(other))),
        }
        self.judge_owner(metadata)?;
        if self.closed && system::is_writable_by_others(metadata) {
            return Err(FileError::new(FileErrorKind::Open));
        }
        if self.secret && system::is_open_to_others(metadata) {
            return Err(FileError::new(FileErrorKind::Readable));
        }
        if metadata.len() > self.limit { Err(self.too_large()) } else { Ok(()) }
    }

    fn judge_owner(&self, metadata: &Metadata) -> Result<(), FileError> {
        if self.owned && !Owner::of_metadata(metadata).is_trusted() {
            return Err(FileError::new(FileErrorKind::Owner));
        }
        Ok(())
    }

    fn too_large(&self) -> FileError {
        FileError::new(FileErrorKind::TooLarge { limit: self.limit })
    }
}

/// What is in the place of a regular file, if anything else is.
pub(crate) fn what(metadata: &Metadata) -> Option<NotRegular> {
    if metadata.is_file() {
        None
    } else if metadata.is_dir() {
        Some(NotRegular::Directory)
    } else {
        Some(system::special(metadata))
    }
}

/// Opens a file to read it. Waits for nothing, unless `policy` allows a pipe and it is one.
///
/// # Errors
///
/// There is none, or it is not as `policy` says: see [`FileErrorKind`].
pub fn open(path: &Path, policy: &Policy) -> Result<File, FileError> {
    let named = std::fs::symlink_metadata(path)?;
    if named.is_symlink() {
        if policy.links == Links::Refuse {
            return Err(FileError::new(FileErrorKind::Link));
        }
        policy.judge_owner(&named)?;
    }
    // Before it is opened: opening alone makes some devices do something.
    let found = std::fs::metadata(path)?;
    policy.judge(&found)?;
    // To open a pipe without waiting is to find it empty; a person who named one wants what comes out of it.
    let waits = policy.pipes && what(&found) == Some(NotRegular::Pipe);
    let file = system::open(path, policy.links, waits).map_err(|error| {
        if system::is_link(&error) { FileError::new(FileErrorKind::Link) } else { error.into() }
    })?;
    // Security: it may be another one since; the handle stays what it is.
    policy.judge(&file.metadata()?)?;
    Ok(file)
}

/// The content of a file.
///
/// # Errors
///
/// As [`open`]; it grows past the limit while it is read; or the system cannot read it.
///
/// # Examples
///
/// ```
/// use mcp_files::{FileErrorKind, Policy};
///
/// // A device where a file is expected is refused before a byte of it is read.
/// # #[cfg(unix)]
/// let error = mcp_files::read("/dev/zero".as_ref(), &Policy::surroundings(1024)).unwrap_err();
/// # #[cfg(unix)]
/// assert!(matches!(error.kind(), FileErrorKind::NotRegular(_)));
/// ```
pub fn read(path: &Path, policy: &Policy) -> Result<Vec<u8>, FileError> {
    read_from(open(path, policy)?, policy)
}

/// Whether there is a pipe of this name, or behind it.
pub fn is_pipe(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| what(&found) == Some(NotRegular::Pipe))
}

/// The same, where a pipe that `policy` allows is not waited for without an end: `opening` for a writer to come,
/// and `reading` for its end. What is given up stays behind with a thread of its own, until the pipe ends or the process.
///
/// # Errors
///
/// As [`read`]; the pipe has no writer, or not until its end, in time.
pub fn read_within(
    path: &Path,
    policy: &Policy,
    opening: Duration,
    reading: Duration,
) -> Result<Vec<u8>, FileError> {
    if !(policy.pipes && is_pipe(path)) {
        return read(path, policy);
    }
    let (opened, is_open) = mpsc::channel();
    let (ended, content) = mpsc::channel();
    let (path, policy) = (path.to_owned(), *policy);
    std::thread::spawn(move || {
        let file = open(&path, &policy);
        // A caller that has stopped waiting wants neither.
        let _ = opened.send(());
        let _ = ended.send(file.and_then(|file| read_from(file, &policy)));
    });
    is_open.recv_timeout(opening).map_err(|_| FileError::new(FileErrorKind::Silent))?;
    content.recv_timeout(reading).map_err(|_| FileError::new(FileErrorKind::Unfinished))?
}

/// The content of a file that was opened under this policy.
pub(crate) fn read_from(file: File, policy: &Policy) -> Result<Vec<u8>, FileError> {
    let expected = file.metadata().map_or(0, |metadata| metadata.len().min(policy.limit));
    // What cannot be counted does not fit either.
    let mut content = Vec::with_capacity(usize::try_from(expected).unwrap_or(0) + 1);
    // Files of `/proc` have no length, and others grow.
    file.take(policy.limit.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() as u64 > policy.limit { Err(policy.too_large()) } else { Ok(content) }
}

/// The first line of a file, without white space around it; the limit is of the line.
///
/// # Errors
///
/// As [`open`], but for the size of the file; the line is longer than the limit; it is not UTF-8; or the system
/// cannot read it.
pub fn first_line(path: &Path, policy: &Policy) -> Result<String, FileError> {
    let file = open(path, &Policy { limit: u64::MAX, ..*policy })?;
    let mut start = Vec::new();
    file.take(policy.limit.saturating_add(1)).read_to_end(&mut start)?;
    let end = start.iter().position(|byte| *byte == b'\n');
    if end.is_none() && start.len() as u64 > policy.limit {
        return Err(policy.too_large());
    }
    let line = std::str::from_utf8(&start[..end.unwrap_or(start.len())]);
    let line = line.map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))?;
    Ok(line.trim().to_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn s_k7_a_pipe_is_waited_for_within_a_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let policy = Policy::named(1000);
        let (short, long) = (Duration::from_millis(50), Duration::from_secs(20));
        let began = Instant::now();
        let error = read_within(&path, &policy, short, long).unwrap_err();
        assert_eq!(error.kind(), FileErrorKind::Silent);
        assert!(began.elapsed() < long);
        // The reader that was given up is there still, and takes what comes first.
        let written = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        drop(written);
        std::thread::sleep(Duration::from_millis(100));
        let writer = std::thread::spawn({
            let path = path.clone();
            move || std::fs::write(path, "late").unwrap()
        });
        assert_eq!(read_within(&path, &policy, long, long).unwrap(), b"late");
        writer.join().unwrap();
        let writer = std::thread::spawn({
            let path = path.clone();
            move || {
                let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
                std::thread::sleep(Duration::from_millis(400));
                drop(file);
            }
        });
        let error = read_within(&path, &policy, long, short).unwrap_err();
        assert_eq!(error.kind(), FileErrorKind::Unfinished);
        writer.join().unwrap();
        // Nothing else is waited for.
        std::fs::write(dir.path().join("file"), "text").unwrap();
        let read = read_within(&dir.path().join("file"), &policy, Duration::ZERO, Duration::ZERO);
        assert_eq!(read.unwrap(), b"text");
    }
}
