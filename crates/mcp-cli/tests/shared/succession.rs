//! The end of the bridge that keeps the connection.

use std::time::Duration;

use futures_util::future::join_all;
use mcp_testkit::{FakeEra, FakeMcpServer};
use serde_json::{Value, json};

use crate::host::{Host, HostProfile, Stage};

fn slow(host: &Host) -> impl Future<Output = Value> + use<> {
    host.send("tools/call", json!({ "name": "slow", "arguments": { "steps": 1, "delay_ms": 600 } }))
}

async fn company(server: &FakeMcpServer, manner: HostProfile) -> (Stage, Host, Vec<Host>) {
    let stage = Stage::new(json!({ "type": "http", "url": server.url().as_str() }));
    let hosts: Vec<Host> =
        join_all(["a", "b", "c"].map(|word| Host::introduced(&stage, manner.clone(), word))).await;
    let owner = stage.owner(&hosts.iter().map(Host::pid).collect::<Vec<_>>()).await;
    let (owners, guests): (Vec<Host>, Vec<Host>) = hosts.into_iter().partition(|host| host.pid() == owner);
    (stage, owners.into_iter().next().unwrap(), guests)
}

#[tokio::test]
async fn an_owner_that_is_killed_in_the_middle_of_calls_fails_those_and_nothing_else() {
    for (era, manner) in [(FakeEra::Legacy, HostProfile::legacy()), (FakeEra::Modern, HostProfile::modern())]
    {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let (stage, owner, guests) = company(&server, manner).await;
        let calls: Vec<_> = guests.iter().map(slow).collect();
        let called = || server.count("tools/call") == guests.len();
        crate::eventually("the calls have reached the server", async || called()).await;
        let lists: Vec<_> = guests.iter().map(|guest| guest.send("tools/list", json!({}))).collect();
        owner.kill().await;
        // They may have run, so they are not called again.
        for answer in join_all(calls).await {
            assert_eq!(answer["error"]["data"]["mayHaveRun"], true, "{era:?}: {answer}");
        }
        assert_eq!(server.count("tools/call"), guests.len(), "{era:?}");
        for answer in join_all(lists).await {
            assert!(!answer["result"]["tools"].as_array().unwrap().is_empty(), "{era:?}: {answer}");
        }
        for guest in &guests {
            guest.echoes("it goes on").await;
        }
        let left: Vec<u32> = guests.iter().map(Host::pid).collect();
        stage.owner(&left).await;
        if era == FakeEra::Legacy {
            assert_eq!(server.sessions_made(), 2, "exactly one took over");
        }
        join_all(guests.into_iter().map(Host::close)).await;
    }
}

#[tokio::test]
async fn an_owner_that_ends_in_good_order_fails_nothing() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let (stage, owner, guests) = company(&server, HostProfile::legacy()).await;
    // What is under way is answered by the one that leaves; what comes meanwhile goes elsewhere.
    let calls: Vec<_> = guests.iter().map(slow).collect();
    crate::eventually("the calls have reached the server", async || server.count("tools/call") == 2).await;
    let asking = join_all(guests.iter().map(async |guest| {
        for round in 0..40 {
            guest.echoes(&round.to_string()).await;
            let answer = guest.ask("tools/list", json!({})).await;
            assert!(answer["result"]["tools"].is_array(), "{answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }));
    let (_, (), answers) = tokio::join!(asking, owner.close(), join_all(calls));
    for answer in answers {
        assert!(answer["result"].is_object(), "{answer}");
    }
    stage.owner(&guests.iter().map(Host::pid).collect::<Vec<_>>()).await;
    assert_eq!((server.sessions_made(), server.sessions()), (2, 1));
    join_all(guests.into_iter().map(Host::close)).await;
    assert_eq!((server.sessions(), server.violations()), (0, Vec::<String>::new()));
}

#[tokio::test]
async fn one_after_the_other_ends_and_the_last_still_has_its_server() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let (stage, owner, mut guests) = company(&server, HostProfile::legacy()).await;
    owner.close().await;
    while guests.len() > 1 {
        let owner = stage.owner(&guests.iter().map(Host::pid).collect::<Vec<_>>()).await;
        let at = guests.iter().position(|guest| guest.pid() == owner).unwrap();
        guests.remove(at).kill().await;
    }
    let last = guests.remove(0);
    last.echoes("alone").await;
    stage.owner(&[last.pid()]).await;
    last.close().await;
    assert_eq!(server.violations(), Vec::<String>::new());
}
