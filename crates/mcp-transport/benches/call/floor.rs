//! The floor: a POST loop with the bare HTTP client, sending the same bytes and parsing the same answer.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;

use crate::server::Era;

/// What every call sends.
pub(crate) const ARGUMENTS: &str = r#"{"text":"a text of some length, as arguments usually have one"}"#;
const CLIENT: &str = r#"{"name":"bench","version":"1.0"}"#;

#[derive(Deserialize)]
struct Rpc<T> {
    id: u64,
    result: T,
}

/// The result of a call.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallResult<'a> {
    #[serde(borrow)]
    pub(crate) content: Vec<Content<'a>>,
    #[serde(default)]
    pub(crate) is_error: bool,
}

/// A content block.
#[derive(Deserialize)]
pub(crate) struct Content<'a> {
    #[serde(borrow)]
    pub(crate) text: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ListResult {
    tools: Vec<Tool>,
}

#[derive(Deserialize)]
struct Tool {
    name: String,
    #[serde(rename = "inputSchema")]
    input_schema: serde_json::Map<String, serde_json::Value>,
}

/// One connection, made of POSTs.
pub(crate) struct Floor {
    client: reqwest::Client,
    url: reqwest::Url,
    era: Era,
    session: Option<String>,
    next_id: AtomicU64,
}

impl Floor {
    pub(crate) fn client() -> reqwest::Client {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        // Without any authority, because building must not cost more than that of the client beside it.
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let builder = reqwest::Client::builder().tls_backend_preconfigured(tls);
        builder.no_proxy().tcp_nodelay(true).build().expect("a client")
    }

    pub(crate) async fn connect(url: &str, era: Era) -> Self {
        Self::connect_with(Self::client(), url, era).await
    }

    pub(crate) async fn connect_with(client: reqwest::Client, url: &str, era: Era) -> Self {
        let url = url.parse().expect("a URL");
        let mut this = Self { client, url, era, session: None, next_id: AtomicU64::new(1) };
        match era {
            Era::Legacy => {
                let hello = format!(
                    r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{{}},"clientInfo":{CLIENT}}}}}"#
                );
                let answer = this.post(hello, "initialize", None).await;
                let session = answer.headers().get("mcp-session-id").expect("a session");
                this.session = Some(session.to_str().expect("text").to_owned());
                answer.bytes().await.expect("a body");
                let done = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned();
                this.post(done, "notifications/initialized", None).await.bytes().await.expect("a body");
            }
            Era::Modern => {
                this.request("server/discover", None, "").await;
            }
        }
        this
    }

    pub(crate) async fn call(&self, tool: &str) -> usize {
        let params = format!(r#","name":"{tool}","arguments":{ARGUMENTS}"#);
        let (id, body) = self.request("tools/call", Some(tool), &params).await;
        let answer: Rpc<CallResult<'_>> = serde_json::from_slice(payload(&body)).expect("an answer");
        assert!(answer.id == id && !answer.result.is_error);
        answer.result.content[0].text.len()
    }

    pub(crate) async fn list(&self) -> usize {
        let (_, body) = self.request("tools/list", None, "").await;
        let answer: Rpc<ListResult> = serde_json::from_slice(payload(&body)).expect("an answer");
        assert!(
            answer.result.tools.iter().all(|tool| !tool.name.is_empty() && !tool.input_schema.is_empty())
        );
        answer.result.tools.len()
    }

    async fn request(&self, method: &str, name: Option<&str>, params: &str) -> (u64, bytes::Bytes) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let params = match self.era {
            Era::Legacy => params.trim_start_matches(',').to_owned(),
            Era::Modern => format!(
                r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{CLIENT},"io.modelcontextprotocol/clientCapabilities":{{}}}}{params}"#
            ),
        };
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}}}}}"#);
        (id, self.post(body, method, name).await.bytes().await.expect("a body"))
    }

    async fn post(&self, body: String, method: &str, name: Option<&str>) -> reqwest::Response {
        let mut request = self
            .client
            .post(self.url.clone())
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("user-agent", "bench/1.0");
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session).header("mcp-protocol-version", "2025-11-25");
        }
        if self.era == Era::Modern {
            request = request.header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
            if let Some(name) = name {
                request = request.header("mcp-name", name);
            }
        }
        let answer = request.body(body).send().await.expect("an answer");
        assert!(answer.status().is_success());
        answer
    }
}

/// The JSON text of an answer: the body itself, or the data of its only event.
fn payload(body: &[u8]) -> &[u8] {
    const DATA: &[u8] = b"event: message\ndata: ";
    match body.strip_prefix(DATA) {
        Some(rest) => rest.trim_ascii_end(),
        None => body,
    }
}
