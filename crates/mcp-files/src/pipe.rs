//! Pipes that a process was handed.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::OFlags;

/// For what a pipe is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a pipe has two ends")]
pub enum PipeEnd {
    /// To read from it.
    Read,
    /// To write into it.
    Write,
}

/// The pipe behind `held` once more, for this process alone, and without waiting: that is a property of what is opened, and who else holds
/// `held` (a child, a script, standard error after `2>&1`) finds it as it was. Linux only: it takes `/proc`.
///
/// # Errors
///
/// There is no `/proc`, or another account made the pipe.
pub fn reopen_pipe(held: BorrowedFd<'_>, end: PipeEnd) -> io::Result<OwnedFd> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.read(end == PipeEnd::Read).write(end == PipeEnd::Write);
    options.custom_flags(flags.bits().cast_signed());
    Ok(options.open(format!("/proc/self/fd/{}", held.as_raw_fd()))?.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    use rustix::fs::fcntl_getfl;

    use super::*;

    #[test]
    fn the_same_pipe_is_opened_and_the_one_that_was_held_still_waits() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let own = reopen_pipe(writer.as_fd(), PipeEnd::Write).unwrap();
        assert!(fcntl_getfl(&own).unwrap().contains(OFlags::NONBLOCK));
        std::fs::File::from(own).write_all(b"x").unwrap();
        let mut read = [0];
        reader.read_exact(&mut read).unwrap();
        assert_eq!(read, *b"x");
        let other = reopen_pipe(reader.as_fd(), PipeEnd::Read).unwrap();
        let empty = std::fs::File::from(other).read(&mut read).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        for flags in [fcntl_getfl(&writer), fcntl_getfl(&reader)] {
            assert!(!flags.unwrap().contains(OFlags::NONBLOCK));
        }
    }
}
