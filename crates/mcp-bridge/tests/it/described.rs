//! What a host is told of the server behind the bridge when it opens the conversation (behaviour: a bridge answers with the
//! server's own capabilities, instructions and identity).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_bridge::Memory;
use mcp_testkit::{FakeEra, FakeMcpServer, ScriptedAnswer};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Host, HostEra, Setup, eventually};

const BOTH: [HostEra; 2] = [HostEra::Legacy, HostEra::Modern];
const INSTRUCTIONS: &str = "Use wisely.\nAsk before you delete.";
/// A second, and what a loaded machine needs beside it.
const SOON: Duration = Duration::from_secs(10);

/// A description that lives as long as the test.
#[derive(Default)]
struct Kept(Mutex<Option<String>>);

impl Memory for Kept {
    fn recall(&self) -> Option<String> {
        self.0.lock().unwrap().clone()
    }

    fn keep(&self, description: &str) {
        *self.0.lock().unwrap() = Some(description.to_owned());
    }
}

/// A server with tools alone, and a face.
fn server(era: FakeEra) -> FakeMcpServer {
    let identity = json!({
        "name": "wise", "title": "The wise one", "version": "3.1", "websiteUrl": "https://example.com",
        "icons": [{"src": "https://example.com/i.png"}],
    });
    let capabilities = json!({"tools": {}, "x-vendor": {"level": 1.0}});
    let builder = FakeMcpServer::builder().era(era).sessions(false);
    let builder = match era {
        FakeEra::Legacy => builder.always_to(
            "initialize",
            ScriptedAnswer::RpcResult(json!({
                "protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": identity,
                "instructions": INSTRUCTIONS,
            })),
        ),
        _ => builder.always_to(
            "server/discover",
            ScriptedAnswer::RpcResult(json!({
                "supportedVersions": ["2026-07-28"], "capabilities": capabilities, "instructions": INSTRUCTIONS,
                "resultType": "complete", "ttlMs": 0, "cacheScope": "private",
                "_meta": {"io.modelcontextprotocol/serverInfo": identity},
            })),
        ),
    };
    builder.start().unwrap()
}

fn identity(result: &Value, era: HostEra) -> &Value {
    match era {
        HostEra::Legacy => &result["serverInfo"],
        HostEra::Modern => &result["_meta"]["io.modelcontextprotocol/serverInfo"],
    }
}

/// The description of the server above, as it said it.
fn assert_described(result: &Value, era: HostEra, case: &str) {
    assert_eq!(result["instructions"], INSTRUCTIONS, "{case}: {result:#}");
    assert_eq!(
        result["capabilities"],
        json!({"tools": {"listChanged": true}, "x-vendor": {"level": 1.0}}),
        "{case}: nothing that the server does not have"
    );
    let identity = identity(result, era);
    assert_eq!((&identity["name"], &identity["version"]), (&json!("wise"), &json!("3.1")), "{case}");
    assert_eq!(identity["icons"][0]["src"], "https://example.com/i.png", "{case}");
}

async fn end(mut host: Host) {
    host.close_stdin();
    host.ended().await;
}

#[tokio::test]
async fn fb_b32_a_host_hears_what_the_server_says_of_itself() {
    for host_era in BOTH {
        for era in [FakeEra::Legacy, FakeEra::Modern] {
            let case = format!("{host_era:?} host, {era:?} server");
            let server = server(era);
            let host = Setup::new(server.url()).start_silent(host_era);
            assert_described(&host.introduce().await, host_era, &case);
            assert_eq!(host.messages().len(), 1, "{case}: nothing before the answer");
            // It was told the truth, so there is nothing to tell again.
            host.ask("tools/list", json!({})).await;
            assert_eq!(host.count("notifications/tools/list_changed"), 0, "{case}");
            end(host).await;
        }
    }
}

#[tokio::test]
async fn fb_b1_b32_a_server_that_is_slow_is_not_waited_for_and_what_it_has_is_told_later() {
    for host_era in BOTH {
        let server = server(FakeEra::Legacy);
        server.always_to("server/discover", ScriptedAnswer::Hang);
        // The probe is given up after about as long as a bridge waits before it answers for itself.
        server.always_to("initialize", ScriptedAnswer::Late(Duration::from_secs(1)));
        let host = Setup::new(server.url()).start_silent(host_era);
        let began = Instant::now();
        let result = host.introduce().await;
        assert!(began.elapsed() < SOON, "{host_era:?}: {:?}", began.elapsed());
        assert_eq!(identity(&result, host_era)["name"], "internal", "{host_era:?}");
        assert!(result["capabilities"]["prompts"].is_object(), "{host_era:?}: what a bridge can promise");
        let listening = match host_era {
            HostEra::Legacy => None,
            HostEra::Modern => {
                let filter = json!({"toolsListChanged": true});
                Some(host.send("subscriptions/listen", json!({"notifications": filter})))
            }
        };
        // The probe is given up, and the handshake follows.
        let notification = host.heard("notifications/tools/list_changed").await;
        let id = &notification["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
        assert_eq!(id.as_i64(), listening, "{host_era:?}");
        end(host).await;
    }
}

#[tokio::test]
async fn fb_b32_what_was_said_last_time_is_told_at_once_and_also_while_the_server_is_away() {
    for host_era in BOTH {
        for era in [FakeEra::Legacy, FakeEra::Modern] {
            let case = format!("{host_era:?} host, {era:?} server");
            let kept = Arc::new(Kept::default());
            let up = server(era);
            let host = Setup::new(up.url()).memory(kept.clone()).start(host_era).await;
            host.ask("tools/list", json!({})).await;
            eventually("the description is kept", || kept.recall().is_some()).await;
            end(host).await;
            let text = kept.recall().unwrap();
            for word in ["connected", "status", "needs-auth", "tools/list", "\"echo\""] {
                assert!(!text.contains(word), "{case}: a description is neither a status nor a list: {text}");
            }
            // Down, silent, and refusing: none of it takes away what is known.
            for trouble in [ScriptedAnswer::status(503), ScriptedAnswer::Hang, ScriptedAnswer::Refuse] {
                let away = FakeMcpServer::builder().always(trouble.clone()).start().unwrap();
                let mut host = Setup::new(away.url()).memory(kept.clone()).start_silent(host_era);
                let began = Instant::now();
                assert_described(&host.introduce().await, host_era, &format!("{case}, {trouble:?}"));
                assert!(began.elapsed() < SOON, "{case}: {:?}", began.elapsed());
                host.close_stdin();
                drop(host);
            }
            assert_eq!(kept.recall().unwrap(), text, "{case}: what failed changed nothing");
        }
    }
}

#[tokio::test]
async fn fb_b32_a_description_that_is_no_longer_true_is_corrected() {
    for host_era in BOTH {
        let kept = Arc::new(Kept::default());
        let first = server(FakeEra::Legacy);
        let host = Setup::new(first.url()).memory(kept.clone()).start(host_era).await;
        host.ask("tools/list", json!({})).await;
        eventually("the description is kept", || kept.recall().is_some()).await;
        end(host).await;
        // The same entry leads to a server that has resources and prompts by now.
        let other = FakeMcpServer::builder().era(FakeEra::Legacy).instructions("Other.").start().unwrap();
        let host = Setup::new(other.url()).memory(kept.clone()).start_silent(host_era);
        assert_described(&host.introduce().await, host_era, "as before");
        if host_era == HostEra::Legacy {
            host.tell("notifications/initialized", None);
            // Heard after the handshake, however early the server was connected.
            host.ask("tools/list", json!({})).await;
        } else {
            let filter = json!({"toolsListChanged": true, "resourcesListChanged": true});
            host.send("subscriptions/listen", json!({"notifications": filter}));
        }
        eventually("the new description is kept", || kept.recall().unwrap().contains("Other.")).await;
        host.heard("notifications/resources/list_changed").await;
        end(host).await;
        let host = Setup::new(other.url()).memory(kept.clone()).start_silent(host_era);
        assert_eq!(host.introduce().await["instructions"], "Other.", "{host_era:?}");
        end(host).await;
    }
}

/// Scripts write all their lines at once, and read the answers in their order.
#[tokio::test]
async fn fb_b1_what_is_written_behind_the_handshake_is_answered_behind_it() {
    let server = server(FakeEra::Legacy);
    let mut host = Setup::new(server.url()).start_silent(HostEra::Legacy);
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "h", "version": "1"}});
    let first = host.send("initialize", params);
    host.tell("notifications/initialized", None);
    let second = host.send("tools/list", json!({}));
    let third = host.send("tools/call", json!({"name": "echo", "arguments": {"text": "x"}}));
    host.close_stdin();
    for id in [first, second, third] {
        host.response(id).await;
    }
    assert_eq!(host.messages()[0]["id"], first, "{:#?}", host.lines());
    host.ended().await;
}
