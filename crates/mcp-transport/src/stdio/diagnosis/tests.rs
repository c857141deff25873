//! What is told of a command that could not be started, over file systems in a table.
//!
//! Longer than 500 lines because each way to write a command wrongly is a row of it.

use std::collections::BTreeMap;

use super::*;

/// A file system in a table: what is in each place, and how it begins or, where it is a link, where it leads.
#[derive(Default)]
struct Files(BTreeMap<&'static str, (PathKind, &'static [u8])>);

/// How the content of a link begins in the table.
const LINK: &[u8] = b"-> ";

impl FileSystemView for Files {
    fn at(&self, path: &str) -> PathKind {
        self.0.get(path).map_or(PathKind::Nothing, |(found, _)| *found)
    }

    fn link(&self, path: &str) -> Option<String> {
        let target = self.0.get(path)?.1.strip_prefix(LINK)?;
        Some(String::from_utf8(target.to_vec()).unwrap())
    }

    fn head(&self, path: &str) -> Vec<u8> {
        match self.link(path) {
            Some(target) => self.head(&target),
            None => self.0.get(path).map(|(_, head)| head.to_vec()).unwrap_or_default(),
        }
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let inside = self.0.keys().filter_map(|path| path.strip_prefix(folder)?.strip_prefix('/'));
        inside.filter_map(|rest| rest.split('/').next()).map(str::to_owned).collect()
    }
}

const NOT_FOUND: i32 = 2;
const DENIED: i32 = 13;

fn files() -> Files {
    let program = |head: &'static [u8]| (PathKind::Program, head);
    Files(BTreeMap::from([
        ("/work", (PathKind::Folder, &b""[..])),
        ("/work/file", (PathKind::Plain, b"#!/bin/sh\n")),
        ("/work/dir", (PathKind::Folder, b"")),
        ("/bin/sh", program(b"\x7fELF")),
        ("/bin/python3", program(b"\x7fELF")),
        ("/work/gone", program(b"#!/opt/gone/bin/python -u\nimport x\n")),
        ("/work/crlf", program(b"#!/bin/sh\r\necho\r\n")),
        ("/work/bom", program(b"\xef\xbb\xbf#!/bin/sh\n")),
        ("/work/bare", program(b"echo hello\n")),
        ("/work/empty", program(b"")),
        ("/work/musl", program(b"\x7fELF\x02")),
        ("/work/win", program(b"MZ\x90")),
        ("/work/mac", program(b"\xcf\xfa\xed\xfe\x07")),
        ("/work/good", program(b"#!/bin/sh\n")),
        ("/home/me/.local/bin/uvx", program(b"\x7fELF")),
        ("/home/me/.nvm/versions/node/v18.1.0/bin/npx", program(b"#!")),
        ("/home/me/.nvm/versions/node/v22.9.0/bin/npx", program(b"#!")),
        ("/home/me/bin/s", program(b"#!/bin/sh\n")),
        ("/work/old", (PathKind::Nothing, b"-> /opt/gone/server")),
        ("/work/older", (PathKind::Nothing, b"-> old")),
        ("/work/round", (PathKind::Nothing, b"-> ./round")),
        ("/work/current", (PathKind::Nothing, b"-> releases/7")),
        ("/work/to-dir", (PathKind::Folder, b"-> dir")),
        ("/work/to-file", (PathKind::Plain, b"-> /work/file")),
        ("/work/venv", program(b"#!/work/old -u\n")),
        ("/bin/left", (PathKind::Nothing, b"-> ../opt/left")),
    ]))
}

fn endpoint(command: &str, args: &[&str], path: Option<&str>) -> StdioEndpoint {
    let mut endpoint = StdioEndpoint::new(command);
    endpoint.args = args.iter().map(Into::into).collect();
    endpoint.env.insert("HOME".into(), "/home/me".into());
    if let Some(path) = path {
        endpoint.env.insert("PATH".into(), path.into());
    }
    endpoint
}

fn described(command: &str, args: &[&str], errno: i32) -> (SpawnCause, String) {
    let endpoint = endpoint(command, args, Some("/usr/bin:/bin"));
    let error = io::Error::from_raw_os_error(errno);
    let Diagnosis { cause, text, .. } = diagnose(&endpoint, "/work", &error, System::Unix, &files());
    (cause, text)
}

#[track_caller]
fn assert_table(table: &[(&str, &[&str], i32, SpawnCause, &str)]) {
    for (command, args, errno, cause, text) in table {
        assert_eq!(described(command, args, *errno), (*cause, (*text).to_owned()), "{command:?}");
    }
}

#[test]
fn fa_a1_fh_h14_a_missing_command_is_named_with_where_it_was_looked_for_and_where_it_is() {
    let path = |path: Option<&str>| {
        let error = io::Error::from_raw_os_error(NOT_FOUND);
        diagnose(&endpoint("tool", &[], path), "/work", &error, System::Unix, &files()).text
    };
    assert_eq!(path(None), "`tool` is looked for in vain: no PATH is set for it");
    assert_eq!(path(Some("")), "`tool` is looked for in vain: its PATH is empty");
    assert_eq!(
        path(Some("/a:/b:/c:/d:/e:/f")),
        "`tool` is in no folder of its PATH (/a /b /c /d and 2 more)"
    );
    assert_eq!(path(Some("/a:/b:/a:/b/:/b")), "`tool` is in no folder of its PATH (/a /b /b/)", "each once");
    let seen = "is in no folder of its PATH (/usr/bin /bin)";
    use SpawnCause::NotFound;
    assert_table(&[
        ("tool", &[], NOT_FOUND, NotFound, &format!("`tool` {seen}")),
        ("docker", &[], NOT_FOUND, NotFound, &format!("`docker` {seen}; it comes with Docker")),
        ("python", &[], NOT_FOUND, NotFound, &format!("`python` {seen}; `python3` is")),
        (
            "uvx",
            &[],
            NOT_FOUND,
            NotFound,
            &format!("`uvx` {seen}; it is `/home/me/.local/bin/uvx`: write that as `command`"),
        ),
        (
            "npx",
            &[],
            NOT_FOUND,
            NotFound,
            &format!(
                "`npx` {seen}; it is `/home/me/.nvm/versions/node/v22.9.0/bin/npx`: write that as `command`"
            ),
        ),
        ("/opt/x/server", &[], NOT_FOUND, NotFound, "there is no `/opt/x/server`"),
        ("./server", &[], NOT_FOUND, NotFound, "there is no `./server` in its working directory `/work`"),
    ]);
}

#[test]
fn fa_a1_what_is_not_there_though_the_command_is_right_is_told_apart() {
    let lack = |command: &str, errno, secret: &str| {
        let mut endpoint = endpoint(command, &[], Some("/usr/bin:/bin"));
        endpoint.secrets = [secret].into_iter().collect();
        let error = io::Error::from_raw_os_error(errno);
        diagnose(&endpoint, "/work", &error, System::Unix, &files()).lack
    };
    let file = |path: &str| Some(ProcessLack::File { path: path.to_owned() });
    for (command, errno, expected) in [
        ("docker", NOT_FOUND, Some(ProcessLack::Program { package: "Docker".to_owned() })),
        // It is installed, and not where it is looked for.
        ("uvx", NOT_FOUND, None),
        ("tool", NOT_FOUND, None),
        ("./server", NOT_FOUND, file("/work/server")),
        ("bin/server", NOT_FOUND, file("/work/bin/server")),
        ("/opt/x/server", NOT_FOUND, None),
        ("./file", DENIED, Some(ProcessLack::Permission { path: "/work/file".to_owned() })),
    ] {
        assert_eq!(lack(command, errno, "canary"), expected, "{command}");
    }
    assert_eq!(lack("./canary-server", NOT_FOUND, "canary-server"), None, "a secret became a step");
}

#[test]
fn fa_a4_what_only_a_shell_or_a_person_understands_is_told_as_that() {
    use SpawnCause::{CommandLine, Misspelt, NotFound, OtherSystem, Unexpanded};
    let sh = |line: &str| format!("write \"command\": \"sh\", \"args\": [\"-c\", {line:?}]");
    let for_a_shell = |line: &str| format!("`command` is a line for a shell; {}", sh(line));
    assert_table(&[
        (
            "cd /tmp && python3 s.py",
            &[],
            NOT_FOUND,
            CommandLine,
            r#"`cd` is a shell's; write "cwd": "/tmp", "command": "python3", "args": ["s.py"]"#,
        ),
        ("cd /tmp && a | b", &[], NOT_FOUND, CommandLine, &for_a_shell("cd /tmp && a | b")),
        ("`which node`", &["s.js"], NOT_FOUND, CommandLine, &for_a_shell("`which node` s.js")),
        ("$(which node)", &[], NOT_FOUND, CommandLine, &for_a_shell("$(which node)")),
        (
            "FOO=canary python3 s.py",
            &[],
            NOT_FOUND,
            CommandLine,
            r#"a variable before a command is a shell's; write it as "env": {"FOO": "…"}, and "command": "python3""#,
        ),
        (
            "FOO=canary",
            &["python3"],
            NOT_FOUND,
            CommandLine,
            r#"a variable before a command is a shell's; write it as "env": {"FOO": "…"}, and "python3" as `command`"#,
        ),
        (
            "exec",
            &["node", "a b"],
            NOT_FOUND,
            CommandLine,
            &format!("`exec` is a word of a shell and no program; {}", sh("exec node 'a b'")),
        ),
        (
            "cd",
            &["/tmp", "&&", "python3", "s.py"],
            NOT_FOUND,
            CommandLine,
            r#"`cd` is a shell's; write "cwd": "/tmp", "command": "python3", "args": ["s.py"]"#,
        ),
        (
            "cd",
            &["/tmp", "&&", "a b", "2>&1", "|", "c"],
            NOT_FOUND,
            CommandLine,
            &format!("`cd` is a word of a shell and no program; {}", sh("cd /tmp && 'a b' 2>&1 | c")),
        ),
        (
            "export",
            &["A=canary"],
            NOT_FOUND,
            CommandLine,
            "`export` is a word of a shell and no program; write what it sets as \"env\": {\"A\": \"…\"}, and name the \
             program of the server as `command`",
        ),
        (
            "source",
            &["venv/bin/activate"],
            NOT_FOUND,
            CommandLine,
            "`source` is a word of a shell and no program; what it does ends with its shell; name the program of the \
             server as `command`",
        ),
        ("/opt/my server/run", &[], NOT_FOUND, NotFound, "there is no `/opt/my server/run`"),
        ("/path/to/server", &[], NOT_FOUND, Misspelt, "`/path/to/server` was never filled in"),
        ("<path-to-server>", &[], NOT_FOUND, Misspelt, "`<path-to-server>` was never filled in"),
        ("{{python}}", &[], NOT_FOUND, Misspelt, "`{{python}}` was never filled in"),
        (
            "\u{201c}python3\u{201d}",
            &[],
            NOT_FOUND,
            Misspelt,
            "the quotes around `python3` are part of the name; write it without",
        ),
        (
            "~bob/s",
            &[],
            NOT_FOUND,
            Unexpanded,
            "`~bob/s`: `~bob` is not expanded; write the path of that folder",
        ),
        ("start.bat", &[], NOT_FOUND, OtherSystem, "`start.bat` is a script of Windows"),
    ]);
    for (argument, expected) in [
        ("\u{2013}m", Some("in its argument `\u{2013}m`, the dash is none of a command line; write `-m`")),
        (
            "\u{2014}port",
            Some("in its argument `\u{2014}port`, the dash is none of a command line; write `--port`"),
        ),
        (
            "/path/to/your/server.py",
            Some("in its argument `/path/to/your/server.py`, `/path/to/your/server.py` was never filled in"),
        ),
        (
            "<ABSOLUTE PATH>/server.py",
            Some("in its argument `<ABSOLUTE PATH>/server.py`, `<ABSOLUTE PATH>` was never filled in"),
        ),
        ("a<b", None),
        ("--min=1>2", None),
        ("server.py", None),
    ] {
        assert_eq!(hint(&endpoint("python3", &[argument], None)).as_deref(), expected, "{argument}");
    }
}

#[test]
fn fa_a2_a5_a_spelling_that_a_shell_would_replace_is_told_with_ours() {
    use SpawnCause::Unexpanded;
    assert_table(&[
        ("~/bin/s", &[], NOT_FOUND, Unexpanded, "`~/bin/s`: `~` is not expanded; write `${HOME}`"),
        (
            "$HOME/bin/s",
            &[],
            NOT_FOUND,
            Unexpanded,
            "`$HOME/bin/s`: `$HOME` is not expanded; write `${HOME}`",
        ),
        (
            "%APPDATA%/s",
            &[],
            NOT_FOUND,
            Unexpanded,
            "`%APPDATA%/s`: `%APPDATA%` is not expanded; write `${APPDATA}`",
        ),
        ("${NOPE}/s", &[], NOT_FOUND, Unexpanded, "`${NOPE}/s`: the variable `NOPE` is not set here"),
        ("${env:HOME}/s", &[], NOT_FOUND, Unexpanded, "`${env:HOME}/s`: `${env:HOME}` is not expanded"),
        ("{env:HOME}/s", &[], NOT_FOUND, Unexpanded, "`{env:HOME}/s`: write a variable as `${HOME}`"),
        ("$env:HOME/s", &[], NOT_FOUND, Unexpanded, "`$env:HOME/s`: write a variable as `${HOME}`"),
    ]);
}

#[test]
fn fa_a4_fh_h14_a_command_line_and_other_things_that_are_no_name() {
    use SpawnCause::{CommandLine, Misspelt};
    assert_table(&[
        (
            "python3 srv.py",
            &[],
            NOT_FOUND,
            CommandLine,
            r#"`command` holds a whole command line; write "command": "python3", "args": ["srv.py"]"#,
        ),
        (
            "npx -y 'x y'",
            &[],
            NOT_FOUND,
            CommandLine,
            r#"`command` holds a whole command line; write "command": "npx", "args": ["-y", "x y"]"#,
        ),
        (
            r#"python3 "/opt/my server/s.py" --name='a b' """#,
            &[],
            NOT_FOUND,
            CommandLine,
            r#"`command` holds a whole command line; write "command": "python3", "args": ["/opt/my server/s.py", "--name=a b", ""]"#,
        ),
        (
            "~/bin/s --now",
            &[],
            NOT_FOUND,
            CommandLine,
            r#"`command` holds a whole command line; write "command": "~/bin/s", "args": ["--now"]; `~` is not expanded; write `${HOME}`"#,
        ),
        ("npx ", &[], NOT_FOUND, Misspelt, "the blanks around `npx` are part of the name; write it without"),
        (
            "\"/opt/my server/run\"",
            &[],
            NOT_FOUND,
            Misspelt,
            "the quotes around `/opt/my server/run` are part of the name; write it without",
        ),
        (
            "https://h.example/mcp",
            &[],
            NOT_FOUND,
            Misspelt,
            "`command` is a URL; a remote server has \"type\": \"http\" and `url` in place of it",
        ),
        (" ", &[], NOT_FOUND, Misspelt, "`command` is empty"),
    ]);
}

#[test]
fn fa_a6_a_command_of_another_system_is_told_as_that() {
    use SpawnCause::OtherSystem;
    assert_table(&[
        (
            "cmd",
            &["/c", "npx", "-y", "x"],
            NOT_FOUND,
            OtherSystem,
            "`cmd` is the shell of Windows; here, write \"command\": \"npx\" and leave out the arguments before it",
        ),
        (
            "CMD.EXE",
            &["/D", "/C", "npx"],
            NOT_FOUND,
            OtherSystem,
            "`cmd` is the shell of Windows; here, write \"command\": \"npx\" and leave out the arguments before it",
        ),
        ("npx.cmd", &[], NOT_FOUND, OtherSystem, "`npx.cmd` is its name on Windows; here it is `npx`"),
        (
            "powershell.exe",
            &[],
            NOT_FOUND,
            OtherSystem,
            "`powershell.exe` is its name on Windows; here it is `pwsh`",
        ),
        ("C:\\tools\\s.exe", &[], NOT_FOUND, OtherSystem, "`C:\\tools\\s.exe` is a path of Windows"),
        ("bin\\s", &[], NOT_FOUND, OtherSystem, "`bin\\s` is a path of Windows"),
    ]);
    // The other way round: only `.exe` is found without its ending there.
    let files = Files(BTreeMap::from([
        ("C:\\work", (PathKind::Folder, &b""[..])),
        ("C:\\node\\npx.cmd", (PathKind::Program, b"")),
    ]));
    let mut endpoint = endpoint("npx", &[], None);
    endpoint.env.insert("Path".into(), "C:\\Windows;C:\\node".into());
    let error = io::Error::from_raw_os_error(NOT_FOUND);
    let report = diagnose(&endpoint, "C:\\work", &error, System::Windows, &files);
    assert_eq!(report.cause, OtherSystem);
    assert_eq!(
        report.to_string(),
        "`npx` is `npx.cmd` here, which is found by its whole name alone: write that, or \"command\": \"cmd\", \
         \"args\": [\"/c\", \"npx\", ...]"
    );
}

#[test]
fn fa_a7_a10_what_is_there_and_cannot_run_says_why() {
    use SpawnCause::{Interpreter, NotAProgram, NotExecutable, Other};
    assert_table(&[
        (
            "./file",
            &[],
            DENIED,
            NotExecutable,
            "`/work/file` may not be executed: run `chmod +x /work/file`, or name the program that reads it as `command`",
        ),
        ("/work/dir", &[], DENIED, NotAProgram, "`/work/dir` is a folder; `command` is the program in it"),
        (
            "/work/gone",
            &[],
            NOT_FOUND,
            Interpreter,
            "the first line of `/work/gone` asks for `/opt/gone/bin/python`, which is not there: change that line, or name the interpreter as `command`",
        ),
        (
            "/work/crlf",
            &[],
            NOT_FOUND,
            Interpreter,
            "the first line of `/work/crlf` asks for `/bin/sh` with a carriage return behind it, so it was saved with the line ends of Windows: save it with LF",
        ),
        (
            "/work/bom",
            &[],
            NO_EXEC,
            NotAProgram,
            "`/work/bom` begins with a byte order mark, which hides its `#!` line: save it without",
        ),
        (
            "/work/bare",
            &[],
            NO_EXEC,
            NotAProgram,
            "`/work/bare` has no `#!` line that says what runs it: add one, or name that program as `command`",
        ),
        ("/work/empty", &[], NO_EXEC, NotAProgram, "`/work/empty` is empty"),
        (
            "/work/musl",
            &[],
            NOT_FOUND,
            NotAProgram,
            "`/work/musl` needs a loader that is not here: it was built for another system, or another C library",
        ),
        ("/work/musl", &[], NO_EXEC, NotAProgram, "`/work/musl` was built for another system or processor"),
        ("/work/mac", &[], NO_EXEC, NotAProgram, "`/work/mac` was built for another system or processor"),
        ("/work/win", &[], NO_EXEC, NotAProgram, "`/work/win` is a program for Windows"),
        (
            "/work/good",
            &[],
            DENIED,
            NotExecutable,
            "the system does not let `/work/good` run here: its volume is mounted without that, or a policy forbids it",
        ),
        ("/work/good", &[], 11, Other, "`/work/good`: resource temporarily unavailable"),
        ("/work/good", &[], 7, Other, "its arguments and its environment are longer than the system allows"),
    ]);
}

#[test]
fn fa_a29_a_working_directory_that_is_missing_is_told_first() {
    let cases = [
        ("/gone", "its working directory `/gone` does not exist"),
        ("/work/file", "its working directory `/work/file` is not a folder"),
        (
            "/work/~/x",
            "its working directory `/work/~/x` does not exist: `~` is not expanded; write `${HOME}`",
        ),
    ];
    for (cwd, text) in cases {
        let error = io::Error::from_raw_os_error(NOT_FOUND);
        let report = diagnose(&endpoint("sh", &[], Some("/bin")), cwd, &error, System::Unix, &files());
        assert_eq!((report.cause, report.text.as_str()), (SpawnCause::WorkingDirectory, text));
    }
}

#[test]
fn fa_a3_an_argument_that_a_shell_would_replace_is_noticed() {
    let noticed = |command: &str, args: &[&str]| hint(&endpoint(command, args, None));
    let tilde = "in its argument `~/srv.py`, `~` is not expanded; write `${HOME}`";
    assert_eq!(noticed("python3", &["-u", "~/srv.py"]).as_deref(), Some(tilde));
    let dir = "in its argument `--dir=~/x`, `~` is not expanded; write `${HOME}`";
    assert_eq!(noticed("node", &["a.js", "--dir=~/x"]).as_deref(), Some(dir));
    let variable = "in its argument `$HOME/srv.py`, `$HOME` is not expanded; write `${HOME}`";
    assert_eq!(noticed("/usr/bin/python3", &["$HOME/srv.py"]).as_deref(), Some(variable));
    assert!(noticed("python3", &["%APPDATA%\\srv.py"]).is_some());
    // A shell does that itself, and a price is not a variable.
    assert_eq!(noticed("/bin/bash", &["-c", "$HOME/x"]), None);
    assert_eq!(noticed("bash", &["-lc", "~/x"]), None);
    assert_eq!(noticed("cmd.exe", &["/C", "%APPDATA%\\x"]), None);
    // A file that it is to run is one of its arguments.
    assert_eq!(noticed("sh", &["~/srv.py"]).as_deref(), Some(tilde));
    assert_eq!(noticed("python3", &["srv.py", "100%", "a~b", "$5"]), None);
}

#[test]
fn fa_a20_a_container_that_cannot_be_spoken_to_is_noticed() {
    let noticed = |args: &[&str]| hint(&endpoint("docker", args, None)).unwrap_or_default();
    let closed = "`docker run` needs `-i`, or the server finds its standard input closed";
    assert_eq!(noticed(&["run", "--rm", "img"]), closed);
    assert_eq!(noticed(&["run", "-e", "KEY=i", "img"]), closed);
    let away = "`docker run` with `-d` leaves the server in the background: write `-i` instead";
    assert_eq!(noticed(&["run", "-d", "img"]), away);
    for fine in [
        &["run", "-i", "img"][..],
        &["run", "--rm", "-it", "img"],
        &["run", "--interactive", "img"],
        &["exec", "x"],
    ] {
        assert_eq!(noticed(fine), "", "{fine:?}");
    }
}

#[test]
fn fa_a28_no_secret_of_the_entry_is_in_a_diagnosis() {
    let mut endpoint = endpoint("/opt/canary-value/run --key canary-value", &[], Some("/x/canary-value"));
    endpoint.secrets = ["canary-value"].into_iter().collect();
    for (command, cwd) in [("", "/work"), ("canary-value", "/work"), ("", "/canary-value")] {
        if !command.is_empty() {
            endpoint.command = command.into();
        }
        let error = io::Error::from_raw_os_error(NOT_FOUND);
        let report = diagnose(&endpoint, cwd, &error, System::Unix, &files());
        assert!(!format!("{report} {report:?}").contains("canary"), "{report}");
    }
}

/// An upgrade takes the version away that a link leads to, and `ls` shows the link all the same.
#[test]
fn fa_a1_fa_a7_a_link_that_leads_to_nothing_is_told_with_where_it_leads() {
    use SpawnCause::{Interpreter, NotAProgram, NotExecutable, NotFound};
    let gone = "is a link to `/opt/gone/server`, which is not there";
    assert_table(&[
        ("/work/old", &[], NOT_FOUND, NotFound, &format!("`/work/old` {gone}")),
        ("./old", &[], NOT_FOUND, NotFound, &format!("`/work/old` {gone}")),
        ("/work/older", &[], NOT_FOUND, NotFound, &format!("`/work/older` {gone}")),
        ("/work/round", &[], 40, NotFound, "`/work/round` is a link that leads back to itself"),
        (
            "/work/current/bin/s",
            &[],
            NOT_FOUND,
            NotFound,
            "`/work/current` is a link to `/work/releases/7`, which is not there",
        ),
        (
            "left",
            &[],
            NOT_FOUND,
            NotFound,
            "`/bin/left` is a link to `/bin/../opt/left`, which is not there; `left` is in no folder of its PATH (/usr/bin /bin)",
        ),
        (
            "/work/to-dir",
            &[],
            DENIED,
            NotAProgram,
            "`/work/to-dir`, a link to `/work/dir`, is a folder; `command` is the program in it",
        ),
        (
            "/work/to-file",
            &[],
            DENIED,
            NotExecutable,
            "`/work/to-file`, a link to `/work/file`, may not be executed: run `chmod +x /work/to-file`, or name the program that reads it as `command`",
        ),
        (
            "/work/venv",
            &[],
            NOT_FOUND,
            Interpreter,
            &format!(
                "the first line of `/work/venv` asks for `/work/old`, but `/work/old` {gone}: change that line, or name the interpreter as `command`"
            ),
        ),
        ("/root/s", &[], DENIED, NotExecutable, "`/root/s` is in a folder that may not be looked into here"),
    ]);
    let error = io::Error::from_raw_os_error(NOT_FOUND);
    let report =
        diagnose(&endpoint("sh", &[], Some("/bin")), "/work/current", &error, System::Unix, &files());
    assert_eq!(
        report.text,
        "its working directory `/work/current` does not exist: `/work/current` is a link to `/work/releases/7`, which is not there"
    );
}

#[cfg(unix)]
#[test]
fn fa_a1_links_of_this_machine_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    std::os::unix::fs::symlink("gone", at("left")).unwrap();
    std::os::unix::fs::symlink("round", at("round")).unwrap();
    assert_eq!(Disk.link(&at("left")).as_deref(), Some("gone"));
    assert_eq!(Disk.link(&at("none")), None);
    for (name, ends) in [("left", "which is not there"), ("round", "leads back to itself")] {
        let error = std::process::Command::new(at(name)).spawn().unwrap_err();
        let report = diagnose(&endpoint(&at(name), &[], None), &at(""), &error, System::HERE, &Disk);
        assert!(report.cause == SpawnCause::NotFound && report.text.ends_with(ends), "{report}");
    }
}
