//! Sockets of this machine in memory, for simulations; in other tests they are those of the system.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use mcp_harness::Random;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, mpsc};

pub(crate) type ReadHalf = tokio::io::ReadHalf<Socket>;
pub(crate) type WriteHalf = tokio::io::WriteHalf<Socket>;

/// How many bytes wait in a socket.
const BUFFER: usize = 64 << 10;

thread_local! {
    /// The sockets of the simulation that runs in this thread.
    static NETWORK: RefCell<Option<Network>> = const { RefCell::new(None) };
}

struct Network {
    random: Random,
    listeners: HashMap<PathBuf, mpsc::UnboundedSender<DuplexStream>>,
    /// What has come to processes that are stopped: they take it when they go on.
    waiting: Option<Vec<(PathBuf, DuplexStream)>>,
}

/// Puts memory in the place of the sockets of this thread.
pub(super) fn begin(seed: u64) {
    let network = Network { random: Random::new(seed), listeners: HashMap::new(), waiting: None };
    NETWORK.with_borrow_mut(|now| *now = Some(network));
}

/// Stops every process that listens now for those who come, or lets it go on.
pub(super) fn stop_listening(stopped: bool) {
    let waiting = with(|network| {
        let waiting = network.waiting.take();
        network.waiting = stopped.then(Vec::new);
        waiting
    });
    for (path, stream) in waiting.into_iter().flatten() {
        drop(send(&path, stream));
    }
}

/// Whether any process listens.
pub(super) fn any_listener() -> bool {
    with(|network| network.listeners.values().any(|listener| !listener.is_closed()))
}

fn with<T>(act: impl FnOnce(&mut Network) -> T) -> T {
    NETWORK.with_borrow_mut(|network| act(network.as_mut().expect("the simulation has begun")))
}

fn is_simulated() -> bool {
    NETWORK.with_borrow(Option::is_some)
}

fn send(path: &Path, stream: DuplexStream) -> io::Result<()> {
    with(|network| match network.listeners.get(path) {
        None => Err(io::ErrorKind::NotFound.into()),
        Some(listener) => listener.send(stream).map_err(|_| io::ErrorKind::ConnectionRefused.into()),
    })
}

#[derive(Debug)]
pub(crate) enum Socket {
    OfSystem(UnixStream),
    InMemory(DuplexStream),
}

impl Socket {
    pub(crate) async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        if !is_simulated() {
            return UnixStream::connect(path).await.map(Self::OfSystem);
        }
        let moment = with(|network| network.random.between(Duration::ZERO, Duration::from_millis(3)));
        tokio::time::sleep(moment).await;
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        let is_stopped = with(|network| {
            let listens = network.listeners.get(path).is_some_and(|listener| !listener.is_closed());
            listens && network.waiting.is_some()
        });
        if is_stopped {
            with(|network| network.waiting.get_or_insert_default().push((path.to_owned(), theirs)));
        } else {
            send(path, theirs)?;
        }
        Ok(Self::InMemory(ours))
    }

    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        if is_simulated() {
            let (one, other) = tokio::io::duplex(BUFFER);
            return Ok((Self::InMemory(one), Self::InMemory(other)));
        }
        UnixStream::pair().map(|(one, other)| (Self::OfSystem(one), Self::OfSystem(other)))
    }

    pub(crate) fn into_split(self) -> (ReadHalf, WriteHalf) {
        tokio::io::split(self)
    }
}

pub(crate) fn check_peer(socket: &Socket) -> io::Result<()> {
    match socket {
        Socket::OfSystem(stream) => mcp_bridge::parts::check_peer(stream),
        Socket::InMemory(_) => Ok(()),
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::OfSystem(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::InMemory(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::OfSystem(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::InMemory(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::OfSystem(stream) => Pin::new(stream).poll_flush(context),
            Self::InMemory(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::OfSystem(stream) => Pin::new(stream).poll_shutdown(context),
            Self::InMemory(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[derive(Debug)]
pub(crate) enum Listener {
    OfSystem(UnixListener),
    InMemory(Mutex<mpsc::UnboundedReceiver<DuplexStream>>),
}

impl Listener {
    pub(crate) fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        if !is_simulated() {
            return UnixListener::bind(path).map(Self::OfSystem);
        }
        // What has the name of a socket, for those who set its mode and remove it.
        std::fs::File::create_new(path)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        with(|network| network.listeners.insert(path.to_owned(), sender));
        Ok(Self::InMemory(Mutex::new(receiver)))
    }

    /// The next one that comes, and nothing of its address.
    pub(crate) async fn accept(&self) -> io::Result<(Socket, ())> {
        match self {
            Self::OfSystem(listener) => {
                listener.accept().await.map(|(stream, _)| (Socket::OfSystem(stream), ()))
            }
            Self::InMemory(coming) => match coming.lock().await.recv().await {
                Some(stream) => Ok((Socket::InMemory(stream), ())),
                // Another process has the name now, so no one comes here any more.
                None => std::future::pending().await,
            },
        }
    }
}
