//! Where a server is and how to speak to it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mcp_text::Secrets;
use url::Url;

use crate::message::Era;
use crate::options::{EndpointProxy, TlsOptions};
use crate::stream::StreamOpener;

/// One server's address.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Endpoint {
    /// An MCP endpoint over HTTP.
    Http(HttpEndpoint),
    /// A command that speaks MCP on its standard streams.
    Stdio(StdioEndpoint),
    /// A stream that the program opens itself.
    Stream(StreamEndpoint),
}

/// Which HTTP transports are tried.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum HttpFlavor {
    /// Streamable HTTP in either era, then the legacy HTTP+SSE transport as the last resort.
    #[default]
    Auto,
    /// The legacy HTTP+SSE transport of 2024-11-05, and Streamable HTTP where the endpoint answers GET with none of it.
    LegacySse,
}

/// An MCP endpoint over HTTP.
///
/// # Examples
///
/// ```
/// use mcp_transport::HttpEndpoint;
///
/// let endpoint = HttpEndpoint::new("https://ann:canary@mcp.example/mcp".parse()?);
/// assert!(!format!("{endpoint:?}").contains("canary"), "a password is not shown");
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct HttpEndpoint {
    /// The one URL that takes POST. Its origin is the only one that sees credentials. User and password in it are sent
    /// as HTTP Basic (RFC 7617), unless the provider supplies an `Authorization` header; no library sees them in a URL.
    pub url: Url,
    /// Which transports are tried.
    pub flavor: HttpFlavor,
    /// TLS settings of its own, over [`ClientOptions::tls`](crate::ClientOptions::tls).
    pub tls: Option<Arc<TlsOptions>>,
    /// A proxy of its own, in place of that of [`ClientOptions`](crate::ClientOptions::proxy).
    pub proxy: Option<Arc<EndpointProxy>>,
    /// Whether what its server sets as cookies is sent back to it, as load balancers want it.
    pub keeps_cookies: bool,
    /// Whether addresses of IPv4 alone are used.
    pub ipv4_only: bool,
    /// Whether another transport than that of `flavor` is tried where the server does not speak that one.
    pub falls_back: bool,
    /// The one era that is spoken, where it is not found out by asking. The legacy HTTP+SSE transport has one anyway.
    pub era: Option<Era>,
    /// How long a connection that stands may be without an answer before the server is pinged, so that a load balancer does
    /// not take it for idle; `None` sends nothing unasked.
    pub keep_alive: Option<Duration>,
    /// The URL as a person may see it, with its path: set by the caller, who knows which parts of it are secrets. Messages name the origin
    /// alone unless set.
    pub shown: Option<String>,
}

impl HttpEndpoint {
    /// An endpoint that is negotiated.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            flavor: HttpFlavor::Auto,
            tls: None,
            proxy: None,
            keeps_cookies: true,
            ipv4_only: false,
            falls_back: true,
            era: None,
            keep_alive: None,
            shown: None,
        }
    }

    /// An endpoint that speaks the legacy HTTP+SSE transport.
    pub fn legacy_sse(url: Url) -> Self {
        Self { flavor: HttpFlavor::LegacySse, ..Self::new(url) }
    }

    /// With TLS settings of its own.
    #[must_use]
    pub fn with_tls(mut self, tls: TlsOptions) -> Self {
        self.tls = Some(Arc::new(tls));
        self
    }
}

impl fmt::Debug for HttpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: the path, the query and the user name of a URL may be secrets; its origin is not.
        f.debug_struct("HttpEndpoint")
            .field("origin", &self.url.origin().ascii_serialization())
            .field("flavor", &self.flavor)
            .field("tls", &self.tls)
            .field("proxy", &self.proxy)
            .field("keeps_cookies", &self.keeps_cookies)
            .field("ipv4_only", &self.ipv4_only)
            .field("falls_back", &self.falls_back)
            .field("era", &self.era)
            .field("keep_alive", &self.keep_alive)
            .field("shown", &self.shown)
            .finish()
    }
}

/// What a local server is asked first, and so which era is preferred with one that speaks both.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum StdioOpening {
    /// `initialize`, and `server/discover` where that is refused with a JSON-RPC error.
    ///
    /// The specification recommends the other order (2026-07-28, stdio, backward compatibility: SHOULD). This one is the
    /// default because nearly every local server in use expects `initialize` as its first message: there are some that
    /// end, and some that never answer, when it is another one, so the other order costs them a process or the whole
    /// limit of the probe at every start. A modern server has to refuse `initialize` (compatibility matrix), so this
    /// order finds it just as well; a server of both eras is served in the legacy one.
    #[default]
    Initialize,
    /// `server/discover`, and `initialize` where the answer is not one of a modern server, or there is none within a
    /// third of the connect timeout, 10 s at most. A server of both eras is served in the modern one.
    Discover,
}

/// A command that speaks MCP on its standard streams.
///
/// # Examples
///
/// ```
/// use mcp_transport::StdioEndpoint;
///
/// let mut endpoint = StdioEndpoint::new("my-server");
/// endpoint.args.push("--stdio".into());
/// // Nothing is inherited: what the server needs is given to it.
/// endpoint.env.insert("PATH".into(), "/usr/bin:/bin".into());
/// assert_eq!(endpoint.env.len(), 1);
/// ```
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct StdioEndpoint {
    /// The program.
    pub command: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment; nothing is inherited besides.
    pub env: BTreeMap<OsString, OsString>,
    /// Its working directory; that of this process where `None`.
    pub cwd: Option<PathBuf>,
    /// What it is asked first.
    pub opening: StdioOpening,
    /// How long its start may take, handshake included; [`ClientOptions::startup_timeout`](crate::ClientOptions) where
    /// `None`.
    pub startup_timeout: Option<Duration>,
    /// The entries that it is started below, this one last, as `MCPLINK_CHAIN` has them. The opening of the conversation
    /// tells them ([`CHAIN`](crate::message::meta::CHAIN)), so that a command that is this program again refuses,
    /// whatever became of its environment.
    pub chain: Option<String>,
    /// What is never repeated of what it says when it fails, in messages, logs and
    /// [`SideOutput`](crate::TransportError::side_output): a command may print its own environment.
    pub secrets: Secrets,
}

impl StdioEndpoint {
    /// A command without arguments and with an empty environment.
    pub fn new(command: impl Into<OsString>) -> Self {
        Self {
            command: command.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            cwd: None,
            opening: StdioOpening::default(),
            startup_timeout: None,
            chain: None,
            secrets: Secrets::default(),
        }
    }
}

impl fmt::Debug for StdioEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: arguments and environment may carry secrets.
        f.debug_struct("StdioEndpoint")
            .field("command", &self.command)
            .field("args", &self.args.len())
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("cwd", &self.cwd)
            .field("opening", &self.opening)
            .field("startup_timeout", &self.startup_timeout)
            .field("chain", &self.chain)
            .field("secrets", &self.secrets)
            .finish()
    }
}

/// A server that is reached by a stream in both directions.
///
/// The messages are those of MCP, one per line, as over stdio. The other end may say [`GOING_AWAY`](Self::GOING_AWAY):
/// it takes no new requests on this stream, and those under way are still answered.
#[derive(Clone)]
#[non_exhaustive]
pub struct StreamEndpoint {
    /// Opens the streams.
    pub opener: Arc<dyn StreamOpener>,
    /// Where the server behind is: for messages, and to tell one server from another.
    pub server: Box<Endpoint>,
}

impl StreamEndpoint {
    /// The notification by which the other end takes no more requests on a stream.
    pub const GOING_AWAY: &'static str = "notifications/relay/going_away";

    /// A way to `server` whose streams are opened by `opener`.
    pub fn new(opener: impl StreamOpener, server: Endpoint) -> Self {
        Self { opener: Arc::new(opener), server: Box::new(server) }
    }
}

/// However they are opened, two of them are equal where the server behind is.
impl PartialEq for StreamEndpoint {
    fn eq(&self, other: &Self) -> bool {
        self.server == other.server
    }
}

impl Eq for StreamEndpoint {}

impl fmt::Debug for StreamEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamEndpoint").field("server", &self.server).finish_non_exhaustive()
    }
}
