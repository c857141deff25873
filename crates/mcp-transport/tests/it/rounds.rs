//! Requests that take several round trips (2026-07-28, multi round-trip requests).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_testkit::{FakeEra, FakeMcpServer, FakeTool, ScriptedAnswer};
use mcp_transport::error::TimeoutStage;
use mcp_transport::handler::{ClientCapabilities, HandlerFuture, ServerRequest, ServerRequestHandler};
use mcp_transport::message::RpcError;
use mcp_transport::relay::RelayOptions;
use mcp_transport::tools::ToolResult;
use mcp_transport::{Connection, RequestOptions, TransportErrorKind};
use serde_json::{Value, json};

use crate::support::{connect, connector, echo, methods, no_violations, raw, target, text_of};

/// Answers every question with its parameters, and remembers them.
#[derive(Debug, Default)]
struct Parrot(Mutex<Vec<String>>);

impl Parrot {
    fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl ServerRequestHandler for Parrot {
    fn capabilities(&self) -> ClientCapabilities {
        ClientCapabilities::default().with("elicitation", raw(&json!({}))).with("roots", raw(&json!({})))
    }

    fn handle<'a>(&'a self, request: ServerRequest<'a>) -> HandlerFuture<'a> {
        let ServerRequest { method, params, .. } = request;
        self.0.lock().unwrap().push(method.to_owned());
        Box::pin(async move {
            if params.as_ref().is_some_and(|params| params.get().contains("refuse")) {
                return Err(RpcError::new(-1, "the person left"));
            }
            Ok(params.unwrap_or_else(|| raw(&json!({ "roots": [] }))))
        })
    }
}

async fn with_parrot(server: &FakeMcpServer) -> (Connection, Arc<Parrot>) {
    let parrot = Arc::new(Parrot::default());
    let connection = connector().attempt(&target(server).with_handler(parrot.clone())).await.unwrap();
    // What a modern server asks needs no stream of its own.
    assert_eq!(server.open_streams(), 0);
    server.recorder().clear();
    (connection, parrot)
}

fn modern(tools: Vec<FakeTool>) -> FakeMcpServer {
    FakeMcpServer::builder().era(FakeEra::Modern).tools(tools).start().unwrap()
}

/// What a server answers to be asked again, with these members.
fn asks(members: Value) -> ScriptedAnswer {
    let mut result = json!({ "resultType": "input_required" });
    result.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    ScriptedAnswer::RpcResult(result)
}

fn question(params: Value) -> Value {
    json!({ "q": { "method": "elicitation/create", "params": params } })
}

/// The parameters of the tool calls that arrived, without their metadata, and their ids.
fn calls(server: &FakeMcpServer) -> (Vec<Value>, Vec<Value>) {
    let calls = server.recorder().matching(|r| r.rpc_method().as_deref() == Some("tools/call"));
    let bodies = calls.iter().map(|call| call.json().unwrap());
    bodies
        .map(|mut body| {
            body["params"].as_object_mut().unwrap().remove("_meta");
            (body["params"].take(), body["id"].take())
        })
        .unzip()
}

#[tokio::test]
async fn a_question_is_answered_by_the_handler_and_the_call_made_again() {
    let asked = json!({ "message": "who?" });
    let server = modern(vec![FakeTool::asking("ask", "elicitation/create", asked.clone())]);
    let (connection, parrot) = with_parrot(&server).await;
    let result = connection.call_tool("ask", None, &RequestOptions::new()).await.unwrap();
    assert_eq!(text_of(&result), format!("the client said {asked}"));
    assert_eq!(parrot.asked(), ["elicitation/create"]);
    let (params, ids) = calls(&server);
    let arguments = json!({ "name": "ask", "arguments": {} });
    let mut retry = arguments.clone();
    retry["inputResponses"] = json!({ "question": asked });
    retry["requestState"] = json!("state of ask");
    assert_eq!(params, [arguments, retry]);
    assert_ne!(ids[0], ids[1]);
    no_violations(&server);
}

#[tokio::test]
async fn each_retry_carries_the_state_of_its_own_round_and_no_other() {
    let server = modern(FakeTool::standard());
    let (connection, parrot) = with_parrot(&server).await;
    server.next_answers_to(
        "tools/call",
        [
            asks(json!({ "requestState": "one \u{e9}\"\\", "inputRequests": question(json!({ "n": 1 })) })),
            asks(json!({ "inputRequests": { "a": { "method": "roots/list" }, "b": { "method": "elicitation/create", "params": {} } } })),
            asks(json!({ "requestState": "three" })),
        ],
    );
    assert_eq!(echo(&connection, "done").await.unwrap(), "done");
    let (params, _) = calls(&server);
    let bring = |member: &str| params.iter().map(|params| params[member].clone()).collect::<Vec<_>>();
    assert_eq!(bring("requestState"), [json!(null), json!("one \u{e9}\"\\"), json!(null), json!("three")]);
    let both = json!({ "a": { "roots": [] }, "b": {} });
    assert_eq!(bring("inputResponses"), [json!(null), json!({ "q": { "n": 1 } }), both, json!(null)]);
    assert!(params[2].get("requestState").is_none() && params[3].get("inputResponses").is_none());
    assert_eq!(bring("arguments"), vec![json!({ "text": "done" }); 4]);
    assert_eq!(parrot.asked(), ["elicitation/create", "roots/list", "elicitation/create"]);
    // Nothing of it reaches the next call.
    server.recorder().clear();
    echo(&connection, "next").await.unwrap();
    assert_eq!(calls(&server).0, [json!({ "name": "echo", "arguments": { "text": "next" } })]);
    no_violations(&server);
}

#[tokio::test]
async fn calls_at_the_same_time_keep_their_answers_apart() {
    let tools =
        ["x", "y", "z"].map(|name| FakeTool::asking(name, "elicitation/create", json!({ "for": name })));
    let server = modern(tools.to_vec());
    let (connection, _) = with_parrot(&server).await;
    let calls = ["x", "y", "z", "x", "y", "z"].map(|name| {
        let connection = connection.clone();
        tokio::spawn(async move {
            let result = connection.call_tool(name, None, &RequestOptions::new()).await.unwrap();
            (name, text_of(&result))
        })
    });
    for call in calls {
        let (name, text) = call.await.unwrap();
        // The server has compared the state as well.
        assert_eq!(text, format!("the client said {{\"for\":\"{name}\"}}"));
    }
}

#[tokio::test]
async fn prompts_and_resources_may_ask_and_nothing_else_may() {
    let server = modern(FakeTool::standard());
    let (connection, parrot) = with_parrot(&server).await;
    for (method, params) in
        [("prompts/get", json!({ "name": "greet" })), ("resources/read", json!({ "uri": "fake://greeting" }))]
    {
        server.next_answers_to(method, [asks(json!({ "inputRequests": question(json!({})) }))]);
        connection.request(method, Some(&raw(&params)), &RequestOptions::new()).await.unwrap();
    }
    assert_eq!(parrot.asked().len(), 2);
    server.next_answers_to("tools/list", [asks(json!({ "inputRequests": question(json!({})) }))]);
    let error = connection.list_tools(&RequestOptions::new()).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Protocol);
    assert_eq!(parrot.asked().len(), 2);
}

#[tokio::test]
async fn without_a_handler_for_it_a_question_is_a_clear_error_and_nothing_is_sent_again() {
    for with_handler in [false, true] {
        let server = modern(FakeTool::standard());
        let connection = if with_handler { with_parrot(&server).await.0 } else { connect(&server).await };
        let sampling = json!({ "q": { "method": "sampling/createMessage", "params": {} } });
        server.next_answers_to("tools/call", [asks(json!({ "inputRequests": sampling }))]);
        let error = echo(&connection, "x").await.unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::InputRequired);
        let message = error.to_string();
        assert!(message.contains("sampling/createMessage, which this client does not answer"), "{message}");
        assert!(error.may_have_been_sent());
        assert_eq!(server.count("tools/call"), 1);
    }
}

#[tokio::test]
async fn a_handler_that_fails_fails_the_call_with_its_reason() {
    let server = modern(FakeTool::standard());
    let (connection, _) = with_parrot(&server).await;
    server.next_answers_to("tools/call", [asks(json!({ "inputRequests": question(json!("refuse")) }))]);
    let error = echo(&connection, "x").await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::InputRequired);
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.to_string().contains("the person left"), "{source}");
    assert_eq!(server.count("tools/call"), 1);
}

#[tokio::test]
async fn a_server_that_never_has_enough_is_given_up() {
    let server = modern(FakeTool::standard());
    let (connection, parrot) = with_parrot(&server).await;
    server.always_to("tools/call", asks(json!({ "inputRequests": question(json!({})) })));
    let error = echo(&connection, "x").await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::InputRequired);
    assert_eq!(parrot.asked().len(), 16);
    assert_eq!(server.count("tools/call"), 17);
}

/// A task that was made of a call, as the extension writes it.
fn task() -> Value {
    json!({ "resultType": "task", "taskId": "t-1", "status": "working", "ttlMs": 60_000, "pollIntervalMs": 500 })
}

#[tokio::test]
async fn a_task_that_was_not_asked_for_is_an_error_that_still_holds_it() {
    let server = modern(FakeTool::standard());
    let (connection, _parrot) = with_parrot(&server).await;
    server.next_answers_to("tools/call", [ScriptedAnswer::RpcResult(task())]);
    let error = echo(&connection, "x").await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Protocol);
    assert!(error.to_string().contains("of type `task`") && error.may_have_been_sent(), "{error}");
    let kept: Value = serde_json::from_str(error.unknown_result().unwrap().get()).unwrap();
    assert_eq!(kept["taskId"], "t-1");
    assert_eq!(server.count("tools/call"), 1, "it is not called again");

    // No request claims the extension.
    for request in server.requests() {
        let Some(body) = request.json() else { continue };
        let claimed = &body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        assert!(claimed.is_object() && claimed.get("extensions").is_none(), "{claimed}");
        assert!(claimed.get("tasks").is_none(), "{claimed}");
    }

    let legacy = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&legacy).await;
    assert!(legacy.requests().iter().all(|request| !String::from_utf8_lossy(&request.body).contains("task")));
    // 2025-11-25 has no types of results: there the view tells.
    let made = json!({ "task": { "taskId": "t-1", "status": "working" } });
    legacy.next_answers_to("tools/call", [ScriptedAnswer::RpcResult(made.clone())]);
    let result = connection.call_tool("echo", None, &RequestOptions::new()).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(result.get()).unwrap(), made, "the task is not lost");
    let error = ToolResult::read(result.get()).unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("type `task`"), "{error:?}");
    for fine in
        [r#"{"content":[]}"#, r#"{"structuredContent":{"task":1}}"#, "{}", r#"{"resultType":"complete"}"#]
    {
        ToolResult::read(fine).unwrap();
    }
}

#[tokio::test]
async fn what_a_request_says_of_its_task_arrives_and_what_its_result_says_comes_back() {
    for era in [FakeEra::Modern, FakeEra::Legacy] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let connection = connect(&server).await;
        let related = json!({ "io.modelcontextprotocol/related-task": { "taskId": "t-1" } });
        let result = json!({ "content": [], "_meta": related });
        server.next_answers_to("tools/call", [ScriptedAnswer::RpcResult(result)]);
        let params = raw(&json!({ "name": "echo", "arguments": {}, "_meta": related }));
        let result = connection.request("tools/call", Some(&params), &RequestOptions::new()).await.unwrap();
        let sent = server.requests().pop().unwrap().json().unwrap();
        let received: Value = serde_json::from_str(result.get()).unwrap();
        for meta in [&sent["params"]["_meta"], &received["_meta"]] {
            assert_eq!(meta["io.modelcontextprotocol/related-task"]["taskId"], "t-1", "{era:?} {meta}");
        }
    }
}

#[tokio::test]
async fn a_result_of_an_unknown_type_is_no_result() {
    let server = modern(FakeTool::standard());
    let connection = connect(&server).await;
    server.next_answers_to(
        "tools/call",
        [ScriptedAnswer::RpcResult(json!({ "resultType": "task", "content": [] }))],
    );
    let error = echo(&connection, "x").await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Protocol);
    // A result without a type is one, and a legacy server may call a member as it likes.
    let untyped = json!({ "content": [{ "type": "text", "text": "y" }] });
    server.next_answers_to("tools/call", [ScriptedAnswer::RpcResult(untyped.clone())]);
    assert_eq!(echo(&connection, "x").await.unwrap(), "y");
    let legacy = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&legacy).await;
    let mut own = untyped;
    own["resultType"] = json!("input_required");
    legacy.next_answers_to("tools/call", [ScriptedAnswer::RpcResult(own)]);
    assert_eq!(echo(&connection, "x").await.unwrap(), "y");
}

#[tokio::test]
async fn a_raw_result_is_handed_over_as_it_is() {
    let server = modern(FakeTool::standard());
    let (connection, parrot) = with_parrot(&server).await;
    let asked = json!({ "resultType": "input_required", "requestState": "s", "unknown": 1.0 });
    for result in [asked, json!({ "resultType": "task" })] {
        server.next_answers_to("tools/call", [ScriptedAnswer::RpcResult(result.clone())]);
        let options = RelayOptions::new(RequestOptions::new()).with_raw_result();
        let got = connection.call_tool("echo", None, &options).await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(got.get()).unwrap(), result);
    }
    assert!(parrot.asked().is_empty());
    assert_eq!(methods(&server), ["tools/call", "tools/call"]);
}

/// Answers when the test says so.
#[derive(Debug, Default)]
struct Slow(tokio::sync::Notify);

impl ServerRequestHandler for Slow {
    fn capabilities(&self) -> ClientCapabilities {
        ClientCapabilities::default().with("elicitation", raw(&json!({})))
    }

    fn handle<'a>(&'a self, _: ServerRequest<'a>) -> HandlerFuture<'a> {
        Box::pin(async {
            self.0.notified().await;
            Ok(raw(&json!({ "action": "decline" })))
        })
    }
}

#[tokio::test]
async fn the_time_a_person_takes_is_not_counted_and_closing_ends_the_wait() {
    let server = modern(vec![FakeTool::asking("ask", "elicitation/create", json!({}))]);
    let slow = Arc::new(Slow::default());
    let connection = connector().attempt(&target(&server).with_handler(slow.clone())).await.unwrap();
    let limit = Duration::from_secs(2);
    let call = |connection: Connection| async move {
        let options = RequestOptions::new().with_timeout(limit);
        connection.call_tool("ask", None, &options).await
    };
    let patient = tokio::spawn(call(connection.clone()));
    tokio::time::sleep(limit + Duration::from_millis(500)).await;
    assert!(!patient.is_finished());
    slow.0.notify_one();
    assert_eq!(text_of(patient.await.unwrap().unwrap()), r#"the client said {"action":"decline"}"#);

    let abandoned = tokio::spawn(call(connection.clone()));
    server.recorder().wait_for("tools/call", 3).await;
    connection.close().await;
    let error = abandoned.await.unwrap().unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Cancelled);
    assert!(error.may_have_been_sent());
}

#[tokio::test]
async fn all_rounds_of_a_call_have_one_time_together() {
    let server = modern(FakeTool::standard());
    let (connection, _) = with_parrot(&server).await;
    // It only wants to be asked again, each time after a longer pause.
    server.next_answers_to("tools/call", (0..4).map(|_| asks(json!({ "requestState": "s" }))));
    let options = RequestOptions::new().with_timeout(Duration::from_millis(400));
    let error = connection.call_tool("echo", None, &options).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Timeout { stage: TimeoutStage::Unsent });
    assert!(error.may_have_been_sent(), "the server has seen the call in its first round");
    assert_eq!(calls(&server).0.len(), 1);
}

#[tokio::test]
async fn a_retry_that_could_not_be_sent_counts_as_sent() {
    let server = modern(FakeTool::standard());
    let slow = Arc::new(Slow::default());
    let connection = connector().attempt(&target(&server).with_handler(slow.clone())).await.unwrap();
    server.next_answers_to("tools/call", [asks(json!({ "inputRequests": question(json!({})) }))]);
    let call = tokio::spawn({
        let connection = connection.clone();
        async move { echo(&connection, "x").await }
    });
    server.recorder().wait_for("tools/call", 1).await;
    server.go_down();
    while server.open_connections() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    slow.0.notify_one();
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Unreachable);
    assert!(error.may_have_been_sent(), "the server has seen the call in its first round");
}
