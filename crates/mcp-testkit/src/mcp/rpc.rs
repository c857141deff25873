//! What the fake server says to each JSON-RPC method, as pure functions of what it offers.

use std::time::Duration;

use serde_json::{Value, json};

use super::modern;
use super::state::{Catalogue, Pages};
use super::tool::{self, Act};

const INVALID_PARAMS: i64 = -32602;
const METHOD_NOT_FOUND: i64 = -32601;

/// A JSON-RPC error and the HTTP status it travels with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RpcError {
    pub(crate) status: u16,
    pub(crate) code: i64,
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
}

impl RpcError {
    /// An error in a 400.
    pub(crate) fn bad(code: i64, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into(), data: None }
    }

    /// An error in a 200.
    pub(crate) fn plain(code: i64, message: impl Into<String>) -> Self {
        Self { status: 200, ..Self::bad(code, message) }
    }

    /// The answer to a session that the server does not know (2025-11-25, session management, rule 4).
    pub(crate) fn forgotten_session() -> Self {
        Self::bad(-32001, "Session not found").with_status(404)
    }

    pub(crate) fn is_forgotten_session(&self) -> bool {
        (self.status, self.code) == (404, -32001)
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The whole message.
    pub(crate) fn message(&self, id: &Value) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        json!({ "jsonrpc": "2.0", "id": id, "error": error })
    }
}

/// The whole message of a result.
pub(crate) fn result_message(id: &Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

/// What a request leads to.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// This message at once.
    Now(Result<Value, RpcError>),
    /// Pauses, each told if there is a token, and then the result.
    Paced { steps: u64, pause: Duration, token: Option<Value>, result: Value },
    /// A request to the client on the stream, and then a result with what it answered (legacy only).
    Ask { method: String, params: Value },
    /// A subscription stream (modern only).
    Listen { filter: Value },
}

/// Answers a request of either era, `initialize` excepted (it makes a session, which is state).
pub(crate) fn respond(catalogue: &Catalogue, is_modern: bool, message: &Value) -> Outcome {
    let params = &message["params"];
    let result = match message["method"].as_str().unwrap_or_default() {
        "server/discover" if is_modern => Ok(catalogue.discover_result()),
        "subscriptions/listen" if is_modern => {
            return Outcome::Listen {
                filter: params.get("notifications").cloned().unwrap_or_else(|| json!({})),
            };
        }
        "ping" | "logging/setLevel" if !is_modern => Ok(json!({})),
        "tools/list" => {
            let tools: Vec<_> = catalogue.tools.iter().map(|tool| tool.definition().clone()).collect();
            page("tools", &tools, params, catalogue.pages)
        }
        "tools/call" => return call(catalogue, is_modern, message),
        "resources/list" => {
            let resources: Vec<_> =
                catalogue.resources.iter().map(|(definition, _)| definition.clone()).collect();
            page("resources", &resources, params, catalogue.pages)
        }
        "resources/templates/list" => Ok(json!({ "resourceTemplates": [] })),
        "resources/read" => read(catalogue, is_modern, params),
        "prompts/list" => {
            let prompts: Vec<_> =
                catalogue.prompts.iter().map(|(definition, _)| definition.clone()).collect();
            page("prompts", &prompts, params, catalogue.pages)
        }
        "prompts/get" => catalogue
            .prompts
            .iter()
            .find(|(definition, _)| definition["name"] == params["name"])
            .map(|(_, result)| result.clone())
            .ok_or_else(|| invalid(is_modern, "unknown prompt")),
        unknown => {
            // Modern servers say 404 (Streamable HTTP, "Protocol Version Header"), older ones a plain error.
            let error = RpcError::plain(METHOD_NOT_FOUND, format!("Method not found: {unknown}"));
            Err(if is_modern { error.with_status(404) } else { error })
        }
    };
    Outcome::Now(result)
}

/// Adds what every result of 2026-07-28 carries.
pub(crate) fn decorate_modern(method: &str, mut result: Value, server_info: &Value) -> Value {
    let Some(members) = result.as_object_mut() else { return result };
    members.entry("resultType").or_insert_with(|| json!("complete"));
    if matches!(
        method,
        "server/discover"
            | "tools/list"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
            | "prompts/list"
    ) {
        members.entry("ttlMs").or_insert_with(|| json!(0));
        members.entry("cacheScope").or_insert_with(|| json!("private"));
    }
    if let Some(meta) = members.entry("_meta").or_insert_with(|| json!({})).as_object_mut() {
        meta.entry(modern::META_SERVER_INFO).or_insert_with(|| server_info.clone());
    }
    result
}

fn invalid(is_modern: bool, message: impl Into<String>) -> RpcError {
    let error = RpcError::plain(INVALID_PARAMS, message);
    if is_modern { error.with_status(400) } else { error }
}

fn read(catalogue: &Catalogue, is_modern: bool, params: &Value) -> Result<Value, RpcError> {
    match catalogue.resources.iter().find(|(definition, _)| definition["uri"] == params["uri"]) {
        Some((definition, text)) => Ok(json!({
            "contents": [{ "uri": definition["uri"], "mimeType": definition["mimeType"], "text": text }],
        })),
        None if is_modern => Err(invalid(true, "unknown resource")),
        // The code that revisions up to 2025-11-25 used for this.
        None => Err(RpcError::plain(-32002, "Resource not found")),
    }
}

fn call(catalogue: &Catalogue, is_modern: bool, message: &Value) -> Outcome {
    let params = &message["params"];
    let no_arguments = json!({});
    let arguments = params.get("arguments").unwrap_or(&no_arguments);
    let Some(tool) = catalogue.tools.iter().find(|tool| params["name"] == tool.name()) else {
        return Outcome::Now(Err(invalid(is_modern, format!("Unknown tool: {}", params["name"]))));
    };
    if let Some(result) = tool::immediate(tool.act(), arguments) {
        return Outcome::Now(Ok(result));
    }
    match tool.act() {
        Act::Ask { method, params } if is_modern => Outcome::Now(ask_by_result(message, method, params)),
        Act::Ask { method, params } => Outcome::Ask { method: method.clone(), params: params.clone() },
        _ => {
            let (steps, pause) = tool::pauses(arguments);
            let token = params["_meta"].get("progressToken").cloned();
            Outcome::Paced { steps, pause, token, result: tool::text(format!("{steps} steps done")) }
        }
    }
}

/// Multi round-trip requests: the first call is answered by a question, the second one carries the answer and the state.
fn ask_by_result(message: &Value, method: &str, asked: &Value) -> Result<Value, RpcError> {
    let params = &message["params"];
    let state = format!("state of {}", params["name"].as_str().unwrap_or_default());
    if let Some(answer) = params["inputResponses"].get("question") {
        if params["requestState"] != state.as_str() {
            return Err(invalid(true, "requestState is not the one that was sent"));
        }
        return Ok(tool::text(format!("the client said {answer}")));
    }
    match modern::missing_capability(message, method) {
        Some(error) => Err(error),
        None => Ok(json!({
            "resultType": "input_required",
            "inputRequests": { "question": { "method": method, "params": asked } },
            "requestState": state,
        })),
    }
}

/// One page of a list.
fn page(member: &str, items: &[Value], params: &Value, pages: Pages) -> Result<Value, RpcError> {
    let cursor = params.get("cursor").and_then(Value::as_str);
    let number = |prefix: &str| {
        cursor.and_then(|cursor| cursor.strip_prefix(prefix)).and_then(|n| n.parse::<usize>().ok())
    };
    let (shown, next) = match pages {
        Pages::One => (items, None),
        Pages::Of(size) => {
            let start =
                if cursor.is_none() { Some(0) } else { number("from-").filter(|start| *start < items.len()) };
            let Some(start) = start else { return Err(RpcError::plain(INVALID_PARAMS, "unknown cursor")) };
            let end = items.len().min(start + size.max(1));
            (&items[start..end], (end < items.len()).then(|| format!("from-{end}")))
        }
        Pages::SameCursor => (items, Some("again".to_owned())),
        Pages::Endless => (items, Some(format!("more-{}", number("more-").unwrap_or(0) + 1))),
    };
    let mut result = json!({ member: shown });
    if let Some(next) = next {
        result["nextCursor"] = json!(next);
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages_of(pages: Pages, limit: usize) -> Vec<Vec<i64>> {
        let items: Vec<Value> = (0..5).map(Value::from).collect();
        let mut params = json!({});
        let mut seen = Vec::new();
        for _ in 0..limit {
            let result = page("items", &items, &params, pages).unwrap();
            seen.push(result["items"].as_array().unwrap().iter().filter_map(Value::as_i64).collect());
            let Some(next) = result.get("nextCursor") else { break };
            params = json!({ "cursor": next });
        }
        seen
    }

    #[test]
    fn pages_cover_the_list_once_and_end() {
        assert_eq!(pages_of(Pages::Of(2), 10), [vec![0, 1], vec![2, 3], vec![4]]);
        assert_eq!(pages_of(Pages::One, 10), [vec![0, 1, 2, 3, 4]]);
        assert!(page("items", &[json!(1)], &json!({ "cursor": "from-9" }), Pages::Of(1)).is_err());
    }

    #[test]
    fn looping_and_endless_lists_never_end() {
        assert_eq!(pages_of(Pages::SameCursor, 7).len(), 7);
        let items = [json!(1)];
        let second = page("items", &items, &json!({ "cursor": "more-1" }), Pages::Endless).unwrap();
        assert_eq!(second["nextCursor"], "more-2");
        let again = page("items", &items, &json!({ "cursor": "again" }), Pages::SameCursor).unwrap();
        assert_eq!(again["nextCursor"], "again");
    }
}
