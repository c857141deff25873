//! Nothing that only one era has reaches a host of the other one, whatever the server sends. The names of each era are those of
//! the specification's schemas (`vocabulary`); the wire is tapped on both sides in all four combinations.

use mcp_testkit::{Delivery, FakeEra, FakeMcpServer, FakeMcpServerBuilder, FakeTool, ScriptedAnswer, Sse};
use serde_json::{Value, json};

use crate::support::{Host, HostEra, Setup, eventually};
use crate::vocabulary::Vocabulary;

const COMBINATIONS: [(HostEra, FakeEra); 4] = [
    (HostEra::Legacy, FakeEra::Legacy),
    (HostEra::Legacy, FakeEra::Modern),
    (HostEra::Modern, FakeEra::Legacy),
    (HostEra::Modern, FakeEra::Modern),
];
const URI: &str = "fake://greeting";

fn is_modern(era: FakeEra) -> bool {
    era == FakeEra::Modern
}

/// `_meta` as a server of this era may write it, with a vendor's name in it.
fn meta(era: FakeEra) -> Value {
    match era {
        FakeEra::Legacy => {
            json!({"io.modelcontextprotocol/related-task": {"taskId": "t"}, "example.com/own": {"ttlMs": 1}})
        }
        _ => json!({
            "io.modelcontextprotocol/serverInfo": {"name": "s", "version": "1"},
            "io.modelcontextprotocol/subscriptionId": 9, "example.com/own": {"ttlMs": 1},
        }),
    }
}

/// A result with everything that a server of this era may say about one.
fn said(era: FakeEra, mut result: Value) -> Value {
    result["_meta"] = meta(era);
    if is_modern(era) {
        result["resultType"] = json!("complete");
        result["ttlMs"] = json!(1000);
        result["cacheScope"] = json!("public");
    }
    result["x-vendor"] = json!({"resultType": 1});
    result
}

fn tool(era: FakeEra) -> Value {
    let mut tool = json!({
        "name": "rich", "title": "Rich", "description": "d", "icons": [{"src": "https://example.com/i.png"}],
        "inputSchema": {"type": "object", "properties": {"resultType": {"type": "string"}}},
        "outputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true, "title": "t"},
    });
    if !is_modern(era) {
        tool["execution"] = json!({"taskSupport": "optional"});
    }
    tool
}

/// The questions of a server, each asked by the tool of this name.
fn questions(era: FakeEra) -> [(&'static str, &'static str, Value); 4] {
    let mut visit = json!({"mode": "url", "message": "m", "url": "https://example.com/v"});
    let mut sampling = json!({
        "messages": [{"role": "user", "content": {"type": "text", "text": "t"}}], "maxTokens": 5,
    });
    if !is_modern(era) {
        visit["elicitationId"] = json!("e-1");
        sampling["task"] = json!({"ttl": 60});
        sampling["_meta"] = meta(era);
    }
    let form = json!({"message": "m", "requestedSchema": {"type": "object", "properties": {}}});
    [
        ("form", "elicitation/create", form),
        ("visit", "elicitation/create", visit),
        ("sample", "sampling/createMessage", sampling),
        ("roots", "roots/list", json!({})),
    ]
}

/// A server that says everything that its era has words for.
fn server(era: FakeEra) -> FakeMcpServerBuilder {
    let content = json!([
        {"type": "text", "text": "t", "annotations": {"audience": ["user"]}},
        {"type": "resource_link", "uri": URI, "name": "n"},
    ]);
    let result = said(era, json!({"content": content, "structuredContent": {"ttlMs": 1}, "isError": false}));
    let capabilities = json!({
        "tools": {"listChanged": true}, "resources": {"subscribe": true, "listChanged": true},
        "prompts": {"listChanged": true}, "logging": {}, "completions": {}, "experimental": {"x": {}},
    });
    let mut capabilities = capabilities;
    let mut builder =
        FakeMcpServer::builder().era(era).sessions(false).tool(FakeTool::custom(tool(era), result));
    for (name, method, params) in questions(era) {
        builder = builder.tool(FakeTool::asking(name, method, params));
    }
    if is_modern(era) {
        capabilities["extensions"] = json!({"io.modelcontextprotocol/ui": {}});
        let hello =
            json!({"supportedVersions": ["2026-07-28"], "capabilities": capabilities, "instructions": "i"});
        builder = builder.always_to("server/discover", ScriptedAnswer::RpcResult(said(era, hello)));
    } else {
        capabilities["tasks"] = json!({"list": {}, "requests": {"tools": {"call": {}}}});
        let mut hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": capabilities, "instructions": "i",
            "serverInfo": {"name": "s", "version": "1", "websiteUrl": "https://example.com"},
        });
        hello["_meta"] = json!({"example.com/own": 1});
        builder = builder.always_to("initialize", ScriptedAnswer::RpcResult(hello));
    }
    let resource = json!({
        "uri": URI, "name": "greeting", "title": "G", "size": 5, "annotations": {"priority": 1},
    });
    let template = json!({"uriTemplate": "fake://{id}", "name": "t"});
    let arguments = json!([{"name": "a", "required": true}]);
    let prompt = json!({"name": "greet", "arguments": arguments});
    let messages = json!([{"role": "user", "content": {"type": "text", "text": "t"}}]);
    for (method, result) in [
        ("resources/list", json!({"resources": [resource], "nextCursor": "2"})),
        ("resources/templates/list", json!({"resourceTemplates": [template]})),
        ("resources/read", json!({"contents": [{"uri": URI, "text": "hello"}]})),
        ("prompts/list", json!({"prompts": [prompt]})),
        ("prompts/get", json!({"messages": messages})),
        ("completion/complete", json!({"completion": {"values": ["a"], "total": 1, "hasMore": false}})),
    ] {
        builder = builder.always_to(method, ScriptedAnswer::RpcResult(said(era, result)));
    }
    builder
}

/// What a server of this era tells by itself.
fn notices(era: FakeEra) -> Vec<Value> {
    let notice = |method: &str, mut params: Value| {
        params["_meta"] = match era {
            FakeEra::Legacy => json!({"example.com/own": 1}),
            _ => meta(era),
        };
        json!({"jsonrpc": "2.0", "method": method, "params": params})
    };
    let mut notices = vec![
        notice("notifications/tools/list_changed", json!({})),
        notice("notifications/resources/list_changed", json!({})),
        notice("notifications/prompts/list_changed", json!({})),
        notice("notifications/resources/updated", json!({"uri": URI})),
        notice("notifications/message", json!({"level": "error", "data": {"ttlMs": 1}})),
    ];
    if !is_modern(era) {
        notices.push(notice("notifications/elicitation/complete", json!({"elicitationId": "e-1"})));
        notices.push(notice(
            "notifications/tasks/status",
            json!({"taskId": "t", "status": "working", "createdAt": "", "lastUpdatedAt": "", "ttl": 1}),
        ));
    }
    notices.push(notice("x/last", json!({"x-vendor": 1})));
    notices
}

/// The errors that a server of this era has words for, and others.
fn errors(era: FakeEra) -> Vec<Value> {
    let mut errors = vec![
        json!({"code": -32603, "message": "m"}),
        json!({"code": 7, "message": "own", "data": {"x-a": 1}}),
    ];
    if is_modern(era) {
        errors.push(
            json!({"code": -32021, "message": "m", "data": {"requiredCapabilities": {"sampling": {}}}}),
        );
        errors.push(json!({"code": -32020, "message": "m"}));
    } else {
        let visit =
            json!({"mode": "url", "message": "m", "url": "https://example.com/v", "elicitationId": "e-2"});
        errors.push(json!({"code": -32002, "message": "m", "data": {"uri": URI}}));
        errors.push(json!({"code": -32042, "message": "m", "data": {"elicitations": [visit]}}));
    }
    errors
}

async fn every_request(host: &mut Host, era: HostEra) {
    for (method, params) in [
        ("tools/list", json!({})),
        ("resources/list", json!({})),
        ("resources/list", json!({"cursor": "2"})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({"uri": URI})),
        ("prompts/list", json!({})),
        ("prompts/get", json!({"name": "greet", "arguments": {"a": "1"}})),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "a", "value": "v"}}),
        ),
        ("tools/call", json!({"name": "rich", "arguments": {"resultType": "x"}})),
        ("tools/call", json!({"name": "fail", "arguments": {}})),
        ("ping", json!({})),
    ] {
        host.ask(method, params).await;
    }
    let own = match era {
        HostEra::Legacy => {
            [("resources/subscribe", json!({"uri": URI})), ("logging/setLevel", json!({"level": "info"}))]
        }
        HostEra::Modern => [("server/discover", json!({})), ("ping", json!({}))],
    };
    for (method, params) in own {
        host.ask(method, params).await;
    }
    let of_the_other = match era {
        HostEra::Legacy => ["server/discover", "subscriptions/listen", "x/unknown"],
        HostEra::Modern => ["logging/setLevel", "resources/subscribe", "x/unknown"],
    };
    for method in of_the_other {
        let error = host.refused(method, json!({"uri": URI, "level": "info", "notifications": {}})).await;
        assert_eq!(error["code"], -32601, "{method}");
    }
}

/// Has the server ask each of its questions, and answers it in the terms of the host.
async fn every_question(host: &mut Host, host_era: HostEra, era: FakeEra) {
    let answer = |method: &str| match method {
        "elicitation/create" => json!({"action": "accept", "content": {}}),
        "roots/list" => json!({"roots": []}),
        _ => json!({"role": "assistant", "content": {"type": "text", "text": "t"}, "model": "m"}),
    };
    for (tool, method, _) in questions(era) {
        let call = json!({"name": tool, "arguments": {}});
        match host_era {
            HostEra::Legacy => {
                let id = host.send("tools/call", call);
                let question = host.asked(method).await;
                host.answer(&question, answer(method));
                assert!(host.response(id).await["result"].is_object(), "{tool}");
            }
            HostEra::Modern => {
                let asked = host.ask("tools/call", call.clone()).await;
                let key = asked["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
                let mut retry = call;
                retry["requestState"] = asked["requestState"].clone();
                retry["inputResponses"] = json!({ key: answer(method) });
                assert_eq!(host.ask("tools/call", retry).await["resultType"], "complete", "{tool}");
            }
        }
    }
}

/// Has the server tell what it tells by itself. A modern one tells changes to who listens, and all else to a request.
async fn tell_everything(host: &mut Host, server: &FakeMcpServer, era: FakeEra) {
    let is_change = |notice: &Value| {
        let method = notice["method"].as_str().unwrap();
        method.ends_with("/list_changed") || method.ends_with("/updated")
    };
    let (pushed, leading): (Vec<Value>, Vec<Value>) =
        notices(era).into_iter().partition(|notice| !is_modern(era) || is_change(notice));
    for notice in &pushed {
        assert!(server.push(notice) > 0, "{notice}");
    }
    if !leading.is_empty() {
        let stream = leading.into_iter().fold(Sse::new(), Sse::leading);
        server.next_answers_to("tools/call", [ScriptedAnswer::As(Delivery::Sse(stream))]);
        host.call("rich", json!({})).await;
    }
}

#[tokio::test]
async fn fb_b21_b33_nothing_that_only_one_era_has_reaches_a_host_of_the_other() {
    for (host_era, era) in COMBINATIONS {
        let case = format!("{host_era:?} host, {era:?} server");
        let server = server(era).start().unwrap();
        let capabilities = json!({
            "elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {},
        });
        let mut host = Setup::new(server.url()).capabilities(capabilities).start(host_era).await;
        host.set_log_level("debug");
        every_request(&mut host, host_era).await;
        if host_era == HostEra::Modern {
            let filter = json!({
                "toolsListChanged": true, "resourcesListChanged": true, "promptsListChanged": true,
                "resourceSubscriptions": [URI],
            });
            host.send("subscriptions/listen", json!({"notifications": filter}));
            host.heard("notifications/subscriptions/acknowledged").await;
        }
        server.wait_for_streams(if is_modern(era) { 2 } else { 1 }).await;
        for error in errors(era) {
            for (method, params) in [
                ("tools/call", json!({"name": "rich"})),
                ("prompts/list", json!({})),
                ("resources/read", json!({"uri": URI})),
            ] {
                server.next_answers_to(method, [ScriptedAnswer::RpcFailure(error.clone())]);
                let answer = host.exchange(method, params).await;
                if error["code"] == 7 {
                    assert_eq!(answer["error"], error, "{case}: what no era defines passes as it is");
                }
            }
        }
        every_question(&mut host, host_era, era).await;
        // Under way while the server tells what it has to tell, so that a modern host wants to hear it.
        let slow = json!({"name": "slow", "arguments": {"steps": 1000}, "_meta": {"progressToken": "p"}});
        let id = host.send("tools/call", slow);
        host.heard("notifications/progress").await;
        tell_everything(&mut host, &server, era).await;
        host.heard("x/last").await;
        host.heard("notifications/resources/updated").await;
        host.heard("notifications/prompts/list_changed").await;
        host.tell("notifications/cancelled", Some(json!({"requestId": id})));

        // Away: what is reported from memory was received in the terms of the server.
        server.always(ScriptedAnswer::status(503));
        host.exchange("tools/list", json!({})).await;
        server.clear_script();
        host.close_stdin();
        host.ended().await;

        let vocabulary = Vocabulary::of(host_era);
        for message in host.messages() {
            assert_eq!(vocabulary.foreign(&message), Vec::<String>::new(), "{case}: {message:#}");
        }
        // And what belongs to no revision is still there.
        let lines = host.lines().join("\n");
        for kept in [
            r#""x-vendor":{"resultType":1}"#,
            r#""example.com/own":{"ttlMs":1}"#,
            r#""structuredContent":{"ttlMs":1}"#,
        ] {
            assert!(lines.contains(kept), "{case}: {kept}");
        }
    }
}

#[tokio::test]
async fn a_url_that_a_legacy_server_wants_visited_first_is_asked_for_and_the_call_made_again() {
    let server = server(FakeEra::Legacy).start().unwrap();
    let capabilities = json!({"elicitation": {"url": {}}});
    let host = Setup::new(server.url()).capabilities(capabilities).start(HostEra::Modern).await;
    let visit =
        json!({"mode": "url", "message": "m", "url": "https://example.com/v", "elicitationId": "e-2"});
    let error = json!({"code": -32042, "message": "visit it", "data": {"elicitations": [visit]}});
    server.next_answers_to("tools/call", [ScriptedAnswer::RpcFailure(error)]);
    let call = json!({"name": "echo", "arguments": {"text": "x"}});
    let asked = host.ask("tools/call", call.clone()).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let (key, request) = asked["inputRequests"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(request["params"]["url"], "https://example.com/v");
    let mut again = call;
    again["inputResponses"] = json!({ key.clone(): {"action": "accept"} });
    let result = host.ask("tools/call", again).await;
    assert_eq!(result["content"][0]["text"], "x");
    let calls = server.recorder().matching(|r| r.rpc_method().as_deref() == Some("tools/call"));
    assert_eq!(calls.len(), 2);
    let params = calls[1].json().unwrap()["params"].clone();
    assert_eq!(
        params,
        json!({"name": "echo", "arguments": {"text": "x"}}),
        "a legacy server sees a call like any other"
    );
    eventually("nothing is owed", || server.violations().is_empty()).await;
}
