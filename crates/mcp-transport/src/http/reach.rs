//! How far the way to a server leads, looked at apart from any request: name, connection, certificate.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::ProtocolVersion;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use url::Url;

use super::certificate::Fields;
use super::client::HttpClient;
use super::trouble::{self, Stage};
use super::witness::{RecordingVerifier, ShownCertificates};
use super::{sounding, tls};
use crate::endpoint::HttpEndpoint;
use crate::options::{EndpointProxy, TlsOptions};
use crate::words;

/// What each part of the look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many addresses of a host are tried, and of how many certificates is told.
const MAX_TRIED: usize = 8;
const MAX_CHAIN: usize = 10;

/// How far the way to a server leads. Each part is there where it was looked at, and an error is in words.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Reach {
    /// The proxy that requests go by, without its credentials; all that follows is about it then.
    pub proxy: Option<String>,
    /// By which proxy requests go and what names it, or why by none.
    pub way: String,
    /// Where the connection leads.
    pub host: String,
    /// And to which port.
    pub port: u16,
    /// The addresses of the host.
    pub addresses: Result<Vec<SocketAddr>, String>,
    /// How long it took to find them; none where the host is an address itself.
    pub looked_up: Option<Duration>,
    /// The addresses that did not take a connection, each with how long that took and why; the one of `connected` last.
    pub refused: Vec<(SocketAddr, Duration, String)>,
    /// Where a name or an address of this machine leads to no listener, and one of the other family does: a server that listens on
    /// `::1` alone is not reached by `127.0.0.1`.
    pub other_loopback: Option<SocketAddr>,
    /// The address that was connected to, and how long that took.
    pub connected: Option<Result<(SocketAddr, Duration), String>>,
    /// What came of a TLS handshake (RFC 8446). Not looked at through a proxy.
    pub tls: Option<Result<TlsReach, String>>,
    /// The certificates that were shown in it, that of the server first, also where it failed.
    pub chain: Vec<CertificateReach>,
}

/// A TLS handshake that succeeded.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TlsReach {
    /// `TLS 1.2` or `TLS 1.3`.
    pub version: &'static str,
    /// The protocol that was agreed (RFC 7301), such as `h2`.
    pub protocol: Option<String>,
}

/// A certificate that was shown (RFC 5280). Its words are a stranger's, made fit to be shown.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CertificateReach {
    /// Whom it is about, as its common name or organisation says.
    pub subject: Option<String>,
    /// The hosts that it is for: names and addresses.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: Option<String>,
    /// It is signed automatically, as far as its names tell.
    pub is_self_signed: bool,
    /// From when it is good.
    pub valid_from: SystemTime,
    /// Until when it is good.
    pub valid_until: SystemTime,
    /// The days of both, such as `2026-11-29`, in UTC.
    pub days: (String, String),
}

impl CertificateReach {
    fn read(der: &[u8]) -> Option<Self> {
        let fields = Fields::read(der)?;
        let shown = |name: String| mcp_text::line(&name, 60);
        let (first, last) = fields.days();
        Some(Self {
            subject: fields.subject().map(shown),
            names: fields.names().into_iter().map(shown).collect(),
            issuer: fields.issuer().map(shown),
            is_self_signed: fields.is_self_signed(),
            valid_from: SystemTime::UNIX_EPOCH + fields.from(),
            valid_until: SystemTime::UNIX_EPOCH + fields.until(),
            days: (first.to_owned(), last.to_owned()),
        })
    }
}

impl HttpClient {
    /// Looks how far the way to this endpoint leads. Sends no request and no credentials.
    pub async fn reach(&self, endpoint: &HttpEndpoint) -> Reach {
        let client = self.for_endpoint(endpoint);
        let proxy = client.proxy(&endpoint.url).cloned();
        let url = proxy.as_ref().map_or(&endpoint.url, |proxy| &proxy.url);
        let began = Instant::now();
        let addresses = addresses(&client, url).await;
        let is_name = url.domain().is_some();
        let mut reach = Reach {
            proxy: proxy.as_ref().map(ToString::to_string),
            way: match endpoint.proxy.as_deref() {
                Some(EndpointProxy::Direct) => "none, as is set for this server".to_owned(),
                _ => client.way(&endpoint.url),
            },
            host: url.host_str().unwrap_or_default().to_owned(),
            port: sounding::port_of(url),
            addresses,
            looked_up: is_name.then(|| began.elapsed()),
            refused: Vec::new(),
            other_loopback: None,
            connected: None,
            tls: None,
            chain: Vec::new(),
        };
        let Ok(found) = reach.addresses.clone() else { return reach };
        let Some(stream) = connected(&found, &mut reach).await else {
            if proxy.is_none() {
                reach.other_loopback = listening_beside(&found).await;
            }
            return reach;
        };
        if endpoint.url.scheme() == "https" && proxy.is_none() {
            let shown = ShownCertificates::default();
            reach.tls = Some(shake_hands(&client, &endpoint.url, stream, shown.clone()).await);
            let shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            let chain = shown.iter().take(MAX_CHAIN);
            reach.chain = chain.filter_map(|certificate| CertificateReach::read(certificate)).collect();
        }
        reach
    }
}

impl HttpClient {
    /// Whether what answers at this endpoint shakes hands for TLS, whatever its URL says. No request is sent, and no certificate
    /// is judged.
    pub async fn speaks_tls(&self, endpoint: &HttpEndpoint) -> bool {
        let client = self.for_endpoint(endpoint);
        let options = TlsOptions { takes_any_certificate: true, ..TlsOptions::new() };
        let (Ok(found), Ok(config)) =
            (addresses(&client, &endpoint.url).await, tls::client_config(&[], &options))
        else {
            return false;
        };
        let name = endpoint.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let Ok(name) = ServerName::try_from(name.to_owned()) else { return false };
        let shaking = async {
            let stream = TcpStream::connect(&*found).await?;
            TlsConnector::from(Arc::new(config)).connect(name, stream).await
        };
        matches!(timeout(PATIENCE, shaking).await, Ok(Ok(_)))
    }
}

/// A connection to the first of the addresses that takes one. All of them together have [`PATIENCE`].
async fn connected(found: &[SocketAddr], reach: &mut Reach) -> Option<TcpStream> {
    let until = Instant::now() + PATIENCE;
    for address in found.iter().take(MAX_TRIED) {
        let began = Instant::now();
        let why = match timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                reach.connected = Some(Ok((*address, began.elapsed())));
                return Some(stream);
            }
            Ok(Err(error)) => worded(error),
            Err(_) => format!("nothing answers within {} s", PATIENCE.as_secs()),
        };
        reach.connected = Some(Err(why.clone()));
        reach.refused.push((*address, began.elapsed(), why));
    }
    None
}

/// The address of this machine in the family that none of these is of, where something listens at their port.
async fn listening_beside(found: &[SocketAddr]) -> Option<SocketAddr> {
    let first = found.first().filter(|_| found.iter().all(|address| address.ip().is_loopback()))?;
    let other: IpAddr = match first.ip() {
        IpAddr::V4(_) => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv4Addr::LOCALHOST.into(),
    };
    let beside = SocketAddr::new(other, first.port());
    let is_new = !found.iter().any(|address| address.is_ipv4() == beside.is_ipv4());
    (is_new && matches!(timeout(PATIENCE, TcpStream::connect(beside)).await, Ok(Ok(_)))).then_some(beside)
}

fn worded(error: io::Error) -> String {
    words::plain(&error).unwrap_or_else(|| "the connection failed".to_owned())
}

async fn addresses(client: &HttpClient, url: &Url) -> Result<Vec<SocketAddr>, String> {
    let found = sounding::addresses_of(client.options().resolver.as_ref(), url);
    let found = timeout(PATIENCE, found)
        .await
        .map_err(|_| format!("no answer about its name within {} s", PATIENCE.as_secs()))?;
    let mut found = found.map_err(worded)?;
    let has_other = found.iter().any(SocketAddr::is_ipv6);
    if client.options().ipv4_only {
        found.retain(SocketAddr::is_ipv4);
    }
    match found.is_empty() {
        true if has_other => Err("its name has addresses of IPv6 alone, and IPv4 alone is wanted".to_owned()),
        true => Err("its name has no address".to_owned()),
        false => Ok(found),
    }
}

async fn shake_hands(
    client: &HttpClient,
    url: &Url,
    stream: TcpStream,
    shown: ShownCertificates,
) -> Result<TlsReach, String> {
    let options = client.options();
    let around = |verifier| RecordingVerifier::of(verifier, shown);
    let config = tls::client_config_with(&options.extra_ca_files, &options.tls, around)
        .map_err(|error| error.to_string())?;
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| "its name is none that a certificate could have".to_owned())?;
    let shaking = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let stream = match timeout(PATIENCE, shaking).await {
        Err(_) => return Err(format!("no TLS handshake within {} s", PATIENCE.as_secs())),
        Ok(Err(error)) => {
            let stage = Stage { connect: true, ..Stage::default() };
            let error = trouble::explain(Box::new(error), stage);
            return Err(error.said().map_or_else(|| error.to_string(), str::to_owned));
        }
        Ok(Ok(stream)) => stream,
    };
    let (_, connection) = stream.get_ref();
    Ok(TlsReach {
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS 1.3",
        },
        protocol: connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
    })
}
