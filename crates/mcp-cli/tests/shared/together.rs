//! One connection for many hosts, whose calls and questions stay apart.

use std::time::Duration;

use futures_util::future::join_all;
use mcp_testkit::{FakeEra, FakeMcpServer, FakeTool};
use serde_json::{Value, json};

use crate::host::{Host, HostProfile, Stage};

const ELICITATION: &str = "elicitation/create";

fn asking_server(era: FakeEra) -> FakeMcpServer {
    let form = json!({ "message": "your word?", "requestedSchema": { "type": "object", "properties": {} } });
    let builder = FakeMcpServer::builder().era(era).tools(FakeTool::standard());
    builder.tool(FakeTool::asking("ask", ELICITATION, form)).start().unwrap()
}

fn entry(server: &FakeMcpServer) -> Value {
    json!({ "type": "http", "url": server.url().as_str() })
}

#[tokio::test]
async fn five_bridges_that_start_at_once_elect_one() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let stage = Stage::new(entry(&server));
    let hosts: Vec<Host> =
        (0..5).map(|number| Host::start(&stage, HostProfile::legacy(), &number.to_string())).collect();
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
        [(FakeEra::Legacy, false), (FakeEra::Legacy, true), (FakeEra::Modern, false), (FakeEra::Modern, true)]
    {
        let server = asking_server(era);
        let stage = Stage::new(entry(&server));
        let manner = if modern { HostProfile::modern() } else { HostProfile::legacy() };
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
        if era == FakeEra::Legacy {
            assert_eq!(server.sessions_made(), 1);
        }
        join_all(hosts.into_iter().map(Host::close)).await;
    }
}

#[tokio::test]
async fn progress_goes_to_the_call_that_it_is_of_although_every_host_counts_from_one() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let stage = Stage::new(entry(&server));
        let hosts =
            join_all(["a", "b"].map(|word| Host::introduced(&stage, HostProfile::legacy(), word))).await;
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
            let progress = host.notifications("notifications/progress");
            assert_eq!(progress.len(), steps, "{era:?}: {progress:?}");
            assert!(progress.iter().all(|progress| progress["progressToken"] == 1), "{progress:?}");
        }
        join_all(hosts.into_iter().map(Host::close)).await;
    }
}

#[tokio::test]
async fn a_change_reaches_each_host_that_wants_to_hear_of_it() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let stage = Stage::new(entry(&server));
        let hosts =
            join_all(["a", "b"].map(|word| Host::introduced(&stage, HostProfile::legacy(), word))).await;
        join_all(hosts.iter().map(|host| host.echoes("there"))).await;
        let changed = "notifications/tools/list_changed";
        let before: Vec<usize> = hosts.iter().map(|host| host.notifications(changed).len()).collect();
        crate::eventually("the server has a stream to tell on", async || server.open_streams() > 0).await;
        assert_eq!(server.push_tools_changed(), 1, "one connection has one stream");
        crate::eventually("both have heard", async || {
            hosts.iter().zip(&before).all(|(host, before)| host.notifications(changed).len() == before + 1)
        })
        .await;
        join_all(hosts.into_iter().map(Host::close)).await;
    }
}

#[tokio::test]
async fn hosts_of_both_eras_share_a_server_of_either_and_get_its_bytes() {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        let stage = Stage::new(entry(&server));
        let (legacy, modern) = tokio::join!(
            Host::introduced(&stage, HostProfile::legacy(), "l"),
            Host::introduced(&stage, HostProfile::modern(), "m")
        );
        for round in 0..3 {
            let texts = [format!("l{round}"), format!("m{round}")];
            tokio::join!(legacy.echoes(&texts[0]), modern.echoes(&texts[1]));
        }
        stage.owner(&[legacy.pid(), modern.pid()]).await;
        if era == FakeEra::Legacy {
            assert_eq!(server.sessions_made(), 1);
        }
        tokio::join!(legacy.close(), modern.close());
        assert_eq!(server.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_server_is_told_the_roots_of_all_and_that_they_change_when_a_host_comes() {
    let builder = FakeMcpServer::builder().era(FakeEra::Legacy).tools(FakeTool::standard());
    let server = builder.tool(FakeTool::asking("where", "roots/list", json!({}))).start().unwrap();
    let stage = Stage::new(entry(&server));
    let manner = HostProfile::legacy().able(json!({ "roots": { "listChanged": true } }));
    let first = Host::introduced(&stage, manner.clone(), "a").await;
    let roots = async |host: &Host| {
        let answer = host.call("where", json!({})).await;
        let text = answer["result"]["content"][0]["text"].as_str().unwrap().to_owned();
        ["file:///a", "file:///b"].map(|root| text.contains(root))
    };
    assert_eq!(roots(&first).await, [true, false]);
    let changed = "notifications/roots/list_changed";
    let before = server.count(changed);
    let second = Host::introduced(&stage, manner, "b").await;
    crate::eventually("the server hears of the second host", async || server.count(changed) > before).await;
    assert_eq!((roots(&first).await, roots(&second).await), ([true, true], [true, true]));
    let before = server.count(changed);
    second.close().await;
    crate::eventually("the server hears that it has gone", async || server.count(changed) > before).await;
    assert_eq!(roots(&first).await, [true, false]);
    first.close().await;
}

#[tokio::test]
async fn a_resource_is_subscribed_to_once_and_told_of_to_those_who_asked() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let stage = Stage::new(entry(&server));
    let hosts =
        join_all(["a", "b", "c"].map(|word| Host::introduced(&stage, HostProfile::legacy(), word))).await;
    let resource = json!({ "uri": "file:///x" });
    for host in &hosts[..2] {
        assert!(host.ask("resources/subscribe", resource.clone()).await["result"].is_object());
    }
    join_all(hosts.iter().map(|host| host.echoes("there"))).await;
    crate::eventually("the server hears of it", async || server.count("resources/subscribe") > 0).await;
    crate::eventually("the server has a stream to tell on", async || server.open_streams() > 0).await;
    let updated = "notifications/resources/updated";
    let heard = || hosts.iter().map(|host| host.notifications(updated).len()).collect::<Vec<_>>();
    let push = || server.push(&json!({ "jsonrpc": "2.0", "method": updated, "params": resource }));
    // The wish of the second one may still be on its way; the third one has none.
    crate::eventually("both have heard", async || push() > 0 && heard()[0] > 0 && heard()[1] > 0).await;
    assert_eq!(heard()[2], 0);
    assert_eq!(server.count("resources/subscribe"), 1, "to the server they are one client");
    hosts[0].ask("resources/unsubscribe", resource.clone()).await;
    crate::eventually("only the other one still hears", async || {
        let before = heard();
        push();
        tokio::time::sleep(Duration::from_millis(50)).await;
        heard()[0] == before[0] && heard()[1] > before[1]
    })
    .await;
    assert_eq!(server.count("resources/unsubscribe"), 0);
    hosts[1].ask("resources/unsubscribe", resource.clone()).await;
    crate::eventually("it is not wanted", async || server.count("resources/unsubscribe") == 1).await;
    join_all(hosts.into_iter().map(Host::close)).await;
}

#[tokio::test]
async fn a_local_server_is_started_once_and_again_by_its_next_owner() {
    // It tells its process in each answer, and ends with its input.
    const CODE: &str = r#"
while IFS= read -r line; do
  id=$(printf '%s' "$line" | grep -o '"id":[0-9]*' | head -n 1 | cut -d: -f2)
  case $line in
    *'"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"tools/call"'*) result="{\"content\":[{\"type\":\"text\",\"text\":\"$$\"}]}" ;;
    *) result='{}' ;;
  esac
  [ -z "$id" ] || printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$result"
done
"#;
    let stage = Stage::new(json!({ "command": "sh", "args": ["-c", CODE] }));
    let hosts =
        join_all(["a", "b", "c"].map(|word| Host::introduced(&stage, HostProfile::legacy(), word))).await;
    let process = async |host: &Host| {
        let answer = host.call("which", json!({})).await;
        let text = answer["result"]["content"][0]["text"].as_str();
        text.unwrap_or_else(|| panic!("{answer}")).parse::<u32>().unwrap()
    };
    let processes = join_all(hosts.iter().map(process)).await;
    assert_eq!(processes, [processes[0]; 3]);
    let owner = stage.owner(&hosts.iter().map(Host::pid).collect::<Vec<_>>()).await;
    let (owners, guests): (Vec<Host>, Vec<Host>) = hosts.into_iter().partition(|host| host.pid() == owner);
    join_all(owners.into_iter().map(Host::close)).await;
    assert!(!mcp_harness::process_is_alive(processes[0]));
    let next = join_all(guests.iter().map(process)).await;
    assert_eq!(next, [next[0]; 2]);
    assert_ne!(next[0], processes[0]);
    join_all(guests.into_iter().map(Host::close)).await;
    assert!(!mcp_harness::process_is_alive(next[0]));
}
