//! Which era a server speaks, and in how many requests that is found out.

use std::time::Duration;

use mcp_testkit::{Delivery, FakeEra, FakeMcpServer, FakeTool, Pages, ScriptedAnswer, Sse};
use mcp_transport::connect::ConnectPolicy;
use mcp_transport::message::ProtocolRevision;
use mcp_transport::{Connector, Endpoint, HttpEndpoint, RequestOptions, TransportErrorKind};
use serde_json::json;

use crate::field_server::{Bytes, FieldServer, http};
use crate::support::{connect, connector, echo, methods, no_violations, options, target};

#[tokio::test]
async fn a_modern_server_takes_two_requests_to_list_its_tools() {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
    let connection = connect(&server).await;
    let list = connection.list_tools(&RequestOptions::new()).await.unwrap();
    assert_eq!(list.tools.len(), 5);
    assert_eq!(methods(&server), ["server/discover", "tools/list"]);
    assert_eq!(connection.revision(), ProtocolRevision::V2026_07_28);
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    connection.close().await;
    assert_eq!(server.deletes(), 0, "there is no session to delete");
    no_violations(&server);
}

#[tokio::test]
async fn a_legacy_server_is_asked_once_in_vain_and_then_never_again() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connector = connector();
    let connection = connector.attempt(&target(&server)).await.unwrap();
    connection.list_tools(&RequestOptions::new()).await.unwrap();
    let handshake = ["initialize", "notifications/initialized", "tools/list"];
    assert_eq!(methods(&server)[1..], handshake);
    assert_eq!(connection.revision(), ProtocolRevision::V2025_11_25);
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    connection.close().await;
    assert_eq!(server.deletes(), 1);
    assert_eq!(server.sessions(), 0);

    server.recorder().clear();
    let again = connector.attempt(&target(&server)).await.unwrap();
    again.list_tools(&RequestOptions::new()).await.unwrap();
    assert_eq!(methods(&server), handshake, "the era is remembered");
    no_violations(&server);
}

#[tokio::test]
async fn a_server_that_has_moved_on_is_probed_again() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let connector = connector();
    connector.attempt(&target(&server)).await.unwrap().close().await;
    server.set_era(FakeEra::Modern);
    let connection = connector.attempt(&target(&server)).await.unwrap();
    assert_eq!(connection.revision(), ProtocolRevision::V2026_07_28);
}

#[tokio::test]
async fn a_200_that_is_no_discovery_means_legacy() {
    for answer in [
        ScriptedAnswer::RpcResult(json!({})),
        ScriptedAnswer::RpcError { code: -32601, message: "unknown".to_owned() },
        ScriptedAnswer::status(400),
        ScriptedAnswer::status(404),
        ScriptedAnswer::status(405),
        ScriptedAnswer::status(422),
    ] {
        let shown = format!("{answer:?}");
        let server = FakeMcpServer::builder()
            .era(FakeEra::Legacy)
            .always_to("server/discover", answer)
            .start()
            .unwrap();
        let connection = connect(&server).await;
        assert_eq!(connection.revision(), ProtocolRevision::V2025_11_25, "{shown}");
    }
}

#[tokio::test]
async fn an_unsupported_version_is_retried_once_even_with_the_same_version() {
    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
    let refusal = json!({
        "jsonrpc": "2.0", "id": 0,
        "error": { "code": -32022, "message": "no", "data": { "supported": ["2026-07-28"], "requested": "2026-07-28" } },
    });
    let http = mcp_testkit::HttpAnswer::new(400).body("application/json", refusal.to_string());
    server.next_answers_to("server/discover", [http.clone().into()]);
    let connection = connect(&server).await;
    assert_eq!(connection.revision(), ProtocolRevision::V2026_07_28);
    assert_eq!(methods(&server), ["server/discover", "server/discover"]);

    server.recorder().clear();
    server.always_to("server/discover", http.into());
    let error = connector().attempt(&target(&server)).await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Version { .. }), "{error:?}");
    assert_eq!(methods(&server), ["server/discover", "server/discover"], "and not without end");
}

#[tokio::test]
async fn a_server_without_a_version_in_common_is_named_with_what_it_offers() {
    let server =
        FakeMcpServer::builder().era(FakeEra::Legacy).initialize_version("1999-01-01").start().unwrap();
    let error = connector().attempt(&target(&server)).await.unwrap_err();
    let offered = vec!["1999-01-01".to_owned()];
    assert_eq!(*error.kind(), TransportErrorKind::Version { offered });
}

#[tokio::test]
async fn f110_fa_a104_a_probe_that_is_never_answered_costs_a_bounded_time() {
    let server = FakeMcpServer::builder()
        .era(FakeEra::Legacy)
        .always_to("server/discover", ScriptedAnswer::Hang)
        .start()
        .unwrap();
    let mut options = options();
    options.connect_timeout = Duration::from_secs(6);
    let connection = Connector::new(options).attempt(&target(&server)).await.unwrap();
    assert_eq!(connection.revision(), ProtocolRevision::V2025_11_25);
}

/// With the limits that a person has, so that the next steps of a connect have their time.
#[tokio::test]
async fn fa_a104_silence_at_the_probe_leads_to_the_handshake_after_a_second() {
    let server = FakeMcpServer::builder()
        .era(FakeEra::Legacy)
        .always_to("server/discover", ScriptedAnswer::Hang)
        .start()
        .unwrap();
    let mut options = options();
    options.connect_timeout = Duration::from_secs(60);
    let began = std::time::Instant::now();
    let connection = Connector::new(options).attempt(&target(&server)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(connection.revision(), ProtocolRevision::V2025_11_25);
    assert_eq!(methods(&server)[..2], ["server/discover", "initialize"]);
    no_violations(&server);
}

/// A modern server is none the less for it: one that wakes up, and one that is slow at each request.
#[tokio::test]
async fn fa_a104_a_modern_server_that_was_silent_at_first_is_asked_again() {
    let late = ScriptedAnswer::Late(Duration::from_millis(1500));
    for slow_at_each in [false, true] {
        let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
        match slow_at_each {
            true => server.always_to("server/discover", late.clone()),
            false => server.next_answers_to("server/discover", [late.clone()]),
        }
        let mut options = options();
        options.connect_timeout = Duration::from_secs(60);
        let connection = Connector::new(options).attempt(&target(&server)).await.unwrap();
        assert_eq!(connection.revision(), ProtocolRevision::V2026_07_28);
        assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
        assert_eq!(server.count("server/discover"), 2, "{:?}", methods(&server));
        assert_eq!(methods(&server)[..2], ["server/discover", "initialize"]);
    }
}

#[tokio::test]
async fn f109_the_connect_limit_is_the_callers() {
    let server = FakeMcpServer::builder().always(ScriptedAnswer::Hang).start().unwrap();
    let mut options = options();
    options.connect_timeout = Duration::from_millis(300);
    let error = Connector::new(options).attempt(&target(&server)).await.unwrap_err();
    assert!(matches!(error.kind(), TransportErrorKind::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn every_form_of_an_answer_is_read() {
    let forms = [
        Delivery::Json,
        Sse::new().into(),
        Sse::new().chunk(3).comments().crlf().into(),
        Sse::new().multiline().priming(10).into(),
        Sse::new()
            .leading(json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": {} }))
            .into(),
    ];
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        for form in &forms {
            let server = FakeMcpServer::builder().era(era).deliver(form.clone()).start().unwrap();
            let connection = connect(&server).await;
            assert_eq!(echo(&connection, "wörld\n").await.unwrap(), "wörld\n", "{era:?} {form:?}");
            no_violations(&server);
        }
    }
}

#[tokio::test]
async fn f111_every_page_is_read_and_no_circle_followed() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server =
            FakeMcpServer::builder().era(era).tools(FakeTool::many(25)).pages(Pages::Of(10)).start().unwrap();
        let connection = connect(&server).await;
        let list = connection.list_tools(&RequestOptions::new()).await.unwrap();
        assert_eq!(list.tools.len(), 25);
        assert_eq!(server.count("tools/list"), 3);

        server.recorder().clear();
        server.set_pages(Pages::SameCursor);
        connection.list_tools(&RequestOptions::new()).await.unwrap();
        assert_eq!(server.count("tools/list"), 2);
        no_violations(&server);
    }
}

#[tokio::test]
async fn modern_requests_mirror_names_and_annotated_arguments() {
    let definition = |name: &str, header: &str| {
        json!({
            "name": name,
            "inputSchema": { "type": "object", "properties": { "region": { "type": "string", "x-mcp-header": header } } },
        })
    };
    let result = json!({ "content": [{ "type": "text", "text": "ok" }] });
    let server = FakeMcpServer::builder()
        .era(FakeEra::Modern)
        .tools(vec![
            FakeTool::custom(definition("good", "Region"), result.clone()),
            FakeTool::custom(definition("bad", "not a token"), result),
        ])
        .start()
        .unwrap();
    let (options, arguments) = (RequestOptions::new(), json!({ "region": "zürich" }));
    let is_mirrored = || {
        let call = server.requests().pop().unwrap();
        assert_eq!(call.header("mcp-method"), Some("tools/call"));
        assert_eq!(call.header("mcp-name"), Some("good"));
        assert_eq!(call.header("mcp-param-region"), Some("=?base64?esO8cmljaA==?="));
        no_violations(&server);
    };
    let connection = connect(&server).await;
    let list = connection.list_tools(&options).await.unwrap();
    let names: Vec<_> = list.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["good"]);
    assert_eq!(list.rejected[0].0, "bad");
    connection.call_tool("good", Some(&crate::support::raw(&arguments)), &options).await.unwrap();
    is_mirrored();

    // So it is for those who pass requests on, as a bridge does.
    let connection = connect(&server).await;
    let list = connection.request("tools/list", None, &options).await.unwrap();
    assert!(list.get().contains("\"good\"") && !list.get().contains("\"bad\""), "{}", list.get());
    let params = crate::support::raw(&json!({ "name": "good", "arguments": arguments }));
    connection.request("tools/call", Some(&params), &options).await.unwrap();
    is_mirrored();
}

#[tokio::test]
async fn what_does_not_speak_mcp_is_called_so() {
    let server = FakeMcpServer::builder()
        .always(mcp_testkit::HttpAnswer::new(200).body("application/json", "hello").into())
        .start()
        .unwrap();
    let error = connector().attempt(&target(&server)).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Protocol);
    server.always(mcp_testkit::HttpAnswer::new(200).body("image/png", "x").into());
    let error = connector().attempt(&target(&server)).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Protocol);
}

#[tokio::test]
async fn a_server_of_2024_is_the_last_resort_and_can_be_asked_for() {
    let server = FakeMcpServer::builder().era(FakeEra::HttpSse).start().unwrap();
    let connection = connect(&server).await;
    assert_eq!(connection.revision(), ProtocolRevision::V2024_11_05);
    assert_eq!(connection.list_tools(&RequestOptions::new()).await.unwrap().tools.len(), 5);
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    connection.close().await;

    server.recorder().clear();
    let mut explicit = target(&server);
    explicit.endpoint = Endpoint::Http(HttpEndpoint::legacy_sse(server.url()));
    let connection = connector().attempt(&explicit).await.unwrap();
    assert_eq!(echo(&connection, "hello").await.unwrap(), "hello");
    assert_eq!(methods(&server)[0], "GET", "nothing else is tried");
    assert!(!connection.is_closed());
    server.drop_connections();
    connection.ended().await;
    assert!(connection.is_closed());
}

#[cfg(all(unix, feature = "stdio"))]
mod stdio {
    use mcp_status::ReasonCode;
    use mcp_transport::connect::ConnectPolicy;
    use mcp_transport::endpoint::StdioOpening;
    use mcp_transport::message::ProtocolRevision;
    use mcp_transport::{Endpoint, RequestOptions, Server, StdioEndpoint, TransportErrorKind};

    use crate::support::connector;

    /// A server in a few lines of shell: it answers by the method and the id of a request.
    fn shell(script: &str) -> Server {
        let mut endpoint = StdioEndpoint::new("/bin/sh");
        endpoint.args = vec!["-c".into(), script.into()];
        endpoint.env.insert("PATH".into(), "/usr/bin:/bin".into());
        Server::new(Endpoint::Stdio(endpoint))
    }

    const LEGACY: &str = r#"
        while read -r line; do
          id=$(printf '%s' "$line" | sed -n 's/.*"id":\(-\{0,1\}[0-9]*\).*/\1/p')
          case "$line" in
            *'"initialize"'*) echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}}';;
            *'"tools/list"'*) echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"tools":[{"name":"one","inputSchema":{}}]}}';;
          esac
        done"#;

    const MODERN: &str = r#"
        while read -r line; do
          id=$(printf '%s' "$line" | sed -n 's/.*"id":\(-\{0,1\}[0-9]*\).*/\1/p')
          case "$line" in
            *'"server/discover"'*) echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}}';;
            *'"tools/list"'*protocolVersion*|*protocolVersion*'"tools/list"'*) echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"tools":[]}}';;
            *) echo '{"jsonrpc":"2.0","id":'"$id"',"error":{"code":-32601,"message":"no such method"}}';;
          esac
        done"#;

    /// Told what it runs under, by an opening of each kind, a local server hears it, and in the opening alone.
    #[tokio::test]
    async fn s_b2_a_local_server_is_told_what_it_runs_under() {
        let heard = tempfile::tempdir().unwrap();
        for (number, (script, opening)) in [
            (LEGACY, StdioOpening::Initialize),
            (MODERN, StdioOpening::Initialize),
            (MODERN, StdioOpening::Discover),
        ]
        .into_iter()
        .enumerate()
        {
            for chain in [None, Some("a~0000000000000001".to_owned())] {
                let file = heard.path().join(format!("{number}-{}", chain.is_some()));
                let script =
                    script.replace("read -r line; do", "read -r line; do printf '%s\\n' \"$line\" >>$LOG;");
                let mut server = shell(&script);
                if let Endpoint::Stdio(endpoint) = &mut server.endpoint {
                    endpoint.env.insert("LOG".into(), file.clone().into());
                    (endpoint.opening, endpoint.chain) = (opening, chain.clone());
                }
                let connection = connector().attempt(&server).await.unwrap();
                connection.list_tools(&RequestOptions::new()).await.unwrap();
                connection.close().await;
                let heard = std::fs::read_to_string(file).unwrap();
                for line in heard.lines() {
                    let message: serde_json::Value = serde_json::from_str(line).unwrap();
                    let is_opening =
                        ["initialize", "server/discover"].iter().any(|name| message["method"] == *name);
                    let expected = chain.as_deref().filter(|_| is_opening);
                    let sent = &message["params"]["_meta"]["io.github.mcplink/chain"];
                    assert_eq!(sent.as_str(), expected, "{line}");
                }
                assert!(heard.lines().count() >= 2, "{heard}");
            }
        }
    }

    #[tokio::test]
    async fn s_b2_a_refusal_that_names_a_loop_is_told_as_one() {
        let refuses = |data: &str| {
            shell(&format!(
                r#"read -r line; echo '{{"jsonrpc":"2.0","id":0,"error":{{"code":-31000,"message":"no version","data":{data}}}}}'; exit 2"#
            ))
        };
        let mut server =
            refuses(r#"{"source":"mcplink","reason":{"code":"self-reference","message":"f:1: a → a"}}"#);
        let described = |server: Server| async move {
            let error = connector().attempt(&server).await.unwrap_err();
            let evidence = error.evidence();
            (mcp_status::classify(&evidence).code(), evidence.detail, error.may_have_been_sent())
        };
        // Only what was told that it runs under something can lead back to it.
        assert_ne!(described(server.clone()).await.0, Some(ReasonCode::SelfReference));
        if let Endpoint::Stdio(endpoint) = &mut server.endpoint {
            endpoint.chain = Some("a~0000000000000001".to_owned());
        }
        let expected = (Some(ReasonCode::SelfReference), Some("f:1: a → a".to_owned()), false);
        assert_eq!(described(server).await, expected);
    }

    #[tokio::test]
    async fn a_legacy_server_shakes_hands() {
        let connection = connector().attempt(&shell(LEGACY)).await.unwrap();
        assert_eq!(connection.revision(), ProtocolRevision::V2025_06_18);
        let list = connection.list_tools(&RequestOptions::new()).await.unwrap();
        assert_eq!(list.tools[0].name, "one");
        connection.close().await;
    }

    #[tokio::test]
    async fn a_modern_server_refuses_the_handshake_and_is_discovered() {
        let connection = connector().attempt(&shell(MODERN)).await.unwrap();
        assert_eq!(connection.revision(), ProtocolRevision::V2026_07_28);
        connection.list_tools(&RequestOptions::new()).await.unwrap();
        connection.close().await;
    }

    #[tokio::test]
    async fn a_modern_server_that_ends_with_its_refusal_is_started_again_and_discovered() {
        let refuses = r#"
            read -r line
            case "$line" in *'"initialize"'*)
              echo '{"jsonrpc":"2.0","id":0,"error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}}'
              exit 1;;
            esac
            "#;
        let discovers = r#"
            id=$(printf '%s' "$line" | sed -n 's/.*"id":\(-\{0,1\}[0-9]*\).*/\1/p')
            echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}}'
            "#;
        let server = shell(&[refuses, discovers, MODERN].concat());
        let connection = connector().attempt(&server).await.unwrap();
        assert_eq!(connection.revision(), ProtocolRevision::V2026_07_28);
        connection.list_tools(&RequestOptions::new()).await.unwrap();
        assert!(!connection.is_closed(), "the end of the first process is not its end");
        connection.close().await;

        // Where that is of no use either, what the server said first is what counts.
        let error = connector().attempt(&shell(refuses)).await.unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::Rpc { code: -32022 });
    }

    #[tokio::test]
    async fn a_command_that_fails_says_why_in_one_attempt() {
        let server = shell("echo 'no such database' >&2; exit 3");
        let error = connector().connect(&server, &ConnectPolicy::one_shot()).await.unwrap_err();
        assert_eq!(error.code(), Some(ReasonCode::Exited));
        assert_eq!(error.evidence().detail.as_deref(), Some("no such database"));
        assert_eq!(error.evidence().attempts, 1);
    }
}

/// A look is made again after what fails at once. What takes long to fail, such as a stream that is closed after 20 s, would
/// take as long again.
#[tokio::test]
async fn a_look_does_not_repeat_what_took_long_to_fail() {
    // Each attempt begins with the probe.
    for (slow, counted, tries) in [("initialize", "server/discover", 4), ("tools/list", "tools/list", 3)] {
        for (spent, expected) in [(None, tries), (Some(Duration::from_millis(300)), 1)] {
            let server = FieldServer::start(move |asked| {
                (asked.rpc() == slow).then(|| {
                    std::thread::sleep(Duration::from_millis(400));
                    Bytes::End(http("500 Internal Server Error", "", b""))
                })
            });
            let mut policy = crate::auth::quick();
            policy.spent = spent;
            let ended = connector().connect_observed(&server.target(), &policy, |_, _| {}).await;
            assert_eq!(ended.connection.is_some(), slow == "tools/list", "{slow}");
            let asked = server.asked().iter().filter(|asked| asked.rpc() == counted).count();
            assert_eq!(asked, expected, "{slow} {spent:?}");
        }
    }
    assert_eq!(ConnectPolicy::glance().spent, Some(Duration::from_secs(5)));
}
