//! A TCP proxy that changes nothing and keeps a copy of every JSON-RPC message, byte for byte.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

use crate::sync::lock;
use crate::wire::{Accepts, ListeningServer};

/// Stands between a client and a server that speak MCP over HTTP/1.1, and listens.
///
/// ```
/// use mcp_testkit::{FakeMcpServer, Tap};
///
/// let server = FakeMcpServer::start()?;
/// let tap = Tap::start(server.address())?;
/// let through_the_tap = tap.url_for(&server.url());
/// assert!(tap.heard().sent.is_empty());
/// # assert_eq!(through_the_tap.path(), "/mcp");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Tap {
    shared: Arc<TapState>,
    serving: ListeningServer,
}

/// The JSON-RPC messages of a conversation, as they were written.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Messages {
    /// From the client to the server, in the order of each connection.
    pub sent: Vec<String>,
    /// From the server to the client, likewise: bodies, and the data of events.
    pub received: Vec<String>,
}

#[derive(Debug)]
struct TapState {
    upstream: Mutex<SocketAddr>,
    connections: Mutex<Vec<Arc<TapRecord>>>,
}

/// What went over one connection.
#[derive(Debug, Default)]
struct TapRecord {
    to_server: Mutex<Vec<u8>>,
    to_client: Mutex<Vec<u8>>,
}

impl Tap {
    /// Starts a tap on the way to this address.
    ///
    /// # Errors
    ///
    /// When no loopback port can be bound or no thread be started.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let shared = Arc::new(TapState { upstream: Mutex::new(upstream), connections: Mutex::default() });
        let serving = ListeningServer::start(0, Arc::clone(&shared))?;
        Ok(Self { shared, serving })
    }

    /// A tap on the way to the server at a loopback URL.
    ///
    /// # Errors
    ///
    /// As for [`Tap::start`], and when the URL names no address and port.
    pub fn before(server: &Url) -> io::Result<Self> {
        Self::start(address(server)?)
    }

    /// Leads to the server at another loopback URL, for connections from now on: one that was started again.
    ///
    /// # Errors
    ///
    /// When the URL names no address and port.
    pub fn lead_to(&self, server: &Url) -> io::Result<()> {
        *lock(&self.shared.upstream) = address(server)?;
        Ok(())
    }

    /// A URL of the server, by way of the tap.
    ///
    /// # Panics
    ///
    /// When the URL cannot have a port.
    #[must_use]
    pub fn url_for(&self, url: &Url) -> Url {
        let mut url = url.clone();
        url.set_port(Some(self.serving.address().port())).expect("the URL of a server can have a port");
        url
    }

    /// Every message so far.
    #[must_use]
    pub fn heard(&self) -> Messages {
        let mut messages = Messages::default();
        for connection in lock(&self.shared.connections).iter() {
            messages.sent.extend(bodies(&lock(&connection.to_server)).iter().flat_map(|body| json(body)));
            messages.received.extend(bodies(&lock(&connection.to_client)).iter().flat_map(|body| json(body)));
        }
        messages
    }
}

impl Tap {
    /// The heads of the requests so far, each from its request line on, in the order of each connection.
    #[must_use]
    pub fn request_heads(&self) -> Vec<String> {
        let connections = lock(&self.shared.connections);
        connections.iter().flat_map(|connection| heads(&lock(&connection.to_server))).collect()
    }
}

fn address(server: &Url) -> io::Result<SocketAddr> {
    let address = server.socket_addrs(|| None)?.first().copied();
    Ok(address.ok_or(io::ErrorKind::AddrNotAvailable)?)
}

impl Accepts for TapState {
    async fn serve(self: Arc<Self>, client: TcpStream, _number: u64) {
        let upstream = *lock(&self.upstream);
        let Ok(server) = TcpStream::connect(upstream).await else { return };
        let _ = server.set_nodelay(true);
        let copied = Arc::new(TapRecord::default());
        lock(&self.connections).push(Arc::clone(&copied));
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        // Neither side of HTTP closes its half and reads on, so the end of one is the end of both: a client that gives
        // a stream up must be noticed by the server.
        tokio::select! {
            _ = copy(from_client, to_server, &copied.to_server) => {}
            _ = copy(from_server, to_client, &copied.to_client) => {}
        }
    }
}

/// Passes bytes on until the end, with a copy kept before the reader can have seen them.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    kept: &Mutex<Vec<u8>>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        lock(kept).extend_from_slice(&buffer[..count]);
        to.write_all(&buffer[..count]).await?;
    }
}

/// The bodies of the HTTP/1.1 messages in these bytes, as far as they have arrived.
fn bodies(bytes: &[u8]) -> Vec<Vec<u8>> {
    messages(bytes).into_iter().map(|(_, body)| body).collect()
}

/// Their heads, in lower case but for the first line.
fn heads(bytes: &[u8]) -> Vec<String> {
    messages(bytes).into_iter().map(|(head, _)| head).collect()
}

fn messages(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut messages = Vec::new();
    while let Some(end) = find(bytes, b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]);
        let (line, fields) = head.split_once("\r\n").unwrap_or((&head, ""));
        let head = format!("{line}\r\n{}", fields.to_ascii_lowercase());
        bytes = &bytes[end + 4..];
        let field = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(|value| value.trim().to_owned())
        };
        let body = if field("transfer-encoding").is_some_and(|coding| coding.ends_with("chunked")) {
            let (body, rest) = dechunk(bytes);
            bytes = rest;
            body
        } else {
            let length = field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            let (body, rest) = bytes.split_at(usize::min(length, bytes.len()));
            bytes = rest;
            body.to_vec()
        };
        messages.push((head, body));
    }
    messages
}

/// The contents of a chunked body, and what follows it (RFC 9112, section 7.1). No server of ours sends trailers.
fn dechunk(mut bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut body = Vec::new();
    while let Some(end) = find(bytes, b"\r\n") {
        let size = String::from_utf8_lossy(&bytes[..end]);
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
        let data = &bytes[end + 2..];
        let (chunk, rest) = data.split_at(usize::min(size, data.len()));
        body.extend_from_slice(chunk);
        bytes = rest.get(2..).unwrap_or_default();
        if size == 0 {
            break;
        }
    }
    (body, bytes)
}

/// The JSON objects in a body: itself, or the data of its events (HTML standard, section 9.2).
fn json(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    if text.trim_start().starts_with('{') {
        return vec![text.into_owned()];
    }
    let text = text.replace("\r\n", "\n");
    // What follows the last empty line has not arrived in full.
    let events = text.rsplit_once("\n\n").map_or("", |(events, _)| events);
    let data = events.split("\n\n").map(|event| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    });
    data.filter(|data| data.trim_start().starts_with('{')).collect()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_follow_each_other_however_they_are_framed() {
        let wire = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 202 Accepted\r\n\r\n\
            HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n\
            HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"cut";
        let found = bodies(wire);
        let found: Vec<_> = found.iter().map(|body| String::from_utf8_lossy(body)).collect();
        assert_eq!(found, ["{}", "", "{\"a\":1}", "{\"cut"]);
        assert_eq!(heads(wire)[..2], ["HTTP/1.1 200 OK\r\ncontent-length: 2", "HTTP/1.1 202 Accepted\r\n"]);
    }

    #[test]
    fn events_hold_messages_and_other_things() {
        let stream = b": hi\r\nevent: endpoint\r\ndata: /messages\r\n\r\nevent: message\r\ndata: {\"a\":\r\ndata: 1.0}\r\n\r\ndata:\r\n\r\ndata: {\"half";
        assert_eq!(json(stream), ["{\"a\":\n1.0}"]);
        assert_eq!(json(b" {\"b\": 1e2} "), [" {\"b\": 1e2} "]);
        assert!(json(b"").is_empty());
    }
}
