//! What an embedder sets, for all connections and for one request: limits, network settings, identity. All plain
//! values, no environment.

mod environment;
mod limit_names;
pub(crate) mod relay;
mod tls;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mcp_text::SharedSecrets;

use crate::exchange::ExchangeSink;
use crate::handler::ProgressSink;
use crate::limits::{Allowance, Limits};
use crate::trace::{TraceContext, TracePropagator};

pub use self::limit_names::LimitNames;
use self::relay::RelaySettings;
pub use crate::client_info::ClientInfo;
pub use crate::resolver::{ResolveRequest, Resolver, ResolverFuture};
#[cfg(feature = "http")]
pub(crate) use tls::Material;
pub use tls::{ClientIdentity, Pem, TlsOptions};

/// The URL of a proxy, and what named it.
#[derive(Clone, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct ProxyUrl {
    /// `http`, `https`, `socks5` (names are resolved here) or `socks5h` (names are resolved there), with user and password
    /// where it wants them. Without a scheme it is `http`.
    pub url: String,
    /// What people are told to look at when it fails, such as `HTTPS_PROXY`.
    pub from: String,
}

impl ProxyUrl {
    /// A proxy that `from` names.
    pub fn new(url: impl Into<String>, from: impl Into<String>) -> Self {
        Self { url: url.into(), from: from.into() }
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: a proxy URL may carry a user name and a password.
        f.debug_struct("ProxyUrl").field("from", &self.from).finish_non_exhaustive()
    }
}

/// The proxy of one endpoint.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum EndpointProxy {
    /// None.
    Direct,
    /// This one, whatever else is excepted, and for a server on this machine as well.
    Url(ProxyUrl),
}

/// Which proxy to use, as the values of the usual variables. A server on this machine is never reached by one of those.
#[derive(Clone, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct ProxySettings {
    /// For `http` URLs (`HTTP_PROXY`).
    pub http: Option<ProxyUrl>,
    /// For `https` URLs (`HTTPS_PROXY`).
    pub https: Option<ProxyUrl>,
    /// For URLs of a scheme that has none of its own (`ALL_PROXY`).
    pub all: Option<ProxyUrl>,
    /// What is reached directly, separated by commas (`NO_PROXY`): `*`, a host and what is below it (with `.` or `*.` before it
    /// or without), a pattern with `*`, an address, a network (`10.0.0.0/8`), each with a port or without.
    pub no_proxy: Option<String>,
    /// For every URL, whatever `no_proxy` says, and for a server on this machine as well. No variable says so.
    pub always: Option<ProxyUrl>,
}

impl fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: a proxy URL may carry a user name and a password.
        f.debug_struct("ProxySettings")
            .field("http", &self.http)
            .field("https", &self.https)
            .field("all", &self.all)
            .field("no_proxy", &self.no_proxy)
            .field("always", &self.always)
            .finish()
    }
}

/// A PEM file of certificates that are trusted beside those of the platform, and what named it.
///
/// A certificate in it is trusted as an authority, and as that of a server itself: a person has named it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct TrustFile {
    /// The file.
    pub path: PathBuf,
    /// What people are told to look at when it cannot be used, such as `NODE_EXTRA_CA_CERTS`.
    pub from: String,
    /// Whether it is read for these connections. Of one that is for other programs it is told, where a certificate is not trusted,
    /// that it would vouch for it.
    pub is_for_us: bool,
}

impl TrustFile {
    /// A file that `from` names.
    pub fn new(path: impl Into<PathBuf>, from: impl Into<String>) -> Self {
        Self { path: path.into(), from: from.into(), is_for_us: true }
    }

    /// A file that `from` names for other programs.
    pub fn of_others(path: impl Into<PathBuf>, from: impl Into<String>) -> Self {
        Self { is_for_us: false, ..Self::new(path, from) }
    }
}

/// Settings that every connection of one client shares.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientOptions {
    /// What the handshake says about this client.
    pub client_info: ClientInfo,
    /// The `User-Agent` of HTTP requests.
    pub user_agent: String,
    /// The limit of one attempt to connect over a network, handshake included. 30 s unless set.
    pub connect_timeout: Duration,
    /// The limit of one start of a local server, handshake included: longer than that of a connection, because the first
    /// start of many installs them. 60 s unless set; an endpoint may have one of its own.
    pub startup_timeout: Duration,
    /// The limit until the first byte of an answer. 60 s unless set; a longer limit of one server raises it. A call of a tool
    /// has none: what ends it is a configured limit, its caller, or its connection; and, where a supervisor watches, a server
    /// that has said nothing for five times as long (5 min), not even to a question without effects; for twice as long where it
    /// answers in another session meanwhile.
    pub first_byte_timeout: Duration,
    /// The limit between two messages of an answer over HTTP that has begun. 300 s unless set; `None` waits for
    /// ever. A longer limit of one server raises it. A call of a tool has none.
    pub idle_timeout: Option<Duration>,
    /// The same over stdio, from the request on: 1800 s unless set.
    pub stdio_idle_timeout: Option<Duration>,
    /// The limit of a whole request. None unless set.
    pub request_timeout: Option<Duration>,
    /// What people know these limits by.
    pub limit_names: LimitNames,
    /// What one server may cost. The same for all wires, so that what a tool can return does not depend on how its
    /// server is reached.
    pub limits: Limits,
    /// The proxy.
    pub proxy: ProxySettings,
    /// Certificates that are trusted beside those of the platform. A file that cannot be used is left out, which
    /// [`TrustFile::check`] tells beforehand, and the failure of a handshake afterwards.
    pub extra_ca_files: Vec<TrustFile>,
    /// TLS of every server, authorization servers included: its client certificate is offered to each that asks for one.
    /// An endpoint may have [settings of its own](crate::HttpEndpoint::with_tls).
    pub tls: TlsOptions,
    /// Whether addresses of IPv4 alone are used over HTTP.
    pub ipv4_only: bool,
    /// Resolves host names in place of the platform; the platform where `None`. HTTP only.
    pub resolver: Option<Arc<dyn Resolver>>,
    /// Joins requests to distributed traces; without one, what callers carry passes through.
    pub propagator: Option<Arc<dyn TracePropagator>>,
    /// Hears of every exchange over HTTP, sign-ins included.
    pub exchange_sink: Option<ExchangeSink>,
    /// What is hidden in what any server says of its failures. The credentials that a server is sent are added as they are sent; a
    /// command has a place of its own ([`StdioEndpoint::secrets`](crate::StdioEndpoint::secrets)).
    pub shared_secrets: SharedSecrets,
}

impl ClientOptions {
    /// The defaults, under this identity.
    pub fn new(client_info: ClientInfo) -> Self {
        let user_agent = format!("{}/{}", client_info.name, client_info.version);
        Self {
            client_info,
            user_agent,
            connect_timeout: Duration::from_secs(30),
            startup_timeout: Duration::from_secs(60),
            first_byte_timeout: Duration::from_secs(60),
            idle_timeout: Some(Duration::from_secs(300)),
            stdio_idle_timeout: Some(Duration::from_secs(1800)),
            request_timeout: None,
            limit_names: LimitNames::default(),
            limits: Limits::default(),
            proxy: ProxySettings::default(),
            extra_ca_files: Vec::new(),
            tls: TlsOptions::default(),
            ipv4_only: false,
            resolver: None,
            propagator: None,
            exchange_sink: None,
            shared_secrets: SharedSecrets::default(),
        }
    }
}

/// How one request is made.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use mcp_transport::RequestOptions;
///
/// // A call that an agent needs within two seconds, whatever they are spent on.
/// let soon = RequestOptions::new().with_timeout(Duration::from_secs(2));
/// // One that takes as long as it takes, and is made over the connection that stands or not at all.
/// let at_once = RequestOptions::new().with_patience(Duration::ZERO);
/// # let _ = (soon, at_once);
/// ```
///
/// A request takes them by value or by reference.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct RequestOptions {
    /// The limit of the whole call, from when it is made until its answer is there. Through a
    /// [supervisor](crate::SupervisorHandle) the wait for a connection, for credentials and for a second try count as well.
    /// What a server asks for on the way does not: the time that its questions take is added. It also raises the limit until
    /// the first byte, never lowers it.
    ///
    /// Where `None`, the limit of the entry or of the client's options holds for each request from when it is sent, and the wait
    /// for a connection has that of `patience`.
    pub timeout: Option<Duration>,
    /// How long a call through a supervisor waits for a connection at most, and never longer than `timeout`; that of
    /// [its policy](crate::supervisor::SupervisorPolicy::patience) where `None`. Means nothing over a plain connection.
    pub patience: Option<Duration>,
    /// Receives the request's progress; without it the server is not asked for any.
    pub progress: Option<ProgressSink>,
    /// The trace that the request is a part of, in place of the one that its parameters carry.
    pub trace: Option<TraceContext>,
    /// What a program sets that passes on what another one asked ([`RelayOptions`](crate::relay::RelayOptions)).
    pub(crate) relay: RelaySettings,
    /// How much of `timeout` is over already.
    pub(crate) spent: Duration,
    /// What the answer may cost, where it is a part of something that has one limit.
    pub(crate) allowance: Option<Allowance>,
}

impl RequestOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a limit for the whole call.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// With a limit for the wait for a connection. Where it is zero, a call that finds none fails at once with the status that
    /// the server has.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// With a receiver of progress.
    #[must_use]
    pub fn with_progress(mut self, progress: ProgressSink) -> Self {
        self.progress = Some(progress);
        self
    }

    /// As a part of a trace.
    #[must_use]
    pub fn with_trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(trace);
        self
    }
}

/// So that one value serves several requests.
impl From<&RequestOptions> for RequestOptions {
    fn from(options: &RequestOptions) -> Self {
        options.clone()
    }
}

impl fmt::Debug for RequestOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestOptions")
            .field("timeout", &self.timeout)
            .field("patience", &self.patience)
            .field("progress", &self.progress.is_some())
            .field("relay", &self.relay)
            .field("trace", &self.trace)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_password_of_a_proxy() {
        let mut options = ClientOptions::new(ClientInfo::new("t", "1"));
        options.proxy.https = Some(ProxyUrl::new("http://user:canary@proxy:3128", "HTTPS_PROXY"));
        assert!(!format!("{options:?}").contains("canary"));
    }
}
