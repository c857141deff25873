//! How the servers are reached.

use mcp_testkit::{RealServer, RunningServer};
use mcp_transport::{Endpoint, HttpEndpoint, StdioEndpoint};

/// How a server is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Over {
    /// As a child process.
    Stdio,
    /// By its URL; what it speaks there is found out.
    Http,
    /// By its URL, which is known to be one of 2024-11-05.
    Sse,
}

/// The address of a server, and what keeps it alive.
pub(crate) fn start(server: &RealServer, over: Over) -> (Endpoint, Option<RunningServer>) {
    if over == Over::Stdio {
        let mut endpoint = StdioEndpoint::new(&server.program);
        endpoint.args = server.stdio_arguments.iter().map(Into::into).collect();
        endpoint.env = inherited_environment();
        return (Endpoint::Stdio(endpoint), None);
    }
    let running = server.start_http();
    let endpoint = match over {
        Over::Sse => HttpEndpoint::legacy_sse(running.url()),
        _ => HttpEndpoint::new(running.url()),
    };
    (Endpoint::Http(endpoint), Some(running))
}

#[expect(
    clippy::disallowed_methods,
    reason = "an interpreter needs the environment that the test was started in"
)]
fn inherited_environment() -> std::collections::BTreeMap<std::ffi::OsString, std::ffi::OsString> {
    std::env::vars_os().collect()
}
