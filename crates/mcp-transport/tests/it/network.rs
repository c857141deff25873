//! TLS, proxies, and the exchange that authorization shares.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use mcp_auth::{AuthErrorKind, HttpExchange};
use mcp_status::{ReasonCode, classify};
use mcp_testkit::{FakeEra, FakeMcpServer, HttpAnswer, ScriptedAnswer};
use mcp_transport::message::ProtocolRevision;
use mcp_transport::options::{ProxyUrl, TrustFile};
use mcp_transport::{ClientOptions, Connector, Endpoint, HttpEndpoint, Server, TransportErrorKind};

use crate::field_server::FieldServer;
use crate::support::{connector, echo, options, target};
use crate::tls_front::{fixture, is_whole, tls_in_front_of};

pub(crate) fn at(url: &str) -> Server {
    Server::new(Endpoint::Http(HttpEndpoint::new(url.parse().unwrap())))
}

#[tokio::test]
async fn f062_a_certificate_of_an_extra_authority_is_trusted_and_no_other() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let address = tls_in_front_of(server.address(), "localhost");
    let secure = at(&format!("https://localhost:{}/mcp", address.port()));

    let error = connector().attempt(&secure).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Tls, "{error:?}");
    assert_eq!(classify(&error.evidence()).code(), Some(ReasonCode::Tls));
    assert!(server.requests().is_empty());

    let mut options = options();
    options.extra_ca_files = vec![TrustFile::new(fixture("authority.pem"), "NODE_EXTRA_CA_CERTS")];
    let connection = Connector::new(options).attempt(&secure).await.unwrap();
    assert_eq!(connection.revision(), ProtocolRevision::V2025_11_25);
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn the_way_to_a_server_is_looked_at_without_a_request() {
    let server = FakeMcpServer::builder().start().unwrap();
    let address = tls_in_front_of(server.address(), "localhost");
    let endpoint = |port| HttpEndpoint::new(format!("https://localhost:{port}/mcp").parse().unwrap());
    let mut options = options();
    options.extra_ca_files = vec![TrustFile::new(fixture("authority.pem"), "NODE_EXTRA_CA_CERTS")];
    let trusting = Connector::new(options);
    let reach = trusting.http().reach(&endpoint(address.port())).await;
    assert!(reach.addresses.is_ok() && reach.proxy.is_none(), "{reach:?}");
    assert!(matches!(&reach.connected, Some(Ok((to, _))) if to.port() == address.port()), "{reach:?}");
    assert!(reach.way.starts_with("none: ") && reach.looked_up.is_some() && reach.tls.unwrap().is_ok());
    let shown = &reach.chain[0];
    assert_eq!(shown.issuer.as_deref(), Some("mcplink test authority"));
    assert_eq!(shown.names, ["localhost", "127.0.0.1"]);
    assert!(shown.valid_until > std::time::SystemTime::now() && shown.days.0 < shown.days.1, "{shown:?}");

    // What was shown is told where it is not trusted, too.
    let reach = connector().http().reach(&endpoint(address.port())).await;
    assert!(matches!(&reach.tls, Some(Err(why)) if why.contains("certificate")), "{reach:?}");
    assert_eq!(reach.chain[0].names, ["localhost", "127.0.0.1"]);
    let reach = connector().http().reach(&endpoint(server.address().port())).await;
    assert!(matches!(&reach.tls, Some(Err(why)) if why.contains("does not speak TLS")), "{reach:?}");
    let closed = connector().http().reach(&HttpEndpoint::new("http://127.0.0.1:1/".parse().unwrap())).await;
    assert!(matches!(&closed.connected, Some(Err(why)) if why.contains("refused")), "{closed:?}");
    assert!(matches!(&closed.refused[..], [(to, _, why)] if to.port() == 1 && why.contains("refused")));
    assert_eq!((closed.tls, closed.looked_up), (None, None));
    let nowhere = HttpEndpoint::new("http://no-such-host.invalid/".parse().unwrap());
    assert!(connector().http().reach(&nowhere).await.addresses.is_err());
    assert!(server.requests().is_empty(), "nothing was asked");
}

#[tokio::test]
async fn f062_https_to_a_server_without_tls_is_a_tls_failure() {
    let server = FakeMcpServer::builder().start().unwrap();
    let secure = at(&format!("https://localhost:{}/mcp", server.address().port()));
    let error = connector().attempt(&secure).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Tls, "{error:?}");
}

/// A forward proxy that answers everything with one status and remembers the first lines of requests.
fn proxy(status: &'static str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let lines = seen.clone();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut request = Vec::new();
            let mut chunk = [0; 4096];
            while !is_whole(&request) {
                match client.read(&mut chunk) {
                    Ok(read @ 1..) => request.extend_from_slice(&chunk[..read]),
                    _ => break,
                }
            }
            let text = String::from_utf8_lossy(&request).into_owned();
            lines.lock().unwrap().push(text.lines().next().unwrap_or_default().to_owned());
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = client.write_all(answer.as_bytes());
        }
    });
    (address, seen)
}

fn through(proxy: SocketAddr) -> ClientOptions {
    let mut options = options();
    options.proxy.http = Some(ProxyUrl::new(format!("http://{proxy}"), "HTTP_PROXY"));
    options.proxy.https = Some(ProxyUrl::new(format!("http://{proxy}"), "HTTPS_PROXY"));
    options
}

#[tokio::test]
async fn a_proxy_that_wants_credentials_is_called_so_on_either_way() {
    let (address, seen) = proxy("407 Proxy Authentication Required");
    for url in ["http://mcp.example/mcp", "https://mcp.example/mcp"] {
        let error = Connector::new(through(address)).attempt(&at(url)).await.unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::Proxy { status: Some(407) }, "{url} {error:?}");
        assert_eq!(classify(&error.evidence()).code(), Some(ReasonCode::ProxyAuth));
    }
    let seen = seen.lock().unwrap();
    assert_eq!(*seen, ["POST http://mcp.example/mcp HTTP/1.1", "CONNECT mcp.example:443 HTTP/1.1"]);
}

/// It looks like a server that takes connections and says nothing.
#[tokio::test]
async fn fa_a86_a_proxy_that_says_nothing_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = through(listener.local_addr().unwrap());
    options.connect_timeout = std::time::Duration::from_millis(200);
    let server = Server::new(Endpoint::Http(HttpEndpoint::new("http://mcp.test/mcp".parse().unwrap())));
    let error = Connector::new(options).attempt(&server).await.unwrap_err();
    let evidence = error.evidence();
    assert_eq!(evidence.outcome, mcp_status::Outcome::Timeout, "{evidence:?}");
    assert!(evidence.proxy.as_deref().is_some_and(|proxy| proxy.ends_with("(HTTP_PROXY)")), "{evidence:?}");
}

#[tokio::test]
async fn a_proxy_that_cannot_reach_the_server_is_unreachable() {
    let (address, _) = proxy("502 Bad Gateway");
    let error = Connector::new(through(address)).attempt(&at("https://mcp.example/mcp")).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Proxy { status: Some(502) }, "{error:?}");
    assert_eq!(classify(&error.evidence()).code(), Some(ReasonCode::Unreachable));
}

#[tokio::test]
async fn excepted_hosts_are_reached_directly() {
    let (address, seen) = proxy("502 Bad Gateway");
    let server = FakeMcpServer::builder().start().unwrap();
    let mut options = through(address);
    options.proxy.no_proxy = Some("example.org,127.0.0.1,localhost".to_owned());
    Connector::new(options).attempt(&target(&server)).await.unwrap();
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_proxy_url_that_is_not_valid_is_a_setting_to_correct_and_not_shown() {
    let mut options = options();
    options.proxy.http = Some(ProxyUrl::new("http://user:canary-secret@[::bad/", "HTTP_PROXY"));
    options.proxy.no_proxy = Some("past.example".to_owned());
    let connector = Connector::new(options);
    let error = connector.attempt(&at("http://mcp.example:9/")).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Misconfigured);
    assert!(!format!("{error:?} {error}").contains("canary"));
    assert_eq!(error.evidence().proxy.as_deref(), Some("HTTP_PROXY"));
    // What does not go by it is not concerned: this machine, what goes past it, and another scheme.
    for url in ["http://127.0.0.1:9/", "http://past.example:9/", "https://mcp.example:9/"] {
        let error = connector.attempt(&at(url)).await.unwrap_err();
        assert_ne!(*error.kind(), TransportErrorKind::Misconfigured, "{url} {error:?}");
    }
}

#[tokio::test]
async fn an_exchange_returns_any_status_follows_nothing_and_is_bounded() {
    let server = FakeMcpServer::builder().start().unwrap();
    server.route("/moved", ScriptedAnswer::redirect(302, "/elsewhere"));
    server.route("/long", HttpAnswer::new(200).body("text/plain", vec![b'x'; (1 << 20) + 1]));
    let connector = connector();
    let get = |path: &str| {
        let uri = server.url_of(path).to_string();
        connector.http().exchange(http::Request::get(uri).body(Bytes::new()).unwrap())
    };
    let moved = get("/moved").await.unwrap();
    assert_eq!(moved.status(), 302);
    assert!(server.recorder().requests_to("/elsewhere").is_empty());
    assert_eq!(get("/long").await.unwrap_err().kind(), AuthErrorKind::Unavailable);
    server.go_down();
    assert_eq!(get("/moved").await.unwrap_err().kind(), AuthErrorKind::Unavailable);
}

#[tokio::test]
async fn a_json_answer_has_a_limit_too() {
    let server = FakeMcpServer::builder().start().unwrap();
    let mut options = options();
    options.limits.result_bytes = 100_000;
    let connection = Connector::new(options).attempt(&target(&server)).await.unwrap();
    let call = async |bytes: usize| {
        let arguments = crate::support::raw(&serde_json::json!({ "bytes": bytes }));
        connection.call_tool("big", Some(&arguments), &mcp_transport::RequestOptions::new()).await
    };
    assert_eq!(crate::support::text_of(call(90_000).await.unwrap()).len(), 90_000);
    assert_eq!(*call(200_000).await.unwrap_err().kind(), TransportErrorKind::TooLarge);
}

/// A proxy that is said to speak TLS and does not, and one whose certificate is not trusted: nothing is wrong with the server.
#[tokio::test]
async fn fa_a86_what_fails_in_the_tls_of_a_proxy_is_told_of_the_proxy() {
    let plain = FieldServer::raw(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let server = FakeMcpServer::start().unwrap();
    let untrusted = tls_in_front_of(server.address(), "self-signed");
    for (address, said) in [
        (plain.address, "it does not speak TLS: its URL begins with http://"),
        (untrusted, "the certificate of the proxy is self-signed"),
    ] {
        let mut options = options();
        options.proxy.http =
            Some(ProxyUrl::new(format!("https://localhost:{}", address.port()), "HTTP_PROXY"));
        options.proxy.https =
            Some(ProxyUrl::new(format!("https://localhost:{}", address.port()), "HTTPS_PROXY"));
        for url in ["http://mcp.test.example/mcp", "https://mcp.test.example/mcp"] {
            let error = Connector::new(options.clone()).attempt(&at(url)).await.unwrap_err();
            assert_eq!(*error.kind(), TransportErrorKind::Proxy { status: None }, "{url}: {error:?}");
            assert_eq!(error.said(), Some(said), "{url}");
            assert!(error.evidence().proxy.is_some_and(|proxy| proxy.contains("_PROXY)")), "{url}");
        }
    }
    assert!(server.requests().is_empty());
}
