//! Which commands are this program as a bridge to a name.
//!
//! The rule is conservative. What it takes for a pointer is left out, so it must not take a server for one: it knows the
//! ways in which people start a program (through `npx`, `cargo run`, a shell, `env`) and nothing else. A loop in a form
//! that it does not know ends at its first repetition; see [`crate::chain`].

use crate::address::Address;

use super::valued::{CARGO_VALUED, CONTAINER_VALUED, NIX_VALUED};
use crate::launchers::{self, base_name};

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
        let line = command.contains(char::is_whitespace).then(|| launchers::of_line(command))??;
        lead(&[&line, &words[1..]].concat(), is_program, MAX_DEPTH)
    })
}

fn lead(words: &[String], is_program: &dyn Fn(&str) -> bool, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let assigned = words.iter().take_while(|word| launchers::is_assignment(word)).count();
    let (head, rest) = words[assigned..].split_first()?;
    if is_named(head) || is_package(head) || is_installed_script(head) || is_program(head) {
        return bridged(rest);
    }
    let inner = match &*base_name(head) {
        "cargo" => return cargo(rest),
        "docker" | "podman" | "nerdctl" | "finch" => container(rest)?,
        "flatpak" => return flatpak(rest),
        "nix" => nix(rest)?,
        _ => {
            let words = launchers::started(words)?.command.into_words(words)?;
            return lead(&words, is_program, depth);
        }
    };
    match inner {
        InnerCommand::Arguments(args) => bridged(args),
        InnerCommand::Command(words) => lead(words, is_program, depth),
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

/// The first argument that is not an option nor the value of one, and what follows it.
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
