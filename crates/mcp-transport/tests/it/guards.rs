//! What was right when it was reported: answers of servers of the field that must go on to be read, or to be refused.
//!
//! A test is named by its reports (`fa_…`, `fb_…`: docs/field-failures.md). Reports of one kind are one table.

use std::sync::Arc;
use std::time::Duration;

use mcp_testkit::{FakeEra, FakeMcpServer, HttpAnswer, ScriptedAnswer};
use mcp_transport::{RequestOptions, TransportError, TransportErrorKind};
use serde_json::{Value, json};

use crate::field_server::{Bytes, FieldServer, OpenStream, http, until_closed};
use crate::support::{connect, connector, echo};

const JSON: &str = "Content-Type: application/json\r\n";
const STREAM: &str = "Content-Type: text/event-stream\r\n";

/// What a call brings at this server.
async fn called(server: &FieldServer) -> Result<String, TransportError> {
    let connection = connector().attempt(&server.target()).await?;
    let text = echo(&connection, "hello").await;
    connection.close().await;
    text
}

/// A server that answers a call with these bytes, which are made of its response.
fn answering_calls(answer: impl Fn(Value) -> Vec<u8> + Send + Sync + 'static) -> FieldServer {
    FieldServer::start(move |asked| {
        (asked.rpc() == "tools/call").then(|| Bytes::End(answer(asked.response().unwrap())))
    })
}

/// A server that answers these requests with this result.
fn with_result(method: &'static str, result: Value) -> FieldServer {
    FieldServer::start(move |asked| {
        let response = json!({ "jsonrpc": "2.0", "id": asked.body["id"], "result": result });
        (asked.rpc() == method).then(|| Bytes::End(http("200 OK", JSON, response.to_string().as_bytes())))
    })
}

#[tokio::test]
async fn fa_a101_fb_g0_g1_g2_g3_g4_g5_g6_g7_g8_g9_g10_g11_g12_g13_g14_x5_a_session_needs_no_stream() {
    for (status, headers, body) in [
        ("404 Not Found", "", ""),
        ("405 Method Not Allowed", "Allow: POST\r\n", ""),
        ("501 Not Implemented", "", ""),
        ("400 Bad Request", JSON, "{\"error\":\"no\"}"),
        ("401 Unauthorized", "", ""),
        ("403 Forbidden", "", ""),
        ("406 Not Acceptable", "", ""),
        ("500 Internal Server Error", "", "oops"),
        ("200 OK", "Content-Type: text/html\r\n", "<!doctype html>"),
        ("200 OK", STREAM, ""),
        ("204 No Content", "", ""),
        ("302 Found", "Location: /login\r\n", ""),
        ("200 OK", JSON, "{}"),
        ("429 Too Many Requests", "", ""),
        ("409 Conflict", "", ""),
    ] {
        let server = FieldServer::start(move |asked| {
            (asked.verb == "GET").then(|| Bytes::End(http(status, headers, body.as_bytes())))
        });
        let connection = connector().attempt(&server.target()).await.unwrap();
        connection.listen().await;
        assert_eq!(echo(&connection, "hello").await.unwrap(), "hello", "{status} {headers}");
        assert!(!connection.is_closed(), "{status} {headers}");
    }
}

#[tokio::test]
async fn fb_s0_s1_s2_s3_s4_s5_s6_s7_s8_s11_s14_s20_s21_streams_are_read_in_every_framing() {
    let framings: [fn(String) -> String; 12] = [
        |data| format!("event: message\ndata: {data}\n\n"),
        |data| format!("event: message\r\ndata: {data}\r\n\r\n"),
        |data| format!("data: {data}\r\r"),
        |data| format!("\u{feff}data: {data}\n\n"),
        |data| format!(": hello\n\n: again\ndata: {data}\n\n"),
        |data| format!("data: {}\n\n", data.replacen(',', ",\ndata: ", 1)),
        |data| format!("event: ping\ndata: {{}}\n\ndata: {data}\n\n"),
        |data| format!("data:{data}\n\n"),
        |data| format!("id: 5\nretry: 100\ndata: {data}\n\n"),
        |data| format!("field: unknown\ndata: {data}\n\n"),
        |data| format!("id: 1\ndata:\n\ndata: {data}\n\n"),
        |data| format!("event: mcp\ndata: {data}\n\n"),
    ];
    for (number, framing) in framings.into_iter().enumerate() {
        let server =
            answering_calls(move |response| http("200 OK", STREAM, framing(response.to_string()).as_bytes()));
        assert_eq!(called(&server).await.unwrap(), "hello", "framing {number}");
    }
}

#[tokio::test]
async fn fa_a99_fb_t20_t21_t22_t23_t24_t25_t26_t27_t2c_a_notification_is_taken_with_any_success() {
    for (status, headers, body) in [
        ("200 OK", JSON, ""),
        ("200 OK", JSON, "{}"),
        ("200 OK", JSON, "null"),
        ("200 OK", "Content-Type: text/plain\r\n", "ok"),
        ("200 OK", "Content-Type: text/html\r\n", "<p>"),
        ("204 No Content", "", ""),
        ("201 Created", "", "x"),
        ("202 Accepted", JSON, "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}"),
        ("200 OK", STREAM, ""),
        ("200 OK", STREAM, ": hello\n\n"),
    ] {
        let server = FieldServer::start(move |asked| {
            let notified = asked.verb == "POST" && asked.body.get("id").is_none();
            notified.then(|| Bytes::End(http(status, headers, body.as_bytes())))
        });
        assert_eq!(called(&server).await.unwrap(), "hello", "{status} {headers} {body}");
    }
}

#[tokio::test]
async fn fb_t0_t3_t7_r53_t60_types_and_headers_in_other_spellings_are_read() {
    for headers in [
        "Content-Type: application/json; charset=utf-8\r\n",
        "Content-Type: application/json;charset=UTF-8\r\n",
        "Content-Type:application/json\r\n",
        "content-type: application/json\r\n",
        "",
    ] {
        let server =
            answering_calls(move |response| http("200 OK", headers, response.to_string().as_bytes()));
        assert_eq!(called(&server).await.unwrap(), "hello", "{headers}");
    }
    let taken =
        answering_calls(|response| http("202 Accepted", STREAM, format!("data: {response}\n\n").as_bytes()));
    assert_eq!(called(&taken).await.unwrap(), "hello");
}

#[tokio::test]
async fn fb_e0_e1_e2_e3_e4_e5_e6_e7_e8_e9_e10_e11_e20_e21_responses_are_read_or_refused_by_their_form() {
    type Form = fn(Value) -> Value;
    let forms: [(bool, Form); 13] = [
        (true, |mut response| {
            response["error"] = Value::Null;
            response
        }),
        (true, |mut response| {
            response["id"] = json!(response["id"].to_string());
            response
        }),
        (true, |mut response| {
            response["id"] = json!(response["id"].as_f64().unwrap());
            response
        }),
        (true, |response| json!({ "id": response["id"], "result": response["result"] })),
        // More than an answer that forgets its version.
        (false, |response| json!({ "id": response["id"], "result": response["result"], "level": "info" })),
        (false, |mut response| {
            response["jsonrpc"] = json!("1.0");
            response
        }),
        (true, |mut response| {
            response["jsonrpc"] = json!(2.0);
            response
        }),
        (true, |response| json!([response])),
        (false, |mut response| {
            response["id"] = Value::Null;
            response
        }),
        (false, |mut response| {
            response["error"] = json!({ "code": 1, "message": "x" });
            response
        }),
        (false, |response| json!({ "jsonrpc": "2.0", "id": response["id"], "error": "broken" })),
        (false, |response| json!({ "jsonrpc": "2.0", "id": response["id"], "error": { "message": "x" } })),
        (false, |_| json!({ "error": "unauthorized" })),
    ];
    for (number, (is_read, form)) in forms.into_iter().enumerate() {
        let server =
            answering_calls(move |response| http("200 OK", JSON, form(response).to_string().as_bytes()));
        match called(&server).await {
            Ok(text) => assert!(is_read && text == "hello", "form {number}: {text}"),
            Err(error) => {
                assert!(!is_read, "form {number}: {error:?}");
                assert_eq!(*error.kind(), TransportErrorKind::Protocol, "form {number}");
            }
        }
    }
}

#[tokio::test]
async fn fb_r0_r1_r2_r4_r6_r7_r8_r9_r10_r11_r12_r13_what_a_handshake_leaves_out_or_null_is_nothing() {
    let whole = json!({
        "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
        "serverInfo": { "name": "field", "version": "1" },
    });
    for (member, value) in [
        ("serverInfo", Some(Value::Null)),
        ("serverInfo", None),
        ("serverInfo", Some(json!({ "name": "field", "version": 1 }))),
        ("serverInfo", Some(json!({ "name": "field" }))),
        ("capabilities", Some(Value::Null)),
        ("capabilities", None),
        ("capabilities", Some(json!({ "tools": [] }))),
        ("capabilities", Some(json!({ "tools": true }))),
        ("capabilities", Some(json!({ "tools": null, "logging": null }))),
        ("instructions", Some(Value::Null)),
        ("_meta", Some(Value::Null)),
        ("unknown", Some(json!({ "a": [1] }))),
    ] {
        let mut result = whole.clone();
        match &value {
            Some(value) => result[member] = value.clone(),
            None => drop(result.as_object_mut().unwrap().remove(member)),
        }
        let text = called(&with_result("initialize", result)).await;
        assert_eq!(text.unwrap(), "hello", "{member}: {value:?}");
    }
}

#[tokio::test]
async fn fb_r14_r15_r16_a_version_that_is_none_of_ours_is_named() {
    for version in ["2024-10-07", "1.0", "2027-01-01"] {
        let result = json!({ "protocolVersion": version, "capabilities": {}, "serverInfo": null });
        let error = called(&with_result("initialize", result)).await.unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::Version { offered: vec![version.to_owned()] });
    }
}

/// Tools that no one can call by a name are told as that, and not as no tools.
#[tokio::test]
async fn f050_a_tool_whose_name_is_not_text_is_told_as_one_that_cannot_be_called() {
    for (tool, told) in [
        (json!({ "name": 7 }), ("7", "its name is not text")),
        (json!({ "name": null, "title": "x" }), ("null", "its name is not text")),
        (json!({ "title": "x" }), ("a tool", "it has no name")),
    ] {
        let server = with_result("tools/list", json!({ "tools": [tool] }));
        let connected = connector().connect(&server.target(), &crate::auth::quick()).await.unwrap();
        let list = connected.tools.unwrap();
        let (name, why) = &list.rejected[0];
        assert_eq!((list.tools.len(), (name.as_str(), why.as_str())), (0, told));
    }
}

#[tokio::test]
async fn fb_r17_r18_r19_r20_r21_r22_r23_t64_r24_r26_lists_and_results_with_nulls_are_read() {
    for (tools, result) in [
        (1, json!({ "tools": [{ "name": "a", "inputSchema": {} }], "nextCursor": null })),
        (1, json!({ "tools": [{ "name": "a", "inputSchema": {} }], "nextCursor": "" })),
        (
            1,
            json!({ "tools": [{ "name": "a", "description": null, "inputSchema": null, "annotations": null }] }),
        ),
        (1, json!({ "tools": [{ "name": "a", "inputSchema": [] }], "_meta": null })),
        (1, json!({ "tools": [{ "name": "a" }, { "title": "no name" }, null, 1] })),
        (0, json!({ "tools": null })),
        (0, json!({ "tools": {} })),
    ] {
        let server = with_result("tools/list", result.clone());
        let connection = connector().attempt(&server.target()).await.unwrap();
        let listed = connection.list_tools(&RequestOptions::new()).await.unwrap();
        assert_eq!(listed.tools.len(), tools, "{result}");
    }
    for extra in [
        json!({ "structuredContent": null, "_meta": null, "isError": null }),
        json!({ "isError": "false" }),
        json!({ "isError": 0, "unknown": [] }),
    ] {
        let mut result = json!({ "content": [{ "type": "text", "text": "hello", "annotations": null }] });
        for (name, value) in extra.as_object().unwrap() {
            result[name] = value.clone();
        }
        assert_eq!(called(&with_result("tools/call", result)).await.unwrap(), "hello", "{extra}");
    }
}

#[tokio::test]
async fn fa_a102_fb_p2_p5_p6_p9_p10_p11_p12_p13_p14_p15_p16_p18_a_probe_that_is_refused_leads_to_the_handshake()
 {
    let json = |status, body: Value| HttpAnswer::new(status).body("application/json", body.to_string());
    for answer in [
        json(200, json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -32601, "message": "no" } })),
        json(400, json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32000, "message": "no" } })),
        json(404, json!({ "jsonrpc": "2.0", "error": { "code": -32001, "message": "Session not found" } })),
        json(422, json!({ "detail": [] })),
        json(500, json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -32603, "message": "no" } })),
        json(200, json!({ "jsonrpc": "2.0", "id": 1, "result": {} })),
        HttpAnswer::new(200),
        HttpAnswer::new(202),
        HttpAnswer::new(204),
        HttpAnswer::new(405),
        HttpAnswer::new(406),
        HttpAnswer::new(413),
        HttpAnswer::new(415),
        HttpAnswer::new(421),
        HttpAnswer::new(501),
        HttpAnswer::new(505),
    ] {
        let shown = format!("{answer:?}");
        let server = FakeMcpServer::builder().era(FakeEra::Legacy);
        let server = server.always_to("server/discover", answer.into()).start().unwrap();
        let connection = connect(&server).await;
        assert_eq!(echo(&connection, "hello").await.unwrap(), "hello", "{shown}");
        assert_eq!(server.count("initialize"), 1, "{shown}");
    }
}

#[tokio::test]
async fn fb_t43_what_was_taken_and_has_its_outcome_elsewhere_is_not_followed() {
    let server = FakeMcpServer::builder()
        .always_to("tools/call", ScriptedAnswer::redirect(303, "/outcome"))
        .start()
        .unwrap();
    let error = echo(&connect(&server).await, "hello").await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Http { status: 303, .. }), "{error:?}");
    assert_eq!(server.count("tools/call"), 1);
}

#[tokio::test]
async fn fb_v0_a_version_that_is_refused_with_another_status_is_followed_by_another() {
    for status in
        ["400 Bad Request", "406 Not Acceptable", "409 Conflict", "422 Unprocessable", "426 Upgrade"]
    {
        let server = FieldServer::start(move |asked| {
            let new = asked.body["params"]["protocolVersion"].as_str()? > "2025-06-18";
            let refusal = br#"{"detail":"version must be one of 2025-03-26, 2025-06-18"}"#;
            new.then(|| Bytes::End(http(status, JSON, refusal)))
        });
        assert_eq!(called(&server).await.unwrap(), "hello", "{status}");
        assert_eq!(server.count("initialize"), 2, "{status}");
    }
}

#[tokio::test]
async fn content_that_is_no_array_is_the_one_block_that_it_is() {
    for content in [json!({ "type": "text", "text": "hello" }), json!("hello")] {
        let result = json!({ "content": content }).to_string();
        let read = mcp_transport::tools::ToolResult::read(&result).unwrap();
        assert_eq!(read.content.len(), 1, "{result}");
    }
    for none in [json!(null), json!(7), json!([])] {
        let result = json!({ "content": none }).to_string();
        assert!(mcp_transport::tools::ToolResult::read(&result).unwrap().content.is_empty(), "{result}");
    }
}

/// The version that was agreed on is in every request behind the handshake, and in none before there is one.
#[tokio::test]
async fn fb_v5_v6_v7_the_version_that_was_agreed_on_is_in_every_request_behind_the_handshake() {
    let server = FieldServer::start(|asked| {
        let response = asked.response()?.to_string();
        let session = format!("{JSON}Mcp-Session-Id: s1\r\n");
        (asked.rpc() == "initialize").then(|| Bytes::End(http("200 OK", &session, response.as_bytes())))
    });
    let connection = connector().attempt(&server.target()).await.unwrap();
    echo(&connection, "hello").await.unwrap();
    connection.listen().await;
    connection.close().await;
    let version = "mcp-protocol-version";
    let mut seen = Vec::new();
    for asked in server.asked() {
        let name = if asked.verb == "POST" { asked.rpc().to_owned() } else { asked.verb.clone() };
        match &*name {
            "initialize" => assert_eq!(asked.header(version), None, "V6: nothing is agreed on yet"),
            "server/discover" => {
                assert_eq!(asked.header(version), Some("2026-07-28"), "the era of the probe")
            }
            _ => {
                assert_eq!(asked.header(version), Some("2025-06-18"), "{name}: not the one that was offered")
            }
        }
        seen.push(name);
    }
    for name in ["initialize", "notifications/initialized", "tools/call", "GET", "DELETE"] {
        assert!(seen.iter().any(|seen| seen == name), "{name}: {seen:?}");
    }
}

/// A server that declares no tools and has some: what it answers counts.
#[tokio::test]
async fn fb_t65_tools_are_listed_and_called_without_a_capability_for_them() {
    for capabilities in [json!({}), json!({ "logging": {} })] {
        let server = with_result(
            "initialize",
            json!({
                "protocolVersion": "2025-06-18", "capabilities": capabilities,
                "serverInfo": { "name": "s", "version": "1" },
            }),
        );
        let connection = connector().attempt(&server.target()).await.unwrap();
        assert_eq!(connection.list_tools(&RequestOptions::new()).await.unwrap().tools.len(), 1);
        assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    }
}

/// A byte order mark before an answer, and text that other programs end their lines at, within one.
#[tokio::test]
async fn fb_x6_r44_a_mark_before_an_answer_and_separators_within_are_read() {
    let text = "a\u{2028}b\u{2029}c\u{85}d\u{feff}e";
    let body = |response: Value| format!("\u{feff}{response}").into_bytes();
    let stream = |response: Value| format!("\u{feff}data: {response}\n\n").into_bytes();
    let plain = |response: Value| response.to_string().into_bytes();
    type Form = fn(Value) -> Vec<u8>;
    let forms: [(&str, &str, Form); 3] =
        [("X6", JSON, body), ("X6: a stream", STREAM, stream), ("R44", JSON, plain)];
    for (id, head, form) in forms {
        let server = answering_calls(move |response| http("200 OK", head, &form(response)));
        let connection = connector().attempt(&server.target()).await.unwrap();
        assert_eq!(echo(&connection, text).await.unwrap(), text, "{id}");
    }
}

/// A heartbeat on the stream of a session is no news, and no trouble.
#[tokio::test]
async fn fb_t62_heartbeats_on_the_stream_of_a_session_are_passed_over() {
    let stream = Arc::new(OpenStream::default());
    let open = stream.clone();
    let server = FieldServer::start(move |asked| {
        (asked.verb == "GET").then(|| Bytes::Stream(until_closed(STREAM, b": open\n\n"), open.clone()))
    });
    let connection = connector().attempt(&server.target()).await.unwrap();
    let mut heard = connection.notifications();
    connection.listen().await;
    for beat in
        [": keep-alive\n\n", "event: ping\ndata: {}\n\n", "\n\n", ":\n", "event: heartbeat\ndata:\n\n"]
    {
        stream.write(beat.as_bytes());
    }
    stream.write(b"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n");
    let notification = tokio::time::timeout(Duration::from_secs(20), heard.next()).await.unwrap().unwrap();
    assert_eq!(notification.method, "notifications/tools/list_changed", "the first that is heard");
    assert_eq!(
        server.asked().iter().filter(|asked| asked.verb == "GET").count(),
        1,
        "one stream all the time"
    );
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
}

/// A response belongs to its POST. One that a server writes to the stream of the session is not taken for it, and what is told
/// is what came in its place.
#[tokio::test]
async fn fb_r50_an_answer_on_the_stream_of_the_session_is_told_as_one_that_was_not_given() {
    let stream = Arc::new(OpenStream::default());
    let open = stream.clone();
    let server = FieldServer::start(move |asked| match (&*asked.verb, asked.rpc()) {
        ("GET", _) => Some(Bytes::Stream(until_closed(STREAM, b": open\n\n"), open.clone())),
        (_, "tools/call") => {
            open.write(format!("data: {}\n\n", asked.response().unwrap()).as_bytes());
            Some(Bytes::End(http("202 Accepted", "", b"")))
        }
        _ => None,
    });
    let connection = connector().attempt(&server.target()).await.unwrap();
    connection.listen().await;
    let error = echo(&connection, "hello").await.unwrap_err();
    let said = error.evidence().detail.unwrap_or_default();
    assert!(said.contains("the server took the request (202) and did not answer it"), "{said}: {error:?}");
    assert_eq!(server.count("tools/call"), 1);
    connection.list_tools(&RequestOptions::new()).await.unwrap();
}

/// What a server starts by itself has a limit of its own: what is longer is not told, and the session goes on.
#[tokio::test]
async fn s_k2_a_message_that_a_server_starts_has_a_limit() {
    let stream = Arc::new(OpenStream::default());
    let open = stream.clone();
    let server = FieldServer::start(move |asked| {
        (asked.verb == "GET").then(|| Bytes::Stream(until_closed(STREAM, b": open\n\n"), open.clone()))
    });
    let mut options = crate::support::options();
    options.limits.message_bytes = 64 << 10;
    let connection = mcp_transport::Connector::new(options).attempt(&server.target()).await.unwrap();
    let mut heard = connection.notifications();
    connection.listen().await;
    let gets = || server.asked().iter().filter(|asked| asked.verb == "GET").count();
    let note = |level: &str, data: &str| {
        let params = json!({ "level": level, "data": data });
        format!(
            "data: {}\n\n",
            json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": params })
        )
    };
    stream.write(note("error", &"x".repeat(128 << 10)).as_bytes());
    // The stream cannot be read on, and another one is opened.
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while gets() < 2 {
        assert!(std::time::Instant::now() < deadline, "the stream went on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    tokio::time::sleep(Duration::from_millis(100)).await;
    stream.write(note("info", "short").as_bytes());
    let notification = tokio::time::timeout(Duration::from_secs(20), heard.next()).await.unwrap().unwrap();
    assert!(format!("{notification:?}").contains("short"), "{notification:?}");
}
