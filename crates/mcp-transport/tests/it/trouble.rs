//! What fails on the way to a server, and in which words: proxies, TLS, names.
//!
//! A test is named by its report (`fa_…`, `fh_…`: docs/field-failures.md).
//!
//! Longer than 500 lines because each trouble of the way stands with the words that it is told in.

use std::hash::{Hash as _, Hasher};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use mcp_status::{MessageContext, ReasonCode, classify, message};
use mcp_testkit::{FakeEra, FakeMcpServer, ForwardProxy};
use mcp_transport::options::{ProxyUrl, ResolveRequest, Resolver, ResolverFuture, TrustFile};
use mcp_transport::{ClientOptions, Connector, TransportError, TransportErrorKind};

use crate::field_server::{Bytes, FieldServer, http};
use crate::network::at;
use crate::support::{connector, echo, options, target};
use crate::tls_front::{fixture, tls_in_front_of};

/// Parts of texts that a person must never see.
const FOREIGN: [&str; 12] = [
    "hyper",
    "reqwest",
    "rustls",
    "h2",
    "os error",
    "error sending",
    "tunnel error",
    "SOCKS error",
    "Other(",
    "InvalidContentType",
    "dns error",
    "canary",
];

/// What a person is told.
pub(crate) fn described(error: &TransportError) -> String {
    let context = MessageContext::new("s").with_origin(Some("http://h"));
    let message = message(&error.evidence(), &context);
    let both = format!("{message} {error}");
    assert!(!FOREIGN.iter().any(|foreign| both.contains(foreign)), "{both}");
    message
}

fn code(error: &TransportError) -> Option<ReasonCode> {
    classify(&error.evidence()).code()
}

async fn failure(options: ClientOptions, url: &str) -> TransportError {
    Connector::new(options).attempt(&at(url)).await.unwrap_err()
}

/// Names that lead where a test says.
#[derive(Clone, Debug)]
struct Names(Result<Vec<IpAddr>, &'static str>);

impl Resolver for Names {
    fn resolve(&self, _: ResolveRequest<'_>) -> ResolverFuture {
        let found = self.0.clone();
        Box::pin(async move { found.map_err(|text| io::Error::other(text.to_owned())) })
    }

    fn identify(&self, mut state: &mut dyn Hasher) {
        self.0.hash(&mut state);
    }
}

fn by(url: &str) -> ClientOptions {
    let mut options = options();
    options.proxy.http = Some(ProxyUrl::new(url, "HTTP_PROXY"));
    options.proxy.https = Some(ProxyUrl::new(url, "HTTPS_PROXY"));
    options
}

/// A port of this machine at which nothing listens.
fn closed_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn fa_a83_a_server_of_this_machine_is_reached_past_a_dead_proxy() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let options = by(&format!("http://127.0.0.1:{}", closed_port()));
    let connection = Connector::new(options).attempt(&target(&server)).await.unwrap();
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn fa_a88_servers_are_reached_by_http_connect_and_socks() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let tls = tls_in_front_of(server.address(), "self-signed");
    let (plain, secure) = (server.address().port(), tls.port());
    let proxy = ForwardProxy::start().unwrap();
    let address = proxy.address();
    let (http, https) = (format!("http://mcp.test:{plain}/mcp"), format!("https://mcp.test:{secure}/mcp"));
    let named: [(&str, &str, String); 6] = [
        ("http", &http, format!("POST {http} HTTP/1.1")),
        ("http", &https, format!("CONNECT mcp.test:{secure} HTTP/1.1")),
        ("socks5h", &http, format!("SOCKS5 mcp.test:{plain}")),
        ("socks5h", &https, format!("SOCKS5 mcp.test:{secure}")),
        ("socks5", &http, format!("SOCKS5 10.9.8.7:{plain}")),
        ("socks5", &https, format!("SOCKS5 10.9.8.7:{secure}")),
    ];
    for (scheme, url, asked) in named {
        let before = proxy.asked().len();
        let mut options = options();
        options.proxy.all = Some(ProxyUrl::new(format!("{scheme}://{address}"), "ALL_PROXY"));
        options.extra_ca_files = vec![TrustFile::new(fixture("self-signed.pem"), "SSL_CERT_FILE")];
        options.resolver = Some(Arc::new(Names(Ok(vec!["10.9.8.7".parse().unwrap()]))));
        let connection = Connector::new(options)
            .attempt(&at(url))
            .await
            .unwrap_or_else(|error| panic!("{scheme} {url}: {error:?}"));
        assert_eq!(echo(&connection, "hello").await.unwrap(), "hello", "{scheme} {url}");
        assert_eq!(proxy.asked().get(before), Some(&asked), "{scheme} {url}");
    }
}

#[tokio::test]
async fn fa_a87_a_proxy_that_wants_credentials_is_named_with_what_named_it() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let proxy = ForwardProxy::start().unwrap();
    // ann:canary-secret
    proxy.want("Basic YW5uOmNhbmFyeS1zZWNyZXQ=");
    let http = format!("http://mcp.test:{}/mcp", server.address().port());
    for (url, variable) in [(&*http, "HTTP_PROXY"), ("https://mcp.test/mcp", "HTTPS_PROXY")] {
        for userinfo in ["", "ann:canary-old@"] {
            let error = failure(by(&format!("http://{userinfo}{}", proxy.address())), url).await;
            let expected = format!(
                "the proxy http://{} ({variable}) wants credentials, or other ones than those in its URL (407); user and password go in its URL, before the host",
                proxy.address()
            );
            assert_eq!(described(&error), expected);
            assert_eq!(code(&error), Some(ReasonCode::ProxyAuth));
        }
    }
    let options = by(&format!("http://ann:canary-secret@{}", proxy.address()));
    Connector::new(options).attempt(&at(&http)).await.unwrap();
}

#[tokio::test]
async fn fa_a86_what_fails_at_a_proxy_names_it_and_what_goes_past_it() {
    let proxy = ForwardProxy::start().unwrap();
    let named = |variable: &str| format!("http://{} ({variable})", proxy.address());
    let page = b"<!doctype html><title>Sign in to the guest network</title>";
    let portal = http("200 OK", "Content-Type: text/html\r\n", page);
    let forbidden = http("403 Forbidden", "Content-Type: text/html\r\n", page);
    let options = || by(&proxy.url());

    proxy.answer_with(forbidden.clone());
    let error = failure(options(), "https://mcp.test/mcp").await;
    let expected = format!(
        "the proxy {} did not open the way to http://h (403): it answered 403, with a web page titled \"Sign in to the guest network\"; NO_PROXY=mcp.test goes past it",
        named("HTTPS_PROXY")
    );
    assert_eq!((described(&error), code(&error)), (expected, Some(ReasonCode::Rejected)));
    assert_eq!(*error.kind(), TransportErrorKind::Proxy { status: Some(403) });

    // What it says in plain words, but for what it was sent.
    let words = b"\r\ndenied by policy 7 for canary-of-proxy\r\nask the network team\r\n";
    proxy.answer_with(http("403 Forbidden", "Content-Type: text/plain\r\n", words));
    let error =
        failure(by(&format!("http://ann:canary-of-proxy@{}", proxy.address())), "https://mcp.test/mcp").await;
    let expected =
        "it answered 403, with \"denied by policy 7 for [redacted]\"; NO_PROXY=mcp.test goes past it";
    assert!(described(&error).ends_with(expected), "{}", described(&error));

    for (status, line) in [(502, "502 Bad Gateway"), (504, "504 Gateway Timeout"), (302, "302 Found")] {
        proxy.answer_with(http(line, "Location: http://login.corp/\r\n", b""));
        let error = failure(options(), "https://mcp.test/mcp").await;
        let expected = format!(
            "the proxy {} did not open the way to http://h ({status}): it answered {status}; NO_PROXY=mcp.test goes past it",
            named("HTTPS_PROXY")
        );
        assert_eq!((described(&error), code(&error)), (expected, Some(ReasonCode::Unreachable)));
    }

    // Without a tunnel, an answer of the proxy looks like one of the server.
    let titled = ": a web page titled \"Sign in to the guest network\"";
    for (answer, expected, said) in [
        (portal, "a sign-in page answered instead of the server, and no credentials were sent (200)", titled),
        (
            forbidden,
            "something in front of the server, such as a firewall, blocked the request (403)",
            titled,
        ),
        (http("502 Bad Gateway", "", b""), "the server is unavailable (502)", ""),
        (http("503 Service Unavailable", "", b""), "the server is unavailable (503)", ""),
    ] {
        proxy.answer_with(answer);
        let error = failure(options(), "http://mcp.test/mcp").await;
        assert_eq!(
            described(&error),
            format!("{expected}, by way of the proxy {}{said}", named("HTTP_PROXY"))
        );
    }

    // It is none.
    proxy.answer_with(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec());
    let error = failure(options(), "https://mcp.test/mcp").await;
    let expected =
        format!("no way through the proxy {}: it did not open the way to the server", named("HTTPS_PROXY"));
    assert_eq!(described(&error), expected);
    let error = failure(by(&format!("socks5h://{}", proxy.address())), "https://mcp.test/mcp").await;
    assert!(
        described(&error)
            .starts_with(&format!("no way through the proxy socks5h://{} (HTTPS_PROXY): ", proxy.address())),
        "{error:?}"
    );
}

#[tokio::test]
async fn fa_a85_a86_a_proxy_that_is_not_there_is_named() {
    let dead = format!("127.0.0.1:{}", closed_port());
    for (scheme, url, said) in [
        ("http", "http://mcp.test/mcp", "connection refused"),
        ("http", "https://mcp.test/mcp", "connection refused"),
        ("socks5h", "https://mcp.test/mcp", "it does not answer"),
    ] {
        let error = failure(by(&format!("{scheme}://ann:canary@{dead}")), url).await;
        let variable = if url.starts_with("https") { "HTTPS_PROXY" } else { "HTTP_PROXY" };
        let expected = format!("no way through the proxy {scheme}://{dead} ({variable}): {said}");
        assert_eq!((described(&error), code(&error)), (expected, Some(ReasonCode::Unreachable)), "{error:?}");
    }
    let mut options = by("http://proxy.corp:3128");
    options.resolver =
        Some(Arc::new(Names(Err("failed to lookup address information: Name or service not known"))));
    let error = failure(options, "https://mcp.test/mcp").await;
    assert_eq!(
        described(&error),
        "no way through the proxy http://proxy.corp:3128 (HTTPS_PROXY): there is no host of that name"
    );
}

/// A sign-in tells all causes of a failure, so none may be in the words of a library.
#[tokio::test]
async fn fa_a86_fh_h14_an_authorization_server_behind_a_dead_proxy_is_told_with_it() {
    let dead = format!("127.0.0.1:{}", closed_port());
    let connector = Connector::new(by(&format!("http://ann:canary@{dead}")));
    let request = ::http::Request::get("https://auth.test/token").body(bytes::Bytes::new()).unwrap();
    let error = mcp_auth::HttpExchange::exchange(connector.http(), request).await.unwrap_err();
    let expected = format!(
        "the authorization server could not be reached by way of the proxy http://{dead} (HTTPS_PROXY): connection refused"
    );
    assert_eq!(error.to_string(), expected);
    assert!(std::error::Error::source(&error).is_none());
}

#[tokio::test]
async fn fa_a86_a_proxy_variable_that_cannot_be_used_is_named() {
    for (url, said) in [
        (
            "ftp://ann:canary@proxy.corp",
            "HTTP_PROXY names a kind of proxy that is not known; http, https, socks5 and socks5h are",
        ),
        ("http://ann:canary@[::bad", "HTTP_PROXY is not a URL of a proxy, such as http://proxy.example:3128"),
    ] {
        let error = failure(by(url), "http://mcp.test/mcp").await;
        assert_eq!(described(&error), format!("the settings of this server cannot be used: {said}"));
        assert!(!format!("{error:?}").contains("canary"));
    }
}

#[tokio::test]
async fn fa_a89_names_that_lead_nowhere_are_told_apart() {
    let v6 = || vec!["2001:db8::1".parse().unwrap()];
    for (names, said) in [
        (
            Err("failed to lookup address information: Name or service not known"),
            "there is no host of that name",
        ),
        (
            Err("failed to lookup address information: Temporary failure in name resolution"),
            "the name cannot be looked up now: the name server does not answer",
        ),
        (Ok(vec!["127.0.0.1".parse().unwrap()]), "connection refused"),
        (Ok(v6()), "the server has addresses of IPv6 alone, and there is no way to those from here"),
    ] {
        let mut options = options();
        options.connect_timeout = std::time::Duration::from_secs(5);
        let is_v6 = names == Ok(v6());
        options.resolver = Some(Arc::new(Names(names)));
        let error = failure(options, &format!("http://mcp.test:{}/mcp", closed_port())).await;
        // A machine that has a way to IPv6 waits for an answer.
        if !is_v6 || *error.kind() == TransportErrorKind::Unreachable {
            assert_eq!(described(&error), format!("no connection to http://h: {said}"), "{error:?}");
            let is_unknown = said == "there is no host of that name";
            assert_eq!(error.evidence().unknown_host, is_unknown, "{said}");
        }
    }
}

/// A TLS failure with a server that shows this certificate, where these are trusted in addition.
async fn tls_failure(certificate: &str, trusted: &[(&str, &str)], host: &str) -> TransportError {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let address = tls_in_front_of(server.address(), certificate);
    let mut options = options();
    let file = |(file, from): &(&str, &str)| match *from {
        "REQUESTS_CA_BUNDLE" | "CURL_CA_BUNDLE" => TrustFile::of_others(fixture(file), *from),
        _ => TrustFile::new(fixture(file), *from),
    };
    options.extra_ca_files = trusted.iter().map(file).collect();
    options.resolver = Some(Arc::new(Names(Ok(vec!["127.0.0.1".parse().unwrap()]))));
    let error = failure(options, &format!("https://{host}:{}/mcp", address.port())).await;
    assert_eq!((error.kind(), code(&error)), (&TransportErrorKind::Tls, Some(ReasonCode::Tls)), "{error:?}");
    assert!(server.requests().is_empty());
    error
}

#[tokio::test]
async fn fa_a90_a_certificate_that_a_person_named_is_trusted_self_signed_or_not() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    for (certificate, hosts) in [
        ("self-signed", vec!["localhost", "127.0.0.1"]),
        ("localhost", vec!["localhost"]),
        // As `openssl req -x509` makes one: its subject is the only name in it.
        ("common-name", vec!["localhost"]),
    ] {
        let address = tls_in_front_of(server.address(), certificate);
        for host in hosts {
            let mut options = options();
            options.extra_ca_files = vec![
                TrustFile::new(fixture("absent.pem"), "NODE_EXTRA_CA_CERTS"),
                TrustFile::new(fixture(&format!("{certificate}.pem")), "SSL_CERT_FILE"),
            ];
            let target = at(&format!("https://{host}:{}/mcp", address.port()));
            let connection = Connector::new(options)
                .attempt(&target)
                .await
                .unwrap_or_else(|error| panic!("{host}: {error:?}"));
            assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
        }
    }
    let trusted = [("self-signed.pem", "SSL_CERT_FILE")];
    // Its name and its dates count all the same, and it vouches for no other.
    assert_eq!(
        described(&tls_failure("self-signed", &trusted, "elsewhere.test").await),
        "the TLS connection to http://h failed: the certificate of the server is for localhost, mcp.test, 127.0.0.1, not for elsewhere.test"
    );
    let trusted_by_name = [("common-name.pem", "SSL_CERT_FILE")];
    let other = described(&tls_failure("common-name", &trusted_by_name, "elsewhere.test").await);
    assert!(other.ends_with("names no host (no subjectAltName), so not elsewhere.test"), "{other}");
    assert_eq!(
        described(&tls_failure("expired", &[("expired.pem", "SSL_CERT_FILE")], "localhost").await),
        "the TLS connection to http://h failed: the certificate of the server has expired"
    );
    assert!(described(&tls_failure("localhost", &trusted, "localhost").await).contains("not trusted here"));
}

#[tokio::test]
async fn fa_a89_a91_fh_h14_a_certificate_that_nothing_vouches_for_says_why_and_what_to_set() {
    assert_eq!(
        described(&tls_failure("self-signed", &[], "localhost").await),
        "the TLS connection to http://h failed: the certificate of the server is self-signed"
    );
    assert_eq!(
        described(&tls_failure("localhost", &[], "localhost").await),
        "the TLS connection to http://h failed: the certificate of the server is signed by an authority that is not \
         trusted here; it sends its own certificate alone, without its chain"
    );
    let message =
        described(&tls_failure("localhost", &[("absent.pem", "NODE_EXTRA_CA_CERTS")], "localhost").await);
    assert!(
        message.contains("; NODE_EXTRA_CA_CERTS names ")
            && message.contains("absent.pem, which cannot be read"),
        "{message}"
    );
}

/// What is for other programs is not trusted here, and named where it would have helped.
#[tokio::test]
async fn fa_a90_a_file_for_other_programs_that_vouches_for_a_certificate_is_named() {
    for (certificate, file) in [("localhost", "authority.pem"), ("self-signed", "self-signed.pem")] {
        for variable in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
            let message = described(&tls_failure(certificate, &[(file, variable)], "localhost").await);
            let told = format!("{file}, which vouches for it and is not read here: NODE_EXTRA_CA_CERTS is");
            assert!(
                message.contains(&format!("; {variable} names ")) && message.ends_with(&told),
                "{message}"
            );
        }
    }
    for other in ["self-signed.pem", "absent.pem"] {
        let message = described(&tls_failure("localhost", &[(other, "CURL_CA_BUNDLE")], "localhost").await);
        assert!(!message.contains("CURL_CA_BUNDLE"), "it would not have helped: {message}");
    }
}

#[tokio::test]
async fn fa_a91_a_file_of_authorities_that_is_gone_keeps_no_other_server_away() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let mut options = options();
    options.extra_ca_files = vec![TrustFile::new(fixture("absent.pem"), "NODE_EXTRA_CA_CERTS")];
    Connector::new(options).attempt(&target(&server)).await.unwrap();
}

#[tokio::test]
async fn fa_a89_s_n18_tls_and_http_at_the_wrong_ports_are_told_with_the_url_to_write() {
    let server = FieldServer::raw(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let error = failure(options(), &format!("https://{}/mcp", server.address)).await;
    assert_eq!(
        described(&error),
        "the TLS connection to http://h failed: what answers does not speak TLS; a server that is reached without it has a URL with http://"
    );
    for (answer, expected) in [
        (
            b"\x15\x03\x01\0\x02\x02\x0a".to_vec(),
            "what answers at http://h does not speak MCP: what answers speaks TLS: its URL begins with https://",
        ),
        (
            b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
            "what answers at http://h does not speak MCP: what came back is not HTTP: it begins with \"SSH-2.0-OpenSSH_9.6\"",
        ),
        (
            b"-ERR unknown command '\x1b[31mPOST'\r\n".to_vec(),
            "what answers at http://h does not speak MCP: what came back is not HTTP: it begins with \"-ERR unknown command 'POST'\"",
        ),
        (
            http(
                "400 Bad Request",
                "Content-Type: text/html\r\n",
                b"<title>400 The plain HTTP request was sent to HTTPS port</title>",
            ),
            "the server refused to connect (400): this port wants TLS: its URL begins with https://",
        ),
        (
            http(
                "400 Bad Request",
                "Content-Type: text/plain\r\n",
                b"Client sent an HTTP request to an HTTPS server.\n",
            ),
            "the server refused to connect (400): this port wants TLS: its URL begins with https://",
        ),
    ] {
        let server = FieldServer::start(move |_| Some(Bytes::End(answer.clone())));
        let error = connector().attempt(&server.target()).await.unwrap_err();
        assert_eq!(described(&error), expected);
    }
    // A version of TLS that this client does not speak any more.
    let old = FieldServer::raw(b"\x15\x03\x01\0\x02\x02\x46");
    let error = failure(options(), &format!("https://{}/mcp", old.address)).await;
    assert_eq!(
        described(&error),
        "the TLS connection to http://h failed: no version of TLS in common: 1.2 and 1.3 are spoken here, and the server is older"
    );
}

/// The library has a word for it only where it is built as a server, so its text is compared: this notices another one.
#[tokio::test]
async fn a_head_without_an_end_is_told_as_one() {
    let line = "X-Filler: 0123456789012345678901234567890123456789012345678901234567890123\r\n";
    let endless = format!("HTTP/1.1 200 OK\r\n{}", line.repeat(90_000));
    let server = FieldServer::start(move |_| Some(Bytes::End(endless.clone().into_bytes())));
    let error = connector().attempt(&server.target()).await.unwrap_err();
    assert!(described(&error).contains("the head of the answer is too long"), "{error}");
    assert_eq!(code(&error), Some(ReasonCode::Protocol));
}

/// A byte in a header that no header may have takes neither the answer nor its other headers.
#[tokio::test]
async fn s_n16_one_header_that_cannot_be_read_hides_no_other_and_no_answer() {
    for odd in [
        "WWW-Authenticate: Bearer realm=\"\u{1b}[2J\"\r\n",
        "WWW-Authenticate: Bearer \u{1}\r\n",
        "X-Odd: \u{7f}\r\n",
        "X Odd: blank in its name\r\n",
    ] {
        let said = format!("{odd}WWW-Authenticate: Basic realm=\"x\"\r\n");
        let server = FieldServer::start(move |_| Some(Bytes::End(http("401 Unauthorized", &said, b"{}"))));
        let error = connector().attempt(&server.target()).await.unwrap_err();
        assert_eq!(code(&error), Some(ReasonCode::Unauthorized), "{odd:?}: {error:?}");
        assert!(described(&error).contains("asks for Basic credentials"), "{odd:?}: {}", described(&error));
    }
}

#[tokio::test]
async fn fb_t12_what_is_all_there_and_cannot_be_unpacked_is_no_lost_connection() {
    let body = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03".as_slice(), b"garbage".as_slice()].concat();
    let server = FieldServer::start(move |_| {
        let headers = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
        Some(Bytes::End(http("200 OK", headers, &body)))
    });
    let error = connector().attempt(&server.target()).await.unwrap_err();
    assert_eq!(code(&error), Some(ReasonCode::Protocol), "{error:?}");
    assert!(described(&error).contains("compressed, and damaged"), "{}", described(&error));
}

/// Some end a connection that speaks the wrong one of two languages, and say nothing.
#[tokio::test]
async fn fa_a89_a_server_without_tls_that_says_nothing_to_it_is_told_with_the_url_to_write() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut beginning = [0; 2048];
            let read = stream.read(&mut beginning).unwrap_or_default();
            if beginning[..read].starts_with(b"OPTIONS ") {
                let _ = stream.write_all(b"HTTP/1.0 501 Unsupported method\r\n\r\n");
            }
        }
    });
    let error = failure(options(), &format!("https://127.0.0.1:{port}/mcp")).await;
    assert_eq!(code(&error), Some(ReasonCode::Tls), "{error:?}");
    assert!(described(&error).contains("does not speak TLS"), "{}", described(&error));
}
