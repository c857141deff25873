//! Sessions that a server has forgotten, in every word that servers have for it.

use mcp_testkit::{Answer, Era, FakeMcpServer, HttpAnswer, Refusal};
use mcp_transport::TransportErrorKind;
use serde_json::json;

use crate::support::{connect, echo, no_violations};

fn rpc(status: u16, code: i64, message: &str) -> HttpAnswer {
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": code, "message": message } });
    HttpAnswer::new(status).body("application/json", body.to_string())
}

fn text(status: u16, text: &str) -> HttpAnswer {
    HttpAnswer::new(status).body("text/plain", text)
}

fn server() -> FakeMcpServer {
    FakeMcpServer::builder().era(Era::Legacy).start().unwrap()
}

#[tokio::test]
async fn fa_a105_a106_fb_t50_t52_t53_t55_t57_t5a_x10_a_forgotten_session_is_renewed_and_the_call_replayed() {
    let words: [(&str, HttpAnswer); 13] = [
        ("T50", rpc(400, -32000, "Bad Request: No valid session ID provided")),
        ("X10", rpc(400, -32000, "Bad Request: Server not initialized")),
        ("T52", text(400, "Invalid session ID")),
        ("T53", rpc(200, -32600, "Invalid Request: session")),
        ("T55", rpc(200, -32001, "Session not found")),
        ("T57", HttpAnswer::new(401).body("application/json", r#"{"error":"Session expired"}"#)),
        ("T5a", text(410, "gone")),
        ("A106", rpc(409, -32000, "conflict")),
        ("a page", HttpAnswer::new(400).body("text/html", "<h1>Bad Request</h1>")),
        ("422", HttpAnswer::new(422).body("application/json", r#"{"detail":"unknown session"}"#)),
        ("403", HttpAnswer::new(403).body("application/json", r#"{"message":"session mismatch"}"#)),
        ("no body", HttpAnswer::new(400)),
        ("own code", rpc(200, -32050, "unknown session")),
    ];
    for (name, answer) in words {
        let server = server();
        server.say_of_unknown_sessions(answer);
        let connection = connect(&server).await;
        echo(&connection, "one").await.unwrap();
        server.expire_sessions();
        server.recorder().clear();
        assert_eq!(echo(&connection, "two").await.unwrap(), "two", "{name}");
        assert_eq!(server.count("initialize"), 1, "{name}");
        assert_eq!(server.count("tools/call"), 2, "{name}");
        assert_eq!(server.count("ping"), 1, "{name}");
        no_violations(&server);
    }
}

/// What may come after the fact is not sent again, and the next call finds a new session.
#[tokio::test]
async fn fb_t55_an_error_that_may_come_after_the_fact_renews_the_session_and_is_passed_on() {
    for code in [-32603, -32602, 7] {
        let server = server();
        server.say_of_unknown_sessions(rpc(200, code, "no session"));
        let connection = connect(&server).await;
        server.expire_sessions();
        server.recorder().clear();
        let error = echo(&connection, "one").await.unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::Rpc { code });
        assert_eq!(server.count("tools/call"), 1, "sent once");
        let second = echo(&connection, "two").await;
        // A server that calls the ping invalid as well has answered it: nothing tells that from a session it knows.
        if code != -32602 {
            assert_eq!(second.unwrap(), "two");
            assert_eq!(server.count("initialize"), 1);
        }
    }
}

#[tokio::test]
async fn fb_t5d_an_ordinary_error_of_one_call_starts_nothing() {
    for answer in [
        rpc(400, -32602, "invalid arguments"),
        rpc(200, -32603, "internal error"),
        rpc(200, -32000, "quota"),
        text(400, "bad"),
        text(403, "not this tool"),
        text(409, "busy"),
    ] {
        let shown = format!("{answer:?}");
        let server = server();
        let connection = connect(&server).await;
        server.recorder().clear();
        server.next_answers_to("tools/call", [answer.into()]);
        echo(&connection, "x").await.unwrap_err();
        assert_eq!((server.count("tools/call"), server.count("initialize")), (1, 0), "{shown}");
        assert_eq!(echo(&connection, "y").await.unwrap(), "y", "{shown}");
        assert_eq!(server.count("initialize"), 0, "{shown}");
    }
}

#[tokio::test]
async fn fb_x2_x3_trouble_on_the_way_is_not_a_forgotten_session() {
    for answer in [Answer::status(503), Answer::status(500), Answer::status(429), Answer::Drop] {
        let shown = format!("{answer:?}");
        let server = server();
        let connection = connect(&server).await;
        server.recorder().clear();
        server.next_answers_to("tools/call", [answer]);
        echo(&connection, "x").await.unwrap_err();
        assert_eq!((server.count("tools/call"), server.count("ping")), (1, 0), "{shown}");
        assert_eq!(server.count("initialize"), 0, "{shown}");
    }
}

/// A server that does not know `ping` has answered it; one that refuses it in every session is not asked twice.
#[tokio::test]
async fn fb_t5d_a_server_without_a_working_ping_is_not_greeted_again_and_again() {
    let server = server();
    let connection = connect(&server).await;
    server.recorder().clear();
    server.always_to("ping", rpc(200, -32601, "Method not found").into());
    server.always_to("tools/call", rpc(400, -32000, "no").into());
    echo(&connection, "x").await.unwrap_err();
    assert_eq!(server.count("initialize"), 0);

    server.always_to("ping", rpc(400, -32000, "no").into());
    for _ in 0..5 {
        echo(&connection, "x").await.unwrap_err();
    }
    assert_eq!(server.count("initialize"), 1, "the new session was refused in the same way");
}

#[tokio::test]
async fn fb_t50_many_calls_that_find_the_session_forgotten_renew_it_once() {
    let server = server();
    server.say_of_unknown_sessions(rpc(400, -32000, "Bad Request: No valid session ID provided"));
    let connection = connect(&server).await;
    server.expire_sessions();
    server.recorder().clear();
    let calls: Vec<_> = (0..20)
        .map(|index| {
            let connection = connection.clone();
            tokio::spawn(async move { echo(&connection, &index.to_string()).await })
        })
        .collect();
    for (index, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap().unwrap(), index.to_string());
    }
    assert_eq!(server.count("initialize"), 1);
}

#[tokio::test]
async fn fb_t57_a_server_that_wants_credentials_from_now_on_says_so() {
    let server = server();
    let connection = connect(&server).await;
    server.accept(mcp_testkit::Accept::Nothing);
    server.refuse_with(Refusal::status(401));
    let error = echo(&connection, "x").await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Challenged { status: 401, .. }), "{error:?}");
}

/// 404 is the specified word for it, whatever stands below it: no `ping` is needed to believe it.
#[tokio::test]
async fn fb_t49_t59_a_404_is_believed_whatever_its_body() {
    for (name, answer) in [
        ("T49", HttpAnswer::new(404)),
        ("T59: text", text(404, "Session not found")),
        ("T59: a page", HttpAnswer::new(404).body("text/html", "<h1>Not Found</h1>")),
        ("T59: no id", rpc(404, -32001, "Session not found")),
        ("T59: JSON that is no JSON-RPC", HttpAnswer::new(404).body("application/json", "{\"detail\":[]}")),
        ("T59: JSON that is none", HttpAnswer::new(404).body("application/json", "{")),
    ] {
        let server = server();
        server.say_of_unknown_sessions(answer);
        let connection = connect(&server).await;
        server.expire_sessions();
        server.recorder().clear();
        assert_eq!(echo(&connection, "two").await.unwrap(), "two", "{name}");
        let counts = ["initialize", "tools/call", "ping"].map(|method| server.count(method));
        assert_eq!(counts, [1, 2, 0], "{name}");
        no_violations(&server);
    }
}

/// An answer that breaks off behind its head came too late to be sure that nothing ran.
#[tokio::test]
async fn fb_x2b_a_call_whose_answer_breaks_off_is_sent_once() {
    let half = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
    for answer in [
        HttpAnswer::new(200).body("application/json", half).drop_after(20),
        HttpAnswer::new(200).body("text/event-stream", format!("data: {half}\n\n")).drop_after(20),
        HttpAnswer::new(502).body("text/html", "<h1>Bad Gateway</h1>").drop_after(5),
    ] {
        let shown = format!("{answer:?}");
        let server = server();
        let connection = connect(&server).await;
        server.recorder().clear();
        server.next_answers_to("tools/call", [answer.into()]);
        echo(&connection, "x").await.unwrap_err();
        assert_eq!((server.count("tools/call"), server.count("initialize")), (1, 0), "{shown}");
    }
}
