//! Servers that are programs of this machine.

use std::os::unix::fs::PermissionsExt;

use mcp_status::ReasonCode::{Exited, Protocol, Spawn, Timeout};
use serde_json::{Value, json};

use super::mend::Field;
use super::{Broken, Expected, hold};
use crate::local::{SERVER, shell};

const SHOW: &str = "correct `command` of s in *";

pub(super) const EXPECTED: &[Expected] = &[
    ("not-on-path", Some(Spawn), "process", "`npx-not-there` is in no folder", SHOW),
    ("elsewhere", Some(Spawn), "process", "some-tool`: write that as `command`", SHOW),
    ("tilde", Some(Spawn), "process", "`~/s.sh`: `~` is not expanded", SHOW),
    ("shell-variable", Some(Spawn), "process", "`$HOME` is not expanded", SHOW),
    ("whole-line", Some(Spawn), "process", "write \"command\": \"sh\", \"args\"", SHOW),
    ("windows", Some(Spawn), "process", "here, write \"command\": \"sh\"", SHOW),
    ("not-executable", Some(Spawn), "process", "chmod +x", "chmod +x *"),
    ("no-interpreter", Some(Spawn), "process", "asks for `/opt/gone/python`", SHOW),
    ("no-folder", Some(Spawn), "process", "its working directory", "correct `cwd` of s in *"),
    ("folder", Some(Spawn), "process", "`/usr` is a folder", SHOW),
    ("ends-at-once", Some(Exited), "process", "exited with code 0 while", SHOW),
    ("killed", Some(Exited), "process", "ended by SIGKILL", "free memory, or look at what ends it"),
    ("license", Some(Exited), "process", "license expired", "correct `command`, `args` or `env` of s in *"),
    ("no-node", Some(Exited), "process", "what a shell was to run was not found", SHOW),
    ("tilde-argument", Some(Exited), "process", "in its argument `~/srv.sh`", "correct `args` of s in *"),
    (
        "question",
        Some(Timeout),
        "process",
        "which cannot be answered here",
        "correct `command`, `args` or `env` of s in *",
    ),
    ("noise", Some(Protocol), "handshake", "its standard output begins with", SHOW),
];

fn bring_about(name: &str) -> Broken {
    let program = |broken: &Broken, name: &str, first: &str| {
        let file = broken.setting.home.write(name, format!("{first}\n{SERVER}\n")).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        file
    };
    // A home with a program that works, which an entry can name.
    let with_right = |entry: Value| {
        let broken = Broken::of(entry);
        program(&broken, "right.sh", "#!/bin/sh");
        broken
    };
    let right = || Field::set("command", "${HOME}/right.sh");
    match name {
        "not-on-path" => with_right(json!({ "command": "npx-not-there" })).fields([right()]),
        "elsewhere" => {
            let broken = Broken::of(json!({ "command": "some-tool" }));
            let file = program(&broken, ".local/bin/some-tool", "#!/bin/sh");
            broken.fields([Field::told("command", file.to_string_lossy().into_owned())])
        }
        "tilde" | "shell-variable" => {
            let home = if name == "tilde" { "~" } else { "$HOME" };
            let broken = Broken::of(json!({ "command": format!("{home}/s.sh") }));
            program(&broken, "s.sh", "#!/bin/sh");
            broken.fields([Field::set("command", "${HOME}/s.sh")])
        }
        "whole-line" => {
            let broken = Broken::of(json!({ "command": "sh s.sh" }));
            broken.setting.home.write_project("s.sh", SERVER).unwrap();
            let args = Field::set("args", json!(["s.sh"])).named("\"args\": [\"s.sh\"]");
            broken.fields([Field::told("command", "sh"), args])
        }
        "windows" => {
            let broken = Broken::of(json!({ "command": "cmd", "args": ["/c", "sh", "s.sh"] }));
            broken.setting.home.write_project("s.sh", SERVER).unwrap();
            let args = Field::set("args", json!(["s.sh"])).named("leave out the arguments before it");
            broken.fields([Field::told("command", "sh"), args])
        }
        // The command that is printed does it.
        "not-executable" => {
            let broken = Broken::of(json!({ "command": "./s.sh" }));
            broken.setting.home.write_project("s.sh", format!("#!/bin/sh\n{SERVER}")).unwrap();
            broken
        }
        "no-interpreter" => {
            let broken = Broken::of(json!({ "command": "${HOME}/s.sh" }));
            let file = program(&broken, "s.sh", "#!/opt/gone/python");
            broken.file(file, format!("#!/bin/sh\n{SERVER}\n"))
        }
        "no-folder" => {
            let mut entry = shell(SERVER);
            entry["cwd"] = json!("/no/such/folder");
            Broken::of(entry).fields([Field::set("cwd", "/usr")])
        }
        "folder" => with_right(json!({ "command": "/usr" })).fields([right()]),
        "ends-at-once" => with_right(json!({ "command": "true" })).fields([right()]),
        "killed" => Broken::of(shell(&format!("[ -e \"$HOME/freed\" ] || kill -9 $$\n{SERVER}"))).elsewhere(
            "memory ran out",
            |broken| {
                broken.setting.home.write("freed", "").unwrap();
            },
        ),
        "license" => {
            let line = "[ -n \"$LICENSE\" ] || { echo 'license expired' >&2; exit 3; }";
            Broken::of(shell(&format!("{line}\n{SERVER}")))
                .fields([Field::set("env.LICENSE", "2027").named("`env`")])
        }
        "no-node" => {
            let broken = with_right(json!({ "command": "${HOME}/s.sh" }));
            program(&broken, "s.sh", "#!/usr/bin/env no-node");
            broken.fields([right()])
        }
        "tilde-argument" => {
            let broken = Broken::of(json!({ "command": "sh", "args": ["~/srv.sh"] }));
            program(&broken, "srv.sh", "#!/bin/sh");
            broken.fields([Field::set("args", json!(["${HOME}/srv.sh"]))])
        }
        "question" => {
            let asks = "[ \"$0\" = -y ] || { printf 'Ok to proceed? (y) '; sleep 60; }";
            let code = format!("{asks}\n{SERVER}");
            Broken::of(shell(&code))
                .with("MCP_TIMEOUT", "600")
                .fields([Field::set("args", json!(["-c", code, "-y"]))])
        }
        "noise" => with_right(shell("while :; do echo '<html>' || exit; done")).fields([right()]),
        other => panic!("{other}"),
    }
}

#[test]
fn fa_a1_a2_a3_a4_a5_a6_a7_a8_a10_a16_a29_gallery_of_processes() {
    hold(EXPECTED, bring_about);
}
