//! Running other programs.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Problems;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// `program` in the root of the workspace.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    for variable in OF_XTASK {
        command.env_remove(variable);
    }
    command
}

/// What cargo says of xtask to xtask itself. Build scripts look at these (ring's does), so cargo would compile all that stands on
/// them once for a cargo that `cargo xtask` runs, and once again for one that a person runs.
const OF_XTASK: [&str; 8] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// Runs a command with its output passed through.
pub(crate) fn run(command: &mut Command) -> Result<(), Problems> {
    let shown = show(command);
    println!("$ {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(vec![format!("`{shown}` ended with {status}")]),
        Err(error) => Err(vec![format!("`{shown}` did not start: {error}")]),
    }
}

/// Runs a command and returns what it wrote to stdout.
pub(crate) fn output(command: &mut Command) -> Result<String, Problems> {
    let shown = show(command);
    let output = command.output().map_err(|error| vec![format!("`{shown}` did not start: {error}")])?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(vec![format!("`{shown}` ended with {}: {}", output.status, stderr.trim())]);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What `cargo metadata` says about the packages of the workspace.
pub(crate) fn metadata() -> Result<Value, Problems> {
    let arguments = ["metadata", "--locked", "--no-deps", "--format-version", "1"];
    let text = output(&mut command("cargo", &arguments))?;
    serde_json::from_str(&text).map_err(|error| vec![format!("cargo metadata: {error}")])
}

/// Whether a program of this name is on the search path.
pub(crate) fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output();
    !matches!(found, Err(error) if error.kind() == ErrorKind::NotFound)
}

/// Whether this subcommand of cargo is installed.
pub(crate) fn has_cargo_subcommand(name: &str) -> bool {
    command("cargo", &[name, "--version"]).output().is_ok_and(|output| output.status.success())
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cargo_that_xtask_runs_is_as_one_that_a_person_runs() {
        let program = command("env", &[]);
        let removed = |name: &str| program.get_envs().any(|(known, value)| known == name && value.is_none());
        // Those that ring's build script looks at, of the ones that cargo sets for xtask.
        for name in
            ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION_MAJOR", "CARGO_MANIFEST_LINKS"]
        {
            assert!(removed(name), "{name}");
        }
        assert!(!removed("CARGO_HOME") && !removed("CARGO_TARGET_DIR") && !removed("PATH"));
    }
}
