//! The POSTs of revision 2024-11-05, whose answers travel on the event stream.

use std::sync::Arc;

use http::StatusCode;
use http::request::Parts;
use serde_json::Value;

use super::answer::Sse;
use super::handle::McpServerState;
use super::reply::{Reply, empty, message_of, method_not_allowed, plain, rpc_json};
use super::rpc::{self, Outcome, RpcError};
use super::stream::{self, OpenStream, StreamKind};
use crate::sync::lock;
use crate::wire::BodySender;

/// The path to which a 2024-11-05 client POSTs.
pub(crate) const MESSAGES_PATH: &str = "/messages";

impl McpServerState {
    /// A POST of 2024-11-05: accepted at once, answered on the event stream.
    pub(super) fn post_to_stream(self: &Arc<Self>, parts: &Parts, message: Option<Value>) -> Reply {
        if parts.uri.path() != MESSAGES_PATH {
            return method_not_allowed();
        }
        let query = parts.uri.query().unwrap_or_default();
        let wanted = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "sessionId");
        let sender = {
            let state = lock(&self.state);
            let of = |stream: &&OpenStream| matches!((&stream.kind, &wanted), (StreamKind::HttpSse { session }, Some((_, id))) if session == id);
            state.streams.iter().find(of).map(|stream| stream.sender.clone())
        };
        let Some(sender) = sender else {
            return plain(StatusCode::NOT_FOUND, "text/plain", "no such session");
        };
        let Some(message) = message.filter(Value::is_object) else {
            return rpc_json(400, &RpcError::bad(-32700, "Parse error").message(&Value::Null));
        };
        if message.get("method").is_none() {
            return self.client_response(&message);
        }
        if message.get("id").is_some() {
            tokio::spawn(answer_on_stream(Arc::clone(self), sender, message));
        }
        empty(StatusCode::ACCEPTED)
    }
}

async fn answer_on_stream(shared: Arc<McpServerState>, sender: BodySender, message: Value) {
    let id = message["id"].clone();
    let outcome = {
        let state = lock(&shared.state);
        if message["method"] == "initialize" {
            let requested = message["params"]["protocolVersion"].as_str().unwrap_or_default();
            Outcome::Now(Ok(state
                .catalogue
                .initialize_result(requested, state.initialize_version.as_deref())))
        } else {
            rpc::respond(&state.catalogue, false, &message)
        }
    };
    stream::respond(shared, sender, Sse::new(), outcome, move |result| message_of(&id, result).1).await;
}
