//! HTTP/2, where a server offers it (RFC 9113).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use mcp_testkit::FakeMcpServer;
use mcp_transport::options::TrustFile;
use mcp_transport::{Connection, Connector};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};

use crate::network::at;
use crate::support::{echo, echo_at_once, options};
use crate::tls_front::fixture;

/// What stands in front of a server, and speaks HTTP/2 alone.
struct Front {
    server: SocketAddr,
    tls: tokio_rustls::TlsAcceptor,
    behind: reqwest::Client,
    sockets: AtomicUsize,
    /// How each of the next calls of a tool is turned away.
    refusals: Mutex<Vec<Refusal>>,
}

#[derive(Clone, Copy)]
enum Refusal {
    /// There is no room for this request now.
    NoRoom,
    /// The connection ends in peace, before it.
    GoingAway,
    /// The stream broke off, and it may have been acted on.
    Broken,
}

impl Front {
    async fn of(server: &FakeMcpServer) -> (Arc<Self>, SocketAddr) {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // What is behind it is asked without TLS, and the library wants a provider all the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificates = vec![CertificateDer::from_pem_file(fixture("localhost.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(fixture("localhost.key.pem")).unwrap();
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let front = Arc::new(Self {
            server: server.address(),
            tls: Arc::new(config).into(),
            behind: reqwest::Client::builder().no_proxy().build().unwrap(),
            sockets: AtomicUsize::new(0),
            refusals: Mutex::default(),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (address, serving) = (listener.local_addr().unwrap(), front.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                serving.sockets.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serving.clone().serve(client));
            }
        });
        (front, address)
    }

    async fn serve(self: Arc<Self>, client: TcpStream) -> Option<()> {
        let client = self.tls.accept(client).await.ok()?;
        let mut connection = h2::server::handshake(client).await.ok()?;
        while let Some(Ok((request, mut answer))) = connection.accept().await {
            let is_call = request.headers().get("mcp-method").is_some_and(|method| method == "tools/call");
            let refusal = if is_call { self.refusals.lock().unwrap().pop() } else { None };
            match refusal {
                Some(Refusal::NoRoom) => answer.send_reset(h2::Reason::REFUSED_STREAM),
                Some(Refusal::Broken) => answer.send_reset(h2::Reason::INTERNAL_ERROR),
                Some(Refusal::GoingAway) => {
                    answer.send_reset(h2::Reason::REFUSED_STREAM);
                    connection.graceful_shutdown();
                }
                None => drop(tokio::spawn(self.clone().answer(request, answer))),
            }
        }
        Some(())
    }

    async fn answer(
        self: Arc<Self>,
        request: http::Request<h2::RecvStream>,
        mut answer: h2::server::SendResponse<Bytes>,
    ) -> Option<()> {
        let (head, mut arriving) = request.into_parts();
        let mut body = Vec::new();
        while let Some(Ok(piece)) = arriving.data().await {
            arriving.flow_control().release_capacity(piece.len()).ok()?;
            body.extend_from_slice(&piece);
        }
        let url = format!("http://{}{}", self.server, head.uri.path());
        let mut headers = head.headers;
        headers.remove("host");
        let behind = self.behind.request(head.method, url).headers(headers).body(body).send().await.ok()?;
        let mut response = http::Response::builder().status(behind.status());
        for name in ["content-type", "mcp-session-id"] {
            if let Some(value) = behind.headers().get(name) {
                response = response.header(name, value);
            }
        }
        let mut stream = answer.send_response(response.body(()).unwrap(), false).ok()?;
        stream.send_data(behind.bytes().await.ok()?, true).ok()
    }
}

async fn connected() -> (FakeMcpServer, Arc<Front>, Connection) {
    let server = FakeMcpServer::builder().start().unwrap();
    let (front, address) = Front::of(&server).await;
    let mut options = options();
    options.extra_ca_files = vec![TrustFile::new(fixture("authority.pem"), "NODE_EXTRA_CA_CERTS")];
    let url = format!("https://localhost:{}/mcp", address.port());
    let connection = Connector::new(options).attempt(&at(&url)).await.unwrap();
    (server, front, connection)
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_offered_and_many_calls_share_one_socket() {
    let (_server, front, connection) = connected().await;
    echo_at_once(&connection, 32).await;
    assert_eq!(front.sockets.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_request_that_is_turned_away_unseen_is_sent_again_and_no_other() {
    let (server, front, connection) = connected().await;
    let calls = || server.count("tools/call");
    for (refusals, arrives) in [
        (vec![Refusal::NoRoom], true),
        (vec![Refusal::GoingAway], true),
        (vec![Refusal::NoRoom, Refusal::NoRoom], true),
        // No more than twice.
        (vec![Refusal::NoRoom, Refusal::NoRoom, Refusal::NoRoom], false),
        (vec![Refusal::Broken], false),
    ] {
        let (count, before) = (refusals.len(), calls());
        *front.refusals.lock().unwrap() = refusals;
        let outcome = echo(&connection, "x").await;
        assert_eq!(outcome.is_ok(), arrives, "{count}: {outcome:?}");
        assert_eq!((calls() - before, front.refusals.lock().unwrap().len()), (usize::from(arrives), 0));
    }
}
