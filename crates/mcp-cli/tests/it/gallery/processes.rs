//! Servers that are programs of this machine.

use std::os::unix::fs::PermissionsExt;

use mcp_status::ReasonCode::{Exited, Protocol, Spawn, Timeout};
use serde_json::json;

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
    ("question", Some(Timeout), "process", "which cannot be answered here", "correct the entry of s in *"),
    ("noise", Some(Protocol), "handshake", "its standard output begins with", SHOW),
];

fn bring_about(name: &str) -> Broken {
    let good = shell(SERVER);
    let rewritten = |entry, named| Broken::of(entry).rewrite(named, good.clone());
    let program = |broken: &Broken, name: &str, first: &str| {
        let file = broken.setting.home.write(name, format!("{first}\n{SERVER}\n")).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    };
    match name {
        "not-on-path" => rewritten(json!({ "command": "npx-not-there" }), "/usr/bin"),
        "elsewhere" => {
            let broken = Broken::of(json!({ "command": "some-tool" }));
            program(&broken, ".local/bin/some-tool", "#!/bin/sh");
            broken.rewrite(".local/bin/some-tool", json!({ "command": "${HOME}/.local/bin/some-tool" }))
        }
        "tilde" => {
            let broken = Broken::of(json!({ "command": "~/s.sh" }));
            program(&broken, "s.sh", "#!/bin/sh");
            broken.rewrite("write `${HOME}`", json!({ "command": "${HOME}/s.sh" }))
        }
        "shell-variable" => {
            let broken = Broken::of(json!({ "command": "$HOME/s.sh" }));
            program(&broken, "s.sh", "#!/bin/sh");
            broken.rewrite("write `${HOME}`", json!({ "command": "${HOME}/s.sh" }))
        }
        "whole-line" => {
            let broken = Broken::of(json!({ "command": "sh s.sh" }));
            broken.setting.home.write_project("s.sh", SERVER).unwrap();
            broken.rewrite(
                "write \"command\": \"sh\", \"args\": [\"s.sh\"]",
                json!({ "command": "sh", "args": ["s.sh"] }),
            )
        }
        "windows" => {
            let broken = Broken::of(json!({ "command": "cmd", "args": ["/c", "sh", "s.sh"] }));
            broken.setting.home.write_project("s.sh", SERVER).unwrap();
            broken.rewrite("write \"command\": \"sh\"", json!({ "command": "sh", "args": ["s.sh"] }))
        }
        "not-executable" => {
            let broken = Broken::of(json!({ "command": "./s.sh" }));
            broken.setting.home.write_project("s.sh", format!("#!/bin/sh\n{SERVER}")).unwrap();
            broken.elsewhere("chmod +x", |broken| {
                broken.paste("chmod +x s.sh").expect_code(0);
            })
        }
        "no-interpreter" => {
            let broken = Broken::of(json!({ "command": "${HOME}/s.sh" }));
            program(&broken, "s.sh", "#!/opt/gone/python");
            broken.edit("/opt/gone/python", move |broken| program(broken, "s.sh", "#!/bin/sh"))
        }
        "no-folder" => {
            let mut entry = good.clone();
            entry["cwd"] = json!("/no/such/folder");
            rewritten(entry, "/no/such/folder")
        }
        "folder" => rewritten(json!({ "command": "/usr" }), "is a folder"),
        "ends-at-once" => rewritten(json!({ "command": "true" }), "it printed nothing"),
        "killed" => {
            let good = good.clone();
            Broken::of(shell("kill -9 $$"))
                .elsewhere("memory ran out", move |broken| broken.setting.write("s", good))
        }
        "license" => {
            let line = "[ -e \"$HOME/license\" ] || { echo 'license expired' >&2; exit 3; }";
            Broken::of(shell(&format!("{line}\n{SERVER}"))).edit("license expired", |broken| {
                broken.setting.home.write("license", "").unwrap();
            })
        }
        "no-node" => {
            let broken = Broken::of(json!({ "command": "${HOME}/s.sh" }));
            program(&broken, "s.sh", "#!/usr/bin/env no-node");
            broken.edit("no-node", move |broken| program(broken, "s.sh", "#!/usr/bin/env sh"))
        }
        "tilde-argument" => {
            let broken = Broken::of(json!({ "command": "sh", "args": ["~/srv.sh"] }));
            program(&broken, "srv.sh", "#!/bin/sh");
            broken.rewrite("`~` is not expanded", json!({ "command": "sh", "args": ["${HOME}/srv.sh"] }))
        }
        "question" => {
            let asks = "printf 'Ok to proceed? (y) '; while [ ! -e \"$HOME/yes\" ]; do sleep 0.1; done; echo";
            Broken::of(shell(&format!("{asks}\n{SERVER}"))).with("MCP_TIMEOUT", "600").elsewhere(
                "Ok to proceed? (y)",
                |broken| {
                    broken.setting.home.write("yes", "").unwrap();
                },
            )
        }
        "noise" => rewritten(shell("while :; do echo '<html>' || exit; done"), "<html>"),
        other => panic!("{other}"),
    }
}

#[test]
fn fa_a1_a2_a3_a4_a5_a6_a7_a8_a10_a16_a29_gallery_of_processes() {
    hold(EXPECTED, bring_about);
}
