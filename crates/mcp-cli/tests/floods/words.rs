//! Errors that never end, paces that a server dictates, and what is not HTTP at all.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::hostile::{Hostile, open};
use crate::program::{Home, ONE, assert_small};

/// Promises a body and writes it byte by byte.
fn trickle(client: &mut TcpStream, status: &str) -> bool {
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: 60000\r\n\r\nout of order");
    let _ = client.write_all(head.as_bytes());
    for _ in 0..600 {
        if client.write_all(b"x").is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    false
}

#[test]
fn s_m04_the_body_of_an_error_is_not_waited_for() {
    for (method, status) in
        [("tools/call", "500 Internal Server Error"), ("tools/call", "404 Not Found"), ("", "202 Accepted")]
    {
        let server = Hostile::start(move |ask, client| {
            let is_it =
                ask.method == method || (method.is_empty() && ask.method.starts_with("notifications/"));
            (is_it && ask.verb == "POST").then(|| trickle(client, status))
        });
        let began = Instant::now();
        let ended = Home::with(server.entry()).run(&["call", "x", "a"], &[]);
        assert!(began.elapsed() < Duration::from_secs(45), "{status}: {:?}", began.elapsed());
        if !method.is_empty() {
            assert!(ended.stderr.contains("out of order") || status.starts_with("404"), "{ended:?}");
        }
    }
}

#[test]
fn s_k2_the_body_of_an_error_is_read_up_to_a_limit() {
    let server = Hostile::start(|ask, client| {
        (ask.method == "tools/list").then(|| {
            let head =
                "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n";
            let _ = client.write_all(head.as_bytes());
            crate::hostile::flood(client, b"aaaaaaaa");
            false
        })
    });
    let (row, peak) = Home::with(server.entry()).status(&[]);
    assert_small(peak, ONE, "an error without end");
    assert_eq!(row["status"], "connected", "{row}");
}

#[test]
fn s_m07_a_stream_that_brings_nothing_is_not_continued_in_a_storm() {
    for event in ["id: ID\nretry: 0\ndata:\n\n", "id: ID\nretry: 0\n\n"] {
        let number = std::sync::atomic::AtomicUsize::new(0);
        let server = Hostile::start(move |ask, client| {
            let id = number.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            (ask.method == "tools/call" || ask.verb == "GET").then(|| {
                let _ = open(client, "text/event-stream");
                let _ = client.write_all(event.replace("ID", &id.to_string()).as_bytes());
                false
            })
        });
        Home::with(server.entry()).run(&["call", "x", "a", "--timeout", "5s"], &[]);
        assert!((3..=30).contains(&server.asked()), "{} requests", server.asked());
    }
}

#[test]
fn s_p5_a_glance_does_not_wait_for_minutes_because_a_server_says_so() {
    let server = Hostile::start(|ask, client| {
        (ask.verb == "POST").then(|| {
            let busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n";
            client.write_all(busy.as_bytes()).is_ok()
        })
    });
    let began = Instant::now();
    let (row, _) = Home::with(server.entry()).status(&[]);
    assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
    assert_eq!(row["reason"]["code"], "unavailable", "{row}");
}

#[test]
fn s_n18_k10_what_is_no_http_says_so_and_is_not_tried_again() {
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let answers: [(&str, Vec<u8>); 14] = [
        ("HTTP/0.9", b"hello\r\nworld\r\n".to_vec()),
        ("an old version", b"HTTP/0.9 200 OK\r\n\r\nhello".to_vec()),
        ("a version to come", b"HTTP/3.0 200 OK\r\n\r\n".to_vec()),
        ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
        ("FTP", b"220 ready\r\n".to_vec()),
        ("TLS", b"\x15\x03\x01\x00\x02\x02\x46".to_vec()),
        ("zeros", vec![0; 1_000]),
        ("a status that is not a number", b"HTTP/1.1 abc Hm\r\n\r\n".to_vec()),
        ("a header without a colon", b"HTTP/1.1 200 OK\r\nnothing\r\n\r\n".to_vec()),
        ("two lengths", format!("{OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}").into_bytes()),
        ("a length below zero", format!("{OK}Content-Length: -1\r\n\r\n{{}}").into_bytes()),
        ("a broken chunk", format!("{OK}Transfer-Encoding: chunked\r\n\r\nZZ\r\n{{}}\r\n").into_bytes()),
        ("a head of megabytes", format!("{OK}X: {}\r\n\r\n", "x".repeat(4 << 20)).into_bytes()),
        ("a million headers", format!("{OK}{}\r\n", "a: b\r\n".repeat(1_000_000)).into_bytes()),
    ];
    for (what, bytes) in answers {
        let server = Hostile::start(move |_, client| {
            let _ = client.write_all(&bytes);
            // What was not read must not turn the end into a reset.
            std::thread::sleep(Duration::from_millis(300));
            Some(false)
        });
        let (row, peak) = Home::with(server.entry()).status(&[]);
        assert_eq!(
            (&row["status"], &row["reason"]["code"]),
            (&json!("failed"), &json!("protocol")),
            "{what}: {row}"
        );
        // The probe, the handshake, and one look at what it is.
        assert!(server.asked() <= 3, "{what}: {} requests", server.asked());
        assert_small(peak, ONE, what);
    }
}

/// The status was true before, and its reason spoke of a proxy that is not there, or of nothing that was seen.
#[test]
fn s_k10_the_reason_is_what_was_seen() {
    for (head, code, report) in [
        (
            "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x",
            "proxy-auth",
            "no proxy is in use",
        ),
        ("426 Upgrade Required\r\nUpgrade: websocket", "rejected", "asks to upgrade to websocket"),
        ("307 Temporary Redirect\r\nLocation: /mcp", "protocol", "redirects in circles"),
        ("303 See Other\r\nLocation: /other", "protocol", "on another page"),
        ("302 Found", "protocol", "redirects without saying where to"),
        ("402 Payment Required", "rejected", "refused to connect (402)"),
        ("401 Unauthorized", "unauthorized", "none were sent"),
    ] {
        let server = Hostile::start(move |_, client| {
            let head = format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n");
            Some(client.write_all(head.as_bytes()).is_ok())
        });
        let (row, _) = Home::with(server.entry()).status(&[]);
        assert_eq!(row["reason"]["code"], code, "{row}");
        assert!(row["reason"]["message"].as_str().is_some_and(|message| message.contains(report)), "{row}");
        assert!(server.asked() <= 40, "{} requests for one {code}", server.asked());
    }
}

/// Answers that say that an answer is to come (RFC 9110 section 15.2) are read and forgotten, as many as there are.
#[test]
fn s_k2_answers_that_announce_an_answer_without_end_hold_no_time_limit_up() {
    let hints = format!("HTTP/1.1 103 Early Hints\r\n{}\r\n", "a: b\r\n".repeat(90));
    for (method, announced) in [
        ("initialize", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("tools/list", "HTTP/1.1 102 Processing\r\n\r\n"),
        ("server/discover", &hints),
    ] {
        let announced = announced.to_owned();
        let server = Hostile::start(move |ask, client| {
            (ask.method == method).then(|| {
                crate::hostile::flood_without_end(client, announced.as_bytes());
                false
            })
        });
        let began = Instant::now();
        let (row, peak) = Home::with(server.entry()).status(&[("MCP_TIMEOUT", "2000")]);
        // Two limits of two seconds, and a machine under load.
        assert!(began.elapsed() < Duration::from_secs(20), "{method}: {:?}", began.elapsed());
        assert_small(peak, ONE, method);
        let expected = if method == "tools/list" { "connected" } else { "failed" };
        assert!(row["status"] == expected || method == "server/discover", "{method}: {row}");
    }
}

/// The same of a server that signs people in.
#[test]
fn s_k2_an_authorization_server_that_only_announces_answers_ends_a_sign_in() {
    let server = Hostile::start(|ask, client| {
        if ask.verb == "GET" {
            crate::hostile::flood_without_end(client, b"HTTP/1.1 100 Continue\r\n\r\n");
            return Some(false);
        }
        let refused = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n";
        Some(client.write_all(refused.as_bytes()).is_ok())
    });
    let began = Instant::now();
    let arguments = ["login", "x", "--no-browser", "--non-interactive"];
    let ended = Home::with(server.entry()).run(&arguments, &[("MCP_TIMEOUT", "2000")]);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert_small(ended.peak, ONE, "a sign-in");
    assert!(ended.stderr.contains("did not answer within 1666 ms"), "{ended:?}");
}
