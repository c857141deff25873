//! A server that costs next to nothing: a thread per connection, answers made of prepared bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// How many tools it lists.
pub(crate) const TOOLS: usize = 20;
const BIG: usize = 1 << 20;

/// Which protocol it speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Era {
    Legacy,
    Modern,
}

/// How it answers requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Json,
    Sse,
}

/// Listens on as many ports as asked for. Its threads end with the process.
pub(crate) struct FastServer(Vec<SocketAddr>);

struct Answers {
    era: Era,
    form: Form,
    list: String,
    small: String,
    big: String,
}

impl FastServer {
    pub(crate) fn start(era: Era, form: Form, ports: usize) -> Self {
        let content =
            |text: &str| format!(r#"{{"content":[{{"type":"text","text":"{text}"}}],"isError":false}}"#);
        let tools: Vec<_> = (0..TOOLS)
            .map(|index| {
                format!(
                    r#"{{"name":"tool_{index}","description":"Does the thing that number {index} does, and nothing else.","inputSchema":{{"type":"object","properties":{{"text":{{"type":"string","description":"What to say."}},"count":{{"type":"integer"}}}},"required":["text"]}}}}"#
                )
            })
            .collect();
        let answers = Arc::new(Answers {
            era,
            form,
            list: format!(r#"{{"tools":[{}]}}"#, tools.join(",")),
            small: content(&"x".repeat(100)),
            big: content(&"x".repeat(BIG)),
        });
        let addresses = (0..ports)
            .map(|_| {
                let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
                let address = listener.local_addr().expect("an address");
                let answers = answers.clone();
                thread::Builder::new()
                    .stack_size(64 << 10)
                    .spawn(move || {
                        for stream in listener.incoming().flatten() {
                            let answers = answers.clone();
                            let serve = move || drop(serve(stream, &answers));
                            thread::Builder::new().stack_size(64 << 10).spawn(serve).expect("a thread");
                        }
                    })
                    .expect("a thread");
                address
            })
            .collect();
        Self(addresses)
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.0.iter().map(|address| format!("http://{address}/mcp")).collect()
    }
}

fn serve(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Vec::with_capacity(4096);
    let mut chunk = [0; 4096];
    loop {
        let (request, length) = loop {
            if let Some(found) = complete(&input) {
                break found;
            }
            let read = stream.read(&mut chunk)?;
            if read == 0 {
                return Ok(());
            }
            input.extend_from_slice(&chunk[..read]);
        };
        let response = answers.respond(request);
        input.drain(..length);
        stream.write_all(&response)?;
    }
}

/// The body of a whole request at the start of `input`, and the length of the request.
fn complete(input: &[u8]) -> Option<(&str, usize)> {
    let text = std::str::from_utf8(input).ok()?;
    let head = text.find("\r\n\r\n")? + 4;
    let length = text[..head]
        .lines()
        .find_map(|line| {
            line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        })
        .map_or(0, |(_, value)| value.trim().parse().unwrap_or(0));
    Some((text.get(head..head + length)?, head + length))
}

impl Answers {
    fn respond(&self, body: &str) -> Vec<u8> {
        let method = field(body, "\"method\":\"").unwrap_or_default();
        let id = field(body, "\"id\":").unwrap_or_default();
        let result = match (method, self.era) {
            ("tools/call", _) if body.contains("\"name\":\"big\"") => &self.big,
            ("tools/call", _) => &self.small,
            ("tools/list", _) => &self.list,
            ("initialize", Era::Legacy) => {
                r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"fast","version":"1"}}"#
            }
            ("server/discover", Era::Modern) => {
                r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#
            }
            ("notifications/initialized", _) => {
                return b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_vec();
            }
            _ => return b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec(),
        };
        let session = if method == "initialize" { "mcp-session-id: s\r\n" } else { "" };
        match self.form {
            Form::Json => {
                let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
                let length = body.len();
                format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{session}content-length: {length}\r\n\r\n{body}")
            }
            Form::Sse => {
                let body = format!("event: message\ndata: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n\n");
                let length = body.len();
                format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{session}transfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n")
            }
        }
        .into_bytes()
    }
}

/// What follows `key`, up to the next delimiter.
fn field<'a>(body: &'a str, key: &str) -> Option<&'a str> {
    let rest = &body[body.find(key)? + key.len()..];
    rest.split(['"', ',', '}']).next()
}
