//! A TCP proxy that fails in the ways networks do.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

use crate::sync::lock;
use crate::wire::{Accepts, ListeningServer};

/// What happens to a connection through a [`FlakyProxy`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing: bytes pass in both directions.
    #[default]
    None,
    /// Reset right after it was accepted.
    Reset,
    /// Reset after this many bytes of the answer.
    ResetAfter(u64),
    /// A clean end after this many bytes of the answer.
    TruncateAfter(u64),
    /// Silence after this many bytes of the answer; the connection stays open.
    StallAfter(u64),
    /// A 502 of the proxy itself, whatever is asked.
    BadGateway,
}

/// Stands between a client and a server, and lets each connection through or fails it.
///
/// ```
/// use mcp_testkit::{FakeMcpServer, Fault, FlakyProxy};
///
/// let server = FakeMcpServer::start()?;
/// let proxy = FlakyProxy::start(server.address())?;
/// proxy.fault(Fault::ResetAfter(100)); // for connections from now on
/// let through_the_proxy = proxy.url_for(&server.url());
/// # assert_eq!(through_the_proxy.path(), "/mcp");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FlakyProxy {
    shared: Arc<ProxyState>,
    serving: ListeningServer,
}

#[derive(Debug)]
struct ProxyState {
    upstream: SocketAddr,
    mode: Mutex<Mode>,
}

#[derive(Debug)]
enum Mode {
    Fixed(Fault),
    /// The state of the generator; the same seed gives the same faults to the same sequence of connections.
    Chaos(u64),
}

impl FlakyProxy {
    /// Starts a proxy to this address that lets everything through.
    ///
    /// # Errors
    ///
    /// When no loopback port can be bound or no thread be started.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let shared = Arc::new(ProxyState { upstream, mode: Mutex::new(Mode::Fixed(Fault::None)) });
        let serving = ListeningServer::start(0, Arc::clone(&shared))?;
        Ok(Self { shared, serving })
    }

    /// Where the proxy listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// A URL of the server, by way of the proxy.
    ///
    /// # Panics
    ///
    /// When the URL cannot have a port.
    #[must_use]
    pub fn url_for(&self, url: &Url) -> Url {
        let mut url = url.clone();
        url.set_port(Some(self.address().port())).expect("the URL of a server can have a port");
        url
    }

    /// Does this to every connection that is accepted from now on.
    pub fn fault(&self, fault: Fault) {
        *lock(&self.shared.mode) = Mode::Fixed(fault);
    }

    /// Picks a fault for each connection from now on by a generator with this seed; about half are let through.
    pub fn chaos(&self, seed: u64) {
        *lock(&self.shared.mode) = Mode::Chaos(seed);
    }

    /// Closes every open connection.
    pub fn drop_connections(&self) {
        self.serving.drop_connections();
    }

    /// Stops listening and closes every connection: connections are refused.
    pub fn go_down(&self) {
        self.serving.go_down();
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    ///
    /// When another process has taken the port in the meantime.
    pub fn come_up(&self) -> io::Result<()> {
        self.serving.come_up()
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.serving.connections()
    }

    /// Stops and joins the proxy.
    pub async fn stop(self) {
        self.serving.stop().await;
    }
}

impl Accepts for ProxyState {
    async fn serve(self: Arc<Self>, client: TcpStream, _number: u64) {
        let fault = lock(&self.mode).next();
        // Every way to fail ends in closing the connection, and a failing socket does the same by itself.
        let _ = pass(client, self.upstream, fault).await;
    }
}

impl Mode {
    fn next(&mut self) -> Fault {
        match self {
            Self::Fixed(fault) => *fault,
            Self::Chaos(state) => {
                let draw = split_mix(state);
                // Short enough to hit heads and first events as well as bodies.
                let bytes = (draw >> 8) % 600;
                match draw % 10 {
                    0 => Fault::Reset,
                    1 => Fault::ResetAfter(bytes),
                    2 => Fault::TruncateAfter(bytes),
                    3 => Fault::StallAfter(bytes),
                    4 => Fault::BadGateway,
                    _ => Fault::None,
                }
            }
        }
    }
}

/// SplitMix64: one addition and a mix, and good enough to choose faults.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

async fn pass(mut client: TcpStream, upstream: SocketAddr, fault: Fault) -> io::Result<()> {
    match fault {
        Fault::Reset => return reset(&client),
        Fault::BadGateway => {
            let mut request = [0; 1024];
            let _ = client.read(&mut request).await?;
            let answer = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            return client.write_all(answer.as_bytes()).await;
        }
        _ => {}
    }
    let mut server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    let (Fault::ResetAfter(limit) | Fault::TruncateAfter(limit) | Fault::StallAfter(limit)) = fault else {
        return tokio::io::copy_bidirectional(&mut client, &mut server).await.map(|_| ());
    };
    let ended = {
        let (mut from_client, mut to_client) = client.split();
        let (from_server, mut to_server) = server.split();
        let mut answer = from_server.take(limit);
        tokio::select! {
            // A client that has sent everything may still be reading, so only the answer's end counts.
            copied = async {
                let copied = tokio::io::copy(&mut answer, &mut to_client).await;
                to_client.flush().await.and(copied)
            } => copied.is_ok_and(|bytes| bytes == limit),
            () = async {
                let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
                std::future::pending().await
            } => unreachable!("the request's side never ends this"),
        }
    };
    match fault {
        Fault::ResetAfter(_) if ended => reset(&client),
        Fault::StallAfter(_) if ended => {
            // Until the client gives up; what it sends meanwhile is read and lost.
            let mut lost = [0; 1024];
            while client.read(&mut lost).await? > 0 {}
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Makes closing the connection send RST instead of FIN.
fn reset(client: &TcpStream) -> io::Result<()> {
    client.set_zero_linger()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let faults = |seed| {
            let mut mode = Mode::Chaos(seed);
            (0..100).map(|_| mode.next()).collect::<Vec<_>>()
        };
        assert_eq!(faults(7), faults(7));
        assert_ne!(faults(7), faults(8));
        let passed = faults(7).iter().filter(|fault| **fault == Fault::None).count();
        assert!((30..70).contains(&passed), "{passed} of 100");
    }
}
