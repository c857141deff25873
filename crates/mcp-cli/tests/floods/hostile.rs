//! A server that answers what a test makes up, byte by byte, and counts what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

/// The most that any answer writes. A client without limits would take it all.
const ALL: usize = 400 << 20;

/// One request.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) verb: String,
    /// The JSON-RPC method; empty for a response and for what has no body.
    pub(crate) method: String,
    pub(crate) id: Value,
    /// How many of this method came before.
    pub(crate) number: usize,
}

/// Its threads end with the process of the tests, or when their client is gone.
#[derive(Debug)]
pub(crate) struct Hostile {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    open: Arc<Gauge>,
}

/// How many at a time, and how many at most.
#[derive(Debug, Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Hostile {
    /// A server that answers each request by `answer`; where that does not (`None`), as a well-behaved one of the legacy
    /// era would. `false` closes the connection.
    pub(crate) fn start(
        answer: impl Fn(&Ask, &mut TcpStream) -> Option<bool> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(Gauge::default()));
        let answer = Arc::new(answer);
        let counted = (asked.clone(), open.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let _ = client.set_nodelay(true);
                let (answer, (asked, open)) = (answer.clone(), counted.clone());
                let serving = move || {
                    let now = open.now.fetch_add(1, Ordering::SeqCst) + 1;
                    open.most.fetch_max(now, Ordering::SeqCst);
                    serve(client, &*answer, &asked);
                    open.now.fetch_sub(1, Ordering::SeqCst);
                };
                let _ = thread::Builder::new().stack_size(256 << 10).spawn(serving);
            }
        });
        Self { address, asked, open }
    }

    pub(crate) fn entry(&self) -> Value {
        json!({ "type": "http", "url": format!("http://{}/mcp", self.address) })
    }

    pub(crate) fn legacy_entry(&self) -> Value {
        json!({ "type": "sse", "url": format!("http://{}/sse", self.address) })
    }

    /// How many requests there were.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// How many connections it had at a time, at most.
    pub(crate) fn most_connections(&self) -> usize {
        self.open.most.load(Ordering::SeqCst)
    }
}

fn serve(
    mut client: TcpStream,
    answer: &(dyn Fn(&Ask, &mut TcpStream) -> Option<bool> + Send + Sync),
    asked: &AtomicUsize,
) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut numbers: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let verb = line.split(' ').next()?.to_owned();
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        asked.fetch_add(1, Ordering::SeqCst);
        let method = body["method"].as_str().unwrap_or_default().to_owned();
        let number = numbers.entry(method.clone()).or_default();
        let ask = Ask { verb, method, id: body["id"].clone(), number: *number };
        *number += 1;
        match answer(&ask, &mut client) {
            Some(true) => {}
            Some(false) => return None,
            None => well_behaved(&ask, &mut client)?,
        }
    }
}

fn well_behaved(ask: &Ask, client: &mut TcpStream) -> Option<()> {
    let result = match (ask.verb.as_str(), ask.method.as_str()) {
        ("POST", "initialize") => json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "hostile", "version": "1" },
        }),
        ("POST", "tools/list") => json!({ "tools": [{ "name": "a", "inputSchema": { "type": "object" } }] }),
        ("POST", "ping") => json!({}),
        ("POST", method) if !ask.id.is_null() && !method.is_empty() => {
            let error =
                json!({ "jsonrpc": "2.0", "id": ask.id, "error": { "code": -32601, "message": "no" } });
            return respond(client, "400 Bad Request", &error.to_string());
        }
        ("POST", _) => return client.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").ok(),
        _ => {
            let refused = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n";
            return client.write_all(refused).ok();
        }
    };
    let answer = json!({ "jsonrpc": "2.0", "id": ask.id, "result": result });
    respond(client, "200 OK", &answer.to_string())
}

pub(crate) fn respond(client: &mut TcpStream, status: &str, json: &str) -> Option<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
        json.len()
    );
    client.write_all(head.as_bytes()).ok()
}

/// Opens an answer of this type that ends with its connection.
pub(crate) fn open(client: &mut TcpStream, content_type: &str) -> Option<()> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nConnection: close\r\n\r\n");
    client.write_all(head.as_bytes()).ok()
}

/// Writes `piece` again and again, as long as it is taken, up to [`ALL`].
pub(crate) fn flood(client: &mut TcpStream, piece: &[u8]) {
    let block = block_of(piece);
    let mut written = 0;
    while written < ALL && client.write_all(&block).is_ok() {
        written += block.len();
    }
}

/// Writes `piece` again and again until the client has gone.
pub(crate) fn flood_without_end(client: &mut TcpStream, piece: &[u8]) {
    let block = block_of(piece);
    while client.write_all(&block).is_ok() {}
}

fn block_of(piece: &[u8]) -> Vec<u8> {
    piece.repeat((64 << 10) / piece.len() + 1)
}
