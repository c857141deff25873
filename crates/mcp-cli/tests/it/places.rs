//! Files and folders that others put where this program reads and writes, as a person meets them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mcp_harness::{Mcplink, Running};
use mcp_testkit::{FakeEra, FakeMcpServer};
use serde_json::json;

use crate::setting::{Setting, http};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"host","version":"1"}}}"#;

/// A command under this umask.
fn under_umask<'a>(setting: &'a Setting, umask: &str, args: &[&str]) -> Mcplink<'a> {
    let script = format!(r#"umask {umask}; exec "$0" "$@""#);
    let shell = ["-c", &script, env!("CARGO_BIN_EXE_mcplink")];
    Mcplink::new("/bin/sh", &setting.home).args(shell.iter().chain(args).copied())
}

fn is_open(bridge: &mut Running<'_>) {
    bridge.write(format!("{INITIALIZE}\n")).unwrap();
    bridge.wait_for_stdout("the answer to initialize", |text| text.contains("\"id\":0"));
}

fn mkfifo(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn logs(setting: &Setting) -> PathBuf {
    PathBuf::from(&setting.home.environment("")["XDG_CACHE_HOME"]).join("mcplink/logs")
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn only_file(directory: &Path) -> PathBuf {
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[test]
fn s_m15_no_command_waits_for_a_pipe_named_git() {
    let server = FakeMcpServer::builder().start().unwrap();
    let setting = Setting::of("web", http(&server));
    let git = setting.home.project().parent().unwrap().join(".git");
    for obstacle in ["pipe", "zero"] {
        match obstacle {
            "pipe" => mkfifo(&git),
            _ => symlink("/dev/zero", &git).unwrap(),
        }
        for command in [&["list"][..], &["status"], &["get", "web"], &["paths"], &["validate"]] {
            let output = setting.mcplink(command).timeout(Duration::from_secs(60)).run();
            assert_eq!(output.code, Some(0), "{command:?}: {}", output.stderr);
        }
        fs::remove_file(&git).unwrap();
    }
}

#[test]
fn s_n15_the_log_and_its_folder_are_private_under_an_open_umask() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("web", http(&server));
    let mut bridge = under_umask(&setting, "000", &["bridge", "web"]).start();
    is_open(&mut bridge);
    bridge.close_stdin();
    bridge.wait().expect_code(0);
    let logs = logs(&setting);
    assert_eq!((mode(&logs), mode(logs.parent().unwrap()), mode(&only_file(&logs))), (0o700, 0o700, 0o600));
    assert!(setting.run(&["logs", "web"], 0).stdout.contains("session started"));
}

#[test]
fn s_n15_a_pipe_or_a_link_in_the_place_of_a_log_stops_no_bridge() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("web", http(&server));
    let mut bridge = setting.mcplink(&["bridge", "web"]).start();
    is_open(&mut bridge);
    bridge.close_stdin();
    bridge.wait().expect_code(0);
    let log = only_file(&logs(&setting));
    let precious = setting.home.root().join("precious");
    fs::write(&precious, "precious\n").unwrap();
    for obstacle in ["pipe", "link"] {
        fs::remove_file(&log).unwrap();
        match obstacle {
            "pipe" => mkfifo(&log),
            _ => symlink(&precious, &log).unwrap(),
        }
        let mut bridge = setting.mcplink(&["bridge", "web"]).start();
        is_open(&mut bridge);
        bridge.close_stdin();
        bridge.wait().expect_code(0);
        let read = setting.run(&["logs", "web"], 2);
        assert!(read.stderr.contains(if obstacle == "pipe" {
            "it is a pipe"
        } else {
            "it is a symbolic link"
        }));
    }
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious\n");
}

#[test]
fn s_n04_a_log_is_shown_for_exactly_its_server() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let names = ["a/b", "a b", "a_b"];
    let setting = names.iter().fold(Setting::new(), |setting, name| setting.with(name, http(&server)));
    for name in &names[..2] {
        let mut bridge = setting.mcplink(&["bridge", name]).start();
        is_open(&mut bridge);
        bridge.close_stdin();
        bridge.wait().expect_code(0);
    }
    for name in &names[..2] {
        let shown = setting.run(&["logs", name, "--json"], 0).json();
        let records = shown["records"].as_array().unwrap();
        assert!(!records.is_empty() && records.iter().all(|record| record["server"] == *name), "{shown}");
        assert_eq!(shown["files"].as_array().unwrap().len(), 1, "{shown}");
    }
    assert!(setting.run(&["logs", "a_b"], 0).stderr.contains("no session of a_b"));
}

#[test]
fn s_n03_fa_a110_a_session_is_seen_whatever_the_other_variables_of_the_one_who_looks() {
    let server = FakeMcpServer::builder().era(FakeEra::Legacy).start().unwrap();
    let setting = Setting::of("web", http(&server));
    // Another runtime directory, as a sandbox has, and none at all: the sessions of this home meet elsewhere.
    let mut bridge = setting.mcplink(&["bridge", "web"]).env("XDG_RUNTIME_DIR", "/nowhere").start();
    is_open(&mut bridge);
    for (name, value) in [("XDG_RUNTIME_DIR", ""), ("TMPDIR", "/nowhere"), ("USER", "ada")] {
        let status = setting.mcplink(&["status", "web", "--json"]).env(name, value).run().json();
        let sessions = &crate::setting::row(&status, "web")["sessions"];
        assert_eq!(sessions[0]["session"], bridge.pid(), "{name}: {status:#}");
        let made = server.sessions_made();
        let output = setting.mcplink(&["reconnect", "web"]).env(name, value).run().expect_code(0);
        assert!(output.stdout.contains("reconnected, now connected"), "{name}: {output}");
        assert_eq!(server.sessions_made(), made + 2, "{name}: its own look, and that of the bridge");
    }
    bridge.close_stdin();
    bridge.wait().expect_code(0);
}

#[test]
fn s_p3_an_argument_from_a_device_is_refused_and_one_from_a_pipe_is_read() {
    let server = FakeMcpServer::builder().start().unwrap();
    let setting = Setting::of("web", http(&server));
    let refused = setting.run(&["call", "web", "echo", "text=@/dev/zero"], 2);
    assert!(refused.stderr.contains("it is a device, not a regular file"), "{}", refused.stderr);
    assert!(refused.stderr.lines().count() <= 3, "{}", refused.stderr);
    let elsewhere = tempfile::tempdir().unwrap();
    let huge = elsewhere.path().join("huge");
    fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    let refused = setting.run(&["call", "web", "echo", &format!("text=@{}", huge.display())], 2);
    assert!(refused.stderr.contains("it is larger than 64 MiB"), "{}", refused.stderr);
    let pipe = setting.home.project().join("pipe");
    mkfifo(&pipe);
    let writer = std::thread::spawn(move || fs::write(pipe, "through a pipe"));
    let called = setting.run(&["call", "web", "echo", "text=@pipe"], 0);
    assert!(called.stdout.contains("through a pipe"), "{}", called.stdout);
    writer.join().unwrap().unwrap();
}

#[test]
fn s_p4_what_cannot_be_written_says_why_and_what_was_tried() {
    let server = FakeMcpServer::builder().start().unwrap();
    let setting = Setting::of("web", http(&server)).project_file(json!({ "shared": http(&server) }));
    let file = setting.home.root().join("file");
    fs::write(&file, "").unwrap();
    let state = file.join("state").to_string_lossy().into_owned();
    let trust = setting.mcplink(&["trust", "--yes"]).env("MCPLINK_STATE_DIR", &state).run().expect_code(1);
    assert!(trust.stderr.contains("a folder on the way to it is a file"), "{}", trust.stderr);
    assert!(trust.stderr.lines().count() <= 3, "{}", trust.stderr);

    // A store that cannot be used: signing out says so, and does not speak of signing in.
    let state = setting.home.root().join("broken");
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("tokens"), "").unwrap();
    let state = state.to_string_lossy().into_owned();
    let logout = setting.mcplink(&["logout", "web"]).env("MCPLINK_STATE_DIR", &state).run().expect_code(1);
    assert!(logout.stderr.starts_with("error: signing out of web failed"), "{}", logout.stderr);
    assert!(logout.stderr.contains("it is not a directory"), "{}", logout.stderr);
    assert!(logout.stderr.lines().count() <= 3, "{}", logout.stderr);
}

/// Each file that is read has a limit, which is what a person is told; those of others cost no server its connection.
#[test]
fn s_k7_a_file_beyond_its_limit_is_named_with_it() {
    let server = FakeMcpServer::builder().start().unwrap();
    let huge = |path: &Path, mebibytes: u64| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::File::create(path).unwrap().set_len((mebibytes << 20) + 1).unwrap();
    };
    let at = |setting: &Setting, path: &str| setting.home.home().join(path);

    let setting = Setting::new();
    huge(&at(&setting, ".claude.json"), 32);
    let output = setting.run(&["list"], 2).stderr;
    assert!(output.contains(".claude.json: it is larger than 32 MiB"), "{output}");

    let setting = Setting::of("web", http(&server));
    let trust = setting.home.state_dir().join("trust.json");
    for (path, mebibytes) in [(setting.home.project().join(".mcp.json"), 4), (trust, 8)] {
        huge(&path, mebibytes);
        let output = setting.run(&["list"], 2);
        let said = format!("{}: it is larger than {mebibytes} MiB", path.file_name().unwrap().display());
        assert!(output.stderr.contains(&said) && output.stdout.contains("web"), "{output}");
        fs::remove_file(path).unwrap();
    }

    let authorities = setting.home.root().join("ca.pem");
    huge(&authorities, 16);
    let variable = authorities.to_string_lossy().into_owned();
    let output =
        setting.mcplink(&["status", "web"]).env("NODE_EXTRA_CA_CERTS", variable).run().expect_code(0);
    assert!(output.stderr.contains("ca.pem, which cannot be read: it is larger than 16 MiB"), "{output}");

    // Git's pointers are for other programs: one that cannot be one is passed over.
    huge(&setting.home.project().join(".git"), 1);
    setting.run(&["status", "web"], 0);

    let variables = setting.home.project().join("big.env");
    fs::File::create(&variables).unwrap().set_len((256 << 10) + 1).unwrap();
    let entry = json!({ "command": "true", "envFile": variables.to_string_lossy() });
    let output = Setting::of("local", entry).mcplink(&["status", "local"]).run().expect_code(2);
    assert!(output.stdout.contains("big.env: it is larger than 256 KiB"), "{output}");
}
