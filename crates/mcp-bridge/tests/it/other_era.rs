//! A server that goes on in another era in the middle of a connection (2026-07-28, versioning), as after an upgrade.

use mcp_testkit::{FakeEra, FakeMcpServer, FakeTool, HttpAnswer, RecordedRequest, ScriptedAnswer};
use serde_json::{Value, json};

use crate::support::{Host, HostEra, META_SUBSCRIPTION, Setup, eventually, text_of};

const URI: &str = "fake://greeting";

/// The refusal of the specification, with what the server supports instead.
fn refusal(supported: &str) -> ScriptedAnswer {
    let data = json!({"supported": [supported], "requested": "another"});
    let error = json!({"code": -32022, "message": "Unsupported protocol version", "data": data});
    let body = json!({"jsonrpc": "2.0", "id": null, "error": error});
    HttpAnswer::new(400).body("application/json", body.to_string()).into()
}

fn params_of(request: &RecordedRequest) -> Value {
    request.json().unwrap()["params"].take()
}

/// The parameters of every request with this method.
fn sent(server: &FakeMcpServer, method: &str) -> Vec<Value> {
    let requests = server.recorder().matching(|request| request.rpc_method().as_deref() == Some(method));
    requests.iter().map(params_of).collect()
}

/// Whether the server knows that the resource is listened to, in its own terms.
fn is_subscribed(server: &FakeMcpServer, era: FakeEra) -> bool {
    match era {
        FakeEra::Legacy => sent(server, "resources/subscribe").iter().any(|params| params["uri"] == URI),
        _ => sent(server, "subscriptions/listen")
            .iter()
            .any(|params| params["notifications"]["resourceSubscriptions"] == json!([URI])),
    }
}

/// Whether the server was told the level, in its own terms.
fn knows_the_level(server: &FakeMcpServer, era: FakeEra) -> bool {
    match era {
        FakeEra::Legacy => {
            sent(server, "logging/setLevel").last().is_some_and(|params| params["level"] == "warning")
        }
        _ => sent(server, "tools/call")
            .last()
            .is_some_and(|params| params["_meta"]["io.modelcontextprotocol/logLevel"] == "warning"),
    }
}

/// Has the host subscribe to the resource and the tools, and want warnings. Returns the id of its stream.
async fn wish(host: &mut Host, era: HostEra) -> Option<i64> {
    match era {
        HostEra::Legacy => {
            host.ask("resources/subscribe", json!({"uri": URI})).await;
            host.ask("logging/setLevel", json!({"level": "warning"})).await;
            None
        }
        HostEra::Modern => {
            host.set_log_level("warning");
            let filter = json!({"toolsListChanged": true, "resourceSubscriptions": [URI]});
            let id = host.send("subscriptions/listen", json!({"notifications": filter}));
            host.heard("notifications/subscriptions/acknowledged").await;
            Some(id)
        }
    }
}

/// One connection after the other in this order, and what the server offers when it refuses the first.
const WAYS: [(FakeEra, FakeEra, &str); 2] =
    [(FakeEra::Legacy, FakeEra::Modern, "2026-07-28"), (FakeEra::Modern, FakeEra::Legacy, "2025-11-25")];

#[tokio::test]
async fn calls_subscriptions_and_levels_go_on_with_a_server_that_changes_its_era() {
    for host_era in [HostEra::Legacy, HostEra::Modern] {
        for (before, after, supported) in WAYS {
            let case = format!("{host_era:?} host, {before:?} to {after:?}");
            let ask = FakeTool::asking(
                "ask",
                "elicitation/create",
                json!({"message": "Your name?", "requestedSchema": {"type": "object", "properties": {}}}),
            );
            let server = FakeMcpServer::builder().era(before).tool(ask).start().unwrap();
            let setup = Setup::new(server.url()).capabilities(json!({"elicitation": {}}));
            let mut host = setup.start(host_era).await;
            let stream = wish(&mut host, host_era).await;
            host.call("echo", json!({"text": "before"})).await;
            eventually(&format!("{case}: the first subscription"), || is_subscribed(&server, before)).await;
            // The connection's own stream for lists, and for resources another one in the modern era.
            server.wait_for_streams(if before == FakeEra::Legacy { 1 } else { 2 }).await;

            server.set_era(after);
            // A level that goes ahead of a call may find it out, too.
            for method in ["tools/call", "logging/setLevel"] {
                server.next_answers_to(method, [refusal(supported)]);
            }
            server.recorder().clear();
            host.forget();
            // The call that finds it out is made again, and no other reaches the server twice.
            assert_eq!(
                text_of(&host.call("echo", json!({"text": "found out"})).await),
                "found out",
                "{case}"
            );
            let calls = sent(&server, "tools/call").len();
            assert_eq!(text_of(&host.call("echo", json!({"text": "after"})).await), "after", "{case}");
            assert_eq!(sent(&server, "tools/call").len(), calls + 1, "{case}");
            eventually(&format!("{case}: the subscription"), || is_subscribed(&server, after)).await;
            eventually(&format!("{case}: the level"), || knows_the_level(&server, after)).await;
            // What changed with the server is not told otherwise.
            host.heard("notifications/tools/list_changed").await;

            // The streams of the server as it was end with it at last. What is told then is heard once.
            server.close_streams();
            let streams = if after == FakeEra::Legacy { 1 } else { 2 };
            server.wait_for_streams(streams).await;
            host.forget();
            assert_eq!(server.push_tools_changed(), 1, "{case}");
            let updated = json!({
                "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": URI},
            });
            assert_eq!(server.push(&updated), 1, "{case}");
            let notification = [
                host.heard("notifications/tools/list_changed").await,
                host.heard("notifications/resources/updated").await,
            ];
            for notification in notification {
                assert_eq!(
                    notification["params"]["_meta"][META_SUBSCRIPTION].as_i64(),
                    stream,
                    "{case} {notification}"
                );
            }
            let answer = answered(&mut host, host_era).await;
            assert!(text_of(&answer).contains("octocat"), "{case} {answer}");
            assert_eq!(server.violations(), Vec::<String>::new(), "{case}");
        }
    }
}

/// Calls the tool that asks, and answers it in the terms of the host.
async fn answered(host: &mut Host, era: HostEra) -> Value {
    let answer = json!({"action": "accept", "content": {"name": "octocat"}});
    match era {
        HostEra::Legacy => {
            let id = host.send("tools/call", json!({"name": "ask", "arguments": {}}));
            let question = host.heard("elicitation/create").await;
            host.answer(&question, answer);
            host.response(id).await["result"].take()
        }
        HostEra::Modern => {
            let asked = host.call("ask", json!({})).await;
            let key = asked["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
            let responses = json!({key: answer});
            let state = &asked["requestState"];
            let retry = json!({
                "name": "ask", "arguments": {}, "requestState": state, "inputResponses": responses,
            });
            host.ask("tools/call", retry).await
        }
    }
}
