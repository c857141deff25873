//! What programs of the same account may do at the sockets of those who share a connection: many who say nothing, nonsense
//! before and after the door, a line without an end, a stranger in the socket's place.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::host::{Host, HostProfile, Stage, legacy_server};

const ATTACH: &[u8] = b"{\"op\":\"attach\",\"pid\":1,\"wanted\":true}\n";
/// More than are let in; few enough for the descriptors of this process.
const CROWD: usize = 400;
/// What a bridge may have open while they stand at both of its sockets: those that are let in, and its own.
const MOST_DESCRIPTORS: usize = 128 + 32 + 60;

/// Two bridges on one connection, the one that keeps it first.
async fn pair(stage: &Stage) -> [Host; 2] {
    let first = Host::introduced(stage, HostProfile::legacy(), "").await;
    let second = Host::introduced(stage, HostProfile::legacy(), "").await;
    let owner = stage.owner(&[first.pid(), second.pid()]).await;
    if owner == first.pid() { [first, second] } else { [second, first] }
}

/// Connects and says `first`, again and again. Who finds no place in front of the socket comes no more.
async fn crowd(socket: &Path, first: &[u8]) -> Vec<UnixStream> {
    let mut all = Vec::new();
    for _ in 0..CROWD {
        let come = tokio::time::timeout(Duration::from_millis(200), UnixStream::connect(socket)).await;
        let Ok(Ok(mut stream)) = come else { break };
        if stream.write_all(first).await.is_err() {
            break;
        }
        all.push(stream);
    }
    assert!(all.len() > 128, "only {} came", all.len());
    all
}

fn descriptors(pid: u32) -> Option<usize> {
    std::fs::read_dir(format!("/proc/{pid}/fd")).ok().map(Iterator::count)
}

#[tokio::test]
async fn s_k9_a_crowd_at_the_sockets_takes_few_descriptors_and_keeps_no_bridge_from_a_connection() {
    for first in [&b""[..], ATTACH, b"{\"op\":\"att"] {
        let server = legacy_server();
        let stage = Stage::at(&server);
        let [owner, guest] = pair(&stage).await;
        let at_the_connection = crowd(&stage.shared_socket(), first).await;
        let control = stage.control_socket(owner.pid());
        let at_the_session = crowd(&control, b"").await;
        for round in 0..5 {
            owner.echoes(&round.to_string()).await;
            guest.echoes(&round.to_string()).await;
            if let Some(open) = descriptors(owner.pid()) {
                assert!(open <= MOST_DESCRIPTORS, "{open}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let newcomer = Host::introduced(&stage, HostProfile::legacy(), "").await;
        newcomer.echoes("in spite of them").await;
        drop((at_the_connection, at_the_session));
        // Once they have gone, the session is seen and asked again.
        stage.reconnect(owner.pid()).await;
        owner.echoes("there again").await;
        tokio::join!(owner.close(), guest.close(), newcomer.close());
        assert_eq!(server.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn s_k9_nonsense_at_the_shared_socket_does_no_harm_and_starts_nothing() {
    let server = legacy_server();
    let stage = Stage::at(&server);
    let [owner, guest] = pair(&stage).await;
    let socket = stage.shared_socket();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let in_place = |rest: &[u8]| [ATTACH, rest].concat();
    for nonsense in [
        b"\0\0\n".to_vec(),
        b"\xff\xfe\n".to_vec(),
        vec![b'['; 200_000],
        b"{\"op\":\"attach\",\"pid\":99999999999999,\"wanted\":true}\n".to_vec(),
        b"{\"op\":\"stop\"}\n".to_vec(),
        in_place(&b"\0\n".repeat(1000)),
        in_place(&[&vec![b'['; 1 << 20][..], b"\n"].concat()),
        in_place(&b"{\"jsonrpc\":\"2.0\",\"id\":{\"a\":1},\"method\":\"tools/list\"}\n".repeat(100)),
        in_place(&b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n".repeat(100)),
        // Words about the calls of others.
        in_place(
            &b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}\n"
                .repeat(100),
        ),
    ] {
        let slow = json!({ "name": "slow", "arguments": { "steps": 1, "delay_ms": 300 } });
        let under_way = guest.send("tools/call", slow);
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        // It may be turned out before it has said everything.
        drop(stream.write_all(&nonsense).await);
        let said =
            tokio::time::timeout(Duration::from_millis(200), stream.read_to_end(&mut Vec::new())).await;
        drop((said, stream));
        owner.echoes("it goes on").await;
        let answer = under_way.await;
        assert!(answer["error"].is_null(), "{answer:#}");
    }
    assert_eq!(server.sessions_made(), 1);
    stage.owner(&[owner.pid(), guest.pid()]).await;
    tokio::join!(owner.close(), guest.close());
    assert_eq!((server.sessions(), server.violations()), (0, Vec::<String>::new()));
}

#[tokio::test]
async fn s_k9_a_line_without_an_end_keeps_none_of_the_others_waiting() {
    let server = legacy_server();
    let stage = Stage::at(&server);
    let [owner, guest] = pair(&stage).await;
    let mut stream = BufReader::new(UnixStream::connect(stage.shared_socket()).await.unwrap());
    stream.write_all(ATTACH).await.unwrap();
    for word in ["here", "connected"] {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        assert!(line.contains(word), "{line}");
    }
    let flood = tokio::spawn(async move {
        let piece = vec![b'a'; 1 << 20];
        for _ in 0..64 {
            stream.write_all(&piece).await.unwrap();
        }
        stream
    });
    for round in 0..20 {
        owner.echoes(&round.to_string()).await;
        guest.echoes(&round.to_string()).await;
    }
    // It ends where it likes, in the middle of a line.
    drop(flood.await.unwrap());
    guest.echoes("without it").await;
    assert_eq!(server.sessions_made(), 1);
    tokio::join!(owner.close(), guest.close());
}

#[tokio::test]
async fn s_k9_a_stranger_in_the_place_of_the_socket_parts_those_who_come_later() {
    // Each costs the time after which it is given up.
    for says in [&b""[..], &[b'a'; 70_000], b"{\"here\":{\"pid\":1}}\n{\"failed\":{}}\n"] {
        let server = legacy_server();
        let stage = Stage::at(&server);
        let owner = Host::introduced(&stage, HostProfile::legacy(), "").await;
        owner.echoes("there").await;
        let socket = stage.shared_socket();
        std::fs::remove_file(&socket).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        let stranger = tokio::spawn(async move {
            let mut visitors = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                drop(stream.write_all(says).await);
                visitors.push(stream);
                // Those who are let go try another time.
                let excess = visitors.len().saturating_sub(8);
                visitors.drain(..excess);
            }
        });
        let newcomer = Host::introduced(&stage, HostProfile::legacy(), "").await;
        newcomer.echoes("without it").await;
        owner.echoes("as before").await;
        assert_eq!(server.sessions_made(), 2);
        stranger.abort();
        tokio::join!(owner.close(), newcomer.close());
        assert_eq!((server.sessions(), server.violations()), (0, Vec::<String>::new()));
    }
}
