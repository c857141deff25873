//! Listening, and not listening any more.
//!
//! Each server runs on a thread of its own with its own single-threaded runtime. That costs a thread and buys three
//! things: `Drop` can really join (a task on the caller's runtime can only be aborted), the fake keeps answering
//! while the test blocks its own thread, and a test with paused tokio time does not pause its servers.

use std::convert::Infallible;
use std::fmt;
use std::future::{self, Future};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc as std_mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::ReplyBody;

/// How many connections may wait to be accepted, as the standard library has it.
const BACKLOG: u32 = 128;

/// Closes the connection where an answer was due.
#[derive(Debug)]
pub(crate) struct HangUp;

impl fmt::Display for HangUp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("scripted hang-up")
    }
}

impl std::error::Error for HangUp {}

/// What a fake server does with a request.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers one request that arrived on the numbered connection.
    fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        connection: u64,
    ) -> impl Future<Output = Result<Response<ReplyBody>, HangUp>> + Send;
}

/// What a fake does with a connection.
pub(crate) trait Accepts: Send + Sync + 'static {
    /// Serves one connection to its end.
    fn serve(self: Arc<Self>, stream: TcpStream, number: u64) -> impl Future<Output = ()> + Send;
}

/// Speaks HTTP/1.1 on every connection.
struct Http<H>(Arc<H>);

impl<H: Handler> Accepts for Http<H> {
    async fn serve(self: Arc<Self>, stream: TcpStream, number: u64) {
        let service = service_fn(move |request| Arc::clone(&self.0).handle(request, number));
        // A scripted hang-up and a client that leaves both end here as errors; both are what the test asked for.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }
}

/// A listening server; dropping it stops and joins everything that it started.
#[derive(Debug)]
pub(crate) struct ListeningServer {
    address: SocketAddr,
    accepted: Arc<AtomicU64>,
    open: Arc<AtomicU64>,
    commands: mpsc::UnboundedSender<Command>,
    ended: oneshot::Receiver<Infallible>,
    thread: Option<JoinHandle<()>>,
}

/// An order to the accept loop; each is acknowledged, so that the caller sees its effect when the call returns.
#[derive(Debug)]
enum Command {
    DropConnections(std_mpsc::Sender<()>),
    Down(std_mpsc::Sender<()>),
    Up(std_mpsc::Sender<io::Result<()>>),
    Stop,
}

impl ListeningServer {
    /// Binds `127.0.0.1:port` (0 for any free port) and starts to answer requests.
    pub(crate) fn http<H: Handler>(port: u16, handler: Arc<H>) -> io::Result<Self> {
        Self::start(port, Arc::new(Http(handler)))
    }

    /// Binds `127.0.0.1:port` (0 for any free port) and starts to serve connections.
    pub(crate) fn start<A: Accepts>(port: u16, handler: Arc<A>) -> io::Result<Self> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (commands, orders) = mpsc::unbounded_channel();
        let (alive, ended) = oneshot::channel();
        let (accepted, open) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counters = Counters { accepted: Arc::clone(&accepted), open: Arc::clone(&open) };
        let thread = thread::Builder::new().name(format!("fake-{}", address.port())).spawn(move || {
            runtime.block_on(accept_loop(listener, address, orders, counters, handler));
            // Bodies that are still being fed run as tasks of this runtime and end with it.
            drop(runtime);
            drop(alive);
        })?;
        Ok(Self { address, accepted, open, commands, ended, thread: Some(thread) })
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were accepted so far.
    pub(crate) fn connections(&self) -> u64 {
        self.accepted.load(Ordering::Acquire)
    }

    /// How many connections are open now.
    pub(crate) fn open_connections(&self) -> u64 {
        self.open.load(Ordering::Acquire)
    }

    /// Closes every open connection and keeps listening.
    pub(crate) fn drop_connections(&self) {
        let (done, wait) = std_mpsc::channel();
        if self.commands.send(Command::DropConnections(done)).is_ok() {
            let _ = wait.recv();
        }
    }

    /// Stops listening, so that connections are refused, and closes the open ones.
    pub(crate) fn go_down(&self) {
        let (done, wait) = std_mpsc::channel();
        if self.commands.send(Command::Down(done)).is_ok() {
            let _ = wait.recv();
        }
    }

    /// Listens again on the same port.
    pub(crate) fn come_up(&self) -> io::Result<()> {
        let (done, wait) = std_mpsc::channel();
        if self.commands.send(Command::Up(done)).is_err() {
            return Err(io::Error::other("the fake server has ended"));
        }
        wait.recv().unwrap_or_else(|_| Err(io::Error::other("the fake server has ended")))
    }

    /// Stops, and waits for the end without blocking the runtime of the caller.
    pub(crate) async fn stop(mut self) {
        let _ = self.commands.send(Command::Stop);
        // The sender is never used, only dropped, so an error is the news that the runtime has gone.
        let _ = (&mut self.ended).await;
    }
}

impl Drop for ListeningServer {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, was already reported by the panic hook; a second one in `drop` would abort.
            let _ = thread.join();
        }
    }
}

#[derive(Clone, Debug)]
struct Counters {
    accepted: Arc<AtomicU64>,
    open: Arc<AtomicU64>,
}

/// Counts a connection as open for as long as it lives, however it ends.
struct OpenGuard(Arc<AtomicU64>);

impl OpenGuard {
    fn new(open: &Arc<AtomicU64>) -> Self {
        open.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(open))
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn accept_loop<A: Accepts>(
    listener: StdListener,
    address: SocketAddr,
    mut orders: mpsc::UnboundedReceiver<Command>,
    counters: Counters,
    handler: Arc<A>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut listener = Some(listener);
    let mut held = None;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // An order comes first, or a flood of connections could keep the server from going down.
            biased;
            order = orders.recv() => match order {
                None | Some(Command::Stop) => break,
                Some(Command::DropConnections(done)) => {
                    connections.shutdown().await;
                    let _ = done.send(());
                }
                Some(Command::Down(done)) => {
                    if listener.take().is_some() {
                        held = hold(address).ok();
                    }
                    connections.shutdown().await;
                    let _ = done.send(());
                }
                Some(Command::Up(done)) => {
                    let bound = match (&listener, held.take()) {
                        (Some(_), _) => Ok(()),
                        (None, Some(socket)) => listen_again(socket).map(|bound| listener = Some(bound)),
                        (None, None) => TcpListener::bind(address).await.map(|bound| listener = Some(bound)),
                    };
                    let _ = done.send(bound);
                }
            },
            stream = accept(listener.as_ref()) => {
                let number = counters.accepted.fetch_add(1, Ordering::AcqRel) + 1;
                let guard = OpenGuard::new(&counters.open);
                connections.spawn(serve_connection(stream, number, Arc::clone(&handler), guard));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// Keeps the port of a server that is down: connections to a socket that is bound and does not listen are refused, and
/// no other, such as another test that asks for any free port, is given it.
fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // The connections that were just closed still count as users of the port, on platforms other than Windows. While it
    // is held, elsewhere forbidden use it for the same reason.
    socket.set_reuseaddr(cfg!(unix))?;
    socket.bind(address)?;
    socket.set_reuseaddr(false)?;
    Ok(socket)
}

fn listen_again(socket: TcpSocket) -> io::Result<TcpListener> {
    socket.set_reuseaddr(cfg!(unix))?;
    socket.listen(BACKLOG)
}

/// The next connection; never, while the server is down.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return future::pending().await };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Out of file descriptors, or a client that left at once: neither may spin nor end the server.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve_connection<A: Accepts>(stream: TcpStream, number: u64, handler: Arc<A>, guard: OpenGuard) {
    // Small answers must not wait for a delayed ACK: the benches measure clients, not Nagle.
    let _ = stream.set_nodelay(true);
    handler.serve(stream, number).await;
    drop(guard);
}
