//! TLS settings of one endpoint: whom it trusts besides, and the certificate of the client.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mcp_auth::{AuthErrorKind, LoginRemedy};
use mcp_status::TlsFault;
use mcp_testkit::{FakeEra, FakeMcpServer};
use mcp_transport::options::{ClientIdentity, Pem, ProxyUrl, TlsOptions, TrustFile};
use mcp_transport::{Connector, Endpoint, HttpEndpoint, Server, TransportErrorKind};

use crate::support::{connector, echo, options};
use crate::tls_front::{fixture, mutual_tls_in_front_of, tls_in_front_of};
use crate::trouble::described;

fn with_tls(port: u16, tls: TlsOptions) -> Server {
    let url = format!("https://localhost:{port}/mcp");
    Server::new(Endpoint::Http(HttpEndpoint::new(url.parse().unwrap()).with_tls(tls)))
}

fn trusting() -> TlsOptions {
    TlsOptions::new().with_trust(TrustFile::new(fixture("authority.pem"), "tls.ca"))
}

fn agent() -> ClientIdentity {
    ClientIdentity::from_files(fixture("client.pem"), fixture("client.key.pem"), "tls.cert")
}

/// The kind of the failure and what it says.
async fn refused(connector: &Connector, server: &Server) -> (TransportErrorKind, String) {
    let error = connector.attempt(server).await.unwrap_err();
    (error.kind().clone(), described(&error))
}

#[tokio::test]
async fn a_certificate_of_the_client_is_shown_to_its_endpoint_and_to_no_other() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let mutual = mutual_tls_in_front_of(server.address(), "localhost", "client-authority.pem").port();
    let connector = connector();

    let connection = connector.attempt(&with_tls(mutual, trusting().with_identity(agent()))).await.unwrap();
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    // The same connector, and an endpoint without.
    let (kind, said) = refused(&connector, &with_tls(mutual, trusting())).await;
    assert_eq!(kind, TransportErrorKind::Tls);
    assert!(said.ends_with("the server wants a certificate of the client"), "{said}");
    // Trust is the endpoint's own as well.
    let open = tls_in_front_of(server.address(), "localhost").port();
    connector.attempt(&with_tls(open, trusting())).await.unwrap();
    let (kind, said) = refused(&connector, &with_tls(open, TlsOptions::new())).await;
    assert_eq!(kind, TransportErrorKind::Tls);
    assert!(said.contains("not trusted here"), "{said}");
}

#[tokio::test]
async fn a_certificate_that_the_server_does_not_take_is_said_to_be_the_clients() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let mutual = mutual_tls_in_front_of(server.address(), "localhost", "authority.pem").port();
    let (kind, said) = refused(&connector(), &with_tls(mutual, trusting().with_identity(agent()))).await;
    assert_eq!(kind, TransportErrorKind::Tls);
    assert!(said.ends_with("the server does not take the certificate of the client"), "{said}");
}

#[tokio::test]
async fn files_that_are_replaced_count_from_the_next_connection_on() {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
    let mutual = mutual_tls_in_front_of(server.address(), "localhost", "client-authority.pem").port();
    let dir = tempfile::tempdir().unwrap();
    let [ca, cert, key] = ["ca", "cert", "key"].map(|name| dir.path().join(name));
    let put = |from: &str, to: &std::path::Path| {
        let new = dir.path().join("new");
        std::fs::copy(fixture(from), &new).unwrap();
        std::fs::rename(new, to).unwrap();
    };
    put("corp-root.pem", &ca);
    put("self-signed.pem", &cert);
    put("self-signed.key.pem", &key);
    let tls = TlsOptions::new().with_trust(TrustFile::new(&ca, "tls.ca"));
    let server = with_tls(mutual, tls.with_identity(ClientIdentity::from_files(&cert, &key, "tls.cert")));
    let connector = connector();
    let (_, said) = refused(&connector, &server).await;
    assert!(said.contains("not trusted here"), "{said}");
    put("authority.pem", &ca);
    let (_, said) = refused(&connector, &server).await;
    assert!(said.ends_with("the server does not take the certificate of the client"), "{said}");
    put("client.pem", &cert);
    put("client.key.pem", &key);
    let connection = connector.attempt(&server).await.unwrap();
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    // Half of a replacement, and none at all: what worked goes on.
    put("self-signed.pem", &cert);
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    std::fs::remove_file(&cert).unwrap();
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
}

#[tokio::test]
async fn settings_of_all_endpoints_hold_where_an_endpoint_has_none_of_its_own() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let mutual = mutual_tls_in_front_of(server.address(), "localhost", "client-authority.pem").port();
    let mut options = options();
    options.tls = trusting().with_identity(agent());
    let connector = Connector::new(options);
    let plain = HttpEndpoint::new(format!("https://localhost:{mutual}/mcp").parse().unwrap());
    connector.attempt(&Server::new(Endpoint::Http(plain))).await.unwrap();
    connector.attempt(&with_tls(mutual, TlsOptions::new())).await.unwrap();
}

#[tokio::test]
async fn the_name_of_the_certificate_may_be_another_than_the_host() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let port = tls_in_front_of(server.address(), "self-signed").port();
    let trust = || TlsOptions::new().with_trust(TrustFile::new(fixture("self-signed.pem"), "tls.ca"));
    connector().attempt(&with_tls(port, trust().with_server_name("mcp.test"))).await.unwrap();
    let (kind, said) = refused(&connector(), &with_tls(port, trust().with_server_name("other.test"))).await;
    assert_eq!(kind, TransportErrorKind::Tls);
    assert!(said.ends_with("not for other.test"), "{said}");
    let (kind, said) = refused(&connector(), &with_tls(port, trust().with_server_name("no name"))).await;
    assert_eq!(kind, TransportErrorKind::Misconfigured);
    assert!(said.contains("`no name`"), "{said}");
    // Only where it is asked for in so many words.
    connector().attempt(&with_tls(port, TlsOptions::new().with_any_certificate())).await.unwrap();
}

/// Nothing of it is damaged: an authority with a key that most programs take, and some do not.
#[tokio::test]
async fn a_signature_that_is_not_taken_is_named_with_those_that_are() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let port = tls_in_front_of(server.address(), "by-p521").port();
    let tls = TlsOptions::new().with_trust(TrustFile::new(fixture("p521-authority.pem"), "tls.ca"));
    let (kind, said) = refused(&connector(), &with_tls(port, tls)).await;
    assert_eq!(kind, TransportErrorKind::Tls);
    assert!(
        said.contains("signed in a way that is not taken here (ECDSA with SHA-512, as by a key on P-521)"),
        "{said}"
    );
    assert!(said.contains("P-256, P-384 and Ed25519 are taken"), "{said}");
}

#[tokio::test]
async fn an_identity_that_cannot_be_used_says_what_named_it_and_why() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let port = tls_in_front_of(server.address(), "localhost").port();
    let files = |certificate: &str, key: &str| {
        let identity = ClientIdentity::from_files(fixture(certificate), fixture(key), "tls.cert of `work`");
        with_tls(port, trusting().with_identity(identity))
    };
    for (certificate, key, expected) in [
        ("absent.pem", "client.key.pem", "cannot be read: its certificate: "),
        ("client.pem", "absent.pem", "cannot be read: its key: "),
        ("client.key.pem", "client.key.pem", "holds no certificate"),
        ("client.pem", "client.pem", "holds no key, and no other file is named for one"),
        ("client.pem", "localhost.pem", "has no key in its key file"),
        ("client.pem", "client.encrypted.key.pem", "has a key with a passphrase; one without is needed"),
        ("client.pem", "localhost.key.pem", "has a key that is not the one of its certificate"),
        ("version-1.pem", "version-1.key.pem", "is of version 1 of X.509, and only version 3 is read"),
        (
            "client.pem",
            "p521.key.pem",
            "has a key of a kind that cannot be used: RSA of 2048 bits and more, P-256",
        ),
    ] {
        let (kind, said) = refused(&connector(), &files(certificate, key)).await;
        assert_eq!(kind, TransportErrorKind::Misconfigured);
        let expected = format!("the client certificate of tls.cert of `work` {expected}");
        assert!(said.contains(&expected), "{said}");
    }
    // What is wrong is what was named, whatever proxy is on the way.
    let mut by_proxy = options();
    by_proxy.proxy.always = Some(ProxyUrl::new("http://127.0.0.1:9", "`proxy`"));
    let error = Connector::new(by_proxy).attempt(&files("absent.pem", "client.key.pem")).await.unwrap_err();
    let evidence = error.evidence();
    assert_eq!((evidence.tls, evidence.proxy.is_some()), (Some(TlsFault::ClientCertificate), true));
    // A trust file that was named for this server is not left out without a word.
    let tls = TlsOptions::new().with_trust(TrustFile::new(fixture("absent.pem"), "tls.ca"));
    let (kind, said) = refused(&connector(), &with_tls(port, tls)).await;
    assert_eq!(kind, TransportErrorKind::Misconfigured);
    assert!(said.contains("tls.ca names "), "{said}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn an_identity_is_had_again_for_each_new_connection() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let mutual = mutual_tls_in_front_of(server.address(), "localhost", "client-authority.pem").port();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let read = |name: &str| std::fs::read(fixture(name));
    let identity = ClientIdentity::from_source(
        move || match counted.fetch_add(1, Ordering::SeqCst) {
            0 => Err(io::Error::other("the agent is locked")),
            _ => Ok(Pem::new(read("client.pem")?, read("client.key.pem")?)),
        },
        "the agent",
    );
    let (connector, server) = (connector(), with_tls(mutual, trusting().with_identity(identity)));
    let (kind, said) = refused(&connector, &server).await;
    assert_eq!(kind, TransportErrorKind::Misconfigured);
    assert!(
        said.contains("the client certificate of the agent cannot be obtained: the agent is locked"),
        "{said}"
    );
    let first = connector.attempt(&server).await.unwrap();
    let second = connector.attempt(&server).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2, "two connections of one endpoint share its sockets");
    drop((first, second));
    connector.attempt(&server).await.unwrap();
    assert!(asked.load(Ordering::SeqCst) >= 2);
    assert!(!format!("{server:?}").contains("PRIVATE KEY"));
}

#[tokio::test]
async fn s_k6_fa_a92_another_origin_of_a_sign_in_sees_no_certificate_of_the_client_and_is_checked() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let own = mutual_tls_in_front_of(server.address(), "localhost", "client-authority.pem").port();
    let other = mutual_tls_in_front_of(server.address(), "localhost", "client-authority.pem").port();
    let untrusted = tls_in_front_of(server.address(), "self-signed").port();
    let tls = trusting().with_identity(agent()).with_any_certificate();
    let url = format!("https://localhost:{own}/mcp").parse().unwrap();
    let exchanges = connector().http().sign_in_exchanges(&HttpEndpoint::new(url).with_tls(tls));
    let ask = |port: u16| {
        let url = format!("https://localhost:{port}/.well-known/oauth-protected-resource");
        exchanges.exchange(http::Request::get(url).body(bytes::Bytes::new()).unwrap())
    };
    ask(own).await.unwrap();
    let refused = ask(other).await.unwrap_err().to_string();
    assert!(refused.contains("wants a certificate of the client"), "{refused}");
    let refused = ask(untrusted).await.unwrap_err();
    let said = format!(
        "the TLS connection to https://localhost:{untrusted} failed: the certificate of the authorization server"
    );
    assert!(refused.to_string().starts_with(&said), "{refused}");
    assert!(refused.to_string().contains("is self-signed"), "{refused}");
    assert_eq!((refused.kind(), refused.login_remedy()), (AuthErrorKind::Tls, Some(&LoginRemedy::Authority)));
}
