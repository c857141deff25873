//! The network settings that the usual environment variables ask for.

use std::time::Duration;

use super::{ClientInfo, ClientOptions, ProxySettings, ProxyUrl, TrustFile};

impl ClientOptions {
    /// The defaults under this identity, with what the environment asks for; `variable` is the value of a variable, where
    /// it is set to text. A value that cannot be used is as good as unset. [Limits](Self::limit_names) are known by these names.
    ///
    /// | variable | sets |
    /// |---|---|
    /// | `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, or in small letters | [`proxy`](Self::proxy) |
    /// | `NODE_EXTRA_CA_CERTS`, `SSL_CERT_FILE` | [`extra_ca_files`](Self::extra_ca_files) |
    /// | `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` | the same, as [of other programs](TrustFile::of_others) |
    /// | `MCP_TIMEOUT` (ms) | [`connect_timeout`](Self::connect_timeout), [`startup_timeout`](Self::startup_timeout) |
    /// | `MCP_TOOL_TIMEOUT` (ms, from 1000) | [`request_timeout`](Self::request_timeout) |
    ///
    /// # Examples
    ///
    /// ```
    /// use mcp_transport::{ClientInfo, ClientOptions};
    ///
    /// let variables = [("HTTPS_PROXY", "http://proxy.example:3128"), ("MCP_TIMEOUT", "5000")];
    /// let options = ClientOptions::from_env(ClientInfo::new("my-agent", "1.0"), |name| {
    ///     variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    /// });
    /// assert_eq!(options.connect_timeout.as_secs(), 5);
    /// assert_eq!(options.proxy.https.unwrap().from, "HTTPS_PROXY");
    /// ```
    pub fn from_env<'v>(client_info: ClientInfo, variable: impl Fn(&str) -> Option<&'v str>) -> Self {
        let mut options = Self::new(client_info);
        let text = |name: &str| variable(name).filter(|value| !value.is_empty());
        let milliseconds = |name: &str| text(name)?.trim().parse().ok().map(Duration::from_millis);
        // With the spelling that is set: it is what a message names.
        let either = |upper: &'static str, lower: &'static str| {
            [upper, lower].into_iter().find_map(|name| text(name).map(|value| (name, value)))
        };
        let named = |upper, lower| either(upper, lower).map(|(name, url)| ProxyUrl::new(url, name));
        options.proxy = ProxySettings {
            // A web server sets HTTP_PROXY from a request's `Proxy` header where it runs a CGI program; no MCP client is run as one.
            http: named("HTTP_PROXY", "http_proxy"),
            https: named("HTTPS_PROXY", "https_proxy"),
            all: named("ALL_PROXY", "all_proxy"),
            no_proxy: either("NO_PROXY", "no_proxy").map(|(_, hosts)| hosts.to_owned()),
            always: None,
        };
        let trusted = ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"];
        let trusted = trusted.iter().filter_map(|name| Some(TrustFile::new(text(name)?, *name)));
        // Those of Python and of curl are the whole of what these programs trust, and nothing in addition.
        let of_others = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];
        let of_others = of_others.iter().filter_map(|name| Some(TrustFile::of_others(text(name)?, *name)));
        options.extra_ca_files = trusted.chain(of_others).collect();
        if let Some(limit) = milliseconds("MCP_TIMEOUT").filter(|limit| *limit >= Duration::from_millis(1)) {
            options.connect_timeout = limit;
            options.startup_timeout = limit;
        }
        options.limit_names.attempt = Some("MCP_TIMEOUT".into());
        options.limit_names.start = Some("MCP_TIMEOUT".into());
        options.limit_names.requests = Some("MCP_TOOL_TIMEOUT".into());
        // A limit below a second breaks every call and is taken for a mistake, as in an entry's `timeout`.
        options.request_timeout =
            milliseconds("MCP_TOOL_TIMEOUT").filter(|limit| *limit >= Duration::from_secs(1));
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::LimitNames;

    fn options(variables: &[(&'static str, &'static str)]) -> ClientOptions {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        ClientOptions::from_env(ClientInfo::new("t", "1"), value)
    }

    #[test]
    fn unusable_values_are_as_good_as_unset() {
        let usual = options(&[]);
        for value in ["soon", "", "0", "-1"] {
            let set = options(&[("MCP_TIMEOUT", value), ("MCP_TOOL_TIMEOUT", value), ("HTTPS_PROXY", "")]);
            assert_eq!(set.connect_timeout, usual.connect_timeout, "{value:?}");
            assert_eq!((set.request_timeout, set.proxy), (None, ProxySettings::default()), "{value:?}");
        }
        assert_eq!(options(&[("MCP_TOOL_TIMEOUT", "999")]).request_timeout, None);
        let set = options(&[("MCP_TIMEOUT", " 5 "), ("MCP_TOOL_TIMEOUT", "120000")]);
        assert_eq!([set.connect_timeout, set.startup_timeout], [Duration::from_millis(5); 2]);
        assert_eq!(set.request_timeout, Some(Duration::from_secs(120)));
    }

    #[test]
    fn what_is_set_is_known_by_the_name_that_set_it() {
        let set = options(&[("http_proxy", "a:1"), ("HTTPS_PROXY", "b:2"), ("https_proxy", "c:3")]);
        let named =
            |proxy: &Option<ProxyUrl>| proxy.as_ref().map(|proxy| (proxy.url.clone(), proxy.from.clone()));
        assert_eq!(named(&set.proxy.http), Some(("a:1".to_owned(), "http_proxy".to_owned())));
        assert_eq!(named(&set.proxy.https), Some(("b:2".to_owned(), "HTTPS_PROXY".to_owned())));
        let LimitNames { attempt, requests, silence, .. } = set.limit_names;
        assert_eq!(
            [attempt.as_deref(), requests.as_deref(), silence.as_deref()],
            [Some("MCP_TIMEOUT"), Some("MCP_TOOL_TIMEOUT"), None]
        );
        // A program that reads no environment speaks of none.
        assert_eq!(ClientOptions::new(ClientInfo::new("t", "1")).limit_names, LimitNames::default());
        let files = options(&[("SSL_CERT_FILE", "/ca.pem")]).extra_ca_files;
        assert_eq!(files, [TrustFile::new("/ca.pem", "SSL_CERT_FILE")]);
        let files = options(&[("CURL_CA_BUNDLE", "/c.pem"), ("REQUESTS_CA_BUNDLE", "")]).extra_ca_files;
        assert_eq!(files, [TrustFile::of_others("/c.pem", "CURL_CA_BUNDLE")]);
    }
}
