//! What the client answers to the server: accepts every elicitation with the schema's defaults.

use mcp_transport::handler::{ClientCapabilities, HandlerFuture, ServerRequest, ServerRequestHandler};
use mcp_transport::message::RpcError;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

/// See the module.
#[derive(Debug)]
pub(crate) struct Accepting;

impl ServerRequestHandler for Accepting {
    fn capabilities(&self) -> ClientCapabilities {
        let form = RawValue::from_string(r#"{"form":{"applyDefaults":true}}"#.to_owned());
        form.map_or_else(
            |_| ClientCapabilities::default(),
            |form| ClientCapabilities::default().with("elicitation", form),
        )
    }

    fn handle<'a>(&'a self, request: ServerRequest<'a>) -> HandlerFuture<'a> {
        let params = request.params;
        Box::pin(async move {
            let params: Value =
                params.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
            let content = arguments(&params["requestedSchema"], true);
            let answer = json!({ "action": "accept", "content": content });
            to_raw_value(&answer).map_err(|error| RpcError::new(-32603, error.to_string()))
        })
    }
}

/// An object that fits a schema: defaults first, then the smallest value of each type. With `optional`, members that
/// are not required are there too.
pub(crate) fn arguments(schema: &Value, optional: bool) -> Value {
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|list| list.iter().any(|item| item == name));
    let members = properties.iter().filter(|(name, _)| optional || required(name));
    Value::Object(members.map(|(name, schema)| (name.clone(), value(schema))).collect())
}

fn value(schema: &Value) -> Value {
    if let Some(default) = schema.get("default") {
        return default.clone();
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("integer") => json!(schema["minimum"].as_i64().unwrap_or(1)),
        Some("number") => json!(schema["minimum"].as_f64().unwrap_or(1.0)),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => arguments(schema, false),
        _ => json!("test"),
    }
}
