//! Looking closer at what failed. The HTTP client keeps what a peer said to itself where that is not HTTP, or the refusal of a
//! tunnel; so it is asked for once more, by hand, with nothing in it that matters.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use url::{Host, Url};

use crate::resolver::{ResolveRequest, Resolver};

/// How long a look may take, and how much is read of what comes, in bytes.
const PATIENCE: Duration = Duration::from_secs(2);
const MAX_BYTES: usize = 2048;

/// The addresses of a host; none where they cannot be obtained in time.
pub(super) async fn addresses(resolver: Option<&Arc<dyn Resolver>>, url: &Url) -> Vec<SocketAddr> {
    let found = tokio::time::timeout(PATIENCE, addresses_of(resolver, url)).await;
    found.ok().and_then(Result::ok).unwrap_or_default()
}

/// The port that is meant where none is written; for a SOCKS proxy as the HTTP client takes it.
pub(super) fn port_of(url: &Url) -> u16 {
    let usual = if url.scheme().starts_with("socks") { 1080 } else { 80 };
    url.port_or_known_default().unwrap_or(usual)
}

/// Whether a host has addresses, and none of IPv4.
pub(super) async fn has_no_ipv4(resolver: Option<&Arc<dyn Resolver>>, url: &Url) -> bool {
    let found = addresses(resolver, url).await;
    !found.is_empty() && found.iter().all(SocketAddr::is_ipv6)
}

/// The addresses of a host, for as long as it takes to find them.
pub(super) async fn addresses_of(
    resolver: Option<&Arc<dyn Resolver>>,
    url: &Url,
) -> io::Result<Vec<SocketAddr>> {
    let port = port_of(url);
    Ok(match (url.host(), resolver) {
        (Some(Host::Ipv4(address)), _) => vec![SocketAddr::new(IpAddr::V4(address), port)],
        (Some(Host::Ipv6(address)), _) => vec![SocketAddr::new(IpAddr::V6(address), port)],
        (Some(Host::Domain(name)), Some(resolver)) => {
            let found = resolver.resolve(ResolveRequest::new(name)).await?;
            found.into_iter().map(|address| SocketAddr::new(address, port)).collect()
        }
        (Some(Host::Domain(name)), None) => system_addresses(name, port).await?,
        (None, _) => Vec::new(),
    })
}

/// Where the system says that a name leads. What is below `localhost` is this machine, whether the system knows that or not (RFC
/// 6761 section 6.3).
pub(super) async fn system_addresses(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let lower = name.trim_end_matches('.').to_ascii_lowercase();
    let is_here = lower == "localhost" || lower.ends_with(".localhost");
    let name = if is_here { "localhost" } else { name };
    Ok(lookup_host((name, port)).await?.collect())
}

/// What the peer at these addresses says to `words`, or by itself.
async fn said(addresses: &[SocketAddr], words: &[u8]) -> Vec<u8> {
    let mut heard = Vec::new();
    let looking = async {
        let mut peer = TcpStream::connect(addresses).await.ok()?;
        peer.write_all(words).await.ok()?;
        let mut chunk = [0; 512];
        while heard.len() < MAX_BYTES && !is_enough(&heard) {
            let read = peer.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
            heard.extend_from_slice(&chunk[..read]);
        }
        Some(())
    };
    // What came until then still says something.
    let _ = tokio::time::timeout(PATIENCE, looking).await;
    heard
}

/// Whether nothing more is to be expected of what came: an answer of HTTP/1.1 says in its head how long it is, and anything else
/// ends with its line.
fn is_enough(heard: &[u8]) -> bool {
    let text = String::from_utf8_lossy(heard);
    if !text.starts_with("HTTP/1.") {
        return heard.ends_with(b"\n");
    }
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    match length {
        Some(length) => body.len() >= length,
        None => heard.ends_with(b"\n"),
    }
}

/// Whether what answers at `url` speaks HTTP without TLS. Nothing of the request that failed is in the question.
pub(super) async fn speaks_http(resolver: Option<&Arc<dyn Resolver>>, url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let question = format!("OPTIONS * HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    said(&addresses(resolver, url).await, question.as_bytes()).await.starts_with(b"HTTP/1.")
}

/// What answers at `url` with something that is not HTTP, in words. Nothing of the request that failed is in the question.
pub(super) async fn what_answers(resolver: Option<&Arc<dyn Resolver>>, url: &Url) -> Option<String> {
    let host = url.host_str()?;
    let question = format!("OPTIONS * HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let heard = said(&addresses(resolver, url).await, question.as_bytes()).await;
    match heard.as_slice() {
        [] => None,
        // A record of TLS: an alert, or a handshake (RFC 8446 section 5.1).
        [0x15 | 0x16, 3, ..] => Some(crate::words::other_scheme("http").to_owned()),
        heard if heard.starts_with(b"HTTP/1.") => None,
        // The settings that begin every connection of HTTP/2 (RFC 9113 section 3.4).
        [_, _, _, 4, 0, 0, 0, 0, 0, ..] => Some(
            "what answers speaks HTTP/2 without TLS, which is not spoken here: it may have another port for HTTP/1.1, or for TLS"
                .to_owned(),
        ),
        heard => {
            let what = super::form::described("", heard);
            Some(format!(
                "what came back is not HTTP: {}",
                what.replacen("no type that ", "it ", 1).replacen("no type and", "it is", 1)
            ))
        }
    }
}

/// The first line of what a proxy says to people beside a status.
fn words_of(head: &str, body: &str, proxy: &Url) -> Option<String> {
    const MAX_WORDS: usize = 100;
    // The sizes of its chunks would be among them.
    if head.to_ascii_lowercase().contains("transfer-encoding") {
        return None;
    }
    // Security: it may repeat what it was sent.
    let mut secrets = mcp_text::Secrets::default();
    secrets.insert_url(proxy.as_str());
    body.lines().map(|line| secrets.line(line, MAX_WORDS)).find(|line| !line.is_empty())
}

/// The status that a proxy answers to `CONNECT`, and what is said of the page or the words that come with it, where some do.
pub(super) async fn refusal(
    resolver: Option<&Arc<dyn Resolver>>,
    proxy: &Url,
    url: &Url,
) -> Option<(u16, Option<String>)> {
    let (host, port) = (url.host_str()?, url.port_or_known_default()?);
    let mut question = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some(Ok(basic)) = mcp_auth::userinfo::take_userinfo(&mut proxy.clone()) {
        // Security: to the proxy that it is for, as the request that failed.
        question.push_str(&format!("Proxy-Authorization: {}\r\n", basic.expose()));
    }
    question.push_str("\r\n");
    let heard = said(&addresses(resolver, proxy).await, question.as_bytes()).await;
    let text = String::from_utf8_lossy(&heard);
    let status = text.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let is_page = text.to_ascii_lowercase().contains("text/html");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let page = match is_page {
        true => Some(match super::page::titled(body.as_bytes()) {
            Some(title) => format!(", with {title}"),
            None => ", with a page for people".to_owned(),
        }),
        false => words_of(head, body, proxy).map(|words| format!(", with \"{words}\"")),
    };
    (status != 200).then_some((status, page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_below_localhost_is_this_machine_whether_the_system_knows_it_or_not() {
        for name in ["localhost", "localhost.", "app.localhost", "a.b.LOCALHOST."] {
            let found = system_addresses(name, 7).await.unwrap();
            assert!(!found.is_empty(), "{name}");
            assert!(
                found.iter().all(|address| address.ip().is_loopback() && address.port() == 7),
                "{found:?}"
            );
        }
    }
}
