//! What others see of a guest, and what they can do about it.

use mcp_testkit::{Accept, FakeEra, FakeMcpServer};
use serde_json::json;

use crate::host::{Host, HostProfile, Stage};

#[tokio::test]
async fn a_guest_of_an_owner_without_a_connection_says_why_as_the_owner_does() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).accept(Accept::Nothing).start().unwrap();
    let entry =
        json!({ "type": "http", "url": server.url().as_str(), "headers": { "Authorization": "Bearer x" } });
    let stage = Stage::new(entry);
    let owner = Host::introduced(&stage, HostProfile::legacy(), "").await;
    let refused = ("needs-auth".to_owned(), Some("credentials-rejected".to_owned()));
    crate::eventually("the owner is refused", async || stage.status(owner.pid()).await == refused).await;
    let asked = server.count("initialize");
    let guest = Host::introduced(&stage, HostProfile::legacy(), "").await;
    crate::eventually("the guest says the same", async || stage.status(guest.pid()).await == refused).await;
    let answers = [&owner, &guest].map(|host| host.send("tools/call", json!({ "name": "echo" })));
    let [first, second] = <[_; 2]>::try_from(futures_util::future::join_all(answers).await).unwrap();
    assert_eq!(first["error"], second["error"]);
    assert_eq!(second["error"]["data"]["status"], "needs-auth", "{second}");
    assert!(second["error"]["data"]["next"].is_string(), "{second}");
    assert_eq!(server.count("initialize"), asked, "a refused server is not asked again");

    server.accept(Accept::Any);
    let document = stage.json(&["reconnect", "remote", "--json"]).await;
    let reconnected = document["servers"][0]["reconnected"].as_array().unwrap();
    assert_eq!(reconnected.len(), 2, "{document:#}");
    assert!(reconnected.iter().all(|session| session["status"] == "connected"), "{document:#}");
    for host in [&owner, &guest] {
        host.echoes("there").await;
    }
    tokio::join!(owner.close(), guest.close());
}

#[tokio::test]
async fn a_guest_that_joins_an_owner_in_the_middle_of_its_retries_shows_what_that_shows() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let stage = Stage::new(json!({ "type": "http", "url": server.url().as_str() }));
    server.go_down();
    let owner = Host::introduced(&stage, HostProfile::legacy(), "").await;
    let unreachable = ("failed".to_owned(), Some("unreachable".to_owned()));
    let joins = async |said: &str| {
        let guest = Host::introduced(&stage, HostProfile::legacy(), "").await;
        let mut shown = Vec::new();
        crate::eventually("both show the same", async || {
            let [first, second] = stage.shown([owner.pid(), guest.pid()]).await;
            shown.push(second.clone());
            first == second && first[1] == said
        })
        .await;
        (guest, shown)
    };
    crate::eventually("the owner retries", async || stage.status(owner.pid()).await.0 == "pending").await;
    let (retrying, _) = joins("retrying").await;
    crate::eventually("the owner gave up", async || stage.status(owner.pid()).await == unreachable).await;
    let (probing, shown) = joins("unreachable").await;
    // It does not begin at the beginning: what the owner tried counts.
    assert!(shown.iter().all(|shown| shown[1] != "retrying"), "{shown:?}");
    let answers = [&owner, &probing].map(|host| host.send("tools/call", json!({ "name": "echo" })));
    let [first, second] = <[_; 2]>::try_from(futures_util::future::join_all(answers).await).unwrap();
    assert_eq!(first["error"]["data"]["status"], second["error"]["data"]["status"]);
    server.come_up().unwrap();
    for host in [&owner, &retrying, &probing] {
        crate::eventually("it is back", async || stage.status(host.pid()).await.0 == "connected").await;
        host.echoes("back").await;
    }
    tokio::join!(owner.close(), retrying.close(), probing.close());
}

#[tokio::test]
async fn a_server_that_comes_back_is_back_for_every_caller() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let stage = Stage::new(json!({ "type": "http", "url": server.url().as_str() }));
    let owner = Host::introduced(&stage, HostProfile::legacy(), "").await;
    let guest = Host::introduced(&stage, HostProfile::legacy(), "").await;
    stage.owner(&[owner.pid(), guest.pid()]).await;
    server.go_down();
    // It is never sent, so it waits for the server.
    let call = guest.send("tools/call", json!({ "name": "echo", "arguments": { "text": "late" } }));
    for pid in [owner.pid(), guest.pid()] {
        crate::eventually("it is seen to be down", async || stage.status(pid).await.0 != "connected").await;
    }
    server.come_up().unwrap();
    for pid in [owner.pid(), guest.pid()] {
        crate::eventually("it is back", async || stage.status(pid).await.0 == "connected").await;
    }
    let answer = call.await;
    assert_eq!(answer["result"]["content"][0]["text"], "late", "{answer}");
    for host in [&owner, &guest] {
        host.echoes("back").await;
    }
    tokio::join!(owner.close(), guest.close());
}

#[tokio::test]
async fn status_ps_and_doctor_show_who_shares_and_reconnect_reaches_the_connection_behind_a_guest() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let stage = Stage::new(json!({ "type": "http", "url": server.url().as_str() }));
    let owner = Host::introduced(&stage, HostProfile::legacy(), "").await;
    let guest = Host::introduced(&stage, HostProfile::legacy(), "").await;
    stage.owner(&[owner.pid(), guest.pid()]).await;
    let document = stage.json(&["status", "remote", "--offline", "--json"]).await;
    let shared = |pid: u32| {
        let sessions = document["servers"][0]["sessions"].as_array().unwrap();
        sessions.iter().find(|session| session["session"] == pid).unwrap()["shared"].clone()
    };
    assert_eq!(shared(owner.pid()), json!({ "guests": 1 }));
    assert_eq!(shared(guest.pid()), json!({ "via": owner.pid() }));
    let text = stage.mcplink(&["status", "--offline"]).output().await.unwrap().stdout;
    let text = String::from_utf8(text).unwrap();
    let line = format!("session {} (bridge of host 1, shared: via {}) connected", guest.pid(), owner.pid());
    assert!(text.contains(&line), "{text}");

    let document = stage.json(&["ps", "--json"]).await;
    let role = |pid: u32| {
        let sessions = document["sessions"].as_array().unwrap();
        sessions.iter().find(|session| session["session"] == pid).unwrap()["shared"].clone()
    };
    assert_eq!(
        (role(owner.pid()), role(guest.pid())),
        (json!({ "guests": 1 }), json!({ "via": owner.pid() }))
    );
    let text = stage.mcplink(&["ps"]).output().await.unwrap().stdout;
    let text = String::from_utf8(text).unwrap();
    for (pid, state) in [
        (owner.pid(), "connected, shared with 1 more".to_owned()),
        (guest.pid(), format!("connected, shared: via {}", owner.pid())),
    ] {
        let line = text.lines().find(|line| line.starts_with(&pid.to_string()));
        assert!(line.is_some_and(|line| line.ends_with(&state)), "{state}: {text}");
    }
    let document = stage.json(&["doctor", "remote", "--json"]).await;
    let checks = document["servers"][0]["checks"].as_array().unwrap();
    let sessions = checks.iter().find(|check| check["topic"] == "sessions").unwrap();
    assert_eq!(sessions["message"], "2 are live, on 1 connection", "{sessions:#}");
    let lines = sessions["more"].as_array().unwrap();
    for line in [
        format!("{} (bridge of host 1, shared with 1 more) connected", owner.pid()),
        format!("{} (bridge of host 1, shared: via {}) connected", guest.pid(), owner.pid()),
    ] {
        assert!(lines.contains(&json!(line)), "{line}: {sessions:#}");
    }

    let made = server.sessions_made();
    stage.reconnect(guest.pid()).await;
    assert_eq!(server.sessions_made() - made, 1, "the connection itself was made again, once");
    stage.owner(&[owner.pid(), guest.pid()]).await;
    for host in [&owner, &guest] {
        host.echoes("again").await;
    }
    assert_eq!(server.sessions(), 1);
    tokio::join!(owner.close(), guest.close());
}
