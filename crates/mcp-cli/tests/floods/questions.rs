//! Servers that ask and do not read what they are answered, and a host that calls on and on.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::hostile::{Ask, Hostile, open};
use crate::program::{Home, ONE, ProgramEnd, assert_small};

/// The first line of every local server here.
const HANDSHAKE: &str = r#"read -r line; printf '%s\n' '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}}'; read -r line; read -r line;"#;

fn local(script: String) -> Home {
    Home::with(json!({ "command": "sh", "args": ["-c", script] }))
}

/// Answers a call by `messages`, and then by its result.
fn call(ask: &Ask, client: &mut TcpStream, messages: impl Iterator<Item = String>) -> bool {
    let _ = open(client, "text/event-stream");
    for message in messages {
        if client.write_all(format!("data: {message}\n\n").as_bytes()).is_err() {
            return false;
        }
    }
    let result = json!({ "jsonrpc": "2.0", "id": ask.id, "result": { "content": [] } });
    let _ = client.write_all(format!("data: {result}\n\n").as_bytes());
    false
}

#[test]
fn s_m05_requests_on_one_stream_are_answered_few_at_a_time() {
    let ping = |n: usize| format!(r#"{{"jsonrpc":"2.0","id":"p{n}","method":"ping"}}"#);
    let server = Hostile::start(move |ask, client| match ask.method.as_str() {
        "tools/call" => Some(call(ask, client, (0..2_000).map(ping))),
        // An answer to a ping is taken slowly.
        "" if ask.verb == "POST" => {
            std::thread::sleep(Duration::from_millis(20));
            None
        }
        _ => None,
    });
    let ended = Home::with(server.entry()).run(&["call", "x", "a", "--json"], &[]);
    assert!(ended.stdout.contains(r#""content""#), "{ended:?}");
    assert_small(ended.peak, ONE, "2,000 questions");
    // 64 that are answered, 64 that are refused, and those that are being closed.
    assert!(server.most_connections() <= 300, "{} connections", server.most_connections());
    assert!(server.asked() > 1_000, "who takes the answers gets them: {}", server.asked());
}

#[test]
fn s_m05_a_server_that_never_takes_an_answer_loses_its_call() {
    let ping = |n: usize| format!(r#"{{"jsonrpc":"2.0","id":"p{n}","method":"ping"}}"#);
    let server = Hostile::start(move |ask, client| match ask.method.as_str() {
        "tools/call" => Some(call(ask, client, (0..2_000_000).map(ping))),
        "" if ask.verb == "POST" => {
            std::thread::sleep(Duration::from_secs(60));
            Some(false)
        }
        _ => None,
    });
    let ended = Home::with(server.entry()).run(&["call", "x", "a"], &[]);
    assert!(ended.stderr.contains("does not take the answers"), "{ended:?}");
    assert_small(ended.peak, ONE, "questions without end");
    assert!(server.most_connections() <= 300, "{} connections", server.most_connections());
}

#[test]
fn s_k2_ids_of_megabytes_are_not_piled_up_over_http() {
    let ping = |n: usize| format!(r#"{{"jsonrpc":"2.0","id":"{n}{}","method":"ping"}}"#, "i".repeat(2 << 20));
    let server = Hostile::start(move |ask, client| match ask.method.as_str() {
        "tools/call" => Some(call(ask, client, (0..150).map(ping))),
        "" if ask.verb == "POST" => {
            std::thread::sleep(Duration::from_secs(60));
            Some(false)
        }
        _ => None,
    });
    let ended = Home::with(server.entry()).run(&["call", "x", "a"], &[]);
    assert!(ended.stderr.contains("does not take the answers"), "{ended:?}");
    assert_small(ended.peak, ONE, "long ids");
}

#[test]
fn s_m06_a_local_server_that_asks_and_does_not_read_is_given_up() {
    const PING: &str = r#"yes '{"jsonrpc":"2.0","id":"p","method":"ping"}' | head -c 400000000; sleep 30"#;
    for before in ["", HANDSHAKE] {
        let began = Instant::now();
        let (row, peak) = local(format!("{before} {PING}")).status(&[]);
        assert_small(peak, ONE, "pings that are never read");
        assert!(row.to_string().contains("does not take the answers"), "{row}");
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    }
}

#[test]
fn s_k2_a_local_server_that_floods_otherwise_ends_with_the_time_limit() {
    for flood in [
        r#"yes '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'"#,
        r#"yes '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}'"#,
        r#"yes '{"jsonrpc":"2.0","id":77,"result":{}}'"#,
        r#"yes 'no message at all'"#,
        r#"yes 'error: something is wrong' >&2"#,
    ] {
        let began = Instant::now();
        let (row, peak) = local(format!("{HANDSHAKE} {flood} | head -c 100000000; sleep 30"))
            .status(&[("MCP_TIMEOUT", "1000")]);
        assert_small(peak, ONE, flood);
        assert_eq!(row["tools"], json!(null), "{row}");
        assert!(began.elapsed() < Duration::from_secs(60), "{flood}: {:?}", began.elapsed());
    }
}

/// A host that calls a tool by these ids all at once, at a server that answers none for as long as the bridge lives.
fn calls_at_a_server_that_hangs(ids: impl IntoIterator<Item = usize>) -> (Hostile, ProgramEnd) {
    let server = Hostile::start(|ask, _| {
        (ask.method == "tools/call").then(|| {
            std::thread::sleep(Duration::from_secs(30));
            false
        })
    });
    let info = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "host", "version": "1" } });
    let initialize = json!({ "jsonrpc": "2.0", "id": "i", "method": "initialize", "params": info });
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let mut input = format!("{initialize}\n{initialized}\n");
    let params = json!({ "name": "a", "arguments": {} });
    for id in ids {
        input += &json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }).to_string();
        input.push('\n');
    }
    let ended = Home::with(server.entry()).run_with_input(&["bridge", "x"], &[], input.into_bytes());
    (server, ended)
}

#[test]
fn s_n05_calls_at_a_server_that_hangs_are_bounded() {
    const CALLS: usize = 3_000;
    let (server, ended) = calls_at_a_server_that_hangs(0..CALLS);
    let refused = ended.stdout.lines().filter(|line| line.contains("limits.requests")).count();
    assert_eq!(refused, CALLS - 1_000, "{}", ended.stderr);
    assert!(server.most_connections() <= 160, "{} connections", server.most_connections());
    // A thousand calls under way are as many tasks, which are larger in a build that is not optimised.
    assert_small(ended.peak, ONE + (8 << 20), "3,000 calls");
}

#[test]
fn s_n05_k2_calls_of_one_id_are_one_call() {
    const CALLS: usize = 5_000;
    let (server, ended) = calls_at_a_server_that_hangs(std::iter::repeat_n(7, CALLS));
    let refused = ended.stdout.lines().filter(|line| line.contains("-32600")).count();
    assert_eq!(refused, CALLS - 1, "{}", ended.stderr);
    assert!(server.most_connections() <= 8, "{} connections", server.most_connections());
    assert_small(ended.peak, ONE, "calls of one id");
}
