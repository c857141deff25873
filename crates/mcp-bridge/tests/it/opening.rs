//! What a host may tell when it opens the conversation, and how it is turned away.

use std::sync::{Arc, Mutex};

use mcp_bridge::{EndReason, Opening};
use mcp_status::Reason;
use mcp_testkit::{FakeEra, FakeMcpServer, ScriptedAnswer};
use serde_json::json;

use crate::support::{HostEra, Setup};

const CHAIN: &str = "a~0000000000000001";

/// Remembers what was told, and turns away the host that told something.
fn opening(chains: &Arc<Mutex<Vec<Option<String>>>>) -> Opening {
    let chains = chains.clone();
    Arc::new(move |chain| {
        chains.lock().unwrap().push(chain.clone());
        let answer = match chain {
            Some(_) => Err(Reason::self_reference("f:1: leads back to itself: a → a")),
            None => Ok(()),
        };
        Box::pin(std::future::ready(answer))
    })
}

fn first_words(era: HostEra) -> (&'static str, serde_json::Value) {
    let meta = json!({ "io.github.mcplink/chain": CHAIN });
    match era {
        HostEra::Legacy => (
            "initialize",
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "h", "version": "1"},
                   "_meta": meta}),
        ),
        HostEra::Modern => ("server/discover", json!({ "_meta": meta })),
    }
}

#[tokio::test]
async fn s_b2_a_host_that_runs_under_the_entry_is_turned_away_in_either_era() {
    for era in [HostEra::Legacy, HostEra::Modern] {
        let server = FakeMcpServer::builder().era(FakeEra::Dual).start().unwrap();
        let chains = Arc::new(Mutex::new(Vec::new()));
        let mut host = Setup::new(server.url()).opening(opening(&chains)).start_silent(era);
        let (method, params) = first_words(era);
        let error = host.refused(method, params).await;
        assert_eq!(error["data"]["reason"]["code"], "self-reference", "{error:#}");
        assert!(error["message"].as_str().unwrap().contains("leads back to itself: a → a"), "{error:#}");
        assert_eq!(error["data"]["mayHaveRun"], false);
        // Without being asked to: each turn of a loop ends by itself.
        assert_eq!(host.ended().await.0, EndReason::TurnedAway);
        assert_eq!(*chains.lock().unwrap(), [Some(CHAIN.to_owned())]);
        assert_eq!(server.recorder().requests().len(), 0, "nothing is connected to");
    }
}

#[tokio::test]
async fn s_b2_what_a_host_tells_is_for_this_machine_and_asked_once() {
    for era in [HostEra::Legacy, HostEra::Modern] {
        let server = FakeMcpServer::builder().era(FakeEra::Dual).start().unwrap();
        let chains = Arc::new(Mutex::new(Vec::new()));
        let admits: Opening = {
            let chains = chains.clone();
            Arc::new(move |chain| {
                chains.lock().unwrap().push(chain);
                Box::pin(std::future::ready(Ok(())))
            })
        };
        let mut host = Setup::new(server.url()).opening(admits).start_silent(era);
        let (method, params) = first_words(era);
        host.ask(method, params).await;
        host.call("echo", json!({"text": "x"})).await;
        assert_eq!(*chains.lock().unwrap(), [Some(CHAIN.to_owned())]);
        for request in server.recorder().requests() {
            assert!(!String::from_utf8_lossy(&request.body).contains("chain"), "{request:?}");
        }
        host.close_stdin();
        assert_eq!(host.ended().await.0, EndReason::HostGone);
    }
}

/// A host that is this program waits until it is known whether there is a loop, and no longer than that.
#[tokio::test]
async fn s_b2_a_server_that_is_down_keeps_no_handshake_waiting() {
    let server = FakeMcpServer::builder().always(ScriptedAnswer::status(503)).start().unwrap();
    let mut host = Setup::new(server.url()).start_silent(HostEra::Legacy);
    let (method, params) = first_words(HostEra::Legacy);
    let result = host.ask(method, params).await;
    assert_eq!(result["serverInfo"]["name"], "internal", "{result:#}");
    host.close_stdin();
    host.ended().await;
}
