//! What must not be mixed up: ids, calls at the same time, questions at the same time, and wishes that have ended.

use std::time::Duration;

use mcp_testkit::{FakeEra, FakeMcpServer, FakeTool, ScriptedAnswer};
use serde_json::{Value, json};

use crate::support::{Host, HostEra, Setup, eventually, text_of};

const COMBINATIONS: [(HostEra, FakeEra); 4] = [
    (HostEra::Legacy, FakeEra::Legacy),
    (HostEra::Modern, FakeEra::Modern),
    (HostEra::Legacy, FakeEra::Modern),
    (HostEra::Modern, FakeEra::Legacy),
];
const URI: &str = "fake://greeting";

#[tokio::test]
async fn fb_b7_b8_an_id_comes_back_as_it_was_written_and_a_number_is_no_string() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let host = Setup::new(server.url()).start(HostEra::Legacy).await;
    host.call("echo", json!({"text": "x"})).await;
    host.forget();
    // The first is under way until the others have been answered.
    server.next_answers_to("tools/call", [ScriptedAnswer::Late(Duration::from_millis(100))]);
    let ids = [r#""7""#, "7", r#""\u00e9 \"""#, "-9007199254740993", r#""""#];
    for (index, id) in ids.iter().enumerate() {
        let params = format!(r#"{{"name":"echo","arguments":{{"text":"text {index}"}}}}"#);
        host.write(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#));
    }
    for (index, id) in ids.iter().enumerate() {
        let id: Value = serde_json::from_str(id).unwrap();
        let answer = host.wait_for(&id.to_string(), |message| message["id"] == id).await;
        assert_eq!(text_of(&answer["result"]), format!("text {index}"), "{id}");
    }
    host.write(r#"{"jsonrpc":"2.0","id":"8","method":"x/unknown"}"#);
    assert_eq!(host.wait_for("\"8\"", |message| message["id"] == "8").await["error"]["code"], -32601);
}

#[tokio::test]
async fn fb_b29_calls_at_the_same_time_get_their_own_results_and_progress() {
    for (host_era, era) in COMBINATIONS {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let host = Setup::new(server.url()).start(host_era).await;
        let mut sent = Vec::new();
        for index in 0..10_u64 {
            // The later it was asked, the sooner it is answered.
            let steps = 10 - index;
            let params = json!({
                "name": "slow", "arguments": {"steps": steps, "delay_ms": 5},
                "_meta": {"progressToken": format!("token {index}")},
            });
            sent.push((host.send("tools/call", params), steps, format!("token {index}")));
        }
        for (id, steps, token) in sent {
            let result = host.response(id).await["result"].take();
            assert!(text_of(&result).contains(&steps.to_string()), "{host_era:?} {era:?} {steps}: {result}");
            let reports =
                host.messages().into_iter().filter(|message| message["params"]["progressToken"] == token);
            assert_eq!(reports.count() as u64, steps, "{host_era:?} {era:?} {token}");
        }
    }
}

/// Two tools that ask, each in words of its own.
fn two_that_ask(era: FakeEra) -> FakeMcpServer {
    let ask = |name: &str| {
        let params = json!({"message": name, "requestedSchema": {"type": "object", "properties": {}}});
        FakeTool::asking(name, "elicitation/create", params)
    };
    FakeMcpServer::builder().era(era).tool(ask("one")).tool(ask("other")).start().unwrap()
}

fn answer_to(name: &str) -> Value {
    json!({"action": "accept", "content": {"name": format!("answer to {name}")}})
}

#[tokio::test]
async fn fb_b30_an_answer_belongs_to_its_question_whatever_is_asked_meanwhile() {
    for (host_era, era) in COMBINATIONS {
        let server = two_that_ask(era);
        let setup = Setup::new(server.url()).capabilities(json!({"elicitation": {}}));
        let mut host = setup.start(host_era).await;
        let names = ["one", "other"];
        let mut results = Vec::new();
        match host_era {
            HostEra::Legacy => {
                let mut calls = Vec::new();
                for name in names {
                    calls.push(host.send("tools/call", json!({"name": name, "arguments": {}})));
                }
                let mut questions = Vec::new();
                for name in names {
                    let is_it = |message: &Value| {
                        message["method"] == "elicitation/create" && message["params"]["message"] == name
                    };
                    questions.push((name, host.wait_for(name, is_it).await));
                }
                for (name, question) in questions.iter().rev() {
                    host.answer(question, answer_to(name));
                }
                for (name, id) in names.into_iter().zip(calls) {
                    results.push((name, host.response(id).await["result"].take()));
                }
            }
            HostEra::Modern => {
                let mut asked = Vec::new();
                for name in names {
                    asked.push((name, host.call(name, json!({})).await));
                }
                for (name, asked) in asked.into_iter().rev() {
                    // Without the answer it is asked again, and nothing else.
                    let state = &asked["requestState"];
                    let retry = json!({"name": name, "arguments": {}, "requestState": state});
                    let asked = host.ask("tools/call", retry).await;
                    results.push((name, answered(&mut host, name, &asked).await));
                }
            }
        }
        for (name, result) in results {
            let expected = format!("answer to {name}");
            assert!(text_of(&result).contains(&expected), "{host_era:?} {era:?} {name}: {result}");
        }
    }
}

/// Makes a call of a modern host again, with the answer to its only question.
async fn answered(host: &mut Host, name: &str, asked: &Value) -> Value {
    let (key, request) = asked["inputRequests"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(request["params"]["message"], name);
    let retry = json!({
        "name": name, "arguments": {}, "requestState": asked["requestState"],
        "inputResponses": {key: answer_to(name)},
    });
    host.ask("tools/call", retry).await
}

#[tokio::test]
async fn the_server_hears_that_a_resource_is_not_wanted_any_more() {
    for (host_era, era) in COMBINATIONS {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let host = Setup::new(server.url()).start(host_era).await;
        let mut stream = 0;
        match host_era {
            HostEra::Legacy => drop(host.ask("resources/subscribe", json!({"uri": URI})).await),
            HostEra::Modern => {
                let filter = json!({"resourceSubscriptions": [URI]});
                stream = host.send("subscriptions/listen", json!({"notifications": filter}));
            }
        }
        // The first stream is the connection's own.
        match era {
            FakeEra::Legacy => {
                eventually("the subscription", || server.count("resources/subscribe") == 1).await;
                server.wait_for_streams(1).await;
            }
            _ => server.wait_for_streams(2).await,
        }
        match host_era {
            HostEra::Legacy => drop(host.ask("resources/unsubscribe", json!({"uri": URI})).await),
            HostEra::Modern => host.tell("notifications/cancelled", Some(json!({"requestId": stream}))),
        }
        let has_heard = || match era {
            FakeEra::Legacy => server.count("resources/unsubscribe") == 1,
            _ => server.open_streams() == 1,
        };
        eventually(&format!("{host_era:?} {era:?}: the end of the wish"), has_heard).await;
    }
}

#[tokio::test]
async fn what_a_modern_host_did_not_subscribe_to_it_is_not_told_when_the_server_is_back() {
    let server = FakeMcpServer::builder().era(FakeEra::Dual).start().unwrap();
    server.go_down();
    let host = Setup::new(server.url()).start(HostEra::Modern).await;
    host.send("subscriptions/listen", json!({"notifications": {"promptsListChanged": true}}));
    assert_eq!(host.ask("tools/list", json!({})).await["tools"], json!([]));
    server.come_up().unwrap();
    // Of the three lists that may have changed it is the last that is told of.
    host.heard("notifications/prompts/list_changed").await;
    for list in ["tools", "resources"] {
        assert_eq!(host.count(&format!("notifications/{list}/list_changed")), 0, "{list}");
    }
}
