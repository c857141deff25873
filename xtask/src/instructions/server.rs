//! A server that answers at once and is written by hand, so that what is counted is the client.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

/// Answers on a port of loopback until this program ends.
pub(super) fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || answer_all(client));
        }
    });
    Ok(address)
}

/// Until the client has gone.
fn answer_all(mut client: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut reader = BufReader::new(client.try_clone()?);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        let mut is_post = None;
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            is_post.get_or_insert(line.starts_with("POST "));
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or_default();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let (status, answer) = match is_post {
            Some(true) => answer(&serde_json::from_slice(&body).unwrap_or_default()),
            _ => ("405 Method Not Allowed", String::new()),
        };
        let length = answer.len();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        client.write_all((head + &answer).as_bytes())?;
    }
}

/// The status and the body.
fn answer(asked: &Value) -> (&'static str, String) {
    if asked["id"].is_null() {
        return ("202 Accepted", String::new());
    }
    let text = |text: String| json!({ "content": [{ "type": "text", "text": text }] });
    let result = match (asked["method"].as_str(), asked["params"]["name"].as_str()) {
        (Some("initialize"), _) => json!({
            "protocolVersion": "2025-11-25",
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "counted", "version": "1" },
        }),
        (Some("tools/list"), _) => json!({ "tools": [tool("echo"), tool("big")] }),
        (Some("tools/call"), Some("big")) => text("a text, \"quoted\"\n".repeat(1 << 16)),
        (Some("tools/call"), _) => text(asked["params"]["arguments"]["text"].to_string()),
        (Some("ping"), _) => json!({}),
        _ => {
            let error = json!({ "code": -32601, "message": "there is no such method" });
            return ("200 OK", json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error }).to_string());
        }
    };
    ("200 OK", json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result }).to_string())
}

fn tool(name: &str) -> Value {
    json!({
        "name": name,
        "description": "Returns a text.",
        "inputSchema": { "type": "object", "properties": { "text": { "type": "string" } } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_is_accepted_and_a_request_answered() {
        assert_eq!(
            answer(&json!({ "method": "notifications/initialized" })),
            ("202 Accepted", String::new())
        );
        let (status, body) = answer(&json!({ "id": 7, "method": "tools/call", "params": { "name": "big" } }));
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["id"]), ("200 OK", &json!(7)));
        assert!(body["result"]["content"][0]["text"].as_str().unwrap().len() >= 1 << 20);
    }
}
