//! How the network is used for one server: from the fields of its entry to its endpoint.

use std::sync::Arc;

use mcp_config::Origin;
use mcp_config::network::{NamedFile, Network, Protocol, Proxy};
use mcp_transport::HttpEndpoint;
use mcp_transport::message::Era;
use mcp_transport::options::{ClientIdentity, EndpointProxy, ProxyUrl, TlsOptions, TrustFile};

/// The endpoint, reached as its entry says.
pub(crate) fn reached(mut endpoint: HttpEndpoint, network: &Network) -> HttpEndpoint {
    endpoint.tls = network.tls.as_ref().map(|tls| {
        let mut options = TlsOptions::new();
        let ca = tls.ca.iter().map(|file| TrustFile::new(file.path.expose(), named(&file.origin)));
        options.trust = ca.collect();
        options.identity = tls.cert.as_ref().map(|cert| identity(cert, tls.key.as_ref()));
        options.server_name.clone_from(&tls.server_name);
        options.takes_any_certificate = tls.skips_verification;
        Arc::new(options)
    });
    endpoint.proxy = network.proxy.as_ref().and_then(|proxy| match proxy {
        Proxy::Direct => Some(Arc::new(EndpointProxy::Direct)),
        Proxy::Url { url, origin } => {
            let url = ProxyUrl::new(url.expose(), named(origin));
            Some(Arc::new(EndpointProxy::Url(url)))
        }
        _ => None,
    });
    endpoint.keeps_cookies = !network.no_cookies;
    endpoint.ipv4_only = network.ipv4;
    endpoint.falls_back = !network.no_fallback;
    endpoint.keep_alive = network.keep_alive;
    endpoint.era = network.protocol.and_then(|protocol| match protocol {
        Protocol::Legacy => Some(Era::Legacy),
        Protocol::Modern => Some(Era::Modern),
        _ => None,
    });
    endpoint
}

fn identity(cert: &NamedFile, key: Option<&NamedFile>) -> ClientIdentity {
    let key = key.unwrap_or(cert);
    ClientIdentity::from_files(cert.path.expose(), key.path.expose(), named(&cert.origin))
}

/// What people are told to look at: file, line and field.
fn named(origin: &Origin) -> String {
    origin.with_field()
}
