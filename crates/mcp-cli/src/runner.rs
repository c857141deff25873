//! Whether this program was started by a runner of packages (`npx`, `uvx`), which keeps its file in a cache: a command that is printed
//! has to be run by it as well, because no `mcplink` is on the person's `PATH`, and a host cannot start a file that may be cleared.

use std::path::{Path, PathBuf};

use crate::environment::Environment;

/// A runner of packages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Runner {
    /// What stands before `mcplink` in a command, with a blank behind it.
    pub(crate) run: &'static str,
    /// How the program is installed for good.
    pub(crate) install: &'static str,
}

const NPM: &str = "npm install -g mcplink";
const UV: &str = "uv tool install mcplink";

impl Runner {
    /// The one in whose cache `program` is.
    pub(crate) fn of(program: &Path) -> Option<Self> {
        let folders: Vec<_> = program.iter().filter_map(|folder| folder.to_str()).collect();
        let has = |name: &str| folders.contains(&name);
        let below = |outer: &str, inner: &str| folders.windows(2).any(|pair| pair == [outer, inner]);
        let is_of = |start: &str| folders.iter().any(|folder| folder.starts_with(start));
        let (run, install) = if has("_npx") {
            ("npx ", NPM)
        } else if has("dlx") || is_of("dlx-") {
            ("pnpm dlx ", NPM)
        } else if is_of("bunx-") {
            ("bunx ", NPM)
        } else if has("archive-v0") || below("uv", "cache") {
            ("uvx ", UV)
        } else if below("pipx", ".cache") {
            ("pipx run ", UV)
        } else {
            return None;
        };
        Some(Self { run, install })
    }

    /// The one that started this program, where no other file of its name is on the `PATH`: one that a person has installed is what
    /// `mcplink` means to their shell.
    pub(crate) fn of_this(environment: &Environment) -> Option<Self> {
        let program = environment.program().ok()?;
        let runner = Self::of(program)?;
        let is_installed = folders(environment)
            .map(|folder| folder.join(program.file_name().unwrap_or_default()))
            .any(|file| file.is_file() && Self::of(&file).is_none());
        (!is_installed).then_some(runner)
    }
}

/// The folders of the `PATH`.
pub(crate) fn folders(environment: &Environment) -> impl Iterator<Item = PathBuf> {
    let path = environment.text("PATH").unwrap_or_default().to_owned();
    let folders: Vec<PathBuf> =
        path.split(if cfg!(windows) { ';' } else { ':' }).map(PathBuf::from).collect();
    folders.into_iter().filter(|folder| folder.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fh_h5_a_file_of_a_runner_of_packages_is_known_by_where_it_is() {
        for (path, run) in [
            ("/h/.npm/_npx/c37e/node_modules/@mcplink/linux-x64/bin/mcplink", Some("npx ")),
            ("/h/.cache/pnpm/dlx/x/node_modules/.bin/mcplink", Some("pnpm dlx ")),
            ("/tmp/bunx-0-mcplink@latest/node_modules/.bin/mcplink", Some("bunx ")),
            ("/h/.cache/uv/archive-v0/abc/bin/mcplink", Some("uvx ")),
            ("/h/.local/pipx/.cache/abc/bin/mcplink", Some("pipx run ")),
            ("/usr/local/lib/node_modules/mcplink/bin/mcplink", None),
            ("/h/.local/share/uv/tools/mcplink/bin/mcplink", None),
            ("/opt/homebrew/bin/mcplink", None),
            ("/h/.cargo/bin/mcplink", None),
        ] {
            assert_eq!(Runner::of(Path::new(path)).map(|runner| runner.run), run, "{path}");
        }
    }
}
