//! Which commands are this program as a bridge to a name.
//!
//! The rule is conservative. What it takes for a pointer is left out, so it must not take a server for one: it knows the
//! ways in which people start a program (through `npx`, `cargo run`, a shell, `env`) and nothing else. A loop in a form
//! that it does not know ends at its first repetition; see [`crate::chain`].

use url::Url;

use super::script;

/// This program's name, as a command and as a package.
const PROGRAM: &str = "mcplink";
/// Its package in this workspace, for `cargo run -p`.
const PACKAGE: &str = "mcp-cli";
/// The subcommands that are a bridge.
const BRIDGE: [&str; 2] = ["bridge", "serve"];
/// Commands that start commands: no more of them than this in one entry.
const MAX_DEPTH: usize = 8;
/// The options of this program, before and behind the subcommand, that a value follows.
const VALUED: [&str; 12] = [
    "--mcp-config",
    "--scope",
    "--color",
    "--project",
    "--account",
    "--from",
    "--timeout",
    "--header",
    "-H",
    "--as",
    "--host",
    "--log",
];

/// A command that runs the command behind its own options.
struct Prefix {
    name: &'static str,
    /// Subcommands, one of which must come first; none where there is none.
    verbs: &'static [&'static str],
    /// Options that a value follows.
    valued: &'static [&'static str],
    /// Arguments of its own before the command.
    own: usize,
}

const fn prefix(
    name: &'static str,
    verbs: &'static [&'static str],
    valued: &'static [&'static str],
    own: usize,
) -> Prefix {
    Prefix { name, verbs, valued, own }
}

/// The commands in front of a command. `env` and `sudo` also take assignments, so all of them do.
const PREFIXES: [Prefix; 44] = [
    prefix("env", &[], &["-u", "--unset", "-C", "--chdir"], 0),
    prefix("exec", &[], &["-a"], 0),
    prefix("command", &[], &[], 0),
    prefix("call", &[], &[], 0),
    prefix("nice", &[], &["-n", "--adjustment"], 0),
    prefix("ionice", &[], &["-c", "-n", "--class", "--classdata"], 0),
    prefix("nohup", &[], &[], 0),
    prefix("time", &[], &["-f", "-o"], 0),
    prefix("timeout", &[], &["-s", "--signal", "-k", "--kill-after"], 1),
    prefix("stdbuf", &[], &["-i", "-o", "-e"], 0),
    prefix("setsid", &[], &[], 0),
    prefix("taskset", &[], &[], 1),
    prefix("arch", &[], &["-arch"], 0),
    prefix("caffeinate", &[], &["-t", "-w"], 0),
    prefix("sudo", &[], &["-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T"], 0),
    prefix("doas", &[], &["-u", "-C"], 0),
    prefix("tini", &[], &["-p", "-e"], 0),
    prefix("dumb-init", &[], &[], 0),
    prefix("busybox", &[], &[], 0),
    prefix("npx", &[], &["-p", "--package", "-w", "--workspace"], 0),
    prefix("npm", &["exec", "x"], &["-p", "--package", "-w", "--workspace"], 0),
    prefix("pnpx", &[], &[], 0),
    prefix("pnpm", &["dlx", "exec"], &["--package", "--filter", "-C", "--dir"], 0),
    prefix("yarn", &["dlx", "exec", "run"], &["-p", "--package", "--cwd"], 0),
    prefix("bunx", &[], &["-p", "--package"], 0),
    prefix("bun", &["x"], &["-p", "--package"], 0),
    prefix("deno", &["run"], &["-c", "--config", "--import-map"], 0),
    prefix("uvx", &[], &["--from", "--with", "-p", "--python", "--index-url", "--directory"], 0),
    prefix("uv", &["tool", "run"], &["--from", "--with", "-p", "--python", "--directory", "--project"], 0),
    prefix("pipx", &["run"], &["--spec", "--python", "--index-url"], 0),
    prefix("pipenv", &["run"], &[], 0),
    prefix("poetry", &["run"], &["-C", "--directory"], 0),
    prefix("conda", &["run"], &["-n", "--name", "-p", "--prefix", "--cwd"], 0),
    prefix("mise", &["exec", "x"], &["-c", "-C"], 0),
    prefix("direnv", &["exec"], &[], 1),
    prefix("op", &["run"], &["--env-file", "--account"], 0),
    prefix("doppler", &["run"], &["-p", "--project", "-c", "--config"], 0),
    prefix("infisical", &["run"], &["--env", "--path", "--projectId"], 0),
    prefix("dotenvx", &["run"], &["-f", "--env-file"], 0),
    prefix("dotenv", &[], &["-e", "-c", "-v"], 0),
    prefix("aws-vault", &["exec"], &["-d", "--duration"], 1),
    prefix("chamber", &["exec"], &[], 1),
    prefix("volta", &["run"], &["--node", "--npm"], 0),
    prefix("corepack", &[], &[], 0),
];

/// The options of `cargo run` and of `cargo` itself that a value follows.
const CARGO_VALUED: [&str; 17] = [
    "-p",
    "--package",
    "--bin",
    "--example",
    "-F",
    "--features",
    "--profile",
    "-j",
    "--jobs",
    "--target",
    "--target-dir",
    "--manifest-path",
    "--message-format",
    "--color",
    "--config",
    "-Z",
    "-C",
];

/// Where a pointer leads: the name of the server that this program is to be a bridge to.
///
/// `None` for every other command, a bridge to a URL among them: that one is a server of its own. `is_program` answers
/// whether a command leads to the file of the running program, whatever it is called.
pub(super) fn target(command: &str, args: &[&str], is_program: &dyn Fn(&str) -> bool) -> Option<String> {
    let words: Vec<String> =
        std::iter::once(command).chain(args.iter().copied()).map(str::to_owned).collect();
    lead(&words, is_program, MAX_DEPTH)
}

fn lead(words: &[String], is_program: &dyn Fn(&str) -> bool, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let assigned = words.iter().take_while(|word| is_assignment(word)).count();
    let (head, rest) = words[assigned..].split_first()?;
    if is_named(head) || is_package(head) || is_program(head) {
        return bridged(rest);
    }
    let go_on = |words: &[String]| lead(words, is_program, depth);
    match &*base_name(head) {
        "sh" | "bash" | "zsh" | "dash" | "ash" | "ksh" | "fish" => go_on(&shell(rest)?),
        "cmd" => go_on(&windows_shell(rest)?),
        "powershell" | "pwsh" => go_on(&powershell(rest)?),
        "cargo" => cargo(rest),
        "python" | "python3" | "py" => match rest {
            [flag, module, rest @ ..] if flag == "-m" && module == PROGRAM => bridged(rest),
            _ => None,
        },
        "node" => match rest {
            [script, rest @ ..] if is_installed_script(script) => bridged(rest),
            _ => None,
        },
        name => {
            let prefix = PREFIXES.iter().find(|prefix| prefix.name == name)?;
            go_on(&prefix.command(rest)?)
        }
    }
}

impl Prefix {
    /// The words of the command that it runs.
    fn command(&self, args: &[String]) -> Option<Vec<String>> {
        let mut args = args;
        let mut own = self.own;
        let mut verbs = !self.verbs.is_empty();
        loop {
            let (word, rest) = args.split_first()?;
            if word == "--" {
                return Some(rest.to_vec());
            }
            if matches!((self.name, &**word), ("env", "-S" | "--split-string")) {
                let mut words = script::last_command(rest.first()?)?;
                words.extend_from_slice(&rest[1..]);
                return Some(words);
            }
            if matches!((self.name, &**word), ("npx" | "npm", "-c" | "--call")) {
                return script::last_command(rest.first()?);
            }
            if word.starts_with('-') && word.len() > 1 {
                args = rest.get(usize::from(self.valued.contains(&&**word))..)?;
            } else if verbs && self.verbs.contains(&&**word) {
                // `uv tool run` has two.
                verbs = self.name == "uv" && word == "tool";
                args = rest;
            } else if verbs {
                return None;
            } else if own > 0 {
                own -= 1;
                args = rest;
            } else if is_assignment(word) || (self.name == "mise" && word.contains('@') && !is_package(word))
            {
                args = rest;
            } else {
                return Some(args.to_vec());
            }
        }
    }
}

/// The name behind `bridge`, where these are the arguments of a bridge to a name.
fn bridged(args: &[String]) -> Option<String> {
    let (verb, rest) = positional(args, &VALUED)?;
    if !BRIDGE.contains(&&**verb) {
        return None;
    }
    let (name, _) = positional(rest, &VALUED)?;
    let is_url = Url::parse(name).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    (!is_url && !name.is_empty()).then(|| name.clone())
}

/// The first argument that is no option nor the value of one, and what follows it.
fn positional<'a>(args: &'a [String], valued: &[&str]) -> Option<(&'a String, &'a [String])> {
    let mut args = args;
    loop {
        let (word, rest) = args.split_first()?;
        if word == "--" {
            return rest.split_first();
        }
        if !word.starts_with('-') {
            return Some((word, rest));
        }
        args = rest.get(usize::from(valued.contains(&&**word))..)?;
    }
}

/// The words of `sh -c '...'`, with the arguments behind the script where it asks for them.
fn shell(args: &[String]) -> Option<Vec<String>> {
    let (at, _) = args.iter().enumerate().find(|(_, arg)| !is_flag_without_script(arg))?;
    if !(args[at].starts_with('-') && !args[at].starts_with("--") && args[at].ends_with('c')) {
        return None;
    }
    let (text, arguments) = args[at + 1..].split_first()?;
    let mut words = Vec::new();
    for word in script::last_command(text)? {
        match &*word {
            "$0" | "${0}" => words.extend(arguments.first().cloned()),
            "$@" | "$*" | "${@}" => words.extend(arguments.iter().skip(1).cloned()),
            _ => words.push(word),
        }
    }
    Some(words)
}

/// `-l`, `-i`, `--login`: an option of a shell that does not say where the script is.
fn is_flag_without_script(arg: &str) -> bool {
    arg.starts_with("--") || (arg.starts_with('-') && !arg.ends_with('c'))
}

/// The words of `cmd /d /s /c ...`.
fn windows_shell(args: &[String]) -> Option<Vec<String>> {
    let at = args.iter().position(|arg| !matches!(&*arg.to_ascii_lowercase(), "/d" | "/s" | "/q"))?;
    if !matches!(&*args[at].to_ascii_lowercase(), "/c" | "/k") {
        return None;
    }
    one_line(&args[at + 1..])
}

/// The words of `powershell -NoProfile -Command ...`.
fn powershell(args: &[String]) -> Option<Vec<String>> {
    let at = args.iter().position(|arg| matches!(&*arg.to_ascii_lowercase(), "-command" | "-c"))?;
    let mut words = one_line(&args[at + 1..])?;
    // The call operator.
    words.retain(|word| word != "&");
    Some(words)
}

/// A command as words, or as one word that is a line.
fn one_line(words: &[String]) -> Option<Vec<String>> {
    match words {
        // There, `\` separates the parts of a path, and means nothing else.
        [line] => script::last_command(&line.trim_start_matches("& ").replace('\\', "/")),
        words => Some(words.to_vec()),
    }
}

/// `cargo run` of this program.
fn cargo(args: &[String]) -> Option<String> {
    let args = args.strip_prefix(&[]).filter(|args| !args.is_empty())?;
    let args = if args[0].starts_with('+') { &args[1..] } else { args };
    let (verb, _) = positional(args, &CARGO_VALUED)?;
    if !matches!(&**verb, "run" | "r") {
        return None;
    }
    let at = args.iter().position(|arg| std::ptr::eq(arg, verb))?;
    let mut ours = false;
    let mut rest = &args[at + 1..];
    loop {
        let (word, behind) = rest.split_first()?;
        if word == "--" {
            rest = behind;
            break;
        }
        if !word.starts_with('-') {
            break;
        }
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None if CARGO_VALUED.contains(&&**word) => (&**word, behind.first().map(|value| &**value)),
            None => (&**word, None),
        };
        ours |= match (option, value) {
            ("--bin", Some(value)) => value == PROGRAM,
            ("-p" | "--package", Some(value)) => [PROGRAM, PACKAGE].contains(&package_name(value)),
            ("--manifest-path", Some(value)) => {
                value.split(['/', '\\']).any(|part| [PROGRAM, PACKAGE].contains(&part))
            }
            _ => false,
        };
        let has_own_word = value.is_some() && !word.contains('=');
        rest = behind.get(usize::from(has_own_word)..)?;
    }
    if ours { bridged(rest) } else { None }
}

/// The name in a package specification of cargo: `name`, `name@1.0`, `path+file:///src/name#1.0`, `url#name@1.0`.
fn package_name(specification: &str) -> &str {
    let (path, fragment) = specification.split_once('#').unwrap_or((specification, ""));
    let name = if fragment.starts_with(|c: char| c.is_ascii_alphabetic()) { fragment } else { path };
    let name = name.rsplit('/').next().unwrap_or(name);
    name.split('@').next().unwrap_or(name)
}

/// `A=B`, as it may stand in front of a command.
fn is_assignment(word: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    // `mcplink==1.0` is a package.
    word.split_once('=').is_some_and(|(name, _)| is_name(name) && name != PROGRAM)
}

/// The last part of a path of either system, without what marks a program on Windows, in small letters.
fn base_name(command: &str) -> String {
    let name = command.rsplit(['/', '\\']).next().unwrap_or(command).to_ascii_lowercase();
    let plain = [".exe", ".cmd", ".bat", ".ps1", ".com"].iter().find_map(|end| name.strip_suffix(end));
    plain.map(str::to_owned).unwrap_or(name)
}

fn is_named(command: &str) -> bool {
    // `@scope/mcplink` is the package of somebody else.
    !command.starts_with('@') && base_name(command) == PROGRAM
}

/// `mcplink@1.2`, `mcplink==1.2`, `npm:mcplink`: as launchers of packages name it.
fn is_package(word: &str) -> bool {
    let word = word.strip_prefix("npm:").unwrap_or(word);
    word.split(['@', '=', '[', '~', '>', '<']).next() == Some(PROGRAM)
}

/// A script of an installed package, as `node` is given it.
fn is_installed_script(path: &str) -> bool {
    let mut parts = path.split(['/', '\\']);
    parts.any(|part| part == "node_modules") && parts.next() == Some(PROGRAM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn told(line: &[&str]) -> Option<String> {
        let (command, args) = line.split_first().unwrap();
        target(command, args, &|command| command == "/opt/own/renamed")
    }

    #[test]
    fn s_b2_every_way_to_start_a_bridge_to_a_name_is_a_pointer() {
        let forms: &[&[&str]] = &[
            // By name and by path.
            &["mcplink", "bridge", "internal"],
            &["mcplink", "serve", "internal"],
            &["/usr/local/bin/mcplink", "bridge", "internal"],
            &["./target/debug/mcplink", "bridge", "internal"],
            &["~/.cargo/bin/mcplink", "bridge", "internal"],
            &["mcplink.exe", "bridge", "internal"],
            &["C:\\Tools\\MCPLINK.EXE", "bridge", "internal"],
            &["mcplink.cmd", "bridge", "internal"],
            &["/opt/own/renamed", "bridge", "internal"],
            // With options, wherever they stand.
            &["mcplink", "-v", "bridge", "--shared", "internal"],
            &["mcplink", "--mcp-config", "servers.json", "--strict-mcp-config", "bridge", "internal"],
            &["mcplink", "--mcp-config=servers.json", "bridge", "internal", "-vv"],
            &["mcplink", "--project", "/app", "bridge", "--account", "work", "internal"],
            &["mcplink", "--scope", "user", "-q", "bridge", "-H", "X-Team: a", "--", "internal"],
            &["mcplink", "bridge", "--interactive-login", "internal", "--timeout", "5s"],
            // Through what fetches and runs a package.
            &["npx", "mcplink", "bridge", "internal"],
            &["npx", "-y", "mcplink@latest", "bridge", "internal"],
            &["npx", "--yes", "-p", "mcplink", "mcplink", "bridge", "internal"],
            &["npx", "--package=mcplink", "--", "mcplink", "bridge", "internal"],
            &["npx", "-c", "mcplink bridge internal"],
            &["npx.cmd", "-y", "mcplink", "bridge", "internal"],
            &["npm", "exec", "--yes", "--", "mcplink", "bridge", "internal"],
            &["pnpm", "dlx", "mcplink", "bridge", "internal"],
            &["yarn", "dlx", "-q", "mcplink", "bridge", "internal"],
            &["bunx", "mcplink", "bridge", "internal"],
            &["bun", "x", "mcplink", "bridge", "internal"],
            &["deno", "run", "-A", "npm:mcplink@1", "bridge", "internal"],
            &["uvx", "mcplink==1.0", "bridge", "internal"],
            &["uvx", "--from", "mcplink-tools", "mcplink", "bridge", "internal"],
            &["uv", "tool", "run", "mcplink", "bridge", "internal"],
            &["uv", "run", "--with", "mcplink", "mcplink", "bridge", "internal"],
            &["pipx", "run", "--spec", "x", "mcplink", "bridge", "internal"],
            &["python3", "-m", "mcplink", "bridge", "internal"],
            &["node", "/app/node_modules/mcplink/bin.js", "bridge", "internal"],
            // From the source.
            &["cargo", "run", "-p", "mcp-cli", "--", "bridge", "internal"],
            &["cargo", "run", "-q", "--release", "--bin", "mcplink", "--", "-v", "bridge", "internal"],
            &["cargo", "+nightly", "run", "--package=mcplink", "bridge", "internal"],
            &["cargo", "-q", "run", "--manifest-path", "/src/mcplink/Cargo.toml", "--", "bridge", "internal"],
            &["cargo", "run", "-p", "path+file:///src/crates/mcp-cli#0.1.0", "--", "serve", "internal"]
                as &[&str],
            // Through other commands.
            &["env", "A=B", "PATH=/x", "mcplink", "bridge", "internal"],
            &["/usr/bin/env", "-i", "-u", "X", "mcplink", "bridge", "internal"],
            &["env", "-S", "A=1 mcplink bridge", "internal"],
            &["nice", "-n", "10", "mcplink", "bridge", "internal"],
            &["timeout", "-k", "5", "1h", "mcplink", "bridge", "internal"],
            &["sudo", "-u", "ann", "mcplink", "bridge", "internal"],
            &["op", "run", "--env-file", ".env", "--", "mcplink", "bridge", "internal"],
            &["direnv", "exec", "/app", "mcplink", "bridge", "internal"],
            &["mise", "exec", "node@22", "--", "npx", "mcplink", "bridge", "internal"],
            // Through a shell.
            &["sh", "-c", "mcplink bridge internal"],
            &["/bin/bash", "-lc", "exec mcplink bridge internal"],
            &["zsh", "-l", "-c", ". ~/.profile; A=1 nice mcplink bridge 'internal' 2>/tmp/log"],
            &["sh", "-c", "cd /app && exec npx -y mcplink bridge internal"],
            &["sh", "-c", "exec \"$0\" \"$@\"", "mcplink", "bridge", "internal"],
            &["sh", "-ec", "sh -c 'mcplink bridge internal'"],
            &["cmd", "/c", "npx", "-y", "mcplink", "bridge", "internal"],
            &["cmd.exe", "/d", "/s", "/C", "C:\\Tools\\mcplink.exe bridge internal"],
            &["powershell.exe", "-NoProfile", "-Command", "& C:\\Tools\\mcplink.exe bridge internal"],
        ];
        for line in forms {
            assert_eq!(told(line).as_deref(), Some("internal"), "{line:?}");
        }
    }

    #[test]
    fn s_b2_a_server_is_never_taken_for_a_pointer() {
        let nested: Vec<String> = vec!["nice".to_owned(); 40];
        let mut nested: Vec<&str> = nested.iter().map(String::as_str).collect();
        nested.extend(["mcplink", "bridge", "internal"]);
        let servers: &[&[&str]] = &[
            // A bridge to a URL is a server of its own.
            &["mcplink", "bridge", "https://internal.example/mcp"],
            &["npx", "mcplink", "bridge", "--shared", "HTTP://127.0.0.1:1/mcp"],
            // Something else that this program does.
            &["mcplink"],
            &["mcplink", "bridge"],
            &["mcplink", "demo"],
            &["mcplink", "call", "bridge", "internal"],
            &["mcplink", "--mcp-config", "bridge", "internal"],
            // Somebody else's program.
            &["mcplinkd", "bridge", "internal"],
            &["not-mcplink", "bridge", "internal"],
            &["/opt/mcplink/server", "bridge", "internal"],
            &["npx", "-y", "mcp-remote", "mcplink", "bridge"],
            &["npx", "@other/mcplink", "bridge", "internal"],
            &["npx", "-y", "server", "--name", "mcplink", "bridge", "internal"],
            &["python3", "server.py", "mcplink", "bridge", "internal"],
            &["node", "/app/mcplink/server.js", "bridge", "internal"],
            &["cargo", "run", "--", "bridge", "internal"],
            &["cargo", "run", "-p", "other", "--", "bridge", "internal"],
            &["cargo", "test", "-p", "mcp-cli", "--", "bridge", "internal"],
            &["docker", "run", "-i", "mcplink", "bridge", "internal"],
            // A program that speaks for itself, with a bridge behind it.
            &["mcp-filter", "--", "mcplink", "bridge", "internal"],
            &["sh", "-c", "mcplink bridge internal | filter"],
            &["sh", "-c", "echo mcplink bridge internal"],
            &["sh", "-c", "mcplink bridge internal; other-server"],
            &["sh", "mcplink", "bridge", "internal"],
            &["env"],
            &["sh", "-c"],
            &["cargo"],
            &nested,
        ];
        for line in servers {
            assert_eq!(told(line), None, "{line:?}");
        }
    }
}
