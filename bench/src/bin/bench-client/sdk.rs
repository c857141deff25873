//! rmcp, the official SDK of Rust, with one HTTP client for all servers, as its documentation advises.

use mcplink_bench::words;
use rmcp::model::{CallToolRequestParams, ClientConfig};
use rmcp::service::RunningService;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{RoleClient, ServiceExt as _};

use crate::{Client, Fallible};

pub(crate) struct Rmcp(RunningService<RoleClient, ClientConfig>);

impl Client for Rmcp {
    async fn connect(url: &str, _: bool) -> Fallible<(Self, usize)> {
        static SHARED: std::sync::OnceLock<reqwest::Client> = std::sync::OnceLock::new();
        let client = SHARED.get_or_init(|| {
            let roots = rustls::RootCertStore::empty();
            let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
            reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().expect("a client")
        });
        let config = StreamableHttpClientTransportConfig::with_uri(url.to_owned());
        let transport = StreamableHttpClientTransport::with_client(client.clone(), config);
        let service = ClientConfig::default().serve(transport).await?;
        let tools = service.list_tools(None).await?.tools.len();
        Ok((Self(service), tools))
    }

    async fn call(&self, _: usize, tool: &'static str) -> Fallible<usize> {
        let arguments = serde_json::json!({ "text": words::TEXT }).as_object().cloned();
        let mut params = CallToolRequestParams::new(tool);
        params.arguments = arguments;
        let result = self.0.call_tool(params).await?;
        Ok(result.content.first().and_then(|content| content.as_text()).map_or(0, |text| text.text.len()))
    }
}
