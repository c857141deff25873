//! Results of 1 MiB and 64 MiB: every byte arrives, over every wire, and the process holds no more than three times the
//! result on the way (as the system counts it, at its peak).
//!
//! The servers answer with bytes that were made before, because a server that builds them would take most of the time.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use mcp_testkit::{FakeEra, FakeMcpServer, HttpAnswer, ScriptedAnswer};
use serde_json::{Value, json};

use crate::setting::{Setting, http};

const SMALL: usize = 1 << 20;
const LARGE: usize = 64 << 20;
/// What a process of this build needs for itself, apart from any result, in bytes.
const ITSELF: u64 = 48 << 20;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"host","version":"1"}}}"#;

/// How a server writes its answer.
#[derive(Clone, Copy, Debug)]
enum Form {
    Json,
    Sse,
}

/// A text of which no two stretches are the same, so that a lost or repeated part shows.
fn text(bytes: usize) -> String {
    const STRETCH: usize = 4 << 10;
    let letters: String = ('a'..='z').cycle().take(STRETCH - 16).collect();
    let mut text = String::with_capacity(bytes + STRETCH);
    while text.len() < bytes {
        let at = text.len();
        text.push_str(&format!("{at:016x}"));
        text.push_str(&letters);
    }
    text.truncate(bytes);
    text
}

/// The answer to the request of this id: 1 is the first one after a handshake. Its result comes first, as official servers write it, or last.
fn answer(text: &str, form: Form, id: u64) -> String {
    let result = |text| format!(r#"{{"content":[{{"type":"text","text":"{text}"}}],"isError":false}}"#);
    match form {
        Form::Json => format!(r#"{{"result":{},"jsonrpc":"2.0","id":{id}}}"#, result(text)),
        Form::Sse => {
            format!(
                "event: message\ndata: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{}}}\n\n",
                result(text)
            )
        }
    }
}

fn server(era: FakeEra, text: &str, form: Form, id: u64) -> FakeMcpServer {
    let content_type = match form {
        Form::Json => "application/json",
        Form::Sse => "text/event-stream",
    };
    let answer = ScriptedAnswer::Http(HttpAnswer::new(200).body(content_type, answer(text, form, id)));
    FakeMcpServer::builder().era(era).always_to("tools/call", answer).without_recording().start().unwrap()
}

/// A program whose output is read by hand. Dropping it ends it.
struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
}

impl Program {
    fn start(setting: &Setting, args: &[&str]) -> Self {
        let path = "/usr/local/bin:/usr/bin:/bin";
        let mut child = Command::new(env!("CARGO_BIN_EXE_mcplink"))
            .args(args)
            .env_clear()
            .envs(setting.home.environment(path))
            .current_dir(setting.home.project())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    fn say(&mut self, line: &str) {
        self.stdin.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stdout.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// The rest of the line, without its end.
    fn line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            line.extend(self.read(1));
        }
        line.pop();
        line
    }

    /// The most memory that it has had at a time, in bytes; `None` where it has ended, and where the system does not tell.
    fn peak(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        peak.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    }

    /// Reads `expected`, and judges the memory while the program waits for the last of it to be read.
    #[track_caller]
    fn expect(&mut self, expected: &[u8]) {
        let (most, last) = expected.split_at(expected.len() - (128 << 10));
        assert!(self.read(most.len()) == most, "the beginning differs");
        if cfg!(target_os = "linux") {
            let (peak, length) = (self.peak().unwrap(), expected.len() as u64);
            assert!(peak <= ITSELF.max(3 * length), "a peak of {peak} bytes for a result of {length}");
        }
        assert!(self.read(last.len()) == last, "the end differs");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls the tool of `remote` from the command line.
#[track_caller]
fn called(setting: &Setting, text: &str) {
    let mut program = Program::start(setting, &["call", "remote", "big", "{}"]);
    program.expect(text.as_bytes());
    assert_eq!(program.read(1), b"\n");
    assert!(program.child.wait().unwrap().success());
}

#[test]
fn a_result_arrives_whole_in_both_eras_and_forms() {
    let small = text(SMALL);
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        for form in [Form::Json, Form::Sse] {
            called(&Setting::of("remote", http(&server(era, &small, form, 1))), &small);
        }
    }
}

#[test]
fn a_large_result_arrives_whole_as_one_answer() {
    let large = text(LARGE);
    called(&Setting::of("remote", http(&server(FakeEra::Modern, &large, Form::Json, 1))), &large);
}

#[test]
fn a_large_result_arrives_whole_as_one_event() {
    let large = text(LARGE);
    called(&Setting::of("remote", http(&server(FakeEra::Legacy, &large, Form::Sse, 1))), &large);
}

#[cfg(unix)]
#[test]
fn a_result_arrives_whole_from_a_local_server() {
    const SCRIPT: &str = r#"
        read -r initialize
        printf '%s\n' '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"local","version":"1"}}}'
        read -r initialized; read -r call; cat answer; read -r end"#;
    let setting = Setting::of("remote", json!({ "command": "sh", "args": ["-c", SCRIPT] }));
    for bytes in [SMALL, LARGE] {
        let text = text(bytes);
        setting.home.write_project("answer", format!("{}\n", answer(&text, Form::Json, 1))).unwrap();
        called(&setting, &text);
    }
}

#[test]
fn a_result_arrives_whole_through_a_bridge() {
    for (era, form, bytes) in [(FakeEra::Legacy, Form::Json, LARGE), (FakeEra::Modern, Form::Sse, SMALL)] {
        let text = text(bytes);
        // In the modern era the stream of changes is a request, too, and the first one of a bridge.
        let streams = usize::from(era == FakeEra::Modern);
        let server = server(era, &text, form, if streams == 1 { 2 } else { 1 });
        let setting = Setting::of("remote", http(&server));
        let mut bridge = Program::start(&setting, &["bridge", "remote"]);
        bridge.say(INITIALIZE);
        bridge.line();
        bridge.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        while server.open_streams() < streams {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        bridge
            .say(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"big","arguments":{}}}"#);
        let (begin, rest) = text.as_bytes().split_at(16);
        let mut message = Vec::new();
        while !message.ends_with(begin) {
            message.extend(bridge.read(1));
        }
        bridge.expect(rest);
        message.extend(bridge.line());
        let message: Value = serde_json::from_slice(&message).unwrap();
        assert_eq!((&message["id"], &message["result"]["isError"]), (&json!(7), &json!(false)), "{message}");
    }
}

#[test]
fn content_that_is_no_text_is_saved_within_the_same_memory() {
    let data = "QUJD".repeat(LARGE / 4);
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"image","mimeType":"image/png","data":"{data}"}}]}}}}"#
    );
    let answer = ScriptedAnswer::Http(HttpAnswer::new(200).body("application/json", body));
    let server =
        FakeMcpServer::builder().always_to("tools/call", answer).without_recording().start().unwrap();
    let setting = Setting::of("remote", http(&server));
    let mut program = Program::start(&setting, &["call", "remote", "picture", "{}", "-o", "out"]);
    let mut peak = 0;
    while program.child.try_wait().unwrap().is_none() {
        peak = program.peak().unwrap_or(peak);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(peak <= 3 * LARGE as u64, "a peak of {peak} bytes");
    let saved = std::fs::read(setting.home.project().join("out/picture-1.png")).unwrap();
    assert!(saved == b"ABC".repeat(LARGE / 4));
}
