//! The one list of real servers: which there are, and the ways to each of them over HTTP.
//!
//! A suite with real servers makes a test of each row, so that a new server is tested by all of them.

/// Each of them by the name of its constructor in [`RealServer`](crate::RealServer).
pub const REAL_SERVERS: [&str; 8] =
    ["everything", "typescript_1", "typescript_2", "python_1", "python", "fastmcp", "rmcp", "supergateway"];

/// Gives a macro one row for each way to a real server over HTTP: a name, the server, whether it is of the transport of
/// 2024-11-05 or to be found out, and the era in which it is spoken to.
#[macro_export]
macro_rules! real_http_servers {
    ($rows:ident) => {
        $rows! {
            everything_over_http: $crate::RealServer::everything(), Http, Legacy;
            everything_over_sse: $crate::RealServer::everything().map($crate::RealServer::over_sse), Sse, Legacy;
            everything_over_sse_that_was_not_announced:
                $crate::RealServer::everything().map($crate::RealServer::over_sse), Http, Legacy;
            typescript_1_over_http: $crate::RealServer::typescript_1(), Http, Legacy;
            typescript_1_over_sse: $crate::RealServer::typescript_1().map($crate::RealServer::over_sse), Sse, Legacy;
            typescript_2_over_http: $crate::RealServer::typescript_2(), Http, Modern;
            typescript_2_over_legacy_http:
                $crate::RealServer::typescript_2().map($crate::RealServer::legacy_over_http), Http, Legacy;
            python_1_over_http: $crate::RealServer::python_1(), Http, Legacy;
            python_1_over_sse: $crate::RealServer::python_1().map($crate::RealServer::over_sse), Sse, Legacy;
            python_2_over_http: $crate::RealServer::python(), Http, Modern;
            python_2_over_legacy_http:
                $crate::RealServer::python().map($crate::RealServer::legacy_over_http), Http, Legacy;
            python_2_over_sse: $crate::RealServer::python().map($crate::RealServer::over_sse), Sse, Legacy;
            fastmcp_over_http: $crate::RealServer::fastmcp(), Http, Modern;
            fastmcp_over_legacy_http:
                $crate::RealServer::fastmcp().map($crate::RealServer::legacy_over_http), Http, Legacy;
            fastmcp_over_sse: $crate::RealServer::fastmcp().map($crate::RealServer::over_sse), Sse, Legacy;
            rmcp_over_http: $crate::RealServer::rmcp(), Http, Modern;
            rmcp_over_legacy_http: $crate::RealServer::rmcp().map($crate::RealServer::legacy_over_http), Http, Legacy;
        }
    };
}

/// The same of gateways, which make a local server a remote one: what they offer is that server's, so not every suite has
/// something to learn from them.
#[macro_export]
macro_rules! real_gateways {
    ($rows:ident) => {
        $rows! {
            supergateway_with_sessions:
                $crate::RealServer::supergateway().map(|server| server.http_args(["--stateful"])), Http, Legacy;
            supergateway_without_sessions: $crate::RealServer::supergateway(), Http, Legacy;
            supergateway_over_sse:
                $crate::RealServer::supergateway().map($crate::RealServer::over_sse), Sse, Legacy;
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_that_can_be_made_is_in_the_list() {
        let made = include_str!("real.rs").lines().filter_map(|line| {
            let name = line.trim().strip_prefix("pub fn ")?;
            name.strip_suffix("() -> Result<Self, Missing> {")
        });
        assert_eq!(made.collect::<Vec<_>>(), REAL_SERVERS);
    }
}
