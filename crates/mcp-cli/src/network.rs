//! The network settings of this process: what the variables say, for everything that it talks to.

use std::time::Duration;

use mcp_transport::options::{ProxySettings, ProxyUrl, TrustFile};
use mcp_transport::{ClientInfo, ClientOptions};

use crate::environment::Environment;

/// The network settings of this process, for everything that it talks to.
pub(crate) fn client_options(environment: &Environment) -> ClientOptions {
    let mut options = ClientOptions::new(ClientInfo::new("mcplink", env!("CARGO_PKG_VERSION")));
    // The spelling that is set, which is what people are told.
    let either = |upper: &'static str, lower: &'static str| {
        [upper, lower].into_iter().find_map(|name| environment.text(name).map(|value| (name, value)))
    };
    let named = |upper, lower| either(upper, lower).map(|(name, url)| ProxyUrl::new(url, name));
    let mut proxy = ProxySettings::default();
    // HTTP_PROXY in capitals can be set by a request where a program runs as CGI; terminals have no such requests.
    proxy.http = named("HTTP_PROXY", "http_proxy");
    proxy.https = named("HTTPS_PROXY", "https_proxy");
    proxy.all = named("ALL_PROXY", "all_proxy");
    proxy.no_proxy = either("NO_PROXY", "no_proxy").map(|(_, hosts)| hosts.to_owned());
    options.proxy = proxy;
    let trusted = ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"];
    options.extra_ca_files =
        trusted.iter().filter_map(|name| Some(TrustFile::new(environment.text(name)?, *name))).collect();
    if let Some(limit) =
        environment.milliseconds("MCP_TIMEOUT").filter(|limit| *limit >= Duration::from_millis(1))
    {
        options.connect_timeout = limit;
        options.startup_timeout = limit;
    }
    // A limit below a second breaks every call and is taken for a mistake, as in an entry's `timeout`.
    options.request_timeout =
        environment.milliseconds("MCP_TOOL_TIMEOUT").filter(|limit| *limit >= Duration::from_secs(1));
    options
}
