//! Whether a command leads to the file of the running program, whatever it is called: through a link, on `PATH`, by
//! another name.
//!
//! It is a question to the file system, asked of the commands of entries that a person agreed to and of no other: a path
//! of a stranger's file may lead to a share or a device of another account.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Env;

/// The running program, where the caller said what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program<'a> {
    pub(crate) file: Option<&'a Path>,
    pub(crate) env: &'a Env,
    pub(crate) cwd: &'a Path,
}

impl Program<'_> {
    /// Whether `command` is the running program.
    pub(crate) fn is(&self, command: &str) -> bool {
        let Some(file) = self.file else { return false };
        self.found(command).is_some_and(|found| same_file(&found, file))
    }

    /// The file that a command leads to, as the system looks for it.
    fn found(&self, command: &str) -> Option<PathBuf> {
        if command.is_empty() || command.starts_with(r"\\") {
            return None;
        }
        if command.contains(std::path::is_separator) {
            return Some(self.cwd.join(command));
        }
        let separator = if cfg!(windows) { ';' } else { ':' };
        let directories = self.env.var("PATH")?.split(separator).map(Path::new);
        directories
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(command))
            .find(|candidate| candidate.is_file())
    }
}

#[cfg(unix)]
fn same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    identity(a).is_some_and(|a| Some(a) == identity(b))
}

#[cfg(not(unix))]
fn same_file(a: &Path, b: &Path) -> bool {
    fs::canonicalize(a).is_ok_and(|a| fs::canonicalize(b).is_ok_and(|b| a == b))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn s_b2_links_of_either_kind_lead_to_the_program_and_copies_do_not() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("program");
        fs::write(&file, "x").unwrap();
        std::os::unix::fs::symlink(&file, home.path().join("soft")).unwrap();
        fs::hard_link(&file, home.path().join("hard")).unwrap();
        fs::copy(&file, home.path().join("copy")).unwrap();
        let env = Env::from([("PATH", home.path())]);
        let program = Program { file: Some(&file), env: &env, cwd: home.path() };
        for command in ["program", "soft", "hard", "./soft", "../x/../soft"] {
            let expected = command != "../x/../soft";
            assert_eq!(program.is(command), expected, "{command}");
        }
        assert!(program.is(home.path().join("soft").to_str().unwrap()));
        for command in ["copy", "./copy", "missing", "", r"\\host\share\program"] {
            assert!(!program.is(command), "{command}");
        }
        assert!(!Program { file: None, ..program }.is("program"));
    }
}
