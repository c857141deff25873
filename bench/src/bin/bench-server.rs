//! A small neutral MCP server: both eras on any number of ports, JSON or event streams, and as little work as that takes.
//!
//! `bench-server PORTS [json|sse] [legacy|modern]` prints its first port, and serves that many from there on, if these are free. It ends with its
//! standard input.

use std::error::Error;
use std::io::Read as _;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const TOOLS: usize = 10;
const BIG: usize = 1 << 20;

struct Server {
    is_stream: bool,
    is_modern: bool,
    tools: String,
    big: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let ports: usize = arguments.get(1).map_or(Ok(1), |text| text.parse())?;
    let schema = r#"{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}"#;
    let tool = |name: String| {
        format!(r#"{{"name":"{name}","description":"says something","inputSchema":{schema}}}"#)
    };
    let names =
        ["echo".to_owned(), "big".to_owned()].into_iter().chain((2..TOOLS).map(|n| format!("tool{n}")));
    let server = Arc::new(Server {
        is_stream: arguments.get(2).is_some_and(|form| form == "sse"),
        is_modern: arguments.get(3).is_some_and(|era| era == "modern"),
        tools: names.map(tool).collect::<Vec<_>>().join(","),
        big: "0123456789abcdef".repeat(BIG / 16),
    });
    std::thread::spawn(|| {
        // The program that started it has gone.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut listeners = Vec::new();
        for _ in 0..ports {
            listeners.push(TcpListener::bind("127.0.0.1:0").await?);
        }
        let numbers: Result<Vec<String>, std::io::Error> =
            listeners.iter().map(|listener| Ok(listener.local_addr()?.port().to_string())).collect();
        println!("{}", numbers?.join(" "));
        for listener in listeners {
            let server = server.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(server.clone(), stream));
                }
            });
        }
        std::future::pending::<Result<(), Box<dyn Error>>>().await
    })
}

/// One connection, until its other end goes.
async fn serve(server: Arc<Server>, mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let (mut buffer, mut out) = (Vec::with_capacity(4096), Vec::with_capacity(4096));
    loop {
        let Some((head, length)) = head(&buffer) else {
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => continue,
            }
        };
        while buffer.len() < head + length {
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        out.clear();
        server.answer(&buffer[..head], &buffer[head..head + length], &mut out);
        buffer.drain(..head + length);
        if stream.write_all(&out).await.is_err() {
            return;
        }
    }
}

/// How long the head is, and the body after it, once the head is here.
fn head(buffer: &[u8]) -> Option<(usize, usize)> {
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..end]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Some((end, length.unwrap_or(0)))
}

/// What stands behind the first `"name":` outside of anything deeper than is needed here.
fn member<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let at = body.find(&format!("\"{name}\":"))? + name.len() + 3;
    let rest = body[at..].trim_start();
    let end = match rest.strip_prefix('"') {
        Some(text) => return text.find('"').map(|end| &text[..end]),
        None => rest.find([',', '}'])?,
    };
    Some(&rest[..end])
}

impl Server {
    fn answer(&self, head: &[u8], body: &[u8], out: &mut Vec<u8>) {
        if !head.starts_with(b"POST") {
            let status = if head.starts_with(b"DELETE") { "200 OK" } else { "405 Method Not Allowed" };
            out.extend_from_slice(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes());
            return;
        }
        let body = std::str::from_utf8(body).unwrap_or_default();
        let (Some(method), id) = (member(body, "method"), id(body)) else { return };
        let Some(id) = id else {
            out.extend_from_slice(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
            return;
        };
        let about = r#""resultType":"complete","ttlMs":0,"cacheScope":"private""#;
        let refused = |code: i32, data: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"no","data":{data}}}}}"#)
        };
        let result = match method {
            "initialize" if self.is_modern => {
                let error = refused(-32022, r#"{"supported":["2026-07-28"],"requested":"2025-11-25"}"#);
                return self.send("400 Bad Request", "", &error, out);
            }
            "server/discover" if !self.is_modern => {
                return self.send("400 Bad Request", "", &refused(-32601, "null"), out);
            }
            "initialize" => r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"}}"#.to_owned(),
            "server/discover" => format!(
                r#"{{"supportedVersions":["2026-07-28"],"capabilities":{{"tools":{{}}}},{about}}}"#
            ),
            "tools/list" => format!(r#"{{"tools":[{}],{about}}}"#, self.tools),
            "tools/call" => {
                let text = if body.contains("\"name\":\"big\"") {
                    &self.big
                } else {
                    member(body, "text").unwrap_or_default()
                };
                format!(r#"{{"content":[{{"type":"text","text":"{text}"}}],"resultType":"complete"}}"#)
            }
            _ => "{}".to_owned(),
        };
        let message = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        let session = if method == "initialize" { "mcp-session-id: bench\r\n" } else { "" };
        self.send("200 OK", session, &message, out);
    }

    fn send(&self, status: &str, session: &str, message: &str, out: &mut Vec<u8>) {
        let (form, before, after) = match self.is_stream && status.starts_with('2') {
            true => ("text/event-stream", "event: message\ndata: ", "\n\n"),
            false => ("application/json", "", ""),
        };
        let length = before.len() + message.len() + after.len();
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-type: {form}\r\n{session}content-length: {length}\r\n\r\n");
        for part in [&head, before, message, after] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// The id of the message, which some clients write as a string, or last.
fn id(body: &str) -> Option<&str> {
    let at = body.find("\"id\":")? + 5;
    let rest = &body[at..];
    let end = match rest.strip_prefix('"') {
        Some(text) => text.find('"')? + 2,
        None => rest.find([',', '}'])?,
    };
    Some(&rest[..end])
}
