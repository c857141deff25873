//! Which command a command starts: what `npx`, `env`, `sh -c`, `sudo` and the like have behind their own options, and in a line that
//! they are given as one word. Nothing is run for it. That this program is started by such a command is known by it
//! ([`crate::pointer`]), and that a bridge to a remote server is ([`crate::hosts`]).

mod table;

use self::table::{LAUNCHERS, LOADER, Launcher};
use crate::script;

/// A command within another one.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct InnerCommandLine {
    pub(crate) command: StartedCommand,
    /// What starts it gives it more than the line says: variables, rights, arguments, another system. Who writes another line in the
    /// place of this one would lose that.
    pub(crate) adds: bool,
}

/// Where the words of such a command are.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum StartedCommand {
    /// From this word on.
    At(usize),
    /// In this word, which is a line.
    Line {
        word: usize,
        words: Vec<String>,
        /// The line has this command alone, and no redirection.
        is_alone: bool,
    },
}

impl StartedCommand {
    /// The words, of a command whose words are these.
    pub(crate) fn into_words(self, words: &[String]) -> Option<Vec<String>> {
        match self {
            Self::At(at) => words.get(at..).map(<[_]>::to_vec),
            Self::Line { words, .. } => Some(words),
        }
    }
}

/// What the command `words` starts; `None` where it is not known to start another one.
pub(crate) fn started(words: &[String]) -> Option<InnerCommandLine> {
    let head = words.iter().position(|word| !is_assignment(word))?;
    let rest = &words[head + 1..];
    let found = match &*base_name(&words[head]) {
        "sh" | "bash" | "zsh" | "dash" | "ash" | "ksh" | "fish" => plain(shell(rest)?),
        "cmd" => plain(windows_shell(rest)?),
        "powershell" | "pwsh" => plain(powershell(rest)?),
        "python" | "python3" | "py" => {
            let at = rest.iter().position(|word| word == "-m" || !word.starts_with('-'))?;
            // A module, which may be a launcher.
            (rest[at] == "-m").then(|| plain(StartedCommand::At(at + 1)))?
        }
        "node" => plain(StartedCommand::At(rest.iter().position(|word| !word.starts_with('-'))?)),
        "nix-shell" => {
            let at = rest.iter().position(|word| matches!(&**word, "--run" | "--command"))?;
            plain(line(rest, at + 1)?)
        }
        name if name.starts_with("ld-linux") || name.starts_with("ld-musl") => LOADER.command(rest)?,
        name => LAUNCHERS.iter().find(|launcher| launcher.name == name)?.command(rest)?,
    };
    // Counted from the word behind the program so far.
    let offset = head + 1;
    let command = match found.command {
        StartedCommand::At(at) => StartedCommand::At(at + offset),
        StartedCommand::Line { word, words, is_alone } => {
            StartedCommand::Line { word: word + offset, words, is_alone }
        }
    };
    Some(InnerCommandLine { command, ..found })
}

/// The words of a whole line where a program should stand: no system starts it, and its writer has meant what a shell reads.
pub(crate) fn of_line(line: &str) -> Option<Vec<String>> {
    // There, `\` separates the parts of a path, and means nothing else.
    script::last_command(&line.trim_start_matches("& ").replace('\\', "/"))
}

fn plain(command: StartedCommand) -> InnerCommandLine {
    InnerCommandLine { command, adds: false }
}

/// The line that is this word.
fn line(words: &[String], at: usize) -> Option<StartedCommand> {
    let text = words.get(at)?;
    Some(StartedCommand::Line { word: at, words: script::last_command(text)?, is_alone: is_alone(text) })
}

fn is_alone(line: &str) -> bool {
    !line.contains([';', '&', '|', '\n', '<', '>'])
}

impl Launcher {
    /// What it runs, given these arguments.
    fn command(&self, args: &[String]) -> Option<InnerCommandLine> {
        let mut own = self.own;
        let mut verbs = !self.verbs.is_empty();
        let mut adds = self.adds;
        let mut at = 0;
        loop {
            let word = args.get(at)?;
            if word == "--" {
                return Some(InnerCommandLine { command: StartedCommand::At(at + 1), adds });
            }
            let (option, joined) = match word.split_once('=') {
                Some((option, value)) if word.starts_with('-') => (option, Some(value)),
                _ => (&**word, None),
            };
            adds |= option == "--env-file";
            // `-lc LINE` is `-l -c LINE`.
            let grouped = self.lines.contains(&"-c") && !word.starts_with("--") && word.ends_with('c');
            if self.lines.contains(&option) || (grouped && word.starts_with('-')) {
                let (place, text) = match joined {
                    Some(text) => (at, text),
                    None => (at + 1, &**args.get(at + 1)?),
                };
                let mut words = script::last_command(text)?;
                if self.name == "env" {
                    words.extend_from_slice(&args[place + 1..]);
                }
                let command = StartedCommand::Line { word: place, words, is_alone: is_alone(text) };
                return Some(InnerCommandLine { command, adds });
            }
            if word.starts_with('-') {
                at += usize::from(self.valued.contains(&&**word));
            } else if verbs && self.verbs.contains(&&**word) {
                // `uv tool run` has two.
                verbs = self.name == "uv" && word == "tool";
            } else if verbs && !self.verbs.contains(&"") {
                return None;
            } else if own > 0 {
                own -= 1;
            } else if !(is_assignment(word) || (self.name == "mise" && is_version(word))) {
                return Some(InnerCommandLine { command: StartedCommand::At(at), adds });
            }
            at += 1;
        }
    }
}

/// `node@22`, which `mise exec` has before the command.
fn is_version(word: &str) -> bool {
    word.split_once('@').is_some_and(|(tool, _)| !tool.is_empty())
}

/// The words of `sh -c '...'`, with the arguments behind the script where it asks for them.
fn shell(args: &[String]) -> Option<StartedCommand> {
    let at = args.iter().position(|arg| !is_flag_without_script(arg))?;
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
    Some(StartedCommand::Line { word: at + 1, words, is_alone: is_alone(text) && arguments.is_empty() })
}

/// `-l`, `-i`, `--login`: an option of a shell that does not say where the script is.
fn is_flag_without_script(arg: &str) -> bool {
    arg.starts_with("--") || (arg.starts_with('-') && !arg.ends_with('c'))
}

/// The words of `cmd /d /s /c ...`.
fn windows_shell(args: &[String]) -> Option<StartedCommand> {
    let at = args.iter().position(|arg| !matches!(&*arg.to_ascii_lowercase(), "/d" | "/s" | "/q"))?;
    if !matches!(&*args[at].to_ascii_lowercase(), "/c" | "/k") {
        return None;
    }
    words_or_line(args, at + 1)
}

/// The words of `powershell -NoProfile -Command ...`.
fn powershell(args: &[String]) -> Option<StartedCommand> {
    let at = args.iter().position(|arg| matches!(&*arg.to_ascii_lowercase(), "-command" | "-c"))? + 1;
    // The call operator.
    words_or_line(args, at + usize::from(args.get(at).is_some_and(|word| word == "&")))
}

/// A command as words from `at` on, or as one word that is a line.
fn words_or_line(args: &[String], at: usize) -> Option<StartedCommand> {
    match args.get(at..)? {
        [] => None,
        [line] => Some(StartedCommand::Line { word: at, words: of_line(line)?, is_alone: is_alone(line) }),
        _ => Some(StartedCommand::At(at)),
    }
}

/// `A=B`, as it may stand in front of a command.
pub(crate) fn is_assignment(word: &str) -> bool {
    assignment(word).is_some()
}

/// Name and value of `A=B`.
pub(crate) fn assignment(word: &str) -> Option<(&str, &str)> {
    // `mcplink==1.0` is a package.
    word.split_once('=').filter(|(name, value)| mcp_text::is_variable_name(name) && !value.starts_with('='))
}

/// The last part of a path of either system, without what marks a program on Windows, in small letters.
pub(crate) fn base_name(command: &str) -> String {
    let name = command.rsplit(['/', '\\']).next().unwrap_or(command).to_ascii_lowercase();
    let plain = [".exe", ".cmd", ".bat", ".ps1", ".com"].iter().find_map(|end| name.strip_suffix(end));
    plain.map(str::to_owned).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Vec<String> {
        line.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn fa_a76_what_a_command_starts_and_whether_it_gives_it_more() {
        let at = |at| Some((StartedCommand::At(at), false));
        let adds = |at| Some((StartedCommand::At(at), true));
        let line = |word, line: &[&str], is_alone| {
            Some((StartedCommand::Line { word, words: words(line), is_alone }, false))
        };
        for (command, expected) in [
            (&["npx", "-y", "x", "a"][..], at(2)),
            (&["A=b", "npx", "-p", "y", "--", "x"], at(5)),
            (&["env", "-u", "A", "B=c", "x"], at(4)),
            (&["/usr/bin/env", "-S", "x y", "z"], line(2, &["x", "y", "z"], true)),
            (&["uv", "tool", "run", "x"], at(3)),
            (&["uv", "run", "--env-file", ".env", "x"], adds(4)),
            (&["node", "--no-warnings", "/x/cli.js", "a"], at(2)),
            (&["py", "-3", "-m", "pipx", "run", "x"], at(3)),
            (&["sh", "-c", "x y"], line(2, &["x", "y"], true)),
            (&["bash", "-lc", "cd /a && x y"], line(2, &["x", "y"], false)),
            (&["sh", "-c", "exec \"$@\"", "s", "x"], line(2, &["exec", "x"], false)),
            (&["cmd", "/d", "/c", "npx", "x"], at(3)),
            (&["CMD.EXE", "/C", r"C:\a\npx x"], line(2, &["C:/a/npx", "x"], true)),
            (&["pwsh", "-NoProfile", "-Command", "&", "npx", "x"], at(4)),
            (&["npx", "-c", "x y"], line(2, &["x", "y"], true)),
            (&["nice", "-n", "5", "x"], at(3)),
            (&["timeout", "-k", "5", "60", "x"], adds(4)),
            (&["sudo", "-u", "me", "A=b", "x"], adds(4)),
            (&["op", "run", "--env-file=.env", "--", "x"], adds(4)),
            (&["doppler", "run", "-p", "a", "--", "x"], adds(5)),
            (&["dotenvx", "run", "-f", ".env", "--", "x"], adds(5)),
            (&["xargs", "x"], adds(1)),
            (&["mise", "exec", "node@22", "--", "x"], adds(4)),
            (&["npm", "install", "x"], None),
            (&["python", "server.py"], None),
            (&["sh", "script.sh"], None),
            (&["sh", "-c", "x | y"], None),
            (&["x", "npx", "y"], None),
            (&["npx"], None),
            (&[], None),
        ] {
            let found = started(&words(command)).map(|started| (started.command, started.adds));
            assert_eq!(found, expected, "{command:?}");
        }
    }

    #[test]
    fn each_launcher_stands_in_the_table_once() {
        let mut names: Vec<_> = LAUNCHERS.iter().map(|launcher| launcher.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
