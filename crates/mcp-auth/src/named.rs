//! What the command line of a helper names: its program, for people, and the files that it may read, to notice that it is
//! another one. It is a guess by the words alone: it runs nothing, and decides nothing about what may run.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::settings::HelperSpec;

/// How many words of a command line are looked at.
const WORDS: usize = 64;
/// How many files of it are reported.
const FILES: usize = 16;
/// Programs that only pass on the output of another one, or run it.
const PLUMBING: [&str; 10] =
    ["bash", "cat", "command", "echo", "env", "exec", "printf", "sh", "timeout", "zsh"];
/// Words of the shell itself (POSIX 2.4, 2.14 and 4): no program of such a name is looked for.
const OF_THE_SHELL: [&str; 22] = [
    "case", "cd", "eval", "exit", "export", "false", "for", "if", "read", "return", "set", "shift", "source",
    "test", "trap", "true", "ulimit", "umask", "unset", "until", "wait", "while",
];

impl HelperSpec {
    /// The program that a person knows this helper by: the first word that is a program and does not merely run another one
    /// or pass on its output.
    pub fn program(&self) -> Option<&str> {
        let first = self.command.split_whitespace().next();
        let inner = ["$(", "`"].iter().filter_map(|opening| self.command.split_once(opening));
        let inner = inner.filter_map(|(_, inner)| inner.split_whitespace().next());
        let is_program = |word: &&str| {
            let known = word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/~+".contains(c));
            let name = word.rsplit('/').next().unwrap_or(word);
            known && !name.is_empty() && !PLUMBING.contains(&name) && !OF_THE_SHELL.contains(word)
        };
        first.into_iter().chain(inner.map(|word| word.trim_end_matches([')', '`', '"']))).find(is_program)
    }

    /// The file that [`program`](Self::program) leads to, where there is one.
    pub fn program_file(&self) -> Option<PathBuf> {
        let program = self.program()?;
        let file = if program.contains('/') { Some(self.at(program)) } else { self.on_path(program) };
        file.filter(|file| file.is_file())
    }

    /// The files that the command line names, whether they are there or not, and the programs of it that are found on the
    /// `PATH` of the helper.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for word in words(&self.command).take(WORDS) {
            let file = if word.contains('/') { Some(self.at(word)) } else { self.on_path(word) };
            files.extend(file.filter(|file| !files.contains(file)));
            if files.len() >= FILES {
                break;
            }
        }
        files
    }

    fn at(&self, word: &str) -> PathBuf {
        match (word.strip_prefix("~/"), self.env.get(OsStr::new("HOME"))) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            _ => self.cwd.join(word),
        }
    }

    fn on_path(&self, word: &str) -> Option<PathBuf> {
        let path = self.env.get(OsStr::new("PATH"))?.to_str()?;
        path.split(if cfg!(windows) { ';' } else { ':' })
            .map(Path::new)
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(word))
            .find(|file| file.is_file())
    }
}

/// The words of a command line, without what is special to a shell.
fn words(command: &str) -> impl Iterator<Item = &str> {
    let special = |c: char| c.is_whitespace() || "|&;<>()`\"'$={},".contains(c);
    command.split(special).filter(|word| !word.is_empty() && *word != "." && !word.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_one_that_a_person_knows() {
        for (command, program) in [
            ("my-sso headers", Some("my-sso")),
            ("exit 3", None),
            ("cd /x && ./mint", None),
            ("if t=$(my-sso token); then echo \"$t\"; fi", Some("my-sso")),
            ("/opt/sso/bin/token --json", Some("/opt/sso/bin/token")),
            ("printf '{\"Authorization\": \"Bearer %s\"}' \"$(my-sso token)\"", Some("my-sso")),
            ("T=$(my-sso token) && printf '{\"A\": \"%s\"}' \"$T\"", Some("my-sso")),
            ("echo `vault`", Some("vault")),
            ("cat token.json", None),
            ("'my helper'", None),
            ("", None),
        ] {
            assert_eq!(HelperSpec::new(command, "/p").program(), program, "{command}");
        }
    }

    #[test]
    fn files_are_those_that_words_lead_to() {
        let dir = tempfile::tempdir().unwrap();
        let tool = dir.path().join("my-sso");
        std::fs::write(&tool, "").unwrap();
        let spec = |command: &str| {
            let mut spec = HelperSpec::new(command, "/project");
            spec.env.insert("HOME".into(), "/home/ann".into());
            spec.env.insert("PATH".into(), format!("relative:{}", dir.path().display()).into());
            spec.files()
        };
        let path = |path: &str| PathBuf::from(path);
        assert_eq!(spec("my-sso token --for /etc/sso.toml"), [tool.clone(), path("/etc/sso.toml")]);
        assert_eq!(
            spec("sh './bin/mint it.sh' <~/.token"),
            [path("/project/./bin/mint"), path("/home/ann/.token")]
        );
        assert_eq!(spec("T=$(my-sso a) && printf '%s' \"$T\" || my-sso b"), [tool]);
        assert!(spec("no-such-thing").is_empty());
        let many: String = (0..100).map(|number| format!(" /{number}")).collect();
        assert_eq!(spec(&many).len(), FILES);
    }
}
