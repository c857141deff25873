//! How often a server is asked, and how long is waited: with the real delays, once.

use std::time::Duration;

use mcp_testkit::{FakeMcpServer, RecordedRequest, ScriptedAnswer};
use serde_json::{Value, json};

use crate::setting::{Setting, http, row};

/// How many attempts to connect a server saw: each begins with the modern opening.
fn attempts(server: &FakeMcpServer) -> usize {
    server.count("server/discover")
}

#[test]
fn f043_permanent_answers_get_one_attempt() {
    let statuses = [400, 404, 405, 406, 410, 415, 422, 451];
    let servers: Vec<FakeMcpServer> = statuses
        .iter()
        .map(|status| FakeMcpServer::builder().always(ScriptedAnswer::status(*status)).start().unwrap())
        .collect();
    let mut setting = Setting::new();
    for (status, server) in statuses.iter().zip(&servers) {
        setting.write(&status.to_string(), http(server));
    }
    let document = setting.run(&["status", "--json"], 4).json();
    for (status, server) in statuses.iter().zip(&servers) {
        let row = row(&document, &status.to_string());
        assert_eq!(row["status"], "failed", "{row:#}");
        assert_eq!(row["reason"]["httpStatus"], *status);
        assert_eq!(row["reason"]["retryable"], false);
        assert_eq!(attempts(server), 1, "{status}");
        assert!(server.count("initialize") <= 1, "{status}: the older handshake is tried once");
    }
}

#[test]
fn f044_what_may_pass_gets_three_retries_and_then_failed() {
    let with = |answer| FakeMcpServer::builder().always(answer).start().unwrap();
    let unavailable =
        [500, 502, 503, 504, 408, 425].map(|status| (status, with(ScriptedAnswer::status(status))));
    let hanging = with(ScriptedAnswer::Hang);
    let down = FakeMcpServer::start().unwrap();
    down.go_down();
    // The wait that a server asks for is a floor under ours, which are 1, 2 and 4 s.
    let limiting = FakeMcpServer::start().unwrap();
    // To the probe, and to `initialize` after it.
    limiting.next_answers([ScriptedAnswer::retry_after(429, 3), ScriptedAnswer::retry_after(429, 3)]);

    let mut setting =
        Setting::of("hanging", http(&hanging)).with("down", http(&down)).with("limiting", http(&limiting));
    for (status, server) in &unavailable {
        setting.write(&status.to_string(), http(server));
    }
    let command = setting.mcplink(&["status", "--retry", "--json"]).env("MCP_TIMEOUT", "800");
    let document = command.run().expect_code(4).json();

    let check = |row: &Value, code: &str| {
        assert_eq!(row["status"], "failed", "{row:#}");
        assert_eq!(row["reason"]["code"], code, "{row:#}");
        assert_eq!(row["reason"]["retryable"], true);
        // 1, 2 and 4 s, less at most the jitter.
        assert!(row["elapsedMs"].as_u64().unwrap() > 3000, "{row:#}");
    };
    for (status, server) in &unavailable {
        let row = row(&document, &status.to_string());
        check(&row, "unavailable");
        assert_eq!(row["reason"]["httpStatus"], *status);
        assert_eq!(attempts(server), 4, "{status}");
    }
    check(&row(&document, "hanging"), "timeout");
    assert_eq!(attempts(&hanging), 4);
    check(&row(&document, "down"), "unreachable");

    assert_eq!(row(&document, "limiting")["status"], "connected");
    let seen: Vec<RecordedRequest> = limiting.requests();
    assert!(seen[2].at - seen[1].at >= Duration::from_secs(3), "{:?}", seen[2].at - seen[1].at);
}

#[test]
fn fh_h7_a_glance_makes_the_same_attempts_within_a_second_and_says_so() {
    let with = |answer| FakeMcpServer::builder().always(answer).start().unwrap();
    let (unavailable, hanging) = (with(ScriptedAnswer::status(503)), with(ScriptedAnswer::Hang));
    let down = FakeMcpServer::start().unwrap();
    down.go_down();
    let limiting = FakeMcpServer::start().unwrap();
    // To the probe, and to `initialize` after it.
    limiting.next_answers([ScriptedAnswer::retry_after(429, 2), ScriptedAnswer::retry_after(429, 2)]);
    let setting = Setting::of("unavailable", http(&unavailable))
        .with("hanging", http(&hanging))
        .with("down", http(&down))
        .with("limiting", http(&limiting));
    let command = setting.mcplink(&["status", "--json"]).env("MCP_TIMEOUT", "800");
    let document = command.run().expect_code(4).json();
    let row = |name: &str| row(&document, name);
    let said = |name: &str| row(name)["reason"]["message"].as_str().unwrap().to_owned();
    let elapsed = |name: &str| row(name)["elapsedMs"].as_u64().unwrap();
    for name in ["unavailable", "down"] {
        assert!(said(name).contains(", 4 times in "), "{}", said(name));
        assert!((700..6000).contains(&elapsed(name)), "{name}: {} ms", elapsed(name));
    }
    assert_eq!(attempts(&unavailable), 4);
    // Silence has cost the whole limit once already.
    assert_eq!(attempts(&hanging), 1);
    assert!(!said("hanging").contains("times"), "{}", said("hanging"));
    // A short wait that a server asks for is waited for.
    assert_eq!(row("limiting")["status"], "connected");
    let seen: Vec<RecordedRequest> = limiting.requests();
    assert!(seen[2].at - seen[1].at >= Duration::from_secs(2), "{:?}", seen[2].at - seen[1].at);
    // So do the commands that use a server.
    for command in [&["tools", "unavailable"][..], &["ping", "unavailable"], &["call", "unavailable", "echo"]]
    {
        let before = attempts(&unavailable);
        let output = setting.run(command, 4);
        assert!(output.stderr.contains(", 4 times in "), "{output}");
        assert_eq!(attempts(&unavailable), before + 4, "{command:?}");
    }
}

#[test]
fn s_p5_fh_h7_a_glance_does_not_wait_for_minutes_because_a_server_says_so() {
    for asked in ["60", "30", "6", "Fri, 01 Jan 2100 00:00:00 GMT"] {
        let server =
            FakeMcpServer::builder().always(ScriptedAnswer::retry_after(503, asked)).start().unwrap();
        let setting = Setting::of("s", http(&server));
        let row = setting.status("s");
        assert_eq!(
            (&row["status"], &row["reason"]["code"]),
            (&json!("failed"), &json!("unavailable")),
            "{row:#}"
        );
        assert!(row["elapsedMs"].as_u64().unwrap() < 4000, "{asked}: {row:#}");
        assert_eq!(attempts(&server), 1, "{asked}: who asks to be left alone is");
        assert!(row["reason"]["message"].as_str().unwrap().contains("wait"), "{row:#}");
    }
    // Short ones that come again and again add up, and are waited for as long as a status query waits.
    let server = FakeMcpServer::builder().always(ScriptedAnswer::retry_after(429, 2)).start().unwrap();
    let setting = Setting::of("s", http(&server));
    let row = setting.status("s");
    assert_eq!(row["status"], "failed", "{row:#}");
    assert!(row["elapsedMs"].as_u64().unwrap() < 9000, "{row:#}");
    assert_eq!(attempts(&server), 3);
}

#[test]
fn a_server_that_comes_back_between_two_attempts_is_connected() {
    let server = FakeMcpServer::start().unwrap();
    // To the probe, and to `initialize` after it.
    server.next_answers([ScriptedAnswer::status(503), ScriptedAnswer::status(503)]);
    let setting = Setting::of("s", http(&server));
    assert_eq!(setting.status("s")["status"], "connected");
    assert_eq!(attempts(&server), 2);
}

#[test]
fn f103_a_server_that_is_started_later_is_found_by_the_next_look() {
    let server = FakeMcpServer::start().unwrap();
    server.go_down();
    let setting = Setting::of("s", http(&server));
    let output = setting.run(&["status", "--timeout", "200ms", "--retry", "--json"], 7);
    assert_eq!(row(&output.json(), "s")["reason"]["code"], json!("retrying"));
    server.come_up().unwrap();
    setting.run(&["status"], 0);
}
