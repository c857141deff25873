//! Every real server over HTTP, behind a forward proxy that the environment names.

use mcp_harness::{Mcplink, RealServer, real_http_servers, real_or_skip};
use mcp_testkit::{ForwardProxy, TempHome};

macro_rules! proxied {
    ($($name:ident: $server:expr, $over:ident, $era:ident;)*) => {
        pub(crate) const ROWS: &[&str] = &[$(stringify!($server)),*];
        $(mod $name {
            #[test]
            fn fa_a88_by_way_of_a_proxy() {
                if let Some(server) = super::real_or_skip($server) {
                    super::is_reached_by_way_of_a_proxy(&server, stringify!($over));
                }
            }
        })*
    };
}

real_http_servers!(proxied);

pub(crate) mod gateways {
    use mcp_harness::{real_gateways, real_or_skip};

    use super::is_reached_by_way_of_a_proxy;

    real_gateways!(proxied);
}

fn is_reached_by_way_of_a_proxy(server: &RealServer, over: &str) {
    let running = server.start_http();
    let proxy = ForwardProxy::start().unwrap();
    // This machine is never reached by a proxy, so the server needs a name of its own; only the proxy knows it.
    let mut url = running.url();
    url.set_host(Some("mcp.test")).unwrap();
    let home = TempHome::new().unwrap();
    let kind = if over == "Sse" { "sse" } else { "http" };
    let servers = serde_json::json!({ "mcpServers": { "remote": { "type": kind, "url": url } } });
    home.write(".claude.json", servers.to_string()).unwrap();
    let run = |arguments: &[&str]| {
        let program = Mcplink::new(env!("CARGO_BIN_EXE_mcplink"), &home).args(arguments.iter().copied());
        program.env("HTTP_PROXY", proxy.url()).run().expect_code(0)
    };
    let echo = &server.surface().echo;
    let listed = run(&["tools", "remote"]);
    assert!(listed.stdout.contains(echo.name), "{listed}");
    let called = run(&["call", "remote", echo.name, echo.arguments]);
    assert!(called.stdout.contains(echo.answer), "{called}");
    let asked = proxy.asked();
    assert!(!asked.is_empty() && asked.iter().all(|line| line.contains("http://mcp.test:")), "{asked:?}");
}
