//! The standard streams of this process, without a thread for each.
//!
//! The streams that a host gives its servers are pipes or sockets, which the runtime can wait for. Anything else
//! (a terminal, a file) is read and written on the runtime's threads for blocking work.
//!
//! Whether a pipe waits is a property that all its holders share: standard error after `2>&1`, a script that goes on reading
//! where this program stopped. So a pipe is opened a second time, for this process alone, and what was handed to it stays as it
//! is. Where the system has no `/proc`, and for a socket, which cannot be opened, the property changes for all holders.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

/// A stream that can be read.
pub type StdioInput = Box<dyn AsyncRead + Send + Unpin>;
/// A stream that can be written.
pub type StdioOutput = Box<dyn AsyncWrite + Send + Unpin>;

/// Standard input and standard output. Must be called inside a tokio runtime with I/O, once, by a program that does not use
/// them otherwise.
///
/// # Errors
///
/// One of them is closed.
pub fn open() -> io::Result<(StdioInput, StdioOutput)> {
    Ok((system::input()?, system::output()?))
}

#[cfg(unix)]
mod system {
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};

    use mcp_files::PipeEnd;
    use tokio::net::unix::pipe;

    use super::{StdioInput, StdioOutput};

    pub(super) fn input() -> io::Result<StdioInput> {
        let fd = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(match Kind::of(&fd)? {
            Kind::Pipe => Box::new(pipe::Receiver::from_owned_fd(own(fd, PipeEnd::Read))?),
            Kind::Socket => Box::new(socket(fd)?),
            Kind::Other => Box::new(tokio::io::stdin()),
        })
    }

    pub(super) fn output() -> io::Result<StdioOutput> {
        let fd = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(match Kind::of(&fd)? {
            Kind::Pipe => Box::new(pipe::Sender::from_owned_fd(own(fd, PipeEnd::Write))?),
            Kind::Socket => Box::new(socket(fd)?),
            Kind::Other => Box::new(tokio::io::stdout()),
        })
    }

    /// The pipe for this process alone, where the system can do that.
    fn own(held: OwnedFd, end: PipeEnd) -> OwnedFd {
        mcp_files::reopen_pipe(held.as_fd(), end).unwrap_or(held)
    }

    fn socket(fd: OwnedFd) -> io::Result<tokio::net::UnixStream> {
        let socket = std::os::unix::net::UnixStream::from(fd);
        socket.set_nonblocking(true)?;
        tokio::net::UnixStream::from_std(socket)
    }

    /// What a descriptor refers to.
    enum Kind {
        Pipe,
        Socket,
        Other,
    }

    impl Kind {
        fn of(fd: &OwnedFd) -> io::Result<Self> {
            use std::os::unix::fs::FileTypeExt;
            let kind = std::fs::File::from(fd.try_clone()?).metadata()?.file_type();
            Ok(match (kind.is_fifo(), kind.is_socket()) {
                (true, _) => Self::Pipe,
                (_, true) => Self::Socket,
                _ => Self::Other,
            })
        }
    }
}

#[cfg(not(unix))]
mod system {
    use std::io;

    use super::{StdioInput, StdioOutput};

    pub(super) fn input() -> io::Result<StdioInput> {
        Ok(Box::new(tokio::io::stdin()))
    }

    pub(super) fn output() -> io::Result<StdioOutput> {
        Ok(Box::new(tokio::io::stdout()))
    }
}
