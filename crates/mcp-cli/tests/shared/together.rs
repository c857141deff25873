//! One connection for many hosts, whose calls and questions stay apart.

use futures_util::future::join_all;
use mcp_testkit::{Era, FakeMcpServer, Tool};
use serde_json::{Value, json};

use crate::host::{Host, Manner, Stage};

const ELICITATION: &str = "elicitation/create";

fn asking_server(era: Era) -> FakeMcpServer {
    let form = json!({ "message": "your word?", "requestedSchema": { "type": "object", "properties": {} } });
    let builder = FakeMcpServer::builder().era(era).tools(Tool::standard());
    builder.tool(Tool::asking("ask", ELICITATION, form)).start().unwrap()
}

fn entry(server: &FakeMcpServer) -> Value {
    json!({ "type": "http", "url": server.url().as_str() })
}

#[tokio::test]
async fn five_bridges_that_start_at_once_elect_one() {
    let server = FakeMcpServer::builder().era(Era::Legacy).start().unwrap();
    let stage = Stage::new(entry(&server));
    let hosts: Vec<Host> =
        (0..5).map(|number| Host::start(&stage, Manner::legacy(), &number.to_string())).collect();
    join_all(hosts.iter().enumerate().map(async |(number, host)| {
        host.introduce().await;
        for call in 0..10 {
            host.echoes(&format!("{number} {call}")).await;
        }
    }))
    .await;
    let pids: Vec<u32> = hosts.iter().map(Host::pid).collect();
    stage.owner(&pids).await;
    assert_eq!((server.sessions_made(), server.count("initialize")), (1, 1));
    join_all(hosts.into_iter().map(Host::close)).await;
    assert_eq!((server.sessions(), server.violations()), (0, Vec::<String>::new()));
    let left: Vec<_> = std::fs::read_dir(stage.sockets())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "shared" || extension == "sock"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn each_question_reaches_the_host_whose_call_caused_it() {
    for (era, modern) in
        [(Era::Legacy, false), (Era::Legacy, true), (Era::Modern, false), (Era::Modern, true)]
    {
        let server = asking_server(era);
        let stage = Stage::new(entry(&server));
        let manner = if modern { Manner::modern() } else { Manner::legacy() };
        let manner = manner.able(json!({ "elicitation": { "form": {} } }));
        let hosts =
            join_all(["a", "b", "c"].map(|word| Host::introduced(&stage, manner.clone(), word))).await;
        // All at once, so that a guess would go wrong.
        for _ in 0..5 {
            join_all(hosts.iter().zip(["a", "b", "c"]).map(async |(host, word)| {
                let answer = host.call("ask", json!({})).await;
                let said = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
                assert!(said.contains(&format!("\"{word}\"")), "{era:?}, modern host {modern}: {answer}");
            }))
            .await;
        }
        for host in &hosts {
            assert_eq!(host.asked(), [ELICITATION; 5], "{era:?}, modern host {modern}");
        }
        if era == Era::Legacy {
            assert_eq!(server.sessions_made(), 1);
        }
        join_all(hosts.into_iter().map(Host::close)).await;
    }
}

#[tokio::test]
async fn progress_goes_to_the_call_that_it_is_of_although_every_host_counts_from_one() {
    for era in [Era::Legacy, Era::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let stage = Stage::new(entry(&server));
        let hosts = join_all(["a", "b"].map(|word| Host::introduced(&stage, Manner::legacy(), word))).await;
        let steps = [2, 5];
        join_all(hosts.iter().zip(steps).map(async |(host, steps)| {
            let arguments = json!({ "steps": steps, "delay_ms": 30 });
            let meta = json!({ "progressToken": 1 });
            let params = json!({ "name": "slow", "arguments": arguments, "_meta": meta });
            let answer = host.ask("tools/call", params).await;
            assert!(answer["result"].is_object(), "{answer}");
        }))
        .await;
        for (host, steps) in hosts.iter().zip(steps) {
            let told = host.told("notifications/progress");
            assert_eq!(told.len(), steps, "{era:?}: {told:?}");
            assert!(told.iter().all(|told| told["progressToken"] == 1), "{told:?}");
        }
        join_all(hosts.into_iter().map(Host::close)).await;
    }
}

#[tokio::test]
async fn a_change_reaches_each_host_that_wants_to_hear_of_it() {
    for era in [Era::Legacy, Era::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let stage = Stage::new(entry(&server));
        let hosts = join_all(["a", "b"].map(|word| Host::introduced(&stage, Manner::legacy(), word))).await;
        join_all(hosts.iter().map(|host| host.echoes("there"))).await;
        let changed = "notifications/tools/list_changed";
        let before: Vec<usize> = hosts.iter().map(|host| host.told(changed).len()).collect();
        crate::eventually("the server has a stream to tell on", async || server.open_streams() > 0).await;
        assert_eq!(server.push_tools_changed(), 1, "one connection has one stream");
        crate::eventually("both have heard", async || {
            hosts.iter().zip(&before).all(|(host, before)| host.told(changed).len() == before + 1)
        })
        .await;
        join_all(hosts.into_iter().map(Host::close)).await;
    }
}

#[tokio::test]
async fn hosts_of_both_eras_share_a_server_of_either_and_get_its_bytes() {
    for era in [Era::Legacy, Era::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let stage = Stage::new(entry(&server));
        let (legacy, modern) = tokio::join!(
            Host::introduced(&stage, Manner::legacy(), "l"),
            Host::introduced(&stage, Manner::modern(), "m")
        );
        for round in 0..3 {
            let texts = [format!("l{round}"), format!("m{round}")];
            tokio::join!(legacy.echoes(&texts[0]), modern.echoes(&texts[1]));
        }
        stage.owner(&[legacy.pid(), modern.pid()]).await;
        if era == Era::Legacy {
            assert_eq!(server.sessions_made(), 1);
        }
        tokio::join!(legacy.close(), modern.close());
        assert_eq!(server.violations(), Vec::<String>::new());
    }
}
