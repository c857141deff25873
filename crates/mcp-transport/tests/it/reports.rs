//! Reports from the field about the wire: what servers answer to a handshake, and in which spelling.
//!
//! A test is named by its report (`fa_…`, `fb_…`: docs/field-failures.md).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_testkit::{FakeEra, FakeMcpServer, HttpAnswer, ScriptedAnswer};
use mcp_transport::TransportErrorKind;
use mcp_transport::message::ProtocolRevision;
use serde_json::json;

use crate::field_server::FieldServer;
use crate::support::{connect, connector, echo, methods, no_violations, target};

fn page(status: u16) -> ScriptedAnswer {
    HttpAnswer::new(status).body("text/html", "<!doctype html><title>Oops</title>").into()
}

fn text(status: u16, text: &str) -> ScriptedAnswer {
    HttpAnswer::new(status).body("text/plain", text).into()
}

fn refusal(status: u16, error: serde_json::Value) -> ScriptedAnswer {
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
    HttpAnswer::new(status).body("application/json", body.to_string()).into()
}

/// Whatever is answered to our own probe, a server that takes `initialize` is connected to, in one attempt.
#[tokio::test]
async fn fa_a103_fb_p0_an_answer_to_the_probe_that_is_not_mcp_decides_nothing() {
    for answer in [
        page(500),
        page(502),
        page(200),
        text(503, "upstream connect error"),
        text(504, ""),
        text(530, ""),
        text(403, "Forbidden"),
        page(403),
        ScriptedAnswer::Drop,
        ScriptedAnswer::redirect(302, "https://login.example/authorize"),
        text(408, ""),
        text(425, ""),
    ] {
        let shown = format!("{answer:?}");
        let server = FakeMcpServer::builder()
            .era(FakeEra::Legacy)
            .always_to("server/discover", answer)
            .start()
            .unwrap();
        let connection = connect(&server).await;
        assert_eq!(connection.revision(), ProtocolRevision::V2025_11_25, "{shown}");
        assert_eq!(server.count("server/discover"), 1, "{shown}");
        assert_eq!(server.count("initialize"), 1, "{shown}");
        assert_eq!(echo(&connection, "hello").await.unwrap(), "hello", "{shown}");
        no_violations(&server);
    }
}

#[tokio::test]
async fn fb_p3_p17_a_gateways_word_about_the_probe_leads_to_the_handshake() {
    for answer in [page(502), text(429, "slow down")] {
        let server = FakeMcpServer::builder()
            .era(FakeEra::Legacy)
            .always_to("server/discover", answer)
            .start()
            .unwrap();
        assert_eq!(connect(&server).await.revision(), ProtocolRevision::V2025_11_25);
    }
}

#[tokio::test]
async fn fb_p7_a_bare_401_for_the_probe_alone_is_no_refusal_of_the_person() {
    let missing = HttpAnswer::new(401)
        .body("application/json", r#"{"error":{"code":-32001,"message":"Missing session"}}"#);
    let server = FakeMcpServer::builder()
        .era(FakeEra::Legacy)
        .always_to("server/discover", missing.into())
        .start()
        .unwrap();
    assert_eq!(connect(&server).await.revision(), ProtocolRevision::V2025_11_25);
}

#[tokio::test]
async fn fb_p7_a_challenge_is_believed_at_once() {
    let challenge = HttpAnswer::new(401).header("www-authenticate", "Bearer").body("application/json", "{}");
    let server = FakeMcpServer::builder()
        .era(FakeEra::Legacy)
        .always_to("server/discover", challenge.into())
        .start()
        .unwrap();
    let error = connector().attempt(&target(&server)).await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Challenged { status: 401, .. }), "{error:?}");
    assert_eq!(methods(&server), ["server/discover"]);
}

#[tokio::test]
async fn fb_p7_what_only_the_probe_is_told_leads_to_the_handshake() {
    for answer in [
        HttpAnswer::new(401).header("www-authenticate", "Basic realm=x").into(),
        HttpAnswer::new(407).header("proxy-authenticate", "Basic realm=x").into(),
        ScriptedAnswer::redirect(308, "https://elsewhere.example/mcp"),
    ] {
        let shown = format!("{answer:?}");
        let server = FakeMcpServer::builder()
            .era(FakeEra::Legacy)
            .always_to("server/discover", answer)
            .start()
            .unwrap();
        assert_eq!(connect(&server).await.revision(), ProtocolRevision::V2025_11_25, "{shown}");
    }
}

/// What a notification is answered with says nothing of a person's credentials, unless it is a challenge.
#[tokio::test]
async fn fb_p9_a_refused_notification_ends_no_handshake() {
    for answer in [text(403, "x"), ScriptedAnswer::redirect(302, "https://sso.example/login"), text(500, "x")]
    {
        let shown = format!("{answer:?}");
        let server = FakeMcpServer::builder()
            .era(FakeEra::Legacy)
            .always_to("notifications/initialized", answer)
            .start()
            .unwrap();
        assert_eq!(echo(&connect(&server).await, "hello").await.unwrap(), "hello", "{shown}");
    }
    let challenge = HttpAnswer::new(401).header("www-authenticate", "Bearer");
    let server = FakeMcpServer::builder()
        .era(FakeEra::Legacy)
        .always_to("notifications/initialized", challenge.into())
        .start()
        .unwrap();
    let error = connector().attempt(&target(&server)).await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Challenged { status: 401, .. }), "{error:?}");
}

#[tokio::test]
async fn fb_p20_a_server_that_is_down_for_every_request_stays_failed_with_what_it_said() {
    for (answer, status) in [(page(503), 503), (page(500), 500), (text(502, "bad gateway"), 502)] {
        let server = FakeMcpServer::builder().era(FakeEra::Modern).always(answer).start().unwrap();
        let error = connector().attempt(&target(&server)).await.unwrap_err();
        assert!(
            matches!(error.kind(), TransportErrorKind::Http { status: of, .. } if *of == status),
            "{error:?}"
        );
    }
}

/// A modern server behind a gateway that stumbled over the probe refuses `initialize`, for good. The stumble stays what
/// is told, because it passes.
#[tokio::test]
async fn fb_p0_the_stumble_of_a_gateway_before_a_modern_server_is_what_is_told() {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
    server.next_answers_to("server/discover", [page(502)]);
    let error = connector().attempt(&target(&server)).await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Http { status: 502, .. }), "{error:?}");
    assert_eq!(connect(&server).await.revision(), ProtocolRevision::V2026_07_28);
}

/// What limits the probe need not limit what others ask for too; a server that is busy says so again.
#[tokio::test]
async fn fb_p17_a_probe_that_is_put_off_decides_no_more_than_one_that_is_refused() {
    for status in [429, 503] {
        let server = FakeMcpServer::builder()
            .era(FakeEra::Legacy)
            .always_to("server/discover", ScriptedAnswer::retry_after(status, 30))
            .start()
            .unwrap();
        assert_eq!(echo(&connect(&server).await, "hello").await.unwrap(), "hello", "{status}");

        let busy = FakeMcpServer::builder()
            .always_to("server/discover", ScriptedAnswer::retry_after(status, 30))
            .always_to("initialize", ScriptedAnswer::retry_after(status, 40))
            .start()
            .unwrap();
        let error = connector().attempt(&target(&busy)).await.unwrap_err();
        let retry_after = Some(Duration::from_secs(40));
        assert_eq!(*error.kind(), TransportErrorKind::Http { status, retry_after }, "the later of the two");
        assert_eq!(methods(&busy), ["server/discover", "initialize"], "{status}");
    }
}

#[tokio::test]
async fn fb_v0_v2_v4_a_version_that_is_refused_in_any_form_is_followed_by_another() {
    let older = ProtocolRevision::V2025_06_18;
    for (answer, expected) in [
        (text(400, "Unsupported protocol version. Supported: 2024-11-05, 2025-06-18"), older),
        (text(400, "bad protocol VERSION"), older),
        (
            refusal(400, json!({"code": -32602, "message": "no", "data": {"supported": ["2025-06-18"]}})),
            older,
        ),
        (refusal(200, json!({"code": -32602, "message": "Invalid params"})), older),
        (refusal(200, json!({"code": -32000, "message": "Unsupported protocol version: 2025-11-25"})), older),
        (
            refusal(200, json!({"code": -32600, "message": "use 2025-03-26 or 2024-11-05"})),
            ProtocolRevision::V2025_03_26,
        ),
        (refusal(400, json!({"code": -32022, "message": "no", "data": {"supported": ["2024-11-05"]}})), {
            ProtocolRevision::V2024_11_05
        }),
    ] {
        let shown = format!("{answer:?}");
        let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
        server.next_answers_to("initialize", [answer]);
        let connection = connect(&server).await;
        let offered: Vec<String> = server
            .requests()
            .iter()
            .filter(|request| request.rpc_method().as_deref() == Some("initialize"))
            .map(|request| request.json().unwrap()["params"]["protocolVersion"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(offered, ["2025-11-25", expected.as_str()], "{shown}");
        assert_eq!(connection.revision(), expected, "{shown}");
    }
}

#[tokio::test]
async fn fb_v4_offers_come_to_an_end_and_the_last_refusal_is_told() {
    let refusal = refusal(200, json!({"code": -32602, "message": "Unsupported protocol version"}));
    let server =
        FakeMcpServer::builder().era(FakeEra::Legacy).always_to("initialize", refusal).start().unwrap();
    let error = connector().attempt(&target(&server)).await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Rpc { code: -32602 }), "{error:?}");
    assert_eq!(server.count("initialize"), 4, "each revision with a handshake, once");
}

#[tokio::test]
async fn fb_v0_a_400_that_says_nothing_of_a_version_is_final() {
    let server = FakeMcpServer::builder()
        .era(FakeEra::Legacy)
        .always_to("initialize", text(400, "tenant header missing"))
        .start()
        .unwrap();
    let error = connector().attempt(&target(&server)).await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Http { status: 400, .. }), "{error:?}");
    assert_eq!(server.count("initialize"), 1);
}

#[tokio::test]
async fn fb_t28_t2b_a_notification_may_be_answered_by_anything() {
    for answer in [
        text(400, "unknown method"),
        ScriptedAnswer::status(405),
        ScriptedAnswer::status(404),
        page(500),
        ScriptedAnswer::Drop,
        refusal(200, json!({"code": -32601, "message": "unknown"})),
        text(200, "ok"),
    ] {
        let shown = format!("{answer:?}");
        let server = FakeMcpServer::builder()
            .era(FakeEra::Legacy)
            .always_to("notifications/initialized", answer)
            .start()
            .unwrap();
        let connection = connect(&server).await;
        assert_eq!(echo(&connection, "hello").await.unwrap(), "hello", "{shown}");
    }
}

/// The next request comes while the server still keeps the answer back.
#[tokio::test]
async fn fb_t30_a_notification_that_is_never_answered_is_not_waited_for() {
    let (called, was_called) = std::sync::mpsc::channel();
    let (called, was_called) = (Mutex::new(called), Mutex::new(was_called));
    let held = AtomicBool::new(false);
    let in_time = Arc::new(AtomicBool::new(false));
    let seen = in_time.clone();
    let server = FieldServer::start(move |asked| {
        match asked.rpc() {
            "notifications/initialized" => {
                held.store(true, Ordering::SeqCst);
                // Less than what an answer was once waited for.
                let _ = was_called.lock().unwrap().recv_timeout(Duration::from_secs(3));
                held.store(false, Ordering::SeqCst);
            }
            "tools/call" => {
                seen.store(held.load(Ordering::SeqCst), Ordering::SeqCst);
                called.lock().unwrap().send(()).unwrap();
            }
            _ => {}
        }
        None
    });
    let connection = connector().attempt(&server.target()).await.unwrap();
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    connection.close().await;
    assert!(in_time.load(Ordering::SeqCst), "it was waited for");
}

#[tokio::test]
async fn fb_t1_fa_a100_media_types_are_compared_without_case() {
    for kind in ["Application/JSON", "APPLICATION/JSON; Charset=UTF-8", "application/Json"] {
        let answer = HttpAnswer::new(200).body(
            kind,
            r#"{"jsonrpc":"2.0","id":0,"result":{"supportedVersions":["2026-07-28"],"capabilities":{}}}"#,
        );
        let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
        server.next_answers_to("server/discover", [answer.into()]);
        assert_eq!(connect(&server).await.revision(), ProtocolRevision::V2026_07_28, "{kind}");
        assert_eq!(server.count("initialize"), 0, "{kind}");
    }
}

#[tokio::test]
async fn fb_r5_capabilities_of_php_are_an_empty_object() {
    for capabilities in [json!([]), json!(null)] {
        let result = json!({
            "protocolVersion": "2025-06-18", "capabilities": capabilities,
            "serverInfo": { "name": "php", "version": "1" },
        });
        let server = FakeMcpServer::builder()
            .era(FakeEra::Legacy)
            .always_to("initialize", ScriptedAnswer::RpcResult(result))
            .start()
            .unwrap();
        assert_eq!(connect(&server).await.revision(), ProtocolRevision::V2025_06_18);
    }
}

#[test]
fn fb_r25_an_is_error_of_null_is_no_error() {
    let result: mcp_transport::tools::ToolResult<'_> =
        serde_json::from_str(r#"{"content":[],"isError":null}"#).unwrap();
    assert!(!result.is_error);
}
