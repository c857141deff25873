//! What happens after the handshake: sessions that end, connections that break, limits that run out.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_status::Outcome;
use mcp_testkit::{FakeEra, FakeMcpServer, GetStream, HttpAnswer, ScriptedAnswer, Sse, SseEnd};
use mcp_transport::error::TimeoutStage;
use mcp_transport::handler::{
    ClientCapabilities, HandlerFuture, Progress, ServerRequest, ServerRequestHandler,
};
use mcp_transport::{Connector, RequestOptions, TransportErrorKind};
use serde_json::json;

use crate::support::{connect, connector, echo, echo_at_once, methods, no_violations, options, raw, target};

#[tokio::test]
async fn f100_a_session_that_is_gone_is_renewed_once_and_the_call_replayed() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&server).await;
    echo(&connection, "one").await.unwrap();
    server.expire_sessions();
    server.recorder().clear();
    assert_eq!(echo(&connection, "two").await.unwrap(), "two");
    assert_eq!(methods(&server), ["tools/call", "initialize", "notifications/initialized", "tools/call"]);
    no_violations(&server);
}

#[tokio::test]
async fn f100_many_calls_that_find_the_session_gone_renew_it_once() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&server).await;
    server.expire_sessions();
    server.recorder().clear();
    echo_at_once(&connection, 20).await;
    assert_eq!(server.count("initialize"), 1);
}

#[tokio::test]
async fn f101_one_404_during_the_renewal_is_not_the_end() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&server).await;
    server.expire_sessions();
    server.next_answers_to("initialize", [ScriptedAnswer::status(404)]);
    assert_eq!(echo(&connection, "two").await.unwrap(), "two");
}

#[tokio::test]
async fn a_server_that_forgets_every_session_at_once_ends_in_an_error() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&server).await;
    server.recorder().clear();
    server.always_to("tools/call", ScriptedAnswer::status(404));
    let error = echo(&connection, "x").await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::SessionGone);
    assert_eq!(server.count("initialize"), 1, "renewed once");
    assert_eq!(server.count("tools/call"), 2, "replayed once");
}

#[tokio::test]
async fn f105_a_drop_mid_response_fails_the_call_and_never_replays_it() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        for end in [SseEnd::DropBeforeResponse, SseEnd::DropInsideResponse, SseEnd::CleanWithoutResponse] {
            let server = FakeMcpServer::builder().era(era).start().unwrap();
            let connection = connect(&server).await;
            server.next_answers_to("tools/call", [ScriptedAnswer::As(Sse::new().end(end).into())]);
            let error = echo(&connection, "x").await.unwrap_err();
            assert_eq!(*error.kind(), TransportErrorKind::Dropped, "{era:?} {end:?}");
            assert!(error.may_have_been_sent());
            assert_eq!(server.count("tools/call"), 1, "{era:?} {end:?}");
            assert_eq!(echo(&connection, "next").await.unwrap(), "next");
        }
    }
}

#[tokio::test]
async fn f105_a_dropped_connection_fails_a_call_and_repeats_a_list() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&server).await;
    server.next_answers_to("tools/call", [ScriptedAnswer::Drop]);
    let error = echo(&connection, "x").await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Dropped);
    assert_eq!(server.count("tools/call"), 1);

    server.next_answers_to("tools/list", [ScriptedAnswer::Drop]);
    connection.list_tools(&RequestOptions::new()).await.unwrap();
    assert_eq!(server.count("tools/list"), 2);
}

#[tokio::test]
async fn f102_a_connection_that_died_while_idle_costs_no_error() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&server).await;
    echo(&connection, "one").await.unwrap();
    server.drop_connections();
    // It died while idle: the client has had the time to notice, but the caller was not told.
    while server.open_connections() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(echo(&connection, "two").await.unwrap(), "two");
}

#[tokio::test]
async fn a_stream_that_ends_early_is_continued_where_it_stopped() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&server).await;
    let resumable = Sse::new().priming(200).end(SseEnd::Resumable);
    server.next_answers_to("tools/call", [ScriptedAnswer::As(resumable.into())]);
    assert_eq!(echo(&connection, "resumed").await.unwrap(), "resumed");
    let requests = server.requests();
    let call = requests.iter().find(|r| r.rpc_method().as_deref() == Some("tools/call")).unwrap();
    let resumption = requests.iter().find(|r| r.method == http::Method::GET).unwrap();
    assert!(resumption.header("last-event-id").is_some());
    assert!(resumption.at - call.at >= Duration::from_millis(200), "`retry` is honoured");
    assert_eq!(server.count("tools/call"), 1);
    no_violations(&server);
}

/// The rest of an answer is a request like any other: it is asked for again where that may help, and the call is not made again.
#[tokio::test]
async fn a_stream_is_continued_through_what_passes() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&server).await;
    let resumable = || ScriptedAnswer::As(Sse::new().priming(10).end(SseEnd::Resumable).into());
    server.next_answers_to("tools/call", [resumable()]);
    server.next_answers_to(
        "GET",
        [ScriptedAnswer::Drop, ScriptedAnswer::retry_after(429, 3), ScriptedAnswer::Honest],
    );
    assert_eq!(echo(&connection, "resumed").await.unwrap(), "resumed");
    let asked: Vec<_> = server.requests().into_iter().filter(|r| r.method == http::Method::GET).collect();
    let [.., limited, last] = &asked[..] else { panic!("{} requests", asked.len()) };
    assert!(asked.len() >= 3 && last.at - limited.at >= Duration::from_secs(3), "`Retry-After` is a floor");
    assert_eq!(server.count("tools/call"), 1);

    // What does not pass is told, and the call may have run.
    server.recorder().clear();
    server.next_answers_to("tools/call", [resumable()]);
    server
        .next_answers_to("GET", [HttpAnswer::new(409).body("text/plain", "another client reads it").into()]);
    let error = echo(&connection, "x").await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Dropped, "{error:?}");
    assert!(error.may_have_been_sent());
    let said = error.said().unwrap();
    assert!(
        said.contains("cannot be continued: the server answered 409") && said.contains("another client"),
        "{said}"
    );
    assert_eq!(server.count("tools/call"), 1);

    // The time of the call covers it.
    server.next_answers_to("tools/call", [resumable()]);
    server.always_to("GET", ScriptedAnswer::status(503));
    let began = std::time::Instant::now();
    let options = RequestOptions::new().with_timeout(Duration::from_millis(1500));
    let error = connection.call_tool("echo", None, &options).await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Timeout { .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(10));
}

/// The answer to the first request of a connection and a report of its progress, in one array: as a body, and as an event.
fn batches() -> [HttpAnswer; 2] {
    let batch = json!([
        { "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": 1, "progress": 0.5 } },
        { "jsonrpc": "2.0", "id": 1, "result": { "content": [{ "type": "text", "text": "batched" }] } },
        { "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": "after" } },
    ]);
    [
        HttpAnswer::new(200).body("application/json", batch.to_string()),
        HttpAnswer::new(200).body("text/event-stream", format!("data: {batch}\n\n")),
    ]
}

#[tokio::test]
async fn a_batch_is_read_where_the_revision_has_them_and_named_where_it_has_none() {
    let connect_to = async |revision: &str, answer: HttpAnswer| {
        let server =
            FakeMcpServer::builder().era(FakeEra::Legacy).initialize_version(revision).start().unwrap();
        server.always_to("tools/call", answer.into());
        let connection = connect(&server).await;
        assert_eq!(connection.revision().as_str(), revision);
        (server, connection)
    };
    for answer in batches() {
        let (_server, connection) = connect_to("2025-03-26", answer).await;
        let mut notifications = connection.notifications();
        let reports = Arc::new(Mutex::new(Vec::new()));
        let sink = reports.clone();
        let options = RequestOptions::new()
            .with_progress(Arc::new(move |progress: Progress| sink.lock().unwrap().push(progress.progress)));
        let result = connection.call_tool("echo", None, &options).await.unwrap();
        assert_eq!(crate::support::text_of(&result), "batched");
        assert_eq!(*reports.lock().unwrap(), [0.5]);
        assert_eq!(notifications.next().await.unwrap().method, "notifications/message");
    }
    for revision in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        for answer in batches() {
            let (server, connection) = connect_to(revision, answer).await;
            let error = echo(&connection, "x").await.unwrap_err();
            assert_eq!(*error.kind(), TransportErrorKind::Protocol);
            let expected = format!("the server sent a batch, which revision {revision} does not have");
            assert_eq!(error.to_string(), expected);
            assert_eq!(server.count("tools/call"), 1, "it is not called again");
        }
    }
}

#[tokio::test]
async fn an_empty_event_id_takes_back_that_a_stream_can_be_continued() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&server).await;
    let stream = |events: &str| -> ScriptedAnswer {
        HttpAnswer::new(200).body("text/event-stream", format!("retry: 1\n{events}")).into()
    };
    for (second, continued) in [("data:\n\n", 2), ("id: 2\ndata:\n\n", 2), ("id\ndata:\n\n", 1)] {
        server.recorder().clear();
        server.next_answers_to("tools/call", [stream("id: 1\ndata:\n\n")]);
        server.next_answers_to("GET", [stream(second), ScriptedAnswer::status(404)]);
        let error = echo(&connection, "x").await.unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::Dropped, "{error:?}");
        let asked = methods(&server).iter().filter(|method| *method == "GET").count();
        assert_eq!(asked, continued, "{second:?}");
        server.clear_script();
    }
}

#[tokio::test]
async fn f106_an_endless_frame_is_cut_off() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let mut options = options();
    options.limits.result_bytes = 1 << 20;
    let connection = Connector::new(options).attempt(&target(&server)).await.unwrap();
    server.next_answers_to("tools/call", [ScriptedAnswer::As(Sse::new().end(SseEnd::Endless).into())]);
    let error = echo(&connection, "x").await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::TooLarge);
}

#[tokio::test]
async fn comments_without_end_are_no_sign_of_life() {
    let server = FakeMcpServer::builder().start().unwrap();
    let mut options = options();
    options.idle_timeout = Some(Duration::from_millis(300));
    let connection = Connector::new(options).attempt(&target(&server)).await.unwrap();
    server.next_answers_to(
        "resources/read",
        [ScriptedAnswer::As(Sse::new().end(SseEnd::EndlessComments).into())],
    );
    let uri = raw(&json!({ "uri": "fake://greeting" }));
    let error = connection.request("resources/read", Some(&uri), &RequestOptions::new()).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Timeout { stage: TimeoutStage::Idle });
}

#[tokio::test]
async fn fb_t69_progress_resets_the_idle_limit_and_reaches_its_receiver() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let mut options = options();
        options.idle_timeout = Some(Duration::from_secs(2));
        let connection = Connector::new(options).attempt(&target(&server)).await.unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::new({
            let seen = seen.clone();
            move |progress: Progress| seen.lock().unwrap().push(progress.progress)
        });
        let arguments = raw(&json!({ "steps": 5, "delay_ms": 600 }));
        let request = RequestOptions::new().with_progress(sink);
        // 3 s in all, and 2 s of patience.
        connection.call_tool("slow", Some(&arguments), &request).await.unwrap();
        assert_eq!(seen.lock().unwrap().len(), 5, "{era:?}");
        no_violations(&server);
    }
}

#[tokio::test]
async fn f107_a_limit_of_the_server_raises_that_until_the_first_byte() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let mut options = options();
    options.first_byte_timeout = Duration::from_millis(200);
    let connector = Connector::new(options);
    let uri = raw(&json!({ "uri": "fake://greeting" }));
    let impatient = connector.attempt(&target(&server)).await.unwrap();
    server.always_to("resources/read", ScriptedAnswer::Late(Duration::from_millis(800)));
    let error = impatient.request("resources/read", Some(&uri), &RequestOptions::new()).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Timeout { stage: TimeoutStage::FirstByte });
    let patient = target(&server).with_timeout(Some(Duration::from_secs(15)));
    let connection = connector.attempt(&patient).await.unwrap();
    connection.request("resources/read", Some(&uri), &RequestOptions::new()).await.unwrap();
}

/// Neither the time until a call is answered nor silence in its answer ends it; what its connection owes after it was found
/// again does, because what was on the wire then is lost.
#[tokio::test]
async fn fb_b34_q5_q6_a_call_takes_as_long_as_it_takes() {
    let mut options = options();
    options.first_byte_timeout = Duration::from_millis(200);
    options.idle_timeout = Some(Duration::from_millis(200));
    options.stdio_idle_timeout = Some(Duration::from_millis(200));
    let connector = Connector::new(options);
    for era in [FakeEra::Legacy, FakeEra::Modern, FakeEra::HttpSse] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let connection = connector.attempt(&target(&server)).await.unwrap();
        if era != FakeEra::HttpSse {
            server.next_answers_to("tools/call", [ScriptedAnswer::Late(Duration::from_millis(1500))]);
            assert_eq!(echo(&connection, "late").await.unwrap(), "late", "{era:?}");
        }
        // Its stream begins at once and is silent then.
        let arguments = raw(&json!({ "steps": 2, "delay_ms": 700 }));
        connection.call_tool("slow", Some(&arguments), &RequestOptions::new()).await.unwrap();
        if era != FakeEra::HttpSse {
            let comments = Sse::new().end(SseEnd::EndlessComments).into();
            server.next_answers_to("tools/call", [ScriptedAnswer::As(comments)]);
            let alive = tokio::time::timeout(Duration::from_secs(1), echo(&connection, "x")).await;
            assert!(alive.is_err(), "{era:?}: {alive:?}");
        }
        // A configured limit ends it all the same.
        server.next_answers_to("tools/call", [ScriptedAnswer::Hang]);
        if era != FakeEra::HttpSse {
            let limited = RequestOptions::new().with_timeout(Duration::from_millis(300));
            let error = connection.call_tool("slow", Some(&arguments), &limited).await.unwrap_err();
            assert_eq!(*error.kind(), TransportErrorKind::Timeout { stage: TimeoutStage::Total }, "{era:?}");
        }
    }
}

#[tokio::test]
async fn giving_a_request_up_tells_a_legacy_server() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&server).await;
    server.always_to("tools/call", ScriptedAnswer::Hang);
    let request = RequestOptions::new().with_timeout(Duration::from_millis(200));
    let error = connection.call_tool("echo", None, &request).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Timeout { stage: TimeoutStage::Total });
    server.recorder().wait_for("notifications/cancelled", 1).await;
    let call = server.recorder().matching(|r| r.rpc_method().as_deref() == Some("tools/call")).remove(0);
    let cancelled = server
        .recorder()
        .matching(|r| r.rpc_method().as_deref() == Some("notifications/cancelled"))
        .remove(0);
    assert_eq!(cancelled.json().unwrap()["params"]["requestId"], call.json().unwrap()["id"]);
}

#[tokio::test]
async fn giving_a_request_up_closes_the_stream_of_a_modern_server() {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
    let connection = connect(&server).await;
    server.always_to("tools/call", ScriptedAnswer::As(Sse::new().end(SseEnd::EndlessComments).into()));
    let request = RequestOptions::new().with_timeout(Duration::from_millis(300));
    connection.call_tool("echo", None, &request).await.unwrap_err();
    server.recorder().wait_until("the stream is left", |_| server.abandoned_streams() == 1).await;
    assert_eq!(server.count("notifications/cancelled"), 0);
}

#[tokio::test]
async fn f104_a_server_without_a_stream_is_fine_and_losing_it_too() {
    for mode in [GetStream::Unsupported, GetStream::EndsAtOnce] {
        let server = FakeMcpServer::builder().era(FakeEra::Legacy).get_stream(mode).start().unwrap();
        let connection = connect(&server).await;
        connection.listen().await;
        assert_eq!(echo(&connection, "works").await.unwrap(), "works");
        assert!(!connection.is_closed());
    }
}

#[tokio::test]
async fn no_stream_is_opened_without_a_listener() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&server).await;
    let mut notifications = connection.notifications();
    assert!(!methods(&server).contains(&"GET".to_owned()));
    connection.listen().await;
    server.wait_for_streams(1).await;
    server.push_tools_changed();
    let notification = notifications.next().await.unwrap();
    assert_eq!(notification.method, "notifications/tools/list_changed");
    connection.close().await;
}

#[derive(Debug)]
struct Elicit;

impl ServerRequestHandler for Elicit {
    fn capabilities(&self) -> ClientCapabilities {
        ClientCapabilities::default().with("elicitation", raw(&json!({ "form": {} })))
    }

    fn handle<'a>(&'a self, _: ServerRequest<'a>) -> HandlerFuture<'a> {
        Box::pin(async { Ok(raw(&json!({ "action": "accept", "content": { "name": "x" } }))) })
    }
}

#[tokio::test]
async fn fb_t67_requests_of_the_server_are_answered_on_its_stream() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connector().attempt(&target(&server).with_handler(Arc::new(Elicit))).await.unwrap();
    // With a handler the stream is there when the connection is.
    assert_eq!(server.open_streams(), 1);
    let answer = server.ask("elicitation/create", json!({ "message": "?" })).await.unwrap();
    assert_eq!(answer["result"]["content"]["name"], "x");
    assert_eq!(server.ask("ping", json!(null)).await.unwrap()["result"], json!({}));
    let refused = server.ask("sampling/createMessage", json!({})).await.unwrap();
    assert_eq!(refused["error"]["code"], -32601);
    let initialize =
        server.recorder().matching(|r| r.rpc_method().as_deref() == Some("initialize")).remove(0);
    assert_eq!(
        initialize.json().unwrap()["params"]["capabilities"],
        json!({ "elicitation": { "form": {} } })
    );
    connection.close().await;
    no_violations(&server);
}

#[tokio::test]
async fn one_connection_serves_many_calls() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        for delivery in [mcp_testkit::Delivery::Json, Sse::new().into()] {
            let server = FakeMcpServer::builder().era(era).deliver(delivery).start().unwrap();
            let connection = connect(&server).await;
            for index in 0..50 {
                assert_eq!(echo(&connection, &index.to_string()).await.unwrap(), index.to_string());
            }
            assert!(server.connections() <= 2, "{era:?}: {}", server.connections());
        }
    }
}

#[tokio::test]
async fn a_closed_connection_refuses_and_close_is_quick_against_a_dead_server() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connection = connect(&server).await;
    server.always(ScriptedAnswer::Hang);
    let close = tokio::time::timeout(Duration::from_secs(15), connection.close());
    close.await.expect("closing is bounded");
    let error = echo(&connection, "x").await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Closed);
    assert!(!error.may_have_been_sent());
}

#[tokio::test]
async fn f063_the_servers_own_error_arrives_whole() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let connection = connect(&server).await;
        let message = "unknown argument `txt`".to_owned();
        server.next_answers_to(
            "tools/call",
            [ScriptedAnswer::RpcError { code: -32602, message: message.clone() }],
        );
        let error = echo(&connection, "x").await.unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::Rpc { code: -32602 });
        assert_eq!(error.rpc_error().unwrap().message, message);
        // The code is told with the outcome, and once.
        let evidence = error.evidence();
        assert_eq!(evidence.outcome, Outcome::Protocol { rpc_code: Some(-32602) });
        assert_eq!(evidence.detail, Some(message));
    }
}

#[tokio::test]
async fn f118_a_hundred_connections_leave_no_socket_and_no_session_behind() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connector = connector();
    for _ in 0..100 {
        let connection = connector.attempt(&target(&server)).await.unwrap();
        connection.listen().await;
        connection.close().await;
    }
    assert_eq!(server.sessions(), 0);
    // What is left are idle connections of the pool, which the next request uses.
    server.recorder().wait_until("few are open", |_| server.open_connections() <= 4).await;
}

#[tokio::test]
async fn one_stream_brings_what_the_server_starts_and_it_ends_with_the_connection() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let connection = connect(&server).await;
        connection.listen().await;
        connection.listen().await;
        assert_eq!(server.open_streams(), 1, "{era:?}: twice would bring everything twice");
        // The session is not ended: its owner was cancelled.
        drop(connection);
        let gone = async {
            while server.open_streams() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the stream ends by itself");
    }
}
