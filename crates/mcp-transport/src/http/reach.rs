//! How far the way to a server leads, looked at apart from any request: name, connection, certificate.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ProtocolVersion;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use url::Url;

use super::certificate::Fields;
use super::client::HttpClient;
use super::trouble::{self, Stage};
use super::{sounding, tls};
use crate::endpoint::HttpEndpoint;
use crate::words;

/// What each part of the look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far the way to a server leads. Each part is there where it was looked at, and an error is in words.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Reach {
    /// The proxy that requests go by, without its credentials; all that follows is about it then.
    pub proxy: Option<String>,
    /// Where the connection leads.
    pub host: String,
    /// And to which port.
    pub port: u16,
    /// The addresses of the host.
    pub addresses: Result<Vec<SocketAddr>, String>,
    /// The address that was connected to, and how long that took.
    pub connected: Option<Result<(SocketAddr, Duration), String>>,
    /// What came of a TLS handshake (RFC 8446). Not looked at through a proxy.
    pub tls: Option<Result<TlsReach, String>>,
}

/// A TLS handshake that succeeded.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TlsReach {
    /// `TLS 1.2` or `TLS 1.3`.
    pub version: &'static str,
    /// The protocol that was agreed (RFC 7301), such as `h2`.
    pub protocol: Option<String>,
    /// Who signed the certificate, as its common name or organisation says.
    pub issuer: Option<String>,
    /// When the certificate ends.
    pub valid_until: Option<SystemTime>,
}

impl HttpClient {
    /// Looks how far the way to this endpoint leads. Sends no request and no credentials.
    pub async fn reach(&self, endpoint: &HttpEndpoint) -> Reach {
        let client = self.for_endpoint(endpoint);
        let proxy = client.proxy(&endpoint.url).cloned();
        let url = proxy.as_ref().map_or(&endpoint.url, |proxy| &proxy.url);
        let addresses = addresses(&client, url).await;
        let mut reach = Reach {
            proxy: proxy.as_ref().map(ToString::to_string),
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default().unwrap_or(80),
            addresses,
            connected: None,
            tls: None,
        };
        let Ok(found) = reach.addresses.as_deref() else { return reach };
        let began = Instant::now();
        let stream = match timeout(PATIENCE, TcpStream::connect(found)).await {
            Ok(stream) => stream.map_err(worded),
            Err(_) => Err(format!("nothing answers within {} s", PATIENCE.as_secs())),
        };
        let took = began.elapsed();
        let stream = match stream {
            Ok(stream) => stream,
            Err(why) => {
                reach.connected = Some(Err(why));
                return reach;
            }
        };
        let peer = stream.peer_addr().unwrap_or(found[0]);
        reach.connected = Some(Ok((peer, took)));
        if endpoint.url.scheme() == "https" && proxy.is_none() {
            reach.tls = Some(shake_hands(&client, &endpoint.url, stream).await);
        }
        reach
    }
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
    if client.options().ipv4_only {
        found.retain(SocketAddr::is_ipv4);
    }
    if found.is_empty() { Err("its name has no address".to_owned()) } else { Ok(found) }
}

async fn shake_hands(client: &HttpClient, url: &Url, stream: TcpStream) -> Result<TlsReach, String> {
    let options = client.options();
    let config =
        tls::client_config(&options.extra_ca_files, &options.tls).map_err(|error| error.to_string())?;
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
    let certificate = connection.peer_certificates().and_then(<[_]>::first);
    let fields = certificate.and_then(|certificate| Fields::read(certificate));
    Ok(TlsReach {
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS 1.3",
        },
        protocol: connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        issuer: fields.as_ref().and_then(Fields::issuer).map(|name| mcp_text::line(&name, 60)),
        valid_until: fields.map(|fields| SystemTime::UNIX_EPOCH + fields.until()),
    })
}
