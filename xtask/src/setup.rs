//! The real peers that the interoperability tests talk to, at the versions of their lock files, and a browser.
//!
//! `crates/mcp-harness/fixtures/NAME/` holds `package.json` and `package-lock.json`, or `requirements.txt`, or a
//! cargo workspace of its own. Each is installed into `target/fixtures/NAME/`, and again only when its lock
//! file or the interpreter changes, so that a cached `target` costs nothing. `conformance/` goes into
//! `target/conformance/suite/` in the same way.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use crate::shell::{command, is_installed, metadata, output, root, run as run_command};
use crate::{Problems, chromium, debian};

/// Installs every fixture; a missing tool is an error.
pub(crate) fn run() -> Result<(), Problems> {
    install_all(true)
}

/// Installs what the tools on this machine can; the tests of the rest say loudly that they were skipped.
pub(crate) fn run_where_possible() -> Result<(), Problems> {
    install_all(false)
}

/// What an installation from npm takes.
pub(crate) const NPM_TOOLS: &[&str] = &["node", "npm"];

enum Kind {
    Npm,
    Python,
    Cargo,
}

impl Kind {
    /// What a folder holds, by its lock file; `None` for a folder that needs no installation.
    fn of(folder: &Path) -> Option<Self> {
        if folder.join("package-lock.json").is_file() {
            Some(Self::Npm)
        } else if folder.join("requirements.txt").is_file() {
            Some(Self::Python)
        } else if folder.join("Cargo.lock").is_file() {
            Some(Self::Cargo)
        } else {
            None
        }
    }

    /// The files that decide what is installed.
    fn inputs(&self) -> &'static [&'static str] {
        match self {
            Self::Npm => &["package.json", "package-lock.json"],
            Self::Python => &["requirements.txt"],
            Self::Cargo => &["Cargo.toml", "Cargo.lock", "src/main.rs"],
        }
    }

    /// The programs that installing takes; the first is the interpreter that the result depends on.
    fn tools(&self) -> &'static [&'static str] {
        match self {
            Self::Npm => NPM_TOOLS,
            Self::Python => &["python3"],
            Self::Cargo => &["cargo"],
        }
    }

    fn install(&self, target: &Path) -> Result<(), Problems> {
        match self {
            // Install scripts run code of strangers at install time; no fixture needs one.
            Self::Npm => run_command(
                command("npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(target),
            ),
            Self::Python => {
                run_command(command("python3", &["-m", "venv", "venv"]).current_dir(target))?;
                let pip = if cfg!(windows) { "venv/Scripts/pip.exe" } else { "venv/bin/pip" };
                let pip = target.join(pip);
                let arguments = [
                    "install",
                    "--disable-pip-version-check",
                    "--quiet",
                    "--requirement",
                    "requirements.txt",
                ];
                run_command(command(&pip.to_string_lossy(), &arguments).current_dir(target))
            }
            Self::Cargo => {
                // The target directory is named, because the environment may send what is built elsewhere. It holds
                // hundreds of megabytes, of which nothing is needed again.
                let arguments = ["install", "--quiet", "--locked", "--debug", "--path=.", "--root=."];
                let mut install = command("cargo", &arguments);
                run_command(install.arg("--target-dir=target").current_dir(target))?;
                fs::remove_dir_all(target.join("target"))
                    .map_err(|error| vec![format!("{} cannot be tidied: {error}", target.display())])
            }
        }
    }
}

/// The folder of the fixtures.
const FIXTURES: &str = "crates/mcp-harness/fixtures";

fn install_all(tools_required: bool) -> Result<(), Problems> {
    let targets = target_directory()?.join("fixtures");
    let entries = fs::read_dir(root().join(FIXTURES)).into_iter().flatten();
    let mut folders: Vec<(PathBuf, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.path(), targets.join(entry.file_name())))
        })
        .collect();
    folders.sort();
    folders.push(conformance_folders()?);
    let mut possible = Vec::new();
    for (folder, target) in folders {
        let Some(kind) = Kind::of(&folder) else { continue };
        let missing: Vec<_> = kind.tools().iter().filter(|tool| !is_installed(tool)).collect();
        if missing.is_empty() {
            possible.push((kind, folder, target));
            continue;
        }
        let problem = format!("{} needs {missing:?}, which this machine does not have", folder.display());
        if tools_required {
            return Err(vec![problem]);
        }
        println!("!!! {problem}: the tests against it WILL BE SKIPPED !!!");
    }
    install_together(&possible)?;
    debian::provide();
    match chromium::provide() {
        Err(problems) if !tools_required => {
            println!("!!! {}: the tests of signing in with it WILL BE SKIPPED !!!", problems.join("; "));
            Ok(())
        }
        provided => provided,
    }
}

/// Installs all of them at once: each waits for a registry most of the time, and one for a compiler.
fn install_together(fixtures: &[(Kind, PathBuf, PathBuf)]) -> Result<(), Problems> {
    let problems: Problems = thread::scope(|scope| {
        let installations: Vec<_> = fixtures
            .iter()
            .map(|(kind, folder, target)| (scope.spawn(|| install(kind, folder, target)), folder))
            .collect();
        let ended = installations.into_iter().map(|(installation, folder)| {
            installation
                .join()
                .unwrap_or_else(|_| Err(vec![format!("installing {} panicked", folder.display())]))
        });
        ended.filter_map(Result::err).flatten().collect()
    });
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn install(kind: &Kind, folder: &Path, target: &Path) -> Result<(), Problems> {
    let failed =
        |what: &str, error: std::io::Error| vec![format!("{} cannot be {what}: {error}", target.display())];
    // Two runs at once, in CI or of two people's terminals, must not fill one folder. The lock lies beside the folder,
    // which is removed, and ends with this process however that ends.
    let lock = target.with_extension("lock");
    fs::create_dir_all(target.parent().unwrap_or(target)).map_err(|error| failed("created", error))?;
    let lock = fs::File::create(&lock).map_err(|error| failed("locked", error))?;
    lock.lock().map_err(|error| failed("locked", error))?;
    // A Python environment holds its own path, so one that was moved with a cache is none.
    let mut wanted = format!("{}\n", target.display());
    wanted += &output(&mut command(kind.tools()[0], &["--version"]))?;
    for input in kind.inputs() {
        wanted += &fs::read_to_string(folder.join(input)).map_err(|error| failed("planned", error))?;
    }
    let stamp = target.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        println!("{} is up to date", target.display());
        return Ok(());
    }
    // Half of an older installation must not survive under a new stamp.
    match fs::remove_dir_all(target) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed("removed", error)),
        _ => fs::create_dir_all(target).map_err(|error| failed("created", error))?,
    }
    for input in kind.inputs() {
        let copy = target.join(input);
        let into = copy.parent().unwrap_or(target);
        fs::create_dir_all(into)
            .and_then(|()| fs::copy(folder.join(input), &copy))
            .map_err(|error| failed("filled", error))?;
    }
    kind.install(target)?;
    fs::write(&stamp, wanted).map_err(|error| failed("stamped", error))
}

/// Installs what a bench compares with, if it is not there.
///
/// # Errors
///
/// When a tool is missing or the installation fails.
pub(crate) fn install_peer(folder: &Path, target: &Path) -> Result<(), Problems> {
    let kind = Kind::of(folder).ok_or_else(|| vec![format!("{} has no lock file", folder.display())])?;
    match kind.tools().iter().find(|tool| !is_installed(tool)) {
        Some(missing) => Err(vec![format!("this machine has no {missing}")]),
        None => install(&kind, folder, target),
    }
}

/// Installs the conformance suite, if it is not there, and says where.
///
/// # Errors
///
/// When a tool is missing or the installation fails.
pub(crate) fn install_conformance_suite() -> Result<PathBuf, Problems> {
    let (folder, target) = conformance_folders()?;
    if let Some(missing) = NPM_TOOLS.iter().find(|tool| !is_installed(tool)) {
        return Err(vec![format!("{} needs {missing}, which this machine does not have", folder.display())]);
    }
    install(&Kind::Npm, &folder, &target)?;
    Ok(target)
}

/// Where the suite is pinned, and where it is installed.
fn conformance_folders() -> Result<(PathBuf, PathBuf), Problems> {
    Ok((root().join("conformance"), target_directory()?.join("conformance/suite")))
}

/// Where everything that is built goes.
pub(crate) fn target_directory() -> Result<PathBuf, Problems> {
    let metadata = metadata()?;
    let directory = metadata["target_directory"].as_str();
    directory.map(PathBuf::from).ok_or_else(|| vec!["cargo metadata names no target directory".to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where `target` is kept, one that lies elsewhere is still installed, and is missing on a fresh machine only.
    #[test]
    fn what_is_installed_lies_where_setup_looks() {
        let crates = fs::read_dir(root().join("crates")).expect("the crates");
        let folders = crates.flat_map(|member| {
            let fixtures = member.expect("a crate").path().join("fixtures");
            fs::read_dir(fixtures).into_iter().flatten().map(|folder| folder.expect("a fixture").path())
        });
        let installed: Vec<PathBuf> = folders.filter(|folder| Kind::of(folder).is_some()).collect();
        assert!(installed.len() > 5, "{installed:?}");
        let elsewhere: Vec<_> =
            installed.iter().filter(|folder| !folder.starts_with(root().join(FIXTURES))).collect();
        assert!(elsewhere.is_empty(), "not installed by setup: {elsewhere:?}");
    }
}
