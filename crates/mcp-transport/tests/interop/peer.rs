//! How the servers are reached.

use mcp_harness::{RealServer, RunningServer, marked_processes};
use mcp_testkit::Tap;
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

/// Names the processes of one test, wherever they have moved to.
const MARKER: &str = "MCP_INTEROP_RUN";

/// The address of a server, what keeps it alive, and what watches how it is left.
pub(crate) struct Peer {
    pub(crate) endpoint: Endpoint,
    run: String,
    /// Between us and a server that is reached by its URL.
    tap: Option<Tap>,
    _running: Option<RunningServer>,
}

pub(crate) fn start(server: &RealServer, over: Over) -> Peer {
    let run = format!("{}-{}", std::process::id(), server.program.display());
    if over == Over::Stdio {
        let mut endpoint = StdioEndpoint::new(&server.program);
        endpoint.args = server.stdio_arguments.iter().map(Into::into).collect();
        endpoint.env = inherited_environment();
        endpoint.env.insert(MARKER.into(), run.clone().into());
        // Servers that others wrote take the opening as it is in use, with a member in `_meta` that they do not know.
        endpoint.chain = Some("interop~0000000000000001".to_owned());
        return Peer { endpoint: Endpoint::Stdio(endpoint), run, tap: None, _running: None };
    }
    let running = server.start_http();
    let tap = Tap::before(&running.url()).unwrap();
    let url = tap.url_for(&running.url());
    let endpoint = match over {
        Over::Sse => HttpEndpoint::legacy_sse(url),
        _ => HttpEndpoint::new(url),
    };
    Peer { endpoint: Endpoint::Http(endpoint), run, tap: Some(tap), _running: Some(running) }
}

impl Peer {
    /// A connection that was closed leaves nothing behind: no process of the server that it started, and no session that
    /// the server goes on to keep.
    pub(crate) fn assert_left(&self) {
        let left = marked_processes(&format!("{MARKER}={}", self.run));
        assert!(left.is_empty(), "outlives its connection: {left:?}");
        let heads = self.tap.iter().flat_map(Tap::request_heads).collect::<Vec<_>>();
        let session = |head: &String| {
            let field = head.lines().find_map(|line| line.strip_prefix("mcp-session-id:"));
            field.map(|id| id.trim().to_owned())
        };
        let mut sessions: Vec<_> = heads.iter().filter_map(session).collect();
        sessions.sort_unstable();
        sessions.dedup();
        let deleted: Vec<_> =
            heads.iter().filter(|head| head.starts_with("DELETE ")).filter_map(session).collect();
        assert_eq!(deleted, sessions, "each session is deleted, once");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an interpreter needs the environment that the test was started in"
)]
fn inherited_environment() -> std::collections::BTreeMap<std::ffi::OsString, std::ffi::OsString> {
    std::env::vars_os().collect()
}
