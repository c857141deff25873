//! Why a shell did not find a command that is named by a path: where it looked, and where the file is instead.
//!
//! It decides nothing: it only tells people why something went wrong.

use std::path::{Path, PathBuf};

/// How many folders above the working directory are looked into: a project is no deeper.
const MAX_ABOVE: usize = 12;
/// What a shell ends with whose command may not be executed, or is not there (POSIX, exit status for commands).
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// What is wrong with the place of a command.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum CommandFault {
    /// It is not in the folder where the command ran, and may be in one above that.
    Missing { above: Option<PathBuf> },
    /// It is there, and may not be executed.
    NotExecutable(PathBuf),
}

/// What is wrong with the place of the first word of `command`, which ran in `cwd` and ended with `code`.
pub(super) fn misplaced(command: &str, cwd: &Path, code: Option<i32>) -> Option<CommandFault> {
    let word = command.split_whitespace().next()?;
    // What a shell would make something else of is not looked for.
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+' | '@');
    if !word.contains('/') || !word.chars().all(is_plain) {
        return None;
    }
    match code? {
        NOT_FOUND if !cwd.join(word).exists() => {
            // A path from the root is the same in every folder.
            let is_relative = Path::new(word).is_relative();
            let mut above = cwd.ancestors().skip(1).take(MAX_ABOVE).map(|folder| folder.join(word));
            Some(CommandFault::Missing { above: above.find(|path| is_relative && path.is_file()).map(tidy) })
        }
        NOT_EXECUTABLE if cwd.join(word).is_file() => Some(CommandFault::NotExecutable(tidy(cwd.join(word)))),
        _ => None,
    }
}

/// The path without `.` in it.
fn tidy(path: PathBuf) -> PathBuf {
    path.components().collect()
}

#[cfg(all(unix, test))]
mod tests {
    use super::*;

    #[test]
    fn a_command_by_its_path_is_told_where_it_is_and_what_it_lacks() {
        let dir = tempfile::tempdir().unwrap();
        let (project, sub) = (dir.path(), dir.path().join("a/b"));
        std::fs::create_dir_all(&sub).unwrap();
        std::fs::write(project.join("tok.sh"), "#!/bin/sh\n").unwrap();
        let above = |path: &str| Some(CommandFault::Missing { above: Some(project.join(path)) });
        let nowhere = || Some(CommandFault::Missing { above: None });
        for (command, cwd, code, expected) in [
            ("./tok.sh --for x", &*sub, 127, above("tok.sh")),
            ("./nope.sh", &sub, 127, nowhere()),
            ("/nope/tok.sh", &sub, 127, nowhere()),
            // It was found, and another command in it was not.
            ("./tok.sh", project, 127, None),
            ("./tok.sh", project, 126, Some(CommandFault::NotExecutable(project.join("tok.sh")))),
            ("./tok.sh", project, 1, None),
            ("tok.sh", &sub, 127, None),
            ("$HOME/tok.sh", &sub, 127, None),
            ("", &sub, 127, None),
        ] {
            assert_eq!(misplaced(command, cwd, Some(code)), expected, "{command} {code}");
        }
    }
}
