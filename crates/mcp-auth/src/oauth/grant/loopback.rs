//! Where a redirect to this machine is received: on the address that its URI names, or on both that `localhost` means
//! (RFC 8252 sections 7.3 and 8.3).
//!
//! Security: a browser that is sent to `localhost` tries `::1` as well as `127.0.0.1`. Were only one of them ours, another
//! account could listen on the other, on the port that is the same at each sign-in, and be given the code.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use url::{Host, Url};

use crate::{AuthError, AuthErrorKind};

/// How often a free port is looked for whose number is free on both addresses.
const TRIES: u32 = 16;
/// Connections that are served at once. A browser opens a handful; beyond this, the one that has been quiet for longest
/// makes room.
const MOST_CONNECTIONS: usize = 64;
/// How long a failed `accept` is waited out.
const PAUSE: Duration = Duration::from_millis(50);

/// One listener, or one on each loopback address with the same port.
#[derive(Debug)]
pub(super) struct Loopback {
    listeners: Vec<TcpListener>,
    turn: AtomicUsize,
}

impl Loopback {
    /// Listens on every address that `localhost` stands for here; port 0 is a free one.
    pub(super) async fn localhost(port: u16) -> Result<Self, AuthError> {
        let mut tries = 1;
        loop {
            match pair(port).await {
                Ok(listeners) => return Ok(Self::of(listeners)),
                // Another process has the free port of the one address on the other.
                Err((_, error)) if port == 0 && tries < TRIES && error.kind() == io::ErrorKind::AddrInUse => {
                    tries += 1;
                }
                Err((address, error)) => return Err(listen_error(SocketAddr::new(address, port), error)),
            }
        }
    }

    /// Listens on what the host of a redirect URI means.
    pub(super) async fn host_of(redirect_uri: &Url, port: u16) -> Result<Self, AuthError> {
        let address = match redirect_uri.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            _ => return Self::localhost(port).await,
        };
        let listener = bind(address, port).await;
        listener
            .map(|listener| Self::of(vec![listener]))
            .map_err(|(address, error)| listen_error(SocketAddr::new(address, port), error))
    }

    fn of(listeners: Vec<TcpListener>) -> Self {
        Self { listeners, turn: AtomicUsize::new(0) }
    }

    /// The port, the same on each address.
    pub(super) fn port(&self) -> Option<u16> {
        self.listeners.first().and_then(|listener| listener.local_addr().ok()).map(|address| address.port())
    }
}

/// Where connections come from.
pub(super) trait ConnectionSource: Sync {
    /// The next one. An error is about that one alone.
    fn accept(&self) -> impl Future<Output = io::Result<TcpStream>> + Send;
}

impl ConnectionSource for Loopback {
    /// On either address; each has its turn.
    async fn accept(&self) -> io::Result<TcpStream> {
        poll_fn(|context| {
            let first = self.turn.fetch_add(1, Ordering::Relaxed);
            for index in 0..self.listeners.len() {
                let listener = &self.listeners[first.wrapping_add(index) % self.listeners.len()];
                if let Poll::Ready(accepted) = listener.poll_accept(context) {
                    return Poll::Ready(accepted.map(|(stream, _)| stream));
                }
            }
            Poll::Pending
        })
        .await
    }
}

type BindError = (IpAddr, io::Error);

async fn bind(address: IpAddr, port: u16) -> Result<TcpListener, BindError> {
    TcpListener::bind((address, port)).await.map_err(|error| (address, error))
}

async fn pair(port: u16) -> Result<Vec<TcpListener>, BindError> {
    let mut listeners = Vec::new();
    let mut port = port;
    let mut missing = None;
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        match bind(address, port).await {
            Ok(listener) => {
                port = listener.local_addr().map_err(|error| (address, error))?.port();
                listeners.push(listener);
            }
            // An address that this machine does not have cannot be listened on.
            Err(error) if is_missing(&error.1) => missing = Some(error),
            Err(error) => return Err(error),
        }
    }
    match missing {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

/// Whether the error says that this machine has no such address (IPv6 is often switched off).
fn is_missing(error: &io::Error) -> bool {
    /// EAFNOSUPPORT of Linux, of macOS and the BSDs, and of Windows.
    const NO_SUCH_FAMILY: [i32; 3] = [97, 47, 10047];
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error().is_some_and(|code| NO_SUCH_FAMILY.contains(&code))
}

fn listen_error(address: SocketAddr, error: io::Error) -> AuthError {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => "another program is using it".to_owned(),
        kind => kind.to_string(),
    };
    let (port, ip) = (address.port(), address.ip());
    let message = format!("listen on port {port} of {ip} for the callback: {why}");
    AuthError::new(AuthErrorKind::Misconfigured, message).with_source(error)
}

/// The connections that are being served. Dropping it ends them.
#[derive(Debug, Default)]
pub(super) struct OpenConnections {
    tasks: JoinSet<()>,
    /// The oldest first.
    order: VecDeque<AbortHandle>,
}

impl OpenConnections {
    /// Serves one more; if there are too many, the oldest goes. A browser with an answer sends it at once.
    pub(super) fn admit(&mut self, serving: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        self.order.retain(|guest| !guest.is_finished());
        while self.order.len() >= MOST_CONNECTIONS {
            self.dismiss(1);
        }
        self.order.push_back(self.tasks.spawn(serving));
    }

    /// After a failed `accept`: that is about one connection (ECONNABORTED), or there are too many (EMFILE), and never
    /// about the sign-in. The older half makes room, and the next one is waited for.
    pub(super) async fn make_room(&mut self) {
        self.dismiss(self.order.len().div_ceil(2));
        tokio::time::sleep(PAUSE).await;
    }

    fn dismiss(&mut self, count: usize) {
        for guest in self.order.drain(..count.min(self.order.len())) {
            guest.abort();
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.order.iter().filter(|guest| !guest.is_finished()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn s_n16a_localhost_is_listened_on_wherever_it_may_lead() {
        let ours = Loopback::localhost(0).await.unwrap();
        let port = ours.port().unwrap();
        assert!(bind(IpAddr::V4(Ipv4Addr::LOCALHOST), port).await.is_err());
        let has_ipv6 = bind(IpAddr::V6(Ipv6Addr::LOCALHOST), 0).await.is_ok();
        if !has_ipv6 {
            return;
        }
        assert!(
            bind(IpAddr::V6(Ipv6Addr::LOCALHOST), port).await.is_err(),
            "no other process can have the other"
        );
        for address in [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)] {
            let dialled = TcpStream::connect((address, port)).await.unwrap();
            let accepted = ours.accept().await.unwrap();
            assert_eq!(accepted.peer_addr().unwrap(), dialled.local_addr().unwrap());
        }
    }

    #[tokio::test]
    async fn s_n16a_a_port_that_is_taken_on_one_of_the_addresses_is_not_used() {
        let Ok(theirs) = bind(IpAddr::V6(Ipv6Addr::LOCALHOST), 0).await else { return };
        let port = theirs.local_addr().unwrap().port();
        let error = Loopback::localhost(port).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("listen on port {port} of ::1 for the callback: another program is using it")
        );
        assert_ne!(Loopback::localhost(0).await.unwrap().port(), Some(port));
    }

    #[tokio::test]
    async fn s_k9_a_literal_address_is_the_one_that_is_listened_on() {
        let v6 = Loopback::host_of(&Url::parse("http://[::1]/cb").unwrap(), 0).await;
        if let Ok(v6) = v6 {
            let address = v6.listeners[0].local_addr().unwrap();
            assert_eq!((v6.listeners.len(), address.ip()), (1, IpAddr::V6(Ipv6Addr::LOCALHOST)));
        }
        let v4 = Loopback::host_of(&Url::parse("http://127.0.0.1/cb").unwrap(), 0).await.unwrap();
        let address = v4.listeners[0].local_addr().unwrap();
        assert_eq!((v4.listeners.len(), address.ip()), (1, IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }

    #[tokio::test]
    async fn s_n16_the_quiet_ones_make_room() {
        let mut guests = OpenConnections::default();
        for _ in 0..1000 {
            guests.admit(std::future::pending());
        }
        tokio::task::yield_now().await;
        assert_eq!(guests.len(), MOST_CONNECTIONS);
        guests.make_room().await;
        assert_eq!(guests.len(), MOST_CONNECTIONS / 2);
    }
}
