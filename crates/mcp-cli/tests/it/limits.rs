//! Deadlines that cover a command, output that cannot be written, and what a program finds on stderr.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mcp_testkit::{FakeEra, FakeMcpServer, FakeTool, ScriptedAnswer};
use serde_json::{Value, json};

use crate::setting::{Setting, http, row};

/// What a command with a short deadline may take on a busy machine, and far less than what it waits for otherwise.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn fh_h8_a_deadline_covers_the_whole_command() {
    let hanging = FakeMcpServer::builder().always(ScriptedAnswer::Hang).start().unwrap();
    // It shakes hands, and says nothing afterwards.
    let silent = FakeMcpServer::start().unwrap();
    for method in [
        "tools/list",
        "tools/call",
        "resources/list",
        "resources/read",
        "prompts/list",
        "prompts/get",
        "ping",
        "completion/complete",
    ] {
        silent.always_to(method, ScriptedAnswer::Hang);
    }
    let limited = FakeMcpServer::builder().always(ScriptedAnswer::retry_after(503, 4)).start().unwrap();
    let setting =
        Setting::of("hanging", http(&hanging)).with("silent", http(&silent)).with("limited", http(&limited));
    for name in ["hanging", "silent", "limited"] {
        for command in [
            &["tools", name][..],
            &["ping", name],
            &["call", name, "echo", "text=x"],
            &["resources", name],
            &["read", name, "file:///x"],
            &["prompts", name],
            &["prompt", name, "p"],
            &["complete", name, "a", "--prompt", "p"],
            &["status", name],
            &["reconnect", name],
            &["wait", name, "--until", "disabled"],
        ] {
            // A glance and a wait are content with a handshake, and a ping of the modern era is none.
            if name == "silent"
                && ["ping", "resources", "prompts", "prompt", "read", "complete", "wait"]
                    .contains(&command[0])
            {
                continue;
            }
            let began = Instant::now();
            let output = setting.mcplink(command).args(["--timeout", "600ms"]).run();
            assert!(began.elapsed() < SOON, "{name}: {command:?} took {:?}", began.elapsed());
            assert_eq!(output.code, Some(7), "{command:?}: {output}");
            if !["status", "reconnect"].contains(&command[0]) {
                assert_eq!(
                    output.stderr.lines().filter(|line| line.starts_with("error: ")).count(),
                    1,
                    "{output}"
                );
                let leads = ["next: mcplink ", "next: start it, or correct ", "next: try again later"];
                assert!(leads.iter().any(|next| output.stderr.contains(next)), "{output}");
            }
        }
    }
}

#[test]
fn fh_h8_fb_q3b_q4_a_call_that_took_too_long_says_by_which_limit_and_that_it_may_have_run() {
    let server = FakeMcpServer::start().unwrap();
    server.always_to("tools/call", ScriptedAnswer::Hang);
    let mut entry = http(&server);
    let setting = Setting::of("s", entry.clone());
    entry["timeout"] = json!(1500);
    let short = Setting::of("s", entry);
    let call = |setting: &Setting, more: &[&str], variable: Option<&str>| {
        let mut call = setting.mcplink(&["call", "s", "echo", "{\"text\":\"x\"}"]).args(more.iter().copied());
        if let Some(value) = variable {
            call = call.env("MCP_TOOL_TIMEOUT", value);
        }
        call.run().expect_code(7)
    };
    for (output, said, next) in [
        (call(&setting, &["--timeout", "700ms"], None), "700 ms (--timeout)", "mcplink status s"),
        (call(&short, &[], None), "1500 ms (`timeout` of its entry)", "correct `timeout` of s in /"),
        (call(&short, &["--timeout", "1s"], None), "1 s (--timeout)", "mcplink status s"),
        (
            call(&setting, &[], Some("1200")),
            "1200 ms (MCP_TOOL_TIMEOUT)",
            "mcplink call s echo '{\"text\":\"x\"}' --timeout 10m",
        ),
    ] {
        assert!(output.stderr.contains(&format!("echo of s took longer than {said}")), "{output}");
        assert!(output.stderr.contains("it may have run"), "{output}");
        assert!(output.stderr.contains(&format!("next: {next}")), "{output}");
    }
    let output = call(&setting, &["--timeout", "700ms", "--json"], None);
    assert_eq!(serde_json::from_str::<Value>(&output.stderr).unwrap()["error"]["code"], "timeout");
}

/// Runs a command with stdout on a device that is always full.
fn into_full(setting: &Setting, arguments: &[&str]) -> (Option<i32>, String) {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mcplink"))
        .args(arguments)
        .env_clear()
        .envs(setting.home.environment("/usr/bin:/bin"))
        .current_dir(setting.home.project())
        .stdin(Stdio::null())
        .stdout(full)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn fa_a116_fh_h9_output_that_cannot_be_written_is_no_success() {
    let server = FakeMcpServer::builder().tool(FakeTool::echo()).start().unwrap();
    let setting = Setting::of("s", http(&server));
    for arguments in [
        &["list"][..],
        &["status"],
        &["status", "--json"],
        &["call", "s", "echo", "text=hi"],
        &["call", "s", "echo", "text=hi", "--json"],
        &["tools", "s"],
        &["get", "s"],
        &["paths"],
        &["validate"],
        &["version"],
        &["completions", "bash"],
        &["wait", "s"],
        &["--help"],
        &["--version"],
        &["status", "--watch"],
    ] {
        let (code, stderr) = into_full(&setting, arguments);
        assert_eq!(code, Some(1), "{arguments:?}: {stderr}");
        if arguments.contains(&"--json") {
            let error: Value = serde_json::from_str(&stderr).unwrap();
            assert_eq!(error["error"]["code"], "output-not-written");
            continue;
        }
        assert!(
            stderr.contains("error: the output could not be written\n  why: the disk is full\n  next: "),
            "{arguments:?}: {stderr}"
        );
        assert_eq!(stderr.matches("error").count(), 1, "{stderr}");
    }
    // A reader that has seen enough is none.
    for arguments in ["list", "status --json", "completions bash", "--help", "status --watch"] {
        let script =
            format!("'{}' {arguments} | true; exit ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_mcplink"));
        let output = Command::new("bash")
            .args(["-c", &script])
            .env_clear()
            .envs(setting.home.environment("/usr/bin:/bin"))
            .current_dir(setting.home.project())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""), "{arguments}");
    }
}

#[test]
fn fh_h8_nothing_but_the_error_is_on_stderr_of_a_program() {
    let server = FakeMcpServer::builder().always(ScriptedAnswer::status(503)).start().unwrap();
    let setting =
        Setting::of("s", http(&server)).with("odd", json!({ "url": "http://127.0.0.1:1/", "type": "htp" }));
    for (arguments, code) in [
        (&["status"][..], None),
        (&["tools", "s"], Some("unavailable")),
        (&["call", "s", "echo"], Some("unavailable")),
        (&["ping", "s", "--timeout", "50ms"], Some("retrying")),
        (&["wait", "s", "--timeout", "1500ms"], Some("still-waiting")),
        (&["approve", "s"], Some("no-approval-needed")),
        (&["get", "nope"], Some("unknown-server")),
        (&["list"], None),
        (&["reconnect", "s", "--timeout", "1s"], None),
        (&["nonsense"], Some("usage")),
    ] {
        let output = setting.mcplink(arguments).args(["--json"]).env("MCP_TIMEOUT", "60s").run();
        match code {
            None => assert_eq!(output.stderr, "", "{arguments:?}"),
            Some(code) => {
                let error: Value = serde_json::from_str(&output.stderr)
                    .unwrap_or_else(|_| panic!("{arguments:?}: {output}"));
                assert_eq!(error["error"]["code"], code, "{arguments:?}: {output}");
            }
        }
    }
}

/// The same of each command, whether it has something to say or fails.
#[test]
fn fh_h8_with_json_each_command_writes_json_and_nothing_else() {
    let server = FakeMcpServer::builder().tool(FakeTool::echo()).start().unwrap();
    let setting = Setting::new();
    let url = server.url().to_string();
    setting.run(&["add", "good", &url, "--no-check"], 0);
    // These answer with a text that is not for programs, or have no end.
    let texts = ["completions", "man", "help", "demo"];
    let lines = "status|menu|list|get good|get nope|doctor good|headers good|headers good --run|ps|logs|logs good|accounts|\
        accounts good|hosts|paths|validate|validate nope.json|schema|version|tools good|tools good nope|call good echo text=x|\
        call good nope|call good|resources good|read good nope:x|prompts good|prompt good nope|complete good a b --prompt p|\
        ping good|wait good|reconnect good|reset good|login good|logout good|trust|untrust|approve good|reject good|\
        approve-tools good|disable good|call good echo|wait good|enable good|add x http://127.0.0.1:1/|add-json y {}|remove x|\
        import|wrap cursor --all|unwrap cursor --all|support-bundle|stop --all|stop nope|bridge nope|secret list|auth-plugin check nope|nonsense";
    let ran: BTreeSet<&str> = lines.split('|').filter_map(|line| line.split(' ').next()).collect();
    let missing: Vec<String> = crate::broken::verbs(&setting)
        .into_iter()
        .filter(|verb| !ran.contains(&**verb) && !texts.contains(&&**verb))
        .collect();
    assert_eq!(missing, [""; 0], "each command has a row");
    for line in lines.split('|') {
        let words: Vec<&str> = line.split(' ').chain(["--json"]).collect();
        let output = setting.mcplink(&words).run();
        let is_json = |text: &str| serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object());
        assert!(output.stdout.is_empty() || is_json(&output.stdout), "{line}: {output}");
        assert!(output.stderr.lines().all(is_json) && output.stderr.lines().count() <= 1, "{line}: {output}");
        assert!(!output.stdout.is_empty() || !output.stderr.is_empty(), "{line}: {output}");
    }
}

#[test]
fn fh_h3_a_wait_that_ended_leads_on_and_not_back_to_a_look() {
    let server = FakeMcpServer::builder().always(ScriptedAnswer::status(503)).start().unwrap();
    let setting = Setting::of("s", http(&server));
    let looked = setting.run(&["status", "s"], 4);
    assert!(looked.stdout.ends_with("next: mcplink wait s\n"), "{looked}");
    let waited = setting.run(&["wait", "s", "--timeout", "1500ms"], 7);
    // What was told of it looks like an end.
    assert_eq!(
        waited.stderr.matches("waiting until connected, 1500 ms (--timeout) at most").count(),
        1,
        "{waited}"
    );
    assert!(waited.stderr.contains("  next: try again later, or ask the operator of the server"), "{waited}");
}

#[test]
fn fa_a112_a_limit_in_a_variable_that_is_no_number_of_milliseconds_is_told() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server));
    let status = |value: &str, more: &[&str]| {
        setting.mcplink(&["status", "s"]).args(more.iter().copied()).env("MCP_TIMEOUT", value).run()
    };
    let output = status("60s", &[]).expect_code(0);
    assert!(
        output
            .stderr
            .contains("MCP_TIMEOUT: \"60s\" is not a number of milliseconds; it is ignored (write 60000)"),
        "{output}"
    );
    let output = status("900", &["--json"]);
    let problems = output.json()["problems"].clone();
    assert_eq!((&problems[0]["field"], &problems[0]["severity"]), (&json!("MCP_TIMEOUT"), &json!("warning")));
    assert!(problems[0]["hint"].as_str().unwrap().contains("900 s are 900000"), "{problems}");
}

#[cfg(unix)]
#[test]
fn s_k7_fa_a53_a_pipe_without_a_writer_is_an_error_and_one_that_is_written_is_read_once() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new();
    let pipe = setting.home.root().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.to_string_lossy().into_owned();
    let output = setting.run(&["--mcp-config", &pipe, "status"], 2);
    assert!(output.stderr.contains("it is a pipe without a writer"), "{output}");
    // A bridge reads its configuration again for each connection; what came out of a pipe stays.
    let text = json!({ "mcpServers": { "piped": http(&server) } }).to_string();
    let mut bridge = setting.mcplink(&["--mcp-config", &pipe, "bridge", "piped"]).start();
    std::fs::write(&pipe, text).unwrap();
    crate::bridge::say(&mut bridge, crate::bridge::INITIALIZE);
    crate::bridge::response(&bridge, 0);
    assert_eq!(crate::bridge::echo(&mut bridge, 1)["result"]["content"][0]["text"], "hello");
    let _ = setting.mcplink(&["reconnect", "--all"]).run();
    assert_eq!(crate::bridge::echo(&mut bridge, 2)["result"]["content"][0]["text"], "hello");
    drop(bridge.wait().expect_code(0));
}

/// A certificate that is not where a variable says is told before a server is not trusted for it, once, and takes nothing else.
#[test]
fn fa_a91_certificates_that_are_not_there_are_told_once_by_their_variable() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("s", http(&server)).with("t", http(&server));
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"] {
        let said = format!("warning: {name}: names /gone/ca.pem, which ");
        for (command, code) in [(&["status"][..], 0), (&["status", "s"], 0), (&["validate"], 0)] {
            let output = setting.mcplink(command).env(name, "/gone/ca.pem").run().expect_code(code);
            let all = format!("{}{}", output.stdout, output.stderr);
            assert_eq!(all.matches(&said).count(), 1, "{name}: {output}");
            assert_eq!(all.matches("/gone/ca.pem").count(), 1, "{name}: {output}");
        }
    }
}

#[test]
fn fh_h8_a_list_that_hangs_does_not_hold_up_a_call() {
    let server = FakeMcpServer::start().unwrap();
    server.always_to("tools/list", ScriptedAnswer::Hang);
    let setting = Setting::of("s", http(&server));
    let began = Instant::now();
    let output = setting.mcplink(&["call", "s", "echo", "text=x", "--timeout", "2s"]).run().expect_code(0);
    assert!(began.elapsed() < SOON, "{output}");
    assert_eq!(output.stdout, "x\n");
    let note = "note: s did not list its tools within ";
    assert!(output.stderr.contains(note) && output.stderr.contains("as they were typed"), "{output}");
    // A program reads JSON, or nothing.
    let output =
        setting.mcplink(&["call", "s", "echo", "text=x", "--timeout", "2s", "--json"]).run().expect_code(0);
    assert_eq!(output.stderr, "");
    // A whole object is sent as it is, and needs no list.
    let output = setting.run(&["call", "s", "echo", r#"{"text": "x"}"#], 0);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("x\n", ""));
}

#[test]
fn fh_h8_the_step_that_a_deadline_struck_is_named() {
    let hanging = FakeMcpServer::builder().always(ScriptedAnswer::Hang).start().unwrap();
    let silent = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    silent.always_to("ping", ScriptedAnswer::Hang);
    silent.always_to("resources/list", ScriptedAnswer::Hang);
    let setting = Setting::of("hanging", http(&hanging)).with("silent", http(&silent));
    let origin = hanging.url().origin().ascii_serialization();
    for (command, why, next) in [
        (
            &["ping", "silent"][..],
            "it was still waiting for the answer to `ping`: silent is connected".to_owned(),
            "mcplink status silent",
        ),
        (
            &["resources", "silent"],
            "it was still waiting for an answer of silent".to_owned(),
            "mcplink status silent",
        ),
        (
            &["login", "hanging", "--no-browser"],
            format!("it was still asking {origin}, and what it names, where to sign in (discovery)"),
            "mcplink login hanging --no-browser --timeout 10m",
        ),
    ] {
        let output = setting.mcplink(command).args(["--timeout", "500ms"]).run().expect_code(7);
        let expected =
            format!("error: there was no result within 500 ms (--timeout)\n  why: {why}\n  next: {next}\n");
        assert_eq!(output.stderr, expected, "{command:?}");
    }
}

/// What is waited for is the list, and not the server: who it is and what it speaks is known.
#[test]
fn fh_h8_a_server_that_has_shaken_hands_is_not_said_to_be_silent() {
    for (era, revision) in [(FakeEra::Legacy, "2025-11-25"), (FakeEra::Modern, "2026-07-28")] {
        let server = FakeMcpServer::builder().era(era).start().unwrap();
        server.always_to("tools/list", ScriptedAnswer::Hang);
        let setting = Setting::of("s", http(&server));
        let known = format!(
            "({revision}), which has not answered `tools/list` yet; no more was known after 3 s (--timeout)"
        );
        let output = setting.mcplink(&["status", "s", "--timeout", "3s", "--json"]).run().expect_code(7);
        let row = row(&output.json(), "s");
        let message = row["reason"]["message"].as_str().unwrap();
        assert!(message.starts_with("connected to ") && message.ends_with(&known), "{message}");
        assert_eq!(row["status"], "pending", "{row}");
        let output = setting.mcplink(&["tools", "s", "--timeout", "3s"]).run().expect_code(7);
        assert!(output.stderr.contains(&known) && !output.stderr.contains("no answer from"), "{output}");
    }
}
