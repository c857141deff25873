//! How long a connection that is idle is used again: no longer than its server keeps it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use mcp_transport::message::Era;
use mcp_transport::{Connection, Endpoint, HttpEndpoint, Server};

use crate::support::{connector, echo};

/// What a test sees of the server, and tells it.
#[derive(Default)]
struct Seen {
    sockets: AtomicUsize,
    /// No call is answered until this is over.
    is_slow: AtomicBool,
}

impl Seen {
    fn sockets(&self) -> usize {
        self.sockets.load(Ordering::Relaxed)
    }
}

/// A small server over HTTP/1.1 that says `header` with each answer, and counts its connections.
fn server(header: &'static str) -> (SocketAddr, Arc<Seen>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Seen::default()));
    let serving = seen.clone();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            serving.sockets.fetch_add(1, Ordering::Relaxed);
            let seen = serving.clone();
            thread::spawn(move || answer_all(client, header, &seen));
        }
    });
    (address, seen)
}

fn answer_all(client: TcpStream, header: &str, seen: &Seen) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut client = client;
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let asked: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let result = match asked["method"].as_str() {
            Some("initialize") => serde_json::json!({
                "protocolVersion": "2025-11-25",
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "small", "version": "1" },
            }),
            Some("tools/call") => {
                while seen.is_slow.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(1));
                }
                serde_json::json!({ "content": [{ "type": "text", "text": "there" }] })
            }
            _ => serde_json::json!({}),
        };
        let answer = serde_json::json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result }).to_string();
        let (status, answer) =
            if asked["id"].is_null() { ("202 Accepted", "") } else { ("200 OK", &*answer) };
        let length = answer.len();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{header}content-length: {length}\r\n\r\n"
        );
        client.write_all((head + answer).as_bytes()).ok()?;
    }
}

async fn connected(address: SocketAddr) -> Connection {
    let mut endpoint = HttpEndpoint::new(format!("http://{address}/mcp").parse().unwrap());
    endpoint.era = Some(Era::Legacy);
    connector().attempt(&Server::new(Endpoint::Http(endpoint))).await.unwrap()
}

/// So much later, in no time. What waits for a socket meanwhile would be told that it took too long, so nothing does.
async fn later(seconds: u64) {
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_connection_is_used_again_as_long_as_its_server_says_and_no_longer() {
    for (header, idle, is_kept) in [
        ("keep-alive: timeout=5\r\n", 3, true),
        ("keep-alive: timeout=5\r\n", 5, false),
        ("Keep-Alive: timeout=20, max=1000\r\n", 17, true),
        ("Keep-Alive: timeout=20, max=1000\r\n", 20, false),
        ("", 60, true),
    ] {
        let (address, seen) = server(header);
        let connection = connected(address).await;
        echo(&connection, "x").await.unwrap();
        let before = seen.sockets();
        later(idle).await;
        echo(&connection, "x").await.unwrap();
        let more = seen.sockets() - before;
        assert_eq!(more, usize::from(!is_kept), "{header:?} after {idle} s");
    }
}

#[tokio::test]
async fn a_connection_that_waits_for_an_answer_is_not_idle() {
    let (address, seen) = server("keep-alive: timeout=5\r\n");
    let connection = connected(address).await;
    echo(&connection, "x").await.unwrap();
    let before = seen.sockets();
    seen.is_slow.store(true, Ordering::Relaxed);
    let (answer, ()) = tokio::join!(echo(&connection, "x"), async {
        later(6).await;
        seen.is_slow.store(false, Ordering::Relaxed);
    });
    assert_eq!((answer.unwrap(), seen.sockets()), ("there".to_owned(), before));
}

/// A code of a sign-in works once: it is not sent where the server may be closing the connection, which few of them announce.
#[tokio::test]
async fn an_exchange_of_a_sign_in_begins_no_later_than_4_s_after_another_on_its_connection() {
    for (body, idle, is_kept) in [("{\"id\":1}", 3, true), ("{\"id\":1}", 5, false), ("{}", 5, false)] {
        let (address, seen) = server("");
        let connector = connector();
        let post = async || {
            let request = http::Request::post(format!("http://{address}/token"));
            connector.http().fetch(request.body(Bytes::from_static(body.as_bytes())).unwrap()).await.unwrap()
        };
        post().await;
        later(idle).await;
        post().await;
        let expected = if is_kept { 1 } else { 2 };
        assert_eq!(seen.sockets(), expected, "{body} after {idle} s");
    }
}
