//! What opens and closes a bridge opens and closes a connection that several share.

use mcp_testkit::{FakeEra, FakeMcpServer};
use serde_json::{Value, json};

use crate::eventually;
use crate::host::{Host, HostProfile, Stage};

async fn echo(host: &Host) -> Value {
    host.call("echo", json!({ "text": "x" })).await
}

async fn all_until(hosts: [&Host; 2], what: &str, seen: impl Fn(&Value) -> bool) {
    for host in hosts {
        eventually(what, async || seen(&echo(host).await)).await;
    }
}

#[tokio::test]
async fn fa_a59_s_b1_those_who_share_a_connection_hear_of_an_edit_and_of_a_switch_together() {
    let old = FakeMcpServer::builder().era(FakeEra::Legacy).accept("good").start().unwrap();
    let new = FakeMcpServer::builder().era(FakeEra::Legacy).accept("good").start().unwrap();
    let entry = |server: &FakeMcpServer, token: &str| {
        let headers = json!({ "Authorization": format!("Bearer {token}") });
        json!({ "type": "http", "url": server.url().as_str(), "headers": headers })
    };
    let works = |answer: &Value| answer["result"]["content"][0]["text"] == "x";
    let stage = Stage::new(entry(&old, "bad"));
    let one = Host::introduced(&stage, HostProfile::legacy(), "").await;
    let two = Host::introduced(&stage, HostProfile::legacy(), "").await;
    let both = [&one, &two];
    all_until(both, "it is refused", |answer| answer["error"]["data"]["status"] == "needs-auth").await;
    stage.rewrite(entry(&old, "good"));
    all_until(both, "the token is heard of", works).await;
    stage.owner(&[one.pid(), two.pid()]).await;
    stage.rewrite(entry(&new, "good"));
    let calls = || new.count("tools/call");
    let before = calls();
    all_until(both, "the address is heard of", |answer| works(answer) && calls() > before).await;
    stage.owner(&[one.pid(), two.pid()]).await;
    eventually("the old session is over", async || old.sessions() == 0).await;
    let mut off = entry(&new, "good");
    off["disabled"] = json!(true);
    stage.rewrite(off);
    all_until(both, "the switch is heard of", |answer| answer["error"]["data"]["status"] == "disabled").await;
    eventually("no connection is kept", async || new.sessions() == 0).await;
    stage.rewrite(entry(&new, "good"));
    all_until(both, "the switch is heard of again", works).await;
    tokio::join!(one.close(), two.close());
    eventually("nothing is left", async || new.sessions() == 0).await;
}
