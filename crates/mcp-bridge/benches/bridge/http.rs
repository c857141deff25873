//! HTTP by hand, on both ends: what can be obtained for next to nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

const RESULT: &str = r#"{"content":[{"type":"text","text":"a text of some length, as results usually have one"}],"isError":false}"#;
const INITIALIZED: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"fast","version":"1"}}"#;

/// Starts a server of the legacy era and returns its URL. Its threads end with the process.
pub(crate) fn serve() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || drop(answer(stream)));
        }
    });
    url
}

fn answer(stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = BufReader::new(stream);
    while let Some((_, body)) = message(&mut connection)? {
        let body = String::from_utf8_lossy(&body);
        let field = |name: &str| {
            let rest = &body[body.find(name)? + name.len()..];
            rest.split(['"', ',', '}']).next()
        };
        let answer = match (field("\"id\":"), field("\"method\":\"")) {
            (Some(_), Some("server/discover")) => {
                "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_owned()
            }
            (Some(id), method) => {
                let result = if method == Some("initialize") { INITIALIZED } else { RESULT };
                let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
                let length = body.len();
                format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
                )
            }
            (None, _) => "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_owned(),
        };
        connection.get_mut().write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// One message of HTTP with a length: its first line and its body; `None` at the end.
fn message(connection: &mut BufReader<TcpStream>) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    loop {
        line.clear();
        if connection.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
        if first.is_empty() {
            first.clone_from(&line);
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok(Some((first, body)))
}

/// Exchanges over one socket.
pub(crate) struct Exchange {
    connection: BufReader<TcpStream>,
    head: String,
}

impl Exchange {
    pub(crate) fn open(url: &str) -> Self {
        let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
        let stream = TcpStream::connect(address).expect("a server");
        stream.set_nodelay(true).expect("a socket");
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nmcp-protocol-version: 2025-11-25\r\ncontent-length: "
        );
        Self { connection: BufReader::new(stream), head }
    }

    /// Sends one message; the answer, if there is one.
    pub(crate) fn post(&mut self, body: &str) -> Option<Vec<u8>> {
        let request = format!("{}{}\r\n\r\n{body}", self.head, body.len());
        self.connection.get_mut().write_all(request.as_bytes()).expect("an open socket");
        let (status, body) = message(&mut self.connection).expect("an answer").expect("an answer");
        assert!(status.contains(" 20"), "{status}");
        Some(body).filter(|body| !body.is_empty())
    }
}
