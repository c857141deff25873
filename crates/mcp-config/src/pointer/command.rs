//! Which commands are this program as a bridge to a name.
//!
//! The rule is conservative. What it takes for a pointer is left out, so it must not take a server for one: it knows the
//! ways in which people start a program (through `npx`, `cargo run`, a shell, `env`) and nothing else. A loop in a form
//! that it does not know ends at its first repetition; see [`crate::chain`].

use crate::address::Address;

use super::launchers::{CARGO_VALUED, CONTAINER_VALUED, LAUNCHERS, Launcher, NIX_VALUED};
use crate::script;

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

/// Where a pointer leads: the name of the server that this program is to be a bridge to.
///
/// `None` for every other command, a bridge to a URL among them: that one is a server of its own. `is_program` answers
/// whether a command leads to the file of the running program, whatever it is called.
pub(super) fn target(command: &str, args: &[&str], is_program: &dyn Fn(&str) -> bool) -> Option<String> {
    let words: Vec<String> =
        std::iter::once(command).chain(args.iter().copied()).map(str::to_owned).collect();
    lead(&words, is_program, MAX_DEPTH).or_else(|| {
        // A whole line where a program should stand: no system starts it, and its writer has meant what a shell reads.
        let line = command.contains(char::is_whitespace).then(|| one_line(&words[..1]))??;
        lead(&[&line, &words[1..]].concat(), is_program, MAX_DEPTH)
    })
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
        "python" | "python3" | "py" => {
            let at = rest.iter().position(|word| word == "-m" || !word.starts_with('-'))?;
            // A module: this one, or a launcher.
            if rest[at] == "-m" { go_on(&rest[at + 1..]) } else { None }
        }
        "node" => {
            let at = rest.iter().position(|word| !word.starts_with('-'))?;
            if is_installed_script(&rest[at]) { bridged(&rest[at + 1..]) } else { None }
        }
        "docker" | "podman" | "nerdctl" | "finch" => match container(rest)? {
            InnerCommand::Arguments(args) => bridged(args),
            InnerCommand::Command(words) => go_on(words),
        },
        "flatpak" => flatpak(rest),
        "nix" => match nix(rest)? {
            InnerCommand::Arguments(args) => bridged(args),
            InnerCommand::Command(words) => go_on(words),
        },
        "nix-shell" => {
            let at = rest.iter().position(|word| matches!(&**word, "--run" | "--command"))?;
            go_on(&script::last_command(rest.get(at + 1)?)?)
        }
        name if name.starts_with("ld-linux") || name.starts_with("ld-musl") => {
            go_on(&Launcher::LOADER.command(rest)?)
        }
        name => {
            let launcher = LAUNCHERS.iter().find(|launcher| launcher.name == name)?;
            go_on(&launcher.command(rest)?)
        }
    }
}

impl Launcher {
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
            let (option, joined) = match word.split_once('=') {
                Some((option, value)) if word.starts_with('-') => (option, Some(value)),
                _ => (&**word, None),
            };
            // `-lc LINE` is `-l -c LINE`.
            let grouped = self.lines.contains(&"-c") && !word.starts_with("--") && word.ends_with('c');
            if self.lines.contains(&option) || (grouped && word.starts_with('-')) {
                let (line, behind) = match joined {
                    Some(line) => (line, rest),
                    None => rest.split_first().map(|(line, behind)| (&**line, behind))?,
                };
                let mut words = script::last_command(line)?;
                if self.name == "env" {
                    words.extend_from_slice(behind);
                }
                return Some(words);
            }
            if word.starts_with('-') {
                args = rest.get(usize::from(self.valued.contains(&&**word))..)?;
            } else if verbs && self.verbs.contains(&&**word) {
                // `uv tool run` has two.
                verbs = self.name == "uv" && word == "tool";
                args = rest;
            } else if verbs && !self.verbs.contains(&"") {
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

/// What runs inside of something that is not a launcher of one command line.
enum InnerCommand<'a> {
    /// These words.
    Command(&'a [String]),
    /// This program, with these arguments.
    Arguments(&'a [String]),
}

/// What a container runs: the command behind the image, or this program where the image or the entry point is it. Its files
/// are its own, and so it is how a host reaches one of its servers, all the same.
fn container(args: &[String]) -> Option<InnerCommand<'_>> {
    let mut args = args;
    let mut runs = false;
    let mut entry_point = None;
    loop {
        let (word, rest) = args.split_first()?;
        if word.starts_with('-') && word.len() > 1 {
            let (option, value) = match word.split_once('=') {
                Some((option, value)) => (option, Some(value)),
                None => (&**word, rest.first().map(|value| &**value)),
            };
            if option == "--entrypoint" {
                entry_point = value;
            }
            let separate = !word.contains('=') && CONTAINER_VALUED.contains(&option);
            args = rest.get(usize::from(separate)..)?;
        } else if runs {
            let image = entry_point.map_or_else(|| image_name(word), base_name);
            let command = rest.first().filter(|_| entry_point.is_none());
            return Some(match command {
                _ if image != PROGRAM => InnerCommand::Command(rest),
                Some(command) if is_named(command) => InnerCommand::Command(rest),
                _ => InnerCommand::Arguments(rest),
            });
        } else if matches!(&**word, "run" | "exec") {
            runs = true;
            args = rest;
        } else if matches!(&**word, "compose" | "container") {
            args = rest;
        } else {
            return None;
        }
    }
}

/// The last part of the name of an image, without tag and digest.
fn image_name(image: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    let name = name.rsplit('/').next().unwrap_or(name);
    name.split(':').next().unwrap_or(name).to_ascii_lowercase()
}

/// `nix run nixpkgs#mcplink -- ..`, `nix shell nixpkgs#mcplink -c mcplink ..`.
fn nix(args: &[String]) -> Option<InnerCommand<'_>> {
    let (verb, rest) = positional(args, NIX_VALUED)?;
    match &**verb {
        "run" => {
            let (installable, rest) = positional(rest, NIX_VALUED)?;
            let package = installable.rsplit(['#', '/', '.', ':']).next()?;
            (package == PROGRAM).then_some(InnerCommand::Arguments(rest))
        }
        "shell" | "develop" => {
            let at = rest.iter().position(|word| matches!(&**word, "-c" | "--command"))?;
            Some(InnerCommand::Command(&rest[at + 1..]))
        }
        _ => None,
    }
}

/// `flatpak run --command=mcplink APP ..`, `flatpak run io.github.mcplink.mcplink ..`.
fn flatpak(args: &[String]) -> Option<String> {
    let (verb, rest) = positional(args, &[])?;
    if verb != "run" {
        return None;
    }
    let (app, behind) = positional(rest, &[])?;
    let options = &rest[..rest.len() - behind.len()];
    let command = options.iter().find_map(|option| option.strip_prefix("--command="));
    let program = command.unwrap_or_else(|| app.rsplit('.').next().unwrap_or(app));
    if is_named(program) { bridged(behind) } else { None }
}

/// The name behind `bridge`, where these are the arguments of a bridge to a name.
fn bridged(args: &[String]) -> Option<String> {
    let (verb, rest) = positional(args, &VALUED)?;
    if !BRIDGE.contains(&&**verb) {
        return None;
    }
    let (name, _) = positional(rest, &VALUED)?;
    (!Address::is_one(name) && !name.is_empty()).then(|| name.clone())
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
    let (verb, _) = positional(args, CARGO_VALUED)?;
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
    // `@scope/mcplink` is the package of another author.
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
mod tests;
