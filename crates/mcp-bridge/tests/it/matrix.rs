//! Both eras on both sides.

use mcp_testkit::{FakeEra, FakeMcpServer, FakeMcpServerBuilder, FakeTool};
use serde_json::{Value, json};

use crate::support::{Host, HostEra, META_SUBSCRIPTION, Setup, eventually, text_of};

const COMBINATIONS: [(HostEra, FakeEra); 4] = [
    (HostEra::Legacy, FakeEra::Legacy),
    (HostEra::Modern, FakeEra::Modern),
    (HostEra::Legacy, FakeEra::Modern),
    (HostEra::Modern, FakeEra::Legacy),
];

fn asking() -> FakeTool {
    let params = json!({
        "message": "Your name?",
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
    });
    FakeTool::asking("ask", "elicitation/create", params)
}

fn fake(era: FakeEra) -> FakeMcpServerBuilder {
    FakeMcpServer::builder().era(era).tool(asking())
}

/// Runs `story` for every combination, on a server that must have seen no broken rule afterwards.
async fn each(capabilities: Value, story: impl AsyncFn(&mut Host, &FakeMcpServer, (HostEra, FakeEra))) {
    for combination in COMBINATIONS {
        let server = fake(combination.1).start().unwrap();
        let setup = Setup::new(server.url()).capabilities(capabilities.clone());
        let mut host = setup.start(combination.0).await;
        story(&mut host, &server, combination).await;
        assert_eq!(server.violations(), Vec::<String>::new(), "{combination:?}");
        host.close_stdin();
        host.ended().await;
    }
}

#[tokio::test]
async fn fb_b24_lists_calls_resources_and_prompts_pass() {
    each(json!({}), async |host, server, combination| {
        let tools = host.ask("tools/list", json!({})).await;
        assert_eq!(tools["tools"].as_array().unwrap().len(), 6, "{combination:?}");
        let result = host.call("add", json!({"a": 2, "b": 3})).await;
        assert_eq!(result["structuredContent"]["sum"], 5.0, "{combination:?}");
        let failed = host.call("fail", json!({})).await;
        assert_eq!(failed["isError"], true, "{combination:?}");
        let resources = host.ask("resources/list", json!({})).await;
        assert_eq!(resources["resources"][0]["uri"], "fake://greeting", "{combination:?}");
        let read = host.ask("resources/read", json!({"uri": "fake://greeting"})).await;
        assert_eq!(read["contents"][0]["text"], "hello", "{combination:?}");
        let prompt = host.ask("prompts/get", json!({"name": "greet"})).await;
        assert_eq!(prompt["messages"][0]["role"], "user", "{combination:?}");
        let missing = host.refused("resources/read", json!({"uri": "fake://none"})).await;
        let expected = if combination == (HostEra::Legacy, FakeEra::Legacy) { -32002 } else { -32602 };
        assert_eq!(missing["code"], expected, "{combination:?}");
        let unknown = host.refused("x/unknown", json!({})).await;
        assert_eq!(unknown["code"], -32601, "{combination:?}");
        if combination.0 == HostEra::Modern {
            for (result, cacheable) in [(&tools, true), (&result, false), (&read, true), (&prompt, false)] {
                assert_eq!(result["resultType"], "complete", "{combination:?} {result}");
                assert_eq!(result.get("ttlMs").is_some(), cacheable, "{combination:?} {result}");
            }
        }
        if combination.1 == FakeEra::Legacy {
            let shaken = &server.recorder().matching(|r| r.rpc_method().as_deref() == Some("initialize"))[0];
            assert_eq!(shaken.json().unwrap()["params"]["clientInfo"]["name"], "the-host", "{combination:?}");
            let calls = server.recorder().matching(|r| r.rpc_method().as_deref() == Some("tools/call"));
            let meta = &calls[0].json().unwrap()["params"]["_meta"];
            assert!(meta.get("io.modelcontextprotocol/protocolVersion").is_none(), "{combination:?} {meta}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_trace_of_the_host_passes_as_it_is() {
    each(json!({}), async |host, server, combination| {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
        let context = json!({"traceparent": parent, "tracestate": "vendor=1", "baggage": "user=alice"});
        for (method, params) in [
            ("tools/call", json!({"name": "echo", "arguments": {"text": "x"}, "_meta": context})),
            ("prompts/list", json!({"_meta": context})),
        ] {
            host.ask(method, params).await;
            let arrived = server.recorder().matching(|r| r.rpc_method().as_deref() == Some(method));
            let meta = &arrived.last().unwrap().json().unwrap()["params"]["_meta"];
            for (name, value) in context.as_object().unwrap() {
                assert_eq!(&meta[name], value, "{combination:?} {method} {name}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn fb_b23_progress_keeps_its_token_and_its_place() {
    each(json!({}), async |host, _, combination| {
        for token in [json!("of-the-host"), json!(7)] {
            host.forget();
            let params = json!({
                "name": "slow", "arguments": {"steps": 3, "delay_ms": 5}, "_meta": {"progressToken": token},
            });
            host.ask("tools/call", params).await;
            let messages = host.messages();
            let progress: Vec<_> = messages
                .iter()
                .filter(|m| m["method"] == "notifications/progress")
                .map(|m| &m["params"])
                .collect();
            assert_eq!(progress.len(), 3, "{combination:?} {messages:#?}");
            assert!(
                progress.iter().all(|params| params["progressToken"] == token),
                "{combination:?} {progress:?}"
            );
            assert!(messages.last().unwrap().get("result").is_some(), "{combination:?}: the result is last");
        }
    })
    .await;
}

#[tokio::test]
async fn fb_b13_q3_a_cancelled_call_is_cancelled_on_the_wire_and_not_answered() {
    each(json!({}), async |host, server, combination| {
        let params = json!({"name": "slow", "arguments": {"steps": 1000, "delay_ms": 20}, "_meta": {"progressToken": 1}});
        let id = host.send("tools/call", params);
        host.heard("notifications/progress").await;
        host.tell("notifications/cancelled", Some(json!({"requestId": id})));
        let is_cancelled = || match combination.1 {
            FakeEra::Legacy => server.count("notifications/cancelled") == 1,
            _ => server.abandoned_streams() == 1,
        };
        eventually("the cancellation", is_cancelled).await;
        host.call("echo", json!({"text": "next"})).await;
        assert!(!host.messages().iter().any(|m| m["id"] == id), "{combination:?}: an answer to what was cancelled");
    })
    .await;
}

#[tokio::test]
async fn fb_b19_a_question_of_the_server_reaches_a_host_that_answers_questions() {
    each(json!({"elicitation": {}}), async |host, server, combination| {
        let result = match combination.0 {
            HostEra::Legacy => {
                let id = host.send("tools/call", json!({"name": "ask", "arguments": {}}));
                let question = host.heard("elicitation/create").await;
                assert_eq!(question["params"]["message"], "Your name?", "{combination:?}");
                host.answer(&question, json!({"action": "accept", "content": {"name": "octocat"}}));
                host.response(id).await["result"].clone()
            }
            HostEra::Modern => {
                let asked = host.call("ask", json!({})).await;
                assert_eq!(asked["resultType"], "input_required", "{combination:?}");
                let requests = asked["inputRequests"].as_object().unwrap();
                let (key, request) = requests.iter().next().unwrap();
                assert_eq!(request["method"], "elicitation/create", "{combination:?}");
                assert_eq!(request["params"]["message"], "Your name?", "{combination:?}");
                let answer = json!({"action": "accept", "content": {"name": "octocat"}});
                let retry = json!({
                    "name": "ask", "arguments": {}, "requestState": asked["requestState"],
                    "inputResponses": {key: answer},
                });
                host.ask("tools/call", retry).await
            }
        };
        assert!(text_of(&result).contains("octocat"), "{combination:?} {result}");
        assert_eq!(server.count("initialize").min(1), usize::from(combination.1 == FakeEra::Legacy));
        if combination.1 == FakeEra::Legacy {
            assert_eq!(
                server.count("tools/call"),
                1,
                "{combination:?}: the call went on, it was not repeated"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn fb_b20_a_host_without_the_capability_is_not_asked() {
    each(json!({}), async |host, server, combination| {
        let response = host.exchange("tools/call", json!({"name": "ask", "arguments": {}})).await;
        assert_eq!(host.count("elicitation/create"), 0, "{combination:?}");
        match combination.1 {
            // The fake asks all the same, and tells what it was answered.
            FakeEra::Legacy => assert!(text_of(&response["result"]).contains("-32601"), "{response}"),
            _ => {
                let code = if combination.0 == HostEra::Modern { -32021 } else { -32600 };
                assert_eq!(response["error"]["code"], code, "{combination:?} {response}");
            }
        }
        let declared = match combination.1 {
            FakeEra::Legacy => {
                let shaken =
                    &server.recorder().matching(|r| r.rpc_method().as_deref() == Some("initialize"))[0];
                shaken.json().unwrap()["params"]["capabilities"].clone()
            }
            _ => {
                let calls = server.recorder().matching(|r| r.rpc_method().as_deref() == Some("tools/call"));
                calls[0].json().unwrap()["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
                    .clone()
            }
        };
        assert_eq!(declared, json!({}), "{combination:?}");
    })
    .await;
}

#[tokio::test]
async fn fb_b26_changes_are_told_in_the_terms_of_the_host() {
    let uri = "fake://greeting";
    each(json!({}), async |host, server, combination| {
        let mut streams = 0;
        match combination.0 {
            HostEra::Legacy => drop(host.ask("resources/subscribe", json!({"uri": uri})).await),
            HostEra::Modern => {
                let filter = json!({"toolsListChanged": true, "resourceSubscriptions": [uri]});
                streams = host.send("subscriptions/listen", json!({"notifications": filter}));
                let acknowledged = host.heard("notifications/subscriptions/acknowledged").await;
                assert_eq!(acknowledged["params"]["notifications"], filter, "{combination:?}");
                assert_eq!(acknowledged["params"]["_meta"][META_SUBSCRIPTION], streams, "{combination:?}");
            }
        }
        match combination.1 {
            FakeEra::Legacy => {
                server.wait_for_streams(1).await;
                eventually("the subscription", || server.count("resources/subscribe") == 1).await;
            }
            // One for the lists, one for the resources.
            _ => server.wait_for_streams(2).await,
        }
        host.forget();
        server.push_tools_changed();
        let notification = host.heard("notifications/tools/list_changed").await;
        let id = &notification["params"]["_meta"][META_SUBSCRIPTION];
        match combination.0 {
            HostEra::Legacy => assert!(id.is_null(), "{combination:?} {notification}"),
            HostEra::Modern => assert_eq!(*id, streams, "{combination:?} {notification}"),
        }
        let updated =
            json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}});
        server.push(&updated);
        let notification = host.heard("notifications/resources/updated").await;
        assert_eq!(notification["params"]["uri"], uri, "{combination:?}");
        if combination.0 == HostEra::Modern {
            host.tell("notifications/cancelled", Some(json!({"requestId": streams})));
            host.call("echo", json!({"text": "x"})).await;
            host.forget();
            server.push_tools_changed();
            host.call("echo", json!({"text": "y"})).await;
            assert_eq!(host.count("notifications/tools/list_changed"), 0, "{combination:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn fb_b25_log_levels_reach_the_server_in_its_own_terms() {
    each(json!({}), async |host, server, combination| {
        match combination.0 {
            HostEra::Legacy => {
                host.call("echo", json!({"text": "x"})).await;
                assert_eq!(host.ask("logging/setLevel", json!({"level": "warning"})).await, json!({}));
            }
            HostEra::Modern => host.set_log_level("warning"),
        }
        host.call("echo", json!({"text": "x"})).await;
        match combination.1 {
            FakeEra::Legacy => {
                let set =
                    server.recorder().matching(|r| r.rpc_method().as_deref() == Some("logging/setLevel"));
                assert_eq!(set[0].json().unwrap()["params"]["level"], "warning", "{combination:?}");
                assert_eq!(set.len(), 1, "{combination:?}");
            }
            _ => {
                let calls = server.recorder().matching(|r| r.rpc_method().as_deref() == Some("tools/call"));
                let call = calls.last().unwrap().json().unwrap();
                let level = &call["params"]["_meta"]["io.modelcontextprotocol/logLevel"];
                assert_eq!(level, "warning", "{combination:?}");
                assert_eq!(server.count("logging/setLevel"), 0, "{combination:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_modern_host_gets_the_log_messages_that_a_request_of_its_wants_and_no_others() {
    let message = |level: &str| {
        let params = json!({"level": level, "data": level});
        json!({"jsonrpc": "2.0", "method": "notifications/message", "params": params})
    };
    for (era, unasked) in [(HostEra::Legacy, 1), (HostEra::Modern, 0)] {
        let server = fake(FakeEra::Legacy).start().unwrap();
        let mut host = Setup::new(server.url()).start(era).await;
        host.call("echo", json!({"text": "x"})).await;
        server.wait_for_streams(1).await;
        server.push(&message("error"));
        // Comes by the same stream, so what was pushed before it has been dealt with.
        server.push(&json!({"jsonrpc": "2.0", "method": "notifications/x"}));
        host.heard("notifications/x").await;
        assert_eq!(host.count("notifications/message"), unasked, "{era:?}");
        if era == HostEra::Modern {
            host.set_log_level("warning");
            let slow = json!({"name": "slow", "arguments": {"steps": 1000}, "_meta": {"progressToken": 1}});
            let id = host.send("tools/call", slow);
            host.heard("notifications/progress").await;
            server.push(&message("info"));
            server.push(&message("error"));
            let notification = host.heard("notifications/message").await;
            assert_eq!(notification["params"]["level"], "error");
            host.tell("notifications/cancelled", Some(json!({"requestId": id})));
            // Written during the call, and read after its answer, which came by another stream.
            host.call("echo", json!({"text": "x"})).await;
            let before = host.count("notifications/message");
            server.push(&message("error"));
            server.push(&json!({"jsonrpc": "2.0", "method": "notifications/y"}));
            host.heard("notifications/y").await;
            assert_eq!(host.count("notifications/message"), before + 1);
        }
    }
}

#[tokio::test]
async fn fb_b22_a_legacy_server_may_ping_a_legacy_host_and_ask_it_at_any_time() {
    let server = fake(FakeEra::Legacy).start().unwrap();
    let capabilities = json!({"roots": {"listChanged": true}});
    let mut host = Setup::new(server.url()).capabilities(capabilities).start(HostEra::Legacy).await;
    host.call("echo", json!({"text": "x"})).await;
    server.wait_for_streams(1).await;
    for (method, result) in [("ping", json!({})), ("roots/list", json!({"roots": []}))] {
        let (answer, ()) = tokio::join!(server.ask(method, Value::Null), async {
            let question = host.heard(method).await;
            host.answer(&question, result.clone());
        });
        assert_eq!(answer.unwrap()["result"], result, "{method}");
    }
    host.tell("notifications/roots/list_changed", None);
    eventually("the notification", || server.count("notifications/roots/list_changed") == 1).await;
}

#[tokio::test]
async fn a_version_that_is_not_spoken_is_refused_with_those_that_are_spoken() {
    let server = fake(FakeEra::Dual).start().unwrap();
    let host = Setup::new(server.url()).start_silent(HostEra::Modern);
    let meta = r#"{"io.modelcontextprotocol/protocolVersion":"2099-01-01","io.modelcontextprotocol/clientCapabilities":{}}"#;
    host.write(&format!(r#"{{"jsonrpc":"2.0","id":100,"method":"tools/list","params":{{"_meta":{meta}}}}}"#));
    let error = host.response(100).await["error"].clone();
    assert_eq!(error["code"], -32022);
    assert_eq!(error["data"]["supported"][0], "2026-07-28");
    assert_eq!(host.introduce().await["supportedVersions"][0], "2026-07-28");
}

#[tokio::test]
async fn fb_b11_what_is_no_message_is_refused_and_the_next_one_is_served() {
    let server = fake(FakeEra::Dual).start().unwrap();
    let host = Setup::new(server.url()).start(HostEra::Legacy).await;
    host.forget();
    host.write("this is not JSON");
    host.write(r#"{"jsonrpc":"2.0","id":77,"method":5}"#);
    assert_eq!(host.response(77).await["error"]["code"], -32600);
    let lines = host.lines();
    assert!(lines[0].contains("\"id\":null") && lines[0].contains("-32700"), "{lines:?}");
    for (written, code) in [
        ("{\"jsonrpc\":\"2.0\",", -32700),
        ("[1,", -32700),
        ("5", -32600),
        ("\"a\"", -32600),
        ("[]", -32600),
        ("[1]", -32600),
        ("{}", -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}"#, -32600),
    ] {
        host.forget();
        host.write(written);
        host.wait_for(written, |message| message["id"].is_null() && message["error"]["code"] == code).await;
    }
    let batch = r#"[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","id":"b","method":"ping"}]"#;
    host.write(batch);
    for id in ["a", "b"] {
        host.wait_for(id, |message| message["id"] == id && message["result"] == json!({})).await;
    }
}
