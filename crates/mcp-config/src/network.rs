//! How the network is used for one server: whom it trusts there, who this client is, and by which way it goes.

use std::path::PathBuf;
use std::time::Duration;

use crate::Origin;
use crate::redacted::RedactedText;

/// The fields of an entry that say how its server is reached; without any of them, as the environment says for all.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Network {
    /// The `tls` block.
    pub tls: Option<Tls>,
    /// `proxy`.
    pub proxy: Option<Proxy>,
    /// `cookies: false`: what the server sets is not sent back.
    pub no_cookies: bool,
    /// `ipv4: true`: only addresses of IPv4 are used.
    pub ipv4: bool,
    /// `fallback: false`: no other transport than that of `type` is tried.
    pub no_fallback: bool,
    /// `protocol`: the one era that is spoken.
    pub protocol: Option<Protocol>,
    /// `keepAliveMs`: how long the server may say nothing before it is pinged.
    pub keep_alive: Option<Duration>,
}

impl Network {
    /// By which way the server is reached, as far as that lets another one read what is sent: the proxy, without user and
    /// password, what is trusted besides the platform's authorities, and the name that is asked for.
    #[cfg(any(feature = "auth", test))]
    pub(crate) fn route(&self) -> Option<String> {
        let mut parts = Vec::new();
        if let Some(Proxy::Url { url, .. }) = &self.proxy {
            let url = url.expose();
            let spelled = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
            let parsed = url::Url::parse(&spelled).ok();
            // One that cannot be read is refused where it is read.
            let host = parsed.as_ref().and_then(|url| Some((url.scheme(), url.host_str()?, url.port())));
            parts.push(match host {
                Some((scheme, host, Some(port))) => format!("proxy {scheme}://{host}:{port}"),
                Some((scheme, host, None)) => format!("proxy {scheme}://{host}"),
                None => "proxy".to_owned(),
            });
        }
        if let Some(tls) = &self.tls {
            parts.extend(tls.ca.iter().map(|ca| format!("ca {}", ca.path.expose().display())));
            parts.extend(tls.server_name.iter().map(|name| format!("server name {name}")));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// A `protocol`: how the client and the server agree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Protocol {
    /// `legacy`: the handshake of 2025-11-25 and before.
    Legacy,
    /// `modern`: as of 2026-07-28, without one.
    Modern,
}

/// A `tls` block.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Tls {
    /// A file of certificates that are trusted beside those of the platform (`ca`).
    pub ca: Option<NamedFile>,
    /// The certificate of the client, with those between it and its authority (`cert`).
    pub cert: Option<NamedFile>,
    /// Its key, where that is in a file of its own (`key`).
    pub key: Option<NamedFile>,
    /// The name that the certificate of the server has to have (`serverName`).
    pub server_name: Option<String>,
    /// `insecureSkipVerify: true`: every certificate of the server is taken. Never from a file of a project.
    pub skips_verification: bool,
}

/// A file that a field names.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NamedFile {
    /// Where it is: absolute, and expanded.
    pub path: RedactedText<PathBuf>,
    /// The field.
    pub origin: Origin,
}

/// A `proxy`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Proxy {
    /// `"none"`: none, whatever the environment says.
    Direct,
    /// This one for every request, whatever the environment excepts, and for a server on this machine as well.
    Url {
        /// Its URL, which may hold a password.
        url: RedactedText<String>,
        /// The field.
        origin: Origin,
    },
}
