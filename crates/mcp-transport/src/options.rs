//! What an embedder sets: limits, network settings, identity. All plain values, no environment.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::TracePropagator;

/// 256 MiB: what one message may hold. Memory grows no faster than it arrives.
const MAX_MESSAGE_BYTES: usize = 256 << 20;

/// Who this client says it is (`clientInfo` of the MCP handshake).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ClientInfo {
    /// A name for programs.
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// Its version.
    pub version: String,
}

impl ClientInfo {
    /// An identity without a title.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), title: None, version: version.into() }
    }
}

/// Which proxy to use, as the values of the usual variables.
#[derive(Clone, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ProxySettings {
    /// For `http` URLs (`HTTP_PROXY`). Only `http` and `https` proxies are supported.
    pub http: Option<String>,
    /// For `https` URLs (`HTTPS_PROXY`).
    pub https: Option<String>,
    /// Hosts that are reached directly, separated by commas (`NO_PROXY`).
    pub no_proxy: Option<String>,
}

impl fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: a proxy URL may carry a user name and a password.
        f.debug_struct("ProxySettings")
            .field("http", &self.http.is_some())
            .field("https", &self.https.is_some())
            .field("no_proxy", &self.no_proxy)
            .finish()
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
    /// The limit of one connection attempt, handshake included. 30 s unless set (`MCP_TIMEOUT`).
    pub connect_timeout: Duration,
    /// The limit until the first byte of an answer. 60 s unless set; a longer limit of one server raises it.
    pub first_byte_timeout: Duration,
    /// The limit between two messages of an answer over HTTP that has begun. 300 s unless set; `None` waits for
    /// ever. A longer limit of one server raises it.
    pub idle_timeout: Option<Duration>,
    /// The same over stdio, from the request on: 1800 s unless set.
    pub stdio_idle_timeout: Option<Duration>,
    /// The limit of a whole request. None unless set.
    pub request_timeout: Option<Duration>,
    /// The longest message of a server, in bytes: a JSON answer, an SSE event, a stdio line. 256 MiB unless set. One
    /// limit for all, so that what a tool can return does not depend on how its server is reached.
    pub max_message_bytes: usize,
    /// The proxy.
    pub proxy: ProxySettings,
    /// PEM files whose certificates are trusted beside those of the platform.
    pub extra_ca_files: Vec<PathBuf>,
    /// Joins requests to distributed traces; without one, what callers carry passes through.
    pub propagator: Option<Arc<dyn TracePropagator>>,
}

impl ClientOptions {
    /// The defaults, under this identity.
    pub fn new(client_info: ClientInfo) -> Self {
        let user_agent = format!("{}/{}", client_info.name, client_info.version);
        Self {
            client_info,
            user_agent,
            connect_timeout: Duration::from_secs(30),
            first_byte_timeout: Duration::from_secs(60),
            idle_timeout: Some(Duration::from_secs(300)),
            stdio_idle_timeout: Some(Duration::from_secs(1800)),
            request_timeout: None,
            max_message_bytes: MAX_MESSAGE_BYTES,
            proxy: ProxySettings::default(),
            extra_ca_files: Vec::new(),
            propagator: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_password_of_a_proxy() {
        let mut options = ClientOptions::new(ClientInfo::new("t", "1"));
        options.proxy.https = Some("http://user:canary@proxy:3128".to_owned());
        assert!(!format!("{options:?}").contains("canary"));
    }
}
