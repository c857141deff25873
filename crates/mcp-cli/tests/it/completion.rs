//! Completion, in the shells themselves: names of servers, tools, prompts, arguments and sign-ins.

use std::path::Path;

use mcp_harness::{Output, real_or_skip, system_program};
use mcp_testkit::FakeMcpServer;
use serde_json::json;

use crate::accounts::sign_in;
use crate::setting::{Setting, http};

/// A shell of this machine runs a script, with the program on its PATH; `None` where there is no such shell.
fn shell(setting: &Setting, name: &'static str, options: &[&str], script: &str) -> Option<Output> {
    let shell = real_or_skip(system_program(name))?;
    let own = Path::new(env!("CARGO_BIN_EXE_mcplink")).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", own.display());
    let run = mcp_harness::Mcplink::new(shell.to_str().unwrap(), &setting.home);
    let arguments = [options, &["-c", script]].concat();
    Some(run.args(arguments).env("PATH", &path).env("TERM", "dumb").run())
}

/// A home whose servers have listed their tools and prompts once.
fn known(server: &FakeMcpServer) -> Setting {
    let setting = Setting::of("web", http(server))
        .with("my wiki", http(server))
        .with("other", json!({ "type": "http", "url": "http://127.0.0.1:9/mcp" }))
        // As registries name servers: with the signs that stand between a server and its tool as well.
        .with("io.github.x/y", http(server));
    sign_in(&setting, "notes", "https://notes.example/mcp", |_| {});
    // Names are kept for completion.
    let names = setting.home.home().join(".cache/mcplink/names");
    setting.run(&["tools", "web"], 0);
    assert!(!names.exists());
    assert_eq!(offered(&setting, &["call", "web", ""]), [""; 0]);
    setting.run(&["tools", "web"], 0);
    setting.run(&["tools", "io.github.x/y"], 0);
    setting.run(&["prompts", "web"], 0);
    setting
}

/// What `__complete` offers, without descriptions.
fn offered(setting: &Setting, words: &[&str]) -> Vec<String> {
    let output = setting.run(&[&["__complete", "fish", "--", "mcplink"], words].concat(), 0);
    assert_eq!(output.stderr, "", "{words:?}");
    output.stdout.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

#[test]
fn fh_h15_names_of_every_kind_are_offered_and_no_server_is_contacted() {
    let server = FakeMcpServer::start().unwrap();
    let setting = known(&server);
    let contacts = server.requests().len();
    for (words, expected) in [
        (&["status", ""][..], &["web", "my wiki", "other", "io.github.x/y"][..]),
        (&["status", "o"], &["other"]),
        (&["call", "web", "e"], &["echo"]),
        (&["call", "web/ec"], &["web/echo"]),
        (&["call", "web.ec"], &["web.echo"]),
        (&["tools", "my wiki.ec"], &[]),
        (&["call", "web.echo", ""], &["text="]),
        (&["call", "web/echo", "text=x", ""], &[]),
        (&["tools", "web/ec"], &["web/echo"]),
        (&["call", "io.github.x/"], &["io.github.x/y"]),
        (&["call", "io.github.x/y/ec"], &["io.github.x/y/echo"]),
        (&["call", "io.github.x/y.ec"], &["io.github.x/y.echo"]),
        (&["call", "io.github.x/y", "ec"], &["echo"]),
        (&["call", "nope/"], &[]),
        (&["call", "web", "echo", ""], &["text="]),
        (&["call", "web", "echo", "text=x", ""], &[]),
        (&["call", "other", ""], &[]),
        (&["logout", ""], &["notes"]),
        (&["accounts", "n"], &["notes"]),
        (&["wait", "web", "--until", "c"], &["connected"]),
        (&["unwrap", "curs"], &["cursor"]),
        (&["validate", ""], &[":files"]),
    ] {
        assert_eq!(offered(&setting, words), expected, "{words:?}");
    }
    let prompts = offered(&setting, &["prompt", "web", ""]);
    assert!(!prompts.is_empty());
    // What the command can take: servers of that host, those that were put behind this program, sessions that live, pages.
    let cursor = json!({ "mcpServers": { "theirs": http(&server), "left": { "command": "x" } } }).to_string();
    setting.home.write(".cursor/mcp.json", cursor).unwrap();
    assert_eq!(offered(&setting, &["import", "cursor", "--name", ""]), ["theirs", "left"]);
    assert_eq!(offered(&setting, &["import", "codex", "--name", ""]), [""; 0]);
    assert_eq!(offered(&setting, &["wrap", "cursor", "t"]), ["theirs"]);
    assert_eq!(offered(&setting, &["unwrap", "cursor", ""]), [""; 0]);
    setting.run(&["wrap", "cursor", "theirs", "--yes", "--no-check"], 0);
    assert_eq!(offered(&setting, &["unwrap", "cursor", ""]), ["theirs"]);
    assert_eq!(offered(&setting, &["stop", ""]), [""; 0]);
    assert_eq!(offered(&setting, &["help", "not-f"]), ["not-found"]);
    // The entries that the line would see.
    let inline = json!({ "mcpServers": { "mine": http(&server) } }).to_string();
    let option = format!("--mcp-config={inline}");
    assert_eq!(offered(&setting, &[&option, "--strict-mcp-config", "status", ""]), ["mine"]);
    // Broken files, unknown commands and odd words do no harm.
    setting.home.write_project(".mcp.json", "{").unwrap();
    assert!(offered(&setting, &["status", "w"]).contains(&"web".to_owned()));
    assert_eq!(offered(&setting, &["\u{1b}[31m", "--x", "-", ""]).len(), offered(&setting, &[""]).len());
    assert_eq!(server.requests().len(), contacts);
    // What is kept goes with the entry.
    setting.run(&["remove", "web", "--scope", "user"], 0);
    let names = setting.home.home().join(".cache/mcplink/names");
    assert_eq!(std::fs::read_dir(names).unwrap().count(), 1);
}

#[test]
fn s_k4_fh_h15_a_name_that_acts_on_a_terminal_is_not_put_into_a_line() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::of("good", http(&server))
        .with("go\u{1b}[2J", http(&server))
        .with("go\u{202e}x", http(&server));
    assert_eq!(offered(&setting, &["status", "go"]), ["good"]);
}

/// One line for each kind of name: a server, a tool, a prompt, an argument, a sign-in.
const KINDS: [&[&str]; 8] = [
    &["call", "web.e"],
    &["call", "io.github.x/y/e"],
    &["status", ""],
    &["call", "web", ""],
    &["prompt", "web", ""],
    &["call", "web", "echo", ""],
    &["logout", ""],
    &["wait", "web", "--until", ""],
];

/// Every shell, driven, comes to the same names: what one offers, the others do.
#[test]
fn fh_h15_bash_and_fish_offer_what_the_program_knows_for_every_kind_of_name() {
    let server = FakeMcpServer::start().unwrap();
    let setting = known(&server);
    let mut expected: Vec<Vec<String>> = KINDS.iter().map(|words| offered(&setting, words)).collect();
    expected.iter_mut().for_each(|names| names.sort());
    assert!(expected.iter().all(|names| !names.is_empty()), "{expected:?}");
    let lines: Vec<String> = KINDS.iter().map(|words| format!("'mcplink {}'", words.join(" "))).collect();
    let lines = lines.join(" ");
    let bash = format!(
        r#"eval "$(mcplink completions bash)"
        for line in {lines}; do
            COMP_LINE=$line COMP_POINT=${{#line}}; _mcplink; printf '%s\n' "${{COMPREPLY[@]}}"; echo @@
        done"#
    );
    let fish = format!(
        "mcplink completions fish | source
        for line in {lines}
            complete -C $line; echo @@
        end"
    );
    for (name, options, script) in
        [("bash", &["--norc", "--noprofile"][..], bash), ("fish", &["--no-config"], fish)]
    {
        let Some(output) = shell(&setting, name, options, &script) else { continue };
        let output = output.expect_code(0);
        let parts = output.stdout.split("@@\n").take(KINDS.len());
        let mut seen: Vec<Vec<String>> = parts
            .map(|part| part.lines().map(|line| line.split('\t').next().unwrap().replace('\'', "")).collect())
            .collect();
        seen.iter_mut().for_each(|names| names.sort());
        assert_eq!(seen, expected, "{name}: {output}");
    }
}

#[test]
fn fh_h15_bash_completes() {
    let server = FakeMcpServer::start().unwrap();
    let setting = known(&server);
    let script = r#"eval "$(mcplink completions bash)"
        for line in 'mcplink stat' 'mcplink status ' 'mcplink call web echo te' 'mcplink list --scope=u' "mcplink get 'my w"; do
            COMP_LINE=$line COMP_POINT=${#line}; _mcplink; printf '[%s]' "${COMPREPLY[@]}"; echo
        done; complete -p mcplink"#;
    let Some(output) = shell(&setting, "bash", &["--norc", "--noprofile"], script) else { return };
    let output = output.expect_code(0);
    let expected = "[status]\n[web]['my wiki'][other][io.github.x/y]\n[text=]\n[user]\n[my wiki]\ncomplete -F _mcplink mcplink\n";
    assert_eq!(output.stdout, expected, "{output}");
}

#[test]
fn fh_h15_fish_completes() {
    let server = FakeMcpServer::start().unwrap();
    let setting = known(&server);
    let script = "mcplink completions fish | source
        for line in 'mcplink stat' 'mcplink status ' 'mcplink call web echo te' 'mcplink logout '
            complete -C $line; echo @@
        end";
    let Some(output) = shell(&setting, "fish", &["--no-config"], script) else { return };
    let output = output.expect_code(0);
    let lines: Vec<Vec<&str>> = output
        .stdout
        .split("@@\n")
        .map(|part| part.lines().map(|line| line.split('\t').next().unwrap()).collect())
        .collect();
    assert_eq!(lines[0], ["status"], "{output}");
    // In its own order.
    assert_eq!(lines[1], ["io.github.x/y", "my wiki", "other", "web"], "no files among them: {output}");
    assert_eq!((&lines[2], &lines[3]), (&vec!["text="], &vec!["notes"]), "{output}");
}

#[test]
fn fh_h15_zsh_completes() {
    let server = FakeMcpServer::start().unwrap();
    let setting = known(&server);
    let folder = setting.home.home().join("zfunc");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("_mcplink"), setting.run(&["completions", "zsh"], 0).stdout).unwrap();
    // A terminal of its own, in which a key is pressed.
    let script = r#"zmodload zsh/zpty || exit 77
        out=
        await() {
            local more
            repeat 200; do
                while zpty -r -t z more; do out+=$more; done
                [[ $out == *$1* ]] && return
                sleep 0.1
            done
            print -r -- "no $1 in: $out"
            exit 1
        }
        press() { out=; zpty -w -n z "$1"; await "$2"; print -r -- "$out"; }
        zpty z 'zsh -f'
        zpty -w z 'PS1=; fpath=(~/zfunc $fpath); autoload -U compinit'
        zpty -w z 'compinit -u -D; print -r REA${:-DY}'
        await READY
        press $'mcplink status o\t' ther
        press $'\C-Umcplink call web echo te\t' 'xt='
        press $'\C-Umcplink status \t\t' '127.0.0.1:9'
        press $'\C-Umcplink call web e\t' 'cho'
        press $'\C-Umcplink logout n\t' 'otes'
        press $'\C-Umcplink call web.e\t' 'cho'
        press $'\C-Umcplink call io.github.x/y/e\t' 'cho'
        zpty -d z"#;
    let Some(output) = shell(&setting, "zsh", &["-f"], script) else { return };
    let output = output.expect_code(0);
    // The rest of each word, behind what was typed.
    for part in ["ther", "xt=", "http://127.0.0.1:9/mcp"] {
        assert!(output.stdout.contains(part), "{part}: {output}");
    }
}
