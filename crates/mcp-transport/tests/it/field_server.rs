//! A server that answers in bytes that a test makes: everything that a well-behaved HTTP server would not send.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use mcp_transport::{Endpoint, HttpEndpoint, Server};
use serde_json::{Value, json};

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) verb: String,
    head: String,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The path and query that was asked for.
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn rpc(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }

    /// The response of an honest server of the legacy era; `None` to a message that wants none.
    pub(crate) fn response(&self) -> Option<Value> {
        let id = self.body.get("id")?;
        let result = match self.rpc() {
            "initialize" => json!({
                "protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                "serverInfo": {"name": "field", "version": "1"},
            }),
            "tools/list" => json!({"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}),
            "tools/call" => {
                json!({"content": [{"type": "text", "text": self.body["params"]["arguments"]["text"]}]})
            }
            "ping" => json!({}),
            _ => {
                let error = json!({"code": -32601, "message": "unknown method"});
                return Some(json!({"jsonrpc": "2.0", "id": id, "error": error}));
            }
        };
        Some(json!({"jsonrpc": "2.0", "id": id, "result": result}))
    }
}

/// What a request is answered with: bytes, and what becomes of the connection behind them.
pub(crate) enum Bytes {
    /// These, and then an end of the connection.
    End(Vec<u8>),
    /// These, and then a reset of it, once they have been read.
    Reset(Vec<u8>),
    /// These, and the connection stays open until the server is dropped.
    Hold(Vec<u8>),
    /// These, and the connection stays open for what is written to the stream later.
    Stream(Vec<u8>, Arc<OpenStream>),
}

/// An event stream of a server: the connection of the GET that was answered last.
#[derive(Debug, Default)]
pub(crate) struct OpenStream(Mutex<Option<TcpStream>>);

impl OpenStream {
    /// Writes to it; nothing where no stream is open.
    pub(crate) fn write(&self, bytes: &[u8]) {
        if let Some(stream) = &mut *self.0.lock().unwrap() {
            let _ = stream.write_all(bytes);
        }
    }

    /// Ends it, as a server does that restarts.
    pub(crate) fn end(&self) {
        if let Some(stream) = self.0.lock().unwrap().take() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A head and a body of this type, with its length.
pub(crate) fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
    let mut whole = head.into_bytes();
    whole.extend_from_slice(body);
    whole
}

/// A head and a body of this type that ends with its connection.
pub(crate) fn until_closed(headers: &str, body: &[u8]) -> Vec<u8> {
    let mut whole = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{headers}\r\n").into_bytes();
    whole.extend_from_slice(body);
    whole
}

type Script = dyn Fn(&Asked) -> Option<Bytes> + Send + Sync;

/// The server. What its script has no answer to is answered honestly, in JSON. Its threads end with the process.
pub(crate) struct FieldServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FieldServer {
    pub(crate) fn start(script: impl Fn(&Asked) -> Option<Bytes> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (script, seen): (Arc<Script>, _) = (Arc::new(script), asked.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (script, seen) = (script.clone(), seen.clone());
                thread::spawn(move || serve(client, &*script, &seen));
            }
        });
        Self { address, asked }
    }

    /// Whatever is said to it, it answers these bytes, which need not be HTTP.
    pub(crate) fn raw(bytes: &'static [u8]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let mut chunk = [0; 4096];
                if client.read(&mut chunk).is_ok() && client.write_all(bytes).is_ok() {
                    let _ = client.shutdown(Shutdown::Write);
                    let _ = client.read(&mut chunk);
                }
            }
        });
        Self { address, asked: Arc::default() }
    }

    /// A server each of whose responses is made into an answer by `answer`.
    pub(crate) fn answering(answer: impl Fn(&str) -> Bytes + Send + Sync + 'static) -> Self {
        Self::start(move |asked| asked.response().map(|response| answer(&response.to_string())))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(crate) fn target(&self) -> Server {
        Server::new(Endpoint::Http(HttpEndpoint::new(self.url().parse().unwrap())))
    }

    pub(crate) fn legacy_target(&self) -> Server {
        Server::new(Endpoint::Http(HttpEndpoint::legacy_sse(self.url().parse().unwrap())))
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, rpc: &str) -> usize {
        self.asked().iter().filter(|asked| asked.rpc() == rpc).count()
    }
}

/// One request on each connection.
fn serve(mut client: TcpStream, script: &Script, seen: &Mutex<Vec<Asked>>) -> Option<()> {
    let mut request = Vec::new();
    let mut chunk = [0; 64 << 10];
    let (head, body) = loop {
        let read = client.read(&mut chunk).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
        });
        if body.len() >= length.unwrap_or(0) {
            break (head.to_owned(), body.to_owned());
        }
    };
    let verb = head.split(' ').next().unwrap_or_default().to_owned();
    let asked = Asked { verb, head, body: serde_json::from_str(&body).unwrap_or_default() };
    seen.lock().unwrap().push(asked.clone());
    let bytes = script(&asked).unwrap_or_else(|| {
        Bytes::End(match (&*asked.verb, asked.response()) {
            ("POST", Some(response)) => {
                let json = "Content-Type: application/json\r\nConnection: close\r\n";
                http("200 OK", json, response.to_string().as_bytes())
            }
            ("POST", None) => http("202 Accepted", "Connection: close\r\n", b""),
            _ => http("405 Method Not Allowed", "Connection: close\r\n", b""),
        })
    });
    match bytes {
        Bytes::End(bytes) => {
            client.write_all(&bytes).ok()?;
            client.shutdown(Shutdown::Write).ok()?;
            // Until the client is done with it, so that nothing is lost.
            while client.read(&mut chunk).ok()? > 0 {}
        }
        Bytes::Reset(bytes) => {
            client.write_all(&bytes).ok()?;
            // What was read of the answer before the reset counts, so it has to be read first.
            thread::sleep(std::time::Duration::from_millis(200));
            reset(client);
        }
        Bytes::Stream(bytes, stream) => {
            {
                // Who has read the beginning may at once say something that is answered on it.
                let mut open = stream.0.lock().unwrap();
                client.write_all(&bytes).ok()?;
                *open = client.try_clone().ok();
            }
            while client.read(&mut chunk).ok()? > 0 {}
        }
        Bytes::Hold(bytes) => {
            client.write_all(&bytes).ok()?;
            while client.read(&mut chunk).ok()? > 0 {}
        }
    }
    Some(())
}

/// Closes it with a reset in place of an end.
fn reset(client: TcpStream) {
    tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap().block_on(async {
        client.set_nonblocking(true).unwrap();
        let client = tokio::net::TcpStream::from_std(client).unwrap();
        client.set_zero_linger().unwrap();
    });
}
