//! mcp-transport, as an embedder uses it: one connector for all servers.

use mcp_transport::message::Era;
use mcp_transport::{
    ClientInfo, ClientOptions, Connection, Connector, Endpoint, HttpEndpoint, RequestOptions, Server,
};
use mcplink_bench::words;
use serde_json::value::RawValue;

use crate::floors::Called;
use crate::{Client, Fallible};

pub(crate) struct Ours {
    connection: Connection,
    arguments: Box<RawValue>,
}

impl Client for Ours {
    async fn connect(url: &str, is_modern: bool) -> Fallible<(Self, usize)> {
        static SHARED: std::sync::OnceLock<Connector> = std::sync::OnceLock::new();
        let connector =
            SHARED.get_or_init(|| Connector::new(ClientOptions::new(ClientInfo::new("bench", "1"))));
        let mut endpoint = HttpEndpoint::new(url.parse()?);
        // The era is known, as it is from the second connection on: what finding it out costs is another question.
        endpoint.era = Some(if is_modern { Era::Modern } else { Era::Legacy });
        let connection = connector.attempt(&Server::new(Endpoint::Http(endpoint))).await?;
        let tools = connection.list_tools(&RequestOptions::new()).await?;
        let arguments = RawValue::from_string(format!("{{\"text\":\"{}\"}}", words::TEXT))?;
        Ok((Self { connection, arguments }, tools.tools.len()))
    }

    async fn call(&self, _: usize, tool: &'static str) -> Fallible<usize> {
        let result = self.connection.call_tool(tool, Some(&self.arguments), &RequestOptions::new()).await?;
        let called: Called<'_> = serde_json::from_str(result.get())?;
        Ok(called.content.first().map_or(0, |content| content.text.len()))
    }
}
