//! The same story with servers that others wrote, over every transport that they offer: the fakes agree with us by
//! construction, these do not. `docs/interop.md` shows the matrix; `cargo xtask setup` installs the servers.

#![cfg(all(feature = "http", feature = "stdio"))]
#![expect(clippy::unwrap_used, reason = "what fails in a test should stop it")]

mod peer;
mod person;
mod story;

use mcp_harness::{RealServer, real_http_servers, real_or_skip};
use mcp_testkit::FakeEra;

use crate::peer::Over;

/// One test per server and transport: what to start, how to reach it, and the era that must come of it.
macro_rules! matrix {
    ($($name:ident: $server:expr, $over:ident, $era:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let Some(server) = real_or_skip($server) else { return };
            let peer = peer::start(&server, Over::$over);
            story::tell(peer.endpoint.clone(), server.surface(), FakeEra::$era).await;
            peer.assert_left();
        }
    )*};
}

real_http_servers!(matrix);

matrix! {
    everything_over_stdio: RealServer::everything(), Stdio, Legacy;
    typescript_1_over_stdio: RealServer::typescript_1(), Stdio, Legacy;
    typescript_2_over_stdio: RealServer::typescript_2(), Stdio, Legacy;
    typescript_2_over_modern_stdio: RealServer::typescript_2().map(RealServer::modern_over_stdio), Stdio, Modern;
    python_1_over_stdio: RealServer::python_1(), Stdio, Legacy;
    python_2_over_stdio: RealServer::python(), Stdio, Legacy;
    fastmcp_over_stdio: RealServer::fastmcp(), Stdio, Legacy;
    rmcp_over_stdio: RealServer::rmcp(), Stdio, Legacy;
    rmcp_over_modern_stdio: RealServer::rmcp().map(RealServer::modern_over_stdio), Stdio, Modern;
}
