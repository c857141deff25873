//! What hosts of the field write: the orders in which they begin, and what is in and between their lines.
//!
//! A test is named by its reports (`fb_…`: docs/field-failures.md).

use mcp_testkit::{FakeEra, FakeMcpServer};
use serde_json::{Value, json};

use crate::support::{Host, HostEra, Setup, text_of};

fn hello(id: i64, version: &str) -> String {
    let client = json!({"name": "h", "version": "1"});
    let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client});
    json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params}).to_string()
}

fn request(id: i64, method: &str, params: Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

fn call(id: i64) -> String {
    request(id, "tools/call", json!({"name": "echo", "arguments": {"text": format!("text {id}")}}))
}

async fn silent() -> (FakeMcpServer, Host) {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let host = Setup::new(server.url()).start_silent(HostEra::Legacy);
    (server, host)
}

const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

#[tokio::test]
async fn fb_b2_b3_b4_b5_b6_hosts_begin_in_many_orders() {
    let beginnings: [(&str, Vec<String>); 6] = [
        ("B2: nothing is said behind the handshake", vec![hello(1, "2025-06-18"), call(2)]),
        ("B3: asked before it", vec![hello(1, "2025-06-18"), call(2), INITIALIZED.to_owned(), call(3)]),
        ("B4: a ping first", vec![request(1, "ping", json!({})), hello(2, "2025-06-18"), call(3)]),
        (
            "B5: two handshakes",
            vec![hello(1, "2025-06-18"), hello(2, "2024-11-05"), INITIALIZED.to_owned(), call(3)],
        ),
        (
            "B6: told twice",
            vec![hello(1, "2025-06-18"), INITIALIZED.to_owned(), INITIALIZED.to_owned(), call(2)],
        ),
        ("notified first", vec![INITIALIZED.to_owned(), hello(1, "2025-06-18"), call(2)]),
    ];
    for (name, lines) in beginnings {
        let (server, host) = silent().await;
        let mut asked = Vec::new();
        for line in &lines {
            host.write(line);
            let message: Value = serde_json::from_str(line).unwrap();
            asked.extend(message["id"].as_i64().map(|id| (id, message["method"].clone())));
        }
        for (id, method) in asked {
            let response = host.response(id).await;
            let result = response.get("result").unwrap_or_else(|| panic!("{name}: {response}"));
            if method == "tools/call" {
                assert_eq!(text_of(result), format!("text {id}"), "{name}");
            }
        }
        let answers =
            host.messages().iter().filter(|m| m.get("id").is_some() && m.get("method").is_none()).count();
        assert_eq!(answers, lines.iter().filter(|line| *line != INITIALIZED).count(), "{name}: one for each");
        assert_eq!(server.count("initialize"), 1, "{name}: the session is the bridge's own");
    }
}

#[tokio::test]
async fn fb_b28_each_version_of_the_handshake_is_answered_with_itself() {
    for (offered, agreed) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2031-01-01", "2025-11-25"),
        ("1.0", "2025-11-25"),
    ] {
        let (_server, host) = silent().await;
        host.write(&hello(1, offered));
        assert_eq!(host.response(1).await["result"]["protocolVersion"], agreed, "{offered}");
        host.write(&call(2));
        assert_eq!(text_of(&host.response(2).await["result"]), "text 2", "{offered}");
    }
}

/// Every line that a host reads is one message: no character that other readers break lines at is in one as it is.
#[tokio::test]
async fn fb_b9_characters_that_end_a_line_elsewhere_stay_within_a_message() {
    let (_server, host) = silent().await;
    host.write(&hello(1, "2025-06-18"));
    host.response(1).await;
    for (at, text) in
        ["a\u{2028}b", "a\u{2029}b", "a\u{85}b", "a\u{b}b\u{c}c", "a\r\nb\rc", "日本\u{feff}語 😀", "\u{0}x"]
            .iter()
            .enumerate()
    {
        let id = 10 + i64::try_from(at).unwrap();
        // As JavaScript writes it: the separators as they are.
        host.write(&request(id, "tools/call", json!({"name": "echo", "arguments": {"text": text}})));
        assert_eq!(text_of(&host.response(id).await["result"]), *text, "{text:?}");
    }
    for line in host.lines() {
        assert!(!line.contains('\r') && !line.contains('\n'), "{line:?}");
    }
}

#[tokio::test]
async fn fb_b10_b15_marks_line_ends_and_empty_lines_of_other_systems_are_read() {
    let (_server, host) = silent().await;
    host.write(&format!("\u{feff}{}\r", hello(1, "2025-06-18")));
    host.response(1).await;
    for line in ["", "\r", "   ", "\t"] {
        host.write(line);
    }
    host.write(&format!("{}\r", call(2)));
    host.write(&format!("  {}  ", call(3)));
    for id in [2, 3] {
        assert_eq!(text_of(&host.response(id).await["result"]), format!("text {id}"));
    }
    let errors = host.messages().iter().filter(|message| message.get("error").is_some()).count();
    assert_eq!(errors, 0, "{:#?}", host.lines());
}

#[tokio::test]
async fn fb_b12_five_megabytes_pass_either_way() {
    let (_server, host) = silent().await;
    host.write(&hello(1, "2025-06-18"));
    host.response(1).await;
    let text = "große Daten 日本 \" \\ ".repeat(5 << 20 >> 4);
    assert!(text.len() > 5 << 20);
    host.write(&request(2, "tools/call", json!({"name": "echo", "arguments": {"text": text}})));
    assert!(text_of(&host.response(2).await["result"]) == text, "it came back changed");
}
