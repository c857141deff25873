//! A client that shares no code with the kit: HTTP/1.1 by hand over a blocking socket, so that the fakes are judged
//! by the bytes they send.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// A response, as far as it came.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as HTTP says it must.
    pub(crate) complete: bool,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// The JSON payloads of the events, data lines joined.
    pub(crate) fn events(&self) -> Vec<Value> {
        events(&self.text())
    }
}

pub(crate) fn events(text: &str) -> Vec<Value> {
    let text = text.replace("\r\n", "\n");
    let data = |event: &str| {
        event.lines().filter_map(|line| line.strip_prefix("data: ")).collect::<Vec<_>>().join("\n")
    };
    text.split("\n\n").map(data).filter_map(|data| serde_json::from_str(&data).ok()).collect()
}

/// A connection that may be used for several requests.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self { address, stream: BufReader::new(stream) })
    }

    pub(crate) fn read_timeout(&self, limit: Duration) {
        self.stream.get_ref().set_read_timeout(Some(limit)).unwrap();
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        self.try_send(method, path, headers, body).unwrap();
    }

    pub(crate) fn try_send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<()> {
        let host = self.address;
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)
    }

    /// Reads the status line and the headers.
    pub(crate) fn head(&mut self) -> io::Result<Response> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let status = lines[0].split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        let split =
            |line: &String| line.split_once(": ").map(|(key, value)| (key.to_owned(), value.to_owned()));
        let headers = lines[1..].iter().filter_map(split).collect();
        Ok(Response { status, headers, body: Vec::new(), complete: false })
    }

    /// Reads one chunk of a chunked body; empty at its end.
    pub(crate) fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        let mut chunk = vec![0; size + 2];
        self.stream.read_exact(&mut chunk)?;
        chunk.truncate(size);
        Ok(chunk)
    }

    /// Reads a whole response, or what there is of it.
    pub(crate) fn response(&mut self) -> io::Result<Response> {
        let mut response = self.head()?;
        if let Some(length) = response.header("content-length").and_then(|length| length.parse::<u64>().ok())
        {
            let read = self.stream.by_ref().take(length).read_to_end(&mut response.body);
            response.complete = read.is_ok_and(|read| read as u64 == length);
        } else if response.header("transfer-encoding").is_some() {
            while let Ok(chunk) = self.chunk() {
                if chunk.is_empty() {
                    response.complete = true;
                    break;
                }
                response.body.extend(chunk);
            }
        } else {
            response.complete = true;
        }
        Ok(response)
    }
}

/// One request on a connection of its own.
pub(crate) fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Response> {
    let mut connection = Connection::open(address)?;
    connection.try_send(method, path, headers, body)?;
    connection.response()
}

pub(crate) const MEDIA: [(&str, &str); 2] =
    [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")];

/// A JSON-RPC request of the legacy era.
pub(crate) fn rpc(method: &str, params: Value) -> Vec<u8> {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string().into_bytes()
}

/// POSTs to `/mcp` with the usual media types and more headers.
pub(crate) fn post(address: SocketAddr, more: &[(&str, &str)], body: &[u8]) -> io::Result<Response> {
    request(address, "POST", "/mcp", &[&MEDIA, more].concat(), body)
}

/// A whole request of the modern era, headers and all.
pub(crate) fn modern(address: SocketAddr, method: &str, params: Value, more: &[(&str, &str)]) -> Response {
    let (headers, body) = modern_parts(method, params);
    let headers: Vec<_> = headers.iter().map(|(key, value)| (*key, value.as_str())).collect();
    post(address, &[&headers, more].concat(), &body).unwrap()
}

pub(crate) fn modern_parts(method: &str, mut params: Value) -> (Vec<(&'static str, String)>, Vec<u8>) {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    let capabilities = &mut params["_meta"]["io.modelcontextprotocol/clientCapabilities"];
    if capabilities.is_null() {
        *capabilities = json!({});
    }
    let mut headers =
        vec![("MCP-Protocol-Version", "2026-07-28".to_owned()), ("Mcp-Method", method.to_owned())];
    if let Some(name) = params.get("name").or_else(|| params.get("uri")).and_then(Value::as_str) {
        headers.push(("Mcp-Name", name.to_owned()));
    }
    (headers, rpc(method, params))
}

/// Opens a legacy session and returns its id.
pub(crate) fn initialize(address: SocketAddr) -> String {
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "raw", "version": "0" } });
    let response = post(address, &[], &rpc("initialize", params)).unwrap();
    assert_eq!(response.status, 200, "{}", response.text());
    let session = response.header("mcp-session-id").unwrap().to_owned();
    let done = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string();
    assert_eq!(post(address, &legacy(&session), done.as_bytes()).unwrap().status, 202);
    session
}

/// The headers of a request in a session.
pub(crate) fn legacy(session: &str) -> [(&str, &str); 2] {
    [("Mcp-Session-Id", session), ("MCP-Protocol-Version", "2025-11-25")]
}
