//! Servers that change their mind about the version in the middle of a connection (2026-07-28, versioning).

use mcp_status::ReasonCode;
use mcp_testkit::{FakeEra, FakeMcpServer, FakeTool, HttpAnswer, ScriptedAnswer};
use mcp_transport::connect::ConnectPolicy;
use mcp_transport::message::ProtocolRevision;
use mcp_transport::relay::RelayOptions;
use mcp_transport::{RequestOptions, TransportErrorKind};
use serde_json::{Value, json};

use crate::field_server::{Bytes, FieldServer, http};
use crate::support::{connect, connector, echo, echo_at_once, methods, no_violations, raw, target};

/// The refusal of the specification, with what the server supports instead.
fn refusal(supported: Value) -> ScriptedAnswer {
    let data = json!({ "supported": supported, "requested": "2026-07-28" });
    let error = json!({ "code": -32022, "message": "Unsupported protocol version", "data": data });
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
    HttpAnswer::new(400).body("application/json", body.to_string()).into()
}

fn start(era: FakeEra) -> FakeMcpServer {
    FakeMcpServer::builder().era(era).start().unwrap()
}

#[tokio::test]
async fn a_call_that_was_refused_because_of_its_version_is_made_again_once() {
    let server = start(FakeEra::Modern);
    let connection = connect(&server).await;
    server.recorder().clear();
    server.next_answers_to("tools/call", [refusal(json!(["2026-07-28"]))]);
    assert_eq!(echo(&connection, "again").await.unwrap(), "again");
    assert_eq!(methods(&server), ["tools/call", "tools/call"]);

    server.recorder().clear();
    server.always_to("tools/call", refusal(json!(["2026-07-28"])));
    let error = echo(&connection, "never").await.unwrap_err();
    let offered = vec!["2026-07-28".to_owned()];
    assert_eq!(*error.kind(), TransportErrorKind::Version { offered });
    assert!(!error.may_have_been_sent());
    assert_eq!(methods(&server), ["tools/call", "tools/call"], "and not without end");
}

#[tokio::test]
async fn a_server_that_went_back_to_the_legacy_era_is_shaken_hands_with() {
    let server = start(FakeEra::Modern);
    let connection = connect(&server).await;
    let mut renewals = connection.renewals();
    server.recorder().clear();
    server.set_era(FakeEra::Legacy);
    server.next_answers_to("tools/call", [refusal(json!(["2025-11-25", "2025-06-18"]))]);
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    assert_eq!(methods(&server), ["tools/call", "initialize", "notifications/initialized", "tools/call"]);
    assert_eq!(connection.revision(), ProtocolRevision::V2025_11_25);
    let last = server.requests().pop().unwrap();
    assert!(last.header("mcp-session-id").is_some() && last.header("mcp-name").is_none());
    assert_eq!(last.json().unwrap()["params"].get("_meta"), None, "nothing of the modern era is left");
    renewals.next().await;
    connection.close().await;
    assert_eq!(server.deletes(), 1, "the session that was made is deleted");
    no_violations(&server);
}

#[tokio::test]
async fn many_calls_that_are_refused_shake_hands_once() {
    let server = start(FakeEra::Modern);
    let connection = connect(&server).await;
    server.set_era(FakeEra::Legacy);
    server.next_answers_to("tools/call", vec![refusal(json!(["2025-11-25"])); 10]);
    echo_at_once(&connection, 10).await;
    assert_eq!(server.count("initialize"), 1);
    no_violations(&server);
}

#[tokio::test]
async fn a_server_that_has_moved_on_is_followed_into_the_modern_era() {
    // It forgot the sessions, and refuses the handshake that would make a new one.
    let server = start(FakeEra::Legacy);
    let connection = connect(&server).await;
    server.recorder().clear();
    server.set_era(FakeEra::Modern);
    server.next_answers_to("tools/call", [ScriptedAnswer::status(404)]);
    server.always_to("initialize", refusal(json!(["2026-07-28"])));
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    assert_eq!(methods(&server), ["tools/call", "initialize", "server/discover", "tools/call"]);
    assert_eq!(connection.revision(), ProtocolRevision::V2026_07_28);
    assert_eq!(server.requests().pop().unwrap().header("mcp-name"), Some("echo"));
    no_violations(&server);

    // Or it says so at once.
    let server = start(FakeEra::Legacy);
    let connection = connect(&server).await;
    server.recorder().clear();
    server.set_era(FakeEra::Modern);
    server.next_answers_to("tools/call", [refusal(json!(["2026-07-28"]))]);
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    assert_eq!(methods(&server), ["tools/call", "server/discover", "tools/call"]);
}

#[tokio::test]
async fn what_the_other_era_mirrors_into_headers_is_mirrored_of_a_request_that_was_under_way() {
    let schema = json!({ "type": "object", "properties": { "region": { "type": "string", "x-mcp-header": "Region" } } });
    let tool = FakeTool::custom(
        json!({ "name": "query", "inputSchema": schema }),
        json!({ "content": [], "ran": 1 }),
    );
    for (method, params) in [
        ("tools/call", json!({ "name": "query", "arguments": { "region": "eu" } })),
        ("prompts/get", json!({ "name": "greet" })),
        ("resources/read", json!({ "uri": "fake://greeting" })),
    ] {
        let server = FakeMcpServer::builder().era(FakeEra::Legacy).tool(tool.clone()).start().unwrap();
        let connection = connect(&server).await;
        server.set_era(FakeEra::Modern);
        server.next_answers_to(method, [refusal(json!(["2026-07-28"]))]);
        connection.request(method, Some(&raw(&params)), &RequestOptions::new()).await.unwrap();
        let last =
            server.requests().into_iter().rfind(|r| r.rpc_method().as_deref() == Some(method)).unwrap();
        assert!(last.header("mcp-name").is_some(), "{method}");
        assert_eq!(last.header("mcp-param-region"), (method == "tools/call").then_some("eu"), "{method}");
    }
}

#[tokio::test]
async fn listening_goes_on_in_the_terms_of_the_other_era() {
    let server = start(FakeEra::Modern);
    let connection = connect(&server).await;
    let mut notifications = connection.notifications();
    connection.listen().await;
    server.wait_for_streams(1).await;
    server.set_era(FakeEra::Legacy);
    server.always_to("subscriptions/listen", refusal(json!(["2025-11-25"])));
    server.close_streams();
    server.recorder().wait_for("initialize", 1).await;
    // What a legacy server says to a method that it does not know, now that it is asked as one.
    server.always_to(
        "subscriptions/listen",
        ScriptedAnswer::RpcError { code: -32601, message: "no".to_owned() },
    );
    server.wait_for_streams(1).await;
    assert_eq!(server.push_tools_changed(), 1);
    assert_eq!(notifications.next().await.unwrap().method, "notifications/tools/list_changed");
}

#[tokio::test]
async fn without_a_version_in_common_the_request_fails_and_says_what_is_offered() {
    let server = start(FakeEra::Modern);
    let connection = connect(&server).await;
    server.recorder().clear();
    server.always_to("tools/call", refusal(json!(["2099-01-01"])));
    let error = echo(&connection, "x").await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Version { offered: vec!["2099-01-01".to_owned()] });
    assert_eq!(methods(&server), ["tools/call"]);
    let verdict = mcp_status::classify(&error.evidence());
    assert_eq!(verdict.status(), mcp_status::ServerStatus::Failed);
    assert_eq!(verdict.code(), Some(mcp_status::ReasonCode::Version));
}

#[tokio::test]
async fn what_describes_itself_is_not_sent_in_the_terms_of_another_era() {
    let server = start(FakeEra::Modern);
    let connection = connect(&server).await;
    server.recorder().clear();
    server.set_era(FakeEra::Legacy);
    server.next_answers_to("tools/list", [refusal(json!(["2025-11-25"]))]);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let options = RelayOptions::new(RequestOptions::new()).with_own_metadata().with_raw_result();
    let params = raw(&json!({ "_meta": meta }));
    let error = connection.request("tools/list", Some(&params), &options).await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Version { .. }) && !error.may_have_been_sent());
    assert_eq!(server.count("tools/list"), 1);
    assert_eq!(connection.revision(), ProtocolRevision::V2025_11_25, "the next one knows better");
}

#[cfg(all(unix, feature = "stdio"))]
mod stdio {
    use std::time::Duration;

    use mcp_transport::endpoint::StdioOpening;
    use mcp_transport::message::ProtocolRevision;
    use mcp_transport::{
        Connection, Connector, Endpoint, RequestOptions, Server, StdioEndpoint, TransportErrorKind,
    };

    use crate::support::options;

    /// A server of both eras that says `x/told` with each method it gets, and refuses the first `tools/list` because of
    /// its version. `$SUPPORTED` is what it offers then, `$PROBED` what it does when it is discovered.
    const SERVER: &str = r#"
        refused=no
        while read -r line; do
          id=$(printf '%s' "$line" | sed -n 's/.*"id":\(-\{0,1\}[0-9]*\).*/\1/p')
          method=$(printf '%s' "$line" | sed -n 's/.*"method":"\([a-z/]*\)".*/\1/p')
          printf '{"jsonrpc":"2.0","method":"x/told","params":{"method":"%s"}}\n' "$method"
          case "$method" in
            initialize) echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}}';;
            server/discover) case "$PROBED" in
              answer) echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}}';;
              refuse) echo '{"jsonrpc":"2.0","id":'"$id"',"error":{"code":-32601,"message":"no"}}';;
              end) exit 1;;
              esac;;
            tools/list) if [ $refused = no ] && [ -n "$SUPPORTED" ]; then
                refused=yes
                echo '{"jsonrpc":"2.0","id":'"$id"',"error":{"code":-32022,"message":"no","data":{"supported":['"$SUPPORTED"']}}}'
              else
                echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"tools":[]}}'
              fi;;
          esac
        done"#;

    fn target(opening: StdioOpening, probed: &str, supported: &str) -> Server {
        let mut endpoint = StdioEndpoint::new("/bin/sh");
        endpoint.args = vec!["-c".into(), SERVER.into()];
        for (name, value) in [("PATH", "/usr/bin:/bin"), ("PROBED", probed), ("SUPPORTED", supported)] {
            endpoint.env.insert(name.into(), value.into());
        }
        endpoint.opening = opening;
        Server::new(Endpoint::Stdio(endpoint))
    }

    async fn connect(server: &Server) -> Connection {
        let mut options = options();
        options.connect_timeout = Duration::from_secs(6);
        Connector::new(options).attempt(server).await.unwrap()
    }

    #[tokio::test]
    async fn either_message_may_come_first_and_both_eras_are_found() {
        use StdioOpening::{Discover, Initialize};
        let (legacy, modern) = (ProtocolRevision::V2025_11_25, ProtocolRevision::V2026_07_28);
        for (opening, probed, revision) in [
            (Initialize, "answer", legacy),
            (Discover, "answer", modern),
            (Discover, "refuse", legacy),
            // A legacy server may also say nothing to it, or end.
            (Discover, "ignore", legacy),
            (Discover, "end", legacy),
        ] {
            let connection = connect(&target(opening, probed, "")).await;
            assert_eq!(connection.revision(), revision, "{opening:?} {probed}");
            connection.list_tools(&RequestOptions::new()).await.unwrap();
            assert!(!connection.is_closed(), "{opening:?} {probed}");
            connection.close().await;
        }
    }

    #[tokio::test]
    async fn a_refused_version_is_agreed_on_again_in_the_same_process() {
        let both = r#""2025-11-25","2026-07-28""#;
        for (opening, supported, expected, revision) in [
            (StdioOpening::Discover, both, vec!["tools/list", "tools/list"], "2026-07-28"),
            (
                StdioOpening::Discover,
                r#""2025-11-25""#,
                vec!["tools/list", "initialize", "notifications/initialized", "tools/list"],
                "2025-11-25",
            ),
            (
                StdioOpening::Initialize,
                r#""2026-07-28""#,
                vec!["tools/list", "server/discover", "tools/list"],
                "2026-07-28",
            ),
        ] {
            let connection = connect(&target(opening, "answer", supported)).await;
            let mut notifications = connection.notifications();
            connection.list_tools(&RequestOptions::new()).await.unwrap();
            assert_eq!(connection.revision().as_str(), revision);
            let mut methods = Vec::new();
            while methods.len() < expected.len() {
                let params = notifications.next().await.unwrap().params.unwrap();
                let params: serde_json::Value = serde_json::from_str(params.get()).unwrap();
                let method = params["method"].as_str().unwrap().to_owned();
                // It is still in the pipe when the connection is there.
                if method != "notifications/initialized" || !methods.is_empty() {
                    methods.push(method);
                }
            }
            assert_eq!(methods, expected);
            connection.close().await;
        }
        let connection = connect(&target(StdioOpening::Discover, "answer", r#""1999-01-01""#)).await;
        let error = connection.list_tools(&RequestOptions::new()).await.unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::Version { offered: vec!["1999-01-01".to_owned()] });
    }
}

/// What a server says of the header that names a version: a status and a text, or nothing against it.
type HeaderCheck = fn(Option<&str>) -> Option<(&'static str, &'static str)>;

/// A server of the field that agrees to what is offered, or to `own`, and has this check of the header in front of it.
fn checking(own: Option<&'static str>, check: HeaderCheck) -> FieldServer {
    FieldServer::start(move |asked| {
        if asked.rpc() == "server/discover" {
            return None;
        }
        let version = asked.header("mcp-protocol-version");
        let refusal = (asked.verb == "POST" && asked.rpc() != "initialize").then(|| check(version)).flatten();
        if let Some((status, text)) = refusal {
            return Some(Bytes::End(http(status, "Content-Type: text/plain\r\n", text.as_bytes())));
        }
        if asked.rpc() != "initialize" {
            return None;
        }
        let mut response = asked.response()?;
        let agreed = own.map(Value::from);
        response["result"]["protocolVersion"] =
            agreed.unwrap_or(asked.body["params"]["protocolVersion"].clone());
        let json = "Content-Type: application/json\r\nMcp-Session-Id: s\r\n";
        Some(Bytes::End(http("200 OK", json, response.to_string().as_bytes())))
    })
}

/// What it agrees to it refuses, and it agrees to nothing else: no session of the same version is tried once more.
#[tokio::test]
async fn fb_v0_a_version_that_was_refused_is_not_begun_again() {
    let server = checking(Some("2025-11-25"), |v| {
        (v == Some("2025-11-25")).then_some(("400 Bad Request", "Unsupported protocol version"))
    });
    let attempted = connector().attempt(&server.target()).await;
    let listed = match &attempted {
        Ok(connection) => connection.list_tools(&RequestOptions::new()).await.is_ok(),
        Err(_) => false,
    };
    assert!(!listed);
    assert_eq!((server.count("initialize"), server.count("ping")), (4, 1));
}

/// A gateway knows other versions than the server behind it.
#[tokio::test]
async fn fb_v0_a_version_that_is_agreed_to_and_then_refused_is_followed_by_another() {
    use ProtocolRevision as R;
    const NO: &str = "Bad Request: Unsupported protocol version";
    let table: [(Option<&str>, HeaderCheck, R, usize); 6] = [
        // It names one that it takes; else the next older one is tried, and the one after it.
        (
            None,
            |v| {
                (v != Some("2025-03-26"))
                    .then_some(("400 Bad Request", "Unsupported protocol version (supported: 2025-03-26)"))
            },
            R::V2025_03_26,
            2,
        ),
        (None, |v| (v > Some("2025-06-18")).then_some(("400 Bad Request", NO)), R::V2025_06_18, 2),
        (None, |v| (v > Some("2025-03-26")).then_some(("400 Bad Request", NO)), R::V2025_03_26, 3),
        (None, |v| (v > Some("2025-06-18")).then_some(("426 Upgrade Required", "")), R::V2025_06_18, 2),
        (
            None,
            |v| (v > Some("2025-06-18")).then_some(("500 Internal Server Error", "bad MCP-Protocol-Version")),
            R::V2025_06_18,
            2,
        ),
        // Before 2025-06-18 the header is optional.
        (Some("2025-03-26"), |v| v.is_some().then_some(("400 Bad Request", NO)), R::V2025_03_26, 1),
    ];
    for (index, (own, check, revision, greetings)) in table.into_iter().enumerate() {
        let server = checking(own, check);
        let connection = connector().attempt(&server.target()).await.unwrap();
        let list = connection.list_tools(&RequestOptions::new()).await.unwrap();
        assert_eq!((list.tools.len(), connection.revision()), (1, revision), "{index}");
        assert_eq!(server.count("initialize"), greetings, "{index}");
        let called = server.count("tools/call");
        assert_eq!(echo(&connection, "x").await.unwrap(), "x", "{index}");
        assert_eq!(
            (server.count("initialize"), server.count("tools/call")),
            (greetings, called + 1),
            "{index}"
        );
        connection.close().await;
        let ended = server.asked().iter().filter(|asked| asked.verb == "DELETE").count();
        assert_eq!(ended, greetings, "each session that was made is ended: {index}");
    }
}

#[tokio::test]
async fn fb_v0_a_server_that_refuses_every_version_that_it_agrees_to_has_no_version_in_common() {
    for own in [None, Some("2025-11-25")] {
        let server = checking(own, |_| Some(("400 Bad Request", "Unsupported protocol version")));
        // Hands were shaken, and what came of it is closed.
        let error = connector().connect(&server.target(), &ConnectPolicy::one_shot()).await.unwrap_err();
        assert_eq!(error.code(), Some(ReasonCode::Version), "{error:?}");
        let reason = &error.reason().unwrap().message;
        let expected = "no protocol version in common: it agrees to 2025-11-25";
        assert!(reason.starts_with(expected), "{reason}");
        let greeted = server.count("initialize");
        assert!(greeted <= 5, "{greeted}");
        let ended = server.asked().iter().filter(|asked| asked.verb == "DELETE").count();
        assert_eq!(ended, greeted, "each session that was made is ended");
    }
}

/// A word of versions in the refusal of one call is not a word about the session.
#[tokio::test]
async fn fb_v0_one_call_that_is_refused_with_words_of_versions_agrees_on_nothing_new() {
    let server = start(FakeEra::Legacy);
    let connection = connect(&server).await;
    server.recorder().clear();
    let answer = HttpAnswer::new(400).body("text/plain", "the protocol version of the printer is unknown");
    server.next_answers_to("tools/call", [answer.into()]);
    echo(&connection, "x").await.unwrap_err();
    assert_eq!((server.count("tools/call"), server.count("initialize")), (1, 0));
    assert_eq!(server.count("ping"), 1, "one question tells both, of the version and of the session");
    assert_eq!(echo(&connection, "y").await.unwrap(), "y");
}

/// A handshake that leads nowhere leaves no session behind, whether or not the server answers to its end.
#[tokio::test]
async fn fb_v0_a_session_of_a_handshake_that_is_given_up_is_ended() {
    let refused = HttpAnswer::new(401).header("WWW-Authenticate", "Bearer");
    let unheard = |server: &FakeMcpServer| server.always_to("DELETE", ScriptedAnswer::Hang);
    type Set<'a> = &'a dyn Fn(&FakeMcpServer);
    let cases: [(&str, Set<'_>, Set<'_>); 3] = [
        ("1999-01-01", &|_| {}, &|_| {}),
        ("1999-01-01", &|_| {}, &unheard),
        (
            "2025-11-25",
            &|server| server.always_to("notifications/initialized", refused.clone().into()),
            &|_| {},
        ),
    ];
    for (version, first, then) in cases {
        let server =
            FakeMcpServer::builder().era(FakeEra::Legacy).initialize_version(version).start().unwrap();
        first(&server);
        then(&server);
        connector().attempt(&target(&server)).await.unwrap_err();
        assert_eq!((server.count("initialize"), server.deletes()), (1, 1), "{version}");
    }
}

/// Some fall over a version that they do not know, and end the connection without a word.
#[tokio::test]
async fn fb_v0_a_version_that_ends_the_connection_is_followed_by_an_older_one() {
    for known in ["2025-06-18", "2025-03-26", "2024-11-05"] {
        let server = FieldServer::start(move |asked| match asked.rpc() {
            "server/discover" => Some(Bytes::Reset(Vec::new())),
            "initialize" if asked.body["params"]["protocolVersion"] != known => Some(Bytes::End(Vec::new())),
            _ => None,
        });
        let connection = connector().attempt(&server.target()).await.expect(known);
        connection.list_tools(&RequestOptions::new()).await.expect(known);
    }
    // One that ends each connection is left alone after as many requests as there are versions.
    let server = FieldServer::start(|_| Some(Bytes::End(Vec::new())));
    let error = connector().attempt(&server.target()).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Dropped);
    let offered: Vec<_> =
        server.asked().iter().map(|asked| asked.body["params"]["protocolVersion"].clone()).collect();
    let versions = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
    assert_eq!(offered[1..], versions, "the probe comes first");
}

/// A server that restarts ends connections as well, and is spoken to as before.
#[tokio::test]
async fn fb_v0_a_session_that_is_renewed_keeps_its_version_where_a_connection_ends() {
    let server = start(FakeEra::Legacy);
    let connection = connect(&server).await;
    server.expire_sessions();
    server.recorder().clear();
    server.next_answers_to("initialize", [ScriptedAnswer::Drop]);
    echo(&connection, "again").await.unwrap();
    let asked: Vec<_> = server.requests().iter().filter_map(|request| request.json()).collect();
    let offered = asked.iter().filter(|asked| asked["method"] == "initialize");
    for asked in offered {
        assert_eq!(asked["params"]["protocolVersion"], "2025-11-25");
    }
    assert_eq!(connection.revision(), ProtocolRevision::V2025_11_25);
}
