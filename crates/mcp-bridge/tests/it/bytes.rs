//! What is passed on without a change.

use mcp_testkit::{FakeEra, FakeMcpServer, FakeTool, HttpAnswer, ScriptedAnswer};
use serde_json::json;

use crate::support::{Host, HostEra, Setup};

/// A result in a spelling that no serialiser of ours would choose.
const ODD: &str = r#"{ "content" : [ ], "unknown":{"n":1.000000000000000000001,"big":123456789012345678901234567890,"e":1E+2},"\u0061":"\u00e9\/" ,"resultType":"complete"}"#;

fn odd_answer(id: &str) -> ScriptedAnswer {
    let body = format!(r#"{{"jsonrpc":"2.0","result":{ODD},"id":{id}}}"#);
    HttpAnswer::new(200).body("application/json", body).into()
}

async fn result_line(host: &Host, id: i64) -> String {
    host.response(id).await;
    let start = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#);
    let lines = host.lines();
    let line = lines.iter().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{lines:#?}"));
    line.strip_prefix(&start).unwrap().strip_suffix('}').unwrap().to_owned()
}

#[tokio::test]
async fn results_keep_every_byte_but_those_that_only_the_other_era_has() {
    for (host_era, era) in [
        (HostEra::Legacy, FakeEra::Legacy),
        (HostEra::Modern, FakeEra::Modern),
        (HostEra::Legacy, FakeEra::Modern),
    ] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let host = Setup::new(server.url()).start(host_era).await;
        // The stream of changes has an id too.
        server.wait_for_streams(1).await;
        host.call("echo", json!({"text": "x"})).await;
        let recorded = server.recorder().matching(|r| r.rpc_method().as_deref() == Some("tools/call"));
        // The ids of a connection are counted.
        let next = recorded[0].json().unwrap()["id"].as_i64().unwrap() + 1;
        server.next_answers_to("tools/call", [odd_answer(&next.to_string())]);
        let id = host.send("tools/call", json!({"name": "echo", "arguments": {}}));
        let is_foreign = host_era == HostEra::Legacy && era == FakeEra::Modern;
        let expected =
            if is_foreign { ODD.replace(r#" ,"resultType":"complete""#, "") } else { ODD.to_owned() };
        assert_eq!(result_line(&host, id).await, expected, "{host_era:?} {era:?}");
    }
}

#[tokio::test]
async fn fb_b37_parameters_keep_every_byte_between_sides_of_one_era() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let host = Setup::new(server.url()).start(HostEra::Legacy).await;
    let params = r#"{ "name":"echo" ,"arguments":{"text":"\u00e9","n":1.0000000000000000001},"unknown":[ ]}"#;
    host.write(&format!(r#"{{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{params}}}"#));
    host.wait_for("the answer", |message| message["id"] == "x").await;
    let sent = server.recorder().matching(|r| r.rpc_method().as_deref() == Some("tools/call"));
    let body = String::from_utf8(sent[0].body.to_vec()).unwrap();
    assert!(body.ends_with(&format!(r#","method":"tools/call","params":{params}}}"#)), "{body}");

    let server = FakeMcpServer::builder().era(FakeEra::Modern).start().unwrap();
    let host = Setup::new(server.url()).start(HostEra::Modern).await;
    let meta = r#"{"io.modelcontextprotocol/clientCapabilities":{ },"x/own":1.0,"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
    let params = format!(r#"{{ "name":"echo" ,"arguments":{{"text":"\u00e9"}},"_meta":{meta}}}"#);
    host.write(&format!(r#"{{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{params}}}"#));
    host.wait_for("the answer", |message| message["id"] == "x").await;
    let sent = server.recorder().matching(|r| r.rpc_method().as_deref() == Some("tools/call"));
    let body = String::from_utf8(sent[0].body.to_vec()).unwrap();
    assert!(body.ends_with(&format!(r#","method":"tools/call","params":{params}}}"#)), "{body}");
}

#[tokio::test]
async fn between_two_eras_every_other_member_keeps_its_bytes() {
    let odd = [
        r#""arguments":{"text":"\u00e9","n":1.0000000000000000001}"#,
        r#""unknown":[ ]"#,
        r#""x/own":1.0E+0"#,
    ];
    let result =
        r#"{ "content" : [ ],"unknown":{"n":1.000000000000000000001,"":[ ]},"_meta":{"x/own":"\u00e9\/"} }"#;
    for (host_era, era, meta) in [
        (HostEra::Legacy, FakeEra::Modern, ""),
        (
            HostEra::Modern,
            FakeEra::Legacy,
            r#""io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/protocolVersion":"2026-07-28","#,
        ),
    ] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let host = Setup::new(server.url()).start(host_era).await;
        host.call("echo", json!({"text": "x"})).await;
        server.next_answers_to("tools/call", [ScriptedAnswer::RpcText(result.to_owned())]);
        let [arguments, unknown, own] = odd;
        let params = format!(r#"{{ "name":"echo" ,{arguments},{unknown},"_meta":{{{meta}{own}}}}}"#);
        host.write(&format!(r#"{{"jsonrpc":"2.0","id":99,"method":"tools/call","params":{params}}}"#));
        let line = result_line(&host, 99).await;
        let sent = server.recorder().matching(|r| r.rpc_method().as_deref() == Some("tools/call"));
        let body = String::from_utf8(sent.last().unwrap().body.to_vec()).unwrap();
        for part in odd {
            assert!(body.contains(part), "{host_era:?} {part}: {body}");
        }
        let added = if host_era == HostEra::Modern { r#""resultType":"complete","# } else { "" };
        assert_eq!(line, format!("{{{added}{}", &result[1..]), "{host_era:?}");
    }
}

#[tokio::test]
async fn unknown_methods_and_notifications_survive() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    server.always_to("x/future", ScriptedAnswer::RpcResult(json!({"any": [1, {"thing": null}]})));
    let host = Setup::new(server.url()).start(HostEra::Legacy).await;
    assert_eq!(host.ask("x/future", json!({"a": 1})).await, json!({"any": [1, {"thing": null}]}));
    server.wait_for_streams(1).await;
    server.push(&json!({"jsonrpc": "2.0", "method": "notifications/x", "params": {"deep": [1.5]}}));
    assert_eq!(host.heard("notifications/x").await["params"], json!({"deep": [1.5]}));
    host.tell("notifications/y", Some(json!({"b": 2})));
    crate::support::eventually("the notification", || server.count("notifications/y") == 1).await;
}

#[tokio::test]
async fn an_error_of_the_server_is_the_hosts_error() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let body =
        json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32000, "message": "busy", "data": {"x": 1}}});
    let host = Setup::new(server.url()).start(HostEra::Legacy).await;
    host.call("echo", json!({"text": "x"})).await;
    server.next_answers_to(
        "tools/call",
        [
            ScriptedAnswer::RpcError { code: 42, message: "own words".into() },
            HttpAnswer::new(400).body("application/json", body.to_string()).into(),
        ],
    );
    let call = json!({"name": "echo", "arguments": {}});
    assert_eq!(host.refused("tools/call", call.clone()).await, json!({"code": 42, "message": "own words"}));
    let busy = json!({"code": -32000, "message": "busy", "data": {"x": 1}});
    assert_eq!(host.refused("tools/call", call).await, busy);
}

#[tokio::test]
async fn mirrored_parameters_reach_a_modern_server_although_the_host_never_listed() {
    let schema =
        json!({"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}});
    let tool = FakeTool::custom(json!({"name": "query", "inputSchema": schema}), json!({"content": []}));
    let server = FakeMcpServer::builder().era(FakeEra::Modern).tool(tool).start().unwrap();
    for host_era in [HostEra::Legacy, HostEra::Modern] {
        let host = Setup::new(server.url()).start(host_era).await;
        assert_eq!(host.call("query", json!({"region": "eu"})).await["content"], json!([]), "{host_era:?}");
    }
}

#[tokio::test]
async fn s_k2_a_message_of_a_host_has_a_limit() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let host = Setup::new(server.url()).most_bytes(10_000).start(HostEra::Legacy).await;
    let call = |text: &str| json!({"name": "echo", "arguments": {"text": text}});
    let long =
        json!({"jsonrpc": "2.0", "id": 900, "method": "tools/call", "params": call(&"x".repeat(10_000))});
    host.write(&long.to_string());
    let error = host.wait_for("an error", |message| message.get("error").is_some()).await;
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!(900), &json!(-32600)), "{error}");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("longer than 10000 bytes") && message.contains("limits.hostBytes"), "{message}");
    assert_eq!(host.ask("tools/call", call("x")).await["content"][0]["text"], "x", "the next one is read");
    // What no request was has no id to be told under.
    host.write(&json!({"jsonrpc": "2.0", "id": 1, "result": {"text": "x".repeat(10_000)}}).to_string());
    let is_nobodys = |message: &serde_json::Value| message.get("error").is_some() && message["id"].is_null();
    host.wait_for("an error under null", is_nobodys).await;
    host.write(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#);
    let refused = host
        .wait_for("a word about null", |message| message.to_string().contains("a request whose id is null"))
        .await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(null), &json!(-32600)), "{refused}");
}
