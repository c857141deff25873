//! A bridge of another program: what its host reads names that program, its provider and its commands, and nothing of ours.

use serde_json::json;

use crate::support::{Host, HostEra};
use mcp_testkit::{FakeEra, FakeMcpServer};

#[path = "../../examples/own_bridge.rs"]
#[expect(dead_code, reason = "a test has no command line")]
mod own_bridge;

#[tokio::test]
async fn s_n17_a_bridge_of_another_program_names_that_program_and_no_other() {
    for era in [HostEra::Legacy, HostEra::Modern] {
        let home = tempfile::tempdir().unwrap();
        let token = home.path().join("token");
        let server = FakeMcpServer::builder().era(FakeEra::Dual).accept("right").start().unwrap();
        let start = || Host::of(own_bridge::bridge("internal", server.url(), token.clone()), era);

        let host = start();
        host.introduce().await;
        let error = host.refused("tools/call", json!({"name": "echo", "arguments": {"text": "x"}})).await;
        let message = error["message"].as_str().unwrap();
        let missing = "failed to read the token of acme: entity not found";
        // What the credentials say themselves, and no guess beside it.
        assert_eq!(message, format!("internal needs authentication: {missing}; next: run `acme login`"));
        let data = &error["data"];
        assert_eq!((&data["source"], &data["next"]), (&json!("acme"), &json!("run `acme login`")));
        let reason = &data["reason"];
        assert_eq!(
            (&reason["code"], &reason["provider"], &reason["next"]),
            (&json!("credentials-failed"), &json!("acme-agent"), &data["next"])
        );

        std::fs::write(&token, "wrong").unwrap();
        let host = start();
        host.introduce().await;
        let error = host.refused("tools/call", json!({"name": "echo", "arguments": {"text": "x"}})).await;
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("the server refused the credentials of acme-agent"), "{message}");
        assert!(message.ends_with("; next: acme login internal"), "{message}");
        for word in ["mcplink", "claude", "headersHelper", "headers-helper", "OAuth"] {
            assert!(!host.lines().concat().contains(word), "{word}: {:?}", host.lines());
        }

        std::fs::write(&token, "right").unwrap();
        let host = start();
        host.introduce().await;
        let result = host.call("echo", json!({"text": "x"})).await;
        assert_eq!(result["content"][0]["text"], "x", "{result}");
        let agents = server.requests();
        let is_its_own = |value: Option<&str>| value.is_some_and(|value| value.starts_with("acme/"));
        assert!(agents.iter().all(|request| is_its_own(request.header("user-agent"))), "{era:?}");
    }
}
