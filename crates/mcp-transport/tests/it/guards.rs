//! What was right when it was reported: answers of servers of the field that must go on to be read, or to be refused.
//!
//! A test is named by its reports (`fa_…`, `fb_…`: docs/field-failures.md). Reports of one kind are one table.

use mcp_testkit::{Answer, Era, FakeMcpServer, HttpAnswer};
use mcp_transport::{RequestOptions, TransportError, TransportErrorKind};
use serde_json::{Value, json};

use crate::field_server::{Bytes, FieldServer, http};
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
    let forms: [(bool, Form); 12] = [
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
        (false, |response| json!({ "id": response["id"], "result": response["result"] })),
        (false, |mut response| {
            response["jsonrpc"] = json!("1.0");
            response
        }),
        (false, |mut response| {
            response["jsonrpc"] = json!(2.0);
            response
        }),
        (false, |response| json!([response])),
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
        let server = FakeMcpServer::builder().era(Era::Legacy);
        let server = server.always_to("server/discover", answer.into()).start().unwrap();
        let connection = connect(&server).await;
        assert_eq!(echo(&connection, "hello").await.unwrap(), "hello", "{shown}");
        assert_eq!(server.count("initialize"), 1, "{shown}");
    }
}

#[tokio::test]
async fn fb_t43_what_was_taken_and_has_its_outcome_elsewhere_is_not_followed() {
    let server =
        FakeMcpServer::builder().always_to("tools/call", Answer::redirect(303, "/outcome")).start().unwrap();
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
