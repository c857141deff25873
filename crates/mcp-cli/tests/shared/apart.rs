//! Who never shares a connection.

use mcp_bridge::SharingRole;
use mcp_testkit::{Accept, FakeEra, FakeMcpServer};
use serde_json::json;

use crate::host::{Host, HostProfile, Stage};

fn server() -> FakeMcpServer {
    FakeMcpServer::builder().era(FakeEra::Legacy).accept(Accept::Any).start().unwrap()
}

/// The `Authorization` of the calls of the tool whose text this is.
fn credentials(server: &FakeMcpServer, text: &str) -> Vec<String> {
    let calls = server.recorder().matching(|request| request.rpc_method().as_deref() == Some("tools/call"));
    let of = calls.iter().filter(|call| String::from_utf8_lossy(&call.body).contains(text));
    of.map(|call| call.header("authorization").unwrap_or("none").to_owned()).collect()
}

#[tokio::test]
async fn other_credentials_never_share_wherever_they_come_from() {
    let server = server();
    let url = server.url();
    let entries = [
        (
            "a header",
            json!({ "url": url.as_str(), "type": "http", "headers": { "Authorization": "Bearer ${WHO}" } }),
        ),
        (
            "a helper",
            json!({ "url": url.as_str(), "type": "http",
                    "headersHelper": "printf '{\"Authorization\":\"Bearer %s\"}' \"$WHO\"" }),
        ),
    ];
    for (what, entry) in entries {
        let stage = Stage::new(entry);
        let made = server.sessions_made();
        let of = |who: &'static str| HostProfile::legacy().env("WHO", who);
        let ann = Host::introduced(&stage, of("ann"), "").await;
        let bob = Host::introduced(&stage, of("bob"), "").await;
        let again = Host::introduced(&stage, of("ann"), "").await;
        for (host, text) in [(&ann, "of ann"), (&bob, "of bob"), (&again, "of ann")] {
            host.echoes(&format!("{what} {text}")).await;
        }
        assert_eq!(credentials(&server, &format!("{what} of ann")), ["Bearer ann"; 2], "{what}");
        assert_eq!(credentials(&server, &format!("{what} of bob")), ["Bearer bob"], "{what}");
        let roles = stage.roles().await;
        assert_eq!(roles[&bob.pid()], SharingRole::Owner { guests: 0 }, "{what}");
        assert_eq!(roles[&again.pid()], SharingRole::Guest { via: ann.pid() }, "{what}");
        assert_eq!(server.sessions_made() - made, 2, "{what}");
        tokio::join!(ann.close(), bob.close(), again.close());
        for entry in std::fs::read_dir(stage.sockets()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!name.contains("ann") && !name.contains("bob"), "{name}");
        }
    }
}

#[tokio::test]
async fn hosts_of_which_a_server_would_be_told_something_else_do_not_share() {
    let server = server();
    let stage = Stage::new(json!({ "type": "http", "url": server.url().as_str() }));
    let plain = Host::introduced(&stage, HostProfile::legacy(), "").await;
    let able = Host::introduced(&stage, HostProfile::legacy().able(json!({ "sampling": {} })), "").await;
    let other = Host::introduced(&stage, HostProfile { name: "another", ..HostProfile::legacy() }, "").await;
    for host in [&plain, &able, &other] {
        host.echoes("x").await;
    }
    assert_eq!(server.sessions_made(), 3);
    let mut clients: Vec<String> = server
        .recorder()
        .matching(|request| request.rpc_method().as_deref() == Some("initialize"))
        .iter()
        .map(|request| serde_json::from_slice::<serde_json::Value>(&request.body).unwrap())
        .map(|body| format!("{} {}", body["params"]["clientInfo"]["name"], body["params"]["capabilities"]))
        .collect();
    clients.sort();
    assert_eq!(clients, ["\"another\" {}", "\"host\" {\"sampling\":{}}", "\"host\" {}"]);
    tokio::join!(plain.close(), able.close(), other.close());
}

#[tokio::test]
async fn an_entry_that_changed_is_followed_by_each_reader_and_none_stays_behind() {
    let (old, new) = (server(), server());
    let stage = Stage::new(json!({ "type": "http", "url": old.url().as_str() }));
    let first = Host::introduced(&stage, HostProfile::legacy(), "").await;
    let second = Host::introduced(&stage, HostProfile::legacy(), "").await;
    stage.owner(&[first.pid(), second.pid()]).await;
    stage.rewrite(json!({ "type": "http", "url": new.url().as_str() }));
    stage.json(&["reconnect", "remote", "--json"]).await;
    for host in [&first, &second] {
        host.echoes("elsewhere").await;
    }
    assert_eq!((old.count("tools/call"), new.count("tools/call")), (0, 2));
    stage.owner(&[first.pid(), second.pid()]).await;
    crate::eventually("the old session is deleted", async || old.sessions() == 0).await;
    tokio::join!(first.close(), second.close());
}
