//! From an HTTP request to an HTTP response: script first, then credentials, then the protocol.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::answer::{Delivery, HttpAnswer, ScriptedAnswer, Sse};
use super::http_sse::MESSAGES_PATH;
use super::modern;
use super::reply::{
    Reply, SESSION, empty, event_stream, http_answer, id_of, message_of, method_not_allowed, plain, rpc_json,
};
use super::rpc::{self, Outcome, RpcError};
use super::state::{FakeEra, GetStream, State};
use super::stream::{self, OpenStream, StreamKind};
use crate::accept::Judgement;
use crate::sync::lock;
use crate::wire::{Handler, HangUp, Recorder, ReplyBody};

/// What the server's thread and the test's handle share.
#[derive(Debug)]
pub(crate) struct McpServerState {
    pub(crate) path: String,
    pub(crate) state: Mutex<State>,
    pub(crate) recorder: Recorder,
}

impl Handler for McpServerState {
    async fn handle(self: Arc<Self>, request: Request<Incoming>, connection: u64) -> Reply {
        let (parts, body) = request.into_parts();
        // A client that breaks off its own body is recorded with what it sent up to then: nothing.
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let receipt = self.recorder.note(connection, &parts, &body);
        let reply = self.answer(&parts, &body).await;
        if let Ok(response) = &reply {
            self.recorder.answered(receipt, response.status());
        }
        reply
    }
}

/// A parsed POST body, or why it is none.
struct Call {
    message: Value,
    is_modern: bool,
}

impl McpServerState {
    async fn answer(self: &Arc<Self>, parts: &Parts, body: &Bytes) -> Reply {
        let path = parts.uri.path();
        let is_http_sse = lock(&self.state).era == FakeEra::HttpSse;
        if path != self.path && !(is_http_sse && path == MESSAGES_PATH) {
            let route = lock(&self.state).routes.get(path).cloned();
            return match route {
                Some(answer) => self.apply_route(answer).await,
                None => plain(StatusCode::NOT_FOUND, "text/plain", "no such path"),
            };
        }
        let message: Option<Value> = serde_json::from_slice(body).ok();
        let is_post = parts.method == Method::POST;
        let rpc_method = message.as_ref().and_then(|message| message["method"].as_str());
        let key = rpc_method.unwrap_or_else(|| parts.method.as_str()).to_owned();
        let mut delivery = None;
        // The script is asked in its own statement: the lock must not be held over an await.
        let scripted = lock(&self.state).scripted(&key, is_post);
        match scripted {
            ScriptedAnswer::Honest => {}
            ScriptedAnswer::Late(delay) => tokio::time::sleep(delay).await,
            ScriptedAnswer::As(form) => delivery = Some(form),
            ScriptedAnswer::Refuse => return self.refuse(),
            ScriptedAnswer::Http(answer) => return http_answer(answer),
            ScriptedAnswer::Drop => return Err(HangUp),
            ScriptedAnswer::Hang => return std::future::pending().await,
            ScriptedAnswer::RpcError { code, message: text } => {
                let error = RpcError::plain(code, text);
                return rpc_json(error.status, &error.message(&id_of(message.as_ref())));
            }
            ScriptedAnswer::RpcFailure(error) => {
                let id = id_of(message.as_ref());
                return rpc_json(200, &json!({ "jsonrpc": "2.0", "id": id, "error": error }));
            }
            ScriptedAnswer::RpcResult(result) => {
                return rpc_json(200, &rpc::result_message(&id_of(message.as_ref()), result));
            }
            ScriptedAnswer::RpcText(result) => {
                let body =
                    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id_of(message.as_ref()));
                return http_answer(HttpAnswer::new(200).body("application/json", body));
            }
        }
        let judgement = {
            let state = lock(&self.state);
            state.accept.judge_request(parts, body, state.scopes.get(&key).map(String::as_str))
        };
        match judgement {
            Judgement::Accepted => {}
            Judgement::Refused => return self.refuse(),
            Judgement::ScopeMissing(scope) => return self.refuse_scope(&scope),
        }
        match parts.method {
            Method::POST if is_http_sse => self.post_to_stream(parts, message),
            Method::POST => self.post(&parts.headers, message, delivery).await,
            Method::GET => self.get(&parts.headers).await,
            Method::DELETE => self.delete(&parts.headers),
            _ => method_not_allowed(),
        }
    }

    fn refuse(&self) -> Reply {
        let refusal = lock(&self.state).refusal.clone();
        let mut answer = HttpAnswer::new(refusal.status).body(refusal.content_type, refusal.body);
        for challenge in refusal.challenges {
            answer = answer.header("www-authenticate", challenge);
        }
        http_answer(answer)
    }

    /// 403 `insufficient_scope` (RFC 6750, 3.1), with the parameters of the server's usual challenge beside it.
    fn refuse_scope(&self, scope: &str) -> Reply {
        let usual = lock(&self.state).refusal.challenges.first().cloned().unwrap_or_default();
        let metadata = usual
            .split_once("resource_metadata=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(url, _)| format!(", resource_metadata=\"{url}\""))
            .unwrap_or_default();
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"{metadata}");
        http_answer(HttpAnswer::new(403).header("www-authenticate", challenge))
    }

    async fn post(
        self: &Arc<Self>,
        headers: &HeaderMap,
        message: Option<Value>,
        form: Option<Delivery>,
    ) -> Reply {
        if let Some(refusal) = self.check_media_types(headers) {
            return refusal;
        }
        let Some(message) = message else {
            return rpc_json(400, &RpcError::bad(-32700, "Parse error").message(&Value::Null));
        };
        if !message.is_object() {
            lock(&self.state).violation("a POST body that is not one JSON-RPC message");
            return rpc_json(400, &RpcError::bad(-32600, "Invalid Request").message(&Value::Null));
        }
        let is_modern = match lock(&self.state).era {
            FakeEra::Modern => true,
            FakeEra::Dual => modern::looks_modern(headers, &message) && message["method"] != "initialize",
            FakeEra::Legacy | FakeEra::HttpSse => false,
        };
        let checked = if is_modern {
            self.check_modern(headers, &message)
        } else {
            self.check_legacy(headers, &message)
        };
        if let Err(error) = checked {
            let forgotten = lock(&self.state).forgotten.clone().filter(|_| error.is_forgotten_session());
            return match forgotten {
                Some(answer) => http_answer(answer),
                None => rpc_json(error.status, &error.message(&message["id"])),
            };
        }
        if message.get("method").is_none() {
            return self.client_response(&message);
        }
        if message.get("id").is_none() {
            return self.notification(headers, &message);
        }
        if message["method"] == "initialize" {
            return self.initialize(&message, form).await;
        }
        let outcome = rpc::respond(&lock(&self.state).catalogue, is_modern, &message);
        self.deliver(Call { message, is_modern }, outcome, form, None).await
    }

    /// "The client MUST include an `Accept` header, listing both"; the same for the type of the body.
    fn check_media_types(&self, headers: &HeaderMap) -> Option<Reply> {
        let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !value("content-type").starts_with("application/json") {
            lock(&self.state).violation(format!("content-type is {:?}", value("content-type")));
            return Some(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "text/plain", "application/json, please"));
        }
        let accept = value("accept");
        if !(accept.contains("application/json") && accept.contains("text/event-stream")) {
            lock(&self.state).violation(format!("accept is {accept:?}"));
            let error =
                RpcError::bad(-32000, "Not Acceptable: accept both application/json and text/event-stream");
            return Some(rpc_json(406, &error.message(&Value::Null)));
        }
        None
    }

    fn check_modern(&self, headers: &HeaderMap, message: &Value) -> Result<(), RpcError> {
        let mut state = lock(&self.state);
        if message.get("method").is_none() {
            state.violation("a JSON-RPC response was sent to a modern server");
            return Err(RpcError::bad(-32600, "clients send no responses in this revision"));
        }
        if message.get("id").is_none() {
            // "header requirements for notification POSTs are not defined by this revision"
            return Ok(());
        }
        let supported: Vec<String> = state
            .catalogue
            .versions
            .iter()
            .filter(|version| version.as_str() >= modern::REVISION)
            .cloned()
            .collect();
        modern::validate(headers, message, &supported, &state.catalogue.tools).map_err(|mut error| {
            // The error names every revision of a dual-era server, as its discovery does.
            if let Some(data) = &mut error.data
                && data.get("supported").is_some()
            {
                data["supported"] = json!(state.catalogue.versions);
            }
            state.violation(format!("modern request refused: {} {}", error.code, error.message));
            error
        })
    }

    /// Session and revision checks of the legacy era; the order is the one of the official SDKs.
    fn check_legacy(&self, headers: &HeaderMap, message: &Value) -> Result<(), RpcError> {
        let method = message["method"].as_str().unwrap_or_default();
        let mut state = lock(&self.state);
        if method == "initialize" {
            if headers.contains_key(SESSION) {
                state.violation("initialize was sent with a session id");
            }
            return Ok(());
        }
        let version = headers.get("mcp-protocol-version").and_then(|value| value.to_str().ok());
        if state.sessions_on {
            let session = check_session(&state, headers)?.clone();
            if session.version.as_str() >= "2025-06-18" && version != Some(session.version.as_str()) {
                state.violation(format!(
                    "{method}: revision {} was agreed, the header says {version:?}",
                    session.version
                ));
            }
            if !session.initialized && !matches!(method, "notifications/initialized" | "ping" | "") {
                state.violation(format!("{method} was sent before notifications/initialized"));
            }
        }
        match version {
            Some(version) if !state.catalogue.versions.iter().any(|known| known == version) => {
                Err(RpcError::bad(
                    -32000,
                    format!(
                        "Bad Request: Unsupported protocol version: {version} (supported versions: {})",
                        state.catalogue.versions.join(", ")
                    ),
                ))
            }
            _ => Ok(()),
        }
    }

    /// A response to a question of ours.
    pub(super) fn client_response(&self, message: &Value) -> Reply {
        let id = message["id"].as_str().unwrap_or_default();
        let question = lock(&self.state).questions.remove(id);
        match question {
            Some(question) => {
                // The caller may have gone in the meantime.
                let _ = question.send(message.clone());
            }
            None => lock(&self.state)
                .violation(format!("a response to nothing that was asked: id {}", message["id"])),
        }
        empty(StatusCode::ACCEPTED)
    }

    fn notification(&self, headers: &HeaderMap, message: &Value) -> Reply {
        if message["method"] == "notifications/initialized" {
            let mut state = lock(&self.state);
            if let Some(session) = session_id(headers).and_then(|id| state.sessions.get_mut(&id)) {
                session.initialized = true;
            }
        }
        empty(StatusCode::ACCEPTED)
    }

    async fn initialize(self: &Arc<Self>, message: &Value, form: Option<Delivery>) -> Reply {
        let (result, session) = {
            let mut state = lock(&self.state);
            if !message["params"]["clientInfo"]["name"].is_string()
                || !message["params"]["capabilities"].is_object()
            {
                state.violation("initialize without clientInfo or capabilities");
            }
            let requested = message["params"]["protocolVersion"].as_str().unwrap_or_default();
            let result = state.catalogue.initialize_result(requested, state.initialize_version.as_deref());
            let version = result["protocolVersion"].as_str().unwrap_or_default().to_owned();
            let session = state.sessions_on.then(|| state.new_session(&version));
            (result, session)
        };
        let call = Call { message: message.clone(), is_modern: false };
        self.deliver(call, Outcome::Now(Ok(result)), form, session).await
    }

    /// Sends an outcome in the form that is set, or that it needs.
    async fn deliver(
        self: &Arc<Self>,
        call: Call,
        outcome: Outcome,
        form: Option<Delivery>,
        session: Option<String>,
    ) -> Reply {
        let form = form.unwrap_or_else(|| lock(&self.state).delivery.clone());
        let server_info = lock(&self.state).catalogue.server_info();
        let id = call.message["id"].clone();
        if let Outcome::Listen { filter } = outcome {
            return self.listen(id, filter).await;
        }
        let method = call.message["method"].as_str().unwrap_or_default().to_owned();
        let decorate = move |result: Result<Value, RpcError>| {
            result.map(|result| {
                if call.is_modern { rpc::decorate_modern(&method, result, &server_info) } else { result }
            })
        };
        let needs_stream = match &outcome {
            Outcome::Paced { token, .. } => token.is_some(),
            Outcome::Ask { .. } => true,
            _ => false,
        };
        // An error with a status of its own is a plain response in every form: a stream has only one status, 200.
        let has_own_status = matches!(&outcome, Outcome::Now(Err(error)) if error.status != 200);
        let style = match form {
            Delivery::Sse(style) if !has_own_status => style,
            _ if needs_stream => Sse::new(),
            form => {
                let cut = if let Delivery::CutJson(bytes) = form { Some(bytes) } else { None };
                let result = match outcome {
                    Outcome::Now(result) => result,
                    Outcome::Paced { steps, pause, result, .. } => {
                        tokio::time::sleep(pause * u32::try_from(steps).unwrap_or(u32::MAX)).await;
                        Ok(result)
                    }
                    Outcome::Ask { .. } | Outcome::Listen { .. } => return method_not_allowed(),
                };
                let (status, message) = message_of(&id, decorate(result));
                let mut answer = HttpAnswer::new(status).body("application/json", message.to_string());
                answer.drop_after = cut;
                if let Some(session) = session {
                    answer = answer.header(SESSION, session);
                }
                return http_answer(answer);
            }
        };
        let (sender, body) = ReplyBody::live();
        let wrap = move |result| message_of(&id, decorate(result)).1;
        tokio::spawn(stream::respond(Arc::clone(self), sender, style, outcome, wrap));
        Ok(event_stream(body, session.as_deref()))
    }

    async fn listen(&self, id: Value, filter: Value) -> Reply {
        let (sender, body) = ReplyBody::live();
        let acknowledged = json!({
            "jsonrpc": "2.0",
            "method": "notifications/subscriptions/acknowledged",
            "params": { "_meta": { modern::META_SUBSCRIPTION: id }, "notifications": filter },
        });
        sender.send(stream::message_event(&Sse::new(), None, &acknowledged)).await;
        self.open(OpenStream { kind: StreamKind::Listen { id, filter }, sender });
        Ok(event_stream(body, None))
    }

    fn open(&self, stream: OpenStream) {
        let mut state = lock(&self.state);
        state.streams.retain(|stream| !stream.sender.is_closed());
        state.streams.push(stream);
        drop(state);
        self.recorder.poke();
    }

    async fn get(self: &Arc<Self>, headers: &HeaderMap) -> Reply {
        let accepts_events = headers
            .get("accept")
            .and_then(|value| value.to_str().ok())
            .is_some_and(|a| a.contains("text/event-stream"));
        let (era, mode) = {
            let state = lock(&self.state);
            (state.era, state.get_stream)
        };
        if era == FakeEra::Modern || (era != FakeEra::HttpSse && mode == GetStream::Unsupported) {
            return method_not_allowed();
        }
        if !accepts_events {
            lock(&self.state).violation("GET that does not accept text/event-stream");
            return plain(StatusCode::NOT_ACCEPTABLE, "text/plain", "text/event-stream, please");
        }
        let (sender, body) = ReplyBody::live();
        if era == FakeEra::HttpSse {
            let session = lock(&self.state).new_session("2024-11-05");
            let endpoint = format!("{MESSAGES_PATH}?sessionId={session}");
            sender.send(stream::event(&Sse::new(), Some("endpoint"), None, &endpoint)).await;
            self.open(OpenStream { kind: StreamKind::HttpSse { session }, sender });
            return Ok(event_stream(body, None));
        }
        let session = session_id(headers);
        let checked = {
            let state = lock(&self.state);
            if state.sessions_on { check_session(&state, headers).map(|_| ()) } else { Ok(()) }
        };
        if let Err(error) = checked {
            return rpc_json(error.status, &error.message(&Value::Null));
        }
        if let Some(last) = headers.get("last-event-id").and_then(|value| value.to_str().ok()) {
            let waiting = lock(&self.state).resumable.remove(last);
            if let Some(message) = waiting {
                let id = lock(&self.state).new_event_id();
                sender.send(stream::message_event(&Sse::new(), Some(&id), &message)).await;
                return Ok(event_stream(body, None));
            }
        }
        // A comment at once, so that clients and proxies see the stream open before there is anything to say.
        sender.send(": open\n\n").await;
        if mode == GetStream::Open {
            self.open(OpenStream { kind: StreamKind::Get { session }, sender });
        }
        Ok(event_stream(body, None))
    }

    fn delete(&self, headers: &HeaderMap) -> Reply {
        let mut state = lock(&self.state);
        if matches!(state.era, FakeEra::Modern | FakeEra::HttpSse)
            || !state.sessions_on
            || !state.delete_allowed
        {
            return method_not_allowed();
        }
        if let Err(error) = check_session(&state, headers) {
            return rpc_json(error.status, &error.message(&Value::Null));
        }
        let Some(id) = session_id(headers) else { return method_not_allowed() };
        state.sessions.remove(&id);
        state
            .streams
            .retain(|stream| !matches!(&stream.kind, StreamKind::Get { session: Some(own) } if *own == id));
        empty(StatusCode::NO_CONTENT)
    }

    async fn apply_route(&self, answer: ScriptedAnswer) -> Reply {
        match answer {
            ScriptedAnswer::Http(answer) => http_answer(answer),
            ScriptedAnswer::Drop => Err(HangUp),
            ScriptedAnswer::Hang => std::future::pending().await,
            ScriptedAnswer::Refuse => self.refuse(),
            // The other answers are answers to JSON-RPC requests, which only the MCP endpoint takes.
            _ => plain(StatusCode::NOT_FOUND, "text/plain", "no such path"),
        }
    }
}

fn session_id(headers: &HeaderMap) -> Option<String> {
    headers.get(SESSION).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn check_session<'a>(state: &'a State, headers: &HeaderMap) -> Result<&'a super::state::Session, RpcError> {
    let Some(id) = session_id(headers) else {
        return Err(RpcError::bad(-32000, "Bad Request: Mcp-Session-Id header is required"));
    };
    state.sessions.get(&id).ok_or_else(RpcError::forgotten_session)
}
