//! `mcplink complete`: what a server suggests for a value.

use mcp_testkit::{FakeMcpServer, ScriptedAnswer};
use serde_json::json;

use crate::setting::{Setting, http};

#[test]
fn suggestions_are_printed_best_first_and_what_was_given_goes_along() {
    let server = FakeMcpServer::start().unwrap();
    let completion = json!({ "values": ["flask", "flasgger"], "total": 7, "hasMore": true });
    let result = json!({ "resultType": "complete", "completion": completion });
    server.always_to("completion/complete", ScriptedAnswer::RpcResult(result));
    let setting = Setting::of("s", http(&server));
    let by_prompt = ["complete", "s", "framework", "fla", "--prompt", "review", "--given", "language=py=3"];

    let output = setting.run(&by_prompt, 0);
    assert_eq!(output.stdout, "flask\nflasgger\n");
    assert!(output.stderr.contains("there are more (7 in all)"), "{}", output.stderr);
    let asked = server.requests().pop().unwrap().json().unwrap();
    assert_eq!(asked["params"]["ref"], json!({ "type": "ref/prompt", "name": "review" }));
    assert_eq!(asked["params"]["argument"], json!({ "name": "framework", "value": "fla" }));
    assert_eq!(asked["params"]["context"], json!({ "arguments": { "language": "py=3" } }));

    let output = setting.run(&["complete", "s", "path", "--resource", "file:///{path}", "--json"], 0);
    assert_eq!(output.json(), json!({ "schemaVersion": 1, "completion": completion }));
    let asked = server.requests().pop().unwrap().json().unwrap();
    assert_eq!(asked["params"]["ref"], json!({ "type": "ref/resource", "uri": "file:///{path}" }));
    assert_eq!(asked["params"]["argument"], json!({ "name": "path", "value": "" }));
    assert_eq!(asked["params"].get("context"), None);
}

#[test]
fn a_server_that_suggests_nothing_says_so_and_what_to_do() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    let refuse = |code| {
        server.always_to("completion/complete", ScriptedAnswer::RpcError { code, message: "no".to_owned() });
    };
    refuse(-32601);
    let output = setting.run(&["complete", "s", "x", "--prompt", "p"], 5);
    assert!(output.stderr.contains("s suggests no values"), "{}", output.stderr);
    refuse(-32602);
    let output = setting.run(&["complete", "s", "x", "--prompt", "p"], 5);
    assert!(output.stderr.contains("next: mcplink prompts s"), "{}", output.stderr);
    setting.run(&["complete", "s", "x"], 2);
    setting.run(&["complete", "s", "x", "--prompt", "p", "--given", "nothing"], 2);
}
