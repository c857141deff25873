//! TLS of one endpoint, or of all of a client: whom it trusts, and who it is.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::TrustFile;

/// TLS settings, of a client ([`ClientOptions::tls`](super::ClientOptions::tls)) or of one endpoint
/// ([`HttpEndpoint::with_tls`](crate::HttpEndpoint::with_tls)). Where both are set, an endpoint's certificates are trusted
/// beside the client's, and of everything else the endpoint's counts.
///
/// # Examples
///
/// ```
/// use mcp_transport::options::{ClientIdentity, TlsOptions, TrustFile};
/// use mcp_transport::{Endpoint, HttpEndpoint};
///
/// let tls = TlsOptions::new()
///     .with_trust(TrustFile::new("/etc/corp/ca.pem", "tls.ca"))
///     .with_identity(ClientIdentity::from_files("/etc/corp/me.pem", "/etc/corp/me.key", "tls.cert"));
/// let endpoint = HttpEndpoint::new("https://mcp.corp.example/mcp".parse().unwrap()).with_tls(tls);
/// # let _ = Endpoint::Http(endpoint);
/// ```
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct TlsOptions {
    /// Certificates that are trusted beside those of the platform and of [`ClientOptions`](super::ClientOptions). One that
    /// cannot be used fails the connection: it was named for this server.
    pub trust: Vec<TrustFile>,
    /// The certificate of the client, for servers that ask for one (mutual TLS).
    pub identity: Option<ClientIdentity>,
    /// The name that the certificate of the server has to have, in place of the host of the URL. What the server is told
    /// (SNI) stays the host.
    pub server_name: Option<String>,
    /// Takes every certificate of the server. Anyone on the way can then read and change everything, credentials
    /// included; a program that offers this has to say so loudly.
    pub takes_any_certificate: bool,
}

impl TlsOptions {
    /// The platform's trust, and no identity.
    pub fn new() -> Self {
        Self::default()
    }

    /// With certificates that are trusted besides.
    #[must_use]
    pub fn with_trust(mut self, file: TrustFile) -> Self {
        self.trust.push(file);
        self
    }

    /// With a certificate of the client.
    #[must_use]
    pub fn with_identity(mut self, identity: ClientIdentity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// With the name that the certificate of the server has to have.
    #[must_use]
    pub fn with_server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Without a look at the certificate of the server; see [`takes_any_certificate`](Self::takes_any_certificate).
    #[must_use]
    pub fn with_any_certificate(mut self) -> Self {
        self.takes_any_certificate = true;
        self
    }

    /// These settings of an endpoint, where `client` are those of all.
    #[cfg(feature = "http")]
    pub(crate) fn over(&self, client: &Self) -> Self {
        Self {
            trust: client.trust.iter().chain(&self.trust).cloned().collect(),
            identity: self.identity.clone().or_else(|| client.identity.clone()),
            server_name: self.server_name.clone().or_else(|| client.server_name.clone()),
            takes_any_certificate: self.takes_any_certificate || client.takes_any_certificate,
        }
    }
}

/// A certificate with its key, as PEM, and what named it.
///
/// It is read with the first request, and again when all sockets were let go: with each new connection to the server, and
/// after a sleep. So what renews the files of a short-lived certificate need not tell anyone.
#[derive(Clone)]
pub struct ClientIdentity {
    pub(crate) material: Material,
    pub(crate) from: String,
}

/// Where a certificate and its key are.
#[derive(Clone)]
pub(crate) enum Material {
    Files { certificate: PathBuf, key: PathBuf },
    Source(Arc<Source>),
}

type Source = dyn Fn() -> io::Result<Pem> + Send + Sync;

/// A certificate, with those between it and its authority, and its key without a passphrase.
#[derive(Clone)]
pub struct Pem {
    pub(crate) certificates: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl Pem {
    /// A certificate chain, the client's own first, and its key; they may be one text.
    pub fn new(certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self { certificates: certificates.into(), key: key.into() }
    }
}

impl ClientIdentity {
    /// The certificate chain and the key in these files, which may be the same one; `from` named them.
    pub fn from_files(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
        from: impl Into<String>,
    ) -> Self {
        let material = Material::Files { certificate: certificate.into(), key: key.into() };
        Self { material, from: from.into() }
    }

    /// What `source` supplies each time that it is read: from a vault, an agent, memory. `from` is what people are told to
    /// look at when it cannot be used. It runs on a thread of the runtime, so it must not wait long.
    pub fn from_source(
        source: impl Fn() -> io::Result<Pem> + Send + Sync + 'static,
        from: impl Into<String>,
    ) -> Self {
        Self { material: Material::Source(Arc::new(source)), from: from.into() }
    }
}

/// Two sources are the same if they are one value.
impl PartialEq for ClientIdentity {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.material, &other.material) {
            (
                Material::Files { certificate, key },
                Material::Files { certificate: theirs, key: their_key },
            ) => certificate == theirs && key == their_key,
            (Material::Source(source), Material::Source(other)) => Arc::ptr_eq(source, other),
            _ => false,
        };
        same && self.from == other.from
    }
}

impl Eq for ClientIdentity {}

impl Hash for ClientIdentity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.material {
            Material::Files { certificate, key } => (certificate, key).hash(state),
            Material::Source(source) => Arc::as_ptr(source).cast::<()>().hash(state),
        }
        self.from.hash(state);
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity").field("from", &self.from).finish_non_exhaustive()
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pem(..)")
    }
}
