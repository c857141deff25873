//! Event streams: their bytes, the response streams of POSTs, and the streams that stay open.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::{Sse, SseEnd};
use super::handle::McpServerState;
use super::modern;
use super::rpc::{self, Outcome};
use super::tool;
use crate::sync::lock;
use crate::wire::BodySender;

/// A stream that the server may push to.
#[derive(Debug)]
pub(crate) struct OpenStream {
    pub(crate) kind: StreamKind,
    pub(crate) sender: BodySender,
}

/// Whose stream it is.
#[derive(Debug)]
pub(crate) enum StreamKind {
    /// The standalone GET stream of a legacy session (or of a server without sessions).
    Get { session: Option<String> },
    /// The one stream of a 2024-11-05 client.
    HttpSse { session: String },
    /// A `subscriptions/listen` stream of the modern era.
    Listen { id: Value, filter: Value },
}

impl OpenStream {
    /// The message in the form in which this stream would carry it; `None` if it must not.
    pub(crate) fn message_for(&self, message: &Value) -> Option<Value> {
        let StreamKind::Listen { id, filter } = &self.kind else { return Some(message.clone()) };
        let wanted = match message["method"].as_str().unwrap_or_default() {
            "notifications/tools/list_changed" => filter["toolsListChanged"] == true,
            "notifications/prompts/list_changed" => filter["promptsListChanged"] == true,
            "notifications/resources/list_changed" => filter["resourcesListChanged"] == true,
            "notifications/resources/updated" => filter["resourceSubscriptions"]
                .as_array()
                .is_some_and(|uris| uris.contains(&message["params"]["uri"])),
            _ => false,
        };
        wanted.then(|| {
            let mut message = message.clone();
            message["params"]["_meta"][modern::META_SUBSCRIPTION] = id.clone();
            message
        })
    }
}

/// The bytes of one event. `name` is its type, `None` for the default, `message`.
pub(crate) fn event(style: &Sse, name: Option<&str>, id: Option<&str>, data: &str) -> Vec<u8> {
    let end = if style.crlf { "\r\n" } else { "\n" };
    let mut text = String::with_capacity(data.len() + 32);
    if style.comments {
        text.extend([": a comment", end, end]);
    }
    for (field, value) in [("event", name), ("id", id)] {
        if let Some(value) = value {
            text.extend([field, ": ", value, end]);
        }
    }
    for line in data.split('\n') {
        text.extend(["data: ", line, end]);
    }
    text.push_str(end);
    text.into_bytes()
}

/// The bytes of the event that carries a JSON-RPC message.
pub(crate) fn message_event(style: &Sse, id: Option<&str>, message: &Value) -> Vec<u8> {
    let data = if style.multiline { format!("{message:#}") } else { message.to_string() };
    event(style, Some("message"), id, &data)
}

/// Sends bytes as the style says: at once or in small pieces. `false` once the client has gone.
async fn send(sender: &BodySender, style: &Sse, bytes: Vec<u8>) -> bool {
    let Some(size) = style.chunk else { return sender.send(bytes).await };
    for piece in bytes.chunks(size) {
        if !sender.send(piece.to_vec()).await {
            return false;
        }
        // Without a pause the pieces would leave in one segment.
        tokio::task::yield_now().await;
    }
    true
}

/// Feeds the response stream of one POST until its end.
pub(crate) async fn respond(
    shared: Arc<McpServerState>,
    sender: BodySender,
    style: Sse,
    outcome: Outcome,
    wrap: impl Fn(Result<Value, rpc::RpcError>) -> Value + Send,
) {
    let done = feed(&shared, &sender, &style, outcome, wrap).await;
    if !done {
        lock(&shared.state).abandoned += 1;
        shared.recorder.poke();
    }
}

/// `false` when the client left before the stream had ended as it was meant to.
async fn feed(
    shared: &Arc<McpServerState>,
    sender: &BodySender,
    style: &Sse,
    outcome: Outcome,
    wrap: impl Fn(Result<Value, rpc::RpcError>) -> Value + Send,
) -> bool {
    let mut event_id = None;
    if style.priming.is_some() || style.end == SseEnd::Resumable {
        let id = lock(&shared.state).new_event_id();
        let retry = style.priming.unwrap_or(50);
        if !send(sender, style, format!("id: {id}\nretry: {retry}\ndata:\n\n").into_bytes()).await {
            return false;
        }
        event_id = Some(id);
    }
    for message in &style.leading {
        if !send(sender, style, message_event(style, None, message)).await {
            return false;
        }
    }
    match style.end {
        SseEnd::DropBeforeResponse => {
            broken(sender).await;
            return true;
        }
        SseEnd::CleanWithoutResponse => return true,
        SseEnd::Endless => return endless(sender, b"data: ", &[b'x'; 16 * 1024]).await,
        SseEnd::EndlessComments => return endless(sender, b"", b": still here\n\n").await,
        _ => {}
    }
    let Some(result) = work(shared, sender, style, outcome).await else { return false };
    let message = wrap(result);
    match (style.end, event_id) {
        (SseEnd::Resumable, Some(id)) => {
            lock(&shared.state).resumable.insert(id, message);
            true
        }
        (SseEnd::DropInsideResponse, id) => {
            let mut bytes = message_event(style, id.as_deref(), &message);
            bytes.truncate(bytes.len() / 2);
            let sent = send(sender, style, bytes).await;
            broken(sender).await;
            sent
        }
        (end, _) => {
            let id = style.priming.map(|_| lock(&shared.state).new_event_id());
            let sent = send(sender, style, message_event(style, id.as_deref(), &message)).await;
            if end == SseEnd::HeldOpen {
                sender.closed().await;
            }
            sent
        }
    }
}

/// Does what the tool does; `None` once the client has gone.
async fn work(
    shared: &Arc<McpServerState>,
    sender: &BodySender,
    style: &Sse,
    outcome: Outcome,
) -> Option<Result<Value, rpc::RpcError>> {
    match outcome {
        Outcome::Now(result) => Some(result),
        Outcome::Paced { steps, pause, token, result } => {
            for step in 1..=steps {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = sender.closed() => return None,
                }
                if let Some(token) = &token {
                    let message = json!({
                        "jsonrpc": "2.0",
                        "method": "notifications/progress",
                        "params": { "progressToken": token, "progress": step, "total": steps },
                    });
                    if !send(sender, style, message_event(style, None, &message)).await {
                        return None;
                    }
                }
            }
            Some(Ok(result))
        }
        Outcome::Ask { method, params } => {
            let (id, answer) = lock(&shared.state).new_question();
            let question = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
            if !send(sender, style, message_event(style, None, &question)).await {
                return None;
            }
            tokio::select! {
                answer = answer => {
                    let answer = answer.ok()?;
                    let said = answer.get("result").or_else(|| answer.get("error")).unwrap_or(&Value::Null);
                    Some(Ok(tool::text(format!("the client said {said}"))))
                }
                () = sender.closed() => None,
            }
        }
        // Subscriptions have no response to stream; they are registered as open streams instead.
        Outcome::Listen { .. } => None,
    }
}

/// Sends the part of a body and breaks the connection.
pub(crate) async fn cut(sender: &BodySender, part: Vec<u8>) {
    if part.is_empty() || sender.send(part).await {
        broken(sender).await;
    }
}

/// Breaks the connection after what was sent so far has reached the socket.
async fn broken(sender: &BodySender) {
    // hyper discards what it has not yet written when a body fails; this lets it write first.
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    sender.abort().await;
}

/// Sends `first` and then `again` for as long as the client reads. Always `false`: only the client can end it.
async fn endless(sender: &BodySender, first: &'static [u8], again: &[u8]) -> bool {
    if first.is_empty() || sender.send(first).await {
        while sender.send(again.to_vec()).await {
            tokio::task::yield_now().await;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(style: &Sse, message: &Value) -> String {
        String::from_utf8(message_event(style, None, message)).unwrap()
    }

    #[test]
    fn events_look_as_the_style_says() {
        let message = json!({ "a": 1 });
        assert_eq!(text(&Sse::new(), &message), "event: message\ndata: {\"a\":1}\n\n");
        assert_eq!(text(&Sse::new().crlf(), &message), "event: message\r\ndata: {\"a\":1}\r\n\r\n");
        assert_eq!(
            text(&Sse::new().multiline(), &message),
            "event: message\ndata: {\ndata:   \"a\": 1\ndata: }\n\n"
        );
        assert_eq!(
            text(&Sse::new().comments(), &message),
            ": a comment\n\nevent: message\ndata: {\"a\":1}\n\n"
        );
    }

    #[test]
    fn a_subscription_carries_only_what_it_asked_for_and_its_id() {
        let (sender, _body) = crate::wire::ReplyBody::live();
        let kind = StreamKind::Listen { id: json!(7), filter: json!({ "toolsListChanged": true }) };
        let stream = OpenStream { kind, sender };
        let changed = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed" });
        let sent = stream.message_for(&changed).unwrap();
        assert_eq!(sent["params"]["_meta"][modern::META_SUBSCRIPTION], 7);
        let prompts = json!({ "jsonrpc": "2.0", "method": "notifications/prompts/list_changed" });
        assert!(stream.message_for(&prompts).is_none());
    }
}
