//! How a socket of HTTP is opened: straight to its server or by a proxy, and with TLS where the URL says so.

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec::IntoIter;

use http::uri::Scheme;
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::{SocksV4, SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::Sleep;
use tokio_rustls::TlsConnector;
use tower_service::Service;
use url::Url;

use super::idle::Idleness;
use super::route::Routes;
use super::sounding;
use crate::options::ClientOptions;
use crate::resolver::{ResolveRequest, Resolver};

/// When a socket that is idle is asked whether its other end is there, how often, and for how long; and how long what was
/// sent may stay without a word that it has arrived. A proxy or a router that forgot the connection says nothing by itself.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const KEEP_ALIVE_TRIES: u32 = 3;
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const UNHEARD: Duration = Duration::from_secs(30);

type BoxError = Box<dyn Error + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Opens sockets for one HTTP client.
#[derive(Clone)]
pub(super) struct Dialer {
    tcp: HttpConnector<Names>,
    resolver: Option<Arc<dyn Resolver>>,
    routes: Arc<Routes>,
    tls: Arc<ClientConfig>,
}

impl Dialer {
    pub(super) fn new(options: &ClientOptions, routes: Routes, tls: ClientConfig) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Names(options.resolver.clone()));
        // The scheme is looked at here.
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEP_ALIVE));
        tcp.set_keepalive_interval(Some(KEEP_ALIVE));
        tcp.set_keepalive_retries(Some(KEEP_ALIVE_TRIES));
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        tcp.set_tcp_user_timeout(Some(UNHEARD));
        if options.ipv4_only {
            // A socket that begins at an address of IPv4 leads to none of IPv6.
            tcp.set_local_address(Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        }
        Self { tcp, resolver: options.resolver.clone(), routes: Arc::new(routes), tls: Arc::new(tls) }
    }

    async fn socket(mut self, to: Uri) -> Result<Socket, BoxError> {
        let is_secure = to.scheme() == Some(&Scheme::HTTPS);
        let url = Url::parse(&to.to_string())?;
        let Some(proxy) = self.routes.of(&url).cloned() else {
            let stream = self.tcp.call(to.clone()).await?;
            return self.wrapped(stream, &to, is_secure).await;
        };
        let Some(proxy) = Way::by(&proxy.url, &to) else { return Err("the proxy has no usable URL".into()) };
        let scheme = proxy.0.uri().scheme_str().unwrap_or_default();
        if scheme.starts_with("socks") {
            let target = match scheme {
                "socks4" | "socks5" => self.looked_up(&url).await?,
                _ => to.clone(),
            };
            let stream = proxy.socks(self.tcp.clone(), target).await?;
            return self.wrapped(stream, &to, is_secure).await;
        }
        let mut link = Link(self.clone());
        if !is_secure {
            return Ok(Socket { is_proxied: true, ..link.call(proxy.0.uri().clone()).await? });
        }
        let mut tunnel = Tunnel::new(proxy.0.uri().clone(), link);
        if let Some(basic) = proxy.0.basic_auth() {
            tunnel = tunnel.with_auth(basic.clone());
        }
        let stream = tunnel.call(to.clone()).await?;
        self.wrapped(stream, &to, true).await
    }

    /// The stream with TLS around it, where it is to be `secure`.
    async fn wrapped(
        &self,
        stream: impl Stream + 'static,
        to: &Uri,
        secure: bool,
    ) -> Result<Socket, BoxError> {
        match secure {
            true => secured(stream, to, self.tls.clone()).await,
            false => Ok(Socket::plain(stream)),
        }
    }

    /// The address of the host, for a proxy that is not to look it up.
    async fn looked_up(&self, url: &Url) -> Result<Uri, BoxError> {
        let found = sounding::addresses_of(self.resolver.as_ref(), url).await.map_err(LocalDnsError)?;
        let Some(address) = found.first() else { return Err("the URL has no host".into()) };
        Ok(format!("{}://{address}", url.scheme()).parse()?)
    }
}

impl Service<Uri> for Dialer {
    type Response = Socket;
    type Error = BoxError;
    type Future = BoxFuture<Socket>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> BoxFuture<Socket> {
        Box::pin(self.clone().socket(to))
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("routes", &self.routes).finish_non_exhaustive()
    }
}

/// A proxy, with the credentials that it is shown.
pub(super) struct Way(Intercept);

impl Way {
    fn by(proxy: &Url, to: &Uri) -> Option<Self> {
        Matcher::builder().all(proxy.as_str()).build().intercept(to).map(Self)
    }

    /// What a request to `to` that is handed to this proxy as it is, and not through a tunnel, proves itself with.
    pub(super) fn credentials(proxy: &Url, to: &Uri) -> Option<HeaderValue> {
        Self::by(proxy, to)?.0.basic_auth().cloned()
    }

    async fn socks(
        &self,
        tcp: HttpConnector<Names>,
        to: Uri,
    ) -> Result<TokioIo<tokio::net::TcpStream>, BoxError> {
        let proxy = self.0.uri().clone();
        if proxy.scheme_str().is_some_and(|scheme| scheme.starts_with("socks4")) {
            return Ok(SocksV4::new(proxy, tcp).call(to).await?);
        }
        let mut socks = SocksV5::new(proxy, tcp);
        if let Some((user, password)) = self.0.raw_auth() {
            socks = socks.with_auth(user.to_owned(), password.to_owned());
        }
        Ok(socks.call(to).await?)
    }
}

/// The way to a proxy itself. HTTP/2 is not offered to it: tunnels are of HTTP/1.1 here.
struct Link(Dialer);

impl Service<Uri> for Link {
    type Response = Socket;
    type Error = BoxError;
    type Future = BoxFuture<Socket>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> BoxFuture<Socket> {
        let mut dialer = self.0.clone();
        Box::pin(async move {
            let stream = dialer.tcp.call(proxy.clone()).await?;
            if proxy.scheme() != Some(&Scheme::HTTPS) {
                return Ok(Socket::plain(stream));
            }
            let mut tls = ClientConfig::clone(&dialer.tls);
            tls.alpn_protocols.clear();
            secured(stream, &proxy, Arc::new(tls)).await.map_err(|error| ProxyTlsError(error).into())
        })
    }
}

async fn secured(
    stream: impl Stream + 'static,
    to: &Uri,
    config: Arc<ClientConfig>,
) -> Result<Socket, BoxError> {
    let host = to.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let stream =
        TlsConnector::from(config).connect(ServerName::try_from(host)?, TokioIo::new(stream)).await?;
    let speaks_http_2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(Socket { speaks_http_2, ..Socket::plain(TokioIo::new(stream)) })
}

/// What a socket is, whatever lies between it and the server.
trait Stream: Read + Write + Send + Unpin {}

impl<S: Read + Write + Send + Unpin> Stream for S {}

/// A socket to a server, or to a proxy in front of it.
pub(super) struct Socket {
    stream: Box<dyn Stream>,
    /// Requests are handed to a proxy, and name the server in their first line.
    is_proxied: bool,
    speaks_http_2: bool,
    idleness: Idleness,
    /// When it is to be looked at whether it was idle for too long.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    fn plain(stream: impl Stream + 'static) -> Self {
        let idleness = Idleness::default();
        Self { stream: Box::new(stream), is_proxied: false, speaks_http_2: false, idleness, timer: None }
    }
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.is_proxied);
        // Over HTTP/2 many requests share it, and its end is announced.
        if self.speaks_http_2 { connected.negotiated_h2() } else { connected.extra(self.idleness.clone()) }
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = &mut *self;
        match Pin::new(&mut *socket.stream).poll_read(context, buffer) {
            // As if its server had closed it.
            Poll::Pending if socket.idleness.is_over(context, &mut socket.timer) => Poll::Ready(Ok(())),
            read => read,
        }
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.idleness.ends();
        Pin::new(&mut *self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.idleness.ends();
        Pin::new(&mut *self.stream).poll_write_vectored(context, buffers)
    }
}

/// Where names lead: as the embedder's resolver says, or the platform's.
#[derive(Clone, Debug)]
struct Names(Option<Arc<dyn Resolver>>);

impl Service<Name> for Names {
    type Response = IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<IntoIter<SocketAddr>>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.0.clone();
        Box::pin(async move {
            // A port of 0 stands for that of the URL.
            let found: Vec<SocketAddr> = match resolver {
                Some(resolver) => {
                    let found = resolver.resolve(ResolveRequest::new(name.as_str())).await?;
                    found.into_iter().map(|address| SocketAddr::new(address, 0)).collect()
                }
                None => sounding::system_addresses(name.as_str(), 0).await?,
            };
            Ok(found.into_iter())
        })
    }
}

/// The TLS connection to a proxy itself failed.
#[derive(Debug)]
pub(super) struct ProxyTlsError(BoxError);

impl fmt::Display for ProxyTlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the TLS connection to the proxy failed")
    }
}

impl Error for ProxyTlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// The name of the server was not found, before a SOCKS proxy was asked for anything.
#[derive(Debug)]
pub(super) struct LocalDnsError(pub(super) io::Error);

impl fmt::Display for LocalDnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of the server was looked up here and not found")
    }
}

impl Error for LocalDnsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
