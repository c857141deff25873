//! A forward proxy, of HTTP and of SOCKS5, behind which every name is a server of this machine.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;

use crate::sync::lock;
use crate::wire::{Accepts, ListeningServer};

/// How long the head of a request may be, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// A forward proxy on loopback: requests with a whole URL, `CONNECT` (RFC 9110 section 9.3.6) and SOCKS5 (RFC 1928) on one
/// port. Whatever host it is asked for, it goes to that port of 127.0.0.1, so that a test needs no name service.
///
/// ```
/// use mcp_testkit::ForwardProxy;
///
/// let proxy = ForwardProxy::start()?;
/// assert_eq!(proxy.url(), format!("http://{}", proxy.address()));
/// assert!(proxy.asked().is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ForwardProxy {
    shared: Arc<ForwarderState>,
    serving: ListeningServer,
}

#[derive(Debug, Default)]
struct ForwarderState {
    asked: Mutex<Vec<String>>,
    answer: Mutex<Option<Vec<u8>>>,
    /// The value of `Proxy-Authorization` that it wants.
    wanted: Mutex<Option<String>>,
}

impl ForwardProxy {
    /// Starts one that lets everything through.
    ///
    /// # Errors
    ///
    /// When no loopback port can be bound or no thread be started.
    pub fn start() -> io::Result<Self> {
        let shared = Arc::new(ForwarderState::default());
        let serving = ListeningServer::start(0, Arc::clone(&shared))?;
        Ok(Self { shared, serving })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// Its URL, as a variable of the environment has it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Answers everything with these bytes from now on, and closes the connection.
    pub fn answer_with(&self, bytes: impl Into<Vec<u8>>) {
        *lock(&self.shared.answer) = Some(bytes.into());
    }

    /// Wants this value of `Proxy-Authorization` from now on, and answers 407 without it. HTTP only.
    pub fn want(&self, authorization: impl Into<String>) {
        *lock(&self.shared.wanted) = Some(authorization.into());
    }

    /// What it was asked for, in order: the first line of each request, or `SOCKS5 HOST:PORT`.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        lock(&self.shared.asked).clone()
    }

    /// Stops listening and closes every connection: connections are refused.
    pub fn go_down(&self) {
        self.serving.go_down();
    }
}

impl Accepts for ForwarderState {
    async fn serve(self: Arc<Self>, client: TcpStream, _number: u64) {
        // Every way to fail ends in closing the connection.
        let _ = self.forward(client).await;
    }
}

impl ForwarderState {
    async fn forward(&self, mut client: TcpStream) -> io::Result<()> {
        let mut first = [0];
        client.peek(&mut first).await?;
        if first == [5] {
            return self.socks(client).await;
        }
        let mut head = Vec::new();
        let mut chunk = [0; 4096];
        let end = loop {
            if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            let read = client.read(&mut chunk).await?;
            if read == 0 || head.len() > MAX_HEAD {
                return Ok(());
            }
            head.extend_from_slice(&chunk[..read]);
        };
        let body = head.split_off(end + 4);
        let head = String::from_utf8_lossy(&head[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        lock(&self.asked).push(line.clone());
        let answer = lock(&self.answer).clone();
        if let Some(answer) = answer {
            return client.write_all(&answer).await;
        }
        let fields: Vec<&str> = lines.collect();
        let field = |name: &str| {
            let named =
                |line: &&&str| line.split(':').next().is_some_and(|key| key.eq_ignore_ascii_case(name));
            fields.iter().find(named).and_then(|line| line.split_once(':')).map(|(_, value)| value.trim())
        };
        let wanted = lock(&self.wanted).clone();
        if wanted.is_some_and(|wanted| field("proxy-authorization") != Some(&wanted)) {
            let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\"\r\n\
                          Content-Length: 0\r\nConnection: close\r\n\r\n";
            return client.write_all(answer.as_bytes()).await;
        }
        let mut words = line.split(' ');
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(()) };
        if method == "CONNECT" {
            let mut server = connect(target).await?;
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            server.write_all(&body).await?;
            return copy_bidirectional(&mut client, &mut server).await.map(drop);
        }
        let rest = target.strip_prefix("http://").unwrap_or(target);
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let mut server = connect(authority).await?;
        // One request on each connection, under a name that the server knows itself by.
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", server.peer_addr()?);
        for line in fields {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            if !matches!(&*name, "host" | "connection" | "proxy-connection" | "proxy-authorization") {
                request.push_str(line);
                request.push_str("\r\n");
            }
        }
        request.push_str("\r\n");
        server.write_all(request.as_bytes()).await?;
        server.write_all(&body).await?;
        copy_bidirectional(&mut client, &mut server).await.map(drop)
    }

    async fn socks(&self, mut client: TcpStream) -> io::Result<()> {
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).await?;
        let mut methods = vec![0; usize::from(greeting[1])];
        client.read_exact(&mut methods).await?;
        client.write_all(&[5, 0]).await?;
        let mut request = [0; 4];
        client.read_exact(&mut request).await?;
        let host = match request[3] {
            1 => {
                let mut octets = [0; 4];
                client.read_exact(&mut octets).await?;
                std::net::Ipv4Addr::from(octets).to_string()
            }
            3 => {
                let mut name = vec![0; usize::from(client.read_u8().await?)];
                client.read_exact(&mut name).await?;
                String::from_utf8_lossy(&name).into_owned()
            }
            _ => {
                let mut octets = [0; 16];
                client.read_exact(&mut octets).await?;
                format!("[{}]", std::net::Ipv6Addr::from(octets))
            }
        };
        let target = format!("{host}:{}", client.read_u16().await?);
        lock(&self.asked).push(format!("SOCKS5 {target}"));
        if lock(&self.answer).is_some() {
            // Not allowed by its rules (RFC 1928 section 6).
            return client.write_all(&[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]).await;
        }
        let mut server = connect(&target).await?;
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
        copy_bidirectional(&mut client, &mut server).await.map(drop)
    }
}

/// The port of this machine that an authority names.
async fn connect(authority: &str) -> io::Result<TcpStream> {
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(80);
    let server = TcpStream::connect(("127.0.0.1", port)).await?;
    server.set_nodelay(true)?;
    Ok(server)
}
