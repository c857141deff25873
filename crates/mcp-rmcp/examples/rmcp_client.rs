//! A client of the official Rust SDK over a connection of ours: credentials that run out are renewed without the SDK
//! noticing, and what cannot be helped is told as a status.
//!
//! ```text
//! $ cargo run -p mcp-rmcp --example rmcp_client
//! ```

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderValue;
use http::header::AUTHORIZATION;
use mcp_auth::{AuthFuture, CredentialSource, Credentials, FetchReason, SingleFlight};
use mcp_rmcp::RmcpTransport;
use mcp_status::classify;
use mcp_testkit::{Accept, FakeMcpServer};
use mcp_transport::connect::ConnectPolicy;
use mcp_transport::{ClientInfo, ClientOptions, Connector, Endpoint, HttpEndpoint, Server};
use rmcp::model::CallToolRequestParams;
use rmcp::{RoleClient, ServiceError, ServiceExt};

/// Mints a new token each time it is asked: `token-1`, `token-2`, …
#[derive(Debug, Default)]
struct Mint(AtomicUsize);

impl CredentialSource for Mint {
    fn name(&self) -> &str {
        "mint"
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(async {
            let number = 1 + self.0.fetch_add(1, Ordering::Relaxed);
            let value = format!("Bearer token-{number}").try_into().unwrap_or(HeaderValue::from_static(""));
            Ok(Credentials::new("mint", [(AUTHORIZATION, value)]))
        })
    }
}

/// Runs the whole story against a server that `fake` stands for, and says what happens.
pub(crate) async fn run(fake: &FakeMcpServer, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    fake.accept(Accept::bearer("token-1"));
    let connector = Connector::new(ClientOptions::new(ClientInfo::new("example", "1.0")));
    let server = Server::new(Endpoint::Http(HttpEndpoint::new(fake.url())))
        .with_auth(Arc::new(SingleFlight::new(Mint::default())));
    let transport = RmcpTransport::new(connector, server, ConnectPolicy::one_shot().without_tools());

    // From here on, this is the SDK. `()` is its client that answers nothing.
    let client = ().serve(transport).await?;
    let tools = client.list_all_tools().await?;
    writeln!(out, "connected, {} tools", tools.len())?;

    let hello = || {
        let arguments = serde_json::json!({ "text": "hello" }).as_object().cloned().unwrap_or_default();
        CallToolRequestParams::new("echo").with_arguments(arguments)
    };
    fake.accept(Accept::bearer("token-2"));
    let result = client.call_tool(hello()).await?;
    let text = result.content.first().and_then(|block| block.as_text()).map(|block| block.text.as_str());
    writeln!(out, "the server refused token-1, and answered with token-2: {}", text.unwrap_or_default())?;

    fake.accept(Accept::Nothing);
    match client.call_tool(hello()).await {
        Err(ServiceError::TransportSend(error)) => {
            let error = error.downcast::<RmcpTransport, RoleClient>()?;
            let verdict = classify(&error.evidence());
            writeln!(out, "the server refuses everything: {}, because {error}", verdict.status())?;
        }
        outcome => writeln!(out, "unexpected: {outcome:?}")?,
    }
    client.cancel().await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&FakeMcpServer::start()?, &mut std::io::stdout().lock()).await
}
