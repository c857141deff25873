//! The same story with servers that others wrote, over every transport that they offer: the fakes agree with us by
//! construction, these do not. `docs/interop.md` shows the matrix; `cargo xtask setup` installs the servers.

#![cfg(all(feature = "http", feature = "stdio"))]
#![expect(clippy::unwrap_used, reason = "what fails in a test should stop it")]

mod peer;
mod person;
mod story;

use mcp_testkit::{RealServer, real_or_skip};
use mcp_transport::ProtocolRevision::{V2025_11_25, V2026_07_28};

use crate::peer::{EVERYTHING, FIXTURE, Over};

/// One test per server and transport: what to start, what it offers, how to reach it, and the revision that must come
/// of it.
macro_rules! matrix {
    ($($name:ident: $server:expr, $surface:expr, $over:expr, $revision:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let Some(server) = real_or_skip($server) else { return };
            story::tell(&server, &$surface, $over, $revision).await;
        }
    )*};
}

matrix! {
    everything_over_stdio: RealServer::everything(), EVERYTHING, Over::Stdio, V2025_11_25;
    everything_over_http: RealServer::everything(), EVERYTHING, Over::Http, V2025_11_25;
    everything_over_sse: RealServer::everything().map(RealServer::over_sse), EVERYTHING, Over::Sse, V2025_11_25;
    everything_over_sse_that_nobody_announced:
        RealServer::everything().map(RealServer::over_sse), EVERYTHING, Over::Http, V2025_11_25;

    typescript_1_over_stdio: RealServer::typescript_1(), FIXTURE, Over::Stdio, V2025_11_25;
    typescript_1_over_http: RealServer::typescript_1(), FIXTURE, Over::Http, V2025_11_25;
    typescript_1_over_sse: RealServer::typescript_1().map(RealServer::over_sse), FIXTURE, Over::Sse, V2025_11_25;

    typescript_2_over_stdio: RealServer::typescript_2(), FIXTURE, Over::Stdio, V2025_11_25;
    typescript_2_over_modern_stdio:
        RealServer::typescript_2().map(RealServer::modern_over_stdio), FIXTURE, Over::Stdio, V2026_07_28;
    typescript_2_over_http: RealServer::typescript_2(), FIXTURE, Over::Http, V2026_07_28;
    typescript_2_over_legacy_http:
        RealServer::typescript_2().map(RealServer::legacy_over_http), FIXTURE, Over::Http, V2025_11_25;

    python_1_over_stdio: RealServer::python_1(), FIXTURE, Over::Stdio, V2025_11_25;
    python_1_over_http: RealServer::python_1(), FIXTURE, Over::Http, V2025_11_25;
    python_1_over_sse: RealServer::python_1().map(RealServer::over_sse), FIXTURE, Over::Sse, V2025_11_25;

    python_2_over_stdio: RealServer::python(), FIXTURE, Over::Stdio, V2025_11_25;
    python_2_over_http: RealServer::python(), FIXTURE, Over::Http, V2026_07_28;
    python_2_over_legacy_http:
        RealServer::python().map(RealServer::legacy_over_http), FIXTURE, Over::Http, V2025_11_25;
    python_2_over_sse: RealServer::python().map(RealServer::over_sse), FIXTURE, Over::Sse, V2025_11_25;

    fastmcp_over_stdio: RealServer::fastmcp(), FIXTURE, Over::Stdio, V2025_11_25;
    fastmcp_over_http: RealServer::fastmcp(), FIXTURE, Over::Http, V2026_07_28;
    fastmcp_over_legacy_http:
        RealServer::fastmcp().map(RealServer::legacy_over_http), FIXTURE, Over::Http, V2025_11_25;
    fastmcp_over_sse: RealServer::fastmcp().map(RealServer::over_sse), FIXTURE, Over::Sse, V2025_11_25;

    rmcp_over_stdio: RealServer::rmcp(), FIXTURE, Over::Stdio, V2025_11_25;
    rmcp_over_modern_stdio: RealServer::rmcp().map(RealServer::modern_over_stdio), FIXTURE, Over::Stdio, V2026_07_28;
    rmcp_over_http: RealServer::rmcp(), FIXTURE, Over::Http, V2026_07_28;
    rmcp_over_legacy_http: RealServer::rmcp().map(RealServer::legacy_over_http), FIXTURE, Over::Http, V2025_11_25;
}
