//! TLS in front of a fake server, with certificates that were made beforehand. Tests of the command line have it as well.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(crate) fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../mcp-transport/tests/it/tls", name].iter().collect()
}

/// Puts TLS in front of a server: each connection is decrypted and passed on. Its threads end with the process. Its certificate is
/// `name.pem` of the fixtures, or that of another folder, and is read for each connection, so that it can be changed.
pub(crate) fn tls_in_front_of(server: SocketAddr, name: &str) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    listen_with(config, server, name)
}

/// The same, for clients that show a certificate of the authority in `clients`.
pub(crate) fn mutual_tls_in_front_of(server: SocketAddr, name: &str, clients: &str) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(fixture(clients)).unwrap()).unwrap();
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap());
    listen_with(config, server, name)
}

fn listen_with(
    config: rustls::ConfigBuilder<rustls::ServerConfig, rustls::server::WantsServerCert>,
    server: SocketAddr,
    name: &str,
) -> SocketAddr {
    let name = name.to_owned();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let certificates = vec![CertificateDer::from_pem_file(fixture(&format!("{name}.pem"))).unwrap()];
            let key = PrivateKeyDer::from_pem_file(fixture(&format!("{name}.key.pem"))).unwrap();
            let config = Arc::new(config.clone().with_single_cert(certificates, key).unwrap());
            thread::spawn(move || terminate(client, config, server));
        }
    });
    address
}

/// One request at a time, which is all that HTTP/1.1 without pipelining needs.
fn terminate(client: TcpStream, config: Arc<rustls::ServerConfig>, server: SocketAddr) -> Option<()> {
    let mut tls = rustls::StreamOwned::new(rustls::ServerConnection::new(config).ok()?, client);
    let mut plain = TcpStream::connect(server).ok()?;
    let mut chunk = [0; 64 << 10];
    loop {
        let mut request = Vec::new();
        while !is_whole(&request) {
            let read = tls.read(&mut chunk).ok().filter(|read| *read > 0)?;
            request.extend_from_slice(&chunk[..read]);
        }
        plain.write_all(&request).ok()?;
        let mut answer = Vec::new();
        while !is_whole(&answer) {
            let read = plain.read(&mut chunk).ok().filter(|read| *read > 0)?;
            answer.extend_from_slice(&chunk[..read]);
        }
        tls.write_all(&answer).ok()?;
        tls.flush().ok()?;
    }
}

/// Whether a message with a length, or without a body, has arrived.
pub(crate) fn is_whole(message: &[u8]) -> bool {
    let text = String::from_utf8_lossy(message);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned))
        .map_or(0, |length| length.trim().parse().unwrap_or(0));
    body.len() >= length
}
