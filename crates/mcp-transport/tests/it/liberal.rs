//! Answers as servers of the field write them: compressed, under other types, between signs of life, without an end.
//!
//! A test is named by its report (`fa_…`, `fb_…`: docs/field-failures.md).
//!
//! Longer than 500 lines because each report is a table of bytes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mcp_status::{MessageContext, message};
use mcp_testkit::{FakeEra, FakeMcpServer, ScriptedAnswer};
use mcp_transport::message::ProtocolRevision;
use mcp_transport::{Connector, RequestOptions, Server, TransportError, TransportErrorKind};
use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
use serde_json::json;

use crate::field_server::{Bytes, FieldServer, http, until_closed};
use crate::support::{connect, connector, echo, options};

const JSON: &str = "Content-Type: application/json\r\nConnection: close\r\n";
const STREAM: &str = "Content-Type: text/event-stream\r\nConnection: close\r\n";

/// A session with a server, whatever its answers look like: the handshake, a list and a call.
async fn works(server: &FieldServer, target: Server, shown: &str) {
    let mut options = options();
    options.connect_timeout = Duration::from_secs(10);
    options.first_byte_timeout = Duration::from_secs(10);
    options.idle_timeout = Some(Duration::from_secs(10));
    let connection =
        Connector::new(options).attempt(&target).await.unwrap_or_else(|error| panic!("{shown}: {error:?}"));
    let tools = connection
        .list_tools(&RequestOptions::new())
        .await
        .unwrap_or_else(|error| panic!("{shown}: {error:?}"));
    assert_eq!(tools.tools.len(), 1, "{shown}");
    assert_eq!(echo(&connection, "grüße 日本").await.unwrap(), "grüße 日本", "{shown}");
    assert_eq!((server.count("initialize"), server.count("tools/call")), (1, 1), "{shown}");
}

/// What a person is told when a server cannot be connected to.
fn described(error: &TransportError) -> String {
    let context = MessageContext::new("s").with_origin(Some("http://h"));
    message(&error.evidence(), &context)
}

async fn refused(server: &FieldServer) -> TransportError {
    connector().attempt(&server.target()).await.unwrap_err()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    [b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(), compress_to_vec(text, 6), vec![0; 8]].concat()
}

fn event(data: &str) -> String {
    format!("event: message\ndata: {data}\n\n")
}

#[tokio::test]
async fn fb_t10_t12_compressed_answers_are_read_whatever_was_asked_for() {
    type Compress = fn(&[u8]) -> Vec<u8>;
    let codings: [(&str, Compress); 10] = [
        ("gzip", gzip),
        ("gzip, gzip", |text| gzip(&gzip(text))),
        ("gzip", |text| gzip(&gzip(text))),
        ("x-gzip", gzip),
        ("GZIP", gzip),
        ("deflate", |text| compress_to_vec_zlib(text, 6)),
        ("deflate", |text| compress_to_vec(text, 6)),
        ("identity", <[u8]>::to_vec),
        // What is said of it is wrong.
        ("gzip", <[u8]>::to_vec),
        ("UTF-8", <[u8]>::to_vec),
    ];
    for (coding, compress) in codings {
        for (headers, stream) in [(JSON, false), (STREAM, true)] {
            let server = FieldServer::answering(move |response| {
                let body = if stream { event(response) } else { response.to_owned() };
                let headers = format!("{headers}Content-Encoding: {coding}\r\n");
                Bytes::End(http("200 OK", &headers, &compress(body.as_bytes())))
            });
            works(&server, server.target(), &format!("{coding} {headers}")).await;
            for asked in server.asked().iter().filter(|asked| asked.verb != "DELETE") {
                assert_eq!(asked.header("accept-encoding"), Some("identity"));
            }
        }
    }
}

/// A list that was written as an object, whatever its keys are.
#[tokio::test]
async fn fb_r5_tools_that_are_the_members_of_an_object_are_listed() {
    let echo = json!({ "description": "d", "inputSchema": { "type": "object" } });
    let named = json!({ "name": "echo", "inputSchema": { "type": "object" } });
    for tools in [
        json!({ "echo": echo }),
        json!({ "echo": named }),
        json!({ "0": named }),
        json!({ "2": named, "5": { "name": "other", "inputSchema": { "type": "object" } } }),
        json!({ "any": named }),
    ] {
        let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
        server.always_to("tools/list", ScriptedAnswer::RpcResult(json!({ "tools": tools })));
        let connection = connect(&server).await;
        let listed = connection.list_tools(&RequestOptions::new()).await.expect("a list").tools;
        assert_eq!(listed.len(), tools.as_object().unwrap().len(), "{tools}");
        assert!(listed.iter().any(|tool| tool.name == "echo"), "{tools}");
        assert!(listed.iter().all(|tool| tool.raw.get().contains("inputSchema")), "{tools}");
    }
    // Of what is something else it is told that it is not a list.
    for other in [json!({ "error": "later" }), json!({ "page": { "total": 1 } }), json!("echo"), json!(1)] {
        let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
        server.always_to("tools/list", ScriptedAnswer::RpcResult(json!({ "tools": other })));
        let error = connect(&server).await.list_tools(&RequestOptions::new()).await.unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::Protocol, "{other}: {error}");
    }
}

/// Also where no header says so, as from a file store that keeps what was compressed.
#[tokio::test]
async fn fb_t10_what_is_compressed_in_silence_is_read_too() {
    let server =
        FieldServer::answering(|response| Bytes::End(http("200 OK", JSON, &gzip(response.as_bytes()))));
    works(&server, server.target(), "no header").await;
}

#[tokio::test]
async fn s_m01_fb_t12_a_compressed_answer_counts_for_what_comes_out_of_it() {
    // 64 MiB of spaces within a JSON text, in 64 KiB.
    let bomb = gzip(&[b"{\"jsonrpc\":\"2.0\",".to_vec(), vec![b' '; 64 << 20]].concat());
    assert!(bomb.len() < 1 << 20);
    for headers in [JSON, STREAM] {
        let bomb = bomb.clone();
        let server = FieldServer::start(move |asked| {
            (asked.rpc() == "tools/call").then(|| {
                let headers = format!("{headers}Content-Encoding: gzip\r\n");
                // In a stream, it is one line of data.
                Bytes::End(http("200 OK", &headers, &bomb))
            })
        });
        let mut options = options();
        options.limits.result_bytes = 1 << 20;
        let connection = Connector::new(options).attempt(&server.target()).await.unwrap();
        let error = echo(&connection, "x").await.unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::TooLarge, "{headers} {error:?}");
    }
}

#[tokio::test]
async fn fa_a100_fb_t4_t6_the_type_is_read_however_it_is_written() {
    for (kind, stream) in [
        ("Content-Type: APPLICATION/JSON;Charset=UTF-8\r\n", false),
        ("Content-Type: application/vnd.acme.v2+json\r\n", false),
        ("Content-Type: application/json-rpc\r\n", false),
        ("Content-Type: text/json\r\n", false),
        ("Content-Type: application/json, application/json\r\n", false),
        ("Content-Type: text/plain; charset=utf-8\r\n", false),
        ("Content-Type: text/html; charset=UTF-8\r\n", false),
        ("Content-Type: application/octet-stream\r\n", false),
        ("Content-Type: text/event-stream\r\n", false),
        ("", false),
        ("Content-Type: Text/Event-Stream; charset=utf-8\r\n", true),
        ("Content-Type: application/json\r\n", true),
        ("Content-Type: text/plain\r\n", true),
        ("Content-Type: application/octet-stream\r\n", true),
        ("", true),
    ] {
        let server = FieldServer::answering(move |response| {
            let body = if stream { event(response) } else { format!("\u{feff} {response}\n") };
            Bytes::End(http("200 OK", &format!("{kind}Connection: close\r\n"), body.as_bytes()))
        });
        works(&server, server.target(), &format!("{kind} {stream}")).await;
    }
}

#[tokio::test]
async fn fb_t4_t6_r51_s_n18_what_is_not_mcp_is_told_by_its_type_and_its_beginning() {
    let page = "<!doctype html><title>x</title>";
    for (answer, expected) in [
        (
            http("200 OK", "Content-Type: text/plain\r\n", b"Hello, \x1b[31mI am\nno server of yours"),
            "what answers at http://h does not speak MCP: neither JSON nor an event stream: text/plain that begins with \"Hello, I am no server of yours\"",
        ),
        (
            http("200 OK", "Content-Type: Image/PNG\r\n", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
            "what answers at http://h does not speak MCP: neither JSON nor an event stream: image/png and 16 bytes that are no text",
        ),
        (
            http("200 OK", "Content-Type: application/xml\r\n", page.as_bytes()),
            "what answers at http://h does not speak MCP: neither JSON nor an event stream: application/xml that begins with \"<!doctype html><title>x</title>\"",
        ),
        (
            http("200 OK", "Content-Type: application/json\r\n", b"{\"status\":\"ok\"}"),
            "what answers at http://h does not speak MCP: not JSON-RPC 2.0: application/json that begins with \"{\"status\":\"ok\"}\"",
        ),
        (
            http("201 Created", "Content-Type: application/json\r\n", b"oops"),
            "what answers at http://h does not speak MCP: not a JSON object: 201, application/json that begins with \"oops\"",
        ),
        (
            http("202 Accepted", "", b""),
            "what answers at http://h does not speak MCP: the server took the request (202) and did not answer it",
        ),
        (
            http("204 No Content", "", b""),
            "what answers at http://h does not speak MCP: the answer is empty (204)",
        ),
    ] {
        let server = FieldServer::start(move |_| Some(Bytes::End(answer.clone())));
        let error = refused(&server).await;
        assert_eq!(described(&error), expected);
        assert_eq!(*error.kind(), TransportErrorKind::Protocol);
    }
}

/// The message is right, and its dress is not: a batch of one, which every revision is spared but one, no version, UTF-16.
#[tokio::test]
async fn fb_e0_t4_an_answer_in_another_dress_is_read_where_it_can_be_meant_in_one_way() {
    type Dress = fn(&str) -> Vec<u8>;
    fn wide(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }
    let batch: Dress = |text| format!(" [{text}]\n").into();
    let without_version: Dress = |text| text.replacen(r#""jsonrpc":"2.0","#, "", 1).into();
    let any: [(&str, Dress); 3] = [
        ("batch of one", batch),
        ("no version", without_version),
        ("version as a number", |text| text.replacen(r#""2.0""#, "2.0", 1).into()),
    ];
    for (name, dress) in any {
        let dressed = move |text: &str| String::from_utf8(dress(text)).unwrap();
        let server = FieldServer::answering(move |text| Bytes::End(http("200 OK", JSON, &dress(text))));
        works(&server, server.target(), name).await;
        let server = FieldServer::answering(move |text| {
            Bytes::End(http("200 OK", STREAM, event(&dressed(text)).as_bytes()))
        });
        works(&server, server.target(), &format!("{name}, as an event")).await;
    }
    let encodings: [(&str, Dress); 4] = [
        ("application/json; charset=utf-16", |text| wide(&format!("\u{feff}{text}"), u16::to_be_bytes)),
        ("application/json; charset=utf-16", |text| wide(&format!("\u{feff}{text}"), u16::to_le_bytes)),
        ("application/json", |text| wide(text, u16::to_le_bytes)),
        ("text/event-stream; charset=UTF-16BE", |text| wide(&event(text), u16::to_be_bytes)),
    ];
    for (kind, dress) in encodings {
        let head = format!("Content-Type: {kind}\r\nConnection: close\r\n");
        let server = FieldServer::answering(move |text| Bytes::End(http("200 OK", &head, &dress(text))));
        works(&server, server.target(), kind).await;
    }
    // Before a revision is agreed on, a batch of several is one of any.
    let server = FieldServer::start(|asked| {
        (asked.rpc() == "initialize").then(|| {
            let note = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"up"}}"#;
            let body = format!("[{note},{}]", asked.response().unwrap());
            Bytes::End(http("200 OK", JSON, body.as_bytes()))
        })
    });
    works(&server, server.target(), "batch at first").await;
}

/// What has no version, and is more than an answer or one to another request, answers nothing.
#[tokio::test]
async fn fb_e0_what_only_looks_like_an_answer_is_named() {
    for (body, expected) in [
        (r#"{"id":4711,"result":{}}"#, "no response to the request"),
        (r#"{"id":ID,"result":"ok"}"#, "not JSON-RPC 2.0"),
        (r#"{"id":ID,"result":{},"level":"info"}"#, "not JSON-RPC 2.0"),
        (r#"{"jsonrpc":"1.0","id":ID,"result":{}}"#, "not JSON-RPC 2.0"),
        (r#"[{"id":ID,"result":[]}]"#, "not JSON-RPC 2.0"),
    ] {
        let server = FieldServer::start(move |asked| {
            let id = asked.body["id"].to_string();
            let body = body.replace("ID", &id);
            asked.response().map(|_| Bytes::End(http("200 OK", JSON, body.as_bytes())))
        });
        let error = refused(&server).await;
        assert_eq!(*error.kind(), TransportErrorKind::Protocol, "{body}");
        assert!(described(&error).contains(expected), "{body}: {}", described(&error));
    }
}

/// A secret that the server repeats is not quoted.
#[tokio::test]
async fn s_k5_fb_t4_what_is_quoted_holds_no_secret_of_ours() {
    let server = FieldServer::start(|asked| {
        let secret = asked.header("authorization").unwrap_or_default().to_owned();
        Some(Bytes::End(http(
            "200 OK",
            "Content-Type: text/plain\r\n",
            format!("you sent {secret}").as_bytes(),
        )))
    });
    let value = http::HeaderValue::from_static("Bearer canary-0123456789abcdef");
    let provider = mcp_auth::StaticHeaders::new([(http::header::AUTHORIZATION, value)]);
    let target = server.target().with_auth(std::sync::Arc::new(provider));
    let error = connector().attempt(&target).await.unwrap_err();
    assert!(described(&error).contains("you sent"), "{}", described(&error));
    assert!(!format!("{error:?} {}", described(&error)).contains("canary"), "{error:?}");
}

#[tokio::test]
async fn fb_s12_s15_signs_of_life_in_a_stream_are_passed_over() {
    for before in [
        ": ping - 2026-11-28\n\n",
        "data: ping\n\n",
        "data: [DONE]\n\n",
        "data:\n\n",
        "data\n\n",
        "event: heartbeat\ndata: {}\n\n",
        "event: ping\ndata: 2026-11-28T08:00:00Z\n\n",
        "event: keepalive\ndata: null\n\n",
        "event: connected\ndata: {\"clientId\":\"7\"}\n\n",
        "data: {\"type\":\"ping\"}\n\n",
        "retry: 1000\n\n",
        "id: 7\n\n",
        "\n\n\n",
        "data: \"alive\"\n\ndata: 1\n\n: x\n: y\n\n",
    ] {
        let server = FieldServer::answering(move |response| {
            Bytes::End(http(
                "200 OK",
                STREAM,
                format!("{before}{}data: [DONE]\n\n", event(response)).as_bytes(),
            ))
        });
        works(&server, server.target(), before).await;
    }
}

#[tokio::test]
async fn fb_s9_s10_s16_a_stream_may_end_without_an_end() {
    type Frame = fn(&str) -> Bytes;
    let forms: [(&str, Frame); 9] = [
        ("no empty line", |r| Bytes::End(http("200 OK", STREAM, format!("data: {r}\n").as_bytes()))),
        ("no line end", |r| Bytes::End(http("200 OK", STREAM, format!("data: {r}").as_bytes()))),
        ("carriage return", |r| {
            Bytes::End(http("200 OK", STREAM, format!("event: message\r\ndata: {r}\r").as_bytes()))
        }),
        ("until closed", |r| Bytes::End(until_closed(STREAM, format!("data: {r}").as_bytes()))),
        ("no last chunk", |r| Bytes::End(chunked(STREAM, &event(r), false))),
        ("no last chunk, no line end", |r| Bytes::End(chunked(STREAM, &format!("data: {r}"), false))),
        ("reset", |r| Bytes::Reset(chunked(STREAM, &event(r), false))),
        ("reset, no line end", |r| Bytes::Reset(chunked(STREAM, &format!("data: {r}\n"), false))),
        ("longer promised", |r| Bytes::End(promising(STREAM, &event(r), 10))),
    ];
    for (name, form) in forms {
        let server = FieldServer::answering(form);
        works(&server, server.target(), name).await;
    }
}

#[tokio::test]
async fn fb_s16_a_json_answer_that_is_all_there_counts_however_its_connection_ends() {
    type Frame = fn(&str) -> Bytes;
    let forms: [(&str, Frame); 6] = [
        ("until closed", |r| Bytes::End(until_closed(JSON, r.as_bytes()))),
        ("no last chunk", |r| Bytes::End(chunked(JSON, r, false))),
        ("reset", |r| Bytes::Reset(chunked(JSON, r, false))),
        ("longer promised", |r| Bytes::End(promising(JSON, r, 10))),
        ("longer promised, reset", |r| Bytes::Reset(promising(JSON, &format!("{r}\n"), 10))),
        ("cut gzip", |r| {
            let headers = format!("{JSON}Content-Encoding: gzip\r\n");
            let body = gzip(r.as_bytes());
            Bytes::End(http("200 OK", &headers, &body[..body.len() - 8]))
        }),
    ];
    for (name, form) in forms {
        let server = FieldServer::answering(form);
        works(&server, server.target(), name).await;
    }
}

/// What is not all there is no answer, and is told as what it was.
#[tokio::test]
async fn fb_s9_s16_an_answer_that_breaks_off_is_told_as_that() {
    let stream = |body: &str| http("200 OK", STREAM, body.as_bytes());
    for (answer, expected) in [
        (
            stream(": hello\n\n: still here\n\n"),
            "the connection to http://h broke off: the stream ended without an answer",
        ),
        (stream(""), "the connection to http://h broke off: the stream ended without an answer"),
        (
            stream("data: ping\n\n"),
            "the connection to http://h broke off: the stream ended without an answer; it held \"ping\"",
        ),
        (
            stream("data: {\"jsonrpc\":\"2.0\",\"id\":0,\"resu"),
            "the connection to http://h broke off: the stream ended without an answer",
        ),
        (
            chunked(STREAM, "data: {\"jsonrpc\":\"2.0\",\"id\":0,\"resu", false),
            "the connection to http://h broke off: the stream broke off without an answer: the connection ended before the answer did",
        ),
        (
            promising(JSON, "{\"jsonrpc\":\"2.0\",\"id\":0,\"resu", 100),
            "the connection to http://h broke off: the connection ended before the answer did",
        ),
    ] {
        let server = FieldServer::start(move |asked| {
            (asked.rpc() == "initialize").then(|| Bytes::End(answer.clone()))
        });
        let error = refused(&server).await;
        assert_eq!(*error.kind(), TransportErrorKind::Dropped, "{error:?}");
        assert_eq!(described(&error), expected);
    }
}

/// A head, and a body in chunks, with the empty one that ends it or without.
fn chunked(headers: &str, body: &str, ended: bool) -> Vec<u8> {
    let end = if ended { "0\r\n\r\n" } else { "" };
    let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{headers}\r\n");
    format!("{head}{:x}\r\n{body}\r\n{end}", body.len()).into_bytes()
}

/// A head that promises so many bytes more than there are.
fn promising(headers: &str, body: &str, more: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len() + more).into_bytes()
}

#[tokio::test]
async fn fb_r52_cookies_of_a_load_balancer_are_sent_back_to_it() {
    let server = FieldServer::start(|asked| {
        let response = asked.response()?.to_string();
        let sent = asked.header("cookie").unwrap_or_default();
        let sticky = sent.contains("AWSALB=n1") && sent.contains("ARRAffinity=a\"b");
        if asked.rpc() != "initialize" && asked.rpc() != "server/discover" && !sticky {
            return Some(Bytes::End(http("404 Not Found", JSON, b"{\"error\":\"Session not found\"}")));
        }
        let cookies = "Set-Cookie: AWSALB=n1; Expires=Sat, 05 Dec 2099 00:00:00 GMT; Path=/\r\nSet-Cookie: ARRAffinity=a\"b; HttpOnly\r\n";
        Some(Bytes::End(http(
            "200 OK",
            &format!("{JSON}{cookies}Mcp-Session-Id: s1\r\n"),
            response.as_bytes(),
        )))
    });
    works(&server, server.target(), "sticky").await;
    // Another connection begins without them.
    let before = server.asked().len();
    connector().attempt(&server.target()).await.unwrap();
    assert_eq!(server.asked()[before].header("cookie"), None);
}

/// An origin that answers with a redirect to another one sets nothing there, and gets nothing of here.
#[tokio::test]
async fn s_k6_fb_r52_cookies_stay_in_their_origin() {
    let other = FieldServer::start(|_| None);
    let elsewhere = other.url();
    let server = FieldServer::start(move |_| {
        let headers = format!("Set-Cookie: AWSALB=n1; Path=/\r\nLocation: {elsewhere}\r\n");
        Some(Bytes::End(http("307 Temporary Redirect", &headers, b"")))
    });
    refused(&server).await;
    assert!(other.asked().iter().all(|asked| asked.header("cookie").is_none()));
}

#[tokio::test]
async fn fb_t63_an_empty_cursor_is_a_cursor_in_the_modern_era_and_an_end_before_it() {
    let page = |name: &str, cursor: serde_json::Value| {
        ScriptedAnswer::RpcResult(json!({
            "tools": [{"name": name, "inputSchema": {"type": "object"}}], "nextCursor": cursor,
            "resultType": "complete",
        }))
    };
    let names = async |era: FakeEra, pages: Vec<ScriptedAnswer>| {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let connection = connect(&server).await;
        server.recorder().clear();
        server.next_answers_to("tools/list", pages);
        let list = connection.list_tools(&RequestOptions::new()).await.unwrap();
        let names: Vec<_> = list.tools.into_iter().map(|tool| tool.name).collect();
        (names.join(" "), server.count("tools/list"))
    };
    let two = || vec![page("a", json!("")), page("b", json!(null))];
    assert_eq!(names(FakeEra::Modern, two()).await, ("a b".to_owned(), 2));
    assert_eq!(names(FakeEra::Legacy, two()).await, ("a".to_owned(), 1));
    // A server that means "no more" by it, and begins again.
    let again = || vec![page("a", json!("")), page("a", json!(""))];
    assert_eq!(names(FakeEra::Modern, again()).await, ("a".to_owned(), 2));
    for none in [json!(null), json!(false), json!(0), json!([])] {
        assert_eq!(
            names(FakeEra::Modern, vec![page("a", none.clone())]).await,
            ("a".to_owned(), 1),
            "{none}"
        );
    }
}

/// A list without an end is another thing than a server that says nothing.
#[tokio::test]
async fn f111_how_many_pages_came_is_told_where_the_time_ran_out() {
    let page = |name: &str| {
        ScriptedAnswer::RpcResult(json!({
            "tools": [{"name": name, "inputSchema": {"type": "object"}}], "nextCursor": name, "resultType": "complete",
        }))
    };
    let server = FakeMcpServer::start().unwrap();
    let connection = connect(&server).await;
    for (pages, told) in [(2, Some("2 pages of tools/list came, and each names another one")), (0, None)] {
        let pages: Vec<_> =
            ["a", "b"].into_iter().take(pages).map(page).chain([ScriptedAnswer::Hang]).collect();
        server.next_answers_to("tools/list", pages);
        let options = RequestOptions::new().with_timeout(Duration::from_millis(1_500));
        let error = connection.list_tools(&options).await.unwrap_err();
        assert_eq!(error.said(), told, "{error:?}");
    }
}

/// Cursors that go round, that are not heard, and pages that overlap; and two tools of one name.
#[tokio::test]
async fn f111_what_is_listed_twice_counts_once() {
    let page = |tools: &[(&str, &str)], cursor: &str| {
        let tool = |(name, says): &(&str, &str)| json!({"name": name, "description": says, "inputSchema": {"type": "object"}});
        let tools: Vec<_> = tools.iter().map(tool).collect();
        let cursor = Some(cursor).filter(|cursor| !cursor.is_empty());
        ScriptedAnswer::RpcResult(json!({"tools": tools, "nextCursor": cursor, "resultType": "complete"}))
    };
    let (a, b, c) = (("a", ""), ("b", ""), ("c", ""));
    for (pages, names, repeated, requests) in [
        (vec![page(&[a], "1"), page(&[b], "2"), page(&[a], "1")], "a b", "", 3),
        (vec![page(&[a, b], "1"), page(&[a, b], "2")], "a b", "", 2),
        (vec![page(&[a, b], "1"), page(&[b, c], "")], "a b c", "", 2),
        (vec![page(&[], "1"), page(&[], "2"), page(&[a], "")], "a", "", 3),
        (vec![page(&[a, b, ("a", "other"), ("a", "third")], "")], "a b", "a", 1),
    ] {
        let server = FakeMcpServer::start().unwrap();
        let connection = connect(&server).await;
        server.recorder().clear();
        server.next_answers_to("tools/list", pages);
        let list = connection.list_tools(&RequestOptions::new()).await.unwrap();
        let listed: Vec<_> = list.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!((&*listed.join(" "), &*list.repeated.join(" ")), (names, repeated));
        assert_eq!(server.count("tools/list"), requests, "{names}");
    }
}

/// Nulls, empty arrays and texts where PHP, Python and Go put them.
#[tokio::test]
async fn fb_r5_r25_e0_nulls_and_empty_arrays_are_read_as_nothing() {
    for result in [
        r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":[]},"serverInfo":{"name":"php","version":"1"}}"#,
        r#"{"protocolVersion":"2025-06-18","capabilities":[],"serverInfo":[],"instructions":null,"_meta":null}"#,
        r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":null},"serverInfo":null,"_meta":[]}"#,
        r#"{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":null,"version":null},"instructions":[]}"#,
        r#"{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"x","version":1.2},"instructions":false}"#,
        r#"{"protocolVersion":"2025-06-18","serverInfo":"x"}"#,
    ] {
        let server = FieldServer::start(move |asked| {
            (asked.rpc() == "initialize").then(|| {
                let id = &asked.body["id"];
                let body = format!(
                    r#"{{"jsonrpc":"2.0","id":"{id}","result":{result},"error":null,"method":null}}"#
                );
                Bytes::End(http("200 OK", JSON, body.as_bytes()))
            })
        });
        works(&server, server.target(), result).await;
    }
    for result in [
        r#"{"content":[{"type":"text","text":"x"}],"isError":null,"structuredContent":null,"_meta":[]}"#,
        r#"{"content":[{"type":"text","text":"x"}],"structuredContent":[]}"#,
        r#"{"content":null,"structuredContent":{"a":1}}"#,
        r#"{"content":[],"isError":0}"#,
        r#"{"isError":"false","content":[{"type":"text","text":"x"}]}"#,
    ] {
        let read = mcp_transport::tools::ToolResult::read(result)
            .unwrap_or_else(|error| panic!("{result}: {error:?}"));
        assert!(!read.is_error, "{result}");
        assert_eq!(read.text(), if result.contains("\"x\"") { "x" } else { "" }, "{result}");
    }
    // Other blocks, and what is not a block, say nothing in words.
    let result = r#"{"content":[{"type":"text","text":"a\n\u0062"},{"type":"image","data":"x","mimeType":"image/png"},
        {"type":"resource_link","text":"no"},7,{"text":"no type"},{"type":"text","text":null},{"type":"text","text":"c"}]}"#;
    assert_eq!(mcp_transport::tools::ToolResult::read(result).unwrap().text(), "a\nb\nc");
    for tool in [
        r#"{"name":"t","description":null,"title":[],"inputSchema":[],"annotations":[]}"#,
        r#"{"name":"t","inputSchema":{"type":"object","properties":[],"required":null}}"#,
    ] {
        let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
        let connection = connect(&server).await;
        let page = format!(r#"{{"tools":[{tool}],"nextCursor":null}}"#);
        server.next_answers_to("tools/list", [ScriptedAnswer::RpcText(page)]);
        let list = connection.list_tools(&RequestOptions::new()).await.unwrap();
        assert_eq!(list.tools.len(), 1, "{tool}");
    }
    // No list at all is an empty one.
    for page in [r#"{"tools":null}"#, r#"{"tools":{}}"#] {
        let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
        let connection = connect(&server).await;
        server.next_answers_to("tools/list", [ScriptedAnswer::RpcText(page.to_owned())]);
        let list = connection.list_tools(&RequestOptions::new()).await;
        assert_eq!(list.unwrap_or_else(|error| panic!("{page}: {error:?}")).tools.len(), 0, "{page}");
    }
}

/// A server of HTTP+SSE: `endpoint` is how it names where it takes messages, and `inline` whether it answers there.
fn legacy(endpoint: &'static str, inline: bool) -> FieldServer {
    FieldServer::start(move |asked| match &*asked.verb {
        "GET" => {
            let start = format!("event: endpoint\ndata: {endpoint}\n\n");
            Some(Bytes::Hold(until_closed(STREAM, start.as_bytes())))
        }
        _ if inline => None,
        _ => Some(Bytes::End(http("202 Accepted", "Connection: close\r\n", b"Accepted"))),
    })
}

#[tokio::test]
async fn fb_l5_l7_an_endpoint_in_quotes_and_an_answer_to_the_post_are_taken() {
    for endpoint in ["/messages?id=1", "\"/messages?id=1\"", " messages ", "\"\\u002fmessages\""] {
        let server = legacy(endpoint, true);
        works(&server, server.legacy_target(), endpoint).await;
    }
}

#[tokio::test]
async fn fb_l6_an_endpoint_of_another_origin_is_refused_and_named() {
    let server = legacy("https://evil.example:8443/messages?session=canary", true);
    let error = connector().attempt(&server.legacy_target()).await.unwrap_err();
    let expected = format!(
        "what answers at http://h does not speak MCP: the stream names an endpoint of https://evil.example:8443, which is not http://{}",
        server.address
    );
    assert_eq!(described(&error), expected);
    assert_eq!(server.asked().len(), 1, "nothing was sent there or here");
}

#[tokio::test]
async fn fb_l18_fa_a93_a_server_of_the_other_transport_is_found_behind_the_wrong_type() {
    let page = "<title>Welcome to nginx!</title>";
    for (status, content_type, body) in [
        ("405 Method Not Allowed", "text/plain", ""),
        ("400 Bad Request", "text/plain", "no session"),
        ("404 Not Found", "application/json", "{}"),
        ("406 Not Acceptable", "text/plain", ""),
        ("500 Internal Server Error", "text/plain", "cannot read properties of undefined"),
        ("200 OK", "text/plain", "ok"),
        ("200 OK", "application/json", "{}"),
        ("200 OK", "text/html", page),
        ("204 No Content", "", ""),
    ] {
        let server = FieldServer::start(move |asked| {
            let head = format!("Content-Type: {content_type}\r\nConnection: close\r\n");
            (asked.verb == "GET").then(|| Bytes::End(http(status, &head, body.as_bytes())))
        });
        works(&server, server.legacy_target(), status).await;
    }
}

/// What answers neither is told by what it answered to the GET, which is what its `type` asks for.
#[tokio::test]
async fn fb_l18_fa_a93_what_speaks_neither_transport_is_told_by_its_own_type() {
    for (status, body, posts, expected) in [
        ("405 Method Not Allowed", "", 2, "no MCP endpoint at http://h (405): it takes no GET there"),
        ("400 Bad Request", "no session", 2, "the server refused to connect (400): no session"),
        (
            "200 OK",
            "ok",
            2,
            "what answers at http://h does not speak MCP: no event stream: text/plain that begins with \"ok\"",
        ),
        // It says nothing about the transport, and the next attempt may find it well.
        ("503 Service Unavailable", "", 0, "the server is unavailable (503)"),
        ("429 Too Many Requests", "", 0, "the server limits the rate of requests (429)"),
    ] {
        let server = FieldServer::start(move |_| {
            Some(Bytes::End(http(
                status,
                "Content-Type: text/plain\r\nConnection: close\r\n",
                body.as_bytes(),
            )))
        });
        let error = connector().attempt(&server.legacy_target()).await.unwrap_err();
        assert_eq!(described(&error), expected);
        let verbs: Vec<_> = server.asked().into_iter().map(|asked| asked.verb).collect();
        assert_eq!((verbs[0].as_str(), verbs.len() - 1), ("GET", posts), "{status}: {verbs:?}");
    }
}

/// The GET stream of a session, too: what it holds between messages is passed over, and its last line may lack its end.
#[tokio::test]
async fn fb_s12_signs_of_life_on_the_servers_own_stream_are_passed_over() {
    let opened = AtomicU32::new(0);
    let server = FieldServer::start(move |asked| {
        (asked.verb == "GET" && opened.fetch_add(1, Ordering::SeqCst) == 0).then(|| {
            let note = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
            let body =
                format!(": hi\n\ndata: ping\n\nevent: heartbeat\ndata: 1\n\n{}data: {note}", event(note));
            Bytes::End(http("200 OK", STREAM, body.as_bytes()))
        })
    });
    let connection = connector().attempt(&server.target()).await.unwrap();
    assert_eq!(connection.revision(), ProtocolRevision::V2025_06_18);
    let mut heard = connection.notifications();
    connection.listen().await;
    for _ in 0..2 {
        let notification =
            tokio::time::timeout(Duration::from_secs(20), heard.next()).await.unwrap().unwrap();
        assert_eq!(notification.method, "notifications/tools/list_changed");
    }
}
