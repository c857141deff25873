//! Handshakes and lists that never end.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::hostile::{Ask, Hostile, flood, open, respond};
use crate::program::{Home, ONE, TWENTY, assert_small};

const SSE: &str = "text/event-stream";
const JSON: &str = "application/json";
/// A machine under load must not turn another limit into one of time.
const UNHURRIED: (&str, &str) = ("MCP_TIMEOUT", "100000");

fn code(row: &Value) -> &str {
    let reason = if row["toolsReason"].is_null() { &row["reason"] } else { &row["toolsReason"] };
    reason["code"].as_str().unwrap_or_default()
}

/// Answers `method` with a beginning and an endless middle.
fn endless(
    method: &'static str,
    content_type: &'static str,
    begin: &'static str,
    piece: &'static [u8],
) -> Hostile {
    Hostile::start(move |ask, client| {
        (ask.method == method).then(|| {
            let begin = begin.replace("ID", &ask.id.to_string());
            if open(client, content_type).is_some() && client.write_all(begin.as_bytes()).is_ok() {
                flood(client, piece);
            }
            false
        })
    })
}

#[test]
fn s_m01_an_answer_without_end_costs_a_status_little() {
    const TOOLS: &str = r#"{"jsonrpc":"2.0","id":ID,"result":{"tools":["#;
    for (method, content_type, begin, piece) in [
        ("tools/list", JSON, TOOLS, &br#"{"name":"a"},"#[..]),
        ("tools/list", JSON, r#"{"jsonrpc":"2.0","id":ID,"result":{"tools":[{"name":""#, b"aaaaaaaa"),
        ("initialize", JSON, r#"{"jsonrpc":"2.0","id":ID,"result":{"instructions":""#, b"aaaaaaaa"),
        ("server/discover", JSON, r#"{"jsonrpc":"2.0","id":ID,"result":{"instructions":""#, b"aaaaaaaa"),
        ("tools/list", SSE, "data: ", b"aaaaaaaa"),
        ("initialize", SSE, "data: ", b"aaaaaaaa"),
        (
            "tools/list",
            SSE,
            "data: {}\n",
            b"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
        ),
        ("tools/list", SSE, "event: ", b"aaaaaaaa"),
        ("initialize", SSE, "id: ", b"aaaaaaaa"),
    ] {
        let server = endless(method, content_type, begin, piece);
        let (row, peak) = Home::with(server.entry()).status(&[UNHURRIED]);
        assert_small(peak, ONE, &format!("{method} {content_type} {begin}"));
        assert_eq!(row["tools"], Value::Null, "{method}: {row}");
        let text = row.to_string();
        assert!(text.contains("Bytes"), "the limit that struck is named: {row}");
        assert!(server.asked() <= 6, "{method}: it is not tried again: {}", server.asked());
    }
}

#[test]
fn s_m01_twenty_hostile_servers_together_cost_a_status_little() {
    // Each stays just below its own limit, for its handshake and for its list.
    let long: Arc<str> = "a".repeat(15 << 20).into();
    let servers: Vec<_> = (0..20)
        .map(|_| {
            let long = long.clone();
            Hostile::start(move |ask, client| {
                let (begin, end) = match ask.method.as_str() {
                    "initialize" => (
                        r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"instructions":""#,
                        r#""}}"#,
                    ),
                    "tools/list" => (r#"{"tools":[{"name":"a","description":""#, r#""}]}}"#),
                    _ => return None,
                };
                open(client, JSON)?;
                let head = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{begin}"#, ask.id);
                for part in [head.as_str(), &long, end] {
                    client.write_all(part.as_bytes()).ok()?;
                }
                Some(false)
            })
        })
        .collect();
    let home = Home::of(servers.iter().enumerate().map(|(n, server)| (format!("s{n}"), server.entry())));
    let ended = home.run(&["status", "--json"], &[UNHURRIED]);
    assert_small(ended.peak, TWENTY, "twenty servers");
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["servers"].as_array().unwrap().len(), 20);
}

/// A page of tools, and the way to the next one.
fn page(ask: &Ask, client: &mut TcpStream, tools: &str, cursor: &str) -> Option<bool> {
    let answer = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{"tools":[{tools}],"nextCursor":"{cursor}"}}}}"#,
        ask.id
    );
    Some(respond(client, "200 OK", &answer).is_some())
}

#[test]
fn s_m02_pages_are_counted_together() {
    let text = "d".repeat(2 << 20);
    // Each page with a tool of its own: one that comes twice ends the list.
    let big = move |number| format!(r#"{{"name":"a{number}","description":"{text}"}}"#);
    let server = Hostile::start(move |ask, client| match ask.method.as_str() {
        "tools/list" => page(ask, client, &big(ask.number), &format!("c{}", ask.number)),
        _ => None,
    });
    let (row, peak) = Home::with(server.entry()).status(&[UNHURRIED]);
    assert_small(peak, ONE, "pages without end");
    assert!(row.to_string().contains("listBytes"), "{row}");
    assert!(server.asked() < 30, "{}", server.asked());
}

#[test]
fn s_m02_tiny_tools_count_what_they_take() {
    let tools = vec![r#"{"name":"a"}"#; 200_000].join(",");
    let server = Hostile::start(move |ask, client| match ask.method.as_str() {
        "tools/list" => page(ask, client, &tools, &format!("c{}", ask.number)),
        _ => None,
    });
    let (row, peak) = Home::with(server.entry()).status(&[UNHURRIED]);
    assert_small(peak, ONE, "tiny tools");
    assert!(row.to_string().contains("listBytes"), "{row}");
}

#[test]
fn s_m02_ever_new_cursors_end_with_the_pages_that_the_entry_allows() {
    let server = Hostile::start(move |ask, client| match ask.method.as_str() {
        "tools/list" => page(ask, client, "", &format!("c{}", ask.number)),
        _ => None,
    });
    let mut entry = server.entry();
    entry["limits"] = json!({ "pages": 30 });
    let (row, _) = Home::with(entry).status(&[UNHURRIED]);
    assert_eq!(row["status"], "connected", "{row}");
    assert!((30..50).contains(&server.asked()), "{}", server.asked());
}

#[test]
fn s_k2_the_limits_of_an_entry_are_those_of_its_server() {
    let long = "d".repeat(100_000);
    for (limit, expected) in [(50_000, "listBytes"), (200_000, r#""tools":1"#)] {
        let tools = format!(r#"{{"name":"a","description":"{long}"}}"#);
        let server = Hostile::start(move |ask, client| {
            (ask.method == "tools/list").then(|| {
                let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"tools":[{tools}]}}}}"#, ask.id);
                respond(client, "200 OK", &answer).is_some()
            })
        });
        let mut entry = server.entry();
        entry["limits"] = json!({ "listBytes": limit });
        let (row, _) = Home::with(entry).status(&[UNHURRIED]);
        assert!(row.to_string().contains(expected), "{row}");
    }
}

#[test]
fn s_m03_a_list_ends_whatever_keeps_its_stream_alive() {
    for piece in [
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}\n\n",
        "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1}}\n\n",
        ": still here\n",
        "id: 1\ndata:\n\n",
        "data",
    ] {
        let server = Hostile::start(move |ask, client| {
            (ask.method == "tools/list").then(|| {
                let _ = open(client, SSE);
                for _ in 0..600 {
                    if client.write_all(piece.as_bytes()).is_err() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
                false
            })
        });
        let began = Instant::now();
        let (row, peak) = Home::with(server.entry()).status(&[("MCP_TIMEOUT", "1000")]);
        assert!(began.elapsed() < Duration::from_secs(30), "{piece}: {:?}", began.elapsed());
        assert_eq!(row["status"], "connected", "{row}");
        assert_eq!(row["tools"], Value::Null, "{row}");
        assert_small(peak, ONE, piece);
    }
}

#[test]
fn s_k2_what_a_handshake_declares_is_kept_in_bounds() {
    let capabilities: String =
        (0..1_000_000).map(|n| format!("\"c{n}\":{{}},")).collect::<String>() + r#""tools":{}"#;
    let versions = vec![r#""2020-01-01""#; 1_000_000].join(",");
    let initialize = format!(
        r#"{{"protocolVersion":"2025-11-25","capabilities":{{{capabilities}}},"serverInfo":{{"name":"x","version":"1"}}}}"#
    );
    let discover = format!(r#"{{"supportedVersions":[{versions}],"capabilities":{{}}}}"#);
    for (method, result) in [("initialize", initialize), ("server/discover", discover)] {
        let server = Hostile::start(move |ask, client| {
            (ask.method == method).then(|| {
                let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, ask.id);
                respond(client, "200 OK", &answer).is_some()
            })
        });
        let ended = Home::with(server.entry()).run(&["status", "--json"], &[UNHURRIED]);
        assert_small(ended.peak, ONE, method);
        assert!(ended.stdout.len() < 10_000, "{method}: {} bytes are printed", ended.stdout.len());
    }
}

#[test]
fn s_k2_a_legacy_stream_that_never_names_its_endpoint_ends() {
    for piece in
        [&b"event: message\ndata: {}\n\n"[..], b"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"]
    {
        let server = Hostile::start(move |ask, client| {
            (ask.verb == "GET").then(|| {
                let _ = open(client, SSE);
                flood(client, piece);
                false
            })
        });
        let (row, peak) = Home::with(server.legacy_entry()).status(&[("MCP_TIMEOUT", "1000")]);
        assert_small(peak, ONE, "a legacy stream");
        assert_eq!(row["status"], "failed", "{row}");
        assert_ne!(code(&row), "", "{row}");
    }
}

#[test]
fn s_m01_a_local_server_that_prints_one_line_without_end_costs_a_status_little() {
    let handshake = r#"read -r line; printf '%s\n' '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}}'; read -r line; read -r line;"#;
    for before in ["", handshake] {
        let script = format!("{before} head -c 400000000 /dev/zero | tr '\\0' x; sleep 30");
        let (row, peak) = Home::with(json!({ "command": "sh", "args": ["-c", script] })).status(&[]);
        assert_small(peak, ONE, "a line without end");
        assert!(row.to_string().contains("Bytes"), "{row}");
    }
}
