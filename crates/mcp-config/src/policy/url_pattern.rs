//! URLs with `*` in them.
//!
//! Scheme, host with port, and path are compared part by part, so a `*` in the host cannot run into the path and
//! `https://good.example` does not fit `https://good.example.evil.example`.

use url::Url;

use crate::wildcard::wildcard;

/// A pattern such as `https://*.example.com/*`.
pub(super) struct UrlPattern {
    /// Lowercase; `None` fits every scheme.
    scheme: Option<String>,
    /// Lowercase, without a final dot, with the port unless it is the scheme's own.
    host: String,
    /// `None` fits every path.
    path: Option<String>,
    /// With its `?`; `None` fits every query.
    query: Option<String>,
}

impl UrlPattern {
    pub(super) fn new(pattern: &str) -> Self {
        let (scheme, rest) = match pattern.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, pattern),
        };
        let (rest, query) = match rest.find('?') {
            Some(at) => (&rest[..at], Some(rest[at..].to_owned())),
            None => (rest, None),
        };
        let (host, path) = match rest.find('/') {
            Some(at) => (&rest[..at], Some(rest[at..].to_owned())),
            None => (rest, None),
        };
        Self { host: host_and_port(host, scheme.as_deref()), scheme, path, query }
    }

    /// Whether both patterns stand for the same scheme, host and path.
    pub(super) fn same_place(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.host == other.host && self.path == other.path
    }

    pub(super) fn fits(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let host = match url.port() {
            Some(port) => format!("{}:{port}", without_final_dot(host)),
            None => without_final_dot(host).to_owned(),
        };
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        self.scheme.as_ref().is_none_or(|scheme| wildcard(scheme, url.scheme()))
            && wildcard(&self.host, &host)
            && self.path.as_ref().is_none_or(|path| wildcard(path, url.path()))
            && self.query.as_ref().is_none_or(|pattern| wildcard(pattern, &query))
    }
}

fn without_final_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn host_and_port(text: &str, scheme: Option<&str>) -> String {
    let text = text.to_ascii_lowercase();
    let (host, port) = match text.rsplit_once(':') {
        // The colons of an IPv6 address stand inside brackets.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text.as_str(), None),
    };
    let default = match scheme {
        Some("http" | "ws") => Some("80"),
        Some("https" | "wss") => Some("443"),
        _ => None,
    };
    match port {
        Some(port) if Some(port) != default => format!("{}:{port}", without_final_dot(host)),
        _ => without_final_dot(host).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_part_by_part() {
        for (pattern, url, fits) in [
            ("https://h.example/mcp", "https://h.example/mcp", true),
            ("https://h.example/mcp", "https://H.Example./mcp", true),
            ("https://H.EXAMPLE./mcp", "https://h.example/mcp", true),
            ("https://h.example/mcp", "https://h.example/MCP", false),
            ("https://h.example/mcp", "http://h.example/mcp", false),
            ("https://h.example/mcp", "https://h.example/mcp?x=1", true),
            ("https://h.example/mcp?x=*", "https://h.example/mcp?x=1", true),
            ("https://h.example/mcp?x=2", "https://h.example/mcp?x=1", false),
            ("https://h.example", "https://h.example/any/path", true),
            ("https://h.example", "https://h.example.evil.example/", false),
            ("https://h.example", "https://h.example@evil.example/", false),
            ("https://*.example/*", "https://a.b.example/x", true),
            ("https://*.example/*", "https://example/x", false),
            ("https://*.example/*", "https://evil.test/.example/x", false),
            ("*://h.example/*", "http://h.example/x", true),
            ("*://H.example/*", "https://h.EXAMPLE/x", true),
            ("http*://h.example/*", "https://h.example/x", true),
            ("*", "https://h.example/x", true),
            ("h.example", "http://h.example/x", true),
            ("https://h.example:443/x", "https://h.example/x", true),
            ("https://h.example/x", "https://h.example:8443/x", false),
            ("https://h.example:*/x", "https://h.example:8443/x", true),
            ("http://[::1]:8080/x", "http://[::1]:8080/x", true),
            ("http://[::1]/x", "http://[::1]/x", true),
            ("https://h.example/a*b*c", "https://h.example/aXXbXXc", true),
            ("https://h.example/a*b*c", "https://h.example/aXXcXXb", false),
            ("https://h.example/a*a", "https://h.example/a", false),
        ] {
            assert_eq!(UrlPattern::new(pattern).fits(&Url::parse(url).unwrap()), fits, "{pattern} {url}");
        }
    }
}
