//! The standard streams of this process, without a thread for each.
//!
//! The streams that a host gives its servers are pipes or sockets, which the runtime can wait for. Anything else
//! (a terminal, a file) is read and written on the runtime's threads for blocking work.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

/// A stream that can be read.
pub type Input = Box<dyn AsyncRead + Send + Unpin>;
/// A stream that can be written.
pub type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// Standard input and standard output. Must be called inside a tokio runtime with I/O, once, by a program that does not use
/// them otherwise: they may be set to non-blocking.
///
/// # Errors
///
/// One of them is closed.
pub fn open() -> io::Result<(Input, Output)> {
    Ok((input()?, output()?))
}

#[cfg(unix)]
fn input() -> io::Result<Input> {
    use std::os::fd::AsFd;
    let fd = io::stdin().as_fd().try_clone_to_owned()?;
    Ok(match Kind::of(&fd)? {
        Kind::Pipe => Box::new(tokio::net::unix::pipe::Receiver::from_owned_fd(fd)?),
        Kind::Socket => Box::new(socket(fd)?),
        Kind::Other => Box::new(tokio::io::stdin()),
    })
}

#[cfg(unix)]
fn output() -> io::Result<Output> {
    use std::os::fd::AsFd;
    let fd = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(match Kind::of(&fd)? {
        Kind::Pipe => Box::new(tokio::net::unix::pipe::Sender::from_owned_fd(fd)?),
        Kind::Socket => Box::new(socket(fd)?),
        Kind::Other => Box::new(tokio::io::stdout()),
    })
}

/// What a descriptor refers to.
#[cfg(unix)]
enum Kind {
    Pipe,
    Socket,
    Other,
}

#[cfg(unix)]
impl Kind {
    fn of(fd: &std::os::fd::OwnedFd) -> io::Result<Self> {
        use std::os::unix::fs::FileTypeExt;
        let kind = std::fs::File::from(fd.try_clone()?).metadata()?.file_type();
        Ok(match (kind.is_fifo(), kind.is_socket()) {
            (true, _) => Self::Pipe,
            (_, true) => Self::Socket,
            _ => Self::Other,
        })
    }
}

#[cfg(unix)]
fn socket(fd: std::os::fd::OwnedFd) -> io::Result<tokio::net::UnixStream> {
    let socket = std::os::unix::net::UnixStream::from(fd);
    socket.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(socket)
}

#[cfg(not(unix))]
fn input() -> io::Result<Input> {
    Ok(Box::new(tokio::io::stdin()))
}

#[cfg(not(unix))]
fn output() -> io::Result<Output> {
    Ok(Box::new(tokio::io::stdout()))
}
