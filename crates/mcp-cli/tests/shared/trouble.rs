//! What must not harm those who share a connection: an owner that hangs, a guest that dies or does not read, a
//! directory that another program cleans.

use std::time::Duration;

use mcp_bridge::SharingRole;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use crate::host::{Host, HostProfile, Stage, legacy_server};

async fn signal(name: &str, pid: u32) {
    let status =
        tokio::process::Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().await;
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn an_owner_that_hangs_keeps_no_bridge_from_a_connection_of_its_own() {
    let server = legacy_server();
    let stage = Stage::at(&server);
    let owner = Host::introduced(&stage, HostProfile::legacy(), "").await;
    owner.echoes("there").await;
    signal("STOP", owner.pid()).await;
    let newcomer = Host::introduced(&stage, HostProfile::legacy(), "").await;
    newcomer.echoes("without it").await;
    assert_eq!(server.sessions_made(), 2);
    signal("CONT", owner.pid()).await;
    owner.echoes("there again").await;
    let roles = stage.roles().await;
    assert_eq!(roles.get(&owner.pid()), Some(&SharingRole::Owner { guests: 0 }));
    assert_eq!(roles.get(&newcomer.pid()), None, "it shares nothing");
    // A person who acts has it look again.
    stage.reconnect(newcomer.pid()).await;
    stage.owner(&[owner.pid(), newcomer.pid()]).await;
    newcomer.echoes("by way of it").await;
    tokio::join!(owner.close(), newcomer.close());
    assert_eq!((server.sessions(), server.violations()), (0, Vec::<String>::new()));
}

#[tokio::test]
async fn the_call_of_a_guest_that_dies_is_cancelled_and_the_others_go_on() {
    let server = legacy_server();
    let stage = Stage::at(&server);
    let owner = Host::introduced(&stage, HostProfile::legacy(), "").await;
    let guest = Host::introduced(&stage, HostProfile::legacy(), "").await;
    assert_eq!(stage.owner(&[owner.pid(), guest.pid()]).await, owner.pid());
    let slow = json!({ "name": "slow", "arguments": { "steps": 1, "delay_ms": 60_000 } });
    drop(guest.send("tools/call", slow));
    crate::eventually("the call has reached the server", async || server.count("tools/call") == 1).await;
    guest.kill().await;
    let cancelled = "notifications/cancelled";
    crate::eventually("the call is cancelled", async || server.count(cancelled) == 1).await;
    owner.echoes("it goes on").await;
    assert_eq!(server.sessions_made(), 1);
    stage.owner(&[owner.pid()]).await;
    owner.close().await;
}

#[tokio::test]
async fn a_guest_that_asks_and_does_not_read_costs_the_owner_little_and_the_others_nothing() {
    const FLOOD: usize = 48 << 20;
    let server = legacy_server();
    let stage = Stage::at(&server);
    let owner = Host::introduced(&stage, HostProfile::legacy(), "").await;
    owner.echoes("there").await;
    let mut stream = BufReader::new(UnixStream::connect(stage.shared_socket()).await.unwrap());
    stream.write_all(b"{\"op\":\"attach\",\"pid\":1,\"wanted\":true}\n").await.unwrap();
    for word in ["here", "connected"] {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert!(line.contains(word), "{line}");
    }
    let flood = tokio::spawn(async move {
        let asked = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}\n".repeat(1024);
        for _ in 0..FLOOD / asked.len() {
            stream.write_all(&asked).await.unwrap();
        }
        stream
    });
    for round in 0..30 {
        owner.echoes(&round.to_string()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!flood.is_finished(), "it is not read any faster than it reads");
    if cfg!(target_os = "linux") {
        let status = std::fs::read_to_string(format!("/proc/{}/status", owner.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib < 160 << 10, "{kib} KiB");
    }
    flood.abort();
    owner.close().await;
}

#[tokio::test]
async fn a_cleaned_directory_parts_those_that_come_later_and_does_no_harm() {
    let server = legacy_server();
    let stage = Stage::at(&server);
    let owner = Host::introduced(&stage, HostProfile::legacy(), "").await;
    owner.echoes("there").await;
    let socket = stage.shared_socket();
    std::fs::remove_file(socket.with_extension("lock")).unwrap();
    std::fs::remove_file(&socket).unwrap();
    // Its own way to the connection is not by the socket.
    stage.reconnect(owner.pid()).await;
    owner.echoes("reconnected").await;
    let second = Host::introduced(&stage, HostProfile::legacy(), "").await;
    second.echoes("apart").await;
    assert_eq!(stage.roles().await[&second.pid()], SharingRole::Owner { guests: 0 });
    owner.close().await;
    let third = Host::introduced(&stage, HostProfile::legacy(), "").await;
    assert_eq!(stage.owner(&[second.pid(), third.pid()]).await, second.pid());
    third.echoes("with the second").await;
    tokio::join!(second.close(), third.close());
}
