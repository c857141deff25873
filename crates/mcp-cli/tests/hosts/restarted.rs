//! Every real server over HTTP, killed and started again under a bridge: the next call works. Each spells "I do not know
//! that session" in its own way.

use std::time::{Duration, Instant};

use mcp_harness::{Ask, Mcplink, RealServer, real_http_servers, real_or_skip};
use mcp_testkit::{Tap, TempHome};
use mcp_transport::tools::ToolResult;
use mcp_transport::{
    ClientInfo, ClientOptions, Connection, Connector, Endpoint, RequestOptions, Server, StdioEndpoint,
};
use serde_json::value::RawValue;

/// Interpreters are slow on a loaded machine; nothing here waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

macro_rules! restarted {
    ($($name:ident: $server:expr, $over:ident, $era:ident;)*) => {
        pub(crate) const ROWS: &[&str] = &[$(stringify!($server)),*];
        $(mod $name {
            #[tokio::test]
            async fn fa_a105_fb_t50_the_call_after_a_restart_works() {
                if let Some(server) = super::real_or_skip($server) {
                    super::survives_a_restart(&server, stringify!($over)).await;
                }
            }
        })*
    };
}

real_http_servers!(restarted);

/// A gateway in front of a local server: its sessions end with it as well, and where it keeps none there is nothing to miss.
pub(crate) mod gateways {
    use mcp_harness::{real_gateways, real_or_skip};

    use super::survives_a_restart;

    macro_rules! restarted {
        ($($name:ident: $server:expr, $over:ident, $era:ident;)*) => {
            pub(crate) const ROWS: &[&str] = &[$(stringify!($server)),*];
            $(mod $name {
                #[tokio::test]
                async fn fa_a115_the_call_after_a_restart_of_the_gateway_works() {
                    if let Some(server) = super::real_or_skip($server) {
                        super::survives_a_restart(&server, stringify!($over)).await;
                    }
                }
            })*
        };
    }

    real_gateways!(restarted);
}

async fn survives_a_restart(server: &RealServer, over: &str) {
    let mut running = server.start_http();
    let tap = Tap::before(&running.url()).unwrap();
    let home = TempHome::new().unwrap();
    let kind = if over == "Sse" { "sse" } else { "http" };
    let url = tap.url_for(&running.url());
    let servers = serde_json::json!({ "mcpServers": { "remote": { "type": kind, "url": url } } });
    home.write(".claude.json", servers.to_string()).unwrap();

    let host = host(&home).await;
    let echo = &server.surface().echo;
    call(&host, echo).await.unwrap();

    // At once: the server is back before it was missed.
    drop(running);
    running = server.start_http();
    tap.lead_to(&running.url()).unwrap();
    let answer = call(&host, echo).await;
    assert!(answer.is_ok(), "the next call: {answer:?}\n{}", running.log());

    // Missed by a call, which says so, and found by one of the next. Where the stream is the session, a call waits for half
    // a minute for another one; that is told elsewhere.
    if over == "Http" {
        drop(running);
        call(&host, echo).await.unwrap_err();
        running = server.start_http();
        tap.lead_to(&running.url()).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while let Err(report) = call(&host, echo).await {
            assert!(Instant::now() < deadline, "{report}\n{}", running.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let status = Mcplink::new(env!("CARGO_BIN_EXE_mcplink"), &home).args(["status", "remote"]);
    let status = status.run().expect_code(0);
    assert!(!status.stdout.contains("failed"), "{status}");
    host.close().await;
}

/// Our own client, with the bridge as its local server.
pub(crate) async fn host(home: &TempHome) -> Connection {
    let mut endpoint = StdioEndpoint::new(env!("CARGO_BIN_EXE_mcplink"));
    endpoint.args = ["bridge", "remote"].map(Into::into).to_vec();
    endpoint.env =
        home.environment("").into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    endpoint.cwd = Some(home.project());
    let mut options = ClientOptions::new(ClientInfo::new("restarted", "1.0"));
    options.connect_timeout = PATIENCE;
    options.request_timeout = Some(PATIENCE);
    Connector::new(options).attempt(&Server::new(Endpoint::Stdio(endpoint))).await.unwrap()
}

/// What the bridge says, where it cannot pass the call on.
pub(crate) async fn call(host: &Connection, ask: &Ask) -> Result<(), String> {
    let arguments = RawValue::from_string(ask.arguments.to_owned()).unwrap();
    let result = host.call_tool(ask.name, Some(&arguments), &RequestOptions::new()).await;
    let result = result.map_err(|error| format!("{error:?}"))?;
    let read = ToolResult::read(result.get()).unwrap();
    let text =
        |block: &&RawValue| serde_json::from_str::<serde_json::Value>(block.get()).unwrap()["text"].clone();
    let has_answer = |text: serde_json::Value| text.as_str().is_some_and(|text| text.contains(ask.answer));
    let answered = !read.is_error && read.content.iter().map(text).any(has_answer);
    if answered { Ok(()) } else { Err(result.to_string()) }
}
