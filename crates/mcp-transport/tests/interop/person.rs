//! Who answers the questions of a server.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mcp_transport::handler::{ClientCapabilities, HandlerFuture, ServerRequest, ServerRequestHandler};
use mcp_transport::message::RpcError;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

/// A person called Ada, who tells her name or declines to.
#[derive(Debug, Default)]
pub(crate) struct Person {
    declines: AtomicBool,
    asked: AtomicUsize,
}

impl Person {
    pub(crate) fn declines_from_now_on(&self) {
        self.declines.store(true, Ordering::SeqCst);
    }

    /// How often she was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn answer(&self, params: &Value) -> Value {
        assert_eq!(params["requestedSchema"]["properties"]["name"]["type"], "string", "{params}");
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.declines.load(Ordering::SeqCst) {
            json!({ "action": "decline" })
        } else {
            json!({ "action": "accept", "content": { "name": "Ada" } })
        }
    }
}

impl ServerRequestHandler for Person {
    fn capabilities(&self) -> ClientCapabilities {
        ClientCapabilities::default().with("elicitation", raw(&json!({ "form": {} })))
    }

    fn handle<'a>(&'a self, request: ServerRequest<'a>) -> HandlerFuture<'a> {
        let ServerRequest { method, params, .. } = request;
        Box::pin(async move {
            if method != "elicitation/create" {
                return Err(RpcError::new(-32601, format!("{method} was not advertised")));
            }
            let params = params.map_or(Value::Null, |params| serde_json::from_str(params.get()).unwrap());
            Ok(raw(&self.answer(&params)))
        })
    }
}

pub(crate) fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).unwrap()
}
